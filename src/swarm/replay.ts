/**
 * Each statement is acted on once. Whoever recorded one may send it again, through any member, and
 * after a restart of ours too.
 *
 * What is remembered of each member: for its two latest epochs, the highest sequence that was accepted,
 * and which of the 64 below it were. A statement is new if its time is within the freshness window and
 * its number was not accepted.
 *
 * **Why no replay passes after a restart.** The numbers are written to a file when the monitor stops
 * (`close`) and now and then (`save`). What was accepted after the last write is unknown after a crash.
 * So before a statement of a member is accepted, the file says, durably, a time up to which statements
 * of that member may have been accepted (`until`). It is at least the time of the statement, and is
 * written a minute ahead, so that one write serves many statements. After a crash, a statement with a
 * time up to `until` is refused: it may be a replay. One with a later time was not accepted before, by
 * the rule. A stop in good order writes the numbers without any `until`, so nothing is lost then.
 * - A crash costs what a member says in the minute in which it happened. Members say it again, in other
 *   words: the next checkpoint, the next links.
 * - A damaged file says nothing about any member. Then everything that may have been accepted is
 *   refused: all with a time up to now and the freshness window.
 * - If there is no file, this is taken for the first start. Whoever removes it gives up what it is for.
 *
 * @module
 */
import type { JsonObject } from "../evidence/json.ts";
import { parseTreeSize } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { anyText, type Check, checkMembers, listOf, object, text } from "../tlog/members.ts";
import { exactMilliseconds, timeOf } from "../world/time.ts";
import { Turns } from "../world/turns.ts";
import type { World } from "../world/world.ts";
import { Seen } from "./seen.ts";
import { readSmallFile, type SmallFile, writeSmallFile } from "./small_file.ts";
import type { Statement } from "./statement.ts";

/** How much the clock of a member may differ from ours, if nothing is configured. */
export const DEFAULT_MAX_CLOCK_SKEW_MS = 600_000;
/** So many numbers below the highest may still come. */
export const REPLAY_WINDOW = 64n;
/** Epochs remembered of each member. A member begins a new one where its old numbers are not known. */
export const MAX_EPOCHS = 2;
/** How far ahead the file says what may have been accepted. */
export const REMEMBER_AHEAD_MS = 60_000;
/** The file in the state folder. */
export const HEARD_STATEMENTS_FILE = "heard-statements.json";
const VERSION = "hearsay/heard-statements/v1";
const ALL_OF_WINDOW = (1n << REPLAY_WINDOW) - 1n;

/** Whether a statement is to be acted on. Each refusal is counted under its name. */
export type Newness =
  | "new"
  /** this very statement was accepted a moment ago; it came another way */
  | "duplicate"
  /** its time is too long ago, or its number is too far below, or it may be from before a crash */
  | "stale"
  /** its time is too far ahead of our clock */
  | "from the future"
  /** its number was accepted before */
  | "replayed";

/** What was accepted in one epoch. */
interface Heard {
  highest: bigint;
  /** Bit n is the number `highest - 1 - n`. */
  below: bigint;
  /** The note of the highest, to show to the member. */
  note: string;
}

/** What was accepted of one member. */
interface Heads {
  /** At most MAX_EPOCHS, the latest first. */
  epochs: [epoch: bigint, Heard][];
  /** Statements up to this time (by the member's clock) may have been accepted; in the file as well. */
  until: number;
  /** Statements up to this time may have been accepted before a crash. */
  lostUntil: number;
}

/** See the module. */
export class Replay {
  readonly #world: World;
  readonly #file: SmallFile;
  readonly #maxClockSkewMs: number;
  readonly #seen: Seen;
  readonly #turns = new Turns();
  readonly #members = new Map<string, Heads>();
  /** For members that the file says nothing about. */
  #lostUntil = -Infinity;

  private constructor({ world, folder, maxClockSkewMs, seen }: ReplayOptions) {
    this.#world = world;
    this.#file = { files: world.files, folder, name: HEARD_STATEMENTS_FILE, version: VERSION };
    this.#maxClockSkewMs = maxClockSkewMs;
    // A statement is fresh this long at most: from the farthest future to the farthest past.
    this.#seen = seen ?? new Seen({ clock: world.clock, lifeMs: 2 * maxClockSkewMs });
  }

  /**
   * Takes up what was accepted before.
   * @throws WorldError if the file cannot be read
   */
  static async open(options: ReplayOptions): Promise<Replay> {
    const replay = new Replay(options);
    await replay.#load(options.onDamage ?? (() => {}));
    return replay;
  }

  /**
   * Judges whether a statement is new, and remembers it if so. Compare it with others of its number
   * first (the detector does): a number that was accepted with other words is no mere replay.
   * @throws WorldError if the disk refuses to say what may be accepted; then it was not accepted
   */
  accept(statement: Statement): Promise<Newness> {
    return this.#turns.next(async () => {
      const newness = this.#judge(statement);
      if (newness !== "new") return newness;
      const { member, time } = statement;
      const heads = this.#headsOf(member.text);
      if (time > heads.until) await this.#extend(heads, time);
      this.#seen.isNew(statement.hash);
      take(heads, statement);
      return "new";
    });
  }

  /**
   * The note of the latest statement that was accepted of a member. It is shown to the member, who
   * learns by it whether it speaks under used numbers (`OwnStatements.heardByPeers`).
   */
  latestNote(vkey: string): string | undefined {
    return this.#members.get(vkey)?.epochs[0]?.[1].note;
  }

  /** Forgets those who are not members any more. */
  retain(vkeys: readonly string[]): void {
    const kept = new Set(vkeys);
    for (const vkey of this.#members.keys()) if (!kept.has(vkey)) this.#members.delete(vkey);
  }

  /**
   * Writes what was accepted. Call it now and then: it bounds what a crash loses of the numbers.
   * @throws WorldError if the disk refuses
   */
  save(): Promise<void> {
    return this.#turns.next(() => this.#write());
  }

  /**
   * Writes what was accepted, as all there is: nothing more is accepted.
   * @throws WorldError if the disk refuses. Then the next start takes it for a crash
   */
  close(): Promise<void> {
    return this.#turns.next(() => {
      this.#turns.drop(new Error("statements are not accepted any more"));
      return this.#write({ isLast: true });
    });
  }

  #judge({ hash, time, member, epoch, sequence }: Statement): Newness {
    if (this.#seen.has(hash)) return "duplicate";
    const now = this.#world.clock.now().getTime();
    if (time > now + this.#maxClockSkewMs) return "from the future";
    if (time < now - this.#maxClockSkewMs) return "stale";
    const heads = this.#members.get(member.text);
    const heard = heads?.epochs.find(([one]) => one === epoch)?.[1];
    if (heard !== undefined && isTaken(heard, sequence)) return "replayed";
    if (time <= (heads?.lostUntil ?? this.#lostUntil)) return "stale";
    if (heard !== undefined) return sequence < heard.highest - REPLAY_WINDOW ? "stale" : "new";
    const { epochs } = heads ?? { epochs: [] };
    return epochs.length === MAX_EPOCHS && epochs.every(([one]) => one > epoch) ? "stale" : "new";
  }

  #headsOf(vkey: string): Heads {
    let heads = this.#members.get(vkey);
    if (heads === undefined) {
      heads = { epochs: [], until: -Infinity, lostUntil: this.#lostUntil };
      this.#members.set(vkey, heads);
    }
    return heads;
  }

  /** Says in the file what may be accepted from now on, for a minute, of all who speak. */
  async #extend(heads: Heads, time: number): Promise<void> {
    const now = this.#world.clock.now().getTime();
    const before = new Map([...this.#members.values()].map((one) => [one, one.until]));
    for (const one of this.#members.values()) {
      // A member whose clock is ahead stays as far ahead.
      if (one.until > -Infinity) one.until = Math.max(one.until, now + REMEMBER_AHEAD_MS);
    }
    heads.until = Math.max(heads.until, Math.max(time, now) + REMEMBER_AHEAD_MS);
    try {
      await this.#write();
    } catch (error) {
      for (const [one, until] of before) one.until = until;
      throw error;
    }
  }

  async #write({ isLast = false } = {}): Promise<void> {
    const members = [...this.#members].map(([vkey, { epochs, until, lostUntil }]) => {
      // Without an `until` of its own, a member's statements before an earlier crash are still unknown.
      const unknown = isLast ? lostUntil : Math.max(until, lostUntil);
      return {
        vkey,
        epochs: epochs.map(([epoch, { highest, below, note }]) => ({
          ...{ epoch: `${epoch}`, highest: `${highest}` },
          ...{ below: below.toString(WINDOW_RADIX), note },
        })),
        ...(Number.isFinite(unknown) && { until: timeOf(unknown) }),
      };
    });
    const rest = Number.isFinite(this.#lostUntil) ? { until: timeOf(this.#lostUntil) } : {};
    await writeSmallFile(this.#file, { members, ...rest });
  }

  async #load(onDamage: (detail: string) => void): Promise<void> {
    try {
      const stored = await readSmallFile(this.#file);
      if (stored !== undefined) this.#read(stored);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      this.#members.clear();
      // What was accepted was no further in the future than this.
      this.#lostUntil = this.#world.clock.now().getTime() + this.#maxClockSkewMs;
      onDamage(
        `${HEARD_STATEMENTS_FILE} is damaged; statements up to ${
          timeOf(this.#lostUntil)
        } are not ` +
          `accepted, because they may have been before: ${error.message}`,
      );
    }
  }

  #read(stored: JsonObject): void {
    checkMembers(stored, { what: "file", shape: STORED });
    this.#lostUntil = readUntil(stored.until as string | undefined);
    for (const { vkey, epochs, until } of stored.members as unknown as readonly StoredMember[]) {
      const lostUntil = readUntil(until);
      this.#members.set(vkey, {
        epochs: epochs.map(({ epoch, highest, below, note }) => [
          parseTreeSize(epoch),
          { highest: parseTreeSize(highest), below: BigInt(`0x${below}`), note },
        ]),
        until: -Infinity,
        lostUntil,
      });
    }
  }
}

/** What a Replay needs. */
export interface ReplayOptions {
  readonly world: World;
  /** The state folder. */
  readonly folder: string;
  /** Milliseconds. */
  readonly maxClockSkewMs: number;
  /** Where hashes of statements are remembered; by default a cache of its own. */
  readonly seen?: Seen;
  /** Is told, in a sentence, that the file is damaged. */
  readonly onDamage?: (detail: string) => void;
}

const WINDOW_RADIX = 16;

interface StoredMember {
  readonly vkey: string;
  readonly epochs: readonly {
    readonly epoch: string;
    readonly highest: string;
    readonly below: string;
    readonly note: string;
  }[];
  readonly until?: string;
}

const epochShape: Check = object({
  must: { epoch: text, highest: text, below: hexNumber, note: text },
  others: "refused",
});

const STORED = {
  must: {
    members: listOf(object({
      must: { vkey: text, epochs: listOf(epochShape) },
      may: { until: text },
      others: "refused",
    })),
  },
  may: { until: text },
  others: "refused",
} as const;

function hexNumber(value: unknown, name: string): void {
  anyText(value, name);
  if (!/^[0-9a-f]{1,16}$/.test(value)) throw new MalformedError(`${name} is no hex number`);
}

function readUntil(until: string | undefined): number {
  if (until === undefined) return -Infinity;
  const ms = exactMilliseconds(until);
  if (ms === undefined) throw new MalformedError("until is no time");
  return ms;
}

function isTaken({ highest, below }: Heard, sequence: bigint): boolean {
  if (sequence === highest) return true;
  const at = highest - 1n - sequence;
  return at >= 0n && at < REPLAY_WINDOW && (below >> at & 1n) === 1n;
}

/** Notes that a number is taken. */
function take(heads: Heads, { epoch, sequence, note }: Statement): void {
  const heard = heads.epochs.find(([one]) => one === epoch)?.[1];
  if (heard === undefined) {
    heads.epochs.push([epoch, { highest: sequence, below: 0n, note }]);
    heads.epochs.sort(([one], [other]) => one > other ? -1 : 1);
    heads.epochs.length = Math.min(heads.epochs.length, MAX_EPOCHS);
  } else if (sequence > heard.highest) {
    const up = sequence - heard.highest;
    heard.below = up > REPLAY_WINDOW ? 0n : (heard.below << up | 1n << up - 1n) & ALL_OF_WINDOW;
    heard.highest = sequence;
    heard.note = note;
  } else heard.below |= 1n << heard.highest - 1n - sequence;
}
