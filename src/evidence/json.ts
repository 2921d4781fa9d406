import { MalformedError } from "../tlog/malformed.ts";
import { isObject } from "../tlog/members.ts";

/** A JSON object, as parsed. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Deepest nesting accepted; a record needs three. */
const MAX_DEPTH = 32;
/**
 * Most values and names accepted. A record has a few dozen, and a proof of up to 128 hashes.
 * Anybody can send 1.8 MB of empty strings, which would take most of a second to parse and to spell
 * again.
 */
export const MAX_JSON_PARTS = 4_096;

/**
 * Parses a JSON object that every reader reads alike. If two members have one name, JSON.parse
 * keeps the last and other readers keep the first. So one file could tell two stories.
 *
 *     parseExactJson('{"size": "6"}'); // { size: "6" }
 *     parseExactJson('{"size": "6", "size": "7"}'); // throws MalformedError
 *
 * White space, and escapes inside strings, may be used freely.
 * @param maxParts most values and names accepted. Allow more only for text that no stranger wrote
 * @throws MalformedError for anything but one JSON object without duplicate names, and for lone
 *   surrogates, nesting and numbers of parts beyond any record's
 */
export function parseExactJson(text: string, maxParts = MAX_JSON_PARTS): JsonObject {
  if (hasMoreParts(text, maxParts)) {
    throw new MalformedError(`expected JSON of at most ${maxParts} values and names`);
  }
  let value: unknown;
  let tokens: readonly string[] = [];
  try {
    value = JSON.parse(text);
    // This comes after JSON.parse. In text that is not JSON, a string may have no end. To look for
    // the end from each quote takes quadratic time: seven seconds for 160 kB.
    tokens = text.match(/"(?:[^"\\]|\\.)*"|[^\s"]+/g) ?? [];
  } catch {
    // Not JSON: refused below, like everything that is not an object.
  }
  if (isDeep(tokens)) throw new MalformedError(`expected JSON nested at most ${MAX_DEPTH} deep`);
  if (!isObject(value)) throw new MalformedError("expected one JSON object");
  const plain = JSON.stringify(value);
  // JSON.stringify escapes lone surrogates, and nothing else beyond ASCII.
  if (plain !== respelled(tokens) || /(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(plain)) {
    throw new MalformedError(
      "expected every JSON member once, plain numbers and valid Unicode",
    );
  }
  return value;
}

const [QUOTE, BACKSLASH, COMMA, COLON, BRACKET, BRACE] = [0x22, 0x5c, 0x2c, 0x3a, 0x5b, 0x7b];

/** Whether there are more values and names than `most`. It takes one pass and keeps nothing. */
function hasMoreParts(text: string, most: number): boolean {
  let parts = 1;
  let isString = false;
  for (let at = 0; at < text.length && parts <= most; at++) {
    const code = text.charCodeAt(at);
    if (isString) {
      if (code === BACKSLASH) at++;
      else if (code === QUOTE) isString = false;
    } else if (code === QUOTE) isString = true;
    // Each value or name but the first follows one of these. An empty list or object counts as one
    // more.
    else if (code === COMMA || code === COLON || code === BRACKET || code === BRACE) parts++;
  }
  return parts > most;
}

function isDeep(tokens: readonly string[]): boolean {
  let depth = 0;
  for (const token of tokens) {
    if (token[0] === '"') continue;
    for (const character of token) {
      if (character === "{" || character === "[") depth++;
      if (character === "}" || character === "]") depth--;
      if (depth > MAX_DEPTH) return true;
    }
  }
  return false;
}

/** The JSON text without white space, its strings spelled as JSON.stringify spells them. */
function respelled(tokens: readonly string[]): string {
  return tokens.map((token) => token[0] === '"' ? JSON.stringify(JSON.parse(token)) : token)
    .join("");
}
