/**
 * How an observation is spelled in its entry. Most bytes of a full entry would repeat others: the
 * log that it is about, and the size and root that its note has. So a segment spells a log out once
 * and then names it, and a checkpoint is its note alone.
 *
 * A name is valid only in its segment, after the last entry that spells the log out. A segment is
 * read from its start and removed as a whole, so no name outlives the entry that explains it.
 *
 * @module
 */
import type { JsonObject } from "../evidence/json.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import {
  type Observation,
  type ObservedCheckpoint,
  type ObservedLog,
  parseObservation,
} from "./observation.ts";

/** The names that are known at one place of a journal, for writing or reading on from there. */
export class Spelling {
  #segment: string | number | undefined;
  readonly #logs = new Map<string, ObservedLog>();

  /** The record to write to a segment for an observation. */
  shorten(observation: Observation, segment: string | number): JsonObject {
    const { log, checkpoint } = observation;
    const name = nameOf(log);
    const named = this.#in(segment).get(name);
    const isKnown = named?.origin === log.origin && named.vkey === log.vkey;
    return {
      ...observation,
      ...(isKnown && { log: name }),
      ...(checkpoint && { checkpoint: shortCheckpoint(checkpoint) }),
    };
  }

  /** Notes an entry that was written or read. From now on its log can be named. */
  learn({ log }: Observation, segment: string | number): void {
    this.#in(segment).set(nameOf(log), log);
  }

  /**
   * Reads the observation of a record in a segment, whether or not it is shortened.
   * @throws MalformedError if it is not an observation
   */
  read(record: JsonObject, segment: string | number): Observation {
    const { log, checkpoint } = record;
    const observation = parseObservation({
      ...record,
      ...(typeof log === "string" && { log: this.#named(log, segment) }),
      ...(typeof checkpoint === "string" && { checkpoint: longCheckpoint(checkpoint) }),
    });
    this.learn(observation, segment);
    return observation;
  }

  #named(name: string, segment: string | number): ObservedLog {
    const log = this.#in(segment).get(name);
    if (log !== undefined) return log;
    throw new MalformedError(
      `log is named ${quoted(name)}, and no entry before it in this segment has that log in full`,
    );
  }

  #in(segment: string | number): Map<string, ObservedLog> {
    if (segment !== this.#segment) this.#logs.clear();
    this.#segment = segment;
    return this.#logs;
  }
}

/**
 * Name and key id of a log's vkey. Two logs may share them; then the name means the one spelled out
 * last.
 */
export function nameOf({ vkey }: ObservedLog): string {
  return vkey.split("+", 2).join("+");
}

/** The note alone, if it says what the members beside it say. */
function shortCheckpoint(checkpoint: ObservedCheckpoint): ObservedCheckpoint | string {
  const { size, root } = longCheckpoint(checkpoint.note);
  const says = size === checkpoint.size && root === checkpoint.root;
  return says ? checkpoint.note : checkpoint;
}

/**
 * A checkpoint from its note: size and root are the second and third line (C2SP tlog-checkpoint).
 */
function longCheckpoint(note: string): ObservedCheckpoint {
  const [, size = "", root = ""] = note.split("\n", 3);
  return { size, root, note };
}
