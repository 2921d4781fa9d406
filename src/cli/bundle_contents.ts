/**
 * What is put into the bundle of an incident, and its report.
 *
 * @module
 */
import { canonicalize } from "@std/json/canonicalize";
import type { JsonObject } from "../evidence/json.ts";
import { type ConflictRecord, formatRecord } from "../evidence/record.ts";
import { verifyConflict } from "../evidence/verify.ts";
import { type Failed, hashOf } from "../monitor/failed_answers.ts";
import { isTheLog } from "../monitor/the_log.ts";
import type { Content } from "../response/bundle.ts";
import { reportOf } from "../response/incident_report.ts";
import { asHtml, asMarkdown, type Paper } from "../response/paper.ts";
import type { CaseFiles, FailedFiles, Sighting } from "../response/reported.ts";
import { utf8 } from "../tlog/encoding.ts";
import { shellWord } from "../world/shell_word.ts";
import { SOFTWARE } from "../world/version.ts";
import { evidenceFile } from "./export.ts";
import type { Gathered } from "./incident_gather.ts";

/** So many digits of an evidence id tell cases apart in file names. */
const SHORT_DIGITS = 16;

/** Where the files of a case are in a bundle. */
export function filesOf({ evidence_id }: ConflictRecord): CaseFiles {
  const name = evidence_id.slice(0, SHORT_DIGITS);
  return {
    record: `records/${name}.json`,
    noteA: `answers/${name}-a.note`,
    noteB: `answers/${name}-b.note`,
  };
}

const FAILED = {
  note: "answers/failed.note",
  proof: "answers/failed-proof.json",
  older: "answers/failed-older.note",
  newer: "answers/failed-newer.note",
} as const;

/** The files of what did not hold. */
function contentsOfFailed(failed: Failed): Content[] {
  const answer = (name: string, what: string, content: string): Content => ({
    ...{ name, kind: "answer", what, content: utf8(content) },
  });
  if (failed.kind === "note") {
    return [answer(FAILED.note, "what was shown as the log's, and is not signed", failed.content)];
  }
  const { older, newer } = failed.stored;
  return [
    answer(FAILED.proof, "the proof that does not hold, with both checkpoints", failed.content),
    answer(FAILED.older, "the checkpoint from which it was to lead", older.note),
    answer(FAILED.newer, "the checkpoint to which it was to lead", newer.note),
  ];
}

function filesOfFailed(failed: Failed | undefined): FailedFiles | undefined {
  if (failed === undefined) return undefined;
  const sha256 = hashOf(failed.content);
  if (failed.kind === "note") {
    return { kind: "note", sha256, note: { file: FAILED.note, text: failed.content } };
  }
  const { older, newer } = failed.stored;
  return {
    ...{ kind: "proof", sha256, proof: FAILED.proof },
    older: { file: FAILED.older, text: older.note, vkey: older.vkey },
    newer: { file: FAILED.newer, text: newer.note, vkey: newer.vkey },
  };
}

/** Why the numbers of entries in a bundle may begin later than with 1, and have gaps. */
const LEFT_OUT = "entries of other matters are left out";

/** The file of a step, counted from 0. */
export function stepFile(i: number): string {
  return `steps/${String(i + 1).padStart(2, "0")}.json`;
}

/** What the log showed, and what others told. */
export const OBSERVATION_FILES = ["observations.jsonl", "gossip.jsonl"] as const;

/** The line of an observation in one of these. */
export function lineOf(observed: Gathered["observations"][number]): string {
  return canonicalize(observed as unknown as JsonObject);
}

/** The files of a bundle, as they follow from what was gathered and from nothing else. */
export function contentsOf(gathered: Gathered): Content[] {
  const { records, steps, observations, failed } = gathered;
  const page = paperOf(gathered);
  const lines = (some: Gathered["observations"]): Uint8Array<ArrayBuffer> =>
    utf8(some.map((one) => `${lineOf(one)}\n`).join(""));
  const shown = observations.filter(({ observation: { via } }) => via !== "exchange");
  const told = observations.filter(({ observation: { via } }) => via === "exchange");
  return [
    ...records.flatMap((record): Content[] => {
      const { record: name, noteA, noteB } = filesOf(record);
      const judgement = verifyConflict({ input: record as unknown as JsonObject });
      const [a, b] = [record.checkpoint_a, record.checkpoint_b];
      return [
        {
          ...{ name, kind: "record", what: `the conflict record ${record.evidence_id}` },
          content: utf8(`${formatRecord(record)}\n`),
        },
        {
          ...{ name: name.replace(/json$/, "txt"), kind: "text", what: "the same with words" },
          content: utf8(evidenceFile({ record, judgement })),
        },
        {
          ...{ name: noteA, kind: "answer", what: `checkpoint A, as it was shown` },
          content: utf8(a.note),
        },
        {
          ...{ name: noteB, kind: "answer", what: `checkpoint B, as it was shown` },
          content: utf8(b.note),
        },
      ];
    }),
    ...(failed === undefined ? [] : contentsOfFailed(failed)),
    ...steps.map((entry, i): Content => ({
      name: stepFile(i),
      ...{ kind: "steps", what: `entry ${entry.seq} of the incident journal; ${LEFT_OUT}` },
      content: utf8(`${canonicalize(entry as unknown as JsonObject)}\n`),
    })),
    {
      ...{ name: OBSERVATION_FILES[0], kind: "observations", content: lines(shown) },
      what: `what the log showed to this monitor, with the entries of its journal; ${LEFT_OUT}`,
    },
    {
      ...{ name: OBSERVATION_FILES[1], kind: "observations", content: lines(told) },
      what: `what others told of the log, with the entries of the journal; ${LEFT_OUT}`,
    },
    {
      ...{ name: "report.md", kind: "text", what: "the report, as Markdown" },
      content: utf8(asMarkdown(page)),
    },
    {
      ...{ name: "report.html", kind: "text", what: "the same as HTML, with pictures" },
      content: utf8(asHtml(page)),
    },
  ];
}

function sightingOf({ entry, observation }: Gathered["observations"][number]): Sighting {
  const { source, result, detail, checkpoint } = observation;
  return {
    ...{ at: entry.recorded_at, source, isOfLog: isTheLog(source), result, detail },
    ...{ size: checkpoint?.size, root: checkpoint?.root },
  };
}

/** The report about what was gathered. */
export function paperOf(gathered: Gathered): Paper {
  const { incident, records, observations } = gathered;
  const heads = new Set(
    records.flatMap(({ checkpoint_a: a, checkpoint_b: b }) =>
      [a, b].map(({ size, root }) => `${size} ${root}`)
    ),
  );
  const sightings = observations.filter(({ observation: { checkpoint, result } }) =>
    checkpoint === undefined
      ? records.length === 0
      : records.length === 0 && result !== "unchanged" ||
        heads.has(`${checkpoint.size} ${checkpoint.root}`)
  ).map(sightingOf);
  const latest = observations.map(sightingOf).findLast(({ isOfLog, size }) =>
    isOfLog && size !== undefined
  );
  return reportOf({
    ...{ incident, records, sightings, latest, named: filesOf, word: shellWord },
    ...{ at: gathered.at, software: SOFTWARE, failed: filesOfFailed(gathered.failed) },
  });
}
