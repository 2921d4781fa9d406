/**
 * Files of a log, by their path: over HTTP, or out of a folder.
 *
 * @module
 */
import { join } from "@std/path/join";
import { utf8 } from "../tlog/encoding.ts";
import { MalformedError, printable, quoted } from "../tlog/malformed.ts";
import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import { HttpClient } from "../world/http_client.ts";
import { readFully } from "../world/reading.ts";
import { type World, WorldError } from "../world/world.ts";
import { SourceUnavailable } from "./source.ts";

/** The longest wait for one whole answer, or for one file. */
export const REQUEST_TIMEOUT_MS = 15_000;

/** How much one file may take. */
export interface FetchOptions {
  /** The longest content that is accepted. */
  readonly maxBytes: number;
  /** Asks only whether the file has changed, and remembers the answer for the next time. */
  readonly conditional?: boolean;
}

/** Gets files of one log. */
export interface Fetcher {
  /** The place of a path, for messages on a terminal. */
  locate(path: string): string;
  /**
   * The content of a file, or nothing if it is not there (HTTP 404 and 410).
   * @throws SourceUnavailable, AnswerTooLarge and UnexpectedStatus among its kinds
   */
  get(path: string, options: FetchOptions): Promise<Uint8Array | undefined>;
  /** Forgets what it remembers for conditional requests, because the file was not a right one. */
  forget?(): void;
}

/** There is an answer, and it is longer than allowed. */
export class AnswerTooLarge extends SourceUnavailable {}

/**
 * There is an HTTP answer. Its status means neither that the file is there nor that it is missing.
 */
export class UnexpectedStatus extends SourceUnavailable {
  constructor(message: string, readonly status: number, retryAfterMs?: number) {
    super(message, retryAfterMs);
  }
}

/** A log behind a URL prefix. */
export class HttpFetcher implements Fetcher {
  readonly #prefix: string;
  readonly #client: HttpClient;

  /**
   * @param prefix http(s) URL; paths are appended after a slash
   * @param contact who answers for the requests: a URL or mail address, for the User-Agent
   * @throws MalformedError if either cannot be used
   */
  constructor({ world, prefix, contact }: { world: World; prefix: string; contact: string }) {
    this.#prefix = checkPrefix(prefix);
    this.#client = new HttpClient({ world, contact, timeoutMs: REQUEST_TIMEOUT_MS });
  }

  locate(path: string): string {
    return printable(this.#prefix + path);
  }

  forget(): void {
    this.#client.forget();
  }

  async get(path: string, options: FetchOptions): Promise<Uint8Array | undefined> {
    const where = this.locate(path);
    let result;
    try {
      result = await this.#client.get({ url: this.#prefix + path, ...options });
    } catch (error) {
      throw unavailable(where, error);
    }
    switch (result.kind) {
      case "content":
        return result.body;
      case "absent":
        return undefined;
      case "refused":
        throw new UnexpectedStatus(
          `Cannot get ${where}: it answers with HTTP status ${result.status}`,
          ...[result.status, result.retryAfterMs] as const,
        );
      case "put off":
        // A look, and the settling beside it, use one client.
        throw new SourceUnavailable(
          `Cannot get ${where}: the log asked to be asked again later`,
          result.retryAfterMs,
        );
    }
  }
}

/**
 * Checks a URL prefix and gives it one slash at its end.
 * @throws MalformedError naming the part that has no place in it
 */
function checkPrefix(prefix: string): string {
  const url = URL.parse(prefix);
  if (url === null || !/^https?:\/\//.test(prefix)) {
    throw new MalformedError(`URL is ${quoted(prefix)}, expected http://HOST/… or https://HOST/…`);
  }
  // Paths are appended, and the URL is shown in messages.
  if (url.search !== "" || url.hash !== "" || /[?#]/.test(prefix)) {
    throw new MalformedError(`URL is ${quoted(prefix)}, expected no ? or # in it`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new MalformedError(`URL of ${quoted(url.host)} has a name or password, expected none`);
  }
  // A match can begin only at the first slash of a run. If it could begin at each, many in a row
  // would take quadratic time.
  return url.href.replace(/(?<!\/)\/*$/, "/");
}

/**
 * A log in a folder of this machine, or of one that is mounted. The other end of a mount may never
 * answer, and a read cannot be cancelled. So a read that takes too long is left to itself.
 */
export class FolderFetcher implements Fetcher {
  readonly #world: World;
  readonly #folder: string;
  /** Reads that were left to themselves and have not ended. */
  #abandoned = 0;

  constructor({ world, folder }: { world: World; folder: string }) {
    this.#world = world;
    this.#folder = folder;
  }

  locate(path: string): string {
    return printable(join(this.#folder, path));
  }

  async get(path: string, { maxBytes }: FetchOptions): Promise<Uint8Array | undefined> {
    try {
      return await this.#inTime(() => this.#read(path, maxBytes));
    } catch (error) {
      if (error instanceof WorldError && error.kind === "not found") return undefined;
      throw unavailable(this.locate(path), error);
    }
  }

  /** @throws WorldError also if the file is not read within `REQUEST_TIMEOUT_MS` */
  async #inTime(read: () => Promise<Uint8Array>): Promise<Uint8Array> {
    // Each of them holds a thread. There are only a few hundred, and the journals need some too.
    if (this.#abandoned > 0) {
      throw new WorldError("timed out", "an earlier read of this folder has not ended yet");
    }
    const reading = read();
    const tooLate = Promise.withResolvers<never>();
    const timer = this.#world.clock.after(REQUEST_TIMEOUT_MS, () => {
      this.#abandoned++;
      const ended = (): void => void this.#abandoned--;
      reading.then(ended, ended);
      tooLate.reject(new WorldError("timed out", `not read within ${REQUEST_TIMEOUT_MS} ms`));
    });
    try {
      return await Promise.race([reading, tooLate.promise]);
    } finally {
      timer.cancel();
    }
  }

  async #read(path: string, maxBytes: number): Promise<Uint8Array> {
    const file = await this.#world.files.open(join(this.#folder, path), "read");
    try {
      // One byte more than allowed is read. So a file that is too long differs from one that just
      // fits.
      const buffer = new Uint8Array(maxBytes + 1);
      const length = await readFully(file, buffer, 0);
      if (length > maxBytes) {
        throw new WorldError("too large", `the file is longer than ${maxBytes} bytes`);
      }
      return buffer.slice(0, length);
    } finally {
      file.close();
    }
  }
}

/**
 * The error of a source for an error of the world. Any error other than a WorldError is a bug of
 * ours.
 */
function unavailable(where: string, error: unknown): unknown {
  if (!(error instanceof WorldError)) return error;
  const message = `Cannot get ${where}: ${printable(error.message)}`;
  return error.kind === "too large" ? new AnswerTooLarge(message) : new SourceUnavailable(message);
}

/**
 * A log's latest signed statement, which must be there.
 * @throws SourceUnavailable
 */
export async function fetchLatest(
  { fetcher, path, maxBytes }: { fetcher: Fetcher; path: string; maxBytes: number },
): Promise<Uint8Array> {
  const latest = await fetcher.get(path, { maxBytes, conditional: true });
  if (latest !== undefined) return latest;
  throw new SourceUnavailable(`Cannot get ${fetcher.locate(path)}: it is not there`);
}

/**
 * The latest of a log that serves it as something else than a note, made into one.
 * @param read makes the note; it throws MalformedError for what it cannot read
 * @throws SourceUnavailable
 */
export async function fetchNote({ fetcher, path, read }: {
  fetcher: Fetcher;
  path: string;
  read: (answer: Uint8Array) => string;
}): Promise<Uint8Array> {
  const answer = await fetchLatest({ fetcher, path, maxBytes: MAX_NOTE_BYTES });
  try {
    return utf8(read(answer));
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new SourceUnavailable(`Cannot read ${fetcher.locate(path)}: ${error.message}`);
  }
}
