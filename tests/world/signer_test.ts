import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { parseLog } from "../../src/tlog/log.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { makeVkey } from "../../src/tlog/vkey.ts";
import { generateSigner, loadSigner } from "../../src/world/signer.ts";
import { world } from "./helpers.ts";

const { signing } = world;

// The key pair in the documentation of Go's golang.org/x/mod/sumdb/note.
const GO_KEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const SECRET = GO_KEY.slice(GO_KEY.lastIndexOf("c74f20a3+") + "c74f20a3+".length);

Deno.test("signer: a key of Go's note package is read, and has the vkey Go gives it", async () => {
  for (const privateKey of [GO_KEY, GO_KEY + "\n"]) {
    const { vkey } = await loadSigner({ signing, privateKey });
    assertEquals(vkey.text, GO_VKEY);
  }
});

// RFC 8032 section 7.1, tests 1 and 2.
const RFC_8032 = [
  {
    seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    message: "",
    signature: "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155" +
      "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  },
  {
    seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    message: "72",
    signature: "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da" +
      "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  },
];

for (const { seed, publicKey, message, signature } of RFC_8032) {
  Deno.test(`signing: the RFC 8032 vector with message "${message}"`, async () => {
    assertEquals(encodeHex(await signing.publicKey(decodeHex(seed))), publicKey);
    assertEquals(encodeHex(await signing.sign(decodeHex(seed), decodeHex(message))), signature);
  });
}

Deno.test("signer: what is generated is read again as the same key", async () => {
  const { signer, privateKey } = await generateSigner({ world, name: "monitor.example/berlin" });
  const loaded = await loadSigner({ signing, privateKey });
  assertEquals(loaded.vkey, signer.vkey);
  const message = utf8("a message");
  const signature = await loaded.sign(message);
  assertEquals(signature, await signer.sign(message));
  const { verifies } = parseLog(signer.vkey.text);
  assertEquals(verifies({ message, signature }), true);
  assertEquals(verifies({ message: utf8("another message"), signature }), false);
});

Deno.test("signer: every generated key is another", async () => {
  const [one, other] = [
    await generateSigner({ world, name: "monitor.example/a" }),
    await generateSigner({ world, name: "monitor.example/a" }),
  ];
  assertNotEquals(one.privateKey, other.privateKey);
  assertNotEquals(one.signer.vkey.text, other.signer.vkey.text);
});

Deno.test("signer: the private key is the seed, and the vkey does not show it", async () => {
  const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
  const fixed = { ...world, random: { bytes: () => seed } };
  const { signer, privateKey } = await generateSigner({ world: fixed, name: "monitor.example/a" });
  const secret = base64(Uint8Array.of(1, ...seed));
  assert(privateKey.endsWith(`+${secret}`));
  assertEquals(signer.vkey.text.includes(secret.slice(2)), false);
});

for (const name of ["", "two words", "a+b", "line\nbreak", "tab\there", "nul\0"]) {
  Deno.test(`signer: no key is made under the name ${JSON.stringify(name)}`, async () => {
    await assertRejects(() => generateSigner({ world, name }), MalformedError, "key name");
  });
}

/** The key with another last part. */
function withSecret(secret: string): string {
  return GO_KEY.slice(0, -SECRET.length) + secret;
}

/** The same seed under this type byte, cut or padded to a length. */
function typed(type: number, length = 32): string {
  const bytes = Uint8Array.fromBase64(SECRET).slice(1);
  const seed = new Uint8Array(length);
  seed.set(bytes.subarray(0, length));
  return base64(Uint8Array.of(type, ...seed));
}

const ONE_LINE = "expected one line PRIVATE+KEY+NAME+8 HEX DIGITS+BASE64";
const LAST_PART = "its last part is not base64 of the type 0x01 and 32 bytes";
const OTHER_ID = "its id is c74f20a3, but this name and key have ";

/** Each way a private key can be wrong, and what is said of it. */
const WRONG: readonly [what: string, privateKey: string, said: string][] = [
  ["empty", "", ONE_LINE],
  ["a vkey", GO_VKEY, ONE_LINE],
  ["without its prefix", GO_KEY.slice("PRIVATE+KEY+".length), ONE_LINE],
  ["with its prefix in lower case", GO_KEY.replace("PRIVATE+KEY", "private+key"), ONE_LINE],
  ["without its name", GO_KEY.replace("PeterNeumann+", ""), ONE_LINE],
  ["without its id", GO_KEY.replace("c74f20a3+", ""), ONE_LINE],
  ["without its last part", withSecret(""), LAST_PART],
  ["the last part alone", SECRET, ONE_LINE],
  ["with an id of 7 digits", GO_KEY.replace("c74f20a3", "c74f20a"), ONE_LINE],
  ["with an id of 9 digits", GO_KEY.replace("c74f20a3", "c74f20a30"), ONE_LINE],
  ["with an id in upper case", GO_KEY.replace("c74f20a3", "C74F20A3"), ONE_LINE],
  ["with a space in front", " " + GO_KEY, ONE_LINE],
  ["with a space behind", GO_KEY + " ", ONE_LINE],
  ["with two newlines", GO_KEY + "\n\n", ONE_LINE],
  ["with CRLF", GO_KEY + "\r\n", ONE_LINE],
  ["twice", `${GO_KEY}\n${GO_KEY}`, ONE_LINE],
  ["cut in its last part", GO_KEY.slice(0, -1), LAST_PART],
  ["cut by four characters", GO_KEY.slice(0, -4), LAST_PART],
  ["with a character more", GO_KEY + "A", LAST_PART],
  ["with padding", GO_KEY + "=", LAST_PART],
  ["with a character no base64 has", withSecret(SECRET.replace("Y", "*")), LAST_PART],
  ["in base64url", withSecret(SECRET.replace("+", "-")), LAST_PART],
  ["of type 0x02", withSecret(typed(2)), LAST_PART],
  ["of type 0x04", withSecret(typed(4)), LAST_PART],
  ["with a seed of 31 bytes", withSecret(typed(1, 31)), LAST_PART],
  ["with a seed of 33 bytes", withSecret(typed(1, 33)), LAST_PART],
  ["without a seed", withSecret(typed(1, 0)), LAST_PART],
  ["with another id", GO_KEY.replace("c74f20a3", "c74f20a4"), "its id is c74f20a4, but "],
  ["with another name", GO_KEY.replace("Peter", "peter"), OTHER_ID],
  ["with a wrong character in its seed", withSecret(SECRET.replace("Fz", "Fa")), OTHER_ID],
  ["with an empty name", GO_KEY.replace("PeterNeumann", ""), "key name is empty"],
  ["with a space in its name", GO_KEY.replace("Neumann", " Neumann"), "key name is "],
];

/** How much of a secret may not be seen; fewer characters could be there by chance. */
const TELLTALE = 5;

for (const [what, privateKey, said] of WRONG) {
  Deno.test(`signer: a private key ${what} is refused, without repeating any of it`, async () => {
    const load = () => loadSigner({ signing, privateKey });
    const { message } = await assertRejects(load, MalformedError, said);
    for (const secret of [SECRET, encodeHex(Uint8Array.fromBase64(SECRET))]) {
      for (let at = 0; at + TELLTALE <= secret.length; at++) {
        const part = secret.slice(at, at + TELLTALE);
        assertEquals(message.includes(part), false, `the message shows ${part}`);
      }
    }
  });
}

Deno.test("signer: no single character of a private key can be wrong", async () => {
  for (let at = 0; at < GO_KEY.length; at++) {
    const other = GO_KEY[at] === "x" ? "y" : "x";
    const privateKey = GO_KEY.slice(0, at) + other + GO_KEY.slice(at + 1);
    await assertRejects(() => loadSigner({ signing, privateKey }), MalformedError);
  }
});

Deno.test("vkey: the name is part of the key id", () => {
  const publicKey = decodeHex(RFC_8032[0]!.publicKey);
  const [a, b] = ["a", "b"].map((name) => makeVkey({ name, type: 1, publicKey }));
  assertNotEquals(a!.keyId, b!.keyId);
});
