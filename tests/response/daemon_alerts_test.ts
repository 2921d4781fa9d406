/** Whole daemons in one process, and what their operators get. */
import { assert, assertEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { type Alert, parseAlert } from "../../src/response/alert.ts";
import { verifyEvidence } from "../../src/response/alert_evidence.ts";
import type { Settings } from "../../src/monitor/settings.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { frameOf } from "../cli/harness.ts";
import { ask } from "../gossip/helpers.ts";
import { DAY, Host, HOUR, MINUTE, parted } from "../monitor/hosts.ts";
import { ScriptedSource } from "../monitor/scripted_source.ts";
import { served } from "../monitor/served.ts";
import { SECRET } from "./receiver.ts";

const ALERTS: Settings["alerts"] = {
  channels: [{
    ...{ name: "hook", least: "INFO", kind: "webhook" },
    webhook: { url: "https://hooks.example.com/x", secret: "hook.secret" },
  }],
  allow: ["hooks.example.com"],
};

/** Has a host's alerts taken, and gives those that were. */
function taking(host: Host): Alert[] {
  const taken: Alert[] = [];
  host.disk.put("hook.secret", SECRET);
  host.http = {
    ...denoWorld().http,
    request: ({ content }) => {
      const alert = parseAlert(new TextDecoder().decode(content));
      assertEquals(alert.evidence && verifyEvidence(alert.evidence), undefined);
      taken.push(alert);
      return Promise.resolve({ status: 200, header: () => undefined, body: new Uint8Array(0) });
    },
  };
  return taken;
}

const account = (alerts: readonly Alert[]): string[] =>
  alerts.map(({ level, state, case: key }) => `${level} ${state} ${key.split(" ").at(-1)}`);

for (const minutes of [3, 11, 20, 40]) {
  Deno.test(`daemon: a night of a log that comes and goes every ${minutes} minutes is told twice`, async () => {
    await using host = await Host.make();
    const taken = taking(host);
    const { source } = await served(20, 5);
    await host.start({ logs: [{ source }], alerts: ALERTS });
    for (let at = 0; at < 8 * 60; at += 2 * minutes) {
      source.latestTrouble = "unavailable";
      await host.pass(minutes * MINUTE);
      source.latestTrouble = undefined;
      await host.pass(minutes * MINUTE);
    }
    await host.pass(6 * HOUR);
    assertEquals(account(taken), ["WARNING begins unavailable", "INFO ends unavailable"]);
  });
}

Deno.test("daemon: a case told by fifty, over and over, before and after restarts, is one EMERGENCY and one summary", async () => {
  await using host = await Host.make();
  const taken = taking(host);
  const [ours, theirs] = await parted({ at: 4, sizes: [9, 9] });
  const source = new ScriptedSource(ours);
  const duties = { logs: [{ source }], alerts: ALERTS };
  await host.start(duties);
  const frames = await Promise.all(Array.from({ length: 10 }, () => frameOf(theirs, 9)));
  for (let round = 0; round < 3; round++) {
    for (let peer = 0; peer < 50; peer++) await host.hear(frames.slice(0, 2), `192.0.2.${peer}`);
    await host.pass(MINUTE);
    if (round === 1) await host.crash();
    else await host.stop();
    await host.start(duties);
  }
  await host.pass(20 * HOUR);
  const [first, second, ...more] = taken;
  assertEquals([first!.level, first!.action, first!.state], [
    ...["EMERGENCY", "freeze_acceptance", "begins"],
  ]);
  assertEquals(first!.case, `equivocation ${(await host.cases())[0]}`);
  assertEquals([second!.level, second!.state, more], ["INFO", "summary", []]);
  assert(second!.count > 100, `${second!.count}`);
});

const REPEATS = 10_000;
const PEERS = 50;

for (const seed of [1, 2]) {
  Deno.test(`daemon: ${REPEATS} repeats of one case from ${PEERS} peers in any order, with restarts, are one EMERGENCY and one summary (seed ${seed})`, async () => {
    const rng = xoroshiro128plus(seed);
    const below = (limit: number): number => (rng.next() >>> 0) % limit;
    await using host = await Host.make();
    const taken = taking(host);
    const [ours, theirs] = await parted({ at: 4, sizes: [9, 9] });
    // The log stands still, which is another case after a day.
    const logs = [{ source: new ScriptedSource(ours), patienceMs: 10 * DAY }];
    const duties = { logs, alerts: ALERTS };
    await host.start(duties);
    const [agrees, contradicts] = [await frameOf(ours, 9), await frameOf(theirs, 9)];
    let told = 0;
    for (let visits = 1; told < REPEATS; visits++) {
      const frames = Array.from({ length: 1 + below(60) }, () => below(3) > 0);
      told += frames.filter((one) => one).length;
      const bytes = concat(frames.map((one) => one ? contradicts : agrees));
      const from = `192.0.2.${below(PEERS)}`;
      const connection = await host.network.at(from).connect(host.address, 1_000);
      assertEquals((await ask(connection, bytes)).length, bytes.length);
      if (below(20) === 0) await host.pass(below(5) * MINUTE);
      if (visits % 60 !== 0) continue;
      if (below(2) === 0) await host.stop();
      else await host.crash();
      await host.start(duties);
    }
    await host.pass(50 * HOUR);
    // A crash between the sending and its noting sends one alert again, under the same id.
    const alerts = [...new Map(taken.map((alert) => [alert.id, alert])).values()];
    assertEquals(alerts.map(({ level, state }) => `${level} ${state}`), [
      ...["EMERGENCY begins", "INFO summary"],
    ]);
    assertEquals(alerts[0]!.case, `equivocation ${(await host.cases())[0]}`);
    // What one exchange repeats within itself counts once, and a crash loses the counts of a minute.
    assert(alerts[1]!.count > PEERS, `${alerts[1]!.count}`);
    assert(alerts[1]!.count <= told + 1, `${alerts[1]!.count} of ${told}`);
    assertEquals(taken.length - alerts.length <= 1, true, `${taken.length}`);
  });
}

Deno.test("daemon: a note under another key, and a proof that fails, come with what a machine can check", async () => {
  await using host = await Host.make();
  const taken = taking(host);
  const { log, source } = await served(20, 5);
  const [other] = await parted({ at: 4, sizes: [9, 9], origin: log.log.origin });
  await host.start({ logs: [{ source }], alerts: ALERTS });
  source.latestTrouble = { note: await other.checkpoint(9n) };
  await host.pass(2 * MINUTE);
  assertEquals(account(taken), ["CRITICAL begins unverified"]);
  assertEquals(taken[0]!.evidence?.kind, "unverified");
  source.latestTrouble = undefined;
  source.proofTrouble = "wrong";
  source.size = 9;
  await host.pass(10 * MINUTE);
  // After the third in a row the log is frozen, on suspicion.
  assertEquals(account(taken).slice(1), ["CRITICAL begins unproven", "WARNING begins FREEZE"]);
  const { evidence, action } = taken[1]!;
  assertEquals([evidence?.kind, action], ["unproven", "reject_and_alert"]);
  if (evidence?.kind !== "unproven") throw new Error("it has other evidence");
  // With it a stranger sees that the log signed both, and that the proof leads from neither to neither.
  assertEquals(evidence.notes.length, 2);
  assert(evidence.proof!.hashes.length > 0);
  assertEquals(verifyEvidence(evidence), undefined);
  assertEquals(host.toldOf("daemon.fault"), []);
});

Deno.test("daemon: the power goes at any step from the split on, and the case is told", async () => {
  for (let at = 1; at <= 60; at += 3) {
    await using host = await Host.make();
    const taken = taking(host);
    const [ours, theirs] = await parted({ at: 4, sizes: [9, 9] });
    const duties = { logs: [{ source: new ScriptedSource(ours) }], alerts: ALERTS };
    await host.start(duties);
    host.disk.fail({ at, when: "before", lasting: true });
    await host.hear([await frameOf(theirs, 9)]).catch(() => 0);
    await host.pass(MINUTE);
    await host.crash();
    await host.start(duties);
    await host.pass(2 * MINUTE);
    const told = new Set(taken.map((alert) => alert.case));
    for (const id of await host.cases()) assert(told.has(`equivocation ${id}`), `step ${at}`);
  }
});
