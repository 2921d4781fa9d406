/**
 * The numbers of our own statements. No number is ever used twice, whatever happens to the disk:
 * whoever says two things under one number has signed a proof against itself (RULES, "Statements").
 *
 * A number is an epoch and a sequence. What keeps numbers apart:
 *
 * - **Each start begins a new epoch**, larger than the one in the file, and writes it durably before
 *   the first number of it is given out. So a `kill -9` at any moment repeats nothing: the epoch of
 *   whatever was given out is in the file. Sequences are counted in memory, so there is nothing to
 *   reserve, and no number is lost to a reserve.
 * - **A restored backup** has an old epoch in the file. The new epoch is also larger than the clock's
 *   seconds, and so larger than all that was used before.
 * - **A lost or damaged file** leaves the clock alone. No number is given out until the clock has come
 *   to the epoch. So a monitor that is started again and again in an empty folder repeats nothing,
 *   even within one second.
 * - **A clock that was set back**, together with one of these, leaves what others remember. They show
 *   the last note that they heard under our key. If it is later than all that this process has said,
 *   a new epoch begins.
 *
 * If a running monitor is copied with its key, two programs speak under one key, and none of this
 * helps. That is what the proof is about.
 *
 * @module
 */
import { openCheckpoint } from "../tlog/checkpoint.ts";
import { parseCheckpointText } from "../tlog/checkpoint_text.ts";
import { parseTreeSize } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { anyText } from "../tlog/members.ts";
import { parseNote } from "../tlog/note.ts";
import type { Vkey } from "../tlog/vkey.ts";
import type { Signer } from "../world/signer.ts";
import { timeNow } from "../world/time.ts";
import { Turns } from "../world/turns.ts";
import { type World, WorldError } from "../world/world.ts";
import { readSmallFile, type SmallFile, writeSmallFile } from "./small_file.ts";
import {
  logOf,
  makeStatement,
  type Saying,
  type Statement,
  type StatementBody,
  statementsEpoch,
} from "./statement.ts";

/** The file in the state folder. */
export const OWN_STATEMENTS_FILE = "own-statements.json";
const VERSION = "hearsay/own-statements/v1";
const MS_PER_SECOND = 1_000;

/** A number under which one thing is said. */
export interface StatementNumber {
  readonly epoch: bigint;
  /** From 1. */
  readonly sequence: bigint;
}

/** See the module. */
export class OwnStatements {
  readonly #world: World;
  readonly #signer: Signer;
  readonly #file: SmallFile;
  readonly #onDamage: (detail: string) => void;
  readonly #turns = new Turns();
  /** The epoch of this process, once it is durable. */
  #epoch: bigint | undefined;
  /** The last sequence of it that was given out. */
  #sequence = 0n;
  /** The largest epoch that this process knows to be used. */
  #used = 0n;
  #stopWaiting = (): void => {};

  /**
   * Nothing is read or written before the first number is asked for.
   * @param folder the state folder; one process at a time may use it
   * @param onDamage is told, in a sentence, that the file is damaged
   */
  constructor({ world, folder, signer, onDamage = () => {} }: {
    world: World;
    folder: string;
    signer: Signer;
    onDamage?: (detail: string) => void;
  }) {
    this.#world = world;
    this.#signer = signer;
    this.#file = { files: world.files, folder, name: OWN_STATEMENTS_FILE, version: VERSION };
    this.#onDamage = onDamage;
  }

  /** The last number that this process has given out; nothing if it has given out none. */
  get last(): StatementNumber | undefined {
    if (this.#epoch === undefined || this.#sequence === 0n) return undefined;
    return { epoch: this.#epoch, sequence: this.#sequence };
  }

  /**
   * Says something under the next number, at this moment. The first call of a process takes a second.
   * @throws WorldError if the disk refuses, and the next call tries again; MalformedError if what is
   *   said breaks the rules of its kind, or is too long
   */
  async say(saying: Saying): Promise<Statement> {
    const { epoch, sequence } = await this.next();
    const body = { ...saying, time: timeNow(this.#world.clock) } as StatementBody;
    return await makeStatement({ signer: this.#signer, epoch, sequence, body });
  }

  /**
   * Gives out a number, for good: no later call and no later process gives it out again.
   * @throws WorldError if the disk refuses a new epoch, and the next call tries again
   */
  next(): Promise<StatementNumber> {
    return this.#turns.next(async () => {
      const epoch = this.#epoch ??= await this.#begin();
      return { epoch, sequence: ++this.#sequence };
    });
  }

  /**
   * Somebody shows a note that our key has signed. If this process has not given out its number, and
   * the number is not of an earlier epoch, a new epoch begins with the next number. A liar has no such
   * note, and causes nothing.
   * @returns `later` if so: there is a copy of this monitor, or it was restored and its clock set back;
   *   `known` if the number is ours; `not ours` if the note is no statement under our key
   * @throws WorldError if the disk refuses a new epoch
   */
  heardByPeers(note: string): Promise<"later" | "known" | "not ours"> {
    return this.#turns.next(async () => {
      const heard = openOwn(note, this.#signer.vkey);
      if (heard === undefined) return "not ours";
      const epoch = this.#epoch ??= await this.#begin();
      const isKnown = heard.epoch < epoch ||
        (heard.epoch === epoch && heard.sequence <= this.#sequence);
      if (isKnown) return "known";
      this.#used = heard.epoch;
      this.#epoch = undefined;
      return "later";
    });
  }

  /** Ends a wait. No number is given out from now on. */
  close(): void {
    const error = new WorldError("other", "this monitor is stopping");
    this.#turns.drop(error);
    this.#stopWaiting();
  }

  /** Begins an epoch that was never used: makes it durable, and waits until the clock has come to it. */
  async #begin(): Promise<bigint> {
    const now = BigInt(Math.floor(this.#world.clock.now().getTime() / MS_PER_SECOND));
    const stored = await this.#stored() ?? 0n;
    const epoch = [now, stored, this.#used].reduce((a, b) => a > b ? a : b) + 1n;
    await writeSmallFile(this.#file, { epoch: `${epoch}` });
    await this.#pause(MS_PER_SECOND);
    this.#used = epoch;
    this.#sequence = 0n;
    return epoch;
  }

  /** @throws WorldError if the monitor stops meanwhile */
  #pause(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = this.#world.clock.after(ms, resolve);
      this.#stopWaiting = () => {
        timer.cancel();
        reject(new WorldError("other", "this monitor is stopping"));
      };
    });
  }

  /** The epoch in the file; nothing if there is no file, or a damaged one. */
  async #stored(): Promise<bigint | undefined> {
    try {
      const epoch = (await readSmallFile(this.#file))?.epoch;
      if (epoch === undefined) return undefined;
      anyText(epoch, "epoch");
      return parseTreeSize(epoch);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#onDamage(`${OWN_STATEMENTS_FILE} is damaged, a new epoch begins: ${error.message}`);
      return undefined;
    }
  }
}

/** The number of a note, if our key has signed it as a statement. */
function openOwn(note: string, vkey: Vkey): StatementNumber | undefined {
  try {
    const { origin } = parseCheckpointText(parseNote(note).text);
    const epoch = statementsEpoch({ origin, vkey });
    if (epoch === undefined) return undefined;
    const opened = openCheckpoint({ note, logs: [logOf({ vkey, epoch })] });
    return "refused" in opened ? undefined : { epoch, sequence: opened[0]!.treeSize };
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}
