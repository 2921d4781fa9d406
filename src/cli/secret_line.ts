/**
 * A line that a person types and that is not shown, from the bytes of a terminal in raw mode. The
 * terminal then edits nothing and sends no signals, so both are done here.
 *
 * @module
 */

/** Most bytes of a typed line, as of the first line of a passphrase file. */
export const MAX_PASSPHRASE_BYTES = 1_024;

/** Where a line stands: it goes on, it was ended, or the person wants to end the program. */
export type LineState = "typing" | "done" | "interrupted";

const [CTRL_C, CTRL_D, BACKSPACE, LINE_FEED, RETURN, CTRL_U, DELETE] = [
  ...[0x03, 0x04, 0x08, 0x0a, 0x0d, 0x15, 0x7f],
] as [number, number, number, number, number, number, number];
const SPACE = 0x20;

/** One line being typed. */
export class SecretLine {
  readonly #typed: number[] = [];
  #state: LineState = "typing";

  /** What was typed, without the end of the line. */
  get bytes(): Uint8Array {
    return Uint8Array.from(this.#typed);
  }

  /** Takes what was typed next. What follows the end of the line is dropped. */
  take(bytes: Uint8Array): LineState {
    for (const byte of bytes) {
      if (this.#state !== "typing") break;
      this.#takeByte(byte);
    }
    return this.#state;
  }

  #takeByte(byte: number): void {
    if (byte === CTRL_C) this.#state = "interrupted";
    else if ([LINE_FEED, RETURN, CTRL_D].includes(byte)) this.#state = "done";
    else if (byte === BACKSPACE || byte === DELETE) this.#dropCharacter();
    else if (byte === CTRL_U) this.#typed.length = 0;
    // Other control characters, such as the first byte of an arrow key, stand for nothing here. One
    // byte too many is kept, so that the line can be refused as too long.
    else if (byte >= SPACE && this.#typed.length <= MAX_PASSPHRASE_BYTES) this.#typed.push(byte);
  }

  /** Drops the last character, which may be several bytes of UTF-8. */
  #dropCharacter(): void {
    while (isContinuation(this.#typed.pop())) {
      // All of them go, and the byte that they continue.
    }
  }
}

/** Whether a byte continues a character of UTF-8. */
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
