import type { Source } from "../sources/source.ts";
import { observedCheckpoint } from "../store/observation.ts";
import type { SeenRoot } from "../store/observation_index.ts";
import type { ObservationLog } from "../store/observations.ts";
import { Turns } from "../store/turns.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import { millisecondsSince, timeNow } from "../world/time.ts";
import type { World } from "../world/world.ts";
import { type EventReport, RESULT_LEVELS } from "./events.ts";
import type { Monitor } from "./monitor.ts";
import { nextPollMs, type Stop } from "./pacing.ts";
import type { JournaledMemory } from "./recollection.ts";
import type { LogSettings } from "./settings.ts";
import { type LogResult, type LogStatus, LogTally } from "./status.ts";
import { type Finding, LogWatch, THE_LOG } from "./watch.ts";

/** Open questions of one log settled after one look; the rest waits for the next. */
const MAX_SETTLED_AT_ONCE = 64;

/** Things said of open questions that are remembered as told; then they are told once more. */
const MAX_TOLD = 10_000;

/** What every follower of a daemon shares. */
export interface Shared {
  readonly world: World;
  readonly observations: ObservationLog;
  readonly memory: JournaledMemory;
  readonly monitor: Monitor;
  readonly report: EventReport;
}

/**
 * Follows one log: looks at it, settles what peers were shown by its own view, and writes every
 * finding down before it acts on it. One look at a time; no log waits for another.
 */
export class Follower {
  readonly #shared: Shared;
  readonly #settings: LogSettings;
  readonly #watch: LogWatch;
  readonly #tally = new LogTally();
  readonly #turns = new Turns();
  /** Looks in a row that reached nobody. */
  #failures = 0;
  /** When the view last grew, or this monitor began to wait for that. */
  #grewAt: string;
  /** What was told of the last look, so that the same again is not. */
  #toldOfLook = "";
  /** What was told of open questions. */
  readonly #toldOfOpen = new Set<string>();
  readonly #withheldTold = new Set<string>();
  /** Open questions that were tried and not settled since all were tried, by size and root. */
  readonly #tried = new Set<string>();

  private constructor(fields: {
    shared: Shared;
    settings: LogSettings;
    watch: LogWatch;
    grewAt: string;
  }) {
    this.#shared = fields.shared;
    this.#settings = fields.settings;
    this.#watch = fields.watch;
    this.#grewAt = fields.grewAt;
  }

  /** Takes a log up as it stood when this monitor last ended. */
  static async start({ shared, settings, source }: {
    shared: Shared;
    settings: LogSettings;
    source: Source;
  }): Promise<Follower> {
    const { observations, monitor, world: { clock } } = shared;
    const { log } = settings;
    const last = observations.view(log);
    const view = last && openNote(last.note, log);
    if (view !== undefined) await monitor.addLocal(view, THE_LOG);
    const watch = new LogWatch({ log, source, detector: monitor.detector, view });
    return new Follower({ shared, settings, watch, grewAt: last?.seenAt ?? timeNow(clock) });
  }

  /** The log it follows. */
  get log(): Log {
    return this.#settings.log;
  }

  /** Looks at the log again and again until stopped. */
  async run(stop: Stop): Promise<void> {
    const { clock, random } = this.#shared.world;
    while (!stop.stopped) {
      const { retryAfterMs } = await this.look();
      const { pollMs: intervalMs } = this.#settings;
      const failures = this.#failures;
      await stop.pause(clock, nextPollMs({ intervalMs, failures, retryAfterMs, random }));
    }
  }

  /** One look at the log, written down, and then what it lets us settle. */
  look(): Promise<{ result: LogResult; retryAfterMs?: number | undefined }> {
    return this.#turns.next(async () => {
      try {
        const finding = await this.#watch.poll();
        const result = this.#withPatience(finding.result);
        this.#failures = result === "unavailable" ? this.#failures + 1 : 0;
        await this.#record(finding, { result, isLook: true });
        await this.#settleReached();
        return { result, retryAfterMs: finding.retryAfterMs };
      } catch (error) {
        this.#shared.report.refused(error);
        this.#failures++;
        return { result: "unavailable" };
      }
    });
  }

  /** Settles what a peer has told, as far as the view reaches. */
  settle(): Promise<void> {
    return this.#turns.next(() => this.#settleReached());
  }

  /** What can be said of it now. */
  status(): LogStatus {
    const { view } = this.#watch;
    const { lastResult, lastDetail, lastLookAt, counts } = this.#tally;
    return {
      origin: this.log.origin,
      vkey: this.log.vkey.text,
      ...(view && { size: `${view.treeSize}`, root: view.root, grewAt: this.#grewAt }),
      ...(lastResult && { lastResult }),
      ...(lastDetail && { lastDetail }),
      ...(lastLookAt && { lastLookAt }),
      openQuestions: this.#shared.observations.pending(this.log).length,
      counts,
    };
  }

  /** `frozen` where the log stands for longer than it may. */
  #withPatience(result: LogResult): LogResult {
    const stands = result === "unchanged" || result === "rolled back";
    return stands && this.#isOverdue(this.#grewAt) ? "frozen" : result;
  }

  #isOverdue(since: string): boolean {
    return millisecondsSince(this.#shared.world.clock, since) > this.#settings.patienceMs;
  }

  /** Writes a finding down, and its case before it; then acts on it: the view advances. */
  async #record(finding: Finding, as: { result: LogResult; isLook: boolean }): Promise<void> {
    const { result } = as;
    const { observations, memory, monitor, world: { clock } } = this.#shared;
    const { log, checkpoint, against, source, detail } = finding;
    const at = timeNow(clock);
    const isOurs = source === THE_LOG;
    // An entry that says inconsistent is the end of a question, so its case must be durable before.
    if (finding.result === "inconsistent") await monitor.keep(finding.conflicts);
    await observations.observe({
      log: { origin: log.origin, vkey: log.vkey.text },
      via: isOurs ? "poll" : "exchange",
      source,
      result,
      ...(checkpoint && { checkpoint: observedCheckpoint(checkpoint) }),
      ...(against && { against: { size: `${against.treeSize}`, root: against.root } }),
      ...(detail !== undefined && { detail }),
    }, at);
    if (checkpoint !== undefined) memory.recorded({ checkpoint, source });
    this.#tally.count(result);
    if (as.isLook) this.#tally.looked({ result, detail, at });
    this.#tell(finding, as);
    await monitor.keep([]);
    if (!this.#watch.advance(finding)) return;
    this.#grewAt = at;
    await monitor.addLocal(checkpoint!, source);
  }

  #tell(finding: Finding, { result, isLook }: { result: LogResult; isLook: boolean }): void {
    const { log, checkpoint, source, detail } = finding;
    const news = `${result} ${source} ${checkpoint?.treeSize} ${checkpoint?.root} ${detail}`;
    const isKnown = isLook ? news === this.#toldOfLook : this.#toldOfOpen.has(news);
    if (isLook) this.#toldOfLook = news;
    else if (this.#toldOfOpen.size >= MAX_TOLD) this.#toldOfOpen.clear();
    if (!isLook) this.#toldOfOpen.add(news);
    this.#shared.report.event(`log.${result}`, isKnown ? "debug" : RESULT_LEVELS[result], {
      origin: log.origin,
      source,
      ...(checkpoint && { size: `${checkpoint.treeSize}` }),
      ...(detail !== undefined && { detail }),
    });
  }

  /** Settles what was heard and the view now reaches; tells what it has not reached for too long. */
  async #settleReached(): Promise<void> {
    const { view, log } = this.#watch;
    if (view === undefined) return;
    const open = this.#shared.observations.pending(log);
    const reached = open.filter(({ treeSize }) => treeSize <= view.treeSize);
    for (const { treeSize, root, note, source } of this.#nextToTry(reached)) {
      this.#tried.add(`${treeSize} ${root}`);
      const checkpoint = openNote(note, log);
      if (checkpoint === undefined) continue;
      const finding = await this.#watch.settle(checkpoint, source);
      await this.#record(finding, { result: finding.result, isLook: false });
      // Each would wait for the same outage; the next look goes on after this one.
      if (finding.result === "unavailable") break;
    }
    for (const { treeSize, root, source, seenAt } of open) {
      const key = `${treeSize} ${root}`;
      const isAwaited = treeSize > view.treeSize && source !== THE_LOG;
      if (!isAwaited || !this.#isOverdue(seenAt) || this.#withheldTold.has(key)) continue;
      this.#withheldTold.add(key);
      const detail = `${source} was shown size ${treeSize}, and we are shown none that reaches it`;
      const finding: Finding = { log, result: "pending", source, detail, conflicts: [] };
      await this.#record(finding, { result: "withheld", isLook: false });
    }
  }

  /** Those whose turn it is: one that cannot be settled must not keep others from it. */
  #nextToTry(reached: readonly SeenRoot[]): readonly SeenRoot[] {
    const isUntried = ({ treeSize, root }: SeenRoot): boolean =>
      !this.#tried.has(`${treeSize} ${root}`);
    if (!reached.some(isUntried)) this.#tried.clear();
    return reached.filter(isUntried).slice(0, MAX_SETTLED_AT_ONCE);
  }
}

function openNote(note: string, log: Log): VerifiedCheckpoint | undefined {
  const opened = openCheckpoint({ note, logs: [log] });
  return "refused" in opened ? undefined : opened[0];
}
