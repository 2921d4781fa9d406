/**
 * What a kind of parcel item is. Each kind has a file of its own, and a row in kinds.ts.
 *
 * @module
 */
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import type { About } from "./about_item.ts";
import type { HashList } from "./hash_list.ts";
import type { HeardCheckpoint, Judge } from "./judge.ts";

/** One kind of parcel item: its byte, its limits, its price, and how it is heard. */
export interface Kind {
  /** The byte in front of each item. */
  readonly byte: number;
  /** What one is called in a message: `a second … came`. */
  readonly what: string;
  /** Most bytes of one. */
  readonly maxBytes: number;
  /** Whether a parcel has one at most; otherwise as many as it may have items. */
  readonly isOnce: boolean;
  /** What one takes of its sender's allowance besides the bytes of the parcel, in frames. */
  readonly cost: number;
  /**
   * Whether its bytes are paid for twice, 1 frame for every `jsonBytesPerFrame`: JSON is parsed and
   * spelled again, which takes 40 ms a megabyte.
   */
  readonly isJson: boolean;
  /**
   * Judges one item that has come, and notes in `hearing` what it says. An item about a log that is
   * not followed is passed over.
   * @throws MalformedError if it is malformed or does not hold, at its sender's expense; Disputed
   */
  hear(item: ComingItem): void;
  /**
   * What is answered besides, because an item of this kind was heard; see `answerParcel`. What does
   * not fit into the answer is left out.
   */
  answer?(hearing: Hearing, party: Pick<HearingParty, "unreconciled" | "about">): Iterable<Item>;
}

/** An item of a parcel. */
export interface Item<Name extends string = string> {
  readonly kind: Name;
  /** UTF-8, or bytes as the kind has them, if whoever sent it did as agreed. */
  readonly body: Uint8Array;
}

/** An item that has come, and what it is heard with. */
export interface ComingItem {
  readonly body: Uint8Array;
  /** Whom it comes from. */
  readonly source: string;
  readonly party: Pick<HearingParty, "judge" | "cases">;
  /** What the items before it said. */
  readonly hearing: Hearing;
}

/** What a kind may use of the party that hears a parcel: see `ExchangeParty`. */
export interface HearingParty {
  readonly judge: Judge;
  cases(log: Log): readonly NamedCase[];
  unreconciled(log: Log): readonly VerifiedCheckpoint[];
  /** What this monitor says about itself. */
  readonly about: About;
}

/** Whatever has the name of a case. */
export interface NamedCase {
  readonly evidence_id: string;
}

/** What hearing a parcel comes to. */
export interface Hearing {
  /** What the notes say, in order. */
  readonly heard: HeardCheckpoint[];
  /** The logs followed of which something true was said. */
  readonly named: Set<Log>;
  /** The cases (evidence ids) the other end has shown. */
  readonly shown: Set<string>;
  /** Those it says it has; nothing rests on that but what it is answered. */
  claimed?: HashList;
  /** The logs that both ends follow, if the other end said which it follows. */
  follows?: Set<Log>;
  /** What the other end says about itself. */
  about?: About;
  /** Whether a record it has shown made a case here; it may name a known one by another pair. */
  hasNews: boolean;
  /** Why the rest was not heard. */
  readonly fault?: Fault;
}

/** What is wrong with a parcel. */
export interface Fault {
  /** For a person. */
  readonly reason: string;
  /** Whether whoever sent it pays for it, as for a frame under no key. */
  readonly charged: boolean;
}

/** A record on whose signatures two implementations differ: no fault of whoever passes it on. */
export class Disputed extends Error {}

/** Room in an item of JSON for what is in it besides notes. */
export const JSON_MEMBERS_BYTES = 64 * 1024;
