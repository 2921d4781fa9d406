import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { ConflictRecord } from "../../src/evidence/record.ts";
import type { PageSource } from "../../src/monitor/page_source.ts";
import type { ShownHead } from "../../src/monitor/shown.ts";
import type { Status } from "../../src/monitor/status.ts";
import { MAX_DRAWN } from "../../src/web/page_drawing.ts";
import { MAX_INCIDENTS } from "../../src/web/page_incidents.ts";
import { MAX_LOGS } from "../../src/web/page_logs.ts";
import { Runbook } from "../../src/response/runbook.ts";
import { WorldError } from "../../src/world/world.ts";
import { NO_CASES } from "./page_of.ts";
import { ask, read, words } from "./page_reading.ts";
import {
  BUSY,
  BUSY_SHOWN,
  caught,
  EMPTY,
  FROZEN,
  logStatus,
  openIn,
  peerStatus,
  recordOf,
  sourceOf,
  statusOf,
} from "./page_statuses.ts";

/** What is said of how it stands. */
function standing(status: Status): Promise<string> {
  return standingOn(sourceOf(status));
}

async function standingOn(page: PageSource): Promise<string> {
  const text = await read(page);
  return words(/id="standing-heading">(.*?)<\/h2>/s.exec(text)![1]!).trim();
}

Deno.test("page: every path is answered to our own names alone, and only to be read", async () => {
  const page = sourceOf(BUSY, { records: [await recordOf()] });
  for (
    const path of ["/", "/incidents/1", "/incidents/1.json", "/page.js", "/page.css", "/page.svg"]
  ) {
    assertEquals((await ask(page, path)).status, 200, path);
    for (const host of ["evil.example", "localhost.evil.example", "192.0.2.7", ""]) {
      const { status, body } = await ask(page, path, { host });
      assertEquals(status, 421, `${path} for ${host}`);
      assert(!new TextDecoder().decode(body).includes("berlin"));
    }
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
      assertEquals((await ask(page, path, { method })).status, 405, `${method} ${path}`);
    }
  }
});

Deno.test("page: every answer has the strict headers, refusals too", async () => {
  const page = sourceOf(BUSY, { records: [await recordOf()] });
  const paths = ["/", "/incidents/1", "/incidents/1.json", "/incidents/7", "/page.js", "/page.css"];
  const answers = await Promise.all([
    ...paths.map((path) => ask(page, path)),
    ask(page, "/", { method: "POST" }),
    ask(page, "/", { host: "evil.example" }),
  ]);
  for (const { headers = {} } of answers) {
    assertEquals(headers["x-content-type-options"], "nosniff");
    assertEquals(headers["referrer-policy"], "no-referrer");
    assertEquals(headers["cache-control"], "no-store");
    const policy = headers["content-security-policy"]!.split("; ");
    assert(policy.includes("default-src 'none'"));
    assert(policy.includes("frame-ancestors 'none'"));
    assert(policy.includes("base-uri 'none'"));
    assert(!/unsafe|\*|data:|https?:/.test(policy.join()), policy.join());
  }
});

Deno.test("page: nothing in it needs what the policy forbids", async () => {
  const page = sourceOf(BUSY, { records: [await recordOf()], shown: BUSY_SHOWN });
  for (const path of ["/", "/incidents/1", "/?find=log"]) {
    const text = await read(page, path);
    assertEquals([...text.matchAll(/<script\b[^>]*>([^<]*)/g)].map(([tag]) => tag), [
      '<script src="/page.js" defer>',
    ]);
    assert(!/<style|\sstyle=|\son\w+=|javascript:|<iframe|<img/i.test(text));
  }
});

/** What an attacker may put where a page shows it. */
const HOSTILE = [
  `"><script>alert(1)</script>`,
  `'><img src=x onerror=alert(1)>`,
  `</title></svg></pre><iframe src=//evil.example>`,
  `&lt;script&gt;`,
  "a\u{202e}nigiro\u{2066}",
  "__proto__",
].join(" ");

Deno.test("page: texts from outside inject nothing, wherever they stand", async () => {
  const h = HOSTILE;
  const status = statusOf({
    ...{ name: h, version: h, listen: h, lost: [h], reloadRefused: h, incidents: 1 },
    logs: [
      logStatus({
        ...{ origin: h, vkey: h, size: h, root: h, lastDetail: h, incidents: 1 },
        lastResult: h as "unproven",
        freeze: { since: h, incidents: [h], why: h, causes: [h], isWritten: true },
        ...{ formerKey: h, formerSize: h, withheld: 1, shrankTo: h },
        cosigned: {
          committed: { size: h, root: h },
          witnesses: [
            { name: h, vkey: h, keeping: "missing", size: h, root: h, failing: h, incidents: 1 },
          ],
        },
      }),
      logStatus({ origin: h, lastResult: "unavailable", lastDetail: h }),
    ],
    peers: [
      peerStatus({ address: h, failing: h, software: h }),
      peerStatus({ address: h, lastResult: h }),
    ],
    members: {
      ...{ own: h, startedAt: BUSY.startedAt, now: BUSY.now, room: 3 },
      members: [
        {
          name: h,
          vkey: h,
          state: "banned",
          failures: 0,
          bannedBecause: h,
          bannedUntil: h,
          software: h,
        },
        { name: h, vkey: `${h}2`, state: "away", failures: 0, reason: h, address: h },
      ],
    },
    federation: { origin: h, size: h, newEpoch: h },
    mirrors: [{
      ...{ name: h, vkey: h, origin: h, size: h, theirs: h, url: h, failures: 9, received: 0 },
      ...{ incidents: 1, lastError: h, isUnhealthy: true, failingSince: BUSY.startedAt },
      records: { recorded: 0, known: 0, foreign: 0, refused: 1 },
    }],
    alerts: {
      channels: [{ name: h, description: h, waiting: 1, lastError: h, isDisabled: true }],
    },
  });
  const record: ConflictRecord = {
    ...await recordOf(),
    ...{ source_a: h, source_b: h, detector_id: h, evidence_id: h, log: { origin: h, vkey: h } },
    checkpoint_a: { size: h, root: h, note: h },
    checkpoint_b: { size: h, root: h, note: h },
  };
  const runbook = new Runbook();
  const { log } = await recordOf();
  const named = { cause: "signature failure", log: { ...log, origin: h }, why: h, by: h } as const;
  openIn(runbook, named);
  openIn(runbook, { ...named, state: "CLOSED" });
  const page: PageSource = {
    ...sourceOf(status, { records: [record], runbook }),
    shown: () => [{ source: h, size: h, root: h, verdict: h as "matches", at: h }],
  };
  for (
    const path of [
      "/",
      `/?find=${encodeURIComponent(h)}`,
      "/incidents/1",
      "/incidents/INC-2026-001",
    ]
  ) {
    const text = await read(page, path);
    assertEquals([...text.matchAll(/<script/gi)].length, 1, path);
    assert(!/<img|<iframe|\u{202e}|\u{2066}/iu.test(text), path);
    // No value has broken out of its attribute: every tag is one of ours.
    for (const [tag] of text.matchAll(/<[^>]*>/g)) {
      assertMatch(
        tag,
        /^<(!doctype html|\/?[a-z][a-z0-9]*(\s+[a-zA-Z0-9-]+(="[^"<>]*")?)*\s*\/?)>$/,
      );
    }
  }
});

Deno.test("page: it never says that nothing is wrong when nobody has looked or compared", async () => {
  const well = "Nothing is wrong that this monitor can see";
  assertEquals(await standing(statusOf()), well);
  assertEquals(await standing(EMPTY), "No log is followed");
  const { startedAt: _, ...begun } = statusOf();
  const now = { ...begun, startedAt: begun.now };
  const { lastResult: __, ...unseen } = logStatus();
  assertEquals(await standing({ ...now, logs: [logStatus(), unseen] }), "It has only begun");
  const uncalled = peerStatus({ exchanges: 0, failures: 0 });
  assertEquals(await standing({ ...now, peers: [uncalled] }), "It has only begun");
  assertEquals(await standing({ ...now, peers: [], isUncompared: true }), "It has only begun");
  assertEquals(await standing({ ...now, logs: [] }), "No log is followed");
});

Deno.test("page: what is proven comes first, in words and not by colour alone", async () => {
  const text = words(
    await read(sourceOf(BUSY, { records: [await recordOf()], shown: BUSY_SHOWN })),
  );
  assertMatch(text, /1 proven case in no incident, 5 troubles/);
  assert(text.indexOf("Case 1") < text.indexOf("Trouble"));
  assert(text.indexOf("log.example.com/two") < text.indexOf("sum.example.org"));
  assertStringIncludes(text, "NOT ACCEPTED: contradicts another checkpoint that the key signed");
  assertStringIncludes(text, "Committed");
  assertMatch(text, /Members: connected to 1 of 2/);
  assertMatch(text, /away for 90 seconds connection refused/);
});

Deno.test("page: the picture says in words what it shows", async () => {
  const text = await read(sourceOf(BUSY, { shown: BUSY_SHOWN }));
  const [, described] = /<desc id="seen-0-desc">([^<]*)/.exec(text)!;
  assertEquals(
    described,
    "This monitor has accepted size 104. Below it: 5 lines. Of the same history: 2. Of another size: 2. " +
      "Not accepted: 1.",
  );
});

/** The table of who has seen what, a row a text. */
async function seenRows(page: PageSource): Promise<string[]> {
  const [, table] = /<details id="seen-0-table">(.*?)<\/details>/s.exec(await read(page))!;
  return [...table!.matchAll(/<tr role="row" class[^>]*>(.*?)<\/tr>/gs)].map(([, row]) =>
    words(row!).trim()
  );
}

Deno.test("page: what was proven of a peer's checkpoint, or is in a case, is drawn so at any size", async () => {
  const record = await recordOf({ kind: "cross_size" });
  const { log: { origin, vkey }, checkpoint_a: a, checkpoint_b: b } = record;
  const head = { source: record.source_b, verdict: "pending" as const, at: BUSY.startedAt };
  const verdictsOf = async (
    shown: readonly ShownHead[],
    own: { size: string; root: string },
    records: readonly ConflictRecord[] = [],
  ): Promise<string[]> => {
    const { size, root } = own;
    const status = statusOf({ logs: [logStatus({ origin, vkey, size, root })] });
    const page = { ...sourceOf(status, { records }), shown: () => shown };
    return (await seenRows(page)).slice(1).map((row) =>
      /NOT ACCEPTED: contradicts|another size|the same history/.exec(row)![0]
    );
  };
  const theirs = { ...head, size: b.size, root: b.root };
  const contradicts = "NOT ACCEPTED: contradicts";
  assertEquals(await verdictsOf([theirs], a), ["another size"]);
  assertEquals(await verdictsOf([{ ...theirs, verdict: "inconsistent" }], a), [contradicts]);
  assertEquals(await verdictsOf([{ ...theirs, verdict: "consistent" }], a), ["the same history"]);
  assertEquals(await verdictsOf([theirs], a, [record]), [contradicts]);
  // Who has seen the same as this monitor is not blamed for it.
  const same = { ...head, size: a.size, root: a.root };
  const lines = await verdictsOf([same], a, [record]);
  assertEquals(lines, [contradicts, "the same history"], "the other half has a line of its own");
});

Deno.test("page: a peer that shows a half of a case contradicts, whatever its size", async () => {
  const rowOf = async (
    half: "checkpoint_a" | "checkpoint_b",
    hasCase: boolean,
  ): Promise<string> => {
    const { page, record } = await caught({
      fields: { peers: [peerStatus({ lastResult: "pending" })] },
    });
    const { size, root } = record[half];
    const address = "lima.example.com:9900";
    const head = { source: address, size, root, verdict: "pending" as const, at: BUSY.startedAt };
    const shown = () => [head];
    const without = sourceOf(page.status());
    const text = await read({ ...hasCase ? page : without, shown });
    const [, peers] = text.split('id="peers"');
    return /<td role="cell" data-label="Last answer"[^>]*>(.*?)<\/td>/s.exec(peers!)![1]!;
  };
  assertEquals(words(await rowOf("checkpoint_b", false)), "another size");
  const told = await rowOf("checkpoint_b", true);
  assertEquals(words(told).trim(), "contradicts (size 9): INC-2026-001");
  assertStringIncludes(told, 'href="/incidents/INC-2026-001"');
  // Who shows what this monitor has accepted contradicts nothing here.
  assertEquals(words(await rowOf("checkpoint_a", true)), "another size");
});

Deno.test("page: an incident is told once, by its name, and first", async () => {
  const { page, id } = await caught({ fields: { peers: [], isUncompared: true } });
  assertEquals(id, "INC-2026-001");
  assertEquals(await standingOn(page), "INC-2026-001 is open, 1 log frozen");
  const text = words(await read(page));
  const [before, after] = text.split("Logs (2)") as [string, string];
  assertEquals(
    before.match(/key of log log\.example\.com\/ two has signed two checkpoints/g)?.length,
    1,
  );
  assertStringIncludes(before, "Next: a person says that they investigate.");
  // Neither as a trouble of its own, nor under the number of its case.
  assert(!/shows a checkpoint that contradicts|Proven|Trouble|Case 1|Incident 1/.test(text), text);
  assertStringIncludes(
    after,
    "FROZEN Nothing new of it is accepted until a person has resolved INC-2026-001.",
  );
});

Deno.test("page: what was shown and is not accepted is told beside what is, and drawn with a cross", async () => {
  const { page, record } = await caught();
  const { checkpoint_a: a, checkpoint_b: b } = record;
  const text = await read(page);
  const [, row] = /<section id="logs".*?<tbody[^>]*>(.*?)<\/tr>/s.exec(text)!;
  assertStringIncludes(words(row!), `size 7 ${a.root} ✕ not accepted size 9 ${b.root}`);
  assertStringIncludes(words(row!), "shown by the log itself; it contradicts another one");
  const rows = await seenRows(page);
  assertMatch(rows[0]!, /^This monitor \(accepted\) 7 /);
  assertMatch(rows[1]!, /^The log itself \(not accepted\) 9 .* NOT ACCEPTED: contradicts/);
  const [, drawn] = /<svg[^>]*>(.*?)<\/svg>/s.exec(text)!;
  assertEquals(drawn!.match(/class="mark contradicts"/g)?.length, 1);
  // What came after the log was frozen and contradicts nothing is crossed out too, and says so.
  const frozen = await read(sourceOf(FROZEN));
  assertStringIncludes(
    words(frozen),
    "size 38,211,010 shown by the log itself after it was frozen",
  );
  assertStringIncludes(words(frozen), "NOT ACCEPTED: shown after the log was frozen");
});

Deno.test("page: a monitor without a peer is advised, and no incident is weaker by it", async () => {
  const alone = { peers: [], isUncompared: true };
  const { page } = await caught({ fields: alone });
  const text = words(await read(page));
  assertMatch(text, /Advice This does not weaken INC-2026-001: what is proven stays proven/);
  assertMatch(text, /Nothing was compared yet: no peer is configured/);
  assertEquals(await standing(statusOf(alone)), "Less is compared than could be");
  assert(!words(await read(sourceOf(statusOf(alone)))).includes("weaken"));
});

Deno.test("page: a log that is frozen before its incident is written is among the troubles", async () => {
  const logs = FROZEN.logs.map((log) => ({
    ...log,
    incidents: 0,
    ...(log.freeze && { freeze: { ...log.freeze, incidents: [], isWritten: false } }),
  }));
  const status = { ...FROZEN, logs, incidents: 0 };
  assertEquals(await standing(status), "1 log frozen, 1 trouble");
  assertMatch(
    words(await read(sourceOf(status))),
    /FROZEN Log log\.example\.com\/ two is frozen\. Nothing new of it is accepted\./,
  );
});

Deno.test("page: a closed incident stays in the list, and nothing is said to be left to do", async () => {
  const { page } = await caught({ state: "CLOSED" });
  assertEquals(await standingOn(page), "1 closed incident");
  const text = words(await read(page));
  assertMatch(
    text,
    /INC-2026-001 log\.example\.com\/ two two checkpoints .*? CLOSED 10 minutes ago/,
  );
  const said = words(await read(page, "/incidents/INC-2026-001"));
  assertStringIncludes(said, "Nothing is left to do. INC-2026-001 is closed.");
  assertStringIncludes(said, "The freeze is lifted");
});

Deno.test("page: channels of alerts are told, those that fail first", async () => {
  const text = words(await read(sourceOf(FROZEN)));
  assert(text.indexOf("hooks.example.com") < text.indexOf("ops@example.com"));
  assertMatch(text, /failing for 60 minutes 503 Service Unavailable/);
});

Deno.test("page: of ten thousand logs it shows those that are wrong, says what it leaves out, and is fast", async () => {
  const logs = Array.from({ length: 10_000 }, (_, i) =>
    logStatus({
      ...{ origin: `log.example.com/${i}`, vkey: `log.example.com/${i}+1+AA` },
      ...(i === 9_876 && { lastResult: "unproven" as const }),
    }));
  const source = sourceOf(statusOf({ logs }));
  await read(source);
  const begun = performance.now();
  const text = await read(source);
  const ms = performance.now() - begun;
  assert(ms < 500, `it took ${ms} ms`);
  assert(text.length < 200_000, `${text.length} characters`);
  const said = words(text);
  assertStringIncludes(said, `Shown: ${MAX_LOGS} of 10,000 logs`);
  assertStringIncludes(said, "9,900 are left out here");
  assertStringIncludes(said, `Shown: ${MAX_DRAWN} of 10,000 logs`);
  assertMatch(said, /What each log showed last.*?log\.example\.com\/ 9876/);
  const found = words(await read(source, "/?find=COM%2F4321"));
  assertStringIncludes(found, "1 log of 10,000 with this text");
});

Deno.test("page: what is wrong is bounded too", async () => {
  const logs = Array.from({ length: 500 }, (_, i) => {
    const name = `log.example.com/${i}`;
    return logStatus({ origin: name, vkey: `${name}+1+AA`, lastResult: "unavailable" });
  });
  const peers = Array.from(
    { length: 500 },
    (_, i) => peerStatus({ address: `p${i}:9900`, failing: "cannot be reached" }),
  );
  const text = words(await read(sourceOf(statusOf({ logs, peers }))));
  assertStringIncludes(text, "Shown: 20 of 1,000 troubles");
  assertStringIncludes(text, "Shown: 50 of 500 peers");
});

Deno.test("page: of many incidents it shows the newest, and the command for all", async () => {
  const record = await recordOf();
  const records = Array.from({ length: MAX_INCIDENTS + 5 }, () => record);
  const text = await read(sourceOf(BUSY, { records }));
  const links = [...text.matchAll(/href="\/incidents\/(\d+)"/g)].map(([, seq]) => Number(seq));
  assertEquals(links.length, MAX_INCIDENTS);
  assertEquals([links[0], links.at(-1)], [MAX_INCIDENTS + 5, 6]);
  assertStringIncludes(
    words(text),
    "hearsay incidents list --config /etc/hearsay/hearsay.jsonc",
  );
});

Deno.test("page: a journal that cannot be read is told as that, and not as no incident", async () => {
  const refuse = (): Promise<never> => Promise.reject(new WorldError("other", "the disk refuses"));
  const page: PageSource = {
    ...sourceOf(statusOf()),
    cases: () => ({ ...NO_CASES, newest: refuse, read: refuse }),
  };
  assertStringIncludes(words(await read(page)), "The disk refuses to give the incident journal");
  assertEquals((await ask(page, "/incidents/1")).status, 503);
});
