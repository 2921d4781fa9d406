/** The bundle of an incident: what is taken for it, and what is not. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import { sha256 } from "../../src/tlog/hashing.ts";
import { convicting } from "./convicting.ts";
import { inFolder, put, type Ran, run } from "./harness.ts";
import { grow } from "./monitors.ts";
import { INC, PERSON } from "./reports.ts";

function text({ out, err }: Ran): string {
  return [...out, ...err].join("\n");
}

function advance(config: string, out: string): Promise<Ran> {
  const where = ["--out", out, "--offline", "--config", config];
  return run("incidents", "advance", INC, ...PERSON, ...where);
}

function bundle(config: string, out: string): Promise<Ran> {
  return run("incidents", "bundle", INC, "--offline", "--out", out, "--config", config);
}

/** Changes a file of a bundle, and both lists with it, as who forges one would. */
function forge(folder: string, name: string): void {
  const path = `${folder}/${name}`;
  const hash = (): string => encodeHex(sha256(Deno.readFileSync(path)));
  const before = hash();
  const { length } = Deno.readFileSync(path);
  Deno.writeTextFileSync(path, `${Deno.readTextFileSync(path).slice(0, -2)}x\n`);
  assertEquals(Deno.readFileSync(path).length, length);
  for (const list of ["SHA256SUMS", "manifest.json"]) {
    const listed = Deno.readTextFileSync(`${folder}/${list}`);
    Deno.writeTextFileSync(`${folder}/${list}`, listed.replaceAll(before, hash()));
  }
}

inFolder("incidents advance: a bundle from before a further case is refused", async (folder) => {
  const { config, dir } = await convicting(folder);
  const [old, anew] = [`${folder}/old`, `${folder}/new`];
  assertEquals((await bundle(config, old)).code, 0);
  const before = Deno.readTextFileSync(`${old}/manifest.json`);
  // Another root at the size that the other history has shown.
  await grow(dir, 2);
  await run("run", "--config", config, "--once");
  const refused = await advance(config, old);
  assertEquals(refused.code, 2, text(refused));
  assertStringIncludes(text(refused), "is there already, gathered at ");
  assertStringIncludes(text(refused), 'by "monitor.invalid/one+');
  assertStringIncludes(text(refused), "it has 1 of the 2 cases");
  assertEquals(Deno.readTextFileSync(`${old}/manifest.json`), before);
  const advanced = await advance(config, anew);
  assertEquals(advanced.code, 0, text(advanced));
  assertStringIncludes(text(advanced), `what is known of ${INC} is gathered in ${anew}`);
});

inFolder("incidents advance: a bundle that another has written anew is refused", async (folder) => {
  const { config } = await convicting(folder);
  const out = `${folder}/bundle`;
  assertEquals((await bundle(config, out)).code, 0);
  forge(out, "report.md");
  const checked = await run("incidents", "bundle", "--check", out);
  assertEquals(checked.code, 0, text(checked));
  const refused = await advance(config, out);
  assertEquals(refused.code, 2, text(refused));
  assertStringIncludes(text(refused), "its report.md is not what this monitor has");
});

inFolder(
  "incidents advance: what was gathered before is taken, and that is said",
  async (folder) => {
    const { config } = await convicting(folder);
    const out = `${folder}/bundle`;
    assertEquals((await bundle(config, out)).code, 0);
    // The log is looked at meanwhile: there are more observations.
    await run("run", "--config", config, "--once");
    const advanced = await advance(config, out);
    assertEquals(advanced.code, 0, text(advanced));
    assertStringIncludes(text(advanced), `${INC} is in ${out} already, gathered at `);
    assertEquals(text(advanced).includes("is gathered in"), false);
    // The journal names it from now on.
    const again = await bundle(config, out);
    assertEquals(again.code, 0, text(again));
    assertStringIncludes(text(again), "already, gathered at ");
  },
);

inFolder("incidents advance: a bundle is not written beside what is in the way", async (folder) => {
  const { config } = await convicting(folder);
  const out = `${folder}/bundle`;
  Deno.mkdirSync(out);
  put(out, "notes.txt", "mine");
  const refused = await advance(config, out);
  assertEquals(refused.code, 2, text(refused));
  assertStringIncludes(text(refused), 'has "notes.txt" in it, which is no part of this bundle');
  assertEquals([...Deno.readDirSync(out)].length, 1);
});

inFolder("incidents bundle --check: says no more than the manifest shows", async (folder) => {
  const { config, log } = await convicting(folder);
  const out = `${folder}/bundle`;
  assertEquals((await bundle(config, out)).code, 0);
  const { files } = JSON.parse(Deno.readTextFileSync(`${out}/manifest.json`));
  for (const { kind, what } of files) {
    // Else gaps in the numbers of entries look like something that was taken away.
    const hasGaps = kind === "steps" || kind === "observations";
    assertEquals(what.endsWith("; entries of other matters are left out"), hasGaps, what);
  }
  forge(out, "report.md");
  put(out, "extra.txt", "mine");
  const check = ["incidents", "bundle", "--check", out];
  const checked = await run(...check);
  assertEquals(checked.code, 0, text(checked));
  assertEquals(
    checked.out.at(-1),
    "every file is as the manifest says, and every record holds",
  );
  assertStringIncludes(text(checked), "! extra.txt is not in the manifest");
  assertStringIncludes(text(checked), "! The log's key came from the bundle itself.");
  assertStringIncludes(text(checked), "! The manifest is not signed: who wrote it is not shown.");
  const known = await run(...check, "--log", log);
  assertEquals(known.code, 0, text(known));
  assertEquals(text(known).includes("came from the bundle"), false);
  const [name] = log.split("+");
  const other = await run(...check, "--log", `${log} ${name}-2`);
  assertEquals(other.code, 1, text(other));
  assertStringIncludes(text(other), "it is about ");
});

inFolder(
  "incidents bundle --check: a record of another log than the manifest's",
  async (folder) => {
    const [{ config }, other] = [await convicting(`${folder}/a`), await convicting(`${folder}/b`)];
    const out = `${folder}/bundle`;
    assertEquals((await bundle(config, out)).code, 0);
    const manifest = Deno.readTextFileSync(`${out}/manifest.json`);
    const { log } = JSON.parse(manifest);
    Deno.writeTextFileSync(`${out}/manifest.json`, manifest.replaceAll(log.vkey, other.log));
    const checked = await run("incidents", "bundle", "--check", out);
    assertEquals(checked.code, 1, text(checked));
    assertStringIncludes(text(checked), "does not hold: fails: ");
  },
);

inFolder(
  "verify: with the key in the file it ends otherwise than with a key given",
  async (folder) => {
    const { config, log } = await convicting(folder);
    const file = `${folder}/case.txt`;
    const where = ["--out", file, "--config", config];
    const exported = await run("incidents", "export", "1", ...where);
    const command = `hearsay verify ${file} --log ${log}`;
    assertStringIncludes(text(exported), `Check it: ${command}`);
    assertStringIncludes(Deno.readTextFileSync(file), "hearsay verify FILE --log VKEY");
    const shown = await run("incidents", "show", "1", "--config", config);
    assertStringIncludes(text(shown), `hearsay verify incident-1.txt --log ${log}`);
    assertEquals(
      (await run("verify", file, "--log", log)).out.at(-1),
      "The evidence holds (1 record).",
    );
    const without = await run("verify", file);
    assertEquals(without.code, 0);
    assertEquals(
      without.out.at(-1),
      "The evidence holds for the key in the file (1 record). Whose key that is was not checked.",
    );
  },
);
