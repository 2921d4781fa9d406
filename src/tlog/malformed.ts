/**
 * Input that does not have the required form. The message says what was read, what came and what
 * was wanted. It is safe to print: it has no control characters of the input.
 */
export class MalformedError extends Error {}

/**
 * A statement that was read whole and that no tree can fulfil. It hides no evidence: whoever signed
 * it, it cannot contradict anything.
 */
export class ImpossibleError extends MalformedError {}

/** How much of an offending value a message shows. */
const SHOWN_CHARACTERS = 80;

/**
 * Makes a foreign text safe for one line of a terminal or a log. Control, format and separator
 * characters (escape sequences, bidirectional overrides) are shown as `\u{…}`.
 */
export function printable(text: string): string {
  return text.toWellFormed().replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/**
 * Makes a JSON text safe for a terminal. The value stays the same; such characters are escaped as
 * JSON does.
 */
export function printableJson(json: string): string {
  return json.replace(
    /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) =>
      [...Array(character.length).keys()]
        .map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`).join(""),
  );
}

/** The start of a foreign text in quotes, for a message. */
export function quoted(text: string): string {
  const start = text.length > SHOWN_CHARACTERS ? text.slice(0, SHOWN_CHARACTERS) + "…" : text;
  return `"${printable(start)}"`;
}
