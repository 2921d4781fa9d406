/**
 * A daemon's status for a person. What is wrong comes first: proven cases, then what is not done as
 * configured, then the logs, then the peers.
 *
 * @module
 */
import type { WitnessStatus } from "../monitor/witnessing.ts";
import {
  isProvenFreeze,
  type LogStatus,
  nameOf,
  openCases,
  type PeerStatus,
  type Status,
  type WitnessOfLog,
} from "../monitor/status.ts";
import { notYet } from "../monitor/not_yet.ts";
import { type Trouble, troublesAndAdvice } from "../monitor/troubles.ts";
import { printable } from "../tlog/malformed.ts";
import type { MirrorStatus } from "../monitor/mirrored_journal.ts";
import { mirrorInWords } from "./mirror_words.ts";
import { membersInWords } from "./member_words.ts";
import { lookersInWords, storeInWords } from "./store_words.ts";
import { COSIGNER_COLUMNS, cosignerRow, markOf } from "./cosigner_rows.ts";
import { CASE, MARK, type Mark, TROUBLE } from "./marks.ts";
import { ago, soon, span } from "./spans.ts";
import { type Column, type Row, Table } from "./table.ts";
import type { Style, Terminal } from "./terminal.ts";
import { hanging, wrapped } from "./width.ts";

/** How many logs, peers and troubles are shown of each, unless all are asked for. */
export const MAX_SHOWN = 20;

const INDENT = " ".repeat(4);

type Screen = Pick<Terminal, "columns" | "paint">;

/** What advice says to look at a case. It needs the configuration, unless that is in this folder. */
const LIST_CASES = "hearsay incidents list";
/** The same, for one incident, which follows. */
const REPORT_CASE = "hearsay incidents report";

/**
 * The lines to show.
 * @param all whether everything is to be shown, however much it is
 * @param config the monitor's configuration, for the commands in advice
 */
export function describeStatus(
  status: Status,
  { screen, all = false, config }: { screen: Screen; all?: boolean; config?: string },
): string[] {
  const { troubles, advice } = troublesAndAdvice(status);
  const own = (command: string): string =>
    config === undefined ? command : `${command} --config ${config}`;
  const listing = own(LIST_CASES);
  const most = all ? Infinity : MAX_SHOWN;
  const named = (said: Said): Said => ({
    ...said,
    advice: said.advice.replaceAll(LIST_CASES, listing).replaceAll(REPORT_CASE, own(REPORT_CASE)),
  });
  const cases = status.logs.filter((log) => openOf(log) > 0);
  const pushed = (status.witness?.pushed ?? []).filter((log) => openOf(log) > 0)
    .map((log) => caseOf(log, log.origin));
  const { memberCases = 0 } = status;
  const listedCases = openCases(status) > 0 ? status.witness?.listedCases ?? 0 : 0;
  const frozen = status.logs.filter(({ freeze }) => freeze !== undefined);
  const allCases = [
    ...frozen.map((log) => frozenLog(log, nameOf(log, status))),
    ...(status.witness?.pushed ?? []).filter(({ freeze }) => freeze !== undefined)
      .map((log) => frozenLog(log, log.origin)),
    ...cases.map((log) => caseOf(log, nameOf(log, status))),
    ...status.logs.flatMap((log) =>
      (log.cosigned?.witnesses ?? []).filter(({ incidents = 0 }) => incidents > 0)
        .map((witness) => cosignerCase(witness, nameOf(log, status)))
    ),
    ...pushed,
    ...(listedCases > 0 ? [listedCase(listedCases)] : []),
    ...(status.mirrors ?? []).filter(({ incidents }) => incidents > 0).map(journalCase),
    ...(memberCases > 0 ? [memberCase(memberCases)] : []),
  ];
  const said = [
    ...sayAll(allCases.map(named), {
      what: "logs with a case, or frozen",
      most,
      screen,
    }),
    ...sayAll([...troubles, ...advice].map((one) => named(sayTrouble(one, status))), {
      ...{ what: "troubles", most, screen },
    }),
    ...sayClosed(status, { listing, screen }),
  ];
  const wrong = new Map<unknown, Mark>([
    ...[...troubles, ...advice].map(({ about }) => [about, TROUBLE] as const),
    ...frozen.map((log) => [log, TROUBLE] as const),
    ...[...cases, ...frozen.filter(({ freeze }) => isProvenFreeze(freeze!))]
      .map((log) => [log, CASE] as const),
  ]);
  const logs = status.logs.map((log) => ({ of: log, row: logRow(log, status, wrong.get(log)) }));
  const peers = status.peers.map((peer) => ({
    of: peer,
    row: peerRow(peer, status, wrong.get(peer)),
  }));
  return [
    ...headline(status, { troubles, advice, screen }),
    ...said,
    ...section(logs, { columns: logColumns(status), what: "logs", wrong, most, screen }),
    ...sayCosigners(status, { most, screen }),
    ...sayWitness(status, { most, screen }),
    ...sayStore(status, screen),
    ...sayAlerts(status, { screen }),
    ...sayFederation(status, screen),
    ...sayMirrors(status, { most, screen }),
    ...sayMembers(status, { most, screen }),
    ...section(peers, { columns: PEER_COLUMNS, what: "peers", wrong, most, screen }),
  ];
}

/** Who it is, and in one word how it stands. */
function headline(
  status: Status,
  { troubles, advice, screen }: {
    troubles: readonly Trouble[];
    advice: readonly Trouble[];
    screen: Screen;
  },
): string[] {
  const { name, version, startedAt, now, logs, witness } = status;
  const incidents = openCases(status);
  const waits = notYet(status);
  const all = [...logs, ...witness?.pushed ?? []];
  const frozen = all.filter(({ freeze }) => freeze !== undefined).length;
  const wrong = [
    ...(frozen > 0 ? [`${several(frozen, "LOG")} FROZEN`] : []),
    ...(incidents > 0 ? [several(incidents, "PROVEN CASE")] : []),
    ...(troubles.length > 0 ? [several(troubles.length, "TROUBLE")] : []),
  ];
  const isWell = waits.length === 0 && advice.length === 0;
  const well = isWell
    ? "all is as it should be"
    : advice.length > 0
    ? "less is compared than could be"
    : `it has only begun: ${waits.join(", ")}`;
  const how = wrong.length > 0 ? wrong.join(", ") : well;
  const style: Style = wrong.length > 0 ? "red" : isWell ? "green" : "yellow";
  const program = version === undefined ? "" : `, hearsay ${version}`;
  const who = printable(`${name}${program}, running for ${span(startedAt, now)}: `);
  const lines = wrapped(`${who}${how}`, { width: screen.columns ?? Infinity });
  const last = lines.pop()!;
  const at = last.endsWith(how) ? last.length - how.length : 0;
  return [...lines, last.slice(0, at) + screen.paint(style, last.slice(at))];
}

/** Something that is wrong: what, and what it asks of a person. */
interface Said {
  readonly mark: Mark;
  readonly text: string;
  readonly advice: string;
}

/** How many cases of a log ask something of a person still. */
function openOf({ incidents, closed = 0 }: Pick<LogStatus, "incidents" | "closed">): number {
  return incidents - closed;
}

function caseOf(log: Pick<LogStatus, "incidents" | "closed">, name: string): Said {
  return {
    mark: CASE,
    text: `the key of log ${name} has signed two checkpoints that contradict each other: ` +
      several(openOf(log), "PROVEN CASE"),
    advice: `The evidence is kept. To see it: ${LIST_CASES}. ` +
      'What to do: OPERATING, "When something is inconsistent".',
  };
}

/** The cases about which nothing is left to do, in one quiet line. */
function sayClosed(
  { incidents, closed }: Status,
  { listing, screen }: { listing: string; screen: Screen },
): string[] {
  if (closed === undefined) return [];
  const { cases, by } = closed;
  const which = cases < incidents
    ? `${cases} of ${several(incidents, "proven case")} ${cases === 1 ? "is" : "are"} closed`
    : cases === 1
    ? "1 proven case, closed"
    : `${cases} proven cases, all closed`;
  const text = `${which} by ${by.join(", ")}. To see ${cases === 1 ? "it" : "them"}: ${listing}`;
  return wrapped(printable(text), { width: screen.columns ?? Infinity, indent: INDENT });
}

function cosignerCase({ name, incidents = 0 }: WitnessOfLog, log: string): Said {
  return {
    mark: CASE,
    text: `witness ${name} cosigned two roots of log ${log} at one size: ` +
      several(incidents, "PROVEN CASE"),
    advice:
      "It says nothing of the log by itself. Its cosignatures still count for COMMITTED, as the policy " +
      `says: take it out of the policy until people have found out why. To see it: ${LIST_CASES}.`,
  };
}

function listedCase(count: number): Said {
  return {
    mark: CASE,
    text: "logs of the witness's list have signed checkpoints that contradict each other: " +
      several(count, "PROVEN CASE"),
    advice: `The evidence is kept. To see which logs, and what: ${LIST_CASES}.`,
  };
}

function journalCase({ name, incidents }: MirrorStatus): Said {
  return {
    mark: CASE,
    text: `monitor ${name} signed two histories of its journal: ${
      several(incidents, "PROVEN CASE")
    }`,
    advice:
      "A restored folder or a copy of the monitor does that too. What it says proves itself as " +
      `before, and what it leaves out is not known. To see it: ${LIST_CASES}.`,
  };
}

/** A log of which nothing is accepted until people have decided. */
function frozenLog(
  { freeze, size, seenSize }: Pick<LogStatus, "freeze" | "size" | "seenSize">,
  name: string,
): Said {
  const { since, incidents, why, isWritten } = freeze!;
  const isCase = isProvenFreeze(freeze!);
  const proven = isCase ? "" : " Nothing is proven against it.";
  const accepted = size === undefined ? "Nothing of it" : `Nothing of it beyond size ${size}`;
  const shown = seenSize === undefined ? "" : `, though it shows size ${seenSize}`;
  const written = isWritten ? "" : " The disk refuses to keep this: free it now.";
  const by = incidents.length === 0 ? "" : ` (${incidents.join(", ")})`;
  return {
    mark: isCase ? CASE : TROUBLE,
    text: `log ${name} is FROZEN since ${since}${by}: ${why}`,
    advice: `${accepted} is accepted${shown}. It is still watched.${proven} To go on: ` +
      `${REPORT_CASE} ${incidents[0] ?? "INC"}, then OPERATING, "When it fires".${written}`,
  };
}

function memberCase(count: number): Said {
  return {
    mark: CASE,
    text: `a monitor's key signed two statements under one number: ${
      several(count, "PROVEN CASE")
    }`,
    advice: `A copied or restored folder does that too. To see it: ${LIST_CASES}.`,
  };
}

function sayTrouble({ text, advice, about, since }: Trouble, { now }: Status): Said {
  const lasts = since === undefined ? "" : `For ${span(since, now)} now. `;
  return { mark: TROUBLE, text, advice: `${lasts}${nextTry(about, now)}${advice}` };
}

/** When what is in trouble is tried again. */
function nextTry(about: LogStatus | PeerStatus | undefined, now: string): string {
  if (about === undefined) return "";
  if ("origin" in about) {
    const { nextLookAt } = about;
    return nextLookAt === undefined
      ? "A look is under way. "
      : `The next look is ${soon("in", now, nextLookAt)}. `;
  }
  const { nextCallAt } = about;
  return nextCallAt === undefined ? "" : `It is called again ${soon("within", now, nextCallAt)}. `;
}

function sayAll(
  said: readonly Said[],
  { what, most, screen }: { what: string; most: number; screen: Screen },
): string[] {
  const width = screen.columns ?? Infinity;
  const shown = said.slice(0, most).flatMap(({ mark, text, advice }) => {
    const lines = hanging(mark.padEnd(INDENT.length), printable(text), screen);
    return [
      ...lines.map((line) => screen.paint("red", line)),
      ...wrapped(printable(advice), { width, indent: INDENT }),
    ];
  });
  const rest = said.length - most;
  return rest > 0 ? [...shown, `${INDENT}… and ${rest} more ${what}: --all shows them`] : shown;
}

const COMMITTED: Column = { title: "COMMITTED", align: "right" };

/** What a quorum has cosigned is shown if any log has a policy that says who that is. */
function logColumns({ logs }: Status): readonly Column[] {
  return [
    MARK,
    { title: "LOG", narrow: "cut" },
    { title: "SIZE", align: "right" },
    ...(hasPolicy(logs) ? [COMMITTED] : []),
    { title: "GREW", align: "right", narrow: "leave out" },
    { title: "LOOKED AT", align: "right" },
    { title: "RESULT" },
    { title: "PEERS", align: "right", narrow: "leave out" },
  ];
}

function hasPolicy(logs: readonly LogStatus[]): boolean {
  return logs.some(({ cosigned }) => cosigned !== undefined);
}

function committedOf({ cosigned }: LogStatus): string {
  return cosigned === undefined ? "-" : cosigned.committed?.size ?? "none";
}

function logRow(log: LogStatus, { logs, now }: Status, mark: Mark | undefined): Row {
  const { size = "-", grewAt, lastLookAt, lastResult = "none yet", sharedBy } = log;
  const style: Style | undefined = mark === undefined ? undefined : "red";
  return {
    cells: [
      { text: mark ?? "", style },
      { text: nameOf(log, { logs }), style },
      size,
      ...(hasPolicy(logs) ? [committedOf(log)] : []),
      ago(grewAt, now),
      ago(lastLookAt, now),
      log.freeze === undefined
        ? { text: lastResult, style: mark === TROUBLE ? "red" : undefined }
        : { text: "FROZEN", style: "red" },
      sharedBy === undefined ? "-" : `${sharedBy}`,
    ],
    note: noteOf(log),
  };
}

/** What a person may wonder about, though it is no trouble. */
function noteOf(log: LogStatus) {
  const { waitingOwn = 0, waitingOthers = 0, leftOut = 0, lastResult } = log;
  const notes = [
    lookersInWords(log),
    lastResult === "rolled back"
      ? "It shows an older checkpoint, consistent with ours. Unless that goes on, nothing is to be done."
      : "",
    waitingOwn > 0
      ? `${several(waitingOwn, "checkpoint")} that the log itself showed ${
        waitingOwn === 1 ? "waits" : "wait"
      } for its proof, and peers are asked about it. It is tried again.`
      : "",
    waitingOthers > 0
      ? `${several(waitingOthers, "checkpoint")} of others ${
        waitingOthers === 1 ? "waits" : "wait"
      } to be compared, ` +
        "until the log shows as much and gives the proof. Nothing is to be done."
      : "",
    leftOut > 0
      ? `${
        several(leftOut, "checkpoint")
      } of others had no room, and nothing is to be done: what is ` +
        "still true is told again."
      : "",
  ].filter((note) => note !== "");
  return notes.length === 0 ? undefined : { text: notes.join(" "), style: "dim" as const };
}

const PEER_COLUMNS: readonly Column[] = [
  MARK,
  { title: "PEER", narrow: "cut" },
  { title: "CALLED", align: "right" },
  { title: "ANSWER" },
  { title: "LOGS SHARED", align: "right", narrow: "leave out" },
  { title: "CALLS", align: "right" },
  { title: "FAILED", align: "right" },
  { title: "SOFTWARE", narrow: "leave out" },
];

function peerRow(peer: PeerStatus, { now, members }: Status, mark: Mark | undefined): Row {
  const { address, lastExchangeAt, sharedLogs, exchanges, failures, conflicts } = peer;
  const style: Style | undefined = mark === undefined ? undefined : "red";
  const member = members?.members.find(({ vkey }) => vkey === peer.vkey);
  const isAway = member !== undefined && member.state !== "connected";
  return {
    cells: [
      { text: mark ?? "", style },
      { text: address, style },
      ago(lastExchangeAt, now),
      { text: isAway ? member.state.toUpperCase() : answerOf(peer), style },
      sharedLogs === undefined ? "-" : `${sharedLogs}`,
      `${exchanges}`,
      `${failures}`,
      peer.software ?? "-",
    ],
    ...(conflicts > 0 && { note: "It was shown what contradicts what was shown to us." }),
  };
}

/** What the verdicts on a peer's last checkpoint mean to a person. */
const ANSWERS: Readonly<Record<string, string>> = {
  matches: "the same",
  pending: "another size",
  nothing: "nothing yet",
  inconsistent: "CONTRADICTS",
  refused: "REFUSED",
};

function answerOf(
  { isSelf, isUnwritten, failing, sharedLogs, exchanges, lastResult }: PeerStatus,
): string {
  if (isSelf) return "THIS MONITOR";
  if (isUnwritten) return "NOT WRITTEN";
  if (failing !== undefined) return "FAILED";
  if (exchanges === 0) return "not called yet";
  if (sharedLogs === 0) return "NO LOG SHARED";
  return ANSWERS[lastResult ?? "nothing"] ?? lastResult!;
}

/** How each witness keeps up with each log; those in trouble come first. */
function sayCosigners(
  status: Status,
  { most, screen }: { most: number; screen: Screen },
): string[] {
  const wrong = new Map<unknown, Mark>();
  const items = status.logs.flatMap((log) =>
    (log.cosigned?.witnesses ?? []).map((witness) => {
      const mark = markOf(witness);
      if (mark !== undefined) wrong.set(witness, mark);
      return { of: witness, row: cosignerRow(witness, { log, status, mark }) };
    })
  );
  if (items.length === 0) return [];
  return section(items, { columns: COSIGNER_COLUMNS, what: "witnesses", wrong, most, screen });
}

/** Who of the members is connected, and what became of the others, in words. */
function sayMembers(
  { members }: Status,
  { most, screen }: { most: number; screen: Screen },
): string[] {
  const [first, ...more] = members === undefined ? [] : membersInWords(members);
  if (first === undefined) return [];
  const lines = more.slice(0, most).flatMap((text) =>
    hanging("  ", `  ${printable(text)}`, screen)
  );
  const rest = more.length - most;
  const last = rest > 0 ? [`${INDENT}… and ${rest} more: 'hearsay peers' shows them`] : [];
  return ["", printable(first), ...lines, ...last];
}

/** What the witness has cosigned, and the logs of the configuration that only push to it. */
function sayWitness(
  { witness }: Status,
  { most, screen }: { most: number; screen: Screen },
): string[] {
  if (witness === undefined) return [];
  const { vkeys, logs, cosigned, pushed, list } = witness;
  const lines = pushed.slice(0, most).map(({ origin, size, openQuestions = 0 }) => {
    const cosigned = size === undefined ? "nothing cosigned yet" : `cosigned size ${size}`;
    const open = openQuestions === 0
      ? ""
      : `, open questions about what was refused: ${openQuestions}`;
    return `${origin}: ${cosigned}${open}`;
  });
  const rest = pushed.length - most;
  return [
    "",
    `witness for ${several(logs, "log")}, of which it has cosigned ${cosigned}`,
    ...[...vkeys, ...lines].flatMap((text) => hanging("  ", `  ${printable(text)}`, screen)),
    ...(rest > 0 ? [`${INDENT}… and ${rest} more that only push`] : []),
    ...(list === undefined ? [] : hanging("  ", `  ${printable(sayList(list))}`, screen)),
  ];
}

/** The own journal as a log: where it is, and how long. */
function sayFederation({ federation }: Status, screen: Screen): string[] {
  if (federation === undefined) return [];
  const { origin, size, address } = federation;
  const where = address === undefined ? "in files alone" : `at http://${address}/`;
  const text = `journal published as ${origin}: size ${size}, ${where}`;
  return ["", ...hanging("", printable(text), screen)];
}

function sayList({ url, at, problem }: NonNullable<WitnessStatus["list"]>): string {
  const used = at === undefined ? "none of its logs is known yet" : `the copy in use is of ${at}`;
  return problem === undefined
    ? `list of logs ${url}: ${used}`
    : `list of logs ${url} cannot be had (${problem}); ${used}`;
}

/** The store that is shared with other sites. */
function sayStore(status: Status, screen: Screen): string[] {
  const [first, ...sites] = storeInWords(status);
  if (first === undefined) return [];
  return [
    "",
    ...hanging("", printable(first), screen),
    ...sites.flatMap((text) => hanging("  ", printable(text), screen)),
  ];
}

/** The journals of other monitors that are mirrored. */
function sayMirrors(
  { mirrors = [], now }: Status,
  { most, screen }: { most: number; screen: Screen },
): string[] {
  if (mirrors.length === 0) return [];
  const lines = mirrors.slice(0, most).map((mirror) => mirrorInWords(mirror, now));
  const rest = mirrors.length - most;
  return [
    "",
    `mirrors ${several(mirrors.length, "journal")}`,
    ...lines.flatMap((text) => hanging("  ", `  ${printable(text)}`, screen)),
    ...(rest > 0 ? [`${INDENT}… and ${rest} more`] : []),
  ];
}

/** Through which channels the operator is told, and whether a heartbeat goes out. */
function sayAlerts({ alerts, now }: Status, { screen }: { screen: Screen }): string[] {
  if (alerts === undefined) return [];
  const { channels, heartbeat } = alerts;
  const lines = channels.map(({ name, description, waiting, lastSentAt }) => {
    const last = lastSentAt === undefined
      ? "nothing sent yet"
      : `last sent ${ago(lastSentAt, now)}`;
    const left = waiting === 0 ? "" : `, ${several(waiting, "alert")} waiting`;
    return `${name} (${description}): ${last}${left}`;
  });
  const beat = heartbeat === undefined ? [] : [
    `heartbeat: ${
      heartbeat.lastBeatAt === undefined ? "none yet" : `last ${ago(heartbeat.lastBeatAt, now)}`
    }`,
  ];
  return [
    "",
    `alerts go through ${several(channels.length, "channel")}`,
    ...[...lines, ...beat].flatMap((text) => hanging("  ", `  ${printable(text)}`, screen)),
  ];
}

/** A table, what is wrong first; the rest is counted if there is much. */
function section(
  items: readonly { readonly of: unknown; readonly row: Row }[],
  { columns, what, wrong, most, screen }: {
    columns: readonly Column[];
    what: string;
    wrong: ReadonlyMap<unknown, Mark>;
    most: number;
    screen: Screen;
  },
): string[] {
  if (items.length === 0) return ["", `no ${what}`];
  const marked = (mark?: Mark) => items.filter(({ of }) => wrong.get(of) === mark);
  const ordered = [...marked(CASE), ...marked(TROUBLE), ...marked()];
  const lines = new Table(columns, screen).lines(ordered.slice(0, most).map(({ row }) => row));
  const rest = ordered.slice(most);
  if (rest.length === 0) return ["", ...lines];
  const bad = rest.filter(({ of }) => wrong.has(of)).length;
  const how = bad === 0 ? "as they should be" : `${bad} of them in trouble`;
  return ["", ...lines, `${INDENT}… and ${rest.length} more ${what}, ${how}: --all shows them`];
}

/** A count with its noun. */
function several(count: number, noun: string): string {
  const plural = noun === noun.toUpperCase() ? "S" : "s";
  return `${count} ${noun}${count === 1 ? "" : plural}`;
}
