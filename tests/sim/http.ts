/**
 * HTTP from simulated monitors to simulated logs, with everything that can go wrong on the way.
 *
 * @module
 */
import { utf8 } from "../../src/tlog/encoding.ts";
import { type Http, type HttpResponse, WorldError } from "../../src/world/world.ts";
import type { Draw } from "./draw.ts";
import type { LogAnswer, Shown, SimLog } from "./logs.ts";
import type { SimTime } from "./time.ts";

/** The longest way of a request, and of its answer, in milliseconds, when nothing is wrong. */
const ANSWER_MS = 400;
/** The longest wait that a busy log asks for, in seconds. */
const MAX_RETRY_AFTER_S = 90;

/** Matches a path, and the number of the place before it if that is not the first place. */
const PLACE_PATH = /^\/(?:place-(\d)\/)?(.*)$/;
const GARBAGE = utf8("<html><h1>504 Gateway Time-out</h1></html>\n");

/**
 * HTTP as one process of a monitor uses it.
 * @param onAsked called when a request is made
 * @param onPutOff called when an answer arrives that asks to wait, with the seconds to wait
 * @param onShown called when a checkpoint has arrived
 */
export function simHttp({ logs, others, monitor, time, draw, isAlive, ...told }: {
  /** The logs, by host name. */
  logs: ReadonlyMap<string, SimLog>;
  /** Asks who is no log: another monitor, for its journal. */
  others: Http["request"];
  monitor: number;
  time: SimTime;
  draw: Draw;
  isAlive: () => boolean;
  onAsked: (log: SimLog, place: number) => void;
  onPutOff: (log: SimLog, place: number, seconds: number) => void;
  onShown: (log: SimLog, shown: Shown) => void;
}): Http {
  const { onAsked, onPutOff, onShown } = told;
  async function request(asking: Parameters<Http["request"]>[0]): Promise<HttpResponse> {
    const { url, headers, timeoutMs, maxBytes } = asking;
    const { hostname, pathname } = new URL(url);
    const log = logs.get(hostname);
    if (log === undefined) return await others(asking);
    const [, named, path] = PLACE_PATH.exec(pathname)!;
    const asked = { monitor, place: Number(named ?? 0) };
    onAsked(log, asked.place);
    const trouble = log.troubles.get(monitor);
    const { answerMs = ANSWER_MS } = log.plan;
    if (trouble === "hangs") {
      await time.pause(timeoutMs);
      throw new WorldError("timed out", `no answer within ${timeoutMs} ms`);
    }
    await time.pause(draw.share() * answerMs);
    if (trouble === "refuses" || log.isDown(asked.place)) {
      throw new WorldError("other", "Connection refused (os error 111)");
    }
    if (trouble === "busy") {
      const seconds = draw.between(0, MAX_RETRY_AFTER_S);
      if (isAlive()) onPutOff(log, asked.place, seconds);
      return answerOf(503, new Uint8Array(0), { "retry-after": `${seconds}` });
    }
    const putOffMs = log.putOffMs(asked, time.now);
    if (putOffMs !== undefined) {
      const seconds = Math.ceil(putOffMs / 1_000);
      if (isAlive()) onPutOff(log, asked.place, seconds);
      return answerOf(log.plan.limit!.status, new Uint8Array(0), { "retry-after": `${seconds}` });
    }
    const answer = await log.answer(asked, path!, time.now);
    // The answer's way back. Meanwhile the log may be asked again.
    await time.pause(draw.share() * answerMs);
    const isTile = path !== "checkpoint";
    const { status, body } = spoilt(answer, { trouble, isTile, draw });
    if (body.length > maxBytes) {
      throw new WorldError("too large", `the answer is longer than ${maxBytes} bytes`);
    }
    const shown = answer?.shown;
    if (shown === undefined || body !== answer?.body) return answerOf(status, body, {});
    if (isAlive()) onShown(log, shown);
    const etag = `"${shown.story}-${shown.size}"`;
    if (headers["if-none-match"] === etag) return answerOf(304, new Uint8Array(0), {});
    return answerOf(status, body, { etag });
  }
  return {
    async request(asked) {
      const answer = await request(asked);
      return isAlive() ? answer : await new Promise<never>(() => {});
    },
    lookup: () => {
      throw new WorldError("other", "no simulated log redirects");
    },
    serve: () => {
      throw new WorldError("other", "no simulated monitor serves its status");
    },
  };
}

/** What arrives of an answer, given the trouble on the way. */
function spoilt(
  answer: LogAnswer,
  { trouble, isTile, draw }: { trouble: string | undefined; isTile: boolean; draw: Draw },
): { status: number; body: Uint8Array } {
  if (trouble === "garbage") return { status: 200, body: GARBAGE };
  if (answer === undefined || (isTile && trouble === "no tiles")) {
    return { status: 404, body: new Uint8Array(0) };
  }
  const { body } = answer;
  if (!isTile) return { status: 200, body };
  if (trouble === "wrong tiles") {
    const wrong = body.slice();
    wrong[draw.below(wrong.length)]! ^= 1 << draw.below(8);
    return { status: 200, body: wrong };
  }
  if (trouble === "truncated tiles") return { status: 200, body: body.slice(0, body.length - 1) };
  return { status: 200, body };
}

function answerOf(
  status: number,
  body: Uint8Array,
  headers: Readonly<Record<string, string>>,
): HttpResponse {
  return {
    status,
    body: status === 200 ? body : new Uint8Array(0),
    header: (name) => headers[name],
  };
}
