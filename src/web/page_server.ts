/**
 * Serves the page of a daemon: `/`, `/incidents/INC-YYYY-NNN`, `/incidents/N` for the case with this
 * number, and what they load. Nothing here changes anything.
 *
 * What the page shows comes from outside: origins, names, sources. `html` escapes it. Behind that stands
 * the content security policy: a browser runs the one script that is served here and nothing else, sends
 * nothing elsewhere, and shows the page in no frame.
 *
 * @module
 */
import { formatRecord } from "../evidence/record.ts";
import type { Cases, ReadCase } from "../monitor/case_reader.ts";
import type { PageSource } from "../monitor/page_source.ts";
import type { Incident } from "../response/runbook.ts";
import { utf8 } from "../tlog/encoding.ts";
import { type HttpAnswer, type HttpQuery, WorldError } from "../world/world.ts";
import { html } from "./html.ts";
import { ASSETS, overview, page } from "./page.ts";
import { judged } from "./page_case.ts";
import { fileOf, incidentPage } from "./page_incident.ts";
import { isOpen, MAX_INCIDENTS } from "./page_incidents.ts";
import { findIn } from "./page_logs.ts";
import { SCRIPT } from "./page_script.ts";
import { ICON, STYLE_SHEET } from "./page_style.ts";
import { isOurs } from "./status_server.ts";

/** What a browser may do with a page of ours. */
const POLICY = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"],
  ...["form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"],
  ...["require-trusted-types-for 'script'", "trusted-types 'none'"],
].join("; ");

const HEADERS = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
} as const;

/** Files that pages load. */
const FILES: Readonly<Record<string, readonly [type: string, text: string]>> = {
  [ASSETS.style]: ["text/css; charset=utf-8", STYLE_SHEET],
  [ASSETS.script]: ["text/javascript; charset=utf-8", SCRIPT],
  [ASSETS.icon]: ["image/svg+xml", ICON],
};

const INCIDENT_PATH = /^\/incidents\/(INC-\d{4}-\d{3,9})$/;
const CASE_PATH = /^\/incidents\/([1-9]\d{0,14})(\.json)?$/;

/** Whether a path is one of the page's. */
export function isOfThePage(path: string): boolean {
  return path === "/" || Object.hasOwn(FILES, path) || path.startsWith("/incidents/");
}

/**
 * Answers a request for a path of the page. As for the status, the Host header must name us.
 * @param hostname the configured address to listen on
 */
export async function answerPage(
  query: HttpQuery,
  { hostname, source }: { hostname: string; source: PageSource },
): Promise<HttpAnswer> {
  if (!isOurs(query.header("host") ?? "", hostname)) {
    const text =
      'This monitor does not answer under this host name. Ask for localhost, or for the host that stands in its "http".\n';
    return textAnswer(421, "text/plain; charset=utf-8", text);
  }
  const { path, method, search } = query;
  if (method !== "GET" && method !== "HEAD") {
    return { status: 405, headers: { ...HEADERS, allow: "GET, HEAD" } };
  }
  if (Object.hasOwn(FILES, path)) {
    const [type, text] = FILES[path]!;
    return textAnswer(200, type, text);
  }
  return path === "/" ? await first(source, search) : await incident(source, path);
}

async function first(source: PageSource, search: string): Promise<HttpAnswer> {
  const reader = source.cases();
  const cases = reader === undefined ? [] : await unlessRefused(() => casesFor(reader));
  const apart = reader?.apart() ?? [];
  const shown = overview({
    ...{ status: source.status(), shown: (log) => source.shown(log), find: findIn(search) },
    known: {
      incidents: [...reader?.runbook.incidents ?? []].reverse(),
      apart: apart.length,
      cases: cases?.filter(({ seq }) => apart.includes(seq)),
    },
    ...{ halves: cases ?? [], config: source.config },
  });
  return document(200, shown);
}

/** The cases that the first page needs: the newest, those apart, and one of each open incident. */
async function casesFor(reader: Cases): Promise<readonly ReadCase[]> {
  const found = new Map(
    (await reader.newest(MAX_INCIDENTS)).map((one) => [one.seq, one]),
  );
  const open = reader.runbook.incidents.filter(isOpen).slice(-MAX_INCIDENTS);
  const wanted = [
    ...reader.apart().slice(-MAX_INCIDENTS),
    ...open.flatMap((incident) => reader.numbersOf(incident).slice(-1)),
  ];
  for (const seq of wanted) {
    const record = found.has(seq) ? undefined : await reader.read(seq);
    if (record !== undefined) found.set(seq, { seq, record });
  }
  return [...found.values()].toSorted((one, other) => other.seq - one.seq);
}

async function incident(source: PageSource, path: string): Promise<HttpAnswer> {
  const reader = source.cases();
  const asked = reader && askedFor(path, reader);
  if (reader === undefined || asked === undefined) return notThere();
  const { incident, seq, isJson } = asked;
  // An incident about a suspicion has no case.
  const read = await unlessRefused(async () => ({
    record: seq === undefined ? undefined : await reader.read(seq),
  }));
  if (read === undefined) {
    return failed(503, "The journal cannot be read now", "The disk refuses. Try it again.");
  }
  const found = read.record && { seq: seq!, record: read.record };
  if (found === undefined && incident === undefined) return notThere();
  const holder = incident ?? reader.runbook.withCase(found!.record.evidence_id);
  const numbers = holder === undefined ? [seq!] : reader.numbersOf(holder);
  if (isJson) return download(found!, fileOf({ incident: holder, seq: seq!, of: numbers.length }));
  const { now, listen } = source.status();
  const one = found && judged(found);
  const own = { config: source.config, listens: listen !== undefined };
  return document(200, incidentPage({ incident: holder, one, numbers, ...own, now }));
}

/** What a path asks for: an incident with its first case, or a case. */
function askedFor(path: string, reader: Cases): Asked | undefined {
  const [, id] = INCIDENT_PATH.exec(path) ?? [];
  const incident = id === undefined ? undefined : reader.runbook.find(id);
  if (incident !== undefined) {
    return { incident, seq: reader.numbersOf(incident)[0], isJson: false };
  }
  const [, digits, json] = CASE_PATH.exec(path) ?? [];
  if (digits === undefined) return undefined;
  return { incident: undefined, seq: Number(digits), isJson: json !== undefined };
}

/** See askedFor. */
interface Asked {
  readonly incident: Incident | undefined;
  /** The number of the case. */
  readonly seq: number | undefined;
  /** Whether its record alone is asked for. */
  readonly isJson: boolean;
}

/** What a disk gives; nothing if it refuses. */
async function unlessRefused<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    return undefined;
  }
}

function download({ record }: ReadCase, file: string): HttpAnswer {
  const { status, headers, body } = textAnswer(
    200,
    "application/json",
    `${formatRecord(record)}\n`,
  );
  const disposition = `attachment; filename="${file}.json"`;
  return { status, headers: { ...headers, "content-disposition": disposition }, body: body! };
}

function notThere(): HttpAnswer {
  return failed(
    404,
    "There is no such incident",
    "Its name or number is another, or its record does not hold.",
  );
}

function failed(status: number, title: string, why: string): HttpAnswer {
  return document(status, {
    title,
    content: html`
      <h1>${title}</h1>
      <p>${why}</p>
      <p><a href="/">Back to all logs and incidents</a></p>
    `,
  });
}

function document(status: number, content: Parameters<typeof page>[0]): HttpAnswer {
  return textAnswer(status, "text/html; charset=utf-8", page(content));
}

function textAnswer(status: number, type: string, text: string): HttpAnswer {
  return { status, headers: { ...HEADERS, "content-type": type }, body: utf8(text) };
}
