/**
 * The others on the page: witnesses, members, peers, mirrored journals, and where alerts go.
 *
 * @module
 */
import { nameOf, type PeerStatus, type Status, type WitnessOfLog } from "../monitor/status.ts";
import type { MirrorStatus } from "../monitor/mirrored_journal.ts";
import type { MemberStatus } from "../swarm/member_status.ts";
import { type Html, html, type Value } from "./html.ts";
import type { Contradicting } from "./page_contradicting.ts";
import { pathOfCase, pathOfIncident } from "./page_incident.ts";
import { badge, leftOut, type Mark, type Row, section, table } from "./page_parts.ts";
import { ago, grouped, lasting, nameIn, several, shortened, sizeOf } from "./page_words.ts";

/** Most of each kind on the page: those that are wrong first. */
export const MAX_OTHERS = 50;

/** Rows with what is wrong first, and no more than are shown. */
function bounded(rows: readonly Row[]): readonly Row[] {
  const marked = (mark?: Mark) => rows.filter((row) => row.mark === mark);
  return [...marked("bad"), ...marked("warn"), ...marked()].slice(0, MAX_OTHERS);
}

function rest(rows: readonly Row[], what: string): Value {
  return leftOut({
    ...{ all: rows.length, shown: Math.min(rows.length, MAX_OTHERS) },
    ...{ what: `${what}, what is wrong first` },
    see: html`<code>hearsay status --all</code> shows every one`,
  });
}

/** The witnesses of all logs, and this monitor as one; nothing if there are none. */
export function witnessSection(status: Status): Value {
  const rows = status.logs.flatMap((log) =>
    (log.cosigned?.witnesses ?? []).map((witness): Row => ({
      mark: markOfWitness(witness),
      cells: [
        nameIn(witness.name),
        nameIn(nameOf(log, status)),
        keeping(witness),
        sizeOf(witness.size),
        ago(witness.cosignedAt, status.now),
      ],
    }))
  );
  const { witness } = status;
  if (rows.length === 0 && witness === undefined) return undefined;
  const columns = [
    ...[{ title: "Witness" }, { title: "Log" }, { title: "State" }],
    ...[{ title: "Size", isNumber: true }, { title: "Last cosigned" }],
  ];
  const caption = "How each witness keeps up with each log";
  return section("witnesses", "Witnesses", [
    html`<p>A witness cosigns a checkpoint of a log. By that it says that the checkpoint continues all that it has
seen of this log. A checkpoint that enough witnesses have cosigned is committed.</p>`,
    witness !== undefined &&
    html`<p>This monitor is a witness itself: it has cosigned ${
      grouped(`${witness.cosigned}`)
    } of the ${several(witness.logs, "log")} that it knows.</p>`,
    rows.length > 0 && table({ caption, columns, rows: bounded(rows) }),
    rest(rows, "witnesses"),
  ]);
}

function markOfWitness({ keeping, incidents = 0 }: WitnessOfLog): Mark | undefined {
  if (incidents > 0) return "bad";
  return keeping === "lagging" || keeping === "missing" ? "warn" : undefined;
}

function keeping({ keeping, incidents = 0, failing }: WitnessOfLog): Value {
  const says = keeping === "waiting" ? "no cosignature seen yet" : keeping;
  const isWrong = keeping === "lagging" || keeping === "missing";
  return [
    incidents > 0 && [badge("bad", several(incidents, "proven case")), html`<br>`],
    isWrong ? badge("warn", says) : says,
    keeping === "lagging" && html`<br><small>others have cosigned more</small>`,
    keeping === "missing" && html`<br><small>no cosignature was seen for too long</small>`,
    failing !== undefined &&
    html`<br><small>it could not be asked itself: ${shortened(failing)}</small>`,
  ];
}

/**
 * The members and the other peers.
 * @param contradicting the peers that show a half of a case, by their addresses
 */
export function peerSection(
  status: Status,
  contradicting: ReadonlyMap<string, Contradicting> = new Map(),
): Html {
  const { members, peers, listen } = status;
  const others = peers.filter(({ vkey }) =>
    vkey === undefined || !members?.members.some((member) => member.vkey === vkey)
  );
  const content: Value = [
    html`<p>Peers are other monitors, with which this one compares what the logs show. A member is a peer whose key is
configured; there is a lasting session with it.${
      listen !== undefined && html`
        This monitor answers them at <code>${listen}</code>.
      `
    }</p>`,
    peers.length === 0 &&
    html`<p>No peer is configured. One monitor alone sees only what is shown to itself.</p>`,
    members !== undefined && memberTable(members.members, { status, contradicting }),
    others.length > 0 && peerTable(others, { status, contradicting }),
  ];
  return section("peers", "Members and peers", content);
}

/** What tables of peers are made of. */
interface OfPeers {
  readonly status: Status;
  readonly contradicting: ReadonlyMap<string, Contradicting>;
}

function memberTable(
  members: readonly MemberStatus[],
  { status, contradicting }: OfPeers,
): Value {
  const connected = members.filter(({ state }) => state === "connected").length;
  const rows = members.map((member): Row => {
    const peer = status.peers.find(({ vkey }) => vkey === member.vkey);
    const isWrong = member.state !== "connected" || member.usedTwiceAt !== undefined;
    const contradicts = peer !== undefined && peer.conflicts > 0;
    return {
      mark: isWrong ? "warn" : undefined,
      cells: [
        nameIn(member.name),
        memberState(member, status.now),
        member.roundTripMs === undefined ? "–" : `${Math.round(member.roundTripMs)} ms`,
        peer === undefined
          ? "–"
          : [answerOf(peer, contradicting.get(peer.address)), heardElsewhere(peer, status.now)],
        [
          member.software === undefined ? "–" : nameIn(member.software, 60),
          contradicts &&
          html`<br><small>It has told a checkpoint that contradicts one that was shown here. It does nothing wrong by that.</small>`,
        ],
      ],
    };
  });
  const columns = [
    ...[{ title: "Member" }, { title: "State" }, { title: "Round trip", isNumber: true }],
    ...[{ title: "Last answer" }, { title: "Software" }],
  ];
  return [
    table({
      caption: `Members: connected to ${connected} of ${members.length}`,
      ...{ columns, rows: bounded(rows) },
    }),
    rest(rows, "members"),
  ];
}

function memberState(member: MemberStatus, now: string): Value {
  const { state, since, reason, bannedBecause, bannedUntil, usedTwiceAt, notWanted } = member;
  const why = state === "banned" ? bannedBecause : notWanted ?? reason;
  return [
    state === "connected" ? html`<b>connected</b>` : badge("warn", state),
    lasting(since, now),
    why !== undefined && html`<br><small>${shortened(why)}</small>`,
    bannedUntil !== undefined && html`<br><small>until ${bannedUntil}</small>`,
    usedTwiceAt !== undefined &&
    html`<br><small>two programs used its key at once, ${ago(usedTwiceAt, now)}</small>`,
  ];
}

function peerTable(
  peers: readonly PeerStatus[],
  { status: { now }, contradicting }: OfPeers,
): Value {
  const rows = peers.map((peer): Row => ({
    mark: isInTrouble(peer) ? "warn" : undefined,
    cells: [
      nameIn(peer.address),
      [answerOf(peer, contradicting.get(peer.address)), heardElsewhere(peer, now)],
      ago(peer.lastExchangeAt, now),
      peer.sharedLogs === undefined ? "–" : `${peer.sharedLogs}`,
      `${peer.exchanges}, of which ${peer.failures} failed`,
    ],
  }));
  const columns = [
    ...[{ title: "Peer" }, { title: "Last answer" }, { title: "Called" }],
    ...[{ title: "Logs in common", isNumber: true }, { title: "Calls" }],
  ];
  const caption = "Peers that are called now and then, without a session";
  return [table({ caption, columns, rows: bounded(rows) }), rest(rows, "peers")];
}

function isInTrouble({ isSelf, isUnwritten, failing, sharedLogs }: PeerStatus): boolean {
  return isSelf === true || isUnwritten === true || failing !== undefined || sharedLogs === 0;
}

/** What the verdicts on a peer's last checkpoint mean to a person. */
const ANSWERS: Readonly<Record<string, Value>> = {
  matches: "the same as ours",
  pending: "another size",
  nothing: "it has seen nothing yet",
  inconsistent: badge("bad", "contradicts ours"),
  refused: badge("warn", "not accepted"),
};

/** Which other site hears a peer that this one cannot reach. */
function heardElsewhere({ heardBy }: PeerStatus, now: string): Value {
  return heardBy !== undefined &&
    html`<br><small>site ${nameIn(heardBy.site)} heard it ${ago(heardBy.at, now)}</small>`;
}

function answerOf(peer: PeerStatus, contradicting: Contradicting | undefined): Value {
  const { isSelf, isUnwritten, failing, exchanges, sharedLogs, lastResult = "nothing" } = peer;
  if (isSelf) return badge("warn", "it is this monitor itself");
  if (isUnwritten) return badge("warn", "our own disk refused to write it down");
  if (failing !== undefined) return [badge("warn", "failed"), ` ${shortened(failing)}`];
  if (exchanges === 0) return "not called yet";
  if (sharedLogs === 0) return badge("warn", "no log in common");
  if (contradicting !== undefined) {
    const { size, seq, id } = contradicting;
    const link = id === undefined
      ? html`<a href="${pathOfCase(seq)}">case ${seq}</a>`
      : html`<a href="${pathOfIncident(id)}">${id}</a>`;
    return [
      badge("bad", "contradicts"),
      html`
        (size ${grouped(size)}): ${link}
      `,
    ];
  }
  return Object.hasOwn(ANSWERS, lastResult) ? ANSWERS[lastResult]! : shortened(lastResult);
}

/** The own journal as others can read it, and the journals mirrored; nothing if there is neither. */
export function mirrorSection({ federation, mirrors = [], now }: Status): Value {
  if (federation === undefined && mirrors.length === 0) return undefined;
  const rows = mirrors.map((mirror): Row => ({
    mark: markOfMirror(mirror),
    cells: [
      nameIn(mirror.name),
      [
        sizeOf(mirror.size),
        mirror.theirs !== undefined && mirror.theirs !== mirror.size &&
        [" of ", sizeOf(mirror.theirs)],
      ],
      mirrorState(mirror, now),
      ago(mirror.lastSyncAt ?? mirror.lastPushAt, now),
    ],
  }));
  const columns = [
    ...[{ title: "Monitor" }, { title: "Entries here" }, { title: "State" }],
    { title: "Last copied" },
  ];
  return section("mirrors", "Journals", [
    html`<p>A journal has the cases of a monitor and the steps of its incidents. Monitors keep copies of each other's, so
that nothing in them is lost or changed unnoticed.</p>`,
    federation !== undefined &&
    html`<p>This monitor publishes its own as the log ${nameIn(federation.origin)}, with ${
      several(Number(federation.size), "entry", "entries")
    }${federation.isBehind === true && " (more could not be published: the disk refuses)"}.</p>`,
    rows.length > 0 &&
    table({
      caption: "Journals of other monitors, copied (mirrored) here",
      columns,
      rows: bounded(rows),
    }),
    rest(rows, "journals"),
  ]);
}

function markOfMirror({ incidents, isUnhealthy, records }: MirrorStatus): Mark | undefined {
  if (incidents > 0) return "bad";
  return isUnhealthy === true || records.refused > 0 ? "warn" : undefined;
}

function mirrorState(mirror: MirrorStatus, now: string): Value {
  const { incidents, isUnhealthy, failures, failingSince, lastError, lastOutcome, records } =
    mirror;
  return [
    incidents > 0 && [badge("bad", "proven: it signed two histories"), html`<br>`],
    isUnhealthy === true && badge("warn", "cannot be fetched"),
    isUnhealthy !== true &&
    (failures > 0 ? "the last fetch failed" : lastOutcome ?? "not fetched yet"),
    failures > 0 && lasting(failingSince, now),
    failures > 0 && lastError !== undefined && html`<br><small>${shortened(lastError)}</small>`,
    records.recorded > 0 && html`<br><small>cases recorded from it: ${records.recorded}</small>`,
    records.refused > 0 && html`<br><small>records that do not hold: ${records.refused}</small>`,
  ];
}

/** The store that is shared with other sites, and who they are; nothing without one. */
export function storeSection({ store, now }: Status): Value {
  if (store === undefined) return undefined;
  const { state, since, detail, behind, sites } = store;
  const rows = sites.map(({ name, isAlive, isStopped, seenAt, held }): Row => {
    const isAway = !isAlive && isStopped !== true;
    const says = isAway ? badge("warn", "away") : isAlive ? "alive" : "stopped";
    return {
      mark: isAway ? "warn" : undefined,
      cells: [nameIn(name), says, ago(seenAt, now), `${held}`],
    };
  });
  const columns = [
    ...[{ title: "Site" }, { title: "State" }, { title: "Heard of" }],
    { title: "Logs it looks at", isNumber: true },
  ];
  return section("store", "Shared store", [
    state === "connected"
      ? html`<p>Connected${behind > 0 && `, ${grouped(`${behind}`)} entries behind`}.</p>`
      : html`<p>${badge("warn", "away")}${lasting(since, now)}: this monitor looks at every log
        itself, and catches up later. <small>${shortened(detail ?? "")}</small></p>`,
    table({ caption: "Sites that share it", columns, rows: bounded(rows) }),
    rest(rows, "sites"),
  ]);
}

/** Where alerts go; nothing if none are configured. */
export function alertSection(status: Status): Value {
  const { alerts } = status;
  if (alerts === undefined) return undefined;
  const rows = alerts.channels.map((channel): Row => {
    const { name, description, waiting, failingSince, lastError, isDisabled } = channel;
    const isWrong = isDisabled === true || failingSince !== undefined;
    return {
      mark: isWrong ? "warn" : undefined,
      cells: [
        nameIn(name),
        shortened(description),
        [
          isDisabled === true ? badge("warn", "not tried any more") : failingSince !== undefined
            ? [
              badge("warn", "failing"),
              lasting(failingSince, status.now),
            ]
            : "works",
          lastError !== undefined && isWrong && html`<br><small>${shortened(lastError)}</small>`,
        ],
        `${waiting}`,
        ago(channel.lastSentAt, status.now),
      ],
    };
  });
  const columns = [
    ...[{ title: "Channel" }, { title: "Leads to" }, { title: "State" }],
    ...[{ title: "Waiting", isNumber: true }, { title: "Last sent" }],
  ];
  return section("alerts", "Alerts", [
    rows.length === 0 && html`<p>No channel is configured: nobody is told of anything.</p>`,
    rows.length > 0 && table({ caption: "Where alerts go", columns, rows: bounded(rows) }),
    rest(rows, "channels"),
  ]);
}
