/**
 * A peer for benchmarks: it knows of each log the checkpoint of its own last poll, answers and calls
 * as a monitor does, through both carriers, and checks nothing of what it is told, so that what is
 * measured is the other end.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import { encodeParcel, PARCEL_VERSION, ParcelDecoder } from "../../src/gossip/parcel.ts";
import { textOf } from "../../src/tlog/encoding.ts";
import { decodeFrame, FRAME_BYTES } from "../../src/tlog/frame.ts";
import type { Address, Clock, Connection, Network } from "../../src/world/world.ts";
import type { GrowingLog, Signed } from "./growing_log.ts";

/** Longest that is read at once. */
const CHUNK_BYTES = 64 * 1024;

/** What a peer is made of. */
export interface PeerParts {
  readonly clock: Clock;
  readonly network: Network;
  readonly address: Address;
  /** In the order in which the daemon names them. */
  readonly logs: readonly GrowingLog[];
  readonly pollMs: number;
  /** How much later than others it polls, in milliseconds. */
  readonly phaseMs: number;
}

/** One peer. */
export class StandInPeer {
  readonly #parts: PeerParts;
  /** Exchanges that either end began. */
  exchanges = 0;

  constructor(parts: PeerParts) {
    this.#parts = parts;
  }

  /** Answers whoever calls, from now on. */
  listen(): { close(): void } {
    const listener = this.#parts.network.listen(this.#parts.address);
    (async () => {
      for (let one; (one = await listener.accept()) !== undefined;) this.#answer(one);
    })();
    return listener;
  }

  /** Calls a monitor as `exchangeRound` does, in frames and then, if it is ahead, in a parcel. */
  async call(address: Address): Promise<void> {
    this.exchanges++;
    const known = this.#known();
    const answers = await this.#converse(address, concat(known.map(({ frame }) => frame)));
    const ahead = known.filter(({ treeSize }, i) => {
      const frame = answers.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES);
      return decodeFrame(frame).treeSize > treeSize;
    });
    if (ahead.length === 0) return;
    const items = ahead.map(({ note: body }) => ({ kind: "note" as const, body }));
    await this.#converse(address, encodeParcel(items));
  }

  /** What it was shown of each log when it last polled. */
  #known(): Signed[] {
    const { clock, logs, pollMs, phaseMs } = this.#parts;
    const now = clock.monotonic();
    const polledAt = Math.max(0, Math.floor((now - phaseMs) / pollMs) * pollMs + phaseMs);
    return logs.map((log) => log.checkpointAt(polledAt));
  }

  async #converse(address: Address, bytes: Uint8Array): Promise<Uint8Array> {
    const connection = await this.#parts.network.connect(address, DEFAULT_LIMITS.connectMs);
    try {
      await connection.write(bytes);
      await connection.closeWrite();
      return await readAll(connection);
    } finally {
      connection.close();
    }
  }

  async #answer(connection: Connection): Promise<void> {
    try {
      const bytes = await readAll(connection);
      const isParcel = bytes[0] === PARCEL_VERSION;
      if (!isParcel) this.exchanges++;
      await connection.write(isParcel ? this.#answerParcel(bytes) : this.#answerFrames(bytes));
    } finally {
      connection.close();
    }
  }

  #answerFrames(bytes: Uint8Array): Uint8Array {
    const known = this.#known();
    const { logs } = this.#parts;
    return concat(Array.from({ length: bytes.length / FRAME_BYTES }, (_, i) => {
      if (i < logs.length) return known[i]!.frame;
      // Behind the latest of each log come the open questions, about any of them.
      const frame = bytes.subarray(i * FRAME_BYTES, (i + 1) * FRAME_BYTES);
      const asked = logs.findIndex((log) => log.hasPublished(frame));
      return asked < 0 ? new Uint8Array(FRAME_BYTES) : known[asked]!.frame;
    }));
  }

  /** Its latest of every log of which a note came. */
  #answerParcel(bytes: Uint8Array): Uint8Array {
    const origins = new Set<string>();
    for (const { kind, body } of new ParcelDecoder(DEFAULT_LIMITS).take(bytes)) {
      if (kind === "note") origins.add(textOf(body).split("\n", 1)[0]!);
    }
    const known = this.#known();
    const named = known.filter((_, i) => origins.has(this.#parts.logs[i]!.log.origin));
    return encodeParcel(named.map(({ note: body }) => ({ kind: "note", body })));
  }
}

/** Everything that comes until the other end has finished. */
async function readAll(connection: Connection): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const buffer = new Uint8Array(CHUNK_BYTES);
    const count = await connection.read(buffer);
    if (count === undefined) return concat(parts);
    parts.push(buffer.subarray(0, count));
  }
}
