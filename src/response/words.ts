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
import {
  doneAbout,
  type Freeze,
  frozenInTitle,
  keyOption,
  nextCommands,
  stepSections,
} from "./freeze_words.ts";
import { OTHER, PHRASES } from "./phrases.ts";

/** What is known of a case when an alert about it is written. */
export interface Telling {
  readonly event: string;
  /** The key of the case, which alerts have as `case`. */
  readonly key?: string;
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
  /** How its log stands with the freeze gate; nothing if nobody knows, or the case is about no log. */
  readonly freeze?: Freeze | undefined;
  /** The absolute path of the monitor's configuration, for the commands; nothing if nobody knows. */
  readonly config?: string | undefined;
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
  if (isConflict || CASE_EVENTS.includes(event)) return ofRepeats(telling);
  if (event === "incident.step") return ofStep(telling);
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

/** A person let a log go on, or a log is frozen on suspicion. */
function ofStep(telling: Telling): Words {
  const { key = "", detail, config, state } = telling;
  const what = detail.split("\n")[0]!;
  if (state === "summary") return ofSummary(telling, what);
  const sections = stepSections({ key, detail, config });
  return {
    title: upper(what),
    text: [...sections.flatMap(([heading, text]) => section(heading, text)), footer(telling)]
      .join("\n"),
  };
}

function ofConflict(telling: Telling, record: ConflictRecord): Words {
  const { subject, isOfMonitor, event, freeze, config } = telling;
  const { checkpoint_a: a, checkpoint_b: b, evidence_id: id, kind, log } = record;
  const isOfWitness = kind === "same_size_cosigned";
  const who = isOfMonitor ? "monitor" : isOfWitness ? "witness" : "log";
  const what = isOfWitness
    ? `PROVEN: a witness cosigned two different roots at one size of log ${short(subject)}`
    : isOfMonitor
    ? `PROVEN: a monitor signed two different statements under one number (${short(subject)})`
    : `PROVEN: the key of log ${
      short(subject)
    } has signed two histories that contradict each other`;
  const why = kind !== "cross_size"
    ? `Both have ${printable(a.size)} entries, but their roots are different.`
    : "The larger one does not begin with the smaller one. The record has a proof of that.";
  const unwritten = event === "incident.not written"
    ? "\nThe disk refuses to write this case: keep this message. It is tried again."
    : event === "incident.unrecorded"
    ? "\nThis monitor has no key, so the case is in no journal: keep this message."
    : "";
  return {
    title: `${what}${frozenInTitle(freeze)}`,
    text: [
      ...section(
        "What is proven",
        `The key of this ${who} has signed two checkpoints that contradict each other:\n` +
          `  A: size ${printable(a.size)}, root ${printable(a.root)}\n` +
          `  B: size ${printable(b.size)}, root ${printable(b.root)}\n` +
          `${why} Both signatures are in the evidence. Nobody can take them back.` + unwritten,
      ),
      ...section(
        "What is only suspected",
        isOfWitness
          ? "Nobody knows yet why it happened, and whether the log itself showed both. The case is " +
            "about the witness."
          : isOfMonitor
          ? "Nobody knows yet why it happened. It also happens if the folder of a monitor is copied " +
            "or restored."
          : "Nobody knows yet why it happened. Perhaps somebody shows different histories to " +
            "different people.\n" +
            "It also happens if a developer resets a test log and keeps its key.",
      ),
      ...freeze === undefined ? [] : section("What this monitor has done", doneAbout(freeze)),
      ...section(
        "What to do now",
        isOfWitness
          ? "1. Do not count this witness any more: remove it from your policies.\n" +
            "2. Keep this message: the evidence is in it. Do not stop the monitor.\n" +
            "3. Tell the operator of the witness. Look whether the log shows both roots."
          : isOfMonitor
          ? "1. Ask the operator of that monitor whether a folder was copied or restored.\n" +
            "2. Keep this message: the evidence is in it."
          : "1. Keep this message: the evidence is in it. Do not stop the monitor.\n" +
            "2. What other programs of yours take from this log, you stop yourself.\n" +
            "3. Send the evidence to the operator of the log. Ask why the key signed both.\n" +
            '4. Then follow OPERATING, "When it fires". Nothing else is urgent tonight.' +
            commandsAfter(freeze, config),
      ),
      ...section(
        "How to check it yourself",
        "The evidence is the file case.json of the mail. In the JSON of an alert it is " +
          "evidence.record: save it as case.json.\n" +
          "On any machine, without a network:\n" +
          `  hearsay verify case.json${keyOption(record)}\n` +
          `You need not trust this monitor, only the public key of the ${who}. Compare it with the ` +
          "one that you know:\n" +
          `  ${printable(log.vkey)}${keyIdOf(log.vkey)}`,
      ),
      `Case ${printable(id)}`,
      footer(telling),
    ].join("\n"),
  };
}

/** The next commands, behind what else there is to do. */
function commandsAfter(freeze: Freeze | undefined, config: string | undefined): string {
  if (freeze?.incident === undefined) return "";
  return ` The first\n   commands:\n` +
    nextCommands(freeze.incident, config).split("\n").map((one) => `   ${one}`).join("\n");
}

/** Repeats of a proven case, or many cases at once. */
function ofRepeats(telling: Telling): Words {
  const { subject, count, event, evidence, isOfMonitor, freeze } = telling;
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
      title: `PROVEN: ${count} ${title}${frozenInTitle(freeze)}`,
      text: [
        ...section(
          "What is proven",
          `The ${who}'s key has signed ${count} more checkpoints that contradict others. The evidence ` +
            "is that of the last one. The incident journal has a record of each.",
        ),
        ...freeze === undefined ? [] : section("What this monitor has done", doneAbout(freeze)),
        ...section(
          "What to do now",
          "The same as for the first one. There are many, so they are told together.",
        ),
        ...section(
          "How to check it yourself",
          "hearsay incidents list\nhearsay verify, with the record in the evidence",
        ),
        `${id}${footer(telling)}`,
      ].join("\n"),
    };
  }
  return {
    title: `The known case about ${name} was told again: ${count} times in all`,
    text: [
      ...section(
        "What is proven",
        `Nothing new. Others have told the same case, which is known since ${telling.since}. You ` +
          "get no more messages about repeats of it.",
      ),
      ...section("What to do now", "Nothing new. Go on with what the first message says."),
      `${id}${footer(telling)}`,
    ].join("\n"),
  };
}

/** The event of an alert about many cases of one log. */
export const MORE_CASES = "incident.more";

/** The events of proven cases. */
const CASE_EVENTS: readonly string[] = [
  ...["incident.recorded", "incident.unrecorded", "incident.not written", MORE_CASES],
];

function ofEnd(telling: Telling, what: string): Words {
  const { count, since, overAt = telling.at } = telling;
  return {
    title: `Over: ${what}`,
    text: [
      `This is over. It began ${since}, and it was over by ${overAt}. It came up ${times(count)}.`,
      "",
      ...section("What to do now", "Nothing. If nobody knows the reason, it may come back."),
      footer(telling),
    ].join("\n"),
  };
}

function ofSummary(telling: Telling, what: string): Words {
  return {
    title: `${upper(what)}: ${times(telling.count)}`,
    text: [
      `This came up ${
        times(telling.count)
      } since ${telling.since}. It is counted, so that you get one ` +
      "message and not many.",
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
      "If you can read this, the channel works. You need not do anything.\n",
  };
}

/** The words added to an alert that should have had evidence, and had none. */
export function withoutEvidence({ title, text }: Words): Words {
  return {
    title: `${title} (no evidence)`,
    text:
      "Hearsay has a fault: this should be a graver alert, but its evidence is missing or does " +
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
