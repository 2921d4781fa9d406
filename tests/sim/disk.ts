/**
 * Disks of simulated machines. Files may be slow and may refuse. Databases lose their last commits when
 * the power goes, as SQLite does if commits are not synced.
 *
 * @module
 */
import { denoWorld } from "../../src/world/deno.ts";
import {
  type Database,
  type Databases,
  type Files,
  type OpenFile,
  type SqlValue,
  WorldError,
} from "../../src/world/world.ts";
import type { Fault, MemoryDisk } from "../store/memory_disk.ts";
import type { Draw } from "./draw.ts";
import type { SimTime } from "./time.ts";

/** What is wrong with a disk now. */
export interface DiskTrouble {
  /** Whether every write fails. Half of it may be written. */
  full: boolean;
  /** The share of all operations that fail, before or after their effect. */
  flaky: number;
  /** The longest time of an operation, in milliseconds. */
  slowMs: number;
  /** The power goes after `left` more writes and syncs, during the last of them. */
  powerCut?: { left: number; readonly cut: () => void } | undefined;
}

/** Never resolves. A program that was killed waits for this. */
const never = new Promise<never>(() => {});

/** The files of a machine's disk, as one process uses them. */
export function simFiles({ disk, time, draw, trouble, isAlive }: {
  disk: MemoryDisk;
  time: SimTime;
  draw: Draw;
  trouble: DiskTrouble;
  /** Whether the process still runs. What a killed process does has no effect. */
  isAlive: () => boolean;
}): Files {
  const { files } = disk;
  const faultOf = (writes: boolean): Fault | undefined => {
    const refused = (writes && trouble.full) || draw.chance(trouble.flaky);
    if (!refused) return undefined;
    return { at: 1, when: trouble.full || draw.chance(0.5) ? "before" : "after", lasting: false };
  };
  /** Waits for the time that an operation takes, then does it unless the process was killed. */
  const operate = async <T>(begin: () => Promise<T>, writes = false): Promise<T> => {
    if (trouble.slowMs > 0) await time.pause(draw.share() * trouble.slowMs);
    if (!isAlive()) return await never;
    // The memory disk does its work before it returns, so the fault hits only this operation.
    disk.fail(faultOf(writes));
    const done = begin();
    disk.fail(undefined);
    if (writes && trouble.powerCut !== undefined && --trouble.powerCut.left === 0) {
      const { cut } = trouble.powerCut;
      trouble.powerCut = undefined;
      cut();
    }
    try {
      return await done;
    } finally {
      if (!isAlive()) await never;
    }
  };
  const opened = (file: OpenFile): OpenFile => ({
    isRegular: file.isRegular,
    identity: file.identity,
    size: () => operate(() => file.size()),
    read: (buffer, at) => operate(() => file.read(buffer, at)),
    write: (bytes, at) => operate(() => file.write(bytes, at), true),
    truncate: (size) => operate(() => file.truncate(size)),
    sync: () => operate(() => file.sync(), true),
    tryLock: () => operate(() => file.tryLock()),
    close: () => isAlive() ? file.close() : undefined,
  });
  return {
    open: async (path, mode) => opened(await operate(() => files.open(path, mode))),
    create: async (path, mode) => opened(await operate(() => files.create(path, mode), true)),
    makeFolder: (path) => operate(() => files.makeFolder(path), true),
    list: (path) => operate(() => files.list(path)),
    entries: (path) => operate(() => files.entries(path)),
    kindOf: (path) => operate(() => files.kindOf(path)),
    absolute: (path) => files.absolute(path),
    readShort: (path, maxBytes) => operate(() => files.readShort(path, maxBytes)),
    syncFolder: (path) => operate(() => files.syncFolder(path)),
    remove: (path) => operate(() => files.remove(path)),
    rename: (names) => operate(() => files.rename(names)),
    identity: (path) => isAlive() ? files.identity(path) : never,
  };
}

/** What one commit did. */
type Commit = readonly { readonly sql: string; readonly values?: readonly SqlValue[] }[];

/** A database file: a real database in memory, and all commits that made it. */
interface Stored {
  database: Database;
  readonly commits: Commit[];
}

/** The databases on a machine's disk. */
export class SimDatabases {
  readonly #stored = new Map<string, Stored>();

  /** The power goes. Each database loses some of its last commits, or all of them. */
  powerCut(draw: Draw): void {
    for (const [path, stored] of this.#stored) {
      stored.database.close();
      const lost = draw.chance(0.1) ? Infinity : draw.below(4);
      const left = stored.commits.slice(0, Math.max(0, stored.commits.length - lost));
      this.#stored.set(path, replay(left));
    }
  }

  /** Closes all of them. */
  close(): void {
    for (const { database } of this.#stored.values()) database.close();
    this.#stored.clear();
  }

  /** The databases, as one process uses them. */
  at(
    { draw, trouble, isAlive }: { draw: Draw; trouble: DiskTrouble; isAlive: () => boolean },
  ): Databases {
    return {
      open: (path) => {
        refuse({ draw, trouble, isAlive });
        let stored = this.#stored.get(path);
        if (stored === undefined) this.#stored.set(path, stored = replay([]));
        return opened(stored, { draw, trouble, isAlive });
      },
      remove: (path) => {
        refuse({ draw, trouble, isAlive });
        this.#stored.get(path)?.database.close();
        this.#stored.delete(path);
      },
    };
  }
}

interface Door {
  readonly draw: Draw;
  readonly trouble: DiskTrouble;
  readonly isAlive: () => boolean;
}

/** Throws what SQLite throws if the disk refuses. */
function refuse({ draw, trouble, isAlive }: Door): void {
  if (!isAlive()) throw new WorldError("other", "this process was killed");
  if (trouble.full && draw.chance(0.5)) {
    throw new WorldError("other", "database or disk is full");
  }
  if (draw.chance(trouble.flaky)) throw new WorldError("other", "disk I/O error");
}

function opened(stored: Stored, door: Door): Database {
  const { database, commits } = stored;
  let transaction: Commit[number][] | undefined;
  const note = (statement: Commit[number]): void => {
    if (transaction === undefined) commits.push([statement]);
    else transaction.push(statement);
  };
  return {
    exec(sql) {
      refuse(door);
      database.exec(sql);
      note({ sql });
    },
    run(sql, values) {
      refuse(door);
      database.run(sql, values);
      note({ sql, ...(values && { values }) });
    },
    get(sql, values) {
      refuse(door);
      return database.get(sql, values);
    },
    all(sql, values) {
      refuse(door);
      return database.all(sql, values);
    },
    transaction(work) {
      refuse(door);
      transaction = [];
      try {
        const result = database.transaction(() => {
          const done = work();
          // The commit itself may be refused too.
          refuse(door);
          return done;
        });
        commits.push(transaction);
        return result;
      } finally {
        transaction = undefined;
      }
    },
    // The file stays, so nothing is closed here.
    close() {},
  };
}

/** Makes a database with these commits and nothing else. */
function replay(commits: Commit[]): Stored {
  const database = denoWorld().databases.open(":memory:");
  for (const commit of commits) {
    for (const { sql, values } of commit) {
      if (values === undefined) database.exec(sql);
      else database.run(sql, values);
    }
  }
  return { database, commits };
}
