import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { CELL_BYTES, CellSealer } from "../../src/swarm/cell.ts";
import { makeProof, openProof, padProof, type Proven } from "../../src/swarm/identity.ts";
import { Handshake } from "../../src/swarm/noise.ts";
import {
  answerSession,
  callSession,
  isSession,
  KIND,
  newStaticKey,
  type Session,
  SESSION_LIMITS,
  type SessionParty,
} from "../../src/swarm/session.ts";
import { encodeMessage, uint32s } from "../../src/swarm/session_message.ts";
import { concat } from "@std/bytes/concat";
import { utf8 } from "../../src/tlog/encoding.ts";
import type { Connection } from "../../src/world/world.ts";
import { keyPair } from "../../src/world/x25519.ts";
import { flipped } from "../conformance/vectors.ts";
import { ManualClock, settled } from "../gossip/fake_network.ts";
import { connected, world } from "../world/helpers.ts";
import { throughMiddle } from "./middle.ts";
import { PROOF_PAYLOAD_BYTES, rawAnswer, rawCall } from "./raw_end.ts";
import {
  attempt,
  connectedInMemory,
  endOf,
  faultOf,
  inSession,
  partyOf,
  readAll,
  sessionOf,
} from "./sessions.ts";

const onStream = (stream: Connection): void => stream.close();

/** What became of a session that one end began with `run`, and the honest other end. */
async function against(
  run: (parts: {
    connection: Connection;
    parties: { caller: SessionParty; callee: SessionParty };
  }) => Promise<unknown>,
  { honest, speaksToStrangers = false }: {
    honest: "caller" | "callee";
    speaksToStrangers?: boolean;
  },
) {
  const clock = new ManualClock();
  const connections = await connectedInMemory({ clock });
  const parties = {
    caller: await partyOf("caller.example", { clock }),
    callee: await partyOf("callee.example", { clock }),
  };
  const party = parties[honest];
  const begun: Promise<Session> = honest === "caller"
    ? callSession({
      ...{ party, connection: connections.caller, onStream },
      expected: parties.callee.signer.vkey,
    })
    : answerSession({
      ...{ party, connection: connections.callee, onStream },
      ...{ admits: () => true, speaksToStrangers },
    });
  const other = connections[honest === "caller" ? "callee" : "caller"];
  const [result] = await Promise.allSettled([begun, run({ connection: other, parties })]);
  if (result.status === "fulfilled") result.value.close();
  other.close();
  return { result, clock };
}

Deno.test("handshake: whoever answers and is not who was called is refused", async () => {
  const clock = new ManualClock();
  const { signer: { vkey } } = await partyOf("other.example", { clock });
  const { caller, callee, parties } = await attempt({ clock, expected: vkey });
  const { kind, message } = faultOf(caller);
  assertEquals(kind, "another");
  assertEquals(message, `expected ${vkey.text}, ${parties.callee.signer.vkey.text} answered`);
  assertEquals(await endOf(sessionOf(callee)), "closed");
  assertEquals(clock.pending, 0);
});

Deno.test("handshake: the same name under another key is not who was called", async () => {
  const { signer: { vkey } } = await partyOf("callee.example");
  const { caller, callee } = await attempt({ expected: vkey });
  assertEquals(faultOf(caller).kind, "another");
  sessionOf(callee).close();
});

Deno.test("handshake: a caller that is not admitted gets nothing after message 2", async () => {
  const clock = new ManualClock();
  const asked: string[] = [];
  const { connections, passed, done } = await throughMiddle({ clock });
  const { caller, callee, parties } = await attempt({
    ...{ clock, connections },
    admits: (vkey) => asked.push(vkey.text) === 0,
  });
  await done;
  assertEquals(asked, [parties.caller.signer.vkey.text]);
  assertEquals(faultOf(callee).kind, "unknown");
  assertStringIncludes(faultOf(callee).message, "caller.example");
  assert(["closed", "broken"].includes(faultOf(caller).kind));
  assertEquals(passed.filter(({ isThere }) => !isThere).length, 1, "message 2 alone");
  assertEquals(clock.pending, 0);
});

Deno.test("handshake: where strangers are spoken to, one learns who it is and may be told why", async () => {
  const { caller, callee, parties } = await inSession({
    ...{ admits: () => false, speaksToStrangers: true },
  });
  assertEquals(callee.isAdmitted, false);
  assertEquals(caller.member.text, parties.callee.signer.vkey.text);
  await callee.send(KIND.hello, utf8(`{"refused":"unknown"}`));
  const [message] = await Array.fromAsync(firstOf(caller));
  assertEquals(message!.kind, KIND.hello);
  caller.close();
  callee.close();
});

async function* firstOf(session: Session) {
  for await (const message of session.messages()) {
    yield message;
    return;
  }
}

Deno.test("handshake: a first byte of another version or kind is refused", async () => {
  const cases = [
    [0xc2, "version", "it speaks version 2, and this is 1"],
    [0xc0, "version", "it speaks version 0"],
    [0xff, "version", "it speaks version 63"],
    [0x81, "no session", "byte 129"],
    [0x00, "no session", "byte 0"],
  ] as const;
  for (const [byte, kind, message] of cases) {
    assertEquals(isSession(byte), kind === "version");
    const { result, clock } = await against(
      async ({ connection }) => {
        await connection.write(Uint8Array.of(byte));
        assertEquals(await readAll(connection).catch(() => "broken"), "broken", "it says nothing");
      },
      { honest: "callee" },
    );
    assertEquals(faultOf(result).kind, kind);
    assertStringIncludes(faultOf(result).message, message);
    assertEquals(clock.pending, 0);
  }
});

Deno.test("handshake: a later version has another prologue, so a changed first byte gains nothing", () => {
  const ends = ["hearsay/session/v2\n", "hearsay/session/v1\n"].map((prologue, i) =>
    new Handshake({
      ...{ isInitiator: i === 0, own: newStaticKey(world.random), prologue: utf8(prologue) },
      ephemeral: newStaticKey(world.random),
    })
  );
  ends[1]!.read(ends[0]!.write(new Uint8Array(992)));
  assertEquals(ends[0]!.read(ends[1]!.write(new Uint8Array(928))), undefined);
});

Deno.test("handshake: messages 2 and 3 with any byte of their payload changed are not read", () => {
  const [one, two] = [newStaticKey(world.random), newStaticKey(world.random)];
  const [three, four] = [newStaticKey(world.random), newStaticKey(world.random)];
  const fresh = () =>
    [
      new Handshake({ isInitiator: true, own: one, ephemeral: two, prologue: utf8("p") }),
      new Handshake({ isInitiator: false, own: three, ephemeral: four, prologue: utf8("p") }),
    ] as const;
  const payloads = [new Uint8Array(992), new Uint8Array(928), new Uint8Array(960).fill(3)] as const;
  for (const at of [1, 2] as const) {
    const from = CELL_BYTES - payloads[at].length - 16;
    for (let byte = from; byte < CELL_BYTES; byte++) {
      const ends = fresh();
      for (let i = 0; i < at; i++) ends[(i + 1) % 2]!.read(ends[i % 2]!.write(payloads[i]!));
      const message = ends[at % 2]!.write(payloads[at]);
      assertEquals(message.length, CELL_BYTES);
      assertEquals(ends[(at + 1) % 2]!.read(flipped(message, byte)), undefined, `byte ${byte}`);
    }
  }
});

Deno.test("handshake: each message that is changed on the way ends it, at the end that reads it", async () => {
  const places = [
    // Message 1 is not sealed: what changes its key is found with message 2, its filling at once.
    { isThere: true, index: 0, byte: 0, refusedBy: "caller", kind: "changed" },
    { isThere: true, index: 0, byte: 32, refusedBy: "callee", kind: "malformed" },
    { isThere: true, index: 0, byte: 1_023, refusedBy: "callee", kind: "malformed" },
    { isThere: false, index: 0, byte: 0, refusedBy: "caller", kind: "changed" },
    { isThere: false, index: 0, byte: 40, refusedBy: "caller", kind: "changed" },
    { isThere: false, index: 0, byte: 1_000, refusedBy: "caller", kind: "changed" },
    { isThere: true, index: 1, byte: 0, refusedBy: "callee", kind: "changed" },
    { isThere: true, index: 1, byte: 60, refusedBy: "callee", kind: "changed" },
    { isThere: true, index: 1, byte: 1_023, refusedBy: "callee", kind: "changed" },
    { isThere: false, index: 1, byte: 0, refusedBy: "caller", kind: "changed" },
    { isThere: false, index: 1, byte: 1_023, refusedBy: "caller", kind: "changed" },
  ] as const;
  for (const { isThere, index, byte, refusedBy, kind } of places) {
    const clock = new ManualClock();
    const { connections, done } = await throughMiddle({
      clock,
      alter: (passing) =>
        passing.isThere === isThere && passing.index === index
          ? [flipped(passing.message, byte)]
          : [passing.message],
    });
    const results = await attempt({ clock, connections });
    assertEquals(faultOf(results[refusedBy]).kind, kind, `${isThere} ${index} ${byte}`);
    const other = results[refusedBy === "caller" ? "callee" : "caller"];
    if (other.status === "fulfilled") other.value.close();
    await done;
    assertEquals(clock.pending, 0);
  }
});

Deno.test("handshake: a member in the middle cannot pass one member's proof on as its own session", async () => {
  const clock = new ManualClock();
  const [toMallory, toVictim] = [
    await connectedInMemory({ clock }),
    await connectedInMemory({ clock }),
  ];
  const [alice, mallory, victim] = [
    await partyOf("alice.example", { clock }),
    await partyOf("mallory.example", { clock }),
    await partyOf("victim.example", { clock }),
  ];
  // Alice calls Mallory, a member. Mallory calls the victim and offers what Alice has proven.
  const stolen = Promise.withResolvers<Uint8Array>();
  const answering = answerAndKeepProof(toMallory.callee, mallory, stolen.resolve);
  const call = callSession({
    ...{ party: alice, connection: toMallory.caller, expected: mallory.signer.vkey, onStream },
  });
  const victimSide = answerSession({
    ...{ party: victim, connection: toVictim.callee, onStream },
    ...{ admits: () => true, speaksToStrangers: true },
  });
  const relayed = rawCall({
    ...{ connection: toVictim.caller, party: mallory },
    prove: () => stolen.promise,
  });
  const [fault] = await Promise.allSettled([victimSide, relayed]);
  assertEquals(faultOf(fault).kind, "unproven");
  assertStringIncludes(faultOf(fault).message, "not that of alice.example as caller");
  const [called] = await Promise.allSettled([call, answering]);
  assertEquals(sessionOf(called).member.text, mallory.signer.vkey.text);
  sessionOf(called).close();
});

/** Answers as itself, and keeps the proof that the caller gave. */
async function answerAndKeepProof(
  connection: Connection,
  party: SessionParty,
  keep: (proof: Uint8Array) => void,
): Promise<void> {
  const noise = new Handshake({
    ...{ isInitiator: false, own: party.staticKey, prologue: utf8("hearsay/session/v1\n") },
    ephemeral: keyPair(party.random.bytes(32)),
  });
  const read = async (count: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(count);
    for (let at = 0; at < count;) at += (await connection.read(bytes.subarray(at)))!;
    return bytes;
  };
  await read(1);
  noise.read(await read(CELL_BYTES));
  await connection.write(noise.write(new Uint8Array(928)));
  const { hash } = noise;
  const payload = noise.read(await read(CELL_BYTES))!;
  const proof = payload.slice(2, 2 + new DataView(payload.buffer, payload.byteOffset).getUint16(0));
  const proven: Proven = { role: "caller", hash, staticKey: noise.remote! };
  assertEquals(openProof({ proof, proven }).name, "alice.example", "it was good here");
  keep(proof);
  const mine: Proven = { role: "callee", hash: noise.hash, staticKey: party.staticKey.publicKey };
  const identity = await makeProof({ signer: party.signer, proven: mine });
  const sealer = new CellSealer(noise.finish().sending);
  await connection.write(sealer.seal(encodeMessage(KIND.identity, identity)));
}

Deno.test("handshake: a proof of the other role is refused, by either end", async () => {
  const swapped = (party: SessionParty) => (proven: Proven) =>
    makeProof({
      signer: party.signer,
      proven: { ...proven, role: proven.role === "caller" ? "callee" : "caller" },
    });
  const called = await against(
    ({ connection, parties: { caller } }) =>
      rawCall({ connection, party: caller, prove: swapped(caller) }),
    { honest: "callee" },
  );
  assertEquals(faultOf(called.result).kind, "unproven");
  assertStringIncludes(faultOf(called.result).message, "as caller");
  const answered = await against(
    ({ connection, parties: { callee } }) =>
      rawAnswer({ connection, party: callee, prove: swapped(callee) }),
    { honest: "caller" },
  );
  assertEquals(faultOf(answered.result).kind, "unproven");
  assertStringIncludes(faultOf(answered.result).message, "as callee");
});

Deno.test("handshake: a callee cannot give a caller its own proof back", async () => {
  const { result } = await against(
    ({ connection, parties: { caller, callee } }) =>
      rawAnswer({
        ...{ connection, party: callee },
        prove: (proven) => makeProof({ signer: caller.signer, proven }),
      }),
    { honest: "caller" },
  );
  // Even if it had the caller's key, it is not who was called.
  assertEquals(faultOf(result).kind, "another");
});

Deno.test("handshake: message 3 with a proof of a wrong length, or with something behind it, is refused", async () => {
  const wraps: readonly [because: string, (proof: Uint8Array) => Uint8Array][] = [
    ["Something follows", (proof) => {
      const payload = padProof(proof, PROOF_PAYLOAD_BYTES);
      payload[959] = 1;
      return payload;
    }],
    ["there is room for 958", (proof) => {
      const payload = padProof(proof, PROOF_PAYLOAD_BYTES);
      new DataView(payload.buffer).setUint16(0, 959);
      return payload;
    }],
    ["The proof has 0 bytes", () => new Uint8Array(PROOF_PAYLOAD_BYTES)],
  ];
  for (const [because, wrap] of wraps) {
    const { result } = await against(
      ({ connection, parties: { caller } }) => rawCall({ connection, party: caller, wrap }),
      { honest: "callee" },
    );
    assertEquals(faultOf(result).kind, "unproven");
    assertStringIncludes(faultOf(result).message, because);
  }
});

Deno.test("handshake: the callee's first cell begins with its whole proof, or is refused", async () => {
  const wraps: readonly ((proof: Uint8Array) => Uint8Array)[] = [
    (proof) => encodeMessage(KIND.hello, proof),
    (proof) => encodeMessage(KIND.identity, proof).slice(0, -1),
    () => Uint8Array.of(KIND.identity),
    (proof) => concat([encodeMessage(KIND.hello), encodeMessage(KIND.identity, proof)]),
  ];
  for (const wrap of wraps) {
    const { result } = await against(
      ({ connection, parties: { callee } }) => rawAnswer({ connection, party: callee, wrap }),
      { honest: "caller" },
    );
    assertEquals(faultOf(result).kind, "unproven");
    assertStringIncludes(faultOf(result).message, "first cell");
  }
});

Deno.test("handshake: what follows the proof in the callee's first cell is heard", async () => {
  const { result } = await against(
    ({ connection, parties: { callee } }) =>
      rawAnswer({
        ...{ connection, party: callee },
        wrap: (proof) =>
          concat([
            encodeMessage(KIND.identity, proof),
            encodeMessage(KIND.hello, utf8("{}")),
          ]),
      }),
    { honest: "caller" },
  );
  const [message] = await Array.fromAsync(firstOf(sessionOf(result)));
  assertEquals(message, { kind: KIND.hello, body: utf8("{}") });
});

Deno.test("handshake: a key of small order ends it", async () => {
  const { result } = await against(
    ({ connection }) => connection.write(concat([Uint8Array.of(0xc1), new Uint8Array(CELL_BYTES)])),
    { honest: "callee" },
  );
  assertEquals(faultOf(result).kind, "changed");
  assertStringIncludes(faultOf(result).message, "small order");
});

Deno.test("handshake: our own key is answered and called for control alone", async () => {
  const clock = new ManualClock();
  const one = await partyOf("one.example", { clock });
  const two = { ...one, staticKey: newStaticKey(world.random) };
  const parties = { caller: two, callee: one };
  const good = await inSession({
    ...{ clock, parties, isControl: true, takesControl: true, admits: () => false },
  });
  assert(good.caller.isControl && good.callee.isControl && good.callee.isAdmitted);
  good.caller.close();
  await endOf(good.callee);
  const notTaken = await attempt({ clock, parties, isControl: true, admits: () => true });
  assertEquals(faultOf(notTaken.callee).kind, "own key");
  assertEquals(notTaken.caller.status, "rejected");
  const unnamed = await attempt({ clock, parties, takesControl: true });
  assertEquals(faultOf(unnamed.caller).kind, "own key");
  // Somebody else is no operator, whatever the local address allows.
  const stranger = await inSession({ clock, takesControl: true });
  assert(!stranger.callee.isControl);
  stranger.caller.close();
  await endOf(stranger.callee);
  const wrong = await attempt({ clock, isControl: true });
  assertEquals(faultOf(wrong.caller).kind, "own key");
  assertEquals(clock.pending, 0);
});

Deno.test("handshake: an end that falls silent at any step is given up after its time", async () => {
  const steps = [
    { honest: "caller", heard: 0, sent: 2 },
    { honest: "caller", heard: 1, sent: 4 },
    { honest: "callee", heard: 0, sent: 1 },
    { honest: "callee", heard: 1, sent: 3 },
  ] as const;
  for (const { honest, heard, sent } of steps) {
    const clock = new ManualClock();
    let passedOn = 0;
    const { connections, passed } = await throughMiddle({
      ...{ clock, carriesEnds: false },
      // What the other end says is held back from some message on.
      alter: ({ message, isThere }) =>
        isThere === (honest === "caller") || passedOn++ < heard ? [message] : [],
    });
    const parties = {
      caller: await partyOf("caller.example", { clock }),
      callee: await partyOf("callee.example", { clock }),
    };
    let isOver = false;
    const attempted = attempt({ clock, connections, parties }).finally(() => isOver = true);
    while (passed.length < sent) await settled();
    await clock.advance(SESSION_LIMITS.handshakeMs - 1);
    assert(!isOver);
    await clock.advance(1);
    const results = await attempted;
    assertEquals(faultOf(results[honest]).kind, "late", `${honest} after ${heard}`);
    assertStringIncludes(faultOf(results[honest]).message, "10000 ms");
    for (const result of [results.caller, results.callee]) {
      if (result.status === "fulfilled") result.value.close();
    }
    assertEquals(clock.pending, 0);
  }
});

Deno.test("handshake: an end that closes at any step is told to have closed", async () => {
  const callee = await against(async ({ connection }) => {
    await connection.write(Uint8Array.of(0xc1));
    await connection.closeWrite();
  }, { honest: "callee" });
  assertEquals(faultOf(callee.result).kind, "closed");
  const cut = await against(async ({ connection }) => {
    await connection.write(Uint8Array.of(0xc1, 5));
    await connection.closeWrite();
  }, { honest: "callee" });
  assertEquals(faultOf(cut.result).kind, "changed");
  assertStringIncludes(faultOf(cut.result).message, "after 1 of the 1024 bytes");
  const caller = await against(({ connection }) => connection.closeWrite(), { honest: "caller" });
  assertEquals(faultOf(caller.result).kind, "closed");
});

Deno.test("handshake: what the acceptor has read already is the beginning", async () => {
  const clock = new ManualClock();
  const { caller, callee } = await connectedInMemory({ clock });
  const parties = [await partyOf("a.example", { clock }), await partyOf("b.example", { clock })];
  const call = callSession({
    ...{ party: parties[0]!, connection: caller, expected: parties[1]!.signer.vkey, onStream },
  });
  const buffer = new Uint8Array(700);
  const count = await callee.read(buffer);
  const session = await answerSession({
    ...{ party: parties[1]!, connection: callee, begun: buffer.subarray(0, count), onStream },
    ...{ admits: () => true, speaksToStrangers: false },
  });
  (await call).close();
  await session.closed;
});

Deno.test("handshake: what a caller says with its proof is heard by whoever has the session by then", async () => {
  const clock = new ManualClock();
  const connections = await connectedInMemory({ clock });
  const [caller, callee] = [
    await partyOf("caller.example", { clock }),
    await partyOf("callee.example", { clock }),
  ];
  // Message 3 is held back until the first cell goes out with it.
  const writes: Uint8Array[] = [];
  const line: Connection = {
    ...{ remote: connections.caller.remote, close: () => connections.caller.close() },
    read: (buffer) => connections.caller.read(buffer),
    closeWrite: () => connections.caller.closeWrite(),
    write: async (bytes) => {
      writes.push(bytes);
      if (writes.length === 2) return;
      await connections.caller.write(concat(writes.splice(0)));
      if (writes.length === 0) writes.push(new Uint8Array(0));
    },
  };
  const served = Promise.withResolvers<Session>();
  const answering = answerSession({
    ...{ party: callee, connection: connections.callee, admits: () => true },
    speaksToStrangers: false,
    onStream: (stream, session) => {
      stream.close();
      served.resolve(session);
    },
  });
  const raw = await rawCall({ connection: line, party: caller });
  await raw.tell(KIND.open, uint32s(1));
  const session = await answering;
  assertEquals(await served.promise, session);
  assertEquals(session.fault, undefined);
  session.close();
});

Deno.test("handshake: the wrong party and a stranger are refused over TCP", async () => {
  const { clock } = world;
  const parties = {
    caller: await partyOf("caller.example", { clock }),
    callee: await partyOf("callee.example", { clock }),
  };
  {
    using pair = await connected(world.network);
    const { signer: { vkey } } = await partyOf("other.example", { clock });
    const { caller, callee } = await attempt({ connections: pair, parties, expected: vkey });
    assertEquals(faultOf(caller).kind, "another");
    assert(["closed", "broken"].includes(await endOf(sessionOf(callee))));
  }
  using pair = await connected(world.network);
  const { caller, callee } = await attempt({ connections: pair, parties, admits: () => false });
  assertEquals(faultOf(callee).kind, "unknown");
  assert(["closed", "broken"].includes(faultOf(caller).kind));
});

Deno.test("handshake: two members in session over TCP", async () => {
  using pair = await connected(world.network);
  const { clock } = world;
  const parties = {
    caller: await partyOf("caller.example", { clock }),
    callee: await partyOf("callee.example", { clock }),
  };
  const { caller, callee } = await inSession({
    ...{ connections: pair, parties },
    onStream: async (stream) => {
      const asked = await readAll(stream);
      await stream.write(asked);
      stream.close();
    },
  });
  const stream = await caller.open();
  const sent = Uint8Array.from({ length: 300_000 }, (_, i) => i * i >> 8);
  const writing = stream.write(sent).then(() => stream.closeWrite());
  const echoed = await readAll(stream);
  await writing;
  assertEquals(echoed.length, sent.length);
  assert(echoed.every((byte, i) => byte === sent[i]));
  await caller.send(KIND.bye, utf8("{}"));
  await caller.finish();
  assertEquals((await Array.fromAsync(callee.messages())).map(({ kind }) => kind), [KIND.bye]);
});
