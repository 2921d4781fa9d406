/**
 * A witness that lies: it signs whatever it is asked to, with any time.
 *
 * @module
 */
import type { CosigningKey } from "../../../src/authority/cosigning.ts";
import { ed25519CosignedMessage, formatCosignature } from "../../../src/tlog/cosignature.ts";
import { SIGNATURE_TYPE } from "../../../src/tlog/vkey.ts";
import type { Draw } from "../draw.ts";
import { signing } from "../signing.ts";
import type { Ledger } from "./ledger.ts";

/** A key of a witness, with its seed. */
export interface SeededKey {
  readonly key: CosigningKey;
  readonly seed: Uint8Array<ArrayBuffer>;
}

/** The largest time of a cosignature, far in the future. */
const LAST_TIME = 2n ** 63n - 1n;

/** One operator that lies, with all of its keys. */
export class Liar {
  readonly name: string;
  readonly #keys: readonly SeededKey[];
  readonly #ledger: Ledger;

  constructor(
    { name, keys, ledger }: { name: string; keys: readonly SeededKey[]; ledger: Ledger },
  ) {
    this.name = name;
    this.#keys = keys;
    this.#ledger = ledger;
  }

  /** Cosigns a text with all of its keys. @param time POSIX seconds, at least 1 */
  async sign(text: string, time: bigint): Promise<void> {
    for (const { key } of this.#keys) {
      const line = await key.cosign({ text, time });
      this.#ledger.cosigned({ vkey: key.vkey, text, time, line });
    }
  }

  /** Cosigns a text with one key, with a time that no honest witness would state. */
  async signOddly(draw: Draw, text: string): Promise<void> {
    const { key, seed } = draw.pick(this.#keys);
    const time = draw.pick([0n, 1n, LAST_TIME, 1_700_000_000n, 1_900_000_000n]);
    const isEd25519 = key.vkey.type === SIGNATURE_TYPE.cosignature;
    if (time === 0n && !isEd25519) return;
    const line = time > 0n ? await key.cosign({ text, time }) : formatCosignature({
      ...{ vkey: key.vkey, time },
      signature: await signing.sign(seed, ed25519CosignedMessage({ text, time })),
    });
    this.#ledger.cosigned({ vkey: key.vkey, text, time, line });
  }
}
