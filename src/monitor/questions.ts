import { type Head, headKey } from "../evidence/head.ts";
import { addressKey } from "../world/connection_table.ts";
import { randomShare } from "../world/random.ts";
import type { Random } from "../world/world.ts";
import { isTheLog } from "./the_log.ts";

/**
 * Who asked a question: the log itself, a configured peer, or a stranger (anybody else). Each kind of
 * asker has room of its own, so that strangers take no room from peers, and peers none from the log.
 */
export type Asker = "log" | "peer" | "stranger";

/** The kinds of askers, the one that counts most first. */
const ASKERS: readonly Asker[] = ["log", "peer", "stranger"];

/** A signed checkpoint that is not reconciled with the view yet. Its note is in the journal. */
export interface Question {
  readonly treeSize: bigint;
  /** Base64 of 32 bytes. */
  readonly root: string;
  /** Who showed it first; if that was a stranger and a peer showed it later, the peer. */
  readonly source: string;
  /** When it was first shown, RFC 3339, UTC. */
  readonly seenAt: string;
  /** Characters of its note. */
  readonly noteLength: number;
}

/** How many questions about one log each kind of asker may have open. */
export interface QuestionLimits {
  readonly questions: number;
  /** Characters of their notes, all together. */
  readonly noteLength: number;
}

/**
 * The limits in force. The log's own and the peers' are far more than an honest log ever leaves open.
 * 512 strangers' questions are settled within a few looks.
 */
export const QUESTION_LIMITS: Readonly<Record<Asker, QuestionLimits>> = {
  log: { questions: 512, noteLength: 8 * 1024 * 1024 },
  peer: { questions: 1_024, noteLength: 8 * 1024 * 1024 },
  stranger: { questions: 512, noteLength: 2 * 1024 * 1024 },
};

/** The open questions of one kind of asker, in the order they came. */
class Room {
  readonly questions = new Map<string, Question>();
  readonly perSource = new Map<string, number>();
  readonly #placeOf: (source: string) => string;
  noteLength = 0;

  /** @param placeOf the name that a source is counted under; by default its own */
  constructor(placeOf: (source: string) => string = (source) => source) {
    this.#placeOf = placeOf;
  }

  /** How many questions are counted under the same name as this source. */
  countOf(source: string): number {
    return this.perSource.get(this.#placeOf(source)) ?? 0;
  }

  /** The latest question that is counted under this name. */
  lastOf(place: string): Question | undefined {
    return [...this.questions.values()].findLast((one) => this.#placeOf(one.source) === place);
  }

  add(key: string, question: Question): void {
    if (this.questions.has(key)) return;
    this.questions.set(key, question);
    this.noteLength += question.noteLength;
    const source = this.#placeOf(question.source);
    this.perSource.set(source, (this.perSource.get(source) ?? 0) + 1);
  }

  delete(key: string): void {
    const question = this.questions.get(key);
    if (question === undefined) return;
    this.questions.delete(key);
    this.noteLength -= question.noteLength;
    const source = this.#placeOf(question.source);
    const left = this.perSource.get(source)! - 1;
    if (left > 0) this.perSource.set(source, left);
    else this.perSource.delete(source);
  }
}

/**
 * The open questions of one log, without their notes and within limits. Each kind of asker has its own
 * room. When a room is full, the source with the most questions loses one. In the log's own room
 * nothing is dropped: what came first stays.
 */
export class QuestionTable {
  readonly #rooms: Readonly<Record<Asker, Room>> = {
    // Strangers of one network count as one, since one person can have many of its addresses.
    ...{ log: new Room(), peer: new Room(), stranger: new Room(addressKey) },
  };
  readonly #askerOf: (source: string) => Asker;
  readonly #limits: Readonly<Record<Asker, QuestionLimits>>;
  #leftOut = 0;
  /** Whether a stranger's question is about to be settled by this monitor; see `keepBack`. */
  #isOurs: (question: Question) => boolean = () => false;

  constructor({ askerOf, limits = QUESTION_LIMITS }: {
    askerOf: (source: string) => Asker;
    limits?: Readonly<Record<Asker, QuestionLimits>>;
  }) {
    this.#askerOf = askerOf;
    this.#limits = limits;
  }

  /** How many are open. */
  get size(): number {
    return Object.values(this.#rooms).reduce((sum, { questions }) => sum + questions.size, 0);
  }

  /** How many were left out since the start, because there was no room. */
  get leftOut(): number {
    return this.#leftOut;
  }

  /**
   * Adds a question, if there is room. If a stranger asked it and now a peer asks it too, it becomes
   * the peer's: so no stranger can delay a peer's question, or have it dropped, by asking it first.
   * @returns `in`; `out` if there was no room (it is counted as left out); or the questions that gave
   *   way to it
   */
  add(question: Question): "in" | "out" | readonly Question[] {
    const asker = this.#askerOf(question.source);
    const room = this.#rooms[asker];
    const key = headKey(question);
    const before = ASKERS.find((one) => this.#rooms[one].questions.has(key));
    if (before !== undefined) {
      if (ASKERS.indexOf(before) <= ASKERS.indexOf(asker)) return "in";
      const { seenAt } = this.#rooms[before].questions.get(key)!;
      const outcome = this.#addTo(room, asker, { ...question, seenAt });
      if (outcome !== "out") this.#rooms[before].delete(key);
      // Without room among the peers' questions it stays where it is.
      return outcome === "out" ? "in" : outcome;
    }
    const outcome = this.#addTo(room, asker, question);
    if (outcome === "out") this.#leftOut++;
    return outcome;
  }

  #addTo(room: Room, asker: Asker, question: Question): "in" | "out" | readonly Question[] {
    const key = headKey(question);
    const limits = this.#limits[asker];
    const gaveWay: Question[] = [];
    while (
      room.questions.size >= limits.questions ||
      room.noteLength + question.noteLength > limits.noteLength
    ) {
      const other = givesWay(room, question, asker);
      if (other === undefined) {
        for (const taken of gaveWay) room.add(headKey(taken), taken);
        return "out";
      }
      room.delete(headKey(other));
      gaveWay.push(other);
    }
    room.add(key, question);
    this.#leftOut += gaveWay.length;
    return gaveWay.length > 0 ? gaveWay : "in";
  }

  /** Whether it is open. */
  has(question: Head): boolean {
    const key = headKey(question);
    return Object.values(this.#rooms).some(({ questions }) => questions.has(key));
  }

  /** Removes a question, because it is settled. */
  delete(question: Head): void {
    for (const room of Object.values(this.#rooms)) room.delete(headKey(question));
  }

  /**
   * Sets which strangers' questions are about to be settled here. Such a question is not shown to
   * peers: a peer would take it for ours, and would settle it before questions that matter more.
   */
  keepBack(isOurs: (question: Question) => boolean): void {
    this.#isOurs = isOurs;
  }

  /** The open questions of these kinds of askers, one kind after the other, each in the order asked. */
  of(...askers: readonly Asker[]): Question[] {
    return askers.flatMap((asker) => [...this.#rooms[asker].questions.values()]);
  }

  /**
   * The questions to show a peer in one round: first the log's own, then the peers', then the
   * strangers'. Of each kind it takes the largest, the smallest and some at random, so that each is
   * shown some time.
   */
  shown({ most, random }: { most: number; random: Random }): Question[] {
    const chosen: Question[] = [];
    for (const [i, asker] of ASKERS.entries()) {
      const share = Math.ceil((most - chosen.length) / (ASKERS.length - i));
      const bySize = this.of(asker).filter((question) =>
        asker !== "stranger" || !this.#isOurs(question)
      ).sort((a, b) => a.treeSize < b.treeSize ? -1 : 1);
      chosen.push(...ends(bySize, share, random));
    }
    return chosen;
  }
}

/** The question to drop so that another has room; nothing if the new one must not be added. */
function givesWay(room: Room, { source }: Question, asker: Asker): Question | undefined {
  // What the log showed first is enough to prove a case. Later questions would add nothing.
  if (asker === "log") return undefined;
  let [most, count] = ["", 0];
  for (const [one, asked] of room.perSource) if (asked > count) [most, count] = [one, asked];
  // A source may displace only a source that has more questions than it would have itself.
  if (count <= room.countOf(source) + 1) return undefined;
  return room.lastOf(most);
}

/** `count` questions: a third the largest, a third the smallest, the rest random ones between. */
function ends(bySize: readonly Question[], count: number, random: Random): Question[] {
  if (bySize.length <= count) return [...bySize];
  const each = Math.floor(count / 3);
  const between = bySize.slice(each, bySize.length - each);
  const some = Array.from(
    { length: count - 2 * each },
    () => between.splice(Math.floor(randomShare(random) * between.length), 1)[0]!,
  );
  return [...bySize.slice(bySize.length - each), ...bySize.slice(0, each), ...some];
}

/** The kind of asker that a source is. */
export function askerOf(source: string, isPeer: (source: string) => boolean): Asker {
  if (isTheLog(source)) return "log";
  return isPeer(source) ? "peer" : "stranger";
}
