/**
 * Every parser of foreign input under attack: valid input, mutated; and no input at all like it.
 * Whatever comes, a parser gives a value or refuses in an orderly way, soon, and sets nothing aside
 * for a length that is only claimed. Where more can be said (what is accepted formats back to itself,
 * no mutation convicts anybody), it is said in the parser's `run`.
 *
 * @module
 */
import { createPrivateKey, sign as nodeSign } from "node:crypto";
import { p256 } from "@noble/curves/nist.js";
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { canonicalize } from "@std/json/canonicalize";
import fc from "fast-check";
import { getNodeValue, type Node, parseTree } from "jsonc-parser";
import { MAX_CONFIG_BYTES, parseConfig, readDuration } from "../../src/cli/config.ts";
import { UsageError } from "../../src/cli/command.ts";
import { requireLogs } from "../../src/cli/inputs.ts";
import { parseStatus } from "../../src/cli/parse_status.ts";
import type { Conflict } from "../../src/evidence/conflict.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { type JsonObject, parseExactJson } from "../../src/evidence/json.ts";
import {
  buildRecord,
  type ConflictRecord,
  formatRecord,
  parseRecord,
  RECORD_VERSION,
  signedBytes,
  withSignature,
} from "../../src/evidence/record.ts";
import { logOf } from "../../src/evidence/replay.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import { hearParcel } from "../../src/gossip/answering.ts";
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import {
  encodeParcel,
  type ItemKind,
  PARCEL_VERSION,
  ParcelDecoder,
  type ParcelItem,
  UnknownParcelVersion,
} from "../../src/gossip/parcel.ts";
import { View } from "../../src/gossip/view.ts";
import { answerFromDisk } from "../../src/sources/disk_server.ts";
import {
  HttpFetcher,
  MAX_HEADER_CHARACTERS,
  MAX_RETRY_AFTER_MS,
  UnexpectedStatus,
} from "../../src/sources/fetcher.ts";
import { readGathered } from "../../src/sources/gathered.ts";
import { isFolder, openSource } from "../../src/sources/open.ts";
import { sigsumOrigin, SigsumSource } from "../../src/sources/sigsum.ts";
import { ProofRefused, type ServedProof, SourceUnavailable } from "../../src/sources/source.ts";
import { TestLog } from "../../src/sources/test_log.ts";
import {
  type Entry,
  entryHash,
  FIRST_PREV_HASH,
  JournalDamaged,
  parseEntry,
  readEntries,
} from "../../src/store/journal.ts";
import { cleanObservation, logIdOf, parseObservation } from "../../src/store/observation.ts";
import { formatRemovals, parseRemovals } from "../../src/store/removal.ts";
import {
  formatCheckpointText,
  openCheckpoint,
  openFrame,
  parseCheckpointText,
  type VerifiedCheckpoint,
} from "../../src/tlog/checkpoint.ts";
import { base64, MAX_TREE_SIZE, textOf, utf8 } from "../../src/tlog/encoding.ts";
import { decodeFrame, encodeFrame, FRAME_BYTES } from "../../src/tlog/frame.ts";
import { HASH_BYTES, leafHash, nodeHash, sha256 } from "../../src/tlog/hashing.ts";
import { formatLog, type Log, parseLog } from "../../src/tlog/log.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { formatNote, loadVerifier, parseNote } from "../../src/tlog/note.ts";
import { impliedOlderRoot, verifyConsistency, verifyInclusion } from "../../src/tlog/proof.ts";
import { formatProof, readProof } from "../../src/tlog/stated_proof.ts";
import { TILE_WIDTH } from "../../src/tlog/tiles.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { makeVkey, parseVkey, SIGNATURE_TYPE, type Vkey } from "../../src/tlog/vkey.ts";
import { formatAddress, parseAddress } from "../../src/world/address.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { parseHttpDate } from "../../src/world/http_date.ts";
import { generateSigner, loadSigner } from "../../src/world/signer.ts";
import { type Files, type OpenFile, type World, WorldError } from "../../src/world/world.ts";
import { checkpointOf, grow, open, proofOf, seenOf } from "../evidence/histories.ts";
import { type Answer, fakeWorld } from "../sources/fake_http.ts";
import { fileOf } from "../world/helpers.ts";

/** Longest time one case may take, its checks included; generous, because machines are noisy. */
export const MAX_CASE_MS = 2_000;
/** How often a case that takes longer is run, and the shortest time taken. */
const TIMES_MEASURED = 3;
/** The largest array a case may ask for at once; no input fed here is half as long. */
export const MAX_ALLOCATION_BYTES = 4 * 1024 * 1024;
/** Longest input that a mutation makes. */
export const MAX_INPUT_LENGTH = 768 * 1024;
/** How long a counterexample is made smaller before it is told as it is then. */
const SHRINK_MS = 10_000;
/** Cases between two tellings of progress; each such batch has a seed of its own. */
const BATCH_CASES = 2_000;
/** How much of a counterexample is told; the rest is in its seed and path. */
const SHOWN_CHARACTERS = 4_000;

/** What became of one input. */
export type Outcome = "accepted" | "refused";

/** A class of errors. */
type ErrorClass = abstract new (...args: never[]) => Error;

/** One parser, and what is fed to it. */
export interface ParserUnderTest<Input = unknown> {
  readonly name: string;
  /** Its part of all cases, relative to the others': what is cheap gets more. */
  readonly share: number;
  readonly inputs: fc.Arbitrary<Input>;
  /** Errors that refuse in an orderly way, besides MalformedError; all others are crashes. */
  readonly orderly?: readonly ErrorClass[];
  /** Feeds it one input and checks what it makes of it. */
  run(input: Input): Outcome | Promise<Outcome>;
  /** Inputs that are valid, each to be accepted. */
  readonly valid?: readonly Input[];
  /** How a bare text is fed to it, if it can be: for long texts. */
  feed?(text: string): Input;
}

/** What a parser promised and did not keep. */
export class PromiseBroken extends Error {}

function insist(holds: boolean, promise: string): asserts holds {
  if (!holds) throw new PromiseBroken(promise);
}

/** Lets the table hold parsers of different inputs. */
function parser<Input>(fields: ParserUnderTest<Input>): ParserUnderTest {
  return fields as ParserUnderTest;
}

// ---------------------------------------------------------------------------------------------------
// Mutation

/** One step: which change, and two numbers that say where and how. */
type Step = readonly [number, number, number];

const STEPS = fc.array(fc.tuple(fc.nat(255), fc.nat(), fc.nat()), { minLength: 1, maxLength: 4 });

/** What a step has to work with. */
interface Change<T> {
  readonly value: T;
  /** Another valid input. */
  readonly other: T;
  readonly a: number;
  readonly b: number;
}

/** A long repeat comes once in a while, so that most cases stay cheap. */
function timesOf(b: number): number {
  return b % 997 === 500 ? 100_000 : 1 + b % 300;
}

const BYTES = [0, 0xff, 0x0a, 0x0d, 0x20, 0x22, 0x30, 0x39, 0x5b, 0x5c, 0x7b, 0x7f, 0x80, 0xc0];
const LENGTHS = [0xffffffff, 0x7fffffff, 0x80000000, 0, 1, 0xffff, 0x10000000];

function cut(bytes: Uint8Array, at: number, remove: number, put: Uint8Array): Uint8Array {
  return concat([bytes.subarray(0, at), put, bytes.subarray(at + remove)]);
}

const BYTE_CHANGES: readonly ((change: Change<Uint8Array>) => Uint8Array)[] = [
  // A bit flips.
  ({ value, a, b }) => {
    const copy = value.slice();
    if (copy.length > 0) copy[a % copy.length]! ^= 1 << (b & 7);
    return copy;
  },
  // A byte becomes a remarkable one, or such a one comes in.
  ({ value, a, b }) =>
    cut(value, a % (value.length + 1), b & 1, Uint8Array.of(BYTES[(b >> 1) % BYTES.length]!)),
  // Bytes go missing.
  ({ value, a, b }) => cut(value, a % (value.length + 1), 1 + b % 40, new Uint8Array(0)),
  // The end goes missing.
  ({ value, a }) => value.subarray(0, a % (value.length + 1)),
  // The start goes missing.
  ({ value, a }) => value.subarray(a % (value.length + 1)),
  // A part comes again, once or many times.
  ({ value, a, b }) => {
    const at = a % (value.length + 1);
    const part = value.subarray(at, at + 1 + b % 64);
    const times = Math.min(timesOf(b >> 6), Math.floor(MAX_INPUT_LENGTH / (part.length + 1)));
    return cut(value, at, 0, concat(Array.from({ length: times }, () => part)));
  },
  // Half of this one, half of another.
  ({ value, other, a, b }) =>
    concat([value.subarray(0, a % (value.length + 1)), other.subarray(b % (other.length + 1))]),
  // What may be a length is a huge one.
  ({ value, a, b }) => {
    const field = new Uint8Array(4);
    new DataView(field.buffer).setUint32(0, LENGTHS[b % LENGTHS.length]!);
    return cut(value, a % (value.length + 1), 4, field);
  },
  // Two parts change places.
  ({ value, a, b }) => {
    const [from, to] = [a % (value.length + 1), b % (value.length + 1)].sort((x, y) => x - y);
    return concat([value.subarray(to), value.subarray(from, to), value.subarray(0, from)]);
  },
];

const CHARACTERS = [
  ...'\0\n\r\t "\\{}[]:,+-=/—09aAzZ%.<>',
  ...["\x7f", "\x85", "\xa0", "\u2028", "\u2029", "\ufeff", "\u202e", "\ud800", "\udc00", "😀"],
  ...["\r\n", "\n\n", "null", "1e999", "\\u0000", "\\ud800", '\\"', "//", "/*", "../", "x001/"],
];
const NUMBERS = [
  ...["0", "-1", "007", "+1", "1e3", "1.5", "0x10", "18446744073709551616", "9223372036854775807"],
  ...["9223372036854775808", "4294967296", "65536", "99999", "NaN", "1".repeat(400)],
];
const VALUES: readonly unknown[] = [
  ...[null, true, 0, -1, 1e308, "", "\0", "x".repeat(300), "9".repeat(30), [], {}, [[]], "\u2028"],
  ...[{ __proto__: null, constructor: 1 }, JSON.parse('{"__proto__":{"size":"1"}}'), [null], "1"],
];
/** Deeper than any call stack; most nestings are shallow, where they may slip through. */
const DEEP = 100_000;

function splice(text: string, at: number, remove: number, put: string): string {
  return text.slice(0, at) + put + text.slice(at + remove);
}

/** Puts something in the place of the nth match of a pattern. */
function replaceNth(text: string, pattern: RegExp, n: number, put: (found: string) => string) {
  const found = [...text.matchAll(pattern)];
  if (found.length === 0) return text;
  const { index, 0: match } = found[n % found.length]!;
  return splice(text, index, match.length, put(match));
}

const TEXT_CHANGES: readonly ((change: Change<string>) => string)[] = [
  // A character becomes a remarkable one, or such a one comes in.
  ({ value, a, b }) =>
    splice(value, a % (value.length + 1), b & 1, CHARACTERS[(b >> 1) % CHARACTERS.length]!),
  // A bit of a character flips.
  ({ value, a, b }) => {
    const at = a % (value.length + 1);
    const code = (at < value.length ? value.charCodeAt(at) : 0) ^ (1 << (b & 7));
    return splice(value, at, 1, String.fromCharCode(code));
  },
  // Characters go missing.
  ({ value, a, b }) => splice(value, a % (value.length + 1), 1 + b % 40, ""),
  // The end goes missing.
  ({ value, a }) => value.slice(0, a % (value.length + 1)),
  // A part comes again, once or many times.
  ({ value, a, b }) => {
    const at = a % (value.length + 1);
    const part = value.slice(at, at + 1 + b % 64);
    const times = Math.min(timesOf(b >> 6), Math.floor(MAX_INPUT_LENGTH / (part.length + 1)));
    return splice(value, at, 0, part.repeat(times));
  },
  // Half of this one, half of another.
  ({ value, other, a, b }) =>
    value.slice(0, a % (value.length + 1)) + other.slice(b % (other.length + 1)),
  // A number becomes another.
  ({ value, a, b }) => replaceNth(value, /\d+/g, a, () => NUMBERS[b % NUMBERS.length]!),
  // A line goes missing, comes twice, or last.
  ({ value, a, b }) => {
    const lines = value.split("\n");
    const [line] = lines.splice(a % lines.length, 1);
    if (b % 3 === 1) lines.splice(a % (lines.length + 1), 0, line!, line!);
    if (b % 3 === 2) lines.push(line!);
    return lines.join("\n");
  },
  // Brackets, nested.
  ({ value, a, b }) => {
    const deep = b % 97 === 50 ? DEEP : 1 + b % 40;
    const nest = b & 1 ? "[".repeat(deep) + "]".repeat(deep) : '{"a":'.repeat(deep);
    return splice(value, a % (value.length + 1), 0, nest);
  },
  // A JSON member comes twice, or one that is none of its own.
  ({ value, a, b }) =>
    replaceNth(
      value,
      /"[A-Za-z_]+"\s*:/g,
      a,
      (member) =>
        b % 3 === 0
          ? `${member} null, ${member}`
          : b % 3 === 1
          ? `"__proto__": {"size": "1"}, ${member}`
          : `"constructor":`,
    ),
  // A JSON value becomes another.
  ({ value, a, b }) => withOtherValue(value, a, VALUES[b % VALUES.length]),
  // A character is spelled as JSON may.
  ({ value, a }) => {
    const at = a % (value.length + 1);
    const code = value.slice(at, at + 1);
    return code === "" ? value : splice(value, at, 1, escaped(code));
  },
];

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** A JSON text in which one value, however deep, is another. */
function withOtherValue(text: string, n: number, put: unknown): string {
  try {
    const root = { all: JSON.parse(text) as unknown };
    const places: [Record<string, unknown>, string][] = [];
    const visit = (parent: Record<string, unknown>, key: string): void => {
      places.push([parent, key]);
      const value = parent[key];
      if (typeof value !== "object" || value === null) return;
      for (const inner of Object.keys(value)) visit(value as Record<string, unknown>, inner);
    };
    visit(root, "all");
    const [parent, key] = places[n % places.length]!;
    parent[key] = put;
    return JSON.stringify(root.all);
  } catch {
    return text; // No JSON, or nested too deeply to be walked: another step is for that.
  }
}

function mutated<T>(
  { sample, other, steps, changes }: {
    sample: T;
    other: T;
    steps: readonly Step[];
    changes: readonly ((change: Change<T>) => T)[];
  },
): T {
  return steps.reduce(
    (value, [kind, a, b]) => changes[kind % changes.length]!({ value, other, a, b }),
    sample,
  );
}

/** Parts of which long texts are made, many times over: what takes a parser longer than it is long. */
const LONG_PARTS = [
  ...['\\"', '"', "\\", "[", "{", '{"a":', '["', " ", "\n", "\n\n", "0", "9", "a", "/", "+", "—"],
  ...[
    "\ud800",
    "\\ud800",
    "\u2028",
    '"a":1,',
    "// ",
    "/*",
    "— a b\n",
    "=",
    "-",
    ",",
    ":",
    "PRIVATE+KEY+",
  ],
];

/** How long they are made: long enough that what takes time by its square takes too long. */
const LONG_TEXT_LENGTH = 128 * 1024;

/** A long text within a sample. */
function longText(sample: string, at: number, part: string, length: number): string {
  return splice(sample, at % (sample.length + 1), 0, part.repeat(Math.ceil(length / part.length)));
}

function choice(count: number): fc.Arbitrary<number> {
  return fc.nat(Math.max(0, count - 1));
}

/** Texts: the samples, mutations of them, and some that are nothing like them. */
function texts(samples: readonly string[]): fc.Arbitrary<string> {
  const pick = choice(samples.length);
  return fc.oneof(
    { weight: 20, arbitrary: pick.map((i) => samples[i]!) },
    {
      weight: 160,
      arbitrary: fc.tuple(pick, pick, STEPS).map(([i, j, steps]) =>
        mutated({ sample: samples[i]!, other: samples[j]!, steps, changes: TEXT_CHANGES })
          .slice(0, MAX_INPUT_LENGTH)
      ),
    },
    { weight: 10, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
    {
      weight: 9,
      arbitrary: fc.array(fc.constantFrom(...CHARACTERS, ...NUMBERS), { maxLength: 12 })
        .map((parts) => parts.join("")),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(pick, fc.nat(), fc.constantFrom(...LONG_PARTS), fc.nat(LONG_TEXT_LENGTH))
        .map(([i, at, part, length]) => longText(samples[i]!, at, part, length)),
    },
  );
}

/** Bytes: the samples, mutations of them, and some that are nothing like them. */
function bytes(samples: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const pick = choice(samples.length);
  return fc.oneof(
    { weight: 20, arbitrary: pick.map((i) => samples[i]!) },
    {
      weight: 170,
      arbitrary: fc.tuple(pick, pick, STEPS).map(([i, j, steps]) =>
        mutated({ sample: samples[i]!, other: samples[j]!, steps, changes: BYTE_CHANGES })
          .slice(0, MAX_INPUT_LENGTH)
      ),
    },
    { weight: 10, arbitrary: fc.uint8Array({ maxLength: 300 }) },
  );
}

/** Texts as bytes: mutated as texts, and as bytes. */
function textBytes(samples: readonly string[]): fc.Arbitrary<Uint8Array> {
  return fc.oneof(
    { weight: 2, arbitrary: texts(samples).map(utf8) },
    { weight: 1, arbitrary: bytes(samples.map(utf8)) },
  );
}

// ---------------------------------------------------------------------------------------------------
// What valid input is made of: keys from fixed seeds, so that a case can be replayed

/** A key that signs at once, and the same way every time. */
interface Hand {
  readonly vkey: Vkey;
  readonly privateKey: string;
  sign(message: Uint8Array): Uint8Array;
}

/** DER of a PKCS #8 Ed25519 key up to the seed (RFC 8410 section 7). */
const PKCS8_PREFIX = decodeHex("302e020100300506032b657004220420");

function seededWorld(seed: Uint8Array): World {
  return { ...denoWorld(), random: { bytes: (count) => new Uint8Array(seed.slice(0, count)) } };
}

async function handOf(name: string): Promise<Hand> {
  const seed = sha256(utf8(name));
  const { signer: { vkey }, privateKey } = await generateSigner({ world: seededWorld(seed), name });
  const der = concat([PKCS8_PREFIX, seed]).toBase64();
  const key = createPrivateKey({ key: der, encoding: "base64", format: "der", type: "pkcs8" });
  return { vkey, privateKey, sign: (message) => new Uint8Array(nodeSign(null, message, key)) };
}

/** A log in memory whose key follows from its origin. */
function seededLog(origin: string): Promise<TestLog> {
  return TestLog.create({ world: seededWorld(sha256(utf8(origin))), origin });
}

const LEAVES = 600;
/** Where the two histories part. */
const FORK_AT = 37;
const FORK_SIZE = 40;
const ORIGIN = "log.invalid/alpha";
const OTHER_ORIGIN = "an origin that is not the key's name";

/** The statement of a checkpoint, for a set of those that were signed. */
function statementOf(log: Log, treeSize: bigint, root: string): string {
  return `${log.id} ${treeSize} ${root}`;
}

/** Everything the samples are made of. */
async function makeStage() {
  const honest = grow(await seededLog(ORIGIN), FORK_AT);
  const forked = grow(honest.fork(), FORK_SIZE, "another story");
  grow(honest, LEAVES);
  const again = grow(await seededLog("log.invalid/again"), 9);
  const hand = await handOf(ORIGIN);
  const second = await handOf("log.invalid/second-key");
  const detector = await handOf("monitor.invalid/one");
  const shortNamed = await handOf("m");
  // One origin under two keys, and one whose origin is not its key's name.
  const secondLog = parseLog(`${second.vkey.text} ${ORIGIN}`);
  const named = parseLog(`${second.vkey.text} ${OTHER_ORIGIN}`);
  const logs = [honest.log, secondLog, named, again.log];
  const hands = new Map([[honest.log.id, hand], [secondLog.id, second], [named.id, second]]);
  hands.set(again.log.id, await handOf("log.invalid/again"));
  const sizes = [1, 8, FORK_AT, FORK_SIZE, 255, 256, 257, LEAVES];
  const checkpoints = [
    ...await Promise.all(sizes.map((size) => checkpointOf(honest, size))),
    await checkpointOf(forked),
    await checkpointOf(again),
  ];
  return {
    honest,
    forked,
    again,
    hand,
    detector,
    shortNamed,
    secondLog,
    named,
    logs,
    hands,
    checkpoints,
  };
}

type Stage = Awaited<ReturnType<typeof makeStage>>;

/** Whether an Ed25519 checkpoint is what its log's hand writes: there is only one such signature. */
function isGenuine({ hands }: Stage, checkpoint: VerifiedCheckpoint): boolean {
  const hand = hands.get(checkpoint.log.id);
  const { text } = parseNote(checkpoint.note);
  return hand !== undefined && equals(hand.sign(utf8(text)), checkpoint.signature);
}

/** Notes of a text, signed by whoever signs for its origin here. */
function signedNote({ hand }: Stage, text: string): string {
  return formatNote({ text, vkey: hand.vkey, signature: hand.sign(utf8(text)) });
}

const HOSTILE_TEXTS = [
  `${ORIGIN}\n${MAX_TREE_SIZE}\n${base64(sha256(utf8("x")))}\n`,
  `${ORIGIN}\n5\n${base64(sha256(utf8("x")))}\nan extension\nanother\n`,
];

// ---------------------------------------------------------------------------------------------------
// The parsers: what a log says (src/tlog)

function frames(stage: Stage): ParserUnderTest[] {
  const samples = stage.checkpoints.map(({ frame }) => frame);
  const signed = fc.tuple(fc.bigInt({ min: 0n, max: MAX_TREE_SIZE }), choice(4), choice(3))
    .map(([treeSize, root, by]) => {
      const log = stage.logs[by]!;
      const rootHash = sha256(Uint8Array.of(root));
      const text = formatCheckpointText({ origin: log.origin, treeSize, rootHash });
      const signature = stage.hands.get(log.id)!.sign(utf8(text));
      return encodeFrame({ treeSize, rootHash, signature }) as Uint8Array;
    });
  return [
    parser<Uint8Array>({
      name: "frame: decodeFrame",
      valid: samples,
      share: 50,
      inputs: bytes(samples),
      feed: utf8,
      run(frame) {
        insist(equals(encodeFrame(decodeFrame(frame)), frame), "a frame encodes back to itself");
        return "accepted";
      },
    }),
    parser<Uint8Array>({
      name: "frame: openFrame",
      valid: samples,
      share: 40,
      inputs: fc.oneof({ weight: 5, arbitrary: bytes(samples) }, { weight: 1, arbitrary: signed }),
      feed: utf8,
      run(frame) {
        const opened = openFrame({ frame, logs: stage.logs });
        if ("refused" in opened) return "refused";
        insist(equals(opened.frame, frame), "a frame that opens is the checkpoint's own");
        insist(isGenuine(stage, opened), "a frame opens only with the log's signature");
        return "accepted";
      },
    }),
  ];
}

function notes(stage: Stage): ParserUnderTest[] {
  const checkpoints = stage.checkpoints.map(({ note }) => note);
  const bodies = [...checkpoints.map((note) => parseNote(note).text), ...HOSTILE_TEXTS];
  const twoLines = checkpoints[0]! + checkpoints[1]!.split("\n\n")[1]!;
  const samples = [
    ...checkpoints,
    ...HOSTILE_TEXTS.map((text) => signedNote(stage, text)),
    twoLines,
    checkpoints[2]! + "— grease.invalid AAAAAAAA\n",
    checkpoints[2]! + "— grease.invalid AAAA\n",
    "any text\n\nwith an empty line\n\n— a.invalid AAAAAAAA\n",
  ];
  return [
    parser<string>({
      name: "note: parseNote of a text",
      share: 60,
      valid: samples,
      inputs: texts(samples),
      feed: (text) => text,
      run(note) {
        const { text, lines } = parseNote(note);
        insist(`${text}\n${lines.join("\n")}\n` === note, "a note's parts make up the note");
        insist(
          note.isWellFormed() && !/[^\P{Cc}\n\x7f-\x9f]/u.test(note),
          "it can be signed as it is",
        );
        insist(lines.every((line) => line.startsWith("— ")), "a signature line begins with a dash");
        return "accepted";
      },
    }),
    parser<Uint8Array>({
      name: "note: parseNote of bytes",
      share: 40,
      inputs: textBytes(samples),
      feed: utf8,
      run(note) {
        const { text, lines } = parseNote(note);
        insist(equals(utf8(`${text}\n${lines.join("\n")}\n`), note), "the parts make up the note");
        insist(parseNote(textOf(note)).text === text, "the text of the bytes reads the same");
        return "accepted";
      },
    }),
    parser<string>({
      name: "checkpoint: parseCheckpointText",
      share: 60,
      valid: bodies,
      inputs: texts(bodies),
      feed: (text) => text,
      run(text) {
        const stated = parseCheckpointText(text);
        const { extensions } = stated;
        const formatted = formatCheckpointText(stated) +
          extensions.map((line) => line + "\n").join("");
        insist(formatted === text, "a checkpoint text formats back to itself");
        insist(!`\n${text}`.includes("\n\n"), "no line of it is empty");
        return "accepted";
      },
    }),
    parser<string | Uint8Array>({
      name: "checkpoint: openCheckpoint, Ed25519",
      share: 60,
      inputs: fc.oneof<fc.Arbitrary<string | Uint8Array>[]>(
        texts(samples),
        textBytes(samples),
        // Signed after the mutation: the signature holds, and the text is what it is.
        texts(bodies).map((text) => signedNote(stage, text)),
        // Under the right key's name and id, whatever stands for a signature.
        bytes(stage.checkpoints.map(({ signature }) => signature)).map((signature) =>
          formatNote({ text: bodies[3]!, vkey: stage.hand.vkey, signature })
        ),
      ),
      valid: [...checkpoints, utf8(checkpoints[0]!), twoLines.slice(0, checkpoints[0]!.length)],
      feed: (text) => text,
      run(note) {
        const opened = openCheckpoint({ note, logs: stage.logs });
        if ("refused" in opened) return "refused";
        for (const checkpoint of opened) {
          insist(isGenuine(stage, checkpoint), "a note opens only with the log's signature");
          const again = open(checkpoint.note, checkpoint.log);
          insist(again.treeSize === checkpoint.treeSize, "what was opened opens again");
          insist(again.root === checkpoint.root, "what was opened opens again");
        }
        return "accepted";
      },
    }),
  ];
}

/** A log whose signatures are not Ed25519's, and some notes of it. */
interface TypedLog {
  readonly log: Log;
  readonly notes: readonly string[];
}

/** DER of a P-256 SubjectPublicKeyInfo up to its point (RFC 5480 section 2). */
const P256_PREFIX = decodeHex("3059301306072a8648ce3d020106082a8648ce3d030107034200");

function uint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

function typedLog(
  { type, publicKey, signatureOf, extensions }: {
    type: number;
    publicKey: Uint8Array;
    signatureOf: (stated: { text: string; treeSize: bigint; rootHash: Uint8Array }) => Uint8Array;
    extensions: readonly string[];
  },
): TypedLog {
  const vkey = makeVkey({ name: ORIGIN, type, publicKey });
  const notes = [0n, 7n, MAX_TREE_SIZE].flatMap((treeSize) =>
    extensions.map((more) => {
      const rootHash = sha256(uint64(treeSize));
      const text = formatCheckpointText({ origin: ORIGIN, treeSize, rootHash }) + more;
      return formatNote({ text, vkey, signature: signatureOf({ text, treeSize, rootHash }) });
    })
  );
  return { log: parseLog(vkey.text), notes };
}

const SPKI = concat([
  P256_PREFIX,
  p256.getPublicKey(sha256(utf8("a P-256 key")), false) as Uint8Array,
]);

function signP256(message: Uint8Array): Uint8Array {
  return p256.sign(message, sha256(utf8("a P-256 key")), { format: "der" }) as Uint8Array;
}

function ecdsaLogs(): readonly TypedLog[] {
  return [
    typedLog({
      type: SIGNATURE_TYPE.ecdsa,
      publicKey: SPKI,
      signatureOf: ({ text }) => signP256(utf8(text)),
      extensions: ["", "an extension\n"],
    }),
    typedLog({
      type: SIGNATURE_TYPE.rfc6962,
      publicKey: SPKI,
      signatureOf({ treeSize, rootHash }) {
        const time = uint64(1n);
        const head = concat([Uint8Array.of(0, 1), time, uint64(treeSize), rootHash]);
        const signature = signP256(head);
        return concat([time, Uint8Array.of(4, 3, 0, signature.length), signature]);
      },
      extensions: [""],
    }),
  ];
}

function mldsaLog(): TypedLog {
  const { publicKey, secretKey } = ml_dsa44.keygen(sha256(utf8("an ML-DSA-44 key")));
  return typedLog({
    type: SIGNATURE_TYPE.mldsa44,
    publicKey,
    signatureOf({ treeSize, rootHash }) {
      const name = utf8(ORIGIN);
      const named = concat([Uint8Array.of(name.length), name]);
      const message = concat([
        ...[utf8("subtree/v1\n\0"), named, uint64(1n), named, uint64(0n), uint64(treeSize)],
        rootHash,
      ]);
      return concat([uint64(1n), ml_dsa44.sign(message, secretKey, { extraEntropy: false })]);
    },
    extensions: ["", "an extension\n"],
  });
}

function typedNotes(): ParserUnderTest[] {
  const kinds: [string, number, readonly TypedLog[]][] = [
    ["ECDSA and RFC 6962", 25, ecdsaLogs()],
    ["ML-DSA-44", 6, [mldsaLog()]],
  ];
  return kinds.map(([what, share, typed]) => {
    const logs = typed.map(({ log }) => log);
    const samples = typed.flatMap(({ notes }) => notes);
    const signed = new Set(typed.flatMap(({ log, notes }) =>
      notes.map((note) => {
        const { treeSize, root } = open(note, log);
        return statementOf(log, treeSize, root);
      })
    ));
    return parser<string | Uint8Array>({
      name: `checkpoint: openCheckpoint, ${what}`,
      share,
      inputs: fc.oneof<fc.Arbitrary<string | Uint8Array>[]>(
        texts(samples),
        textBytes(samples),
        ...typed.map(({ log, notes }) =>
          bytes(notes.map((note) => open(note, log).signature)).map((signature) =>
            formatNote({ text: parseNote(notes[0]!).text, vkey: log.vkey, signature })
          )
        ),
      ),
      valid: samples,
      feed: (text) => text,
      run(note) {
        const opened = openCheckpoint({ note, logs });
        if ("refused" in opened) return "refused";
        for (const { log, treeSize, root } of opened) {
          insist(signed.has(statementOf(log, treeSize, root)), "no other statement opens");
        }
        return "accepted";
      },
    });
  });
}

/** DER of an RSA key with this modulus; nobody knows its factors, nor needs them here. */
function rsaSpki(bits: number): Uint8Array {
  const length = bits / 8;
  const modulus = new Uint8Array(length);
  for (let at = 0; at < length; at++) modulus[at] = sha256(Uint8Array.of(at))[0]!;
  modulus[0]! |= 0x80;
  modulus[length - 1]! |= 1;
  const tagged = (tag: number, content: Uint8Array): Uint8Array =>
    concat([Uint8Array.of(tag, 0x82, content.length >> 8, content.length & 0xff), content]);
  const integer = tagged(0x02, concat([Uint8Array.of(0), modulus]));
  const key = tagged(0x30, concat([integer, Uint8Array.of(0x02, 3, 1, 0, 1)]));
  const algorithm = decodeHex("300d06092a864886f70d0101010500");
  return tagged(0x30, concat([algorithm, tagged(0x03, concat([Uint8Array.of(0), key]))]));
}

function vkeys(stage: Stage): ParserUnderTest[] {
  const { publicKey } = stage.hand.vkey;
  const keys: readonly [number, Uint8Array][] = [
    [SIGNATURE_TYPE.ed25519, publicKey],
    [SIGNATURE_TYPE.cosignature, publicKey],
    [SIGNATURE_TYPE.ecdsa, SPKI],
    [SIGNATURE_TYPE.rfc6962, SPKI],
    [SIGNATURE_TYPE.rfc6962, rsaSpki(2048)],
    [SIGNATURE_TYPE.rfc6962, rsaSpki(1024)],
    [SIGNATURE_TYPE.mldsa44, ml_dsa44.keygen(sha256(utf8("an ML-DSA-44 key"))).publicKey],
  ];
  const samples = keys.map(([type, publicKey]) => makeVkey({ name: ORIGIN, type, publicKey }).text);
  const logs = samples.filter((text) => parseVkey(text).type !== SIGNATURE_TYPE.cosignature)
    .filter((text) => parseVkey(text).publicKey.length !== rsaSpki(1024).length);
  const notations = [...logs, ...logs.slice(0, 1).map((text) => `${text} ${OTHER_ORIGIN}`)];
  const message = utf8(
    formatCheckpointText({ origin: ORIGIN, treeSize: 7n, rootHash: sha256(SPKI) }),
  );
  // Whole in form for every type, so that each platform's verify is really asked.
  const signatures = [
    new Uint8Array(64).fill(3),
    signP256(utf8("something else")),
    concat([uint64(1n), Uint8Array.of(4, 1, 1, 0), new Uint8Array(256).fill(7)]),
    new Uint8Array(8 + 2420),
  ];
  interface Key {
    readonly name: string;
    readonly type: number;
    readonly publicKey: Uint8Array;
    readonly signature: Uint8Array;
  }
  return [
    parser<string>({
      name: "vkey: parseVkey",
      share: 60,
      valid: samples,
      inputs: texts(samples),
      feed: (text) => text,
      run(text) {
        const vkey = parseVkey(text);
        insist(vkey.text === text && makeVkey(vkey).text === text, "a vkey formats back to itself");
        // An ECDSA key's id is of the key alone, so its name may be any other.
        const isOther = vkey.type === SIGNATURE_TYPE.ecdsa || samples.includes(text) ||
          !samples.some((sample) => isTypo(sample, text));
        insist(isOther, "no typo in a vkey goes unnoticed");
        return "accepted";
      },
    }),
    parser<Key>({
      // With the right key id whatever the key: what the id protects is attacked behind it.
      name: "vkey: makeVkey, loadVerifier and verifies",
      share: 30,
      inputs: choice(keys.length).chain((at) => {
        const [type, publicKey] = keys[at]!;
        return fc.record({
          name: fc.oneof({ weight: 6, arbitrary: fc.constant(ORIGIN) }, texts([ORIGIN])),
          type: fc.oneof({ weight: 6, arbitrary: fc.constant(type) }, fc.nat(255)),
          publicKey: bytes([publicKey]),
          signature: bytes(signatures),
        });
      }),
      run({ signature, ...key }) {
        const vkey = makeVkey(key);
        insist(parseVkey(vkey.text).text === vkey.text, "a vkey that was made is read");
        const verifier = loadVerifier(vkey);
        insist(!verifier.verifies({ message, signature }), "nobody signed this");
        return "accepted";
      },
    }),
    parser<string[]>({
      name: "logs: requireLogs",
      share: 20,
      valid: notations.map((one) => [one]),
      inputs: fc.array(texts(notations), { maxLength: 3 }),
      orderly: [UsageError],
      feed: (text) => [text],
      run(given) {
        const logs = requireLogs(given);
        for (const log of logs) {
          insist(given.some((text) => isNotationOf(text, log)), "its own log");
        }
        return "accepted";
      },
    }),
  ];
}

/** Whether two texts of one length differ in one character: what a key id is there to find. */
function isTypo(sample: string, text: string): boolean {
  if (sample.length !== text.length) return false;
  return [...sample].filter((character, i) => character !== text[i]).length === 1;
}

function isNotationOf(text: string, log: Log): boolean {
  return text === formatLog(log) || text === `${log.vkey.text} ${log.origin}`;
}

function proofs(stage: Stage): ParserUnderTest[] {
  const { honest } = stage;
  const leaf = (index: number): Uint8Array => leafHash(utf8(` entry ${index}`));
  const tree = new Tree();
  for (let index = 0; index < LEAVES; index++) tree.append(leaf(index));
  insist(equals(tree.root(), honest.root(BigInt(LEAVES))), "the tree is the log's");

  interface Case {
    readonly from: number;
    readonly to: number;
    /** What is asked about instead of `from`, if anything. */
    readonly instead: bigint | undefined;
    readonly steps: readonly Step[];
    /** Which part is changed: the proof, the older root, the newer tree. */
    readonly where: number;
  }
  const cases: fc.Arbitrary<Case> = fc.record({
    from: fc.nat(LEAVES),
    to: fc.integer({ min: 1, max: LEAVES }),
    instead: fc.option(fc.bigInt({ min: 0n, max: MAX_TREE_SIZE }), { nil: undefined, freq: 5 }),
    steps: fc.oneof(fc.constant([]), STEPS),
    where: fc.nat(3),
  });
  const changed = (value: Uint8Array, steps: readonly Step[], when: boolean): Uint8Array =>
    when ? mutated({ sample: value, other: honest.root(1n), steps, changes: BYTE_CHANGES }) : value;
  /** The hashes of a proof, changed as one row of bytes: the last may come out short. */
  const hashes = (proof: readonly Uint8Array[], steps: readonly Step[], when: boolean) => {
    const row = changed(concat(proof), steps, when);
    return Array.from(
      { length: Math.ceil(row.length / HASH_BYTES) },
      (_, i) => row.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES),
    );
  };

  const stated = [[1, 2], [8, 9], [FORK_AT, 200], [256, LEAVES]].map(([older, newer]) =>
    formatProof(proofOf(honest, { older: older!, newer: newer! }))
  );
  return [
    parser<Case>({
      name: "proof: impliedOlderRoot",
      share: 50,
      inputs: cases,
      run({ from, to, instead, steps, where }) {
        const [first, second] = [BigInt(Math.min(from, to)), BigInt(to)];
        const older = {
          treeSize: instead ?? first,
          rootHash: changed(tree.root(first), steps, where === 1),
        };
        const newer = {
          treeSize: where === 2 ? second + BigInt(steps.length) : second,
          rootHash: changed(tree.root(second), steps, where === 3),
        };
        const sizes = { older: first, newer: second };
        const proof = hashes(tree.consistencyProof(sizes), steps, where === 0);
        const implied = impliedOlderRoot({ older, newer, proof });
        const verdict = verifyConsistency({ older, newer, proof });
        insist(verdict === (!!implied && equals(implied, older.rootHash)), "one verdict");
        if (implied === undefined) return "refused";
        const isTrue = newer.treeSize === second && equals(newer.rootHash, tree.root(second));
        if (isTrue) {
          insist(
            equals(implied, tree.root(older.treeSize)),
            "a proof that leads to the newer root implies no other older root than the tree's",
          );
        }
        return "accepted";
      },
    }),
    parser<Case>({
      name: "proof: verifyInclusion",
      share: 30,
      inputs: cases,
      run({ from, to, instead, steps, where }) {
        const index = BigInt(Math.min(from, to - 1));
        const treeSize = BigInt(to);
        const asked = instead ?? index;
        const verdict = verifyInclusion({
          leafHash: changed(leaf(Number(index)), steps, where === 1),
          index: asked,
          tree: { treeSize, rootHash: tree.root(treeSize) },
          proof: hashes(tree.inclusionProof({ index, treeSize }), steps, where === 0),
        });
        if (!verdict) return "refused";
        insist(
          equals(changed(leaf(Number(index)), steps, where === 1), leaf(Number(asked))),
          "only the leaf that stands there is included",
        );
        return "accepted";
      },
    }),
    parser<string>({
      name: "proof: readProof",
      valid: stated,
      share: 30,
      inputs: texts(stated),
      feed: (text) => text,
      run(text) {
        const proof = readProof(parseExactJson(text), stage.logs);
        const formatted = formatProof(proof);
        const again = readProof(JSON.parse(formatted), stage.logs);
        insist(formatProof(again) === formatted, "a proof formats back to itself");
        const { older, newer } = proof;
        const implied = impliedOlderRoot(proof);
        if (
          implied !== undefined && newer.treeSize <= LEAVES &&
          equals(newer.rootHash, tree.root(newer.treeSize))
        ) insist(equals(implied, tree.root(older.treeSize)), "no other root is implied");
        return "accepted";
      },
    }),
  ];
}

// ---------------------------------------------------------------------------------------------------
// The parsers: evidence, and what carries it (src/evidence, src/gossip)

/** A conflict of two sizes and one of one size, as records, signed and not. */
async function recordsOf({ honest, forked, detector }: Stage): Promise<readonly ConflictRecord[]> {
  const found: Conflict[] = [];
  const sameSize = new EquivocationDetector();
  sameSize.observe((await seenOf(honest, FORK_SIZE, "")).checkpoint, "one");
  const twice = sameSize.observe((await seenOf(forked, FORK_SIZE, "")).checkpoint, "two");
  if (twice !== undefined) found.push(twice);
  const crossSize = new EquivocationDetector();
  crossSize.observe(await checkpointOf(forked, FORK_SIZE), "one");
  crossSize.observe(await checkpointOf(honest, 90), "two");
  const proven = crossSize.observeProof(proofOf(honest, { older: FORK_SIZE, newer: 90 }));
  if (proven.verdict === "inconsistent") found.push(...proven.conflicts);
  insist(found.length === 2, "both kinds of conflict are made");
  return found.flatMap((conflict) => {
    const detectedAt = "2026-01-02T03:04:05Z";
    const signed = buildRecord({ conflict, detectedAt, detector: detector.vkey });
    return [
      buildRecord({ conflict, detectedAt }),
      withSignature(signed, detector.sign(signedBytes(signed))),
    ];
  });
}

/**
 * Records that accuse the log falsely, each signed and true in all but the one thing: the proof leads
 * to the very root that was signed; the two roots are equal.
 */
async function falseRecordsOf({ honest, detector }: Stage): Promise<readonly ConflictRecord[]> {
  const [older, newer] = [await seenOf(honest, FORK_SIZE, "x"), await seenOf(honest, 90, "y")];
  const { proof } = proofOf(honest, { older: FORK_SIZE, newer: 90 });
  const impliedRoot = older.checkpoint.rootHash;
  const made: Conflict[] = [
    { kind: "cross_size", first: older, second: newer, consistency: { impliedRoot, proof } },
    { kind: "same_size", first: older, second: { ...older, source: "z" } },
  ];
  return made.map((conflict) => {
    const record = buildRecord({ conflict, detectedAt: AT, detector: detector.vkey });
    return withSignature(record, detector.sign(signedBytes(record)));
  });
}

/** A record's text, signed anew by the detector whatever it says, if it is a record at all. */
function resigned({ detector }: Stage, text: string): string {
  try {
    const record = JSON.parse(text) as ConflictRecord;
    return formatRecord(withSignature(record, detector.sign(signedBytes(record))));
  } catch {
    return text;
  }
}

const ODD_JSON = [
  "{}",
  '{"a":1,"b":[true,null,{"c":"\\u00e9\\\\\\"\\ud83d\\ude00"}],"__proto__":{"x":1}}',
  '{ "spaces" : [ 1 , 2.5 , -3 ] }\n',
];

async function evidence(stage: Stage): Promise<ParserUnderTest[]> {
  const records = await recordsOf(stage);
  const truths = records.map(formatRecord);
  const samples = [...truths, ...(await falseRecordsOf(stage)).map(formatRecord)];
  const cases = new Set(records.map(({ evidence_id }) => evidence_id));
  return [
    parser<string>({
      name: "JSON: parseExactJson",
      share: 50,
      inputs: texts([...samples, ...ODD_JSON]),
      feed: (text) => text,
      run(text) {
        const value = parseExactJson(text);
        insist(
          JSON.stringify(JSON.parse(text)) === JSON.stringify(value),
          "the value is the text's",
        );
        // A reader of another kind, and it looks at every member.
        const tree = parseTree(text);
        insist(tree !== undefined && !hasRepeats(tree), "no member is there twice");
        insist(sameJson(getNodeValue(tree), value), "another reader reads the same");
        return "accepted";
      },
    }),
    parser<string>({
      name: "record: parseRecord",
      valid: samples,
      share: 40,
      inputs: texts(samples),
      feed: (text) => text,
      run(text) {
        const record = parseRecord(text);
        const { proof = [], implied_root = "" } = record.consistency ?? {};
        insist(isTexts([...proof, implied_root, ...Object.values(record.log)]), "texts are texts");
        const formatted = formatRecord(record);
        insist(formatRecord(parseRecord(formatted)) === formatted, "a record formats to itself");
        return "accepted";
      },
    }),
    parser<string>({
      name: "record: verifyConflict",
      valid: truths,
      share: 30,
      inputs: fc.oneof(texts(samples), texts(samples).map((text) => resigned(stage, text))),
      feed: (text) => text,
      run(text) {
        const { outcome, record, signed } = verifyConflict({ input: text });
        insist(outcome !== "disputed", "two implementations agree on every signature");
        if (outcome !== "holds" || record === undefined) return "refused";
        insist(cases.has(record.evidence_id), "a record that holds proves a case that is one");
        insist(signed || record.evidence_signature === null, "a signature holds, or there is none");
        return "accepted";
      },
    }),
    parser<string>({
      name: "record: verifyConflict, as its detector signed it",
      share: 15,
      inputs: texts(samples.filter((text) => !text.includes('"evidence_signature":null'))),
      valid: truths.filter((text) => !text.includes('"evidence_signature":null')),
      feed: (text) => text,
      run(text) {
        const { outcome, record, signed } = verifyConflict({
          input: text,
          log: stage.honest.log,
          detector: stage.detector.vkey,
        });
        insist(outcome !== "disputed", "two implementations agree on every signature");
        if (outcome !== "holds" || record === undefined) return "refused";
        insist(signed, "the detector asked for has signed it");
        insist(truths.includes(formatRecord(record)), "not a word of it is another");
        return "accepted";
      },
    }),
    parcelDecoding(stage, samples),
    parcelHearing(stage, samples),
  ];
}

function isTexts(values: readonly unknown[]): boolean {
  return values.every((value) => typeof value === "string");
}

function hasRepeats({ type, children = [] }: Node): boolean {
  if (type === "object") {
    const names = children.map(({ children: [key] = [] }) => String(key?.value));
    if (new Set(names).size < names.length) return true;
  }
  return children.some(hasRepeats);
}

/** Whether two JSON values are one; `__proto__` is left out, of which the other reader makes none. */
function sameJson(a: unknown, b: unknown): boolean {
  const plain = (value: unknown): string =>
    JSON.stringify(value, (key, inner) => key === "__proto__" ? undefined : inner);
  return plain(a) === plain(b);
}

/** What the other end of the second carrier may send. */
function itemsOf({ checkpoints, honest }: Stage, records: readonly string[]) {
  const proof = formatProof(proofOf(honest, { older: FORK_SIZE, newer: 90 }));
  const items: ParcelItem[] = [
    ...checkpoints.map(({ note }) => ({ kind: "note" as const, body: utf8(note) })),
    { kind: "proof", body: utf8(proof) },
    ...records.map((text) => ({ kind: "record" as const, body: utf8(text) })),
  ];
  return items;
}

interface Delivery {
  readonly bytes: Uint8Array;
  /** How many bytes come at a time, over and over. */
  readonly chunks: readonly number[];
}

function parcelDecoding(stage: Stage, records: readonly string[]): ParserUnderTest {
  const items = itemsOf(stage, records);
  const unknown = Uint8Array.of(9, 0, 0, 0, 3, 1, 2, 3);
  const samples = [
    encodeParcel([]),
    encodeParcel(items.slice(0, 3)),
    concat([encodeParcel(items.slice(2, 4)), unknown]),
    encodeParcel(items.slice(-3)),
    encodeParcel(items),
  ];
  function decode({ bytes, chunks }: Delivery): ParcelItem[] {
    const decoder = new ParcelDecoder(DEFAULT_LIMITS);
    const taken: ParcelItem[] = [];
    let at = 0;
    for (let i = 0; at < bytes.length; i++) {
      const chunk = bytes.subarray(at, at + chunks[i % chunks.length]!);
      taken.push(...decoder.take(chunk));
      at += chunk.length;
    }
    decoder.end();
    return taken;
  }
  return parser<Delivery>({
    name: "parcel: ParcelDecoder",
    share: 50,
    orderly: [UnknownParcelVersion],
    inputs: fc.record({
      bytes: bytes(samples),
      chunks: fc.array(fc.oneof(fc.constantFrom(1, 4, 5, 6), fc.integer({ min: 1, max: 70_000 })), {
        minLength: 1,
        maxLength: 4,
      }),
    }),
    feed: (text) => ({
      bytes: concat([Uint8Array.of(PARCEL_VERSION), utf8(text)]),
      chunks: [4_096],
    }),
    valid: samples.map((bytes) => ({ bytes, chunks: [1_000] })),
    run(delivery) {
      const whole = settle(() => decode({ ...delivery, chunks: [Infinity] }));
      const taken = settle(() => decode(delivery));
      insist(whole.said === taken.said, "it is the same parcel, whatever pieces it comes in");
      if ("error" in taken) throw taken.error;
      for (const { body } of taken.value) {
        insist(body.buffer.byteLength === body.length, "no item has more room than it takes");
      }
      const strangers = strangersIn(delivery.bytes);
      insist(strangers !== undefined, "a parcel ends where an item does");
      const known = encodeParcel(taken.value).length;
      insist(known + strangers === delivery.bytes.length, "every item is given or passed over");
      if (strangers === 0) {
        insist(equals(encodeParcel(taken.value), delivery.bytes), "it encodes back to itself");
      }
      return "accepted";
    },
  });
}

/** Bytes of the items of unknown kinds in a parcel, naively; nothing if it ends within an item. */
function strangersIn(parcel: Uint8Array): number | undefined {
  const view = new DataView(parcel.buffer, parcel.byteOffset, parcel.length);
  let strangers = 0;
  let at = 1;
  while (at < parcel.length) {
    if (at + 5 > parcel.length) return undefined;
    const bytes = 5 + view.getUint32(at + 1);
    if (![1, 2, 3].includes(parcel[at]!)) strangers += bytes;
    at += bytes;
  }
  return at === parcel.length ? strangers : undefined;
}

/** What a call comes to, and in words that tell two outcomes apart. */
function settle(run: () => ParcelItem[]):
  & { said: string }
  & (
    | { value: ParcelItem[] }
    | { error: unknown }
  ) {
  try {
    const value = run();
    const parts = value.flatMap(({ kind, body }) => [utf8(`${kind} ${body.length} `), body]);
    return { said: encodeHex(sha256(concat(parts))), value };
  } catch (error) {
    return { said: `${(error as Error).constructor.name}`, error };
  }
}

function parcelHearing(stage: Stage, records: readonly string[]): ParserUnderTest {
  const { honest, forked, logs } = stage;
  const items = itemsOf(stage, records);
  const ofKind = (kind: ItemKind): fc.Arbitrary<ParcelItem> =>
    textBytes(items.filter((item) => item.kind === kind).map(({ body }) => textOf(body)))
      .map((body) => ({ kind, body }));
  const isSigned = ({ log, treeSize, root }: VerifiedCheckpoint): boolean =>
    log.id !== honest.log.id ||
    [honest, forked].some((told) =>
      treeSize <= told.treeSize && base64(told.root(treeSize)) === root
    );
  return parser<ParcelItem[]>({
    name: "parcel: hearParcel",
    share: 30,
    inputs: fc.array(
      fc.oneof(
        { weight: 4, arbitrary: ofKind("note") },
        { weight: 3, arbitrary: ofKind("proof") },
        { weight: 1, arbitrary: ofKind("record") },
      ),
      { minLength: 1, maxLength: 4 },
    ),
    feed: (text) => [{ kind: "record", body: utf8(text) }],
    run(given) {
      const detector = new EquivocationDetector();
      const view = new View({ logs, detector });
      const party = { view, records: () => [] };
      const { fault } = hearParcel({ items: given, source: "a peer", party });
      for (const { first, second, ...kind } of detector.conflicts()) {
        insist([first, second].every(({ checkpoint }) => isSigned(checkpoint)), "both are signed");
        if (kind.kind === "same_size") {
          insist(first.checkpoint.root !== second.checkpoint.root, "the roots differ");
          continue;
        }
        const [older] = [first.checkpoint, second.checkpoint]
          .sort((a, b) => Number(a.treeSize - b.treeSize)) as [VerifiedCheckpoint];
        const implied = base64(kind.consistency.impliedRoot);
        insist(implied !== older.root, "the implied root is another");
        insist(
          [honest, forked].some(({ treeSize }) => older.treeSize <= treeSize) &&
            isRootOf([honest, forked], older.treeSize, implied),
          "only what a signed tree holds is implied",
        );
      }
      if (fault !== undefined) return "refused";
      for (const { kind, body } of given) {
        insist(kind !== "record" || isTrueOrStrange(body, logs), "it holds");
      }
      return "accepted";
    },
  });
}

/** Whether a record that was taken without a fault holds, or is of a version or log unknown here. */
function isTrueOrStrange(body: Uint8Array, logs: readonly Log[]): boolean {
  const input = textOf(body);
  const record = JSON.parse(input) as ConflictRecord;
  return record.version !== RECORD_VERSION || logOf(record, logs) === undefined ||
    verifyConflict({ input }).outcome === "holds";
}

function isRootOf(told: readonly TestLog[], treeSize: bigint, root: string): boolean {
  return told.some((log) => treeSize <= log.treeSize && base64(log.root(treeSize)) === root);
}

// ---------------------------------------------------------------------------------------------------
// The parsers: what is remembered (src/store)

/** Members of an observation, at any depth. */
const OBSERVATION_MEMBERS = [
  ...["log", "origin", "vkey", "via", "source", "result", "checkpoint", "size", "root", "note"],
  ...["against", "detail", "repeats"],
];

function hasOnly(value: unknown, names: readonly string[]): boolean {
  return typeof value !== "object" || value === null ||
    Object.entries(value).every(([name, inner]) => names.includes(name) && hasOnly(inner, names));
}

const AT = "2026-01-02T03:04:05Z";

function entryLine(entry: Omit<Entry, "hash">): string {
  return canonicalize({ ...entry, hash: entryHash(entry) });
}

/** The lines of a journal of these records. */
function journalOf(records: readonly JsonObject[]): string[] {
  const lines: string[] = [];
  let prev_hash = FIRST_PREV_HASH;
  for (const [at, record] of records.entries()) {
    const entry = { seq: at + 1, recorded_at: AT, record, prev_hash };
    lines.push(entryLine(entry));
    prev_hash = entryHash(entry);
  }
  return lines;
}

async function journals(stage: Stage): Promise<ParserUnderTest[]> {
  const { honest, checkpoints } = stage;
  const { origin, vkey } = honest.log;
  const log = { origin, vkey: vkey.text };
  const [first, ...rest] = checkpoints.map(({ treeSize, root, note }) => ({
    ...{ size: `${treeSize}`, root, note },
  }));
  const observations: JsonObject[] = [
    { log, via: "poll", source: "https://log.invalid", result: "first", checkpoint: first },
    { log, via: "exchange", source: "192.0.2.1:9900", result: "matches", checkpoint: rest[0]! },
    { log, via: "poll", source: "x", result: "unavailable", detail: "no answer", repeats: 12 },
    {
      ...{ log, via: "local", source: "a file", result: "inconsistent", checkpoint: rest[1]! },
      against: { size: "40", root: rest[2]!.root },
    },
  ];
  const link = (seq: number): JsonObject => ({ seq, hash: encodeHex(sha256(uint64(BigInt(seq)))) });
  const removals: JsonObject[] = [
    { removed: [{ from: 1, to: 1, before: link(0), last: link(9) }] },
    {
      removed: [
        { from: 1, to: 3, before: link(0), last: link(9) },
        { from: 7, to: 8, before: link(20), last: link(Number.MAX_SAFE_INTEGER) },
      ],
    },
  ];
  const records = (await recordsOf(stage)) as unknown as JsonObject[];
  const chains = [journalOf([...records, ...removals]), journalOf(observations)];
  const known = new Set(chains.flat().map((line) => parseEntry(line).hash));
  const whole = chains.map((lines) => utf8(lines.join("\n") + "\n"));
  // Entries that were written, and not one after the other: of two chains, and with one missing.
  const [one, two] = chains as [string[], string[]];
  const broken = [[one[0], two[1], two[2]], [one[0], one[2]], [one[1]]]
    .map((lines) => utf8(lines.join("\n") + "\n"));
  const files = [...whole, ...broken];
  const observationTexts = observations.map((one) => canonicalize(one));

  interface OnDisk {
    readonly bytes: Uint8Array;
    readonly atOnce: number;
  }
  return [
    parser<string>({
      name: "journal: parseEntry",
      valid: chains.flat(),
      share: 40,
      inputs: fc.oneof(
        texts(chains.flat()),
        // With the right hash whatever the record.
        texts(observationTexts).map((text) => {
          try {
            return entryLine({
              seq: 1,
              recorded_at: AT,
              record: JSON.parse(text),
              prev_hash: FIRST_PREV_HASH,
            });
          } catch {
            return text;
          }
        }),
      ),
      feed: (text) => text,
      run(text) {
        const entry = parseEntry(text);
        insist(entryHash(entry) === entry.hash, "the hash is the entry's");
        const line = entryLine(entry);
        insist(parseEntry(line).hash === entry.hash, "an entry formats back to itself");
        return "accepted";
      },
    }),
    parser<OnDisk>({
      name: "journal: readEntries",
      valid: whole.map((bytes) => ({ bytes, atOnce: 100 })),
      share: 20,
      inputs: fc.record({
        bytes: fc.oneof(bytes(files), textBytes(files.map(textOf))),
        atOnce: fc.constantFrom(Infinity, 1_000, 100),
      }),
      orderly: [JournalDamaged],
      feed: (text) => ({ bytes: utf8(text + "\n"), atOnce: Infinity }),
      async run({ bytes, atOnce }): Promise<Outcome> {
        let prev = FIRST_PREV_HASH;
        let seq = 0;
        for await (const item of readEntries(fileOf(bytes, atOnce).file, "a journal")) {
          if ("torn" in item) break;
          const { entry } = item;
          insist(known.has(entry.hash), "an entry that is read was written");
          insist(entry.prev_hash === prev && entry.seq === ++seq, "the chain has no gap");
          prev = entry.hash;
        }
        return "accepted";
      },
    }),
    parser<string>({
      name: "observation: parseObservation",
      valid: observationTexts,
      share: 40,
      inputs: texts(observationTexts),
      feed: (text) => text,
      run(text) {
        const observation = parseObservation(parseExactJson(text));
        insist(logIdOf(observation).endsWith(observation.log.origin), "its log can be told");
        insist(
          canonicalize(cleanObservation(observation)) === canonicalize(observation),
          "an observation is as it would be written",
        );
        insist(hasOnly(observation, OBSERVATION_MEMBERS), "every member has its place");
        return "accepted";
      },
    }),
    parser<string>({
      name: "removal: parseRemovals",
      valid: removals.map((one) => canonicalize(one)),
      share: 40,
      inputs: texts(removals.map((one) => canonicalize(one))),
      feed: (text) => text,
      run(text) {
        const members = parseExactJson(text);
        const formatted = formatRemovals(parseRemovals(members));
        insist(canonicalize(formatted) === canonicalize(members), "it formats back to itself");
        return "accepted";
      },
    }),
  ];
}

// ---------------------------------------------------------------------------------------------------
// The parsers: what a log's server answers (src/sources, src/world)

/** One answer as it should be, and what is done to it. */
interface Distortion {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

const STATUSES = fc.oneof(
  { weight: 6, arbitrary: fc.constant(200) },
  fc.constantFrom(200, 204, 206, 301, 304, 400, 401, 404, 410, 429, 500, 503),
  fc.nat(1_000),
);

const HEADERS = fc.record({
  "retry-after": texts([
    ...["120", "0", "31536000", "Sun, 01 Mar 2026 12:10:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT"],
  ]),
  etag: texts(['"abc"', 'W/"x"']),
  "last-modified": texts(["Sun, 06 Nov 1994 08:49:37 GMT"]),
  "content-length": fc.constantFrom("5", "9223372036854775807", "-1"),
}, { requiredKeys: [] });

const DISTORTIONS = fc.array(
  fc.option(
    fc.record<Distortion>({
      status: STATUSES,
      headers: HEADERS as fc.Arbitrary<Record<string, string>>,
      steps: fc.oneof(fc.constant([]), STEPS),
    }),
    { nil: undefined },
  ),
  { maxLength: 6 },
);

/** The answer of a server to its nth request, distorted if that one is to be. */
function distort(
  body: Uint8Array,
  distortion: Distortion | undefined,
): Answer & { body: Uint8Array } {
  if (distortion === undefined) return { body };
  const { status, headers, steps } = distortion;
  const other = sha256(body);
  return { status, headers, body: mutated({ sample: body, other, steps, changes: BYTE_CHANGES }) };
}

/** Most requests that building one proof may take: two for each tile, and there are a few. */
const MAX_REQUESTS = 256;

interface Served {
  readonly kind: number;
  readonly older: bigint;
  readonly newer: bigint;
  readonly distortions: readonly (Distortion | undefined)[];
}

const SERVED: fc.Arbitrary<Served> = fc.record({
  kind: choice(3),
  sizes: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(fc.nat(LEAVES), fc.nat(LEAVES)).map((pair) => pair.map(BigInt)),
    },
    fc.tuple(
      fc.bigInt({ min: 1n, max: MAX_TREE_SIZE }),
      fc.bigInt({ min: 1n, max: MAX_TREE_SIZE }),
    ),
  ),
  distortions: DISTORTIONS,
}).map(({ sizes, ...rest }) => {
  const [a, b] = sizes.toSorted((a, b) => a < b ? -1 : 1) as [bigint, bigint];
  const older = a > 0n ? a : 1n;
  return { ...rest, older, newer: b > older ? b : older + 1n };
});

/** What the served proof comes to, as the caller of a source judges it. */
function judge(
  { honest, sizes: { older, newer }, served }: {
    honest: TestLog;
    sizes: { older: bigint; newer: bigint };
    served: ServedProof;
  },
): Outcome {
  const { olderRoot: rootHash, proof } = served;
  insist([rootHash, ...proof].every((hash) => hash.length === HASH_BYTES), "hashes have 32 bytes");
  if (newer > honest.treeSize) {
    served.settle(false);
    return "refused";
  }
  const implied = impliedOlderRoot({
    older: { treeSize: older, rootHash },
    newer: { treeSize: newer, rootHash: honest.root(newer) },
    proof,
  });
  served.settle(implied !== undefined);
  if (implied === undefined) return "refused";
  insist(equals(implied, honest.root(older)), "no distorted answer leads to another older root");
  return "accepted";
}

/** Rows of a tree, one for each level, of full nodes. */
function rowsOf(leaves: readonly Uint8Array[]): (readonly Uint8Array[])[] {
  const rows = [leaves];
  for (let row = leaves; row.length > 1;) {
    row = Array.from(
      { length: row.length >> 1 },
      (_, i) => nodeHash({ left: row[2 * i]!, right: row[2 * i + 1]! }),
    );
    rows.push(row);
  }
  return rows;
}

function sources(stage: Stage): ParserUnderTest[] {
  const { honest } = stage;
  const orderly = [SourceUnavailable, ProofRefused];
  const leaves = Array.from({ length: LEAVES }, (_, i) => leafHash(utf8(` entry ${i}`)));
  const rows = rowsOf(leaves);
  const tree = new Tree();
  for (const leaf of leaves) tree.append(leaf);

  /** The tile at a path: the tree's, or for trees nobody has grown any bytes of that width. */
  function tileAt(path: string): { width: number; body: Uint8Array } | undefined {
    const match = /\/(\d+)\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/.exec(path);
    if (match === null) return undefined;
    const width = Number(match[3] ?? TILE_WIDTH);
    const index = Number(match[2]!.replace(/\D/g, ""));
    const row = rows[8 * Number(match[1])] ?? [];
    const hashes = row.slice(index * TILE_WIDTH, index * TILE_WIDTH + width);
    const body = hashes.length === width ? concat(hashes) : new Uint8Array(width * HASH_BYTES);
    return { width, body };
  }

  return [
    parser<Served>({
      name: "tiles: TileSource over tlog-tiles, sumdb and static-ct",
      share: 25,
      inputs: SERVED,
      orderly,
      async run({ kind, older, newer, distortions }) {
        let asked = 0;
        let wrongLength = false;
        const { world } = fakeWorld((path) => {
          const tile = tileAt(path);
          insist(++asked <= MAX_REQUESTS && tile !== undefined, "a few tiles are asked for");
          const answer = distort(tile.body, distortions[asked - 1]);
          const isOk = (answer.status ?? 200) === 200;
          wrongLength ||= isOk && answer.body.length !== tile.width * HASH_BYTES;
          return answer;
        });
        const source = `${["", "sumdb+", "static-ct+"][kind]}https://log.invalid/here`;
        const opened = openSource({ world, log: honest.log, source, contact: "x" });
        const served = await opened.consistency({ older, newer });
        insist(!wrongLength, "a tile of the wrong length is refused");
        return judge({ honest, sizes: { older, newer }, served });
      },
    }),
    parser<Served>({
      name: "sigsum: get-consistency-proof",
      share: 15,
      inputs: SERVED,
      orderly,
      async run({ older, newer, distortions }) {
        let asked = 0;
        const { world } = fakeWorld((path) => {
          insist(++asked <= MAX_REQUESTS, "a few answers are asked for");
          const body = sigsumProof({ tree, leaves, path });
          return body && distort(body, distortions[asked - 1]);
        });
        const { source } = sigsumSource(stage, world);
        const served = await source.consistency({ older, newer });
        return judge({ honest, sizes: { older, newer }, served });
      },
    }),
    sigsumHeads(stage),
    fetching(),
    overSockets(),
  ];
}

function nodeLines(hashes: readonly Uint8Array[]): string {
  return hashes.map((hash) => `node_hash=${encodeHex(hash)}\n`).join("");
}

function sigsumProof(
  { tree, leaves, path }: { tree: Tree; leaves: readonly Uint8Array[]; path: string },
): Uint8Array | undefined {
  const [call, first, second] = path.split("/").slice(-3) as [string, string, string];
  if (call === "get-consistency-proof") {
    const sizes = { older: BigInt(first), newer: BigInt(second) };
    if (sizes.older >= sizes.newer || sizes.newer > tree.treeSize) return utf8("node_hash=00\n");
    return utf8(nodeLines(tree.consistencyProof(sizes)));
  }
  const treeSize = BigInt(first);
  const index = leaves.findIndex((leaf) => encodeHex(leaf) === second);
  if (index < 0 || index >= treeSize || treeSize > tree.treeSize) return undefined;
  const hashes = tree.inclusionProof({ index: BigInt(index), treeSize });
  return utf8(`leaf_index=${index}\n${nodeLines(hashes)}`);
}

/** A Sigsum log under the honest log's key. */
function sigsumSource({ hand }: Stage, world: World): { source: SigsumSource; log: Log } {
  const { publicKey } = hand.vkey;
  const name = sigsumOrigin(publicKey);
  const log = parseLog(makeVkey({ name, type: SIGNATURE_TYPE.ed25519, publicKey }).text);
  const fetcher = new HttpFetcher({ world, prefix: "https://log.invalid/here", contact: "x" });
  return { source: new SigsumSource({ fetcher, log }), log };
}

function sigsumHeads(stage: Stage): ParserUnderTest {
  const { log } = sigsumSource(stage, denoWorld());
  const signed = (treeSize: bigint): string => {
    const rootHash = sha256(uint64(treeSize));
    const text = formatCheckpointText({ origin: log.origin, treeSize, rootHash });
    const signature = encodeHex(stage.hand.sign(utf8(text)));
    return `size=${treeSize}\nroot_hash=${encodeHex(rootHash)}\nsignature=${signature}\n`;
  };
  const samples = [signed(0n), signed(7n), signed(MAX_TREE_SIZE) + "cosignature=x y z\n"];
  return parser<Uint8Array>({
    name: "sigsum: get-tree-head",
    valid: samples.map(utf8),
    share: 20,
    inputs: textBytes(samples),
    orderly: [SourceUnavailable],
    feed: utf8,
    async run(body) {
      const { source } = sigsumSource(stage, fakeWorld(() => ({ body })).world);
      const note = textOf(await source.latest());
      const opened = openCheckpoint({ note, logs: [log] });
      if ("refused" in opened) {
        insist(opened.refused === "bad signature", "a note that is made of a head has its form");
        return "refused";
      }
      const [{ treeSize, root }] = opened as [VerifiedCheckpoint];
      insist(root === base64(sha256(uint64(treeSize))), "only what was signed opens");
      return "accepted";
    },
  });
}

/** Bytes of the longest answer taken in `fetching`. */
const MAX_BODY_BYTES = 2_000;

function fetching(): ParserUnderTest {
  interface Asked {
    readonly conditional: boolean;
    readonly bodies: readonly Uint8Array[];
    readonly distortions: readonly (Distortion | undefined)[];
  }
  return parser<Asked>({
    name: "HTTP: HttpFetcher",
    share: 25,
    inputs: fc.record({
      conditional: fc.boolean(),
      bodies: fc.array(bytes([utf8("a note"), new Uint8Array(MAX_BODY_BYTES)]), {
        minLength: 1,
        maxLength: 3,
      }),
      distortions: DISTORTIONS,
    }),
    orderly: [SourceUnavailable],
    async run({ conditional, bodies, distortions }) {
      const answers = bodies.map((body, i) => ({ body, ...distortions[i], steps: [] }));
      let at = 0;
      const { world, requests } = fakeWorld(() => answers[at]);
      const fetcher = new HttpFetcher({ world, prefix: "https://log.invalid", contact: "x" });
      let last: Uint8Array | undefined;
      let outcome: Outcome = "accepted";
      for (; at < answers.length; at++) {
        const { status = 200, body } = answers[at]! as Answer & { body: Uint8Array };
        try {
          const got = await fetcher.get("checkpoint", { maxBytes: MAX_BODY_BYTES, conditional });
          if (status === 304) insist(conditional && got === last, "unchanged is what was last");
          else {insist(
              got === (status === 200 ? body : undefined),
              "the answer, or that it is absent",
            );}
          if (status === 200) last = got;
        } catch (error) {
          if (!(error instanceof SourceUnavailable)) throw error;
          const { retryAfterMs } = error;
          insist(
            retryAfterMs === undefined || (retryAfterMs >= 0 && retryAfterMs <= MAX_RETRY_AFTER_MS),
            "no log silences its monitor",
          );
          insist(!(error instanceof UnexpectedStatus) || error.status === status, "its status");
          outcome = "refused";
        }
      }
      for (const { headers } of requests) {
        const longest = Math.max(...Object.values(headers).map(({ length }) => length));
        insist(longest <= MAX_HEADER_CHARACTERS + 64, "headers that are repeated are short");
      }
      return outcome;
    },
  });
}

const HTTP_SAMPLES = [
  'HTTP/1.1 200 OK\r\ncontent-length: 5\r\netag: "x"\r\n\r\nhello',
  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
  "HTTP/1.1 429 Slow down\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n",
  "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n",
  "HTTP/1.1 200 OK\r\ncontent-length: 9223372036854775807\r\n\r\nhello",
  "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end",
];

/** Longest wait for an answer over a real socket; the server sends all it has at once. */
const SOCKET_TIMEOUT_MS = 500;

/** The platform's HTTP client, which is the only reader of an answer's own bytes. */
function overSockets(): ParserUnderTest {
  return parser<Uint8Array>({
    name: "HTTP: denoWorld().http.get over loopback",
    share: 4,
    inputs: textBytes(HTTP_SAMPLES),
    orderly: [WorldError],
    feed: (text) => utf8(HTTP_SAMPLES[6]! + text),
    async run(answer): Promise<Outcome> {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const served = serveBytes(listener, answer);
      try {
        const response = await denoWorld().http.get({
          url: `http://127.0.0.1:${listener.addr.port}/checkpoint`,
          headers: {},
          timeoutMs: SOCKET_TIMEOUT_MS,
          maxBytes: MAX_INPUT_LENGTH,
        });
        insist(response.body.length <= answer.length, "no more comes out than came in");
        insist(response.status === 200 || response.body.length === 0, "error pages are not kept");
        return "accepted";
      } finally {
        listener.close();
        await served;
      }
    },
  });
}

/** Answers every connection with these bytes, and closes it. */
async function serveBytes(listener: Deno.TcpListener, answer: Uint8Array): Promise<void> {
  const open: Promise<void>[] = [];
  try {
    for (;;) {
      const connection = await listener.accept();
      open.push((async () => {
        try {
          await connection.read(new Uint8Array(4_096));
          for (let at = 0; at < answer.length;) at += await connection.write(answer.subarray(at));
        } catch {
          // The caller did not want to hear all of it.
        } finally {
          connection.close();
        }
      })());
    }
  } catch {
    // Closed: nobody asks any more.
  }
  await Promise.all(open);
}

// ---------------------------------------------------------------------------------------------------
// The parsers: what people and other programs write

/** Longest file gathered here: each of its lines is judged, and there may be one in two bytes. */
const MAX_GATHERED_BYTES = 192 * 1024;
/** The same for the long texts, of which there are many. */
const MAX_LONG_GATHERED = 48 * 1024;

function gathering(stage: Stage): ParserUnderTest {
  const { checkpoints, honest, logs } = stage;
  const line = (value: unknown): string => JSON.stringify(value) + "\n";
  const proof = formatProof(proofOf(honest, { older: 8, newer: 90 }));
  const jsonLines = [
    ...checkpoints.slice(0, 3).map(({ note }, i) => line({ note, source: `peer ${i}` })),
    line({ frame: encodeHex(checkpoints[1]!.frame) }),
    proof + "\n",
    "\n",
  ].join("");
  const frames = concat([
    new Uint8Array(FRAME_BYTES),
    ...checkpoints.slice(0, 4).map((c) => c.frame),
  ]);
  const samples = [utf8(checkpoints[2]!.note), utf8(jsonLines), frames];
  interface Gathering {
    readonly content: Uint8Array;
    readonly atOnce: number;
  }
  return parser<Gathering>({
    name: "files: readGathered",
    valid: samples.map((content) => ({ content, atOnce: 100 })),
    share: 25,
    inputs: fc.record({
      content: fc.oneof(bytes(samples), textBytes([jsonLines, checkpoints[2]!.note]))
        .map((content) => content.subarray(0, MAX_GATHERED_BYTES)),
      atOnce: fc.constantFrom(Infinity, Infinity, 100),
    }),
    feed: (text) => ({ content: utf8(text).subarray(0, MAX_LONG_GATHERED), atOnce: Infinity }),
    async run({ content, atOnce }) {
      let taken = 0;
      let end = 0;
      const { file } = fileOf(content, atOnce);
      for await (const found of readGathered({ file, name: "a file", logs })) {
        insist(found.bytesRead >= end && found.bytesRead <= content.length + 1, "it goes forward");
        end = found.bytesRead;
        if (found.kind === "rejected") continue;
        if (found.kind === "checkpoint") {
          insist(found.checkpoints.every((one) => isGenuine(stage, one)), "only what was signed");
          taken++;
        } else {
          taken += isRead(found.read) ? 1 : 0;
        }
      }
      return taken > 0 ? "accepted" : "refused";
    },
  });
}

function isRead(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof MalformedError) return false;
    throw error;
  }
}

/** Longest refusal of a configuration: a line for each of 100 errors. */
const MAX_REFUSAL_CHARACTERS = 200_000;

function configuring(stage: Stage): ParserUnderTest {
  const world = denoWorld();
  const { vkey } = stage.hand;
  // A short name, so that a message that is cut short still has room for the secret.
  const { privateKey } = stage.shortNamed;
  const secret = privateKey.split("+").slice(4).join("+").slice(0, 16);
  const keyStart = privateKey.slice(0, privateKey.indexOf(secret) + secret.length);
  const log = `{ "vkey": "${vkey.text}", "source": "sumdb+https://log.invalid", "poll": "30s" }`;
  const samples = [
    `{ "name": "monitor.invalid/one", "logs": [${log}] }`,
    `// A comment
{
  "name": "monitor.invalid/one", /* another */
  "key": "/keys/k", "state": "s", "incidents": "i", "listen": "[::1]:9900",
  "http": "127.0.0.1:0", "contact": "ops@monitor.invalid",
  "logs": [{ "vkey": "${vkey.text}", "origin": "another", "source": "folder", "patience": "2h" },],
  "peers": [{ "address": "a.invalid:1" }, { "address": "b.invalid:1", "vkey": "${vkey.text}" }],
  "gossip": { "interval": "7m", "fanOut": 5 },
  "limits": { "connectMs": 11, "maxPeersRemembered": 12 },
}
`,
  ];
  // Where a private key stands by mistake it is refused, and not told.
  const mistakes = [
    `{ "name": "monitor.invalid/one", "key": "${privateKey}", "logs": [${log}] }`,
    `{ "name": "${privateKey}", "contact": "(${privateKey})", "logs": ["${privateKey}"] }`,
    `{ "${privateKey}": 1, "listen": "${privateKey}", "logs": [${log}] }`,
  ];
  return parser<string>({
    name: "configuration: parseConfig",
    share: 25,
    inputs: texts([...samples, ...mistakes]),
    valid: samples,
    feed: (text) => text,
    run(text) {
      insist(text.length <= MAX_CONFIG_BYTES, "no longer one is read");
      try {
        const { logs, gossip, limits } = parseConfig(text, { path: "hearsay.jsonc", world });
        const durations = [
          gossip.intervalMs,
          ...logs.flatMap((one) => [one.pollMs, one.patienceMs]),
        ];
        const counts = [gossip.fanOut, ...Object.values(limits)];
        insist(logs.length > 0, "a monitor has a log to follow");
        insist(durations.every((ms) => ms >= 100 && ms <= 31 * 86_400_000), "waits are bounded");
        insist(
          counts.every((count) => Number.isSafeInteger(count) && count > 0),
          "limits are counts",
        );
        return "accepted";
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error;
        const { message } = error;
        insist(message.length <= MAX_REFUSAL_CHARACTERS, "a refusal can be read by a person");
        insist(!/[^\P{Cc}\n]/u.test(message), "a refusal is fit for a terminal");
        // The secret's start will do, since messages are cut short; where the words before it are
        // mutated, nobody could know it for a key.
        const plain = text.replace(
          /\\u([0-9a-f]{4})/g,
          (_, hex) => String.fromCharCode(parseInt(hex, 16)),
        );
        const isKnown = plain.split(secret).length === plain.split(keyStart).length;
        insist(!isKnown || !message.includes(secret), "no private key is told");
        return "refused";
      }
    },
  });
}

function smallTexts(stage: Stage): ParserUnderTest[] {
  const now = "2026-01-02T03:04:05.000Z";
  const { text: vkey } = stage.hand.vkey;
  const status = {
    ...{ name: "monitor.invalid/one", vkey, startedAt: now, now, incidents: 0, unwritten: false },
    logs: [{
      origin: ORIGIN,
      vkey,
      size: "7",
      incidents: 0,
      openQuestions: 1,
      counts: { first: 1 },
    }],
    peers: [{ address: "a:1", exchanges: 1, failures: 0, matches: 1, conflicts: 0 }],
  };
  return [
    parser<string>({
      name: "address: parseAddress",
      share: 60,
      inputs: texts(["192.0.2.1:9900", "[::1]:9900", "log.invalid:0", "[2001:db8::1.2.3.4]:65535"]),
      feed: (text) => text,
      run(text) {
        insist(formatAddress(parseAddress(text)) === text, "an address formats back to itself");
        return "accepted";
      },
    }),
    parser<string>({
      name: "source: openSource",
      share: 30,
      inputs: texts([
        ...["https://log.invalid/some/where/", "http://[::1]:80", "sumdb+https://log.invalid"],
        ...["static-ct+https://log.invalid/a%20b", "sigsum+https://log.invalid", "a/folder", "/"],
      ]),
      feed: (text) => `https://log.invalid/${text}x`,
      run(source) {
        const { log } = stage.honest;
        openSource({ world: denoWorld(), log, source, contact: "x" });
        const { hash, search, password } = URL.parse(source) ?? {};
        insist(isFolder(source) || !(hash || search || password), "paths can be put behind a URL");
        return "accepted";
      },
    }),
    parser<string>({
      name: "duration: readDuration",
      share: 30,
      inputs: texts(["100ms", "30s", "5m", "12h", "31d"]),
      feed: (text) => text,
      run(text) {
        const ms = readDuration(text);
        insist(Number.isSafeInteger(ms) && ms >= 100 && ms <= 31 * 86_400_000, "it is bounded");
        return "accepted";
      },
    }),
    parser<string>({
      name: "HTTP: parseHttpDate",
      share: 30,
      inputs: texts(["Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 01 Mar 2026 12:10:00 GMT"]),
      feed: (text) => text,
      run(text) {
        const time = parseHttpDate(text);
        if (time === undefined) return "refused";
        insist(Number.isSafeInteger(time), "a date is a time");
        return "accepted";
      },
    }),
    parser<string>({
      name: "HTTP: parseStatus",
      share: 20,
      inputs: texts([JSON.stringify(status)]),
      feed: (text) => text,
      run(text) {
        const { logs, peers } = parseStatus(text);
        insist([...logs, ...peers].every((one) => typeof one === "object"), "lists of objects");
        return "accepted";
      },
    }),
  ];
}

function privateKeys(stage: Stage): ParserUnderTest {
  const { signing } = denoWorld();
  const samples = [stage.hand.privateKey, stage.detector.privateKey + "\n"];
  interface NewKey {
    readonly name: string;
    readonly seed: Uint8Array;
  }
  return parser<string | NewKey>({
    name: "private key: loadSigner",
    valid: samples,
    share: 12,
    inputs: fc.oneof<fc.Arbitrary<string | NewKey>[]>(
      texts(samples),
      fc.record({
        name: texts(["monitor.invalid/one"]),
        seed: fc.uint8Array({ minLength: 32, maxLength: 32 }),
      }),
    ),
    feed: (text) => text,
    async run(input): Promise<Outcome> {
      if (typeof input !== "string") {
        const { name, seed } = input;
        const { signer, privateKey } = await generateSigner({ world: seededWorld(seed), name });
        const { vkey } = await loadSigner({ signing, privateKey });
        insist(vkey.text === signer.vkey.text, "a key that was made is read");
        return "accepted";
      }
      try {
        const { vkey } = await loadSigner({ signing, privateKey: input });
        const written = samples.map((sample) => sample.trimEnd());
        insist(written.includes(input.replace(/\n$/, "")), "only a key as it was written is read");
        insist(input.includes(vkey.name), "its name is its own");
        return "accepted";
      } catch (error) {
        const told = error instanceof Error ? error.message : "";
        const secret = input.trimEnd().split("+").slice(4).join("+");
        insist(secret.length < 16 || !told.includes(secret), "no secret is told");
        throw error;
      }
    },
  });
}

function serving(): ParserUnderTest {
  const folder = "home/log";
  return parser<string>({
    name: "HTTP: answerFromDisk",
    share: 40,
    inputs: texts([
      ...["/log/checkpoint", "/log/tile/0/000", "/log/tile/63/x001/x234/067.p/7"],
      ...["/log/tile/entries/x001/234.p/255", "/log/log.key", "/log/tile/0/../../log.key"],
    ]),
    feed: (text) => `/log/${text}`,
    async run(path) {
      const opened: string[] = [];
      const file = fileOf(utf8("content")).file;
      const no = (): never => {
        throw new Error("a server only reads");
      };
      const files: Files = {
        open: (path): Promise<OpenFile> => {
          opened.push(path);
          return Promise.resolve(file);
        },
        ...{ create: no, makeFolder: no, list: no, syncFolder: no, remove: no, rename: no },
      };
      const { status } = await answerFromDisk({
        query: {
          ...{ method: "GET", path, search: "", header: () => undefined },
          caller: { hostname: "192.0.2.1", port: 1 },
        },
        files,
        logs: [{ prefix: "/log/", folder }],
      });
      const isPublic = (name: string): boolean =>
        name === `${folder}/checkpoint` || /^home\/log\/tile\/[a-z0-9]+\/[x0-9/.p]+$/.test(name);
      insist(opened.every((name) => isPublic(name) && !name.includes("..")), "what is public");
      return status === 200 ? "accepted" : "refused";
    },
  });
}

/** Every parser of foreign input, with valid input made anew from fixed keys. */
export async function parsersUnderTest(): Promise<readonly ParserUnderTest[]> {
  const stage = await makeStage();
  return [
    ...frames(stage),
    ...notes(stage),
    ...typedNotes(),
    ...vkeys(stage),
    ...proofs(stage),
    ...await evidence(stage),
    ...await journals(stage),
    ...sources(stage),
    gathering(stage),
    configuring(stage),
    privateKeys(stage),
    serving(),
    ...smallTexts(stage),
  ];
}

// ---------------------------------------------------------------------------------------------------
// The attack

/** Why a parser failed, and how to see it again. */
export interface Failure {
  /** For `replayCase`. */
  readonly seed: number;
  /** For `replayCase`. */
  readonly path: string;
  /** The smallest input found that does it, as code, or the start of it. */
  readonly input: string;
  /** What it did. */
  readonly error: string;
}

/** What an attack on one parser came to. */
export interface ParserReport {
  readonly name: string;
  readonly cases: number;
  readonly accepted: number;
  readonly refused: number;
  /** Of the slowest case, its checks included. */
  readonly slowestMs: number;
  readonly failure?: Failure;
}

/** What an attack is made with. */
interface Attack {
  /** What cases follow from, with the number of cases. */
  readonly seed: number;
  /** In all, or a few more: each parser gets its share, rounded up. */
  readonly cases: number;
  readonly parsers?: readonly ParserUnderTest[];
  /** Milliseconds; another clock in tests of this. */
  readonly clock?: () => number;
  /** Called after each batch, with what its parser came to so far. */
  onProgress?(report: ParserReport): void;
}

/** Feeds every parser its share of cases; ends with a report of each, in their order. */
export async function fuzzParsers(
  { seed, cases, parsers, clock = () => performance.now(), onProgress }: Attack,
): Promise<readonly ParserReport[]> {
  const all = parsers ?? await parsersUnderTest();
  const shares = all.reduce((sum, { share }) => sum + share, 0);
  const reports: ParserReport[] = [];
  for (const target of all) {
    const wanted = Math.ceil(cases * target.share / shares);
    reports.push(await fuzz({ target, seed, cases: wanted, clock, onProgress }));
  }
  return reports;
}

/** A seed that follows from another, a parser's name and a number: no two batches are alike. */
function seedOf(seed: number, name: string, batch: number): number {
  return new DataView(sha256(utf8(`${seed} ${batch} ${name}`)).buffer).getInt32(0);
}

async function fuzz(
  { target, seed, cases, clock, onProgress }: {
    target: ParserUnderTest;
    seed: number;
    cases: number;
    clock: () => number;
    onProgress: Attack["onProgress"];
  },
): Promise<ParserReport> {
  const tally = { cases: 0, accepted: 0, refused: 0, slowestMs: 0 };
  for (let batch = 0; tally.cases < cases; batch++) {
    const trial = new Trial(target, clock);
    const result = await fc.check(fc.asyncProperty(target.inputs, (input) => trial.run(input)), {
      seed: seedOf(seed, target.name, batch),
      numRuns: Math.min(BATCH_CASES, cases - tally.cases),
    });
    tally.cases += result.numRuns;
    tally.accepted += trial.accepted;
    tally.refused += trial.refused;
    tally.slowestMs = Math.max(tally.slowestMs, trial.slowestMs);
    const report = { name: target.name, ...tally };
    if (result.failed) return { ...report, failure: failureOf(result) };
    onProgress?.(report);
  }
  return { name: target.name, ...tally };
}

/**
 * Runs one case again.
 * @throws what it throws, or PromiseBroken
 */
export async function replayCase(
  { parser, seed, path }: { parser: ParserUnderTest; seed: number; path: string },
): Promise<void> {
  const trial = new Trial(parser, () => performance.now());
  const result = await fc.check(fc.asyncProperty(parser.inputs, (input) => trial.run(input)), {
    seed,
    path,
    endOnFailure: true,
  });
  if (result.failed) throw result.errorInstance;
}

/**
 * Feeds a parser one input.
 * @returns what became of it
 * @throws whatever is no orderly refusal; PromiseBroken for what takes too long or too much room
 */
export async function feed(
  parser: ParserUnderTest,
  input: unknown,
  clock: () => number = () => performance.now(),
): Promise<{ outcome: Outcome; tookMs: number }> {
  const orderly = [MalformedError, ...parser.orderly ?? []];
  const once = async () => {
    const start = clock();
    const { largest, result: outcome } = await watchingAllocations(async () => {
      try {
        return await parser.run(input);
      } catch (error) {
        if (orderly.some((known) => error instanceof known)) return "refused";
        throw error;
      }
    });
    return { outcome, largest, tookMs: clock() - start };
  };
  let { outcome, largest, tookMs } = await once();
  // What is slow is slow each time; a machine that was busy with something else is not.
  for (let i = 1; i < TIMES_MEASURED && tookMs > MAX_CASE_MS; i++) {
    tookMs = Math.min(tookMs, (await once()).tookMs);
  }
  insist(tookMs <= MAX_CASE_MS, `it takes ${Math.round(tookMs)} ms, at most ${MAX_CASE_MS}`);
  insist(
    largest <= MAX_ALLOCATION_BYTES,
    `it sets ${largest} bytes aside, at most ${MAX_ALLOCATION_BYTES}`,
  );
  return { outcome, tookMs };
}

/** Cases of one batch, counted until one fails. */
class Trial {
  accepted = 0;
  refused = 0;
  slowestMs = 0;
  #failedAt: number | undefined;
  readonly #parser: ParserUnderTest;
  readonly #clock: () => number;

  constructor(parser: ParserUnderTest, clock: () => number) {
    this.#parser = parser;
    this.#clock = clock;
  }

  async run(input: unknown): Promise<void> {
    // A case that takes long is not made smaller for hours.
    const failedAt = this.#failedAt;
    if (failedAt !== undefined && performance.now() - failedAt > SHRINK_MS) return;
    try {
      const { outcome, tookMs } = await feed(this.#parser, input, this.#clock);
      if (failedAt !== undefined) return;
      this[outcome]++;
      this.slowestMs = Math.max(this.slowestMs, tookMs);
    } catch (error) {
      this.#failedAt ??= performance.now();
      throw error;
    }
  }
}

function failureOf(result: fc.RunDetails<[unknown]>): Failure {
  const { seed, counterexamplePath, counterexample, errorInstance } = result;
  const input = fc.stringify(counterexample?.[0]);
  const error = errorInstance instanceof Error
    ? `${errorInstance.constructor.name}: ${errorInstance.message}\n${errorInstance.stack ?? ""}`
    : String(errorInstance);
  const clip = (text: string): string =>
    text.length <= SHOWN_CHARACTERS
      ? text
      : `${text.slice(0, SHOWN_CHARACTERS)}… (${text.length} characters)`;
  return { seed, path: counterexamplePath ?? "", input: clip(input), error: clip(error) };
}

/**
 * Runs something and tells the largest array that was asked for by its length meanwhile, granted or
 * not: memory that is taken and given back at once shows in no measure of what is in use.
 */
export async function watchingAllocations<T>(
  run: () => Promise<T>,
): Promise<{ result: T; largest: number }> {
  const before = { Uint8Array, ArrayBuffer };
  let largest = 0;
  const handler: ProxyHandler<typeof Uint8Array | typeof ArrayBuffer> = {
    construct(target, args, newTarget) {
      if (typeof args[0] === "number") largest = Math.max(largest, args[0]);
      return Reflect.construct(target, args, newTarget);
    },
  };
  Object.assign(globalThis, {
    Uint8Array: new Proxy(before.Uint8Array, handler),
    ArrayBuffer: new Proxy(before.ArrayBuffer, handler),
  });
  try {
    return { result: await run(), largest };
  } finally {
    Object.assign(globalThis, before);
  }
}

// ---------------------------------------------------------------------------------------------------
// Texts that are long, and lengths that are only claimed

/** What a long text stands between: nothing, and what makes a JSON text of it, whole or torn. */
const AROUND = [["", ""], ['{"note":"', ""], ['{"note":"', '"}'], ["{", '"z":0}'], [
  '{"a":[',
  "0]}",
]];

/** Feeds a parser every long text of one part over and over, alone and within JSON. */
export async function feedLongTexts(parser: ParserUnderTest): Promise<void> {
  if (parser.feed === undefined) return;
  for (const part of LONG_PARTS) {
    for (const [start, end] of AROUND) {
      const text = longText(`${start}${end}`, start!.length, part, LONG_TEXT_LENGTH);
      try {
        await feed(parser, parser.feed(text));
      } catch (error) {
        const what = `${parser.name}, ${JSON.stringify(start)} and ${
          JSON.stringify(part)
        } repeated`;
        throw new PromiseBroken(`${what}: ${error instanceof Error ? error.message : error}`);
      }
    }
  }
}

/** An input that claims to be far longer than it is. */
export interface Claim {
  readonly name: string;
  /** Makes the claim to the parser that is to see through it; gives what it holds on to. */
  run(): unknown;
}

/** Claims of huge lengths, made to whatever reads a length. */
export async function claims(): Promise<readonly Claim[]> {
  const stage = await makeStage();
  const huge = MAX_TREE_SIZE;
  const header = (kind: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(6);
    new DataView(bytes.buffer).setUint32(2, length);
    bytes.set([PARCEL_VERSION, kind]);
    return bytes;
  };
  const refusal = (run: () => unknown): unknown => {
    try {
      return run();
    } catch (error) {
      if (error instanceof MalformedError) return error;
      throw error;
    }
  };
  const parcel = (kind: number, length: number): Claim => ({
    name: `a parcel's item of kind ${kind} and ${length} bytes`,
    run() {
      const decoder = new ParcelDecoder(DEFAULT_LIMITS);
      return [decoder, refusal(() => [...decoder.take(header(kind, length))])];
    },
  });
  const { maxNoteItemBytes, maxProofItemBytes, maxRecordItemBytes } = DEFAULT_LIMITS;
  const rootHash = sha256(utf8("x"));
  const tiles = (body: () => Uint8Array): () => Promise<unknown> => async () => {
    const { world } = fakeWorld(() => ({ body: body(), headers: { "content-length": `${huge}` } }));
    const source = "https://log.invalid";
    const opened = openSource({ world, log: stage.honest.log, source, contact: "x" });
    return await opened.consistency({ older: huge - 1n, newer: huge }).catch((error) => error);
  };
  return [
    ...[1, 2, 3, 9].flatMap((kind) =>
      [0xffffffff, 0x7fffffff].map((length) => parcel(kind, length))
    ),
    // Within the limits, and still nothing has come.
    parcel(1, maxNoteItemBytes),
    parcel(2, maxProofItemBytes),
    parcel(3, maxRecordItemBytes),
    {
      name: "a frame of a tree of 2^63 - 1 leaves",
      run: () =>
        openFrame({
          frame: encodeFrame({ treeSize: huge, rootHash, signature: new Uint8Array(64) }),
          logs: stage.logs,
        }),
    },
    {
      name: "a note of a tree of 2^63 - 1 leaves",
      run: () => openCheckpoint({ note: signedNote(stage, HOSTILE_TEXTS[0]!), logs: stage.logs }),
    },
    {
      name: "a proof between trees of 2^63 leaves",
      run: () =>
        impliedOlderRoot({
          older: { treeSize: huge - 1n, rootHash },
          newer: { treeSize: huge, rootHash },
          proof: Array.from({ length: 64 }, () => rootHash),
        }),
    },
    { name: "tiles of a tree of 2^63 - 1 leaves, all empty", run: tiles(() => new Uint8Array(0)) },
    { name: "such tiles, of one hash", run: tiles(() => rootHash) },
    {
      name: "a number of 4,000 digits for a size",
      run: () => refusal(() => parseCheckpointText(`${ORIGIN}\n${"9".repeat(4_000)}\nAAAA\n`)),
    },
    {
      name: "an answer of 2^63 - 1 bytes, by its Content-Length",
      async run() {
        using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
        const served = serveBytes(listener, utf8(HTTP_SAMPLES[5]!));
        const url = `http://127.0.0.1:${listener.addr.port}/`;
        const get = { url, headers: {}, timeoutMs: SOCKET_TIMEOUT_MS, maxBytes: MAX_INPUT_LENGTH };
        const answer = await denoWorld().http.get(get).catch((error) => error);
        insist(answer instanceof WorldError, "an answer that is cut off is none");
        listener.close();
        await served;
        return answer;
      },
    },
  ];
}
