/** Reads what a document shows: its examples as bytes, and its tables of limits. */
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { utf8 } from "../../src/tlog/encoding.ts";

const NOTATIONS = ["hex", "text", "one line"] as const;

interface Written {
  readonly notation: typeof NOTATIONS[number];
  readonly lines: string;
}

/** The text of a document in this project. */
export function readDocument(path: string): string {
  return Deno.readTextFileSync(new URL(`../../${path}`, import.meta.url));
}

/** The examples of a document, by name. An example's name and notation stand above its block. */
export class ShownExamples {
  readonly #written = new Map<string, Written>();

  constructor(document: string) {
    const shown = document.matchAll(
      /^Example `([\w-]+)` \(([a-z ]+)\)[^]*?^```text\n([^]*?)^```$/gm,
    );
    for (const [, name, notation, lines] of shown) {
      const known = NOTATIONS.find((each) => each === notation);
      if (known === undefined) throw new Error(`${name} is written as ${notation}`);
      if (this.#written.has(name!)) throw new Error(`${name} stands there twice`);
      this.#written.set(name!, { notation: known, lines: lines! });
    }
  }

  get names(): string[] {
    return [...this.#written.keys()];
  }

  /** The bytes of an example, by the rules of PROTOCOL section 1. */
  bytes(name: string): Uint8Array {
    const written = this.#written.get(name);
    if (written === undefined) throw new Error(`no example ${name} is shown`);
    const { notation, lines } = written;
    switch (notation) {
      case "hex": {
        const digits = lines.replace(/#.*$/gm, "")
          .replace(/<([\w-]+)>/g, (_, other: string) => encodeHex(this.bytes(other)));
        return decodeHex(digits.replace(/\s/g, ""));
      }
      case "text":
        return utf8(lines.replace(/<([\w-]+)>/g, (_, other: string) => this.#text(other)));
      case "one line":
        return utf8(lines.replaceAll("\n", ""));
    }
  }

  #text(name: string): string {
    return new TextDecoder("utf-8", { fatal: true }).decode(this.bytes(name));
  }
}

/** The limits of a document's tables: rows of a name in code, a number and what it is of. */
export function shownLimits(document: string): Map<string, number> {
  const rows = document.matchAll(/^\| `(\w+)` +\| ([\d,]+) +\|/gm);
  return new Map([...rows].map(([, name, value]) => [name!, Number(value!.replaceAll(",", ""))]));
}
