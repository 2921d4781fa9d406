import type { HttpAnswer, HttpQuery } from "../world/world.ts";
import { problem } from "./answers.ts";
import { API_ROUTES } from "./api.ts";
import { HEALTH_ROUTES } from "./health.ts";
import { METRICS_ROUTES } from "./metrics.ts";
import { READING, type Route, routeOf, type StatusPage } from "./route.ts";

/** Everything that is served at a daemon's HTTP address, besides comparisons. */
export const ROUTES: readonly Route[] = [...HEALTH_ROUTES, ...METRICS_ROUTES, ...API_ROUTES];

/** Hosts that always mean the caller's own machine. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const IP_LITERAL = /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])$/;
/** Addresses that mean: listen on every address of this machine. */
const ANY_ADDRESS = ["0.0.0.0", "::"];

/**
 * Answers what is in ROUTES, and nothing else. A web page of another site could let its own name point
 * to this port and read the answers (DNS rebinding). So a request is answered only if its Host header
 * is one of our names or, where we listen on every address, an IP address: neither can be another
 * site's name.
 * @param hostname the configured address to listen on
 */
export async function answerStatus(
  query: HttpQuery,
  { hostname, ...page }: StatusPage & { hostname: string },
): Promise<HttpAnswer> {
  if (!isOurs(query.header("host") ?? "", hostname)) {
    return problem(421, "the Host header is none of this monitor's names");
  }
  const found = routeOf(query.path, ROUTES);
  if (found === undefined) return problem(404, "there is no such path");
  const { route, named } = found;
  const { methods = READING } = route;
  if (methods.includes(query.method)) return await route.answer({ query, named }, page);
  const refused = problem(405, `expected ${methods.join(", ")}`);
  return { ...refused, headers: { ...refused.headers, allow: methods.join(", ") } };
}

/** Whether a Host header names us. Its port is not compared, as it may be that of a tunnel. */
export function isOurs(header: string, hostname: string): boolean {
  const host = header.toLowerCase().replace(/:\d*$/, "");
  const configured = hostname.includes(":") ? `[${hostname}]` : hostname;
  return LOOPBACK.test(host) || host === configured.toLowerCase() ||
    (ANY_ADDRESS.includes(hostname) && IP_LITERAL.test(host));
}
