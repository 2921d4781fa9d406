/** Real logs among the vectors: Go's checksum database, and the Tessera log of sizes 0 to 15. */
import type { Fetcher } from "../../src/sources/fetcher.ts";
import { HASH_BYTES } from "../../src/tlog/hashing.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { TILE_WIDTH } from "../../src/tlog/tiles.ts";
import { listFolder, readBytes, readJsonLines, readText, unbase64 } from "./vectors.ts";

/** The vkey of sum.golang.org, whose name is not its origin. */
export const SUMDB_VKEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
/** The first line of its checkpoints. */
export const SUMDB_ORIGIN = "go.sum database tree";

/** A signed tree head of sum.golang.org. */
export interface SumdbHead {
  readonly size: number;
  /** Base64. */
  readonly root: string;
  /** Base64 of 64 bytes. */
  readonly sig: string;
}

/** The 28 heads out of module caches, between which there are tiles. */
export function cachedSumdbHeads(): SumdbHead[] {
  return readJsonLines<SumdbHead>("logs/sumdb/heads.jsonl");
}

/** All 34 heads: those out of module caches and those quoted in documents. */
export function sumdbHeads(): SumdbHead[] {
  const quoted = readJsonLines<SumdbHead>("logs/sumdb/heads_from_documents.jsonl");
  return [...cachedSumdbHeads(), ...quoted];
}

/** The signed note as sum.golang.org serves it: its key id, then the signature. */
export function sumdbNote({ size, root, sig }: SumdbHead): string {
  const payload = Uint8Array.of(0x03, 0x3d, 0xe0, 0xae, ...unbase64(sig)).toBase64();
  return `${SUMDB_ORIGIN}\n${size}\n${root}\n\n— sum.golang.org ${payload}\n`;
}

/**
 * The sumdb's tiles, by their path there. Of each only the widest version is among the vectors, full
 * or partial, and each narrower one is the start of it.
 */
export function readSumdbTile(path: string): Uint8Array | undefined {
  const [, number, width = TILE_WIDTH] = /^tile\/8\/(.*?)(?:\.p\/(\d+))?$/.exec(path)!;
  const widest = readIfThere(`logs/sumdb/tile/${number}`) ?? readPartial(number!);
  const wanted = Number(width) * HASH_BYTES;
  return widest && widest.length >= wanted ? widest.slice(0, wanted) : undefined;
}

function readPartial(number: string): Uint8Array | undefined {
  const folder = `logs/sumdb/tile/${number}.p`;
  const [width] = ifThere(() => listFolder(folder)) ?? [];
  return width === undefined ? undefined : readBytes(`${folder}/${width}`);
}

/** A vector file, or nothing if it is not there. */
export function readIfThere(path: string): Uint8Array | undefined {
  return ifThere(() => readBytes(path));
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Where the Tessera log is. */
export const TESSERA = "logs/tessera-testdata";
/** The sizes it has a checkpoint of. */
export const TESSERA_SIZES = [...Array(16).keys()];

/** The log's own checkpoints: one for each size, and its latest. */
export function tesseraNotes(): { name: string; size: number; note: string }[] {
  const bySize = TESSERA_SIZES.map((size) => ({ name: `checkpoint.${size}`, size }));
  return [...bySize, { name: "checkpoint", size: 15 }]
    .map((one) => ({ ...one, note: readText(`${TESSERA}/${one.name}`) }));
}

/** The Tessera log, to be followed. */
export function tesseraLog(): Log {
  return parseLog(readText(`${TESSERA}/vkey.txt`).trimEnd());
}

/** Files in memory, of which each may be another one in each call. */
export function fetcherOf(read: (path: string) => Uint8Array | undefined): Fetcher {
  return { locate: (path) => path, get: (path) => Promise.resolve(read(path)) };
}
