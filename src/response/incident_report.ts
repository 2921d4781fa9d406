/**
 * The report of an incident: a document that a stranger can follow. It says what is proven and by
 * what, what is not, what happened when, and how to check each claim without trusting who sends it.
 *
 * No sentence says more than the record proves (RULES R11).
 *
 * @module
 */
import type { ConflictRecord, RecordedCheckpoint } from "../evidence/record.ts";
import type { Result } from "../evidence/result.ts";
import { isItself, STATES } from "../evidence/transition.ts";
import { type Block, code, type Paper, type Text } from "./paper.ts";
import { checksOf } from "./report_checks.ts";
import type { Reported, Sighting } from "./reported.ts";
import { entryOf, type Incident, isFreezing } from "./runbook.ts";
import { pictureOf } from "./tree_picture.ts";

/** Most rows of the timeline that are sightings. */
const MAX_SIGHTINGS = 60;

/** Makes the report. */
export function reportOf(reported: Reported): Paper {
  const { incident, records, at, software } = reported;
  const { id, log, cause, steps } = incident;
  const what = cause === "equivocation"
    ? `the key of log ${log.origin} has signed two checkpoints that contradict each other`
    : `log ${log.origin} was frozen because of a ${cause}`;
  return {
    title: `${id}: ${what}`,
    blocks: [
      ...inShort(reported),
      ...meanings(),
      { heading: "The log that it is about" },
      { fact: "log", value: log.origin },
      { fact: "its key (vkey)", value: log.vkey },
      { heading: "Who noticed" },
      {
        say:
          "A monitor compares what a log shows to it with what others were shown. This one has " +
          "written down what is below. It is not what this report is about, and no proof rests on it.",
      },
      { fact: "monitor (its vkey)", value: steps[0]!.monitor },
      { fact: "report made", value: `${at}, by ${software}` },
      ...records.flatMap((record, i) => caseOf(record, { i, of: records.length, reported })),
      ...shownByLog(reported),
      ...timeline(reported),
      ...limits(incident),
      ...(cause === "equivocation" ? ifYours() : []),
      ...checksOf(reported),
    ],
  };
}

function inShort({ incident, records, failed }: Reported): Block[] {
  const { id, cause, state, accepted } = incident;
  const proven = cause === "equivocation"
    ? "What is proven: one key, the log's, has signed " +
      (records.length === 1 ? "two checkpoints" : "pairs of checkpoints") +
      " that no single history can have. A log promises that everyone sees one history."
    : "What is proven: nothing against the log. It was frozen because something did not fit; the " +
      "cause may be a broken server or network.";
  const by = cause === "equivocation"
    ? "By what: by the log's two signatures" +
      (records.some(({ kind }) => kind === "cross_size")
        ? ", and by hashes that anybody can compute again. They are in "
        : ". They are in ") +
      `the files of the bundle of ${id}, not in this report, which proves nothing by itself. Whoever ` +
      "has the files, and the log's vkey from the log's own documentation or operator, needs to trust " +
      "nobody. How to check it stands at the end."
    : failed === undefined
    ? "What was seen is in the timeline."
    : `What did not hold is in the files of the bundle of ${id}. How to check it stands at the end.`;
  const entry = entryOf(incident);
  const how = isFreezing(state)
    ? "The monitor accepts nothing new of the log until a person has resolved this"
    : "A person has resolved this, and the log goes on unless another incident stops it";
  const until = accepted === undefined
    ? "It has accepted nothing of the log before."
    : `It has accepted the log up to size ${accepted.size}.`;
  return [
    { heading: "In short" },
    { say: proven },
    { say: by },
    {
      say: `How it stands: the monitor's incident is in the state ${state} (of ` +
        `${STATES.join(", ")}) since ${entry.at}, by ${
          whoever(entry.by)
        }: ${entry.why}. ${how}. ${until}`,
    },
  ];
}

/** The few words that are needed, each once. */
function meanings(): Block[] {
  return [
    { heading: "Words" },
    {
      list: [
        "A log is a list of entries that anybody can read, to which entries are only ever added.",
        "Leaves are the log's entries as they are numbered, from 0.",
        "The root is one hash (SHA-256) of all leaves, computed as a tree: one leaf more, less or " +
        "different gives another root.",
        "The size is the number of leaves.",
        "A checkpoint is a statement, signed with the log's key, that the log has this size and this root.",
        "A vkey is the log's name and public key in one line, with which anybody can check its " +
        "signatures.",
      ],
    },
  ];
}

/** A name in a step, for people. The monitor writes its program's name where it acted by itself. */
export function whoever(by: string): string {
  return isItself(by) ? "the monitor itself" : by;
}

function caseOf(
  record: ConflictRecord,
  { i, of, reported }: { i: number; of: number; reported: Reported },
): Block[] {
  const { checkpoint_a: a, checkpoint_b: b, evidence_id: id, kind } = record;
  const { svg, words, drawing } = pictureOf(record);
  const { record: file } = reported.named(record);
  return [
    {
      heading: of === 1
        ? "What the log's key signed"
        : `What the log's key signed, case ${i + 1} of ${of}`,
    },
    {
      say: kind === "same_size"
        ? "These two checkpoints have the same size and different roots."
        : "These two checkpoints have different sizes. The record has a proof, a list of hashes, that " +
          "shows what the root at the smaller size must be if the larger checkpoint is true. The " +
          "log's key has signed another one there.",
    },
    ...checkpoint("checkpoint A", a, record.source_a),
    ...checkpoint("checkpoint B", b, record.source_b),
    { fact: "name of the case (evidence id)", value: id },
    { fact: "found by the monitor", value: record.detector_vkey ?? "nobody has signed that" },
    { fact: "found at", value: record.detected_at },
    { fact: "its record, a file of the bundle", value: file },
    {
      say:
        "An address is as the monitor calls it: 127.0.0.1 means the monitor's own machine. The proof " +
        "does not depend on it.",
    },
    { picture: svg, alternative: words, drawing },
  ];
}

/** What the log itself has shown to this monitor of the two, and what it showed last. */
function shownByLog({ records, sightings, latest }: Reported): Block[] {
  if (records.length === 0) return [];
  const list = records.flatMap(({ checkpoint_a: a, checkpoint_b: b }, i) =>
    [["A", a] as const, ["B", b] as const].map(([name, { size, root }]): Text => {
      const shown = sightings.find((one) => one.isOfLog && one.size === size && one.root === root);
      const which = `Checkpoint ${name}${records.length === 1 ? "" : ` of case ${i + 1}`}, ` +
        `of size ${size}: `;
      return which +
        (shown === undefined
          ? "the log itself has not shown it to this monitor, as far as the journal goes."
          : `the log itself has shown it to this monitor, first by ${shown.at}.`);
    })
  );
  return [
    { heading: "What the log itself shows" },
    { say: "This is what the monitor's journal says, and so its word:" },
    { list },
    {
      say: latest === undefined ? "The journal has nothing that the log itself has shown." : [
        `The last that the journal has of the log itself is size ${latest.size}, root `,
        code(latest.root!),
        `, written down at ${latest.at}. A checkpoint that is shown again and again is not ` +
        "written down each time.",
      ],
    },
    {
      say: [
        "If the bundle has the file ",
        code("answers/latest.note"),
        ", that is what the log answered when the bundle was made; its line in ",
        code("manifest.json"),
        " says when.",
      ],
    },
  ];
}

function checkpoint(name: string, { size, root }: RecordedCheckpoint, source: string): Block[] {
  return [
    { fact: `${name}, size`, value: size },
    { fact: `${name}, root`, value: root },
    { fact: `${name}, shown to the monitor by`, value: source },
  ];
}

/** What each result says to somebody who does not know them. */
const RESULT_WORDS: Readonly<Record<Result, string>> = {
  first: "the first that the monitor saw of the log",
  extends: "it extends what the monitor knew",
  unchanged: "nothing new",
  "rolled back": "older than what the monitor knew, and part of it",
  inconsistent: "it contradicts another checkpoint of the log",
  unproven: "nothing shows that it fits what the monitor knew",
  frozen: "the log has not grown for long",
  unavailable: "no answer that can be used",
  withheld: "the log does not show it to the monitor",
  pending: "not compared yet",
  consistent: "part of what the monitor knew",
  matches: "the same as the monitor was shown",
  refused: "left out, for lack of room",
  unverified: "the log's key has not signed it",
};

/** What happened when, by this monitor's clock. */
function timeline({ incident, records, sightings }: Reported): Block[] {
  const shown = sightings.length <= MAX_SIGHTINGS
    ? sightings
    : [...sightings.slice(0, MAX_SIGHTINGS / 2), ...sightings.slice(-MAX_SIGHTINGS / 2)];
  const rows = [
    ...shown.map((sighting) => ({ at: sighting.at, what: seen(sighting), who: sighting.source })),
    ...records.map((record) => ({
      at: record.detected_at,
      what: ["the case ", { code: record.evidence_id }, " was found"],
      who: record.detector_id ?? "",
    })),
    ...incident.steps.map(({ at, from, to, by, why }) => ({
      at,
      what: from === null
        ? `incident opened: ${why}`
        : from === to
        ? `more evidence: ${why}`
        : `${from} → ${to}: ${why}`,
      who: whoever(by),
    })),
  ].toSorted((one, other) => one.at < other.at ? -1 : one.at > other.at ? 1 : 0);
  const left = sightings.length - shown.length;
  return [
    { heading: "What happened when" },
    {
      say:
        "Times are UTC, by the clock of the monitor. They are its word: the signatures prove what " +
        "was signed, and not when. A sighting has the time when it was written down, which may be a moment " +
        "after the case was found." +
        (left === 0 ? "" : ` Of ${sightings.length} sightings ${left} are left out here.`),
    },
    {
      titles: ["time", "what", "who, or from whom"],
      rows: rows.map(({ at, what, who }) => [at, what, who]),
    },
  ];
}

function seen({ result, detail, size, root }: Sighting): Text {
  const words = detail === undefined ? RESULT_WORDS[result] : `${RESULT_WORDS[result]} (${detail})`;
  if (size === undefined || root === undefined) return words;
  return [`checkpoint of size ${size}, root `, { code: root }, `: ${words}`];
}

/** What the operator of the log can do, whom the report may reach first. */
function ifYours(): Block[] {
  return [
    { heading: "If you run this log" },
    {
      list: [
        "Keep the log's data, its backups and the logs of its machines as they are. This report accuses nobody.",
        "Compute the roots of your own tree at the sizes above. They say which of the two it has, or " +
        "neither.",
        "Find out who could use the key: people, machines, copies and backups of it.",
        "Find out whether anything was restored, reset, copied or moved before these times.",
        "Answer whoever sent you this, and say what you found.",
      ],
    },
  ];
}

function limits({ cause }: Incident): Block[] {
  return [
    { heading: "What this does not say" },
    {
      list: cause === "equivocation"
        ? [
          "Why it happened. On purpose, from a restored backup or by a developer's mistake: the " +
          "signatures look the same. People have to find that out.",
          "Who used the log's key. Whoever had it could sign both. The log's operator can say which of " +
          "the two its own tree has, and who could use the key.",
          "Which entries differ, unless somebody shows them.",
          "That whoever showed a checkpoint did anything wrong. Showing it is how it was found.",
        ]
        : [
          "That the log's key has signed two histories. No such pair is known here.",
          "That the log is at fault. A cache, a proxy or the network between may be.",
        ],
    },
  ];
}
