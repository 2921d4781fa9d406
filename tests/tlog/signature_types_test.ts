/** Notes signed with the types that joined Ed25519: what they cover, and what makes them fail. */
import { generateKeyPairSync } from "node:crypto";
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  openCheckpoint,
  openFrame,
  type RefusalReason,
  type VerifiedCheckpoint,
} from "../../src/tlog/checkpoint.ts";
import {
  importEcdsaKey,
  isStrictSignature,
  verifyByNoble,
  verifyEcdsa,
} from "../../src/tlog/ecdsa.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { type Log, parseLog, parseLogs } from "../../src/tlog/log.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { formatNote, loadVerifier, parseNote } from "../../src/tlog/note.ts";
import { makeVkey, parseVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { ecdsaLog, LOG_KINDS, mldsaLog, ORIGIN, spkiOf, treeHeadLog } from "./log_signers.ts";

const ROOT = new Uint8Array(32).fill(7);
const STATEMENT = { treeSize: 42n, rootHash: ROOT };

function open(note: string, log: Log): VerifiedCheckpoint {
  const opened = openCheckpoint({ note, logs: [log] });
  if ("refused" in opened) throw new Error(opened.detail);
  return opened[0]!;
}

function refusal(note: string, log: Log): RefusalReason | undefined {
  const opened = openCheckpoint({ note, logs: [log] });
  return "refused" in opened ? opened.refused : undefined;
}

/** The signature of a note's only line, without the key id; and the note with another one. */
function signatureOf(note: string, log: Log) {
  const { text, lines } = parseNote(note);
  const signature = Uint8Array.fromBase64(lines[0]!.split(" ")[2]!).slice(4);
  const withOther = (other: Uint8Array) => formatNote({ text, vkey: log.vkey, signature: other });
  return { signature, withOther };
}

for (const [kind, make] of LOG_KINDS) {
  Deno.test(`openCheckpoint: ${kind} opens, keeps its note and fits no frame`, () => {
    const { log, note } = make();
    const text = note(STATEMENT);
    const checkpoint = open(text, log);
    assertEquals([checkpoint.treeSize, checkpoint.note], [42n, text]);
    assertEquals(checkpoint.rootHash, ROOT);
    assertEquals(checkpoint.signature, signatureOf(text, log).signature);
    assertEquals(checkpoint.fitsFrame, false);
    assertThrows(() => checkpoint.frame, MalformedError, "not an Ed25519 signature");
  });

  Deno.test(`openCheckpoint: ${kind} covers size and root, and the key that signed`, () => {
    const { log, note } = make();
    const text = note(STATEMENT);
    assertEquals(refusal(text.replace("\n42\n", "\n43\n"), log), "bad signature");
    const root = ROOT.toBase64();
    assertEquals(refusal(text.replace(root, ROOT.with(0, 6).toBase64()), log), "bad signature");
    assertEquals(refusal(make().note(STATEMENT), log), "unknown log");
    // Another key's signature under this key's id.
    const stranger = make();
    const { signature } = signatureOf(stranger.note(STATEMENT), stranger.log);
    const { withOther } = signatureOf(text, log);
    assertEquals(refusal(withOther(signature), log), "bad signature");
  });

  Deno.test(`openCheckpoint: ${kind} with any bit of the signature changed, cut or longer`, () => {
    const { log, note } = make();
    const { signature, withOther } = signatureOf(note(STATEMENT), log);
    // Of the 19,424 bits of an ML-DSA-44 signature, one in every 8 bytes.
    const step = signature.length > 1000 ? 8 : 1;
    for (let at = 0; at < signature.length; at += step) {
      const other = signature.with(at, signature[at]! ^ (1 << at % 8));
      assertEquals(refusal(withOther(other), log), "bad signature", `byte ${at}`);
    }
    for (let length = 1; length < signature.length; length += step) {
      assertEquals(refusal(withOther(signature.slice(0, length)), log), "bad signature");
    }
    for (const byte of [0, 1]) {
      assertEquals(refusal(withOther(Uint8Array.of(...signature, byte)), log), "bad signature");
    }
  });
}

Deno.test("openCheckpoint: extension lines are covered by 0x02, refused by 0x05, free in 0x06", () => {
  const verdict = (make: typeof ecdsaLog) => {
    const { log, note } = make();
    const plain = note(STATEMENT);
    const added = plain.replace("\n\n", "\nadded\n\n");
    return [refusal(note({ ...STATEMENT, extensions: "signed\n" }), log), refusal(added, log)];
  };
  assertEquals(verdict(ecdsaLog), [undefined, "bad signature"]);
  assertEquals(verdict(() => treeHeadLog("ecdsa")), ["bad signature", "bad signature"]);
  assertEquals(verdict(() => treeHeadLog("rsa")), ["bad signature", "bad signature"]);
  assertEquals(verdict(mldsaLog), [undefined, undefined]);
});

Deno.test("openCheckpoint: the origin is covered by 0x02 and 0x06, and not by 0x05", () => {
  const verdict = (make: typeof ecdsaLog) => {
    const { log, note } = make();
    const elsewhere = parseLog(`${log.vkey.text} test.invalid/other`);
    return refusal(note(STATEMENT).replace(`${ORIGIN}\n`, "test.invalid/other\n"), elsewhere);
  };
  assertEquals(verdict(ecdsaLog), "bad signature");
  assertEquals(verdict(mldsaLog), "bad signature");
  assertEquals(verdict(() => treeHeadLog("ecdsa")), undefined);
});

Deno.test("parseLogs: two origins under one RFC 6962 key are refused, under others not", () => {
  const both = ({ log }: ReturnType<typeof ecdsaLog>) => [log.vkey.text, `${log.vkey.text} other`];
  assertThrows(
    () => parseLogs(both(treeHeadLog("ecdsa"))),
    MalformedError,
    "Two logs with one RFC 6962 key",
  );
  assertEquals(parseLogs(both(ecdsaLog())).length, 2);
  assertEquals(parseLogs(both(mldsaLog())).length, 2);
});

Deno.test("openCheckpoint: a 0x06 name and origin of 255 bytes fit the signed message, 256 not", () => {
  const { log, note } = mldsaLog();
  for (const [length, expected] of [[255, undefined], [256, "bad signature"]] as const) {
    const origin = "o".repeat(length);
    const other = parseLog(`${log.vkey.text} ${origin}`);
    assertEquals(refusal(note({ ...STATEMENT, origin }), other), expected);
  }
});

Deno.test("openCheckpoint: a 0x06 time may be 0 and at most 2^63 - 1", () => {
  const { log, note } = mldsaLog();
  const verdict = (time: bigint) => refusal(note({ ...STATEMENT, time }), log);
  assertEquals(verdict(0n), undefined);
  assertEquals(verdict(2n ** 63n - 1n), undefined);
  assertEquals(verdict(2n ** 63n), "bad signature");
});

Deno.test("openCheckpoint: two lines of one key with their own times are one checkpoint", () => {
  for (const { log, note } of [treeHeadLog("ecdsa"), mldsaLog()]) {
    const [one, two] = [1n, 2n].map((time) => note({ ...STATEMENT, time })) as [string, string];
    const both = one + two.slice(two.indexOf("\n\n") + 2);
    const opened = openCheckpoint({ note: both, logs: [log] });
    assert(!("refused" in opened));
    assertEquals(opened.length, 1);
  }
});

Deno.test("openFrame: a frame is of an Ed25519 log only", () => {
  const logs = LOG_KINDS.map(([, make]) => make().log);
  const frame = new Uint8Array(104).fill(1);
  const opened = openFrame({ frame, logs });
  assert("refused" in opened);
  assertEquals(opened.refused, "bad signature");
});

Deno.test("isStrictSignature: r and s from 1 to n - 1, in their one DER spelling", () => {
  const N = "00ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
  const below = N.slice(0, -2) + "50";
  const der = (r: string, s: string): Uint8Array => {
    const integer = (hex: string) => `02${(hex.length / 2).toString(16).padStart(2, "0")}${hex}`;
    const body = integer(r) + integer(s);
    return Uint8Array.fromHex(`30${(body.length / 2).toString(16).padStart(2, "0")}${body}`);
  };
  for (const [r, s] of [["01", "01"], [below, below], ["0080", "7f"]] as const) {
    assert(isStrictSignature(der(r, s)), `${r} ${s}`);
  }
  for (const bad of ["", "00", N, "80", "0001", "007f", `00${below}`, below.slice(2)]) {
    assert(!isStrictSignature(der(bad, "01")), `r ${bad}`);
    assert(!isStrictSignature(der("01", bad)), `s ${bad}`);
  }
  const good = der("01", "01");
  for (let length = 0; length < good.length; length++) {
    assert(!isStrictSignature(good.slice(0, length)));
  }
  assert(!isStrictSignature(Uint8Array.of(...good, 0)));
  assert(!isStrictSignature(Uint8Array.of(0x30, 0x81, ...good.slice(1))), "a long length");
});

Deno.test("loadVerifier: refuses keys of another curve or kind, and RSA below 2,048 bits", () => {
  const curve = spkiOf(generateKeyPairSync("ec", { namedCurve: "P-384" }).publicKey);
  const weak = spkiOf(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey);
  const sound = spkiOf(generateKeyPairSync("rsa", { modulusLength: 2048 }).publicKey);
  const edwards = spkiOf(generateKeyPairSync("ed25519").publicKey);
  const load = (type: number, publicKey: Uint8Array) => () =>
    loadVerifier(parseVkey(makeVkey({ name: "x", type, publicKey }).text));
  const { ecdsa, rfc6962 } = SIGNATURE_TYPE;
  assertEquals(load(ecdsa, curve)().vkey.type, ecdsa);
  const koblitz = Uint8Array.fromHex(
    // SPKI of the generator of secp256k1 (SEC 2 section 2.4.1).
    "3056301006072a8648ce3d020106052b8104000a034200" +
      "0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" +
      "483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8",
  );
  const off = curve.with(-1 + curve.length, curve.at(-1)! ^ 1);
  assertThrows(load(ecdsa, off), MalformedError, "not a point of the curve");
  for (const other of [koblitz, curve.slice(0, -1), sound, edwards, Uint8Array.of(1)]) {
    assertThrows(load(ecdsa, other), MalformedError, "not the SubjectPublicKeyInfo of");
  }
  assertEquals(load(rfc6962, sound)().vkey.type, rfc6962);
  for (const other of [curve, edwards, Uint8Array.of(1), Uint8Array.of(...sound, 0)]) {
    assertThrows(load(rfc6962, other), MalformedError, "neither a P-256 nor an RSA");
  }
  assertThrows(load(rfc6962, weak), MalformedError, "RSA key has 1024 bits, expected 2048 to 8192");
});

/** Made with `openssl ecparam -genkey` and `openssl dgst -sha256 -sign`, over "a text" and a newline. */
const OF_OPENSSL: readonly [string, spki: Uint8Array, signature: Uint8Array][] = [
  [
    "P-384",
    Uint8Array.fromHex(
      "3076301006072a8648ce3d020106052b81040022036200045d3cda7bbcf018e22d4c197d6146a261" +
        "5b7bf9069d9b59301bbc54f16e2825f9c41ebc9839a2b6310c7178d8535e2d12d8c5787e37bee91a" +
        "9fab430a0a7b65e130deabf43b0e74ffe00c1d3b3292144564e27304bfdb8766572b69daa28cc3b9",
    ),
    Uint8Array.fromHex(
      "3066023100b065eba29928e532bd6e4ec6792b4ea38932908cadf6263ec37ec982a3bff8d0292a42" +
        "9e3a212d7d198a31d58eb561c5023100c89cefbd4a154d2433b005d12d3ef2f9f7e474a6cf7cc53b" +
        "0550cffabb0cbc246ebb072692cb6bdabbc3466b069fd50c",
    ),
  ],
  [
    "P-521",
    Uint8Array.fromHex(
      "30819b301006072a8648ce3d020106052b8104002303818600040122406cbbfb2685316ffe56be1d" +
        "3b55747f687c94a17d7930303fa3912d036a5fb51c3b51711fe37d9cb94b09aa4c23b8467c259836" +
        "d09d0e63e5a735fbcae2af3101de8eed959be049d00e0dc3f08ce8d86170e55f627f190c3b67f0a9" +
        "bf918bfdcf2e73ae253a7c7eae5b246fe71671b0409f9f586bd7130747d52d9ac241f3cfa1d3",
    ),
    Uint8Array.fromHex(
      "308188024201a90fa0b94dbf45f37d2fbeb9b5a2e749e63fa06696047f5f6ec17ca5afd7fbfaf685" +
        "c34235b1749ca0e870d786b2a9cfa8a634f48254131448a1a01fac12e2c86702420118e8801b45d4" +
        "a27463c38920aa4959b4f055161e1cda6dd6d5287a7ed3c6e83bf79b520a786955de62797cf1daf4" +
        "37893610fa711a3d28bb5fb85b9792a3362fb2",
    ),
  ],
];

for (const [name, spki, signature] of OF_OPENSSL) {
  Deno.test(`verifyEcdsa: takes what OpenSSL signed on ${name} with SHA-256, and nothing beside it`, () => {
    const key = importEcdsaKey(spki);
    assertEquals(key.curve.name, name);
    for (const verifies of [verifyEcdsa, verifyByNoble]) {
      assert(verifies({ key, message: utf8("a text\n"), signature }));
      assert(!verifies({ key, message: utf8("a text"), signature }));
      // The same signature in other spellings: a longer length, a byte after its end, a padded r.
      const body = signature.slice(signature[1] === 0x81 ? 3 : 2);
      const spellings = [
        [0x30, 0x82, 0, body.length, ...body],
        [...signature, 0],
        [0x30, 0x81, body.length + 1, 0x02, body[1]! + 1, 0, ...body.slice(2)],
        ...(body.length < 0x80 ? [[0x30, 0x81, body.length, ...body]] : []),
      ];
      for (const spelling of spellings) {
        const other = Uint8Array.from(spelling);
        assert(!verifies({ key, message: utf8("a text\n"), signature: other }));
      }
    }
  });
}
