import type { DaemonPage } from "../monitor/daemon_page.ts";
import type { HttpAnswer, HttpQuery } from "../world/world.ts";
import { answerGossip, GOSSIP_PATH } from "./gossip_server.ts";
import { answerStatus } from "./status_server.ts";

/**
 * Answers a request at a daemon's HTTP address: what it tells of itself, and comparisons if it offers
 * them.
 * @param hostname the configured address to listen on
 */
export async function answerHttp(
  query: HttpQuery,
  { gossip, ...page }: DaemonPage & { hostname: string },
): Promise<HttpAnswer> {
  const offered = query.path.startsWith(GOSSIP_PATH) ? gossip() : undefined;
  return offered === undefined
    ? await answerStatus(query, page)
    : await answerGossip(query, offered);
}
