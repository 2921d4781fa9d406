import type { StoreSettings } from "../store/settings.ts";
import {
  type LookSaid,
  type SharedHead,
  SharedStore,
  type SiteRow,
  StoreRefused,
} from "../store/shared_store.ts";
import { openCheckpoint } from "../tlog/checkpoint.ts";
import { utf8 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import type { Vkey } from "../tlog/vkey.ts";
import { jittered } from "../world/pacing.ts";
import type { SharedPlace } from "../world/shared_database.ts";
import { Stop } from "../world/stop.ts";
import { timeAt } from "../world/time.ts";
import { WorldError } from "../world/world.ts";
import type { OpenSource } from "./assembly.ts";
import type { Common } from "./common.ts";
import { HOLDS } from "./finding.ts";
import type { Found } from "./happenings.ts";
import { isSite, SharedSource, siteSource } from "./shared_source.ts";
import { SharedTurns } from "./shared_turns.ts";
import type { StoreStatus } from "./status.ts";
import { isTheLog, theLogAt } from "./the_log.ts";

/** Entries of the journal, and checkpoints of others, that are sent or taken at a time. */
const PAGE = 200;
/** The longest wait before a store that is away is tried again. */
const MAX_AWAY_MS = 30_000;
/** The first one. */
const FIRST_AWAY_MS = 1_000;
/** What may have been told in this time before the store was away is taken once more. */
const OVERLAP_MS = 5 * 60_000;

/** Tells a follower that there may be something to look at. */
export type Wake = (log: Pick<Log, "id">) => void;

/**
 * Shares what this daemon sees with the other sites of its operator, through a database: see
 * `store/shared_store.ts`. What they saw is judged here like what a peer tells. If the store is away,
 * this daemon goes on alone, and catches up later. Nothing waits for the store: no look, no exchange
 * and no entry of a journal.
 */
export class Sharing {
  readonly #common: Common;
  readonly #settings: StoreSettings;
  readonly #place: () => Promise<SharedPlace>;
  readonly #site: { readonly vkey: Vkey; readonly name: string };
  readonly #turns: SharedTurns;
  #followed: readonly Pick<Log, "id">[] = [];
  #wakeFollower: Wake = () => {};
  /** Ends the wait between two rounds. */
  readonly #ear = new Stop();
  #hasNews = false;
  /** What our looks at the log itself came to, and the store does not know yet. */
  readonly #said = new Map<string, LookSaid>();
  readonly #failures = new Map<string, number>();
  /** Up to which entry the store has our journal; nothing before the store has said so. */
  #published: number | undefined;
  /** Up to which of the store's checkpoints, and looks, we have taken. */
  #takenHead = 0n;
  #takenLook = 0n;
  #sites: readonly SiteRow[] = [];
  /** When the last whole round ended, by the monotonic clock. */
  #roundAt: number | undefined;
  #away: { readonly since: number; readonly detail: string } | undefined;

  constructor({ common, settings, place, site }: {
    common: Common;
    settings: StoreSettings;
    /** Reads what lets us in, before each connection. */
    place: () => Promise<SharedPlace>;
    site: { readonly vkey: Vkey; readonly name: string };
  }) {
    this.#common = common;
    this.#settings = settings;
    this.#place = place;
    this.#site = site;
    this.#turns = new SharedTurns(common.world.clock);
    common.happenings.subscribe((happening) => {
      if (happening.kind === "found") this.#found(happening);
      else if (happening.kind === "asked" || happening.kind === "case") this.#wake();
    });
  }

  /** Takes turns at these logs from now on. */
  follow(logs: readonly Pick<Log, "id">[], wake: Wake): void {
    this.#followed = logs;
    this.#wakeFollower = wake;
  }

  /** Opens sources that take turns. */
  opener(openSource: OpenSource): OpenSource {
    return (settings) =>
      new SharedSource(
        openSource(settings),
        () => this.#isUp ? this.#turns.shown(settings.log) : undefined,
      );
  }

  /** Who looks at a log now, beside this daemon if it does. */
  sitesAt(log: Log): string[] {
    return this.#isUp ? this.#turns.sitesAt(log) : [];
  }

  /** Whether it is our turn at a log. */
  holds(log: Log): boolean {
    return this.#isUp && this.#turns.lease(log) !== undefined;
  }

  /** How the store stands. */
  status(): StoreStatus {
    const { clock } = this.#common.world;
    const { seq: last } = this.#common.observations.last;
    return {
      state: this.#isUp ? "connected" : "away",
      ...(this.#away !== undefined && {
        since: timeAt(clock, this.#away.since),
        detail: this.#away.detail,
      }),
      behind: last - (this.#published ?? 0),
      held: this.#isUp ? this.#turns.held : 0,
      sites: this.#sites.map(({ name, vkey, seenAt, isAlive }) => ({
        name,
        vkey,
        seenAt,
        isAlive,
      })),
    };
  }

  /** Shares until stopped. */
  async run(stop: Stop): Promise<void> {
    const { clock, random } = this.#common.world;
    stop.onStop(() => this.#ear.stop());
    for (let failures = 0; !stop.stopped;) {
      const before = this.#roundAt;
      try {
        await this.#session(stop);
      } catch (error) {
        this.#failed(error);
      }
      // Somebody who let us in and took a round is asked again soon.
      failures = this.#roundAt === before ? failures + 1 : 1;
      const pauseMs = Math.min(FIRST_AWAY_MS * 2 ** Math.min(failures - 1, 10), MAX_AWAY_MS);
      await stop.pause(clock, jittered(pauseMs, random));
    }
  }

  async #session(stop: Stop): Promise<void> {
    const { world: { sharedDatabases, clock }, observations } = this.#common;
    const database = await sharedDatabases.connect(await this.#place());
    try {
      const { vkey, name } = this.#site;
      const store = await SharedStore.open({ database, clock, site: { vkey: vkey.text, name } });
      const published = await store.published();
      // A journal that was cut or restored is told by the journal itself (OPERATING, "Lost state").
      const isAhead = published !== undefined && published.seq > observations.last.seq;
      this.#published = published === undefined || isAhead ? 0 : published.seq;
      this.#takenHead = await store.headsSince(OVERLAP_MS);
      this.#takenLook = 0n;
      await store.listen({ onWord: () => this.#wake(), onGap: () => this.#wake() });
      let leasesDueAt = -Infinity;
      while (!stop.stopped) {
        this.#hasNews = false;
        const now = clock.monotonic();
        if (now >= leasesDueAt) {
          await this.#keepLeases(store);
          leasesDueAt = now + this.#beatMs;
        }
        await this.#publish(store);
        await this.#say(store);
        await this.#take(store);
        this.#roundEnded();
        if (!this.#hasNews) await this.#ear.pause(clock, leasesDueAt - clock.monotonic());
      }
      await store.release();
    } finally {
      this.#turns.forget();
      await database.close().catch(() => {});
    }
  }

  /** Keeps our leases, and learns of those of others. */
  async #keepLeases(store: SharedStore): Promise<void> {
    const { views, leaseMs } = this.#settings;
    const logs = this.#followed.map(({ id }) => id);
    const { own, others, sites } = await store.keepLeases({ logs, views, leaseMs });
    this.#turns.change({ own, others });
    this.#sites = sites;
  }

  /** Sends what our journal has and the store does not. */
  async #publish(store: SharedStore): Promise<void> {
    const { observations } = this.#common;
    for (;;) {
      const { last } = observations;
      const { seen, upTo } = await ours(() => observations.seenAfter(this.#published!, PAGE));
      const isAll = upTo === this.#published;
      const link = isAll ? last : { seq: upTo, hash: undefined };
      if (link.seq === this.#published) return;
      // What came through the store is in it.
      const own = seen.filter(({ source }) => !isSite(source) && !isLookOfSite(source));
      await store.publish(own, link);
      this.#published = link.seq;
      if (isAll) return;
    }
  }

  /** Says what our looks came to. A lease that is not ours any more has taught us nothing. */
  async #say(store: SharedStore): Promise<void> {
    for (const [id, said] of [...this.#said]) {
      const lease = this.#turns.lease({ id });
      if (lease !== undefined && await store.look(lease, said) === "stale") this.#turns.lost(lease);
      if (this.#said.get(id) === said) this.#said.delete(id);
    }
  }

  /** Takes what other sites saw since the last time. */
  async #take(store: SharedStore): Promise<void> {
    for (let page: readonly SharedHead[]; (page = await this.#nextHeads(store)).length > 0;) {
      for (const head of page) {
        if (head.site !== this.#site.vkey.text) await this.#hear(head);
        // Others at this size may have been seen long ago, and by somebody whom we never heard.
        if (!head.isContradicted) continue;
        for (const other of await store.rootsAt(head.log, head.treeSize)) await this.#hear(other);
      }
    }
    for (const look of await store.looksAfter(this.#takenLook)) {
      if (look.version > this.#takenLook) this.#takenLook = look.version;
      this.#turns.looked(look);
      const log = { id: look.log };
      if (look.site !== this.#site.vkey.text && this.#turns.shown(log)) this.#wakeFollower(log);
    }
  }

  async #nextHeads(store: SharedStore): Promise<readonly SharedHead[]> {
    const page = await store.headsAfter(this.#takenHead, PAGE);
    const last = page.at(-1);
    if (last !== undefined) this.#takenHead = last.id;
    return page;
  }

  /** Hears what another site was shown. It counts only if it verifies here, and as a peer's word. */
  async #hear({ log: id, treeSize, root, note, siteName }: SharedHead): Promise<void> {
    const { keeper, memory } = this.#common;
    const log = keeper.judge.logs.find((one) => one.id === id);
    if (log === undefined) return;
    if (memory.at(log, treeSize).some(({ checkpoint }) => checkpoint.root === root)) return;
    const opened = openCheckpoint({ note: utf8(note), logs: [log] });
    // Who can write in the store can write anything there. It is nobody's word.
    if ("refused" in opened) return;
    const source = siteSource(siteName);
    const heard = opened.map((checkpoint) => keeper.judge.hearCheckpoint(checkpoint, source));
    await ours(() => keeper.keep({ source }));
    for (const one of heard) keeper.party.report.heard(one, source);
  }

  /** Notes what a look came to, if the log itself was asked. */
  #found({ finding: { log, source, checkpoint }, result, about }: Found): void {
    this.#wake();
    if (about !== "look" || !isTheLog(source) || isLookOfSite(source)) return;
    const isReached = HOLDS.includes(result) || result === "frozen";
    const failures = isReached ? 0 : (this.#failures.get(log.id) ?? 0) + 1;
    this.#failures.set(log.id, failures);
    this.#said.set(log.id, {
      ...{ result, failures },
      ...(isReached && checkpoint !== undefined && {
        treeSize: checkpoint.treeSize,
        root: checkpoint.root,
        note: checkpoint.noteWithCosignatures,
      }),
    });
  }

  #wake(): void {
    this.#hasNews = true;
    this.#ear.wake();
  }

  #roundEnded(): void {
    const { world: { clock }, happenings } = this.#common;
    this.#roundAt = clock.monotonic();
    this.#away = undefined;
    happenings.tell({ kind: "store connected" });
  }

  #failed(error: unknown): void {
    const { world: { clock }, happenings } = this.#common;
    if (error instanceof OwnRefusal) happenings.failed(error.cause);
    else if (!(error instanceof WorldError || error instanceof StoreRefused)) {
      happenings.failed(error);
    }
    const detail = error instanceof Error ? error.message : String(error);
    this.#away = { since: this.#away?.since ?? clock.monotonic(), detail };
    happenings.tell({ kind: "store away", detail });
  }

  /** Whether what is known of the turns is fresh. */
  get #isUp(): boolean {
    if (this.#away !== undefined || this.#roundAt === undefined) return false;
    return this.#common.world.clock.monotonic() - this.#roundAt < this.#settings.leaseMs;
  }

  /** How often leases are kept. */
  get #beatMs(): number {
    return this.#settings.leaseMs / 3;
  }
}

/** Our own disk or database has refused something, and not the store. */
class OwnRefusal extends Error {}

/** Does what the store has no part in. */
async function ours<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new OwnRefusal("our own disk or database refused", { cause: error });
  }
}

/** Whether a source is what another site was shown by the log. */
function isLookOfSite(source: string): boolean {
  return isTheLog(source) && source.startsWith(theLogAt(siteSource("")));
}
