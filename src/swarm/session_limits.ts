/** Every wait and every size of a session. */
export interface SessionLimits {
  /** How long a handshake may take, from the connection to the proofs of both ends. */
  readonly handshakeMs: number;
  /** After so long without sending, a ping is sent. */
  readonly keepAliveMs: number;
  /** After so long without hearing anything, a session ends: three pings were lost by then. */
  readonly silenceMs: number;
  /** How long the other end may take to read a few cells. */
  readonly writeMs: number;
  /** How long the other end may take to close after this end has finished. */
  readonly lingerMs: number;
  /** How long to wait for a free stream. */
  readonly openMs: number;
  /** Cells of one direction under one key. Both ends must have the same number. */
  readonly cellsPerKey: number;
  /** Bytes of one stream that were sent and that the other end has not taken yet. */
  readonly streamWindowBytes: number;
  /** Streams opened by one end that are open at once. */
  readonly maxStreams: number;
  /** Bytes of a stream in one message: other messages wait for no more than so much of it. */
  readonly dataBytes: number;
  /** Bytes of messages that wait to be sent; `send` refuses more. */
  readonly maxQueuedBytes: number;
  /** Short messages that wait to be sent, such as pongs. An end that reads never lets so many wait. */
  readonly maxQueuedAnswers: number;
  /** Bytes of messages that came and that nobody has taken yet; then nothing more is read. */
  readonly maxHeldBytes: number;
  /** How many messages these may be. */
  readonly maxHeldMessages: number;
  /** Bytes of a hello. */
  readonly maxHelloBytes: number;
  /** Bytes of a statement; it may carry a whole note. */
  readonly maxSaidBytes: number;
  /** Bytes of a rumour. It may carry a conflict record, which holds two whole notes. */
  readonly maxRumourBytes: number;
  /** Bytes of a goodbye. */
  readonly maxByeBytes: number;
  /** Bytes of an order to this monitor by its own operator. */
  readonly maxControlBytes: number;
  /** Bytes of what such an order is answered. */
  readonly maxControlAnswerBytes: number;
  /** Bytes of a message of an unknown kind, which is passed over and not kept. */
  readonly maxUnknownMessageBytes: number;
}

/**
 * The same for a caller that is not admitted, which is there to be told so: a hello is all that it may
 * say. There may be many of them, and each would take megabytes otherwise.
 */
export function limitsOfStrangers(limits: SessionLimits): SessionLimits {
  const { maxHelloBytes } = limits;
  return {
    ...limits,
    ...{ maxStreams: 0, maxHeldBytes: maxHelloBytes, maxHeldMessages: 1 },
    ...{ maxSaidBytes: 0, maxRumourBytes: 0, maxControlBytes: 0, maxControlAnswerBytes: 0 },
  };
}

/** The limits of PROTOCOL section 16. */
export const SESSION_LIMITS: SessionLimits = {
  handshakeMs: 10_000,
  keepAliveMs: 30_000,
  silenceMs: 90_000,
  writeMs: 30_000,
  lingerMs: 2_000,
  openMs: 10_000,
  cellsPerKey: 4_096,
  streamWindowBytes: 65_536,
  maxStreams: 8,
  dataBytes: 16_384,
  maxQueuedBytes: 2_400_000,
  maxQueuedAnswers: 256,
  maxHeldBytes: 2_200_000,
  maxHeldMessages: 256,
  maxHelloBytes: 262_144,
  maxSaidBytes: 600_000,
  maxRumourBytes: 2_200_000,
  maxByeBytes: 1_024,
  maxControlBytes: 65_536,
  maxControlAnswerBytes: 600_000,
  maxUnknownMessageBytes: 600_000,
};
