/** Incidents in which nothing is proven: what did not hold is in the bundle, and its report says so. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inFolder, put, run } from "./harness.ts";
import { fork, grow, makeLog, makeMonitor, startDaemon } from "./monitors.ts";
import { followed, hasOpenssl, INC, PERSON } from "./reports.ts";

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
    assert(!seen.includes("CONTRADICTION"));
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
    const [origin] = signed.split("\n");
    const alert = (note: string): string =>
      put(
        folder,
        "alert.json",
        JSON.stringify({
          case: `trouble ${
            log.slice(log.lastIndexOf("+", log.indexOf("+") + 9) + 1)
          } ${origin} unverified`,
          evidence: { kind: "unverified", log: { origin, vkey: log }, notes: [note], detail: "x" },
        }),
      );
    const opened = await run(
      ...["incidents", "run", alert(forged(signed)), "--config", config, ...PERSON],
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
  },
);
