import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { formatNote } from "../../src/tlog/note.ts";
import { generateSigner } from "../../src/world/signer.ts";
import { parseRecord } from "../../src/evidence/record.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { VERSION } from "../../src/world/version.ts";
import { WorldError } from "../../src/world/world.ts";
import { inFolder, keyFile, noteLine, proofLine, put, run, start, twoStories } from "./harness.ts";

const ANY_PORT = "127.0.0.1:0";

for (
  const name of [...[
    "demo",
    "init",
    "config",
    "run",
    "status",
    "observations",
    "keygen",
    "seal",
    "open",
    "listen",
    "exchange",
  ], ...["gather", "ask", "detect", "verify", "incidents", "log"]]
) {
  Deno.test(`${name}: --help shows how it is used, with an example`, async () => {
    const { code, out } = await run(name, "--help");
    assertEquals(code, 0);
    assertStringIncludes(out.join("\n"), `hearsay ${name}`);
    assertStringIncludes(out.join("\n"), "Example:\n  hearsay ");
    assertEquals((await run("help", name)).out, out);
  });
}

Deno.test("program: of a mistyped option it names the one that was meant, and all there are", async () => {
  const cases: [args: string[], message: string][] = [
    [["status", "--wach"], "did you mean --watch? the options are: --config --all --json --watch"],
    [["status", "--wach=3"], "did you mean --watch?"],
    [["detect", "--konwn", "x"], "did you mean --known?"],
    [["incidents", "list", "--sinze", "2h"], "did you mean --since?"],
    [["run", "--everything"], 'there is no option "--everything"; the options are: --'],
  ];
  for (const [args, message] of cases) {
    const { code, err } = await run(...args);
    assertEquals([args, code], [args, 2]);
    assertStringIncludes(err[0]!, message);
  }
});

Deno.test("program: who names a configuration without --config is told of it", async () => {
  const hint = /\. A configuration is named by --config FILE$/;
  for (
    const line of [
      "status lima/hearsay.jsonc",
      "run berlin/hearsay.jsonc",
      "incidents list berlin",
      "incidents check berlin/hearsay.jsonc",
      "observations list berlin",
    ]
  ) {
    const { code, err } = await run(...line.split(" "));
    assertEquals([line, code], [line, 2]);
    assertMatch(err[0]!, hint);
  }
  // Where none is meant, none is named.
  for (const line of ["incidents nonsense", "run --nonsense", "observations nonsense"]) {
    assert(!hint.test((await run(...line.split(" "))).err[0]!), line);
  }
});

Deno.test("program: no command, an unknown one and --help", async () => {
  assertEquals((await run()).code, 2);
  const unknown = await run("detekt");
  assertEquals(unknown.code, 2);
  assertEquals(unknown.err, [
    "hearsay: there is no command \"detekt\"; did you mean 'hearsay detect'?",
  ]);
  const far = await run("help", "everything");
  assertEquals([far.code, far.out], [2, []]);
  assertStringIncludes(far.err.join(), "there are: demo, init, config, run, status");
  for (const flag of ["--version", "version", "-V"]) {
    assertEquals(await run(flag), { code: 0, out: [`hearsay ${VERSION}`], err: [] });
  }
  const help = await run("--help");
  assertEquals(help.code, 0);
  assertStringIncludes(help.out.join(), "Exit codes");
});

Deno.test("program: an error of our own never ends with 1, which accuses a log", async () => {
  const world = denoWorld();
  const broken = {
    ...world,
    files: { ...world.files, open: () => Promise.reject(new TypeError("a bug")) },
  };
  const { code, err } = await start(["verify", "x"], broken).done;
  assertEquals(code, 3);
  assertStringIncludes(err.join(), "a fault in Hearsay itself");
});

inFolder(
  "keygen: makes a key of mode 0600, prints its vkey and never overwrites",
  async (folder) => {
    const path = `${folder}/k.key`;
    const { code, out } = await run("keygen", "monitor.invalid/ber", "--out", path);
    assertEquals(code, 0);
    assertMatch(out[0]!, /^monitor\.invalid\/ber\+[0-9a-f]{8}\+A[A-Za-z0-9+/=]+$/);
    const key = Deno.readTextFileSync(path);
    assertMatch(key, /^PRIVATE\+KEY\+monitor\.invalid\/ber\+[0-9a-f]{8}\+A[A-Za-z0-9+/=]+\n$/);
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
    const again = await run("keygen", "monitor.invalid/ber", "--out", path);
    assertEquals(again.code, 2);
    assertStringIncludes(again.err.join(), "never overwritten");
    assertEquals(Deno.readTextFileSync(path), key);
  },
);

inFolder("keygen: bad names and places are refused, and leave nothing behind", async (folder) => {
  for (const name of ["a b", "a+b", "", "a\nb"]) {
    assertEquals((await run("keygen", name, "--out", `${folder}/x`)).code, 2, name);
  }
  assertEquals((await run("keygen")).code, 2);
  assertEquals((await run("keygen", "a", "--out", `${folder}/missing/x`)).code, 3);
  const world = denoWorld();
  const create = world.files.create;
  const full = {
    ...world,
    files: {
      ...world.files,
      create: async (path: string, permissions: number) => ({
        ...await create(path, permissions),
        write: () => Promise.reject(new WorldError("other", "No space left on device")),
      }),
    },
  };
  const { code, err } = await start(["keygen", "a", "--out", `${folder}/full`], full).done;
  assertEquals(code, 3);
  assertStringIncludes(err.join(), "No space left");
  assertEquals([...Deno.readDirSync(folder)], []);
});

inFolder(
  "listen and exchange: both report matching checkpoints in the agreed words",
  async (folder) => {
    const { a, log } = await twoStories({ common: 5, size: 5 });
    const have = put(folder, "note", await a.checkpoint());
    const listening = start(["listen", "--address", ANY_PORT, "--log", log, "--have", have]);
    const address = (await listening.line(/^listening on /)).replace("listening on ", "");
    const caller = await run("exchange", address, "--log", log, "--have", have);
    assertEquals(caller.out, ["[Gossip] received checkpoint size=5 — matches local checkpoint"]);
    assertEquals(caller.code, 0);
    await listening.line(/^\[Gossip\]/);
    listening.stop();
    const { code, out } = await listening.done;
    assertEquals(code, 0);
    assertEquals(out[1], "[Gossip] received checkpoint size=5 — matches local checkpoint");
  },
);

inFolder(
  "listen and exchange: a split view is recorded by both under one evidence_id",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 5, size: 8 });
    const [one, two] = [
      put(folder, "a", await a.checkpoint()),
      put(folder, "b", await b.checkpoint()),
    ];
    const key = async (name: string): Promise<string[]> => [
      ...["--key", await keyFile(folder, name)],
      ...["--incidents", `${folder}/${name}`],
    ];
    const mine = ["--log", log, "--have", one, ...await key("one")];
    const theirs = ["--log", log, "--have", two, ...await key("two")];
    for (const round of ["first", "again"]) {
      const listening = start(["listen", "--address", ANY_PORT, ...mine]);
      const address = (await listening.line(/^listening on /)).replace("listening on ", "");
      const caller = await run("exchange", address, ...theirs);
      assertEquals(caller.code, 1, caller.err.join("\n"));
      assertMatch(caller.out.join("\n"), /INCONSISTENT: the log signed another root at this size/);
      listening.stop();
      const heard = await listening.done;
      assertEquals([round, heard.code], [round, 1]);
    }
    const ids = [];
    for (const name of ["one", "two"]) {
      const list = await run("incidents", "list", "--json", "--incidents", `${folder}/${name}`);
      assertEquals(list.out.length, 1, "one entry, however often it is heard");
      ids.push(parseRecord(JSON.parse(list.out[0]!).record).evidence_id);
      const check = await run("incidents", "check", "--incidents", `${folder}/${name}`);
      assertMatch(
        check.out.join(),
        /^1 case, the chain is whole; the last hash is [0-9a-f]{64}; 0 do not hold$/,
      );
      assertEquals(check.code, 0);
    }
    assertEquals(ids[0], ids[1]);
    const shown = await run(
      "incidents",
      "show",
      ids[0]!.slice(0, 12),
      "--json",
      "--incidents",
      `${folder}/one`,
    );
    const file = put(folder, "record.json", shown.out[0]!);
    assertEquals((await run("verify", file, "--log", log)).code, 0);
    assertEquals((await run("incidents", "show", "1", "--incidents", `${folder}/one`)).code, 0);
    assertEquals((await run("incidents", "show", "9", "--incidents", `${folder}/one`)).code, 2);
  },
);

inFolder("exchange: without --key a conflict is shown whole, and not recorded", async (folder) => {
  const { a, b, log } = await twoStories({ common: 5, size: 8 });
  const [one, two] = [
    put(folder, "a", await a.checkpoint()),
    put(folder, "b", await b.checkpoint()),
  ];
  const listening = start(["listen", "--address", ANY_PORT, "--log", log, "--have", one]);
  const address = (await listening.line(/^listening on /)).replace("listening on ", "");
  const { code, out, err } = await run("exchange", address, "--log", log, "--have", two);
  listening.stop();
  await listening.done;
  assertEquals(code, 1);
  assertStringIncludes(err.join(), "no --key");
  assertMatch(out.join("\n"), /NOT SIGNED AND NOT RECORDED/);
  const saved = out.join("\n").match(/\{"checkpoint_a".*\}/)![0];
  assertEquals((await run("verify", put(folder, "r", saved), "--log", log)).code, 0);
});

inFolder(
  "exchange: an unreachable peer is an outage, 3, and never misbehaviour",
  async (folder) => {
    const { a, log } = await twoStories({ common: 5, size: 5 });
    const have = put(folder, "a", await a.checkpoint());
    const closed = denoWorld().network.listen({ hostname: "127.0.0.1", port: 0 });
    closed.close();
    const port = `127.0.0.1:${closed.address.port}`;
    const { code, err } = await run("exchange", port, "--log", log, "--have", have);
    assertEquals(code, 3);
    assertStringIncludes(err.join(), `peer ${port} cannot be reached`);
  },
);

inFolder("listen and exchange: wrong usage ends with 2", async (folder) => {
  const { a, log } = await twoStories({ common: 5, size: 5 });
  const have = put(folder, "a", await a.checkpoint());
  const bad = put(folder, "bad", (await a.checkpoint()).replace("\n5\n", "\n6\n"));
  const cases = [
    ["exchange", "--log", log],
    ["exchange", "nowhere", "--log", log],
    ["exchange", "127.0.0.1:99999", "--log", log],
    ["exchange", "127.0.0.1:1", "--log", log, "--have", bad],
    ["exchange", "127.0.0.1:1", "--log", log, "--have", `${folder}/missing`],
    ["listen", "--log", log, "--address", "x"],
    ["listen", "--have", have],
    ["listen", "extra", "--log", log],
  ];
  for (const args of cases) assertEquals((await run(...args)).code, 2, args.join(" "));
});

inFolder(
  "a private key in the place of a vkey, a file or an address is not repeated",
  async (folder) => {
    const key = Deno.readTextFileSync(await keyFile(folder)).trim();
    // The base64 may have plus signs of its own.
    const secret = key.split("+").slice(4).join("+").slice(0, 8);
    assertEquals(secret.length, 8);
    const file = put(folder, "file", "x");
    for (
      const args of [
        ["detect", "--log", key, file],
        ["listen", "--log", `${key} origin`],
        ["verify", file, "--detector", key],
        ["verify", key],
        ["status", key],
        ["exchange", key],
        ["incidents", "list", "--incidents", key],
        ["detect", key],
      ]
    ) {
      const { code, out, err } = await run(...args);
      assert(code >= 2);
      assert(!`${out}${err}`.includes(secret), args.join(" "));
    }
  },
);

inFolder("listen: an address that is taken, and a journal that is, end with 3", async (folder) => {
  const { log } = await twoStories({ common: 5, size: 5 });
  const key = await keyFile(folder);
  const args = ["--log", log, "--key", key, "--incidents", `${folder}/in`];
  const listening = start(["listen", "--address", ANY_PORT, ...args]);
  const address = (await listening.line(/^listening on /)).replace("listening on ", "");
  const locked = await run("listen", "--address", ANY_PORT, ...args);
  assertEquals(locked.code, 3);
  assertStringIncludes(locked.err.join(), "is being written by another process");
  const taken = await run("listen", "--address", address, "--log", log);
  assertEquals(taken.code, 3);
  assertStringIncludes(taken.err.join(), `cannot listen on ${address}`);
  listening.stop();
  assertEquals((await listening.done).code, 0);
});

inFolder(
  "verify: says so when the key came from the file, and obeys --log and --detector",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 3, size: 6 });
    const other = await twoStories({ common: 1, size: 2 });
    const lines = put(folder, "lines", [await noteLine(a, 6), await noteLine(b, 6)].join("\n"));
    const key = await keyFile(folder);
    const incidents = `${folder}/in`;
    const { out } = await run(
      "detect",
      "--json",
      "--log",
      log,
      "--key",
      key,
      "--incidents",
      incidents,
      lines,
    );
    const file = put(folder, "record.json", JSON.stringify(JSON.parse(out[0]!), null, 2));
    const plain = await run("verify", file);
    assertEquals(plain.code, 0);
    assertStringIncludes(plain.out.join("\n"), "The log's key came from the file itself");
    assert(
      !(await run("verify", file, "--log", log)).out.join("\n").includes("came from the file"),
    );
    assertEquals((await run("verify", file, "--log", other.log)).code, 1);
    const { detector_vkey } = parseRecord(out[0]!);
    assertEquals((await run("verify", file, "--detector", detector_vkey!)).code, 0);
    assertEquals((await run("verify", file, "--detector", other.log)).code, 1);
    const json = JSON.parse((await run("verify", file, "--json")).out[0]!);
    assertEquals([json.outcome, json.signed, json.checks.length], ["holds", true, 8]);
  },
);

inFolder("verify: a record, an entry and a journal; each damage is named", async (folder) => {
  const { a, b, log } = await twoStories({ common: 3, size: 6 });
  const lines = [];
  for (const size of [4, 5, 6]) lines.push(await noteLine(a, size), await noteLine(b, size));
  const gathered = put(folder, "lines", lines.join("\n"));
  const key = await keyFile(folder);
  await run("detect", "--log", log, "--key", key, "--incidents", folder, gathered);
  const journal = Deno.readTextFileSync(`${folder}/journal.jsonl`);
  const [one, two, three] = journal.trimEnd().split("\n") as [string, string, string];
  const record = JSON.stringify(JSON.parse(one).record);
  const sound: [string, string][] = [
    ["a journal", journal],
    ["an entry", one],
    ["a later entry", three],
    ["a part of a journal", `${two}\n${three}\n`],
    ["a record", record],
    ["records, a line each", `${record}\n${JSON.stringify(JSON.parse(two).record)}\n`],
  ];
  for (const [what, content] of sound) {
    const { code, out } = await run("verify", put(folder, "file", content), "--log", log);
    assertEquals([what, code], [what, 0], out.join("\n"));
    const piped = start(["verify", "-", "--log", log], undefined, [], utf8(content));
    assertEquals(await piped.done, { code, out, err: [] });
  }
  const damaged: [string, string, RegExp][] = [
    ["truncated", one.slice(0, -20), /expected one JSON object/],
    ["a torn end", journal + one.slice(0, 50), /ends without a newline/],
    ["entries exchanged", `${one}\n${three}\n${two}\n`, /seq is 3, expected 2/],
    ["an entry dropped", `${one}\n${three}\n`, /seq is 3, expected 2/],
    ["an entry changed", journal.replace('"seq":2', '"seq":7'), /journal entry: hash is/],
    ["a first entry that is not", one.replace(/"prev_hash":"0/, '"prev_hash":"1'), /hash is/],
    ["a record without its id", record.replace("evidence_id", "evidence"), /evidence_id/],
  ];
  for (const [what, content, message] of damaged) {
    const { code, out } = await run("verify", put(folder, "file", content), "--log", log);
    assertEquals([what, code], [what, 1]);
    assertMatch(out.join("\n"), message);
  }
  const others = ["", "hello\n", "\0\x01\x02", "{}", "[1, 2]\n", '{ "name": "a package" }\n'];
  for (const content of others) {
    const path = put(folder, "file", content);
    for (const flags of [[], ["--json"]]) {
      const { code, out, err } = await run("verify", path, "--log", log, ...flags);
      const line = `hearsay verify: "${path}" holds no conflict record and no incident journal`;
      assertEquals([code, out, err], [2, [], [line]], JSON.stringify(content));
    }
  }
  assertEquals((await run("verify", `${folder}/missing`)).code, 2);
  assertEquals((await run("verify")).code, 2);
});

inFolder(
  "incidents: damage ends with 3 and the line; a torn end is told and left",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 3, size: 6 });
    const lines = put(folder, "lines", [await noteLine(a, 6), await noteLine(b, 6)].join("\n"));
    const key = await keyFile(folder);
    await run("detect", "--log", log, "--key", key, "--incidents", folder, lines);
    const path = `${folder}/journal.jsonl`;
    const journal = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, journal + "half a li");
    const torn = await run("incidents", "check", "--incidents", folder);
    assertEquals(torn.code, 0);
    assertStringIncludes(torn.err.join(), "line 2 is not complete");
    assertEquals(Deno.readTextFileSync(path), journal + "half a li");
    const again = await run("detect", "--log", log, "--key", key, "--incidents", folder, lines);
    assertStringIncludes(again.err.join(), "it was set aside in");
    assertEquals(Deno.readTextFileSync(path), journal);

    Deno.writeTextFileSync(path, journal.replace('"seq":1', '"seq":2'));
    for (const what of ["list", "check"]) {
      const { code, err } = await run("incidents", what, "--incidents", folder);
      assertEquals(code, 3);
      assertStringIncludes(err.join(), "line 1 is damaged");
    }
    assertEquals((await run("incidents", "list", "--incidents", `${folder}/none`)).code, 3);
    assertEquals((await run("incidents", "burn")).code, 2);
  },
);

Deno.test("demo: catches the split view in under ten seconds and leaves evidence a stranger can check", async () => {
  const started = performance.now();
  const { code, out, err } = await run("demo");
  const text = out.join("\n");
  const folder = text.match(/(\S+hearsay-demo-[^/]+)\//)![1]!;
  try {
    assertEquals([code, err], [0, []]);
    assert(performance.now() - started < 10_000);
    assertStringIncludes(text, "[Gossip] received checkpoint size=3 — matches local checkpoint");
    assertStringIncludes(text, "INCONSISTENT");
    assertStringIncludes(text, `All of it stays in ${folder}: remove that folder`);
    assertStringIncludes(text, "The evidence holds (1 record).");
    assertMatch(
      out.at(-1)!,
      /People have to find that out\.$/,
      "nothing comes after its closing words",
    );
    const [file] = text.match(/\S+tokyo\/incidents\/journal\.jsonl/)!;
    const log = text.match(/--log (\S+)/)![1]!;
    assertEquals((await run("verify", file, "--log", log)).code, 0);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("sample: the record in incidents/ holds, under the key its README names", async () => {
  const folder = new URL("../../incidents/", import.meta.url).pathname;
  const readme = Deno.readTextFileSync(`${folder}README.md`);
  const log = readme.match(/--log (\S+)/)![1]!;
  const { code, out } = await run("verify", `${folder}sample.json`, "--log", log);
  assertEquals([code, out.at(-1)], [0, "The evidence holds (1 record)."]);
});

inFolder(
  "exchange: what is proven ends with 1 even if the peer then cannot be reached",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 5, size: 8 });
    const lines = put(folder, "both", [await noteLine(a, 8), await noteLine(b, 8)].join("\n"));
    const { code, err } = await run("exchange", "127.0.0.1:1", "--log", log, "--have", lines);
    assertEquals(code, 1);
    assertStringIncludes(err.join(), "cannot be reached");
  },
);

inFolder(
  "listen: conflicts that only the records of several runs show together are recorded",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 4, size: 9 });
    const key = await keyFile(folder);
    const args = ["detect", "--log", log, "--key", key, "--incidents", folder];
    // Two runs, each convicting one root of size 6 by the other story's root of size 9.
    for (const [story, name] of [[b, "b"], [a, "a"]] as const) {
      const newer = story === a ? b : a;
      const file = put(
        folder,
        name,
        [
          await noteLine(story, 6),
          await noteLine(newer, 9),
          proofLine(newer, 6, 9),
        ].join("\n"),
      );
      assertEquals((await run(...args, file)).code, 1);
    }
    const before = await run("incidents", "list", "--json", "--incidents", folder);
    assertEquals(before.out.length, 2);
    const listening = start([
      "listen",
      "--address",
      ANY_PORT,
      "--log",
      log,
      "--key",
      key,
      "--incidents",
      folder,
    ]);
    await listening.line(/^listening on /);
    listening.stop();
    await listening.done;
    const after = await run("incidents", "list", "--json", "--incidents", folder);
    const kinds = after.out.map((line) => parseRecord(JSON.parse(line).record).kind);
    // Both sizes now have both roots: 6 and 9.
    assertEquals(kinds, ["cross_size", "cross_size", "same_size", "same_size"]);
  },
);

inFolder(
  "exchange: a split hidden behind an extension line is recorded by both",
  async (folder) => {
    const { signer } = await generateSigner({ world: denoWorld(), name: "test.invalid/extended" });
    const haves = await Promise.all([1, 2].map(async (story) => {
      const root = base64(new Uint8Array(32).fill(story));
      const text = `${signer.vkey.name}\n7\n${root}\nan extension line\n`;
      const signature = await signer.sign(utf8(text));
      return put(folder, `${story}`, formatNote({ text, vkey: signer.vkey, signature }));
    }));
    const argsOf = async (i: number): Promise<string[]> => [
      ...["--log", signer.vkey.text, "--have", haves[i]!, "--incidents", `${folder}/in${i}`],
      ...["--key", await keyFile(folder, `monitor.invalid/${i}`)],
    ];
    const listening = start(["listen", "--address", ANY_PORT, ...await argsOf(0)]);
    const address = (await listening.line(/^listening on /)).replace("listening on ", "");
    assertEquals((await run("exchange", address, ...await argsOf(1))).code, 1);
    listening.stop();
    assertEquals((await listening.done).code, 1);
    const ids = await Promise.all([0, 1].map(async (i) => {
      const { out } = await run("incidents", "list", "--json", "--incidents", `${folder}/in${i}`);
      assertEquals(out.length, 1);
      return parseRecord(JSON.parse(out[0]!).record).evidence_id;
    }));
    assertEquals(ids[0], ids[1]);
  },
);

inFolder(
  "listen: a proof in --have that shows a contradiction is judged as well",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 3, size: 6 });
    const lines = [proofLine(a, 4, 6), await noteLine(b, 4), await noteLine(a, 6)].join("\n");
    const have = put(folder, "lines", lines);
    const listening = start(["listen", "--address", ANY_PORT, "--log", log, "--have", have]);
    await listening.line(/^listening on /);
    listening.stop();
    const { code, out, err } = await listening.done;
    assertEquals(code, 1);
    assertMatch([...out, ...err].join("\n"), /cross_size conflict of test\.invalid\/log/);
  },
);
