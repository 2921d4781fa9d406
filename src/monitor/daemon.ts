import { DurabilityLost } from "../world/durable.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import { formatAddress } from "../world/address.ts";
import type { Signer } from "../world/signer.ts";
import { Stop } from "../world/stop.ts";
import { timeNow } from "../world/time.ts";
import type { World } from "../world/world.ts";
import { assemble, type OpenSource, type Parts } from "./assembly.ts";
import { canTakeUp, takeUp } from "./changes.ts";
import type { EventReport } from "./events.ts";
import type { Happening } from "./happenings.ts";
import { IncidentNotWritten } from "./case_keeper.ts";
import type { Settings } from "./settings.ts";
import type { Status } from "./status.ts";

/** How often repeats are summarised and old segments removed. */
const UPKEEP_MS = 3_600_000;

/**
 * The daemon: looks at every log, exchanges with peers, settles what was heard, and writes
 * everything down before it acts on it. No log and no peer waits for another. What it is made of
 * stands in `assembly.ts`; what happens in it, in `happenings.ts`.
 */
export class Daemon {
  readonly #parts: Parts;
  readonly #world: World;
  readonly #startedAt: string;
  readonly #stop = new Stop();
  /** What works until it is stopped. */
  readonly #loops = new Set<Promise<void>>();
  #isClosing = false;
  /** Why it ends by itself, if it does. */
  #end: unknown;

  private constructor(parts: Parts) {
    this.#parts = parts;
    this.#world = parts.shared.world;
    this.#startedAt = timeNow(this.#world.clock);
    parts.shared.happenings.subscribe((happening) => this.#follow(happening));
  }

  /**
   * Opens the journals, and the port to answer on; looks at nothing yet.
   * @throws JournalLocked, JournalDamaged, WorldError; MalformedError for a source that is none
   */
  static async start(settled: {
    world: World;
    settings: Settings;
    signer: Signer;
    report: EventReport;
    openSource: OpenSource;
  }): Promise<Daemon> {
    return new Daemon(await assemble(settled));
  }

  /** Where it answers exchanges. */
  get address(): string | undefined {
    const { acceptor } = this.#parts;
    return acceptor && formatAddress(acceptor.address);
  }

  /** Incidents recorded since the start. */
  get incidents(): number {
    return this.#parts.tallies.incidents;
  }

  /** Whether what a log showed at the last look contradicts what it has signed before. */
  get isContradicted(): boolean {
    const { followers, tallies } = this.#parts;
    return followers.some(({ log }) => tallies.ofLog(log).lastResult === "inconsistent");
  }

  /** Looks at every log and exchanges with every peer once; whether all of it could be done. */
  async once(): Promise<boolean> {
    const { followers, rounds } = this.#parts;
    this.#tellStart();
    const looks = await Promise.all(followers.map((follower) => follower.look()));
    const couldExchange = await rounds.all();
    await this.#finishBackground();
    // What was settled may be evidence that the peers lack.
    if (this.incidents > 0) {
      await rounds.all();
      await this.#finishBackground();
    }
    const undone = ["unavailable", "unproven", "frozen", "not written"];
    return looks.every(({ result }) => !undone.includes(result)) && couldExchange;
  }

  /**
   * Works until `stop`; then finishes writing and lets go of everything.
   * @throws DurabilityLost once a journal can be written no more: a start reads what is there, and so
   *   can write again, which is why this ends for whoever starts it anew; and whatever `close` throws
   */
  async run(): Promise<void> {
    const { acceptor, followers, rounds } = this.#parts;
    this.#tellStart();
    if (acceptor !== undefined) this.#loop(acceptor.run());
    this.#loop(rounds.run());
    this.#loop(this.#upkeep());
    for (const follower of followers) this.#loop(follower.run());
    while (this.#loops.size > 0) await Promise.all(this.#loops);
    await this.close();
    if (this.#end !== undefined) throw this.#end;
  }

  /** Asks `run` to end. */
  stop(): void {
    const { shared: { happenings, memory }, rounds, followers, acceptor } = this.#parts;
    happenings.tell({ kind: "stopping" });
    this.#stop.stop();
    memory.end();
    rounds.stop();
    for (const follower of followers) follower.stop();
    acceptor?.close();
    memory.end();
  }

  /** Finishes writing and lets go of the journals. */
  async close(): Promise<void> {
    const { acceptor, announcer, shared: { memory, keeper, observations } } = this.#parts;
    acceptor?.close();
    memory.end();
    this.#isClosing = true;
    await this.#finishBackground();
    announcer.close();
    try {
      await keeper.close();
    } finally {
      await observations.close();
    }
  }

  /** Whether it can take up these settings while it runs; else it has to be started anew. */
  canTakeUp(settings: Settings, vkey: string): boolean {
    return canTakeUp(this.#parts, settings, vkey);
  }

  /**
   * Takes up changed settings while it runs. What did not change goes on as it was: uptime, counters,
   * connections, open questions, and what is under way. One call at a time.
   * @param settings those that `canTakeUp` accepts
   * @throws MalformedError, WorldError, IncidentNotWritten; then nothing has changed
   */
  async takeUp(settings: Settings, openSource: OpenSource): Promise<void> {
    const parts = this.#parts;
    const { begun, isMoved } = await takeUp({ parts, settings, openSource });
    const { acceptor, shared: { happenings } } = parts;
    if (isMoved && acceptor !== undefined) this.#loop(acceptor.run());
    for (const follower of begun) this.#loop(follower.run());
    if (this.#stop.stopped) {
      acceptor?.close();
      for (const follower of begun) follower.stop();
    }
    const { logs, peers } = settings;
    happenings.tell({ kind: "reloaded", logs: logs.length, peers: peers.length });
  }

  /** What it can say of itself now. */
  status(): Status {
    const { settings, signer, followers, tallies, rounds, announcer } = this.#parts;
    const { keeper } = this.#parts.shared;
    return {
      name: settings.name,
      vkey: signer.vkey.text,
      startedAt: this.#startedAt,
      now: timeNow(this.#world.clock),
      incidents: keeper.casesHeld,
      unwritten: tallies.isUnwritten,
      ...(tallies.faults > 0 && { faults: tallies.faults }),
      ...(announcer.lost > 0 && { eventsLost: announcer.lost }),
      logs: followers.map((one) => ({
        ...one.status(),
        ...this.#sharedBy(one.log),
        ...tallies.ofLog(one.log),
      })),
      peers: rounds.peers.map(({ name, vkey }) => ({
        address: name,
        ...(vkey !== undefined && { vkey }),
        ...tallies.ofPeer(name),
      })),
    };
  }

  /** How many peers compare a log with us, as they said last. */
  #sharedBy(log: Log): { sharedBy?: number } {
    const { rounds, shared: { keeper: { party: { handedOver } } } } = this.#parts;
    const lists = rounds.peers.flatMap(({ name }) => handedOver.sharedWith(name) ?? []);
    return lists.length === 0 ? {} : { sharedBy: lists.filter((list) => list.has(log)).length };
  }

  /** What has to be done because of what happened. */
  #follow(happening: Happening): void {
    const { background, rounds } = this.#parts;
    switch (happening.kind) {
      case "refused":
        return this.#endIfLost(happening.error);
      case "case":
        if (happening.news.outcome === "recorded") rounds.incidentRecorded();
        return;
      case "asked":
        return this.#settle(happening.log, happening.source);
      case "heard": {
        const { heard, source } = happening;
        // Strangers may say it any number of times, from any number of addresses.
        const { memory } = this.#parts.shared;
        if (heard.verdict !== "matches" || memory.askerOf(source) === "stranger") return;
        return background.run(() => this.#noteMatch(heard.checkpoint, source));
      }
      case "call failed": {
        const { source, reason } = happening;
        return background.run(() => this.#noteFailure(source, reason));
      }
    }
  }

  /** After some of what can be refused nothing more can be written, until a start. */
  #endIfLost(error: unknown): void {
    const reason = error instanceof IncidentNotWritten ? error.cause : error;
    if (this.#end !== undefined || !(reason instanceof DurabilityLost)) return;
    this.#end = reason;
    this.stop();
  }

  /** What somebody told, in a frame, a note or a record, is written down and not settled yet. */
  #settle({ id }: Log, source: string): void {
    if (this.#isClosing) return;
    const { followers, background, shared: { memory } } = this.#parts;
    const follower = followers.find(({ log }) => log.id === id);
    if (follower === undefined) return;
    const isStranger = memory.askerOf(source) === "stranger";
    background.run(() => isStranger ? follower.settleStrangers() : follower.settle());
  }

  #tellStart(): void {
    const { settings: { name, logs, peers }, shared } = this.#parts;
    const { keeper, observations, happenings } = shared;
    for (const setAside of [keeper.tornFile, observations.tornFile]) {
      if (setAside !== undefined) happenings.tell({ kind: "journal torn", setAside });
    }
    if (keeper.unsoundEntries.length > 0) {
      happenings.tell({ kind: "journal unsound", incidents: keeper.unsoundEntries });
    }
    const counts = { logs: logs.length, peers: peers.length };
    happenings.tell({ kind: "started", name, listen: this.address, ...counts });
  }

  /** An exchange that failed said nothing of any log followed; that is written down as well. */
  async #noteFailure(source: string, detail: string): Promise<void> {
    const { shared: { observations }, followers } = this.#parts;
    const at = timeNow(this.#world.clock);
    for (const { log } of followers) {
      await observations.observe({
        log: { origin: log.origin, vkey: log.vkey.text },
        via: "exchange",
        source,
        result: "unavailable",
        detail,
      }, at);
    }
  }

  /**
   * A match is what is known: it is written once for a peer and a log, and then counted. What matched
   * stands in the entries of our own looks, so the note is not written again with each.
   */
  async #noteMatch({ log }: VerifiedCheckpoint, source: string): Promise<void> {
    await this.#parts.shared.observations.observe({
      log: { origin: log.origin, vkey: log.vkey.text },
      via: "exchange",
      source,
      result: "matches",
    }, timeNow(this.#world.clock));
  }

  async #upkeep(): Promise<void> {
    const { observations, happenings } = this.#parts.shared;
    for (;;) {
      await this.#stop.pause(this.#world.clock, UPKEEP_MS);
      if (this.#stop.stopped) return;
      try {
        await observations.flushRepeats(timeNow(this.#world.clock));
        const segmentsRemoved = await observations.removeOld(timeNow(this.#world.clock));
        happenings.tell({ kind: "upkeep", segmentsRemoved });
      } catch (error) {
        happenings.failed(error);
      }
    }
  }

  /** Goes on for as long as this daemon does; if it cannot, the daemon ends. */
  #loop(running: Promise<void>): void {
    const loop: Promise<void> = running
      .catch((error) => {
        this.#end ??= error;
        this.stop();
      })
      .finally(() => this.#loops.delete(loop));
    this.#loops.add(loop);
  }

  async #finishBackground(): Promise<void> {
    const { background, followers } = this.#parts;
    await background.done();
    await Promise.all(followers.map((follower) => follower.done()));
  }
}
