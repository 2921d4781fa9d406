import { type Head, headKey } from "../evidence/head.ts";
import type { Conflict } from "../evidence/conflict.ts";
import type { HeldCase } from "../gossip/exchange.ts";
import type { Result } from "../evidence/result.ts";
import type { Source } from "../sources/source.ts";
import { observedCheckpoint } from "../store/observation.ts";
import type { OpenQuestion } from "../store/observation_index.ts";
import type { ObservationJournal } from "../store/observations.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import { nextPollMs } from "../world/pacing.ts";
import { Stop } from "../world/stop.ts";
import { millisecondsSince, millisecondsWaited, timeNow } from "../world/time.ts";
import { Turns } from "../world/turns.ts";
import type { World } from "../world/world.ts";
import type { ClockWatch } from "./clock_watch.ts";
import { lasts } from "./doubt.ts";
import type { Happenings } from "./happenings.ts";
import { isOfTheWorld } from "./faults.ts";
import type { CaseKeeper } from "./case_keeper.ts";
import type { JournaledMemory } from "./recollection.ts";
import type { LogSettings } from "./settings.ts";
import type { LogStatus, LogTally, LookResult } from "./status.ts";
import type { Asker, Question, QuestionTable } from "./questions.ts";
import { isTheLog, THE_LOG } from "./the_log.ts";
import { type Finding, LogWatch } from "./watch.ts";

/** Questions of the log itself and of peers settled after one look; the rest waits for the next. */
const MAX_SETTLED_AT_ONCE = 64;
/** The same of strangers, from one look to the next: each may cost the log a request or two. */
const MAX_STRANGERS_SETTLED = 64;
/** How long settling may keep the next look waiting. */
const SETTLE_BUDGET_MS = 10_000;
/** Longest pause before a question that could not be settled is tried again. */
const MAX_QUESTION_PAUSE_MS = 24 * 3_600_000;
/** Questions whose tries, or telling, are remembered; a forgotten one is tried, or told, anew. */
const MAX_TRIED = 10_000;

/** A question that could not be settled so far. */
interface Tried {
  readonly times: number;
  /** When it was first tried, on the monotonic clock. */
  readonly since: number;
  readonly retryAt: number;
  /** Whether it was told as loudly as it ever is. */
  readonly isTold: boolean;
}

/** What every follower of a daemon shares. */
export interface Shared {
  readonly world: World;
  readonly clockWatch: ClockWatch;
  readonly observations: ObservationJournal;
  readonly memory: JournaledMemory;
  readonly keeper: CaseKeeper;
  readonly happenings: Happenings;
}

/**
 * Follows one log: looks at it, settles what peers were shown by its own view, and writes every
 * finding down before it acts on it. One look at a time; no log waits for another.
 */
export class Follower {
  readonly #shared: Shared;
  #settings: LogSettings;
  readonly #watch: LogWatch;
  readonly #turns = new Turns();
  /** Looks in a row that reached nobody. */
  #failures = 0;
  /** When the view last grew, or this monitor began to wait for that; for people. */
  #grewAt: string;
  /** The same by the monotonic clock, which patience is counted by: the wall clock may jump. */
  #standsSince: number;
  /** Since when each checkpoint is waited for that others were shown, by the monotonic clock. */
  #awaited: ReadonlyMap<string, number>;
  /** When these were last looked through, by the monotonic clock. */
  #awaitedAt: number;
  /** What was told last, so that the same again is not. */
  #told = "";
  readonly #withheldTold = new Set<string>();
  /** By question that could not be settled. */
  readonly #tried = new Map<string, Tried>();
  /** Found inconsistent before this start: judged once more, in case their record was lost. */
  #again: readonly OpenQuestion[];
  /** By source, the turn in which its question was the first to be tried. */
  readonly #cameFirst = new Map<string, number>();
  #turn = 0;
  #settling: Promise<void> | undefined;
  readonly #strangers = new Turns();
  #strangersDue = false;
  /** Since the last look. */
  #strangersSettled = 0;
  readonly #stop = new Stop();

  private constructor(fields: {
    shared: Shared;
    settings: LogSettings;
    watch: LogWatch;
    grewAt: string;
    standsSince: number;
    awaited: ReadonlyMap<string, number>;
    again: OpenQuestion[];
  }) {
    this.#shared = fields.shared;
    this.#settings = fields.settings;
    this.#watch = fields.watch;
    this.#grewAt = fields.grewAt;
    this.#standsSince = fields.standsSince;
    this.#awaited = fields.awaited;
    this.#awaitedAt = fields.shared.world.clock.monotonic();
    this.#again = fields.again;
  }

  /** Takes a log up as it stood when this monitor last ended. */
  static async start({ shared, settings, source }: {
    shared: Shared;
    settings: LogSettings;
    source: Source;
  }): Promise<Follower> {
    const { observations, memory, keeper, world: { clock } } = shared;
    const { log } = settings;
    // Read once, now: later the database may refuse.
    const questions = memory.questions(log);
    const last = observations.view(log);
    const view = last && openNote(last.note, log);
    if (view !== undefined) await keeper.addLocal(view, THE_LOG);
    // A crash may have come between what was seen and its incident; known cases fall out there.
    for (const treeSize of observations.contradictedSizes(log)) {
      await keeper.keep({ more: contradictionsAt({ observations, log, treeSize }) });
    }
    const inCase = new Set(keeper.cases(log).flatMap(headsOf));
    const again = observations.accused(log).filter((seen) => !inCase.has(headKey(seen)));
    const watch = new LogWatch({ log, source, detector: keeper.detector, clock, view });
    const grewAt = last?.seenAt ?? timeNow(clock);
    // Only what the process before has seen counts: nobody looked since, and the clock may have jumped.
    const { endedAt } = observations;
    const waitedSince = (since: string): number =>
      clock.monotonic() - millisecondsWaited(clock, { since, endedAt });
    const open = questions.of("log", "peer", "stranger");
    const awaited = new Map(open.map((one) => [headKey(one), waitedSince(one.seenAt)]));
    const standsSince = waitedSince(grewAt);
    const begun = { shared, settings, watch, grewAt, standsSince, awaited, again };
    const follower = new Follower(begun);
    questions.keepBack((question) => follower.#isAboutToSettle(question));
    return follower;
  }

  /** The log it follows. */
  get log(): Log {
    return this.#settings.log;
  }

  /** Looks at the log again and again until stopped. */
  async run(): Promise<void> {
    const { clock, random } = this.#shared.world;
    while (!this.#stop.stopped) {
      const byMs = this.#shared.clockWatch.jump();
      if (byMs !== undefined) this.#shared.happenings.tell({ kind: "clock jumped", byMs });
      const { retryAfterMs } = await this.look();
      const { pollMs: intervalMs } = this.#settings;
      const failures = this.#failures;
      await this.#stop.pause(clock, nextPollMs({ intervalMs, failures, retryAfterMs, random }));
    }
  }

  /** Asks `run` to end, and whatever is under way. */
  stop(): void {
    this.#stop.stop();
    this.#watch.stop();
  }

  /**
   * Follows the same log by other settings, after the look under way; what it knows and has counted
   * stays.
   * @param source where the log is asked from then on, if not where it was
   */
  async change(settings: LogSettings, source: Source | undefined): Promise<void> {
    await this.#turns.next(() => {
      this.#settings = settings;
      if (source !== undefined) this.#watch.askAt(source);
      return Promise.resolve();
    });
    this.#stop.wake();
  }

  /** One look at the log, written down, and then what it lets us settle. */
  look(): Promise<{ result: LookResult; retryAfterMs?: number | undefined }> {
    return this.#turns.next(async () => {
      try {
        const finding = this.#unlessCutShort(await this.#watch.poll());
        if (finding === undefined) return { result: "unavailable" };
        const result = this.#withPatience(finding.result);
        this.#failures = result === "unavailable" ? this.#failures + 1 : 0;
        await this.#record(finding, { result, isLook: true });
        this.#strangersSettled = 0;
        for (const shown of finding.others ?? []) {
          const other = this.#unlessCutShort(shown);
          if (other !== undefined) {
            await this.#record(other, { result: other.result, isLook: false });
          }
        }
        // What this look could not prove below the view is a question, and was tried just now.
        if (result === "unproven" && finding.checkpoint!.treeSize < this.#watch.view!.treeSize) {
          this.#postpone(finding.checkpoint!, { isTold: true });
        }
        if (result !== "unavailable") {
          await this.#settleReached();
          await this.#tellWithheld();
          void this.settleStrangers();
        }
        return { result, retryAfterMs: finding.retryAfterMs };
      } catch (error) {
        const { happenings, world: { clock } } = this.#shared;
        happenings.failed(error);
        const detail = error instanceof Error ? error.message : String(error);
        const about = { log: this.log, detail, at: timeNow(clock) };
        // Neither says anything of the log. What a disk refuses is tried again at the log's own pace; a
        // fault of ours, ever less often.
        if (isOfTheWorld(error)) happenings.tell({ kind: "look failed", ...about });
        else this.#failures++;
        return { result: "not written" };
      }
    });
  }

  /**
   * Settles what strangers have told, as far as the view reaches. No look waits for that, nor what
   * peers told.
   */
  settleStrangers(): Promise<void> {
    this.#strangersDue = true;
    return this.#strangers.next(async () => {
      if (!this.#strangersDue) return;
      this.#strangersDue = false;
      try {
        const most = MAX_STRANGERS_SETTLED - this.#strangersSettled;
        this.#strangersSettled += await this.#settleDue({ askers: ["stranger"], most });
      } catch (error) {
        this.#shared.happenings.failed(error);
      }
    });
  }

  /** Waits until what strangers told is settled no more. */
  async done(): Promise<void> {
    await this.#strangers.done();
  }

  /** Settles what a peer has told, as far as the view reaches. */
  settle(): Promise<void> {
    // However many questions came meanwhile, one turn looks at them all.
    return this.#settling ??= this.#turns.next(() => {
      this.#settling = undefined;
      return this.#settleReached();
    });
  }

  /** What can be said of it now. */
  status(): Omit<LogStatus, keyof LogTally> {
    const { view } = this.#watch;
    return {
      origin: this.log.origin,
      vkey: this.log.vkey.text,
      ...(view && { size: `${view.treeSize}`, root: view.root, grewAt: this.#grewAt }),
      incidents: this.#shared.keeper.cases(this.log).length,
      openQuestions: this.#questions.size,
      ...(this.#questions.leftOut > 0 && { leftOut: this.#questions.leftOut }),
    };
  }

  /** Whether this monitor can settle a question by itself, and has not tried yet. */
  #isAboutToSettle(question: Question): boolean {
    const { view } = this.#watch;
    const isReached = view !== undefined && question.treeSize <= view.treeSize;
    return isReached && this.#failures === 0 && !this.#tried.has(headKey(question));
  }

  get #questions(): QuestionTable {
    return this.#shared.memory.questions(this.log);
  }

  /**
   * What a look that came to nothing says while this daemon ends: nothing of the log. What the log has
   * shown stays a question.
   */
  #unlessCutShort(finding: Finding): Finding | undefined {
    if (finding.result !== "unavailable" || !this.#stop.stopped) return finding;
    const { log, source, checkpoint } = finding;
    return checkpoint && { log, result: "pending", source, checkpoint };
  }

  /** `frozen` where the log stands for longer than it may. */
  #withPatience(result: Result): Result {
    const stands = result === "unchanged" || result === "rolled back";
    return stands && this.#isOverdue(this.#standsSince) ? "frozen" : result;
  }

  /** @param since by the monotonic clock */
  #isOverdue(since: number): boolean {
    return this.#shared.world.clock.monotonic() - since > this.#settings.patienceMs;
  }

  /** Writes a finding down, and its case before it; then acts on it: the view advances. */
  async #record(
    finding: Finding,
    { result, isLook }: { result: Result; isLook: boolean },
  ): Promise<void> {
    const { keeper, world: { clock } } = this.#shared;
    const { checkpoint, source } = finding;
    const at = timeNow(clock);
    // An entry that says inconsistent is the end of a question, so its case must be durable before.
    await keeper.keep({ source: THE_LOG });
    await this.#write(finding, { result, at });
    this.#tell(finding, { result, isLook, at });
    if (!this.#watch.advance(finding)) return;
    this.#grewAt = at;
    this.#standsSince = clock.monotonic();
    await keeper.addLocal(checkpoint!, source);
  }

  /** What could not be settled stays an open question by its result. */
  async #write(finding: Finding, { result, at }: { result: Result; at: string }): Promise<void> {
    const { observations, memory } = this.#shared;
    const { log, checkpoint, against, source, detail } = finding;
    const isOurs = isTheLog(source);
    await observations.observe({
      log: { origin: log.origin, vkey: log.vkey.text },
      via: isOurs ? "poll" : "exchange",
      source,
      result,
      ...(checkpoint && { checkpoint: observedCheckpoint(checkpoint) }),
      ...(against && { against: { size: `${against.treeSize}`, root: against.root } }),
      ...(detail !== undefined && { detail }),
    }, at);
    if (checkpoint !== undefined) memory.recorded({ checkpoint, source }, result);
  }

  #tell(
    finding: Finding,
    { result, isLook, at }: { result: Result; isLook: boolean; at: string },
  ): void {
    const { checkpoint, mayPass, detail } = finding;
    const news = `${result} ${checkpoint?.treeSize} ${checkpoint?.root} ${mayPass} ${detail}`;
    const isNews = !isLook || news !== this.#told;
    if (isLook) this.#told = news;
    this.#shared.happenings.tell({ kind: "found", finding, result, isLook, isNews, at });
  }

  /** Settles what the log and peers left open and the view now reaches; and what a crash left. */
  async #settleReached(): Promise<void> {
    const { view } = this.#watch;
    if (view === undefined) return;
    for (const seen of this.#again.filter(({ treeSize }) => treeSize <= view.treeSize)) {
      if (this.#stop.stopped) return;
      const note = this.#shared.observations.note(this.log, seen);
      const checkpoint = note === undefined ? undefined : openNote(note, this.log);
      if (checkpoint !== undefined) await this.#settleOne(seen, checkpoint);
      // Not before it is written down: what the disk refuses is judged again at the next look.
      this.#again = this.#again.filter((again) => again !== seen);
    }
    await this.#settleDue({ askers: ["log", "peer"], most: MAX_SETTLED_AT_ONCE });
  }

  /**
   * Settles what these askers left open and the view reaches, as far as time allows: in turns by whom
   * it came from, the largest of each first.
   * @returns how many were tried
   */
  async #settleDue(
    { askers, most }: { askers: readonly Asker[]; most: number },
  ): Promise<number> {
    const { view, log } = this.#watch;
    if (view === undefined) return 0;
    const { memory, world: { clock } } = this.#shared;
    const start = clock.monotonic();
    const proven = this.#provenRoots();
    // What a case has proven meanwhile is due at once: nothing is asked for it.
    const isDue = (question: Question): boolean =>
      question.treeSize <= view.treeSize &&
      ((this.#tried.get(headKey(question))?.retryAt ?? 0) <= start ||
        proven.has(headKey(question)));
    const due = this.#questions.of(...askers).filter(isDue)
      .sort((a, b) => a.treeSize < b.treeSize ? 1 : -1);
    let tried = 0;
    const outages = new Set<string>();
    for (const question of this.#inTurns(due).slice(0, most)) {
      if (this.#stop.stopped || clock.monotonic() - start > SETTLE_BUDGET_MS) break;
      // It may have been settled meanwhile by the case of another.
      if (!this.#questions.has(question)) continue;
      const checkpoint = memory.checkpointOf(log, question);
      if (checkpoint === undefined) continue;
      const asker = memory.placeOf(question.source);
      if (outages.has(asker)) continue;
      tried++;
      if (await this.#settleOne(question, checkpoint) !== "unavailable") continue;
      // What one asks for may be what the log cannot give; two outages are an outage.
      outages.add(asker);
      if (outages.size > 1) break;
    }
    return tried;
  }

  /**
   * One question of each source after the other, so that who asks much keeps nobody else waiting; and
   * each time another source comes first, so that it does neither where the log answers little.
   */
  #inTurns(questions: readonly Question[]): Question[] {
    const bySource = Map.groupBy(
      questions,
      ({ source }) => this.#shared.memory.placeOf(source),
    );
    const [first] = [...bySource.keys()]
      .toSorted((a, b) => (this.#cameFirst.get(a) ?? 0) - (this.#cameFirst.get(b) ?? 0));
    if (first === undefined) return [];
    this.#cameFirst.delete(first);
    this.#cameFirst.set(first, ++this.#turn);
    if (this.#cameFirst.size > MAX_TRIED) {
      this.#cameFirst.delete(this.#cameFirst.keys().next().value!);
    }
    const others = [...bySource].filter(([source]) => source !== first).map(([, asked]) => asked);
    const sources = [bySource.get(first)!, ...others];
    const longest = Math.max(...sources.map(({ length }) => length));
    return Array.from({ length: longest }, (_, turn) => turn)
      .flatMap((turn) => sources.flatMap((asked) => asked.slice(turn, turn + 1)));
  }

  /** Settles one question, or tries to. */
  async #settleOne(
    question: Pick<Question, "treeSize" | "root" | "source">,
    checkpoint: VerifiedCheckpoint,
  ): Promise<Result> {
    const found = this.#knownCase(question, checkpoint) ??
      await this.#watch.settle(checkpoint, question.source);
    const { result, retryAfterMs } = found;
    if (result === "unavailable" && this.#stop.stopped) return result;
    const tried = this.#tried.get(headKey(question));
    const mayPass = found.mayPass === true && !this.#lasts(tried);
    const finding = { ...found, mayPass };
    const isOpen = result === "unavailable" || result === "unproven" || result === "pending";
    // A question that stays open is told once, and once more if it lasts; and tried ever less often.
    const isLoud = result === "unproven" && !mayPass;
    if (tried === undefined || !isOpen || (isLoud && !tried.isTold)) {
      await this.#record(finding, { result, isLook: false });
    }
    const isTold = isLoud || tried?.isTold === true;
    if (isOpen) this.#postpone(question, { retryAfterMs, isTold });
    else this.#tried.delete(headKey(question));
    return result;
  }

  /** Whether what is missing for a question has been missing for long, with the try under way. */
  #lasts(tried: Tried | undefined): boolean {
    if (tried === undefined) return false;
    const ms = this.#shared.world.clock.monotonic() - tried.since;
    return lasts({ tries: tried.times + 1, ms });
  }

  /** The older halves of the cross-size cases held, by size and root. */
  #provenRoots(): ReadonlyMap<string, HeldCase> {
    const crossSize = this.#shared.keeper.cases(this.log).filter(({ kind }) =>
      kind === "cross_size"
    );
    return new Map(crossSize.map((record) => [olderOf(record), record]));
  }

  /** What a record has proven of a checkpoint needs no proof again; the record may be a peer's. */
  #knownCase(
    { treeSize, root, source }: Pick<Question, "treeSize" | "root" | "source">,
    checkpoint: VerifiedCheckpoint,
  ): Finding | undefined {
    const record = this.#provenRoots().get(headKey({ treeSize, root }));
    if (record === undefined) return undefined;
    const detail = `case ${record.evidence_id} is about it`;
    return { log: this.log, result: "inconsistent", source, checkpoint, detail };
  }

  /** @param retryAfterMs what the log asked for, if it did */
  #postpone(
    question: Head,
    { retryAfterMs = 0, isTold }: { retryAfterMs?: number | undefined; isTold: boolean },
  ): void {
    const key = headKey(question);
    const now = this.#shared.world.clock.monotonic();
    const before = this.#tried.get(key);
    const times = (before?.times ?? 0) + 1;
    const doubled = this.#settings.pollMs * 2 ** Math.min(times, 30);
    const pause = Math.max(retryAfterMs, Math.min(doubled, MAX_QUESTION_PAUSE_MS));
    this.#tried.delete(key);
    this.#tried.set(key, { times, since: before?.since ?? now, retryAt: now + pause, isTold });
    if (this.#tried.size > MAX_TRIED) this.#tried.delete(this.#tried.keys().next().value!);
  }

  /** Tells what peers were shown and we, though the log answers us, have not been for too long. */
  async #tellWithheld(): Promise<void> {
    const { view, log } = this.#watch;
    if (view === undefined) return;
    const awaited = this.#awaitedNow();
    for (const question of this.#questions.of("log", "peer", "stranger")) {
      const { treeSize, source } = question;
      const key = headKey(question);
      if (treeSize <= view.treeSize) this.#withheldTold.delete(key);
      const isLate = treeSize > view.treeSize && !isTheLog(source) &&
        this.#isOverdue(awaited.get(key)!);
      if (!isLate || this.#withheldTold.has(key)) continue;
      this.#withheldTold.add(key);
      if (this.#withheldTold.size > MAX_TRIED) this.#withheldTold.clear();
      const detail = `${source} was shown size ${treeSize}, and we are shown none that reaches it`;
      const finding: Finding = { log, result: "pending", source, detail };
      await this.#record(finding, { result: "withheld", isLook: false });
    }
  }

  /** Since when each open question is waited for, by the monotonic clock. */
  #awaitedNow(): ReadonlyMap<string, number> {
    const { clock } = this.#shared.world;
    const now = clock.monotonic();
    const known = this.#awaited;
    // One that is new was heard since the last time, whatever the wall clock has done meanwhile.
    const sinceLast = now - this.#awaitedAt;
    const began = (question: Question): number =>
      now - Math.min(millisecondsSince(clock, question.seenAt), sinceLast);
    const open = this.#questions.of("log", "peer", "stranger");
    const since = open.map((one) => [headKey(one), known.get(headKey(one)) ?? began(one)] as const);
    [this.#awaited, this.#awaitedAt] = [new Map(since), now];
    return this.#awaited;
  }
}

/** The older of a record's two checkpoints, by size and root. */
function olderOf({ checkpoint_a, checkpoint_b }: HeldCase): string {
  const isOlder = BigInt(checkpoint_a.size) < BigInt(checkpoint_b.size);
  const { size, root } = isOlder ? checkpoint_a : checkpoint_b;
  return `${size} ${root}`;
}

/** A case's two checkpoints, each by size and root. */
function headsOf({ checkpoint_a, checkpoint_b }: HeldCase): string[] {
  return [checkpoint_a, checkpoint_b].map(({ size, root }) => `${size} ${root}`);
}

/** The cases of one size that the observations show, whether or not they were ever recorded. */
function contradictionsAt(
  { observations, log, treeSize }: {
    observations: ObservationJournal;
    log: Log;
    treeSize: bigint;
  },
): Conflict[] {
  const [first, ...others] = observations.rootsAt(log, treeSize).flatMap(({ note, source }) => {
    const checkpoint = openNote(note, log);
    return checkpoint === undefined ? [] : [{ checkpoint, source }];
  });
  if (first === undefined) return [];
  return others.map((second): Conflict => ({ kind: "same_size", first, second }));
}

function openNote(note: string, log: Log): VerifiedCheckpoint | undefined {
  const opened = openCheckpoint({ note, logs: [log] });
  return "refused" in opened ? undefined : opened[0];
}
