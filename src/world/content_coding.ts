/**
 * Content codings (RFC 9110 section 8.4.1), undone with a bound. None is asked for: the platform's
 * own decoder stops after the first member of a gzip, and what it leaves out looks like a log that
 * withholds. Some servers send gzip all the same, to save themselves the decoding.
 *
 * @module
 */
import { gunzipSync } from "node:zlib";
import { WorldError } from "./world.ts";

/** The most that gzip adds to what it cannot make shorter: headers and trailers of its members. */
export const MAX_GZIP_OVERHEAD_BYTES = 1_024;

/** SPEC: A recipient SHOULD consider "x-gzip" to be equivalent to "gzip". */
const GZIP = new Set(["gzip", "x-gzip"]);
/** Compressions that are not undone: this platform's brotli takes what was cut off for whole. */
const UNREADABLE = new Set(["br", "compress", "x-compress", "dcb", "dcz", "deflate", "zstd"]);

/**
 * Whether a content is gzip. What is no coding (`identity`, and the `utf-8` and `aws-chunked` of
 * servers set up wrongly) changes nothing: such content is as it was.
 * @param header the value of Content-Encoding
 * @throws WorldError for a compression that is not read, or more than one
 */
export function isGzip(header: string | undefined): boolean {
  const named = (header ?? "").toLowerCase().split(",").map((coding) => coding.trim());
  const codings = named.filter((coding) => GZIP.has(coding) || UNREADABLE.has(coding));
  if (codings.length > 1 || codings.some((coding) => UNREADABLE.has(coding))) {
    const what = codings.slice(0, 2).join(", ");
    throw new WorldError("other", `the answer comes as ${what}, which was not asked for`);
  }
  return codings.length === 1;
}

/**
 * What is in a gzip, all members of it (RFC 1952 section 2.2).
 * @throws WorldError if it is not whole, "too large" if more than `maxBytes` would come out
 */
export function gunzip(bytes: Uint8Array, maxBytes: number): Uint8Array<ArrayBuffer> {
  try {
    // One byte more, for the decoder takes no bound of 0.
    const content = gunzipSync(bytes, { maxOutputLength: maxBytes + 1 });
    // Not the decoder's own array, which is a Buffer.
    if (content.length <= maxBytes) return new Uint8Array(content);
  } catch (error) {
    // What zlib says of its input has a code; whatever has none is no fault of the input.
    if (!(error instanceof Error) || !("code" in error)) throw error;
    if (error.code !== "ERR_BUFFER_TOO_LARGE") {
      throw new WorldError("other", `the answer is no whole gzip: ${error.message}`);
    }
  }
  throw new WorldError("too large", `the answer is longer than ${maxBytes} bytes`);
}
