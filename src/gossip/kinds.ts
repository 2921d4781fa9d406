/**
 * The kinds of parcel items (PROTOCOL section 6), one row each. A new kind is a file beside
 * note_item.ts, a row here, and its lines in PROTOCOL sections 6, 7, 9 and 14. A version that does
 * not know a kind passes it over. So a byte that was used once never gets another meaning.
 *
 * @module
 */
import { ABOUT } from "./about_item.ts";
import { FOLLOWS } from "./follows_item.ts";
import type { Item, Kind } from "./kind.ts";
import { KNOWN } from "./known_item.ts";
import { NOTE } from "./note_item.ts";
import { PROOF } from "./proof_item.ts";
import { RECORD } from "./record_item.ts";
import { SETTLED } from "./settled_item.ts";

/** The kinds, by name, in the order of what they answer: what `follows` answers may fill a parcel. */
export const KINDS = {
  note: NOTE,
  proof: PROOF,
  record: RECORD,
  known: KNOWN,
  about: ABOUT,
  settled: SETTLED,
  follows: FOLLOWS,
} satisfies Record<string, Kind>;

/** The name of a kind. */
export type ItemKind = keyof typeof KINDS;

/** One thing in a parcel. */
export type ParcelItem = Item<ItemKind>;
