import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { openCheckpoint } from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { impliedOlderRoot } from "../../src/tlog/proof.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { HttpFetcher } from "../../src/sources/fetcher.ts";
import { SigsumSource } from "../../src/sources/sigsum.ts";
import { sigsumOrigin } from "../../src/tlog/sigsum.ts";
import { ProofRefused, SourceUnavailable } from "../../src/sources/source.ts";
import { generateSigner, type Signer } from "../../src/world/signer.ts";
import { world as realWorld } from "../world/helpers.ts";
import { type Answer, fakeWorld, type Server } from "./fake_http.ts";

const SIZE = 70;
const leaves: Uint8Array[] = Array.from({ length: SIZE }, (_, i) => leafHash(utf8(`leaf ${i}`)));
const tree = new Tree();
for (const leaf of leaves) tree.append(leaf);

function lines(key: string, hashes: readonly Uint8Array[]): string {
  return hashes.map((hash) => `${key}=${encodeHex(hash)}\n`).join("");
}

/** Answers as a Sigsum log does: 400 for sizes outside of its tree, 404 for a leaf it has not. */
function sigsumLog(path: string): Answer {
  const [, call, first, second] = path.split("/");
  if (call === "get-consistency-proof") {
    const sizes = { older: BigInt(first!), newer: BigInt(second!) };
    if (sizes.older === 0n || sizes.older >= sizes.newer || sizes.newer > SIZE) {
      return { status: 400, body: "bad request" };
    }
    return { body: lines("node_hash", tree.consistencyProof(sizes)) };
  }
  if (call === "get-inclusion-proof") {
    const treeSize = BigInt(first!);
    const index = leaves.findIndex((leaf) => encodeHex(leaf) === second);
    if (index < 0 || index >= treeSize) return { status: 404 };
    const path = tree.inclusionProof({ index: BigInt(index), treeSize });
    return { body: `leaf_index=${index}\n${lines("node_hash", path)}` };
  }
  return { status: 404 };
}

async function sigsum(server: Server) {
  const { signer } = await generateSigner({ world: realWorld, name: "scratch" });
  const { publicKey } = signer.vkey;
  const name = sigsumOrigin(publicKey);
  const log = parseLog(makeVkey({ name, type: SIGNATURE_TYPE.ed25519, publicKey }).text);
  const { world, requests } = fakeWorld(server);
  const fetcher = new HttpFetcher({ world, prefix: "https://sigsum.example/log", contact: "x" });
  const paths = () => requests.splice(0).map(({ url }) => url.replace(/^.*\/log\//, ""));
  return { source: new SigsumSource({ fetcher, log }), fetcher, log, signer, paths };
}

function atLog(path: string): Answer {
  return sigsumLog(path.replace(/^\/log/, ""));
}

async function treeHead(log: Log, signer: Signer): Promise<string> {
  const text = `${log.origin}\n${SIZE}\n${tree.root().toBase64()}\n`;
  const signature = encodeHex(await signer.sign(utf8(text)));
  return `size=${SIZE}\nroot_hash=${encodeHex(tree.root())}\nsignature=${signature}\n`;
}

Deno.test("SigsumSource: the tree head becomes a signed note that opens", async () => {
  let head = "";
  const { source, log, signer, paths } = await sigsum(() => ({ body: head }));
  const cosignature = `cosignature=${"ab".repeat(32)} 1700000000 ${"cd".repeat(64)}\n`;
  for (const cosignatures of ["", cosignature, cosignature + cosignature]) {
    head = await treeHead(log, signer) + cosignatures;
    const [checkpoint] = opened(openCheckpoint({ note: await source.latest(), logs: [log] }));
    assertEquals(checkpoint!.treeSize, BigInt(SIZE));
    assertEquals(encodeHex(checkpoint!.rootHash), encodeHex(tree.root()));
    assert(checkpoint!.fitsFrame);
  }
  assertEquals(paths()[0], "get-tree-head");
});

function opened<T>(result: T[] | { detail: string }): T[] {
  if (!Array.isArray(result)) throw new Error(result.detail);
  return result;
}

Deno.test("SigsumSource: a tree head that cannot be read is an outage that says why", async () => {
  let head = "";
  const { source, log, signer } = await sigsum(() => ({ body: head }));
  const good = await treeHead(log, signer);
  const bad: [string, string][] = [
    ["", "newline at its end"],
    [good.slice(0, -1), "newline at its end"],
    [good.replace("size=70", "size=070"), "leading zeros"],
    [good.replace("size=70", "tree_size=70"), "expected a line size=…"],
    [good.replace(/root_hash=../, "root_hash="), "64 lowercase hex digits"],
    [good.replace(/root_hash=../, "root_hash=AB"), "64 lowercase hex digits"],
    [good.replace(/signature=../, "signature="), "128 lowercase hex digits"],
    [good.replace(/signature=.*\n/, ""), "nothing came, expected a line signature=…"],
    [good.replace(/^.*\n/, ""), "expected a line size=…"],
    ["<html>\u0007</html>\n", "\\u{7}"],
  ];
  for (const [text, message] of bad) {
    head = text;
    const error = await assertRejects(() => source.latest(), SourceUnavailable, message);
    assert(error.message.startsWith("Cannot read https://sigsum.example/log/get-tree-head: "));
  }
});

Deno.test("SigsumSource: every pair of sizes up to 70 is proven, powers of two too", async () => {
  const { source } = await sigsum(atLog);
  for (let newer = 2n; newer <= SIZE; newer++) {
    for (let older = 1n; older < newer; older++) {
      const { olderRoot, proof, judged } = await source.consistency({ older, newer });
      const implied = impliedOlderRoot({
        older: { treeSize: older, rootHash: olderRoot },
        newer: { treeSize: newer, rootHash: tree.root(newer) },
        proof,
      });
      assertEquals(implied && encodeHex(implied), encodeHex(tree.root(older)), `${older} ${newer}`);
      assertEquals(encodeHex(olderRoot), encodeHex(tree.root(older)));
      judged(true);
    }
  }
});

Deno.test("SigsumSource: asks for more than the proof only from a power of two", async () => {
  const { source, paths } = await sigsum(atLog);
  const asked = async (older: bigint, newer: bigint): Promise<string[]> => {
    await source.consistency({ older, newer });
    return paths();
  };
  assertEquals(await asked(7n, 9n), ["get-consistency-proof/7/9"]);
  assertEquals(await asked(8n, 70n), ["get-consistency-proof/8/70", "get-consistency-proof/9/70"]);
  assertEquals(await asked(8n, 9n), [
    "get-consistency-proof/8/9",
    `get-inclusion-proof/9/${encodeHex(leaves[8]!)}`,
  ]);
  assertEquals(await asked(1n, 70n), [
    "get-consistency-proof/1/70",
    `get-inclusion-proof/70/${encodeHex(leaves[1]!)}`,
  ]);
  assertEquals(await asked(1n, 2n), [
    "get-consistency-proof/1/2",
    `get-inclusion-proof/2/${encodeHex(leaves[1]!)}`,
  ]);
});

Deno.test("SigsumSource: a log that went back, or has no proof, refuses it", async () => {
  const { source } = await sigsum(atLog);
  await assertRejects(
    () => source.consistency({ older: 5n, newer: 71n }),
    ProofRefused,
    "get-consistency-proof/5/71: it refuses these sizes",
  );
  const gone = await sigsum(() => ({ status: 404 }));
  await assertRejects(
    () => gone.source.consistency({ older: 5n, newer: 7n }),
    ProofRefused,
    "it is not there",
  );
  // The leaf is not found, so the older root cannot be had.
  const halved: Server = (path) => path.includes("inclusion") ? undefined : atLog(path);
  const { source: half } = await sigsum(halved);
  await assertRejects(
    () => half.consistency({ older: 8n, newer: 9n }),
    ProofRefused,
    "get-inclusion-proof/9/",
  );
});

Deno.test("SigsumSource: an outage is not a refusal", async () => {
  for (const status of [403, 429, 500, 503]) {
    const { source } = await sigsum(() => ({ status, headers: { "retry-after": "5" } }));
    const asks = () => source.consistency({ older: 5n, newer: 7n });
    const error = await assertRejects(asks, SourceUnavailable, `${status}`);
    assertEquals(error.retryAfterMs, status === 429 || status === 503 ? 5000 : undefined);
  }
});

Deno.test("SigsumSource: an answer that is no such proof is a refusal that says why", async () => {
  let body = "";
  const { source } = await sigsum(() => ({ body }));
  const good = lines("node_hash", tree.consistencyProof({ older: 5n, newer: 7n }));
  const bad: [string, string][] = [
    ["", "newline at its end"],
    [good.slice(0, -1), "newline at its end"],
    [good + good, "hashes, expected"],
    [good.replace(/^.*\n/, ""), "hashes, expected"],
    [good.replace("node_hash", "hash"), "expected a line node_hash=…"],
    [good.replace(/node_hash=../, "node_hash="), "64 lowercase hex digits"],
    [good.toUpperCase(), "expected a line node_hash=…"],
    ["x".repeat(100_000), "longer than"],
  ];
  for (const [text, message] of bad) {
    body = text;
    await assertRejects(
      () => source.consistency({ older: 5n, newer: 7n }),
      ProofRefused,
      message,
    );
  }
});

Deno.test("SigsumSource: an inclusion proof of another leaf, or without a hash, is refused", async () => {
  for (
    const [answer, message] of [
      [`leaf_index=7\n${lines("node_hash", [leaves[0]!])}`, 'leaf_index is "7", expected 8'],
      ["leaf_index=8\n", "nothing came, expected a line node_hash=…"],
      [lines("node_hash", [leaves[0]!]), "expected a line leaf_index=…"],
    ] as const
  ) {
    const { source } = await sigsum((path) =>
      path.includes("inclusion") ? { body: answer } : atLog(path)
    );
    await assertRejects(() => source.consistency({ older: 8n, newer: 9n }), ProofRefused, message);
  }
});

Deno.test("SigsumSource: a wrong older root of a power of two makes the proof fail", async () => {
  // Three hashes, as many as the proof from 9 to 10 has.
  const wrong = { body: lines("node_hash", leaves.slice(0, 3)) };
  const { source } = await sigsum((path) => path.includes("proof/9/") ? wrong : atLog(path));
  const { olderRoot, proof } = await source.consistency({ older: 8n, newer: 10n });
  assertEquals(encodeHex(olderRoot), encodeHex(leaves[2]!));
  const implied = impliedOlderRoot({
    older: { treeSize: 8n, rootHash: olderRoot },
    newer: { treeSize: 10n, rootHash: tree.root(10n) },
    proof,
  });
  assertEquals(implied, undefined);
});

Deno.test("SigsumSource: a key or origin that no Sigsum log has is refused when opened", async () => {
  const { fetcher, log } = await sigsum(atLog);
  const publicKey = log.vkey.publicKey;
  const other = makeVkey({ name: "sigsum.example", type: SIGNATURE_TYPE.ed25519, publicKey });
  assertThrows(
    () => new SigsumSource({ fetcher, log: parseLog(other.text) }),
    MalformedError,
    `origin is "sigsum.example", expected sigsum.org/v1/tree/`,
  );
  // The key name may be another: what is signed is the origin.
  new SigsumSource({ fetcher, log: parseLog(`${other.text} ${log.origin}`) });
  const vkey = { ...log.vkey, type: SIGNATURE_TYPE.mldsa44 };
  assertThrows(
    () => new SigsumSource({ fetcher, log: { ...log, vkey } }),
    MalformedError,
    "type 0x01 (Ed25519), this one's is 0x06",
  );
});

Deno.test("sigsumOrigin: is the one of a published log", () => {
  // The key of seasalp.glasklar.is, and the origin its checkpoints carry.
  const key = "0ec7e16843119b120377a73913ac6acbc2d03d82432e2c36b841b09a95841f25";
  assertEquals(
    sigsumOrigin(decodeHex(key)),
    "sigsum.org/v1/tree/44ad38f8226ff9bd27629a41e55df727308d0a1cd8a2c31d3170048ac1dd22a1",
  );
});
