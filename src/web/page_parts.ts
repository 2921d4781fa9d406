/**
 * The parts that pages are made of: sections, tables, commands.
 *
 * @module
 */
import { type Html, html, type Value } from "./html.ts";
import { grouped } from "./page_words.ts";

/** One column of a table. */
export interface Column {
  readonly title: string;
  readonly isNumber?: boolean;
}

/** One row; its first cell is its heading. */
export interface Row {
  readonly cells: readonly Value[];
  /** `bad` if something is proven, `warn` if something is not as it should be. */
  readonly mark?: Mark | undefined;
}

/** How serious something is. A word always stands beside the colour. */
export type Mark = "bad" | "warn" | "good";

/** A section of a page, with its heading. The script replaces sections by their ids. */
export function section(id: string, heading: Value, content: Value): Html {
  return html`
    <section id="${id}" aria-labelledby="${id}-heading">
    <h2 id="${id}-heading">${heading}</h2>
    ${content}
    </section>
  `;
}

/**
 * A table. On a narrow screen each row becomes a card, so every part says its role by itself: a browser
 * may forget it once a table is laid out in another way.
 */
export function table(
  { caption, columns, rows }: {
    caption: string;
    columns: readonly Column[];
    rows: readonly Row[];
  },
): Html {
  const head = columns.map(({ title, isNumber }) =>
    html`<th role="columnheader" scope="col" class="${isNumber ? "right" : ""}">${title}</th>`
  );
  return html`
    <table role="table">
      <caption>${caption}</caption>
      <thead role="rowgroup">
        <tr role="row">${head}</tr>
      </thead>
      <tbody role="rowgroup">${rows.map((row) => rowOf(row, columns))}</tbody>
    </table>
  `;
}

function rowOf({ cells, mark }: Row, columns: readonly Column[]): Html {
  const [first, ...others] = cells.map((cell, i) => {
    const { title, isNumber } = columns[i]!;
    const attributes = { label: title, kind: isNumber ? "right" : "" };
    return i === 0
      ? html`<th role="rowheader" scope="row">${cell}</th>`
      : html`<td role="cell" data-label="${attributes.label}" class="${attributes.kind}">${cell}</td>`;
  });
  return html`
    <tr role="row" class="${mark}">${first}${others}</tr>
  `;
}

/** Says what is left out, and how to see it; nothing if all is shown. */
export function leftOut({ all, shown, what, see }: {
  all: number;
  shown: number;
  /** In the plural. */
  what: string;
  /** How to see the others, a sentence's end. */
  see: Value;
}): Value {
  if (all <= shown) return undefined;
  const rest = grouped(`${all - shown}`);
  return html`
    <p
      class="left-out">Shown: ${shown} of ${grouped(
        `${all}`,
      )} ${what}. ${rest} are left out here; ${see}.</p>
  `;
}

/** A command to copy. The button is for those whose browser runs the script. */
export function command(id: string, text: string): Html {
  // No line ends within an option: `--` alone would mean something else.
  const words = text.split(" ").map((word, i) =>
    html`${i > 0 && " "}<span class="word">${word}</span>`
  );
  return html`
    <div
      class="command"><code id="${id}">${words}</code><button type="button" hidden data-copies="${id}" aria-describedby="${id}">Copy<span class="unseen"> this command</span></button></div>
  `;
}

/** A word that says how serious something is. */
export function badge(mark: Mark, word: string): Html {
  return html`<strong class="badge ${mark}">${word}</strong>`;
}
