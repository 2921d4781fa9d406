/**
 * Files sealed under a passphrase, as `ncrypt` of github.com/minio/sio makes and opens them:
 *
 *     salt (32 random bytes) | packages of DARE
 *
 * The key is scrypt of the passphrase and the salt. A new salt for each file makes a new key for each
 * file, which DARE asks for. Nothing at the start says that a file is sealed; `looksSealed` goes by the
 * header of the first package.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { MalformedError } from "../tlog/malformed.ts";
import { TAG_BYTES } from "../world/aead.ts";
import type { ScryptCost, World } from "../world/world.ts";
import { DareReader, DareRefused, DareWriter, HEADER_BYTES, NONCE_BYTES, VERSION } from "./dare.ts";

/** Bytes of the salt, at the start of a sealed file. */
export const SALT_BYTES = 32;
/** Bytes of a sealed file that has one byte in it. There is no shorter one. */
export const LEAST_SEALED_BYTES = SALT_BYTES + HEADER_BYTES + 1 + TAG_BYTES;
/** What ncrypt gives to scrypt: 64 MiB, and about a fifth of a second. */
const COST: ScryptCost = { N: 32_768, r: 16, p: 1 };
const KEY_BYTES = 32;

/** The first package of a sealed file does not open with the key of this passphrase. */
export class WrongPassphrase extends MalformedError {
  constructor() {
    super("the passphrase is wrong, or the file was changed");
  }
}

/** Whether these are the first bytes of a sealed file: a salt and the header of a package. */
export function looksSealed(head: Uint8Array): boolean {
  if (head.length < LEAST_SEALED_BYTES) return false;
  const [version, cipher] = head.subarray(SALT_BYTES) as unknown as [number, number];
  return (version === VERSION.v2 || version === VERSION.v1) && cipher <= 1;
}

/** What opening takes of the world. */
type Opening = Pick<World, "passphrases">;
/** What sealing takes of it. */
type Sealing = Pick<World, "passphrases" | "random">;

function keyFor(
  { passphrases }: Opening,
  { passphrase, salt }: { passphrase: Uint8Array; salt: Uint8Array },
): Promise<Uint8Array> {
  return passphrases.key({ passphrase, salt, cost: COST, length: KEY_BYTES });
}

/** Bytes, piece by piece. A piece is valid until the next one is asked for. */
export type Chunks = AsyncIterable<Uint8Array>;

/**
 * Seals a file, piece by piece.
 * @throws DareRefused, `empty` if there is nothing in it
 */
export async function* sealChunks(
  { chunks, passphrase, world }: { chunks: Chunks; passphrase: Uint8Array; world: Sealing },
): AsyncGenerator<Uint8Array, void> {
  const salt = world.random.bytes(SALT_BYTES);
  const key = await keyFor(world, { passphrase, salt });
  const writer = new DareWriter({ key, nonce: world.random.bytes(NONCE_BYTES) });
  yield salt;
  for await (const chunk of chunks) yield writer.write(chunk);
  yield writer.finish();
}

/**
 * Opens a sealed file, piece by piece. What it yields is authentic; that it is all is known only when
 * this has ended without an error.
 * @param onNoEnd called at the end if the file does not show its end: it is of version 1.0, and packages
 *   may be missing there
 * @throws WrongPassphrase, DareRefused
 */
export async function* openChunks(
  { chunks, passphrase, world, onNoEnd = () => {} }: {
    chunks: Chunks;
    passphrase: Uint8Array;
    world: Opening;
    onNoEnd?: () => void;
  },
): AsyncGenerator<Uint8Array, void> {
  let salt = new Uint8Array(0);
  let reader: DareReader | undefined;
  try {
    for await (const chunk of chunks) {
      const rest = chunk.subarray(SALT_BYTES - salt.length);
      if (salt.length < SALT_BYTES) salt = concat([salt, chunk]).slice(0, SALT_BYTES);
      if (salt.length < SALT_BYTES) continue;
      reader ??= new DareReader({ key: await keyFor(world, { passphrase, salt }) });
      yield reader.read(rest);
    }
    if (reader === undefined) {
      throw new DareRefused({ fault: "truncated", number: 0, detail: "is missing: it is cut off" });
    }
    reader.finish();
  } catch (error) {
    const isFirst = error instanceof DareRefused && error.number === 0;
    throw isFirst && error.fault === "not authentic" ? new WrongPassphrase() : error;
  }
  if (!reader.showsItsEnd) onNoEnd();
}

/** Seals what is short, at once. @throws DareRefused, `empty` */
export async function sealShort(
  { plaintext, ...how }: { plaintext: Uint8Array; passphrase: Uint8Array; world: Sealing },
): Promise<Uint8Array> {
  return concat(await Array.fromAsync(sealChunks({ chunks: once(plaintext), ...how })));
}

/** Opens what is short, at once. @throws WrongPassphrase, DareRefused */
export async function openShort(
  { sealed, ...how }: { sealed: Uint8Array; passphrase: Uint8Array; world: Opening },
): Promise<Uint8Array> {
  return concat(await Array.fromAsync(openChunks({ chunks: once(sealed), ...how })));
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield await Promise.resolve(bytes);
}
