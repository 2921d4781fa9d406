import { type Clock, type Connection, type Listener, WorldError } from "./world.ts";

/** Connections in a row that may fail before accepting takes a breath. */
export const MAX_FAILURES_IN_A_ROW = 256;
/**
 * The breath. With the limit above, 5,120 failures a second: more than callers who break off can hold
 * the queue with, and little work if it is the listener itself that fails for ever.
 */
export const BREATH_MS = 50;

/** What keeps a connection from being accepted, as it is told. */
export interface AcceptTrouble {
  /** For a person; it says what is done about it. */
  readonly reason: string;
  /** Whether descriptors or memory are lacking here; otherwise one caller broke off. */
  readonly isLack: boolean;
}

/**
 * Accepts connections until the listener is closed; the one rule for every port. Only a lack of
 * descriptors or memory makes it wait, since it lasts: `accept` would fail at once again. Any other
 * error is that of one connection (a caller that reset before its turn), which is gone with it, so
 * whoever stands behind it in the queue is accepted at once.
 * @param retryMs how long to wait for descriptors
 * @param isOver asked before each; a closed listener ends it as well
 * @param onTrouble told once for each of the two kinds, until a connection is accepted again
 * @throws what is not the world's fault
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
