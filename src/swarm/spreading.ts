/**
 * What members say, and what is passed on. Everything is verified before it is passed on, and nothing
 * is passed on twice.
 *
 * @module
 */
import { EquivocationDetector } from "../evidence/detector.ts";
import type { Conflict } from "../evidence/conflict.ts";
import type { JsonObject } from "../evidence/json.ts";
import { type ConflictRecord, isKnownVersion, parseRecord } from "../evidence/record.ts";
import { verifyConflict } from "../evidence/verify.ts";
import { textOf, utf8 } from "../tlog/encoding.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { parseVkey, type Vkey } from "../tlog/vkey.ts";
import type { Allowance } from "../world/allowance.ts";
import { millisecondsOf } from "../world/time.ts";
import type { Clock } from "../world/world.ts";
import {
  accusationOf,
  type Ban,
  chargeFor,
  type ChargeName,
  type Conduct,
  openEvidence,
} from "./conduct.ts";
import type { Graph, Path, Without } from "./graph.ts";
import { MAX_TOLD_MEMBERS } from "./hello.ts";
import type { OwnStatements } from "./own_statements.ts";
import { KeptRecords } from "./kept_records.ts";
import { Outbox, type Piece, type Recipient } from "./outbox.ts";
import type { Newness, Replay } from "./replay.ts";
import { encodeRumour, MAX_HOPS, readRumour, readUndelivered, type Rumour } from "./rumour.ts";
import type { Said } from "./said.ts";
import { KIND } from "./session_message.ts";
import {
  isKnown,
  type Members,
  openStatementNote,
  readStatement,
  type Saying,
  type Statement,
  type StatementRefusal,
  statementsEpoch,
} from "./statement.ts";
import { StatementMemory } from "./statement_memory.ts";
import { Told } from "./told.ts";

/** What messages cost of a member's allowance, besides a unit for every 4 KiB. */
const COST = { said: 2, statement: 2, head: 2, record: 64, undelivered: 1 } as const;
const BYTES_PER_UNIT = 4_096;
/** Whoever floods is charged as often as this, and not for every message. */
const FLOOD_CHARGE_MS = 60_000;
/** How long it is remembered what was heard. Members that come later are told what we keep. */
const SEEN_MS = 3_600_000;
/** For how many paths evidence is tried. */
const MAX_PATHS = 3;
/** How many pieces of evidence are under way at once. */
const MAX_DELIVERIES = 1_024;

/** A member with whom there is a session. */
export interface Neighbour {
  readonly vkey: Vkey;
  /** The name of its key. */
  readonly name: string;
  /** Whether it said that it follows the log with this hash. */
  follows(logHash: string): boolean;
  /** Sends a message for which nobody waits. @returns whether it found room */
  post(kind: number, body: Uint8Array): boolean;
}

/** What became of a note that a member stated. */
export type HeardNote =
  /** it is of the followed log with this hash */
  | { readonly outcome: "heard"; readonly logHash: string }
  | { readonly outcome: "not followed" }
  /** our own disk refuses */
  | { readonly outcome: "not kept" }
  /** it does not verify */
  | { readonly outcome: "wrong"; readonly detail: string };

/** What became of a record that a member passed on. */
export type RecordOutcome =
  /** it is a new case here, and is durable now */
  | "recorded"
  /** the case is held here already */
  | "known"
  /** the log is not followed here */
  | "not followed";

/** What is needed of the monitor. */
export interface SpreadingHost {
  /** The members with whom there is a session now. */
  neighbours(): Iterable<Neighbour>;
  /** Hears a note that a member stated, as in an exchange. */
  hearNote(note: string, source: string): Promise<HeardNote>;
  /** Hears that a member was shown this in place of a log's checkpoint. It is the member's word. */
  hearUnverified(report: UnverifiedReport): void;
  /** Hears a conflict record that holds. */
  hearRecord(record: ConflictRecord, source: string): Promise<RecordOutcome>;
  /** The newest cases in the incident journal, as many as may be told to who has just come. */
  recentCases(): Promise<readonly ConflictRecord[]>;
  /** Records that a member has said two things under one number. @returns its record, once durable */
  memberCase(conflict: Conflict): Promise<ConflictRecord | undefined>;
  /** Ends the session with a member that is banned now, or that left. */
  putOut(member: Vkey, why: "banned" | "left"): void;
  /** Tells what happened. */
  tell(happened: Spread): void;
}

/** What a member says that it was shown in place of a log's checkpoint. */
export interface UnverifiedReport {
  /** The hash that names the log to members, in hex. */
  readonly logHash: string;
  /** As it was shown, says the member. */
  readonly note: string;
  /** The vkey of the member, which said it in a session of its own. */
  readonly member: string;
}

/** What happens while members spread news. */
export type Spread =
  /** something that a member sent was not accepted; `refused` is the name of the reason */
  | {
    readonly kind: "refused";
    readonly member: string;
    readonly refused: string;
    readonly detail: string;
  }
  /** a member is banned from now on */
  | {
    readonly kind: "banned";
    readonly member: string;
    readonly reason: string;
    readonly until: string | undefined;
  }
  /** a member accuses another one */
  | {
    readonly kind: "accused";
    readonly member: string;
    readonly by: string;
    readonly reason: string;
  }
  /** a key speaks from two places at once: a member's, or our own */
  | { readonly kind: "key used twice"; readonly member: string }
  /** a member said that it goes */
  | { readonly kind: "left"; readonly member: string }
  /** evidence did not reach a member on any path */
  | { readonly kind: "undelivered"; readonly member: string; readonly evidenceId: string };

/** See the module. */
export class Spreading {
  readonly #own: string;
  readonly #members: Members;
  readonly #statements: OwnStatements;
  readonly #replay: Replay;
  readonly #said: Said;
  readonly #conduct: Conduct;
  readonly #graph: Graph;
  readonly #host: SpreadingHost;
  readonly #clock: Clock;
  readonly #allowance: Allowance;
  readonly #outbox: Outbox;
  /** Cases. Apart from heads: whoever says much must not have them forgotten. */
  readonly #cases: Told;
  readonly #heads: Told;
  readonly #memory = new StatementMemory();
  readonly #detector: EquivocationDetector;
  /** When each member was last charged for a flood. */
  readonly #floodedAt = new Map<string, number>();
  readonly #kept = new KeptRecords();
  /** The latest statement of each member about its links, for who comes later. */
  readonly #links = new Map<string, Statement>();
  /** Cases that a member has just passed on, and that are being taken in. */
  readonly #hearing = new Set<string>();
  /** Whether it is recorded that two statements under one number carry our own key. */
  #isOwnConvicted = false;
  /** Evidence that is on its way to a member, and what its paths must do without. */
  readonly #deliveries = new Map<string, Delivery>();

  constructor(
    { own, members, statements, replay, said, conduct, graph, host, clock, allowance }: {
      /** Our own vkey. */
      own: string;
      members: Members;
      statements: OwnStatements;
      replay: Replay;
      said: Said;
      conduct: Conduct;
      graph: Graph;
      host: SpreadingHost;
      clock: Clock;
      /** What each member may send, by its vkey. */
      allowance: Allowance;
    },
  ) {
    this.#own = own;
    this.#members = members;
    this.#statements = statements;
    this.#replay = replay;
    this.#said = said;
    this.#conduct = conduct;
    this.#graph = graph;
    this.#host = host;
    this.#clock = clock;
    this.#allowance = allowance;
    this.#outbox = new Outbox({ clock, most: MAX_TOLD_MEMBERS });
    this.#cases = new Told({ clock, lifeMs: SEEN_MS });
    this.#heads = new Told({ clock, lifeMs: SEEN_MS });
    this.#detector = new EquivocationDetector({ memory: this.#memory });
  }

  /** Forgets what those have said who are no members any more. */
  retain(vkeys: readonly string[]): void {
    const kept = new Set([...vkeys, this.#own]);
    this.#memory.retain([...kept]);
    for (const known of [this.#links, this.#floodedAt]) {
      for (const vkey of known.keys()) if (!kept.has(vkey)) known.delete(vkey);
    }
  }

  /**
   * Tells who has just been connected what it may have missed. A case of a log that it does not follow
   * is for those that it knows and we do not.
   */
  async connected(neighbour: Neighbour): Promise<void> {
    this.#outbox.forget(neighbour.vkey.text);
    for (const statement of this.#links.values()) {
      if (statement.member.text === neighbour.vkey.text) continue;
      const rumour = { ...rumourOf("statement", statement.json), of: statement.member.text };
      this.#hand(neighbour, rumour, { lane: this.#own, at: this.#clock.now().getTime() });
    }
    const own = (await this.#host.recentCases()).map((record) => ({ record, finder: this.#own }));
    for (const { record, finder } of [...own, ...this.#kept.all()]) {
      this.#handRecord(neighbour, record, { finder, rumour: rumourOf("record", asJson(record)) });
    }
  }

  /** A session has ended, and no other one with this member has begun. */
  disconnected(neighbour: Neighbour): void {
    this.#outbox.forget(neighbour.vkey.text);
  }

  /**
   * States the checkpoint that we have seen last of a log to the members that follow it too.
   * @param observation the hash of its entry in our journal
   */
  async sayCheckpoint(
    { note, observation, logHash }: { note: string; observation: string; logHash: string },
  ): Promise<void> {
    const followers = [...this.#host.neighbours()].filter((one) => one.follows(logHash));
    if (followers.length === 0) return;
    const statement = await this.#say({ kind: "checkpoint", note, observation });
    for (const one of followers) one.post(KIND.said, utf8(statement.text));
  }

  /** States to the members that follow a log what we were shown in place of its checkpoint. */
  async sayUnverified({ note, logHash }: { note: string; logHash: string }): Promise<void> {
    const followers = [...this.#host.neighbours()].filter((one) => one.follows(logHash));
    if (followers.length === 0) return;
    const statement = await this.#say({ kind: "unverified", log: logHash, note });
    for (const one of followers) one.post(KIND.said, utf8(statement.text));
  }

  /** States to whom we are connected, and how long a message takes there and back. */
  async sayLinks(links: readonly (readonly [vkey: string, rttMs: number])[]): Promise<void> {
    this.#graph.measured(links);
    const whole = links.map(([vkey, rttMs]) => [vkey, Math.round(rttMs)] as const);
    const statement = await this.#say({ kind: "links", links: whole });
    this.#links.set(this.#own, statement);
    this.#passOn(rumourOf("statement", statement.json));
  }

  /** States that we go. */
  async sayLeave(): Promise<void> {
    const statement = await this.#say({ kind: "leave" });
    this.#passOn(rumourOf("statement", statement.json));
  }

  /**
   * Passes on a case that was recorded here: to all members that we are connected to, and, if it was
   * found here, on the best paths to some that we are not connected to. Those paths may avoid a
   * member that keeps it to itself.
   */
  spreadRecord(record: ConflictRecord, { isOwnFinding }: { isOwnFinding: boolean }): void {
    // What a member passed on is passed on as it came, once it is known to be taken in.
    const key = caseKey(record);
    if (this.#hearing.has(key) || !this.#cases.isNew(key, MAX_HOPS)) return;
    this.#spread(record, { finder: this.#own, rumour: rumourOf("record", asJson(record)) });
    if (isOwnFinding) this.#deliver(record);
  }

  /** Hears one message of a member. Those of one member are heard in their order. */
  async hear(from: Neighbour, kind: number, body: Uint8Array): Promise<void> {
    const units = body.length / BYTES_PER_UNIT;
    try {
      if (kind === KIND.said) {
        if (await this.#pay(from, COST.said + units)) await this.#hearSaid(from, textOf(body));
        return;
      }
      // Reading it is paid for before it is read.
      if (!await this.#pay(from, units)) return;
      const rumour = readRumour(body);
      if (rumour === undefined || !await this.#pay(from, COST[rumour.what])) return;
      await this.#hearRumour(from, rumour);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      await this.#charge(from, "malformed", error.message);
    }
  }

  async #say(saying: Saying): Promise<Statement> {
    const statement = await this.#statements.say(saying);
    this.#detector.takeIn(statement.checkpoint, this.#own);
    return statement;
  }

  /** What a member says itself. */
  async #hearSaid(from: Neighbour, text: string): Promise<void> {
    const statement = readStatement(text, this.#members);
    if ("refused" in statement) {
      return await this.#refuse(from, statement);
    }
    if (statement.member.text !== from.vkey.text) {
      throw new MalformedError(`a statement of ${statement.member.name} came as its own`);
    }
    if (!await this.#accept(from, statement)) return;
    const { body, note } = statement;
    if (isKnown(body) && body.kind === "checkpoint") {
      const heard = await this.#host.hearNote(body.note, from.name);
      if (heard.outcome === "heard") this.#said.keep(statement, heard.logHash);
      if (heard.outcome === "wrong") await this.#charge(from, "signed by nobody", heard.detail);
    }
    if (isKnown(body) && body.kind === "unverified") {
      this.#host.hearUnverified({ logHash: body.log, note: body.note, member: from.vkey.text });
    }
    // Others compare it with what they were told under this number.
    this.#passOn(rumourOf("head", { note }), from);
  }

  async #hearRumour(from: Neighbour, rumour: Rumour): Promise<void> {
    switch (rumour.what) {
      case "statement":
        if (this.#isOfAnother(from, rumour)) return;
        return await this.#hearStatement(from, rumour);
      case "head":
        if (this.#isOfAnother(from, rumour)) return;
        return await this.#hearHead(from, rumour);
      case "record":
        return await this.#hearRecord(from, rumour);
      case "undelivered":
        return this.#hearUndelivered(from, rumour);
    }
  }

  /**
   * Whether a rumour is of a key that is no member's here. A key id has 32 bits, so somebody can make two
   * keys that share it and a name, and give one to each of two members. What one of them has verified
   * does not verify at the other, and is the fault of neither.
   */
  #isOfAnother(from: Neighbour, { of }: Rumour): boolean {
    if (of === undefined || this.#members.get(of) !== undefined) return false;
    this.#tell(refused(from, "unknown source", `${quoted(of)} is no member`));
    return true;
  }

  /** A statement that is passed on: about links, an accusation, a leave. */
  async #hearStatement(from: Neighbour, heard: Rumour): Promise<void> {
    const statement = readStatement(heard.item, this.#members);
    if ("refused" in statement) {
      return await this.#refuse(from, statement);
    }
    // Our own may come back to us, round a ring.
    if (statement.member.text === this.#own) return await this.#hearOwn(statement);
    if (!await this.#accept(from, statement)) return;
    const { body, member, epoch, sequence } = statement;
    // Who says it cannot have it stay here, and say something else elsewhere.
    const isItsOwn = member.text === from.vkey.text;
    const rumour = isItsOwn ? { ...heard, hops: MAX_HOPS } : heard;
    if (isKnown(body) && body.kind === "accusation") {
      // Whoever passes on evidence that does not hold is charged for it, so it is looked at first.
      if (await this.#hearAccusation(from, statement, body)) this.#passOn(rumour, from, member);
      return;
    }
    this.#passOn(rumour, from, member);
    if (!isKnown(body) || this.#conduct.banOf(member.text) !== undefined) return;
    switch (body.kind) {
      case "links":
        this.#links.set(member.text, statement);
        this.#graph.take({
          from: member.text,
          epoch,
          sequence,
          links: body.links,
        });
        return;
      case "leave":
        this.#links.delete(member.text);
        this.#graph.left(member.text);
        this.#tell({ kind: "left", member: member.name });
        return this.#host.putOut(member, "left");
    }
  }

  /** @returns whether it may be passed on */
  async #hearAccusation(
    from: Neighbour,
    statement: Statement,
    { accused, reason, evidence }: Extract<Saying, { kind: "accusation" }>,
  ): Promise<boolean> {
    // What is said of us is for others to judge. Evidence that does not hold goes no further all the same.
    if (accused === this.#own) {
      return evidence === undefined || typeof openEvidence(accused, evidence) !== "string";
    }
    const member = this.#members.get(accused);
    const by = statement.member.name;
    if (member !== undefined) this.#tell({ kind: "accused", member: member.name, by, reason });
    const judged = await this.#conduct.hear(statement);
    switch (judged.outcome) {
      case "proven":
        // It is a case of its own, with a record: both halves go to the detector.
        for (const half of judged.evidence) {
          await this.#takeIn(half, by, { isNews: judged.isNews });
        }
        if (member !== undefined && judged.ban !== undefined) this.#putOut(member, judged.ban);
        return true;
      case "quorum":
        this.#putOut(member!, judged.ban);
        return true;
      case "false evidence":
        // Whoever passes it on has to look at it first, as we did.
        await this.#charge(from, "failed record", judged.detail);
        return false;
      default:
        return true;
    }
  }

  async #hearHead(from: Neighbour, rumour: Rumour): Promise<void> {
    const { note } = rumour.item;
    if (typeof note !== "string") throw new MalformedError("a head has no note");
    const opened = openStatementNote(note, this.#members);
    if ("refused" in opened) return await this.#refuse(from, opened);
    if (opened.checkpoint.log.vkey.text === this.#own) return await this.#hearOwn(opened);
    if (!this.#heads.isNew(opened.hash, rumour.hops)) return;
    await this.#takeIn(opened.checkpoint, from.name);
    // Nothing beside the note was verified.
    this.#passOn({ ...rumour, item: { note } }, from, opened.checkpoint.log.vkey);
  }

  /** Hears what was signed with our own key. If we have not said it, somebody else has. */
  async #hearOwn({ checkpoint }: Pick<Statement, "checkpoint">): Promise<void> {
    await this.#takeIn(checkpoint, checkpoint.log.vkey.name);
    if (await this.#statements.heardByPeers(checkpoint.note) !== "later") return;
    this.#tell({ kind: "key used twice", member: checkpoint.log.vkey.name });
  }

  async #hearRecord(from: Neighbour, rumour: Rumour): Promise<void> {
    // A record of a later version is no fault of its sender.
    if (typeof rumour.item.version === "string" && !isKnownVersion(rumour.item.version)) return;
    const record = parseRecord(rumour.item);
    const key = caseKey(record);
    const isNew = !this.#cases.has(key, rumour.hops);
    // What comes on a path goes to everyone as well: else whoever sends it so would stop it here.
    const { path, ...toAll } = rumour;
    const isWanted = this.#isWanted(from, record, rumour.hops);
    // It is verified each time, if anything is done with it: its evidence id may be known, and the rest
    // made up.
    if (!isNew && !isWanted && path === undefined) return;
    const judgement = verifyConflict({ input: rumour.item });
    if (judgement.outcome === "disputed") return;
    if (judgement.outcome === "fails") {
      const wrong = judgement.checks.filter(({ ok }) => !ok).map(({ detail }) => detail);
      return await this.#charge(from, "failed record", wrong.join("; "));
    }
    const finder = this.#finderOf(from, record, judgement.signed);
    if (isNew) {
      this.#hearing.add(key);
      try {
        await this.#takeInRecord(from, record, finder);
      } finally {
        this.#hearing.delete(key);
      }
      this.#cases.isNew(key, rumour.hops);
    }
    this.#outbox.knows(from.vkey.text, { key, hops: rumour.hops });
    if (isWanted) this.#spread(record, { finder, rumour: toAll, from });
    if (path !== undefined) this.#goOn(from, rumour, record);
  }

  /** Whether there is somebody to whom this was not sent yet, with as many hops. */
  #isWanted(from: Neighbour, record: ConflictRecord, hops: number): boolean {
    const news = { key: caseKey(record), hops: hops - 1 };
    if (hops === 0) return false;
    return [...this.#host.neighbours()].some(({ vkey }) =>
      vkey.text !== from.vkey.text && this.#outbox.lacks(vkey.text, news)
    );
  }

  #isMember(vkey: string): boolean {
    return vkey === this.#own || this.#members.get(vkey) !== undefined;
  }

  /**
   * Whose a record is, for the turns that records have. Its own signature says so, whoever passes it on:
   * otherwise who makes up cases would take the turns of all whose records come the same way.
   */
  #finderOf(from: Neighbour, { detector_vkey }: ConflictRecord, isSigned: boolean): string {
    const isMember = isSigned && detector_vkey !== null && this.#isMember(detector_vkey);
    return isMember ? detector_vkey : `somebody, through ${from.vkey.text}`;
  }

  async #takeInRecord(from: Neighbour, record: ConflictRecord, finder: string): Promise<void> {
    const vkey = parseVkey(record.log.vkey);
    const member = this.#members.get(vkey.text);
    if (
      member !== undefined && statementsEpoch({ origin: record.log.origin, vkey }) !== undefined
    ) {
      for (const { note } of [record.checkpoint_a, record.checkpoint_b]) {
        const opened = openStatementNote(note, this.#members);
        if (!("refused" in opened)) await this.#takeIn(opened.checkpoint, from.name);
      }
      return;
    }
    const outcome = await this.#host.hearRecord(record, from.name);
    if (outcome === "not followed") this.#kept.keep(record, finder);
  }

  /** Sends evidence on along its path. If the next member cannot be reached, its sender is told. */
  #goOn(from: Neighbour, rumour: Rumour, { evidence_id }: ConflictRecord): void {
    const path = rumour.path!;
    const at = path.indexOf(this.#own);
    if (at < 1 || path[at - 1] !== from.vkey.text) return;
    const next = path[at + 1];
    if (next === undefined || rumour.hops === 0) return;
    if (this.#send(next, { ...rumour, hops: rumour.hops - 1 }, from)) return;
    const item = { evidence_id, to: path.at(-1)!, between: [this.#own, next] };
    const back = path.slice(0, at + 1).toReversed();
    this.#send(from.vkey.text, { hops: MAX_HOPS, what: "undelivered", item, path: back }, from);
  }

  #hearUndelivered(from: Neighbour, rumour: Rumour): void {
    const path = rumour.path ?? [];
    const at = path.indexOf(this.#own);
    if (at < 1 || path[at - 1] !== from.vkey.text) return;
    // It is read before it goes on: whoever sends on what is malformed is charged for it.
    const { evidence_id, to, between } = readUndelivered(rumour.item);
    const next = path[at + 1];
    if (next !== undefined) {
      const item = { evidence_id, to, between };
      const hops = rumour.hops - 1;
      if (hops >= 0) this.#send(next, { ...rumour, item, hops }, from);
      return;
    }
    const delivery = this.#deliveries.get(`${evidence_id} ${to}`);
    // Only who is on the path that is tried can say where it ends.
    if (delivery?.path?.members.includes(from.vkey.text) !== true) return;
    this.#tryPath(delivery, [...delivery.dead, between]);
  }

  /** Sends evidence to members that we are not connected to, as many as we have neighbours. */
  #deliver(record: ConflictRecord): void {
    const near = new Set([...this.#host.neighbours()].map(({ vkey }) => vkey.text));
    const far = this.#members.all.map(({ text }) => text)
      .filter((member) => member !== this.#own && !near.has(member));
    for (const to of far.slice(0, near.size)) {
      this.#tryPath({ to, record, tries: 0, dead: [], path: undefined }, []);
    }
  }

  #tryPath(delivery: Delivery, dead: readonly (readonly [string, string])[]): void {
    const { to, record, tries } = delivery;
    const id = `${record.evidence_id} ${to}`;
    this.#deliveries.delete(id);
    const without: Without = { links: dead };
    const path = tries < MAX_PATHS ? this.#graph.bestPath(to, { without }) : undefined;
    const next = path?.members[1];
    if (path === undefined || next === undefined) {
      if (tries === 0) return;
      const member = this.#members.get(to)?.name ?? to;
      return this.#tell({ kind: "undelivered", member, evidenceId: record.evidence_id });
    }
    const tried = { ...delivery, tries: tries + 1, dead, path };
    this.#deliveries.set(id, tried);
    if (this.#deliveries.size > MAX_DELIVERIES) {
      this.#deliveries.delete(this.#deliveries.keys().next().value!);
    }
    const rumour: Rumour = { ...rumourOf("record", asJson(record)), path: path.members };
    if (!this.#send(next, rumour)) this.#tryPath(tried, [...dead, [this.#own, next]]);
  }

  /** Whether a statement is new and fresh. First it is compared with what else has its number. */
  async #accept(from: Neighbour, statement: Statement): Promise<boolean> {
    await this.#takeIn(statement.checkpoint, from.name);
    const newness = await this.#replay.accept(statement);
    const isSentAgain = this.#conduct.isSentAgain(from.vkey.text, statement.hash);
    if (newness === "new") return true;
    await this.#refuse(from, { refused: newness, detail: NOT_NEW }, isSentAgain);
    return false;
  }

  /**
   * Compares a statement with what was said under its number, and records a contradiction.
   * @param isNews whether a contradiction would be news. A key that is convicted already may have
   *   signed any number of them. They prove nothing more, and would fill the journal
   */
  async #takeIn(
    checkpoint: VerifiedCheckpoint,
    source: string,
    { isNews = !this.#isConvicted(checkpoint.log.vkey) } = {},
  ): Promise<void> {
    const { vkey } = checkpoint.log;
    // What proves nothing more is not remembered either: there may be any number of it.
    if (!isNews || this.#members.get(vkey.text) === undefined) return;
    const conflict = this.#detector.observe(checkpoint, source);
    this.#detector.takeConflicts();
    if (conflict === undefined) return;
    if (vkey.text === this.#own) this.#isOwnConvicted = true;
    const record = await this.#host.memberCase(conflict);
    if (record !== undefined && this.#cases.isNew(caseKey(record), MAX_HOPS)) {
      this.#kept.keep(record, this.#own);
      this.#spread(record, { finder: this.#own, rumour: rumourOf("record", asJson(record)) });
    }
    const member = this.#members.get(vkey.text);
    if (member === undefined || vkey.text === this.#own) return;
    const wasBanned = this.#conduct.banOf(member.text) !== undefined;
    const ban = await this.#conduct.convict(member.text);
    if (ban === undefined || wasBanned) return;
    this.#putOut(member, ban);
    await this.#accuse(accusationOf([conflict.first.checkpoint, conflict.second.checkpoint]));
  }

  #isConvicted({ text }: Vkey): boolean {
    return text === this.#own ? this.#isOwnConvicted : this.#conduct.banOf(text)?.by === "evidence";
  }

  /** Tells that something was not accepted, and charges its sender if it is the sender's doing. */
  async #refuse(
    from: Neighbour,
    { refused: name, detail }: { refused: StatementRefusal | Newness; detail: string },
    isSentAgain = false,
  ): Promise<void> {
    const charge = chargeFor(name, { isSentAgain });
    if (charge !== undefined) return await this.#charge(from, charge, detail, name);
    this.#tell(refused(from, name, detail));
  }

  async #charge(
    from: Neighbour,
    charge: ChargeName,
    detail: string,
    name: string = charge,
  ): Promise<void> {
    this.#tell(refused(from, name, detail));
    const charged = await this.#conduct.charge(from.vkey.text, charge, detail);
    if (charged.outcome !== "banned") return;
    this.#putOut(from.vkey, charged.ban);
    await this.#accuse(charged.accusation);
  }

  /** Tells the others why a member was put out. They judge for themselves. */
  async #accuse(accusation: Saying): Promise<void> {
    const statement = await this.#say(accusation);
    this.#passOn(rumourOf("statement", statement.json));
  }

  #putOut(member: Vkey, { reason, until }: Ban): void {
    this.#graph.left(member.text);
    this.#links.delete(member.text);
    this.#tell({ kind: "banned", member: member.name, reason, until });
    this.#host.putOut(member, "banned");
  }

  #tell(happened: Spread): void {
    this.#host.tell(happened);
  }

  /** Takes a message's cost. Whoever sends more than it may is charged, and the message is dropped. */
  async #pay(from: Neighbour, units: number): Promise<boolean> {
    if (this.#allowance.take(from.vkey.text, units)) return true;
    const now = this.#clock.monotonic();
    if (now - (this.#floodedAt.get(from.vkey.text) ?? -Infinity) >= FLOOD_CHARGE_MS) {
      this.#floodedAt.set(from.vkey.text, now);
      await this.#charge(from, "flood", "more came than a member may send");
    }
    return false;
  }

  /**
   * Passes a rumour on to everyone but who told it.
   * @param signer who has said it, if that is not who told it
   */
  #passOn(rumour: Rumour, from?: Neighbour, signer = from?.vkey): void {
    if (rumour.hops === 0) return;
    const hops = hopsOn(rumour, from);
    const of = SIGNED.includes(rumour.what) && { of: signer?.text ?? this.#own };
    const body = encodeRumour({ ...rumour, hops, ...of });
    const units = unitsOf(rumour, body);
    const isTalk = from !== undefined;
    if (isTalk && !this.#outbox.mayPassOn(signer!.text, units)) return;
    for (const one of this.#host.neighbours()) {
      if (one.vkey.text === from?.vkey.text) continue;
      if (isTalk) this.#outbox.offer(recipient(one), body, units);
      else one.post(KIND.rumour, body);
    }
  }

  /** Passes a record on to everyone but who told it. */
  #spread(
    record: ConflictRecord,
    { finder, rumour, from }: { finder: string; rumour: Rumour; from?: Neighbour },
  ): void {
    if (rumour.hops === 0) return;
    const hops = hopsOn(rumour, from);
    for (const one of this.#host.neighbours()) {
      if (one.vkey.text === from?.vkey.text) continue;
      this.#handRecord(one, record, { finder, rumour: { ...rumour, hops } });
    }
  }

  /** Has a record sent to one member, unless it was. */
  #handRecord(
    to: Neighbour,
    record: ConflictRecord,
    { finder, rumour }: { finder: string; rumour: Rumour },
  ): void {
    const news = { key: caseKey(record), hops: rumour.hops };
    // What nobody known has signed may bear any time.
    const at = this.#isMember(finder) && millisecondsOf(record.detected_at);
    this.#hand(to, rumour, { lane: finder, at: at || this.#clock.now().getTime(), news });
  }

  /**
   * Sends a rumour along its path.
   * @returns whether there is a session with the next member
   */
  #send(member: string, rumour: Rumour, from?: Neighbour): boolean {
    for (const one of this.#host.neighbours()) {
      if (one.vkey.text !== member) continue;
      const lane = from === undefined ? this.#own : `a path through ${from.vkey.text}`;
      this.#hand(one, rumour, { lane, at: this.#clock.now().getTime() });
      return true;
    }
    return false;
  }

  /** Has a rumour sent to one member, as soon as that may be. */
  #hand(to: Neighbour, rumour: Rumour, how: Pick<Piece, "lane" | "at" | "news">): void {
    const body = encodeRumour(rumour);
    this.#outbox.hand(recipient(to), { body, units: unitsOf(rumour, body), ...how });
  }

  /** Nothing that waits is sent any more. */
  close(): void {
    this.#outbox.close();
  }
}

function recipient(neighbour: Neighbour): Recipient {
  return {
    key: neighbour.vkey.text,
    post: (body) => neighbour.post(KIND.rumour, body),
  };
}

/** What a rumour costs its sender. */
function unitsOf({ what }: Rumour, { length }: Uint8Array): number {
  return COST[what] + length / BYTES_PER_UNIT;
}

/** What is signed by a member, whose vkey goes along. */
const SIGNED: readonly Rumour["what"][] = ["statement", "head"];
const NOT_NEW = "its number or its time is not new";

/** Evidence on its way to a member. */
interface Delivery {
  readonly to: string;
  readonly record: ConflictRecord;
  readonly tries: number;
  /** Links that were found not to work, by their ends. */
  readonly dead: readonly (readonly [string, string])[];
  /** The path that is tried now. */
  readonly path: Path | undefined;
}

/** With how many hops a rumour goes on. */
function hopsOn({ hops }: Rumour, from: Neighbour | undefined): number {
  return from === undefined ? hops : hops - 1;
}

function rumourOf(what: Rumour["what"], item: JsonObject): Rumour {
  return { hops: MAX_HOPS, what, item };
}

function asJson(record: ConflictRecord): JsonObject {
  return record as unknown as JsonObject;
}

function caseKey({ evidence_id }: ConflictRecord): string {
  return `case ${evidence_id}`;
}

function refused(from: Neighbour, name: string, detail: string): Spread {
  return { kind: "refused", member: from.name, refused: name, detail };
}
