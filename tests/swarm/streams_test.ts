import { concat } from "@std/bytes/concat";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import {
  answerSession,
  KIND,
  type Session,
  SESSION_LIMITS,
  type SessionLimits,
} from "../../src/swarm/session.ts";
import { encodeMessage, uint32s } from "../../src/swarm/session_message.ts";
import { type Connection, WorldError } from "../../src/world/world.ts";
import { ManualClock, settled } from "../gossip/fake_network.ts";
import { rawCall, type RawEnd } from "./raw_end.ts";
import { connectedInMemory, endOf, inSession, partyOf, readAll } from "./sessions.ts";

const { streamWindowBytes: WINDOW, maxStreams: MAX_STREAMS, openMs } = SESSION_LIMITS;

/** Bytes that differ from place to place, and from one `seed` to another. */
function pattern(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) * 7 + seed) & 0xff);
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, i) => byte === other[i]);
}

/** Reads so many bytes. */
async function readSome(connection: Connection, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  for (let at = 0; at < count;) {
    const read = await connection.read(bytes.subarray(at));
    if (read === undefined) throw new Error(`it ended after ${at} bytes`);
    at += read;
  }
  return bytes;
}

/** A pair, and one stream of the caller's with both its ends. */
async function withStream(limits: Partial<SessionLimits> = {}) {
  const streams: Connection[] = [];
  const pair = await inSession({ limits, onStream: (stream) => streams.push(stream) });
  const near = await pair.caller.open();
  while (streams.length === 0) await settled();
  const end = async (): Promise<void> => {
    pair.caller.close();
    await endOf(pair.callee);
    assertEquals(pair.clock.pending, 0);
  };
  return { ...pair, near, far: streams[0]!, streams, end };
}

/** Settles until nothing more happens in memory. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 50; i++) await settled();
}

Deno.test("streams: both directions at once, each ends by itself", async () => {
  const { near, far, end } = await withStream();
  assertEquals(near.remote.hostname, "192.0.2.2");
  assertEquals(far.remote.hostname, "192.0.2.1");
  const [there, back] = [pattern(300_000, 1), pattern(200_000, 2)];
  const [heardFar, heardNear] = await Promise.all([
    readAll(far),
    readAll(near),
    near.write(there).then(() => near.closeWrite()),
    far.write(back).then(() => far.closeWrite()),
  ]);
  assert(sameBytes(heardFar, there) && sameBytes(heardNear, back));
  await end();
});

Deno.test("streams: an end that has finished sending can still be written to", async () => {
  const { near, far, end } = await withStream();
  await near.closeWrite();
  assertEquals(await far.read(new Uint8Array(9)), undefined);
  assertEquals(await far.read(new Uint8Array(9)), undefined, "and again");
  await assertRejects(() => near.write(pattern(1)), WorldError, "closed here");
  await near.closeWrite();
  await far.write(pattern(5));
  assertEquals(await readSome(near, 5), pattern(5));
  far.close();
  assertEquals(await near.read(new Uint8Array(9)), undefined);
  await end();
});

Deno.test("streams: who writes waits for who reads, after a window and no sooner", async () => {
  const { near, far, end } = await withStream();
  let written = 0;
  const write = async (bytes: number): Promise<void> => {
    await near.write(pattern(bytes));
    written += bytes;
  };
  await write(WINDOW - 1);
  await write(1);
  const writing = write(1);
  await quiet();
  assertEquals(written, WINDOW);
  // Half a window must be read before the other end is told.
  await readSome(far, WINDOW / 2 - 1);
  await quiet();
  assertEquals(written, WINDOW);
  await readSome(far, 1);
  await writing;
  assertEquals(written, WINDOW + 1);
  await end();
});

Deno.test("streams: one that nobody reads holds up no other, and no message", async () => {
  const { caller, callee, streams, near, end } = await withStream();
  const stuck = near.write(pattern(3 * WINDOW)).catch(() => {});
  await quiet();
  const other = await caller.open();
  await other.write(pattern(100));
  while (streams.length < 2) await settled();
  assertEquals(await readSome(streams[1]!, 100), pattern(100));
  await caller.send(KIND.said, pattern(3));
  for await (const { body } of callee.messages()) {
    assertEquals(body, pattern(3));
    break;
  }
  await end();
  await stuck;
});

Deno.test("streams: to close sends what was written, and then the end", async () => {
  const { near, far, end } = await withStream();
  await near.write(pattern(1_000));
  near.close();
  near.close();
  assertEquals(await readAll(far), pattern(1_000));
  await assertRejects(() => far.write(pattern(1)), WorldError, "reset");
  await assertRejects(() => near.read(new Uint8Array(1)), WorldError, "closed here");
  await assertRejects(() => near.write(pattern(1)), WorldError, "closed here");
  await end();
});

Deno.test("streams: to close while a write or a read waits ends it, and the other end is told it broke off", async () => {
  const { near, far, end } = await withStream();
  const writing = near.write(pattern(2 * WINDOW));
  const reading = near.read(new Uint8Array(1));
  await quiet();
  near.close();
  const failures = await Promise.allSettled([writing, reading]);
  assertEquals(failures.map(({ status }) => status), ["rejected", "rejected"]);
  // What came before can be read, but it is not taken for the whole.
  assertEquals((await readSome(far, WINDOW)).length, WINDOW);
  await assertRejects(() => far.read(new Uint8Array(1)), WorldError, "reset the stream");
  far.close();
  await end();
});

Deno.test("streams: if the session ends, all waits on its streams end", async () => {
  const { near, far, caller, callee } = await withStream();
  const second = await caller.open();
  const waits = [
    second.read(new Uint8Array(1)),
    near.write(pattern(2 * WINDOW)),
    far.write(pattern(2 * WINDOW)),
  ];
  for (const wait of waits) wait.catch(() => {});
  await quiet();
  caller.close("enough");
  for (const wait of waits.slice(0, 2)) await assertRejects(() => wait, WorldError, "enough");
  await endOf(callee);
  await assertRejects(() => waits[2]!, WorldError, "closed the connection");
  await assertRejects(() => caller.open(), WorldError, "enough");
  near.close();
  far.close();
});

Deno.test("streams: at most 8 of one end are open; the ninth waits, and no longer than it may", async () => {
  const { caller, callee, near, clock, streams, end } = await withStream();
  for (let i = 1; i < MAX_STREAMS; i++) await caller.open();
  const late = caller.open();
  late.catch(() => {});
  await clock.advance(openMs - 1);
  let isOpen = false;
  const ninth = caller.open().finally(() => isOpen = true);
  await clock.advance(1);
  const { kind } = await assertRejects(() => late, WorldError, "8 streams were open");
  assertEquals(kind, "timed out");
  await quiet();
  assert(!isOpen);
  // The other end has places of its own.
  (await callee.open()).close();
  near.close();
  await ninth;
  while (streams.length < MAX_STREAMS + 1) await settled();
  await quiet();
  assertEquals(caller.fault, undefined);
  await end();
});

Deno.test("streams: one that both ends have finished gives its place back, though nobody closed it", async () => {
  const { caller, callee, clock } = await inSession({
    onStream: (stream) => void stream.closeWrite().catch(() => {}),
  });
  const finished: Connection[] = [];
  for (let i = 0; i < 2 * MAX_STREAMS; i++) {
    const stream = await caller.open();
    await stream.closeWrite();
    assertEquals(await readAll(stream), new Uint8Array(0));
    finished.push(stream);
  }
  for (const stream of finished) stream.close();
  caller.close();
  await endOf(callee);
  assertEquals(clock.pending, 0);
});

Deno.test("streams: thousands, one after the other, leave nothing behind", async () => {
  const { caller, callee, clock } = await inSession({
    onStream: (stream) => void readAll(stream).then(() => stream.close(), () => {}),
  });
  for (let i = 0; i < 2_000; i++) {
    const stream = await caller.open();
    if (i % 3 === 0) await stream.write(pattern(10));
    if (i % 2 === 0) {
      await stream.closeWrite();
      assertEquals(await readAll(stream), new Uint8Array(0));
    }
    stream.close();
  }
  await quiet();
  assertEquals([caller.fault, callee.fault], [undefined, undefined]);
  caller.close();
  await endOf(callee);
  assertEquals(clock.pending, 0);
});

Deno.test("streams: 2 MB through 8 at once, both ways", async () => {
  const each = 262_144;
  const { caller, callee, clock } = await inSession({
    onStream: (stream) => void echo(stream).catch(() => {}),
  });
  await Promise.all(Array.from({ length: MAX_STREAMS }, async (_, i) => {
    const opener: Session = i % 2 === 0 ? caller : callee;
    const stream = await opener.open();
    const sent = pattern(each, i);
    const [heard] = await Promise.all([
      readAll(stream),
      stream.write(sent).then(() => stream.closeWrite()),
    ]);
    assert(sameBytes(heard, sent), `stream ${i}`);
    stream.close();
  }));
  caller.close();
  await endOf(callee);
  assertEquals(clock.pending, 0);
});

async function echo(stream: Connection): Promise<void> {
  const buffer = new Uint8Array(10_000);
  for (let count; (count = await stream.read(buffer)) !== undefined;) {
    await stream.write(buffer.slice(0, count));
  }
  stream.close();
}

/** A callee that keeps its streams, and a raw caller. */
async function rawlyCalled({ capacity = 256 * 1024 } = {}) {
  const clock = new ManualClock();
  const connections = await connectedInMemory({ clock, capacity });
  const streams: Connection[] = [];
  const [callee, raw] = await Promise.all([
    answerSession({
      ...{ party: await partyOf("callee.example", { clock }), connection: connections.callee },
      ...{ onStream: (stream: Connection) => streams.push(stream) },
      ...{ admits: () => true, speaksToStrangers: false },
    }),
    rawCall({
      ...{ connection: connections.caller, party: await partyOf("caller.example", { clock }) },
    }),
  ]);
  await raw.cell();
  return { raw, callee, streams, clock };
}

const told = (kind: number, id: number, ...rest: readonly Uint8Array[]): Uint8Array =>
  encodeMessage(kind, uint32s(id), ...rest);

const BREACHES: readonly [what: string, because: string, messages: readonly Uint8Array[]][] = [
  ["data to a stream nobody opened", "nobody opened", [told(KIND.data, 1, pattern(1))]],
  ["an end of one", "nobody opened", [told(KIND.end, 7)]],
  ["a reset of one", "nobody opened", [told(KIND.reset, 2)]],
  ["a credit for one", "nobody opened", [told(KIND.credit, 9, uint32s(1))]],
  ["data to stream 0", "nobody opened", [told(KIND.data, 0, pattern(1))]],
  ["to open a number of the callee's", "not its next", [told(KIND.open, 2)]],
  ["to open stream 0", "not its next", [told(KIND.open, 0)]],
  ["to leave a number out", "not its next", [told(KIND.open, 3)]],
  ["to open one twice", "not its next", [told(KIND.open, 1), told(KIND.open, 1)]],
  ["to end one twice", "ended twice", [told(KIND.open, 1), told(KIND.end, 1), told(KIND.end, 1)]],
  ["data after the end", "after its end", [
    ...[told(KIND.open, 1), told(KIND.end, 1), told(KIND.data, 1, pattern(1))],
  ]],
  ["more than the window", "1 bytes came on stream 1, and 0 were allowed", [
    ...[told(KIND.open, 1), told(KIND.data, 1, pattern(WINDOW)), told(KIND.data, 1, pattern(1))],
  ]],
  ["a credit of nothing", "a credit of 0 bytes", [
    ...[told(KIND.open, 1), told(KIND.credit, 1, uint32s(0))],
  ]],
  ["a credit for what was not sent", "a credit of 1 bytes for stream 1, which has used 0", [
    ...[told(KIND.open, 1), told(KIND.credit, 1, uint32s(1))],
  ]],
];

for (const [what, because, messages] of BREACHES) {
  Deno.test(`streams: ${what} ends the session`, async () => {
    const { raw, callee, clock } = await rawlyCalled();
    await raw.say(concat(messages));
    const fault = await callee.closed;
    assertEquals(fault.kind, "malformed");
    assertStringIncludes(fault.message, because);
    assertEquals(clock.pending, 0);
  });
}

Deno.test("streams: a whole window is taken", async () => {
  const { raw, callee, streams } = await rawlyCalled();
  await raw.say(concat([told(KIND.open, 1), told(KIND.data, 1, pattern(WINDOW))]));
  while (streams.length === 0) await settled();
  assert(sameBytes(await readSome(streams[0]!, WINDOW), pattern(WINDOW)));
  assertEquals(await raw.hear(), { kind: KIND.credit, body: uint32s(1, WINDOW) });
  callee.close();
});

Deno.test("streams: a ninth that is opened is reset, and what is sent on it is passed over", async () => {
  const { raw, callee, streams } = await rawlyCalled();
  const ids = Array.from({ length: MAX_STREAMS + 1 }, (_, i) => 2 * i + 1);
  await raw.say(concat(ids.map((id) => told(KIND.open, id))));
  const ninth = ids.at(-1)!;
  assertEquals(await raw.hear(), { kind: KIND.reset, body: uint32s(ninth) });
  await raw.say(concat([told(KIND.data, ninth, pattern(9)), told(KIND.end, ninth)]));
  await raw.tell(KIND.ping, pattern(8));
  assertEquals((await raw.hear())?.kind, KIND.pong);
  assertEquals([streams.length, callee.fault], [MAX_STREAMS, undefined]);
  callee.close();
});

Deno.test("streams: opens by the thousand end the session, if nobody reads their resets", async () => {
  const { raw, callee, clock, streams } = await rawlyCalled({ capacity: 4_096 });
  const opens = Array.from({ length: 5_000 }, (_, i) => told(KIND.open, 2 * i + 1));
  await raw.say(concat(opens)).catch(() => {});
  assertEquals(await endOf(callee), "unread");
  assertEquals(streams.length, MAX_STREAMS);
  assertEquals(clock.pending, 0);
});

Deno.test("streams: what comes for a stream that was closed here is passed over", async () => {
  const { raw, callee, streams } = await rawlyCalled();
  await raw.say(concat([told(KIND.open, 1), told(KIND.data, 1, pattern(10))]));
  while (streams.length === 0) await settled();
  streams[0]!.close();
  assertEquals(await raw.hear(), { kind: KIND.end, body: uint32s(1) });
  assertEquals(await raw.hear(), { kind: KIND.reset, body: uint32s(1) });
  await raw.say(concat([
    ...[told(KIND.data, 1, pattern(WINDOW)), told(KIND.credit, 1, uint32s(5))],
    ...[told(KIND.end, 1), told(KIND.reset, 1)],
  ]));
  await askedAndAnswered(raw);
  assertEquals(callee.fault, undefined);
  callee.close();
});

async function askedAndAnswered(raw: RawEnd): Promise<void> {
  await raw.tell(KIND.ping, pattern(8));
  assertEquals((await raw.hear())?.kind, KIND.pong);
}

Deno.test("streams: data a byte at a time takes no more room than its bytes", async () => {
  const { raw, callee, streams } = await rawlyCalled();
  await raw.tell(KIND.open, uint32s(1));
  const bytes = pattern(WINDOW);
  const messages = Array.from(bytes, (byte) => told(KIND.data, 1, Uint8Array.of(byte)));
  const sending = raw.say(concat(messages));
  while (streams.length === 0) await settled();
  const heard: number[] = [];
  const small = new Uint8Array(777);
  while (heard.length < WINDOW) {
    const count = (await streams[0]!.read(small))!;
    heard.push(...small.subarray(0, count));
  }
  await sending;
  assert(sameBytes(Uint8Array.from(heard), bytes));
  callee.close();
});
