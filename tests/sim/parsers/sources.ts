/**
 * The parsers of a log's answers: tiles, and the heads and proofs of logs that have none.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import fc from "fast-check";
import { HttpFetcher } from "../../../src/sources/fetcher.ts";
import { openSource } from "../../../src/sources/open.ts";
import { SigsumSource } from "../../../src/sources/sigsum.ts";
import { sigsumOrigin } from "../../../src/tlog/sigsum.ts";
import { ProofRefused, type ServedProof, SourceUnavailable } from "../../../src/sources/source.ts";
import type { TestLog } from "../../../src/sources/test_log.ts";
import {
  formatCheckpointText,
  openCheckpoint,
  type VerifiedCheckpoint,
} from "../../../src/tlog/checkpoint.ts";
import { base64, MAX_TREE_SIZE, textOf, utf8 } from "../../../src/tlog/encoding.ts";
import { EMPTY_ROOT, HASH_BYTES, nodeHash, sha256 } from "../../../src/tlog/hashing.ts";
import { type Log, parseLog } from "../../../src/tlog/log.ts";
import { impliedOlderRoot } from "../../../src/tlog/proof.ts";
import { TILE_WIDTH } from "../../../src/tlog/tiles.ts";
import { Tree } from "../../../src/tlog/tree.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../../src/tlog/vkey.ts";
import { denoWorld } from "../../../src/world/deno.ts";
import type { World } from "../../../src/world/world.ts";
import { fakeWorld } from "../../sources/fake_http.ts";
import { CtLog, Rekor, Story } from "../../sources/proof_servers.ts";
import { ecdsaLog, treeHeadLog } from "../../tlog/log_signers.ts";
import { distort, type Distortion, DISTORTIONS } from "./distort.ts";
import { choice, textBytes } from "./inputs.ts";
import { insist, type Outcome, parser, type ParserUnderTest } from "./parser.ts";
import { LEAVES, type Stage, uint64 } from "./stage.ts";

/** Most requests that building one proof may take: two for each tile, and there are a few. */
const MAX_REQUESTS = 256;

interface Served {
  readonly kind: number;
  readonly older: bigint;
  readonly newer: bigint;
  readonly distortions: readonly (Distortion | undefined)[];
}

const SERVED: fc.Arbitrary<Served> = fc.record({
  kind: choice(3),
  sizes: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(fc.nat(LEAVES), fc.nat(LEAVES)).map((pair) => pair.map(BigInt)),
    },
    fc.tuple(
      fc.bigInt({ min: 1n, max: MAX_TREE_SIZE }),
      fc.bigInt({ min: 1n, max: MAX_TREE_SIZE }),
    ),
  ),
  distortions: DISTORTIONS,
}).map(({ sizes, ...rest }) => {
  const [a, b] = sizes.toSorted((a, b) => a < b ? -1 : 1) as [bigint, bigint];
  const older = a > 0n ? a : 1n;
  return { ...rest, older, newer: b > older ? b : older + 1n };
});

/** The verdict on the served proof, as the caller of a source judges it. */
function judge(
  { honest, sizes: { older, newer }, served }: {
    honest: Pick<TestLog, "treeSize" | "root">;
    sizes: { older: bigint; newer: bigint };
    served: ServedProof;
  },
): Outcome {
  const { olderRoot: rootHash, proof } = served;
  insist([rootHash, ...proof].every((hash) => hash.length === HASH_BYTES), "hashes have 32 bytes");
  if (newer > honest.treeSize) {
    served.judged(false);
    return "refused";
  }
  const implied = impliedOlderRoot({
    older: { treeSize: older, rootHash },
    newer: { treeSize: newer, rootHash: honest.root(newer) },
    proof,
  });
  served.judged(implied !== undefined);
  if (implied === undefined) return "refused";
  insist(equals(implied, honest.root(older)), "no distorted answer leads to another older root");
  return "accepted";
}

/** Rows of a tree, one for each level, of full nodes. */
function rowsOf(leaves: readonly Uint8Array[]): (readonly Uint8Array[])[] {
  const rows = [leaves];
  for (let row = leaves; row.length > 1;) {
    row = Array.from(
      { length: row.length >> 1 },
      (_, i) => nodeHash({ left: row[2 * i]!, right: row[2 * i + 1]! }),
    );
    rows.push(row);
  }
  return rows;
}

/** Parsers of a log's answers. */
export function sources(stage: Stage): ParserUnderTest[] {
  const { honest, leaves, tree } = stage;
  const orderly = [SourceUnavailable, ProofRefused];
  const rows = rowsOf(leaves);

  /** The tile at a path. For a tree that exists nowhere, it is any bytes of the right length. */
  function tileAt(path: string): { width: number; body: Uint8Array } | undefined {
    const match = /\/(\d+)\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/.exec(path);
    if (match === null) return undefined;
    const width = Number(match[3] ?? TILE_WIDTH);
    const index = Number(match[2]!.replace(/\D/g, ""));
    const row = rows[8 * Number(match[1])] ?? [];
    const hashes = row.slice(index * TILE_WIDTH, index * TILE_WIDTH + width);
    const body = hashes.length === width ? concat(hashes) : new Uint8Array(width * HASH_BYTES);
    return { width, body };
  }

  return [
    parser<Served>({
      name: "tiles: TileSource over tlog-tiles, sumdb and static-ct",
      share: 25,
      inputs: SERVED,
      orderly,
      async run({ kind, older, newer, distortions }) {
        let asked = 0;
        const wrongLengths = new Set<string>();
        const { world } = fakeWorld((path) => {
          const tile = tileAt(path);
          insist(++asked <= MAX_REQUESTS && tile !== undefined, "a few tiles are asked for");
          const answer = distort(tile.body, distortions[asked - 1]);
          const isOk = (answer.status ?? 200) === 200;
          // The full tile is requested if the partial one is not a tile.
          const place = path.replace(/\.p\/\d+$/, "");
          const isWrong = isOk && answer.body.length !== tile.width * HASH_BYTES;
          if (isWrong) wrongLengths.add(place);
          else wrongLengths.delete(place);
          return answer;
        });
        const source = `${["", "sumdb+", "static-ct+"][kind]}https://log.invalid/here`;
        const opened = openSource({ world, log: honest.log, source, contact: "x" });
        const served = await opened.consistency({ older, newer });
        insist(wrongLengths.size === 0, "a tile of the wrong length is refused");
        return judge({ honest, sizes: { older, newer }, served });
      },
    }),
    parser<Served>({
      name: "sigsum: get-consistency-proof",
      share: 15,
      inputs: SERVED,
      orderly,
      async run({ older, newer, distortions }) {
        let asked = 0;
        const { world } = fakeWorld((path) => {
          insist(++asked <= MAX_REQUESTS, "a few answers are asked for");
          const body = sigsumProof({ tree, leaves, path });
          return body && distort(body, distortions[asked - 1]);
        });
        const { source } = sigsumSource(stage, world);
        const served = await source.consistency({ older, newer });
        return judge({ honest, sizes: { older, newer }, served });
      },
    }),
    sigsumHeads(stage),
    provenByJson(),
  ];
}

/** What CT logs of RFC 6962 and Rekor v1 answer, distorted: the head, and then the proofs. */
function provenByJson(): ParserUnderTest {
  const story = new Story().grow(LEAVES);
  const ct = new CtLog({ signing: treeHeadLog("ecdsa"), story });
  const rekor = new Rekor(ecdsaLog());
  const logs = [ct.log, rekor.begin(story)];
  const honest = { treeSize: story.treeSize, root: (size: bigint) => story.tree.root(size) };
  return parser<Served>({
    name: "rfc6962 and rekor-v1: heads and proofs in JSON",
    share: 15,
    inputs: SERVED,
    orderly: [SourceUnavailable, ProofRefused],
    async run({ kind, older, newer, distortions }) {
      let asked = 0;
      const isCt = kind % 2 === 0;
      const { world } = fakeWorld((path, request) => {
        insist(++asked <= MAX_REQUESTS, "a few answers are asked for");
        const { body } = (isCt ? ct : rekor).answer(path, request) ?? {};
        return body === undefined
          ? undefined
          : distort(utf8(body as string), distortions[asked - 1]);
      });
      const log = logs[isCt ? 0 : 1]!;
      const source = isCt ? "rfc6962+https://ct.invalid/log" : "rekor-v1+https://rekor.invalid";
      const opened = openSource({ world, log, source, contact: "x" });
      if (older % 2n === 0n) {
        const head = openCheckpoint({ note: await opened.latest(), logs: [log] });
        if ("refused" in head) return "refused";
        insist(head[0]!.root === base64(story.tree.root()), "only what was signed opens");
      }
      return judge({
        ...{ honest, sizes: { older, newer } },
        served: await opened.consistency({ older, newer }),
      });
    },
  });
}

function nodeLines(hashes: readonly Uint8Array[]): string {
  return hashes.map((hash) => `node_hash=${encodeHex(hash)}\n`).join("");
}

function sigsumProof(
  { tree, leaves, path }: { tree: Tree; leaves: readonly Uint8Array[]; path: string },
): Uint8Array | undefined {
  const [call, first, second] = path.split("/").slice(-3) as [string, string, string];
  if (call === "get-consistency-proof") {
    const sizes = { older: BigInt(first), newer: BigInt(second) };
    if (sizes.older >= sizes.newer || sizes.newer > tree.treeSize) return utf8("node_hash=00\n");
    return utf8(nodeLines(tree.consistencyProof(sizes)));
  }
  const treeSize = BigInt(first);
  const index = leaves.findIndex((leaf) => encodeHex(leaf) === second);
  if (index < 0 || index >= treeSize || treeSize > tree.treeSize) return undefined;
  const hashes = tree.inclusionProof({ index: BigInt(index), treeSize });
  return utf8(`leaf_index=${index}\n${nodeLines(hashes)}`);
}

/** A Sigsum log under the honest log's key. */
function sigsumSource({ hand }: Stage, world: World): { source: SigsumSource; log: Log } {
  const { publicKey } = hand.vkey;
  const name = sigsumOrigin(publicKey);
  const log = parseLog(makeVkey({ name, type: SIGNATURE_TYPE.ed25519, publicKey }).text);
  const fetcher = new HttpFetcher({ world, prefix: "https://log.invalid/here", contact: "x" });
  return { source: new SigsumSource({ fetcher, log }), log };
}

function rootOf(treeSize: bigint): Uint8Array {
  return treeSize === 0n ? EMPTY_ROOT : sha256(uint64(treeSize));
}

function sigsumHeads(stage: Stage): ParserUnderTest {
  const { log } = sigsumSource(stage, denoWorld());
  const signed = (treeSize: bigint): string => {
    const rootHash = rootOf(treeSize);
    const text = formatCheckpointText({ origin: log.origin, treeSize, rootHash });
    const signature = encodeHex(stage.hand.sign(utf8(text)));
    return `size=${treeSize}\nroot_hash=${encodeHex(rootHash)}\nsignature=${signature}\n`;
  };
  const samples = [signed(0n), signed(7n), signed(MAX_TREE_SIZE) + "cosignature=x y z\n"];
  return parser<Uint8Array>({
    name: "sigsum: get-tree-head",
    valid: samples.map(utf8),
    share: 20,
    inputs: textBytes(samples),
    orderly: [SourceUnavailable],
    feed: utf8,
    async run(body) {
      const { source } = sigsumSource(stage, fakeWorld(() => ({ body })).world);
      const note = textOf(await source.latest());
      const opened = openCheckpoint({ note, logs: [log] });
      if ("refused" in opened) {
        const isTold = opened.refused === "bad signature" || opened.isImpossible === true;
        insist(isTold, "a note that is made of a head has its form");
        return "refused";
      }
      const [{ treeSize, root }] = opened as [VerifiedCheckpoint];
      insist(root === base64(rootOf(treeSize)), "only what was signed opens");
      return "accepted";
    },
  });
}
