/** No news is lost: whatever fails, and whenever the process or the power ends. */
import { assert, assertEquals } from "@std/assert";
import { AlertQueue, type Change, MAX_UNWRITTEN } from "../../src/response/queue.ts";
import { makeAlert } from "../../src/response/alert.ts";
import { WorldError } from "../../src/world/world.ts";
import { ManualClock, settled } from "../gossip/fake_network.ts";
import { type Fault, MemoryDisk } from "../store/memory_disk.ts";
import { casesOf, HOUR, MINUTE, Rig, SECOND, STATE, UNREACHABLE } from "./rig.ts";

const QUEUE = `${STATE}/alerts/queue.log`;

Deno.test("alerts: a 502 after everything was saved: the news is sent again, after a restart too", async () => {
  const rig = await Rig.make();
  const [record] = await casesOf(rig, 1);
  rig.answer = () => 502;
  await rig.start();
  await rig.record(record!);
  await rig.pass(SECOND);
  assertEquals([rig.requests.length, rig.taken.length], [1, 0]);
  rig.kill();
  await rig.start();
  await rig.pass(SECOND);
  assertEquals([rig.requests.length, rig.taken.length], [2, 0]);
  rig.answer = () => 204;
  await rig.pass(HOUR);
  assertEquals(rig.account, ["EMERGENCY begins"]);
  // Each try is the same alert, signed anew.
  const of = (name: string): Set<unknown> =>
    new Set(rig.requests.map(({ headers }) => headers[name]));
  assertEquals(of("webhook-id").size, 1);
  assertEquals(of("webhook-signature").size, 3);
  await rig.stop();
});

Deno.test("alerts: a crash between the journal's entry and the alert loses no alert", async () => {
  const rig = await Rig.make();
  const records = await casesOf(rig, 3);
  await rig.start();
  await rig.record(records[0]!);
  await rig.pass(SECOND);
  for (const record of records.slice(1)) await rig.recordOnly(record);
  rig.powerCut();
  await rig.start();
  await rig.pass(SECOND);
  const told = rig.alerts.map((alert) => alert.case);
  assertEquals(told, records.map(({ evidence_id }) => `equivocation ${evidence_id}`));
  assertEquals(rig.taken.length, 3);
  await rig.stop();
});

Deno.test("alerts: a journal that cannot be read for a while keeps no case from being told", async () => {
  const rig = await Rig.make();
  const [first, second, third] = await casesOf(rig, 3);
  await rig.start();
  await rig.record(first!);
  await rig.pass(SECOND);
  // What comes between two cases, such as the steps of an incident, makes it read the journal.
  await rig.recordOnly(second!);
  await rig.recordOnly(third!);
  // That the disk refuses is told as well, which is another case.
  const told = (): string[] =>
    rig.taken.filter((alert) => alert.case !== "monitor disk")
      .map(({ level, state }) => `${level} ${state}`);
  rig.disk.fail({ at: 1, when: "before", lasting: true });
  rig.tellRecorded(third!, 3);
  await rig.pass(SECOND);
  // The secret of the webhook cannot be read either. The one that was read last will do.
  assertEquals(told(), ["EMERGENCY begins", "EMERGENCY begins"], "what is at hand is told");
  assert(rig.refused.length > 0);
  rig.disk.fail(undefined);
  await rig.pass(MINUTE);
  assertEquals(told(), ["EMERGENCY begins", "EMERGENCY begins", "EMERGENCY begins"]);
  await rig.pass(48 * HOUR);
  assertEquals(told().length, 3, "nothing is counted twice");
  await rig.stop();
});

Deno.test("alerts: if the state of the alerts is lost, cases are told again under the same ids", async () => {
  const rig = await Rig.make();
  const [record] = await casesOf(rig, 1);
  await rig.start();
  await rig.record(record!);
  await rig.pass(SECOND);
  await rig.stop();
  rig.disk.move(`${STATE}/alerts`);
  await rig.start();
  await rig.pass(SECOND);
  assertEquals([rig.taken.length, rig.alerts.length], [2, 1]);
  await rig.stop();
});

/** What happens in a short life: two cases and an outage, with a receiver that fails now and then. */
async function live(rig: Rig, records: Awaited<ReturnType<typeof casesOf>>): Promise<void> {
  const log = { id: "key log.invalid/x", origin: "log.invalid/x", vkey: "v" };
  await rig.start();
  await rig.record(records[0]!);
  rig.event("log.frozen", "warning", { origin: log.origin, detail: "for a day" }, { log });
  await rig.pass(SECOND);
  await rig.record(records[1]!);
  await rig.pass(10 * SECOND);
  await rig.pass(2 * MINUTE);
  await rig.stop();
}

for (const end of ["kill -9", "power cut", "power cut that keeps half"] as const) {
  Deno.test(`alerts: ${end} at every step of the disk loses no case, and tells none wrongly`, async () => {
    let steps = 0;
    {
      const rig = await Rig.make();
      const records = await casesOf(rig, 2);
      rig.disk.fail(undefined);
      await live(rig, records);
      steps = rig.disk.operations;
    }
    assert(steps > 20, `${steps}`);
    for (let at = 1; at <= steps; at++) {
      const rig = await Rig.make();
      const records = await casesOf(rig, 2);
      let calls = 0;
      rig.answer = () => calls++ % 3 === 1 ? 502 : 204;
      for (const when of ["before", "after"] as const) {
        // From this step on the process does nothing more that has an effect.
        rig.disk.fail({ at, when, lasting: true });
        await live(rig, records).catch((error) => assertIsDisk(error));
        if (end === "kill -9") rig.kill();
        else rig.powerCut(end === "power cut" ? 0 : 0.5);
      }
      rig.answer = () => 204;
      await rig.start();
      await rig.pass(HOUR);
      const recorded = await recordedIn(rig, records);
      const told = new Set(rig.alerts.map((alert) => alert.case));
      for (const { evidence_id } of recorded) {
        assert(told.has(`equivocation ${evidence_id}`), `step ${at}: a case was not told`);
      }
      await rig.stop();
      assertEquals(rig.told.filter(({ name }) => name === "alert.lost"), [], `step ${at}`);
    }
  });
}

/** Those of the records that are in the journal. */
async function recordedIn<T extends { evidence_id: string }>(rig: Rig, records: T[]): Promise<T[]> {
  await Promise.resolve();
  const journal = rig.disk.content("home/incidents/journal.jsonl") ?? "";
  return records.filter(({ evidence_id }) => journal.includes(evidence_id));
}

function assertIsDisk(error: unknown): void {
  const isDisk = error instanceof WorldError ||
    /cutting the file back failed|already|locked|known/i.test(String(error));
  assert(isDisk, String((error as Error).stack));
}

Deno.test("alerts: a disk that refuses keeps no news from being sent", async () => {
  const rig = await Rig.make();
  const [record] = await casesOf(rig, 1);
  await rig.start();
  // The incident journal has taken the case; then the disk is full.
  await rig.recordOnly(record!);
  const seq = 1;
  rig.disk.fail({ at: 1, when: "before", lasting: true });
  rig.answer = () => 204;
  rig.tellRecorded(record!, seq);
  await rig.pass(SECOND);
  // Its secret is on that disk too, so nothing can be signed yet.
  assertEquals(rig.taken.length, 0);
  assert(rig.refused.length > 0);
  rig.disk.fail(undefined);
  await rig.pass(MINUTE);
  // That the disk refused is told as well.
  assertEquals(rig.account, ["EMERGENCY begins", "WARNING begins"]);
  await rig.stop();
});

Deno.test("alerts: a disk that is full for hours is told, and told to be well again; no news waits, and nothing is lost", async () => {
  const rig = await Rig.make();
  const records = await casesOf(rig, 2);
  rig.settings = {
    ...rig.settings,
    // It needs nothing of the disk.
    channels: [{ name: "page", least: "INFO", kind: "command", argv: ["page"] }],
  };
  let isFull = false;
  rig.full = () => isFull;
  await rig.start();
  for (const record of records) await rig.recordOnly(record);
  isFull = true;
  rig.tellRecorded(records[0]!, 1);
  await rig.pass(SECOND);
  const levels = (): string[] => rig.taken.map(({ level, state }) => `${level} ${state}`);
  assertEquals(levels().slice(0, 2), ["EMERGENCY begins", "EMERGENCY begins"]);
  const log = { id: "key log.invalid/x", origin: "log.invalid/x", vkey: "v" };
  for (let minute = 0; minute < 5 * 60; minute++) {
    for (let i = 0; i < 20; i++) {
      const one = { ...log, id: `${log.id} ${i}` };
      rig.event("log.unavailable", "warning", { origin: log.origin, detail: "away" }, { log: one });
    }
    await rig.pass(MINUTE);
  }
  assert(levels().includes("WARNING begins"));
  assert(rig.taken.some((alert) => alert.case === "monitor disk"));
  // Once a minute at most, for each of the few reasons.
  assert(rig.refused.length <= 5 * 60 + 10, `${rig.refused.length}`);
  isFull = false;
  await rig.pass(5 * MINUTE);
  assertEquals(rig.told.filter(({ name }) => name === "disk.recovered").length, 1);
  const taken = rig.taken.length;
  rig.powerCut();
  await rig.start();
  await rig.pass(5 * MINUTE);
  // What was sent meanwhile is known to be sent, after a power cut too.
  assertEquals(rig.taken.slice(taken), []);
  await rig.pass(HOUR);
  const { case: key, state } = rig.taken.findLast((alert) => alert.case === "monitor disk")!;
  assertEquals([key, state], ["monitor disk", "ends"]);
  await rig.stop();
});

/** An alert about a case. */
function alertOf(key: string, transition = 1) {
  const at = "2026-01-01T00:00:00.000Z";
  return makeAlert({
    ...{
      case: key,
      level: "WARNING",
      action: "alert",
      state: "begins",
      subject: "s",
      monitor: "m",
    },
    ...{ at, since: at, count: 1, title: "t", text: "t" },
  }, transition);
}

async function openQueue(disk: MemoryDisk, wasteBytes?: number) {
  const failed: unknown[] = [];
  const queue = await AlertQueue.open({
    ...{ files: disk.files, clock: new ManualClock(), state: "state" },
    failed: (error) => failed.push(error),
    ...(wasteBytes !== undefined && { wasteBytes }),
  });
  return { queue, failed };
}

const QUEUE_IN_STATE = "state/alerts/queue.log";

/** What a queue remembers, in short. */
function memoryOf(queue: AlertQueue): unknown {
  return {
    waiting: queue.waiting("a").map(({ number, alert }) => [number, alert.case]),
    mark: queue.mark,
    failing: queue.failingSince("a"),
  };
}

Deno.test("alerts: the queue is what was promised last, whatever step of the disk fails", async () => {
  const changes = (i: number): readonly Change[] => [{ mark: { seq: i, hash: `${i}` } }];
  for (const when of ["before", "after"] as const) {
    for (const lasting of [false, true]) {
      for (let at = 1, failing = true; failing; at++) {
        const disk = new MemoryDisk();
        const { queue, failed } = await openQueue(disk, 2_000);
        let promised: unknown;
        disk.fail({ at, when, lasting } satisfies Fault);
        for (let i = 1; i <= 8; i++) {
          queue.add(alertOf(`case ${i}`), ["a"], changes(i));
          if (i % 2 === 0) queue.change({ sent: i - 1, to: "a" });
          const before = failed.length;
          await queue.write();
          if (failed.length === before) promised = memoryOf(queue);
        }
        failing = failed.length > 0;
        disk.fail(undefined);
        const wasLasting = lasting && failing;
        disk.crash({ keepShare: at % 2 });
        const { queue: again } = await openQueue(disk);
        assertEquals(again.damagedLines, 0);
        const found = memoryOf(again) as { mark?: { seq: number } };
        const { mark } = promised as { mark?: { seq: number } } ?? {};
        // It may have more than was promised, and never less.
        assert((found.mark?.seq ?? 0) >= (mark?.seq ?? 0), `${when} ${at} ${wasLasting}`);
        if (found.mark?.seq === mark?.seq) assertEquals(found, promised ?? found);
        await again.close();
      }
    }
  }
});

Deno.test("alerts: what is added while a write comes to its end is written too", async () => {
  for (let turns = 0; turns < 20; turns++) {
    const disk = new MemoryDisk();
    const { queue } = await openQueue(disk);
    queue.add(alertOf("case 1"), ["a"], []);
    let isWritten = false;
    void queue.write().then(() => isWritten = true);
    while (!disk.content(QUEUE_IN_STATE)!.includes("case 1")) await Promise.resolve();
    for (let i = 0; i < turns; i++) await Promise.resolve();
    queue.add(alertOf("case 2"), ["a"], []);
    await queue.write();
    assert(disk.content(QUEUE_IN_STATE)!.includes("case 2"), `after ${turns} turns`);
    assert(isWritten);
    await queue.close();
  }
});

Deno.test("alerts: what waits for a disk that refuses does not grow without end, and nothing is lost", async () => {
  const disk = new MemoryDisk();
  const { queue } = await openQueue(disk);
  queue.add(alertOf("case 1"), ["a"], []);
  for (let i = 1; i <= MAX_UNWRITTEN + 5; i++) {
    queue.change({ mark: { seq: i, hash: "h" } });
    if (i % 1_000 !== 0 && i <= MAX_UNWRITTEN) continue;
    // The append is refused, and what may have come of it can be cut off.
    disk.fail({ at: 1, when: "before", lasting: false });
    await queue.write();
  }
  disk.fail(undefined);
  await queue.write();
  const before = memoryOf(queue);
  await queue.close();
  assert(disk.bytes(QUEUE_IN_STATE)!.length < 10_000);
  const { queue: again } = await openQueue(disk);
  assertEquals(memoryOf(again), before);
  assertEquals(again.mark?.seq, MAX_UNWRITTEN + 5);
  await again.close();
});

Deno.test("alerts: the queue is written anew when it is long, and stays the same", async () => {
  const disk = new MemoryDisk();
  const { queue } = await openQueue(disk, 5_000);
  for (let i = 1; i <= 300; i++) {
    queue.add(alertOf(`case ${i}`), ["a", "b"], [{ mark: { seq: i, hash: "h" } }]);
    queue.change({ sent: i, to: "a" });
    if (i > 3) queue.change({ sent: i - 3, to: "b" });
    await queue.write();
  }
  const before = queue.waiting("b").map(({ number }) => number);
  assertEquals(before, [298, 299, 300]);
  await queue.close();
  assert(disk.bytes("state/alerts/queue.log")!.length < 10_000);
  const { queue: again } = await openQueue(disk);
  assertEquals(again.waiting("b").map(({ number }) => number), before);
  again.add(alertOf("one more"), ["a"], []);
  assertEquals(again.waiting("a").map(({ number }) => number), [301]);
  await again.close();
});

Deno.test("alerts: a queue that was damaged is told, and what is left of it is used", async () => {
  const rig = await Rig.make();
  const records = await casesOf(rig, 2);
  rig.answer = () => UNREACHABLE;
  await rig.start();
  for (const record of records) {
    await rig.record(record);
    await rig.pass(SECOND);
  }
  await rig.stop();
  const lines = rig.disk.content(QUEUE)!.split("\n");
  rig.disk.put(
    QUEUE,
    lines.map((line, i) => i === 0 ? line.replace("EMERGENCY", "emergency") : line).join("\n"),
  );
  rig.answer = () => 204;
  await rig.start();
  await rig.pass(HOUR);
  assertEquals(rig.told.filter(({ name }) => name === "alert.lost").length, 1);
  assert(rig.account.includes("EMERGENCY begins"));
  assert(rig.account.includes("WARNING begins"));
  await rig.stop();
  await settled();
});

Deno.test("alerts: of too many that wait the least grave are left out, and that is told", async () => {
  const disk = new MemoryDisk();
  const { queue } = await openQueue(disk);
  for (let i = 1; i <= 10; i++) queue.add(alertOf(`case ${i}`), ["a"], []);
  assertEquals(queue.trim("a", 4), 6);
  assertEquals(queue.waiting("a").map(({ number }) => number), [7, 8, 9, 10]);
  await queue.close();
});
