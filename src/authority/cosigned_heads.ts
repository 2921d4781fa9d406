/**
 * Counts who has cosigned the checkpoints of one log under a policy: what is committed, and how each
 * witness keeps up. It is pure; the caller says what time it is.
 *
 * @module
 */
import { type Head, headKey } from "../evidence/head.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { type Log, makeCosigned } from "../tlog/log.ts";
import { isCommitted, type Policy, type PolicyWitness } from "./policy.ts";

/**
 * Most heads whose cosignatures are remembered, the largest ones. A witness that is further behind is
 * seen to be behind all the same.
 */
export const MAX_HEADS = 64;
/** How many points in time are remembered at which the others had cosigned more, per allowed delay. */
const MARKS_PER_DELAY = 16;
const MS_PER_SECOND = 1_000;

/** A moment, by both clocks, in milliseconds. */
export interface Moment {
  /** Since 1970. */
  readonly wall: number;
  readonly monotonic: number;
}

/**
 * How a witness keeps up.
 * - `cosigning`: as it should.
 * - `waiting`: nothing was seen of it yet, and not for long enough to say more.
 * - `lagging`: others have cosigned a larger checkpoint, for longer than is allowed.
 * - `missing`: nothing was ever seen of it, or its latest cosignature is older than is allowed.
 */
export type Keeping = "cosigning" | "waiting" | "lagging" | "missing";

/** One witness of the policy, as it stands. */
export interface WitnessStanding {
  readonly witness: PolicyWitness;
  readonly keeping: Keeping;
  /** The largest head that it was seen to cosign; of several cosignatures the latest. */
  readonly latest: WitnessHead | undefined;
  /** Since when it is behind the others, by the monotonic clock. */
  readonly behindSince: number | undefined;
}

/** The largest head of a witness. */
export interface WitnessHead extends Head {
  /**
   * When it was cosigned, in milliseconds since 1970: as the witness states it, but no later than it
   * was first seen here. A witness that states no time (0) has that time.
   */
  readonly cosignedAt: number;
}

/** A head and who has cosigned it. */
export interface CosignedHead extends Head {
  /** By the vkey of the witness. */
  readonly by: ReadonlyMap<string, VerifiedCheckpoint>;
}

/** What is known of the cosignatures on one log's checkpoints. */
export class CosignedHeads {
  readonly policy: Policy;
  /** What each witness says of the log, in the order of the policy: what a note is read for. */
  readonly cosigners: readonly Log[];
  readonly #begunAt: number;
  readonly #heads = new Map<string, Head & { readonly by: Map<string, VerifiedCheckpoint> }>();
  readonly #latest = new Map<string, WitnessHead>();
  #committed: CosignedHead | undefined;
  /** The largest head that anybody has cosigned, and since when, by the monotonic clock. */
  #largest: { readonly treeSize: bigint; readonly at: number } | undefined;
  /** Earlier ones, oldest first. They say since when a witness is behind. */
  #marks: { readonly treeSize: bigint; readonly at: number }[] = [];

  /** @param now when counting begins */
  constructor({ log, policy, now }: { log: Log; policy: Policy; now: Moment }) {
    this.policy = policy;
    this.#begunAt = now.monotonic;
    this.cosigners = policy.witnesses.map(({ cosigner: { vkey } }) =>
      makeCosigned({ vkey, origin: log.origin })
    );
  }

  /** The largest head that a quorum has cosigned. */
  get committed(): CosignedHead | undefined {
    return this.#committed;
  }

  /** The same, of the heads whose size is accepted now: those of a frozen log are not, beyond a size. */
  committedWithin(accepts: (treeSize: bigint) => boolean): CosignedHead | undefined {
    const largest = this.#committed;
    if (largest === undefined || accepts(largest.treeSize)) return largest;
    return [...this.#heads.values()].sort((a, b) => a.treeSize > b.treeSize ? -1 : 1)
      .find(({ treeSize, by }) =>
        accepts(treeSize) && isCommitted(this.policy, new Set(by.keys()))
      );
  }

  /** Whether anybody is remembered to have cosigned a head. */
  has(head: Head): boolean {
    return this.#heads.has(headKey(head));
  }

  /** The heads that are remembered, with those who have cosigned them; the largest come last. */
  get heads(): readonly CosignedHead[] {
    return [...this.#heads.values()].sort((a, b) => a.treeSize < b.treeSize ? -1 : 1);
  }

  /**
   * Takes in what a witness has cosigned. Heads are counted by size and root. A time decides nothing
   * about what is committed (RULES S7).
   * @param cosigned under the key of one of `cosigners`
   * @param delayMs how far a witness may be behind
   * @returns whether this is news: the head is remembered, and this witness was not known to have
   *   cosigned it
   */
  take(cosigned: VerifiedCheckpoint, { now, delayMs }: { now: Moment; delayMs: number }): boolean {
    const { log: { vkey: { text: who } }, treeSize, root } = cosigned;
    this.#noteLatest(cosigned, now);
    this.#noteLargest(treeSize, { now, delayMs });
    const key = headKey(cosigned);
    const head = this.#heads.get(key) ?? { treeSize, root, by: new Map() };
    const isNew = !head.by.has(who);
    head.by.set(who, cosigned);
    this.#heads.set(key, head);
    const isLarger = treeSize > (this.#committed?.treeSize ?? -1n);
    // A policy that asks for no quorum commits what its log has signed; nobody has to cosign it.
    if (isLarger && isCommitted(this.policy, new Set(head.by.keys()))) this.#committed = head;
    this.#forgetSmallest();
    return isNew && this.#heads.has(key);
  }

  #noteLatest(cosigned: VerifiedCheckpoint, now: Moment): void {
    const { log: { vkey }, treeSize, root } = cosigned;
    const stated = Number(cosigned.cosignedAt ?? 0n) * MS_PER_SECOND;
    const before = this.#latest.get(vkey.text);
    if (before !== undefined && before.treeSize > treeSize) return;
    const isSame = before?.treeSize === treeSize && before.root === root;
    // It may say what time it likes. What it says of a moment that is still to come is not believed.
    const cosignedAt = stated === 0 || stated > now.wall ? now.wall : stated;
    // Without a time, or with one to come, the moment is the one at which it was first seen.
    const isTimed = stated !== 0 && stated <= now.wall;
    if (isSame && (!isTimed || before.cosignedAt >= cosignedAt)) return;
    this.#latest.set(vkey.text, { treeSize, root, cosignedAt });
  }

  #noteLargest(
    treeSize: bigint,
    { now: { monotonic: at }, delayMs }: { now: Moment; delayMs: number },
  ): void {
    if (treeSize <= (this.#largest?.treeSize ?? -1n)) return;
    this.#largest = { treeSize, at };
    const last = this.#marks.at(-1);
    if (last === undefined || at - last.at >= delayMs / MARKS_PER_DELAY) {
      this.#marks.push(this.#largest);
    }
    // One mark that is older than the delay is enough to say that a witness is too far behind.
    const isOld = (mark: { at: number } | undefined): boolean =>
      mark !== undefined && at - mark.at > 2 * delayMs;
    while (isOld(this.#marks[1])) this.#marks.shift();
  }

  #forgetSmallest(): void {
    while (this.#heads.size > MAX_HEADS) {
      const [smallest] = [...this.#heads].reduce((a, b) => b[1].treeSize < a[1].treeSize ? b : a);
      this.#heads.delete(smallest);
    }
  }

  /**
   * How the witnesses stand.
   * @param delayMs how far one may be behind the others, and how old its latest cosignature may be
   * @param isStill whether the log is known not to grow any more; then no cosignature is too old
   */
  standings(
    { now, delayMs, isStill }: { now: Moment; delayMs: number; isStill: boolean },
  ): WitnessStanding[] {
    return this.policy.witnesses.map((witness) => {
      const latest = this.#latest.get(witness.cosigner.vkey.text);
      const behindSince = this.#behindSince(latest);
      const keeping = this.#keeping({ latest, behindSince, now, delayMs, isStill });
      return { witness, keeping, latest, behindSince };
    });
  }

  #keeping({ latest, behindSince, now, delayMs, isStill }: {
    latest: WitnessHead | undefined;
    behindSince: number | undefined;
    now: Moment;
    delayMs: number;
    isStill: boolean;
  }): Keeping {
    if (latest === undefined) {
      return now.monotonic - this.#begunAt > delayMs ? "missing" : "waiting";
    }
    if (!isStill && now.wall - latest.cosignedAt > delayMs) return "missing";
    const isBehind = behindSince !== undefined && now.monotonic - behindSince > delayMs;
    return isBehind ? "lagging" : "cosigning";
  }

  /** Since when others have cosigned more than this witness, by the monotonic clock. */
  #behindSince(latest: WitnessHead | undefined): number | undefined {
    if (latest === undefined || this.#largest === undefined) return undefined;
    if (latest.treeSize >= this.#largest.treeSize) return undefined;
    const mark = this.#marks.find(({ treeSize }) => treeSize > latest.treeSize);
    return (mark ?? this.#largest).at;
  }
}
