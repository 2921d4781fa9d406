/** What SIGHUP changes, and what it leaves as it was. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import type { Status } from "../../src/monitor/status.ts";
import { inFolder, run, type Running } from "./harness.ts";
import { type Daemon, edit, fork, grow, makeLog, makeMonitor, startDaemon } from "./monitors.ts";

/** A peer whom nobody can reach. */
const NOBODY = '{ "address": "127.0.0.1:1" }';

async function statusOf({ http }: Pick<Daemon, "http">): Promise<Status> {
  return JSON.parse((await run("status", http, "--json")).out.join("\n"));
}

async function stopped({ running }: { running: Running }): Promise<number> {
  running.stop();
  return (await running.done).code;
}

/** Has it read its configuration again; resolves with what it says of that. */
async function reloaded({ running }: Daemon): Promise<string> {
  const pattern = / config\.(reloaded|refused) /;
  const before = running.out.filter((line) => pattern.test(line)).length;
  running.reload();
  for (;;) {
    const now = running.out.filter((line) => pattern.test(line));
    if (now.length > before) return now.at(-1)!;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!await holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** Two monitors of one log; the first answers and is called by the second, whose file is given. */
async function pair(folder: string): Promise<
  { dir: string; log: string; called: Daemon; caller: Daemon; config: string }
> {
  const { dir, log } = await makeLog(`${folder}/log`, 20);
  const served = { log, source: dir };
  const called = await startDaemon(
    await makeMonitor(`${folder}/called`, served, "--listen", "127.0.0.1:0"),
  );
  const config = await makeMonitor(
    `${folder}/caller`,
    served,
    ...["--listen", "127.0.0.1:0", "--peer", called.listen],
  );
  return { dir, log, called, caller: await startDaemon(config), config };
}

inFolder(
  "reload: a log goes on under a new key, and only if its history is the old one",
  async (folder) => {
    const made = async (name: string, ...entries: string[]): Promise<string> => {
      const ran = await run("log", "init", `${folder}/${name}`, "--origin", "test.invalid/log");
      await run("log", "append", `${folder}/${name}`, ...entries);
      return ran.out[0]!;
    };
    const old = await made("old", "a", "b", "c");
    const fresh = await made("fresh", "a", "b", "c", "d");
    const rewritten = await made("rewritten", "a", "x", "c", "d");
    const source = `${folder}/served`;
    await Deno.symlink(`${folder}/old`, source);
    const config = await makeMonitor(`${folder}/monitor`, { log: old, source });
    const daemon = await startDaemon(config);
    await daemon.running.line(/ log\.first .*size=3$/);
    await Deno.remove(source);
    await Deno.symlink(`${folder}/rewritten`, source);
    const keyId = (vkey: string): string => vkey.split("+")[1]!;
    const unverified = await daemon.running.line(/ warning log\.unverified /);
    assertStringIncludes(unverified, `known is key ${keyId(old)}`);
    assertStringIncludes(unverified, `it bears key ${keyId(rewritten)}`);
    assertEquals((await run("status", daemon.http)).code, 3);
    edit(config, `"vkey": "${old}"`, `"vkey": "${rewritten}", "replaces": "${old}"`);
    assertMatch(await reloaded(daemon), / config\.reloaded logs=1 /);
    await daemon.running.line(/ error log\.unproven .*does not continue what .* signed at size 3/);
    assertEquals((await run("status", daemon.http)).code, 3);
    await Deno.remove(source);
    await Deno.symlink(`${folder}/fresh`, source);
    edit(config, `"vkey": "${rewritten}"`, `"vkey": "${fresh}"`);
    assertMatch(await reloaded(daemon), / config\.reloaded logs=1 /);
    await daemon.running.line(/ log\.first .*size=4 .*proven to continue .* from size 3$/);
    const { out } = await run("status", daemon.http);
    const line = out.find((told) => told.includes(`(key ${keyId(fresh)}, before ${keyId(old)})`));
    assertMatch(line!, /\) +4 /);
    edit(config, `"replaces": "${old}"`, `"replaces": "${fresh}"`);
    assertMatch(await reloaded(daemon), / config\.refused .*followed itself/);
    assertEquals(await stopped(daemon), 0);
  },
);

inFolder(
  "reload: a file that is refused stays in the status until one is taken up",
  async (folder) => {
    const { called, caller, config } = await pair(folder);
    await until(async () => (await statusOf(caller)).peers[0]!.matches > 0);
    const sound = Deno.readTextFileSync(config);
    edit(config, '"poll"', '"pol"');
    edit(config, '"peers"', '"pers"');
    const said = await reloaded(caller);
    assert(!/\\u\{a\}|\n/.test(said), said);
    assertMatch(said, / has no member "(pol|pers)"; .*; \S+: .* has no member "(pol|pers)"/);
    const { code, out } = await run("status", caller.http);
    assertEquals(code, 3, out.join("\n"));
    assertMatch(out.join("\n"), /^! {3}the changed configuration was refused: .*has no member/m);
    Deno.writeTextFileSync(config, sound);
    assertMatch(await reloaded(caller), / config\.reloaded /);
    assertEquals((await run("status", caller.http)).code, 0);
    assertEquals([await stopped(caller), await stopped(called)], [0, 0]);
  },
);

inFolder("reload: uptime, counters, connections and open questions stay", async (folder) => {
  const { dir, called, caller, config } = await pair(folder);
  // What the log has signed and this monitor is not shown yet is an open question.
  await fork(dir, `${folder}/ahead`);
  await caller.running.line(/ exchange\.matches /);
  const ahead = await makeMonitor(
    `${folder}/third`,
    { log: (await statusOf(caller)).logs[0]!.vkey, source: `${folder}/ahead` },
    ...["--peer", caller.listen],
  );
  await grow(`${folder}/ahead`, 5);
  assertEquals((await run("run", "--config", ahead, "--once")).code, 0);
  await until(async () => (await statusOf(caller)).logs[0]!.openQuestions === 1);
  const [hostname, port] = caller.listen.split(":");
  using connection = await Deno.connect({ hostname: hostname!, port: Number(port) });
  await connection.write(new Uint8Array(FRAME_BYTES));
  const answer = new Uint8Array(FRAME_BYTES);
  assertEquals(await connection.read(answer), FRAME_BYTES);
  const before = await statusOf(caller);
  const { dir: second, log } = await makeLog(`${folder}/second`, 9);
  edit(config, '"logs": [', `"logs": [ { "vkey": "${log}", "source": "${second}" },`);
  assertMatch(await reloaded(caller), / info config\.reloaded logs=2 peers=1$/);
  await caller.running.line(/ log\.first .*size=9$/);
  const after = await statusOf(caller);
  assertEquals(after.startedAt, before.startedAt);
  const [added, kept] = after.logs;
  assertEquals([added!.vkey, kept!.vkey], [log, before.logs[0]!.vkey]);
  assertEquals(kept!.openQuestions, 1);
  assertEquals(kept!.counts["first"], 1);
  assert(kept!.counts["unchanged"]! >= before.logs[0]!.counts["unchanged"]!);
  assert(after.peers[0]!.exchanges >= before.peers[0]!.exchanges);
  assert(after.peers[0]!.matches >= before.peers[0]!.matches && before.peers[0]!.matches > 0);
  await connection.write(new Uint8Array(FRAME_BYTES));
  assertEquals(await connection.read(answer), FRAME_BYTES, "the connection is served on");
  assert(!caller.running.out.some((line) => line.includes(" daemon.stopping")));
  assertEquals([await stopped(caller), await stopped(called)], [0, 0]);
});

inFolder("reload: an added log is compared, and a split of it recorded", async (folder) => {
  const { called, caller, config } = await pair(folder);
  const { dir, log } = await makeLog(`${folder}/second`, 9);
  await fork(dir, `${folder}/other`);
  await grow(dir, 1);
  await grow(`${folder}/other`, 1);
  const add = (file: string, source: string): void =>
    edit(
      file,
      '"logs": [',
      `"logs": [ { "vkey": "${log}", "source": "${source}", "poll": "100ms" },`,
    );
  add(config, dir);
  await reloaded(caller);
  add(`${folder}/called/hearsay.jsonc`, `${folder}/other`);
  await reloaded(called);
  for (const { running } of [called, caller]) await running.line(/ error incident\.recorded /);
  assertEquals([await stopped(caller), await stopped(called)], [1, 1]);
});

inFolder("reload: a removed log is looked at, told and answered no more", async (folder) => {
  const { dir, log, called, caller, config } = await pair(folder);
  const { dir: second, log: other } = await makeLog(`${folder}/second`, 9);
  await caller.running.line(/ exchange\.matches /);
  const kept = `{ "vkey": "${other}", "source": "${second}", "poll": "100ms" }`;
  edit(config, /"logs": \[[^\]]*\]/, `"logs": [${kept}]`);
  assertMatch(await reloaded(caller), / logs=1 /);
  const known = caller.running.out.length;
  await grow(dir, 5);
  await called.running.line(/ log\.extends .*size=25$/);
  const { logs } = await statusOf(caller);
  assertEquals(logs.map(({ vkey }) => vkey), [other]);
  await caller.running.line(/ exchange\.nothing shared /);
  const since = caller.running.out.slice(known);
  assert(!since.some((line) => line.includes("size=25")), since.join("\n"));
  // And taken up again, it stands where it stood.
  edit(config, kept, `${kept}, { "vkey": "${log}", "source": "${dir}", "poll": "100ms" }`);
  assertMatch(await reloaded(caller), / logs=2 /);
  await caller.running.line(/ log\.extends .*size=25$/);
  assertEquals([await stopped(caller), await stopped(called)], [0, 0]);
});

inFolder(
  "reload: a log that moved is asked where it is now, from the view it had",
  async (folder) => {
    const { dir, called, caller, config } = await pair(folder);
    await caller.running.line(/ log\.first .*size=20$/);
    await fork(dir, `${folder}/moved`);
    await grow(`${folder}/moved`, 3);
    edit(config, JSON.stringify(dir), JSON.stringify(`${folder}/moved`));
    await reloaded(caller);
    await caller.running.line(/ log\.extends .*size=23$/);
    assertEquals((await statusOf(caller)).logs[0]!.counts["first"], 1);
    assertEquals([await stopped(caller), await stopped(called)], [0, 0]);
  },
);

inFolder(
  "reload: peers are added and removed, and the others keep their counts",
  async (folder) => {
    const { called, caller, config } = await pair(folder);
    await caller.running.line(/ exchange\.matches /);
    const before = (await statusOf(caller)).peers;
    edit(config, '"peers": [', `"peers": [ ${NOBODY},`);
    assertMatch(await reloaded(caller), / peers=2$/);
    await caller.running.line(/ exchange\.failed source=127\.0\.0\.1:1 /);
    const peers = (await statusOf(caller)).peers;
    assertEquals(peers.map(({ address }) => address), ["127.0.0.1:1", called.listen]);
    assert(peers[1]!.matches >= before[0]!.matches && before[0]!.matches > 0);
    edit(config, `${NOBODY},`, "");
    await reloaded(caller);
    assertEquals((await statusOf(caller)).peers.length, 1);
    assertEquals([await stopped(caller), await stopped(called)], [0, 0]);
  },
);

inFolder("reload: both ports can be moved", async (folder) => {
  const { called, caller, config } = await pair(folder);
  const free = (): string => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    return `127.0.0.1:${listener.addr.port}`;
  };
  const [listen, http] = [free(), free()];
  edit(config, '"listen": "127.0.0.1:0"', `"listen": "${listen}"`);
  edit(config, '"http": "127.0.0.1:0"', `"http": "${http}"`);
  assertMatch(await reloaded(caller), / config\.reloaded /);
  assertEquals((await statusOf({ http })).logs.length, 1);
  assertEquals((await run("status", caller.http)).code, 3, "there nobody answers any more");
  const [hostname, port] = listen.split(":");
  using connection = await Deno.connect({ hostname: hostname!, port: Number(port) });
  await connection.write(new Uint8Array(FRAME_BYTES));
  assertEquals(await connection.read(new Uint8Array(FRAME_BYTES)), FRAME_BYTES);
  assertEquals([await stopped(caller), await stopped(called)], [0, 0]);
});

for (const [what, setting] of [["status", "http"], ["exchanges", "listen"]] as const) {
  inFolder(`reload: a port for ${what} that is taken changes nothing`, async (folder) => {
    const { called, caller, config } = await pair(folder);
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const address = `127.0.0.1:${taken.addr.port}`;
    const before = await statusOf(caller);
    edit(config, `"${setting}": "127.0.0.1:0"`, `"${setting}": "${address}"`);
    edit(config, '"peers": [', `"peers": [ ${NOBODY},`);
    const { log, dir } = await makeLog(`${folder}/second`, 9);
    edit(config, '"logs": [', `"logs": [ { "vkey": "${log}", "source": "${dir}" },`);
    const refused = await reloaded(caller);
    assertMatch(refused, / error config\.refused /);
    assertStringIncludes(refused, address);
    const after = await statusOf(caller);
    assertEquals(after.startedAt, before.startedAt);
    assertEquals([after.logs.length, after.peers.length], [1, 1]);
    await grow(`${folder}/log`, 1);
    await caller.running.line(/ log\.extends .*size=21$/);
    assertEquals([await stopped(caller), await stopped(called)], [0, 0]);
  });
}

inFolder("reload: another folder makes it another monitor, which is started", async (folder) => {
  const { called, caller, config } = await pair(folder);
  edit(config, '"state": "state"', '"state": "state2"');
  caller.running.reload();
  await caller.running.line(/ daemon\.stopping/);
  await until(() =>
    caller.running.out.filter((line) => / daemon\.started /.test(line)).length === 2
  );
  assertEquals([await stopped(caller), await stopped(called)], [0, 0]);
});
