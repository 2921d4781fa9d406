/** Work that nobody waits for until the end. */
export class Background {
  readonly #running = new Set<Promise<void>>();
  readonly #onFailure: (error: unknown) => void;

  /** @param onFailure called with an error that a piece of work threw */
  constructor(onFailure: (error: unknown) => void) {
    this.#onFailure = onFailure;
  }

  /** Begins a piece of work. */
  run(work: () => Promise<void>): void {
    const running: Promise<void> = work()
      .catch((error) => this.#onFailure(error))
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Resolves when no work is under way, including work that began meanwhile. */
  async done(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
