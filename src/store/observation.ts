/**
 * The observation: what was seen of a log, from whom and with what result. Plain JSON in a journal
 * entry; sizes are strings, because JSON numbers lose them above 2^53.
 *
 * @module
 */
import type { JsonObject } from "../evidence/json.ts";
import { cleanSource } from "../evidence/record.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { parseTreeSize, strictBase64 } from "../tlog/encoding.ts";
import { HASH_BYTES } from "../tlog/hashing.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { encodedKey, parseVkey } from "../tlog/vkey.ts";

/** How something was seen: by asking the log, in an exchange with a peer, or on this machine. */
export const VIAS = ["poll", "exchange", "local"] as const;
/** One of VIAS. */
export type Via = (typeof VIAS)[number];

/** Every result an observation can have. */
export const RESULTS = [
  ...["first", "extends", "unchanged", "rolled back", "inconsistent", "unproven"] as const,
  ...["frozen", "unavailable", "withheld", "pending", "consistent", "matches", "refused"] as const,
];
/** One of RESULTS. */
export type Result = (typeof RESULTS)[number];

/** The results that move this monitor's own view: the checkpoint was proven to extend the last. */
export const PROVING_RESULTS: readonly Result[] = ["first", "extends"];

/**
 * The results that leave a checkpoint an open question: heard and not reached yet, or not compared
 * because the proof was not to be had. Later views may contradict it, so it is not forgotten.
 */
export const OPEN_RESULTS: readonly Result[] = ["pending", "unproven", "unavailable"];

/** A size and a root, as an observation states them. */
export interface ObservedHead {
  /** Decimal. */
  readonly size: string;
  /** Base64 of 32 bytes. */
  readonly root: string;
}

/** A checkpoint that was seen. Size and root are the note's, spelled out for people and the index. */
export interface ObservedCheckpoint extends ObservedHead {
  /** The whole signed note. */
  readonly note: string;
}

/** A log, as an observation names it. */
export interface ObservedLog {
  readonly origin: string;
  readonly vkey: string;
}

/** One line of the observation journal. */
export interface Observation {
  readonly log: ObservedLog;
  readonly via: Via;
  /** A URL, a peer's address, a file: as `cleanSource` leaves it. */
  readonly source: string;
  readonly result: Result;
  readonly checkpoint?: ObservedCheckpoint;
  /** The other half of an inconsistency, where it is of another size. */
  readonly against?: ObservedHead;
  /** For people: one line, as `cleanSource` leaves it. */
  readonly detail?: string;
  /**
   * In a summary: how many times exactly this was seen again since it was last written. A summary
   * says nothing new, so it is counted and changes nothing else.
   */
  readonly repeats?: number;
  /** In a summary: how many of the repeats came from whom, where it was not `source` alone. */
  readonly sources?: readonly (readonly [source: string, times: number])[];
  /**
   * In a summary of `consistent`: the open questions that were settled so. Not repeats of anything,
   * though they are counted there: each of them is no open question from this entry on.
   */
  readonly settled?: readonly ObservedHead[];
}

/** The members of an observation that state a checkpoint. */
export function observedCheckpoint(checkpoint: VerifiedCheckpoint): ObservedCheckpoint {
  const { treeSize, root, note } = checkpoint;
  return { size: treeSize.toString(), root, note };
}

/** An observation with its free texts made fit for the journal. */
export function cleanObservation(observation: Observation): Observation {
  const { source, detail } = observation;
  return {
    ...observation,
    source: cleanSource(source),
    ...(detail !== undefined && { detail: cleanSource(detail) }),
  };
}

/** A log's id as `Log` has it: type and public key, then the origin. */
export function logIdOf({ log }: Observation): string {
  return `${keyOf(log.vkey)} ${log.origin}`;
}

/** Most vkeys whose keys are remembered: more than anybody watches logs. */
const MAX_REMEMBERED_KEYS = 1_000;
const keys = new Map<string, string>();

/** The encoded key of a vkey. Checking one takes longer than all else that is read of an entry. */
function keyOf(vkey: string): string {
  let key = keys.get(vkey);
  if (key === undefined) {
    key = encodedKey(parseVkey(vkey));
    if (keys.size >= MAX_REMEMBERED_KEYS) keys.clear();
    keys.set(vkey, key);
  }
  return key;
}

/**
 * Reads an observation's form: every member of the right type, and none besides.
 * @throws MalformedError naming the member that is wrong
 */
export function parseObservation(input: JsonObject): Observation {
  const { log, via, source, result, checkpoint, against, detail, ...others } = input;
  const { repeats, sources, settled, ...rest } = others;
  refuseExtra("observation", rest);
  const { origin, vkey, ...extra } = objectOf("log", log);
  refuseExtra("log", extra);
  textOf("log.origin", origin);
  keyOf(textOf("log.vkey", vkey));
  memberOf("via", via, VIAS);
  memberOf("result", result, RESULTS);
  cleanTextOf("source", source);
  if (Object.hasOwn(input, "checkpoint")) expectCheckpoint(checkpoint);
  if (Object.hasOwn(input, "against")) expectHead("against", against);
  if (Object.hasOwn(input, "detail")) cleanTextOf("detail", detail);
  if (Object.hasOwn(input, "repeats") && !(Number.isSafeInteger(repeats) && Number(repeats) > 0)) {
    throw new MalformedError(`repeats is ${show(repeats)}, expected a number of at least 1`);
  }
  if (Object.hasOwn(input, "sources")) expectSources(sources, repeats);
  if (Object.hasOwn(input, "settled")) expectSettled(settled, input);
  return input as unknown as Observation;
}

function expectCheckpoint(value: unknown): void {
  const { note, ...head } = objectOf("checkpoint", value);
  textOf("checkpoint.note", note);
  expectHead("checkpoint", head);
}

function expectSources(value: unknown, repeats: unknown): void {
  const times = listOf("sources", value).map((pair) => {
    const [source, count, ...extra] = listOf("sources", pair);
    cleanTextOf("sources", source);
    if (!(Number.isSafeInteger(count) && Number(count) > 0) || extra.length > 0) {
      throw new MalformedError(`sources has ${show(pair)}, expected a source and how often`);
    }
    return Number(count);
  });
  if (!(times.reduce((sum, count) => sum + count, 0) <= Number(repeats))) {
    throw new MalformedError(`sources has more in it than repeats, which is ${show(repeats)}`);
  }
}

function expectSettled(value: unknown, { result, repeats, checkpoint }: JsonObject): void {
  const heads = listOf("settled", value);
  for (const head of heads) expectHead("settled", head);
  if (result !== "consistent" || checkpoint !== undefined || repeats !== heads.length) {
    throw new MalformedError(
      `settled has ${heads.length}, expected as many as repeats in a summary of consistent`,
    );
  }
}

function expectHead(what: string, value: unknown): void {
  const { size, root, ...extra } = objectOf(what, value);
  refuseExtra(what, extra);
  parseTreeSize(textOf(`${what}.size`, size));
  const { length } = strictBase64(textOf(`${what}.root`, root));
  if (length !== HASH_BYTES) {
    throw new MalformedError(`${what}.root has ${length} bytes, expected ${HASH_BYTES}`);
  }
}

function refuseExtra(what: string, rest: JsonObject): void {
  const [extra] = Object.keys(rest);
  if (extra !== undefined) {
    throw new MalformedError(`${what} has an unknown member ${quoted(extra)}`);
  }
}

function objectOf(what: string, value: unknown): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MalformedError(`${what} is ${show(value)}, expected an object`);
  }
  return value as JsonObject;
}

function listOf(what: string, value: unknown): unknown[] {
  if (!Array.isArray(value)) {
    throw new MalformedError(`${what} is ${show(value)}, expected a list`);
  }
  return value as unknown[];
}

function textOf(what: string, value: unknown): string {
  if (typeof value !== "string" || !value.isWellFormed()) {
    throw new MalformedError(`${what} is ${show(value)}, expected a text`);
  }
  return value;
}

function cleanTextOf(what: string, value: unknown): void {
  const text = textOf(what, value);
  if (cleanSource(text) !== text) {
    throw new MalformedError(`${what} is ${quoted(text)}, expected one short line`);
  }
}

function memberOf(what: string, value: unknown, wanted: readonly string[]): void {
  if (!wanted.includes(value as string)) {
    throw new MalformedError(`${what} is ${show(value)}, expected one of ${wanted.join(", ")}`);
  }
}

function show(value: unknown): string {
  return value === undefined ? "missing" : quoted(JSON.stringify(value));
}
