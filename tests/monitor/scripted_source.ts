/** A log's source in memory that says what the test wants it to, true or not. */
import {
  ProofRefused,
  type ServedProof,
  type Source,
  SourceUnavailable,
} from "../../src/sources/source.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { utf8 } from "../../src/tlog/encoding.ts";

/** What can be wrong with the checkpoint that is served. */
export type LatestTrouble =
  | "unavailable"
  /** no checkpoint at all */
  | "garbage"
  /** never answers, until `letGo` */
  | "hangs"
  /** this text, whatever it is: the note of another log */
  | { readonly note: string };

/** What can be wrong with the proof that is served. */
export type ProofTrouble =
  | "unavailable"
  | "refused"
  /** it leads to no root */
  | "wrong"
  /** wrong, until it was said once that it does not hold: what a cache does */
  | "wrong until told"
  /** the proof of another story */
  | { readonly story: TestLog };

/** Serves a TestLog at a size of the test's choosing. */
export class ScriptedSource implements Source {
  /** The history it shows. */
  story: TestLog;
  /** The size it shows; all there is if left out. */
  size: number | undefined;
  latestTrouble: LatestTrouble | undefined;
  proofTrouble: ProofTrouble | undefined;
  /** Older sizes whose proofs are refused. */
  refusesProofFrom: (older: bigint) => boolean = () => false;
  /** What an outage says about when to come again. */
  retryAfterMs: number | undefined;
  /** How often it was asked. */
  readonly asked = { latest: 0, consistency: 0 };
  /** What it was told of its proofs. */
  readonly told: boolean[] = [];
  #hanging: PromiseWithResolvers<never> | undefined;

  constructor(story: TestLog, size?: number) {
    this.story = story;
    this.size = size;
  }

  async latest(): Promise<Uint8Array> {
    this.asked.latest++;
    const trouble = this.latestTrouble;
    if (trouble === "unavailable") throw this.#outage();
    if (trouble === "hangs") {
      return await (this.#hanging ??= Promise.withResolvers<never>()).promise;
    }
    if (trouble === "garbage") return utf8("<html>Bad gateway</html>");
    if (trouble !== undefined) return utf8(trouble.note);
    return utf8(await noteOf(this.story, this.size));
  }

  // deno-lint-ignore require-await
  async consistency(sizes: { older: bigint; newer: bigint }): Promise<ServedProof> {
    this.asked.consistency++;
    const trouble = this.proofTrouble;
    if (trouble === "unavailable") throw this.#outage();
    const story = typeof trouble === "object" ? trouble.story : this.story;
    const refuses = trouble === "refused" || this.refusesProofFrom(sizes.older);
    if (refuses || sizes.newer > story.treeSize) {
      throw new ProofRefused("the log has no tile that a tree of this size has");
    }
    const proof = story.consistencyProof(sizes);
    if (trouble === "wrong" || trouble === "wrong until told") proof[0] = new Uint8Array(32);
    return {
      olderRoot: story.root(sizes.older),
      proof,
      judged: (holds) => {
        this.told.push(holds);
        if (!holds && this.proofTrouble === "wrong until told") this.proofTrouble = undefined;
      },
    };
  }

  /** Ends what hangs, as an outage. */
  letGo(): void {
    this.latestTrouble = "unavailable";
    this.#hanging?.reject(this.#outage());
  }

  #outage(): SourceUnavailable {
    return new SourceUnavailable("nobody answers", this.retryAfterMs);
  }
}

const notes = new WeakMap<TestLog, Map<bigint, Promise<string>>>();

/** A log's note at a size, signed once. */
export function noteOf(log: TestLog, size?: number): Promise<string> {
  const treeSize = size === undefined ? log.treeSize : BigInt(size);
  let signed = notes.get(log);
  if (signed === undefined) notes.set(log, signed = new Map());
  let note = signed.get(treeSize);
  if (note === undefined) signed.set(treeSize, note = log.checkpoint(treeSize));
  return note;
}
