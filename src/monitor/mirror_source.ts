import type { Mirror } from "../federation/mirror.ts";
import { type ServedProof, type Source, SourceUnavailable } from "../sources/source.ts";
import { utf8 } from "../tlog/encoding.ts";

/**
 * A mirrored journal as a log that is followed. Its latest checkpoint is the one that its monitor showed
 * at the last sync or push. Proofs come from the mirror; for what the mirror does not lead to, from the
 * tiles that the monitor publishes. So if the monitor has rewritten its journal, its own tiles are the
 * evidence, as with any log.
 */
export class MirrorSource implements Source {
  readonly #mirror: Mirror;
  readonly #published: Source | undefined;
  #shown: string | undefined;
  /** The sizes at which a proof from the mirror did not lead to the newer root. */
  #isOther: string | undefined;

  /** @param published the tiles of its monitor; nothing if that only pushes */
  constructor({ mirror, published }: { mirror: Mirror; published: Source | undefined }) {
    this.#mirror = mirror;
    this.#published = published;
  }

  /** The monitor has shown this note. */
  show(note: string): void {
    this.#shown = note;
  }

  /** See Source. */
  latest(): Promise<Uint8Array> {
    if (this.#shown !== undefined) return Promise.resolve(utf8(this.#shown));
    return Promise.reject(new SourceUnavailable("nothing of this journal was shown yet"));
  }

  /** See Source. */
  distrust(): void {
    this.#published?.distrust?.();
  }

  /** See Source. */
  async consistency(sizes: { older: bigint; newer: bigint }): Promise<ServedProof> {
    const name = `${sizes.older} ${sizes.newer}`;
    const own = this.#isOther === name ? undefined : this.#mirror.proof(sizes);
    if (own !== undefined) {
      return { ...own, judged: (holds) => void (this.#isOther = holds ? undefined : name) };
    }
    // The next time the mirror may lead further.
    this.#isOther = undefined;
    if (this.#published !== undefined) return await this.#published.consistency(sizes);
    throw new SourceUnavailable(`the mirror has size ${this.#mirror.treeSize}, not ${sizes.newer}`);
  }
}
