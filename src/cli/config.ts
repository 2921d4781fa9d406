/**
 * `hearsay.jsonc`: reads a daemon's settings, and tells every error of the file at once, each with
 * its line and column, the value and what was wanted. What may stand in it is told by
 * `monitor/settings.ts`.
 *
 * @module
 */
import { readConfiguration, type Settings } from "../monitor/settings.ts";
import { MalformedError, printable } from "../tlog/malformed.ts";
import { type Fault, lineAndColumn, parseJsonc } from "../world/jsonc.ts";
import type { World } from "../world/world.ts";

/** Longest configuration read. */
export const MAX_CONFIG_BYTES = 1024 * 1024;
/** Most errors told of one file. */
const MAX_FAULTS = 100;
/** A private key, which stands where it should not and must not be repeated. */
const PRIVATE_KEY = /PRIVATE\+KEY\+[^\s"]*/g;
const HIDDEN_KEY = "PRIVATE+KEY+…";

/**
 * Reads a configuration.
 * @param text the file's text
 * @param path the file's path, for messages; paths in it are relative to its folder
 * @param world only so as to see whether the sources of logs can be opened; nothing is asked of it
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
    .map((fault) =>
      `${printable(path)}:${lineAndColumn(text, fault)}: ` +
      fault.message.replace(PRIVATE_KEY, HIDDEN_KEY)
    );
  if (faults.length > MAX_FAULTS) lines.push(`and ${faults.length - MAX_FAULTS} more errors`);
  throw new MalformedError(lines.join("\n"));
}
