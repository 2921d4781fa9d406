/** The file that is sent to others: written by `incidents export`, judged by `verify`. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { evidenceFile } from "../../src/cli/export.ts";
import { EVIDENCE_HEADER, isEvidenceFile, readEvidenceFile } from "../../src/cli/evidence_file.ts";
import { MAX_ENTRY_BYTES } from "../../src/evidence/entry.ts";
import { type ConflictRecord, formatRecord, parseRecord } from "../../src/evidence/record.ts";
import { verifyConflict } from "../../src/evidence/verify.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { fileOf } from "../world/helpers.ts";
import { inFolder, keyFile, noteLine, proofLine, put, run, start, twoStories } from "./harness.ts";
import { grow } from "../evidence/histories.ts";

/** Records of both kinds, signed by a monitor, and the log's vkey. */
async function bothKinds(folder: string): Promise<{ records: ConflictRecord[]; log: string }> {
  const { a, b, log } = await twoStories({ common: 3, size: 6 });
  grow(b, 9, "b");
  const lines = [await noteLine(a, 6), await noteLine(b, 6), await noteLine(a, 5)];
  lines.push(await noteLine(b, 9), proofLine(b, 5, 9));
  const gathered = put(folder, "gathered", lines.join("\n"));
  const key = ["--key", await keyFile(folder), "--incidents", `${folder}/in`];
  const { out } = await run("detect", "--json", "--log", log, ...key, gathered);
  const records = out.map((line) => parseRecord(line));
  assertEquals(records.map(({ kind }) => kind).toSorted(), ["cross_size", "same_size"]);
  return { records, log };
}

function fileAbout(record: ConflictRecord): string {
  return evidenceFile({ record, judgement: verifyConflict({ input: formatRecord(record) }) });
}

inFolder("evidence file: what is written is read back, and holds", async (folder) => {
  const { records, log } = await bothKinds(folder);
  for (const record of records) {
    const text = fileAbout(record);
    assertEquals(text.split("\n")[0], EVIDENCE_HEADER);
    const { file } = fileOf(utf8(text));
    assert(await isEvidenceFile(file));
    const line = text.split("\n").length - 1;
    const read = await readEvidenceFile(file);
    assertEquals(read, { record: record as unknown as Record<string, unknown>, line });
    const { code, out, err } = await run("verify", put(folder, "sent", text), "--log", log);
    assertEquals([code, err], [0, []]);
    assertEquals(out[0], `record in line ${line} of an evidence file`);
    assertEquals(out.at(-1), "The evidence holds (1 record).");
    assertEquals((await run("verify", put(folder, "sent", text), "--log", log.slice(1))).code, 2);
    const piped = await start(["verify", "-", "--log", log], undefined, [], utf8(text)).done;
    assertEquals([piped.code, piped.out], [0, out]);
  }
});

inFolder(
  "evidence file: as mail and editors leave it, with CRLF, a byte order mark, empty lines",
  async (folder) => {
    const { records: [record] } = await bothKinds(folder);
    const text = fileAbout(record!);
    const sound = [
      text.replaceAll("\n", "\r\n"),
      `\u{FEFF}${text}`,
      `\u{FEFF}${text.replaceAll("\n", "\r\n")}`,
      `${text}\n \t\r\n`,
      text.slice(0, -1),
    ];
    for (const content of sound) {
      const { code, out } = await run("verify", put(folder, "file", content));
      assertEquals(code, 0, out.join("\n"));
      assertMatch(out[0]!, /of an evidence file$/);
    }
  },
);

/** What a byte becomes: each single bit flipped, all of them, and bytes that mean something. */
const CHANGES: ((byte: number) => number)[] = [
  ...Array.from({ length: 8 }, (_, bit) => (byte: number) => byte ^ (1 << bit)),
  (byte) => byte ^ 0xff,
  ...['"', "{", "}", "\n", " ", "\\"].map((character) => () => character.charCodeAt(0)),
];

/** A file with one byte changed; nothing if it is no evidence file any more, or none to judge. */
async function readChanged(
  bytes: Uint8Array,
  at: number,
  change: (byte: number) => number,
): Promise<Awaited<ReturnType<typeof readEvidenceFile>> | undefined> {
  const changed = bytes.slice();
  changed[at] = change(bytes[at]!);
  const { file } = fileOf(changed);
  if (!await isEvidenceFile(file)) return undefined;
  try {
    return await readEvidenceFile(file);
  } catch (error) {
    assert(error instanceof MalformedError, `${error}`);
    return undefined;
  }
}

inFolder(
  "evidence file: with any byte changed it is never a crash, and no changed record holds",
  async (folder) => {
    const { records } = await bothKinds(folder);
    for (const record of records) {
      const bytes = utf8(fileAbout(record));
      const wordsAt = EVIDENCE_HEADER.length + 1;
      const recordAt = bytes.lastIndexOf("\n".charCodeAt(0), bytes.length - 2) + 1;
      let refused = 0;
      for (let at = 0; at < bytes.length; at++) {
        // All changes of all bytes take minutes; each byte has its turn with one of them.
        const change = CHANGES[at % CHANGES.length]!;
        if (change(bytes[at]!) === bytes[at]) continue;
        const read = await readChanged(bytes, at, change);
        const isWord = at >= wordsAt && at < recordAt - 1;
        if (at < wordsAt) assertEquals(read, undefined, `byte ${at}`);
        else if (read === undefined) {
          assert(!isWord, `byte ${at} is a word's, and must not matter`);
          refused++;
        } else if (isWord || verifyConflict({ input: read.record }).outcome === "holds") {
          assertEquals(read.record, record as unknown as typeof read.record, `byte ${at}`);
        } else refused++;
      }
      assert(refused > 0.8 * (bytes.length - recordAt), "most bytes of the record matter");
    }
  },
);

inFolder("evidence file: one record, and nothing after it", async (folder) => {
  const { records: [one, two] } = await bothKinds(folder);
  const text = fileAbout(one!);
  const other = formatRecord(two!);
  const entry = Deno.readTextFileSync(`${folder}/in/journal.jsonl`).split("\n")[0]!;
  const words = text.split("\n").slice(0, -2).join("\n");
  const end = text.split("\n").length - 1;
  const wrapped = new RegExp(`line ${end} is not a whole record: .*a mail program broke it`);
  const cases: [what: string, content: string, fault: RegExp][] = [
    ["a second record after it", `${text}${other}\n`, /lines \d+ and \d+ are records/],
    ["a second record before it", `${words}\n${other}\n${formatRecord(one!)}\n`, /are records/],
    ["the same record twice", `${text}${formatRecord(one!)}\n`, /are records/],
    ["text after it", `${text}It holds, believe me.\n`, /follows the record/],
    ["JSON after it", `${text}{"evidence": true}\n`, /follows the record/],
    ["a record that is cut off", text.slice(0, -30), /expected one JSON object/],
    ["a record with something before it", text.replace("\n{", "\n {"), /there is no record/],
    ["a record with something after it", `${text.slice(0, -1)} x\n`, /expected one JSON object/],
    [
      "a footer of mail",
      `${text}-- \nlist.example.com\n`,
      new RegExp(`line ${end + 1} follows the`),
    ],
    ["a record in wrapped lines", text.replace(/(?<=\n\{.{70})/, "\n"), wrapped],
    [
      "a journal",
      `${EVIDENCE_HEADER}\n${Deno.readTextFileSync(`${folder}/in/journal.jsonl`)}`,
      /are records/,
    ],
    ["words alone that name a record's members", `${words}\n"evidence_id"\n`, /there is no record/],
  ];
  for (const [what, content, fault] of cases) {
    const { code, out, err } = await run("verify", put(folder, "file", content));
    assertEquals([what, code, out], [what, 2, []]);
    assertMatch(err.join("\n"), fault, what);
    assertStringIncludes(err.join("\n"), `file" cannot be judged: `);
    const json = await run("verify", put(folder, "file", content), "--json");
    assertEquals([json.code, json.out, json.err], [2, [], err]);
  }
  const journalEntry = await run("verify", put(folder, "file", `${words}\n${entry}\n`));
  assertEquals(journalEntry.code, 1);
  assertMatch(journalEntry.out.join("\n"), /version/);
  const none = await run("verify", put(folder, "file", `${words}\n`));
  assertEquals([none.code, none.out], [2, []], "no record at all is nothing to judge");
});

inFolder(
  "evidence file: the line of the record is at most MAX_ENTRY_BYTES long",
  async (folder) => {
    const { records: [record] } = await bothKinds(folder);
    const text = fileAbout(record!);
    const length = utf8(text.split("\n").at(-2)!).length;
    for (const [more, wanted] of [[0, 0], [1, 2]] as const) {
      const spaces = " ".repeat(MAX_ENTRY_BYTES - length + more);
      const { code, out, err } = await run(
        "verify",
        put(folder, "f", text.replace("\n{", `\n{${spaces}`)),
      );
      assertEquals([more, code], [more, wanted], out.join("\n"));
      assertEquals(err.join("\n").includes("longer than 4194304 bytes"), more === 1);
    }
  },
);

inFolder("evidence file: only its first line makes it one", async (folder) => {
  const { records: [record] } = await bothKinds(folder);
  const text = fileAbout(record!);
  const journal = Deno.readTextFileSync(`${folder}/in/journal.jsonl`);
  const others = [
    `\n${text}`,
    ` ${text}`,
    text.replace(EVIDENCE_HEADER, `${EVIDENCE_HEADER} `),
    text.replace(EVIDENCE_HEADER, EVIDENCE_HEADER.toLowerCase()),
    text.replace(`${EVIDENCE_HEADER}\n`, ""),
    journal.replace("\n", `\n${EVIDENCE_HEADER}\n`),
    `${journal}${text}`,
  ];
  for (const content of others) {
    const { code, out } = await run("verify", put(folder, "file", content));
    assertEquals(code, 1, out.join("\n"));
    assert(!out.join("\n").includes("of an evidence file"));
  }
});

inFolder("verify: prints no word of an evidence file", async (folder) => {
  const { records: [record] } = await bothKinds(folder);
  const lies = ["LIE the log is sound", "\x1b[2JLIE", "The evidence holds LIE", "\u202ELIE"];
  const text = fileAbout(record!).replace("\n", `\n${lies.join("\n")}\n`);
  for (
    const content of [text, text.slice(0, -9), `${text}LIE\n`, `${text}{"evidence_id":"LIE"}\n`]
  ) {
    for (const flags of [[], ["--json"]]) {
      const { out, err } = await run("verify", put(folder, "file", content), ...flags);
      assert(!/LIE|[\p{Cc}\p{Cf}]/u.test([...out, ...err].join(" ")), out.join("\n"));
    }
  }
});

inFolder("evidence file: the words say what is proven and never more", async (folder) => {
  const { records } = await bothKinds(folder);
  for (const record of records) {
    const words = fileAbout(record).split("\n").slice(0, -2);
    const text = words.map((line) => line.trim()).join(" ");
    for (
      const [size, root] of [record.checkpoint_a, record.checkpoint_b].map((c) => [c.size, c.root])
    ) {
      assertStringIncludes(text, `size ${size} root ${root}`);
    }
    for (
      const known of [
        record.log.vkey,
        record.evidence_id,
        record.detector_vkey!,
        record.detected_at,
      ]
    ) {
      assertStringIncludes(text, known);
    }
    assertMatch(
      text,
      /What is proven The key above has signed both checkpoints\. No tree can have both\./,
    );
    assertMatch(text, /What is not proven - Why it happened\./);
    assertMatch(text, /hearsay verify FILE/);
    assert(!/attack/i.test(text), "nobody says attack (RULES R11)");
    assertEquals(/has a proof that/.test(text), record.kind === "cross_size");
    assertEquals(
      /has signed two/.test(text.replace("has signed two statements", "")),
      record.kind === "same_size",
    );
    for (const line of words) assert(!line.startsWith("{") && line.length <= 160, line);
  }
});

inFolder("evidence file: how to get the program is what README says", async (folder) => {
  const { records: [record] } = await bothKinds(folder);
  const command = /npx .* verify /.exec(fileAbout(record!))![0];
  const readme = Deno.readTextFileSync(new URL("../../README.md", import.meta.url));
  assertStringIncludes(readme, command);
});

inFolder("verify: a folder is said to be a folder", async (folder) => {
  const { code, err } = await run("verify", folder);
  assertEquals([code, err[0]], [2, `hearsay verify: "${folder}" is a folder, expected a file`]);
});
