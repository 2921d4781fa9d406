/**
 * Files of a log, by their path: over HTTP, with its manners, or out of a folder.
 *
 * @module
 */
import { join } from "@std/path/join";
import { MalformedError, printable, quoted } from "../tlog/malformed.ts";
import { parseHttpDate } from "../world/http_date.ts";
import { readFully } from "../world/reading.ts";
import { type HttpResponse, type World, WorldError } from "../world/world.ts";
import { getRedirected } from "./redirects.ts";
import { SourceUnavailable } from "./source.ts";

/** This program, in the User-Agent of its requests. */
export const PRODUCT = "Hearsay/0.1";
/** Longest wait for one whole answer, or one file. */
export const REQUEST_TIMEOUT_MS = 15_000;
/** Longest wait a log can ask of us: one that asks for a year must not silence its monitor. */
export const MAX_RETRY_AFTER_MS = 60 * 60 * 1000;
/** Longest contact, and longest ETag or Last-Modified repeated to a server. */
export const MAX_HEADER_CHARACTERS = 256;
/**
 * The least age of a Last-Modified when it is told: what is published later in a younger one's
 * second has the same. RFC 9110 section 8.8.2.2 asks for one second, of a server with one clock.
 */
export const MIN_LAST_MODIFIED_AGE_MS = 2_000;
/** Most answers "not modified" in a row; then the whole is asked for. */
export const MAX_UNMODIFIED = 10;
/** Longest time for which "not modified" is believed of one whole answer, by the monotonic clock. */
export const MAX_REMEMBERED_MS = 5 * 60 * 1000;

/** What one file may cost. */
export interface FetchOptions {
  /** The longest content taken. */
  readonly maxBytes: number;
  /** Asks only for what changed since the last time, and remembers the answer for that. */
  readonly conditional?: boolean;
}

/** Gets files of one log. */
export interface Fetcher {
  /** Where a path leads, for messages; fit for a terminal. */
  locate(path: string): string;
  /**
   * The content of a file, or nothing if it is not there (HTTP 404 and 410).
   * @throws SourceUnavailable, AnswerTooLarge and UnexpectedStatus among its kinds
   */
  get(path: string, options: FetchOptions): Promise<Uint8Array | undefined>;
  /** Forgets what it remembers for conditional requests: it was not what it should be. */
  forget?(): void;
}

/** There is an answer, and it is longer than anything wanted. */
export class AnswerTooLarge extends SourceUnavailable {}

/** There is an HTTP answer, with a status that is neither success nor absence. */
export class UnexpectedStatus extends SourceUnavailable {
  constructor(message: string, readonly status: number, retryAfterMs?: number) {
    super(message, retryAfterMs);
  }
}

const STATUS = {
  ...{ ok: 200, notModified: 304, notFound: 404, gone: 410 },
  ...{ tooManyRequests: 429, unavailable: 503 },
};

/** An answer remembered, and what to ask with whether it still holds (RFC 9110 section 13). */
interface Remembered {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** When it came, by the monotonic clock. */
  readonly cameAt: number;
  /** How often it was said since then that it still holds. */
  unmodified: number;
}

/** A log behind a URL prefix. */
export class HttpFetcher implements Fetcher {
  readonly #world: World;
  readonly #prefix: string;
  readonly #userAgent: string;
  readonly #remembered = new Map<string, Remembered>();
  /** By the monotonic clock: before this the log asked not to be asked, whatever for. */
  #putOffUntil = -Infinity;

  /**
   * @param prefix http(s) URL; paths are appended after a slash
   * @param contact who answers for the requests: a URL or mail address, for the User-Agent
   * @throws MalformedError if either cannot be used
   */
  constructor({ world, prefix, contact }: { world: World; prefix: string; contact: string }) {
    this.#world = world;
    this.#prefix = checkPrefix(prefix);
    this.#userAgent = `${PRODUCT} (+${checkContact(contact)})`;
  }

  locate(path: string): string {
    return printable(this.#prefix + path);
  }

  forget(): void {
    this.#remembered.clear();
  }

  async get(
    path: string,
    { maxBytes, conditional = false }: FetchOptions,
  ): Promise<Uint8Array | undefined> {
    const url = this.#prefix + path;
    const remembered = conditional ? this.#believed(url) : undefined;
    const response = await this.#ask({ url, maxBytes, headers: remembered?.headers ?? {} });
    if (response.status === STATUS.notModified && remembered !== undefined) {
      remembered.unmodified++;
      return remembered.body;
    }
    if (response.status === STATUS.notFound || response.status === STATUS.gone) return undefined;
    if (response.status !== STATUS.ok) throw this.#unexpected(url, response);
    if (conditional) this.#remember(url, response);
    return response.body;
  }

  /**
   * What is remembered of a URL, unless it is time to ask for the whole: two publications that
   * share a validator, or a cache that is wrong, hide what is new for so long and no longer.
   */
  #believed(url: string): Remembered | undefined {
    const remembered = this.#remembered.get(url);
    if (remembered === undefined || remembered.unmodified >= MAX_UNMODIFIED) return undefined;
    const age = this.#world.clock.monotonic() - remembered.cameAt;
    return age < MAX_REMEMBERED_MS ? remembered : undefined;
  }

  async #ask(
    { url, maxBytes, headers }: {
      url: string;
      maxBytes: number;
      headers: Readonly<Record<string, string>>;
    },
  ): Promise<HttpResponse> {
    this.#checkPutOff(url);
    try {
      return await getRedirected(this.#world, {
        url,
        headers: { "user-agent": this.#userAgent, ...headers },
        timeoutMs: REQUEST_TIMEOUT_MS,
        maxBytes,
      });
    } catch (error) {
      throw unavailable(printable(url), error);
    }
  }

  /**
   * A log that puts one request off puts off all: a look and what is settled beside it are one client.
   * @throws SourceUnavailable as long as it wants to be left alone
   */
  #checkPutOff(url: string): void {
    const leftMs = Math.floor(this.#putOffUntil - this.#world.clock.monotonic());
    if (leftMs <= 0) return;
    const message = `Cannot get ${printable(url)}: the log asked to be asked again later`;
    throw new SourceUnavailable(message, leftMs);
  }

  #unexpected(url: string, response: HttpResponse): UnexpectedStatus {
    const { status } = response;
    const asksToWait = status === STATUS.tooManyRequests || status === STATUS.unavailable;
    const waitMs = asksToWait ? this.#retryAfterMs(response.header("retry-after")) : undefined;
    const until = this.#world.clock.monotonic() + (waitMs ?? 0);
    this.#putOffUntil = Math.max(this.#putOffUntil, until);
    return new UnexpectedStatus(
      `Cannot get ${printable(url)}: it answers with HTTP status ${status}`,
      ...[status, waitMs] as const,
    );
  }

  /** Retry-After, in seconds or as a date (RFC 9110 section 10.2.3); nothing if it is neither. */
  #retryAfterMs(header: string | undefined): number | undefined {
    if (header === undefined) return undefined;
    const now = this.#world.clock.now().getTime();
    const until = parseHttpDate(header, now);
    const ms = /^\d+$/.test(header)
      ? Number(header) * 1000
      : until !== undefined
      ? Math.max(0, until - now)
      : undefined;
    return ms && Math.min(ms, MAX_RETRY_AFTER_MS);
  }

  #remember(url: string, { header, body }: HttpResponse): void {
    const { clock } = this.#world;
    const headers = conditionsOf(header, clock.now().getTime());
    const remembered = { body, headers, cameAt: clock.monotonic(), unmodified: 0 };
    if (Object.keys(headers).length > 0) this.#remembered.set(url, remembered);
    else this.#remembered.delete(url);
  }
}

/**
 * The conditions that find out whether an answer still holds; none if nothing in it would tell one
 * publication from the next.
 * @param now when it came, in milliseconds since 1970
 */
function conditionsOf(header: HttpResponse["header"], now: number): Record<string, string> {
  const conditions: Record<string, string> = {};
  const repeat = (name: string, value: string | undefined): void => {
    if (value !== undefined && value.length <= MAX_HEADER_CHARACTERS) conditions[name] = value;
  };
  const lastModified = header("last-modified");
  const etag = header("etag");
  if (lastModified !== undefined) {
    const modified = parseHttpDate(lastModified, now);
    // SPEC: without a Date, the time it was received (RFC 9110 section 6.6.1).
    const answered = parseHttpDate(header("date") ?? "", now) ?? now;
    const isOld = modified !== undefined && answered - modified >= MIN_LAST_MODIFIED_AGE_MS;
    // Many servers make the ETag of the same time, so that it tells no more than that.
    if (!isOld) return {};
    repeat("if-modified-since", lastModified);
  }
  // SPEC: a weak validator might not change for every change to the representation data.
  if (etag !== undefined && !etag.startsWith("W/")) repeat("if-none-match", etag);
  return conditions;
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
  // Looked for where it begins: from each slash on, many in a row would take quadratic time.
  return url.href.replace(/(?<!\/)\/*$/, "/");
}

/** A contact must fit a comment of the User-Agent (RFC 9110 section 5.6.5) unchanged. */
function checkContact(contact: string): string {
  const fits = /^[\x20-\x7e]+$/.test(contact) && !/[()\\]/.test(contact);
  if (!fits || contact.length > MAX_HEADER_CHARACTERS) {
    throw new MalformedError(
      `contact is ${quoted(contact)}, expected up to ${MAX_HEADER_CHARACTERS} ASCII characters ` +
        "without parentheses and backslashes",
    );
  }
  return contact;
}

/**
 * A log in a folder of this machine, or of one that is mounted. The other end of a mount may answer
 * nothing for ever, and no read can be broken off: one that takes too long is left to itself.
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
    // Each holds a thread, of which there are a few hundred, and the journals need some as well.
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
      // One byte more than is taken tells a file that is too long from one that just fits.
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

/** What the outside failing means for a source; anything but a WorldError is a bug of ours. */
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
