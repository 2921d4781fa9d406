/**
 * The messages inside a session: `uint8 kind | uint32 length | body`, one after the other in the
 * cells, wherever one cell ends and the next begins.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { SessionFault } from "./session_fault.ts";
import type { SessionLimits } from "./session_limits.ts";

/** The kinds of messages. */
export const KIND = {
  identity: 1,
  hello: 2,
  open: 3,
  data: 4,
  end: 5,
  reset: 6,
  credit: 7,
  ping: 8,
  pong: 9,
  said: 10,
  rumour: 11,
  bye: 12,
  control: 13,
  controlAnswer: 14,
} as const;

/** Bytes before the body of a message. */
export const MESSAGE_HEADER_BYTES = 5;
/** Bytes of a stream's number. */
export const STREAM_ID_BYTES = 4;
/** Bytes of a credit: the stream, and how many bytes. */
const CREDIT_BYTES = STREAM_ID_BYTES + 4;
/** Bytes of a ping and of its pong. */
export const PING_BYTES = 8;
/** A body is collected in a buffer of at most this size, which then grows with what comes. */
const FIRST_BODY_BYTES = 32_768;

/** A message that came. */
export interface SessionMessage {
  readonly kind: number;
  readonly body: Uint8Array;
}

/** Puts a message together. @param parts of its body, in order */
export function encodeMessage(kind: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const header = new Uint8Array(MESSAGE_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint8(0, kind);
  view.setUint32(1, parts.reduce((sum, { length }) => sum + length, 0));
  return concat([header, ...parts]);
}

/** Numbers as the messages have them. */
export function uint32s(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setUint32(4 * i, value));
  return bytes;
}

/** How short and how long the body of each kind may be. */
type BodySizes = ReadonlyMap<number, readonly [least: number, most: number]>;

function bodySizes(limits: SessionLimits): BodySizes {
  const exactly = (bytes: number) => [bytes, bytes] as const;
  return new Map<number, readonly [number, number]>([
    [KIND.hello, [0, limits.maxHelloBytes]],
    [KIND.open, exactly(STREAM_ID_BYTES)],
    [KIND.data, [STREAM_ID_BYTES + 1, STREAM_ID_BYTES + limits.streamWindowBytes]],
    [KIND.end, exactly(STREAM_ID_BYTES)],
    [KIND.reset, exactly(STREAM_ID_BYTES)],
    [KIND.credit, exactly(CREDIT_BYTES)],
    [KIND.ping, exactly(PING_BYTES)],
    [KIND.pong, exactly(PING_BYTES)],
    [KIND.said, [0, limits.maxSaidBytes]],
    [KIND.rumour, [0, limits.maxRumourBytes]],
    [KIND.bye, [0, limits.maxByeBytes]],
    [KIND.control, [0, limits.maxControlBytes]],
    [KIND.controlAnswer, [0, limits.maxControlAnswerBytes]],
  ]);
}

const NAMES = new Map<number, string>(Object.entries(KIND).map(([name, kind]) => [kind, name]));

/** A message's kind, for people. */
export function kindName(kind: number): string {
  return NAMES.get(kind) ?? `unknown kind ${kind}`;
}

/** Takes messages out of what the cells carry. It keeps at most one that is not complete. */
export class MessageDecoder {
  readonly #sizes: BodySizes;
  readonly #maxUnknown: number;
  readonly #header = new Uint8Array(MESSAGE_HEADER_BYTES);
  #headerFilled = 0;
  #kind = 0;
  #length = 0;
  #isKept = false;
  #body = new Uint8Array(0);
  #filled = 0;

  constructor(limits: SessionLimits) {
    this.#sizes = bodySizes(limits);
    this.#maxUnknown = limits.maxUnknownMessageBytes;
  }

  /**
   * Takes what a cell carries.
   * @returns the messages that are complete with it, without those of unknown kinds
   * @throws SessionFault if a message says a length that its kind cannot have
   */
  take(bytes: Uint8Array): SessionMessage[] {
    const messages: SessionMessage[] = [];
    let at = 0;
    while (at < bytes.length) {
      if (this.#headerFilled < MESSAGE_HEADER_BYTES) {
        this.#header[this.#headerFilled++] = bytes[at++]!;
        if (this.#headerFilled < MESSAGE_HEADER_BYTES) continue;
        this.#begin();
      }
      const part = bytes.subarray(at, at + this.#length - this.#filled);
      at += part.length;
      this.#add(part);
      if (this.#filled < this.#length) continue;
      if (this.#isKept) {
        messages.push({ kind: this.#kind, body: this.#body.subarray(0, this.#length) });
      }
      this.#headerFilled = 0;
    }
    return messages;
  }

  /** The header is complete. */
  #begin(): void {
    this.#kind = this.#header[0]!;
    this.#length = new DataView(this.#header.buffer).getUint32(1);
    if (this.#kind === KIND.identity) {
      throw new SessionFault("malformed", "an identity came after the handshake");
    }
    const sizes = this.#sizes.get(this.#kind);
    const [least, most] = sizes ?? [0, this.#maxUnknown];
    if (this.#length < least || this.#length > most) {
      throw new SessionFault(
        "malformed",
        `a message (${kindName(this.#kind)}) of ${this.#length} bytes, expected ` +
          (least === most ? `${most}` : `${least} to ${most}`),
      );
    }
    this.#isKept = sizes !== undefined;
    this.#filled = 0;
    this.#body = new Uint8Array(this.#isKept ? Math.min(this.#length, FIRST_BODY_BYTES) : 0);
  }

  /** Memory grows with what came, and not with what a header promises. */
  #add(part: Uint8Array): void {
    const end = this.#filled + part.length;
    if (this.#isKept) {
      if (end > this.#body.length) {
        const larger = new Uint8Array(Math.min(this.#length, Math.max(end, 2 * this.#body.length)));
        larger.set(this.#body.subarray(0, this.#filled));
        this.#body = larger;
      }
      this.#body.set(part, this.#filled);
    }
    this.#filled = end;
  }
}
