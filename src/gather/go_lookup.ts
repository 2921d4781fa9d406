import { MalformedError, quoted } from "../tlog/malformed.ts";
import { openNote } from "./found.ts";
import type { TextKind } from "./kinds.ts";

/** The number of a record, and the beginning of a line of go.sum: path, version, hash. */
const RECORD = /^(?:0|[1-9]\d{0,18})\n[^\s]+ v[^\s]+ h1:[^\n]+\n/;

/**
 * What Go's client keeps of an answer to `/lookup/MODULE@VERSION`: the number of the record, the
 * record, an empty line, and the signed tree head that came with it (golang.org/x/mod
 * sumdb/client.go, `ReadCache`; "The format of the /lookup endpoint" of the Go checksum database).
 */
export const goLookup: TextKind = {
  name: "Go lookups",
  recognizes: (start) => RECORD.test(start),
  read(text, { logs, where }) {
    // A record has no empty line (x/mod sumdb/tlog/note.go, `isValidRecordText`).
    const end = text.indexOf("\n\n");
    if (end < 0) {
      throw new MalformedError(
        `Cannot read Go lookup: it begins ${quoted(text.slice(0, 40))} and has no signed tree head`,
      );
    }
    return [openNote({ note: text.slice(end + 2), source: where, logs })];
  },
};
