import { join } from "@std/path/join";
import { replaceDurably } from "../world/durable.ts";
import { type World, WorldError } from "../world/world.ts";

/** The file that is written and removed again. */
const PROBE_FILE = "probe.tmp";
/** As much as one block of most file systems, so that a full disk refuses it. */
const PROBE_BYTES = 4_096;
const PERMISSIONS = 0o600;
/** For how long an answer is kept. Whoever may ask can so cost one write in this time. */
export const PROBE_KEPT_MS = 10_000;

/** What came of a trial: nothing if all folders take a file, or why one does not. */
export type Refusal = string | undefined;

/**
 * Tries whether the folders of a monitor can be written. What a monitor wrote last may be hours old, and
 * a disk that is full or read-only since then says nothing by itself.
 */
export class WriteProbe {
  readonly #world: World;
  readonly #folders: readonly string[];
  #last: { readonly at: number; readonly refusal: Promise<Refusal> } | undefined;

  constructor({ world, folders }: { world: World; folders: readonly string[] }) {
    this.#world = world;
    this.#folders = [...new Set(folders)];
  }

  /** Writes, syncs and removes a small file in each folder, unless that was done PROBE_KEPT_MS ago. */
  look(): Promise<Refusal> {
    const at = this.#world.clock.monotonic();
    if (this.#last === undefined || at - this.#last.at >= PROBE_KEPT_MS) {
      this.#last = { at, refusal: this.#try() };
    }
    return this.#last.refusal;
  }

  async #try(): Promise<Refusal> {
    const { files } = this.#world;
    for (const folder of this.#folders) {
      const path = join(folder, PROBE_FILE);
      try {
        const content = new Uint8Array(PROBE_BYTES);
        await replaceDurably({ files, path, content, permissions: PERMISSIONS });
        await files.remove(path);
      } catch (error) {
        if (!(error instanceof WorldError)) throw error;
        return `${folder}: ${error.message}`;
      }
    }
    return undefined;
  }
}
