/**
 * How members behave: charges, bans and accusations.
 *
 * **Charges.** A member is charged for what it has shown to do itself, each under a name of its own.
 * Charges fade. A member whose charges pass the threshold is banned for a time, and others are told in
 * an accusation. What is not the sender's doing has no charge: a log that is not followed, other lists
 * of logs, evidence that is known already, another version, a clock that differs, an outage.
 *
 * **Accusations by others.** An accusation is the word of one member. It puts nobody out by itself.
 * There are two ways:
 *
 * - *Evidence* that we verify ourselves: two statements that the accused has signed under one number.
 *   Then it does not matter who accuses.
 * - *A quorum* of our own members: more than two thirds of them, the accused not counted, and at least
 *   three. Each is counted once, and only while its accusation is fresh. Who is banned here does not
 *   count, and neither does the accused, nor anybody who is no member. The banned are not taken out of
 *   the number of which two thirds are needed: otherwise each ban would make the next one easier.
 *
 * Why two thirds: as in every agreement among parties that may lie, up to a third of the members may be
 * liars. More than two thirds of accusers are then more honest ones than liars, so at least a third of
 * all, who are honest, have seen the accused misbehave themselves. Why three: one or two who accuse are
 * one liar and a friend. So a monitor with fewer than three other members expels nobody by quorum.
 * Among seven monitors that all know each other, each has five members besides the accused and needs
 * four, so two liars of seven put nobody out. A quorum may fail to come together against a member that
 * misbehaves to few. Each of those few bans it on its own.
 *
 * An expulsion that only a quorum or an operator decided is not passed on as an accusation of ours: we
 * have seen nothing ourselves. Otherwise the word of a few would grow to that of many.
 *
 * @module
 */
import type { JsonObject } from "../evidence/json.ts";
import { cleanSource } from "../evidence/record.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { parseCheckpointText } from "../tlog/checkpoint_text.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { checkMembers, listOf, object, oneOf, text } from "../tlog/members.ts";
import { parseNote } from "../tlog/note.ts";
import { parseVkey, type Vkey } from "../tlog/vkey.ts";
import { exactMilliseconds, timeOf } from "../world/time.ts";
import { Turns } from "../world/turns.ts";
import { type World, WorldError } from "../world/world.ts";
import type { Newness } from "./replay.ts";
import { Seen } from "./seen.ts";
import { readSmallFile, type SmallFile, writeSmallFile } from "./small_file.ts";
import {
  isKnown,
  logOf,
  type Members,
  type Saying,
  type Statement,
  type StatementRefusal,
  statementsEpoch,
} from "./statement.ts";

/** What a charge weighs, and how fast it fades. */
export interface ChargeRule {
  readonly weight: number;
  /** After this many milliseconds half of it is left. */
  readonly halfLifeMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/**
 * What members are charged for. Two forged records, or ten repeats within the hour, put a member out;
 * a flood does after five minutes of it.
 */
export const CHARGES = {
  /** a checkpoint or statement whose signature does not verify: nobody signed it */
  "signed by nobody": { weight: 34, halfLifeMs: 6 * HOUR_MS },
  /** a conflict record, or evidence of an accusation, that does not hold */
  "failed record": { weight: 51, halfLifeMs: 6 * HOUR_MS },
  /** the same statement sent again by one and the same member */
  "replay": { weight: 11, halfLifeMs: HOUR_MS },
  /** more than was allowed, charged at most once a minute by whoever counts it */
  "flood": { weight: 21, halfLifeMs: HOUR_MS },
  /** what breaks the rules of the version that it names */
  "malformed": { weight: 26, halfLifeMs: HOUR_MS },
} as const satisfies Record<string, ChargeRule>;

/** The name of a charge. */
export type ChargeName = keyof typeof CHARGES;

/** A member whose charges come to this is put out. */
export const BAN_THRESHOLD = 100;
/** How long a ban lasts, if nothing is configured. */
export const DEFAULT_BAN_MS = 24 * HOUR_MS;
/** How long an accusation counts. */
export const ACCUSATION_MS = 24 * HOUR_MS;
/** Fewest accusers that put a member out without evidence. */
export const MIN_ACCUSERS = 3;
/** Statements remembered of each sender, to know what it sends again. */
export const MAX_SENT_REMEMBERED = 1_024;
/** How long they are remembered. */
export const SENT_REMEMBERED_MS = HOUR_MS;
/** Most bans kept. Members are few, and an operator may ban others too. */
export const MAX_BANS = 512;
/** The file in the state folder. */
export const BANS_FILE = "bans.json";
const VERSION = "hearsay/bans/v1";
const TWO_STATEMENTS = "two statements under one number";

/** Who decided a ban. */
const DECIDED_BY = ["charges", "evidence", "quorum", "operator"] as const;

/** Why a member is not heard, and until when. */
export interface Ban {
  readonly vkey: string;
  /** A sentence for a person, one line. */
  readonly reason: string;
  /** RFC 3339, UTC. */
  readonly since: string;
  /** The same; without it until an operator lifts it. */
  readonly until?: string;
  readonly by: typeof DECIDED_BY[number];
}

/** What became of a charge. */
export type Charged =
  | { readonly outcome: "noted"; readonly points: number }
  /** the member was banned already */
  | { readonly outcome: "banned before"; readonly ban: Ban }
  /** it is put out by this; `accusation` is to be said to the others */
  | { readonly outcome: "banned"; readonly ban: Ban; readonly accusation: Saying };

/** What became of an accusation. */
export type Judged =
  /**
   * The evidence holds, and the accused is banned if it is a member. If it is news, it is to be recorded
   * and passed on: the detector gets both halves. A member that is convicted already may have signed
   * any number of further contradictions. They prove nothing more, and would fill the journal. It may
   * be news about our own key too: a copy of this monitor is about.
   */
  | {
    readonly outcome: "proven";
    readonly isNews: boolean;
    readonly ban: Ban | undefined;
    readonly evidence: readonly [VerifiedCheckpoint, VerifiedCheckpoint];
  }
  /** a quorum has come together by this */
  | { readonly outcome: "quorum"; readonly ban: Ban; readonly accusers: number }
  /** it counts, and more are needed */
  | { readonly outcome: "counted"; readonly accusers: number; readonly needed: number }
  /** the accused is banned here already */
  | { readonly outcome: "known"; readonly ban: Ban }
  /** it has evidence that does not hold: the accuser, who signed it, is to be charged */
  | { readonly outcome: "false evidence"; readonly detail: string }
  /** the accuser is banned or accuses itself, or one of the two is no member here */
  | { readonly outcome: "not counted"; readonly detail: string };

/** What a Conduct needs. */
export interface ConductOptions {
  readonly world: World;
  /** The state folder. */
  readonly folder: string;
  /** Our members. Our own key may be among them, and is never counted. */
  readonly members: Members;
  /** Our own vkey. */
  readonly own: Vkey;
  readonly banMs?: number;
  /** Is told that the file of bans is damaged, or could not be written. */
  readonly onTrouble?: (detail: string) => void;
}

/** How much a member was charged under one name. */
interface Points {
  readonly points: number;
  /** Monotonic. */
  readonly at: number;
}

/** See the module. */
export class Conduct {
  readonly #world: World;
  readonly #members: Members;
  readonly #own: Vkey;
  readonly #banMs: number;
  readonly #file: SmallFile;
  readonly #onTrouble: (detail: string) => void;
  readonly #turns = new Turns();
  readonly #charges = new Map<string, Map<ChargeName, Points>>();
  readonly #sent = new Map<string, Seen>();
  /** By accused, then by accuser: when it was heard (monotonic). */
  readonly #accusations = new Map<string, Map<string, number>>();
  #bans = new Map<string, Ban>();
  #isUnwritten = false;
  /** Whether our own key was shown to have signed two statements under one number. */
  #isOwnProven = false;

  private constructor(options: ConductOptions) {
    this.#world = options.world;
    this.#members = options.members;
    this.#own = options.own;
    this.#banMs = options.banMs ?? DEFAULT_BAN_MS;
    const { folder } = options;
    this.#file = { files: options.world.files, folder, name: BANS_FILE, version: VERSION };
    this.#onTrouble = options.onTrouble ?? (() => {});
  }

  /**
   * Takes up the bans of earlier runs. A damaged file is told, and no ban is known then.
   * @throws WorldError if the file cannot be read
   */
  static async open(options: ConductOptions): Promise<Conduct> {
    const conduct = new Conduct(options);
    try {
      const stored = await readSmallFile(conduct.#file);
      if (stored !== undefined) conduct.#bans = readBans(stored);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      conduct.#onTrouble(`${BANS_FILE} is damaged, and its bans are not known: ${error.message}`);
    }
    return conduct;
  }

  /** The ban of this vkey that is in force now. */
  banOf(vkey: string): Ban | undefined {
    const ban = this.#bans.get(vkey);
    return ban !== undefined && this.#isOver(ban) ? undefined : ban;
  }

  /** All bans in force, in the order in which they were made. */
  get bans(): readonly Ban[] {
    return [...this.#bans.values()].filter((ban) => !this.#isOver(ban));
  }

  /** In how many milliseconds the next ban ends; Infinity if none does. */
  get nextEndMs(): number {
    const now = this.#world.clock.now().getTime();
    const ends = this.bans.flatMap(({ until }) =>
      until === undefined ? [] : exactMilliseconds(until)! - now
    );
    return Math.min(...ends, Infinity);
  }

  /** The charges that have not faded, as points of BAN_THRESHOLD. */
  pointsOf(vkey: string): number {
    const now = this.#world.clock.monotonic();
    return [...this.#charges.get(vkey) ?? []]
      .reduce((sum, [name, points]) => sum + faded(points, { name, now }), 0);
  }

  /**
   * Charges a member. Only members are charged: a stranger is refused at the door, and its address pays
   * there.
   * @param detail what was wrong, for the operator and in the accusation
   */
  async charge(vkey: string, name: ChargeName, detail = ""): Promise<Charged> {
    const before = this.banOf(vkey);
    if (before !== undefined) return { outcome: "banned before", ban: before };
    if (!this.#isMember(vkey)) return { outcome: "noted", points: 0 };
    const now = this.#world.clock.monotonic();
    const charges = this.#charges.get(vkey) ?? new Map<ChargeName, Points>();
    this.#charges.set(vkey, charges);
    const left = charges.get(name);
    const points = (left === undefined ? 0 : faded(left, { name, now })) + CHARGES[name].weight;
    charges.set(name, { points, at: now });
    const sum = this.pointsOf(vkey);
    if (sum < BAN_THRESHOLD) return { outcome: "noted", points: sum };
    const names = [...charges.keys()].join(", ");
    const reason = cleanSource(detail === "" ? names : `${names}: ${detail}`);
    const ban = await this.#put(vkey, { reason, by: "charges" });
    return { outcome: "banned", ban, accusation: { kind: "accusation", accused: vkey, reason } };
  }

  /**
   * Notes that a member has sent a statement, and tells whether it sent the same one before. Only then
   * is it the sender's doing that a statement comes again: two honest members pass the same on.
   */
  isSentAgain(sender: string, hash: string): boolean {
    if (!this.#isMember(sender)) return false;
    let sent = this.#sent.get(sender);
    if (sent === undefined) {
      const { clock } = this.#world;
      sent = new Seen({ clock, lifeMs: SENT_REMEMBERED_MS, most: MAX_SENT_REMEMBERED });
      this.#sent.set(sender, sent);
    }
    return !sent.isNew(hash);
  }

  /** A new session begins: what was sent in the last one may rightly be sent once more. */
  forgetSent(sender: string): void {
    this.#sent.delete(sender);
  }

  /**
   * Bans a member by the operator's word. It may be anybody, a member or not.
   * @param until RFC 3339; without it until it is lifted
   */
  ban(vkey: string, { reason, until }: { reason: string; until?: string }): Promise<Ban> {
    return this.#put(vkey, { reason: cleanSource(reason), by: "operator", until });
  }

  /**
   * Lifts a ban. What was charged and what others said until now is forgotten with it, or the next
   * small thing would bring the ban back.
   * @returns whether there was one
   */
  async unban(vkey: string): Promise<boolean> {
    const wasBanned = this.banOf(vkey) !== undefined;
    this.#forget(vkey);
    if (this.#bans.delete(vkey)) await this.#write();
    return wasBanned;
  }

  /**
   * Bans a member that was proven to have said two things under one number. An operator's ban stays as
   * it is.
   */
  async convict(vkey: string): Promise<Ban | undefined> {
    if (!this.#isMember(vkey)) return undefined;
    const before = this.banOf(vkey);
    if (before?.by === "operator" || before?.by === "evidence") return before;
    return await this.#put(vkey, { reason: TWO_STATEMENTS, by: "evidence" });
  }

  /**
   * Judges an accusation that a member has said. The statement must be new (`Replay`).
   * @throws TypeError if it is no accusation
   */
  async hear(statement: Statement): Promise<Judged> {
    const { body } = statement;
    if (!isKnown(body) || body.kind !== "accusation") throw new TypeError("it is no accusation");
    const accuser = statement.member.text;
    const { accused } = body;
    if (body.evidence !== undefined) return await this.#judgeEvidence(accused, body.evidence);
    if (this.banOf(accuser) !== undefined) return notCounted("the accuser is banned here");
    if (!this.#isMember(accused)) return notCounted("the accused is no member here");
    if (!this.#isMember(accuser)) return notCounted("the accuser is no member here");
    if (accuser === accused) return notCounted("it accuses itself");
    const known = this.banOf(accused);
    if (known !== undefined) return { outcome: "known", ban: known };
    const heard = this.#accusations.get(accused) ?? new Map<string, number>();
    this.#accusations.set(accused, heard);
    heard.set(accuser, this.#world.clock.monotonic());
    const { accusers, needed } = this.#quorum(accused);
    if (accusers < needed) return { outcome: "counted", accusers, needed };
    const reason = `${accusers} members accuse it`;
    return { outcome: "quorum", ban: await this.#put(accused, { reason, by: "quorum" }), accusers };
  }

  /** How many members accuse somebody now, and how many are needed. See the module. */
  #quorum(accused: string): { accusers: number; needed: number } {
    const oldest = this.#world.clock.monotonic() - ACCUSATION_MS;
    const heard = this.#accusations.get(accused) ?? new Map<string, number>();
    for (const [accuser, at] of heard) if (at <= oldest) heard.delete(accuser);
    const others = this.#members.all.filter(({ text }) =>
      text !== accused && text !== this.#own.text
    );
    const accusers =
      others.filter(({ text }) => heard.has(text) && this.banOf(text) === undefined).length;
    return { accusers, needed: accusersNeeded(others.length) };
  }

  async #judgeEvidence(accused: string, notes: readonly [string, string]): Promise<Judged> {
    const evidence = openEvidence(accused, notes);
    if (typeof evidence === "string") return { outcome: "false evidence", detail: evidence };
    const isOwn = accused === this.#own.text;
    const isNews = isOwn
      ? !this.#isOwnProven
      : this.#isMember(accused) && this.banOf(accused)?.by !== "evidence";
    if (isOwn) this.#isOwnProven = true;
    return { outcome: "proven", isNews, ban: await this.convict(accused), evidence };
  }

  /** Forgets what was heard of those who are no members any more. Their bans stay. */
  retain(): void {
    const known = [...this.#charges.keys(), ...this.#sent.keys(), ...this.#accusations.keys()];
    for (const vkey of known) if (!this.#isMember(vkey)) this.#forget(vkey);
    for (const accusers of this.#accusations.values()) {
      for (const vkey of accusers.keys()) if (!this.#isMember(vkey)) accusers.delete(vkey);
    }
  }

  #isMember(vkey: string): boolean {
    return vkey !== this.#own.text && this.#members.get(vkey) !== undefined;
  }

  #isOver({ until }: Ban): boolean {
    return until !== undefined && exactMilliseconds(until)! <= this.#world.clock.now().getTime();
  }

  #forget(vkey: string): void {
    for (const memory of [this.#charges, this.#sent, this.#accusations]) memory.delete(vkey);
  }

  async #put(
    vkey: string,
    { reason, by, until }: { reason: string; by: Ban["by"]; until?: string | undefined },
  ): Promise<Ban> {
    const now = this.#world.clock.now().getTime();
    const end = by === "operator" ? until : timeOf(now + this.#banMs);
    const ban = { vkey, reason, since: timeOf(now), by, ...(end !== undefined && { until: end }) };
    this.#bans.delete(vkey);
    this.#bans.set(vkey, ban);
    this.#forget(vkey);
    await this.#write();
    return ban;
  }

  /**
   * Writes the bans. If the disk refuses, they hold all the same, and it is tried again with the next
   * one, and by `save`.
   */
  async #write(): Promise<void> {
    this.#isUnwritten = true;
    await this.#turns.next(async () => {
      for (const [vkey, ban] of this.#bans) if (this.#isOver(ban)) this.#bans.delete(vkey);
      while (this.#bans.size > MAX_BANS) this.#bans.delete(this.#bans.keys().next().value!);
      try {
        await writeSmallFile(this.#file, { bans: [...this.#bans.values()] });
        this.#isUnwritten = false;
      } catch (error) {
        if (!(error instanceof WorldError)) throw error;
        this.#onTrouble(
          `${BANS_FILE} could not be written, and a restart forgets: ${error.message}`,
        );
      }
    });
  }

  /** Tries again to write what the disk has refused. Call it now and then. */
  async save(): Promise<void> {
    if (this.#isUnwritten) await this.#write();
  }
}

/**
 * The accusation to say when we hold two statements of a member under one number. It proves itself, so
 * everybody who hears it drops the member.
 */
export function accusationOf([a, b]: readonly [VerifiedCheckpoint, VerifiedCheckpoint]): Saying {
  return {
    ...{ kind: "accusation", accused: a.log.vkey.text, reason: TWO_STATEMENTS },
    evidence: [a.note, b.note],
  };
}

/**
 * How many accusers are needed among this many members, the accused not counted: more than two thirds,
 * and at least three. If there are fewer than that, so many never come together.
 */
export function accusersNeeded(members: number): number {
  return Math.max(MIN_ACCUSERS, Math.floor(2 * members / 3) + 1);
}

/**
 * What a sender is charged for when its statement is not acted on, if for anything.
 * @param isSentAgain whether the same member sent the same statement before (`Conduct.isSentAgain`)
 */
export function chargeFor(
  result: StatementRefusal | Newness,
  { isSentAgain }: { isSentAgain: boolean },
): ChargeName | undefined {
  switch (result) {
    case "bad signature":
      return "signed by nobody";
    case "malformed":
      return "malformed";
    case "replayed":
    case "duplicate":
    case "stale":
      return isSentAgain ? "replay" : undefined;
    case "new":
    case "from the future": // A clock is wrong, ours or theirs.
    case "unknown source": // Lists of members differ.
    case "unknown version":
      return undefined;
  }
}

/**
 * Opens the evidence of an accusation: two notes of one list of statements, of one number and with
 * different roots, both signed by the accused.
 * @returns both halves, or why they prove nothing
 */
export function openEvidence(
  accused: string,
  notes: readonly [string, string],
): readonly [VerifiedCheckpoint, VerifiedCheckpoint] | string {
  try {
    const vkey = parseVkey(accused);
    const [a, b] = notes.map((note) => openHalf(note, vkey)) as [
      VerifiedCheckpoint,
      VerifiedCheckpoint,
    ];
    if (a.log.id !== b.log.id) return "the two statements are of different epochs";
    if (a.treeSize !== b.treeSize) return "the two statements have different numbers";
    if (a.root === b.root) return "the two statements are the same";
    return [a, b];
  } catch (error) {
    if (error instanceof MalformedError) return error.message;
    throw error;
  }
}

function openHalf(note: string, vkey: Vkey): VerifiedCheckpoint {
  const { origin } = parseCheckpointText(parseNote(note).text);
  const epoch = statementsEpoch({ origin, vkey });
  if (epoch === undefined) throw new MalformedError("a note is not of the accused's statements");
  const opened = openCheckpoint({ note, logs: [logOf({ vkey, epoch })] });
  if ("refused" in opened) throw new MalformedError(opened.detail);
  return opened[0]!;
}

function notCounted(detail: string): Judged {
  return { outcome: "not counted", detail };
}

function faded({ points, at }: Points, { name, now }: { name: ChargeName; now: number }): number {
  return points * 2 ** ((at - now) / CHARGES[name].halfLifeMs);
}

function exactTime(value: unknown, name: string): void {
  text(value, name);
  if (exactMilliseconds(value) === undefined) throw new MalformedError(`${name} is no time`);
}

const STORED = {
  must: {
    bans: listOf(object({
      must: { vkey: text, reason: text, since: exactTime, by: oneOf(DECIDED_BY) },
      may: { until: exactTime },
      others: "refused",
    })),
  },
  others: "refused",
} as const;

function readBans(stored: JsonObject): Map<string, Ban> {
  checkMembers(stored, { what: "file", shape: STORED });
  return new Map((stored.bans as readonly Ban[]).map((ban) => [ban.vkey, ban]));
}
