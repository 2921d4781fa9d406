/**
 * Verifier keys of C2SP signed-note: `name+hash+base64(type || key)`.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { base64, strictBase64, utf8 } from "./encoding.ts";
import { sha256 } from "./hashing.ts";
import { importEd25519Key } from "./ed25519.ts";
import { MalformedError, quoted } from "./malformed.ts";
import { importMlDsa44Key } from "./mldsa.ts";

/** Signature types of C2SP signed-note. */
export const SIGNATURE_TYPE = {
  ed25519: 0x01,
  ecdsa: 0x02,
  cosignature: 0x04,
  rfc6962: 0x05,
  mldsa44: 0x06,
} as const;

/** A parsed verifier key whose key id was checked against its name and key. */
export interface Vkey {
  /** The whole text. Two vkeys are equal exactly if their texts are. */
  readonly text: string;
  /** Key name: not empty, no Unicode space, no plus. */
  readonly name: string;
  /** The 32-bit key id. */
  readonly keyId: number;
  /** One of SIGNATURE_TYPE. */
  readonly type: number;
  /**
   * 32 bytes for Ed25519 and cosignatures, 1,312 for ML-DSA-44, an SPKI in DER for ECDSA and RFC
   * 6962. An SPKI was only checked not to be empty; `loadVerifier` checks the rest.
   */
  readonly publicKey: Uint8Array;
}

/** The rule for one type of key: what is checked when it is read, and what its id is a hash of. */
interface KeyRule {
  check(publicKey: Uint8Array): void;
  idInput(name: string, publicKey: Uint8Array): Uint8Array;
}

const KEY_RULES: ReadonlyMap<number, KeyRule> = new Map<number, KeyRule>([
  [SIGNATURE_TYPE.ed25519, { check: importEd25519Key, idInput: named(SIGNATURE_TYPE.ed25519) }],
  // ECDSA ids leave the name out: SHA-256 of the SPKI alone.
  [SIGNATURE_TYPE.ecdsa, { check: someBytes, idInput: (_name, spki) => spki }],
  [SIGNATURE_TYPE.cosignature, {
    check: importEd25519Key,
    idInput: named(SIGNATURE_TYPE.cosignature),
  }],
  // RFC 6962 ids hash the log id, which is SHA-256 of the SPKI.
  [SIGNATURE_TYPE.rfc6962, {
    check: someBytes,
    idInput: (name, spki) => named(SIGNATURE_TYPE.rfc6962)(name, sha256(spki)),
  }],
  [SIGNATURE_TYPE.mldsa44, { check: importMlDsa44Key, idInput: named(SIGNATURE_TYPE.mldsa44) }],
]);

/** `name LF type key`, which most types hash into their id (C2SP signed-note). */
function named(type: number): (name: string, key: Uint8Array) => Uint8Array {
  return (name, key) => concat([utf8(`${name}\n`), Uint8Array.of(type), key]);
}

function someBytes(publicKey: Uint8Array): void {
  if (publicKey.length === 0) throw new MalformedError("the public key is empty");
}

/**
 * Reads a vkey. It is split at the first two plus signs only, because base64 has plus signs too.
 *
 *     const vkey = parseVkey("sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8");
 *     // vkey.name is "sum.golang.org", vkey.keyId 0x033de0ae, vkey.type 0x01
 *
 * The key id is computed again, so a mistyped character is found. A vkey whose origin differs from
 * its name needs both: see `parseLog`.
 * @throws MalformedError naming the part that is wrong
 */
export function parseVkey(text: string): Vkey {
  const match = /^([^+]*)\+([^+]*)\+([^]*)$/.exec(text);
  if (match === null) {
    throw new MalformedError(
      `Cannot read vkey ${quoted(text)}: expected NAME+8 HEX DIGITS+BASE64, with two plus signs`,
    );
  }
  const [, name, id, encoded] = match as unknown as [string, string, string, string];
  try {
    checkKeyName(name);
    if (!/^[0-9a-f]{8}$/.test(id)) {
      throw new MalformedError(`key id is ${quoted(id)}, expected 8 lowercase hex digits`);
    }
    const typed = strictBase64(encoded);
    if (typed.length === 0) throw new MalformedError("the key part is empty");
    const vkey = makeVkey({ name, type: typed[0]!, publicKey: typed.slice(1) });
    if (vkey.text !== text) {
      throw new MalformedError(
        `key id is ${id}, but this name and key have ${
          formatKeyId(vkey.keyId)
        }; a character is wrong`,
      );
    }
    return vkey;
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`Cannot read vkey ${quoted(text)}: ${error.message}`);
  }
}

/**
 * Makes the vkey of a name and a public key.
 * @throws MalformedError for a bad name, an unknown type or a key that type does not allow
 */
export function makeVkey(
  { name, type, publicKey }: { name: string; type: number; publicKey: Uint8Array },
): Vkey {
  checkKeyName(name);
  const rule = KEY_RULES.get(type);
  if (rule === undefined) {
    throw new MalformedError(
      `signature type is 0x${type.toString(16).padStart(2, "0")}, expected one of ` +
        [...KEY_RULES.keys()].map((known) => `0x0${known.toString(16)}`).join(" "),
    );
  }
  rule.check(publicKey);
  const keyId = new DataView(sha256(rule.idInput(name, publicKey)).buffer).getUint32(0);
  const text = `${name}+${formatKeyId(keyId)}+${encodedKey({ type, publicKey })}`;
  return { text, name, keyId, type, publicKey };
}

/** A key as vkeys spell it: base64 of the type byte and the key. */
export function encodedKey(
  { type, publicKey }: { type: number; publicKey: Uint8Array },
): string {
  return base64(concat([Uint8Array.of(type), publicKey]));
}

/** A key id as vkeys spell it: 8 lowercase hex digits. */
export function formatKeyId(keyId: number): string {
  return keyId.toString(16).padStart(8, "0");
}

/**
 * Checks a key name (C2SP signed-note: not empty, no Unicode space, no plus).
 * @throws MalformedError naming the rule it breaks
 */
export function checkKeyName(name: string): void {
  if (name === "") throw new MalformedError("the key name is empty");
  // White_Space is Unicode's list; JavaScript's \s lacks U+0085, which Go's unicode.IsSpace has.
  if (/[\p{White_Space}\p{Cc}+]/u.test(name) || !name.isWellFormed()) {
    throw new MalformedError(
      `key name is ${quoted(name)}, expected no spaces, plus signs or control characters`,
    );
  }
}
