/**
 * Gathers what people already hold: walks folders, reads each file of a kind that is known, and
 * compares the heads of Go's caches with each other by the tiles beside them.
 *
 * @module
 */
import type { Log } from "../tlog/log.ts";
import { inMemory, readFully } from "../world/reading.ts";
import { type Files, type OpenFile, WorldError } from "../world/world.ts";
import { CachedHeads, type Compared } from "./cached_heads.ts";
import { type Gathered, readGathered, START_BYTES } from "./read.ts";
import { type PassedOver, type Step, walk } from "./walk.ts";

/** Files that are read ahead, so that the disk works while signatures are checked. */
const FILES_AHEAD = 8;

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
  /** Whether to compare heads by cached tiles. */
  readonly compares?: boolean;
}

/**
 * Gathers. Memory does not grow with the files, but for the heads of Go's caches, which are limited
 * (MAX_CACHED_HEADS).
 * @throws WorldError if there is nothing at a path, or a file that was named cannot be read; whatever
 *   `open` throws
 */
export async function* gather(
  { files, logs, paths, open, compares = true }: Gathering,
): AsyncGenerator<Piece, void> {
  const heads = new CachedHeads();
  const steps = ahead(walk(files, paths), FILES_AHEAD, async (step) => ({
    step,
    file: step.kind === "file" && !step.isNamed ? await smallFile(files, step.path) : undefined,
  }));
  for await (const { step, file } of steps) {
    if (step.kind === "tiles") {
      heads.addFolder(/^(.*?)[\\/]?tile[\\/]?$/.exec(step.path)![1]!);
      continue;
    }
    if (step.kind === "passed over") {
      yield step;
      continue;
    }
    for await (const piece of readFile({ files, logs, open, step, file })) {
      yield piece;
      if (piece.kind !== "found" || piece.found.kind !== "checkpoint") continue;
      for (const checkpoint of piece.found.checkpoints) heads.addHead(checkpoint, piece.path);
    }
  }
  if (!compares) return;
  for await (const result of heads.compare(files)) {
    if ("joined" in result) {
      yield { kind: "compared", ...result };
      continue;
    }
    const { folder: path, proof } = result;
    const where = `${path}: tiles from size ${proof.older.treeSize} to ${proof.newer.treeSize}`;
    const found: Gathered = {
      ...{ kind: "proof", read: () => proof, source: path, where, what: "tiles", bytesRead: 0 },
    };
    yield { kind: "found", found, isNamed: false, path };
  }
}

/** Reads a file and tells of it at the end. */
async function* readFile(
  { files, logs, open, step: { path, isNamed }, file: given }: {
    files: Files;
    logs: readonly Log[];
    open: Gathering["open"];
    step: Extract<Step, { kind: "file" }>;
    file: OpenFile | WorldError | undefined;
  },
): AsyncGenerator<Piece, void> {
  let file: OpenFile | undefined;
  try {
    if (given instanceof WorldError) throw given;
    file = given ?? await (isNamed ? open(path) : files.open(path, "read"));
    const found = readGathered({ file, name: path, logs, isNamed });
    for (;;) {
      const { value, done } = await found.next();
      if (done) return yield { kind: "file", path, isKnown: value, isNamed };
      yield { kind: "found", found: value, isNamed, path };
    }
  } catch (error) {
    if (isNamed || !(error instanceof WorldError)) throw error;
    yield { kind: "passed over", path, why: "not readable", detail: error.message };
  } finally {
    file?.close();
  }
}

/** A short file, read whole; nothing for a long one; or why it cannot be read. */
async function smallFile(files: Files, path: string): Promise<OpenFile | WorldError | undefined> {
  try {
    const file = await files.open(path, "read");
    try {
      const buffer = new Uint8Array(Math.min(await file.size() + 1, START_BYTES));
      const filled = await readFully(file, buffer, 0);
      return filled < START_BYTES ? inMemory(buffer.subarray(0, filled)) : undefined;
    } finally {
      file.close();
    }
  } catch (error) {
    if (error instanceof WorldError) return error;
    throw error;
  }
}

/** Does work for each item, in order, and begins it for `count` items before they are asked for. */
async function* ahead<T, U>(
  items: AsyncIterable<T>,
  count: number,
  work: (item: T) => Promise<U>,
): AsyncGenerator<U, void> {
  const begun: Promise<U>[] = [];
  for await (const item of items) {
    begun.push(work(item));
    if (begun.length > count) yield await begun.shift()!;
  }
  for (const one of begun) yield await one;
}
