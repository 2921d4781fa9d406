/**
 * Decodes content codings (RFC 9110 section 8.4.1) within a bound. We request none, because the
 * platform's own decoder stops after the first member of a gzip. Then the missing rest would look
 * like a log that withholds. Some servers send gzip all the same, because it saves them the
 * decoding.
 *
 * @module
 */
import { gunzipSync } from "node:zlib";
import { WorldError } from "./world.ts";

/** The most that gzip adds to what it cannot make shorter: headers and trailers of its members. */
export const MAX_GZIP_OVERHEAD_BYTES = 1_024;

/** SPEC: A recipient SHOULD consider "x-gzip" to be equivalent to "gzip". */
const GZIP = new Set(["gzip", "x-gzip"]);
/**
 * Compressions that are not decoded. This platform's brotli takes content that was cut off for
 * whole.
 */
const UNREADABLE = new Set(["br", "compress", "x-compress", "dcb", "dcz", "deflate", "zstd"]);

/**
 * Whether a content is gzip. Values that are no coding change nothing: `identity`, and the `utf-8`
 * and `aws-chunked` of servers that are set up wrongly.
 * @param header the value of Content-Encoding
 * @throws WorldError for a compression that is not decoded, or more than one
 */
export function isGzip(header: string | undefined): boolean {
  const named = (header ?? "").toLowerCase().split(",").map((coding) => coding.trim());
  const codings = named.filter((coding) => GZIP.has(coding) || UNREADABLE.has(coding));
  if (codings.length > 1 || codings.some((coding) => UNREADABLE.has(coding))) {
    const what = codings.slice(0, 2).join(", ");
    throw new WorldError("other", `the answer comes as ${what}, which was not requested`);
  }
  return codings.length === 1;
}

/**
 * The content of a gzip, with all its members (RFC 1952 section 2.2).
 * @throws WorldError if it is not whole, "too large" if more than `maxBytes` would come out
 */
export function gunzip(bytes: Uint8Array, maxBytes: number): Uint8Array<ArrayBuffer> {
  try {
    // One byte more, because the decoder takes no bound of 0.
    const content = gunzipSync(bytes, { maxOutputLength: maxBytes + 1 });
    // The decoder's own array is a Buffer, so it is copied.
    if (content.length <= maxBytes) return new Uint8Array(content);
  } catch (error) {
    // An error of zlib about its input has a code. An error without one is no fault of the input.
    if (!(error instanceof Error) || !("code" in error)) throw error;
    if (error.code !== "ERR_BUFFER_TOO_LARGE") {
      throw new WorldError("other", `the answer is no whole gzip: ${error.message}`);
    }
  }
  throw new WorldError("too large", `the answer is longer than ${maxBytes} bytes`);
}
