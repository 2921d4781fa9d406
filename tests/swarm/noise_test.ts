import { assert, assertEquals, assertThrows } from "@std/assert";
import { Handshake, type Pattern, XX } from "../../src/swarm/noise.ts";
import { CHACHA_POLY, type Cipher } from "../../src/world/aead.ts";
import { type KeyPair, keyPair } from "../../src/world/x25519.ts";
import { everyCase, flipped, readJson, vectorTest } from "../conformance/vectors.ts";

const hex = (text: string): Uint8Array => Uint8Array.fromHex(text);

const AES_GCM: Cipher = { name: "AESGCM", algorithm: "aes-256-gcm", isLittleEndian: false };

/** Patterns that the vectors have and the program does not use (Noise revision 34, section 7.5). */
const PATTERNS: Readonly<Record<string, Pattern>> = {
  XX,
  XXpsk3: { ...XX, name: "XXpsk3", messages: [...XX.messages.slice(0, 2), ["s", "se", "psk"]] },
  IK: {
    name: "IK",
    known: { initiator: false, responder: true },
    messages: [["e", "es", "s", "ss"], ["e", "ee", "se"]],
  },
  KK: {
    name: "KK",
    known: { initiator: true, responder: true },
    messages: [["e", "es", "ss"], ["e", "ee", "se"]],
  },
};

interface Vector {
  readonly protocol_name: string;
  readonly init_prologue: string;
  readonly init_static: string;
  readonly init_ephemeral: string;
  readonly init_remote_static?: string;
  readonly init_psks?: readonly string[];
  readonly resp_static: string;
  readonly resp_ephemeral: string;
  readonly resp_remote_static?: string;
  readonly handshake_hash?: string;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
}

function endsOf(vector: Vector): [initiator: Handshake, responder: Handshake, pattern: Pattern] {
  const [, name, , cipherName] = vector.protocol_name.split("_");
  const pattern = PATTERNS[name!]!;
  const cipher = [CHACHA_POLY, AES_GCM].find((one) => one.name === cipherName)!;
  const [psk] = vector.init_psks ?? [];
  const common = {
    ...{ pattern, cipher, prologue: hex(vector.init_prologue) },
    ...(psk !== undefined && { psk: hex(psk) }),
  };
  const end = (
    isInitiator: boolean,
    [own, ephemeral, remote]: readonly [string, string, string | undefined],
  ): Handshake =>
    new Handshake({
      ...{ ...common, isInitiator, own: keyPair(hex(own)), ephemeral: keyPair(hex(ephemeral)) },
      ...(remote !== undefined && { remote: hex(remote) }),
    });
  return [
    end(true, [vector.init_static, vector.init_ephemeral, vector.init_remote_static]),
    end(false, [vector.resp_static, vector.resp_ephemeral, vector.resp_remote_static]),
    pattern,
  ];
}

vectorTest("noise: the published handshakes and their transport messages, both ends", async () => {
  const { vectors } = readJson<{ vectors: readonly Vector[] }>("noise/noise_25519.json");
  await everyCase({
    cases: vectors,
    count: 11,
    name: ({ protocol_name }) => protocol_name,
    check(vector) {
      const [initiator, responder, { messages }] = endsOf(vector);
      for (
        const [i, { payload, ciphertext }] of vector.messages.slice(0, messages.length).entries()
      ) {
        const [from, to] = i % 2 === 0 ? [initiator, responder] : [responder, initiator];
        const written = from.write(hex(payload));
        assertEquals(written.toHex(), ciphertext, `message ${i}`);
        assertEquals(to.read(written)?.toHex(), payload, `message ${i}`);
      }
      const [one, two] = [initiator.finish(), responder.finish()];
      assertEquals(one.hash.toHex(), two.hash.toHex());
      if (vector.handshake_hash) assertEquals(one.hash.toHex(), vector.handshake_hash);
      const transport = vector.messages.slice(messages.length);
      assert(transport.length > 0);
      for (const [i, { payload, ciphertext }] of transport.entries()) {
        // Ends take turns, from the one whose turn it was after the handshake.
        const isFirst = (messages.length + i) % 2 === 0;
        const [from, to] = isFirst ? [one, two] : [two, one];
        const sealed = from.sending.seal(hex(payload));
        assertEquals(sealed.toHex(), ciphertext, `transport ${i}`);
        assertEquals(to.receiving.open(sealed)?.toHex(), payload, `transport ${i}`);
      }
      return Promise.resolve();
    },
  });
});

const pair = (fill: number): KeyPair => keyPair(new Uint8Array(32).fill(fill));

function ends({ prologues = ["p", "p"] }: { prologues?: readonly [string, string] } = {}) {
  const [ours, theirs] = prologues.map((text) => new TextEncoder().encode(text));
  return [
    new Handshake({ isInitiator: true, own: pair(1), ephemeral: pair(2), prologue: ours! }),
    new Handshake({ isInitiator: false, own: pair(3), ephemeral: pair(4), prologue: theirs! }),
  ] as const;
}

const NONE = new Uint8Array(0);

function sessions() {
  const [one, two] = ends();
  two.read(one.write(NONE));
  one.read(two.write(NONE));
  two.read(one.write(NONE));
  return [one.finish(), two.finish()] as const;
}

Deno.test("noise: each end learns the other's static key", () => {
  const [one, two] = sessions();
  assertEquals(one.remote, pair(3).publicKey);
  assertEquals(two.remote, pair(1).publicKey);
});

Deno.test("noise: ends that agreed on another prologue refuse each other", () => {
  const [one, two] = ends({ prologues: ["p", "q"] });
  assertEquals(two.read(one.write(NONE)), NONE, "nothing is encrypted yet");
  assertEquals(one.read(two.write(NONE)), undefined);
});

Deno.test("noise: a handshake message with any byte changed, cut or added leads to no session", () => {
  for (const at of [1, 2]) {
    const good = ends();
    const messages: Uint8Array[] = [];
    for (let i = 0; i < 3; i++) {
      const message = good[i % 2]!.write(NONE);
      messages.push(message);
      good[(i + 1) % 2]!.read(message);
    }
    const bad = [
      ...Array.from(messages[at]!, (_, byte) => flipped(messages[at]!, byte)),
      messages[at]!.slice(0, -1),
      new Uint8Array([...messages[at]!, 0]),
      NONE,
    ];
    for (const changed of bad) {
      const fresh = ends();
      for (let i = 0; i < at; i++) fresh[(i + 1) % 2]!.read(fresh[i % 2]!.write(NONE));
      const reader = fresh[(at + 1) % 2]!;
      assertEquals(reader.read(changed), undefined);
      assertThrows(() => reader.finish(), Error, "has not ended");
      assertThrows(() => reader.write(NONE), Error, "not for this end");
    }
  }
});

Deno.test("noise: a key of small order is refused", () => {
  const [, two] = ends();
  // Order 1, 2, 4 and 8 (RFC 7748 section 6.1; the list of cr.yp.to/ecdh.html).
  for (const point of ["00".repeat(32), `01${"00".repeat(31)}`]) {
    assertEquals(pair(1).agree(hex(point)), undefined);
  }
  assertEquals(two.read(hex("00".repeat(32))), NONE);
  assertThrows(() => two.write(NONE), Error, "no secret");
});

Deno.test("noise: a transport message that is repeated, late, changed or from the other direction is refused", () => {
  const [one, two] = sessions();
  const text = new TextEncoder().encode("a frame");
  const [first, second] = [one.sending.seal(text), one.sending.seal(text)];
  assertEquals(two.receiving.open(second), undefined, "it is not the next one");
  assertEquals(two.receiving.open(first), text);
  assertEquals(two.receiving.open(first), undefined, "it came before");
  for (let at = 0; at < second.length; at++) {
    assertEquals(two.receiving.open(flipped(second, at)), undefined, `byte ${at}`);
  }
  assertEquals(one.receiving.open(second), undefined, "it was ours");
  assertEquals(two.receiving.open(second), text);
  assertEquals(two.receiving.open(NONE), undefined);
});

Deno.test("noise: after both have rekeyed they go on, and not if one has", () => {
  const [one, two] = sessions();
  one.sending.rekey();
  const text = Uint8Array.of(7);
  assertEquals(two.receiving.open(one.sending.seal(text)), undefined);
  const [three, four] = sessions();
  three.sending.rekey();
  four.receiving.rekey();
  assertEquals(four.receiving.open(three.sending.seal(text)), text);
});

Deno.test("noise: who speaks out of turn is a mistake of ours", () => {
  const [one, two] = ends();
  assertThrows(() => two.write(NONE), Error, "write now");
  assertThrows(() => one.read(NONE), Error, "read now");
  assertThrows(() => one.finish(), Error, "has not ended");
  assertThrows(() => one.write(new Uint8Array(65_536)), RangeError, "a message of");
});
