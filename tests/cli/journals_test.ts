/** Which journal a command reads, and what it says where there is none. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inFolder, put, run } from "./harness.ts";
import { makeLog, makeMonitor } from "./monitors.ts";

const READS = [
  ["incidents", "list", "--incidents"],
  ["incidents", "check", "--incidents"],
  ["observations", "list", "--state"],
  ["observations", "check", "--state"],
] as const;

for (const [command, what, option] of READS) {
  inFolder(
    `${command} ${what}: a folder that is not there, or without a journal, ends with 3`,
    async (folder) => {
      put(folder, "something else", "");
      const cases = [[`${folder}/none`, "is not there"], [folder, "has no journal in it"]] as const;
      for (const [path, wrong] of cases) {
        for (const flags of [[], ["--json"]]) {
          const { code, out, err } = await run(command, what, option, path, ...flags);
          assertEquals([code, out], [3, []], path);
          assertStringIncludes(err.join(), wrong);
        }
      }
    },
  );

  inFolder(
    `${command} ${what}: a file where the folder should be is named, and ends with 3`,
    async (folder) => {
      const path = put(folder, "file", "no folder");
      const { code, out, err } = await run(command, what, option, path);
      assertEquals([code, out], [3, []]);
      assertStringIncludes(err.join(), `cannot read "${path}": `);
    },
  );

  inFolder(
    `${command} ${what}: a journal without entries is there, and ends with 0`,
    async (folder) => {
      const { log, dir } = await makeLog(`${folder}/log`, 5);
      const config = await makeMonitor(`${folder}/one`, { log, source: dir });
      await run("run", "--config", config, "--once");
      const named = await run(command, what, option, `${folder}/one/${option.slice(2)}`);
      assertEquals([named.code, named.err], [0, []]);
      const found = await run(command, what, "--config", config);
      assertEquals(found, named, "the configuration says where it is");
    },
  );
}

inFolder("incidents: a configuration that is named must be there", async (folder) => {
  const { code, err } = await run("incidents", "list", "--config", `${folder}/none.jsonc`);
  assertEquals(code, 2);
  assertMatch(err.join(), /there is no file/);
});
