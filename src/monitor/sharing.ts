import type { StoreSettings } from "../store/settings.ts";
import { SharedStore } from "../store/shared_store.ts";
import {
  type HeadCursor,
  type LookSaid,
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
import { jittered } from "../world/pacing.ts";
import type { SharedDatabase, SharedPlace } from "../world/shared_database.ts";
import { Stop } from "../world/stop.ts";
import { timeAt } from "../world/time.ts";
import { SOFTWARE } from "../world/version.ts";
import { WorldError } from "../world/world.ts";
import type { Common } from "./common.ts";
import { HOLDS } from "./finding.ts";
import type { Found } from "./happenings.ts";
import { isOfSite, SharedSource, type ShownElsewhere, siteSource } from "./shared_source.ts";
import { SharedTurns } from "./shared_turns.ts";
import type { StoreStatus } from "./status.ts";
import { isTheLog } from "./the_log.ts";

/** Entries of the journal, and checkpoints of others, that are sent or taken at a time. */
const PAGE = 200;
/** How long the store keeps what nothing contradicts. The journals keep it as long as they do. */
const KEEP_MS = 90 * 86_400_000;
/** How often it is looked what the store may drop. */
const TRIM_MS = 3_600_000;
/** The longest wait before a store that is away is tried again, in milliseconds. */
const MAX_AWAY_MS = 30_000;
/** The first one. */
const FIRST_AWAY_MS = 1_000;

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
  readonly #site: { readonly vkey: string; readonly name: string };
  readonly #turns: SharedTurns;
  #followed: readonly Pick<Log, "id">[] = [];
  #wakeFollower: Wake = () => {};
  /** Ends the wait between two rounds. */
  readonly #ear = new Stop();
  #hasNews = false;
  /** What our looks at the log itself came to, and the store does not know yet. */
  readonly #said = new Map<string, LookSaid>();
  /** By log: how many looks in a row did not reach it. */
  readonly #failures = new Map<string, number>();
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

  /** The source of a log at which the sites look in turns. */
  taken(log: Pick<Log, "id">, source: Source): Source {
    return new SharedSource(source, () => this.#shown(log));
  }

  /**
   * What another site was shown in its turn; nothing if this site is to ask the log. What is older than
   * our view says nothing about the log: we looked ourselves meanwhile, and that site has not since.
   */
  #shown(log: Pick<Log, "id">): ShownElsewhere | undefined {
    const shown = this.#isUp ? this.#turns.shown(log) : undefined;
    const view = shown && this.#common.observations.view(log);
    return view !== undefined && shown!.treeSize < view.treeSize ? undefined : shown;
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
      sites: this.#sites.map(({ name, vkey, alive, seenAgoMs, leases }) => ({
        ...{ name, vkey, isAlive: alive, held: leases },
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
        await this.#publish(store);
        await this.#take(store);
        if (this.#takenHead !== undefined) await store.noteTaken(this.#takenHead);
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
    const { world: { clock }, observations } = this.#common;
    const site = { ...this.#site, software: SOFTWARE };
    const store = await SharedStore.open({ db, clock, site });
    const published = await store.published();
    // The store may have what our journal has lost (OPERATING, "Lost state"). Journals win.
    this.#published = published.seq > observations.last.seq ? FIRST_LINK : published;
    this.#takenHead ??= await store.taken();
    this.#takenLook = 0n;
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
        onGap: () => this.#wake(),
      });
      let trimDueAt = clock.monotonic() + TRIM_MS;
      while (!stop.stopped) {
        this.#hasNews = false;
        const now = clock.monotonic();
        if (now >= leasesDueAt) {
          await this.#keepLeases(store);
          leasesDueAt = now + this.#settings.leaseMs / 3;
        }
        await this.#publish(store);
        await this.#say(store);
        await this.#take(store);
        this.#roundEnded();
        if (now >= trimDueAt) {
          await store.trim(KEEP_MS);
          trimDueAt = now + TRIM_MS;
        }
        const waitMs = leasesDueAt - clock.monotonic();
        if (!this.#hasNews && waitMs > 0) await this.#ear.pause(clock, waitMs);
      }
      await store.release();
    } finally {
      this.#turns.forget();
      await db.close().catch(() => {});
    }
  }

  /** Keeps our leases, and learns of those of others. */
  async #keepLeases(store: SharedStore): Promise<void> {
    const { views, leaseMs } = this.#settings;
    const logs = this.#followed.map(({ id }) => id);
    this.#turns.change(await store.keepLeases({ logs, views, leaseMs }));
    this.#sites = (await store.sites()).flatMap((site) => "damaged" in site ? [] : site);
    this.#sitesAt = this.#common.world.clock.monotonic();
    if (this.#takenHead !== undefined) await store.noteTaken(this.#takenHead);
  }

  /** Sends what our journal has and the store does not. */
  async #publish(store: SharedStore): Promise<void> {
    const { observations } = this.#common;
    for (;;) {
      const after = this.#published;
      const { seen, upTo: last } = await ours(() => observations.seenAfter(after.seq, PAGE));
      if (last.seq <= after.seq) return;
      const entries = seen.filter(({ source }) => !isOfSite(source)).map(published);
      const reached = await store.publish({ after, entries, last });
      // What contradicts them may have been seen long before, by a site that we never heard.
      for (const head of await store.contradicting(entries)) await this.#hear(head);
      this.#published = reached;
      const isAll = last.hash !== "";
      if (isAll && reached.seq === last.seq) return;
    }
  }

  /** Says what our looks came to. */
  async #say(store: SharedStore): Promise<void> {
    for (const [id, said] of [...this.#said]) {
      const lease = this.#turns.lease({ id });
      if (lease !== undefined && await store.look(lease, said) === "stale") this.#turns.lost(lease);
      if (this.#said.get(id) === said) this.#said.delete(id);
    }
  }

  /** Takes what other sites saw since the last time. */
  async #take(store: SharedStore): Promise<void> {
    for (;;) {
      const { heads, next } = await store.headsAfter(this.#takenHead, PAGE);
      for (const head of heads) {
        if (!("damaged" in head)) await this.#hear(head);
      }
      this.#takenHead = next;
      if (heads.length === 0) break;
    }
    for (;;) {
      const { looks, next } = await store.looksAfter(this.#takenLook);
      if (looks.length === 0) break;
      this.#takenLook = next;
      for (const look of looks) if (!("damaged" in look)) this.#takeLook(look);
    }
  }

  #takeLook(look: SharedLook): void {
    const log = { id: look.log };
    const before = this.#turns.shown(log);
    this.#turns.looked(look);
    const now = this.#turns.shown(log);
    if (now !== undefined && now.note !== before?.note) this.#wakeFollower(log);
  }

  /** Hears what another site was shown. It counts only if it verifies here, and as a peer's word. */
  async #hear({ log: id, treeSize, root, note, site, siteName }: SharedHead): Promise<void> {
    const { keeper, memory } = this.#common;
    const log = keeper.judge.logs.find((one) => one.id === id);
    if (log === undefined || site === this.#site.vkey) return;
    const isKnown = await ours(() =>
      memory.at(log, treeSize).some(({ checkpoint }) => checkpoint.root === root)
    );
    if (isKnown) return;
    const opened = openCheckpoint({ note: utf8(note), logs: [log] });
    // Who can write in the store can write anything there. Unsigned, it is nobody's word.
    if ("refused" in opened) return;
    const source = siteSource(siteName);
    const heard = opened.map((checkpoint) => keeper.judge.hearCheckpoint(checkpoint, source));
    await ours(() => keeper.keep({ source }));
    for (const one of heard) keeper.party.report.heard(one, source);
  }

  /** Notes what a look came to, if the log itself was asked. */
  #found({ finding: { log, source, checkpoint }, result, about }: Found): void {
    this.#wake();
    if (about !== "look" || !isTheLog(source) || isOfSite(source)) return;
    const isReached = HOLDS.includes(result) || result === "frozen";
    const failures = isReached ? 0 : (this.#failures.get(log.id) ?? 0) + 1;
    this.#failures.set(log.id, failures);
    const shown = isReached && checkpoint !== undefined ? checkpoint : undefined;
    this.#said.set(log.id, {
      ...{ result, failures },
      checkpoint: shown && {
        ...{ treeSize: shown.treeSize, root: shown.root, note: shown.noteWithCosignatures },
      },
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
    const isStores = error instanceof WorldError || error instanceof StoreRefused;
    if (!isStores) happenings.failed(error instanceof OwnRefusal ? error.cause : error);
    const detail = error instanceof Error ? error.message : String(error);
    this.#away = { since: this.#away?.since ?? clock.monotonic(), detail };
    happenings.tell({ kind: "store away", detail });
  }

  /** Whether what is known of the turns is fresh. */
  get #isUp(): boolean {
    if (this.#away !== undefined || this.#roundAt === undefined) return false;
    return this.#common.world.clock.monotonic() - this.#roundAt < this.#settings.leaseMs;
  }
}

/** Our own disk or database has refused something, and not the store. */
class OwnRefusal extends Error {}

/** Does what the store has no part in. */
async function ours<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new OwnRefusal("our own disk or database refuses", { cause: error });
  }
}

function published(seen: FirstSeen): PublishedEntry {
  const { log, seq, seenAt, source, result, treeSize, root, note } = seen;
  const checkpoint = { size: `${treeSize}`, root, note };
  return { seq, hash: "", recordedAt: seenAt, log, source, result, checkpoint };
}
