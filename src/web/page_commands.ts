/**
 * The commands on a page, as they are to be typed: each names its files absolutely, and none does
 * something else when it is pasted.
 *
 * @module
 */
import { configOption } from "../response/freeze_words.ts";

/** Commands of one monitor. */
export interface Commands {
  /** `hearsay incidents …` with the monitor's configuration. */
  incidents(...words: readonly string[]): string;
  /** Whether steps of incidents can be taken while the monitor runs. */
  readonly listens: boolean;
}

/**
 * @param config the absolute path of the monitor's configuration; nothing for the one by default
 * @param listens whether the monitor has "listen", at which commands ask it
 */
export function commandsOf(
  { config, listens }: { config: string | undefined; listens: boolean },
): Commands {
  const own = configOption(config);
  return { incidents: (...words) => `hearsay incidents ${words.join(" ")}${own}`, listens };
}

/** A file in the home folder of whoever types it. A shell makes it absolute. */
export function atHome(name: string): string {
  return `~/${name}`;
}
