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
import type { Settings } from "../monitor/settings.ts";
import { logIdOf, type Observation } from "../store/observation.ts";
import { type Check, wrong } from "./checking.ts";

/** The views that a walk over the observations comes by, as the index has them. */
export class WalkedViews implements SeenViews {
  readonly #views = new Map<string, SeenView>();

  /** Takes in the next observation, in the order of the journal. */
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

/** Says of each log that nothing holds it to what it signed under the key that was followed before. */
export function checkKeys({ logs }: Pick<Settings, "logs">, seen: SeenViews): Check[] {
  return [...formerKeys(logs, seen).values()]
    .map((former) => wrong("log", `${former.detail}: ${replacesAdvice(former)}`));
}
