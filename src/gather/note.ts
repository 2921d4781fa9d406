import { openNote } from "./found.ts";
import type { TextKind } from "./kinds.ts";

/** Origin, size and root, as the first three lines of a checkpoint have them. */
const CHECKPOINT = /^[^\n]+\n(?:0|[1-9]\d{0,18})\n[A-Za-z0-9+/]{43}=\n/;

/** A checkpoint by itself: a signed note (C2SP signed-note), such as Go's `latest`. */
export const signedNote: TextKind = {
  name: "signed notes",
  recognizes: (start) => CHECKPOINT.test(start),
  read: (text, { logs, where }) => [openNote({ note: text, source: where, logs })],
};
