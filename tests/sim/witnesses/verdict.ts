/**
 * What came of a run: what clients take for committed, held against the policy check.
 *
 * @module
 */
import { canStop } from "../../authority/rules.ts";
import type { Client } from "./client.ts";
import { areConsistent, type Ledger, type SignedHead } from "./ledger.ts";
import type { WitnessPlan } from "./plan.ts";
import type { WitnessChecks } from "./properties.ts";
import { inParties } from "./quorum.ts";
import { MAX_EARLY_SIZE } from "./splitting_log.ts";

/** Two inconsistent checkpoints that are both committed. */
type Break = readonly [SignedHead, SignedHead];

/**
 * Has a client judge everything that was signed.
 * @returns whether two inconsistent checkpoints are committed
 */
export async function judgeRun({ plan, ledger, checks, client, tell }: {
  plan: WitnessPlan;
  ledger: Ledger;
  checks: WitnessChecks;
  client: Client;
  tell: (line: string) => void;
}): Promise<boolean> {
  const committed: SignedHead[] = [];
  for (const head of ledger.heads.values()) {
    if (await client.isCommitted(head)) committed.push(head);
  }
  const pairs = committed.flatMap((one, i) =>
    committed.slice(i + 1).map((other): Break => [one, other])
  );
  const broken = pairs.find(([one, other]) => !areConsistent(one, other));
  if (broken !== undefined) {
    const [{ size: one }, { size: other }] = broken;
    tell(`two histories are committed, at sizes ${one} and ${other}`);
  }
  if (plan.aim === "some fail") checkFailures({ plan, checks, committed });
  else checkLiars({ plan, checks, broken });
  return broken !== undefined;
}

function checkLiars(
  { plan: { aim, liars, toldOne, canSplit, tolerance }, checks, broken }: {
    plan: WitnessPlan;
    checks: WitnessChecks;
    broken: Break | undefined;
  },
): void {
  const isBroken = broken !== undefined;
  const brief = (): string =>
    `${liars.size} lie (${[...liars].join(", ")}), the policy check names ` +
    `${tolerance.liarsToSplit} (${tolerance.splitting.join(", ")}); two histories ` +
    `${isBroken ? "are" : "are not"} committed` +
    (isBroken ? `, at sizes ${broken.map(({ size }) => size).join(" and ")}` : "");
  if (liars.size < tolerance.liarsToSplit || !canSplit) {
    checks.expect(!isBroken, "one history is committed", brief);
  }
  const isPredicted = tolerance.splitting.every((party) => liars.has(party));
  // If every way was tried and one leads there, the log has taken it, whatever was predicted.
  if ((aim === "enough lie" && isPredicted) || (canSplit && toldOne !== undefined)) {
    checks.expect(isBroken, "a predicted break is found", brief);
  }
}

/** With an honest log: the last checkpoint is committed if too few fail, and only then. */
function checkFailures(
  { plan: { liars: failing, logs, quorum, tolerance }, checks, committed }: {
    plan: WitnessPlan;
    checks: WitnessChecks;
    committed: readonly SignedHead[];
  },
): void {
  const { failuresToStop, stopping } = tolerance;
  const isCommitted = committed.some(({ log, size }) => log === logs[0] && size >= MAX_EARLY_SIZE);
  const isStopped = canStop(inParties(quorum.rule), failing);
  const brief = (): string =>
    `${failing.size} fail (${[...failing].join(", ")}), the policy check names ` +
    `${failuresToStop} (${stopping.join(", ")}); the last checkpoint ` +
    `${isCommitted ? "is" : "is not"} committed`;
  checks.expect(isCommitted === !isStopped, "a quorum is met if it can be", brief);
  if (failing.size < failuresToStop) {
    checks.expect(isCommitted, "a quorum is met if it can be", brief);
  }
  if (stopping.every((party) => failing.has(party))) {
    checks.expect(!isCommitted, "a quorum is met if it can be", brief);
  }
}
