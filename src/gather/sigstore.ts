/**
 * Sigstore's artefacts: bundles of versions 0.1 to 0.3 (sigstore/protobuf-specs,
 * sigstore_bundle.proto and sigstore_rekor.proto), the list of attestations in which registries serve
 * them, and entries as Rekor's API gives them. What counts here is the checkpoint in an entry's
 * inclusion proof. Certificates, timestamps and what was signed are other tools' matter.
 *
 * @module
 */
import { equals } from "@std/bytes/equals";
import { decodeHex } from "@std/encoding/hex";
import { base64, parseTreeSize, strictBase64 } from "../tlog/encoding.ts";
import { HASH_BYTES, leafHash } from "../tlog/hashing.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { anyText, isObject, listOf, text, unexpected, within } from "../tlog/members.ts";
import { MAX_PROOF_HASHES, verifyInclusion } from "../tlog/proof.ts";
import { type Found, openNote, readEach, type Reading } from "./found.ts";
import type { JsonKind } from "./kinds.ts";

type JsonObject = Readonly<Record<string, unknown>>;

/** Most entries, and most bundles, that are read of one artefact. A bundle has one entry. */
export const MAX_ENTRIES = 1_000;
const MEDIA_TYPE = "application/vnd.dev.sigstore.bundle";

/** A bundle, a list of attestations that hold bundles, or what cosign attaches. */
export const sigstoreBundle: JsonKind = {
  name: "Sigstore bundles",
  recognizes: (object) => bundlesIn(object).some(isBundle) || isOldCosign(object),
  read(object, reading) {
    if (isOldCosign(object)) {
      return [noCheckpoint("it has a promise of Rekor (SignedEntryTimestamp) and no checkpoint")];
    }
    return readEach(bundlesIn(object).filter(isBundle), {
      ...{ most: MAX_ENTRIES, what: "bundles" },
      read: (bundle) => readBundle(bundle, reading),
    });
  },
};

/** The object itself, or those of `attestations`, each of them perhaps below `bundle`. */
function bundlesIn(object: JsonObject): JsonObject[] {
  const { attestations } = object;
  const listed = Array.isArray(attestations) ? attestations : [object];
  return listed.filter(isObject).map((one) => isObject(one.bundle) ? one.bundle : one);
}

function isBundle({ mediaType, verificationMaterial }: JsonObject): boolean {
  return typeof mediaType === "string" && mediaType.startsWith(MEDIA_TYPE) ||
    isObject(verificationMaterial);
}

/** What cosign wrote before there were bundles: `--bundle` of a blob, and an image's annotation. */
function isOldCosign(object: JsonObject): boolean {
  return isObject(object.rekorBundle) || Object.hasOwn(object, "SignedEntryTimestamp");
}

function noCheckpoint(detail: string): Found {
  return { kind: "rejected", reason: "no checkpoint", detail };
}

function readBundle({ verificationMaterial }: JsonObject, reading: Reading): Found[] {
  const { tlogEntries = [] } = isObject(verificationMaterial) ? verificationMaterial : {};
  if (!Array.isArray(tlogEntries)) {
    throw unexpected(tlogEntries, { name: "tlogEntries", wanted: "a list" });
  }
  if (tlogEntries.length === 0) return [noCheckpoint("the bundle has no entry of a log")];
  const read = (entry: unknown): Found[] => {
    const { inclusionProof: proof, canonicalizedBody: body } = isObject(entry) ? entry : {};
    if (!isObject(proof)) return [noCheckpoint("the bundle's entry has no inclusion proof")];
    const { checkpoint } = proof;
    const note = isObject(checkpoint) ? checkpoint.envelope : undefined;
    return readEntry({ proof, note, body, hash: strictBase64 }, reading);
  };
  return readEach(tlogEntries, { most: MAX_ENTRIES, what: "entries", read });
}

/** An entry of Rekor's API: `{UUID: {"body", "verification": {"inclusionProof"}}}`, hashes in hex. */
export const rekorEntry: JsonKind = {
  name: "Rekor entries",
  recognizes: (object) => entriesOf(object).length > 0,
  read(object, reading) {
    const read = ({ body, verification }: JsonObject): Found[] => {
      const { inclusionProof: proof } = isObject(verification) ? verification : {};
      if (!isObject(proof)) return [noCheckpoint("the entry has no inclusion proof")];
      return readEntry({ proof, note: proof.checkpoint, body, hash: hexHash }, reading);
    };
    return readEach(entriesOf(object), { most: MAX_ENTRIES, what: "entries", read });
  },
};

function entriesOf(object: JsonObject): JsonObject[] {
  const members = Object.entries(object);
  return members.every(([name]) => /^[0-9a-f]{64}(?:[0-9a-f]{16})?$/.test(name))
    ? members.map(([, entry]) => entry).filter(isObject)
    : [];
}

function hexHash(hash: string): Uint8Array {
  if (/^[0-9a-f]{64}$/.test(hash)) return decodeHex(hash);
  throw new MalformedError(`${quoted(hash)} is not a hash in lowercase hex`);
}

/** The parts of an entry, as one of the two forms has them. */
interface Entry {
  readonly proof: JsonObject;
  readonly note: unknown;
  readonly body: unknown;
  /** How the form spells a hash. */
  readonly hash: (text: string) => Uint8Array;
}

/**
 * The checkpoint of an entry. If it verifies, the inclusion proof is followed to it. Whatever is wrong
 * with that proof is the artefact's fault: the log has signed only the checkpoint.
 */
function readEntry({ note, ...entry }: Entry, { logs, where }: Reading): Found[] {
  if (note === undefined || note === "") {
    return [noCheckpoint("the entry's inclusion proof has no checkpoint")];
  }
  anyText(note, "checkpoint");
  const opened = openNote({ note, source: where, logs });
  if (opened.kind !== "checkpoint") return [opened];
  const { treeSize, rootHash } = opened.checkpoints[0]!;
  try {
    followInclusion(entry, { treeSize, rootHash });
    return [opened];
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    const detail = `${error.message}; the artefact is wrong, which says nothing against the log`;
    return [opened, { kind: "rejected", reason: "failed inclusion", detail }];
  }
}

const TEXTS = listOf(text);

/** @throws MalformedError if the entry is not shown to be in the tree of the checkpoint */
function followInclusion(
  { proof, body, hash }: Omit<Entry, "note">,
  tree: { readonly treeSize: bigint; readonly rootHash: Uint8Array },
): void {
  // Protocol buffers leave out what is zero.
  const { logIndex = "0", treeSize = "0", rootHash, hashes = [] } = proof;
  const size = within("treeSize", () => parseTreeSize(`${treeSize}`));
  text(rootHash, "rootHash");
  const root = within("rootHash", () => hash(rootHash));
  if (size !== tree.treeSize || !equals(root, tree.rootHash)) {
    throw new MalformedError(
      `the inclusion proof is about size ${size} root ${base64(root)}, and its checkpoint about ` +
        `size ${tree.treeSize} root ${base64(tree.rootHash)}`,
    );
  }
  TEXTS(hashes, "hashes");
  const path = hashes as string[];
  if (path.length > MAX_PROOF_HASHES) {
    throw new MalformedError(`hashes are ${path.length}, expected at most ${MAX_PROOF_HASHES}`);
  }
  text(body, "the entry's body");
  const leaf = within("the entry's body", () => leafHash(strictBase64(body)));
  const index = within("logIndex", () => parseTreeSize(`${logIndex}`));
  const hashesRead = within("hashes", () => path.map(hash));
  if (hashesRead.every(({ length }) => length === HASH_BYTES)) {
    if (verifyInclusion({ leafHash: leaf, index, tree, proof: hashesRead })) return;
  }
  throw new MalformedError(
    `the inclusion proof of entry ${index} does not lead to the signed root of size ${size}`,
  );
}
