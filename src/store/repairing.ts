/**
 * Repairs a damaged journal. Everything from the first damaged line on is copied into files beside
 * it, byte for byte and durably. Then one rename puts a file in place that has what came before, a
 * statement of what was set aside, and what of it counts by itself, as new entries. So a crash leaves
 * the damaged journal or the repaired one, and never less.
 *
 * @module
 */
import { join } from "@std/path/join";
import {
  type Entry,
  FIRST_LINK,
  type Link,
  MAX_ENTRY_BYTES,
  parseCanonicalEntry,
} from "../evidence/entry.ts";
import type { JsonObject } from "../evidence/json.ts";
import { cleanSource } from "../evidence/record.ts";
import { textOf } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { createDurably, replaceDurably, temporaryName } from "../world/durable.ts";
import { type Line, readLines, readPart } from "../world/reading.ts";
import type { Signer } from "../world/signer.ts";
import { type Files, type OpenFile, WorldError } from "../world/world.ts";
import { JOURNAL_PERMISSIONS, type JournalDamaged, nextLine } from "./journal.ts";
import type { Removal } from "./removal.ts";
import { type Repair, type SetAside, signRepair } from "./repaired.ts";

/** The part of a file from one byte to another. */
export interface Part {
  readonly name: string;
  readonly from: number;
  /** The end of the file, if it is left out. */
  readonly to?: number;
  /** The number of the line with which it begins. */
  readonly line: number;
}

/** What is written again of what is set aside. */
export interface Again {
  readonly record: JsonObject;
  /** For a person: what it is. */
  readonly what: string;
}

/** What becomes of what is set aside. */
export interface Outcome {
  readonly again: readonly Again[];
  /** What counted before and counts no more, because it cannot be read, or does not hold. */
  readonly lost: readonly Lost[];
}

/** A line that is set aside, and is not written again although it counted. */
export interface Lost {
  /** The file that it was in, and is copied from. */
  readonly from: string;
  /** For a person: what it was, and in which line. */
  readonly what: string;
}

/** What one kind of journal tells about its damage. */
export interface Damage {
  readonly error: JournalDamaged;
  /** The last entry before it. */
  readonly after: Link;
  /** What is kept, in order. The last part is of the file that the statement goes into. */
  readonly kept: readonly Part[];
  /** What is to be set aside, in order. */
  readonly aside: readonly Part[];
  /** See Repair. */
  readonly next?: number;
  readonly removed?: readonly Removal[];
}

/** A kind of journal, as a repair needs it. */
export interface Repairable {
  readonly files: Files;
  readonly folder: string;
  readonly isObservations: boolean;
  /** Takes the lock. @throws JournalLocked, WorldError */
  lock(): Promise<OpenFile>;
  /** Reads the whole journal. Gives the damage, if there is any. */
  damage(): Promise<Damage | undefined>;
  /** Ends a repair that a crash has cut short. */
  finish(): Promise<void>;
  /** What of the set aside parts is written again, and what is not. */
  outcome(damage: Damage): Promise<Outcome>;
}

/** What a repair does, or has done. */
export interface Plan {
  readonly damage: Damage;
  readonly aside: readonly SetAside[];
  readonly last?: Link;
  readonly again: readonly Again[];
  readonly lost: readonly Lost[];
}

/** Looks what is damaged and what is to be done. Changes nothing. Gives nothing for a whole journal. */
export async function planRepair(journal: Repairable): Promise<Plan | undefined> {
  const damage = await journal.damage();
  if (damage === undefined) return undefined;
  const aside: SetAside[] = [];
  let last: Link | undefined;
  for (const part of damage.aside) {
    const { lines, last: lastIn } = await survey(journal, part);
    last = lastIn ?? last;
    aside.push(await describePart(journal, part, lines));
  }
  return { damage, aside, ...await journal.outcome(damage), ...(last && { last }) };
}

/**
 * Repairs a journal. It holds the lock meanwhile.
 * @param at RFC 3339, UTC
 * @param onLost called if something counts no more afterwards, before that is so: whoever is to know
 *   of it must be told even if a crash comes in between
 * @returns what was done; nothing if the journal is whole
 * @throws JournalLocked, WorldError; then the journal is as it was, or repaired already
 */
export async function repairJournal(
  journal: Repairable,
  { signer, at, onLost }: { signer: Signer; at: string; onLost?: (plan: Plan) => Promise<void> },
): Promise<Plan | undefined> {
  const lock = await journal.lock();
  try {
    const plan = await planRepair(journal);
    if (plan !== undefined) {
      for (const [i, part] of plan.damage.aside.entries()) {
        await copyAside(journal, part, plan.aside[i]!);
      }
      if (plan.lost.length > 0) await onLost?.(plan);
      await putInPlace(journal, plan, { signer, at });
    }
    await journal.finish();
    return plan;
  } finally {
    lock.close();
  }
}

/** Counts the lines of a part, and finds the last entry in it that is whole. */
async function survey(
  journal: Repairable,
  part: Part,
): Promise<{ lines: number; last: Link | undefined }> {
  let lines = 0;
  let last: Link | undefined;
  for await (const line of linesOf(journal, part)) {
    lines++;
    const { seq, hash } = wholeEntry(line) ?? {};
    if (seq !== undefined && hash !== undefined) last = { seq, hash };
  }
  return { lines, last };
}

/** The lines of a part. */
export async function* linesOf(
  { files, folder }: Pick<Repairable, "files" | "folder">,
  { name, from, to = Infinity }: Part,
): AsyncGenerator<Line, void> {
  const file = await files.open(join(folder, name), "read");
  try {
    for await (const line of readLines(file, MAX_ENTRY_BYTES, { from })) {
      if (line.at >= to) return;
      yield line;
    }
  } finally {
    file.close();
  }
}

/** The entry of a line, if its own hash is right, whatever is before it. */
export function wholeEntry({ bytes, tooLong }: Line): Entry | undefined {
  if (tooLong) return undefined;
  try {
    return parseCanonicalEntry(textOf(bytes));
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

async function describePart(
  { files, folder }: Repairable,
  { name, from, line }: Part,
  lines: number,
): Promise<SetAside> {
  const file = await files.open(join(folder, name), "read");
  try {
    const digest = await readPart(file, { from });
    const base = name.replace(/\.jsonl$/, "");
    const aside = `${base}.damaged-${from}-${digest.sha256.slice(0, 16)}`;
    return { from: name, line, at: from, file: aside, lines, ...digest };
  } finally {
    file.close();
  }
}

/** Copies a part into its own file, durably. A copy that a crash left is used if it is right. */
async function copyAside(
  { files, folder }: Repairable,
  { name, from }: Part,
  { file, sha256 }: SetAside,
): Promise<void> {
  const path = join(folder, file);
  const source = await files.open(join(folder, name), "read");
  const content = async (copy: OpenFile): Promise<void> => {
    const digest = await readPart(source, { from }, (piece, at) => copy.write(piece, at));
    if (digest.sha256 === sha256) return;
    throw new WorldError("other", `${join(folder, name)} changed while it was copied`);
  };
  const replacement = { files, path, content, permissions: JOURNAL_PERMISSIONS };
  try {
    (await createDurably(replacement)).close();
  } catch (error) {
    if (!(error instanceof WorldError) || error.kind !== "already exists") throw error;
    await replaceDurably(replacement);
  } finally {
    source.close();
  }
}

/** Puts the file with the statement in the place of the one that it continues. */
async function putInPlace(
  { files, folder }: Repairable,
  { damage, aside, last, again }: Plan,
  { signer, at }: { signer: Signer; at: string },
): Promise<void> {
  const { error, after, next, removed } = damage;
  const { name, to: kept = 0 } = damage.kept.at(-1)!;
  const path = join(folder, name);
  const repair: Repair = {
    by: signer.vkey.text,
    reason: cleanSource(`${error.path.split("/").at(-1)} ${error.what}`),
    ...{ after, aside, again: again.length },
    ...(last && { last }),
    ...(next !== undefined && { next }),
    ...(removed !== undefined && { removed }),
  };
  const statement = await signRepair(repair, signer);
  const content = async (file: OpenFile): Promise<void> => {
    if (kept > 0) await copyStart({ files, path, bytes: kept }, file);
    let end = kept;
    let link = after;
    for (const record of [statement, ...again.map(({ record }) => record)]) {
      const { entry, line } = nextLine(link, record, at);
      await file.write(line, end);
      end += line.length;
      link = entry;
    }
  };
  try {
    await replaceDurably({ files, path, content, permissions: JOURNAL_PERMISSIONS });
  } catch (error) {
    await files.remove(temporaryName(path)).catch(() => {
      // It was not made, or has its name already.
    });
    throw error;
  }
}

async function copyStart(
  { files, path, bytes }: { files: Files; path: string; bytes: number },
  to: OpenFile,
): Promise<void> {
  const file = await files.open(path, "read");
  try {
    await readPart(file, { from: 0, to: bytes }, (piece, at) => to.write(piece, at));
  } finally {
    file.close();
  }
}

/** What is wrong with the files that a repair has set aside: one sentence each. */
export async function asideFaults(
  { files, folder }: { files: Files; folder: string },
  { aside }: Pick<Repair, "aside">,
): Promise<string[]> {
  const faults: string[] = [];
  for (const { file, sha256, bytes } of aside) {
    const path = join(folder, file);
    let opened: OpenFile;
    try {
      opened = await files.open(path, "read");
    } catch (error) {
      if (!(error instanceof WorldError) || error.kind !== "not found") throw error;
      faults.push(`${path} is gone: it has what a repair set aside`);
      continue;
    }
    try {
      const found = await readPart(opened, { from: 0 });
      if (found.sha256 === sha256 && found.bytes === bytes) continue;
      faults.push(`${path} is not what the repair set aside: it was altered since`);
    } finally {
      opened.close();
    }
  }
  return faults;
}

/** Where a journal ends, entry by entry: the files, and how many bytes of each are whole. */
export class KeptParts {
  readonly #ends = new Map<string, { end: number; link: Link }>();

  /** Takes the next entry. */
  take(name: string, { entry, line }: { entry: Entry; line: Line }): void {
    const end = line.at + line.bytes.length + 1;
    this.#ends.set(name, { end, link: { seq: entry.seq, hash: entry.hash } });
  }

  /** Whether there is an entry of this file. */
  has(name: string): boolean {
    return this.#ends.has(name);
  }

  /** Drops what is in these files. */
  drop(isDropped: (name: string) => boolean): void {
    for (const name of [...this.#ends.keys()]) if (isDropped(name)) this.#ends.delete(name);
  }

  /** The last entry. */
  get last(): Link {
    return [...this.#ends.values()].at(-1)?.link ?? FIRST_LINK;
  }

  /** The parts; one without bytes of this file, if there is none. */
  parts(otherwise: string): Part[] {
    const parts = [...this.#ends].map(([name, { end }]) => ({ name, from: 0, to: end, line: 1 }));
    return parts.length > 0 ? parts : [{ name: otherwise, from: 0, to: 0, line: 1 }];
  }
}
