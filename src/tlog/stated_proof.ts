/**
 * Consistency proofs as JSON, as gathered in files and sent between monitors (PROTOCOL section 10):
 *
 *     {"log": LOG, "older": {"size", "root"}, "newer": {"size", "root"}, "proof": [HASH…]}
 *
 * @module
 */
import { base64, MAX_TREE_SIZE, parseTreeSize, strictBase64 } from "./encoding.ts";
import { formatLog, type Log, parseLog } from "./log.ts";
import { MalformedError, quoted } from "./malformed.ts";
import type { TreeHead } from "./proof.ts";

/** A consistency proof as somebody states it; nothing in it is verified. */
export interface StatedProof {
  readonly log: Log;
  readonly older: TreeHead;
  readonly newer: TreeHead;
  readonly proof: readonly Uint8Array[];
}

/** A proof about a log that is not followed. */
export class UnknownLog extends MalformedError {}

/**
 * Takes the JSON form of a proof apart.
 * @throws MalformedError naming the member that is wrong, UnknownLog for a log not followed
 */
export function readProof(
  members: Readonly<Record<string, unknown>>,
  logs: readonly Log[],
): StatedProof {
  if (typeof members.log !== "string") throw new MalformedError("log is not a text");
  const named = parseLog(members.log);
  const log = logs.find(({ id }) => id === named.id);
  if (log === undefined) {
    throw new UnknownLog(`the proof is about ${quoted(formatLog(named))}, which is not followed`);
  }
  if (!Array.isArray(members.proof)) throw new MalformedError("proof is not a list");
  const proof = members.proof.map((hash) => {
    if (typeof hash !== "string") throw new MalformedError("proof holds something else than texts");
    return strictBase64(hash);
  });
  const [older, newer] = [readHead(members.older, "older"), readHead(members.newer, "newer")];
  return { log, older, newer, proof };
}

/** The JSON text of a proof, as `readProof` reads it. */
export function formatProof({ log, older, newer, proof }: StatedProof): string {
  const head = ({ treeSize, rootHash }: TreeHead): { size: string; root: string } => ({
    size: `${treeSize}`,
    root: base64(rootHash),
  });
  return JSON.stringify({
    log: formatLog(log),
    older: head(older),
    newer: head(newer),
    proof: proof.map(base64),
  });
}

function readHead(value: unknown, name: string): TreeHead {
  const { size, root } = (value ?? {}) as { size?: unknown; root?: unknown };
  if (typeof root !== "string") throw new MalformedError(`${name}.root is not a base64 text`);
  return { treeSize: readSize(size, `${name}.size`), rootHash: strictBase64(root) };
}

function readSize(size: unknown, name: string): bigint {
  if (typeof size === "string") return parseTreeSize(size);
  // Above 2^53 JSON.parse has rounded the number already; as a text it is exact.
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw new MalformedError(
      `${name} is ${typeof size === "number" ? size : `of type ${typeof size}`}, expected a ` +
        `decimal text up to ${MAX_TREE_SIZE}, or a number up to ${Number.MAX_SAFE_INTEGER}`,
    );
  }
  return BigInt(size);
}
