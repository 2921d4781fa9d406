/** Every operation on the disk fails in turn; then the power goes, and the program starts again. */
import { assert, assertEquals } from "@std/assert";
import { DurabilityLost } from "../../src/world/durable.ts";
import type { Observation } from "../../src/store/observation.ts";
import { checkObservations, ObservationJournal } from "../../src/store/observations.ts";
import { segmentName } from "../../src/store/segments.ts";
import { WorldError } from "../../src/world/world.ts";
import { type Fault, MemoryDisk } from "./memory_disk.ts";
import {
  answersOf,
  AT,
  FOLDER,
  LOGS,
  MemoryDatabases,
  modelAnswers,
  observation,
  worldOn,
  writtenOn,
} from "./observing.ts";

const SIZES = Array.from({ length: 20 }, (_, size) => BigInt(size));
/** Two entries a segment, so that a short history rotates and removes several times. */
const OPTIONS = { segmentBytes: 600, keepSegments: 2 };

/** What the program was told is done, which no fault may undo. */
interface Told {
  /** Seq and source of each entry. */
  readonly entries: Map<number, string>;
  view: bigint;
  /** A removal was asked for: entries may be gone, and the chain must say so. */
  removing: boolean;
}

/** One step of a history, telling what was acknowledged. */
type Step = (log: ObservationJournal, told: Told) => Promise<unknown>;

function writes(made: Observation): Step {
  return async (log, told) => {
    const entry = await log.observe(made, AT);
    if (entry !== undefined) told.entries.set(entry.seq, made.source);
    told.view = log.view(LOGS[0]!)?.treeSize ?? 0n;
  };
}

const removes: Step = (log, told) => {
  told.removing = true;
  return log.removeOld(AT);
};

const HISTORY: readonly Step[] = [
  writes(observation({ result: "first", size: 1, source: "1" })),
  writes(observation({ result: "pending", size: 9, via: "exchange", source: "2" })),
  writes(observation({ size: 3, source: "3" })),
  writes(observation({ result: "inconsistent", size: 3, root: "other", source: "4" })),
  writes(observation({ size: 5, source: "5" })),
  writes(observation({ result: "unchanged", size: 5, source: "6" })),
  writes(observation({ result: "unchanged", size: 5, source: "6" })),
  (log) => log.flushRepeats(AT),
  writes(observation({ size: 6, source: "7" })),
  writes(observation({ size: 7, source: "8" })),
  removes,
  writes(observation({ result: "consistent", size: 9, source: "9" })),
  writes(observation({ size: 10, source: "10" })),
  writes(observation({ result: "unavailable", source: "11" })),
  removes,
  writes(observation({ size: 12, source: "12" })),
];

async function attempt<T>(what: () => Promise<T>): Promise<T | undefined> {
  try {
    return await what();
  } catch (error) {
    assert(error instanceof WorldError || error instanceof DurabilityLost, `${error}`);
    return undefined;
  }
}

/** Runs the history with a fault, which may hit anywhere, also when the program starts. */
async function run(
  { disk, databases, stopAtFault }: {
    disk: MemoryDisk;
    databases: MemoryDatabases;
    stopAtFault: boolean;
  },
): Promise<Told> {
  const told: Told = { entries: new Map(), view: 0n, removing: false };
  const world = worldOn(disk, databases);
  const log = await attempt(() => ObservationJournal.open({ world, folder: FOLDER, ...OPTIONS }));
  if (log === undefined) return told;
  for (const step of HISTORY) {
    const done = await attempt(async () => {
      await step(log, told);
      return true;
    });
    if (done === undefined && stopAtFault) break;
  }
  await attempt(() => log.close());
  return told;
}

async function expectKept(
  { disk, told, fault }: { disk: MemoryDisk; told: Told; fault: Fault },
): Promise<void> {
  const written = new Map(
    (await writtenOn(disk)).map(({ entry, observation }) => [entry.seq, observation.source]),
  );
  const removed: { before: { seq: number }; last: { seq: number } }[] = [];
  for await (const item of checkObservations({ files: disk.files, folder: FOLDER })) {
    if ("removals" in item) removed.push(...item.removals);
  }
  for (const [seq, source] of told.entries) {
    const gone = told.removing &&
      removed.some(({ before, last }) => before.seq < seq && seq <= last.seq);
    assert(gone || written.get(seq) === source, `${JSON.stringify(fault)} lost entry ${seq}`);
  }
}

/** A removal that was cut short has ended. */
async function expectNoneLeft(disk: MemoryDisk): Promise<void> {
  for await (const item of checkObservations({ files: disk.files, folder: FOLDER })) {
    if (!("removals" in item)) continue;
    for (const { from, to } of item.removals) {
      for (let number = from; number <= to; number++) {
        const path = `${FOLDER}/${segmentName("observations", number)}`;
        assertEquals(disk.content(path), undefined, path);
      }
    }
  }
}

async function survives(fault: Fault, stopAtFault: boolean): Promise<boolean> {
  const disk = new MemoryDisk();
  const databases = new MemoryDatabases();
  disk.fail(fault);
  const told = await run({ disk, databases, stopAtFault });
  const hit = disk.operations >= fault.at;
  disk.crash({ keepShare: fault.at % 3 / 2 });

  const options = { world: worldOn(disk, databases), folder: FOLDER, ...OPTIONS };
  const after = await ObservationJournal.open(options);
  await expectKept({ disk, told, fault });
  await expectNoneLeft(disk);
  const view = after.view(LOGS[0]!)?.treeSize ?? 0n;
  assert(view >= told.view, `${JSON.stringify(fault)} rolled the view back to ${view}`);
  const answers = answersOf(after, SIZES);
  assertEquals(answers, modelAnswers(await writtenOn(disk), SIZES), JSON.stringify(fault));
  await after.append(observation({ size: 19, source: "later" }), AT);
  await after.removeOld(AT);
  const later = answersOf(after, SIZES);
  await after.close();
  databases.clear();
  const rebuilt = await ObservationJournal.open(options);
  assertEquals(answersOf(rebuilt, SIZES), later, JSON.stringify(fault));
  await rebuilt.close();
  databases.clear();
  return hit;
}

for (const when of ["before", "after"] as const) {
  for (const lasting of [false, true]) {
    for (const stopAtFault of [false, true]) {
      const name = `${when} its effect, ${lasting ? "and all later ones" : "once"}, ${
        stopAtFault ? "killed at it" : "going on"
      }`;
      Deno.test(`observations: nothing told is lost when an operation fails ${name}`, async () => {
        let at = 1;
        while (await survives({ at, when, lasting }, stopAtFault)) at++;
        // The history rotates and removes: well over a hundred operations when nothing fails.
        assert(at > 100, `only ${at} faults were tried`);
      });
    }
  }
}

Deno.test("observations: without a fault the history rotates, removes and keeps what is needed", async () => {
  const disk = new MemoryDisk();
  const told = await run({ disk, databases: new MemoryDatabases(), stopAtFault: true });
  assertEquals(told.view, 12n);
  const segments = disk.paths().filter((path) => /-\d{6}\.jsonl$/.test(path));
  const numbers = segments.map((path) => Number(/(\d+)\.jsonl$/.exec(path)![1]));
  assert(numbers.at(-1)! > numbers.length, "some are removed");
});
