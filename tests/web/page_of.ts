/** Asks a status server without a socket. */
import type { Cases } from "../../src/monitor/case_reader.ts";
import { Runbook } from "../../src/response/runbook.ts";
import type { Status } from "../../src/monitor/status.ts";
import { answerStatus } from "../../src/web/status_server.ts";
import type { StatusPage } from "../../src/web/route.ts";
import type { HttpAnswer, HttpQuery } from "../../src/world/world.ts";

/** A journal without cases. */
export const NO_CASES: Cases = {
  count: 0,
  runbook: new Runbook(),
  numbersOf: () => [],
  apart: () => [],
  after: () => [],
  newest: () => Promise.resolve([]),
  read: () => Promise.resolve(undefined),
};

/** A daemon's page that tells this status, has no cases and can write. */
export function pageOf(status: Partial<Status>, more: Partial<StatusPage> = {}): StatusPage {
  return {
    ...{ status: () => status as Status, cases: NO_CASES },
    ...{ tryWriting: () => Promise.resolve(undefined) },
    ...more,
  };
}

/** What is asked: a path with its query, and how. */
export interface AskedOf {
  readonly hostname?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks for a path, such as `/api/v1/logs?limit=2`. */
export function ask(page: StatusPage, url: string, how: AskedOf = {}): Promise<HttpAnswer> {
  const { hostname = "127.0.0.1", method = "GET", headers = { host: "localhost" } } = how;
  const [path = "", search = ""] = url.split("?");
  const query: HttpQuery = {
    ...{ method, path, search, caller: { hostname: "127.0.0.1", port: 50_000 } },
    header: (name) => headers[name],
    content: () => Promise.resolve(new Uint8Array(0)),
  };
  return answerStatus(query, { hostname, ...page });
}

/** The text of an answer. */
export function textIn({ body }: HttpAnswer): string {
  return new TextDecoder().decode(body);
}
