/**
 * Redirects, followed by hand. The server is a stranger, and this machine can reach places that a
 * stranger cannot: itself, its network, and a cloud's service that gives out secrets. A redirect
 * may lead to such a place only if the source, a URL of the configuration, is itself as near.
 *
 * @module
 */
import { quoted } from "../tlog/malformed.ts";
import { REACH, type Reach, reachOfAddress, reachOfName } from "./reach.ts";
import { type HttpRequest, type HttpResponse, type World, WorldError } from "./world.ts";

/** The most redirects that are followed for one answer. */
export const MAX_REDIRECTS = 5;
/** The longest Location that is followed. */
export const MAX_LOCATION_CHARACTERS = 2_048;

/** The statuses that name another place to ask with the same method (RFC 9110 section 15.4). */
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

const WHERE: Readonly<Record<Reach, string>> = {
  [REACH.machine]: "this machine",
  [REACH.link]: "this machine's own link",
  [REACH.network]: "a private network",
  [REACH.internet]: "the internet",
};

/**
 * Makes a request and follows its redirects, within the time of one request. A redirect that names
 * no place is returned as it is.
 * @throws WorldError also for a redirect that may not be followed
 */
export async function getRedirected(
  world: Pick<World, "clock" | "http">,
  first: HttpRequest,
): Promise<HttpResponse> {
  const { clock, http } = world;
  const deadline = clock.monotonic() + first.timeoutMs;
  function timeLeft(): number {
    const left = Math.ceil(deadline - clock.monotonic());
    if (left > 0) return left;
    throw new WorldError("timed out", `no answer within ${first.timeoutMs} ms`);
  }
  const source = new URL(first.url);
  let request = first;
  for (let redirects = 0;; redirects++) {
    const response = await http.request(request);
    const location = response.header("location");
    if (!REDIRECTS.has(response.status) || location === undefined) return response;
    if (redirects === MAX_REDIRECTS) {
      throw new WorldError("other", `it redirects more than ${MAX_REDIRECTS} times`);
    }
    const url = targetOf(location, request.url);
    const lookup = (): Promise<readonly string[]> => http.lookup(url.hostname, timeLeft());
    const address = await permitted({ url, source, lookup });
    const { headers, maxBytes } = first;
    request = {
      ...{ url: url.href, headers, timeoutMs: timeLeft(), maxBytes },
      ...(address === undefined ? {} : { address }),
    };
  }
}

function targetOf(location: string, base: string): URL {
  const url = location.length <= MAX_LOCATION_CHARACTERS ? URL.parse(location, base) : null;
  const isPlain = url?.username === "" && url.password === "";
  if (url === null || !isPlain || !["http:", "https:"].includes(url.protocol)) {
    throw new WorldError("other", `it redirects to ${quoted(location)}, which is no web address`);
  }
  url.hash = "";
  return url;
}

/**
 * Checks where a redirect leads.
 * @returns the address to connect to, if the name could lead to another one at the next look-up
 * @throws WorldError if a redirect may not lead there, or nobody can tell
 */
async function permitted(
  { url, source, lookup }: {
    url: URL;
    source: URL;
    lookup: () => Promise<readonly string[]>;
  },
): Promise<string | undefined> {
  const isEncrypted = url.protocol === "https:";
  const nearest = reachOfHost(source.hostname);
  // Over TLS the server has a certificate for this name. So it is the source itself.
  const isSame = isEncrypted && url.hostname === source.hostname;
  if (isSame || nearest === REACH.machine) return undefined;
  // The name itself says enough. No look-up is needed.
  refuseNearer(url, { reach: reachOfHost(url.hostname), nearest });
  if (reachOfAddress(url.hostname) !== undefined) return undefined;
  const addresses = await lookupOrRefuse(url, lookup);
  for (const address of addresses) {
    // If an address cannot be read, nobody knows whether it is far away.
    refuseNearer(url, { reach: reachOfAddress(address) ?? REACH.machine, nearest });
  }
  // The name's server could give another address the next time. Over TLS that does not help: it has
  // no certificate for a host on this network.
  return isEncrypted ? undefined : addresses[0];
}

function reachOfHost(hostname: string): Reach {
  return reachOfAddress(hostname) ?? reachOfName(hostname);
}

function refuseNearer(url: URL, { reach, nearest }: { reach: Reach; nearest: Reach }): void {
  if (reach >= nearest) return;
  throw new WorldError(
    "not permitted",
    `it redirects to ${url.host}, on ${WHERE[reach]}, where only a configured source may lead`,
  );
}

async function lookupOrRefuse(
  url: URL,
  lookup: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  try {
    return await lookup();
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    const { kind, message } = error;
    throw new WorldError(
      kind,
      `it redirects to ${url.host}, whose address was not found: ${message}`,
    );
  }
}
