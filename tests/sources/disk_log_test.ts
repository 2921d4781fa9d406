/** The log on disk: what a reader of its tiles finds, at every size and after every fault. */
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { DiskLog, testOrigin } from "../../src/sources/disk_log.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import type { Log } from "../../src/tlog/log.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { readFully } from "../../src/world/reading.ts";
import { type Files, type World, WorldError } from "../../src/world/world.ts";
import { type Fault, MemoryDisk } from "../store/memory_disk.ts";

const ORIGIN = "test.invalid/disk";

function worldOn(disk: MemoryDisk): World {
  return { ...denoWorld(), files: disk.files };
}

function* entries(first: number, end: number, story = ""): Generator<Uint8Array> {
  for (let i = first; i < end; i++) yield utf8(`entry ${i}${story}`);
}

async function content(files: Files, path: string): Promise<Uint8Array> {
  const file = await files.open(path, "read");
  try {
    const bytes = new Uint8Array(await file.size());
    await readFully(file, bytes, 0);
    return bytes;
  } finally {
    file.close();
  }
}

async function checkpointOf(files: Files, folder: string, log: Log): Promise<VerifiedCheckpoint> {
  const opened = openCheckpoint({
    note: await content(files, `${folder}/checkpoint`),
    logs: [log],
  });
  if ("refused" in opened) throw new Error(opened.detail);
  return opened[0]!;
}

/** A history as C2SP tlog-tiles cuts it up, put together without the code under test. */
class Reference {
  readonly tree = new Tree();
  readonly #bundles: Uint8Array[];
  // Level by level: the hashes of all full subtrees over 256^level leaves.
  readonly #levels: Uint8Array[][];

  constructor(all: Iterable<Uint8Array>) {
    const list = [...all];
    this.#bundles = list.map((entry) =>
      Uint8Array.of(entry.length >> 8, entry.length & 0xff, ...entry)
    );
    this.#levels = [list.map(leafHash)];
    this.#levels[0]!.forEach((hash) => this.tree.append(hash));
    for (let below = this.#levels[0]!; below.length >= 256;) {
      const row: Uint8Array[] = [];
      for (let at = 0; at + 256 <= below.length; at += 256) {
        const part = new Tree();
        below.slice(at, at + 256).forEach((hash) => part.append(hash));
        row.push(part.root());
      }
      this.#levels.push(below = row);
    }
  }

  /** Paths and contents of all tiles of a tree of this size. */
  *tiles(size: number): Generator<[string, Uint8Array]> {
    yield* tilesOf("entries", this.#bundles.slice(0, size));
    let count = size;
    for (let level = 0; count > 0; level++, count = Math.floor(count / 256)) {
      yield* tilesOf(`${level}`, this.#levels[level]!.slice(0, count));
    }
  }
}

/** N in groups of three digits, all but the last behind an x. */
function* tilesOf(level: string, parts: Uint8Array[]): Generator<[string, Uint8Array]> {
  for (let n = 0; n * 256 < parts.length; n++) {
    const part = parts.slice(n * 256, n * 256 + 256);
    const last = `${n % 1000}`.padStart(3, "0");
    const path = n < 1000 ? last : `x${`${Math.floor(n / 1000)}`.padStart(3, "0")}/${last}`;
    const suffix = part.length < 256 ? `.p/${part.length}` : "";
    yield [`tile/${level}/${path}${suffix}`, concat(part)];
  }
}

/** Reads every tile that a reader of this size needs. */
async function assertTiles(
  { files, folder, reference, size }: {
    files: Files;
    folder: string;
    reference: Reference;
    size: number;
  },
): Promise<void> {
  for (const [path, wanted] of reference.tiles(size)) {
    const found = await content(files, `${folder}/${path}`);
    assert(equals(found, wanted), `${path} of size ${size}`);
  }
}

Deno.test("disk log: its tiles give the root of every size up to 600, grown one by one", async () => {
  const disk = new MemoryDisk();
  const [world, reference] = [worldOn(disk), new Reference(entries(0, 600))];
  const log = await DiskLog.create({ world, folder: "log", origin: ORIGIN });
  for (let size = 0; size <= 600; size++) {
    const checkpoint = await checkpointOf(disk.files, "log", log.log);
    assertEquals(checkpoint.treeSize, BigInt(size));
    assertEquals(checkpoint.rootHash, reference.tree.root(BigInt(size)));
    if (size < 600) await log.append(entries(size, size + 1));
  }
  // Every partial tile stays, so the tiles of every size can be read at the end.
  for (let size = 0; size <= 600; size++) {
    await assertTiles({ files: disk.files, folder: "log", reference, size });
  }
});

Deno.test("disk log: every level up to three, and appends across reopening", async () => {
  const disk = new MemoryDisk();
  const world = worldOn(disk);
  (await DiskLog.create({ world, folder: "log", origin: ORIGIN })).close();
  const sizes = [1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 65_793, 65_794];
  const reference = new Reference(entries(0, sizes.at(-1)!));
  let before = 0;
  for (const size of sizes) {
    const log = await DiskLog.open({ world, folder: "log" });
    assertEquals(log.treeSize, BigInt(before));
    await log.append(entries(before, size));
    log.close();
    assertEquals(
      (await checkpointOf(disk.files, "log", log.log)).rootHash,
      reference.tree.root(BigInt(size)),
    );
    await assertTiles({ files: disk.files, folder: "log", reference, size });
    before = size;
  }
});

Deno.test("disk log: whatever fails and whenever power is lost, the checkpoint has its tiles", async () => {
  const kept = new Reference(entries(0, 700));
  const grown = new Reference([...entries(0, 200), ...entries(200, 600, " lost")]);
  let faults = 0;
  for (const when of ["before", "after"] as const) {
    for (const lasting of [false, true]) {
      for (let at = 1;; at++) {
        if (!await survives({ fault: { at, when, lasting }, kept, grown })) break;
        faults++;
      }
    }
  }
  assert(faults > 100, `${faults} faults`);
});

/** One fault in an append, a loss of power, another append; whether there was such an operation. */
async function survives(
  { fault, kept, grown }: { fault: Fault; kept: Reference; grown: Reference },
): Promise<boolean> {
  const disk = new MemoryDisk();
  const world = worldOn(disk);
  const { files } = disk;
  const log = await DiskLog.create({ world, folder: "log", origin: ORIGIN });
  await log.append(entries(0, 200));
  disk.fail(fault);
  const failed = await log.append(entries(200, 600, " lost")).then(() => false, (error) => {
    assert(error instanceof WorldError);
    return true;
  });
  const operations = disk.operations;
  disk.crash({ keepShare: fault.at % 2 });
  const again = await DiskLog.open({ world, folder: "log" });
  // The fault may have come after the new checkpoint was in place.
  if (again.treeSize === 600n) {
    await assertTiles({ files, folder: "log", reference: grown, size: 600 });
    return operations >= fault.at;
  }
  assert(failed);
  assertEquals(again.treeSize, 200n);
  await assertTiles({ files, folder: "log", reference: kept, size: 200 });
  // What the lost append left there gives way to entries that differ from it.
  await again.append(entries(200, 700));
  await assertTiles({ files, folder: "log", reference: kept, size: 700 });
  return operations >= fault.at;
}

Deno.test("disk log: a fork is equal up to then and grows apart under the same key", async () => {
  const disk = new MemoryDisk();
  const world = worldOn(disk);
  const one = await DiskLog.create({ world, folder: "one", origin: ORIGIN });
  await one.append(entries(0, 280));
  await one.append(entries(280, 300));
  await one.fork("two");
  const two = await DiskLog.open({ world, folder: "two" });
  assertEquals(two.log.id, one.log.id);
  assertEquals(disk.content("two/checkpoint"), disk.content("one/checkpoint"));
  assertEquals(disk.permissions("two/log.key"), 0o600);
  // What readers of an earlier checkpoint may ask for is there as well.
  const reference = new Reference(entries(0, 400));
  for (const size of [280, 300]) {
    await assertTiles({ files: disk.files, folder: "two", reference, size });
  }
  await one.append(entries(300, 400));
  await two.append(entries(300, 400, " other"));
  const [a, b] = [
    await checkpointOf(disk.files, "one", one.log),
    await checkpointOf(disk.files, "two", one.log),
  ];
  assertEquals([a.treeSize, b.treeSize], [400n, 400n]);
  assertNotEquals(a.root, b.root);
  await assertTiles({ files: disk.files, folder: "one", reference, size: 400 });
  await assertRejects(() => one.fork("two"), MalformedError, "there is a log in");
  await assertRejects(() => one.fork("one"), MalformedError, "there is a log in");
});

Deno.test("disk log: a fork that was cut off is not taken for a log", async () => {
  const disk = new MemoryDisk();
  const world = worldOn(disk);
  const one = await DiskLog.create({ world, folder: "one", origin: ORIGIN });
  await one.append(entries(0, 3));
  disk.fail({ at: 20, when: "before", lasting: true });
  await assertRejects(() => one.fork("two"), WorldError);
  disk.fail(undefined);
  await assertRejects(
    () => DiskLog.open({ world, folder: "two" }),
    MalformedError,
    "a key and no checkpoint",
  );
});

/** A world in which each folder that is synced is noted, and when the first file is created. */
function watched(disk: MemoryDisk): { world: World; steps: string[] } {
  const steps: string[] = [];
  const { files } = disk;
  const world: World = {
    ...worldOn(disk),
    files: {
      ...files,
      makeFolder: (path) => (steps.push(`make ${path}`), files.makeFolder(path)),
      create: (path, permissions) => (steps.push("create"), files.create(path, permissions)),
      syncFolder: (path) => (steps.push(path), files.syncFolder(path)),
    },
  };
  return { world, steps };
}

Deno.test("disk log: every folder above a new one is durable before the key is in it", async () => {
  const disk = new MemoryDisk();
  const { world, steps } = watched(disk);
  const wanted = ["make new/nested/log", ".", "new", "new/nested", "create"];
  const log = await DiskLog.create({ world, folder: "new/nested/log", origin: ORIGIN });
  assertEquals(steps.slice(0, wanted.length), wanted);
  steps.length = 0;
  await log.fork("other/nested/log");
  assertEquals(
    steps.slice(0, wanted.length),
    wanted.map((step) => step.replace("new", "other")),
  );
  log.close();
});

Deno.test("disk log: a folder with a checkpoint is somebody's log, and nothing is made there", async () => {
  const disk = new MemoryDisk();
  const world = worldOn(disk);
  const one = await DiskLog.create({ world, folder: "one", origin: ORIGIN });
  disk.put("mirror/checkpoint", "somebody else's");
  const { world: looking, steps } = watched(disk);
  const create = () => DiskLog.create({ world: looking, folder: "mirror", origin: ORIGIN });
  await assertRejects(create, MalformedError, 'there is a log in "mirror"');
  assertEquals(steps, []);
  await assertRejects(() => one.fork("mirror"), MalformedError, 'there is a log in "mirror"');
  assertEquals(disk.paths().filter((path) => path.startsWith("mirror")), ["mirror/checkpoint"]);
  assertEquals(disk.content("mirror/checkpoint"), "somebody else's");
  one.close();
});

Deno.test("disk log: a key without a checkpoint is a log cut off, unless it is being made", async () => {
  const disk = new MemoryDisk();
  const world = worldOn(disk);
  const one = await DiskLog.create({ world, folder: "one", origin: ORIGIN });
  const create = () => DiskLog.create({ world, folder: "two", origin: ORIGIN });
  disk.put("two/log.key", disk.content("one/log.key")!);
  const cutOff = "making or copying this log was cut off. Remove the folder and do it again";
  await assertRejects(create, MalformedError, cutOff);
  await assertRejects(() => one.fork("two"), MalformedError, cutOff);
  const maker = await disk.files.open("two/log.key", "read");
  await maker.tryLock();
  await assertRejects(create, WorldError, "another process is changing the log");
  assertEquals(disk.paths().filter((path) => path.startsWith("two")), ["two/log.key"]);
  maker.close();
  one.close();
});

Deno.test("disk log: a fork is held until it is a log", async () => {
  const disk = new MemoryDisk();
  const { files } = disk;
  const open = () => DiskLog.open({ world: worldOn(disk), folder: "two" });
  let looks = 0;
  const world: World = {
    ...worldOn(disk),
    files: {
      ...files,
      rename: async (names) => {
        if (names.to === "two/checkpoint") {
          await assertRejects(open, WorldError, "another process is changing the log");
          looks++;
        }
        await files.rename(names);
      },
    },
  };
  const one = await DiskLog.create({ world, folder: "one", origin: ORIGIN });
  await one.fork("two");
  assertEquals(looks, 1);
  (await open()).close();
  one.close();
});

Deno.test("disk log: a key that cannot be read is named, with what to do about it", async () => {
  const disk = new MemoryDisk();
  const world = worldOn(disk);
  (await DiskLog.create({ world, folder: "log", origin: ORIGIN })).close();
  const [key, checkpoint] = [disk.content("log/log.key")!, disk.content("log/checkpoint")!];
  const told = async (): Promise<string> => {
    const open = () => DiskLog.open({ world, folder: "log" });
    return (await assertRejects(open, MalformedError)).message;
  };
  for (const half of [key.slice(0, 20), ""]) {
    disk.put("log/log.key", half);
    assertEquals(
      await told(),
      '"log/log.key": Cannot read private key: expected one line PRIVATE+KEY+NAME+8 HEX DIGITS+' +
        "BASE64; put a copy of the key in its place; without the key this log cannot be changed",
    );
    await disk.files.remove("log/checkpoint");
    const message = await told();
    assert(message.startsWith('"log/log.key": Cannot read private key: '), message);
    assert(message.endsWith("was cut off. Remove the folder and do it again"), message);
    disk.put("log/checkpoint", checkpoint);
  }
});

Deno.test("disk log: a disk that is full leaves no half key, and a second try succeeds", async () => {
  const disk = new MemoryDisk();
  const { files } = disk;
  let full = true;
  const world: World = {
    ...worldOn(disk),
    files: {
      ...files,
      create: async (path, permissions) => {
        const file = await files.create(path, permissions);
        const no = () => Promise.reject(new WorldError("other", "No space left"));
        return full ? { ...file, write: no } : file;
      },
    },
  };
  const create = () => DiskLog.create({ world, folder: "log", origin: ORIGIN });
  await assertRejects(create, WorldError, "No space left");
  assertEquals(disk.paths(), []);
  full = false;
  (await create()).close();
  (await DiskLog.open({ world, folder: "log" })).close();
});

Deno.test("disk log: one process at a time, and only where there is a sound log", async () => {
  const disk = new MemoryDisk();
  const world = worldOn(disk);
  const open = () => DiskLog.open({ world, folder: "log" });
  await assertRejects(open, MalformedError, "there is no log in");
  const log = await DiskLog.create({ world, folder: "log", origin: ORIGIN });
  await assertRejects(
    () => DiskLog.create({ world, folder: "log", origin: ORIGIN }),
    MalformedError,
    "there is a log in",
  );
  await log.append(entries(0, 3));
  await assertRejects(open, WorldError, "another process is changing the log");
  log.close();
  const tile = disk.content("log/tile/0/000.p/3")!;
  disk.put("log/tile/0/000.p/3", tile.slice(0, -1));
  await assertRejects(open, MalformedError, "does not hold 3 whole entries or hashes");
  disk.put("log/tile/0/000.p/3", "x".repeat(96));
  await assertRejects(open, MalformedError, "are not those of its checkpoint");
  disk.put("log/checkpoint", "nothing\n");
  await assertRejects(open, MalformedError, "is not a log of ours");
});

Deno.test("disk log: an entry of 65,535 bytes is the longest, and one too long adds nothing", async () => {
  const disk = new MemoryDisk();
  const log = await DiskLog.create({ world: worldOn(disk), folder: "log", origin: ORIGIN });
  await log.append([new Uint8Array(0), new Uint8Array(65_535)]);
  await assertRejects(
    () => log.append([...entries(0, 500), new Uint8Array(65_536)]),
    MalformedError,
    "expected at most 65535",
  );
  assertEquals(log.treeSize, 2n);
  assertEquals((await checkpointOf(disk.files, "log", log.log)).treeSize, 2n);
});

Deno.test("testOrigin: a name says that it is a test log's, or is made to", () => {
  for (const name of ["test", "test.example.com/log", "example.com/Test-log", "my-testlog"]) {
    assertEquals(testOrigin(name), name);
  }
  for (const name of ["example.com/log", "latest.example", "attestations.example"]) {
    assertEquals(testOrigin(name), `test/${name}`);
  }
});
