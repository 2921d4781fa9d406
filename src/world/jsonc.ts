/**
 * Reads settings from a JSONC text (JSON with comments and trailing commas). Every fault is noted
 * with its place, and reading goes on. So all faults of a file are reported at once.
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

/** The deepest nesting that is accepted. A configuration needs three. */
const MAX_DEPTH = 8;

/** Reads one section of the configuration. Returns nothing if a fault was noted. */
export type Section<T> = (given: Given) => T | undefined;

/**
 * Reads a plain value.
 * @param name what messages call it
 * @throws MalformedError beginning with the name
 */
export type ReadValue<T> = (value: unknown, name: string) => T;

/** A fault of a text, and its place. */
export interface Fault {
  readonly offset: number;
  readonly message: string;
}

/** The file that is being read. */
export interface SettingsFile {
  /** Its path. Paths in it are relative to its folder. */
  readonly path: string;
  /** Needed only to see whether a named source can be opened. No request is made. */
  readonly world: World;
  /** The faults found so far. */
  readonly faults: Fault[];
}

/**
 * The value of a whole text. Nothing, and a fault is noted, if it is not JSONC or is nested too
 * deeply.
 */
export function parseJsonc(text: string, file: SettingsFile): Given | undefined {
  const deep = tooDeepAt(text);
  if (deep !== undefined) {
    const message = `nested deeper than ${MAX_DEPTH} levels`;
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

/** The place of an offset: `line:column`, both from 1. */
export function lineAndColumn(text: string, { offset }: Fault): string {
  const before = text.slice(0, offset).split("\n");
  return `${before.length}:${before.at(-1)!.length + 1}`;
}

/** The parser's name of an error, as `ValueExpected`, in words: `value expected`. */
function inWords(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, " ").toLowerCase();
}

/**
 * The offset at which a text is nested too deeply, if it is. The parser calls itself for every
 * level.
 */
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

/** A value of the file, or a missing one, and the place to report about it. */
export class Given {
  readonly #node: Node | undefined;
  readonly #name: string;
  /** The object that lacks the value, if it is missing. */
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

  /** Where it begins in the text, in UTF-16 units; 0 if it is missing. */
  get offset(): number {
    return this.#node?.offset ?? 0;
  }

  /** Notes a fault at this value, or at the object that lacks it. */
  fail(message: string): void {
    const { offset = 0 } = this.#node ?? this.#owner?.node ?? {};
    this.file.faults.push({ offset, message });
  }

  /**
   * A plain value. It must be there, unless `otherwise` gives the value to read in its place. A
   * MalformedError of `read` is noted.
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
   * The members of an object. If the object is missing, so is each member. If the value is no
   * object, it notes a fault and gives nothing. Unknown members, and names that come twice, are
   * noted as well.
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

  /** The items of a list. A fault is noted if it is no list, or has too few or too many items. */
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

  /** A value further inside, to note a fault there. */
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

  /** A member, which may be missing. */
  get(name: string): Given {
    return new Given({
      ...{ node: this.#nodes.get(name), name, file: this.#file },
      ...(this.#owner && { owner: this.#owner }),
    });
  }
}
