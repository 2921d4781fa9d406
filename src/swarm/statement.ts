/**
 * What a member says, numbered and under its signature. A statement is JSON:
 *
 *     { "version": "hearsay/statement/v1", "note": NOTE, "body": { "kind": …, "time": …, … } }
 *
 * The note is a signed checkpoint (C2SP tlog-checkpoint) of the member's own list of statements. Its
 * origin is `KEYNAME/statements/EPOCH`, its size is the number of the statement, and its root is
 *
 *     SHA-256("hearsay/statement/v1" LF canonical JSON of the body)
 *
 * So two statements under one number are two roots of one size. The detector of logs finds that, the
 * conflict record proves it, and `hearsay verify` judges it, all without knowing statements (RULES,
 * "Statements").
 *
 * The list is no Merkle tree: nobody proves one number from another. Nobody can prove a false
 * contradiction between two numbers either. A consistency proof ends in SHA-256 of bytes that begin
 * with 0x01, and these roots are SHA-256 of bytes that begin with "h".
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { canonicalize } from "@std/json/canonicalize";
import { type JsonObject, parseExactJson } from "../evidence/json.ts";
import { oneLine } from "../evidence/record.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { formatCheckpointText, parseCheckpointText } from "../tlog/checkpoint_text.ts";
import { base64, parseTreeSize, utf8 } from "../tlog/encoding.ts";
import { sha256 } from "../tlog/hashing.ts";
import { type Log, makeLog } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { type Check, checkMembers, listOf, object, text, unexpected } from "../tlog/members.ts";
import { formatNote, MAX_NOTE_BYTES, parseNote, signersOf } from "../tlog/note.ts";
import { formatKeyId, parseVkey, SIGNATURE_TYPE, type Vkey } from "../tlog/vkey.ts";
import type { Signer } from "../world/signer.ts";
import { exactMilliseconds } from "../world/time.ts";

/** Names the format, and begins what is hashed, so that the hash fits nothing else. */
export const STATEMENT_VERSION = "hearsay/statement/v1";
/** Most bytes of a statement in canonical JSON. */
export const MAX_STATEMENT_BYTES = 8 * 1024;
/** The same for a statement that holds a whole note. */
export const MAX_CHECKPOINT_STATEMENT_BYTES = 600_000;
/** Longest round-trip time that is stated, in milliseconds. Who answers later does not answer. */
export const MAX_LINK_MS = 600_000;

/** What a member says. Each kind has a time, and a later version may add members. */
export type StatementBody =
  /** A checkpoint that the member has seen; `observation` is the hash of its own journal entry. */
  | {
    readonly kind: "checkpoint";
    readonly time: string;
    readonly note: string;
    readonly observation: string;
  }
  /**
   * The member was shown this in place of a log's checkpoint, and the log's key has not signed it.
   * `log` is the hash that names the log to members, in hex.
   */
  | {
    readonly kind: "unverified";
    readonly time: string;
    readonly log: string;
    readonly note: string;
  }
  /** Whom the member has a session with, by vkey, and the round-trip time in whole milliseconds. */
  | {
    readonly kind: "links";
    readonly time: string;
    readonly links: readonly (readonly [vkey: string, rttMs: number])[];
  }
  /**
   * The member has put another one out. `evidence` is two notes of the accused: two statements under
   * one number. The notes alone prove it, so the bodies are not sent along.
   */
  | {
    readonly kind: "accusation";
    readonly time: string;
    readonly accused: string;
    readonly reason: string;
    readonly evidence?: readonly [note: string, note: string];
  }
  /** The member goes. */
  | { readonly kind: "leave"; readonly time: string };

/** A kind of a later version. Its number counts, and its content is passed over. */
export interface UnknownBody {
  readonly kind: string;
  readonly time: string;
}

/** What is to be said: the body without its time. */
export type Saying = StatementBody extends infer Body
  ? Body extends StatementBody ? Omit<Body, "time"> : never
  : never;

/** The kinds of statements that this version knows. */
export const STATEMENT_KINDS = [
  "checkpoint",
  "unverified",
  "links",
  "accusation",
  "leave",
] as const;

/** Why a statement was not accepted. */
export type StatementRefusal =
  /** it is of a later version of this format, which is no fault of the sender */
  | "unknown version"
  /** it breaks the rules of its format */
  | "malformed"
  /** nobody who is a member here has signed it */
  | "unknown source"
  /** the member's signature on it is wrong, or the body is not the one that was signed */
  | "bad signature";

/** A statement that was not accepted: the reason, and a sentence for a person. */
export interface RefusedStatement {
  readonly refused: StatementRefusal;
  readonly detail: string;
}

/** Only this module holds it, so only this module can make a Statement. */
const VERIFIED = Symbol("verified");

/** A statement whose signature was checked under the member's key, and whose body is the one signed. */
export class Statement {
  /** Who says it. */
  readonly member: Vkey;
  /** A member begins a new list of numbers with a larger epoch. */
  readonly epoch: bigint;
  /** From 1. */
  readonly sequence: bigint;
  /** When it was said, by the member's clock: milliseconds since 1970. */
  readonly time: number;
  /** `isKnown` tells whether this version knows the kind. */
  readonly body: StatementBody | UnknownBody;
  /** The same as the detector takes it. */
  readonly checkpoint: VerifiedCheckpoint;
  /**
   * Tells statements apart: 64 hex digits over the list, the number and the root. Another signature
   * of the same key on the same statement does not change it.
   */
  readonly hash: string;

  constructor(
    token: typeof VERIFIED,
    { checkpoint, epoch, body }: {
      checkpoint: VerifiedCheckpoint;
      epoch: bigint;
      body: StatementBody | UnknownBody;
    },
  ) {
    if (token !== VERIFIED) throw new TypeError("only readStatement and makeStatement verify");
    const { log, treeSize } = checkpoint;
    this.member = log.vkey;
    this.epoch = epoch;
    this.sequence = treeSize;
    this.time = exactMilliseconds(body.time)!;
    this.body = body;
    this.checkpoint = checkpoint;
    this.hash = hashOf(checkpoint);
  }

  /** The signed note alone. Two of these prove that a member said two things under one number. */
  get note(): string {
    return this.checkpoint.note;
  }

  /** The whole statement as a JSON object. */
  get json(): JsonObject {
    return { version: STATEMENT_VERSION, note: this.note, body: this.body };
  }

  /** The whole statement as one line of canonical JSON (RFC 8785), without a newline. */
  get text(): string {
    return canonicalize(this.json);
  }
}

/** Whether this version knows what a body says. */
export function isKnown(body: StatementBody | UnknownBody): body is StatementBody {
  return (STATEMENT_KINDS as readonly string[]).includes(body.kind);
}

/**
 * The log of a member's statements: its own key, and the origin `KEYNAME/statements/EPOCH`.
 * @throws MalformedError if the key is not Ed25519, or not sound
 */
export function logOf({ vkey, epoch }: { vkey: Vkey; epoch: bigint }): Log {
  if (vkey.type !== SIGNATURE_TYPE.ed25519) {
    throw new MalformedError(`${vkey.text} is no Ed25519 key, and only these sign statements`);
  }
  return makeLog({ vkey, origin: `${vkey.name}${INFIX}${epoch}` });
}

const INFIX = "/statements/";

/**
 * Whether a log is a member's list of statements, by its origin: `KEYNAME/statements/EPOCH`, in which
 * KEYNAME is the name of the log's own key.
 * @returns the epoch; nothing for any other log
 */
export function statementsEpoch(
  { origin, vkey }: { readonly origin: string; readonly vkey: Vkey },
): bigint | undefined {
  const start = `${vkey.name}${INFIX}`;
  if (!origin.startsWith(start)) return undefined;
  try {
    const epoch = parseTreeSize(origin.slice(start.length));
    return epoch > 0n ? epoch : undefined;
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/**
 * Those whose statements are read. Our own key belongs to them: what others heard under it tells
 * whether a copy of this monitor is about.
 */
export class Members {
  #vkeys = new Map<string, Vkey>();
  /** The latest list of each member, so that a key is not loaded for every statement. */
  readonly #logs = new Map<string, Log>();

  /** @param vkeys Ed25519 keys; a key of another type signs no statements, and is left out */
  constructor(vkeys: Iterable<Vkey> = []) {
    this.follow(vkeys);
  }

  /** From now on these are the members. */
  follow(vkeys: Iterable<Vkey>): void {
    const own = [...vkeys].filter(({ type }) => type === SIGNATURE_TYPE.ed25519);
    this.#vkeys = new Map(own.map((vkey) => [vkey.text, vkey]));
    for (const text of this.#logs.keys()) if (!this.#vkeys.has(text)) this.#logs.delete(text);
  }

  /** All of them. */
  get all(): readonly Vkey[] {
    return [...this.#vkeys.values()];
  }

  /** The member with this vkey. */
  get(text: string): Vkey | undefined {
    return this.#vkeys.get(text);
  }

  /** The members that a signature line names. A key id has 32 bits, so two may share one. */
  named({ name, keyId }: { name: string; keyId: number }): readonly Vkey[] {
    return this.all.filter((vkey) => vkey.keyId === keyId && vkey.name === name);
  }

  /** As the function `logOf`. */
  logOf({ vkey, epoch }: { vkey: Vkey; epoch: bigint }): Log {
    const known = this.#logs.get(vkey.text);
    if (known !== undefined && statementsEpoch(known) === epoch) return known;
    const log = logOf({ vkey, epoch });
    this.#logs.set(vkey.text, log);
    return log;
  }
}

/** What is hashed into the root of a statement's note. */
export function hashedBytes(body: StatementBody | UnknownBody): Uint8Array<ArrayBuffer> {
  return utf8(`${STATEMENT_VERSION}\n${canonicalize(body)}`);
}

/**
 * Says something: signs a body under a number. **Never call it twice with one number**, or the
 * signer has equivocated; `OwnStatements` hands numbers out.
 * @param sequence from 1
 * @throws MalformedError if nobody would accept it
 */
export async function makeStatement({ signer, epoch, sequence, body }: {
  signer: Signer;
  epoch: bigint;
  sequence: bigint;
  body: StatementBody;
}): Promise<Statement> {
  // It is checked before it is signed: what is signed can be held against us.
  checkBody(body);
  const log = logOf({ vkey: signer.vkey, epoch });
  const rootHash = sha256(hashedBytes(body));
  const stated = formatCheckpointText({ origin: log.origin, treeSize: sequence, rootHash });
  // The bytes of a signature are always 64, so the size is known before there is one.
  const blank = new Uint8Array(SIGNATURE_BYTES);
  const draft = formatNote({ text: stated, vkey: signer.vkey, signature: blank });
  const unsigned = { version: STATEMENT_VERSION, note: draft, body };
  checkSize({ kind: body.kind, bytes: utf8(canonicalize(unsigned)).length });
  const signature = await signer.sign(utf8(stated));
  const note = formatNote({ text: stated, vkey: signer.vkey, signature });
  const read = readStatement(
    { version: STATEMENT_VERSION, note, body },
    new Members([signer.vkey]),
  );
  if ("refused" in read) throw new MalformedError(read.detail);
  return read;
}

const SIGNATURE_BYTES = 64;

/**
 * Reads a statement and trusts nothing in it. JSON is read exactly, so that no two readers see two
 * things (RULES F9), and the note has one spelling: the signature line of the member and no other.
 *
 *     const statement = readStatement(text, members);
 *     if ("refused" in statement) return count(statement.refused);
 *
 * It does not say whether the statement is new or fresh (`Replay` does), nor whether what it says is
 * right.
 * @param input the JSON text, or an object that was read exactly
 */
export function readStatement(
  input: string | JsonObject,
  members: Members,
): Statement | RefusedStatement {
  try {
    return readOrThrow(input, members);
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.refused, detail: error.message };
    if (error instanceof MalformedError) return { refused: "malformed", detail: error.message };
    throw error;
  }
}

/** A refusal on its way out. */
class Refusal extends Error {
  constructor(readonly refused: StatementRefusal, detail: string) {
    super(detail);
  }
}

function readOrThrow(input: string | JsonObject, members: Members): Statement {
  const json = typeof input === "string" ? input : canonicalize(input);
  // A text has at least as many bytes as units.
  checkLength(json.length, MAX_CHECKPOINT_STATEMENT_BYTES);
  const value = parseExactJson(json);
  if (value.version !== STATEMENT_VERSION) {
    text(value.version, "version");
    throw new Refusal("unknown version", `version is ${quoted(value.version)}`);
  }
  checkMembers(value, { what: "statement", shape: STATEMENT });
  const note = value.note as string;
  const body = value.body as unknown as StatementBody | UnknownBody;
  checkSize({ kind: body.kind, bytes: utf8(canonicalize(value)).length });
  checkBody(body);
  const { vkey, epoch } = signerOf(note, members);
  const root = sha256(hashedBytes(body));
  const opened = openCheckpoint({ note, logs: [members.logOf({ vkey, epoch })] });
  if ("refused" in opened) {
    const refused = opened.refused === "malformed" ? "malformed" : "bad signature";
    throw new Refusal(refused, opened.detail);
  }
  const checkpoint = opened[0]!;
  // A checkpoint with extension lines fits no frame.
  if (checkpoint.note !== note || !checkpoint.fitsFrame) {
    throw new MalformedError("the note has more than its three lines and one signature");
  }
  if (checkpoint.root !== base64(root)) {
    throw new Refusal("bad signature", "the body is not the one that was signed");
  }
  return new Statement(VERIFIED, { checkpoint, epoch, body });
}

/** The note of a statement, without what it states, whose signature was checked. */
export interface StatementHead {
  readonly checkpoint: VerifiedCheckpoint;
  /** As the statement's own. */
  readonly hash: string;
}

/** Opens the note of a statement. It says under which number a member said something, and not what. */
export function openStatementNote(
  note: string,
  members: Members,
): StatementHead | RefusedStatement {
  try {
    const { vkey, epoch } = signerOf(note, members);
    const opened = openCheckpoint({ note, logs: [members.logOf({ vkey, epoch })] });
    if ("refused" in opened) throw new Refusal("bad signature", opened.detail);
    const checkpoint = opened[0]!;
    if (checkpoint.note !== note) {
      throw new MalformedError("the note has more than the statement's line and its signature");
    }
    return { checkpoint, hash: hashOf(checkpoint) };
  } catch (error) {
    if (error instanceof Refusal) return { refused: error.refused, detail: error.message };
    if (error instanceof MalformedError) return { refused: "malformed", detail: error.message };
    throw error;
  }
}

function hashOf({ log, treeSize, root }: VerifiedCheckpoint): string {
  return encodeHex(sha256(utf8(`${log.id}\n${treeSize} ${root}\n`)));
}

/** Who states that it signed a note, and the epoch. Nothing is verified yet. */
function signerOf(note: string, members: Members): { vkey: Vkey; epoch: bigint } {
  const parsed = parseNote(note);
  const { origin, treeSize } = parseCheckpointText(parsed.text);
  const [line, ...others] = signersOf(parsed);
  if (line === undefined || others.length > 0) {
    throw new MalformedError("the note has not one signature line, expected the member's alone");
  }
  if (treeSize === 0n) throw new MalformedError("the sequence is 0, expected at least 1");
  const [vkey, ...more] = members.named(line);
  if (vkey === undefined || more.length > 0) {
    throw new Refusal(
      "unknown source",
      `${quoted(line.name)} (key ${formatKeyId(line.keyId)}) is ${
        vkey === undefined ? "no member" : "not one member: two share this key id"
      }`,
    );
  }
  const epoch = statementsEpoch({ origin, vkey });
  if (epoch === undefined) {
    throw new MalformedError(
      `origin is ${quoted(origin)}, expected ${quoted(`${vkey.name}${INFIX}EPOCH`)}`,
    );
  }
  return { vkey, epoch };
}

function checkSize({ kind, bytes }: { kind: string; bytes: number }): void {
  const holdsNote = kind === "checkpoint" || kind === "unverified";
  checkLength(bytes, holdsNote ? MAX_CHECKPOINT_STATEMENT_BYTES : MAX_STATEMENT_BYTES);
}

function checkLength(bytes: number, most: number): void {
  if (bytes <= most) return;
  throw new MalformedError(`the statement has ${bytes} bytes, expected at most ${most}`);
}

function time(value: unknown, name: string): void {
  if (typeof value === "string" && exactMilliseconds(value) !== undefined) return;
  throw unexpected(value, { name, wanted: "a time such as 2026-01-02T03:04:05.678Z" });
}

function hexHash(value: unknown, name: string): void {
  if (typeof value === "string" && /^[0-9a-f]{64}$/.test(value)) return;
  throw unexpected(value, { name, wanted: "64 hex digits" });
}

function shortNote(value: unknown, name: string): void {
  text(value, name);
  if (value.length > MAX_NOTE_BYTES) throw unexpected(value, { name, wanted: "a note" });
}

function vkey(value: unknown, name: string): void {
  text(value, name);
  parseVkey(value);
}

function link(value: unknown, name: string): void {
  const [who, ms] = Array.isArray(value) && value.length === 2 ? value : [undefined, undefined];
  if (typeof who === "string" && Number.isSafeInteger(ms) && ms >= 0 && ms <= MAX_LINK_MS) return;
  const wanted = `a vkey and a whole number of milliseconds up to ${MAX_LINK_MS}`;
  throw unexpected(value, { name, wanted });
}

function twoNotes(value: unknown, name: string): void {
  listOf(shortNote)(value, name);
  if ((value as unknown[]).length !== 2) throw unexpected(value, { name, wanted: "two notes" });
}

const ANY_BODY = object({ must: { kind: text, time }, others: "kept" });

const STATEMENT = {
  must: { version: text, note: text, body: ANY_BODY },
  others: "refused",
} as const;

/** What a body of each kind must have besides kind and time. A later version may add members. */
const BODIES: Readonly<Record<string, Check>> = {
  checkpoint: object({ must: { note: shortNote, observation: hexHash }, others: "kept" }),
  unverified: object({ must: { log: hexHash, note: shortNote }, others: "kept" }),
  links: object({ must: { links: listOf(link) }, others: "kept" }),
  accusation: object({
    must: { accused: vkey, reason: oneLine },
    may: { evidence: twoNotes },
    others: "kept",
  }),
  leave: object({ must: {}, others: "kept" }),
} satisfies Record<StatementBody["kind"], Check>;

/** @throws MalformedError naming the member that is wrong */
function checkBody(body: StatementBody | UnknownBody): void {
  ANY_BODY(body, "body");
  if (Object.hasOwn(BODIES, body.kind)) BODIES[body.kind]!(body, "body");
}
