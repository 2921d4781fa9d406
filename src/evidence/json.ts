import { MalformedError } from "../tlog/malformed.ts";
import { isObject } from "../tlog/members.ts";

/** A JSON object, as parsed. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Deepest nesting taken; a record needs three. */
const MAX_DEPTH = 32;
/**
 * Most values and names taken. A record has some dozens and a proof of up to 128 hashes; 1.8 MB of
 * empty strings would take most of a second to parse and to spell again, which anybody can send.
 */
export const MAX_JSON_PARTS = 4_096;

/**
 * Parses a JSON object of which every reader sees the same: JSON.parse keeps the last of two
 * members with one name, other readers the first, so one file could tell two stories. White space
 * and the escapes inside strings are free.
 * @param maxParts values and names taken; more only of what no stranger wrote
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
    // Not before: in what is no JSON a string may have no end, and looking for it from each of its
    // quotes takes quadratic time: seven seconds for 160 kB.
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

/** Whether there are more values and names than that, found in one pass that keeps nothing. */
function hasMoreParts(text: string, most: number): boolean {
  let parts = 1;
  let isString = false;
  for (let at = 0; at < text.length && parts <= most; at++) {
    const code = text.charCodeAt(at);
    if (isString) {
      if (code === BACKSLASH) at++;
      else if (code === QUOTE) isString = false;
    } else if (code === QUOTE) isString = true;
    // Each but the first comes after one of these; an empty list or object counts as one more.
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
