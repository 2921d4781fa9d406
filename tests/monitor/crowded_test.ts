/** What others tell must not keep out what matters: rooms, turns and answers under pressure. */
import { assert, assertEquals } from "@std/assert";
import { SourceUnavailable } from "../../src/sources/source.ts";
import { KnownPeers } from "../../src/monitor/assembly.ts";
import { QUESTION_LIMITS } from "../../src/monitor/questions.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { grow, open } from "../evidence/histories.ts";
import { ManualClock } from "../gossip/fake_network.ts";
import { Host, logAt, MINUTE, Stage } from "./hosts.ts";
import { noteOf, ScriptedSource } from "./scripted_source.ts";

const ROOM = QUESTION_LIMITS.stranger.questions;

/** An address of a network of its own. */
function stranger(number: number): string {
  return `203.0.${number >> 8}.${number & 255}`;
}

/** A log of 2,000 entries, and two forks of it: one that left early, and one late. */
const honest = grow(await logAt("log.invalid/shared"), 10);
const fork = grow(honest.fork(), 15, "forked");
grow(honest, 600, "honest");
const lateFork = grow(honest.fork(), 650, "forked late");
grow(honest, 2_000, "honest");

/** A story's frame, signed once for all tests. */
async function frameOf(log: TestLog, size: number): Promise<Uint8Array> {
  return open(await noteOf(log, size), log.log).frame;
}

/** Genuine checkpoints of these sizes and those after. */
function framesFrom(size: number, count: number): Promise<Uint8Array[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => frameOf(honest, size + i)));
}

/** As many as strangers may ask about, of sizes that no view of a size below 100 reaches. */
const fillers = await framesFrom(100, ROOM);

/** A monitor of the log at 12, and a peer that is shown the fork once a test says so. */
async function crowded({ isConfigured = true } = {}) {
  const stage = await Stage.set({ clock: new ManualClock() });
  const { one: monitor, two: peer } = stage;
  const source = new ScriptedSource(honest, 12);
  const shown = new ScriptedSource(honest, 12);
  await monitor.start({ logs: [{ source }], peers: isConfigured ? [peer.address] : [] });
  return {
    ...{ monitor, peer, source, shown },
    minutes: (count: number) => stage.minutes(count),
    [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose](),
  };
}

Deno.test("daemon: what gave way to others is a question again when a peer shows it", async () => {
  await using stage = await crowded();
  const { monitor, peer, source, shown } = stage;
  const [last, ...others] = fillers;
  await monitor.hear([...others, await frameOf(fork, 15)], stranger(1));
  await monitor.hear([last!], stranger(2));
  assert(monitor.toldOf("exchange.left out").length > 0, "the fork's has given way");
  source.size = 20;
  await stage.minutes(1);
  shown.story = fork;
  shown.size = 15;
  await peer.start({ logs: [{ source: shown }], peers: [monitor.address] });
  await stage.minutes(5);
  const [ours, theirs] = [await monitor.cases(), await peer.cases()];
  assertEquals([ours.length, theirs], [1, ours]);
});

Deno.test("daemon: what a peer shows is settled as a peer's, whoever told it first", async () => {
  await using stage = await crowded();
  const { monitor, peer, source } = stage;
  const frame = await frameOf(fork, 15);
  const [last, ...others] = fillers;
  await monitor.hear([...others, frame], stranger(1));
  await monitor.hear([frame], peer.address.hostname);
  await monitor.hear([last!], stranger(2));
  source.size = 20;
  await stage.minutes(2);
  assertEquals((await monitor.cases()).length, 1);
});

Deno.test("daemon: a record is taken in however much strangers have left open", async () => {
  await using stage = await crowded({ isConfigured: false });
  const { monitor, peer, shown } = stage;
  for (const [i, frame] of fillers.entries()) {
    await monitor.hear([frame], stranger(i));
  }
  await peer.start({ logs: [{ source: shown }], peers: [monitor.address] });
  await stage.minutes(1);
  shown.story = fork;
  shown.size = 15;
  await stage.minutes(3);
  const [ours, theirs] = [await monitor.cases(), await peer.cases()];
  assertEquals([theirs.length, ours], [1, theirs]);
});

Deno.test("daemon: the addresses of one network have one address's room", async () => {
  await using stage = await crowded();
  const { monitor, source } = stage;
  for (const [i, frame] of fillers.entries()) {
    await monitor.hear([frame], `2001:db8::${(i + 1).toString(16)}`);
  }
  await monitor.hear([await frameOf(fork, 15)], stranger(1));
  source.size = 20;
  await stage.minutes(2);
  assertEquals((await monitor.cases()).length, 1);
});

Deno.test("daemon: what a stranger told in vain is heard anew from a peer", async () => {
  await using stage = await crowded();
  const { monitor, peer, source } = stage;
  for (const [i, frame] of fillers.entries()) {
    await monitor.hear([frame], stranger(i));
  }
  const frame = await frameOf(fork, 15);
  await monitor.hear([frame], stranger(ROOM));
  await monitor.hear([frame], peer.address.hostname);
  source.size = 20;
  await stage.minutes(2);
  assertEquals((await monitor.cases()).length, 1);
});

Deno.test("KnownPeers: a peer is known by its address however it is spelled, and by name once reached", () => {
  const lima = { hostname: "198.51.100.2", port: 9900 };
  const named = { hostname: "berlin.example.org", port: 9900 };
  const peers = new KnownPeers([lima, named].map((address) => ({ address })));
  for (const source of ["198.51.100.2", "::ffff:198.51.100.2", "198.51.100.2:9900"]) {
    assert(peers.has(source), source);
  }
  assert(!peers.has("198.51.100.3"));
  assert(!peers.has("192.0.2.1"));
  peers.hosts.reached(named, { hostname: "192.0.2.1", port: 9900 });
  assert(peers.has("192.0.2.1"));
});

Deno.test("daemon: who asks much keeps nobody else waiting where the log gives little", async () => {
  await using monitor = await Host.make();
  const { clock } = monitor;
  const source = new ScriptedSource(honest, 700);
  // One proof a minute.
  let provenAt = -Infinity;
  const proof = source.consistency.bind(source);
  source.consistency = (sizes) => {
    if (clock.monotonic() - provenAt < MINUTE) throw new SourceUnavailable("429 Too Many Requests");
    provenAt = clock.monotonic();
    return proof(sizes);
  };
  const [busy, peer] = [2, 3].map((number) => ({ hostname: `198.51.100.${number}`, port: 9900 }));
  await monitor.start({ logs: [{ source }], peers: [busy!, peer!], gossipMs: 1_000 * MINUTE });
  // Without 650, at which it tells two stories.
  const frames = [...await framesFrom(100, 550), ...await framesFrom(651, 49)];
  await monitor.hear(frames, busy!.hostname);
  await monitor.hear([await frameOf(lateFork, 650)], peer!.hostname);
  let minutes = 0;
  while ((await monitor.cases()).length === 0 && minutes < 60) {
    minutes++;
    await monitor.pass(MINUTE);
  }
  assert(minutes <= 10, `${minutes} minutes`);
  // That the log gives no more proofs is told by no question.
  assertEquals(monitor.toldOf("log.unavailable").filter(({ level }) => level !== "debug"), []);
});

Deno.test("daemon: any number of roots at one size makes one error line", async () => {
  await using stage = await crowded();
  const { monitor } = stage;
  const stories = await Promise.all(Array.from({ length: 40 }, async (_, i) => {
    const story = fork.fork();
    grow(story, 16, `story ${i}`);
    return await frameOf(story, 16);
  }));
  await monitor.hear(stories, stranger(1));
  const lines = monitor.toldOf("exchange.inconsistent").filter(({ level }) => level === "error");
  assertEquals(lines.length, 1);
});

Deno.test("daemon: once is not done where nothing was compared with a peer", async () => {
  await using stage = await Stage.set();
  const { one, two } = stage;
  await two.start({ logs: [{ source: new ScriptedSource(await logAt("log.invalid/b")) }] });
  const source = new ScriptedSource(grow(await logAt("log.invalid/a"), 3));
  const daemon = await one.open({ logs: [{ source }], peers: [two.address] });
  assertEquals(await daemon.once(), false);
  await daemon.close();
});
