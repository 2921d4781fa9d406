/** `hearsay alert`, and what config check and status say of alerts. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { denoWorld } from "../../src/world/deno.ts";
import { inFolder, put, run } from "../cli/harness.ts";
import { edit, makeLog, makeMonitor, startDaemon } from "../cli/monitors.ts";
import { Receiver, SECRET } from "./receiver.ts";

inFolder("alert eval: says which rule decides, and where it stands", async (folder) => {
  const event = put(
    folder,
    "event.json",
    '{"event":"log.frozen","level":"WARNING","origin":"a.example/log"}\n',
  );
  const policy = put(
    folder,
    "policy.json",
    `{ "version": "hearsay/alert-policy/v1", "rules": [
    { "event": "log.*", "level": "WARNING", "action": "alert", "afterSeconds": 90 }] }`,
  );
  const told = async (...args: string[]) =>
    (await run("alert", "eval", event, ...args)).out.join("\n");
  assertEquals(
    await told(),
    "log.frozen, told as warning about a.example/log:\n" +
      '  an alert at level WARNING, alert, at once, by the built-in rule for "log.frozen"',
  );
  assertStringIncludes(
    await told("--policy", policy),
    `once it has lasted 90 s, by ${policy}:2, the rule for "log.*"`,
  );
  const { level, afterSeconds } = JSON.parse(await told("--policy", policy, "--json"));
  assertEquals([level, afterSeconds], ["WARNING", 90]);
  put(folder, "event.json", '{"what":1}');
  const { code, err } = await run("alert", "eval", event);
  assertEquals(code, 2);
  assertStringIncludes(err[0]!, 'expected an event, with "event" and "level"');
  assertEquals((await run("alert", "evil", event)).code, 2);
});

inFolder(
  "alert test: sends a trial through every channel, and says which took it",
  async (folder) => {
    await using receiver = new Receiver();
    const { dir, log } = await makeLog(`${folder}/log`, 3);
    const config = await makeMonitor(`${folder}/berlin`, { log, source: dir });
    assertEquals((await run("alert", "test", "--config", config)).code, 2);
    put(`${folder}/berlin`, "hook.secret", SECRET);
    edit(
      config,
      /^\{/m,
      `{ "alerts": {
    "channels": [
      { "webhook": "${receiver.url}", "secret": "hook.secret" },
      { "command": ["sh", "-c", "cat > ${folder}/paged"] },
      { "name": "broken", "command": ["sh", "-c", "exit 3"] },
      { "name": "near", "webhook": "http://10.1.2.3/", "secret": "hook.secret" },
    ],
    "allow": ["127.0.0.1"],
  },`,
    );
    const { code, out } = await run("alert", "test", "--config", config);
    assertEquals(code, 3);
    assertMatch(out[0]!, /^✓ webhook \(webhook http:\/\/127\.0\.0\.1:\d+\) took the trial$/);
    assertMatch(out[1]!, /^✓ command \(command sh\) took the trial$/);
    assertMatch(out[2]!, /^! broken \(command sh\) did not take the trial: sh ended with 3$/);
    assertMatch(out[3]!, /^! near .* 10\.1\.2\.3 is on a private network; if that is meant/);
    assertEquals(receiver.alerts.map(({ title }) => title), [
      "TRIAL: this is how monitor monitor.invalid/berlin tells an alert",
    ]);
    assertStringIncludes(Deno.readTextFileSync(`${folder}/paged`), "Nothing happened");
    const checked = (await run("config", "check", config)).out.join("\n");
    assertMatch(
      checked,
      /✓ channel webhook \(webhook http:\/\/127\.0\.0\.1:\d+\); 'hearsay alert test' tries it/,
    );
    assertMatch(checked, /! channel near .*private network/);
  },
);

inFolder("alerts: status shows the channels, and that one fails", async (folder) => {
  const { dir, log } = await makeLog(`${folder}/log`, 3);
  const config = await makeMonitor(`${folder}/berlin`, { log, source: dir });
  put(
    folder,
    "policy.json",
    `{ "version": "hearsay/alert-policy/v1", "rules": [
    { "event": "log.first", "level": "INFO", "action": "alert" }] }`,
  );
  edit(
    config,
    /^\{/m,
    `{ "alerts": {
    "policy": "../policy.json",
    "channels": [
      { "command": ["sh", "-c", "cat > /dev/null"] },
      { "name": "broken", "command": ["sh", "-c", "exit 3"] },
    ],
  },`,
  );
  const { running, http } = await startDaemon(config);
  await running.line(/ alert\.failed .*channel=broken/);
  let { code, out } = await run("status", http);
  for (let tries = 0; tries < 100 && !out.join().includes("last sent"); tries++) {
    ({ code, out } = await run("status", http));
  }
  assertEquals(code, 3);
  const text = out.join("\n");
  assertMatch(text, /! +alerts do not get through channel broken \(command sh\): sh ended with 3/);
  assertMatch(text, /alerts go through 2 channels/);
  assertMatch(text, /command \(command sh\): last sent \d+s ago/);
  assertMatch(text, /broken \(command sh\): nothing sent yet, 1 alert waiting/);
  // A policy that cannot be used changes nothing; another one is taken up.
  put(folder, "policy.json", "{}");
  running.reload();
  assertMatch(await running.line(/ config\.refused /), /policy\.json:1:1: .*lacks the member/);
  put(
    folder,
    "policy.json",
    '{ "version": "hearsay/alert-policy/v1", "rules": [{ "event": "*", "level": "INFO", "action": "none" }] }',
  );
  running.reload();
  await running.line(/ daemon\.stopping/);
  running.stop();
  assertEquals((await running.done).code, 0);
});

inFolder(
  "alert test: a channel that the daemon had given up is used again, if the trial arrives",
  async (folder) => {
    const { dir, log } = await makeLog(`${folder}/log`, 3);
    const config = await makeMonitor(`${folder}/berlin`, { log, source: dir });
    put(
      folder,
      "policy.json",
      `{ "version": "hearsay/alert-policy/v1", "rules": [
    { "event": "log.first", "level": "INFO", "action": "alert" }] }`,
    );
    edit(config, /^\{/m, `{ "listen": "127.0.0.1:${freePort()}",`);
    edit(
      config,
      /^\{/m,
      `{ "alerts": {
    "policy": "../policy.json",
    "channels": [
      { "name": "pager", "command": ["sh", "-c", "test -e ${folder}/works && cat >> ${folder}/paged"] },
      { "name": "broken", "command": ["sh", "-c", "exit 3"] },
    ],
  },`,
    );
    const real = denoWorld();
    let aheadMs = 0;
    const clock = { ...real.clock, monotonic: () => real.clock.monotonic() + aheadMs };
    const { running } = await startDaemon(config, { ...real, clock });
    await running.line(/ alert\.failed .*channel=pager/);
    // Nothing is told yet that was given up.
    const early = (await run("alert", "test", "--config", config)).out.join("\n");
    assertEquals(/given up/.test(early), false, early);
    // A day passes, as the daemon counts it. The next try comes in five seconds.
    aheadMs = 25 * 3_600_000;
    await Promise.all([
      running.line(/ alert\.disabled .*channel=pager/),
      running.line(/ alert\.disabled .*channel=broken/),
    ]);
    put(folder, "works", "");
    const { code, out } = await run("alert", "test", "--config", config);
    assertEquals(code, 3);
    assertEquals(out.slice(2), [
      "The running daemon had given up channel pager, and uses it again.",
    ]);
    await running.line(/ alert\.recovered .*channel=pager/);
    const paged = Deno.readTextFileSync(`${folder}/paged`);
    assertMatch(paged, /"title":"TRIAL/);
    assertMatch(paged, /The event log\.first happened/);
    // Another one has nothing more to say of it.
    const again = await run("alert", "test", "--config", config, "--json");
    assertEquals(JSON.parse(again.out.join("")).usedAgain, []);
    // Without the key the daemon cannot be told, and that is said.
    const other = await run("alert", "test", "--config", config, "--key", `${folder}/none.key`);
    assertMatch(other.err.join("\n"), /The running daemon was not told: .*none\.key.*\n.*reload/);
    running.stop();
    assertEquals((await running.done).code, 0);
    // Nobody is there: nothing is said of it.
    assertEquals((await run("alert", "test", "--config", config)).err, []);
  },
);

/** A port of loopback that nobody has now. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  listener.close();
  return port;
}

inFolder("alert eval: a file that is no text is named", async (folder) => {
  const event = put(folder, "event.json", '{"event":"log.frozen","level":"WARNING"}');
  const noText = put(folder, "policy.json", new Uint8Array([0x7b, 0xff, 0x7d]));
  const utf16 = put(folder, "utf16.json", new Uint8Array([0xff, 0xfe, 0x7b, 0]));
  for (const args of [[event, "--policy", noText], [noText]]) {
    const { code, err } = await run("alert", "eval", ...args);
    assertEquals(code, 2);
    assertMatch(err[0]!, /policy\.json": The text is not valid UTF-8/);
  }
  assertMatch((await run("alert", "eval", utf16)).err[0]!, /utf16\.json": The text is UTF-16/);
});

inFolder(
  "alerts: a folder in place of a file of the state is named, and nothing is started",
  async (folder) => {
    const { dir, log } = await makeLog(`${folder}/log`, 3);
    const config = await makeMonitor(`${folder}/berlin`, { log, source: dir });
    edit(config, /^\{/m, '{ "alerts": { "channels": [{ "command": ["true"] }] },');
    assertEquals((await run("run", "--once", "--config", config)).code, 0);
    for (const name of ["alerts/queue.log", "frozen.json", "proof-failures.json"]) {
      const path = `${folder}/berlin/state/${name}`;
      const isThere = name !== "proof-failures.json";
      if (isThere) Deno.renameSync(path, `${folder}/aside`);
      Deno.mkdirSync(path);
      const { code, err } = await run("run", "--once", "--config", config);
      assertEquals(code, 3, name);
      assertStringIncludes(err.join("\n"), name);
      Deno.removeSync(path);
      if (isThere) Deno.renameSync(`${folder}/aside`, path);
    }
    assertEquals((await run("run", "--once", "--config", config)).code, 0);
  },
);
