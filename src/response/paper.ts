/**
 * A short document as Markdown and as HTML. Its texts come from anybody (a log's origin is whatever
 * its operator wrote), so each is escaped where it is written, and nowhere else.
 *
 * @module
 */
import { printable } from "../tlog/malformed.ts";

/** What is to be read letter by letter: a file, a hash, something to type. */
export interface Code {
  readonly code: string;
}

/** A text as code. */
export function code(text: string): Code {
  return { code: text };
}

/** Text with code in it. Nothing in it has a meaning in Markdown or HTML. */
export type Text = string | readonly (string | Code)[];

/** A part of a document. */
export type Block =
  | { readonly heading: string }
  /** a heading below a heading */
  | { readonly subheading: string }
  | { readonly say: Text }
  /** a name and its value, which is shown as it is */
  | { readonly fact: string; readonly value: string }
  | { readonly list: readonly Text[] }
  /** something to type, on one line or several */
  | { readonly command: string }
  /** what a command prints, on one line or several */
  | { readonly output: string }
  /** rows of a table, under these titles */
  | { readonly titles: readonly string[]; readonly rows: readonly (readonly Text[])[] }
  /** SVG that this program has made and what it shows in words; and the same drawn with letters */
  | { readonly picture: string; readonly alternative: string; readonly drawing: string };

/** A document: a title, then its parts. */
export interface Paper {
  readonly title: string;
  readonly blocks: readonly Block[];
}

/** Text for HTML, in elements and in quoted attributes. */
export function escapeHtml(text: string): string {
  return printable(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;").replaceAll("'", "&#39;");
}

/**
 * Text for Markdown, as one paragraph: every character that may begin something there is escaped, and
 * no address becomes a link.
 */
export function escapeMarkdown(text: string): string {
  return escapedWithin(text)
    // A list, a heading, a quotation or a rule begins at the start of a paragraph.
    .replace(/^(\s*)([-+#>=:])/, "$1\\$2").replace(/^(\s*\d+)([.)])(?=\s|$)/, "$1\\$2");
}

/** The same within a paragraph. An underscore in a word begins nothing (CommonMark section 6.2). */
function escapedWithin(text: string): string {
  return printable(text.replaceAll("\n", " ")).replaceAll("&", "&amp;").replaceAll("<", "&lt;")
    .replace(/[\\`*[\]|~$@]|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, "\\$&")
    .replace(/:\/\//g, "\\://").replace(/www\./gi, (found) => found.replace(".", "\\."));
}

/** Text with its code. What is in one part is escaped in it, whatever comes before and after. */
function markdownOf(text: Text, span: (text: string) => string = codeSpan): string {
  const parts = typeof text === "string" ? [text] : text;
  return parts.map((part, i) =>
    typeof part !== "string"
      ? span(part.code)
      : i === 0
      ? escapeMarkdown(part)
      : escapedWithin(part)
  ).join("");
}

/** A cell of a table. There a bar ends the cell, in code too, unless it is escaped (GFM section 4.10). */
function cellOf(text: Text): string {
  return markdownOf(text, (code) => codeSpan(code).replaceAll("|", "\\|"));
}

function htmlText(text: Text): string {
  if (typeof text === "string") return escapeHtml(text);
  return text.map((part) =>
    typeof part === "string" ? escapeHtml(part) : `<code>${escapeHtml(part.code)}</code>`
  ).join("");
}

/** Several lines of code, in a fence that they do not contain. */
function fenced(content: string, language: "sh" | "text"): string {
  const text = lines(content);
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = "`".repeat(Math.max(3, longest + 1));
  return `${fence}${language}\n${text}\n${fence}`;
}

/** The document as Markdown. A picture is drawn with letters, as many readers show no SVG. */
export function asMarkdown({ title, blocks }: Paper): string {
  const parts = blocks.map((block) => {
    if ("heading" in block) return `## ${escapeMarkdown(block.heading)}`;
    if ("subheading" in block) return `### ${escapeMarkdown(block.subheading)}`;
    if ("say" in block) return markdownOf(block.say);
    if ("fact" in block) return `- ${escapeMarkdown(block.fact)}: ${codeSpan(block.value)}`;
    if ("list" in block) return block.list.map((one) => `- ${markdownOf(one)}`).join("\n");
    if ("command" in block) return fenced(block.command, "sh");
    if ("output" in block) return fenced(block.output, "text");
    if ("rows" in block) {
      const row = (cells: readonly Text[]): string => `| ${cells.map(cellOf).join(" | ")} |`;
      const rule = `|${" --- |".repeat(block.titles.length)}`;
      return [row(block.titles), rule, ...block.rows.map(row)].join("\n");
    }
    return fenced(block.drawing, "text");
  });
  // Facts stand together.
  const joined = parts.reduce((text, part, i) => {
    const isFact = (at: number): boolean => blocks[at] !== undefined && "fact" in blocks[at]!;
    return i === 0 ? part : `${text}${isFact(i) && isFact(i - 1) ? "\n" : "\n\n"}${part}`;
  }, "");
  return `# ${escapeMarkdown(title)}\n\n${joined}\n`;
}

/** A text as code in a line of Markdown. */
function codeSpan(text: string): string {
  const shown = printable(text).replaceAll("\n", " ");
  const longest = Math.max(0, ...[...shown.matchAll(/`+/g)].map(([run]) => run.length));
  const tick = "`".repeat(longest + 1);
  const pad = shown.startsWith("`") || shown.endsWith("`") ? " " : "";
  return shown === "" ? "(nothing)" : `${tick}${pad}${shown}${pad}${tick}`;
}

/** Several lines, each without control characters. */
function lines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

const CSS = `
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--faint:#555;--line:#bbb;--code:#f3f3f3;
--bad:#a40000;--good:#155724}
@media (prefers-color-scheme:dark){:root{--ink:#eee;--paper:#161616;--faint:#bbb;--line:#555;
--code:#262626;--bad:#ff8a80;--good:#8fdc9b}}
body{font:1rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:48rem;
margin:2rem auto;padding:0 1rem}
code,pre,samp{font-family:ui-monospace,monospace;background:var(--code);overflow-wrap:anywhere}
pre{padding:.75rem;overflow-x:auto;white-space:pre-wrap}
dt{font-weight:600}dd{margin:0 0 .5rem}
table{border-collapse:collapse;width:100%;display:block;overflow-x:auto}
td{overflow-wrap:anywhere}td:first-child{white-space:nowrap}th,td{text-align:left;vertical-align:top;border-bottom:1px solid var(--line);padding:.3rem .5rem}
figure{margin:1rem 0}svg{max-width:100%;height:auto}figcaption{color:var(--faint)}
`;

/** The document as one file of HTML, without scripts, and with nothing that is loaded from elsewhere. */
export function asHtml({ title, blocks }: Paper): string {
  const body: string[] = [];
  let facts: string[] = [];
  const endFacts = (): void => {
    if (facts.length > 0) body.push(`<dl>\n${facts.join("\n")}\n</dl>`);
    facts = [];
  };
  for (const block of blocks) {
    if ("fact" in block) {
      const value = `<code>${escapeHtml(block.value)}</code>`;
      facts.push(`<dt>${escapeHtml(block.fact)}</dt><dd>${value}</dd>`);
      continue;
    }
    endFacts();
    body.push(htmlOf(block));
  }
  endFacts();
  const policy = "default-src 'none'; style-src 'unsafe-inline'";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(title)}</title>
<style>${CSS}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
${body.join("\n")}
</main>
</body>
</html>
`;
}

function htmlOf(block: Exclude<Block, { readonly fact: string }>): string {
  if ("heading" in block) return `<h2>${escapeHtml(block.heading)}</h2>`;
  if ("subheading" in block) return `<h3>${escapeHtml(block.subheading)}</h3>`;
  if ("say" in block) return `<p>${htmlText(block.say)}</p>`;
  if ("list" in block) {
    return `<ul>${block.list.map((one) => `<li>${htmlText(one)}</li>`).join("")}</ul>`;
  }
  if ("command" in block) return `<pre><code>${linesOfHtml(block.command)}</code></pre>`;
  if ("output" in block) return `<pre><samp>${linesOfHtml(block.output)}</samp></pre>`;
  if ("rows" in block) {
    const head = block.titles.map((one) => `<th scope="col">${escapeHtml(one)}</th>`).join("");
    const rows = block.rows.map((cells) =>
      `<tr>${cells.map((one) => `<td>${htmlText(one)}</td>`).join("")}</tr>`
    );
    return `<table><thead><tr>${head}</tr></thead>\n<tbody>${rows.join("\n")}</tbody></table>`;
  }
  const words = block.alternative.split("\n").map(escapeHtml).join("<br>");
  return `<figure>\n${block.picture}\n<figcaption>${words}</figcaption>\n</figure>`;
}

function linesOfHtml(text: string): string {
  return text.split("\n").map(escapeHtml).join("\n");
}
