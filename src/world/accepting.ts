import { type Clock, type Connection, type Listener, WorldError } from "./world.ts";

/** How many connections in a row may fail before accepting pauses. */
export const MAX_FAILURES_IN_A_ROW = 256;
/**
 * The length of that pause. With the limit above it allows 5,120 failures a second. Callers that
 * break off cannot fill the queue at that rate. And it is little work if the listener itself fails
 * for ever.
 */
export const BREATH_MS = 50;

/** The reason for which a connection could not be accepted. */
export interface AcceptTrouble {
  /** A sentence for a person. It says what the program does about it. */
  readonly reason: string;
  /** Whether this machine lacks descriptors or memory. Otherwise one caller broke off. */
  readonly isLack: boolean;
}

/**
 * Accepts connections until the listener is closed. Every port follows this one rule. Only a lack
 * of descriptors or memory makes it wait, because `accept` would fail again at once. Any other
 * error belongs to one connection: its caller sent a reset before its turn. So the next one in the
 * queue is accepted at once.
 * @param retryMs how long to wait for descriptors
 * @param isOver called before each connection; a closed listener ends the loop as well
 * @param onTrouble called once for each of the two kinds, until a connection is accepted again
 * @throws any error that is not a WorldError
 */
export async function acceptAll({ listener, clock, retryMs, isOver, onConnection, onTrouble }: {
  listener: Listener;
  clock: Clock;
  retryMs: number;
  isOver: () => boolean;
  onConnection: (connection: Connection) => void;
  onTrouble: (trouble: AcceptTrouble) => void;
}): Promise<void> {
  const told = new Set<boolean>();
  for (let failures = 0; !isOver();) {
    let connection: Connection | undefined;
    try {
      connection = await listener.accept();
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      const isLack = error.kind === "exhausted";
      if (!told.has(isLack)) {
        onTrouble({ isLack, reason: describe(error, isLack ? retryMs : undefined) });
      }
      told.add(isLack);
      failures++;
      if (isLack) await pause(clock, retryMs);
      else if (failures % MAX_FAILURES_IN_A_ROW === 0) await pause(clock, BREATH_MS);
      continue;
    }
    if (connection === undefined) return;
    failures = 0;
    told.clear();
    onConnection(connection);
  }
}

function describe({ message }: WorldError, retryMs: number | undefined): string {
  return retryMs === undefined
    ? `a connection broke before it was accepted: ${message}`
    : `cannot accept a connection: ${message}; trying again every ${retryMs} ms`;
}

function pause(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => void clock.after(ms, resolve));
}
