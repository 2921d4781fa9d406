import { parseExactJson } from "../evidence/json.ts";
import { isKnownVersion, parseRecord } from "../evidence/record.ts";
import { logOf } from "../evidence/replay.ts";
import type { SharedStore } from "../store/shared_store.ts";
import type { StoredRecord } from "../store/shared_types.ts";
import { MalformedError } from "../tlog/malformed.ts";
import type { Stop } from "../world/stop.ts";
import type { Common } from "./common.ts";
import { ours } from "./own_refusal.ts";
import { expectHolds } from "./record_feed.ts";
import { siteSource } from "./shared_source.ts";

/** Records that are read at a time. */
const PAGE = 20;
/** Before the first row. */
const BEGIN = { evidenceId: "", site: "" };
/** Most rows that are remembered as no use. Beyond that all are tried again. */
const MAX_USELESS = 1_000;

/**
 * Takes the cases of other sites that this one has not recorded. What proves one may be what this site
 * cannot prove by itself: the log shows it one history alone. A record counts only if it holds.
 */
export class StoredRecords {
  readonly #common: Common;
  /** Rows that are no records, or do not hold, or are of a later version. */
  readonly #useless = new Set<string>();
  /** Up to which row the last call went. */
  #after = BEGIN;

  constructor(common: Common) {
    this.#common = common;
  }

  /**
   * Takes a page after the other, as long as they bring something. Where they do not, the next call goes
   * on: whoever can write to the database can put any number of rows there.
   * @throws WorldError, OwnRefusal
   */
  async take(store: Pick<SharedStore, "recordsLacking">, stop: Stop): Promise<void> {
    while (!stop.stopped) {
      const page = await store.recordsLacking({ after: this.#after, limit: PAGE });
      let isUseful = false;
      for (const row of page) {
        if ("damaged" in row) continue;
        const { evidenceId, site } = row;
        this.#after = { evidenceId, site };
        const key = `${evidenceId} ${site}`;
        if (this.#useless.has(key)) continue;
        if (await this.#hear(row)) isUseful = true;
        else {
          if (this.#useless.size >= MAX_USELESS) this.#useless.clear();
          this.#useless.add(key);
        }
      }
      if (page.length < PAGE) this.#after = BEGIN;
      if (page.length < PAGE || !isUseful) return;
    }
  }

  /** @returns whether it is recorded now */
  async #hear({ record: text, siteName }: StoredRecord): Promise<boolean> {
    const { keeper } = this.#common;
    try {
      const stated = parseExactJson(text);
      if (typeof stated.version === "string" && !isKnownVersion(stated.version)) return false;
      const record = parseRecord(stated);
      const log = logOf(record, keeper.judge.logs);
      if (log === undefined) return false;
      const isRecorded = (): boolean => keeper.incidents?.find(record) !== undefined;
      if (isRecorded()) return true;
      expectHolds(record);
      const source = siteSource(siteName);
      keeper.judge.hearRecord({ record, log, source });
      await ours(() => keeper.keep({ source }));
      return isRecorded();
    } catch (error) {
      if (error instanceof MalformedError) return false;
      throw error;
    }
  }
}
