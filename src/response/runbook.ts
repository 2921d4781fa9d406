/**
 * The runbook: which step of an incident may follow which, and which logs are frozen by it.
 *
 *     DETECT → FREEZE → INVESTIGATE → RESOLVE → CLOSED
 *
 * An incident freezes its log from its first step until RESOLVE. The runbook is computed from the
 * transitions in the incident journal, and from nothing else. So it is the same after each start, and
 * for whoever mirrors the journal.
 *
 * @module
 */
import {
  BY_ITSELF,
  type Cause,
  INCIDENT_ID,
  isItself,
  logIdOfTransition,
  type State,
  STATES,
  type Transition,
} from "../evidence/transition.ts";

/** One incident, as its transitions so far have it. */
export interface Incident {
  /** `INC-2026-001`. */
  readonly id: string;
  readonly log: Transition["log"];
  /** As `Log.id`. */
  readonly logId: string;
  readonly cause: Cause;
  readonly state: State;
  /** Evidence ids, in the order in which they came. */
  readonly cases: readonly string[];
  /** All its steps, in order; at least one. */
  readonly steps: readonly Transition[];
  /** The last checkpoint that was accepted of the log before it was frozen; nothing if none was. */
  readonly accepted: Transition["accepted"];
}

/** Whether an incident in this state freezes its log. */
export function isFreezing(state: State): boolean {
  return STATES.indexOf(state) < STATES.indexOf("RESOLVE");
}

/** The step that led an incident to its state. Cases that were added since are steps of their own. */
export function entryOf({ state, steps }: Pick<Incident, "state" | "steps">): Transition {
  return steps.find(({ to }) => to === state)!;
}

/** The state after this one; nothing after the last. */
export function nextState(state: State): State | undefined {
  return STATES[STATES.indexOf(state) + 1];
}

/** A step that is to be made: a transition whose form need not be checked yet. */
export type Step = Omit<Transition, "version">;

/** All incidents of a journal. */
export class Runbook {
  readonly #own: string | undefined;
  readonly #incidents = new Map<string, Incident>();
  /** By evidence id: the incident that has the case. */
  readonly #ofCases = new Map<string, string>();
  /** By log id: the incidents that freeze it, oldest first. */
  readonly #freezing = new Map<string, Set<string>>();
  /** By year: the largest number of an incident. */
  readonly #numbers = new Map<string, number>();

  /**
   * @param own the vkey of the monitor whose journal this is, if it is known. It may go on with what
   *   it began under another key. Otherwise only who began an incident may.
   */
  constructor({ own }: { own?: string | undefined } = {}) {
    this.#own = own;
  }

  /** All of them, in the order in which they were opened. */
  get incidents(): readonly Incident[] {
    return [...this.#incidents.values()];
  }

  /** The incident with this name. */
  find(id: string): Incident | undefined {
    return this.#incidents.get(id);
  }

  /** The incident that has a case. */
  withCase(evidenceId: string): Incident | undefined {
    const id = this.#ofCases.get(evidenceId);
    return id === undefined ? undefined : this.#incidents.get(id);
  }

  /** Who has closed the incident of a case; nothing if it is not closed, or no incident has the case. */
  closedBy(evidenceId: string): string | undefined {
    const incident = this.withCase(evidenceId);
    return incident?.state === "CLOSED" ? entryOf(incident).by : undefined;
  }

  /** The incidents that freeze a log, oldest first. */
  freezing(logId: string): readonly Incident[] {
    return [...this.#freezing.get(logId) ?? []].map((id) => this.#incidents.get(id)!);
  }

  /** The ids of all logs that are frozen. */
  get frozenLogs(): readonly string[] {
    return [...this.#freezing.keys()];
  }

  /** The name of the next incident. @param at when it is opened, RFC 3339, UTC */
  nextId(at: string): string {
    const year = at.slice(0, 4);
    return `INC-${year}-${String((this.#numbers.get(year) ?? 0) + 1).padStart(3, "0")}`;
  }

  /** Why a step may not be made now: the rest of a sentence that begins with the incident. */
  refusal(step: Step): string | undefined {
    const { incident: id, from, to, by, evidence_ids: ids } = step;
    const found = this.#incidents.get(id);
    if (found === undefined) return from === null ? refusalOfFirst(step) : "is not known here";
    if (from === null) return `is there already, in the state ${found.state}`;
    if (from !== found.state) return `is in the state ${found.state}, and not in ${from}`;
    if (logIdOfTransition(step) !== found.logId || step.cause !== found.cause) {
      return `is about the log ${found.log.origin} and its ${found.cause}, and about nothing else`;
    }
    const opener = found.steps[0]!.monitor;
    if (step.monitor !== opener && step.monitor !== this.#own) {
      return `was opened under the key ${opener}, and ${step.monitor} is another one`;
    }
    if (to === from) return refusalOfMore(step, found);
    const next = nextState(from);
    if (next === undefined) return `is CLOSED, which is the end: ${to} cannot follow`;
    if (to !== next) {
      return `is in the state ${from}, from which only ${next} follows, and not ${to}`;
    }
    if (to !== "FREEZE" && isItself(by)) return `needs a person's name for ${to}`;
    if (ids.length > 0) return `takes no more cases with the step to ${to}`;
    if (step.accepted !== undefined && to !== "FREEZE") return `was frozen before ${to}`;
    if (step.bundle !== undefined && to !== "INVESTIGATE") return `is not gathered with ${to}`;
    return undefined;
  }

  /**
   * Takes a step from the journal.
   * @returns why it may not follow what came before, if so; then it is not taken
   */
  take(step: Transition): string | undefined {
    const refused = this.refusal(step);
    if (refused !== undefined) return refused;
    const { incident: id, log, cause, to, evidence_ids: ids } = step;
    const before = this.#incidents.get(id);
    const incident: Incident = {
      ...{ id, log, cause, state: to },
      logId: before?.logId ?? logIdOfTransition(step),
      cases: [...before?.cases ?? [], ...ids],
      steps: [...before?.steps ?? [], step],
      accepted: step.accepted ?? before?.accepted,
    };
    this.#incidents.set(id, incident);
    for (const one of ids) if (!this.#ofCases.has(one)) this.#ofCases.set(one, id);
    this.#noteFreezing(incident);
    const [, year, number] = INCIDENT_ID.exec(id)!;
    this.#numbers.set(year!, Math.max(this.#numbers.get(year!) ?? 0, Number(number)));
    return undefined;
  }

  #noteFreezing({ id, logId, state }: Incident): void {
    const freezing = this.#freezing.get(logId) ?? new Set();
    if (isFreezing(state)) freezing.add(id);
    else freezing.delete(id);
    if (freezing.size > 0) this.#freezing.set(logId, freezing);
    else this.#freezing.delete(logId);
  }
}

function refusalOfFirst(
  { to, cause, evidence_ids: ids, accepted, bundle }: Step,
): string | undefined {
  if (to !== "DETECT") return `begins with DETECT, and not with ${to}`;
  if (cause === "equivocation" && ids.length === 0) {
    return "is about an equivocation, and has no case";
  }
  if (cause !== "equivocation" && ids.length > 0) {
    return `is about a ${cause}, of which no case is made`;
  }
  if (accepted !== undefined || bundle !== undefined) return "has only begun";
  return undefined;
}

/** Cases that come before anybody began to investigate belong to the same incident. */
function refusalOfMore(
  { to, by, evidence_ids: ids, accepted, bundle }: Step,
  { cases, cause, ...incident }: Incident,
): string | undefined {
  const { at, by: before } = entryOf(incident);
  if (to !== "FREEZE") return `is in the state ${to} already, since ${at}, by ${before}`;
  if (
    by !== BY_ITSELF || cause !== "equivocation" || accepted !== undefined || bundle !== undefined
  ) {
    return "is in the state FREEZE already";
  }
  if (ids.length === 0 || ids.some((id) => cases.includes(id))) {
    return "is in the state FREEZE already, and no new case is added";
  }
  return undefined;
}
