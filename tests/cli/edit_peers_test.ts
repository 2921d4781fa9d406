/** The peers in the text of a configuration are changed, and nothing else is. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { withoutPeer, withPeer, withPeerChanged } from "../../src/cli/edit_peers.ts";
import { parse } from "jsonc-parser";

const VKEY = "monitor.invalid/two+01020304+AAAA";
const NEW = { vkey: VKEY, address: { hostname: "two.invalid", port: 9900 } };
const LINE = `{ "vkey": "${VKEY}", "address": "two.invalid:9900" }`;

/** A configuration with its peers as they stand in a file. */
const around = (peers: string): string =>
  `// above
{
  "name": "n", // its name
  ${peers}
  /* below */ "admit": "anyone"
}
`;

/** What the list was, and what it is once a peer was added. */
const ADDED: readonly (readonly [string, string, string])[] = [
  [
    "none, with a comment",
    '"peers": [\n    // none\n  ],',
    `"peers": [\n    // none\n    ${LINE}\n  ],`,
  ],
  ["none", '"peers": [],', `"peers": [\n    ${LINE}\n  ],`],
  [
    "lines with comments",
    '"peers": [\n    // first\n    { "address": "a:1" }, // one\n    { "address": "b:1" } // two\n    // end\n  ],',
    `"peers": [\n    // first\n    { "address": "a:1" }, // one\n    { "address": "b:1" }, // two\n    ${LINE}\n    // end\n  ],`,
  ],
  [
    "a comma at the end",
    '"peers": [\n    { "address": "a:1" }, // one\n  ],',
    `"peers": [\n    { "address": "a:1" }, // one\n    ${LINE},\n  ],`,
  ],
  [
    "a comma on the next line",
    '"peers": [\n    { "address": "a:1" }\n    ,\n  ],',
    `"peers": [\n    { "address": "a:1" }\n    ,\n    ${LINE},\n  ],`,
  ],
  ["one line", '"peers": [{ "address": "a:1" }],', `"peers": [{ "address": "a:1" }, ${LINE}],`],
  [
    "a comment over two lines",
    '"peers": [\n    { "address": "a:1" } /* one\n    two */\n  ],',
    `"peers": [\n    { "address": "a:1" }, ${LINE} /* one\n    two */\n  ],`,
  ],
  [
    "line breaks of Windows",
    '"peers": [\r\n    { "address": "a:1" }\r\n  ],',
    `"peers": [\r\n    { "address": "a:1" },\r\n    ${LINE}\r\n  ],`,
  ],
];
for (const [what, before, after] of ADDED) {
  Deno.test(`edit peers: a peer is added to ${what}`, () => {
    assertEquals(withPeer(around(before), NEW), around(after));
  });
}

Deno.test("edit peers: a list is made where there is none", () => {
  const made = withPeer('// above\n{\n  "name": "n" // its name\n}\n', NEW);
  assertEquals(parse(made), { name: "n", peers: [{ vkey: VKEY, address: "two.invalid:9900" }] });
  for (const comment of ["// above", "// its name"]) assertStringIncludes(made, comment);
});

const LINES =
  '"peers": [\n    // first\n    { "address": "a:1" }, // one\n    // second\n    { "address": "b:1" },\n    // third\n    {\n      "address": "c:1"\n    }\n    // end\n  ],';
/** What the list was, which one is removed, and what it is then. */
const REMOVED: readonly (readonly [string, string, number, string])[] = [
  [
    "the first, whose comment stays",
    LINES,
    0,
    '"peers": [\n    // first\n    // one\n    // second\n    { "address": "b:1" },\n    // third\n    {\n      "address": "c:1"\n    }\n    // end\n  ],',
  ],
  [
    "one between",
    LINES,
    1,
    '"peers": [\n    // first\n    { "address": "a:1" }, // one\n    // second\n    // third\n    {\n      "address": "c:1"\n    }\n    // end\n  ],',
  ],
  [
    "the last, of several lines",
    LINES,
    2,
    '"peers": [\n    // first\n    { "address": "a:1" }, // one\n    // second\n    { "address": "b:1" }\n    // third\n    // end\n  ],',
  ],
  ["the only one", '"peers": [\n    { "address": "a:1" },\n  ],', 0, '"peers": [\n  ],'],
  [
    "of one line, the first",
    '"peers": [{ "address": "a:1" }, { "address": "b:1" }],',
    0,
    '"peers": [{ "address": "b:1" }],',
  ],
  [
    "of one line, the last",
    '"peers": [{ "address": "a:1" }, { "address": "b:1" }],',
    1,
    '"peers": [{ "address": "a:1" }],',
  ],
];
for (const [what, before, index, after] of REMOVED) {
  Deno.test(`edit peers: removed is ${what}`, () => {
    assertEquals(withoutPeer(around(before), index), around(after));
  });
}

Deno.test("edit peers: a peer gets a vkey, an address, and another address", () => {
  const plain = around('"peers": [{ "address": "a:1" /* here */ }],');
  const keyed = withPeerChanged(plain, 0, { vkey: VKEY });
  assertEquals(keyed, around(`"peers": [{ "vkey": "${VKEY}", "address": "a:1" /* here */ }],`));
  const moved = withPeerChanged(keyed, 0, { address: { hostname: "b", port: 2 } });
  assertEquals(moved, around(`"peers": [{ "vkey": "${VKEY}", "address": "b:2" /* here */ }],`));
  const alone = around(`"peers": [{ "vkey": "${VKEY}" }],`);
  assertEquals(
    withPeerChanged(alone, 0, { address: { hostname: "::1", port: 2 } }),
    around(`"peers": [{ "vkey": "${VKEY}", "address": "[::1]:2" }],`),
  );
});

/** What may stand between the parts of a list. */
const GAPS = fc.constantFrom(
  "",
  " ",
  "\n",
  "\n    ",
  "// x\n",
  " /* , ] */ ",
  "/* a\n b */",
  "\r\n",
);

Deno.test("edit peers: whatever the layout, the others stay, and so does every comment", () => {
  const lists = fc.record({
    gaps: fc.array(GAPS, { minLength: 12, maxLength: 12 }),
    count: fc.integer({ min: 0, max: 3 }),
    hasComma: fc.boolean(),
    at: fc.nat(),
  });
  const comments = (text: string): string[] =>
    text.match(/\/\/ x|\/\* , \] \*\/|\/\* a\n b \*\//g) ?? [];
  fc.assert(fc.property(lists, ({ gaps, count, hasComma, at }) => {
    const items = Array.from({ length: count }, (_, i) => ({ address: `h${i}:1` }));
    const inner = items.map((item, i) => {
      const comma = i < count - 1 || hasComma ? "," : "";
      return `${gaps[3 * i]}${JSON.stringify(item)}${gaps[3 * i + 1]}${comma}${gaps[3 * i + 2]}`;
    });
    const text = `{ "peers": [${inner.join("")}${gaps[9]}], "z": 1${gaps[10]}\n}`;
    const added = withPeer(text, { address: { hostname: "new", port: 1 } });
    const all = [...items, { address: "new:1" }];
    assertEquals(parse(added, [], { allowTrailingComma: true }), { peers: all, z: 1 });
    assertEquals(comments(added), comments(text));
    if (count === 0) return;
    const removed = withoutPeer(text, at % count);
    const rest = items.filter((_, i) => i !== at % count);
    assertEquals(parse(removed, [], { allowTrailingComma: true }), { peers: rest, z: 1 });
    assertEquals(comments(removed), comments(text));
  }));
});
