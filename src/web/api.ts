/**
 * The JSON API: what a daemon tells of itself, in pages. It only reads. `openapi.json`, which is served
 * with it, describes every path of the status server but those of the page for people.
 *
 * @module
 */
import type { ConflictRecord } from "../evidence/record.ts";
import { INCIDENT_ID } from "../evidence/transition.ts";
import type { LogStatus, Status } from "../monitor/status.ts";
import { type Trouble, troublesAndAdvice } from "../monitor/troubles.ts";
import type { Incident } from "../response/runbook.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { type HttpAnswer, type HttpQuery, WorldError } from "../world/world.ts";
import { jsonAnswer, problem } from "./answers.ts";
import openapi from "./openapi.json" with { type: "json" };
import type { Asked, Route, StatusPage } from "./route.ts";

/** Items of a page if the request does not say how many, and the most. */
export const PAGE_ITEMS = { usual: 50, most: 100 } as const;
/** A page of records ends with the one that reaches this. One record may have 1 MB alone. */
export const MAX_PAGE_CHARACTERS = 1024 * 1024;

const OK = 200;
const MAX_DIGITS = 15;

/** The routes of the API, and `/status`, which `hearsay status` asks for. */
export const API_ROUTES: readonly Route[] = [
  { path: "/status", answer: (_asked, { status }) => jsonAnswer(OK, status()) },
  { path: "/api/v1/openapi.json", answer: () => jsonAnswer(OK, openapi) },
  { path: "/api/v1/status", answer: (_asked, { status }) => jsonAnswer(OK, summaryOf(status())) },
  { path: "/api/v1/logs", answer: listed(({ logs }) => logs) },
  { path: "/api/v1/witnesses", answer: listed(({ logs }) => logs.flatMap(witnessesOf)) },
  { path: "/api/v1/peers", answer: listed(({ peers }) => peers) },
  { path: "/api/v1/members", answer: listed(({ members }) => members?.members ?? []) },
  { path: "/api/v1/mirrors", answer: listed(({ mirrors }) => mirrors ?? []) },
  { path: "/api/v1/incidents", answer: answerIncidents },
  { path: "/api/v1/incidents/{name}", answer: answerIncident },
];

/** A daemon's status, with counts in place of the lists that have paths of their own. */
function summaryOf(status: Status): Record<string, unknown> {
  const { logs, peers, members, mirrors, ...own } = status;
  const { troubles, advice } = troublesAndAdvice(status);
  return {
    ...own,
    troubles: troubles.map(forReaders),
    advice: advice.map(forReaders),
    counts: {
      ...{ logs: logs.length, peers: peers.length },
      ...{ members: members?.members.length ?? 0, mirrors: mirrors?.length ?? 0 },
    },
  };
}

function forReaders({ text, advice, since }: Trouble): Record<string, string> {
  return { text, advice, ...(since !== undefined && { since }) };
}

/** The witnesses of one log's policy, each with the log. */
function witnessesOf({ origin, vkey, cosigned }: LogStatus): unknown[] {
  return (cosigned?.witnesses ?? []).map((witness) => ({ log: { origin, vkey }, witness }));
}

/** What of a list a request asks for. */
interface Part {
  /** What the caller has seen: in a list how many items, of incidents the last number. */
  readonly after: number;
  readonly limit: number;
}

/** Answers with a part of a list of a status. */
function listed(list: (status: Status) => readonly unknown[]): Route["answer"] {
  return ({ query }, { status }) =>
    withPart(query, ({ after, limit }) => {
      const all = list(status());
      const end = after + limit;
      return jsonAnswer(OK, {
        items: all.slice(after, end),
        total: all.length,
        ...(end < all.length && { next: `${query.path}?after=${end}&limit=${limit}` }),
      });
    });
}

async function answerIncidents({ query }: Asked, { cases }: StatusPage): Promise<HttpAnswer> {
  return await withPart(query, async ({ after, limit }) => {
    // One more than asked for says whether there is a next page.
    const numbers = cases.after(after, limit + 1);
    const items: { number: number; record: unknown; incident?: string }[] = [];
    let characters = 0;
    for (const number of numbers.slice(0, limit)) {
      const record = await cases.read(number);
      items.push({ number, record, ...inIncident(record, cases) });
      characters += JSON.stringify(record).length;
      if (characters >= MAX_PAGE_CHARACTERS) break;
    }
    const last = items.at(-1)?.number;
    return jsonAnswer(OK, {
      items,
      total: cases.count,
      ...(items.length < numbers.length && {
        next: `${query.path}?after=${last}&limit=${limit}`,
      }),
    });
  });
}

/** Answers with an incident by its name, or with a case by its number. */
async function answerIncident({ named }: Asked, { cases }: StatusPage): Promise<HttpAnswer> {
  const { name: given = "" } = named;
  if (INCIDENT_ID.test(given)) {
    const incident = cases.runbook.find(given);
    if (incident === undefined) return problem(404, `there is no incident ${given}`);
    return jsonAnswer(OK, forPrograms(incident, cases));
  }
  const number = readWhole(given);
  if (number === undefined) {
    const wanted = "a name such as INC-2026-001, or the number of a case";
    return problem(400, `the incident is ${quoted(given)}, expected ${wanted}`);
  }
  return await readable(async () => {
    const record = await cases.read(number);
    if (record === undefined) return problem(404, `there is no case ${number}`);
    return jsonAnswer(OK, { number, record, ...inIncident(record, cases) });
  });
}

/** The name of the incident that has a case, if one has. */
function inIncident(
  record: ConflictRecord | undefined,
  { runbook }: StatusPage["cases"],
): { incident?: string } {
  const incident = record && runbook.withCase(record.evidence_id);
  return incident === undefined ? {} : { incident: incident.id };
}

/** An incident, with the numbers of its cases: each has a path of its own. */
function forPrograms(incident: Incident, cases: StatusPage["cases"]): Record<string, unknown> {
  const { id, state, log, cause, accepted, steps } = incident;
  return {
    ...{ incident: id, state, log, cause, ...(accepted && { accepted }) },
    steps: steps.map(({ from, to, at, by, why }) => ({ from, to, at, by, why })),
    cases: cases.numbersOf(incident),
  };
}

async function withPart(
  { search }: HttpQuery,
  answer: (part: Part) => HttpAnswer | Promise<HttpAnswer>,
): Promise<HttpAnswer> {
  let part: Part;
  try {
    part = readPart(search);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return problem(400, error.message);
  }
  return await readable(() => answer(part));
}

/** An answer, or that our own disk does not let us read it. */
async function readable(answer: () => HttpAnswer | Promise<HttpAnswer>): Promise<HttpAnswer> {
  try {
    return await answer();
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    return problem(503, "the journal cannot be read now");
  }
}

/** Reads `after` and `limit`. @throws MalformedError for anything else */
function readPart(search: string): Part {
  const part: { after: number; limit: number } = { after: 0, limit: PAGE_ITEMS.usual };
  const given = new Set<string>();
  for (const pair of search === "" ? [] : search.split("&")) {
    const [name = "", value = "", ...more] = pair.split("=");
    if ((name !== "after" && name !== "limit") || given.has(name) || more.length > 0) {
      throw new MalformedError(`the query has ${quoted(pair)}, expected after=N and limit=N, once`);
    }
    given.add(name);
    const number = readWhole(value);
    const isLimit = name === "limit";
    if (number === undefined || (isLimit && (number < 1 || number > PAGE_ITEMS.most))) {
      const wanted = isLimit ? `1 to ${PAGE_ITEMS.most}` : "a whole number";
      throw new MalformedError(`${name} is ${quoted(value)}, expected ${wanted}`);
    }
    part[name] = number;
  }
  return part;
}

/** A whole number without leading zeros; nothing for any other text. */
function readWhole(text: string): number | undefined {
  return /^(0|[1-9]\d*)$/.test(text) && text.length <= MAX_DIGITS ? Number(text) : undefined;
}
