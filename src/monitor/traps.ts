/**
 * What a configuration can say that is no error and is hardly meant. `run` and `init` warn of it, and
 * `config check` tells it with everything else. A new trap is a function and its place in `TRAPS`.
 *
 * @module
 */
import { monitorsAmong } from "../gossip/settings.ts";
import { isFolder } from "../sources/open.ts";
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
  openStatus,
  gossipNowhere,
  nobody,
  ownListen,
  ownHttp,
  repeatedPeers,
  sharedSources,
  shortPolls,
  shortPatience,
  hostsForFolders,
];

/** The traps that these settings have stepped into, one sentence each. */
export async function trapsOf(settings: Settings, world: World): Promise<string[]> {
  const told = await Promise.all(TRAPS.map((trap) => trap(settings, world)));
  return told.flat();
}

function nestedFolders(settings: Settings): string[] {
  const [state, incidents] = [plainFolder(settings.state), plainFolder(settings.incidents)];
  const isInside = (inner: string, outer: string): boolean =>
    outer === "." ? !/^(?:\/|\.\.(?:\/|$))/.test(inner) : inner.startsWith(`${outer}/`);
  const text = (inner: string, outer: string): string[] => [
    `"${inner}" is a folder inside "${outer}": whoever clears or restores the one changes the other`,
  ];
  if (isInside(incidents, state)) return text("incidents", "state");
  return isInside(state, incidents) ? text("state", "incidents") : [];
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

function ownListen({ peers, listen }: Settings): string[] {
  return monitorsAmong(peers).filter(({ address }) => isOwn(address, listen)).map(({ address }) =>
    `the peer ${formatAddress(address)} is this monitor itself, its own "listen"`
  );
}

function ownHttp({ peers, http }: Settings): string[] {
  const urls = peers.flatMap((peer) => "address" in peer ? [] : [peer.sourcespotter]);
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

/** The same address spelled in two ways, or the same vkey: the same address twice is an error. */
function repeatedPeers(settings: Settings): string[] {
  const peers = monitorsAmong(settings.peers);
  return peers.flatMap(({ address, vkey }, i) =>
    peers.slice(0, i).flatMap((other) => {
      const both = `the peers ${formatAddress(other.address)} and ${formatAddress(address)}`;
      const isSame = address.port === other.address.port &&
        sameHost(address.hostname, other.address.hostname);
      if (isSame) return [`${both} are one address, spelled in two ways`];
      return vkey !== undefined && vkey === other.vkey ? [`${both} have the same vkey`] : [];
    })
  );
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

/** The host of a source over HTTP. */
function hostOf(place: string): string | undefined {
  return isFolder(place) ? undefined : URL.parse(place.slice(place.search(/https?:/)))?.hostname;
}

function seconds(ms: number): string {
  return `${ms / 1_000} s`;
}
