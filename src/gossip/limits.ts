import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import type { Kind } from "./kind.ts";
import { type ItemKind, KINDS } from "./kinds.ts";
import type { AcceptorLimits } from "../world/acceptor.ts";
import type { AllowanceLimits } from "../world/allowance.ts";
import type { TableLimits } from "../world/connection_table.ts";

/** How much one parcel may hold, either way. */
export interface ParcelLimits {
  /** Items in one parcel, unknown kinds included. */
  readonly maxItemsPerParcel: number;
  /** Bytes of one parcel; as many are held in memory for each that is being read. */
  readonly maxParcelBytes: number;
  /** What an item of each kind may hold, and what it costs: see kinds.ts. */
  readonly kinds: Readonly<Record<ItemKind, Pick<Kind, "maxBytes" | "cost" | "isJson">>>;
  /** Bytes of an item of a kind this version does not know; it is passed over, not kept. */
  readonly maxUnknownItemBytes: number;
  /** Conflict records put into one parcel, newest first; more follow in later rounds. */
  readonly maxRecordsPerParcel: number;
  /** What a parcel put together here may cost the other end's allowance for us, in frames. */
  readonly maxParcelCost: number;
  /** Bytes of a parcel, received or answered, that cost as much as one frame. */
  readonly parcelBytesPerFrame: number;
  /**
   * Bytes of a proof or record that cost one frame more: JSON is parsed and spelled again, 40 ms a
   * megabyte. Small enough a price that the largest record fits `maxParcelCost`.
   */
  readonly jsonBytesPerFrame: number;
  /** Checkpoints not reconciled yet that are shown to a peer in one round, of one log. */
  readonly maxOpenPerLog: number;
}

/**
 * What one exchange and one address may cost. Every wait and every size has its name here; the
 * comments say what a larger or smaller value would hurt.
 */
export interface ExchangeLimits extends ParcelLimits {
  /**
   * Frames that a caller may send in one exchange: the latest of each log that both ends follow, then
   * what is open. As many logs may be followed, or some would never be spoken of.
   */
  readonly maxFramesPerExchange: number;
  /** Connections served at once; each holds two buffers, of 6.5 kB or, if much is sent, of 64 kB. */
  readonly maxConnections: number;
  /** Of these, from one address (an IPv4 address, or an IPv6 /64). */
  readonly maxConnectionsPerAddress: number;
  /** How long a caller may take to send its first byte. */
  readonly firstByteMs: number;
  /** How long an exchange may take in all, both ends. */
  readonly exchangeMs: number;
  /** How long to wait for a connection to a peer. */
  readonly connectMs: number;
  /**
   * Frames a second from one address, counted before any signature is checked, with as many at once
   * after a pause. 1,000 unknown frames of one log cost about 25 ms of one core.
   */
  readonly framesPerSecondPerAddress: number;
  /**
   * What the parcels of all strangers together may cost a second, and as much again the signatures
   * checked of their frames, in allowances of one address: so many addresses as there may be, some of
   * a core stays free for peers. At least 2, or one address alone could not use its own.
   */
  readonly strangersShare: number;
  /** What a frame that verifies under no key costs its address, in frames. */
  readonly refusedFrameCost: number;
  /** Addresses whose use is remembered. */
  readonly maxAddresses: number;
  /** How long to wait before accepting again when the system has no descriptors left. */
  readonly acceptRetryMs: number;
  /** Of the connections served at once, those with a parcel: they take memory. */
  readonly maxParcelConnections: number;
  /** Of these, from one address. */
  readonly maxParcelConnectionsPerAddress: number;
  /** How long a parcel and its answer may take in all, both ends, from the first byte. */
  readonly parcelMs: number;
  /** How long a peer with which a parcel failed is sent none; it may know no parcels. */
  readonly parcelRetryMs: number;
  /** How long until a peer is asked again for evidence it holds, whatever its frames say. */
  readonly askAgainMs: number;
  /** Peers of which is remembered what evidence they were handed. */
  readonly maxPeersRemembered: number;
  /** Evidence ids remembered for each; one that is forgotten is handed over once more. */
  readonly maxHandedOverPerPeer: number;
}

/**
 * The limits that an operator may choose: what connections and memories may take of this machine,
 * and how long to wait over a slow network. The others are no one monitor's to choose: sizes of the
 * protocol, which both ends must agree on; prices, which hang together so that what a peer may send
 * fits its allowance; and times on which the guarantees rest.
 */
export const OPERATOR_LIMITS = [
  ...["maxFramesPerExchange", "maxConnections", "maxConnectionsPerAddress"] as const,
  ...["maxParcelConnections", "maxParcelConnectionsPerAddress"] as const,
  ...["framesPerSecondPerAddress", "maxAddresses"] as const,
  ...["maxPeersRemembered", "maxHandedOverPerPeer"] as const,
  ...["connectMs", "firstByteMs", "exchangeMs", "parcelMs"] as const,
] as const satisfies readonly (keyof ExchangeLimits)[];

/** What the allowance of addresses takes of these: it counts frames. */
export function allowanceLimits(limits: ExchangeLimits): AllowanceLimits {
  return {
    perSecondPerAddress: limits.framesPerSecondPerAddress,
    refusalCost: limits.refusedFrameCost,
    strangersShare: limits.strangersShare,
    maxAddresses: limits.maxAddresses,
  };
}

/** What a port's acceptor takes of these. */
export function acceptorLimits(limits: ExchangeLimits): Omit<AcceptorLimits, "firstReadBytes"> {
  const { maxConnections, maxConnectionsPerAddress } = limits;
  const { firstByteMs, exchangeMs: wholeMs, acceptRetryMs } = limits;
  return { maxConnections, maxConnectionsPerAddress, firstByteMs, wholeMs, acceptRetryMs };
}

/** Of the connections of a port, those that may bring parcels. */
export function parcelTableLimits(limits: ExchangeLimits): TableLimits {
  return {
    maxConnections: limits.maxParcelConnections,
    maxConnectionsPerAddress: limits.maxParcelConnectionsPerAddress,
  };
}

/** The limits in force unless a caller says otherwise. */
export const DEFAULT_LIMITS: ExchangeLimits = {
  maxFramesPerExchange: 1_024,
  maxConnections: 256,
  maxConnectionsPerAddress: 32,
  firstByteMs: 5_000,
  exchangeMs: 20_000,
  connectMs: 10_000,
  framesPerSecondPerAddress: 2_048,
  strangersShare: 2,
  refusedFrameCost: 256,
  maxAddresses: 16_384,
  acceptRetryMs: 250,
  maxItemsPerParcel: 512,
  maxParcelBytes: 3 * 1024 * 1024,
  kinds: KINDS,
  maxUnknownItemBytes: MAX_NOTE_BYTES,
  maxRecordsPerParcel: 16,
  maxParcelCost: 1_280,
  parcelBytesPerFrame: 4_096,
  jsonBytesPerFrame: 4_096,
  maxOpenPerLog: 12,
  maxParcelConnections: 16,
  maxParcelConnectionsPerAddress: 4,
  parcelMs: 20_000,
  parcelRetryMs: 60_000,
  askAgainMs: 600_000,
  maxPeersRemembered: 1_024,
  maxHandedOverPerPeer: 16_384,
};
