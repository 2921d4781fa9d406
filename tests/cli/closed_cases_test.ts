/** Cases whose incidents people have closed ask for nothing any more. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { convicting } from "./convicting.ts";
import { inFolder, type Ran, run } from "./harness.ts";
import { startDaemon } from "./monitors.ts";
import { INC, PERSON } from "./reports.ts";

function text({ out, err }: Ran): string {
  return [...out, ...err].join("\n");
}

inFolder("status, run --once: a case is told until its incident is closed", async (folder) => {
  const { config } = await convicting(folder);
  const step = async (...args: readonly string[]): Promise<void> => {
    const done = await run("incidents", ...args, INC, ...PERSON, "--config", config);
    assertEquals(done.code, 0, text(done));
  };
  const once = async (): Promise<number> => (await run("run", "--config", config, "--once")).code;
  const open = "hearsay_incidents_open";
  const told = async (): Promise<{ status: Ran; metrics: string }> => {
    const daemon = await startDaemon(config);
    try {
      await daemon.running.line(/ log\.\w+ /);
      const metrics = await (await fetch(`http://${daemon.http}/metrics`)).text();
      return { status: await run("status", daemon.http), metrics };
    } finally {
      daemon.running.stop();
      await daemon.running.done;
    }
  };
  await step("advance", "--offline", "--out", `${folder}/bundle`);
  await step("resolve");
  // The log is accepted again, and somebody still has something to do.
  const before = await told();
  assertEquals(before.status.code, 1, text(before.status));
  assertStringIncludes(text(before.status), "1 PROVEN CASE");
  assertMatch(before.metrics, new RegExp(`^${open} 1$`, "m"));
  assertEquals(await once(), 1);
  await step("advance");
  const after = await told();
  assertStringIncludes(
    text(after.status),
    "1 proven case, closed by Ada Lovelace. To see it: hearsay incidents list",
  );
  assertEquals(/^!!/m.test(text(after.status)), false, text(after.status));
  assertEquals(text(after.status).includes("PROVEN CASE"), false);
  // Nothing is proven now: it compares with nobody, which is no more than advice.
  assertEquals(after.status.code === 1, false, text(after.status));
  assertMatch(after.metrics, new RegExp(`^${open} 0$`, "m"));
  assertMatch(after.metrics, /^hearsay_incidents 1$/m);
  assertEquals(await once(), 0);
});
