/**
 * The readers of what other programs leave: caches, bundles, proofs, reports. Whatever is changed in
 * them, only what a log has signed comes out, and nothing convicts a log that has told one story.
 *
 * @module
 */
import { equals } from "@std/bytes/equals";
import { encodeHex } from "@std/encoding/hex";
import fc from "fast-check";
import { EquivocationDetector } from "../../../src/evidence/detector.ts";
import { buildRecord, formatRecord } from "../../../src/evidence/record.ts";
import { verifyConflict } from "../../../src/evidence/verify.ts";
import { CachedHeads } from "../../../src/gather/cached_heads.ts";
import { JSON_KINDS, TEXT_KINDS } from "../../../src/gather/kinds.ts";
import { readGathered } from "../../../src/gather/read.ts";
import type { VerifiedCheckpoint } from "../../../src/tlog/checkpoint.ts";
import { base64, utf8 } from "../../../src/tlog/encoding.ts";
import { sha256, subtreeRoot } from "../../../src/tlog/hashing.ts";
import { makeLog, parseLog } from "../../../src/tlog/log.ts";
import { MalformedError } from "../../../src/tlog/malformed.ts";
import { parseNote } from "../../../src/tlog/note.ts";
import { sumdbTilePath } from "../../../src/tlog/tiles.ts";
import { FakeFiles } from "../../gossip/fake_files.ts";
import { fileOf } from "../../world/helpers.ts";
import { bytes, textBytes } from "./inputs.ts";
import { insist, parser, type ParserUnderTest } from "./parser.ts";
import { AT, FORK_AT, FORK_SIZE, isGenuine, LEAVES, type Stage } from "./stage.ts";

/** A tree head of ct.googleapis.com/logs/us1/argon2024, as transparency-dev/formats publishes it. */
const ARGON = parseLog(
  "ct.googleapis.com/logs/us1/argon2024+7deb49d0+BTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABB25bKnLaZTFXOa2pgO70rjcVEMXKJkMBgFQHZ1kwFlGK9zIAx0FtC2oCfeZQe0E++VXuiYE9hFSzhRlOy92K8A=",
);
const ARGON_HEAD = {
  tree_size: 1267285836,
  timestamp: 1711642477482,
  sha256_root_hash: "SHySaYoaGIV5oCMANTytRfUjfzXb7wvO9xQiGkDJlfQ=",
  tree_head_signature:
    "BAMARzBFAiAQWbsL/MbJdeR4jk8xYKWDBDGHyDcntBim9Jr1BvwPnAIhAMedQo0YuBo+ajNd9xyVOMvhOdVAeJYgOhBLQn8rca94",
};

/** Longest file: each line of one may be judged. */
const MAX_ARTEFACT_BYTES = 64 * 1024;
/** A line of go.sum. */
const RECORD = "m.invalid/a v1.0.0 h1:NSZPykBXJFCetGZykLAxaL6SIpvbVy/UFEniIfHAa8A=\n";

/** One artefact of each kind, by the name of its kind. */
function samplesOf(stage: Stage): Record<string, string[]> {
  const { honest, tree, checkpoints, records } = stage;
  const [note, older] = [checkpoints[7]!.note, checkpoints[4]!.note];
  const treeSize = BigInt(LEAVES);
  const path = tree.inclusionProof({ index: 7n, treeSize });
  const body = base64(utf8(" entry 7"));
  const proof = {
    ...{ logIndex: "7", treeSize: `${LEAVES}`, rootHash: base64(tree.root()) },
    ...{ hashes: path.map(base64), checkpoint: { envelope: note } },
  };
  const bundle = {
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: { tlogEntries: [{ inclusionProof: proof, canonicalizedBody: body }] },
  };
  const inHex = {
    ...{ logIndex: 7, treeSize: LEAVES, rootHash: encodeHex(tree.root()), checkpoint: note },
    hashes: path.map(encodeHex),
  };
  const entry = { body, verification: { inclusionProof: inHex } };
  const tab = (text: string): string => text.replaceAll("\n", "\n\t");
  const fork = [
    "go: SECURITY ERROR\ngo.sum database server misbehavior detected!\n",
    `old database:\n\t${tab(checkpoints[8]!.note)}`,
    `new database:\n\t${tab(note)}`,
    `proof of misbehavior:\n\t${base64(honest.root(BigInt(FORK_SIZE)))}`,
    ...honest.consistencyProof({ older: BigInt(FORK_SIZE), newer: treeSize })
      .map((hash) => `\t${base64(hash)}`),
  ].join("\n");
  return {
    "Go lookups": [`7\n${RECORD}\n${note}`, `0\n${RECORD}${RECORD}\n${older}`],
    "tlog-proofs": [`c2sp.org/tlog-proof@v1\nindex 7\n${path.map(base64).join("\n")}\n\n${note}`],
    "Sigsum proofs": [sigsumProofOf(stage)],
    "signed notes": [note, older],
    "reports of go": [fork],
    "gathered lines": [JSON.stringify({ note, source: "lima" })],
    "records and journal entries": records.map(formatRecord),
    "Sigstore bundles": [JSON.stringify(bundle), JSON.stringify(bundle, null, 2)],
    "Rekor entries": [JSON.stringify({ ["ab".repeat(40)]: entry })],
    "RFC 6962 tree heads": [JSON.stringify(ARGON_HEAD)],
  };
}

/** A proof of a Sigsum log whose key is that of the stage's log. */
function sigsumProofOf({ hand, honest }: Stage): string {
  const log = sigsumLogOf({ hand });
  const root = honest.root(BigInt(FORK_AT));
  const signed = hand.sign(utf8(`${log.origin}\n${FORK_AT}\n${base64(root)}\n`));
  return `version=2\nlog=${log.origin.slice(-64)}\nleaf=${"0".repeat(64)} ${"0".repeat(128)}\n\n` +
    `size=${FORK_AT}\nroot_hash=${encodeHex(root)}\nsignature=${
      encodeHex(signed)
    }\n\nleaf_index=0\n`;
}

function sigsumLogOf({ hand }: Pick<Stage, "hand">) {
  const { vkey } = hand;
  return makeLog({ vkey, origin: `sigsum.org/v1/tree/${encodeHex(sha256(vkey.publicKey))}` });
}

/** The readers of artefacts, each fed with its own kind and the others. */
export function artefacts(stage: Stage): ParserUnderTest[] {
  const samples = samplesOf(stage);
  const kinds = [...TEXT_KINDS, ...JSON_KINDS].map(({ name }) => name);
  insist(kinds.every((name) => samples[name] !== undefined), "each kind has a sample");
  const all = Object.values(samples).flat();
  return [
    ...kinds.map((name) => {
      const own = samples[name]!.map((text) => utf8(text));
      return parser<Uint8Array>({
        name: `files: ${name}`,
        valid: own,
        share: 8,
        inputs: fc.oneof(bytes(own), textBytes([...samples[name]!, ...all]))
          .map((content) => content.subarray(0, MAX_ARTEFACT_BYTES)),
        feed: (text) => utf8(text).subarray(0, MAX_ARTEFACT_BYTES),
        run: (content) => readArtefact(stage, content),
      });
    }),
    cachedTiles(stage),
  ];
}

async function readArtefact(stage: Stage, content: Uint8Array): Promise<"accepted" | "refused"> {
  const logs = [...stage.logs, sigsumLogOf(stage), ARGON];
  const { file } = fileOf(content);
  const detector = new EquivocationDetector();
  const proofs: (() => void)[] = [];
  let taken = 0;
  const reading = readGathered({ file, name: "a file", logs, isNamed: false });
  for (const found of (await Array.fromAsync(reading)).flat()) {
    if (found.kind === "rejected") continue;
    if (found.kind === "proof") {
      proofs.push(() => detector.observeProof(found.read()));
      continue;
    }
    taken++;
    for (const one of found.checkpoints) {
      if (one.log === ARGON) insist(one.root === ARGON_HEAD.sha256_root_hash, "argon's root");
      else if (one.log.origin.startsWith("sigsum.org/")) {
        insist(isSigsums(stage, one), "signed");
      } else insist(isGenuine(stage, one), "only what was signed");
      detector.observe(one, found.source);
    }
  }
  for (const follow of proofs) {
    try {
      follow();
      taken++;
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
    }
  }
  for (const conflict of detector.conflicts()) {
    const input = formatRecord(buildRecord({ conflict, detectedAt: AT }));
    insist(verifyConflict({ input }).outcome === "holds", "what convicts holds");
  }
  return taken > 0 ? "accepted" : "refused";
}

/** Whether the stage's hand makes this signature for this checkpoint. */
function isSigsums({ hand }: Stage, { note, signature }: VerifiedCheckpoint): boolean {
  return equals(hand.sign(utf8(parseNote(note).text)), signature);
}

/** Tiles that are changed at will, beside two honest heads of the log: nothing comes of it. */
function cachedTiles(stage: Stage): ParserUnderTest {
  const { honest: { log }, leaves, checkpoints } = stage;
  const [first, tile] = [concatenated(leaves.slice(0, 256)), concatenated(leaves.slice(256, 512))];
  const heads = [checkpoints[6]!, checkpoints[7]!];
  return parser<Uint8Array>({
    name: "tiles: cached by Go",
    valid: [tile],
    share: 8,
    inputs: bytes([tile]),
    async run(content) {
      const files = new FakeFiles();
      const put = async (path: string, bytes: Uint8Array): Promise<void> => {
        const file = await files.create(path);
        await file.write(bytes, 0);
      };
      const at = (level: number, index: bigint, width: number): string =>
        `db/${sumdbTilePath({ level, index, width })}`;
      await put(at(0, 0n, 256), first);
      await put(at(0, 1n, 256), content);
      await put(at(0, 2n, LEAVES - 512), concatenated(leaves.slice(512)));
      await put(at(1, 0n, 2), concatenated([subtreeRoot(first), subtreeRoot(tile)]));
      const cached = new CachedHeads();
      const detector = new EquivocationDetector();
      for (const head of heads) {
        cached.addHead(head, "db/lookup/x@v1");
        detector.observe(head, "db");
      }
      let joined = 0;
      for await (const result of cached.compare(files)) {
        if ("joined" in result) joined = result.joined;
        else detector.observeProof(result.proof);
      }
      insist(detector.conflicts().length === 0, `no tile convicts ${log.origin}`);
      return joined === heads.length ? "accepted" : "refused";
    },
  });
}

function concatenated(hashes: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(hashes.flatMap((hash) => [...hash]));
}
