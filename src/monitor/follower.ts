import type { Result } from "../evidence/result.ts";
import type { Source } from "../sources/source.ts";
import { observedCheckpoint } from "../store/observation.ts";
import type { Log } from "../tlog/log.ts";
import { formatDuration } from "../world/setting_values.ts";
import { nextPollMs } from "../world/pacing.ts";
import { Stop } from "../world/stop.ts";
import { millisecondsWaited, timeAt, timeNow } from "../world/time.ts";
import { Turns } from "../world/turns.ts";
import type { Common } from "./common.ts";
import { isOfTheWorld } from "./faults.ts";
import type { Found } from "./happenings.ts";
import { knownLogs } from "./log_settings.ts";
import type { Question } from "./questions.ts";
import { recall, type Recalled, viewOf } from "./recalled.ts";
import type { LogSettings } from "./settings.ts";
import { Settler } from "./settler.ts";
import { countCases, type LogStatus, type LogTally, type LookResult } from "./status.ts";
import { isTheLog, THE_LOG } from "./the_log.ts";
import type { Finding } from "./finding.ts";
import { LogWatch } from "./watch.ts";

/**
 * Follows one log. It looks at the log, has open questions settled (see Settler), and writes every
 * finding to the journal before it acts on it. Looks do not overlap, and no log waits for another.
 */
export class Follower {
  readonly #common: Common;
  #settings: LogSettings;
  readonly #watch: LogWatch;
  readonly #turns = new Turns();
  /** How many looks in a row failed to reach the log. */
  #failures = 0;
  /** Whether the last look was `unverified`: what somebody else lacks says nothing about the log. */
  #isForeign = false;
  /** When the view last grew, or when this monitor began to follow the log. Shown to people only. */
  #grewAt: string;
  /** The same moment by the monotonic clock. Patience is counted by it, as the wall clock may jump. */
  #standsSince: number;
  /** One for this log, and one for the log that it replaces, if it does. */
  readonly #settlers: readonly Settler[];
  /** Whether it was told that the log is not frozen by its own word alone. */
  #isRetiredTold = false;
  /** What the last look came to, so that the same again is not told. */
  #told = "";
  #settling: Promise<void> | undefined;
  readonly #stop = new Stop();
  /** When the next look begins, by the monotonic clock; nothing while a look is under way. */
  #nextLookAt: number | undefined;
  /** Whether there may be something new to look at, since the last look began. */
  #isWoken = false;
  /** When the last look began, by the monotonic clock. */
  #beganAt: number | undefined;

  private constructor(fields: {
    common: Common;
    settings: LogSettings;
    watch: LogWatch;
    grewAt: string;
    standsSince: number;
    /** This log, and the one that it replaces, if it does. */
    recalled: readonly Recalled[];
    waitedSince: (since: string) => number;
  }) {
    this.#common = fields.common;
    this.#settings = fields.settings;
    this.#watch = fields.watch;
    this.#grewAt = fields.grewAt;
    this.#standsSince = fields.standsSince;
    const { common, watch, waitedSince } = fields;
    this.#settlers = fields.recalled.map((recalled) =>
      new Settler({
        ...{ common, watch, recalled, waitedSince, stop: this.#stop },
        record: (finding, how) => this.#record(finding, how),
        pollMs: () => this.#settings.pollMs,
        isOverdue: (since) => this.#isOverdue(since),
      })
    );
  }

  /** Takes a log up as it stood when this monitor last ended. */
  static async start({ common, settings, source }: {
    common: Common;
    settings: LogSettings;
    source: Source;
  }): Promise<Follower> {
    const { observations, keeper: { detector }, world: { clock } } = common;
    const { log, replaces } = settings;
    const own = await recall(common, log);
    const old = replaces && await recall(common, replaces);
    const replaced = replaces && { log: replaces, view: () => viewOf(observations, replaces) };
    const { view, seenAt: grewAt = timeNow(clock) } = own;
    const watch = new LogWatch({ log, source, detector, clock, view, replaced });
    // Only the time in which a monitor ran counts as waiting: nobody looked while it was stopped.
    const { endedAt } = observations;
    const waitedSince = (since: string): number =>
      clock.monotonic() - millisecondsWaited(clock, { since, endedAt });
    const recalled = old === undefined ? [own] : [own, old];
    const standsSince = waitedSince(grewAt);
    const follower = new Follower({
      ...{ common, settings, watch, grewAt, standsSince, recalled, waitedSince },
    });
    for (const settler of follower.#settlers) {
      settler.questions.keepBack((question) => follower.#isAboutToSettle(settler, question));
    }
    return follower;
  }

  /** The log it follows. */
  get log(): Log {
    return this.#settings.log;
  }

  /** How often it looks, in milliseconds. */
  get pollMs(): number {
    return this.#settings.pollMs;
  }

  /** How long it may stand still before it is called frozen, in milliseconds. */
  get patienceMs(): number {
    return this.#settings.patienceMs;
  }

  /** For how long it has not grown, as far as we looked, in milliseconds. */
  get stillMs(): number {
    return this.#common.world.clock.monotonic() - this.#standsSince;
  }

  /** This log, and the one that it replaces, if it does. It settles the questions about both. */
  get logs(): readonly Log[] {
    return knownLogs([this.#settings]);
  }

  /**
   * When the next look is due, or when the one under way began, by the monotonic clock; nothing before
   * the first. If that was long ago, nobody watches this log.
   */
  get lookDueAt(): number | undefined {
    return this.#nextLookAt ?? this.#beganAt;
  }

  /** Looks at the log, pauses, and repeats this until stopped. */
  async run(): Promise<void> {
    const { clock, random } = this.#common.world;
    while (!this.#stop.stopped) {
      const byMs = this.#common.clockWatch.jump();
      if (byMs !== undefined) this.#common.happenings.tell({ kind: "clock jumped", byMs });
      this.#beganAt = clock.monotonic();
      this.#isWoken = false;
      const { retryAfterMs } = await this.look();
      const { pollMs: intervalMs } = this.#settings;
      const failures = this.#failures;
      const pauseMs = nextPollMs({ intervalMs, failures, retryAfterMs, random });
      if (this.#isWoken) continue;
      this.#nextLookAt = clock.monotonic() + pauseMs;
      await this.#stop.pause(clock, pauseMs);
      this.#nextLookAt = undefined;
    }
  }

  /** Has it look now, or once more if a look is under way. */
  wake(): void {
    this.#isWoken = true;
    this.#stop.wake();
  }

  /** Asks `run` to end, and ends the look that is under way. */
  stop(): void {
    this.#stop.stop();
    this.#watch.stop();
  }

  /**
   * Follows the same log with other settings, after the look that is under way. What is known and
   * counted of the log stays.
   * @param source where the log is asked from then on; nothing if that did not change
   */
  async change(settings: LogSettings, source: Source | undefined): Promise<void> {
    await this.#turns.next(() => {
      this.#settings = settings;
      if (source !== undefined) this.#watch.askAt(source);
      return Promise.resolve();
    });
    this.#stop.wake();
  }

  /** Looks at the log once, writes the finding down, and settles the questions it makes possible. */
  look(): Promise<{ result: LookResult; retryAfterMs?: number | undefined }> {
    return this.#turns.next(async () => {
      try {
        const shown = this.#unlessCutShort(await this.#watch.poll());
        if (shown === undefined) return { result: "unavailable" };
        const finding = this.#own.withCase(shown);
        const result = this.#withPatience(finding.result);
        const isReached = result !== "unavailable" && result !== "unverified";
        this.#failures = isReached ? 0 : this.#failures + 1;
        this.#isForeign = result === "unverified";
        const told = result === "frozen" ? { ...finding, detail: this.#whyFrozen() } : finding;
        await this.#record(told, { result, about: "look" });
        for (const settler of this.#settlers) settler.lookEnded();
        for (const shown of finding.others ?? []) {
          const other = this.#unlessCutShort(shown);
          if (other !== undefined) {
            await this.#record(other, { result: other.result, about: "place" });
          }
        }
        // A checkpoint below the view that could not be proven is an open question, and this was its
        // first try.
        const { treeSize = 0n } = this.#watch.view ?? {};
        if (result === "unproven" && finding.checkpoint!.treeSize < treeSize) {
          this.#own.postpone(finding.checkpoint!, { isTold: true });
        }
        if (isReached) {
          for (const settler of this.#settlers) {
            await settler.settleReached();
            await settler.tellWithheld();
            void settler.settleStrangers();
          }
        }
        return { result, retryAfterMs: finding.retryAfterMs };
      } catch (error) {
        const { happenings, world: { clock } } = this.#common;
        happenings.failed(error);
        const detail = error instanceof Error ? error.message : String(error);
        const about = { log: this.log, detail, at: timeNow(clock) };
        // Neither error says anything about the log. After a refusal of the disk or the database the
        // next look comes at the usual time. After a fault of ours the pauses grow.
        if (isOfTheWorld(error)) happenings.tell({ kind: "look failed", ...about });
        else this.#failures++;
        return { result: "not written" };
      }
    });
  }

  /** See Settler. */
  async settleStrangers(): Promise<void> {
    if (this.#isForeign) return;
    await Promise.all(this.#settlers.map((settler) => settler.settleStrangers()));
  }

  /** Waits until no stranger's question is being settled. */
  async done(): Promise<void> {
    await Promise.all(this.#settlers.map((settler) => settler.done()));
  }

  /** Settles what peers have told, up to the view. */
  settle(): Promise<void> {
    // One turn settles all questions that came meanwhile, however many calls there were.
    return this.#settling ??= this.#turns.next(async () => {
      this.#settling = undefined;
      if (this.#isForeign) return;
      for (const settler of this.#settlers) await settler.settleReached();
    });
  }

  /**
   * What the status says of this log, except for what `Tallies` counts.
   * @param isClosed whether the incident of a case is closed
   */
  status(
    isClosed: (evidenceId: string) => boolean = () => false,
  ): Omit<LogStatus, keyof LogTally> {
    const { view } = this.#watch;
    const nextAt = this.#nextLookAt;
    const { replaces } = this.#settings;
    const { keeper, gate } = this.#common;
    const isAccepted = view === undefined || gate.accepts(this.log, view.treeSize);
    const accepted = isAccepted
      ? view && { size: `${view.treeSize}`, root: view.root }
      : gate.lastAccepted(this.log);
    const withheld = this.#sum((settler) => settler.withheld);
    const waitingOwn = this.#sum((settler) => settler.waiting("log"));
    const waitingOthers = this.#sum((settler) => settler.waiting("peer", "stranger"));
    const leftOut = this.#sum(({ questions }) => questions.leftOut);
    return {
      ...(nextAt !== undefined && { nextLookAt: timeAt(this.#common.world.clock, nextAt) }),
      origin: this.log.origin,
      vkey: this.log.vkey.text,
      ...(replaces && { replaces: replaces.vkey.text }),
      ...(accepted && { ...accepted, grewAt: this.#grewAt }),
      ...(!isAccepted && { seenSize: `${view.treeSize}`, seenRoot: view.root }),
      ...countCases(this.#settlers.flatMap(({ log }) => keeper.cases(log)), isClosed),
      openQuestions: this.#sum(({ questions }) => questions.size),
      ...(waitingOwn > 0 && { waitingOwn }),
      ...(waitingOthers > 0 && { waitingOthers }),
      ...(withheld > 0 && { withheld }),
      ...(leftOut > 0 && { leftOut }),
    };
  }

  /** The sum over this log and the one that it replaces. */
  #sum(count: (settler: Settler) => number): number {
    return this.#settlers.reduce((sum, settler) => sum + count(settler), 0);
  }

  /** Whether this monitor can settle a question without its peers, and has not tried yet. */
  #isAboutToSettle(settler: Settler, question: Question): boolean {
    return settler.reaches(question) && this.#failures === 0 && !settler.hasTried(question);
  }

  get #own(): Settler {
    return this.#settlers[0]!;
  }

  /**
   * The finding, unless the end of this daemon may have cut the look short: such an outage is ours, and
   * says nothing about the log. If the log has shown a checkpoint, that stays an open question.
   */
  #unlessCutShort(finding: Finding): Finding | undefined {
    if (finding.result !== "unavailable" || !this.#stop.stopped) return finding;
    const { log, source, checkpoint } = finding;
    return checkpoint && { log, result: "pending", source, checkpoint };
  }

  /**
   * The result, or `frozen` if the log has not grown for longer than its patience. A log that says, or
   * is known, to be retired may stand still.
   */
  #withPatience(result: Result): Result {
    const stands = result === "unchanged" || result === "rolled back";
    const isOverdue = stands && !this.#settings.isRetired && this.#isOverdue(this.#standsSince);
    if (!isOverdue) return result;
    if (!this.#watch.isRetired) return "frozen";
    // It is the log's word, which nobody has signed. Whoever freezes us could say so too.
    if (!this.#isRetiredTold) {
      this.#common.happenings.tell({ kind: "retired", log: this.log });
    }
    this.#isRetiredTold = true;
    return result;
  }

  #whyFrozen(): string {
    const patience = formatDuration(this.#settings.patienceMs);
    return `it has not grown since ${this.#grewAt}, and its patience is ${patience}`;
  }

  /** @param since by the monotonic clock */
  #isOverdue(since: number): boolean {
    return this.#common.world.clock.monotonic() - since > this.#settings.patienceMs;
  }

  /** Writes the case of a finding, then the finding, then tells it and advances the view. */
  async #record(
    finding: Finding,
    { result, about }: { result: Result; about: Found["about"] },
  ): Promise<void> {
    const { keeper, world: { clock } } = this.#common;
    const { checkpoint, source } = finding;
    const at = timeNow(clock);
    // An entry that says inconsistent closes its question, so the case must be durable before it.
    await keeper.keep({ source: THE_LOG });
    await this.#write(finding, { result, at });
    this.#tell(finding, { result, about, at });
    if (!this.#watch.advance(finding)) return;
    this.#isRetiredTold = false;
    this.#grewAt = at;
    this.#standsSince = clock.monotonic();
    keeper.judge.answerBy(checkpoint!, source);
  }

  /** Writes a finding to the journal. Its result decides whether an open question stays open. */
  async #write(finding: Finding, { result, at }: { result: Result; at: string }): Promise<void> {
    const { observations, memory } = this.#common;
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
    { result, about, at }: { result: Result; about: Found["about"]; at: string },
  ): void {
    const { checkpoint, mayPass, detail } = finding;
    const isLook = about === "look";
    const news = `${result} ${checkpoint?.treeSize} ${checkpoint?.root} ${mayPass} ${detail}`;
    const isNews = !isLook || news !== this.#told;
    if (isLook) this.#told = news;
    this.#common.happenings.tell({ kind: "found", finding, result, about, isNews, at });
  }
}
