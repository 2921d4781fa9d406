/**
 * Reads `hearsay.jsonc`, a daemon's settings. It reports every error of the file at once, each with its
 * line and column, the value found and the value wanted. `monitor/settings.ts` has the table of what
 * the file may contain.
 *
 * @module
 */
import { readConfiguration, type Settings } from "../monitor/settings.ts";
import { MalformedError, printable } from "../tlog/malformed.ts";
import { type Fault, lineAndColumn, parseJsonc } from "../world/jsonc.ts";
import type { World } from "../world/world.ts";
import { hideKeys } from "./command.ts";

/** The longest configuration that is read. */
export const MAX_CONFIG_BYTES = 1024 * 1024;
/** At most this many errors of one file are reported. */
const MAX_FAULTS = 100;

/**
 * Reads a configuration.
 * @param text the file's text
 * @param path the file's path, for messages; paths in it are relative to its folder
 * @param world used only to check that the sources of logs can be opened; nothing is sent or read
 * @throws MalformedError with one line for every error of the file, up to MAX_FAULTS
 */
export function parseConfig(
  text: string,
  { path, world }: { path: string; world: World },
): Settings {
  const faults: Fault[] = [];
  const given = parseJsonc(text, { path, world, faults });
  const settings = given && readConfiguration(given);
  if (settings !== undefined) return settings;
  const lines = faults.toSorted((a, b) => a.offset - b.offset).slice(0, MAX_FAULTS)
    .map((fault) => `${printable(path)}:${lineAndColumn(text, fault)}: ${hideKeys(fault.message)}`);
  if (faults.length > MAX_FAULTS) lines.push(`and ${faults.length - MAX_FAULTS} more errors`);
  throw new MalformedError(lines.join("\n"));
}
