/**
 * The section of the configuration about journals: where this monitor publishes its own, who may push
 * theirs to it, and which it mirrors.
 *
 * @module
 */
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { unexpected, within } from "../tlog/members.ts";
import { parseVkey, SIGNATURE_TYPE, type Vkey } from "../tlog/vkey.ts";
import type { Given, Section } from "../world/jsonc.ts";
import {
  countUpTo,
  readAddress,
  readDuration,
  readText,
  readUrl,
} from "../world/setting_values.ts";
import type { Address } from "../world/world.ts";

/** Whose journals are taken in if they are pushed here: those of known monitors, or anyone's. */
export type AdmitPushes = "members" | "anyone";

/** What a monitor does with journals. */
export interface FederationSettings extends FederationLimits {
  /** Where it publishes its own, and takes in others; nowhere if left out. */
  readonly http?: Address;
  readonly admit: AdmitPushes;
  readonly mirrors: readonly MirrorSettings[];
}

/** How much is answered, for one address and in all. */
export interface FederationLimits {
  /** Requests in a second. After a pause an address may send as many at once. */
  readonly perSecondPerAddress: number;
  /** Requests in a second from everybody. */
  readonly perSecond: number;
}

/** One journal that is mirrored. */
export interface MirrorSettings {
  /** The key of the monitor whose journal it is. */
  readonly vkey: Vkey;
  /** The base URL at which it is published; it ends with a slash. */
  readonly url: string;
  /** How often it is looked at. */
  readonly everyMs: number;
}

/** The values of what the file leaves out, spelled as in the file. */
export const FEDERATION_DEFAULTS = {
  admit: "members",
  perSecondPerAddress: 100,
  perSecond: 1_000,
  every: "1m",
} as const;

/** A rate that no machine reaches. */
const MAX_PER_SECOND = 1_000_000;
/** The most journals that a monitor mirrors. */
export const MAX_MIRRORS = 256;

/** Reads `federation`; nothing if the configuration has none. */
export const federationSection: Section<FederationSettings | undefined> = (given) => {
  if (!given.isThere) return undefined;
  const known = ["http", "admit", "perSecondPerAddress", "perSecond", "mirrors"];
  const members = given.members({ what: "federation", known });
  if (members === undefined) return undefined;
  const rate = (name: "perSecondPerAddress" | "perSecond"): number | undefined =>
    members.get(name).read(countUpTo(MAX_PER_SECOND), FEDERATION_DEFAULTS[name]);
  const http = members.get("http").maybe(readAddress);
  const admit = members.get("admit").read(readAdmitPushes, FEDERATION_DEFAULTS.admit);
  const [perSecondPerAddress, perSecond] = [rate("perSecondPerAddress"), rate("perSecond")];
  const mirrors = readMirrors(members.get("mirrors"));
  if (!admit || !perSecondPerAddress || !perSecond) return undefined;
  return { ...(http && { http }), admit, perSecondPerAddress, perSecond, mirrors };
};

function readAdmitPushes(value: unknown, name: string): AdmitPushes {
  if (value === "members" || value === "anyone") return value;
  throw unexpected(value, { name, wanted: '"members" or "anyone"' });
}

function readMirrors(given: Given): MirrorSettings[] {
  const mirrors: MirrorSettings[] = [];
  for (const item of given.items({ most: MAX_MIRRORS })) {
    const mirror = readMirror(item);
    if (mirror === undefined) continue;
    const { name } = mirror.vkey;
    // The journal's origin has the name, and the mirror's folder the origin.
    if (mirrors.some(({ vkey }) => vkey.name === name)) {
      item.fail(`two mirrors of journals of the name ${quoted(name)}, expected one`);
    }
    mirrors.push(mirror);
  }
  return mirrors;
}

function readMirror(given: Given): MirrorSettings | undefined {
  const members = given.members({ what: "the mirror", known: ["vkey", "url", "every"] });
  if (members === undefined) return undefined;
  const vkey = members.get("vkey").read(readMonitorKey);
  const url = members.get("url").read(readUrl);
  const everyMs = members.get("every").read(readDuration, FEDERATION_DEFAULTS.every);
  if (vkey === undefined || url === undefined || everyMs === undefined) return undefined;
  return { vkey, url: url.endsWith("/") ? url : `${url}/`, everyMs };
}

/** The vkey of a monitor, of type 0x01. @throws MalformedError for anything else */
function readMonitorKey(value: unknown, name: string): Vkey {
  const vkey = within(name, () => parseVkey(readText(value, name)));
  if (vkey.type === SIGNATURE_TYPE.ed25519) return vkey;
  throw new MalformedError(`${name} is a key of type ${vkey.type}, expected 1, Ed25519`);
}
