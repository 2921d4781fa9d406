/**
 * What the HTTP servers here answer in the same way.
 *
 * @module
 */
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
