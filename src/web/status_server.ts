import type { Status } from "../monitor/status.ts";
import { utf8 } from "../tlog/encoding.ts";
import type { HttpAnswer, HttpQuery } from "../world/world.ts";

/** Where the status is found. */
export const STATUS_PATH = "/status";

/** A host that is this machine to whoever says it. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const IP_LITERAL = /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])$/;
/** Where a server listens on every address of its machine. */
const ANY_ADDRESS = ["0.0.0.0", "::"];

/**
 * Answers `GET /status` with what a daemon says of itself, as JSON, and nothing else. A page of
 * another site can have a name of its own lead to this port (DNS rebinding) and read what is answered
 * under it; so only the names that are ours are answered, and literal addresses, which no name can be.
 * @param hostname where it is configured to listen
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

/** Whether a Host header names us; the port in it is no matter, it may be that of a tunnel. */
function isOurs(header: string, hostname: string): boolean {
  const host = header.toLowerCase().replace(/:\d*$/, "");
  const configured = hostname.includes(":") ? `[${hostname}]` : hostname;
  return LOOPBACK.test(host) || host === configured.toLowerCase() ||
    (ANY_ADDRESS.includes(hostname) && IP_LITERAL.test(host));
}
