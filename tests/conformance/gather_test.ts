/** What real caches and bundles hold. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { knownLogs } from "../../src/cli/known_logs.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import type { RejectionReason } from "../../src/gather/found.ts";
import { gather, type Piece } from "../../src/gather/gather.ts";
import { parseLog, parseLogs } from "../../src/tlog/log.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { sha256 } from "../../src/tlog/hashing.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { brief, readAll } from "../gather/reading.ts";
import {
  everyCase,
  hex,
  listFolder,
  listTree,
  readJson,
  readText,
  unbase64,
  vectorPath,
  vectorTest,
} from "./vectors.ts";

async function gathered(path: string, logs = knownLogs()): Promise<Piece[]> {
  const { files } = denoWorld();
  const pieces: Piece[] = [];
  const open = (path: string) => files.open(path, "read");
  for await (const piece of gather({ files, logs, paths: [vectorPath(path)], open })) {
    pieces.push(piece);
  }
  return pieces;
}

vectorTest(
  "gather: every head of a real Go cache is read and proven from cached tiles",
  async () => {
    const pieces = await gathered("artefacts/go-cache");
    const found = pieces.filter((piece) => piece.kind === "found");
    const kinds = found.map(({ found: { kind, what } }) => `${kind} in ${what}`);
    const count = (text: string): number => kinds.filter((kind) => kind === text).length;
    assertEquals(count("checkpoint in Go lookups"), countFiles("artefacts/go-cache", "/lookup/"));
    assertEquals(count("checkpoint in signed notes"), 1);
    assertEquals(found.filter(({ found: { kind } }) => kind === "rejected"), []);
    const [compared, ...others] = pieces.filter((piece) => piece.kind === "compared");
    assertEquals(others, []);
    assertEquals(compared!.joined, compared!.heads);
    // A stranger who trusts nothing but the key follows the same proofs to the same end.
    const detector = new EquivocationDetector();
    const sizes = new Set<bigint>();
    for (const { found: one } of found) {
      if (one.kind !== "checkpoint") continue;
      for (const checkpoint of one.checkpoints) {
        detector.observe(checkpoint, one.source);
        sizes.add(checkpoint.treeSize);
      }
    }
    assertEquals(sizes.size, compared!.heads);
    const verdicts = found.flatMap(({ found: one }) =>
      one.kind === "proof" ? [detector.observeProof(one.read()).verdict] : []
    );
    assertEquals(verdicts, Array(sizes.size - 1).fill("consistent"));
    assertEquals(detector.conflicts(), []);
  },
);

/** How many files below a folder have this in their path. */
function countFiles(path: string, part: string): number {
  return listTree(path).filter((file) => file.includes(part)).length;
}

/**
 * What each bundle's checkpoint deserves, and why. The upstream's verdict on a whole bundle is in its
 * name. Of those that must fail, two have a valid checkpoint, which their inclusion proof does not lead
 * to; one has a checkpoint of a host that is no log's; one is no JSON.
 */
const BUNDLES: Readonly<Record<string, readonly (RejectionReason | `${bigint}`)[]>> = {
  "bundle-malformed-json_fail": ["malformed"],
  "checkpoint-wrong-roothash_fail": ["75610772", "failed inclusion"],
  "happy-path-intoto-in-dsse-v3": ["33786589"],
  "happy-path-v0.1": ["23083062"],
  "happy-path-v0.2": ["23083062"],
  "happy-path-v0.3": ["75408393"],
  "inclusion-proof-corrupted-hash_fail": ["75408393", "failed inclusion"],
  "rekor2-checkpoint-cosigned": ["736"],
  "rekor2-checkpoint-no-matching-signature_fail": ["unknown log"],
  "rekor2-checkpoint-origin-not-first": ["736"],
  "rekor2-happy-path": ["736"],
};

vectorTest("read: every Sigstore bundle is judged as its checkpoint deserves", () =>
  everyCase({
    cases: listFolder("artefacts/sigstore"),
    count: 11,
    name: (name) => name,
    async check(name) {
      const text = readText(`artefacts/sigstore/${name}`);
      const { found, isKnown } = await readAll(text, { logs: knownLogs() });
      const wanted = BUNDLES[name.replace(/\.sigstore\.json$/, "")];
      assertEquals([brief(found), isKnown], [[...wanted!], true]);
    },
  }));

interface RekorFile {
  readonly keys: readonly { spki_b64: string; base_url: string; details?: string }[];
  readonly entries: readonly {
    readonly case: string;
    readonly inclusion_index: string;
    readonly tree_size: string;
    readonly root: string;
    readonly hashes: readonly string[];
    readonly body: string;
    readonly checkpoint: string;
    readonly inclusion_proof_verifies: boolean;
    readonly checkpoint_states_same_size_and_root: boolean | null;
  }[];
}

vectorTest("read: all 38 Rekor entries of the conformance suite, as bundles", () => {
  const { entries } = readJson<RekorFile>("logs/rekor_v1_conformance.json");
  const known = knownLogs();
  return everyCase({
    cases: entries,
    count: 38,
    name: (entry) => entry.case,
    async check(entry) {
      const bundle = {
        mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
        verificationMaterial: {
          tlogEntries: [{
            inclusionProof: {
              logIndex: entry.inclusion_index,
              ...{ treeSize: entry.tree_size, rootHash: entry.root, hashes: entry.hashes },
              checkpoint: { envelope: entry.checkpoint },
            },
            canonicalizedBody: entry.body,
          }],
        },
      };
      const { found } = await readAll(JSON.stringify(bundle), { logs: known });
      const [first, ...more] = brief(found);
      if (entry.checkpoint === "") return assertEquals([first, ...more], ["no checkpoint"]);
      const [origin, size] = entry.checkpoint.split("\n");
      // Two fail for the log's reasons: a line under another key id, and a wrong signature.
      if (entry.case === "invalid-checkpoint-signature_fail") {
        return assertEquals([first, ...more], ["bad signature"]);
      }
      const isKnown = known.some((log) => log.origin === origin);
      if (!isKnown || entry.case === "checkpoint-bad-keyhint_fail") {
        return assertEquals([first, ...more], ["unknown log"]);
      }
      const follows = entry.inclusion_proof_verifies &&
        entry.checkpoint_states_same_size_and_root;
      assertEquals([first, ...more], [size, ...(follows ? [] : ["failed inclusion"])]);
    },
  });
});

interface SigsumFile {
  readonly proof_no_cosig: string;
  readonly no_cosig_log_key_ssh: string;
  readonly proof_cosigned: string;
  readonly cosigned_log_key_ssh: string;
}

/** The log of a key in SSH's wire form. */
function sigsumLog(ssh: string) {
  const publicKey = unbase64(ssh).slice(-32);
  const name = `sigsum.org/v1/tree/${hex(sha256(publicKey))}`;
  return parseLog(makeVkey({ name, type: SIGNATURE_TYPE.ed25519, publicKey }).text);
}

vectorTest("read: both Sigsum proofs, and both in the form of version 1", async () => {
  const file = readJson<SigsumFile>("logs/sigsum_go_proofs.json");
  const logs = [file.no_cosig_log_key_ssh, file.cosigned_log_key_ssh].map(sigsumLog);
  for (const proof of [file.proof_no_cosig, file.proof_cosigned]) {
    for (const text of [proof, proof.replace("version=2", "version=1")]) {
      const { found } = await readAll(text, { logs });
      assertEquals([brief(found), found[0]!.what], [["4"], "Sigsum proofs"]);
    }
    assertEquals(brief((await readAll(proof, { logs: [] })).found), ["unknown log"]);
    const spoilt: [string, string][] = [
      [proof.replace("version=2", "version=3"), "malformed"],
      [proof.replace("size=4", "size=04"), "malformed"],
      [proof.replace("size=4", "size=5"), "bad signature"],
      [proof.replace(/root_hash=./, "root_hash=Z"), "malformed"],
      [proof.replace(/signature=.*/, ""), "malformed"],
      [proof.replace("size=4\n", "size=4\nsize=4\n"), "malformed"],
    ];
    for (const [text, reason] of spoilt) {
      assertEquals(brief((await readAll(text, { logs })).found), [reason], text);
    }
  }
});

interface FormatsFile {
  readonly rfc6962_sth_to_checkpoint: { readonly sth: unknown; readonly vkey: string };
  readonly tlog_proof_bad: readonly string[];
}

vectorTest("read: a published get-sth answer is its log's, told by the key", async () => {
  const { rfc6962_sth_to_checkpoint: { sth, vkey } } = readJson<FormatsFile>(
    "notes/transparency_dev_formats.json",
  );
  const logs = parseLogs([vkey]);
  const { found } = await readAll(JSON.stringify(sth), { logs });
  assertEquals([brief(found), found[0]!.what], [["1267285836"], "RFC 6962 tree heads"]);
  assertEquals(brief((await readAll(JSON.stringify(sth), { logs: knownLogs() })).found), [
    "1267285836",
  ]);
  const head = sth as Record<string, unknown>;
  const spoilt: [object, string][] = [
    [{ ...head, tree_size: 1 }, "unknown log"],
    [{ ...head, timestamp: 1 }, "unknown log"],
    [{ ...head, tree_size: -1 }, "malformed"],
    [{ ...head, tree_size: "1" }, "malformed"],
    [{ ...head, sha256_root_hash: "AA==" }, "malformed"],
    [{ ...head, tree_head_signature: "x" }, "malformed"],
  ];
  for (const [object, reason] of spoilt) {
    assertEquals(brief((await readAll(JSON.stringify(object), { logs })).found), [reason]);
  }
});

vectorTest("read: no bad tlog-proof of the published ones gives a checkpoint", async () => {
  const { tlog_proof_bad: bad } = readJson<FormatsFile>("notes/transparency_dev_formats.json");
  for (const text of bad) {
    const { found } = await readAll(text, { logs: knownLogs(), isNamed: true });
    assertEquals(brief(found), ["malformed"], text);
  }
});

vectorTest(
  "read: a checkpoint with cosignatures of seven witnesses, and one with grease",
  async () => {
    const mkv = "markovianprotocol.com/log+0302c6c8+ATkpOWo95UuEiW2EhNZAol4f0CS8hMluJfPcTSzrr03v";
    const note = readText("cosignatures/markovian-1387.note");
    assertEquals(brief((await readAll(note, { logs: parseLogs([mkv]) })).found), ["1387"]);
    const greasy = readText("cosignatures/tuscolo2026h2-207536013.note");
    const { found } = await readAll(greasy, { logs: knownLogs() });
    assertEquals(brief(found), ["unknown log"]);
    assertStringIncludes(JSON.stringify(found), "tuscolo2026h2");
  },
);
