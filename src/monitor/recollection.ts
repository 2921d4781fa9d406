import type { Seen } from "../evidence/conflict.ts";
import { OPEN_RESULTS, type Result } from "../evidence/result.ts";
import { observedCheckpoint } from "../store/observation.ts";
import type { OpenQuestion } from "../store/observation_index.ts";
import type { ObservationJournal } from "../store/observations.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import { Ended } from "../world/calls.ts";
import { addressKey } from "../world/connection_table.ts";
import { timeNow } from "../world/time.ts";
import { Turns } from "../world/turns.ts";
import type { World } from "../world/world.ts";
import type { Subscriber } from "./happenings.ts";
import type { Recollection } from "./case_keeper.ts";
import {
  type Asker,
  askerOf,
  type Question,
  type QuestionLimits,
  QuestionTable,
} from "./questions.ts";
import { isTheLog } from "./the_log.ts";

/** Notes of the journal kept as opened: those that peers tell of again and again. */
export const MAX_OPENED = 4_096;
/** Open questions read from the journal at a time. */
const PAGE = 256;
/** Characters of these notes: one is at most half a million, almost all have 200. */
const MAX_OPENED_LENGTH = 16 * 1024 * 1024;

/** What was seen and is not written yet. */
interface Fresh {
  seen: Seen;
  /** While it is being written: everyone who told it waits for that. */
  writing?: Promise<void>;
  /** Whether that waits for what other strangers told. */
  isInLine?: boolean;
}

/**
 * What a daemon remembers: the observation journal, through its index, and what was seen since the
 * last entry. What a peer told is made durable by `writeTold`, before it is answered; what the log
 * showed is recorded with the finding about it. Nobody waits for what others told.
 */
export class JournaledMemory implements Recollection {
  readonly #observations: ObservationJournal;
  readonly #world: Pick<World, "clock" | "random">;
  readonly #isPeer: (source: string) => boolean;
  readonly #limits: Readonly<Record<Asker, QuestionLimits>> | undefined;
  readonly #happened: Subscriber;
  /** Seen and not indexed yet, by log, size and root. */
  readonly #fresh = new Map<string, Map<bigint, Map<string, Fresh>>>();
  #unwritten = 0;
  /** By source, what it told of that and is not answered yet. */
  readonly #told = new Map<string, Map<string, Seen>>();
  /** By log and the whole note, which is what was verified; the one opened first gives way. */
  readonly #opened = new Map<string, readonly VerifiedCheckpoint[]>();
  #openedLength = 0;
  readonly #tables = new Map<string, QuestionTable>();
  /** Strangers write one after the other, so that a look's entry waits for one of theirs at most. */
  readonly #strangers = new Turns();
  #isEnding = false;

  constructor(
    {
      observations,
      world,
      isPeer = () => true,
      limits,
      tell = () => {},
    }: {
      observations: ObservationJournal;
      world: Pick<World, "clock" | "random">;
      /** Whether a source is a configured peer. */
      isPeer?: (source: string) => boolean;
      limits?: Readonly<Record<Asker, QuestionLimits>>;
      tell?: Subscriber;
    },
  ) {
    this.#observations = observations;
    this.#world = world;
    this.#isPeer = isPeer;
    this.#limits = limits;
    this.#happened = tell;
  }

  /** The open questions of a log. */
  questions(log: Log): QuestionTable {
    let table = this.#tables.get(log.id);
    if (table === undefined) {
      table = new QuestionTable({
        askerOf: (source) => this.askerOf(source),
        ...(this.#limits && { limits: this.#limits }),
      });
      this.#tables.set(log.id, table);
      for (const question of this.#inJournal(log)) table.add(question);
    }
    return table;
  }

  /** The open questions that the journal has, a page of them in memory at a time and no note kept. */
  *#inJournal(log: Log): Generator<Question, void> {
    let after: OpenQuestion | undefined;
    do {
      const page = this.#observations.openQuestions(log, { limit: PAGE, after });
      for (const { treeSize, root, source, seenAt } of page) {
        const note = this.#observations.note(log, { treeSize, root });
        yield { treeSize, root, source, seenAt, noteLength: note?.length ?? 0 };
      }
      after = page.length < PAGE ? undefined : page.at(-1);
    } while (after !== undefined);
  }

  /** Whom a source is counted with: strangers of one network are one. */
  placeOf(source: string): string {
    return this.askerOf(source) === "stranger" ? addressKey(source) : source;
  }

  /** Whether a source is the log, a configured peer, or anybody else. */
  askerOf(source: string): Asker {
    return askerOf(source, this.#isPeer);
  }

  /** The checkpoint of an open question, read and verified anew. */
  checkpointOf(log: Log, { treeSize, root }: Question): VerifiedCheckpoint | undefined {
    return this.at(log, treeSize).find(({ checkpoint }) => checkpoint.root === root)?.checkpoint;
  }

  /** The open questions to show a peer in one round; see ExchangeParty. */
  shownOpen(log: Log, most: number): VerifiedCheckpoint[] {
    return this.questions(log).shown({ most, random: this.#world.random })
      .map((question) => this.checkpointOf(log, question))
      .filter((checkpoint) => checkpoint !== undefined);
  }

  /** See CheckpointMemory. */
  get hasUnwritten(): boolean {
    return this.#unwritten > 0;
  }

  /** See CheckpointMemory; no note is believed whose very bytes were not verified here. */
  at(log: Log, treeSize: bigint): readonly Seen[] {
    const indexed = this.#observations.rootsAt(log, treeSize).flatMap(({ note, source }) =>
      this.#open(note, log).map((checkpoint) => ({ checkpoint, source }))
    );
    const fresh = this.#fresh.get(log.id)?.get(treeSize);
    if (fresh === undefined) return indexed;
    const known = new Set(indexed.map(({ checkpoint }) => checkpoint.root));
    const more = [...fresh.values()].map(({ seen }) => seen)
      .filter(({ checkpoint }) => !known.has(checkpoint.root));
    return [...indexed, ...more];
  }

  #open(note: string, log: Log): readonly VerifiedCheckpoint[] {
    const key = `${log.id}\n${note}`;
    const known = this.#opened.get(key);
    if (known !== undefined) return known;
    const opened = openCheckpoint({ note, logs: [log] });
    const checkpoints = "refused" in opened ? [] : opened;
    this.#opened.set(key, checkpoints);
    this.#openedLength += key.length;
    for (const oldest of this.#opened.keys()) {
      if (this.#opened.size <= MAX_OPENED && this.#openedLength <= MAX_OPENED_LENGTH) break;
      this.#opened.delete(oldest);
      this.#openedLength -= oldest.length;
    }
    return checkpoints;
  }

  /**
   * See CheckpointMemory. What a peer told stays what a peer told: it is answered. A question for which
   * there is no room is left out; what contradicts something seen is no question.
   */
  remember(seen: Seen, { isEvidence } = { isEvidence: false }): void {
    const { checkpoint: { log, treeSize, root }, source } = seen;
    const there = this.#fresh.get(log.id)?.get(treeSize)?.get(root);
    if (there !== undefined) {
      there.seen = { ...seen, source: this.#firstOf(there.seen.source, source) };
      this.#tell(seen);
      return;
    }
    if (!isTheLog(source) && !isEvidence && !this.#admits(seen)) return;
    this.#addFresh(seen);
  }

  /** Has it written down, once more if it was before. */
  #addFresh(seen: Seen): void {
    const { log, treeSize, root } = seen.checkpoint;
    const sizes = this.#fresh.get(log.id) ?? new Map<bigint, Map<string, Fresh>>();
    const roots = sizes.get(treeSize) ?? new Map<string, Fresh>();
    this.#fresh.set(log.id, sizes.set(treeSize, roots.set(root, { seen })));
    this.#unwritten++;
    this.#tell(seen);
  }

  /**
   * Who of two is said to have told something: the first, unless that is the log, which has not
   * written it down yet, or a stranger, for whose entries a peer must not wait.
   */
  #firstOf(first: string, second: string): string {
    if (isTheLog(first) || isTheLog(second)) return isTheLog(first) ? second : first;
    const isOvertaken = this.askerOf(first) === "stranger" && this.askerOf(second) === "peer";
    return isOvertaken ? second : first;
  }

  /** Whether there is room for what somebody told; if so, it is a question from now on. */
  #admits(seen: Seen): boolean {
    const { log, treeSize } = seen.checkpoint;
    return this.at(log, treeSize).length > 0 || this.#asks(seen);
  }

  /** Takes it in as an open question, if there is room. */
  #asks({ checkpoint, source }: Seen): boolean {
    const { log, treeSize, root, note } = checkpoint;
    const seenAt = timeNow(this.#world.clock);
    const question = { treeSize, root, source, seenAt, noteLength: note.length };
    const outcome = this.questions(log).add(question);
    if (outcome === "in") return true;
    this.#happened({ kind: "left out", log, source });
    if (outcome === "out") return false;
    for (const other of outcome) this.#giveUp(log, other);
    return true;
  }

  /** A question that gave way: if it is written, an entry says that it is open no more. */
  #giveUp(log: Log, question: Question): void {
    const { treeSize, root, source } = question;
    const fresh = this.#fresh.get(log.id)?.get(treeSize)?.get(root);
    const isUnbegun = fresh?.writing === undefined || fresh.isInLine === true;
    if (fresh !== undefined && isUnbegun) return this.#forget(fresh.seen);
    void this.#strangers.next(async () => {
      await fresh?.writing?.catch(() => {});
      const checkpoint = this.checkpointOf(log, question);
      if (checkpoint === undefined || this.questions(log).has(question)) return;
      await this.#observations.append({
        log: { origin: log.origin, vkey: log.vkey.text },
        ...{ via: "exchange", source, result: "refused" },
        checkpoint: observedCheckpoint(checkpoint),
        detail: "left out: more was asked than there is room for",
      }, timeNow(this.#world.clock));
    }).catch(() => {
      // It stays open in the journal, and is taken up, or left out, at the next start.
    });
  }

  /**
   * See CheckpointMemory. What the log has just shown, and a peer tells before that look is written
   * down, is written as what the peer told: it is answered, and the look may never come to its end.
   * What nobody has reconciled, and has lost its place, is a question again.
   */
  repeated(seen: Seen): void {
    const { checkpoint, source } = seen;
    const { log, treeSize, root } = checkpoint;
    if (isTheLog(source)) return;
    const isOpen = this.questions(log).has(checkpoint);
    if (isOpen && this.askerOf(source) === "peer") this.#asks(seen);
    const fresh = this.#fresh.get(log.id)?.get(treeSize)?.get(root);
    if (fresh !== undefined) {
      if (this.#firstOf(fresh.seen.source, source) === source) fresh.seen = seen;
      this.#tell(seen);
    } else if (!isOpen && this.#observations.isUnsettled(log, checkpoint) && this.#asks(seen)) {
      this.#addFresh(seen);
    }
  }

  /** Whether it is an open question and durable. */
  isWrittenQuestion(checkpoint: VerifiedCheckpoint): boolean {
    const { log, treeSize, root } = checkpoint;
    const isFresh = this.#fresh.get(log.id)?.get(treeSize)?.has(root) === true;
    return !isFresh && this.questions(log).has(checkpoint);
  }

  #tell(seen: Seen): void {
    if (isTheLog(seen.source)) return;
    const told = this.#told.get(seen.source) ?? new Map<string, Seen>();
    this.#told.set(seen.source, told.set(seenKey(seen), seen));
  }

  /**
   * See Recollection: writes what this source told, as open questions or as inconsistent; without a
   * source, what everyone told.
   * @throws Ended once this daemon ends, if something is not written yet: it is not answered
   */
  async writeTold(source?: string): Promise<void> {
    if (source === undefined) {
      for (const one of [...this.#told.keys()]) {
        if (this.#isEnding && this.askerOf(one) === "stranger") this.#told.delete(one);
        else await this.writeTold(one);
      }
      return;
    }
    const told = this.#told.get(source);
    if (told === undefined) return;
    const isStranger = this.askerOf(source) === "stranger";
    // What is heard from now on may make a case that is not durable yet. What fails stays told, so that
    // whoever comes next tries anew.
    try {
      for (const [key, seen] of [...told]) {
        if (this.#isEnding && isStranger) throw new Ended();
        await this.#written(seen);
        told.delete(key);
      }
    } finally {
      // A stranger may never come again, and whoever does tells it anew.
      const isOver = told.size === 0 || isStranger;
      if (isOver && this.#told.get(source) === told) this.#told.delete(source);
    }
  }

  /**
   * From now on nothing that strangers told begins to be written: nobody is answered any more, and
   * whoever told it tells it again. Its cases are another matter, and are written.
   */
  end(): void {
    this.#isEnding = true;
    this.#strangers.drop(new Ended());
  }

  /** Writes what is fresh, once, however many wait for it. */
  async #written({ checkpoint: { log, treeSize, root } }: Seen): Promise<void> {
    const fresh = this.#fresh.get(log.id)?.get(treeSize)?.get(root);
    // Its look may have been written down meanwhile, or it gave way.
    if (fresh === undefined) return;
    const isStrangers = this.askerOf(fresh.seen.source) === "stranger";
    // What a peer tells as well waits for strangers no more.
    if (fresh.writing === undefined || (fresh.isInLine === true && !isStrangers)) {
      fresh.isInLine = isStrangers;
      const writing = this.#write(fresh).finally(() => {
        if (fresh.writing === writing) delete fresh.writing;
      });
      fresh.writing = writing;
    }
    await fresh.writing;
  }

  #write(fresh: Fresh): Promise<void> {
    if (fresh.isInLine !== true) return this.#writeDown(fresh.seen);
    return this.#strangers.next(async () => {
      const { log, treeSize, root } = fresh.seen.checkpoint;
      // Meanwhile a peer may have told it and had it written, or it gave way.
      if (this.#fresh.get(log.id)?.get(treeSize)?.get(root) !== fresh) return;
      fresh.isInLine = false;
      await this.#writeDown(fresh.seen);
    });
  }

  async #writeDown(seen: Seen): Promise<void> {
    const { checkpoint, source } = seen;
    const { log, treeSize, root } = checkpoint;
    const contradicted = this.at(log, treeSize).some((other) => other.checkpoint.root !== root);
    await this.#observations.observe({
      log: { origin: log.origin, vkey: log.vkey.text },
      via: "exchange",
      source,
      result: contradicted ? "inconsistent" : "pending",
      checkpoint: observedCheckpoint(checkpoint),
    }, timeNow(this.#world.clock));
    this.recorded(seen, contradicted ? "inconsistent" : "pending");
    if (!contradicted) this.#happened({ kind: "asked", log, source });
  }

  /** Lets go of a checkpoint that the journal now has, with this result. */
  recorded(seen: Seen, result: Result): void {
    this.#forget(seen);
    const { checkpoint: { log, treeSize, root, note }, source } = seen;
    const table = this.questions(log);
    if (!OPEN_RESULTS.includes(result)) return table.delete({ treeSize, root });
    const seenAt = timeNow(this.#world.clock);
    const outcome = table.add({
      ...{ treeSize, root, source, seenAt, noteLength: note.length },
    });
    if (outcome === "in") return;
    this.#happened({ kind: "left out", log, source });
    if (outcome !== "out") { for (const other of outcome) this.#giveUp(log, other); }
  }

  #forget({ checkpoint: { log, treeSize, root } }: Seen): void {
    const sizes = this.#fresh.get(log.id);
    const roots = sizes?.get(treeSize);
    if (roots?.delete(root) !== true) return;
    this.#unwritten--;
    if (roots.size === 0) sizes!.delete(treeSize);
  }
}

function seenKey({ checkpoint: { log, treeSize, root } }: Seen): string {
  return `${treeSize} ${root} ${log.id}`;
}
