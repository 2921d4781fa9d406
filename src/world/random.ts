import type { Random } from "./world.ts";

/** A number from 0 up to, but not, 1. */
export function randomShare(random: Random): number {
  return new DataView(random.bytes(4).buffer).getUint32(0) / 2 ** 32;
}
