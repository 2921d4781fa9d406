/** Policies made here, with keys that can sign. */
import { parsePolicy, type Policy } from "../../src/authority/policy.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { ed25519Cosigner, mldsaCosigner, type SigningCosigner } from "../tlog/cosigners.ts";

/** Reads the policy of these lines. */
export function policyOf(...lines: readonly string[]): Policy {
  return parsePolicy(utf8(lines.map((line) => `${line}\n`).join("")));
}

/** A witness of a policy, and its line. */
export interface MadeWitness extends SigningCosigner {
  readonly vkey: string;
  /** `witness NAME VKEY` */
  readonly defined: string;
}

/** A new witness, which the policy calls `name`. */
export function witness(
  name: string,
  { keyName = `${name}.invalid`, mldsa = false }: { keyName?: string; mldsa?: boolean } = {},
): MadeWitness {
  const made = mldsa ? mldsaCosigner(keyName) : ed25519Cosigner(keyName);
  const vkey = made.cosigner.vkey.text;
  return { ...made, vkey, defined: `witness ${name} ${vkey}` };
}

/** So many witnesses, W1 and on. */
export function witnesses(count: number): MadeWitness[] {
  return Array.from({ length: count }, (_, i) => witness(`W${i + 1}`));
}

/** The vkeys of some witnesses, as `isCommitted` takes them. */
export function vkeysOf(...made: readonly MadeWitness[]): Set<string> {
  return new Set(made.map(({ vkey }) => vkey));
}
