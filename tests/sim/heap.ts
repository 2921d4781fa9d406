/** A queue that gives the first by its order, whenever it was added (a binary heap). */
export class Heap<T> {
  readonly #comesBefore: (a: T, b: T) => boolean;
  /** What is at index i comes before what is at 2i + 1 and 2i + 2. */
  readonly #items: T[] = [];

  /** @param comesBefore whether one comes before another; of two that are equal neither does */
  constructor(comesBefore: (a: T, b: T) => boolean) {
    this.#comesBefore = comesBefore;
  }

  /** The one that comes before all others; nothing if there is none. */
  get first(): T | undefined {
    return this.#items[0];
  }

  /** Adds one. */
  push(item: T): void {
    const items = this.#items;
    let at = items.length;
    items.push(item);
    for (let above; at > 0 && this.#comesBefore(item, items[above = (at - 1) >> 1]!); at = above) {
      items[at] = items[above]!;
      items[above] = item;
    }
  }

  /** Takes the first out; nothing if there is none. */
  shift(): T | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (items.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= items.length) break;
      if (below + 1 < items.length && this.#comesBefore(items[below + 1]!, items[below]!)) below++;
      if (!this.#comesBefore(items[below]!, last!)) break;
      items[at] = items[below]!;
      at = below;
    }
    items[at] = last!;
    return first;
  }
}
