import { DurabilityLost } from "../world/durable.ts";
import { WorldError } from "../world/world.ts";
import { IncidentNotWritten } from "./case_keeper.ts";

/**
 * Whether something was refused by the outside (a disk, a database, a network), by the types that say
 * so. Everything else that is thrown is a fault in Hearsay itself, and must not be told as anybody
 * else's: neither as a peer's failure, nor as a disk's, nor as a log's outage.
 */
export function isOfTheWorld(error: unknown): boolean {
  if (error instanceof IncidentNotWritten) return isOfTheWorld(error.cause);
  return error instanceof WorldError || error instanceof DurabilityLost;
}
