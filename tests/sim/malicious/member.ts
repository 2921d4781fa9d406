/**
 * A malicious member: it holds a key that honest monitors have in their lists, speaks sessions as they
 * do, and behaves as its behaviour says. It calls everyone again and again, and answers whoever calls.
 *
 * @module
 */
import { canonicalize } from "@std/json/canonicalize";
import { utf8 } from "../../../src/tlog/encoding.ts";
import { MalformedError } from "../../../src/tlog/malformed.ts";
import { parseVkey } from "../../../src/tlog/vkey.ts";
import { encodeHello, type Hello, readHello } from "../../../src/swarm/hello.ts";
import { MAX_HOPS } from "../../../src/swarm/rumour.ts";
import {
  answerSession,
  callSession,
  KIND,
  newStaticKey,
  type Session,
  SESSION_LIMITS,
  SessionFault,
  type SessionMessage,
} from "../../../src/swarm/session.ts";
import { makeStatement, type Saying, type StatementBody } from "../../../src/swarm/statement.ts";
import type { Signer } from "../../../src/world/signer.ts";
import { timeNow } from "../../../src/world/time.ts";
import { type Address, type Connection, WorldError } from "../../../src/world/world.ts";
import type { Draw } from "../draw.ts";
import type { SimMachine, SimNetwork } from "../network.ts";
import { MachineTime, type SimTime } from "../time.ts";

/** The longest pause before somebody is called again, and the longest session. */
const MAX_PAUSE_MS = 30_000;
const HOLD_MS = 300_000;
const CONNECT_MS = 10_000;
/** Messages that it remembers of those it heard. */
const MAX_HEARD = 64;

/** An honest monitor that has it in its list. */
export interface Target {
  readonly number: number;
  readonly vkey: string;
  readonly address: Address;
}

/** A session with an honest monitor, and the connection under it. */
export interface Talk {
  readonly session: Session;
  readonly connection: Connection;
  readonly target: Target;
}

/** What a malicious member does differently from an honest one. */
export interface Behaviour {
  /** What it sends instead of a handshake; nothing if it makes a proper one. */
  opening?(means: Means): Uint8Array | undefined;
  /** What it says in its hello, besides what everybody says. */
  hello?(means: Means): Partial<Hello>;
  /** Changes a connection before the session begins. */
  tap?(connection: Connection, means: Means): Connection;
  /** What it does in a session. It ends when this returns, and somebody is called anew later. */
  inSession?(talk: Talk, means: Means): Promise<void>;
}

/** What a behaviour has at hand. */
export interface Means {
  readonly draw: Draw;
  readonly time: SimTime;
  readonly targets: readonly Target[];
  /** What it heard in all its sessions, the latest last. */
  readonly heard: readonly SessionMessage[];
  /** Addresses that are its own. */
  readonly addresses: readonly Address[];
  isOver(session: Session): boolean;
  /** A statement of its own, under the next number or a chosen one, as the bytes of a message. */
  state(saying: Saying, number?: bigint): Promise<{ said: Uint8Array; rumour: Uint8Array }>;
  /** Notes that it said one of two different things to somebody, under one number. */
  toldApart(target: Target): void;
}

/** See the module. */
export class MaliciousMember {
  readonly #behaviour: Behaviour;
  readonly #machines: readonly SimMachine[];
  readonly #network: SimNetwork;
  readonly #time: SimTime;
  readonly #draw: Draw;
  readonly #port: number;
  readonly #targets: readonly Target[];
  readonly #party;
  readonly #means: Means;
  readonly #heard: SessionMessage[] = [];
  readonly #sessions = new Set<Session>();
  #sequence = 0n;
  #isOver = false;

  constructor(fields: {
    behaviour: Behaviour;
    /** The first one is where it answers. */
    machines: readonly SimMachine[];
    network: SimNetwork;
    time: SimTime;
    draw: Draw;
    signer: Signer;
    port: number;
    targets: readonly Target[];
    onToldApart: (target: Target) => void;
  }) {
    const { behaviour, machines, network, time, draw, signer, port, targets } = fields;
    this.#behaviour = behaviour;
    this.#machines = machines;
    this.#network = network;
    this.#time = time;
    this.#draw = draw;
    this.#port = port;
    this.#targets = targets;
    const machineTime = new MachineTime({ time, rate: 1 });
    const clock = machineTime.clock(() => !this.#isOver);
    const random = { bytes: (count: number) => draw.bytes(count) };
    this.#party = { clock, random, signer, staticKey: newStaticKey(random) };
    const epoch = BigInt(Math.floor(clock.now().getTime() / 1_000));
    this.#means = {
      ...{ draw, time, targets, heard: this.#heard },
      addresses: machines.map(({ hostname }) => ({ hostname, port })),
      isOver: (session) => this.#isOver || session.fault !== undefined,
      state: async (saying, number = ++this.#sequence) => {
        const body = { ...saying, time: timeNow(clock) } as StatementBody;
        const statement = await makeStatement({ signer, epoch, sequence: number, body });
        const rumour = { hops: MAX_HOPS, what: "statement", item: statement.json };
        return { said: utf8(statement.text), rumour: utf8(canonicalize(rumour)) };
      },
      toldApart: fields.onToldApart,
    };
  }

  /** Begins to call and to answer. */
  start(): void {
    void this.#answerAll();
    for (const target of this.#targets) void this.#callAgain(target);
  }

  /** Ends it. */
  stop(): void {
    this.#isOver = true;
    for (const session of this.#sessions) session.close();
  }

  async #callAgain(target: Target): Promise<void> {
    while (!this.#isOver) {
      await this.#time.pause(this.#draw.share() * MAX_PAUSE_MS);
      if (this.#isOver) return;
      const network = this.#network.at(this.#draw.pick(this.#machines));
      await this.#trying(async () => {
        const connection = await network.connect(target.address, CONNECT_MS);
        await this.#holding(connection, () => this.#call(connection, target));
      });
    }
  }

  async #call(given: Connection, target: Target): Promise<void> {
    const opening = this.#behaviour.opening?.(this.#means);
    if (opening !== undefined) {
      await given.write(opening);
      return await this.#time.pause(this.#draw.below(MAX_PAUSE_MS));
    }
    const connection = this.#behaviour.tap?.(given, this.#means) ?? given;
    const session = await callSession({
      ...{ party: this.#party, connection, expected: parseVkey(target.vkey) },
      onStream: (stream) => stream.close(),
    });
    await this.#converse({ session, connection, target });
  }

  async #answerAll(): Promise<void> {
    const [machine] = this.#machines;
    const listener = this.#network.at(machine!).listen({
      hostname: machine!.hostname,
      port: this.#port,
    });
    for (let next; !this.#isOver && (next = await listener.accept()) !== undefined;) {
      const connection = next;
      void this.#trying(() => this.#holding(connection, () => this.#answer(connection)));
    }
    listener.close();
  }

  async #answer(connection: Connection): Promise<void> {
    const session = await answerSession({
      ...{ party: this.#party, connection, speaksToStrangers: false },
      admits: ({ text }) => this.#targets.some(({ vkey }) => vkey === text),
      onStream: (stream) => stream.close(),
    });
    const target = this.#targets.find(({ vkey }) => vkey === session.member.text)!;
    await this.#converse({ session, connection, target });
  }

  async #converse(talk: Talk): Promise<void> {
    const { session } = talk;
    this.#sessions.add(session);
    try {
      await session.send(KIND.hello, encodeHello(this.#hello(session)));
      const messages = session.messages();
      const { value } = await messages.next();
      if (value === undefined || readHello(value.body).verdict !== "accepted") return;
      const listening = this.#listen(messages);
      await this.#behaviour.inSession?.(talk, this.#means);
      session.close();
      await listening;
    } finally {
      session.close();
      this.#sessions.delete(session);
    }
  }

  async #listen(messages: AsyncGenerator<SessionMessage, void>): Promise<void> {
    for await (const message of messages) {
      this.#heard.push(message);
      if (this.#heard.length > MAX_HEARD) this.#heard.shift();
    }
  }

  #hello({ remote }: Session): Hello {
    return {
      ...{ versions: [1], software: "hearsay/0.1.0", start: "0".repeat(32), logs: [] },
      ...{ seen: remote.hostname, port: this.#port, verdict: "accepted", members: [] },
      limits: { messageBytes: SESSION_LIMITS.maxRumourBytes, streams: SESSION_LIMITS.maxStreams },
      ...this.#behaviour.hello?.(this.#means),
    };
  }

  async #holding(connection: Connection, work: () => Promise<void>): Promise<void> {
    const timer = this.#time.after(HOLD_MS, () => connection.close());
    try {
      await work();
    } finally {
      timer.cancel();
      connection.close();
    }
  }

  /** What others refuse is nothing to it. Any other error is a fault of the simulation. */
  async #trying(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const isRefusal = [WorldError, SessionFault, MalformedError]
        .some((kind) => error instanceof kind);
      if (!isRefusal) throw error;
    }
  }
}
