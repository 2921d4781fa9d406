/** Where a command finds the journals of the daemon on this machine. */
import { readLost } from "../monitor/places.ts";
import type { Settings } from "../monitor/settings.ts";
import { printable, quoted } from "../tlog/malformed.ts";
import { isThere } from "../world/durable.ts";
import { type Files, type World, WorldError } from "../world/world.ts";
import type { Options } from "./command.ts";
import { findConfig } from "./find_config.ts";
import { cannotRead } from "./inputs.ts";
import { readSettings } from "./run.ts";
import type { Terminal } from "./terminal.ts";

/**
 * The folder of a journal: the one that is named, else that of the configuration, else the default one.
 * @throws WorldError if there is no journal in it: that is not the same as a journal without entries
 */
export async function journalFolder(
  { world, options, named, from, otherwise, isIn }: {
    world: World;
    options: Options;
    /** The option that names the folder. */
    named: string;
    /** Where it stands in the configuration. */
    from: (settings: Settings) => string;
    otherwise: string;
    /** Whether there is a journal in a folder. */
    isIn: (files: Files, folder: string) => Promise<boolean>;
  },
): Promise<string> {
  const settings = await journalSettings({ world, options, named });
  const given = options.value(named) ?? (settings && from(settings)) ?? otherwise;
  let isThereOne: boolean;
  try {
    isThereOne = await isIn(world.files, given);
  } catch (error) {
    throw cannotRead(given, error);
  }
  if (isThereOne) return given;
  const wrong = await isThere(world.files, given) ? "has no journal in it" : "is not there";
  throw new WorldError(
    "not found",
    `the folder ${quoted(given)} ${wrong}; name the folder of the journal by --${named}, or the ` +
      "monitor's configuration by --config. A monitor that never ran has none",
  );
}

/**
 * The configuration of the monitor whose journal is read: the one that is named, or the one that is
 * found. If only the folder is named, none: what is found here may be another monitor's.
 * @param named the option that names the folder
 * @throws UsageError, MalformedError, WorldError
 */
export async function journalSettings(
  { world, options, named }: { world: World; options: Options; named: string },
): Promise<Settings | undefined> {
  const config = options.value("config");
  if (config === undefined && options.value(named) !== undefined) return undefined;
  const path = await findConfig(world, config);
  if (config === undefined && !await isThere(world.files, path)) return undefined;
  return await readSettings(world, path);
}

/**
 * Tells what is known to be lost of a journal: beside it, or in the folders of the configuration.
 * @returns whether anything is
 * @throws WorldError
 */
export async function tellLost(
  kind: "incident" | "observation",
  { world, terminal, folder, settings }: {
    world: World;
    terminal: Terminal;
    folder: string;
    settings: Settings | undefined;
  },
): Promise<boolean> {
  const folders = settings === undefined ? [folder] : [settings.state, settings.incidents, folder];
  const lost = (await readLost(world, folders)).filter((what) =>
    what.includes(`the ${kind} journal`) || !/the (?:incident|observation) journal/.test(what)
  );
  for (const what of lost) terminal.err(printable(`this journal is not complete: ${what}`));
  return lost.length > 0;
}
