/** What a Network promises, held against the real one and the one in memory alike. */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { WorldError } from "../../src/world/world.ts";
import { FakeNetwork, ManualClock, settled } from "../gossip/fake_network.ts";
import { connected, world } from "./helpers.ts";

const NETWORKS = [
  ["real", () => world.network],
  ["in memory", () => new FakeNetwork({ clock: new ManualClock() }).at("127.0.0.1")],
] as const;

const bytes = (...values: number[]) => Uint8Array.from(values);

for (const [kind, make] of NETWORKS) {
  Deno.test(`network, ${kind}: what is written is read, in order, in both directions`, async () => {
    using ends = await connected(make());
    const buffer = new Uint8Array(10);
    for (const [from, to] of [[ends.caller, ends.callee], [ends.callee, ends.caller]] as const) {
      await from.write(bytes(1, 2, 3));
      assertEquals(await to.read(buffer), 3);
      assertEquals(buffer.subarray(0, 3), bytes(1, 2, 3));
    }
  });

  Deno.test(`network, ${kind}: a read gives what fits and leaves the rest`, async () => {
    using ends = await connected(make());
    await ends.caller.write(bytes(1, 2, 3));
    const buffer = new Uint8Array(2);
    assertEquals([await ends.callee.read(buffer), buffer], [2, bytes(1, 2)]);
    assertEquals([await ends.callee.read(buffer), buffer], [1, bytes(3, 2)]);
  });

  Deno.test(`network, ${kind}: a read waits for bytes`, async () => {
    using ends = await connected(make());
    const buffer = new Uint8Array(10);
    const reading = ends.callee.read(buffer);
    await ends.caller.write(bytes(7));
    assertEquals(await reading, 1);
  });

  Deno.test(`network, ${kind}: after closeWrite the other end reads the end, and can still write`, async () => {
    using ends = await connected(make());
    await ends.caller.write(bytes(1));
    await ends.caller.closeWrite();
    const buffer = new Uint8Array(10);
    assertEquals(await ends.callee.read(buffer), 1);
    assertEquals(await ends.callee.read(buffer), undefined);
    assertEquals(await ends.callee.read(buffer), undefined);
    await ends.callee.write(bytes(2));
    assertEquals(await ends.caller.read(buffer), 1);
    await assertRejects(() => ends.caller.write(bytes(3)), WorldError);
  });

  Deno.test(`network, ${kind}: what was sent before a close still arrives`, async () => {
    using ends = await connected(make());
    await ends.caller.write(bytes(1, 2));
    ends.caller.close();
    const buffer = new Uint8Array(10);
    assertEquals(await ends.callee.read(buffer), 2);
    assertEquals(await ends.callee.read(buffer), undefined);
  });

  Deno.test(`network, ${kind}: a connection closed here neither reads nor writes`, async () => {
    using ends = await connected(make());
    ends.caller.close();
    ends.caller.close(); // A second call does nothing.
    for (
      const use of [
        () => ends.caller.read(new Uint8Array(1)),
        () => ends.caller.write(bytes(1)),
      ]
    ) {
      assertEquals((await assertRejects(use, WorldError)).kind, "closed");
    }
  });

  Deno.test(`network, ${kind}: closing ends a read that waits`, async () => {
    using ends = await connected(make());
    const reading = assertRejects(() => ends.caller.read(new Uint8Array(1)), WorldError);
    await settled();
    ends.caller.close();
    assertEquals((await reading).kind, "closed");
  });

  Deno.test(`network, ${kind}: a write waits for the reader, and closing ends it`, async () => {
    using ends = await connected(make());
    const more = new Uint8Array(64 * 1024 * 1024); // More than a system holds on its way.
    let ended = false;
    const writing = assertRejects(() => ends.caller.write(more), WorldError)
      .finally(() => ended = true);
    const buffer = new Uint8Array(1_000_000);
    for (let i = 0; i < 3; i++) await ends.callee.read(buffer);
    assertEquals(ended, false);
    ends.caller.close();
    assertEquals((await writing).kind, "closed");
  });

  Deno.test(`network, ${kind}: writing to an end that is gone fails`, async () => {
    using ends = await connected(make());
    ends.callee.close();
    const error = await assertRejects(async () => {
      // The system notices with the second write, at the latest soon after.
      for (let i = 0; i < 10_000; i++) await ends.caller.write(bytes(1));
    }, WorldError);
    assert(error.kind !== "closed", "it was not closed here");
  });

  Deno.test(`network, ${kind}: where nobody listens, connecting fails`, async () => {
    const network = make();
    const listener = network.listen({ hostname: "127.0.0.1", port: 0 });
    listener.close();
    const error = await assertRejects(() => network.connect(listener.address, 1_000), WorldError);
    assertEquals(error.kind, "other");
    assert(/refused/i.test(error.message), error.message);
  });

  Deno.test(`network, ${kind}: closing a listener ends the accept that waits, and every later one`, async () => {
    const listener = make().listen({ hostname: "127.0.0.1", port: 0 });
    const accepting = listener.accept();
    await settled();
    listener.close();
    listener.close();
    assertEquals([await accepting, await listener.accept()], [undefined, undefined]);
  });

  Deno.test(`network, ${kind}: port 0 becomes a free one, and both ends know the other's address`, async () => {
    const network = make();
    const listener = network.listen({ hostname: "127.0.0.1", port: 0 });
    assert(listener.address.port > 0);
    const caller = await network.connect(listener.address, 1_000);
    const callee = (await listener.accept())!;
    assertEquals(caller.remote, listener.address);
    assertEquals(callee.remote.hostname, "127.0.0.1");
    assert(callee.remote.port > 0 && callee.remote.port !== listener.address.port);
    for (const one of [caller, callee, listener]) one.close();
  });

  Deno.test(`network, ${kind}: an address that is listened on cannot be listened on again`, () => {
    const network = make();
    const listener = network.listen({ hostname: "127.0.0.1", port: 0 });
    assertThrows(() => network.listen(listener.address), WorldError, "in use");
    listener.close();
  });
}

Deno.test("network, real: IPv6 addresses come without brackets and without a zone", async () => {
  const listener = world.network.listen({ hostname: "::1", port: 0 });
  const caller = await world.network.connect(listener.address, 1_000);
  const callee = (await listener.accept())!;
  assertEquals([listener.address.hostname, callee.remote.hostname], ["::1", "::1"]);
  for (const one of [caller, callee, listener]) one.close();
});

Deno.test("network, in memory: a connection that gets nowhere is given up in time", async () => {
  const clock = new ManualClock();
  const network = new FakeNetwork({ clock });
  const address = { hostname: "192.0.2.1", port: 9900 };
  network.listen(address);
  network.swallow(address);
  const connecting = assertRejects(
    () => network.at("192.0.2.2").connect(address, 500),
    WorldError,
    "no connection within 500 ms",
  );
  await clock.advance(499);
  assertEquals(clock.pending, 1);
  await clock.advance(1);
  assertEquals((await connecting).kind, "timed out");
});

Deno.test("network, in memory: a reset loses what was not read", async () => {
  const network = new FakeNetwork({ clock: new ManualClock() });
  const listener = network.listen({ hostname: "192.0.2.1", port: 0 });
  const caller = await network.at("192.0.2.2").connect(listener.address, 500);
  const callee = (await listener.accept())!;
  await caller.write(bytes(1, 2));
  assertEquals(callee.arrived, 2);
  caller.reset();
  await assertRejects(() => callee.read(new Uint8Array(2)), WorldError, "reset by peer");
  await assertRejects(() => callee.write(bytes(1)), WorldError, "reset by peer");
});

Deno.test("clock, in memory: makes the calls that fall due, in order, each once", async () => {
  const clock = new ManualClock();
  const made: string[] = [];
  const note = (what: string) => () => void made.push(`${what} at ${clock.monotonic()}`);
  clock.after(30, note("third"));
  clock.after(10, note("first"));
  clock.after(20, note("second, part 1"));
  clock.after(20, note("second, part 2"));
  clock.after(15, note("cancelled")).cancel();
  clock.after(10, () => clock.after(5, note("asked for by the first")));
  await clock.advance(29);
  assertEquals(made, [
    ...["first at 10", "asked for by the first at 15"],
    ...["second, part 1 at 20", "second, part 2 at 20"],
  ]);
  await clock.advance(1);
  assertEquals([made.at(-1), clock.pending, clock.monotonic()], ["third at 30", 0, 30]);
  assertEquals(clock.now().toISOString(), "2026-01-01T00:00:00.030Z");
});
