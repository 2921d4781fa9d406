/**
 * The parcel, which carries what fits no frame, in either direction (PROTOCOL section 6).
 *
 *     0x81 | item…        item: uint8 kind | uint32 length, big-endian | that many bytes
 *
 * In the first byte the first bit is set, which is 0 in every frame. Its other bits are the
 * version. The kinds are in kinds.ts. This file knows only bytes and items, and verifies nothing in
 * an item.
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
/**
 * Bytes first allocated for an item. More are allocated as they come, so a claimed length costs
 * nothing.
 */
const FIRST_BUFFER_BYTES = 4_096;

const NAMES = new Map(
  Object.entries<Kind>(KINDS).map(([name, { byte }]) => [byte, name as ItemKind]),
);

/** A parcel of a version that this program does not know. That is nobody's fault. */
export class UnknownParcelVersion extends Error {}

/** How many bytes an item of a kind may have. Without a kind: an item of an unknown kind. */
function maxItemBytes(limits: ParcelLimits, kind: ItemKind | undefined): number {
  return kind === undefined ? limits.maxUnknownItemBytes : limits.kinds[kind].maxBytes;
}

/** How much an item takes of an address's allowance, in frames, besides the price of its bytes. */
export function itemCost(
  { kinds, jsonBytesPerFrame }: ParcelLimits,
  { kind, body }: ParcelItem,
): number {
  const { cost, isJson, lookUpBytes = Infinity } = kinds[kind];
  const lookUps = body.length / lookUpBytes;
  return cost + lookUps + (isJson ? body.length / jsonBytesPerFrame : 0);
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

/**
 * Puts a parcel together within the limits of the other end. It assumes that those equal our own.
 */
export class ParcelPacker {
  readonly #limits: ParcelLimits;
  readonly items: ParcelItem[] = [];
  #bytes = 1;
  #cost = 0;

  constructor(limits: ParcelLimits) {
    this.#limits = limits;
  }

  /** Puts an item in, and returns whether there was room for it. */
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

/** An item that is being received. */
interface Incoming {
  /** None if the item is passed over. */
  readonly kind: ItemKind | undefined;
  readonly length: number;
  bytes: Uint8Array;
  /** How many bytes of the item have come. */
  filled: number;
}

/**
 * Takes a parcel apart as its bytes come. Memory grows with the bytes that came, not with the
 * length that was claimed.
 */
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
   * Takes in the next bytes and gives the items that they complete, except those of unknown kinds.
   * @throws UnknownParcelVersion; MalformedError if a limit is passed. Give it no more bytes then
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
    if (!this.#begun) throw new MalformedError("no parcel came, expected at least its version");
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

/**
 * Makes room for `needed` bytes of an item. It at least doubles the room, but never beyond the
 * item's length.
 */
function makeRoom(incoming: Incoming, needed: number): void {
  if (needed <= incoming.bytes.length) return;
  const grown = new Uint8Array(
    Math.min(incoming.length, Math.max(needed, 2 * incoming.bytes.length)),
  );
  grown.set(incoming.bytes);
  incoming.bytes = grown;
}
