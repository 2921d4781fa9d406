import { eventLog } from "../../src/cli/event_log.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { denoWorld } from "../../src/world/deno.ts";
import type { Http } from "../../src/world/world.ts";
import { inFolder, put, run, type Running, start } from "./harness.ts";
import { ask, pageOf } from "../web/page_of.ts";
import {
  compareWith,
  edit,
  evidenceOf,
  fork,
  grow,
  makeLog,
  makeMonitor,
  startDaemon,
} from "./monitors.ts";

/** A control, format or separator character but the newline between lines. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

async function stopped({ running }: { running: Running }): Promise<number> {
  running.stop();
  return (await running.done).code;
}

/** A monitor of a log of `size` in a folder, looked at once. */
async function healthy(
  folder: string,
  size = 5,
): Promise<{ config: string; dir: string; log: string }> {
  const { dir, log } = await makeLog(`${folder}/log`, size);
  const listen = ["--listen", "127.0.0.1:0"];
  return { dir, log, config: await makeMonitor(`${folder}/one`, { log, source: dir }, ...listen) };
}

inFolder("run --once: a log that grows as it should ends with 0", async (folder) => {
  const { dir, config } = await healthy(folder);
  const once = ["run", "--config", config, "--once"];
  const first = await run(...once);
  assertEquals([first.code, first.err], [0, []]);
  assertMatch(first.out.join("\n"), / info log\.first origin=test\.invalid\/log .*size=5$/m);
  await grow(dir, 300);
  const second = await run(...once);
  assertEquals(second.code, 0);
  assertMatch(second.out.join("\n"), / info log\.extends .*size=305$/m);
  const third = await run(...once);
  assertEquals(third.code, 0);
  assert(!third.out.join("\n").includes(" log."), "nothing new is no news");
  assertMatch((await run(...once, "--verbose")).out.join("\n"), / debug log\.unchanged /);
});

for (const [what, more] of [["the same size", 1], ["a larger size", 3]] as const) {
  inFolder(`run --once: a split at ${what} ends with 1, as long as it is shown`, async (folder) => {
    const { dir, config } = await healthy(folder);
    await fork(dir, `${folder}/other`);
    await grow(dir, 1);
    await grow(`${folder}/other`, more);
    const once = ["run", "--config", config, "--once"];
    assertEquals((await run(...once)).code, 0);
    edit(config, JSON.stringify(dir), JSON.stringify(`${folder}/other`));
    const split = await run(...once);
    assertEquals(split.code, 1, split.out.join("\n"));
    assertMatch(split.out.join("\n"), / error incident\.recorded /);
    assertMatch(split.out.join("\n"), / error log\.inconsistent /);
    assertEquals((await run(...once)).code, 1, "again");
    assertEquals((await evidenceOf(`${folder}/one`)).length, 1);
    edit(config, JSON.stringify(`${folder}/other`), JSON.stringify(dir));
    assertEquals((await run(...once)).code, 1, "the case holds, whatever is shown now");
  });
}

for (const [what, more] of [["the same size", 1], ["a larger size", 3]] as const) {
  inFolder(
    `run --once: a split between two places of one log, at ${what}, ends with 1`,
    async (folder) => {
      const { dir, config } = await healthy(folder);
      const other = `${folder}/other`;
      await fork(dir, other);
      edit(config, JSON.stringify(dir), JSON.stringify([dir, other]));
      const once = ["run", "--config", config, "--once"];
      assertEquals(
        (await run(...once)).code,
        0,
        "two places that show the same are as good as one",
      );
      await grow(dir, 1);
      await grow(other, more);
      const split = await run(...once);
      assertEquals(split.code, 1, split.out.join("\n"));
      assertMatch(split.out.join("\n"), / error incident\.recorded /);
      assertMatch(split.out.join("\n"), / error log\.inconsistent /);
      assertEquals((await evidenceOf(`${folder}/one`)).length, 1);
      assertEquals((await run(...once)).code, 1, "as long as it is shown");
      assertEquals((await evidenceOf(`${folder}/one`)).length, 1);
    },
  );
}

inFolder(
  "run --once: a log of which one place cannot be reached is followed by the other",
  async (folder) => {
    const { dir, config } = await healthy(folder);
    edit(config, JSON.stringify(dir), JSON.stringify([`${folder}/none`, dir]));
    const once = ["run", "--config", config, "--once"];
    assertEquals((await run(...once)).code, 0);
    await grow(dir, 300);
    const { code, out } = await run(...once);
    assertEquals(code, 0);
    assertMatch(out.join("\n"), / info log\.extends .*size=305$/m);
    assertMatch(out.join("\n"), / warning log\.unavailable .*none/);
  },
);

inFolder("run --once: a log or a peer that cannot be reached ends with 3", async (folder) => {
  const { log } = await makeLog(`${folder}/log`, 5);
  // Nobody listens there: no system gives such a port to whoever asks for any.
  const nobody = "127.0.0.1:2";
  for (const [i, source] of [`${folder}/none`, `http://${nobody}`].entries()) {
    const config = await makeMonitor(`${folder}/${i}`, { log, source });
    const { code, out } = await run("run", "--config", config, "--once");
    assertEquals(code, 3);
    assertMatch(out.join("\n"), / warning log\.unavailable .*detail=.*(not there|refused)/);
  }
  const source = `${folder}/log`;
  const config = await makeMonitor(`${folder}/lonely`, { log, source }, "--peer", nobody);
  const { code, out } = await run("run", "--config", config, "--once");
  assertEquals(code, 3);
  assertMatch(out.join("\n"), / info log\.first /);
  assertMatch(out.join("\n"), / warning exchange\.failed source=127\.0\.0\.1:\d+ reason=/);
});

inFolder(
  "run --once: tiles that do not fit the checkpoint are unproven, and end with 3",
  async (folder) => {
    const { dir, config } = await healthy(folder);
    const once = ["run", "--config", config, "--once"];
    assertEquals((await run(...once)).code, 0);
    await grow(dir, 3);
    const tile = `${dir}/tile/0/000.p/8`;
    const bytes = Deno.readFileSync(tile);
    bytes[40]! ^= 1;
    Deno.writeFileSync(tile, bytes);
    const { code, out } = await run(...once);
    assertEquals(code, 3);
    assertMatch(out.join("\n"), / error log\.unproven .*size=8/);
    assertEquals(await evidenceOf(`${folder}/one`), []);
    bytes[40]! ^= 1;
    Deno.writeFileSync(tile, bytes);
    const mended = await run(...once);
    assertEquals(mended.code, 0);
    assertMatch(mended.out.join("\n"), / info log\.extends .*size=8/);
  },
);

inFolder("run: all errors of a configuration are told, and it ends with 2", async (folder) => {
  const { config } = await healthy(folder);
  edit(config, '"monitor.invalid/one"', '"a b"');
  edit(config, '"100ms"', '"now"');
  const { code, out, err } = await run("run", "--config", config);
  assertEquals([code, out], [2, []]);
  const [first, second, ...more] = err.join("\n").split("\n");
  assertMatch(first!, /^hearsay run: \S+\/hearsay\.jsonc:5:11: name: key name is "a b"/);
  assertMatch(second!, /^\S+\/hearsay\.jsonc:\d+:15: poll is "now", expected a duration/);
  assertEquals(more, ["'hearsay run --help' shows how to use it"]);
});

inFolder("run: a key that is missing, broken or another's ends with 2, untold", async (folder) => {
  const { config } = await healthy(folder);
  const path = `${folder}/one/monitor.key`;
  const key = Deno.readTextFileSync(path);
  const secret = key.trim().split("+").slice(4).join("+");
  const cases: [() => void, string][] = [
    [() => Deno.removeSync(path), 'there is no file "'],
    [() => Deno.writeTextFileSync(path, key.replace("+KEY", "+KEYS")), "Cannot read private key"],
    [() => Deno.writeTextFileSync(path, key.replace("/one", "/two")), "Cannot read private key"],
    [() => Deno.writeTextFileSync(path, `${key}${key}`), "Cannot read private key"],
    [() => {
      Deno.writeTextFileSync(path, key);
      edit(config, '"monitor.invalid/one"', '"monitor.invalid/two"');
    }, 'has the name "monitor.invalid/one", expected "monitor.invalid/two"'],
  ];
  for (const [spoil, message] of cases) {
    spoil();
    const { code, out, err } = await run("run", "--config", config, "--once");
    assertEquals([code, message], [2, message]);
    assertStringIncludes(err.join("\n"), message);
    assert(![...out, ...err].join("\n").includes(secret));
  }
});

for (const mode of [0o620, 0o602, 0o666, 0o777]) {
  const spelled = `0${mode.toString(8)}`;
  inFolder(
    `run: a key that others may write (mode ${spelled}) ends with 2, unused`,
    async (folder) => {
      const { config } = await healthy(folder);
      Deno.chmodSync(`${folder}/one/monitor.key`, mode);
      const { code, out, err } = await run("run", "--config", config, "--once");
      assertEquals([code, out], [2, []]);
      assertMatch(
        err.join("\n"),
        new RegExp(`others may write the private key .* \\(mode ${spelled}\\)`),
      );
    },
  );
}

for (const [mode, warned] of [[0o600, 0], [0o400, 0], [0o640, 1], [0o604, 1]] as const) {
  const spelled = `0${mode.toString(8)}`;
  inFolder(
    `run: a key of mode ${spelled} is used, and warned of ${warned} times`,
    async (folder) => {
      const { config } = await healthy(folder);
      Deno.chmodSync(`${folder}/one/monitor.key`, mode);
      const { code, out } = await run("run", "--config", config, "--once");
      const lines = out.filter((line) => / warning key\.exposed /.test(line));
      assertEquals([code, lines.length], [0, warned]);
      for (const line of lines) assertStringIncludes(line, `mode=${spelled}`);
    },
  );
}

inFolder("run: another key under the same name is told, once, with both vkeys", async (folder) => {
  const { config } = await healthy(folder);
  const key = `${folder}/one/monitor.key`;
  const once = async (): Promise<string> =>
    (await run("run", "--config", config, "--once")).out.join("\n");
  assert(!/key\.changed/.test(await once()), "the first key is no other");
  assert(!/key\.changed/.test(await once()), "nor is the same key");
  const before = Deno.readTextFileSync(`${folder}/one/state/monitor.vkey`).trim();
  Deno.removeSync(key);
  const made = await run("keygen", "monitor.invalid/one", "--out", key);
  const now = made.out.find((line) => line.startsWith("monitor.invalid/one+"))!;
  const told = await once();
  assertMatch(told, / warning key\.changed /);
  for (const vkey of [before, now]) assertStringIncludes(told, vkey);
  assert(before !== now);
  assert(!/key\.changed/.test(await once()));
});

inFolder(
  "run: what a configuration hardly means is told in the words of config check",
  async (folder) => {
    const { dir, log } = await makeLog(`${folder}/log`, 1);
    const config = await makeMonitor(`${folder}/berlin`, { log, source: dir });
    const tried = await run("config", "check", config);
    const [trap, ...more] = tried.out.filter((line) => line.startsWith("! "));
    assertEquals(more, []);
    const { err, out } = await run("run", "--config", config, "--once", "--json");
    const told = [...out, ...err].filter((line) => line.includes('"config.trap"'));
    assertEquals(told.length, 1);
    const { level, detail } = JSON.parse(told[0]!);
    assertEquals([level, detail], ["WARNING", trap!.slice(2)]);
  },
);

inFolder("run: one daemon at a time writes one journal; a second ends with 3", async (folder) => {
  const { config } = await healthy(folder);
  const daemon = await startDaemon(config);
  const { code, err } = await run("run", "--config", config, "--once");
  assertEquals(code, 3);
  assertMatch(
    err.join("\n"),
    /observations\.lock is being written by another process; this monitor/,
  );
  assertMatch(
    err.join("\n"),
    /may be running already\. End that process before you start this one\./,
  );
  edit(config, '"http": "127.0.0.1:0"', `"http": "${daemon.http}"`);
  const named = await run("run", "--config", config);
  assertEquals(named.code, 3);
  assertStringIncludes(named.err.join("\n"), `and then answers 'hearsay status ${daemon.http}'`);
  for (const lines of [err, named.err]) {
    assert(!lines.join().includes("give this one a folder"), "what OPERATING forbids is no advice");
  }
  assertEquals(await stopped(daemon), 0);
  assertEquals((await run("run", "--config", config, "--once")).code, 0);
});

inFolder("run: a damaged journal ends with 3, and names file and line", async (folder) => {
  const { config } = await healthy(folder);
  assertEquals((await run("run", "--config", config, "--once")).code, 0);
  const path = `${folder}/one/state/observations-000001.jsonl`;
  const sound = Deno.readTextFileSync(path);
  // A size stands in the checkpoint's note alone.
  const damaged = sound.replace("\\n5\\n", "\\n6\\n");
  assert(damaged !== sound);
  Deno.writeTextFileSync(path, damaged);
  const { code, err } = await run("run", "--config", config);
  assertEquals(code, 3);
  assertStringIncludes(err.join("\n"), `${path} line 1`);
});

inFolder("run: with a case of an earlier run in its journal it ends with 1", async (folder) => {
  const { dir, config } = await healthy(folder);
  await fork(dir, `${folder}/other`);
  await grow(dir, 1);
  await grow(`${folder}/other`, 1);
  const once = ["run", "--config", config, "--once"];
  await run(...once);
  edit(config, JSON.stringify(dir), JSON.stringify(`${folder}/other`));
  await run(...once);
  edit(config, JSON.stringify(`${folder}/other`), JSON.stringify(dir));
  const daemon = await startDaemon(config);
  assertEquals((await run("status", daemon.http)).code, 1);
  assertEquals(await stopped(daemon), 1);
});

inFolder("run: a folder that is moved under it ends it with 3, and is no fault", async (folder) => {
  const { dir, config } = await healthy(folder);
  const { running } = await startDaemon(config);
  await running.line(/ log\.first /);
  Deno.renameSync(`${folder}/one/state`, `${folder}/one/moved`);
  await grow(dir, 1);
  const { code, out, err } = await running.done;
  assertEquals(code, 3);
  assertMatch(out.join("\n"), / error folder\.moved /);
  assertEquals(err.length, 1, err.join("\n"));
  assertMatch(err[0]!, /^hearsay run: .*is gone: it, or its folder, was moved or removed$/);
});

inFolder("run: an address that is taken ends with 3, and is named", async (folder) => {
  const { config } = await healthy(folder);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const address = `127.0.0.1:${taken.addr.port}`;
  edit(config, '"listen": "127.0.0.1:0"', `"listen": "${address}"`);
  const listening = await run("run", "--config", config);
  assertEquals(listening.code, 3);
  assertStringIncludes(listening.err.join("\n"), address);
  edit(config, `"listen": "${address}"`, '"listen": "127.0.0.1:0"');
  edit(config, '"http": "127.0.0.1:0"', `"http": "${address}"`);
  const serving = await run("run", "--config", config);
  assertEquals(serving.code, 3);
  assertStringIncludes(serving.err.join("\n"), `cannot serve the status at ${address}`);
});

inFolder("run: follows a growing log, tells its status, and stops when asked", async (folder) => {
  const { dir, log, config } = await healthy(folder);
  const daemon = await startDaemon(config);
  await daemon.running.line(/ log\.first .*size=5$/);
  await grow(dir, 7);
  await daemon.running.line(/ log\.extends .*size=12$/);
  await compareWith(daemon, { log, dir });
  const { code, out } = await run("status", daemon.http);
  assertEquals(code, 0);
  assertMatch(
    out[0]!,
    /^monitor\.invalid\/one, hearsay \S+, running for \d+s: all is as it should be$/,
  );
  assertMatch(out[3]!, /^ +test\.invalid\/log +12 +\d+s ago +\d+s ago +(extends|unchanged) +-$/);
  assertEquals(out.slice(4), ["", "no peers"]);
  const json = await run("status", daemon.http, "--json");
  const told = JSON.parse(json.out.join("\n"));
  assertEquals([told.name, told.logs[0].size, told.peers], ["monitor.invalid/one", "12", []]);
  assertEquals(await stopped(daemon), 0);
  assertEquals((await run("status", daemon.http)).code, 3, "and then nobody answers");
});

inFolder(
  "run: nothing but the status and the page is served, and only to be read",
  async (folder) => {
    const { config } = await healthy(folder);
    const daemon = await startDaemon(config);
    const ask = async (path: string, method: string): Promise<[number, string]> => {
      const response = await fetch(`http://${daemon.http}${path}`, { method });
      return [response.status, await response.text()];
    };
    for (const path of ["/page", "/status/", "/status.json", "/../monitor.key", "/STATUS"]) {
      const [status, text] = await ask(path, "GET");
      assertEquals([status, JSON.parse(text).status], [404, 404], path);
    }
    for (const method of ["POST", "PUT", "DELETE"]) {
      const [status, text] = await ask("/status", method);
      assertEquals([status, JSON.parse(text).detail], [405, "expected GET, HEAD"], method);
      assertEquals(await ask("/", method), [405, ""], method);
    }
    assertEquals(await ask("/status", "HEAD"), [200, ""]);
    assertEquals(await ask("/", "HEAD"), [200, ""]);
    assertMatch((await ask("/", "GET"))[1], /<h1>.*monitor.*one/);
    assertEquals((await ask("/status?x", "GET"))[0], 200);
    assertEquals(await stopped(daemon), 0);
  },
);

Deno.test("answerStatus: the answer is JSON, and is not to be kept", async () => {
  const answer = await ask(pageOf({ name: "x" }), "/status");
  assertEquals(answer.headers, {
    "content-type": "application/json",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  assertEquals(JSON.parse(new TextDecoder().decode(answer.body)), { name: "x" });
});

/** Resolves with the next printed line that matches, after those there are. */
async function after<T>(running: Running, pattern: RegExp, act: () => T): Promise<string> {
  const seen = running.out.filter((line) => pattern.test(line)).length;
  act();
  for (;;) {
    const now = running.out.filter((line) => pattern.test(line));
    if (now.length > seen) return now.at(-1)!;
    await nextLine(running);
  }
}

/** Resolves with the next line of any kind. */
function nextLine(running: Running): Promise<string> {
  const known = running.out.length;
  return running.line({ test: () => running.out.length > known } as unknown as RegExp);
}

inFolder("run: SIGHUP takes up a changed configuration", async (folder) => {
  const { config } = await healthy(folder);
  const daemon = await startDaemon(config);
  await daemon.running.line(/ log\.first /);
  const { dir, log } = await makeLog(`${folder}/second`, 9);
  edit(
    config,
    '"logs": [',
    `"logs": [ { "vkey": "${log}", "source": "${dir}", "poll": "100ms" },`,
  );
  const pattern = / config\.reloaded /;
  const told = await after(daemon.running, pattern, () => daemon.running.reload());
  assertStringIncludes(told, "logs=2");
  await daemon.running.line(/ log\.first .*size=9$/);
  assertEquals(await stopped(daemon), 0);
});

inFolder("run: SIGHUP with a bad file is told, and changes nothing", async (folder) => {
  const { config } = await healthy(folder);
  const good = Deno.readTextFileSync(config);
  const daemon = await startDaemon(config);
  const cases: [() => void, RegExp][] = [
    [() => edit(config, '"100ms"', '"soon"'), /poll is "soon", expected a duration/],
    [() => edit(config, '"monitor.key"', '"other.key"'), /there is no file/],
    [() => edit(config, '"monitor.invalid/one"', '"monitor.invalid/two"'), /has the name "monitor/],
    [() => Deno.removeSync(config), /there is no file/],
  ];
  for (const [spoil, reason] of cases) {
    Deno.writeTextFileSync(config, good);
    spoil();
    const pattern = new RegExp(` error config\\.refused .*${reason.source}`);
    await after(daemon.running, pattern, () => daemon.running.reload());
    assertEquals((await run("status", daemon.http)).code, 3, "it goes on, and says so");
  }
  assert(!daemon.running.out.some((line) => line.includes(" daemon.stopping")));
  assertEquals(await stopped(daemon), 0);
});

inFolder("run: asked to stop while it reads its configuration, it stops", async (folder) => {
  const { config } = await healthy(folder);
  const daemon = await startDaemon(config);
  daemon.running.reload();
  assertEquals(await stopped(daemon), 0);
  // Where it has to be started anew, there is a moment without a daemon.
  const other = await startDaemon(config);
  edit(config, '"state": "state"', '"state": "state2"');
  await after(other.running, / daemon\.stopping$/, () => other.running.reload());
  assertEquals(await stopped(other), 0);
});

inFolder("run: what a first daemon cannot start with ends the program", async (folder) => {
  const { config } = await healthy(folder);
  put(folder, "one/state", "a file where a folder should be");
  const { code } = await run("run", "--config", config);
  assertEquals(code, 3);
});

inFolder(
  "run --json: every line is an object with the stable name of its event",
  async (folder) => {
    const { dir, config } = await healthy(folder);
    await fork(dir, `${folder}/other`);
    await grow(dir, 1);
    await grow(`${folder}/other`, 1);
    const once = ["run", "--config", config, "--once", "--json", "--verbose"];
    const lines = [...(await run(...once)).out];
    edit(config, JSON.stringify(dir), JSON.stringify(`${folder}/other`));
    lines.push(...(await run(...once)).out);
    edit(config, JSON.stringify(`${folder}/other`), JSON.stringify(`${folder}/none`));
    lines.push(...(await run(...once)).out);
    const events = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const names = new Set(events.map(({ event }) => event));
    assertEquals([...names].sort(), [
      "daemon.started",
      "incident.recorded",
      "incident.step",
      "log.first",
      "log.inconsistent",
      "log.unavailable",
    ]);
    for (const event of events) {
      assertMatch(String(event["@timestamp"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assertEquals(event["logger"], "hearsay");
      assertEquals(event["message"], event["event"]);
    }
    const recorded = events.find(({ event }) => event === "incident.recorded")!;
    assertEquals([recorded["level"], recorded["kind"]], ["ERROR", "same_size"]);
    assertEquals(await evidenceOf(`${folder}/one`), [recorded["evidence_id"]]);
  },
);

inFolder("run: no secret is ever printed", async (folder) => {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  const config = await makeMonitor(
    `${folder}/one`,
    { log, source: dir },
    ...["--listen", "127.0.0.1:0", "--peer", "127.0.0.1:2"],
  );
  const secret = Deno.readTextFileSync(`${folder}/one/monitor.key`).trim().split("+").slice(4).join(
    "+",
  );
  const daemon = await startDaemon(config);
  await daemon.running.line(/ exchange\.failed /);
  Deno.writeTextFileSync(`${folder}/one/monitor.key`, `PRIVATE+KEY+x+00000000+${secret}`);
  await after(daemon.running, / config\.refused /, () => daemon.running.reload());
  edit(config, '"monitor.key"', `"PRIVATE+KEY+x+00000000+${secret}"`);
  await after(daemon.running, / config\.refused /, () => daemon.running.reload());
  const { out } = await run("status", daemon.http, "--json");
  assertEquals(await stopped(daemon), 0);
  const { out: told, err } = await daemon.running.done;
  for (const line of [...told, ...err, ...out]) assert(!line.includes(secret), line);
});

inFolder("run: what comes from outside cannot steer the terminal", async (folder) => {
  const hostile = "\u001b[2J\u202e\u0007\n";
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(`${hostile}5\n${hostile}\n\n— x ${hostile}\n`),
  );
  const { log } = await makeLog(`${folder}/log`, 1);
  const source = `http://127.0.0.1:${server.addr.port}`;
  const config = await makeMonitor(`${folder}/one`, { log, source });
  edit(config, '"source"', '"origin": "mirrored \u202e origin", "source"');
  for (const flags of [[], ["--json"]]) {
    const { code, out, err } = await run("run", "--config", config, "--once", ...flags);
    assertEquals(code, 3);
    assertStringIncludes(out.join("\n"), "log.unavailable");
    for (const line of [...out, ...err]) assert(!UNPRINTABLE.test(line), JSON.stringify(line));
  }
  const listed = await run("observations", "list", "--state", `${folder}/one/state`);
  assertEquals(listed.code, 0);
  for (const line of listed.out) assert(!UNPRINTABLE.test(line), JSON.stringify(line));
  await server.shutdown();
});

Deno.test("run: --once and the rest are options, and anything else is not", async () => {
  for (const args of [["now"], ["--config"], ["--twice"], ["--config", "a", "--config", "b"]]) {
    assertEquals([(await start(["run", ...args]).done).code, args], [2, args]);
  }
});

Deno.test("event log: an index being made is a bar for a person, and lines for a machine", () => {
  const shown: string[] = [];
  const printed: string[] = [];
  const terminal = {
    out: (line: string) => void printed.push(line),
    err: () => {},
    progress: (text: string) => void shown.push(text),
    columns: undefined,
    redraw: () => {},
    paint: (_style: string, text: string) => text,
    read: () => Promise.resolve(0),
    ask: () => undefined,
    askSecret: () => Promise.resolve(undefined),
    onStop: () => {},
    onReload: () => {},
    release: () => {},
    lost: { lines: 0, reason: undefined, hasGone: false, takeNews: () => 0 },
  };
  for (const json of [false, true]) {
    const { event } = eventLog({ terminal, clock: denoWorld().clock, json, least: "info" });
    event("index.progress", "info", { seq: 5_000, lastSeq: 10_000 });
    event("index.progress", "info", { seq: 10_000, lastSeq: 10_000 });
  }
  const bar = `[${"#".repeat(15)}${".".repeat(15)}]`;
  assertEquals(shown, [`${bar} 50% reading the observation journal into its index`, ""]);
  assertEquals(printed.map((line) => JSON.parse(line).seq), [5_000, 10_000]);
});

inFolder("run: a status port that cannot accept says so", async (folder) => {
  const { config } = await healthy(folder);
  const world = denoWorld();
  const why = "cannot accept a connection: Too many open files";
  const serve: Http["serve"] = (address, answer, onLack) => {
    onLack(why);
    return world.http.serve(address, answer, onLack);
  };
  const running = start(["run", "--config", config], {
    ...world,
    http: { ...world.http, serve },
  });
  assertStringIncludes(
    await running.line(/ status\.failed /),
    `warning status.failed reason=${why}`,
  );
  assertEquals(await stopped({ running }), 0);
});
