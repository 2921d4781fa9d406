import { printable } from "../tlog/malformed.ts";
import type { Style, Terminal } from "./terminal.ts";
import { columnsOf, wrapped } from "./width.ts";

const INDENT = "  ";
/** The width of prose where nobody says another. */
export const PROSE_COLUMNS = 80;
/** Longer lines are hard to read. */
const MOST_PROSE_COLUMNS = 100;

/**
 * Writes explanations for people: headings, paragraphs, facts, commands. Foreign texts are made
 * printable. They stand in facts only, and every line of a fact is indented; so no foreign text
 * begins a line.
 */
export class Prose {
  readonly lines: string[] = [];
  readonly #width: number;
  readonly #paint: Terminal["paint"];

  /** @param terminal where it is shown; without it, lines are of the usual width and plain */
  constructor(terminal?: Pick<Terminal, "columns" | "paint">) {
    this.#width = Math.min(terminal?.columns ?? PROSE_COLUMNS, MOST_PROSE_COLUMNS);
    this.#paint = terminal?.paint ?? ((_style, text) => text);
  }

  /** A line that begins a part; an empty line comes before it. */
  heading(text: string): void {
    if (this.lines.length > 0) this.lines.push("");
    this.#add(text, { style: "bold" });
  }

  /** A paragraph. */
  say(text: string, style?: Style): void {
    this.#add(text, { indent: INDENT, ...(style !== undefined && { style }) });
  }

  /** A paragraph that is one of several, with its mark or number. */
  item(mark: string, text: string): void {
    const indent = INDENT + " ".repeat(columnsOf(mark) + 1);
    const [first, ...rest] = wrapped(printable(text), { width: this.#width, indent });
    this.lines.push(`${INDENT}${mark} ${first!.slice(indent.length)}`, ...rest);
  }

  /** What something is. The value stays on one line, so that it can be copied. */
  fact(name: string, value: string): void {
    this.lines.push(`${INDENT}${this.#paint("dim", name.padEnd(12))} ${printable(value)}`);
  }

  /** A command to type. */
  command(text: string): void {
    this.lines.push(`${INDENT}${INDENT}${this.#paint("cyan", printable(text))}`);
  }

  /** An empty line. */
  gap(): void {
    this.lines.push("");
  }

  #add(text: string, { indent = "", style }: { indent?: string; style?: Style }): void {
    const lines = wrapped(printable(text), { width: this.#width, indent });
    this.lines.push(...lines.map((line) => style === undefined ? line : this.#paint(style, line)));
  }
}
