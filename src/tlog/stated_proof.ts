/**
 * Consistency proofs as JSON, as files hold them and monitors send them (PROTOCOL section 10):
 *
 *     {"log": LOG, "older": {"size", "root"}, "newer": {"size", "root"}, "proof": [HASH…]}
 *
 * @module
 */
import { base64, MAX_TREE_SIZE, parseTreeSize, strictBase64 } from "./encoding.ts";
import { formatLog, type Log, parseLog } from "./log.ts";
import { MalformedError, quoted } from "./malformed.ts";
import {
  anyText,
  checkMembers,
  listOf,
  object,
  type Shape,
  unexpected,
  within,
} from "./members.ts";
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
 * Reads the JSON form of a proof. It does not check whether the proof holds.
 * @throws MalformedError naming the member that is wrong, UnknownLog for a log not followed
 */
export function readProof(
  members: Readonly<Record<string, unknown>>,
  logs: readonly Log[],
): StatedProof {
  // Whether the log is followed comes first. An error in a proof about another log does not matter.
  anyText(members.log, "log");
  const named = parseLog(members.log);
  const log = logs.find(({ id }) => id === named.id);
  if (log === undefined) {
    throw new UnknownLog(`the proof is about ${quoted(formatLog(named))}, which is not followed`);
  }
  checkMembers(members, { what: "proof", shape: PROOF });
  const { older, newer, proof } = members as unknown as ProofJson;
  return {
    log,
    older: headOf(older, "older"),
    newer: headOf(newer, "newer"),
    proof: proof.map((hash, i) => within(`proof[${i}]`, () => strictBase64(hash))),
  };
}

interface HeadJson {
  readonly size: string | number;
  readonly root: string;
}

interface ProofJson {
  readonly older: HeadJson;
  readonly newer: HeadJson;
  readonly proof: readonly string[];
}

const head = object({ must: { size, root: anyText }, others: "kept" });
/** Other members are kept. In a file, a line also says who gathered the proof. */
const PROOF: Shape = {
  must: { older: head, newer: head, proof: listOf(anyText) },
  others: "kept",
};

/** `JSON.parse` rounds numbers above 2^53. A text is exact. */
function size(value: unknown, name: string): void {
  if (typeof value === "string" || Number.isSafeInteger(value) && Number(value) >= 0) return;
  throw unexpected(value, {
    name,
    wanted: `a decimal text up to ${MAX_TREE_SIZE}, or a number up to ${Number.MAX_SAFE_INTEGER}`,
  });
}

function headOf({ size, root }: HeadJson, name: string): TreeHead {
  return {
    treeSize: typeof size === "string"
      ? within(`${name}.size`, () => parseTreeSize(size))
      : BigInt(size),
    rootHash: within(`${name}.root`, () => strictBase64(root)),
  };
}

/** A proof in the form that `readProof` reads. */
export function formatStatedProof({ log, older, newer, proof }: StatedProof): {
  log: string;
  older: HeadJson;
  newer: HeadJson;
  proof: string[];
} {
  const spelled = ({ treeSize, rootHash }: TreeHead): HeadJson => ({
    size: `${treeSize}`,
    root: base64(rootHash),
  });
  return {
    log: formatLog(log),
    older: spelled(older),
    newer: spelled(newer),
    proof: proof.map(base64),
  };
}
