/**
 * What monitors say to each other about their incident journals over HTTP (PROTOCOL section 19):
 * the leaves and the origin of a journal as a log, and each message with its reader, its writer and
 * its limits. Every reader refuses what has not the one form. Nothing read here is verified.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { encodeHex } from "@std/encoding/hex";
import { MAX_ENTRY_BYTES } from "../evidence/entry.ts";
import { type JsonObject, parseExactJson } from "../evidence/json.ts";
import { base64, parseTreeSize, strictBase64, textOf, utf8 } from "../tlog/encoding.ts";
import { HASH_BYTES, sha256 } from "../tlog/hashing.ts";
import { MalformedError, printable, quoted } from "../tlog/malformed.ts";
import {
  checkMembers,
  listOf,
  type Shape,
  text,
  unexpected,
  wholeNumber,
  within,
} from "../tlog/members.ts";
import { MAX_PROOF_HASHES } from "../tlog/proof.ts";
import { parseTilePath } from "../tlog/tiles.ts";

/** Most records in one answer. */
export const MAX_RECORDS = 1_000;
/** Most bytes of records in one answer. The longest entry is as long, so one always fits. */
export const MAX_RECORDS_BYTES = MAX_ENTRY_BYTES;
/** Most bytes of what is pushed at once. */
export const MAX_PUSH_BYTES = 8 * 1024 * 1024;
/** Most bytes of the status, of a proof, and of the first line of a push: a note, escaped, fits. */
export const MAX_HEAD_BYTES = 2 * 1024 * 1024;
/** Most bytes of a problem document. */
export const MAX_PROBLEM_BYTES = 64 * 1024;
/** Most bytes of one entry in a bundle: its length has 16 bits (C2SP tlog-tiles). */
export const MAX_BUNDLED_BYTES = 0xffff;

const NEWLINE = 0x0a;

// ---- A journal as a log ----

/** What a monitor's journal is called as a log. */
export interface JournalOrigin {
  /** The name of the monitor's key. */
  readonly name: string;
  /** Nothing until its journal stopped continuing what was signed; then POSIX seconds. */
  readonly epoch?: bigint | undefined;
}

const INCIDENTS = "/incidents";

/** The origin: `NAME/incidents`, or `NAME/incidents/EPOCH`. */
export function formatOrigin({ name, epoch }: JournalOrigin): string {
  return `${name}${INCIDENTS}${epoch === undefined ? "" : `/${epoch}`}`;
}

/**
 * Reads an origin as that of the journal of the monitor with this name.
 * @returns nothing if it is another one
 */
export function parseOrigin(origin: string, name: string): JournalOrigin | undefined {
  const first = formatOrigin({ name });
  if (origin === first) return { name };
  if (!origin.startsWith(`${first}/`)) return undefined;
  try {
    const epoch = parseTreeSize(origin.slice(first.length + 1));
    return epoch > 0n ? { name, epoch } : undefined;
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/**
 * How a mirrored journal is named in a path and on disk, whatever its epoch: lower-case hex of SHA-256
 * of `NAME/incidents`.
 */
export function mirrorId(name: string): string {
  return encodeHex(sha256(utf8(formatOrigin({ name }))));
}

const STAND_IN = "hearsay/incident-hash/v1";
/** How the line of an entry begins: `hash` sorts before its other members. */
const LINE_START = /^\{"hash":"([0-9a-f]{64})",/;
/** Bytes of what LINE_START matches. */
const LINE_START_BYTES = 75;

/**
 * The leaf of a journal's entry: its line, or if that is too long for a bundle, a stand-in with the
 * entry's hash. The entry's hash covers the rest of the line, so the leaf does in both cases.
 * @param line of an entry, canonical, without the newline
 * @throws MalformedError if a long line does not begin with a hash
 */
export function leafOf(line: Uint8Array): Uint8Array {
  if (line.length <= MAX_BUNDLED_BYTES) return line;
  const start = String.fromCharCode(...line.subarray(0, LINE_START_BYTES));
  const hash = LINE_START.exec(start)?.[1];
  if (hash === undefined) {
    throw new MalformedError(`an entry begins with ${quoted(start)}, expected {"hash":"64 HEX"`);
  }
  return utf8(`${STAND_IN}\n${hash}\n`);
}

// ---- Paths ----

/** Paths below the base URL, without the slash before them. */
export const PATHS = {
  status: "status",
  records: "records",
  consistencyProof: "consistency-proof",
  checkpoint: "checkpoint",
  tiles: "tile/",
  mirrors: "mirrors/",
} as const;

/** Whether a path below the base URL, or below that of a mirror, can be one of the static files. */
export function isStaticFile(path: string): boolean {
  return path === PATHS.checkpoint || parseTilePath(path) !== undefined;
}

/** The path of a static file of a mirrored journal, taken apart; nothing for another path. */
export function parseMirrorPath(path: string): { id: string; file: string } | undefined {
  const [, id, file] = /^mirrors\/([0-9a-f]{64})\/(.*)$/.exec(path) ?? [];
  return id === undefined || file === undefined || !isStaticFile(file) ? undefined : { id, file };
}

// ---- Queries ----

/** What `GET records` asks for. */
export interface RecordsQuery {
  /** Index of the first leaf. */
  readonly start: bigint;
  /** From 1 on; at most MAX_RECORDS are given, whatever it says. */
  readonly count: bigint;
}

/** `start=N&count=M`. */
export function formatRecordsQuery({ start, count }: RecordsQuery): string {
  return `start=${start}&count=${count}`;
}

/** @throws MalformedError unless it is `start=N&count=M`, each once, with M from 1 on */
export function parseRecordsQuery(search: string): RecordsQuery {
  const { start, count } = parseQuery(search, ["start", "count"]);
  if (count === 0n) throw new MalformedError("count is 0, expected at least 1");
  return { start: start!, count: count! };
}

/** @throws MalformedError unless it is `old_size=N` */
export function parseProofQuery(search: string): bigint {
  return parseQuery(search, ["old_size"])["old_size"]!;
}

/** `old_size=N`. */
export function formatProofQuery(oldSize: bigint): string {
  return `old_size=${oldSize}`;
}

function parseQuery(search: string, names: readonly string[]): Record<string, bigint> {
  const values: Record<string, bigint> = {};
  const wanted = names.map((name) => `${name}=N`).join("&");
  for (const part of search.split("&")) {
    const [, name, value] = /^([a-z_]+)=([^&]*)$/.exec(part) ?? [];
    if (name === undefined || !names.includes(name) || Object.hasOwn(values, name)) {
      throw new MalformedError(`the query is ${quoted(search)}, expected ${wanted}`);
    }
    values[name] = within(name, () => parseTreeSize(value!));
  }
  const missing = names.find((name) => !Object.hasOwn(values, name));
  if (missing === undefined) return values;
  throw new MalformedError(`the query lacks ${missing}, expected ${wanted}`);
}

// ---- Status and consistency proof ----

/** What `GET status` gives. The note says it under a signature. */
export interface JournalStatus {
  readonly origin: string;
  readonly treeSize: bigint;
  /** 32 bytes. */
  readonly rootHash: Uint8Array;
  /** The signed note. */
  readonly checkpoint: string;
}

const STATUS: Shape = {
  must: { origin: text, size: text, root: text, checkpoint: text },
  others: "kept",
};

/** The JSON of a status. */
export function formatStatus({ origin, treeSize, rootHash, checkpoint }: JournalStatus): string {
  return json({ origin, size: `${treeSize}`, root: base64(rootHash), checkpoint });
}

/** @throws MalformedError naming the member that is wrong */
export function parseStatus(body: Uint8Array): JournalStatus {
  const members = parseJson(body, MAX_HEAD_BYTES);
  checkMembers(members, { what: "status", shape: STATUS });
  const { origin, size, root, checkpoint } = members as Record<string, string>;
  return {
    origin: origin!,
    treeSize: within("size", () => parseTreeSize(size!)),
    rootHash: within("root", () => parseHash(root!)),
    checkpoint: checkpoint!,
  };
}

/** A signed head, and the proof that it extends an older one. */
export interface ProvenHead {
  readonly oldSize: bigint;
  /** The signed note of the newer head. */
  readonly checkpoint: string;
  /** 32 bytes each. Empty if the sizes are equal, or the older one is 0. */
  readonly proof: readonly Uint8Array[];
  /** In a push: the key of its sender, for who does not know it. */
  readonly vkey?: string;
}

const PROVEN_HEAD: Shape = {
  must: { old_size: text, checkpoint: text, proof: listOf(text) },
  may: { vkey: text },
  others: "kept",
};

/** The JSON of `GET consistency-proof`, and of the first line of a push. */
export function formatProvenHead({ oldSize, checkpoint, proof, vkey }: ProvenHead): string {
  const key = vkey === undefined ? {} : { vkey };
  return json({ checkpoint, old_size: `${oldSize}`, proof: proof.map(base64), ...key });
}

/** @throws MalformedError naming the member that is wrong */
export function parseProvenHead(body: Uint8Array): ProvenHead {
  const members = parseJson(body, MAX_HEAD_BYTES);
  checkMembers(members, { what: "head", shape: PROVEN_HEAD });
  const { old_size, checkpoint, proof, vkey } = members as unknown as {
    old_size: string;
    checkpoint: string;
    proof: string[];
    vkey?: string;
  };
  if (proof.length > MAX_PROOF_HASHES) {
    throw new MalformedError(`proof has ${proof.length} hashes, expected at most 64`);
  }
  return {
    oldSize: within("old_size", () => parseTreeSize(old_size)),
    checkpoint,
    proof: proof.map((hash, i) => within(`proof[${i}]`, () => parseHash(hash))),
    ...(vkey !== undefined && { vkey }),
  };
}

// ---- Records ----

/** Puts the lines of entries together, each with its newline. */
export function formatRecords(lines: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(lines.reduce((sum, { length }) => sum + length + 1, 0));
  let at = 0;
  for (const line of lines) {
    bytes.set(line, at);
    at += line.length + 1;
    bytes[at - 1] = NEWLINE;
  }
  return bytes;
}

/**
 * Takes lines apart. Whether they are entries, `parseCanonicalEntry` says.
 * @returns the lines, without their newlines
 * @throws MalformedError for an empty line, one that is too long, or one without a newline
 */
export function parseRecords(body: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let from = 0; from < body.length;) {
    const end = body.indexOf(NEWLINE, from);
    const number = lines.length + 1;
    if (end < 0) throw new MalformedError(`record ${number} has no newline at its end`);
    if (end === from) throw new MalformedError(`record ${number} is empty`);
    if (end - from >= MAX_ENTRY_BYTES) {
      throw new MalformedError(
        `record ${number} has ${end - from} bytes, expected less than ${MAX_ENTRY_BYTES}`,
      );
    }
    lines.push(body.subarray(from, end));
    from = end + 1;
  }
  return lines;
}

// ---- Push ----

/** What `POST records` brings. */
export interface Push extends ProvenHead {
  /** Lines of entries from leaf `oldSize` on, all or a first part, without newlines. */
  readonly lines: readonly Uint8Array[];
}

/** The body of a push. */
export function formatPush({ lines, ...head }: Push): Uint8Array<ArrayBuffer> {
  return concat([utf8(formatProvenHead(head)), formatRecords(lines)]);
}

/** @throws MalformedError naming what is wrong */
export function parsePush(body: Uint8Array): Push {
  const end = body.indexOf(NEWLINE);
  if (end < 0) throw new MalformedError("the first line has no newline at its end");
  const head = within("the first line", () => parseProvenHead(body.subarray(0, end)));
  return { ...head, lines: parseRecords(body.subarray(end + 1)) };
}

/** What a mirror holds now, as a push is answered. */
export function formatPushed(size: bigint): string {
  return json({ size: `${size}` });
}

/** @throws MalformedError unless it is the answer to a push */
export function parsePushed(body: Uint8Array): bigint {
  const members = parseJson(body, MAX_PROBLEM_BYTES);
  checkMembers(members, { what: "answer", shape: { must: { size: text }, others: "kept" } });
  return within("size", () => parseTreeSize(members.size as string));
}

/** What came of a push. The name of each refusal is its reason. */
export type PushOutcome =
  /** it is durable in the mirror, which holds so many entries now */
  | { readonly status: 200; readonly size: bigint }
  /** the mirror does not hold `oldSize` entries, but so many */
  | { readonly status: 409; readonly size: bigint; readonly detail: string }
  /** 400 malformed; 403 not admitted; 422 the proof or the records do not lead to the root */
  | { readonly status: 400 | 403 | 422; readonly detail: string }
  /** 429 too much came; 503 our own disk refuses */
  | { readonly status: 429 | 503; readonly detail: string; readonly retryAfterS: number };

/** The mirrors that a monitor keeps, as its HTTP server sees them. */
export interface MirrorHost {
  /**
   * Takes a push. The signature on its checkpoint says who pushes. A 200 means that it is durable.
   * @param caller the address that sent it
   */
  push(push: Push, caller: string): Promise<PushOutcome>;
  /**
   * A static file of a mirrored journal.
   * @param id see `mirrorId`
   * @param file see `isStaticFile`
   * @returns nothing if there is none
   * @throws WorldError if it cannot be read
   */
  file(named: { id: string; file: string }): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

// ---- Problem documents (RFC 9457) ----

/** Media type of a problem document. */
export const PROBLEM_TYPE = "application/problem+json";

/** Why a request was refused. */
export interface Problem {
  /** The HTTP status. */
  readonly status: number;
  /** The same for each kind of refusal; a URI reference that need not lead anywhere. */
  readonly type: string;
  readonly title: string;
  readonly detail: string;
  /** With 409: how many entries the mirror holds. */
  readonly size?: bigint | undefined;
}

/** The JSON of a problem document. */
export function formatProblem({ size, ...problem }: Problem): string {
  const detail = printable(problem.detail);
  return json({ ...problem, detail, ...(size !== undefined && { size: `${size}` }) });
}

const PROBLEM: Shape = {
  must: { type: text, title: text, status: wholeNumber({ least: 100, most: 599 }), detail: text },
  may: { size: text },
  others: "kept",
};

/** @throws MalformedError naming the member that is wrong */
export function parseProblem(body: Uint8Array): Problem {
  const members = parseJson(body, MAX_PROBLEM_BYTES);
  checkMembers(members, { what: "problem", shape: PROBLEM });
  const { type, title, status, detail, size } = members as unknown as
    & Omit<Problem, "size">
    & { size?: string };
  const held = size === undefined ? {} : { size: within("size", () => parseTreeSize(size)) };
  return { status, type, title, detail, ...held };
}

function json(members: JsonObject): string {
  return `${JSON.stringify(members)}\n`;
}

function parseJson(body: Uint8Array, maxBytes: number): JsonObject {
  if (body.length > maxBytes) {
    throw new MalformedError(`it has ${body.length} bytes, expected at most ${maxBytes}`);
  }
  return parseExactJson(textOf(body));
}

function parseHash(encoded: string): Uint8Array {
  const hash = strictBase64(encoded);
  if (hash.length === HASH_BYTES) return hash;
  throw unexpected(encoded, { name: "hash", wanted: `base64 of ${HASH_BYTES} bytes` });
}
