import { headKey } from "../evidence/head.ts";
import type { EquivocationDetector } from "../evidence/detector.ts";
import type { Result } from "../evidence/result.ts";
import { LookTime } from "../sources/look_time.ts";
import { type Source, SourceUnavailable } from "../sources/source.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64, textOf } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import type { Clock } from "../world/world.ts";
import { Continuation, type Prove, type Replaced } from "./continuation.ts";
import { Doubt } from "./doubt.ts";
import { type Finding, HOLDS, soonest, weight } from "./finding.ts";
import { type NotProven, prove, type Proven } from "./proving.ts";
import { THE_LOG, theLogAt } from "./the_log.ts";
import { failedNote, whyUnverified } from "./unverified.ts";

/** After this many looks in a row without a whole proof, the next look continues the first one. */
export const LOOKS_UNTIL_GOING_ON = 2;
/** After this many looks that proof is given up, as meanwhile nobody sees what the log shows now. */
export const LOOKS_UNTIL_GIVING_UP = 8;

/**
 * Watches one log. It judges what the log shows, and what peers were shown, by this monitor's own
 * view: the largest checkpoint that is proven to extend all before it. It writes nothing to disk and
 * does not advance the view by itself: the caller records a finding first, and then calls `advance`.
 */
export class LogWatch {
  readonly log: Log;
  #source: Source;
  readonly #detector: EquivocationDetector;
  readonly #clock: Clock | undefined;
  readonly #doubt: Doubt;
  /** The time limits of everything that is under way. */
  readonly #times = new Set<LookTime>();
  #isStopped = false;
  /** The source to name for each checkpoint: `the log`, or the log at one of several places. */
  readonly #shownAt = new WeakMap<VerifiedCheckpoint, string>();
  /** For each place that asked us to wait: when it may be asked again, by the monotonic clock. */
  readonly #putOff = new Map<Source, number>();
  /** The checkpoint whose proof could not be finished, and how many looks have tried it. */
  #unfinished: { readonly checkpoint: VerifiedCheckpoint; looks: number } | undefined;
  /** Older checkpoints that places showed at the last look, and that the view is proven to extend. */
  #agreed: ReadonlySet<string> = new Set();
  /** What the last look found at the other places. */
  #said: ReadonlySet<string> = new Set();
  #view: VerifiedCheckpoint | undefined;
  readonly #continuation: Continuation | undefined;

  constructor(
    { log, source, detector, clock, view, replaced }: {
      log: Log;
      source: Source;
      detector: EquivocationDetector;
      /** Measures the time limit of a look. Without a clock a look has no limit. */
      clock?: Clock;
      /** The view that an earlier run has proven. */
      view?: VerifiedCheckpoint | undefined;
      /** The log whose history this one must continue. */
      replaced?: Replaced | undefined;
    },
  ) {
    this.log = log;
    this.#source = source;
    this.#detector = detector;
    this.#clock = clock;
    this.#doubt = new Doubt(clock);
    this.#view = view;
    this.#continuation = replaced && new Continuation(
      replaced,
      (wanted) => this.#proveContinued(wanted),
    );
  }

  /** The largest checkpoint proven to extend all before it. */
  get view(): VerifiedCheckpoint | undefined {
    return this.#view;
  }

  /** Whether the log said at the last look that it does not grow any more. */
  get isRetired(): boolean {
    return this.#source.isRetired ?? false;
  }

  /** Asks the log at another source from now on. The view stays. */
  askAt(source: Source): void {
    this.#source = source;
    this.#putOff.clear();
    this.#unfinished = undefined;
  }

  /** Asks the log for its latest checkpoint and judges it. */
  async poll(): Promise<Finding> {
    return await this.#inTime((time) => this.#look(time));
  }

  /**
   * Judges a checkpoint that a peer was shown, or one that the log showed before without a proof. It may
   * be one of the log that this one replaces.
   */
  async settle(checkpoint: VerifiedCheckpoint, source: string): Promise<Finding> {
    return await this.#inTime((time) => this.#settle(checkpoint, source, time));
  }

  /** Ends what is under way, and sends the log no more requests. */
  stop(): void {
    this.#isStopped = true;
    for (const time of this.#times) time.end();
  }

  /**
   * Makes a finding's checkpoint the view. The finding must be durable.
   * @returns whether the view advanced: it never goes back, and never to an unproven checkpoint
   */
  advance({ result, checkpoint }: Finding): boolean {
    if (checkpoint === undefined || (result !== "first" && result !== "extends")) return false;
    if (this.#view !== undefined && checkpoint.treeSize <= this.#view.treeSize) return false;
    this.#view = checkpoint;
    return true;
  }

  async #inTime(work: (time: LookTime | undefined) => Promise<Finding>): Promise<Finding> {
    if (this.#clock === undefined) return await work(undefined);
    const time = new LookTime({ clock: this.#clock });
    if (this.#isStopped) time.end();
    this.#times.add(time);
    try {
      return await work(time);
    } finally {
      this.#times.delete(time);
    }
  }

  async #look(time: LookTime | undefined): Promise<Finding> {
    const finding = await this.#goOn(time) ?? await this.#lookAnew(time);
    const { result, checkpoint } = finding;
    if (result !== "unavailable") this.#unfinished = undefined;
    else if (checkpoint !== undefined && checkpoint.treeSize > (this.#view?.treeSize ?? 0n)) {
      this.#unfinished ??= { checkpoint, looks: 0 };
      this.#unfinished.looks++;
    }
    return finding;
  }

  /**
   * Continues the proof that some looks could not finish, instead of asking for the latest checkpoint.
   * A log may grow faster than its tiles can be fetched; then a proof of the latest checkpoint would
   * never be whole.
   */
  async #goOn(time: LookTime | undefined): Promise<Finding | undefined> {
    const unfinished = this.#unfinished;
    if (unfinished === undefined || unfinished.looks < LOOKS_UNTIL_GOING_ON) return undefined;
    if (unfinished.looks < LOOKS_UNTIL_GIVING_UP) {
      const { checkpoint } = unfinished;
      const about = { checkpoint, source: this.#whoShowed(checkpoint), isLatest: true };
      return this.#doubted(await this.#judge({ ...about, time }));
    }
    this.#unfinished = undefined;
    return undefined;
  }

  async #lookAnew(time: LookTime | undefined): Promise<Finding> {
    const parts = this.#source.parts ?? [this.#source];
    const due = parts.filter((part) => (this.#putOff.get(part) ?? 0) <= this.#now());
    const toAsk = due.length > 0 ? due : parts;
    // If one of several places is slow, half of the time stays for proofs, which others may give.
    const turn = toAsk.length > 1 ? time?.turn({ of: 2 }) : time;
    const underOldKey: Finding[] = [];
    const shown = await Promise.all(toAsk.map((part) => this.#latestOf(part, turn, underOldKey)));
    const judged = await this.#judgeAll(shown.filter(isCheckpoint), time);
    const outages = shown.flatMap((one) => isCheckpoint(one) ? [] : [one])
      .toSorted((a, b) => weight(a) - weight(b));
    const [first, ...rest] = [...judged, ...outages].toSorted((a, b) => weight(a) - weight(b));
    const others = this.#news([...rest, ...underOldKey]);
    const finding = this.#doubted(judged.length > 0 ? first! : soonest(outages));
    const told = { ...finding, ...(others.length > 0 && { others }) };
    if (this.#source.parts === undefined) return told;
    const standing = rest.filter((one) => !others.includes(one));
    const asked = toAsk.map((part) => this.#sourceOf(part));
    return { ...told, standing, asked };
  }

  /**
   * The checkpoint that a place shows; or the outage met there, or that it shows none of this log.
   * @param underOldKey takes what a note says that the old key has signed: it is not lost, whether or
   *   not the new key has signed that note too
   */
  async #latestOf(
    part: Source,
    time: LookTime | undefined,
    underOldKey: Finding[],
  ): Promise<VerifiedCheckpoint | Finding> {
    let note: Uint8Array;
    try {
      note = await part.latest(time);
    } catch (error) {
      if (!(error instanceof SourceUnavailable)) throw error;
      const { message: detail, retryAfterMs } = error;
      this.#putOff.set(part, this.#now() + (retryAfterMs ?? 0));
      return this.#finding("unavailable", { source: this.#sourceOf(part), detail, retryAfterMs });
    }
    const source = this.#sourceOf(part);
    underOldKey.push(...await this.#underOldKey(note, source, time));
    const opened = openCheckpoint({ note, logs: [this.log] });
    if (!("refused" in opened)) {
      this.#shownAt.set(opened[0]!, source);
      return opened[0]!;
    }
    // What does not verify is not the log's word.
    part.distrust?.();
    const detail = whyUnverified(note, this.log);
    if (detail !== undefined) {
      const failed = failedNote(note, this.log);
      const shown = failed === undefined ? {} : { failedNote: failed };
      return this.#finding("unverified", { source, detail, note: textOf(note), ...shown });
    }
    // Most likely it is the error page of a server.
    const why = `no checkpoint of this log: ${opened.detail}`;
    return this.#finding("unavailable", { source, detail: why });
  }

  /** What a note says that the old key has signed. It does not count for this log. */
  async #underOldKey(
    note: Uint8Array,
    source: string,
    time: LookTime | undefined,
  ): Promise<Finding[]> {
    if (this.#continuation === undefined) return [];
    const opened = openCheckpoint({ note, logs: [this.#continuation.replaced.log] });
    return "refused" in opened ? [] : [await this.#settle(opened[0]!, source, time)];
  }

  /**
   * Judges the checkpoints that the places of a log show now, the largest first. The first that holds
   * is the log's latest; the others are compared with it. So a place that lags behind the others is
   * not taken for a rollback of the log.
   */
  async #judgeAll(
    shown: readonly VerifiedCheckpoint[],
    time: LookTime | undefined,
  ): Promise<Finding[]> {
    const findings: Finding[] = [];
    const agreed = new Set<string>();
    const different = [...new Map(shown.map((one) => [headKey(one), one])).values()];
    const bySize = different.toSorted((a, b) => a.treeSize < b.treeSize ? 1 : -1);
    for (const [i, checkpoint] of bySize.entries()) {
      const isLatest = !findings.some(({ result }) => HOLDS.includes(result));
      const key = headKey(checkpoint);
      const isKnown = !isLatest && this.#agreed.has(key);
      const finding = isKnown ? undefined : await this.#judge({
        ...{ checkpoint, source: this.#whoShowed(checkpoint), isLatest },
        time: time?.turn({ of: bySize.length - i }),
      });
      if (isKnown || finding?.result === "consistent") agreed.add(key);
      if (finding !== undefined) findings.push(finding);
    }
    this.#agreed = agreed;
    return findings;
  }

  /** Those of the findings about other places that the last look did not have. */
  #news(others: readonly Finding[]): Finding[] {
    const said = (finding: Finding): string =>
      `${finding.result} ${finding.source} ${finding.checkpoint && headKey(finding.checkpoint)} ` +
      finding.detail;
    const before = this.#said;
    this.#said = new Set(others.map(said));
    return others.filter((finding) => !before.has(said(finding)));
  }

  /** Counts a look's finding towards the doubt, and clears `mayPass` once the doubt has lasted. */
  #doubted(finding: Finding): Finding {
    if (finding.result === "extends") this.#doubt.dispelled();
    else if (HOLDS.includes(finding.result)) this.#doubt.rests();
    return finding.mayPass ? { ...finding, mayPass: !this.#doubt.grows() } : finding;
  }

  #sourceOf(part: Source): string {
    return theLogAt(this.#source.placeOf?.(part));
  }

  async #settle(
    checkpoint: VerifiedCheckpoint,
    source: string,
    time: LookTime | undefined,
  ): Promise<Finding> {
    const finding = await this.#judge({ checkpoint, source, isLatest: false, time });
    const view = this.#view;
    if (finding.result !== "pending" || view === undefined) return finding;
    if (this.#isOwn(checkpoint) || checkpoint.treeSize > view.treeSize) return finding;
    // The old log has no source any more. What it signed above its last view is judged by this log's.
    const breach = await this.#continuation?.breach({ old: checkpoint, newer: view, time });
    return { ...finding, ...(breach ?? { result: "consistent" }) };
  }

  /** The proof from a checkpoint of the old key to one of this log. It may convict the old key alone. */
  async #proveContinued(
    { old, newer, time }: Parameters<Prove>[0],
  ): Promise<Proven | NotProven> {
    const served = await prove({ source: this.#source, older: old, newer, time });
    if ("result" in served) return served;
    const { implied, proof } = served;
    // The detector knows whether the old key has signed the newer root too. Then this may be a case.
    const older = { treeSize: old.treeSize, rootHash: implied };
    const { treeSize, rootHash } = newer;
    this.#detector.observeProof({ log: old.log, older, newer: { treeSize, rootHash }, proof });
    return served;
  }

  /** Whether a checkpoint is of this log, and not of the one that it replaces. */
  #isOwn({ log }: VerifiedCheckpoint): boolean {
    return log.id === this.log.id;
  }

  #whoShowed(checkpoint: VerifiedCheckpoint): string {
    return this.#shownAt.get(checkpoint) ?? THE_LOG;
  }

  #now(): number {
    return this.#clock?.monotonic() ?? 0;
  }

  /** Judges a checkpoint: first by what is known at its size, then by a proof against the view. */
  async #judge({ checkpoint, source, isLatest, time }: {
    checkpoint: VerifiedCheckpoint;
    source: string;
    /** Whether it is the log's latest, shown to us just now. */
    isLatest: boolean;
    time: LookTime | undefined;
  }): Promise<Finding> {
    const finding = await this.#judgeAlone({ checkpoint, source, isLatest, time });
    const isHeld = isLatest && HOLDS.includes(finding.result);
    const view = this.#view;
    return isHeld ? await this.#continuation?.held(finding, { view, time }) ?? finding : finding;
  }

  /** Judges a checkpoint by what its own key has signed. */
  async #judgeAlone({ checkpoint, source, isLatest, time }: {
    checkpoint: VerifiedCheckpoint;
    source: string;
    isLatest: boolean;
    time: LookTime | undefined;
  }): Promise<Finding> {
    const view = this.#isOwn(checkpoint) ? this.#view : this.#continuation?.replaced.view();
    const about = { checkpoint, source };
    // A new conflict is on the detector's list now; the keeper has it written before the finding is.
    const { others } = this.#detector.takeIn(checkpoint, source);
    // The view stays the view, whatever else the log has signed at its size.
    const isView = checkpoint.treeSize === view?.treeSize && checkpoint.root === view.root;
    if (!isView && others.length > 0) {
      const detail = `the log signed another root at size ${checkpoint.treeSize}`;
      return this.#finding("inconsistent", { ...about, detail });
    }
    if (view === undefined) return this.#finding(isLatest ? "first" : "pending", about);
    if (isView) return this.#finding(isLatest ? "unchanged" : "consistent", about);
    if (checkpoint.treeSize > view.treeSize) {
      // A peer's word does not extend the view. It waits until the log itself shows us that size.
      if (!isLatest) return this.#finding("pending", about);
      return await this.#compare({ older: view, newer: checkpoint, about, agree: "extends", time });
    }
    const agree = isLatest ? "rolled back" : "consistent";
    return await this.#compare({ older: checkpoint, newer: view, about, agree, time });
  }

  /**
   * Compares two sizes by a consistency proof. A proof that leads to the newer root also determines the
   * older root (`impliedOlderRoot`).
   * @param agree the result if that older root is the one the log signed
   */
  async #compare({ older, newer, about, agree, time }: {
    older: VerifiedCheckpoint;
    newer: VerifiedCheckpoint;
    about: { checkpoint: VerifiedCheckpoint; source: string };
    agree: Result;
    time: LookTime | undefined;
  }): Promise<Finding> {
    // Every tree extends the empty tree, so there is nothing to prove.
    if (older.treeSize === 0n) return this.#finding(agree, about);
    const served = await prove({ source: this.#source, older, newer, time });
    if ("result" in served) {
      const beside = about.checkpoint === older ? newer : older;
      if (agree !== "rolled back") {
        return this.#finding(served.result, { ...about, ...served, beside });
      }
      // What happened comes first. Why it could not be proven is a consequence.
      const detail = `the log shows size ${older.treeSize}, and has shown us size ` +
        `${newer.treeSize}: ${served.detail}`;
      const shrankFrom = newer.treeSize;
      return this.#finding(served.result, { ...about, ...served, beside, detail, shrankFrom });
    }
    const { implied, proof } = served;
    if (base64(implied) === older.root) return this.#finding(agree, about);
    // The conflict that this proves goes on the detector's list, as above.
    this.#detector.observeProof({
      log: newer.log,
      older: { treeSize: older.treeSize, rootHash: implied },
      newer,
      proof,
    });
    const detail = `the tree of size ${newer.treeSize} has another root at size ` +
      `${older.treeSize} than the log signed there`;
    const against = about.checkpoint === older ? newer : older;
    return this.#finding("inconsistent", { ...about, against, detail });
  }

  #finding(result: Result, fields: Partial<Finding> = {}): Finding {
    return { log: fields.checkpoint?.log ?? this.log, result, source: THE_LOG, ...fields };
  }
}

function isCheckpoint(shown: VerifiedCheckpoint | Finding): shown is VerifiedCheckpoint {
  return !("result" in shown);
}
