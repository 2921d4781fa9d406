/** `kill -9` of a witness under load; `.ci/run` kills it a hundred times (`witness_kills.ts`). */
import { assert } from "@std/assert";
import { inFolder } from "./harness.ts";
import { killOften } from "./witness_kills.ts";

/** How often it is killed in an ordinary test run. */
const KILLS = 4;

inFolder("witness: killed under load, it remembers every cosignature that left", async (folder) => {
  assert(await killOften(folder, KILLS) > 0, "two histories of a log were pushed far enough");
});
