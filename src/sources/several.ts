import type { LookTime } from "./look_time.ts";
import { hasTimeToAsk, waitedOutMs } from "./patient_fetcher.ts";
import { ProofRefused, type ServedProof, type Source, SourceUnavailable } from "./source.ts";

/** Most prefixes of one log. */
export const MAX_PREFIXES = 8;

/**
 * One log under several prefixes, which C2SP tlog-tiles allows. Each of them may fail, lag, or show
 * another history. The caller compares what they show (`parts`). A proof may come from any of them,
 * since only hashes decide whether it holds.
 */
export class SeveralSource implements Source {
  readonly parts: readonly Source[];
  readonly #names: readonly string[];
  /** The order of asking: first the place that answered last. */
  #order: readonly Source[];
  /** How each one failed last, and until when not to ask it, by the clock of the looks. */
  readonly #putOff = new Map<Source, { readonly error: Failure; readonly until: number }>();

  /**
   * @param parts at least one
   * @param names the names of the parts, in the same order
   */
  constructor(parts: readonly Source[], names: readonly string[]) {
    this.parts = parts;
    this.#names = names;
    this.#order = parts;
  }

  /** Whether every place says so. */
  get isRetired(): boolean {
    return this.parts.every(({ isRetired = false }) => isRetired);
  }

  /** See Source. */
  distrust(): void {
    for (const part of this.parts) part.distrust?.();
  }

  /** See Source. */
  placeOf(part: Source): string | undefined {
    return this.#names[this.parts.indexOf(part)];
  }

  /** The note of the first place that answers. */
  latest(time?: LookTime): Promise<Uint8Array> {
    return this.#firstOf((part, turn) => part.latest(turn), time);
  }

  async consistency(
    sizes: { older: bigint; newer: bigint },
    time?: LookTime,
  ): Promise<ServedProof> {
    return await this.#firstOf(async (part, turn) => {
      const served = await part.consistency(sizes, turn);
      const judged = (holds: boolean): void => {
        served.judged(holds);
        if (!holds) this.#askLast(part);
      };
      return { ...served, judged };
    }, time);
  }

  /**
   * The first answer, in order. Each place has its turn of the time. No Retry-After is waited out
   * before all places were asked. A place that is slow, or wants to be asked later, must not hide
   * the others.
   * @throws ProofRefused only if all refuse, so that an outage of one is not taken for a refusal
   */
  async #firstOf<T>(ask: Ask<T>, time: LookTime | undefined): Promise<T> {
    const failed = new Map<Source, Failure>();
    const asked = this.#order;
    for (const [i, part] of asked.entries()) {
      const turn = time?.turn({ of: asked.length - i, mayWait: false });
      const tried = this.#putOffOf(part, turn) ?? await this.#try({ part, ask, turn });
      if ("answer" in tried) return tried.answer;
      failed.set(part, tried.error);
    }
    const waits = (part: Source): number => retryAfterMsOf(failed.get(part)!);
    const limiting = asked.filter((part) => waits(part) > 0).sort((a, b) => waits(a) - waits(b));
    for (const [i, part] of limiting.entries()) {
      const turn = time?.turn({ of: limiting.length - i });
      const waitMs = turn && waitedOutMs(failed.get(part), turn);
      if (waitMs === undefined) continue;
      await turn!.pause(waitMs);
      const tried = await this.#try({ part, ask, turn });
      if ("answer" in tried) return tried.answer;
      failed.set(part, tried.error);
    }
    throw inSum([...failed.values()]);
  }

  async #try<T>({ part, ask, turn }: {
    part: Source;
    ask: Ask<T>;
    turn: LookTime | undefined;
  }): Promise<{ answer: T } | { error: Failure }> {
    const canBeAsked = turn === undefined || hasTimeToAsk(turn);
    try {
      const answer = await ask(part, turn);
      this.#order = [part, ...this.#order.filter((other) => other !== part)];
      return { answer };
    } catch (error) {
      if (!(error instanceof SourceUnavailable || error instanceof ProofRefused)) throw error;
      // A place that was not asked has not failed. The next time it is asked before those that
      // have.
      if (canBeAsked) this.#askLast(part);
      const retryAfterMs = retryAfterMsOf(error);
      if (turn !== undefined) this.#putOff.set(part, { error, until: turn.now + retryAfterMs });
      return { error };
    }
  }

  /** How a place failed, if it said then not to ask it yet. */
  #putOffOf(part: Source, turn: LookTime | undefined): { error: Failure } | undefined {
    const putOff = this.#putOff.get(part);
    const leftMs = turn && putOff ? putOff.until - turn.now : 0;
    if (leftMs <= 0) return undefined;
    return { error: new SourceUnavailable(putOff!.error.message, leftMs) };
  }

  #askLast(part: Source): void {
    this.#order = [...this.#order.filter((other) => other !== part), part];
  }
}

type Ask<T> = (part: Source, turn: LookTime | undefined) => Promise<T>;

/** Why a place gave no answer. */
type Failure = SourceUnavailable | ProofRefused;

function retryAfterMsOf(error: Failure): number {
  return error instanceof SourceUnavailable ? error.retryAfterMs ?? 0 : 0;
}

/**
 * The failure if all have failed. It is an outage if any place had one, until the first place may
 * be asked again.
 */
function inSum(errors: readonly Failure[]): Failure {
  const outage = errors.find((error) => error instanceof SourceUnavailable);
  if (outage === undefined) return errors[0]!;
  const soonestMs = Math.min(...errors.map(retryAfterMsOf));
  return new SourceUnavailable(outage.message, soonestMs > 0 ? soonestMs : undefined);
}
