import type { Policy } from "../authority/policy.ts";
import type { Log } from "../tlog/log.ts";
import type { Counted } from "./cosignatures.ts";
import type { LogSettings, Settings } from "./settings.ts";

/** The policies that the settings name, by their paths, read. */
export type Policies = ReadonlyMap<string, Policy>;

/** The paths of all policies that the settings name, each once. */
export function policyPaths({ policy, logs }: Pick<Settings, "policy" | "logs">): string[] {
  const paths = [policy, ...logs.map((log) => log.policy)];
  return [...new Set(paths.filter((path) => path !== undefined))];
}

/**
 * The path of a log's policy. The policy of the monitor is for the logs that it lists; one that lists
 * none is for every log, as is the policy of a log for that log.
 */
export function policyOf(
  { log, policy: own }: LogSettings,
  { settings, policies }: { settings: Pick<Settings, "policy">; policies: Policies },
): { path: string; policy: Policy } | undefined {
  const path = own ?? settings.policy;
  const policy = path === undefined ? undefined : policies.get(path);
  return path !== undefined && policy !== undefined && covers(policy, log)
    ? { path, policy }
    : undefined;
}

/** Whether a policy is for a log: it lists the log, or none. */
export function covers({ logs }: Policy, { id }: Log): boolean {
  return logs.length === 0 || logs.some(({ log }) => log.id === id);
}

/** The logs whose cosignatures are to be counted. */
export function countedLogs(settings: Settings, policies: Policies): Counted[] {
  return settings.logs.flatMap((one) => {
    const found = policyOf(one, { settings, policies });
    if (found === undefined) return [];
    const { log, cosignedWithin: delayMs = settings.cosignedWithin, isRetired = false } = one;
    return [{ log, policy: found.policy, delayMs, isStill: isRetired }];
  });
}
