/**
 * The daemon's alerts: takes every event that is told, makes alerts of some (`response/desk.ts`), and
 * has them brought to the operator (`response/courier.ts`).
 *
 * The incident journal is the truth. At the start, and whenever a case is recorded, its entries are
 * compared with the last one that was made an alert of. So a crash between the two loses no alert.
 *
 * @module
 */
import { logIdOfTransition } from "../evidence/transition.ts";
import type { AlertEvidence } from "../response/alert_evidence.ts";
import type { AlertClaims } from "../response/claims.ts";
import { type ChannelStatus, Courier, type CourierReport } from "../response/courier.ts";
import { channelsOf } from "../response/channels.ts";
import { AlertDesk } from "../response/desk.ts";
import { Heartbeat, type HeartbeatStatus } from "../response/heartbeat.ts";
import { type AlertEvent, equivocationKey } from "../response/occurrences.ts";
import { DEFAULT_RULES, type Rule } from "../response/policy.ts";
import { AlertQueue, type Change } from "../response/queue.ts";
import type { AlertSettings } from "../response/settings.ts";
import type { ConflictRecord } from "../evidence/record.ts";
import { type Freezes, stepKey } from "../response/freeze_words.ts";
import type { IncidentJournal, WrittenTransition } from "../store/incidents.ts";
import { Turns } from "../world/turns.ts";
import type { Timer, World } from "../world/world.ts";
import { aboutCase } from "./event_about.ts";
import type { EventReport } from "./events.ts";
import { RefusalLimiter } from "./warnings.ts";

/** How long after the journal could not be read it is tried again. */
const AGAIN_MS = 10_000;
/** So long the alert about a case waits for the incident that freezes its log, to name it. */
export const INCIDENT_WAIT_MS = 1_000;

/** The alerts in a daemon's status. */
export interface AlertStatus {
  readonly channels: readonly ChannelStatus[];
  readonly heartbeat?: HeartbeatStatus;
}

/** The alerts of a daemon. */
export class Alerting {
  readonly #world: World;
  readonly #settings: AlertSettings;
  readonly #rules: readonly Rule[];
  readonly #monitor: string;
  readonly #config: string | undefined;
  readonly #inner: EventReport;
  readonly #turns = new Turns();
  #isStopped = false;
  /** What was told before the queue was opened. */
  #early: AlertEvent[] = [];
  #opened: Opened | undefined;
  /** Tries again to catch up with the journal. */
  #again: Timer | undefined;
  /** By entry: cases of logs that are recorded, and whose incident is being written. */
  readonly #waiting = new Map<number, Waiting>();

  /**
   * @param report what events are told to otherwise
   * @param monitor the monitor's name
   * @param rules of the policy; without them the default holds
   * @param config the absolute path of the configuration, for the commands in alerts
   */
  constructor({ world, settings, rules = DEFAULT_RULES, monitor, report, config }: {
    world: World;
    settings: AlertSettings;
    rules?: readonly Rule[] | undefined;
    monitor: string;
    report: EventReport;
    config?: string | undefined;
  }) {
    this.#config = config;
    this.#world = world;
    this.#settings = settings;
    this.#rules = rules;
    this.#monitor = monitor;
    this.#inner = report;
  }

  /** Takes events, and passes them on. */
  get report(): EventReport {
    const inner = this.#inner;
    return {
      ...inner,
      event: (name, level, fields, about) => {
        inner.event(name, level, fields);
        this.take({ name, level, fields, about });
      },
      workFailed: (error, more) => {
        inner.workFailed(error, more);
        const reason = error instanceof Error ? error.message : String(error);
        this.take({ name: "disk.refused", level: "error", fields: { reason } });
      },
    };
  }

  /**
   * Opens the queue, and makes alerts of what was recorded and not told.
   * @param state the state folder, which this process has for itself
   * @param subjects the ids of the logs, and the addresses of the peers
   * @param isWatching whether every log is looked at when it should be
   * @param freezes which logs are frozen; without it alerts say nothing of that
   * @throws WorldError
   */
  async open({ state, incidents, subjects, isWatching, freezes, claims }: {
    state: string;
    incidents: IncidentJournal;
    subjects: ReadonlySet<string>;
    isWatching: () => boolean;
    /** Divides the sending among the daemons of one operator, if there are several. */
    claims?: AlertClaims | undefined;
    freezes?: Freezes;
  }): Promise<void> {
    const { clock, files, random } = this.#world;
    const refusals = new RefusalLimiter({
      clock,
      // The alert about it cannot be written either. It is sent all the same.
      tell: (error, more) => this.report.workFailed(error, more),
      tellEnd: (lasted) => this.report.event("disk.recovered", "info", lasted),
      written: () => queue.written,
    });
    const queue = await AlertQueue.open({
      ...{ files, clock, state },
      failed: (error) => refusals.add(error),
    });
    try {
      const channels = channelsOf(this.#world, this.#settings);
      queue.keepChannels(new Set(channels.map(({ name }) => name)));
      const couriers = channels.map((channel) =>
        new Courier({ channel, queue, clock, random, claims, report: this.#courierReport() })
      );
      const desk = new AlertDesk({
        ...{ clock, queue, rules: this.#rules, monitor: this.#monitor },
        channels: channels.map(({ name, least }) => ({ name, least })),
        evidence: await evidenceOf(queue, incidents),
        made: () => this.#bring(),
        fault: (error) => this.#tellFault(error),
        ...{ freezes, config: this.#config },
      });
      desk.keepSubjects(subjects);
      const { heartbeat: settings, allow } = this.#settings;
      const world = this.#world;
      const heartbeat = settings && new Heartbeat({ world, settings, allow, isWatching });
      this.#opened = { queue, desk, couriers, incidents, heartbeat, refusals, freezes };
      if (queue.damagedLines > 0) {
        const reason = "the queue of alerts is damaged; what was lost of it may not have been sent";
        this.report.event("alert.lost", "error", { lines: queue.damagedLines, reason });
      }
      await this.#catchUp();
      for (const event of this.#early.splice(0)) this.take(event);
      await queue.write();
    } catch (error) {
      refusals.flush();
      await queue.close();
      this.#opened = undefined;
      throw error;
    }
  }

  /** Brings alerts, and beats, until `stop`. */
  async run(): Promise<void> {
    const { couriers, heartbeat } = this.#opened!;
    await Promise.all([...couriers.map((courier) => courier.run()), heartbeat?.run()]);
  }

  /** Brings what waits, once. */
  async once(): Promise<void> {
    this.#waitNoMore();
    await this.#turns.done();
    const { queue, couriers, heartbeat } = this.#opened!;
    await queue.write();
    await Promise.all([...couriers.map((courier) => courier.once()), heartbeat?.beat()]);
  }

  /** After a reload: forgets what is not configured any more, and tries every channel again. */
  reloaded(subjects: ReadonlySet<string>): void {
    this.#opened?.desk.keepSubjects(subjects);
    for (const courier of this.#opened?.couriers ?? []) courier.retry();
  }

  /**
   * Tries these channels again now: a trial has arrived through them.
   * @returns those of them that were not tried any more
   */
  retry(names: readonly string[]): string[] {
    const couriers = this.#opened?.couriers ?? [];
    return couriers.filter(({ channel: { name } }) => names.includes(name))
      .filter((courier) => courier.retry()).map(({ channel: { name } }) => name);
  }

  /** Ends `run`, after what is under way. */
  stop(): void {
    this.#isStopped = true;
    this.#again?.cancel();
    const { couriers, heartbeat } = this.#opened ?? {};
    for (const courier of couriers ?? []) courier.stop();
    heartbeat?.stop();
  }

  /** Writes what is left, and closes the queue. */
  async close(): Promise<void> {
    this.stop();
    this.#waitNoMore();
    await this.#turns.done();
    const { desk, queue, refusals } = this.#opened ?? {};
    this.#opened = undefined;
    desk?.close();
    await queue?.close();
    refusals?.flush();
  }

  /** How it stands. */
  status(): AlertStatus {
    const { couriers = [], heartbeat } = this.#opened ?? {};
    return {
      channels: couriers.map((courier) => courier.status()),
      ...(heartbeat && { heartbeat: heartbeat.status() }),
    };
  }

  /** Takes one event, and makes an alert of it if that is to be. */
  take(event: AlertEvent): void {
    if (this.#opened === undefined) {
      // After the end nothing is made any more; what was recorded is told after the next start.
      if (!this.#isStopped) this.#early.push(event);
      return;
    }
    const { desk, queue, freezes } = this.#opened;
    if (event.name === "incident.step") return this.#takeStep(event);
    const seq = event.name === "incident.recorded" ? event.fields.incident : undefined;
    if (typeof seq !== "number") return desk.take(event);
    const record = event.about?.record;
    const freeze = record && freezes?.of(record);
    // Its incident is being written. Not for long: the news is more than its name.
    const waits = freeze?.isFrozen === true && freeze.incident === undefined;
    if (!waits || seq <= (queue.mark?.seq ?? 0)) return this.#takeRecorded(event, seq);
    const timer = this.#world.clock.after(INCIDENT_WAIT_MS, () => this.#release(seq));
    this.#waiting.set(seq, { event, timer });
  }

  /** A step is written: whose incident is known now waits no more. */
  #takeStep(event: AlertEvent): void {
    const { fields: { evidence_ids: ids } } = event;
    const isNamed = ({ about }: AlertEvent): boolean =>
      Array.isArray(ids) && ids.includes(about?.record?.evidence_id);
    const named = [...this.#waiting].filter(([, waiting]) => isNamed(waiting.event));
    for (const [seq] of named) this.#release(seq);
    if (named.length === 0) void this.#catchUpTo({ event });
  }

  #release(seq: number): void {
    const waiting = this.#waiting.get(seq);
    if (waiting === undefined) return;
    waiting.timer.cancel();
    this.#waiting.delete(seq);
    if (this.#opened !== undefined) this.#takeRecorded(waiting.event, seq);
  }

  /** Takes what waits as it is. */
  #waitNoMore(): void {
    for (const seq of [...this.#waiting.keys()]) this.#release(seq);
  }

  #takeRecorded(event: AlertEvent, seq: number): void {
    const { desk, queue, incidents } = this.#opened!;
    const told = queue.mark?.seq ?? 0;
    if (seq <= told) return;
    // Mostly it is the next one, and everything is at hand. Otherwise the journal is read.
    if (seq === told + 1 && incidents.last.seq === seq) {
      return desk.take(event, [markOf(incidents)]);
    }
    void this.#catchUpTo({ seq, event });
  }

  /**
   * Catches up with the journal. If it cannot be read now, the case at hand is told all the same, and
   * the journal is tried again.
   */
  async #catchUpTo(recorded?: { seq?: number; event: AlertEvent }): Promise<void> {
    try {
      await this.#turns.next(() => this.#catchUp());
    } catch (error) {
      if (this.#opened === undefined) return this.#inner.workFailed(error);
      this.#opened.refusals.add(error);
      if (this.#isStopped) return;
      const { desk, queue } = this.#opened;
      const { seq = Infinity } = recorded ?? {};
      if (recorded && (queue.mark?.seq ?? 0) < seq) desk.take(recorded.event);
      this.#again?.cancel();
      this.#again = this.#world.clock.after(AGAIN_MS, () => void this.#catchUpTo());
    }
  }

  /** Makes alerts of all entries of the incident journal after the mark. */
  async #catchUp(): Promise<void> {
    if (this.#opened === undefined) return;
    const { desk, queue, incidents } = this.#opened;
    const mark = queue.mark;
    const isOurs = mark === undefined || mark.seq === 0 ||
      await incidents.hashOf(mark.seq) === mark.hash;
    // If it is another journal than before, or was cut, all of it is told: too much before too little.
    const told = isOurs ? mark?.seq ?? 0 : 0;
    const { last } = incidents;
    // Of a journal that was never told of, only cases are told: what people did long ago is no news.
    const steps = mark !== undefined && isOurs ? this.#stepsAfter(told) : [];
    const cases = incidents.newest(last.seq - told).filter((one) => one > told);
    for (const next of [...cases, ...steps].toSorted((a, b) => seqOf(a) - seqOf(b))) {
      const seq = seqOf(next);
      // This one and all after it are told once its incident has a name.
      if (this.#waiting.has(seq)) return;
      if (typeof next !== "number") {
        await this.#tellStep(next);
        continue;
      }
      const record = await incidents.read(seq);
      const hash = await incidents.hashOf(seq);
      // A case may have been told by the event that came first.
      if ((queue.mark?.seq ?? 0) >= seq && isOurs) continue;
      const changes: Change[] = hash === undefined ? [] : [{ mark: { seq, hash } }];
      // It was told while the journal could not be read, or of another journal. That is no repeat.
      if (queue.case(equivocationKey(record.evidence_id)) !== undefined) {
        queue.change(...changes);
      } else desk.take(recordedEvent(record, seq), changes);
    }
    if (queue.mark?.seq !== last.seq) queue.change({ mark: last });
  }

  /** The steps after an entry of the journal, and before what waits. */
  #stepsAfter(told: number): WrittenTransition[] {
    return this.#opened!.incidents.transitions.filter(({ seq }) => seq > told);
  }

  /** Makes an alert of a step of the journal, if that is to be. */
  async #tellStep({ seq, transition }: WrittenTransition): Promise<void> {
    const { desk, queue, incidents, freezes } = this.#opened!;
    if ((queue.mark?.seq ?? 0) >= seq) return;
    const { incident, log, to } = transition;
    // It was told while the journal could not be read.
    if (queue.case(stepKey({ incident, to })) !== undefined) return;
    const hash = await incidents.hashOf(seq);
    const changes: Change[] = hash === undefined ? [] : [{ mark: { seq, hash } }];
    // Why a log is frozen is what its incident was opened for.
    const told = to === "FREEZE"
      ? incidents.transitions.find((one) => one.transition.incident === incident)!.transition
      : transition;
    const { cause, by, why } = told;
    const frozen = freezes?.isFrozen({ id: logIdOfTransition(transition) }) ?? false;
    const level = to === "FREEZE" ? "error" : "info";
    const fields = { incident, origin: log.origin, cause, to, by, why, frozen };
    desk.take({ name: "incident.step", level, fields }, changes);
  }

  #bring(): void {
    if (this.#opened === undefined) return;
    const { queue, couriers } = this.#opened;
    void queue.write().then(() => {
      for (const courier of couriers) courier.wake();
    });
  }

  #tellFault(error: unknown): void {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    this.#inner.event("daemon.fault", "error", { reason: message, stack });
  }

  #courierReport(): CourierReport {
    return {
      failed: (channel, reason, isFirst) =>
        this.report.event("alert.failed", isFirst ? "warning" : "debug", { channel, reason }),
      recovered: (channel) => this.report.event("alert.recovered", "info", { channel }),
      disabled: (channel, since) => {
        const reason = "it has failed for a day; it is tried again once 'hearsay alert test' " +
          "gets through, or after a reload or a restart";
        this.report.event("alert.disabled", "error", { channel, since, reason });
      },
      lost: (channel, count, reason) =>
        this.report.event("alert.lost", "error", { channel, count, reason }),
      fault: (error) => this.#tellFault(error),
    };
  }
}

/** What there is once the queue is open. */
interface Opened {
  readonly queue: AlertQueue;
  readonly desk: AlertDesk;
  readonly couriers: readonly Courier[];
  readonly incidents: IncidentJournal;
  readonly heartbeat: Heartbeat | undefined;
  readonly refusals: RefusalLimiter;
  readonly freezes: Freezes | undefined;
}

/** A case whose incident is being written. */
interface Waiting {
  readonly event: AlertEvent;
  readonly timer: Timer;
}

/** The entry of a case, or of a step. */
function seqOf(one: number | WrittenTransition): number {
  return typeof one === "number" ? one : one.seq;
}

function markOf({ last }: IncidentJournal): Change {
  return { mark: last };
}

/** The event of a case that is in the journal. */
function recordedEvent(record: ConflictRecord, seq: number): AlertEvent {
  const { evidence_id, log: { origin } } = record;
  return {
    ...{ name: "incident.recorded", level: "error" },
    fields: { origin, evidence_id, incident: seq },
    about: aboutCase(record),
  };
}

/** The evidence of the cases that wait for their time, as far as the journal has it. */
async function evidenceOf(
  queue: AlertQueue,
  incidents: IncidentJournal,
): Promise<ReadonlyMap<string, AlertEvidence>> {
  const evidence = new Map<string, AlertEvidence>();
  for (const { key, phase, seq } of queue.cases) {
    if (phase !== "waiting" || seq === undefined || !incidents.newest(Infinity).includes(seq)) {
      continue;
    }
    evidence.set(key, { kind: "conflict", record: await incidents.read(seq) });
  }
  return evidence;
}
