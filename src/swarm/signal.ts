/** Something that others wait for. */
export class Signal {
  #next: PromiseWithResolvers<void> | undefined;

  /** Resolves at the next change. */
  get changed(): Promise<void> {
    this.#next ??= Promise.withResolvers();
    return this.#next.promise;
  }

  /** Wakes everyone who waits. */
  change(): void {
    this.#next?.resolve();
    this.#next = undefined;
  }
}
