/**
 * Keys out of passphrases: scrypt (RFC 7914) over the platform's crypto.
 *
 * @module
 */
import { scrypt } from "node:crypto";
import { WorldError } from "./world.ts";

/** How costly a key is to make, and so a passphrase to guess. */
export interface ScryptCost {
  /** N: how often memory is gone over; a power of two. */
  readonly N: number;
  /** Block size. */
  readonly r: number;
  /** How many times all of it is done. */
  readonly p: number;
}

/**
 * Makes a key out of a passphrase. It takes 128 * N * r bytes of memory, and happens beside the event
 * loop.
 * @param length bytes of the key
 * @throws WorldError if there is not enough memory
 */
export function keyOfPassphrase(
  { passphrase, salt, cost, length }: {
    passphrase: Uint8Array;
    salt: Uint8Array;
    cost: ScryptCost;
    length: number;
  },
): Promise<Uint8Array> {
  // The platform refuses more than 32 MiB unless it is told. Twice what is needed leaves it room.
  const maxmem = 2 * 128 * cost.N * cost.r;
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, length, { ...cost, maxmem }, (error, key) => {
      if (error === null) return resolve(new Uint8Array(key));
      reject(
        new WorldError("exhausted", `cannot make a key out of a passphrase: ${error.message}`),
      );
    });
  });
}
