/** `hearsay peers`: real daemons on this machine, as their operators speak to them. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { SwarmStatus } from "../../src/swarm/member_status.ts";
import { callSession, KIND, newStaticKey, SessionFault } from "../../src/swarm/session.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { parseVkey } from "../../src/tlog/vkey.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner } from "../../src/world/signer.ts";
import { inFolder, type Ran, run } from "./harness.ts";
import { type Daemon, edit, makeLog, makeMonitor, startDaemon } from "./monitors.ts";

const world = denoWorld();

/** A port that nobody uses now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** A monitor with a port of its own, which may not run yet. */
interface Monitor {
  readonly config: string;
  readonly vkey: string;
  readonly name: string;
  readonly listen: string;
}

async function makeMonitors(folder: string, ...names: string[]): Promise<Monitor[]> {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  const made: Monitor[] = [];
  for (const name of names) {
    const listen = `127.0.0.1:${freePort()}`;
    const config = await makeMonitor(
      `${folder}/${name}`,
      { log, source: dir },
      ...["--listen", listen],
    );
    const vkey = await vkeyIn(`${folder}/${name}`);
    made.push({ config, vkey, name: vkey.split("+")[0]!, listen });
  }
  return made;
}

async function vkeyIn(dir: string): Promise<string> {
  const { out } = await run("config", "check", `${dir}/hearsay.jsonc`, "--offline");
  return /is (\S+\+[0-9a-f]{8}\+\S+)$/.exec(out.find((line) => line.includes("the key "))!)![1]!;
}

function peers({ config }: Monitor, ...args: string[]): Promise<Ran> {
  return run("peers", ...args, "--config", config);
}

async function membersOf(monitor: Monitor): Promise<SwarmStatus & { exit: number }> {
  return JSON.parse((await peers(monitor, "--json")).out.join("\n"));
}

async function statesOf(monitor: Monitor): Promise<string[]> {
  return (await membersOf(monitor)).members.map(({ state }) => state);
}

async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + 60_000;
  while (!await holds()) {
    assert(performance.now() < end, `this never came: ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Runs daemons while a test lasts. */
async function running(
  monitors: readonly Monitor[],
  test: (daemons: Daemon[]) => Promise<void>,
): Promise<void> {
  const daemons: Daemon[] = [];
  try {
    for (const { config } of monitors) daemons.push(await startDaemon(config));
    await test(daemons);
  } finally {
    for (const { running } of daemons) running.stop();
    for (const { running } of daemons) await running.done;
  }
}

inFolder("peers: three members in a line, made by commands while they run", async (folder) => {
  const [one, two, three] = await makeMonitors(folder, "one", "two", "three") as [
    Monitor,
    Monitor,
    Monitor,
  ];
  await running([one, two, three], async () => {
    const none = await peers(one);
    assertEquals(none.code, 0);
    assertMatch(none.out[0]!, /^No members\. .*hearsay peers add VKEY/);
    for (const [from, to] of [[one, two], [two, one], [two, three], [three, two]] as const) {
      const { code, out, err } = await peers(from, "add", to.vkey, to.listen);
      assertEquals(code, 0, err.join("\n"));
      assertStringIncludes(out[0]!, `${to.name} is a member now: ${from.config} is changed.`);
      assertEquals(out[1], "The running daemon has taken it up.");
      assertStringIncludes(err.join("\n"), `hearsay peers add ${from.vkey} ${from.listen}`);
    }
    await until(async () => (await statesOf(two)).join() === "connected,connected");
    await until(async () => (await statesOf(one)).join() === "connected");
    const { code, out } = await peers(two);
    assertEquals(code, 0, out.join("\n"));
    assertEquals(out[0], "Connected to 2 of 2 members; there is room for 32.");
    for (const { name } of [one, three]) {
      assert(out.some((line) => line.startsWith(`${name} `) && / connected /.test(line)));
    }
    // What is told of links comes a few seconds after a session.
    const direct = async (): Promise<number> =>
      (await peers(two, "--routes")).out.filter((line) => line.includes("direct")).length;
    await until(async () => await direct() === 2);
    const routes = JSON.parse((await peers(two, "--routes", "--json")).out.join("\n"));
    assertEquals(routes.own, two.vkey);
    assertEquals(new Set(routes.members), new Set([one.vkey, two.vkey, three.vkey]));
  });
});

inFolder("peers: --json has every member with how it stands", async (folder) => {
  const [one, two] = await makeMonitors(folder, "one", "two") as [Monitor, Monitor];
  await peers(one, "add", two.vkey, two.listen);
  await peers(two, "add", one.vkey);
  await running([one, two], async () => {
    await until(async () => (await membersOf(one)).members[0]?.roundTripMs !== undefined);
    const { own, room, members, exit, ...rest } = await membersOf(one);
    assertEquals([own, room, exit], [one.vkey, 32, 0]);
    assertEquals(Object.keys(rest).toSorted(), ["now", "startedAt", "troubles"]);
    const [{ since, roundTripMs, silentForMs, software, ...member }] = members as [
      typeof members[0],
    ];
    assertEquals(member, {
      ...{ name: two.name, vkey: two.vkey, state: "connected", direction: "outbound", failures: 0 },
      address: two.listen,
    });
    assert(!Number.isNaN(Date.parse(since!)) && roundTripMs! >= 0 && silentForMs! >= 0);
    assertMatch(software!, /^hearsay\//);
    // It was configured by its key alone, and told its port.
    const [caller] = (await membersOf(two)).members;
    assertEquals([caller!.direction, caller!.address], ["inbound", one.listen]);
  });
});

inFolder("peers: add and remove keep comments, layout and permissions", async (folder) => {
  const [one, two] = await makeMonitors(folder, "one", "two") as [Monitor, Monitor];
  edit(one.config, '"peers": [', '"peers": [ // mine\n    { "address": "a.invalid:1" }, // plain');
  Deno.chmodSync(one.config, 0o640);
  const before = Deno.readTextFileSync(one.config);
  const added = await peers(one, "add", two.vkey);
  assertEquals(added.code, 0, added.err.join("\n"));
  assertStringIncludes(added.err.join("\n"), "No daemon was told: no daemon answers at");
  const after = Deno.readTextFileSync(one.config);
  const line = `    { "vkey": "${two.vkey}" },\n`;
  assertEquals(after.replace(line, ""), before);
  assertEquals(Deno.statSync(one.config).mode! & 0o777, 0o640);
  assertEquals((await peers(one, "remove", two.name)).code, 0);
  assertEquals(Deno.readTextFileSync(one.config), before);
  assertEquals((await peers(one, "remove", "a.invalid:1")).code, 0);
  assertStringIncludes(Deno.readTextFileSync(one.config), "// plain");
  const gone = await peers(one, "remove", two.name);
  assertEquals(gone.code, 2);
  assertMatch(gone.err[0]!, /there is no peer "monitor\.invalid\/two"; there is none/);
  assertEquals([...Deno.readDirSync(`${folder}/one`)].map(({ name }) => name).toSorted(), [
    "hearsay.jsonc",
    "monitor.key",
  ]);
});

inFolder(
  "peers: add again changes the address, and a plain peer becomes a member",
  async (folder) => {
    const [one, two] = await makeMonitors(folder, "one", "two") as [Monitor, Monitor];
    edit(one.config, '"peers": [', `"peers": [\n    { "address": "${two.listen}" }, // that one`);
    const { out } = await peers(one, "add", `${two.vkey} ${two.listen}`);
    assertStringIncludes(out[0]!, `the peer at ${two.listen} is the member ${two.name} now`);
    const member = (at: string): string =>
      `{ "vkey": "${two.vkey}", "address": "${at}" }, // that one`;
    assertStringIncludes(Deno.readTextFileSync(one.config), member(two.listen));
    const before = Deno.readTextFileSync(one.config);
    assertMatch((await peers(one, "add", two.vkey)).out[0]!, /is a member already; nothing was/);
    assertEquals(Deno.readTextFileSync(one.config), before);
    assertEquals((await peers(one, "add", two.vkey, "two.invalid:9900")).code, 0);
    assertStringIncludes(Deno.readTextFileSync(one.config), member("two.invalid:9900"));
  },
);

inFolder("peers: what cannot be a member is refused, and nothing is changed", async (folder) => {
  const [one, two] = await makeMonitors(folder, "one", "two") as [Monitor, Monitor];
  await peers(one, "add", two.vkey, two.listen);
  const before = Deno.readTextFileSync(one.config);
  const { signer } = await generateSigner({ world, name: two.name });
  const refused: [string[], RegExp][] = [
    [["add", one.vkey], /own key/],
    [["add", signer.vkey.text], /another key: 'hearsay peers remove/],
    [["add", "127.0.0.1:9900"], /expected a VKEY first/],
    [["add", `${two.vkey}x`], /vkey/],
    [["add", two.vkey, "127.0.0.1:0"], /expected a port from 1/],
    [["add", two.vkey, "nowhere"], /expected HOST:PORT/],
    [["ad", two.vkey], /came: "ad"; did you mean add/],
    [["remove", "nobody"], /there is no peer "nobody"; there are: monitor\.invalid\/two/],
  ];
  for (const [args, says] of refused) {
    const { code, err } = await peers(one, ...args);
    assertEquals([code, says.test(err.join("\n"))], [2, true], err.join("\n"));
  }
  assertEquals(Deno.readTextFileSync(one.config), before);
});

inFolder("peers: a link to a configuration stays a link", async (folder) => {
  const [one, two] = await makeMonitors(folder, "one", "two") as [Monitor, Monitor];
  const config = `${folder}/one/link.jsonc`;
  Deno.symlinkSync(one.config, config);
  const { code, err } = await peers({ ...one, config }, "add", two.vkey);
  assertEquals([code, Deno.lstatSync(config).isSymlink], [2, true]);
  assertMatch(err[0]!, /is a symbolic link; name the file that it leads to/);
});

inFolder(
  "peers: a file that is wrong otherwise is refused by the daemon, which goes on",
  async (folder) => {
    const [one, two] = await makeMonitors(folder, "one", "two") as [Monitor, Monitor];
    await running([one, two], async () => {
      edit(one.config, '"http": "127.0.0.1:0"', `"http": "${two.listen}"`);
      const { code, err } = await peers(one, "add", two.vkey, two.listen);
      assertEquals(code, 3);
      assertMatch(err[0]!, /^! the running daemon refused it: .*in use/);
      assertEquals(await statesOf(one), []);
    });
  },
);

inFolder("peers: a ban ends the session, holds over a restart, and is lifted", async (folder) => {
  const [one, two] = await makeMonitors(folder, "one", "two") as [Monitor, Monitor];
  await peers(one, "add", two.vkey, two.listen);
  await peers(two, "add", one.vkey, one.listen);
  await running([two], async () => {
    await running([one], async () => {
      await until(async () => (await statesOf(one)).join() === "connected");
      const ban = await peers(one, "ban", two.name, "--for", "1h", "--reason", "a trial");
      assertEquals([ban.code, ban.out], [0, [`${two.name} is banned for 1h.`]]);
      await until(async () => (await statesOf(two)).join() !== "connected");
      const { code, out } = await peers(one);
      assertEquals(code, 0, "a ban is what somebody decided");
      assertMatch(out.join("\n"), /two +banned .*\n +a trial; it ends in (59|60)m, at 2/);
    });
    await running([one], async () => {
      assertEquals(await statesOf(one), ["banned"]);
      await until(async () => (await membersOf(two)).members[0]!.notWanted === "banned");
      const told = await peers(two);
      assertEquals(told.code, 3);
      assertMatch(
        told.out.join("\n"),
        /^! {3}member monitor\.invalid\/one has banned this monitor/m,
      );
      assertEquals((await peers(one, "ban", "nobody")).code, 2);
      const lifted = await peers(one, "unban", two.vkey);
      assertEquals([lifted.code, lifted.out], [0, [`${two.name} is banned no more.`]]);
      assertEquals((await peers(one, "unban", two.name)).out, [`${two.name} was not banned.`]);
      await until(async () => (await statesOf(one)).join() === "connected");
    });
  });
});

inFolder("peers: without a daemon it says so, and what is configured", async (folder) => {
  const [one, two] = await makeMonitors(folder, "one", "two") as [Monitor, Monitor];
  await peers(one, "add", two.vkey, two.listen);
  const { code, out, err } = await peers(one);
  assertEquals(code, 3);
  assertMatch(err[0]!, /no daemon answers at 127\.0\.0\.1:\d+: /);
  assert(out.some((line) => line.includes(two.name) && line.includes(two.listen)));
  const json = await peers(one, "--json");
  const { error, configured, exit } = JSON.parse(json.out.join("\n"));
  assertEquals([json.code, exit], [3, 3]);
  assertStringIncludes(error, "no daemon answers");
  assertEquals(configured, [{ name: two.name, vkey: two.vkey, address: two.listen }]);
  assertEquals((await peers(one, "ban", two.name)).code, 3);
  edit(one.config, `"listen": "${one.listen}"`, '"listen": "127.0.0.1:0"');
  assertMatch((await peers(one)).err[0]!, /is asked at "listen", and its port is any/);
});

inFolder("peers: the key may be elsewhere than the configuration says", async (folder) => {
  const [one] = await makeMonitors(folder, "one") as [Monitor];
  await running([one], async () => {
    Deno.renameSync(`${folder}/one/monitor.key`, `${folder}/elsewhere.key`);
    assertEquals((await peers(one)).code, 2);
    const { code, err } = await peers(one, "--key", `${folder}/elsewhere.key`);
    assertEquals(code, 0, err.join("\n"));
  });
});

inFolder("peers: a daemon without listen tells its members in its status", async (folder) => {
  const [one, two] = await makeMonitors(folder, "one", "two") as [Monitor, Monitor];
  const http = `127.0.0.1:${freePort()}`;
  edit(one.config, '"http": "127.0.0.1:0"', `"http": "${http}"`);
  edit(one.config, `"listen": "${one.listen}",`, "");
  await peers(one, "add", two.vkey, two.listen);
  await peers(two, "add", one.vkey);
  await running([one, two], async () => {
    await until(async () => (await statesOf(one)).join() === "connected");
    assertEquals((await peers(one)).code, 0);
    assertEquals((await peers(one, "--routes")).code, 3);
  });
});

inFolder("peers: a daemon of another key is not asked, and does not answer", async (folder) => {
  const [one, two] = await makeMonitors(folder, "one", "two") as [Monitor, Monitor];
  await running([two], async () => {
    edit(one.config, one.listen, two.listen);
    for (const args of [[], ["--routes"], ["ban", two.name], ["unban", two.name]]) {
      const { code, err } = await peers(one, ...args);
      assertEquals(code, 3);
      assertMatch(
        err.join("\n"),
        /another monitor answers at .* monitor\.invalid\/two\+\S+ answered/,
      );
    }
  });
});

/** Calls a daemon for control with some key, and asks for its members. */
async function orderAs(key: string, callee: Monitor): Promise<string> {
  const { signer } = await generateSigner({ world, name: key });
  const [hostname, port] = callee.listen.split(":");
  const { clock, random, network } = world;
  const connection = await network.connect({ hostname: hostname!, port: Number(port) }, 5_000);
  const session = await callSession({
    ...{ connection, expected: parseVkey(callee.vkey), onStream: (stream) => stream.close() },
    party: { clock, random, signer, staticKey: newStaticKey(random) },
  });
  try {
    await session.send(KIND.control, utf8('{"do":"peers"}'));
    for await (const { kind } of session.messages()) {
      if (kind === KIND.controlAnswer) return "answered";
    }
    return (await session.closed).message;
  } finally {
    session.close();
  }
}

inFolder("peers: a stranger that gives orders is not obeyed", async (folder) => {
  const [one] = await makeMonitors(folder, "one") as [Monitor];
  await running([one], async ([daemon]) => {
    // The name of the key is not the key.
    for (const name of ["monitor.invalid/stranger", one.name]) {
      assert(await orderAs(name, one) !== "answered");
      await daemon!.running.line(/ member\.turned_away /);
    }
    edit(one.config, '"admit": "anyone"', '"admit": "members"');
    daemon!.running.reload();
    await daemon!.running.line(/ config\.reloaded /);
    try {
      await orderAs("monitor.invalid/stranger", one);
      assert(false, "it got a session");
    } catch (error) {
      assert(error instanceof SessionFault, `${error}`);
    }
  });
});

inFolder(
  "peers: with --admit members a plain caller is turned away, and a member is not",
  async (folder) => {
    const { dir, log } = await makeLog(`${folder}/log`, 5);
    const [two] = await makeMonitors(`${folder}/more`, "two") as [Monitor];
    const listen = `127.0.0.1:${freePort()}`;
    const config = await makeMonitor(
      `${folder}/one`,
      { log, source: dir },
      ...["--listen", listen, "--admit", "members", "--peer", `${two.vkey} ${two.listen}`],
    );
    const one = {
      config,
      listen,
      vkey: await vkeyIn(`${folder}/one`),
      name: "monitor.invalid/one",
    };
    await peers(two, "add", one.vkey);
    await running([one, two], async ([daemon]) => {
      await until(async () => (await statesOf(one)).join() === "connected");
      const plain = await run("exchange", listen, "--log", log, "--have", `${dir}/checkpoint`);
      assertEquals(plain.code, 3);
      await daemon!.running.line(/it is no member, and only members are answered here/);
    });
  },
);

inFolder("peers: status and config check tell of members in words", async (folder) => {
  const [one, two] = await makeMonitors(folder, "one", "two") as [Monitor, Monitor];
  const http = `127.0.0.1:${freePort()}`;
  edit(one.config, '"http": "127.0.0.1:0"', `"http": "${http}"`);
  await peers(one, "add", two.vkey, two.listen);
  const asleep = await run("config", "check", one.config);
  assertMatch(
    asleep.out.join("\n"),
    /member monitor\.invalid\/two is not asked: its daemon does that/,
  );
  await running([one], async () => {
    await running([two], async () => {
      await until(async () => (await membersOf(one)).members[0]!.notWanted === "unknown");
      const { code, out } = await run("status", http);
      assertEquals(code, 3);
      const add = `hearsay peers add ${one.vkey}`;
      assertMatch(out.join("\n"), /^! {3}member monitor\.invalid\/two does not know this monitor/m);
      assertStringIncludes(out.join("\n"), add);
      assertMatch(out.join("\n"), /^Members: connected to 0 of 1$/m);
      const checked = await run("config", "check", one.config);
      assertEquals(checked.code, 3);
      assertStringIncludes(checked.out.join("\n"), add);
      await peers(two, "add", one.vkey);
      await until(async () => (await statesOf(one)).join() === "connected");
      await until(async () => (await run("status", http)).code === 0);
      const well = await run("config", "check", one.config);
      assertMatch(well.out.join("\n"), /✓ member monitor\.invalid\/two is connected for /);
      assertEquals(well.code, 0, well.out.join("\n"));
    });
    // It said goodbye, which is no trouble.
    await until(async () => (await statesOf(one)).join() === "left");
    const { code, out } = await run("status", http);
    assertEquals(code, 0, out.join("\n"));
    assertMatch(out.join("\n"), /^ {2}monitor\.invalid\/two left \d+s ago$/m);
  });
});
