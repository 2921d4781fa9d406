import { assert, assertEquals, assertRejects } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { encodeHex } from "@std/encoding/hex";
import { utf8 } from "../../src/tlog/encoding.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import { MAX_NOTE_BYTES } from "../../src/tlog/note.ts";
import { impliedOlderRoot } from "../../src/tlog/proof.ts";
import { TILE_BYTES, TILE_WIDTH } from "../../src/tlog/tiles.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { HttpFetcher, UnexpectedStatus } from "../../src/sources/fetcher.ts";
import { ProofRefused, type ServedProof, SourceUnavailable } from "../../src/sources/source.ts";
import { staticCtSource } from "../../src/sources/static_ct.ts";
import { sumdbSource } from "../../src/sources/sumdb.ts";
import { MAX_REMEMBERED_TILES } from "../../src/sources/tile_cache.ts";
import { TileSource } from "../../src/sources/tlog_tiles.ts";
import { type Answer, fakeWorld } from "./fake_http.ts";

/** Leaves of the log served here: three full tiles and a partial one. */
const SIZE = 800n;
const tree = new Tree();
const leaves: Uint8Array[] = Array.from({ length: Number(SIZE) }, (_, i) => leafHash(utf8(`${i}`)));
for (const leaf of leaves) tree.append(leaf);

/** The files of a log of tiles: partial tiles of every width are there, as Tessera keeps them. */
function files(): Map<string, Uint8Array> {
  const all = new Map<string, Uint8Array>([["/checkpoint", utf8("a note")]]);
  const put = (level: number, row: readonly Uint8Array[]): void => {
    for (let size = 1; size <= row.length; size++) {
      const index = Math.floor((size - 1) / TILE_WIDTH);
      const width = size - index * TILE_WIDTH;
      const path = `/tile/${level}/${index.toString().padStart(3, "0")}`;
      const hashes = concat(row.slice(index * TILE_WIDTH, size));
      all.set(width === TILE_WIDTH ? path : `${path}.p/${width}`, hashes);
    }
  };
  put(0, leaves);
  put(1, [256n, 512n, 768n].map((end) => rootOf(Number(end) - TILE_WIDTH, Number(end))));
  return all;
}

function rootOf(start: number, end: number): Uint8Array {
  const part = new Tree();
  for (const leaf of leaves.slice(start, end)) part.append(leaf);
  return part.root();
}

function serving(served: Map<string, Uint8Array>) {
  const { world, requests } = fakeWorld((path) => {
    const body = served.get(path);
    return body && { body };
  });
  const fetcher = new HttpFetcher({ world, prefix: "https://log.example", contact: "x" });
  const asked = (): string[] =>
    requests.splice(0).map(({ url }) => url.replace("https://log.example", ""));
  return { source: new TileSource({ fetcher }), fetcher, asked };
}

type Sizes = { older: bigint; newer: bigint };

function holds({ older, newer }: Sizes, { olderRoot, proof }: ServedProof): boolean {
  const implied = impliedOlderRoot({
    older: { treeSize: older, rootHash: olderRoot },
    newer: { treeSize: newer, rootHash: tree.root(newer) },
    proof,
  });
  return implied !== undefined && encodeHex(implied) === encodeHex(tree.root(older)) &&
    encodeHex(olderRoot) === encodeHex(implied);
}

async function assertProven(source: TileSource, sizes: Sizes): Promise<ServedProof> {
  const served = await source.consistency(sizes);
  assert(holds(sizes, served), `${sizes.older} to ${sizes.newer}`);
  return served;
}

Deno.test("TileSource: latest is the checkpoint, and an absent or huge one an outage", async () => {
  const served = files();
  const { source } = serving(served);
  assertEquals(await source.latest(), utf8("a note"));
  served.set("/checkpoint", new Uint8Array(MAX_NOTE_BYTES));
  assertEquals((await source.latest()).length, MAX_NOTE_BYTES);
  served.set("/checkpoint", new Uint8Array(MAX_NOTE_BYTES + 1));
  await assertRejects(() => source.latest(), SourceUnavailable, "longer than");
  served.delete("/checkpoint");
  await assertRejects(() => source.latest(), SourceUnavailable, "is not there");
});

Deno.test("TileSource: proofs between sizes of one and of several tiles hold", async () => {
  const { source } = serving(files());
  const sizes = [
    1n,
    2n,
    3n,
    128n,
    255n,
    256n,
    257n,
    300n,
    511n,
    512n,
    513n,
    767n,
    768n,
    769n,
    800n,
  ];
  for (const newer of sizes) {
    for (const older of sizes.filter((size) => size < newer)) {
      (await assertProven(source, { older, newer })).judged(true);
    }
  }
});

Deno.test("TileSource: asks for each tile once, as wide as the newer tree has it", async () => {
  const { source, asked } = serving(files());
  await assertProven(source, { older: 300n, newer: 800n });
  assertEquals(asked().sort(), ["/tile/0/001", "/tile/0/003.p/32", "/tile/1/000.p/3"]);
});

Deno.test("TileSource: a partial tile that is gone is read from the start of the full one", async () => {
  const served = files();
  served.delete("/tile/0/001.p/44");
  const { source, asked } = serving(served);
  const proof = await assertProven(source, { older: 290n, newer: 300n });
  assertEquals(asked().sort(), ["/tile/0/001", "/tile/0/001.p/44", "/tile/1/000.p/1"]);
  // Of the full tile only 44 hashes were bound by the proof, so it is not kept.
  proof.judged(true);
  await assertProven(source, { older: 290n, newer: 300n });
  assertEquals(asked().length, 3);
});

Deno.test("TileSource: a tile that is nowhere is a proof refused, and named", async () => {
  const served = files();
  served.delete("/tile/0/001.p/44");
  served.delete("/tile/0/001");
  const { source } = serving(served);
  await assertRejects(
    () => source.consistency({ older: 290n, newer: 300n }),
    ProofRefused,
    "no tile at https://log.example/tile/0/001.p/44",
  );
  await assertRejects(
    () => source.consistency({ older: 290n, newer: 800n }),
    ProofRefused,
    "no tile at https://log.example/tile/0/001",
  );
});

/** A proof that needs a partial tile, from a log that answers as an object store with these files. */
async function fromStore(served: Map<string, Uint8Array>, full?: Answer): Promise<ServedProof> {
  const { world } = fakeWorld((path) => {
    if (path === "/tile/0/001" && full !== undefined) return full;
    const body = served.get(path);
    return body === undefined ? { status: 403 } : { body };
  });
  const fetcher = new HttpFetcher({ world, prefix: "https://log.example", contact: "x" });
  return await new TileSource({ fetcher }).consistency({ older: 290n, newer: 300n });
}

Deno.test("TileSource: a partial tile that is forbidden is read from the full one, as one that is gone", async () => {
  const served = files();
  served.delete("/tile/0/001.p/44");
  assert(holds({ older: 290n, newer: 300n }, await fromStore(served)));
  // The hashes decide, not the status.
  const wrong = { body: served.get("/tile/0/001")!.toReversed() };
  assert(!holds({ older: 290n, newer: 300n }, await fromStore(served, wrong)));
});

Deno.test("TileSource: a tile that is forbidden, and not to be had whole, is an outage", async () => {
  const served = files();
  served.delete("/tile/0/001.p/44");
  // A store that forbids everything for a while must not look like a log that withholds.
  for (const status of [403, 404]) {
    const error = await assertRejects(() => fromStore(served, { status }), UnexpectedStatus);
    assertEquals(error.status, 403);
  }
});

Deno.test("TileSource: a tile of a wrong length is a proof refused, full or partial", async () => {
  const cases: [string, number, number][] = [
    ["/tile/0/001", TILE_BYTES, 800],
    ["/tile/0/003.p/32", 32 * 32, 800],
    ["/tile/0/001.p/44", 44 * 32, 300],
  ];
  for (const [path, bytes, newer] of cases) {
    for (const length of [0, 1, bytes - 32, bytes - 1, bytes + 1, bytes + 32, 2 * bytes]) {
      const served = files();
      served.set(path, new Uint8Array(length));
      // Where the full tile is there, the partial one is read from it.
      if (newer === 300) served.delete("/tile/0/001");
      const error = await assertRejects(
        () => serving(served).source.consistency({ older: 290n, newer: BigInt(newer) }),
        ProofRefused,
        `${path} has ${length <= bytes ? length : "more"}`,
      );
      assert(error.message.endsWith(`expected ${bytes} bytes`), error.message);
    }
  }
});

Deno.test("TileSource: a partial tile that is wrong or forbidden is read from the start of the full one", async () => {
  const answers: Answer[] = [{ body: "" }, { body: new Uint8Array(44 * 32 - 1) }, { status: 403 }];
  for (const answer of [...answers, { body: new Uint8Array(44 * 32 + 1) }]) {
    const served = files();
    const { world } = fakeWorld((path) => {
      const body = served.get(path);
      return path === "/tile/0/001.p/44" ? answer : body && { body };
    });
    const fetcher = new HttpFetcher({ world, prefix: "https://log.example", contact: "x" });
    const source = new TileSource({ fetcher });
    await assertProven(source, { older: 290n, newer: 300n });
    served.delete("/tile/0/001");
    // Everything may be forbidden for a while: that is no log which refuses.
    const wanted = answer.status === 403 ? SourceUnavailable : ProofRefused;
    await assertRejects(() => source.consistency({ older: 290n, newer: 300n }), wanted);
  }
});

Deno.test("TileSource: a full tile that is forbidden is an outage", async () => {
  const { world } = fakeWorld(() => ({ status: 403 }));
  const fetcher = new HttpFetcher({ world, prefix: "https://log.example", contact: "x" });
  const source = new TileSource({ fetcher });
  for (const newer of [300n, 800n]) {
    await assertRejects(() => source.consistency({ older: 290n, newer }), SourceUnavailable, "403");
  }
});

Deno.test("TileSource: what a proof that could not be finished has got is asked for no more", async () => {
  const served = files();
  let broken = "/tile/1/000.p/3";
  const paths: string[] = [];
  const { world } = fakeWorld((path) => {
    paths.push(path);
    const body = served.get(path);
    return path === broken ? { status: 502 } : body && { body };
  });
  const fetcher = new HttpFetcher({ world, prefix: "https://log.example", contact: "x" });
  const source = new TileSource({ fetcher });
  const sizes = { older: 300n, newer: 800n };
  await assertRejects(() => source.consistency(sizes), SourceUnavailable, "502");
  const before = new Set(paths.splice(0));
  broken = "";
  const proof = await assertProven(source, sizes);
  assertEquals(paths.filter((path) => before.has(path)), ["/tile/1/000.p/3"]);
  proof.judged(false);
  paths.length = 0;
  await assertProven(source, sizes);
  assertEquals(paths.length, 3, "and what led to no root is forgotten");
});

Deno.test("TileSource: an outage in the middle of a proof is an outage", async () => {
  const { world } = fakeWorld((path) => path.startsWith("/tile/1") ? undefined : { status: 502 });
  const fetcher = new HttpFetcher({ world, prefix: "https://log.example", contact: "x" });
  const source = new TileSource({ fetcher });
  await assertRejects(
    () => source.consistency({ older: 1n, newer: 3n }),
    SourceUnavailable,
    "HTTP status 502",
  );
});

Deno.test("TileSource: full tiles of a proof that held are not asked for again", async () => {
  const { source, asked } = serving(files());
  const sizes = { older: 300n, newer: 800n };
  const first = await assertProven(source, sizes);
  asked();
  await assertProven(source, sizes);
  assertEquals(asked().length, 3, "not settled, so not kept");
  first.judged(true);
  await assertProven(source, sizes);
  assertEquals(asked().sort(), ["/tile/0/003.p/32", "/tile/1/000.p/3"]);
  // The start of a full tile serves for a partial one as well.
  await assertProven(source, { older: 290n, newer: 300n });
  assertEquals(asked(), ["/tile/1/000.p/1"]);
});

Deno.test("TileSource: a bad tile is asked for again once a proof from it failed", async () => {
  const served = files();
  const good = served.get("/tile/0/001")!;
  const { source } = serving(served);
  served.set("/tile/0/001", new Uint8Array(good.length));
  const sizes = { older: 300n, newer: 800n };
  const failed = await source.consistency(sizes);
  assert(!holds(sizes, failed));
  failed.judged(false);
  served.set("/tile/0/001", good);
  await assertProven(source, sizes);
});

Deno.test("TileSource: what was remembered is forgotten when a proof from it fails", async () => {
  const { source, asked } = serving(files());
  const sizes = { older: 300n, newer: 800n };
  (await assertProven(source, sizes)).judged(true);
  // A caller may also say so of a proof for which only the start of a full tile was used.
  (await source.consistency({ older: 290n, newer: 300n })).judged(false);
  asked();
  await assertProven(source, sizes);
  assertEquals(asked().includes("/tile/0/001"), true);
});

Deno.test("TileSource: remembers so many tiles and no more, the last used longest", async () => {
  // All leaves alike, so that every full tile is the same and its root known.
  const one = leafHash(utf8("alike"));
  const full = concat(Array.from({ length: TILE_WIDTH }, () => one));
  const count = MAX_REMEMBERED_TILES + 1;
  const { world, requests } = fakeWorld((path, { maxBytes }) => {
    if (path.startsWith("/tile/0")) return { body: full.subarray(0, maxBytes) };
    return { body: new Uint8Array(maxBytes) };
  });
  const fetcher = new HttpFetcher({ world, prefix: "https://log.example", contact: "x" });
  const source = new TileSource({ fetcher });
  const newer = BigInt(count * TILE_WIDTH);
  const use = async (index: number): Promise<number> => {
    requests.length = 0;
    const older = BigInt(index * TILE_WIDTH + 5);
    (await source.consistency({ older, newer })).judged(true);
    return requests.filter(({ url }) => url.includes("/tile/0/")).length;
  };
  for (let index = 0; index < count - 1; index++) assertEquals(await use(index), 1);
  assertEquals(await use(0), 0, "all are remembered, and this one used last");
  assertEquals(await use(count - 1), 1, "one too many: the second gives way");
  assertEquals(await use(0), 0);
  assertEquals(await use(1), 1);
});

Deno.test("TileSource: sizes that have no proof are a bug of the caller", async () => {
  const { source } = serving(files());
  await assertRejects(() => source.consistency({ older: 5n, newer: 5n }), RangeError);
  await assertRejects(() => source.consistency({ older: 0n, newer: 5n }), RangeError);
});

Deno.test("sumdbSource: asks for latest, and for tiles with their height", async () => {
  const served = new Map(
    [...files()].map(([path, body]) => [path.replace("/tile/", "/tile/8/"), body]),
  );
  served.set("/latest", utf8("a signed note"));
  const { fetcher, asked } = serving(served);
  const source = sumdbSource(fetcher);
  assertEquals(await source.latest(), utf8("a signed note"));
  const sizes = { older: 300n, newer: 800n };
  assert(holds(sizes, await source.consistency(sizes)));
  const paths = asked();
  assertEquals(paths.shift(), "/latest");
  assertEquals(paths.sort(), ["/tile/8/0/001", "/tile/8/0/003.p/32", "/tile/8/1/000.p/3"]);
});

Deno.test("staticCtSource: is served as tlog-tiles are", async () => {
  const { fetcher, asked } = serving(files());
  const source = staticCtSource(fetcher);
  assertEquals(await source.latest(), utf8("a note"));
  const sizes = { older: 300n, newer: 800n };
  assert(holds(sizes, await source.consistency(sizes)));
  assertEquals(asked()[0], "/checkpoint");
});
