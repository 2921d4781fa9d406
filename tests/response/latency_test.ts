/**
 * From the split of a log to the webhook's arrival, and to the durable freeze, through whole daemons on
 * this machine.
 */
import { assert, assertEquals } from "@std/assert";
import { verifyEvidence } from "../../src/response/alert_evidence.ts";
import { inFolder, put } from "../cli/harness.ts";
import { edit, fork, grow, makeLog, makeMonitor, startDaemon } from "../cli/monitors.ts";
import { Receiver, SECRET } from "./receiver.ts";

const ROUNDS = 20;

inFolder(
  "alerts: from the split to the webhook, and to the freeze, it takes less than a second",
  async (folder) => {
    const times: Times[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      times.push(await timesOfOne(`${folder}/${round}`));
    }
    for (const what of ["webhook", "freeze"] as const) {
      const sorted = times.map((one) => one[what]).toSorted((a, b) => a - b);
      // Between the two in the middle.
      const median = (sorted[ROUNDS / 2 - 1]! + sorted[ROUNDS / 2]!) / 2;
      const all = sorted.map((ms) => ms.toFixed(0)).join(", ");
      console.log(`split to ${what}: median ${median.toFixed(0)} ms (${all})`);
      assert(median < 1_000, `median of ${what} ${median} ms`);
    }
  },
);

/** From the split, in milliseconds. */
interface Times {
  /** To the arrival of the webhook. */
  readonly webhook: number;
  /** To the durable entry by which the log is frozen. */
  readonly freeze: number;
}

/** One log, one monitor, one receiver: the log replaces its history by another one. */
async function timesOfOne(folder: string): Promise<Times> {
  await using receiver = new Receiver();
  Deno.mkdirSync(folder);
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  const config = await makeMonitor(`${folder}/berlin`, { log, source: dir });
  put(`${folder}/berlin`, "hook.secret", `${SECRET}\n`);
  edit(
    config,
    /^\{/m,
    `{
    "alerts": {
      "channels": [{ "webhook": "${receiver.url}", "secret": "hook.secret" }],
      "allow": ["127.0.0.1"],
    },`,
  );
  await fork(dir, `${folder}/other`);
  await grow(`${folder}/other`, 4);
  const { running } = await startDaemon(config);
  await running.line(/ log\.first /);
  await grow(dir, 3);
  await running.line(/ log\.extends /);
  // The other history takes the place of the first one: the split, as this monitor can see it.
  Deno.renameSync(dir, `${folder}/before`);
  const split = performance.now();
  Deno.renameSync(`${folder}/other`, dir);
  const frozen = running.line(/ incident\.step .*to=FREEZE.*frozen=true/)
    .then(() => performance.now());
  await receiver.until(1);
  const frozenAt = await frozen;
  const { alert, at } = receiver.received[0]!;
  running.stop();
  const { code } = await running.done;
  assertEquals(code, 1, running.out.join("\n"));
  assertEquals([alert.level, alert.action, alert.state], [
    ...["EMERGENCY", "freeze_acceptance", "begins"],
  ]);
  assertEquals(alert.evidence?.kind, "conflict");
  assertEquals(verifyEvidence(alert.evidence!), undefined);
  assertEquals(receiver.asked, 1);
  return { webhook: at - split, freeze: frozenAt - split };
}
