import type { LookTime } from "./look_time.ts";
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
  readonly #names: readonly string[];
  /** The one whose last proof held is asked first. */
  #order: readonly Source[];

  /**
   * @param parts at least one
   * @param names how each of them is called, in the same order
   */
  constructor(parts: readonly Source[], names: readonly string[]) {
    this.parts = parts;
    this.#names = names;
    this.#order = parts;
  }

  /** See Source. */
  distrust(): void {
    for (const part of this.parts) part.distrust?.();
  }

  /** See Source. */
  placeOf(part: Source): string | undefined {
    return this.#names[this.parts.indexOf(part)];
  }

  /** What the first that answers shows. */
  latest(time?: LookTime): Promise<Uint8Array> {
    return this.#firstOf((part) => part.latest(time));
  }

  async consistency(
    sizes: { older: bigint; newer: bigint },
    time?: LookTime,
  ): Promise<ServedProof> {
    return await this.#firstOf(async (part) => {
      const served = await part.consistency(sizes, time);
      const settle = (holds: boolean): void => {
        served.settle(holds);
        if (!holds) this.#askLast(part);
      };
      return { ...served, settle };
    });
  }

  /**
   * The first answer, in order.
   * @throws ProofRefused if all refuse, so that an outage of one is not mistaken for a refusal
   */
  async #firstOf<T>(ask: (part: Source) => Promise<T>): Promise<T> {
    const failures: Error[] = [];
    for (const part of this.#order) {
      try {
        return await ask(part);
      } catch (error) {
        if (!(error instanceof SourceUnavailable || error instanceof ProofRefused)) throw error;
        failures.push(error);
        this.#askLast(part);
      }
    }
    throw failures.find((error) => error instanceof SourceUnavailable) ?? failures[0]!;
  }

  #askLast(part: Source): void {
    this.#order = [...this.#order.filter((other) => other !== part), part];
  }
}
