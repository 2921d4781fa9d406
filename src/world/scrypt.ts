import { scrypt } from "node:crypto";
import { type PassphraseKeys, WorldError } from "./world.ts";

/** Keys out of passphrases: scrypt over the platform's crypto. */
export const scryptKeys: PassphraseKeys = {
  key({ passphrase, salt, cost, length }) {
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
  },
};
