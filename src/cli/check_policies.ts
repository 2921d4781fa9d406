/**
 * The part of `hearsay config check` that looks at the policies: whether they can be read, for which
 * logs they are, and what would be counted.
 *
 * @module
 */
import { ruleOf, toleranceOf } from "../authority/tolerance.ts";
import type { Policy } from "../authority/policy.ts";
import { covers, policyOf, policyPaths } from "../monitor/policies.ts";
import type { Settings } from "../monitor/settings.ts";
import type { World } from "../world/world.ts";
import { type Check, tried, wrong } from "./checking.ts";
import { describeLog } from "../tlog/log.ts";
import { readPolicy } from "./policy_file.ts";

/** Checks every policy that a configuration names. */
export async function checkPolicies(
  { world, settings, tell }: { world: World; settings: Settings; tell: (check: Check) => void },
): Promise<void> {
  const about = "policy";
  const policies = new Map<string, Policy>();
  for (const path of policyPaths(settings)) {
    const what = `the policy ${path}`;
    const read = await tried({ world, about, what, work: () => readPolicy(world, path) });
    if ("check" in read) {
      tell(read.check);
      continue;
    }
    const policy = read.done;
    policies.set(path, policy);
    const logs = settings.logs.filter((one) =>
      policyOf(one, { settings, policies })?.path === path
    );
    const counts =
      `witnesses: ${policy.witnesses.length}, logs here that it is for: ${logs.length}`;
    tell({ about, text: `${what} can be read: ${counts}` });
    for (const { line, text } of policy.remarks) {
      tell({ about, text: `${what}, line ${line}: ${text}` });
    }
    if (path === settings.policy && logs.length === 0) {
      tell(wrong(about, `${what} is for none of the logs here: it lists others`));
    }
    tell(toleranceOfPolicy(policy, what));
  }
  for (const { log, policy: path } of settings.logs) {
    const policy = path === undefined ? undefined : policies.get(path);
    if (policy === undefined || covers(policy, log)) continue;
    const text = `the policy ${path} does not list the log ${
      describeLog(log)
    }, which has it as its own`;
    tell(wrong(about, text));
  }
}

/** How many may fail or lie; `hearsay policy check` says who. */
function toleranceOfPolicy({ quorum }: Policy, what: string): Check {
  const about = "policy";
  if (quorum === undefined) {
    return { about, text: `${what} asks for no quorum: what a log has signed is committed` };
  }
  const tolerance = toleranceOf(ruleOf(quorum));
  if ("notComputed" in tolerance) {
    return { about, text: `${what}: what it tolerates was not computed: ${tolerance.notComputed}` };
  }
  const { failuresToStop, liarsToSplit } = tolerance;
  if (liarsToSplit === 0) {
    return wrong(
      about,
      `${what}: two inconsistent checkpoints can be committed though nobody lies`,
    );
  }
  const text = `${what}: nothing is committed if ${failuresToStop} fail, and two inconsistent ` +
    `checkpoints can be if ${liarsToSplit} lie; 'hearsay policy check' says who`;
  return { about, text };
}
