import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { HttpFetcher } from "../../src/sources/fetcher.ts";
import { Rfc6962Source } from "../../src/sources/rfc6962.ts";
import { ProofRefused, SourceUnavailable } from "../../src/sources/source.ts";
import { openCheckpoint } from "../../src/tlog/checkpoint.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { impliedOlderRoot } from "../../src/tlog/proof.ts";
import { ecdsaLog, treeHeadLog } from "../tlog/log_signers.ts";
import { fakeWorld } from "./fake_http.ts";
import { CtLog, Story } from "./proof_servers.ts";

const SIZE = 70;
const story = new Story().grow(SIZE);
const keys = { ecdsa: treeHeadLog("ecdsa"), rsa: treeHeadLog("rsa") };

function ctLog(kind: keyof typeof keys = "ecdsa") {
  const server = new CtLog({ signing: keys[kind], story });
  const { world, requests } = fakeWorld(server.answer);
  const fetcher = new HttpFetcher({ world, prefix: "https://ct.example/log", contact: "x" });
  const paths = () => requests.splice(0).map(({ url }) => url.replace(/^.*\/ct\/v1\//, ""));
  return { server, source: new Rfc6962Source({ fetcher, log: server.log }), fetcher, paths };
}

for (const kind of ["ecdsa", "rsa"] as const) {
  Deno.test(`Rfc6962Source: the tree head of a log with an ${kind} key becomes a note that opens`, async () => {
    const { source, server, paths } = ctLog(kind);
    const opened = openCheckpoint({ note: await source.latest(), logs: [server.log] });
    assert(Array.isArray(opened));
    assertEquals(opened[0]!.treeSize, BigInt(SIZE));
    assertEquals(encodeHex(opened[0]!.rootHash), encodeHex(story.tree.root()));
    assertEquals(paths(), ["get-sth"]);
  });
}

Deno.test("Rfc6962Source: a tree head whose signature is another's does not open", async () => {
  const { source, server } = ctLog();
  const { tree_head_signature } = new CtLog({ signing: treeHeadLog("ecdsa"), story }).head();
  server.instead = () => ({ body: JSON.stringify({ ...server.head(), tree_head_signature }) });
  const opened = openCheckpoint({ note: await source.latest(), logs: [server.log] });
  assert("refused" in opened);
  assertEquals(opened.refused, "bad signature");
});

Deno.test("Rfc6962Source: a tree head that cannot be read is an outage that says why", async () => {
  const { source, server } = ctLog();
  const good = server.head();
  const changed = (change: Record<string, unknown>): string =>
    JSON.stringify({ ...good, ...change });
  const bad: [string, string][] = [
    ["", "expected JSON"],
    ["<html>\u0007</html>", "\\u{7}"],
    ["null", "the tree head is null, expected an object"],
    ["[]", "expected an object"],
    [changed({ tree_size: undefined }), "tree_size is missing"],
    [changed({ tree_size: "70" }), 'tree_size is "70", expected a whole number'],
    [changed({ tree_size: -1 }), "tree_size is -1"],
    [changed({ tree_size: 1.5 }), "tree_size is 1.5"],
    [changed({ tree_size: 2 ** 53 }), "tree_size is 9007199254740992"],
    [changed({ timestamp: null }), "timestamp is null"],
    [changed({ sha256_root_hash: "AAAA" }), "sha256_root_hash has 3 bytes, expected 32"],
    [changed({ sha256_root_hash: "!" }), "base64"],
    [changed({ tree_head_signature: 7 }), "tree_head_signature is 7, expected a text"],
    [changed({ tree_head_signature: "?" }), "base64"],
  ];
  for (const [body, message] of bad) {
    server.instead = () => ({ body });
    const error = await assertRejects(() => source.latest(), SourceUnavailable, message);
    assert(error.message.startsWith("Cannot read https://ct.example/log/ct/v1/get-sth: "));
  }
});

Deno.test("Rfc6962Source: every pair of sizes up to 70 is proven, powers of two too", async () => {
  const { source } = ctLog();
  for (let newer = 2n; newer <= SIZE; newer++) {
    for (let older = 1n; older < newer; older++) {
      const { olderRoot, proof, judged } = await source.consistency({ older, newer });
      const implied = impliedOlderRoot({
        older: { treeSize: older, rootHash: olderRoot },
        newer: { treeSize: newer, rootHash: story.tree.root(newer) },
        proof,
      });
      const wanted = encodeHex(story.tree.root(older));
      assertEquals(implied && encodeHex(implied), wanted, `${older} ${newer}`);
      judged(true);
    }
  }
});

Deno.test("Rfc6962Source: asks as RFC 6962 says, and for more than the proof only from a power of two", async () => {
  const { source, paths } = ctLog();
  await source.consistency({ older: 7n, newer: 9n });
  assertEquals(paths(), ["get-sth-consistency?first=7&second=9"]);
  await source.consistency({ older: 8n, newer: 9n });
  const [first, second] = paths();
  assertEquals(first, "get-sth-consistency?first=8&second=9");
  assert(/^get-proof-by-hash\?hash=[A-Za-z0-9%]+&tree_size=9$/.test(second!), second);
});

Deno.test("Rfc6962Source: a backend that lags, or has no such tree, refuses the proof", async () => {
  const { source, server } = ctLog();
  server.proofsUpTo = 60n;
  await assertRejects(
    () => source.consistency({ older: 5n, newer: 61n }),
    ProofRefused,
    "get-sth-consistency?first=5&second=61: it refuses these sizes",
  );
  server.instead = () => ({ status: 404 });
  await assertRejects(
    () => source.consistency({ older: 5n, newer: 7n }),
    ProofRefused,
    "it is not there",
  );
});

Deno.test("Rfc6962Source: a storm of 4xx and 5xx is an outage, and says when to ask again", async () => {
  for (const status of [403, 418, 429, 500, 502, 503, 504]) {
    const { source, server } = ctLog();
    server.instead = () => ({ status, headers: { "retry-after": "7" } });
    const asks = () => source.consistency({ older: 5n, newer: 7n });
    const error = await assertRejects(asks, SourceUnavailable, `${status}`);
    assertEquals(error.retryAfterMs, status === 429 || status === 503 ? 7000 : undefined);
    await assertRejects(() => source.latest(), SourceUnavailable);
  }
});

Deno.test("Rfc6962Source: an answer that is no such proof is a refusal that says why", async () => {
  const { source, server } = ctLog();
  const bad: [unknown, string][] = [
    ["not JSON at all", "expected JSON"],
    [{}, "consistency is missing"],
    [{ consistency: {} }, "expected a list"],
    [{ consistency: [7] }, "consistency[0] is 7, expected a text"],
    [{ consistency: ["AAAA"] }, "a hash has 3 bytes"],
    [{ consistency: [] }, "0 hashes, expected"],
    [{ consistency: Array(129).fill("A".repeat(43) + "=") }, "hashes, expected"],
    [{ consistency: ["A".repeat(100_000)] }, "longer than"],
  ];
  for (const [value, message] of bad) {
    server.instead = () => ({ body: typeof value === "string" ? value : JSON.stringify(value) });
    await assertRejects(
      () => source.consistency({ older: 5n, newer: 7n }),
      ProofRefused,
      message,
    );
  }
});

Deno.test("Rfc6962Source: an inclusion proof of another leaf, or without a hash, is refused", async () => {
  const { source, server } = ctLog();
  for (
    const [answer, message] of [
      [{ leaf_index: 7, audit_path: ["A".repeat(43) + "="] }, "leaf_index is 7, expected 8"],
      [{ leaf_index: 8, audit_path: [] }, "audit_path is empty"],
      [{ audit_path: [] }, "leaf_index is missing"],
    ] as const
  ) {
    server.instead = (path) =>
      path.includes("by-hash") ? { body: JSON.stringify(answer) } : undefined;
    await assertRejects(() => source.consistency({ older: 8n, newer: 9n }), ProofRefused, message);
  }
});

Deno.test("Rfc6962Source: a key of another type is refused when opened", () => {
  const { fetcher } = ctLog();
  assertThrows(
    () => new Rfc6962Source({ fetcher, log: ecdsaLog().log }),
    MalformedError,
    "has a key of type 0x05, this one's is 0x02",
  );
});
