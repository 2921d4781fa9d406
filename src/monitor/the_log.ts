/** Who shows a monitor its own view, as it stands in `source` of what is told and recorded. */
export const THE_LOG = "the log";

const AT = `${THE_LOG} at `;

/** The same, where one log is served in several places: the place is a part of who showed it. */
export function theLogAt(place: string | undefined): string {
  return place === undefined ? THE_LOG : AT + place;
}

/** Whether a source is the log itself, at whichever place. No peer's name has a space. */
export function isTheLog(source: string): boolean {
  return source === THE_LOG || source.startsWith(AT);
}
