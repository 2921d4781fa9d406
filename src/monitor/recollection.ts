import type { Seen } from "../evidence/conflict.ts";
import { observedCheckpoint } from "../store/observation.ts";
import type { ObservationLog } from "../store/observations.ts";
import { openCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import type { Clock } from "../world/world.ts";
import type { Recollection } from "./monitor.ts";
import { THE_LOG } from "./watch.ts";

/**
 * What a daemon remembers: the observation journal, through its index, and what was seen since the
 * last entry. What a peer told is made durable by `settle`, before it is answered; what the log
 * showed is recorded with the finding about it.
 */
export class JournaledMemory implements Recollection {
  readonly #observations: ObservationLog;
  readonly #clock: Clock;
  /** Seen and not indexed yet, by log, size and root. */
  readonly #fresh = new Map<string, Seen>();

  constructor({ observations, clock }: { observations: ObservationLog; clock: Clock }) {
    this.#observations = observations;
    this.#clock = clock;
  }

  /** See CheckpointMemory; signatures are verified again whenever a note is read. */
  at(log: Log, treeSize: bigint): readonly Seen[] {
    const indexed = this.#observations.rootsAt(log, treeSize).flatMap(({ note, source }) => {
      const opened = openCheckpoint({ note, logs: [log] });
      return "refused" in opened ? [] : opened.map((checkpoint) => ({ checkpoint, source }));
    });
    if (this.#fresh.size === 0) return indexed;
    const known = new Set(indexed.map(({ checkpoint }) => checkpoint.root));
    const fresh = [...this.#fresh.values()].filter(({ checkpoint }) =>
      checkpoint.log.id === log.id && checkpoint.treeSize === treeSize &&
      !known.has(checkpoint.root)
    );
    return [...indexed, ...fresh];
  }

  /** See CheckpointMemory. */
  remember(seen: Seen): void {
    this.#fresh.set(keyOf(seen), seen);
  }

  /** See Recollection: writes what peers told, as open questions or as inconsistent. */
  async settle(): Promise<void> {
    // What is heard from now on may make a case that is not durable yet.
    for (const [key, seen] of [...this.#fresh]) {
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
      this.#fresh.delete(key);
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
