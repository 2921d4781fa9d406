import { encodeHex } from "@std/encoding/hex";
import { sha256 } from "./hashing.ts";

/** The hash by which Sigsum names a public key: SHA-256 of its 32 bytes, in hex. */
export function sigsumKeyHash(publicKey: Uint8Array): string {
  return encodeHex(sha256(publicKey));
}

/** The origin of a Sigsum log, which follows from its key. */
export function sigsumOrigin(publicKey: Uint8Array): string {
  return `sigsum.org/v1/tree/${sigsumKeyHash(publicKey)}`;
}
