import { encodeHex } from "@std/encoding/hex";
import type { StoreSettings } from "../store/settings.ts";
import { STORE_KEEPS_MS } from "../store/shared_upkeep.ts";
import { MAX_LOOKS } from "../store/shared_looks.ts";
import { SharedStore } from "../store/shared_store.ts";
import {
  type HeadCursor,
  type PublishedEntry,
  type SharedHead,
  type SharedLook,
  type SiteRow,
  StoreRefused,
} from "../store/shared_types.ts";
import type { FirstSeen } from "../store/observation_index.ts";
import { FIRST_LINK, type Link } from "../evidence/entry.ts";
import type { Source } from "../sources/source.ts";
import { openCheckpoint } from "../tlog/checkpoint.ts";
import { utf8 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { jittered } from "../world/pacing.ts";
import type { SharedDatabase, SharedPlace } from "../world/shared_database.ts";
import { Stop } from "../world/stop.ts";
import { timeAt } from "../world/time.ts";
import { SOFTWARE } from "../world/version.ts";
import { WorldError } from "../world/world.ts";
import type { Common } from "./common.ts";
import { HeardPeers, type NamedPeer } from "./heard_peers.ts";
import { OwnCases } from "./own_cases.ts";
import { OwnLooks } from "./own_looks.ts";
import { ours, OwnRefusal } from "./own_refusal.ts";
import { SharedAlerts } from "./shared_alerts.ts";
import { isOfSite, SharedSource, type ShownElsewhere, siteSource } from "./shared_source.ts";
import { StoredRecords } from "./stored_records.ts";
import { SharedTurns } from "./shared_turns.ts";
import type { HeardElsewhere, StoreStatus } from "./status.ts";

/** Entries of the journal, and checkpoints of others, that are sent or taken at a time. */
const PAGE = 200;
/** How often it is looked what the store may drop. */
const TRIM_MS = 3_600_000;
const ANOTHER =
  "Another daemon with this monitor's key shares the store (a copied folder?), or the database is back " +
  "from a backup; two daemons must not have one key: stop one of them";
/** The longest wait before a store that is away is tried again, in milliseconds. */
const MAX_AWAY_MS = 30_000;
/** The first one. */
const FIRST_AWAY_MS = 1_000;

/** A look of another site counts for so many of our own intervals; then this site looks itself. */
const LOOK_LASTS = 2;

/**
 * A log that stands still for so many of our intervals is looked at by ourselves too, once in as many:
 * an old checkpoint may be all that the store, or the one site, is shown.
 */
const ALONE_EACH = 20;

/** A log that is followed, and how often it is to be looked at. */
export interface Followed extends Pick<Log, "id"> {
  readonly pollMs: number;
  /** How long it may stand still before it is called frozen. */
  readonly patienceMs: number;
  /** For how long it has stood still, in milliseconds. */
  readonly stillMs: () => number;
}

/** Tells a follower that there may be something to look at. */
export type Wake = (log: Pick<Log, "id">) => void;

/**
 * Shares what this daemon sees with the other sites of its operator, through a database: see
 * `store/shared_store.ts`. What they saw is judged here like what a peer tells. If the store is away,
 * this daemon goes on alone, and catches up later. Nothing waits for the store: no look, no exchange
 * and no entry of a journal.
 */
export class Sharing {
  /** Who of the sites sends an alert. */
  readonly alerts: SharedAlerts;
  readonly #common: Common;
  readonly #settings: StoreSettings;
  readonly #place: () => Promise<SharedPlace>;
  readonly #site: { readonly vkey: string; readonly name: string };
  readonly #turns: SharedTurns;
  #followed: readonly Followed[] = [];
  readonly #looks: OwnLooks;
  /** Tells this daemon from another one that has its key. */
  readonly #run: string;
  readonly #cases: OwnCases;
  readonly #records: StoredRecords;
  readonly #heard: HeardPeers;
  #wakeFollower: Wake = () => {};
  /** Ends the wait between two rounds. */
  readonly #ear = new Stop();
  #hasNews = false;
  /** Up to which entry the store has our journal. */
  #published: Link = FIRST_LINK;
  /** Up to which of the store's checkpoints, and looks, we have taken. */
  #takenHead: HeadCursor | undefined;
  #takenLook = 0n;
  #sites: readonly SiteRow[] = [];
  /** When they were read, by the monotonic clock. */
  #sitesAt = 0;
  /** When the last whole round ended, by the monotonic clock. */
  #roundAt: number | undefined;
  #away: { readonly since: number; readonly detail: string } | undefined;

  constructor({ common, settings, place, site }: {
    common: Common;
    settings: StoreSettings;
    /** Reads what lets us in, before each connection. It throws WorldError alone. */
    place: () => Promise<SharedPlace>;
    /** The vkey and the name of this monitor. */
    site: { readonly vkey: string; readonly name: string };
  }) {
    this.#common = common;
    this.#settings = settings;
    this.#place = place;
    this.#site = site;
    this.#turns = new SharedTurns(common.world.clock);
    this.#looks = new OwnLooks(common.world.clock);
    this.#run = encodeHex(common.world.random.bytes(16));
    this.#cases = new OwnCases(common.keeper.incidents);
    this.#records = new StoredRecords(common);
    this.#heard = new HeardPeers(common.world.clock);
    this.alerts = new SharedAlerts({
      ...{ vkey: site.vkey, clock: common.world.clock },
      onAway: (error) => common.happenings.tell({ kind: "store away", detail: reasonOf(error) }),
    });
    common.happenings.subscribe((happening) => {
      if (happening.kind === "found") this.#looks.take(happening);
      else if (happening.kind === "called") this.#heard.take(happening);
      if (["found", "asked", "case"].includes(happening.kind)) this.#wake();
    });
  }

  /** Takes turns at these logs from now on. */
  follow(logs: readonly Followed[], wake: Wake): void {
    this.#followed = logs;
    this.#wakeFollower = wake;
    this.#looks.follow(logs);
  }

  /** Tells the other sites which of these peers answer this one. */
  followPeers(peers: () => readonly NamedPeer[]): void {
    this.#heard.follow(peers);
  }

  /** The other site that has heard a peer lately, and since this one could not reach it (RFC 3339). */
  heardBy(peer: NamedPeer, since: string): HeardElsewhere | undefined {
    return this.#isUp ? this.#heard.elsewhere(peer, { own: this.#site.vkey, since }) : undefined;
  }

  /** The source of a log at which the sites look in turns. */
  taken(log: Log, source: Source): Source {
    return new SharedSource(source, () => this.#shown(log));
  }

  /**
   * What another site was shown, if that is enough for this one. It is not if we know more, or if it
   * was shown what the log does not prove to us: then the log may tell the two of us two stories. Nor is
   * it if the log stands still, and we have not looked ourselves for long: others' word alone must not
   * make a log frozen, or hide that it grew.
   */
  #shown(log: Log): ShownElsewhere | undefined {
    const { keeper: { judge }, observations } = this.#common;
    const shown = this.#isUp ? this.#turns.shown(log, this.#lastsMs(log)) : undefined;
    if (shown === undefined || shown.treeSize < (judge.latest(log)?.treeSize ?? 0n)) {
      return undefined;
    }
    if (this.#isToLook(log)) return undefined;
    if (!this.#looks.isDoubted(log)) return shown;
    if (!observations.agrees(log, shown)) return undefined;
    this.#looks.trust(log);
    return shown;
  }

  #lastsMs({ id }: Pick<Log, "id">): number {
    return LOOK_LASTS * (this.#followed.find((log) => log.id === id)?.pollMs ?? 0);
  }

  #isToLook(log: Pick<Log, "id">): boolean {
    const followed = this.#followed.find(({ id }) => id === log.id);
    if (followed === undefined) return false;
    const { pollMs, patienceMs, stillMs } = followed;
    const aloneMs = Math.min(stillMs(), this.#looks.notAskedMs(log));
    return aloneMs > Math.min(ALONE_EACH * pollMs, patienceMs / 2);
  }

  /** The names of the other sites whose turn it is to look at a log. */
  sitesAt(log: Pick<Log, "id">): string[] {
    if (!this.#isUp) return [];
    const names = new Map(this.#sites.map(({ vkey, name }) => [vkey, name]));
    return this.#turns.sitesAt(log).map((vkey) => names.get(vkey) ?? vkey);
  }

  /** How the store stands. */
  status(): StoreStatus {
    const { world: { clock }, observations: { last } } = this.#common;
    const away = this.#away;
    return {
      state: this.#isUp ? "connected" : "away",
      ...(away !== undefined && { since: timeAt(clock, away.since), detail: away.detail }),
      behind: last.seq - this.#published.seq,
      held: this.#isUp ? this.#turns.held : 0,
      sites: this.#sites.map(({ name, vkey, alive, stopped, seenAgoMs, leases }) => ({
        ...{ name, vkey, isAlive: alive, ...(stopped && { isStopped: true }), held: leases },
        seenAt: timeAt(clock, this.#sitesAt - seenAgoMs),
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
      // Who let us in, and took a whole round, is asked again soon.
      failures = this.#roundAt === before ? failures + 1 : 1;
      const pauseMs = Math.min(FIRST_AWAY_MS * 2 ** Math.min(failures - 1, 10), MAX_AWAY_MS);
      await stop.pause(clock, jittered(pauseMs, random));
    }
  }

  /**
   * Publishes what this daemon has seen, and takes what the other sites saw, once. It takes no turns.
   * @returns whether the store could be used; if not, that was told
   */
  async once(): Promise<boolean> {
    try {
      const db = await this.#common.world.sharedDatabases.connect(await this.#place());
      try {
        const store = await this.#open(db);
        const stop = new Stop();
        await this.#publish(store, { stop });
        await this.#cases.publish(store);
        await this.#take(store, stop);
        await this.#records.take(store, stop);
        if (this.#takenHead !== undefined) await store.noteTaken(this.#takenHead);
        await store.release();
      } finally {
        await db.close().catch(() => {});
      }
      this.#roundEnded();
      return true;
    } catch (error) {
      this.#failed(error);
      return false;
    }
  }

  async #open(db: SharedDatabase): Promise<SharedStore> {
    const { clock } = this.#common.world;
    const site = { ...this.#site, software: SOFTWARE, run: this.#run };
    const store = await SharedStore.open({ db, clock, site });
    this.#published = await store.published();
    this.#takenHead ??= await store.taken();
    this.#takenLook = 0n;
    this.#cases.storeHas(0);
    this.#heard.forget();
    return store;
  }

  async #session(stop: Stop): Promise<void> {
    const { sharedDatabases, clock } = this.#common.world;
    const db = await sharedDatabases.connect(await this.#place());
    try {
      const store = await this.#open(db);
      let leasesDueAt = -Infinity;
      await store.listen({
        onNews: (news) => {
          // Another site may have given up what this one is to take.
          if (news === "leases") leasesDueAt = -Infinity;
          this.#wake();
        },
        onGap: () => {
          // Another database may have taken over, which gave its looks other numbers.
          this.#takenLook = 0n;
          this.#wake();
        },
      });
      let trimDueAt = clock.monotonic() + TRIM_MS;
      while (!stop.stopped) {
        this.#hasNews = false;
        const now = clock.monotonic();
        if (now >= leasesDueAt) {
          await this.#keepLeases(store);
          leasesDueAt = now + this.#settings.leaseMs / 3;
        }
        await this.#publish(store, { stop, dueAt: () => leasesDueAt });
        await this.#cases.publish(store);
        await this.#say(store);
        await this.#take(store, stop);
        await this.#records.take(store, stop);
        this.#roundEnded();
        this.alerts.store = store;
        if (now >= trimDueAt) {
          await store.trim(STORE_KEEPS_MS);
          trimDueAt = now + TRIM_MS;
        }
        // Whole milliseconds: a timer may come a hair too soon, and then a round would follow a round.
        const waitMs = Math.ceil(leasesDueAt - clock.monotonic());
        if (!this.#hasNews && waitMs > 0) await this.#ear.pause(clock, waitMs);
      }
      await store.release();
    } finally {
      this.alerts.store = undefined;
      this.#turns.forget();
      await db.close().catch(() => {});
    }
  }

  /**
   * Keeps our leases, and learns of those of others.
   * @throws StoreRefused if another daemon with our key does so too
   */
  async #keepLeases(store: SharedStore): Promise<void> {
    const { views, leaseMs } = this.#settings;
    const there = (await store.sites()).find((one) =>
      !("damaged" in one) && one.vkey === this.#site.vkey
    );
    if (there !== undefined && !("damaged" in there) && there.run !== this.#run) {
      throw new StoreRefused(ANOTHER);
    }
    const logs = this.#followed.map(({ id }) => id);
    this.#turns.change(await store.keepLeases({ logs, views, leaseMs }));
    this.#sites = (await store.sites()).flatMap((site) => "damaged" in site ? [] : site);
    // A database that lacks its last commits has less of our journal, also if nothing new comes.
    const own = this.#sites.find(({ vkey }) => vkey === this.#site.vkey);
    if (own !== undefined) this.#published = own.published;
    if (own !== undefined) this.#cases.storeHas(own.cases);
    this.#sitesAt = this.#common.world.clock.monotonic();
    if (this.#takenHead !== undefined) await store.noteTaken(this.#takenHead);
    await this.#heard.exchange(store);
  }

  /** Sends what our journal has and the store does not. */
  async #publish(
    store: SharedStore,
    { stop, dueAt = () => Infinity }: {
      stop: Stop;
      /** When something else is due, by the monotonic clock. Then the rest is sent in the next round. */
      dueAt?: () => number;
    },
  ): Promise<void> {
    const { observations, world: { clock } } = this.#common;
    while (!stop.stopped) {
      const after = this.#published;
      const { seen, upTo: last } = await ours(() => observations.seenAfter(after.seq, PAGE));
      if (after.seq > observations.last.seq) {
        // The store has what our journal has lost (OPERATING, "Lost state"). Journals win.
        this.#published = await store.publish({ after, entries: [], last: FIRST_LINK });
        continue;
      }
      if (last.seq <= after.seq) return;
      const entries = seen.filter(({ source }) => !isOfSite(source)).map(published);
      // What contradicts them may have been seen long before, by a site that we never heard. What comes
      // after this question comes after our cursor too. It is asked first: whoever ends between the
      // two asks again.
      for (const head of await store.contradicting(entries)) await this.#hear(head);
      const reached = await store.publish({ after, entries, last });
      this.#published = reached;
      const isAll = last.hash !== "";
      if (isAll && reached.seq === last.seq) return;
      if (clock.monotonic() < dueAt()) continue;
      this.#hasNews = true;
      return;
    }
  }

  /** Says what our looks came to. */
  async #say(store: SharedStore): Promise<void> {
    const all = this.#looks.unsaid;
    const looks = all.flatMap(([id, said]) => {
      const lease = this.#turns.lease({ id });
      return lease === undefined ? [] : [{ lease, said }];
    });
    for (const lease of await store.lookAll(looks)) this.#turns.lost(lease);
    for (const [id, said] of all) this.#looks.wasSaid(id, said);
  }

  /** Takes what other sites saw since the last time. */
  async #take(store: SharedStore, stop: Stop): Promise<void> {
    while (!stop.stopped) {
      const { heads, next } = await store.headsAfter(this.#takenHead, PAGE);
      for (const head of heads) {
        if (!("damaged" in head)) await this.#hear(head);
      }
      this.#takenHead = next;
      if (heads.length < PAGE) break;
    }
    while (!stop.stopped) {
      const { looks, next } = await store.looksAfter(this.#takenLook);
      this.#takenLook = next;
      for (const look of looks) if (!("damaged" in look)) this.#takeLook(look);
      if (looks.length < MAX_LOOKS) break;
    }
  }

  #takeLook(look: SharedLook): void {
    const log = this.#common.keeper.judge.logs.find(({ id }) => id === look.log);
    if (log === undefined) return;
    const { checkpoint } = look;
    // Unsigned, it is not what the log showed, and says nothing about the log.
    const isSigned = checkpoint !== undefined &&
      !("refused" in openCheckpoint({ note: utf8(checkpoint.note), logs: [log] }));
    const withinMs = this.#lastsMs(log);
    const before = this.#turns.shown(log, withinMs);
    this.#turns.looked({ ...look, checkpoint: isSigned ? checkpoint : undefined });
    const now = this.#turns.shown(log, withinMs);
    if (now !== undefined && now.note !== before?.note) this.#wakeFollower(log);
  }

  /** Hears what another site was shown. It counts only if it verifies here, and as a peer's word. */
  async #hear({ log: id, treeSize, root, note, siteName }: SharedHead): Promise<void> {
    const { keeper, memory } = this.#common;
    const log = keeper.judge.logs.find((one) => one.id === id);
    if (log === undefined) return;
    const isKnown = await ours(() =>
      memory.at(log, treeSize).some(({ checkpoint }) => checkpoint.root === root)
    );
    if (isKnown) return;
    const opened = openCheckpoint({ note: utf8(note), logs: [log] });
    // Who can write in the store can write anything there. Unsigned, it is nobody's word.
    if ("refused" in opened) return;
    const source = siteSource(siteName);
    const heard = await ours(() =>
      opened.map((checkpoint) => keeper.judge.hearCheckpoint(checkpoint, source))
    );
    await ours(() => keeper.keep({ source }));
    for (const one of heard) keeper.party.report.heard(one, source);
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
    // What cannot be read in the store is damaged there, and no fault of ours.
    const kinds = [WorldError, StoreRefused, MalformedError];
    const isStores = kinds.some((kind) => error instanceof kind);
    if (!isStores) happenings.failed(error instanceof OwnRefusal ? error.cause : error);
    const detail = reasonOf(error);
    this.#away = { since: this.#away?.since ?? clock.monotonic(), detail };
    happenings.tell({ kind: "store away", detail });
  }

  /** Whether what is known of the turns is fresh. */
  get #isUp(): boolean {
    if (this.#away !== undefined || this.#roundAt === undefined) return false;
    return this.#common.world.clock.monotonic() - this.#roundAt < this.#settings.leaseMs;
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function published(seen: FirstSeen): PublishedEntry {
  const { log, seq, seenAt, source, result, treeSize, root, note } = seen;
  const checkpoint = { size: `${treeSize}`, root, note };
  return { seq, hash: "", recordedAt: seenAt, log, source, result, checkpoint };
}
