import { canonicalize } from "@std/json/canonicalize";
import { parseExactJson } from "../evidence/json.ts";
import { textOf, utf8 } from "../tlog/encoding.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import {
  type Check,
  checkMembers,
  listOf,
  object,
  oneOf,
  type Shape,
  text,
  unexpected,
  wholeNumber,
  within,
} from "../tlog/members.ts";
import { parseVkey } from "../tlog/vkey.ts";
import { formatAddress, parseAddress } from "../world/address.ts";
import type { Address } from "../world/world.ts";

/** The versions of sessions that this program speaks. */
export const SESSION_VERSIONS: readonly number[] = [1];
/** Longest hello, in bytes. */
export const MAX_HELLO_BYTES = 262_144;
/** Most members that a hello tells of. */
export const MAX_TOLD_MEMBERS = 1_024;
/** Most logs that a hello names. */
const MAX_LOGS = 1_024;
/** Most values and names in a hello: a log has one, a member four. */
const MAX_PARTS = 64 + MAX_LOGS + 5 * MAX_TOLD_MEMBERS;

/** Why a session is refused. */
export const REFUSALS = [
  "full",
  "banned",
  "unknown",
  "version",
  "shutting down",
  "in use",
] as const;
/** Why a session is refused. */
export type Refusal = typeof REFUSALS[number];

/** A member that another one is connected to. */
export interface ToldMember {
  readonly vkey: string;
  /** Where it can be called, if that is known. */
  readonly address?: Address;
}

/** What each end of a session says first (PROTOCOL section 18). */
export interface Hello {
  /** The versions of sessions that it speaks. */
  readonly versions: readonly number[];
  /** A name, a slash and a version. */
  readonly software: string;
  /** 32 hex digits, drawn at each start. */
  readonly start: string;
  /** The host at which it sees the receiver. */
  readonly seen: string;
  /** Where it can be called: the port, if it answers calls. The host is where the receiver sees it. */
  readonly port?: number;
  /** The logs it follows, each by its log hash, 64 hex digits. */
  readonly logs: readonly string[];
  /** Whether it takes part in the session, or why not. */
  readonly verdict: "accepted" | Refusal;
  /** The most bytes of a message that it takes, and of streams at a time. */
  readonly limits: { readonly messageBytes: number; readonly streams: number };
  /** Whom it is connected to. */
  readonly members: readonly ToldMember[];
  /** The note of the last statement that it has heard of the receiver. */
  readonly heard?: string;
}

function listUpTo(most: number, item: Check): Check {
  const check = listOf(item);
  return (value, name) => {
    if (Array.isArray(value) && value.length > most) {
      throw new MalformedError(`${name} has ${value.length} items, expected at most ${most}`);
    }
    check(value, name);
  };
}

function hex(digits: number): Check {
  return (value, name) => {
    if (typeof value === "string" && value.length === digits && /^[0-9a-f]*$/.test(value)) return;
    throw unexpected(value, { name, wanted: `${digits} lower-case hex digits` });
  };
}

/** A short text without control characters. */
function shortText(value: unknown, name: string): void {
  text(value, name);
  // deno-lint-ignore no-control-regex
  if (value.length > 0 && value.length <= 256 && !/[\x00-\x1f\x7f]/.test(value)) return;
  throw unexpected(value, { name, wanted: "a text of 1 to 256 characters" });
}

const HELLO: Shape = {
  must: {
    versions: listUpTo(16, wholeNumber({ least: 1, most: 63 })),
    software: shortText,
    start: hex(32),
    seen: shortText,
    logs: listUpTo(MAX_LOGS, hex(64)),
    verdict: oneOf(["accepted", ...REFUSALS]),
    limits: object({
      must: { messageBytes: wholeNumber({ least: 1 }), streams: wholeNumber({ least: 1 }) },
      others: "kept",
    }),
    members: listUpTo(
      MAX_TOLD_MEMBERS,
      object({ must: { vkey: text }, may: { address: text }, others: "kept" }),
    ),
  },
  may: {
    port: wholeNumber({ least: 1, most: 65_535 }),
    heard: text,
  },
  // A later version may say more.
  others: "kept",
};

/**
 * The bytes of a hello: canonical JSON. Where not all members and logs fit, the first ones are told:
 * what is left out costs time, and nothing else.
 */
export function encodeHello(hello: Hello): Uint8Array {
  const logs = hello.logs.slice(0, MAX_LOGS);
  const all = hello.members.slice(0, MAX_TOLD_MEMBERS).map(({ vkey, address }) => ({
    vkey,
    ...(address !== undefined && { address: formatAddress(address) }),
  }));
  for (let count = all.length;; count = Math.floor(count / 2)) {
    const encoded = utf8(canonicalize({ ...hello, logs, members: all.slice(0, count) }));
    if (encoded.length <= MAX_HELLO_BYTES || count === 0) return encoded;
  }
}

/** Reads a hello. @throws MalformedError */
export function readHello(body: Uint8Array): Hello {
  if (body.length > MAX_HELLO_BYTES) {
    throw new MalformedError(
      `a hello of ${body.length} bytes, expected at most ${MAX_HELLO_BYTES}`,
    );
  }
  const value = parseExactJson(textOf(body), MAX_PARTS);
  checkMembers(value, { what: "a hello", shape: HELLO });
  const said = value as unknown as Omit<Hello, "members"> & {
    members: { vkey: string; address?: string }[];
  };
  return { ...said, members: said.members.map(readMember) };
}

function readMember({ vkey, address }: { vkey: string; address?: string }): ToldMember {
  return within("members", () => {
    const told = { vkey: parseVkey(vkey).text };
    return address === undefined ? told : { ...told, address: callable(address) };
  });
}

function callable(given: string): Address {
  const address = parseAddress(given);
  if (address.port > 0) return address;
  throw new MalformedError(`the address ${quoted(given)} has no port to call`);
}
