/** Comparing over HTTP with the real daemon, as `curl` and another monitor do. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { MAX_POSTED_BYTES } from "../../src/web/gossip_server.ts";
import { inFolder, put, run } from "./harness.ts";
import {
  type Daemon,
  edit,
  evidenceOf,
  fork,
  grow,
  makeLog,
  makeMonitor,
  startDaemon,
} from "./monitors.ts";

const PATH = "/gossip/test.invalid%2Flog";

/** A monitor that compares over HTTP: its configuration. */
async function offering(
  dir: string,
  served: { log: string; source: string },
  ...more: readonly string[]
): Promise<string> {
  const config = await makeMonitor(dir, served, ...more);
  edit(config, /"http": /, '"httpGossip": true,\n  "http": ');
  return config;
}

/** What a daemon answers to a note, or to nothing. */
async function ask(
  { http }: Daemon,
  body?: BodyInit,
  path = PATH,
): Promise<{ status: number; text: string }> {
  const post = body !== undefined && { method: "POST", body };
  const response = await fetch(`http://${http}${path}`, post || {});
  return { status: response.status, text: await response.text() };
}

async function stopped({ running }: Daemon): Promise<number> {
  running.stop();
  return (await running.done).code;
}

function noteOf(dir: string): string {
  return Deno.readTextFileSync(`${dir}/checkpoint`);
}

/** Waits for what happens in another process's own time. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!await holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}

inFolder("http gossip: each answer, as curl gets it", async (folder) => {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  const other = `${folder}/other`;
  const older = noteOf(dir);
  await fork(dir, other);
  await grow(dir, 7);
  await grow(other, 7);
  const daemon = await startDaemon(await offering(`${folder}/one`, { log, source: dir }));
  await daemon.running.line(/ log\.first .*size=12$/);
  assertEquals(await ask(daemon), { status: 200, text: noteOf(dir) });
  assertMatch((await ask(daemon, noteOf(dir))).text, /^consistent: /);
  assertMatch((await ask(daemon, older)).text, /^consistent: /);
  await grow(dir, 3);
  await daemon.running.line(/ log\.extends .*size=15$/);

  const { status, text } = await ask(daemon, noteOf(other));
  assertEquals(status, 200);
  const [, id] = /^inconsistent: .* case ([0-9a-f]+)\./.exec(text)!;
  assertEquals(await evidenceOf(`${folder}/one`), [id]);
  const record = await ask(daemon, undefined, `${PATH}/records/${id}`);
  const file = put(folder, "record.json", record.text);
  assertEquals((await run("verify", file, "--log", log)).code, 0);
  const shown = await run(
    "incidents",
    "show",
    "1",
    "--json",
    "--incidents",
    `${folder}/one/incidents`,
  );
  assertEquals(record.text, `${shown.out.join("\n")}\n`);

  await grow(other, 20);
  assertMatch((await ask(daemon, noteOf(other))).text, /^pending: .* size 32; .* size 15\n$/);
  assertEquals((await ask(daemon, "hello\n")).status, 400);
  assertEquals((await ask(daemon, older.replace("\n5\n", "\n6\n"))).status, 400);
  assertEquals((await ask(daemon, noteOf(dir), "/gossip/test.invalid")).status, 404);
  assertEquals((await ask(daemon, new Uint8Array(MAX_POSTED_BYTES))).status, 400);
  assertEquals((await ask(daemon, new Uint8Array(MAX_POSTED_BYTES + 1))).status, 413);
  const unsized = new ReadableStream({ start: (stream) => stream.close() });
  assertEquals((await ask(daemon, unsized)).status, 411);
  assertEquals((await evidenceOf(`${folder}/one`)).length, 1);
  // A case was recorded.
  assertEquals(await stopped(daemon), 1);
});

inFolder("http gossip: SIGHUP takes the setting up, and takes it back", async (folder) => {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  const config = await makeMonitor(
    `${folder}/one`,
    { log, source: dir },
    "--listen",
    "127.0.0.1:0",
  );
  const daemon = await startDaemon(config);
  await daemon.running.line(/ log\.first /);
  assertEquals((await ask(daemon)).status, 404);
  edit(config, /"http": /, '"httpGossip": true,\n  "http": ');
  daemon.running.reload();
  await until(async () => (await ask(daemon)).status === 200);
  edit(config, '"httpGossip": true', '"httpGossip": false');
  daemon.running.reload();
  await until(async () => (await ask(daemon)).status === 404);
  assertEquals(daemon.running.out.filter((line) => / daemon\.started /.test(line)).length, 1);
  assertEquals(await stopped(daemon), 0);
});

inFolder(
  "http gossip: of two daemons one asks the other, and both record the split",
  async (folder) => {
    const { dir, log } = await makeLog(`${folder}/log`, 5);
    const other = `${folder}/other`;
    await fork(dir, other);
    await grow(dir, 7);
    await grow(other, 9);
    const asked = await startDaemon(await offering(`${folder}/asked`, { log, source: other }));
    const config = await makeMonitor(`${folder}/asking`, { log, source: dir });
    edit(config, /"peers": \[/, `"peers": [ { "sourcespotter": "http://${asked.http}${PATH}" }`);
    const asking = await startDaemon(config);
    const [here] = await Promise.all([
      asking.running.line(/ exchange\.(pending|inconsistent) /),
      asked.running.line(/ incident\.recorded /),
    ]);
    assertStringIncludes(here, `source=http://${asked.http}${PATH}`);
    // Its own view has to reach the size of the other first.
    await grow(dir, 5);
    await asking.running.line(/ incident\.recorded /);
    const ids = [await evidenceOf(`${folder}/asked`), await evidenceOf(`${folder}/asking`)];
    assertEquals(ids.map((list) => list.length > 0), [true, true]);
    assertEquals([await stopped(asked), await stopped(asking)], [1, 1]);
    for (const name of ["asked", "asking"]) {
      assertEquals((await run("verify", `${folder}/${name}/incidents/journal.jsonl`)).code, 0);
    }
  },
);
