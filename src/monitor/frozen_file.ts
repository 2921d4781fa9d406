import type { FrozenMemory, Kept } from "../response/freeze.ts";
import { CAUSES } from "../evidence/transition.ts";
import type { JsonObject } from "../evidence/json.ts";
import { readSmallFile, type SmallFile, writeSmallFile } from "../swarm/small_file.ts";
import { checkMembers, listOf, object, oneOf, text } from "../tlog/members.ts";
import type { Files } from "../world/world.ts";

/** The file in the state folder that keeps logs frozen. */
export const FROZEN_FILE = "frozen.json";
const VERSION = "hearsay/frozen/v1";

const STORED = {
  must: {
    before: listOf(text),
    holds: listOf(object({
      must: {
        incident: text,
        log: object({ must: { origin: text, vkey: text }, others: "refused" }),
        cause: oneOf(CAUSES),
        evidence_ids: listOf(text),
        since: text,
        why: text,
      },
      may: { accepted: object({ must: { size: text, root: text }, others: "refused" }) },
      others: "refused",
    })),
  },
  others: "refused",
} as const;

/** Keeps in the state folder which logs are frozen. */
export function frozenMemory({ files, folder }: { files: Files; folder: string }): FrozenMemory {
  const file: SmallFile = { files, folder, name: FROZEN_FILE, version: VERSION };
  return {
    async read(): Promise<Kept | undefined> {
      const stored = await readSmallFile(file);
      if (stored === undefined) return undefined;
      checkMembers(stored, { what: "file", shape: STORED });
      return stored as unknown as Kept;
    },
    write: (kept) => writeSmallFile(file, kept as unknown as JsonObject),
  };
}
