import type { Status } from "../monitor/status.ts";
import { utf8 } from "../tlog/encoding.ts";
import type { HttpAnswer, HttpQuery } from "../world/world.ts";

/** Where the status is found. */
export const STATUS_PATH = "/status";

/** Answers `GET /status` with what a daemon says of itself, as JSON, and nothing else. */
export function answerStatus(query: HttpQuery, status: () => Status): HttpAnswer {
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
