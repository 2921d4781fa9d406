import { FRAME_BYTES } from "../tlog/frame.ts";

/**
 * How many frames are remembered; a power of two. Each takes 104 bytes, and what is known of it.
 */
const MEMO_SLOTS = 1_024;
/**
 * Where the slot of a frame comes from: two bytes in the middle of the signature. They are as good
 * as random, and the comparison covers them too.
 */
const SLOT_AT = 60;

/**
 * Remembers what is known of the frames verified last, by their bytes. Each frame has one slot, and
 * a later frame may take it. A miss costs one verification and never gives a wrong answer.
 */
export class FrameMemo<T> {
  // There is one array for all. Separate arrays would be made and collected with every new frame.
  readonly #bytes = new Uint8Array(MEMO_SLOTS * FRAME_BYTES);
  readonly #known: ({ readonly value: T } | undefined)[] = Array(MEMO_SLOTS).fill(undefined);

  /** What is known of exactly these 104 bytes. */
  get(frame: Uint8Array): T | undefined {
    const slot = slotOf(frame);
    const known = this.#known[slot];
    return known !== undefined && this.#holds(slot, frame) ? known.value : undefined;
  }

  /** Remembers a frame; its bytes are copied. */
  set(frame: Uint8Array, value: T): void {
    const slot = slotOf(frame);
    this.#bytes.set(frame, slot * FRAME_BYTES);
    this.#known[slot] = { value };
  }

  // This loop is our own, because the library's comparison first makes two views of each array. It
  // begins at the end, in the signature, where two frames differ at once. Their beginnings are
  // often alike.
  #holds(slot: number, frame: Uint8Array): boolean {
    const bytes = this.#bytes;
    const at = slot * FRAME_BYTES;
    for (let i = FRAME_BYTES - 1; i >= 0; i--) if (bytes[at + i] !== frame[i]) return false;
    return true;
  }
}

function slotOf(frame: Uint8Array): number {
  return (frame[SLOT_AT]! | frame[SLOT_AT + 1]! << 8) & (MEMO_SLOTS - 1);
}
