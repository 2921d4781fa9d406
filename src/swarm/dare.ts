/**
 * DARE, the format of data at rest of MinIO (github.com/minio/sio, DARE.md): a sequence of packages,
 * each sealed for itself. Version 2.0 is written and read, version 1.0 is read only.
 *
 *     package = header (16 bytes) | payload (1 to 65,536 bytes) | tag (16 bytes)
 *     header  = version | cipher | payload length - 1 (uint16) | nonce (12 bytes)
 *
 * Numbers are little-endian. The first 4 bytes of the header are authenticated as they are, and the
 * other 12 are, or make, the nonce. So no bit of a package can change unnoticed. What the nonce is
 * differs:
 *
 * - 1.0: the number of the package (uint32), then 8 bytes that all packages share. Nothing says which
 *   package is the last, so nobody notices when packages are cut off at the end.
 * - 2.0: 12 bytes that all packages share, with the highest bit of the first one set in the last
 *   package alone. What is sealed under has its last 4 bytes XORed with the number of the package.
 *   All packages but the last are full.
 *
 * One key seals one stream: two streams under one key could exchange their packages.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { MalformedError } from "../tlog/malformed.ts";
import { type Cipher, openRaw, type RawSealing, sealRaw, TAG_BYTES } from "../world/aead.ts";

/** Bytes of a header. */
export const HEADER_BYTES = 16;
/** Bytes of a nonce in a header of 2.0. */
export const NONCE_BYTES = 12;
/** Most bytes that one package carries. */
export const MAX_PAYLOAD_BYTES = 65_536;
/** Bytes of the longest package. */
export const MAX_PACKAGE_BYTES = HEADER_BYTES + MAX_PAYLOAD_BYTES + TAG_BYTES;
/** Most packages of a stream: their numbers are uint32. It is 256 TiB. */
export const MAX_PACKAGES = 2 ** 32;

/** The versions, as the first byte of a header. */
export const VERSION = { v1: 0x10, v2: 0x20 } as const;

/** The ciphers, by the second byte of a header. */
const CIPHERS: readonly Cipher["algorithm"][] = ["aes-256-gcm", "chacha20-poly1305"];

/** In the first byte of the nonce: this package is the last (2.0). */
const FINAL_FLAG = 0x80;
/** Where a package's number is XORed into the nonce (2.0). */
const NUMBER_AT = NONCE_BYTES - 4;
/** How far from its place a package is looked for, to say that it was moved (2.0). */
const MOST_PLACES = 16;

/** Why a stream of packages is refused. */
export type DareFault =
  | "unknown version"
  | "version changed"
  | "unknown cipher"
  | "cipher changed"
  /** 2.0: it is not the last, and not full */
  | "short package"
  /** it has the nonce of another stream */
  | "nonce changed"
  | "out of order"
  /** the key is another, or a bit was changed */
  | "not authentic"
  | "truncated"
  | "data after the end"
  | "too long"
  /** DARE has no package without a payload */
  | "empty";

/** A stream of packages is refused; the message says which package, and why. */
export class DareRefused extends MalformedError {
  readonly fault: DareFault;
  /** Of the package, from 0. */
  readonly number: number;

  constructor(
    { fault, number, detail }: { fault: DareFault; number: number; detail: string },
  ) {
    super(`package ${number + 1} of the sealed data ${detail}`);
    this.fault = fault;
    this.number = number;
  }
}

/** How a stream is sealed. */
export interface DareSealing {
  /** 32 bytes, for this stream alone. */
  readonly key: Uint8Array;
  /** 12 random bytes. */
  readonly nonce: Uint8Array;
  /** By default AES-256-GCM. */
  readonly algorithm?: Cipher["algorithm"];
  /** By default `MAX_PACKAGES`. */
  readonly maxPackages?: number;
}

/**
 * Seals a stream, piece by piece. It holds back up to one payload, since it must know which package is
 * the last.
 */
export class DareWriter {
  readonly #key: Uint8Array;
  readonly #nonce: Uint8Array;
  readonly #cipher: number;
  readonly #maxPackages: number;
  readonly #payload = new Uint8Array(MAX_PAYLOAD_BYTES);
  #filled = 0;
  #number = 0;

  constructor(
    { key, nonce, algorithm = "aes-256-gcm", maxPackages = MAX_PACKAGES }: DareSealing,
  ) {
    if (nonce.length !== NONCE_BYTES) throw new RangeError(`a nonce of ${nonce.length} bytes`);
    this.#key = key;
    this.#nonce = nonce;
    this.#cipher = CIPHERS.indexOf(algorithm);
    this.#maxPackages = maxPackages;
  }

  /**
   * Takes more of the stream.
   * @returns the packages that are full by now, which may be nothing
   * @throws DareRefused, `too long`
   */
  write(chunk: Uint8Array): Uint8Array {
    const packages: Uint8Array[] = [];
    for (let at = 0; at < chunk.length;) {
      // More follows, so this one is not the last.
      if (this.#filled === MAX_PAYLOAD_BYTES) packages.push(this.#package({ isFinal: false }));
      const taken = chunk.subarray(at, at + MAX_PAYLOAD_BYTES - this.#filled);
      this.#payload.set(taken, this.#filled);
      this.#filled += taken.length;
      at += taken.length;
    }
    return concat(packages);
  }

  /**
   * Ends the stream.
   * @returns the last package
   * @throws DareRefused, `empty` if there was nothing to seal
   */
  finish(): Uint8Array {
    if (this.#filled === 0) throw this.#fault("empty", "would hold nothing");
    return this.#package({ isFinal: true });
  }

  #package({ isFinal }: { isFinal: boolean }): Uint8Array {
    if (this.#number >= this.#maxPackages) {
      throw this.#fault("too long", `is one too many: ${this.#maxPackages} fit`);
    }
    const header = new Uint8Array(HEADER_BYTES);
    header.set([VERSION.v2, this.#cipher]);
    new DataView(header.buffer).setUint16(2, this.#filled - 1, true);
    header.set(this.#nonce, HEADER_BYTES - NONCE_BYTES);
    header[4] = isFinal ? header[4]! | FINAL_FLAG : header[4]! & ~FINAL_FLAG;
    const plaintext = this.#payload.subarray(0, this.#filled);
    const sealed = sealRaw({ ...sealingOf(header, this.#key, this.#number), plaintext });
    this.#filled = 0;
    this.#number++;
    return concat([header, sealed]);
  }

  #fault(fault: DareFault, detail: string): DareRefused {
    return new DareRefused({ fault, number: this.#number, detail });
  }
}

/** How a package is sealed, by its header and, in 2.0, by its number. */
function sealingOf(header: Uint8Array, key: Uint8Array, number: number): RawSealing {
  const nonce = header.slice(HEADER_BYTES - NONCE_BYTES);
  if (header[0] === VERSION.v2) {
    const view = new DataView(nonce.buffer);
    view.setUint32(NUMBER_AT, view.getUint32(NUMBER_AT, true) ^ number, true);
  }
  return { algorithm: CIPHERS[header[1]!]!, key, nonce, data: header.slice(0, 4) };
}

/** How long a package is, by its header. */
function packageBytes(header: Uint8Array): number {
  return HEADER_BYTES + payloadBytes(header) + TAG_BYTES;
}

function payloadBytes(header: Uint8Array): number {
  return (header[2]! | header[3]! << 8) + 1;
}

/** Whether this header says that its package is the last (2.0). */
function isLast(header: Uint8Array): boolean {
  return header[0] === VERSION.v2 && (header[4]! & FINAL_FLAG) !== 0;
}

/** The part of a header that is the same in each package of a stream. */
function sharedNonce(header: Uint8Array): Uint8Array {
  if (header[0] === VERSION.v1) return header.slice(8, HEADER_BYTES);
  const nonce = header.slice(HEADER_BYTES - NONCE_BYTES, HEADER_BYTES);
  nonce[0]! &= ~FINAL_FLAG;
  return nonce;
}

/**
 * Opens a stream, piece by piece. It keeps one package, and hands on what is in it once the whole
 * package is authenticated. Whoever is handed something must not take it for the whole before
 * `finish` has returned.
 */
export class DareReader {
  readonly #key: Uint8Array;
  readonly #maxPackages: number;
  readonly #package = new Uint8Array(MAX_PACKAGE_BYTES);
  #filled = 0;
  #number = 0;
  #isFinished = false;
  /** The header of the first package. */
  #first: Uint8Array | undefined;
  /** Why the stream was refused: it stays so. */
  #refused: DareRefused | undefined;

  constructor(
    { key, maxPackages = MAX_PACKAGES }: {
      readonly key: Uint8Array;
      readonly maxPackages?: number;
    },
  ) {
    this.#key = key;
    this.#maxPackages = maxPackages;
  }

  /**
   * Whether the stream says itself where it ends. A stream of 1.0 does not: packages may be missing at
   * its end.
   */
  get showsItsEnd(): boolean {
    return this.#first?.[0] !== VERSION.v1;
  }

  /**
   * Takes more of the stream.
   * @returns what was in the packages that are whole by now, which may be nothing
   * @throws DareRefused
   */
  read(chunk: Uint8Array): Uint8Array {
    return this.#orStayRefused(() => this.#read(chunk));
  }

  /** Ends the stream. @throws DareRefused, `truncated` if its end is missing */
  finish(): void {
    this.#orStayRefused(() => {
      if (this.#filled > 0) throw this.#fault("truncated", "is cut off");
      if (this.#isFinished || !this.showsItsEnd) return;
      throw this.#fault("truncated", "is missing: the end was cut off");
    });
  }

  #orStayRefused<T>(work: () => T): T {
    if (this.#refused !== undefined) throw this.#refused;
    try {
      return work();
    } catch (error) {
      if (error instanceof DareRefused) this.#refused = error;
      throw error;
    }
  }

  #read(chunk: Uint8Array): Uint8Array {
    const opened: Uint8Array[] = [];
    for (let at = 0; at < chunk.length;) {
      if (this.#isFinished) {
        throw this.#fault("data after the end", "follows the one that is marked as the last");
      }
      const hasHeader = this.#filled >= HEADER_BYTES;
      const wanted = hasHeader ? packageBytes(this.#package) : HEADER_BYTES;
      const taken = chunk.subarray(at, at + wanted - this.#filled);
      this.#package.set(taken, this.#filled);
      this.#filled += taken.length;
      at += taken.length;
      if (this.#filled < wanted) break;
      if (hasHeader) opened.push(this.#open());
      else this.#checkHeader(this.#package.slice(0, HEADER_BYTES));
    }
    return concat(opened);
  }

  #fault(fault: DareFault, detail: string): DareRefused {
    return new DareRefused({ fault, number: this.#number, detail });
  }

  /** Refuses what can be told from a header alone, before anything is decrypted. */
  #checkHeader(header: Uint8Array): void {
    const [version, cipher] = [header[0]!, header[1]!];
    const [is1, is2] = [version === VERSION.v1, version === VERSION.v2];
    const first = this.#first ??= header;
    if (!is1 && !is2) {
      throw this.#fault("unknown version", `has version ${version}, expected 32 (2.0) or 16 (1.0)`);
    }
    if (version !== first[0]) {
      throw this.#fault("version changed", "has another version than the first");
    }
    if (CIPHERS[cipher] === undefined) {
      throw this.#fault("unknown cipher", `has cipher ${cipher}, expected 0 or 1`);
    }
    // 1.0 says that the cipher "should" be the same; its golden packages alternate.
    if (is2 && cipher !== first[1]) {
      throw this.#fault("cipher changed", "has another cipher than the first");
    }
    if (is2 && !isLast(header) && payloadBytes(header) !== MAX_PAYLOAD_BYTES) {
      throw this.#fault("short package", "is not full, and not the last");
    }
    if (!equals(sharedNonce(header), sharedNonce(first))) {
      throw this.#fault("nonce changed", "is of another stream: it has another nonce");
    }
    if (this.#number >= this.#maxPackages) {
      throw this.#fault("too long", `is one too many: expected at most ${this.#maxPackages}`);
    }
    if (is1) this.#expectNumber(new DataView(header.buffer).getUint32(4, true));
  }

  #expectNumber(number: number): void {
    if (number === this.#number) return;
    throw this.#fault("out of order", `says that it is package ${number + 1}`);
  }

  /** Opens the package that is whole now. */
  #open(): Uint8Array {
    const opened = this.#openAs(this.#number);
    if (opened === undefined) {
      const place = this.#placeElsewhere();
      if (place !== undefined) this.#expectNumber(place);
      throw this.#fault("not authentic", "was not sealed with this key, or was changed");
    }
    this.#isFinished = isLast(this.#package);
    this.#filled = 0;
    this.#number++;
    return opened;
  }

  #openAs(number: number): Uint8Array | undefined {
    const header = this.#package.subarray(0, HEADER_BYTES);
    const message = this.#package.subarray(HEADER_BYTES, this.#filled);
    return openRaw({ ...sealingOf(header, this.#key, number), message });
  }

  /** The number under which a package of 2.0 was sealed, if it was moved from a place near by. */
  #placeElsewhere(): number | undefined {
    if (this.#package[0] !== VERSION.v2) return undefined;
    for (let distance = 1; distance <= MOST_PLACES; distance++) {
      for (const number of [this.#number - distance, this.#number + distance]) {
        if (number >= 0 && this.#openAs(number) !== undefined) return number;
      }
    }
    return undefined;
  }
}

/** Seals all of a stream at once. @throws DareRefused, `empty` if it is empty */
export function sealBytes(plaintext: Uint8Array, sealing: DareSealing): Uint8Array {
  const writer = new DareWriter(sealing);
  return concat([writer.write(plaintext), writer.finish()]);
}

/** Opens all of a stream at once. @throws DareRefused */
export function openBytes(sealed: Uint8Array, key: Uint8Array): Uint8Array {
  const reader = new DareReader({ key });
  const opened = reader.read(sealed);
  reader.finish();
  return opened;
}
