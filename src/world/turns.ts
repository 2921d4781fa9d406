/** Runs asynchronous work one piece after the other, in the order it was asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #dropped: Error | undefined;

  /** Runs `work` once everything before it has ended, with success or not. Gives its result. */
  next<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => {
      if (this.#dropped !== undefined) throw this.#dropped;
      return work();
    });
    this.#last = result.catch(() => {});
    return result;
  }

  /** From now on no work begins. Work that has not begun fails with this error. */
  drop(error: Error): void {
    this.#dropped = error;
  }

  /** Resolves when everything asked for so far has ended. */
  async done(): Promise<void> {
    await this.#last;
  }
}
