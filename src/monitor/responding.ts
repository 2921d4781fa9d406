import type { Head } from "../evidence/head.ts";
import type { ConflictRecord, RecordedHead } from "../evidence/record.ts";
import { BY_ITSELF, type Cause, logIdOfTransition } from "../evidence/transition.ts";
import type { FreezeGate } from "../response/freeze.ts";
import type { Freezes } from "../response/freeze_words.ts";
import type { Runbook } from "../response/runbook.ts";
import { type Log, makeLog } from "../tlog/log.ts";
import { parseVkey } from "../tlog/vkey.ts";
import type { Background } from "../world/background.ts";
import type { Stop } from "../world/stop.ts";
import { timeNow } from "../world/time.ts";
import { Turns } from "../world/turns.ts";
import { WorldError } from "../world/world.ts";
import type { Common } from "./common.ts";
import { contentOfProof, whyNaming } from "./failed_answers.ts";
import type { FailureCounts } from "./failure_counts.ts";
import { HOLDS } from "./finding.ts";
import type { Found, Happening } from "./happenings.ts";
import { type IncidentKeeper, isOfLog, type StepOrder, type Stepped } from "./incident_keeper.ts";
import type { FrozenStatus } from "./status.ts";
import { failedNote } from "./unverified.ts";

/** So many consistency failures of one log in a row freeze it. */
export const CONSISTENCY_FAILURES = 3;
/** A signature failure that a monitor met counts for so long, unless it meets it again. */
const FAILURE_LASTS_MS = 60 * 60_000;
/** How often members are told that it lasts. */
const TELL_AGAIN_MS = 10 * 60_000;
/** How often it is tried again to write down why a log is frozen. */
const AGAIN_MS = 10_000;

/** Why a log is to be frozen. */
interface Reason {
  readonly cause: Cause;
  readonly why: string;
  /** What did not hold, if that is the cause: see failed_answers.ts. */
  readonly failed?: string;
}

/** Why a log is frozen, and what was accepted of it until then. */
interface Suspicion extends Reason {
  readonly log: Log;
  readonly since: string;
  readonly accepted: RecordedHead | undefined;
}

/** When signature failures of a log were met, by the monotonic clock. */
interface SignatureFailures {
  /** At our own last look, and the note that was shown; nothing if that one verified. */
  own?: { readonly at: number; readonly note: string };
  /** When members were told. */
  told?: number;
  /** By vkey: when a member said so last. */
  readonly members: Map<string, number>;
}

/**
 * What a daemon does when something is proven: it freezes the log at once, and opens an incident. From
 * then on people decide. See the runbook, and the freeze gate.
 */
export class Responding {
  readonly #common: Omit<Common, "gate">;
  readonly #keeper: IncidentKeeper;
  readonly #background: Background;
  /** By log id: what is not written down yet. A log may have one of each cause. */
  readonly #pending = new Map<string, Map<Cause, Suspicion>>();
  /** How many consistency failures of each log came in a row. */
  readonly #failures: FailureCounts;
  /** By log id: the signature failures that this monitor, and members, have met. */
  readonly #signatures = new Map<string, SignatureFailures>();
  readonly #turns = new Turns();

  readonly #own: string;
  readonly #sayUnverified: (said: { log: Log; note: string }) => void;
  readonly #keepFailed: (content: string) => Promise<void>;

  constructor({ common, keeper, failures, background, own, sayUnverified, keepFailed }: {
    common: Omit<Common, "gate">;
    keeper: IncidentKeeper;
    failures: FailureCounts;
    background: Background;
    /** Our own vkey. */
    own: string;
    /** Tells members that follow a log what was shown in place of its checkpoint. */
    sayUnverified: (said: { log: Log; note: string }) => void;
    /** Keeps what did not hold: see failed_answers.ts. */
    keepFailed: (content: string) => Promise<void>;
  }) {
    this.#own = own;
    this.#keepFailed = keepFailed;
    this.#sayUnverified = sayUnverified;
    this.#common = common;
    this.#keeper = keeper;
    this.#failures = failures;
    this.#background = background;
  }

  /** Which logs are frozen. */
  get gate(): FreezeGate {
    return this.#keeper.gate;
  }

  /** Steps of the journal that do not count. */
  get illegal(): IncidentKeeper["illegal"] {
    return this.#keeper.illegal;
  }

  /** How the incidents stand. */
  get runbook(): Runbook {
    return this.#keeper.runbook;
  }

  /**
   * Takes up where the process before has ended.
   * @throws WorldError
   */
  async begin(): Promise<void> {
    await this.#keeper.claim();
    for (const named of this.#keeper.unopened()) {
      const log = this.#logOf(named);
      if (log !== undefined) this.#hold(log, { cause: "equivocation", why: RECORDED });
    }
    await this.#write();
  }

  /** Tries again what the disk refused, until stopped. */
  async run(stop: Stop): Promise<void> {
    for (;;) {
      await stop.pause(this.#common.world.clock, AGAIN_MS);
      if (stop.stopped) return;
      await this.#write();
    }
  }

  /** Makes a step that a person orders. @throws MalformedError, WorldError */
  async step(order: StepOrder): Promise<Stepped> {
    const stepped = await this.#keeper.step(order);
    if ("incident" in stepped) this.#tell(stepped.incident.id);
    return stepped;
  }

  /**
   * Opens an incident because a person orders it.
   * @throws MalformedError, WorldError
   */
  async open(
    { log, cause, cases, by, why }: {
      log: Log;
      cause: Cause;
      cases: readonly string[];
      by: string;
      why: string;
    },
  ): Promise<Stepped> {
    const accepted = this.#accepted(log);
    const { origin, vkey: { text: vkey } } = log;
    const opening = { log: { origin, vkey }, cause, cases, by, why, accepted };
    const stepped = await this.#keeper.open(opening);
    // What was there before is no news.
    if ("incident" in stepped && !stepped.isUnchanged) this.#tell(stepped.incident.id);
    return stepped;
  }

  /** What the status says of a frozen log; nothing if it is not frozen. */
  status(log: Log): FrozenStatus | undefined {
    const holds = this.gate.holds(log);
    const [oldest] = holds;
    if (oldest === undefined) return undefined;
    return {
      since: oldest.since,
      incidents: holds.flatMap(({ incident }) => incident ?? []),
      causes: [...new Set(holds.map(({ cause }) => cause))],
      why: oldest.why,
      isWritten: holds.every(({ incident }) => incident !== undefined),
    };
  }

  /** What alerts say of frozen logs. */
  get freezes(): Freezes {
    return {
      of: (record) => {
        const log = this.#logOf(record);
        if (log === undefined) return undefined;
        const incident = this.runbook.withCase(record.evidence_id);
        return { isFrozen: this.gate.isFrozen(log), ...(incident && { incident }) };
      },
      isFrozen: (log) => this.gate.isFrozen(log),
    };
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.#write();
    await this.#keeper.close();
  }

  /** Freezes what is to be frozen. It is to be told everything before those who tell it on. */
  follow(happening: Happening): void {
    if (happening.kind === "case") {
      const { outcome, record } = happening.news;
      const log = this.#logOf(record);
      // A case about a monitor's own statements, or about a witness, freezes no log.
      if (log === undefined) return;
      const [a, b] = [record.checkpoint_a.size, record.checkpoint_b.size];
      const sizes = a === b
        ? `two roots at size ${a}`
        : `checkpoints of sizes ${a} and ${b} that contradict each other`;
      const why = `the log's key signed ${sizes}`;
      // Until it is written, it is held in memory. What does not hold freezes nothing.
      const by = `case ${record.evidence_id}`;
      const reason = { cause: "equivocation", why } as const;
      if (outcome === "not written") return void this.#holdNow(log, by, reason);
      if (outcome === "recorded") this.#freeze(log, reason);
      this.gate.written(log.id, by);
    } else if (happening.kind === "found") {
      this.#count(happening);
      this.#noteSignature(happening);
    } else if (happening.kind === "unverified elsewhere") this.#hear(happening);
  }

  /** Notes whether our own look met a signature failure, and tells members. */
  #noteSignature({ finding: { log, failedNote }, result, about }: Found): void {
    if (about !== "look") return;
    const failures = this.#signaturesOf(log);
    if (failedNote === undefined) {
      if (HOLDS.includes(result)) delete failures.own;
      return;
    }
    const now = this.#now();
    failures.own = { at: now, note: failedNote };
    if (now - (failures.told ?? -Infinity) >= TELL_AGAIN_MS) {
      failures.told = now;
      this.#sayUnverified({ log, note: failedNote });
    }
    this.#judgeSignatures(log, failures);
  }

  /**
   * Notes that a member met a signature failure. It has shown the note, and said so under its own key,
   * in a session of its own. A note that names another log, or that the log's key has signed, says
   * nothing.
   */
  #hear({ log, note, member }: Extract<Happening, { kind: "unverified elsewhere" }>): void {
    if (member === this.#own || failedNote(note, log) === undefined) return;
    const failures = this.#signaturesOf(log);
    failures.members.set(member, this.#now());
    this.#judgeSignatures(log, failures);
  }

  /**
   * Freezes a log if two independent monitors have met a signature failure: one of them is always this
   * one, at the log's own source. So nobody can freeze a log here by saying so: anybody can make up a
   * note with a wrong signature. And what is between the log and this monitor cannot do it alone.
   */
  #judgeSignatures(log: Log, { own, members }: SignatureFailures): void {
    const isFresh = (at: number | undefined): boolean =>
      at !== undefined && this.#now() - at <= FAILURE_LASTS_MS;
    const others = [...members].filter(([, at]) => isFresh(at)).map(([vkey]) => vkey);
    if (own === undefined || !isFresh(own.at) || others.length === 0) return;
    const names = others.map((vkey) => parseVkey(vkey).name).join(", ");
    this.#freeze(log, {
      cause: "signature failure",
      why: `no known key of the log has signed what it shows to this monitor, and to ${names}`,
      failed: own.note,
    });
  }

  #signaturesOf({ id }: Log): SignatureFailures {
    const known = this.#signatures.get(id);
    if (known !== undefined) return known;
    const none: SignatureFailures = { members: new Map() };
    this.#signatures.set(id, none);
    return none;
  }

  #now(): number {
    return this.#common.world.clock.monotonic();
  }

  /** Counts the consistency failures of the looks at a log that came in a row. */
  #count({ finding: { log, failedProof, detail }, result, about }: Found): void {
    if (about !== "look") return;
    if (HOLDS.includes(result)) this.#noteFailures(() => this.#failures.ends(log));
    // A proof that is missing is an outage of a kind, and no failure, however long that lasts.
    if (failedProof === undefined) return;
    let failures = 0;
    this.#noteFailures(() => failures = this.#failures.grows(log));
    if (failures < CONSISTENCY_FAILURES) return;
    const last = detail === undefined ? "" : `; the last: ${detail}`;
    this.#freeze(log, {
      cause: "consistency failure",
      why: `${CONSISTENCY_FAILURES} proofs in a row that the log gave did not hold${last}`,
      failed: contentOfProof(failedProof),
    });
  }

  /** Changes the counts of failures, and has them written down. */
  #noteFailures(change: () => void): void {
    change();
    if (this.#failures.isUnwritten) this.#background.run(() => this.#write());
  }

  /** Freezes a log now, and has it written down. */
  #freeze(log: Log, reason: Reason): void {
    if (!this.#hold(log, reason)) return;
    this.#background.run(() => this.#write());
  }

  /** @returns whether this is to be written down */
  #hold(log: Log, reason: Reason): boolean {
    const { cause } = reason;
    // One incident about suspicions is enough; each new case is written down.
    const holds = this.gate.holds(log);
    if (cause !== "equivocation" && holds.some((hold) => hold.cause === cause)) return false;
    const suspicion = this.#holdNow(log, PENDING, reason);
    const pending = this.#pending.get(log.id) ?? new Map<Cause, Suspicion>();
    if (!pending.has(cause)) pending.set(cause, suspicion);
    this.#pending.set(log.id, pending);
    return true;
  }

  #holdNow(log: Log, by: string, { cause, why, failed }: Reason): Suspicion {
    const line = oneLine(why);
    const suspicion = {
      ...{ log, cause, why: failed === undefined ? line : whyNaming(line, failed) },
      ...{ accepted: this.#accepted(log), ...(failed !== undefined && { failed }) },
      since: timeNow(this.#common.world.clock),
    };
    this.gate.hold(log.id, by, suspicion);
    return suspicion;
  }

  /** What is accepted of a log now: all that was seen and proven, unless it is frozen already. */
  #accepted(log: Log): RecordedHead | undefined {
    if (this.gate.isFrozen(log)) return this.gate.lastAccepted(log);
    const view = this.#viewOf(log);
    return view && { size: `${view.treeSize}`, root: view.root };
  }

  /** The view of a log. A database that refuses keeps no log from being frozen. */
  #viewOf(log: Log): Head | undefined {
    const { observations, keeper: { judge } } = this.#common;
    try {
      return observations.view(log);
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      return judge.latest(log);
    }
  }

  /** Writes down what is pending. What the disk refuses is told, and tried again. */
  #write(): Promise<void> {
    return this.#turns.next(async () => {
      try {
        await this.#writeAll();
        await this.#failures.write();
      } catch (error) {
        this.#common.happenings.failed(error);
      }
    });
  }

  async #writeAll(): Promise<void> {
    await this.#keeper.catchUp();
    for (let id; (id = [...this.#pending.keys()][0]) !== undefined;) {
      const pending = this.#pending.get(id)!;
      for (const suspicion of pending.values()) {
        // It is taken out before: a case that comes meanwhile is pending anew, and not forgotten.
        pending.delete(suspicion.cause);
        try {
          await this.#open(suspicion);
        } catch (error) {
          pending.set(suspicion.cause, suspicion);
          throw error;
        }
      }
      if (pending.size > 0) continue;
      this.#pending.delete(id);
      this.gate.written(id, PENDING);
    }
  }

  async #open({ log, cause, why, accepted, failed }: Suspicion): Promise<void> {
    // The step that names it comes after it.
    if (failed !== undefined) await this.#keepFailed(failed);
    const { origin, vkey: { text: vkey } } = log;
    const cases = cause !== "equivocation" ? [] : this.#keeper.unopened()
      // A log is its origin and its key. Others may have another name for the key.
      .filter((one) => logIdOfTransition(one) === log.id)
      .map(({ evidence_id }) => evidence_id);
    // A step before this one has taken them along.
    if (cause === "equivocation" && cases.length === 0) return;
    const opening = { log: { origin, vkey }, cause, cases, by: BY_ITSELF, why, accepted };
    const stepped = await this.#keeper.open(opening);
    if ("incident" in stepped && !stepped.isUnchanged) this.#tell(stepped.incident.id);
  }

  #tell(id: string): void {
    const incident = this.runbook.find(id)!;
    const isFrozen = this.gate.isFrozen({ id: incident.logId });
    this.#common.happenings.tell({ kind: "incident step", incident, isFrozen });
  }

  /** The log that a record is about; nothing if it is about a monitor's statements, or a witness. */
  #logOf(record: Pick<ConflictRecord, "kind" | "log">): Log | undefined {
    if (!isOfLog(record)) return undefined;
    const { origin, vkey } = record.log;
    const followed = this.#common.keeper.judge.logs
      .find((log) => log.origin === origin && log.vkey.text === vkey);
    // Otherwise it is one that only the list of a witness has, or that is followed no more.
    return followed ?? makeLog({ vkey: parseVkey(vkey), origin });
  }
}

/** What holds a log while something about it waits to be written. */
const PENDING = "pending";

/** Why a log is frozen at a start, if a crash came after its case was recorded. */
const RECORDED =
  "the log's key signed checkpoints that contradict each other; the case was recorded before";

/** Why, as one line that is not longer than one may be. */
function oneLine(why: string): string {
  const line = why.toWellFormed().replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, "\u{FFFD}").trim();
  return [...line].slice(0, MAX_WHY).join("").trim();
}

/** A reason says as much as this at most. */
const MAX_WHY = 500;
