import { type Publisher, PublisherUnavailable, type Receiver } from "../federation/publisher.ts";
import type { JournalStatus, ProvenHead, Push, RecordsQuery } from "../federation/wire.ts";
import type { Stop } from "../world/stop.ts";

/**
 * Another monitor's endpoints, for a daemon that may end at any time: then nobody waits for an answer any
 * more. A request that is under way cannot be broken off, and is left to itself.
 */
export class EndablePublisher implements Publisher, Receiver {
  readonly #inner: Publisher & Receiver;
  readonly #stop: Stop;
  /** Each gives up one wait for an answer. */
  readonly #waiting = new Set<() => void>();

  constructor({ inner, stop }: { inner: Publisher & Receiver; stop: Stop }) {
    this.#inner = inner;
    this.#stop = stop;
    stop.onStop(() => this.#waiting.forEach((giveUp) => giveUp()));
  }

  status(): Promise<JournalStatus> {
    return this.#orEnd(this.#inner.status());
  }

  proof(oldSize: bigint): Promise<ProvenHead> {
    return this.#orEnd(this.#inner.proof(oldSize));
  }

  records(query: RecordsQuery): Promise<readonly Uint8Array[]> {
    return this.#orEnd(this.#inner.records(query));
  }

  mirrored(name: string): Promise<Uint8Array | undefined> {
    return this.#orEnd(this.#inner.mirrored(name));
  }

  push(push: Push): Promise<bigint> {
    return this.#orEnd(this.#inner.push(push));
  }

  #orEnd<T>(asked: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => reject(new PublisherUnavailable("this monitor ends"));
      if (this.#stop.stopped) giveUp();
      this.#waiting.add(giveUp);
      asked.then(resolve, reject).finally(() => this.#waiting.delete(giveUp));
    });
  }
}
