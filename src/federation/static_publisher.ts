/**
 * A journal that is served as static files alone: by any web server, or by another monitor that mirrors
 * it. The lines come out of the bundles. So a journal can be mirrored although its own monitor is gone.
 *
 * @module
 */
import { openHead } from "./mirror_folder.ts";
import { MAX_BUNDLED_BYTES, type RecordsQuery } from "./wire.ts";
import type { JournalStatus, ProvenHead } from "./wire.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { textOf } from "../tlog/encoding.ts";
import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import {
  consistencyNodes,
  hashInTile,
  joinedHash,
  TILE_BYTES,
  TILE_WIDTH,
  tileOf,
  type TileOrBundle,
  tilePath,
  type TreeNode,
} from "../tlog/tiles.ts";
import type { Vkey } from "../tlog/vkey.ts";
import { type Publisher, PublisherUnavailable } from "./publisher.ts";

/** The longest bundle: each entry has its length before it. */
const MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + MAX_BUNDLED_BYTES);
/** How a leaf begins that only stands for an entry (see `leafOf`). */
const STAND_IN = "hearsay/incident-hash/";

/** Gets a file below the base URL. @throws PublisherUnavailable, MalformedError */
export type GetFile = (path: string, maxBytes: number) => Promise<Uint8Array>;

/** See the module. */
export class StaticPublisher implements Publisher {
  readonly #get: GetFile;
  readonly #vkey: Vkey;
  /** The head that was read last: tiles and bundles are asked for by its size. */
  #head: JournalStatus | undefined;

  /** @param vkey of the monitor whose journal it is */
  constructor({ get, vkey }: { get: GetFile; vkey: Vkey }) {
    this.#get = get;
    this.#vkey = vkey;
  }

  async status(): Promise<JournalStatus> {
    const checkpoint = textOf(await this.#get("checkpoint", MAX_NOTE_BYTES));
    const { log: { origin }, treeSize, rootHash } = openHead(checkpoint, this.#vkey);
    return this.#head = { origin, treeSize, rootHash, checkpoint };
  }

  async proof(oldSize: bigint): Promise<ProvenHead> {
    const { treeSize, checkpoint } = await this.#shown();
    if (oldSize === 0n || oldSize >= treeSize) return { oldSize, checkpoint, proof: [] };
    const { proof } = consistencyNodes({ older: oldSize, newer: treeSize });
    const hashes: Uint8Array[] = [];
    for (const nodes of proof) hashes.push(joinedHash(await this.#hashes(nodes, treeSize)));
    return { oldSize, checkpoint, proof: hashes };
  }

  /** Those of one bundle at most. */
  async records({ start, count }: RecordsQuery): Promise<readonly Uint8Array[]> {
    const { treeSize } = await this.#shown();
    if (start >= treeSize) return [];
    const index = start / BigInt(TILE_WIDTH);
    const first = index * BigInt(TILE_WIDTH);
    const left = treeSize - first;
    const width = left < TILE_WIDTH ? Number(left) : TILE_WIDTH;
    const bundle = await this.#file({ level: "entries", index, width }, MAX_BUNDLE_BYTES);
    const from = Number(start - first);
    const lines = entriesOf(bundle, width).slice(from, Math.min(width, from + Number(count)));
    for (const [i, line] of lines.entries()) refuseStandIn(line, start + BigInt(i));
    return lines;
  }

  async #shown(): Promise<JournalStatus> {
    return this.#head ?? await this.status();
  }

  async #hashes(nodes: readonly TreeNode[], treeSize: bigint): Promise<Uint8Array[]> {
    const hashes: Uint8Array[] = [];
    for (const node of nodes) {
      const tile = tileOf({ node, treeSize });
      const bytes = await this.#file(tile, TILE_BYTES);
      const wanted = tile.width * (TILE_BYTES / TILE_WIDTH);
      if (bytes.length !== wanted) {
        throw new MalformedError(`${tilePath(tile)} has ${bytes.length} bytes, expected ${wanted}`);
      }
      hashes.push(hashInTile({ node, hashes: bytes }));
    }
    return hashes;
  }

  async #file(tile: TileOrBundle, maxBytes: number): Promise<Uint8Array> {
    return await this.#get(tilePath(tile), maxBytes);
  }
}

/** SPEC: "each entry: big-endian uint16 length prefix + data". @throws MalformedError */
function entriesOf(bundle: Uint8Array, width: number): Uint8Array[] {
  const entries: Uint8Array[] = [];
  for (let at = 0; at < bundle.length;) {
    const end = at + 2 + ((bundle[at]! << 8) | (bundle[at + 1] ?? 0));
    if (end > bundle.length) throw new MalformedError("the last entry of a bundle is not whole");
    entries.push(bundle.subarray(at + 2, end));
    at = end;
  }
  if (entries.length === width) return entries;
  throw new MalformedError(`a bundle has ${entries.length} entries, expected ${width}`);
}

function refuseStandIn(line: Uint8Array, index: bigint): void {
  const start = String.fromCharCode(...line.subarray(0, STAND_IN.length));
  if (start !== STAND_IN) return;
  // That is how such an entry is published (PROTOCOL section 19), and says nothing against anybody.
  throw new PublisherUnavailable(
    `entry ${index} is longer than a bundle can hold: it is served by its own monitor alone`,
  );
}
