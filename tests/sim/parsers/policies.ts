/**
 * The readers of policies, and of the proofs that are held to one. Whatever is changed in a policy,
 * what is read is a tree in which each key counts once; whatever is changed in a proof, nothing holds
 * but what was logged.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { encodeHex } from "@std/encoding/hex";
import { noteOfSigsumProof, weigh } from "../../../src/authority/committed.ts";
import {
  isCommitted,
  parsePolicy,
  type Policy,
  witnessesIn,
} from "../../../src/authority/policy.ts";
import { ruleOf, toleranceOf } from "../../../src/authority/tolerance.ts";
import { base64, utf8 } from "../../../src/tlog/encoding.ts";
import { leafHash, sha256 } from "../../../src/tlog/hashing.ts";
import { parseNote } from "../../../src/tlog/note.ts";
import { verifyInclusion } from "../../../src/tlog/proof.ts";
import { formatSignatureLine } from "../../../src/tlog/signature_line.ts";
import { sigsumOrigin } from "../../../src/tlog/sigsum.ts";
import { parseSigsumProof, sigsumLeafOf } from "../../../src/tlog/sigsum_proof.ts";
import { parseTlogProof } from "../../../src/tlog/tlog_proof.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../../src/tlog/vkey.ts";
import { bytes, texts } from "./inputs.ts";
import { insist, parser, type ParserUnderTest } from "./parser.ts";
import { mldsaKey } from "./signatures.ts";
import { isGenuine, LEAVES, ORIGIN, type Stage, uint64 } from "./stage.ts";

/** When the witness cosigned. */
const TIME = 1_700_000_000n;

/** The witness of all proofs here has the key of the stage's hand. */
function witnessOf({ hand: { vkey } }: Stage) {
  const { publicKey } = vkey;
  return makeVkey({ name: "w.invalid", type: SIGNATURE_TYPE.cosignature, publicKey });
}

function samplePolicies(stage: Stage): string[] {
  const { hand, detector, shortNamed, logs } = stage;
  const keys = [hand, detector, shortNamed].map(({ vkey: { publicKey } }, i) =>
    makeVkey({ name: `w${i}.invalid`, type: SIGNATURE_TYPE.cosignature, publicKey }).text
  );
  const { publicKey } = mldsaKey();
  const mldsa = makeVkey({ name: "w0.invalid", type: SIGNATURE_TYPE.mldsa44, publicKey }).text;
  const three = keys.map((key, i) => `witness w${i} ${key} https://w${i}.invalid/\n`).join("");
  return [
    `log ${logs[0]!.vkey.text} https://log.invalid/\n${three}group g 2 w0 w1 w2\nquorum g\n`,
    `# two keys of one\n${three}witness w3 ${mldsa}\ngroup a any w0 w3\ngroup b all w1 w2\n\n` +
    "group c any a b\n\tquorum  c \n",
    `log ${encodeHex(hand.vkey.publicKey)}\nwitness w0 ${hand.vkey.text}\nquorum w0\n`,
    "quorum none\n",
  ];
}

/** Parsers of policies and of what is held to them. */
export function policies(stage: Stage): ParserUnderTest[] {
  const samples = samplePolicies(stage).map(utf8);
  const proofs = [tlogProofOf(stage)];
  const sigsum = [sigsumProofOf(stage, 1), sigsumProofOf(stage, 2)];
  const policy = policyOfProofs(stage);
  return [
    parser<Uint8Array>({
      name: "policy: parsePolicy and toleranceOf",
      share: 30,
      valid: samples,
      inputs: bytes(samples),
      feed: utf8,
      run(file) {
        checkPolicy(parsePolicy(file));
        return "accepted";
      },
    }),
    parser<string>({
      name: "proof: parseTlogProof and weigh",
      share: 10,
      valid: proofs,
      inputs: texts(proofs),
      feed: (text) => text,
      run(text) {
        const { index, hashes, note } = parseTlogProof(text);
        const weighed = weigh({ note, policy });
        if ("refused" in weighed) return "refused";
        const [tree] = weighed.checkpoints;
        insist(isGenuine(stage, tree!), "only what was signed");
        const leaf = stage.leaves[7]!;
        const holds = verifyInclusion({ leafHash: leaf, index, tree: tree!, proof: hashes });
        insist(!holds || index === 7n, "it stands where it stands");
        return holds && weighed.committed ? "accepted" : "refused";
      },
    }),
    parser<string>({
      name: "proof: parseSigsumProof and weigh",
      share: 10,
      valid: sigsum,
      inputs: texts(sigsum),
      feed: (text) => text,
      run(text) {
        const proof = parseSigsumProof(text);
        const logs = policy.logs.map(({ log }) => log);
        const note = noteOfSigsumProof({ proof, policy, logs });
        if (note === undefined) return "refused";
        const weighed = weigh({ note, policy });
        if ("refused" in weighed) return "refused";
        const [tree] = weighed.checkpoints;
        const { leaf, index, hashes } = proof;
        const hash = leafHash(sigsumLeafOf({ leaf, message: MESSAGE }));
        const holds = verifyInclusion({ leafHash: hash, index, tree: tree!, proof: hashes });
        insist(!holds || proof.treeSize === 1n, "only what was logged");
        return holds && weighed.committed ? "accepted" : "refused";
      },
    }),
  ];
}

/** What holds for every policy that was read. */
function checkPolicy(policy: Policy): void {
  const { witnesses, groups, quorum } = policy;
  const members = groups.flatMap(({ members }) => members);
  insist(new Set(members).size === members.length, "each name is a member once");
  const keys = witnesses.map(({ cosigner }) => base64(cosigner.vkey.publicKey));
  insist(new Set(keys).size === keys.length, "each key is a witness's once");
  const inQuorum = witnessesIn(quorum).map(({ cosigner }) => cosigner.vkey.text);
  insist(isCommitted(policy, new Set(inQuorum)), "all are enough");
  insist(isCommitted(policy, new Set()) === (quorum === undefined), "nobody is not");
  if (quorum === undefined) return;
  const tolerance = toleranceOf(ruleOf(quorum));
  insist("parties" in tolerance, "so few are computed");
  const { parties, failuresToStop, liarsToSplit } = tolerance;
  insist(failuresToStop >= 1 && failuresToStop <= parties, "some must work, and all are enough");
  insist(liarsToSplit <= parties, "if all lie, there are two stories");
}

function policyOfProofs(stage: Stage): Policy {
  const { logs, hand } = stage;
  const witness = witnessOf(stage).text;
  const second = logs[1]!.vkey.text;
  insist(second !== hand.vkey.text && logs[0]!.vkey.text === hand.vkey.text, "the hand's log");
  const log = { ...hand.vkey, name: sigsumOrigin(hand.vkey.publicKey) };
  const lines = [`log ${hand.vkey.text}`, `witness w ${witness}`, "quorum w", ""].join("\n");
  const policy = parsePolicy(utf8(lines));
  // One key is of both logs here, which a policy in a file cannot say.
  const sigsum = parsePolicy(utf8(`log ${makeVkey(log).text}\nquorum none\n`));
  return { ...policy, logs: [...policy.logs, ...sigsum.logs] };
}

/** The proof of entry 7 in the whole tree, cosigned. */
function tlogProofOf(stage: Stage): string {
  const { hand, tree, checkpoints } = stage;
  const { note } = checkpoints[7]!;
  insist(note.startsWith(`${ORIGIN}\n${LEAVES}\n`), "the whole tree");
  const { text } = parseNote(note);
  const signed = hand.sign(utf8(`cosignature/v1\ntime ${TIME}\n${text}`));
  const signature = concat([uint64(TIME), signed]);
  const line = formatSignatureLine({ vkey: witnessOf(stage), signature });
  const path = tree.inclusionProof({ index: 7n, treeSize: BigInt(LEAVES) });
  return `c2sp.org/tlog-proof@v1\nextra YWJj\nindex 7\n${path.map(base64).join("\n")}\n\n` +
    `${note}${line}\n`;
}

/** The message that the Sigsum proofs are about. */
const MESSAGE = sha256(utf8("a message"));

/** The proof of the one leaf of a Sigsum log under the hand's key, cosigned by it as well. */
function sigsumProofOf({ hand }: Stage, version: 1 | 2): string {
  const { publicKey } = hand.vkey;
  const checksum = sha256(MESSAGE);
  const signed = hand.sign(concat([utf8("sigsum.org/v1/tree-leaf\0"), checksum]));
  const root = leafHash(concat([checksum, signed, sha256(publicKey)]));
  const text = `${sigsumOrigin(publicKey)}\n1\n${base64(root)}\n`;
  const keyHash = encodeHex(sha256(publicKey));
  const cosigned = hand.sign(utf8(`cosignature/v1\ntime ${TIME}\n${text}`));
  const short = version === 1 ? `${encodeHex(checksum.subarray(0, 2))} ` : "";
  return `version=${version}\nlog=${keyHash}\nleaf=${short}${keyHash} ${encodeHex(signed)}\n\n` +
    `size=1\nroot_hash=${encodeHex(root)}\nsignature=${encodeHex(hand.sign(utf8(text)))}\n` +
    `cosignature=${keyHash} ${TIME} ${encodeHex(cosigned)}\n\nleaf_index=0\n`;
}
