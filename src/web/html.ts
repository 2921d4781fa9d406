/**
 * HTML that cannot be injected into: a template whose values are escaped, always.
 *
 *     html`<p title="${foreign}">${foreign} and ${html`<b>${count}</b>`}</p>`
 *
 * @module
 */
import { printable } from "../tlog/malformed.ts";

/** What may stand in a template. Nothing and `false` are left out. */
export type Value = string | number | bigint | Html | undefined | false | readonly Value[];

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** A piece of HTML. Only `html` makes one, so every value in it was escaped. */
export class Html {
  readonly #text: string;

  private constructor(text: string) {
    this.#text = text;
  }

  /** Puts a template together. The parts are ours, the values may be anybody's. */
  static of(parts: readonly string[], values: readonly Value[]): Html {
    const text = parts.map((part, i) => {
      if (i === values.length) return part;
      // An attribute without quotes would end at the first space of its value.
      if (part.endsWith("=")) throw new Error(`a value stands without quotes behind ${part}`);
      return part + Html.#written(values[i]!);
    });
    return new Html(text.join(""));
  }

  static #written(value: Value): string {
    if (value === undefined || value === false) return "";
    if (value instanceof Html) return value.#text;
    if (typeof value === "object") return value.map((one) => Html.#written(one)).join("");
    return escaped(`${value}`);
  }

  toString(): string {
    return this.#text;
  }
}

/**
 * A template: each value is shown as the text that it is. Control and format characters are shown as
 * `\u{…}`, since some turn the text around them (bidirectional overrides).
 */
export function html(parts: TemplateStringsArray, ...values: readonly Value[]): Html {
  return Html.of(parts, values);
}

/** The lines of a text, each made safe like any value, with the line ends between them kept. */
export function lines(text: string): Html {
  return html`${text.split("\n").map((line, i) => i === 0 ? line : [LINE_END, line])}`;
}

const LINE_END = Html.of(["\n"], []);

function escaped(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}
