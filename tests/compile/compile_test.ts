import { ENVIRONMENT } from "../../src/cli/environment.ts";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { adviceOn, compile } from "./compile.ts";

/** Any executable will do to see what `deno compile` puts into it. */
const STAND_IN = ["/bin/true", "/usr/bin/true"].find((path) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
});

/** Where a real runtime is at hand: DENORT_BIN, as for `deno task compile`. */
const DENORT = Deno.env.get("DENORT_BIN");

/** The JSON object that begins at `at`. */
function objectAt(text: string, at: number): Record<string, Record<string, unknown>> {
  let depth = 0;
  let inText = false;
  for (let end = at;; end++) {
    if (text[end] === "\\") end++;
    else if (text[end] === '"') inText = !inText;
    else if (!inText && text[end] === "{") depth++;
    else if (!inText && text[end] === "}" && --depth === 0) {
      return JSON.parse(text.slice(at, end + 1));
    }
  }
}

Deno.test({
  name: `compile: the program embeds, with net, read, write, programs and a few variables allowed${
    STAND_IN === undefined ? " (skipped: no executable to stand in for denort)" : ""
  }`,
  ignore: STAND_IN === undefined,
  async fn() {
    const output = `${Deno.makeTempDirSync()}/hearsay`;
    const said: string[] = [];
    const env = { DENORT_BIN: STAND_IN! };
    assertEquals(await compile({ output, env, print: (line) => said.push(line) }), 0, said.join());
    const text = new TextDecoder("latin1").decode(Deno.readFileSync(output));
    const { permissions } = objectAt(text, text.lastIndexOf('{"argv":'));
    assert(permissions !== undefined);
    const all: unknown[] = [];
    for (const kind of ["net", "read", "write", "run"]) {
      assertEquals(permissions[`allow_${kind}`], all, kind);
    }
    assertEquals(permissions.allow_env, ENVIRONMENT);
    for (const kind of ["ffi", "sys"]) {
      assertEquals(permissions[`allow_${kind}`], null, kind);
    }
    assertEquals(permissions.prompt, false);
    for (
      const part of ["src/tlog/proof.ts", "src/cli/demo.ts", "noble", "SASL_SIGNATURE_MISMATCH"]
    ) {
      assertStringIncludes(text, part.split("/").at(-1)!);
    }
    // What fast-check says when a property fails; its name stands in the import map in any case.
    assert(!text.includes("Property failed after"), "packages of the tests are not embedded");
    Deno.removeSync(output.replace(/\/hearsay$/, ""), { recursive: true });
  },
});

Deno.test({
  name: `compile: the executable's demo runs${
    DENORT === undefined ? " (skipped: no denort is named in DENORT_BIN)" : ""
  }`,
  ignore: DENORT === undefined,
  async fn() {
    const folder = Deno.makeTempDirSync();
    const output = `${folder}/hearsay`;
    const said: string[] = [];
    const env = { DENORT_BIN: DENORT! };
    assertEquals(await compile({ output, env, print: (line) => said.push(line) }), 0, said.join());
    const { code, stdout } = await new Deno.Command(output, { args: ["demo"], cwd: folder })
      .output();
    const text = new TextDecoder().decode(stdout);
    assertEquals(code, 0, text);
    assertStringIncludes(text, "The evidence holds (1 record).");
    const demoFolder = text.match(/(\S+hearsay-demo-[^/]+)\//)![1]!;
    for (const each of [folder, demoFolder]) Deno.removeSync(each, { recursive: true });
  },
});

Deno.test("compile: a missing runtime is explained with the three ways out, other errors are not", () => {
  // What deno 2.9.6 says where dl.deno.land cannot be reached.
  const said = `Compile main.ts to hearsay
Download https://dl.deno.land/release/v2.9.6/denort-x86_64-unknown-linux-gnu.zip
error: Writing deno compile executable to temporary file 'hearsay.tmp-cccd7d05d478e40b'

Caused by:
    0: Setting up base binary.
    1: error sending request for url (https://dl.deno.land/release/v2.9.6/denort-x86_64-unknown-linux-gnu.zip)`;
  const advice = adviceOn(said)!;
  assertStringIncludes(advice, "DENORT_BIN=/path/to/denort deno task compile");
  assertStringIncludes(advice, "DENO_DIR/dl/release/v2.9.6/denort-x86_64-unknown-linux-gnu.zip");
  assertStringIncludes(advice, "deno task install");
  assertEquals(adviceOn("error: Type checking failed."), undefined);
  assertEquals(
    adviceOn("Download https://dl.deno.land/release/v2.9.6/denort-x.zip\nother"),
    undefined,
  );
});
