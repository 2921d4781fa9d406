/** What a person is shown of a daemon's status. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { describeStatus, MAX_SHOWN } from "../../src/cli/status_report.ts";
import { columnsOf } from "../../src/cli/width.ts";
import type { LogStatus, PeerStatus, Status } from "../../src/monitor/status.ts";

const LOG: LogStatus = {
  origin: "log.invalid/one",
  vkey: "log.invalid/one+0a0b0c0d+AA+A",
  size: "12",
  root: "r",
  grewAt: "2026-01-02T03:04:00Z",
  lastResult: "unchanged",
  lastLookAt: "2026-01-02T03:05:00Z",
  incidents: 0,
  openQuestions: 0,
  sharedBy: 1,
  counts: { unchanged: 3 },
};

const PEER: PeerStatus = {
  address: "peer.invalid:9900",
  lastExchangeAt: "2026-01-02T03:05:02Z",
  lastResult: "matches",
  sharedLogs: 1,
  exchanges: 7,
  failures: 1,
  matches: 5,
  conflicts: 0,
};

const STATUS: Status = {
  version: "1.2.3",
  name: "monitor.invalid/one",
  vkey: "v",
  startedAt: "2026-01-01T03:05:03Z",
  now: "2026-01-02T03:05:03Z",
  incidents: 0,
  unwritten: false,
  logs: [LOG],
  peers: [PEER],
};

/** The lines on a terminal that marks what is painted, or in a pipe. */
function lines(
  status: Partial<Status>,
  { columns, all = false, marked = false }: { columns?: number; all?: boolean; marked?: boolean } =
    {},
): string[] {
  const paint = (style: string, text: string): string => marked ? `<${style}>${text}` : text;
  return describeStatus({ ...STATUS, ...status }, { screen: { columns, paint }, all });
}

Deno.test("status report: a command in advice names the configuration, so that it works as printed", () => {
  const status = { ...STATUS, incidents: 1, logs: [{ ...LOG, incidents: 1 }] };
  const screen = { columns: undefined, paint: (_style: string, text: string) => text };
  const said = describeStatus(status, { screen, config: "'/a b/hearsay.jsonc'" }).join("\n");
  assertStringIncludes(said, "hearsay incidents list --config '/a b/hearsay.jsonc'.");
});

function withLog(log: Partial<LogStatus>): string[] {
  return lines({ logs: [{ ...LOG, ...log }] });
}

Deno.test("status report: who it is, its version, and that all is well; a row a log, a row a peer", () => {
  assertEquals(
    lines({}),
    [
      "monitor.invalid/one, hearsay 1.2.3, running for 24h: all is as it should be",
      "",
      "    LOG              SIZE     GREW  LOOKED AT  RESULT     PEERS",
      "    log.invalid/one    12  63s ago     3s ago  unchanged      1",
      "",
      "    PEER               CALLED  ANSWER    LOGS SHARED  CALLS  FAILED  SOFTWARE",
      "    peer.invalid:9900  1s ago  the same            1      7       1  -",
    ],
  );
});

Deno.test("status report: all is never well while nobody has looked", () => {
  const { lastResult: _, ...unseen } = LOG;
  const [head] = lines({ logs: [LOG, unseen], startedAt: STATUS.now });
  assertMatch(head!, /running for 0s: it has only begun: 1 of 2 logs were not looked at yet$/);
  const [waits] = lines({
    logs: [unseen],
    peers: [{ ...PEER, exchanges: 0, failures: 0 }],
    startedAt: STATUS.now,
  });
  assertMatch(waits!, /: nothing was looked at yet, nothing was compared yet$/);
});

Deno.test("status report: what is proven comes first, then trouble, then logs, then peers", () => {
  const out = lines({
    incidents: 1,
    unwritten: true,
    logs: [LOG, { ...LOG, origin: "log.invalid/two", lastResult: "unavailable" }, {
      ...LOG,
      origin: "log.invalid/three",
      incidents: 1,
    }],
    peers: [PEER, { ...PEER, address: "gone.invalid:1", failing: "it is gone" }],
  });
  const at = (pattern: RegExp): number => {
    const found = out.findIndex((line) => pattern.test(line));
    assert(found >= 0, `${pattern} in\n${out.join("\n")}`);
    return found;
  };
  const order = [
    /: 1 PROVEN CASE, 3 TROUBLES$/,
    /^!! {2}the key of log log\.invalid\/three has signed two checkpoints that contradict each other: 1 PROVEN CASE$/,
    /^! {3}a proven conflict could not be written/,
    /^! {3}log log\.invalid\/two cannot be reached/,
    /^! {3}peer gone\.invalid:1 it is gone$/,
    /^!! {2}log\.invalid\/three /,
    /^! {3}log\.invalid\/two /,
    /^ {4}log\.invalid\/one /,
    /^! {3}gone\.invalid:1 .* FAILED /,
    /^ {4}peer\.invalid:9900 /,
  ].map(at);
  assertEquals(order, order.toSorted((a, b) => a - b));
});

Deno.test("status report: after an outage it says for how long it lasts and when the next look is", () => {
  const out = withLog({
    lastResult: "unavailable",
    lastDetail: "nobody answers",
    resultSince: "2026-01-02T03:00:03Z",
    nextLookAt: "2026-01-02T03:05:43Z",
  });
  assertMatch(out[1]!, /^! {3}log log\.invalid\/one cannot be reached.* \(nobody answers\)$/);
  assertMatch(out[2]!, /^ {4}For 5m now\. The next look is in 40s\. Look at your network/);
  const now = withLog({ lastResult: "frozen", nextLookAt: STATUS.now })[2]!;
  // A log that is frozen has not grown since then, whenever this daemon began to look.
  assertMatch(now, /^ {4}For 63s now\. The next look is at once\. Ask whether/);
  assertMatch(withLog({ lastResult: "frozen" })[2]!, / A look is under way\. Ask whether/);
});

Deno.test("status report: of a peer that fails it says since when and when it is called again", () => {
  const failing = {
    failing: "cannot be reached: no route",
    failingSince: "2026-01-02T03:03:03Z",
    nextCallAt: "2026-01-02T03:06:03Z",
  };
  const out = lines({ peers: [{ ...PEER, ...failing }] });
  const told = "!   peer peer.invalid:9900 cannot be reached: no route";
  assertEquals(out[1], told, "its name stands there once");
  assertMatch(out[2]!, /^ {4}For 2m now\. It is called again within 60s\. Ask its operator/);
});

Deno.test("status report: what waits to be compared asks nothing, and what a peer contradicts is said", () => {
  const note = (log: Partial<LogStatus>): string => withLog(log)[4]!.trim();
  assertMatch(
    note({ waitingOthers: 1 }),
    /^1 checkpoint of others waits .* Nothing is to be done\.$/,
  );
  assertMatch(
    note({ waitingOwn: 1 }),
    /^1 checkpoint that the log itself showed waits for its proof, and peers are asked about it\. It is tried/,
  );
  assertMatch(note({ waitingOthers: 2 }), /^2 checkpoints of others wait to/);
  assertMatch(
    note({ leftOut: 3 }),
    /^3 checkpoints of others had no room, and nothing is to be done/,
  );
  assertMatch(note({ lastResult: "rolled back" }), /Unless that goes on, nothing is to be done\.$/);
  const withheld = withLog({ openQuestions: 2, withheld: 2 });
  assertMatch(withheld[1]!, /^! .*peers were shown: checkpoints: 2$/);
  assert(!withheld.some((line) => /wait/.test(line)), "they are told once");
  const [contradicts] = lines({ peers: [{ ...PEER, conflicts: 1 }] }).slice(-1);
  assertEquals(contradicts!.trim(), "It was shown what contradicts what was shown to us.");
});

Deno.test("status report: each answer of a peer is said in words", () => {
  const answer = (peer: Partial<PeerStatus>): string =>
    lines({ peers: [{ ...PEER, ...peer }] }).find((line) =>
      / peer\.invalid:9900 +1s ago/.test(line)
    )!;
  for (
    const [peer, says] of [
      [{ lastResult: "pending" }, "another size"],
      [{ lastResult: "nothing" }, "nothing yet"],
      [{ lastResult: "inconsistent" }, "CONTRADICTS"],
      [{ lastResult: "later kind" }, "later kind"],
      [{ exchanges: 0 }, "not called yet"],
      [{ sharedLogs: 0 }, "NO LOG SHARED"],
      [{ isSelf: true }, "THIS MONITOR"],
      [{ software: "hearsay/9.9" }, "hearsay/9.9"],
    ] as const
  ) assertStringIncludes(answer(peer), ` ${says}`);
});

Deno.test("status report: two logs of one origin are told apart by their keys", () => {
  const other = { ...LOG, vkey: "log.invalid/one+99999999+AAAA", lastResult: "frozen" as const };
  const out = lines({ logs: [LOG, other] });
  for (const key of ["0a0b0c0d", "99999999"]) {
    assert(out.some((line) => line.includes(`log.invalid/one (key ${key})`)), key);
  }
  assertStringIncludes(out[1]!, "log log.invalid/one (key 99999999) has not grown");
});

Deno.test("status report: hundreds are readable, what is wrong first, and all are shown if asked", () => {
  const logs = Array.from({ length: 300 }, (_, i): LogStatus => ({
    ...LOG,
    origin: `log.invalid/${i}`,
    lastResult: i % 10 === 5 ? "unavailable" : "unchanged",
  }));
  const out = lines({ logs });
  assert(out.length < 100, `${out.length} lines`);
  assertEquals(out.filter((line) => /^! {3}log\.invalid\//.test(line)).length, MAX_SHOWN);
  assert(out.includes("    … and 10 more troubles: --all shows them"));
  assert(out.includes("    … and 280 more logs, 10 of them in trouble: --all shows them"));
  const all = lines({ logs }, { all: true });
  for (const { origin } of logs) assert(all.some((line) => line.includes(` ${origin} `)), origin);
  const well = lines({ logs: logs.map((log) => ({ ...log, lastResult: "unchanged" as const })) });
  assert(well.includes("    … and 280 more logs, as they should be: --all shows them"));
});

Deno.test("status report: no line is wider than the terminal, whatever its width", () => {
  const status: Partial<Status> = {
    incidents: 1,
    logs: [
      {
        ...LOG,
        incidents: 1,
        openQuestions: 3,
        waitingOthers: 3,
        origin: `log.invalid/${"long".repeat(20)}`,
      },
      { ...LOG, lastResult: "unproven", lastDetail: "no proof from size 1 to size 2 ".repeat(5) },
    ],
    peers: [{ ...PEER, failing: "it is gone and does not answer ".repeat(5) }],
  };
  for (const columns of [60, 80, 120, 200]) {
    for (const line of lines(status, { columns })) {
      const longest = Math.max(...line.split(" ").map(columnsOf));
      assert(columnsOf(line) <= Math.max(columns, longest + 4), `${columns}: ${line}`);
    }
  }
});

Deno.test("status report: what is wrong is coloured, and says so without colour as well", () => {
  const status = {
    logs: [LOG, { ...LOG, origin: "log.invalid/two", lastResult: "frozen" as const }],
  };
  const red = lines(status, { marked: true }).filter((line) => line.includes("<red>"));
  assertEquals(red.length, 3, "the headline, the trouble and the row");
  for (const line of red) assertMatch(line, /!|TROUBLE/);
  assertEquals(
    lines(status, { marked: true }).map((line) => line.replaceAll(/<\w+>/g, "")),
    lines(status),
  );
});

Deno.test("status report: times are in the largest unit of which there are two", () => {
  const ages: [string, string][] = [
    ["2026-01-02T03:05:03Z", "0s"],
    ["2026-01-02T03:03:04Z", "119s"],
    ["2026-01-02T03:03:03Z", "2m"],
    ["2026-01-02T01:05:04Z", "119m"],
    ["2026-01-02T01:05:03Z", "2h"],
    ["2025-12-31T03:05:04Z", "47h"],
    ["2025-12-31T03:05:03Z", "2d"],
    ["2026-01-02T03:05:59Z", "0s"],
  ];
  for (const [grewAt, age] of ages) assertStringIncludes(withLog({ grewAt })[3]!, ` ${age} ago `);
});

Deno.test("status report: nothing in it can steer a terminal", () => {
  const hostile = "a\u001b[2J\u202e\nb";
  const out = lines({
    name: hostile,
    version: hostile,
    incidents: 1,
    logs: [
      { ...LOG, incidents: 1, origin: hostile, lastDetail: hostile, size: hostile },
      { ...LOG, origin: hostile, vkey: `x+${hostile}+y`, lastResult: hostile as "frozen" },
      { ...LOG, lastResult: "unproven", lastDetail: hostile },
    ],
    peers: [{ ...PEER, address: hostile, lastResult: hostile, software: hostile }, {
      ...PEER,
      address: hostile,
      failing: hostile,
    }],
  }, { columns: 80 });
  for (const line of out) assert(!/[\p{Cc}\p{Cf}]/u.test(line), JSON.stringify(line));
  assertStringIncludes(out.join("\n"), "a\\u{1b}[2J\\u{202e}\\u{a}b");
});

const WITNESS = { vkeys: ["w"], logs: 2, cosigned: 1, pushed: [] };

Deno.test("status report: a case about a listed log, or a journal, comes first and says whose it is", () => {
  const mirror = { name: "monitor.invalid/two", vkey: "v", origin: "o", size: "1", failures: 0 };
  const records = { recorded: 0, known: 0, foreign: 0, refused: 0 };
  const said = lines({
    incidents: 3,
    witness: { ...WITNESS, listedCases: 1 },
    mirrors: [{ ...mirror, received: 1, incidents: 2, records }],
  });
  assertMatch(said[0]!, /: 3 PROVEN CASES$/);
  assertMatch(
    said[1]!,
    /^!! {2}logs of the witness's list have signed checkpoints that contradict each other: 1 PROVEN CASE$/,
  );
  assertMatch(
    said[3]!,
    /^!! {2}monitor monitor\.invalid\/two signed two histories of its journal: 2 PROVEN CASES$/,
  );
});

Deno.test("status report: of a convicted witness it says that its cosignatures still count", () => {
  const witness = { name: "w0", vkey: "w", keeping: "cosigning" as const, incidents: 1 };
  const log = { ...LOG, cosigned: { witnesses: [witness] } };
  const said = lines({ incidents: 1, logs: [log] });
  assertMatch(said[1]!, /^!! {2}witness w0 cosigned two roots of log /);
  assertStringIncludes(said[2]!, "Its cosignatures still count for COMMITTED, as the policy says");
});

Deno.test("status report: a witness that sees nothing is not well, and what it refused is counted", () => {
  const isNew = { startedAt: "2026-01-02T03:05:00Z", logs: [], peers: [PEER] };
  const of = (witness: Partial<Status["witness"]>, more: Partial<Status> = {}): string =>
    lines({ ...isNew, witness: { ...WITNESS, ...witness }, ...more }).join("\n");
  const old = { startedAt: STATUS.startedAt };
  const url = "https://lists.invalid/1";
  assertStringIncludes(of({}), "all is as it should be");
  assertStringIncludes(of({ cosigned: 0 }), "it has only begun: no log has pushed anything yet");
  assertStringIncludes(of({ cosigned: 0 }, old), "!   the witness has cosigned nothing");
  assertStringIncludes(of({ logs: 0, cosigned: 0 }, old), "!   the witness knows no log");
  assertStringIncludes(of({ list: { url, at: "then" } }), "all is as it should be");
  const problem = "no route";
  for (const list of [{ url, problem }, { url, problem, at: "then" }]) {
    assertStringIncludes(
      of({ list }),
      `!   the witness's list of logs ${url} cannot be had: no route`,
    );
  }
  const pushed = [{
    origin: "log.invalid/p",
    vkey: "v",
    size: "5",
    incidents: 0,
    openQuestions: 2,
  }];
  assertStringIncludes(
    of({ pushed }),
    "log.invalid/p: cosigned size 5, open questions about what was refused: 2",
  );
});

Deno.test("status report: closed cases are one quiet line, and ask for nothing", () => {
  const log = { ...LOG, incidents: 3, closed: 3 };
  const closed = { cases: 3, by: ["Ada", "Ben"] };
  const out = lines({ incidents: 3, logs: [log], closed });
  assertMatch(out[0]!, /: all is as it should be$/);
  assertEquals(
    out[1]!.trim(),
    "3 proven cases, all closed by Ada, Ben. To see them: hearsay incidents list",
  );
  assertEquals(out.filter((line) => line.startsWith("!")), []);
  const some = lines({ incidents: 4, logs: [{ ...log, incidents: 4 }], closed });
  assertMatch(some[0]!, /: 1 PROVEN CASE$/);
  assertMatch(some[1]!, /^!! {2}the key of log log.invalid\/one has signed .*: 1 PROVEN CASE$/);
  assert(some.some((line) => line.includes("3 of 4 proven cases are closed by Ada, Ben.")));
});

Deno.test("status report: a log frozen for a suspicion is a trouble, and nothing is proven", () => {
  const freeze = { since: STATUS.now, incidents: ["INC-2026-001"], why: "three in a row" };
  const frozen = (causes: string[]): string[] =>
    withLog({ freeze: { ...freeze, causes, isWritten: true } });
  const suspicion = frozen(["consistency failure"]);
  assertMatch(suspicion[1]!, /^! {3}log log.invalid\/one is FROZEN /);
  assert(suspicion.some((line) => line.includes("Nothing is proven against it.")));
  assertEquals(suspicion.filter((line) => line.startsWith("!!")), []);
  const proven = frozen(["consistency failure", "equivocation"]);
  assertMatch(proven[1]!, /^!! {2}log log.invalid\/one is FROZEN /);
  assertEquals(proven.some((line) => line.includes("Nothing is proven")), false);
});

Deno.test("status report: what is only a case, or only advice, is no trouble", () => {
  const [head, ...more] = lines({
    incidents: 1,
    logs: [{ ...LOG, incidents: 1, lastResult: "inconsistent" }],
  });
  assertMatch(head!, /: 1 PROVEN CASE$/);
  assertEquals(more.filter((line) => line.startsWith("! ")), []);
  const [alone] = lines({ logs: [{ ...LOG, sharedBy: 0 }] });
  assertMatch(alone!, /: less is compared than could be$/);
});

Deno.test("status report: the command for a report names the configuration too", () => {
  const freeze = { since: STATUS.now, incidents: ["INC-2026-001"], causes: ["equivocation"] };
  const log = { ...LOG, freeze: { ...freeze, why: "two roots", isWritten: true } };
  const screen = { columns: undefined, paint: (_style: string, text: string) => text };
  const said = describeStatus({ ...STATUS, logs: [log] }, { screen, config: "/a/h.jsonc" });
  assertStringIncludes(
    said.join("\n"),
    "hearsay incidents report --config /a/h.jsonc INC-2026-001, then",
  );
});
