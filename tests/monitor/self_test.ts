/** A monitor that compares with itself recognises it; a peer that pretends to be it gains nothing. */
import { assertEquals, assertMatch } from "@std/assert";
import { aboutItem } from "../../src/gossip/about_item.ts";
import { followsItem } from "../../src/gossip/follows_item.ts";
import { hearParcel } from "../../src/gossip/hearing.ts";
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import { Judge } from "../../src/gossip/judge.ts";
import { encodeParcel, PARCEL_VERSION, ParcelDecoder } from "../../src/gossip/parcel.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { troublesOf } from "../../src/monitor/troubles.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import type { Address } from "../../src/world/world.ts";
import { settled } from "../gossip/fake_network.ts";
import { frameOf, readAll } from "../gossip/helpers.ts";
import { grow } from "../evidence/histories.ts";
import { type Host, logAt, MINUTE, parted, Stage } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

/** Another name of the first host. */
const ALIAS: Address = { hostname: "203.0.113.9", port: 9900 };
const ITSELF = "peer 203.0.113.9:9900 is this monitor itself";
const WITH_NOBODY = "nothing is compared with anybody: no peer is another monitor";
const VERSION = /^hearsay\/\d+\.\d+\.\d+$/;

function source(log: TestLog, size = Number(log.treeSize)): ScriptedSource {
  return new ScriptedSource(log, size);
}

/** What its daemon's status says of its peers and of what is not as it should be. */
function said({ daemon }: Host) {
  const status = daemon!.status();
  return {
    peers: status.peers,
    sharedBy: status.logs[0]!.sharedBy,
    troubles: troublesOf(status).map(({ text }) => text),
  };
}

Deno.test("itself: a monitor that is its own peer, by another address, says so and counts no match", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await Stage.set({ count: 1 });
  stage.one.network.forward(ALIAS, stage.one.address);
  await stage.one.start({ logs: [{ source: source(log) }], peers: [ALIAS] });
  await stage.minutes(4);
  const { peers: [peer], sharedBy, troubles } = said(stage.one);
  assertEquals([peer!.isSelf, peer!.matches, sharedBy], [true, 0, undefined]);
  assertEquals(troubles, [WITH_NOBODY, ITSELF]);
  assertEquals(stage.one.loud("exchange.self"), ["warning"], "once, not each round");
  const journaled = await stage.one.observations();
  const called = journaled.filter(({ observation }) => observation.source === "203.0.113.9:9900");
  assertEquals(called, [], "no match is written down");
});

Deno.test("itself: another peer beside it is compared with, and tells its version", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await Stage.set();
  const { one, two } = stage;
  one.network.forward(ALIAS, one.address);
  await one.start({ logs: [{ source: source(log) }], peers: [ALIAS, two.address] });
  await two.start({ logs: [{ source: source(log) }], peers: [] });
  await stage.minutes(4);
  const { peers: [itself, other], sharedBy, troubles } = said(one);
  assertEquals([itself!.isSelf, other!.isSelf, sharedBy], [true, undefined, 1]);
  assertEquals([itself!.matches, other!.matches > 0], [0, true]);
  assertMatch(other!.software!, VERSION);
  assertEquals(troubles, [ITSELF]);
});

Deno.test("itself: an address that leads to another monitor again is compared with again", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await Stage.set();
  const { one, two } = stage;
  one.network.forward(ALIAS, one.address);
  await one.start({ logs: [{ source: source(log) }], peers: [ALIAS] });
  await two.start({ logs: [{ source: source(log) }], peers: [] });
  await stage.minutes(2);
  one.network.forward(ALIAS, two.address);
  await stage.minutes(3);
  const { peers: [peer], troubles } = said(one);
  assertEquals([peer!.isSelf, peer!.matches > 0, troubles], [undefined, true, []]);
  one.network.forward(ALIAS, one.address);
  await stage.minutes(2);
  assertEquals(one.loud("exchange.self"), ["warning", "warning"], "each time that it begins");
});

/** Answers as a peer that follows the log, and repeats what its callers say about themselves. */
async function repeatAt(host: Host, address: Address, { log, frame }: {
  log: TestLog["log"];
  frame: Uint8Array;
}): Promise<void> {
  const listener = host.network.listen(address);
  for (let caller; (caller = await listener.accept()) !== undefined;) {
    const bytes = await readAll(caller);
    if (bytes[0] !== PARCEL_VERSION) await caller.write(frame);
    else {
      const items = [...new ParcelDecoder(DEFAULT_LIMITS).take(bytes)];
      const judge = new Judge({ logs: [log], detector: new EquivocationDetector() });
      const party = { judge, cases: () => [], standing: () => "unknown" as const };
      const { about } = hearParcel({ items, source: "", party });
      await caller.write(encodeParcel([followsItem([log]), ...(about ? [aboutItem(about)] : [])]));
    }
    caller.close();
  }
}

Deno.test("itself: what a peer shows that repeats our bytes is judged, and only its own line suffers", async () => {
  const [ours, theirs] = await parted({ at: 2, sizes: [5, 5] });
  await using stage = await Stage.set();
  const { one, two } = stage;
  const liar = { hostname: "203.0.113.66", port: 9900 };
  void repeatAt(one, liar, { log: ours.log, frame: await frameOf(theirs) });
  await two.start({ logs: [{ source: source(ours) }], peers: [] });
  await one.start({ logs: [{ source: source(ours) }], peers: [liar, two.address] });
  await stage.minutes(3);
  await settled();
  const { peers: [repeats, honest], troubles } = said(one);
  assertEquals([repeats!.isSelf, repeats!.conflicts > 0, honest!.isSelf], [true, true, undefined]);
  assertEquals([honest!.exchanges > 0, honest!.failing], [true, undefined]);
  assertEquals(troubles, ["peer 203.0.113.66:9900 is this monitor itself"]);
  assertEquals((await one.cases()).length, 1, "the split is recorded");
  assertEquals(await two.cases(), await one.cases(), "and handed to the others");
});

Deno.test("itself: a stranger that calls with our bytes changes nothing", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await Stage.set();
  const { one, two } = stage;
  await one.start({ logs: [{ source: source(log) }], peers: [two.address] });
  await two.start({ logs: [{ source: source(log) }], peers: [] });
  await stage.minutes(2);
  // It learns them as any caller does, and says them again.
  const learn = encodeParcel([aboutItem({ startId: new Uint8Array(16), software: "stranger/1" })]);
  const connect = () => one.network.at(two.address.hostname).connect(one.address, 1_000);
  const tell = async (bytes: Uint8Array): Promise<Uint8Array> => {
    const connection = await connect();
    await connection.write(bytes);
    await connection.closeWrite();
    return await readAll(connection);
  };
  const heard = await tell(learn);
  assertEquals(await tell(heard), heard, "it is answered as before");
  await one.pass(2 * MINUTE);
  const { peers: [peer], troubles } = said(one);
  assertEquals([peer!.isSelf, troubles, one.toldOf("exchange.self")], [undefined, [], []]);
});

Deno.test("itself: one pass that compared with nobody but itself is not told as well done", async () => {
  const log = grow(await logAt(), 3);
  await using stage = await Stage.set({ count: 1 });
  const { one } = stage;
  one.network.forward(ALIAS, one.address);
  const daemon = await one.start({ logs: [{ source: source(log) }], peers: [ALIAS] });
  assertEquals(await daemon.once(), false);
});
