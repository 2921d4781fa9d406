import { Mirror } from "../federation/mirror.ts";
import type { MirrorParty, SyncReport } from "../federation/mirror_report.ts";
import { HttpPublisher } from "../federation/publisher.ts";
import { parseOrigin, type Push, type PushOutcome } from "../federation/wire.ts";
import { openSource } from "../sources/open.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { formatLog, type Log } from "../tlog/log.ts";
import type { Vkey } from "../tlog/vkey.ts";
import { nextPollMs } from "../world/pacing.ts";
import type { Stop } from "../world/stop.ts";
import { timeAt, timeNow } from "../world/time.ts";
import type { Common } from "./common.ts";
import { EndablePublisher } from "./endable_publisher.ts";
import { Follower } from "./follower.ts";
import { openKept } from "./kept_note.ts";
import { MirrorSource } from "./mirror_source.ts";
import { type FedRecords, RecordFeed } from "./record_feed.ts";
import type { LogStatus, LogTally } from "./status.ts";

/** After so many failures in a row a mirrored journal's publisher is unhealthy, and asked less often. */
export const UNHEALTHY_AFTER = 3;
/** A checkpoint that others were shown, and we were not, is `withheld` after this. */
const PATIENCE_MS = 86_400_000;

/** So many histories before the one that is mirrored stay known: what is signed there may still convict. */
const MAX_FORMER = 3;

/** One mirrored journal in a daemon's status. */
export interface MirrorStatus {
  /** Of the monitor's key. */
  readonly name: string;
  readonly vkey: string;
  /** Where it is fetched; nothing if it is only pushed here. */
  readonly url?: string;
  readonly origin: string;
  /** Entries that lead to a signed head, decimal. */
  readonly size: string;
  /** The size that the monitor signed last, as it showed it. */
  readonly theirs?: string;
  /** How the last sync ended; nothing before the first. */
  readonly lastOutcome?: SyncReport["outcome"];
  readonly lastError?: string;
  readonly lastSyncAt?: string;
  readonly nextSyncAt?: string;
  /** When the last push came that was taken. */
  readonly lastPushAt?: string;
  /** Syncs in a row that failed. */
  readonly failures: number;
  /** When the first of them was. */
  readonly failingSince?: string;
  readonly isUnhealthy?: boolean;
  /** Entries received since the start. */
  readonly received: number;
  readonly records: FedRecords;
  /** Incidents about this journal: it has contradicted itself. */
  readonly incidents: number;
  /** The journal as a log. */
  readonly log?: Omit<LogStatus, keyof LogTally>;
}

/** What a mirrored journal needs of the daemon. */
export interface MirroredJournalMeans {
  readonly common: Common;
  readonly vkey: Vkey;
  /** Where it is fetched, and how often; nothing if it is only pushed here. */
  readonly pulled?: { readonly url: string; readonly everyMs: number } | undefined;
  /** The state folder. */
  readonly state: string;
  readonly contact: string;
  readonly stop: Stop;
  /** Has the judge know this log from now on, and another one no more. */
  readonly follow: (added: Log, removed: Log | undefined) => Promise<void>;
}

/**
 * The journal of one other monitor: its mirror, the log that it is for the judge, and what its records
 * say. Whatever head its monitor shows is judged like a log's before anything else is done with it.
 */
export class MirroredJournal implements MirrorParty {
  readonly vkey: Vkey;
  readonly pulled: MirroredJournalMeans["pulled"];
  readonly mirror: Mirror;
  readonly publisher: EndablePublisher | undefined;
  readonly #means: MirroredJournalMeans;
  readonly #source: MirrorSource;
  readonly #feed: RecordFeed;
  #follower: Follower | undefined;
  /** The journal as the logs that it has been since the start, the one that it is now last. */
  #logs: readonly Log[] = [];
  #isNewlyShown = false;
  #failures = 0;
  #failingSince: string | undefined;
  #last: { readonly report: SyncReport; readonly at: string } | undefined;
  #lastPushAt: string | undefined;
  #theirs: bigint | undefined;
  #nextAt: number | undefined;
  #received = 0n;

  constructor(means: MirroredJournalMeans) {
    const { common, vkey, pulled, state, contact, stop } = means;
    const { world } = common;
    this.#means = means;
    this.vkey = vkey;
    this.pulled = pulled;
    this.mirror = new Mirror({ vkey, files: world.files, state, party: this });
    this.publisher = pulled && new EndablePublisher({
      inner: new HttpPublisher({ world, base: pulled.url, contact, vkey }),
      stop,
    });
    const published = pulled &&
      openSource({ world, log: this.mirror.log, source: pulled.url, contact });
    this.#source = new MirrorSource({ mirror: this.mirror, published });
    this.#feed = new RecordFeed({ common, mirror: this.mirror, source: this.source, stop });
  }

  /** The `source` of what its records hold. A peer's name never has a space. */
  get source(): string {
    return `the journal of ${this.vkey.name}`;
  }

  /** The journal as a log, and its follower, once it is open. */
  get follower(): Follower | undefined {
    return this.#follower;
  }

  /** The journal as a log, and as those that it was before it began anew, as far as they are known. */
  get logs(): readonly Log[] {
    return this.#logs;
  }

  /**
   * Incidents about what the journal was before it began anew, and before the last start. Whoever has
   * signed two histories must not look well again by beginning a third.
   */
  get formerCases(): number {
    const { name, text } = this.vkey;
    return this.#means.common.keeper.casesUnfollowed(({ origin, vkey }) =>
      vkey === text && parseOrigin(origin, name) !== undefined
    ).length;
  }

  /** Syncs in a row that failed. */
  get failures(): number {
    return this.#failures;
  }

  /**
   * Opens the mirror, and takes the journal up as a log. If our disk refuses, or the folder is another
   * monitor's, the next sync tries again, and tells.
   * @throws IncidentNotWritten, WorldError from the journals
   */
  async open(): Promise<void> {
    await this.mirror.open();
    for (const former of (await this.mirror.formerLogs()).slice(-MAX_FORMER)) {
      this.#logs = [...this.#logs, former];
      await this.#means.follow(former, undefined);
    }
    const { head, log } = this.mirror;
    if (head !== undefined) this.#source.show(head.note);
    await this.#followAs(log);
  }

  /** Fetches what is new, judges what was shown, and hears the new records. */
  async sync(): Promise<SyncReport | undefined> {
    if (this.publisher === undefined) return undefined;
    const { common: { world: { clock }, happenings }, stop } = this.#means;
    const at = timeNow(clock);
    const report = await this.mirror.sync(this.publisher);
    // An outage may be ours: this monitor ends.
    if (stop.stopped) return undefined;
    this.#last = { report, at };
    if (report.theirs !== undefined) this.#theirs = report.theirs;
    this.#received += report.received;
    const isWell = report.outcome === "synced" || report.outcome === "up to date";
    // That our own disk refuses says nothing about the publisher.
    if (isWell) [this.#failures, this.#failingSince] = [0, undefined];
    else if (report.outcome !== "not written") {
      this.#failures++;
      this.#failingSince ??= at;
    }
    const { name } = this.vkey;
    happenings.tell({ kind: "mirror synced", name, report, failures: this.#failures });
    await this.#look();
    await this.hearRecords();
    return report;
  }

  /** Takes what its monitor pushes. The answer is durable. */
  async push(push: Push): Promise<PushOutcome> {
    const { common: { world: { clock }, happenings } } = this.#means;
    const before = this.mirror.treeSize;
    const outcome = await this.mirror.push(push);
    const { name } = this.vkey;
    happenings.tell({ kind: "mirror pushed to", name, before, outcome });
    if (outcome.status === 200) this.#lastPushAt = timeNow(clock);
    if (this.mirror.treeSize > before) this.#received += this.mirror.treeSize - before;
    return outcome;
  }

  /** Judges what a push has shown, and hears its records. The sender does not wait for it. */
  async afterPush(): Promise<void> {
    await this.#look();
    await this.hearRecords();
  }

  /** Hears the records that came since the last time. */
  async hearRecords(): Promise<void> {
    await this.#feed.run();
  }

  /** Hears all records once more: other logs are followed now. */
  hearAllAgain(): void {
    this.#feed.restart();
  }

  /** Fetches at its pace until stopped. */
  async run(): Promise<void> {
    const { common: { world: { clock, random }, happenings }, stop } = this.#means;
    try {
      // Other logs may be followed now than when they came.
      await this.hearRecords();
    } catch (error) {
      happenings.failed(error);
    }
    while (!stop.stopped) {
      let retryAfterMs: number | undefined;
      try {
        retryAfterMs = (await this.sync())?.retryAfterMs;
      } catch (error) {
        happenings.failed(error);
      }
      if (this.pulled === undefined) return;
      // The first failures may be a restart; after that the pauses grow.
      const failures = Math.max(0, this.#failures - UNHEALTHY_AFTER + 1);
      const { everyMs: intervalMs } = this.pulled;
      const pauseMs = nextPollMs({ intervalMs, failures, retryAfterMs, random });
      this.#nextAt = clock.monotonic() + pauseMs;
      await stop.pause(clock, pauseMs);
      this.#nextAt = undefined;
    }
  }

  /** See `MirrorStatus`. */
  status(): MirrorStatus {
    const { common: { keeper, world: { clock } } } = this.#means;
    const { log: { origin }, treeSize } = this.mirror;
    const { report, at } = this.#last ?? {};
    return {
      ...{ name: this.vkey.name, vkey: this.vkey.text },
      ...(this.pulled && { url: this.pulled.url }),
      ...{ origin, size: `${treeSize}` },
      ...(this.#theirs !== undefined && { theirs: `${this.#theirs}` }),
      ...(report && { lastOutcome: report.outcome, lastSyncAt: at! }),
      ...(report?.error !== undefined && { lastError: report.error }),
      ...(this.#nextAt !== undefined && { nextSyncAt: timeAt(clock, this.#nextAt) }),
      ...(this.#lastPushAt !== undefined && { lastPushAt: this.#lastPushAt }),
      failures: this.#failures,
      ...(this.#failingSince !== undefined && { failingSince: this.#failingSince }),
      ...(this.#failures >= UNHEALTHY_AFTER && { isUnhealthy: true }),
      ...{ received: Number(this.#received), records: this.#feed.counts },
      incidents: this.#logs.reduce((sum, one) => sum + keeper.cases(one).length, 0) +
        this.formerCases,
      ...(this.#follower && { log: this.#follower.status() }),
    };
  }

  /** See MirrorParty: what a head convicts is recorded before the head is used for anything. */
  async shown(head: VerifiedCheckpoint): Promise<void> {
    const { keeper } = this.#means.common;
    if (this.#follower === undefined) await this.#followAs(this.mirror.log);
    // The judge knows a log by the object that it follows.
    const log = keeper.judge.logs.find(({ id }) => id === head.log.id);
    const own = log && openKept(head.note, log);
    if (own === undefined) return;
    // A head of a history before is judged, and is not what the journal is now.
    if (log?.id === this.#follower?.log.id) {
      this.#source.show(own.note);
      this.#isNewlyShown = true;
    }
    // It counts as told, and not as shown: nobody may ever lead us to it, and then no look writes it
    // down. So it is a question, which is durable and travels, and of which there is a limited number.
    keeper.judge.hearCheckpoint(own, this.source);
    await keeper.keep({ source: this.source });
  }

  /** See MirrorParty. */
  async began(log: Log): Promise<void> {
    const { name } = this.vkey;
    this.#means.common.happenings.tell({ kind: "mirror began anew", name, origin: log.origin });
    this.#feed.restart();
    await this.#followAs(log);
  }

  /** See MirrorParty. */
  damaged(detail: string): void {
    const { name } = this.vkey;
    this.#means.common.happenings.tell({ kind: "mirror damaged", name, detail });
    this.#feed.restart();
  }

  /** Ends what is under way as a log. */
  stop(): void {
    this.#follower?.stop();
  }

  /** Waits for what is under way and closes the mirror. */
  async close(): Promise<void> {
    await this.mirror.close();
  }

  /** Judges the head that was shown last, as a look at any log does. */
  async #look(): Promise<void> {
    if (this.#follower === undefined) await this.#followAs(this.mirror.log);
    if (!this.#isNewlyShown) return;
    this.#isNewlyShown = false;
    await this.#follower?.look();
  }

  async #followAs(log: Log): Promise<void> {
    const { common, follow, pulled } = this.#means;
    const before = this.#follower;
    if (before !== undefined && formatLog(before.log) === formatLog(log)) return;
    const [dropped] = this.#logs.length > MAX_FORMER ? this.#logs : [];
    // First of all: a reload meanwhile follows what is in this list, and nothing else.
    this.#logs = [...this.#logs.filter((one) => one !== dropped && one.id !== log.id), log];
    await follow(log, dropped);
    before?.stop();
    this.#follower = await Follower.start({
      common,
      settings: {
        ...{ log, source: pulled?.url ?? "pushed", pollMs: pulled?.everyMs ?? PATIENCE_MS },
        // A journal may stand still for ever.
        ...{ patienceMs: PATIENCE_MS, isRetired: true },
      },
      source: this.#source,
    });
  }
}
