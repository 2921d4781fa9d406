import type { Lease, OthersLease, SharedLook } from "../store/shared_store.ts";
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
  #others: ReadonlyMap<string, readonly OthersLease[]> = new Map();
  /** By log and slot. */
  readonly #looks = new Map<string, Map<bigint, SharedLook>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes what the store says of the leases now. */
  change({ own, others }: { own: readonly Lease[]; others: readonly OthersLease[] }): void {
    this.#own = new Map(own.map((lease) => [lease.log, lease]));
    this.#others = Map.groupBy(others, ({ log }) => log);
  }

  /** The store does not have this lease of ours any more. */
  lost({ log, fence }: Lease): void {
    if (this.#own.get(log)?.fence !== fence) return;
    this.#own = new Map([...this.#own].filter(([id]) => id !== log));
  }

  /** A look of any site, as the store has it. */
  looked(look: SharedLook): void {
    const slots = this.#looks.get(look.log) ?? new Map<bigint, SharedLook>();
    this.#looks.set(look.log, slots.set(look.slot, look));
  }

  /** Nothing is known any more: the store is away. */
  forget(): void {
    this.change({ own: [], others: [] });
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

  /** The names of the other sites that look at a log. */
  sitesAt({ id }: Pick<Log, "id">): string[] {
    return this.#validOthers(id).map(({ siteName }) => siteName);
  }

  /** What another site was shown of a log, in its turn; nothing if this site is to ask the log. */
  shown(log: Pick<Log, "id">): ShownElsewhere | undefined {
    if (this.lease(log) !== undefined) return undefined;
    const looks = this.#looks.get(log.id);
    if (looks === undefined) return undefined;
    const valid = this.#validOthers(log.id).flatMap((lease) => {
      const look = looks.get(lease.slot);
      const isIts = look?.fence === lease.fence && look.site === lease.site;
      return isIts && look.failures < FAILURES ? look : [];
    });
    const largest = valid.filter(({ note }) => note !== undefined)
      .reduce<SharedLook | undefined>(
        (a, b) => a === undefined || b.treeSize! > a.treeSize! ? b : a,
        undefined,
      );
    return largest && { site: largest.siteName, note: largest.note! };
  }

  #validOthers(log: string): OthersLease[] {
    return (this.#others.get(log) ?? []).filter((lease) => this.#isValid(lease));
  }

  #isValid({ validUntil }: { readonly validUntil: number }): boolean {
    return this.#clock.monotonic() < validUntil;
  }
}
