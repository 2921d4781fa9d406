/**
 * What members pass on to each other (PROTOCOL section 18). A rumour is verified before it is passed
 * on, so a lie goes no further than one hop.
 *
 * @module
 */
import { canonicalize } from "@std/json/canonicalize";
import { type JsonObject, parseExactJson } from "../evidence/json.ts";
import { textOf, utf8 } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import {
  checkMembers,
  isObject,
  listOf,
  type Shape,
  text,
  unexpected,
  wholeNumber,
} from "../tlog/members.ts";

/** Most hops of a rumour. A line of as many members, and one more, hears it from end to end. */
export const MAX_HOPS = 64;
/** Longest path that evidence is sent on. */
const MAX_PATH = MAX_HOPS;

/** What a rumour is about. */
export const RUMOUR_KINDS = ["record", "statement", "head", "undelivered"] as const;

/** Something that is passed on. */
export interface Rumour {
  /** How many more members may pass it on. */
  readonly hops: number;
  /**
   * - `record`: a conflict record.
   * - `statement`: a member's statement, whole.
   * - `head`: the note of a member's statement, without what it states. Two of them may contradict.
   * - `undelivered`: evidence did not reach the end of its path.
   */
  readonly what: typeof RUMOUR_KINDS[number];
  readonly item: JsonObject;
  /** Under which vkey a statement or a head was verified: two keys may share a name and a key id. */
  readonly of?: string;
  /**
   * The members, by vkey, through which it goes on, the next one first. Without it, it goes to
   * everyone.
   */
  readonly path?: readonly string[];
}

const RUMOUR: Shape = {
  must: {
    hops: wholeNumber({ least: 0, most: MAX_HOPS }),
    what: text,
    item: (value, name) => {
      if (!isObject(value)) throw unexpected(value, { name, wanted: "an object" });
    },
  },
  may: {
    of: text,
    path: (value, name) => {
      listOf(text)(value, name);
      const { length } = value as readonly string[];
      if (length <= MAX_PATH) return;
      throw new MalformedError(`${name} has ${length} members, expected at most ${MAX_PATH}`);
    },
  },
  others: "kept",
};

/** The bytes of a rumour: canonical JSON. */
export function encodeRumour(rumour: Rumour): Uint8Array {
  return utf8(canonicalize(rumour));
}

/**
 * Reads a rumour. Its item is not judged here.
 * @returns nothing if it is of a kind that a later version has
 * @throws MalformedError
 */
export function readRumour(body: Uint8Array): Rumour | undefined {
  const value = parseExactJson(textOf(body));
  checkMembers(value, { what: "a rumour", shape: RUMOUR });
  const { hops, what, item, of, path } = value as unknown as Rumour;
  if (!RUMOUR_KINDS.includes(what)) return undefined;
  return { hops, what, item, ...(of !== undefined && { of }), ...(path !== undefined && { path }) };
}

/** What is told of evidence that did not reach the end of its path. */
export interface Undelivered {
  readonly evidence_id: string;
  /** The vkey of whom it was for. */
  readonly to: string;
  /** The vkeys of the two members between whom the path ended. */
  readonly between: readonly [string, string];
}

const UNDELIVERED: Shape = {
  must: { evidence_id: text, to: text, between: listOf(text) },
  others: "kept",
};

/** Reads what is told of undelivered evidence. @throws MalformedError */
export function readUndelivered(item: JsonObject): Undelivered {
  checkMembers(item, { what: "undelivered evidence", shape: UNDELIVERED });
  const said = item as unknown as Undelivered;
  if (said.between.length === 2) return said;
  throw new MalformedError(`between has ${said.between.length} members, expected 2`);
}
