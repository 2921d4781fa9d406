/** A byte order mark loses no line of a person's file, and UTF-16 is named as what it is. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { utf8 } from "../../src/tlog/encoding.ts";
import { frameOf, inFolder, keyFile, noteLine, put, run, twoStories } from "./harness.ts";

const MARK = Uint8Array.of(0xef, 0xbb, 0xbf);

function marked(content: string | Uint8Array): Uint8Array {
  return concat([MARK, typeof content === "string" ? utf8(content) : content]);
}

/** UTF-16 with its mark, as editors of one platform save it. */
function utf16(text: string, littleEndian: boolean): Uint8Array {
  const bytes = new DataView(new ArrayBuffer(2 + 2 * text.length));
  [0xfeff, ...[...text].map((character) => character.charCodeAt(0))]
    .forEach((unit, i) => bytes.setUint16(2 * i, unit, littleEndian));
  return new Uint8Array(bytes.buffer);
}

inFolder("detect: a byte order mark before lines, a note or frames loses none", async (folder) => {
  const { a, b, log } = await twoStories({ common: 3, size: 6 });
  const [one, two] = [await noteLine(a, 6), await noteLine(b, 6)];
  const files = {
    lines: [marked(`${one}\n${two}\n`)],
    "lines of two files put together": [concat([marked(`${one}\n`), marked(`${two}\n`)])],
    notes: [marked(await a.checkpoint(6n)), marked(await b.checkpoint(6n))],
    frames: [marked(concat([await frameOf(a, 6), await frameOf(b, 6)]))],
  };
  for (const [kind, contents] of Object.entries(files)) {
    const paths = contents.map((content, i) => put(folder, `${kind} ${i}`, content));
    const { code, out } = await run("detect", "--log", `\u{FEFF}${log}`, ...paths);
    assertEquals(code, 1, kind);
    assert(out.at(-1)!.startsWith("2 checkpoints read, 0 proofs followed, 0 rejected"), kind);
  }
});

inFolder("detect, verify, --key, --have: UTF-16 is named, and is no all-clear", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 6 });
  const key = await keyFile(folder);
  for (const littleEndian of [true, false]) {
    const lines = put(folder, "lines", utf16(`${await noteLine(a, 6)}\n`, littleEndian));
    const wideKey = put(folder, "key", utf16(Deno.readTextFileSync(key), littleEndian));
    const named = new RegExp(`UTF-16 \\(${littleEndian ? "little" : "big"}-endian\\)`);
    const gossip = ["exchange", "localhost:1", "--log", log, "--incidents", `${folder}/incidents`];
    for (
      const [args, expected] of [
        [["detect", "--log", log, lines], 3],
        [["verify", lines], 2],
        [["detect", "--log", log, "--key", wideKey, lines], 2],
        [[...gossip, "--have", lines], 2],
      ] as const
    ) {
      const { code, err } = await run(...args);
      assertEquals(code, expected, args.join(" "));
      assertMatch(err.join("\n"), named);
    }
  }
});

inFolder(
  "verify, --key, run: a byte order mark before record, key or configuration",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 3, size: 6 });
    const lines = put(folder, "lines", `${await noteLine(a, 6)}\n${await noteLine(b, 6)}\n`);
    const key = put(folder, "marked.key", marked(Deno.readFileSync(await keyFile(folder))));
    const incidents = ["--incidents", `${folder}/incidents`];
    const found = await run("detect", "--log", log, "--key", key, ...incidents, "--json", lines);
    assertEquals(found.code, 1);
    for (const text of [`${found.out[0]!}\n`, JSON.stringify(JSON.parse(found.out[0]!), null, 2)]) {
      const record = put(folder, "record", marked(text));
      assertEquals((await run("verify", record, "--log", `\u{FEFF}${log}`)).code, 0);
    }
    const journal = marked(Deno.readFileSync(`${folder}/incidents/journal.jsonl`));
    assertEquals((await run("verify", put(folder, "journal", journal), "--log", log)).code, 0);
    // What is wrong with a configuration is the same with such a mark and without.
    const told = [];
    for (const content of [utf8("{}\n"), marked("{}\n")]) {
      told.push(await run("run", "--config", put(folder, "hearsay.jsonc", content)));
    }
    assertEquals(told[1], told[0]!);
  },
);
