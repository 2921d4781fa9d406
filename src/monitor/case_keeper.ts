import type { Conflict } from "../evidence/conflict.ts";
import type { JsonObject } from "../evidence/json.ts";
import { type BeyondCap, EquivocationDetector } from "../evidence/detector.ts";
import type { Head } from "../evidence/head.ts";
import type { CheckpointMemory } from "../evidence/memory.ts";
import { caseOf, type ConflictRecord, type RecordedHead } from "../evidence/record.ts";
import { logOf, showRecord } from "../evidence/replay.ts";
import { type Judgement, verifyConflict } from "../evidence/verify.ts";
import { type About, newAbout } from "../gossip/about_item.ts";
import type { ExchangeParty, ExchangeReport, HeldCase } from "../gossip/exchange.ts";
import { DEFAULT_LIMITS, type ExchangeLimits } from "../gossip/limits.ts";
import { Judge } from "../gossip/judge.ts";
import { PeerKnowledge } from "../gossip/peer_knowledge.ts";
import type { Standing } from "../gossip/settled_item.ts";
import { IncidentJournal } from "../store/incidents.ts";
import { statementsEpoch } from "../swarm/statement.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { parseVkey } from "../tlog/vkey.ts";
import type { Log } from "../tlog/log.ts";
import { Calls } from "../world/calls.ts";
import type { Signer } from "../world/signer.ts";
import { Turns } from "../world/turns.ts";
import type { World } from "../world/world.ts";
import { makeRecord } from "./make_record.ts";

/** What became of a conflict that the monitor found. */
export type IncidentNews =
  /** it is durable in the journal, as the entry `seq` */
  | { readonly outcome: "recorded"; readonly record: ConflictRecord; readonly seq: number }
  /** the journal had this case already, as the entry `seq` */
  | { readonly outcome: "known"; readonly record: ConflictRecord; readonly seq: number }
  /** this monitor has no key, so it signs and records nothing */
  | { readonly outcome: "unrecorded"; readonly record: ConflictRecord }
  /** the record does not verify here, so nothing was written */
  | {
    readonly outcome: "refused";
    readonly record: ConflictRecord;
    readonly judgement: Judgement;
  }
  /** the disk refused; the record is kept in memory, and every exchange tries again to write it */
  | { readonly outcome: "not written"; readonly record: ConflictRecord; readonly error: Error };

/** What a keeper reports to. */
export interface KeeperReport extends ExchangeReport {
  incident(news: IncidentNews): void;
}

/** A memory that outlasts the process. */
export interface Recollection extends CheckpointMemory {
  /**
   * Makes durable what this source told before this call; without a source, what everyone told. It is
   * called before the source is answered, and after every case found so far is durable.
   */
  writeTold(source?: string): Promise<void>;
  /** The checkpoints to show a peer in one round; see ExchangeParty. */
  shownOpen(log: Log, most: number): readonly VerifiedCheckpoint[];
  /** How a checkpoint stands with the view; see ExchangeParty. */
  standing(log: Log, head: Head): Standing;
}

/** A log as a record names it. */
interface LogName {
  readonly origin: string;
  /** The text of its vkey. */
  readonly vkey: string;
}

/** A conflict that is to be written. */
interface Unwritten {
  readonly conflict: Conflict;
  /** Whether it follows from what was known before this start. */
  readonly isOld: boolean;
  /** Its record, once it is signed. */
  record?: ConflictRecord;
  /** Whether the operator was told that the disk refuses it. */
  told?: boolean;
}

/** A conflict that is proven but not durable yet, because the disk refuses. */
export class IncidentNotWritten extends Error {}

/**
 * Keeps the cases of a monitor. What is heard in an exchange is judged; a conflict is signed and
 * recorded in the incident journal; only then is the exchange answered.
 */
export class CaseKeeper {
  readonly judge: Judge;
  readonly #world: World;
  /** Shared with the judge and with the watches of the logs. */
  readonly detector: EquivocationDetector;
  readonly #recollection: Recollection | undefined;
  readonly #identity: { signer: Signer; incidents: IncidentJournal } | undefined;
  readonly #report: KeeperReport;
  readonly #limits: ExchangeLimits;
  readonly #turns = new Turns();
  /** For each log, the cases to hand to peers: those in the journal or, without a key, all proven. */
  readonly #held = new Map<string, HeldCase[]>();
  /** The logs that are followed, and their cosigners. */
  #known: readonly Log[];
  /** The cases about monitors that signed two statements under one number, by evidence id. */
  readonly #memberCases = new Set<string>();
  /** The cases in the journal about any other log that is not followed, by evidence id. */
  readonly #unfollowed = new Map<string, LogName>();
  readonly #peerKnowledge: PeerKnowledge;
  readonly #about: About;
  readonly #calls = new Calls();
  /** Conflicts that are not durable yet, oldest first. Each is signed once: a retry writes the same. */
  readonly #unwritten: Unwritten[] = [];
  /**
   * Whether the start is over. Until then conflicts come from the journal; after that they are new.
   */
  #hasStarted: boolean;

  private constructor(fields: {
    world: World;
    detector: EquivocationDetector;
    recollection: Recollection | undefined;
    judge: Judge;
    identity: { signer: Signer; incidents: IncidentJournal } | undefined;
    report: KeeperReport;
    limits: ExchangeLimits;
  }) {
    this.#world = fields.world;
    this.detector = fields.detector;
    this.#recollection = fields.recollection;
    this.judge = fields.judge;
    this.#identity = fields.identity;
    this.#hasStarted = fields.identity === undefined;
    this.#report = fields.report;
    this.#known = withCosigners(fields.judge.logs);
    this.#limits = fields.limits;
    this.#peerKnowledge = new PeerKnowledge(fields.limits);
    this.#about = newAbout(fields.world.random);
  }

  /**
   * Starts a keeper. With an identity it opens the incident journal in that folder, locks it, and takes
   * in the cases that are in it.
   * @throws JournalLocked, JournalDamaged, WorldError
   */
  static async start({ world, logs, identity, report, limits = DEFAULT_LIMITS, recollection }: {
    world: World;
    logs: readonly Log[];
    identity?: { signer: Signer; folder: string } | undefined;
    report: KeeperReport;
    limits?: ExchangeLimits;
    /** Its memory across restarts; without one it remembers only within this process. */
    recollection?: Recollection;
  }): Promise<CaseKeeper> {
    const detector = new EquivocationDetector(recollection && { memory: recollection });
    const judge = new Judge({ logs, detector });
    if (identity === undefined) {
      return new CaseKeeper({ world, detector, recollection, judge, identity, report, limits });
    }
    const { signer, folder } = identity;
    const incidents = await IncidentJournal.open({ files: world.files, folder });
    const identified = { signer, incidents };
    const fields = { world, detector, recollection, judge, identity: identified, report, limits };
    const keeper = new CaseKeeper(fields);
    try {
      await keeper.#takeUp(keeper.#known);
      keeper.#hasStarted = true;
      return keeper;
    } catch (error) {
      await incidents.close();
      throw error;
    }
  }

  /**
   * Follows these logs from now on. Cases that the journal has of added logs are known again, as after
   * a start.
   * @param given for a log that stays, the same object as before. Of several of one log, as of a journal
   *   that is mirrored and cosigned too, the first counts
   * @throws IncidentNotWritten
   */
  async follow(given: readonly Log[]): Promise<void> {
    const before = this.#known;
    const ids = new Set<string>();
    const logs = given.filter(({ id }) => ids.size < ids.add(id).size);
    this.judge.follow(logs);
    this.#known = withCosigners(logs);
    for (const log of before.filter((log) => !this.#known.includes(log))) {
      const name = { origin: log.origin, vkey: log.vkey.text };
      for (const { evidence_id } of this.cases(log)) this.#unfollowed.set(evidence_id, name);
      this.#held.delete(log.id);
      this.detector.forget(log);
    }
    await this.#takeUp(this.#known.filter((log) => !before.includes(log)));
  }

  /** Takes in the cases that the journal has of these logs and cosigners. */
  async #takeUp(added: readonly Log[]): Promise<void> {
    if (added.length === 0 && this.#hasStarted) return;
    // Two records of different runs may together show a conflict that neither has alone.
    for await (const { seq, record } of this.#identity?.incidents.records() ?? []) {
      const log = logOf(record, this.judge.logs);
      if (log === undefined) this.#noteUnfollowed(record);
      if (log === undefined || !added.includes(log)) continue;
      this.#hold(record, this.#readerOf(seq));
      showRecord({ detector: this.detector, record, log });
      // The conflicts are taken after each record, so that known ones do not fill memory.
      this.#queue(this.detector.takeConflicts(), { isOld: true });
    }
    await this.#keepAll();
  }

  /** The incident journal; nothing without a key. */
  get incidents(): IncidentJournal | undefined {
    return this.#identity?.incidents;
  }

  /** The file to which the start moved a torn last line of the incident journal, if there was one. */
  get tornFile(): string | undefined {
    return this.#identity?.incidents.tornFile;
  }

  /** Entries of the incident journal that do not hold, and so are not used. */
  get unsoundEntries(): readonly number[] {
    return this.#identity?.incidents.unsound ?? [];
  }

  /** How many contradicting observations of a log were dropped because of the detector's limits. */
  beyondCap(log: Log): BeyondCap {
    return this.detector.beyondCap(log);
  }

  /** Whether a proven case waits to be written, because the disk refused it. */
  get hasUnwritten(): boolean {
    return this.#unwritten.length > 0;
  }

  /** How many cases it holds about monitors that signed two statements under one number. */
  get memberCases(): number {
    return this.#memberCases.size;
  }

  /**
   * How many cases it holds about the logs followed and about members, those of earlier runs included.
   */
  get casesHeld(): number {
    const ofLogs = [...this.#held.values()].reduce((sum, cases) => sum + cases.length, 0);
    return ofLogs + this.#memberCases.size;
  }

  /**
   * The evidence ids of the cases that the journal has about logs that are not followed, and that
   * somebody here answers for all the same. Cases about members' statements are counted elsewhere.
   */
  casesUnfollowed(isMeant: (log: LogName) => boolean): string[] {
    return [...this.#unfollowed].flatMap(([id, log]) => isMeant(log) ? [id] : []);
  }

  /** The evidence ids of the cases that it holds about the logs followed. */
  get idsHeld(): string[] {
    return [...this.#held.values()].flatMap((cases) => cases.map(({ evidence_id: id }) => id));
  }

  /** What an exchange needs of this keeper. */
  get party(): ExchangeParty {
    return {
      world: this.#world,
      judge: this.judge,
      limits: this.#limits,
      keep: (source) => this.keep({ source }),
      unreconciled: (log) => this.#recollection?.shownOpen(log, this.#limits.maxOpenPerLog) ?? [],
      // Without a memory there is no view, and nobody settles anything.
      standing: (log, head) => this.#recollection?.standing(log, head) ?? "unknown",
      cases: (log) => this.cases(log),
      peerKnowledge: this.#peerKnowledge,
      about: this.#about,
      calls: this.#calls,
      report: this.#report,
    };
  }

  /** The cases this monitor holds about a log and may hand over, oldest first. */
  cases(log: Log): readonly HeldCase[] {
    return this.#held.get(log.id) ?? [];
  }

  /**
   * The newest records of the incident journal, whatever they are about.
   * @throws WorldError if one cannot be read
   */
  async newest(count: number): Promise<readonly ConflictRecord[]> {
    const { incidents } = this;
    if (incidents === undefined) return [];
    const records: ConflictRecord[] = [];
    for (const seq of incidents.newest(count)) records.push(await incidents.read(seq));
    return records;
  }

  /**
   * Takes in a checkpoint this monitor was shown itself.
   * @throws IncidentNotWritten
   */
  async takeInOwn(checkpoint: VerifiedCheckpoint, source: string): Promise<void> {
    if (this.judge.takeInOwn(checkpoint, source)) await this.keep({ source });
  }

  /**
   * Signs and records every conflict that the detector has found, and those that could not be written
   * before. Conflicts are taken from the detector's list, not from the exchange that heard them: that
   * exchange may have failed. Then the memory makes durable what `source` told.
   * @param more conflicts that the detector did not find, because both halves were known to it
   * @param source who is answered next; without it, what everyone told is made durable
   * @throws IncidentNotWritten if a conflict is not durable afterwards
   */
  async keep(
    { more = [], source }: { more?: readonly Conflict[]; source?: string } = {},
  ): Promise<void> {
    // Cases come first. A checkpoint remembered as inconsistent is not judged again; if the program died
    // after that and before the case was written, the case would never be recorded.
    await this.#keepAll(more);
    await this.#recollection?.writeTold(source);
  }

  async #keepAll(more: readonly Conflict[] = []): Promise<void> {
    const lacking = more.filter((conflict) => !this.#isWritten(conflict));
    const admitted = lacking.filter((conflict) => this.detector.admits(conflict));
    this.#queue(admitted, { isOld: true });
    // While one is being written others may be found, by exchanges that fail before they come here.
    for (this.#takeOver(); this.#unwritten.length > 0; this.#takeOver()) {
      await this.#turns.next(() => this.#writeAll());
    }
  }

  /**
   * Takes over what the detector has found since the last time: through the judge, which hears what
   * others tell, and through the watches, which look at the logs. From here on it is a case to write.
   */
  #takeOver(): void {
    this.#queue(this.detector.takeConflicts(), { isOld: !this.#hasStarted });
  }

  /**
   * Has conflicts written. Of those known before this start, it writes only those that the journal
   * lacks.
   */
  #queue(conflicts: readonly Conflict[], { isOld }: { isOld: boolean }): void {
    const toWrite = conflicts.filter((conflict) => !isOld || !this.#isWritten(conflict));
    this.#unwritten.push(...toWrite.map((conflict) => ({ conflict, isOld })));
  }

  /** Whether the journal has the case of a conflict. */
  #isWritten(conflict: Conflict): boolean {
    return this.#identity?.incidents.find(caseOf(conflict)) !== undefined;
  }

  /** Writes what is still to be written, then closes the journal. */
  async close(): Promise<void> {
    try {
      await this.keep();
    } finally {
      await this.#identity?.incidents.close();
    }
  }

  /**
   * Adds a case to those that may be handed to peers.
   * @param read gives its record; a record that is in the journal is not kept in memory
   */
  #hold(record: ConflictRecord, read: HeldCase["read"]): void {
    const log = logOf(record, this.judge.logs);
    if (log === undefined) return this.#noteUnfollowed(record);
    const { kind, evidence_id, checkpoint_a, checkpoint_b } = record;
    const heads = { checkpoint_a: headOf(checkpoint_a), checkpoint_b: headOf(checkpoint_b) };
    const cases = this.#held.get(log.id) ?? [];
    cases.push({ kind, evidence_id, ...heads, read });
    this.#held.set(log.id, cases);
    this.#unfollowed.delete(evidence_id);
  }

  /** Counts a case about a monitor's statements, or about a log that is not followed. */
  #noteUnfollowed({ kind, log: { origin, vkey }, evidence_id }: ConflictRecord): void {
    const isOfMember = kind === "same_size" &&
      statementsEpoch({ origin, vkey: parseVkey(vkey) }) !== undefined;
    if (isOfMember) this.#memberCases.add(evidence_id);
    else this.#unfollowed.set(evidence_id, { origin, vkey });
  }

  #readerOf(seq: number): HeldCase["read"] {
    return () => this.#identity!.incidents.read(seq);
  }

  async #writeAll(): Promise<void> {
    const world = this.#world;
    const signer = this.#identity?.signer;
    for (let next; (next = this.#unwritten[0]) !== undefined;) {
      next.record ??= await makeRecord({ world, conflict: next.conflict, signer });
      const news = await this.#write(next.record);
      if (isProven(news)) {
        this.#hold(
          news.record,
          news.outcome === "recorded" ? this.#readerOf(news.seq) : keeping(news.record),
        );
      }
      // A case that the journal had before is no news. A refusal is told once for each conflict.
      const isKnown = news.outcome === "known" && next.isOld;
      const isTold = news.outcome === "not written" && next.told === true;
      if (!isKnown && !isTold) this.#report.incident(news);
      if (news.outcome === "not written") {
        next.told = true;
        throw new IncidentNotWritten(
          `a proven conflict (evidence_id ${next.record.evidence_id}) could not be written: ` +
            news.error.message,
          { cause: news.error },
        );
      }
      this.#unwritten.shift();
    }
  }

  async #write(record: ConflictRecord): Promise<IncidentNews> {
    if (this.#identity === undefined) return { outcome: "unrecorded", record };
    try {
      const now = this.#world.clock.now().toISOString();
      const recorded = await this.#identity.incidents.record(record, now);
      switch (recorded.outcome) {
        case "recorded":
          return { outcome: "recorded", record, seq: recorded.entry.seq };
        case "known":
          return { outcome: "known", record, seq: recorded.seq };
        case "does not hold":
          return { outcome: "refused", record, judgement: recorded.judgement };
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      return { outcome: "not written", record, error };
    }
  }
}

/** These logs, and the cosigners of each. */
function withCosigners(logs: readonly Log[]): Log[] {
  return logs.flatMap((log) => [log, ...log.cosigners.all]);
}

/** A reader that keeps the record. It has its own function so that no other closure keeps it too. */
function keeping(record: ConflictRecord): HeldCase["read"] {
  return () => Promise.resolve(record);
}

function headOf({ size, root }: RecordedHead): RecordedHead {
  return { size, root };
}

/** Whether a record proves its case. The journal has judged those that it recorded. */
function isProven({ outcome, record }: IncidentNews): boolean {
  if (outcome !== "unrecorded") return outcome === "recorded";
  return verifyConflict({ input: record as unknown as JsonObject }).outcome === "holds";
}
