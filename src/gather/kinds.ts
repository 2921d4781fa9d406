/**
 * The kinds of files that are read, told by what is in them and not by their names. A new kind is a
 * file of this room and a row here. The first row that recognizes something reads it.
 *
 * @module
 */
import type { Found, Reading } from "./found.ts";
import { goFork } from "./go_fork.ts";
import { goLookup } from "./go_lookup.ts";
import { hearsayLine, hearsayRecord } from "./hearsay.ts";
import { signedNote } from "./note.ts";
import { rekorEntry, sigstoreBundle } from "./sigstore.ts";
import { sigsumProof } from "./sigsum.ts";
import { signedTreeHead } from "./tree_head.ts";
import { tlogProof } from "./tlog_proof.ts";

/** A kind of text. */
export interface TextKind {
  /** What a person is told it is, in the plural. */
  readonly name: string;
  /** Whether a text that begins so is of this kind. */
  recognizes(start: string): boolean;
  /** What is in it. @throws MalformedError if it cannot be taken apart */
  read(text: string, reading: Reading): Found[];
}

/** A kind of JSON object: a whole file, or a line of one. */
export interface JsonKind {
  readonly name: string;
  /**
   * Whether other things have members of these names too. In a folder, what cannot be read as one of
   * these is none of them.
   */
  readonly isLoose?: boolean;
  recognizes(object: Readonly<Record<string, unknown>>): boolean;
  /** What is in it. @throws MalformedError if it cannot be taken apart */
  read(object: Readonly<Record<string, unknown>>, reading: Reading): Found[];
}

/** The kinds of texts. */
export const TEXT_KINDS: readonly TextKind[] = [
  goLookup,
  tlogProof,
  sigsumProof,
  signedNote,
  goFork,
];

/** The kinds of JSON objects. */
export const JSON_KINDS: readonly JsonKind[] = [
  hearsayLine,
  hearsayRecord,
  sigstoreBundle,
  rekorEntry,
  signedTreeHead,
];
