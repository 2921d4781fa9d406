/** One member, or a stranger, that tries to part honest members or to use up their memory. */
import { assert, assertEquals } from "@std/assert";
import { signedBytes, withSignature } from "../../src/evidence/record.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import type { JsonObject } from "../../src/evidence/json.ts";
import { describeStatus } from "../../src/cli/status_report.ts";
import { encodeRumour, MAX_HOPS, type Rumour } from "../../src/swarm/rumour.ts";
import { callSession, KIND, newStaticKey, type Session } from "../../src/swarm/session.ts";
import { makeStatement } from "../../src/swarm/statement.ts";
import { StatementMemory } from "../../src/swarm/statement_memory.ts";
import { formatKeyId } from "../../src/tlog/vkey.ts";
import { generateSigner, type Signer } from "../../src/world/signer.ts";
import { grow } from "../evidence/histories.ts";
import { ManualClock, settled } from "../gossip/fake_network.ts";
import { forkedLog, recordOfFork } from "../gossip/helpers.ts";
import { type Host, logAt, Stage } from "./hosts.ts";
import { all, greet, rumoursOf, sessionOf, start, statusOf } from "./members_of.ts";

const stageOf = (count: number): Promise<Stage> => Stage.set({ count, clock: new ManualClock() });

/** Says a rumour in a session. */
async function say(session: Session, rumour: Rumour): Promise<void> {
  await session.send(KIND.rumour, encodeRumour(rumour));
  await settled();
}

/**
 * Starts the first host, with all others as members. The last two of them have a session with it: one
 * tells, and what goes on to the other is heard.
 */
async function between(stage: Stage): Promise<{
  teller: Session;
  heard: Rumour[];
}> {
  const [one, ...others] = stage.hosts as [Host, ...Host[]];
  const log = grow(await logAt(), 3);
  await start(one, [log], { members: others.map((host) => ({ host, byKeyAlone: true })) });
  const [from, to] = others.slice(-2) as [Host, Host];
  const [teller, hearer] = [await sessionOf(from, one), await sessionOf(to, one)];
  await greet(teller);
  await greet(hearer);
  return { teller, heard: rumoursOf(hearer) };
}

/** A session of somebody whose key has the name of a member, and is another one. */
async function strangerCalls(callee: Host, { name }: { name: string }): Promise<Session> {
  const { clock, random } = callee.world;
  const { signer } = await generateSigner({ world: callee.world, name });
  const from = callee.network.at("192.0.2.9");
  return await callSession({
    party: { clock, random, signer, staticKey: newStaticKey(random) },
    connection: await from.connect(callee.address, 1_000),
    ...{ expected: callee.signer.vkey, onStream: (stream) => stream.close() },
  });
}

Deno.test("attacked members: without a seat no stream is served, not under a member's name either", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(2);
  const { one, two } = stage;
  await start(one, [log], { admit: "anyone", members: [{ host: two, byKeyAlone: true }] });
  // The second one is the member, and says no hello.
  for (const session of [await strangerCalls(one, two.signer.vkey), await sessionOf(two, one)]) {
    const ask = async (): Promise<number | undefined> => {
      const stream = await session.open();
      await stream.write(new Uint8Array(104));
      await stream.closeWrite();
      return await stream.read(new Uint8Array(104));
    };
    const answer = ask().catch(() => undefined);
    await stage.minutes(1);
    assertEquals(await answer, undefined);
  }
});

Deno.test("attacked members: what a stranger says of itself is no trouble of a member of its name", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(2);
  const { one, two } = stage;
  await start(one, [log], { admit: "anyone", members: [{ host: two, byKeyAlone: true }] });
  const session = await strangerCalls(one, two.signer.vkey);
  await greet(session, { verdict: "banned" });
  await stage.minutes(1);
  assertEquals([one.toldOf("exchange.failed"), one.toldOf("member.not_wanted")], [[], []]);
  assertEquals(one.toldOf("member.turned_away").map(({ fields }) => fields.caller), ["192.0.2.9"]);
});

Deno.test("attacked members: what does not hold goes on along no path, though its case is known", async () => {
  await using stage = await stageOf(3);
  const [one, from, to] = stage.hosts as [Host, Host, Host];
  const { teller, heard } = await between(stage);
  const item = await recordOfFork(await forkedLog()) as unknown as JsonObject;
  await say(teller, { hops: 0, what: "record", item });
  const path = [from, one, to].map(({ signer }) => signer.vkey.text);
  const half = item.checkpoint_a as JsonObject;
  const note = (item.checkpoint_b as JsonObject).note;
  const forged = { ...item, checkpoint_a: { ...half, note } };
  await say(teller, { hops: MAX_HOPS, what: "record", item: forged, path });
  await stage.minutes(1);
  for (const { what, item } of heard) {
    if (what === "record") assertEquals(verifyConflict({ input: item }).outcome, "holds");
  }
  assertEquals(one.toldOf("member.refused").map(({ fields }) => fields.refused), ["failed record"]);
});

Deno.test("attacked members: undelivered evidence that is no such thing goes no further", async () => {
  await using stage = await stageOf(3);
  const [one, from, to] = stage.hosts as [Host, Host, Host];
  const { teller, heard } = await between(stage);
  const path = [from, one, to].map(({ signer }) => signer.vkey.text);
  await say(teller, { hops: 5, what: "undelivered", item: { nothing: true }, path });
  await stage.minutes(1);
  assertEquals(heard.filter(({ what }) => what === "undelivered"), []);
});

Deno.test("attacked members: a head goes on without what was put beside it", async () => {
  await using stage = await stageOf(4);
  const other = stage.hosts[1]!;
  const { teller, heard } = await between(stage);
  const body = { kind: "links", time: "2026-01-01T00:00:00.000Z", links: [] } as const;
  const { note } = await makeStatement({ signer: other.signer, epoch: 1n, sequence: 1n, body });
  await say(teller, { hops: 5, what: "head", item: { note, junk: "x".repeat(100_000) } });
  await stage.minutes(1);
  assertEquals(heard.filter(({ what }) => what === "head").map(({ item }) => item), [{ note }]);
});

Deno.test("attacked members: evidence that came first with no hops left is passed on when it comes again", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(4);
  const [one, liar, from, to] = stage.hosts as [Host, Host, Host, Host];
  await start(one, [log], {
    members: [liar, from, to].map((host) => ({ host, byKeyAlone: true })),
  });
  const [first, teller, hearer] = [
    ...[await sessionOf(liar, one), await sessionOf(from, one), await sessionOf(to, one)],
  ] as [Session, Session, Session];
  for (const session of [first, teller, hearer]) await greet(session);
  const heard = rumoursOf(hearer);
  const item = await recordOfFork(await forkedLog()) as unknown as JsonObject;
  await say(first, { hops: 0, what: "record", item });
  await say(teller, { hops: MAX_HOPS, what: "record", item });
  await stage.minutes(1);
  assertEquals(heard.filter(({ what }) => what === "record").length, 1);
});

/** The record of a log that nobody follows, as a host has found it. */
async function foundBy({ signer }: Host): Promise<JsonObject> {
  const found = { ...await recordOfFork(await forkedLog()), detected_at: "2026-01-01T00:00:00Z" };
  const { name, text, keyId } = signer.vkey;
  const stated = { detector_id: name, detector_vkey: text, key_id: formatKeyId(keyId) };
  const record = { ...found, ...stated };
  return withSignature(record, await signer.sign(signedBytes(record))) as unknown as JsonObject;
}

Deno.test("attacked members: any number of made-up cases does not keep another's from going on", async () => {
  await using stage = await stageOf(5);
  const [one, liar, finder] = stage.hosts as [Host, Host, Host];
  const { teller, heard } = await between(stage);
  const hears = (item: JsonObject): boolean =>
    heard.some((rumour) => rumour.item.evidence_id === item.evidence_id);
  // A neighbour passes on what the liar has signed, faster than it can go on from here.
  const pass = async (item: JsonObject): Promise<void> => {
    await say(teller, { hops: 60, what: "record", item });
    await one.clock.advance(40);
  };
  for (let i = 0; i < 120; i++) await pass(await foundBy(liar));
  for (let i = 0; i < 5; i++) {
    const item = await foundBy(finder);
    await pass(item);
    for (let j = 0; j < 10; j++) await pass(await foundBy(liar));
    assert(hears(item), `case ${i}`);
  }
});

Deno.test("attacked members: a case that comes without a signature, and with a wrong one, goes on once", async () => {
  await using stage = await stageOf(5);
  const finder = stage.hosts[2]!;
  const { teller, heard } = await between(stage);
  const recordsOf = (host: Host): number =>
    heard.filter(({ item }) => item.detector_vkey === host.signer.vkey.text).length;
  // Neither signature is needed for the evidence, and without any it is somebody's.
  const found = await foundBy(finder);
  const unsigned = { detector_id: null, detector_vkey: null, key_id: null };
  await say(teller, { hops: 60, what: "record", item: { ...found, evidence_signature: "AAAA" } });
  assertEquals(recordsOf(finder), 0);
  await say(teller, {
    ...{ hops: 60, what: "record" },
    item: { ...found, ...unsigned, evidence_signature: null },
  });
  await say(teller, { hops: 60, what: "record", item: found });
  await stage.one.clock.advance(1_000);
  assertEquals(heard.filter(({ item }) => item.evidence_id === found.evidence_id).length, 1);
});

Deno.test("attacked members: a member that goes is told to have left by those that it called", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(2);
  const { one, two } = stage;
  await start(one, [log], { members: [{ host: two, byKeyAlone: true }] });
  await start(two, [log], { members: all(one) });
  await stage.minutes(2);
  assertEquals(statusOf(two, one).direction, "outbound");
  await two.stop();
  await stage.minutes(1);
  assertEquals(statusOf(one, two).state, "left");
});

Deno.test("attacked members: a member that is banned while it says hello gets no seat", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(2);
  const { one, two } = stage;
  await start(one, [log], { members: [{ host: two, byKeyAlone: true }] });
  const session = await sessionOf(two, one);
  await settled();
  // Its operator gives the order while the other end has yet to say hello.
  const { clock, random } = one.world;
  const order = await callSession({
    party: { clock, random, signer: one.signer, staticKey: newStaticKey(random) },
    connection: await one.world.network.connect(one.address, 1_000),
    ...{ expected: one.signer.vkey, isControl: true, onStream: (stream) => stream.close() },
  });
  const ban = { do: "ban", member: two.signer.vkey.text, reason: "a test" };
  await order.send(KIND.control, new TextEncoder().encode(JSON.stringify(ban)));
  assertEquals((await order.messages().next()).value!.kind, KIND.controlAnswer);
  order.close();
  await greet(session);
  await stage.minutes(1);
  assertEquals(one.toldOf("member.connected"), []);
  assert(session.fault !== undefined);
});

Deno.test("attacked members: evidence about keys of no members takes no memory", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(2);
  const { one, two } = stage;
  await start(one, [log], { members: [{ host: two, byKeyAlone: true }] });
  const session = await sessionOf(two, one);
  await greet(session);
  const names: string[] = [];
  const { remember } = StatementMemory.prototype;
  StatementMemory.prototype.remember = function (seen, how) {
    names.push(seen.checkpoint.log.vkey.name);
    return remember.call(this, seen, how);
  };
  const time = "2026-01-01T00:00:00.000Z";
  const { signer } = await generateSigner({ world: one.world, name: "nobody.invalid" });
  const halves = [[], [[two.signer.vkey.text, 1]]].map((links) =>
    makeStatement({
      ...{ signer, epoch: 1n, sequence: 1n },
      body: { kind: "links", time, links: links as [string, number][] },
    })
  );
  const [a, b] = await Promise.all(halves);
  const said = await makeStatement({
    ...{ signer: two.signer, epoch: 1n, sequence: 1n },
    body: {
      ...{ kind: "accusation", time, accused: signer.vkey.text, reason: "it lies" },
      evidence: [a!.note, b!.note],
    },
  });
  await say(session, { hops: 5, what: "statement", item: said.json });
  await stage.minutes(1);
  StatementMemory.prototype.remember = remember;
  assertEquals(names.filter((name) => name === signer.vkey.name), []);
});

Deno.test("attacked members: nobody is banned for passing on what a member floods it with", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(4);
  const [one, two, three, liar] = stage.hosts as [Host, Host, Host, Host];
  const byKey = { host: liar, byKeyAlone: true };
  await start(one, [log], { members: [...all(two, three), byKey] });
  await start(two, [log], { members: [...all(one), byKey, { host: three, byKeyAlone: true }] });
  await start(three, [log], { members: [...all(one), byKey, { host: two, byKeyAlone: true }] });
  await stage.minutes(1);
  const sessions = [await sessionOf(liar, one), await sessionOf(liar, three)];
  for (const session of sessions) await greet(session);
  for (let minute = 0n; minute < 6n; minute++) {
    // To each as much as it takes in a second. What is signed is new each time.
    for (const [i, session] of sessions.entries()) {
      const after = (2n * minute + BigInt(i)) * HEADS;
      for (const note of await headsOf(liar.signer, after)) {
        session.send(KIND.rumour, encodeRumour({ hops: 9, what: "head", item: { note } }))
          .catch(() => {});
      }
    }
    await stage.minutes(1);
  }
  for (const host of [one, two, three]) {
    const floods = host.toldOf("member.refused").filter(({ fields }) => fields.refused === "flood");
    assertEquals(floods, []);
    assertEquals(host.toldOf("member.banned"), []);
  }
});

const HEADS = 960n;

/** So many notes of statements, after this number. */
async function headsOf(signer: Signer, after: bigint): Promise<string[]> {
  const body = { kind: "links", time: "2026-01-01T00:00:00.000Z", links: [] } as const;
  const notes: string[] = [];
  for (let sequence = after + 1n; sequence <= after + HEADS; sequence++) {
    notes.push((await makeStatement({ signer, epoch: 1n, sequence, body })).note);
  }
  return notes;
}

Deno.test("attacked members: who comes later is told many cases, and charges nobody for them", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(3);
  const [one, from, late] = stage.hosts as [Host, Host, Host];
  await start(one, [log], { members: [from, late].map((host) => ({ host, byKeyAlone: true })) });
  const session = await sessionOf(from, one);
  await greet(session);
  for (let i = 0; i < 50; i++) {
    const item = await recordOfFork(await forkedLog()) as unknown as JsonObject;
    await say(session, { hops: 5, what: "record", item });
    await one.clock.advance(100);
  }
  await start(late, [log], { members: all(one) });
  await stage.minutes(1);
  assertEquals(statusOf(late, one).state, "connected");
  assertEquals(late.toldOf("member.refused"), []);
});

Deno.test("attacked members: a stranger cannot fill the memory with what comes after its hello", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(1);
  const { one } = stage;
  await start(one, [log], { admit: "anyone" });
  const session = await strangerCalls(one, { name: "stranger.invalid" });
  session.send(KIND.rumour, new Uint8Array(1_000_000)).catch(() => {});
  await settled();
  assert(session.fault !== undefined);
  assertEquals(one.toldOf("member.turned_away").length, 1);
});

Deno.test("attacked members: who passes on the word of a key is not charged where another key is known by its name", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(3);
  const [one, from, other] = stage.hosts as [Host, Host, Host];
  await start(one, [log], { members: [from, other].map((host) => ({ host, byKeyAlone: true })) });
  const session = await sessionOf(from, one);
  await greet(session);
  // To find a key with the name and the key id of another one takes hours. A changed signature is as good.
  const body = { kind: "links", time: "2026-01-01T00:00:00.000Z", links: [] } as const;
  const { note } = await makeStatement({ signer: other.signer, epoch: 1n, sequence: 1n, body });
  const at = note.length - 20;
  const changed = note.slice(0, at) + (note[at] === "A" ? "B" : "A") + note.slice(at + 1);
  const { signer } = await generateSigner({ world: one.world, name: other.signer.vkey.name });
  await say(session, { hops: 5, what: "head", item: { note: changed }, of: signer.vkey.text });
  await stage.minutes(1);
  const refused = () => one.toldOf("member.refused").map(({ fields }) => fields.refused);
  assertEquals(refused(), ["unknown source"]);
  await say(session, { hops: 5, what: "head", item: { note: changed } });
  await stage.minutes(1);
  assertEquals(refused(), ["unknown source", "bad signature"]);
});

Deno.test("attacked members: one that says two things under one number is a case, counted after a restart too", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(3);
  const [one, liar, other] = stage.hosts as [Host, Host, Host];
  const members = [liar, other].map((host) => ({ host, byKeyAlone: true }));
  await start(one, [log], { members });
  const teller = await sessionOf(other, one);
  await greet(teller);
  const time = "2026-01-01T00:00:00.000Z";
  for (const links of [[], [[other.signer.vkey.text, 1] as const]]) {
    const { note } = await makeStatement({
      ...{ signer: liar.signer, epoch: 1n, sequence: 1n },
      body: { kind: "links", time, links },
    });
    await say(teller, { hops: 5, what: "head", item: { note } });
  }
  await stage.minutes(1);
  assertEquals((await one.cases()).length, 1, "the record holds, and is signed");
  assertEquals([one.daemon!.status().incidents, one.daemon!.casesHeld], [1, 1]);
  assertEquals(statusOf(one, liar).state, "banned");
  const screen = { columns: undefined, paint: (_style: string, text: string) => text };
  const lines = describeStatus(one.daemon!.status(), { screen });
  assertEquals(lines.filter((line) => line.includes("a monitor's key signed two")).length, 1);
  await one.stop();
  await start(one, [log], { members });
  assertEquals(one.daemon!.status().incidents, 1);
});
