/** Two monitors over real sockets, of which one mirrors the other's journal. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PushingLog } from "../authority/pushing_log.ts";
import { inFolder, run, type Running, start } from "./harness.ts";
import { edit } from "./monitors.ts";

const [ADA, BEA] = ["monitor.invalid/ada", "monitor.invalid/bea"];

/** A monitor that publishes its journal, and is a witness of one log: what it refuses becomes a case. */
async function make(
  folder: string,
  name: string,
  log: PushingLog,
): Promise<{ config: string; vkey: string }> {
  const made = await run(
    ...["init", "--dir", folder, "--name", name, "--http", "127.0.0.1:0"],
    ...["--log", log.log.vkey.text, "--witness", `witness.invalid/${name.at(-1)}`],
    ...["--witness-http", "127.0.0.1:0", "--federation", "127.0.0.1:0"],
  );
  assertEquals(made.code, 0, made.err.join("\n"));
  return { config: `${folder}/hearsay.jsonc`, vkey: made.out[0]! };
}

async function addressOf(running: Running, what: string): Promise<string> {
  const line = await running.line(new RegExp(` ${what}\\.serving `));
  return `http://${/address=(\S+)/.exec(line)![1]!}`;
}

/** Has a witness shown two roots of one size. */
async function convict(witness: string, log: PushingLog): Promise<void> {
  const push = async (request: Parameters<PushingLog["request"]>[0]): Promise<number> => {
    const body = await log.request(request);
    const response = await fetch(`${witness}/add-checkpoint`, { method: "POST", body });
    await response.body?.cancel();
    return response.status;
  };
  assertEquals(await push({ old: 0n, size: 5n }), 200);
  assertEquals(await push({ old: 5n, size: 5n, history: 1, proof: [] }), 422);
}

inFolder(
  "mirrors: a case of one is recorded by the other, and shown as attested",
  async (folder) => {
    const log = await PushingLog.named("log.invalid/pushing");
    const ada = await make(`${folder}/ada`, ADA, log);
    const bea = await make(`${folder}/bea`, BEA, log);
    const first = start(["run", "--config", ada.config]);
    const url = await addressOf(first, "federation");
    await convict(await addressOf(first, "witness"), log);
    edit(
      bea.config,
      '"mirrors": []',
      `"mirrors": [{ "vkey": "${ada.vkey}", "url": "${url}", "every": "100ms" }]`,
    );
    const second = start(["run", "--config", bea.config]);
    const recorded = await second.line(/incident\.recorded/);
    assertStringIncludes(recorded, "log.invalid/pushing");
    const status = await addressOf(second, "status");
    // What came of it is counted after it was told.
    let lines: string;
    do lines = (await run("status", status.slice(7))).out.join("\n"); while (
      !lines.includes("cases recorded from it: 1")
    );
    assertMatch(lines, /mirrors 1 journal\n {2}monitor\.invalid\/ada\/incidents: size 3,/);

    const shown = await run("incidents", "show", "1", "--config", bea.config);
    assertEquals(shown.code, 0);
    const text = shown.out.join("\n");
    assertMatch(text, /Who else has recorded it/);
    assertMatch(text, /monitor\.invalid\/ada +entry 1 of its journal/);

    const own = ["incidents", "show", "1", "--config", bea.config];
    const { out: [json] } = await run(...own, "--json");
    const record = JSON.parse(json!);
    const { out: [line, ...more] } = await run(...own, "--attestations", "--json");
    const attested = JSON.parse(line!);
    assertEquals(more, []);
    assertEquals(
      [attested.evidence_id, attested.monitor, attested.vkey, attested.entry],
      [record.evidence_id, ADA, ada.vkey, 1],
    );
    assert(attested.evidence_signature !== record.evidence_signature);
    assertEquals(record.detector_id, BEA);
    // Who is mirrored by nobody knows of no attestation, and says so by an empty list.
    const alone = await run("incidents", "show", "1", "--config", ada.config, "--attestations");
    assertEquals([alone.code, alone.out], [0, []]);
    for (const running of [first, second]) {
      running.stop();
      // Both have cases now.
      assertEquals((await running.done).code, 1);
    }
  },
);
