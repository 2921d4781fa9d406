/**
 * Decides what of all events is told to the operator. One case is one alert, however often it comes
 * up and whoever reports it.
 *
 * - What lasts (an outage) is told when it begins, once its rule's time has passed, and when it is
 *   over: when it has stayed away for a while. What comes and goes meanwhile is one case.
 * - If many logs, or many peers, are away at once, that is one outage: of this machine, most likely.
 * - What happens once (a proven case, a fault) is told at once. Repeats are counted, and told in one
 *   sum.
 * - If one log's key signs very many contradictions, the first few are told one by one, and the others
 *   together, once an hour.
 *
 * What was told outlasts the process. Whatever is decided here is in the queue before it is sent.
 *
 * @module
 */
import { millisecondsBetween, timeNow } from "../world/time.ts";
import type { Clock, Timer } from "../world/world.ts";
import { type Alert, type AlertState, EvidenceMissing, isAtLeast, makeAlert } from "./alert.ts";
import type { AlertEvidence } from "./alert_evidence.ts";
import type { Channel } from "./channel.ts";
import {
  type AlertEvent,
  channelKey,
  type ComesUp,
  equivocationKey,
  type Occurrence,
  occurrenceOf,
  OVER_BY_START,
} from "./occurrences.ts";
import { MANY, MANY_OUTAGES } from "./phrases.ts";
import { type Rule, ruleFor } from "./policy.ts";
import type { AlertQueue, CaseState, Change } from "./queue.ts";
import { MORE_CASES, withoutEvidence, wordsOf } from "./words.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** The end of a trouble is told once it has stayed away for so long, */
export const FIRST_CALM_MS = 30 * MINUTE_MS;
/** after each return for twice as long, and for so long at most. */
export const MAX_CALM_MS = 2 * HOUR_MS;
/** A trouble that comes back within this time after its end was told counts as returning. */
export const REMEMBERED_MS = 6 * HOUR_MS;
/** Repeats of what happens once are summed up when none has come for so long, */
export const REPEATS_REST_MS = HOUR_MS;
/** and after so long at the latest. */
export const REPEATS_LONGEST_MS = 24 * HOUR_MS;
/** So many proven cases of one log are told one by one within an hour. */
export const MAX_CASES_TOLD_AN_HOUR = 3;
/** If more than so many outages of one kind last at the same time, they are told as one. */
export const MAX_OUTAGES_TOLD = 5;
/** Most names in an alert about many. */
const MAX_NAMES = 20;
/** How often counts are written down. */
const WRITE_COUNTS_MS = MINUTE_MS;

/** A time of a case, and when it was by the monotonic clock. */
interface Moment {
  readonly time: string;
  readonly at: number;
}

/** When a case began, last came up, and was over. */
interface Moments {
  readonly began: Moment;
  readonly lastUp: Moment;
  readonly over: Moment;
}

/** Makes alerts of events. */
export class AlertDesk {
  readonly #clock: Clock;
  readonly #queue: AlertQueue;
  readonly #rules: readonly Rule[];
  readonly #monitor: string;
  readonly #channels: readonly Pick<Channel, "name" | "least">[];
  readonly #made: () => void;
  readonly #fault: (error: unknown) => void;
  /** Cases that were open when this process started, and have not come up since. */
  readonly #carried = new Set<string>();
  /** The evidence of cases that are not told yet, and the last of each log's many. */
  readonly #evidence = new Map<string, AlertEvidence>();
  /** Cases that changed, and are not in the queue yet. */
  readonly #changed = new Map<string, CaseState>();
  /** The wall clock may be set, so waits are counted by the monotonic one. */
  readonly #moments = new Map<string, Moments>();
  /** When proven cases of each log were told, by the monotonic clock. */
  readonly #toldAt = new Map<string, number[]>();
  /** The keys of proven cases: what is told again is looked up among them. */
  readonly #proven = new Set<string>();
  #timer: Timer | undefined;
  /** When it is due, by the monotonic clock. Nothing is due before; there may be nothing by then. */
  #timerAt = Infinity;
  #writing: Timer | undefined;
  #isClosed = false;

  /**
   * @param channels all of them
   * @param evidence of the cases in the queue that wait for their time, by their keys
   * @param made called when an alert is in memory: it is to be written, and then sent
   * @param fault told what is a bug of Hearsay's
   */
  constructor({ clock, queue, rules, monitor, channels, evidence, made, fault }: {
    clock: Clock;
    queue: AlertQueue;
    rules: readonly Rule[];
    monitor: string;
    channels: readonly Pick<Channel, "name" | "least">[];
    evidence?: ReadonlyMap<string, AlertEvidence>;
    made: () => void;
    fault: (error: unknown) => void;
  }) {
    this.#clock = clock;
    this.#queue = queue;
    this.#rules = rules;
    this.#monitor = monitor;
    this.#channels = channels;
    this.#made = made;
    this.#fault = fault;
    for (const [key, one] of evidence ?? []) this.#evidence.set(key, one);
    for (const one of queue.cases) {
      this.#noteMoments(one);
      if (one.nature === "lasting" && one.phase !== "quiet") this.#carried.add(one.key);
    }
    for (const key of OVER_BY_START) this.#over(key);
    for (const { name } of channels) {
      if (queue.failingSince(name) === undefined) this.#over(channelKey(name));
    }
    this.#setTimer();
  }

  /** Takes an event. */
  take(event: AlertEvent, changes: readonly Change[] = []): void {
    const occurrence = occurrenceOf(event);
    if (occurrence !== undefined) this.#takeIn(occurrence, event, changes);
    else if (changes.length > 0) this.#queue.change(...changes);
  }

  /**
   * Forgets the troubles of what is not configured any more.
   * @param subjects the ids of the logs, the addresses of the peers, and for witnesses and mirrored
   *   journals what their keys begin with (`witnessKey`, `mirrorKey`)
   */
  keepSubjects(subjects: ReadonlySet<string>): void {
    for (const { key, nature, logId, subject } of this.#all()) {
      const [kind = "", name = ""] = key.split(" ");
      const isGone = logId !== undefined
        ? !subjects.has(logId)
        : kind === "peer"
        ? !subjects.has(subject)
        : ["witness", "mirror"].includes(kind) && !subjects.has(`${kind} ${name}`);
      if (nature === "lasting" && isGone) this.#forget(key);
    }
    this.#endTogether();
    this.#setTimer();
  }

  /** Puts all counts into the queue. Nothing is made any more. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#writing?.cancel();
    this.#flush();
  }

  #takeIn(occurrence: Occurrence, event: AlertEvent, changes: readonly Change[]): void {
    switch (occurrence.phase) {
      case "up":
        return this.#up(occurrence, event, changes);
      case "over":
        return this.#over(occurrence.key);
      case "well":
        for (const key of this.#carried) {
          if (key.startsWith(occurrence.keysBeginWith)) this.#over(key);
        }
        return occurrence.up && this.#up(occurrence.up, event, changes);
      case "repeated":
        return this.#repeated(this.#case(equivocationKey(occurrence.evidenceId)));
      case "contradicted": {
        const { origin, size } = occurrence;
        const cases = [...this.#proven].map((key) => this.#case(key));
        return this.#repeated(
          cases.find((one) => one?.subject === origin && one.sizes?.includes(size)),
        );
      }
    }
  }

  #up(up: ComesUp, event: AlertEvent, changes: readonly Change[]): void {
    const known = this.#case(up.key);
    this.#carried.delete(up.key);
    const isOpen = known !== undefined && !(known.phase === "quiet" && known.nature === "lasting");
    if (!isOpen) return this.#begin(up, event, changes, known);
    if (changes.length > 0) this.#queue.change(...changes);
    const now = timeNow(this.#clock);
    const { overAt, ...rest } = known;
    const isReturn = overAt !== undefined;
    const calmMs = isReturn ? Math.min(2 * known.calmMs, MAX_CALM_MS) : known.calmMs;
    const detail = up.detail === "" ? known.detail : up.detail;
    this.#keep({ ...rest, lastUpAt: now, count: known.count + 1, calmMs, detail });
    if (known.phase === "waiting" && up.evidence !== undefined) {
      this.#evidence.set(up.key, up.evidence);
    }
    if (up.facts.told !== "debug") this.#raise(up);
  }

  /** Begins a case, if a rule says so. */
  #begin(
    up: ComesUp,
    { fields, about }: AlertEvent,
    changes: readonly Change[],
    before: CaseState | undefined,
  ): void {
    // What is told at level debug is a repeat, or may be anybody's doing.
    const rule = up.facts.told === "debug" ? undefined : ruleFor(this.#rules, up.facts);
    if (rule === undefined || rule.action === "none") {
      if (changes.length > 0) this.#queue.change(...changes);
      return;
    }
    const now = timeNow(this.#clock);
    const { facts: { event, subject, about: of }, key, nature, detail, logId, evidence } = up;
    const { record } = about ?? {};
    const one: CaseState = {
      ...{ key, nature, event, subject, detail, since: now, lastUpAt: now, count: 1, toldCount: 0 },
      ...{ level: rule.level, action: rule.action, isOfMonitor: of === "monitor" },
      ...{ transitions: before?.transitions ?? 0, phase: "waiting" },
      afterMs: nature === "lasting" ? rule.afterMs : 0,
      calmMs: before === undefined ? FIRST_CALM_MS : Math.min(2 * before.calmMs, MAX_CALM_MS),
      ...(logId !== undefined && { logId }),
      ...(record && { sizes: [record.checkpoint_a.size, record.checkpoint_b.size] }),
      ...(typeof fields.incident === "number" && { seq: fields.incident }),
    };
    if (evidence !== undefined) this.#evidence.set(key, evidence);
    if (record !== undefined && !this.#hasRoom(one)) return this.#addToMany(one, changes);
    if (one.afterMs > 0) {
      if (changes.length > 0) this.#queue.change(...changes);
      return this.#keep(one);
    }
    this.#tell(one, "begins", changes);
  }

  /** Tells an open case anew if it has become graver. */
  #raise(up: ComesUp): void {
    const known = this.#case(up.key)!;
    const rule = ruleFor(this.#rules, up.facts);
    if (known.phase === "quiet" || rule === undefined || rule.action === "none") return;
    if (rule.level === known.level || !isAtLeast(rule.level, known.level)) return;
    const { level, action, afterMs } = rule;
    const { event } = up.facts;
    if (up.evidence !== undefined) this.#evidence.set(up.key, up.evidence);
    const raised = {
      ...known,
      level,
      action,
      event,
      phase: known.phase === "told" ? "told" : "waiting",
    } as const;
    // A wait is for what may pass untold. What was told already is told anew at once.
    if (afterMs > 0 && known.phase !== "told") return this.#keep({ ...raised, afterMs });
    this.#tell(raised, known.phase === "told" ? "continues" : "begins");
  }

  #over(key: string): void {
    this.#carried.delete(key);
    const known = this.#case(key);
    if (known === undefined || known.nature !== "lasting" || known.phase === "quiet") return;
    if (known.overAt === undefined) this.#keep({ ...known, overAt: timeNow(this.#clock) });
  }

  #repeated(known: CaseState | undefined): void {
    if (known === undefined) return;
    this.#keep({ ...known, count: known.count + 1, lastUpAt: timeNow(this.#clock) });
  }

  /** Whether a proven case of a log may be told by itself. */
  #hasRoom({ logId = "", isOfMonitor }: CaseState): boolean {
    const subject = isOfMonitor ? "monitors" : logId;
    const now = this.#clock.monotonic();
    const told = (this.#toldAt.get(subject) ?? []).filter((at) => now - at < HOUR_MS);
    const hasRoom = told.length < MAX_CASES_TOLD_AN_HOUR;
    this.#toldAt.set(subject, hasRoom ? [...told, now] : told);
    return hasRoom;
  }

  /** Adds a proven case to those of its log that are told together. */
  #addToMany(one: CaseState, changes: readonly Change[]): void {
    const key = `equivocations ${one.logId ?? one.subject}`;
    const known = this.#case(key);
    const evidence = this.#evidence.get(one.key);
    this.#evidence.delete(one.key);
    if (evidence !== undefined) this.#evidence.set(key, evidence);
    const now = timeNow(this.#clock);
    const begun = known === undefined || known.phase !== "waiting";
    this.#keep({
      ...{ ...one, key, event: MORE_CASES, afterMs: HOUR_MS, sizes: [] },
      ...{ since: begun ? now : known.since, count: begun ? 1 : known.count + 1 },
      ...{ toldCount: 0, transitions: known?.transitions ?? 0 },
    });
    // Both at once, so that no crash leaves the one without the other.
    this.#flush(changes);
    this.#made();
  }

  /** Makes an alert, and what is remembered of it, in one change. */
  #tell(one: CaseState, state: AlertState, changes: readonly Change[] = []): void {
    const transition = one.transitions + 1;
    const isEnd = state === "ends" || state === "summary";
    const told: CaseState = {
      ...{ ...one, transitions: transition, toldCount: one.count },
      phase: isEnd && isSettledOnce(one) ? "quiet" : "told",
      // The next sum counts from here.
      ...(isEnd && { since: timeNow(this.#clock) }),
    };
    this.#noteMoments(told);
    const alert = this.#alertOf(one, state, transition);
    this.#changed.delete(one.key);
    // That a channel fails is told by the others. That it worked again would come through it late.
    const to = this.#channels
      .filter(({ name, least }) => isAtLeast(one.level, least) && !isAboutChannel(one, name))
      .map(({ name }) => name);
    this.#queue.add(alert, to, [{ case: told }, ...changes]);
    this.#evidence.delete(one.key);
    this.#made();
  }

  #alertOf(one: CaseState, state: AlertState, transition: number): Alert {
    const at = timeNow(this.#clock);
    const { key, action, subject, since, count } = one;
    const evidence = this.#evidence.get(key);
    const telling = { ...one, state, at, monitor: this.#monitor, evidence };
    const isNews = state === "begins" || state === "continues" || one.event === MORE_CASES;
    const fields = {
      ...{ case: key, action: isNews ? action : "alert" as const, state, subject, count, since },
      ...{ monitor: this.#monitor, at },
      ...(evidence !== undefined && { evidence }),
    };
    const level = isNews ? one.level : "INFO";
    const words = wordsOf(telling);
    try {
      return makeAlert({ ...fields, ...words, level }, transition);
    } catch (error) {
      if (!(error instanceof EvidenceMissing)) throw error;
      // A bug of ours. The news goes out all the same, at a level that needs no evidence.
      this.#fault(error);
      const weaker = {
        ...fields,
        ...withoutEvidence(words),
        level: "WARNING",
        action: "alert",
      } as const;
      return makeAlert(weaker, transition);
    }
  }

  /** Remembers a case that changed, without writing it now. */
  #keep(one: CaseState): void {
    this.#noteMoments(one);
    this.#changed.set(one.key, one);
    this.#writing ??= this.#clock.after(WRITE_COUNTS_MS, () => {
      this.#writing = undefined;
      this.#flush();
      this.#made();
    });
  }

  #flush(changes: readonly Change[] = []): void {
    const all = [...this.#taken(), ...changes];
    if (all.length > 0) this.#queue.change(...all);
  }

  /** The cases that changed, to be put into the queue. */
  #taken(): Change[] {
    const changes = [...this.#changed.values()].map((one) => ({ case: one }));
    this.#changed.clear();
    return changes;
  }

  #case(key: string): CaseState | undefined {
    return this.#changed.get(key) ?? this.#queue.case(key);
  }

  #all(): CaseState[] {
    return this.#queue.cases.map((one) => this.#changed.get(one.key) ?? one)
      .concat([...this.#changed.values()].filter(({ key }) => this.#queue.case(key) === undefined));
  }

  /** Wakes up when the next case is due. */
  #setTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Infinity;
    for (const one of this.#all()) this.#wakeFor(one);
  }

  /**
   * Wakes up when this case is due, unless something is due before that. There may be thousands of
   * cases, and each event changes one: so no event looks at all of them.
   */
  #wakeFor(one: CaseState): void {
    const waitMs = Math.max(0, this.#dueIn(one));
    const at = this.#clock.monotonic() + waitMs;
    if (this.#isClosed || !(at < this.#timerAt)) return;
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.after(waitMs, () => this.#work());
  }

  #work(): void {
    for (const { key } of this.#all().filter((one) => this.#dueIn(one) <= 0)) {
      // It may have been told with others meanwhile.
      const one = this.#case(key);
      if (one !== undefined && this.#dueIn(one) <= 0) this.#settle(one);
    }
    this.#endTogether();
    this.#setTimer();
  }

  /** Begins an outage: with all of its kind that last, if they are many. */
  #beginOutage(one: CaseState): void {
    const what = MANY[one.event];
    const alike = what === undefined
      ? []
      : this.#all().filter(({ key, event, phase, overAt }) =>
        event === one.event && phase === "waiting" && overAt === undefined &&
        !this.#carried.has(key)
      );
    if (alike.length <= MAX_OUTAGES_TOLD) return this.#tell(one, "begins");
    const together = `outages ${one.event}`;
    const before = this.#case(together);
    const names = alike.slice(0, MAX_NAMES).map(({ subject }) => subject).join(", ");
    const { logId: _, ...rest } = one;
    for (const each of alike) this.#keep({ ...each, phase: "told", together });
    this.#tell(
      {
        ...{ ...rest, key: together, event: MANY_OUTAGES, subject: `${alike.length} ${what}` },
        ...{ detail: alike.length > MAX_NAMES ? `${names} and others` : names },
        ...{ count: alike.length, toldCount: 0, transitions: before?.transitions ?? 0 },
      },
      before?.phase === "told" ? "continues" : "begins",
      this.#taken(),
    );
  }

  /** Tells the end of outages that were told together, if the last of them is over. */
  #endTogether(): void {
    const open = new Set(
      this.#all().filter(({ phase }) => phase === "told").map(({ together }) => together),
    );
    for (const one of this.#all()) {
      const isOver = one.event === MANY_OUTAGES && one.phase === "told" && !open.has(one.key);
      if (isOver) this.#tell(one, "ends");
    }
  }

  #noteMoments(one: CaseState): void {
    const { key, since, lastUpAt, overAt = lastUpAt, sizes = [] } = one;
    if (sizes.length > 0) this.#proven.add(key);
    const before = this.#moments.get(key);
    const now = this.#clock.monotonic();
    const momentOf = (name: keyof Moments, time: string): Moment => {
      if (before?.[name].time === time) return before[name];
      return { time, at: now - millisecondsBetween(time, timeNow(this.#clock)) };
    };
    this.#moments.set(key, {
      began: momentOf("began", since),
      lastUp: momentOf("lastUp", lastUpAt),
      over: momentOf("over", overAt),
    });
    this.#wakeFor(one);
  }

  /** In how many milliseconds something is to be done about a case. */
  #dueIn(one: CaseState): number {
    const { began, lastUp, over } = this.#moments.get(one.key)!;
    const now = this.#clock.monotonic();
    const [lasts, rests] = [now - began.at, now - lastUp.at];
    const { key, nature, phase, overAt, afterMs, calmMs } = one;
    if (phase === "quiet") {
      return (nature === "lasting" ? REMEMBERED_MS : REPEATS_LONGEST_MS) - rests;
    }
    if (nature === "lasting" && overAt !== undefined) return calmMs - (now - over.at);
    // After a start nobody knows yet whether it still lasts.
    if (phase === "waiting") return this.#carried.has(key) ? Infinity : afterMs - lasts;
    if (nature === "lasting") return Infinity;
    if (one.count === one.toldCount) return REPEATS_LONGEST_MS - rests;
    const isFirst = one.transitions <= 1;
    return Math.min(isFirst ? REPEATS_REST_MS - rests : Infinity, REPEATS_LONGEST_MS - lasts);
  }

  /** Does what is due about a case. */
  #settle(one: CaseState): void {
    const { phase, nature, overAt, key } = one;
    if (phase === "quiet") return this.#forget(key);
    if (nature === "lasting" && overAt !== undefined) {
      if (one.together === undefined) {
        return phase === "waiting" ? this.#forget(key) : this.#tell(one, "ends");
      }
      const { together: _, ...rest } = one;
      return this.#keep({ ...rest, phase: "quiet" });
    }
    if (phase === "waiting" && nature === "lasting") return this.#beginOutage(one);
    if (phase === "waiting") {
      return this.#tell(one, one.event === MORE_CASES ? "summary" : "begins");
    }
    return one.count === one.toldCount ? this.#forget(key) : this.#tell(one, "summary");
  }

  #forget(key: string): void {
    this.#changed.delete(key);
    this.#evidence.delete(key);
    this.#moments.delete(key);
    this.#proven.delete(key);
    this.#carried.delete(key);
    if (this.#queue.case(key) !== undefined) this.#queue.change({ forget: key });
  }
}

function isAboutChannel({ key }: CaseState, name: string): boolean {
  return key === channelKey(name) || key.startsWith(`${channelKey(name)} `);
}

/** Whether a case is never told again once its end or its sum was told, unless it begins anew. */
function isSettledOnce({ nature, key }: CaseState): boolean {
  return nature === "lasting" || key.startsWith(equivocationKey(""));
}
