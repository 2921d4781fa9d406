import { parseCanonicalEntry } from "../evidence/entry.ts";
import type { JsonObject } from "../evidence/json.ts";
import { type ConflictRecord, isKnownVersion, parseRecord } from "../evidence/record.ts";
import { isTransition } from "../evidence/transition.ts";
import { logOf } from "../evidence/replay.ts";
import { verifyConflict } from "../evidence/verify.ts";
import type { Mirror } from "../federation/mirror.ts";
import { MAX_RECORDS, parseRecords } from "../federation/wire.ts";
import { isRepair } from "../store/repaired.ts";
import { textOf } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import type { Stop } from "../world/stop.ts";
import type { Common } from "./common.ts";

/** After so many entries others get their turn, */
const ENTRIES_AT_ONCE = 64;
/** and after each record that was judged: somebody's journal may have a hundred thousand of them. */
const PAUSE_MS = 5;

/** What became of the records in a mirrored journal, since the start. */
export interface FedRecords {
  /** Cases that this monitor did not have: it has recorded them under its own signature. */
  readonly recorded: number;
  /** Cases that it had. */
  readonly known: number;
  /** Records about logs that are not followed here, or of later versions. They stay in the mirror alone. */
  readonly foreign: number;
  /** What is no record, or does not hold. */
  readonly refused: number;
}

/** What the journal of another monitor has to say. */
type Fate = keyof FedRecords | "no record";

/**
 * Hands the conflict records of one mirrored journal to the monitor, as if a peer had sent each: it is
 * verified, both halves go through the detector, and a case that is new is recorded once more, under
 * this monitor's signature.
 */
export class RecordFeed {
  readonly #common: Common;
  readonly #mirror: Mirror;
  readonly #source: string;
  readonly #stop: Stop;
  readonly #counts = { recorded: 0, known: 0, foreign: 0, refused: 0 };
  /** Entries that were looked at, of this history. */
  #at = 0n;
  #running: Promise<void> | undefined;

  /** @param source what the records' checkpoints have as their source */
  constructor({ common, mirror, source, stop }: {
    common: Common;
    mirror: Mirror;
    source: string;
    stop: Stop;
  }) {
    this.#common = common;
    this.#mirror = mirror;
    this.#source = source;
    this.#stop = stop;
  }

  /** See `FedRecords`. */
  get counts(): FedRecords {
    return { ...this.#counts };
  }

  /** The journal began anew, or other logs are followed: everything is looked at once more. */
  restart(): void {
    this.#at = 0n;
  }

  /** Looks at the entries that came since the last time. Calls at once share the work. */
  run(): Promise<void> {
    return this.#running ??= this.#run().finally(() => this.#running = undefined);
  }

  async #run(): Promise<void> {
    while (this.#at < this.#mirror.treeSize && !this.#stop.stopped) {
      const from = this.#at;
      const bytes = await this.#mirror.records({ start: from, count: MAX_RECORDS });
      const lines = parseRecords(bytes);
      if (lines.length === 0) return;
      for (const [i, line] of lines.entries()) {
        if (this.#stop.stopped || this.#at !== from + BigInt(i)) break;
        await this.#hear(line, Number(this.#at) + 1);
        // A restart in between has set it back.
        if (this.#at === from + BigInt(i)) this.#at++;
        if (i % ENTRIES_AT_ONCE === ENTRIES_AT_ONCE - 1) await this.#pause();
      }
    }
  }

  async #hear(line: Uint8Array, seq: number): Promise<void> {
    let fate: Fate;
    try {
      fate = await this.#judge(parseCanonicalEntry(textOf(line)).record);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      fate = "refused";
      const { name } = this.#mirror.vkey;
      this.#common.happenings.tell({
        ...{ kind: "mirrored record refused", name, seq, detail: error.message },
      });
    }
    if (fate === "no record") return;
    this.#counts[fate]++;
    if (fate === "recorded" || fate === "refused") await this.#pause();
  }

  async #judge(stated: JsonObject): Promise<Fate> {
    if (isRepair(stated) || isTransition(stated)) return "no record";
    // A record of a later version is no fault of its monitor. It stays in the mirror for one who knows it.
    if (typeof stated.version === "string" && !isKnownVersion(stated.version)) return "foreign";
    const record = parseRecord(stated);
    const { keeper } = this.#common;
    const log = logOf(record, keeper.judge.logs);
    if (log === undefined) return "foreign";
    if (keeper.incidents?.find(record) !== undefined) return "known";
    expectHolds(record);
    keeper.judge.hearRecord({ record, log, source: this.#source });
    await keeper.keep({ source: this.#source });
    return keeper.incidents?.find(record) === undefined ? "known" : "recorded";
  }

  async #pause(): Promise<void> {
    await this.#stop.pause(this.#common.world.clock, PAUSE_MS);
  }
}

/** @throws MalformedError unless a record holds, which says why */
export function expectHolds(record: ConflictRecord): void {
  const { outcome, checks } = verifyConflict({ input: record as unknown as JsonObject });
  if (outcome === "holds") return;
  const why = checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
  throw new MalformedError(`${outcome}: ${why.join("; ")}`);
}
