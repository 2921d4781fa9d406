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
import { secondOpinion } from "../evidence/second_opinion.ts";
import { type Cosignature, readCosignatures } from "../tlog/cosignature.ts";
import { utf8 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { formatNote, parseNote } from "../tlog/note.ts";
import { formatSignatureLine, readSignatureLine } from "../tlog/signature_line.ts";
import { sigsumKeyHash } from "../tlog/sigsum.ts";
import type { SigsumProof } from "../tlog/sigsum_proof.ts";
import { SIGNATURE_TYPE, type Vkey } from "../tlog/vkey.ts";
import { isCommitted, type Policy, type PolicyWitness } from "./policy.ts";

/** A witness whose cosignature on a checkpoint holds. */
export interface Cosigned {
  readonly witness: PolicyWitness;
  /**
   * When, in POSIX seconds, as the witness states it; the latest, if it has cosigned several times.
   * 0 means that it does not say that it has seen no larger tree.
   */
  readonly time: bigint;
  /** Its signature line. */
  readonly line: string;
  /** Whether it is counted: it is not older than was asked for. */
  readonly counts: boolean;
}

/** A note that a log of the policy has signed, and who has cosigned it. */
export interface Weighed {
  /** One for each of the logs that signed it: one origin may have two keys. */
  readonly checkpoints: readonly VerifiedCheckpoint[];
  /** The note's text, extension lines included. */
  readonly text: string;
  /** In the order of the policy. */
  readonly cosigned: readonly Cosigned[];
  /** The witnesses of the policy without a cosignature that holds. */
  readonly missing: readonly PolicyWitness[];
  readonly committed: boolean;
  /** The logs that signed it and are frozen. Nothing of them is committed, whoever cosigned it. */
  readonly frozen: readonly Log[];
}

/**
 * Weighs a signed note.
 *
 * A cosignature that does not hold is as none, because anyone can add a line under any name (RULES
 * S6). The log's own line must hold, or the note is refused (RULES S1). Times are ignored, as
 * tlog-proof says ("Verifying"), unless `since` is given.
 * @param logs whose checkpoint it may be, in place of the policy's logs
 * @param since POSIX seconds: older cosignatures, and those without a time, do not count
 * @param isFrozen whether nothing of a log is accepted now
 */
export function weigh({
  note,
  policy,
  logs = policy.logs.map(({ log }) => log),
  since,
  isFrozen = () => false,
}: {
  note: Uint8Array | string;
  policy: Policy;
  logs?: readonly Log[] | undefined;
  since?: bigint | undefined;
  isFrozen?: ((log: Log) => boolean) | undefined;
}): Weighed | Refused {
  const opened = openNote({ note, logs });
  if ("refused" in opened) return opened;
  // All lines and not only those that no log has signed: a key may be a log's and a witness's.
  const { text, lines } = parseNote(note);
  const cosigners = policy.witnesses.map(({ cosigner }) => cosigner);
  const latest = new Map<string, Cosignature>();
  for (const one of readCosignatures({ text, lines, cosigners })) {
    const before = latest.get(one.vkey.text);
    if (before === undefined || one.time > before.time) latest.set(one.vkey.text, one);
  }
  const of = ({ cosigner }: PolicyWitness) => latest.get(cosigner.vkey.text);
  const cosigned = policy.witnesses.flatMap((witness) => {
    const found = of(witness);
    if (found === undefined) return [];
    const { time, line } = found;
    const counts = since === undefined || (time !== 0n && time >= since);
    return [{ witness, time, line, counts }];
  });
  const frozen = opened.checkpoints.map(({ log }) => log).filter(isFrozen);
  const counted = cosigned.filter(({ counts }) => counts)
    .map(({ witness }) => witness.cosigner.vkey.text);
  return {
    ...{ checkpoints: opened.checkpoints, text, cosigned },
    missing: policy.witnesses.filter((witness) => of(witness) === undefined),
    committed: frozen.length === 0 && isCommitted(policy, new Set(counted)),
    frozen,
  };
}

/** Who stands behind two checkpoints of one origin and size that have different roots. */
export interface Contradiction {
  /** The logs that have signed both. Each has equivocated (RULES R2). */
  readonly logs: readonly Log[];
  /** The witnesses that have cosigned both, whenever. */
  readonly witnesses: readonly PolicyWitness[];
  /** The keys that would be named, but two implementations differ about a signature (RULES S9). */
  readonly disputed: readonly Vkey[];
}

/**
 * Whether two notes contradict each other: one origin, one size, two roots. Roots are compared as
 * bytes: another spelling of a root is refused when it is read (RULES F1), and the same root is the
 * same head whatever else differs (RULES R5). So a witness that cosigned one head twice, seconds
 * apart, has done nothing.
 * @param opinion the second implementation, which must agree
 * @returns nothing if they do not
 */
export function contradictionOf(
  [one, other]: readonly [Weighed, Weighed],
  opinion: typeof secondOpinion = secondOpinion,
): Contradiction | undefined {
  const [a] = one.checkpoints;
  const [b] = other.checkpoints;
  if (a!.log.origin !== b!.log.origin || a!.treeSize !== b!.treeSize) return undefined;
  if (a!.root === b!.root) return undefined;
  const logs = one.checkpoints.map(({ log }) => log)
    .filter(({ id }) => other.checkpoints.some(({ log }) => log.id === id));
  const witnesses = one.cosigned.map(({ witness }) => witness)
    .filter((witness) => other.cosigned.some((cosigned) => cosigned.witness === witness));
  const holds = (vkey: Vkey): boolean =>
    [one, other].every((weighed) => {
      const message = utf8(weighed.text);
      const signature = signatureOf(vkey, weighed);
      return opinion(vkey)?.verifies({ message, signature }) ?? true;
    });
  const vkeys = [
    ...logs.map(({ vkey }) => vkey),
    ...witnesses.map(({ cosigner }) => cosigner.vkey),
  ];
  const disputed = vkeys.filter((vkey) => !holds(vkey));
  return {
    logs: logs.filter(({ vkey }) => !disputed.includes(vkey)),
    witnesses: witnesses.filter(({ cosigner }) => !disputed.includes(cosigner.vkey)),
    disputed,
  };
}

/** The signature of a log or a witness that has signed. */
function signatureOf(vkey: Vkey, { checkpoints, cosigned }: Weighed): Uint8Array {
  const ofLog = checkpoints.find(({ log }) => log.vkey.text === vkey.text);
  if (ofLog !== undefined) return ofLog.signature;
  const { line } = cosigned.find(({ witness }) => witness.cosigner.vkey.text === vkey.text)!;
  return readSignatureLine(line)!.signature;
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
