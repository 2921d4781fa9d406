/** Alerts about witnesses, about mirrored journals, and about this monitor's own troubles. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { SyncOutcome } from "../../src/federation/mirror_report.ts";
import { MirrorTeller } from "../../src/monitor/mirror_teller.ts";
import { TroubleTeller } from "../../src/monitor/trouble_teller.ts";
import type { WitnessOfLog } from "../../src/monitor/status.ts";
import { DEFAULT_RULES } from "../../src/response/policy.ts";
import { PHRASES } from "../../src/response/phrases.ts";
import type { Log } from "../../src/tlog/log.ts";
import { newLog } from "../evidence/histories.ts";
import { HOUR, MINUTE, Rig, SECOND } from "./rig.ts";

const VKEY = "witness.invalid/w+00000000+AQ";
/** How often it is told how a witness stands. */
const STANDING_MS = 30 * SECOND;

/** Tells for a while how a witness stands with these logs, as a daemon does. */
async function standing(
  rig: Rig,
  { teller, logs, keeping, ms }: {
    teller: TroubleTeller;
    logs: readonly Log[];
    keeping: WitnessOfLog["keeping"];
    ms: number;
  },
): Promise<void> {
  for (let at = 0; at < ms; at += STANDING_MS) {
    for (const log of logs) {
      teller.witness({ kind: "witness", log, name: "W3", vkey: VKEY, keeping, size: "5" });
    }
    await rig.pass(STANDING_MS);
  }
}

const tellerOf = ({ clock, alerting: { report } }: Rig): TroubleTeller =>
  new TroubleTeller({ clock, report });

async function logsNamed(...names: string[]): Promise<Log[]> {
  return await Promise.all(names.map(async (name) => (await newLog(name)).log));
}

Deno.test("alerts: a witness that is away is one WARNING with a start and an end, of however many logs", async () => {
  const rig = await Rig.make();
  const logs = await logsNamed("log.invalid/a", "log.invalid/b", "log.invalid/c");
  await rig.start();
  const teller = tellerOf(rig);
  await standing(rig, { teller, logs, keeping: "cosigning", ms: HOUR });
  assertEquals(rig.account, []);
  await standing(rig, { teller, logs, keeping: "lagging", ms: 10 * MINUTE });
  await standing(rig, { teller, logs, keeping: "missing", ms: 3 * HOUR });
  assertEquals(rig.account, ["WARNING begins"]);
  assertEquals(rig.alerts[0]!.title, "Witness W3 is behind the other witnesses");
  assertMatch(rig.alerts[0]!.text, /log log\.invalid\/a: it lags behind/);
  // Of one log it is back: it is still away.
  for (let round = 0; round < 360; round++) {
    await standing(rig, { teller, logs: logs.slice(1), keeping: "missing", ms: STANDING_MS });
    const back = { teller, logs: logs.slice(0, 1), keeping: "cosigning", ms: STANDING_MS } as const;
    await standing(rig, back);
  }
  assertEquals(rig.account, ["WARNING begins"]);
  await standing(rig, { teller, logs, keeping: "cosigning", ms: 3 * HOUR });
  assertEquals(rig.account, ["WARNING begins", "INFO ends"]);
  await rig.stop();
});

Deno.test("alerts: a night of a witness that comes and goes every 25 minutes makes two messages", async () => {
  const rig = await Rig.make();
  const logs = await logsNamed("log.invalid/a");
  await rig.start();
  const teller = tellerOf(rig);
  for (let minute = 0; minute < 8 * 60; minute += 50) {
    await standing(rig, { teller, logs, keeping: "missing", ms: 25 * MINUTE });
    await standing(rig, { teller, logs, keeping: "cosigning", ms: 25 * MINUTE });
  }
  await standing(rig, { teller, logs, keeping: "cosigning", ms: 12 * HOUR });
  assertEquals(rig.account, ["WARNING begins", "INFO ends"]);
  await rig.stop();
});

Deno.test("alerts: a witness that was away is back after a restart, once it is seen to cosign", async () => {
  const rig = await Rig.make();
  const logs = await logsNamed("log.invalid/a");
  await rig.start();
  await standing(rig, { teller: tellerOf(rig), logs, keeping: "missing", ms: HOUR });
  await rig.stop();
  await rig.start();
  const teller = tellerOf(rig);
  await standing(rig, { teller, logs, keeping: "waiting", ms: 3 * HOUR });
  assertEquals(rig.account, ["WARNING begins"]);
  await standing(rig, { teller, logs, keeping: "cosigning", ms: HOUR });
  assertEquals(rig.account, ["WARNING begins", "INFO ends"]);
  await rig.stop();
});

Deno.test("alerts: a witness or a mirror that is not configured any more is forgotten", async () => {
  for (const isKept of [true, false]) {
    const rig = await Rig.make();
    const logs = await logsNamed("log.invalid/a");
    await rig.start();
    await standing(rig, { teller: tellerOf(rig), logs, keeping: "missing", ms: MINUTE });
    synced(new MirrorTeller({ clock: rig.clock, report: rig.alerting.report }), "refused", 1);
    await rig.pass(MINUTE);
    assertEquals(rig.account, ["WARNING begins", "WARNING begins"]);
    const kept = isKept ? [`witness ${VKEY}`, "mirror monitor.invalid/oslo"] : [];
    rig.alerting.reloaded(new Set(["another", ...kept]));
    const teller = tellerOf(rig);
    await standing(rig, { teller, logs, keeping: "cosigning", ms: MINUTE });
    synced(new MirrorTeller({ clock: rig.clock, report: rig.alerting.report }), "up to date", 0);
    await rig.stop();
    await rig.start();
    await standing(rig, { teller: tellerOf(rig), logs, keeping: "cosigning", ms: MINUTE });
    synced(new MirrorTeller({ clock: rig.clock, report: rig.alerting.report }), "up to date", 0);
    await rig.pass(HOUR);
    assertEquals(rig.account.slice(2), isKept ? ["INFO ends", "INFO ends"] : []);
    await rig.stop();
  }
});

/** Tells of one sync, as a daemon does. */
function synced(mirrors: MirrorTeller, outcome: SyncOutcome, failures: number): void {
  const report = { outcome, received: 0n, before: 5n, after: 5n, error: "no route to host" };
  mirrors.synced({ kind: "mirror synced", name: "monitor.invalid/oslo", report, failures });
}

for (const outcome of ["unavailable", "rolled back", "refused"] as const) {
  Deno.test(`alerts: a mirrored journal that is ${outcome} is one WARNING with a start and an end`, async () => {
    const rig = await Rig.make();
    await rig.start();
    const mirrors = new MirrorTeller({ clock: rig.clock, report: rig.alerting.report });
    for (let failures = 1; failures <= 36; failures++) {
      synced(mirrors, outcome, failures);
      await rig.pass(5 * MINUTE);
      if (failures % 12 !== 0) continue;
      synced(mirrors, "up to date", 0);
      await rig.pass(5 * MINUTE);
    }
    assertEquals(rig.account, ["WARNING begins"]);
    assertMatch(rig.alerts[0]!.title, /journal of monitor\.invalid\/oslo/);
    for (let at = 0; at < 36; at++) {
      synced(mirrors, "up to date", 0);
      await rig.pass(5 * MINUTE);
    }
    assertEquals(rig.account, ["WARNING begins", "INFO ends"]);
    await rig.stop();
  });
}

Deno.test("alerts: a mirrored journal that equivocates is told by its case, and not twice", async () => {
  const rig = await Rig.make();
  await rig.start();
  synced(new MirrorTeller({ clock: rig.clock, report: rig.alerting.report }), "equivocated", 1);
  await rig.pass(HOUR);
  assertEquals(rig.account, []);
  await rig.stop();
});

Deno.test("alerts: a configuration that was refused is told, and its end", async () => {
  const rig = await Rig.make();
  await rig.start();
  const refused = { name: "config.refused", level: "error", fields: { reason: "p:1:1" } };
  for (let i = 0; i < 20; i++) rig.alerting.take(refused);
  await rig.pass(MINUTE);
  assertEquals(rig.account, ["WARNING begins"]);
  rig.event("config.reloaded", "info", { logs: 1, peers: 0 });
  await rig.pass(HOUR);
  assertEquals(rig.account, ["WARNING begins", "INFO ends"]);
  await rig.stop();
});

Deno.test("alerts: every event that is told by default has words of its own", () => {
  const told = DEFAULT_RULES.filter(({ event, action }) => action !== "none" && event !== "*");
  for (const { event } of told) {
    if (event.startsWith("incident.") && event !== "incident.refused") continue;
    assert(PHRASES[event] !== undefined, event);
  }
});
