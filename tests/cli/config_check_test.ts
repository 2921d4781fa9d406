/** `hearsay config check`: what it says of a configuration, and that it changes nothing. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { denoWorld } from "../../src/world/deno.ts";
import { VERSION } from "../../src/world/version.ts";
import { inFolder, type Ran, run, start } from "./harness.ts";
import { edit, fork, grow, makeLog, makeMonitor, startDaemon } from "./monitors.ts";

const check = (config: string, ...more: readonly string[]): Promise<Ran> =>
  run("config", "check", config, ...more);

/** The lines that say that something is not as it should be. */
function faults({ out }: Ran): string[] {
  return out.filter((line) => line.startsWith("! "));
}

/** Everything in a folder: names, contents, modes and times of change. */
function imageOf(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    const { mtime, mode, size } = Deno.statSync(path);
    const own = `${path} ${mtime?.getTime()} ${mode} ${size}`;
    return isDirectory ? [own, ...imageOf(path)] : [own];
  }).sort();
}

/** A log of three entries and a monitor of it that answers nowhere and has no peer. */
async function stage(folder: string, ...more: readonly string[]) {
  const { dir, log } = await makeLog(`${folder}/log`, 3);
  const config = await makeMonitor(`${folder}/berlin`, { log, source: dir }, ...more);
  return { dir, log, config };
}

/** An address on this machine that nobody listens at. */
function freeAddress(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return `127.0.0.1:${listener.addr.port}`;
}

/** Something in between, as NAT or a proxy: whoever calls it reaches this address. */
function proxyTo(to: string): { address: string; close(): void } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const pass = async (from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> => {
    const buffer = new Uint8Array(1_000);
    for (let count; (count = await from.read(buffer)) !== null;) {
      await to.write(buffer.subarray(0, count));
    }
    await to.closeWrite();
  };
  const relay = async (caller: Deno.TcpConn): Promise<void> => {
    using callee = await Deno.connect({ hostname: "127.0.0.1", port: Number(to.split(":")[1]) });
    await Promise.all([pass(caller, callee), pass(callee, caller)]);
    caller.close();
  };
  const accept = async (): Promise<void> => {
    for await (const caller of listener) void relay(caller).catch(() => {});
  };
  void accept().catch(() => {});
  return { address: `127.0.0.1:${listener.addr.port}`, close: () => listener.close() };
}

const LISTEN = ["--listen", "127.0.0.1:0"];

inFolder(
  "config check: what is as it should be ends with 0, a line for each thing",
  async (folder) => {
    const { dir, config } = await stage(folder, ...LISTEN);
    const before = imageOf(folder);
    const ran = await check(config);
    assertEquals([ran.code, faults(ran), ran.err], [0, [], []]);
    const told = ran.out.join("\n");
    assertStringIncludes(told, `✓ ${config} can be read: monitor monitor.invalid/berlin, logs: 1`);
    assertMatch(told, /✓ the key \S+monitor\.key is monitor\.invalid\/berlin\+[0-9a-f]{8}\+/);
    assertStringIncludes(
      told,
      `✓ "state" ${folder}/berlin/state would be made in ${folder}/berlin`,
    );
    assertStringIncludes(told, `✓ "incidents" ${folder}/berlin/incidents would be made in`);
    assertStringIncludes(told, "✓ it would answer other monitors at 127.0.0.1:0");
    assertStringIncludes(told, `from ${dir}: size 3, signed with the log's key`);
    assertEquals(imageOf(folder), before, "nothing is made or changed");
  },
);

inFolder("config check: a schedule is told with the times that come next", async (folder) => {
  const { config } = await stage(folder);
  edit(config, /"interval": "[^"]*"/, '"schedule": "CRON_TZ=Asia/Kolkata 0 6 1 1 *"');
  const ran = await check(config, "--offline");
  const told = ran.out.filter((line) => line.includes("peers are called by"));
  assertMatch(
    told.join(),
    /^✓ .* by "CRON_TZ=Asia\/Kolkata 0 6 1 1 \*": \d{4}-01-01T00:30:00\.000Z, then \d{4}-01-01T00:30/,
  );
  edit(config, "0 6 1 1 *", "0 6 31 11 *");
  const wrong = await check(config, "--offline");
  assertEquals(wrong.code, 2);
  assertMatch(
    faults(wrong).join(),
    /Cannot read schedule "CRON_TZ=\S+ 0 6 31 11 \*": it never comes/,
  );
});

inFolder("config check: what was begun is continued, and is said whose it is", async (folder) => {
  const { config } = await stage(folder, ...LISTEN);
  assertEquals((await run("run", "--config", config, "--once")).code, 0);
  const before = imageOf(folder);
  const ran = await check(config);
  assertEquals([ran.code, faults(ran)], [0, []]);
  assertMatch(
    ran.out.join("\n"),
    /✓ "state" \S+ would be continued: it is of monitor\.invalid\/berlin\+/,
  );
  assertMatch(
    ran.out.join("\n"),
    /✓ "incidents" \S+ would be continued: it is of monitor\.invalid\/berlin\+/,
  );
  assertEquals(imageOf(folder), before);
});

inFolder(
  "config check: a folder of another monitor, and of another key, is said to be that",
  async (folder) => {
    const { config, dir, log } = await stage(folder, ...LISTEN);
    const other = await makeMonitor(`${folder}/lima`, { log, source: dir });
    await run("run", "--config", other, "--once");
    edit(config, '"state": "state"', `"state": "${folder}/lima/state"`);
    const foreign = await check(config);
    assertEquals(foreign.code, 2);
    assertMatch(faults(foreign).join(), /is of another monitor, monitor\.invalid\/lima\+/);
    edit(config, `"state": "${folder}/lima/state"`, '"state": "state"');
    await run("run", "--config", config, "--once");
    Deno.removeSync(`${folder}/berlin/monitor.key`);
    await run("keygen", "monitor.invalid/berlin", "--out", `${folder}/berlin/monitor.key`);
    const renewed = await check(config);
    assertEquals(renewed.code, 2);
    assertMatch(faults(renewed).join(), /is of another key of this monitor, /);
  },
);

inFolder(
  'config check: a key that was swapped without "replaces" is told, with what to write',
  async (folder) => {
    const { log, config } = await stage(folder, ...LISTEN);
    assertEquals((await run("run", "--config", config, "--once")).code, 0);
    const { dir: source, log: fresh } = await makeLog(`${folder}/fresh`, 5);
    edit(config, log, fresh);
    edit(config, /"source": "[^"]*"/, `"source": "${source}"`);
    for (const more of [[], ["--offline"]]) {
      const swapped = await check(config, ...more);
      const said =
        `without "replaces" the key ${fresh.split("+")[1]} is held to nothing of that: ` +
        `write "replaces": "${log}" into its settings, or "replaces": "none"`;
      assertEquals([swapped.code, faults(swapped).length], [2, 1], swapped.out.join("\n"));
      assertStringIncludes(faults(swapped)[0]!, said);
      assertStringIncludes(faults(swapped)[0]!, `under key ${log.split("+")[1]} up to size 3;`);
    }
    edit(config, '"source":', '"replaces": "none", "source":');
    const meant = await check(config);
    assertEquals([meant.code, faults(meant)], [0, []]);
    edit(config, '"none"', JSON.stringify(log));
    assertEquals(faults(await check(config, "--offline")), []);
  },
);

inFolder(
  "config check: errors of the file are told as run tells them, and end with 2",
  async (folder) => {
    const { config } = await stage(folder);
    edit(config, '"fanOut": 2', '"fanOut": 0');
    edit(config, '"poll": "100ms"', '"poll": "never"');
    const ran = await check(config);
    const asRun = await run("run", "--config", config, "--once");
    assertEquals(ran.code, 2);
    const places = faults(ran).map((line) => line.slice(2));
    assertEquals(places.length, 2);
    for (const line of places) {
      assertMatch(line, /hearsay\.jsonc:\d+:\d+: /);
      assertStringIncludes(asRun.err.join("\n"), line);
    }
    const none = await check(`${folder}/none.jsonc`);
    assertEquals(none.code, 2);
    assertStringIncludes(faults(none).join(), "there is no file");
    Deno.writeTextFileSync(config, " ".repeat(10 * 1024 * 1024));
    const huge = await check(config);
    assertEquals([huge.code, faults(huge).length], [2, 1]);
    assertStringIncludes(faults(huge)[0]!, "is too long");
  },
);

inFolder("config check: a source that is down, or not there, ends with 3", async (folder) => {
  const { dir, config } = await stage(folder, ...LISTEN);
  edit(config, `"source": "${dir}"`, '"source": "http://127.0.0.1:2"');
  const down = await check(config);
  assertEquals([down.code, faults(down).length], [3, 1]);
  assertMatch(
    faults(down)[0]!,
    /^! log test\.invalid\/log \(.* from http:\/\/127\.0\.0\.1:2: Cannot get/,
  );
  const offline = await check(config, "--offline");
  assertEquals([offline.code, faults(offline)], [0, []]);
  assertStringIncludes(offline.out.join("\n"), "it was not asked");
});

inFolder(
  "config check: a source of another log, or of another key, is said to bear that",
  async (folder) => {
    const { config } = await stage(folder, ...LISTEN);
    const ran = await run("log", "init", `${folder}/other`, "--origin", "other.invalid/log");
    assertEquals(ran.code, 0);
    await grow(`${folder}/other`, 2);
    edit(config, /"source": "[^"]*"/, `"source": "${folder}/other"`);
    const other = await check(config);
    assertEquals(other.code, 2);
    assertStringIncludes(
      faults(other).join(),
      'bears the origin "test/other.invalid/log", expected "test.invalid/log"',
    );
    Deno.removeSync(`${folder}/other`, { recursive: true });
    await makeLog(`${folder}/other`, 2);
    const renewed = await check(config);
    assertEquals(renewed.code, 2);
    assertMatch(
      faults(renewed).join(),
      /is signed by "test\.invalid\/log\+[0-9a-f]{8}", expected "test\.invalid\/log\+[0-9a-f]{8}"$/,
    );
  },
);

inFolder(
  "config check: a log that shows two roots meanwhile is told, and ends with 1",
  async (folder) => {
    const { dir, config } = await stage(folder, ...LISTEN);
    await fork(dir, `${folder}/fork`);
    await grow(dir, 1);
    Deno.writeTextFileSync(`${folder}/one`, "another story");
    assertEquals((await run("log", "append", `${folder}/fork`, `${folder}/one`)).code, 0);
    edit(config, `"source": "${dir}"`, `"source": ["${dir}", "${folder}/fork"]`);
    const ran = await check(config);
    assertEquals(ran.code, 1);
    assertStringIncludes(faults(ran).join(), "log test.invalid/log was seen to contradict itself");
    assertEquals([...Deno.readDirSync(`${folder}/berlin`)].length, 2, "nothing is recorded");
  },
);

inFolder(
  "config check: peers say their version and what both follow; itself is recognised",
  async (folder) => {
    const { dir, log, config } = await stage(folder, ...LISTEN);
    const [http, listen] = [freeAddress(), freeAddress()];
    edit(config, '"http": "127.0.0.1:0"', `"http": "${http}"`);
    edit(config, '"listen": "127.0.0.1:0"', `"listen": "${listen}"`);
    const proxy = proxyTo(listen);
    const lima = await makeMonitor(`${folder}/lima`, { log, source: dir }, ...LISTEN);
    const [one, two] = [await startDaemon(config), await startDaemon(lima)];
    try {
      const peers = `{ "address": "${two.listen}" }, { "address": "${proxy.address}" }`;
      edit(config, /"peers": \[[^\]]*\]/, `"peers": [${peers}]`);
      const before = imageOf(`${folder}/berlin/incidents`);
      const ran = await check(config);
      const told = ran.out.join("\n");
      assertEquals(ran.code, 2);
      assertStringIncludes(
        told,
        `✓ peer ${two.listen} answers (hearsay/${VERSION}); logs that both follow: 1 of 1`,
      );
      assertStringIncludes(told, `! peer ${proxy.address} is this monitor itself`);
      assertStringIncludes(
        told,
        `✓ this monitor runs: it answers at ${http}, and is left alone`,
      );
      assertStringIncludes(told, `✓ "listen" ${listen} is held by this monitor, which runs`);
      assertStringIncludes(told, `✓ "http" ${http} is held by this monitor, which runs`);
      assertEquals(imageOf(`${folder}/berlin/incidents`), before);
      // The file asks for more addresses than the daemon holds.
      edit(config, `"http": "${http}"`, `"http": "${http.replace("127.0.0.1", "0.0.0.0")}"`);
      const wider = await check(config);
      assertMatch(
        wider.out.join("\n"),
        /✓ "http" 0\.0\.0\.0:\d+ is held by this monitor, which runs/,
      );
    } finally {
      proxy.close();
      for (const { running } of [one, two]) running.stop();
      await Promise.all([one, two].map(({ running }) => running.done));
    }
  },
);

inFolder("config check: what another monitor's daemon holds is told as that", async (folder) => {
  const { dir, log, config } = await stage(folder, ...LISTEN);
  const lima = await makeMonitor(`${folder}/lima`, { log, source: dir }, ...LISTEN);
  const other = await startDaemon(lima);
  try {
    edit(config, '"http": "127.0.0.1:0"', `"http": "${other.http}"`);
    edit(config, '"listen": "127.0.0.1:0"', `"listen": "${other.listen}"`);
    const ran = await check(config);
    assertEquals(ran.code, 2);
    assertMatch(
      faults(ran).join(),
      /another monitor answers at "http" \S+: "monitor\.invalid\/lima"/,
    );
    assertMatch(faults(ran).join(), /"listen" \S+ cannot be listened at: /);
  } finally {
    other.running.stop();
    await other.running.done;
  }
});

inFolder("config check: a peer that is not there, or says rubbish, ends with 3", async (folder) => {
  const rubbish = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const connection of rubbish) {
      await connection.write(new Uint8Array(10_000).fill(0x81)).catch(() => {});
      connection.close();
    }
  })();
  try {
    const { port } = rubbish.addr;
    const { config } = await stage(
      ...[folder, ...LISTEN, "--peer", "127.0.0.1:1", "--peer", `127.0.0.1:${port}`] as const,
    );
    const ran = await check(config);
    assertEquals([ran.code, faults(ran).length], [3, 2]);
    assertMatch(faults(ran)[0]!, /^! peer 127\.0\.0\.1:1 cannot be reached: /);
    assertMatch(
      faults(ran)[1]!,
      new RegExp(`^! peer 127\\.0\\.0\\.1:${port} failed in a parcel: `),
    );
    const offline = await check(config, "--offline");
    assertEquals([offline.code, offline.out.at(-1)], [0, "✓ peers that were not asked: 2"]);
  } finally {
    rubbish.close();
    await serving.catch(() => {});
  }
});

inFolder("config check: a source that never answers is given up in time", async (folder) => {
  const { config } = await stage(folder, ...LISTEN);
  edit(config, /"source": "[^"]*"/, '"source": "http://127.0.0.1:2"');
  const world = denoWorld();
  const { clock, http } = world;
  const ran = await start(["config", "check", config], {
    ...world,
    clock: { ...clock, after: (ms, call) => clock.after(ms === 20_000 ? 1 : ms, call) },
    http: { ...http, request: () => new Promise(() => {}) },
  }).done;
  assertEquals([ran.code, faults(ran).length], [3, 1]);
  assertMatch(faults(ran)[0]!, /^! log test\.invalid\/log \(.*: nothing came within 20 s$/);
});

inFolder(
  "config check: a key that others can read, write, or that is not there or no key",
  async (folder) => {
    const { config } = await stage(folder, ...LISTEN);
    const key = `${folder}/berlin/monitor.key`;
    Deno.chmodSync(key, 0o644);
    const read = await check(config);
    assertEquals([read.code, faults(read).length], [2, 1]);
    assertStringIncludes(faults(read)[0]!, "(mode 0644): others may read the private key");
    Deno.chmodSync(key, 0o666);
    assertMatch(faults(await check(config))[0]!, /others may write the private key/);
    Deno.removeSync(key);
    const none = await check(config);
    assertEquals([none.code, faults(none).length], [2, 1]);
    assertMatch(faults(none)[0]!, /^! the key \S+: there is no file/);
    Deno.mkdirSync(key);
    Deno.chmodSync(key, 0o777);
    assertMatch(
      faults(await check(config))[0]!,
      /^! the key \S+: "\S+" is a folder, expected a file$/,
    );
    Deno.removeSync(key);
    await run("keygen", "monitor.invalid/lima", "--out", key);
    assertMatch(faults(await check(config))[0]!, /has the name "monitor\.invalid\/lima"/);
  },
);

inFolder("config check: a pipe for a key is given up in time", async (folder) => {
  const { config } = await stage(folder, ...LISTEN);
  const { clock, files, ...world } = denoWorld();
  let late = (): void => {};
  const ran = await start(["config", "check", config], {
    ...world,
    clock: {
      ...clock,
      after(ms, call) {
        if (ms === 5_000) late = call;
        return clock.after(ms, call);
      },
    },
    files: {
      ...files,
      open(path, mode) {
        if (!path.endsWith("monitor.key")) return files.open(path, mode);
        // Nobody ever writes to it, and its time is over.
        queueMicrotask(late);
        return new Promise(() => {});
      },
    },
  }).done;
  assertEquals([ran.code, faults(ran).length], [3, 1]);
  assertMatch(faults(ran)[0]!, /^! the key \S+: it was not read within 5 s; is it a pipe/);
});

inFolder(
  "config check: a folder that the key's owner may not write to ends with 3",
  async (folder) => {
    const { config } = await stage(folder, ...LISTEN);
    const world = denoWorld();
    const owned = (owner: number, mode: number) => ({
      ...world,
      files: {
        ...world.files,
        open: async (path: string, how: "read" | "write") => {
          const file = await world.files.open(path, how);
          if (path.endsWith("monitor.key")) return { ...file, owner: 1_000 };
          return path === `${folder}/berlin` ? { ...file, owner, permissions: mode } : file;
        },
      },
    });
    const cases: [owner: number, mode: number, code: number][] = [
      [1_000, 0o755, 0],
      [1_000, 0o555, 3],
      [0, 0o755, 3],
      [0, 0o777, 0],
      [0, 0o775, 0], // It may be of the group.
    ];
    const unseen = await start(["config", "check", config], owned(0, 0o775)).done;
    assertStringIncludes(unseen.out.join(), "; whether it may be written to cannot be seen");
    for (const [owner, mode, code] of cases) {
      const ran = await start(["config", "check", config], owned(owner, mode)).done;
      assertEquals([ran.code, faults(ran).length], [code, code === 0 ? 0 : 2], `${owner} ${mode}`);
      if (code !== 0) assertMatch(faults(ran)[0]!, /the owner of the key may not write to /);
    }
  },
);

inFolder("config check: the folder that is there is found from whatever path", async (folder) => {
  const { config } = await stage(folder, ...LISTEN);
  const berlin = `${folder}/berlin`;
  const cases: [state: string, told: string][] = [
    [".", `"state" ${berlin} is there`],
    ["./", `"state" ${berlin} is there`],
    ["a/b/c/", `"state" ${berlin}/a/b/c would be made in ${berlin}`],
    ["../x", `"state" ${folder}/x would be made in ${folder}`],
    ["/", `"state" / is there`],
    ["/none-of-these/x", `"state" /none-of-these/x would be made in /`],
  ];
  let before = "state";
  for (const [state, told] of cases) {
    edit(config, `"state": "${before}"`, `"state": "${state}"`);
    before = state;
    const ran = await check(config);
    const line = ran.out.find((line) => line.startsWith('✓ "state"'))?.slice(2);
    assertEquals(line?.startsWith(told), true, `${state}: ${ran.out.join("\n")}`);
  }
});

inFolder("config check: a file where a folder should be is told", async (folder) => {
  const { config } = await stage(folder, ...LISTEN);
  Deno.writeTextFileSync(`${folder}/berlin/state`, "");
  const ran = await check(config);
  assertEquals([ran.code, faults(ran).length], [2, 1]);
  assertMatch(faults(ran)[0]!, /^! "state" \S+: \S+ is a file, expected a folder/);
});

inFolder("config check: --json says the same, as one object", async (folder) => {
  const { config } = await stage(folder);
  const [people, machines] = [await check(config), await check(config, "--json")];
  assertEquals([people.code, machines.code, machines.out.length], [2, 2, 1]);
  const { file, exit, checks } = JSON.parse(machines.out[0]!);
  assertEquals([file, exit], [config, 2]);
  const lines = checks.map(({ ok, text }: { ok: boolean; text: string }) =>
    `${ok ? "✓" : "!"} ${text}`
  );
  assertEquals(lines, people.out);
  const [alone] = checks.filter(({ ok }: { ok: boolean }) => !ok);
  assertEquals([alone.about, alone.fault], ["trap", "configuration"]);
});

inFolder("config check: wrong usage", async (folder) => {
  for (const args of [[], ["chek"], ["check", "a", "b"], ["check", "--once"]]) {
    const { code, out } = await run("config", ...args);
    assertEquals([code, out], [2, []]);
  }
  assert(folder !== "");
});

/** A monitor that has recorded a case. */
async function convicted(folder: string): Promise<{ config: string; berlin: string }> {
  const { config, dir } = await stage(folder, ...LISTEN);
  await fork(dir, `${folder}/fork`);
  await grow(dir, 1);
  await grow(`${folder}/fork`, 2);
  assertEquals((await run("run", "--config", config, "--once")).code, 0);
  edit(config, `"source": "${dir}"`, `"source": "${folder}/fork"`);
  assertEquals((await run("run", "--config", config, "--once")).code, 1);
  edit(config, `"source": "${folder}/fork"`, `"source": "${dir}"`);
  return { config, berlin: `${folder}/berlin` };
}

inFolder("config check: a journal that run refuses is told, in either folder", async (folder) => {
  const { config, berlin } = await convicted(folder);
  const sound = await check(config);
  assertEquals([sound.code, faults(sound)], [0, []]);
  assertMatch(sound.out.join("\n"), /✓ the incident journal in \S+ is whole: 3 lines\n/);
  assertMatch(sound.out.join("\n"), /✓ the observation journal in \S+ is whole: \d+ lines\n/);
  for (const name of ["incidents/journal.jsonl", "state/observations-000001.jsonl"]) {
    const path = `${berlin}/${name}`;
    const whole = Deno.readTextFileSync(path);
    edit(path, '"recorded_at":"2', '"recorded_at":"3');
    const before = imageOf(berlin);
    assertEquals((await run("run", "--config", config, "--once")).code, 3);
    const ran = await check(config);
    assertEquals([ran.code, faults(ran).length], [3, 1], ran.out.join("\n"));
    assertMatch(faults(ran)[0]!, /^! the \S+ journal in \S+: \S+ line 1 is damaged: /);
    const dry = `: hearsay journal repair ${berlin}/${name.split("/")[0]} --dry-run`;
    assertStringIncludes(faults(ran)[0]!, dry);
    assertEquals(imageOf(berlin).length, before.length, "nothing is made");
    Deno.writeTextFileSync(path, whole);
  }
});

inFolder(
  "config check: a journal that is gone, and a loss that stands, are told",
  async (folder) => {
    const { config, berlin } = await convicted(folder);
    Deno.removeSync(`${berlin}/state`, { recursive: true });
    const gone = await check(config);
    assertEquals([gone.code, faults(gone).length], [3, 1], gone.out.join("\n"));
    assertMatch(
      faults(gone)[0]!,
      /^! the observation journal in "\S+state" is gone, and this monitor/,
    );
    assertEquals([...Deno.readDirSync(berlin)].some(({ name }) => name === "state"), false);
    await run("run", "--config", config, "--once");
    const lost = await check(config);
    assertEquals([lost.code, faults(lost).length], [3, 1], lost.out.join("\n"));
    assertStringIncludes(faults(lost)[0]!, `! ${berlin}/state/lost.txt still says what was lost: `);
    Deno.removeSync(`${berlin}/state/lost.txt`);
    assertEquals((await check(config)).code, 0);
  },
);

inFolder("config check: a replaced log that was never seen here is told", async (folder) => {
  const { config, log, dir } = await stage(folder, ...LISTEN);
  const { log: other } = await makeLog(`${folder}/other`, 2);
  const replacing = (of: string, by: string): void =>
    edit(config, `"vkey": "${of}"`, `"vkey": "${by}", "replaces": "${of}"`);
  replacing(log, other);
  edit(config, `"source": "${dir}"`, `"source": "${folder}/other"`);
  const fresh = await check(config);
  assertEquals([fresh.code, faults(fresh)], [0, []], "a monitor that never ran has seen nothing");
  assertMatch(
    fresh.out.join("\n"),
    /✓ log .* replaces .*, of which nothing was seen here: the new/,
  );
  edit(config, `"vkey": "${other}", "replaces": "${log}"`, `"vkey": "${log}"`);
  edit(config, `"source": "${folder}/other"`, `"source": "${dir}"`);
  assertEquals((await run("run", "--config", config, "--once")).code, 0);
  const { log: wrong } = await makeLog(`${folder}/wrong`, 1);
  edit(config, `"vkey": "${log}"`, `"vkey": "${other}", "replaces": "${wrong}"`);
  edit(config, `"source": "${dir}"`, `"source": "${folder}/other"`);
  const mistaken = await check(config);
  assertEquals(mistaken.code, 2);
  // And which key this monitor has followed, which is the one that was meant.
  const [followed, never, ...more] = faults(mistaken);
  assertStringIncludes(never!, "of which nothing was seen here");
  assertStringIncludes(followed!, `"replaces": "${log}"`);
  assertEquals(more, []);
  edit(config, `"replaces": "${wrong}"`, `"replaces": "${log}"`);
  const right = await check(config);
  assertEquals([right.code, faults(right)], [0, []]);
  assert(!right.out.join("\n").includes("of which nothing was seen"));
});
