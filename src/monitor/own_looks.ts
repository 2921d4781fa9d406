import type { LookSaid } from "../store/shared_types.ts";
import type { Log } from "../tlog/log.ts";
import type { Clock } from "../world/world.ts";
import { HOLDS } from "./finding.ts";
import type { Found } from "./happenings.ts";
import { isOfSite } from "./shared_source.ts";
import { isTheLog } from "./the_log.ts";

/** What this site's looks came to, for the other sites that share a store. */
export class OwnLooks {
  /** By log: what the store does not know yet. */
  readonly #said = new Map<string, LookSaid>();
  /** By log: how many looks in a row did not reach it. */
  readonly #failures = new Map<string, number>();
  /** By log: when this site asked it last, by the monotonic clock. */
  readonly #askedAt = new Map<string, number>();
  /** Logs of which something that other sites were shown could not be proven here. */
  readonly #doubted = new Set<string>();
  readonly #clock: Pick<Clock, "monotonic">;

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /** Forgets all but these logs. */
  follow(logs: readonly Pick<Log, "id">[]): void {
    const ids = new Set(logs.map(({ id }) => id));
    for (const kept of [this.#said, this.#failures, this.#askedAt, this.#doubted]) {
      for (const id of kept.keys()) if (!ids.has(id)) kept.delete(id);
    }
  }

  /** Notes what a look came to, if the log itself was asked. */
  take({ finding: { log, source, checkpoint }, result, about }: Found): void {
    if (about !== "look" || !isTheLog(source)) return;
    const isReached = HOLDS.includes(result) || result === "frozen";
    if (isOfSite(source)) {
      if (!isReached) this.#doubted.add(log.id);
      return;
    }
    this.#askedAt.set(log.id, this.#clock.monotonic());
    const failures = isReached ? 0 : (this.#failures.get(log.id) ?? 0) + 1;
    this.#failures.set(log.id, failures);
    const shown = isReached && checkpoint !== undefined ? checkpoint : undefined;
    this.#said.set(log.id, {
      ...{ result, failures },
      checkpoint: shown && {
        ...{ treeSize: shown.treeSize, root: shown.root, note: shown.noteWithCosignatures },
      },
    });
  }

  /** For how long this site has not asked a log, in milliseconds. */
  notAskedMs({ id }: Pick<Log, "id">): number {
    return this.#clock.monotonic() - (this.#askedAt.get(id) ?? -Infinity);
  }

  /** What the store does not know yet, by log. */
  get unsaid(): readonly (readonly [log: string, said: LookSaid])[] {
    return [...this.#said];
  }

  /** The store knows this. What came after it is still to be said. */
  wasSaid(log: string, said: LookSaid): void {
    if (this.#said.get(log) === said) this.#said.delete(log);
  }

  /** Whether what other sites were shown of a log could not be proven here. */
  isDoubted({ id }: Pick<Log, "id">): boolean {
    return this.#doubted.has(id);
  }

  /** What they were shown agrees with what this site knows. */
  trust({ id }: Pick<Log, "id">): void {
    this.#doubted.delete(id);
  }
}
