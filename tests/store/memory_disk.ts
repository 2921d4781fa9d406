/**
 * A disk in memory that fails as disks do: any operation can refuse, before or after it took effect,
 * and a crash keeps of what was not synced as much, or as little, as the test says.
 */
import { type Files, type OpenFile, WorldError } from "../../src/world/world.ts";

/** When an operation fails: at which count, whether its effect takes place, and for how long. */
export interface Fault {
  /** The operation that fails, from 1. */
  readonly at: number;
  readonly when: "before" | "after";
  /** Only this once, or this and every later one. */
  readonly lasting: boolean;
}

interface Node {
  /** What is on the platter. */
  synced: Uint8Array;
  /** What the system shows. */
  current: Uint8Array;
  readonly permissions: number;
  locked: boolean;
}

/** The disk; `files` is the door a program has to it. */
export class MemoryDisk {
  /** What the folders show, and what of it survives a crash. */
  #entries = new Map<string, Node>();
  #syncedEntries = new Map<string, Node>();
  #fault: Fault | undefined;
  /** Operations counted since the last `fail`. */
  operations = 0;

  /** Counts operations anew and lets one fail. */
  fail(fault: Fault | undefined): void {
    this.#fault = fault;
    this.operations = 0;
  }

  /** The content of a file as the system shows it; nothing if there is none. */
  content(path: string): string | undefined {
    const node = this.#entries.get(normal(path));
    return node && new TextDecoder().decode(node.current);
  }

  /** Puts a file there, durably. */
  put(path: string, content: string): void {
    const bytes = new TextEncoder().encode(content);
    const node = { synced: bytes, current: bytes, permissions: 0o644, locked: false };
    this.#entries.set(normal(path), node);
    this.#syncedEntries.set(normal(path), node);
  }

  /** Paths of all files. */
  paths(): string[] {
    return [...this.#entries.keys()].sort();
  }

  permissions(path: string): number | undefined {
    return this.#entries.get(normal(path))?.permissions;
  }

  /**
   * The machine loses power. Of bytes written and not synced, this share of them stays; entries of
   * folders that were not synced go.
   */
  crash({ keepShare }: { keepShare: number }): void {
    for (const node of this.#entries.values()) {
      const kept = Math.floor(Math.max(0, node.current.length - node.synced.length) * keepShare);
      node.current = node.current.length > node.synced.length
        ? node.current.slice(0, node.synced.length + kept)
        : node.synced.slice();
      node.synced = node.current;
      node.locked = false;
    }
    this.#entries = new Map(this.#syncedEntries);
    this.#fault = undefined;
  }

  /** The door a program has to this disk. */
  get files(): Files {
    return {
      open: (path) =>
        this.#operate(() => {
          const node = this.#entries.get(normal(path));
          if (node === undefined) throw new WorldError("not found", `no file ${path}`);
          return this.#handle(node);
        }),
      create: (path, permissions) =>
        this.#operate(() => {
          if (this.#entries.has(normal(path))) throw new WorldError("already exists", path);
          const empty = new Uint8Array(0);
          const node: Node = { synced: empty, current: empty, permissions, locked: false };
          this.#entries.set(normal(path), node);
          return this.#handle(node);
        }),
      makeFolder: () => this.#operate(() => {}),
      list: (folder) =>
        this.#operate(() => {
          const prefix = normal(folder) + "/";
          return this.paths().filter((path) => path.startsWith(prefix))
            .map((path) => path.slice(prefix.length)).filter((name) => !name.includes("/"));
        }),
      syncFolder: (folder) =>
        this.#operate(() => {
          const inside = (path: string): boolean => path.startsWith(normal(folder) + "/");
          for (const path of this.#syncedEntries.keys()) {
            if (inside(path) && !this.#entries.has(path)) this.#syncedEntries.delete(path);
          }
          for (const [path, node] of this.#entries) {
            if (inside(path)) this.#syncedEntries.set(path, node);
          }
        }),
      remove: (path) =>
        this.#operate(() => {
          if (!this.#entries.delete(normal(path))) throw new WorldError("not found", path);
        }),
      rename: ({ from, to }) =>
        this.#operate(() => {
          const node = this.#entries.get(normal(from));
          if (node === undefined) throw new WorldError("not found", from);
          this.#entries.delete(normal(from));
          this.#entries.set(normal(to), node);
        }),
    };
  }

  #handle(node: Node): OpenFile {
    let locked = false;
    return {
      isRegular: true,
      size: () => this.#operate(() => node.current.length),
      read: (buffer, at) =>
        this.#operate(() => {
          const part = node.current.subarray(at, at + buffer.length);
          buffer.set(part);
          return part.length;
        }),
      write: (bytes, at) => {
        const fault = this.#next();
        // A write that fails half way has written a part: what a full disk does.
        const part = fault === undefined
          ? bytes
          : fault.when === "before"
          ? bytes.subarray(0, Math.floor(bytes.length / 2))
          : bytes;
        const grown = new Uint8Array(Math.max(node.current.length, at + part.length));
        grown.set(node.current);
        grown.set(part, at);
        node.current = grown;
        return fault === undefined ? Promise.resolve() : Promise.reject(refusal());
      },
      truncate: (size) =>
        this.#operate(() => {
          node.current = node.current.slice(0, size);
        }),
      sync: () =>
        this.#operate(() => {
          node.synced = node.current.slice();
        }),
      tryLock: () =>
        this.#operate(() => {
          if (node.locked) return false;
          return node.locked = locked = true;
        }),
      close: () => {
        if (locked) node.locked = false;
        locked = false;
      },
    };
  }

  #next(): Fault | undefined {
    this.operations++;
    const fault = this.#fault;
    if (fault === undefined) return undefined;
    const hit = fault.lasting ? this.operations >= fault.at : this.operations === fault.at;
    return hit ? fault : undefined;
  }

  #operate<T>(effect: () => T): Promise<T> {
    const fault = this.#next();
    if (fault?.when === "before") return Promise.reject(refusal());
    try {
      const result = effect();
      return fault === undefined ? Promise.resolve(result) : Promise.reject(refusal());
    } catch (error) {
      return Promise.reject(error);
    }
  }
}

function refusal(): WorldError {
  return new WorldError("other", "No space left on device (os error 28)");
}

function normal(path: string): string {
  return path.replace(/^\.?\/+/, "").replace(/\/+$/, "").replace(/^(.*)\/\.\.$/, "$1");
}
