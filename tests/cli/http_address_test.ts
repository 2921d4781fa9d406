/** What a daemon serves at its HTTP address, from the outside. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inFolder, put, run } from "./harness.ts";
import { edit, evidenceOf, fork, grow, makeLog, makeMonitor, startDaemon } from "./monitors.ts";

interface Told {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

async function get(http: string, path: string): Promise<Told> {
  const response = await fetch(`http://${http}${path}`);
  const type = response.headers.get("content-type");
  return { status: response.status, type, text: await response.text() };
}

inFolder("http address: metrics and readiness follow what becomes of the log", async (folder) => {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  const config = await makeMonitor(`${folder}/one`, { log, source: dir });
  const { http, running } = await startDaemon(config);
  await running.line(/ log\.first /);
  assertEquals((await get(http, "/healthz")).status, 200);
  const ready = await get(http, "/readyz");
  assertEquals([ready.status, JSON.parse(ready.text)], [200, { ready: true, reasons: [] }]);
  const { type, text } = await get(http, "/metrics");
  assertEquals(type, "text/plain; version=0.0.4; charset=utf-8");
  assertMatch(text, /^hearsay_log_tree_size\{origin="test\.invalid\/log",key="[0-9a-f]{8}"\} 5$/m);
  assertStringIncludes(text, "\nhearsay_ready 1\n");
  Deno.renameSync(dir, `${folder}/gone`);
  await running.line(/ log\.unavailable /);
  const not = await get(http, "/readyz");
  assertEquals(not.status, 503);
  assertMatch(JSON.parse(not.text).reasons.join(), /^log test\.invalid\/log cannot be reached/);
  assertStringIncludes((await get(http, "/metrics")).text, "\nhearsay_ready 0\n");
  Deno.renameSync(`${folder}/gone`, dir);
  running.stop();
  assertEquals((await running.done).code, 0);
  // The trial of writing has left nothing.
  for (const name of ["state", "incidents"]) {
    const left = [...Deno.readDirSync(`${folder}/one/${name}`)].map((entry) => entry.name);
    assertEquals(left.filter((entry) => entry.includes("probe")), []);
  }
});

inFolder(
  "http address: the record of a case that the API gives is what verify takes",
  async (folder) => {
    const { dir, log } = await makeLog(`${folder}/log`, 5);
    const config = await makeMonitor(`${folder}/one`, { log, source: dir });
    const other = `${folder}/other`;
    await fork(dir, other);
    await grow(dir, 1);
    await grow(other, 1);
    await run("run", "--config", config, "--once");
    edit(config, JSON.stringify(dir), JSON.stringify(other));
    await run("run", "--config", config, "--once");
    const { http, running } = await startDaemon(config);
    const page = JSON.parse((await get(http, "/api/v1/incidents")).text);
    const ids = page.items.map(({ record }: { record: { evidence_id: string } }) =>
      record.evidence_id
    );
    assertEquals([ids, page.total, page.next], [await evidenceOf(`${folder}/one`), 1, undefined]);
    const { number } = page.items[0];
    const one = JSON.parse((await get(http, `/api/v1/incidents/${number}`)).text);
    assertEquals(one, page.items[0]);
    const file = put(folder, "record.json", JSON.stringify(one.record));
    assertEquals((await run("verify", file, "--log", log)).code, 0);
    assertEquals(JSON.parse((await get(http, "/api/v1/status")).text).incidents, 1);
    running.stop();
    assertEquals((await running.done).code, 1);
  },
);
