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

/** What a frame or a note that came in says, compared with what is known here. */
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
  /** it carries no checkpoint of a log followed here */
  | { readonly verdict: "refused"; readonly reason: RefusalReason; readonly detail: string };

/** What a checkpoint that verified says. */
export type HeardCheckpoint = Extract<Heard, { checkpoint: VerifiedCheckpoint }>;

/**
 * Sizes a judge can say "matches" about, the last ones shown. For older ones it says "pending", and
 * whoever watches the log settles them.
 */
const MAX_LOCAL_SIZES = 10_000;
/** Characters of their notes: one is at most half a million, almost all have 200. */
const MAX_LOCAL_NOTES = 16 * 1024 * 1024;

/** What the zero frame says. */
export const NOTHING: Heard = { verdict: "nothing" };

/**
 * What this monitor was shown, what it has heard, and so what it says: the rules of the exchange
 * (PROTOCOL section 5) without sockets.
 */
export class Judge {
  #logs: readonly Log[];
  readonly #detector: EquivocationDetector;
  /** By log and size, what this monitor was shown itself. */
  readonly #local = new Map<string, Map<bigint, Seen>>();
  /** By log, characters of their notes. */
  readonly #localNotes = new Map<string, number>();
  /** By log, the largest of them. */
  readonly #latest = new Map<string, VerifiedCheckpoint>();
  /** By log, the largest of them that a frame can carry. */
  readonly #latestFrame = new Map<string, { treeSize: bigint; frame: Uint8Array }>();
  #memo = new FrameMemo<{ checkpoint: VerifiedCheckpoint; said: Said; version: number }>();
  /** Changes with everything that could change an answer. */
  #version = 0;

  /** @param detector shared with whatever else feeds it, such as the incident journal at a start */
  constructor({ logs, detector }: { logs: readonly Log[]; detector: EquivocationDetector }) {
    this.#logs = logs;
    this.#detector = detector;
  }

  /** What has changed since is anything that could change an answer: ours, or what others fed the detector. */
  get #now(): number {
    return this.#version + this.#detector.found;
  }

  /** The logs it follows. */
  get logs(): readonly Log[] {
    return this.#logs;
  }

  /**
   * Follows these logs from now on; of the others it says nothing any more.
   * @param logs the very objects of before, where it goes on to follow a log
   */
  follow(logs: readonly Log[]): void {
    for (const { id } of this.#logs.filter((log) => !logs.includes(log))) {
      for (const known of [this.#local, this.#localNotes, this.#latest, this.#latestFrame]) {
        known.delete(id);
      }
    }
    this.#logs = logs;
    // It answers for the logs that were followed when a frame came first.
    this.#memo = new FrameMemo();
    this.#version++;
  }

  /**
   * Takes in a checkpoint this monitor was shown itself.
   * @returns whether it makes a new conflict, which the detector lists
   */
  addLocal(checkpoint: VerifiedCheckpoint, source: string): boolean {
    this.standOn(checkpoint, source);
    return this.#detector.observe(checkpoint, source) !== undefined;
  }

  /** Answers by this checkpoint from now on, which this monitor was shown and the detector has seen. */
  standOn(checkpoint: VerifiedCheckpoint, source: string): void {
    const { log, treeSize } = checkpoint;
    let sizes = this.#local.get(log.id);
    if (sizes === undefined) this.#local.set(log.id, sizes = new Map());
    let notes = this.#localNotes.get(log.id) ?? 0;
    if (!sizes.has(treeSize)) {
      sizes.set(treeSize, { checkpoint, source });
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

  /** The latest checkpoint of a log this monitor was shown, whether or not a frame can carry it. */
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
   * Judges one frame and says what to answer: a checkpoint inconsistent with it if one is known,
   * otherwise the latest of its log, otherwise the zero frame. The zero frame names no log; it is
   * answered with the latest of a log the exchange has not named yet. A frame that is refused gets
   * no answer.
   *
   * Bytes that were verified before are not verified again.
   * @param frame 104 bytes
   * @param named the logs this exchange has named so far; the log of the frame or answer is added
   */
  hear(frame: Uint8Array, source: string, named: Set<Log>): Said {
    const known = this.#memo.get(frame);
    if (known !== undefined && known.version === this.#now) {
      // Whoever repeats what is not durable yet waits for it like whoever told it first; and what is not
      // settled yet may count for more from whoever repeats it.
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
    // What there was no room for is heard anew from whoever tells it next.
    if (isKept) this.#memo.set(frame, { checkpoint, said: { heard, answer }, version: this.#now });
    return { heard, answer, tried: logs.indexOf(checkpoint.log) + 1 };
  }

  /** Whether to hear a frame costs no signature: its bytes were verified before, or it has none. */
  knows(frame: Uint8Array): boolean {
    return this.#memo.get(frame) !== undefined || isZeroFrame(frame);
  }

  /** Judges a checkpoint somebody else was shown, however it came; what to answer is not said. */
  hearCheckpoint(checkpoint: VerifiedCheckpoint, source: string): HeardCheckpoint {
    return this.#judge(checkpoint, source).heard;
  }

  /**
   * The one place where what others told meets the detector. If it contradicts what was seen, the
   * detector lists the new conflict; `keep` (see ExchangeParty) has it written before anything is
   * answered.
   */
  #judge(
    checkpoint: VerifiedCheckpoint,
    source: string,
  ): { heard: HeardCheckpoint; others: readonly Seen[]; isKept: boolean } {
    const { others, isKept } = this.#detector.compare(checkpoint, source);
    return { heard: this.#compare(checkpoint, others[0]), others, isKept };
  }

  /** Judges a consistency proof by what was shown and heard so far. */
  hearProof(stated: StatedProof): ProofOutcome {
    return this.#detector.observeProof(stated);
  }

  /**
   * Takes in what a conflict record holds, as if it had been heard piece by piece.
   * @param log the record's log, one of those followed
   * @returns whether it makes a conflict that is new here
   * @throws MalformedError if a checkpoint in it does not verify
   */
  hearRecord(heard: { record: ConflictRecord; log: Log; source: string }): boolean {
    return showRecord({ detector: this.#detector, ...heard }).length > 0;
  }

  /**
   * The logs followed, first the one whose latest size is nearest to the frame's. A frame names no log
   * and is tried under one key after the other, so with fifty logs the order decides what it costs.
   */
  #nearestFirst(frame: Uint8Array): readonly Log[] {
    if (this.#logs.length < 2 || frame.length !== FRAME_BYTES) return this.#logs;
    const size = Number(new DataView(frame.buffer, frame.byteOffset).getBigUint64(0));
    return this.#logs
      .map((log) => ({ log, away: Math.abs(Number(this.latest(log)?.treeSize ?? 0n) - size) }))
      .sort((a, b) => a.away - b.away)
      .map(({ log }) => log);
  }

  /** @param other the first seen of that size, which is the one a conflict's record names */
  #compare(checkpoint: VerifiedCheckpoint, other: Seen | undefined): HeardCheckpoint {
    const { log, treeSize } = checkpoint;
    if (other !== undefined) return { verdict: "inconsistent", checkpoint, other };
    const local = this.#local.get(log.id)?.get(treeSize);
    if (local?.checkpoint.root === checkpoint.root) return { verdict: "matches", checkpoint };
    // A detector at its cap no longer takes in what contradicts.
    if (local !== undefined) return { verdict: "inconsistent", checkpoint, other: local };
    return { verdict: "pending", checkpoint, localSize: this.#latest.get(log.id)?.treeSize };
  }

  /** @param others what was seen of the same size with other roots */
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

/** What hearing one frame comes to. */
export interface Said {
  readonly heard: Heard;
  /** The frame to answer with: 104 bytes, not to be changed; none if the frame was refused. */
  readonly answer: Uint8Array | undefined;
  /** Under how many keys its signature was tried; left out if under none. */
  readonly tried?: number;
}
