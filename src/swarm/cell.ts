/**
 * Cells: all that is said in a session travels in messages of one size, so that lengths tell nothing.
 *
 * @module
 */
import { TAG_BYTES } from "../world/aead.ts";
import { isZero } from "./identity.ts";
import type { CipherState } from "./noise.ts";
import { SessionFault } from "./session_fault.ts";

/** Bytes of a cell on the wire; each message of the handshake has as many. */
export const CELL_BYTES = 1_024;
const USED_BYTES = 2;
const PLAIN_BYTES = CELL_BYTES - TAG_BYTES;
/** Bytes of what is said that fit one cell. */
export const CELL_ROOM = PLAIN_BYTES - USED_BYTES;
/** Cells of one direction that are sealed with one key. */
export const CELLS_PER_KEY = 4_096;

/** One direction's key, which is replaced after so many cells. */
class Rekeying {
  readonly #state: CipherState;
  readonly #cellsPerKey: number;
  #cells = 0;

  constructor(state: CipherState, cellsPerKey: number) {
    this.#state = state;
    this.#cellsPerKey = cellsPerKey;
  }

  /** The key of the next cell. */
  next(): CipherState {
    if (this.#cells === this.#cellsPerKey) {
      this.#state.rekey();
      this.#cells = 0;
    }
    this.#cells++;
    return this.#state;
  }
}

/** The sending direction. */
export class CellSealer {
  readonly #key: Rekeying;
  /** Used for one cell after the other, because a new one costs more than to fill it. */
  readonly #plain = new Uint8Array(PLAIN_BYTES);
  readonly #view = new DataView(this.#plain.buffer);

  constructor(state: CipherState, cellsPerKey: number = CELLS_PER_KEY) {
    this.#key = new Rekeying(state, cellsPerKey);
  }

  /** Seals bytes into as few cells as hold them, and nothing into one. */
  seal(bytes: Uint8Array): Uint8Array {
    const count = Math.max(1, Math.ceil(bytes.length / CELL_ROOM));
    const cells = new Uint8Array(count * CELL_BYTES);
    for (let i = 0; i < count; i++) {
      const used = bytes.subarray(i * CELL_ROOM, (i + 1) * CELL_ROOM);
      this.#view.setUint16(0, used.length);
      this.#plain.set(used, USED_BYTES);
      this.#plain.fill(0, USED_BYTES + used.length);
      const cell = cells.subarray(i * CELL_BYTES, (i + 1) * CELL_BYTES);
      this.#key.next().sealInto(cell, this.#plain);
    }
    return cells;
  }
}

/** The receiving direction. */
export class CellOpener {
  readonly #key: Rekeying;

  constructor(state: CipherState, cellsPerKey: number = CELLS_PER_KEY) {
    this.#key = new Rekeying(state, cellsPerKey);
  }

  /**
   * Opens the next cell.
   * @returns what it carries, which may be nothing
   * @throws SessionFault if it is not the next one, was changed, or is not filled with zeros
   */
  open(cell: Uint8Array): Uint8Array {
    const plain = this.#key.next().open(cell);
    if (plain === undefined) {
      throw new SessionFault("changed", "a cell does not open: it is not the next one as sealed");
    }
    const used = plain[0]! << 8 | plain[1]!;
    if (used > CELL_ROOM) {
      throw new SessionFault(
        "malformed",
        `a cell says that ${used} bytes are used, and has ${CELL_ROOM}`,
      );
    }
    if (!isZero(plain.subarray(USED_BYTES + used))) {
      throw new SessionFault("malformed", "a cell is filled with something other than zeros");
    }
    return plain.subarray(USED_BYTES, USED_BYTES + used);
  }
}
