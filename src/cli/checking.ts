/**
 * What the parts of `hearsay config check` have in common.
 *
 * @module
 */
import type { Settings } from "../monitor/settings.ts";
import type { Status } from "../monitor/status.ts";
import { JournalDamaged } from "../store/journal.ts";
import { inTime } from "../world/in_time.ts";
import type { Signer } from "../world/signer.ts";
import { type World, WorldError } from "../world/world.ts";
import { isUsageFault } from "./command.ts";

/** What is not as it should be: the configuration, what it leads to, or a log. */
export type Fault = "configuration" | "undone" | "proven";

/** One thing that was looked at. */
export interface Check {
  /** What kind of thing: `key`, `log`, `peer` and so on. */
  readonly about: string;
  /** A sentence for a person. */
  readonly text: string;
  /** What is wrong, if anything is. */
  readonly fault?: Fault;
}

/** What is checked, and with what. */
export interface Checked {
  readonly world: World;
  readonly settings: Settings;
  /** Its key, if that could be read. */
  readonly identity: Identity | undefined;
  /** The status of this monitor's own daemon, if it runs and could be asked. */
  readonly running: Status | undefined;
}

/** The monitor's key. */
export interface Identity {
  readonly signer: Signer;
  /** The user that owns the key's file: the one that the daemon runs as. */
  readonly owner: number | undefined;
}

/** Longest wait for a file or folder: one may be a pipe, another on a mount that does not answer. */
const FILE_MS = 5_000;
const LATE = `it was not read within ${
  FILE_MS / 1_000
} s; is it a pipe, or on a mount that does not answer?`;

/**
 * Does work on files, and makes a check of what it throws.
 * @param what begins the sentence about it, such as `the key monitor.key`
 * @param asksPerson whether the work waits for a person, who may take as long as they want
 */
export async function tried<T>(
  { world, about, what, work, asksPerson = false }: {
    world: World;
    about: string;
    what: string;
    work: () => Promise<T>;
    asksPerson?: boolean;
  },
): Promise<{ done: T } | { check: Check }> {
  try {
    if (asksPerson) return { done: await work() };
    return { done: await inTime({ clock: world.clock, ms: FILE_MS, work, late: LATE }) };
  } catch (error) {
    const isConfiguration = isUsageFault(error);
    const isUndone = error instanceof WorldError || error instanceof JournalDamaged;
    if (!isConfiguration && !isUndone) throw error;
    const fault: Fault = isConfiguration ? "configuration" : "undone";
    return { check: { about, fault, text: `${what}: ${(error as Error).message}` } };
  }
}

/** A check of what is wrong with the configuration. */
export function wrong(about: string, text: string): Check {
  return { about, text, fault: "configuration" };
}

/** A check of what could not be done. */
export function undone(about: string, text: string): Check {
  return { about, text, fault: "undone" };
}
