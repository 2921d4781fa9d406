import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  makeProof,
  openProof,
  padProof,
  type Proven,
  unpadProof,
} from "../../src/swarm/identity.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { generateSigner } from "../../src/world/signer.ts";
import { flipped } from "../conformance/vectors.ts";
import { world } from "../world/helpers.ts";

const { signer } = await generateSigner({ world, name: "one.example" });
const proven: Proven = {
  role: "caller",
  hash: new Uint8Array(32).fill(1),
  staticKey: new Uint8Array(32).fill(2),
};
const proof = await makeProof({ signer, proven });
const SIGNATURE_BYTES = 64;

/** The proof with another vkey's text behind its signature. */
function withText(text: Uint8Array): Uint8Array {
  return Uint8Array.of(...proof.subarray(0, SIGNATURE_BYTES), ...text);
}

function refused(proof: Uint8Array, of: Proven, because: string): void {
  assertThrows(() => openProof({ proof, proven: of }), MalformedError, because);
}

Deno.test("identity: a proof shows whose it is", () => {
  assertEquals(openProof({ proof, proven }), signer.vkey);
});

Deno.test("identity: a proof of another role, handshake or key is refused", () => {
  const because = "The signature is not that of one.example";
  refused(proof, { ...proven, role: "callee" }, `${because} as callee of this session`);
  refused(proof, { ...proven, hash: flipped(proven.hash, 31) }, because);
  refused(proof, { ...proven, staticKey: flipped(proven.staticKey, 0) }, because);
});

Deno.test("identity: a proof with any byte changed is refused", () => {
  for (let at = 0; at < proof.length; at++) {
    assertThrows(() => openProof({ proof: flipped(proof, at), proven }), MalformedError);
  }
});

Deno.test("identity: a proof without a sound Ed25519 vkey is refused, and told why", async () => {
  refused(proof.slice(0, SIGNATURE_BYTES), proven, "The proof has 64 bytes");
  refused(new Uint8Array(0), proven, "The proof has 0 bytes");
  refused(withText(utf8("one.example")), proven, "two plus signs");
  refused(withText(Uint8Array.of(0xff)), proven, "not valid UTF-8");
  refused(withText(utf8(`${signer.vkey.text} `)), proven, "Cannot read vkey");
  const { name, publicKey } = signer.vkey;
  const cosigner = makeVkey({ name, publicKey, type: SIGNATURE_TYPE.cosignature });
  refused(withText(utf8(cosigner.text)), proven, "of type 0x04, expected Ed25519");
  const { signer: other } = await generateSigner({ world, name: "one.example" });
  refused(withText(utf8(other.vkey.text)), proven, "The signature is not that of one.example");
  // The identity point: without the check, one signature would be good for everything.
  const small = `x+00000000+${Uint8Array.of(1, 1, ...new Uint8Array(31)).toBase64()}`;
  refused(withText(utf8(small)), proven, "small order");
});

Deno.test("identity: the padding of a proof says its exact length, and is zeros", () => {
  assertEquals(unpadProof(padProof(proof, 960)), proof);
  const longest = new Uint8Array(958).fill(5);
  assertEquals(unpadProof(padProof(longest, 960)), longest);
  assertThrows(() => padProof(new Uint8Array(959), 960), RangeError, "name of the key is too long");
  const padded = padProof(proof, 960);
  const because = "Something follows the proof";
  for (const at of [2 + proof.length, 500, 959]) {
    assertThrows(() => unpadProof(flipped(padded, at)), MalformedError, because);
  }
  const shorter = padded.slice();
  new DataView(shorter.buffer).setUint16(0, proof.length - 1);
  assertThrows(() => unpadProof(shorter), MalformedError, because);
  const longer = padded.slice();
  new DataView(longer.buffer).setUint16(0, proof.length + 1);
  refused(unpadProof(longer), proven, "Cannot read vkey");
  new DataView(longer.buffer).setUint16(0, 959);
  assertThrows(
    () => unpadProof(longer),
    MalformedError,
    "length is 959, and there is room for 958",
  );
  assert(!padded.subarray(2 + proof.length).some((byte) => byte !== 0));
});
