/** Policies: each rule of C2SP tlog-policy has a file that breaks it. */
import { assertEquals, assertThrows } from "@std/assert";
import { concat } from "@std/bytes/concat";
import {
  isCommitted,
  MAX_POLICY_BYTES,
  MAX_POLICY_GROUPS,
  MAX_POLICY_LOGS,
  MAX_POLICY_WITNESSES,
  parsePolicy,
  witnessesIn,
} from "../../src/authority/policy.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { makeVkey, parseVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { newLog } from "../evidence/histories.ts";
import { policyOf, vkeysOf, witness, witnesses } from "./policies.ts";

const [A, B, C] = witnesses(3) as [
  ReturnType<typeof witness>,
  ReturnType<typeof witness>,
  ReturnType<typeof witness>,
];
const LOG = (await newLog()).log.vkey.text;

/** One of the vkeys' keys under another name or type. */
function rekeyed(vkey: string, changed: { name?: string; type?: number }): string {
  return makeVkey({ ...parseVkey(vkey), ...changed }).text;
}

const PLAIN_A = rekeyed(A.vkey, { type: SIGNATURE_TYPE.ed25519 });

Deno.test("parsePolicy: reads the example of the draft, with spaces, tabs, comments and empty lines", () => {
  const [Y1, Y2] = [witness("Y1"), witness("Y2")];
  const policy = policyOf(
    "# a comment",
    `log ${LOG} https://log.invalid/`,
    "",
    ` \t${A.defined}  https://w1.invalid/\t`,
    "   # another",
    B.defined,
    C.defined,
    "group X-witnesses 2 W1 W2 W3",
    ...[Y1.defined, Y2.defined],
    "group Y-witnesses any Y1 Y2",
    "group X-and-Y all X-witnesses\tY-witnesses",
    "\t quorum   X-and-Y ",
  );
  assertEquals(policy.logs.map(({ line, log, url }) => [line, log.vkey.text, url]), [
    [2, LOG, "https://log.invalid/"],
  ]);
  assertEquals(policy.witnesses.map(({ line, name, url }) => [line, name, url]), [
    [4, "W1", "https://w1.invalid/"],
    ...[[6, "W2", undefined], [7, "W3", undefined], [9, "Y1", undefined], [10, "Y2", undefined]],
  ]);
  assertEquals(policy.groups.map(({ name, threshold }) => [name, threshold]), [
    ["X-witnesses", 2],
    ["Y-witnesses", 1],
    ["X-and-Y", 2],
  ]);
  assertEquals(witnessesIn(policy.quorum).map(({ name }) => name), ["W1", "W2", "W3", "Y1", "Y2"]);
  assertEquals(policy.remarks, []);
  for (
    const [cosigners, expected] of [
      [[A, B, Y1], true],
      [[A, C, Y2], true],
      [[A, B, C, Y1, Y2], true],
      [[A, B], false],
      [[A, B, C], false],
      [[A, Y1, Y2], false],
      [[], false],
    ] as const
  ) assertEquals(isCommitted(policy, vkeysOf(...cosigners)), expected);
});

Deno.test("isCommitted: quorum none needs nobody, and a witness alone may be the quorum", () => {
  assertEquals(isCommitted(policyOf("quorum none"), new Set()), true);
  const one = policyOf(A.defined, B.defined, "quorum W1");
  assertEquals([isCommitted(one, vkeysOf(A)), isCommitted(one, vkeysOf(B))], [true, false]);
  assertEquals(isCommitted(one, new Set(["W1", PLAIN_A])), false);
});

/** What is wrong, and what is said of it. */
const WRONG: [rule: string, lines: readonly string[], message: string][] = [
  ["an unknown word", ["logs x"], 'line 1: it begins with "logs", expected log, witness'],
  ["words in capitals", ["Quorum none"], 'line 1: it begins with "Quorum"'],
  ["no quorum", [A.defined], "the policy has no line quorum"],
  ["two quorums", ["quorum none", "", "quorum none"], "line 3: line 1 is a line quorum already"],
  ["an unknown quorum", [A.defined, "quorum W2"], 'line 2: "W2" is not defined in a line before'],
  ["a quorum before its name", ["quorum W1", A.defined], 'line 1: "W1" is not defined'],
  ["a quorum without a name", ["quorum"], "line 1: it ends too early, expected quorum NAME"],
  ["a quorum of two", [A.defined, "quorum W1 W1"], 'line 2: it has "W1" at its end'],
  ["a group before its member", [A.defined, "group g any W1 W2", B.defined], 'line 2: "W2" is not'],
  ["a group in itself", ["group g any g"], 'line 1: "g" is not defined in a line before'],
  ["a group without members", ["group g all"], "line 1: it ends too early, expected group NAME"],
  ["none as a member", ["group g any none"], "line 1: none cannot be a member of a group"],
  ["a group named none", [A.defined, "group none any W1"], "line 2: the name none is taken"],
  ["a witness named none", [`witness none ${A.vkey}`], "line 1: the name none is taken"],
  ["k = 0", [A.defined, "group g 0 W1"], 'line 2: "0" of the members are wanted, expected all'],
  ["k > n", [A.defined, "group g 2 W1"], "expected all, any or a number from 1 to 1"],
  ["k below 0", [A.defined, "group g -1 W1"], 'line 2: "-1" of the members'],
  ["k with a leading zero", [A.defined, "group g 01 W1"], 'line 2: "01" of the members'],
  ["k in hex", [A.defined, "group g 0x1 W1"], 'line 2: "0x1" of the members'],
  ["a member twice in a group", [A.defined, "group g any W1 W1"], 'line 2: "W1" is a member of a'],
  [
    "a member of two groups",
    [A.defined, B.defined, "group g any W1", "group h any W2 W1"],
    'line 4: "W1" is a member of a group in line 3 already, expected once in all',
  ],
  [
    "a group as a member of two groups",
    [A.defined, "group g any W1", "group h any g", "group i any g"],
    'line 4: "g" is a member of a group in line 3 already',
  ],
  ["two witnesses of one name", [A.defined, `witness W1 ${B.vkey}`], 'line 2: "W1" is defined in'],
  ["a group named as a witness", [A.defined, "group W1 any W1"], 'line 2: "W1" is defined in line'],
  [
    "two witnesses with one key",
    [A.defined, `witness W2 ${rekeyed(A.vkey, { name: "other.invalid" })}`],
    "line 2: the witness in line 1 has the same public key",
  ],
  [
    "two witnesses with one key of two types",
    [A.defined, `witness W2 ${PLAIN_A}`],
    "line 2: the witness in line 1 has the same public key",
  ],
  [
    "two logs with one key",
    [`log ${LOG}`, `log ${rekeyed(LOG, { name: "other.invalid" })}`],
    "line 2: the log in line 1 has the same public key",
  ],
  [
    "a log with a witness's key",
    [`log ${A.vkey}`],
    "line 1: W1.invalid has a key of signature type",
  ],
  ["a witness with another type", [`witness x ${LOG} y z`], 'line 1: it has "z" at its end'],
  ["a key with a wrong id", [`log ${LOG.replace(/\+[0-9a-f]{8}/, "+00000000")}`], "line 1: Cannot"],
  ["a witness without a key", ["witness W1"], "line 1: it ends too early, expected witness NAME"],
  ["a comment behind a line", ["quorum none # x"], "a comment stands on a line of its own"],
  ["a short hex key", [`log ${"0".repeat(62)}`], "line 1: Cannot read vkey"],
  ["a line end of Windows", ["quorum none\r"], "line 1: it has the control character 0x0d"],
  [
    "a form feed in a comment",
    ["quorum none", "# \f"],
    "line 2: it has the control character 0x0c",
  ],
  ["a deleted character", ["quorum none", "# \x7f"], "line 2: it has the control character 0x7f"],
];

for (const [rule, lines, message] of WRONG) {
  Deno.test(`parsePolicy: refuses ${rule}, with the line`, () => {
    const error = assertThrows(() => policyOf(...lines), MalformedError);
    assertEquals(error.message.includes(message), true, error.message);
  });
}

Deno.test("parsePolicy: refuses a last line without a newline, which may have been cut off", () => {
  const text = `${A.defined}\nquorum W1`;
  assertThrows(() => parsePolicy(utf8(text)), MalformedError, "line 2: it has no newline at its");
  assertEquals(parsePolicy(utf8(`${text}\n`)).witnesses.length, 1);
});

Deno.test("parsePolicy: names are opaque octets, and need not be UTF-8", () => {
  // The draft's own example: "K", and the Kelvin sign that looks like it.
  const kelvin = policyOf(`witness K ${A.vkey}`, `witness \u212a ${B.vkey}`, "quorum \u212a");
  assertEquals(witnessesIn(kelvin.quorum).map(({ line }) => line), [2]);
  const [one, two] = [Uint8Array.of(0xff), Uint8Array.of(0xfe)];
  const raw = parsePolicy(concat([
    ...[utf8("witness "), one, utf8(` ${A.vkey}\nwitness `), two, utf8(` ${B.vkey}\nquorum `)],
    ...[two, utf8("\n")],
  ]));
  assertEquals(witnessesIn(raw.quorum).map(({ name, line }) => [name, line]), [["\\xfe", 2]]);
  // U+00A0 and U+0085 are no whitespace: their octets are part of the word.
  assertThrows(() => policyOf("quorum\u00a0none"), MalformedError, "it begins with");
});

Deno.test("parsePolicy: a witness's key of type 0x01 is taken as 0x04, and that is remarked upon", () => {
  const policy = policyOf(`witness W1 ${PLAIN_A}`, "quorum W1");
  assertEquals(policy.witnesses[0]!.cosigner.vkey.text, A.vkey);
  assertEquals(policy.remarks.map(({ line, text }) => [line, text.includes(A.vkey)]), [[1, true]]);
  assertEquals(isCommitted(policy, vkeysOf(A)), true);
});

Deno.test("parsePolicy: bare keys of Sigsum are read, and that is remarked upon", () => {
  const hex = (vkey: string) => parseVkey(vkey).publicKey.toHex();
  const policy = policyOf(
    `log ${hex(LOG)}`,
    `witness w.invalid ${hex(A.vkey)}`,
    "quorum w.invalid",
  );
  const [{ log }] = policy.logs as [typeof policy.logs[0]];
  assertEquals(/^sigsum\.org\/v1\/tree\/[0-9a-f]{64}$/.test(log.origin), true);
  assertEquals([log.vkey.type, policy.witnesses[0]!.cosigner.vkey.type], [0x01, 0x04]);
  assertEquals(policy.remarks.map(({ line }) => line), [1, 2]);
});

Deno.test("parsePolicy: reads so many lines of each kind, and no more", async () => {
  const most = witnesses(MAX_POLICY_WITNESSES + 1).map(({ defined }) => defined);
  assertEquals(policyOf(...most.slice(1), "quorum none").witnesses.length, MAX_POLICY_WITNESSES);
  assertThrows(() => policyOf(...most, "quorum none"), MalformedError, "line 65: more than 64 wit");
  const groups = Array.from(
    { length: MAX_POLICY_GROUPS + 1 },
    (_, i) => `group g${i} any ${i === 0 ? "W1" : `g${i - 1}`}`,
  );
  const all = policyOf(A.defined, ...groups.slice(0, -1), "quorum g63");
  assertEquals([all.groups.length, isCommitted(all, vkeysOf(A))], [MAX_POLICY_GROUPS, true]);
  assertThrows(
    () => policyOf(A.defined, ...groups),
    MalformedError,
    "line 66: more than 64 groups",
  );
  const logs = await Promise.all(
    Array.from(
      { length: MAX_POLICY_LOGS + 1 },
      async (_, i) => `log ${(await newLog(`log${i}.invalid`)).log.vkey.text}`,
    ),
  );
  assertEquals(policyOf(...logs.slice(1), "quorum none").logs.length, MAX_POLICY_LOGS);
  assertThrows(() => policyOf(...logs), MalformedError, "line 257: more than 256 logs");
});

Deno.test("parsePolicy: reads so many bytes, and no more", () => {
  const end = "quorum none\n";
  const filled = (length: number) => utf8(`#${"x".repeat(length - end.length - 2)}\n${end}`);
  assertEquals(parsePolicy(filled(MAX_POLICY_BYTES)).quorum, undefined);
  assertThrows(() => parsePolicy(filled(MAX_POLICY_BYTES + 1)), MalformedError, "expected at most");
});
