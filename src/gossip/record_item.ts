import { type JsonObject, parseExactJson } from "../evidence/json.ts";
import {
  type ConflictRecord,
  formatRecord,
  isKnownVersion,
  parseRecord,
} from "../evidence/record.ts";
import { logOf } from "../evidence/replay.ts";
import { verifyConflict } from "../evidence/verify.ts";
import { textOf, utf8 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import { Disputed, type Item, JSON_MEMBERS_BYTES, type Kind } from "./kind.ts";

/**
 * A conflict record (PROTOCOL section 11). Two escaped notes of the largest size must fit.
 * Otherwise a log could sign long checkpoints, and so keep the proof against it from spreading. To
 * judge it takes about 1.7 ms, most of it for the second opinion on both signatures.
 */
export const RECORD: Kind = {
  byte: 3,
  what: "record",
  maxBytes: 4 * MAX_NOTE_BYTES + JSON_MEMBERS_BYTES,
  isOnce: false,
  cost: 64,
  isJson: true,

  hear({ body, source, party: { judge, cases }, hearing }) {
    const members = parseExactJson(textOf(body));
    // A record of a later version is no fault of its sender. A later version of this program will
    // judge it.
    if (typeof members.version === "string" && !isKnownVersion(members.version)) return;
    const record = parseRecord(members);
    const log = logOf(record, judge.logs);
    if (log === undefined) return;
    // A known case convicts nobody again. So it does not matter whether this copy of it holds.
    if (!cases(log).some(({ evidence_id }) => evidence_id === record.evidence_id)) {
      checkRecord(record, log);
      if (judge.hearRecord({ record, log, source })) hearing.hasNews = true;
    }
    hearing.named.add(log);
    hearing.shown.add(record.evidence_id);
  },
};

function checkRecord(record: ConflictRecord, log: Log): void {
  const { outcome, checks } = verifyConflict({ input: record as unknown as JsonObject, log });
  if (outcome === "holds") return;
  const why = checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
  if (outcome === "disputed") throw new Disputed(why.join("; "));
  throw new MalformedError(why.join("; "));
}

/** A conflict record as an item. */
export function recordItem(record: ConflictRecord): Item<"record"> {
  return { kind: "record", body: utf8(formatRecord(record)) };
}
