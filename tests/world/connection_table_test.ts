import { assertEquals } from "@std/assert";
import {
  addressKey,
  ConnectionTable,
  type FavouredHosts,
  PeerHosts,
  type Place,
  type TableLimits,
} from "../../src/world/connection_table.ts";

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

function tableOf(limits: Partial<TableLimits>, favoured?: FavouredHosts): ConnectionTable {
  return new ConnectionTable(
    { maxConnections: 16, maxConnectionsPerAddress: 4, ...limits },
    favoured,
  );
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

/** Lets eight addresses come by turns for a while, with a new connection each time. */
function flood(table: ConnectionTable, { from, until }: { from: number; until: number }): void {
  for (let at = from, turn = 0; at < until; at += 19, turn++) {
    table.add(placeAt(at, `attacker ${turn % 8}`));
  }
}

Deno.test("connection table: who comes again and again pushes out nobody who comes once", () => {
  const table = tableOf({});
  flood(table, { from: 0, until: 3_000 });
  const honest = placeAt(3_000, "honest");
  table.add(honest);
  // Eight addresses, 53 connections a second, each younger than what the honest one has said.
  flood(table, { from: 3_001, until: 20_000 });
  assertEquals([honest.closed, table.size], [false, 16]);
});

Deno.test("connection table: a full table of many silent addresses takes in whoever comes now and then", () => {
  const table = tableOf({});
  table.add(placeAt(0, "regular"));
  for (let i = 0; i < 20; i++) table.add(placeAt(29_000 + i, `silent ${i}`));
  const again = placeAt(30_000, "regular");
  table.add(again);
  assertEquals(again.closed, false);
});

Deno.test("connection table: who was pushed out and comes back at once is turned away in the end", () => {
  const table = tableOf({ maxConnections: 2 });
  for (const key of ["a", "b"]) table.add(placeAt(0, key));
  const tries = Array.from({ length: 4 }, (_, i) => placeAt(i + 1, "c"));
  for (const each of tries) {
    table.add(each);
    table.remove(each);
    table.add(placeAt(each.heardAt, `filler ${each.heardAt}`));
  }
  assertEquals(
    tries.at(-1)!.closedBecause,
    "all connections are taken, and this address has taken most",
  );
});

/** A table of four, of which peers are promised two. */
function favouring(): ConnectionTable {
  return tableOf({ maxConnections: 4 }, { has: (key) => key.startsWith("peer") });
}

Deno.test("connection table: a peer gives way to no stranger, however much it takes", () => {
  const table = favouring();
  const peers = [placeAt(1, "peer a"), placeAt(2, "peer a")];
  for (const place of peers) table.add(place);
  for (let i = 0; i < 50; i++) table.add(placeAt(10 + i, `stranger ${i}`));
  assertEquals(peers.map(({ closed }) => closed), [false, false]);
});

Deno.test("connection table: a peer always finds a place among strangers", () => {
  const table = favouring();
  for (let i = 0; i < 30; i++) table.add(placeAt(i, "peer a"));
  for (const place of [placeAt(30, "x"), placeAt(31, "y"), placeAt(32, "z")]) table.add(place);
  const peer = placeAt(33, "peer b");
  table.add(peer);
  assertEquals(peer.closed, false);
});

Deno.test("connection table: beyond half of the table peers are counted like others", () => {
  const table = favouring();
  const peers = [1, 2, 3, 4].map((at) => placeAt(at, "peer a"));
  for (const place of peers) table.add(place);
  const stranger = placeAt(5, "stranger");
  table.add(stranger);
  assertEquals(peers.map(({ closed }) => closed), [true, false, false, false]);
  assertEquals(stranger.closed, false);
});

Deno.test("peer hosts: a literal address is known at once, a name by where it was last reached", () => {
  const named = { hostname: "peer.example", port: 9900 };
  const hosts = new PeerHosts([{ hostname: "2001:db8::7", port: 9900 }, named]);
  assertEquals(["2001:db8:0:0::/64", "192.0.2.1"].map((key) => hosts.has(key)), [true, false]);
  hosts.reached(named, { hostname: "192.0.2.1", port: 9900 });
  hosts.reached({ hostname: "other.example", port: 1 }, { hostname: "192.0.2.2", port: 1 });
  assertEquals(["192.0.2.1", "192.0.2.2"].map((key) => hosts.has(key)), [true, false]);
  hosts.reached(named, { hostname: "192.0.2.3", port: 9900 });
  assertEquals(["192.0.2.1", "192.0.2.3"].map((key) => hosts.has(key)), [false, true]);
});
