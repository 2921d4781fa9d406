import type { RecordedHead } from "../evidence/record.ts";
import type { HeldCase } from "../gossip/exchange.ts";
import type { HeardCheckpoint } from "../gossip/judge.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Common } from "./common.ts";

/** How long somebody who tells a checkpoint waits until it is settled by our view. */
export const VERDICT_MS = 3_000;

/** What is known here about a checkpoint that somebody told. */
export type Verdict =
  /** a case that is recorded here is about it */
  | { readonly word: "inconsistent"; readonly evidenceId: string }
  /** it is part of the history of our view; the latest case of its log, if there is one */
  | { readonly word: "consistent"; readonly otherCase: string | undefined }
  /** it is kept, and not settled yet; the size of our view, if there is one */
  | {
    readonly word: "pending";
    readonly isFrozen?: false;
    readonly treeSize: bigint;
    readonly viewSize: bigint | undefined;
  }
  /** it agrees with the view, but its log is frozen here; the latest case of its log, if there is one */
  | { readonly word: "pending"; readonly isFrozen: true; readonly otherCase: string | undefined }
  /** it is neither known nor an open question, because there is no room for it */
  | { readonly word: "left out" };

/** The verdicts, the one that its reader must see first. */
const WEIGHTS = ["inconsistent", "left out", "pending", "consistent"] as const;

/** Of several verdicts, the one that matters most. There is at least one. */
export function gravest(verdicts: readonly Verdict[]): Verdict {
  const weight = ({ word }: Verdict): number => WEIGHTS.indexOf(word);
  return verdicts.reduce((a, b) => weight(b) < weight(a) ? b : a);
}

/** Somebody who waits until a checkpoint is settled. */
interface Waiting {
  readonly about: string;
  readonly wake: () => void;
}

/** Says what is known here about a checkpoint, and waits a little until it is settled. */
export class Verdicts {
  readonly #common: Common;
  readonly #waiting = new Set<Waiting>();
  #isEnded = false;

  constructor(common: Common) {
    this.#common = common;
    common.happenings.subscribe((happening) => {
      if (happening.kind !== "found" || happening.finding.checkpoint === undefined) return;
      const about = nameOf(happening.finding.checkpoint);
      for (const one of this.#waiting) if (one.about === about) one.wake();
    });
  }

  /** What is known about a checkpoint that was heard and is durable. */
  async on(heard: HeardCheckpoint): Promise<Verdict> {
    const verdict = this.#now(heard);
    // The view has to grow first if it is smaller. That may take any time.
    const isSoon = verdict.word === "pending" && verdict.isFrozen !== true &&
      (verdict.viewSize ?? -1n) >= verdict.treeSize;
    if (!isSoon || this.#isEnded) return verdict;
    await this.#untilTried(heard.checkpoint);
    return this.#now(heard);
  }

  /** Ends every wait. */
  end(): void {
    this.#isEnded = true;
    for (const { wake } of this.#waiting) wake();
  }

  #now({ verdict, checkpoint }: HeardCheckpoint): Verdict {
    const { keeper, memory, observations, gate } = this.#common;
    const { log, treeSize } = checkpoint;
    const cases = keeper.cases(log);
    const about = cases.find((held) => hasHalf(held, checkpoint)) ??
      // If a log has signed very many roots at one size, not each has a case of its own.
      (verdict === "inconsistent" ? cases.find((held) => isAtSize(held, treeSize)) : undefined);
    if (about !== undefined) return { word: "inconsistent", evidenceId: about.evidence_id };
    const agrees = verdict === "matches" ||
      (verdict === "pending" && observations.agrees(log, checkpoint));
    // What a frozen log shows beyond what was accepted may agree with the view, and is not vouched for.
    if (agrees && !gate.accepts(log, treeSize)) {
      return { word: "pending", isFrozen: true, otherCase: cases.at(-1)?.evidence_id };
    }
    if (agrees) return { word: "consistent", otherCase: cases.at(-1)?.evidence_id };
    const isKept = verdict === "inconsistent" || memory.questions(log).has(checkpoint);
    if (!isKept) return { word: "left out" };
    return { word: "pending", treeSize, viewSize: keeper.judge.latest(log)?.treeSize };
  }

  /** Resolves when a checkpoint was tried, or after VERDICT_MS. */
  async #untilTried(checkpoint: VerifiedCheckpoint): Promise<void> {
    const { promise, resolve: wake } = Promise.withResolvers<void>();
    const waiting = { about: nameOf(checkpoint), wake };
    this.#waiting.add(waiting);
    const timer = this.#common.world.clock.after(VERDICT_MS, wake);
    await promise;
    timer.cancel();
    this.#waiting.delete(waiting);
  }
}

function nameOf({ log, treeSize, root }: VerifiedCheckpoint): string {
  return `${treeSize} ${root} ${log.id}`;
}

function headsOf({ checkpoint_a, checkpoint_b }: HeldCase): RecordedHead[] {
  return [checkpoint_a, checkpoint_b];
}

/** Whether a checkpoint is one of the two of a case. */
function hasHalf(held: HeldCase, { treeSize, root }: VerifiedCheckpoint): boolean {
  return headsOf(held).some((head) => head.size === `${treeSize}` && head.root === root);
}

/** Whether a case is about two roots at this size. */
function isAtSize(held: HeldCase, treeSize: bigint): boolean {
  return headsOf(held).every(({ size }) => size === `${treeSize}`);
}
