/** Asks a host's daemon at its HTTP address, in memory. */
import { assert } from "@std/assert";
import { utf8 } from "../../src/tlog/encoding.ts";
import { answerHttp } from "../../src/web/http_server.ts";
import { denoWorld } from "../../src/world/deno.ts";
import type { Http } from "../../src/world/world.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { type Duties, Host } from "./hosts.ts";
import { noteOf, ScriptedSource } from "./scripted_source.ts";

/** An answer. */
export interface Told {
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Where the log of `logAt()` is compared. */
export const LOG_PATH = "/gossip/log.invalid%2Fone";

/** A request to a daemon. */
export interface Asked {
  readonly path: string;
  readonly method?: string;
  readonly content?: string | Uint8Array;
  /** The host that asks. */
  readonly from?: string;
  /** The Host header. */
  readonly named?: string;
}

/** Asks a daemon; a request with content is a POST. */
export async function askOver(
  { daemon }: Host,
  { path, content, method = content === undefined ? "GET" : "POST", ...how }: Asked,
): Promise<Told> {
  const { from = "192.0.2.7", named = "monitor.invalid" } = how;
  const { status, headers = {}, body } = await answerHttp({
    ...{ method, path, search: "", caller: { hostname: from, port: 50_000 } },
    header: (name) => name === "host" ? named : undefined,
    content: (maxBytes) => {
      const bytes = typeof content === "string" ? utf8(content) : content ?? new Uint8Array(0);
      assert(bytes.length <= maxBytes, "the server refuses more");
      return Promise.resolve(bytes);
    },
  }, {
    hostname: "127.0.0.1",
    page: daemon!,
    gossip: () => daemon!.httpGossip,
  });
  return { status, headers, text: new TextDecoder().decode(body) };
}

/** HTTP as a host uses it that reaches another daemon alone. */
export function httpTo(other: Host, from: string): Http {
  return {
    ...denoWorld().http,
    request: async ({ url, content, maxBytes }) => {
      const path = new URL(url).pathname;
      const { status, headers, text } = await askOver(other, {
        ...{ path, from },
        ...(content !== undefined && { content }),
      });
      const body = utf8(text);
      assert(body.length <= maxBytes);
      return { status, header: (name) => headers[name], body };
    },
  };
}

/** A daemon that is shown a log, and compares over HTTP. */
export async function offering(
  log: TestLog,
  { size, refusesIn, ...duties }: Partial<Duties> & { size?: number; refusesIn?: string } = {},
) {
  const host = await Host.make();
  const disk = host.refusableDisk(refusesIn);
  const source = new ScriptedSource(log, size);
  const all: Duties = { logs: [{ source }], httpGossip: true, ...duties };
  await host.start(all);
  return {
    ...{ host, disk, source, duties: all },
    post: (content: string | Uint8Array, from = "192.0.2.7"): Promise<Told> =>
      askOver(host, { path: LOG_PATH, content, from }),
    ask: (asked: Partial<Asked> = {}): Promise<Told> => askOver(host, { path: LOG_PATH, ...asked }),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

/** The first word of an answer with status 200; otherwise the status. */
export function wordOf({ status, text }: Told): string | number {
  return status === 200 ? text.split(":")[0]! : status;
}

/** Notes of a log at these sizes. */
export async function notesOf(log: TestLog, sizes: readonly number[]): Promise<string[]> {
  return await Promise.all(sizes.map((size) => noteOf(log, size)));
}
