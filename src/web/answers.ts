/**
 * What the HTTP servers here answer in the same way.
 *
 * @module
 */
import { formatProblem, PROBLEM_TYPE } from "../federation/wire.ts";
import { utf8 } from "../tlog/encoding.ts";
import type { HttpAnswer } from "../world/world.ts";

/**
 * An answer that nobody keeps for later.
 * @param retryAfterS after how many seconds to ask again
 */
export function answer(
  status: number,
  type: string,
  body: Uint8Array<ArrayBuffer>,
  retryAfterS?: number,
): HttpAnswer {
  const headers = {
    ...{ "content-type": type, "cache-control": "no-store" },
    // A note may hold anything, markup too. No browser may take it for a page.
    "x-content-type-options": "nosniff",
    ...(retryAfterS !== undefined && { "retry-after": `${retryAfterS}` }),
  };
  return { status, headers, body };
}

/** An answer in JSON. */
export function jsonAnswer(status: number, value: unknown): HttpAnswer {
  return answer(status, "application/json", utf8(`${JSON.stringify(value)}\n`));
}

/** The titles of the refusals of a status server (RFC 9457), by their status. */
const TITLES: Readonly<Record<number, string>> = {
  400: "The request is malformed",
  404: "There is no such thing here",
  405: "The method is another",
  421: "Another host was asked for",
  503: "This monitor is not able to now",
};

/**
 * A refusal, as a problem document (RFC 9457). Its type is only a name: there is nothing to be read at
 * it.
 * @param detail a sentence that says what came and what was wanted
 */
export function problem(status: number, detail: string): HttpAnswer {
  const title = TITLES[status]!;
  const type = `urn:hearsay:problem:${status}`;
  return answer(status, PROBLEM_TYPE, utf8(formatProblem({ status, title, type, detail })));
}
