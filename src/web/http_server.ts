import type { HttpGossip } from "../monitor/http_gossip.ts";
import type { PageSource } from "../monitor/page_source.ts";
import type { HttpAnswer, HttpQuery } from "../world/world.ts";
import { answerGossip, GOSSIP_PATH } from "./gossip_server.ts";
import { answerPage, isOfThePage } from "./page_server.ts";
import { answerStatus } from "./status_server.ts";

/**
 * Answers a request at a daemon's HTTP address: its page, its status, and comparisons if it offers them.
 * @param hostname the configured address to listen on
 */
export async function answerHttp(
  query: HttpQuery,
  { hostname, page, gossip }: {
    hostname: string;
    page: PageSource;
    gossip: () => HttpGossip | undefined;
  },
): Promise<HttpAnswer> {
  const offered = query.path.startsWith(GOSSIP_PATH) ? gossip() : undefined;
  if (offered !== undefined) return await answerGossip(query, offered);
  if (isOfThePage(query.path)) return await answerPage(query, { hostname, source: page });
  return answerStatus(query, { hostname, status: () => page.status() });
}
