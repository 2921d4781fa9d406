/** A monitor that is a witness, with the commands an operator has and the requests that logs make. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { originHash } from "../../src/authority/witness_state.ts";
import { loadCosigner, readCosignatures } from "../../src/tlog/cosignature.ts";
import { parseNote } from "../../src/tlog/note.ts";
import { parseVkey } from "../../src/tlog/vkey.ts";
import { PushingLog } from "../authority/pushing_log.ts";
import { inFolder, put, run, type Running, start } from "./harness.ts";

const NAME = "witness.invalid/ber";

interface Answer {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

async function ask(url: string, body?: Uint8Array<ArrayBuffer>): Promise<Answer> {
  const response = await fetch(url, body === undefined ? {} : { method: "POST", body });
  const text = await response.text();
  return { status: response.status, type: response.headers.get("content-type"), text };
}

/** A monitor that is a witness for logs that only push, made by `init` and not started yet. */
async function makeWitness(folder: string, logs: readonly PushingLog[]): Promise<string> {
  const made = await run(
    ...["init", "--dir", folder, "--name", "monitor.invalid/ber", "--http", "127.0.0.1:0"],
    ...logs.flatMap(({ log }) => ["--log", log.vkey.text]),
    ...["--witness", NAME, "--witness-http", "127.0.0.1:0"],
  );
  assertEquals(made.code, 0, made.err.join("\n"));
  assertEquals(made.out.length, 2, "two vkeys");
  return made.out[1]!;
}

async function startWitness(folder: string): Promise<{ running: Running; url: string }> {
  const running = start(["run", "--config", `${folder}/hearsay.jsonc`]);
  const line = await running.line(/ witness\.serving /);
  return { running, url: `http://${/address=(\S+)/.exec(line)![1]}` };
}

inFolder(
  "witness: init, run, push; its cosignature holds under the printed vkey",
  async (folder) => {
    const log = await PushingLog.named("log.invalid/pushes");
    const vkey = await makeWitness(folder, [log]);
    const { running, url } = await startWitness(folder);
    const first = await ask(`${url}/add-checkpoint`, await log.request({ old: 0n, size: 5n }));
    assertEquals(first.status, 200);
    const { text } = parseNote(await log.note({ size: 5n }));
    const cosigners = [loadCosigner(parseVkey(vkey))];
    const [cosignature, more] = readCosignatures({
      ...{ text, cosigners },
      lines: first.text.trimEnd().split("\n"),
    });
    assert(cosignature !== undefined && more === undefined);
    assert(Math.abs(Number(cosignature.time) - Date.now() / 1000) < 60);

    const stale = await ask(`${url}/add-checkpoint`, await log.request({ old: 3n, size: 9n }));
    assertEquals(stale, { status: 409, type: "text/x.tlog.size", text: "5\n" });
    const latest = await ask(`${url}/${originHash(log.log.origin)}/checkpoint`);
    assertEquals(latest.status, 200);
    assertEquals(latest.text, (await log.note({ size: 5n })) + first.text);
    for (const path of ["/", "/add-checkpoints", `/${"0".repeat(64)}/checkpoint`, "/status"]) {
      assertEquals((await ask(url + path)).status, 404);
    }
    assertEquals((await ask(`${url}/add-checkpoint`)).status, 405);
    const huge = new Uint8Array(1_000_000).fill(65);
    assertEquals((await ask(`${url}/add-checkpoint`, huge)).status, 413);
    running.stop();
    assertEquals((await running.done).code, 0);

    const again = await startWitness(folder);
    const grown = await ask(
      `${again.url}/add-checkpoint`,
      await log.request({ old: 5n, size: 9n }),
    );
    assertEquals(grown.status, 200, "it remembers size 5");
    again.running.stop();
    assertEquals((await again.running.done).code, 0);
  },
);

inFolder("witness: two roots at one size are a recorded case when it answers", async (folder) => {
  const log = await PushingLog.named("log.invalid/pushes");
  await makeWitness(folder, [log]);
  const { running, url } = await startWitness(folder);
  const push = async (...given: Parameters<PushingLog["request"]>) =>
    (await ask(`${url}/add-checkpoint`, await log.request(...given))).status;
  assertEquals(await push({ old: 0n, size: 5n }), 200);
  assertEquals(await push({ old: 5n, size: 5n, history: 1, proof: [] }), 422);
  const told = running.err.concat(running.out).filter((line) => / incident\.recorded /.test(line));
  assertEquals(told.length, 1, "before it answers");
  const served = await running.line(/ status\.serving /);
  const status = await run("status", /address=(\S+)/.exec(served)![1]!);
  assertEquals(status.code, 1);
  const said = status.out.join("\n");
  assertStringIncludes(
    said,
    "the key of log log.invalid/pushes has signed two checkpoints that contradict each other: 1 PROVEN CASE",
  );
  assertStringIncludes(said, "witness for 1 log, of which it has cosigned 1");
  assertStringIncludes(said, "log.invalid/pushes: cosigned size 5");
  assertEquals(await push({ old: 5n, size: 5n, history: 1, proof: [] }), 422);
  assertEquals(await push({ old: 5n, size: 9n }), 503, "the log is frozen");
  assertMatch(said, /log log\.invalid\/pushes is FROZEN since .*INC-\d{4}-001/);
  running.stop();
  assertEquals((await running.done).code, 1);
  const list = await run("incidents", "list", "--json", "--incidents", `${folder}/incidents`);
  const cases = list.out.filter((line) => "evidence_id" in JSON.parse(line).record);
  assertEquals(cases.length, 1, "one case, however often it is shown");
  const shown = await run("incidents", "show", "1", "--json", "--incidents", `${folder}/incidents`);
  const file = put(folder, "case.json", `${shown.out.join("\n")}\n`);
  const verified = await run("verify", file, "--log", log.log.vkey.text);
  assertEquals(verified.code, 0, verified.out.join("\n"));
  // A person lets the log go on, and the witness goes on with the history it knows.
  const incident = `INC-${new Date().getUTCFullYear()}-001`;
  const who = ["--by", "Ada", "--why", "explained", "--config", `${folder}/hearsay.jsonc`];
  const bundle = ["--out", `${folder}/bundle`];
  for (const step of [["advance", incident, ...bundle], ["resolve", incident]]) {
    const stepped = await run("incidents", ...step, ...who);
    assertEquals(stepped.code, 0, stepped.err.join("\n"));
  }
  const again = await startWitness(folder);
  const grown = await ask(
    `${again.url}/add-checkpoint`,
    await log.request({ old: 5n, size: 9n }),
  );
  assertEquals(grown.status, 200);
  again.running.stop();
  await again.running.done;
});

inFolder("witness: a refused larger note is an open question, and no case", async (folder) => {
  const log = await PushingLog.named("log.invalid/pushes");
  await makeWitness(folder, [log]);
  const { running, url } = await startWitness(folder);
  const push = async (...given: Parameters<PushingLog["request"]>) =>
    (await ask(`${url}/add-checkpoint`, await log.request(...given))).status;
  assertEquals(await push({ old: 0n, size: 5n }), 200);
  assertEquals(await push({ old: 5n, size: 9n, history: 1 }), 422);
  running.stop();
  assertEquals((await running.done).code, 0);
  const { out } = await run("observations", "list", "--json", "--state", `${folder}/state`);
  const seen = out.map((line) => JSON.parse(line).entry ?? JSON.parse(line));
  const open = seen.filter((one) => JSON.stringify(one).includes('"pending"'));
  assertEquals(open.length, 1);
  assertStringIncludes(JSON.stringify(open[0]), "log.invalid/pushes\\n9\\n");
});

inFolder("witness: what was cosigned is in the journal too, as the log's word", async (folder) => {
  const log = await PushingLog.named("log.invalid/pushes");
  await makeWitness(folder, [log]);
  const first = await startWitness(folder);
  const request = await log.request({ old: 0n, size: 5n });
  assertEquals((await ask(`${first.url}/add-checkpoint`, request)).status, 200);
  first.running.stop();
  await first.running.done;
  // The next start writes down what was not written when the first one ended.
  const second = await startWitness(folder);
  second.running.stop();
  await second.running.done;
  const { out } = await run("observations", "list", "--json", "--state", `${folder}/state`);
  assertEquals(out.filter((line) => line.includes("the log at this witness")).length, 1);
});

inFolder(
  "witness: logs of a list are cosigned, and what is left out of it is told",
  async (folder) => {
    const [log, listed] = await Promise.all(
      ["log.invalid/pushes", "log.invalid/listed"].map((name) => PushingLog.named(name)),
    ) as [PushingLog, PushingLog];
    await makeWitness(folder, [log]);
    const entry = `vkey ${listed.log.vkey.text}\nqpd 86400\ncontact nobody\n`;
    put(folder, "list.txt", `logs/v0\n\n${entry}\n${entry}`);
    const config = `${folder}/hearsay.jsonc`;
    const text = Deno.readTextFileSync(config)
      .replace('"key": "witness.key",', '"key": "witness.key", "list": "list.txt",');
    put(folder, "hearsay.jsonc", text);
    const { running, url } = await startWitness(folder);
    const told = await running.line(/ witness\.list /);
    assertMatch(told, /warning witness\.list .*logs=1 left_out=1 .*line 7: the origin/);
    const push = async (...given: Parameters<PushingLog["request"]>) =>
      (await ask(`${url}/add-checkpoint`, await listed.request(...given))).status;
    assertEquals(await push({ old: 0n, size: 5n }), 200);
    assertEquals(await push({ old: 5n, size: 5n, history: 1, proof: [] }), 422);
    assertEquals(await push({ old: 5n, size: 9n, history: 1 }), 422);
    running.stop();
    assertEquals((await running.done).code, 1, "a case about a listed log is a case");
  },
);

inFolder("keygen --witness: a key of type 0x04, and with --mldsa one of 0x06", async (folder) => {
  for (const [flags, type] of [[[], 4], [["--mldsa"], 6]] as const) {
    const out = `${folder}/${type}.key`;
    const made = await run("keygen", "--witness", NAME, ...flags, "--out", out);
    assertEquals(made.code, 0, made.err.join("\n"));
    const vkey = parseVkey(made.out[0]!);
    assertEquals([vkey.name, vkey.type], [NAME, type]);
    assertEquals((Deno.statSync(out).mode ?? 0) & 0o777, 0o600);
  }
  assertEquals((await run("keygen", "monitor.invalid/x", "--mldsa")).code, 2);
});

inFolder("witness: with a second key it sends both types", async (folder) => {
  const log = await PushingLog.named("log.invalid/pushes");
  await makeWitness(folder, [log]);
  const made = await run(
    ...["keygen", "--witness", NAME, "--mldsa", "--out", `${folder}/second.key`],
  );
  const text = Deno.readTextFileSync(`${folder}/hearsay.jsonc`)
    .replace('"key": "witness.key",', '"key": "witness.key", "mldsaKey": "second.key",');
  put(folder, "hearsay.jsonc", text);
  const { running, url } = await startWitness(folder);
  const answer = await ask(`${url}/add-checkpoint`, await log.request({ old: 0n, size: 5n }));
  const cosigners = [loadCosigner(parseVkey(made.out[0]!))];
  const { text: signed } = parseNote(await log.note({ size: 5n }));
  const lines = answer.text.trimEnd().split("\n");
  assertEquals(lines.length, 2);
  assertEquals(readCosignatures({ text: signed, lines, cosigners }).length, 1);
  running.stop();
  await running.done;
});

inFolder("witness: the key of a monitor is not taken for the key of a witness", async (folder) => {
  const log = await PushingLog.named("log.invalid/pushes");
  await makeWitness(folder, [log]);
  const text = Deno.readTextFileSync(`${folder}/hearsay.jsonc`)
    .replace('"key": "witness.key"', '"key": "monitor.key"');
  put(folder, "hearsay.jsonc", text);
  const { code, err } = await run("run", "--config", `${folder}/hearsay.jsonc`);
  assertEquals(code, 2);
  assertStringIncludes(err.join("\n"), "hearsay keygen --witness");
});

inFolder("a log without a source is refused where there is no witness", async (folder) => {
  const log = await PushingLog.named("log.invalid/pushes");
  await makeWitness(folder, [log]);
  const text = Deno.readTextFileSync(`${folder}/hearsay.jsonc`).replace(/"witness": \{[^}]*\}/, "");
  put(folder, "hearsay.jsonc", text);
  const { code, err } = await run("run", "--config", `${folder}/hearsay.jsonc`);
  assertEquals(code, 2);
  assertStringIncludes(err.join("\n"), 'a log lacks the member "source"');
});

inFolder("config check: the witness's keys, its list and its address", async (folder) => {
  const log = await PushingLog.named("log.invalid/pushes");
  const vkey = await makeWitness(folder, [log]);
  const config = `${folder}/hearsay.jsonc`;
  const text = Deno.readTextFileSync(config)
    .replace('"key": "witness.key",', '"key": "witness.key", "list": "list.txt",');
  put(folder, "hearsay.jsonc", text);
  put(folder, "list.txt", `logs/v0\nvkey ${log.log.vkey.text}\nqpd 0\ncontact nobody\n`);
  const said = (await run("config", "check", config)).out.join("\n");
  assertStringIncludes(said, `the witness key ${folder}/witness.key is ${vkey}`);
  assertStringIncludes(said, "logs that only push: 1");
  assertMatch(said, /^! the list \S+: left out: line 2: qpd is "0"/m);
  assertMatch(said, /^. logs would push to 127\.0\.0\.1:0$/m);
  Deno.removeSync(`${folder}/witness.key`);
  const again = await run("config", "check", config, "--offline");
  assertEquals(again.code, 2);
  assertMatch(again.out.join("\n"), /^! the witness key /m);
});

inFolder(
  "witness: a reload reads the list again, and cosigns what is new in it",
  async (folder) => {
    const [log, listed] = await Promise.all(
      ["log.invalid/pushes", "log.invalid/listed"].map((name) => PushingLog.named(name)),
    ) as [PushingLog, PushingLog];
    await makeWitness(folder, [log]);
    const text = Deno.readTextFileSync(`${folder}/hearsay.jsonc`)
      .replace('"key": "witness.key",', '"key": "witness.key", "list": "list.txt",');
    put(folder, "hearsay.jsonc", text);
    put(folder, "list.txt", "logs/v0\n");
    const { running, url } = await startWitness(folder);
    const request = await listed.request({ old: 0n, size: 5n });
    assertEquals((await ask(`${url}/add-checkpoint`, request)).status, 404);
    put(folder, "list.txt", `logs/v0\nvkey ${listed.log.vkey.text}\nqpd 1\ncontact nobody\n`);
    running.reload();
    await running.line(/ config\.reloaded /);
    assertEquals((await ask(`${url}/add-checkpoint`, request)).status, 200);
    const first = await log.request({ old: 0n, size: 5n });
    assertEquals((await ask(`${url}/add-checkpoint`, first)).status, 200);
    running.stop();
    assertEquals((await running.done).code, 0);
  },
);

inFolder("witness: a damaged state is said, and is no fault of the program", async (folder) => {
  const log = await PushingLog.named("log.invalid/pushes");
  await makeWitness(folder, [log]);
  const { running, url } = await startWitness(folder);
  for (const old of [0n, 1n]) {
    const body = await log.request({ old, size: old + 1n });
    assertEquals((await ask(`${url}/add-checkpoint`, body)).status, 200);
  }
  running.stop();
  await running.done;
  const path = `${folder}/state/witness.log`;
  const bytes = Deno.readFileSync(path);
  Deno.writeFileSync(path, bytes.with(40, bytes[40]! ^ 1));
  const { code, err } = await run("run", "--config", `${folder}/hearsay.jsonc`);
  assertEquals(code, 3);
  assertMatch(err.join("\n"), /^hearsay run: \S+witness\.log is damaged before byte \d+/m);
});

inFolder(
  "witness: a list at a URL, from init to status; config check fetches it too",
  async (folder) => {
    const listed = await PushingLog.named("log.invalid/listed");
    let asked = 0;
    const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, () => {
      asked++;
      return new Response(`logs/v0\nvkey ${listed.log.vkey.text}\nqpd 2\ncontact nobody\n`);
    });
    const place = `http://127.0.0.1:${server.addr.port}/list`;
    const made = await run(
      ...["init", "--dir", folder, "--name", "monitor.invalid/ber", "--http", "127.0.0.1:0"],
      ...["--witness", NAME, "--witness-http", "127.0.0.1:0", "--list", place],
    );
    assertEquals(made.code, 0, made.err.join("\n"));
    const config = `${folder}/hearsay.jsonc`;
    const check = await run("config", "check", config);
    assertStringIncludes(check.out.join("\n"), `the list ${place} has 1 logs`);
    const offline = await run("config", "check", config, "--offline");
    assertStringIncludes(offline.out.join("\n"), `the list ${place} would be fetched; not tried`);
    assertEquals(asked, 1);
    const { running, url } = await startWitness(folder);
    await running.line(/ info witness\.list file=\S+ logs=1 left_out=0/);
    const statuses = [];
    for (let old = 0n; old < 3n; old++) {
      const body = await listed.request({ old, size: old + 1n });
      statuses.push((await ask(`${url}/add-checkpoint`, body)).status);
    }
    assertEquals(statuses, [200, 200, 429]);
    running.stop();
    assertEquals((await running.done).code, 0);
    await server.shutdown();
    const gone = await run("config", "check", config);
    assertMatch(gone.out.join("\n"), /^! the list http\S+ cannot be had: /m);
  },
);

inFolder("init: a --list that is no URL to fetch is refused", async (folder) => {
  for (const list of ["https://user:secret@lists.example/a", "http://", "https://a b/"]) {
    const { code } = await run(
      ...["init", "--dir", folder, "--name", "monitor.invalid/ber"],
      ...["--witness", NAME, "--witness-http", "127.0.0.1:0", "--list", list],
    );
    assertEquals([list, code], [list, 2]);
  }
});
