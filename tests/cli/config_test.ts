import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { MAX_CONFIG_BYTES, parseConfig } from "../../src/cli/config.ts";
import { readSettings } from "../../src/cli/run.ts";
import { DEFAULT_LIMITS, OPERATOR_LIMITS } from "../../src/gossip/limits.ts";
import { GOSSIP_DEFAULTS } from "../../src/gossip/settings.ts";
import { defaultSettings, PLACE_DEFAULTS, type Settings } from "../../src/monitor/settings.ts";
import { NO_CONTACT } from "../../src/world/http_client.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { makeVkey } from "../../src/tlog/vkey.ts";
import { generateSigner } from "../../src/world/signer.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { formatDuration, readDuration } from "../../src/world/setting_values.ts";
import { MAX_PREFIXES } from "../../src/sources/several.ts";
import { treeHeadLog } from "../tlog/log_signers.ts";
import { inFolder, put, run } from "./harness.ts";

const VKEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
const ORIGIN = "go.sum database tree";
const SOURCE = "sumdb+https://sum.golang.org";
const MONITOR = "monitor.invalid/one";
const world = denoWorld();
/** Keys that logs had before. */
const keys = await Promise.all(
  ["old.invalid/1", "old.invalid/2"].map(async (name) =>
    (await generateSigner({ world, name })).signer.vkey.text
  ),
);

/** A log's members, as a file has them; the values are JSON texts. */
const LOG: Readonly<Record<string, string>> = {
  vkey: JSON.stringify(VKEY),
  origin: JSON.stringify(ORIGIN),
  source: JSON.stringify(SOURCE),
};

/** An object's text with each member on a line of its own. */
function objectText(members: Readonly<Record<string, string>>): string {
  const lines = Object.entries(members).map(([name, value]) => `  "${name}": ${value}`);
  return `{\n${lines.join(",\n")}\n}`;
}

/** A configuration's text; members given as undefined are left out. */
function configText(members: Readonly<Record<string, string | undefined>> = {}): string {
  const all = { name: JSON.stringify(MONITOR), logs: `[${objectText(LOG)}]`, ...members };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  return objectText(Object.fromEntries(given) as Record<string, string>);
}

function parse(text: string, path = "hearsay.jsonc"): Settings {
  return parseConfig(text, { path, world });
}

/** Each line that is told of a file. */
function faultsOf(text: string): string[] {
  return assertThrows(() => parse(text), MalformedError).message.split("\n");
}

/** `line:column` of the first occurrence of a text. */
function placeOf(text: string, what: string): string {
  const at = text.indexOf(what);
  assert(at >= 0, `${what} is not there`);
  const line = text.slice(0, at).split("\n").length;
  return `${line}:${at - text.lastIndexOf("\n", at - 1)}`;
}

Deno.test("parseConfig: a peer may be an endpoint of sourcespotter", () => {
  const url = "https://gossip.invalid/sum.golang.org";
  const { peers } = parse(configText({ peers: `[{ "sourcespotter": "${url}" }]` }));
  assertEquals(peers, [{ sourcespotter: url }]);
  for (const wrong of ["x", "ftp://a.invalid", "https://me:secret@a.invalid/x", `${url}?x`]) {
    const faults = faultsOf(configText({ peers: `[{ "sourcespotter": "${wrong}" }]` }));
    assertEquals(faults.length, 1);
    assertStringIncludes(faults[0]!, "sourcespotter is no plain URL, expected https://HOST/PATH");
  }
  const twice = configText({
    peers: `[{ "sourcespotter": "${url}" }, { "sourcespotter": "${url}" }]`,
  });
  assertStringIncludes(faultsOf(twice)[0]!, "is given twice");
});

Deno.test("parseConfig: journals are published and mirrored as told, by default for members alone", () => {
  const [ber, old] = keys as [string, string];
  const mirror = (more: string, vkey = ber, url = "https://ber.invalid/j"): string =>
    `{ "vkey": "${vkey}", "url": "${url}"${more} }`;
  const of = (federation: string) => parse(configText({ federation })).federation!;
  assertEquals(parse(configText()).federation, undefined);
  const rates = { perSecondPerAddress: 100, perSecond: 1_000 };
  assertEquals(of("{}"), { admit: "members", ...rates, mirrors: [] });
  const full = of(
    `{ "http": "[::1]:99", "admit": "anyone", "perSecondPerAddress": 1, "perSecond": 2, "mirrors": [${
      mirror(', "every": "5m"')
    }, ${mirror("", old, "http://old.invalid/")}] }`,
  );
  assertEquals({ ...full, mirrors: [] }, {
    ...{ http: { hostname: "::1", port: 99 }, admit: "anyone" },
    ...{ perSecondPerAddress: 1, perSecond: 2, mirrors: [] },
  });
  assertEquals(full.mirrors.map(({ vkey, ...rest }) => ({ vkey: vkey.text, ...rest })), [
    { vkey: ber, url: "https://ber.invalid/j/", everyMs: 300_000 },
    { vkey: old, url: "http://old.invalid/", everyMs: 60_000 },
  ]);
  const faults: [federation: string, fault: string][] = [
    ["[]", "federation is"],
    ['{ "http": "x" }', "http: "],
    ['{ "admit": "all" }', 'admit is "all", expected "members" or "anyone"'],
    ['{ "perSecond": 0 }', "perSecond is 0, expected a whole number from 1"],
    ['{ "mirror": [] }', 'federation has no member "mirror"; there are: http, admit'],
    ['{ "mirrors": [{}] }', 'the mirror lacks the member "vkey"'],
    [`{ "mirrors": [${mirror("", "x")}] }`, 'vkey: Cannot read vkey "x"'],
    [`{ "mirrors": [${mirror("", ber, "ber.invalid")}] }`, "url is no plain URL"],
    [`{ "mirrors": [${mirror("", ber, "https://a:secret@b.invalid")}] }`, "url is no plain URL"],
    [`{ "mirrors": [${mirror(', "every": "0s"')}] }`, 'every is "0s", expected a duration'],
    [`{ "mirrors": [${mirror("")}, ${mirror("")}] }`, "two mirrors of journals of the name"],
    [
      `{ "mirrors": [${Array(257).fill("{}").join()}] }`,
      "mirrors has 257 items, expected at most 256",
    ],
  ];
  for (const [federation, fault] of faults) {
    const told = faultsOf(configText({ federation }));
    assert(told.some((line) => line.includes(fault)), `${federation}: ${told.join("; ")}`);
    assert(!told.join().includes("secret"));
  }
});

Deno.test("parseConfig: a log may be known to be retired", () => {
  for (const [retired, wanted] of [["true", true], ["false", undefined]] as const) {
    const { logs } = parse(configText({ logs: `[${objectText({ ...LOG, retired })}]` }));
    assertEquals(logs[0]!.isRetired, wanted);
  }
});

Deno.test("parseConfig: what is not said has its default", () => {
  const { log, ...rest } = parse(configText()).logs[0]!;
  assertEquals([log.vkey.text, log.origin], [VKEY, ORIGIN]);
  assertEquals(rest, { source: SOURCE, pollMs: 60_000, patienceMs: 86_400_000 });
  const { logs: _, ...settings } = parse(configText());
  assertEquals(settings, { name: MONITOR, ...defaultSettings(world) });
  assertEquals(settings, {
    ...settings, // Those of other sections, whose tests are elsewhere.
    name: MONITOR,
    key: PLACE_DEFAULTS.key,
    state: PLACE_DEFAULTS.state,
    incidents: PLACE_DEFAULTS.incidents,
    listen: undefined,
    http: undefined,
    httpGossip: false,
    contact: NO_CONTACT,
    peers: [],
    gossip: { intervalMs: 60_000, fanOut: GOSSIP_DEFAULTS.fanOut },
    limits: DEFAULT_LIMITS,
  });
});

Deno.test("parseConfig: every member that is there is taken", () => {
  const { logs, ...settings } = parse(configText({
    key: '"/keys/k"',
    state: '"/var/s"',
    incidents: '"/var/i"',
    listen: '"[::1]:9900"',
    http: '"127.0.0.1:0"',
    httpGossip: "true",
    contact: '"ops@monitor.invalid"',
    logs: `[${objectText({ ...LOG, poll: '"5s"', patience: '"2h"' })}]`,
    peers: `[{ "address": "a.invalid:1" }, { "address": "b.invalid:1", "vkey": "${VKEY}" }]`,
    gossip: '{ "interval": "7m", "fanOut": 5 }',
    limits: '{ "connectMs": 11, "maxPeersRemembered": 12 }',
  }));
  assertEquals([logs[0]!.pollMs, logs[0]!.patienceMs], [5_000, 7_200_000]);
  assertEquals(settings, {
    ...defaultSettings(world),
    name: MONITOR,
    key: "/keys/k",
    state: "/var/s",
    incidents: "/var/i",
    listen: { hostname: "::1", port: 9900 },
    http: { hostname: "127.0.0.1", port: 0 },
    httpGossip: true,
    contact: "ops@monitor.invalid",
    peers: [
      { address: { hostname: "a.invalid", port: 1 } },
      { address: { hostname: "b.invalid", port: 1 }, vkey: VKEY },
    ],
    gossip: { intervalMs: 420_000, fanOut: 5 },
    limits: { ...DEFAULT_LIMITS, connectMs: 11, maxPeersRemembered: 12 },
  });
});

Deno.test("parseConfig: exchanges may have a schedule in place of an interval", () => {
  const every = parse(configText({ gossip: '{ "schedule": "@every 1m30s", "fanOut": 5 }' }));
  assertEquals(every.gossip, { intervalMs: 90_000, fanOut: 5 }, "which is an interval");
  for (const text of ["@hourly", "CRON_TZ=Europe/Berlin */5 6-22 * * MON-FRI"]) {
    const { gossip } = parse(configText({ gossip: `{ "schedule": "${text}" }` }));
    assert("schedule" in gossip && !("intervalMs" in gossip));
    assertEquals([gossip.schedule.text, gossip.fanOut], [text, GOSSIP_DEFAULTS.fanOut]);
  }
});

Deno.test("parseConfig: an interval and a schedule are one too many", () => {
  const text = configText({ gossip: '{ "interval": "1m", "schedule": "@every 1m" }' });
  const [line, column] = placeOf(text, '"@every 1m"').split(":");
  assertEquals(faultsOf(text), [
    `hearsay.jsonc:${line}:${column}: gossip has an interval too, expected one of the two`,
  ]);
});

Deno.test("parseConfig: a log without an origin has its key's name for one", () => {
  const { origin: _, ...rest } = LOG;
  const [log] = parse(configText({ logs: `[${objectText(rest)}]` })).logs;
  assertEquals(log!.log.origin, "sum.golang.org");
});

Deno.test("parseConfig: paths, and sources that are folders, are relative to the file", () => {
  const folder = (source: string): string =>
    configText({ logs: `[${objectText({ ...LOG, source: JSON.stringify(source) })}]` });
  const cases: [string, string, string, string][] = [
    ["/etc/h/hearsay.jsonc", "trial", "/etc/h/trial", "/etc/h/state"],
    ["/etc/h/hearsay.jsonc", "../trial", "/etc/trial", "/etc/h/state"],
    ["/etc/h/hearsay.jsonc", "/srv/trial", "/srv/trial", "/etc/h/state"],
    ["hearsay.jsonc", "trial", "./trial", "state"],
    ["hearsay.jsonc", "./sumdb+log", "./sumdb+log", "state"],
    ["conf/hearsay.jsonc", "trial", "./conf/trial", "conf/state"],
    ["../hearsay.jsonc", "trial", "../trial", "../state"],
    ["/etc/h/hearsay.jsonc", "https://a.invalid/x", "https://a.invalid/x", "/etc/h/state"],
  ];
  for (const [path, source, wanted, state] of cases) {
    const settings = parse(folder(source), path);
    assertEquals([settings.logs[0]!.source, settings.state], [wanted, state]);
  }
});

Deno.test("parseConfig: a source may be a list of places, each as one alone is read", () => {
  const source = '["https://a.invalid/x", "sumdb+https://b.invalid", "trial"]';
  const text = configText({ logs: `[${objectText({ ...LOG, source })}]` });
  assertEquals(
    parse(text, "/etc/h/hearsay.jsonc").logs[0]!.source,
    ["https://a.invalid/x", "sumdb+https://b.invalid", "/etc/h/trial"],
  );
  const most = JSON.stringify(Array.from({ length: MAX_PREFIXES }, (_, i) => `folder${i}`));
  const full = configText({ logs: `[${objectText({ ...LOG, source: most })}]` });
  assertEquals(parse(full).logs[0]!.source.length, MAX_PREFIXES);
});

Deno.test("parseConfig: comments, trailing commas, CRLF and any order are free", () => {
  const text = `// first
{
  /* the logs
     come first */
  "logs": [ { "source": "${SOURCE}", "origin": "${ORIGIN}", "vkey": "${VKEY}", }, ], // here
  "name": "${MONITOR}", // and then the name
}
// last
`;
  const plain = parse(configText());
  for (const spelled of [text, text.replaceAll("\n", "\r\n")]) {
    const { logs, ...rest } = parse(spelled);
    const { logs: plainLogs, ...plainRest } = plain;
    assertEquals(logs.map(({ log, source }) => [log.id, source]), [
      [plainLogs[0]!.log.id, SOURCE],
    ]);
    assertEquals(rest, plainRest);
  }
});

/** A member of the file, a wrong value for it, and what is said of that. */
const WRONG_MEMBERS: readonly [string, string, string][] = [
  ["name", "7", "name is 7, expected a text"],
  ["name", '""', "expected a text"],
  ["name", '"a b"', 'key name is "a b", expected no spaces'],
  ["name", "null", "is null, expected a text"],
  ["key", "true", "key is true, expected a text"],
  ["httpGossip", '"yes"', 'httpGossip is "yes", expected true or false'],
  ["httpGossip", "1", "httpGossip is 1, expected true or false"],
  ["httpGossip", "null", "httpGossip is null, expected true or false"],
  ["key", '"PRIVATE+KEY+a+00000000+AAAA"', "expected the path of the file that holds it"],
  ["state", "[]", "state is [], expected a text"],
  ["incidents", "{}", "incidents is {}, expected a text"],
  ["listen", "9900", "listen is 9900, expected a text"],
  ["listen", '"9900"', 'listen: Cannot read address "9900": expected HOST:PORT'],
  ["listen", '"a:65536"', "expected HOST:PORT"],
  ["http", '"::1:80"', "http: Cannot read address"],
  ["http", "{}", "http is"],
  ["contact", "1", "contact is"],
  ["contact", '"a (b)"', "without parentheses"],
  ["contact", `"${"x".repeat(257)}"`, "expected up to 256"],
  ["logs", "{}", "logs is {}, expected a list"],
  ["logs", "[]", "logs has 0 items, expected at least 1"],
  ["logs", "[7]", "a log is 7, expected an object"],
  ["peers", '"a:1"', "peers is"],
  ["peers", "[1]", "a peer is 1, expected an object"],
  ["gossip", "[]", "gossip is"],
  ["limits", "1", "limits is"],
];

for (const [name, value, message] of WRONG_MEMBERS) {
  Deno.test(`parseConfig: "${name}" may not be ${value.slice(0, 40)}`, () => {
    const text = configText({ [name]: value });
    const [fault, ...more] = faultsOf(text);
    assertEquals(more, []);
    const place = name === "logs" && value === "[7]" || name === "peers" && value === "[1]"
      ? placeOf(text, value.slice(1))
      : placeOf(text, `"${name}": `).replace(
        /\d+$/,
        (column) => `${Number(column) + name.length + 4}`,
      );
    assertEquals(fault!.split(" ")[0], `hearsay.jsonc:${place}:`);
    assertStringIncludes(fault!, message);
  });
}

/** The same for members within members: where, the member, its value, what is said. */
const WRONG_INNER: readonly ["log" | "peer" | "gossip" | "limits", string, string, string][] = [
  ["log", "vkey", "1", "vkey is 1, expected a text"],
  ["log", "vkey", `"${VKEY.replace("033de0ae", "033de0af")}"`, "vkey: "],
  ["log", "origin", "1", "origin is 1"],
  [
    "log",
    "origin",
    String.raw`"a\nb"`,
    String.raw`origin is "a\u{a}b", expected one non-empty line`,
  ],
  ["log", "replaces", "1", "replaces is 1, expected a text"],
  ["log", "replaces", '"sum.golang.org"', "replaces: "],
  ["log", "replaces", `["${VKEY}"]`, "replaces is ["],
  ["log", "replaces", `"${VKEY.replace("033de0ae", "033de0af")}"`, "replaces: "],
  ["log", "replaces", String.raw`"${VKEY} a\tb"`, "expected one non-empty line"],
  ["log", "replaces", `"${VKEY} "`, "expected one non-empty line"],
  ["log", "replaces", `"${VKEY} ${ORIGIN}"`, "which is followed itself"],
  ["log", "source", "{}", "source is {}"],
  ["log", "source", '"ftp://a.invalid"', 'it is "ftp://a.invalid", expected https://…'],
  ["log", "source", '"rekor+https://a.invalid"', "expected https://…"],
  ["log", "source", '"https://a.invalid/?q"', "expected no ? or #"],
  ["log", "source", '"sigsum+https://a.invalid"', "a Sigsum log's follows from its key"],
  ["log", "source", "[]", "it is a list of 0, expected 1 to 8 places"],
  ["log", "source", '["a", "./a"]', "expected 1 to 8 places, none of them twice"],
  ["log", "source", '["a","b","c","d","e","f","g","h","i"]', "a list of 9, expected 1 to 8 places"],
  ["log", "source", '["a", 7]', "source is 7, expected a text"],
  ["log", "source", '["a", "ftp://a.invalid"]', 'it is "ftp://a.invalid", expected https://…'],
  ["log", "poll", "60", "poll is 60, expected a duration from 100ms to 31d"],
  ["log", "poll", '"99ms"', "expected a duration"],
  ["log", "patience", '"32d"', "patience is"],
  ["log", "retired", '"yes"', 'retired is "yes", expected true or false'],
  ["peer", "address", "1", "address is 1"],
  ["peer", "address", '"a.invalid"', "expected HOST:PORT"],
  ["peer", "address", '"a.invalid:0"', 'is "a.invalid:0", expected a port from 1'],
  ["peer", "vkey", '"x"', "vkey: "],
  ["peer", "sourcespotter", '"https://a.invalid/x"', "a sourcespotter has a URL and no address"],
  ["gossip", "interval", '"0s"', "interval is"],
  ["gossip", "schedule", "30", "schedule is 30, expected a text"],
  ["gossip", "schedule", '"30s"', 'schedule: Cannot read schedule "30s": it has 1 fields'],
  ["gossip", "schedule", '"0 0 30 2 *"', "it never comes"],
  ["gossip", "schedule", '"@every 1ms"', "expected @every and a duration from 100ms to 31d"],
  ["gossip", "fanOut", "0", "fanOut is 0, expected a whole number from 1 to 1024"],
  ["gossip", "fanOut", "1025", "expected a whole number from 1 to 1024"],
  ["gossip", "fanOut", "1.5", "fanOut is 1.5"],
  ["limits", "connectMs", "0", "connectMs is 0, expected a whole number from 1 to"],
  ["limits", "connectMs", "9007199254740992", "expected a whole number"],
  ["limits", "maxConnections", '"5"', 'maxConnections is "5"'],
];

for (const [where, name, value, message] of WRONG_INNER) {
  Deno.test(`parseConfig: "${name}" of a ${where} may not be ${value.slice(0, 40)}`, () => {
    const text = innerText(where, { [name]: value });
    const [fault, ...more] = faultsOf(text);
    assertEquals(more, []);
    const [line, column] = placeOf(text, `"${name}": ${value}`).split(":");
    const place = `${line}:${Number(column) + name.length + 4}`;
    assertEquals(fault!.split(" ")[0], `hearsay.jsonc:${place}:`);
    assertStringIncludes(fault!, message);
  });
}

function innerText(
  where: "log" | "peer" | "gossip" | "limits",
  members: Readonly<Record<string, string>>,
): string {
  switch (where) {
    case "log":
      return configText({ logs: `[${objectText({ ...LOG, ...members })}]` });
    case "peer":
      return configText({ peers: `[${objectText({ address: '"a.invalid:1"', ...members })}]` });
    default:
      return configText({ [where]: objectText(members) });
  }
}

Deno.test("parseConfig: what must be there is missed where it should be", () => {
  const text = configText({ name: undefined, logs: undefined, peers: "[{}]" });
  assertEquals(faultsOf(text), [
    'hearsay.jsonc:1:1: the configuration lacks the member "name"',
    'hearsay.jsonc:1:1: the configuration lacks the member "logs"',
    `hearsay.jsonc:${placeOf(text, "{}")}: a peer lacks the member "address"`,
  ]);
  const log = configText({ logs: "[{}]" });
  assertEquals(
    faultsOf(log),
    ["vkey", "source"].map((name) =>
      `hearsay.jsonc:${placeOf(log, "{}")}: a log lacks the member "${name}"`
    ),
  );
});

Deno.test("parseConfig: unknown members are named, with those there are", () => {
  const text = configText({
    nmae: '"x"',
    logs: `[${objectText({ ...LOG, pol: '"1s"' })}]`,
    peers: '[{ "address": "a.invalid:1", "key": "x" }]',
    gossip: '{ "fanout": 2 }',
    limits: '{ "maxSpeed": 2 }',
  });
  const faults = faultsOf(text);
  for (
    const [i, [what, name, known]] of ([
      [
        "a log",
        "pol",
        "vkey, origin, replaces, poll, patience, retired, policy, cosignedWithin, source",
      ],
      [
        "the configuration",
        "nmae",
        "name, key, state, incidents, listen, http, httpGossip, contact, logs",
      ],
      ["a peer", "key", "address, vkey, sourcespotter"],
      ["gossip", "fanout", "interval, schedule, fanOut"],
      ["limits", "maxSpeed", "maxFramesPerExchange"],
    ] as const).entries()
  ) {
    assertStringIncludes(
      faults[i]!,
      `hearsay.jsonc:${placeOf(text, `"${name}"`)}: ${what} has no member "${name}"; there are: `,
    );
    assertStringIncludes(faults[i]!, known);
  }
  assertEquals(faults.length, 5);
  assertStringIncludes(faultsOf('{ "__proto__": 1, "toString": 2 }').join(), 'member "__proto__"');
});

Deno.test("parseConfig: a member given twice is an error at its second place", () => {
  const text = configText().replace(/\n}$/, `,\n  "name" : "other"\n}`)
    .replace('"vkey": ', `"vkey": ${LOG["vkey"]}, "vkey": `);
  const second = text.indexOf('"vkey"', text.indexOf('"vkey"') + 1);
  const shown = text.slice(0, second).split("\n");
  assertEquals(faultsOf(text), [
    `hearsay.jsonc:${shown.length}:${shown.at(-1)!.length + 1}: a log has "vkey" twice`,
    `hearsay.jsonc:${placeOf(text, '"name" :')}: the configuration has "name" twice`,
  ]);
});

Deno.test("parseConfig: all errors of one file are told at once, in the order of the file", () => {
  const text = `{
  "name": "a b",
  "listen": 5,
  "logs": [
    { "vkey": "x", "source": "ftp://a", "poll": "never" },
    7
  ],
  "peers": [{ "address": "nowhere" }],
  "gossip": { "fanOut": -1 },
  "limits": { "connectMs": "soon" },
  "what": true
}`;
  const faults = faultsOf(text);
  const places = ['"a b"', "5,", '"x"', '"never"', "7\n", '"nowhere"', "-1", '"soon"', '"what"'];
  assertEquals(
    faults.map((fault) => fault.split(" ")[0]),
    places.map((what) => `hearsay.jsonc:${placeOf(text, what)}:`),
  );
});

Deno.test("parseConfig: no more than a hundred errors are told, and how many there are besides", () => {
  const text = configText({ peers: `[${Array(350).fill("0").join(", ")}]` });
  const faults = faultsOf(text);
  assertEquals(faults.length, 101);
  assertEquals(faults.at(-1), "and 250 more errors");
});

Deno.test("parseConfig: as many logs and peers as there may be, and one more", () => {
  const peers = (count: number): string =>
    configText({
      peers: `[${
        Array.from({ length: count }, (_, i) => `{ "address": "a.invalid:${i + 1}" }`).join(", ")
      }]`,
    });
  assertEquals(parse(peers(1_024)).peers.length, 1_024);
  assertStringIncludes(faultsOf(peers(1_025))[0]!, "peers has 1025 items, expected at most 1024");
  const logs = (count: number): string =>
    configText({
      logs: `[${
        Array.from({ length: count }, (_, i) => objectText({ ...LOG, origin: `"origin ${i}"` }))
          .join(", ")
      }]`,
    });
  assertEquals(parse(logs(1_024)).logs.length, 1_024);
  assertStringIncludes(faultsOf(logs(1_025))[0]!, "logs has 1025 items, expected at most 1024");
});

Deno.test("parseConfig: limits that are an operator's are taken, and no others", () => {
  for (const name of Object.keys(DEFAULT_LIMITS) as (keyof typeof DEFAULT_LIMITS)[]) {
    const text = configText({ limits: `{ "${name}": 7 }` });
    if ((OPERATOR_LIMITS as readonly string[]).includes(name)) {
      assertEquals(parse(text).limits, { ...DEFAULT_LIMITS, [name]: 7 });
    } else {
      assertStringIncludes(faultsOf(text)[0]!, `limits has no member "${name}"; there are: `);
    }
  }
});

Deno.test("parseConfig: an exchange must have room for a frame of every log", () => {
  const logs = `[${objectText(LOG)}, ${objectText({ ...LOG, origin: '"another"' })}]`;
  parse(configText({ logs, limits: '{ "maxFramesPerExchange": 2 }' }));
  const text = configText({ logs, limits: '{ "maxFramesPerExchange": 1 }' });
  assertEquals(faultsOf(text), [
    `hearsay.jsonc:${placeOf(text, "1 }")}: maxFramesPerExchange is 1, expected one for each of ` +
    "the 2 logs",
  ]);
});

Deno.test("parseConfig: one folder for both journals is an error, however it is spelled", () => {
  const words = (folder: string): string =>
    `"state" and "incidents" are one folder, "${folder}", expected two`;
  for (
    const [state, incidents, folder] of [
      ["a", "a", "a"],
      ["a", "./a/", "a"],
      ["/var/a/", "/var/b/../a", "/var/a"],
    ]
  ) {
    const text = configText({ state: `"${state}"`, incidents: ` "${incidents}"` });
    const place = placeOf(text, `  "${incidents}"`).replace(/\d+$/, (column) => `${+column + 2}`);
    assertEquals(faultsOf(text), [`hearsay.jsonc:${place}: ${words(folder!)}`]);
  }
  // The other one has its default.
  const alone = configText({ state: '"incidents"' });
  assertEquals(faultsOf(alone), [
    `hearsay.jsonc:${placeOf(alone, '"incidents"')}: ${words("incidents")}`,
  ]);
  parse(configText({ state: '"a"', incidents: '"b"' }));
});

Deno.test("parseConfig: a log or a peer given twice is an error at its second place", () => {
  const text = configText({
    logs: `[${objectText(LOG)}, ${objectText({ poll: '"2s"', ...LOG })}]`,
    peers: '[{ "address": "a.invalid:1" }, { "address": "a.invalid:1", "vkey": "x" }]',
  });
  assertEquals(
    faultsOf(text.replace(', "vkey": "x"', "")),
    [
      `hearsay.jsonc:${placeOf(text, '{\n  "poll"')}: the log "${ORIGIN}" is given twice` +
      ', expected once, with a list of places as its "source" if it is served in several',
      `hearsay.jsonc:${placeOf(text, '{ "address": "a.invalid:1", ')}: the peer "a.invalid:1" is ` +
      "given twice",
    ],
  );
});

Deno.test("parseConfig: the log that is replaced has the origin it is given, or that of its successor", () => {
  const replacedBy = (members: Readonly<Record<string, string>>): string =>
    parse(configText({ logs: `[${objectText(members)}]` })).logs[0]!.replaces!.origin;
  const { origin: _, ...unnamed } = LOG;
  const [old] = keys;
  const replaces = JSON.stringify(old);
  assertEquals(replacedBy({ ...LOG, replaces }), ORIGIN, "the origin that its successor is given");
  assertEquals(replacedBy({ ...unnamed, replaces }), "old.invalid/1", "or its key's name");
  const whole = JSON.stringify(`${old} yet another`);
  assertEquals(replacedBy({ ...LOG, replaces: whole }), "yet another");
  const none = parse(configText({ logs: `[${objectText({ ...LOG, replaces: '"none"' })}]` }))
    .logs[0]!;
  assertEquals([none.replaces, none.replacesNone], [undefined, true]);
  // The same key under another origin is another log, so it can be replaced too.
  assertEquals(replacedBy({ ...LOG, replaces: JSON.stringify(`${VKEY} before`) }), "before");
});

Deno.test("parseConfig: no log is replaced by two, followed too, or replaced in a circle", () => {
  const [one, two] = keys;
  const logs = (first: Record<string, string>, second: Record<string, string>): string =>
    configText({
      logs: `[${objectText({ ...first, source: '"a"' })}, ${
        objectText({ ...second, source: '"b"' })
      }]`,
    });
  const text = (vkey: string | undefined): string => JSON.stringify(vkey);
  const twice = logs(
    { vkey: text(VKEY), replaces: text(one) },
    { vkey: text(two), replaces: text(one) },
  );
  const [fault, ...more] = faultsOf(twice);
  assertEquals(more, []);
  assertStringIncludes(fault!, "two logs replace old.invalid/1 (key ");
  const circle = logs(
    { vkey: text(one), replaces: text(two) },
    { vkey: text(two), replaces: text(one) },
  );
  assertEquals(faultsOf(circle).length, 2);
  for (const told of faultsOf(circle)) assertStringIncludes(told, "which is followed itself");
  const chain = logs(
    { vkey: text(one), replaces: text(two) },
    { vkey: text(VKEY), replaces: text(one) },
  );
  assertEquals(faultsOf(chain).length, 1);
});

Deno.test("parseConfig: a log that is replaced needs a frame as well", () => {
  const logs = `[${objectText({ ...LOG, replaces: JSON.stringify(keys[0]) })}]`;
  parse(configText({ logs, limits: '{ "maxFramesPerExchange": 2 }' }));
  const [fault] = faultsOf(configText({ logs, limits: '{ "maxFramesPerExchange": 1 }' }));
  assertStringIncludes(fault!, "the 2 logs");
});

Deno.test("parseConfig: two logs under one RFC 6962 key are refused, as everywhere", () => {
  const { vkey } = treeHeadLog("ecdsa").log;
  const other = makeVkey({ ...vkey, name: "other.invalid" });
  const logText = (text: string): string =>
    objectText({ vkey: JSON.stringify(text), source: '"static-ct+https://a.invalid"' });
  parse(configText({ logs: `[${logText(vkey.text)}]` }));
  const text = configText({ logs: `[${logText(vkey.text)}, ${logText(other.text)}]` });
  const second = text.indexOf("{", text.indexOf(vkey.text));
  const before = text.slice(0, second).split("\n");
  assertEquals(faultsOf(text), [
    `hearsay.jsonc:${before.length}:${
      before.at(-1)!.length + 1
    }: Two logs with one RFC 6962 key: ` +
    `"${vkey.name}" and "other.invalid"; its signatures do not say which they are about, keep one`,
  ]);
});

Deno.test("parseConfig: what is not JSONC is told with its place, and nothing else", () => {
  const cases: [string, string, string][] = [
    ['{\n  "name" "x" }', "2:10", "colon expected"],
    ['{ "name": x }', "1:11", "invalid symbol"],
    ['{ "name": "x', "1:11", "unexpected end of string"],
    ["{", "1:2", "close brace expected"],
    ["{}\n{}", "2:1", "end of file expected"],
    ["", "1:1", "value expected"],
    ["// nothing but a comment\n", "2:1", "value expected"],
    ["\ufeff{}", "1:1", "invalid symbol"],
  ];
  for (const [text, place, words] of cases) {
    const faults = faultsOf(text);
    assertStringIncludes(faults.join("\n"), `hearsay.jsonc:${place}: not JSONC: ${words}`);
    assert(faults.every((fault) => fault.includes(": not JSONC: ")), faults.join("\n"));
  }
});

Deno.test("parseConfig: anything but an object is none", () => {
  for (const text of ["[]", "7", "null", '"x"', "true"]) {
    assertEquals(faultsOf(text), [
      `hearsay.jsonc:1:1: the configuration is ${text}, expected an object`,
    ]);
  }
});

Deno.test("parseConfig: nesting beyond any configuration's is an error, not a crash", () => {
  const text = configText({ peers: "[".repeat(500_000) });
  assertStringIncludes(faultsOf(text)[0]!, "nested deeper than 8");
  const peers = (depth: number): string =>
    configText({ name: '"}}{[["', peers: "[".repeat(depth) + "]".repeat(depth) });
  assertStringIncludes(faultsOf(peers(8)).join("\n"), "nested deeper than 8");
  assertStringIncludes(faultsOf(peers(7))[0]!, "a peer is [[[[[[]]]]]], expected an object");
});

Deno.test("parseConfig: no private key is repeated, wherever it stands", () => {
  const secret = `PRIVATE+KEY+${MONITOR}+00000000+${"A".repeat(44)}`;
  const text = configText({
    name: JSON.stringify(secret),
    key: JSON.stringify(secret),
    contact: JSON.stringify([secret]),
    logs: `[${objectText({ ...LOG, vkey: JSON.stringify(secret) })}]`,
    peers: `[{ "address": "${secret}", "${secret}": 1 }]`,
  });
  const told = faultsOf(text);
  assertEquals(told.length, 6);
  assert(!told.join("\n").includes("AAAA"), told.join("\n"));
});

Deno.test("parseConfig: what is shown of a file can not steer a terminal", () => {
  const text = configText({ name: String.raw`"\u001b[2J"`, "\u001b[2J": "1" });
  const told = assertThrows(
    () => parse(text, "\u001b[1m.jsonc"),
    MalformedError,
  ).message;
  // deno-lint-ignore no-control-regex
  assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f]/.test(told), JSON.stringify(told));
});

Deno.test("readDuration: every unit, and both limits", () => {
  const right: [string, number][] = [
    ["100ms", 100],
    ["1s", 1_000],
    ["5m", 300_000],
    ["12h", 43_200_000],
    ["31d", 2_678_400_000],
    ["744h", 2_678_400_000],
  ];
  for (const [text, ms] of right) assertEquals(readDuration(text, "x"), ms);
  const spelled = [100, 1_000, 300_000, 43_200_000, 2_678_400_000, 90_000, 61_001].map(
    formatDuration,
  );
  assertEquals(spelled, ["100ms", "1s", "5m", "12h", "31d", "90s", "61001ms"]);
  for (
    const wrong of [
      "99ms",
      "0s",
      "32d",
      "745h",
      "2678400001ms",
      "1.5s",
      "-1s",
      "1 s",
      "1S",
      "s",
      "",
    ]
  ) {
    assertThrows(
      () => readDuration(wrong, "x"),
      MalformedError,
      "expected a duration from 100ms to 31d",
    );
  }
  for (const wrong of [1, null, {}, ["1s"]]) {
    assertThrows(() => readDuration(wrong, "x"), MalformedError, "expected a duration");
  }
});

inFolder("readSettings: files that are missing, empty, binary or huge", async (folder) => {
  const cases: [string, string | Uint8Array, string][] = [
    ["empty", "", "empty:1:1: not JSONC: value expected"],
    ["binary", Uint8Array.of(0x7b, 0xff, 0x7d), 'binary": The text is not valid UTF-8'],
    ["nul", "\0\0\0", "nul:1:1: not JSONC"],
    ["huge", " ".repeat(MAX_CONFIG_BYTES + 1), `expected at most ${MAX_CONFIG_BYTES} bytes`],
  ];
  for (const [name, content, message] of cases) {
    const path = put(folder, name, content);
    const { code, err } = await run("run", "--config", path);
    assertEquals([name, code], [name, 2]);
    assertStringIncludes(err.join("\n"), message);
  }
  const missing = await run("run", "--config", `${folder}/none`);
  assertEquals(missing.code, 2);
  assertStringIncludes(missing.err.join(), "there is no file");
  const longest = configText().padEnd(MAX_CONFIG_BYTES);
  const path = put(folder, "longest", longest);
  assertEquals((await readSettings(world, path)).name, MONITOR);
});
