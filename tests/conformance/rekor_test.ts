/** What Rekor v1 has signed and proven, and broken entries of its conformance suite. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { openCheckpoint, parseCheckpointText } from "../../src/tlog/checkpoint.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { parseNote } from "../../src/tlog/note.ts";
import { verifyInclusion } from "../../src/tlog/proof.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { assertSurvivesFrame, opened } from "./opening.ts";
import { everyCase, hex, readJson, unbase64, unhex, vectorTest } from "./vectors.ts";

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
