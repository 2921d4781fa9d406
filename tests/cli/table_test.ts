import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Terminal } from "../../src/cli/terminal.ts";
import { type Column, type Row, Table } from "../../src/cli/table.ts";
import { columnsOf, shortened, wrapped } from "../../src/cli/width.ts";

type Screen = Pick<Terminal, "columns" | "paint">;

function screen(columns: number): Screen {
  return { columns, paint: (style, text) => `<${style}>${text}</${style}>` };
}

function plain(columns: number): Screen {
  return { columns, paint: (_style, text) => text };
}

const COLUMNS: Column[] = [
  { title: "N", align: "right" },
  { title: "LOG", narrow: "cut" },
  { title: "EXTRA", narrow: "leave out" },
  { title: "SIZE" },
];

Deno.test("Table: columns stand one below the other, numbers to the right", () => {
  const lines = new Table(COLUMNS, plain(80)).lines([
    { cells: ["9", "a.example/log", "x", "5"] },
    { cells: ["10", "b", "y", "12345"] },
  ]);
  assertEquals(lines, [
    " N  LOG            EXTRA  SIZE",
    " 9  a.example/log  x      5",
    "10  b              y      12345",
  ]);
});

Deno.test("Table: no line is wider than the terminal, as long as there is something to cut", () => {
  const origin = `go.sum database tree ${"x".repeat(100)} the end`;
  for (const width of [40, 60, 80, 200]) {
    const rows = [{ cells: ["1", origin, "extra words", "48123456"] }];
    const lines = new Table(COLUMNS, plain(width)).lines(rows);
    for (const line of lines) assert(columnsOf(line) <= width, line);
    assertEquals(lines[0]!.includes("EXTRA"), lines[1]!.includes("extra words"));
    assertMatch(lines[1]!, /^1 {2}go.*48123456$/);
    assertEquals(lines[1]!.includes(origin), width === 200, "cut only if it must be");
  }
});

Deno.test("Table: what may be left out goes before texts become unreadable", () => {
  const rows = [{ cells: ["1", "o".repeat(30), "e".repeat(10), "5"] }];
  const wide = new Table(COLUMNS, plain(46)).lines(rows);
  assertMatch(wide[1]!, /^1 {2}o+…o+ {2}e{10} {2}5$/);
  const narrow = new Table(COLUMNS, plain(36)).lines(rows);
  assertMatch(narrow[1]!, /^1 {2}o+(…o+)? {2}5$/);
});

const HOSTILE: [what: string, text: string][] = [
  ["a newline", "one\ntwo"],
  ["an escape sequence", "\x1b[2J\x1b]0;title\x07"],
  ["C1 controls", "\x9b31m"],
  ["a carriage return", "good\rbad"],
  ["a bidirectional override", "\u202Egol/elpmaxe"],
  ["an isolate", "\u2066x"],
  ["a zero-width joiner and a byte order mark", "a\u200Db\uFEFF"],
  ["a line separator", "a\u2028b"],
  ["half a surrogate pair", "a\uD800b"],
];

for (const [what, text] of HOSTILE) {
  Deno.test(`Table: ${what} stays in its cell, in a note and in the titles`, () => {
    const column = { title: text, narrow: "cut" } as const;
    const row: Row = { cells: [text, "5"], note: text };
    const lines = new Table([column, { title: "SIZE" }], plain(80)).lines([row]);
    assertEquals(lines.length, 3);
    for (const line of lines) {
      assert(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u.test(line), JSON.stringify(line));
    }
    assertEquals(lines[0]!.indexOf("SIZE"), lines[1]!.lastIndexOf("5"));
  });
}

Deno.test("Table: wide and combining characters keep the columns in line", () => {
  const texts = ["日本のログ", "e\u0301\u0301\u0301log", "plain", "🌲tree"];
  for (const width of [80, 18]) {
    const rows = texts.map((text) => ({ cells: ["1", text.repeat(2), "", "5"] }));
    const [, ...lines] = new Table(COLUMNS, plain(width)).lines(rows);
    const ends = new Set(lines.map((line) => columnsOf(line.slice(0, line.lastIndexOf("5")))));
    assertEquals(ends.size, 1, lines.join("\n"));
  }
});

Deno.test("Table: a style colours the text and not the room beside it", () => {
  const rows: Row[] = [{
    cells: ["1", { text: "bad", style: "red" }, "", "5"],
    note: { text: "because", style: "yellow" },
  }];
  const lines = new Table(COLUMNS, screen(80)).lines(rows);
  assertEquals(lines[1], "1  <red>bad</red>         5");
  assertEquals(lines[2], "<yellow>   because</yellow>");
});

Deno.test("Table: later parts have no titles, and are never narrower", () => {
  const table = new Table(COLUMNS, plain(80));
  const [, first] = table.lines([{ cells: ["1", "long.example/log", "", "5"] }]);
  const later = table.lines([{ cells: ["2", "b", "", "6"] }]);
  assertEquals(later.length, 1);
  assertEquals(later[0]!.indexOf("6"), first!.indexOf("5"));
});

Deno.test("Table: an origin of a million characters takes no time to cut", () => {
  const rows = [{ cells: ["1", "x".repeat(1_000_000), "", "5"] }];
  const started = performance.now();
  const lines = new Table(COLUMNS, plain(80)).lines(rows);
  assert(lines[1]!.length <= 80 && performance.now() - started < 10_000);
});

Deno.test("columnsOf: East Asian texts and emoji take two, marks none", () => {
  const cases: [string, number][] = [
    ["plain", 5],
    ["日本", 4],
    ["한글", 4],
    ["カナ", 4],
    ["ｶﾅ", 2],
    ["ＡＢ", 4],
    ["e\u0301", 1],
    ["🌲", 2],
    ["𝒜", 1],
    ["…", 1],
    ["—", 1],
    ["", 0],
  ];
  for (const [text, columns] of cases) assertEquals([text, columnsOf(text)], [text, columns]);
});

Deno.test("shortened: both ends stay, whole characters only", () => {
  assertEquals(shortened("abcdefghij", 10), "abcdefghij");
  assertEquals(shortened("abcdefghijk", 7), "abc…ijk");
  assertEquals(shortened("日本日本日本", 7), "日本…本");
  assertEquals(shortened("abc", 1), "…");
});

Deno.test("wrapped: lines end at spaces, and long words stay whole", () => {
  const text = "a key hearsay.example+0123456789abcdef is shown";
  const lines = wrapped(text, { width: 14, indent: "  " });
  assertEquals(lines, ["  a key", "  hearsay.example+0123456789abcdef", "  is shown"]);
  assertEquals(wrapped("", { width: 10 }), [""]);
});
