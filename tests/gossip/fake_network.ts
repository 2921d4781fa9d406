/**
 * A clock and a network in memory. Nothing happens by itself: time passes when the test says so,
 * bytes arrive when somebody writes them. So a limit of twenty seconds is tested in no time, and a
 * run is the same every time.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { concat } from "@std/bytes/concat";
import { formatAddress } from "../../src/world/address.ts";
import {
  type Address,
  type Clock,
  type Connection,
  type Listener,
  type Network,
  type Timer,
  WorldError,
} from "../../src/world/world.ts";

/** Resolves after one turn of the event loop: by then all that could go on in memory has gone on. */
export function settled(): Promise<void> {
  return new Promise((resolve) => void setImmediate(() => resolve()));
}

/** Time that passes only when told to. */
export class ManualClock implements Clock {
  static readonly #start = Date.UTC(2026, 0, 1);
  #elapsed = 0;
  /** By when they are due, and among equals in the order they were asked for. */
  readonly #due: { at: number; run: () => void }[] = [];

  now(): Date {
    return new Date(ManualClock.#start + this.#elapsed);
  }

  monotonic(): number {
    return this.#elapsed;
  }

  after(ms: number, run: () => void): Timer {
    const call = { at: this.#elapsed + ms, run };
    const later = this.#due.findIndex(({ at }) => at > call.at);
    this.#due.splice(later < 0 ? this.#due.length : later, 0, call);
    return {
      cancel: () => {
        const place = this.#due.indexOf(call);
        if (place >= 0) this.#due.splice(place, 1);
      },
    };
  }

  /** How many calls are due some time. */
  get pending(): number {
    return this.#due.length;
  }

  /** Lets time pass: makes the calls that fall due, and lets each take effect before the next. */
  async advance(ms: number): Promise<void> {
    await settled();
    const end = this.#elapsed + ms;
    for (let next; (next = this.#due[0]) !== undefined && next.at <= end;) {
      this.#due.shift();
      this.#elapsed = next.at;
      next.run();
      await settled();
    }
    this.#elapsed = end;
  }
}

/** A clock whose wall part can be set. */
export class SettableClock extends ManualClock {
  /** Milliseconds the wall clock is ahead. */
  ahead = 0;

  override now(): Date {
    return new Date(super.now().getTime() + this.ahead);
  }
}

const CLOSED_HERE = new WorldError("closed", "closed here");
const RESET = new WorldError("other", "connection reset by peer");

/** Something that others wait for: `change` wakes everyone who waits. */
class Signal {
  #next = Promise.withResolvers<void>();

  get changed(): Promise<void> {
    return this.#next.promise;
  }

  change(): void {
    this.#next.resolve();
    this.#next = Promise.withResolvers();
  }
}

/** Bytes on their way in one direction; when it is full, whoever writes waits for the reader. */
class Pipe {
  readonly #capacity: number;
  readonly #signal = new Signal();
  #held: Uint8Array = new Uint8Array(0);
  #ended = false;
  #readFails: WorldError | undefined;
  #writeFails: WorldError | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get held(): number {
    return this.#held.length;
  }

  async read(buffer: Uint8Array): Promise<number | undefined> {
    while (this.#held.length === 0 || this.#readFails !== undefined) {
      if (this.#readFails !== undefined) throw this.#readFails;
      if (this.#ended) return undefined;
      await this.#signal.changed;
    }
    const count = Math.min(buffer.length, this.#held.length);
    buffer.set(this.#held.subarray(0, count));
    this.#held = this.#held.subarray(count);
    this.#signal.change();
    return count;
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length || this.#writeFails !== undefined;) {
      if (this.#writeFails !== undefined) throw this.#writeFails;
      const count = Math.min(this.#capacity - this.#held.length, bytes.length - at);
      if (count === 0) {
        await this.#signal.changed;
        continue;
      }
      this.#held = concat([this.#held, bytes.subarray(at, at + count)]);
      at += count;
      this.#signal.change();
    }
  }

  /** Nothing more comes; what is on its way arrives. */
  end(): void {
    this.#ended = true;
    this.#signal.change();
  }

  /** From now on reading or writing fails. */
  fail({ reading, writing }: { reading?: WorldError; writing?: WorldError }): void {
    this.#readFails ??= reading;
    this.#writeFails ??= writing;
    this.#signal.change();
  }
}

/** One end of a connection in memory. */
export class FakeConnection implements Connection {
  readonly remote: Address;
  readonly #incoming: Pipe;
  readonly #outgoing: Pipe;

  constructor({ remote, incoming, outgoing }: { remote: Address; incoming: Pipe; outgoing: Pipe }) {
    this.remote = remote;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  /** Bytes that have come and were not read yet. */
  get arrived(): number {
    return this.#incoming.held;
  }

  read(buffer: Uint8Array): Promise<number | undefined> {
    return this.#incoming.read(buffer);
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#outgoing.write(bytes);
  }

  closeWrite(): Promise<void> {
    this.#outgoing.end();
    this.#outgoing.fail({ writing: CLOSED_HERE });
    return Promise.resolve();
  }

  /** What was sent still arrives; what the other end sends from now on fails there. */
  close(): void {
    this.#outgoing.end();
    this.#outgoing.fail({ writing: CLOSED_HERE });
    this.#incoming.fail({ reading: CLOSED_HERE, writing: RESET });
  }

  /** Breaks off at once: what was sent and not read yet is lost as well. */
  reset(): void {
    this.#outgoing.fail({ reading: RESET, writing: CLOSED_HERE });
    this.#incoming.fail({ reading: CLOSED_HERE, writing: RESET });
  }
}

/** A listener in memory; it can be told to fail, as when no descriptors are left. */
export class FakeListener implements Listener {
  readonly address: Address;
  readonly #signal = new Signal();
  readonly #waiting: (FakeConnection | WorldError)[] = [];
  readonly #onClose: () => void;
  #open = true;

  constructor(address: Address, onClose: () => void) {
    this.address = address;
    this.#onClose = onClose;
  }

  async accept(): Promise<FakeConnection | undefined> {
    while (this.#open) {
      const next = this.#waiting.shift();
      if (next instanceof WorldError) throw next;
      if (next !== undefined) return next;
      await this.#signal.changed;
    }
    return undefined;
  }

  /** What the next free `accept` gives, or throws. */
  push(next: FakeConnection | WorldError): void {
    this.#waiting.push(next);
    this.#signal.change();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#onClose();
    for (const one of this.#waiting) if (one instanceof FakeConnection) one.reset();
    this.#signal.change();
  }
}

/** A network as one host sees it. */
export interface HostNetwork extends Network {
  connect(to: Address, timeoutMs: number): Promise<FakeConnection>;
}

const FIRST_FREE_PORT = 50_000;

/** Hosts in memory that can all reach each other. */
export class FakeNetwork {
  readonly #clock: Clock;
  readonly #capacity: number;
  readonly #listeners = new Map<string, FakeListener>();
  readonly #swallowing = new Set<string>();
  readonly #forwarded = new Map<string, string>();
  #nextPort = FIRST_FREE_PORT;

  /** @param capacity bytes a connection holds in each direction before a write waits */
  constructor({ clock, capacity = 64 * 1024 }: { clock: Clock; capacity?: number }) {
    this.#clock = clock;
    this.#capacity = capacity;
  }

  /** The network as one host sees it: what connects from here has this address. */
  at(hostname: string): HostNetwork {
    return {
      listen: (address) => this.listen(address),
      connect: (to, timeoutMs) => this.#connect({ hostname, to, timeoutMs }),
    };
  }

  /** @throws WorldError if somebody listens there already */
  listen({ hostname, port }: Address): FakeListener {
    const address = { hostname, port: port === 0 ? this.#nextPort++ : port };
    const name = formatAddress(address);
    if (this.#listeners.has(name)) throw new WorldError("other", `${name} is in use`);
    const listener = new FakeListener(address, () => this.#listeners.delete(name));
    this.#listeners.set(name, listener);
    return listener;
  }

  /** From now on who calls `from` reaches `to`, as through NAT or by another name of a host. */
  forward(from: Address, to: Address): void {
    this.#forwarded.set(formatAddress(from), formatAddress(to));
  }

  /** From now on nothing that is sent to this address gets there, and nobody is told so. */
  swallow(address: Address): void {
    this.#swallowing.add(formatAddress(address));
  }

  #connect(
    { hostname, to, timeoutMs }: { hostname: string; to: Address; timeoutMs: number },
  ): Promise<FakeConnection> {
    if (this.#swallowing.has(formatAddress(to))) {
      const error = new WorldError("timed out", `no connection within ${timeoutMs} ms`);
      return new Promise((_, reject) => this.#clock.after(timeoutMs, () => reject(error)));
    }
    const name = formatAddress(to);
    const listener = this.#listeners.get(this.#forwarded.get(name) ?? name);
    if (listener === undefined) {
      return Promise.reject(new WorldError("other", "connection refused"));
    }
    const from = { hostname, port: this.#nextPort++ };
    const [there, back] = [new Pipe(this.#capacity), new Pipe(this.#capacity)];
    listener.push(new FakeConnection({ remote: from, incoming: there, outgoing: back }));
    return Promise.resolve(new FakeConnection({ remote: to, incoming: back, outgoing: there }));
  }
}
