/**
 * One incident on a page: its two halves side by side, what is proven by them and what is not, and the
 * commands to check it without trusting this page.
 *
 * @module
 */
import type { JsonObject } from "../evidence/json.ts";
import type { ConflictRecord, RecordedCheckpoint } from "../evidence/record.ts";
import { type Judgement, verifyConflict } from "../evidence/verify.ts";
import type { ReadCase } from "../monitor/case_reader.ts";
import { isTheLog } from "../monitor/the_log.ts";
import { statementsEpoch } from "../swarm/statement.ts";
import { shellWord } from "../world/shell_word.ts";
import { type Html, html, lines, type Value } from "./html.ts";
import { partingPicture } from "./page_parting.ts";
import { badge, command, leftOut, section, table } from "./page_parts.ts";
import { ago, grouped, nameIn, shortened, utc } from "./page_words.ts";

/** Most incidents in the list on the first page, the newest. */
export const MAX_INCIDENTS = 20;
/** Most characters of a signed note on the page. The record has all of it. */
const MAX_NOTE = 4_000;

/** Whom a record is about. */
type Subject = "log" | "monitor" | "witness";

/** What happened, for each subject. */
const WHAT: Readonly<Record<Subject, string>> = {
  log: "A log has signed two checkpoints that contradict each other",
  monitor: "A monitor has signed two different statements under one number",
  witness: "A witness has cosigned two checkpoints that contradict each other",
};

/** The path of an incident's page. */
export function pathOf(seq: number): string {
  return `/incidents/${seq}`;
}

/**
 * The list of the newest incidents; nothing if there are none.
 * @param cases newest first, at most one more than are shown
 * @param now RFC 3339
 */
export function incidentSection(
  cases: readonly ReadCase[] | undefined,
  { now, listing }: { now: string; listing: string },
): Value {
  if (cases === undefined) {
    return section(
      "incidents",
      "Incidents",
      html`<p>${
        badge("warn", "not read")
      } The disk refuses to give the incident journal. Nothing is said of it here.</p>`,
    );
  }
  if (cases.length === 0) return undefined;
  const shown = cases.slice(0, MAX_INCIDENTS);
  const rows = shown.map(({ seq, record }) => ({
    mark: "bad" as const,
    cells: [
      html`<a href="${pathOf(seq)}">Incident ${seq}</a>`,
      nameIn(record.log.origin),
      kindOf(record),
      ago(record.detected_at, now),
      html`<code class="root">${record.evidence_id.slice(0, 16)}…</code>`,
    ],
  }));
  const columns = ["Incident", "About", "What", "Found", "evidence_id"].map((title) => ({ title }));
  return section("incidents", "Incidents", [
    html`<p>Each is proven: two statements carry one key's signature, and no tree can have both. Why it
happened is for people to find out.</p>`,
    table({ caption: "The newest incidents in the journal", columns, rows }),
    cases.length > shown.length &&
    html`<p class="left-out">Shown: the newest ${shown.length}. All: <code>${listing}</code></p>`,
  ]);
}

function kindOf({ kind, checkpoint_a: a, checkpoint_b: b }: ConflictRecord): string {
  const [one, other] = [grouped(a.size), grouped(b.size)];
  if (kind === "cross_size") return `sizes ${one} and ${other}`;
  const whose = kind === "same_size_cosigned" ? ", by a witness" : "";
  return `two roots at size ${one}${whose}`;
}

/** The title and the content of an incident's page. The record is judged again for it. */
export function incidentPage(
  { seq, record }: ReadCase,
  { folder, now }: { folder: string; now: string },
): { title: string; content: Html } {
  const judgement = verifyConflict({ input: record as unknown as JsonObject });
  const subject = subjectOf(record, judgement);
  const holds = judgement.outcome === "holds";
  const title = `Incident ${seq}: ${holds ? WHAT[subject] : "a record that does not hold"}`;
  const content = html`
    <p><a href="/">All logs and incidents</a></p>
    <h1>${title}</h1>
    ${verdict(judgement, subject)}
    <dl class="facts">
      <dt>${holds ? SUBJECTS[subject] : "It is said to be about"}</dt>
      <dd>${nameIn(record.log.origin)}</dd>
      <dt>Key</dt>
      <dd><code class="root">${record.log.vkey}</code></dd>
      <dt>Found</dt>
      <dd>${ago(record.detected_at, now)} (${utc(
        record.detected_at,
      )}) by ${record.detector_id === null
        ? "nobody who signed it"
        : nameIn(record.detector_id)}</dd>
      <dt>evidence_id</dt>
      <dd><code class="root">${record.evidence_id}</code></dd>
    </dl>
    ${halves(record)}
    ${holds && whatIsProven(record, subject)}
    ${holds && howToCheck({ seq, record }, { folder, subject })}
  `;
  return { title, content };
}

const SUBJECTS: Readonly<Record<Subject, string>> = {
  log: "Log",
  monitor: "The list of what a monitor said",
  witness: "Cosigned for the log",
};

function subjectOf({ kind }: ConflictRecord, { log }: Judgement): Subject {
  if (kind === "same_size_cosigned") return "witness";
  return log !== undefined && statementsEpoch(log) !== undefined ? "monitor" : "log";
}

function verdict({ outcome, checks }: Judgement, subject: Subject): Html {
  if (outcome === "holds") {
    return html`<p>${
      badge("good", "The record holds.")
    } It was verified just now: both signatures of the ${subject},
that the two contradict each other, and the evidence_id.</p>`;
  }
  const failed = checks.filter(({ ok }) => !ok);
  return html`<p>${
    badge("bad", outcome === "disputed" ? "The record is disputed." : "The record does not hold.")
  }
It proves nothing. Do not send it to anyone as evidence. Keep the journal as it is, and compare it with your
backup.</p>
<ul>${failed.map(({ name, detail }) => html`<li>${name}: ${shortened(detail, 1_000)}</li>`)}</ul>`;
}

function halves(record: ConflictRecord): Html {
  const { checkpoint_a: a, checkpoint_b: b, source_a, source_b } = record;
  return section("halves", "The two halves", [
    partingPicture(record),
    html`<div class="halves">${half("A", a, source_a)}${half("B", b, source_b)}</div>`,
  ]);
}

function half(name: "A" | "B", { size, root, note }: RecordedCheckpoint, source: string): Html {
  const from = isTheLog(source) ? "the log itself" : shortened(source);
  const shown = note.slice(0, MAX_NOTE);
  return html`
    <article aria-labelledby="half-${name}">
    <h3 id="half-${name}">Checkpoint ${name}${name === "A" && html`
      <small>(seen first)</small>
    `}</h3>
    <dl class="facts">
    <dt>Size</dt><dd>${grouped(size)}</dd>
    <dt>Root</dt><dd><code class="root">${root}</code></dd>
    <dt>Shown by</dt><dd>${from}</dd>
    </dl>
    <h4>The signed note</h4>
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

function whatIsProven(
  { kind, checkpoint_a: a, checkpoint_b: b }: ConflictRecord,
  subject: Subject,
) {
  const [verb, what] = subject === "witness"
    ? ["cosigned", "checkpoints"]
    : ["signed", subject === "monitor" ? "statements" : "checkpoints"];
  const [older, newer] = wholeNumber(a.size) < wholeNumber(b.size) ? ["A", "B"] : ["B", "A"];
  const why = kind === "cross_size"
    ? `A log may add entries and must not change those that are there. The record has a proof that the ` +
      `tree of checkpoint ${newer} does not begin with the tree of checkpoint ${older}.`
    : subject === "monitor"
    ? `Under the number ${grouped(a.size)} the key has signed two different statements.`
    : `A tree of size ${grouped(a.size)} has one root. For this size the key has ${verb} two.`;
  return section(
    "proven",
    "What is proven, and what is not",
    html`<p>${why}</p>
<p><b>Proven:</b> the key above has ${verb} both ${what}. Nobody can do that without the key.</p>
<p><b>Not proven:</b> why it happened. It may have been done on purpose. Data may have been lost and an older copy
continued. A test log may have been reset. Somebody else may have the key. Times and addresses are the word of the
monitor that found it.</p>`,
  );
}

function howToCheck(
  { seq, record }: ReadCase,
  { folder, subject }: { folder: string; subject: Subject },
): Html {
  const file = `incident-${seq}.txt`;
  const json = `incident-${seq}.json`;
  const key = keyOption(record, subject);
  return section(
    "check",
    "Check it without trusting this page",
    html`
      <ol>
        <li>On this machine, write the evidence to a file, to send as an attachment:
      ${command(
        "command-export",
        `hearsay incidents export ${seq} --incidents ${shellWord(folder)} --out ${file}`,
      )}</li>
        <li>Anywhere else, offline, check the file:
      ${command("command-verify", `hearsay verify ${file}${key}`)}</li>
        <li>Or <a href="${pathOf(seq)}.json">download the record</a> and check that:
      ${command("command-record", `hearsay verify ${json}${key}`)}</li>
      </ol>
      <p>The commands name the key that the record states${key === "" &&
        ", or none where it cannot be typed safely"}. Compare it with the one that the ${subject}'s operator has published.</p>
      <p>Nothing must be done in a hurry: the evidence is on the disk, and nobody can take a signature back. Ask the
      operator of the ${subject} how the key came to sign both. Say no more than what is proven.</p>
    `,
  );
}

/** Characters that would do something in a terminal, or hide something, when a command is pasted. */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}]/u;

/** The option that holds the record to its key; nothing if the key's name or the origin is not safe to paste. */
function keyOption({ log: { vkey, origin } }: ConflictRecord, subject: Subject): string {
  if (UNSAFE.test(vkey) || UNSAFE.test(origin)) return "";
  if (subject === "witness") return ` --witness ${shellWord(vkey)}`;
  const isNamed = vkey.startsWith(`${origin}+`);
  return ` --log ${shellWord(isNamed ? vkey : `${vkey} ${origin}`)}`;
}

function wholeNumber(size: string): bigint {
  return /^\d{1,20}$/.test(size) ? BigInt(size) : 0n;
}
