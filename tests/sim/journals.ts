/**
 * The journals of simulated monitors over HTTP: the real answers of a daemon, on the simulated network.
 *
 * @module
 */
import { answerFederation } from "../../src/web/federation_server.ts";
import { type HttpRequest, type HttpResponse, WorldError } from "../../src/world/world.ts";
import type { Draw } from "./draw.ts";
import type { SimMonitor } from "./monitor.ts";
import type { SimTime } from "./time.ts";

/** The longest way of a request, and of its answer, in milliseconds. */
const WAY_MS = 200;

/** Where a monitor publishes its journal. */
export function journalUrl(hostname: string): string {
  return `http://${hostname}:9901/`;
}

/**
 * Asks a monitor that publishes its journal. If it is down, is cut off, or ends meanwhile, the caller
 * hears that nobody answers.
 * @param from the host that asks
 * @param isCut whether the link between two hosts is cut
 */
export async function askJournal(
  { url, content: posted, timeoutMs, maxBytes }: HttpRequest,
  { of, from, isCut, time, draw }: {
    of: SimMonitor;
    from: string;
    isCut: (from: string, to: string) => boolean;
    time: SimTime;
    draw: Draw;
  },
): Promise<HttpResponse> {
  const { hostname, pathname, search } = new URL(url);
  await time.pause(draw.share() * WAY_MS);
  const { daemon } = of;
  if (isCut(from, hostname)) {
    await time.pause(timeoutMs);
    throw new WorldError("timed out", `no answer within ${timeoutMs} ms`);
  }
  if (daemon?.federating === undefined || of.machine.isDown) throw refused();
  const { log, gate, failed } = daemon.federating;
  const content = posted ?? new Uint8Array(0);
  const page = { log, gate, failed, mirrors: () => daemon.federating?.mirrors };
  const answering = answerFederation({
    ...{ method: posted === undefined ? "GET" : "POST", path: pathname, search: search.slice(1) },
    caller: { hostname: from, port: 1 },
    header: (name) => name === "content-length" ? `${content.length}` : undefined,
    content: () => Promise.resolve(content),
  }, page);
  // A program that is killed meanwhile answers nothing more.
  const answer = await Promise.race([answering, time.pause(timeoutMs)]);
  if (answer === undefined) throw refused();
  await time.pause(draw.share() * WAY_MS);
  if (of.daemon !== daemon || isCut(from, hostname)) throw refused();
  const bytes = answer.body ?? new Uint8Array(0);
  if (bytes.length > maxBytes) {
    throw new WorldError("too large", `the answer is longer than ${maxBytes} bytes`);
  }
  return {
    status: answer.status,
    body: answer.status === 200 ? bytes : new Uint8Array(0),
    header: (name) => answer.headers?.[name],
  };
}

function refused(): WorldError {
  return new WorldError("other", "Connection refused (os error 111)");
}
