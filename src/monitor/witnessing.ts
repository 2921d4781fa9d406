import type { CosigningKey } from "../authority/cosigning.ts";
import { isListUrl, type LogList } from "../authority/log_list.ts";
import type { WitnessSettings } from "../authority/settings.ts";
import { type Refusals, Witness } from "../authority/witness.ts";
import { WitnessLogs } from "../authority/witness_logs.ts";
import {
  type RecordedHead,
  WitnessState,
  WitnessStateDamaged,
} from "../authority/witness_state.ts";
import { observedCheckpoint } from "../store/observation.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { describeLog, type Log } from "../tlog/log.ts";
import type { Background } from "../world/background.ts";
import type { Stop } from "../world/stop.ts";
import { timeNow } from "../world/time.ts";
import type { Address } from "../world/world.ts";
import { BegunWitnesses } from "./begun_witnesses.ts";
import type { Common } from "./common.ts";
import { openKept } from "./kept_note.ts";
import { ListFollower, type ListNews } from "./list_follower.ts";
import { countCases, type FrozenStatus } from "./status.ts";
import { recall } from "./recalled.ts";
import { inPlace } from "./swarm_host.ts";
import { THE_LOG, theLogAt } from "./the_log.ts";

/** How often what was cosigned is written down as what the monitor was shown. */
const NOTE_MS = 30_000;
/** The source of what this witness has cosigned, where it counts as what anybody tells. */
const WITNESS = "this witness";
/** The same where it counts as the log's word: the log pushed it here, with a proof. */
const COSIGNED = theLogAt(WITNESS);

/** What a daemon needs to be a witness. */
export interface WitnessMeans {
  /** One of type 0x04, and one of type 0x06 if it has one. */
  readonly keys: readonly CosigningKey[];
  /** The logs of a list in a file, beside those of the configuration. */
  listed?: LogList["logs"];
}

/** How a log's cosigned heads are written down. */
interface Noted {
  /** What was written last. */
  head: RecordedHead | undefined;
  /**
   * Whether it is proven that each head extends the one written before: the log only pushes, and
   * nobody else has written any.
   */
  readonly isProven: boolean;
}

/** The witness in a daemon's status. */
export interface WitnessStatus {
  readonly vkeys: readonly string[];
  /** Logs whose checkpoints it cosigns. */
  readonly logs: number;
  /** Logs of which it has cosigned any, those included that it no longer knows. */
  readonly cosigned: number;
  /** The logs of the configuration that only push. */
  readonly pushed: readonly PushedStatus[];
  /** Incidents in the journal about logs of the list, if there are any. */
  readonly listedCases?: number;
  /** The list that is fetched, if one is. */
  readonly list?: {
    readonly url: string;
    /** When the list in use was fetched, RFC 3339, UTC; nothing if none ever was. */
    readonly at?: string;
    /** Why no newer one can be had. */
    readonly problem?: string;
  };
}

/** One log that only pushes, in a daemon's status. */
export interface PushedStatus {
  readonly origin: string;
  readonly vkey: string;
  /** The latest size that was cosigned, decimal; nothing before the first. */
  readonly size?: string;
  /** Incidents of this log in the journal. */
  readonly incidents: number;
  /** Those of them whose incidents people have closed, if there are any. */
  readonly closed?: number;
  /** If nothing of it is cosigned now: why. */
  readonly freeze?: FrozenStatus;
  /** Checkpoints that it signed and nobody has shown to extend what was cosigned, if there are any. */
  readonly openQuestions?: number;
}

/**
 * The witness of a daemon: it hands what the witness refuses to the keeper of cases, and what the
 * witness has cosigned of logs that only push to the judge.
 *
 * A cosignature does not wait for the journal of observations: the witness has a durable memory of its
 * own. Each NOTE_MS the latest head of each log of the configuration is written there too. So members
 * hear of it, and what they, or the log's own source, say is compared with it.
 */
export class Witnessing implements Refusals {
  readonly witness: Witness;
  readonly settings: WitnessSettings;
  readonly #common: Common;
  readonly #background: Background;
  readonly #state: WitnessState;
  readonly #means: WitnessMeans;
  readonly #pushed: readonly Log[];
  readonly #list: ListFollower | undefined;
  #logs: WitnessLogs;
  /** The logs of the configuration. */
  #noted: ReadonlyMap<Log, Noted>;
  #isEnded = false;

  private constructor(fields: {
    common: Common;
    background: Background;
    settings: WitnessSettings;
    means: WitnessMeans;
    state: WitnessState;
    pushed: readonly Log[];
    noted: ReadonlyMap<Log, Noted>;
    list: Omit<ConstructorParameters<typeof ListFollower>[0], "take"> | undefined;
  }) {
    const { common, settings, means, state } = fields;
    const { keys } = means;
    const logs = logsOf([...fields.noted.keys()], means);
    this.settings = settings;
    this.#common = common;
    this.#background = fields.background;
    this.#state = state;
    this.#logs = logs;
    this.#means = means;
    this.#pushed = fields.pushed;
    this.#noted = fields.noted;
    const { clock } = common.world;
    this.witness = new Witness({
      ...{ state, logs, keys, clock, limits: settings, refusals: this },
      isFrozen: (log) => common.gate.isFrozen(log),
    });
    this.#list = fields.list &&
      new ListFollower({ ...fields.list, take: (listed) => this.#takeList(listed) });
  }

  /**
   * Opens the witness's state and takes up the logs that only push.
   * @param folder of the state
   * @param incidents folder of the incident journal
   * @param followed the logs with a source
   * @param pushed the logs without one
   * @param contact who answers for requests over HTTP
   * @throws WitnessStateDamaged, WitnessStateLocked, WorldError, IncidentNotWritten
   */
  static async open(
    { common, background, settings, means, folder, incidents, followed, pushed, contact }: {
      common: Common;
      background: Background;
      settings: WitnessSettings;
      means: WitnessMeans;
      folder: string;
      incidents: string;
      followed: readonly Log[];
      pushed: readonly Log[];
      contact: string;
    },
  ): Promise<Witnessing> {
    const noted = new Map<Log, Noted>();
    for (const log of pushed) {
      const { view } = await recall(common, log);
      const isProven = view === undefined || common.observations.viewShownBy(log) === COSIGNED;
      noted.set(log, { head: view, isProven });
    }
    for (const log of followed) noted.set(log, { head: undefined, isProven: false });
    const { files } = common.world;
    const keys = means.keys.map(({ vkey }) => vkey);
    const begun = new BegunWitnesses({ files, folder: incidents, keys });
    await begun.expectState(folder);
    const state = await WitnessState.open({ files, folder });
    try {
      refuseForgotten(state, noted);
      await begun.note();
    } catch (error) {
      await state.close();
      throw error;
    }
    const { world, observations, happenings } = common;
    const isFetched = settings.list !== undefined && isListUrl(settings.list);
    const list = !isFetched ? undefined : {
      ...{ world, folder, contact, url: settings.list! },
      files: inPlace(world.files, () => observations.expectInPlace()),
      tell: (news: ListNews) => happenings.tell({ kind: "witness list", news }),
      failed: (error: unknown) => happenings.failed(error),
    };
    const opened = new Witnessing({
      ...{ common, background, settings, means, state, pushed, noted, list },
    });
    await opened.#list?.open();
    return opened;
  }

  /**
   * Cosigns checkpoints of these logs from now on, beside those that only push.
   * @param followed the logs with a source
   * @param pushed the logs without one, which stay the same objects
   * @param listed the logs of the list, if it was read again
   */
  follow(
    { followed, pushed, listed }: {
      followed: readonly Log[];
      pushed: readonly Log[];
      listed?: LogList["logs"];
    },
  ): void {
    const fresh = (): Noted => ({ head: undefined, isProven: false });
    const logs = [...pushed, ...followed];
    this.#noted = new Map(logs.map((log) => [log, this.#noted.get(log) ?? fresh()]));
    if (listed !== undefined) this.#means.listed = listed;
    this.#logs = logsOf(logs, this.#means);
    this.witness.follow(this.#logs);
    // A reload reads the list again, wherever it is.
    if (!this.#isEnded) this.#list?.look().catch((error) => this.failed(error));
  }

  /** Takes up the logs of a list that was fetched. */
  #takeList(listed: LogList["logs"]): void {
    if (this.#isEnded) return;
    this.#means.listed = listed;
    this.#logs = logsOf([...this.#noted.keys()], this.#means);
    this.witness.follow(this.#logs);
  }

  /** Where it listens, as configured. */
  get address(): Address {
    return this.settings.http;
  }

  /** Bytes of its state that a crash had torn, and that were cut off at the start. */
  get tornBytes(): number {
    return this.#state.tornBytes;
  }

  /** The evidence ids of the cases in the journal about logs that only the list names. */
  get listedCases(): readonly string[] {
    return this.#common.keeper.casesUnfollowed(({ origin, vkey }) =>
      this.#logs.named(origin).some((log) => log.vkey.text === vkey)
    );
  }

  /** See `WitnessStatus`. */
  status(
    { freezeOf = () => undefined, isClosed = () => false }: {
      freezeOf?: (log: Log) => FrozenStatus | undefined;
      /** Whether the incident of a case is closed. */
      isClosed?: (evidenceId: string) => boolean;
    } = {},
  ): WitnessStatus {
    const { listedCases: { length: listedCases } } = this;
    return {
      vkeys: this.#means.keys.map(({ vkey }) => vkey.text),
      logs: this.#logs.size,
      cosigned: this.#state.logs,
      ...(this.#list !== undefined && { list: this.#list.status }),
      ...(listedCases > 0 && { listedCases }),
      pushed: this.#pushed.map((log) => {
        const size = this.#state.head(log.origin)?.treeSize;
        const freeze = freezeOf(log);
        const openQuestions = this.#common.memory.questions(log).of("log", "peer", "stranger")
          .filter(({ source }) => source !== WITNESS).length;
        return {
          ...{ origin: log.origin, vkey: log.vkey.text },
          ...(size !== undefined && { size: `${size}` }),
          ...(freeze !== undefined && { freeze }),
          ...(openQuestions > 0 && { openQuestions }),
          ...countCases(this.#common.keeper.cases(log), isClosed),
        };
      }),
    };
  }

  /** Writes down what was cosigned, and fetches the list of logs, now and then, until stopped. */
  async run(stop: Stop): Promise<void> {
    await Promise.all([this.#noteOften(stop), this.#list?.run(stop)]);
  }

  async #noteOften(stop: Stop): Promise<void> {
    for (;;) {
      await this.noteAll();
      await this.#keepUnwritten();
      if (stop.stopped) return;
      await stop.pause(this.#common.world.clock, NOTE_MS);
    }
  }

  /** Tries again to write a case that the disk refused: a witness may have no exchange that does. */
  async #keepUnwritten(): Promise<void> {
    const { keeper, happenings } = this.#common;
    if (this.#isEnded || !keeper.hasUnwritten) return;
    try {
      await keeper.keep({ source: WITNESS });
    } catch (error) {
      happenings.failed(error);
    }
  }

  /** Writes down the latest cosigned head of each log of the configuration. */
  async noteAll(): Promise<void> {
    for (const [log, noted] of this.#noted) {
      try {
        if (!this.#isEnded) await this.#note(log, noted);
      } catch (error) {
        this.#common.happenings.failed(error);
      }
    }
  }

  /** Writes down the latest head of a log, unless it is written already. */
  async #note(log: Log, noted: Noted): Promise<void> {
    const head = this.#state.head(log.origin);
    if (head === undefined || head.treeSize <= (noted.head?.treeSize ?? -1n)) return;
    const note = await this.#state.note(log.origin);
    const checkpoint = note === undefined ? undefined : openKept(note, log);
    if (checkpoint === undefined) return;
    if (noted.isProven) await this.#noteProven(checkpoint, noted.head);
    else await this.#tell(checkpoint, WITNESS);
    noted.head = checkpoint;
  }

  /** Writes down a head as one that the log has shown and proven. */
  async #noteProven(
    checkpoint: VerifiedCheckpoint,
    before: RecordedHead | undefined,
  ): Promise<void> {
    const { keeper, observations, memory, world } = this.#common;
    const { log } = checkpoint;
    keeper.detector.observe(checkpoint, COSIGNED);
    // An entry closes a question. So a case must be durable before it.
    await keeper.keep({ source: THE_LOG });
    const result = before === undefined ? "first" : "extends";
    await observations.observe({
      log: { origin: log.origin, vkey: log.vkey.text },
      ...{ via: "poll", source: COSIGNED, result },
      checkpoint: observedCheckpoint(checkpoint),
    }, timeNow(world.clock));
    memory.recorded({ checkpoint, source: COSIGNED }, result);
    keeper.judge.answerBy(checkpoint, COSIGNED);
  }

  /** Has a checkpoint judged and kept like what anybody tells. */
  async #tell(checkpoint: VerifiedCheckpoint, source: string): Promise<void> {
    const { keeper } = this.#common;
    const heard = keeper.judge.hearCheckpoint(checkpoint, source);
    await keeper.keep({ source });
    keeper.party.report.heard(heard, source);
  }

  /** See Refusals. The case is durable before the log is answered. */
  conflict(
    { recorded, refused, caller }: {
      recorded: VerifiedCheckpoint;
      refused: VerifiedCheckpoint;
      caller: string;
    },
  ): Promise<void> {
    return this.#inTime(async () => {
      const { keeper } = this.#common;
      const [first, second] = [
        { checkpoint: recorded, source: WITNESS },
        { checkpoint: refused, source: caller },
      ] as const;
      const [isEvidence, kind] = [true, "same_size"] as const;
      let isLeftOut = false;
      try {
        keeper.detector.takeIn(recorded, WITNESS, { isEvidence });
        const { conflict, isKept } = keeper.detector.takeIn(refused, caller, { isEvidence });
        // What is beyond the limits is counted, here as everywhere (RULES R6).
        isLeftOut = conflict !== undefined || !isKept;
      } finally {
        // If both were known before, the detector finds nothing new. And if the index refuses, it can
        // compare nothing, though both halves are here. `keep` skips what is recorded.
        const more = isLeftOut ? [] : [{ kind, first, second }];
        await keeper.keep({ more, source: caller });
      }
      await keeper.keep({ source: WITNESS });
    });
  }

  /** See Refusals. It is an open question, like what anybody tells; the journal bounds them. */
  unproven({ refused, caller }: { refused: VerifiedCheckpoint; caller: string }): Promise<void> {
    return this.#inTime(() => this.#tell(refused, caller));
  }

  /** See Refusals. */
  failed(error: unknown): void {
    this.#common.happenings.failed(error);
  }

  /** Hands on nothing more. */
  end(): void {
    this.#isEnded = true;
  }

  /** Finishes writing and lets go of the state. */
  async close(): Promise<void> {
    this.end();
    await this.#state.close();
  }

  /** Checks that the state is still where it was. @throws PlaceLost, WorldError */
  async expectInPlace(): Promise<void> {
    await this.#state.expectInPlace();
  }

  /** Does work for which the daemon waits when it ends. */
  #inTime(work: () => Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (this.#isEnded) return Promise.resolve();
    this.#background.run(() => work().then(resolve, reject));
    return promise;
  }
}

/**
 * Refuses a state that lacks what the journal of observations shows was cosigned: it was lost, or an
 * old one was put in its place. The next checkpoint could be of another history.
 * @throws WitnessStateDamaged
 */
function refuseForgotten(state: WitnessState, noted: ReadonlyMap<Log, Noted>): void {
  for (const [log, { head, isProven }] of noted) {
    if (!isProven || head === undefined) continue;
    const recorded = state.head(log.origin);
    const isLater = recorded !== undefined && recorded.treeSize > head.treeSize;
    const isSame = recorded?.treeSize === head.treeSize && recorded.root === head.root;
    if (isLater || isSame) continue;
    const has = recorded === undefined
      ? "knows nothing of it"
      : recorded.treeSize === head.treeSize
      ? "has another root there"
      : `ends at size ${recorded.treeSize}`;
    throw new WitnessStateDamaged(
      `the witness has cosigned size ${head.treeSize} of ${
        describeLog(log)
      }, and its state ${has}: ` +
        "put the state back, or give the witness a new key and name, and a new folder",
    );
  }
}

function logsOf(followed: readonly Log[], { listed }: WitnessMeans): WitnessLogs {
  return new WitnessLogs({ followed, ...(listed !== undefined && { listed }) });
}
