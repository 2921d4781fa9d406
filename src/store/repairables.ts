/**
 * The two kinds of journals, as a repair sees them: where the damage begins, and what of it counts by
 * itself.
 *
 * @module
 */
import { join } from "@std/path/join";
import type { JsonObject } from "../evidence/json.ts";
import { isObject } from "../tlog/members.ts";
import { PROVING_RESULTS } from "../evidence/result.ts";
import { isTransition, parseTransition, type Transition } from "../evidence/transition.ts";
import { verifyConflict } from "../evidence/verify.ts";
import { openCheckpoint } from "../tlog/checkpoint.ts";
import { textOf } from "../tlog/encoding.ts";
import { makeLog } from "../tlog/log.ts";
import { parseVkey } from "../tlog/vkey.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import type { Line } from "../world/reading.ts";
import type { Files } from "../world/world.ts";
import { Cases, readIncidents, recordOf, repairOf, transitionOf } from "./incidents.ts";
import { EntryNotKnown, JOURNAL_FILE, JournalDamaged, openLocked } from "./journal.ts";
import { logIdOf, type Observation, type ObservedLog } from "./observation.ts";
import { OBSERVATIONS_NAME } from "./observations.ts";
import { parseRemovals, type Removal } from "./removal.ts";
import { isRepair } from "./repaired.ts";
import {
  type Again,
  type Damage,
  KeptParts,
  linesOf,
  type Lost,
  type Outcome,
  type Part,
  type Repairable,
  wholeEntry,
} from "./repairing.ts";
import { listSegments, readWalking, removeAside } from "./segments.ts";
import { nameOf, Spelling } from "./spelling.ts";
import { segmentName, Walk } from "./walk.ts";

const latin1 = new TextDecoder("latin1");

/** Where a journal is. */
interface Place {
  readonly files: Files;
  readonly folder: string;
}

/** The incident journal of a folder. */
export function repairableIncidents({ files, folder }: Place): Repairable {
  return {
    ...{ files, folder, isObservations: false },
    lock: () => openLocked({ files, folder, name: JOURNAL_FILE }),
    damage: () => incidentDamage({ files, folder }),
    finish: () => Promise.resolve(),
    outcome: (damage) => casesAgain({ files, folder }, damage),
  };
}

async function incidentDamage({ files, folder }: Place): Promise<Damage | undefined> {
  const kept = new KeptParts();
  try {
    for await (const item of readIncidents({ files, folder })) {
      if (!("entry" in item)) continue;
      const { entry, line } = item;
      try {
        if (isRepair(entry.record)) repairOf(entry, folder);
        else if (isTransition(entry.record)) transitionOf(entry, folder);
        else recordOf(entry, folder);
      } catch (error) {
        if (!(error instanceof JournalDamaged) || error instanceof EntryNotKnown) throw error;
        throw new JournalDamaged(error.path, error.what, line);
      }
      kept.take(JOURNAL_FILE, item);
    }
    return undefined;
  } catch (error) {
    const isDamage = error instanceof JournalDamaged && !(error instanceof EntryNotKnown);
    if (!isDamage || error.line === undefined) throw error;
    const { at, number } = error.line;
    return {
      ...{ error, after: kept.last, kept: kept.parts(JOURNAL_FILE) },
      aside: [{ name: JOURNAL_FILE, from: at, line: number }],
    };
  }
}

/**
 * The records set aside that hold by themselves, and whose cases the kept part does not have; and the
 * steps of incidents. All other lines, except statements of repairs, are lost: a case may have been in
 * them. A step whose predecessor is lost counts for nothing (see the runbook).
 */
async function casesAgain(place: Place, { kept, aside }: Damage): Promise<Outcome> {
  const cases = new Cases();
  const again: Again[] = [];
  const lost: Lost[] = [];
  for (const [parts, isKept] of [[kept, true], [aside, false]] as const) {
    for (const part of parts) {
      if (part.to === 0) continue;
      for await (const line of linesOf(place, part)) {
        const input = recordIn(line);
        if (line.bytes.length === 0 || (input !== undefined && isRepair(input))) continue;
        if (input !== undefined && isTransition(input)) {
          const step = soundTransition(input);
          if (isKept) continue;
          if (step === undefined) lost.push({ from: part.name, what: lostStep(line, part) });
          else again.push({ record: input, what: `${step.incident}, the step to ${step.to}` });
          continue;
        }
        const { outcome, record, signed } = verifyConflict({ input: input ?? {} });
        if (outcome !== "holds" || !signed) {
          if (!isKept) lost.push({ from: part.name, what: lostRecord(line, part) });
          continue;
        }
        if (cases.find(record!) !== undefined) continue;
        cases.add(record!, line.number);
        const id = record!.evidence_id.slice(0, 16);
        if (!isKept) again.push({ record: input!, what: `the conflict record ${id}…` });
      }
    }
  }
  return { again, lost };
}

/** The step of an incident that a record states, if it holds. */
function soundTransition(record: JsonObject): Transition | undefined {
  try {
    return parseTransition(record);
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/** Names a step of an incident that cannot be used. */
function lostStep(line: Line, part: Part): string {
  return `the step of an incident in entry ${numberIn(part, line)}`;
}

/** Names the record of a line that cannot be used. An entry has the number of its line. */
function lostRecord(line: Line, part: Part): string {
  const [, id] = /"evidence_id":"([0-9a-f]{64})"/.exec(latin1.decode(line.bytes)) ?? [];
  const named = id === undefined ? "whose evidence_id cannot be read" : `evidence_id ${id}`;
  return `the conflict record of entry ${numberIn(part, line)}, ${named}`;
}

/** The number of a line in its file. */
function numberIn(part: Part, { number }: Line): number {
  return part.line + number - 1;
}

/** What a line has as its record, whether or not the rest of the line is as it was written. */
function recordIn({ bytes, tooLong }: Line): JsonObject | undefined {
  if (tooLong) return undefined;
  try {
    const members: unknown = JSON.parse(textOf(bytes));
    return isObject(members) && isObject(members.record) ? members.record : undefined;
  } catch {
    return undefined;
  }
}

/** The observation journal of a folder. */
export function repairableObservations({ files, folder }: Place): Repairable {
  const place = { files, folder, name: OBSERVATIONS_NAME };
  return {
    ...{ files, folder, isObservations: true },
    lock: () => openLocked({ files, folder, name: `${OBSERVATIONS_NAME}.lock` }),
    damage: () => observationDamage(place),
    finish: async () => {
      const walk = new Walk(place);
      for await (const _ of readWalking(place, walk));
      const numbers = await listSegments(place);
      await removeAside(place, numbers.filter((number) => walk.isAside(number)));
    },
    outcome: (damage) => viewsAgain({ files, folder }, damage),
  };
}

async function observationDamage(
  place: Place & { name: string },
): Promise<Damage | undefined> {
  const walk = new Walk(place);
  const kept = new KeptParts();
  const found = await firstDamage(place, { walk, kept });
  if (found === undefined) return undefined;
  const numbers = (await listSegments(place)).filter((number) => !walk.isAside(number));
  const nameOf = (number: number): string => segmentName(place.name, number);
  const asideFrom = (number: number, at = 0, line = 1): Part[] =>
    numbers.filter((one) => one >= number).map((one) => ({
      name: nameOf(one),
      ...(one === number ? { from: at, line } : { from: 0, line: 1 }),
    }));
  let { error } = found;
  let aside = found.number === undefined
    ? []
    : asideFrom(found.number, error.line?.at, error.line?.number);
  // What was removed before the damage may be stated only after it.
  const removals = await lastRemovals(place, aside) ?? walk.removals;
  const gap = walk.gap(removals);
  if (gap !== undefined) {
    error = new JournalDamaged(gap.path, gap.what);
    aside = asideFrom(gap.next.number);
    const dropped = new Set(aside.map(({ name }) => name));
    kept.drop((name) => dropped.has(name));
  }
  const parts = kept.parts(nameOf(1));
  const lastKept = numbers.find((number) => nameOf(number) === parts.at(-1)!.name) ?? 1;
  return {
    ...{ error, after: kept.last, kept: parts, aside },
    next: walk.nextAfter(numbers.at(-1)!),
    removed: removals.filter(({ to }) => to < lastKept),
  };
}

/** The first damage, and the segment it is in; no segment if it is only that segments are missing. */
async function firstDamage(
  place: Place & { name: string },
  { walk, kept }: { walk: Walk; kept: KeptParts },
): Promise<{ error: JournalDamaged; number?: number } | undefined> {
  const spelling = new Spelling();
  const nameIn = (path: string): string => path.slice(join(place.folder, "x").length - 1);
  try {
    for await (const item of readWalking(place, walk)) {
      if (!("entry" in item)) continue;
      const { entry, line, path } = item;
      try {
        if (!("removed" in entry.record) && !isRepair(entry.record)) {
          spelling.read(entry.record, path);
        }
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error;
        const what = `line ${line.number} holds no observation: ${error.message}`;
        throw new EntryNotKnown(path, what, line);
      }
      kept.take(nameIn(path), item);
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof JournalDamaged) || error instanceof EntryNotKnown) throw error;
    const name = nameIn(error.path);
    const number = (await listSegments(place)).find((one) => segmentName(place.name, one) === name);
    // What of the segment is kept counts where gaps are looked for.
    if (kept.has(name)) walk.leave(error.path);
    return { error, ...(number !== undefined && { number }) };
  }
}

/** The removals that the last whole statement in these parts has. */
async function lastRemovals(
  place: Place,
  parts: readonly Part[],
): Promise<readonly Removal[] | undefined> {
  let last: readonly Removal[] | undefined;
  for (const part of parts) {
    for await (const line of linesOf(place, part)) {
      const entry = wholeEntry(line);
      if (entry === undefined || !("removed" in entry.record)) continue;
      try {
        last = parseRemovals(entry.record);
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error;
      }
    }
  }
  return last;
}

/**
 * Of each log the largest checkpoint that was proven, if it is larger than those of the kept part. If
 * that part knows the log, it is written again as an open question: the next looks prove that the log
 * still has that history. If it does not, this is the first that is known of the log, as it was once,
 * and the log is held to it.
 */
async function viewsAgain(place: Place, { kept, aside }: Damage): Promise<Outcome> {
  const { largest: before } = await largestProven(place, kept);
  const { largest: after, lost } = await largestProven(place, aside, kept.at(-1));
  const again = [...after].filter(([log, { size }]) => size > (before.get(log)?.size ?? -1n))
    .map(([id, { size, observation: { log, source, via, checkpoint } }]) => {
      const [result, as] = before.has(id) ? ["pending", "an open question"] : ["first", "our view"];
      return {
        record: {
          ...{ log, via, source, checkpoint, result },
          detail: "this was our view, in a part of the journal that a repair set aside",
        },
        what: `the largest checkpoint of ${quoted(log.origin)}, size ${size}, as ${as}`,
      };
    });
  return { again, lost };
}

interface Proven {
  readonly size: bigint;
  readonly observation: Observation;
}

/** @param before the part that comes before these: logs may be spelled out in it */
async function largestProven(
  place: Place,
  parts: readonly Part[],
  before?: Part,
): Promise<{ largest: Map<string, Proven>; lost: Lost[] }> {
  const reader = new LenientReader();
  const largest = new Map<string, Proven>();
  const lost: Lost[] = [];
  for (const part of before === undefined ? parts : [before, ...parts]) {
    if (part.to === 0) continue;
    for await (const line of linesOf(place, part)) {
      const observation = reader.read(line, part.name);
      if (part === before) continue;
      if (observation === undefined) {
        if (mayShow(line)) {
          lost.push({ from: part.name, what: `the observation in line ${numberIn(part, line)}` });
        }
        continue;
      }
      const { result, checkpoint, repeats } = observation;
      if (checkpoint === undefined || repeats !== undefined) continue;
      if (!PROVING_RESULTS.includes(result)) continue;
      const [log, size] = [logIdOf(observation), BigInt(checkpoint.size)];
      if (size > (largest.get(log)?.size ?? -1n)) largest.set(log, { size, observation });
    }
  }
  return { largest, lost };
}

/** Whether a line that cannot be used may have shown a checkpoint. */
function mayShow(line: Line): boolean {
  const record = recordIn(line);
  return record === undefined ? line.bytes.length > 0 : "checkpoint" in record;
}

/** Reads what can be read of damaged segments. */
class LenientReader {
  readonly #spelling = new Spelling();
  /** By name and origin: a segment may name a log in a line whose spelling out is damaged. */
  readonly #logs = new Map<string, ObservedLog>();

  /** The observation of a line, if the entry is whole, or if the log has signed what it shows. */
  read(line: Line, segment: string): Observation | undefined {
    const record = recordIn(line);
    if (record === undefined) return undefined;
    let observation: Observation;
    try {
      observation = this.#spelling.read(this.#spelledOut(record), segment);
    } catch (error) {
      if (error instanceof MalformedError) return undefined;
      throw error;
    }
    if (wholeEntry(line) === undefined && !isSigned(observation)) return undefined;
    const { log } = observation;
    this.#logs.set(`${nameOf(log)}\n${log.origin}`, log);
    return observation;
  }

  #spelledOut(record: JsonObject): JsonObject {
    const { log, checkpoint } = record;
    if (typeof log !== "string" || typeof checkpoint !== "string") return record;
    const known = this.#logs.get(`${log}\n${checkpoint.split("\n", 1)[0]}`);
    return known === undefined ? record : { ...record, log: { ...known } };
  }
}

/** Whether the log that an observation names has signed the note that it shows. */
function isSigned({ log: { origin, vkey }, checkpoint }: Observation): boolean {
  if (checkpoint === undefined) return false;
  const { note, size, root } = checkpoint;
  const opened = openCheckpoint({ note, logs: [makeLog({ vkey: parseVkey(vkey), origin })] });
  return !("refused" in opened) &&
    opened.some((one) => `${one.treeSize}` === size && one.root === root);
}
