import { DurabilityLost } from "../world/durable.ts";
import { WorldError } from "../world/world.ts";
import { IncidentNotWritten } from "./case_keeper.ts";

/**
 * Whether an error came from outside: a disk, a database or a network refused. Such errors have types
 * of their own. Every other error is a fault in Hearsay itself. It must never be told as a failure of
 * a peer or a disk, or as an outage of a log.
 */
export function isOfTheWorld(error: unknown): boolean {
  if (error instanceof IncidentNotWritten) return isOfTheWorld(error.cause);
  return error instanceof WorldError || error instanceof DurabilityLost;
}
