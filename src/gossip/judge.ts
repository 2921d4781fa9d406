import type { Seen } from "../evidence/conflict.ts";
import type { EquivocationDetector, ProofOutcome } from "../evidence/detector.ts";
import type { ConflictRecord } from "../evidence/record.ts";
import { showRecord } from "../evidence/replay.ts";
import { openFrame, type RefusalReason, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { FRAME_BYTES, isZeroFrame } from "../tlog/frame.ts";
import type { Log } from "../tlog/log.ts";
import type { StatedProof } from "../tlog/stated_proof.ts";
import { FrameMemo } from "./memo.ts";

/** The frame that says "I have seen nothing". */
export const ZERO_FRAME: Uint8Array = new Uint8Array(FRAME_BYTES);

/** The verdict on a frame or a note that came in, compared with the checkpoints known here. */
export type Heard =
  /** this monitor was shown the same root at this size */
  | { readonly verdict: "matches"; readonly checkpoint: VerifiedCheckpoint }
  /** this monitor was shown no checkpoint of this size; its latest size, if it has one */
  | {
    readonly verdict: "pending";
    readonly checkpoint: VerifiedCheckpoint;
    readonly localSize: bigint | undefined;
  }
  /** the log signed another root at this size, which is known here */
  | {
    readonly verdict: "inconsistent";
    readonly checkpoint: VerifiedCheckpoint;
    readonly other: Seen;
  }
  /** the zero frame */
  | { readonly verdict: "nothing" }
  /** it has no checkpoint of a log followed here */
  | { readonly verdict: "refused"; readonly reason: RefusalReason; readonly detail: string };

/** The verdict on a checkpoint that verified. */
export type HeardCheckpoint = Extract<Heard, { checkpoint: VerifiedCheckpoint }>;

/**
 * For how many sizes a judge remembers what it was shown, so that it can say "matches". For an
 * older size it says "pending", and the watch of the log settles it.
 */
const MAX_LOCAL_SIZES = 10_000;
/**
 * Characters of the notes at these sizes. A note has at most half a million; almost all have 200.
 */
const MAX_LOCAL_NOTES = 16 * 1024 * 1024;

/** The verdict on the zero frame. */
export const NOTHING: Heard = { verdict: "nothing" };

/**
 * Knows what this monitor was shown and what it has heard, and decides what it answers: the rules
 * of the exchange (PROTOCOL section 5) without sockets.
 */
export class Judge {
  #logs: readonly Log[];
  readonly #detector: EquivocationDetector;
  /** By log and size, what this monitor was shown itself. */
  readonly #local = new Map<string, Map<bigint, Seen>>();
  /** By log, how many characters these notes have. */
  readonly #localNotes = new Map<string, number>();
  /** By log, the largest checkpoint shown. */
  readonly #latest = new Map<string, VerifiedCheckpoint>();
  /** By log, the largest checkpoint shown that fits a frame. */
  readonly #latestFrame = new Map<string, { treeSize: bigint; frame: Uint8Array }>();
  #memo = new FrameMemo<{ checkpoint: VerifiedCheckpoint; said: Said; version: number }>();
  /** A number that changes whenever an answer could change. */
  #version = 0;

  /** @param detector shared with others that feed it, such as the incident journal at a start */
  constructor({ logs, detector }: { logs: readonly Log[]; detector: EquivocationDetector }) {
    this.#logs = logs;
    this.#detector = detector;
  }

  /**
   * The number of changes that could change an answer: changes here, and what others fed the
   * detector.
   */
  get #now(): number {
    return this.#version + this.#detector.found;
  }

  /** The logs it follows. */
  get logs(): readonly Log[] {
    return this.#logs;
  }

  /**
   * Follows these logs from now on. It says nothing more about the others.
   * @param logs for a log that stays, the same object as before
   */
  follow(logs: readonly Log[]): void {
    for (const { id } of this.#logs.filter((log) => !logs.includes(log))) {
      for (const known of [this.#local, this.#localNotes, this.#latest, this.#latestFrame]) {
        known.delete(id);
      }
    }
    this.#logs = logs;
    // The memo's verdicts were made with the logs that were followed before.
    this.#memo = new FrameMemo();
    this.#version++;
  }

  /**
   * Takes in a checkpoint this monitor was shown itself.
   * @returns whether it makes a new conflict, which the detector lists
   */
  takeInOwn(checkpoint: VerifiedCheckpoint, source: string): boolean {
    this.answerBy(checkpoint, source);
    return this.#detector.observe(checkpoint, source) !== undefined;
  }

  /**
   * Uses this checkpoint for answers from now on. This monitor was shown it, and the detector has
   * seen it.
   */
  answerBy(checkpoint: VerifiedCheckpoint, source: string): void {
    const { log, treeSize } = checkpoint;
    let sizes = this.#local.get(log.id);
    if (sizes === undefined) this.#local.set(log.id, sizes = new Map());
    let notes = this.#localNotes.get(log.id) ?? 0;
    if (!sizes.has(treeSize)) {
      sizes.set(treeSize, { checkpoint: checkpoint.alone, source });
      notes += checkpoint.note.length;
    }
    for (const [oldest, seen] of sizes) {
      if (sizes.size <= MAX_LOCAL_SIZES && notes <= MAX_LOCAL_NOTES) break;
      sizes.delete(oldest);
      notes -= seen.checkpoint.note.length;
    }
    this.#localNotes.set(log.id, notes);
    if (isLater(checkpoint, this.#latest.get(log.id))) this.#latest.set(log.id, checkpoint);
    if (checkpoint.fitsFrame && isLater(checkpoint, this.#latestFrame.get(log.id))) {
      this.#latestFrame.set(log.id, { treeSize, frame: checkpoint.frame });
    }
    this.#version++;
  }

  /** The latest checkpoint of a log that this monitor was shown, whether or not it fits a frame. */
  latest(log: Log): VerifiedCheckpoint | undefined {
    return this.#latest.get(log.id);
  }

  /** The checkpoints of a log this monitor was shown, one of each size, as far as they are kept. */
  shown(log: Log): readonly VerifiedCheckpoint[] {
    return [...this.#local.get(log.id)?.values() ?? []].map(({ checkpoint }) => checkpoint);
  }

  /** The latest frame of a log, or the zero frame. */
  latestFrame(log: Log): Uint8Array {
    return this.#latestFrame.get(log.id)?.frame ?? ZERO_FRAME;
  }

  /**
   * Judges one frame and gives the answer to it: a checkpoint inconsistent with it if one is known,
   * otherwise the latest of its log, otherwise the zero frame. The zero frame names no log. Its
   * answer is the latest of a log that the exchange has not named yet. A frame that is refused gets
   * no answer.
   *
   * Bytes that were verified before are not verified again.
   * @param frame 104 bytes
   * @param named the logs this exchange has named so far; the log of the frame or answer is added
   */
  hear(frame: Uint8Array, source: string, named: Set<Log>): Said {
    const known = this.#memo.get(frame);
    if (known !== undefined && known.version === this.#now) {
      // A source that repeats a checkpoint which is not durable yet waits for it, like the source
      // that told it first. And an open question may count for more if this source repeats it.
      const isOpen = known.said.heard.verdict === "pending";
      if (isOpen || this.#detector.hasUnwritten) this.#detector.observe(known.checkpoint, source);
      named.add(known.checkpoint.log);
      return known.said;
    }
    if (known === undefined && isZeroFrame(frame)) {
      return { heard: NOTHING, answer: this.#answerToNothing(named) };
    }
    const logs = known === undefined ? this.#nearestFirst(frame) : [];
    const checkpoint = known?.checkpoint ?? openFrame({ frame, logs });
    if ("refused" in checkpoint) {
      const { refused: reason, detail } = checkpoint;
      const heard: Heard = { verdict: "refused", reason, detail };
      return { heard, answer: undefined, tried: logs.length };
    }
    named.add(checkpoint.log);
    const { heard, others, isKept } = this.#judge(checkpoint, source);
    const answer = this.#answerTo(heard, others);
    // If there was no room for it, it is heard anew when somebody tells it again.
    if (isKept) this.#memo.set(frame, { checkpoint, said: { heard, answer }, version: this.#now });
    return { heard, answer, tried: logs.indexOf(checkpoint.log) + 1 };
  }

  /**
   * Whether a frame can be heard without checking a signature: its bytes were verified before, or
   * it has no signature.
   */
  knows(frame: Uint8Array): boolean {
    return this.#memo.get(frame) !== undefined || isZeroFrame(frame);
  }

  /** Judges a checkpoint that somebody else was shown, however it came. It gives no answer. */
  hearCheckpoint(checkpoint: VerifiedCheckpoint, source: string): HeardCheckpoint {
    return this.#judge(checkpoint, source).heard;
  }

  /**
   * This is the only place where checkpoints that others told reach the detector. If one
   * contradicts what was seen, the detector lists the new conflict. `keep` (see ExchangeParty) has
   * it written before anything is answered.
   */
  #judge(
    checkpoint: VerifiedCheckpoint,
    source: string,
  ): { heard: HeardCheckpoint; others: readonly Seen[]; isKept: boolean } {
    const { others, isKept } = this.#detector.takeIn(checkpoint, source);
    return { heard: this.#compare(checkpoint, others[0]), others, isKept };
  }

  /** Judges a consistency proof by the checkpoints shown and heard so far. */
  hearProof(stated: StatedProof): ProofOutcome {
    return this.#detector.observeProof(stated);
  }

  /**
   * Takes in the checkpoints and the proof of a conflict record, as if each had been heard alone.
   * @param log the record's log, one of those followed
   * @returns whether it makes a conflict that is new here
   * @throws MalformedError if a checkpoint in it does not verify
   */
  hearRecord(heard: { record: ConflictRecord; log: Log; source: string }): boolean {
    return showRecord({ detector: this.#detector, ...heard }).length > 0;
  }

  /**
   * The logs followed, first the one whose latest size is nearest to the frame's. A frame names no
   * log and is tried under one key after the other. So with fifty logs the order decides how many
   * signatures are checked.
   */
  #nearestFirst(frame: Uint8Array): readonly Log[] {
    if (this.#logs.length < 2 || frame.length !== FRAME_BYTES) return this.#logs;
    const size = Number(new DataView(frame.buffer, frame.byteOffset).getBigUint64(0));
    return this.#logs
      .map((log) => ({ log, away: Math.abs(Number(this.latest(log)?.treeSize ?? 0n) - size) }))
      .sort((a, b) => a.away - b.away)
      .map(({ log }) => log);
  }

  /** @param other the root seen first at that size; a conflict's record names that one */
  #compare(checkpoint: VerifiedCheckpoint, other: Seen | undefined): HeardCheckpoint {
    const { log, treeSize } = checkpoint;
    if (other !== undefined) return { verdict: "inconsistent", checkpoint, other };
    const local = this.#local.get(log.id)?.get(treeSize);
    if (local?.checkpoint.root === checkpoint.root) return { verdict: "matches", checkpoint };
    // A detector at its limit takes in no more contradicting roots.
    if (local !== undefined) return { verdict: "inconsistent", checkpoint, other: local };
    return { verdict: "pending", checkpoint, localSize: this.#latest.get(log.id)?.treeSize };
  }

  /** @param others the checkpoints seen of the same size with other roots */
  #answerTo(heard: HeardCheckpoint, others: readonly Seen[]): Uint8Array {
    const latest = this.latestFrame(heard.checkpoint.log);
    if (heard.verdict !== "inconsistent") return latest;
    const other = [...others, heard.other].find((seen) => seen.checkpoint.fitsFrame);
    return other?.checkpoint.frame ?? latest;
  }

  #answerToNothing(named: Set<Log>): Uint8Array {
    const log = this.#logs.find((log) => this.#latestFrame.has(log.id) && !named.has(log));
    if (log === undefined) return ZERO_FRAME;
    named.add(log);
    return this.latestFrame(log);
  }
}

/** Whether a checkpoint is of a larger size than another, or the first at all. */
function isLater(
  { treeSize }: VerifiedCheckpoint,
  than: { treeSize: bigint } | undefined,
): boolean {
  return than === undefined || treeSize > than.treeSize;
}

/** The result of hearing one frame. */
export interface Said {
  readonly heard: Heard;
  /** The frame to answer with: 104 bytes, not to be changed; none if the frame was refused. */
  readonly answer: Uint8Array | undefined;
  /** How many keys its signature was tried under; left out if none. */
  readonly tried?: number;
}
