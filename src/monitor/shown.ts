/**
 * What each peer last showed of each log, and how that compares with what this monitor was shown: for
 * people who want to see who has seen what. Nothing is decided by it.
 *
 * @module
 */
import type { Result } from "../evidence/result.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Happening } from "./happenings.ts";

/** Most checkpoints remembered, of all peers and logs together. One takes about 300 bytes. */
export const MAX_SHOWN = 20_000;

/** The last checkpoint of a log that a peer showed. */
export interface ShownHead {
  /** The peer's address in the configuration. */
  readonly source: string;
  /** Decimal. */
  readonly size: string;
  /** Base64. */
  readonly root: string;
  /** How it compares with what this monitor was shown, as far as that is known. */
  readonly verdict: Result;
  /** When it was heard, RFC 3339. */
  readonly at: string;
}

/** A log as a status names it. */
interface Named {
  readonly origin: string;
  readonly vkey: string;
}

const nameOf = ({ origin, vkey }: Named): string => `${vkey}\n${origin}`;

/** See the module. */
export class Shown {
  readonly #isPeer: (source: string) => boolean;
  readonly #now: () => string;
  /** By log, then by peer. */
  readonly #heads = new Map<string, Map<string, ShownHead>>();
  #count = 0;

  /**
   * @param isPeer whether a source is a peer of the configuration; what others show is not remembered
   * @param now RFC 3339, UTC
   */
  constructor({ isPeer, now }: { isPeer: (source: string) => boolean; now: () => string }) {
    this.#isPeer = isPeer;
    this.#now = now;
  }

  /** What the peers of now last showed of a log. */
  of(log: Named): readonly ShownHead[] {
    const heads = this.#heads.get(nameOf(log));
    return heads === undefined
      ? []
      : [...heads.values()].filter(({ source }) => this.#isPeer(source));
  }

  /** Takes in one happening. */
  take(happening: Happening): void {
    if (happening.kind === "heard") {
      const { heard, source } = happening;
      if (!("checkpoint" in heard) || !this.#isPeer(source)) return;
      this.#put(source, heard.checkpoint, heard.verdict);
    } else if (happening.kind === "found") {
      const { finding: { checkpoint, source }, result } = happening;
      if (checkpoint !== undefined) this.#settle(source, checkpoint, result);
    }
  }

  #put(source: string, { log, treeSize, root }: VerifiedCheckpoint, verdict: Result): void {
    const name = nameOf({ origin: log.origin, vkey: log.vkey.text });
    const heads = this.#heads.get(name) ?? new Map<string, ShownHead>();
    const before = heads.get(source);
    if (before === undefined && this.#count >= MAX_SHOWN) return;
    const size = `${treeSize}`;
    const isSame = before?.size === size && before.root === root;
    // What is known of it already is more than that it is open.
    const known = isSame && verdict === "pending" ? before.verdict : verdict;
    if (before === undefined) this.#count++;
    heads.set(source, { source, size, root, verdict: known, at: this.#now() });
    this.#heads.set(name, heads);
  }

  /** What the peer showed was compared with the log's view. */
  #settle(source: string, { log, treeSize, root }: VerifiedCheckpoint, verdict: Result): void {
    const heads = this.#heads.get(nameOf({ origin: log.origin, vkey: log.vkey.text }));
    const head = heads?.get(source);
    if (head === undefined || head.size !== `${treeSize}` || head.root !== root) return;
    heads!.set(source, { ...head, verdict });
  }
}
