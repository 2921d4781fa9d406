import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { OFFERED_LOGS } from "../../src/cli/known_logs.ts";
import { parseStatus } from "../../src/cli/parse_status.ts";
import { describeStatus } from "../../src/cli/status_report.ts";
import type { LogStatus, PeerStatus, Status } from "../../src/monitor/status.ts";
import { inFolder, put, type Ran, run } from "./harness.ts";
import { compareWith, edit, makeLog, makeMonitor, startDaemon } from "./monitors.ts";

const LOG: LogStatus = {
  origin: "log.invalid/one",
  vkey: "v",
  size: "12",
  root: "r",
  grewAt: "2026-01-02T03:04:00Z",
  lastResult: "unchanged",
  lastLookAt: "2026-01-02T03:05:00Z",
  incidents: 0,
  openQuestions: 0,
  counts: { unchanged: 3 },
};

const PEER: PeerStatus = {
  address: "peer.invalid:9900",
  vkey: "v",
  lastExchangeAt: "2026-01-02T03:05:02Z",
  lastResult: "matches",
  exchanges: 7,
  failures: 1,
  matches: 5,
  conflicts: 0,
};

const STATUS: Status = {
  name: "monitor.invalid/one",
  vkey: "v",
  startedAt: "2026-01-01T03:05:03Z",
  now: "2026-01-02T03:05:03Z",
  incidents: 0,
  unwritten: false,
  logs: [LOG],
  peers: [PEER],
};

/** What a person is shown in a pipe. */
function shown(status: Status): string[] {
  const screen = { columns: undefined, paint: (_style: unknown, text: string) => text };
  return describeStatus(status, { screen });
}

function without<T extends object>(value: T, ...names: (keyof T)[]): T {
  const rest = { ...value };
  for (const name of names) delete rest[name];
  return rest;
}

Deno.test("parseStatus: a daemon may follow as many logs as it likes", () => {
  const status = { ...STATUS, logs: Array(1_000).fill(LOG) };
  assertEquals(parseStatus(JSON.stringify(status)), status);
});

/** Asks a server that answers with this, whatever it is asked. */
async function asking(
  answer: () => Response,
  ...flags: string[]
): Promise<Ran & { asked: string[] }> {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    asked.push(new URL(request.url).pathname);
    return answer();
  });
  try {
    return { ...await run("status", `127.0.0.1:${server.addr.port}`, ...flags), asked };
  } finally {
    await server.shutdown();
  }
}

Deno.test("status: 0 if nothing is wrong, 1 if there are incidents, for people and machines", async () => {
  for (const [incidents, wanted] of [[0, 0], [1, 1]] as const) {
    const told = { ...STATUS, incidents };
    const { code, out, asked } = await asking(() => Response.json(told));
    assertEquals([code, asked], [wanted, ["/status"]]);
    assertEquals(out, shown(told));
    const json = await asking(() => Response.json(told), "--json");
    assertEquals(json.code, wanted);
    const said = { ...told, troubles: [], advice: [], exit: wanted };
    assertEquals(json.out.map((line) => JSON.parse(line)), [said]);
  }
});

Deno.test("status: 0 once every case is closed, 1 if a log goes on contradicting itself", async () => {
  const log = { ...LOG, incidents: 2, closed: 2 };
  const closed = { cases: 2, by: ["Ada"] };
  const told = { ...STATUS, incidents: 2, closed, logs: [log] };
  const ends = async (changes: Partial<Status>): Promise<number> =>
    (await asking(() => Response.json({ ...told, ...changes }))).code;
  assertEquals(await ends({}), 0);
  assertEquals(await ends({ incidents: 3, logs: [{ ...log, incidents: 3 }] }), 1);
  assertEquals(await ends({ logs: [{ ...log, lastResult: "inconsistent" }] }), 1);
});

inFolder("status: a command in its advice works as printed, also elsewhere", async (folder) => {
  const logs = [{ ...LOG, incidents: 1 }];
  const unnamed = await asking(() => Response.json({ ...STATUS, incidents: 1, logs }));
  assertStringIncludes(unnamed.out.join("\n"), "hearsay incidents list --config FILE.");
  const args = [
    "--name",
    STATUS.name,
    "--log",
    OFFERED_LOGS[0]!.log,
    "--source",
    OFFERED_LOGS[0]!.source,
  ];
  const { out: [vkey] } = await run("init", "--dir", folder, ...args);
  const config = `${folder}/hearsay.jsonc`;
  const told = { ...STATUS, vkey, incidents: 1, logs };
  const named = await asking(() => Response.json(told), "--config", config);
  assertStringIncludes(named.out.join("\n"), `hearsay incidents list --config ${config}.`);
});

const TROUBLES: readonly [string, Partial<Status>, RegExp][] = [
  ...([
    ["unavailable", /cannot be reached/],
    ["frozen", /has not grown for longer than its patience/],
    ["unverified", /no known key of it has signed/],
    ["unproven", /could not be proven/],
    ["inconsistent", /contradicts/],
    ["not written", /our own disk/],
  ] as const).map(([lastResult, says]): [string, Partial<Status>, RegExp] => [
    `a log that is ${lastResult}`,
    { logs: [LOG, { ...LOG, lastResult, lastDetail: "for this reason" }] },
    new RegExp(`^log log\\.invalid/one .*${says.source}.*\\(for this reason\\)$`),
  ]),
  [
    "a log that withholds",
    { logs: [{ ...LOG, withheld: 2 }] },
    /peers were shown: checkpoints: 2$/,
  ],
  ["a log that nobody looks at", { logs: [without(LOG, "lastResult")] }, /not looked at yet$/],
  ["a log that no peer follows", { logs: [{ ...LOG, sharedBy: 0 }] }, /compared with nobody/],
  [
    "a peer that fails",
    { peers: [{ ...PEER, failing: "it is gone" }] },
    /^peer peer\.invalid:9900 it is gone$/,
  ],
  [
    "a peer that shares no log",
    { peers: [{ ...PEER, sharedLogs: 0 }] },
    /follows none of the logs/,
  ],
  ["a peer that nobody calls", { peers: [{ ...PEER, exchanges: 0 }] }, /was not called yet$/],
  ["nobody to compare with", { peers: [] }, /^nothing is compared with anybody/],
  ["faults of its own", { faults: 2 }, /^faults in Hearsay itself: 2$/],
  ["events that were lost", { eventsLost: 3 }, /could not be printed: 3$/],
];

for (const [what, told, says] of TROUBLES) {
  Deno.test(`status: ${what} is named, and ends with 3; under an incident with 1`, async () => {
    const { code, out } = await asking(() => Response.json({ ...STATUS, ...told }));
    assertEquals(code, 3);
    // The first of the lines that begin so; the rows of tables come later.
    const trouble = out.find((line) => /^! {3}\S/.test(line));
    assertMatch(trouble!.slice(4), says);
    const json = await asking(() => Response.json({ ...STATUS, ...told }), "--json");
    const { troubles, advice, exit } = JSON.parse(json.out[0]!);
    assertEquals([json.code, exit, [...troubles, ...advice]], [3, 3, [trouble!.slice(4)]]);
    const proven = await asking(() => Response.json({ ...STATUS, ...told, incidents: 1 }));
    assertEquals(proven.code, 1);
  });
}

Deno.test("status: a proven case that the disk refuses ends with 1", async () => {
  const { code, out } = await asking(() => Response.json({ ...STATUS, unwritten: true }));
  assertEquals(code, 1);
  assertStringIncludes(out[1]!, "could not be written");
});

Deno.test("status: who has only begun ends with 3, and says what was not done yet, in a crash loop too", async () => {
  const unseen = without(LOG, "lastResult", "lastLookAt");
  const uncalled = { ...PEER, exchanges: 0, failures: 0 };
  const begun = { ...STATUS, startedAt: "2026-01-02T03:05:00Z" };
  for (
    const [told, says] of [
      [{ logs: [unseen] }, "nothing was looked at yet"],
      [{ logs: [unseen, LOG] }, "1 of 2 logs were not looked at yet"],
      [{ peers: [uncalled] }, "nothing was compared yet"],
      // A call that failed compared nothing.
      [{ peers: [{ ...PEER, exchanges: 2, failures: 2 }] }, "nothing was compared yet"],
      [{ peers: [], listen: "127.0.0.1:9900", isUncompared: true }, "nothing was compared yet"],
    ] as [Partial<Status>, string][]
  ) {
    const { code, out } = await asking(() => Response.json({ ...begun, ...told }));
    assertEquals(code, 3, says);
    assert(out[0]!.endsWith(`it has only begun: ${says}`), out[0]);
    const json = await asking(() => Response.json({ ...begun, ...told }), "--json");
    const { notYet, troubles, exit } = JSON.parse(json.out[0]!);
    assertEquals([notYet, troubles, exit], [[says], [], 3]);
  }
});

Deno.test("status: who only answers, and calls nobody, compares as well", async () => {
  const told = { ...STATUS, peers: [], listen: "127.0.0.1:9900" };
  assertEquals((await asking(() => Response.json(told))).code, 0);
});

Deno.test("status: members that a later version adds are passed on, and do no harm", async () => {
  const later = { ...STATUS, later: [1], logs: [{ ...LOG, later: true }] };
  const { code, out } = await asking(() => Response.json(later), "--json");
  assertEquals([code, JSON.parse(out[0]!)], [0, { ...later, troubles: [], advice: [], exit: 0 }]);
});

const WRONG_ANSWERS: readonly [string, string | Uint8Array<ArrayBuffer>][] = [
  ["nothing", ""],
  ["a page", "<html>not here</html>"],
  ["half an answer", JSON.stringify(STATUS).slice(0, -5)],
  ["null", "null"],
  ["a number", "7"],
  ["a list", "[]"],
  ["an empty object", "{}"],
  ["bytes that are no text", Uint8Array.of(0x7b, 0xff, 0x7d)],
  ["a member twice", JSON.stringify(STATUS).replace("{", '{"name":"x",')],
  ["endless nesting", `{"logs":${"[".repeat(100_000)}`],
  ...Object.keys(STATUS).map((name): [string, string] => [
    `no ${name}`,
    JSON.stringify(without(STATUS, name as keyof Status)),
  ]),
  ...Object.entries({
    name: 1,
    startedAt: "yesterday",
    now: 5,
    incidents: "0",
    unwritten: 0,
    logs: {},
    peers: null,
  }).map(([name, value]): [string, string] => [
    `${name} of another kind`,
    JSON.stringify({ ...STATUS, [name]: value }),
  ]),
  ["incidents below none", JSON.stringify({ ...STATUS, incidents: -1 })],
  ...([
    null,
    7,
    [],
    {},
    without(LOG, "origin"),
    { ...LOG, size: 12 },
    { ...LOG, grewAt: "x" },
    { ...LOG, incidents: -1 },
    without(LOG, "incidents"),
    {
      ...LOG,
      counts: { extends: "many" },
    },
    { ...LOG, counts: null },
    { ...LOG, openQuestions: 0.5 },
  ] as unknown[])
    .map((log): [string, string] => [
      `the log ${JSON.stringify(log).slice(0, 60)}`,
      JSON.stringify({ ...STATUS, logs: [log] }),
    ]),
  ...([null, "x", {}, { ...PEER, matches: null }, { ...PEER, lastExchangeAt: "" }] as unknown[])
    .map((peer): [string, string] => [
      `the peer ${JSON.stringify(peer).slice(0, 60)}`,
      JSON.stringify({ ...STATUS, peers: [peer] }),
    ]),
];

for (const [what, body] of WRONG_ANSWERS) {
  Deno.test(`status: whoever answers with ${what} is no daemon`, async () => {
    for (const flags of [[], ["--json"]]) {
      const { code, out, err } = await asking(() => new Response(body), ...flags);
      assertEquals([code, out], [3, []]);
      assertEquals(err.length, 1, err.join("\n"));
      assertMatch(
        err[0]!,
        /^hearsay status: no daemon answers at http:\/\/127\.0\.0\.1:\d+\/status: /,
      );
    }
  });
}

Deno.test("status: another HTTP status is no answer, whatever comes with it", async () => {
  for (const status of [201, 404, 500]) {
    const { code, out, err } = await asking(() => Response.json(STATUS, { status }));
    assertEquals([code, out], [3, []]);
    assertStringIncludes(err.join("\n"), `got HTTP status ${status}`);
  }
});

Deno.test("status: escape sequences of an answer reach no terminal", async () => {
  const hostile = "\u001b[2J\u202e\u0007\u009b";
  const bad = { ...STATUS, name: hostile, logs: [{ ...LOG, lastDetail: hostile }] };
  const answers = [JSON.stringify(bad), `{"${hostile}`, JSON.stringify({ [hostile]: hostile })];
  for (const body of answers) {
    for (const flags of [[], ["--json"]]) {
      const { out, err } = await asking(() => new Response(body), ...flags);
      for (const line of [...out, ...err]) {
        assert(!/[\p{Cc}\p{Cf}]/u.test(line), JSON.stringify(line));
      }
    }
  }
});

Deno.test("status: nobody there is an outage, and an address that is none is wrong usage", async () => {
  const { code, err } = await run("status", "127.0.0.1:2");
  assertEquals(code, 3);
  assertStringIncludes(err.join("\n"), "no daemon answers at http://127.0.0.1:2/status");
  for (const args of [["here"], ["127.0.0.1"], ["a:1", "b:1"], ["--jsn"]]) {
    assertEquals([(await run("status", ...args)).code, args], [2, args]);
  }
});

inFolder("status: without an address it is the configuration's", async (folder) => {
  const log = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
  const file = (http: string): string =>
    put(
      folder,
      "hearsay.jsonc",
      `{ "name": "a", ${http} "logs": [{ "vkey": "${log}", "source": "/nowhere" }] }`,
    );
  let told: Status = { ...STATUS, name: "a" };
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => Response.json(told),
  );
  const config = file(`"http": "127.0.0.1:${server.addr.port}",`);
  const { code, out } = await run("status", "--config", config);
  assertEquals([code, out], [0, shown(told)]);
  told = STATUS;
  const another = await run("status", "--config", config);
  assertEquals([another.code, another.out], [3, []]);
  assertMatch(another.err.join(), /"monitor\.invalid\/one" answers at \S+, expected "a"/);
  await server.shutdown();
  file("");
  const none = await run("status", "--config", config);
  assertEquals(none.code, 2);
  assertStringIncludes(none.err.join("\n"), 'has no "http" address; give HOST:PORT');
  assertEquals((await run("status", "--config", `${folder}/none`)).code, 2);
});

inFolder(
  "status --config: another key under the same name is not taken for ours",
  async (folder) => {
    const { log, dir } = await makeLog(`${folder}/log`, 5);
    const listen = ["--listen", "127.0.0.1:0"];
    const config = await makeMonitor(`${folder}/one`, { log, source: dir }, ...listen);
    const daemon = await startDaemon(config);
    edit(config, '"http": "127.0.0.1:0"', `"http": "${daemon.http}"`);
    await daemon.running.line(/ log\.first /);
    await compareWith(daemon, { log, dir });
    assertEquals((await run("status", "--config", config)).code, 0);
    Deno.removeSync(`${folder}/one/monitor.key`);
    await run("keygen", "monitor.invalid/one", "--out", `${folder}/one/monitor.key`);
    const { code, out, err } = await run("status", "--config", config);
    assertEquals([code, out], [3, []]);
    assertStringIncludes(err.join(), "has another key than");
    daemon.running.stop();
    await daemon.running.done;
  },
);
