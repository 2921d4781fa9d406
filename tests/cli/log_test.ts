import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "@std/assert";
import { openCheckpoint } from "../../src/tlog/checkpoint.ts";
import { parseLog } from "../../src/tlog/log.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { WorldError } from "../../src/world/world.ts";
import { inFolder, keyFile, put, run, type Running, start } from "./harness.ts";
import { edit, makeMonitor } from "./monitors.ts";

/** Starts serving on a free port; the base URLs it printed, each with a slash at its end. */
async function serving(...args: string[]): Promise<{ running: Running; urls: string[] }> {
  const running = start(["log", "serve", ...args, "--port", "0"]);
  await running.line(/^serving /);
  return { running, urls: running.out.map((line) => line.slice(line.indexOf("http://"))) };
}

async function stop(running: Running): Promise<void> {
  running.stop();
  assertEquals((await running.done).code, 0);
}

/** A log with five entries; its folder and LOG. */
async function newLog(folder: string, name = "one"): Promise<{ dir: string; log: string }> {
  const dir = `${folder}/${name}`;
  const { code, out } = await run("log", "init", dir, "--origin", "test.invalid/log");
  assertEquals(code, 0);
  await run("log", "append", dir, "--count", "5");
  return { dir, log: out[0]! };
}

inFolder(
  "log init: prints the LOG, keeps the key to the owner, never overwrites",
  async (folder) => {
    const { dir, log } = await newLog(folder);
    assertEquals(parseLog(log).origin, "test.invalid/log");
    assertEquals(Deno.statSync(`${dir}/log.key`).mode! & 0o777, 0o600);
    const again = await run("log", "init", dir, "--origin", "test.invalid/log");
    assertEquals(again.code, 2);
    assertStringIncludes(again.err.join(), "there is a log in");
    assertEquals(Deno.readTextFileSync(`${dir}/checkpoint`).split("\n")[1], "5");
  },
);

inFolder("log init: an origin that sounds real is marked as a test log's", async (folder) => {
  const { code, out, err } = await run("log", "init", `${folder}/a`, "--origin", "example.com/log");
  assertEquals(code, 0);
  assertEquals(parseLog(out[0]!).origin, "test/example.com/log");
  assertStringIncludes(err.join(), "The origin is test/example.com/log");
});

inFolder("log append: one checkpoint for all, made-up entries or given ones", async (folder) => {
  const { dir, log } = await newLog(folder);
  const texts = await run("log", "append", dir, "sixth", "seventh");
  assertMatch(texts.out[0]!, /^size 7, root [A-Za-z0-9+/]{43}=$/);
  const one = await run("log", "append", dir);
  assertMatch(one.out[0]!, /^size 8, /);
  const opened = openCheckpoint({
    note: Deno.readFileSync(`${dir}/checkpoint`),
    logs: [parseLog(log)],
  });
  assert(!("refused" in opened));
  assertEquals(one.out[0], `size ${opened[0]!.treeSize}, root ${opened[0]!.root}`);
  const bundle = Deno.readFileSync(`${dir}/tile/entries/000.p/7`);
  assertStringIncludes(new TextDecoder().decode(bundle), "\0\x05sixth\0\x07seventh");
});

inFolder(
  "log rotate: the same history goes on under a new key, and a monitor is held to it",
  async (folder) => {
    const { dir, log } = await newLog(folder);
    const config = await makeMonitor(
      `${folder}/berlin`,
      { log, source: dir },
      "--listen",
      "[::1]:0",
    );
    assertEquals((await run("run", "--config", config, "--once")).code, 0);
    const rotated = await run("log", "rotate", dir, `${folder}/new`);
    assertEquals(rotated.code, 0, rotated.err.join("\n"));
    const [fresh] = rotated.out as [string];
    assertEquals(rotated.out.length, 1);
    assertStringIncludes(rotated.err.join("\n"), `it replaces ${log}`);
    assertEquals(parseLog(fresh).origin, parseLog(log).origin);
    assertNotEquals(parseLog(fresh).vkey.text, parseLog(log).vkey.text);
    assertEquals((await run("log", "append", `${folder}/new`, "--count", "300")).code, 0);
    edit(config, `"vkey": "${log}"`, `"vkey": "${fresh}", "replaces": "${log}"`);
    edit(config, `"source": "${dir}"`, `"source": "${folder}/new"`);
    const held = await run("run", "--config", config, "--once");
    assertEquals(held.code, 0, held.err.join("\n"));
    assertMatch(held.out.join("\n"), /log\.first .*proven to continue .* from size 5/);
    assertEquals((await run("log", "append", dir)).code, 0, "the old log is as it was");
  },
);

inFolder("log: a full disk is told with the folder that could not be written", async (folder) => {
  const { dir } = await newLog(folder);
  const world = denoWorld();
  const full = () => Promise.reject(new WorldError("other", "No space left on device"));
  const noRoom = { ...world, files: { ...world.files, create: full, makeFolder: full } };
  const ways: [args: string[], path: string][] = [
    [["log", "init", `${folder}/x`, "--origin", "test"], `${folder}/x`],
    [["log", "append", dir], dir],
    [["log", "fork", dir, `${folder}/y`], `${folder}/y`],
    [["log", "rotate", dir, `${folder}/z`], `${folder}/z`],
  ];
  for (const [args, path] of ways) {
    const { code, err } = await start(args, noRoom).done;
    assertEquals(
      [code, err],
      [3, [`hearsay log: cannot write "${path}": No space left on device`]],
    );
  }
  const key = await keyFile(folder);
  const kept = ["--key", key, "--incidents", `${folder}/in`];
  const { code, err } = await start(["detect", ...kept, dir], noRoom).done;
  assertEquals(code, 3);
  assertStringIncludes(err.join("\n"), `cannot write "${folder}/in": No space left on device`);
});

inFolder(
  "log fork: what is appended to either, even made up, makes them differ",
  async (folder) => {
    const { dir, log } = await newLog(folder);
    assertEquals((await run("log", "fork", dir, `${folder}/two`)).code, 0);
    const [a, b] = await Promise.all(
      [dir, `${folder}/two`].map((one) => run("log", "append", one, "--count", "300")),
    );
    assertNotEquals(a!.out, b!.out);
    const halves = [`${dir}/checkpoint`, `${folder}/two/checkpoint`];
    const judged = await run("detect", "--log", log, ...halves);
    assertEquals(judged.code, 1, judged.err.join("\n"));
  },
);

inFolder("log: wrong usage ends with 2 and says what was wanted", async (folder) => {
  const { dir } = await newLog(folder);
  const cases: [string[], string][] = [
    [[], "expected init, append, fork, rotate or serve; got: nothing"],
    [["toString"], 'got: "toString"'],
    [["init", `${folder}/x`], "--origin is missing"],
    [["init", `${folder}/x`, "--origin", "test log"], "expected no spaces"],
    [["append"], "expected DIR [TEXT…]; got: nothing"],
    [["append", `${folder}/none`], "there is no log in"],
    [["append", dir, "--count", "0"], "expected a number from 1 to"],
    [["append", dir, "--count", "10000001"], "expected a number from 1 to"],
    [["append", dir, "--count", "2", "text"], "got both"],
    [["append", dir, "x".repeat(65_536)], "expected at most 65535"],
    [["fork", dir], "expected DIR NEWDIR"],
    [["fork", dir, dir], "there is a log in"],
    [["rotate", dir], "expected DIR NEWDIR"],
    [["rotate", dir, dir], "there is a log in"],
    [["rotate", `${folder}/none`, `${folder}/y`], "there is no log in"],
    [["fork", `${folder}/none`, `${folder}/y`], "there is no log in"],
    [["serve", dir], "--port is missing"],
    [["serve", dir, "--port", "65536"], "expected HOST:PORT"],
    [["serve", folder, "--port", "0"], "there is no log in"],
    [["serve", dir, "--port", "0", "--split", folder], "there is no log in"],
  ];
  for (const [args, message] of cases) {
    const { code, err } = await run("log", ...args);
    assertEquals([code, args.slice(0, 2)], [2, args.slice(0, 2)]);
    assertStringIncludes(err.join("\n"), message);
  }
  assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["one"]);
});

inFolder("log serve: checkpoint and tiles as they are now, and nothing else", async (folder) => {
  const { dir } = await newLog(folder);
  put(dir, "tile/secret", "secret");
  const { running, urls: [url] } = await serving(dir);
  const get = async (path: string, init?: RequestInit): Promise<[number, string]> => {
    const response = await fetch(url + path, init);
    return [response.status, await response.text()];
  };
  const note = Deno.readTextFileSync(`${dir}/checkpoint`);
  assertEquals(await get("checkpoint"), [200, note]);
  assertEquals(
    await get("tile/entries/000.p/5"),
    [200, Deno.readTextFileSync(`${dir}/tile/entries/000.p/5`)],
  );
  for (
    const path of [
      ...["", "log.key", "tile/secret", "tile/0/000", "tile/0/000.p/0", "tile/0/000.p/4"],
      ...["tile/64/000", "tile/0/../../log.key", "tile/0/%2e%2e/%2e%2e/log.key", "tile/0/0000"],
      ...["other/checkpoint", "checkpoint/", "/checkpoint", "tile/0/000.p/5/"],
    ]
  ) assertEquals(await get(path), [404, ""], path);
  assertEquals(await get("checkpoint", { method: "POST" }), [405, ""]);
  assertEquals(await get("checkpoint", { method: "HEAD" }), [200, ""]);
  await run("log", "append", dir, "sixth");
  const grown = await get("checkpoint");
  assertEquals(grown[1].split("\n")[1], "6");
  assertEquals((await get("tile/0/000.p/6"))[0], 200);
  await stop(running);
});

inFolder("log serve: a checkpoint that has not changed is not sent again", async (folder) => {
  const { dir } = await newLog(folder);
  const { running, urls: [url] } = await serving(dir);
  const ask = async (etag: string | null) => {
    const headers = etag === null ? {} : { "if-none-match": etag };
    const response = await fetch(`${url}checkpoint`, { headers });
    return {
      status: response.status,
      body: await response.text(),
      etag: response.headers.get("etag"),
    };
  };
  const first = await ask(null);
  assertMatch(first.etag!, /^"[0-9a-f]{64}"$/);
  assertEquals(await ask(first.etag), { status: 304, body: "", etag: first.etag });
  await run("log", "append", dir);
  const second = await ask(first.etag);
  assertEquals(second.status, 200);
  assertNotEquals(second.etag, first.etag);
  await stop(running);
});

inFolder("log serve: --split shows each history below its own path", async (folder) => {
  const { dir } = await newLog(folder);
  await run("log", "fork", dir, `${folder}/two`);
  await run("log", "append", dir);
  await run("log", "append", `${folder}/two`);
  const { running, urls } = await serving(dir, "--split", `${folder}/two`);
  await running.line(/\/other\/$/);
  const origin = urls[0]!;
  for (const [path, own] of [["first/", dir], ["other/", `${folder}/two`]] as const) {
    for (const file of ["checkpoint", "tile/0/000.p/6"]) {
      const response = await fetch(`${origin}${path}${file}`);
      assertEquals(
        new Uint8Array(await response.arrayBuffer()),
        Deno.readFileSync(`${own}/${file}`),
      );
    }
  }
  await stop(running);
});

inFolder(
  "log serve: --split shows two callers two histories, and each always the same",
  async (folder) => {
    const { dir } = await newLog(folder);
    const other = `${folder}/two`;
    await run("log", "fork", dir, other);
    await run("log", "append", dir);
    await run("log", "append", other);
    const { running, urls } = await serving(dir, "--split", other);
    const stories = [];
    for (let caller = 0; caller < 2; caller++) {
      using client = Deno.createHttpClient({});
      const seen = new Set<string>();
      for (let look = 0; look < 3; look++) {
        seen.add(await (await fetch(`${urls[0]}checkpoint`, { client })).text());
      }
      stories.push([...seen]);
    }
    const both = [dir, other].map((story) => [Deno.readTextFileSync(`${story}/checkpoint`)]);
    assertEquals(stories, both);
    await stop(running);
  },
);

inFolder("log serve: a port that is taken ends with 3", async (folder) => {
  const { dir } = await newLog(folder);
  const { running, urls: [url] } = await serving(dir);
  const { code, err } = await run("log", "serve", dir, "--port", new URL(url!).port);
  assertEquals(code, 3);
  assertStringIncludes(err.join(), "cannot listen on 127.0.0.1:");
  await stop(running);
});
