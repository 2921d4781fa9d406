import { headKey } from "../evidence/head.ts";
import type { LookTime } from "../sources/look_time.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64 } from "../tlog/encoding.ts";
import { describeLog, type Log } from "../tlog/log.ts";
import type { NotProven, Proven } from "./proving.ts";
import type { Finding } from "./finding.ts";

/** A log that was replaced by another: the same tree under a new key. */
export interface Replaced {
  readonly log: Log;
  /** Its view: the largest checkpoint that was proven under the old key. */
  readonly view: () => VerifiedCheckpoint | undefined;
}

/** Asks the log for a proof from an old checkpoint to a newer one of this log; see `prove`. */
export type Prove = (
  wanted: { old: VerifiedCheckpoint; newer: VerifiedCheckpoint; time: LookTime | undefined },
) => Promise<Proven | NotProven>;

/**
 * Holds a log to what another one has signed that it replaces. If it does not continue that history,
 * two keys have signed: that is suspicion and no evidence (RULES R10).
 */
export class Continuation {
  readonly replaced: Replaced;
  readonly #prove: Prove;
  /** The last checkpoint that was proven to continue the old view, and that view (size and root). */
  #proven: { readonly old: string; readonly newest: VerifiedCheckpoint } | undefined;

  constructor(replaced: Replaced, prove: Prove) {
    this.replaced = replaced;
    this.#prove = prove;
  }

  /** The finding of a look that holds; or that the log is not proven to continue the old one. */
  async held(
    finding: Finding,
    { view, time }: { view: VerifiedCheckpoint | undefined; time: LookTime | undefined },
  ): Promise<Finding> {
    const old = this.replaced.view();
    const name = describeLog(this.replaced.log);
    if (old === undefined) {
      const detail = `it replaces ${name}, of which nothing was seen here`;
      return finding.result === "first" ? { ...finding, detail } : finding;
    }
    if (this.#isHeld(old, view)) return finding;
    const { log, source } = finding;
    const checkpoint = finding.checkpoint!;
    const newest = view !== undefined && view.treeSize > checkpoint.treeSize ? view : checkpoint;
    const breach = await this.breach({ old, newer: newest, time });
    if (breach !== undefined) return { log, source, checkpoint, ...breach };
    this.#proven = { old: headKey(old), newest };
    return { ...finding, detail: `it is proven to continue ${name} from size ${old.treeSize}` };
  }

  /** Whether the view was proven to continue the old one. What was proven and not written is no view. */
  #isHeld(old: VerifiedCheckpoint, view: VerifiedCheckpoint | undefined): boolean {
    return this.#proven?.old === headKey(old) && view !== undefined &&
      view.treeSize >= this.#proven.newest.treeSize;
  }

  /** Why a checkpoint of this log is not proven to continue one of the old log; nothing if it is. */
  async breach({ old, newer, time }: {
    old: VerifiedCheckpoint;
    newer: VerifiedCheckpoint;
    time: LookTime | undefined;
  }): Promise<NotProven | undefined> {
    const signed = `what ${describeLog(old.log)} signed at size ${old.treeSize}`;
    if (newer.treeSize < old.treeSize) {
      const detail = `size ${newer.treeSize} does not reach ${signed}`;
      return { result: "unproven", detail, mayPass: true };
    }
    // Every tree continues the empty tree.
    if (old.treeSize === 0n) return undefined;
    const served = newer.treeSize === old.treeSize
      ? { implied: newer.rootHash }
      : await this.#prove({ old, newer, time });
    if ("result" in served) return served;
    if (base64(served.implied) === old.root) return undefined;
    const detail =
      `the tree of size ${newer.treeSize} does not continue ${signed}: it has another ` +
      "root there";
    return { result: "unproven", detail, isRewritten: true };
  }
}
