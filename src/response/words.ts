/**
 * What alerts say to a person who was woken by one: what is proven, what is only suspected, what to
 * do now, and how to check it without believing this monitor.
 *
 * @module
 */
import type { ConflictRecord } from "../evidence/record.ts";
import { MalformedError, printable } from "../tlog/malformed.ts";
import { formatKeyId, parseVkey } from "../tlog/vkey.ts";
import type { AlertState } from "./alert.ts";
import type { AlertEvidence } from "./alert_evidence.ts";
import { OTHER, PHRASES } from "./phrases.ts";

/** What is known of a case when an alert about it is written. */
export interface Telling {
  readonly event: string;
  readonly state: AlertState;
  readonly subject: string;
  readonly monitor: string;
  readonly detail: string;
  /** RFC 3339, UTC. */
  readonly since: string;
  readonly at: string;
  /** When it was over, if it is. */
  readonly overAt?: string;
  readonly count: number;
  /** Whether the case is about the statements of a monitor. */
  readonly isOfMonitor: boolean;
  readonly evidence?: AlertEvidence | undefined;
}

/** A title of one line, and a text of several. Neither has a character that a terminal obeys. */
export interface Words {
  readonly title: string;
  readonly text: string;
}

/** The longest detail that is told, in characters. */
const MAX_DETAIL_CHARACTERS = 600;
/** The longest name in a title, in characters. */
const MAX_NAME_CHARACTERS = 100;

/** Writes the title and the text of an alert. */
export function wordsOf(telling: Telling): Words {
  const { event, state, evidence } = telling;
  const isConflict = evidence?.kind === "conflict" && event !== "incident.refused";
  if (isConflict && state === "begins") return ofConflict(telling, evidence.record);
  if (isConflict || event.startsWith("incident.")) return ofRepeats(telling);
  const phrases = PHRASES[event] ?? OTHER;
  const name = PHRASES[event] === undefined ? event : telling.subject;
  const what = phrases.title.replace("{}", short(name));
  if (state === "ends") return ofEnd(telling, what);
  if (state === "summary") return ofSummary(telling, what);
  return {
    title: upper(what),
    text: [
      ...section("What is proven", phrases.proven),
      ...section("What is only suspected", phrases.suspected),
      ...section("What this monitor saw", seen(telling)),
      ...section("What to do now", phrases.todo),
      ...section("How to check it yourself", phrases.check),
      footer(telling),
    ].join("\n"),
  };
}

function ofConflict(telling: Telling, record: ConflictRecord): Words {
  const { subject, isOfMonitor, event } = telling;
  const { checkpoint_a: a, checkpoint_b: b, evidence_id: id, kind, log } = record;
  const isOfWitness = kind === "same_size_cosigned";
  const who = isOfMonitor ? "monitor" : isOfWitness ? "witness" : "log";
  const what = isOfWitness
    ? `PROVEN: a witness cosigned two different roots at one size of log ${short(subject)}`
    : isOfMonitor
    ? `PROVEN: a monitor signed two different statements under one number (${short(subject)})`
    : `PROVEN: log ${short(subject)} signed two histories that contradict each other`;
  const why = kind !== "cross_size"
    ? `Both say that they have ${printable(a.size)} entries, and their roots differ.`
    : "The larger one does not begin with the smaller one: the record has a proof of that.";
  const unwritten = event === "incident.not written"
    ? "\nThe disk refuses to write this case: keep this message. It is tried again."
    : event === "incident.unrecorded"
    ? "\nThis monitor has no key, so the case is in no journal: keep this message."
    : "";
  return {
    title: what,
    text: [
      ...section(
        "What is proven",
        `The key of this ${who} has signed two checkpoints that cannot both be true:\n` +
          `  A: size ${printable(a.size)}, root ${printable(a.root)}\n` +
          `  B: size ${printable(b.size)}, root ${printable(b.root)}\n` +
          `${why} The signatures are in the evidence, and nobody can take them back.` + unwritten,
      ),
      ...section(
        "What is only suspected",
        isOfWitness
          ? "Why it happened, and whether the log itself showed both. The case is about the witness."
          : isOfMonitor
          ? "Why it happened. A copied or restored folder of a monitor does that too."
          : "Why it happened. Somebody may show different people different histories. A developer " +
            "who reset a test log and kept its key leaves the same proof behind.",
      ),
      ...section(
        "What to do now",
        isOfWitness
          ? "1. Count this witness no more: take it out of your policies.\n" +
            "2. Keep this message: the evidence is in it. Let the monitor run.\n" +
            "3. Tell the witness's operator, and look whether the log shows both roots."
          : isOfMonitor
          ? "1. Ask the monitor's operator whether a folder was copied or restored.\n" +
            "2. Keep this message: the evidence is in it."
          : "1. Accept nothing new from this log until this is cleared up.\n" +
            "2. Keep this message: the evidence is in it. Let the monitor run.\n" +
            "3. Send the evidence to the log's operator, and ask how the key came to sign both.\n" +
            '4. Then follow OPERATING, "When something is inconsistent". Nothing else is urgent.',
      ),
      ...section(
        "How to check it yourself",
        "The evidence is the file case.json of the mail; in an alert's JSON it is evidence.record, " +
          "to be saved as case.json. On any machine, without a network:\n" +
          "  hearsay verify case.json\n" +
          `It needs nobody's word but the ${who}'s public key, which you should have from elsewhere:\n` +
          `  ${printable(log.vkey)}${keyIdOf(log.vkey)}`,
      ),
      `Case ${printable(id)}`,
      footer(telling),
    ].join("\n"),
  };
}

/** Repeats of a proven case, or many cases at once. */
function ofRepeats(telling: Telling): Words {
  const { subject, count, event, evidence, isOfMonitor } = telling;
  const name = short(subject);
  const id = evidence?.kind === "conflict"
    ? `Case ${printable(evidence.record.evidence_id)}\n`
    : "";
  if (event === MORE_CASES) {
    const isOfWitness = evidence?.kind === "conflict" &&
      evidence.record.kind === "same_size_cosigned";
    const [title, who] = isOfWitness
      ? [`more contradictions cosigned by a witness of log ${name}`, "witness"]
      : isOfMonitor
      ? [`more contradictions signed by monitors (the last: ${name})`, "monitor"]
      : [`more contradictions signed by log ${name}`, "log"];
    return {
      title: `PROVEN: ${count} ${title}`,
      text: [
        ...section(
          "What is proven",
          `The ${who}'s key has signed ${count} more checkpoints that contradict others. The evidence ` +
            "is that of the last one. Each has its record in the incident journal.",
        ),
        ...section(
          "What to do now",
          "The same as for the first one. They are told together, because they are many.",
        ),
        ...section("How to check it yourself", "hearsay incidents list, then hearsay verify"),
        `${id}${footer(telling)}`,
      ].join("\n"),
    };
  }
  return {
    title: `The known case about ${name} was told again: ${count} times in all`,
    text: [
      ...section(
        "What is proven",
        "Nothing new. Others have told the same case, which is proven since " +
          `${telling.since}. Repeats are not told any more.`,
      ),
      ...section("What to do now", "Nothing more than before."),
      `${id}${footer(telling)}`,
    ].join("\n"),
  };
}

/** The event of an alert about many cases of one log. */
export const MORE_CASES = "incident.more";

function ofEnd(telling: Telling, what: string): Words {
  const { count, since, overAt = telling.at } = telling;
  return {
    title: `Over: ${what}`,
    text: [
      `This is over. It began ${since}, and it was over by ${overAt}. It came up ${times(count)}.`,
      "",
      ...section("What to do now", "Nothing. If you do not know the reason, it may come back."),
      footer(telling),
    ].join("\n"),
  };
}

function ofSummary(telling: Telling, what: string): Words {
  return {
    title: `${upper(what)}: ${times(telling.count)}`,
    text: [
      `This came up ${times(telling.count)} since ${telling.since}. It is counted, and told once.`,
      "",
      ...section("What this monitor saw last", seen(telling)),
      footer(telling),
    ].join("\n"),
  };
}

/** The words of the message that `hearsay alert test` sends. */
export function trialWords(monitor: string): Words {
  return {
    title: `TRIAL: this is how monitor ${short(monitor)} tells an alert`,
    text: "Nothing happened. Somebody typed: hearsay alert test\n\n" +
      "If you can read this, the channel works. Nothing is to be done.\n",
  };
}

/** The words added to an alert that should have had evidence, and had none. */
export function withoutEvidence({ title, text }: Words): Words {
  return {
    title: `${title} (no evidence)`,
    text:
      "Hearsay has a fault: this was to be told as graver, and its evidence is missing or does " +
      "not hold. Please report it.\n\n" + text,
  };
}

function section(heading: string, text: string): string[] {
  return [`${heading}:`, ...text.split("\n").map((line) => `  ${line}`), ""];
}

function seen({ detail, since, count }: Telling): string {
  const shown = [...printable(detail)].slice(0, MAX_DETAIL_CHARACTERS).join("");
  const said = shown === "" ? "" : `${shown}\n`;
  return `${said}Since ${since}${count > 1 ? `, ${times(count)}` : ""}.`;
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

function footer({ monitor, at, subject }: Telling): string {
  const about = subject === "" ? "" : `\nAbout: ${short(subject)}`;
  return `Told by monitor ${short(monitor)} at ${at}.${about}\n`;
}

function keyIdOf(vkey: string): string {
  try {
    return ` (key ${formatKeyId(parseVkey(vkey).keyId)})`;
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return "";
  }
}

function short(name: string): string {
  const characters = [...printable(name)];
  const start = characters.slice(0, MAX_NAME_CHARACTERS).join("");
  return characters.length > MAX_NAME_CHARACTERS ? `${start}…` : start;
}

function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
