/**
 * Whether a checkpoint is committed under a policy: a log that the policy lists has signed it, and
 * a quorum of its witnesses has cosigned it.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import {
  formatCheckpointText,
  openNote,
  type Refused,
  type VerifiedCheckpoint,
} from "../tlog/checkpoint.ts";
import { readCosignatures } from "../tlog/cosignature.ts";
import type { Log } from "../tlog/log.ts";
import { formatNote, parseNote } from "../tlog/note.ts";
import { formatSignatureLine } from "../tlog/signature_line.ts";
import { sigsumKeyHash } from "../tlog/sigsum.ts";
import type { SigsumProof } from "../tlog/sigsum_proof.ts";
import { SIGNATURE_TYPE } from "../tlog/vkey.ts";
import { isCommitted, type Policy, type PolicyWitness } from "./policy.ts";

/** A witness whose cosignature on a checkpoint holds. */
export interface Cosigned {
  readonly witness: PolicyWitness;
  /**
   * When, in POSIX seconds, as the witness states it; the latest, if it has cosigned several times.
   * 0 means that it does not say that it has seen no larger tree.
   */
  readonly time: bigint;
  /** Whether it is counted: it is not older than was asked for. */
  readonly counts: boolean;
}

/** A note that a log of the policy has signed, and who has cosigned it. */
export interface Weighed {
  /** One for each of the logs that signed it: one origin may have two keys. */
  readonly checkpoints: readonly VerifiedCheckpoint[];
  /** In the order of the policy. */
  readonly cosigned: readonly Cosigned[];
  /** The witnesses of the policy without a cosignature that holds. */
  readonly missing: readonly PolicyWitness[];
  readonly committed: boolean;
}

/**
 * Weighs a signed note.
 *
 * A cosignature that does not hold is as none, because anyone can add a line under any name (RULES
 * S6). The log's own line must hold, or the note is refused (RULES S1). Times are ignored, as
 * tlog-proof says ("Verifying"), unless `since` is given.
 * @param logs whose checkpoint it may be, in place of the policy's logs
 * @param since POSIX seconds: older cosignatures, and those without a time, do not count
 */
export function weigh({ note, policy, logs = policy.logs.map(({ log }) => log), since }: {
  note: Uint8Array | string;
  policy: Policy;
  logs?: readonly Log[] | undefined;
  since?: bigint | undefined;
}): Weighed | Refused {
  const opened = openNote({ note, logs });
  if ("refused" in opened) return opened;
  // All lines and not only those that no log has signed: a key may be a log's and a witness's.
  const { text, lines } = parseNote(note);
  const cosigners = policy.witnesses.map(({ cosigner }) => cosigner);
  const times = new Map<string, bigint>();
  for (const { vkey, time } of readCosignatures({ text, lines, cosigners })) {
    const before = times.get(vkey.text) ?? 0n;
    times.set(vkey.text, time > before ? time : before);
  }
  const timeOf = ({ cosigner }: PolicyWitness): bigint | undefined => times.get(cosigner.vkey.text);
  const cosigned = policy.witnesses.flatMap((witness) => {
    const time = timeOf(witness);
    if (time === undefined) return [];
    return [{ witness, time, counts: since === undefined || (time !== 0n && time >= since) }];
  });
  const counted = cosigned.filter(({ counts }) => counts)
    .map(({ witness }) => witness.cosigner.vkey.text);
  return {
    checkpoints: opened.checkpoints,
    cosigned,
    missing: policy.witnesses.filter((witness) => timeOf(witness) === undefined),
    committed: isCommitted(policy, new Set(counted)),
  };
}

/** Who stands behind two checkpoints of one origin and size that have different roots. */
export interface Contradiction {
  /** The logs that have signed both. Each has equivocated (RULES R2). */
  readonly logs: readonly Log[];
  /** The witnesses that have cosigned both, whenever. */
  readonly witnesses: readonly PolicyWitness[];
}

/**
 * Whether two notes contradict each other: one origin, one size, two roots. Roots are compared as
 * bytes: another spelling of a root is refused when it is read (RULES F1), and the same root is the
 * same head whatever else differs (RULES R5). So a witness that cosigned one head twice, seconds
 * apart, has done nothing.
 * @returns nothing if they do not
 */
export function contradictionOf(one: Weighed, other: Weighed): Contradiction | undefined {
  const [a] = one.checkpoints;
  const [b] = other.checkpoints;
  if (a!.log.origin !== b!.log.origin || a!.treeSize !== b!.treeSize) return undefined;
  if (a!.root === b!.root) return undefined;
  const signers = new Set(other.checkpoints.map(({ log }) => log.id));
  const cosigners = new Set(other.cosigned.map(({ witness }) => witness.cosigner.vkey.text));
  return {
    logs: one.checkpoints.map(({ log }) => log).filter(({ id }) => signers.has(id)),
    witnesses: one.cosigned.map(({ witness }) => witness)
      .filter(({ cosigner }) => cosigners.has(cosigner.vkey.text)),
  };
}

/**
 * The signed note of a Sigsum proof's tree head, with the cosignatures of the policy's witnesses:
 * the bytes that are signed are the same, and Sigsum names keys by their hashes. A cosignature of a
 * key that the policy does not list is left out.
 * @returns nothing if the proof is of none of these logs
 */
export function noteOfSigsumProof(
  { proof, policy, logs }: { proof: SigsumProof; policy: Policy; logs: readonly Log[] },
): string | undefined {
  const log = logs.find(({ origin }) => origin === proof.origin);
  if (log === undefined) return undefined;
  const { signature, cosignatures } = proof;
  const note = formatNote({ text: formatCheckpointText(proof), vkey: log.vkey, signature });
  const lines = cosignatures.flatMap(({ keyHash, time, signature }) =>
    policy.witnesses.map(({ cosigner }) => cosigner.vkey)
      .filter(({ type, publicKey }) =>
        type === SIGNATURE_TYPE.cosignature && sigsumKeyHash(publicKey) === keyHash
      )
      .map((vkey) =>
        `${formatSignatureLine({ vkey, signature: concat([uint64(time), signature]) })}\n`
      )
  );
  return note + lines.join("");
}

function uint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}
