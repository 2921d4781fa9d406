/**
 * A short document as Markdown and as HTML. Its texts come from anybody (a log's origin is whatever
 * its operator wrote), so each is escaped where it is written, and nowhere else.
 *
 * @module
 */
import { printable } from "../tlog/malformed.ts";

/** A part of a document. Texts are plain; nothing in them has a meaning in Markdown or HTML. */
export type Block =
  | { readonly heading: string }
  | { readonly say: string }
  /** a name and its value, which is shown as it is */
  | { readonly fact: string; readonly value: string }
  | { readonly list: readonly string[] }
  /** something to type, on one line or several */
  | { readonly command: string }
  /** rows of a table, under these titles */
  | { readonly titles: readonly string[]; readonly rows: readonly (readonly string[])[] }
  /** SVG that this program has made, and what it shows in words */
  | { readonly picture: string; readonly alternative: string };

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
  return printable(text.replaceAll("\n", " ")).replaceAll("&", "&amp;").replaceAll("<", "&lt;")
    .replace(/[\\`*_[\]|~$@]/g, "\\$&")
    // A list, a heading, a quotation or a rule begins at the start of a paragraph.
    .replace(/^(\s*)([-+#>=:])/, "$1\\$2").replace(/^(\s*\d+)([.)])/, "$1\\$2")
    .replace(/:\/\//g, "\\://").replace(/www\./gi, (found) => found.replace(".", "\\."));
}

/** A fence that the text does not contain. */
function fenceFor(text: string): string {
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  return "`".repeat(Math.max(3, longest + 1));
}

/** The document as Markdown. A picture is in it in words alone, as many readers show no SVG. */
export function asMarkdown({ title, blocks }: Paper): string {
  const parts = blocks.map((block) => {
    if ("heading" in block) return `## ${escapeMarkdown(block.heading)}`;
    if ("say" in block) return escapeMarkdown(block.say);
    if ("fact" in block) return `- ${escapeMarkdown(block.fact)}: ${code(block.value)}`;
    if ("list" in block) return block.list.map((one) => `- ${escapeMarkdown(one)}`).join("\n");
    if ("command" in block) {
      const text = lines(block.command);
      return `${fenceFor(text)}\n${text}\n${fenceFor(text)}`;
    }
    if ("rows" in block) {
      const row = (cells: readonly string[]): string =>
        `| ${cells.map(escapeMarkdown).join(" | ")} |`;
      const rule = `|${" --- |".repeat(block.titles.length)}`;
      return [row(block.titles), rule, ...block.rows.map(row)].join("\n");
    }
    const text = lines(block.alternative);
    return `${fenceFor(text)}text\n${text}\n${fenceFor(text)}`;
  });
  // Facts stand together.
  const joined = parts.reduce((text, part, i) => {
    const isFact = (at: number): boolean => blocks[at] !== undefined && "fact" in blocks[at]!;
    return i === 0 ? part : `${text}${isFact(i) && isFact(i - 1) ? "\n" : "\n\n"}${part}`;
  }, "");
  return `# ${escapeMarkdown(title)}\n\n${joined}\n`;
}

/** A text as code in a line of Markdown. */
function code(text: string): string {
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
code,pre{font-family:ui-monospace,monospace;background:var(--code);overflow-wrap:anywhere}
pre{padding:.75rem;overflow-x:auto;white-space:pre-wrap}
dt{font-weight:600}dd{margin:0 0 .5rem}
table{border-collapse:collapse;width:100%;display:block;overflow-x:auto}
td{overflow-wrap:anywhere}th,td{text-align:left;vertical-align:top;border-bottom:1px solid var(--line);padding:.3rem .5rem}
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
  if ("say" in block) return `<p>${escapeHtml(block.say)}</p>`;
  if ("list" in block) {
    return `<ul>${block.list.map((one) => `<li>${escapeHtml(one)}</li>`).join("")}</ul>`;
  }
  if ("command" in block) {
    const text = block.command.split("\n").map(escapeHtml).join("\n");
    return `<pre><code>${text}</code></pre>`;
  }
  if ("rows" in block) {
    const head = block.titles.map((one) => `<th scope="col">${escapeHtml(one)}</th>`).join("");
    const rows = block.rows.map((cells) =>
      `<tr>${cells.map((one) => `<td>${escapeHtml(one)}</td>`).join("")}</tr>`
    );
    return `<table><thead><tr>${head}</tr></thead>\n<tbody>${rows.join("\n")}</tbody></table>`;
  }
  const words = block.alternative.split("\n").map(escapeHtml).join("<br>");
  return `<figure>\n${block.picture}\n<figcaption>${words}</figcaption>\n</figure>`;
}
