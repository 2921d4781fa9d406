import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { readKey } from "../../src/cli/inputs.ts";
import { nameOfPeer } from "../../src/gossip/settings.ts";
import { OFFERED_LOGS } from "../../src/cli/known_logs.ts";
import { readSettings } from "../../src/cli/run.ts";
import { defaultSettings } from "../../src/monitor/settings.ts";
import { openSource } from "../../src/sources/open.ts";
import { NO_CONTACT } from "../../src/world/http_client.ts";
import { parseLog } from "../../src/tlog/log.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { type Files, type World, WorldError } from "../../src/world/world.ts";
import { inFolder, run, start } from "./harness.ts";

const NAME = "monitor.invalid/one";
const world = denoWorld();
const [GO, REKOR] = OFFERED_LOGS as [typeof OFFERED_LOGS[0], typeof OFFERED_LOGS[0]];
const ONE_LOG = ["--log", GO.log, "--source", GO.source];

/** The vkey of another monitor. */
async function otherKey(folder: string): Promise<string> {
  const { out } = await run("keygen", "monitor.invalid/two", "--out", `${folder}/two.key`);
  return out[0]!;
}

function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

inFolder("init: flags ask nothing, and what is written says what was asked for", async (folder) => {
  const { code, out, err } = await run(
    ...["init", "--dir", `${folder}/new/one`, "--name", NAME, ...ONE_LOG],
    ...["--log", REKOR.log, "--source", `static-ct+${REKOR.source}`],
    ...["--listen", "0.0.0.0:9900", "--http", "[::1]:9981"],
    ...["--peer", "a.invalid:9900", "--peer", "[::1]:9901"],
    ...["--poll", "1s", "--gossip", "2s", "--contact", "ops@monitor.invalid"],
  );
  assertEquals(code, 0, err.join("\n"));
  const at = `${folder}/new/one`;
  assertEquals(filesIn(at), ["hearsay.jsonc", "monitor.key"]);
  const settings = await readSettings(world, `${at}/hearsay.jsonc`);
  const { logs, ...rest } = settings;
  assertEquals(rest, {
    ...defaultSettings(world),
    name: NAME,
    key: `${at}/monitor.key`,
    state: `${at}/state`,
    incidents: `${at}/incidents`,
    listen: { hostname: "0.0.0.0", port: 9900 },
    http: { hostname: "::1", port: 9981 },
    contact: "ops@monitor.invalid",
    peers: [
      { address: { hostname: "a.invalid", port: 9900 } },
      { address: { hostname: "::1", port: 9901 } },
    ],
    gossip: { intervalMs: 2_000, fanOut: 2 },
  });
  assertEquals(
    logs.map(({ log, ...rest }) => ({ id: log.id, ...rest })),
    [[GO.log, GO.source], [REKOR.log, `static-ct+${REKOR.source}`]].map(([log, source]) => ({
      id: parseLog(log!).id,
      source: source!,
      pollMs: 1_000,
      patienceMs: 86_400_000,
    })),
  );
  assertMatch(out.join("\n"), /^monitor\.invalid\/one\+[0-9a-f]{8}\+A[A-Za-z0-9+/=]+$/);
  assertStringIncludes(err.join("\n"), `hearsay run --config ${at}/hearsay.jsonc --once`);
});

inFolder("init: members, and whom it answers", async (folder) => {
  const vkey = await otherKey(folder);
  const args = ["init", "--dir", `${folder}/one`, "--name", NAME, ...ONE_LOG, "--admit", "members"];
  const { code, err } = await run(
    ...[...args, "--peer", `${vkey} two.invalid:9900`, "--peer", "three.invalid:9900"],
  );
  assertEquals(code, 0, err.join("\n"));
  assertStringIncludes(err.join("\n"), "hearsay peers add VKEY HOST:PORT");
  const { admit, peers } = await readSettings(world, `${folder}/one/hearsay.jsonc`);
  assertEquals(admit, "members");
  assertEquals(peers, [
    { vkey, address: { hostname: "two.invalid", port: 9900 } },
    { address: { hostname: "three.invalid", port: 9900 } },
  ]);
  const other = ["--dir", `${folder}/other`, "--name", NAME, ...ONE_LOG];
  assertEquals((await run("init", ...other, "--peer", vkey)).code, 0);
  assertEquals((await readSettings(world, `${folder}/other/hearsay.jsonc`)).peers, [
    { vkey, address: undefined },
  ]);
  for (
    const wrong of [
      ["--admit", "nobody"],
      ["--peer", `two.invalid:9900 ${vkey}`],
      ["--peer", `${vkey} two.invalid:9900 more`],
      ["--peer", `${vkey}x`],
    ]
  ) {
    const { code } = await run(
      "init",
      "--dir",
      `${folder}/x`,
      "--name",
      NAME,
      ...ONE_LOG,
      ...wrong,
    );
    assertEquals(code, 2, wrong.join(" "));
  }
});

inFolder("init: asked for peers, an address behind a vkey belongs to it", async (folder) => {
  const vkey = await otherKey(folder);
  const answers = [NAME, "1", "", `a.invalid:1 ${vkey} b.invalid:2, c.invalid:3`];
  const asked = start(["init", "--dir", `${folder}/one`], world, answers);
  assertEquals((await asked.done).code, 0);
  const { peers } = await readSettings(world, `${folder}/one/hearsay.jsonc`);
  const at = (hostname: string, port: number) => ({ address: { hostname, port } });
  assertEquals(peers, [at("a.invalid", 1), { vkey, ...at("b.invalid", 2) }, at("c.invalid", 3)]);
});

inFolder("init: without the other flags there are defaults, commented", async (folder) => {
  assertEquals((await run("init", "--dir", folder, "--name", NAME, ...ONE_LOG)).code, 0);
  const path = `${folder}/hearsay.jsonc`;
  const { listen, http, peers, contact, gossip } = await readSettings(world, path);
  assertEquals([listen, http, peers, contact, gossip], [
    undefined,
    { hostname: "127.0.0.1", port: 9980 },
    [],
    NO_CONTACT,
    { intervalMs: 60_000, fanOut: 2 },
  ]);
  assertStringIncludes(Deno.readTextFileSync(path), '  // "listen": "0.0.0.0:9900",');
});

inFolder("init: the key is the owner's alone, and nobody else is told it", async (folder) => {
  const { out, err } = await run("init", "--dir", folder, "--name", NAME, ...ONE_LOG);
  const key = Deno.readTextFileSync(`${folder}/monitor.key`);
  assertMatch(key, /^PRIVATE\+KEY\+monitor\.invalid\/one\+/);
  assertEquals(Deno.statSync(`${folder}/monitor.key`).mode! & 0o777, 0o600);
  // Base64 has plus signs of its own.
  const secret = key.trim().split("+").slice(4).join("+");
  for (const text of [...out, ...err, Deno.readTextFileSync(`${folder}/hearsay.jsonc`)]) {
    assert(!text.includes(secret));
  }
});

for (const [there, gone] of [["hearsay.jsonc", "monitor.key"], ["monitor.key", "hearsay.jsonc"]]) {
  inFolder(`init: a ${there} that is there stays as it is, alone`, async (folder) => {
    Deno.writeTextFileSync(`${folder}/${there}`, "mine");
    const { code, err } = await run("init", "--dir", folder, "--name", NAME, ...ONE_LOG);
    assertEquals(code, 2);
    assertStringIncludes(err.join("\n"), `/${there}" exists and is not overwritten`);
    assertEquals(filesIn(folder), [there!], `no ${gone}`);
    assertEquals(Deno.readTextFileSync(`${folder}/${there}`), "mine");
  });
}

/** The world, with files of which `broken` makes something else. */
function withFiles(broken: (files: Files) => Partial<Files>): World {
  return { ...world, files: { ...world.files, ...broken(world.files) } };
}

/** A disk that takes all but the nth file created. */
function fullAt(nth: number): World {
  let created = 0;
  return withFiles(({ create }) => ({
    create: async (path, permissions) => {
      const file = await create(path, permissions);
      if (++created !== nth) return file;
      return { ...file, write: () => Promise.reject(new WorldError("other", "No space left")) };
    },
  }));
}

const LEFT_AT: [number, string[]][] = [[1, []], [2, ["monitor.key"]]];
for (const [nth, left] of LEFT_AT) {
  inFolder(
    `init: a disk that is full at file ${nth} has nothing half, and a second try succeeds`,
    async (folder) => {
      const args = ["init", "--dir", folder, "--name", NAME, ...ONE_LOG];
      const { code, out, err } = await start(args, fullAt(nth)).done;
      assertEquals([code, out], [3, []]);
      assertStringIncludes(err.join("\n"), "No space left");
      assertEquals(filesIn(folder), left);
      const key = left.map((name) => Deno.readTextFileSync(`${folder}/${name}`));
      const again = await run(...args);
      assertEquals(again.code, 0);
      assertEquals(left.map((name) => Deno.readTextFileSync(`${folder}/${name}`)), key, "kept");
      assertEquals(again.out, [(await readKey(world, `${folder}/monitor.key`)).vkey.text]);
    },
  );
}

inFolder(
  "init: what is told is what failed, not that cleaning up failed as well",
  async (folder) => {
    const full = fullAt(1);
    const remove = () => Promise.reject(new WorldError("other", "Input/output error"));
    const broken = { ...full, files: { ...full.files, remove } };
    const { code, err } = await start(
      ["init", "--dir", folder, "--name", NAME, ...ONE_LOG],
      broken,
    ).done;
    assertEquals(code, 3);
    assertStringIncludes(err.join("\n"), "No space left");
    assert(!err.join("\n").includes("Input/output error"));
  },
);

inFolder(
  "init: a key of this name that is there is kept, made durable and told",
  async (folder) => {
    const made = await run("keygen", NAME, "--out", `${folder}/monitor.key`);
    const key = Deno.readTextFileSync(`${folder}/monitor.key`);
    const steps: string[] = [];
    const watched = withFiles(({ syncFolder, create }) => ({
      syncFolder: (path) => (steps.push(`sync ${path}`), syncFolder(path)),
      create: (path, permissions) => (steps.push("create"), create(path, permissions)),
    }));
    const { code, out, err } = await start(
      ["init", "--dir", folder, "--name", NAME, ...ONE_LOG],
      watched,
    ).done;
    assertEquals([code, out], [0, made.out]);
    assertStringIncludes(
      err.join("\n"),
      `${folder}/monitor.key exists and is the key of ${NAME}`,
    );
    assertEquals(Deno.readTextFileSync(`${folder}/monitor.key`), key);
    const before = steps.slice(0, steps.indexOf("create"));
    assert(before.includes(`sync ${folder}`), "before the configuration, which names it");
  },
);

inFolder(
  "init: a key that is not one of this name is refused, and says what to do",
  async (folder) => {
    const args = ["init", "--dir", folder, "--name", NAME, ...ONE_LOG];
    const path = `${folder}/monitor.key`;
    await run("keygen", "monitor.invalid/two", "--out", path);
    const key = Deno.readTextFileSync(path);
    const cases = [
      [
        key,
        'the key of "monitor.invalid/two", expected "monitor.invalid/one". Give its name with --name',
      ],
      [key.slice(0, -10), "no key can be read from it ("],
      ["", "Move it elsewhere, or give another --dir"],
    ];
    for (const [content, message] of cases) {
      Deno.writeTextFileSync(path, content!);
      const { code, out, err } = await run(...args);
      assertEquals([code, out], [2, []]);
      assertStringIncludes(err.join("\n"), message!);
      assertEquals(filesIn(folder), ["monitor.key"]);
      assertEquals(Deno.readTextFileSync(path), content);
    }
  },
);

inFolder("init: a --source belongs to the --log before it", async (folder) => {
  const [log, source] = [["--log", GO.log], ["--source", GO.source]] as const;
  const [log2, source2] = [["--log", REKOR.log], [`--source=${REKOR.source}`]] as const;
  const cases: (readonly string[])[] = [
    [...log],
    [...source],
    [...log, ...log2, ...source, ...source2],
    [...log, ...source, ...source2, ...log2],
    [...source, ...log],
    [...log, ...source, ...log2],
    [...log, ...source, ...source2],
  ];
  for (const args of cases) {
    const { code, err } = await run("init", "--dir", folder, "--name", NAME, ...args);
    assertEquals([code, args], [2, args]);
    assertStringIncludes(err.join("\n"), "expected one --source after each --log; got: --");
  }
  assertEquals(filesIn(folder), []);
  const args = [`--log=${GO.log}`, ...source, "--peer", "a.invalid:1", ...log2, ...source2];
  assertEquals((await run("init", "--dir", folder, "--name", NAME, ...args)).code, 0);
  const { logs } = await readSettings(world, `${folder}/hearsay.jsonc`);
  assertEquals(logs.map(({ log, source }) => [log.origin, source]), [
    ["go.sum database tree", GO.source],
    ["log2025-1.rekor.sigstore.dev", REKOR.source],
  ]);
});

inFolder(
  "init: a folder named here is the same folder for the file, wherever that is",
  async (folder) => {
    for (const [i, source] of ["some/log", "./some/log", `${folder}/log`].entries()) {
      const dir = `${folder}/${i}`;
      const args = ["--log", GO.log, "--source", source];
      assertEquals((await run("init", "--dir", dir, "--name", NAME, ...args)).code, 0);
      const { logs } = await readSettings(world, `${dir}/hearsay.jsonc`);
      const wanted = source.startsWith("/") ? source : `${Deno.cwd()}/some/log`;
      assertEquals(logs[0]!.source, wanted);
    }
  },
);

inFolder("init: what is wrong ends with 2, says so, and writes nothing", async (folder) => {
  const cases: [string[], string][] = [
    [["--name", "a b", ...ONE_LOG], 'key name is "a b"'],
    [["--name", "a+b", ...ONE_LOG], 'key name is "a+b"'],
    [["--name", NAME], "expected at least one --log LOG --source SOURCE"],
    [ONE_LOG, "expected --name NAME"],
    [["--name", NAME, "--log", "x", "--source", GO.source], "vkey"],
    [["--name", NAME, "--log", GO.log, "--source", "ftp://a"], "Cannot read source"],
    [["--name", NAME, "--log", GO.log, "--source", "sigsum+https://a.invalid"], "Sigsum"],
    [["--name", NAME, ...ONE_LOG, ...ONE_LOG], "is given twice"],
    [["--name", NAME, ...ONE_LOG, "--listen", "9900"], 'Cannot read address "9900"'],
    [["--name", NAME, ...ONE_LOG, "--http", "x"], 'Cannot read address "x"'],
    [["--name", NAME, ...ONE_LOG, "--peer", "a.invalid"], 'Cannot read address "a.invalid"'],
    [["--name", NAME, ...ONE_LOG, "--peer", "a.invalid:0"], "expected a port from 1"],
    [["--name", NAME, ...ONE_LOG, "--poll", "60"], '--poll is "60", expected a duration'],
    [["--name", NAME, ...ONE_LOG, "--gossip", "32d"], "--gossip is"],
    [["--name", NAME, ...ONE_LOG, "--contact", "a(b)"], "--contact is"],
    [["--name", NAME, "--name", NAME, ...ONE_LOG], "--name is given 2 times"],
    [["--nmae", NAME], "there is no option"],
    [["operand"], "expected no operands"],
  ];
  for (const [args, message] of cases) {
    const { code, err } = await run("init", "--dir", folder, ...args);
    assertEquals([code, args], [2, args]);
    assertStringIncludes(err.join("\n"), message);
  }
  assertEquals(filesIn(folder), []);
});

inFolder("init: the menu takes a name and numbers", async (folder) => {
  const args = ["init", "--dir", folder, "--peer", "a.invalid:1"];
  const { code, out } = await start(args, world, [` ${NAME} `, "2, 1 2"]).done;
  assertEquals(code, 0);
  OFFERED_LOGS.forEach(({ title, about }, i) =>
    assertMatch(out.join("\n"), new RegExp(`^  ${i + 1}  ${title} +${about}$`, "m"))
  );
  const settings = await readSettings(world, `${folder}/hearsay.jsonc`);
  assertEquals(settings.name, NAME);
  assertEquals(settings.peers.length, 1);
  assertEquals(
    settings.logs.map(({ log, source }) => [log.id, source]),
    [REKOR, GO].map(({ log, source }) => [parseLog(log).id, source]),
  );
});

inFolder("init: it asks where to answer, and with whom to compare", async (folder) => {
  const answers = [NAME, "1", " 0.0.0.0:9900 ", "a.invalid:1, b.invalid:2"];
  const { code, err } = await start(["init", "--dir", folder], world, answers).done;
  assertEquals(code, 0);
  const { listen, peers } = await readSettings(world, `${folder}/hearsay.jsonc`);
  assertEquals(listen, { hostname: "0.0.0.0", port: 9900 });
  assertEquals(peers.map(nameOfPeer), ["a.invalid:1", "b.invalid:2"]);
  assert(!err.join().includes("compared with anybody"));
});

for (const answers of [[NAME, "1", "", ""], [NAME, "1"]]) {
  inFolder(
    `init: that a monitor compares with nobody is said (${answers.length} answers)`,
    async (folder) => {
      const { code, err } = await start(["init", "--dir", folder], world, answers).done;
      assertEquals(code, 0);
      assertStringIncludes(err.join("\n"), "! nothing is compared with anybody: there is no peer");
    },
  );
}

inFolder("init: a menu that is answered wrongly, or by nobody, writes nothing", async (folder) => {
  const cases: [string[], string][] = [
    [[], "there is no answer; give --name, --log and --source instead"],
    [[NAME], "there is no answer"],
    [["", "1"], "the key name is empty"],
    [["a b", "1"], "key name is"],
    [[NAME, ""], "got nothing, expected numbers"],
    [[NAME, "0"], `got "0", expected numbers from 1 to ${OFFERED_LOGS.length}`],
    [[NAME, `1 ${OFFERED_LOGS.length + 1}`], "expected numbers from 1 to"],
    [[NAME, "all"], 'got "all", expected numbers'],
    [[NAME, "1", "here"], "here"],
    [[NAME, "1", "", "a.invalid"], "a.invalid"],
  ];
  for (const [answers, message] of cases) {
    const { code, err } = await start(["init", "--dir", folder], world, answers).done;
    assertEquals([code, answers], [2, answers]);
    assertStringIncludes(err.join("\n"), message);
  }
  assertEquals(filesIn(folder), []);
});

inFolder(
  "init: a wrong answer is asked for again at once, and no other one is lost",
  async (folder) => {
    const answers = [
      ...["", "my monitor", NAME],
      ...["", "0", "all", "1"],
      ...["foo", "0.0.0.0:9900"],
      ...["b.invalid:1 foo", "b.invalid:1"],
    ];
    const { code, err } = await start(["init", "--dir", folder], world, answers).done;
    assertEquals(code, 0, err.join("\n"));
    const { name, logs, listen, peers } = await readSettings(world, `${folder}/hearsay.jsonc`);
    assertEquals([name, logs.length, peers.map(nameOfPeer)], [NAME, 1, ["b.invalid:1"]]);
    assertEquals(listen, { hostname: "0.0.0.0", port: 9900 });
    const said = [
      "is empty",
      '"my monitor"',
      "got nothing",
      'got "0"',
      'got "all"',
      '"foo"',
      '"foo"',
    ];
    for (const [i, words] of said.entries()) assertStringIncludes(err[i]!, words);
  },
);

inFolder("init: where a configuration is, it says so before it asks anything", async (folder) => {
  Deno.writeTextFileSync(`${folder}/hearsay.jsonc`, "mine");
  const asked = start(["init", "--dir", folder], world, [NAME, "1", "", ""]);
  const { code, out, err } = await asked.done;
  assertEquals([code, out], [2, []]);
  assertStringIncludes(err.join("\n"), "exists and is not overwritten");
});

for (const { title, log, source } of OFFERED_LOGS) {
  Deno.test(`OFFERED_LOGS: ${title} has a sound key and a source that opens`, () => {
    const parsed = parseLog(log);
    openSource({ world, log: parsed, source, contact: NO_CONTACT });
    assertStringIncludes(source, title.split(" ")[0]!);
  });
}

Deno.test("OFFERED_LOGS: no log is offered twice", () => {
  const ids = OFFERED_LOGS.map(({ log }) => parseLog(log).id);
  assertEquals(new Set(ids).size, ids.length);
});
