/**
 * The connections to a PostgreSQL database: a few, opened as they are needed, to whichever of its servers
 * takes writes.
 *
 * @module
 */
import { inTime } from "./in_time.ts";
import { LATE } from "./postgres_error.ts";
import { Link, type LinkOptions } from "./postgres_link.ts";
import { formatHost, type SharedHost, type SharedUrl } from "./postgres_url.ts";
import { STATEMENT_LIMIT_MS } from "./shared_sql.ts";
import { type Clock, WorldError } from "./world.ts";

/** The most connections one daemon has to a database, besides the one that hears words. */
export const MAX_CONNECTIONS = 4;
/** A connection that rested longer may have been forgotten by something on the way. It is not used. */
const MAX_REST_MS = 60_000;

/** What connections are made with. */
export interface ConnectionsOptions {
  readonly clock: Clock;
  readonly place: SharedUrl;
  readonly password: string;
  readonly ca: string | undefined;
}

/** A few connections that are used in turn. */
export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #idle: Link[] = [];
  readonly #links = new Set<Link>();
  #inUse = 0;
  #waiting: PromiseWithResolvers<void>[] = [];
  /** The server that took writes when it was last asked. */
  #home: SharedHost | undefined;
  /** The server that was left last: any other is preferred to it. */
  #left: SharedHost | undefined;
  #isClosed = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /** Does work on a connection of its own. @throws WorldError if there is none in time; what `work` throws */
  async with<T>(work: (link: Link) => Promise<T>): Promise<T> {
    await this.#turn();
    try {
      const link = await this.#take();
      try {
        return await work(link);
      } finally {
        this.#giveBack(link);
      }
    } finally {
      this.#leave();
    }
  }

  /**
   * Opens a connection to the server that takes writes.
   * @throws WorldError
   */
  async open(ears: Pick<LinkOptions, "onWord" | "onLost"> = {}): Promise<Link> {
    if (this.#isClosed) throw closedHere();
    const link = await this.#openHome(ears) ?? await this.#openAny(ears);
    if (!this.#isClosed) return link;
    link.kill();
    throw closedHere();
  }

  /** The server that was home takes no writes any more, or says nothing: whatever leads there ends. */
  #leaveHome(): void {
    this.#left = this.#home;
    this.#home = undefined;
    for (const link of this.#links) link.kill();
    this.#links.clear();
    this.#idle.length = 0;
  }

  /** Ends all of them. What is under way fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { reject } of this.#waiting) reject(closedHere());
    this.#waiting = [];
    const idle = this.#idle.splice(0);
    for (const link of this.#links) if (!idle.includes(link)) link.kill();
    this.#links.clear();
    await Promise.all(idle.map((link) => link.close()));
  }

  /** Waits until one more connection may be used. */
  async #turn(): Promise<void> {
    if (this.#isClosed) throw closedHere();
    if (this.#inUse < MAX_CONNECTIONS) {
      this.#inUse++;
      return;
    }
    const turn = Promise.withResolvers<void>();
    this.#waiting.push(turn);
    const { clock } = this.#options;
    try {
      await inTime({ clock, ms: STATEMENT_LIMIT_MS, work: () => turn.promise, late: LATE });
    } catch (error) {
      // If it is not waiting any more, the place was left to it in this very moment.
      if (this.#waiting.includes(turn)) this.#waiting = this.#waiting.filter((one) => one !== turn);
      else this.#leave();
      throw error;
    }
  }

  /** Leaves a place to who waits longest. */
  #leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#inUse--;
    else next.resolve();
  }

  async #take(): Promise<Link> {
    for (let link = this.#idle.pop(); link !== undefined; link = this.#idle.pop()) {
      const restedMs = this.#options.clock.monotonic() - link.usedAt;
      if (link.isOpen && restedMs <= MAX_REST_MS) return link;
      link.kill();
      this.#links.delete(link);
    }
    const link = await this.open();
    this.#links.add(link);
    return link;
  }

  #giveBack(link: Link): void {
    if (link.isBadServer) this.#leaveHome();
    else if (link.isOpen && !this.#isClosed) this.#idle.push(link);
    else this.#links.delete(link);
  }

  async #openHome(ears: Pick<LinkOptions, "onWord" | "onLost">): Promise<Link | undefined> {
    const home = this.#home;
    if (home === undefined) return undefined;
    try {
      return await this.#openTo(home, ears);
    } catch (error) {
      if (this.#home === home) this.#home = undefined;
      if (this.#options.place.hosts.length === 1) throw error;
      return undefined;
    }
  }

  /**
   * Asks all servers at once. Of those that take writes, the first of the list is the one, and the one
   * that was left is the last: it may have been replaced and not know it.
   */
  async #openAny(ears: Pick<LinkOptions, "onWord" | "onLost">): Promise<Link> {
    const left = this.#left;
    const hosts = this.#options.place.hosts.filter((host) => host !== left);
    if (left !== undefined) hosts.push(left);
    const attempts = hosts.map((host) => this.#openTo(host, ears));
    for (const attempt of attempts) attempt.catch(() => {});
    const faults: WorldError[] = [];
    for (const [i, attempt] of attempts.entries()) {
      try {
        const link = await attempt;
        this.#home = hosts[i];
        for (const other of attempts.slice(i + 1)) other.then((one) => one.kill(), () => {});
        return link;
      } catch (error) {
        if (!(error instanceof WorldError)) throw error;
        faults.push(error);
      }
    }
    throw new WorldError(
      faults[0]!.kind,
      `cannot reach the shared database: ${faults.map(({ message }) => message).join("; ")}`,
    );
  }

  async #openTo(
    host: SharedHost,
    ears: Pick<LinkOptions, "onWord" | "onLost">,
  ): Promise<Link> {
    const { place: { user, database, isOverTls }, ...rest } = this.#options;
    try {
      return await Link.open({ ...rest, host, user, database, isOverTls, ...ears });
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      throw new WorldError(error.kind, `${formatHost(host)}: ${error.message}`);
    }
  }
}

function closedHere(): WorldError {
  return new WorldError("closed", "the shared database was closed here");
}
