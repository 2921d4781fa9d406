/**
 * Gathers what people already hold: walks folders, reads each file of a kind that is known, and
 * compares the heads of Go's caches and of logs of tiles with each other by the tiles beside them.
 *
 * @module
 */
import type { Log } from "../tlog/log.ts";
import { inMemory } from "../world/reading.ts";
import { type Files, type OpenFile, WorldError } from "../world/world.ts";
import { CachedHeads, type Compared } from "./cached_heads.ts";
import { type Gathered, readGathered, START_BYTES } from "./read.ts";
import { type PassedOver, type Step, walk } from "./walk.ts";

/** What a proof is found in that was built from the tiles of caches. */
export const FROM_TILES = "proofs from cached tiles";

/** One thing that gathering gives. */
export type Piece =
  /** `isNamed` if it is in a file that was asked for itself, and not only the folder it is in */
  | {
    readonly kind: "found";
    readonly found: Gathered;
    readonly isNamed: boolean;
    readonly path: string;
  }
  /** a file was read, or passed over because its kind is not known */
  | {
    readonly kind: "file";
    readonly path: string;
    readonly isKnown: boolean;
    readonly isNamed: boolean;
  }
  | {
    readonly kind: "passed over";
    readonly path: string;
    readonly why: PassedOver;
    readonly detail: string;
  }
  /** what the cached tiles say about a log's heads; after everything else */
  | ({ readonly kind: "compared" } & Compared);

/** What to gather. */
export interface Gathering {
  readonly files: Files;
  readonly logs: readonly Log[];
  readonly paths: readonly string[];
  /** Opens a file that was named. @throws what the caller wants to be thrown */
  readonly open: (path: string) => Promise<OpenFile>;
  /** The file that what is gathered is written to. It is not read, if it is in a folder. */
  readonly writesTo?: string | undefined;
  /** Takes in the heads and the folders of tiles, if they are needed later. */
  readonly cached?: CachedHeads;
}

/**
 * Gathers. Memory does not grow with the files, but for the heads of the logs, which are limited
 * (MAX_CACHED_HEADS).
 * @throws WorldError if there is nothing at a path, or a file that was named cannot be read; whatever
 *   `open` throws
 */
export async function* gather(
  { files, logs, paths, open, writesTo, cached: heads = new CachedHeads() }: Gathering,
): AsyncGenerator<Piece, void> {
  for await (const step of walk(files, paths)) {
    if (step.kind === "tiles") {
      heads.addFolder(/^(.*?)[\\/]?tile[\\/]?$/.exec(step.path)![1] || ".", step.layout);
      continue;
    }
    if (step.kind === "passed over") {
      yield step;
      continue;
    }
    if (writesTo !== undefined && await isSame(files, step.path, writesTo)) continue;
    for await (const pieces of readFile({ files, logs, open, step })) {
      for (const piece of pieces) {
        yield piece;
        if (piece.kind !== "found" || piece.found.kind !== "checkpoint") continue;
        for (const checkpoint of piece.found.checkpoints) heads.addHead(checkpoint, piece.path);
      }
    }
  }
  for await (const result of heads.compare(files)) {
    if ("joined" in result) {
      yield { kind: "compared", ...result };
      continue;
    }
    const { folder: path, proof } = result;
    const where = `${path}: tiles from size ${proof.older.treeSize} to ${proof.newer.treeSize}`;
    const found: Gathered = {
      ...{ kind: "proof", read: () => proof, source: path, where, what: FROM_TILES, bytesRead: 0 },
    };
    yield { kind: "found", found, isNamed: false, path };
  }
}

/**
 * Reads files again for their proofs, after all checkpoints were seen. A file of a folder may be gone by
 * then, which is told like any other that cannot be read.
 * @param withProofs the files, and whether each was named
 * @throws as `gather`
 */
export async function* gatherProofs(
  gathering: Omit<Gathering, "paths">,
  withProofs: ReadonlyMap<string, boolean>,
): AsyncGenerator<Extract<Piece, { kind: "found" | "passed over" }>, void> {
  for (const [path, isNamed] of withProofs) {
    const step = { kind: "file", path, isNamed } as const;
    for await (const pieces of readFile({ ...gathering, step })) {
      for (const piece of pieces) {
        const isProof = piece.kind === "found" && piece.found.kind === "proof";
        if (isProof || piece.kind === "passed over") yield piece;
      }
    }
  }
}

/** Whether two paths lead to one file. Files of other names are not asked for. */
async function isSame(files: Files, path: string, other: string): Promise<boolean> {
  const nameOf = (path: string): string => path.split(/[\\/]/).at(-1)!;
  if (nameOf(path) !== nameOf(other)) return false;
  const identity = await files.identity(path);
  return identity !== undefined && identity === await files.identity(other);
}

/** Reads a file and tells of it at the end. What is found in one piece of it comes at once. */
async function* readFile(
  { files, logs, open, step: { path, isNamed } }: {
    files: Files;
    logs: readonly Log[];
    open: Gathering["open"];
    step: Extract<Step, { kind: "file" }>;
  },
): AsyncGenerator<readonly Piece[], void> {
  let file: OpenFile | undefined;
  try {
    file = await (isNamed ? open(path) : openFound(files, path));
    const found = readGathered({ file, name: path, logs, isNamed });
    for (;;) {
      const { value, done } = await found.next();
      if (done) return yield [{ kind: "file", path, isKnown: value, isNamed }];
      yield value.map((found): Piece => ({ kind: "found", found, isNamed, path }));
    }
  } catch (error) {
    if (isNamed || !(error instanceof WorldError)) throw error;
    yield [{ kind: "passed over", path, why: "not readable", detail: error.message }];
  } finally {
    file?.close();
  }
}

/** A file of a folder. Most are short, and are read at once. */
async function openFound(files: Files, path: string): Promise<OpenFile> {
  const bytes = await files.readShort(path, START_BYTES - 1);
  return bytes === undefined ? await files.open(path, "read") : inMemory(bytes);
}
