import { openNote, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { utf8 } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import type { Item, Kind } from "./kind.ts";

/**
 * A log's signed note. It costs as much as two frames. One signature is checked, and those of the
 * log's cosigners (`Hearing.trials`).
 */
export const NOTE: Kind = {
  byte: 1,
  what: "note",
  maxBytes: MAX_NOTE_BYTES,
  isOnce: false,
  cost: 2,
  isJson: false,

  hear({ body, source, party: { judge }, hearing }) {
    const { trials } = hearing;
    const opened = openNote({ note: body, logs: judge.logs, trials });
    if ("refused" in opened) {
      if (opened.refused === "unknown log") return;
      throw new MalformedError(opened.detail);
    }
    for (const checkpoint of opened.checkpoints) {
      hearing.named.add(checkpoint.log);
      hearing.heard.push(judge.hearCheckpoint(checkpoint, source));
    }
  },
};

/** A checkpoint's signed note as an item, with the cosignatures that were verified. */
export function noteItem({ noteWithCosignatures }: VerifiedCheckpoint): Item<"note"> {
  return { kind: "note", body: utf8(noteWithCosignatures) };
}
