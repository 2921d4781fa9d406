/**
 * The statement that a damaged journal was repaired. It stands in the chain like any other record,
 * right after the last entry before the damage. It says what was set aside, where that is, and who
 * did it. The monitor's key signs it: who can write the folder, and has no key, can cut a journal,
 * but not make such a cut look like the monitor's own.
 *
 * @module
 */
import { canonicalize } from "@std/json/canonicalize";
import type { Entry, Link } from "../evidence/entry.ts";
import type { JsonObject } from "../evidence/json.ts";
import { oneLine } from "../evidence/record.ts";
import { base64, strictBase64, utf8 } from "../tlog/encoding.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { checkMembers, listOf, object, text, unexpected, wholeNumber } from "../tlog/members.ts";
import { loadVerifier } from "../tlog/note.ts";
import { parseVkey, SIGNATURE_TYPE } from "../tlog/vkey.ts";
import type { Signer } from "../world/signer.ts";
import { formatRemovals, hashText, linkShape, parseRemovals, type Removal } from "./removal.ts";

/** First line of what is signed, so that the signature fits nothing else. */
const SIGNED_DOMAIN = "hearsay/repair/v1\n";

/** A part of a journal that was set aside, byte for byte. */
export interface SetAside {
  /** The file it was in, without its folder. */
  readonly from: string;
  /** The line there with which it began, from 1, and the byte, from 0. It went to the end of the file. */
  readonly line: number;
  readonly at: number;
  /** The file that has it now, in the same folder. */
  readonly file: string;
  /** How many lines; the last one may lack its newline. */
  readonly lines: number;
  readonly bytes: number;
  /** SHA-256 of it, 64 hex digits. */
  readonly sha256: string;
}

/** What a repair states. */
export interface Repair {
  /** The vkey of the monitor that made it. */
  readonly by: string;
  /** What the damage was: one line. */
  readonly reason: string;
  /** The last entry before the damage; this statement follows it. */
  readonly after: Link;
  /** What was set aside, in order. */
  readonly aside: readonly SetAside[];
  /** The last entry in what was set aside whose own hash is right; nothing if there is none. */
  readonly last?: Link;
  /** How many records of what was set aside are written again, in the entries that follow. */
  readonly again: number;
  /** In a segmented journal: the number of the next segment. Those in between were set aside. */
  readonly next?: number;
  /** In a segmented journal: all removals stated so far, in what was set aside too. */
  readonly removed?: readonly Removal[];
}

const SHAPE = {
  must: {
    by: text,
    reason: oneLine,
    after: linkShape,
    aside: listOf(object({
      must: {
        ...{ from: plainName, file: plainName, sha256: hashText },
        line: wholeNumber({ least: 1 }),
        at: wholeNumber({ least: 0 }),
        lines: wholeNumber({ least: 0 }),
        bytes: wholeNumber({ least: 0 }),
      },
      others: "refused",
    })),
    again: wholeNumber({ least: 0 }),
    signature: text,
  },
  may: {
    last: linkShape,
    next: wholeNumber({ least: 2 }),
    removed: listOf(object({ must: {}, others: "kept" })),
  },
  others: "refused",
} as const;

/** A file's name without a folder: what is set aside is beside the journal. */
function plainName(value: unknown, name: string): void {
  text(value, name);
  if (/^[\w.-]+$/.test(value)) return;
  throw unexpected(value, { name, wanted: "a file's name of letters, digits, and .-_" });
}

/** Whether the record of an entry is the statement of a repair. */
export function isRepair(record: JsonObject): boolean {
  return "repaired" in record;
}

/** The record of a repair, signed. */
export async function signRepair(repair: Repair, signer: Signer): Promise<JsonObject> {
  const { removed, ...rest } = repair;
  const stated = { ...rest, ...(removed && formatRemovals(removed)) };
  const signature = base64(await signer.sign(signedBytes(stated)));
  return { repaired: { ...stated, signature } };
}

function signedBytes(stated: JsonObject): Uint8Array<ArrayBuffer> {
  return utf8(SIGNED_DOMAIN + canonicalize(stated));
}

/**
 * Reads the statement of a repair, and checks that it stands where it was made for and that the
 * monitor it names has signed it.
 * @throws MalformedError saying what is wrong
 */
export function parseRepair({ seq, prev_hash, record }: Omit<Entry, "hash">): Repair {
  checkMembers(record, {
    what: "statement of a repair",
    shape: { must: { repaired: object(SHAPE) }, others: "refused" },
  });
  const { signature, ...stated } = record.repaired as unknown as Repair & { signature: string };
  const { by, after, removed } = stated;
  if (after.seq !== seq - 1 || after.hash !== prev_hash) {
    throw new MalformedError(
      `the statement of a repair was made to follow entry ${after.seq} with the hash ` +
        `${after.hash}, and stands elsewhere`,
    );
  }
  if (stated.aside.length === 0) throw new MalformedError("the repair has set nothing aside");
  if (removed !== undefined && removed.length > 0) parseRemovals({ removed: [...removed] });
  const vkey = parseVkey(by);
  if (vkey.type !== SIGNATURE_TYPE.ed25519) {
    throw new MalformedError(`a repair by ${quoted(by)}, expected an Ed25519 key`);
  }
  const message = signedBytes(stated as unknown as JsonObject);
  if (!loadVerifier(vkey).verifies({ message, signature: strictBase64(signature) })) {
    throw new MalformedError(`the repair's signature does not verify under ${by}`);
  }
  return stated;
}

/** A name that no other repair of a monitor's journals has: the first file that it made. */
export function nameOfRepair({ aside }: Pick<Repair, "aside">): string {
  return aside[0]!.file;
}

/**
 * Whether an entry that is no longer in a journal may be one that a repair has set aside.
 * @param repairs those that were made since the entry was last known to be there: none of the others
 *   can have set it aside
 */
export function isSetAside({ seq }: Link, repairs: readonly Repair[]): boolean {
  return repairs.some(({ after, last, aside }) => {
    const lines = aside.reduce((sum, { lines }) => sum + lines, 0);
    // A damaged line after the last whole one may have been an entry too.
    return after.seq < seq && seq <= Math.max(last?.seq ?? 0, after.seq + lines);
  });
}
