/** Cosignatures, as an operator configures them and reads of them. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { describeStatus } from "../../src/cli/status_report.ts";
import type { Status } from "../../src/monitor/status.ts";
import { troublesOf } from "../../src/monitor/troubles.ts";
import { parseNote } from "../../src/tlog/note.ts";
import { type MadeWitness, witness, witnesses } from "../authority/policies.ts";
import { inFolder, put, run } from "./harness.ts";
import { edit, fork, grow, makeLog, makeMonitor, startDaemon } from "./monitors.ts";

const made = witnesses(3) as [MadeWitness, MadeWitness, MadeWitness];
const [A, B, C] = made;

/** Has the checkpoint that a folder serves cosigned, now. */
function cosign(dir: string, ...by: readonly MadeWitness[]): void {
  const note = Deno.readTextFileSync(`${dir}/checkpoint`);
  const { text, lines } = parseNote(note);
  const now = BigInt(Math.floor(Date.now() / 1_000));
  const more = by.map((one) => one.line(text, now));
  Deno.writeTextFileSync(`${dir}/checkpoint`, `${text}\n${[lines[0], ...more].join("\n")}\n`);
}

function policyFile(folder: string, name: string, ...lines: readonly string[]): string {
  return put(folder, name, lines.map((line) => `${line}\n`).join(""));
}

/** A log of 5 entries that W1 and W2 have cosigned, and a monitor with a policy of two of three. */
async function stage(folder: string) {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  cosign(dir, A, B);
  const config = await makeMonitor(`${folder}/berlin`, { log, source: dir });
  const defined = made.map(({ defined }) => defined);
  policyFile(
    `${folder}/berlin`,
    "policy.txt",
    ...[`log ${log}`, ...defined, "group two 2 W1 W2 W3", "quorum two"],
  );
  edit(config, '"logs"', '"policy": "policy.txt",\n  "logs"');
  return { dir, log, config };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!await holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function statusOf(http: string): Promise<Status> {
  return JSON.parse((await run("status", http, "--json")).out.join("\n"));
}

inFolder(
  "run, status: what is committed stands beside the latest, and each witness below",
  async (folder) => {
    const { dir, config } = await stage(folder);
    const { running, http } = await startDaemon(config);
    await running.line(/ log\.first .*size=5/);
    const { out } = await run("status", http);
    const table = out.join("\n");
    assertMatch(table, /LOG +SIZE +COMMITTED +GREW/);
    assertMatch(table, /test\.invalid\/log +5 +5 /);
    assertMatch(table, /WITNESS +LOG +SIZE +COSIGNED +STATE/);
    assertMatch(table, /W1 +test\.invalid\/log +5 +\d+s ago +cosigning/);
    assertMatch(table, /W3 +test\.invalid\/log +- +- +none yet/);
    await grow(dir, 1);
    await until(async () => (await statusOf(http)).logs[0]!.size === "6");
    const { cosigned } = (await statusOf(http)).logs[0]!;
    assertEquals(cosigned!.committed!.size, "5", "nobody has cosigned the latest");
    running.stop();
    assertEquals((await running.done).code, 0);
  },
);

inFolder(
  "run: SIGHUP takes up a changed policy, and refuses one that cannot be read",
  async (folder) => {
    const { log, config } = await stage(folder);
    const { running, http } = await startDaemon(config);
    await running.line(/ log\.first .*size=5/);
    const policy = `${folder}/berlin/policy.txt`;
    Deno.writeTextFileSync(policy, `log ${log}\n${C.defined}\nquorum W3\n`);
    running.reload();
    await running.line(/ config\.reloaded /);
    const { cosigned } = (await statusOf(http)).logs[0]!;
    assertEquals([cosigned!.committed, cosigned!.witnesses.length], [undefined, 1]);
    Deno.writeTextFileSync(policy, "quorum nobody\n");
    running.reload();
    const refused = await running.line(/ config\.refused /);
    assertMatch(refused, /policy\.txt.*line 1: "nobody" is not defined/);
    assertEquals((await statusOf(http)).logs[0]!.cosigned!.witnesses.length, 1, "as before");
    running.stop();
    await running.done;
  },
);

inFolder(
  "config check: reads the policies, and says for which logs they are and what they tolerate",
  async (folder) => {
    const { log, config } = await stage(folder);
    const good = await run("config", "check", config, "--offline");
    const said = good.out.filter((line) => line.includes("policy")).join("\n");
    assertStringIncludes(said, "policy.txt can be read: witnesses: 3, logs here that it is for: 1");
    assertStringIncludes(said, "nothing is committed if 2 fail");
    const policy = `${folder}/berlin/policy.txt`;
    const faults = async (...lines: readonly string[]): Promise<string> => {
      Deno.writeTextFileSync(policy, lines.map((line) => `${line}\n`).join(""));
      const { code, out } = await run("config", "check", config, "--offline");
      assertEquals(code, 2);
      return out.filter((line) => line.startsWith("! ") && line.includes("policy")).join("\n");
    };
    const other = "markovianprotocol.com/log+0302c6c8+ATkpOWo95UuEiW2EhNZAol4f0CS8hMluJfPcTSzrr03v";
    const ofOther = [`log ${other}`, A.defined, "quorum W1"];
    assertStringIncludes(await faults(...ofOther), "is for none of the logs here");
    assertStringIncludes(await faults("quorum W1"), 'line 1: "W1" is not defined');
    const weak = [`log ${log}`, A.defined, B.defined, "group any any W1 W2", "quorum any"];
    assertStringIncludes(await faults(...weak), "though nobody lies");
    edit(config, '"policy": "policy.txt",\n', "");
    edit(config, '"source"', '"policy": "policy.txt", "source"');
    assertStringIncludes(await faults(...ofOther), "does not list the log test.invalid/log");
    const run2 = await run("run", "--config", config, "--once");
    assertEquals([run2.code, run2.err.length > 0], [2, true]);
  },
);

for (const mldsa of [false, true]) {
  const type = mldsa ? "0x06" : "0x04";
  inFolder(
    `incidents show, verify: a case about a witness of type ${type} is told as what it is`,
    async (folder) => {
      const liar = witness("liar", { mldsa });
      const { dir, log } = await makeLog(`${folder}/log`, 4);
      await fork(dir, `${folder}/fork`);
      await run("log", "append", dir, "ours");
      await run("log", "append", `${folder}/fork`, "theirs");
      const config = await makeMonitor(`${folder}/berlin`, { log, source: `${folder}/served` });
      policyFile(`${folder}/berlin`, "policy.txt", liar.defined, "quorum liar");
      edit(config, '"logs"', '"policy": "policy.txt",\n  "logs"');
      for (const story of [dir, `${folder}/fork`]) {
        cosign(story, liar);
        await Deno.remove(`${folder}/served`).catch(() => {});
        await Deno.symlink(story, `${folder}/served`);
        await run("run", "--config", config, "--once");
      }
      const at = ["--incidents", `${folder}/berlin/incidents`] as const;
      const list = (await run("incidents", "list", ...at)).out.join("\n");
      assertMatch(list, /witness/);
      // Besides the cases there are the steps of the incident.
      const lines = (await run("incidents", "list", "--json", ...at)).out
        .map((line) => JSON.parse(line)).filter(({ record }) => record.kind !== undefined);
      const kinds = lines.map(({ record }) => record.kind).sort();
      assertEquals(kinds, ["same_size", "same_size_cosigned"]);
      const { seq, record } = lines.find(({ record }) => record.kind === "same_size_cosigned");
      const shown = (await run("incidents", "show", `${seq}`, ...at)).out.join("\n").replace(
        /\s+/g,
        " ",
      );
      assertStringIncludes(
        shown,
        "a witness has cosigned two checkpoints that contradict each other",
      );
      assertStringIncludes(shown, "both signatures of the witness");
      assertStringIncludes(shown, "That the log has signed both.");
      const file = put(folder, "record.json", JSON.stringify(record));
      const holds = await run("verify", file, "--witness", liar.vkey);
      assertEquals(holds.code, 0, holds.out.join("\n"));
      const said = holds.out.join(" ").replace(/\s+/g, " ");
      assertStringIncludes(said, "This is about a witness, and not about a log");
      assert(!said.includes("came from the file itself"));
      const another = witness("liar", { mldsa }).vkey;
      assertEquals((await run("verify", file, "--witness", another)).code, 1);
      assertEquals((await run("verify", file, "--log", log)).code, 1, "it is not about the log");
      assertEquals((await run("verify", file, "--log", log, "--witness", liar.vkey)).code, 2);
      assertEquals((await run("verify", file, "--witness", log)).code, 2, "a log's key is none");
      const exported = `${folder}/evidence.txt`;
      await run("incidents", "export", `${seq}`, ...at, "--out", exported);
      assertEquals((await run("verify", exported, "--witness", liar.vkey)).code, 0);
      const ofLog = lines.find(({ record }) => record.kind === "same_size").record;
      const logFile = put(folder, "log.json", JSON.stringify(ofLog));
      assertEquals((await run("verify", logFile, "--witness", liar.vkey)).code, 1);
    },
  );
}

Deno.test("status report: a witness in trouble is marked and comes first, and nobody is accused", () => {
  const of = (name: string, keeping: "cosigning" | "lagging" | "missing") => ({
    ...{ name, keeping, vkey: `${name}+00000000+BA`, size: "7", root: "r" },
    cosignedAt: "2026-01-02T03:04:05Z",
    behindSince: "2026-01-02T03:04:05Z",
  });
  const status: Status = {
    ...{ name: "m", vkey: "m+00000000+AQ", incidents: 0, unwritten: false, peers: [] },
    ...{ startedAt: "2026-01-01T00:00:00Z", now: "2026-01-03T03:04:05Z", listen: "h:1" },
    logs: [{
      ...{ origin: "log.invalid", vkey: "log.invalid+00000000+AQ", incidents: 0, openQuestions: 0 },
      ...{ size: "9", root: "r", counts: {}, lastResult: "unchanged" },
      cosigned: { witnesses: [of("W1", "cosigning"), of("W2", "lagging"), of("W3", "missing")] },
    }],
  };
  assertEquals(troublesOf(status).map(({ text }) => text), [
    "witness W2 lags behind the other witnesses, at size 7, for log log.invalid",
    "witness W3 is missing: no cosignature of it was seen after size 7 for log log.invalid",
  ]);
  const screen = { columns: undefined, paint: (_: string, text: string) => text };
  const lines = describeStatus(status, { screen });
  assertStringIncludes(lines.join("\n"), "For 24h now. It may be down");
  assertStringIncludes(lines.join("\n"), "could be cosigning another version of the log");
  assertMatch(lines.join("\n"), /log\.invalid +9 +none /);
  const rows = lines.filter((line) => /^!? +W\d/.test(line)).map((line) => line.split(/\s+/)[1]);
  assertEquals(rows, ["W2", "W3", "W1"]);
});
