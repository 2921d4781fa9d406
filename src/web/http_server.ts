import type { ToldOverHttp } from "../monitor/told_over_http.ts";
import type { HttpAnswer, HttpQuery } from "../world/world.ts";
import { answerGossip, GOSSIP_PATH } from "./gossip_server.ts";
import { answerPage, isOfThePage } from "./page_server.ts";
import { answerStatus } from "./status_server.ts";

/**
 * Answers a request at a daemon's HTTP address: its page, what it tells programs of itself, and
 * comparisons if it offers them.
 * @param hostname the configured address to listen on
 */
export async function answerHttp(
  query: HttpQuery,
  { gossip, people, ...page }: ToldOverHttp & { hostname: string },
): Promise<HttpAnswer> {
  const offered = query.path.startsWith(GOSSIP_PATH) ? gossip() : undefined;
  if (offered !== undefined) return await answerGossip(query, offered);
  const { hostname } = page;
  if (isOfThePage(query.path)) return await answerPage(query, { hostname, source: people });
  return await answerStatus(query, page);
}
