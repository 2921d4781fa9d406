/**
 * The commands on a page, as they are to be typed: each names its files absolutely, and none does
 * something else when it is pasted.
 *
 * @module
 */
import { shellWord } from "../world/shell_word.ts";
import type { JudgedCase } from "./page_case.ts";

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
  const own = config === undefined ? "" : ` --config ${shellWord(config)}`;
  return { incidents: (...words) => `hearsay incidents ${words.join(" ")}${own}`, listens };
}

/** What follows a step that a person takes. Pasted as it is, it is refused: a name and a reason are missing. */
export const SIGNED_BY = ` --by "" --why ""`;

/** A file in the home folder of whoever types it. A shell makes it absolute. */
export function atHome(name: string): string {
  return `~/${name}`;
}

/** Characters that would do something in a terminal, or hide something, when a command is pasted. */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}]/u;

/** The option that holds a record to its key; nothing if the key or the origin is not safe to paste. */
export function keyOption({ record: { log: { vkey, origin } }, subject }: JudgedCase): string {
  if (UNSAFE.test(vkey) || UNSAFE.test(origin)) return "";
  if (subject === "witness") return ` --witness ${shellWord(vkey)}`;
  const isNamed = vkey.startsWith(`${origin}+`);
  return ` --log ${shellWord(isNamed ? vkey : `${vkey} ${origin}`)}`;
}
