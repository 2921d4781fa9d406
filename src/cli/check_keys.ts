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
import { describeLog } from "../tlog/log.ts";
import { type Check, wrong } from "./checking.ts";

/** The views that a walk over the observations comes by, as the index has them. */
export class WalkedViews implements SeenViews {
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

/** Says of each log what an old key has signed and nothing holds the new one to. */
export function checkKeys(
  { logs }: Pick<Settings, "logs">,
  seen: WalkedViews,
  tell: (check: Check) => void,
): void {
  for (const former of formerKeys(logs, seen).values()) {
    tell(wrong("log", `${former.detail}: ${replacesAdvice(former)}`));
  }
  for (const check of checkReplaced(logs, seen)) tell(check);
}

/**
 * Says which replaced log was never seen here. If the new one was not seen either, this is a mistake
 * that can still be mended.
 */
function* checkReplaced(
  logs: Settings["logs"],
  seen: WalkedViews,
): Generator<Check, void> {
  for (const { log, replaces } of logs) {
    if (replaces === undefined || seen.view(replaces) !== undefined) continue;
    const text =
      `log ${describeLog(log)} replaces ${
        describeLog(replaces)
      }, of which nothing was seen here: ` +
      "the new key is held to nothing that the old one signed";
    const isFirstStart = seen.viewedLogs().length === 0;
    const isMended = isFirstStart || seen.view(log) !== undefined;
    yield isMended ? { about: "log", text } : wrong("log", text);
  }
}
