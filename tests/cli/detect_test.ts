import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { concat } from "@std/bytes/concat";
import {
  frameLine,
  frameOf,
  inFolder,
  keyFile,
  noteLine,
  proofLine,
  put,
  recordsOf,
  run,
  start,
  twoStories,
} from "./harness.ts";
import { MAX_WHOLE_BYTES } from "../../src/gather/read.ts";
import { MAX_ROOTS_PER_SIZE } from "../../src/evidence/memory.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { WorldError } from "../../src/world/world.ts";
import { base64 } from "../../src/tlog/encoding.ts";

inFolder("detect: one story is no conflict, from a note, frames and JSON lines", async (folder) => {
  const { a, log } = await twoStories({ common: 9, size: 12 });
  const note = put(folder, "note", await a.checkpoint());
  const frames = put(
    folder,
    "frames",
    concat([await frameOf(a, 3), new Uint8Array(104), await frameOf(a, 12)]),
  );
  const lines = put(
    folder,
    "lines",
    [
      ...[await noteLine(a, 5), "", await frameLine(a, 7)],
      ...[proofLine(a, 5, 12), proofLine(a, 3, 7), proofLine(a, 7, 12)],
    ].join("\n"),
  );
  const { code, out, err } = await run("detect", "--log", log, note, frames, lines);
  assertEquals(err, []);
  assertEquals(out, [
    "5 checkpoints read, 3 proofs followed, 0 rejected; conflicts: 0 same_size, 0 cross_size",
  ]);
  assertEquals(code, 0);
});

inFolder(
  "detect: a split view is a conflict a line, unsigned without --key, and ends with 1",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 3, size: 6 });
    const file = put(
      folder,
      "lines",
      [await noteLine(a, 6, "berlin"), await frameLine(b, 6, "lima")].join("\n"),
    );
    const plain = await run("detect", "--log", log, file);
    assertEquals(plain.code, 1);
    assertMatch(
      plain.out[0]!,
      /^same_size conflict of test\.invalid\/log: size=6 root=.* \(berlin\) and size=6 .* \(lima\) evidence_id=[0-9a-f]{64}$/,
    );
    assertEquals(
      plain.out[1],
      "2 checkpoints read, 0 proofs followed, 0 rejected; conflicts: 1 same_size, 0 cross_size",
    );
    assertStringIncludes(
      plain.err.join(),
      "no --key: the records are not signed by a detector",
    );

    const json = await run("detect", "--json", "--log", log, file);
    const [record, ...more] = recordsOf(json.out);
    assertEquals(more, []);
    assertEquals(record!.evidence_signature, null);
    assertEquals([record!.source_a, record!.source_b], ["berlin", "lima"]);
    assertStringIncludes(json.err.at(-1)!, "2 checkpoints read");
    assertEquals(json.code, 1);
  },
);

inFolder("detect: with --key conflicts are recorded once, and verify holds", async (folder) => {
  const { a, b, log } = await twoStories({ common: 3, size: 6 });
  const file = put(folder, "lines", [await noteLine(a, 6), await noteLine(b, 6)].join("\n"));
  const args = [
    "detect",
    "--log",
    log,
    "--key",
    await keyFile(folder),
    "--incidents",
    `${folder}/in`,
  ];
  const first = await run(...args, file);
  assertMatch(first.out[0]!, / incident=1$/);
  assertEquals(first.code, 1);
  assertMatch((await run(...args, file)).out[0]!, / incident=1 \(known\)$/);
  const verified = await run("verify", `${folder}/in/journal.jsonl`, "--log", log);
  assertEquals([verified.code, verified.out.at(-1)], [0, "The evidence holds (1 record)."]);
});

inFolder("detect: what a limit has dropped is told with that limit", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 6 });
  const extra = 2;
  const stories = Array.from({ length: MAX_ROOTS_PER_SIZE + extra }, (_, i) => {
    const story = a.fork();
    story.append(`story ${i}`);
    return story;
  });
  const file = put(
    folder,
    "lines",
    (await Promise.all(stories.map((story) => frameLine(story, 7)))).join("\n"),
  );
  const { code, err } = await run("detect", "--log", log, file);
  assertEquals(code, 1);
  const [notice, ...others] = err.filter((line) => line.includes("were not kept"));
  assertStringIncludes(
    notice!,
    `${extra} more contradicting observations were not kept; the limit is ${MAX_ROOTS_PER_SIZE} roots for each size`,
  );
  assertEquals(others, []);
});

inFolder("detect: sizes that differ convict with a proof, never without", async (folder) => {
  const { a, b, log } = await twoStories({ common: 4, size: 9 });
  const checkpoints = [await noteLine(a, 9), await noteLine(b, 6)];
  const without = put(folder, "without", checkpoints.join("\n"));
  assertEquals((await run("detect", "--log", log, without)).code, 3);
  // The proof comes first in the file: the order of lines is nobody's evidence.
  const withProof = put(folder, "with", [proofLine(a, 6, 9), ...checkpoints].join("\n"));
  const { code, out } = await run("detect", "--json", "--log", log, withProof);
  assertEquals(code, 1);
  const [record] = recordsOf(out);
  assertEquals(record!.kind, "cross_size");
  assertEquals(record!.consistency!.implied_root, base64(a.root(6n)));
});

inFolder(
  "detect: no order of lines or files changes what is convicted or how often",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 5, size: 11 });
    const lines = [
      ...await Promise.all([3, 6, 8, 11].map((size) => noteLine(a, size))),
      ...await Promise.all([6, 8, 10].map((size) => frameLine(b, size))),
      ...[[3, 8], [6, 11], [8, 11], [10, 11]].map(([x, y]) => proofLine(a, x!, y!)),
      ...[[6, 8], [8, 10]].map(([x, y]) => proofLine(b, x!, y!)),
    ];
    const convicted = (out: string[]): string[] =>
      [
        ...new Set(
          recordsOf(out).flatMap(({ kind, checkpoint_a: x, checkpoint_b: y }) => {
            const older = BigInt(x.size) < BigInt(y.size) ? x : y;
            return (kind === "same_size" ? [x, y] : [older]).map(({ size, root }) =>
              `${size} ${root}`
            );
          }),
        ),
      ].sort();
    let first: { roots: string[]; count: number } | undefined;
    for (let turn = 0; turn < lines.length; turn++) {
      const turned = [...lines.slice(turn), ...lines.slice(0, turn)];
      const order = turn % 2 === 0 ? turned : turned.toReversed();
      const half = put(folder, "1", order.slice(0, 6).join("\n"));
      const rest = put(folder, "2", order.slice(6).join("\n"));
      const { out, code } = await run("detect", "--json", "--log", log, half, rest);
      const now = { roots: convicted(out), count: out.length };
      first ??= now;
      assertEquals([now, code], [first, 1]);
    }
    // By hand: 6 and 8 have two roots each; b's 6, 8 and 10 contradict a's 11, a's 6 contradicts b's 8,
    // and a's 8 contradicts b's 10.
    assertEquals(first!.count, 2 + 3 + 2);
    assertEquals(first!.roots.length, 5);
  },
);

inFolder(
  "detect: what is rejected is told with its place and counted by reason",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 3, size: 6 });
    const other = await twoStories({ common: 1, size: 2 });
    const frame = await frameOf(a, 6);
    const flipped = frame.with(50, frame[50]! ^ 1);
    const proof = JSON.parse(proofLine(a, 3, 6));
    const lines = [
      await noteLine(a, 6),
      await noteLine(other.a, 2),
      JSON.stringify({ frame: flipped.toHex() }),
      JSON.stringify({ frame: "00".repeat(104) }),
      JSON.stringify({ frame: "xyz" }),
      JSON.stringify({ note: 5 }),
      JSON.stringify({ note: "x", frame: "x" }),
      JSON.stringify({ source: "nobody" }),
      "{not json",
      "[1,2]",
      JSON.stringify({ ...proof, proof: proof.proof.toReversed().slice(1) }),
      JSON.stringify({ ...proof, older: { size: 1.5, root: proof.older.root } }),
      JSON.stringify({ ...proof, older: { size: 2 ** 60, root: proof.older.root } }),
      JSON.stringify({ ...proof, older: { size: "03", root: proof.older.root } }),
      JSON.stringify({ ...proof, newer: { size: 6, root: "x" } }),
      JSON.stringify({ ...proof, proof: "x" }),
      JSON.stringify({ ...proof, log: other.log }),
      JSON.stringify({ note: `${await b.checkpoint()}\x1b[2J`, source: "\x1b]0;pwned" }),
    ];
    const { code, out, err } = await run(
      "detect",
      "--log",
      log,
      put(folder, "lines", lines.join("\n")),
    );
    assertEquals(code, 3);
    assertStringIncludes(
      out.at(-1)!,
      "1 checkpoint read, 0 proofs followed, 17 rejected (unknown log 2, bad signature 1, malformed 13, " +
        "failed proof 1); conflicts: 0 same_size, 0 cross_size",
    );
    assertEquals(err.length, 18);
    // All that is malformed but the zero frame, and what is under a wrong signature.
    assertMatch(
      err.pop()!,
      /^not judged: 13 items that could not be read or with a wrong signature/,
    );
    assert(err.every((line) => /^rejected .*lines line \d+: /.test(line)), err.join("\n"));
    assert(!err.join().includes("\x1b"), "no escape sequence of the input reaches the terminal");
  },
);

inFolder("detect: nothing to judge ends with 3, never with 0", async (folder) => {
  const { a } = await twoStories({ common: 3, size: 6 });
  const other = await twoStories({ common: 1, size: 2 });
  const files: [string, string | Uint8Array][] = [
    ["empty", ""],
    ["other", await a.checkpoint()],
    ["garbage", new Uint8Array(1000).fill(200)],
    ["binary", crypto.getRandomValues(new Uint8Array(5000))],
    ["cut", (await a.checkpoint()).slice(0, 80)],
    ["zeros", new Uint8Array(104 * 3)],
  ];
  for (const [name, content] of files) {
    const { code, err } = await run("detect", "--log", other.log, put(folder, name, content));
    assertEquals([name, code], [name, 3]);
    assertStringIncludes(err.at(-1)!, "nothing to judge");
  }
});

inFolder("detect: a frame cut short at the end of a file is told", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 6 });
  const frames = put(
    folder,
    "frames",
    concat([await frameOf(a, 6), (await frameOf(a, 5)).slice(0, 50)]),
  );
  const { code, out, err } = await run("detect", "--log", log, frames);
  assertStringIncludes(
    err.join(),
    "frame 2: malformed: Cannot read frame: 50 bytes came, expected 104",
  );
  assertStringIncludes(
    out.join(),
    "1 checkpoint read, 0 proofs followed, 1 rejected (malformed 1)",
  );
  assertEquals(code, 3);
});

inFolder("detect: one key serving several origins keeps them apart", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 6 });
  const file = put(folder, "lines", [await noteLine(a, 6), proofLine(a, 3, 6)].join("\n"));
  const { code, out } = await run("detect", "--log", `${log} else.invalid`, "--log", log, file);
  assertEquals(code, 0);
  assertStringIncludes(
    out.join(),
    "1 checkpoint read, 0 proofs followed (1 more with nothing to compare)",
  );
});

inFolder(
  "detect: a line longer than anything read is rejected without being held",
  async (folder) => {
    const { a, log } = await twoStories({ common: 3, size: 6 });
    const lines = `{"note":"${"x".repeat(MAX_WHOLE_BYTES)}"}\n${await noteLine(a, 6)}\n`;
    const { code, out, err } = await run("detect", "--log", log, put(folder, "lines", lines));
    assertEquals(code, 3);
    assertStringIncludes(err.join(), "line 1: malformed: longer than");
    assertStringIncludes(out.join(), "1 checkpoint read, 0 proofs followed, 1 rejected");
  },
);

inFolder("detect: wrong usage ends with 2 and says what was wanted", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 6 });
  const note = put(folder, "note", await a.checkpoint());
  const cases: [string[], string][] = [
    [["--log", log], "expected FILE|DIR…; got: nothing"],
    [["--log", "nonsense", note], "Cannot read vkey"],
    [["--log", log, `${folder}/missing`], "there is no file"],
    [["--log", log, "--incidents", folder, note], "--incidents needs --key"],
    [["--log", log, "--key", note, note], "Cannot read private key"],
    [["--log", log, "--verbose", note], 'there is no option "--verbose"'],
    [["--log", log, "--key", "a", "--key", "b", note], "--key is given 2 times"],
    [["--log"], "--log has no value"],
  ];
  for (const [args, message] of cases) {
    const { code, out, err } = await run("detect", ...args);
    assertEquals([code, out], [2, []], args.join(" "));
    assertStringIncludes(err.join("\n"), message);
  }
});

inFolder(
  "detect: a folder in a file's place, or an unreadable one, ends with 2 or 3, not 1",
  async (folder) => {
    const { log } = await twoStories({ common: 1, size: 2 });
    const { code } = await run("detect", "--log", log, folder);
    assert(code === 2 || code === 3, `${code}`);
  },
);

inFolder("detect: no member of a hostile line stops the run", async (folder) => {
  const { a, b, log } = await twoStories({ common: 3, size: 6 });
  const proof = JSON.parse(proofLine(a, 3, 6));
  const deep = `${"[".repeat(20_000)}${"]".repeat(20_000)}`;
  const odd = ['{"toString":1,"valueOf":1}', "null", "true", "[[]]", deep, "-1", '""', "1e400"];
  const lines = odd.flatMap((value) => [
    JSON.stringify({ ...proof, older: { ...proof.older, size: 0 } }).replace(
      '"size":0',
      `"size":${value}`,
    ),
    `{"note":${value}}`,
    `{"frame":${value}}`,
    `{"proof":${value}}`,
    `{"note":"x","source":${value}}`,
    value,
  ]);
  lines.push(await noteLine(a, 6), await noteLine(b, 6));
  const { code, out } = await run("detect", "--log", log, put(folder, "lines", lines.join("\n")));
  assertEquals(code, 1);
  assertStringIncludes(
    out.at(-1)!,
    `2 checkpoints read, 0 proofs followed, ${lines.length - 2} rejected`,
  );
});

inFolder(
  "detect: control characters of the input are escaped wherever they are printed",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 3, size: 6 });
    const source = "x\u009b2J\u202e\u{e0041}";
    const file = put(
      folder,
      "lines",
      [await noteLine(a, 6, source), await noteLine(b, 6, source)].join("\n"),
    );
    for (const flags of [[], ["--json"]]) {
      const { out, err } = await run("detect", ...flags, "--log", log, file);
      assert(!/[\u0080-\u009f\u202e\u{e0041}]/u.test([...out, ...err].join()), "escaped");
    }
    const { out } = await run("detect", "--json", "--log", log, file);
    assertEquals((await run("verify", put(folder, "record", out[0]!), "--log", log)).code, 0);
  },
);

inFolder("detect: a disk that dies loses no printed conflict", async (folder) => {
  const { a, b, log } = await twoStories({ common: 3, size: 6 });
  const lines = [];
  for (const size of [4, 5, 6]) lines.push(await noteLine(a, size), await noteLine(b, size));
  const file = put(folder, "lines", lines.join("\n"));
  const key = await keyFile(folder);
  const world = denoWorld();
  const dead = (): Promise<never> => Promise.reject(new WorldError("other", "Input/output error"));
  const files = {
    ...world.files,
    create: async (path: string, mode: number) => ({
      ...await world.files.create(path, mode),
      write: dead,
      truncate: dead,
    }),
  };
  const args = ["detect", "--log", log, "--key", key, "--incidents", `${folder}/in`, file];
  const { code, out, err } = await start(args, { ...world, files }).done;
  assertEquals(out.filter((line) => line.startsWith("same_size")).length, 3);
  assertEquals(err.filter((line) => line.startsWith("the evidence: {")).length, 3);
  assertEquals(code, 3);
});

inFolder(
  "detect: no all-clear where a contradiction could hide, and 1 where one shows",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 3, size: 6 });
    const other = await twoStories({ common: 1, size: 2 });
    const proof = JSON.parse(proofLine(a, 3, 6));
    const note = await a.checkpoint(5n);
    // The log's good line, and one that somebody added under its name: the whole note is refused.
    const line = note.slice(note.lastIndexOf("\n\n") + 2);
    const [dash, name, payload] = line.trimEnd().split(" ") as [string, string, string];
    const wrong = Uint8Array.fromBase64(payload);
    wrong[20]! ^= 1;
    const spoiled = `${note}${dash} ${name} ${base64(wrong)}\n`;
    const cases: [name: string, line: string, code: number][] = [
      ["nothing else", "", 0],
      ["not JSON", "{", 3],
      ["a note cut short", JSON.stringify({ note: note.slice(0, -20) }), 3],
      ["a wrong signature", JSON.stringify({ note: note.replace("\n5\n", "\n4\n") }), 3],
      ["a good line and a spoiled one", JSON.stringify({ note: spoiled }), 3],
      ["a malformed proof", JSON.stringify({ ...proof, proof: ["x"] }), 3],
      ["another log", await noteLine(other.a, 2), 0],
      ["the zero frame", JSON.stringify({ frame: "00".repeat(104) }), 0],
      ["a proof that fails", JSON.stringify({ ...proof, proof: proof.proof.slice(1) }), 0],
      [
        "another root of size 0",
        JSON.stringify({
          note: `${a.log.origin}\n0\n${base64(new Uint8Array(32))}\n${
            note.slice(note.lastIndexOf("\n\n") + 1)
          }`,
        }),
        0,
      ],
    ];
    for (const [name, line, expected] of cases) {
      for (const [contradiction, code] of [[[], expected], [[await noteLine(b, 6)], 1]] as const) {
        const lines = [await noteLine(a, 6), line, ...contradiction].join("\n");
        const ran = await run("detect", "--log", log, put(folder, "lines", lines));
        assertEquals([name, ran.code], [name, code]);
      }
    }
  },
);
