import type { Seen } from "../evidence/conflict.ts";
import { observedCheckpoint } from "../store/observation.ts";
import type { ObservationJournal } from "../store/observations.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import type { Clock } from "../world/world.ts";
import type { Recollection } from "./monitor.ts";
import { THE_LOG } from "./watch.ts";

/** Notes of the journal kept as opened: those that peers tell of again and again. */
export const MAX_OPENED = 4_096;

/**
 * What a daemon remembers: the observation journal, through its index, and what was seen since the
 * last entry. What a peer told is made durable by `settle`, before it is answered; what the log
 * showed is recorded with the finding about it.
 */
export class JournaledMemory implements Recollection {
  readonly #observations: ObservationJournal;
  readonly #clock: Clock;
  readonly #onQuestion: (log: Log) => void;
  /** Seen and not indexed yet, by log, size and root. */
  readonly #fresh = new Map<string, Seen>();
  /** By log and the whole note, which is what was verified; the one opened first gives way. */
  readonly #opened = new Map<string, readonly VerifiedCheckpoint[]>();

  constructor({ observations, clock, onQuestion = () => {} }: {
    observations: ObservationJournal;
    clock: Clock;
    /** Called when what a peer told was written down as an open question about a log. */
    onQuestion?: (log: Log) => void;
  }) {
    this.#observations = observations;
    this.#clock = clock;
    this.#onQuestion = onQuestion;
  }

  /** See CheckpointMemory; no note is believed whose very bytes were not verified here. */
  at(log: Log, treeSize: bigint): readonly Seen[] {
    const indexed = this.#observations.rootsAt(log, treeSize).flatMap(({ note, source }) =>
      this.#open(note, log).map((checkpoint) => ({ checkpoint, source }))
    );
    if (this.#fresh.size === 0) return indexed;
    const known = new Set(indexed.map(({ checkpoint }) => checkpoint.root));
    const fresh = [...this.#fresh.values()].filter(({ checkpoint }) =>
      checkpoint.log.id === log.id && checkpoint.treeSize === treeSize &&
      !known.has(checkpoint.root)
    );
    return [...indexed, ...fresh];
  }

  #open(note: string, log: Log): readonly VerifiedCheckpoint[] {
    const key = `${log.id}\n${note}`;
    const known = this.#opened.get(key);
    if (known !== undefined) return known;
    const opened = openCheckpoint({ note, logs: [log] });
    const checkpoints = "refused" in opened ? [] : opened;
    this.#opened.set(key, checkpoints);
    if (this.#opened.size > MAX_OPENED) this.#opened.delete(this.#opened.keys().next().value!);
    return checkpoints;
  }

  /** See CheckpointMemory. What a peer told stays what a peer told: it is answered. */
  remember(seen: Seen): void {
    const there = this.#fresh.get(keyOf(seen));
    const source = there === undefined || there.source === THE_LOG ? seen.source : there.source;
    this.#fresh.set(keyOf(seen), { ...seen, source });
  }

  /**
   * See CheckpointMemory. What the log has just shown, and a peer tells before that look is written
   * down, is written as what the peer told: it is answered, and the look may never come to its end.
   */
  repeated(seen: Seen): void {
    const key = keyOf(seen);
    const isUnwritten = this.#fresh.get(key)?.source === THE_LOG;
    if (isUnwritten && seen.source !== THE_LOG) this.#fresh.set(key, seen);
  }

  /** See Recollection: writes what peers told, as open questions or as inconsistent. */
  async settle(): Promise<void> {
    // What is heard from now on may make a case that is not durable yet.
    for (const key of [...this.#fresh.keys()]) {
      const seen = this.#fresh.get(key);
      // Its look may have been written down meanwhile.
      if (seen === undefined) continue;
      const { checkpoint, source } = seen;
      if (source === THE_LOG) continue;
      const { log, treeSize, root } = checkpoint;
      const contradicted = this.at(log, treeSize).some((other) => other.checkpoint.root !== root);
      await this.#observations.observe({
        log: { origin: log.origin, vkey: log.vkey.text },
        via: "exchange",
        source,
        result: contradicted ? "inconsistent" : "pending",
        checkpoint: observedCheckpoint(checkpoint),
      }, this.#clock.now().toISOString());
      if (this.#fresh.get(key) === seen) this.#fresh.delete(key);
      if (!contradicted) this.#onQuestion(log);
    }
  }

  /** Lets go of a checkpoint that the journal now has. */
  recorded(seen: Seen): void {
    this.#fresh.delete(keyOf(seen));
  }
}

function keyOf({ checkpoint: { log, treeSize, root } }: Seen): string {
  return `${treeSize} ${root} ${log.id}`;
}
