/**
 * What the report of an incident is made of.
 *
 * @module
 */
import type { ConflictRecord } from "../evidence/record.ts";
import type { Result } from "../evidence/result.ts";
import type { Incident } from "./runbook.ts";

/** Something that was seen of the log. */
export interface Sighting {
  /** RFC 3339, UTC. */
  readonly at: string;
  /** Who showed it. */
  readonly source: string;
  /** Whether that is the log itself. */
  readonly isOfLog: boolean;
  readonly result: Result;
  /** What the monitor wrote beside it. */
  readonly detail?: string | undefined;
  readonly size?: string | undefined;
  readonly root?: string | undefined;
}

/** What a report is made of. */
export interface Reported {
  readonly incident: Incident;
  /** The cases of the incident whose records hold. */
  readonly records: readonly ConflictRecord[];
  /** What this monitor saw of the heads that the cases are about, and around the other causes. */
  readonly sightings: readonly Sighting[];
  /** The last checkpoint that the log itself showed to this monitor, if the journal has one. */
  readonly latest?: Sighting | undefined;
  /** What did not hold and made the monitor open this, if the cause is such a failure. */
  readonly failed?: FailedFiles | undefined;
  /** Where the files of a case are in the bundle. */
  readonly named: (record: ConflictRecord) => CaseFiles;
  /** A text as one word of a shell's command line. */
  readonly word: (text: string) => string;
  /** When the report was made, RFC 3339 in UTC. */
  readonly at: string;
  /** The program that made it, and its version. */
  readonly software: string;
}

/** A note in the bundle. */
export interface NoteFile {
  readonly file: string;
  readonly text: string;
}

/** The same, with the vkey whose key has signed it: of the log, or of the one that it replaces. */
export interface SignedNoteFile extends NoteFile {
  readonly vkey: string;
}

/** The files of what did not hold; and the SHA-256, in hex, of the note or the proof. */
export type FailedFiles =
  & { readonly sha256: string }
  & (
    /** shown as the log's checkpoint, and not signed by its key */
    | { readonly kind: "note"; readonly note: NoteFile }
    /** shown as a proof from one checkpoint of the log to another, and leading nowhere */
    | {
      readonly kind: "proof";
      readonly proof: string;
      readonly older: SignedNoteFile;
      readonly newer: SignedNoteFile;
    }
  );

/** The files of a case in the bundle. */
export interface CaseFiles {
  readonly record: string;
  readonly noteA: string;
  readonly noteB: string;
}
