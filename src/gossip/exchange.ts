import type { ConflictRecord, RecordedHead } from "../evidence/record.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import type { Calls } from "../world/calls.ts";
import type { PeerHosts } from "../world/connection_table.ts";
import type { World } from "../world/world.ts";
import type { About } from "./about_item.ts";
import type { ExchangeLimits } from "./limits.ts";
import type { Heard, Judge } from "./judge.ts";
import type { PeerKnowledge } from "./peer_knowledge.ts";

/** A case that is held: what it is about is in memory, its evidence is read where it is wanted. */
export interface HeldCase extends Pick<ConflictRecord, "kind" | "evidence_id"> {
  readonly checkpoint_a: RecordedHead;
  readonly checkpoint_b: RecordedHead;
  /** Its record. @throws WorldError if it cannot be read */
  read(): Promise<ConflictRecord>;
}

/** What both ends of an exchange work with. */
export interface ExchangeParty {
  readonly world: World;
  readonly judge: Judge;
  readonly limits: ExchangeLimits;
  /**
   * Keeps every conflict that was found so far, and what this source told; resolves once that is
   * durable. Called before it is told or answered anything. Nobody waits for what others told.
   * @throws anything, if it could not; then nothing is answered
   */
  keep(source: string): Promise<void>;
  /**
   * The checkpoints of a log that are signed and not reconciled with the view, as many as one round
   * shows a peer (`maxOpenPerLog`): somebody else may hold the other half of the evidence.
   */
  unreconciled(log: Log): readonly VerifiedCheckpoint[];
  /** The cases held about a log, whose evidence may be handed over: proven and kept. Oldest first. */
  cases(log: Log): readonly HeldCase[];
  /** What each peer is taken to know; one for all exchanges of this party. */
  readonly peerKnowledge: PeerKnowledge;
  /** What this monitor says about itself. */
  readonly about: About;
  /** The connections made to others; one for all exchanges of this party. */
  readonly calls: Calls;
  readonly report: ExchangeReport;
  /** Hosts that have been promised places among the connections served: those of configured peers. */
  readonly peerHosts?: PeerHosts;
}

/** What is told of an exchange while it goes on. */
export interface ExchangeReport {
  /** A frame or a note was judged; `source` is the other end. Repeats within an exchange are told once. */
  heard(heard: Heard, source: string): void;
  /** An exchange, or the wait for one, ended otherwise than by both sides finishing. */
  broken(reason: string, source: string): void;
  /** This side could not judge or keep what it was told, and so did not answer: no fault of a peer. */
  notAnswered(error: unknown): void;
  /**
   * A peer that was called has answered the greeting.
   * @param isSelf whether it is this monitor, or repeats what this monitor says about itself
   * @param about what it says about itself; nothing if its version says nothing
   */
  greeted?(peer: string, greeting: { isSelf: boolean; about: About | undefined }): void;
}

/** This side could not judge or keep what it was told; `cause` says why. */
export class NotKept extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** Does what must be done before an answer. @throws NotKept for whatever it throws */
export async function orNotKept<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new NotKept(error);
  }
}
