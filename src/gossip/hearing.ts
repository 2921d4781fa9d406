/**
 * What a parcel says: its items judged in order (PROTOCOL section 7), without sockets.
 *
 * @module
 */
import { MalformedError } from "../tlog/malformed.ts";
import { type ComingItem, Disputed, type Hearing } from "./kind.ts";
import { type ItemKind, KINDS, type ParcelItem } from "./kinds.ts";

/** How much of a refusal is told: a foreign text in it may be as long as an item. */
const MAX_REASON_CHARACTERS = 512;

/**
 * Judges the items of a parcel, in order, up to the first that is malformed or does not hold. What is
 * about a log not followed is passed over, and so are records of other versions: nobody can be
 * expected to know what is followed and understood here.
 * @param source whom it comes from
 */
export function hearParcel(
  { items, source, party }: {
    items: readonly ParcelItem[];
    source: string;
    party: ComingItem["party"];
  },
): Hearing {
  const hearing: Hearing = {
    ...{ heard: [], named: new Set(), shown: new Set(), hasNews: false },
  };
  const came = new Set<ItemKind>();
  for (const { kind, body } of items) {
    try {
      const { what, isOnce } = KINDS[kind];
      if (isOnce && came.has(kind)) {
        throw new MalformedError(`a second ${what} came, expected one`);
      }
      came.add(kind);
      KINDS[kind].hear({ body, source, party, hearing });
    } catch (error) {
      const charged = !(error instanceof Disputed);
      if (charged && !(error instanceof MalformedError)) throw error;
      const why = error.message.slice(0, MAX_REASON_CHARACTERS);
      return { ...hearing, fault: { reason: `a ${kind} was refused: ${why}`, charged } };
    }
  }
  return hearing;
}
