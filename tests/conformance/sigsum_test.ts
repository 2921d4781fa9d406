/** What Sigsum logs have signed and proven. */
import { assert, assertEquals } from "@std/assert";
import { formatCheckpointText, openFrame } from "../../src/tlog/checkpoint.ts";
import { encodeFrame } from "../../src/tlog/frame.ts";
import { leafHash, sha256 } from "../../src/tlog/hashing.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { parseNote } from "../../src/tlog/note.ts";
import { verifyInclusion } from "../../src/tlog/proof.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { assertSurvivesFrame, unframed } from "./opening.ts";
import { everyCase, flipped, hex, readJson, unbase64, unhex, vectorTest } from "./vectors.ts";

interface SigsumFile {
  readonly proof_no_cosig: string;
  readonly no_cosig_log_key_ssh: string;
  readonly no_cosig_submit_key_ssh: string;
  readonly proof_cosigned: string;
  readonly cosigned_log_key_ssh: string;
  readonly cosigned_submit_key_ssh: string;
}

interface SigsumCase {
  readonly name: string;
  /** The values of the proof's lines by their keys; a key may have several. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly logKey: Uint8Array<ArrayBuffer>;
  readonly submitKey: Uint8Array<ArrayBuffer>;
}

/** An Ed25519 key in SSH's wire form, of which the key is the last 32 bytes. */
function sshKey(base64: string): Uint8Array<ArrayBuffer> {
  return unbase64(base64).slice(-32);
}

function sigsumValues(proof: string): Map<string, string[]> {
  const values = new Map<string, string[]>();
  for (const line of proof.split("\n").filter((line) => line !== "")) {
    const [key, value] = line.split("=") as [string, string];
    values.set(key, [...(values.get(key) ?? []), value]);
  }
  return values;
}

function sigsumCases(): SigsumCase[] {
  const file = readJson<SigsumFile>("logs/sigsum_go_proofs.json");
  return [{
    name: "without cosignatures",
    values: sigsumValues(file.proof_no_cosig),
    logKey: sshKey(file.no_cosig_log_key_ssh),
    submitKey: sshKey(file.no_cosig_submit_key_ssh),
  }, {
    name: "cosigned",
    values: sigsumValues(file.proof_cosigned),
    logKey: sshKey(file.cosigned_log_key_ssh),
    submitKey: sshKey(file.cosigned_submit_key_ssh),
  }];
}

/** A Sigsum log: origin and key name are the same, and hold the hash of its key. */
function sigsumLog(publicKey: Uint8Array): Log {
  const name = `sigsum.org/v1/tree/${hex(sha256(publicKey))}`;
  return parseLog(makeVkey({ name, type: SIGNATURE_TYPE.ed25519, publicKey }).text);
}

function sigsumHead({ values }: SigsumCase) {
  return {
    treeSize: BigInt(values.get("size")![0]!),
    rootHash: unhex(values.get("root_hash")![0]!),
    signature: unhex(values.get("signature")![0]!),
  };
}

vectorTest("openFrame: opens both Sigsum tree heads as checkpoints of their logs", () =>
  everyCase({
    cases: sigsumCases(),
    count: 2,
    name: ({ name }) => name,
    check(one) {
      const log = sigsumLog(one.logKey);
      assertEquals(log.origin, `sigsum.org/v1/tree/${one.values.get("log")![0]}`);
      const head = sigsumHead(one);
      const { note, treeSize, rootHash } = unframed(encodeFrame(head), log);
      assertEquals([treeSize, hex(rootHash)], [head.treeSize, hex(head.rootHash)]);
      assertEquals(parseNote(note).text, formatCheckpointText({ origin: log.origin, ...head }));
      assertSurvivesFrame(note, log);
    },
  }));

vectorTest("openFrame: refuses a Sigsum tree head under the other log's key", () => {
  const [first, second] = sigsumCases() as [SigsumCase, SigsumCase];
  const crossed = [
    openFrame({ frame: encodeFrame(sigsumHead(first)), logs: [sigsumLog(second.logKey)] }),
    openFrame({ frame: encodeFrame(sigsumHead(second)), logs: [sigsumLog(first.logKey)] }),
  ];
  assertEquals(crossed.map((one) => "refused" in one && one.refused), [
    "bad signature",
    "bad signature",
  ]);
});

/** The leaf of a Sigsum proof: message hash, signature on it, hash of the submitter's key. */
function sigsumLeaf({ values, submitKey }: SigsumCase, message: Uint8Array): Uint8Array {
  const [keyHash, signature] = values.get("leaf")![0]!.split(" ") as [string, string];
  assertEquals(keyHash, hex(sha256(submitKey)));
  return Uint8Array.of(...sha256(message), ...unhex(signature), ...unhex(keyHash));
}

vectorTest(
  "verifyInclusion: both Sigsum proofs include the leaf of their message",
  () =>
    everyCase({
      cases: sigsumCases(),
      count: 2,
      name: ({ name }) => name,
      check(one) {
        // The file says which message it is: 26 spaces and then "foo-4" with a newline.
        const leaf = sigsumLeaf(one, new TextEncoder().encode(" ".repeat(26) + "foo-4\n"));
        const proof = {
          leafHash: leafHash(leaf),
          index: BigInt(one.values.get("leaf_index")![0]!),
          tree: sigsumHead(one),
          proof: one.values.get("node_hash")!.map(unhex),
        };
        assert(verifyInclusion(proof));
        assert(!verifyInclusion({ ...proof, leafHash: leafHash(flipped(leaf, 0)) }));
      },
    }),
);
