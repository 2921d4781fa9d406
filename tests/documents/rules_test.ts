/** RULES.md says what the program does, where it gives a list or a number. */
import { assertEquals, assertThrows } from "@std/assert";
import { decodeHex } from "@std/encoding/hex";
import { secondOpinion } from "../../src/evidence/second_opinion.ts";
import { RESULTS } from "../../src/evidence/result.ts";
import { importEd25519Key } from "../../src/tlog/ed25519.ts";
import { loadVerifier } from "../../src/tlog/note.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { MLDSA44_KEY_BYTES, MLDSA44_SIGNATURE_BYTES } from "../../src/tlog/mldsa.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { LOG_KINDS } from "../tlog/log_signers.ts";
import { readDocument } from "./document.ts";
import { LIMITS } from "./limits.ts";
import { log } from "./stage.ts";

const RULES = readDocument("documents/RULES.md");

Deno.test("rules: the table of results has every result of the program, and no other", () => {
  const [, table] = RULES.split("### Results");
  const shown = [...table!.split("\n## ")[0]!.matchAll(/^\| `([a-z ]+)`/gm)].map(([, name]) =>
    name!
  );
  assertEquals(shown.sort(), [...RESULTS].sort());
});

Deno.test("rules: the eight points that S2 shows are refused as keys", () => {
  const shown = [...RULES.matchAll(/^[0-9a-f]{64}$/gm)].map(([hex]) => decodeHex(hex));
  const keys = shown.flatMap((y) => [y, y.with(31, y[31]! | 0x80)]);
  // Where x is 0 the other sign is no second point; it is refused for its spelling.
  const why = keys.map((key) => assertThrows(() => importEd25519Key(key), MalformedError).message);
  assertEquals(why.filter((message) => message.includes("has small order")).length, 8);
  assertEquals(why.filter((message) => message.includes("canonical")).length, 2);
});

const KINDS = [["0x01", () => ({ log })] as const, ...LOG_KINDS];
/** How the table of S8 names the keys that the tests make. */
const ROWS: Readonly<Record<string, string>> = {
  "0x01": "0x01",
  "0x02 ECDSA": "0x02, P-256, P-384",
  "0x02 ECDSA P-384": "0x02, P-256, P-384",
  "0x02 ECDSA P-521": "0x02, P-521",
  "0x05 ECDSA": "0x05, ECDSA",
  "0x05 RSA": "0x05, RSA",
  "0x06 ML-DSA-44": "0x06",
};

for (const [kind, make] of KINDS) {
  Deno.test(`rules: S8 says whether there is a second opinion on ${kind}`, () => {
    const [, , second] = RULES.split("**S8.")[1]!.split("**S9.")[0]!.split("\n")
      .map((line) => line.split("|").slice(1).map((cell) => cell.trim()))
      .find(([name]) => name === ROWS[kind])!;
    assertEquals(second!.startsWith("none"), secondOpinion(make().log.vkey) === undefined);
  });
}

Deno.test("rules: the table of S1 says which types are a log's key", () => {
  const [, table] = RULES.split("**S1.");
  const rows = [...table!.split("**S2.")[0]!.matchAll(/^\| (0x0\d) .*\| (yes|no) +\|$/gm)];
  const types = Object.values(SIGNATURE_TYPE).map((type) => `0x0${type}`);
  assertEquals(rows.map(([, type]) => type!).sort(), types.sort());
  const { publicKey } = log.vkey;
  const refused = rows.filter(([, , may]) => may === "no").map(([, type]) => Number(type));
  assertEquals(refused, [SIGNATURE_TYPE.cosignature]);
  const vkey = makeVkey({ name: "witness.example.com", type: refused[0]!, publicKey });
  assertThrows(() => loadVerifier(vkey), MalformedError, "0x04");
  for (const [, make] of KINDS) loadVerifier(make().log.vkey);
});

/** Sentences that state a limit; their words, with the program's numbers. */
const STATED = [
  `At most ${spelled("MAX_CONFLICTS_PER_LOG")} conflicts of one log are kept, and of one size at ` +
  `most ${spelled("MAX_ROOTS_PER_SIZE")} roots`,
  `An RSA key has ${spelled("MIN_RSA_BITS")} to ${spelled("MAX_RSA_BITS")} bits`,
  `at most ${spelled("MAX_NOTE_BYTES")} bytes and ${
    spelled("MAX_SIGNATURE_LINES")
  } signature lines`,
  `| ${MLDSA44_KEY_BYTES.toLocaleString("en")} bytes`,
  `uint64 seconds | ${MLDSA44_SIGNATURE_BYTES.toLocaleString("en")} bytes`,
];

function spelled(name: string): string {
  return LIMITS[name]!.toLocaleString("en");
}

Deno.test("rules: sentences state the program's limits", () => {
  const sentences = RULES.replace(/\s+/g, " ");
  assertEquals(STATED.filter((words) => !sentences.includes(words)), []);
});
