import type { HeldLease, Lease, SharedLook } from "../store/shared_types.ts";
import type { Log } from "../tlog/log.ts";
import type { Clock } from "../world/world.ts";
import type { ShownElsewhere } from "./shared_source.ts";

/**
 * Which site looks at which log now. A turn that is over, or of which nothing is known, is nobody's:
 * then every site looks for itself.
 */
export class SharedTurns {
  readonly #clock: Clock;
  #own: ReadonlyMap<string, Lease> = new Map();
  #others: ReadonlyMap<string, readonly HeldLease[]> = new Map();
  /** By log and slot. */
  readonly #looks = new Map<string, Map<number, { look: SharedLook; at: number }>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes what the store says of the leases now. */
  change({ held, others }: { held: readonly Lease[]; others: readonly HeldLease[] }): void {
    this.#own = new Map(held.map((lease) => [lease.log, lease]));
    this.#others = Map.groupBy(others, ({ log }) => log);
  }

  /** The store says that this lease is not ours any more. */
  lost({ log, fence }: Lease): void {
    if (this.#own.get(log)?.fence !== fence) return;
    this.#own = new Map([...this.#own].filter(([id]) => id !== log));
  }

  /** The last look in a slot, of any site, as the store has it. */
  looked(look: SharedLook): void {
    const slots = this.#looks.get(look.log) ?? new Map<number, { look: SharedLook; at: number }>();
    const at = this.#clock.monotonic() - look.agoMs;
    this.#looks.set(look.log, slots.set(look.slot, { look, at }));
  }

  /** Nothing is known any more: the store is away. */
  forget(): void {
    this.change({ held: [], others: [] });
    this.#looks.clear();
  }

  /** Our lease of a log, while it lasts. */
  lease({ id }: Pick<Log, "id">): Lease | undefined {
    const lease = this.#own.get(id);
    return lease !== undefined && this.#isValid(lease) ? lease : undefined;
  }

  /** How many logs are ours to look at. */
  get held(): number {
    return [...this.#own.values()].filter((lease) => this.#isValid(lease)).length;
  }

  /** The vkeys of the other sites that look at a log. */
  sitesAt({ id }: Pick<Log, "id">): string[] {
    return this.#validOthers(id).map(({ holder }) => holder);
  }

  /**
   * What another site was shown of a log, in its turn; nothing if this site is to ask the log: a turn
   * says that somebody may look, and only a look that reached the log, not long ago, that somebody does.
   * @param withinMs how long ago it may be
   */
  shown(log: Pick<Log, "id">, withinMs: number): ShownElsewhere | undefined {
    if (this.lease(log) !== undefined) return undefined;
    const slots = this.#looks.get(log.id);
    const since = this.#clock.monotonic() - withinMs;
    const shown = this.#validOthers(log.id).flatMap(({ slot, holder }) => {
      const { look, at } = slots?.get(slot) ?? { at: 0 };
      if (look?.site !== holder || look.failures > 0 || at < since) return [];
      const { checkpoint, siteName: site } = look;
      return checkpoint === undefined ? [] : [{ ...checkpoint, site }];
    });
    return shown.toSorted((a, b) => a.treeSize < b.treeSize ? 1 : -1)[0];
  }

  #validOthers(log: string): HeldLease[] {
    return (this.#others.get(log) ?? []).filter((lease) => this.#isValid(lease));
  }

  #isValid({ validUntil }: { readonly validUntil: number }): boolean {
    return this.#clock.monotonic() < validUntil;
  }
}
