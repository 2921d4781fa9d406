/**
 * How many proofs in a row did not hold, of each log that gave such proofs. A restart must not begin
 * the count anew: with `run --once` every look is a process of its own, and a log that gives bad proofs
 * would never be frozen.
 *
 * @module
 */
import type { JsonObject } from "../evidence/json.ts";
import { readSmallFile, type SmallFile, writeSmallFile } from "../swarm/small_file.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { checkMembers, listOf, object, text, wholeNumber } from "../tlog/members.ts";
import { Turns } from "../world/turns.ts";
import type { Files } from "../world/world.ts";

/** The file in the state folder. It is there once a proof has failed. */
export const FAILURES_FILE = "proof-failures.json";
const VERSION = "hearsay/proof-failures/v1";

const STORED = {
  must: {
    logs: listOf(object({
      must: { log: text, failures: wholeNumber({ least: 1 }) },
      others: "refused",
    })),
  },
  others: "refused",
} as const;

/** The counts, in memory and in the state folder. */
export class FailureCounts {
  readonly #file: SmallFile;
  readonly #most: number;
  /** By log id. */
  readonly #counts: Map<string, number>;
  readonly #turns = new Turns();
  #written: string;

  private constructor(file: SmallFile, most: number, counts: Map<string, number>) {
    this.#file = file;
    this.#most = most;
    this.#counts = counts;
    this.#written = this.#text();
  }

  /**
   * Reads what the process before has counted; nothing if the file is damaged: then the count begins
   * anew, and a log that goes on giving bad proofs is frozen a little later.
   * @param most no more are counted
   * @throws WorldError
   */
  static async open(
    { files, folder, most }: { files: Files; folder: string; most: number },
  ): Promise<FailureCounts> {
    const file = { files, folder, name: FAILURES_FILE, version: VERSION };
    return new FailureCounts(file, most, await read(file));
  }

  /** One more did not hold. @returns how many in a row */
  grows({ id }: Log): number {
    const count = Math.min((this.#counts.get(id) ?? 0) + 1, this.#most);
    this.#counts.set(id, count);
    return count;
  }

  /** The log holds: what comes next is counted anew. */
  ends({ id }: Log): void {
    this.#counts.delete(id);
  }

  /** Whether something is not written yet. */
  get isUnwritten(): boolean {
    return this.#text() !== this.#written;
  }

  /** Writes what has changed, durably. @throws WorldError */
  write(): Promise<void> {
    return this.#turns.next(async () => {
      const text = this.#text();
      if (text === this.#written) return;
      const logs = [...this.#counts].map(([log, failures]) => ({ log, failures }));
      await writeSmallFile(this.#file, { logs } as unknown as JsonObject);
      this.#written = text;
    });
  }

  #text(): string {
    return JSON.stringify([...this.#counts]);
  }
}

async function read(file: SmallFile): Promise<Map<string, number>> {
  try {
    const stored = await readSmallFile(file);
    if (stored === undefined) return new Map();
    checkMembers(stored, { what: "file", shape: STORED });
    const { logs } = stored as unknown as { logs: { log: string; failures: number }[] };
    return new Map(logs.map(({ log, failures }) => [log, failures]));
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return new Map();
  }
}
