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
import { millisecondsSince, millisecondsWaited, timeAt, timeNow } from "../world/time.ts";
import { Turns } from "../world/turns.ts";
import type { World } from "../world/world.ts";
import type { ClockWatch } from "./clock_watch.ts";
import { lasts } from "./doubt.ts";
import type { Found, Happenings } from "./happenings.ts";
import { isOfTheWorld } from "./faults.ts";
import type { CaseKeeper } from "./case_keeper.ts";
import type { JournaledMemory } from "./recollection.ts";
import type { LogSettings } from "./settings.ts";
import type { LogStatus, LogTally, LookResult } from "./status.ts";
import type { Asker, Question, QuestionTable } from "./questions.ts";
import { isTheLog, THE_LOG } from "./the_log.ts";
import { type Finding, LogWatch } from "./watch.ts";

/** How many questions of the log and of peers are tried after one look; the rest wait for the next. */
const MAX_SETTLED_AT_ONCE = 64;
/** How many strangers' questions are tried between two looks: each may cost a request or two. */
const MAX_STRANGERS_SETTLED = 64;
/** How long settling questions may delay the next look. */
const SETTLE_BUDGET_MS = 10_000;
/** Longest pause before a question that could not be settled is tried again. */
const MAX_QUESTION_PAUSE_MS = 24 * 3_600_000;
/** How many questions' tries, and reports, are remembered. One beyond is tried, or told, once more. */
const MAX_TRIED = 10_000;

/** A question that was tried and could not be settled. Times are of the monotonic clock. */
interface Tried {
  readonly times: number;
  /** When it was first tried. */
  readonly since: number;
  /** When it may be tried again. */
  readonly retryAt: number;
  /** Whether it was told as an error, which is the loudest level. */
  readonly isTold: boolean;
}

/** What all followers of a daemon have in common. */
export interface Common {
  readonly world: World;
  readonly clockWatch: ClockWatch;
  readonly observations: ObservationJournal;
  readonly memory: JournaledMemory;
  readonly keeper: CaseKeeper;
  readonly happenings: Happenings;
}

/**
 * Follows one log. It looks at the log, settles by its own view what peers were shown, and writes
 * every finding to the journal before it acts on it. Looks do not overlap, and no log waits for
 * another.
 */
export class Follower {
  readonly #common: Common;
  #settings: LogSettings;
  readonly #watch: LogWatch;
  readonly #turns = new Turns();
  /** How many looks in a row failed to reach the log. */
  #failures = 0;
  /** When the view last grew, or when this monitor began to follow the log. Shown to people only. */
  #grewAt: string;
  /** The same moment by the monotonic clock. Patience is counted by it, as the wall clock may jump. */
  #standsSince: number;
  /** For each open question, since when we wait for the log to show it, by the monotonic clock. */
  #awaited: ReadonlyMap<string, number>;
  /** When `#awaited` was last brought up to date, by the monotonic clock. */
  #awaitedAt: number;
  /** What the last look came to, so that the same again is not told. */
  #told = "";
  /** What was told as withheld and is beyond the view. */
  readonly #withheld = new Map<string, Question>();
  /** Open questions that were tried and could not be settled. */
  readonly #tried = new Map<string, Tried>();
  /** What was found inconsistent before this start. It is judged again, in case its record was lost. */
  #again: readonly OpenQuestion[];
  /** For each source, the last turn in which its question was tried first. */
  readonly #cameFirst = new Map<string, number>();
  #turn = 0;
  #settling: Promise<void> | undefined;
  readonly #strangers = new Turns();
  /** Whether strangers' questions are to be settled in the next turn. */
  #strangersDue = false;
  /** How many strangers' questions were tried since the last look. */
  #strangersSettled = 0;
  readonly #stop = new Stop();
  /** When the next look begins, by the monotonic clock; nothing while a look is under way. */
  #nextLookAt: number | undefined;

  private constructor(fields: {
    common: Common;
    settings: LogSettings;
    watch: LogWatch;
    grewAt: string;
    standsSince: number;
    awaited: ReadonlyMap<string, number>;
    again: OpenQuestion[];
  }) {
    this.#common = fields.common;
    this.#settings = fields.settings;
    this.#watch = fields.watch;
    this.#grewAt = fields.grewAt;
    this.#standsSince = fields.standsSince;
    this.#awaited = fields.awaited;
    this.#awaitedAt = fields.common.world.clock.monotonic();
    this.#again = fields.again;
  }

  /** Takes a log up as it stood when this monitor last ended. */
  static async start({ common, settings, source }: {
    common: Common;
    settings: LogSettings;
    source: Source;
  }): Promise<Follower> {
    const { observations, memory, keeper, world: { clock } } = common;
    const { log } = settings;
    // The questions are read here, because later the database may refuse.
    const questions = memory.questions(log);
    const last = observations.view(log);
    const view = last && openNote(last.note, log);
    if (view !== undefined) await keeper.addLocal(view, THE_LOG);
    // A crash may have come after a checkpoint was written and before its incident was. `keep` skips
    // the cases that the incident journal has.
    for (const treeSize of observations.contradictedSizes(log)) {
      await keeper.keep({ more: contradictionsAt({ observations, log, treeSize }) });
    }
    const inCase = new Set(keeper.cases(log).flatMap(headsOf));
    const again = observations.accused(log).filter((seen) => !inCase.has(headKey(seen)));
    const watch = new LogWatch({ log, source, detector: keeper.detector, clock, view });
    const grewAt = last?.seenAt ?? timeNow(clock);
    // Only the time in which a monitor ran counts as waiting: nobody looked while it was stopped.
    const { endedAt } = observations;
    const waitedSince = (since: string): number =>
      clock.monotonic() - millisecondsWaited(clock, { since, endedAt });
    const open = questions.of("log", "peer", "stranger");
    const awaited = new Map(open.map((one) => [headKey(one), waitedSince(one.seenAt)]));
    const standsSince = waitedSince(grewAt);
    const begun = { common, settings, watch, grewAt, standsSince, awaited, again };
    const follower = new Follower(begun);
    questions.keepBack((question) => follower.#isAboutToSettle(question));
    return follower;
  }

  /** The log it follows. */
  get log(): Log {
    return this.#settings.log;
  }

  /** Looks at the log, pauses, and repeats this until stopped. */
  async run(): Promise<void> {
    const { clock, random } = this.#common.world;
    while (!this.#stop.stopped) {
      const byMs = this.#common.clockWatch.jump();
      if (byMs !== undefined) this.#common.happenings.tell({ kind: "clock jumped", byMs });
      const { retryAfterMs } = await this.look();
      const { pollMs: intervalMs } = this.#settings;
      const failures = this.#failures;
      const pauseMs = nextPollMs({ intervalMs, failures, retryAfterMs, random });
      this.#nextLookAt = clock.monotonic() + pauseMs;
      await this.#stop.pause(clock, pauseMs);
      this.#nextLookAt = undefined;
    }
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
        const finding = this.#withCase(shown);
        const result = this.#withPatience(finding.result);
        this.#failures = result === "unavailable" ? this.#failures + 1 : 0;
        await this.#record(finding, { result, about: "look" });
        this.#strangersSettled = 0;
        for (const shown of finding.others ?? []) {
          const other = this.#unlessCutShort(shown);
          if (other !== undefined) {
            await this.#record(other, { result: other.result, about: "place" });
          }
        }
        // A checkpoint below the view that could not be proven is an open question, and this was its
        // first try.
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

  /** Settles what strangers told, up to the view. Neither looks nor peers' questions wait for it. */
  settleStrangers(): Promise<void> {
    this.#strangersDue = true;
    return this.#strangers.next(async () => {
      if (!this.#strangersDue) return;
      this.#strangersDue = false;
      try {
        const most = MAX_STRANGERS_SETTLED - this.#strangersSettled;
        this.#strangersSettled += await this.#settleDue({ askers: ["stranger"], most });
      } catch (error) {
        this.#common.happenings.failed(error);
      }
    });
  }

  /** Waits until no stranger's question is being settled. */
  async done(): Promise<void> {
    await this.#strangers.done();
  }

  /** Settles what peers have told, up to the view. */
  settle(): Promise<void> {
    // One turn settles all questions that came meanwhile, however many calls there were.
    return this.#settling ??= this.#turns.next(() => {
      this.#settling = undefined;
      return this.#settleReached();
    });
  }

  /** What the status says of this log, except for what `Tallies` counts. */
  status(): Omit<LogStatus, keyof LogTally> {
    const { view } = this.#watch;
    const nextAt = this.#nextLookAt;
    return {
      ...(nextAt !== undefined && { nextLookAt: timeAt(this.#common.world.clock, nextAt) }),
      origin: this.log.origin,
      vkey: this.log.vkey.text,
      ...(view && { size: `${view.treeSize}`, root: view.root, grewAt: this.#grewAt }),
      incidents: this.#common.keeper.cases(this.log).length,
      openQuestions: this.#questions.size,
      ...(this.#withheld.size > 0 && { withheld: this.#withheld.size }),
      ...(this.#questions.leftOut > 0 && { leftOut: this.#questions.leftOut }),
    };
  }

  /** Whether this monitor can settle a question without its peers, and has not tried yet. */
  #isAboutToSettle(question: Question): boolean {
    const { view } = this.#watch;
    const isReached = view !== undefined && question.treeSize <= view.treeSize;
    return isReached && this.#failures === 0 && !this.#tried.has(headKey(question));
  }

  get #questions(): QuestionTable {
    return this.#common.memory.questions(this.log);
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

  /** The result, or `frozen` if the log has not grown for longer than its patience. */
  #withPatience(result: Result): Result {
    const stands = result === "unchanged" || result === "rolled back";
    return stands && this.#isOverdue(this.#standsSince) ? "frozen" : result;
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
    this.#grewAt = at;
    this.#standsSince = clock.monotonic();
    keeper.judge.standOn(checkpoint!, source);
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

  /**
   * Settles the open questions of the log and of peers, up to the view. Before them it judges again
   * what an earlier run found inconsistent and may not have recorded.
   */
  async #settleReached(): Promise<void> {
    const { view } = this.#watch;
    if (view === undefined) return;
    for (const seen of this.#again.filter(({ treeSize }) => treeSize <= view.treeSize)) {
      if (this.#stop.stopped) return;
      const note = this.#common.observations.note(this.log, seen);
      const checkpoint = note === undefined ? undefined : openNote(note, this.log);
      if (checkpoint !== undefined) await this.#settleOne(seen, checkpoint);
      // It is dropped only now, so that the next look judges it again if the disk refused.
      this.#again = this.#again.filter((again) => again !== seen);
    }
    await this.#settleDue({ askers: ["log", "peer"], most: MAX_SETTLED_AT_ONCE });
  }

  /**
   * Settles the open questions of these askers, up to the view and as far as time allows. The sources
   * take turns, each with its largest question first.
   * @returns how many were tried
   */
  async #settleDue(
    { askers, most }: { askers: readonly Asker[]; most: number },
  ): Promise<number> {
    const { view, log } = this.#watch;
    if (view === undefined) return 0;
    const { memory, world: { clock } } = this.#common;
    const start = clock.monotonic();
    const proven = this.#provenRoots();
    // A question that a case has answered meanwhile is due at once: it costs no request.
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
      // The case of another question may have settled it meanwhile.
      if (!this.#questions.has(question)) continue;
      const checkpoint = memory.checkpointOf(log, question);
      if (checkpoint === undefined) continue;
      const asker = memory.placeOf(question.source);
      if (outages.has(asker)) continue;
      tried++;
      if (await this.#settleOne(question, checkpoint) !== "unavailable") continue;
      // One source may ask for what the log cannot give. If two meet an outage, the log is down.
      outages.add(asker);
      if (outages.size > 1) break;
    }
    return tried;
  }

  /**
   * Puts questions in the order in which they are tried: one of each source in turn, so that a source
   * with many delays nobody. The source that was first the longest ago comes first, so that each gets
   * a try even if the log answers one request at a time.
   */
  #inTurns(questions: readonly Question[]): Question[] {
    const bySource = Map.groupBy(
      questions,
      ({ source }) => this.#common.memory.placeOf(source),
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

  /** Tries to settle one question. */
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
    // A question that stays open is recorded at its first try, and once more when it becomes an error.
    const isLoud = result === "unproven" && !mayPass;
    if (tried === undefined || !isOpen || (isLoud && !tried.isTold)) {
      await this.#record(finding, { result, about: "question" });
    }
    const isTold = isLoud || tried?.isTold === true;
    if (isOpen) this.#postpone(question, { retryAfterMs, isTold });
    else this.#tried.delete(headKey(question));
    return result;
  }

  /** Whether a question's proof has been missing for long, counting the try that is under way. */
  #lasts(tried: Tried | undefined): boolean {
    if (tried === undefined) return false;
    const ms = this.#common.world.clock.monotonic() - tried.since;
    return lasts({ tries: tried.times + 1, ms });
  }

  /** The cross-size cases held, each by the size and root of its older checkpoint. */
  #provenRoots(): ReadonlyMap<string, HeldCase> {
    const crossSize = this.#common.keeper.cases(this.log).filter(({ kind }) =>
      kind === "cross_size"
    );
    return new Map(crossSize.map((record) => [olderOf(record), record]));
  }

  /** A look at what could not be proven is inconsistent once a case about it is recorded. */
  #withCase(finding: Finding): Finding {
    const { result, checkpoint, source, others } = finding;
    if (result !== "unproven" || checkpoint === undefined) return finding;
    const known = this.#knownCase(
      { treeSize: checkpoint.treeSize, root: checkpoint.root, source },
      checkpoint,
    );
    return known === undefined ? finding : { ...known, ...(others && { others }) };
  }

  /** The finding for a checkpoint that a case held here is about. It needs no new proof. */
  #knownCase(
    { treeSize, root, source }: Pick<Question, "treeSize" | "root" | "source">,
    checkpoint: VerifiedCheckpoint,
  ): Finding | undefined {
    const record = this.#provenRoots().get(headKey({ treeSize, root }));
    if (record === undefined) return undefined;
    const detail = `case ${record.evidence_id} is about it`;
    return { log: this.log, result: "inconsistent", source, checkpoint, detail };
  }

  /**
   * Puts off the next try of a question. The pause doubles each time, up to a day.
   * @param retryAfterMs the shortest pause that the log asked for, if it did
   */
  #postpone(
    question: Head,
    { retryAfterMs = 0, isTold }: { retryAfterMs?: number | undefined; isTold: boolean },
  ): void {
    const key = headKey(question);
    const now = this.#common.world.clock.monotonic();
    const before = this.#tried.get(key);
    const times = (before?.times ?? 0) + 1;
    const doubled = this.#settings.pollMs * 2 ** Math.min(times, 30);
    const pause = Math.max(retryAfterMs, Math.min(doubled, MAX_QUESTION_PAUSE_MS));
    this.#tried.delete(key);
    this.#tried.set(key, { times, since: before?.since ?? now, retryAt: now + pause, isTold });
    if (this.#tried.size > MAX_TRIED) this.#tried.delete(this.#tried.keys().next().value!);
  }

  /** Tells which checkpoints others were shown and the log has not shown us within its patience. */
  async #tellWithheld(): Promise<void> {
    const { view, log } = this.#watch;
    if (view === undefined) return;
    const withheld = this.#withheld;
    const before = withheld.size;
    for (const [key, { treeSize }] of withheld) if (treeSize <= view.treeSize) withheld.delete(key);
    let isNew = false;
    const awaited = this.#awaitedNow();
    for (const question of this.#questions.of("log", "peer", "stranger")) {
      const { treeSize, source } = question;
      const key = headKey(question);
      const isLate = treeSize > view.treeSize && !isTheLog(source) &&
        this.#isOverdue(awaited.get(key)!);
      if (!isLate || withheld.has(key)) continue;
      withheld.set(key, question);
      if (withheld.size > MAX_TRIED) withheld.delete(withheld.keys().next().value!);
      const finding: Finding = { log, result: "pending", source, detail: vouchedFor(question) };
      await this.#record(finding, { result: "withheld", about: "question" });
      isNew = true;
    }
    if (before === 0 || isNew) return;
    const [first] = withheld.values();
    const detail = first === undefined ? "" : vouchedFor(first);
    this.#common.happenings.tell({ kind: "withholding", log, checkpoints: withheld.size, detail });
  }

  /** Brings `#awaited` up to date with the open questions. */
  #awaitedNow(): ReadonlyMap<string, number> {
    const { clock } = this.#common.world;
    const now = clock.monotonic();
    const known = this.#awaited;
    // A new question came after the last update. This bounds its age if the wall clock has jumped.
    const sinceLast = now - this.#awaitedAt;
    const began = (question: Question): number =>
      now - Math.min(millisecondsSince(clock, question.seenAt), sinceLast);
    const open = this.#questions.of("log", "peer", "stranger");
    const since = open.map((one) => [headKey(one), known.get(headKey(one)) ?? began(one)] as const);
    [this.#awaited, this.#awaitedAt] = [new Map(since), now];
    return this.#awaited;
  }
}

function vouchedFor({ source, treeSize }: Question): string {
  return `${source} was shown size ${treeSize}, and we are shown none that reaches it`;
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

/** The conflicts at one size that the observation journal shows, recorded as incidents or not. */
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
