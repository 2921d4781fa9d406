/**
 * Input that does not have the form it must have. The message names what was read, what came and
 * what was wanted, and is fit to show to a person: it holds no control characters of the input.
 */
export class MalformedError extends Error {}

/**
 * A statement that was read whole and says what no tree can have. It hides nothing: whoever signed
 * it, it cannot contradict anything.
 */
export class ImpossibleError extends MalformedError {}

/** How much of an offending value a message shows. */
const SHOWN_CHARACTERS = 80;

/**
 * A foreign text made fit for one line of a terminal or a log: control, format and separator
 * characters (escape sequences, bidirectional overrides) are shown as `\u{…}`.
 */
export function printable(text: string): string {
  return text.toWellFormed().replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}

/** A JSON text made fit for a terminal: the same value, with such characters escaped as JSON does. */
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
