/**
 * One case on a page: whether its record holds, its two halves side by side, what is proven by them and
 * what is not.
 *
 * @module
 */
import type { JsonObject } from "../evidence/json.ts";
import type { ConflictRecord, RecordedCheckpoint } from "../evidence/record.ts";
import { type Judgement, verifyConflict } from "../evidence/verify.ts";
import type { ReadCase } from "../monitor/case_reader.ts";
import { isTheLog } from "../monitor/the_log.ts";
import { statementsEpoch } from "../swarm/statement.ts";
import { type Html, html, lines } from "./html.ts";
import { partingPicture } from "./page_parting.ts";
import { badge, leftOut, section } from "./page_parts.ts";
import { ago, grouped, nameIn, shortened, utc } from "./page_words.ts";

/** Most characters of a signed note on the page. The record has all of it. */
const MAX_NOTE = 4_000;

/** Whom a record is about. */
export type Subject = "log" | "monitor" | "witness";

/** A case, with a judgement over its record of just now. */
export interface JudgedCase extends ReadCase {
  readonly judgement: Judgement;
  readonly subject: Subject;
}

/** Judges the record of a case. */
export function judged({ seq, record }: ReadCase): JudgedCase {
  const judgement = verifyConflict({ input: record as unknown as JsonObject });
  return { seq, record, judgement, subject: subjectOf(record, judgement) };
}

function subjectOf({ kind }: ConflictRecord, { log }: Judgement): Subject {
  if (kind === "same_size_cosigned") return "witness";
  return log !== undefined && statementsEpoch(log) !== undefined ? "monitor" : "log";
}

/** Whom a record is about: the log's origin, or the name of the monitor's or the witness's key. */
export function nameOfSubject({ record: { log }, subject }: JudgedCase): string {
  return subject === "log" ? log.origin : log.vkey.split("+")[0]!;
}

/** What somebody has done that contradicts itself, a sentence without its full stop. */
export function deedOf(one: JudgedCase): Html {
  const name = nameIn(nameOfSubject(one));
  switch (one.subject) {
    case "log":
      return html`the key of log ${name} has signed two checkpoints that contradict each other`;
    case "monitor":
      return html`the key of monitor ${name} has signed two different statements under one number`;
    case "witness":
      return html`the key of witness ${name} has cosigned two checkpoints that contradict each other, of log ${
        nameIn(one.record.log.origin)
      }`;
  }
}

/** What it means, for whoever has never heard of such a thing. For a record that holds. */
export function inShort({ subject }: JudgedCase): Html {
  switch (subject) {
    case "log":
      return html`<p>A transparency log promises that everyone sees one history. The key of this one has signed two that cannot
both be true: that is proven. Some people may have been shown what others were not. Why it happened is not known.</p>`;
    case "monitor":
      return html`<p>A monitor numbers what it says, and signs it. The key of this one has signed two things under one
number: that is proven. Why it happened is not known.</p>`;
    case "witness":
      return html`<p>A witness says by its cosignature that a log continues one history. The key of this one has cosigned two
that cannot both be true: that is proven. Why it happened is not known.</p>`;
  }
}

/** Whether the record holds, as it was found just now. */
export function verdict({ judgement: { outcome, checks }, subject }: JudgedCase): Html {
  if (outcome === "holds") {
    return html`<p>${badge("good", "The evidence holds.")} This monitor has just verified it again:
both signatures are those of the ${subject}'s key, and the two contradict each other. You need not believe that:
steps 1 and 2 below let you verify it yourself.</p>`;
  }
  const failed = checks.filter(({ ok }) => !ok);
  return html`<p>${
    badge("bad", outcome === "disputed" ? "The record is disputed." : "The record does not hold.")
  }
It proves nothing. Do not send it to anyone as evidence. Keep the journal as it is, and compare it with your
backup.</p>
<ul>${failed.map(({ name, detail }) => html`<li>${name}: ${shortened(detail, 1_000)}</li>`)}</ul>`;
}

/** What the record says of whom it is about, and of who found it. */
export function caseFacts(one: JudgedCase, now: string): Html {
  const { seq, record, subject, judgement: { outcome } } = one;
  return html`
    <dl class="facts">
      <dt>${outcome === "holds" ? SUBJECTS[subject] : "It is said to be about"}</dt>
      <dd>${nameIn(record.log.origin)}</dd>
      <dt>Public key (vkey) of the ${subject}</dt>
      <dd><code class="root">${record.log.vkey}</code></dd>
      <dt>Found</dt>
      <dd>${ago(record.detected_at, now)} (${utc(
        record.detected_at,
      )}) by ${record.detector_id === null
        ? "nobody who signed it"
        : ["monitor ", nameIn(record.detector_id)]}</dd>
      <dt>Number in this monitor's journal</dt>
      <dd>case ${seq}</dd>
      <dt>Name of the case for all monitors (evidence_id)</dt>
      <dd><code class="root">${record.evidence_id}</code></dd>
    </dl>
  `;
}

const SUBJECTS: Readonly<Record<Subject, string>> = {
  log: "Log",
  monitor: "List of what the monitor said",
  witness: "Log that it cosigned",
};

/** The two halves of a case. */
export function halves(record: ConflictRecord): Html {
  const { checkpoint_a: a, checkpoint_b: b, source_a, source_b } = record;
  return section("halves", "The evidence, in two halves", [
    html`<p>A checkpoint states how many entries the log has (size), and a hash over all of them (root).</p>`,
    partingPicture(record),
    html`<div class="halves">${half("A", a, source_a)}${half("B", b, source_b)}</div>`,
    !(isTheLog(source_a) && isTheLog(source_b)) &&
    html`<p>An address is as the monitor that found it calls it: 127.0.0.1 means that monitor's own machine. The proof does
not depend on it.</p>`,
  ]);
}

/** Who has shown a checkpoint, for people. */
export function shownBy(source: string): string {
  return isTheLog(source) ? "the log itself" : shortened(source);
}

function half(name: "A" | "B", { size, root, note }: RecordedCheckpoint, source: string): Html {
  const shown = note.slice(0, MAX_NOTE);
  return html`
    <article aria-labelledby="half-${name}">
    <h3 id="half-${name}">Checkpoint ${name}${name === "A" && html`
      <small>(seen first)</small>
    `}</h3>
    <dl class="facts">
    <dt>Size</dt><dd>${grouped(size)}</dd>
    <dt>Root</dt><dd><code class="root">${root}</code></dd>
    <dt>Shown by</dt><dd>${shownBy(source)}</dd>
    </dl>
    <h4>The note, as it was signed</h4>
    <pre>${lines(
      shown,
    )}</pre>
    ${leftOut({
      ...{ all: note.length, shown: shown.length, what: "characters" },
      see: "the record has all of it",
    })}
    </article>
  `;
}

/** What is proven, why, and what is not. For a record that holds. */
export function whatIsProven({ record, subject }: JudgedCase): Html {
  const { kind, checkpoint_a: a, checkpoint_b: b } = record;
  const [verb, what] = subject === "witness"
    ? ["cosigned", "checkpoints"]
    : ["signed", subject === "monitor" ? "statements" : "checkpoints"];
  const [older, newer] = isSmaller(a, b) ? ["A", "B"] : ["B", "A"];
  const why = kind === "cross_size"
    ? `A log may add entries, and must not change those that are there. The evidence has a proof that the ` +
      `tree of checkpoint ${newer} does not begin with the tree of checkpoint ${older}.`
    : subject === "monitor"
    ? `Under the number ${grouped(a.size)} the key has signed two different statements.`
    : `A tree of size ${grouped(a.size)} has one root. For this size the key has ${verb} two.`;
  return section(
    "proven",
    "What is proven, and what is not",
    html`<p>${why}</p>
<p><b>Proven:</b> the ${subject}'s key has ${verb} both ${what}. Nobody can do that without the key.</p>
<p><b>Not proven:</b> who used the key, and why. It may have been done on purpose. Data may have been lost, and an
older copy continued. A test log may have been reset. Somebody else may have the key. Another monitor that passed one of
the two on has done nothing wrong by that. Times and addresses are the word of the monitor that found it.</p>`,
  );
}

/** Whether the first is of a smaller tree than the second. A record may have anything in place of sizes. */
function isSmaller(one: RecordedCheckpoint, other: RecordedCheckpoint): boolean {
  return wholeNumber(one.size) < wholeNumber(other.size);
}

function wholeNumber(size: string): bigint {
  return /^\d{1,20}$/.test(size) ? BigInt(size) : 0n;
}
