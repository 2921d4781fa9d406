/**
 * The sections of the configuration about exchanges: whom to call, how often, and within which
 * limits.
 *
 * @module
 */
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { within } from "../tlog/members.ts";
import { parseVkey, SIGNATURE_TYPE } from "../tlog/vkey.ts";
import { formatAddress } from "../world/address.ts";
import type { Given, Members, Section } from "../world/jsonc.ts";
import { readSchedule, type Schedule } from "../world/schedule.ts";
import {
  countUpTo,
  readAddress,
  readDuration,
  readText,
  readUrl,
} from "../world/setting_values.ts";
import type { Address } from "../world/world.ts";
import { DEFAULT_LIMITS, type ExchangeLimits, OPERATOR_LIMITS } from "./limits.ts";

/** The most peers of one monitor. */
const MAX_PEERS = 1_024;

/** A peer: a monitor to exchange with, or an endpoint of another kind to ask. */
export type PeerSettings = PlainPeer | MemberPeer | SourcespotterPeer;

/** A monitor that is asked plainly, at its address. */
export interface PlainPeer {
  readonly address: Address;
}

/** A member: a monitor that is known by its key, and spoken to in sessions. */
export interface MemberPeer {
  /** Its vkey, of type Ed25519. */
  readonly vkey: string;
  /** Where it can be called. Without it, it calls, or others tell where it is. */
  readonly address: Address | undefined;
}

/** A gossip endpoint of sourcespotter; see sourcespotter.ts. */
export interface SourcespotterPeer {
  /** Its URL. */
  readonly sourcespotter: string;
}

/**
 * The name of a peer, which is the `source` of what it tells: the address of a monitor that is asked
 * plainly, the key name of a member, or a URL.
 */
export function nameOfPeer(peer: PeerSettings): string {
  if ("sourcespotter" in peer) return peer.sourcespotter;
  return "vkey" in peer ? parseVkey(peer.vkey).name : formatAddress(peer.address);
}

/** The members among peers. */
export function membersAmong(peers: readonly PeerSettings[]): MemberPeer[] {
  return peers.filter((peer) => "vkey" in peer);
}

/** The addresses of the monitors among peers, as far as they are given. */
export function addressesOf(peers: readonly PeerSettings[]): Address[] {
  return peers.flatMap((peer) => "address" in peer ? peer.address ?? [] : []);
}

/** When and with how many peers to exchange. */
export type GossipSettings = GossipTimes & {
  /** Peers chosen at random in each round. */
  readonly fanOut: number;
};

/** How often to exchange, with jitter; or at which times by the clock, without. */
export type GossipTimes = { readonly intervalMs: number } | { readonly schedule: Schedule };

/** The values of what the file leaves out, spelled as in the file. */
export const GOSSIP_DEFAULTS = { interval: "1m", fanOut: 2 } as const;

/** Reads `peers`. None may stand there twice. */
export const peersSection: Section<readonly PeerSettings[]> = (given) => {
  const before = new Set<string>();
  return given.items({ most: MAX_PEERS }).flatMap((item) => {
    const peer = readPeer(item);
    if (peer === undefined) return [];
    const text = nameOfPeer(peer);
    if (before.has(text)) item.fail(`the peer ${quoted(text)} is given twice`);
    before.add(text);
    return [peer];
  });
};

function readPeer(given: Given): PeerSettings | undefined {
  const members = given.members({ what: "a peer", known: ["address", "vkey", "sourcespotter"] });
  const url = members?.get("sourcespotter");
  if (url?.isThere) {
    const others = ["address", "vkey"].filter((name) => members?.get(name).isThere);
    if (others.length > 0) {
      url.fail(`a sourcespotter has a URL and no ${others.join(" and no ")}`);
    }
    const sourcespotter = url.read(readUrl);
    return sourcespotter === undefined ? undefined : { sourcespotter };
  }
  if (!members?.get("vkey").isThere) {
    const address = members?.get("address").read(readPeerAddress);
    return address && { address };
  }
  const vkey = members.get("vkey").read(readMemberKey);
  const address = members.get("address").maybe(readPeerAddress);
  return vkey === undefined ? undefined : { vkey, address };
}

/**
 * The vkey of a member. A name that looks like an IP address is refused, because a caller without a
 * name is named by its address.
 * @throws MalformedError for that and for anything else
 */
export function readMemberKey(value: unknown, name: string): string {
  const text = readText(value, name);
  return within(name, () => {
    const vkey = parseVkey(text);
    if (vkey.type !== SIGNATURE_TYPE.ed25519) {
      throw new MalformedError(
        `its type is ${vkey.type}, expected ${SIGNATURE_TYPE.ed25519}, Ed25519`,
      );
    }
    if (/^[0-9a-f:.]+$/i.test(vkey.name) && /[:.]/.test(vkey.name)) {
      throw new MalformedError(`its name ${quoted(vkey.name)} looks like an IP address`);
    }
    return vkey.text;
  });
}

/**
 * Reads the address of a peer. It is called, so its port cannot be 0, which means any free port.
 * @throws MalformedError for anything else
 */
export function readPeerAddress(value: unknown, name: string): Address {
  const address = readAddress(value, name);
  if (address.port !== 0) return address;
  throw new MalformedError(`${name} is ${quoted(formatAddress(address))}, expected a port from 1`);
}

/** Reads `gossip`. */
export const gossipSection: Section<GossipSettings> = (given) => {
  const members = given.members({ what: "gossip", known: ["interval", "schedule", "fanOut"] });
  if (members === undefined) return undefined;
  const times = readTimes(members);
  const fanOut = members.get("fanOut").read(countUpTo(MAX_PEERS), GOSSIP_DEFAULTS.fanOut);
  return times && fanOut ? { ...times, fanOut } : undefined;
};

/** `@every` is another spelling of an interval. */
function readTimes(members: Members): GossipTimes | undefined {
  const [interval, given] = [members.get("interval"), members.get("schedule")];
  if (!given.isThere) {
    const intervalMs = interval.read(readDuration, GOSSIP_DEFAULTS.interval);
    return intervalMs === undefined ? undefined : { intervalMs };
  }
  if (interval.isThere) given.fail("gossip has an interval too, expected one of the two");
  const schedule = given.read(readSchedule);
  if (schedule?.everyMs !== undefined) return { intervalMs: schedule.everyMs };
  return schedule && { schedule };
}

/** Reads `limits`, those that an operator may choose. */
export const limitsSection: Section<ExchangeLimits> = (given) => {
  const members = given.members({ what: "limits", known: OPERATOR_LIMITS });
  const readLimit = countUpTo(Number.MAX_SAFE_INTEGER);
  const chosen = OPERATOR_LIMITS.map((name) => [
    name,
    members?.get(name).read(readLimit, DEFAULT_LIMITS[name]),
  ]);
  return { ...DEFAULT_LIMITS, ...Object.fromEntries(chosen) };
};
