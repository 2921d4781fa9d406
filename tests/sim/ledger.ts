import type { ConflictRecord } from "../../src/evidence/record.ts";
import type { Shown } from "./logs.ts";
import { TroublesTold } from "./troubles_told.ts";

/** What is known of one monitor from outside. */
export class Ledger {
  /** The records that it said it had recorded, by evidence id. */
  readonly cases = new Map<string, ConflictRecord>();
  /** What these records convict, by origin, and when the monitor first said so. */
  readonly convictions = new Map<string, Map<string, number>>();
  /** Its view of each origin, as it last told it. */
  readonly views = new Map<string, { size: number; story: number | undefined }>();
  /** `origin size` of each checkpoint that it has acknowledged as seen. */
  readonly sizes = new Set<string>();
  /** For each origin, the sizes of open questions that peers, not strangers, have told it. */
  readonly askedByPeers = new Map<string, Set<string>>();
  /** `origin size root` of each frame that it has answered. */
  readonly heads = new Set<string>();
  /** `origin story size` of all that was delivered to it, and of what it has from other sites. */
  readonly everShown = new Set<string>();
  readonly through = new Set<string>();
  /** For each origin and place, what was last delivered to it. */
  readonly delivered = new Map<string, Map<number, Shown>>();
  /** For each origin and place, until when the running daemon was asked to wait. */
  readonly putOff = new Map<string, number>();
  /** For each origin, what it was shown and has written down. */
  readonly shown = new Map<string, Shown[]>();
  /** What the running daemon has told of its troubles. */
  troubles = new TroublesTold(0);
  /** The members that the running daemon has a session with, by number, and since when. */
  readonly sessions = new Map<number, number>();
  /** By case, the id of the alert that has arrived as an EMERGENCY. */
  readonly paged = new Map<string, string>();
  /** The hashes of the entries whose record was checked. */
  readonly checked = new Set<string>();
}
