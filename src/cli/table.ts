/**
 * Tables for a person at a terminal. They fit its width, and nothing that comes from outside can
 * leave its cell.
 *
 * @module
 */
import { printable } from "../tlog/malformed.ts";
import type { Style, Terminal } from "./terminal.ts";
import { columnsOf, shortened, wrapped } from "./width.ts";

/** A column of a table. */
export interface Column {
  readonly title: string;
  readonly align?: "right";
  /**
   * What becomes of the column if the lines are wider than the terminal: its longest texts lose their
   * middle, or it is left out. By default it stays as it is.
   */
  readonly narrow?: "cut" | "leave out";
}

/** The text of a cell, from wherever it comes. Colour alone must not say anything. */
export type Cell = string | { readonly text: string; readonly style?: Style | undefined };

/** A row: a cell for each column, and what is to be said below them. */
export interface Row {
  readonly cells: readonly Cell[];
  readonly note?: Cell | undefined;
}

const GAP = "  ";
/** Texts are cut to this width first. If that is not enough, columns are left out. */
const COMFORTABLE_COLUMNS = 24;
/** No text is cut to less. */
const LEAST_COLUMNS = 8;
/** No column that may be cut asks for more, however long its texts are. */
const MOST_COLUMNS = 400;

/**
 * A table that is printed in parts, so that it may be as long as it likes.
 *
 *     const table = new Table([{ title: "LOG", narrow: "cut" }, { title: "SIZE" }], terminal);
 *     for (const line of table.lines(rows)) terminal.out(line); // begins with the titles
 *     for (const line of table.lines(more)) terminal.out(line);
 */
export class Table {
  readonly #columns: readonly Column[];
  readonly #terminal: Pick<Terminal, "columns" | "paint">;
  readonly #natural: number[];
  #isBegun = false;

  constructor(columns: readonly Column[], terminal: Pick<Terminal, "columns" | "paint">) {
    this.#columns = columns;
    this.#terminal = terminal;
    this.#natural = columns.map(({ title }) => columnsOf(title));
  }

  /** The lines of these rows. A later part is at least as wide as those before it. */
  lines(rows: readonly Row[]): string[] {
    for (const { cells } of rows) {
      cells.forEach((cell, i) => {
        const most = this.#columns[i]!.narrow === "cut" ? MOST_COLUMNS : Infinity;
        const wanted = Math.min(columnsOf(textOf(cell)), most);
        this.#natural[i] = Math.max(this.#natural[i]!, wanted);
      });
    }
    const widths = fitted(this.#columns, {
      natural: this.#natural,
      width: this.#terminal.columns ?? Infinity,
    });
    const lines = this.#isBegun ? [] : [this.#titles(widths)];
    this.#isBegun = true;
    return [...lines, ...rows.flatMap((row) => this.#row(row, widths))];
  }

  #titles(widths: readonly (number | undefined)[]): string {
    return this.#line(this.#columns.map(({ title }) => ({ text: title, style: "dim" })), widths);
  }

  #row({ cells, note }: Row, widths: readonly (number | undefined)[]): string[] {
    const line = this.#line(cells, widths);
    if (note === undefined) return [line];
    const indent = " ".repeat(widths[0] ?? 0) + GAP;
    const width = this.#terminal.columns ?? Infinity;
    const below = wrapped(textOf(note), { width, indent });
    return [line, ...below.map((text) => this.#paint(note, text))];
  }

  #line(cells: readonly Cell[], widths: readonly (number | undefined)[]): string {
    const shown = widths.map((width, i) => ({ width, i })).filter(({ width }) =>
      width !== undefined
    );
    return shown.map(({ width, i }, place) => {
      const cell = cells[i] ?? "";
      const text = shortened(textOf(cell), width!);
      const room = " ".repeat(Math.max(0, width! - columnsOf(text)));
      const painted = this.#paint(cell, text);
      if (this.#columns[i]!.align === "right") return room + painted;
      return place === shown.length - 1 ? painted : painted + room;
    }).join(GAP).trimEnd();
  }

  #paint(cell: Cell, text: string): string {
    const style = typeof cell === "string" ? undefined : cell.style;
    return style === undefined || text === "" ? text : this.#terminal.paint(style, text);
  }
}

function textOf(cell: Cell): string {
  return printable(typeof cell === "string" ? cell : cell.text);
}

/** The widths of the columns so that a line fits; nothing for a column that is left out. */
function fitted(
  columns: readonly Column[],
  { natural, width }: { natural: readonly number[]; width: number },
): (number | undefined)[] {
  const widths: (number | undefined)[] = [...natural];
  const excess = (): number => {
    const shown = widths.filter((width) => width !== undefined);
    return shown.reduce((sum, each) => sum + each, (shown.length - 1) * GAP.length) - width;
  };
  const cut = (least: number): void => {
    while (excess() > 0) {
      const [widest] = columns.map(({ narrow, title }, i) => ({ narrow, title, i }))
        .filter(({ narrow, title, i }) =>
          narrow === "cut" && widths[i]! > Math.max(least, columnsOf(title))
        )
        .toSorted((one, other) => widths[other.i]! - widths[one.i]!);
      if (widest === undefined) return;
      widths[widest.i] = widths[widest.i]! - 1;
    }
  };
  cut(COMFORTABLE_COLUMNS);
  for (let i = columns.length - 1; i >= 0 && excess() > 0; i--) {
    if (columns[i]!.narrow === "leave out") widths[i] = undefined;
  }
  cut(LEAST_COLUMNS);
  return widths;
}
