/**
 * Malicious peers. They are in the lists of honest monitors, answer them, and call them. The worst of
 * them know everything that a log has signed: a checkpoint of another story that they tell is
 * genuine.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { decodeHex } from "@std/encoding/hex";
import type { ConflictRecord } from "../../src/evidence/record.ts";
import { proofItem } from "../gossip/proof_item.ts";
import type { ParcelItem } from "../../src/gossip/kinds.ts";
import { noteItem } from "../../src/gossip/note_item.ts";
import { encodeParcel } from "../../src/gossip/parcel.ts";
import { recordItem } from "../../src/gossip/record_item.ts";
import type { VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import { HASH_BYTES } from "../../src/tlog/hashing.ts";
import { type Connection, WorldError } from "../../src/world/world.ts";
import type { Draw } from "./draw.ts";
import type { SimLog } from "./logs.ts";
import { PORT } from "./monitor.ts";
import type { SimMachine, SimNetwork } from "./network.ts";
import type { CrowdPlan, Malice } from "./plan.ts";
import type { SimTime } from "./time.ts";

/** The longest pause between two attacks, and the longest time that a connection is kept open. */
const MAX_PAUSE_MS = 30_000;
const HOLD_MS = 120_000;
/** How many connections one flood opens: more than an address may have. */
const FLOOD = 48;
/** The pause after which some of a crowd's addresses tell more. */
const CROWD_PAUSE_MS = 5_000;
/** How many old checkpoints are told over one connection. */
const PAST = 50;

/** A checkpoint's head, and the monitor that it was told. */
export interface Told {
  readonly target: number;
  readonly origin: string;
  readonly size: number;
  readonly root: string;
}

/** One malicious peer, on a machine of its own. */
export class Troublemaker {
  readonly malice: Malice;
  readonly #machine: SimMachine;
  readonly #crowd: (CrowdPlan & { readonly machines: readonly SimMachine[] }) | undefined;
  readonly #network: SimNetwork;
  readonly #time: SimTime;
  readonly #draw: Draw;
  readonly #logs: readonly SimLog[];
  readonly #targets: readonly string[];
  readonly #records: () => readonly ConflictRecord[];
  readonly #onAnswered: (told: Told) => void;
  #isOver = false;

  constructor(fields: {
    malice: Malice;
    machine: SimMachine;
    /** Its further addresses, if it has any. */
    crowd?: (CrowdPlan & { readonly machines: readonly SimMachine[] }) | undefined;
    network: SimNetwork;
    time: SimTime;
    draw: Draw;
    logs: readonly SimLog[];
    /** Host names of the honest monitors. */
    targets: readonly string[];
    /** The conflict records that it knows. */
    records: () => readonly ConflictRecord[];
    /** Called when a monitor has answered a frame, and so must not forget it. */
    onAnswered: (told: Told) => void;
  }) {
    this.malice = fields.malice;
    this.#machine = fields.machine;
    this.#crowd = fields.crowd;
    this.#network = fields.network;
    this.#time = fields.time;
    this.#draw = fields.draw;
    this.#logs = fields.logs;
    this.#targets = fields.targets;
    this.#records = fields.records;
    this.#onAnswered = fields.onAnswered;
  }

  /** Begins to answer and to attack. */
  start(): void {
    void this.#answerAll();
    void (this.malice === "crowd" ? this.#crowdIn() : this.#attackAll());
  }

  /** Begins no further attack. */
  stop(): void {
    this.#isOver = true;
  }

  async #answerAll(): Promise<void> {
    const network = this.#network.at(this.#machine);
    const listener = network.listen({ hostname: this.#machine.hostname, port: PORT });
    for (let next; !this.#isOver && (next = await listener.accept()) !== undefined;) {
      void this.#holding(next, (connection) => this.#answer(connection));
    }
    listener.close();
  }

  async #attackAll(): Promise<void> {
    const network = this.#network.at(this.#machine);
    while (!this.#isOver) {
      await this.#time.pause(this.#draw.share() * MAX_PAUSE_MS);
      const target = this.#draw.below(this.#targets.length);
      const address = { hostname: this.#targets[target]!, port: PORT };
      const times = this.malice === "floods" ? FLOOD : 1;
      for (let i = 0; i < times; i++) {
        const attack = async (): Promise<void> => {
          const connection = await network.connect(address, MAX_PAUSE_MS);
          await this.#holding(connection, () => this.#attack(connection, target));
        };
        void attack().catch(expectWorldError);
      }
    }
  }

  /** All its addresses call at one moment. Later some call again, as long as there is more to tell. */
  async #crowdIn(): Promise<void> {
    const { machines, from, each, later } = this.#crowd!;
    const log = this.#logs[0]!;
    await this.#time.pause(from);
    let next = log.sizes[0]!;
    const tell = async (count: number): Promise<void> => {
      const sizes = Array.from({ length: Math.min(count, next) }, () => next--);
      for (const [i, part] of dealt(sizes, machines.length).entries()) {
        const past = await Promise.all(part.map((size) => log.checkpoint({ story: 0, size })));
        if (past.length > 0) this.#tellFrom(machines[i]!, past);
      }
    };
    await tell(machines.length * each);
    while (!this.#isOver && next > 0) {
      await this.#time.pause(CROWD_PAUSE_MS);
      await tell(Math.round(later * CROWD_PAUSE_MS / 1_000));
      // In between it tells everyone the other story, which the log shows only one monitor.
      const [, size] = log.sizes;
      if (size !== undefined) {
        this.#tellFrom(this.#draw.pick(machines), [await log.checkpoint({ story: 1, size })]);
      }
    }
  }

  /** Tells everyone these checkpoints, from one of its addresses. */
  #tellFrom(machine: SimMachine, past: readonly VerifiedCheckpoint[]): void {
    const network = this.#network.at(machine);
    for (const hostname of this.#targets) {
      const attack = async (): Promise<void> => {
        const connection = await network.connect({ hostname, port: PORT }, MAX_PAUSE_MS);
        await this.#holding(connection, () => this.#tellAtOnce(connection, past));
      };
      void attack().catch(expectWorldError);
    }
  }

  /** Does some work with a connection, and closes it afterwards. */
  async #holding(
    connection: Connection,
    work: (connection: Connection) => Promise<void>,
  ): Promise<void> {
    const timer = this.#time.after(HOLD_MS, () => connection.close());
    try {
      await work(connection);
    } catch (error) {
      expectWorldError(error);
    } finally {
      timer.cancel();
      connection.close();
    }
  }

  async #answer(connection: Connection): Promise<void> {
    switch (this.malice) {
      case "silent":
        return await this.#time.pause(HOLD_MS);
      case "garbage":
        return await connection.write(this.#draw.bytes(this.#draw.between(1, 3 * FRAME_BYTES)));
      case "slow":
        return await this.#dribble(connection, await this.#anyFrame());
      case "endless":
        for (let i = 0; i < 200; i++) await connection.write(await this.#anyFrame());
        return;
      default: {
        const first = new Uint8Array(FRAME_BYTES);
        const count = await connection.read(first);
        const isParcel = count !== undefined && (first[0]! & 0x80) !== 0;
        await connection.write(isParcel ? await this.#parcel() : await this.#frames());
      }
    }
  }

  async #attack(connection: Connection, target: number): Promise<void> {
    switch (this.malice) {
      case "crowd":
        return;
      case "silent":
      case "floods":
        return await this.#time.pause(this.#draw.below(HOLD_MS));
      case "garbage":
        await connection.write(this.#draw.bytes(this.#draw.between(1, 3 * FRAME_BYTES)));
        return await connection.closeWrite();
      case "slow":
        return await this.#dribble(connection, await this.#anyFrame());
      case "endless":
        for (let i = 0; i < 2_000; i++) await connection.write(new Uint8Array(FRAME_BYTES));
        return;
      case "old checkpoints":
        return await this.#tellThePast(connection);
      case "replays":
        return await this.#replay(connection, target);
      case "forges":
      case "repeats evidence":
        await connection.write(await this.#parcel());
        return await connection.closeWrite();
    }
  }

  /** Tells a checkpoint, of any story, and waits for the answer. */
  async #replay(connection: Connection, target: number): Promise<void> {
    const { log, treeSize, root, frame } = await this.#anyCheckpoint();
    await connection.write(frame);
    await connection.closeWrite();
    const answer = new Uint8Array(FRAME_BYTES);
    let length = 0;
    while (length < answer.length) {
      const count = await connection.read(answer.subarray(length));
      if (count === undefined) return;
      length += count;
    }
    this.#onAnswered({ target, origin: log.origin, size: Number(treeSize), root });
  }

  /** Tells many genuine checkpoints of one log that are older than anybody's view. */
  async #tellThePast(connection: Connection): Promise<void> {
    const log = this.#logs[0]!;
    const [honest] = log.sizes;
    for (let i = 0; i < PAST; i++) {
      const size = this.#draw.between(1, honest!);
      await connection.write((await log.checkpoint({ story: 0, size })).frame);
    }
    await this.#hearOut(connection);
  }

  /** Tells these checkpoints in one write, so that all of them are heard before any is answered. */
  async #tellAtOnce(
    connection: Connection,
    told: readonly VerifiedCheckpoint[],
  ): Promise<void> {
    await connection.write(concat(told.map(({ frame }) => frame)));
    await this.#hearOut(connection);
  }

  /** Waits for all answers. */
  async #hearOut(connection: Connection): Promise<void> {
    await connection.closeWrite();
    const buffer = new Uint8Array(PAST * FRAME_BYTES);
    while (await connection.read(buffer) !== undefined);
  }

  async #dribble(connection: Connection, bytes: Uint8Array): Promise<void> {
    for (const byte of bytes) {
      await connection.write(Uint8Array.of(byte));
      await this.#time.pause(1_000);
    }
  }

  async #frames(): Promise<Uint8Array> {
    const frame = await this.#anyFrame();
    if (this.malice === "forges") frame[this.#draw.below(frame.length)]! ^= 1;
    return frame;
  }

  async #anyFrame(): Promise<Uint8Array> {
    return (await this.#anyCheckpoint()).frame.slice();
  }

  /** A checkpoint that a log has signed, or would sign for an accomplice. */
  #anyCheckpoint(): Promise<VerifiedCheckpoint> {
    const log = this.#draw.pick(this.#logs);
    const story = this.#draw.below(log.sizes.length);
    // Only a few sizes are told, so that there is not a record for every size.
    const newest = log.sizes[story]!;
    const some = this.#draw.pick([newest, newest, newest - 1, log.plan.start]);
    const size = Math.min(newest, Math.max(0, some));
    return log.checkpoint({ story, size });
  }

  async #parcel(): Promise<Uint8Array> {
    const items: ParcelItem[] = this.malice === "repeats evidence"
      ? this.#records().slice(-8).map(recordItem)
      : [await this.#madeUpProof(), ...this.#tamperedRecords(), this.#claims()];
    return encodeParcel(this.#draw.shuffled([...items, noteItem(await this.#anyCheckpoint())]));
  }

  /** A made-up proof between two checkpoints that a log has signed; sometimes a true one. */
  async #madeUpProof(): Promise<ParcelItem> {
    const [a, b] = [await this.#anyCheckpoint(), await this.#anyCheckpoint()];
    const [older, newer] = a.treeSize < b.treeSize ? [a, b] : [b, a];
    const length = this.#draw.between(0, 9);
    const isTrue = older.log === newer.log && older.treeSize > 0n && this.#draw.chance(0.5);
    const log = this.#logs.find(({ log }) => log === newer.log)!;
    const sizes = { older: Number(older.treeSize), newer: Number(newer.treeSize) };
    const proof = isTrue
      ? log.proof(log.storiesOf({ size: sizes.newer, root: newer.root })[0]!, sizes)
      : Array.from({ length }, () => this.#draw.bytes(HASH_BYTES));
    if (proof.length > 0 && this.#draw.chance(0.5)) proof.reverse();
    return proofItem({ log: newer.log, older, newer, proof });
  }

  /** Claims to have cases: either real ones, or some that nobody has. */
  #claims(): ParcelItem {
    const ids = this.#records().slice(-16).map(({ evidence_id }) => decodeHex(evidence_id));
    const madeUp = Array.from({ length: 16 }, () => this.#draw.bytes(HASH_BYTES));
    return { kind: "known", body: concat(this.#draw.chance(0.5) ? ids : madeUp) };
  }

  #tamperedRecords(): ParcelItem[] {
    return this.#records().slice(-3).map((record) => {
      const { body } = recordItem(record);
      const at = this.#draw.below(body.length - 1);
      const [before, after] = [body.subarray(0, at), body.subarray(at + 1)];
      const digit = Uint8Array.of(0x30 + this.#draw.below(10));
      return { kind: "record", body: concat([before, digit, after]) };
    });
  }
}

/** Deals items out, in turns, to `count` hands. */
function dealt<T>(items: readonly T[], count: number): T[][] {
  const hands: T[][] = Array.from({ length: count }, () => []);
  for (const [i, item] of items.entries()) hands[i % count]!.push(item);
  return hands;
}

/** Ignores errors of the network. Any other error is a fault of the simulation, and is thrown. */
function expectWorldError(error: unknown): void {
  if (!(error instanceof WorldError)) throw error;
}
