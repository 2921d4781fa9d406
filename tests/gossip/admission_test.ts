import { assertEquals } from "@std/assert";
import { addressKey, Allowance, ConnectionTable, type Place } from "../../src/gossip/admission.ts";
import { DEFAULT_LIMITS, type ExchangeLimits } from "../../src/gossip/limits.ts";
import { ManualClock } from "./fake_network.ts";

/** Each address, and what it is counted with. */
const KEYS: readonly [address: string, key: string][] = [
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["::FFFF:192.0.2.7", "192.0.2.7"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4::/64"],
  // The zeros that :: stands for, before, across and after the border of the /64.
  ["::", "0:0:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["::3:4:5:6:7:8", "0:0:3:4::/64"],
  ["1::", "1:0:0:0::/64"],
  ["1::8", "1:0:0:0::/64"],
  ["1::4:5:6:7:8", "1:0:0:4::/64"],
  ["1:2::", "1:2:0:0::/64"],
  ["1:2::8", "1:2:0:0::/64"],
  ["1:2::4:5:6:7:8", "1:2:0:4::/64"],
  ["1:2:3::7:8", "1:2:3:0::/64"],
  ["1:2:3::5:6:7:8", "1:2:3:0::/64"],
  ["1:2:3:4::", "1:2:3:4::/64"],
  ["1:2:3:4::8", "1:2:3:4::/64"],
  ["1:2:3:4:5::8", "1:2:3:4::/64"],
  ["1:2:3:4:5:6:7::", "1:2:3:4::/64"],
];

for (const [address, key] of KEYS) {
  Deno.test(`addressKey: ${address} is counted as ${key}`, () => {
    assertEquals(addressKey(address), key);
  });
}

Deno.test("addressKey: two spellings of one /64 are one, two /64s are two", () => {
  assertEquals(addressKey("2001:db8:0:0:1::"), addressKey("2001:db8::ffff:2"));
  assertEquals(addressKey("2001:db8::1") === addressKey("2001:db8:0:1::1"), false);
});

const FRAMES = 100;
const REFUSED = 30;

/** An allowance of 100 frames a second, of which a refused one costs 30. */
function allowance(maxAddresses = 10): { clock: ManualClock; allowance: Allowance } {
  const clock = new ManualClock();
  const limits: ExchangeLimits = {
    ...DEFAULT_LIMITS,
    framesPerSecondPerAddress: FRAMES,
    refusedFrameCost: REFUSED,
    maxAddresses,
  };
  return { clock, allowance: new Allowance({ clock, limits }) };
}

Deno.test("allowance: one second's frames at once, and not one more", () => {
  const { allowance: left } = allowance();
  assertEquals(left.take("a", FRAMES), true);
  assertEquals(left.take("a", 1), false);
  assertEquals(left.isOpen("a"), false);
  assertEquals(left.take("b", FRAMES + 1), false);
});

Deno.test("allowance: what is refused is not taken", () => {
  const { allowance: left } = allowance();
  assertEquals(left.take("a", FRAMES + 1), false);
  assertEquals(left.take("a", FRAMES), true);
});

Deno.test("allowance: every address has its own", () => {
  const { allowance: left } = allowance();
  left.take("a", FRAMES);
  left.charge("a");
  assertEquals([left.isOpen("b"), left.take("b", FRAMES)], [true, true]);
});

Deno.test("allowance: it fills with the clock, and not above one second's frames", async () => {
  const { clock, allowance: left } = allowance();
  left.take("a", FRAMES);
  await clock.advance(250);
  assertEquals([left.take("a", FRAMES / 4 + 1), left.take("a", FRAMES / 4)], [false, true]);
  await clock.advance(60_000);
  assertEquals([left.take("a", FRAMES + 1), left.take("a", FRAMES)], [false, true]);
});

Deno.test("allowance: asking often does not fill it faster, nor slower", async () => {
  const { clock, allowance: left } = allowance();
  left.take("a", FRAMES);
  for (let ms = 0; ms < 500; ms += 5) {
    await clock.advance(5);
    left.isOpen("a");
  }
  assertEquals([left.take("a", FRAMES / 2 + 1), left.take("a", FRAMES / 2 - 1)], [false, true]);
});

Deno.test("allowance: a refused frame costs what the limits say", () => {
  const { allowance: left } = allowance();
  left.charge("a");
  assertEquals([left.take("a", FRAMES - REFUSED + 1), left.take("a", FRAMES - REFUSED)], [
    false,
    true,
  ]);
});

Deno.test("allowance: charged below empty, an address stays out until it has filled up", async () => {
  const { clock, allowance: left } = allowance();
  left.take("a", FRAMES - 10);
  left.charge("a"); // 20 below empty, which takes 200 ms; the first frame takes another 10
  await clock.advance(205);
  assertEquals([left.isOpen("a"), left.take("a", 1)], [false, false]);
  await clock.advance(6);
  assertEquals([left.isOpen("a"), left.take("a", 1)], [true, true]);
});

Deno.test("allowance: however often it is charged, an address is out for two seconds at most", async () => {
  const { clock, allowance: left } = allowance();
  for (let i = 0; i < 1_000; i++) left.charge("a");
  await clock.advance(1_000);
  assertEquals(left.isOpen("a"), false);
  await clock.advance(20);
  assertEquals(left.isOpen("a"), true);
});

Deno.test("allowance: remembers as many addresses as allowed, and forgets the least recent", () => {
  const { allowance: left } = allowance(3);
  for (const key of ["a", "b", "c"]) left.take(key, FRAMES);
  left.isOpen("a"); // heard again, so b is the least recent
  assertEquals(["a", "b", "c"].map((key) => left.isOpen(key)), [false, false, false]);
  left.isOpen("a");
  left.isOpen("d"); // the fourth: b, asked before c and a, is forgotten
  assertEquals(["a", "c", "d"].map((key) => left.take(key, FRAMES)), [false, false, true]);
  assertEquals(left.take("b", FRAMES), true);
});

/** A place in the table, heard at a time; it notes whether its connection was closed. */
function placeAt(heardAt: number, key: string): Place & { closed: boolean } {
  const place = {
    connection: {
      remote: { hostname: key, port: 1 },
      read: () => Promise.resolve(undefined),
      write: () => Promise.resolve(),
      closeWrite: () => Promise.resolve(),
      close: () => void (place.closed = true),
    },
    key,
    heardAt,
    closedBecause: undefined as string | undefined,
    closed: false,
  };
  return place;
}

function tableOf(limits: Partial<ExchangeLimits>): ConnectionTable {
  return new ConnectionTable({ ...DEFAULT_LIMITS, ...limits });
}

Deno.test("connection table: takes in as many as allowed and closes none", () => {
  const table = tableOf({ maxConnections: 3, maxConnectionsPerAddress: 2 });
  const places = [placeAt(1, "a"), placeAt(2, "a"), placeAt(3, "b")];
  for (const place of places) table.add(place);
  assertEquals(table.size, 3);
  assertEquals(places.map(({ closed }) => closed), [false, false, false]);
});

Deno.test("connection table: above its limit the one silent longest gives way", () => {
  const table = tableOf({ maxConnections: 3, maxConnectionsPerAddress: 3 });
  const places = [placeAt(5, "a"), placeAt(2, "b"), placeAt(9, "c")];
  for (const place of places) table.add(place);
  const honest = placeAt(10, "d");
  table.add(honest);
  assertEquals(table.size, 3);
  assertEquals(places.map(({ closed }) => closed), [false, true, false]);
  assertEquals(
    places[1]!.closedBecause,
    "all connections are taken, and this one was silent longest",
  );
  assertEquals([honest.closed, honest.closedBecause], [false, undefined]);
});

Deno.test("connection table: above an address's limit its own longest silent gives way", () => {
  const table = tableOf({ maxConnections: 10, maxConnectionsPerAddress: 2 });
  const other = placeAt(0, "b"); // silent longer than any of a's
  const places = [placeAt(7, "a"), placeAt(3, "a")];
  for (const place of [other, ...places]) table.add(place);
  table.add(placeAt(8, "a"));
  assertEquals(table.size, 3);
  assertEquals([other, ...places].map(({ closed }) => closed), [false, false, true]);
  assertEquals(
    places[1]!.closedBecause,
    "this address has its most connections, and this one was silent longest",
  );
});

Deno.test("connection table: an address at both limits makes only its own give way", () => {
  const table = tableOf({ maxConnections: 3, maxConnectionsPerAddress: 2 });
  const places = [placeAt(1, "b"), placeAt(2, "a"), placeAt(3, "a")];
  for (const place of places) table.add(place);
  table.add(placeAt(4, "a"));
  assertEquals(places.map(({ closed }) => closed), [false, true, false]);
  assertEquals(table.size, 3);
});

Deno.test("connection table: a place that is let go makes room", () => {
  const table = tableOf({ maxConnections: 2, maxConnectionsPerAddress: 2 });
  const [first, second] = [placeAt(1, "a"), placeAt(2, "a")];
  table.add(first);
  table.add(second);
  table.remove(first);
  table.add(placeAt(3, "a"));
  assertEquals([table.size, first.closed, second.closed], [2, false, false]);
});

Deno.test("connection table: the first reason for closing is kept", () => {
  const table = tableOf({});
  const place = placeAt(1, "a");
  table.add(place);
  table.close(place, "the first reason");
  table.closeAll();
  assertEquals([place.closed, place.closedBecause], [true, "the first reason"]);
});
