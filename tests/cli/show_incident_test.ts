/** `incidents show` and `export` of an incident by its name. */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { convicting } from "./convicting.ts";
import { inFolder, type Ran, run } from "./harness.ts";
import { grow } from "./monitors.ts";
import { INC, PERSON } from "./reports.ts";

function text({ out, err }: Ran): string {
  return [...out, ...err].join("\n");
}

inFolder("incidents show, export: an incident is found by its name", async (folder) => {
  const { config, log } = await convicting(folder);
  const incidents = (...args: readonly string[]): Promise<Ran> =>
    run("incidents", ...args, "--config", config);
  await incidents("advance", INC, ...PERSON, "--offline", "--out", `${folder}/bundle`);
  const shown = await incidents("show", INC);
  assertEquals(shown.code, 0, text(shown));
  assertStringIncludes(text(shown), log);
  assertMatch(text(shown), /INVESTIGATE since .*, by Ada Lovelace: the operator has explained it/);
  assertStringIncludes(text(shown), `hearsay incidents show 1 --config ${config}`);
  assertStringIncludes(text(shown), `hearsay incidents report ${INC} --config ${config}`);
  const json = JSON.parse((await incidents("show", INC, "--json")).out[0]!);
  assertEquals([json.incident, json.state, json.cases], [INC, "INVESTIGATE", [1]]);
  assertEquals(json.steps.length, 3);
  // Its only case.
  const exported = await incidents("export", INC);
  assertEquals(exported.code, 0, text(exported));
  assertEquals(exported.out, (await incidents("export", "1")).out);
  const missing = await incidents("show", "INC-1999-001");
  assertEquals(missing.code, 2);
  assertStringIncludes(text(missing), `the last are ${INC}`);
  const checked = await incidents("check");
  assertMatch(text(checked), /^1 case, the chain is whole/);
});

inFolder("incidents export: of an incident with several cases it names each", async (folder) => {
  const { config, dir } = await convicting(folder);
  await grow(dir, 2);
  await run("run", "--config", config, "--once");
  const refused = await run("incidents", "export", INC, "--config", config);
  assertEquals(refused.code, 2, text(refused));
  assertMatch(text(refused), /has the cases 1, \d+, expected the number of one/);
});
