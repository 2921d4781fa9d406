/**
 * A client of one service over HTTP, with the manners that a stranger's server may expect: it says
 * who asks, asks only for what changed, waits as long as it is told to, and takes no more than it
 * wants. Nothing it gives is authenticated.
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
/** Longest wait a server can ask of us: one that asks for a year must not silence a monitor. */
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

/** What came of asking for one file. */
export type HttpResult =
  | { readonly kind: "content"; readonly body: Uint8Array }
  /** It is not there (HTTP 404 and 410). */
  | { readonly kind: "absent" }
  /** Any other status; with the wait it asks for, if it asks for one. */
  | { readonly kind: "refused"; readonly status: number; readonly retryAfterMs: number | undefined }
  /** It was not asked, since it asked not to be asked for so long. */
  | { readonly kind: "put off"; readonly retryAfterMs: number };

/** One service that is asked over HTTP. */
export class HttpClient {
  readonly #world: Pick<World, "clock" | "http">;
  readonly #userAgent: string;
  readonly #timeoutMs: number;
  readonly #remembered = new Map<string, Remembered>();
  /** By the monotonic clock: before this the service asked not to be asked, whatever for. */
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

  /** Forgets what it remembers for conditional requests: it was not what it should be. */
  forget(): void {
    this.#remembered.clear();
  }

  /**
   * Asks for one file, unless the service asked to be left alone: whoever puts one request off puts
   * off all, since they come from one client.
   * @param maxBytes the longest content taken
   * @param conditional asks only for what changed since the last time, and remembers the answer for
   *   that
   * @throws WorldError if nobody answers in time, or with too much (`too large`), or redirects where
   *   it may not
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
   * What is remembered of a URL, unless it is time to ask for the whole: two publications that
   * share a validator, or a cache that is wrong, hide what is new for so long and no longer.
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
