/**
 * Sigstore's Rekor, version 1. Its log is a row of trees ("shards"), and each of them is a log of
 * its own: the origin of a tree's checkpoints ends with the id of the tree. The last tree grows; the
 * others are retired. The API is described by openapi.yaml of github.com/sigstore/rekor.
 *
 * @module
 */
import { decodeHex } from "@std/encoding/hex";
import { strictBase64 } from "../tlog/encoding.ts";
import { HASH_BYTES, leafHash } from "../tlog/hashing.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { checkMembers, listOf, object, type Shape, text, wholeNumber } from "../tlog/members.ts";
import { consistencyNodes } from "../tlog/tiles.ts";
import { type Fetcher, fetchNote } from "./fetcher.ts";
import { readJson } from "./json.ts";
import type { LookTime } from "./look_time.ts";
import { within } from "./patient_fetcher.ts";
import { askForProof, maxProofBytes, proofFrom, type ProofServer } from "./proof_server.ts";
import { ProofRefused, type ServedProof, type Source, SourceUnavailable } from "./source.ts";

/** Bytes of one hash in hex, with its quotes, a comma and white space, with room to spare. */
const HASH_IN_JSON_BYTES = 128;
/** Longest entry read. It holds what was signed; Rekor takes at most 32 MiB, and seldom a few kB. */
const MAX_ENTRY_BYTES = 1024 * 1024;

/** What Rekor says of one of its trees. Its hash and its size stand in the signed tree head too. */
interface Shard {
  readonly treeID: string;
  readonly treeSize: number;
  /** A checkpoint: a signed note. */
  readonly signedTreeHead: string;
}
const SHARD: Shape = {
  must: { treeID: text, treeSize: wholeNumber({ least: 0 }), signedTreeHead: text },
  others: "kept",
};
const LOG_INFO: Shape = {
  ...SHARD,
  may: { inactiveShards: listOf(object(SHARD)) },
};
const PROOF: Shape = { must: { hashes: listOf(text) }, others: "kept" };
const ENTRY: Shape = { must: { body: text }, others: "kept" };

/** One tree of a Rekor v1. */
export class RekorV1Source implements Source {
  readonly #fetcher: Fetcher;
  readonly #treeId: string;
  /** What the tree's size was at the last look, and its place among all entries of this Rekor. */
  #seen: { readonly treeSize: bigint; readonly firstIndex: bigint } | undefined;
  #isRetired = false;

  /** @throws MalformedError if the origin does not name a tree */
  constructor({ fetcher, log }: { fetcher: Fetcher; log: Log }) {
    const treeId = / - ([0-9]+)$/.exec(log.origin)?.[1];
    if (treeId === undefined) {
      throw new MalformedError(
        `origin is ${quoted(log.origin)}, expected NAME - TREE ID: each tree of Rekor v1 is a log`,
      );
    }
    this.#fetcher = fetcher;
    this.#treeId = treeId;
  }

  /** Whether Rekor says that this tree does not grow any more. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** See Source. */
  distrust(): void {
    this.#fetcher.forget?.();
  }

  latest(time?: LookTime): Promise<Uint8Array> {
    const fetcher = within({ fetcher: this.#fetcher, time });
    return fetchNote({
      fetcher,
      path: "api/v1/log",
      read: (answer) => this.#find(shardsOf(answer)).signedTreeHead,
    });
  }

  /** @param shards the retired ones in the order of their time, and the one that grows */
  #find(shards: readonly Shard[]): Shard {
    const at = shards.findIndex(({ treeID }) => treeID === this.#treeId);
    const shard = shards[at];
    if (shard === undefined) {
      const ids = shards.map(({ treeID }) => treeID).join(", ");
      throw new MalformedError(`tree ${this.#treeId} is not there, only ${quoted(ids)}`);
    }
    const before = shards.slice(0, at).reduce((sum, { treeSize }) => sum + BigInt(treeSize), 0n);
    this.#seen = { treeSize: BigInt(shard.treeSize), firstIndex: before };
    this.#isRetired = at < shards.length - 1;
    return shard;
  }

  async consistency(
    sizes: { older: bigint; newer: bigint },
    time?: LookTime,
  ): Promise<ServedProof> {
    return await proofFrom(this.#server(within({ fetcher: this.#fetcher, time })), sizes);
  }

  #server(fetcher: Fetcher): ProofServer {
    const consistencyProof = ({ older, newer }: { older: bigint; newer: bigint }) =>
      askForProof({
        fetcher,
        path: `api/v1/log/proof?firstSize=${older}&lastSize=${newer}&treeID=${this.#treeId}`,
        maxBytes: maxProofBytes(HASH_IN_JSON_BYTES),
      }, readProof);
    return {
      consistencyProof,
      firstOfInclusion: async ({ index, treeSize }) =>
        index === 1n
          ? await this.#firstLeaf(fetcher)
          : await this.#fullTreeOf(index, treeSize, consistencyProof),
    };
  }

  /**
   * The root over the first `index` leaves, a power of two. Rekor proves the inclusion of an entry
   * in its latest tree only, so the root is taken from a consistency proof of a larger tree.
   */
  async #fullTreeOf(
    index: bigint,
    older: bigint,
    prove: ProofServer["consistencyProof"],
  ): Promise<Uint8Array> {
    const newer = this.#seen?.treeSize ?? 0n;
    if (newer <= older) {
      throw new SourceUnavailable(
        `Rekor cannot prove size ${index} in size ${older} before the tree is larger than that`,
      );
    }
    const level = index.toString(2).length - 1;
    const at = consistencyNodes({ older, newer }).proof
      .findIndex(([node, ...more]) =>
        more.length === 0 && node?.level === level && node.index === 0n
      );
    const hash = (await prove({ older, newer }))[at];
    if (hash !== undefined) return hash;
    throw new ProofRefused(`The log gives no whole proof from ${older} to ${newer}`);
  }

  /** The hash of the tree's first leaf, computed from the entry. */
  async #firstLeaf(fetcher: Fetcher): Promise<Uint8Array> {
    const path = `api/v1/log/entries?logIndex=${this.#seen?.firstIndex ?? 0n}`;
    return await askForProof({ fetcher, path, maxBytes: MAX_ENTRY_BYTES }, (answer) => {
      const entries = readJson(answer);
      const what = "the entry";
      checkMembers(entries, { what, shape: { must: {}, others: "kept" } });
      const [entry] = Object.values(entries);
      checkMembers(entry, { what, shape: ENTRY });
      return leafHash(strictBase64(entry.body as string));
    });
  }
}

/** @throws MalformedError for what is no answer of `api/v1/log` */
function shardsOf(answer: Uint8Array): Shard[] {
  const value = readJson(answer);
  checkMembers(value, { what: "the answer", shape: LOG_INFO });
  const { inactiveShards = [] } = value as { inactiveShards?: Shard[] };
  return [...inactiveShards, value as unknown as Shard];
}

/** @throws MalformedError for what is no answer of `api/v1/log/proof` */
function readProof(answer: Uint8Array): Uint8Array[] {
  const value = readJson(answer);
  checkMembers(value, { what: "the answer", shape: PROOF });
  return (value.hashes as string[]).map((hash) => {
    if (/^[0-9a-f]*$/.test(hash) && hash.length === 2 * HASH_BYTES) return decodeHex(hash);
    throw new MalformedError(`a hash is ${quoted(hash)}, expected ${2 * HASH_BYTES} hex digits`);
  });
}
