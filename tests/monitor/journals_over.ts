/** Daemons that mirror each other's journals over HTTP, in memory. */
import { utf8 } from "../../src/tlog/encoding.ts";
import type { FederationSettings } from "../../src/federation/settings.ts";
import { answerFederation } from "../../src/web/federation_server.ts";
import { denoWorld } from "../../src/world/deno.ts";
import {
  type Http,
  type HttpAnswer,
  type HttpRequest,
  type HttpResponse,
  WorldError,
} from "../../src/world/world.ts";
import { type Host, MINUTE } from "./hosts.ts";

/** The base URL of a host's journal. */
export function urlOf({ address: { hostname } }: Host): string {
  return `http://${hostname}/journal/`;
}

/** What a host does that mirrors these, and may be pushed to. */
export function mirroring(
  hosts: readonly Host[],
  more: Partial<FederationSettings> = {},
): FederationSettings {
  return {
    ...{ admit: "members", perSecondPerAddress: 1_000, perSecond: 10_000 },
    http: { hostname: "127.0.0.1", port: 0 },
    mirrors: hosts.map((host) => ({
      ...{ vkey: host.signer.vkey, url: urlOf(host), everyMs: MINUTE },
    })),
    ...more,
  };
}

/** Answers in place of a host; nothing to let the host answer. */
export type InPlace = (asked: {
  readonly path: string;
  readonly method: string;
}) => HttpAnswer | undefined;

/** HTTP among hosts. What they ask is counted in `asked`. */
export class JournalsOver {
  readonly asked: string[] = [];
  /** By the host's name. */
  readonly inPlace = new Map<string, InPlace>();
  readonly #hosts: readonly Host[];

  constructor(hosts: readonly Host[]) {
    this.#hosts = hosts;
    for (const host of hosts) host.http = this.#from(host);
  }

  #from(from: Host): Http {
    return { ...denoWorld().http, request: (request) => this.#request(from, request) };
  }

  async #request(
    from: Host,
    { url, content, maxBytes }: HttpRequest,
  ): Promise<HttpResponse> {
    const { hostname, pathname, search } = new URL(url);
    const method = content === undefined ? "GET" : "POST";
    const path = pathname.replace("/journal", "");
    this.asked.push(`${from.address.hostname} ${method} ${hostname}${path}${search}`);
    const host = this.#hosts.find(({ address }) => address.hostname === hostname);
    const federating = host?.daemon?.federating;
    const other = this.inPlace.get(hostname)?.({ path, method });
    if (other === undefined && (federating === undefined || !from.online || !host!.online)) {
      throw new WorldError("other", "Connection refused (os error 111)");
    }
    const { status, headers = {}, body } = other ?? await answerFederation({
      ...{ method, path, search: search.slice(1) },
      caller: { hostname: from.address.hostname, port: 50_000 },
      header: (name) => name === "content-length" ? `${content?.length}` : undefined,
      content: () => Promise.resolve(content ?? new Uint8Array(0)),
    }, {
      ...{ log: federating!.log, gate: federating!.gate, failed: federating!.failed },
      mirrors: () => federating!.mirrors,
    });
    if (status === 200 && body !== undefined && body.length > maxBytes) {
      throw new WorldError("too large", `more than ${maxBytes} bytes`);
    }
    return {
      status,
      header: (name) => headers[name],
      body: status === 200 ? body ?? utf8("") : new Uint8Array(0),
    };
  }
}
