/** The wrapper that `deno task install` makes, run as a user runs it: from another folder. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { VERSION } from "../../src/world/version.ts";
import { RUN_FLAGS } from "./compile.ts";
import { install, wrapper } from "./install.ts";

const root = Deno.realPathSync(new URL("../../", import.meta.url));
/** What a shell, a URL or a format could take for something else. */
const AWKWARD = "a clone's #1 (100%)";

/** What the program needs of a clone. */
function copyClone(to: string): void {
  Deno.mkdirSync(to);
  for (const file of ["main.ts", "deno.json", "deno.lock"]) {
    Deno.copyFileSync(`${root}/${file}`, `${to}/${file}`);
  }
  copyFolder(`${root}/src`, `${to}/src`);
}

function copyFolder(from: string, to: string): void {
  Deno.mkdirSync(to);
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (isDirectory) copyFolder(`${from}/${name}`, `${to}/${name}`);
    else Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
  }
}

/** Runs a program by its path, as a shell does. */
function command(program: string, cwd: string, ...args: string[]): Deno.Command {
  // Tests may not run a program by its path, but `sh`.
  return new Deno.Command("sh", {
    args: ["-c", 'exec "$0" "$@"', program, ...args],
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

async function run(
  program: string,
  cwd: string,
  ...args: string[]
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await command(program, cwd, ...args).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test("install: the wrapper has the permissions of 'deno task hearsay', and no more", () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${root}/deno.json`));
  const task: string = tasks.hearsay.command;
  assertEquals(task, `DENO_TLS_CA_STORE=system deno run ${RUN_FLAGS.join(" ")} main.ts`);
  const text = wrapper("/somewhere");
  assertStringIncludes(text, "DENO_TLS_CA_STORE=system");
  const flags = [...text.match(/deno" run (.*) \\$/m)![1]!.split(" ")];
  const others = flags.filter((flag) => !RUN_FLAGS.includes(flag));
  assertEquals(others, ["--cached-only", "--node-modules-dir=auto"]);
  assertEquals(flags.length - others.length, RUN_FLAGS.length);
});

Deno.test({
  name: `install: the wrapper runs the source of a clone from any folder${
    Deno.build.os === "windows" ? " (skipped: there is none for Windows)" : ""
  }`,
  ignore: Deno.build.os === "windows",
  async fn(t) {
    const folder = Deno.makeTempDirSync();
    const [clone, bin, here] = [`${folder}/${AWKWARD}`, `${folder}/the bin`, `${folder}/here`];
    copyClone(clone);
    Deno.mkdirSync(here);
    const hearsay = await install({ source: clone, bin });
    try {
      await t.step("it is the program", async () => {
        assertEquals(await run(hearsay, here, "--version"), {
          code: 0,
          out: `hearsay ${VERSION}\n`,
          err: "",
        });
      });
      await t.step("relative paths, spaces in arguments and exit codes pass", async () => {
        const made = await run(hearsay, here, "keygen", "test.invalid/one", "--out", "my key");
        assertEquals(made.code, 0, made.err);
        assertMatch(Deno.readTextFileSync(`${here}/my key`), /^PRIVATE\+KEY\+test\.invalid\/one/);
        const record = `${root}/incidents/sample.json`;
        assertEquals((await run(hearsay, here, "verify", record)).code, 0);
        const changed = Deno.readTextFileSync(record).replace(
          /"evidence_id": ?"./,
          (start) => start.slice(0, -1) + (start.endsWith("0") ? "1" : "0"),
        );
        Deno.writeTextFileSync(`${here}/record.json`, changed);
        assertEquals((await run(hearsay, here, "verify", "record.json")).code, 1);
        assertEquals((await run(hearsay, here, "verify")).code, 2);
        assertEquals((await run(hearsay, here, "status", "127.0.0.1:2")).code, 3);
      });
      await t.step("SIGTERM reaches the program, which ends as it wants to", async () => {
        const log = await run(hearsay, here, "log", "init", "log", "--origin", "test.invalid/log");
        assertEquals(log.code, 0, log.err);
        const serving = command(hearsay, here, "log", "serve", "log", "--port", "0").spawn();
        const reader = serving.stdout.pipeThrough(new TextDecoderStream()).getReader();
        assertStringIncludes((await reader.read()).value!, "serving log at http://127.0.0.1:");
        serving.kill("SIGTERM");
        assertEquals(await serving.status, { success: true, code: 0, signal: null });
        await reader.cancel();
        await serving.stderr.cancel();
      });
      await t.step("it is made again in its place, and nothing else is replaced", async () => {
        assertEquals(await install({ source: clone, bin }), hearsay);
        Deno.writeTextFileSync(`${folder}/hearsay`, "an executable");
        let refusal = "";
        await install({ source: clone, bin: folder }).catch(({ message }) => refusal = message);
        assertStringIncludes(refusal, "was not made by this task");
        assertEquals(Deno.readTextFileSync(`${folder}/hearsay`), "an executable");
      });
      await t.step("if packages changed or Deno is gone, it says what to do", async () => {
        const lock = Deno.readTextFileSync(`${clone}/deno.lock`);
        const spoilers: [() => void, () => void][] = [
          [
            () => Deno.writeTextFileSync(`${clone}/deno.lock`, `${lock} `),
            () => Deno.writeTextFileSync(`${clone}/deno.lock`, lock),
          ],
          [
            () => Deno.renameSync(`${clone}/.installed/deno`, `${folder}/deno`),
            () => Deno.renameSync(`${folder}/deno`, `${clone}/.installed/deno`),
          ],
          [
            () => Deno.renameSync(`${clone}/node_modules`, `${folder}/modules`),
            () => Deno.renameSync(`${folder}/modules`, `${clone}/node_modules`),
          ],
        ];
        for (const [spoil, mend] of spoilers) {
          spoil();
          const { code, out, err } = await run(hearsay, here, "--version");
          mend();
          assertEquals([code, out], [3, ""], err);
          assertStringIncludes(err, `its source in ${clone} has changed since it was installed`);
          assertStringIncludes(err, "task install");
        }
        assertEquals((await run(hearsay, here, "--version")).code, 0);
      });
      await t.step("if the clone has moved, it says where it was and what to do", async () => {
        Deno.renameSync(clone, `${folder}/moved`);
        const { code, out, err } = await run(hearsay, here, "--version");
        assertEquals([code, out], [3, ""], "1 would accuse a log");
        assertEquals(err.trim().split("\n").length, 1, err);
        assertStringIncludes(err, `its source is not in ${clone} any more`);
        assertMatch(err, /run there: npx -y deno@\d+\.\d+\.\d+ task install$/m);
        assert(Deno.statSync(`${folder}/moved/.installed/deno`).isFile);
      });
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  },
});

Deno.test("install: --help says what it does, and a wrong option what was expected", async () => {
  const task = async (...given: string[]) => {
    const script = `${root}/tests/compile/install.ts`;
    const args = ["run", "--no-check", "--no-prompt", "--allow-env=HOME,PATH", script, ...given];
    const { code, stdout, stderr } = await new Deno.Command("deno", { args, cwd: root }).output();
    const decoder = new TextDecoder();
    return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
  };
  const help = await task("--help");
  assertEquals([help.code, help.err], [0, ""]);
  assertMatch(help.out, /^deno task install \[--dir BIN\]\n/);
  const wrong = await task("--directory", "x");
  assertEquals([wrong.code, wrong.out], [2, ""]);
  assertEquals(wrong.err, "expected deno task install [--dir BIN]; came: --directory x\n");
});
