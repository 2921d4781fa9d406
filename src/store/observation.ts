/**
 * The observation: what was seen of a log, from whom, and with what result. It is plain JSON in a
 * journal entry. Sizes are strings, because JSON numbers are not exact above 2^53.
 *
 * @module
 */
import { type Result, RESULTS } from "../evidence/result.ts";
import type { JsonObject } from "../evidence/json.ts";
import { cleanSource, oneLine } from "../evidence/record.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { parseTreeSize, strictBase64 } from "../tlog/encoding.ts";
import { HASH_BYTES } from "../tlog/hashing.ts";
import { MalformedError } from "../tlog/malformed.ts";
import {
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
import { encodedKey, parseVkey } from "../tlog/vkey.ts";

/** How something was seen: by asking the log, in an exchange with a peer, or on this machine. */
export const VIAS = ["poll", "exchange", "local"] as const;
/** One of VIAS. */
export type Via = (typeof VIAS)[number];

/** A size and a root, as an observation states them. */
export interface ObservedHead {
  /** Decimal. */
  readonly size: string;
  /** Base64 of 32 bytes. */
  readonly root: string;
}

/**
 * A checkpoint that was seen. Size and root are those of the note, repeated for people and the
 * index.
 */
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
  /** The other half of an inconsistency, if it has another size. */
  readonly against?: ObservedHead;
  /** For people: one line, as `cleanSource` leaves it. */
  readonly detail?: string;
  /**
   * In a summary: how many times exactly this was seen again since it was last written. A summary
   * says nothing new. It is counted, and changes nothing else.
   */
  readonly repeats?: number;
  /** In a summary: how many of the repeats came from whom, if `source` was not the only one. */
  readonly sources?: readonly (readonly [source: string, times: number])[];
  /**
   * In a summary of `consistent`: the open questions that were settled. `repeats` counts them,
   * although they repeat nothing. From this entry on, none of them is an open question.
   */
  readonly settled?: readonly ObservedHead[];
}

/** The members of an observation that state a checkpoint, with the cosignatures that were verified. */
export function observedCheckpoint(checkpoint: VerifiedCheckpoint): ObservedCheckpoint {
  const { treeSize, root, noteWithCosignatures: note } = checkpoint;
  return { size: treeSize.toString(), root, note };
}

/** Makes the free texts of an observation fit for the journal. */
export function cleanObservation(observation: Observation): Observation {
  const { source, detail } = observation;
  return {
    ...observation,
    source: cleanSource(source),
    ...(detail !== undefined && { detail: cleanSource(detail) }),
  };
}

/** A log's id as `Log` has it: type and public key, then the origin. */
export function logIdOf({ log }: Pick<Observation, "log">): string {
  return `${encodedKeyOf(log.vkey)} ${log.origin}`;
}

/** Most vkeys whose keys are remembered. Nobody watches so many logs. */
const MAX_REMEMBERED_KEYS = 1_000;
const keys = new Map<string, string>();

/**
 * The encoded key of a vkey. It is remembered, because checking a key takes longer than reading all
 * else of an entry.
 */
function encodedKeyOf(vkey: string): string {
  let key = keys.get(vkey);
  if (key === undefined) {
    key = encodedKey(parseVkey(vkey));
    if (keys.size >= MAX_REMEMBERED_KEYS) keys.clear();
    keys.set(vkey, key);
  }
  return key;
}

function vkeyText(value: unknown, name: string): void {
  text(value, name);
  within(name, () => encodedKeyOf(value));
}

function sizeText(value: unknown, name: string): void {
  text(value, name);
  within(name, () => parseTreeSize(value));
}

function rootText(value: unknown, name: string): void {
  text(value, name);
  const { length } = within(name, () => strictBase64(value));
  if (length !== HASH_BYTES) {
    throw new MalformedError(`${name} has ${length} bytes, expected ${HASH_BYTES}`);
  }
}

const times = wholeNumber({ least: 1 });

/** A pair in `sources`. */
function sourceAndTimes(value: unknown, name: string): void {
  if (!Array.isArray(value) || value.length !== 2) {
    throw unexpected(value, { name, wanted: "a source and how often" });
  }
  oneLine(value[0], `${name}[0]`);
  times(value[1], `${name}[1]`);
}

const HEAD = { size: sizeText, root: rootText };
const head = object({ must: HEAD, others: "refused" });

const OBSERVATION: Shape = {
  must: {
    log: object({ must: { origin: text, vkey: vkeyText }, others: "refused" }),
    via: oneOf(VIAS),
    source: oneLine,
    result: oneOf(RESULTS),
  },
  may: {
    checkpoint: object({ must: { note: text, ...HEAD }, others: "refused" }),
    against: head,
    detail: oneLine,
    repeats: times,
    sources: listOf(sourceAndTimes),
    settled: listOf(head),
  },
  others: "refused",
};

/**
 * Reads an observation and checks its form: every member is of the right type, and there are no
 * others.
 * @throws MalformedError naming the member that is wrong
 */
export function parseObservation(input: JsonObject): Observation {
  checkMembers(input, { what: "observation", shape: OBSERVATION });
  const observation = input as unknown as Observation;
  expectSources(observation);
  expectSettled(observation);
  return observation;
}

function expectSources({ sources, repeats }: Observation): void {
  if (sources === undefined) return;
  const sum = sources.reduce((sum, [, count]) => sum + count, 0);
  if (repeats === undefined || sum > repeats) {
    const wanted = repeats === undefined ? "no sources without repeats" : `at most ${repeats}`;
    throw new MalformedError(`sources add up to ${sum}, expected ${wanted}`);
  }
}

function expectSettled({ settled, result, repeats, checkpoint }: Observation): void {
  if (settled === undefined) return;
  if (result !== "consistent" || checkpoint !== undefined || repeats !== settled.length) {
    throw new MalformedError(
      `settled has ${settled.length} heads, expected a summary of consistent with as many repeats`,
    );
  }
}
