/**
 * What one exchange and one address may cost. Every wait and every size has its name here; the
 * comments say what a larger or smaller value would hurt.
 */
export interface ExchangeLimits {
  /** Frames in one exchange: one for each log followed. */
  readonly maxFramesPerExchange: number;
  /** Connections served at once; each holds a read and a write buffer of 64 kB. */
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
  /** What a frame that verifies under no key costs its address, in frames. */
  readonly refusedFrameCost: number;
  /** Addresses whose use is remembered. */
  readonly maxAddresses: number;
  /** How long to wait before accepting again when the system has no descriptors left. */
  readonly acceptRetryMs: number;
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
  refusedFrameCost: 256,
  maxAddresses: 16_384,
  acceptRetryMs: 250,
};
