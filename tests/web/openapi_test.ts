/** The description of the HTTP address, held against the standard and against the server. */
import { assert, assertEquals } from "@std/assert";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/2020";
import formats from "ajv-formats";
import type { Cases } from "../../src/monitor/case_reader.ts";
import type { ConflictRecord } from "../../src/evidence/record.ts";
import type { Status } from "../../src/monitor/status.ts";
import { Runbook } from "../../src/response/runbook.ts";
import { MAX_PAGE_CHARACTERS, PAGE_ITEMS } from "../../src/web/api.ts";
import openapi from "../../src/web/openapi.json" with { type: "json" };
import { ROUTES } from "../../src/web/status_server.ts";
import { WorldError } from "../../src/world/world.ts";
import { FULL, LOG } from "./full_status.ts";
import { ask, NO_CASES, pageOf, textIn } from "./page_of.ts";
import { openIn } from "./page_statuses.ts";

/** Routes that are for people, and no part of the API. */
const FOR_PEOPLE: readonly string[] = [];

const RECORD = JSON.parse(
  Deno.readTextFileSync(new URL("../../incidents/sample.json", import.meta.url)),
) as ConflictRecord;

/** A journal with so many cases, numbered from 2 on: its first entry is no case. */
function casesOf(count: number, record = RECORD): Cases {
  const numbers = Array.from({ length: count }, (_, i) => i + 2);
  const runbook = new Runbook();
  openIn(runbook, { records: [record], state: "INVESTIGATE" });
  openIn(runbook, { cause: "signature failure", log: record.log });
  return {
    ...{ ...NO_CASES, runbook },
    numbersOf: ({ cases }) => cases.includes(record.evidence_id) ? numbers : [],
    count,
    after: (seq, most) => numbers.filter((number) => number > seq).slice(0, most),
    read: (seq) => Promise.resolve(numbers.includes(seq) ? record : undefined),
  };
}

const BROKEN: Cases = {
  ...casesOf(1),
  read: () => Promise.reject(new WorldError("other", "Input/output error")),
};

const WELL: Status = {
  ...{ name: "m", vkey: FULL.vkey, startedAt: FULL.startedAt, now: FULL.now },
  ...{ incidents: 0, unwritten: false, peers: [] },
  logs: [{ ...LOG, lastResult: "unchanged" }],
};

const PAGES = {
  full: pageOf(FULL, { cases: casesOf(3) }),
  well: pageOf(WELL, { cases: casesOf(3) }),
  broken: pageOf(WELL, { cases: BROKEN }),
};

/** A request for each status of each path. */
const REQUESTS: readonly [url: string, status: number, page?: keyof typeof PAGES, host?: string][] =
  [
    ["/healthz", 200],
    ["/readyz", 503],
    ["/readyz", 200, "well"],
    ["/metrics", 200],
    ["/status", 200],
    ["/status", 200, "well"],
    ["/api/v1/openapi.json", 200],
    ["/api/v1/status", 200],
    ["/api/v1/status", 200, "well"],
    ...["logs", "witnesses", "peers", "members", "mirrors", "incidents"].flatMap((name) =>
      [
        [`/api/v1/${name}`, 200],
        [`/api/v1/${name}`, 200, "well"],
        [`/api/v1/${name}?limit=1&after=0`, 200],
        [`/api/v1/${name}?limit=0`, 400],
      ] as [string, number, "well"?][]
    ),
    ["/api/v1/incidents", 503, "broken"],
    ["/api/v1/incidents/2", 200],
    ["/api/v1/incidents/2", 503, "broken"],
    ["/api/v1/incidents/1", 404],
    ["/api/v1/incidents/INC-2026-001", 200],
    ["/api/v1/incidents/INC-2026-001", 200, "broken"],
    ["/api/v1/incidents/INC-2026-002", 200],
    ["/api/v1/incidents/INC-2026-003", 404],
    ["/api/v1/incidents/x", 400],
    ...Object.keys(openapi.paths).map((path) =>
      [path.replace("{name}", "2"), 421, "full", "evil.example"] as [
        string,
        number,
        "full",
        string,
      ]
    ),
  ];

type Json = Record<string, unknown>;

/** The description, with every object closed: a member that is not described fails. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== "object" || value === null) return value;
  const made = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, closed(one)]));
  const isObject = made.type === "object" && "properties" in made;
  return isObject ? { ...made, additionalProperties: false } : made;
}

const ajv = formats.default(new Ajv2020({ strict: false, allErrors: true }));
ajv.addSchema({ $id: "https://monitor.invalid/api", ...closed(openapi) as Json });

/** What a JSON pointer into the description leads to. */
function at(pointer: string): Json {
  const names = pointer.slice(2).split("/").map((name) =>
    name.replaceAll("~1", "/").replaceAll("~0", "~")
  );
  return names.reduce<Json>((value, name) => value[name] as Json, openapi as unknown as Json);
}

function pointerOf(...names: readonly string[]): string {
  return "#/" + names.map((name) => name.replaceAll("~", "~0").replaceAll("/", "~1")).join("/");
}

/** The described path that a request is for. */
function describedAs(url: string): string {
  const path = url.split("?")[0]!;
  return path in openapi.paths ? path : path.replace(/[^/]+$/, "{name}");
}

Deno.test("openapi: the description is valid OpenAPI 3.1, and says no more than it means", async () => {
  const { valid, errors } = await new Validator().validate(structuredClone(openapi) as Json);
  assertEquals(errors ?? [], []);
  assert(valid);
  assertEquals(openapi.openapi, "3.1.0");
  // The validator does not look into what is referred to.
  const references = JSON.stringify(openapi).matchAll(/"\$ref":"([^"]+)"/g);
  const named = new Set([...references].map(([, pointer]) => pointer!));
  assertEquals([...named].filter((pointer) => at(pointer) === undefined), []);
  const { schemas, responses, parameters } = openapi.components;
  const all = Object.entries({ schemas, responses, parameters }).flatMap(([kind, ones]) =>
    Object.keys(ones).map((name) => `#/components/${kind}/${name}`)
  );
  assertEquals(all.filter((pointer) => !named.has(pointer)), []);
});

Deno.test("openapi: every served path is described, and every described path is served", () => {
  const served = ROUTES.map(({ path }) => path).filter((path) => !FOR_PEOPLE.includes(path));
  assertEquals(Object.keys(openapi.paths).toSorted(), served.toSorted());
  for (const { path, methods } of ROUTES) {
    if (!FOR_PEOPLE.includes(path)) assertEquals([path, methods], [path, undefined]);
  }
});

Deno.test("openapi: each status that is described is asked for, and no other", () => {
  const described = Object.entries(openapi.paths).flatMap(([path, { get }]) =>
    Object.keys(get.responses).map((status) => `${path} ${status}`)
  );
  const asked = new Set(REQUESTS.map(([url, status]) => `${describedAs(url)} ${status}`));
  assertEquals([...asked].toSorted(), described.toSorted());
});

for (const [url, status, page = "full", host = "localhost"] of REQUESTS) {
  Deno.test(`openapi: GET ${url} of ${host} (${page}) is ${status}, as described`, async () => {
    const answer = await ask(PAGES[page], url, { headers: { host } });
    assertEquals([answer.status, textIn(answer).slice(0, status === answer.status ? 0 : 500)], [
      status,
      "",
    ]);
    const pointer = pointerOf("paths", describedAs(url), "get", "responses", `${status}`);
    const { $ref = pointer } = at(pointer) as { $ref?: string };
    const type = answer.headers!["content-type"]!;
    const { content } = at($ref) as { content: Record<string, Json> };
    assert(type in content, `${type} is none of ${Object.keys(content)}`);
    if (!type.endsWith("json")) return;
    const schema = ajv.getSchema(
      `https://monitor.invalid/api${$ref}${pointerOf("content", type, "schema").slice(1)}`,
    )!;
    const isValid = schema(JSON.parse(textIn(answer)));
    assertEquals(schema.errors ?? [], []);
    assert(isValid);
    if (type.includes("problem")) assertEquals(JSON.parse(textIn(answer)).status, status);
  });
}

Deno.test("openapi: it is served as it is in the source, and the limits in it are those in force", async () => {
  const answer = await ask(PAGES.full, "/api/v1/openapi.json");
  assertEquals(JSON.parse(textIn(answer)), openapi);
  const { schema } = openapi.components.parameters.Limit;
  assertEquals([schema.default, schema.maximum], [PAGE_ITEMS.usual, PAGE_ITEMS.most]);
  assertEquals(schema.maximum, openapi.components.schemas.Logs.properties.items.maxItems);
});

/** All items of a list, page by page, and how many each page had. */
async function walk(url: string, page = PAGES.full): Promise<{ items: Json[]; pages: number[] }> {
  const items: Json[] = [];
  const pages: number[] = [];
  for (let next: string | undefined = url; next !== undefined;) {
    const told = JSON.parse(textIn(await ask(page, next)));
    items.push(...told.items);
    pages.push(told.items.length);
    next = told.next;
    assert(pages.length < 100, "the pages end");
  }
  return { items, pages };
}

Deno.test("api: following next gives every item once, whatever the limit", async () => {
  const logs = Array.from({ length: 7 }, (_, i) => ({ ...LOG, origin: `log.invalid/${i}` }));
  const page = pageOf({ ...WELL, logs }, { cases: casesOf(7) });
  for (const limit of [1, 2, 6, 7, 8]) {
    const full = Math.floor(7 / limit);
    const pages = [...Array(full).fill(limit), ...(7 % limit > 0 ? [7 % limit] : [])];
    const listed = await walk(`/api/v1/logs?limit=${limit}`, page);
    assertEquals(listed.items.map(({ origin }) => origin), logs.map(({ origin }) => origin));
    assertEquals(listed.pages, pages);
    const cases = await walk(`/api/v1/incidents?limit=${limit}`, page);
    assertEquals(cases.items.map(({ number }) => number), [2, 3, 4, 5, 6, 7, 8]);
    assertEquals(cases.pages, pages);
  }
  assertEquals((await walk("/api/v1/logs?after=7", page)).pages, [0]);
  assertEquals((await walk("/api/v1/incidents?after=999999999999999", page)).pages, [0]);
});

Deno.test("api: no page has more than its bounds, in items or in characters", async () => {
  const logs = Array.from({ length: 250 }, (_, i) => ({ ...LOG, origin: `log.invalid/${i}` }));
  const page = pageOf({ ...WELL, logs }, { cases: casesOf(250) });
  for (const name of ["logs", "incidents"]) {
    assertEquals((await walk(`/api/v1/${name}`, page)).pages, [50, 50, 50, 50, 50]);
    assertEquals((await walk(`/api/v1/${name}?limit=100`, page)).pages, [100, 100, 50]);
  }
  // Three of them reach the bound, and each page has at least one.
  const note = "x".repeat(MAX_PAGE_CHARACTERS / 2.5);
  const large = { ...RECORD, checkpoint_a: { ...RECORD.checkpoint_a, note } };
  const heavy = pageOf(WELL, { cases: casesOf(7, large) });
  assertEquals((await walk("/api/v1/incidents", heavy)).pages, [3, 3, 1]);
  const huge = {
    ...RECORD,
    checkpoint_a: { ...RECORD.checkpoint_a, note: "x".repeat(2 * MAX_PAGE_CHARACTERS) },
  };
  assertEquals((await walk("/api/v1/incidents", pageOf(WELL, { cases: casesOf(2, huge) }))).pages, [
    1,
    1,
  ]);
});

Deno.test("api: an incident is found by its name, and a case says in which incident it is", async () => {
  const get = async (url: string): Promise<Json> =>
    JSON.parse(textIn(await ask(PAGES.full, url))) as Json;
  const { incident, state, cases, steps } = await get("/api/v1/incidents/INC-2026-001");
  assertEquals([incident, state, cases], ["INC-2026-001", "INVESTIGATE", [2, 3, 4]]);
  assertEquals((steps as Json[]).map(({ to, by }) => [to, by]), [
    ["DETECT", "hearsay"],
    ["FREEZE", "hearsay"],
    ["INVESTIGATE", "Ada Lovelace"],
  ]);
  assertEquals((await get("/api/v1/incidents/2")).incident, "INC-2026-001");
  const { items } = await get("/api/v1/incidents");
  assertEquals((items as Json[]).map((one) => one.incident), Array(3).fill("INC-2026-001"));
  const suspicion = await get("/api/v1/incidents/INC-2026-002");
  assertEquals([suspicion.cause, suspicion.cases], ["signature failure", []]);
});

Deno.test("api: what names no incident is refused, with what came and what was wanted", async () => {
  for (const name of ["INC-2026-01", "inc-2026-001", "INC-2026-0001", "-1", "01", "1e3"]) {
    const answer = await ask(PAGES.full, `/api/v1/incidents/${name}`);
    assertEquals([answer.status, JSON.parse(textIn(answer)).detail], [
      400,
      `the incident is "${name}", expected a name such as INC-2026-001, or the number of a case`,
    ]);
  }
});

/** Queries that are refused, and what is said of each. */
const REFUSED: readonly [query: string, detail: string][] = [
  ["limit=0", 'limit is "0", expected 1 to 100'],
  ["limit=101", 'limit is "101", expected 1 to 100'],
  ["limit=1e1", 'limit is "1e1", expected 1 to 100'],
  ["limit=", 'limit is "", expected 1 to 100'],
  ["limit", 'limit is "", expected 1 to 100'],
  ["after=-1", 'after is "-1", expected a whole number'],
  ["after=01", 'after is "01", expected a whole number'],
  ["after=1000000000000000", 'after is "1000000000000000", expected a whole number'],
  ["after=1&after=2", 'the query has "after=2", expected after=N and limit=N, once'],
  ["since=1", 'the query has "since=1", expected after=N and limit=N, once'],
  ["after=1=2", 'the query has "after=1=2", expected after=N and limit=N, once'],
  ["&", 'the query has "", expected after=N and limit=N, once'],
];

for (const [query, detail] of REFUSED) {
  Deno.test(`api: the query ${query} is refused, with what came and what was wanted`, async () => {
    for (const name of ["logs", "incidents"]) {
      const answer = await ask(PAGES.full, `/api/v1/${name}?${query}`);
      assertEquals([answer.status, JSON.parse(textIn(answer)).detail], [400, detail]);
    }
  });
}
