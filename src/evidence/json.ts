import { MalformedError } from "../tlog/malformed.ts";

/** A JSON object, as parsed. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Deepest nesting taken; a record needs three. */
const MAX_DEPTH = 32;

/**
 * Parses a JSON object of which every reader sees the same: JSON.parse keeps the last of two
 * members with one name, other readers the first, so one file could tell two stories. White space
 * and the escapes inside strings are free.
 * @throws MalformedError for anything but one JSON object without duplicate names, and for lone
 *   surrogates and nesting beyond any record's
 */
export function parseExactJson(text: string): JsonObject {
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
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MalformedError("expected one JSON object");
  }
  const plain = JSON.stringify(value);
  // JSON.stringify escapes lone surrogates, and nothing else beyond ASCII.
  if (plain !== respelled(tokens) || /(?<!\\)(?:\\\\)*\\ud[89a-f]/.test(plain)) {
    throw new MalformedError(
      "expected every JSON member once, plain numbers and valid Unicode",
    );
  }
  return value as JsonObject;
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
