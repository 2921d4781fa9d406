/** What real logs have signed and proven: Go's checksum database, Tessera, Rekor and Sigsum. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  formatCheckpointText,
  openCheckpoint,
  openFrame,
  parseCheckpointText,
  type VerifiedCheckpoint,
} from "../../src/tlog/checkpoint.ts";
import { encodeFrame, FRAME_BYTES } from "../../src/tlog/frame.ts";
import { leafHash, sha256 } from "../../src/tlog/hashing.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { parseNote } from "../../src/tlog/note.ts";
import { impliedOlderRoot, verifyConsistency, verifyInclusion } from "../../src/tlog/proof.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { makeVkey, parseVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import {
  SUMDB_ORIGIN,
  SUMDB_VKEY,
  sumdbHeads,
  sumdbNote,
  TESSERA,
  TESSERA_SIZES,
  tesseraLog,
  tesseraNotes,
} from "./real_logs.ts";
import {
  everyCase,
  flipped,
  hex,
  readBytes,
  readJson,
  readJsonLines,
  readText,
  unbase64,
  unhex,
  vectorTest,
} from "./vectors.ts";

/** The one checkpoint a note opens as, under one log. */
function opened(note: string, log: Log): VerifiedCheckpoint {
  const result = openCheckpoint({ note, logs: [log] });
  if ("refused" in result) throw new Error(`${result.refused}: ${result.detail}`);
  assertEquals(result.length, 1);
  return result[0]!;
}

/** The checkpoint a frame opens as, under one log. */
function unframed(frame: Uint8Array, log: Log): VerifiedCheckpoint {
  const result = openFrame({ frame, logs: [log] });
  if ("refused" in result) throw new Error(`${result.refused}: ${result.detail}`);
  return result;
}

/** The bytes of a frame as DESIGN states them, put together without our encoder. */
function frameBytes(
  { size, root, signature }: { size: bigint; root: Uint8Array; signature: Uint8Array },
): string {
  return size.toString(16).padStart(16, "0") + hex(root) + hex(signature);
}

/** That a note becomes a frame and the same note again; no other origin takes the frame. */
function assertSurvivesFrame(note: string, log: Log): void {
  const checkpoint = opened(note, log);
  assertEquals(checkpoint.note, note);
  assert(checkpoint.fitsFrame);
  assertEquals(checkpoint.frame.length, FRAME_BYTES);
  const back = unframed(checkpoint.frame, log);
  assertEquals(hex(new TextEncoder().encode(back.note)), hex(new TextEncoder().encode(note)));
  assertEquals(hex(back.frame), hex(checkpoint.frame));
  const elsewhere = parseLog(`${log.vkey.text} ${log.origin}2`);
  const refused = openFrame({ frame: checkpoint.frame, logs: [elsewhere] });
  assert("refused" in refused);
  assertEquals(refused.refused, "bad signature");
}

vectorTest("openCheckpoint: opens all 34 heads of sum.golang.org as what they state", () => {
  const log = parseLog(`${SUMDB_VKEY} ${SUMDB_ORIGIN}`);
  return everyCase({
    cases: sumdbHeads(),
    count: 28 + 6,
    name: ({ size }) => `size ${size}`,
    check(head) {
      const checkpoint = opened(sumdbNote(head), log);
      assertEquals(checkpoint.treeSize, BigInt(head.size));
      assertEquals(hex(checkpoint.rootHash), hex(unbase64(head.root)));
      assertEquals(hex(checkpoint.signature), hex(unbase64(head.sig)));
    },
  });
});

vectorTest(
  "openFrame: all 34 heads go from note to frame to the same note, one origin only",
  () => {
    const log = parseLog(`${SUMDB_VKEY} ${SUMDB_ORIGIN}`);
    return everyCase({
      cases: sumdbHeads(),
      count: 28 + 6,
      name: ({ size }) => `size ${size}`,
      check(head) {
        const { size, root, sig } = head;
        const note = sumdbNote(head);
        assertSurvivesFrame(note, log);
        assertEquals(
          hex(opened(note, log).frame),
          frameBytes({ size: BigInt(size), root: unbase64(root), signature: unbase64(sig) }),
        );
      },
    });
  },
);

vectorTest("openCheckpoint: refuses all 34 heads with one bit of size, root or signature", () => {
  const log = parseLog(`${SUMDB_VKEY} ${SUMDB_ORIGIN}`);
  return everyCase({
    cases: sumdbHeads().entries(),
    count: 28 + 6,
    name: ([, { size }]) => `size ${size}`,
    check([i, head]) {
      const changed = [
        { ...head, size: head.size ^ 1 },
        { ...head, root: flipped(unbase64(head.root), i).toBase64() },
        { ...head, sig: flipped(unbase64(head.sig), i).toBase64() },
      ];
      for (const one of changed) {
        const result = openCheckpoint({ note: sumdbNote(one), logs: [log] });
        assert("refused" in result);
        assertEquals(result.refused, "bad signature");
      }
    },
  });
});

/** The same bytes in base64 with a pad bit set, which Go's decoder takes for the same. */
function respelled(base64: string): string {
  const match = /^(.*)(.)=$/.exec(base64)!; // One "=": the last character has two spare bits.
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const other = `${match[1]}${alphabet[alphabet.indexOf(match[2]!) | 1]}=`;
  assertEquals(hex(unbase64(other)), hex(unbase64(base64)));
  return other;
}

vectorTest("openCheckpoint: refuses all 34 heads with root or signature in other base64", () => {
  const log = parseLog(`${SUMDB_VKEY} ${SUMDB_ORIGIN}`);
  return everyCase({
    cases: sumdbHeads(),
    count: 28 + 6,
    name: ({ size }) => `size ${size}`,
    check(head) {
      const note = sumdbNote(head);
      const signature = note.trimEnd().split(" ").at(-1)!;
      const refusals = [head.root, signature].map((base64) => {
        const result = openCheckpoint({
          note: note.replace(base64, respelled(base64)),
          logs: [log],
        });
        return "refused" in result && result.refused;
      });
      // A signature line in such a spelling is none we know, so nobody has signed the note.
      assertEquals(refusals, ["malformed", "unknown log"]);
    },
  });
});

vectorTest("openCheckpoint: refuses a head whose log is configured for another origin", () => {
  const log = parseLog(SUMDB_VKEY); // Whose origin is then sum.golang.org.
  return everyCase({
    cases: sumdbHeads(),
    count: 28 + 6,
    name: ({ size }) => `size ${size}`,
    check(head) {
      const result = openCheckpoint({ note: sumdbNote(head), logs: [log] });
      assert("refused" in result);
      assertEquals(result.refused, "unknown log");
    },
  });
});

interface SumdbConsistency {
  readonly size1: number;
  readonly size2: number;
  readonly root1: string;
  readonly root2: string;
  readonly proof: readonly string[];
}

function sumdbConsistency() {
  return readJsonLines<SumdbConsistency>("logs/sumdb/consistency.jsonl").map((row) => ({
    older: { treeSize: BigInt(row.size1), rootHash: unbase64(row.root1) },
    newer: { treeSize: BigInt(row.size2), rootHash: unbase64(row.root2) },
    proof: row.proof.map(unbase64),
  }));
}

/** Every proof that differs from this one in one bit of one hash: one for each hash. */
function withOneBit(proof: readonly Uint8Array[]): Uint8Array[][] {
  return proof.map((hash, i) => proof.with(i, flipped(hash, i)));
}

vectorTest(
  "verifyConsistency: holds for all 150 proofs between heads of sum.golang.org",
  () =>
    everyCase({
      cases: sumdbConsistency(),
      count: 150,
      name: ({ older, newer }) => `${older.treeSize} to ${newer.treeSize}`,
      check: (one) => assert(verifyConsistency(one)),
    }),
);

vectorTest(
  "verifyConsistency: fails with one bit of any of the 2,850 hashes changed",
  () =>
    everyCase({
      cases: sumdbConsistency().flatMap((one) =>
        withOneBit(one.proof).map((proof) => ({ ...one, proof }))
      ),
      count: 2850,
      name: ({ older, newer }) => `${older.treeSize} to ${newer.treeSize}`,
      check(one) {
        assert(!verifyConsistency(one));
        // Every hash is on the way to the newer root, so such a proof implies nothing at all.
        assertEquals(impliedOlderRoot(one), undefined);
      },
    }),
);

vectorTest(
  "impliedOlderRoot: is root1 for all 150 proofs, whatever older root is claimed",
  () =>
    everyCase({
      cases: sumdbConsistency(),
      count: 150,
      name: ({ older, newer }) => `${older.treeSize} to ${newer.treeSize}`,
      check({ older, newer, proof }) {
        const claimed = { ...older, rootHash: new Uint8Array(32) };
        assertEquals(hex(impliedOlderRoot({ older: claimed, newer, proof })!), hex(older.rootHash));
        assert(!verifyConsistency({ older: claimed, newer, proof }));
      },
    }),
);

vectorTest("verifyConsistency: the 150 proofs lead between heads that the log signed", () => {
  const signed = new Set(sumdbHeads().map(({ size, root }) => `${size} ${root}`));
  return everyCase({
    cases: sumdbConsistency(),
    count: 150,
    name: ({ older, newer }) => `${older.treeSize} to ${newer.treeSize}`,
    check({ older, newer }) {
      for (const { treeSize, rootHash } of [older, newer]) {
        assert(signed.has(`${treeSize} ${rootHash.toBase64()}`));
      }
    },
  });
});

interface SumdbInclusion {
  readonly index: number;
  readonly size: number;
  readonly root: string;
  readonly leaf_hash: string;
  readonly proof: readonly string[];
}

function sumdbInclusion() {
  return readJsonLines<SumdbInclusion>("logs/sumdb/inclusion.jsonl").map((row) => ({
    leafHash: unbase64(row.leaf_hash),
    index: BigInt(row.index),
    tree: { treeSize: BigInt(row.size), rootHash: unbase64(row.root) },
    proof: row.proof.map(unbase64),
  }));
}

vectorTest("verifyInclusion: holds for all 77 proofs of sum.golang.org and their records", () => {
  const records = new Map(
    readJsonLines<{ index: number; text: string }>("logs/sumdb/records.jsonl")
      .map(({ index, text }) => [BigInt(index), text]),
  );
  assertEquals(records.size, 68);
  return everyCase({
    cases: sumdbInclusion(),
    count: 77,
    name: ({ index, tree }) => `${index} in ${tree.treeSize}`,
    check(one) {
      assert(verifyInclusion(one));
      const text = records.get(one.index)!;
      assertEquals(hex(leafHash(new TextEncoder().encode(text))), hex(one.leafHash));
    },
  });
});

vectorTest(
  "verifyInclusion: fails with one bit of any of the 1,682 hashes changed",
  () =>
    everyCase({
      cases: sumdbInclusion().flatMap((one) =>
        withOneBit(one.proof).map((proof) => ({ ...one, proof }))
      ),
      count: 1682,
      name: ({ index, tree }) => `${index} in ${tree.treeSize}`,
      check: (one) => assert(!verifyInclusion(one)),
    }),
);

vectorTest("verifyInclusion: fails for all 77 with another index or leaf hash", () =>
  everyCase({
    cases: sumdbInclusion(),
    count: 77,
    name: ({ index, tree }) => `${index} in ${tree.treeSize}`,
    check(one) {
      assert(!verifyInclusion({ ...one, index: one.index ^ 1n }));
      assert(!verifyInclusion({ ...one, leafHash: flipped(one.leafHash, 0) }));
    },
  }));

/** The entries of a bundle: each its length as uint16, big-endian, then its bytes. */
function entriesOf(bundle: Uint8Array): Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bundle.length;) {
    const end = at + 2 + (bundle[at]! << 8 | bundle[at + 1]!);
    assert(end <= bundle.length, "the bundle ends within an entry");
    entries.push(bundle.slice(at + 2, end));
    at = end;
  }
  return entries;
}

/** The entries of the partial bundle of this width; there is none of width 0. */
function tesseraEntries(width: number): Uint8Array[] {
  return width === 0 ? [] : entriesOf(readBytes(`${TESSERA}/tile/entries/000.p/${width}`));
}

function treeOf(entries: readonly Uint8Array[]): Tree {
  const tree = new Tree();
  for (const entry of entries) tree.append(leafHash(entry));
  return tree;
}

vectorTest(
  "openCheckpoint: opens all 17 checkpoints of a Tessera log, which survive a frame",
  () =>
    everyCase({
      cases: tesseraNotes(),
      count: 17,
      name: ({ name }) => name,
      check({ note, size }) {
        const log = tesseraLog();
        assertEquals(opened(note, log).treeSize, BigInt(size));
        assertSurvivesFrame(note, log);
      },
    }),
);

vectorTest("Tree: has the roots of all 17 Tessera checkpoints, from the entry bundles", () => {
  const log = tesseraLog();
  const whole = treeOf(tesseraEntries(15));
  return everyCase({
    cases: tesseraNotes(),
    count: 17,
    name: ({ name }) => name,
    check({ note, size }) {
      const { rootHash, treeSize } = opened(note, log);
      const entries = tesseraEntries(size);
      assertEquals(entries.length, size);
      assertEquals(hex(treeOf(entries).root()), hex(rootHash));
      assertEquals(hex(whole.root(treeSize)), hex(rootHash));
    },
  });
});

vectorTest("leafHash: is what the 15 partial tiles of the Tessera log hold", () =>
  everyCase({
    cases: TESSERA_SIZES.slice(1),
    count: 15,
    name: (width) => `tile/0/000.p/${width}`,
    check: (width) =>
      assertEquals(
        tesseraEntries(width).map((entry) => hex(leafHash(entry))).join(""),
        hex(readBytes(`${TESSERA}/tile/0/000.p/${width}`)),
      ),
  }));

vectorTest(
  "Tree: its consistency proofs hold between any two of the 16 Tessera checkpoints",
  () => {
    const tree = treeOf(tesseraEntries(15));
    const log = tesseraLog();
    const heads = tesseraNotes().slice(0, 16).map(({ note }) => opened(note, log));
    return everyCase({
      cases: heads.flatMap((newer, i) => heads.slice(0, i + 1).map((older) => ({ older, newer }))),
      count: 16 * 17 / 2,
      name: ({ older, newer }) => `${older.treeSize} to ${newer.treeSize}`,
      check({ older, newer }) {
        const sizes = { older: older.treeSize, newer: newer.treeSize };
        assert(verifyConsistency({ older, newer, proof: tree.consistencyProof(sizes) }));
      },
    });
  },
);

interface RekorEntry {
  readonly case: string;
  readonly log_id: string;
  readonly inclusion_index: string;
  readonly tree_size: string;
  readonly root: string;
  readonly hashes: readonly string[];
  readonly body: string;
  readonly checkpoint: string;
  readonly inclusion_proof_verifies: boolean;
  readonly checkpoint_states_same_size_and_root: boolean | null;
}

interface RekorFile {
  readonly keys: readonly { spki_b64: string; log_id?: string; details?: string }[];
  readonly entries: readonly RekorEntry[];
}

function rekor(): RekorFile {
  return readJson("logs/rekor_v1_conformance.json");
}

vectorTest(
  "verifyInclusion: gives the verdict on all 38 Rekor entries, good and broken",
  () =>
    everyCase({
      cases: rekor().entries,
      count: 38,
      name: (entry) => entry.case,
      check: (entry) =>
        assertEquals(
          verifyInclusion({
            leafHash: leafHash(unbase64(entry.body)),
            index: BigInt(entry.inclusion_index),
            tree: { treeSize: BigInt(entry.tree_size), rootHash: unbase64(entry.root) },
            proof: entry.hashes.map(unbase64),
          }),
          entry.inclusion_proof_verifies,
        ),
    }),
);

vectorTest(
  "parseCheckpointText: reads all 35 Rekor checkpoints, with the size and root stated",
  () =>
    everyCase({
      cases: rekor().entries.filter(({ checkpoint }) => checkpoint !== ""),
      count: 35,
      name: (entry) => entry.case,
      check(entry) {
        const { treeSize, rootHash } = parseCheckpointText(parseNote(entry.checkpoint).text);
        const same = `${treeSize}` === entry.tree_size &&
          hex(rootHash) === hex(unbase64(entry.root));
        assertEquals(same, entry.checkpoint_states_same_size_and_root);
      },
    }),
);

vectorTest("parseNote: refuses the 3 Rekor entries that have no checkpoint", () =>
  everyCase({
    cases: rekor().entries.filter((entry) => entry.checkpoint_states_same_size_and_root === null),
    count: 3,
    name: (entry) => entry.case,
    check: (entry) => {
      assertThrows(() => parseNote(entry.checkpoint), MalformedError);
    },
  }));

const SPKI_ED25519_PREFIX = "302a300506032b6570032100"; // RFC 8410 section 4.

/** The public key with this log id, if it is an Ed25519 one. */
function rekorEd25519Key(logId: string): Uint8Array | undefined {
  const key = rekor().keys.find(({ log_id }) => log_id === logId);
  if (key?.details !== "PKIX_ED25519") return undefined;
  const spki = hex(unbase64(key.spki_b64));
  assert(spki.startsWith(SPKI_ED25519_PREFIX));
  return unhex(spki.slice(SPKI_ED25519_PREFIX.length));
}

vectorTest("openCheckpoint: opens the one Rekor checkpoint signed with Ed25519", () =>
  everyCase({
    // PROVENANCE counts 27 of Rekor v2; the file has this one, which a local Rekor v2 made.
    cases: rekor().entries.filter(({ log_id }) => rekorEd25519Key(log_id) !== undefined),
    count: 1,
    name: (entry) => entry.case,
    check({ checkpoint, log_id, tree_size, root }) {
      const publicKey = rekorEd25519Key(log_id)!;
      const name = "rekor-local";
      const log = parseLog(makeVkey({ name, type: SIGNATURE_TYPE.ed25519, publicKey }).text);
      // Rekor v2's log ids begin with the C2SP key id.
      assertEquals(
        log.vkey.keyId,
        new DataView(unbase64(log_id).buffer).getUint32(0),
      );
      const { treeSize, rootHash } = opened(checkpoint, log);
      assertEquals(`${treeSize}`, tree_size);
      assertEquals(hex(rootHash), hex(unbase64(root)));
      assertSurvivesFrame(checkpoint, log);
    },
  }));

/** The 34 entries with a checkpoint of Rekor v1, and the SPKI of the log they were logged in. */
function rekorEcdsaEntries(): (RekorEntry & { spki: Uint8Array })[] {
  const { keys, entries } = rekor();
  return entries.filter(({ checkpoint, log_id }) =>
    checkpoint !== "" && rekorEd25519Key(log_id) === undefined
  ).map((entry) => {
    const key = keys.find(({ log_id }) => log_id === entry.log_id)!;
    assertEquals(key.details, "PKIX_ECDSA_P256_SHA_256");
    return { ...entry, spki: unbase64(key.spki_b64) };
  });
}

/** The log that an entry's checkpoint says it is of, under the key of the log it was logged in. */
function rekorLog({ checkpoint, spki }: { checkpoint: string; spki: Uint8Array }): Log {
  const name = checkpoint.split("\n— ")[1]!.split(" ")[0]!;
  const vkey = makeVkey({ name, type: SIGNATURE_TYPE.ecdsa, publicKey: spki });
  return parseLog(`${vkey.text} ${checkpoint.split("\n")[0]}`);
}

vectorTest("openCheckpoint: gives the verdict on the 34 ECDSA checkpoints of Rekor v1", () => {
  // Upstream spoilt the signature lines of two.
  const refusals: Record<string, string> = {
    "checkpoint-bad-keyhint_fail": "unknown log",
    "invalid-checkpoint-signature_fail": "bad signature",
  };
  return everyCase({
    cases: rekorEcdsaEntries(),
    count: 34,
    name: (entry) => entry.case,
    check(entry) {
      const log = rekorLog(entry);
      const result = openCheckpoint({ note: entry.checkpoint, logs: [log] });
      assertEquals("refused" in result ? result.refused : undefined, refusals[entry.case]);
      if ("refused" in result) return;
      const [checkpoint] = result;
      assertEquals(checkpoint!.fitsFrame, false);
      assertEquals(checkpoint!.note, entry.checkpoint);
      const same = `${checkpoint!.treeSize}` === entry.tree_size && checkpoint!.root === entry.root;
      assertEquals(same, entry.checkpoint_states_same_size_and_root);
    },
  });
});

vectorTest(
  "openCheckpoint: no ECDSA checkpoint of Rekor survives one bit of its text",
  () =>
    everyCase({
      cases: rekorEcdsaEntries(),
      count: 34,
      name: (entry) => entry.case,
      check(entry) {
        const { text } = parseNote(entry.checkpoint);
        const log = rekorLog(entry);
        // The last character of the text, a digit of the timestamp where there is one.
        const note = text.slice(0, -2) + (text.at(-2) === "7" ? "8" : "7") + "\n" +
          entry.checkpoint.slice(text.length);
        assert("refused" in openCheckpoint({ note, logs: [log] }));
      },
    }),
);

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

vectorTest(
  "parseVkey: reads the vkey of sum.golang.org, of which the name is not the origin",
  () => {
    const vkey = parseVkey(SUMDB_VKEY);
    assertEquals([vkey.name, vkey.keyId, vkey.type], ["sum.golang.org", 0x033de0ae, 1]);
    assert(readText("logs/sumdb/README").includes(SUMDB_VKEY));
    assert(readText("logs/sumdb/README").includes(`"${SUMDB_ORIGIN}" - NOT equal to the key name`));
  },
);
