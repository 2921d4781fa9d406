import type { ConflictRecord } from "../../src/evidence/record.ts";
import type { Shown } from "./logs.ts";

/** What is known of one monitor, from outside. */
export class Ledger {
  /** Records it said it had recorded, by evidence id. */
  readonly cases = new Map<string, ConflictRecord>();
  /** What those convict, by origin, and when it was first said. */
  readonly convictions = new Map<string, Map<string, number>>();
  /** By origin: its view, as it last said. */
  readonly views = new Map<string, { size: number; story: number | undefined }>();
  /** `origin size` it has acknowledged as seen. */
  readonly sizes = new Set<string>();
  /** By origin: sizes that peers, not strangers, have told it and that were open then. */
  readonly askedByPeers = new Map<string, Set<string>>();
  /** `origin size root` it has answered a frame of. */
  readonly heads = new Set<string>();
  /** By origin: what its log shows it, as delivered last in each of its places. */
  readonly delivered = new Map<string, Map<number, Shown>>();
  /** By origin and place: until when its running daemon was asked to wait. */
  readonly putOff = new Map<string, number>();
  /** By origin: what it was shown and has written down. */
  readonly shown = new Map<string, Shown[]>();
  /** Entries (hash) whose record was checked. */
  readonly checked = new Set<string>();
}
