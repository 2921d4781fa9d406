/** DARE: what is sealed opens again, and nothing else does. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { concat } from "@std/bytes/concat";
import {
  type DareFault,
  DareReader,
  DareRefused,
  DareWriter,
  HEADER_BYTES,
  MAX_PACKAGE_BYTES,
  MAX_PAYLOAD_BYTES,
  openBytes,
  sealBytes,
} from "../../src/swarm/dare.ts";
import { sealRaw } from "../../src/world/aead.ts";
import { hex, readJson, unhex, vectorTest } from "../conformance/vectors.ts";

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
const NONCE = Uint8Array.from({ length: 12 }, (_, i) => 0xf0 + i);
const ALGORITHMS = ["aes-256-gcm", "chacha20-poly1305"] as const;

/** Bytes that differ from place to place. */
function content(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 0xff);
}

/** A stream of two full packages and a short one. */
const PLAINTEXT = content(2 * MAX_PAYLOAD_BYTES + 96);
const SEALED = sealBytes(PLAINTEXT, { key: KEY, nonce: NONCE });
/** Its packages. */
const PACKAGES = [
  SEALED.slice(0, MAX_PACKAGE_BYTES),
  SEALED.slice(MAX_PACKAGE_BYTES, 2 * MAX_PACKAGE_BYTES),
  SEALED.slice(2 * MAX_PACKAGE_BYTES),
] as const;

/**
 * Why a stream is refused, and what was handed on before, given in pieces of this many bytes. A package
 * begins with a piece if the pieces are as long as a header.
 */
function refusal(
  sealed: Uint8Array,
  piece = HEADER_BYTES,
): { fault: DareFault; handed: Uint8Array } {
  const reader = new DareReader({ key: KEY });
  const handed: Uint8Array[] = [];
  const error = assertThrows(() => {
    for (let at = 0; at < sealed.length; at += piece) {
      handed.push(reader.read(sealed.subarray(at, at + piece)));
    }
    reader.finish();
  }, DareRefused);
  assertEquals(assertThrows(() => reader.finish(), DareRefused), error, "it stays refused");
  assertEquals(assertThrows(() => reader.read(new Uint8Array(1)), DareRefused), error);
  return { fault: error.fault, handed: concat(handed) };
}

/** A package whose header says that it is of version 1.0. */
function asVersion1(one: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(0x10), one.subarray(1)]);
}

/** Asserts that a stream is refused, for this reason, and that only these payloads came out before. */
function assertRefused(
  what: string,
  { sealed, fault, payloads }: { sealed: Uint8Array; fault: DareFault; payloads: number },
): void {
  const came = refusal(sealed);
  assertEquals([what, came.fault], [what, fault]);
  const before = PLAINTEXT.subarray(0, payloads * MAX_PAYLOAD_BYTES);
  assertEquals([what, hex(came.handed) === hex(before)], [what, true]);
}

function changed(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[at]! ^= 1 << bit;
  return copy;
}

vectorTest("dare: the golden packages of 1.0 open, one by one and as one stream", () => {
  const { key, packages } = readJson<{ key: string; packages: string[] }>(
    "dare/sio_v10_golden.json",
  );
  assertEquals(packages.length, 128);
  const reader = new DareReader({ key: unhex(key) });
  for (const one of packages) {
    const sealed = unhex(one);
    const opened = reader.read(sealed);
    assertEquals(hex(opened), hex(new Uint8Array(sealed.length - 32)));
  }
  reader.finish();
  assertEquals(reader.showsItsEnd, false);
  const all = concat(packages.map(unhex));
  const whole = openBytes(all, unhex(key));
  assertEquals([whole.length, whole.every((byte) => byte === 0)], [all.length - 128 * 32, true]);
});

vectorTest("dare: a golden package of 1.0 is refused with any bit of its header changed", () => {
  const { key, packages } = readJson<{ key: string; packages: string[] }>(
    "dare/sio_v10_golden.json",
  );
  // The second one: the first is what the others are compared with.
  const [before, one, after] = packages.slice(0, 3).map(unhex) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  for (let at = 0; at < HEADER_BYTES; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const reader = new DareReader({ key: unhex(key) });
      reader.read(before);
      const { fault } = assertThrows(() => {
        reader.read(changed(one, at, bit));
        reader.read(after);
        reader.finish();
      }, DareRefused);
      const wanted: DareFault[] = at === 0
        ? ["unknown version"]
        : at === 1
        ? bit === 0 ? ["not authentic"] : ["unknown cipher"]
        : at < 4
        ? ["not authentic", "truncated"]
        : at < 8
        ? ["out of order"]
        : ["nonce changed"];
      assert(wanted.includes(fault), `byte ${at} bit ${bit}: ${fault}`);
    }
  }
});

vectorTest(
  "dare: golden packages of 1.0 that are moved, repeated, missing or cut are refused",
  () => {
    const { key, packages } = readJson<{ key: string; packages: string[] }>(
      "dare/sio_v10_golden.json",
    );
    const [a, b, c] = packages.slice(0, 3).map(unhex) as [Uint8Array, Uint8Array, Uint8Array];
    const cases: [string, Uint8Array[], DareFault][] = [
      ["exchanged", [b, a], "out of order"],
      ["repeated", [a, a, b], "out of order"],
      ["missing", [a, c], "out of order"],
      ["changed", [a, changed(b, 17, 0)], "not authentic"],
      ["cut", [a, b.subarray(0, -1)], "truncated"],
      ["cut in a header", [a, b.subarray(0, 5)], "truncated"],
      ["all cut", [], "truncated"],
      ["something after it", [a, b, new Uint8Array(40)], "unknown version"],
      ["a package of 2.0 after it", [a, PACKAGES[2]], "version changed"],
    ];
    for (const [what, parts, fault] of cases) {
      const error = assertThrows(() => openBytes(concat(parts), unhex(key)), DareRefused);
      assertEquals([what, error.fault], [what, fault]);
    }
  },
);

Deno.test("dare: what was sealed opens, at every size around a package's limits", () => {
  const sizes = [1, 2, MAX_PAYLOAD_BYTES - 1, MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES + 1];
  for (const algorithm of ALGORITHMS) {
    for (const size of [...sizes, 2 * MAX_PAYLOAD_BYTES, 2 * MAX_PAYLOAD_BYTES + 1]) {
      const sealed = sealBytes(content(size), { key: KEY, nonce: NONCE, algorithm });
      const packages = Math.ceil(size / MAX_PAYLOAD_BYTES);
      assertEquals(sealed.length, size + 32 * packages, `${size} bytes: ${packages} packages`);
      assertEquals(hex(openBytes(sealed, KEY)), hex(content(size)));
    }
  }
});

Deno.test("dare: in whatever pieces a stream comes, its packages are the same", () => {
  for (const piece of [1_000, MAX_PAYLOAD_BYTES, MAX_PACKAGE_BYTES, 200_000]) {
    const writer = new DareWriter({ key: KEY, nonce: NONCE });
    const reader = new DareReader({ key: KEY });
    const sealed: Uint8Array[] = [];
    for (let at = 0; at < PLAINTEXT.length; at += piece) {
      sealed.push(writer.write(PLAINTEXT.subarray(at, at + piece)));
    }
    sealed.push(writer.finish());
    assertEquals(hex(concat(sealed)), hex(SEALED));
    const opened: Uint8Array[] = [];
    for (let at = 0; at < SEALED.length; at += piece) {
      opened.push(reader.read(SEALED.subarray(at, at + piece)));
    }
    reader.finish();
    assertEquals([hex(concat(opened)) === hex(PLAINTEXT), reader.showsItsEnd], [true, true]);
  }
  // Byte by byte, for a stream that is short.
  const short = sealBytes(content(50), { key: KEY, nonce: NONCE });
  const reader = new DareReader({ key: KEY });
  const opened = [...short].map((byte) => reader.read(Uint8Array.of(byte)));
  reader.finish();
  assertEquals(hex(concat(opened)), hex(content(50)));
});

// DARE.md, and the writer of 2.0 in github.com/minio/sio.
Deno.test("dare: a package of 2.0 has the header and the nonce that the format says", () => {
  const plaintext = content(MAX_PAYLOAD_BYTES + 3);
  const sealed = sealBytes(plaintext, { key: KEY, nonce: NONCE, algorithm: "chacha20-poly1305" });
  assertEquals(hex(sealed.subarray(0, 16)), "2001ffff70f1f2f3f4f5f6f7f8f9fafb");
  const last = sealed.subarray(MAX_PACKAGE_BYTES);
  assertEquals(hex(last.subarray(0, 16)), "20010200f0f1f2f3f4f5f6f7f8f9fafb");
  const byHand = sealRaw({
    algorithm: "chacha20-poly1305",
    key: KEY,
    nonce: unhex("f0f1f2f3f4f5f6f7f9f9fafb"), // The last 4 bytes XORed with 1, little-endian.
    data: unhex("20010200"),
    plaintext: plaintext.subarray(MAX_PAYLOAD_BYTES),
  });
  assertEquals(hex(last.subarray(16)), hex(byHand));
});

Deno.test("dare: with any bit of any header changed, a stream is refused", () => {
  PACKAGES.forEach((_, index) => {
    const [isFirst, isFinal] = [index === 0, index === 2];
    for (let at = 0; at < HEADER_BYTES; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const wanted: DareFault[] = at === 0
          ? ["unknown version"]
          : at === 1
          ? bit !== 0 ? ["unknown cipher"] : isFirst ? ["not authentic"] : ["cipher changed"]
          : at < 4
          ? isFinal ? ["not authentic", "truncated"] : ["short package"]
          : at === 4 && bit === 7
          ? isFinal ? ["short package"] : ["not authentic"]
          : isFirst
          // There the number of a package is in the nonce: it looks like one that was moved.
          ? at === 12 ? ["not authentic", "out of order"] : ["not authentic"]
          : ["nonce changed"];
        const sealed = changed(SEALED, index * MAX_PACKAGE_BYTES + at, bit);
        const { fault, handed } = refusal(sealed, SEALED.length);
        assert(wanted.includes(fault), `package ${index + 1} byte ${at} bit ${bit}: ${fault}`);
        assert(handed.length <= index * MAX_PAYLOAD_BYTES);
      }
    }
  });
});

Deno.test("dare: with a bit of a payload or a tag changed, a package is not authentic", () => {
  PACKAGES.forEach((one, index) => {
    for (const at of [HEADER_BYTES, HEADER_BYTES + 50, one.length - 17, one.length - 1]) {
      const sealed = changed(SEALED, index * MAX_PACKAGE_BYTES + at, 3);
      assertRefused(`package ${index + 1} byte ${at}`, {
        ...{ sealed, fault: "not authentic", payloads: index },
      });
    }
  });
});

Deno.test("dare: packages out of order, twice, missing, or after the last one are refused", () => {
  const [a, b, c] = PACKAGES;
  const other = sealBytes(PLAINTEXT, { key: KEY, nonce: NONCE.toReversed() });
  const foreign = other.subarray(MAX_PACKAGE_BYTES, 2 * MAX_PACKAGE_BYTES);
  const cases: [string, Uint8Array[], DareFault, number][] = [
    ["exchanged", [b, a, c], "out of order", 0],
    ["the first twice", [a, a, b, c], "out of order", 1],
    ["the second twice", [a, b, b, c], "out of order", 2],
    ["the first missing", [b, c], "out of order", 0],
    ["the second missing", [a, c], "out of order", 1],
    ["the last first", [c, a, b], "out of order", 0],
    ["one of version 1.0", [a, asVersion1(b), c], "version changed", 1],
    ["one of another stream", [a, foreign, c], "nonce changed", 1],
    ["the last twice", [a, b, c, c], "data after the end", 3],
    ["one after the last", [a, b, c, a], "data after the end", 3],
    ["a byte after the last", [a, b, c, Uint8Array.of(0)], "data after the end", 3],
  ];
  for (const [what, packages, fault, payloads] of cases) {
    assertRefused(what, { sealed: concat(packages), fault, payloads });
  }
});

Deno.test("dare: a package is known as moved if it comes from at most 16 places away", () => {
  const long = sealBytes(content(19 * MAX_PAYLOAD_BYTES), { key: KEY, nonce: NONCE });
  const from = (number: number): Uint8Array =>
    long.slice(number * MAX_PACKAGE_BYTES, (number + 1) * MAX_PACKAGE_BYTES);
  const upTo17 = long.slice(0, 17 * MAX_PACKAGE_BYTES);
  assertEquals(refusal(from(16)).fault, "out of order");
  assertEquals(refusal(from(17)).fault, "not authentic");
  assertEquals(refusal(concat([upTo17, from(1)])).fault, "out of order");
  assertEquals(refusal(concat([upTo17, from(0)])).fault, "not authentic");
});

Deno.test("dare: a stream that was cut off anywhere is refused", () => {
  const [a, b, c] = PACKAGES;
  const cuts = [0, 1, 15, 16, 17, 100, a.length - 1, a.length, a.length + 1, a.length + 16];
  const late = [a.length + b.length, SEALED.length - c.length + 17, SEALED.length - 1];
  for (const cut of [...cuts, ...late]) {
    const payloads = Math.floor(cut / MAX_PACKAGE_BYTES);
    const sealed = SEALED.subarray(0, cut);
    assertRefused(`cut at ${cut}`, { sealed, fault: "truncated", payloads });
  }
});

Deno.test("dare: another key opens nothing", () => {
  const reader = new DareReader({ key: KEY.toReversed() });
  const error = assertThrows(() => reader.read(SEALED), DareRefused);
  assertEquals([error.fault, error.number], ["not authentic", 0]);
  assertEquals(
    error.message,
    "package 1 of the sealed data was not sealed with this key, or was changed",
  );
});

Deno.test("dare: nothing cannot be sealed", () => {
  const error = assertThrows(
    () => sealBytes(new Uint8Array(0), { key: KEY, nonce: NONCE }),
    DareRefused,
  );
  assertEquals(error.fault, "empty");
});

Deno.test("dare: as many packages as fit are sealed and opened, and no more", () => {
  const full = (count: number): Uint8Array => content(count * MAX_PAYLOAD_BYTES);
  const sealing = { key: KEY, nonce: NONCE, maxPackages: 2 };
  const two = sealBytes(full(2), sealing);
  assertEquals(assertThrows(() => sealBytes(full(3), sealing), DareRefused).fault, "too long");
  const three = sealBytes(full(3), { key: KEY, nonce: NONCE });
  const open = (sealed: Uint8Array): void => {
    const reader = new DareReader({ key: KEY, maxPackages: 2 });
    reader.read(sealed);
    reader.finish();
  };
  open(two);
  assertEquals(assertThrows(() => open(three), DareRefused).fault, "too long");
});
