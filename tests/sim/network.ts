/**
 * A network between simulated machines, like TCP over bad links. Segments are delayed, lost and sent
 * again, doubled, and overtaken by others. Links are cut and come back. Machines vanish without a
 * word. A program sees a stream that stalls, comes in odd pieces, or breaks.
 *
 * @module
 */
import { formatAddress } from "../../src/world/address.ts";
import {
  type Address,
  type Connection,
  type Listener,
  type Network,
  WorldError,
} from "../../src/world/world.ts";
import type { Draw } from "./draw.ts";
import { isSession } from "../../src/swarm/session.ts";
import { roundTripMs } from "./round_trips.ts";
import type { SimTime } from "./time.ts";

/** How bad the links are. */
export interface Weather {
  /** The shortest time that a segment takes, and how much longer it may take, in milliseconds. */
  readonly delayMs: number;
  readonly jitterMs: number;
  /** The share of segments that get lost, and the share that come twice. */
  readonly loss: number;
  readonly doubled: number;
  /** The most bytes of a segment. */
  readonly segmentBytes: number;
  /** A write waits while so many bytes are under way or not read yet. */
  readonly windowBytes: number;
}

/** The time before a lost segment is sent again. It doubles each time. */
const RESEND_MS = 250;
/** How often a segment is sent before the connection is given up. */
const MAX_SENDS = 7;

const CLOSED_HERE = new WorldError("closed", "closed here");
const RESET = new WorldError("other", "Connection reset by peer (os error 104)");
const BROKEN = new WorldError("other", "Broken pipe (os error 32)");
const TIMED_OUT = new WorldError("timed out", "Connection timed out (os error 110)");
const REFUSED = new WorldError("other", "Connection refused (os error 111)");

/** A piece of a stream. */
interface Segment {
  readonly number: number;
  readonly bytes: Uint8Array;
  /** Whether it is the stream's end. */
  readonly ends: boolean;
}

/** One end of a connection. */
export class Socket implements Connection {
  readonly remote: Address;
  readonly #network: SimNetwork;
  readonly machine: SimMachine;
  /** When its program got it, in ms since the start; nothing while it waits to be accepted. */
  openedAt: number | undefined;
  other: Socket | undefined;
  /** Resolved, and replaced by a new one, whenever something changes. */
  #change = Promise.withResolvers<void>();
  /** Bytes that have arrived in order and are not read yet. */
  readonly #arrived: Uint8Array[] = [];
  /** Segments that have arrived before an earlier one. */
  readonly #early = new Map<number, Segment>();
  #nextIn = 0;
  #nextOut = 0;
  #hasEnded = false;
  #isFinishing = false;
  /** How many bytes this end has sent that the other has not read. */
  unread = 0;
  #fault: WorldError | undefined;
  isOpen = true;
  /** Whether its caller has begun a session between members. */
  isSession = false;

  constructor(fields: { network: SimNetwork; machine: SimMachine; remote: Address; at?: number }) {
    this.#network = fields.network;
    this.machine = fields.machine;
    this.remote = fields.remote;
    this.openedAt = fields.at;
    this.machine.sockets.add(this);
  }

  async read(buffer: Uint8Array): Promise<number | undefined> {
    for (;;) {
      const first = this.#arrived[0];
      if (first !== undefined && this.isOpen) {
        const count = Math.min(first.length, buffer.length);
        buffer.set(first.subarray(0, count));
        if (count === first.length) this.#arrived.shift();
        else this.#arrived[0] = first.subarray(count);
        this.other?.wasRead(count);
        return count;
      }
      if (this.#fault !== undefined) throw this.#fault;
      if (this.#hasEnded) return undefined;
      await this.#change.promise;
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { windowBytes, segmentBytes } = this.#network.weather;
    // The caller may use its buffer again as soon as this resolves.
    const own = bytes.slice();
    const { other } = this;
    const isFirst = this.#nextOut === 0 && other !== undefined && other.#nextOut === 0;
    if (isFirst && own.length > 0 && isSession(own[0]!)) this.isSession = other.isSession = true;
    for (let at = 0;;) {
      if (this.#fault !== undefined) throw this.#fault === RESET ? BROKEN : this.#fault;
      if (this.#isFinishing) throw BROKEN;
      if (at >= own.length) return;
      const room = Math.min(windowBytes - this.unread, segmentBytes, own.length - at);
      if (room <= 0) {
        await this.#change.promise;
        continue;
      }
      const length = this.#network.pieceOf(room);
      this.unread += length;
      this.#send({ bytes: own.subarray(at, at + length), ends: false });
      at += length;
    }
  }

  closeWrite(): Promise<void> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    this.#finish();
    return Promise.resolve();
  }

  /** Closes this end. What was sent still arrives; what comes from now on is answered with a reset. */
  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.machine.sockets.delete(this);
    if (this.#arrived.length > 0) this.#reset();
    else this.#finish();
    this.#fail(CLOSED_HERE);
  }

  /** A program has accepted this connection. */
  accepted(): void {
    this.openedAt = this.#network.time.now;
  }

  /** The machine is gone, and the other end is not told. */
  vanish(): void {
    this.isOpen = false;
    this.machine.sockets.delete(this);
    this.#isFinishing = true;
    this.#fail(CLOSED_HERE);
  }

  #finish(): void {
    if (this.#isFinishing) return;
    this.#isFinishing = true;
    this.#send({ bytes: new Uint8Array(0), ends: true });
  }

  #reset(): void {
    this.#isFinishing = true;
    this.#network.carry(this, () => this.other?.wasReset());
  }

  #send(piece: Omit<Segment, "number">): void {
    this.#resend({ ...piece, number: this.#nextOut++ }, 1);
  }

  #resend(segment: Segment, times: number): void {
    const { machine, other } = this;
    // A machine that lost its power sends nothing again.
    if (machine.isDown || other === undefined) return;
    const carried = this.#network.carry(this, () => this.#network.deliver(this, segment));
    if (carried) return;
    this.#network.time.after(RESEND_MS * 2 ** (times - 1), () => {
      if (this.#fault !== undefined && this.#fault !== CLOSED_HERE) return;
      if (times < MAX_SENDS) this.#resend(segment, times + 1);
      else this.#fail(TIMED_OUT);
    });
  }

  /** A segment has arrived. */
  take(segment: Segment): void {
    // This end is closed.
    if (!this.isOpen) {
      if (segment.ends || this.machine.isDown) return;
      this.#network.carry(this, () => this.other?.wasReset());
      return;
    }
    if (segment.number < this.#nextIn) return;
    this.#early.set(segment.number, segment);
    for (let next; (next = this.#early.get(this.#nextIn)) !== undefined;) {
      this.#early.delete(this.#nextIn++);
      if (next.ends) this.#hasEnded = true;
      else this.#arrived.push(next.bytes);
    }
    this.#changed();
  }

  /** The other end has read so many bytes. */
  wasRead(count: number): void {
    this.unread -= count;
    this.#changed();
  }

  /** The other end knows nothing of this connection. */
  wasReset(): void {
    if (this.isOpen) this.#fail(RESET);
  }

  #fail(fault: WorldError): void {
    this.#fault ??= fault;
    this.#changed();
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}

/** One machine in the network. */
export interface SimMachine {
  readonly hostname: string;
  /** Where it is: see round_trips.ts. */
  readonly region: number | undefined;
  /** The connections that are open at this machine's end. */
  readonly sockets: Set<Socket>;
  readonly listeners: Map<number, SimListener>;
  /** Whether it has no power. */
  isDown: boolean;
  /** Whether accepting fails because there are no descriptors. */
  acceptFails: boolean;
}

const NO_DESCRIPTORS = new WorldError("exhausted", "Too many open files (os error 24)");

/** A listening socket. */
export class SimListener implements Listener {
  readonly address: Address;
  readonly #machine: SimMachine;
  readonly #waiting: Socket[] = [];
  #change = Promise.withResolvers<void>();
  #open = true;

  constructor({ machine, address }: { machine: SimMachine; address: Address }) {
    this.#machine = machine;
    this.address = address;
    machine.listeners.set(address.port, this);
  }

  async accept(): Promise<Connection | undefined> {
    while (this.#open) {
      const next = this.#waiting.shift();
      if (next !== undefined) {
        if (!this.#machine.acceptFails) {
          next.accepted();
          return next;
        }
        this.#waiting.unshift(next);
        throw NO_DESCRIPTORS;
      }
      await this.#change.promise;
    }
    return undefined;
  }

  push(socket: Socket): void {
    this.#waiting.push(socket);
    this.#changed();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#machine.listeners.delete(this.address.port);
    for (const socket of this.#waiting) socket.close();
    this.#changed();
  }

  #changed(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }
}

const FIRST_FREE_PORT = 50_000;

/** All links between all machines. */
export class SimNetwork {
  readonly time: SimTime;
  readonly #draw: Draw;
  readonly #machines = new Map<string, SimMachine>();
  readonly #onBytes: (bytes: Uint8Array) => void;
  /** Pairs of machines, in either order, between which nothing gets through. */
  readonly #cut = new Set<string>();
  weather: Weather;
  #nextPort = FIRST_FREE_PORT;
  /** How many connections were begun, and how many bytes were delivered. */
  readonly carried = { connections: 0, bytes: 0 };

  constructor(fields: {
    time: SimTime;
    draw: Draw;
    weather: Weather;
    /** Called with everything that is delivered, in order. */
    onBytes: (bytes: Uint8Array) => void;
  }) {
    this.time = fields.time;
    this.#draw = fields.draw;
    this.weather = fields.weather;
    this.#onBytes = fields.onBytes;
  }

  /** Adds a machine to the network. */
  machine(hostname: string, region?: number): SimMachine {
    const machine: SimMachine = {
      ...{ hostname, region },
      sockets: new Set(),
      listeners: new Map(),
      isDown: false,
      acceptFails: false,
    };
    this.#machines.set(hostname, machine);
    return machine;
  }

  /** Cuts or mends the link between two machines. */
  cut(a: string, b: string, isCut: boolean): void {
    for (const link of [`${a} ${b}`, `${b} ${a}`]) {
      if (isCut) this.#cut.add(link);
      else this.#cut.delete(link);
    }
  }

  /** Whether the link between two machines is cut. */
  isCut(a: string, b: string): boolean {
    return this.#cut.has(`${a} ${b}`);
  }

  /** Mends every link. */
  mend(): void {
    this.#cut.clear();
  }

  /** The network as the programs of one machine use it. */
  at(machine: SimMachine): Network {
    return {
      listen: ({ hostname, port }) => {
        const address = { hostname, port: port === 0 ? this.#nextPort++ : port };
        if (!machine.listeners.has(address.port)) return new SimListener({ machine, address });
        throw new WorldError("other", "Address already in use (os error 98)");
      },
      connect: (address, timeoutMs) => this.#connect(machine, address, timeoutMs),
    };
  }

  /** How many bytes go into the next segment, of those that may be sent. */
  pieceOf(room: number): number {
    return this.#draw.chance(0.05) ? this.#draw.between(1, room) : room;
  }

  /** Sends something one way. @returns false if it got lost */
  carry(from: Socket, arrive: () => void): boolean {
    return this.#carry(from.machine.hostname, from.remote.hostname, arrive);
  }

  #carry(from: string, to: string, arrive: () => void): boolean {
    const { delayMs, jitterMs, loss, doubled } = this.weather;
    if (this.#cut.has(`${from} ${to}`) || this.#draw.chance(loss)) return false;
    const times = this.#draw.chance(doubled) ? 2 : 1;
    const [here, there] = [this.#machines.get(from)?.region, this.#machines.get(to)?.region];
    const distanceMs = here === undefined || there === undefined
      ? delayMs
      : roundTripMs(here, there) / 2;
    for (let i = 0; i < times; i++) {
      this.time.after(distanceMs + this.#draw.share() * jitterMs, arrive);
    }
    return true;
  }

  /** A segment has reached the other end's machine. */
  deliver(from: Socket, segment: Segment): void {
    const { other } = from;
    if (other === undefined || other.machine.isDown) return;
    this.carried.bytes += segment.bytes.length;
    this.#onBytes(segment.bytes);
    other.take(segment);
  }

  async #connect(machine: SimMachine, to: Address, timeoutMs: number): Promise<Connection> {
    this.carried.connections++;
    const local: Address = { hostname: machine.hostname, port: this.#nextPort++ };
    const answer = Promise.withResolvers<Socket>();
    const giveUp = this.time.after(timeoutMs, () => {
      answer.reject(new WorldError("timed out", `no connection within ${timeoutMs} ms`));
    });
    let asked = false;
    const ask = (times: number): void => {
      if (asked) return;
      const arrive = (): void => {
        const there = this.#machines.get(to.hostname);
        if (there === undefined || there.isDown || asked) return;
        asked = true;
        this.#answer({ from: machine, local, there, to, answer });
      };
      if (!this.#carry(machine.hostname, to.hostname, arrive)) {
        this.time.after(1_000 * times, () => ask(times + 1));
      }
    };
    ask(1);
    // A program that gave up does not learn of a later answer.
    try {
      return await answer.promise;
    } finally {
      asked = true;
      giveUp.cancel();
    }
  }

  #answer({ from, local, there, to, answer }: {
    from: SimMachine;
    local: Address;
    there: SimMachine;
    to: Address;
    answer: PromiseWithResolvers<Socket>;
  }): void {
    const listener = there.listeners.get(to.port);
    const back = (arrive: () => void): void =>
      void this.#carry(there.hostname, from.hostname, arrive);
    if (listener === undefined) return back(() => answer.reject(REFUSED));
    const far = new Socket({ network: this, machine: there, remote: local });
    listener.push(far);
    back(() => {
      if (from.isDown || far.other !== undefined) return;
      // If the caller has given up, it cannot close this connection, so it is closed here.
      const near = new Socket({ network: this, machine: from, remote: to, at: this.time.now });
      [near.other, far.other] = [far, near];
      answer.promise.then(
        (got) => {
          if (got !== near) near.close();
        },
        () => near.close(),
      );
      answer.resolve(near);
    });
  }
}

/** The two ends of a connection, for messages. */
export function nameOf({ machine, remote }: Socket): string {
  return `${machine.hostname} and ${formatAddress(remote)}`;
}
