/** ECDSA on P-256 against Wycheproof: our verdict, and the independent one. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { secondOpinion } from "../../src/evidence/second_opinion.ts";
import { importEcdsaKey, isStrictSignature, verifyEcdsa } from "../../src/tlog/ecdsa.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { everyCase, readJson, unhex, vectorTest } from "./vectors.ts";

interface WycheproofFile {
  readonly testGroups: readonly {
    readonly publicKeyDer: string;
    readonly tests: readonly {
      readonly tcId: number;
      readonly comment: string;
      readonly flags: readonly string[];
      readonly msg: string;
      readonly sig: string;
      readonly result: "valid" | "invalid" | "acceptable";
    }[];
  }[];
}

function wycheproof() {
  return readJson<WycheproofFile>("ecdsa/wycheproof_ecdsa_secp256r1_sha256_test.json").testGroups
    .flatMap(({ publicKeyDer, tests }) =>
      tests.map(({ tcId, comment, flags, msg, sig, result }) => ({
        name: `${tcId} ${comment}`,
        flags,
        spki: unhex(publicKeyDer),
        message: unhex(msg),
        signature: unhex(sig),
        result,
      }))
    );
}

vectorTest("wycheproof: its 484 ECDSA rows are valid or invalid, none merely acceptable", () => {
  const results = wycheproof().map(({ result }) => result);
  assertEquals(results.filter((result) => result === "valid").length, 174);
  assertEquals(results.filter((result) => result === "invalid").length, 310);
});

vectorTest("verifyEcdsa: gives all 484 verdicts of Wycheproof", () =>
  everyCase({
    cases: wycheproof(),
    count: 484,
    name: ({ name }) => name,
    check: ({ spki, message, signature, result }) =>
      assertEquals(
        verifyEcdsa({ key: importEcdsaKey(spki), message, signature }),
        result === "valid",
      ),
  }));

vectorTest("secondOpinion: gives all 484 verdicts of Wycheproof as well", () =>
  everyCase({
    cases: wycheproof(),
    count: 484,
    name: ({ name }) => name,
    check({ spki, message, signature, result }) {
      const vkey = makeVkey({ name: "x", type: SIGNATURE_TYPE.ecdsa, publicKey: spki });
      assertEquals(secondOpinion(vkey)!.verifies({ message, signature }), result === "valid");
    },
  }));

vectorTest("isStrictSignature: refuses the 168 rows of sloppy DER or scalars out of range", () => {
  // Here no platform helps: many a one refuses such bytes too, and may do otherwise tomorrow.
  const flags = ["BerEncodedSignature", "InvalidEncoding", "InvalidTypesInSignature", "RangeCheck"];
  return everyCase({
    cases: wycheproof().filter((row) => row.flags.some((flag) => flags.includes(flag))),
    count: 7 + 92 + 63 + 6,
    name: ({ name }) => name,
    check: ({ signature }) => assert(!isStrictSignature(signature)),
  });
});

vectorTest(
  "importEcdsaKey: refuses Wycheproof's keys in any other spelling, or off the curve",
  () =>
    everyCase({
      cases: [...new Set(wycheproof().map(({ spki }) => spki.toHex()))].map(unhex),
      count: 111,
      name: (spki) => spki.toHex(),
      check(spki) {
        importEcdsaKey(spki);
        const [x, y] = [spki.slice(27, 59), spki.slice(59)];
        const even = (y[31]! & 1) === 0;
        const compressed = Uint8Array.of(
          ...unhex("3039301306072a8648ce3d020106082a8648ce3d030107032200"),
          even ? 2 : 3,
          ...x,
        );
        const others = [
          compressed,
          spki.slice(0, -1),
          Uint8Array.of(...spki, 0),
          spki.with(spki.length - 1, spki.at(-1)! ^ 1), // Off the curve.
          spki.with(22, 0x08),
          Uint8Array.of(...spki.slice(0, 27), ...new Uint8Array(64)),
          Uint8Array.of(...spki.slice(0, 27), ...new Uint8Array(32).fill(0xff), ...y),
        ];
        for (const other of others) {
          assertThrows(() => importEcdsaKey(other), MalformedError, "ECDSA key is not");
        }
      },
    }),
);
