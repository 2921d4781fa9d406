/**
 * Answers of a log's server, and the ways in which they may be wrong.
 *
 * @module
 */
import fc from "fast-check";
import { sha256 } from "../../../src/tlog/hashing.ts";
import type { Answer } from "../../sources/fake_http.ts";
import { texts } from "./inputs.ts";
import { BYTE_CHANGES, mutated, type Step, STEPS } from "./mutate.ts";

/** One right answer, and the change that is made to it. */
export interface Distortion {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
}

const STATUSES = fc.oneof(
  { weight: 6, arbitrary: fc.constant(200) },
  fc.constantFrom(200, 204, 206, 301, 304, 400, 401, 404, 410, 429, 500, 503),
  fc.nat(1_000),
);

const HEADERS = fc.record({
  "retry-after": texts([
    ...["120", "0", "31536000", "Sun, 01 Mar 2026 12:10:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT"],
  ]),
  etag: texts(['"abc"', 'W/"x"']),
  "last-modified": texts(["Sun, 06 Nov 1994 08:49:37 GMT"]),
  "content-length": fc.constantFrom("5", "9223372036854775807", "-1"),
}, { requiredKeys: [] });

/** The fault of each of a server's answers, if it has one. */
export const DISTORTIONS = fc.array(
  fc.option(
    fc.record<Distortion>({
      status: STATUSES,
      headers: HEADERS as fc.Arbitrary<Record<string, string>>,
      steps: fc.oneof(fc.constant([]), STEPS),
    }),
    { nil: undefined },
  ),
  { maxLength: 6 },
);

/** The answer of a server to its nth request, distorted if that one is to be. */
export function distort(
  body: Uint8Array,
  distortion: Distortion | undefined,
): Answer & { body: Uint8Array } {
  if (distortion === undefined) return { body };
  const { status, headers, steps } = distortion;
  const other = sha256(body);
  return { status, headers, body: mutated({ sample: body, other, steps, changes: BYTE_CHANGES }) };
}
