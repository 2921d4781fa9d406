/**
 * Describes a kind of parcel item. Each kind has a file of its own, and a row in kinds.ts.
 *
 * @module
 */
import type { Head } from "../evidence/head.ts";
import type { Trials, VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import type { About } from "./about_item.ts";
import type { HashList } from "./hash_list.ts";
import type { HeardCheckpoint, Judge } from "./judge.ts";
import type { HeadStanding, Standing } from "./settled_item.ts";

/** One kind of parcel item: its byte, its limits, its price, and how it is heard. */
export interface Kind {
  /** The byte in front of each item. */
  readonly byte: number;
  /** The word for one in a message: `a second … came`. */
  readonly what: string;
  /** The most bytes of one item. */
  readonly maxBytes: number;
  /** Whether a parcel may have only one. Otherwise it may have as many as it may have items. */
  readonly isOnce: boolean;
  /**
   * How much one item takes of its sender's allowance, besides the bytes of the parcel, in frames.
   */
  readonly cost: number;
  /**
   * Whether its bytes are paid for twice, 1 frame for every `jsonBytesPerFrame`: JSON is parsed and
   * spelled again, which takes 40 ms a megabyte.
   */
  readonly isJson: boolean;
  /**
   * If it asks for what is looked up in the index: how many of its bytes ask for one look-up. Each
   * takes 1 frame more.
   */
  readonly lookUpBytes?: number;
  /**
   * Judges one item that has come, and adds what it says to `hearing`. An item about a log that is
   * not followed is passed over.
   * @throws MalformedError if it is malformed or does not hold, at its sender's expense; Disputed
   */
  hear(item: ComingItem): void;
  /**
   * What an item of this kind adds to the answer; see `answerParcel`. Whatever does not fit into
   * the answer is left out.
   */
  answer?(hearing: Hearing, party: Pick<HearingParty, "unreconciled" | "about">): Iterable<Item>;
}

/** An item of a parcel. */
export interface Item<Name extends string = string> {
  readonly kind: Name;
  /** UTF-8, or bytes as its kind has them, if its sender kept to the protocol. */
  readonly body: Uint8Array;
}

/** An item that has come, and what is needed to hear it. */
export interface ComingItem {
  readonly body: Uint8Array;
  /** Who sent it. */
  readonly source: string;
  readonly party: Pick<HearingParty, "judge" | "cases" | "standing">;
  /** What the items so far have said. */
  readonly hearing: Hearing;
}

/** What a kind may use of the party that hears a parcel: see `ExchangeParty`. */
export interface HearingParty {
  readonly judge: Judge;
  cases(log: Log): readonly NamedCase[];
  unreconciled(log: Log): readonly VerifiedCheckpoint[];
  /** How a checkpoint stands here. @throws WorldError if the index cannot be read */
  standing(log: Log, head: Head): Standing;
  /** What this monitor says about itself. */
  readonly about: About;
}

/** Anything that has the name of a case. */
export interface NamedCase {
  readonly evidence_id: string;
}

/** The result of hearing a parcel. */
export interface Hearing {
  /** The verdicts on its notes, in order. */
  readonly heard: HeardCheckpoint[];
  /** The followed logs that a sound item was about. */
  readonly named: Set<Log>;
  /** The cases (evidence ids) the other end has shown. */
  readonly shown: Set<string>;
  /** The cases that it says it has. Only the answer to it depends on that. */
  claimed?: HashList;
  /** The logs that both ends follow, if the other end said which it follows. */
  follows?: Set<Log>;
  /** How many cosignatures on its notes may still fail. */
  readonly trials: Trials;
  /** What the other end says about itself. */
  about?: About;
  /** The checkpoints that the other end asks about, and how they stand here. */
  asked?: readonly HeadStanding[];
  /** How checkpoints stand with the other end, as it claims. Nothing proves it. */
  claims?: readonly HeadStanding[];
  /**
   * Whether a record that it has shown made a new case here. A record may name a known case by
   * another pair of checkpoints.
   */
  hasNews: boolean;
  /** Why the rest was not heard. */
  readonly fault?: Fault;
}

/** A fault of a parcel. */
export interface Fault {
  /** For a person. */
  readonly reason: string;
  /** Whether its sender is charged for it, as for a frame that verifies under no key. */
  readonly charged: boolean;
}

/** A record on whose signatures two implementations differ. Its sender has no fault in that. */
export class Disputed extends Error {}

/**
 * How many cosignatures that do not hold are tried of one parcel, or one posted note. An honest sender
 * tells none: it has verified them. A log may have served some.
 */
export const MAX_FAILED_COSIGNATURES = 4;
/** What each of them costs its sender, in frames: it takes as long as some verifications. */
export const FAILED_COSIGNATURE_COST = 64;

/** What was tried in vain, in frames. */
export function costOfTrials({ left }: Trials): number {
  return (MAX_FAILED_COSIGNATURES - left) * FAILED_COSIGNATURE_COST;
}

/** Room in an item of JSON for everything besides its notes. */
export const JSON_MEMBERS_BYTES = 64 * 1024;
