/**
 * Man pages in roff (groff_man(7)), made of the texts of `--help`.
 *
 * @module
 */
import { VERSION } from "../world/version.ts";
import type { CommandTexts } from "./completion_scripts.ts";
import { listOf, synopsisOf } from "./usage.ts";

/** The page of one command. */
export function commandPage(command: CommandTexts[number]): string {
  const blocks = command.help.trimEnd().split("\n\n").slice(1);
  const examples = blocks.filter((block) => block.startsWith("Example"));
  const lists = blocks.filter((block) => isOptions(block));
  const prose = blocks.filter((block) => !examples.includes(block) && !lists.includes(block));
  return [
    title(`hearsay-${command.name}`),
    ...section("NAME", [`hearsay-${escaped(command.name)} \\- ${escaped(command.summary)}`]),
    ...section("SYNOPSIS", verbatim(synopsisOf(command))),
    ...section("DESCRIPTION", prose.flatMap(paragraph)),
    ...section("OPTIONS", lists.flatMap(paragraph)),
    ...section("EXAMPLES", examples.flatMap((block) => verbatim(linesOf(block).slice(1)))),
    ...section("SEE ALSO", [".BR hearsay (1)"]),
  ].join("\n") + "\n";
}

/**
 * The page of the program.
 * @param help what `hearsay --help` prints
 */
export function programPage(help: string, commands: CommandTexts): string {
  const [intro = "", , ...rest] = help.trimEnd().split("\n\n");
  const list = commands.flatMap(({ name, summary }) => [
    ".TP",
    `.BR hearsay\\-${escaped(name)} (1)`,
    escaped(summary),
  ]);
  return [
    title("hearsay"),
    ...section("NAME", ["hearsay \\- find out whether a transparency log shows everyone the same"]),
    ...section("SYNOPSIS", verbatim(["hearsay COMMAND …", "hearsay help COMMAND"])),
    ...section("DESCRIPTION", [intro, ...rest].flatMap(paragraph)),
    ...section("COMMANDS", list),
  ].join("\n") + "\n";
}

function title(name: string): string {
  return `.TH ${escaped(name.toUpperCase())} 1 "" "hearsay ${VERSION}" "Hearsay"`;
}

function section(name: string, lines: readonly string[]): string[] {
  // A heading begins a paragraph by itself.
  const first = lines[0] === ".PP" ? lines.slice(1) : lines;
  return lines.length === 0 ? [] : [`.SH ${name}`, ...first];
}

function linesOf(block: string): string[] {
  return block.split("\n");
}

function isOptions(block: string): boolean {
  return listOf(block)?.some(({ name }) => name.startsWith("--")) ?? false;
}

/** A block of a help: a list, or text with parts that stay as they are, because they are indented. */
function paragraph(block: string): string[] {
  const list = listOf(block);
  if (list !== undefined) {
    return list.flatMap(({ name, text }) => [".TP", bold(name), escaped(text)]);
  }
  const made = [".PP"];
  let kept: string[] = [];
  const keep = (): void => {
    if (kept.length > 0) made.push(...verbatim(kept));
    kept = [];
  };
  for (const line of linesOf(block)) {
    if (line.startsWith(" ")) kept.push(line);
    else {
      if (kept.length > 0) {
        keep();
        made.push(".PP");
      }
      made.push(escaped(line));
    }
  }
  keep();
  return made;
}

/** Lines that are not filled. Indentation that all of them share is left to the page. */
function verbatim(lines: readonly string[]): string[] {
  const indents = lines.filter((line) => line.trim() !== "")
    .map((line) => line.length - line.trimStart().length);
  const shared = Math.min(...indents);
  return [".PP", ".RS 4", ".nf", ...lines.map((line) => escaped(line.slice(shared))), ".fi", ".RE"];
}

function bold(text: string): string {
  return `\\fB${escaped(text)}\\fP`;
}

/** A text as roff prints it: no request, no escape, and hyphens that can be copied to a shell. */
function escaped(text: string): string {
  const plain = text.replaceAll("\\", "\\e").replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq").replaceAll("`", "\\(ga").replaceAll("^", "\\(ha")
    .replaceAll("~", "\\(ti")
    .replace(/[^\x20-\x7e]/gu, (one) => `\\[u${hexOf(one)}]`);
  return plain.startsWith(".") ? `\\&${plain}` : plain;
}

function hexOf(character: string): string {
  return character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
}
