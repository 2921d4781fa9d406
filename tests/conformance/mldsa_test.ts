/** ML-DSA-44 verification against Wycheproof. */
import { ml_dsa44 } from "@noble/post-quantum/ml-dsa.js";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { importMlDsa44Key, MLDSA44_KEY_BYTES, verifyMlDsa44 } from "../../src/tlog/mldsa.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { everyCase, readJson, unhex, vectorTest } from "./vectors.ts";

interface WycheproofFile {
  readonly testGroups: readonly {
    readonly publicKey: string;
    readonly tests: readonly {
      readonly tcId: number;
      readonly comment: string;
      readonly msg: string;
      readonly ctx?: string;
      readonly sig: string;
      readonly result: "valid" | "invalid" | "acceptable";
    }[];
  }[];
}

function wycheproof() {
  return readJson<WycheproofFile>("mldsa/wycheproof_mldsa_44_verify_test.json").testGroups
    .flatMap(({ publicKey, tests }) =>
      tests.map(({ tcId, comment, msg, ctx = "", sig, result }) => ({
        name: `${tcId} ${comment}`,
        publicKey: unhex(publicKey),
        message: unhex(msg),
        context: unhex(ctx),
        signature: unhex(sig),
        valid: result === "valid",
      }))
    );
}

vectorTest(
  "verifyMlDsa44: gives the verdict on Wycheproof's 169 rows without a context",
  () =>
    everyCase({
      cases: wycheproof().filter(({ context, publicKey }) =>
        context.length === 0 && publicKey.length === MLDSA44_KEY_BYTES
      ),
      count: 169,
      name: ({ name }) => name,
      check: ({ publicKey, message, signature, valid }) =>
        assertEquals(
          verifyMlDsa44({ key: importMlDsa44Key(publicKey), message, signature }),
          valid,
        ),
    }),
);

vectorTest(
  "verifyMlDsa44: refuses the 7 rows with a context, which checkpoints do not have",
  () =>
    everyCase({
      cases: wycheproof().filter(({ context }) => context.length > 0),
      count: 7,
      name: ({ name }) => name,
      check({ publicKey, message, context, signature, valid }) {
        assert(!verifyMlDsa44({ key: importMlDsa44Key(publicKey), message, signature }));
        // With it, noble has the right verdict; a context of 256 bytes it does not take at all.
        if (context.length < 256) {
          assertEquals(ml_dsa44.verify(signature, message, publicKey, { context }), valid);
        }
      },
    }),
);

vectorTest(
  "importMlDsa44Key: refuses the 4 keys of a wrong length, as parseVkey does",
  () =>
    everyCase({
      cases: wycheproof().filter(({ publicKey }) => publicKey.length !== MLDSA44_KEY_BYTES),
      count: 4,
      name: ({ name }) => name,
      check({ publicKey, valid }) {
        assert(!valid);
        assertThrows(() => importMlDsa44Key(publicKey), MalformedError, "expected 1312");
        const type = SIGNATURE_TYPE.mldsa44;
        assertThrows(
          () => makeVkey({ name: "x", type, publicKey }),
          MalformedError,
          "expected 1312",
        );
      },
    }),
);
