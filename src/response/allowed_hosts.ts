/**
 * Where alerts may be sent. The hosts come from the configuration, but their addresses come from name
 * servers, which are others' words. Nothing is sent to this machine, its link or its network, unless
 * the configuration allows the host by its name.
 *
 * @module
 */
import { printable } from "../tlog/malformed.ts";
import { sameHost } from "../world/hosts.ts";
import { REACH, type Reach, reachOfAddress, reachOfName } from "../world/reach.ts";
import { type World, WorldError } from "../world/world.ts";

const WHERE: Readonly<Record<Reach, string>> = {
  [REACH.machine]: "this machine",
  [REACH.link]: "this machine's own link",
  [REACH.network]: "a private network",
  [REACH.internet]: "the internet",
};

/**
 * The address to connect to, which was looked at, in place of a host's name.
 * @param allow hosts that may be anywhere
 * @returns nothing if the host is allowed by name
 * @throws WorldError `not permitted` if the host, or one of its addresses, is not on the internet
 */
export async function addressOf(
  { http }: Pick<World, "http">,
  { hostname, allow, timeoutMs }: {
    hostname: string;
    allow: readonly string[];
    timeoutMs: number;
  },
): Promise<string | undefined> {
  if (refuseByName({ hostname, allow })) return undefined;
  const bare = withoutBrackets(hostname);
  if (reachOfAddress(bare) !== undefined) return bare;
  const addresses = await http.lookup(bare, timeoutMs);
  // An address that cannot be read may be anywhere.
  for (const one of addresses) refuse(bare, reachOfAddress(one) ?? REACH.machine);
  return addresses[0]!;
}

/**
 * What can be said of a host without asking anybody.
 * @returns whether it is allowed by name
 * @throws WorldError `not permitted` if its name, or the address that it is, is not on the internet
 */
export function refuseByName(
  { hostname, allow }: { hostname: string; allow: readonly string[] },
): boolean {
  const bare = withoutBrackets(hostname);
  if (allow.some((one) => sameHost(one, bare))) return true;
  refuse(bare, reachOfAddress(bare) ?? reachOfName(bare));
  return false;
}

/** An address of IPv6 as it is written without a port. */
function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, "$1");
}

function refuse(hostname: string, reach: Reach): void {
  if (reach === REACH.internet) return;
  const name = printable(hostname);
  throw new WorldError(
    "not permitted",
    `${name} is on ${WHERE[reach]}; if that is meant, put "allow": ["${name}"] into "alerts"`,
  );
}
