/**
 * The members of a monitor for a person: a table, and below it what asks something of them.
 *
 * @module
 */
import { type MemberTrouble, troublesOfMembers } from "../monitor/member_troubles.ts";
import type { MemberStatus, SwarmStatus } from "../swarm/member_status.ts";
import { printable } from "../tlog/malformed.ts";
import { refusalsOf, whyAway } from "./member_words.ts";
import { soon, span } from "./spans.ts";
import { type Column, type Row, Table } from "./table.ts";
import type { Terminal } from "./terminal.ts";
import { hanging, wrapped } from "./width.ts";

const COLUMNS: readonly Column[] = [
  { title: "MEMBER", narrow: "cut" },
  { title: "STATE" },
  { title: "ADDRESS", narrow: "cut" },
  { title: "CALLED BY", narrow: "leave out" },
  { title: "ROUND TRIP", align: "right", narrow: "leave out" },
  { title: "FOR", align: "right" },
  { title: "NEXT CALL", align: "right", narrow: "leave out" },
];
const INDENT = " ".repeat(4);

type Screen = Pick<Terminal, "columns" | "paint">;

/** The lines to show of the members of a running daemon. */
export function describeMembers(status: SwarmStatus, screen: Screen): string[] {
  const { members, room, now } = status;
  if (members.length === 0) return NO_MEMBERS;
  const connected = members.filter(({ state }) => state === "connected").length;
  const troubles = troublesOfMembers(status);
  const inTrouble = new Set(troubles.map(({ member }) => member));
  const rows = members.map((member) => rowOf(member, { now, isWrong: inTrouble.has(member) }));
  const refused = members.flatMap((member) => {
    const text = refusalsOf(member);
    return text === undefined ? [] : [`  ${printable(`${member.name}: ${text}`)}`];
  });
  return [
    `Connected to ${connected} of ${members.length} members; there is room for ${room}.`,
    ...troubles.flatMap((trouble) => sayTrouble(trouble, { now, screen })),
    "",
    ...new Table(COLUMNS, screen).lines(rows),
    ...(refused.length > 0
      ? ["", ...wrapped(NOT_ACCEPTED, { width: screen.columns ?? Infinity }), ...refused]
      : []),
  ];
}

const NOT_ACCEPTED = "Not accepted of what they sent. 'duplicate', 'unknown source' and, after a " +
  "restart, 'replayed' are in good order:";

const NO_MEMBERS = [
  "No members. A peer whose key is known is a member: hearsay peers add VKEY [HOST:PORT]",
];

function sayTrouble(
  { text, advice, member, since }: MemberTrouble,
  { now, screen }: { now: string; screen: Screen },
): string[] {
  const lasts = since === undefined ? "" : `For ${span(since, now)} now. `;
  const at = member?.nextCallAt;
  const next = at === undefined ? "" : `It is called again ${soon("in", now, at)}. `;
  const width = screen.columns ?? Infinity;
  return [
    ...hanging("!   ", printable(text), screen).map((line) => screen.paint("red", line)),
    ...wrapped(printable(`${lasts}${next}${advice}`), { width, indent: INDENT }),
  ];
}

function rowOf(
  member: MemberStatus,
  { now, isWrong }: { now: string; isWrong: boolean },
): Row {
  const { name, state, address = "-", direction, roundTripMs, since, nextCallAt } = member;
  const style = isWrong ? "red" as const : undefined;
  const isConnected = state === "connected";
  const why = whyAway(member, now);
  return {
    cells: [
      { text: name, style },
      { text: state, style },
      address,
      !isConnected ? "-" : direction === "outbound" ? "us" : "it",
      roundTripMs === undefined ? "-" : `${Math.round(roundTripMs)} ms`,
      since === undefined ? "-" : span(since, now),
      isConnected || nextCallAt === undefined ? "-" : soon("in", now, nextCallAt),
    ],
    ...(why !== undefined && { note: why }),
  };
}

/** What is known of members where no daemon can be asked: what the configuration says. */
export function describeConfigured(
  peers: readonly { readonly name: string; readonly address: string | undefined }[],
  screen: Screen,
): string[] {
  if (peers.length === 0) return NO_MEMBERS;
  const columns: readonly Column[] = [
    { title: "MEMBER", narrow: "cut" },
    { title: "ADDRESS", narrow: "cut" },
  ];
  const rows = peers.map(({ name, address = "none: it calls, or others tell" }) => ({
    cells: [name, address],
  }));
  return ["The configuration has these members:", "", ...new Table(columns, screen).lines(rows)];
}
