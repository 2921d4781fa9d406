/**
 * What a monitor knows of an incident: what its journals have, what did not hold, and what the log
 * answers now.
 *
 * @module
 */
import { canonicalize } from "@std/json/canonicalize";
import type { Entry } from "../evidence/entry.ts";
import type { JsonObject } from "../evidence/json.ts";
import type { ConflictRecord } from "../evidence/record.ts";
import { isTransition } from "../evidence/transition.ts";
import { Opinions, verifyConflict } from "../evidence/verify.ts";
import { type Failed, readFailed } from "../monitor/failed_answers.ts";
import type { Settings } from "../monitor/settings.ts";
import type { Content } from "../response/bundle.ts";
import type { Incident } from "../response/runbook.ts";
import { openSource } from "../sources/open.ts";
import { SourceUnavailable } from "../sources/source.ts";
import { isCase, readIncidents, recordOf, transitionOf } from "../store/incidents.ts";
import { logIdOf, type Observation } from "../store/observation.ts";
import { checkObservations } from "../store/observations.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { timeNow } from "../world/time.ts";
import { type World, WorldError } from "../world/world.ts";

/** Most observations of a log that go into a bundle besides those of the heads that it is about. */
const MAX_OBSERVATIONS = 5_000;
/** What the log answers now, which the journals do not have. */
export const LATEST_FILE = "answers/latest.note";

/** What the journals have of an incident. */
export interface Gathered {
  /** When it was read there, RFC 3339 in UTC. */
  readonly at: string;
  readonly incident: Incident;
  readonly records: readonly ConflictRecord[];
  readonly steps: readonly Entry[];
  readonly observations: readonly { entry: Entry; observation: Observation }[];
  /** What did not hold and made the monitor open the incident. */
  readonly failed: Failed | undefined;
  readonly missing: readonly string[];
}

/** Reads the journals. @throws JournalDamaged, WorldError */
export async function gather(
  incident: Incident,
  { world: { files, clock }, settings }: { world: World; settings: Settings },
): Promise<Gathered> {
  const missing: string[] = [];
  const records: ConflictRecord[] = [];
  const steps: Entry[] = [];
  const opinions = new Opinions();
  for await (const item of readIncidents({ files, folder: settings.incidents })) {
    if (!("entry" in item)) continue;
    const { entry } = item;
    if (isTransition(entry.record)) {
      const step = transitionOf(entry, settings.incidents);
      const counts = incident.steps.some((one) =>
        canonicalize(one as unknown as JsonObject) === canonicalize(step as unknown as JsonObject)
      );
      if (counts) steps.push(entry);
    } else if (isCase(entry.record)) {
      const record = recordOf(entry, settings.incidents);
      if (!incident.cases.includes(record.evidence_id)) continue;
      const { outcome } = verifyConflict({ input: entry.record, opinions });
      if (outcome === "holds") records.push(record);
      else missing.push(`the record ${record.evidence_id}, which does not hold (${outcome})`);
    }
  }
  for (const id of incident.cases) {
    const isHere = records.some((record) => record.evidence_id === id);
    if (!isHere && !missing.some((one) => one.includes(id))) {
      missing.push(`the record ${id}: the incident journal has lost it`);
    }
  }
  const heads = new Set(
    records.flatMap(({ checkpoint_a: a, checkpoint_b: b }) =>
      [a, b].map(({ size, root }) => `${size} ${root}`)
    ),
  );
  const about: Gathered["observations"][number][] = [];
  let others: Gathered["observations"][number][] = [];
  let left = 0;
  for await (const item of checkObservations({ files, folder: settings.state })) {
    if (!("observation" in item) || logIdOf(item.observation) !== incident.logId) continue;
    const { entry, observation } = item;
    const { checkpoint, against } = observation;
    const isAbout = [checkpoint, against].some((head) =>
      head !== undefined && heads.has(`${head.size} ${head.root}`)
    );
    (isAbout ? about : others).push({ entry, observation });
    if (others.length > 2 * MAX_OBSERVATIONS) {
      left += others.length - MAX_OBSERVATIONS;
      others = others.slice(-MAX_OBSERVATIONS);
    }
  }
  if (left > 0) missing.push(`${left} older observations of other checkpoints of the log`);
  const observations = [...about, ...others].toSorted((a, b) => a.entry.seq - b.entry.seq);
  const failed = await failedOf(incident, { files, settings, missing });
  return { at: timeNow(clock), incident, records, steps, observations, failed, missing };
}

/** What did not hold, if that is the cause. Where it is not there, `missing` takes why. @throws WorldError */
async function failedOf(
  { cause, steps }: Incident,
  { files, settings, missing }: { files: World["files"]; settings: Settings; missing: string[] },
): Promise<Failed | undefined> {
  if (cause === "equivocation") return undefined;
  try {
    const failed = await readFailed({ files, state: settings.state }, steps[0]!);
    if (failed === undefined) missing.push("what did not hold: the first step names nothing");
    return failed;
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    missing.push(`what did not hold: ${error.message}`);
    return undefined;
  }
}

/** Asks the log what it shows now. */
export async function askLog(
  { logId }: Incident,
  { world, settings }: { world: World; settings: Settings },
): Promise<{ answer: Content[]; missing: string[] }> {
  const followed = settings.logs.find(({ log }) => log.id === logId);
  if (followed === undefined) {
    return {
      answer: [],
      missing: ["what the log answers now: the configuration does not follow it"],
    };
  }
  try {
    const { log, source } = followed;
    const note = await openSource({ world, log, source, contact: settings.contact }).latest();
    const at = timeNow(world.clock);
    const what = `the log's latest checkpoint as it answered at ${at}`;
    const content = Uint8Array.from(note);
    return {
      answer: [{ name: LATEST_FILE, kind: "answer", what, content }],
      missing: [],
    };
  } catch (error) {
    const isOutage = error instanceof SourceUnavailable || error instanceof WorldError ||
      error instanceof MalformedError;
    if (!isOutage) throw error;
    return { answer: [], missing: [`what the log answers now: ${error.message}`] };
  }
}
