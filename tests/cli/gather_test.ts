import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { knownCaches } from "../../src/cli/caches.ts";
import { ENVIRONMENT } from "../../src/cli/environment.ts";
import { KNOWN_LOGS, knownLogs } from "../../src/cli/known_logs.ts";
import { START_BYTES } from "../../src/gather/read.ts";
import { parseLog } from "../../src/tlog/log.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { type Files, WorldError } from "../../src/world/world.ts";
import { lookupText, putDeep, writeGoCache } from "../gather/go_cache.ts";
import { TiledStory } from "../monitor/tiled_log.ts";
import { inFolder, noteLine, proofLine, put, run, start, twoStories } from "./harness.ts";

const world = denoWorld();

for (const { title, log } of KNOWN_LOGS) {
  Deno.test(`KNOWN_LOGS: ${title} has a sound key`, () => {
    assert(parseLog(log).origin !== "");
  });
}

Deno.test("KNOWN_LOGS: no log is there twice, and all load together", () => {
  assertEquals(knownLogs().length, KNOWN_LOGS.length);
});

inFolder("gather: writes what detect reads, each with the file it came from", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 6 });
  const one = put(folder, "one", await a.checkpoint());
  Deno.mkdirSync(`${folder}/deep`);
  const lines = put(folder, "deep/lines", await noteLine(a, 4, "lima"));
  put(folder, "deep/else", "nothing of interest\n");
  const { code, out, err } = await run("gather", "--log", log, folder);
  assertEquals(code, 0);
  assertEquals(out.map((line) => JSON.parse(line).source), ["lima", one]);
  const named = `test.invalid/log (key ${a.log.vkey.text.split("+")[1]})`;
  assertEquals(err, [
    "looked at 3 files: 1 of no known kind",
    "found gathered lines 1, signed notes 1",
    `${named}: 2 checkpoints, sizes 4 to 6`,
    `1 of 2 heads of ${named} could not be compared: no tiles and no proof here lead from size 4 ` +
    "to size 6",
  ]);
  const file = put(folder, "gathered.jsonl", out.join("\n"));
  const judged = await run("detect", "--log", log, file);
  assertEquals(judged.code, 3);
  assertStringIncludes(judged.out.join(), "2 checkpoints read");
  assert(lines !== one);
});

inFolder("gather: --out makes a new file and overwrites none", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 6 });
  const note = put(folder, "note", await a.checkpoint());
  const out = `${folder}/out.jsonl`;
  const first = await run("gather", "--log", log, "--out", out, note);
  assertEquals([first.code, first.out], [0, []]);
  assertEquals(JSON.parse(Deno.readTextFileSync(out)).source, note);
  const again = await run("gather", "--log", log, "--out", out, note);
  assertEquals(again.code, 2);
  assertStringIncludes(again.err.join(), "already, and it is not overwritten");
  assertEquals(Deno.readTextFileSync(out).split("\n").length, 2);
});

inFolder("gather: does not read what it writes itself", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 6 });
  const line = await noteLine(a, 6, "lima");
  const count = 3_000; // Longer than what is kept before it is written.
  put(folder, "a.jsonl", `${line}\n`.repeat(count));
  const out = `${folder}/z.jsonl`;
  const { code, err } = await run("gather", "--log", log, "--out", out, folder);
  assertEquals([code, err[0]], [0, "looked at 1 file: 0 of no known kind"]);
  assertEquals(Deno.readTextFileSync(out).split("\n").length, count + 1);
});

inFolder(
  "gather: whoever redirects its output into the folder gets an end of it",
  async (folder) => {
    const { a, log } = await twoStories({ common: 3, size: 6 });
    const line = await noteLine(a, 6, "lima");
    const count = Math.ceil(START_BYTES / line.length); // Files that are longer are read in parts.
    put(folder, "a.jsonl", `${line}\n`.repeat(count));
    using file = Deno.openSync(put(folder, "z.jsonl", ""), { append: true });
    let written = 0;
    const stdout = {
      isTerminal: () => false,
      writeSync: (bytes: Uint8Array) =>
        written++ < 5 * count ? file.writeSync(bytes) : bytes.length,
    };
    const ran = await start(["gather", "--log", log, folder], undefined, [], undefined, stdout)
      .done;
    assertEquals([ran.code, ran.out.length], [0, 2 * count]);
  },
);

inFolder(
  "gather, detect, verify: a pipe that was named is refused, and not waited for",
  async (folder) => {
    const { log } = await twoStories({ common: 3, size: 6 });
    const pipe = `${folder}/pipe`;
    const files: Files = {
      ...world.files,
      kindOf: (path) =>
        path === pipe ? Promise.resolve("something else") : world.files.kindOf(path),
      open: (path, mode) =>
        path === pipe
          ? Promise.reject(new Error("it waits for ever"))
          : world.files.open(path, mode),
    };
    for (const command of ["gather", "detect", "verify"]) {
      const { code, err } = await start([command, "--log", log, pipe], { ...world, files }).done;
      assertEquals(code, 2, command);
      assertStringIncludes(err[0]!, "is a pipe or a device");
    }
  },
);

inFolder("gather: a file that it could not finish is not left behind", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 6 });
  const note = put(folder, "note", await a.checkpoint());
  const out = `${folder}/out.jsonl`;
  const full: Files = {
    ...world.files,
    async create(path, mode) {
      const file = await world.files.create(path, mode);
      return { ...file, write: () => Promise.reject(new WorldError("other", "No space left")) };
    },
  };
  const nothing = put(folder, "nothing", "nothing\n");
  const cases: [paths: string[], code: number, files?: Files][] = [
    [[note, `${folder}/missing`], 2],
    [[nothing], 3],
    [[note], 3, full],
  ];
  for (const [paths, code, files = world.files] of cases) {
    const args = ["gather", "--log", log, "--out", out, ...paths];
    assertEquals((await start(args, { ...world, files }).done).code, code);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["note", "nothing"]);
  }
  assertEquals((await run("gather", "--log", log, "--out", out, note)).code, 0);
});

inFolder("gather: nothing found ends with 3, and broken files end nothing", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 6 });
  const note = await a.checkpoint();
  Deno.mkdirSync(`${folder}/in`);
  put(folder, "in/cut", note.slice(0, -30));
  const nothing = await run("gather", "--log", log, `${folder}/in`);
  assertEquals([nothing.code, nothing.out], [3, []]);
  assertStringIncludes(nothing.err.join("\n"), "rejected ");
  assertStringIncludes(nothing.err.join("\n"), "not judged: malformed 1");
  put(folder, "in/whole", note);
  const { code, out } = await run("gather", "--log", log, `${folder}/in`);
  assertEquals([code, out.length], [0, 1]);
});

inFolder("gather: files that cannot be read are counted, and nothing more", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 6 });
  Deno.mkdirSync(`${folder}/in`);
  for (const name of ["locked", "open"]) put(folder, `in/${name}`, await a.checkpoint());
  const files: Files = {
    ...world.files,
    readShort: (path, maxBytes) =>
      path.endsWith("locked")
        ? Promise.reject(new WorldError("not permitted", "permission denied"))
        : world.files.readShort(path, maxBytes),
  };
  const { code, out, err } = await start(
    ["gather", "--log", log, `${folder}/in`],
    { ...world, files },
  ).done;
  assertEquals([code, out.length], [0, 1]);
  assertStringIncludes(err.join("\n"), "passed over: not readable 1");
});

inFolder(
  "gather: a hostile name of a file reaches no terminal and no line unescaped",
  async (folder) => {
    const { a, log } = await twoStories({ common: 3, size: 6 });
    Deno.mkdirSync(`${folder}/in`);
    put(folder, "in/\x1b[31m\nred", await a.checkpoint());
    put(folder, "in/\x1b[31m\nbroken", (await a.checkpoint()).slice(0, -20));
    const { code, out, err } = await run("gather", "--log", log, `${folder}/in`);
    assertEquals([code, out.length], [0, 1]);
    // deno-lint-ignore no-control-regex -- it is what must not be there
    for (const line of [...out, ...err]) assert(!/[\x00-\x1f]/.test(line), line);
  },
);

inFolder(
  "detect: a folder's broken files are told and decide nothing; a named one does",
  async (folder) => {
    const { a, log } = await twoStories({ common: 3, size: 6 });
    Deno.mkdirSync(`${folder}/in`);
    put(folder, "in/whole", await a.checkpoint());
    const cut = put(folder, "in/cut", (await a.checkpoint()).slice(0, -30));
    const walked = await run("detect", "--log", log, `${folder}/in`);
    assertEquals(walked.code, 0);
    assertStringIncludes(walked.err.join("\n"), "not judged: malformed 1");
    assertEquals((await run("detect", "--log", log, `${folder}/in`, cut)).code, 3);
  },
);

inFolder(
  "detect: --known and a known key of type 0x05 under another name is refused",
  async (folder) => {
    // A tree head does not name its log: two halves of a case could go to two logs.
    const { log } = KNOWN_LOGS.find(({ title }) => title.endsWith("argon2024"))!;
    const note = put(folder, "note", "x");
    const { code, err } = await run("detect", "--known", "--log", `${log} another.invalid`, note);
    assertEquals(code, 2);
    assertMatch(err[0]!, /another\.invalid.*argon2024/);
    assertEquals((await run("detect", "--known", "--log", log, note)).code, 3);
  },
);

inFolder(
  "detect: a file that goes away while it reads costs no conflict, and is told",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 3, size: 6 });
    put(folder, "both.jsonl", `${await noteLine(a, 6)}\n${await noteLine(b, 6)}\n`);
    const proof = put(folder, "proof.jsonl", proofLine(a, 3, 6));
    const files: Files = {
      ...world.files,
      async readShort(path, maxBytes) {
        const bytes = await world.files.readShort(path, maxBytes);
        if (path === proof) Deno.removeSync(path);
        return bytes;
      },
    };
    const ran = await start(["detect", "--log", log, folder], { ...world, files }).done;
    assertEquals(ran.code, 1);
    assertMatch(ran.out[0]!, /^same_size conflict/);
    assertStringIncludes(ran.err.join("\n"), "passed over: not readable 1");
  },
);

inFolder("detect: a folder with nothing to judge ends with 3, never with 0", async (folder) => {
  put(folder, "readme", "hello\n");
  const { code, err } = await run("detect", folder);
  assertEquals(code, 3);
  assertStringIncludes(err.join("\n"), "nothing to judge");
});

inFolder("detect: --known judges the known logs beside those that are given", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 6 });
  const file = put(folder, "note", await a.checkpoint());
  for (const [args, code] of [[["--log", log, "--known"], 0], [["--known"], 3], [[], 3]] as const) {
    assertEquals((await run("detect", ...args, file)).code, code, args.join(" "));
  }
});

inFolder(
  "listen, exchange: --have takes a folder, with the proofs of its tiles",
  async (folder) => {
    const story = await TiledStory.make(500);
    const fork = story.fork().growTo(700, "fork");
    story.growTo(1_000);
    const root = await writeGoCache(folder, { story, sizes: [300, 690, 1_000] });
    Deno.removeSync(`${root}/lookup/module.invalid/at690@v1.0.0`);
    putDeep(`${root}/lookup/x@v1`, await lookupText(fork, 690));
    put(folder, "broken", (await story.test.checkpoint()).slice(0, -9));
    const log = story.test.log.vkey.text;
    const listening = start(["listen", "--address", "127.0.0.1:0", "--log", log, "--have", folder]);
    await listening.line(/listening on/);
    listening.stop();
    const { code, out, err } = await listening.done;
    assertEquals(code, 1);
    assertMatch(out.join("\n"), /\[Incident\] NOT SIGNED AND NOT RECORDED.*cross_size conflict/);
    assertStringIncludes(err.join("\n"), "found Go lookups 3, proofs from cached tiles 2");
    assertStringIncludes(err.join("\n"), "not judged: malformed 1");
    const address = "127.0.0.1:9";
    const named = await run("exchange", address, "--log", log, "--have", `${folder}/broken`);
    assertEquals(named.code, 2);
  },
);

inFolder("known caches: Go's and npm's, where their variables and settings say", async (folder) => {
  const home = `${folder}/home`;
  const caches = async (variables: Record<string, string>) => {
    const { there, missing, unknown } = await knownCaches(world, (name) => variables[name]);
    return { there, missing: missing.map((path) => path.replace(`${folder}/`, "")), unknown };
  };
  assertMatch((await caches({})).unknown!, /HOME, GOPATH and GOMODCACHE/);
  assertEquals((await caches({ HOME: home })).missing, [
    "home/go/pkg/mod/cache/download/sumdb",
    "home/go/pkg/sumdb",
    "home/.npm/_cacache/content-v2",
  ]);
  const set = { HOME: home, GOPATH: `${folder}/a:${folder}/b`, GOMODCACHE: `${folder}/mod` };
  assertEquals((await caches(set)).missing, [
    "mod/cache/download/sumdb",
    "a/pkg/sumdb",
    "b/pkg/sumdb",
    "home/.npm/_cacache/content-v2",
  ]);
  putDeep(`${home}/.config/go/env`, `GOMODCACHE=${folder}/written\nGOPROXY=off\n`);
  assertEquals((await caches({ HOME: home })).missing[0], "written/cache/download/sumdb");
  Deno.mkdirSync(`${home}/go/pkg/sumdb`, { recursive: true });
  assertEquals((await caches({ HOME: home })).there, [`${home}/go/pkg/sumdb`]);
});

Deno.test("known caches: the program may read just their variables, and the database's", () => {
  const { tasks } = JSON.parse(
    Deno.readTextFileSync(new URL("../../deno.json", import.meta.url)),
  );
  assertStringIncludes(tasks.hearsay.command, ` --allow-env=${ENVIRONMENT.join(",")} `);
});

Deno.test("gather: without a variable that says where caches are, it asks for a folder", async () => {
  // The tests may not read these variables, like a program that is run with fewer permissions.
  const { code, err } = await run("gather");
  assertEquals(code, 2);
  assertStringIncludes(err.join("\n"), "name a FILE or DIR");
});

inFolder(
  "gather, detect, ask: a known key without its log's origin is told how to name that",
  async (folder) => {
    const { a } = await twoStories({ common: 3, size: 6 });
    const file = put(folder, "ours", await a.checkpoint());
    const go = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    const told = `; known is --log "${go} go.sum database tree"`;
    for (const [log, count] of [[go, 1], [`${go} go.sum database tree`, 0]] as const) {
      for (
        const args of [
          ["gather", "--log", log, file],
          ["detect", "--log", log, file],
          ["ask", "127.0.0.1:1", "--log", log, file],
        ]
      ) {
        const { err } = await run(...args);
        const lines = err.filter((line) => line.endsWith(told));
        assertEquals([args[0], lines.length], [args[0], count], err.join("\n"));
      }
    }
  },
);
