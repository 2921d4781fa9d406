/**
 * The freeze gate: of which logs nothing is accepted now, and since when.
 *
 * A frozen log is watched like any other: what it shows is compared, written down and told to peers.
 * But nothing of it is accepted beyond what was accepted before: no checkpoint is answered for as
 * consistent, cosigned, or committed. Otherwise a log that has told two stories could go on as if one
 * of them were true.
 *
 * @module
 */
import type { Cause, Transition } from "../evidence/transition.ts";
import { parseTreeSize } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { type Incident, isFreezing, type Runbook } from "./runbook.ts";

/** Why a log is frozen. */
export interface Hold {
  /** The incident; nothing while its first entry is not durable yet. */
  readonly incident?: string;
  readonly cause: Cause;
  /** RFC 3339, UTC. */
  readonly since: string;
  /** For a person: one line. */
  readonly why: string;
}

/** A checkpoint by size and root, as transitions have it. */
type Accepted = NonNullable<Transition["accepted"]>;

/** A hold that is not in the journal yet. */
interface Sudden extends Hold {
  readonly accepted: Accepted | undefined;
}

/** What others ask of the gate. */
export interface FrozenLogs {
  /** Whether nothing of a log is accepted now. */
  isFrozen(log: Pick<Log, "id">): boolean;
  /** Whether a checkpoint of a log is accepted: any is, unless the log is frozen and it is newer. */
  accepts(log: Pick<Log, "id">, treeSize: bigint): boolean;
  /** The last checkpoint of a frozen log that was accepted; nothing if there is none. */
  lastAccepted(log: Pick<Log, "id">): Accepted | undefined;
}

/** See the module. */
export class FreezeGate implements FrozenLogs {
  readonly #runbook: Runbook;
  /** By log id, and by what holds it. These freeze before they are written, and until they are. */
  readonly #sudden = new Map<string, Map<string, Sudden>>();

  constructor(runbook: Runbook) {
    this.#runbook = runbook;
  }

  /**
   * Freezes a log at once, until `written` for all that hold it.
   * @param by tells what holds it from what else does; what holds it already holds it as it did
   */
  hold(logId: string, by: string, hold: Sudden): void {
    const sudden = this.#sudden.get(logId) ?? new Map<string, Sudden>();
    if (!sudden.has(by)) sudden.set(by, hold);
    this.#sudden.set(logId, sudden);
  }

  /** The journal has now what held the log, or there is nothing to write about it. */
  written(logId: string, by: string): void {
    const sudden = this.#sudden.get(logId);
    sudden?.delete(by);
    if (sudden?.size === 0) this.#sudden.delete(logId);
  }

  /** See FrozenLogs. */
  isFrozen({ id }: Pick<Log, "id">): boolean {
    return this.#sudden.has(id) || this.#runbook.freezing(id).length > 0;
  }

  /** Why a log is frozen, oldest first; empty if it is not. */
  holds({ id }: Pick<Log, "id">): readonly Hold[] {
    const written = this.#runbook.freezing(id).map(holdOf);
    const sudden = [...this.#sudden.get(id)?.values() ?? []];
    return [...written, ...sudden.map(({ accepted: _, ...hold }) => hold)];
  }

  /** See FrozenLogs. */
  lastAccepted({ id }: Pick<Log, "id">): Accepted | undefined {
    // The oldest hold counts: what came after it was not accepted.
    const [oldest] = this.#runbook.freezing(id);
    if (oldest !== undefined) return oldest.accepted;
    const [sudden] = this.#sudden.get(id)?.values() ?? [];
    return sudden?.accepted;
  }

  /** See FrozenLogs. */
  accepts(log: Pick<Log, "id">, treeSize: bigint): boolean {
    if (!this.isFrozen(log)) return true;
    const accepted = this.lastAccepted(log);
    return accepted !== undefined && treeSize <= parseTreeSize(accepted.size);
  }
}

/** Why an incident freezes its log. */
export function holdOf({ id, cause, steps }: Incident): Hold {
  const [first] = steps;
  return { incident: id, cause, since: first!.at, why: first!.why };
}

/** Whether a hold is about something that is proven, and not about a suspicion. */
export function isProven({ cause }: Pick<Hold, "cause">): boolean {
  return cause === "equivocation";
}

/** What the small file beside the journals has of an incident that freezes a log. */
export interface KeptHold
  extends Pick<Transition, "incident" | "log" | "cause" | "evidence_ids" | "accepted"> {
  /** When it was opened, RFC 3339, UTC, and why. */
  readonly since: string;
  readonly why: string;
}

/**
 * The small file of the state folder. The journal says which logs are frozen. This file keeps them
 * frozen if the journal is lost, and knows the cases that were there before there was a gate.
 */
export interface Kept {
  /** Evidence ids of cases that open no incident by themselves. */
  readonly before: readonly string[];
  readonly holds: readonly KeptHold[];
}

/** Reads and writes that file. */
export interface FrozenMemory {
  /** @returns nothing if there is none. @throws MalformedError if it is damaged, WorldError */
  read(): Promise<Kept | undefined>;
  /** Durable once it returns. @throws WorldError */
  write(kept: Kept): Promise<void>;
}

/** What the file is to keep of a runbook. */
export function keptOf(runbook: Runbook): KeptHold[] {
  return runbook.incidents.filter(({ state }) => isFreezing(state)).map((incident) => {
    const { id, log, cause, cases, accepted, steps } = incident;
    const { at: since, why } = steps[0]!;
    const said = { incident: id, log, cause, evidence_ids: cases, since, why };
    return { ...said, ...(accepted && { accepted }) };
  });
}
