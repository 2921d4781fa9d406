/**
 * Checks what must hold, whatever happens. A monitor is judged by three things: what it tells, what its
 * disk would keep if the power went at that moment, and what the logs really did, which only the
 * simulation knows.
 *
 * @module
 */
import type { JsonObject } from "../../src/evidence/json.ts";
import { type ConflictRecord, parseRecord } from "../../src/evidence/record.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import type { Daemon } from "../../src/monitor/daemon.ts";
import type { EventName, Level } from "../../src/monitor/events.ts";
import { IncidentNotWritten } from "../../src/monitor/case_keeper.ts";
import { QUESTION_LIMITS } from "../../src/monitor/questions.ts";
import { isTheLog } from "../../src/monitor/the_log.ts";
import type { Status } from "../../src/monitor/status.ts";
import { DurabilityLost } from "../../src/world/durable.ts";
import { isCase, readIncidents, recordOf } from "../../src/store/incidents.ts";
import { JOURNAL_FILE } from "../../src/store/journal.ts";
import { checkObservations, OBSERVATIONS_NAME } from "../../src/store/observations.ts";
import type { Alert } from "../../src/response/alert.ts";
import { verifyEvidence } from "../../src/response/alert_evidence.ts";
import { MAX_CASES_TOLD_AN_HOUR } from "../../src/response/desk.ts";
import { segmentName } from "../../src/store/segments.ts";
import { textOf } from "../../src/tlog/encoding.ts";
import { WorldError } from "../../src/world/world.ts";
import { convicted } from "../monitor/hosts.ts";
import type { Shown, SimLog } from "./logs.ts";
import { Ledger } from "./ledger.ts";
import { type Fields, INCIDENTS, type SimMonitor, STATE } from "./monitor.ts";
import { nameOf, type Socket } from "./network.ts";
import type { Property, Violation } from "./properties.ts";
import { TroublesTold } from "./troubles_told.ts";

/**
 * The longest time that a connection may be open, in milliseconds: an exchange, or a first byte and a
 * parcel, and 2 s until that is noticed.
 */
export const LONGEST_EXCHANGE_MS =
  Math.max(DEFAULT_LIMITS.exchangeMs, DEFAULT_LIMITS.firstByteMs + DEFAULT_LIMITS.parcelMs) + 2_000;

/** How many timers a daemon may have besides those of its connections, logs and peers. */
const SPARE_TIMERS = 10;

/** Timers of what it shares with other sites. */
const TIMERS_OF_SITES = 4;

/** Timers of the desk, the queue, what the disk refuses, and the courier. */
const TIMERS_OF_ALERTS = 10;

/** Timers of exchanges through a session with a member, and of calls to it. */
const TIMERS_A_MEMBER = 10;
/** How long a connection of a session may be open without a seat: handshake, hello, goodbye. */
const LONGEST_UNSEATED_MS = 30_000;

/** A size and a root; the root is spelled as in a record. */
interface Head {
  readonly size: number;
  readonly root: string;
}

/** The source of what another site was shown, with its name. */
const SITE_SOURCE = /^the log at site (\S+)$/;

/** Whether a log is the journal of a monitor. */
function isJournal(origin: string | undefined): boolean {
  return origin !== undefined && /\.invalid\/incidents(\/|$)/.test(origin);
}

/** Watches a fleet and collects violations. */
export class Checks {
  readonly violations: Violation[] = [];
  readonly #logs: ReadonlyMap<string, SimLog>;
  readonly #ledgers = new Map<SimMonitor, Ledger>();
  readonly #now: () => number;
  readonly #malicious: ReadonlySet<number>;
  readonly #keyNameOf: (number: number) => string;
  /**
   * By member, whom it told one of two things under one number, and when it did so first since a session
   * of honest ones last began or ended.
   */
  readonly #toldApart = new Map<number, Map<number, number>>();
  /** How often a session between members has begun or ended, or a daemon has. */
  sessionChanges = 0;
  #sessionChangedAt = 0;
  /** How often each property was checked. A property that was never checked has shown nothing. */
  readonly looks: Partial<Record<Property, number>> = {};

  /** @param malicious the numbers of malicious members */
  constructor({ logs, now, malicious, keyNameOf }: {
    logs: readonly SimLog[];
    /** The name of the key on a machine. */
    keyNameOf: (number: number) => string;
    now: () => number;
    malicious: ReadonlySet<number>;
  }) {
    this.#malicious = malicious;
    this.#keyNameOf = keyNameOf;
    this.#logs = new Map(logs.map((log) => [log.log.origin, log]));
    this.#now = now;
  }

  #look(property: Property): void {
    this.looks[property] = (this.looks[property] ?? 0) + 1;
  }

  /** Checks a property once, and notes a violation if it does not hold. */
  expect(property: Property, holds: boolean, detail: () => string): void {
    this.#look(property);
    if (!holds) this.violations.push({ property, at: this.#now(), detail: detail() });
  }

  #ledger(monitor: SimMonitor): Ledger {
    let ledger = this.#ledgers.get(monitor);
    if (ledger === undefined) this.#ledgers.set(monitor, ledger = new Ledger());
    return ledger;
  }

  /** A checkpoint has reached a monitor from a log. */
  shown(monitor: SimMonitor, log: SimLog, shown: Shown): void {
    const { delivered, everShown } = this.#ledger(monitor);
    everShown.add(`${log.log.origin} ${shown.story} ${shown.size}`);
    const places = delivered.get(log.log.origin) ?? new Map<number, Shown>();
    delivered.set(log.log.origin, places.set(shown.place ?? 0, shown));
  }

  /** A monitor asks a log for something. */
  asks(monitor: SimMonitor, log: SimLog, place: number): void {
    const until = this.#ledger(monitor).putOff.get(`${log.log.origin} ${place}`);
    if (until === undefined) return;
    this.expect(
      "Retry-After is kept",
      this.#now() >= until,
      () =>
        `${monitor.name} asks ${log.log.origin} ${Math.round(until - this.#now())} ms before it ` +
        "said that it may be asked again",
    );
  }

  /** An answer that asks to wait has reached a monitor. */
  putOff(
    monitor: SimMonitor,
    log: SimLog,
    { place, seconds }: { place: number; seconds: number },
  ): void {
    // The monitor's clock may run a little fast.
    const until = this.#now() + 990 * seconds;
    this.#ledger(monitor).putOff.set(`${log.log.origin} ${place}`, until);
  }

  /** A daemon told something. */
  told(
    monitor: SimMonitor,
    { name, level, fields }: { name: EventName; level: Level; fields: Fields },
  ): void {
    this.#toldTrouble(monitor, { name, level, fields });
    if (name.startsWith("member.")) this.#toldOfMember(monitor, name, fields);
    const origin = fields.origin as string | undefined;
    if (name === "incident.recorded") this.#recorded(monitor, fields.evidence_id as string);
    if (name === "incident.not written") {
      const record = fields.record as ConflictRecord;
      this.expect(
        "no false accusation",
        this.#isTrue(record),
        () => `${monitor.name} would record what is not true: ${JSON.stringify(record)}`,
      );
    }
    if (name === "incident.refused") {
      this.expect("evidence holds", false, () => `${monitor.name} made a record that it refuses`);
    }
    this.expect(
      "no fault of its own",
      name !== "daemon.fault",
      () => `${monitor.name} has a fault of its own: ${fields.stack}`,
    );
    this.expect(
      "no fault of its own",
      !["journal.lost", "folder.moved", "folder.foreign"].includes(name),
      () => `${monitor.name} says that it lost what no disk has lost: ${fields.detail}`,
    );
    if (name === "journal.unsound") {
      const detail = (): string => `${monitor.name} has entries ${JSON.stringify(fields)} unsound`;
      this.expect("evidence holds", false, detail);
    }
    if (/^(log|exchange)\.inconsistent$/.test(name)) {
      const isTrue = this.#logs.get(origin!)?.isDishonest === true;
      this.expect(
        "no false accusation",
        isTrue,
        () => `${monitor.name} told ${name} of ${origin}, which is honest`,
      );
    }
    // What is told of a log as a whole, such as how much it withholds by now, has no source.
    if (
      name.startsWith("log.") && !isJournal(origin) && "source" in fields &&
      isTheLog(fields.source as string)
    ) {
      const { size, source } = fields as Record<string, string>;
      const site = SITE_SOURCE.exec(source!)?.[1];
      if (site === undefined) this.#looked(monitor, { name, origin: origin!, size });
      else this.#lookedThrough(monitor, { name, origin: origin!, size, site });
    }
    if (name === "exchange.pending" && monitor.isPeer(fields.source as string)) {
      const { askedByPeers } = this.#ledger(monitor);
      const sizes = askedByPeers.get(origin!) ?? new Set();
      askedByPeers.set(origin!, sizes.add(fields.size as string));
    }
    if (/^exchange\.(pending|matches|inconsistent)$/.test(name)) {
      this.#acknowledged(monitor, { origin: origin!, size: fields.size as string });
    }
  }

  /** A daemon told something of a member. */
  #toldOfMember(monitor: SimMonitor, name: EventName, fields: Fields): void {
    const number = monitor.memberNamed(fields.member as string);
    const { sessions } = this.#ledger(monitor);
    const isSession = ["member.connected", "member.disconnected", "member.left"].includes(name);
    // A malicious member comes and goes as it likes.
    if (isSession && !this.#malicious.has(number!)) this.#sessionChanged();
    if (name === "member.connected") sessions.set(number!, this.#now());
    if (name === "member.disconnected" || name === "member.left") sessions.delete(number!);
    this.expect(
      "no honest member is put out",
      !["member.banned", "member.key_used_twice"].includes(name) || this.#mayBePutOut(number),
      () => `${monitor.name} told ${name} of ${fields.member}, which is honest: ${fields.reason}`,
    );
  }

  #mayBePutOut(number: number | undefined): boolean {
    return number !== undefined && this.#malicious.has(number);
  }

  /** A malicious member told a monitor one of two things under one number. */
  toldApart(number: number, target: number): void {
    const told = this.#toldApart.get(number) ?? new Map<number, number>();
    if ((told.get(target) ?? 0) <= this.#sessionChangedAt) told.set(target, this.#now());
    this.#toldApart.set(number, told);
  }

  /**
   * Whether a member told two monitors different things by a moment, and all sessions of honest ones have lasted since
   * it told the first of them.
   */
  heardApart([a, b]: readonly [number, number], number: number, by: number): boolean {
    const told = this.#toldApart.get(number);
    const [one = 0, other = 0] = [told?.get(a), told?.get(b)];
    const areSaidApart = a % 2 !== b % 2;
    return areSaidApart && Math.min(one, other) > this.#sessionChangedAt &&
      Math.max(one, other) <= by;
  }

  /** Whether a monitor has a case of two statements of a member. */
  knowsTongues(monitor: SimMonitor, number: number): boolean {
    const { convictions } = this.#ledger(monitor);
    return [...convictions.keys()]
      .some((origin) => origin.startsWith(`${this.#keyNameOf(number)}/statements/`));
  }

  /** The members that a running daemon has had a session with since a moment, by number. */
  sessionsOf(monitor: SimMonitor, { since = Infinity } = {}): ReadonlySet<number> {
    const { sessions } = this.#ledger(monitor);
    return new Set([...sessions].filter(([, at]) => at <= since).map(([number]) => number));
  }

  #sessionChanged(): void {
    this.sessionChanges++;
    this.#sessionChangedAt = this.#now();
  }

  /** A daemon has ended, and with it its sessions. */
  ended(monitor: SimMonitor): void {
    this.#sessionChanged();
    this.#ledger(monitor).sessions.clear();
  }

  /** What strangers cause is limited in another way. */
  #toldTrouble(
    monitor: SimMonitor,
    event: { name: EventName; level: Level; fields: Fields },
  ): void {
    const source = event.fields.source as string | undefined;
    const isOfPeer = source !== undefined && monitor.isCalled(source);
    if (event.name.startsWith("exchange.") && !isOfPeer) return;
    const wrong = this.#ledger(monitor).troubles.told(this.#now(), event);
    this.expect("trouble is told", wrong === undefined, () => `${monitor.name} ${wrong}`);
  }

  /** A daemon could not do something. */
  refused(monitor: SimMonitor, error: unknown): void {
    const mayBe = [WorldError, DurabilityLost, IncidentNotWritten];
    const isDisk = mayBe.some((kind) => error instanceof kind);
    const reason = error instanceof IncidentNotWritten ? error.cause : error;
    const mayRefuse = monitor.hadDiskTrouble || reason instanceof DurabilityLost;
    this.expect(
      "no fault of its own",
      isDisk && mayRefuse,
      () =>
        `${monitor.name} ${isDisk ? "blames a disk that works" : "failed"}: ` +
        `${error instanceof Error ? error.stack : error}`,
    );
  }

  /** A daemon has ended because of this; the disk may have done that, or nothing. */
  failed(monitor: SimMonitor, error: unknown): void {
    this.refused(monitor, error);
  }

  /** A monitor says that a case is recorded. It must be durable by now. */
  #recorded(monitor: SimMonitor, evidenceId: string): void {
    const ledger = this.#ledger(monitor);
    const text = durableText(monitor, `${INCIDENTS}/${JOURNAL_FILE}`);
    const line = text.split("\n").find((one) => one.includes(`"evidence_id":"${evidenceId}"`));
    this.expect(
      "nothing acknowledged is lost",
      line !== undefined,
      () => `${monitor.name} told of case ${evidenceId} before it was durable`,
    );
    if (line === undefined) return;
    const { record, hash } = JSON.parse(line) as { record: JsonObject; hash: string };
    this.#checkRecord(monitor, record, hash);
    const parsed = parseRecord(record);
    this.#learn(ledger, parsed);
  }

  /** Takes note of a record that is durable on a monitor's disk. */
  #learn({ cases, convictions }: Ledger, record: ConflictRecord): void {
    const { log: { origin }, evidence_id } = record;
    if (cases.has(evidence_id)) return;
    cases.set(evidence_id, record);
    const ofLog = convictions.get(origin) ?? new Map<string, number>();
    convictions.set(origin, ofLog.set(convicted(record), this.#now()));
  }

  /** Checks that a record convinces a stranger, and that what it says is true. */
  #checkRecord(monitor: SimMonitor, input: JsonObject, hash: string): void {
    const ledger = this.#ledger(monitor);
    if (ledger.checked.has(hash)) return;
    ledger.checked.add(hash);
    const { outcome, signed, checks } = verifyConflict({ input });
    this.expect(
      "evidence holds",
      outcome === "holds" && signed,
      () =>
        `a stranger says ${outcome} of a record of ${monitor.name}: ` +
        checks.filter(({ ok }) => !ok).map(({ detail }) => detail).join("; "),
    );
    const record = parseRecord(input);
    this.expect(
      "no false accusation",
      this.#isTrue(record),
      () => `${monitor.name} recorded what is not true: ${JSON.stringify(record)}`,
    );
  }

  /** Whether the log has really signed both checkpoints. The simulation knows its stories. */
  #isTrue(
    { kind, log: { origin, vkey }, checkpoint_a, checkpoint_b, consistency }: ConflictRecord,
  ): boolean {
    const log = this.#logs.get(origin);
    // A statement of a member: only a malicious one says two things under one number.
    if (log === undefined && kind === "same_size") {
      return [...this.#malicious].some((number) =>
        origin.startsWith(`${this.#keyNameOf(number)}/statements/`)
      );
    }
    if (log === undefined || log.log.vkey.text !== vkey) return false;
    const [older, newer] = [checkpoint_a, checkpoint_b]
      .map(({ size, root }) => ({ size: Number(size), root }))
      .sort((a, b) => a.size - b.size) as [Head, Head];
    const [stories, others] = [log.storiesOf(older), log.storiesOf(newer)];
    const areSigned = stories.length > 0 && others.length > 0;
    if (!areSigned || stories.some((story) => others.includes(story))) return false;
    if (kind === "same_size") return older.size === newer.size;
    const implied = { size: older.size, root: consistency!.implied_root };
    return older.size < newer.size && log.storiesOf(implied).includes(others[0]!);
  }

  /** A monitor tells what came of what another site was shown by a log. */
  #lookedThrough(
    monitor: SimMonitor,
    { name, origin, size, site }: {
      name: EventName;
      origin: string;
      size: string | undefined;
      site: string;
    },
  ): void {
    const other = [...this.#ledgers].find(([{ number }]) => this.#keyNameOf(number) === site);
    const stories = [0, 1].filter((story) =>
      other?.[1].everShown.has(`${origin} ${story} ${size}`)
    );
    const advances = name === "log.first" || name === "log.extends";
    this.expect(
      "no view rolls back",
      stories.length > 0 || !advances,
      () => `${monitor.name} told ${name} of ${size}, which ${site} was never shown`,
    );
    if (size === undefined || stories.length === 0) return;
    this.#acknowledged(monitor, { origin, size });
    const { through } = this.#ledger(monitor);
    for (const story of stories) through.add(`${origin} ${story} ${size}`);
    if (!advances) return;
    const story = stories.length === 1 ? stories[0] : undefined;
    this.#advanced(monitor, { origin, size: Number(size), story });
  }

  /** A monitor tells the result of a look at a log. */
  #looked(
    monitor: SimMonitor,
    { name, origin, size }: { name: EventName; origin: string; size: string | undefined },
  ): void {
    const ledger = this.#ledger(monitor);
    const delivered = [...ledger.delivered.get(origin)?.values() ?? []];
    // In two places it may be shown two stories at one size: an event has no root to tell them apart.
    const shown = delivered.filter((one) => size !== undefined && one.size === Number(size));
    const isAsShown = size !== undefined && shown.length > 0;
    const advances = name === "log.first" || name === "log.extends";
    this.expect(
      "no view rolls back",
      isAsShown || !advances,
      () =>
        `${monitor.name} told ${name} of ${size}, and was shown ` +
        delivered.map((one) => one.size).join(" and "),
    );
    if (!isAsShown) return;
    const all = ledger.shown.get(origin) ?? [];
    ledger.shown.set(origin, all);
    for (const { size, story } of shown) {
      if (!all.some((one) => one.size === size && one.story === story)) all.push({ size, story });
    }
    this.#acknowledged(monitor, { origin, size });
    if (advances) {
      const stories = new Set(shown.map(({ story }) => story));
      const story = stories.size === 1 ? shown[0]!.story : undefined;
      this.#advanced(monitor, { origin, size: Number(size), story });
    }
  }

  #advanced(
    monitor: SimMonitor,
    { origin, size, story }: { origin: string; size: number; story: number | undefined },
  ): void {
    const { views } = this.#ledger(monitor);
    const before = views.get(origin);
    const { fork } = this.#logs.get(origin)!.plan;
    this.expect(
      "no view rolls back",
      before === undefined || size > before.size,
      () => `${monitor.name} advanced its view of ${origin} from ${before?.size} to ${size}`,
    );
    const isSame = before?.story === undefined || story === undefined || before.story === story;
    this.expect(
      "no view rolls back",
      isSame,
      () => `${monitor.name} changed the story it believes of ${origin} at ${size}`,
    );
    views.set(origin, { size, story: size > fork ? story ?? before?.story : before?.story });
  }

  /** A monitor says that it has seen a size. The observation must be durable by now. */
  #acknowledged(monitor: SimMonitor, { origin, size }: { origin: string; size: string }): void {
    const ledger = this.#ledger(monitor);
    const name = `${origin} ${size}`;
    if (ledger.sizes.has(name)) return;
    ledger.sizes.add(name);
    const text = durableText(monitor, `${STATE}/${segmentName(OBSERVATIONS_NAME, 1)}`);
    // An entry has the note as a JSON string, so a newline in it is spelled `\n`.
    const isThere = text.includes(`"checkpoint":"${origin}\\n${size}\\n`);
    this.expect(
      "nothing acknowledged is lost",
      isThere,
      () => `${monitor.name} told of size ${size} of ${origin} before it was durable`,
    );
  }

  /** A monitor has answered somebody who told it a checkpoint, so it must keep it. */
  answered(monitor: SimMonitor, head: { origin: string; size: number; root: string }): void {
    const name = `${head.origin} ${head.size} ${head.root}`;
    this.#ledger(monitor).heads.add(name);
    const text = durableText(monitor, `${STATE}/${segmentName(OBSERVATIONS_NAME, 1)}`);
    const isThere = text.includes(
      `"checkpoint":"${head.origin}\\n${head.size}\\n${head.root}\\n`,
    );
    this.expect(
      "nothing acknowledged is lost",
      isThere,
      () => `${monitor.name} answered ${name} before it was durable`,
    );
  }

  /** A daemon has started. Its status must agree with what it had told before. */
  started(monitor: SimMonitor, daemon: Daemon): void {
    const ledger = this.#ledger(monitor);
    const { views, putOff } = ledger;
    // The log asked an earlier process to wait; this one does not know it.
    putOff.clear();
    ledger.troubles = new TroublesTold(this.#now());
    let status: Status;
    try {
      status = daemon.status();
    } catch (error) {
      // The status reads the database, which may refuse.
      if (error instanceof WorldError && monitor.hadDiskTrouble) return;
      throw error;
    }
    for (const { origin, size: accepted, root: acceptedRoot, ...seen } of status.logs) {
      // The view of a frozen log goes on, and is not accepted.
      const { seenSize: size = accepted, seenRoot: root = acceptedRoot } = seen;
      const before = views.get(origin);
      this.expect(
        "no view rolls back",
        +(size ?? -1) >= (before?.size ?? -1),
        () => `${monitor.name} started with the view ${size} of ${origin}, it was ${before?.size}`,
      );
      if (size === undefined || root === undefined) continue;
      const stories = this.#logs.get(origin)!.storiesOf({ size: +size, root });
      const isOne = stories.length > 0 &&
        (before?.story === undefined || stories.includes(before.story));
      this.expect(
        "no view rolls back",
        isOne,
        () => `${monitor.name} has a view of ${origin} of size ${size} that is of another story`,
      );
      // The view may have been written just before the power went, and not told.
      if (before === undefined || +size > before.size) {
        const story = stories.length === 1 ? stories[0] : before?.story;
        views.set(origin, { size: +size, story });
      }
    }
  }

  /** Reads a monitor's journals from its disk, as a stranger would, and checks that nothing is lost. */
  async disk(monitor: SimMonitor): Promise<void> {
    const ledger = this.#ledger(monitor);
    const { files } = monitor.disk;
    try {
      const ids = new Map<string, number>();
      const convictions = new Map<string, number>();
      for await (const item of readIncidents({ files, folder: INCIDENTS })) {
        if (!("entry" in item)) continue;
        if (!isCase(item.entry.record)) continue;
        const record = recordOf(item.entry, INCIDENTS);
        this.#checkRecord(monitor, item.entry.record, item.entry.hash);
        // A case that was written just before the power went is there, and was never told.
        this.#learn(ledger, record);
        for (
          const [name, seen] of [[record.evidence_id, ids], [
            convicted(record),
            convictions,
          ]] as const
        ) {
          const first = seen.get(name);
          this.expect(
            "one entry a case",
            first === undefined,
            () => `${monitor.name} has entries ${first} and ${item.entry.seq} of ${name}`,
          );
          seen.set(name, item.entry.seq);
        }
      }
      for (const id of ledger.cases.keys()) {
        this.expect(
          "nothing acknowledged is lost",
          ids.has(id),
          () => `${monitor.name} has lost case ${id}`,
        );
      }
      const heads = new Set<string>();
      for await (const item of checkObservations({ files, folder: STATE })) {
        if (!("observation" in item) || item.observation.checkpoint === undefined) continue;
        const { log: { origin }, checkpoint: { size, root } } = item.observation;
        heads.add(`${origin} ${size}`).add(`${origin} ${size} ${root}`);
      }
      for (const head of [...ledger.sizes, ...ledger.heads]) {
        this.expect(
          "nothing acknowledged is lost",
          heads.has(head),
          () => `${monitor.name} has lost the observation ${head}`,
        );
      }
      this.#look("chains check");
    } catch (error) {
      this.expect("chains check", false, () => `${monitor.name}: ${(error as Error).message}`);
    }
  }

  /** Checks that what a running daemon holds now is within its bounds. */
  held(monitor: SimMonitor): void {
    const { machine } = monitor;
    const now = this.#now();
    const sockets = [...machine.sockets].filter(({ openedAt }) => openedAt !== undefined);
    const { members = [], room = 0 } = monitor.plan.membership ?? {};
    const old = (socket: Socket): boolean =>
      (now - socket.openedAt!) * monitor.plan.rate > LONGEST_UNSEATED_MS;
    const seated = sockets.filter((socket) => socket.isSession && old(socket)).length;
    this.expect("bounded", seated <= room, () => `${monitor.name} has ${seated} old sessions`);
    for (const socket of sockets) {
      const age = now - socket.openedAt!;
      this.expect(
        "exchanges end",
        socket.isSession || age * monitor.plan.rate <= LONGEST_EXCHANGE_MS,
        () => `a connection between ${nameOf(socket)} is open for ${Math.round(age)} ms`,
      );
    }
    const counts = new Map<string, number>();
    for (const { remote } of sockets) {
      counts.set(remote.hostname, (counts.get(remote.hostname) ?? 0) + 1);
    }
    // The connections it accepts, and the two calls that one round may have open.
    const most = DEFAULT_LIMITS.maxConnectionsPerAddress + 2;
    for (const [hostname, count] of counts) {
      this.expect(
        "bounded",
        count <= most,
        () => `${monitor.name} has ${count} connections with ${hostname}`,
      );
    }
    // A daemon that was asked to end closes its connections at once, and then finishes writing.
    if (monitor.isEnding) return;
    const { pending, plan: { peers } } = monitor;
    const timers = 2 * sockets.length + 2 * peers.length + this.#logs.size +
      TIMERS_A_MEMBER * members.length + SPARE_TIMERS + (monitor.isSite ? TIMERS_OF_SITES : 0) +
      (monitor.pager === undefined ? 0 : TIMERS_OF_ALERTS);
    this.expect(
      "bounded",
      pending <= timers,
      () => `${monitor.name} has ${pending} calls due, with ${sockets.length} connections`,
    );
  }

  /** Checks the bound on strangers' open questions about a log. */
  asked(monitor: SimMonitor): void {
    const { askedByPeers, shown } = this.#ledger(monitor);
    // What peers told in exchanges under way is open already, but no event has told it yet.
    const underWay = 2 * monitor.plan.peers.length * (DEFAULT_LIMITS.maxOpenPerLog + 1);
    for (const { origin, openQuestions } of monitor.daemon?.status().logs ?? []) {
      const others = (askedByPeers.get(origin)?.size ?? 0) + (shown.get(origin)?.length ?? 0);
      const most = QUESTION_LIMITS.stranger.questions + others + underWay;
      this.expect(
        "bounded",
        openQuestions <= most,
        () =>
          `${monitor.name} has ${openQuestions} open questions of ${origin}, ${others} not of strangers`,
      );
    }
  }

  /** Checks that a daemon that has ended has closed everything. */
  letGo(monitor: SimMonitor, { open, pending }: { open: number; pending: number }): void {
    this.expect(
      "exchanges end",
      open === 0,
      () => `${monitor.name} ended with ${open} connections or listeners open`,
    );
    this.expect("bounded", pending === 0, () => `${monitor.name} ended with ${pending} calls due`);
  }

  /** An alert has arrived, perhaps once more. */
  paged(monitor: SimMonitor, alert: Alert): void {
    const { paged } = this.#ledger(monitor);
    const { level, case: key, id, title, evidence } = alert;
    const isGrave = level === "CRITICAL" || level === "EMERGENCY";
    const fault = evidence === undefined ? "it has none" : verifyEvidence(evidence);
    this.expect(
      "alerts arrive",
      !isGrave || fault === undefined,
      () => `${monitor.name} pages ${level} without evidence that holds: ${title}: ${fault}`,
    );
    if (level !== "EMERGENCY" || !key.startsWith("equivocation ")) return;
    const before = paged.get(key);
    this.expect(
      "alerts arrive",
      before === undefined || before === id,
      () => `${monitor.name} tells one case as two EMERGENCYs: ${key}`,
    );
    paged.set(key, id);
  }

  /** The cases about logs that a monitor follows of which no alert has arrived, of each log the first few. */
  unpaged(monitor: SimMonitor): string[] {
    const { cases } = this.#ledger(monitor);
    // Of the sites of one store, one tells.
    const tellers = monitor.isSite
      ? [...this.#ledgers].filter(([{ isSite }]) => isSite).map(([, ledger]) => ledger)
      : [this.#ledger(monitor)];
    const isPaged = (key: string): boolean => tellers.some(({ paged }) => paged.has(key));
    const followed = [...cases.values()]
      .filter(({ log: { origin } }) => this.#logs.has(origin) && monitor.follows(origin));
    return [...Map.groupBy(followed, ({ log: { origin } }) => origin)].flatMap(([, ofLog]) => {
      const missing = ofLog.filter(({ evidence_id }) => !isPaged(`equivocation ${evidence_id}`));
      // Of more in an hour the others are told together, after an hour.
      const told = ofLog.length - missing.length;
      return missing.slice(0, Math.max(0, MAX_CASES_TOLD_AN_HOUR - told))
        .map(({ evidence_id }) => evidence_id);
    });
  }

  /** Checks that the alerts of a monitor's cases have arrived. */
  expectPaged(monitor: SimMonitor): void {
    const missing = this.unpaged(monitor);
    this.expect(
      "alerts arrive",
      missing.length === 0,
      () => `${monitor.name} has paged nobody about ${missing.join(", ")}`,
    );
  }

  /** All records that honest monitors have. */
  records(): ConflictRecord[] {
    return [...this.#ledgers.values()].flatMap(({ cases }) => [...cases.values()]);
  }

  /** Logs whose latest checkpoints a monitor has not written down yet. */
  unseen(monitor: SimMonitor): string[] {
    const { shown, through } = this.#ledger(monitor);
    const isThrough = (origin: string, { sizes }: SimLog): boolean =>
      sizes.some((size, story) => through.has(`${origin} ${story} ${size}`));
    return [...this.#logs].filter(([origin, log]) =>
      monitor.follows(origin) && !isThrough(origin, log) &&
      !(shown.get(origin) ?? []).some(({ story, size }) => size === log.sizes[story])
    ).map(([origin]) => origin);
  }

  /** Honest logs that are ahead of a monitor's view, as far as it has told its view. */
  behind(monitor: SimMonitor): string[] {
    const { views } = this.#ledger(monitor);
    return [...this.#logs].filter(([origin, log]) =>
      monitor.follows(origin) && !log.isDishonest && views.get(origin)?.size !== log.sizes[0]
    ).map(([origin]) => origin);
  }

  /** When a monitor recorded its first case, if it has one. */
  firstCaseOf(monitor: SimMonitor): number | undefined {
    const [first] = [...this.#ledger(monitor).convictions.values()]
      .flatMap((convictions) => [...convictions.values()]).sort((a, b) => a - b);
    return first;
  }

  /** The origins of which a monitor had a case by a moment. */
  convictedBy(monitor: SimMonitor, by: number): string[] {
    return [...this.#ledger(monitor).convictions]
      .filter(([, convictions]) => [...convictions.values()].some((at) => at <= by))
      .map(([origin]) => origin);
  }

  /** How many cases a monitor has. */
  casesOf(monitor: SimMonitor): number {
    return this.#ledger(monitor).cases.size;
  }

  /** The split views between two monitors: the origins of which each was shown another story. */
  splitsBetween(a: SimMonitor, b: SimMonitor): string[] {
    return [...this.#logs].filter(([origin, log]) => {
      const storiesOf = (monitor: SimMonitor): Set<number> =>
        new Set(
          (this.#ledger(monitor).shown.get(origin) ?? [])
            .filter(({ size }) => size > log.plan.fork).map(({ story }) => story),
        );
      // If both are shown only a fork below their views, neither can get the proof: the log serves them
      // only the fork's tiles. ARCHITECTURE says so ("Assumed"). A third monitor may tell them.
      const { deceit } = log.plan;
      const isDeceived = ({ number }: SimMonitor): boolean =>
        deceit?.deceived.includes(number) === true;
      if (deceit?.kind === "below" && isDeceived(a) === isDeceived(b)) return false;
      const [first, second] = [storiesOf(a), storiesOf(b)];
      return [0, 1].some((story) => first.has(story) && second.has(1 - story));
    }).map(([origin]) => origin);
  }

  /** Logs that show a monitor two stories now, at two of their places. */
  contradictedPlaces(monitor: SimMonitor): string[] {
    return [...this.#logs].filter(([origin, log]) => {
      if (log.plan.deceit?.kind !== "place") return false;
      const places = [...this.#ledger(monitor).delivered.get(origin)?.values() ?? []]
        .filter(({ size }) => size > log.plan.fork);
      return new Set(places.map(({ story }) => story)).size > 1;
    }).map(([origin]) => origin);
  }

  /** Whether a monitor has a case of a log. */
  knows(monitor: SimMonitor, origin: string): boolean {
    return (this.#ledger(monitor).convictions.get(origin)?.size ?? 0) > 0;
  }

  /** What one of two monitors had convicted by a moment, and the other has not convicted yet. */
  unsharedBetween(a: SimMonitor, b: SimMonitor, { by = Infinity } = {}): string[] {
    const only = (monitor: SimMonitor, other: SimMonitor): string[] =>
      [...this.#ledger(monitor).convictions].flatMap(([origin, convictions]) =>
        (other.follows(origin) ? [...convictions] : []).filter(([one, at]) =>
          at <= by && !this.#ledger(other).convictions.get(origin)?.has(one)
        ).map(([one]) => `${origin} ${one}`)
      );
    return [...only(a, b), ...only(b, a)];
  }
}

function durableText(monitor: SimMonitor, path: string): string {
  const bytes = monitor.disk.durable(path);
  return bytes === undefined ? "" : textOf(bytes);
}
