/**
 * How an observation is spelled in its entry. Of an entry's bytes most would say what others say
 * already: which log it is about, and what its note says. So a log is spelled out once in a segment
 * and then named, and of a checkpoint there is the note, in which size and root stand.
 *
 * A name holds in its segment alone, behind the last entry there that spells the log out: a segment
 * is read from its start and removed as a whole, so nothing refers to what may be gone.
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

/** The names that are known at one place of a journal, for whoever writes there or reads on. */
export class Spelling {
  #segment: string | number | undefined;
  readonly #logs = new Map<string, ObservedLog>();

  /** The record of an observation that is to be written to a segment. */
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

  /** Takes in an entry that was written or read: from now on its log can be named. */
  learn({ log }: Observation, segment: string | number): void {
    this.#in(segment).set(nameOf(log), log);
  }

  /**
   * The observation of a record in a segment, whether or not it is shortened.
   * @throws MalformedError for one that is none
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
      `log is named ${quoted(name)}, and no entry before it in this segment spells that out`,
    );
  }

  #in(segment: string | number): Map<string, ObservedLog> {
    if (segment !== this.#segment) this.#logs.clear();
    this.#segment = segment;
    return this.#logs;
  }
}

/** Name and key id of a log's vkey; two logs may share them, so a name is the last one's. */
function nameOf({ vkey }: ObservedLog): string {
  return vkey.split("+", 2).join("+");
}

/** The note alone, if it says what the members beside it say. */
function shortCheckpoint(checkpoint: ObservedCheckpoint): ObservedCheckpoint | string {
  const { size, root } = longCheckpoint(checkpoint.note);
  const says = size === checkpoint.size && root === checkpoint.root;
  return says ? checkpoint.note : checkpoint;
}

/** A checkpoint by its note: size and root are its second and third line (C2SP tlog-checkpoint). */
function longCheckpoint(note: string): ObservedCheckpoint {
  const [, size = "", root = ""] = note.split("\n", 3);
  return { size, root, note };
}
