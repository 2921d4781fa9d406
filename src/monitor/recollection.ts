import type { Seen } from "../evidence/conflict.ts";
import type { Head } from "../evidence/head.ts";
import type { CheckpointMemory } from "../evidence/memory.ts";
import { OPEN_RESULTS, type Result } from "../evidence/result.ts";
import type { Standing } from "../gossip/settled_item.ts";
import type { FrozenLogs } from "../response/freeze.ts";
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

/** How many verified notes stay in memory, so that what peers repeat is not verified again. */
export const MAX_OPENED = 4_096;
/** Open questions read from the journal at a time. */
const PAGE = 256;
/** Characters of these notes, all together. One has at most half a million; almost all have 200. */
const MAX_OPENED_LENGTH = 16 * 1024 * 1024;

/** A checkpoint that was seen and is not in the journal yet. */
interface Fresh {
  seen: Seen;
  /** Set while it is being written. Everyone who told it waits for this one write. */
  writing?: Promise<void>;
  /** Whether that write has not begun, because other strangers' entries come first. */
  isInLine?: boolean;
}

/**
 * What a daemon remembers: the observation journal, read through its index, and the checkpoints seen
 * since the last entry. `writeTold` makes durable what a source told, before that source is answered.
 * What the log showed is written together with the finding about it. No source waits for entries of
 * another.
 */
export class JournaledMemory implements Recollection {
  readonly #observations: ObservationJournal;
  readonly #world: Pick<World, "clock" | "random">;
  readonly #isPeer: (source: string) => boolean;
  readonly #limits: Readonly<Record<Asker, QuestionLimits>> | undefined;
  readonly #happened: Subscriber;
  readonly #cosignatures: CheckpointMemory | undefined;
  readonly #accepts: FrozenLogs["accepts"];
  /** Checkpoints seen and not in the index yet, by log, size and root. */
  readonly #fresh = new Map<string, Map<bigint, Map<string, Fresh>>>();
  #unwritten = 0;
  /** For each source, what it told and is not durable yet; the source is not answered before. */
  readonly #told = new Map<string, Map<string, Seen>>();
  /** Verified notes, by log and the whole text. When there are too many, the oldest is dropped. */
  readonly #opened = new Map<string, readonly VerifiedCheckpoint[]>();
  #openedLength = 0;
  readonly #tables = new Map<string, QuestionTable>();
  /** Strangers' entries are written one at a time, so that a look waits for one of them at most. */
  readonly #strangers = new Turns();
  #isEnding = false;

  constructor(
    {
      observations,
      world,
      isPeer = () => true,
      limits,
      tell = () => {},
      cosignatures,
      accepts = () => true,
    }: {
      observations: ObservationJournal;
      world: Pick<World, "clock" | "random">;
      /** Whether a source is a configured peer. */
      isPeer?: (source: string) => boolean;
      limits?: Readonly<Record<Asker, QuestionLimits>>;
      tell?: Subscriber;
      /** The memory of what cosigners have signed; without one it is forgotten. */
      cosignatures?: CheckpointMemory | undefined;
      /** Whether a checkpoint of this size is accepted: see the freeze gate. */
      accepts?: FrozenLogs["accepts"];
    },
  ) {
    this.#observations = observations;
    this.#world = world;
    this.#isPeer = isPeer;
    this.#limits = limits;
    this.#happened = tell;
    this.#cosignatures = cosignatures;
    this.#accepts = accepts;
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

  /** The open questions in the journal. One page is in memory at a time, and no note is kept. */
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

  /** The name a source is counted under. Strangers of one network are counted as one. */
  placeOf(source: string): string {
    return this.askerOf(source) === "stranger" ? addressKey(source) : source;
  }

  /** Whether a source is the log, a configured peer, or anybody else. */
  askerOf(source: string): Asker {
    return askerOf(source, this.#isPeer);
  }

  /** The checkpoint of an open question, read from the journal and verified. */
  checkpointOf(log: Log, { treeSize, root }: Question): VerifiedCheckpoint | undefined {
    return this.at(log, treeSize).find(({ checkpoint }) => checkpoint.root === root)?.checkpoint;
  }

  /** The open questions to show a peer in one round; see ExchangeParty. */
  shownOpen(log: Log, most: number): VerifiedCheckpoint[] {
    return this.questions(log).shown({ most, random: this.#world.random })
      .map((question) => this.checkpointOf(log, question))
      .filter((checkpoint) => checkpoint !== undefined);
  }

  /** How a checkpoint stands with the view of its log; see ExchangeParty. */
  standing(log: Log, head: Head): Standing {
    if (this.questions(log).has(head)) return "open";
    // Nobody is told of a frozen log that its new checkpoints are as they should be.
    if (!this.#accepts(log, head.treeSize)) return "open";
    return this.#observations.agrees(log, head) ? "consistent" : "unknown";
  }

  /** See CheckpointMemory. */
  get hasUnwritten(): boolean {
    return this.#unwritten > 0;
  }

  /** See CheckpointMemory. A note from the journal is used only if it verifies here, byte for byte. */
  at(log: Log, treeSize: bigint): readonly Seen[] {
    if (log.isCosigner) return this.#cosignatures?.at(log, treeSize) ?? [];
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

  /** Reads notes anew from now on, because the cosigners of logs have changed. */
  forgetOpened(): void {
    this.#opened.clear();
    this.#openedLength = 0;
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
   * See CheckpointMemory. A checkpoint that a peer told keeps that peer as its source, because the peer
   * waits for an answer. A checkpoint without room is not remembered, unless it contradicts another:
   * then it is evidence, not a question.
   */
  remember(seen: Seen, { isEvidence } = { isEvidence: false }): boolean {
    if (seen.checkpoint.log.isCosigner) {
      return this.#cosignatures?.remember(seen, { isEvidence }) ?? false;
    }
    const { checkpoint: { log, treeSize, root }, source } = seen;
    const there = this.#fresh.get(log.id)?.get(treeSize)?.get(root);
    if (there !== undefined) {
      there.seen = { ...seen, source: this.#firstOf(there.seen.source, source) };
      this.#tell(seen);
      return true;
    }
    if (!isTheLog(source) && !isEvidence && !this.#admits(seen)) return false;
    this.#addFresh(seen);
    return true;
  }

  /** Queues a checkpoint to be written, even if the journal has an older entry about it. */
  #addFresh(seen: Seen): void {
    const { log, treeSize, root } = seen.checkpoint;
    const sizes = this.#fresh.get(log.id) ?? new Map<bigint, Map<string, Fresh>>();
    const roots = sizes.get(treeSize) ?? new Map<string, Fresh>();
    this.#fresh.set(log.id, sizes.set(treeSize, roots.set(root, { seen })));
    this.#unwritten++;
    this.#tell(seen);
  }

  /**
   * Which of two sources the entry of a checkpoint will name. It is the first one, with two
   * exceptions. A peer or stranger replaces the log: it waits for the entry, and the look may never
   * write one. A peer replaces a stranger: a peer must not wait for strangers' entries.
   */
  #firstOf(first: string, second: string): string {
    if (isTheLog(first) || isTheLog(second)) return isTheLog(first) ? second : first;
    const isOvertaken = this.askerOf(first) === "stranger" && this.askerOf(second) === "peer";
    return isOvertaken ? second : first;
  }

  /** Whether there is room for what somebody told. If so, it is an open question from now on. */
  #admits(seen: Seen): boolean {
    const { log, treeSize } = seen.checkpoint;
    return this.at(log, treeSize).length > 0 || this.#asks(seen);
  }

  /** Adds a checkpoint to the open questions. @returns whether there was room */
  #asks({ checkpoint, source }: Seen): boolean {
    const { log, treeSize, root, noteWithCosignatures: { length: noteLength } } = checkpoint;
    const seenAt = timeNow(this.#world.clock);
    const question = { treeSize, root, source, seenAt, noteLength };
    const outcome = this.questions(log).add(question);
    if (outcome === "in") return true;
    this.#happened({ kind: "left out", log, source });
    if (outcome === "out") return false;
    for (const other of outcome) this.#giveUp(log, other);
    return true;
  }

  /** Drops a question that gave way. If the journal has it, a new entry says that it is closed. */
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
        detail: "left out: there are more open questions than there is room for",
      }, timeNow(this.#world.clock));
    }).catch(() => {
      // It stays open in the journal. The next start takes it up again, if there is room.
    });
  }

  /**
   * See CheckpointMemory. A peer may tell what the log has just shown, before the look is written. Then
   * the entry names the peer, because the peer waits for an answer and the look may never finish. A
   * question that gave way to others and was never settled becomes an open question again.
   */
  repeated(seen: Seen, { isEvidence } = { isEvidence: false }): void {
    const { checkpoint, source } = seen;
    const { log, treeSize, root } = checkpoint;
    if (log.isCosigner) return this.#cosignatures?.repeated?.(seen, { isEvidence });
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

  /** Whether a checkpoint is an open question that is in the journal. */
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
   * See Recollection. Writes what this source told, each checkpoint as an open question or as
   * inconsistent. Without a source it writes what everyone told.
   * @throws Ended if this daemon ends and a stranger's checkpoint is not written yet; the stranger must
   *   then not be answered
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
    // Only what was told before this call is written: a later checkpoint may belong to a case that is
    // not durable yet. What could not be written stays in `told`, so that the next call tries again.
    try {
      for (const [key, seen] of [...told]) {
        if (this.#isEnding && isStranger) throw new Ended();
        await this.#written(seen);
        told.delete(key);
      }
    } finally {
      // Nothing is kept for a stranger: one that comes again tells it again.
      const isOver = told.size === 0 || isStranger;
      if (isOver && this.#told.get(source) === told) this.#told.delete(source);
    }
  }

  /**
   * Begins no more entries for strangers. They are no longer answered, so they will tell it again.
   * Cases are not affected: they are still written.
   */
  end(): void {
    this.#isEnding = true;
    this.#strangers.drop(new Ended());
  }

  /** Writes a checkpoint that is not in the journal yet. All who wait for it share one write. */
  async #written({ checkpoint: { log, treeSize, root } }: Seen): Promise<void> {
    const fresh = this.#fresh.get(log.id)?.get(treeSize)?.get(root);
    // Meanwhile a look may have written it, or it gave way to another question.
    if (fresh === undefined) return;
    const isStrangers = this.askerOf(fresh.seen.source) === "stranger";
    // If a peer has told it too, it no longer waits behind strangers' entries.
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
      // Meanwhile it may have been written for a peer, or it gave way to another question.
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

  /** Takes note that the journal has a checkpoint with this result, which opens or ends a question. */
  recorded(seen: Seen, result: Result): void {
    this.#forget(seen);
    const { checkpoint, source } = seen;
    const { log, treeSize, root, noteWithCosignatures: { length: noteLength } } = checkpoint;
    const table = this.questions(log);
    if (!OPEN_RESULTS.includes(result)) return table.delete({ treeSize, root });
    const seenAt = timeNow(this.#world.clock);
    const outcome = table.add({
      ...{ treeSize, root, source, seenAt, noteLength },
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
