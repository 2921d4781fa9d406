import { isThere } from "../world/durable.ts";
import type { World } from "../world/world.ts";

/** The configuration read unless told otherwise, in the working directory or else in /etc/hearsay. */
export const DEFAULT_CONFIG = "hearsay.jsonc";
const SYSTEM_CONFIG = `/etc/hearsay/${DEFAULT_CONFIG}`;

/** The configuration to read: the one that is named, the one here, or the system's. */
export async function findConfig(world: World, given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  const isElsewhere = !await isThere(world.files, DEFAULT_CONFIG) &&
    await isThere(world.files, SYSTEM_CONFIG);
  return isElsewhere ? SYSTEM_CONFIG : DEFAULT_CONFIG;
}
