/** A daemon that is told to end: soon, whatever others do, and without a word against them. */
import { assert, assertEquals } from "@std/assert";
import { SourceUnavailable } from "../../src/sources/source.ts";
import type { Files, OpenFile } from "../../src/world/world.ts";
import { grow } from "../evidence/histories.ts";
import { settled } from "../gossip/fake_network.ts";
import { frameOf } from "../gossip/helpers.ts";
import { Host, logAt, MINUTE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

const SECOND = 1_000;
const PEER = { hostname: "198.51.100.77", port: 9900 };

/** What a host told or wrote as somebody's failure. */
async function failuresOf(host: Host): Promise<string[]> {
  const written = await host.observations();
  return [
    ...host.told.map(({ name }) => name),
    ...written.map(({ observation: { via, result } }) => `${via} ${result}`),
  ].filter((what) => /failed|unavailable|refused|fault/.test(what));
}

Deno.test("stopping: a peer that accepts and stays silent is not waited for, nor told of", async () => {
  await using host = await Host.make();
  const { network } = host;
  const peer = network.listen(PEER);
  const source = new ScriptedSource(grow(await logAt(), 5));
  await host.start({ logs: [{ source }], peers: [PEER] });
  await host.pass(MINUTE);
  const connection = await peer.accept();
  assert(connection!.arrived > 0, "a round has begun");
  await host.stop({ withinMs: SECOND });
  assertEquals(await failuresOf(host), []);
  peer.close();
});

Deno.test("stopping: nor one to which the connection is still being made", async () => {
  await using host = await Host.make();
  const { network } = host;
  network.swallow(PEER);
  const source = new ScriptedSource(grow(await logAt(), 5));
  const daemon = await host.start({ logs: [{ source }], peers: [PEER] });
  await host.pass(MINUTE);
  assertEquals(daemon.status().peers[0]!.exchanges, 1, "a round has begun");
  await host.stop({ withinMs: SECOND });
  assertEquals(await failuresOf(host), []);
});

Deno.test("stopping: no round begins after the one that is under way", async () => {
  await using host = await Host.make();
  const { network } = host;
  const peer = network.listen(PEER);
  const log = grow(await logAt(), 5);
  const other = grow(log.fork(), 9, "another story");
  const source = new ScriptedSource(grow(log, 9));
  const daemon = await host.start({ logs: [{ source }], peers: [PEER] });
  await host.pass(MINUTE);
  await peer.accept();
  // A case: every peer is to be told at once, after the round that is under way.
  source.story = other;
  await host.pass(5 * SECOND);
  const caller = await network.at("192.0.2.9").connect(host.address, SECOND);
  await caller.write(await frameOf(other));
  await host.pass(0);
  assertEquals(host.toldOf("incident.recorded").length, 1);
  const begun = (): number => daemon.status().peers[0]!.exchanges;
  assertEquals(begun(), 1);
  await host.stop({ withinMs: SECOND });
  assertEquals(begun(), 1);
  peer.close();
});

Deno.test("stopping: callers are not told of as if they had failed", async () => {
  await using host = await Host.make();
  const { network } = host;
  const source = new ScriptedSource(grow(await logAt(), 5));
  await host.start({ logs: [{ source }] });
  const frames = await network.at("192.0.2.7").connect(host.address, SECOND);
  await frames.write(new Uint8Array(50));
  const parcel = await network.at("192.0.2.8").connect(host.address, SECOND);
  await parcel.write(Uint8Array.of(0x81, 1));
  await settled();
  await host.stop({ withinMs: 0 });
  assertEquals(await failuresOf(host), []);
});

Deno.test("stopping: a look that is cut short says nothing of the log", async () => {
  await using host = await Host.make();
  const source = new ScriptedSource(grow(await logAt(), 5));
  const daemon = await host.start({ logs: [{ source }] });
  source.latestTrouble = "hangs";
  await host.pass(MINUTE);
  assertEquals(source.asked.latest, 2);
  daemon.stop();
  source.letGo();
  await host.stop({ withinMs: 0 });
  assertEquals(await failuresOf(host), []);
  assertEquals(daemon.status().logs[0]!.lastResult, "first");
});

Deno.test("stopping: what the log has shown stays a question if there is no time to prove it", async () => {
  await using host = await Host.make();
  const source = new ScriptedSource(grow(await logAt(), 9), 5);
  const daemon = await host.start({ logs: [{ source }] });
  source.size = 9;
  source.consistency = () => {
    daemon.stop();
    return Promise.reject(new SourceUnavailable("this monitor ends"));
  };
  await host.pass(MINUTE);
  await host.stop({ withinMs: 0 });
  assertEquals(await failuresOf(host), []);
  const { result, checkpoint } = (await host.observations()).at(-1)!.observation;
  assertEquals([result, checkpoint?.size], ["pending", "9"]);
});

/** A disk whose syncs wait until they are let go. */
function heldDisk(files: Files): { files: Files; isHeld: boolean; letGo(): void } {
  const held = {
    isHeld: false,
    release: Promise.withResolvers<void>(),
    letGo: () => {
      held.isHeld = false;
      held.release.resolve();
    },
    files: {
      ...files,
      open: async (path: string, mode: "read" | "write") => holding(await files.open(path, mode)),
      create: async (path: string, permissions: number) =>
        holding(await files.create(path, permissions)),
    },
  };
  const holding = (file: OpenFile): OpenFile => ({
    ...file,
    sync: async () => {
      if (held.isHeld) await held.release.promise;
      await file.sync();
    },
  });
  return held;
}

Deno.test("stopping: what strangers told and were not answered for is dropped", async () => {
  await using host = await Host.make();
  const { network } = host;
  const disk = heldDisk(host.disk.files);
  host.files = disk.files;
  const log = grow(await logAt(), 40);
  await host.start({ logs: [{ source: new ScriptedSource(log, 5) }] });
  disk.isHeld = true;
  for (let size = 10n; size < 40n; size++) {
    const stranger = await network.at("192.0.2.7").connect(host.address, SECOND);
    await stranger.write(await frameOf(log, size));
  }
  await settled();
  const { daemon } = host;
  daemon!.stop();
  disk.letGo();
  await host.stop({ withinMs: 0 });
  const heard = (await host.observations()).filter(({ observation: { via } }) => via !== "poll");
  assertEquals(heard.length, 1, "the entry that was being written");
  assertEquals(await failuresOf(host), []);
});
