/**
 * A whole fleet in one process: honest monitors, malicious peers, the logs and the network between
 * them, on virtual time. The same plan gives the same run, byte for byte.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Daemon } from "../../src/monitor/daemon.ts";
import type { EventName, Level } from "../../src/monitor/events.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import type { Address } from "../../src/world/world.ts";
import { clockTime, hostnameOf, introductionOf, nameOf, sentenceOf, withNames } from "./account.ts";
import {
  detectionBoundMs,
  lookBoundMs,
  meetingBoundMs,
  mirroringBoundMs,
  type Pace,
  spreadingBoundMs,
} from "./bounds.ts";
import { pairsOf, Ties } from "./ties.ts";
import { Checks } from "./checks.ts";
import type { Violation } from "./properties.ts";
import { type Draw, drawFrom } from "./draw.ts";
import { type Shown, SimLog } from "./logs.ts";
import { type Accomplice, accompliceOf } from "./malicious/accomplice.ts";
import { type Fields, keyNameOf, PORT, SimMonitor, type Watcher } from "./monitor.ts";
import { SimNetwork } from "./network.ts";
import { Pager } from "./pager.ts";
import type { FleetPlan, Happening } from "./plan.ts";
import { SimStore } from "./shared_store.ts";
import { StoreChecks } from "./store_checks.ts";
import { SimTime } from "./time.ts";
import { Troublemaker } from "./troublemaker.ts";

/** How long it may take until what a member says has gone round. */
const SAID_MS = 60_000;
/** How often it is checked what the daemons hold. */
const LOOK_MS = 7_000;
/** A refusal is told at most so many operations of a slow disk after it. */
const REFUSAL_TOLD_AFTER = 3;
/** A channel that works again is tried after half an hour at the latest, and a little. */
const LONGEST_PAGING_MS = 60 * 60_000;
/** How long sites take to share what they wrote, besides a lease. */
const SHARED_MS = 30_000;
/** How long a daemon may take to end when it is asked to. */
const END_MS = 120_000;

/** The result of a run. */
export interface Outcome {
  readonly violations: readonly Violation[];
  /** SHA-256, in hex, of everything that was told and everything that was sent. */
  readonly digest: string;
  /** The virtual time of the run, and that from the end of all trouble until everyone knew, in ms. */
  readonly lasted: number;
  readonly settledAfter: number | undefined;
  readonly boundMs: number;
  readonly counts: {
    readonly connections: number;
    readonly bytes: number;
    readonly looks: number;
    readonly starts: number;
    readonly cases: number;
    readonly splits: number;
  };
  /** How often each property was checked. */
  readonly checked: Readonly<Record<string, number>>;
}

/** One run of a plan. */
export class Fleet {
  readonly plan: FleetPlan;
  readonly time = new SimTime();
  readonly #draw: Draw;
  readonly #hash = createHash("sha256");
  readonly #account: (line: string) => void;
  readonly #network: SimNetwork;
  #logs: readonly SimLog[] = [];
  #monitors: readonly SimMonitor[] = [];
  #troublemakers: readonly Troublemaker[] = [];
  #accomplices: readonly Accomplice[] = [];
  /** The ties as they are until a session begins or ends. */
  #known: { readonly sessionChanges: number; readonly ties: Ties } | undefined;
  #checks!: Checks;
  /** The store of those monitors that are one operator's sites, and what is checked of it. */
  #store: SimStore | undefined;
  #storeChecks: StoreChecks | undefined;
  readonly #counts = { looks: 0, starts: 0 };
  #isOver = false;

  /** Notes that something was thrown and not caught. */
  crashed(error: unknown): void {
    this.#checks.expect(
      "no fault of its own",
      false,
      () => `nobody caught ${error instanceof Error ? error.stack : error}`,
    );
  }

  /** @param account called with a line for each thing that happens */
  constructor(plan: FleetPlan, account: (line: string) => void = () => {}) {
    this.plan = plan;
    this.#account = account;
    this.#draw = drawFrom(plan.seed).branch();
    this.#network = new SimNetwork({
      time: this.time,
      draw: this.#draw.branch(),
      weather: plan.weather,
      onBytes: (bytes) => void this.#hash.update(bytes),
    });
  }

  /** Runs the plan from start to end. */
  async run(): Promise<Outcome> {
    await this.start();
    const { healsAt } = this.plan;
    await this.time.runUntil(healsAt);
    this.#heal();
    const isDone = (): boolean => this.#checks.violations.length > 0 || this.#isSettled();
    let isSettled = false;
    // Each check is made when its bound has passed, or as soon as everything is settled.
    const waitFor = async (boundOf: (pace: Pace) => number): Promise<number> => {
      const boundMs = this.#boundMs(boundOf);
      if (!isSettled) isSettled = await this.time.runUntil(healsAt + boundMs, isDone);
      return boundMs;
    };
    this.#expectSeen(await waitFor(lookBoundMs));
    this.#expectMet(await waitFor(meetingBoundMs));
    const boundMs = await waitFor(detectionBoundMs);
    this.#expectKnown(boundMs);
    this.#expectPlacesCompared(boundMs);
    this.#storeChecks?.expectInformed(boundMs);
    this.#expectSpread(await waitFor(spreadingBoundMs));
    this.#expectMirrored(await waitFor(mirroringBoundMs));
    this.#expectTwoTonguesKnown();
    const settledAt = this.time.now;
    await this.#expectPaged();
    const settledAfter = isSettled ? settledAt - healsAt : undefined;
    const splits = [...this.#splits()].length;
    // A case that is wrongly told twice would be told again within this minute.
    await this.time.runUntil(this.time.now + 60_000);
    const sites = this.#storeChecks;
    // What was written just now is published in the next round, a third of a lease later at most.
    await this.time.runUntil(this.time.now + this.#quietMs, () => sites?.behind.length === 0);
    await sites?.expectShared();
    await this.end();
    return this.#outcome({ settledAfter, boundMs, splits });
  }

  /** Sets everything up. It then runs as virtual time passes. */
  async start(): Promise<void> {
    const { plan, time } = this;
    const logs: SimLog[] = [];
    for (const one of plan.logs) logs.push(await SimLog.make(one, this.#draw.branch()));
    this.#logs = logs;
    const { maliciousMembers = [] } = plan;
    const first = plan.monitors.length + plan.troublemakers.length;
    const total = first + maliciousMembers.length;
    const malicious = new Set(maliciousMembers.map((_, i) => first + i));
    const checks = this.#checks = new Checks({
      ...{ logs, malicious, now: () => time.now },
      keyNameOf,
    });
    const hostnames = Array.from({ length: total }, (_, i) => hostnameOf(i));
    const machines = hostnames.map((hostname, i) =>
      this.#network.machine(hostname, plan.regions?.[i])
    );
    const addressOf = (i: number): Address => ({ hostname: hostnames[i]!, port: PORT });
    const strangers = Array.from({ length: plan.crowd?.addresses ?? 0 }, (_, i) => total + i)
      .map((number) => this.#network.machine(hostnameOf(number)));
    const watcher = this.#watcher();
    const store = this.#store = plan.store && new SimStore({
      ...{ plan: plan.store, time },
      watcher: {
        expect: (holds, detail) => checks.expect("one holder at a time", holds, detail),
      },
    });
    await store?.start();
    this.#monitors = plan.monitors.map((one, number) =>
      new SimMonitor({
        ...{ number, plan: one, time, watcher },
        pager: Pager.isIn(plan) ? this.#pagerOf(number) : undefined,
        logs: one.follows?.map((log) => logs[log]!) ?? logs,
        ...(plan.store?.sites.includes(number) && { store }),
        draw: this.#draw.branch(),
        network: this.#network,
        machine: machines[number]!,
        ...{ addressOf, keyOf: (number: number) => vkeys[number]! },
        monitorAt: (hostname) =>
          this.#monitors.find(({ machine }) => machine.hostname === hostname),
      })
    );
    const vkeys = await Promise.all(this.#monitors.map((monitor) => monitor.vkey()));
    const accomplices: Accomplice[] = [];
    for (const [i, malice] of maliciousMembers.entries()) {
      const number = first + i;
      const one = await accompliceOf({
        ...{ malice, number, plan, time, network: this.#network, logs, addressOf },
        ...{ draw: this.#draw.branch(), machine: machines[number]!, vkeys },
        onToldApart: (target) => checks.toldApart(number, target),
      });
      vkeys[number] = one.vkey;
      accomplices.push(one);
    }
    this.#accomplices = accomplices;
    this.#troublemakers = plan.troublemakers.map((malice, i) =>
      new Troublemaker({
        ...{ malice, time, logs },
        machine: machines[plan.monitors.length + i]!,
        crowd: plan.crowd && { ...plan.crowd, machines: strangers },
        network: this.#network,
        draw: this.#draw.branch(),
        targets: hostnames.slice(0, plan.monitors.length),
        records: () => checks.records(),
        onAnswered: (told) => checks.answered(this.#monitors[told.target]!, told),
      })
    );
    for (const monitor of this.#monitors) time.after(monitor.plan.startsAt, () => monitor.boot());
    for (const one of this.#troublemakers) one.start();
    for (const one of this.#accomplices) one.start();
    for (const log of logs) this.#growLater(log);
    for (const one of plan.happenings) time.after(one.at, () => void this.#happen(one));
    this.#storeChecks = store && new StoreChecks({
      ...{ store, checks, logs, now: () => time.now },
      sites: plan.store!.sites.map((number) => this.#monitors[number]!),
    });
    await this.#storeChecks?.start();
    this.#lookLater();
    for (const line of introductionOf(plan)) this.#note(line);
  }

  #pagerOf(number: number): Pager {
    return new Pager({
      ...{ plan: this.plan, number, time: this.time },
      taken: (alert) => {
        const monitor = this.#monitors[number]!;
        this.#note(`${monitor.name} pages ${alert.level} ${alert.state} ${alert.case}`);
        this.#checks.paged(monitor, alert);
      },
    });
  }

  /** All cases must arrive once the pagers work again. */
  async #expectPaged(): Promise<void> {
    if (!Pager.isIn(this.plan)) return;
    const isDone = (): boolean =>
      this.#checks.violations.length > 0 ||
      this.#monitors.every((monitor) => this.#checks.unpaged(monitor).length === 0);
    await this.time.runUntil(this.time.now + LONGEST_PAGING_MS, isDone);
    for (const monitor of this.#monitors) this.#checks.expectPaged(monitor);
  }

  #watcher(): Watcher {
    return {
      told: (monitor, name, level, fields) => this.#told(monitor, name, level, fields),
      refused: (monitor, error) => {
        this.#note(`${monitor.name} could not: ${(error as Error).message}`);
        this.#checks.refused(monitor, error);
      },
      asks: (monitor, log, place) => this.#checks.asks(monitor, log, place),
      putOff: (monitor, log, asked) => this.#checks.putOff(monitor, log, asked),
      shown: (monitor, log, shown: Shown) => {
        this.#counts.looks++;
        this.#checks.shown(monitor, log, shown);
        if (monitor.isSite) this.#storeChecks?.shown(log);
      },
      started: (monitor, daemon: Daemon) => {
        this.#counts.starts++;
        this.#checks.started(monitor, daemon);
        if (monitor.isSite) this.#storeChecks?.started(monitor);
      },
      failed: (monitor, error) => this.#checks.failed(monitor, error),
      letGo: (monitor, left) => this.#checks.letGo(monitor, left),
      ended: (monitor) => {
        this.#checks.ended(monitor);
        return this.#checks.disk(monitor);
      },
      account: (line) => this.#note(line),
    };
  }

  #told(monitor: SimMonitor, name: EventName, level: Level, fields: Fields): void {
    this.#checks.told(monitor, { name, level, fields });
    this.#storeChecks?.told(monitor, name, fields);
    const line = `${monitor.name} ${name} ${JSON.stringify(fields)}`;
    if (level === "debug") this.#hash.update(utf8(`${this.time.now} ${line}\n`));
    else this.#note(line, `${monitor.name}: ${sentenceOf(name, fields)}`);
  }

  /** Adds a line to the digest, and to the account in a form for people. */
  #note(line: string, told = line): void {
    this.#hash.update(utf8(`${this.time.now} ${line}\n`));
    this.#account(`${clockTime(this.time.now)} ${withNames(this.plan, told)}`);
  }

  #growLater(log: SimLog): void {
    const { growMs } = log.plan;
    this.time.after(growMs * (0.5 + this.#draw.share()), () => {
      log.grow();
      if (!this.#isOver) this.#growLater(log);
    });
  }

  #lookLater(): void {
    this.time.after(LOOK_MS, () => {
      for (const monitor of this.#monitors) {
        // What is due for one that stands still waits.
        if (monitor.isUp && !monitor.wasPaused) this.#checks.held(monitor);
        // The status asks the database, which would draw whether to refuse. With a crowd it never does.
        if (monitor.isUp && this.plan.crowd !== undefined) this.#checks.asked(monitor);
      }
      this.#storeChecks?.look();
      if (!this.#isOver) this.#lookLater();
    });
  }

  async #happen(what: Happening): Promise<void> {
    const monitor = "monitor" in what ? this.#monitors[what.monitor]! : undefined;
    switch (what.does) {
      case "cuts":
        for (const [a, b] of what.links) this.#network.cut(hostnameOf(a), hostnameOf(b), true);
        return this.#note(
          `links are cut: ${
            what.links.map(([a, b]) => `${nameOf(this.plan, a)} and ${nameOf(this.plan, b)}`).join(
              ", ",
            )
          }`,
        );
      case "mends":
        this.#network.mend();
        return this.#note("all links are mended");
      case "stops":
        this.#note(`${monitor!.name} is asked to end`);
        return monitor!.stop(what.downMs);
      case "is killed":
        this.#note(`${monitor!.name} is killed`);
        return await monitor!.kill(what.downMs);
      case "loses power":
        if (what.inWrite === undefined) return await this.#cutPower(monitor!, what);
        monitor!.trouble.powerCut = {
          left: what.inWrite,
          cut: () => void this.#cutPower(monitor!, what),
        };
        return;
      case "disk": {
        this.#note(`the disk of ${monitor!.name} is ${what.trouble}`);
        const { trouble } = monitor!;
        trouble.full = what.trouble === "full";
        trouble.flaky = { full: 0, well: 0, flaky: 0.1, dead: 1 }[what.trouble];
        if (what.trouble !== "well") monitor!.hadDiskTrouble = true;
        // What was refused last is told after the file was cut back and synced: see Checks.refused.
        else this.time.after(REFUSAL_TOLD_AFTER * trouble.slowMs, () => this.#diskIsWell(monitor!));
        return;
      }
      case "clock jumps":
        this.#note(`the clock of ${monitor!.name} jumps by ${what.ms} ms`);
        monitor!.machineTime.ahead += what.ms;
        return;
      case "descriptors":
        this.#note(`${monitor!.name} has ${what.fail ? "no" : "enough"} descriptors`);
        monitor!.machine.acceptFails = what.fail;
        return;
      case "log trouble": {
        const log = this.#logs[what.log]!;
        this.#note(`${log.log.origin} as ${monitor!.name} sees it: ${what.trouble ?? "well"}`);
        if (what.trouble === undefined) log.troubles.delete(what.monitor);
        else log.troubles.set(what.monitor, what.trouble);
        return;
      }
      case "freezes":
        this.#note(`log ${what.log + 1} ${what.isFrozen ? "stands still" : "goes on"}`);
        this.#logs[what.log]!.isFrozen = what.isFrozen;
        return;
      case "pauses":
        this.#note(`${monitor!.name} stands still for ${what.ms} ms`);
        return monitor!.pause(what.ms);
      case "store":
        this.#note(`the store is ${JSON.stringify(what.happens)}`);
        this.#store!.happen(what.happens);
    }
  }

  #diskIsWell(monitor: SimMonitor): void {
    const { full, flaky } = monitor.trouble;
    if (!full && flaky === 0) monitor.hadDiskTrouble = false;
  }

  async #cutPower(
    monitor: SimMonitor,
    how: { readonly keepShare: number; readonly downMs: number },
  ): Promise<void> {
    this.#note(`${monitor.name} loses power; ${how.keepShare} of what is not synced stays`);
    await monitor.losePower(how);
  }

  /** Ends all trouble. Malicious peers go on. */
  #heal(): void {
    this.#note("all trouble ends, malice excepted");
    this.#store?.heal();
    this.#network.mend();
    this.#network.weather = { ...this.plan.weather, loss: 0 };
    for (const log of this.#logs) {
      log.troubles.clear();
      log.catchUp();
      log.isFrozen = true;
    }
    for (const monitor of this.#monitors) {
      Object.assign(monitor.trouble, { full: false, flaky: 0, powerCut: undefined });
      monitor.machine.acceptFails = false;
      monitor.hadDiskTrouble = false;
      if (monitor.pager !== undefined) monitor.pager.isTroubled = false;
      monitor.boot();
    }
  }

  #boundMs(boundOf: (pace: Pace) => number): number {
    const { monitors, healsAt, isCalm } = this.plan;
    const outageMs = isCalm ? 0 : healsAt;
    const hasMembers = monitors.some(({ membership }) => membership !== undefined);
    const bounds = monitors.map(({ pollMs, gossipMs, fanOut, peers, membership }) => {
      const length = peers.length + (membership?.members.length ?? 0);
      return boundOf({
        ...{ outageMs, pollMs, gossipMs, fanOut, hasMembers },
        peers: Math.max(1, length),
      });
    });
    return Math.max(...bounds);
  }

  /**
   * Pairs of honest monitors that exchange: one calls the other plainly, they have a session, or
   * members between them have that all follow a log.
   * @param origin the log; without it, whoever is between them need not follow anything
   */
  *#connected(origin?: string): Generator<readonly [SimMonitor, SimMonitor]> {
    const ties = this.#ties();
    const follows = (number: number): boolean =>
      origin === undefined || this.#monitors[number]!.follows(origin);
    for (const [a, b] of ties.connected(follows)) yield [this.#monitors[a]!, this.#monitors[b]!];
  }

  /** Who exchanges with whom. Sessions that began after all should have met do not count. */
  #ties(): Ties {
    const { sessionChanges } = this.#checks;
    if (this.#known?.sessionChanges === sessionChanges) return this.#known.ties;
    const since = this.#metBy();
    const sessions = this.#monitors.map((monitor) => this.#checks.sessionsOf(monitor, { since }));
    const ties = new Ties(this.plan, sessions);
    this.#known = { sessionChanges, ties };
    return ties;
  }

  /** Pairs that exchange with each other directly. */
  *#exchanging(): Generator<readonly [SimMonitor, SimMonitor]> {
    for (const [a, b] of this.#ties().direct) yield [this.#monitors[a]!, this.#monitors[b]!];
  }

  /** What pairs that exchange were shown of which they must have a case. */
  *#splits(): Generator<{ a: SimMonitor; b: SimMonitor; origin: string }> {
    for (const { log: { origin } } of this.#logs) {
      for (const [a, b] of this.#connected(origin)) {
        if (!a.follows(origin) || !b.follows(origin)) continue;
        if (this.#checks.splitsBetween(a, b).includes(origin)) yield { a, b, origin };
      }
    }
  }

  /** Pairs of members that have no session, and should. */
  #apart(): (readonly [SimMonitor, SimMonitor])[] {
    const hasSession = (a: SimMonitor, b: SimMonitor): boolean =>
      this.#checks.sessionsOf(a).has(b.number) && this.#checks.sessionsOf(b).has(a.number);
    return pairsOf(this.plan).map(([a, b]) => [this.#monitors[a]!, this.#monitors[b]!] as const)
      .filter(([a, b]) => !hasSession(a, b));
  }

  #expectMet(boundMs: number): void {
    const apart = this.#apart();
    this.#checks.expect(
      "members meet in time",
      apart.length === 0,
      () =>
        `${apart.map(([a, b]) => `${a.name} and ${b.name}`).join(", ")} have no session within ` +
        `${Math.round(boundMs / 1_000)} s`,
    );
  }

  /** Who has no case of a log that somebody has with whom sessions connect it, through anyone honest. */
  #uninformed({ by = Infinity } = {}): { monitor: SimMonitor; origin: string }[] {
    const missing = [...this.#connected()].flatMap(([a, b]) => {
      const origins = (one: SimMonitor, other: SimMonitor): string[] =>
        this.#checks.convictedBy(other, by).filter((origin) =>
          one.follows(origin) && !this.#checks.knows(one, origin)
        );
      return [
        ...origins(a, b).map((origin) => ({ monitor: a, origin })),
        ...origins(b, a).map((origin) => ({ monitor: b, origin })),
      ];
    });
    return missing;
  }

  /** Honest monitors that must have a case of a member with two tongues, and have none. */
  #deaf({ by = Infinity } = {}): { monitor: SimMonitor; number: number }[] {
    const { maliciousMembers = [], monitors, troublemakers } = this.plan;
    return maliciousMembers.flatMap((_, i) => {
      const number = monitors.length + troublemakers.length + i;
      const knows = (monitor: SimMonitor): boolean => this.#checks.knowsTongues(monitor, number);
      const lists = (one: number): boolean =>
        monitors[one]!.membership?.members.some((member) => member.number === number) === true;
      return this.#ties().linked(lists).flatMap((pair) => {
        const both = pair.map((one) => this.#monitors[one]!);
        const mustKnow = both.some(knows) || this.#checks.heardApart(pair, number, by);
        return mustKnow ? both.filter((one) => !knows(one)) : [];
      }).map((monitor) => ({ monitor, number }));
    });
  }

  /** Mirrors that do not hold all of the journal of a monitor that is up. */
  #behindJournals(): string[] {
    return this.#monitors.flatMap((monitor) =>
      (monitor.plan.mirrors ?? []).flatMap((number) => {
        const of = this.#monitors[number]!;
        const journal = of.daemon?.federating?.log;
        if (journal === undefined) return [];
        const mirror = monitor.daemon?.status().mirrors
          ?.find(({ origin }) => origin === journal.origin);
        return mirror?.size === `${journal.treeSize}` ? [] : [`${monitor.name} of ${of.name}`];
      })
    );
  }

  #expectMirrored(boundMs: number): void {
    const behind = this.#behindJournals();
    this.#checks.expect(
      "mirrors follow in time",
      behind.length === 0,
      () =>
        `within ${Math.round(boundMs / 1_000)} s these mirrors have not reached the journal: ` +
        behind.join(", "),
    );
  }

  #expectTwoTonguesKnown(): void {
    // What was said just now is still on its way.
    const deaf = this.#deaf({ by: this.time.now - SAID_MS });
    this.#checks.expect(
      "two tongues are recorded",
      deaf.length === 0,
      () =>
        deaf.map(({ monitor, number }) =>
          `${monitor.name} has no case of ${nameOf(this.plan, number)}`
        ).join("; "),
    );
  }

  /** The moment by which members that should meet have met. */
  #metBy(): number {
    return this.plan.healsAt + this.#boundMs(meetingBoundMs);
  }

  #isSettled(): boolean {
    const checks = this.#checks;
    // It is not settled before everyone has looked: a split may not have been shown yet.
    const hasLooked = (monitor: SimMonitor): boolean =>
      checks.behind(monitor).length === 0 && checks.unseen(monitor).length === 0;
    if (!this.#monitors.every(hasLooked) || this.#apart().length > 0) return false;
    for (const [a, b] of this.#exchanging()) {
      if (checks.unsharedBetween(a, b).length > 0) return false;
    }
    for (const { a, b, origin } of this.#splits()) {
      if (!checks.knows(a, origin) || !checks.knows(b, origin)) return false;
    }
    if (this.#uninformed().length > 0 || this.#deaf().length > 0) return false;
    const sites = this.#storeChecks;
    if (sites !== undefined && (sites.uninformed().length > 0 || sites.behind.length > 0)) {
      return false;
    }
    if (this.#behindJournals().length > 0) return false;
    const isCompared = (monitor: SimMonitor): boolean =>
      checks.contradictedPlaces(monitor).every((origin) => checks.knows(monitor, origin));
    return this.#monitors.every(isCompared);
  }

  #expectSeen(boundMs: number): void {
    const checks = this.#checks;
    for (const monitor of this.#monitors) {
      const behind = checks.behind(monitor);
      checks.expect(
        "views catch up in time",
        behind.length === 0,
        () =>
          `the view of ${monitor.name} has not reached ${behind.join(", ")} within ` +
          `${Math.round(boundMs / 1_000)} s`,
      );
    }
  }

  #expectKnown(boundMs: number): void {
    const checks = this.#checks;
    const within = `within ${Math.round(boundMs / 1_000)} s`;
    for (const { a, b, origin } of this.#splits()) {
      for (const one of [a, b]) {
        checks.expect(
          "both know in time",
          checks.knows(one, origin),
          () =>
            `${one.name} has no case of ${origin} ${within}, of which ${a.name} and ${b.name} ` +
            "were shown different stories",
        );
      }
    }
  }

  /** A monitor that is shown two stories at two places must find that out by itself. */
  #expectPlacesCompared(boundMs: number): void {
    for (const monitor of this.#monitors) {
      for (const origin of this.#checks.contradictedPlaces(monitor)) {
        this.#checks.expect(
          "both know in time",
          this.#checks.knows(monitor, origin),
          () =>
            `${monitor.name} has no case of ${origin} within ${Math.round(boundMs / 1_000)} s, ` +
            "which showed it different stories in two places",
        );
      }
    }
  }

  #expectSpread(boundMs: number): void {
    const checks = this.#checks;
    for (const { monitor, origin } of this.#uninformed({ by: this.plan.healsAt })) {
      const detail = (): string => `${monitor.name} has no case of ${origin}, which members have`;
      checks.expect("evidence spreads in time", false, detail);
    }
    for (const [a, b] of this.#exchanging()) {
      const unshared = checks.unsharedBetween(a, b, { by: this.plan.healsAt });
      checks.expect(
        "evidence spreads in time",
        unshared.length === 0,
        () =>
          `${a.name} and ${b.name} do not both have ${unshared.join(", ")} within ` +
          `${Math.round(boundMs / 1_000)} s`,
      );
    }
  }

  /** The logs. There are none before `start`. */
  get logs(): readonly SimLog[] {
    return this.#logs;
  }

  /** When each monitor that has a case recorded its first. */
  firstCases(): readonly number[] {
    return this.#monitors.map((monitor) => this.#checks.firstCaseOf(monitor))
      .filter((at) => at !== undefined);
  }

  /** How many exchanges honest monitors have begun, and how many bytes were delivered, so far. */
  spent(): { exchanges: number; bytes: number } {
    const exchanges = this.#monitors.flatMap(({ daemon }) => daemon?.status().peers ?? [])
      .reduce((sum, { exchanges }) => sum + exchanges, 0);
    return { exchanges, bytes: this.#network.carried.bytes };
  }

  /** How long it may take until sites have shared all that they wrote. */
  get #quietMs(): number {
    const { store } = this.plan;
    return store === undefined ? 0 : store.leaseMs + SHARED_MS;
  }

  /** Asks everyone to end, and checks what is left. */
  async end(): Promise<void> {
    this.#isOver = true;
    for (const one of this.#troublemakers) one.stop();
    for (const one of this.#accomplices) one.stop();
    for (const monitor of this.#monitors) monitor.retire();
    const areDown = (): boolean => this.#monitors.every(({ isUp }) => !isUp);
    await this.time.runUntil(this.time.now + END_MS, areDown);
    for (const one of this.#accomplices) one.close();
    for (const monitor of this.#monitors) {
      this.#checks.expect(
        "exchanges end",
        !monitor.isUp,
        () => `${monitor.name} did not end within ${END_MS} ms`,
      );
      await this.#checks.disk(monitor);
      monitor.close();
    }
    this.#store?.close();
  }

  #outcome(
    { settledAfter, boundMs, splits }: {
      settledAfter: number | undefined;
      boundMs: number;
      splits: number;
    },
  ): Outcome {
    const { connections, bytes } = this.#network.carried;
    const checks = this.#checks;
    const cases = this.#monitors.reduce((sum, monitor) => sum + checks.casesOf(monitor), 0);
    return {
      violations: checks.violations,
      digest: this.#hash.digest("hex"),
      lasted: this.time.now,
      ...{ settledAfter, boundMs },
      counts: { connections, bytes, ...this.#counts, cases, splits },
      checked: checks.looks,
    };
  }
}
