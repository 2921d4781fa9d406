/**
 * Hears what is told in a PostgreSQL database (LISTEN). It has a connection of its own, which it opens
 * again whenever it is lost.
 *
 * @module
 */
import type { Connections } from "./postgres_connections.ts";
import type { Link } from "./postgres_link.ts";
import type { SharedEars } from "./shared_database.ts";
import { Turns } from "./turns.ts";
import { type Clock, type Timer, WorldError } from "./world.ts";

/** A connection on which nothing comes may be dead. So often it is asked. */
export const PULSE_MS = 15_000;
/** The first wait before a lost connection is opened again. It doubles with each failure. */
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

/** Who hears what. */
interface Ear {
  readonly channel: string;
  readonly heard: SharedEars;
}

/** Hears words on any number of channels. */
export class PostgresEars {
  readonly #clock: Clock;
  readonly #connections: Connections;
  readonly #turns = new Turns();
  #ears: Ear[] = [];
  #link: Link | undefined;
  #timer: Timer | undefined;
  #waitMs = FIRST_WAIT_MS;
  #isClosed = false;

  constructor({ clock, connections }: { clock: Clock; connections: Connections }) {
    this.#clock = clock;
    this.#connections = connections;
  }

  /** Begins to hear. @throws WorldError; then nothing is heard */
  listen(channel: string, heard: SharedEars): Promise<void> {
    return this.#turns.next(async () => {
      const ear = { channel, heard };
      this.#ears.push(ear);
      try {
        if (this.#link?.isOpen) await listenOn(this.#link, channel);
        else await this.#open();
      } catch (error) {
        this.#ears = this.#ears.filter((other) => other !== ear);
        throw error;
      }
    });
  }

  /** Hears nothing any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#link?.close();
    await this.#turns.done();
  }

  async #open(): Promise<void> {
    const link = await this.#connections.open({
      onWord: (channel, word) => this.#tell(channel, word),
      onLost: () => this.#again(),
    });
    try {
      for (const channel of new Set(this.#ears.map((ear) => ear.channel))) {
        await listenOn(link, channel);
      }
    } catch (error) {
      link.kill();
      throw error;
    }
    this.#link = link;
    this.#waitMs = FIRST_WAIT_MS;
    this.#pulseLater(link);
  }

  #tell(channel: string, word: string): void {
    for (const ear of this.#ears) {
      // Not within the package, which would take a fault of ours for one of the connection.
      if (ear.channel === channel) queueMicrotask(() => this.#isClosed || ear.heard.onWord(word));
    }
  }

  #pulseLater(link: Link): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(PULSE_MS, async () => {
      try {
        // Words may have gone to another server meanwhile.
        const [row] = await link.run(
          "select current_setting('transaction_read_only') as read_only",
        );
        if (row!.read_only === "off") return link.isOpen ? this.#pulseLater(link) : undefined;
        link.kill();
        this.#again();
      } catch {
        // Whatever it was. If it was lost, that was told by `onLost`.
        if (link.isOpen) this.#pulseLater(link);
      }
    });
  }

  /** Opens the lost connection again, until it is open. */
  #again(): void {
    if (this.#isClosed) return;
    const waitMs = this.#waitMs * (0.5 + Math.random() / 2);
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
    this.#timer?.cancel();
    this.#timer = this.#clock.after(waitMs, () =>
      void this.#turns.next(async () => {
        if (this.#isClosed || this.#link?.isOpen) return;
        try {
          await this.#open();
        } catch (error) {
          if (!(error instanceof WorldError)) throw error;
          return this.#again();
        }
        for (const { heard } of this.#ears) heard.onGap();
      }));
  }
}

async function listenOn(link: Link, channel: string): Promise<void> {
  await link.run(`listen "${channel.replaceAll('"', '""')}"`);
}
