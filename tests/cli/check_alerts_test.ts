/** `hearsay config check` says of alerts what cannot work, and sends nothing. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { inFolder, put, type Ran, run } from "./harness.ts";
import { edit, makeLog, makeMonitor } from "./monitors.ts";

/** Checks a monitor with this section, offline. */
async function checked(folder: string, alerts: string | undefined): Promise<Ran> {
  const { dir, log } = await makeLog(`${folder}/log`, 3);
  const config = await makeMonitor(
    `${folder}/one`,
    { log, source: dir },
    "--listen",
    "127.0.0.1:0",
  );
  if (alerts !== undefined) edit(config, /^\{/m, `{ "alerts": ${alerts},`);
  return await run("config", "check", config, "--offline");
}

/** The lines about alerts that say that something is not as it should be. */
function faults({ out }: Ran): string[] {
  return out.filter((line) => line.startsWith("! ") && /alert|channel|heartbeat|proven/.test(line));
}

inFolder(
  "config check: a configuration without alerts is told that nobody is alerted",
  async (folder) => {
    const ran = await checked(folder, undefined);
    assertStringIncludes(
      ran.out.join("\n"),
      'nobody is alerted: the configuration has no "alerts"',
    );
    assertEquals([ran.code, faults(ran)], [0, []]);
  },
);

for (
  const [what, channel, says] of [
    ["a program that is not there", '{ "command": ["/nonexistent"] }', /no program \/nonexistent/],
    ["a program in no folder", '{ "command": ["hearsay-no-such"] }', /no program hearsay-no-such/],
    ["this machine", '{ "webhook": "http://127.0.0.1/x", "secret": "s" }', /is on this machine/],
    [
      "the link",
      '{ "webhook": "http://169.254.169.254/", "secret": "s" }',
      /this machine's own link/,
    ],
    ["this machine by name", '{ "syslog": "localhost:601" }', /localhost is on this machine/],
    ["this machine in IPv6", '{ "syslog": "[::1]:601" }', /::1 is on this machine/],
  ] as const
) {
  inFolder(`config check: a channel that leads to ${what} is told, offline too`, async (folder) => {
    const ran = await checked(folder, `{ "channels": [${channel}] }`);
    assert(faults(ran).some((line) => says.test(line)), faults(ran).join("\n"));
    assertEquals(ran.code, 2);
  });
}

inFolder(
  "config check: a program that is there, with or without its folder, is as it should be",
  async (folder) => {
    for (const program of ["sh", "/bin/sh"]) {
      const ran = await checked(
        `${folder}/${program.length}`,
        `{ "channels": [{ "command": ["${program}"] }] }`,
      );
      assertEquals([ran.code, faults(ran)], [0, []]);
    }
  },
);

for (
  const [what, rules, says] of [
    [
      "a misspelt event",
      '{ "event": "incident.recorde", "level": "WARNING", "action": "alert" }',
      /line 1: there is no event "incident\.recorde", so this rule matches nothing/,
    ],
    [
      "nothing but quiet",
      '{ "event": "*", "level": "INFO", "action": "none" }',
      /a proven case about a log would be told to nobody/,
    ],
    [
      "a level that no channel is for",
      '{ "event": "*", "level": "INFO", "action": "alert" }',
      /a proven case about a log would be told to nobody/,
    ],
  ] as const
) {
  inFolder(`config check: a policy with ${what} is told`, async (folder) => {
    put(folder, "policy.json", `{ "version": "hearsay/alert-policy/v1", "rules": [${rules}] }`);
    const channels = '"channels": [{ "command": ["sh"], "least": "CRITICAL" }]';
    const ran = await checked(folder, `{ "policy": "../policy.json", ${channels} }`);
    assertEquals(ran.code, 2);
    assert(faults(ran).some((line) => says.test(line)), faults(ran).join("\n"));
  });
}

inFolder("config check: the policy of OPERATING has nothing against it", async (folder) => {
  const text = Deno.readTextFileSync(new URL("../../documents/OPERATING.md", import.meta.url));
  const [, policy] = /<!-- alert policy -->\s+```json\n([^`]+)```/.exec(text)!;
  put(folder, "policy.json", policy!);
  const ran = await checked(
    folder,
    '{ "policy": "../policy.json", "channels": [{ "command": ["sh"] }] }',
  );
  assertEquals([ran.code, faults(ran)], [0, []]);
});
