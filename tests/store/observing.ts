/** What the tests of observations share: a world with a disk in memory, and a naive model. */
import { AGREEING_RESULTS, OPEN_RESULTS, type Result } from "../../src/evidence/result.ts";
import { assert } from "@std/assert";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { sha256 } from "../../src/tlog/hashing.ts";
import { parseLog } from "../../src/tlog/log.ts";
import type { Entry } from "../../src/evidence/entry.ts";
import { logIdOf, type Observation } from "../../src/store/observation.ts";
import type {
  Counts,
  OpenLoad,
  OpenQuestion,
  SeenRoot,
} from "../../src/store/observation_index.ts";
import { checkObservations, ObservationJournal } from "../../src/store/observations.ts";
import { denoWorld } from "../../src/world/deno.ts";
import type { Database, Databases, World } from "../../src/world/world.ts";
import { newSigner } from "../evidence/histories.ts";
import type { MemoryDisk } from "./memory_disk.ts";

export const FOLDER = "home/state";
export const AT = "2026-01-02T03:04:05Z";

const vkeys = await Promise.all(["one", "two"].map((name) => newSigner(`log.invalid/${name}`)));

/** Two logs. */
export const LOGS = vkeys.map(({ vkey }) => parseLog(vkey.text));

/** Databases in memory that outlive the program, as files do. */
export class MemoryDatabases implements Databases {
  readonly #open = new Map<string, Database>();

  open(path: string): Database {
    const database = this.#open.get(path) ?? denoWorld().databases.open(":memory:");
    this.#open.set(path, database);
    return { ...database, close: () => {} };
  }

  remove(path: string): void {
    this.#open.get(path)?.close();
    this.#open.delete(path);
  }

  /** Loses all of them. */
  clear(): void {
    for (const path of this.#open.keys()) this.remove(path);
  }
}

export function worldOn(disk: MemoryDisk, databases: Databases = new MemoryDatabases()): World {
  return { ...denoWorld(), files: disk.files, databases };
}

/** An observation of `LOGS[log]`; `root` is any word, `by` who signed. */
export function observation(
  { log = 0, result = "extends", size, root = "honest", source = "a", by = "x", ...rest }:
    & { log?: number; result?: Result; size?: bigint | number; root?: string; source?: string }
    & { by?: string }
    & Partial<Pick<Observation, "via" | "detail" | "against">>,
): Observation {
  const { origin, vkey } = LOGS[log]!;
  return {
    log: { origin, vkey: vkey.text },
    via: "poll",
    source,
    result,
    ...(size !== undefined && { checkpoint: checkpointOf({ size, root, by }) }),
    ...rest,
  };
}

export function rootOf(word: string): string {
  return base64(sha256(utf8(word)));
}

function checkpointOf(
  { size, root: word, by }: { size: bigint | number; root: string; by: string },
): NonNullable<Observation["checkpoint"]> {
  const root = rootOf(word);
  return { size: `${size}`, root, note: `origin\n${size}\n${root}\n\n— ${by} signed\n` };
}

/** Everything the index answers about the logs. */
export interface Answers {
  readonly roots: SeenRoot[][];
  readonly view: SeenRoot | undefined;
  readonly pending: SeenRoot[];
  /** The same without notes, walked one at a time. */
  readonly open: OpenQuestion[];
  readonly openLoad: OpenLoad;
  readonly counts: Counts;
  /** The roots that agree with the view, of those seen at these sizes. */
  readonly agreeing: SeenRoot[];
}

export function answersOf(log: ObservationJournal, sizes: readonly bigint[]): Answers[] {
  return LOGS.map((of) => ({
    roots: sizes.map((size) => log.rootsAt(of, size)),
    view: log.view(of),
    pending: log.pending(of),
    open: walkOneByOne(log, of),
    openLoad: log.openLoad(of),
    counts: log.counts(of),
    agreeing: sizes.flatMap((size) => log.rootsAt(of, size)).filter((seen) => log.agrees(of, seen)),
  }));
}

function walkOneByOne(log: ObservationJournal, of: typeof LOGS[0]): OpenQuestion[] {
  const walked: OpenQuestion[] = [];
  for (let next; (next = log.openQuestions(of, { limit: 1, after: walked.at(-1) })).length > 0;) {
    walked.push(...next);
  }
  return walked;
}

/** One entry that is an observation. */
export interface Written {
  readonly entry: Entry;
  readonly observation: Observation;
}

/** The entries on disk that are observations and not said to be removed. */
export async function writtenOn(disk: MemoryDisk): Promise<Written[]> {
  let written: Written[] = [];
  for await (const item of checkObservations({ files: disk.files, folder: FOLDER })) {
    assert(!("torn" in item), "torn");
    if ("observation" in item) written.push(item);
    else if ("removals" in item) {
      const gone = ({ entry }: Written): boolean =>
        item.removals.some(({ before, last }) => before.seq < entry.seq && entry.seq <= last.seq);
      written = written.filter((one) => !gone(one));
    }
  }
  return written;
}

/** The same answers from the entries alone, the slow way. */
export function modelAnswers(written: readonly Written[], sizes: readonly bigint[]): Answers[] {
  return LOGS.map((log) => {
    const own = written.filter(({ observation }) => logIdOf(observation) === log.id);
    const firsts = new Map<string, SeenRoot>();
    const proven = new Map<string, number>();
    const last = new Map<string, Result>();
    const results = new Map<string, Set<Result>>();
    const counts: Partial<Record<Result, number>> = {};
    for (const { entry, observation } of own) {
      const { checkpoint, source, result, repeats, settled = [] } = observation;
      counts[result] = (counts[result] ?? 0) + (repeats ?? 1);
      for (const { size, root } of settled) {
        last.set(`${size} ${root}`, "consistent");
        results.get(`${size} ${root}`)?.add("consistent");
      }
      if (checkpoint === undefined) continue;
      const { size, root, note } = checkpoint;
      const key = `${size} ${root}`;
      if (!firsts.has(key)) {
        firsts.set(key, {
          ...{ treeSize: BigInt(size), root, note, source },
          ...{ seq: entry.seq, seenAt: entry.recorded_at },
        });
      }
      if (repeats !== undefined) continue;
      last.set(key, result);
      results.set(key, (results.get(key) ?? new Set()).add(result));
      const proves = result === "first" || result === "extends";
      if (proves && !proven.has(key)) proven.set(key, entry.seq);
    }
    const all = [...firsts].sort(([, a], [, b]) =>
      a.treeSize === b.treeSize ? a.seq - b.seq : a.treeSize < b.treeSize ? -1 : 1
    );
    const byProof = all.filter(([key]) => proven.has(key)).sort(([a, x], [b, y]) =>
      x.treeSize === y.treeSize ? proven.get(a)! - proven.get(b)! : x.treeSize > y.treeSize ? -1 : 1
    );
    const pending = all.filter(([key]) => OPEN_RESULTS.includes(last.get(key)!))
      .map(([, seen]) => seen);
    const agrees = (key: string): boolean =>
      AGREEING_RESULTS.some((result) => results.get(key)?.has(result)) &&
      !results.get(key)?.has("inconsistent") && !OPEN_RESULTS.includes(last.get(key)!);
    return {
      roots: sizes.map((size) => all.map(([, seen]) => seen).filter((s) => s.treeSize === size)),
      view: byProof[0]?.[1],
      pending,
      open: pending.map(({ note: _, ...question }) => question),
      openLoad: {
        questions: pending.length,
        noteBytes: pending.reduce((sum, { note }) => sum + utf8(note).length, 0),
      },
      counts,
      agreeing: all.filter(([key, { treeSize }]) => sizes.includes(treeSize) && agrees(key))
        .map(([, seen]) => seen),
    };
  });
}
