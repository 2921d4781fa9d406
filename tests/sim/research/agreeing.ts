/** That the lighter model of spreading says what whole daemons do, in settings that both can run. */
import { assert } from "@std/assert";
import { drawFrom } from "../draw.ts";
import { fullRun } from "./full_run.ts";
import { meanOf, measureWire } from "./report.ts";
import { spread, type SpreadResult, type SpreadSetting } from "./spread.ts";

/** Runs of whole daemons, and of the model, for each setting. */
const FULL_RUNS = 12;
const MODEL_RUNS = 400;
/** By how many standard errors two means of the same quantity may differ. */
const MOST_ERRORS = 4;
/** Daemons may need so many rounds more: for a look, for an answer on its way, and for jitter. */
const SLACK_ROUNDS = 0.05;
/** By what share bytes and calls may differ: names and numbers vary, and the warm-up makes calls. */
const MOST_SHARE = 0.15;

/** Tests a setting, in which one was shown the other story. */
export function testAgreement(some: Omit<SpreadSetting, "odd">): void {
  const setting: SpreadSetting = { ...some, odd: "one" };
  const { monitors, fanOut, silentShare, sizes } = setting;
  const name = `${monitors} monitors, fan-out ${fanOut}, ${silentShare * 100} % silent, ${sizes}`;

  Deno.test(`agreement: the model says what daemons do, ${name} sizes`, async () => {
    const full: SpreadResult[] = [];
    for (let seed = 1; seed <= FULL_RUNS; seed++) full.push(await fullRun(setting, seed));
    const [draw, wire] = [drawFrom(1), await measureWire()];
    const model = Array.from(
      { length: MODEL_RUNS },
      () => spread({ setting, wire, draw, pace: "apart" }),
    );
    const both = (what: keyof SpreadResult) =>
      [full, model].map((results) => meanOf(results.map((result) => result[what]))) as [
        ReturnType<typeof meanOf>,
        ReturnType<typeof meanOf>,
      ];
    for (const what of ["detectionRound", "allKnowRound"] as const) {
      const [ours, models] = both(what);
      const most = MOST_ERRORS * Math.hypot(ours.error, models.error) + SLACK_ROUNDS;
      assert(Math.abs(ours.mean - models.mean) < most, `${what}: ${ours.mean}, ${models.mean}`);
    }
    for (const what of ["exchangesPerMonitor", "bytesPerMonitor"] as const) {
      const [ours, models] = both(what);
      const share = Math.abs(ours.mean / models.mean - 1);
      assert(share < MOST_SHARE, `${what}: ${ours.mean}, ${models.mean}`);
    }
  });
}
