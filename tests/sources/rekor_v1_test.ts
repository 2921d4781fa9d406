import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { HttpFetcher } from "../../src/sources/fetcher.ts";
import { RekorV1Source } from "../../src/sources/rekor_v1.ts";
import { ProofRefused, SourceUnavailable } from "../../src/sources/source.ts";
import { openCheckpoint } from "../../src/tlog/checkpoint.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { impliedOlderRoot } from "../../src/tlog/proof.ts";
import type { Log } from "../../src/tlog/log.ts";
import { ecdsaLog } from "../tlog/log_signers.ts";
import { fakeWorld } from "./fake_http.ts";
import { Rekor, Story } from "./proof_servers.ts";

const SIZE = 40;
const signing = ecdsaLog();

function rekor() {
  const server = new Rekor(signing);
  const { world, requests } = fakeWorld(server.answer);
  const fetcher = new HttpFetcher({ world, prefix: "https://rekor.example", contact: "x" });
  const follow = (log: Log) => new RekorV1Source({ fetcher, log });
  const paths = () => requests.splice(0).map(({ url }) => url.replace(/^.*\/api\/v1\//, ""));
  return { server, follow, fetcher, paths };
}

async function sizeOf(source: RekorV1Source, log: Log): Promise<bigint> {
  const opened = openCheckpoint({ note: await source.latest(), logs: [log] });
  assert(Array.isArray(opened));
  return opened[0]!.treeSize;
}

Deno.test("RekorV1Source: each tree is a log of its own, before and after a new one begins", async () => {
  const { server, follow, paths } = rekor();
  const first = server.begin(new Story().grow(7));
  const source = follow(first);
  assertEquals([await sizeOf(source, first), source.isRetired], [7n, false]);
  const second = server.begin(new Story().grow(3, "second"));
  assertEquals([await sizeOf(source, first), source.isRetired], [7n, true]);
  const other = follow(second);
  assertEquals([await sizeOf(other, second), other.isRetired], [3n, false]);
  assertEquals(paths(), ["log", "log", "log"]);
});

Deno.test("RekorV1Source: every pair of sizes is proven while the tree grows", async () => {
  const { server, follow } = rekor();
  server.begin(new Story().grow(5, "retired"));
  const story = new Story();
  const log = server.begin(story);
  const source = follow(log);
  // Rekor proves a power of two only once its tree is larger than both sizes.
  for (let newer = 2; newer <= SIZE; newer++) {
    story.grow(newer + 1);
    await source.latest();
    for (let older = 1n; older < newer; older++) {
      const { olderRoot, proof } = await source.consistency({ older, newer: BigInt(newer) });
      const implied = impliedOlderRoot({
        older: { treeSize: older, rootHash: olderRoot },
        newer: { treeSize: BigInt(newer), rootHash: story.tree.root(BigInt(newer)) },
        proof,
      });
      const wanted = encodeHex(story.tree.root(older));
      assertEquals(implied && encodeHex(implied), wanted, `${older} ${newer}`);
    }
  }
});

Deno.test("RekorV1Source: a power of two and one more waits for the next entry, as an outage", async () => {
  const { server, follow } = rekor();
  const story = new Story().grow(9);
  const source = follow(server.begin(story));
  await source.latest();
  const ask = () => source.consistency({ older: 8n, newer: 9n });
  await assertRejects(ask, SourceUnavailable, "before the tree is larger");
  story.grow(10);
  await source.latest();
  assertEquals(encodeHex((await ask()).olderRoot), encodeHex(story.tree.root(8n)));
});

Deno.test("RekorV1Source: an answer about the log that cannot be read is an outage that says why", async () => {
  const { server, follow } = rekor();
  const log = server.begin(new Story().grow(3));
  const source = follow(log);
  const tree = { treeID: server.trees[0]!.id, treeSize: 3, signedTreeHead: "x" };
  const bad: [unknown, string][] = [
    ["<html>", "expected JSON"],
    [{}, "treeID is missing"],
    [{ ...tree, treeSize: "3" }, 'treeSize is "3"'],
    [{ ...tree, treeID: 7 }, "treeID is 7, expected a text"],
    [{ ...tree, signedTreeHead: null }, "signedTreeHead is null"],
    [{ ...tree, treeID: "7" }, 'is not there, only "7"'],
    [{ ...tree, inactiveShards: 7 }, "inactiveShards is 7"],
    [{ ...tree, inactiveShards: [{ ...tree, treeID: 3 }] }, "inactiveShards[0].treeID is 3"],
  ];
  for (const [value, message] of bad) {
    server.instead = () => ({ body: typeof value === "string" ? value : JSON.stringify(value) });
    const error = await assertRejects(() => source.latest(), SourceUnavailable, message);
    assert(error.message.startsWith("Cannot read https://rekor.example/api/v1/log: "));
  }
});

Deno.test("RekorV1Source: an answer that is no such proof is a refusal, a storm is an outage", async () => {
  const { server, follow } = rekor();
  const source = follow(server.begin(new Story().grow(9)));
  const ask = () => source.consistency({ older: 5n, newer: 7n });
  const bad: [unknown, string][] = [
    [{}, "hashes is missing"],
    [{ hashes: [] }, "0 hashes, expected"],
    [{ hashes: ["AB".repeat(32)] }, "hex digits"],
    [{ hashes: ["ab"] }, "hex digits"],
    [{ hashes: ["ab".repeat(100_000)] }, "longer than"],
  ];
  for (const [value, message] of bad) {
    server.instead = () => ({ body: JSON.stringify(value) });
    await assertRejects(ask, ProofRefused, message);
  }
  server.instead = () => ({ status: 400 });
  await assertRejects(ask, ProofRefused, "it refuses these sizes");
  server.instead = () => ({ status: 502 });
  await assertRejects(ask, SourceUnavailable, "502");
});

Deno.test("RekorV1Source: an origin that names no tree is refused when opened", () => {
  const { fetcher } = rekor();
  assertThrows(
    () => new RekorV1Source({ fetcher, log: signing.log }),
    MalformedError,
    "expected NAME - TREE ID",
  );
});
