/** Caches as Go's client leaves them, of a log that tells one story or two. */
import { dirname } from "node:path";
import {
  consistencyNodes,
  sumdbTilePath,
  type Tile,
  tileOf,
  tilePath,
} from "../../src/tlog/tiles.ts";
import type { TiledStory } from "../monitor/tiled_log.ts";

/** What a lookup file holds: the record's number, the record, and the signed tree head. */
export async function lookupText(story: TiledStory, size: number): Promise<string> {
  const path = `module.invalid/at${size}`;
  const hash = "h1:NSZPykBXJFCetGZykLAxaL6SIpvbVy/UFEniIfHAa8A=";
  const record = `${path} v1.0.0 ${hash}\n${path} v1.0.0/go.mod ${hash}\n`;
  return `${size - 1}\n${record}\n${await story.test.checkpoint(BigInt(size))}`;
}

/** Writes a file and the folders above it. */
export function putDeep(path: string, content: string | Uint8Array): void {
  Deno.mkdirSync(dirname(path), { recursive: true });
  if (typeof content === "string") Deno.writeTextFileSync(path, content);
  else Deno.writeFileSync(path, content);
}

/**
 * Writes what Go's client keeps after it has looked something up at each of these sizes, and at last
 * has seen the largest: the lookups, and the tiles with which it has compared each head with the
 * largest (x/mod sumdb/tlog/tile.go, `TileHashReader`): those on the ways to both ends of the tree.
 * @returns the folder that holds lookups and tiles
 */
export async function writeGoCache(
  folder: string,
  { story, sizes }: { story: TiledStory; sizes: readonly number[] },
): Promise<string> {
  const root = `${folder}/cache/download/sumdb/${story.test.log.vkey.name}`;
  for (const size of sizes) {
    const path = `${root}/lookup/module.invalid/at${size}@v1.0.0`;
    putDeep(path, await lookupText(story, size));
  }
  const newest = Math.max(...sizes);
  const tiles = sizes.flatMap((size) => tilesTo(size, newest));
  for (const tile of new Map(tiles.map((tile) => [tilePath(tile), tile])).values()) {
    putDeep(`${root}/${sumdbTilePath(tile)}`, hashesOf(story, tilePath(tile)));
  }
  return root;
}

const known = new WeakMap<TiledStory, Map<string, Uint8Array>>();

/** The hashes of a tile, computed once. */
function hashesOf(story: TiledStory, path: string): Uint8Array {
  const tiles = known.get(story) ?? new Map<string, Uint8Array>();
  known.set(story, tiles);
  const hashes = tiles.get(path) ?? story.tile(path)!;
  tiles.set(path, hashes);
  return hashes;
}

/** The tiles on the way to the end of a tree, as they are in a larger one. */
function tilesTo(size: number, newest: number): Tile[] {
  const treeSize = BigInt(newest);
  const nodes = consistencyNodes({ older: BigInt(size), newer: treeSize + 1n }).olderRoot;
  return nodes.flatMap((node) => {
    const above: Tile[] = [];
    for (let at = node; at.index + 1n << BigInt(at.level) <= treeSize;) {
      above.push(tileOf({ node: at, treeSize }));
      at = { level: at.level + 8 - at.level % 8, index: at.index >> BigInt(8 - at.level % 8) };
    }
    return above;
  });
}
