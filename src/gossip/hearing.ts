/**
 * Judges the items of a parcel in order (PROTOCOL section 7), without sockets.
 *
 * @module
 */
import { MalformedError } from "../tlog/malformed.ts";
import { type ComingItem, Disputed, type Hearing, MAX_FAILED_COSIGNATURES } from "./kind.ts";
import { type ItemKind, KINDS, type ParcelItem } from "./kinds.ts";

/**
 * How many characters of a refusal are reported. It may quote a foreign text that is as long as an
 * item.
 */
const MAX_REASON_CHARACTERS = 512;

/**
 * Judges the items of a parcel, in order, up to the first that is malformed or does not hold. Items
 * about logs that are not followed are passed over, and so are records of other versions. A sender
 * cannot know which logs and versions this monitor follows.
 * @param source who sent it
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
    trials: { left: MAX_FAILED_COSIGNATURES },
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
