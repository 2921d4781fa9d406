/**
 * The sessions of a monitor with its members: whom it calls, whom it answers, and what goes through.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { textOf, utf8 } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { parseVkey, type Vkey } from "../tlog/vkey.ts";
import { isObject, listOf, text } from "../tlog/members.ts";
import { formatAddress, isSameAddress, parseAddress } from "../world/address.ts";
import { Allowance } from "../world/allowance.ts";
import { Background } from "../world/background.ts";
import { Calls, Ended } from "../world/calls.ts";
import { jittered } from "../world/pacing.ts";
import type { Signer } from "../world/signer.ts";
import { Stop } from "../world/stop.ts";
import { timeAt, timeOf } from "../world/time.ts";
import { SOFTWARE } from "../world/version.ts";
import { type Address, type Connection, type World, WorldError } from "../world/world.ts";
import type { KeyPair } from "../world/x25519.ts";
import { Conduct } from "./conduct.ts";
import { type Control, readControl } from "./control.ts";
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
import { OwnStatements } from "./own_statements.ts";
import { Replay } from "./replay.ts";
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
import { readSmallFile, type SmallFile, writeSmallFile } from "./small_file.ts";
import { Members } from "./statement.ts";
import { type Neighbour, type Spread, Spreading, type SpreadingHost } from "./spreading.ts";

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
/** Most addresses that are remembered of a member, beside the configured one. */
const MAX_LEARNED = 4;
/** What a member may send in a second, in units of spreading.ts. */
const UNITS_PER_SECOND = 2_048;
/** Starts of a member that are remembered, to notice that its key is used twice. */
const MAX_STARTS = 8;
const REMEMBERED_FILE = "members.json";
const REMEMBERED_VERSION = "hearsay/members/v1";

/** A member, as it is configured. */
export interface MemberSettings {
  readonly vkey: string;
  readonly address: Address | undefined;
}

/** What is needed of the monitor, besides what spreading needs. */
export interface SwarmHost
  extends Pick<SpreadingHost, "hearNote" | "hearRecord" | "memberCase" | "recentCases"> {
  /** The hashes of the logs followed, in hex. */
  logs(): readonly string[];
  /** Serves a stream that a member opened, and closes it. It throws nothing. */
  serve(stream: Connection, member: string): Promise<void>;
  /** Tells what happened. */
  tell(happened: SwarmNews): void;
  /** Something failed that is nobody else's fault. */
  failed(error: unknown): void;
}

/** What happens between members. `member` is the name of its key. */
export type SwarmNews =
  | Spread
  /** there is a session with a member */
  | {
    readonly kind: "connected";
    readonly member: string;
    readonly hello: Hello;
    readonly isCaller: boolean;
  }
  /** it has ended */
  | {
    readonly kind: "ended";
    readonly member: string;
    readonly why: "left" | "banned" | "rotated" | "lost";
    readonly reason: string;
  }
  /** a call to a member came to nothing */
  | { readonly kind: "not reached"; readonly member: string; readonly reason: string }
  /** a member that was called did not want the session */
  | { readonly kind: "not wanted"; readonly member: string; readonly refusal: Refusal }
  /** somebody called, and got no session; without a name if it proved none */
  | { readonly kind: "turned away"; readonly caller: string; readonly reason: string }
  /** a key speaks from two places at once: a member's, or our own */
  | { readonly kind: "key used twice"; readonly member: string };

/** One member, for people and machines. */
export interface MemberStatus {
  readonly name: string;
  readonly vkey: string;
  /** Where it was reached, or is to be called. */
  readonly address?: string;
  readonly state: "connected" | "calling" | "away" | "left" | "banned" | "no address";
  /** Whose call began the session. */
  readonly direction?: Direction;
  /** Since when, RFC 3339. */
  readonly since?: string;
  readonly roundTripMs?: number;
  readonly software?: string;
  /** How many times in a row it was not reached. */
  readonly failures: number;
  /** How often something that it sent was not accepted, by the name of the reason. */
  readonly refusals?: Readonly<Record<string, number>>;
  /** Why it was not reached, the last time. */
  readonly reason?: string;
  /** When it is called next, RFC 3339. */
  readonly nextCallAt?: string;
  readonly bannedBecause?: string;
  /** Until when it is banned, RFC 3339; for good without it. */
  readonly bannedUntil?: string;
}

/** Everything about members, as `hearsay peers` is told. */
export interface SwarmStatus {
  readonly own: string;
  readonly room: number;
  readonly members: readonly MemberStatus[];
  readonly routes: Routes;
}

/** A session with a seat. */
interface Link {
  readonly session: Session;
  readonly seat: Seat;
  readonly hello: Hello;
  readonly neighbour: Neighbour;
  /** On the wall clock, for people. */
  readonly since: string;
}

/** Where a member can be called, and the vkey of the member that says so. */
interface Learned {
  readonly address: Address;
  readonly by: string;
}

/** What is known of one member. */
interface Known {
  readonly vkey: Vkey;
  address: Address | undefined;
  /** Other addresses: as it told itself, then as others told, the latest first; one of each. */
  learned: Learned[];
  /** Which of the addresses is called next. */
  turn: number;
  link?: Link;
  reason?: string;
  hasLeft: boolean;
  /** How often something that it sent was not accepted, by the name of the reason. */
  readonly refusals: Record<string, number>;
  /** The starts that it has named, the latest last. */
  starts: string[];
  /** Whether it was told that its key is used twice. */
  isTwice: boolean;
}

/** See the module. */
export class Swarm {
  readonly #world: World;
  readonly #signer: Signer;
  readonly #staticKey: KeyPair;
  readonly #host: SwarmHost;
  #settings: SwarmSettings;
  readonly #start: string;
  readonly #file: SmallFile;
  readonly #members: Members;
  readonly #known = new Map<string, Known>();
  readonly #room: Room;
  readonly #graph: Graph;
  readonly #conduct: Conduct;
  readonly #replay: Replay;
  readonly #statements: OwnStatements;
  readonly #spreading: Spreading;
  readonly #calls = new Calls();
  readonly #stop = new Stop();
  readonly #background: Background;
  readonly #sessions = new Set<Session>();
  #port: number | undefined;
  #speaksToStrangers = false;
  #linksAt = 0;
  /** Ends when everything is over; nothing before anybody asked for that. */
  #ended: Promise<void> | undefined;

  private constructor(parts: {
    world: World;
    signer: Signer;
    host: SwarmHost;
    settings: SwarmSettings;
    members: readonly MemberSettings[];
    known: Members;
    file: SmallFile;
    remembered: Remembered;
    conduct: Conduct;
    replay: Replay;
    statements: OwnStatements;
  }) {
    const { world, signer, host, settings, members } = parts;
    const { clock, random } = world;
    this.#world = world;
    this.#signer = signer;
    this.#staticKey = newStaticKey(random);
    this.#host = host;
    this.#settings = settings;
    this.#start = encodeHex(random.bytes(16));
    this.#file = parts.file;
    this.#conduct = parts.conduct;
    this.#replay = parts.replay;
    this.#statements = parts.statements;
    this.#background = new Background((error) => host.failed(error));
    const own = signer.vkey.text;
    this.#members = parts.known;
    this.#know(members);
    for (const [vkey, known] of this.#known) {
      known.learned = (parts.remembered.addresses.get(vkey) ?? [])
        .map((address) => ({ address, by: REMEMBERED_FILE }));
    }
    const vkeys = [...this.#known.keys()];
    this.#room = new Room({
      ...{ own, members: vkeys, room: settings.room, anchors: ANCHORS, clock, random },
      remembered: parts.remembered.anchors,
      rotateMs: ROTATE_MS,
      hasAddress: (member) => this.#addressesOf(member).length > 0 && !this.#isBanned(member),
    });
    this.#graph = new Graph({
      ...{ own, members: vkeys, mostLinks: MAX_TOLD_MEMBERS, keepMs: LINKS_KEEP_MS, clock },
    });
    const limits = {
      ...{ perSecondPerAddress: UNITS_PER_SECOND, refusalCost: 0, strangersShare: 1 },
      maxAddresses: MAX_TOLD_MEMBERS,
    };
    this.#spreading = new Spreading({
      ...{ own, members: this.#members, statements: this.#statements, replay: this.#replay },
      ...{ conduct: this.#conduct, graph: this.#graph, clock },
      allowance: new Allowance({ clock, limits }),
      host: {
        neighbours: () => this.#neighbours(),
        hearNote: (note, source) => host.hearNote(note, source),
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
    const file: SmallFile = {
      ...{ files: world.files, folder, name: REMEMBERED_FILE, version: REMEMBERED_VERSION },
    };
    const maxClockSkewMs = settings.clockSkewMs;
    const known = new Members();
    return new Swarm({
      ...{ world, signer, host, settings, members, known },
      file,
      remembered: await readRemembered(file, onDamage),
      conduct: await Conduct.open({
        ...{ world, folder, members: known, own: signer.vkey, onTrouble: onDamage },
      }),
      replay: await Replay.open({ world, folder, maxClockSkewMs, onDamage }),
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
    this.#know(members);
    const vkeys = [...this.#known.keys()];
    this.#graph.change(vkeys);
    this.#replay.retain(vkeys);
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
        if (known.link === undefined) throw new WorldError("other", whyAway(known));
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
        for (const { session } of this.#links()) session.ping();
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
      const next = Math.min(measureAt, this.#linksAt, saveAt, this.#room.nextAt() ?? Infinity);
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
    const links = [...this.#links()];
    this.#stop.stop();
    this.#calls.end();
    try {
      if (links.length > 0) await this.#spreading.sayLeave();
    } catch (error) {
      this.#host.failed(error);
    }
    await Promise.all(links.map(({ session }) => session.finish()));
    for (const session of this.#sessions) session.close();
    await this.#background.done();
    try {
      await this.#save();
      if (this.#known.size > 0) await this.#replay.close();
    } catch (error) {
      this.#host.failed(error);
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
        admits: ({ text }) => this.#known.has(text),
        speaksToStrangers: this.#speaksToStrangers,
        onStream: (stream) => this.#serve(stream, session.member),
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

  /** Passes on a case that was recorded here. */
  spreadRecord(...given: Parameters<Spreading["spreadRecord"]>): void {
    if (!this.#stop.stopped) this.#spreading.spreadRecord(...given);
  }

  /** Everything about members now. */
  status(): SwarmStatus {
    const members = [...this.#known.values()].map((known) => this.#statusOf(known));
    const own = this.#signer.vkey.text;
    return { own, room: this.#settings.room, members, routes: this.#graph.routes() };
  }

  get #party() {
    const { clock, random } = this.#world;
    return { clock, random, signer: this.#signer, staticKey: this.#staticKey };
  }

  /** Takes up the members of the configuration. Ourselves we are not. */
  #know(members: readonly MemberSettings[]): void {
    const others = members.filter(({ vkey }) => vkey !== this.#signer.vkey.text);
    const vkeys = new Set(others.map(({ vkey }) => vkey));
    for (const vkey of this.#known.keys()) if (!vkeys.has(vkey)) this.#known.delete(vkey);
    for (const { vkey, address } of others) {
      const known = this.#known.get(vkey);
      if (known !== undefined) known.address = address;
      else {
        this.#known.set(vkey, {
          ...{
            vkey: parseVkey(vkey),
            address,
            learned: [],
            turn: 0,
            hasLeft: false,
            starts: [],
            isTwice: false,
            refusals: {},
          },
        });
      }
    }
    this.#members.follow([this.#signer.vkey, ...[...this.#known.values()].map(({ vkey }) => vkey)]);
  }

  #knownAs(name: string): Known | undefined {
    return [...this.#known.values()].find(({ vkey }) => vkey.name === name);
  }

  *#links(): Generator<Link> {
    for (const { link } of this.#known.values()) if (link !== undefined) yield link;
  }

  *#neighbours(): Generator<Neighbour> {
    for (const { neighbour } of this.#links()) yield neighbour;
  }

  #isBanned(member: string): boolean {
    return this.#conduct.banOf(member) !== undefined;
  }

  #addressesOf(member: string): readonly Address[] {
    const known = this.#known.get(member);
    if (known === undefined) return [];
    const learned = known.learned.map(({ address }) => address);
    return [...(known.address === undefined ? [] : [known.address]), ...learned];
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
  #call(known: Known): void {
    this.#background.run(async () => {
      await this.#dial(known);
      this.#stop.wake();
    });
  }

  /** Calls a member that somebody wants to speak to now. */
  async #callNow(known: Known): Promise<void> {
    const { text } = known.vkey;
    if (this.#room.standing(text)?.isCalling !== false) return;
    if (this.#isBanned(text) || this.#addressesOf(text).length === 0) return;
    await this.#dial(known);
  }

  /** Calls a member once. It ends when the session has a seat, or there is none. */
  async #dial(known: Known): Promise<void> {
    const session = await this.#reach(known);
    if (session === undefined) return;
    const decided = Promise.withResolvers<void>();
    this.#background.run(() => this.#hold(session, () => decided.resolve()));
    await decided.promise;
  }

  /** Begins a session with a member, at one of its addresses. */
  async #reach(known: Known): Promise<Session | undefined> {
    const { text, name } = known.vkey;
    let reason: string | undefined;
    for (const address of this.#addressesToCall(known)) {
      try {
        const connection = await this.#calls.connect(this.#world.network, address, CONNECT_MS);
        return await callSession({
          ...{ party: this.#party, connection, expected: known.vkey },
          onStream: (stream) => this.#serve(stream, known.vkey),
        });
      } catch (error) {
        if (error instanceof Ended) return undefined;
        if (!(error instanceof WorldError || error instanceof SessionFault)) throw error;
        reason ??= error.message;
      }
      // It has called meanwhile.
      if (known.link !== undefined) break;
    }
    known.turn++;
    this.#room.failed(text);
    if (known.link !== undefined) return undefined;
    known.reason = reason ??= "no address of it is known";
    // If it said that it goes, this is no news.
    if (!known.hasLeft) this.#tell({ kind: "not reached", member: name, reason });
    return undefined;
  }

  /**
   * The address that is sure, or the likeliest, and in turn one of the others. Others may be lies: were
   * they called instead of it, whoever lies much could keep members apart.
   */
  #addressesToCall({ vkey, turn }: Known): readonly Address[] {
    const [first, ...others] = this.#addressesOf(vkey.text);
    if (first === undefined) return [];
    return others.length === 0 ? [first] : [first, others[turn % others.length]!];
  }

  /**
   * Holds a session from the hello to its end.
   * @param onSeated called once it is decided whether it has a seat, or needs none
   */
  async #hold(session: Session, onSeated: (isSeated: boolean) => void): Promise<void> {
    this.#sessions.add(session);
    try {
      if (session.isControl) {
        onSeated(true);
        return await this.#takeOrders(session);
      }
      const messages = session.messages();
      const link = await this.#greet(session, messages);
      onSeated(link !== undefined);
      if (link !== undefined) await this.#converse(link, messages);
    } catch (error) {
      if (!(error instanceof WorldError || error instanceof MalformedError)) throw error;
      session.close(error.message);
      this.#notSeated(session, error.message);
    } finally {
      onSeated(false);
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
    const known = this.#known.get(member.text);
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
    const isDowngrade = hello.versions.some((one) => one > 1 && SESSION_VERSIONS.includes(one));
    const answer = refusal ?? (isDowngrade ? "version" : undefined);
    if (answer !== undefined || hello.verdict !== "accepted") {
      if (known !== undefined) await this.#learn(known, session, hello);
      if (isCaller) this.#room.refused(member.text);
      const { verdict } = hello;
      if (verdict !== "accepted") {
        this.#tell({ kind: "not wanted", member: member.name, refusal: verdict });
      } else this.#tell({ kind: "turned away", caller: member.name, reason: answer! });
      if (known !== undefined) known.reason = `refused: ${answer ?? verdict}`;
      await this.#bye(session, answer ?? "not wanted");
      return undefined;
    }
    const admission = this.#room.admit(member.text, direction);
    if ("refusal" in admission) {
      await this.#bye(session, admission.refusal);
      return undefined;
    }
    const link = this.#seat(known!, session, { hello, ...admission });
    // It has its seat, so its own address makes nobody call it back.
    this.#background.run(() => this.#learn(known!, session, hello));
    return link;
  }

  #seat(
    known: Known,
    session: Session,
    { hello, seat, replaces }: { hello: Hello; seat: Seat; replaces: Seat | undefined },
  ): Link {
    const before = known.link;
    const neighbour = this.#neighbour(session, hello);
    const since = timeAt(this.#world.clock, this.#world.clock.monotonic());
    const link: Link = { session, seat, hello, neighbour, since };
    known.link = link;
    known.hasLeft = false;
    delete known.reason;
    if (replaces !== undefined && before !== undefined) this.#bye(before.session, REPLACED);
    this.#noteStart(known, hello.start);
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
        else throw new MalformedError(`a message of kind ${kind} came, which is not for now`);
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) this.#host.failed(error);
      session.close((error as Error).message);
    }
    const reason = said ?? (await session.closed).message;
    const known = this.#known.get(member.text);
    this.#room.left(seat);
    this.#linksSoon();
    this.#stop.wake();
    if (known?.link !== link) return;
    delete known.link;
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
      this.#host.failed(error);
    }
  }

  /** Why a session is refused; nothing if it is not. */
  #refusalOf(session: Session, direction: Direction): Refusal | undefined {
    if (this.#stop.stopped) return "shutting down";
    const { member, isAdmitted } = session;
    if (!isAdmitted || !this.#known.has(member.text)) return "unknown";
    if (this.#isBanned(member.text)) return "banned";
    const refusal = this.#room.mayAdmit(member.text, direction);
    if (refusal === "seated") return "in use";
    return refusal;
  }

  /** Notes that a session led to nothing. */
  #notSeated({ member, isCaller }: Session, reason: string): void {
    const known = this.#known.get(member.text);
    if (known !== undefined && known.link === undefined) known.reason = reason;
    if (this.#stop.stopped) return;
    if (!isCaller) return this.#tell({ kind: "turned away", caller: member.name, reason });
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
    return [...this.#links()].filter(({ session }) => session.member.text !== member)
      .map(({ session, hello }) => {
        const [address] = this.#addressesOf(session.member.text);
        const port = hello.port;
        const seen = port === undefined ? undefined : { hostname: session.remote.hostname, port };
        const told = address ?? seen;
        return { vkey: session.member.text, ...(told !== undefined && { address: told }) };
      });
  }

  /** Learns from a hello where members can be called, and whether our own numbers were used. */
  async #learn(known: Known, session: Session, hello: Hello): Promise<void> {
    if (hello.port !== undefined) {
      const address = { hostname: session.remote.hostname, port: hello.port };
      this.#learnAddress(known, { address, by: session.member.text });
    }
    for (const { vkey, address } of hello.members) {
      const other = this.#known.get(vkey);
      if (other === undefined || address === undefined) continue;
      this.#learnAddress(other, { address, by: session.member.text });
    }
    if (hello.heard === undefined) return;
    if (await this.#statements.heardByPeers(hello.heard) === "later") {
      this.#tell({ kind: "key used twice", member: this.#signer.vkey.name });
    }
  }

  /** Each member's word about another one is one address, and nobody's displaces its own. */
  #learnAddress(known: Known, said: Learned): void {
    if (isSameAddress(known.address, said.address)) return;
    const isItsOwn = ({ by }: Learned): boolean => by === known.vkey.text;
    const isSame = ({ address }: Learned): boolean => isSameAddress(address, said.address);
    if (known.learned.some((one) => isItsOwn(one) && isSame(one))) return;
    const others = known.learned.filter((one) => one.by !== said.by && !isSame(one));
    known.learned = [said, ...others]
      .toSorted((one, other) => Number(isItsOwn(other)) - Number(isItsOwn(one)))
      .slice(0, MAX_LEARNED);
    this.#stop.wake();
  }

  /** A start that comes again, after another one, is one of two that run at the same time. */
  #noteStart(known: Known, start: string): void {
    const at = known.starts.indexOf(start);
    if (!known.isTwice && at >= 0 && at < known.starts.length - 1) {
      known.isTwice = true;
      this.#tell({ kind: "key used twice", member: known.vkey.name });
    }
    known.starts = [...known.starts.filter((one) => one !== start), start].slice(-MAX_STARTS);
  }

  #neighbour(session: Session, hello: Hello): Neighbour {
    const logs = new Set(hello.logs);
    return {
      vkey: session.member,
      name: session.member.name,
      follows: (logHash) => logs.has(logHash),
      post: (kind, body) => {
        session.send(kind, body).catch((error) => {
          // If the other end does not read, or has gone, its session says so.
          if (!(error instanceof WorldError)) this.#host.failed(error);
        });
      },
    };
  }

  #serve(stream: Connection, { name }: Vkey): void {
    this.#background.run(() => this.#host.serve(stream, name));
  }

  /** Ends the session with a member, because it is banned or left. */
  #putOut(member: Vkey, why: "banned" | "left"): void {
    const known = this.#known.get(member.text);
    if (known === undefined) return;
    if (why === "left") {
      known.hasLeft = true;
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
    const links = [...this.#links()].flatMap(({ session }) =>
      session.roundTripMs === undefined ? [] : [[session.member.text, session.roundTripMs] as const]
    );
    await this.#spreading.sayLinks(links);
  }

  async #save(): Promise<void> {
    // Who has no members leaves no files.
    if (this.#known.size === 0) return;
    await this.#replay.save();
    await this.#conduct.save();
    const addresses = [...this.#known].map(([vkey, { learned }]) => [
      vkey,
      learned.map(({ address }) => formatAddress(address)),
    ]);
    await writeSmallFile(this.#file, {
      anchors: this.#room.anchors(),
      addresses: Object.fromEntries(addresses),
    });
  }

  #tell(happened: SwarmNews): void {
    if (happened.kind === "refused") {
      const known = this.#knownAs(happened.member);
      if (known !== undefined) {
        known.refusals[happened.refused] = (known.refusals[happened.refused] ?? 0) + 1;
      }
    }
    this.#host.tell(happened);
  }

  /** Does what this monitor's own operator asks, who has its key. */
  async #takeOrders(session: Session): Promise<void> {
    for await (const { kind, body } of session.messages()) {
      if (kind !== KIND.control) continue;
      const answer = await this.#obey(readControl(body));
      await session.send(KIND.controlAnswer, utf8(JSON.stringify(answer)));
    }
  }

  async #obey({ do: action, member, reason = "", forMs }: Control): Promise<object> {
    if (action === "peers") return this.status();
    const vkey = member === undefined ? undefined : this.#known.get(member)?.vkey;
    if (vkey === undefined) return { refused: "it is no member of the running configuration" };
    if (action === "unban") {
      await this.#conduct.unban(vkey.text);
      this.#stop.wake();
    } else {
      const until = forMs === undefined
        ? undefined
        : timeOf(this.#world.clock.now().getTime() + forMs);
      await this.#conduct.ban(vkey.text, { reason, ...(until !== undefined && { until }) });
      this.#tell({ kind: "banned", member: vkey.name, reason, until });
      this.#putOut(vkey, "banned");
    }
    return { done: true };
  }

  #statusOf(known: Known): MemberStatus {
    const { vkey: { text, name }, link, reason, hasLeft } = known;
    const standing = this.#room.standing(text);
    const [address] = link === undefined ? this.#addressesOf(text) : [link.session.remote];
    const ban = this.#conduct.banOf(text);
    const next = standing?.mayCallAt;
    const state = ban !== undefined
      ? "banned"
      : link !== undefined
      ? "connected"
      : standing?.isCalling
      ? "calling"
      : hasLeft
      ? "left"
      : address === undefined
      ? "no address"
      : "away";
    return {
      ...{ name, vkey: text, state },
      ...(address !== undefined && { address: formatAddress(address) }),
      ...(link !== undefined && { direction: link.seat.direction, since: link.since }),
      ...(link?.session.roundTripMs !== undefined && { roundTripMs: link.session.roundTripMs }),
      ...(link !== undefined && { software: link.hello.software }),
      failures: standing?.failures ?? 0,
      ...(Object.keys(known.refusals).length > 0 && { refusals: { ...known.refusals } }),
      ...(link === undefined && reason !== undefined && { reason }),
      ...(next !== undefined && ban === undefined &&
        { nextCallAt: timeAt(this.#world.clock, next) }),
      ...(ban !== undefined && { bannedBecause: ban.reason }),
      ...(ban?.until !== undefined && { bannedUntil: ban.until }),
    };
  }
}

/** Shortest pause between two looks at what is due. */
const MIN_PAUSE_MS = 10;
const ROTATED = "another member has its turn";
const REPLACED = "there is another session";
const LEFT = "it left";

function whyAway({ address, learned, reason }: Known): string {
  if (reason !== undefined) return reason;
  if (address === undefined && learned.length === 0) return "no address of it is known yet";
  return "there is no session with it";
}

/** The reason in a goodbye. It is somebody's word. */
function shortText(body: Uint8Array): string {
  try {
    const { reason } = JSON.parse(textOf(body)) as { reason?: unknown };
    return typeof reason === "string" ? reason.slice(0, 200) : "it said goodbye";
  } catch {
    return "it said goodbye";
  }
}

/** What is remembered of members over a restart. Losing it costs time, and nothing else. */
interface Remembered {
  readonly anchors: readonly string[];
  /** By vkey, the addresses that were learned. */
  readonly addresses: ReadonlyMap<string, readonly Address[]>;
}

async function readRemembered(
  file: SmallFile,
  onDamage: (detail: string) => void,
): Promise<Remembered> {
  try {
    const { anchors = [], addresses = {} } = await readSmallFile(file) ?? {};
    listOf(text)(anchors, "anchors");
    if (!isObject(addresses)) throw new MalformedError("addresses is no object");
    const known = Object.entries(addresses).map(([vkey, list]) => {
      listOf(text)(list, "addresses");
      return [vkey, (list as string[]).slice(0, MAX_LEARNED).map(parseAddress)] as const;
    });
    return { anchors: anchors as string[], addresses: new Map(known) };
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    onDamage(`${REMEMBERED_FILE} is damaged, and is not used: ${error.message}`);
    return { anchors: [], addresses: new Map() };
  }
}
