import { MalformedError } from "../tlog/malformed.ts";

/** A JSON object, as parsed. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Parses a JSON object of which every reader sees the same: JSON.parse keeps the last of two
 * members with one name, other readers the first, so one file could tell two stories. White space
 * and the escapes inside strings are free.
 * @throws MalformedError for anything but one JSON object without duplicate names
 */
export function parseExactJson(text: string): JsonObject {
  let value: unknown;
  let exact = false;
  try {
    value = JSON.parse(text);
    exact = JSON.stringify(value) === respelled(text);
  } catch {
    // Not JSON, or nested beyond the stack: refused below, like everything that is not an object.
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MalformedError("expected one JSON object");
  }
  if (!exact) {
    throw new MalformedError(
      "expected every JSON member once, and numbers in their plain spelling",
    );
  }
  return value as JsonObject;
}

/** The JSON text without white space, its strings spelled as JSON.stringify spells them. */
function respelled(text: string): string {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[^\s"]+/g) ?? [];
  return tokens.map((token) => token[0] === '"' ? JSON.stringify(JSON.parse(token)) : token)
    .join("");
}
