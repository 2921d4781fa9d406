/**
 * Hears a signed note that was posted over HTTP. It is judged and kept as a note in a parcel is, and
 * costs its sender as much.
 *
 * @module
 */
import { openNote } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import { addressKey } from "../world/connection_table.ts";
import { type ExchangeParty, orNotKept } from "./exchange.ts";
import type { HeardCheckpoint } from "./judge.ts";
import { costOfTrials, MAX_FAILED_COSIGNATURES } from "./kind.ts";
import { NOTE } from "./note_item.ts";
import type { Tolls } from "./tolls.ts";

/** What the look-up for the answer to a note costs, in frames, as for a parcel. */
export const ANSWER_COST = 1;
/** How many characters of a refusal are told. It may quote a foreign text. */
const MAX_REASON_CHARACTERS = 512;

/** The result of hearing a posted note. */
export type Posted =
  /** it is durable; one verdict for each of the logs that signed it */
  | { readonly heard: readonly HeardCheckpoint[] }
  /** it is no note of these logs; a sentence for a person says why */
  | { readonly refused: string }
  /** its sender's address may not send so much now; nothing was judged */
  | "too much";

/**
 * Hears a note. What it tells is durable before this resolves.
 * @param logs the logs that it may be of
 * @param source the host that posted it
 * @throws NotKept
 */
export async function hearPosted({ note, logs, source, party, tolls }: {
  note: Uint8Array;
  logs: readonly Log[];
  source: string;
  party: ExchangeParty;
  tolls: Tolls;
}): Promise<Posted> {
  const { judge, limits, report } = party;
  const key = addressKey(source);
  const cost = NOTE.cost + ANSWER_COST + note.length / limits.parcelBytesPerFrame;
  if (!tolls.pay(key, cost)) return "too much";
  const trials = { left: MAX_FAILED_COSIGNATURES };
  const opened = openNote({ note, logs, trials });
  tolls.owe(key, costOfTrials(trials));
  if ("refused" in opened) {
    const detail = opened.detail.slice(0, MAX_REASON_CHARACTERS);
    // As in a parcel, a note of another log is no fault.
    if (opened.refused !== "unknown log") {
      tolls.allowance.charge(key);
      report.broken(`a posted note was refused, and its address charged: ${detail}`, source);
    }
    return { refused: detail };
  }
  const heard = await orNotKept(async () => {
    const heard = opened.checkpoints.map((checkpoint) => judge.hearCheckpoint(checkpoint, source));
    await party.keep(source);
    return heard;
  });
  for (const one of heard) report.heard(one, source);
  return { heard };
}
