import type { Callee } from "./caller.ts";
import { casesAbout, type ExchangeParty } from "./exchange.ts";
import { knownItem } from "./known_item.ts";
import { callWithParcel } from "./parcel_exchange.ts";
import { type HeadOfLog, headOfLogKey, type HeadStanding, settledItem } from "./settled_item.ts";

/**
 * Asks a monitor which of these checkpoints its view has settled. It was told them before. What it
 * answers is its claim. The evidence that comes with it is judged like any other.
 * @param heads at most MAX_HEADS_ASKED
 * @returns what it claims about them; nothing if its version cannot say
 * @throws ExchangeFailed, Ended as `callWithParcel`; whatever `keep` throws
 */
export async function askSettled(
  { party, callee, heads }: {
    party: ExchangeParty;
    callee: Callee;
    heads: readonly HeadOfLog[];
  },
): Promise<readonly HeadStanding[] | undefined> {
  const logs = new Set(heads.map(({ log }) => log));
  // What is held here need not come again.
  const held = [...logs].flatMap((log) => casesAbout(party, log));
  const known = held.length === 0 ? [] : [knownItem(held, party.limits.kinds.known)];
  const items = [settledItem(heads), ...known];
  const { claims } = await callWithParcel({ party, callee, items });
  const asked = new Set(heads.map(headOfLogKey));
  return claims?.filter((claim) => asked.has(headOfLogKey(claim)));
}
