/** One case is one alert, however often it comes up and whoever tells it. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { aboutCase } from "../../src/monitor/event_about.ts";
import type { ConflictRecord } from "../../src/evidence/record.ts";
import { MORE_CASES, wordsOf } from "../../src/response/words.ts";
import { casesOf, HOUR, MINUTE, Rig, SECOND } from "./rig.ts";

const REPEATS = 10_000;
const PEERS = 50;
const LOG = { id: "key log.invalid/flapping", origin: "log.invalid/flapping", vkey: "v" };

/** The daemon finds an outage of the log, or that it is over. */
function outage(rig: Rig, level: "warning" | "debug" = "warning"): void {
  const fields = { origin: LOG.origin, source: "the log", detail: "no route to host" };
  rig.event("log.unavailable", level, fields, { log: LOG });
}
function recovery(rig: Rig): void {
  const fields = { origin: LOG.origin, source: "the log", after: "unavailable" };
  rig.event("log.recovered", "info", fields, { log: LOG });
}

for (const seed of [1, 2, 3]) {
  Deno.test(`alerts: ${REPEATS} repeats of one case from ${PEERS} peers, with restarts, make one EMERGENCY and one summary (seed ${seed})`, async () => {
    const rng = xoroshiro128plus(seed);
    const below = (limit: number): number => ((rng.next() >>> 0) % limit);
    const rig = await Rig.make();
    const [record] = await casesOf(rig, 1);
    const { evidence_id, log: { origin } } = record!;
    await rig.start();
    await rig.record(record!);
    await rig.pass(SECOND);
    assertEquals(rig.account, ["EMERGENCY begins"]);
    for (let i = 0; i < REPEATS; i++) {
      const source = `198.51.100.${below(PEERS)}:9900`;
      switch (below(3)) {
        case 0:
          rig.event("exchange.inconsistent", "debug", { source, origin, size: "5" });
          break;
        case 1:
          rig.event("exchange.inconsistent", "error", { source, origin, size: "5" });
          break;
        case 2:
          rig.event("incident.known", "info", { origin, evidence_id }, aboutCase(record!));
      }
      if (i % 1_000 === 500) {
        await rig.stop();
        await rig.start();
      }
      if (i % 1_000 === 900) {
        await rig.pass(MINUTE + SECOND);
        rig.kill();
        await rig.start();
      }
    }
    await rig.pass(48 * HOUR);
    assertEquals(rig.account, ["EMERGENCY begins", "INFO summary"]);
    // Nothing is told twice while the receiver takes everything.
    assertEquals(rig.taken.length, 2);
    assertEquals(rig.alerts[1]!.count, REPEATS + 1);
    assertMatch(rig.alerts[1]!.title, /told again: 10001 times in all/);
    // And not again later.
    rig.event("incident.known", "info", { origin, evidence_id }, aboutCase(record!));
    await rig.pass(48 * HOUR);
    assertEquals(rig.taken.length, 2);
    await rig.stop();
  });
}

Deno.test("alerts: a log that signs many contradictions makes three alerts, and one for the rest", async () => {
  const rig = await Rig.make();
  const records = await casesOf(rig, 40);
  await rig.start();
  for (const record of records) await rig.record(record);
  await rig.pass(MINUTE);
  assertEquals(rig.account, ["EMERGENCY begins", "EMERGENCY begins", "EMERGENCY begins"]);
  await rig.stop();
  await rig.start();
  await rig.pass(2 * HOUR);
  assertEquals(rig.account.slice(3), ["EMERGENCY summary"]);
  const { title, count, evidence } = rig.alerts[3]!;
  assertEquals([title, count], [
    "PROVEN: 37 more contradictions signed by log log.invalid/split",
    37,
  ]);
  assertEquals(evidence?.kind, "conflict");
  await rig.pass(48 * HOUR);
  assertEquals(rig.taken.length, 4);
  await rig.stop();
});

for (const minutes of [2, 7, 12, 25]) {
  Deno.test(`alerts: a night of a log that comes and goes every ${minutes} minutes makes two messages`, async () => {
    const rig = await Rig.make();
    await rig.start();
    for (let at = 0; at < 8 * 60; at += 2 * minutes) {
      outage(rig);
      await rig.pass(minutes * MINUTE);
      recovery(rig);
      await rig.pass(minutes * MINUTE);
    }
    assertEquals(rig.account, ["WARNING begins"]);
    await rig.pass(12 * HOUR);
    assertEquals(rig.account, ["WARNING begins", "INFO ends"]);
    assertEquals(rig.alerts[1]!.count, Math.ceil(8 * 60 / (2 * minutes)));
    await rig.stop();
  });
}

Deno.test("alerts: an outage is one warning with a start and an end; a short one is none", async () => {
  const rig = await Rig.make();
  await rig.start();
  outage(rig);
  await rig.pass(5 * MINUTE);
  recovery(rig);
  await rig.pass(10 * HOUR);
  assertEquals(rig.account, []);
  outage(rig);
  const since = rig.clock.now().toISOString();
  for (let minute = 0; minute < 100; minute++) {
    await rig.pass(MINUTE);
    outage(rig, "debug");
  }
  recovery(rig);
  await rig.pass(31 * MINUTE);
  assertEquals(rig.account, ["WARNING begins", "INFO ends"]);
  assertEquals(rig.alerts.map((alert) => alert.since), [since, since]);
  assertEquals(rig.alerts[1]!.title, "Over: log log.invalid/flapping cannot be reached");
  await rig.stop();
});

Deno.test("alerts: an outage that was told is over after a restart, when the log answers", async () => {
  const rig = await Rig.make();
  await rig.start();
  outage(rig);
  await rig.pass(20 * MINUTE);
  await rig.stop();
  await rig.start();
  await rig.pass(10 * HOUR);
  // Nobody has looked since, so nothing is said.
  assertEquals(rig.account, ["WARNING begins"]);
  rig.event("log.unchanged", "debug", { origin: LOG.origin, source: "the log" }, { log: LOG });
  await rig.pass(HOUR);
  assertEquals(rig.account, ["WARNING begins", "INFO ends"]);
  await rig.stop();
});

Deno.test("alerts: a fault that repeats is told at once, and then summed up", async () => {
  const rig = await Rig.make();
  await rig.start();
  for (let i = 0; i < 500; i++) rig.event("daemon.fault", "error", { reason: `number ${i}` });
  await rig.pass(3 * HOUR);
  assertEquals(rig.account, ["WARNING begins", "INFO summary"]);
  assertEquals(rig.alerts[1]!.count, 500);
  await rig.stop();
});

Deno.test("alerts: what strangers do makes none, and ordinary results make none", async () => {
  const rig = await Rig.make();
  await rig.start();
  for (let i = 0; i < 2_000; i++) {
    const source = `192.0.2.${i % 256}`;
    rig.event("exchange.refused", "warning", { source, detail: `nonsense ${i}` });
    rig.event("exchange.failed", "warning", { source, reason: `nonsense ${i}` });
    rig.event("member.turned_away", "warning", { caller: source, reason: "unknown" });
    rig.event("exchange.inconsistent", "error", { source, origin: `made up ${i}`, size: "7" });
  }
  for (const name of ["log.first", "log.extends", "log.unchanged"] as const) {
    rig.event(name, "info", { origin: LOG.origin, source: "the log" }, { log: LOG });
  }
  await rig.pass(48 * HOUR);
  assertEquals(rig.requests, []);
  assert((rig.disk.bytes("home/state/alerts/queue.log") ?? []).length < 1_000);
  await rig.stop();
});

Deno.test("alerts: a trouble that becomes graver is told anew, at the graver level", async () => {
  const rig = await Rig.make();
  const [record] = await casesOf(rig, 1);
  const { log: { origin, vkey }, checkpoint_a: a, checkpoint_b: b } = record!;
  const log = { id: "the id", origin, vkey };
  const notes = [a.note, b.note];
  const evidence = {
    ...{ kind: "unproven" as const, log: { origin, vkey }, notes, detail: "no proof" },
  };
  await rig.start();
  const fields = { origin, source: "the log", detail: "no proof from size 3 to 5" };
  rig.event("log.unproven", "warning", fields, { log, evidence });
  await rig.pass(16 * MINUTE);
  rig.event("log.unproven", "error", fields, { log, evidence });
  await rig.pass(MINUTE);
  assertEquals(rig.account, ["WARNING begins", "CRITICAL continues"]);
  assertEquals(rig.alerts[1]!.action, "reject_and_alert");
  await rig.stop();
});

Deno.test("alerts: a told trouble that becomes graver is told at once, though its rule has a wait", async () => {
  const rig = await Rig.make();
  const [record] = await casesOf(rig, 1);
  const { log: { origin, vkey }, checkpoint_a: { note } } = record!;
  const log = { id: "the id", origin, vkey };
  const named = { origin, vkey };
  const evidence = {
    ...{ kind: "unproven" as const, log: named, notes: [note], detail: "no proof" },
  };
  rig.rules = [
    { event: "log.unproven", told: "warning", level: "WARNING", action: "alert", afterMs: 0 },
    { event: "log.unproven", level: "CRITICAL", action: "reject_and_alert", afterMs: 20 * MINUTE },
  ];
  await rig.start();
  const fields = { origin, source: "the log", detail: "no proof from size 3 to 5" };
  rig.event("log.unproven", "warning", fields, { log, evidence });
  await rig.pass(MINUTE);
  rig.event("log.unproven", "error", fields, { log, evidence });
  await rig.pass(MINUTE);
  assertEquals(rig.account, ["WARNING begins", "CRITICAL continues"]);
  await rig.stop();
});

Deno.test("alerts: many cases about a witness, or about monitors, say nothing against a log", async () => {
  const rig = await Rig.make();
  const [record] = await casesOf(rig, 1);
  const telling = {
    ...{ event: MORE_CASES, state: "summary" as const, subject: "log.invalid/split" },
    ...{ monitor: "m", detail: "", since: "s", at: "a", count: 7, isOfMonitor: false },
  };
  const said = (kind: ConflictRecord["kind"], isOfMonitor: boolean): string => {
    const evidence = { kind: "conflict", record: { ...record!, kind } } as const;
    const { title, text } = wordsOf({ ...telling, isOfMonitor, evidence });
    return `${title}\n${text}`;
  };
  assertMatch(said("same_size", false), /signed by log log.invalid[^]*The log's key/);
  assertMatch(said("same_size_cosigned", false), /cosigned by a witness of[^]*The witness's key/);
  assertMatch(said("same_size", true), /signed by monitors[^]*The monitor's key/);
});

Deno.test("alerts: a grave one without evidence is refused as a bug, and told all the same", async () => {
  const rig = await Rig.make();
  await rig.start();
  const fields = { origin: LOG.origin, source: "the log", detail: "another key" };
  rig.event("log.unverified", "warning", fields, { log: LOG });
  await rig.pass(SECOND);
  assertEquals(rig.account, ["WARNING begins"]);
  assertMatch(rig.alerts[0]!.text, /Hearsay has a fault/);
  const faults = rig.told.filter(({ name }) => name === "daemon.fault");
  assertEquals(faults.length, 1);
  assertMatch(`${faults[0]!.fields.reason}`, /must carry evidence .* it has none/);
  await rig.stop();
});

for (const jumpMs of [365 * 24 * HOUR, -HOUR]) {
  Deno.test(`alerts: a wall clock set by ${jumpMs / HOUR} hours in a night of a flapping log changes nothing`, async () => {
    const rig = await Rig.make();
    await rig.start();
    for (let minute = 0; minute < 8 * 60; minute += 24) {
      outage(rig);
      await rig.pass(6 * MINUTE);
      if (minute === 4 * 60) rig.clock.ahead = jumpMs;
      await rig.pass(6 * MINUTE);
      recovery(rig);
      await rig.pass(12 * MINUTE);
    }
    assertEquals(rig.account, ["WARNING begins"]);
    await rig.pass(12 * HOUR);
    assertEquals(rig.account, ["WARNING begins", "INFO ends"]);
    await rig.stop();
  });

  Deno.test(`alerts: a wall clock set by ${jumpMs / HOUR} hours before an outage is due delays and hurries nothing`, async () => {
    const rig = await Rig.make();
    await rig.start();
    outage(rig);
    await rig.pass(5 * MINUTE);
    rig.clock.ahead = jumpMs;
    outage(rig, "debug");
    await rig.pass(9 * MINUTE);
    assertEquals(rig.account, []);
    await rig.pass(2 * MINUTE);
    assertEquals(rig.account, ["WARNING begins"]);
    await rig.stop();
  });
}

for (const logs of [5, 6, 3_000]) {
  Deno.test(`alerts: an outage of this machine, with ${logs} logs, is ${logs > 5 ? "one warning" : "one for each"}`, async () => {
    const rig = await Rig.make();
    await rig.start();
    const told = (name: "log.unavailable" | "log.recovered", i: number): void => {
      const origin = `log.invalid/${i}`;
      const fields = { origin, detail: "no route to host", after: "unavailable" };
      rig.event(name, "warning", fields, { log: { id: `key ${origin}`, origin, vkey: "v" } });
    };
    // Each is met at its next look, within a minute.
    for (let part = 0; part < 6; part++) {
      for (let i = part; i < logs; i += 6) told("log.unavailable", i);
      await rig.pass(10 * SECOND);
    }
    await rig.pass(20 * MINUTE);
    const isOne = logs > 5;
    assertEquals(rig.account, Array(isOne ? 1 : logs).fill("WARNING begins"));
    if (isOne) {
      assertEquals(rig.alerts[0]!.title, `${logs} logs cannot be reached`);
      assertMatch(rig.alerts[0]!.text, /log\.invalid\/0, /);
    }
    rig.kill();
    await rig.start();
    // All but one are back: it is not over.
    for (let i = 1; i < logs; i++) told("log.recovered", i);
    told("log.unavailable", 0);
    await rig.pass(3 * HOUR);
    if (isOne) assertEquals(rig.alerts.length, 1);
    told("log.recovered", 0);
    await rig.pass(3 * HOUR);
    const ends = rig.account.filter((one) => one === "INFO ends").length;
    assertEquals([ends, rig.alerts.length], isOne ? [1, 2] : [logs, 2 * logs]);
    // It may come again.
    for (let i = 0; i < logs; i++) told("log.unavailable", i);
    await rig.pass(20 * MINUTE);
    assertEquals(rig.alerts.length, isOne ? 3 : 3 * logs);
    assertEquals(rig.told.filter(({ name }) => name === "alert.lost"), []);
    await rig.stop();
  });
}
