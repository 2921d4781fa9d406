/** `incidents run`, `advance`, `resolve`, `bundle` and `report`, as an operator types them. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { convicting } from "./convicting.ts";
import { edit, fork, grow, makeLog, makeMonitor, startDaemon } from "./monitors.ts";
import { inFolder, put, type Ran, run } from "./harness.ts";
import { blocksOf, followed, hasOpenssl, INC, PERSON } from "./reports.ts";

function text({ out, err }: Ran): string {
  return [...out, ...err].join("\n");
}

function incidents(config: string, ...args: string[]): Promise<Ran> {
  return run("incidents", ...args, "--config", config);
}

/**
 * Follows a report, and compares what comes with what it says must come.
 * @param sums how many files of the bundle are listed and there; 0 for a few files without the list
 */
async function expectFollowed(
  report: string,
  { folder, sums }: { folder: string; sums: number },
): Promise<void> {
  const wanted = blocksOf(report).filter(({ kind }) => kind === "text")
    .flatMap(({ content }) => content.split("\n"));
  const seen = await followed(report, { folder });
  assertEquals(seen.filter((line) => line.endsWith(": OK")).length, sums, seen.join("\n"));
  // Where there is no openssl, nobody sees what it says. Everything else must be as the report says.
  const isHere = hasOpenssl(seen);
  const counts = (line: string): boolean =>
    line !== "" && !/: OK$|^sha256sum: /.test(line) &&
    (isHere || !/openssl|^Signature|^\d+$/.test(line)) &&
    (sums > 0 || !line.endsWith("manifest.json"));
  assertEquals(seen.filter(counts), wanted.filter(counts));
}

inFolder("incidents: from the case to the end, without a daemon", async (folder) => {
  const { config, log, dir } = await convicting(folder);
  const note = `${dir}/checkpoint`;
  const policy = put(folder, "policy", `log ${log}\nquorum none\n`);
  const frozen = await run("check", note, "--policy", policy, "--config", config);
  assertEquals(frozen.code, 1, text(frozen));
  assertMatch(text(frozen), new RegExp(`frozen since .*\\(${INC}\\)`));
  assertStringIncludes(text(frozen), "FROZEN, and so NOT committed");
  assert(!text(frozen).includes("no monitor was asked"), text(frozen));
  // Elsewhere nothing is known of the monitor, and that is said.
  const unasked = await run("check", note, "--policy", policy);
  assertEquals(unasked.code, 0);
  assertStringIncludes(text(unasked), "no monitor was asked whether it has frozen the log");
  // No step is skipped.
  for (
    const [args, why] of [
      [["resolve", INC, ...PERSON], "is in the state FREEZE, from which only INVESTIGATE follows"],
      [["advance", INC], "expected --by NAME and --why TEXT"],
      [
        ["advance", INC, "--by", "hearsay", "--why", "x", "--out", `${folder}/b0`, "--offline"],
        "expected the name of a person",
      ],
      [["advance", INC, "--by", "Ada", "--why", " "], "--why"],
      [["resolve", "INC-1999-001", ...PERSON], "there is no incident INC-1999-001"],
      [["resolve", "INC-1", ...PERSON], "names no incident"],
    ] as const
  ) {
    const refused = await incidents(config, ...args);
    assertEquals(refused.code, 2, text(refused));
    assertStringIncludes(text(refused), why);
  }
  const bundle = `${folder}/bundle`;
  const advanced = await incidents(config, "advance", INC, ...PERSON, "--out", bundle, "--offline");
  assertEquals(advanced.code, 0, text(advanced));
  assertStringIncludes(text(advanced), "is in the state INVESTIGATE");
  assertEquals((await run("check", note, "--policy", policy, "--config", config)).code, 1);
  const twice = await incidents(config, "advance", INC, ...PERSON);
  assertEquals(twice.code, 2);
  assertStringIncludes(text(twice), "from which only RESOLVE follows");
  const resolved = await incidents(config, "resolve", INC, ...PERSON);
  assertEquals(resolved.code, 0, text(resolved));
  const thawed = await run("check", note, "--policy", policy, "--config", config);
  assertEquals(thawed.code, 0, text(thawed));
  const again = await incidents(config, "resolve", INC, ...PERSON);
  assertEquals(again.code, 2);
  assertMatch(text(again), /is in the state RESOLVE already, since .*, by Ada Lovelace/);
  assertEquals((await incidents(config, "advance", INC, ...PERSON)).code, 0);
  const after = await incidents(config, "advance", INC, ...PERSON);
  assertEquals(after.code, 2);
  assertStringIncludes(text(after), "is CLOSED, which is the end");
  // All of it is in the journal, and the journal is whole.
  const listed = await incidents(config, "list");
  assertEquals(listed.code, 0, text(listed));
  assertEquals(listed.out.filter((line) => line.includes(INC)).length, 5);
  assertStringIncludes(text(listed), "INVESTIGATE → RESOLVE, by Ada Lovelace: the operator has");
  const checked = await incidents(config, "check");
  assertEquals(checked.code, 0, text(checked));
  assertStringIncludes(text(checked), `${INC} about test.invalid/log is in the state CLOSED`);
  assertEquals((await incidents(config, "show", "1")).code, 0);
  assertStringIncludes(text(await incidents(config, "show", "2")), "this entry states a step");
  const verified = await run("verify", `${folder}/one/incidents/journal.jsonl`, "--log", log);
  assertEquals(verified.code, 0, text(verified));
  assertEquals((await run("config", "check", config, "--offline")).code, 0);
});

inFolder(
  "incidents: a case whose incident nobody opened yet freezes its log for 'check' all the same",
  async (folder) => {
    const { dir, log } = await makeLog(`${folder}/log`, 5);
    const config = await makeMonitor(`${folder}/one`, { log, source: dir });
    await fork(dir, `${folder}/other`);
    await grow(dir, 1);
    await grow(`${folder}/other`, 1);
    assertEquals((await run("run", "--config", config, "--once")).code, 0);
    const notes = [`${dir}/checkpoint`, `${folder}/other/checkpoint`];
    const policy = put(folder, "policy", `log ${log}\nquorum none\n`);
    const check = ["check", notes[0]!, "--policy", policy, "--config", config];
    assertEquals((await run(...check)).code, 0);
    // As after a crash between the case and the first step of its incident.
    const [, key] = /"key": "([^"]*)"/.exec(Deno.readTextFileSync(config))!;
    const mine = ["--key", `${folder}/one/${key}`, "--incidents", `${folder}/one/incidents`];
    assertEquals((await run("detect", "--log", log, ...mine, ...notes)).code, 1);
    const frozen = await run(...check);
    assertEquals(frozen.code, 1, text(frozen));
    assertStringIncludes(text(frozen), "a case is recorded, and the monitor has not opened");
    await run("run", "--config", config, "--once");
    assertStringIncludes(text(await run(...check)), INC);
  },
);

inFolder(
  "incidents: a monitor with a new key goes on with what it began under the old one, to the end",
  async (folder) => {
    const { config } = await convicting(folder);
    const key = `${folder}/new.key`;
    assertEquals((await run("keygen", "monitor.invalid/one", "--out", key)).code, 0);
    edit(config, /"key": "[^"]*"/, `"key": ${JSON.stringify(key)}`);
    const once = await run("run", "--config", config, "--once", "--json");
    assertStringIncludes(text(once), "key.changed");
    const bundle = ["--out", `${folder}/bundle`, "--offline"];
    for (const args of [["advance", INC, ...bundle], ["resolve", INC], ["advance", INC]]) {
      const done = await incidents(config, ...args, ...PERSON);
      assertEquals(done.code, 0, text(done));
    }
    const report = await incidents(config, "report", INC);
    assertStringIncludes(text(report), "is in the state CLOSED");
    assertEquals((await incidents(config, "check")).code, 0);
  },
);

inFolder(
  "incidents: the bundle of another monitor's incident of the same name is not taken",
  async (folder) => {
    const [{ config }, other] = [
      await convicting(`${folder}/a`),
      await convicting(`${folder}/b`),
    ];
    const bundle = ["--out", `${folder}/bundle`, "--offline"];
    assertEquals((await incidents(other.config, "bundle", INC, ...bundle)).code, 0);
    const refused = await incidents(config, "advance", INC, ...PERSON, ...bundle);
    assertEquals(refused.code, 2, text(refused));
    assertStringIncludes(text(refused), "and not of this incident");
    assertEquals(
      (await incidents(config, "advance", INC, ...PERSON, "--offline", "--out", `${folder}/own`))
        .code,
      0,
    );
  },
);

inFolder(
  "incidents: a daemon that runs makes the steps, and two people cannot make one twice",
  async (folder) => {
    const { config } = await convicting(folder);
    const daemon = await startDaemon(config);
    try {
      const bundle = ["--out", `${folder}/bundle`, "--offline"];
      const status = await run("status", daemon.http);
      assertEquals(status.code, 1);
      assertMatch(text(status), new RegExp(`FROZEN since .*${INC}`));
      assertEquals((await incidents(config, "advance", INC, ...PERSON, ...bundle)).code, 0);
      const both = await Promise.all([
        incidents(config, "resolve", INC, "--by", "Ada", "--why", "one"),
        incidents(config, "resolve", INC, "--by", "Ben", "--why", "two"),
      ]);
      assertEquals(both.map(({ code }) => code).sort(), [0, 2]);
      assertMatch(both.map(text).join("\n"), /refused: .* is in the state RESOLVE/);
      assert(!text(await run("status", daemon.http)).includes("FROZEN"));
    } finally {
      daemon.running.stop();
      await daemon.running.done;
    }
  },
);

inFolder(
  "incidents: a bundle is verified file by file, and the report's commands do what they say",
  async (folder) => {
    const { config, log } = await convicting(folder);
    const bundle = `${folder}/bundle`;
    const made = await incidents(config, "bundle", INC, "--out", bundle);
    assertEquals(made.code, 0, text(made));
    const { files } = JSON.parse(Deno.readTextFileSync(`${bundle}/manifest.json`));
    const names = (files as { name: string }[]).map(({ name }) => name);
    for (
      const wanted of [
        /^records\/\w+\.json$/,
        /^answers\/\w+-a\.note$/,
        /^answers\/latest\.note$/,
        /^steps\/02\.json$/,
        /^observations\.jsonl$/,
        /^gossip\.jsonl$/,
        /^report\.html$/,
      ]
    ) {
      assert(names.some((name) => wanted.test(name)), `${wanted} is not among ${names}`);
    }
    // Without this program.
    // The report in it cannot have the manifest's SHA-256. One that is made later has.
    assertStringIncludes(
      Deno.readTextFileSync(`${bundle}/report.md`),
      "nothing to compare it with yet",
    );
    const advanced = await incidents(config, "advance", INC, ...PERSON, "--out", bundle);
    assertEquals(advanced.code, 0, text(advanced));
    const report = (await incidents(config, "report", INC)).out.join("\n");
    await expectFollowed(report, { folder: bundle, sums: names.length });
    // The record and the two notes are enough, for whoever got no more.
    const few = `${folder}/few`;
    for (
      const name of names.filter((name) =>
        /^(?:records\/.*json|answers\/\w+-[ab]\.note)$/.test(name)
      )
    ) {
      Deno.mkdirSync(`${few}/${name.split("/")[0]}`, { recursive: true });
      Deno.copyFileSync(`${bundle}/${name}`, `${few}/${name}`);
    }
    await expectFollowed(report, { folder: few, sums: 0 });
    const [record] = names.filter((name) => /^records\/.*json$/.test(name));
    assertEquals((await run("verify", `${bundle}/${record}`, "--log", log)).code, 0);
    for (const name of names.filter((name) => name.startsWith("steps/"))) {
      const step = await run("verify", `${bundle}/${name}`);
      assertEquals(step.code, 0);
      assertStringIncludes(step.out.at(-1)!, "no log is proven wrong");
    }
    // Each file counts.
    for (const name of names) {
      const path = `${bundle}/${name}`;
      const before = Deno.readFileSync(path);
      const bytes = before.length === 0 ? new Uint8Array([10]) : before.slice();
      bytes[Math.floor(bytes.length / 2)]! ^= 1;
      Deno.writeFileSync(path, bytes);
      const altered = await run("incidents", "bundle", "--check", bundle);
      assertEquals(altered.code, 1, name);
      assertStringIncludes(text(altered), `${name} is not what was gathered`);
      Deno.removeSync(path);
      assertStringIncludes(
        text(await run("incidents", "bundle", "--check", bundle)),
        `${name} is gone`,
      );
      Deno.writeFileSync(path, before);
    }
    assertEquals((await run("incidents", "bundle", "--check", bundle)).code, 0);
    // A file of a kind that nobody knows would be taken for sound.
    const manifest = `${bundle}/manifest.json`;
    const listed = Deno.readTextFileSync(manifest);
    Deno.writeTextFileSync(manifest, listed.replace('"kind":"record"', '"kind":"sealed"'));
    const unknown = await run("incidents", "bundle", "--check", bundle);
    assertEquals(unknown.code, 2, text(unknown));
    assertStringIncludes(text(unknown), "sealed");
    const missing = listed.replace(/"missing":\[[^\]]*\]/, '"missing":["\u009b2J\u202e"]');
    Deno.writeTextFileSync(manifest, missing);
    const told = await run("incidents", "bundle", "--check", bundle, "--json");
    assertEquals(told.code, 0, text(told));
    assertStringIncludes(text(told), '["\\u009b2J\\u202e"]');
    Deno.writeTextFileSync(manifest, listed);
    const html = await incidents(config, "report", INC, "--html");
    assertEquals(html.code, 0);
    assertStringIncludes(text(html), "<svg");
    assertEquals(text(html).includes("<script"), false);
  },
);

inFolder(
  "incidents run: an alert or a record opens an incident by hand, and a claim without a case does not",
  async (folder) => {
    const { config, incidents: journal } = await convicting(folder);
    // As an earlier version left it: the case alone.
    const path = `${journal}/journal.jsonl`;
    const [first] = Deno.readTextFileSync(path).split("\n");
    Deno.writeTextFileSync(path, `${first}\n`);
    Deno.removeSync(`${folder}/one/state/frozen.json`);
    const { record } = JSON.parse(first!);
    const alert = (what: unknown): string => put(folder, "alert.json", JSON.stringify(what));
    for (
      const [what, why] of [
        [
          { version: "hearsay/alert/v1", case: "peer 192.0.2.1:9900" },
          "this alert freezes nothing",
        ],
        [
          { version: "hearsay/alert/v1", case: "trouble nobody unproven" },
          "this alert freezes nothing",
        ],
        [
          { evidence: { record: { ...record, evidence_id: "ab".repeat(32) } } },
          "is no case of a log here",
        ],
        [
          { evidence: { record: { ...record, log: { ...record.log, origin: "x" } } } },
          "is no case of a log here",
        ],
      ] as const
    ) {
      const refused = await incidents(config, "run", alert(what), ...PERSON);
      assertEquals(refused.code, 2, text(refused));
      assertStringIncludes(text(refused), why);
    }
    const wanted = alert({ version: "hearsay/alert/v1", evidence: { record } });
    const opened = await incidents(config, "run", wanted, ...PERSON);
    assertEquals(opened.code, 0, text(opened));
    assertStringIncludes(text(opened), `${INC} is in the state FREEZE`);
    const signed = `--by NAME --why TEXT --config ${config}`;
    assertStringIncludes(text(opened), `hearsay incidents report ${INC} --config ${config}`);
    assertStringIncludes(text(opened), `hearsay incidents advance ${INC} ${signed}`);
    // Once more is the same incident, and nothing is written.
    const before = Deno.readTextFileSync(path);
    const again = await incidents(config, "run", wanted, ...PERSON);
    assertEquals(again.code, 0, text(again));
    assertStringIncludes(text(again), "Nothing was opened, and your name and reason were not");
    assertStringIncludes(text(again), INC);
    assertStringIncludes(
      text(await incidents(config, "run", wanted, ...PERSON, "--json")),
      "false",
    );
    assertEquals(Deno.readTextFileSync(path), before);
    // Once it is closed there is nothing to open, and a daemon says nothing of it.
    await incidents(config, "advance", INC, ...PERSON, "--offline", "--out", `${folder}/bundle`);
    await incidents(config, "resolve", INC, ...PERSON);
    await incidents(config, "advance", INC, ...PERSON);
    const daemon = await startDaemon(config);
    const closed = await incidents(config, "run", wanted, "--by", "Ben", "--why", "once more");
    daemon.running.stop();
    await daemon.running.done;
    assertEquals(closed.code, 2, text(closed));
    assertMatch(text(closed), /has its case, and is in the state CLOSED since .*, by Ada Lovelace/);
    assertEquals(daemon.running.out.filter((line) => line.includes("incident.step")), []);
    assertStringIncludes(text(await incidents(config, "list")), "by Ada Lovelace: the operator");
  },
);
