/** What `hearsay incidents` tells a person, and what it writes for others. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import type { Tools } from "../../src/cli/command.ts";
import { runProgram } from "../../src/cli/program.ts";
import { processTerminal, type Stream } from "../../src/cli/terminal.ts";
import { columnsOf } from "../../src/cli/width.ts";
import { entryHash, parseEntry } from "../../src/evidence/entry.ts";
import { parseRecord } from "../../src/evidence/record.ts";
import { denoWorld } from "../../src/world/deno.ts";
import type { World } from "../../src/world/world.ts";
import { WorldError } from "../../src/world/world.ts";
import { grow as growTree, newLog } from "../evidence/histories.ts";
import { inFolder, keyFile, noteLine, proofLine, put, run, start, twoStories } from "./harness.ts";
import { fork, grow, makeLog, makeMonitor, startDaemon } from "./monitors.ts";

/** A journal with a same-size and a cross-size case, in this order. */
async function twoCases(folder: string): Promise<string> {
  const { a, b, log } = await twoStories({ common: 3, size: 6 });
  growTree(b, 9, "b");
  const key = ["--key", await keyFile(folder), "--incidents", `${folder}/in`];
  const one = put(folder, "one", [await noteLine(a, 6), await noteLine(b, 6)].join("\n"));
  await run("detect", "--log", log, ...key, one);
  const two = [await noteLine(a, 5, "10.0.0.1:9900"), await noteLine(b, 9), proofLine(b, 5, 9)];
  await run("detect", "--log", log, ...key, put(folder, "two", two.join("\n")));
  return `${folder}/in`;
}

function entriesOf(incidents: string): ReturnType<typeof parseEntry>[] {
  return Deno.readTextFileSync(`${incidents}/journal.jsonl`).trimEnd().split("\n").map(parseEntry);
}

/** The lines as one text, however they are broken. */
function flat(lines: readonly string[]): string {
  return lines.join(" ").replaceAll(/ +/g, " ");
}

inFolder("incidents show: who signed what, what it proves, and what to do", async (folder) => {
  const incidents = await twoCases(folder);
  for (const [seq, entry] of entriesOf(incidents).entries()) {
    const record = parseRecord(entry.record);
    const { code, out, err } = await run(
      "incidents",
      "show",
      `${seq + 1}`,
      "--incidents",
      incidents,
    );
    assertEquals([code, err], [0, []]);
    const text = flat(out);
    assertMatch(text, /The record holds\. It was verified just now/);
    for (const { size, root } of [record.checkpoint_a, record.checkpoint_b]) {
      assertStringIncludes(text, `size ${size} root ${root}`);
    }
    for (
      const fact of [record.log.origin, record.log.vkey, record.evidence_id, record.detector_vkey!]
    ) {
      assertStringIncludes(text, fact);
    }
    const keyId = record.log.vkey.split("+")[1]!;
    assertStringIncludes(text, `key id ${keyId}`);
    assertStringIncludes(text, `from ${record.source_a}`);
    assertStringIncludes(text, `from ${record.source_b}`);
    assert(!/attack/i.test(text));
    assertEquals(/A tree of size 6 has one root/.test(text), record.kind === "same_size");
    assertEquals(/tree of checkpoint B must begin with/.test(text), record.kind === "cross_size");
    // Commands and facts stay whole, so that they can be copied.
    const prose = out.filter((line) =>
      !/^ {4}hearsay | {2}(log|vkey|its vkey|recorded in) |^ {15}/.test(line)
    );
    assert(prose.length > 20);
    for (const line of prose) assert(columnsOf(line) <= 80, line);
  }
});

inFolder("incidents show: every command it names does what it says", async (folder) => {
  const incidents = await twoCases(folder);
  const { out } = await run("incidents", "show", "2", "--incidents", incidents);
  const commands = out.filter((line) => /^ {4}hearsay /.test(line)).map((line) => line.trim());
  assertEquals(commands.length, 3);
  for (const command of commands) {
    const args = command.replaceAll("incident-2.txt", `${folder}/incident-2.txt`).split(" ").slice(
      1,
    );
    assertEquals([command, (await run(...args)).code], [command, 0]);
  }
});

inFolder(
  "incidents show: a folder with a space or a quote is typed as a shell takes it",
  async (folder) => {
    const odd = `${folder}/it's here`;
    Deno.renameSync(await twoCases(folder), odd);
    const { out } = await run("incidents", "show", "1", "--incidents", odd);
    assertStringIncludes(flat(out), `incidents check --incidents '${folder}/it'\\''s here'`);
  },
);

inFolder("incidents show --json: the record, as ever", async (folder) => {
  const incidents = await twoCases(folder);
  const { code, out, err } = await run(
    "incidents",
    "show",
    "2",
    "--json",
    "--incidents",
    incidents,
  );
  assertEquals([code, out.length, err], [0, 1, []]);
  assertEquals(JSON.parse(out[0]!), entriesOf(incidents)[1]!.record);
});

inFolder("incidents show: an id may be a beginning, if only one begins so", async (folder) => {
  const incidents = await twoCases(folder);
  const [one, two] = entriesOf(incidents).map(({ record }) => parseRecord(record).evidence_id);
  const show = (id: string): ReturnType<typeof run> =>
    run("incidents", "show", id, "--json", "--incidents", incidents);
  for (const [id, length] of [[one, 8], [two, 8], [one, 40], [two, 64]] as const) {
    const { out } = await show(id!.slice(0, length));
    assertEquals(parseRecord(out[0]!).evidence_id, id);
  }
  for (
    const id of [one!.slice(0, 7), `${one}0`, "3", "0", "01", "-1", "zzzzzzzz", one!.toUpperCase()]
  ) {
    const { code, out, err } = await show(id);
    assertEquals([id, code, out], [id, 2, []]);
    assertMatch(err.join(), /there is no case|there is no option/);
  }
  // The same case once more, as a journal may have it that holds an entry which proves nothing.
  const lines = Deno.readTextFileSync(`${incidents}/journal.jsonl`);
  const [, last] = entriesOf(incidents);
  const body = { ...last!, seq: 3, prev_hash: last!.hash };
  put(
    incidents,
    "journal.jsonl",
    `${lines}${JSON.stringify({ ...body, hash: entryHash(body) })}\n`,
  );
  const { code, err } = await show(two!.slice(0, 8));
  assertEquals(code, 2);
  assertMatch(err.join(), /2 cases have an evidence_id that begins with .*: 2, 3/);
});

/** Changes the record of the only entry, and keeps the chain whole, as one who can write may. */
function forge(incidents: string): void {
  const [entry] = entriesOf(incidents);
  const record = { ...entry!.record, source_a: "somebody else" };
  const body = { ...entry!, record };
  put(incidents, "journal.jsonl", `${JSON.stringify({ ...body, hash: entryHash(body) })}\n`);
}

inFolder(
  "incidents: a record that does not hold is said to, proves nothing, and is not exported",
  async (folder) => {
    const incidents = await twoCases(folder);
    forge(incidents);
    const at = ["--incidents", incidents];
    const shown = await run("incidents", "show", "1", ...at);
    assertEquals(shown.code, 3);
    const text = flat(shown.out);
    assertMatch(text, /THE RECORD DOES NOT HOLD\. .* ✗ detector: .*signature does not verify/);
    assert(!/The record holds|What is proven|What to do|export|has signed/.test(text));
    const json = await run("incidents", "show", "1", "--json", ...at);
    assertEquals([json.code, json.err], [3, ["case 1 DOES NOT HOLD (fails)"]]);
    for (const out of [[], ["--out", `${folder}/sent`]]) {
      const exported = await run("incidents", "export", "1", ...out, ...at);
      assertEquals([exported.code, exported.out], [3, []]);
      assertMatch(exported.err.join(), /DOES NOT HOLD.* is not written/);
    }
    for (const flags of [[], ["--json"]]) {
      const list = await run("incidents", "list", ...flags, ...at);
      assertEquals([list.code, list.out.length], [3, 1]);
      assertMatch(list.err.join(), /records that do not hold: 1;/);
    }
  },
);

inFolder("incidents export: a file for others, that a stranger checks", async (folder) => {
  const incidents = await twoCases(folder);
  const path = `${folder}/sent.txt`;
  const { code, out, err } = await run(
    "incidents",
    "export",
    "2",
    "--out",
    path,
    "--incidents",
    incidents,
  );
  assertEquals([code, out], [0, []]);
  assertMatch(err.join(), /Check it: hearsay verify /);
  assertEquals(Deno.statSync(path).mode! & 0o777, 0o644);
  const text = Deno.readTextFileSync(path);
  const printed = await run("incidents", "export", "2", "--incidents", incidents);
  assertEquals([`${printed.out.join("\n")}\n`, printed.err], [text, []]);
  assertEquals((await run("verify", path)).code, 0);
  assertEquals([...Deno.readDirSync(folder)].filter(({ name }) => name.includes(".new")), []);
});

inFolder("incidents export: a file that exists is not overwritten", async (folder) => {
  const incidents = await twoCases(folder);
  const path = put(folder, "there", "mine");
  const { code, err } = await run(
    "incidents",
    "export",
    "1",
    "--out",
    path,
    "--incidents",
    incidents,
  );
  assertEquals([code, Deno.readTextFileSync(path)], [2, "mine"]);
  assertMatch(err.join("\n"), /exists, and is not overwritten/);
});

inFolder(
  "incidents export: a disk that refuses ends with 3, and leaves nothing",
  async (folder) => {
    const incidents = await twoCases(folder);
    const real = denoWorld();
    const full = (): Promise<never> => Promise.reject(new WorldError("other", "no space left"));
    const world: World = {
      ...real,
      files: {
        ...real.files,
        create: async (path, permissions) => ({
          ...await real.files.create(path, permissions),
          write: full,
        }),
      },
    };
    const args = ["incidents", "export", "1", "--out", `${folder}/sent`, "--incidents", incidents];
    const { code, err } = await start(args, world).done;
    assertEquals(code, 3);
    assertMatch(err.join(), /cannot write ".*sent": no space left/);
    assertEquals([...Deno.readDirSync(folder)].filter(({ name }) => name.startsWith("sent")), []);
    const nowhere = await run(
      "incidents",
      "export",
      "1",
      "--out",
      `${folder}/no/x`,
      "--incidents",
      incidents,
    );
    assertEquals(nowhere.code, 3);
  },
);

/** Standard output that is a terminal, or has no room. */
class Screen implements Stream {
  text = "";
  constructor(readonly isATerminal: boolean, readonly room = Infinity) {}
  writeSync(bytes: Uint8Array): number {
    if (this.room === 0) throw new Error("No space left on device");
    this.text += new TextDecoder().decode(bytes);
    return bytes.length;
  }
  isTerminal(): boolean {
    return this.isATerminal;
  }
}

/** Runs a command on a terminal. */
async function onScreen(columns: number, ...args: string[]): Promise<string[]> {
  const stdout = new Screen(true);
  const terminal = processTerminal({
    stdout,
    stderr: new Screen(false),
    size: () => ({ columns, rows: 24 }),
  });
  const tools: Tools = {
    world: denoWorld(),
    terminal,
    serveStatus: () => undefined as never,
    serveWitness: () => undefined as never,
    serveFederation: () => undefined as never,
  };
  await runProgram(args, tools);
  // deno-lint-ignore no-control-regex
  return stdout.text.trimEnd().split("\n").map((line) => line.replaceAll(/\x1b\[\d+m/g, ""));
}

inFolder(
  "incidents export, show, list: output that could not be written ends with 3",
  async (folder) => {
    const incidents = await twoCases(folder);
    for (const what of [["export", "1"], ["show", "1"], ["list"]]) {
      const stderr = new Screen(false);
      const terminal = processTerminal({ stdout: new Screen(false, 0), stderr });
      const tools: Tools = {
        world: denoWorld(),
        terminal,
        serveStatus: () => undefined as never,
        serveWitness: () => undefined as never,
        serveFederation: () => undefined as never,
      };
      assertEquals(await runProgram(["incidents", ...what, "--incidents", incidents], tools), 3);
      assertMatch(stderr.text, /of the output could not be written: No space left/);
    }
  },
);

inFolder(
  "incidents list: aligned on a terminal, whole and a line each in a pipe",
  async (folder) => {
    const incidents = await twoCases(folder);
    const records = entriesOf(incidents).map(({ record }) => parseRecord(record));
    const piped = await run("incidents", "list", "--incidents", incidents);
    assertEquals([piped.code, piped.out.length, piped.err], [0, 2, []]);
    records.forEach((record, i) => {
      assertStringIncludes(piped.out[i]!, `evidence_id=${record.evidence_id}`);
      assertStringIncludes(piped.out[i]!, `root=${record.checkpoint_a.root}`);
    });
    for (const columns of [80, 200]) {
      const lines = await onScreen(columns, "incidents", "list", "--incidents", incidents);
      const hint = lines.slice(3).join(" ");
      assertStringIncludes(hint, `'hearsay incidents show N --incidents ${incidents}' says`);
      for (const line of lines) assert(columnsOf(line) <= columns, line);
      const at = lines[0]!.indexOf("EVIDENCE");
      records.forEach(({ evidence_id, checkpoint_a }, i) => {
        assertEquals(lines[i + 1]!.slice(at), `${evidence_id.slice(0, 8)}…`);
        assertEquals(lines[i + 1]!.includes(checkpoint_a.root.slice(0, 8)), columns === 200);
      });
    }
  },
);

inFolder("incidents: nothing of a log's name reaches the terminal as it is", async (folder) => {
  const origin = 'evil\u202Egol\u200B\u2066/日本{"evidence_id":1}$(reboot)';
  const a = growTree(await newLog(origin), 3);
  const b = a.fork();
  growTree(a, 6, "a");
  growTree(b, 6, "b");
  const lines = put(
    folder,
    "l",
    [await noteLine(a, 6), await noteLine(b, 6, "\u202Esource")].join("\n"),
  );
  const log = a.log.vkey.text;
  const incidents = ["--incidents", `${folder}/in`];
  await run("detect", "--log", log, "--key", await keyFile(folder), ...incidents, lines);
  for (
    const what of [["list"], ["show", "1"], ["show", "1", "--json"], ["list", "--json"], [
      "export",
      "1",
    ]]
  ) {
    const { code, out } = await run("incidents", ...what, ...incidents);
    assertEquals(code, 0);
    for (const line of [...out, ...await onScreen(80, "incidents", ...what, ...incidents)]) {
      assert(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(line), JSON.stringify(line));
    }
  }
  assertEquals(
    (await run("incidents", "export", "1", "--out", `${folder}/f`, ...incidents)).code,
    0,
  );
  const verified = await run("verify", `${folder}/f`, "--log", log);
  assertEquals(verified.code, 0, verified.out.join("\n"));
});

inFolder(
  "incidents list: --since, --log and --limit choose, and an empty result says of what",
  async (folder) => {
    const incidents = await twoCases(folder);
    const [one] = entriesOf(incidents).map(({ record }) => parseRecord(record));
    const list = (...args: string[]): ReturnType<typeof run> =>
      run("incidents", "list", "--incidents", incidents, ...args);
    const all = (await list()).out;
    for (
      const args of [["--since", "1h"], ["--log", one!.log.vkey], ["--limit", "2"], [
        "--since",
        "2000-01-01",
      ]]
    ) {
      assertEquals((await list(...args)).out, all, args.join(" "));
    }
    const newest = await list("--limit", "1");
    assertEquals(newest.out, [all[1]!]);
    assertEquals(newest.err, ["only the newest 1 of 2 are listed"]);
    const none = await list("--since", "2999-01-01T00:00:00+01:00", "--log", one!.log.origin);
    assertEquals([none.code, none.err], [0, []]);
    assertEquals(none.out, [
      `no incidents of "test.invalid/log" since 2998-12-31T23:00:00.000Z in ${incidents}; 2 older ones`,
    ]);
    assertEquals((await list("--since", "2999-01-01", "--json")).out, []);
    const unknown = await list("--log", "test.invalid/lag");
    assertEquals([unknown.code, unknown.out], [2, []]);
    assertMatch(
      unknown.err.join(),
      /about a log "test.invalid\/lag"\. .*there are: "test.invalid\/log"/,
    );
  },
);

Deno.test("incidents: an option that would do nothing, and other wrong usage, end with 2", async () => {
  const cases = [
    ["check", "--since", "1h"],
    ["check", "--out", "x"],
    ["show", "1", "--limit", "1"],
    ["export", "1", "--json"],
    ["list", "--out", "x"],
    ["list", "1"],
    ["export"],
    ["show"],
    ["repair"],
    ["list", "--limit", "0"],
    ["list", "--limit", "1.5"],
    ["list", "--limit", "-1"],
    ["list", "--since", "yesterday"],
    ["list", "--since", "2026-02-30"],
    ["list", "--since", "2026-11-28T25:00:00Z"],
    ["list", "--since", "2026-11-28T11:00:00"],
    ["list", "--since", "2 h"],
  ];
  for (const args of cases) {
    const { code, out, err } = await run("incidents", ...args);
    assertEquals([args, code, out], [args, 2, []]);
    assert(!err.join().includes("is not there"), "usage comes before the folder");
  }
});

inFolder(
  "incidents show: when each half was first seen stands in the monitor's own journal",
  async (folder) => {
    const { log, dir } = await makeLog(`${folder}/log`, 5);
    await fork(dir, `${folder}/other`);
    await grow(dir, 1);
    await grow(`${folder}/other`, 2);
    const one = await makeMonitor(`${folder}/one`, { log, source: dir }, "--listen", "127.0.0.1:0");
    const first = await startDaemon(one);
    const two = await makeMonitor(
      `${folder}/two`,
      { log, source: `${folder}/other` },
      ...["--peer", first.listen],
    );
    const second = await startDaemon(two);
    await Promise.all([first, second].map(({ running }) => running.line(/ incident\.recorded /)));
    for (const daemon of [first, second]) daemon.running.stop();
    await Promise.all([first, second].map(({ running }) => running.done));
    for (const config of [one, two]) {
      const { out } = await run("observations", "list", "--json", "--config", config);
      const times = out.map((line) => JSON.parse(line).recorded_at as string);
      const shown = await run("incidents", "show", "1", "--config", config);
      const at = shown.out.indexOf("When this monitor first saw them");
      assertEquals([shown.code, at], [0, shown.out.length - 3], shown.out.join("\n"));
      shown.out.slice(at + 1).forEach((line, i) => {
        assertMatch(line, new RegExp(`^  checkpoint ${"AB"[i]} .*, from (the log itself|127)`));
        assert(times.some((time) => line.includes(time)), line);
      });
    }
    const state = `${folder}/one/state/observations-000001.jsonl`;
    Deno.writeTextFileSync(state, Deno.readTextFileSync(state).replace('"first"', '"frist"'));
    const damaged = await run("incidents", "show", "1", "--config", one);
    assertEquals(damaged.code, 0, "the incident holds all the same");
    assertMatch(flat(damaged.out), /checkpoint A not known: .*observations-000001/);
    Deno.removeSync(`${folder}/one/state`, { recursive: true });
    const gone = await run("incidents", "show", "1", "--config", one);
    assertEquals([gone.code, /no observation journal is here/.test(flat(gone.out))], [0, true]);
  },
);
