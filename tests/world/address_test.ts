import { assertEquals, assertThrows } from "@std/assert";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { formatAddress, parseAddress } from "../../src/world/address.ts";
import type { Address } from "../../src/world/world.ts";

const GOOD: readonly [text: string, address: Address][] = [
  ["127.0.0.1:9900", { hostname: "127.0.0.1", port: 9900 }],
  ["peer.example.com:1", { hostname: "peer.example.com", port: 1 }],
  ["localhost:65535", { hostname: "localhost", port: 65_535 }],
  ["0.0.0.0:0", { hostname: "0.0.0.0", port: 0 }],
  ["[::1]:9900", { hostname: "::1", port: 9900 }],
  ["[2001:db8::1]:443", { hostname: "2001:db8::1", port: 443 }],
  ["[::ffff:192.0.2.1]:9900", { hostname: "::ffff:192.0.2.1", port: 9900 }],
];

for (const [text, address] of GOOD) {
  Deno.test(`address: ${text} is read, and written the same`, () => {
    assertEquals(parseAddress(text), address);
    assertEquals(formatAddress(address), text);
  });
}

const BAD = [
  ...["", ":", "9900", ":9900", "127.0.0.1", "127.0.0.1:", "localhost"],
  ...["127.0.0.1:65536", "127.0.0.1:99999", "127.0.0.1:100000", "127.0.0.1:-1", "127.0.0.1:+1"],
  ...["127.0.0.1:9900 ", " 127.0.0.1:9900", "127.0.0.1 :9900", "127.0.0.1: 9900", "a b:1"],
  ...["127.0.0.1:9900\n", "\n127.0.0.1:9900", "127.0.0.1:9900\r\n", "127.0.0.1:0x10", "a:1e3"],
  ...["::1:9900", "::1", "[::1]", "[::1]:", "[::1]9900", "[]:9900", "[::1:9900", "::1]:9900"],
  ...["[[::1]]:9900", "[::1]:9900:1", "a:1:2", "http://a:1", "[::1%eth0]:9900", "[g::1]:9900"],
  ...["127.0.0.1:９９", "127.0.0.1:9.9", "a:1,b:2"],
];

for (const text of BAD) {
  Deno.test(`address: ${JSON.stringify(text)} is refused`, () => {
    assertThrows(() => parseAddress(text), MalformedError, "expected HOST:PORT");
  });
}

Deno.test("address: what is in brackets is an IPv6 address", () => {
  for (const text of ["[127.0.0.1]:9900", "[face]:9900", "[.]:9900"]) {
    assertThrows(() => parseAddress(text), MalformedError, "expected HOST:PORT", text);
  }
});

Deno.test("address: a port has one spelling, without leading zeros", () => {
  for (const text of ["127.0.0.1:09900", "127.0.0.1:00000", "[::1]:080"]) {
    assertThrows(() => parseAddress(text), MalformedError, "expected HOST:PORT", text);
  }
});

/** A text with one character left out, doubled or replaced, for each of its places. */
function* mutations(text: string): Generator<string> {
  for (let at = 0; at < text.length; at++) {
    const [before, character, after] = [text.slice(0, at), text[at]!, text.slice(at + 1)];
    yield before + after;
    yield before + character + character + after;
    for (const other of [" ", ":", "[", "]", "\n", "\0", "x"]) yield before + other + after;
  }
}

Deno.test("address: whatever a slip makes of a good one is refused or means what it says", () => {
  let refused = 0;
  for (const [good] of GOOD) {
    for (const text of mutations(good)) {
      try {
        assertEquals(formatAddress(parseAddress(text)), text);
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error;
        refused++;
      }
    }
  }
  assertEquals(refused > 100, true, `${refused} refused`);
});

Deno.test("address: the message shows what came, fit for one line of a terminal", () => {
  const error = assertThrows(() => parseAddress("evil\u001b[2J\n"), MalformedError);
  assertEquals(
    error.message,
    'Cannot read address "evil\\u{1b}[2J\\u{a}": expected HOST:PORT, such as 127.0.0.1:9900 or ' +
      "[::1]:9900",
  );
});
