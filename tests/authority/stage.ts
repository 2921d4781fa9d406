/** A witness on a disk in memory, whose clock is set by hand. */
import { type CosigningKey, generateCosigningKey } from "../../src/authority/cosigning.ts";
import type { SubtreeAnswer } from "../../src/authority/subtree_signer.ts";
import { type Refusals, Witness, type WitnessAnswer } from "../../src/authority/witness.ts";
import type { WitnessLimits } from "../../src/authority/witness_rates.ts";
import { WitnessLogs } from "../../src/authority/witness_logs.ts";
import { WitnessState } from "../../src/authority/witness_state.ts";
import { readCosignatures } from "../../src/tlog/cosignature.ts";
import { loadCosigner } from "../../src/tlog/cosignature.ts";
import type { VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { parseNote } from "../../src/tlog/note.ts";
import { SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import type { Clock, Files } from "../../src/world/world.ts";
import { signing } from "../sim/signing.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { type Push, PushingLog } from "./pushing_log.ts";

/** Who sends everything. */
export const CALLER = "192.0.2.1";
const LIMITS: WitnessLimits = { perSecondPerLog: 1_000, perSecond: 100_000 };

/** What a witness handed on when it refused. */
export class Refused implements Refusals {
  readonly conflicts: { recorded: VerifiedCheckpoint; refused: VerifiedCheckpoint }[] = [];
  readonly open: VerifiedCheckpoint[] = [];
  readonly failures: unknown[] = [];

  conflict(found: { recorded: VerifiedCheckpoint; refused: VerifiedCheckpoint }): Promise<void> {
    this.conflicts.push(found);
    return Promise.resolve();
  }

  unproven({ refused }: { refused: VerifiedCheckpoint }): Promise<void> {
    this.open.push(refused);
    return Promise.resolve();
  }

  failed(error: unknown): void {
    this.failures.push(error);
  }
}

/** A clock that stands still until it is set. */
export class HandClock implements Clock {
  ms = 0;

  now(): Date {
    return new Date(Date.UTC(2026, 10, 28) + this.ms);
  }

  monotonic(): number {
    return this.ms;
  }

  after(): never {
    throw new Error("no test waits here");
  }
}

const keys = [
  await generateCosigningKey({
    world: { signing, random: { bytes: (count) => new Uint8Array(count).fill(7) } },
    ...{ name: "witness.invalid/ber", type: SIGNATURE_TYPE.cosignature },
  }),
  await generateCosigningKey({
    world: { signing, random: { bytes: (count) => new Uint8Array(count).fill(9) } },
    ...{ name: "witness.invalid/ber", type: SIGNATURE_TYPE.mldsa44 },
  }),
].map(({ key }) => key);

/** The key of the witness, of type 0x04, and the second one, of type 0x06. */
export const [ED25519_KEY, MLDSA_KEY] = keys as [typeof keys[0] & object, typeof keys[0] & object];

/** The vkeys of the cosignatures on a checkpoint that hold, and their times. */
export function cosignersOf(text: string, lines: readonly string[]): string[] {
  const cosigners = keys.map(({ vkey }) => loadCosigner(vkey));
  return readCosignatures({ text, lines, cosigners }).map(({ vkey, time }) =>
    `0x0${vkey.type} at ${time}`
  );
}

/** Starts a witness with these keys on an empty disk. */
export async function startWitness(
  { logs, keys }: { logs: readonly PushingLog[]; keys: readonly CosigningKey[] },
): Promise<Witness> {
  return new Witness({
    state: await WitnessState.open({ files: new MemoryDisk().files, folder: "state" }),
    logs: new WitnessLogs({ followed: logs.map(({ log }) => log) }),
    ...{ keys, clock: new HandClock(), limits: LIMITS, refusals: new Refused() },
  });
}

/** What a test works with. */
export class Stage {
  readonly disk = new MemoryDisk();
  readonly clock = new HandClock();
  readonly refused = new Refused();
  readonly #logs: readonly PushingLog[];
  readonly #limits: WitnessLimits;
  readonly #both: boolean;
  /** The origins that are frozen. */
  readonly frozen = new Set<string>();
  /** Called when it is asked whether a log is frozen. */
  onAsked: () => void = () => {};
  files: Files = this.disk.files;
  witness!: Witness;
  state!: WitnessState;

  private constructor(logs: readonly PushingLog[], limits: WitnessLimits, both: boolean) {
    this.#logs = logs;
    this.#limits = limits;
    this.#both = both;
  }

  /** A witness of these logs that runs, unless it is to be started later. */
  static async of(
    names: readonly string[] = ["log.invalid/one"],
    { limits = LIMITS, both = false, isDown = false }: {
      limits?: WitnessLimits;
      both?: boolean;
      isDown?: boolean;
    } = {},
  ): Promise<Stage> {
    const logs = await Promise.all(names.map((name) => PushingLog.named(name)));
    const stage = new Stage(logs, limits, both);
    if (!isDown) await stage.start();
    return stage;
  }

  /** Starts a witness on what the disk has. */
  async start(): Promise<void> {
    this.state = await WitnessState.open({ files: this.files, folder: "state" });
    this.witness = new Witness({
      state: this.state,
      logs: new WitnessLogs({ followed: this.#logs.map(({ log }) => log) }),
      keys: this.#both ? [ED25519_KEY, MLDSA_KEY] : [ED25519_KEY],
      clock: this.clock,
      limits: this.#limits,
      refusals: this.refused,
      isFrozen: ({ origin }) => {
        this.onAsked();
        return this.frozen.has(origin);
      },
    });
  }

  /** One of the logs. */
  log(at = 0): PushingLog {
    return this.#logs[at]!;
  }

  /** Sends a request. */
  async push(push: Push, at = 0): Promise<WitnessAnswer> {
    return await this.send(await this.log(at).request(push));
  }

  /** Sends a body. */
  send(body: Uint8Array): Promise<WitnessAnswer> {
    return this.witness.addCheckpoint(body, CALLER);
  }

  /** Asks for a cosignature on a subtree. */
  signSubtree(body: Uint8Array): Promise<SubtreeAnswer> {
    return this.witness.signSubtree(body, CALLER);
  }

  /** As `push`, and gives the status alone. */
  async status(push: Push, at = 0): Promise<number> {
    return (await this.push(push, at)).status;
  }

  /** The root of a note, in base64. */
  rootOf(note: string): string {
    return parseNote(note).text.split("\n")[2]!;
  }
}
