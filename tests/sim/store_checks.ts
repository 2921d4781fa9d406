/**
 * Checks what must hold of monitors that share a store, by what they tell and what the store has.
 *
 * @module
 */
import { checkObservations } from "../../src/store/observations.ts";
import { logIdOf } from "../../src/store/observation.ts";
import type { StoreStatus } from "../../src/monitor/status.ts";
import { WorldError } from "../../src/world/world.ts";
import type { EventName } from "../../src/monitor/events.ts";
import type { Checks } from "./checks.ts";
import type { SimLog } from "./logs.ts";
import { type Fields, type SimMonitor, STATE } from "./monitor.ts";
import type { SimStore } from "./shared_store.ts";

/** How long a statement may take, and what is done after it, in milliseconds. */
const STATEMENT_MS = 10_000;
/** How long a look may take. */
const LOOK_MS = 60_000;
/** How much longer a site may believe in a lease than the database: their clocks run differently. */
const SLACK_MS = 500;

/** Watches the sites of one store. */
export class StoreChecks {
  readonly #store: SimStore;
  readonly #checks: Checks;
  readonly #sites: readonly SimMonitor[];
  readonly #logs: readonly SimLog[];
  readonly #now: () => number;
  readonly #vkeys = new Map<SimMonitor, string>();
  /** By log, when any site last was shown a checkpoint. */
  readonly #lookedAt = new Map<SimLog, number>();
  /** By site and log, since when nothing keeps the site from looking at it. */
  readonly #wellSince = new Map<string, number>();
  /** Sites that had trouble with a log since they were started: they wait longer. */
  readonly #spoilt = new Set<string>();
  readonly #startedAt = new Map<SimMonitor, number>();
  /** Sites that believed in more leases than they had when this was looked at last. */
  readonly #believed = new Set<SimMonitor>();
  #oldShown = false;

  constructor(fields: {
    store: SimStore;
    checks: Checks;
    sites: readonly SimMonitor[];
    logs: readonly SimLog[];
    now: () => number;
  }) {
    this.#store = fields.store;
    this.#checks = fields.checks;
    this.#sites = fields.sites;
    this.#logs = fields.logs;
    this.#now = fields.now;
  }

  /** Learns the sites' keys. */
  async start(): Promise<void> {
    for (const site of this.#sites) this.#vkeys.set(site, await site.vkey());
  }

  /** A site was shown a checkpoint. */
  shown(log: SimLog): void {
    this.#lookedAt.set(log, this.#now());
  }

  /** A site's daemon was started. */
  started(site: SimMonitor): void {
    this.#startedAt.set(site, this.#now());
    for (const log of this.#logs) this.#spoilt.delete(keyOf(site, log));
  }

  /** A site told something. */
  told(site: SimMonitor, name: EventName, { source, origin }: Fields): void {
    if (typeof source !== "string" || !/^the log at site /.test(source)) return;
    const log = this.#logs.find((one) => one.log.origin === origin);
    const isSound = name !== "log.unverified" && name !== "log.rolled back" ||
      (name === "log.rolled back" && (this.#oldShown || log?.isDishonest === true));
    this.#checks.expect(
      "the store's faults are its own",
      isSound,
      () => `${site.name} told ${name} of ${origin} because of what it has from ${source}`,
    );
  }

  /** Looks at everything, now and then. */
  look(): void {
    for (const site of this.#sites) this.#status(site);
    for (const log of this.#logs) this.#left(log);
  }

  #status(site: SimMonitor): void {
    const status = statusOf(site);
    // Who is asked to end gives its leases back before it forgets them.
    if (status === undefined || site.isEnding) return;
    const { leaseMs } = this.#store.plan;
    const now = this.#now();
    if (this.#store.soundMs > 2 * leaseMs) {
      const held = this.#store.held(this.#vkeys.get(site)!, SLACK_MS);
      const isMore = status.held > held;
      // Who gives a lease back believes in it until the answer is there.
      const wasMore = this.#believed.has(site);
      if (isMore) this.#believed.add(site);
      else this.#believed.delete(site);
      this.#checks.expect(
        "one holder at a time",
        !isMore || !wasMore,
        () => `${site.name} believes in ${status.held} leases, and the store gave it ${held}`,
      );
    }
    const awaySince = Math.max(
      this.#store.awaySince(site.number) ?? Infinity,
      this.#startedAt.get(site) ?? Infinity,
    );
    if (awaySince === Infinity || site.isPaused) return;
    this.#checks.expect(
      "the store's faults are its own",
      now - awaySince < leaseMs + 2 * STATEMENT_MS || status.state === "away",
      () => `${site.name} says that the store is ${status.state}, which is away since ${awaySince}`,
    );
  }

  /** Whether somebody looks at a log. */
  #left(log: SimLog): void {
    const now = this.#now();
    const { leaseMs } = this.#store.plan;
    const sites = this.#sites.filter((site) => site.follows(log.log.origin));
    for (const site of sites) {
      const key = keyOf(site, log);
      if (log.troubles.has(site.number)) this.#spoilt.add(key);
      if (log.troubles.get(site.number) === "old checkpoints") this.#oldShown = true;
      const isWell = site.daemon !== undefined && !site.isPaused && !site.isEnding &&
        !site.hadDiskTrouble && !this.#spoilt.has(key);
      if (!isWell) this.#wellSince.set(key, now);
      else if (!this.#wellSince.has(key)) this.#wellSince.set(key, now);
    }
    if (log.plan.limit !== undefined || log.plan.places !== undefined) return;
    for (const site of sites) {
      const mostMs = leaseMs + 3.2 * site.plan.pollMs + LOOK_MS;
      const since = Math.max(
        this.#wellSince.get(keyOf(site, log))!,
        this.#lookedAt.get(log) ?? 0,
      );
      this.#checks.expect(
        "no log is left alone",
        now - since <= mostMs,
        () =>
          `nobody has looked at ${log.log.origin} for ${
            Math.round((now - since) / 1_000)
          } s, and ` +
          `${site.name} could have`,
      );
    }
  }

  /** Sites that follow a log, and have no case of a split that two sites, or one, were shown. */
  uninformed(): { site: SimMonitor; origin: string }[] {
    return this.#logs.flatMap((log) => {
      const { origin } = log.log;
      const sites = this.#sites.filter((site) => site.follows(origin));
      const pairs = sites.flatMap((a, i) => sites.slice(i + 1).map((b) => [a, b] as const))
        .filter(([a, b]) => this.#checks.splitsBetween(a, b).includes(origin));
      if (pairs.length === 0) return [];
      // Who is shown only a fork below its view is served no tiles that prove it.
      const { deceit } = log.plan;
      const canProve = (site: SimMonitor): boolean =>
        deceit?.kind !== "below" || pairs.some((pair) => pair.includes(site));
      return sites.filter((site) => canProve(site) && !this.#checks.knows(site, origin))
        .map((site) => ({ site, origin }));
    });
  }

  /** Checks that each site has a case of each split. */
  expectInformed(boundMs: number): void {
    const missing = this.uninformed();
    this.#checks.expect(
      "sites share what they saw",
      missing.length === 0,
      () =>
        missing.map(({ site, origin }) => `${site.name} has no case of ${origin}`).join("; ") +
        ` within ${Math.round(boundMs / 1_000)} s, of which sites were shown different stories`,
    );
  }

  /** Sites that have not caught up with the store. */
  get behind(): SimMonitor[] {
    return this.#sites.filter((site) => {
      const status = statusOf(site);
      return status?.state !== "connected" || status.behind !== 0;
    });
  }

  /** Checks that the store has what the journals of all sites have. */
  async expectShared(): Promise<void> {
    const behind = this.behind;
    this.#checks.expect(
      "sites share what they saw",
      behind.length === 0,
      () =>
        behind.map((site) => `${site.name} is ${JSON.stringify(statusOf(site))}`).join("; ") +
        ", though the store is there",
    );
    const heads = this.#store.heads();
    for (const site of this.#sites) {
      for await (
        const item of checkObservations({ files: site.disk.files, folder: STATE })
      ) {
        if (!("observation" in item) || item.observation.checkpoint === undefined) continue;
        const { checkpoint: { size, root } } = item.observation;
        const head = `${logIdOf(item.observation)} ${size} ${root}`;
        this.#checks.expect(
          "sites share what they saw",
          heads.has(head),
          () =>
            `the journal of ${site.name} has ${head} from ${item.observation.source}, and the ` +
            "store has it not",
        );
      }
    }
  }
}

/** What a running daemon says of its store; nothing while it does not run, or its own disk refuses. */
function statusOf(site: SimMonitor): StoreStatus | undefined {
  try {
    return site.daemon?.status().store;
  } catch (error) {
    if (error instanceof WorldError) return undefined;
    throw error;
  }
}

function keyOf(site: SimMonitor, log: SimLog): string {
  return `${site.number} ${log.log.origin}`;
}
