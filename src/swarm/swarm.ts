/**
 * The sessions of a monitor with its members: whom it calls, whom it answers, and what goes through.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { textOf, utf8 } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { parseVkey, type Vkey } from "../tlog/vkey.ts";
import { Allowance } from "../world/allowance.ts";
import { Background } from "../world/background.ts";
import { Calls, Ended } from "../world/calls.ts";
import { jittered } from "../world/pacing.ts";
import type { Signer } from "../world/signer.ts";
import { Stop } from "../world/stop.ts";
import { timeAt, timeNow, timeOf } from "../world/time.ts";
import { SOFTWARE } from "../world/version.ts";
import { type Connection, type World, WorldError } from "../world/world.ts";
import type { KeyPair } from "../world/x25519.ts";
import { Conduct } from "./conduct.ts";
import { type Control, type Obeyed, readControl } from "./control.ts";
import { Graph, type Routes } from "./graph.ts";
import {
  encodeHello,
  type Hello,
  MAX_TOLD_MEMBERS,
  readHello,
  type Refusal,
  SESSION_VERSIONS,
  type ToldMember,
} from "./hello.ts";
import {
  type KnownMember,
  KnownMembers,
  type Link,
  type MemberSettings,
  readRemembered,
  type Remembered,
  rememberedFile,
  ROTATED,
  writeRemembered,
} from "./known_members.ts";
import { memberStatus, type SwarmStatus } from "./member_status.ts";
import { UNITS_PER_SECOND } from "./outbox.ts";
import { OwnStatements, Stopping } from "./own_statements.ts";
import { Replay } from "./replay.ts";
import { Said } from "./said.ts";
import { type Direction, Room, type Seat } from "./room.ts";
import {
  answerSession,
  callSession,
  KIND,
  newStaticKey,
  type Session,
  SESSION_LIMITS,
  SessionFault,
  type SessionMessage,
} from "./session.ts";
import type { SwarmSettings } from "./settings.ts";
import type { SmallFile } from "./small_file.ts";
import { Members } from "./statement.ts";
import { type Neighbour, Spreading } from "./spreading.ts";
import type { SwarmHost, SwarmNews } from "./swarm_host.ts";

/** How long to wait for a connection to a member. */
const CONNECT_MS = 10_000;
/** How long the other end may take to say hello. */
const HELLO_MS = 10_000;
/** How often the round trip to each neighbour is measured. */
const MEASURE_MS = 60_000;
/** How often a monitor states its links, and for how long what others state counts. */
const LINKS_MS = 300_000;
const LINKS_KEEP_MS = 4 * LINKS_MS;
/** How soon it states them after they changed. */
const LINKS_SOON_MS = 2_000;
/** How often what is to survive a crash is saved. */
const SAVE_MS = 300_000;
/** How often one member that is called gives way to another. */
const ROTATE_MS = 3_600_000;
/** How many members are called first after a restart. */
const ANCHORS = 4;
/** How long a member that left is not called. It may call before. */
const AFTER_LEAVE_MS = 60_000;

/** See the module. */
export class Swarm {
  readonly #world: World;
  readonly #signer: Signer;
  readonly #staticKey: KeyPair;
  readonly #host: SwarmHost;
  #settings: SwarmSettings;
  readonly #start: string;
  readonly #startedAt: string;
  readonly #file: SmallFile;
  /** The keys that statements are read under: the members' and our own. */
  readonly #keys: Members;
  readonly #known: KnownMembers;
  readonly #room: Room;
  readonly #graph: Graph;
  readonly #conduct: Conduct;
  readonly #replay: Replay;
  readonly #said: Said;
  readonly #statements: OwnStatements;
  readonly #spreading: Spreading;
  readonly #calls = new Calls();
  readonly #stop = new Stop();
  readonly #background: Background;
  readonly #sessions = new Set<Session>();
  /** Of each session, whether it has a seat, once that is decided. */
  readonly #seated = new WeakMap<Session, PromiseWithResolvers<boolean>>();
  #port: number | undefined;
  #speaksToStrangers = false;
  #linksAt = 0;
  /** When our own key was last seen in use by another program. */
  #ownUsedTwiceAt: string | undefined;
  /** Ends when everything is over; nothing before anybody asked for that. */
  #ended: Promise<void> | undefined;

  private constructor(parts: {
    world: World;
    signer: Signer;
    host: SwarmHost;
    settings: SwarmSettings;
    members: readonly MemberSettings[];
    keys: Members;
    file: SmallFile;
    remembered: Remembered;
    conduct: Conduct;
    replay: Replay;
    said: Said;
    statements: OwnStatements;
  }) {
    const { world, signer, host, settings, members } = parts;
    const { clock, random } = world;
    this.#world = world;
    this.#signer = signer;
    this.#staticKey = newStaticKey(random);
    this.#host = host;
    this.#settings = settings;
    this.#startedAt = timeNow(clock);
    this.#start = encodeHex(random.bytes(16));
    this.#file = parts.file;
    this.#conduct = parts.conduct;
    this.#replay = parts.replay;
    this.#said = parts.said;
    this.#statements = parts.statements;
    this.#background = new Background((error) => this.#failed(error));
    const own = signer.vkey.text;
    const { remembered } = parts;
    this.#known = new KnownMembers({ own, members, remembered });
    this.#keys = parts.keys;
    this.#followKeys();
    const { vkeys } = this.#known;
    this.#room = new Room({
      ...{ own, members: vkeys, room: settings.room, anchors: ANCHORS, clock, random },
      remembered: remembered.anchors,
      rotateMs: ROTATE_MS,
      hasAddress: (member) => this.#mayBeCalled(member),
    });
    this.#graph = new Graph({
      ...{ own, members: vkeys, mostLinks: MAX_TOLD_MEMBERS, keepMs: LINKS_KEEP_MS, clock },
    });
    const limits = { perSecondPerAddress: UNITS_PER_SECOND, maxAddresses: MAX_TOLD_MEMBERS };
    this.#spreading = new Spreading({
      ...{ own, members: this.#keys, statements: this.#statements, replay: this.#replay },
      said: this.#said,
      ...{ conduct: this.#conduct, graph: this.#graph, clock },
      allowance: new Allowance({ clock, limits }),
      host: {
        neighbours: () => this.#known.links.map(({ neighbour }) => neighbour),
        hearNote: (note, source) => host.hearNote(note, source),
        hearUnverified: (report) => host.hearUnverified(report),
        hearRecord: (record, source) => host.hearRecord(record, source),
        memberCase: (conflict) => host.memberCase(conflict),
        recentCases: () => host.recentCases(),
        putOut: (member, why) => this.#putOut(member, why),
        tell: (happened) => this.#tell(happened),
      },
    });
  }

  /**
   * Takes up what was remembered of members. Nobody is called yet; see `change` for what else it is to
   * know.
   * @param folder the state folder
   * @throws WorldError
   */
  static async open({ world, signer, host, settings, members, folder }: {
    world: World;
    signer: Signer;
    host: SwarmHost;
    settings: SwarmSettings;
    members: readonly MemberSettings[];
    folder: string;
  }): Promise<Swarm> {
    const onDamage = (detail: string): void => host.failed(new WorldError("other", detail));
    const file = rememberedFile({ files: world.files, folder });
    const maxClockSkewMs = settings.clockSkewMs;
    const keys = new Members([signer.vkey, ...members.map(({ vkey }) => parseVkey(vkey))]);
    return new Swarm({
      ...{ world, signer, host, settings, members, keys },
      file,
      remembered: await readRemembered(file, onDamage),
      conduct: await Conduct.open({
        ...{ world, folder, members: keys, own: signer.vkey, onTrouble: onDamage },
      }),
      replay: await Replay.open({ world, folder, maxClockSkewMs, onDamage }),
      said: await Said.open({ files: world.files, folder, members: keys, onDamage }),
      statements: new OwnStatements({ world, folder, signer, onDamage }),
    });
  }

  /**
   * Changes the members, and what others are told. Members that stay keep their sessions. The bound of
   * clocks is taken up at a start alone.
   * @param port where calls are answered; nothing if nowhere
   * @param speaksToStrangers whether somebody who is no member is told so
   */
  change(
    { members, settings, port, speaksToStrangers }: {
      members: readonly MemberSettings[];
      settings: SwarmSettings;
      port: number | undefined;
      speaksToStrangers: boolean;
    },
  ): void {
    this.#settings = settings;
    this.#port = port;
    this.#speaksToStrangers = speaksToStrangers;
    this.#known.change(members);
    this.#followKeys();
    const { vkeys } = this.#known;
    this.#graph.change(vkeys);
    this.#replay.retain(vkeys);
    this.#spreading.retain(vkeys);
    this.#said.retain(vkeys);
    this.#conduct.retain();
    for (const seat of this.#room.change({ members: vkeys, room: settings.room })) {
      for (const session of this.#sessions) {
        if (session.member.text === seat.member) this.#bye(session, "no longer a member here");
      }
    }
    this.#stop.wake();
  }

  /** The way to a member. `connect` opens a stream; without a session, it calls first. */
  lineTo(vkey: string): { name: string; isUp: boolean; connect(): Promise<Connection> } {
    const linkOf = (): Link | undefined => this.#known.get(vkey)?.link;
    return {
      name: parseVkey(vkey).name,
      get isUp() {
        return linkOf() !== undefined;
      },
      connect: async () => {
        if (this.#stop.stopped) throw new Ended();
        const known = this.#known.get(vkey);
        if (known === undefined) throw new WorldError("other", "it is no member any more");
        if (known.link === undefined) await this.#callNow(known);
        if (known.link === undefined) throw new WorldError("other", known.whyAway);
        return await known.link.session.open();
      },
    };
  }

  /** Calls members and keeps sessions up until `stop`. */
  async run(): Promise<void> {
    const { clock, random } = this.#world;
    let [measureAt, saveAt] = [0, clock.monotonic() + SAVE_MS];
    this.#linksAt = clock.monotonic() + jittered(LINKS_SOON_MS, random);
    while (!this.#stop.stopped) {
      const now = clock.monotonic();
      this.#callDue();
      if (now >= measureAt) {
        for (const { session } of this.#known.links) session.ping();
        measureAt = now + MEASURE_MS;
      }
      if (now >= this.#linksAt) {
        this.#linksAt = now + jittered(LINKS_MS, random);
        this.#background.run(() => this.#sayLinks());
      }
      if (now >= saveAt) {
        saveAt = now + SAVE_MS;
        this.#background.run(() => this.#save());
      }
      const banEndsAt = clock.monotonic() + this.#conduct.nextEndMs;
      const callAt = this.#room.nextAt() ?? Infinity;
      const next = Math.min(measureAt, this.#linksAt, saveAt, callAt, banEndsAt);
      await this.#stop.pause(clock, Math.max(next - clock.monotonic(), MIN_PAUSE_MS));
    }
  }

  /**
   * Says that we go, ends every session, and writes what is to be remembered. Whoever asks again waits
   * for the same end.
   */
  stop(): Promise<void> {
    return this.#ended ??= this.#end();
  }

  async #end(): Promise<void> {
    const links = [...this.#known.links];
    this.#stop.stop();
    this.#calls.end();
    try {
      if (links.length > 0) await this.#spreading.sayLeave();
    } catch (error) {
      this.#failed(error);
    }
    await Promise.all(links.map(({ session }) => session.finish()));
    for (const session of this.#sessions) session.close();
    this.#statements.close();
    this.#spreading.close();
    await this.#background.done();
    try {
      await this.#save();
      if (this.#known.size > 0) await this.#replay.close();
    } catch (error) {
      this.#failed(error);
    }
  }

  /**
   * Answers somebody who calls for a session. It returns when the session has ended.
   * @param begun what was read already
   * @param isLocal whether the caller may be this monitor's own operator
   * @param onSeated called once the caller has a seat, or is our operator: its connection may stay
   * @returns the fault of the caller, if it got no session
   */
  async answer({ connection, begun, isLocal, onSeated, onHeard }: {
    connection: Connection;
    begun: Uint8Array;
    isLocal: boolean;
    onSeated: () => void;
    onHeard: () => void;
  }): Promise<string | undefined> {
    if (this.#stop.stopped) return undefined;
    let session: Session;
    try {
      session = await answerSession({
        ...{ party: this.#party, connection, begun, takesControl: isLocal, onHeard },
        admits: ({ text }) => this.#known.get(text) !== undefined,
        speaksToStrangers: this.#speaksToStrangers,
        onStream: (stream, from) => this.#serve(stream, from),
      });
    } catch (error) {
      if (!(error instanceof SessionFault)) throw error;
      const caller = connection.remote.hostname;
      this.#tell({ kind: "turned away", caller, reason: error.message });
      return error.message;
    }
    // Whoever gets no seat keeps the time and the place of any other caller: keys cost nothing.
    await this.#hold(session, (isSeated) => {
      if (isSeated) onSeated();
    });
    return undefined;
  }

  /** States the checkpoint seen last of a log to the members that follow it. */
  sayCheckpoint(said: { note: string; observation: string; logHash: string }): void {
    if (this.#stop.stopped) return;
    this.#background.run(() => this.#spreading.sayCheckpoint(said));
  }

  /** States what was shown in place of a log's checkpoint to the members that follow it. */
  sayUnverified(said: { note: string; logHash: string }): void {
    if (this.#stop.stopped) return;
    this.#background.run(() => this.#spreading.sayUnverified(said));
  }

  /** Passes on a case that was recorded here. */
  spreadRecord(...given: Parameters<Spreading["spreadRecord"]>): void {
    if (!this.#stop.stopped) this.#spreading.spreadRecord(...given);
  }

  /** Everything about members now. */
  status(): SwarmStatus {
    const { clock } = this.#world;
    const members = this.#known.all.map((known) => {
      const { text } = known.vkey;
      const [standing, ban] = [this.#room.standing(text), this.#conduct.banOf(text)];
      return memberStatus(known, { standing, ban, clock });
    });
    const own = this.#signer.vkey.text;
    const ownUsedTwiceAt = this.#ownUsedTwiceAt;
    const room = this.#settings.room;
    const now = timeNow(clock);
    const startedAt = this.#startedAt;
    return {
      own,
      startedAt,
      now,
      room,
      ...(ownUsedTwiceAt !== undefined && { ownUsedTwiceAt }),
      members,
    };
  }

  get #party() {
    const { clock, random } = this.#world;
    return { clock, random, signer: this.#signer, staticKey: this.#staticKey };
  }

  #followKeys(): void {
    this.#keys.follow([this.#signer.vkey, ...this.#known.all.map(({ vkey }) => vkey)]);
  }

  #mayBeCalled(member: string): boolean {
    return (this.#known.get(member)?.addresses.length ?? 0) > 0 && !this.#isBanned(member);
  }

  #isBanned(member: string): boolean {
    return this.#conduct.banOf(member) !== undefined;
  }

  /** Begins the calls that are due, and those of the rotation. */
  #callDue(): void {
    for (const member of this.#room.toCall()) this.#call(this.#known.get(member)!);
    const turn = this.#room.rotate();
    if (turn === undefined) return;
    const leaving = this.#known.get(turn.leaves.member)?.link;
    if (leaving !== undefined) this.#bye(leaving.session, ROTATED);
    this.#call(this.#known.get(turn.calls)!);
  }

  /** Calls a member in the background; the room knows that it is being called. */
  #call(known: KnownMember): void {
    this.#background.run(async () => {
      await this.#dial(known);
      this.#stop.wake();
    });
  }

  /** Calls a member that somebody wants to speak to now. */
  async #callNow(known: KnownMember): Promise<void> {
    const { text } = known.vkey;
    if (this.#room.standing(text)?.isCalling !== false) return;
    if (!this.#mayBeCalled(text)) return;
    await this.#dial(known);
  }

  /** Calls a member once. It ends when the session has a seat, or there is none. */
  async #dial(known: KnownMember): Promise<void> {
    const session = await this.#reach(known);
    if (session === undefined) return;
    const decided = Promise.withResolvers<void>();
    this.#background.run(() => this.#hold(session, () => decided.resolve()));
    await decided.promise;
  }

  /** Begins a session with a member, at one of its addresses. */
  async #reach(known: KnownMember): Promise<Session | undefined> {
    const { text, name } = known.vkey;
    let reason: string | undefined;
    for (const address of known.addressesToCall) {
      try {
        const connection = await this.#calls.connect(this.#world.network, address, CONNECT_MS);
        try {
          return await callSession({
            ...{ party: this.#party, connection, expected: known.vkey },
            onStream: (stream, from) => this.#serve(stream, from),
          });
        } finally {
          // A session says goodbye before its connection is closed.
          this.#calls.release(connection);
        }
      } catch (error) {
        if (error instanceof Ended) return undefined;
        if (!(error instanceof WorldError || error instanceof SessionFault)) throw error;
        // Somebody answers there again, so it is no longer just away.
        if (error instanceof SessionFault) known.hasLeft = false;
        reason ??= error.message;
      }
      // It has called meanwhile.
      if (known.link !== undefined) break;
    }
    reason ??= "no address of it is known";
    this.#room.failed(text);
    if (known.link !== undefined) return undefined;
    known.notReached(reason);
    // If it said that it goes, this is no news.
    if (!known.hasLeft) this.#tell({ kind: "not reached", member: name, reason });
    return undefined;
  }

  /**
   * Holds a session from the hello to its end.
   * @param onDecided called once it is decided whether it has a seat, or needs none
   */
  async #hold(session: Session, onDecided: (isSeated: boolean) => void): Promise<void> {
    this.#sessions.add(session);
    const seat = this.#seatOf(session);
    try {
      if (session.isControl) {
        onDecided(true);
        return await this.#takeOrders(session);
      }
      const messages = session.messages();
      const link = await this.#greet(session, messages);
      onDecided(link !== undefined);
      seat.resolve(link !== undefined);
      if (link !== undefined) await this.#converse(link, messages);
    } catch (error) {
      if (!(error instanceof WorldError || error instanceof MalformedError)) throw error;
      session.close(error.message);
      this.#notSeated(session, error.message);
    } finally {
      onDecided(false);
      seat.resolve(false);
      session.close();
      this.#sessions.delete(session);
    }
  }

  /** Both ends say hello. @returns the session with its seat, if both accept */
  async #greet(
    session: Session,
    messages: AsyncGenerator<SessionMessage, void>,
  ): Promise<Link | undefined> {
    const { member, isCaller } = session;
    const direction: Direction = isCaller ? "outbound" : "inbound";
    const refusal = this.#refusalOf(session, direction);
    const verdict = refusal ?? "accepted";
    await session.send(KIND.hello, encodeHello(this.#helloTo(session, verdict)));
    const timer = this.#world.clock.after(
      HELLO_MS,
      () => session.close(`no hello came within ${HELLO_MS} ms`),
    );
    let first: SessionMessage | undefined;
    try {
      first = (await messages.next()).value ?? undefined;
    } finally {
      timer.cancel();
    }
    if (first === undefined) {
      this.#notSeated(session, (await session.closed).message);
      return undefined;
    }
    if (first.kind !== KIND.hello) throw new MalformedError("it did not begin with a hello");
    const hello = readHello(first.body);
    const known = this.#known.get(member.text);
    const isDowngrade = hello.versions.some((one) => one > 1 && SESSION_VERSIONS.includes(one));
    const answer = refusal ?? (isDowngrade ? "version" : undefined);
    if (answer !== undefined || hello.verdict !== "accepted") {
      if (isCaller) this.#room.refused(member.text);
      this.#tellRefused(session, { answer, verdict: hello.verdict });
      if (known !== undefined) {
        this.#learnFrom(known, session, hello);
        known.reason = answer === undefined ? `refused: ${hello.verdict}` : OURS[answer];
        // Who says so is there.
        known.hasLeft = false;
        known.notWanted = hello.verdict === "accepted" ? undefined : hello.verdict;
      }
      await this.#bye(session, answer ?? "not wanted");
      return undefined;
    }
    // Meanwhile it may have been banned, or be no member any more.
    const admission = this.#isBanned(member.text)
      ? { refusal: "banned" } as const
      : this.#room.admit(member.text, direction);
    if ("refusal" in admission) {
      if (isCaller) this.#room.refused(member.text);
      await this.#bye(session, admission.refusal);
      return undefined;
    }
    const link = this.#seat(known!, session, { hello, ...admission });
    // It has its seat, so its own address makes nobody call it back.
    this.#learnFrom(known!, session, hello);
    return link;
  }

  /** Tells that one of the two ends, or both, did not want the session. */
  #tellRefused(
    { member, isCaller, remote }: Session,
    { answer, verdict }: { answer: Refusal | undefined; verdict: Hello["verdict"] },
  ): void {
    const isKnown = this.#known.get(member.text) !== undefined;
    // A stranger may say anything, and under the name of a member.
    if (verdict !== "accepted" && (isCaller || isKnown)) {
      return this.#tell({ kind: "not wanted", member: member.name, refusal: verdict });
    }
    const caller = isKnown ? member.name : remote.hostname;
    this.#tell({ kind: "turned away", caller, reason: answer ?? verdict });
  }

  /** Learns from a hello in the background: what our own disk refuses is no fault of its sender. */
  #learnFrom(known: KnownMember, session: Session, hello: Hello): void {
    this.#background.run(() => this.#learn(known, session, hello));
  }

  #seat(
    known: KnownMember,
    session: Session,
    { hello, seat, replaces }: { hello: Hello; seat: Seat; replaces: Seat | undefined },
  ): Link {
    const before = known.link;
    const neighbour = this.#neighbour(session, hello);
    const since = timeAt(this.#world.clock, this.#world.clock.monotonic());
    const link: Link = { session, seat, hello, neighbour, since };
    known.link = link;
    known.hasLeft = false;
    known.reason = known.notWanted = undefined;
    if (replaces !== undefined && before !== undefined) this.#bye(before.session, REPLACED);
    if (known.noteStart(hello.start)) {
      this.#tell({ kind: "key used twice", member: known.vkey.name });
    }
    this.#linksSoon();
    this.#tell({
      kind: "connected",
      member: known.vkey.name,
      hello,
      isCaller: session.isCaller,
    });
    this.#conduct.forgetSent(known.vkey.text);
    this.#background.run(() => this.#spreading.connected(neighbour));
    return link;
  }

  /** Hears a member until the session ends. Then its seat is free, whatever ended it. */
  async #converse(link: Link, messages: AsyncGenerator<SessionMessage, void>): Promise<void> {
    const { session, seat, neighbour } = link;
    const { member } = session;
    let said: string | undefined;
    try {
      for await (const { kind, body } of messages) {
        if (kind === KIND.said || kind === KIND.rumour) await this.#hear(neighbour, kind, body);
        else if (kind === KIND.bye) said = shortText(body);
        else throw new MalformedError(`a message of kind ${kind} came, which may not come here`);
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) this.#failed(error);
      session.close((error as Error).message);
    }
    const reason = said ?? (await session.closed).message;
    const known = this.#known.get(member.text);
    this.#room.left(seat);
    this.#linksSoon();
    this.#stop.wake();
    if (known?.link !== link) return;
    known.link = undefined;
    this.#spreading.disconnected(neighbour);
    known.awaySince = timeNow(this.#world.clock);
    known.reason = reason;
    const why = this.#isBanned(member.text)
      ? "banned"
      : known.hasLeft
      ? "left"
      : said === ROTATED || reason === ROTATED
      ? "rotated"
      : "lost";
    if (this.#stop.stopped) return;
    this.#tell({ kind: "ended", member: member.name, why, reason });
  }

  /** Hears one message. What our own disk refuses costs this message, and not the session. */
  async #hear(from: Neighbour, kind: number, body: Uint8Array): Promise<void> {
    try {
      await this.#spreading.hear(from, kind, body);
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      this.#failed(error);
    }
  }

  /** Why a session is refused; nothing if it is not. */
  #refusalOf(session: Session, direction: Direction): Refusal | undefined {
    if (this.#stop.stopped) return "shutting down";
    const { member, isAdmitted } = session;
    if (!isAdmitted || this.#known.get(member.text) === undefined) return "unknown";
    if (this.#isBanned(member.text)) return "banned";
    const refusal = this.#room.mayAdmit(member.text, direction);
    if (refusal === "seated") return "in use";
    return refusal;
  }

  /** Notes that a session led to nothing. */
  #notSeated({ member, isCaller, remote }: Session, reason: string): void {
    const known = this.#known.get(member.text);
    // How a call of theirs ended says nothing of why ours do.
    if (isCaller && known !== undefined && known.link === undefined) known.reason = reason;
    if (this.#stop.stopped) return;
    if (!isCaller) {
      const caller = known === undefined ? remote.hostname : member.name;
      return this.#tell({ kind: "turned away", caller, reason });
    }
    this.#room.failed(member.text);
    this.#tell({ kind: "not reached", member: member.name, reason });
  }

  #helloTo({ remote, member }: Session, verdict: Hello["verdict"]): Hello {
    const heard = this.#replay.latestNote(member.text);
    const isStranger = verdict === "unknown" || verdict === "banned";
    return {
      versions: SESSION_VERSIONS,
      software: SOFTWARE,
      start: this.#start,
      seen: remote.hostname,
      ...(this.#port !== undefined && { port: this.#port }),
      logs: isStranger ? [] : this.#host.logs(),
      verdict,
      limits: { messageBytes: SESSION_LIMITS.maxRumourBytes, streams: SESSION_LIMITS.maxStreams },
      // Somebody who finds no room here still learns whom else to ask.
      members: isStranger ? [] : this.#told(member.text),
      ...(heard !== undefined && !isStranger && { heard }),
    };
  }

  /** The members that we are connected to, for another one. */
  #told(member: string): ToldMember[] {
    return [...this.#known.links].filter(({ session }) => session.member.text !== member)
      .map(({ session, hello }) => {
        const [address] = this.#known.get(session.member.text)?.addresses ?? [];
        const port = hello.port;
        const seen = port === undefined ? undefined : { hostname: session.remote.hostname, port };
        const told = address ?? seen;
        return { vkey: session.member.text, ...(told !== undefined && { address: told }) };
      });
  }

  /** Learns from a hello where members can be called, and whether our own numbers were used. */
  async #learn(known: KnownMember, session: Session, hello: Hello): Promise<void> {
    if (hello.port !== undefined) {
      const address = { hostname: session.remote.hostname, port: hello.port };
      known.learn({ address, by: session.member.text });
    }
    for (const { vkey, address } of hello.members) {
      if (address === undefined || vkey === this.#signer.vkey.text) continue;
      this.#known.learn(vkey, { address, by: session.member.text });
    }
    this.#stop.wake();
    if (hello.heard === undefined) return;
    if (await this.#statements.heardByPeers(hello.heard) === "later") {
      this.#tell({ kind: "key used twice", member: this.#signer.vkey.name });
    }
  }

  #neighbour(session: Session, hello: Hello): Neighbour {
    const logs = new Set(hello.logs);
    return {
      vkey: session.member,
      name: session.member.name,
      follows: (logHash) => logs.has(logHash),
      post: (kind, body) => {
        if (!session.hasRoomFor(body)) return false;
        session.send(kind, body).catch((error) => {
          // If the other end does not read, or has gone, its session says so.
          if (!(error instanceof WorldError)) this.#failed(error);
        });
        return true;
      },
    };
  }

  /**
   * Serves a stream, once the session has a seat: it may come just before. Without one, the other end may
   * be a stranger, whose key may have the name of a member.
   */
  #serve(stream: Connection, session: Session): void {
    this.#background.run(async () => {
      const isSeated = await this.#seatOf(session).promise;
      if (!isSeated) return stream.close();
      await this.#host.serve(stream, session.member.name);
    });
  }

  /** Tells what failed. Work that our own end has cut off did not fail. */
  #failed(error: unknown): void {
    if (!(error instanceof Stopping)) this.#host.failed(error);
  }

  #seatOf(session: Session): PromiseWithResolvers<boolean> {
    let seat = this.#seated.get(session);
    if (seat === undefined) this.#seated.set(session, seat = Promise.withResolvers());
    return seat;
  }

  /** Ends the session with a member, because it is banned or left. */
  #putOut(member: Vkey, why: "banned" | "left"): void {
    const known = this.#known.get(member.text);
    if (known === undefined) return;
    if (why === "left") {
      known.hasLeft = true;
      known.awaySince ??= timeNow(this.#world.clock);
      this.#room.holdOff(member.text, AFTER_LEAVE_MS);
    }
    if (known.link !== undefined) this.#bye(known.link.session, why === "banned" ? "banned" : LEFT);
  }

  /** Says goodbye and ends a session once that was sent. */
  async #bye(session: Session, reason: string): Promise<void> {
    try {
      await session.send(KIND.bye, utf8(JSON.stringify({ reason })));
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
    }
    await session.finish();
  }

  #linksSoon(): void {
    const soon = this.#world.clock.monotonic() + jittered(LINKS_SOON_MS, this.#world.random);
    if (soon >= this.#linksAt) return;
    this.#linksAt = soon;
    this.#stop.wake();
  }

  async #sayLinks(): Promise<void> {
    if (this.#known.size === 0) return;
    const links = [...this.#known.links].flatMap(({ session }) =>
      session.roundTripMs === undefined ? [] : [[session.member.text, session.roundTripMs] as const]
    );
    await this.#spreading.sayLinks(links);
  }

  async #save(): Promise<void> {
    // Who has no members leaves no files.
    if (this.#known.size === 0) return;
    await this.#replay.save();
    await this.#said.save();
    await this.#conduct.save();
    await writeRemembered(this.#file, { anchors: this.#room.anchors(), members: this.#known });
  }

  #tell(happened: SwarmNews): void {
    if (happened.kind === "refused") {
      const known = this.#known.named(happened.member);
      if (known !== undefined) {
        known.refusals[happened.refused] = (known.refusals[happened.refused] ?? 0) + 1;
      }
    }
    if (happened.kind === "key used twice") this.#noteUsedTwice(happened.member);
    this.#host.tell(happened);
  }

  #noteUsedTwice(name: string): void {
    const now = timeNow(this.#world.clock);
    const known = this.#known.named(name);
    if (known !== undefined) known.usedTwiceAt = now;
    else if (name === this.#signer.vkey.name) this.#ownUsedTwiceAt = now;
  }

  /** Does what this monitor's own operator asks, who has its key. */
  async #takeOrders(session: Session): Promise<void> {
    for await (const { kind, body } of session.messages()) {
      if (kind !== KIND.control) continue;
      const answer = await this.#obey(readControl(body));
      const said = utf8(JSON.stringify(answer));
      const isTooLong = said.length > SESSION_LIMITS.maxControlAnswerBytes;
      const refused = utf8(JSON.stringify({ refused: "its answer is too long" }));
      await session.send(KIND.controlAnswer, isTooLong ? refused : said);
    }
  }

  async #obey(
    { do: action, member, reason = "", forMs, order = {}, channels: names = [] }: Control,
  ): Promise<SwarmStatus | Routes | Obeyed> {
    if (action === "peers") return this.status();
    if (action === "routes") return this.#graph.routes();
    if (action === "reload") {
      const { reload } = this.#host;
      const refused = reload === undefined ? "it reads no configuration" : await reload();
      return refused === undefined ? { done: true } : { refused };
    }
    if (action === "incident") {
      const { incident } = this.#host;
      if (incident === undefined) return { refused: "it keeps no incidents" };
      return await incident(order);
    }
    if (action === "channels") {
      const { channels } = this.#host;
      if (channels === undefined) return { refused: "it has no channels of alerts" };
      return { done: true, channels: channels(names) };
    }
    const known = member === undefined ? undefined : this.#known.get(member);
    if (known === undefined) return { refused: "it is no member of the running configuration" };
    const { vkey } = known;
    if (action === "unban") {
      const wasBanned = await this.#conduct.unban(vkey.text);
      if (wasBanned) known.reason = undefined;
      this.#stop.wake();
      return { done: true, wasBanned };
    }
    const until = forMs === undefined
      ? undefined
      : timeOf(this.#world.clock.now().getTime() + forMs);
    await this.#conduct.ban(vkey.text, { reason, ...(until !== undefined && { until }) });
    this.#tell({ kind: "banned", member: vkey.name, reason, until });
    this.#putOut(vkey, "banned");
    return { done: true };
  }
}

/** Why a session is refused by us, as it stands with the member. */
const OURS: Readonly<Record<Refusal, string>> = {
  full: "there is no room here for its call",
  banned: "it is banned here",
  unknown: "it is no member here",
  version: "it speaks another version",
  "shutting down": "this monitor ends",
  "in use": "there is another session with it",
};
/** Shortest pause between two looks at what is due. */
const MIN_PAUSE_MS = 10;
const REPLACED = "there is another session";
const LEFT = "it left";

/** The reason in a goodbye. It is somebody's word. */
function shortText(body: Uint8Array): string {
  try {
    const { reason } = JSON.parse(textOf(body)) as { reason?: unknown };
    return typeof reason === "string" ? reason.slice(0, 200) : "it said goodbye";
  } catch {
    return "it said goodbye";
  }
}
