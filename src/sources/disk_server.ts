import { sha256 } from "../tlog/hashing.ts";
import { type Files, type HttpAnswer, type HttpQuery, WorldError } from "../world/world.ts";
import { CHECKPOINT_FILE, readFile } from "./disk_files.ts";

/**
 * The paths of C2SP tlog-tiles. Nothing else is served, because the private key is in the same
 * folder.
 */
const TILE_PATH = /^tile\/(entries|[0-9]|[1-5][0-9]|6[0-3])\/(x\d{3}\/)*\d{3}(\.p\/[1-9]\d{0,2})?$/;

const NOT_FOUND: HttpAnswer = { status: 404 };

/** A log's folder, and the path it is served under, which begins and ends with a slash. */
export interface ServedLog {
  readonly prefix: string;
  readonly folder: string;
}

/**
 * Answers like a static server of logs on disk. It reads the checkpoint or tile anew each time.
 * @param logs if the prefixes of several fit, the first one answers
 * @throws WorldError if a file that is there cannot be read
 */
export async function answerFromDisk(
  { query, files, logs }: { query: HttpQuery; files: Files; logs: readonly ServedLog[] },
): Promise<HttpAnswer> {
  if (query.method !== "GET" && query.method !== "HEAD") {
    return { status: 405, headers: { allow: "GET, HEAD" } };
  }
  const log = logs.find(({ prefix }) => query.path.startsWith(prefix));
  if (log === undefined) return NOT_FOUND;
  const path = query.path.slice(log.prefix.length);
  if (path !== CHECKPOINT_FILE && !TILE_PATH.test(path)) return NOT_FOUND;
  try {
    const content = await readFile({ files, folder: log.folder, path });
    return path === CHECKPOINT_FILE
      ? checkpointAnswer(query, content)
      : { status: 200, headers: { "content-type": "application/octet-stream" }, body: content };
  } catch (error) {
    if (error instanceof WorldError && error.kind === "not found") return NOT_FOUND;
    throw error;
  }
}

/** The checkpoint; or 304 if the caller has it already. */
function checkpointAnswer(query: HttpQuery, note: Uint8Array<ArrayBuffer>): HttpAnswer {
  const etag = `"${sha256(note).toHex()}"`;
  const headers = { etag, "cache-control": "no-cache" };
  if (query.header("if-none-match") === etag) return { status: 304, headers };
  return {
    status: 200,
    headers: { ...headers, "content-type": "text/plain; charset=utf-8" },
    body: note,
  };
}
