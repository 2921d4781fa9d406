/**
 * What a configuration can say that is no error and is hardly meant. `run` and `init` warn of it, and
 * `config check` tells it with everything else. A new trap is a function and its place in `TRAPS`.
 *
 * @module
 */
import { join } from "@std/path/join";
import { addressesOf, membersAmong } from "../gossip/settings.ts";
import { isFolder } from "../sources/open.ts";
import { encodedKey, parseVkey } from "../tlog/vkey.ts";
import { formatAddress } from "../world/address.ts";
import { isThere } from "../world/durable.ts";
import { inTime } from "../world/in_time.ts";
import { isAllAddresses, isLoopback, isPublicName, sameHost } from "../world/hosts.ts";
import { type Address, type World, WorldError } from "../world/world.ts";
import { type LogSettings, plainFolder, type Settings } from "./settings.ts";

/** Polls of a public server closer together than this are short. */
const SHORT_POLL_MS = 10_000;
/** Longest wait for a folder that may be on a mount that does not answer. */
const FOLDER_MS = 2_000;

type Trap = (settings: Settings, world: World) => string[] | Promise<string[]>;

const TRAPS: readonly Trap[] = [
  nestedFolders,
  oneAddress,
  openStatus,
  gossipNowhere,
  nobody,
  membersOnlyWithoutMembers,
  namesOfMembers,
  ownListen,
  ownHttp,
  repeatedPeers,
  sharedSources,
  repeatedSources,
  ownSources,
  sourcesOfCheckpoints,
  ownKeys,
  ownMirrors,
  shortPolls,
  shortPatience,
  hostsForFolders,
];

/** The traps that these settings have stepped into, one sentence each. */
export async function trapsOf(settings: Settings, world: World): Promise<string[]> {
  const told = await Promise.all(TRAPS.map((trap) => trap(settings, world)));
  return told.flat();
}

/** The same folder may be spelled in two ways, absolute or through a link: what the paths lead to counts. */
async function nestedFolders(settings: Settings, world: World): Promise<string[]> {
  const [state, incidents] = [
    await placesAbove(plainFolder(settings.state), world),
    await placesAbove(plainFolder(settings.incidents), world),
  ];
  if (state[0] === incidents[0]) {
    return [
      '"state" and "incidents" are one folder, spelled in two ways: each journal needs its own',
    ];
  }
  const text = (inner: string, outer: string): string[] => [
    `"${inner}" is a folder inside "${outer}": whoever clears or restores the one changes the other`,
  ];
  if (incidents.includes(state[0]!)) return text("incidents", "state");
  return state.includes(incidents[0]!) ? text("state", "incidents") : [];
}

/** Most folders that one is inside of. */
const MOST_ABOVE = 64;

/**
 * What a folder and those above it lead to, upwards. Of one that is not there: what the nearest above
 * it leads to, and the names below that.
 */
async function placesAbove(folder: string, { files, clock }: World): Promise<string[]> {
  const told: string[] = [];
  const missing: string[] = [];
  const identity = async (path: string): Promise<string | undefined> => {
    try {
      return await inTime({ clock, ms: FOLDER_MS, work: () => files.identity(path) });
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      return undefined;
    }
  };
  const top = await identity("/");
  for (let path = folder, i = 0; i < MOST_ABOVE; path = join(path, ".."), i++) {
    const here = await identity(path);
    if (here === undefined) {
      missing.push(path.split("/").at(-1)!);
      if (path === "/") break;
      continue;
    }
    for (let below = missing.length; below > 0; below--) {
      const names = missing.slice(missing.length - below).toReversed();
      told.push([here, ...names].join("/"));
    }
    missing.length = 0;
    told.push(here);
    if (here === top) break;
  }
  return told;
}

/** One address cannot be listened at twice. Loopback has many addresses, and `localhost` is any of them. */
function oneAddress({ listen, http, witness, federation }: Settings): string[] {
  const served = {
    listen,
    http,
    "witness.http": witness?.http,
    "federation.http": federation?.http,
  };
  const named = Object.entries(served).flatMap(([name, at]) =>
    at === undefined ? [] : [{ name, at }]
  );
  return named.flatMap((one, i) =>
    named.slice(i + 1).filter((other) => isOneAddress(one.at, other.at)).map((other) =>
      `"${one.name}" ${formatAddress(one.at)} and "${other.name}" ${
        formatAddress(other.at)
      } are one ` +
      "address, and only one of them can be served there: give them two ports"
    )
  );
}

function isOneAddress(one: Address, other: Address): boolean {
  if (one.port !== other.port || other.port === 0) return false;
  const hosts = [one.hostname, other.hostname];
  return hosts.some(isAllAddresses) || hosts[0] === hosts[1] ||
    sameHost(hosts[0]!, hosts[1]!) && (!hosts.every(isLoopback) || hosts.includes("localhost"));
}

function openStatus({ http }: Settings): string[] {
  if (http === undefined || !isAllAddresses(http.hostname)) return [];
  return [
    `"http" is ${
      formatAddress(http)
    }, all addresses of this machine: whoever reaches one of them can ` +
    `read the status; 127.0.0.1:${http.port} is reached from this machine only`,
  ];
}

function gossipNowhere({ http, httpGossip }: Settings): string[] {
  if (!httpGossip || http !== undefined) return [];
  return ['"httpGossip" is true and there is no "http": nobody can ask there'];
}

function nobody({ peers, listen, http, httpGossip }: Settings): string[] {
  if (peers.length > 0 || listen !== undefined || (httpGossip && http !== undefined)) return [];
  return ['nothing is compared with anybody: there is no peer and no "listen"'];
}

function membersOnlyWithoutMembers({ admit, peers, listen }: Settings): string[] {
  if (admit !== "members" || listen === undefined || membersAmong(peers).length > 0) return [];
  return ['"admit" is "members", and no peer has a vkey: whoever calls is turned away'];
}

/** A member may be named by a key that is this monitor's. */
function namesOfMembers({ name, peers }: Settings): string[] {
  return membersAmong(peers).map(({ vkey }) => parseVkey(vkey))
    .filter((vkey) => vkey.name === name)
    .map((vkey) =>
      `the member ${vkey.name} has the name of this monitor: nothing is said to oneself`
    );
}

function ownListen({ peers, listen }: Settings): string[] {
  return addressesOf(peers).filter((address) => isOwn(address, listen)).map((address) =>
    `the peer ${formatAddress(address)} is this monitor itself, its own "listen"`
  );
}

function ownHttp({ peers, http }: Settings): string[] {
  const urls = peers.flatMap((peer) => "sourcespotter" in peer ? [peer.sourcespotter] : []);
  return urls.filter((url) => isOwn(addressOf(url), http)).map((url) =>
    `the peer ${url} is this monitor itself, its own "http"`
  );
}

/** Where a URL leads. */
function addressOf(url: string): Address {
  const { hostname, port, protocol } = new URL(url);
  const usual = protocol === "https:" ? 443 : 80;
  return { hostname: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? usual : Number(port) };
}

/** Whether an address leads to where this monitor listens. */
function isOwn({ hostname, port }: Address, own: Address | undefined): boolean {
  return own !== undefined && port === own.port &&
    (sameHost(hostname, own.hostname) || isAllAddresses(hostname) ||
      isAllAddresses(own.hostname) && isLoopback(hostname));
}

/** The same address spelled in two ways, or two members with one key: the same text twice is an error. */
function repeatedPeers({ peers }: Settings): string[] {
  const addresses = addressesOf(peers);
  const spelledTwice = addresses.flatMap((address, i) =>
    addresses.slice(0, i)
      .filter((other) => address.port === other.port && sameHost(address.hostname, other.hostname))
      .map((other) =>
        `the peers ${formatAddress(other)} and ${formatAddress(address)} are one address` +
        (formatAddress(other) === formatAddress(address) ? "" : ", spelled in two ways")
      )
  );
  const members = membersAmong(peers).map(({ vkey }) => parseVkey(vkey));
  const twoNames = members.flatMap((vkey, i) =>
    members.slice(0, i)
      .filter((other) => encodedKey(other) === encodedKey(vkey))
      .map((other) => `the members ${other.name} and ${vkey.name} have one key`)
  );
  return [...spelledTwice, ...twoNames];
}

function sharedSources({ logs }: Settings): string[] {
  const first = new Map<string, LogSettings>();
  return logs.flatMap((log) =>
    placesOf(log).flatMap((place) => {
      const other = first.get(place);
      first.set(place, other ?? log);
      // One origin at one place may have two keys, while its key is rotated.
      if (other === undefined || other.log.origin === log.log.origin) return [];
      return [
        `the logs ${other.log.origin} and ${log.log.origin} have the same source, ${place}: it cannot ` +
        "be right for both",
      ];
    })
  );
}

/** The same place spelled in two ways: the same text twice is an error. */
function repeatedSources({ logs }: Settings): string[] {
  const plain = (place: string): string => place.replace(/\/+$/, "");
  return logs.flatMap((log) => {
    const places = placesOf(log);
    return places.filter((place, i) =>
      places.slice(0, i).some((other) => plain(other) === plain(place))
    ).map((place) =>
      `log ${log.log.origin}: the source ${place} is there twice, spelled in two ways: to compare a ` +
      "place with itself finds nothing"
    );
  });
}

function ownSources({ logs, listen, http }: Settings): string[] {
  const own = { listen, http };
  return logs.flatMap((log) =>
    placesOf(log).flatMap((place) => {
      const url = urlOf(place);
      if (url === undefined) return [];
      const at = addressOf(url);
      return (["listen", "http"] as const).filter((name) => isOwn(at, own[name])).map((name) =>
        `log ${log.log.origin}: the source ${place} is this monitor itself, its own "${name}"; ` +
        "a log is expected there"
      );
    })
  );
}

/** A URL copied from a browser. */
function sourcesOfCheckpoints({ logs }: Settings): string[] {
  return logs.flatMap((log) =>
    placesOf(log).flatMap((place) => {
      const [, above] = /^(.+)\/checkpoint\/*$/.exec(place) ?? [];
      if (above === undefined) return [];
      return [
        `log ${log.log.origin}: the source ${place} ends with /checkpoint, which is looked for below ` +
        `a source: write ${above}`,
      ];
    })
  );
}

function ownKeys({ name, logs }: Settings): string[] {
  return logs.filter(({ log }) => log.vkey.name === name).map(({ log }) =>
    `log ${log.origin}: its vkey has the name of this monitor, ${name}; the log's own key is expected`
  );
}

function ownMirrors({ name, federation }: Settings): string[] {
  const own = (federation?.mirrors ?? []).filter(({ vkey }) => vkey.name === name);
  return own.map(({ url }) =>
    `the mirror of ${url} has the name of this monitor, ${name}: it would mirror its own journal`
  );
}

function shortPolls({ logs }: Settings): string[] {
  return logs.flatMap(({ log, pollMs, ...rest }) => {
    const host = placesOf(rest).map(hostOf).find((host) =>
      host !== undefined && isPublicName(host)
    );
    if (host === undefined || pollMs >= SHORT_POLL_MS) return [];
    return [
      `log ${log.origin} is polled every ${
        seconds(pollMs)
      } at ${host}, a public server, which may ` +
      "refuse to be asked so often; the default is 1m",
    ];
  });
}

function shortPatience({ logs }: Settings): string[] {
  return logs.filter(({ pollMs, patienceMs }) => patienceMs < pollMs).map((
    { log, pollMs, patienceMs },
  ) =>
    `log ${log.origin}: "patience" (${seconds(patienceMs)}) is shorter than "poll" ` +
    `(${seconds(pollMs)}), so it is called frozen if it has not grown at a single look`
  );
}

/** A host's name without `https://` before it is read as a folder. */
async function hostsForFolders({ logs }: Settings, world: World): Promise<string[]> {
  const told = logs.flatMap((log) =>
    placesOf(log).filter(isFolder).map(async (folder) => {
      const host = folder.split("/").find(isPublicName);
      if (host === undefined || await mayBeThere(world, folder)) return [];
      return [
        `log ${log.log.origin}: the source ${folder} is taken for a folder, and there is none; for ` +
        `the host ${host} it has to begin with https://, or with its kind and https://`,
      ];
    })
  );
  return (await Promise.all(told)).flat();
}

async function mayBeThere({ files, clock }: World, folder: string): Promise<boolean> {
  try {
    return await inTime({ clock, ms: FOLDER_MS, work: () => isThere(files, folder) });
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    return error.kind !== "not found";
  }
}

function placesOf({ source }: Pick<LogSettings, "source">): readonly string[] {
  return typeof source === "string" ? [source] : source;
}

/** The URL of a source over HTTP, without its kind. */
function urlOf(place: string): string | undefined {
  return isFolder(place) ? undefined : URL.parse(place.slice(place.search(/https?:/)))?.href;
}

/** The host of a source over HTTP. */
function hostOf(place: string): string | undefined {
  const url = urlOf(place);
  return url === undefined ? undefined : new URL(url).hostname;
}

function seconds(ms: number): string {
  return `${ms / 1_000} s`;
}
