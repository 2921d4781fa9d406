/** What a configuration hardly means, each beside the like of it that is meant. */
import { assertEquals, assertMatch } from "@std/assert";
import { parseConfig } from "../../src/cli/config.ts";
import { trapsOf } from "../../src/monitor/traps.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { TestLog } from "../../src/sources/test_log.ts";
import { makeVkey, parseVkey } from "../../src/tlog/vkey.ts";
import type { World } from "../../src/world/world.ts";

const world: World = {
  ...denoWorld(),
  files: { ...denoWorld().files, list: (path) => Promise.resolve(path === "logs" ? THERE : []) },
};
const THERE = ["log.example.com"];
const [one, two] = [
  (await TestLog.create({ world, origin: "log.example/one" })).log.vkey.text,
  (await TestLog.create({ world, origin: "log.example/two" })).log.vkey.text,
];

/** The same key under another name. */
function renamed(vkey: string, name: string): string {
  const { type, publicKey } = parseVkey(vkey);
  return makeVkey({ name, type, publicKey }).text;
}

interface Members {
  readonly [name: string]: unknown;
}

const LOG = { vkey: one, source: "https://log.example.com" };

/** The traps of a configuration with these members, which without them has none. */
async function traps(members: Members): Promise<string[]> {
  const all = { name: "monitor.example", listen: "192.0.2.1:9900", logs: [LOG], ...members };
  return await trapsOf(parseConfig(JSON.stringify(all), { path: "hearsay.jsonc", world }), world);
}

const peers = (...addresses: readonly string[]) => ({
  peers: addresses.map((address) => ({ address })),
});
const spotter = (sourcespotter: string) => ({ peers: [{ sourcespotter }] });
const log = (more: Members) => ({ logs: [{ ...LOG, ...more }] });

/** Each trap: members that step into it, others that just do not, and its words. */
const CASES: readonly (readonly [RegExp, readonly Members[], readonly Members[]])[] = [
  [
    /^"admit" is "members", and no peer has a vkey: whoever calls is turned away$/,
    [{ admit: "members" }, { admit: "members", ...peers("a.example:1") }],
    [
      { admit: "anyone" },
      { admit: "members", peers: [{ vkey: one }] },
    ],
  ],
  [
    /^the member monitor\.example has the name of this monitor/,
    [{ peers: [{ vkey: renamed(one, "monitor.example") }] }],
    [{ peers: [{ vkey: one }] }],
  ],
  [
    /^"(incidents|state)" is a folder inside "(state|incidents)"/,
    [
      { state: "a", incidents: "a/b" },
      { state: "a/b/c", incidents: "./a/" },
      { state: "." },
      { state: "..", incidents: "a" },
      { state: Deno.cwd() },
      { incidents: `${Deno.cwd()}/a`, state: "a/b" },
      { state: "/" },
      { state: "/", incidents: "/none-of-these/x" },
      { incidents: "/" },
    ],
    [
      { state: "a", incidents: "ab" },
      { state: "a/b", incidents: "a/c" },
      { state: `${Deno.cwd()}/a` },
      { state: "/none-of-these/a", incidents: "a" },
      { state: "../none-of-these" },
    ],
  ],
  [
    /^"state" and "incidents" are one folder, spelled in two ways/,
    [{ state: `${Deno.cwd()}/incidents` }, { state: Deno.cwd(), incidents: "." }, {
      state: "/",
      incidents: "../../../../../../../../../../..",
    }],
    [{ state: "./state" }],
  ],
  [
    /^"\S+" \S+ and "federation\.http" \S+ are one address/,
    [
      { federation: { http: "192.0.2.1:9900" } },
      { http: "127.0.0.1:1", federation: { http: "0.0.0.0:1" } },
      { witness: { key: "w", http: "192.0.2.1:7" }, federation: { http: "192.0.2.1:7" } },
    ],
    [
      { federation: { http: "192.0.2.1:9901" } },
      { federation: {} },
      { http: "127.0.0.1:0", federation: { http: "127.0.0.1:0" } },
    ],
  ],
  [
    /^the mirror of https:\/\/a\.example\/ has the name of this monitor/,
    [{
      federation: {
        mirrors: [{ vkey: renamed(one, "monitor.example"), url: "https://a.example" }],
      },
    }],
    [{ federation: { mirrors: [{ vkey: one, url: "https://a.example" }] } }],
  ],
  [
    /^"listen" \S+ and "http" \S+ are one address/,
    [
      { http: "192.0.2.1:9900" },
      { listen: "localhost:1", http: "127.0.0.1:1" },
      { listen: "[::]:1", http: "127.0.0.1:1" },
      { listen: "0.0.0.0:1", http: "192.0.2.1:1" },
      { listen: "A.example.:1", http: "a.example:1" },
    ],
    [
      { http: "192.0.2.1:9901" },
      { http: "192.0.2.2:9900" },
      { listen: "127.0.0.1:0", http: "127.0.0.1:0" },
      { listen: "127.0.0.1:1", http: "127.0.0.2:1" },
      { listen: "127.0.0.1:1", http: "[::1]:1" },
    ],
  ],
  [
    /^"http" is \S+, all addresses of this machine/,
    [{ http: "0.0.0.0:1" }, { http: "[::]:1" }, { http: "[0::0]:1" }, {
      http: "[::ffff:0.0.0.0]:1",
    }],
    [{ http: "127.0.0.1:1" }, { http: "[::1]:1" }, { http: "192.0.2.1:1" }],
  ],
  [
    /^"httpGossip" is true and there is no "http"/,
    [{ httpGossip: true }],
    [{ httpGossip: true, http: "127.0.0.1:1" }, { httpGossip: false }],
  ],
  [
    /^nothing is compared with anybody/,
    [{ listen: undefined }, { listen: undefined, http: "127.0.0.1:1" }],
    [
      { listen: undefined, ...peers("a.example:1") },
      { listen: undefined, httpGossip: true, http: "127.0.0.1:1" },
      {},
    ],
  ],
  [
    /^the peer \S+ is this monitor itself/,
    [
      peers("192.0.2.1:9900"),
      { listen: "0.0.0.0:9900", ...peers("localhost:9900") },
      { listen: "[::]:9900", ...peers("127.0.0.1:9900") },
      { listen: "127.0.0.1:9900", ...peers("localhost:9900") },
      { listen: "a.example:9900", ...peers("A.example.:9900") },
    ],
    [peers("192.0.2.1:9901"), peers("192.0.2.2:9900"), peers("localhost:9900")],
  ],
  [
    /^the peer http\S+ is this monitor itself, its own "http"/,
    [
      { http: "127.0.0.1:9980", ...spotter("http://localhost:9980/gossip/x") },
      { http: "[::1]:9980", ...spotter("http://[::1]:9980/gossip/x") },
      { http: "192.0.2.1:80", ...spotter("http://192.0.2.1/gossip/x") },
      { http: "192.0.2.1:443", ...spotter("https://192.0.2.1/gossip/x") },
    ],
    [
      { http: "127.0.0.1:9980", ...spotter("http://127.0.0.1:9981/gossip/x") },
      { http: "127.0.0.1:9980", ...spotter("http://192.0.2.2:9980/gossip/x") },
      spotter("http://127.0.0.1:9980/gossip/x"),
    ],
  ],
  [
    /^the (peers \S+ and \S+ are one address|members \S+ and \S+ have one key)/,
    [
      peers("a.example:1", "A.example:1"),
      peers("[::1]:1", "[0:0::1]:1"),
      { peers: [{ address: "a.example:1", vkey: two }, { address: "A.example:1" }] },
      { peers: [{ address: "a.example:1", vkey: two }, { vkey: renamed(two, "other.example") }] },
    ],
    [peers("a.example:1", "a.example:2"), peers("[::1]:1", "[::2]:1"), {
      peers: [{ address: "a.example:1", vkey: two }, { address: "b.example:1", vkey: one }],
    }],
  ],
  [
    /^the logs log\.example\/one and log\.example\/two have the same source/,
    [{ logs: [LOG, { ...LOG, vkey: two }] }, {
      logs: [LOG, { ...LOG, vkey: two, source: ["https://b.example", LOG.source] }],
    }],
    [{ logs: [LOG, { ...LOG, vkey: two, source: `${LOG.source}/two` }] }],
  ],
  [
    /^log log\.example\/one: the source \S+ is there twice, spelled in two ways/,
    [
      log({ source: ["https://a.example/x", "https://a.example/x/"] }),
      log({ source: ["logs/a//", "https://a.example", "logs/a"] }),
    ],
    [
      log({ source: ["https://a.example/x", "https://a.example/x/y"] }),
      log({ source: ["https://a.example/x", "http://a.example/x"] }),
    ],
  ],
  [
    /^log log\.example\/one: the source \S+ is this monitor itself, its own "(listen|http)"/,
    [
      log({ source: "http://192.0.2.1:9900/" }),
      { http: "127.0.0.1:9980", ...log({ source: ["sumdb+http://localhost:9980/x"] }) },
      { http: "[::1]:9980", ...log({ source: "http://[::1]:9980" }) },
    ],
    [
      log({ source: "http://192.0.2.1:9901/" }),
      { http: "127.0.0.1:9980", ...log({ source: "http://192.0.2.7:9980" }) },
      log({ source: "logs/192.0.2.1:9900" }),
    ],
  ],
  [
    /^log log\.example\/one: the source \S+ ends with \/checkpoint, .* write \S+[^/t]$/,
    [
      log({ source: "https://a.example/x/checkpoint" }),
      log({ source: "static-ct+https://a.example/x/checkpoint/" }),
      log({ source: "logs/a/checkpoint" }),
    ],
    [
      log({ source: "https://a.example/checkpoint/x" }),
      log({ source: "https://a.example/mycheckpoint" }),
    ],
  ],
  [
    /^log log\.example\/one: its vkey has the name of this monitor/,
    [{ name: "log.example/one" }],
    [{ name: "log.example/on" }],
  ],
  [
    /^log log\.example\/one is polled every 9\.999 s at sum\.golang\.org, a public server/,
    [
      log({ poll: "9999ms", source: "sumdb+https://sum.golang.org/x" }),
      log({ poll: "9999ms", source: ["http://127.0.0.1", "https://sum.golang.org"] }),
    ],
    [
      log({ poll: "10s", source: "https://sum.golang.org" }),
      log({ poll: "1s", source: "http://127.0.0.1:1" }),
      log({ poll: "1s", source: "http://log.internal" }),
      log({ poll: "1s", source: "logs/log" }),
    ],
  ],
  [
    /^log log\.example\/one: "patience" \(59 s\) is shorter than "poll" \(60 s\)/,
    [log({ poll: "1m", patience: "59s" })],
    [log({ poll: "1m", patience: "1m" })],
  ],
  [
    /^log log\.example\/one: the source \S+ is taken for a folder/,
    [log({ source: "sum.golang.org" }), log({ source: "log.example.com/api/v2" }), {
      logs: [{ ...LOG, source: ["https://a.example", "b.example.org"] }],
    }],
    [
      log({ source: "logs/log.example.com" }),
      log({ source: "logs/mine" }),
      log({ source: "/a.b/c" }),
    ],
  ],
];

for (const [words, steppedInto, passed] of CASES) {
  Deno.test(`traps: ${words.source.slice(0, 60)}`, async () => {
    for (const members of steppedInto) {
      const told = await traps(members);
      assertEquals(told.length, 1, `${JSON.stringify(members)}: ${told.join("; ")}`);
      assertMatch(told[0]!, words);
    }
    for (const members of passed) assertEquals(await traps(members), [], JSON.stringify(members));
  });
}
