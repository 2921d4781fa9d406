import { assertEquals, assertRejects } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { exchangeAcceptor } from "../../src/gossip/callee.ts";
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import { ZERO_FRAME } from "../../src/gossip/judge.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import { BREATH_MS, MAX_FAILURES_IN_A_ROW } from "../../src/world/accepting.ts";
import { type Connection, WorldError } from "../../src/world/world.ts";
import { settled } from "./fake_network.ts";
import {
  ask,
  CALLER,
  counting,
  flipped,
  frameOf,
  framesIn,
  HERE,
  logOf,
  partyOf,
  readAll,
  serve,
  type Setting,
  storiesOf,
  unsigned,
} from "./helpers.ts";

type Served = Awaited<ReturnType<typeof serve>>;

/** A callee that was shown a log of three entries, and that log's frame. */
async function serveOne(
  setting: Partial<Setting> = {},
): Promise<{ scene: Served; log: TestLog; frame: Uint8Array }> {
  const log = await logOf("log.example/a", 3);
  const scene = await serve({ logs: [log.log], shown: [log], ...setting });
  return { scene, log, frame: await frameOf(log) };
}

/** So little that one refused frame keeps an address out for a second and more. */
const SCARCE = { framesPerSecondPerAddress: 4, refusedFrameCost: 100 };

/** Whether an honest exchange from there is answered. */
async function isServed(scene: Served, frame: Uint8Array, hostname?: string): Promise<boolean> {
  return (await scene.ask([frame], hostname)).length === 1;
}

// What it answers

Deno.test("callee: answers every frame of an exchange in order", async () => {
  const [a, b] = [await logOf("log.example/a", 3), await logOf("log.example/b", 5)];
  await using scene = await serve({ logs: [a.log, b.log], shown: [a, b] });
  const answers = await scene.ask([await frameOf(b), await frameOf(a), await frameOf(b, 2n)]);
  assertEquals(answers, [await frameOf(b), await frameOf(a), await frameOf(b)]);
  assertEquals(scene.report.verdicts, ["matches", "matches", "pending"]);
  assertEquals(scene.report.brokenAll, []);
});

for (const pace of ["all at once", "one at a time"] as const) {
  Deno.test(`callee: zero frames sent ${pace} are answered with one log after the other`, async () => {
    const [a, b] = [await logOf("log.example/a", 1), await logOf("log.example/b", 2)];
    await using scene = await serve({ logs: [a.log, b.log], shown: [a, b] });
    // Twice: what one exchange has named, the next has not.
    for (const _ of ["first", "second"]) {
      const answers = await scene.ask([ZERO_FRAME, ZERO_FRAME, ZERO_FRAME], CALLER, pace);
      assertEquals(answers, [await frameOf(a), await frameOf(b), ZERO_FRAME]);
    }
  });
}

Deno.test("callee: answers a frame before the caller has finished sending", async () => {
  const { scene, frame } = await serveOne();
  await using _ = scene;
  const connection = await scene.connect();
  for (const _ of ["first", "second"]) {
    await connection.write(frame);
    await settled();
    assertEquals(connection.arrived, FRAME_BYTES);
    await connection.read(new Uint8Array(FRAME_BYTES));
  }
  connection.close();
});

Deno.test("callee: frames that come in odd pieces are answered in order", async () => {
  const logs = await Promise.all([1, 2, 3, 4].map((n) => logOf(`log.example/${n}`, n)));
  const frames = await Promise.all(logs.map((log) => frameOf(log)));
  for (const piece of [1, 103, 105, 150, 207, 209, 333]) {
    await using scene = await serve({ logs: logs.map(({ log }) => log), shown: logs });
    const bytes = concat(frames);
    const connection = await scene.connect();
    for (let at = 0; at < bytes.length; at += piece) {
      await connection.write(bytes.subarray(at, at + piece));
      await settled();
    }
    const answers = await ask(connection, new Uint8Array(0));
    assertEquals(framesIn(answers), frames, `in pieces of ${piece} bytes`);
  }
});

// What is read at once grows with the 64th frame: around it, and around its multiples.
for (const count of [63, 64, 65, 66, 128, 129, 694, 695, 1_024]) {
  Deno.test(`callee: ${count} frames, at once or in pieces, are answered in order`, async () => {
    const [a, b] = [await logOf("log.example/a", 3), await logOf("log.example/b", 5)];
    const [ofA, ofB] = [await frameOf(a), await frameOf(b)];
    // No two stretches of it are alike, so that one answered twice or not at all is seen.
    const frames = Array.from({ length: count }, (_, i) => i * i % 7 < 3 ? ofA : ofB);
    await using scene = await serve({ logs: [a.log, b.log], shown: [a, b] });
    assertEquals(await scene.ask(frames), frames);
    const bytes = concat(frames);
    // Parts of frames lie in the buffer while it fills, and when enough have come for a larger one.
    for (const cuts of [[64 * FRAME_BYTES - 5], [33 * FRAME_BYTES - 5, 66 * FRAME_BYTES + 13]]) {
      const connection = await scene.connect(`192.0.2.${200 + cuts.length}`);
      let sent = 0;
      for (const cut of cuts) {
        await connection.write(bytes.subarray(sent, cut));
        await settled();
        sent = cut;
      }
      assertEquals(framesIn(await ask(connection, bytes.subarray(sent))), frames);
    }
    assertEquals(scene.report.brokenAll, []);
  });
}

Deno.test("callee: a frame that differs in a bit from the one before it is refused", async () => {
  const { scene, frame } = await serveOne({
    limits: { framesPerSecondPerAddress: 10_000, refusedFrameCost: 0 },
  });
  await using _ = scene;
  for (let bit = 0; bit < 8 * FRAME_BYTES; bit++) {
    assertEquals((await scene.ask([frame, flipped(frame, bit)])).length, 1, `bit ${bit}`);
  }
  assertEquals(scene.report.verdicts.filter((verdict) => verdict === "refused").length, 832);
});

for (const pace of ["all at once", "one at a time"] as const) {
  Deno.test(`callee: a frame repeated within an exchange, ${pace}, is told once`, async () => {
    const { scene, frame } = await serveOne();
    await using _ = scene;
    assertEquals(await scene.ask([frame, frame, frame], CALLER, pace), [frame, frame, frame]);
    assertEquals(scene.report.verdicts, ["matches"]);
    await scene.ask([frame]);
    assertEquals(scene.report.verdicts, ["matches", "matches"]);
  });

  Deno.test(`callee: the zero frame repeated within an exchange, ${pace}, is told once`, async () => {
    const { scene } = await serveOne();
    await using _ = scene;
    const answers = await scene.ask([ZERO_FRAME, ZERO_FRAME, ZERO_FRAME], CALLER, pace);
    assertEquals(answers.length, 3);
    assertEquals(scene.report.verdicts, ["nothing"]);
  });
}

Deno.test("callee: a caller that says nothing and finishes is nothing to report", async () => {
  const { scene, frame } = await serveOne({ limits: SCARCE });
  await using _ = scene;
  assertEquals(await scene.ask([]), []);
  assertEquals([scene.report.verdicts, scene.report.brokenAll], [[], []]);
  assertEquals(await isServed(scene, frame), true);
});

// Time

Deno.test("callee: a silent caller is closed once the time for a first byte is over", async () => {
  const { scene } = await serveOne({ limits: { firstByteMs: 500 } });
  await using _ = scene;
  await scene.silent("192.0.2.9");
  await scene.clock.advance(499);
  assertEquals([scene.callee.connections, scene.report.brokenAll], [1, []]);
  await scene.clock.advance(1);
  assertEquals(scene.callee.connections, 0);
  assertEquals(scene.report.brokenAll, ["no byte came within 500 ms"]);
});

Deno.test("callee: a caller that stalls within a frame is closed when the exchange's time is over", async () => {
  const { scene, frame } = await serveOne({ limits: { firstByteMs: 500, exchangeMs: 2_000 } });
  await using _ = scene;
  const connection = await scene.silent("192.0.2.9");
  await connection.write(frame.subarray(0, FRAME_BYTES / 2));
  await scene.clock.advance(1_999);
  assertEquals([scene.callee.connections, scene.report.brokenAll], [1, []]);
  await scene.clock.advance(1);
  assertEquals(scene.callee.connections, 0);
  assertEquals(scene.report.brokenAll, ["the exchange was not finished within 2000 ms"]);
  assertEquals(await readAll(connection), new Uint8Array(0));
});

Deno.test("callee: a caller that drips bytes gets its answer, and no more time than others", async () => {
  const { scene, frame } = await serveOne({ limits: { firstByteMs: 500, exchangeMs: 2_000 } });
  await using _ = scene;
  const connection = await scene.silent("192.0.2.9");
  for (let at = 0; at < FRAME_BYTES; at++) {
    await connection.write(frame.subarray(at, at + 1));
    await scene.clock.advance(10);
  }
  assertEquals([connection.arrived, scene.report.verdicts], [FRAME_BYTES, ["matches"]]);
  // 1,040 ms are over; the second frame comes at the same pace, and one byte short.
  for (let at = 0; at < FRAME_BYTES - 9; at++) {
    await connection.write(frame.subarray(at, at + 1));
    await scene.clock.advance(10);
  }
  assertEquals(scene.callee.connections, 1);
  await scene.clock.advance(10);
  assertEquals(scene.callee.connections, 0);
  assertEquals(scene.report.brokenAll, ["the exchange was not finished within 2000 ms"]);
});

Deno.test("callee: a caller that never closes its side is answered, then closed", async () => {
  const { scene, frame } = await serveOne({ limits: { exchangeMs: 2_000 } });
  await using _ = scene;
  const connection = await scene.silent("192.0.2.9");
  await connection.write(frame);
  await scene.clock.advance(2_000);
  assertEquals(await readAll(connection), frame);
  assertEquals(scene.callee.connections, 0);
  assertEquals(scene.report.brokenAll, ["the exchange was not finished within 2000 ms"]);
});

Deno.test("callee: a caller that never reads its answers is closed when its time is over", async () => {
  const { scene, frame } = await serveOne({
    limits: { exchangeMs: 2_000 },
    capacity: 2 * FRAME_BYTES,
  });
  await using _ = scene;
  const connection = await scene.silent("192.0.2.9");
  const frames = Array<Uint8Array>(7).fill(frame);
  const sending = assertRejects(() => connection.write(concat(frames)), WorldError);
  await scene.clock.advance(1_999);
  assertEquals([connection.arrived, scene.callee.connections], [2 * FRAME_BYTES, 1]);
  await scene.clock.advance(1);
  assertEquals(scene.callee.connections, 0);
  assertEquals(scene.report.brokenAll, ["the exchange was not finished within 2000 ms"]);
  await sending;
});

Deno.test("callee: a caller that breaks off is reported and forgotten", async () => {
  const { scene } = await serveOne();
  await using _ = scene;
  const connection = await scene.silent("192.0.2.9");
  connection.reset();
  await settled();
  assertEquals([scene.callee.connections, scene.report.brokenAll], [
    0,
    ["connection reset by peer"],
  ]);
});

Deno.test("callee: no timer is left when an exchange has ended", async () => {
  const { scene, frame } = await serveOne();
  await using _ = scene;
  await scene.ask([frame]);
  await scene.ask([unsigned(frame)]);
  await settled();
  assertEquals(scene.clock.pending, 0);
});

// Length and number

for (const [count, answered, rest] of [[1, 0, 1], [103, 0, 103], [105, 1, 1], [311, 2, 103]]) {
  Deno.test(`callee: ${count} bytes are ${answered} whole frames answered and a remainder refused`, async () => {
    const { scene, frame } = await serveOne({
      limits: { ...SCARCE, framesPerSecondPerAddress: 8 },
    });
    await using _ = scene;
    const bytes = concat([frame, frame, frame]).subarray(0, count);
    const answers = await ask(await scene.connect(), bytes);
    assertEquals(answers.length, answered! * FRAME_BYTES);
    assertEquals(scene.report.brokenAll, [
      `${rest} bytes came after the last whole frame, expected 104 a frame`,
    ]);
    assertEquals(await isServed(scene, frame), false, "its address was not charged");
    assertEquals(await isServed(scene, frame, "192.0.2.200"), true);
  });
}

Deno.test("callee: as many frames as allowed in an exchange are all answered", async () => {
  const { scene, frame } = await serveOne({ limits: { maxFramesPerExchange: 4 } });
  await using _ = scene;
  assertEquals((await scene.ask([frame, frame, frame, frame])).length, 4);
  assertEquals(scene.report.brokenAll, []);
});

Deno.test("callee: one frame more than allowed in an exchange is the end of it", async () => {
  const { scene, frame } = await serveOne({ limits: { maxFramesPerExchange: 4 } });
  await using _ = scene;
  const connection = await scene.connect();
  await connection.write(concat([frame, frame, frame, frame]));
  await settled();
  assertEquals(connection.arrived, 4 * FRAME_BYTES);
  await connection.write(frame);
  await settled();
  assertEquals((await readAll(connection)).length, 4 * FRAME_BYTES);
  assertEquals(scene.report.brokenAll, ["more than 4 frames came in one exchange"]);
  assertEquals(scene.callee.connections, 0);
});

Deno.test("callee: the limits in force answer 1,024 frames in one exchange, and not 1,025", async () => {
  const { scene, frame } = await serveOne();
  await using _ = scene;
  const frames = Array<Uint8Array>(1_024).fill(frame);
  assertEquals((await scene.ask(frames)).length, 1_024);
  assertEquals(scene.report.brokenAll, []);
  await scene.ask([...frames, frame], "192.0.2.200");
  assertEquals(scene.report.brokenAll, ["more than 1024 frames came in one exchange"]);
});

Deno.test("callee: an endless sender is closed at the limit", async () => {
  const { scene, frame } = await serveOne({ limits: { maxFramesPerExchange: 16 } });
  await using _ = scene;
  const connection = await scene.connect();
  let sent = 0;
  await assertRejects(
    async () => {
      for (; sent < 1_000; sent++) {
        await connection.write(frame);
        await settled();
      }
    },
    WorldError,
    "reset",
  );
  assertEquals(sent, 17);
  assertEquals(scene.report.brokenAll, ["more than 16 frames came in one exchange"]);
});

// Rate

Deno.test("callee: more frames than an address may send are refused before any is verified", async () => {
  const log = await logOf("log.example/a", 3);
  const { log: counted, checked } = counting(log.log);
  await using scene = await serve({ logs: [counted], limits: { framesPerSecondPerAddress: 4 } });
  const frame = await frameOf(log);
  const strange = [0, 1, 2, 3, 4].map((salt) => unsigned(frame, salt));
  assertEquals(await scene.ask(strange), []);
  assertEquals(scene.report.brokenAll, [
    "more than 4 frames a second came from its address",
  ]);
  assertEquals(checked(), 0);
  // At the limit the first is verified, and it is the last.
  assertEquals(await scene.ask(strange.slice(1)), []);
  assertEquals(checked(), 1);
});

Deno.test("callee: the rate is counted over all connections of an address, and over time", async () => {
  const { scene, frame } = await serveOne({ limits: { framesPerSecondPerAddress: 4 } });
  await using _ = scene;
  assertEquals((await scene.ask([frame, frame])).length, 2);
  assertEquals((await scene.ask([frame, frame, frame])).length, 0);
  assertEquals((await scene.ask([frame, frame])).length, 2);
  assertEquals((await scene.ask([frame])).length, 0);
  assertEquals((await scene.ask([frame, frame, frame], "192.0.2.200")).length, 3);
  await scene.clock.advance(500);
  assertEquals((await scene.ask([frame, frame])).length, 2);
});

Deno.test("callee: two addresses of one IPv6 /64 share their rate, two /64s do not", async () => {
  const { scene, frame } = await serveOne({ limits: { framesPerSecondPerAddress: 1 } });
  await using _ = scene;
  assertEquals(await isServed(scene, frame, "2001:db8::1"), true);
  assertEquals(await isServed(scene, frame, "2001:db8::ffff:ffff:ffff:ffff"), false);
  assertEquals(await isServed(scene, frame, "2001:db8:0:1::1"), true);
});

Deno.test("callee: strangers of many addresses have so many signatures checked together, a peer its own", async () => {
  const logs = await Promise.all([1, 2, 3, 4, 5].map((n) => logOf(`log.example/${n}`, n)));
  const counted = logs.map(({ log }) => counting(log));
  const checked = (): number => counted.reduce((sum, { checked }) => sum + checked(), 0);
  const peer = "192.0.2.250";
  await using scene = await serve({
    logs: counted.map(({ log }) => log),
    shown: logs,
    peers: [peer],
    limits: { framesPerSecondPerAddress: 20, strangersShare: 2 },
  });
  const frame = await frameOf(logs[0]!);
  await isServed(scene, frame, "192.0.2.249");
  const before = checked();
  for (let i = 0; i < 60; i++) await scene.ask([unsigned(frame, i)], `203.0.113.${i}`);
  assertEquals(checked() - before <= 20 * 2 + logs.length, true, `${checked() - before}`);
  assertEquals(
    scene.report.brokenAll.at(-1),
    "all strangers together sent more frames than may be verified",
  );
  // What was verified before costs nothing and is answered to anyone; a peer is heard as ever.
  assertEquals(await isServed(scene, frame, "203.0.113.200"), true);
  assertEquals(await isServed(scene, await frameOf(logs[2]!), "203.0.113.201"), false);
  assertEquals(await isServed(scene, await frameOf(logs[1]!), peer), true);
  // Who was turned away for others is not charged.
  await scene.clock.advance(1_000);
  assertEquals(await isServed(scene, await frameOf(logs[2]!), "203.0.113.201"), true);
});

// What it refuses

Deno.test("callee: a frame under no key is the end: no answer, closed, charged", async () => {
  const { scene, frame } = await serveOne({ limits: SCARCE });
  await using _ = scene;
  const stranger = await frameOf(await logOf("log.example/stranger", 2));
  const connection = await scene.connect();
  await connection.write(stranger);
  assertEquals(await readAll(connection), new Uint8Array(0));
  const why = "closed without an answer to the refused frame, and its address charged";
  assertEquals([scene.report.verdicts, scene.report.brokenAll], [["refused"], [why]]);
  assertEquals(await isServed(scene, frame), false, "its address was not charged");
  assertEquals(await isServed(scene, frame, "192.0.2.200"), true);
});

Deno.test("callee: what came before a refused frame is answered, what came after is not", async () => {
  const log = await logOf("log.example/a", 3);
  const { log: counted, checked } = counting(log.log);
  await using scene = await serve({ logs: [counted], shown: [log] });
  const frame = await frameOf(log);
  const answers = await scene.ask([frame, unsigned(frame, 1), unsigned(frame, 2), frame]);
  assertEquals(answers, [frame]);
  assertEquals([scene.report.verdicts, checked()], [["matches", "refused"], 2]);
});

Deno.test("callee: frames under no key, repeated, keep an address out until it has filled up", async () => {
  const limits = { framesPerSecondPerAddress: 100, refusedFrameCost: 40 };
  const { scene, frame } = await serveOne({ limits });
  await using _ = scene;
  // Each costs 1 and 40: after the third, 23 are missing, and one more for a frame.
  for (const salt of [0, 1, 2]) {
    assertEquals(await isServed(scene, frame), salt < 3);
    await scene.ask([unsigned(frame, salt)]);
  }
  assertEquals(scene.report.verdicts.filter((verdict) => verdict === "refused").length, 3);
  assertEquals(await isServed(scene, frame), false);
  await scene.clock.advance(200);
  assertEquals(await isServed(scene, frame), false);
  await scene.clock.advance(100);
  assertEquals(await isServed(scene, frame), true);
});

Deno.test("callee: an address kept out is closed without being read", async () => {
  const log = await logOf("log.example/a", 3);
  const { log: counted, checked } = counting(log.log);
  await using scene = await serve({ logs: [counted], limits: SCARCE });
  const frame = await frameOf(log);
  await scene.ask([unsigned(frame)]);
  const reported = scene.report.brokenAll.length;
  const connection = await scene.silent(CALLER);
  assertEquals(scene.callee.connections, 0);
  assertEquals(await readAll(connection), new Uint8Array(0));
  await assertRejects(() => connection.write(unsigned(frame, 1)), WorldError, "reset");
  assertEquals([checked(), scene.report.brokenAll.length], [1, reported]);
});

Deno.test("callee: a refused frame is charged even if what came with it cannot be kept", async () => {
  const keep = () => Promise.reject(new Error("the disk is full"));
  const log = await logOf("log.example/a", 3);
  const { log: counted, checked } = counting(log.log);
  await using scene = await serve({ logs: [counted], limits: SCARCE, keep });
  const frame = await frameOf(log);
  await scene.ask([unsigned(frame)]);
  await scene.ask([unsigned(frame, 1)]);
  assertEquals(checked(), 1, "its address was not charged");
});

Deno.test("callee: a refused frame is charged even if the answers before it cannot be written", async () => {
  const { scene, frame } = await serveOne({ limits: SCARCE });
  await using _ = scene;
  const connection = await scene.connect();
  await connection.write(concat([frame, unsigned(frame)]));
  connection.close(); // Gone before it is answered.
  await scene.report.until(() => scene.report.brokenAll.length > 0);
  assertEquals(scene.report.verdicts, ["matches", "refused"]);
  assertEquals(await isServed(scene, frame), false, "its address was not charged");
});

for (const first of [0x80, 0x82, 0xbf]) {
  Deno.test(`callee: a first byte of ${first} is a parcel of an unknown version: closed and not charged`, async () => {
    const { scene, frame } = await serveOne({ limits: SCARCE });
    await using _ = scene;
    const connection = await scene.connect();
    await connection.write(Uint8Array.of(first));
    assertEquals(await readAll(connection), new Uint8Array(0));
    assertEquals(scene.report.brokenAll, [
      `it speaks version ${first & 0x7f} of parcels, this program speaks 1`,
    ]);
    assertEquals([scene.report.verdicts, await isServed(scene, frame)], [[], true]);
  });
}

for (const first of [0xc0, 0xc1, 0xff]) {
  Deno.test(`callee: a first byte of ${first} is a session's: not served without members, not charged`, async () => {
    const { scene, frame } = await serveOne({ limits: SCARCE });
    await using _ = scene;
    const connection = await scene.connect();
    await connection.write(Uint8Array.of(first));
    assertEquals(await readAll(connection), new Uint8Array(0));
    assertEquals(scene.report.brokenAll, [
      `it begins with byte ${first}, and nothing that is served here begins so`,
    ]);
    assertEquals([scene.report.verdicts, await isServed(scene, frame)], [[], true]);
  });
}

Deno.test("callee: a parcel begins with a connection's first byte and no other", async () => {
  const { scene, frame } = await serveOne();
  await using _ = scene;
  const high = new Uint8Array(FRAME_BYTES).fill(0x80);
  for (const pace of ["all at once", "one at a time"] as const) {
    assertEquals(await scene.ask([frame, high], CALLER, pace), [frame]);
  }
  const low = new Uint8Array(FRAME_BYTES).fill(0x7f);
  assertEquals(await scene.ask([low]), []);
  assertEquals(scene.report.verdicts, ["matches", "refused", "matches", "refused", "refused"]);
  for (const reason of scene.report.brokenAll) assertEquals(reason.includes("parcel"), false);
});

// Crowds

Deno.test("callee: all connections taken by silent ones, an honest one is served", async () => {
  const { scene, frame } = await serveOne({ limits: { maxConnections: 3 } });
  await using _ = scene;
  for (const hostname of ["192.0.2.11", "192.0.2.12", "192.0.2.13"]) {
    await scene.silent(hostname);
    await scene.clock.advance(1);
  }
  assertEquals([scene.callee.connections, scene.report.brokenAll], [3, []]);
  assertEquals(await isServed(scene, frame), true);
  assertEquals(scene.report.brokenAll, [
    "all connections are taken, and this one was silent longest",
  ]);
  assertEquals(scene.callee.connections, 2);
});

Deno.test("callee: who has just spoken is not the one that gives way", async () => {
  const { scene, frame } = await serveOne({ limits: { maxConnections: 2 } });
  await using _ = scene;
  const first = await scene.silent("192.0.2.11");
  await scene.clock.advance(1);
  const second = await scene.silent("192.0.2.12");
  await scene.clock.advance(1);
  await first.write(frame.subarray(0, 1));
  await scene.clock.advance(1);
  await scene.silent("192.0.2.13");
  await assertRejects(() => second.write(frame), WorldError);
  await first.write(frame.subarray(1));
  await settled();
  assertEquals(first.arrived, FRAME_BYTES);
});

Deno.test("callee: an address with all its connections silent is served on another", async () => {
  const { scene, frame } = await serveOne({ limits: { maxConnectionsPerAddress: 2 } });
  await using _ = scene;
  const elsewhere = await scene.silent("192.0.2.50");
  await scene.clock.advance(1);
  const mine = [await scene.silent("192.0.2.11"), await scene.silent("192.0.2.11")];
  assertEquals([scene.callee.connections, scene.report.brokenAll], [3, []]);
  assertEquals(await isServed(scene, frame, "192.0.2.11"), true);
  assertEquals(scene.report.brokenAll, [
    "this address has its most connections, and this one was silent longest",
  ]);
  await assertRejects(() => mine[0]!.write(frame), WorldError);
  for (const connection of [elsewhere, mine[1]!]) {
    assertEquals(await ask(connection, frame), frame);
  }
});

// Start and end

Deno.test("callee: connections that cannot be accepted do not end it", async () => {
  const { scene, frame } = await serveOne({ limits: { acceptRetryMs: 250 } });
  await using _ = scene;
  const error = new WorldError("exhausted", "Too many open files (os error 24)");
  for (let i = 0; i < 3; i++) scene.listener.push(error);
  const connection = await scene.connect(); // behind the three
  await scene.clock.advance(749);
  assertEquals(scene.callee.connections, 0);
  await scene.clock.advance(1);
  assertEquals(await ask(connection, frame), frame);
  const why = `cannot accept a connection: ${error.message}; trying again every 250 ms`;
  assertEquals(scene.report.brokenAll, [why], "told once, however often it fails");
  scene.listener.push(error);
  const next = await scene.connect();
  await scene.clock.advance(250);
  assertEquals(await ask(next, frame), frame);
  assertEquals(scene.report.brokenAll, [why, why], "and once more after it was well");
});

Deno.test("callee: callers that reset before their turn keep nobody waiting", async () => {
  const { scene, frame } = await serveOne();
  await using _ = scene;
  const reset = new WorldError("other", "Transport endpoint is not connected (os error 107)");
  for (let i = 0; i < MAX_FAILURES_IN_A_ROW - 1; i++) scene.listener.push(reset);
  const connection = await scene.connect(); // behind them all
  assertEquals(await ask(connection, frame), frame, "and no time has passed");
  assertEquals(scene.report.brokenAll, [
    `a connection broke before it was accepted: ${reset.message}`,
  ]);
});

Deno.test("callee: a listener that fails for ever is asked in bounds, and both lacks are told", async () => {
  const { scene, frame } = await serveOne();
  await using _ = scene;
  const broken = new WorldError("other", "Bad file descriptor (os error 9)");
  for (let i = 0; i < 2 * MAX_FAILURES_IN_A_ROW; i++) scene.listener.push(broken);
  const connection = await scene.connect();
  await scene.clock.advance(2 * BREATH_MS - 1);
  assertEquals(scene.callee.connections, 0);
  await scene.clock.advance(1);
  assertEquals(await ask(connection, frame), frame);
  scene.listener.push(broken);
  scene.listener.push(new WorldError("exhausted", "Too many open files (os error 24)"));
  await settled();
  assertEquals(
    scene.report.brokenAll.map((reason) => reason.split(":")[0]),
    [
      ...Array(2).fill("a connection broke before it was accepted"),
      "cannot accept a connection",
    ],
  );
  await scene.clock.advance(DEFAULT_LIMITS.acceptRetryMs);
});

Deno.test("callee: what goes wrong while accepting and is not the world's fault is thrown", async () => {
  const log = await logOf("log.example/a", 1);
  const { party } = await partyOf({ logs: [log.log] });
  const listener = {
    address: HERE,
    accept: () => Promise.reject(new TypeError("a fault in the program")),
    close: () => {},
  };
  await assertRejects(() => exchangeAcceptor({ party, listener }).run(), TypeError, "a fault");
});

Deno.test("callee: closing ends what is served, and then run", async () => {
  const { scene, frame } = await serveOne();
  const silent = await scene.silent("192.0.2.11");
  const halfway = await scene.silent("192.0.2.12");
  await halfway.write(frame.subarray(0, 50));
  await settled();
  scene.callee.close();
  await scene.done;
  assertEquals([scene.callee.connections, scene.clock.pending], [0, 0]);
  assertEquals(scene.report.brokenAll, [], "that we end is no fault of a caller");
  for (const connection of [silent, halfway]) {
    assertEquals(await readAll(connection), new Uint8Array(0));
  }
  await assertRejects(() => scene.connect(), WorldError, "refused");
});

Deno.test("callee: a connection accepted while it closes is closed", async () => {
  const log = await logOf("log.example/a", 1);
  const { party, report } = await partyOf({ logs: [log.log] });
  const { connection, closed } = neverReady();
  const accepting = Promise.withResolvers<Connection>();
  const listener = { address: HERE, accept: () => accepting.promise, close: () => {} };
  const callee = exchangeAcceptor({ party, listener });
  const done = callee.run();
  callee.close();
  accepting.resolve(connection);
  await done;
  assertEquals([closed(), report.brokenAll], [true, []]);
});

/** A connection on which nothing comes, and whether it was closed. */
function neverReady(): { connection: Connection; closed: () => boolean } {
  let closed = false;
  const connection: Connection = {
    remote: { hostname: "192.0.2.1", port: 1 },
    read: () => new Promise(() => {}),
    write: () => Promise.resolve(),
    closeWrite: () => Promise.resolve(),
    close: () => void (closed = true),
  };
  return { connection, closed: () => closed };
}

// Durability before telling

Deno.test("callee: a conflict is not answered before it is kept", async () => {
  const [ours, theirs] = await storiesOf(4);
  const kept = Promise.withResolvers<void>();
  const handed: number[] = [];
  await using scene = await serve({
    logs: [ours.log],
    shown: [ours],
    keep: (conflicts) => (handed.push(conflicts.length), kept.promise),
  });
  const connection = await scene.connect();
  await connection.write(await frameOf(theirs));
  await settled();
  assertEquals([handed, connection.arrived, scene.report.verdicts], [[1], 0, []]);
  kept.resolve();
  await settled();
  assertEquals([connection.arrived, scene.report.verdicts], [FRAME_BYTES, ["inconsistent"]]);
  connection.close();
});

Deno.test("callee: what was not kept is not answered, and the connection is closed", async () => {
  const [ours, theirs] = await storiesOf(4);
  let refuses = true;
  const keep = () => refuses ? Promise.reject(new Error("the disk is full")) : Promise.resolve();
  await using scene = await serve({ logs: [ours.log], shown: [ours], keep });
  assertEquals(await scene.ask([await frameOf(theirs)]), []);
  // No fault of the caller's.
  const { verdicts, brokenAll, refusedAll } = scene.report;
  assertEquals([verdicts, brokenAll, refusedAll], [[], [], ["the disk is full"]]);
  assertEquals(scene.callee.connections, 0);
  refuses = false;
  assertEquals(await scene.ask([await frameOf(theirs)]), [await frameOf(ours)]);
});

Deno.test("callee: it asks for everything to be kept before every answer", async () => {
  const handed: number[] = [];
  const keep = (
    conflicts: readonly unknown[],
  ) => (handed.push(conflicts.length), Promise.resolve());
  const { scene, frame } = await serveOne({ keep });
  await using _ = scene;
  await scene.ask([frame]);
  await scene.ask([frame]);
  assertEquals(handed, [0, 0]);
});

Deno.test("callee: a conflict heard before a refused frame is kept all the same", async () => {
  const [ours, theirs] = await storiesOf(4);
  const handed: number[] = [];
  await using scene = await serve({
    logs: [ours.log],
    shown: [ours],
    keep: (conflicts) => (handed.push(conflicts.length), Promise.resolve()),
  });
  const answers = await scene.ask([await frameOf(theirs), unsigned(await frameOf(theirs))]);
  assertEquals([answers, handed], [[await frameOf(ours)], [1]]);
});
