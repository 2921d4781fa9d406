import { assert, assertEquals, assertThrows } from "@std/assert";
import { concat } from "@std/bytes/concat";
import fc from "fast-check";
import { DEFAULT_LIMITS, type ParcelLimits } from "../../src/gossip/limits.ts";
import { ItemKind, KINDS, ParcelItem } from "../../src/gossip/kinds.ts";
import {
  encodeParcel,
  PARCEL_VERSION,
  ParcelDecoder,
  ParcelPacker,
  UnknownParcelVersion,
} from "../../src/gossip/parcel.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";

/** The kinds' names. */
const NAMES = Object.keys(KINDS) as ItemKind[];

function ofEachKind<T>(make: (kind: ItemKind, i: number) => T): Readonly<Record<ItemKind, T>> {
  return Object.fromEntries(NAMES.map((kind, i) => [kind, make(kind, i)])) as Record<ItemKind, T>;
}

/** The most bytes of an item here: small, and different for each kind. */
const MOST = ofEachKind((_, i) => 20 + 10 * i);

const LIMITS: ParcelLimits = {
  ...DEFAULT_LIMITS,
  maxItemsPerParcel: 4,
  maxParcelBytes: 200,
  kinds: ofEachKind((kind) => ({
    ...KINDS[kind],
    maxBytes: MOST[kind],
    ...(kind === "record" && { cost: 48 }),
  })),
  maxUnknownItemBytes: 50,
};

function item(kind: ItemKind, length: number): ParcelItem {
  return { kind, body: new Uint8Array(length).map((_, i) => i) };
}

/** Decodes a whole parcel, handed over in pieces of this many bytes. */
function decode(bytes: Uint8Array, piece = bytes.length, limits = LIMITS): ParcelItem[] {
  const decoder = new ParcelDecoder(limits);
  const items: ParcelItem[] = [];
  for (let at = 0; at < bytes.length; at += piece) {
    items.push(...decoder.take(bytes.subarray(at, at + piece)));
  }
  decoder.end();
  return items;
}

/** The header of an item, whatever it claims. */
function header(kind: number, length: number): Uint8Array {
  const bytes = new Uint8Array(5);
  bytes[0] = kind;
  new DataView(bytes.buffer).setUint32(1, length);
  return bytes;
}

Deno.test("parcel: the first byte has the bit no frame has", () => {
  assertEquals(encodeParcel([]), Uint8Array.of(0x81));
  assertEquals(decode(encodeParcel([])), []);
});

Deno.test("parcel: an item is kind, length, bytes", () => {
  const body = Uint8Array.of(7, 8, 9);
  assertEquals(
    encodeParcel([{ kind: "record", body }]),
    Uint8Array.of(0x81, 3, 0, 0, 0, 3, 7, 8, 9),
  );
});

Deno.test("parcel: what is encoded is decoded, whatever pieces it comes in", () => {
  const items = fc.array(
    fc.record({
      kind: fc.constantFrom(...NAMES),
      body: fc.uint8Array({ maxLength: 9_000 }),
    }),
    { maxLength: 20 },
  );
  fc.assert(fc.property(items, fc.integer({ min: 1, max: 20_000 }), (items, piece) => {
    const decoded = decode(encodeParcel(items), piece, DEFAULT_LIMITS);
    assertEquals(decoded.map(({ kind }) => kind), items.map(({ kind }) => kind));
    decoded.forEach(({ body }, i) => assertEquals(body, items[i]!.body));
  }));
});

Deno.test("parcel: every truncation is noticed, except between items", () => {
  const items = [item("note", 3), item("proof", 0), item("record", 7)];
  const whole = encodeParcel(items);
  const ends = [1, 9, 14, 26];
  for (let length = 0; length <= whole.length; length++) {
    const cut = whole.subarray(0, length);
    if (ends.includes(length)) assertEquals(decode(cut), items.slice(0, ends.indexOf(length)));
    else assertThrows(() => decode(cut), MalformedError);
  }
});

for (const kind of NAMES) {
  Deno.test(`parcel: a ${kind} of the largest length is taken, one byte more is not`, () => {
    const most = MOST[kind];
    assertEquals(decode(encodeParcel([item(kind, most)])), [item(kind, most)]);
    for (const length of [most + 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
      assertThrows(
        () => decode(concat([Uint8Array.of(PARCEL_VERSION), header(KINDS[kind].byte, length)])),
        MalformedError,
        `${kind} of ${length} bytes is announced, expected at most ${most}`,
      );
    }
  });
}

Deno.test("parcel: an item of an unknown kind is passed over", () => {
  for (const kind of [0, 0x7f, 0xff]) {
    const [note, proof] = [item("note", 4), item("proof", 2)];
    const strange = concat([header(kind, 50), new Uint8Array(50)]);
    const bytes = concat([encodeParcel([note]), strange, encodeParcel([proof]).subarray(1)]);
    for (const piece of [1, 7, 500]) assertEquals(decode(bytes, piece), [note, proof]);
    assertThrows(
      () => decode(concat([encodeParcel([]), header(kind, 51)])),
      MalformedError,
      "unknown kind",
    );
  }
});

Deno.test("parcel: a claimed length sets nothing aside before the bytes come", () => {
  const before = Deno.memoryUsage().external;
  const announced = concat([
    encodeParcel([]),
    header(KINDS.record.byte, KINDS.record.maxBytes),
  ]);
  const decoders = Array.from({ length: 200 }, () => new ParcelDecoder(DEFAULT_LIMITS));
  for (const decoder of decoders) assertEquals([...decoder.take(announced)], []);
  assert(Deno.memoryUsage().external - before < 20 * 1024 * 1024);
  for (const decoder of decoders) {
    assertThrows(() => decoder.end(), MalformedError, "within an item");
  }
});

Deno.test("parcel: as many items as allowed are taken, one more is not", () => {
  const four = Array.from({ length: 4 }, () => item("note", 0));
  assertEquals(decode(encodeParcel(four)), four);
  assertThrows(
    () => decode(encodeParcel([...four, item("note", 0)])),
    MalformedError,
    "the parcel has more than 4 items",
  );
  const strange = Array.from({ length: 5 }, () => header(0x7f, 0));
  assertThrows(() => decode(concat([encodeParcel([]), ...strange])), MalformedError, "4 items");
});

Deno.test("parcel: as many bytes as allowed are taken, one more is not", () => {
  const limits = { ...LIMITS, maxParcelBytes: 26 };
  const bytes = encodeParcel([item("note", 20)]);
  assertEquals(decode(bytes, 1, limits), [item("note", 20)]);
  assertThrows(
    () => decode(concat([bytes, Uint8Array.of(1)]), 1, limits),
    MalformedError,
    "the parcel has more than 26 bytes",
  );
});

Deno.test("parcel: items before a fault are given", () => {
  const decoder = new ParcelDecoder(LIMITS);
  const taking = decoder.take(
    concat([encodeParcel([item("note", 3)]), header(KINDS.note.byte, 21)]),
  );
  assertEquals(taking.next().value, item("note", 3));
  assertThrows(() => taking.next(), MalformedError);
});

Deno.test("parcel: another version is named, and is no malformation", () => {
  for (const first of [0x80, 0x82, 0xff]) {
    const error = assertThrows(() => decode(Uint8Array.of(first)), UnknownParcelVersion);
    assertEquals(
      error.message,
      `it speaks version ${first & 0x7f} of parcels, this program speaks 1`,
    );
  }
});

Deno.test("parcel: mutated bytes are refused or read as something, and never break", () => {
  const whole = encodeParcel([item("note", 3), item("proof", 9), item("record", 12)]);
  for (let bit = 0; bit < 8 * whole.length; bit++) {
    const bytes = whole.slice();
    bytes[bit >> 3]! ^= 0x80 >> (bit & 7);
    try {
      decode(bytes);
    } catch (error) {
      assert(error instanceof MalformedError || error instanceof UnknownParcelVersion);
    }
  }
});

Deno.test("packer: what it packs is within every limit, at the limit and not beyond", () => {
  for (const [kind, most] of Object.entries(MOST) as [ItemKind, number][]) {
    assertEquals(new ParcelPacker(LIMITS).add(item(kind, most)), true);
    assertEquals(new ParcelPacker(LIMITS).add(item(kind, most + 1)), false);
  }
  const byCount = new ParcelPacker(LIMITS);
  for (let i = 0; i < 6; i++) assertEquals(byCount.add(item("note", 0)), i < 4);
  const byBytes = new ParcelPacker({ ...LIMITS, maxParcelBytes: 31 });
  assertEquals([byBytes.add(item("note", 20)), byBytes.add(item("note", 1))], [true, false]);
  assertEquals([byBytes.add(item("note", 0)), byBytes.add(item("note", 0))], [true, false]);
  assertEquals(encodeParcel(byBytes.items).length, 31);
  const byCost = new ParcelPacker({
    ...LIMITS,
    maxParcelCost: 100,
    parcelBytesPerFrame: 1_000,
  });
  const cheap = item("record", 0);
  assertEquals([byCost.add(cheap), byCost.add(cheap), byCost.add(cheap)], [true, true, false]);
});

Deno.test("limits: the longest record there can be fits a parcel and its allowance", () => {
  const packer = new ParcelPacker(DEFAULT_LIMITS);
  assert(packer.add(item("record", KINDS.record.maxBytes)));
});
