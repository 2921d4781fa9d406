import { encodeHex } from "@std/encoding/hex";
import { HASH_BYTES } from "../tlog/hashing.ts";

/**
 * A list of hashes, one after the other, as a stranger sent them. It answers whether a hash is in
 * it. No object is made for each hash: a list has thousands, and almost none of them is ever looked
 * up.
 */
export class HashList {
  readonly #bytes: Uint8Array;
  #places: Places | undefined;

  /** @param bytes whole hashes of 32 bytes; not to be changed */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** @param hash 64 lower-case hex digits */
  has(hash: string): boolean {
    const { last, before } = this.#places ??= placesOf(this.#bytes);
    let place = last.get(Number.parseInt(hash.slice(0, 8), 16)) ?? NOWHERE;
    for (; place !== NOWHERE; place = before[place]!) {
      const at = place * HASH_BYTES;
      if (encodeHex(this.#bytes.subarray(at, at + HASH_BYTES)) === hash) return true;
    }
    return false;
  }
}

/**
 * For each value of the first four bytes: the place of the last hash that has it. For each hash:
 * the place of the one before it with the same value.
 */
interface Places {
  readonly last: ReadonlyMap<number, number>;
  readonly before: Int32Array;
}

const NOWHERE = -1;

function placesOf(bytes: Uint8Array): Places {
  const judge = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const last = new Map<number, number>();
  const before = new Int32Array(bytes.length / HASH_BYTES);
  for (let place = 0; place < before.length; place++) {
    const beginning = judge.getUint32(place * HASH_BYTES);
    before[place] = last.get(beginning) ?? NOWHERE;
    last.set(beginning, place);
  }
  return { last, before };
}
