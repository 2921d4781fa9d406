import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { callPeer, ExchangeFailed } from "../../src/gossip/caller.ts";
import { type Heard, ZERO_FRAME } from "../../src/gossip/judge.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import { WorldError } from "../../src/world/world.ts";
import { type FakeConnection, type ManualClock, settled } from "./fake_network.ts";
import {
  checkpointOf,
  counting,
  frameOf,
  framesIn,
  HERE,
  logOf,
  partyOf,
  readAll,
  type Setting,
  storiesOf,
  unsigned,
} from "./helpers.ts";

/** A peer that does with a connection as it likes, and the party that is to call it. */
async function stage(peer: (connection: FakeConnection) => Promise<void>, setting: Setting) {
  const made = await partyOf(setting);
  const listener = made.network.listen(HERE);
  const playing = listener.accept().then((connection) => peer(connection!));
  return {
    ...made,
    call: (): Promise<Heard[]> => callPeer({ party: made.party, callee: HERE }),
    async [Symbol.asyncDispose]() {
      await playing;
      listener.close();
    },
  };
}

/** A peer that reads everything and answers with this. */
function answering(bytes: Uint8Array): (connection: FakeConnection) => Promise<void> {
  return async (connection) => {
    await readAll(connection);
    await connection.write(bytes).catch(() => {});
    connection.close();
  };
}

/** What a failed call must not have done. */
async function assertFails(
  calling: () => Promise<Heard[]>,
  { message, handed }: { message: string; handed?: readonly number[] },
): Promise<void> {
  const error = await assertRejects(calling, ExchangeFailed);
  assertEquals(error.message, `peer 198.51.100.1:9900 ${message}`);
  if (handed !== undefined) assertEquals(handed.filter((conflicts) => conflicts > 0), []);
}

/** A keep that notes how many conflicts it was handed each time. */
function noting(): { handed: number[]; keep: (conflicts: readonly unknown[]) => Promise<void> } {
  const handed: number[] = [];
  return { handed, keep: (conflicts) => (handed.push(conflicts.length), Promise.resolve()) };
}

Deno.test("caller: sends the latest of every log, the ones with something to say first", async () => {
  const [a, b, c] = [
    await logOf("log.example/a", 1),
    await logOf("log.example/b", 2),
    await logOf("log.example/c", 3),
  ];
  let sent: Uint8Array = new Uint8Array(0);
  await using scene = await stage(async (connection) => {
    sent = await readAll(connection);
    await connection.write(sent);
    connection.close();
  }, { logs: [a.log, b.log, c.log], shown: [b, c] });
  const heard = await scene.call();
  assertEquals(framesIn(sent), [await frameOf(b), await frameOf(c), ZERO_FRAME]);
  assertEquals(heard.map(({ verdict }) => verdict), ["matches", "matches", "nothing"]);
  assertEquals(scene.report.verdicts, ["matches", "matches", "nothing"]);
  assertEquals(scene.clock.pending, 0);
});

Deno.test("caller: sends no more frames than one exchange may have", async () => {
  const logs = await Promise.all([1, 2, 3].map((n) => logOf(`log.example/${n}`, n)));
  const limits = { maxFramesPerExchange: 2 };
  let sent: Uint8Array = new Uint8Array(0);
  await using scene = await stage(async (connection) => {
    sent = await readAll(connection);
    await connection.write(sent);
    connection.close();
  }, { logs: logs.map(({ log }) => log), shown: logs.slice(1), limits });
  await scene.call();
  assertEquals(framesIn(sent), [await frameOf(logs[1]!), await frameOf(logs[2]!)]);
});

Deno.test("caller: reads answers that come in pieces", async () => {
  const log = await logOf("log.example/a", 3);
  const frame = await frameOf(log);
  await using scene = await stage(async (connection) => {
    for (let at = 0; at < FRAME_BYTES; at++) {
      await connection.write(frame.subarray(at, at + 1));
      await settled();
    }
    connection.close();
  }, { logs: [log.log], shown: [log] });
  assertEquals((await scene.call()).map(({ verdict }) => verdict), ["matches"]);
});

Deno.test("caller: an answer that contradicts is kept, then told", async () => {
  const [ours, theirs] = await storiesOf(4);
  const order: string[] = [];
  await using scene = await stage(answering(await frameOf(theirs)), {
    logs: [ours.log],
    shown: [ours],
    keep: (conflicts) => (order.push(`${conflicts.length} kept`), Promise.resolve()),
  });
  scene.report.heard = ({ verdict }) => void order.push(verdict);
  const heard = await scene.call();
  assertEquals(heard.map(({ verdict }) => verdict), ["inconsistent"]);
  assertEquals(order, ["1 kept", "inconsistent"]);
});

Deno.test("caller: what could not be kept is thrown as it is, and not told", async () => {
  const [ours, theirs] = await storiesOf(4);
  const full = new Error("the disk is full");
  await using scene = await stage(answering(await frameOf(theirs)), {
    logs: [ours.log],
    shown: [ours],
    keep: () => Promise.reject(full),
  });
  assertStrictEquals(await assertRejects(scene.call, Error), full);
  assertEquals(scene.report.verdicts, []);
});

Deno.test("caller: a disk that is slow and then refuses is not blamed on the peer", async () => {
  const [ours, theirs] = await storiesOf(4);
  const full = new Error("the disk is full");
  const asked = Promise.withResolvers<void>();
  const disk = Promise.withResolvers<void>();
  await using scene = await stage(answering(await frameOf(theirs)), {
    logs: [ours.log],
    shown: [ours],
    limits: { exchangeMs: 1_000 },
    keep: () => (asked.resolve(), disk.promise),
  });
  const calling = assertRejects(scene.call, Error);
  await asked.promise;
  await scene.clock.advance(1_001);
  disk.reject(full);
  assertStrictEquals(await calling, full);
});

// Peers that do not do as they should

Deno.test("caller: a peer that nobody is at cannot be reached", async () => {
  const log = await logOf("log.example/a", 3);
  const { handed, keep } = noting();
  const { party } = await partyOf({ logs: [log.log], shown: [log], keep });
  const message = "cannot be reached: connection refused";
  await assertFails(() => callPeer({ party, callee: HERE }), { message, handed });
});

Deno.test("caller: a peer that does not answer the connection is given up in time", async () => {
  const log = await logOf("log.example/a", 3);
  const { handed, keep } = noting();
  const limits = { connectMs: 300 };
  const { party, network, clock } = await partyOf({ logs: [log.log], keep, limits });
  network.swallow(HERE);
  const message = "cannot be reached: no connection within 300 ms";
  const calling = assertFails(() => callPeer({ party, callee: HERE }), { message, handed });
  await Promise.all([calling, clock.advance(300)]);
  assertEquals(clock.pending, 0);
});

Deno.test("caller: a peer that keeps silent is given up when the exchange's time is over", async () => {
  const log = await logOf("log.example/a", 3);
  const { handed, keep } = noting();
  const limits = { exchangeMs: 700 };
  await using scene = await stage(() => Promise.resolve(), { logs: [log.log], keep, limits });
  let failed = false;
  const message = "did not finish the exchange within 700 ms";
  const calling = assertFails(scene.call, { message, handed }).finally(() => failed = true);
  await Promise.all([
    calling,
    scene.clock.advance(699).then(() => assertEquals(failed, false))
      .then(() => scene.clock.advance(1)),
  ]);
});

Deno.test("caller: a peer that never reads is given up when the exchange's time is over", async () => {
  const log = await logOf("log.example/a", 3);
  const { handed, keep } = noting();
  const setting = { logs: [log.log], keep, limits: { exchangeMs: 700 }, capacity: 50 };
  await using scene = await stage(() => Promise.resolve(), setting);
  const message = "did not finish the exchange within 700 ms";
  const calling = assertFails(scene.call, { message, handed });
  await Promise.all([calling, scene.clock.advance(700)]);
});

Deno.test("caller: a peer that drips its answer gets no more time than others", async () => {
  const log = await logOf("log.example/a", 3);
  const frame = await frameOf(log);
  const limits = { exchangeMs: 1_000 };
  await using scene = await stage(async (connection) => {
    for (let at = 0; at < FRAME_BYTES; at++) {
      await connection.write(frame.subarray(at, at + 1)).catch(() => {});
      await scene.clock.advance(10);
    }
  }, { logs: [log.log], limits });
  const message = "did not finish the exchange within 1000 ms";
  await assertFails(scene.call, { message });
});

/** How a peer breaks off, and what is said of it. */
const BREAKS: readonly [how: string, (peer: FakeConnection) => Promise<void>, said: string][] = [
  [
    "closes without reading",
    (peer) => Promise.resolve(peer.close()),
    "broke the connection: connection reset by peer",
  ],
  [
    "resets without reading",
    (peer) => Promise.resolve(peer.reset()),
    "broke the connection: connection reset by peer",
  ],
  [
    "reads and closes",
    (peer) => readAll(peer).then(() => peer.close()),
    "answered 0 bytes, expected 104 bytes (1 frame of 104); it may answer members alone, be ending, limit " +
    "this address, or be unable to write to its disk",
  ],
  [
    "reads and resets",
    (peer) => readAll(peer).then(() => peer.reset()),
    "broke the connection: connection reset by peer",
  ],
  [
    "resets within its answer",
    async (peer) => {
      await readAll(peer);
      await peer.write(new Uint8Array(50));
      await settled();
      peer.reset();
    },
    "broke the connection: connection reset by peer",
  ],
];

for (const [how, peer, said] of BREAKS) {
  Deno.test(`caller: a peer that ${how} has failed the exchange`, async () => {
    const log = await logOf("log.example/a", 3);
    const { handed, keep } = noting();
    // The connection holds less than a frame, so that what is not read is not all sent either.
    const setting = { logs: [log.log], shown: [log], keep, capacity: 60 };
    await using scene = await stage(peer, setting);
    await assertFails(scene.call, { message: said, handed });
    assertEquals(scene.report.verdicts, []);
    assertEquals(scene.clock.pending, 0);
  });
}

/** How an exchange ends in failure after a whole answer has come. */
const ENDS: readonly [
  how: string,
  end: (peer: FakeConnection, clock: ManualClock) => void | Promise<void>,
  said: string,
][] = [
  ["resets", (peer) => peer.reset(), "broke the connection: connection reset by peer"],
  [
    "never closes",
    (_, clock) => clock.advance(1_000),
    "did not finish the exchange within 1000 ms",
  ],
];

for (const [how, end, said] of ENDS) {
  Deno.test(`caller: what a peer proves before it ${how} is kept`, async () => {
    const [ours, theirs] = await storiesOf(4);
    const { handed, keep } = noting();
    const answer = await frameOf(theirs);
    await using scene = await stage(async (connection) => {
      await readAll(connection);
      await connection.write(answer);
      await settled();
      await end(connection, scene.clock);
    }, { logs: [ours.log], shown: [ours], keep, limits: { exchangeMs: 1_000 } });
    await assertFails(scene.call, { message: said });
    assertEquals([handed, scene.report.verdicts], [[1], ["inconsistent"]]);
  });
}

Deno.test("caller: what a peer proves before it stops listening is kept", async () => {
  const [ours, theirs] = await storiesOf(4);
  const others = await Promise.all([1, 2].map((n) => logOf(`log.example/${n}`, n)));
  const { handed, keep } = noting();
  const answer = await frameOf(theirs);
  // It reads one frame of three, and the connection holds one more, so the last cannot be sent.
  const logs = [ours, ...others].map(({ log }) => log);
  await using scene = await stage(async (connection) => {
    await connection.read(new Uint8Array(FRAME_BYTES));
    await connection.write(answer);
    await settled();
    connection.close();
  }, { logs, shown: [ours], keep, capacity: FRAME_BYTES });
  const message = "broke the connection: connection reset by peer";
  await assertFails(scene.call, { message });
  assertEquals([handed, scene.report.verdicts], [[1], ["inconsistent"]]);
});

for (const length of [0, 1, 103, 105, 207]) {
  Deno.test(`caller: ${length} bytes in answer to 2 frames are too few`, async () => {
    const [a, b] = [await logOf("log.example/a", 3), await logOf("log.example/b", 3)];
    const { handed, keep } = noting();
    const answer = concat([await frameOf(a), await frameOf(b)]).subarray(0, length);
    const setting = { logs: [a.log, b.log], shown: [a, b], keep };
    await using scene = await stage(answering(answer), setting);
    const perhaps = length > 0
      ? ""
      : "; it may answer members alone, be ending, limit this address, or be unable to write to its disk";
    const message = `answered ${length} bytes, expected 208 bytes (2 frames of 104)${perhaps}`;
    await assertFails(scene.call, { message, handed });
    // What came whole has been judged.
    assertEquals(scene.report.verdicts, length < FRAME_BYTES ? [] : ["matches"]);
  });
}

for (const more of [1, 104, 5_000]) {
  Deno.test(`caller: ${more} bytes beyond what was asked are too many`, async () => {
    const log = await logOf("log.example/a", 3);
    const { handed, keep } = noting();
    const answer = concat([await frameOf(log), new Uint8Array(more)]);
    await using scene = await stage(answering(answer), { logs: [log.log], shown: [log], keep });
    const message = "answered more, expected 104 bytes (1 frame of 104)";
    await assertFails(scene.call, { message, handed });
    assertEquals(scene.report.verdicts, ["matches"]);
  });
}

Deno.test("caller: a peer that answers without end is cut off", async () => {
  const log = await logOf("log.example/a", 3);
  const frame = await frameOf(log);
  const { handed, keep } = noting();
  let written = 0;
  await using scene = await stage(async (connection) => {
    try {
      for (; written < 1_000; written++) await connection.write(frame);
    } catch {
      // Cut off, as it should be.
    }
  }, { logs: [log.log], shown: [log], keep, capacity: FRAME_BYTES });
  const message = "answered more, expected 104 bytes (1 frame of 104)";
  await assertFails(scene.call, { message, handed });
  await settled();
  assertEquals(written < 5, true, `${written} frames were taken`);
});

Deno.test("caller: a peer that answers garbage has failed the exchange", async () => {
  const log = await logOf("log.example/a", 3);
  const { handed, keep } = noting();
  const garbage = [
    unsigned(await frameOf(log)),
    new Uint8Array(FRAME_BYTES).fill(0xff),
    new Uint8Array(FRAME_BYTES).fill(0x55),
    await frameOf(await logOf("log.example/stranger", 3)),
  ];
  for (const answer of garbage) {
    await using scene = await stage(answering(answer), { logs: [log.log], shown: [log], keep });
    const message = "answered with something that does not verify";
    await assertFails(scene.call, { message, handed });
    assertEquals(scene.report.verdicts, ["refused"]);
  }
});

Deno.test("caller: what a peer proves before it answers garbage is kept", async () => {
  const [ours, theirs] = await storiesOf(4);
  const other = await logOf("log.example/other", 2);
  const { handed, keep } = noting();
  const answer = concat([await frameOf(theirs), unsigned(await frameOf(other))]);
  const setting = { logs: [ours.log, other.log], shown: [ours, other], keep };
  await using scene = await stage(answering(answer), setting);
  await assertFails(scene.call, { message: "answered with something that does not verify" });
  assertEquals([handed, scene.report.verdicts], [[1], ["inconsistent", "refused"]]);
});

Deno.test("caller: bytes it has verified once it does not verify again", async () => {
  const log = await logOf("log.example/a", 3);
  const { log: counted, checked } = counting(log.log);
  const { party, network } = await partyOf({ logs: [counted] });
  party.judge.takeInOwn(await checkpointOf(log), "the log");
  const listener = network.listen(HERE);
  for (const _ of ["first", "second"]) {
    const calling = callPeer({ party, callee: HERE });
    await answering(await frameOf(log))((await listener.accept())!);
    await calling;
  }
  listener.close();
  assertEquals(checked(), 1);
});

Deno.test("caller: a memory that refuses what is open leaves no connection behind", async () => {
  // Found by seed 219: the connection was made before what to send was known.
  const log = await logOf("log.example/a", 3);
  const { party, network, clock } = await partyOf({
    ...{ logs: [log.log], shown: [log] },
    open: () => {
      throw new WorldError("other", "the database refuses");
    },
  });
  const listener = network.listen(HERE);
  await assertRejects(() => callPeer({ party, callee: HERE }), WorldError, "database");
  listener.close();
  assertEquals(await listener.accept(), undefined, "nobody called");
  assertEquals(clock.pending, 0);
});
