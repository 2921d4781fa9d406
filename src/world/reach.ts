/**
 * How far away an address is. A log's answers are a stranger's words. A stranger must not make us
 * send requests to this machine or its network.
 *
 * @module
 */

/** How far away something is. A smaller number is nearer. */
export const REACH = { machine: 0, link: 1, network: 2, internet: 3 } as const;

/** One of `REACH`. */
export type Reach = (typeof REACH)[keyof typeof REACH];

const IPV6_BITS = 128;
const IPV4_BITS = 32;
/** The range of IPv6 that has the addresses of IPv4: ::ffff:0:0/96 (RFC 4291 section 2.5.5.2). */
const MAPPED = 0xffffn << 32n;

interface Range {
  readonly start: bigint;
  readonly bits: number;
}

/** Special-purpose ranges (IANA's registries, RFC 6890). The internet routes none of them. */
const RANGES: readonly (readonly [Range, Reach])[] = [
  ...["0.0.0.0/8", "127.0.0.0/8", "::/128", "::1/128"].map(of(REACH.machine)),
  // At 169.254.169.254 clouds have a service that gives out secrets.
  ...["169.254.0.0/16", "fe80::/10"].map(of(REACH.link)),
  ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"].map(of(REACH.network)),
  ...["192.0.0.0/24", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4"].map(of(REACH.network)),
  ...["fc00::/7", "fec0::/10", "ff00::/8", "64:ff9b:1::/48"].map(of(REACH.network)),
  // Teredo disguises its IPv4 address. Nobody serves a log there.
  ...["2001::/32"].map(of(REACH.network)),
];

/**
 * Ranges of IPv6 from which a translator leads to an IPv4 address, and the place of that address in
 * them.
 */
const TRANSLATED: readonly (readonly [Range, bigint])[] = [
  [rangeOf("::/96"), 0n],
  [rangeOf("64:ff9b::/96"), 0n],
  [rangeOf("2002::/16"), 80n],
];

/** Names that are never on the internet (RFC 6761, 6762, 8375, ICANN's `internal`, and custom). */
const LOCAL_NAME = /\.(?:local|internal|lan|home\.arpa|intranet|corp|home|localdomain)$/;

/**
 * How far away an IPv4 or IPv6 address is, in any notation that a URL allows.
 * @returns nothing if it is no address but a name
 */
export function reachOfAddress(text: string): Reach | undefined {
  const address = parseIp(text);
  return address === undefined ? undefined : reach(address);
}

/** How far away a host name is by its own words. Only a look-up tells where it really leads. */
export function reachOfName(name: string): Reach {
  const lower = name.toLowerCase().replace(/\.$/, "");
  if (/(?:^|\.)localhost$/.test(lower)) return REACH.machine;
  return !lower.includes(".") || LOCAL_NAME.test(lower) ? REACH.network : REACH.internet;
}

function reach(address: bigint): Reach {
  const found = RANGES.find(([range]) => isIn(range, address));
  if (found !== undefined) return found[1];
  const translated = TRANSLATED.find(([range]) => isIn(range, address));
  if (translated === undefined) return REACH.internet;
  return reach(MAPPED | BigInt.asUintN(IPV4_BITS, address >> translated[1]));
}

function isIn({ start, bits }: Range, address: bigint): boolean {
  return (address ^ start) >> BigInt(IPV6_BITS - bits) === 0n;
}

function of(reach: Reach): (text: string) => readonly [Range, Reach] {
  return (text) => [rangeOf(text), reach];
}

function rangeOf(text: string): Range {
  const [start = "", bits] = text.split("/");
  const inIpv6 = start.includes(":") ? 0 : IPV6_BITS - IPV4_BITS;
  return { start: parseIp(start)!, bits: Number(bits) + inIpv6 };
}

/**
 * An address as a number of 128 bits. An IPv4 address is mapped to IPv6. The URL parser reads it.
 */
function parseIp(text: string): bigint | undefined {
  const bare = text.replace(/^\[(.*)\]$/, "$1").replace(/%.*$/, "");
  const { hostname } = URL.parse(`http://${bare.includes(":") ? `[${bare}]` : bare}/`) ??
    { hostname: "" };
  if (hostname.startsWith("[")) return ipv6(hostname.slice(1, -1));
  return /^\d+(?:\.\d+){3}$/.test(hostname) ? MAPPED | joined(hostname.split("."), 8n) : undefined;
}

/** The URL parser's form: groups in hex, at most one `::`. */
function ipv6(text: string): bigint {
  const [head = "", tail] = text.split("::");
  const groups = (part: string): string[] =>
    part === "" ? [] : part.split(":").map((group) => `0x${group}`);
  if (tail === undefined) return joined(groups(head), 16n);
  const before = groups(head);
  return joined(before, 16n) << (BigInt(IPV6_BITS) - 16n * BigInt(before.length)) |
    joined(groups(tail), 16n);
}

function joined(parts: readonly string[], bits: bigint): bigint {
  return parts.reduce((number, part) => number << bits | BigInt(part), 0n);
}
