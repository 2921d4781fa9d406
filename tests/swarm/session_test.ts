import { concat } from "@std/bytes/concat";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { CELL_BYTES, CELL_ROOM } from "../../src/swarm/cell.ts";
import {
  answerSession,
  KIND,
  type Session,
  SESSION_LIMITS,
  type SessionLimits,
} from "../../src/swarm/session.ts";
import { encodeMessage, uint32s } from "../../src/swarm/session_message.ts";
import { textOf, utf8 } from "../../src/tlog/encoding.ts";
import { type Connection, type Timer, WorldError } from "../../src/world/world.ts";
import { flipped } from "../conformance/vectors.ts";
import { ManualClock, settled } from "../gossip/fake_network.ts";
import { type Alter, throughMiddle } from "./middle.ts";
import { rawCall, type RawEnd } from "./raw_end.ts";
import { connectedInMemory, endOf, inSession, partyOf, readAll } from "./sessions.ts";

Deno.test("session: each end knows the other, and messages come whole and in order", async () => {
  const { caller, callee, parties } = await inSession();
  assertEquals(caller.member.text, parties.callee.signer.vkey.text);
  assertEquals(callee.member.text, parties.caller.signer.vkey.text);
  assertEquals([caller.isCaller, callee.isCaller], [true, false]);
  const long = "x".repeat(100_000);
  const said = [utf8(`{"hello":1}`), utf8(""), utf8(long)];
  const heard: string[] = [];
  const sending = (async () => {
    for (const body of said) await caller.send(KIND.said, body);
    await caller.finish();
  })();
  for await (const { kind, body } of callee.messages()) {
    assertEquals(kind, KIND.said);
    heard.push(textOf(body));
  }
  await sending;
  assertEquals(heard, said.map(textOf));
  assertEquals([await endOf(caller), await endOf(callee)], ["closed", "closed"]);
});

/** Timers come a little before their time, as those of a clock that is rounded do. */
class EarlyClock extends ManualClock {
  asked = 0;

  override after(ms: number, run: () => void): Timer {
    if (++this.asked > 1_000) throw new Error("a timer is set again and again");
    return super.after(ms * (1 - 1e-9), run);
  }
}

Deno.test("session: a timer that comes a little early is not set again and again", async () => {
  const clock = new EarlyClock();
  const connections = await connectedInMemory({ clock });
  const silence = Promise.withResolvers<undefined>();
  let isSilent = false;
  const heard = connections.caller;
  const deaf: Connection = {
    ...{ remote: heard.remote, write: (bytes) => heard.write(bytes) },
    ...{ closeWrite: () => heard.closeWrite(), close: () => heard.close() },
    async read(buffer) {
      const count = await heard.read(buffer);
      return isSilent ? await silence.promise : count;
    },
  };
  const { caller } = await inSession({ clock, connections: { ...connections, caller: deaf } });
  isSilent = true;
  await clock.advance(2 * SESSION_LIMITS.silenceMs);
  assertEquals(await endOf(caller), "silent");
  silence.resolve(undefined);
});

Deno.test("session: a stream carries bytes both ways, and each direction ends by itself", async () => {
  const served = Promise.withResolvers<void>();
  const onStream = async (stream: Connection): Promise<void> => {
    const asked = await readAll(stream);
    await stream.write(asked.toReversed());
    stream.close();
    served.resolve();
  };
  const { caller, callee, clock } = await inSession({ onStream });
  const stream = await caller.open();
  await stream.write(Uint8Array.of(1, 2, 3));
  await stream.closeWrite();
  assertEquals(await readAll(stream), Uint8Array.of(3, 2, 1));
  stream.close();
  await served.promise;
  await settled();
  assert(caller.roundTripMs !== undefined && callee.roundTripMs !== undefined);
  caller.close();
  await endOf(callee);
  assertEquals(clock.pending, 0, "no timer is left");
});

/** A session whose line alters what the callee is sent once the handshake is over. */
async function tamperedWith(alter: (cells: readonly Uint8Array[]) => readonly Uint8Array[]) {
  const clock = new ManualClock();
  let isOn = false;
  const held: Uint8Array[] = [];
  const all: Alter = ({ message, isThere }) => {
    if (!isThere || !isOn) return [message];
    held.push(message);
    return held.length < 3 ? [] : alter(held.splice(0));
  };
  const { connections } = await throughMiddle({ clock, alter: all });
  const pair = await inSession({ clock, connections });
  await settled();
  isOn = true;
  for (const text of ["first", "second", "third"]) await pair.caller.send(KIND.said, utf8(text));
  const heard: string[] = [];
  for await (const { body } of pair.callee.messages()) {
    heard.push(textOf(body));
    if (heard.length === 3) pair.callee.close();
  }
  const { kind, message } = await pair.callee.closed;
  pair.caller.close();
  assertEquals(clock.pending, 0);
  return { heard, kind, message };
}

Deno.test("session: a cell that is changed, repeated, left out or out of order ends it", async () => {
  const untouched = await tamperedWith((cells) => cells);
  assertEquals(untouched.heard, ["first", "second", "third"]);
  assertEquals(untouched.kind, "closed here");
  const cases: readonly [string, (cells: readonly Uint8Array[]) => readonly Uint8Array[]][] = [
    ["first bit", ([a, b, c]) => [a!, flipped(b!, 0), c!]],
    ["a bit in the filling", ([a, b, c]) => [a!, flipped(b!, 500), c!]],
    ["a bit of the tag", ([a, b, c]) => [a!, flipped(b!, CELL_BYTES - 1), c!]],
    ["repeated", ([a, b, c]) => [a!, a!, b!, c!]],
    ["left out", ([a, , c]) => [a!, c!]],
    ["out of order", ([a, b, c]) => [a!, c!, b!]],
  ];
  for (const [what, alter] of cases) {
    const { heard, kind, message } = await tamperedWith(alter);
    assertEquals(heard, ["first"], what);
    assertEquals(kind, "changed", what);
    assertStringIncludes(message, "a cell does not open");
  }
});

Deno.test("session: a cell that breaks off ends it", async () => {
  const { raw, callee, clock } = await rawlyCalled();
  const cell = raw.sealer.seal(encodeMessage(KIND.hello));
  await raw.connection.write(cell.subarray(0, 1_000));
  await raw.connection.closeWrite();
  const { kind, message } = await callee.closed;
  assertEquals(kind, "changed");
  assertStringIncludes(message, "after 1000 of the 1024 bytes");
  assertEquals(clock.pending, 0);
});

/** An honest callee, and a raw caller. */
async function rawlyCalled(
  { limits = {}, onStream = () => {}, capacity = 64 * 1024, sameKey = false }: {
    limits?: Partial<SessionLimits>;
    onStream?: (stream: Connection) => void;
    capacity?: number;
    sameKey?: boolean;
  } = {},
): Promise<{ raw: RawEnd; callee: Session; clock: ManualClock }> {
  const clock = new ManualClock();
  const connections = await connectedInMemory({ clock, capacity });
  const callee = await partyOf("callee.example", { clock, limits });
  const caller = await partyOf("caller.example", { clock });
  const [session, raw] = await Promise.all([
    answerSession({
      ...{ party: callee, connection: connections.callee, onStream },
      ...{ admits: () => true, speaksToStrangers: false, takesControl: true },
    }),
    rawCall({
      connection: connections.caller,
      party: sameKey ? { ...caller, signer: callee.signer } : caller,
    }),
  ]);
  // The proof and the first ping.
  await raw.cell();
  return { raw, callee: session, clock };
}

Deno.test("session: a message longer than its kind may be ends it, before it has come", async () => {
  const limits = SESSION_LIMITS;
  const longest: readonly [kind: number, bytes: number][] = [
    [KIND.hello, limits.maxHelloBytes],
    [KIND.said, limits.maxSaidBytes],
    [KIND.rumour, limits.maxRumourBytes],
    [KIND.bye, limits.maxByeBytes],
    [KIND.control, limits.maxControlBytes],
    [KIND.controlAnswer, limits.maxControlAnswerBytes],
    [200, limits.maxUnknownMessageBytes],
  ];
  for (const [kind, bytes] of longest) {
    const { raw, callee } = await rawlyCalled();
    await raw.say(encodeMessage(kind, new Uint8Array(bytes + 1)).subarray(0, 5));
    const fault = await callee.closed;
    assertEquals(fault.kind, "malformed", `kind ${kind}`);
    assertStringIncludes(fault.message, `of ${bytes + 1} bytes`);
  }
  for (const [kind, bytes] of longest) {
    const { raw, callee } = await rawlyCalled({ sameKey: true });
    const sending = raw.tell(kind, new Uint8Array(bytes));
    const then = raw.tell(KIND.bye);
    for await (const message of callee.messages()) {
      if (message.kind === KIND.bye && message.body.length === 0) break;
      assertEquals([message.kind, message.body.length], [kind, bytes]);
    }
    await Promise.all([sending, then]);
    callee.close();
  }
});

Deno.test("session: messages of one size with another size end it", async () => {
  const bad: readonly (readonly [kind: number, bytes: number])[] = [
    ...[KIND.open, KIND.end, KIND.reset].flatMap((kind) => [[kind, 3], [kind, 5]] as const),
    ...[[KIND.ping, 7], [KIND.ping, 9], [KIND.pong, 0], [KIND.credit, 4]] as const,
    ...[[KIND.data, 4], [KIND.data, 4 + SESSION_LIMITS.streamWindowBytes + 1]] as const,
  ];
  for (const [kind, bytes] of bad) {
    const { raw, callee } = await rawlyCalled();
    await raw.say(encodeMessage(kind, new Uint8Array(bytes)).subarray(0, 1_000));
    assertEquals(await endOf(callee), "malformed", `kind ${kind} of ${bytes}`);
  }
});

Deno.test("session: messages of unknown kinds are passed over, wherever cells part them", async () => {
  const { raw, callee } = await rawlyCalled();
  const unknown = [99, 0, 255].map((kind) => encodeMessage(kind, new Uint8Array(3_000)));
  const hello = encodeMessage(KIND.hello, utf8("{}"));
  await raw.say(concat([...unknown, hello]));
  for (const byte of hello) await raw.say(Uint8Array.of(byte));
  const heard: string[] = [];
  for await (const { kind, body } of callee.messages()) {
    heard.push(`${kind} ${textOf(body)}`);
    if (heard.length === 2) break;
  }
  assertEquals(heard, ["2 {}", "2 {}"]);
  callee.close();
});

Deno.test("session: a second identity, and orders from another key, end it", async () => {
  const second = await rawlyCalled();
  await second.raw.tell(KIND.identity, new Uint8Array(100));
  const fault = await second.callee.closed;
  assertEquals(fault.kind, "malformed");
  assertStringIncludes(fault.message, "identity came after");
  for (const kind of [KIND.control, KIND.controlAnswer]) {
    const { raw, callee } = await rawlyCalled();
    await raw.tell(kind, utf8("{}"));
    const fault = await callee.closed;
    assertEquals(fault.kind, "malformed");
    assertStringIncludes(fault.message, "from another key");
  }
});

Deno.test("session: pings are answered, and measure; a pong to no ping ends it", async () => {
  const { raw, callee, clock } = await rawlyCalled();
  assertEquals(callee.roundTripMs, undefined);
  await raw.tell(KIND.ping, new Uint8Array(8).fill(7));
  assertEquals(await raw.hear(), { kind: KIND.pong, body: new Uint8Array(8).fill(7) });
  await raw.tell(KIND.pong, new Uint8Array(8));
  const fault = await callee.closed;
  assertEquals(fault.kind, "malformed");
  assertStringIncludes(fault.message, "answers no ping");
  assertEquals(clock.pending, 0);
});

Deno.test("session: the round trip is the time between a ping and its pong", async () => {
  const clock = new ManualClock();
  let isSlow = false;
  const { connections } = await throughMiddle({ clock });
  const slow: Connection = {
    ...{ remote: connections.callee.remote, close: () => connections.callee.close() },
    read: (buffer) => connections.callee.read(buffer),
    closeWrite: () => connections.callee.closeWrite(),
    write: async (bytes) => {
      // After the handshake, all that the callee sends takes 40 ms.
      if (isSlow) await new Promise<void>((sent) => clock.after(40, sent));
      await connections.callee.write(bytes);
    },
  };
  const pair = await inSession({
    ...{ clock, connections: { caller: connections.caller, callee: slow } },
  });
  isSlow = true;
  await settled();
  pair.caller.ping();
  await clock.advance(1_000);
  pair.caller.ping();
  await clock.advance(1_000);
  assertEquals(pair.caller.roundTripMs, 40);
  pair.caller.close();
  await endOf(pair.callee);
});

Deno.test("session: an idle one is kept alive by a ping each 30 s, and by nothing else", async () => {
  const clock = new ManualClock();
  const { connections, passed } = await throughMiddle({ clock });
  const { caller, callee } = await inSession({ clock, connections });
  await clock.advance(0);
  const before = passed.length;
  await clock.advance(SESSION_LIMITS.keepAliveMs - 1);
  assertEquals(passed.length, before);
  const pings = 120;
  await clock.advance(pings * SESSION_LIMITS.keepAliveMs);
  assertEquals([caller.fault, callee.fault], [undefined, undefined]);
  const perPing = (passed.length - before) / pings;
  assert(perPing >= 2 && perPing <= 4, `${perPing} cells each 30 s`);
  caller.close();
  await endOf(callee);
  assertEquals(clock.pending, 0);
});

Deno.test("session: an end whose ping is not answered goes on showing that it is there", async () => {
  const { raw, clock, callee } = await rawlyCalled();
  // The caller is busy: it says something now and then, and answers no ping.
  for (let i = 0; i < 6; i++) {
    await clock.advance(SESSION_LIMITS.keepAliveMs);
    assertEquals(await raw.cell(), new Uint8Array(0));
    await raw.tell(KIND.hello);
  }
  assertEquals(callee.fault, undefined);
  callee.close();
});

Deno.test("session: 90 s of silence end it, and a cell that never becomes whole is silence", async () => {
  for (const trickles of [false, true]) {
    const { raw, callee, clock } = await rawlyCalled();
    const cell = raw.sealer.seal(encodeMessage(KIND.hello, utf8("{}")));
    await clock.advance(SESSION_LIMITS.silenceMs - 1);
    if (trickles) await raw.connection.write(cell.subarray(0, 1_023));
    await settled();
    assertEquals(callee.fault, undefined);
    await clock.advance(1);
    assertEquals(callee.fault?.kind, "silent");
    assertEquals(clock.pending, 0);
  }
  const { raw, callee, clock } = await rawlyCalled();
  await clock.advance(SESSION_LIMITS.silenceMs - 1);
  await raw.tell(KIND.hello);
  await clock.advance(SESSION_LIMITS.silenceMs - 1);
  assertEquals(callee.fault, undefined);
  await clock.advance(1);
  assertEquals(callee.fault?.kind, "silent");
});

Deno.test("session: an end that does not read makes senders wait, then loses the session", async () => {
  const { callee, clock } = await rawlyCalled({ capacity: 4_096 });
  const first = callee.send(KIND.said, new Uint8Array(600_000));
  const second = callee.send(KIND.said, new Uint8Array(600_000));
  const third = callee.send(KIND.said, new Uint8Array(600_000));
  for (const each of [first, second, third]) each.catch(() => {});
  const tooMuch = await assertRejects(
    () => callee.send(KIND.said, new Uint8Array(600_000)),
    WorldError,
    "wait for caller.example to read them",
  );
  assertEquals(tooMuch.kind, "too large");
  await clock.advance(SESSION_LIMITS.writeMs - 1);
  assertEquals(callee.fault, undefined);
  await clock.advance(1);
  assertEquals(callee.fault?.kind, "unread");
  for (const each of [first, second, third]) await assertRejects(() => each, WorldError);
  await assertRejects(() => callee.send(KIND.said, utf8("{}")), WorldError, "read nothing");
  await assertRejects(() => callee.open(), WorldError, "read nothing");
  assertEquals(clock.pending, 0);
});

Deno.test("session: if the connection breaks, whoever waits for a message to be sent is told", async () => {
  // One message is being written, all of it; the other one waits.
  const { raw, callee, clock } = await rawlyCalled({ capacity: 4_096 });
  const sends = [callee.send(KIND.said, new Uint8Array(9_000)), callee.send(KIND.bye, utf8("{}"))];
  for (const each of sends) each.catch(() => {});
  await settled();
  raw.connection.close();
  for (const each of sends) await assertRejects(() => each, WorldError);
  assert(["closed", "broken"].includes(await endOf(callee)));
  assertEquals(clock.pending, 0);
});

Deno.test("session: pings by the thousand that nobody reads the answers of end it", async () => {
  const { raw, callee, clock } = await rawlyCalled({ capacity: 4_096 });
  const pings = Array.from({ length: 2_000 }, () => encodeMessage(KIND.ping, new Uint8Array(8)));
  await raw.say(concat(pings)).catch(() => {});
  const fault = await callee.closed;
  assertEquals(fault.kind, "unread");
  assertStringIncludes(fault.message, "256 short messages wait");
  assertEquals(clock.pending, 0);
});

Deno.test("session: what nobody takes is kept up to its limit, then nothing more is read", async () => {
  const sizes = [{ bytes: 500_000, kept: 2 }, { bytes: 0, kept: 256 }];
  for (const { bytes, kept } of sizes) {
    const { raw, callee, clock } = await rawlyCalled({ capacity: 4_096 });
    // What the callee sends to keep the session alive is read.
    const reading = (async () => {
      while (await raw.cell() !== undefined);
    })().catch(() => {});
    let sent = 0;
    const sending = (async () => {
      while (sent < 1_000) {
        await raw.tell(KIND.said, new Uint8Array(bytes));
        sent++;
      }
    })().catch(() => {});
    while (sent < kept) await settled();
    for (let i = 0; i < 20; i++) await settled();
    // The pipe and the read buffer hold some cells more, each with a message.
    assert(sent <= kept + 24, `${sent} were taken`);
    // It is this end that is slow, so the silence is not the other's fault.
    await clock.advance(SESSION_LIMITS.silenceMs * 3);
    assertEquals(callee.fault, undefined);
    let taken = 0;
    for await (const { body } of callee.messages()) {
      assertEquals(body.length, bytes);
      if (++taken === kept + 30) break;
    }
    callee.close();
    raw.connection.close();
    await Promise.all([sending, reading]);
    assertEquals(clock.pending, 0);
  }
});

Deno.test("session: a fault of our own in what serves a stream is told as ours", async () => {
  const { raw, callee } = await rawlyCalled({
    onStream: () => {
      throw new TypeError("a bug");
    },
  });
  await raw.tell(KIND.open, uint32s(1));
  const fault = await callee.closed;
  assertEquals(fault.kind, "failed");
  assert(fault.cause instanceof TypeError);
});

Deno.test("session: to finish sends what waits, and waits no longer than it may", async () => {
  const { raw, callee, clock } = await rawlyCalled();
  const bye = callee.send(KIND.bye, utf8("{}"));
  const finished = callee.finish();
  await bye;
  await assertRejects(() => callee.send(KIND.bye, utf8("{}")), WorldError, "being closed");
  assertEquals((await raw.hear())?.kind, KIND.bye);
  assertEquals(await raw.hear(), undefined);
  await clock.advance(SESSION_LIMITS.lingerMs - 1);
  assertEquals(callee.fault, undefined);
  await clock.advance(1);
  await finished;
  assertEquals(callee.fault?.kind, "closed here");
  assertEquals(clock.pending, 0);
});

for (const [what, limits] of [["4,096", {}], ["16", { cellsPerKey: 16 }]] as const) {
  Deno.test(`session: both directions go on over a new key after ${what} cells`, async () => {
    const clock = new ManualClock();
    const { cellsPerKey } = { ...SESSION_LIMITS, ...limits };
    const { connections, passed } = await throughMiddle({ clock });
    const { caller, callee } = await inSession({ clock, connections, limits });
    const messages = Math.ceil(cellsPerKey * 2.5 / 590);
    const body = new Uint8Array(590 * CELL_ROOM).fill(9);
    const count = async (session: Session): Promise<number> => {
      let heard = 0;
      for await (const message of session.messages()) {
        assertEquals(message.body.length, body.length);
        if (++heard === messages) break;
      }
      return heard;
    };
    const send = async (session: Session): Promise<void> => {
      for (let i = 0; i < messages; i++) await session.send(KIND.said, body);
    };
    await Promise.all([send(caller), send(callee), count(caller), count(callee)]);
    for (const isThere of [true, false]) {
      const cells = passed.filter((passing) => passing.isThere === isThere).length;
      assert(cells > 2 * cellsPerKey, `${cells} cells`);
    }
    caller.close();
    await endOf(callee);
  });
}

Deno.test("session: on the wire, all messages are of one size and nothing is readable", async () => {
  const clock = new ManualClock();
  const note = "Example log\n7\nlZbKYB46aWZNGHCwdD+20xSMpL5MchGjw6NKAZBs1NI=\n";
  const { connections: lines, passed, done } = await throughMiddle({ clock });
  const written: { bytes: number; isFirst: boolean }[] = [];
  const connections = {
    caller: recorded(lines.caller, (bytes, isFirst) => written.push({ bytes, isFirst })),
    callee: recorded(lines.callee, (bytes) => written.push({ bytes, isFirst: false })),
  };
  const { caller, callee, parties } = await inSession({
    ...{ clock, connections },
    onStream: async (stream) => {
      await readAll(stream);
      await stream.write(utf8(note.repeat(40)));
      stream.close();
    },
  });
  await caller.send(KIND.said, utf8(note));
  await callee.send(KIND.hello, utf8(`{"name":"callee.example"}`));
  const stream = await caller.open();
  await stream.write(utf8(note.repeat(30)));
  await stream.closeWrite();
  await readAll(stream);
  await clock.advance(SESSION_LIMITS.keepAliveMs * 3);
  await caller.finish();
  await done;
  assert(passed.length > 10);
  // Before the caller's first message is the byte that says what this is.
  assert(written.every(({ bytes, isFirst }) => bytes % CELL_BYTES === (isFirst ? 1 : 0)));
  assertEquals(
    written.reduce((sum, { bytes }) => sum + bytes, 0),
    1 + passed.length * CELL_BYTES,
  );
  const secrets = [
    ...[parties.caller, parties.callee].flatMap(({ signer: { vkey } }) => [vkey.name, vkey.text]),
    ...["Example log", "lZbKYB46aWZNGHCw", "hearsay"],
  ].map(utf8);
  // Of message 1, all but its key is zeros.
  assertEquals(passed[0]!.message.subarray(32), new Uint8Array(CELL_BYTES - 32));
  const zeros = new Uint8Array(8);
  for (const { message, isThere, index } of passed) {
    for (const secret of secrets) assertEquals(positionOf(secret, message), -1);
    if (!isThere || index > 0) assertEquals(positionOf(zeros, message), -1);
  }
});

/** A connection that tells how much is written at a time. */
function recorded(
  connection: Connection,
  tell: (bytes: number, isFirst: boolean) => void,
): Connection {
  let isFirst = true;
  return {
    ...{ remote: connection.remote, close: () => connection.close() },
    read: (buffer) => connection.read(buffer),
    closeWrite: () => connection.closeWrite(),
    write(bytes) {
      tell(bytes.length, isFirst);
      isFirst = false;
      return connection.write(bytes);
    },
  };
}

function positionOf(part: Uint8Array, whole: Uint8Array): number {
  return new TextDecoder("latin1").decode(whole).indexOf(new TextDecoder("latin1").decode(part));
}
