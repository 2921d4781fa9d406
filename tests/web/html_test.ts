import { assertEquals, assertThrows } from "@std/assert";
import { html, lines } from "../../src/web/html.ts";

const HOSTILE = `<script>alert('1')</script>"&amp;`;

Deno.test("html: a value is text, in the content and in an attribute", () => {
  const shown = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;amp;";
  assertEquals(`${html`<p title="${HOSTILE}">${HOSTILE}</p>`}`, `<p title="${shown}">${shown}</p>`);
});

Deno.test("html: what a template made is put in as it is, in lists too", () => {
  const items = ["a<b", 2].map((one) => html`<li>${one}</li>`);
  assertEquals(`${html`<ul>${items}</ul>`}`, "<ul><li>a&lt;b</li><li>2</li></ul>");
});

Deno.test("html: nothing and false are left out, 0 is not", () => {
  assertEquals(`${html`a${undefined}b${false}c${0}d${[]}e${7n}`}`, "abc0de7");
});

Deno.test("html: a text that looks like a template's is escaped all the same", () => {
  assertEquals(`${html`${`${html`<i>`}`}`}`, "&lt;i&gt;");
});

Deno.test("html: characters that turn or hide the text around them are shown as what they are", () => {
  const turned = "a\u{202e}b\u{200b}c\u{0}d\u{1b}[2J";
  assertEquals(`${html`${turned}`}`, "a\\u{202e}b\\u{200b}c\\u{0}d\\u{1b}[2J");
});

Deno.test("html: a value without quotes around it in an attribute is a fault of ours", () => {
  assertThrows(() => html`<p title=${"x"}>`, Error, "without quotes");
});

Deno.test("lines: line ends stay, and each line is escaped", () => {
  assertEquals(`${lines("a<\nb\r\n\nc")}`, "a&lt;\nb\\u{d}\n\nc");
});
