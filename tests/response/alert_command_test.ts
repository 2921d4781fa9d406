/** `hearsay alert`, and what config check and status say of alerts. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
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
