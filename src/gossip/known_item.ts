import { concat } from "@std/bytes/concat";
import { decodeHex } from "@std/encoding/hex";
import { HASH_BYTES } from "../tlog/hashing.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { HashList } from "./hash_list.ts";
import type { Item, Kind, NamedCase } from "./kind.ts";

/**
 * The evidence ids (SHA-256, 32 bytes each) of cases that need not be answered. If there are more
 * cases than fit, some are sent in the answer although they are known.
 */
export const KNOWN: Kind = {
  byte: 4,
  what: "list of known cases",
  maxBytes: 64 * 1024,
  isOnce: true,
  cost: 16,
  isJson: false,

  hear({ body, hearing }) {
    if (body.length % HASH_BYTES !== 0) {
      throw new MalformedError(
        `${body.length} bytes came, expected ${HASH_BYTES} for each evidence id`,
      );
    }
    hearing.claimed = new HashList(body);
  },
};

/**
 * The evidence ids of the newest of these cases as an item, as many as fit.
 * @param cases oldest first
 */
export function knownItem(
  cases: readonly NamedCase[],
  { maxBytes }: { maxBytes: number } = KNOWN,
): Item<"known"> {
  const newest = cases.slice(-Math.floor(maxBytes / HASH_BYTES)).reverse();
  return { kind: "known", body: concat(newest.map(({ evidence_id }) => decodeHex(evidence_id))) };
}
