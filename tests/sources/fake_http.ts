/** HTTP and files in memory, for tests of the sources: no sockets, no waiting. */
import { denoWorld } from "../../src/world/deno.ts";
import type { HttpRequest, HttpResponse, World } from "../../src/world/world.ts";
import { WorldError } from "../../src/world/world.ts";

/** What a server answers: a status, headers by their lower-case names, a body. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** Answers a request, or nothing for a 404; it may throw a WorldError. */
export type Server = (path: string, request: HttpRequest) => Answer | undefined;

/** The time it is in a fake world. */
export const NOW = new Date("2026-03-01T12:00:00Z");

/**
 * A world whose HTTP is one server, and which remembers the requests made.
 * @param addresses what host names lead to; others are not known
 */
export function fakeWorld(
  server: Server,
  addresses: Readonly<Record<string, readonly string[]>> = {},
): { world: World; requests: HttpRequest[] } {
  const requests: HttpRequest[] = [];
  const real = denoWorld();
  const answer = async (request: HttpRequest): Promise<HttpResponse> => {
    await Promise.resolve();
    requests.push(request);
    const { status = 200, headers = {}, body = "" } =
      server(new URL(request.url).pathname, request) ?? { status: 404 };
    const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
    // As the real one does.
    if (bytes.length > request.maxBytes) {
      throw new WorldError("too large", `the answer is longer than ${request.maxBytes} bytes`);
    }
    return { status, header: (name) => headers[name], body: bytes };
  };
  const lookup = async (hostname: string): Promise<readonly string[]> => {
    await Promise.resolve();
    const found = addresses[hostname];
    if (found !== undefined) return found;
    throw new WorldError("other", `getaddrinfo ENOTFOUND ${hostname}`);
  };
  const clock = { ...real.clock, now: () => NOW };
  return { world: { ...real, clock, http: { ...real.http, request: answer, lookup } }, requests };
}
