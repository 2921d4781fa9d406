import type { LookTime } from "../sources/look_time.ts";
import type { ServedProof, Source } from "../sources/source.ts";
import type { SharedCheckpoint } from "../store/shared_types.ts";
import { utf8 } from "../tlog/encoding.ts";
import { theLogAt } from "./the_log.ts";

/** What another site was shown, in its turn to look at a log. */
export interface ShownElsewhere extends SharedCheckpoint {
  /** The site's name. */
  readonly site: string;
}

/** A log whose checkpoint another site has asked for, as a place of it. */
class SitePlace implements Source {
  constructor(readonly shown: ShownElsewhere, readonly own: Source) {}

  latest(): Promise<Uint8Array> {
    return Promise.resolve(utf8(this.shown.note));
  }

  consistency(sizes: { older: bigint; newer: bigint }, time?: LookTime): Promise<ServedProof> {
    return this.own.consistency(sizes, time);
  }
}

/**
 * A log at which the sites of one operator look in turns. If another site has the turn, its latest
 * checkpoint is what that site was shown. Proofs are always asked for at the log, by each site for
 * itself: no site believes another.
 */
export class SharedSource implements Source {
  readonly #own: Source;
  readonly #shown: () => ShownElsewhere | undefined;

  /**
   * @param own the log's source
   * @param shown what the site was shown that has the turn; nothing if this site is to ask the log
   */
  constructor(own: Source, shown: () => ShownElsewhere | undefined) {
    this.#own = own;
    this.#shown = shown;
  }

  /** See Source. */
  get parts(): readonly Source[] | undefined {
    const shown = this.#shown();
    return shown === undefined ? this.#own.parts : [new SitePlace(shown, this.#own)];
  }

  /** See Source. */
  get isRetired(): boolean {
    return this.#own.isRetired ?? false;
  }

  /** See Source. */
  placeOf(part: Source): string | undefined {
    return part instanceof SitePlace ? siteSource(part.shown.site) : this.#own.placeOf?.(part);
  }

  /** See Source. */
  latest(time?: LookTime): Promise<Uint8Array> {
    return this.#own.latest(time);
  }

  /** See Source. */
  distrust(): void {
    this.#own.distrust?.();
  }

  /** See Source. */
  consistency(sizes: { older: bigint; newer: bigint }, time?: LookTime): Promise<ServedProof> {
    return this.#own.consistency(sizes, time);
  }
}

const SITE = "site ";

/** The source of what another site was shown. A peer's name never has a space. */
export function siteSource(name: string): string {
  return SITE + name;
}

/** Whether something came through the store, from a site or in its turn: it is in the store then. */
export function isOfSite(source: string): boolean {
  return isSite(source) || source.startsWith(theLogAt(siteSource("")));
}

/** Whether a source is another site that shares the store. */
export function isSite(source: string): boolean {
  return source.startsWith(SITE);
}
