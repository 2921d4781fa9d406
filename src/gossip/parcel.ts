/**
 * The parcel: what fits no frame, in either direction (PROTOCOL section 6).
 *
 *     0x81 | item…        item: uint8 kind | uint32 length, big-endian | that many bytes
 *
 * The first byte has the bit set that no frame's first byte has, and is the version. The kinds are in
 * kinds.ts. Here it is only bytes and items; nothing in an item is verified.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { MalformedError } from "../tlog/malformed.ts";
import type { Kind } from "./kind.ts";
import { type ItemKind, KINDS, type ParcelItem } from "./kinds.ts";
import type { ParcelLimits } from "./limits.ts";

/** The first bit of a frame is 0; a first byte with it set begins a parcel. */
export const PARCEL_BIT = 0x80;
/** First byte of a parcel: its bit, and the version in the other seven. */
export const PARCEL_VERSION = 0x81;

const VERSION_BITS = 0x7f;
/** Bytes in front of each item: its kind and its length. */
const HEADER_BYTES = 5;
/** What is first set aside for an item; more as it comes, so that a claimed length costs nothing. */
const FIRST_BUFFER_BYTES = 4_096;

const NAMES = new Map(
  Object.entries<Kind>(KINDS).map(([name, { byte }]) => [byte, name as ItemKind]),
);

/** A parcel of a version that is not spoken here; nobody's fault. */
export class UnknownParcelVersion extends Error {}

/** How many bytes an item of a kind may have; of an unknown kind, without one. */
function maxItemBytes(limits: ParcelLimits, kind: ItemKind | undefined): number {
  return kind === undefined ? limits.maxUnknownItemBytes : limits.kinds[kind].maxBytes;
}

/** What an item costs an address's allowance besides the bytes as such, in frames. */
export function itemCost(
  { kinds, jsonBytesPerFrame }: ParcelLimits,
  { kind, body }: ParcelItem,
): number {
  const { cost, isJson } = kinds[kind];
  return isJson ? cost + body.length / jsonBytesPerFrame : cost;
}

/** The bytes of a parcel. */
export function encodeParcel(items: readonly ParcelItem[]): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(PARCEL_VERSION)];
  for (const { kind, body } of items) {
    const header = new Uint8Array(HEADER_BYTES);
    header[0] = KINDS[kind].byte;
    new DataView(header.buffer).setUint32(1, body.length);
    parts.push(header, body);
  }
  return concat(parts);
}

/** Puts a parcel together within the limits of the other end, taken to be our own. */
export class ParcelPacker {
  readonly #limits: ParcelLimits;
  readonly items: ParcelItem[] = [];
  #bytes = 1;
  #cost = 0;

  constructor(limits: ParcelLimits) {
    this.#limits = limits;
  }

  /** Puts an item in; false if it does not fit any more. */
  add(item: ParcelItem): boolean {
    const limits = this.#limits;
    const bytes = HEADER_BYTES + item.body.length;
    const cost = bytes / limits.parcelBytesPerFrame + itemCost(limits, item);
    if (
      item.body.length > maxItemBytes(limits, item.kind) ||
      this.items.length >= limits.maxItemsPerParcel ||
      this.#bytes + bytes > limits.maxParcelBytes || this.#cost + cost > limits.maxParcelCost
    ) return false;
    this.items.push(item);
    this.#bytes += bytes;
    this.#cost += cost;
    return true;
  }
}

/** An item on its way in. */
interface Incoming {
  /** None if it is to be passed over. */
  readonly kind: ItemKind | undefined;
  readonly length: number;
  bytes: Uint8Array;
  /** How many bytes of it have come. */
  filled: number;
}

/** Takes a parcel apart as its bytes come. Memory grows with what has come, not with what is claimed. */
export class ParcelDecoder {
  readonly #limits: ParcelLimits;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerFilled = 0;
  #begun = false;
  #incoming: Incoming | undefined;
  #bytes = 0;
  #count = 0;

  constructor(limits: ParcelLimits) {
    this.#limits = limits;
  }

  /**
   * Takes in the next bytes and gives the items they complete, those of unknown kinds left out.
   * @throws UnknownParcelVersion; MalformedError if a limit is passed. Nothing more is to be taken then
   */
  *take(bytes: Uint8Array): Generator<ParcelItem, void> {
    const { maxParcelBytes } = this.#limits;
    this.#bytes += bytes.length;
    if (this.#bytes > maxParcelBytes) {
      throw new MalformedError(`the parcel has more than ${maxParcelBytes} bytes`);
    }
    let rest = bytes;
    if (!this.#begun && rest.length > 0) {
      checkVersion(rest[0]!);
      this.#begun = true;
      rest = rest.subarray(1);
    }
    while (rest.length > 0) {
      rest = this.#incoming === undefined ? this.#takeHeader(rest) : this.#takeBody(rest);
      if (this.#incoming === undefined || this.#incoming.filled < this.#incoming.length) continue;
      const { kind, bytes, length } = this.#incoming;
      this.#incoming = undefined;
      if (kind !== undefined) yield { kind, body: bytes.subarray(0, length) };
    }
  }

  /** @throws MalformedError if the parcel cannot end here */
  end(): void {
    if (!this.#begun) throw new MalformedError("no parcel came, expected its version at least");
    if (this.#incoming !== undefined) {
      const { filled, length } = this.#incoming;
      throw new MalformedError(
        `the parcel ends within an item, after ${filled} of ${length} bytes`,
      );
    }
    if (this.#headerFilled > 0) throw new MalformedError("the parcel ends within an item's length");
  }

  #takeHeader(bytes: Uint8Array): Uint8Array {
    const count = Math.min(HEADER_BYTES - this.#headerFilled, bytes.length);
    this.#header.set(bytes.subarray(0, count), this.#headerFilled);
    this.#headerFilled += count;
    if (this.#headerFilled === HEADER_BYTES) {
      this.#headerFilled = 0;
      this.#incoming = this.#openItem(this.#header);
    }
    return bytes.subarray(count);
  }

  #openItem(header: Uint8Array): Incoming {
    const { maxItemsPerParcel } = this.#limits;
    if (++this.#count > maxItemsPerParcel) {
      throw new MalformedError(`the parcel has more than ${maxItemsPerParcel} items`);
    }
    const kind = NAMES.get(header[0]!);
    const length = new DataView(header.buffer).getUint32(1);
    const most = maxItemBytes(this.#limits, kind);
    if (length > most) {
      const what = kind ?? `an item of the unknown kind ${header[0]}`;
      throw new MalformedError(`${what} of ${length} bytes is announced, expected at most ${most}`);
    }
    const bytes = new Uint8Array(kind === undefined ? 0 : Math.min(length, FIRST_BUFFER_BYTES));
    return { kind, length, bytes, filled: 0 };
  }

  #takeBody(bytes: Uint8Array): Uint8Array {
    const incoming = this.#incoming!;
    const count = Math.min(incoming.length - incoming.filled, bytes.length);
    if (incoming.kind !== undefined) {
      makeRoom(incoming, incoming.filled + count);
      incoming.bytes.set(bytes.subarray(0, count), incoming.filled);
    }
    incoming.filled += count;
    return bytes.subarray(count);
  }
}

function checkVersion(byte: number): void {
  if (byte === PARCEL_VERSION) return;
  throw new UnknownParcelVersion(
    `it speaks version ${byte & VERSION_BITS} of parcels, this program speaks ` +
      `${PARCEL_VERSION & VERSION_BITS}`,
  );
}

/** Makes room for `needed` bytes of an item, at least doubling it, never beyond its length. */
function makeRoom(incoming: Incoming, needed: number): void {
  if (needed <= incoming.bytes.length) return;
  const grown = new Uint8Array(
    Math.min(incoming.length, Math.max(needed, 2 * incoming.bytes.length)),
  );
  grown.set(incoming.bytes);
  incoming.bytes = grown;
}
