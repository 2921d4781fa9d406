/** `seal` and `open`, and commands whose key is sealed. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { tried } from "../../src/cli/checking.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { type OpenFile, type World, WorldError } from "../../src/world/world.ts";
import {
  inFolder,
  keyFile,
  noteLine,
  put,
  type Ran,
  run,
  type Running,
  start,
  twoStories,
} from "./harness.ts";
import { makeLog, makeMonitor } from "./monitors.ts";

/** Runs a command; a person gives these answers. */
async function answered(answers: readonly string[], ...args: string[]): Promise<Ran> {
  return await start(args, denoWorld(), answers).done;
}

/** The option that names a file with this passphrase, which only its owner can read. */
function passphrase(folder: string, words = "sesame"): string[] {
  const path = put(folder, `passphrase-${words}`, `${words}\nand what else is in the file\n`);
  Deno.chmodSync(path, 0o600);
  return ["--passphrase-file", path];
}

function modeOf(path: string): number {
  return Deno.statSync(path).mode! & 0o777;
}

function filesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).toSorted();
}

/** Bytes of several packages, which are read in two pieces. */
const MUCH = Uint8Array.from({ length: 400_000 }, (_, i) => (i * 31 + (i >> 7)) & 0xff);

inFolder("seal, open: a file comes back as it was, whatever its size", async (folder) => {
  const told = passphrase(folder);
  for (const content of [MUCH, MUCH.subarray(0, 1), MUCH.subarray(0, 65_536)]) {
    const path = put(folder, `of ${content.length}`, content);
    const sealed = await run("seal", path, ...told);
    assertEquals([sealed.code, sealed.out], [0, [`${path} is sealed in ${path}.sealed`]]);
    assertEquals([sealed.err, modeOf(`${path}.sealed`)], [[], 0o600]);
    assertEquals(Deno.readFileSync(path), content, "what is sealed stays");
    const out = `${path} again`;
    const opened = await run("open", `${path}.sealed`, "--out", out, ...told);
    assertEquals([opened.code, opened.out], [0, [`${path}.sealed is opened in ${out}`]]);
    assertEquals(modeOf(out), 0o600);
    assertEquals(Deno.readFileSync(out), content);
  }
});

inFolder("open: without --out it writes where the file was sealed from", async (folder) => {
  const path = put(folder, "file", "text");
  await run("seal", path, ...passphrase(folder));
  Deno.removeSync(path);
  assertEquals((await run("open", `${path}.sealed`, ...passphrase(folder))).code, 0);
  assertEquals(Deno.readTextFileSync(path), "text");
  Deno.renameSync(`${path}.sealed`, `${folder}/other`);
  const { code, err } = await run("open", `${folder}/other`, ...passphrase(folder));
  assertEquals(code, 2);
  assertStringIncludes(
    err[0]!,
    "does not end with .sealed: say with --out where to write",
  );
});

inFolder("seal: who types is asked twice, and the two must be one", async (folder) => {
  const path = put(folder, "file", "text");
  const refused: [string[], RegExp][] = [
    [["sesame", "Sesame"], /the two passphrases differ/],
    [["", ""], /the passphrase is empty/],
    [["sesame"], /there is no terminal to ask on/],
    [["x".repeat(1_025), "x".repeat(1_025)], /too long: expected at most 1024 bytes/],
  ];
  for (const [answers, why] of refused) {
    const { code, err } = await answered(answers, "seal", path);
    assertEquals(code, 2);
    assertMatch(err[0]!, why);
    assertEquals(filesIn(folder), ["file"]);
  }
  const longest = "x".repeat(1_024);
  assertEquals((await answered([longest, longest], "seal", path)).code, 0);
  const opening = ["open", `${path}.sealed`, "--out", `${folder}/again`];
  assertEquals((await answered([longest], ...opening)).code, 0, "asked once to open");
  assertEquals(Deno.readTextFileSync(`${folder}/again`), "text");
});

inFolder("seal: the passphrase is the first line of its file, and nothing else", async (folder) => {
  const path = put(folder, "file", "text");
  await answered(["sesame", "sesame"], "seal", path);
  const opened = async (content: string | Uint8Array): Promise<Ran> => {
    const file = put(folder, "passphrase", content);
    Deno.chmodSync(file, 0o600);
    const out = ["--out", `${folder}/out`, "--overwrite"];
    return await run("open", `${path}.sealed`, ...out, "--passphrase-file", file);
  };
  for (
    const content of ["sesame", "sesame\n", "sesame\r\n", "sesame\nmore\n", "\u{FEFF}sesame\n"]
  ) {
    const { code, err } = await opened(content);
    assertEquals([content, code, err], [content, 0, []]);
  }
  for (const content of [" sesame", "sesame ", "more\nsesame"]) {
    assertMatch((await opened(content)).err[0]!, /the passphrase is wrong/);
  }
  for (const content of ["", "\n", "\r\n", "\nsesame\n"]) {
    const { code, err } = await opened(content);
    assertEquals(code, 2);
    assertMatch(err[0]!, /the first line of ".*" is empty/);
  }
  assertMatch((await opened("x".repeat(1_025))).err[0]!, /is too long/);
  const none = await run("open", `${path}.sealed`, "--out", "x", "--passphrase-file", "none");
  assertEquals([none.code, none.err[0]!.includes('there is no file "none"')], [2, true]);
});

inFolder("seal: a passphrase that everybody may read is told", async (folder) => {
  const path = put(folder, "file", "text");
  const [option, file] = passphrase(folder) as [string, string];
  for (const [mode, told] of [[0o600, 0], [0o440, 0], [0o644, 1]] as const) {
    Deno.chmodSync(file, mode);
    const { code, err } = await run("seal", path, "--overwrite", option, file);
    const lines = err.filter((line) => line.startsWith("everybody may read the passphrase"));
    assertEquals([code, lines.length], [0, told]);
  }
});

inFolder("seal, open: nothing is overwritten unless that is said", async (folder) => {
  const path = put(folder, "file", "text");
  const there = put(folder, "there", "kept");
  await run("seal", path, ...passphrase(folder));
  const ways = [["seal", path, "--out", there], ["open", `${path}.sealed`, "--out", there]];
  for (const way of [...ways, ["seal", path], ["open", `${path}.sealed`]]) {
    // Nobody is asked for a passphrase in vain.
    const { code, err } = await run(...way);
    assertEquals(code, 2);
    assertMatch(err[0]!, /exists and is not overwritten: name another file with --out/);
  }
  assertEquals(Deno.readTextFileSync(there), "kept");
  // In its own place.
  const told = [...passphrase(folder), "--overwrite"];
  assertEquals((await run("seal", path, "--out", path, ...told)).code, 0);
  assert(!new TextDecoder().decode(Deno.readFileSync(path)).includes("text"));
  assertEquals((await run("open", path, "--out", path, ...told)).code, 0);
  assertEquals(Deno.readTextFileSync(path), "text");
  for (const out of [folder, "/dev/null"]) {
    const { code, err } = await run("seal", path, "--out", out, ...told);
    assertEquals(code, 2);
    assertMatch(err[0]!, /is a folder, a pipe or a device/);
  }
  assertEquals(filesIn(folder), ["file", "file.sealed", "passphrase-sesame", "there"]);
});

inFolder("seal: what is empty is refused, since nothing could be sealed", async (folder) => {
  const path = put(folder, "file", "");
  const { code, err } = await run("seal", path, ...passphrase(folder));
  assertEquals([code, filesIn(folder)], [2, ["file", "passphrase-sesame"]]);
  assertMatch(err[0]!, /is empty, and there is nothing to seal/);
});

inFolder("open: what does not open is told in one sentence, and leaves nothing", async (folder) => {
  const path = put(folder, "file", MUCH);
  const told = passphrase(folder);
  await run("seal", path, ...told);
  const sealed = Deno.readFileSync(`${path}.sealed`);
  const later = sealed.slice();
  later[32 + 65_568 + 20]! ^= 1;
  const cases: [string, Uint8Array, string[], RegExp][] = [
    ["wrong", sealed, passphrase(folder, "barley"), /: the passphrase is wrong, or the file was/],
    ["later", later, told, /: package 2 of the sealed data was not sealed with this key, or was/],
    ["cut", sealed.subarray(0, -1), told, /: package 7 of the sealed data is cut off$/],
    [
      "end",
      sealed.subarray(0, 32 + 65_568),
      told,
      /package 2 of the sealed data is missing: the end/,
    ],
    ["more", new Uint8Array([...sealed, 0]), told, /package 8 of the sealed data follows the one/],
    ["other", MUCH, told, /: it is not a sealed file, or its beginning was cut off or changed/],
    ["short", sealed.subarray(0, 64), told, /: it is not a sealed file/],
    ["nothing", new Uint8Array(0), told, /: it is not a sealed file/],
  ];
  const there = put(folder, "there", "kept");
  const before = filesIn(folder);
  for (const [name, content, told, why] of cases) {
    const file = put(folder, name, content);
    for (const out of [["--out", `${folder}/out`], ["--out", there, "--overwrite"]]) {
      const { code, err, out: said } = await run("open", file, ...out, ...told);
      assertEquals([name, code, err.length, said], [name, 2, 1, []]);
      assertMatch(err[0]!, why);
      assertStringIncludes(err[0]!, `hearsay open: cannot open "${file}": `);
    }
    Deno.removeSync(file);
    assertEquals(filesIn(folder), before);
    assertEquals(Deno.readTextFileSync(there), "kept");
  }
});

inFolder("seal, open: a disk that is full after the first write leaves nothing", async (folder) => {
  const path = put(folder, "file", MUCH);
  const told = passphrase(folder);
  await run("seal", path, ...told);
  const there = put(folder, "there", "kept");
  const before = filesIn(folder);
  for (const out of [["--out", `${folder}/out`], ["--out", there, "--overwrite"]]) {
    for (const [command, from] of [["seal", path], ["open", `${path}.sealed`]] as const) {
      const { code, err } = await start([command, from, ...out, ...told], almostFull()).done;
      assertEquals(code, 3);
      assertMatch(err[0]!, /cannot write ".*": No space left on device/);
      assertEquals(filesIn(folder), before);
      assertEquals(Deno.readTextFileSync(there), "kept");
    }
  }
});

/** A disk with room for the first write of each file. */
function almostFull(): World {
  const world = denoWorld();
  const { files } = world;
  const create: typeof files.create = async (path, permissions) => {
    const file = await files.create(path, permissions);
    let written = 0;
    const write: OpenFile["write"] = (bytes, at) =>
      bytes.length === 0 || written++ === 0
        ? file.write(bytes, at)
        : Promise.reject(new WorldError("other", "No space left on device"));
    return new Proxy(file, {
      get: (target, name) => {
        if (name === "write") return write;
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  };
  return { ...world, files: { ...files, create } };
}

/** Seals a key in its place. */
async function sealKey(folder: string, key: string, words = "sesame"): Promise<void> {
  const { code, err } = await run(
    ...["seal", key, "--out", key, "--overwrite"],
    ...passphrase(folder, words),
  );
  assertEquals(code, 0, err.join("\n"));
}

inFolder("keygen --seal: the key is never on the disk as it is", async (folder) => {
  const key = `${folder}/k.key`;
  const made = await answered(
    ["sesame", "sesame"],
    "keygen",
    "monitor.invalid/k",
    "--out",
    key,
    "--seal",
  );
  assertEquals([made.code, modeOf(key)], [0, 0o600]);
  const again = await answered(["x", "x"], "keygen", "monitor.invalid/k", "--out", key, "--seal");
  assertMatch(again.err[0]!, /a key is never overwritten/);
  await run("open", key, "--out", `${folder}/opened`, ...passphrase(folder));
  assertMatch(Deno.readTextFileSync(`${folder}/opened`), /^PRIVATE\+KEY\+monitor\.invalid\/k\+/);
  const idle = await run("keygen", "monitor.invalid/k", "--out", "x", ...passphrase(folder));
  assertMatch(idle.err[0]!, /--passphrase-file needs --seal/);
});

inFolder(
  "detect: a sealed key signs, with a passphrase that is typed or in a file",
  async (folder) => {
    const key = await keyFile(folder);
    await sealKey(folder, key);
    const { a, b, log } = await twoStories({ common: 5, size: 8 });
    const both = put(folder, "both", [await noteLine(a, 8), await noteLine(b, 8)].join("\n"));
    const detect = (incidents: string): string[] => [
      ...["detect", "--log", log, "--key", key, "--incidents", `${folder}/${incidents}`, both],
    ];
    assertEquals((await answered(["sesame"], ...detect("typed"))).code, 1);
    assertEquals((await run(...detect("told"), ...passphrase(folder))).code, 1);
    const records = ["typed", "told"].map((name) =>
      JSON.parse(Deno.readTextFileSync(`${folder}/${name}/journal.jsonl`)).record
    );
    assertEquals(records[0].vkey, records[1].vkey);
    const verified = await run("verify", `${folder}/typed/journal.jsonl`, "--log", log);
    assertEquals(verified.code, 0);
    const wrong = await answered(["barley"], ...detect("wrong"));
    assertEquals(wrong.err, [
      `hearsay detect: cannot open "${key}": the passphrase is wrong, or the file was changed`,
    ]);
    assertEquals(filesIn(folder).includes("wrong"), false, "nothing is done before");
  },
);

inFolder("detect: what is sealed must be a key", async (folder) => {
  const key = put(folder, "no key", "text");
  await sealKey(folder, key);
  const args = ["detect", "--known", "--key", key, put(folder, "note", "x")];
  const { code, err } = await run(...args, ...passphrase(folder));
  assertEquals(code, 2);
  assertStringIncludes(err[0]!, `"${key}": Cannot read private key`);
});

/** Has a daemon read its configuration again; what it says of that. */
async function reloaded(daemon: Running): Promise<string> {
  const before = daemon.out.length;
  daemon.reload();
  for (;;) {
    const said = daemon.out.slice(before).find((line) => / config\.(reloaded|refused) /.test(line));
    if (said !== undefined) return said;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

inFolder("run: with a sealed key it asks once, and never again while it runs", async (folder) => {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  const config = await makeMonitor(`${folder}/one`, { log, source: dir });
  const key = `${folder}/one/monitor.key`;
  await sealKey(folder, key);
  // Others may read what they cannot open.
  Deno.chmodSync(key, 0o644);
  assertEquals((await run("run", "--config", config, "--once")).code, 2, "nobody can be asked");
  const told = await run("run", "--config", config, "--once", ...passphrase(folder));
  assertEquals([told.code, told.out.filter((line) => /key\.exposed/.test(line))], [0, []]);
  const checked = await run("config", "check", config, ...passphrase(folder), "--offline");
  assert(checked.out.some((line) => line.startsWith(`✓ the key ${key} is monitor.invalid/one+`)));
  const daemon = start(["run", "--config", config], denoWorld(), ["sesame", "barley"]);
  const started = await daemon.line(/ status\.serving /);
  assertMatch(await reloaded(daemon), / config\.reloaded /);
  // Sealed anew: what was typed is of no use any more, and nobody is asked.
  await run("open", key, "--out", key, "--overwrite", ...passphrase(folder));
  Deno.chmodSync(key, 0o600);
  await sealKey(folder, key, "barley");
  assertMatch(await reloaded(daemon), / config\.refused .*the passphrase is wrong/);
  const http = /address=(\S+)/.exec(started)![1]!;
  assertMatch((await run("status", http)).out.join("\n"), /passphrase is wrong/);
  daemon.stop();
  assertEquals((await daemon.done).code, 0);
});

inFolder(
  "run: a key that is sealed while it runs is refused at a reload, and nobody is asked",
  async (folder) => {
    const { dir, log } = await makeLog(`${folder}/log`, 5);
    const config = await makeMonitor(`${folder}/one`, { log, source: dir });
    const daemon = start(["run", "--config", config], denoWorld(), ["sesame"]);
    await daemon.line(/ status\.serving /);
    await sealKey(folder, `${folder}/one/monitor.key`);
    assertMatch(await reloaded(daemon), / config\.refused .*there is no terminal to ask on/);
    daemon.stop();
    await daemon.done;
  },
);

Deno.test("config check: a person may take longer to type than a file may to be read", async () => {
  const world = denoWorld();
  // Every limit has passed by the next turn.
  const after: World["clock"]["after"] = (_ms, run) => world.clock.after(0, run);
  const hasty = { ...world, clock: { ...world.clock, after } };
  const work = async (): Promise<string> => {
    await new Promise((resolve) => setTimeout(resolve, 50));
    return "typed";
  };
  const about = { world: hasty, about: "key", what: "the key", work };
  assertEquals(await tried({ ...about, asksPerson: true }), { done: "typed" });
  assert("check" in await tried(about));
  // What came too late still ends.
  await work();
});
