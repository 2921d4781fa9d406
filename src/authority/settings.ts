/**
 * The section of the configuration about the witness.
 *
 * @module
 */
import { within } from "../tlog/members.ts";
import type { Section } from "../world/jsonc.ts";
import { countUpTo, placeBeside, readAddress, readText } from "../world/setting_values.ts";
import type { Address } from "../world/world.ts";
import { checkListUrl, isListUrl } from "./log_list.ts";
import type { WitnessLimits } from "./witness_rates.ts";

/** What a witness is told to do. */
export interface WitnessSettings extends WitnessLimits {
  /** Path of its private key, of type 0x04. */
  readonly key: string;
  /** Path of its second key, of type 0x06, if it has one. */
  readonly mldsaKey?: string;
  /** Where logs push to it. */
  readonly http: Address;
  /** Path or URL of a list of further logs (C2SP tlog-list); see `isListUrl`. */
  readonly list?: string;
}

/** The values of what the file leaves out. */
export const WITNESS_DEFAULTS = { perSecondPerLog: 50, perSecond: 5_000 } as const;

/** A rate that no machine reaches. */
const MAX_PER_SECOND = 1_000_000;

/** Reads `witness`; nothing if the configuration has none. */
export const witnessSection: Section<WitnessSettings | undefined> = (given) => {
  if (!given.isThere) return undefined;
  const known = ["key", "mldsaKey", "http", "list", ...Object.keys(WITNESS_DEFAULTS)];
  const members = given.members({ what: "the witness", known });
  if (members === undefined) return undefined;
  const path = (value: unknown, name: string): string =>
    placeBeside(given.file.path, readText(value, name));
  const rate = (name: keyof typeof WITNESS_DEFAULTS): number | undefined =>
    members.get(name).read(countUpTo(MAX_PER_SECOND), WITNESS_DEFAULTS[name]);
  const key = members.get("key").read(path);
  const mldsaKey = members.get("mldsaKey").maybe(path);
  const http = members.get("http").read(readAddress);
  const list = members.get("list").maybe((value, name) => {
    const text = readText(value, name);
    return isListUrl(text) ? within(name, () => checkListUrl(text)) : path(text, name);
  });
  const [perSecondPerLog, perSecond] = [rate("perSecondPerLog"), rate("perSecond")];
  if (!key || !http || !perSecondPerLog || !perSecond) return undefined;
  const more = { ...(mldsaKey && { mldsaKey }), ...(list && { list }) };
  return { key, http, perSecondPerLog, perSecond, ...more };
};
