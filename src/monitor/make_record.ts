import type { Conflict } from "../evidence/conflict.ts";
import {
  buildRecord,
  type ConflictRecord,
  signedBytes,
  withSignature,
} from "../evidence/record.ts";
import type { Signer } from "../world/signer.ts";
import type { World } from "../world/world.ts";

/** Makes the record of a conflict found now, and signs it if there is a signer. */
export async function makeRecord(
  { world, conflict, signer }: { world: World; conflict: Conflict; signer: Signer | undefined },
): Promise<ConflictRecord> {
  const detectedAt = world.clock.now().toISOString();
  const record = buildRecord({ conflict, detectedAt, detector: signer?.vkey });
  return signer === undefined
    ? record
    : withSignature(record, await signer.sign(signedBytes(record)));
}
