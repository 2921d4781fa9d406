/** Real policies, and real proofs and checkpoints under policies. */
import { assert, assertEquals } from "@std/assert";
import { noteOfSigsumProof, weigh, type Weighed } from "../../src/authority/committed.ts";
import { parsePolicy, type Policy } from "../../src/authority/policy.ts";
import { ruleOf, toleranceOf } from "../../src/authority/tolerance.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { verifyInclusion } from "../../src/tlog/proof.ts";
import { isSubmittedBy, parseSigsumProof, sigsumLeafOf } from "../../src/tlog/sigsum_proof.ts";
import { parseTlogProof } from "../../src/tlog/tlog_proof.ts";
import { policyOf } from "../authority/policies.ts";
import { checkTolerance } from "../authority/rules.ts";
import { AIMS } from "../sim/witnesses/plan.ts";
import { planned } from "../sim/witnesses/quorum.ts";
import { runWitnesses } from "../sim/witnesses/run.ts";
import {
  everyCase,
  flipped,
  hex,
  readBytes,
  readJson,
  readText,
  unbase64,
  vectorTest,
} from "./vectors.ts";

/** What each file has and tolerates: logs, witnesses, groups, failures to stop, liars to split. */
const REAL: Readonly<Record<string, readonly number[]>> = {
  "age_keyserver_policy.txt": [1, 3, 1, 2, 1],
  "age_keyserver_witness_policy.txt": [1, 3, 1, 2, 1],
  "sigsum_builtin/sigsum-generic-2025-1.builtin-policy": [2, 3, 1, 2, 1],
  "sigsum_builtin/sigsum-test-2025-3.builtin-policy": [2, 8, 2, 3, 2],
  "sigsum_builtin/sigsum-test1-2025.builtin-policy": [1, 3, 1, 2, 1],
  "sigsum_builtin/sigsum-test2-2025.builtin-policy": [1, 7, 2, 2, 3],
};

vectorTest(
  "parsePolicy, toleranceOf: six policies in use are read, with what they tolerate",
  () =>
    everyCase({
      cases: Object.entries(REAL),
      count: 6,
      name: ([path]) => path,
      check([path, expected]) {
        const { logs, witnesses, groups, quorum, remarks } = parsePolicy(
          readBytes(`policy/${path}`),
        );
        const tolerance = toleranceOf(ruleOf(quorum!));
        assert("parties" in tolerance);
        const { failuresToStop, liarsToSplit } = tolerance;
        const counts = [logs.length, witnesses.length, groups.length];
        assertEquals([...counts, failuresToStop, liarsToSplit], expected);
        const isSigsum = path.startsWith("sigsum");
        assertEquals(remarks.length, isSigsum ? logs.length + witnesses.length : 0);
      },
    }),
);

vectorTest(
  "toleranceOf: what policies in use tolerate agrees with trying every set",
  () =>
    everyCase({
      cases: Object.keys(REAL),
      count: 6,
      name: (path) => path,
      check: (path) => checkTolerance(ruleOf(parsePolicy(readBytes(`policy/${path}`)).quorum!)),
    }),
);

vectorTest(
  "sim: under policies in use two histories are committed only if so many lie",
  () =>
    everyCase({
      cases: Object.keys(REAL).flatMap((path) => AIMS.map((aim) => ({ path, aim }))),
      count: 6 * AIMS.length,
      name: ({ path, aim }) => `${path}, ${aim}`,
      async check({ path, aim }) {
        const quorum = planned(ruleOf(parsePolicy(readBytes(`policy/${path}`)).quorum!));
        const { outcome, plan } = await runWitnesses({ seed: 1, options: { quorum, aim } });
        assertEquals(outcome.violations, []);
        if (aim !== "some lie") assertEquals(outcome.isBroken, plan.aim === "enough lie");
      },
    }),
);

vectorTest("parsePolicy: a bare key of Sigsum has the vkey that its operator publishes", () => {
  const path = "policy/sigsum_builtin/sigsum-test-2025-3.builtin-policy";
  const { witnesses } = parsePolicy(readBytes(path));
  const found = witnesses.find(({ name }) =>
    name === "transparency.dev/DEV:witness-little-garden"
  )!;
  const published = readText("cosignatures/witness-vkeys.txt").split("\n");
  assert(published.includes(found.cosigner.vkey.text));
});

/** What is said of each text of transparency-dev's tests: its reader takes more than the draft. */
const REFUSALS: readonly (string | undefined)[] = [
  undefined,
  'line 4: it has "#comment" at its end, expected witness NAME VKEY [URL]: a comment stands on a',
  "line 4: the witness in line 3 has the same public key",
  "line 4: the witness in line 3 has the same public key",
  "line 4: the witness in line 3 has the same public key",
  "line 3: the witness in line 2 has the same public key",
  "line 1: it has no newline at its end",
  "line 1: it has no newline at its end",
  "line 1: it has no newline at its end",
  "line 1: it has no newline at its end",
  'line 2: "w1" is defined in line 1 already',
];

vectorTest(
  "parsePolicy: what breaks a rule in transparency-dev's texts is told with its line",
  () => {
    const { texts } = readJson<{ texts: string[] }>("policy/transparency_dev_policies.json");
    assertEquals(texts.length, REFUSALS.length);
    texts.forEach((text, i) => {
      const refusal = refusalOf(text);
      const expected = REFUSALS[i];
      if (expected === undefined) assertEquals(refusal, undefined);
      else assert(refusal?.startsWith(expected), `${i}: ${refusal}`);
    });
    const { remarks } = parsePolicy(utf8(texts[0]!));
    assertEquals(remarks.map(({ kind, line }) => [kind, line]), [["type 0x01", 2], [
      "type 0x01",
      3,
    ]]);
  },
);

vectorTest(
  "parsePolicy: the same texts with a newline at their ends break the rule they are about",
  () => {
    const { texts } = readJson<{ texts: string[] }>("policy/transparency_dev_policies.json");
    const refusals = texts.slice(6, 10).map((text) => refusalOf(`${text}\n`));
    assertEquals(refusals, [
      "the policy has no line quorum",
      "line 1: the name none is taken: it means no quorum",
      "the policy has no line quorum",
      'line 1: "unknown" is not defined in a line before, as a witness or a group',
    ]);
  },
);

function refusalOf(text: string): string | undefined {
  try {
    parsePolicy(utf8(text));
    return undefined;
  } catch (error) {
    if (error instanceof MalformedError) return error.message;
    throw error;
  }
}

const MARKOVIAN = "markovianprotocol.com/log+0302c6c8+ATkpOWo95UuEiW2EhNZAol4f0CS8hMluJfPcTSzrr03v";

function weighed(result: ReturnType<typeof weigh>): Weighed {
  assert(!("refused" in result));
  return result;
}

/** The log, and the three published keys of witnesses: two of them have one name. */
function markovian(quorum: string): Policy {
  const [garden, ring, ringMldsa] = readText("cosignatures/witness-vkeys.txt").trimEnd().split(
    "\n",
  );
  return policyOf(
    ...[`log ${MARKOVIAN}`, `witness garden ${garden}`, `witness ring ${ring}`],
    ...[`witness ring6 ${ringMldsa}`, "group rings all ring ring6", "group both all garden rings"],
    `quorum ${quorum}`,
  );
}

vectorTest("weigh: a real note is committed by its witnesses, 0x04 and 0x06", () => {
  const note = readText("cosignatures/markovian-1387.note");
  const policy = markovian("both");
  const { committed, cosigned, missing } = weighed(weigh({ note, policy }));
  assertEquals([committed, missing], [true, []]);
  assertEquals(cosigned.map(({ witness, time }) => `${witness.name} ${time}`), [
    ...["garden 1784507703", "ring 1784507704", "ring6 1784507704"],
  ]);
  const without = note.split("\n").filter((line) => !line.includes("V3SwdQAAAABq")).join("\n");
  assert(without !== note);
  assertEquals(weighed(weigh({ note: without, policy })).committed, false);
  assertEquals(weighed(weigh({ note: without, policy: markovian("ring") })).committed, true);
  assertEquals(weighed(weigh({ note, policy, since: 1784507704n })).committed, false);
  const rule = toleranceOf(ruleOf(policy.quorum!));
  assert("parties" in rule);
  assertEquals([rule.parties, rule.failuresToStop, rule.liarsToSplit], [2, 1, 2]);
});

interface SigsumFile {
  readonly proof_no_cosig: string;
  readonly no_cosig_log_key_ssh: string;
  readonly no_cosig_submit_key_ssh: string;
  readonly proof_cosigned: string;
  readonly cosigned_log_key_ssh: string;
  readonly cosigned_submit_key_ssh: string;
  readonly cosigned_witness_key_ssh: string;
}

/** An Ed25519 key in SSH's wire form, of which the key is the last 32 bytes. */
function sshKey(text: string): Uint8Array<ArrayBuffer> {
  return unbase64(text).slice(-32);
}

/** The file says which message it is. */
const MESSAGE = utf8(" ".repeat(26) + "foo-4\n");

vectorTest("parseSigsumProof, weigh: real proofs hold, and the cosigned one is committed", () => {
  const file = readJson<SigsumFile>("logs/sigsum_go_proofs.json");
  const cosigned = {
    text: file.proof_cosigned,
    policy: policyOf(
      `log ${hex(sshKey(file.cosigned_log_key_ssh))}`,
      `witness w ${hex(sshKey(file.cosigned_witness_key_ssh))}`,
      "quorum w",
    ),
    submitter: sshKey(file.cosigned_submit_key_ssh),
    times: [1683202758n],
  };
  const plain = {
    text: file.proof_no_cosig,
    policy: policyOf(`log ${hex(sshKey(file.no_cosig_log_key_ssh))}`, "quorum none"),
    submitter: sshKey(file.no_cosig_submit_key_ssh),
    times: [],
  };
  for (const { text, policy, submitter, times } of [cosigned, plain]) {
    const proof = parseSigsumProof(text);
    const logs = policy.logs.map(({ log }) => log);
    const judged = weighed(weigh({ note: noteOfSigsumProof({ proof, policy, logs })!, policy }));
    assertEquals([judged.committed, judged.cosigned.map(({ time }) => time)], [true, times]);
    const { leaf, index, hashes } = proof;
    const included = (message: Uint8Array) =>
      verifyInclusion({
        ...{ leafHash: leafHash(sigsumLeafOf({ leaf, message })), index },
        ...{ tree: judged.checkpoints[0]!, proof: hashes },
      });
    assertEquals([included(MESSAGE), included(flipped(MESSAGE, 5))], [true, false]);
    const by = (message: Uint8Array, publicKey: Uint8Array) =>
      isSubmittedBy({ leaf, message, publicKey });
    assertEquals(by(MESSAGE, submitter), true);
    const others = [cosigned, plain].filter((one) => one.submitter !== submitter);
    for (const other of others) assertEquals(by(MESSAGE, other.submitter), false);
    assertEquals(by(flipped(MESSAGE, 0), submitter), false);
  }
  const needsMore = policyOf(
    `log ${hex(sshKey(file.no_cosig_log_key_ssh))}`,
    `witness w ${hex(sshKey(file.cosigned_witness_key_ssh))}`,
    "quorum w",
  );
  const proof = parseSigsumProof(plain.text);
  const logs = needsMore.logs.map(({ log }) => log);
  const note = noteOfSigsumProof({ proof, policy: needsMore, logs })!;
  assertEquals(weighed(weigh({ note, policy: needsMore })).committed, false);
  assertEquals(noteOfSigsumProof({ proof, policy: cosigned.policy, logs: [] }), undefined);
});

vectorTest("parseTlogProof: refuses every wrong proof of transparency-dev's tests", () => {
  const { tlog_proof_bad } = readJson<{ tlog_proof_bad: string[] }>(
    "notes/transparency_dev_formats.json",
  );
  assertEquals(tlog_proof_bad.length, 7);
  const taken = tlog_proof_bad.filter((text) => {
    try {
      parseTlogProof(text);
      return true;
    } catch (error) {
      if (error instanceof MalformedError) return false;
      throw error;
    }
  });
  assertEquals(taken, []);
});
