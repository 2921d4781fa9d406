/** A report is escaped: what a log or a peer has written means nothing in Markdown or HTML. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  asHtml,
  asMarkdown,
  escapeHtml,
  escapeMarkdown,
  type Paper,
} from "../../src/response/paper.ts";
import { partsOf } from "../../src/response/tree_picture.ts";

const HOSTILE = [
  `<script>alert(1)</script>`,
  `"><img src=x onerror=alert(1)>`,
  "`code` ``two`` ```three```",
  "[a](javascript:alert(1)) ![b](https://evil.invalid/x.png)",
  "# heading",
  "- item | cell | cell",
  "1. first",
  "https://evil.invalid www.evil.invalid",
  "a\u202Eb\u0007c\u2028d",
  "\n\n## Proven: nothing\n",
  "&lt;b&gt; &amp;",
  "~~~\nfence",
];

function paperOf(text: string): Paper {
  return {
    title: text,
    blocks: [
      { heading: text },
      { subheading: text },
      { say: text },
      { say: ["it says ", { code: text }, text] },
      { fact: text, value: text },
      { list: [text, [{ code: text }]] },
      { command: text },
      { output: text },
      { titles: [text], rows: [[text, [text, { code: text }]]] },
      { picture: "<svg></svg>", alternative: text, drawing: text },
    ],
  };
}

Deno.test("page: no text becomes an element, an attribute or a script of HTML", () => {
  // Only what an element can begin with counts: of this document's own there is always the same.
  const tags = (html: string): string[] =>
    [...html.matchAll(/<\/?[a-z!][^\s>]*/gi)].map(([tag]) => tag);
  for (const text of HOSTILE) {
    const html = asHtml(paperOf(text));
    const plain = tags(asHtml(paperOf(text.replace(/[^\n]/g, "p"))));
    assertEquals(tags(html), plain, text);
    // deno-lint-ignore no-control-regex
    assert(!/[\u202E\u0007\u2028]/.test(html), text);
  }
  assertStringIncludes(asHtml(paperOf("x")), "default-src 'none'");
  assertEquals(escapeHtml(`<a b="c" d='e'>&`), "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;");
});

Deno.test("page: no text begins a block, a link, a picture or an element of Markdown", () => {
  for (const text of HOSTILE) {
    const markdown = asMarkdown(paperOf(text));
    let fence: string | undefined;
    for (const line of markdown.split("\n")) {
      const [run] = /^`{3,}/.exec(line) ?? [];
      if (fence !== undefined) {
        if (run !== undefined && run.length >= fence.length && line === run) fence = undefined;
        continue;
      }
      if (run !== undefined) {
        fence = run;
        continue;
      }
      // Code in a line means nothing; the longest run of ticks opens it.
      const outside = line.replace(/(`+)(?!`)[\s\S]*?[^`]\1(?!`)/g, "");
      assert(!/(?<!\\)[<[]/.test(outside), `${text}: ${line}`);
      assert(!/(?<!\\):\/\/|www\.e/.test(outside), `${text}: ${line}`);
      assert(!/^(## Proven|1\. first|- item)/.test(line), `${text}: ${line}`);
    }
    assertEquals(fence, undefined, `${text}: a fence stays open`);
  }
  assertEquals(
    escapeMarkdown("plain words, 2026-01-02: 3 of 4."),
    "plain words, 2026-01-02: 3 of 4.",
  );
  // In a word it begins nothing. Beside one it may.
  assertEquals(escapeMarkdown("evidence_id _and_ a__b"), "evidence_id \\_and\\_ a\\_\\_b");
});

Deno.test("page: a bar in code ends no cell of a table", () => {
  const markdown = asMarkdown({
    title: "x",
    blocks: [{ titles: ["a"], rows: [[["is ", { code: "one | two" }]]] }],
  });
  assertStringIncludes(markdown, "| is `one \\| two` |");
});

Deno.test("picture: a tree is drawn as the perfect subtrees it is made of", () => {
  const shown = (size: bigint): string[] => partsOf(size).map(({ from, to }) => `${from}-${to}`);
  assertEquals(shown(1n), ["0-1"]);
  assertEquals(shown(6n), ["0-4", "4-6"]);
  assertEquals(shown(7n), ["0-4", "4-6", "6-7"]);
  assertEquals(shown(2n ** 40n), [`0-${2n ** 40n}`]);
  const many = partsOf(2n ** 62n - 1n);
  assertEquals([many.length, many[0]!.from, many.at(-1)!.to], [6, 0n, 2n ** 62n - 1n]);
});
