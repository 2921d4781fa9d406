/**
 * The numbers of our own statements. No number is ever used twice, whatever happens to the disk:
 * whoever says two things under one number has signed a proof against itself (RULES, "Statements").
 *
 * A number is an epoch and a sequence. What keeps numbers apart:
 *
 * - **Sequences are reserved** in the file, durably, a block at a time, before the first of the block
 *   is given out. A start goes on after what is reserved. So a `kill -9` at any moment repeats
 *   nothing; it costs the rest of a block.
 * - **A lost or damaged file** begins a new epoch, larger than the clock's seconds. No number is given
 *   out until the clock has come to it. So a monitor that is started again and again in an empty
 *   folder repeats nothing, even within one second.
 * - **A restored backup** goes on where it ended, and would repeat what was said since. Others show us
 *   the last note that they heard under our key: if it is later than what is reserved, a new epoch
 *   begins. A file that was last written more than a day ago begins one in any case, because not every
 *   peer has heard everything. A new epoch costs nothing.
 *
 * If a monitor is copied with its key and its folder, two programs speak under the same numbers, and
 * none of this helps. That is what the proof is about.
 *
 * @module
 */
import { openCheckpoint } from "../tlog/checkpoint.ts";
import { parseCheckpointText } from "../tlog/checkpoint_text.ts";
import { parseTreeSize } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { checkMembers, text } from "../tlog/members.ts";
import { parseNote } from "../tlog/note.ts";
import type { Vkey } from "../tlog/vkey.ts";
import type { Signer } from "../world/signer.ts";
import { millisecondsOf, timeNow } from "../world/time.ts";
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
/** So many sequences are reserved by one write. */
export const RESERVED_SEQUENCES = 64n;
/** A file that was written longer ago may be a backup. */
export const MAX_FILE_AGE_MS = 86_400_000;

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
  /** The numbers that this process may give out, once they are durable. */
  #own: Reserved | undefined;
  /** Whether it has given out one of them. */
  #hasSpoken = false;
  /** The largest epoch that is known to be used. */
  #used = 0n;
  /** Whether others have heard later numbers than the file has. */
  #isBehind = false;
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
    if (this.#own === undefined || !this.#hasSpoken) return undefined;
    return { epoch: this.#own.epoch, sequence: this.#own.last };
  }

  /**
   * Says something under the next number, at this moment. The first one of an epoch may take a second.
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
   * @throws WorldError if the disk refuses to reserve it, and the next call tries again
   */
  next(): Promise<StatementNumber> {
    return this.#turns.next(async () => {
      const own = this.#own ??= await this.#begin();
      if (own.last === own.reserved) {
        await this.#reserve({ epoch: own.epoch, last: own.last });
        own.reserved += RESERVED_SEQUENCES;
      }
      own.last++;
      this.#hasSpoken = true;
      return { epoch: own.epoch, sequence: own.last };
    });
  }

  /**
   * Somebody shows a note that our key has signed. If its number is later than all that we have given
   * out, a new epoch begins with the next number. A liar has no such note, and causes nothing. Ask
   * every peer before anything is said to it.
   * @returns `later` if so: this folder was restored, or there is a copy of this monitor; `known` if the
   *   number is ours; `not ours` if the note is no statement under our key
   * @throws WorldError if the disk refuses
   */
  heardByPeers(note: string): Promise<"later" | "known" | "not ours"> {
    return this.#turns.next(async () => {
      const heard = openOwn(note, this.#signer.vkey);
      if (heard === undefined) return "not ours";
      const own = this.#own ??= await this.#begin();
      const isKnown = heard.epoch < own.epoch ||
        (heard.epoch === own.epoch && heard.sequence <= own.last);
      if (isKnown) return "known";
      this.#used = heard.epoch;
      // Even if the disk refuses now: no number of the old epoch is given out any more.
      this.#isBehind = true;
      this.#own = undefined;
      this.#hasSpoken = false;
      this.#own = await this.#begin();
      return "later";
    });
  }

  /** Ends a wait. No number is given out from now on. */
  close(): void {
    this.#turns.drop(new Stopping());
    this.#stopWaiting();
  }

  /** Goes on where the file ends, or begins a new epoch. */
  async #begin(): Promise<Reserved> {
    const stored = await this.#stored();
    if (stored !== undefined && stored.epoch > this.#used) this.#used = stored.epoch;
    const now = this.#world.clock.now().getTime();
    if (stored === undefined || this.#isBehind || now - stored.at > MAX_FILE_AGE_MS) {
      return await this.#newEpoch();
    }
    const { epoch, reserved } = stored;
    await this.#comeTo(epoch);
    return { epoch, last: reserved, reserved };
  }

  /** Begins an epoch that was never used, and makes it durable. */
  async #newEpoch(): Promise<Reserved> {
    const now = BigInt(Math.floor(this.#world.clock.now().getTime() / MS_PER_SECOND));
    const epoch = (now > this.#used ? now : this.#used) + 1n;
    await this.#reserve({ epoch, last: 0n });
    this.#used = epoch;
    await this.#comeTo(epoch);
    this.#isBehind = false;
    return { epoch, last: 0n, reserved: RESERVED_SEQUENCES };
  }

  /** Writes that the next block after `last` may be given out. */
  async #reserve({ epoch, last }: { epoch: bigint; last: bigint }): Promise<void> {
    await writeSmallFile(this.#file, {
      ...{ epoch: `${epoch}`, reserved: `${last + RESERVED_SEQUENCES}` },
      at: timeNow(this.#world.clock),
    });
  }

  /**
   * Waits until the clock has come to an epoch, which is at most a second ahead; see the module. If the
   * clock was set back, a second must do.
   * @throws Stopping if the monitor stops meanwhile
   */
  #comeTo(epoch: bigint): Promise<void> {
    const { clock } = this.#world;
    const ahead = Number(epoch) * MS_PER_SECOND - clock.now().getTime();
    if (ahead <= 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = clock.after(Math.min(ahead, MS_PER_SECOND), resolve);
      this.#stopWaiting = () => {
        timer.cancel();
        reject(new Stopping());
      };
    });
  }

  /** What the file says; nothing if there is no file, or a damaged one. */
  async #stored(): Promise<{ epoch: bigint; reserved: bigint; at: number } | undefined> {
    try {
      const stored = await readSmallFile(this.#file);
      if (stored === undefined) return undefined;
      checkMembers(stored, { what: "file", shape: STORED });
      const { epoch, reserved, at } = stored as { epoch: string; reserved: string; at: string };
      return {
        ...{ epoch: parseTreeSize(epoch), reserved: parseTreeSize(reserved) },
        at: millisecondsOf(at),
      };
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#onDamage(`${OWN_STATEMENTS_FILE} is damaged, a new epoch begins: ${error.message}`);
      return undefined;
    }
  }
}

/** This monitor is stopping, so nothing is said any more. That is nobody's fault. */
export class Stopping extends WorldError {
  constructor() {
    super("closed", "this monitor is stopping");
  }
}

/** Numbers that may be given out: those above `last`, up to `reserved`. */
interface Reserved {
  readonly epoch: bigint;
  last: bigint;
  reserved: bigint;
}

const STORED = { must: { epoch: text, reserved: text, at: text }, others: "refused" } as const;

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
