/** What others tell must not keep out what matters: rooms, turns and answers under pressure. */
import { assert, assertEquals } from "@std/assert";
import { SourceUnavailable } from "../../src/sources/source.ts";
import { KnownPeers } from "../../src/monitor/assembly.ts";
import { QUESTION_LIMITS } from "../../src/monitor/questions.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { checkpointOf, grow } from "../evidence/histories.ts";
import { FakeNetwork, ManualClock, settled } from "../gossip/fake_network.ts";
import { ask } from "../gossip/helpers.ts";
import { Host, hostsOf, logAt, MINUTE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

const ROOM = QUESTION_LIMITS.stranger.questions;

/** An address of a network of its own. */
function stranger(number: number): string {
  return `203.0.${number >> 8}.${number & 255}`;
}

/** A log of 12 entries that goes on honestly, and a fork of it at 15 that left at 10. */
async function forked(): Promise<{ honest: TestLog; fork: TestLog }> {
  const honest = grow(await logAt("log.invalid/shared"), 10);
  const fork = grow(honest.fork(), 15, "forked");
  return { honest: grow(honest, 2_000, "honest"), fork };
}

async function frameOf(log: TestLog, size: number): Promise<Uint8Array> {
  return (await checkpointOf(log, size)).frame;
}

/** Genuine checkpoints that no view here ever reaches. */
function fillers(log: TestLog, count: number): Promise<Uint8Array[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => frameOf(log, 1_000 + i)));
}

/** A monitor of the log at 12, and a peer that is shown the fork. */
async function stage({ isConfigured = true } = {}) {
  const { honest, fork } = await forked();
  const clock = new ManualClock();
  const network = new FakeNetwork({ clock });
  const monitor = await Host.make({ network, number: 1, clock });
  const peer = await Host.make({ network, number: 2, clock });
  const source = new ScriptedSource(honest, 12);
  const shown = new ScriptedSource(honest, 12);
  await monitor.start({ logs: [{ source }], peers: isConfigured ? [peer.address] : [] });
  const tell = async (from: string, frames: readonly Uint8Array[]): Promise<void> => {
    for (const frame of frames) {
      await ask(await network.at(from).connect(monitor.address, 1_000), frame);
    }
    await settled();
  };
  const pass = async (minutes: number): Promise<void> => {
    for (let minute = 0; minute < minutes; minute++) await clock.advance(MINUTE).then(settled);
  };
  return { honest, fork, monitor, peer, source, shown, tell, pass };
}

Deno.test("daemon: what gave way to others is a question again when a peer shows it", async () => {
  const { honest, fork, monitor, peer, source, shown, tell, pass } = await stage();
  await using _monitor = monitor;
  await using _peer = peer;
  const [last, ...others] = await fillers(honest, ROOM);
  await tell(stranger(1), [...others, await frameOf(fork, 15)]);
  await tell(stranger(2), [last!]);
  assert(monitor.toldOf("exchange.left out").length > 0, "the fork's has given way");
  source.size = 20;
  await pass(1);
  shown.story = fork;
  shown.size = 15;
  await peer.start({ logs: [{ source: shown }], peers: [monitor.address] });
  await pass(5);
  const [ours, theirs] = [await monitor.cases(), await peer.cases()];
  assertEquals([ours.length, theirs], [1, ours]);
});

Deno.test("daemon: what a peer shows is settled as a peer's, whoever told it first", async () => {
  const { honest, fork, monitor, peer, source, tell, pass } = await stage();
  await using _monitor = monitor;
  await using _peer = peer;
  const frame = await frameOf(fork, 15);
  const [last, ...others] = await fillers(honest, ROOM);
  await tell(stranger(1), [...others, frame]);
  await tell(peer.address.hostname, [frame]);
  await tell(stranger(2), [last!]);
  source.size = 20;
  await pass(2);
  assertEquals((await monitor.cases()).length, 1);
});

Deno.test("daemon: a record is taken in however much strangers have left open", async () => {
  const { honest, fork, monitor, peer, shown, tell, pass } = await stage({ isConfigured: false });
  await using _monitor = monitor;
  await using _peer = peer;
  for (const [i, frame] of (await fillers(honest, ROOM)).entries()) {
    await tell(stranger(i), [frame]);
  }
  await peer.start({ logs: [{ source: shown }], peers: [monitor.address] });
  await pass(1);
  shown.story = fork;
  shown.size = 15;
  await pass(3);
  const [ours, theirs] = [await monitor.cases(), await peer.cases()];
  assertEquals([theirs.length, ours], [1, theirs]);
});

Deno.test("daemon: the addresses of one network have one address's room", async () => {
  const { honest, fork, monitor, peer, source, tell, pass } = await stage();
  await using _monitor = monitor;
  await using _peer = peer;
  for (const [i, frame] of (await fillers(honest, ROOM)).entries()) {
    await tell(`2001:db8::${(i + 1).toString(16)}`, [frame]);
  }
  await tell(stranger(1), [await frameOf(fork, 15)]);
  source.size = 20;
  await pass(2);
  assertEquals((await monitor.cases()).length, 1);
});

Deno.test("daemon: what a stranger told in vain is heard anew from a peer", async () => {
  const { honest, fork, monitor, peer, source, tell, pass } = await stage();
  await using _monitor = monitor;
  await using _peer = peer;
  for (const [i, frame] of (await fillers(honest, ROOM)).entries()) {
    await tell(stranger(i), [frame]);
  }
  const frame = await frameOf(fork, 15);
  await tell(stranger(ROOM), [frame]);
  await tell(peer.address.hostname, [frame]);
  source.size = 20;
  await pass(2);
  assertEquals((await monitor.cases()).length, 1);
});

Deno.test("KnownPeers: a peer is known by its address however it is spelled, and by name once reached", () => {
  const lima = { hostname: "198.51.100.2", port: 9900 };
  const named = { hostname: "berlin.example.org", port: 9900 };
  const peers = new KnownPeers([lima, named].map((address) => ({ address, vkey: undefined })));
  for (const source of ["198.51.100.2", "::ffff:198.51.100.2", "198.51.100.2:9900"]) {
    assert(peers.has(source), source);
  }
  assert(!peers.has("198.51.100.3"));
  assert(!peers.has("192.0.2.1"));
  peers.hosts.reached(named, { hostname: "192.0.2.1", port: 9900 });
  assert(peers.has("192.0.2.1"));
});

Deno.test("daemon: who asks much keeps nobody else waiting where the log gives little", async () => {
  const honest = grow(await logAt("log.invalid/shared"), 600);
  const fork = grow(honest.fork(), 650, "forked");
  grow(honest, 700, "honest");
  const clock = new ManualClock();
  const network = new FakeNetwork({ clock });
  const monitor = await Host.make({ network, number: 1, clock });
  await using _monitor = monitor;
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
  const tell = async (from: string, frame: Uint8Array): Promise<void> => {
    await ask(await network.at(from).connect(monitor.address, 1_000), frame);
  };
  const sizes = Array.from({ length: 600 }, (_, i) => 100 + i).filter((size) => size !== 650);
  for (const size of sizes) await tell(busy!.hostname, await frameOf(honest, size));
  await tell(peer!.hostname, await frameOf(fork, 650));
  let minutes = 0;
  while ((await monitor.cases()).length === 0 && minutes < 60) {
    minutes++;
    await clock.advance(MINUTE).then(settled);
  }
  assert(minutes <= 10, `${minutes} minutes`);
  // That the log gives no more proofs is told by no question.
  assertEquals(monitor.toldOf("log.unavailable").filter(({ level }) => level !== "debug"), []);
});

Deno.test("daemon: any number of roots at one size makes one error line", async () => {
  const { fork, monitor, peer, tell } = await stage();
  await using _monitor = monitor;
  await using _peer = peer;
  const stories = await Promise.all(Array.from({ length: 40 }, async (_, i) => {
    const story = fork.fork();
    grow(story, 16, `story ${i}`);
    return await frameOf(story, 16);
  }));
  await tell(stranger(1), stories);
  const lines = monitor.toldOf("exchange.inconsistent").filter(({ level }) => level === "error");
  assertEquals(lines.length, 1);
});

Deno.test("daemon: once is not done where nothing was compared with a peer", async () => {
  const [one, two] = await hostsOf(2) as [Host, Host];
  await using _one = one;
  await using _two = two;
  await two.start({ logs: [{ source: new ScriptedSource(await logAt("log.invalid/b")) }] });
  const source = new ScriptedSource(grow(await logAt("log.invalid/a"), 3));
  const daemon = await one.open({ logs: [{ source }], peers: [two.address] });
  assertEquals(await daemon.once(), false);
  await daemon.close();
});
