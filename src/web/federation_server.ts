/**
 * The journals of monitors over HTTP (PROTOCOL section 19): this monitor's own as a log, the ones
 * that it mirrors, and pushes of what is new in theirs.
 *
 * @module
 */
import type { ServedJournals } from "../federation/served.ts";
import {
  formatProblem,
  formatProvenHead,
  formatPushed,
  formatStatus,
  isStaticFile,
  MAX_PUSH_BYTES,
  parseMirrorPath,
  parseProofQuery,
  parsePush,
  parseRecordsQuery,
  PATHS,
  PROBLEM_TYPE,
  type PushOutcome,
} from "../federation/wire.ts";
import { utf8 } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { addressKey } from "../world/connection_table.ts";
import { type HttpAnswer, type HttpQuery, WorldError } from "../world/world.ts";
import { answer } from "./answers.ts";

const JSON_TYPE = "application/json";
const LINES_TYPE = "application/jsonl";
const TEXT_TYPE = "text/plain; charset=utf-8";
const BYTES_TYPE = "application/octet-stream";

/** Allowances are full again after a second. */
const TOO_MUCH_RETRY_S = 1;
/** When to ask again if this monitor could not read or keep something. */
const UNABLE_RETRY_S = 10;
/** Most characters of a refusal that are told. It may quote a foreign text. */
const MAX_DETAIL_CHARACTERS = 512;

/** The title of each kind of refusal (RFC 9457), by its status. */
const TITLES: Readonly<Record<number, string>> = {
  400: "The request is malformed",
  403: "Not admitted",
  404: "There is no such thing here",
  405: "The method is another",
  409: "The mirror holds another size",
  411: "The length is not said",
  413: "The content is too long",
  422: "It does not lead to the signed root",
  429: "Too much came",
  503: "This monitor is not able to now",
};

/**
 * Answers a request. The Host header is not looked at, as at the gossip endpoint: whatever is given here
 * is public, and a push says by its signature who made it.
 */
export async function answerFederation(
  query: HttpQuery,
  page: ServedJournals,
): Promise<HttpAnswer> {
  const name = query.path.slice(1);
  const allowed = methodsOf(name);
  if (allowed === undefined) return problem(404, "no such path; see PROTOCOL section 19");
  if (!allowed.includes(query.method)) {
    const refused = problem(405, `the method is ${query.method}, expected ${allowed.join(", ")}`);
    return { ...refused, headers: { ...refused.headers, allow: allowed.join(", ") } };
  }
  // Before any content is read: who sends too much costs no more than a line.
  if (!page.gate.pay(addressKey(query.caller.hostname))) return TOO_MUCH;
  try {
    return query.method === "POST"
      ? await answerPush(query, page)
      : await answerGet(name, query.search, page);
  } catch (error) {
    if (error instanceof MalformedError || error instanceof RangeError) {
      return problem(400, error.message);
    }
    if (!(error instanceof WorldError)) throw error;
    page.failed(error);
    return problem(503, "this monitor cannot read anything now", { retryAfterS: UNABLE_RETRY_S });
  }
}

/** The methods that a path has; nothing if there is no such path. */
function methodsOf(name: string): string[] | undefined {
  if (name === PATHS.records) return ["GET", "HEAD", "POST"];
  const isRead = name === PATHS.status || name === PATHS.consistencyProof || isStaticFile(name) ||
    parseMirrorPath(name) !== undefined;
  return isRead ? ["GET", "HEAD"] : undefined;
}

async function answerGet(name: string, search: string, page: ServedJournals): Promise<HttpAnswer> {
  const { log, mirrors } = page;
  switch (name) {
    case PATHS.status:
      return answer(200, JSON_TYPE, utf8(formatStatus(log.status())));
    case PATHS.records:
      return answer(200, LINES_TYPE, await log.records(parseRecordsQuery(search)));
    case PATHS.consistencyProof:
      return answer(200, JSON_TYPE, utf8(formatProvenHead(log.proof(parseProofQuery(search)))));
  }
  const mirrored = parseMirrorPath(name);
  const file = mirrored === undefined ? await log.file(name) : await mirrors()?.file(mirrored);
  if (file === undefined) return problem(404, "there is no such file");
  const isNote = name.endsWith(PATHS.checkpoint);
  return answer(200, isNote ? TEXT_TYPE : BYTES_TYPE, file);
}

async function answerPush(
  query: HttpQuery,
  { mirrors, gate }: ServedJournals,
): Promise<HttpAnswer> {
  const host = mirrors();
  if (host === undefined) return problem(403, "this monitor mirrors no journals");
  const length = query.header("content-length");
  if (length === undefined) return problem(411, "expected a Content-Length");
  if (Number(length) > MAX_PUSH_BYTES) {
    return problem(413, `it has ${length} bytes, expected at most ${MAX_PUSH_BYTES}`);
  }
  const address = addressKey(query.caller.hostname);
  const outcome = await gate.push(address, async (): Promise<PushOutcome> => {
    const content = await query.content(MAX_PUSH_BYTES);
    try {
      return await host.push(parsePush(content), query.caller.hostname);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      return { status: 400, detail: error.message };
    }
  });
  if (outcome === undefined) return TOO_MUCH;
  // Whoever is refused for what it says has made us check it.
  if ([400, 403, 422].includes(outcome.status)) gate.charge(address);
  return told(outcome);
}

function told(outcome: PushOutcome): HttpAnswer {
  switch (outcome.status) {
    case 200:
      return answer(200, JSON_TYPE, utf8(formatPushed(outcome.size)));
    case 409:
      return problem(409, outcome.detail, { size: outcome.size });
    case 429:
    case 503:
      return problem(outcome.status, outcome.detail, { retryAfterS: outcome.retryAfterS });
    default:
      return problem(outcome.status, outcome.detail);
  }
}

/** A problem document (RFC 9457). Its type is only a name: there is nothing to be read at it. */
function problem(
  status: number,
  detail: string,
  { size, retryAfterS }: { size?: bigint; retryAfterS?: number } = {},
): HttpAnswer {
  const title = TITLES[status]!;
  const text = formatProblem({
    ...{ status, title, type: `urn:hearsay:problem:${status}` },
    detail: detail.slice(0, MAX_DETAIL_CHARACTERS),
    ...(size !== undefined && { size }),
  });
  return answer(status, PROBLEM_TYPE, utf8(text), retryAfterS);
}

const TOO_MUCH = problem(429, "more came than an address may send, or all together", {
  retryAfterS: TOO_MUCH_RETRY_S,
});
