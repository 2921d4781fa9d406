import { headKey } from "../evidence/head.ts";
import type { EquivocationDetector } from "../evidence/detector.ts";
import type { Result } from "../evidence/result.ts";
import { LookTime } from "../sources/look_time.ts";
import { ProofRefused, type Source, SourceUnavailable } from "../sources/source.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { impliedOlderRoot } from "../tlog/proof.ts";
import type { Clock } from "../world/world.ts";
import { Doubt } from "./doubt.ts";
import { THE_LOG, theLogAt } from "./the_log.ts";

/** One result, and what it is about. Nothing is advanced by it before it is durable. */
export interface Finding {
  readonly log: Log;
  readonly result: Result;
  /** Who showed it: `the log` or a peer. */
  readonly source: string;
  /** The checkpoint, if one was verified. */
  readonly checkpoint?: VerifiedCheckpoint;
  /** What it was compared with at another size, where the two are inconsistent. */
  readonly against?: VerifiedCheckpoint;
  /** A sentence for a person, where the result needs one. */
  readonly detail?: string;
  /** Not before this many milliseconds should the log be asked again, if it said so. */
  readonly retryAfterMs?: number | undefined;
  /**
   * Whether it is unproven because something is missing, which may pass; of a look, set as long as it
   * has not lasted. A proof that is there and leads nowhere is told at once.
   */
  readonly mayPass?: boolean;
  /**
   * Of a look at a log that is served in several places: what the others came to, where that is news.
   * Each is the log's word, and to be recorded like this one.
   */
  readonly others?: readonly Finding[];
}

/** A proof that leads to the newer root, and the older root it implies. */
interface Proven {
  readonly implied: Uint8Array;
  readonly proof: readonly Uint8Array[];
}

/** Looks in a row that cannot finish a proof before the first of these proofs is gone on with. */
export const LOOKS_UNTIL_GOING_ON = 2;
/** Looks after which that proof is given up: meanwhile nobody sees what the log shows. */
export const LOOKS_UNTIL_GIVING_UP = 8;

/** Results of what a log shows that are the log's latest word, with nothing said against it. */
const HOLDS: readonly Result[] = ["first", "extends", "unchanged", "rolled back"];

/**
 * One log, watched: judges what the log shows and what peers were shown by this monitor's own view,
 * the largest checkpoint that is proven to extend all before it. Remembers nothing durably and
 * advances nothing by itself: whoever calls records a finding first, and then calls `advance`.
 */
export class LogWatch {
  readonly log: Log;
  #source: Source;
  readonly #detector: EquivocationDetector;
  readonly #clock: Clock | undefined;
  readonly #doubt: Doubt;
  /** Of all looks under way. */
  readonly #times = new Set<LookTime>();
  #isStopped = false;
  /** At which place each checkpoint was shown, where there are several. */
  readonly #shownAt = new WeakMap<VerifiedCheckpoint, string>();
  /** By place where the log is served: when it may be asked again, if it said so. */
  readonly #putOff = new Map<Source, number>();
  /** What the log showed when its proof could not be finished, and for how many looks it could not. */
  #unfinished: { readonly checkpoint: VerifiedCheckpoint; looks: number } | undefined;
  /** Older checkpoints that other places showed at the last look, and that the view extends. */
  #agreed: ReadonlySet<string> = new Set();
  /** What was said of other places at the last look. */
  #said: ReadonlySet<string> = new Set();
  #view: VerifiedCheckpoint | undefined;

  constructor(
    { log, source, detector, clock, view }: {
      log: Log;
      source: Source;
      detector: EquivocationDetector;
      /** Counts the time that a look has; without one it has all there is, and waits for nothing. */
      clock?: Clock;
      /** What was proven before a restart. */
      view?: VerifiedCheckpoint | undefined;
    },
  ) {
    this.log = log;
    this.#source = source;
    this.#detector = detector;
    this.#clock = clock;
    this.#doubt = new Doubt(clock);
    this.#view = view;
  }

  /** The largest checkpoint proven to extend all before it. */
  get view(): VerifiedCheckpoint | undefined {
    return this.#view;
  }

  /** Asks the log here from now on; what was proven of it stays proven. */
  askAt(source: Source): void {
    this.#source = source;
    this.#putOff.clear();
    this.#unfinished = undefined;
  }

  /** Asks the log for its latest checkpoint and judges it. */
  async poll(): Promise<Finding> {
    return await this.#inTime((time) => this.#look(time));
  }

  /** Judges a checkpoint a peer was shown, or one the log has shown before without a proof. */
  async settle(checkpoint: VerifiedCheckpoint, source: string): Promise<Finding> {
    return await this.#inTime((time) => this.#judge({ checkpoint, source, isLatest: false, time }));
  }

  /** Ends what is under way as soon as the log has answered, and asks nothing any more. */
  stop(): void {
    this.#isStopped = true;
    for (const time of this.#times) time.end();
  }

  /**
   * Takes a finding's checkpoint as the view, now that it is durable.
   * @returns whether it was taken: a view is never rolled back, nor replaced by an unproven one
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
   * Goes on with the proof that some looks could not finish, instead of asking what the log shows by
   * now: where it grows faster than it lets its tiles be fetched, no other proof would ever be whole.
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
    const asked = due.length > 0 ? due : parts;
    // Whoever wants to be asked slowly leaves time for proofs, which others may give.
    const turn = asked.length > 1 ? time?.turn({ of: 2 }) : time;
    const shown = await Promise.all(asked.map((part) => this.#latestOf(part, turn)));
    const judged = await this.#judgeAll(shown.filter(isCheckpoint), time);
    const outages = shown.flatMap((one) => isCheckpoint(one) ? [] : [one]);
    const [first, ...rest] = [...judged, ...outages].toSorted((a, b) => weight(a) - weight(b));
    const others = this.#news(rest);
    const finding = this.#doubted(judged.length > 0 ? first! : soonest(outages));
    return others.length === 0 ? finding : { ...finding, others };
  }

  /** A checkpoint that a place shows, or the outage that it has. */
  async #latestOf(
    part: Source,
    time: LookTime | undefined,
  ): Promise<VerifiedCheckpoint | Finding> {
    let note: Uint8Array;
    try {
      note = await part.latest(time);
    } catch (error) {
      if (!(error instanceof SourceUnavailable)) throw error;
      const { message: detail, retryAfterMs } = error;
      this.#putOff.set(part, this.#now() + (retryAfterMs ?? 0));
      return this.#finding("unavailable", { detail, retryAfterMs });
    }
    const opened = openCheckpoint({ note, logs: [this.log] });
    if (!("refused" in opened)) {
      this.#shownAt.set(opened[0]!, theLogAt(this.#source.placeOf?.(part)));
      return opened[0]!;
    }
    // What does not verify is not the log's word: an outage page as likely as anything.
    part.distrust?.();
    return this.#finding("unavailable", { detail: `no checkpoint of this log: ${opened.detail}` });
  }

  /**
   * Judges what a log shows now, the largest first: the first that holds is its latest, and the rest
   * is settled by that. One place of several may lag behind, which is no roll back of the log.
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

  /** What was not said at the last look already. */
  #news(others: readonly Finding[]): Finding[] {
    const said = (finding: Finding): string =>
      `${finding.result} ${finding.checkpoint && headKey(finding.checkpoint)} ${finding.detail}`;
    const before = this.#said;
    this.#said = new Set(others.map(said));
    return others.filter((finding) => !before.has(said(finding)));
  }

  #doubted(finding: Finding): Finding {
    if (finding.result === "extends") this.#doubt.dispelled();
    else if (HOLDS.includes(finding.result)) this.#doubt.rests();
    return finding.mayPass ? { ...finding, mayPass: !this.#doubt.grows() } : finding;
  }

  #whoShowed(checkpoint: VerifiedCheckpoint): string {
    return this.#shownAt.get(checkpoint) ?? THE_LOG;
  }

  #now(): number {
    return this.#clock?.monotonic() ?? 0;
  }

  async #judge({ checkpoint, source, isLatest, time }: {
    checkpoint: VerifiedCheckpoint;
    source: string;
    /** Whether it is what the log shows now. */
    isLatest: boolean;
    time: LookTime | undefined;
  }): Promise<Finding> {
    const view = this.#view;
    const about = { checkpoint, source };
    // A new conflict is on the detector's list now; the keeper has it written before the finding is.
    const { others } = this.#detector.compare(checkpoint, source);
    // What we stand on stays what it was, whatever else the log has signed beside it.
    const isView = checkpoint.treeSize === view?.treeSize && checkpoint.root === view.root;
    if (!isView && others.length > 0) {
      const detail = `the log signed another root at size ${checkpoint.treeSize}`;
      return this.#finding("inconsistent", { ...about, detail });
    }
    if (view === undefined) return this.#finding(isLatest ? "first" : "pending", about);
    if (isView) return this.#finding(isLatest ? "unchanged" : "consistent", about);
    if (checkpoint.treeSize > view.treeSize) {
      // Only our own log's word can extend the view; it is proven when the log shows it to us.
      if (!isLatest) return this.#finding("pending", about);
      return await this.#compare({ older: view, newer: checkpoint, about, agree: "extends", time });
    }
    const agree = isLatest ? "rolled back" : "consistent";
    return await this.#compare({ older: checkpoint, newer: view, about, agree, time });
  }

  /** Compares two sizes by a proof that leads to the newer root, and so binds the older one. */
  async #compare({ older, newer, about, agree, time }: {
    older: VerifiedCheckpoint;
    newer: VerifiedCheckpoint;
    about: { checkpoint: VerifiedCheckpoint; source: string };
    agree: Result;
    time: LookTime | undefined;
  }): Promise<Finding> {
    // Every tree has the empty tree as a prefix; there is nothing to prove.
    if (older.treeSize === 0n) return this.#finding(agree, about);
    const sizes = { older: older.treeSize, newer: newer.treeSize };
    let served: Proven | undefined;
    try {
      // Once more: a cache may have kept something of an older tree, which the source then forgets.
      const tries = 1 + (this.#source.parts?.length ?? 1);
      for (let tried = 0; served === undefined && tried < tries; tried++) {
        served = await this.#prove({ sizes, newer, time });
      }
    } catch (error) {
      const unproven = error instanceof ProofRefused;
      if (!unproven && !(error instanceof SourceUnavailable)) throw error;
      const detail = `no proof from size ${sizes.older} to ${sizes.newer}: ${error.message}`;
      const retryAfterMs = unproven ? undefined : error.retryAfterMs;
      return this.#finding(unproven ? "unproven" : "unavailable", {
        ...about,
        detail,
        retryAfterMs,
        ...(unproven && { mayPass: true }),
      });
    }
    if (served === undefined) {
      const detail =
        `the proof from size ${sizes.older} to ${sizes.newer} that the log gives does ` +
        "not lead to the root it signed";
      return this.#finding("unproven", { ...about, detail });
    }
    const { implied, proof } = served;
    if (base64(implied) === older.root) return this.#finding(agree, about);
    // The conflict that this proves goes on the detector's list, as above.
    this.#detector.observeProof({
      log: this.log,
      older: { treeSize: older.treeSize, rootHash: implied },
      newer,
      proof,
    });
    const detail = `the tree of size ${sizes.newer} has another root at size ${sizes.older} than ` +
      "the log signed there";
    const against = about.checkpoint === older ? newer : older;
    return this.#finding("inconsistent", { ...about, against, detail });
  }

  /** The root that the log's proof implies at the older size; nothing if the proof does not hold. */
  async #prove({ sizes, newer, time }: {
    sizes: { older: bigint; newer: bigint };
    newer: VerifiedCheckpoint;
    time: LookTime | undefined;
  }): Promise<Proven | undefined> {
    const { olderRoot, proof, judged } = await this.#source.consistency(sizes, time);
    const older = { treeSize: sizes.older, rootHash: olderRoot };
    const implied = impliedOlderRoot({ older, newer, proof });
    judged(implied !== undefined);
    return implied && { implied, proof };
  }

  #finding(result: Result, fields: Partial<Finding> = {}): Finding {
    return { log: this.log, result, source: THE_LOG, ...fields };
  }
}

function isCheckpoint(shown: VerifiedCheckpoint | Finding): shown is VerifiedCheckpoint {
  return !("result" in shown);
}

/** Which of several findings says most of the log: the least does. */
function weight({ result }: Finding): number {
  const order: readonly Result[] = ["inconsistent", "unproven", ...HOLDS];
  const at = order.indexOf(result);
  return at < 0 ? order.length : Math.min(at, 2);
}

/** An outage of all places, which ends when the first of them may be asked again. */
function soonest(outages: readonly Finding[]): Finding {
  const waits = outages.map(({ retryAfterMs }) => retryAfterMs ?? 0);
  const retryAfterMs = Math.min(...waits);
  return { ...outages[0]!, retryAfterMs: retryAfterMs === 0 ? undefined : retryAfterMs };
}
