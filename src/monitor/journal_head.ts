import type { HeadMemory, SignedHead } from "../federation/journal_log.ts";
import { readSmallFile, type SmallFile, writeSmallFile } from "../swarm/small_file.ts";
import { parseTreeSize } from "../tlog/encoding.ts";
import { checkMembers, text } from "../tlog/members.ts";
import type { Files } from "../world/world.ts";

/** The file in the state folder that says which head of the incident journal was signed last. */
export const HEAD_FILE = "incidents-head.json";
const VERSION = "hearsay/incidents-head/v1";

const STORED = {
  must: { size: text, root: text },
  may: { epoch: text },
  others: "refused",
} as const;

/** Keeps the last head of the incident journal in the state folder. */
export function headMemory({ files, folder }: { files: Files; folder: string }): HeadMemory {
  const file: SmallFile = { files, folder, name: HEAD_FILE, version: VERSION };
  return {
    async read(): Promise<SignedHead | undefined> {
      const stored = await readSmallFile(file);
      if (stored === undefined) return undefined;
      checkMembers(stored, { what: "file", shape: STORED });
      const { epoch, size, root } = stored as { epoch?: string; size: string; root: string };
      return {
        ...(epoch !== undefined && { epoch: parseTreeSize(epoch) }),
        ...{ treeSize: parseTreeSize(size), root },
      };
    },
    write: ({ epoch, treeSize, root }) =>
      writeSmallFile(file, {
        ...(epoch !== undefined && { epoch: `${epoch}` }),
        ...{ size: `${treeSize}`, root },
      }),
  };
}
