import { MalformedError, quoted } from "./malformed.ts";

const encoder = new TextEncoder();
// Without ignoreBOM the decoder drops a leading U+FEFF. The text would then differ from what was
// signed.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The UTF-8 bytes of a text. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/**
 * Reused by `utf8Briefly`, because making a new array costs more than encoding a short text into
 * it.
 */
const brief = new Uint8Array(1_024);
/** Most bytes of UTF-8 for one UTF-16 unit. */
export const MAX_UTF8_BYTES_A_UNIT = 3;

/**
 * As `utf8`, but the next call may overwrite the bytes. Use it only if you are done with them by
 * then.
 */
export function utf8Briefly(text: string): Uint8Array<ArrayBuffer> {
  if (text.length * MAX_UTF8_BYTES_A_UNIT > brief.length) return utf8(text);
  return brief.subarray(0, encoder.encodeInto(text, brief).written);
}

/**
 * The text that bytes spell in UTF-8, exactly: nothing is replaced or dropped.
 * @throws MalformedError if they are not valid UTF-8
 */
export function textOf(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new MalformedError("The text is not valid UTF-8");
  }
}

/** The byte order mark, which some editors put before a text. */
const BYTE_ORDER_MARK = "\u{FEFF}";

/**
 * The text of a file that a person saved, or of one of its lines. A byte order mark at the start is
 * dropped.
 * @throws MalformedError if it is UTF-16, which is named, or otherwise no valid UTF-8
 */
export function fileText(bytes: Uint8Array): string {
  refuseUtf16(bytes);
  return withoutMark(textOf(bytes));
}

/** A text from a file, as `$(cat FILE)` gives it, without a byte order mark at its start. */
export function withoutMark(text: string): string {
  return text.startsWith(BYTE_ORDER_MARK) ? text.slice(BYTE_ORDER_MARK.length) : text;
}

/** How many of a file's first bytes are a byte order mark of UTF-8: 0 or 3. */
export function markBytes(head: Uint8Array): number {
  const mark = utf8(BYTE_ORDER_MARK);
  return mark.every((byte, i) => head[i] === byte) ? mark.length : 0;
}

/**
 * Refuses UTF-16. It begins with a mark whose bytes UTF-8 never has.
 * @throws MalformedError naming it
 */
export function refuseUtf16(head: Uint8Array): void {
  const order = head[0] === 0xff && head[1] === 0xfe
    ? "little-endian"
    : head[0] === 0xfe && head[1] === 0xff
    ? "big-endian"
    : undefined;
  if (order === undefined) return;
  throw new MalformedError(`The text is UTF-16 (${order}), expected UTF-8: save it as UTF-8`);
}

/**
 * Decodes RFC 4648 section 4 base64, padded, in its one canonical spelling. Go's decoder ignores
 * non-zero pad bits, which would give one signature several spellings (RULES F1).
 * @throws MalformedError for anything that does not encode back to the same text
 */
export function strictBase64(text: string): Uint8Array<ArrayBuffer> {
  let bytes: Uint8Array<ArrayBuffer> | undefined;
  try {
    // "strict" wants the padding, and pad bits of zero. It skips spaces and newlines, which the length
    // shows.
    bytes = Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch {
    // Reported below, in our own words.
  }
  if (bytes === undefined || text.length !== base64Length(bytes.length)) {
    throw new MalformedError(`${quoted(text)} is not canonical base64 (RFC 4648 section 4)`);
  }
  return bytes;
}

/** Characters of base64 for so many bytes, with the padding. */
function base64Length(bytes: number): number {
  return Math.ceil(bytes / 3) * 4;
}

/** The one base64 spelling of bytes (RFC 4648 section 4, padded). */
export function base64(bytes: Uint8Array): string {
  return bytes.toBase64();
}

/** The largest tree size: Go, Sigsum and cosignatures all stay within int64 (RULES F2). */
export const MAX_TREE_SIZE = 2n ** 63n - 1n;

/** Digits of MAX_TREE_SIZE; a longer text is refused before it is turned into a number. */
const MAX_SIZE_DIGITS = 19;

/**
 * Reads a tree size: decimal, without leading zeros, at most 2^63-1 (C2SP tlog-checkpoint).
 * @throws MalformedError for any other text
 */
export function parseTreeSize(text: string): bigint {
  if (!/^(0|[1-9][0-9]*)$/.test(text)) {
    throw new MalformedError(
      `tree size is ${quoted(text)}, expected a decimal without leading zeros`,
    );
  }
  const size = text.length <= MAX_SIZE_DIGITS ? BigInt(text) : MAX_TREE_SIZE + 1n;
  if (size > MAX_TREE_SIZE) {
    throw new MalformedError(`tree size is ${quoted(text)}, expected at most ${MAX_TREE_SIZE}`);
  }
  return size;
}
