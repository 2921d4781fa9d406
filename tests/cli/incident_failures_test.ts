/** Incidents in which nothing is proven: what did not hold is in the bundle, and its report says so. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inFolder, put, run } from "./harness.ts";
import { fork, grow, makeLog, makeMonitor, startDaemon } from "./monitors.ts";
import { blocksOf, followed, hasOpenssl, INC, PERSON } from "./reports.ts";

inFolder(
  "incidents bundle: a proof that did not hold is in it, and its report has it checked",
  async (folder) => {
    const { dir, log } = await makeLog(`${folder}/log`, 5);
    const config = await makeMonitor(`${folder}/one`, { log, source: dir });
    await fork(dir, `${folder}/other`);
    assertEquals((await run("run", "--config", config, "--once")).code, 0);
    // The checkpoint of one history, over the tiles of another.
    await grow(dir, 3);
    await grow(`${folder}/other`, 3);
    Deno.copyFileSync(`${folder}/other/checkpoint`, `${dir}/checkpoint`);
    const daemon = await startDaemon(config);
    await daemon.running.line(/ incident\.\w+ .*INC-/);
    daemon.running.stop();
    await daemon.running.done;
    const bundle = `${folder}/bundle`;
    const args = [INC, "--out", bundle, "--config", config] as const;
    assertEquals((await run("incidents", "bundle", ...args)).code, 0);
    const report = Deno.readTextFileSync(`${bundle}/report.md`);
    assertStringIncludes(report, "What is proven: nothing against the log.");
    const seen = await followed(report, { folder: bundle });
    const verified = seen.filter((line) => line === "Signature Verified Successfully").length;
    assertEquals(verified, hasOpenssl(seen) ? 2 : 0);
    assert(seen.some((line) => line.startsWith("NOTHING IS SHOWN: the proof does not lead")));
    assert(!seen.some((line) => line.startsWith("CONTRADICTION")));
    expectNamed(report, { seen, file: "answers/failed-proof.json" });
    const { missing } = JSON.parse(Deno.readTextFileSync(`${bundle}/manifest.json`));
    assertEquals(missing, []);
    // A file that was altered is not handed on as what was kept.
    const [kept] = [...Deno.readDirSync(`${folder}/one/state/failed`)].map(({ name }) => name);
    Deno.writeTextFileSync(`${folder}/one/state/failed/${kept}`, "{}\n");
    const again = [INC, "--out", `${folder}/again`, "--config", config] as const;
    const without = await run("incidents", "bundle", ...again);
    assertMatch(without.out.join("\n"), /not in it: what did not hold: .* is not what was kept/);
  },
);

/** An alert about a note that the log's key has not signed. */
function alertOf(note: string, vkey: string): string {
  const [origin] = note.split("\n");
  const log = { origin, vkey };
  return JSON.stringify({
    // The name of a key has no plus, and its key may have some.
    case: `trouble ${vkey.split("+").slice(2).join("+")} ${origin} unverified`,
    evidence: { kind: "unverified", log, notes: [note], detail: "x" },
  });
}

/** Asserts that the signed step names what did not hold, as the report says. */
function expectNamed(
  report: string,
  { seen, file }: { seen: readonly string[]; file: string },
): void {
  const [, hash] = /SHA-256 of it: ([0-9a-f]{64})\)/.exec(report)!;
  assertEquals(seen.filter((line) => line === `${hash}  ${file}`).length, 1);
  assert(blocksOf(report).some(({ content }) => content === `${hash}  ${file}`));
}

/** The note of a log whose end is another one. */
function forged(note: string): string {
  const at = note.length - 8;
  return note.slice(0, at) + (note[at] === "A" ? "B" : "A") + note.slice(at + 1);
}

inFolder(
  "incidents run: the note of an alert about a signature failure is in the bundle",
  async (folder) => {
    const { dir, log } = await makeLog(`${folder}/log`, 5);
    const config = await makeMonitor(`${folder}/one`, { log, source: dir });
    assertEquals((await run("run", "--config", config, "--once")).code, 0);
    const signed = Deno.readTextFileSync(`${dir}/checkpoint`);
    const alert = put(folder, "alert.json", alertOf(forged(signed), log));
    const opened = await run(
      ...["incidents", "run", alert, "--config", config, ...PERSON],
    );
    assertEquals(opened.code, 0, opened.err.join("\n"));
    const bundle = `${folder}/bundle`;
    const args = [INC, "--out", bundle, "--config", config] as const;
    assertEquals((await run("incidents", "bundle", ...args)).code, 0);
    assertEquals(Deno.readTextFileSync(`${bundle}/answers/failed.note`), forged(signed));
    const report = Deno.readTextFileSync(`${bundle}/report.md`);
    const seen = await followed(report, { folder: bundle });
    const isRefused = seen.includes("Signature Verification Failure");
    assertEquals(isRefused, hasOpenssl(seen), seen.join("\n"));
    assert(!seen.includes("Signature Verified Successfully"));
    expectNamed(report, { seen, file: "answers/failed.note" });
  },
);

inFolder(
  "incidents run: a note that another key has signed is told by the ids of its signatures",
  async (folder) => {
    const { dir, log } = await makeLog(`${folder}/log`, 5);
    const other = await makeLog(`${folder}/other`, 5);
    const config = await makeMonitor(`${folder}/one`, { log, source: dir });
    assertEquals((await run("run", "--config", config, "--once")).code, 0);
    const note = Deno.readTextFileSync(`${other.dir}/checkpoint`);
    const alert = put(folder, "alert.json", alertOf(note, log));
    const opened = await run("incidents", "run", alert, "--config", config, ...PERSON);
    assertEquals(opened.code, 0, opened.err.join("\n"));
    const bundle = `${folder}/bundle`;
    const args = [INC, "--out", bundle, "--config", config] as const;
    assertEquals((await run("incidents", "bundle", ...args)).code, 0);
    const report = Deno.readTextFileSync(`${bundle}/report.md`);
    const [known, theirs] = [log, other.log].map((vkey) => vkey.split("+")[1]!);
    assertStringIncludes(report, `has the id of the log's key, ${known}`);
    const seen = await followed(report, { folder: bundle });
    assert(seen.includes(theirs!), seen.join("\n"));
    assert(!seen.includes(known!));
  },
);
