/**
 * Reads settings from a JSONC text (JSON with comments and trailing commas). Every fault is noted
 * with its place and reading goes on, so that all faults of a file are told at once.
 *
 *     const members = given.members({ what: "gossip", known: ["interval", "fanOut"] });
 *     members?.get("interval").read(readDuration, "1m");
 *
 * @module
 */
import {
  createScanner,
  findNodeAtLocation,
  getNodeValue,
  type Node,
  type ParseError,
  parseTree,
  printParseErrorCode,
} from "jsonc-parser";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { unexpected } from "../tlog/members.ts";
import type { World } from "./world.ts";

/** Deepest nesting taken; a configuration needs three. */
const MAX_DEPTH = 8;

/** How one section of the configuration is read; nothing if a fault was noted. */
export type Section<T> = (given: Given) => T | undefined;

/**
 * Reads a plain value.
 * @param name what messages call it
 * @throws MalformedError beginning with the name
 */
export type ReadValue<T> = (value: unknown, name: string) => T;

/** What is wrong with a text, and where. */
export interface Fault {
  readonly offset: number;
  readonly message: string;
}

/** The file that is being read. */
export interface SettingsFile {
  /** Where it is; paths in it are relative to its folder. */
  readonly path: string;
  /** Only so as to see whether what is named can be opened; nothing is asked of it. */
  readonly world: World;
  /** What was found to be wrong so far. */
  readonly faults: Fault[];
}

/** The whole of a text; nothing if it is not JSONC, or nested too deeply, which is noted. */
export function parseJsonc(text: string, file: SettingsFile): Given | undefined {
  const deep = tooDeepAt(text);
  if (deep !== undefined) {
    const message = `nested deeper than ${MAX_DEPTH}, as nothing here is`;
    file.faults.push({ offset: deep, message });
    return undefined;
  }
  const errors: ParseError[] = [];
  const node = parseTree(text, errors, { allowTrailingComma: true });
  for (const { error, offset } of errors) {
    file.faults.push({ offset, message: `not JSONC: ${inWords(printParseErrorCode(error))}` });
  }
  return errors.length > 0 ? undefined : new Given({ node, name: "", file });
}

/** Where an offset is: `line:column`, both from 1. */
export function lineAndColumn(text: string, { offset }: Fault): string {
  const before = text.slice(0, offset).split("\n");
  return `${before.length}:${before.at(-1)!.length + 1}`;
}

/** The parser's name of an error, as `ValueExpected`, in words: `value expected`. */
function inWords(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
}

/** Where a text is nested too deeply, if it is; the parser calls itself for every level. */
function tooDeepAt(text: string): number | undefined {
  const scanner = createScanner(text, true);
  let depth = 0;
  while (scanner.getPosition() < text.length) {
    scanner.scan();
    const offset = scanner.getTokenOffset();
    const first = text[offset]!;
    if ("{[".includes(first)) depth++;
    if ("}]".includes(first)) depth--;
    if (depth > MAX_DEPTH) return offset;
  }
  return undefined;
}

/** A value of the file, or that there is none, and where that is told. */
export class Given {
  readonly #node: Node | undefined;
  readonly #name: string;
  /** The object that lacks it, if it is not there. */
  readonly #owner: { readonly what: string; readonly node: Node } | undefined;
  readonly file: SettingsFile;

  constructor({ node, name, owner, file }: {
    node: Node | undefined;
    name: string;
    owner?: { what: string; node: Node };
    file: SettingsFile;
  }) {
    this.#node = node;
    this.#name = name;
    this.#owner = owner;
    this.file = file;
  }

  /** Whether the file has this value. */
  get isThere(): boolean {
    return this.#node !== undefined;
  }

  /** Notes a fault at this value, or at the object that lacks it. */
  fail(message: string): void {
    const { offset = 0 } = this.#node ?? this.#owner?.node ?? {};
    this.file.faults.push({ offset, message });
  }

  /**
   * A plain value, which must be there unless `otherwise` says what the file would say in its place.
   * A MalformedError of `read` is noted.
   */
  read<T>(read: ReadValue<T>, otherwise?: unknown): T | undefined {
    const value = this.#node === undefined ? otherwise : getNodeValue(this.#node);
    if (value === undefined) {
      this.#failMissing();
      return undefined;
    }
    try {
      return read(value, this.#name);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.fail(error.message);
      return undefined;
    }
  }

  /** A plain value that may be missing. */
  maybe<T>(read: ReadValue<T>): T | undefined {
    return this.#node === undefined ? undefined : this.read(read);
  }

  /**
   * The members of an object, of which none is there if the object is not; nothing for what is no
   * object, which is noted, like members that are not known and names that come twice.
   */
  members({ what, known }: { what: string; known: readonly string[] }): Members | undefined {
    const node = this.#node;
    if (node === undefined) {
      const owner = this.#owner && { what, node: this.#owner.node };
      return new Members({ nodes: new Map(), ...(owner && { owner }), file: this.file });
    }
    if (node.type !== "object") {
      this.#failWanting("an object", what);
      return undefined;
    }
    const nodes = new Map<string, Node>();
    for (const { children } of node.children ?? []) {
      const [key, value] = children ?? [];
      const name = String(key?.value);
      const at = new Given({ node: key, name, file: this.file });
      if (!known.includes(name)) {
        at.fail(`${what} has no member ${quoted(name)}; there are: ${known.join(", ")}`);
      } else if (nodes.has(name)) at.fail(`${what} has ${quoted(name)} twice`);
      else if (value !== undefined) nodes.set(name, value);
    }
    return new Members({ nodes, owner: { what, node }, file: this.file });
  }

  /** The items of a list; that it is none, or has too few or too many, is noted. */
  items({ least = 0, most }: { least?: number; most: number }): Given[] {
    if (this.#node === undefined) {
      if (least > 0) this.#failMissing();
      return [];
    }
    if (this.#node.type !== "array") {
      this.#failWanting("a list");
      return [];
    }
    const nodes = this.#node.children ?? [];
    const wanted = nodes.length > most ? `at most ${most}` : `at least ${least}`;
    if (nodes.length > most || nodes.length < least) {
      this.fail(`${this.#name} has ${nodes.length} items, expected ${wanted}`);
    }
    return nodes.slice(0, most).map((node) => new Given({ node, name: "", file: this.file }));
  }

  /** What stands further inside, to note a fault there. */
  inside(...names: string[]): Given {
    const node = this.#node && findNodeAtLocation(this.#node, names);
    return new Given({ node, name: names.at(-1) ?? "", file: this.file });
  }

  #failMissing(): void {
    this.fail(`${this.#owner?.what} lacks the member "${this.#name}"`);
  }

  #failWanting(wanted: string, name = this.#name): void {
    const value: unknown = this.#node && getNodeValue(this.#node);
    this.fail(unexpected(value, { name, wanted }).message);
  }
}

/** The members of an object in the file. */
export class Members {
  readonly #nodes: ReadonlyMap<string, Node>;
  readonly #owner: { what: string; node: Node } | undefined;
  readonly #file: SettingsFile;

  constructor({ nodes, owner, file }: {
    nodes: ReadonlyMap<string, Node>;
    owner?: { what: string; node: Node };
    file: SettingsFile;
  }) {
    this.#nodes = nodes;
    this.#owner = owner;
    this.#file = file;
  }

  /** A member, or that it is not there. */
  get(name: string): Given {
    return new Given({
      ...{ node: this.#nodes.get(name), name, file: this.#file },
      ...(this.#owner && { owner: this.#owner }),
    });
  }
}
