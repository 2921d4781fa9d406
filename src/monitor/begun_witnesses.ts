import { join } from "@std/path/join";
import { WITNESS_FILE, WitnessStateDamaged } from "../authority/witness_state.ts";
import { readSmallFile, type SmallFile, writeSmallFile } from "../swarm/small_file.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { checkMembers, listOf, text } from "../tlog/members.ts";
import type { Vkey } from "../tlog/vkey.ts";
import { isThere } from "../world/durable.ts";
import type { Files } from "../world/world.ts";

/** The file in the incident folder that says which keys have cosigned by what is in the state folder. */
export const BEGUN_FILE = "witness-keys.json";
const VERSION = "hearsay/witness-keys/v1";
const STORED = { must: { vkeys: listOf(text) }, others: "refused" } as const;

/**
 * Says which keys have begun to cosign. A witness whose state is gone would begin anew, and cosign
 * whatever it is shown first. So the other folder remembers that there was a state: a volume may not be
 * mounted, or somebody may have emptied the folder.
 */
export class BegunWitnesses {
  readonly #files: Files;
  readonly #file: SmallFile;
  readonly #vkeys: readonly string[];

  /**
   * @param folder of the incident journal
   * @param keys those that are to cosign
   */
  constructor({ files, folder, keys }: { files: Files; folder: string; keys: readonly Vkey[] }) {
    this.#files = files;
    this.#file = { files, folder, name: BEGUN_FILE, version: VERSION };
    this.#vkeys = keys.map(({ text }) => text);
  }

  /**
   * Refuses to begin anew with a key that has cosigned. To be called before a state is made.
   * @param state the state folder
   * @throws WitnessStateDamaged, WorldError
   */
  async expectState(state: string): Promise<void> {
    const path = join(state, WITNESS_FILE);
    if (await isThere(this.#files, path)) return;
    const where = join(this.#file.folder, BEGUN_FILE);
    let begun: readonly string[];
    try {
      begun = await this.#read();
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      throw new WitnessStateDamaged(
        `${path} is not there, and ${where}, which says whether it was, is damaged: ${error.message}`,
      );
    }
    const again = this.#vkeys.find((vkey) => begun.includes(vkey));
    if (again === undefined) return;
    throw new WitnessStateDamaged(
      `${path} is gone, and the witness has cosigned with ${again}, says ` +
        `${
          join(this.#file.folder, BEGUN_FILE)
        }: put the file back as it was, or give the witness a ` +
        "new key and name",
    );
  }

  /** Writes down that these keys have begun. To be called before anything is cosigned. @throws WorldError */
  async note(): Promise<void> {
    let begun: readonly string[] = [];
    try {
      begun = await this.#read();
    } catch (error) {
      // The state is there. What was damaged is written anew.
      if (!(error instanceof MalformedError)) throw error;
    }
    if (this.#vkeys.every((vkey) => begun.includes(vkey))) return;
    await writeSmallFile(this.#file, { vkeys: [...new Set([...begun, ...this.#vkeys])] });
  }

  async #read(): Promise<readonly string[]> {
    const stored = await readSmallFile(this.#file);
    if (stored === undefined) return [];
    checkMembers(stored, { what: "file", shape: STORED });
    return stored.vkeys as readonly string[];
  }
}
