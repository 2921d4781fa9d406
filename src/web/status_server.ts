import type { Status } from "../monitor/status.ts";
import { utf8 } from "../tlog/encoding.ts";
import type { HttpAnswer, HttpQuery } from "../world/world.ts";

/** The path of the status. */
export const STATUS_PATH = "/status";

/** Hosts that always mean the caller's own machine. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const IP_LITERAL = /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])$/;
/** Addresses that mean: listen on every address of this machine. */
const ANY_ADDRESS = ["0.0.0.0", "::"];

/**
 * Answers `GET /status` with a daemon's status as JSON, and nothing else. A web page of another site
 * could let its own name point to this port and read the answers (DNS rebinding). So a request is
 * answered only if its Host header is one of our names or, where we listen on every address, an IP
 * address: neither can be another site's name.
 * @param hostname the configured address to listen on
 */
export function answerStatus(
  query: HttpQuery,
  { hostname, status }: { hostname: string; status: () => Status },
): HttpAnswer {
  if (!isOurs(query.header("host") ?? "", hostname)) return { status: 421 };
  if (query.path !== STATUS_PATH) return { status: 404 };
  if (query.method !== "GET" && query.method !== "HEAD") {
    return { status: 405, headers: { allow: "GET, HEAD" } };
  }
  return {
    status: 200,
    headers: { "content-type": "application/json", "cache-control": "no-store" },
    body: utf8(JSON.stringify(status()) + "\n"),
  };
}

/** Whether a Host header names us. Its port is not compared, as it may be that of a tunnel. */
export function isOurs(header: string, hostname: string): boolean {
  const host = header.toLowerCase().replace(/:\d*$/, "");
  const configured = hostname.includes(":") ? `[${hostname}]` : hostname;
  return LOOPBACK.test(host) || host === configured.toLowerCase() ||
    (ANY_ADDRESS.includes(hostname) && IP_LITERAL.test(host));
}
