import type { HttpGossip } from "../monitor/http_gossip.ts";
import type { Status } from "../monitor/status.ts";
import type { HttpAnswer, HttpQuery } from "../world/world.ts";
import { answerGossip, GOSSIP_PATH } from "./gossip_server.ts";
import { answerStatus } from "./status_server.ts";

/**
 * Answers a request at a daemon's HTTP address: its status, and comparisons if it offers them.
 * @param hostname the configured address to listen on
 */
export async function answerHttp(
  query: HttpQuery,
  { hostname, status, gossip }: {
    hostname: string;
    status: () => Status;
    gossip: () => HttpGossip | undefined;
  },
): Promise<HttpAnswer> {
  const offered = query.path.startsWith(GOSSIP_PATH) ? gossip() : undefined;
  return offered === undefined
    ? answerStatus(query, { hostname, status })
    : await answerGossip(query, offered);
}
