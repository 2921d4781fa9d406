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
  /** Bytes of one parcel. Each parcel that is being read may hold so many bytes in memory. */
  readonly maxParcelBytes: number;
  /** How long an item of each kind may be, and how much it costs: see kinds.ts. */
  readonly kinds: Readonly<
    Record<ItemKind, Pick<Kind, "maxBytes" | "cost" | "isJson" | "lookUpBytes">>
  >;
  /**
   * Bytes of an item of a kind that this version does not know. Such an item is passed over and not
   * kept.
   */
  readonly maxUnknownItemBytes: number;
  /** Conflict records put into one parcel, newest first; more follow in later rounds. */
  readonly maxRecordsPerParcel: number;
  /** How much a parcel made here may take of the other end's allowance for us, in frames. */
  readonly maxParcelCost: number;
  /** Bytes of a parcel, received or answered, that cost as much as one frame. */
  readonly parcelBytesPerFrame: number;
  /**
   * Bytes of a proof or record that cost one frame more: JSON is parsed and spelled again, 40 ms a
   * megabyte. The price is so small that the largest record fits `maxParcelCost`.
   */
  readonly jsonBytesPerFrame: number;
  /** How many unreconciled checkpoints of one log are shown to a peer in one round. */
  readonly maxOpenPerLog: number;
}

/**
 * How much one exchange and one address may cost. Every wait and every size has its name here. The
 * comments say what a larger or smaller value would harm.
 */
export interface ExchangeLimits extends ParcelLimits {
  /**
   * Frames that a caller may send in one exchange: the latest of each log that both ends follow,
   * then unreconciled checkpoints. The limit on followed logs is the same, because otherwise some
   * logs would never have a frame.
   */
  readonly maxFramesPerExchange: number;
  /** Connections served at once; each holds two buffers, of 6.5 kB or, if much is sent, of 64 kB. */
  readonly maxConnections: number;
  /** How many of these may be from one address (an IPv4 address, or an IPv6 /64). */
  readonly maxConnectionsPerAddress: number;
  /** How long a caller may take to send its first byte. */
  readonly firstByteMs: number;
  /** How long an exchange may take in all, both ends. */
  readonly exchangeMs: number;
  /** How long to wait for a connection to a peer. */
  readonly connectMs: number;
  /**
   * Frames a second from one address, counted before any signature is checked. After a pause, as
   * many may come at once. 1,000 unknown frames of one log cost about 25 ms of one core.
   */
  readonly framesPerSecondPerAddress: number;
  /**
   * How much the parcels of all strangers together may cost in a second, in allowances of one
   * address. The signatures of their frames may cost as much again. However many addresses
   * strangers have, this leaves a part of a core for peers. It is at least 2, because otherwise one
   * address alone could not use its own allowance.
   */
  readonly strangersShare: number;
  /** How much a frame that verifies under no key costs its address, in frames. */
  readonly refusedFrameCost: number;
  /** How many addresses' use is remembered. */
  readonly maxAddresses: number;
  /** How long to wait before accepting again when the system has no descriptors left. */
  readonly acceptRetryMs: number;
  /** How many of the connections served at once may bring a parcel, because parcels take memory. */
  readonly maxParcelConnections: number;
  /** How many of these may be from one address. */
  readonly maxParcelConnectionsPerAddress: number;
  /** How long a parcel and its answer may take in all, both ends, from the first byte. */
  readonly parcelMs: number;
  /**
   * After a parcel to a peer failed, the peer gets no parcel for this time. It may not know
   * parcels.
   */
  readonly parcelRetryMs: number;
  /**
   * After this time a peer is asked again for the evidence that it holds, whatever its frames say.
   */
  readonly askAgainMs: number;
  /** For how many peers the evidence that they were handed is remembered. */
  readonly maxPeersRemembered: number;
  /** Evidence ids remembered for each. If one is forgotten, its case is handed over once more. */
  readonly maxHandedOverPerPeer: number;
}

/**
 * The limits that an operator may choose. They say how much of this machine connections and
 * memories may take, and how long to wait over a slow network. No single monitor can choose the
 * others: both ends must agree on the sizes of the protocol; the prices fit each other, so that
 * what a peer may send fits its allowance; and the guarantees depend on the times.
 */
export const OPERATOR_LIMITS = [
  ...["maxFramesPerExchange", "maxConnections", "maxConnectionsPerAddress"] as const,
  ...["maxParcelConnections", "maxParcelConnectionsPerAddress"] as const,
  ...["framesPerSecondPerAddress", "maxAddresses"] as const,
  ...["maxPeersRemembered", "maxHandedOverPerPeer"] as const,
  ...["connectMs", "firstByteMs", "exchangeMs", "parcelMs"] as const,
] as const satisfies readonly (keyof ExchangeLimits)[];

/** The limits of the addresses' allowance, which counts frames. */
export function allowanceLimits(limits: ExchangeLimits): AllowanceLimits {
  return {
    perSecondPerAddress: limits.framesPerSecondPerAddress,
    refusalCost: limits.refusedFrameCost,
    strangersShare: limits.strangersShare,
    maxAddresses: limits.maxAddresses,
  };
}

/** The limits of a port's acceptor. */
export function acceptorLimits(limits: ExchangeLimits): AcceptorLimits {
  const { maxConnections, maxConnectionsPerAddress, acceptRetryMs } = limits;
  return { maxConnections, maxConnectionsPerAddress, acceptRetryMs };
}

/** How many connections of a port may bring parcels. */
export function parcelTableLimits(limits: ExchangeLimits): TableLimits {
  return {
    maxConnections: limits.maxParcelConnections,
    maxConnectionsPerAddress: limits.maxParcelConnectionsPerAddress,
  };
}

/** The limits in force unless a caller gives others. */
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
