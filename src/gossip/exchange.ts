import type { ConflictRecord, RecordedHead } from "../evidence/record.ts";
import type { Head } from "../evidence/head.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import type { Calls } from "../world/calls.ts";
import type { PeerHosts } from "../world/connection_table.ts";
import type { World } from "../world/world.ts";
import type { About } from "./about_item.ts";
import type { ExchangeLimits } from "./limits.ts";
import type { Heard, Judge } from "./judge.ts";
import type { PeerKnowledge } from "./peer_knowledge.ts";
import type { Standing } from "./settled_item.ts";

/** A case that is held here. Its heads are in memory; its record is read when it is needed. */
export interface HeldCase extends Pick<ConflictRecord, "kind" | "evidence_id"> {
  readonly checkpoint_a: RecordedHead;
  readonly checkpoint_b: RecordedHead;
  /** Its record. @throws WorldError if it cannot be read */
  read(): Promise<ConflictRecord>;
}

/** The parts of a monitor that both ends of an exchange use. */
export interface ExchangeParty {
  readonly world: World;
  readonly judge: Judge;
  readonly limits: ExchangeLimits;
  /**
   * Keeps every conflict that was found so far, and the checkpoints that this source told. It
   * resolves once they are durable. It is called before the source is answered. No source waits for
   * the checkpoints of another.
   * @throws any error, if they could not be kept; then nothing is answered
   */
  keep(source: string): Promise<void>;
  /**
   * The checkpoints of a log that are signed and not reconciled with the view. They are shown to
   * peers, because somebody else may hold the other half of the evidence. There are at most as many
   * as one round shows a peer (`maxOpenPerLog`).
   */
  unreconciled(log: Log): readonly VerifiedCheckpoint[];
  /**
   * How a checkpoint stands here, by one look into the index.
   * @throws WorldError if the index cannot be read
   */
  standing(log: Log, head: Head): Standing;
  /**
   * The cases held about a log, oldest first. Each is proven and durable, so its evidence may be
   * handed over.
   */
  cases(log: Log): readonly HeldCase[];
  /** What each peer is assumed to know. All exchanges of this party share it. */
  readonly peerKnowledge: PeerKnowledge;
  /** What this monitor says about itself. */
  readonly about: About;
  /** Makes the connections to others. All exchanges of this party share it. */
  readonly calls: Calls;
  readonly report: ExchangeReport;
  /** The hosts of configured peers. Places among the served connections are reserved for them. */
  readonly peerHosts?: PeerHosts;
}

/** What an exchange reports while it goes on. */
export interface ExchangeReport {
  /**
   * A frame or a note was judged. `source` is the other end. A repeat within one exchange is not
   * reported again.
   */
  heard(heard: Heard, source: string): void;
  /** An exchange, or the wait for one, ended before both sides had finished. */
  broken(reason: string, source: string): void;
  /**
   * This side could not judge or keep what the peer told, and so did not answer. That is no fault
   * of the peer.
   */
  notAnswered(error: unknown): void;
  /**
   * A peer that was called has answered the greeting.
   * @param isSelf whether it is this monitor, or repeats what this monitor says about itself
   * @param about what it says about itself; nothing if its version says nothing
   */
  greeted?(peer: string, greeting: { isSelf: boolean; about: About | undefined }): void;
}

/** The cases held about a log and about its cosigners: whoever follows the log may want them. */
export function casesAbout({ cases }: Pick<ExchangeParty, "cases">, log: Log): HeldCase[] {
  return [log, ...log.cosigners.all].flatMap((one) => cases(one));
}

/** This side could not judge or keep what the peer told; `cause` says why. */
export class NotKept extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** Does work that must be done before an answer. @throws NotKept for whatever it throws */
export async function orNotKept<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new NotKept(error);
  }
}
