/**
 * Redirects, followed by hand. Whoever answers is a stranger, and this machine may reach what a
 * stranger cannot: itself, its network, a cloud's service that knows its secrets. A redirect leads
 * there only from a source, a URL of the configuration, that is as near itself.
 *
 * @module
 */
import { quoted } from "../tlog/malformed.ts";
import { REACH, type Reach, reachOfAddress, reachOfName } from "./reach.ts";
import { type HttpRequest, type HttpResponse, type World, WorldError } from "./world.ts";

/** Most redirects followed for one answer. */
export const MAX_REDIRECTS = 5;
/** Longest Location followed. */
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
 * Asks, and asks again where it is redirected, within the time of the one request. A redirect that
 * names no place is given as it is.
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
 * @returns the address to connect to, if the name could lead elsewhere when it is looked up again
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
  // Over TLS, whoever answers holds a certificate for this name: it is the source itself.
  const isSame = isEncrypted && url.hostname === source.hostname;
  if (isSame || nearest === REACH.machine) return undefined;
  // What the name says of itself needs no look-up.
  refuseNearer(url, { reach: reachOfHost(url.hostname), nearest });
  if (reachOfAddress(url.hostname) !== undefined) return undefined;
  const addresses = await lookupOrRefuse(url, lookup);
  for (const address of addresses) {
    // An address that cannot be read is not known to be far.
    refuseNearer(url, { reach: reachOfAddress(address) ?? REACH.machine, nearest });
  }
  // Whoever answers for the name could give another address the next time; over TLS, nobody in
  // the source's place has a certificate of somebody on this network.
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
    throw new WorldError(kind, `it redirects to ${url.host}, and who that is: ${message}`);
  }
}
