/**
 * Changes the peers in the text of a configuration. Everything else stays as it is to the byte, comments
 * and layout too. (`modify` of jsonc-parser drops comments beside what it removes, and lays the neighbours
 * out anew.)
 *
 * @module
 */
import {
  applyEdits,
  createScanner,
  type Edit,
  findNodeAtLocation,
  modify,
  type Node,
  parseTree,
} from "jsonc-parser";
import type { Address } from "../world/world.ts";
import { formatAddress } from "../world/address.ts";

/** A peer as the configuration has it. */
export interface NewPeer {
  readonly vkey?: string | undefined;
  readonly address?: Address | undefined;
}

/** A peer as one line of the configuration. */
export function peerText({ vkey, address }: NewPeer): string {
  const members = [
    ...(vkey === undefined ? [] : [`"vkey": ${JSON.stringify(vkey)}`]),
    ...(address === undefined ? [] : [`"address": ${JSON.stringify(formatAddress(address))}`]),
  ];
  return `{ ${members.join(", ")} }`;
}

/** Adds a peer behind the others. The text must be a configuration that can be read. */
export function withPeer(given: string, peer: NewPeer): string {
  const text = findNodeAtLocation(rootOf(given), ["peers"]) === undefined ? withList(given) : given;
  const list = findNodeAtLocation(rootOf(text), ["peers"])!;
  const last = list.children?.at(-1);
  const item = peerText(peer);
  return applyEdits(
    text,
    last === undefined ? intoEmpty(text, list, item) : behind(text, last, item),
  );
}

/** Takes a peer out, by its place in the list. */
export function withoutPeer(text: string, index: number): string {
  const items = findNodeAtLocation(rootOf(text), ["peers"])!.children!;
  const [item, before] = [items[index]!, items[index - 1]];
  const own = commaAfter(text, item);
  // The last item may have no comma. Then the one before it goes.
  const comma = own ?? (before && commaAfter(text, before));
  const cutItem = wholeLines(text, item) ?? cut(item.offset, item.length);
  const isWithin = comma === undefined ||
    (comma >= cutItem.offset && comma < cutItem.offset + cutItem.length);
  if (isWithin) return applyEdits(text, [cutItem]);
  const between = own === undefined
    ? text.slice(comma + 1, item.offset)
    : text.slice(endOf(item), comma);
  const isBeside = /^[ \t]*$/.test(between) && cutItem.offset === item.offset;
  if (!isBeside) return applyEdits(text, [cutItem, cut(comma, 1)]);
  // On one line with others: the space goes with it.
  if (own === undefined) return applyEdits(text, [cut(comma, endOf(item) - comma)]);
  const rest = /^[ \t]*/.exec(text.slice(own + 1))![0];
  return applyEdits(text, [cut(item.offset, own + 1 + rest.length - item.offset)]);
}

/** Gives a peer a vkey, or another address, by its place in the list. */
export function withPeerChanged(text: string, index: number, { vkey, address }: NewPeer): string {
  let changed = text;
  if (vkey !== undefined) changed = withMember(changed, { index, name: "vkey", value: vkey });
  if (address !== undefined) {
    changed = withMember(changed, { index, name: "address", value: formatAddress(address) });
  }
  return changed;
}

function withMember(
  text: string,
  { index, name, value }: { index: number; name: string; value: string },
): string {
  const root = rootOf(text);
  const json = JSON.stringify(value);
  const there = findNodeAtLocation(root, ["peers", index, name]);
  if (there !== undefined) {
    return applyEdits(text, [{ offset: there.offset, length: there.length, content: json }]);
  }
  const item = findNodeAtLocation(root, ["peers", index])!;
  const member = `"${name}": ${json}`;
  const first = item.children![0]!;
  const edit = name === "vkey"
    ? insert(first.offset, `${member}, `)
    : insert(endOf(item.children!.at(-1)!), `, ${member}`);
  return applyEdits(text, [edit]);
}

function rootOf(text: string): Node {
  return parseTree(text, [], { allowTrailingComma: true })!;
}

/** The same text with an empty list of peers. */
function withList(text: string): string {
  const formattingOptions = { insertSpaces: true, tabSize: 2, eol: lineBreakOf(text) };
  return applyEdits(text, modify(text, ["peers"], [], { formattingOptions }));
}

function endOf({ offset, length }: Node): number {
  return offset + length;
}

function insert(offset: number, content: string): Edit {
  return { offset, length: 0, content };
}

function cut(offset: number, length: number): Edit {
  return { offset, length, content: "" };
}

function lineBreakOf(text: string): string {
  return text.includes("\r\n") ? "\r\n" : "\n";
}

/** Where the line of an offset begins. */
function lineStart(text: string, offset: number): number {
  return text.lastIndexOf("\n", offset - 1) + 1;
}

/** The spaces that the line of an offset begins with. */
function indentAt(text: string, offset: number): string {
  return /^[ \t]*/.exec(text.slice(lineStart(text, offset)))![0];
}

/** Into a list without items, above its end, so that comments in it stay above. */
function intoEmpty(text: string, list: Node, item: string): Edit[] {
  const close = endOf(list) - 1;
  const start = lineStart(text, close);
  const outer = indentAt(text, list.offset);
  const line = `${outer}  ${item}${lineBreakOf(text)}`;
  const isAlone = text.slice(start, close).trim() === "";
  return [isAlone ? insert(start, line) : insert(close, `${lineBreakOf(text)}${line}${outer}`)];
}

/** Behind the last item of a list, on a line of its own if that one has one. */
function behind(text: string, last: Node, item: string): Edit[] {
  const end = endOf(last);
  const comma = commaAfter(text, last);
  const hasOwnLine = text.slice(lineStart(text, last.offset), last.offset).trim() === "";
  const place = hasOwnLine ? endOfLine(text, comma === undefined ? end : comma + 1) : undefined;
  const line = place === undefined
    ? ` ${item}`
    : `${lineBreakOf(text)}${indentAt(text, last.offset)}${item}`;
  const at = place ?? (comma === undefined ? end : comma + 1);
  // Who ends lists with a comma finds one there.
  return comma === undefined ? [insert(end, ","), insert(at, line)] : [insert(at, `${line},`)];
}

/** The tokens from an offset on, with what is between them: spaces, line breaks and comments. */
function* tokens(text: string, from: number): Generator<{ token: string; at: number }> {
  const scanner = createScanner(text, false);
  scanner.setPosition(from);
  while (scanner.getPosition() < text.length) {
    scanner.scan();
    const at = scanner.getTokenOffset();
    yield { token: text.slice(at, at + scanner.getTokenLength()), at };
  }
}

/** Whether it is nothing but spaces, line breaks or a comment. */
function isBetween(token: string): boolean {
  return /^(?:\s|\/[/*])/.test(token);
}

/** Where the comma behind an item is, if there is one. */
function commaAfter(text: string, item: Node): number | undefined {
  for (const { token, at } of tokens(text, endOf(item))) {
    if (token === ",") return at;
    if (!isBetween(token)) return undefined;
  }
}

/** Where the line ends, behind its comments; nothing if something else follows on it. */
function endOfLine(text: string, from: number): number | undefined {
  for (const { token, at } of tokens(text, from)) {
    if (/^\r?\n/.test(token)) return at;
    if (!isBetween(token) || token.includes("\n")) return undefined;
  }
}

/** The lines of an item, if nothing but its comma is on them besides. */
function wholeLines(text: string, item: Node): Edit | undefined {
  const start = lineStart(text, item.offset);
  const lineEnd = text.indexOf("\n", endOf(item));
  if (lineEnd < 0 || text.slice(start, item.offset).trim() !== "") return undefined;
  const isAlone = /^\s*,?\s*$/.test(text.slice(endOf(item), lineEnd));
  return isAlone ? cut(start, lineEnd + 1 - start) : undefined;
}
