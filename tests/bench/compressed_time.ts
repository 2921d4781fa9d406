/**
 * Time for benchmarks that live through a day in a minute: it passes as soon as nothing is going on.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import type { Clock, Files, OpenFile, Timer } from "../../src/world/world.ts";

/** A call that is due later. */
interface Due {
  readonly at: number;
  readonly run: () => void;
}

/**
 * A clock that goes on to the next call due when there is no promise left to follow up and no file
 * operation under way; those of `watched` files are known to it.
 */
export class CompressedTime implements Clock {
  static readonly #start = Date.UTC(2026, 0, 1);
  #elapsed = 0;
  /** By when they are due, and among equals in the order they were asked for. */
  readonly #due: Due[] = [];
  #underWay = 0;
  #idle = Promise.withResolvers<void>();

  now(): Date {
    return new Date(CompressedTime.#start + this.#elapsed);
  }

  monotonic(): number {
    return this.#elapsed;
  }

  after(ms: number, run: () => void): Timer {
    const call = { at: this.#elapsed + ms, run };
    this.#due.splice(this.#placeAfter(call.at), 0, call);
    return {
      cancel: () => {
        const place = this.#due.indexOf(call);
        if (place >= 0) this.#due.splice(place, 1);
      },
    };
  }

  /** The first place of a call that is due later than this. */
  #placeAfter(at: number): number {
    let [low, high] = [0, this.#due.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#due[middle]!.at <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** How many calls are due some time. */
  get pending(): number {
    return this.#due.length;
  }

  /** Lets this much time pass, and everything happen that happens in it. */
  async advance(ms: number): Promise<void> {
    await this.#quiet();
    const end = this.#elapsed + ms;
    for (let next; (next = this.#due[0]) !== undefined && next.at <= end;) {
      this.#due.shift();
      this.#elapsed = next.at;
      next.run();
      await this.#quiet();
    }
    this.#elapsed = end;
  }

  /** Resolves when nothing goes on any more until time passes. */
  async #quiet(): Promise<void> {
    do {
      if (this.#underWay > 0) await this.#idle.promise;
      // Promises that can go on have gone on before this is called.
      await new Promise<void>((resolve) => setImmediate(resolve));
    } while (this.#underWay > 0);
  }

  /** The same files, whose operations this clock waits for. */
  watched(files: Files): Files {
    return {
      open: (path, mode) => this.#wait(files.open(path, mode)).then((file) => this.#file(file)),
      create: (path, mode) => this.#wait(files.create(path, mode)).then((file) => this.#file(file)),
      makeFolder: (path) => this.#wait(files.makeFolder(path)),
      list: (path) => this.#wait(files.list(path)),
      entries: (path) => this.#wait(files.entries(path)),
      kindOf: (path) => this.#wait(files.kindOf(path)),
      absolute: (path) => files.absolute(path),
      readShort: (path, maxBytes) => this.#wait(files.readShort(path, maxBytes)),
      syncFolder: (path) => this.#wait(files.syncFolder(path)),
      remove: (path) => this.#wait(files.remove(path)),
      rename: (names) => this.#wait(files.rename(names)),
      identity: (path) => this.#wait(files.identity(path)),
    };
  }

  #file(file: OpenFile): OpenFile {
    return {
      isRegular: file.isRegular,
      identity: file.identity,
      size: () => this.#wait(file.size()),
      read: (buffer, at) => this.#wait(file.read(buffer, at)),
      write: (bytes, at) => this.#wait(file.write(bytes, at)),
      truncate: (size) => this.#wait(file.truncate(size)),
      sync: () => this.#wait(file.sync()),
      tryLock: () => this.#wait(file.tryLock()),
      close: () => file.close(),
    };
  }

  #wait<T>(operation: Promise<T>): Promise<T> {
    this.#underWay++;
    return operation.finally(() => {
      if (--this.#underWay > 0) return;
      this.#idle.resolve();
      this.#idle = Promise.withResolvers();
    });
  }
}
