/**
 * What is found in files that people already hold. Every reader of this room gives these, and
 * nothing in them needs to be believed: a checkpoint was verified, and a proof is judged by whoever
 * follows it.
 *
 * @module
 */
import { cleanSource } from "../evidence/record.ts";
import { openCheckpoint, openFrame, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { FRAME_BYTES, isZeroFrame } from "../tlog/frame.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import type { StatedProof } from "../tlog/stated_proof.ts";

/** Why something was not accepted. */
export type RejectionReason =
  | "malformed"
  | "unknown log"
  | "bad signature"
  /** a consistency proof that does not lead to the newer root. It convicts nobody */
  | "failed proof"
  /** an inclusion proof that does not lead to the signed root. The artefact is wrong, not the log */
  | "failed inclusion"
  /** an artefact that carries no checkpoint, as the oldest Sigstore bundles do */
  | "no checkpoint"
  /** longer than what is read of its kind */
  | "too large"
  /** the system did not let us read it */
  | "not readable";

/** Something that was not accepted, and a sentence for a person. */
export interface Rejected {
  readonly kind: "rejected";
  readonly reason: RejectionReason;
  readonly detail: string;
  /** Whether it was read whole and cannot contradict anything, whoever signed it. */
  readonly hidesNothing?: boolean;
}

/** One thing found. */
export type Found =
  | {
    readonly kind: "checkpoint";
    /** One for each log followed that signed it. */
    readonly checkpoints: readonly VerifiedCheckpoint[];
    readonly source: string;
  }
  /** a proof; `read` takes it apart, and throws MalformedError */
  | { readonly kind: "proof"; readonly read: () => StatedProof; readonly source: string }
  | Rejected;

/** What a reader is told beside the text. */
export interface Reading {
  /** The logs whose checkpoints can be verified. */
  readonly logs: readonly Log[];
  /** The file, or the place in it. It is the source of what names no other. */
  readonly where: string;
}

/**
 * Whether what was rejected could hide a contradiction.
 *
 * - Something that could not be read may hide anything.
 * - If a signature is wrong, it may be a damaged copy of evidence, or a note that would hold
 *   without a line that somebody added.
 * - Something about another log was not asked for, and a proof that fails convicts nobody. They
 *   hide nothing. Nor does an artefact without a checkpoint.
 */
export function mayHide(
  { reason, hidesNothing = false }: { reason: RejectionReason; hidesNothing?: boolean },
): boolean {
  const silent: readonly RejectionReason[] = [
    ...["unknown log", "failed proof", "failed inclusion", "no checkpoint"] as const,
  ];
  return !hidesNothing && !silent.includes(reason);
}

/** A thing found that breaks the rules of its format. */
export function malformed(error: MalformedError): Rejected {
  return { kind: "rejected", reason: "malformed", detail: error.message };
}

/** What a reader found, or that it could not take the thing apart. */
export function readBy(read: () => Found[]): Found[] {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return [malformed(error)];
  }
}

/**
 * What is in each of several things, of which one file has so many. One that is broken hides none of the
 * others. It is told if there are more than `most`, which are not read.
 */
export function readEach<T>(
  things: readonly T[],
  { most, what, read }: { most: number; what: string; read: (thing: T) => Found[] },
): Found[] {
  const found = things.slice(0, most).flatMap((thing) => readBy(() => read(thing)));
  if (things.length <= most) return found;
  const detail = `it has ${things.length} ${what}, of which ${most} are read`;
  return [...found, { kind: "rejected", reason: "too large", detail }];
}

/** Opens a note. Its source is kept with every checkpoint, so its length is bounded here. */
export function openNote(
  { note, source, logs }: { note: Uint8Array | string; source: string; logs: readonly Log[] },
): Found {
  const opened = openCheckpoint({ note, logs });
  if ("refused" in opened) return refused(opened);
  return { kind: "checkpoint", checkpoints: opened, source: cleanSource(source) };
}

/** Opens a frame. The zero frame says nothing. */
export function openOneFrame(
  { frame, source, logs }: { frame: Uint8Array; source: string; logs: readonly Log[] },
): Found {
  if (frame.length === FRAME_BYTES && isZeroFrame(frame)) {
    const detail = "the zero frame says nothing";
    return { kind: "rejected", reason: "malformed", detail, hidesNothing: true };
  }
  const opened = openFrame({ frame, logs });
  if ("refused" in opened) return refused(opened);
  return { kind: "checkpoint", checkpoints: [opened], source: cleanSource(source) };
}

function refused(
  { refused: reason, detail, isImpossible = false }: Exclude<
    ReturnType<typeof openFrame>,
    VerifiedCheckpoint
  >,
): Rejected {
  return { kind: "rejected", reason, detail, hidesNothing: isImpossible };
}
