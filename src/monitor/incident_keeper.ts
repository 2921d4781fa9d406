import {
  BY_ITSELF,
  type Cause,
  checkName,
  checkWhy,
  isItself,
  logIdOfTransition,
  MAX_EVIDENCE_IDS,
  MAX_WHY_CHARACTERS,
  type State,
  type Transition,
  TRANSITION_VERSION,
  transitionBytes,
} from "../evidence/transition.ts";
import type { ConflictRecord, RecordedHead } from "../evidence/record.ts";
import { FreezeGate, type FrozenMemory, type Kept, keptOf } from "../response/freeze.ts";
import { entryOf, type Incident, isFreezing, Runbook, type Step } from "../response/runbook.ts";
import type { IncidentJournal, NamedRecord } from "../store/incidents.ts";
import { statementsEpoch } from "../swarm/statement.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { parseVkey } from "../tlog/vkey.ts";
import type { Signer } from "../world/signer.ts";
import { timeNow } from "../world/time.ts";
import { Turns } from "../world/turns.ts";
import { type Clock, WorldError } from "../world/world.ts";

/** What a person orders of an incident. */
export interface StepOrder {
  readonly incident: string;
  /** The state to which it is to go. */
  readonly to: State;
  readonly by: string;
  readonly why: string;
  /** See Transition. */
  readonly bundle?: string | undefined;
}

/** What is to be opened. */
export interface Opening {
  readonly log: Transition["log"];
  readonly cause: Cause;
  readonly cases: readonly string[];
  readonly by: string;
  readonly why: string;
  /** See Transition. */
  readonly accepted: RecordedHead | undefined;
}

/** What became of an order; a refusal says why, as the rest of a sentence after the incident. */
export type Stepped =
  | {
    readonly incident: Incident;
    /** Whether the journal had it as it is, and nothing was written. */
    readonly isUnchanged?: true;
  }
  | { readonly refused: string };

/** A step that the journal has, and that may not follow what came before it there. */
export interface Illegal {
  readonly seq: number;
  readonly why: string;
}

/**
 * Keeps the incidents of a monitor: it is the only one that writes their steps. A step is checked by
 * the runbook, signed, and durable in the incident journal before it counts. Steps are made one at a
 * time, so of two people who order the same at once one is refused.
 */
export class IncidentKeeper {
  readonly runbook: Runbook;
  readonly gate: FreezeGate;
  /** Steps of the journal that do not count. */
  readonly illegal: readonly Illegal[];
  readonly #journal: IncidentJournal;
  readonly #signer: Signer;
  readonly #clock: Clock;
  readonly #memory: FrozenMemory;
  readonly #failed: (error: unknown) => void;
  readonly #before: ReadonlySet<string>;
  /** What the file says and the journal does not know. */
  readonly #lost: Kept["holds"];
  readonly #turns = new Turns();
  /** What the file has now, to write it only if that changes. */
  #kept = "";

  private constructor(fields: {
    journal: IncidentJournal;
    signer: Signer;
    clock: Clock;
    memory: FrozenMemory;
    failed: (error: unknown) => void;
    runbook: Runbook;
    illegal: readonly Illegal[];
    before: ReadonlySet<string>;
    lost: Kept["holds"];
  }) {
    this.#journal = fields.journal;
    this.#signer = fields.signer;
    this.#clock = fields.clock;
    this.#memory = fields.memory;
    this.#failed = fields.failed;
    this.runbook = fields.runbook;
    this.gate = new FreezeGate(fields.runbook);
    this.illegal = fields.illegal;
    this.#before = fields.before;
    this.#lost = fields.lost;
    for (const { incident, log, cause, since, why, accepted } of fields.lost) {
      this.gate.hold(logIdOfTransition({ log }), incident, { cause, since, why, accepted });
    }
  }

  /**
   * Computes from the journal how its incidents stand. It writes nothing.
   * @param failed told that the small file is damaged, or why it was not written after a step
   * @throws WorldError
   */
  static async open({ journal, signer, clock, memory, failed }: {
    journal: IncidentJournal;
    signer: Signer;
    clock: Clock;
    memory: FrozenMemory;
    failed: (error: unknown) => void;
  }): Promise<IncidentKeeper> {
    const runbook = new Runbook({ own: signer.vkey.text });
    const illegal: Illegal[] = [];
    for (const { seq, transition } of journal.transitions) {
      const refused = runbook.take(transition);
      if (refused !== undefined) illegal.push({ seq, why: `${transition.incident} ${refused}` });
    }
    const kept = await readKept(memory, failed);
    const before = kept?.before ?? casesBefore(journal, kept === undefined);
    const lost = (kept?.holds ?? []).filter(({ incident }) => runbook.find(incident) === undefined);
    return new IncidentKeeper({
      ...{ journal, signer, clock, memory, failed, runbook, illegal, lost },
      before: new Set(before.filter((id) => runbook.withCase(id) === undefined)),
    });
  }

  /** The cases of these logs that no incident has, and that came since there is a gate. */
  unopened(): readonly NamedRecord[] {
    return this.#journal.named.filter(({ evidence_id: id }) =>
      !this.#before.has(id) && this.runbook.withCase(id) === undefined
    ).filter(isOfLog);
  }

  /** Has the file say what it is to say from the first start on. @throws WorldError */
  claim(): Promise<void> {
    return this.#turns.next(() => this.#keep());
  }

  /**
   * Ends what a crash has cut short: an incident that has only begun freezes its log, and one that
   * the journal has lost is opened once more.
   * @throws WorldError
   */
  catchUp(): Promise<void> {
    return this.#turns.next(async () => {
      await this.#catchUp();
      await this.#keep();
    });
  }

  async #catchUp(): Promise<void> {
    for (const { incident, log, cause, evidence_ids: cases, accepted, why } of this.#lost) {
      if (this.runbook.find(incident) !== undefined) continue;
      const again = shortened(`the journal had lost it, and ${FILE_WORDS} had not: ${why}`);
      const opening = { log, cause, cases, accepted, by: BY_ITSELF, why: again };
      const refused = await this.#open(incident, opening);
      if (refused === undefined) this.gate.written(logIdOfTransition({ log }), incident);
    }
    for (const { id, state, log } of this.runbook.incidents) {
      if (state === "DETECT") await this.#freeze(id, { log, accepted: undefined });
    }
  }

  /**
   * Opens an incident and freezes the log. Cases of a log whose incident nobody investigates yet are
   * added to that one. Where an incident about the same cause freezes the log already, and there is no
   * new case, nothing is done. A case whose incident does not freeze the log any more is refused.
   * @throws MalformedError if a name or a reason is none; WorldError
   */
  open(opening: Opening): Promise<Stepped> {
    checkName(opening.by, "the name");
    checkWhy(opening.why, "the reason");
    return this.#turns.next(async () => {
      // A new one must not take the name of one that the journal has lost.
      await this.#catchUp();
      const { cause, by } = opening;
      const logId = logIdOfTransition(opening);
      const unknown = opening.cases.find((id) => !this.#has(id, logId));
      if (unknown !== undefined) {
        return { refused: `cannot be opened: ${unknown} is no case of a log here` };
      }
      const cases = opening.cases.filter((id) => this.runbook.withCase(id) === undefined);
      const open = this.runbook.freezing(logId).findLast((one) =>
        one.cause === cause && (cause !== "equivocation" || one.state === "FREEZE")
      );
      if (cause === "equivocation" && cases.length === 0) {
        const known = this.runbook.withCase(opening.cases[0]!);
        if (known === undefined) return { refused: "has no case" };
        if (isFreezing(known.state)) return { incident: known, isUnchanged: true };
        const { at, by } = entryOf(known);
        return {
          refused: `cannot be opened: ${known.id} has its case, and is in the state ` +
            `${known.state} since ${at}, by ${by}. A case is not opened twice`,
        };
      }
      if (open !== undefined && cause !== "equivocation") {
        return { incident: open, isUnchanged: true };
      }
      if (open !== undefined && by === BY_ITSELF) {
        const step = this.#stepOf(open, { to: "FREEZE", by, why: opening.why });
        for (const some of parts(cases)) await this.#make({ ...step, evidence_ids: some });
        await this.#keepToo();
        return { incident: this.runbook.find(open.id)! };
      }
      const id = this.runbook.nextId(timeNow(this.#clock));
      const refused = await this.#open(id, { ...opening, cases });
      await this.#keepToo();
      if (refused !== undefined) return { refused };
      return { incident: this.runbook.find(id)! };
    });
  }

  /**
   * Makes a step that a person orders.
   * @throws MalformedError if a name or a reason is none; WorldError if the disk refuses
   */
  step({ incident: id, to, by, why, bundle }: StepOrder): Promise<Stepped> {
    checkName(by, "the name");
    checkWhy(why, "the reason");
    if (isItself(by)) {
      throw new MalformedError(`the name is "${by}", expected that of a person`);
    }
    return this.#turns.next(async () => {
      const incident = this.runbook.find(id);
      if (incident === undefined) return { refused: "is not known here" };
      const step = this.#stepOf(incident, { to, by, why });
      const refused = await this.#make({ ...step, ...(bundle !== undefined && { bundle }) });
      if (refused !== undefined) return { refused };
      await this.#keepToo();
      return { incident: this.runbook.find(id)! };
    });
  }

  /** Whether the journal has a case of a log. */
  #has(evidenceId: string, logId: string): boolean {
    return this.#journal.named.some((one) =>
      one.evidence_id === evidenceId && isOfLog(one) && logIdOfTransition(one) === logId
    );
  }

  /** Waits for what is being written. */
  async close(): Promise<void> {
    await this.#turns.done();
  }

  async #open(id: string, opening: Opening): Promise<string | undefined> {
    const { log, cause, by, why, accepted } = opening;
    const [first = [], ...more] = parts(opening.cases);
    const step: Step = {
      ...{ incident: id, log, cause, evidence_ids: first, from: null, to: "DETECT", by, why },
      ...{ at: timeNow(this.#clock), monitor: this.#signer.vkey.text },
    };
    const refused = await this.#make(step);
    if (refused !== undefined) return refused;
    await this.#freeze(id, { log, accepted });
    for (const some of more) {
      const added = { to: "FREEZE", by: BY_ITSELF, why } as const;
      await this.#make({ ...this.#stepOf(this.runbook.find(id)!, added), evidence_ids: some });
    }
    return undefined;
  }

  async #freeze(id: string, { log, accepted }: Pick<Opening, "log" | "accepted">): Promise<void> {
    const incident = this.runbook.find(id)!;
    const why = accepted === undefined
      ? "nothing of the log is accepted until this is resolved"
      : `nothing of the log beyond size ${accepted.size} is accepted until this is resolved`;
    const step = this.#stepOf(incident, { to: "FREEZE", by: BY_ITSELF, why });
    await this.#make({ ...step, log, ...(accepted && { accepted }) });
  }

  #stepOf(
    { id, log, cause, state }: Incident,
    { to, by, why }: Pick<Step, "to" | "by" | "why">,
  ): Step {
    return {
      ...{ incident: id, log, cause, evidence_ids: [], from: state, to, by, why },
      ...{ at: timeNow(this.#clock), monitor: this.#signer.vkey.text },
    };
  }

  /** Makes a step, if the runbook allows it. It counts once it is durable. */
  async #make(step: Step): Promise<string | undefined> {
    const refused = this.runbook.refusal(step);
    if (refused !== undefined) return refused;
    const transition: Transition = { version: TRANSITION_VERSION, ...step };
    const signature = await this.#signer.sign(transitionBytes(transition));
    await this.#journal.step({ transition, signature }, step.at);
    return this.runbook.take(transition);
  }

  /** The same after a step. That is in the journal, so it was made, and the file says it later. */
  async #keepToo(): Promise<void> {
    try {
      await this.#keep();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Has the file keep what freezes logs now. */
  async #keep(): Promise<void> {
    // What the journal has lost is not to be lost here too, before it is opened once more.
    const lost = this.#lost.filter(({ incident }) => this.runbook.find(incident) === undefined);
    const kept: Kept = { before: [...this.#before], holds: [...lost, ...keptOf(this.runbook)] };
    const text = JSON.stringify(kept);
    if (text === this.#kept) return;
    await this.#memory.write(kept);
    this.#kept = text;
  }
}

/**
 * Whether a case is about a log, and not about what a witness cosigned or a monitor stated. The key
 * alone does not say it: those of one type are keys of logs and of witnesses.
 */
export function isOfLog(
  { kind, log: { origin, vkey } }: Pick<ConflictRecord, "kind" | "log">,
): boolean {
  return kind !== "same_size_cosigned" &&
    statementsEpoch({ origin, vkey: parseVkey(vkey) }) === undefined;
}

const FILE_WORDS = "the state folder";

/**
 * What the file says; nothing of holds if it is damaged. The journal says the same, and the next step
 * writes the file anew.
 */
async function readKept(
  memory: FrozenMemory,
  failed: (error: unknown) => void,
): Promise<Kept | undefined> {
  try {
    return await memory.read();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    const why = `the file of frozen logs is damaged, and is written anew: ${error.message}`;
    failed(new WorldError("other", why));
    return { before: [], holds: [] };
  }
}

/**
 * The cases that open no incident by themselves, where no file says it: a monitor that is updated
 * does not freeze what was found long ago. Once the journal has a step, only what came before it.
 * @param isMissing whether there is no file, as before the first start with a gate
 */
function casesBefore({ named, transitions }: IncidentJournal, isMissing: boolean): string[] {
  if (!isMissing) return [];
  const first = transitions[0]?.seq ?? Infinity;
  return named.filter(({ seq }) => seq < first).map(({ evidence_id }) => evidence_id);
}

/** A reason that is not longer than one may be. */
function shortened(why: string): string {
  return [...why].slice(0, MAX_WHY_CHARACTERS).join("").trim();
}

function parts(ids: readonly string[]): string[][] {
  const all: string[][] = [];
  for (let at = 0; at < ids.length; at += MAX_EVIDENCE_IDS) {
    all.push(ids.slice(at, at + MAX_EVIDENCE_IDS));
  }
  return all;
}
