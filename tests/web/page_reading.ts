/** Reads a daemon's page without a socket. */
import { assertEquals } from "@std/assert";
import type { PageSource } from "../../src/monitor/page_source.ts";
import { answerHttp } from "../../src/web/http_server.ts";
import type { HttpAnswer } from "../../src/world/world.ts";
import { daemonPageOf } from "./page_statuses.ts";

/** How a page is asked for. */
export interface Asked {
  readonly method?: string;
  readonly host?: string;
}

/** Asks for a path of a page, without a socket. */
export function ask(
  page: PageSource,
  path: string,
  { method = "GET", host = "localhost" }: Asked = {},
): Promise<HttpAnswer> {
  const [file, search = ""] = path.split("?") as [string, string?];
  return answerHttp({
    ...{ method, path: file, search, caller: { hostname: "127.0.0.1", port: 1 } },
    header: (name) => name === "host" ? host : undefined,
    content: () => Promise.resolve(new Uint8Array(0)),
  }, { hostname: "127.0.0.1", ...daemonPageOf(page) });
}

/** The text of a page that is there. */
export async function read(page: PageSource, path = "/"): Promise<string> {
  const { status, body } = await ask(page, path);
  assertEquals(status, 200, path);
  return new TextDecoder().decode(body);
}

/** The words of a page, as somebody hears them. */
export function words(text: string): string {
  return text.replace(/<[^>]*>/g, " ").replace(/&#39;/g, "'").replace(/&quot;/g, '"').replace(
    /&amp;/g,
    "&",
  )
    .replace(/\s+/g, " ");
}
