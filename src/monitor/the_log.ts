/** The `source` of what a log itself showed. */
export const THE_LOG = "the log";

const AT = `${THE_LOG} at `;

/** The same for a log that is served in several places: the source then names the place. */
export function theLogAt(place: string | undefined): string {
  return place === undefined ? THE_LOG : AT + place;
}

/** Whether a source is the log itself, at any place. A peer's name never has a space. */
export function isTheLog(source: string): boolean {
  return source === THE_LOG || source.startsWith(AT);
}
