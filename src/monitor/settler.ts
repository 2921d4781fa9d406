import { type Head, headKey } from "../evidence/head.ts";
import { OPEN_RESULTS, type Result } from "../evidence/result.ts";
import type { HeldCase } from "../gossip/exchange.ts";
import type { OpenQuestion } from "../store/observation_index.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Stop } from "../world/stop.ts";
import { Turns } from "../world/turns.ts";
import type { Log } from "../tlog/log.ts";
import type { Common } from "./common.ts";
import { openKept } from "./kept_note.ts";
import type { Asker, Question, QuestionTable } from "./questions.ts";
import { headsOf, type Recalled } from "./recalled.ts";
import { Tries } from "./tries.ts";
import type { Finding } from "./finding.ts";
import type { LogWatch } from "./watch.ts";
import { Withheld } from "./withheld.ts";

/** How many questions of the log and of peers are tried after one look; the rest wait for the next. */
const MAX_SETTLED_AT_ONCE = 64;
/** How many strangers' questions are tried between two looks: each may cost a request or two. */
const MAX_STRANGERS_SETTLED = 64;
/** How long settling questions may delay the next look. */
const SETTLE_BUDGET_MS = 10_000;
/** For how many sources it is remembered when their question came first. */
const MAX_SOURCES = 10_000;

/** Writes a finding down, then tells it and advances the view. */
type Record = (
  finding: Finding,
  how: { readonly result: Result; readonly about: "question" },
) => Promise<void>;

/**
 * Settles the open questions about one log, by its view or by that of the log that replaces it. The
 * log's and the peers' questions are settled in the turns of the looks, strangers' questions beside
 * them.
 */
export class Settler {
  readonly log: Log;
  readonly questions: QuestionTable;
  readonly #common: Common;
  readonly #watch: LogWatch;
  /** The view of a replaced log, which nothing moves any more. */
  readonly #lastSize: bigint | undefined;
  readonly #stop: Stop;
  readonly #record: Record;
  readonly #pollMs: () => number;
  readonly #isOverdue: (since: number) => boolean;
  readonly #tries: Tries;
  readonly #withheld: Withheld;
  /** What was found inconsistent before this start. It is judged again, in case its record was lost. */
  #again: readonly OpenQuestion[];
  /** For each source, the last turn in which its question was tried first. */
  readonly #cameFirst = new Map<string, number>();
  #turn = 0;
  readonly #strangers = new Turns();
  /** Whether strangers' questions are to be settled in the next turn. */
  #strangersDue = false;
  /** How many strangers' questions were tried since the last look. */
  #strangersSettled = 0;

  constructor(fields: {
    common: Common;
    /** Watches this log, or the one that replaces it. */
    watch: LogWatch;
    recalled: Recalled;
    /** Since when we have waited for what was seen then, by the monotonic clock. */
    waitedSince: (seenAt: string) => number;
    /** Ends the work. */
    stop: Stop;
    record: Record;
    /** How often the log is looked at. */
    pollMs: () => number;
    /** Whether we have waited too long, since this time of the monotonic clock. */
    isOverdue: (since: number) => boolean;
  }) {
    const { common, watch, recalled: { log, questions, view, again }, waitedSince } = fields;
    const { clock } = common.world;
    this.log = log;
    this.questions = questions;
    this.#common = common;
    this.#watch = watch;
    this.#lastSize = log === watch.log ? undefined : view?.treeSize;
    this.#stop = fields.stop;
    this.#record = fields.record;
    this.#pollMs = fields.pollMs;
    this.#isOverdue = fields.isOverdue;
    this.#tries = new Tries(clock);
    this.#withheld = new Withheld({ clock, questions, waitedSince });
    this.#again = again;
  }

  /** The size up to which questions can be settled; nothing while there is no view. */
  get #reached(): bigint | undefined {
    const [size, last] = [this.#watch.view?.treeSize, this.#lastSize];
    return size === undefined || (last !== undefined && last > size) ? last : size;
  }

  /** Whether the view reaches the size of a question. */
  reaches({ treeSize }: Question): boolean {
    return this.#reached !== undefined && treeSize <= this.#reached;
  }

  /** Whether a question was tried and could not be settled. */
  hasTried(question: Question): boolean {
    return this.#tries.of(question) !== undefined;
  }

  /** A look was written down: as many strangers' questions may be tried as before it. */
  lookEnded(): void {
    this.#strangersSettled = 0;
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

  /**
   * Settles the open questions of the log and of peers, up to the view. Before them it judges again
   * what an earlier run found inconsistent and may not have recorded.
   */
  async settleReached(): Promise<void> {
    const reached = this.#reached;
    if (reached === undefined) return;
    for (const seen of this.#again.filter(({ treeSize }) => treeSize <= reached)) {
      if (this.#stop.stopped) return;
      const note = this.#common.observations.note(this.log, seen);
      const checkpoint = note === undefined ? undefined : openKept(note, this.log);
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
    const reached = this.#reached;
    if (reached === undefined) return 0;
    const { memory, world: { clock } } = this.#common;
    const start = clock.monotonic();
    const proven = this.#provenRoots();
    // A question that a case has answered meanwhile is due at once: it costs no request.
    const isDue = (question: Question): boolean =>
      question.treeSize <= reached &&
      ((this.#tries.of(question)?.retryAt ?? 0) <= start ||
        proven.has(headKey(question)));
    const due = this.questions.of(...askers).filter(isDue)
      .sort((a, b) => a.treeSize < b.treeSize ? 1 : -1);
    let tried = 0;
    const outages = new Set<string>();
    for (const question of this.#inTurns(due).slice(0, most)) {
      if (this.#stop.stopped || clock.monotonic() - start > SETTLE_BUDGET_MS) break;
      // The case of another question may have settled it meanwhile.
      if (!this.questions.has(question)) continue;
      const checkpoint = memory.checkpointOf(this.log, question);
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
    if (this.#cameFirst.size > MAX_SOURCES) {
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
    const tried = this.#tries.of(question);
    const mayPass = found.mayPass === true && !this.#tries.lasts(question);
    const finding = { ...found, mayPass };
    const isOpen = OPEN_RESULTS.includes(result);
    // A question that stays open is recorded at its first try, and once more when it becomes an error.
    const isLoud = result === "unproven" && !mayPass;
    if (tried === undefined || !isOpen || (isLoud && !tried.isTold)) {
      await this.#record(finding, { result, about: "question" });
    }
    const isTold = isLoud || tried?.isTold === true;
    if (isOpen) this.postpone(question, { retryAfterMs, isTold });
    else this.#tries.forget(question);
    return result;
  }

  /** The cross-size cases held, each by the size and root of its older checkpoint. */
  #provenRoots(): ReadonlyMap<string, HeldCase> {
    const crossSize = this.#common.keeper.cases(this.log).filter(({ kind }) =>
      kind === "cross_size"
    );
    return new Map(crossSize.map((record) => [olderOf(record), record]));
  }

  /** A look at what could not be proven is inconsistent once a case about it is recorded. */
  withCase(finding: Finding): Finding {
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
    const detail = `it is one of the two checkpoints of case ${record.evidence_id}`;
    return { log: this.log, result: "inconsistent", source, checkpoint, detail };
  }

  /**
   * Puts off the next try of a question. The pause doubles each time.
   * @param how `retryAfterMs`, the shortest pause that the log asked for, and whether it was told as
   *   an error
   */
  postpone(
    question: Head,
    how: { retryAfterMs?: number | undefined; isTold: boolean },
  ): void {
    this.#tries.postpone(question, { pollMs: this.#pollMs(), ...how });
  }

  /** How many checkpoints others were shown that the log withholds from us. */
  get withheld(): number {
    return this.#withheld.count;
  }

  /**
   * How many checkpoints that these askers showed wait to be compared. Those that are withheld do not
   * count, nor do those of a proven case: no comparison is missing there.
   */
  waiting(...askers: readonly Asker[]): number {
    const open = this.questions.of(...askers);
    // There may be ten thousand logs, and a status asks each of them.
    if (open.length === 0) return 0;
    const inCases = new Set(this.#common.keeper.cases(this.log).flatMap(headsOf));
    return open
      .filter((one) => !inCases.has(headKey(one)) && !this.#withheld.has(one)).length;
  }

  /** Tells which checkpoints others were shown and the log has not shown us within its patience. */
  async tellWithheld(): Promise<void> {
    const reached = this.#reached;
    if (reached === undefined) return;
    const { log } = this;
    const before = this.#withheld.count;
    let isNew = false;
    for (const question of this.#withheld.news(reached, this.#isOverdue)) {
      isNew = true;
      const { source } = question;
      const finding: Finding = { log, result: "pending", source, detail: vouchedFor(question) };
      await this.#record(finding, { result: "withheld", about: "question" });
    }
    if (before === 0 || isNew) return;
    const { count: checkpoints, first } = this.#withheld;
    const detail = first === undefined ? "" : vouchedFor(first);
    this.#common.happenings.tell({ kind: "withholding", log, checkpoints, detail });
  }
}

function vouchedFor({ source, treeSize }: Question): string {
  return `${source} was shown size ${treeSize}, and the log shows us no checkpoint that reaches it`;
}

/** The older of a record's two checkpoints, by size and root. */
function olderOf({ checkpoint_a, checkpoint_b }: HeldCase): string {
  const isOlder = BigInt(checkpoint_a.size) < BigInt(checkpoint_b.size);
  const { size, root } = isOlder ? checkpoint_a : checkpoint_b;
  return `${size} ${root}`;
}
