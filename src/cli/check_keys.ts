/**
 * The part of `hearsay config check` that compares the logs of a configuration with those that this
 * monitor has followed before.
 *
 * @module
 */
import { PROVING_RESULTS } from "../evidence/result.ts";
import {
  formerKeys,
  replacesAdvice,
  type SeenView,
  type SeenViews,
} from "../monitor/former_keys.ts";
import { logIdOf, type Observation } from "../store/observation.ts";
import { JournalDamaged } from "../store/journal.ts";
import { checkObservations } from "../store/observations.ts";
import { isThere } from "../world/durable.ts";
import { WorldError } from "../world/world.ts";
import { type Check, type Checked, wrong } from "./checking.ts";

/** The views that a walk over the observations comes by, as the index has them. */
class WalkedViews implements SeenViews {
  readonly #views = new Map<string, SeenView>();

  take(observation: Observation, seenAt: string): void {
    const { checkpoint, result } = observation;
    if (checkpoint === undefined || !PROVING_RESULTS.includes(result)) return;
    const id = logIdOf(observation);
    const treeSize = BigInt(checkpoint.size);
    const before = this.#views.get(id);
    if (before !== undefined && before.treeSize >= treeSize) return;
    this.#views.set(id, { treeSize, note: checkpoint.note, seenAt });
  }

  viewedLogs(): string[] {
    return [...this.#views.keys()];
  }

  view({ id }: { id: string }): SeenView | undefined {
    return this.#views.get(id);
  }
}

/** Says of each log that nothing holds to what it signed under the key that was followed before. */
export async function checkKeys(
  { world: { files }, settings: { logs, state } }: Checked,
  tell: (check: Check) => void,
): Promise<void> {
  const seen = new WalkedViews();
  try {
    if (!await isThere(files, state)) return;
    for await (const item of checkObservations({ files, folder: state })) {
      if ("observation" in item) seen.take(item.observation, item.entry.recorded_at);
    }
  } catch (error) {
    // What is wrong with the journal is told elsewhere. What could be read of it counts.
    if (!(error instanceof WorldError || error instanceof JournalDamaged)) throw error;
  }
  for (const former of formerKeys(logs, seen).values()) {
    tell(wrong("log", `${former.detail}: ${replacesAdvice(former)}`));
  }
}
