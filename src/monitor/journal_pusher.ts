import type { JournalLog } from "../federation/journal_log.ts";
import { openHead } from "../federation/mirror_folder.ts";
import { PublisherUnavailable, type Receiver } from "../federation/publisher.ts";
import { MAX_HEAD_BYTES, MAX_PUSH_BYTES, MAX_RECORDS, parseRecords } from "../federation/wire.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { textOf } from "../tlog/encoding.ts";
import type { Clock } from "../world/world.ts";

/** Who says that it takes no pushes is not asked again for so long. */
const NOT_WANTED_MS = 3_600_000;
/** The statuses that say so: not admitted, no such thing here, another method. */
const NOT_WANTED: readonly number[] = [403, 404, 405];
/** Most bytes of the records of one push: the line with the head comes before them. */
const MAX_PUSHED_BYTES = MAX_PUSH_BYTES - MAX_HEAD_BYTES;

/** What came of a push. */
export type Pushed =
  /** the receiver holds so many entries now */
  | { readonly kind: "pushed"; readonly size: bigint }
  /** it takes none, and is not asked for a while */
  | { readonly kind: "not wanted" }
  | { readonly kind: "failed"; readonly reason: string };

/**
 * Pushes what is new in this monitor's own journal to one other monitor that may mirror it. What fails
 * is not tried again before the next record: who mirrors this journal fetches it too.
 */
export class JournalPusher {
  readonly #receiver: Receiver;
  readonly #own: JournalLog;
  readonly #clock: Clock;
  #notBefore = -Infinity;
  #running: Promise<Pushed> | undefined;
  #isAgain = false;

  constructor({ receiver, own, clock }: { receiver: Receiver; own: JournalLog; clock: Clock }) {
    this.#receiver = receiver;
    this.#own = own;
    this.#clock = clock;
  }

  /** Pushes everything that the receiver lacks. Calls at once share the work. */
  push(): Promise<Pushed> {
    if (this.#running !== undefined) {
      this.#isAgain = true;
      return this.#running;
    }
    return this.#running = this.#run().finally(() => this.#running = undefined);
  }

  async #run(): Promise<Pushed> {
    if (this.#clock.monotonic() < this.#notBefore) return { kind: "not wanted" };
    try {
      let pushed: Pushed;
      do {
        this.#isAgain = false;
        pushed = await this.#pushAll();
      } while (this.#isAgain);
      return pushed;
    } catch (error) {
      if (error instanceof PublisherUnavailable && NOT_WANTED.includes(error.status ?? 0)) {
        this.#notBefore = this.#clock.monotonic() + NOT_WANTED_MS;
        return { kind: "not wanted" };
      }
      if (!(error instanceof PublisherUnavailable) && !(error instanceof MalformedError)) {
        throw error;
      }
      return { kind: "failed", reason: error.message };
    }
  }

  async #pushAll(): Promise<Pushed> {
    let held = await this.#held();
    while (held < this.#own.treeSize) {
      const size = await this.#receiver.push({
        ...this.#own.proof(held),
        vkey: this.#own.vkey.text,
        lines: await this.#lines(held),
      });
      if (size <= held) throw new MalformedError(`it took records and holds ${size} as before`);
      held = size;
    }
    return { kind: "pushed", size: held };
  }

  /** How many entries of ours the receiver holds, by the signed head that it serves. */
  async #held(): Promise<bigint> {
    const note = await this.#receiver.mirrored(this.#own.vkey.name);
    if (note === undefined) return 0n;
    const text = textOf(note);
    const head = openHead(text, this.#own.vkey);
    // If this journal does not lead to it, it was restored from a backup: the next head says so.
    if (await this.#own.heard(text)) return 0n;
    return head.log.origin === this.#own.origin ? head.treeSize : 0n;
  }

  async #lines(start: bigint): Promise<Uint8Array[]> {
    const lines: Uint8Array[] = [];
    let bytes = 0;
    for (let at = start; at < this.#own.treeSize;) {
      const count = BigInt(MAX_RECORDS);
      const some = parseRecords(await this.#own.records({ start: at, count }));
      for (const line of some) {
        bytes += line.length + 1;
        if (lines.length > 0 && bytes > MAX_PUSHED_BYTES) return lines;
        lines.push(line);
      }
      at += BigInt(some.length);
    }
    return lines;
  }
}
