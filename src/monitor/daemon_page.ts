import type { ConflictRecord } from "../evidence/record.ts";
import type { HttpGossip } from "./http_gossip.ts";
import type { PageSource } from "./page_source.ts";
import type { Status } from "./status.ts";
import type { Refusal } from "./write_probe.ts";

/** Reads the cases of a daemon's incident journal. */
export interface CaseReader {
  /** How many cases there are. */
  readonly count: number;
  /** The numbers (seq) of the cases with a larger number, in order, at most so many. */
  after(seq: number, most: number): readonly number[];
  /** Whether there is a case of this number. */
  has(seq: number): boolean;
  /**
   * The record of a case.
   * @throws WorldError if it cannot be read, RangeError if there is none of this number
   */
  read(seq: number): Promise<ConflictRecord>;
}

/** What a daemon tells at its HTTP address. */
export interface DaemonPage {
  readonly status: () => Status;
  /** Comparisons, while it offers them. */
  readonly gossip: () => HttpGossip | undefined;
  readonly cases: CaseReader;
  /** Why its folders cannot be written now, if they cannot; see WriteProbe. */
  readonly tryWriting: () => Promise<Refusal>;
  /** What its page for people is made of. */
  readonly people: PageSource;
}
