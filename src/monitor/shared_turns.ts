import type { HeldLease, Lease, SharedLook } from "../store/shared_types.ts";
import type { Log } from "../tlog/log.ts";
import type { Clock } from "../world/world.ts";
import type { ShownElsewhere } from "./shared_source.ts";

/** After so many looks in a row that did not reach the log, the other sites look for themselves. */
const FAILURES = 3;

/**
 * Which site looks at which log now. A turn that is over, or of which nothing is known, is nobody's:
 * then every site looks for itself.
 */
export class SharedTurns {
  readonly #clock: Clock;
  #own: ReadonlyMap<string, Lease> = new Map();
  #others: ReadonlyMap<string, readonly HeldLease[]> = new Map();
  /** By log and slot. */
  readonly #looks = new Map<string, Map<number, SharedLook>>();

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
    const slots = this.#looks.get(look.log) ?? new Map<number, SharedLook>();
    this.#looks.set(look.log, slots.set(look.slot, look));
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

  /** What another site was shown of a log, in its turn; nothing if this site is to ask the log. */
  shown(log: Pick<Log, "id">): ShownElsewhere | undefined {
    if (this.lease(log) !== undefined) return undefined;
    const slots = this.#looks.get(log.id);
    const shown = this.#validOthers(log.id).flatMap(({ slot, holder }) => {
      const look = slots?.get(slot);
      if (look?.site !== holder || look.failures >= FAILURES) return [];
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
