/**
 * What the name of a host says by itself, without asking anybody.
 *
 * @module
 */

/** Whether to listen there is to listen on all addresses of the machine. */
export function isAllAddresses(hostname: string): boolean {
  return ["0.0.0.0", "0", "::"].includes(plain(hostname));
}

/** Whether a host is this machine. */
export function isLoopback(hostname: string): boolean {
  const name = plain(hostname);
  return name === "localhost" || name === "::1" || /^127(?:\.\d+){1,3}$/.test(name);
}

/** Whether two names are one, spelled in two ways: capitals, a dot at the end, an IPv6 address. */
export function sameHost(one: string, other: string): boolean {
  return plain(one) === plain(other) || isLoopback(one) && isLoopback(other);
}

/** Names that never lead to a public server (RFC 2606, 6761, 6762; and `internal`). */
const RESERVED = /\.(?:test|example|invalid|localhost|local|internal|lan|home\.arpa)$/;

/** Whether a text is the name of a host that anybody may have, such as `sum.golang.org`. */
export function isPublicName(text: string): boolean {
  const name = plain(text);
  return /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/.test(name) &&
    !RESERVED.test(name);
}

/** The name in its one spelling. */
function plain(hostname: string): string {
  const name = hostname.toLowerCase().replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  const host = name.includes(":") ? URL.parse(`http://[${name}]/`)?.hostname : undefined;
  const address = host?.slice(1, -1) ?? name;
  return mappedIpv4(address) ?? address;
}

/** The IPv4 address of one mapped into IPv6, in the spelling of URLs: `::ffff:7f00:1`. */
function mappedIpv4(address: string): string | undefined {
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address) ?? [];
  if (high === undefined || low === undefined) return undefined;
  const bytes = [high, low].flatMap((part) => [parseInt(part, 16) >> 8, parseInt(part, 16) & 0xff]);
  return bytes.join(".");
}
