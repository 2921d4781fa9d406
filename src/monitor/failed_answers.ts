/**
 * What a log showed and what did not hold: a note that its key has not signed, or a proof that leads
 * nowhere. It freezes the log and proves nothing, so no journal has it. People need it to find out what
 * happened, so it is kept in the state folder, in a file whose name is its SHA-256. The first step of the
 * incident names that hash, and is signed.
 *
 * There is one such file an incident, and while one freezes a log for such a cause, no other is opened.
 * So people bound their number, and MAX_FAILED_BYTES their size.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { canonicalize } from "@std/json/canonicalize";
import { join } from "@std/path/join";
import { type JsonObject, parseExactJson } from "../evidence/json.ts";
import { MAX_WHY_CHARACTERS, type Transition } from "../evidence/transition.ts";
import { base64, textOf, utf8 } from "../tlog/encoding.ts";
import { sha256 } from "../tlog/hashing.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { checkMembers, listOf, object, text } from "../tlog/members.ts";
import { ensureFolder, isThere, replaceDurably } from "../world/durable.ts";
import { readFully } from "../world/reading.ts";
import type { Files } from "../world/world.ts";
import type { FailedProof } from "./proving.ts";

/** The folder of these files, in the state folder. */
export const FAILED_FOLDER = "failed";
/** Longest of them. Two notes and the hashes of a proof are less. */
export const MAX_FAILED_BYTES = 2 * 1024 * 1024;
/** Nobody else needs to read it. */
const PERMISSIONS = 0o600;

/** Where these files are. */
export interface FailedPlace {
  readonly files: Files;
  /** The state folder. */
  readonly state: string;
}

/** A proof that does not hold, as its file has it. */
export interface StoredProof {
  /** As in a conflict record. */
  readonly consistency: { readonly implied_root: string; readonly proof: readonly string[] };
  readonly older: StoredNote;
  readonly newer: StoredNote;
}

/** A checkpoint with the log whose key has signed it. */
export interface StoredNote {
  readonly origin: string;
  readonly vkey: string;
  readonly note: string;
}

/** What did not hold: the text of a note, or a proof. */
export type Failed =
  | { readonly kind: "note"; readonly content: string }
  | { readonly kind: "proof"; readonly content: string; readonly stored: StoredProof };

/** The content of the file of a proof. */
export function contentOfProof({ older, newer, givenRoot, proof }: FailedProof): string {
  const signed = (
    { log, noteWithCosignatures: note }: { log: Log; noteWithCosignatures: string },
  ): StoredNote => ({ origin: log.origin, vkey: log.vkey.text, note });
  const stored: StoredProof = {
    consistency: { implied_root: base64(givenRoot), proof: proof.map(base64) },
    older: signed(older),
    newer: signed(newer),
  };
  return `${canonicalize(stored as unknown as JsonObject)}\n`;
}

/** A reason that names what did not hold. The reason is cut if both are too long for a step. */
export function whyNaming(why: string, content: string): string {
  const end = ` (SHA-256 of it: ${hashOf(content)})`;
  return [...why].slice(0, MAX_WHY_CHARACTERS - end.length).join("").trimEnd() + end;
}

const NAMED = / \(SHA-256 of it: ([0-9a-f]{64})\)$/;

/**
 * Keeps what did not hold. It is durable once this returns. What is longer than MAX_FAILED_BYTES is not
 * kept; its hash is in the step all the same.
 * @throws WorldError
 */
export async function keepFailed({ files, state }: FailedPlace, content: string): Promise<void> {
  const bytes = utf8(content);
  if (bytes.length > MAX_FAILED_BYTES) return;
  const folder = join(state, FAILED_FOLDER);
  await ensureFolder(files, folder);
  const path = join(folder, hashOf(content));
  await replaceDurably({ files, path, content: bytes, permissions: PERMISSIONS });
}

/**
 * Reads what the first step of an incident names.
 * @returns nothing if it names none
 * @throws MalformedError if it is gone, or is not what was kept; WorldError
 */
export async function readFailed(
  { files, state }: FailedPlace,
  { why, cause }: Pick<Transition, "why" | "cause">,
): Promise<Failed | undefined> {
  const [, hash] = NAMED.exec(why) ?? [];
  if (hash === undefined) return undefined;
  const path = join(state, FAILED_FOLDER, hash);
  if (!await isThere(files, path)) throw new MalformedError(`${path} is not there`);
  const file = await files.open(path, "read");
  try {
    const buffer = new Uint8Array(MAX_FAILED_BYTES + 1);
    const content = textOf(buffer.subarray(0, await readFully(file, buffer, 0)));
    if (hashOf(content) !== hash) throw new MalformedError(`${path} is not what was kept`);
    if (cause !== "consistency failure") return { kind: "note", content };
    const stored = parseExactJson(content);
    checkMembers(stored, { what: "failed proof", shape: STORED });
    return { kind: "proof", content, stored: stored as unknown as StoredProof };
  } finally {
    file.close();
  }
}

const SIGNED = object({ must: { origin: text, vkey: text, note: text }, others: "refused" });
const STORED = {
  must: {
    consistency: object({ must: { implied_root: text, proof: listOf(text) }, others: "refused" }),
    older: SIGNED,
    newer: SIGNED,
  },
  others: "refused",
} as const;

/** The name of the file of what did not hold: SHA-256 in hex. */
export function hashOf(content: string): string {
  return encodeHex(sha256(utf8(content)));
}
