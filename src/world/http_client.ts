/**
 * A client of one service over HTTP. It is polite to servers of others: it says who asks, asks only
 * for changes, waits as long as the server says, and reads no more than it needs. Nothing that it
 * gives is authenticated.
 *
 * @module
 */
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { parseHttpDate } from "./http_date.ts";
import { getRedirected } from "./redirects.ts";
import { SOFTWARE } from "./version.ts";
import type { HttpResponse, World } from "./world.ts";

/** The contact as long as the operator gives none. No server is told it. */
export const NO_CONTACT = "no contact given";
/**
 * The longest wait that a server can ask for. A server that asks for a year must not silence a
 * monitor.
 */
export const MAX_RETRY_AFTER_MS = 60 * 60 * 1000;
/** The longest contact, and the longest ETag or Last-Modified that is sent back to a server. */
export const MAX_HEADER_CHARACTERS = 256;
/**
 * The least age of a Last-Modified that is sent back. A younger one could belong to two contents,
 * if a second one is published within the same second. RFC 9110 section 8.8.2.2 asks for one
 * second, for a server with one clock.
 */
export const MIN_LAST_MODIFIED_AGE_MS = 2_000;
/** The most answers "not modified" in a row. After that the whole content is requested. */
export const MAX_UNMODIFIED = 10;
/**
 * The longest time for which "not modified" is believed of one whole answer, by the monotonic
 * clock.
 */
export const MAX_REMEMBERED_MS = 5 * 60 * 1000;

const STATUS = {
  ...{ ok: 200, notModified: 304, notFound: 404, gone: 410 },
  ...{ tooManyRequests: 429, unavailable: 503 },
};

/**
 * A remembered answer, and the conditions with which to ask whether it still holds (RFC 9110
 * section 13).
 */
interface Remembered {
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
  /** When it came, by the monotonic clock. */
  readonly cameAt: number;
  /** How often the server has said since then that it still holds. */
  unmodified: number;
}

/** The result of asking for one file. */
export type HttpResult =
  | { readonly kind: "content"; readonly body: Uint8Array }
  /** The file is not there (HTTP 404 and 410). */
  | { readonly kind: "absent" }
  /** Any other status; with the wait it asks for, if it asks for one. */
  | { readonly kind: "refused"; readonly status: number; readonly retryAfterMs: number | undefined }
  /** The service was not asked, because it asked for a pause of this length. */
  | { readonly kind: "put off"; readonly retryAfterMs: number };

/** A service over HTTP. */
export class HttpClient {
  readonly #world: Pick<World, "clock" | "http">;
  readonly #userAgent: string;
  readonly #timeoutMs: number;
  readonly #remembered = new Map<string, Remembered>();
  /** By the monotonic clock: the service asked for no requests at all before this. */
  #putOffUntil = -Infinity;

  /**
   * @param contact who answers for the requests, for the User-Agent: a URL or mail address, or
   *   NO_CONTACT
   * @param timeoutMs longest wait for one whole answer, redirects included
   * @throws MalformedError if the contact cannot be used
   */
  constructor(
    { world, contact, timeoutMs }: {
      world: Pick<World, "clock" | "http">;
      contact: string;
      timeoutMs: number;
    },
  ) {
    this.#world = world;
    const told = checkContact(contact) === NO_CONTACT ? "" : ` (+${contact})`;
    this.#userAgent = `${SOFTWARE}${told}`;
    this.#timeoutMs = timeoutMs;
  }

  /** Forgets what it remembers for conditional requests, because the answer was not a right one. */
  forget(): void {
    this.#remembered.clear();
  }

  /**
   * Asks for one file, unless the service asked for a pause. A service that puts off one request
   * puts off all, because they come from one client.
   * @param maxBytes the longest content taken
   * @param conditional asks only for what changed since the last time, and remembers the answer for
   *   that
   * @throws WorldError if nobody answers in time, or the answer is `too large`, or it redirects to
   *   a forbidden place
   */
  async get(
    { url, maxBytes, conditional = false }: {
      url: string;
      maxBytes: number;
      conditional?: boolean;
    },
  ): Promise<HttpResult> {
    const remembered = conditional ? this.#believed(url) : undefined;
    const putOff = this.#putOff();
    if (putOff !== undefined) return putOff;
    const response = await getRedirected(this.#world, {
      url,
      headers: { "user-agent": this.#userAgent, ...remembered?.headers },
      timeoutMs: this.#timeoutMs,
      maxBytes,
    });
    const { status } = response;
    if (status === STATUS.notModified && remembered !== undefined) {
      remembered.unmodified++;
      return { kind: "content", body: remembered.body };
    }
    if (status === STATUS.ok && conditional) this.#remember(url, response);
    return this.#resultOf(response);
  }

  /**
   * Posts something, with the same manners. A redirect is not followed: it is refused.
   * @param maxBytes the longest content taken of the answer
   * @throws WorldError if nobody answers in time, or with too much (`too large`)
   */
  async post(
    { url, content, maxBytes }: {
      url: string;
      content: Uint8Array<ArrayBuffer>;
      maxBytes: number;
    },
  ): Promise<HttpResult> {
    const putOff = this.#putOff();
    if (putOff !== undefined) return putOff;
    const response = await this.#world.http.request({
      ...{ url, content, maxBytes, timeoutMs: this.#timeoutMs },
      headers: { "user-agent": this.#userAgent, "content-type": "text/plain; charset=utf-8" },
    });
    return this.#resultOf(response);
  }

  #putOff(): HttpResult | undefined {
    const leftMs = Math.floor(this.#putOffUntil - this.#world.clock.monotonic());
    return leftMs > 0 ? { kind: "put off", retryAfterMs: leftMs } : undefined;
  }

  #resultOf(response: HttpResponse): HttpResult {
    const { status, body } = response;
    if (status === STATUS.notFound || status === STATUS.gone) return { kind: "absent" };
    return status === STATUS.ok ? { kind: "content", body } : this.#refused(response);
  }

  /**
   * The remembered answer of a URL, unless it is time to ask for the whole content. Two contents
   * may share a validator, and a cache may be wrong. Either can hide a new content only for that
   * long.
   */
  #believed(url: string): Remembered | undefined {
    const remembered = this.#remembered.get(url);
    if (remembered === undefined || remembered.unmodified >= MAX_UNMODIFIED) return undefined;
    const age = this.#world.clock.monotonic() - remembered.cameAt;
    return age < MAX_REMEMBERED_MS ? remembered : undefined;
  }

  #refused({ status, header }: HttpResponse): HttpResult {
    const asksToWait = status === STATUS.tooManyRequests || status === STATUS.unavailable;
    const retryAfterMs = asksToWait ? this.#retryAfterMs(header("retry-after")) : undefined;
    const until = this.#world.clock.monotonic() + (retryAfterMs ?? 0);
    this.#putOffUntil = Math.max(this.#putOffUntil, until);
    return { kind: "refused", status, retryAfterMs };
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
 * The conditions with which to ask whether an answer still holds. None if nothing in it
 * distinguishes one content from the next.
 * @param now when the answer came, in milliseconds since 1970
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
    // Many servers compute the ETag from the same time, so it says no more than that time.
    if (!isOld) return {};
    repeat("if-modified-since", lastModified);
  }
  // SPEC: a weak validator might not change for every change to the representation data.
  if (etag !== undefined && !etag.startsWith("W/")) repeat("if-none-match", etag);
  return conditions;
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
