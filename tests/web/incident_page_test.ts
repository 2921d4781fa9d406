/** The page of an incident: what it tells a person to do, and that its commands are right. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { type State, STATES } from "../../src/evidence/transition.ts";
import type { PageSource } from "../../src/monitor/page_source.ts";
import { Runbook } from "../../src/response/runbook.ts";
import { ask, read, words } from "./page_reading.ts";
import { BUSY, caught, openIn, recordOf, rootOf, sourceOf } from "./page_statuses.ts";

for (const kind of ["same_size", "cross_size"] as const) {
  Deno.test(`incident page: a ${kind} record is judged anew, with both halves and the commands`, async () => {
    const record = await recordOf({ kind });
    const page = sourceOf(BUSY, { records: [record] });
    const text = await read(page, "/incidents/1");
    const said = words(text);
    assertStringIncludes(said, "The evidence holds.");
    for (const { root, note } of [record.checkpoint_a, record.checkpoint_b]) {
      assertStringIncludes(said, root);
      assertStringIncludes(text, note);
    }
    assertStringIncludes(said, "lima.example.com:9900");
    assertStringIncludes(
      said,
      "hearsay incidents export 1 --config /etc/hearsay/hearsay.jsonc --out ~/case-1.txt",
    );
    assertStringIncludes(said, `hearsay verify ~/case-1.txt --log ${record.log.vkey}`);
    assertEquals(JSON.parse(await read(page, "/incidents/1.json")), { ...record });
  });
}

Deno.test("incident page: a record that was altered is no proof, and nothing says so", async () => {
  const record = await recordOf();
  const altered = { ...record, checkpoint_b: { ...record.checkpoint_b, root: rootOf("Z") } };
  const said = words(await read(sourceOf(BUSY, { records: [altered] }), "/incidents/1"));
  assertStringIncludes(said, "The record does not hold.");
  assertStringIncludes(said, "It proves nothing.");
  assert(!said.includes("Proven:"));
  assert(!said.includes("hearsay verify"));
});

Deno.test("incident page: a command names no origin that would do something in a terminal", async () => {
  const hidden = await recordOf({ origin: "a\u{202e}b" });
  const text = words(await read(sourceOf(BUSY, { records: [hidden] }), "/incidents/1"));
  assertStringIncludes(text, "hearsay verify ~/case-1.txt ");
  assert(!text.includes("--log"));
  const quote = await recordOf({ origin: "it's;$(here)`x`" });
  const said = words(await read(sourceOf(BUSY, { records: [quote] }), "/incidents/1"));
  assertStringIncludes(said, `--log 'it'\\''s;$(here)\`x\`+`);
});

/** What an incident's page says above its evidence. */
async function told(page: PageSource, path = "/incidents/INC-2026-001"): Promise<string> {
  return words(await read(page, path)).split("The evidence, in two halves")[0]!;
}

Deno.test("incident page: what to do comes first, with the key from elsewhere before the command", async () => {
  const { page, record } = await caught();
  const text = await told(page);
  const inOrder = [
    "INC-2026-001: the key of log log.example.com/ two has signed two checkpoints that contradict each other",
    "waiting loses nothing of it",
    "goes on trusting it",
    "tell its owner now",
    "Do not: resolve the incident to silence the alarm",
    "hearsay incidents export INC-2026-001 --config /etc/hearsay/hearsay.jsonc --out ~/INC-2026-001.txt",
    "from the log's own website",
    "It must be this one:",
    `hearsay verify ~/INC-2026-001.txt --log ${record.log.vkey}`,
    "The evidence holds (1 record).",
    "must be 0",
    "Exit code 1: the file does not hold for this key. It may be damaged.",
    "Exit code 3: the file cannot be read.",
    "not yet verified elsewhere",
    "The operator of the log",
    "hearsay incidents bundle INC-2026-001 --config /etc/hearsay/hearsay.jsonc --out ~/INC-2026-001",
    "tar -czf ~/INC-2026-001.tar.gz -C ~ INC-2026-001",
    "Lift the freeze",
    "once",
    "are refused",
    "Next: Say that you investigate.",
    "INC-2026-001 is then in the state INVESTIGATE",
    'hearsay incidents advance INC-2026-001 --config /etc/hearsay/hearsay.jsonc --by "" --why "" --out',
    'hearsay incidents resolve INC-2026-001 --config /etc/hearsay/hearsay.jsonc --by "" --why ""',
    "What “frozen” stops, and what it does not",
    "up to size 7",
    "no sign that it is the right one",
    "Not stopped",
    "Who may be affected Whoever relies on what the log said.",
    "How INC-2026-001 stands",
  ];
  let at = -1;
  for (const part of inOrder) {
    const next = text.indexOf(part, at + 1);
    assert(next > at, `${part}\n\nis not there, or not after what comes before it, in\n\n${text}`);
    at = next;
  }
});

/** For each state: the commands that are left, by their ids. */
const LEFT: Readonly<Record<State, readonly string[]>> = {
  DETECT: ["freeze", "investigate", "resolve", "closed"],
  FREEZE: ["investigate", "resolve", "closed"],
  INVESTIGATE: ["resolve", "closed"],
  RESOLVE: ["closed"],
  CLOSED: [],
};

/** How the rows of the steps begin, with the state. */
const ROWS: readonly RegExp[] = [
  /^DETECT 60 minutes ago 2026-11-28 11:00:00 UTC this monitor itself the log's key signed checkpoints of /,
  /^FREEZE 59 minutes ago 2026-11-28 11:00:01 UTC this monitor itself nothing of the log beyond size 7 /,
  /^INVESTIGATE 40 minutes ago 2026-11-28 11:20:00 UTC Ada Lovelace I look into it$/,
  /^RESOLVE 20 minutes ago 2026-11-28 11:40:00 UTC Ada Lovelace the operator has restored a backup$/,
  /^CLOSED 10 minutes ago 2026-11-28 11:50:00 UTC Ada Lovelace all was told$/,
];

for (const [i, state] of STATES.entries()) {
  Deno.test(`incident page: in the state ${state} it says who came there, when and why, and what is next`, async () => {
    const { page } = await caught({ state });
    const text = await read(page, "/incidents/INC-2026-001");
    const ids = [...text.matchAll(/id="command-(\w+)"/g)].map(([, id]) => id);
    assertEquals(ids, ["export", "verify", "record", "bundle", "pack", ...LEFT[state]]);
    const [, table] = /<section id="steps".*?<tbody[^>]*>(.*?)<\/tbody>/s.exec(text)!;
    const rows = [...table!.matchAll(/<tr.*?<\/tr>/gs)].map(([row]) => words(row).trim());
    assertEquals(rows.length, STATES.length);
    for (const [at, row] of rows.entries()) {
      assertMatch(row, at <= i ? ROWS[at]! : new RegExp(`^${STATES[at]} not yet – `));
    }
  });
}

Deno.test("incident page: what is accepted is told as a half of the case, and not as the right one", async () => {
  const record = await recordOf({ origin: "log.example.com/two" });
  const runbook = new Runbook();
  const { root } = record.checkpoint_a;
  openIn(runbook, { records: [record], accepted: { size: "7", root } });
  const text = await told(sourceOf(BUSY, { records: [record], runbook }));
  assertStringIncludes(text, "That is checkpoint A of the evidence.");
  assertStringIncludes(
    text,
    "this monitor saw it first, which is no sign that it is the right one",
  );
  assert(!text.includes("stands by"), text);
});

Deno.test("incident page: a suspicion accuses nobody, and has no evidence to send", async () => {
  const { page, runbook, record } = await caught();
  openIn(runbook, { cause: "signature failure", log: record.log });
  const text = await told(page, "/incidents/INC-2026-002");
  assertStringIncludes(text, "was frozen because of a signature failure");
  assertStringIncludes(text, "Nothing is proven against the log.");
  assertStringIncludes(text, "hearsay incidents report INC-2026-002 --config");
  assert(!/hearsay verify|contradict|incidents export/.test(text), text);
});

Deno.test("incident page: each case of an incident has its own page and its own file", async () => {
  const records = [await recordOf(), await recordOf()];
  const runbook = new Runbook();
  openIn(runbook, { records });
  const page = sourceOf(BUSY, { records: [await recordOf(), ...records], runbook });
  const first = await read(page, "/incidents/INC-2026-001");
  assertEquals(await read(page, "/incidents/2"), first);
  assertStringIncludes(words(first), "export 2 --config");
  assertStringIncludes(words(first), "~/INC-2026-001-case-2.txt");
  assertStringIncludes(first, '<a href="/incidents/3">Case 3</a>');
  const second = words(await read(page, "/incidents/3"));
  assertStringIncludes(second, "INC-2026-001: the key of log");
  assertStringIncludes(second, "~/INC-2026-001-case-3.txt");
  const { headers } = await ask(page, "/incidents/3.json");
  assertEquals(
    headers!["content-disposition"],
    'attachment; filename="INC-2026-001-case-3.json"',
  );
  assertStringIncludes(words(await read(page, "/incidents/1")), "Case 1: the key of log");
});

Deno.test("incident page: a monitor that cannot be asked while it runs is stopped first", async () => {
  const { page } = await caught();
  assert(!(await told(page)).includes("stop it before"));
  const { listen: _, ...deaf } = page.status();
  assertStringIncludes(await told({ ...page, status: () => deaf }), "stop it before");
});

Deno.test("incident page: what is no incident is not found", async () => {
  const { page } = await caught();
  const paths = [
    "0",
    "2",
    "01",
    "-1",
    "1/",
    "x",
    "1e3",
    "99999999999999999999",
    "1.txt",
    "%31",
    ...["INC-2026-002", "inc-2026-001", "INC-2026-001/", "INC-2026-001.json", "INC-2026-0001"],
    "",
  ];
  for (const path of paths) {
    assertEquals((await ask(page, `/incidents/${path}`)).status, 404, path);
  }
});
