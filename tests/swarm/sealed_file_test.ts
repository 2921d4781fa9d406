/** Sealed files: the layout and the key of ncrypt, and what is refused. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { scryptSync } from "node:crypto";
import { concat } from "@std/bytes/concat";
import { DareRefused, openBytes } from "../../src/swarm/dare.ts";
import {
  LEAST_SEALED_BYTES,
  looksSealed,
  openChunks,
  openShort,
  sealChunks,
  sealShort,
  WrongPassphrase,
} from "../../src/swarm/sealed_file.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { CHEAP_KEYS } from "../cli/harness.ts";
import { hex, unhex } from "../conformance/vectors.ts";

const world = denoWorld();
const passphrase = utf8("correct horse");
const plaintext = utf8("what is kept");
const SEALED = await sealShort({ plaintext, passphrase, world });
/** For what does not depend on the cost of a key. */
const cheap = { ...world, passphrases: CHEAP_KEYS };
const CHEAPLY = await sealShort({ plaintext, passphrase, world: cheap });

async function* inPieces(bytes: Uint8Array, piece: number): AsyncGenerator<Uint8Array, void> {
  for (let at = 0; at < bytes.length; at += piece) {
    yield await Promise.resolve(bytes.subarray(at, at + piece));
  }
}

// What ncrypt of github.com/minio/sio v0.4.1 made of "hello, monitor\n" with the passphrase "secret",
// once with each cipher.
const OF_NCRYPT = {
  "AES-256-GCM": "faf9e7d46a228b33ae8a0e4f38a14eb3b76525ae64ba312a66c9c91673b55afa" +
    "20000e00df9df404fe75b3fa9362bf9a" +
    "d86a46fde4f825f35c5b2e955c3fa969d4095c0c6cf3bf2b2b0c3c1f4fdf29",
  "ChaCha20-Poly1305": "6d7e37b659e40e250e57ca53727bb9c186b5a765866fc9ea37268b4f65c28a0c" +
    "20010e00eef06a3a5970433868a87b6a" +
    "c6ef9b9e84b68a8334358367f62254349b04435c68ba58e32228329a68add0",
};

// What sio v0.4.1 made of the same when it was told to write DARE 1.0.
const OF_SIO_1 = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" +
  "10000e0000000000636230ac58bbe9e4" +
  "ea1ba07edb0bab8b2c9a8207b3472f1f7224414be42276f0d9cd532d0997a3";

for (const [cipher, sealed] of Object.entries(OF_NCRYPT)) {
  Deno.test(`sealed file: what ncrypt made with ${cipher} opens`, async () => {
    const opened = await openShort({ sealed: unhex(sealed), passphrase: utf8("secret"), world });
    assertEquals(new TextDecoder().decode(opened), "hello, monitor\n");
    assertEquals(looksSealed(unhex(sealed)), true);
  });
}

Deno.test("sealed file: it is a salt, and packages under scrypt of passphrase and salt", async () => {
  const salt = SEALED.subarray(0, 32);
  const key = scryptSync(passphrase, salt, 32, { N: 32_768, r: 16, p: 1, maxmem: 1 << 27 });
  assertEquals(hex(openBytes(SEALED.subarray(32), new Uint8Array(key))), hex(plaintext));
  const again = await sealShort({ plaintext, passphrase, world });
  assert(hex(again.subarray(0, 32)) !== hex(salt), "each file has its own salt");
});

Deno.test("sealed file: in whatever pieces it comes, it is the same", async () => {
  for (const piece of [1, 33]) {
    const opened = await Array.fromAsync(
      openChunks({ chunks: inPieces(CHEAPLY, piece), passphrase, world: cheap }),
    );
    assertEquals(hex(concat(opened)), hex(plaintext));
    const sealed = await Array.fromAsync(
      sealChunks({ chunks: inPieces(plaintext, piece), passphrase, world: cheap }),
    );
    assertEquals(
      hex(await openShort({ sealed: concat(sealed), passphrase, world: cheap })),
      hex(plaintext),
    );
  }
});

Deno.test("sealed file: another passphrase, and a salt or tag that was changed, are told so", async () => {
  const open = (sealed: Uint8Array, passphrase: Uint8Array): Promise<Uint8Array> =>
    openShort({ sealed, passphrase, world: cheap });
  for (const at of [0, 31, CHEAPLY.length - 1]) {
    const changed = CHEAPLY.slice();
    changed[at]! ^= 1;
    await assertRejects(() => open(changed, passphrase), WrongPassphrase);
  }
  for (const wrong of ["correct horse ", "Correct horse", "x"]) {
    await assertRejects(
      () => open(CHEAPLY, utf8(wrong)),
      WrongPassphrase,
      "the passphrase is wrong, or the file was changed",
    );
  }
});

Deno.test("sealed file: one that is cut off is refused, wherever", async () => {
  for (const cut of [0, 1, 31, 32, 33, 48, CHEAPLY.length - 1]) {
    const sealed = CHEAPLY.subarray(0, cut);
    const error = await assertRejects(
      () => openShort({ sealed, passphrase, world: cheap }),
      DareRefused,
    );
    assertEquals([cut, error.fault], [cut, "truncated"]);
  }
});

Deno.test("sealed file: of version 1.0 it is said that its end does not show", async () => {
  const told: string[] = [];
  const open = (sealed: Uint8Array, passphrase: Uint8Array): Promise<unknown> => {
    const chunks = inPieces(sealed, 100);
    return Array.fromAsync(
      openChunks({ chunks, passphrase, world, onNoEnd: () => told.push("no end") }),
    );
  };
  await open(SEALED, passphrase);
  assertEquals(told, []);
  await open(unhex(OF_SIO_1), utf8("secret"));
  assertEquals(told, ["no end"]);
});

Deno.test("sealed file: what is sealed is told from what is not by its shape", () => {
  assertEquals(LEAST_SEALED_BYTES, 65);
  assertEquals(looksSealed(SEALED), true);
  assertEquals(looksSealed(SEALED.subarray(0, LEAST_SEALED_BYTES)), true);
  assertEquals(looksSealed(SEALED.subarray(0, LEAST_SEALED_BYTES - 1)), false);
  for (const [at, byte] of [[32, 0x21], [32, 0], [33, 2]] as const) {
    const other = SEALED.slice();
    other[at] = byte;
    assertEquals(looksSealed(other), false);
  }
  assertEquals(
    looksSealed(utf8("PRIVATE+KEY+monitor.example.com/ber+257659ca+AdAw".repeat(2))),
    false,
  );
});
