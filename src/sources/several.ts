import type { LookTime } from "./look_time.ts";
import { hasTimeToAsk, waitedOutMs } from "./patient_fetcher.ts";
import { ProofRefused, type ServedProof, type Source, SourceUnavailable } from "./source.ts";

/** Most prefixes of one log. */
export const MAX_PREFIXES = 8;

/**
 * One log under several prefixes (C2SP tlog-tiles allows them), each of which may fail, lag, or show
 * another history. What each shows is for the caller to compare (`parts`); proofs come from whichever
 * has them, since only hashes decide whether one holds.
 */
export class SeveralSource implements Source {
  readonly parts: readonly Source[];
  /** The one whose last proof held is asked first. */
  #order: readonly Source[];

  /** @param parts at least one */
  constructor(parts: readonly Source[]) {
    this.parts = parts;
    this.#order = parts;
  }

  /** See Source. */
  distrust(): void {
    for (const part of this.parts) part.distrust?.();
  }

  /** What the first that answers shows. */
  latest(time?: LookTime): Promise<Uint8Array> {
    return this.#firstOf((part, turn) => part.latest(turn), time);
  }

  async consistency(
    sizes: { older: bigint; newer: bigint },
    time?: LookTime,
  ): Promise<ServedProof> {
    return await this.#firstOf(async (part, turn) => {
      const served = await part.consistency(sizes, turn);
      const settle = (holds: boolean): void => {
        served.settle(holds);
        if (!holds) this.#askLast(part);
      };
      return { ...served, settle };
    }, time);
  }

  /**
   * The first answer, in order. Each has its turn of the time, and nobody is waited for before all were
   * asked: one that is slow, or wants to be asked later, must not hide the others.
   * @throws ProofRefused if all refuse, so that an outage of one is not mistaken for a refusal
   */
  async #firstOf<T>(ask: Ask<T>, time: LookTime | undefined): Promise<T> {
    const failed: Failed[] = [];
    const asked = this.#order;
    for (const [i, part] of asked.entries()) {
      const turn = time?.turn({ of: asked.length - i, mayWait: false });
      const tried = await this.#try({ part, ask, turn });
      if ("answer" in tried) return tried.answer;
      failed.push(tried);
    }
    const limiting = failed.flatMap(({ part, error }) =>
      error instanceof SourceUnavailable && error.retryAfterMs !== undefined
        ? [{ part, error }]
        : []
    ).toSorted((a, b) => a.error.retryAfterMs! - b.error.retryAfterMs!);
    for (const [i, { part, error }] of limiting.entries()) {
      const turn = time?.turn({ of: limiting.length - i });
      const waitMs = turn && waitedOutMs(error, turn);
      if (waitMs === undefined) continue;
      await turn!.pause(waitMs);
      const tried = await this.#try({ part, ask, turn });
      if ("answer" in tried) return tried.answer;
      failed.unshift(tried);
    }
    const errors = failed.map(({ error }) => error);
    throw errors.find((error) => error instanceof SourceUnavailable) ?? errors[0]!;
  }

  async #try<T>({ part, ask, turn }: {
    part: Source;
    ask: Ask<T>;
    turn: LookTime | undefined;
  }): Promise<{ answer: T } | Failed> {
    const canBeAsked = turn === undefined || hasTimeToAsk(turn);
    try {
      const answer = await ask(part, turn);
      this.#order = [part, ...this.#order.filter((other) => other !== part)];
      return { answer };
    } catch (error) {
      if (!(error instanceof SourceUnavailable || error instanceof ProofRefused)) throw error;
      // One that was never asked has not failed: the next time it is asked before those that have.
      if (canBeAsked) this.#askLast(part);
      return { part, error };
    }
  }

  #askLast(part: Source): void {
    this.#order = [...this.#order.filter((other) => other !== part), part];
  }
}

type Ask<T> = (part: Source, turn: LookTime | undefined) => Promise<T>;

/** One that was asked in vain. */
interface Failed {
  readonly part: Source;
  readonly error: SourceUnavailable | ProofRefused;
}
