/** The index over the journal of observations: derived, and always equal to what is written. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { type Entry } from "../../src/evidence/entry.ts";
import { RESULTS } from "../../src/evidence/result.ts";
import { ObservationIndex } from "../../src/store/observation_index.ts";
import { ObservationJournal } from "../../src/store/observations.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { type Databases, WorldError } from "../../src/world/world.ts";
import { MemoryDisk } from "./memory_disk.ts";
import {
  answersOf,
  AT,
  FOLDER,
  LOGS,
  MemoryDatabases,
  modelAnswers,
  observation,
  rootOf,
  worldOn,
  writtenOn,
} from "./observing.ts";
import { fiveSegments, LOG, open } from "./segmented.ts";

Deno.test("index: notes, times and roots come out as they went in, whatever their form", async () => {
  const disk = new MemoryDisk();
  const log = await open(disk);
  const { origin } = LOG;
  const signature = base64(utf8("68 bytes or any other number"));
  const head = (size: number): string => `${origin}\n${size}\n${rootOf("honest")}\n\n`;
  const notes = [
    `${head(1)}— ${origin} ${signature}\n`,
    `${head(2)}— another.invalid ${signature}\n`,
    `${head(3)}— ${origin} ${signature}\n— witness.invalid ${signature}\n`,
    `${head(4)}— ${origin} ${signature}=\n`,
    `${head(5)}— ${origin} ${signature}`,
    `${head(7)}— ${origin} ${signature}\n`,
    `${head(7)}— ${origin} \n`,
  ];
  const times = ["2026-01-02T03:04:05.678Z", AT, "2026-01-02T03:04:05.6Z", "then"];
  for (const [i, note] of notes.entries()) {
    const made = observation({ result: "pending", size: i + 1 });
    const checkpoint = { ...made.checkpoint!, note };
    await log.append({ ...made, checkpoint }, times[i % times.length]!);
  }
  const seen = log.pending(LOG);
  assertEquals(seen.map(({ note }) => note), notes);
  assertEquals(seen.map(({ note }) => log.note(LOG, seen.find((s) => s.note === note)!)), notes);
  assertEquals(seen.map(({ seenAt }) => seenAt), notes.map((_, i) => times[i % times.length]));
  const bytes = notes.reduce((sum, note) => sum + utf8(note).length, 0);
  assertEquals(log.openLoad(LOG), { questions: notes.length, noteBytes: bytes });
  await log.close();
});

Deno.test("index: a view whose entry is removed gives way to the largest that is left", () => {
  const index = ObservationIndex.open({ databases: new MemoryDatabases(), path: "index" });
  const link = (seq: number): { seq: number; hash: string } => ({ seq, hash: `${seq}` });
  const entry = (seq: number): Entry => (
    { ...link(seq), recorded_at: AT, record: {}, prev_hash: `${seq - 1}` }
  );
  const sizes = [3, 9, 5];
  index.add(sizes.map((size, i) => ({ entry: entry(i + 1), record: observation({ size }) })));
  assertEquals(index.view(LOG.id)?.treeSize, 9n);
  for (const [gone, left] of [[2, 5n], [3, 3n], [1, undefined]] as const) {
    const removals = [{ from: gone, to: gone, before: link(gone - 1), last: link(gone) }];
    index.add([{ entry: entry(10 + gone), record: { removals } }]);
    assertEquals(index.view(LOG.id)?.treeSize, left);
    assertEquals(index.needed(), left === undefined ? [] : [sizes.indexOf(Number(left)) + 1]);
  }
  index.close();
});

Deno.test("index: who showed the view is who proved it, and not who told it first", async () => {
  const log = await open(new MemoryDisk());
  assertEquals(log.viewShownBy(LOG), undefined);
  await log.append(observation({ size: 3, source: "the log" }), AT);
  assertEquals(log.viewShownBy(LOG), "the log");
  await log.append(observation({ size: 5, source: "a peer", result: "pending" }), AT);
  assertEquals(log.viewShownBy(LOG), "the log");
  await log.append(observation({ size: 5, source: "the log at a place" }), AT);
  assertEquals(log.view(LOG)?.source, "a peer");
  assertEquals(log.viewShownBy(LOG), "the log at a place");
  await log.close();
});

Deno.test("index: lost, damaged, of another journal, ahead or behind, it gives the same answers", async () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/index.sqlite`;
  const other = Deno.makeTempDirSync();
  const world = denoWorld();
  const sizes = [1n, 2n, 3n, 4n];
  const grow = async (at: string, from: number, root?: string): Promise<unknown> => {
    const log = await ObservationJournal.open({ world, folder: at });
    for (let size = from; size < from + 2; size++) {
      await log.append(observation({ size, ...(root && { root }) }), AT);
    }
    const answers = answersOf(log, sizes);
    await log.close();
    return answers;
  };
  const reopen = async (): Promise<unknown> => {
    const log = await ObservationJournal.open({ world, folder });
    const answers = answersOf(log, sizes);
    await log.close();
    return answers;
  };
  await grow(folder, 1);
  Deno.copyFileSync(path, `${folder}/behind`);
  const wanted = await grow(folder, 3);
  assertEquals(await reopen(), wanted);
  Deno.copyFileSync(`${folder}/behind`, path);
  assertEquals(await reopen(), wanted);
  Deno.removeSync(path);
  assertEquals(await reopen(), wanted);
  Deno.writeTextFileSync(path, "this is no database ".repeat(1000));
  assertEquals(await reopen(), wanted);
  Deno.truncateSync(path, Deno.statSync(path).size / 2);
  assertEquals(await reopen(), wanted);
  for (const from of [1, 3, 5]) {
    await grow(other, from, "other");
    Deno.copyFileSync(`${other}/index.sqlite`, path);
    assertEquals(await reopen(), wanted, `of another chain, up to ${from + 1}`);
  }
  for (const each of [folder, other]) Deno.removeSync(each, { recursive: true });
});

Deno.test("index: rebuilding reports how far it is", async () => {
  const disk = await fiveSegments();
  const seen: unknown[] = [];
  const onProgress = (progress: unknown): void => void seen.push(progress);
  const log = await ObservationJournal.open({ world: worldOn(disk), folder: FOLDER, onProgress });
  await log.close();
  assertEquals(seen.at(-1), { seq: 5, lastSeq: 5 });
});

Deno.test("index: a database that refuses loses nothing that was written", async () => {
  const disk = new MemoryDisk();
  const databases = new MemoryDatabases();
  let refuses = false;
  const refusing: Databases = {
    remove: (path) => databases.remove(path),
    open(path) {
      const database = databases.open(path);
      const transaction = <T>(work: () => T): T => {
        if (refuses) throw new WorldError("other", "SQLite: database or disk is full");
        return database.transaction(work);
      };
      return { ...database, transaction };
    },
  };
  const log = await open(disk, { databases: refusing });
  await log.append(observation({ size: 1 }), AT);
  refuses = true;
  await log.append(observation({ size: 2 }), AT);
  let said: unknown;
  try {
    log.view(LOG);
  } catch (error) {
    said = error;
  }
  assert(said instanceof WorldError, "a query does not answer without what was written");
  refuses = false;
  assertEquals(log.view(LOG)?.treeSize, 2n);
  await log.close();
});

const word = fc.constantFrom("honest", "other");
const step = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      log: fc.constantFrom(0, 1),
      result: fc.constantFrom(...RESULTS),
      size: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
      by: fc.constantFrom("x", "y"),
      root: word,
      source: fc.constantFrom("a", "b"),
      counted: fc.constantFrom(true, true, false),
      against: fc.option(word, { nil: undefined }),
    }),
  },
  { weight: 2, arbitrary: fc.constant("flush" as const) },
  { weight: 2, arbitrary: fc.constant("remove" as const) },
  { weight: 1, arbitrary: fc.constant("restart" as const) },
  { weight: 1, arbitrary: fc.constant("rebuild" as const) },
);

Deno.test("index: after any history its answers are those of a naive model and of a rebuilt one", async () => {
  const sizes = [0n, 1n, 2n, 3n];
  const history = fc.array(step, { maxLength: 100, size: "max" });
  await fc.assert(
    fc.asyncProperty(history, fc.integer({ min: 1, max: 4 }), async (steps, keepSegments) => {
      const disk = new MemoryDisk();
      const databases = new MemoryDatabases();
      const options = { databases, segmentBytes: 600, keepSegments };
      let log = await open(disk, options);
      const views: (bigint | undefined)[] = [undefined, undefined];
      for (const each of steps) {
        if (each === "flush") await log.flushRepeats(AT);
        else if (each === "remove") await log.removeOld(AT);
        else if (each === "restart" || each === "rebuild") {
          await log.close();
          if (each === "rebuild") databases.clear();
          log = await open(disk, options);
        } else await take(log, each);
        LOGS.forEach((of, n) => {
          const size = log.view(of)?.treeSize;
          assert(
            views[n] === undefined || (size !== undefined && size >= views[n]!),
            "rolled back",
          );
          views[n] = size;
        });
      }
      await log.flushRepeats(AT);
      const answers = answersOf(log, sizes);
      assertEquals(answers, modelAnswers(await writtenOn(disk), sizes));
      await log.close();
      databases.clear();
      const rebuilt = await open(disk, options);
      assertEquals(answersOf(rebuilt, sizes), answers);
      await rebuilt.close();
      databases.clear();
    }),
    { numRuns: 100 },
  );
});

async function take(
  log: ObservationJournal,
  { counted, against, size, ...rest }: {
    log: number;
    result: (typeof RESULTS)[number];
    size: number | undefined;
    by: string;
    root: string;
    source: string;
    counted: boolean;
    against: string | undefined;
  },
): Promise<void> {
  const made = observation({
    ...rest,
    ...(size !== undefined && { size }),
    ...(against !== undefined && { against: { size: "3", root: rootOf(against) } }),
  });
  if (counted) await log.observe(made, AT);
  else await log.append(made, AT);
}
