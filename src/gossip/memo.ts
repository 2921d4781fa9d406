import { FRAME_BYTES } from "../tlog/frame.ts";

/** Frames remembered; a power of two. 104 bytes each, and what is known of them. */
const MEMO_SLOTS = 1_024;
/** Two bytes in the middle of the signature: as good as random, and part of what is compared. */
const SLOT_AT = 60;

/**
 * Remembers what is known of the frames verified last, by their bytes. Each frame has one slot, and
 * a later one may take it: a miss costs a verification, never a wrong answer.
 */
export class FrameMemo<T> {
  readonly #slots: ({ bytes: Uint8Array; value: T } | undefined)[] = Array(MEMO_SLOTS).fill(
    undefined,
  );

  /** What is known of exactly these 104 bytes. */
  get(frame: Uint8Array): T | undefined {
    const slot = this.#slots[slotOf(frame)];
    return slot !== undefined && sameFrame(slot.bytes, frame) ? slot.value : undefined;
  }

  /** Remembers a frame; its bytes are copied. */
  set(frame: Uint8Array, value: T): void {
    this.#slots[slotOf(frame)] = { bytes: frame.slice(), value };
  }
}

function slotOf(frame: Uint8Array): number {
  return (frame[SLOT_AT]! | frame[SLOT_AT + 1]! << 8) & (MEMO_SLOTS - 1);
}

// A loop of our own: the library's comparison makes two views of each array first.
function sameFrame(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < FRAME_BYTES; i++) if (a[i] !== b[i]) return false;
  return true;
}
