/** Monitors that are members of each other: sessions, the exchange through them, and what is passed on. */
import { assert, assertEquals } from "@std/assert";
import { hexLogHash } from "../../src/monitor/swarm_host.ts";
import { Said } from "../../src/swarm/said.ts";
import { Members } from "../../src/swarm/statement.ts";
import { ScriptedSource } from "./scripted_source.ts";
import { grow } from "../evidence/histories.ts";
import { encodeRumour } from "../../src/swarm/rumour.ts";
import { KIND } from "../../src/swarm/session.ts";
import { all, greet, rumoursOf, sessionOf, source, start, statusOf } from "./members_of.ts";
import { makeStatement, type StatementBody } from "../../src/swarm/statement.ts";
import { generateSigner, type Signer } from "../../src/world/signer.ts";
import { forkedLog, recordOfFork } from "../gossip/helpers.ts";
import type { JsonObject } from "../../src/evidence/json.ts";
import { ManualClock, settled } from "../gossip/fake_network.ts";
import { type Host, logAt, type Member, parted, Stage } from "./hosts.ts";

/** Machines with one clock, in a network where nobody but members is answered. */
async function stageOf(count: number): Promise<Stage> {
  return await Stage.set({ count, clock: new ManualClock() });
}

Deno.test("members: two monitors speak through one session, and compare a log", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(2);
  const { one, two } = stage;
  await start(one, [log], { members: all(two) });
  await start(two, [log], { members: all(one) });
  await stage.minutes(4);
  for (const [host, other] of [[one, two], [two, one]] as const) {
    const [peer] = host.daemon!.status().peers;
    assertEquals([peer!.failing, peer!.sharedLogs], [undefined, 1]);
    assert(peer!.matches > 0);
    const { state, failures, roundTripMs } = statusOf(host, other);
    assertEquals([state, failures, roundTripMs], ["connected", 0, 0]);
    assertEquals(host.toldOf("member.connected").length, 1);
    assertEquals(host.refusals, []);
  }
});

Deno.test("members: what each states of a log that grows is kept by the other, signed, over a stop", async () => {
  const log = grow(await logAt(), 9);
  await using stage = await stageOf(2);
  const { one, two } = stage;
  const sources = [new ScriptedSource(log, 3), new ScriptedSource(log, 3)] as const;
  await start(one, [], { logs: [{ source: sources[0] }], members: all(two) });
  await start(two, [], { logs: [{ source: sources[1] }], members: all(one) });
  await stage.minutes(2);
  for (const source of sources) source.size = 9;
  await stage.minutes(3);
  for (const host of [one, two]) await host.stop();
  for (const [host, other] of [[one, two], [two, one]] as const) {
    const members = new Members([other.signer.vkey]);
    const onDamage = (detail: string): void => assertEquals(detail, "");
    const { files } = host.disk;
    const said = await Said.open({ files, folder: "home/state", members, onDamage });
    const { body } = said.of(other.signer.vkey.text, hexLogHash(log.log))!;
    assertEquals("note" in body && body.note.split("\n")[1], "9");
    const entries = await other.observations();
    assertEquals(
      "observation" in body && entries.some(({ entry }) => entry.hash === body.observation),
      true,
      "it names the entry of its own journal",
    );
  }
});

Deno.test("members: a split of unequal sizes is recorded by both, through the session", async () => {
  const [ours, theirs] = await parted({ at: 5, sizes: [8, 11] });
  await using stage = await stageOf(2);
  const { one, two } = stage;
  await start(one, [ours], { members: all(two) });
  await start(two, [theirs], { members: all(one) });
  await stage.minutes(4);
  const cases = await one.cases();
  assertEquals(cases.length > 0, true);
  assertEquals(await two.cases(), cases);
});

Deno.test("members: evidence passes through a member that does not follow the log", async () => {
  const [ours, theirs] = await parted({ at: 5, sizes: [8, 8] });
  const other = grow(await logAt("log.invalid/other"), 3);
  await using stage = await stageOf(4);
  const [liar, one, middle, two] = stage.hosts as [Host, Host, Host, Host];
  // Of one and two, only one is shown both stories.
  await start(liar, [theirs], { members: all(one) });
  await start(one, [ours], { members: all(liar, middle) });
  await start(middle, [other], { members: all(one, two) });
  await start(two, [ours], { members: all(middle) });
  await stage.minutes(4);
  const cases = await one.cases();
  assertEquals(cases.length, 1);
  assertEquals(await two.cases(), cases, "it follows the log, and is connected to middle alone");
  assertEquals(await middle.cases(), [], "it does not follow the log, so it records nothing");
});

Deno.test("members: who comes later is told what a member passed on that does not follow the log", async () => {
  const [ours, theirs] = await parted({ at: 5, sizes: [8, 8] });
  const other = grow(await logAt("log.invalid/other"), 3);
  await using stage = await stageOf(4);
  const [liar, one, middle, two] = stage.hosts as [Host, Host, Host, Host];
  await start(liar, [theirs], { members: all(one) });
  await start(one, [ours], { members: all(liar, middle) });
  await start(middle, [other], { members: all(one, two) });
  await stage.minutes(4);
  await start(two, [ours], { members: all(middle) });
  await stage.minutes(4);
  assertEquals(await two.cases(), await one.cases());
  assertEquals((await two.cases()).length, 1);
});

Deno.test("members: one that is known by its key alone is called where another one says it is", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(3);
  const [one, hub, two] = stage.hosts as [Host, Host, Host];
  await start(hub, [log], { members: all(one, two) });
  await start(two, [log], { members: all(hub) });
  await stage.minutes(2);
  // Two does not know one, so it does not call it; one knows where hub is alone.
  await two.reload({
    logs: [{ source: source(log) }],
    admit: "members",
    members: [{ host: hub }, { host: one, byKeyAlone: true }],
  });
  await start(one, [log], { members: [{ host: hub }, { host: two, byKeyAlone: true }] });
  await stage.minutes(3);
  assertEquals(statusOf(one, two).state, "connected");
  assertEquals(statusOf(two, one).state, "connected");
});

Deno.test("members: a full room turns a member away, tells it whom else to ask, and takes it later", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(4);
  const [full, first, second, late] = stage.hosts as [Host, Host, Host, Host];
  const others = (host: Host): Member[] =>
    all(...stage.hosts.filter((one) => one !== host && one !== late));
  // Two seats: one is kept for its own calls.
  const byKey = all(first, second, late).map((one) => ({ ...one, byKeyAlone: true }));
  await start(full, [log], { members: byKey, room: 2 });
  await start(first, [log], { members: others(first) });
  await stage.minutes(1);
  await start(second, [log], { members: [...others(second), { host: late, byKeyAlone: true }] });
  await stage.minutes(1);
  const states = () => [first, second, late].map((one) => statusOf(full, one).state);
  const connected = () => states().filter((state) => state === "connected").length;
  assertEquals(connected(), 2);
  await start(late, [log], {
    members: [{ host: full }, { host: second, byKeyAlone: true }],
  });
  await stage.minutes(2);
  assertEquals(connected(), 2);
  assertEquals(late.toldOf("member.not_wanted").map(({ fields }) => fields.refusal)[0], "full");
  assertEquals(statusOf(late, second).state, "connected", "full has told where second is");
  assertEquals(late.loud("exchange.failed"), [], "a full room is no failure");
  await first.stop();
  await stage.minutes(20);
  assertEquals(statusOf(full, late).state, "connected");
});

Deno.test("members: a leave is no failure, a member that vanished is told, and both come back", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(2);
  const { one, two } = stage;
  await start(one, [log], { members: all(two) });
  await start(two, [log], { members: [{ host: one, byKeyAlone: true }] });
  await stage.minutes(2);
  const failures = one.loud("exchange.failed").length;
  await two.stop();
  await stage.minutes(5);
  assertEquals(statusOf(one, two).state, "left");
  assertEquals(one.toldOf("member.left").length, 1);
  assertEquals(one.loud("exchange.failed").length, failures);
  await start(two, [log], { members: [{ host: one, byKeyAlone: true }] });
  await stage.minutes(3);
  assertEquals(statusOf(one, two).state, "connected");
  two.online = false;
  await two.crash();
  await stage.minutes(5);
  assertEquals(statusOf(one, two).state, "away");
  assertEquals(one.toldOf("member.left").length, 1, "it did not say that it goes");
  two.online = true;
  await start(two, [log], { members: [{ host: one, byKeyAlone: true }] });
  await stage.minutes(12);
  assertEquals(statusOf(one, two).state, "connected");
});

Deno.test("members: a goodbye hides nothing that is found later: who is back and does not know us is trouble", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(2);
  const { one, two } = stage;
  await start(two, [log], { members: all(one) });
  await start(one, [log], { members: all(two) });
  await stage.minutes(2);
  await two.stop();
  await stage.minutes(3);
  assertEquals([statusOf(one, two).state, one.loud("exchange.failed")], ["left", []]);
  // It is back, and has no such member any more.
  await start(two, [log], { members: [] });
  await stage.minutes(12);
  assertEquals(statusOf(one, two).state, "away");
  assertEquals(one.loud("exchange.failed")[0], "warning");
});

Deno.test("members: a stranger is told nothing at all where members alone are admitted", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(2);
  const { one, two } = stage;
  await start(one, [log], { members: [] });
  await start(two, [log], { members: all(one) });
  await stage.minutes(2);
  assertEquals(statusOf(two, one).state, "away");
  assertEquals(two.loud("exchange.failed")[0], "warning");
  const [{ fields }] = one.toldOf("member.turned_away") as [typeof one.told[number]];
  assertEquals(fields.reason, `${two.signer.vkey.text} is not admitted here`);
  assertEquals(await one.hear([new Uint8Array(104)]), 0, "frames are not answered either");
});

Deno.test("members: where anyone is admitted, a caller that is no member is told so", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(2);
  const { one, two } = stage;
  await start(one, [log], { members: [], admit: "anyone" });
  await start(two, [log], { members: all(one) });
  await stage.minutes(2);
  const { fields } = two.toldOf("exchange.failed")[0]!;
  assertEquals(
    fields.reason,
    `does not know this monitor as a member; it needs a peer ${two.signer.vkey.text}`,
  );
});

Deno.test("members: after a restart, and a restored backup, nobody is accused", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(3);
  const [one, two, three] = stage.hosts as [Host, Host, Host];
  const everyone = stage.hosts;
  const members = (host: Host): Member[] => all(...everyone.filter((other) => other !== host));
  for (const host of everyone) await start(host, [log], { members: members(host) });
  await stage.minutes(3);
  for (let time = 0; time < 3; time++) {
    await one.crash();
    await stage.minutes(1);
    await start(one, [grow(log, 1)], { members: members(one) });
    await stage.minutes(2);
  }
  for (const host of everyone) {
    assertEquals([await host.cases(), host.toldOf("member.banned")], [[], []]);
    assertEquals(host.toldOf("member.key_used_twice"), []);
  }
  assertEquals(statusOf(two, three).state, "connected");
  assertEquals(statusOf(two, one).state, "connected");
});

Deno.test("members: a disk that refuses costs what was said meanwhile, and no session", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(2);
  const { one, two } = stage;
  const disk = one.refusableDisk("home/state/heard-statements");
  await start(one, [log], { members: [{ host: two, byKeyAlone: true }] });
  await start(two, [log], { members: [{ host: one, byKeyAlone: false }] });
  await stage.minutes(2);
  disk.refuses = true;
  await stage.minutes(12);
  assert(one.refusals.length > 0);
  disk.refuses = false;
  await stage.minutes(2);
  assertEquals([statusOf(one, two).state, statusOf(two, one).state], ["connected", "connected"]);
  assertEquals(one.toldOf("member.connected").length, 1);
});

Deno.test("members: lies about addresses keep nobody apart", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(3);
  const [one, two, liar] = stage.hosts as [Host, Host, Host];
  await start(one, [log], { members: [two, liar].map((host) => ({ host, byKeyAlone: true })) });
  await start(two, [log], { members: all(one) });
  await stage.minutes(2);
  assertEquals(statusOf(one, two).state, "connected");
  await two.crash();
  for (let i = 1; i <= 6; i++) {
    const address = { hostname: `203.0.113.${i}`, port: 9_900 };
    const session = await sessionOf(liar, one);
    await greet(session, { members: [{ vkey: two.signer.vkey.text, address }] });
    session.close();
    await stage.minutes(1);
  }
  await start(two, [log], { members: [{ host: one, byKeyAlone: true }] });
  await stage.minutes(20);
  assertEquals(statusOf(one, two).state, "connected");
});

Deno.test("members: evidence that does not hold goes no further, and nobody is charged but its sender", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(4);
  const [one, two, liar, accused] = stage.hosts as [Host, Host, Host, Host];
  const others = (host: Host): Member[] =>
    stage.hosts.filter((other) => other !== host).map((other) => ({
      ...{ host: other, byKeyAlone: other === liar || other === accused },
    }));
  await start(one, [log], { members: others(one) });
  await start(two, [log], { members: others(two) });
  await stage.minutes(2);
  const session = await sessionOf(liar, one);
  await greet(session);
  const time = "2026-01-01T00:02:00.000Z";
  const stated = (signer: Signer, sequence: bigint, body: StatementBody) =>
    makeStatement({ signer, epoch: 1n, sequence, body });
  const { note } = await stated(accused.signer, 1n, { kind: "links", time, links: [] });
  for (const sequence of [1n, 2n]) {
    const said = await stated(liar.signer, sequence, {
      ...{ kind: "accusation", time, accused: accused.signer.vkey.text, reason: "it lies" },
      evidence: [note, note],
    });
    const rumour = { hops: 5, what: "statement", item: said.json } as const;
    await session.send(KIND.rumour, encodeRumour(rumour));
  }
  await stage.minutes(1);
  assertEquals(one.toldOf("member.banned").map(({ fields }) => fields.member), [
    liar.signer.vkey.name,
  ]);
  assertEquals([two.toldOf("member.refused"), two.toldOf("member.banned")], [[], []]);
});

Deno.test("members: a rumour goes on one hop less, once, and with none left no further", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(4);
  const [one, from, to, other] = stage.hosts as [Host, Host, Host, Host];
  const byKey = [from, to, other].map((host) => ({ host, byKeyAlone: true }));
  await start(one, [log], { members: byKey });
  const [teller, hearer] = [await sessionOf(from, one), await sessionOf(to, one)];
  await greet(teller);
  await greet(hearer);
  const heard = rumoursOf(hearer);
  const time = "2026-01-01T00:00:00.000Z";
  const noteOf = async (sequence: bigint): Promise<string> => {
    const body = { kind: "links", time, links: [] } as const;
    return (await makeStatement({ signer: other.signer, epoch: 1n, sequence, body })).note;
  };
  const [near, far, last] = [await noteOf(1n), await noteOf(2n), await noteOf(3n)];
  for (const [note, hops] of [[near, 1], [far, 2], [last, 0], [near, 1], [far, 2]] as const) {
    await teller.send(KIND.rumour, encodeRumour({ hops, what: "head", item: { note } }));
  }
  await stage.minutes(1);
  const heads = heard.filter(({ what }) => what === "head");
  assertEquals(heads.map(({ hops, item }) => [hops, item.note]), [[0, near], [1, far]]);
});

Deno.test("members: a case goes on to everyone once, whether it came to all or on a path", async () => {
  for (const isPath of [false, true]) {
    for (const isFollowed of [false, true]) {
      const fork = await forkedLog();
      const log = isFollowed ? fork.honest : grow(await logAt(), 3);
      await using stage = await stageOf(3);
      const [one, from, to] = stage.hosts as [Host, Host, Host];
      const byKey = [from, to].map((host) => ({ host, byKeyAlone: true }));
      await start(one, [log], { members: byKey });
      const [teller, hearer] = [await sessionOf(from, one), await sessionOf(to, one)];
      await greet(teller);
      await greet(hearer);
      const heard = rumoursOf(hearer);
      const item = await recordOfFork(fork) as unknown as JsonObject;
      const path = [from.signer.vkey.text, one.signer.vkey.text];
      const rumour = { hops: 9, what: "record", item, ...(isPath && { path }) } as const;
      for (let time = 0; time < 2; time++) await teller.send(KIND.rumour, encodeRumour(rumour));
      await stage.minutes(1);
      const records = heard.filter(({ what }) => what === "record");
      assertEquals(records, [{ hops: 8, what: "record", item }]);
      assertEquals((await one.cases()).length, isFollowed ? 1 : 0);
    }
  }
});

Deno.test("members: whoever answers in the place of another is refused", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(2);
  const { one, two } = stage;
  const { signer } = await generateSigner({ world: one.world, name: "monitor.invalid/other" });
  // One takes two's address for that of another member; two would answer one.
  const other = { host: { signer, address: two.address } as Host };
  await start(two, [log], { members: [{ host: one, byKeyAlone: true }] });
  await start(one, [log], { members: [other] });
  await stage.minutes(1);
  const [status] = one.daemon!.status().members!.members;
  assertEquals(status!.state, "away");
  assertEquals(status!.reason, `expected ${signer.vkey.text}, ${two.signer.vkey.text} answered`);
});

Deno.test("members: one that says what may not come here loses its session, and its seat", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(2);
  const { one, two } = stage;
  await start(one, [log], { members: [{ host: two, byKeyAlone: true }] });
  const session = await sessionOf(two, one);
  const hello = (await session.messages().next()).value!.body;
  await session.send(KIND.hello, hello);
  await stage.minutes(0);
  await settled();
  assertEquals(statusOf(one, two).state, "connected");
  await session.send(KIND.hello, hello);
  await session.closed;
  await settled();
  assertEquals(statusOf(one, two).state, "away");
  const [{ fields }] = one.toldOf("member.disconnected") as [typeof one.told[number]];
  assertEquals(fields.reason, "a message of kind 2 came, which may not come here");
});

/** What can be in the place of a file of the state folder. */
const DAMAGES: Readonly<Record<string, Uint8Array>> = {
  empty: new Uint8Array(0),
  "cut off": new TextEncoder().encode('{"bans":['),
  "not UTF-8": Uint8Array.of(0xff, 0xfe, 0x00, 0xc3),
  zeros: new Uint8Array(4_096),
  huge: new Uint8Array(5 * 1024 * 1024).fill(0x20),
};
const STATE_FILES = [
  ...["own-statements.json", "heard-statements.json", "said-statements.json"],
  ...["bans.json", "members.json"],
];
for (const [damage, content] of Object.entries(DAMAGES)) {
  Deno.test(`members: state files that are ${damage} are told, and keep nobody from speaking`, async () => {
    const log = grow(await logAt(), 3);
    await using stage = await stageOf(2);
    const { one, two } = stage;
    for (const name of STATE_FILES) {
      await one.disk.files.makeFolder("home/state");
      const file = await one.disk.files.create(`home/state/${name}`, 0o600);
      await file.write(content, 0);
      await file.sync();
      file.close();
    }
    await start(one, [log], { members: all(two) });
    await start(two, [log], { members: all(one) });
    await stage.minutes(3);
    assertEquals(statusOf(one, two).state, "connected");
    assert(one.daemon!.status().peers[0]!.matches > 0);
    const told = one.toldOf("disk.refused").map(({ fields }) => `${fields.error}`);
    const isTold = (name: string): boolean => told.some((text) => text.includes(name));
    assertEquals(STATE_FILES.filter((name) => !isTold(name)), []);
  });
}

Deno.test("members: without any, nothing is written and nobody is called", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await stageOf(1);
  await start(stage.one, [log], {});
  await stage.minutes(10);
  await stage.one.stop();
  const names = await stage.one.disk.files.list("home/state");
  const ours = [
    "own-statements.json",
    "heard-statements.json",
    "bans.json",
    "members.json",
    "said-statements.json",
  ];
  assertEquals(names.filter((name) => ours.includes(name)), []);
});
