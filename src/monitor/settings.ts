/**
 * What a daemon is told to do, and the one table of the sections it is read from. A new section is
 * a member of `Settings`, a row of `SECTIONS`, and a file in its room. Its default is what it reads
 * where the file says nothing.
 *
 * @module
 */
import { join } from "@std/path/join";
import {
  gossipSection,
  type GossipSettings,
  limitsSection,
  type PeerSettings,
  peersSection,
} from "../gossip/settings.ts";
import { federationSection, type FederationSettings } from "../federation/settings.ts";
import { witnessSection, type WitnessSettings } from "../authority/settings.ts";
import { type AlertSettings, alertsSection } from "../response/settings.ts";
import { storeSection, type StoreSettings } from "../store/settings.ts";
import type { ExchangeLimits } from "../gossip/limits.ts";
import { NO_CONTACT } from "../world/http_client.ts";
import { type Admit, admitSection, swarmSection, type SwarmSettings } from "../swarm/settings.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { within } from "../tlog/members.ts";
import type { Log } from "../tlog/log.ts";
import { checkKeyName } from "../tlog/vkey.ts";
import { Given, type Section } from "../world/jsonc.ts";
import {
  placeBeside,
  readAddress,
  readDuration,
  readSwitch,
  readText,
} from "../world/setting_values.ts";
import type { Address, World } from "../world/world.ts";
import {
  knownLogs,
  type LogSettings,
  logsOfWitnessSection,
  logsSection,
  pushesOnly,
} from "./log_settings.ts";

/** The settings of each part, for those who import this file. */
export type { GossipSettings, PeerSettings } from "../gossip/settings.ts";
/** The settings of one log. */
export type { LogSettings } from "./log_settings.ts";

/** What a daemon is told to do; `hearsay.jsonc`, read and checked. */
export interface Settings {
  /** The monitor's name, which its key must bear. */
  readonly name: string;
  /** Path of its private key. */
  readonly key: string;
  /** Folder of the observation journal. */
  readonly state: string;
  /** Folder of the incident journal. */
  readonly incidents: string;
  /** Where it answers exchanges; nowhere if left out. */
  readonly listen: Address | undefined;
  /** Where it serves its status over HTTP; nowhere if left out. */
  readonly http: Address | undefined;
  /** Whether anybody may compare checkpoints there too, as with sourcespotter. */
  readonly httpGossip: boolean;
  /** How a log's operator can reach this monitor's operator. It is sent with every request. */
  readonly contact: string;
  readonly logs: readonly LogSettings[];
  /** Logs that have no source and only push to the witness. They stand in `logs` too, in the file. */
  readonly pushed: readonly Log[];
  readonly peers: readonly PeerSettings[];
  /** Whom it answers at `listen`. */
  readonly admit: Admit;
  readonly members: SwarmSettings;
  readonly gossip: GossipSettings;
  readonly limits: ExchangeLimits;
  /** What it does as a witness; nothing if it is none. */
  readonly witness: WitnessSettings | undefined;
  /** What is told to its operator, and how; nothing but events if left out. */
  readonly alerts: AlertSettings | undefined;
  /** How it publishes its journal and mirrors others; nothing if it does neither. */
  readonly federation: FederationSettings | undefined;
  /** The store that it shares with others of its operator; its own files alone if left out. */
  readonly store: StoreSettings | undefined;
  /** Path of the policy of each log that it lists, unless the log has one of its own. */
  readonly policy: string | undefined;
  /** How far a witness may be behind, and how old its latest cosignature may be, in milliseconds. */
  readonly cosignedWithin: number;
}

/** The members of the file: each of them is read into the one of `Settings` with its name. */
type FileSettings = Omit<Settings, "pushed">;

/** The values of what the file leaves out, spelled as in the file. */
export const PLACE_DEFAULTS = {
  key: "monitor.key",
  state: "state",
  incidents: "incidents",
} as const;

/** What `cosignedWithin` is if the file does not say. */
const COSIGNED_WITHIN = "1d";

/** How each member of the configuration is read. */
const SECTIONS: { readonly [Name in keyof FileSettings]: Section<FileSettings[Name]> } = {
  name: (given) => given.read(readName),
  key: (given) => given.read(pathIn(given, readKeyPath), PLACE_DEFAULTS.key),
  state: (given) => given.read(pathIn(given, readText), PLACE_DEFAULTS.state),
  incidents: (given) => given.read(pathIn(given, readText), PLACE_DEFAULTS.incidents),
  listen: (given) => given.maybe(readAddress),
  http: (given) => given.maybe(readAddress),
  httpGossip: (given) => given.read(readSwitch, false),
  contact: (given) => given.read(readContact, NO_CONTACT),
  logs: logsSection,
  peers: peersSection,
  admit: admitSection,
  members: swarmSection,
  gossip: gossipSection,
  limits: limitsSection,
  witness: witnessSection,
  alerts: alertsSection,
  federation: federationSection,
  store: storeSection,
  policy: (given) => given.maybe(pathIn(given, readText)),
  cosignedWithin: (given) => given.read(readDuration, COSIGNED_WITHIN),
};

/** All settings but those that every configuration must have. */
export type DefaultSettings = Omit<Settings, "name" | "logs">;

/**
 * The settings of a configuration that says nothing but its name and its logs, with paths relative to
 * the working folder. Whoever makes `Settings` by hand spreads them, so that a new section needs no
 * line there.
 */
export function defaultSettings(world: World): DefaultSettings {
  const file = { path: "hearsay.jsonc", world, faults: [] };
  const { name: _, logs: __, ...sections } = SECTIONS;
  const read = Object.entries(sections).map(([name, section]) => [
    name,
    section(new Given({ node: undefined, name, file })),
  ]);
  return { ...Object.fromEntries(read), pushed: [] } as unknown as DefaultSettings;
}

/** Reads a configuration. What is wrong with it is added to `given.file.faults`. */
export function readConfiguration(given: Given): Settings | undefined {
  const members = given.members({ what: "the configuration", known: Object.keys(SECTIONS) });
  if (members === undefined) return undefined;
  // A log may only push if there is a witness to push to.
  const logs = members.get("witness").isThere ? logsOfWitnessSection : logsSection;
  const read = Object.entries({ ...SECTIONS, logs }).map((
    [name, section],
  ) => [name, section(members.get(name))]);
  const settings = Object.fromEntries(read);
  const all: readonly LogSettings[] = settings.logs ?? [];
  settings.logs = all.filter((log) => !pushesOnly(log));
  settings.pushed = all.filter(pushesOnly).map(({ log }) => log);
  // These checks need more than one section. A section with a fault may be missing from `settings`.
  refuseMoreLogsThanFrames(settings, given);
  refuseOneFolderForBoth(settings, given);
  return given.file.faults.length > 0 ? undefined : settings as Settings;
}

function refuseMoreLogsThanFrames(
  { logs = [], pushed = [], limits, federation }: Partial<Settings>,
  given: Given,
): void {
  const most = limits?.maxFramesPerExchange;
  // A mirrored journal is a log too.
  const { length } = [...knownLogs(logs), ...pushed, ...federation?.mirrors ?? []];
  if (most === undefined || length <= most) return;
  given.inside("limits", "maxFramesPerExchange").fail(
    `maxFramesPerExchange is ${most}, expected one for each of the ${length} logs`,
  );
}

/** Two journals in one folder would take each other's files for their own. */
function refuseOneFolderForBoth({ state, incidents }: Partial<Settings>, given: Given): void {
  if (state === undefined || incidents === undefined) return;
  if (plainFolder(state) !== plainFolder(incidents)) return;
  const at = ["incidents", "state"].map((name) => given.inside(name)).find((at) => at.isThere);
  (at ?? given).fail(
    `"state" and "incidents" are one folder, ${quoted(plainFolder(state))}, expected two`,
  );
}

/** The path of a folder in its one spelling. */
export function plainFolder(path: string): string {
  return join(path).replace(/(?<=.)\/$/, "");
}

function readName(value: unknown, name: string): string {
  const text = readText(value, name);
  within(name, () => checkKeyName(text));
  return text;
}

/** Reads a path, relative to the configuration file. */
function pathIn({ file }: Given, read: typeof readText): typeof readText {
  return (value, name) => placeBeside(file.path, read(value, name));
}

/** Reads the path of the private key. Refuses the key itself. */
function readKeyPath(value: unknown, name: string): string {
  const path = readText(value, name);
  if (!path.startsWith("PRIVATE+KEY+")) return path;
  throw new MalformedError(
    `${name} is a private key, expected the path of the file that holds it`,
  );
}

/**
 * Reads `contact`: how a log's operator can reach this monitor's operator. It becomes part of an HTTP
 * header, so it must be one line of printable ASCII.
 * @throws MalformedError for anything else
 */
export function readContact(value: unknown, name: string): string {
  const text = readText(value, name);
  if (/^[\x20-\x7e]{1,256}$/.test(text) && !/[()\\]/.test(text)) return text;
  throw new MalformedError(
    `${name} is ${quoted(text)}, expected up to 256 ASCII characters without parentheses and ` +
      "backslashes",
  );
}
