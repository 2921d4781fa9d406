/** Logs that tell one story or several, and what they sign, for the tests of evidence. */
import type { Seen } from "../../src/evidence/conflict.ts";
import { TestLog } from "../../src/sources/test_log.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import type { Log } from "../../src/tlog/log.ts";
import { generateSigner, type Signer } from "../../src/world/signer.ts";
import { denoWorld } from "../../src/world/deno.ts";

/** A new test log without entries. */
export function newLog(origin = "test.invalid/log"): Promise<TestLog> {
  return TestLog.create({ world: denoWorld(), origin });
}

/** A key for a monitor. */
export async function newSigner(name = "monitor.invalid/one"): Promise<Signer> {
  return (await generateSigner({ world: denoWorld(), name })).signer;
}

/** Adds entries until the log has this size; `story` makes them differ from another history's. */
export function grow(log: TestLog, size: number, story = ""): TestLog {
  while (log.treeSize < BigInt(size)) log.append(`${story} entry ${log.treeSize}`);
  return log;
}

/** The checkpoint of a note, which must be sound. */
export function open(note: string, log: Log): VerifiedCheckpoint {
  const opened = openCheckpoint({ note, logs: [log] });
  if ("refused" in opened) throw new Error(opened.detail);
  return opened[0]!;
}

/** The log's checkpoint at a size, as a monitor holds it. */
export async function checkpointOf(log: TestLog, size?: number): Promise<VerifiedCheckpoint> {
  return open(await log.checkpoint(size === undefined ? undefined : BigInt(size)), log.log);
}

/** The same, with a source. */
export async function seenOf(log: TestLog, size: number, source: string): Promise<Seen> {
  return { checkpoint: await checkpointOf(log, size), source };
}

/** A proof between two sizes of one history, as someone would gather it. */
export function proofOf(
  log: TestLog,
  { older, newer }: { older: number; newer: number },
): {
  log: Log;
  older: { treeSize: bigint; rootHash: Uint8Array };
  newer: { treeSize: bigint; rootHash: Uint8Array };
  proof: Uint8Array[];
} {
  const [from, to] = [BigInt(older), BigInt(newer)];
  return {
    log: log.log,
    older: { treeSize: from, rootHash: log.root(from) },
    newer: { treeSize: to, rootHash: log.root(to) },
    proof: log.consistencyProof({ older: from, newer: to }),
  };
}
