/**
 * Serves the page of a daemon: `/`, `/incidents/N`, and what they load. Nothing here changes anything.
 *
 * What the page shows comes from outside: origins, names, sources. `html` escapes it. Behind that stands
 * the content security policy: a browser runs the one script that is served here and nothing else, sends
 * nothing elsewhere, and shows the page in no frame.
 *
 * @module
 */
import { formatRecord } from "../evidence/record.ts";
import type { ReadCase } from "../monitor/case_reader.ts";
import type { PageSource } from "../monitor/page_source.ts";
import { utf8 } from "../tlog/encoding.ts";
import { type HttpAnswer, type HttpQuery, WorldError } from "../world/world.ts";
import { html } from "./html.ts";
import { ASSETS, CASES_READ, overview, page } from "./page.ts";
import { incidentPage } from "./page_incident.ts";
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

const INCIDENT_PATH = /^\/incidents\/([1-9]\d{0,14})(\.json)?$/;

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
    const text = 'This monitor does not answer under this name. Ask for it as its "http" says.\n';
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
  const cases = reader === undefined ? [] : await unlessRefused(() => reader.newest(CASES_READ));
  const shown = overview({
    ...{ status: source.status(), shown: (log) => source.shown(log), cases, find: findIn(search) },
    folder: reader?.folder ?? "incidents",
  });
  return document(200, shown);
}

async function incident(source: PageSource, path: string): Promise<HttpAnswer> {
  const [, digits, json] = INCIDENT_PATH.exec(path) ?? [];
  const reader = source.cases();
  if (digits === undefined || reader === undefined) return notThere();
  const seq = Number(digits);
  const record = await unlessRefused(async () => ({ record: await reader.read(seq) }));
  if (record === undefined) {
    return failed(503, "The journal cannot be read now", "The disk refuses. Try it again.");
  }
  if (record.record === undefined) return notThere();
  const found: ReadCase = { seq, record: record.record };
  if (json !== undefined) return download(found);
  return document(200, incidentPage(found, { folder: reader.folder, now: source.status().now }));
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

function download({ seq, record }: ReadCase): HttpAnswer {
  const { status, headers, body } = textAnswer(
    200,
    "application/json",
    `${formatRecord(record)}\n`,
  );
  const disposition = `attachment; filename="incident-${seq}.json"`;
  return { status, headers: { ...headers, "content-disposition": disposition }, body: body! };
}

function notThere(): HttpAnswer {
  return failed(
    404,
    "There is no such incident",
    "Its number is another, or its record does not hold.",
  );
}

function failed(status: number, title: string, why: string): HttpAnswer {
  return document(status, {
    title,
    content: html`
      <h1>${title}</h1>
      <p>${why}</p>
      <p><a href="/">All logs and incidents</a></p>
    `,
  });
}

function document(status: number, content: Parameters<typeof page>[0]): HttpAnswer {
  return textAnswer(status, "text/html; charset=utf-8", page(content));
}

function textAnswer(status: number, type: string, text: string): HttpAnswer {
  return { status, headers: { ...HEADERS, "content-type": type }, body: utf8(text) };
}
