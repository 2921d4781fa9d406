/** `journal repair`, and what other commands say of damage, repairs and lost state. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inFolder, put, type Ran, run } from "./harness.ts";
import { edit, fork, grow, makeLog, makeMonitor, startDaemon } from "./monitors.ts";

/** A monitor that has recorded one case of a log, and its folders. */
async function convicting(folder: string): Promise<{
  config: string;
  state: string;
  incidents: string;
  log: string;
}> {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  const config = await makeMonitor(`${folder}/one`, { log, source: dir });
  await fork(dir, `${folder}/other`);
  await grow(dir, 1);
  await grow(`${folder}/other`, 3);
  assertEquals((await run("run", "--config", config, "--once")).code, 0);
  edit(config, JSON.stringify(dir), JSON.stringify(`${folder}/other`));
  assertEquals((await run("run", "--config", config, "--once")).code, 1);
  edit(config, JSON.stringify(`${folder}/other`), JSON.stringify(dir));
  return { config, log, state: `${folder}/one/state`, incidents: `${folder}/one/incidents` };
}

/** Changes one character of a line. */
function damage(path: string, line: number): void {
  const lines = Deno.readTextFileSync(path).split("\n");
  lines[line - 1] = lines[line - 1]!.replace(/"recorded_at":"2/, '"recorded_at":"3');
  Deno.writeTextFileSync(path, lines.join("\n"));
}

function text({ out, err }: Ran): string {
  return [...out, ...err].join("\n");
}

for (const name of ["incidents", "state"] as const) {
  inFolder(
    `journal repair: who refuses a damaged journal of "${name}" names the command to type`,
    async (folder) => {
      const { config, ...folders } = await convicting(folder);
      const file = name === "state" ? "observations-000001.jsonl" : "journal.jsonl";
      const path = `${folders[name]}/${file}`;
      damage(path, 1);
      const before = Deno.readTextFileSync(path);
      const command = name === "state" ? "observations" : "incidents";
      for (
        const args of [["run", "--once"], ["run"], [command, "list"], [command, "check"]]
      ) {
        const refused = await run(...args, "--config", config);
        assertEquals(refused.code, 3);
        assertStringIncludes(text(refused), `${file} line 1 is damaged: `);
        assertStringIncludes(
          text(refused),
          `'hearsay journal repair ${folders[name]} --config ${config}' sets`,
        );
      }
      assertEquals(Deno.readTextFileSync(path), before);
      const dry = await run("journal", "repair", folders[name], "--dry-run");
      assertEquals([dry.code, dry.err], [0, []]);
      assertMatch(
        text(dry),
        /would be set aside: .* from line 1 \(byte 0\) on, \d lines?, \d+ bytes/,
      );
      assertMatch(text(dry), /Nothing was changed/);
      assertEquals(Deno.readTextFileSync(path), before);
      const repaired = await run("journal", "repair", folders[name], "--config", config);
      assertEquals([repaired.code, repaired.err], [0, []]);
      assertMatch(
        text(repaired),
        /was set aside: .*\n(?:.*was written again: .*\n)+.* signed by monitor\.invalid\/one\+/,
      );
      const check = await run(command, "check", "--config", config);
      assertEquals([check.code, check.err], [0, []]);
      assertMatch(
        text(check),
        /entry 1, \S+: repaired by monitor\.invalid\/one\+\S+: \S+ line 1 is damaged/,
      );
      const [aside] = [...Deno.readDirSync(folders[name])].filter((one) =>
        one.name.includes(".damaged-")
      );
      assertEquals(Deno.readTextFileSync(`${folders[name]}/${aside!.name}`), before);
      const again = await run("journal", "repair", "--config", config);
      assertEquals(again.code, 0);
      assertMatch(
        text(again),
        /the incident journal .* is whole.*\nthe observation journal .* is whole/,
      );
      const listed = await run(command, "list", "--config", config);
      assertMatch(text(listed), /^1 {2}\S+ {2}repaired by /);
      const going = await run("run", "--config", config, "--once");
      assertEquals(going.code, 1, `the case is there again: ${text(going)}`);
      assert(!text(going).includes("journal.lost"), "a repair is no loss that nobody knows of");
      Deno.removeSync(`${folders[name]}/${aside!.name}`);
      const missing = await run(command, "check", "--config", config);
      assertEquals(missing.code, 3);
      assertMatch(text(missing), /is gone: it has what a repair set aside/);
    },
  );
}

inFolder(
  "journal repair: whoever looks for an incident at its old number is told where to find it",
  async (folder) => {
    const { config, incidents } = await convicting(folder);
    damage(`${incidents}/journal.jsonl`, 1);
    assertEquals((await run("journal", "repair", incidents, "--config", config)).code, 0);
    const old = await run("incidents", "show", "1", "--config", config);
    assertEquals(old.code, 2);
    assertStringIncludes(text(old), "this entry states a repair, after which cases have new ");
    assertStringIncludes(text(old), `'hearsay incidents list --config ${config}' shows those `);
    assertEquals((await run("incidents", "show", "2", "--config", config)).code, 0);
    const none = await run("incidents", "show", "9", "--config", config);
    assert(!text(none).includes("states a repair"));
    assertStringIncludes(text(none), `'hearsay incidents list --config ${config}' shows those `);
  },
);

inFolder(
  "journal repair: verify judges a repaired journal, and finds a statement that was changed",
  async (folder) => {
    const { config, incidents, log } = await convicting(folder);
    damage(`${incidents}/journal.jsonl`, 1);
    const path = `${incidents}/journal.jsonl`;
    assertEquals((await run("verify", path, "--log", log)).code, 1, "damaged");
    assertEquals((await run("journal", "repair", path, "--config", config)).code, 0);
    const held = await run("verify", path, "--log", log);
    assertEquals(held.code, 0, text(held));
    assertMatch(text(held), /entry 1\n.*repaired by .*\n.*was not judged/);
    assertMatch(text(held), /The evidence holds \(1 record\)/);
    const json = (await run("verify", path, "--json")).out.map((line) => JSON.parse(line).outcome);
    assertEquals(json, ["repaired", "holds", "step", "step"]);
    edit(path, '"again":3', '"again":0');
    const changed = await run("verify", path, "--log", log);
    assertEquals(changed.code, 1, text(changed));
    assertEquals((await run("incidents", "check", "--config", config)).code, 3);
  },
);

inFolder(
  "journal repair: what cannot be repaired says why, and changes nothing",
  async (folder) => {
    const { config, incidents, state } = await convicting(folder);
    put(folder, "file", "nothing");
    Deno.mkdirSync(`${folder}/empty`);
    const wrong: [args: string[], code: number, said: RegExp][] = [
      [[], 2, /expected repair \[?DIR\|FILE/],
      [["mend"], 2, /expected repair; got: "mend"/],
      [["repair", `${folder}/none`, "--config", config], 3, /there is no journal in ".*none"/],
      [["repair", `${folder}/empty`, "--config", config], 3, /there is no journal in ".*empty"/],
      [["repair", `${folder}/file`, "--config", config], 3, /cannot read ".*file"/],
      [["repair", incidents, "--config", `${folder}/none.jsonc`], 2, /there is no file/],
      [["repair", incidents, "--key", `${folder}/none.key`], 2, /there is no file/],
    ];
    for (const [args, code, said] of wrong) {
      const ran = await run("journal", ...args);
      assertEquals(ran.code, code, text(ran));
      assertMatch(text(ran), said);
    }
    const daemon = await startDaemon(config);
    for (const path of [incidents, state]) {
      const locked = await run("journal", "repair", path, "--config", config);
      assertEquals(locked.code, 3);
      assertMatch(text(locked), /is being written by another process; end that process, such as/);
    }
    daemon.running.stop();
    await daemon.running.done;
  },
);

inFolder(
  "lost state: status ends with 3 and says what to do, until the note is removed",
  async (folder) => {
    const { dir, log } = await makeLog(`${folder}/log`, 5);
    const listen = ["--listen", "127.0.0.1:0"];
    const config = await makeMonitor(`${folder}/one`, { log, source: dir }, ...listen);
    const once = await run("run", "--config", config, "--once");
    assertEquals(once.code, 0);
    assert(!text(once).includes("lost"), "a first start is quiet");
    Deno.removeSync(`${folder}/one/state/observations-000001.jsonl`);
    const { running, http } = await startDaemon(config);
    await running.line(/ error journal\.lost detail=\S+ the observation journal in "\S+state" .*/);
    const asked = await run("status", http);
    assertEquals(asked.code, 3, text(asked));
    assertMatch(
      text(asked),
      /^! +lost: \S+ the observation journal .*\n +restore it from a backup or accept the loss/im,
    );
    running.stop();
    await running.done;
    Deno.removeSync(`${folder}/one/state/lost.txt`);
    const next = await startDaemon(config);
    await next.running.line(/ log\.unchanged /);
    const well = await run("status", next.http);
    // Nobody has called this one yet, so it may not say that all is well.
    assertEquals([well.code, text(well).includes("lost")], [3, false], text(well));
    assertMatch(text(well), /it has only begun: nothing was compared yet/);
    next.running.stop();
    await next.running.done;
  },
);

inFolder(
  "journal repair: a case that cannot be read any more leaves a lasting word",
  async (folder) => {
    const { config, incidents } = await convicting(folder);
    const path = `${incidents}/journal.jsonl`;
    const [entry] = Deno.readTextFileSync(path).split("\n");
    const id = JSON.parse(entry!).record.evidence_id as string;
    edit(path, /"root":"..../, '"root":"xxxx');
    const lost = `the conflict record of entry 1, evidence_id ${id}`;
    const dry = await run("journal", "repair", incidents, "--config", config, "--dry-run");
    assertStringIncludes(text(dry), `would be LOST: ${lost}`);
    assertEquals([...Deno.readDirSync(incidents)].some(({ name }) => name === "lost.txt"), false);
    const repaired = await run("journal", "repair", incidents, "--config", config);
    assertEquals(repaired.code, 0, text(repaired));
    assertStringIncludes(text(repaired), `is LOST: ${lost}`);
    assertStringIncludes(text(repaired), `${incidents}/lost.txt says so`);
    const note = Deno.readTextFileSync(`${incidents}/lost.txt`);
    assertStringIncludes(note, lost);
    assertMatch(note, /\(now in journal\.damaged-0-[0-9a-f]{16}\)\n$/);
    const { running, http } = await startDaemon(config);
    await running.line(/ error journal\.lost detail=\S+ the incident journal in .*could not save/);
    const asked = await run("status", http);
    // The log stays frozen, although its case cannot be read any more.
    assertEquals(asked.code, 1, text(asked));
    assertStringIncludes(text(asked).replace(/\s+/g, " "), lost);
    running.stop();
    await running.done;
  },
);

inFolder(
  "journal repair: of a line beyond reading it says that its evidence_id cannot be read",
  async (folder) => {
    const { config, incidents, state } = await convicting(folder);
    Deno.writeTextFileSync(`${incidents}/journal.jsonl`, "\0\0\0\0\n");
    const repaired = await run("journal", "repair", incidents, "--config", config);
    assertStringIncludes(text(repaired), "entry 1, whose evidence_id cannot be read");
    const segment = `${state}/observations-000001.jsonl`;
    edit(segment, /^.*\n/, "no observation\n");
    const other = await run("journal", "repair", state, "--config", config);
    assertStringIncludes(text(other), "is LOST: the observation in line 1");
    assertMatch(Deno.readTextFileSync(`${state}/lost.txt`), /the observation in line 1 \(now in /);
  },
);

inFolder(
  "lost state: list and check of a journal that is not complete say so, and end with 3",
  async (folder) => {
    const { config, incidents, state } = await convicting(folder);
    Deno.writeTextFileSync(`${incidents}/journal.jsonl`, "");
    assertEquals((await run("run", "--config", config, "--once")).code, 3);
    assertStringIncludes(Deno.readTextFileSync(`${state}/lost.txt`), "the incident journal in ");
    for (const args of [["list"], ["check"], ["list", "--json"], ["check", "--json"]]) {
      const ran = await run("incidents", ...args, "--config", config);
      assertEquals(ran.code, 3, text(ran));
      assertMatch(
        ran.err.join("\n"),
        /this journal is not complete: \S+ the incident journal in \S+ lacks entries: it had entry 3/,
      );
    }
    for (const what of ["list", "check"]) {
      const ran = await run("observations", what, "--config", config);
      assertEquals([ran.code, ran.err], [0, []], "of the observations nothing is lost");
    }
    Deno.renameSync(`${state}/lost.txt`, `${incidents}/lost.txt`);
    assertEquals((await run("incidents", "check", "--incidents", incidents)).code, 3);
    const note = Deno.readTextFileSync(`${incidents}/lost.txt`);
    const other = note.replace("the incident journal", "the observation journal");
    Deno.writeTextFileSync(`${incidents}/lost.txt`, other);
    assertEquals((await run("incidents", "check", "--incidents", incidents)).code, 0);
    for (const what of ["list", "check"]) {
      const ran = await run("observations", what, "--config", config);
      assertEquals(ran.code, 3, text(ran));
      assertStringIncludes(ran.err.join("\n"), "this journal is not complete: ");
    }
    Deno.removeSync(`${incidents}/lost.txt`);
    assertEquals((await run("incidents", "check", "--config", config)).code, 0);
  },
);
