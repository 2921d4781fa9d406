/**
 * Every durable path, with every disk operation in it failing in turn. Each fails before and after its
 * effect, once and from then on. Then the program is started again, or the power goes first and takes
 * all, half or nothing of what was not synced.
 *
 * These paths are tested elsewhere: appending to a journal in `store/journal_test.ts`; writing,
 * rotating and removing observations in `store/observation_faults_test.ts`; replacing one file in
 * `world/durable_test.ts`; the daemon, with both journals, in `monitor/crash_test.ts`. The index of
 * the observations is derived and SQLite's; `store/observation_index_test.ts` has a test that loses
 * it.
 */
import { assert, assertEquals, AssertionError, assertRejects } from "@std/assert";
import { join } from "@std/path/join";
import { OFFERED_LOGS } from "../../src/cli/known_logs.ts";
import { readKey } from "../../src/cli/inputs.ts";
import { readSettings } from "../../src/cli/run.ts";
import type { JsonObject } from "../../src/evidence/json.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import { DiskLog } from "../../src/sources/disk_log.ts";
import { DurabilityLost } from "../../src/world/durable.ts";
import { IncidentJournal, isCase, readIncidents, recordOf } from "../../src/store/incidents.ts";
import { checkObservations, ObservationJournal } from "../../src/store/observations.ts";
import { segmentName } from "../../src/store/segments.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { formatLog } from "../../src/tlog/log.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { type World, WorldError } from "../../src/world/world.ts";
import { noteLine, type Ran, start } from "../cli/harness.ts";
import { grow, newLog } from "../evidence/histories.ts";
import { type Fault, MemoryDisk } from "../store/memory_disk.ts";
import {
  answersOf,
  AT,
  FOLDER,
  MemoryDatabases,
  modelAnswers,
  observation,
  worldOn,
  writtenOn,
} from "../store/observing.ts";

/** A path: something that writes, or reads, what must be durable. */
interface DurablePath {
  /** The least number of operations of this path. A test that found fewer has missed some. */
  readonly atLeast: number;
  /** Puts on a new disk what is there before the path begins. */
  readonly before?: (disk: MemoryDisk) => Promise<unknown>;
  /** The files there before that the path may change; none if left out. */
  readonly changes?: (path: string) => boolean;
  /** Does the work. A refusal of the disk is no error. @returns what was acknowledged */
  readonly run: (disk: MemoryDisk) => Promise<readonly string[]>;
  /** Starts again on a working disk and asserts that what was acknowledged is there, undamaged. */
  readonly check: (disk: MemoryDisk, acknowledged: readonly string[]) => Promise<void>;
  /** How many times a fault and an ending come before the check; once by default. */
  readonly rounds?: number;
  /** Whether the path takes long. Then each fault is followed by one of the endings, in turns. */
  readonly isSlow?: boolean;
}

/** What happens between a fault and the next start. A number is what a loss of power keeps. */
type Ending = "a restart" | 0 | 0.5 | 1;
const ENDINGS: readonly Ending[] = ["a restart", 0, 0.5, 1];

const WAYS = (["before", "after"] as const).flatMap((when) =>
  [false, true].map((lasting) => ({ when, lasting }))
);
/** No path has so many operations. A test that comes here would never end. */
const TOO_MANY = 200;

/** Walks a path as the head of this file says, until it is done before it comes to the fault. */
async function everyFault(path: DurablePath): Promise<void> {
  for (const [way, { when, lasting }] of WAYS.entries()) {
    for (const turn of path.isSlow ? [way] : ENDINGS.keys()) {
      let at = 1;
      const ending = (): Ending => ENDINGS[(turn + at) % ENDINGS.length]!;
      while (await survives(path, { fault: { at, when, lasting }, ending: ending() })) at++;
      assert(at > path.atLeast, `only ${at - 1} operations, expected at least ${path.atLeast}`);
    }
  }
}

/** Tests one fault with one ending. @returns whether there was such an operation */
async function survives(
  path: DurablePath,
  { fault, ending }: { fault: Fault; ending: Ending },
): Promise<boolean> {
  assert(fault.at < TOO_MANY, "the path comes to no end");
  try {
    const disk = new MemoryDisk();
    await path.before?.(disk);
    const kept = disk.paths().filter((name) => path.changes?.(name) !== true)
      .map((name) => [name, disk.content(name)] as const);
    const acknowledged: string[] = [];
    let hit = false;
    for (let round = 0; round < (path.rounds ?? 1); round++) {
      disk.fail(fault);
      acknowledged.push(...await path.run(disk));
      if (disk.operations >= fault.at) hit = true;
      expectKeysPrivate(disk);
      // Killed or ended, a program lets go of its locks; here it has to close its files itself.
      disk.fail(undefined);
      if (ending !== "a restart") disk.crash({ keepShare: ending });
    }
    if (!hit) assert(acknowledged.length > 0, "nothing failed, and nothing was acknowledged");
    await path.check(disk, acknowledged);
    expectKeysPrivate(disk);
    for (const [name, content] of kept) assertEquals(disk.content(name), content, name);
    return hit;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const power = ending === "a restart" ? ending : `a loss of power that keeps ${ending}`;
    const how = `operation ${fault.at} fails ${fault.when} its effect, ${
      fault.lasting ? "and all later ones" : "once"
    }, then ${power}`;
    throw new AssertionError(`${how}: ${error.message}`, { cause: error });
  }
}

/** A file that holds a private key, or the start of one, is readable by its owner alone. */
function expectKeysPrivate(disk: MemoryDisk): void {
  for (const path of disk.paths()) {
    if (!disk.content(path)!.includes("PRIVATE+KEY")) continue;
    assertEquals(disk.permissions(path), 0o600, `${path} holds a private key`);
  }
}

/** Names a test by what must hold along the path. */
function walk(name: string, path: DurablePath): void {
  Deno.test(`every fault: ${name}`, () => everyFault(path));
}

/**
 * The result of the work, or nothing if the disk refuses. Any other error is a fault of the
 * program.
 */
async function unlessRefused<T>(what: () => Promise<T>): Promise<T | undefined> {
  try {
    return await what();
  } catch (error) {
    if (!(error instanceof WorldError || error instanceof DurabilityLost)) throw error;
    return undefined;
  }
}

function onDisk(disk: MemoryDisk): World {
  return { ...denoWorld(), files: disk.files };
}

function command(disk: MemoryDisk, ...args: string[]): Promise<Ran> {
  return start(args, onDisk(disk)).done;
}

/**
 * The first line printed, if the command did its work. If it did not, the disk must be the only
 * reason.
 */
function acknowledgedBy({ code, out, err }: Ran): string[] {
  if (code === 0) return [out[0]!];
  assertEquals([code, out], [3, []], "what the disk refuses ends with 3, and prints nothing");
  assert(err.join("\n").includes("No space left on device"), err.join("\n"));
  return [];
}

/**
 * Tries a second time. The try must do its work, or say what to do, and that must then work.
 * @returns whether it did its work
 */
async function secondTry(
  { disk, args, instead, says }: {
    disk: MemoryDisk;
    args: readonly string[];
    /** The same with another place. */
    instead: readonly string[];
    says: string;
  },
): Promise<boolean> {
  const there = disk.paths().map((path) => [path, disk.content(path)] as const);
  const { code, err } = await command(disk, ...args);
  if (code === 0) return true;
  assertEquals(code, 2, err.join("\n"));
  assert(err.join("\n").includes(says), err.join("\n"));
  for (const [path, content] of there) assertEquals(disk.content(path), content, path);
  assertEquals((await command(disk, ...instead)).code, 0);
  return false;
}

const NAME = "monitor.invalid/one";
const KEY = "home/monitor.key";
const KEYGEN = ["keygen", NAME, "--out"];

async function vkeyIn(disk: MemoryDisk, path: string): Promise<string> {
  return (await readKey(onDisk(disk), path)).vkey.text;
}

walk("keygen: a key whose vkey was printed is kept", {
  atLeast: 4,
  run: async (disk) => acknowledgedBy(await command(disk, ...KEYGEN, KEY)),
  check: async (disk, [vkey]) => {
    if (vkey !== undefined) return assertEquals(await vkeyIn(disk, KEY), vkey);
    if (disk.content(KEY) !== undefined) await vkeyIn(disk, KEY);
    const args = [...KEYGEN, KEY];
    const instead = [...KEYGEN, `${KEY}.2`];
    const says = "a key is never overwritten; name another file with --out";
    const done = await secondTry({ disk, args, instead, says });
    await vkeyIn(disk, done ? KEY : `${KEY}.2`);
  },
});

walk("keygen: a file that is there stays as it is", {
  atLeast: 1,
  before: (disk) => Promise.resolve(disk.put(KEY, "mine")),
  run: async (disk) => {
    const { code, out, err } = await command(disk, ...KEYGEN, KEY);
    assertEquals(out, []);
    return code === 2 ? [err[0]!] : [];
  },
  check: async (disk) => assertEquals((await command(disk, ...KEYGEN, KEY)).code, 2),
});

const HOME = "etc/hearsay";
const [GO] = OFFERED_LOGS as [typeof OFFERED_LOGS[0]];

function initArgs(folder: string): string[] {
  return ["init", "--dir", folder, "--name", NAME, "--log", GO.log, "--source", GO.source];
}

/** The vkey of a configuration that parses, with a key that loads. */
async function configured(disk: MemoryDisk, folder: string): Promise<string> {
  const { name, key } = await readSettings(onDisk(disk), `${folder}/hearsay.jsonc`);
  const vkey = await vkeyIn(disk, key);
  assert(vkey.startsWith(`${name}+`), `${vkey} is not of ${name}`);
  return vkey;
}

walk("init: what was told is a configuration that parses and a key that loads", {
  atLeast: 10,
  run: async (disk) => acknowledgedBy(await command(disk, ...initArgs(HOME))),
  check: async (disk, [vkey]) => {
    if (vkey !== undefined) return assertEquals(await configured(disk, HOME), vkey);
    // The work may be done all the same. If it is not, the files that are left must not hinder
    // another try.
    if (disk.content(`${HOME}/hearsay.jsonc`) === undefined) {
      const { code, err } = await command(disk, ...initArgs(HOME));
      assertEquals(code, 0, err.join("\n"));
    }
    await configured(disk, HOME);
  },
});

for (const there of ["hearsay.jsonc", "monitor.key"]) {
  walk(`init: a ${there} that is there stays as it is`, {
    atLeast: 1,
    before: (disk) => Promise.resolve(disk.put(`${HOME}/${there}`, "mine")),
    run: async (disk) => {
      const { code, out, err } = await command(disk, ...initArgs(HOME));
      assertEquals(out, []);
      return code === 2 ? [err[0]!] : [];
    },
    check: async (disk) => assertEquals((await command(disk, ...initArgs(HOME))).code, 2),
  });
}

/** A configuration, a key, and the world they are read in. */
const sample = new MemoryDisk();
assertEquals((await command(sample, ...initArgs(HOME))).code, 0);
const CONFIG = sample.content(`${HOME}/hearsay.jsonc`)!;

walk("run: a configuration is read whole, or the disk is named as the reason", {
  atLeast: 6,
  before: async (disk) => {
    disk.put(`${HOME}/hearsay.jsonc`, CONFIG);
    await command(disk, "keygen", NAME, "--out", `${HOME}/monitor.key`);
  },
  run: async (disk) => {
    const vkey = await unlessRefused(() => configured(disk, HOME));
    return vkey === undefined ? [] : [vkey];
  },
  check: async (disk, [vkey]) => {
    const again = await configured(disk, HOME);
    if (vkey !== undefined) assertEquals(again, vkey);
  },
});

const ORIGIN = "test.invalid/log";

/** The log of a folder, opened anew: what it tells about itself. */
async function logIn(disk: MemoryDisk, folder: string): Promise<{ told: string; log: string }> {
  const opened = await DiskLog.open({ world: onDisk(disk), folder });
  opened.close();
  const { treeSize, log } = opened;
  return { told: `size ${treeSize}, root ${base64(opened.root())}`, log: formatLog(log) };
}

const threeEntries = async (disk: MemoryDisk): Promise<void> => {
  const log = await DiskLog.create({ world: onDisk(disk), folder: "one", origin: ORIGIN });
  await log.append(["a", "b", "c"].map(utf8));
  log.close();
};

/** The message for a folder in which making a log failed. */
function refusalOf(disk: MemoryDisk, folder: string): string {
  return disk.content(`${folder}/checkpoint`) === undefined
    ? "was cut off. Remove the folder and do it again"
    : "name a folder without one";
}

walk("log init: a log that was told opens, under the key that was told", {
  atLeast: 11,
  run: async (disk) =>
    acknowledgedBy(await command(disk, "log", "init", "one", "--origin", ORIGIN)),
  check: async (disk, [log]) => {
    if (log !== undefined) return assertEquals((await logIn(disk, "one")).log, log);
    const args = ["log", "init", "one", "--origin", ORIGIN];
    const instead = ["log", "init", "two", "--origin", ORIGIN];
    const done = await secondTry({ disk, args, instead, says: refusalOf(disk, "one") });
    await logIn(disk, done ? "one" : "two");
  },
});

walk("log append: what was told is the log's checkpoint, and the log can be grown", {
  isSlow: true,
  atLeast: 30,
  before: threeEntries,
  changes: (path) => path === "one/checkpoint",
  run: async (disk) => acknowledgedBy(await command(disk, "log", "append", "one", "d", "e")),
  check: async (disk, [told]) => {
    const { told: found } = await logIn(disk, "one");
    if (told !== undefined) assertEquals(found, told);
    const size = Number(/\d+/.exec(found)![0]);
    assert(size === 3 || size === 5, found);
    const grown = await command(disk, "log", "append", "one", "other", "than", "before");
    assert(grown.out[0]!.startsWith(`size ${size + 3}, `), grown.out[0]);
    // Copying it reads every tile.
    assertEquals((await command(disk, "log", "fork", "one", "two")).out, grown.out);
    assertEquals((await logIn(disk, "two")).told, grown.out[0]);
  },
});

walk("log fork: a copy that was told opens, and the log copied is as it was", {
  isSlow: true,
  atLeast: 50,
  before: threeEntries,
  run: async (disk) => acknowledgedBy(await command(disk, "log", "fork", "one", "two")),
  check: async (disk, [told]) => {
    const original = await logIn(disk, "one");
    if (told !== undefined) {
      assertEquals(original.told, told);
      return assertEquals(await logIn(disk, "two"), original);
    }
    const [args, instead] = ["two", "three"].map((to) => ["log", "fork", "one", to]);
    const says = refusalOf(disk, "two");
    const done = await secondTry({ disk, args: args!, instead: instead!, says });
    assertEquals(await logIn(disk, done ? "two" : "three"), original);
  },
});

/** Three stories at one size are two cases. */
const forked = await newLog();
const GATHERED = (await Promise.all(
  ["x", "y", "z"].map((story) => noteLine(grow(forked.fork(), 4, story), 4, story)),
)).join("\n");
const INCIDENTS = "home/incidents";
const JOURNAL = `${INCIDENTS}/journal.jsonl`;
const DETECT = [
  ...["detect", "--log", forked.log.vkey.text, "--key", KEY, "--incidents", INCIDENTS, "gathered"],
];

const gather = async (disk: MemoryDisk): Promise<void> => {
  disk.put("gathered", GATHERED);
  await command(disk, ...KEYGEN, KEY);
};

/** The evidence ids in the incident journal, of records that hold, each once. */
async function casesOn(disk: MemoryDisk): Promise<string[]> {
  const ids: string[] = [];
  for await (const item of readIncidents({ files: disk.files, folder: INCIDENTS })) {
    assert("entry" in item, "torn");
    if (!isCase(item.entry.record)) continue;
    const record = recordOf(item.entry, INCIDENTS);
    assertEquals(verifyConflict({ input: record as unknown as JsonObject }).outcome, "holds");
    ids.push(record.evidence_id);
  }
  assertEquals(new Set(ids).size, ids.length, "a case is there twice");
  return ids;
}

walk("detect: a case that was told as recorded is kept, and recorded once", {
  isSlow: true,
  atLeast: 20,
  before: gather,
  run: async (disk) => {
    const { code, out, err } = await command(disk, ...DETECT);
    const recorded = out.filter((line) => / incident=\d+$/.test(line));
    assertEquals(code, recorded.length === 2 ? 1 : 3, err.join("\n"));
    return recorded;
  },
  check: async (disk, told) => {
    const { code, out } = await command(disk, ...DETECT);
    assertEquals(code, 1);
    for (const line of told) assert(out.includes(`${line} (known)`), `${line} was lost`);
    assertEquals((await casesOn(disk)).length, 2);
  },
});

await gather(sample);
await command(sample, ...DETECT);
/** What the incident journal of two cases holds, and what a crash left of a third entry. */
const WHOLE = sample.content(JOURNAL)!;
const TORN = WHOLE.slice(0, 700);
const CASES = await casesOn(sample);

/** The contents of all files into which torn lines were set aside. */
function setAside(disk: MemoryDisk): (string | undefined)[] {
  return disk.paths().filter((path) => path.includes(".torn-")).map((path) => disk.content(path));
}

async function idsIn(incidents: IncidentJournal): Promise<string[]> {
  const written = await Array.fromAsync(incidents.records());
  return written.map(({ record: { evidence_id } }) => evidence_id);
}

walk("incidents: a start that fails, and fails again, loses neither entries nor a torn line", {
  isSlow: true,
  atLeast: 15,
  rounds: 2,
  before: (disk) => Promise.resolve(disk.put(JOURNAL, WHOLE + TORN)),
  changes: (path) => path === JOURNAL,
  run: async (disk) => {
    const { files } = disk;
    const open = () => IncidentJournal.open({ files, folder: INCIDENTS });
    const incidents = await unlessRefused(open);
    const ids = await unlessRefused(async () => incidents && await idsIn(incidents));
    await incidents?.close();
    return ids === undefined ? [] : [ids.join()];
  },
  check: async (disk, told) => {
    const incidents = await IncidentJournal.open({ files: disk.files, folder: INCIDENTS });
    assertEquals(await idsIn(incidents), CASES);
    await incidents.close();
    for (const ids of told) assertEquals(ids, CASES.join());
    assertEquals([disk.content(JOURNAL), setAside(disk)], [WHOLE, [TORN]]);
  },
});

const OPTIONS = { folder: FOLDER, segmentBytes: 600, keepSegments: 2 };
const SIZES = Array.from({ length: 12 }, (_, size) => BigInt(size));

/** Observations whose removal was stated and cut short after the first file. */
async function halfRemoved(): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const { files } = disk;
  let removed = 0;
  const world: World = {
    ...worldOn(disk),
    files: {
      ...files,
      remove: (path) =>
        removed++ === 0 ? files.remove(path) : Promise.reject(new WorldError("other", path)),
    },
  };
  const log = await ObservationJournal.open({ world, ...OPTIONS });
  await log.append(observation({ result: "first", size: 1 }), AT);
  for (let size = 2; size < 10; size++) await log.append(observation({ size }), AT);
  await assertRejects(() => log.removeOld(AT), WorldError);
  await log.close();
  return disk;
}

const OBSERVED = await halfRemoved();
/** The observations that must be there whatever happens. */
const WRITTEN = await writtenOn(OBSERVED);
const LAST = OBSERVED.paths().filter((path) => path.endsWith(".jsonl")).at(-1)!;
const NEXT = join(FOLDER, segmentName("observations", Number(/(\d+)\.jsonl/.exec(LAST)![1]) + 1));
const TAIL = OBSERVED.content(LAST)!.slice(0, 300);

for (
  const [what, path, content, aside] of [
    ["a torn line", LAST, OBSERVED.content(LAST)! + TAIL, 1],
    ["an empty new segment", NEXT, "", 0],
  ] as const
) {
  let attempts = 0;
  walk(`observations: a start that fails, and fails again, over ${what} and half a removal`, {
    atLeast: 35,
    rounds: 2,
    isSlow: path === NEXT,
    before: (disk) => {
      for (const each of OBSERVED.paths()) disk.put(each, OBSERVED.content(each)!);
      return Promise.resolve(disk.put(path, content));
    },
    changes: (name) => name.endsWith(".jsonl"),
    run: async (disk) => {
      const databases = new MemoryDatabases();
      const source = `attempt ${++attempts}`;
      const acknowledged = await unlessRefused(async () => {
        const log = await ObservationJournal.open({ world: worldOn(disk, databases), ...OPTIONS });
        try {
          await log.append(observation({ size: 10, source }), AT);
        } finally {
          await log.close();
        }
        return [source];
      });
      databases.clear();
      return acknowledged ?? [];
    },
    check: async (disk, told) => {
      const databases = new MemoryDatabases();
      const log = await ObservationJournal.open({ world: worldOn(disk, databases), ...OPTIONS });
      const written = await writtenOn(disk);
      assertEquals(written.slice(0, WRITTEN.length), WRITTEN);
      const later = written.slice(WRITTEN.length).map(({ observation: { source } }) => source);
      assertEquals(new Set(later).size, later.length, "an entry is there twice");
      assertEquals(told.filter((source) => !later.includes(source)), [], "lost");
      assertEquals(answersOf(log, SIZES), modelAnswers(written, SIZES));
      await log.close();
      databases.clear();
      assertEquals(setAside(disk).filter((one) => one === TAIL).length, aside);
      await expectRemoved(disk);
    },
  });
}

/** The files of every segment that the chain says is removed are gone. */
async function expectRemoved(disk: MemoryDisk): Promise<void> {
  let stated = 0;
  for await (const item of checkObservations({ files: disk.files, folder: FOLDER })) {
    if (!("removals" in item)) continue;
    for (const { from, to } of item.removals) {
      for (let number = from; number <= to; number++, stated++) {
        const path = join(FOLDER, segmentName("observations", number));
        assertEquals(disk.content(path), undefined, path);
      }
    }
  }
  assert(stated > 1, "the chain states that segments were removed");
}

/** A path that replaces "old" by "new" in the given way. */
function replacing(write: (disk: MemoryDisk) => Promise<void>): DurablePath {
  return {
    atLeast: 2,
    before: (disk) => Promise.resolve(disk.put("a/b", "old")),
    changes: () => true,
    run: async (disk) => {
      const done = await unlessRefused(() => write(disk).then(() => true));
      return done === true ? ["new"] : [];
    },
    check: (disk, [told]) => {
      const found = disk.content("a/b")!;
      assert(told === undefined ? ["old", "new"].includes(found) : found === told, found);
      return Promise.resolve();
    },
  };
}

/** What an impatient program leaves out. */
async function replace(
  disk: MemoryDisk,
  { syncs = true, syncsFolder = true, inPlace = false, permissions = 0o644, content = "new" },
): Promise<void> {
  const { files } = disk;
  const file = inPlace
    ? await files.open("a/b", "write")
    : await files.create("a/b.new", permissions);
  try {
    await file.write(utf8(content), 0);
    if (syncs) await file.sync();
  } finally {
    file.close();
  }
  if (!inPlace) await files.rename({ from: "a/b.new", to: "a/b" });
  if (syncsFolder) await files.syncFolder("a");
}

Deno.test("every fault: a path that leaves nothing out passes", async () => {
  await everyFault(replacing((disk) => replace(disk, {})));
});

for (
  const [what, left, how] of [
    ["does not sync the file", { syncs: false }, "a loss of power that keeps 0"],
    ["does not sync the folder", { syncsFolder: false }, "a loss of power that keeps 0"],
    ["writes in place", { inPlace: true }, "before its effect"],
    ["lets everyone read a key", { content: "PRIVATE+KEY+…" }, "b.new holds a private key"],
  ] as const
) {
  Deno.test(`every fault: a path that ${what} is found`, async () => {
    const path = replacing((disk) => replace(disk, left));
    await assertRejects(() => everyFault(path), AssertionError, how);
  });
}

Deno.test("every fault: a walk shorter than it claims, or without an end, is found", async () => {
  const path = replacing((disk) => replace(disk, {}));
  await assertRejects(
    () => everyFault({ ...path, atLeast: 6 }),
    AssertionError,
    "only 5 operations",
  );
  const endless: DurablePath = {
    ...path,
    run: async (disk) => {
      while (disk.operations < 400) await unlessRefused(() => disk.files.list("a"));
      return ["new"];
    },
    check: () => Promise.resolve(),
  };
  await assertRejects(() => everyFault(endless), AssertionError, "comes to no end");
});
