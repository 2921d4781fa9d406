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

/** Bytes that grow at their end most of the time, without being copied whole each time. */
class Content {
  #bytes = new Uint8Array(0);
  #length = 0;

  /** The bytes as they are now; to be read at once, since they change in place. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  get length(): number {
    return this.#length;
  }

  write(bytes: Uint8Array, at: number): void {
    this.truncate(Math.max(this.#length, at + bytes.length));
    this.#bytes.set(bytes, at);
  }

  /** Cuts, or fills up with zeros. */
  truncate(size: number): void {
    if (size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(1_024, 2 * size));
      grown.set(this.bytes);
      this.#bytes = grown;
    }
    if (size > this.#length) this.#bytes.fill(0, this.#length, size);
    this.#length = size;
  }
}

interface Node {
  readonly identity: string;
  /** What is on the platter. */
  readonly synced: Content;
  /** What the system shows. */
  readonly current: Content;
  /** The first byte at which the two may differ. */
  dirtyFrom: number;
  readonly permissions: number;
  locked: boolean;
}

let nodes = 0;

function newNode(permissions: number): Node {
  return {
    identity: `${++nodes}`,
    synced: new Content(),
    current: new Content(),
    dirtyFrom: Infinity,
    permissions,
    locked: false,
  };
}

/** Makes one content the same as the other, from the first byte at which they may differ. */
function copyFrom(at: number, from: Content, to: Content): void {
  to.truncate(Math.min(at, to.length));
  if (at < from.length) to.write(from.bytes.subarray(at), at);
}

/**
 * Keeps a share of the bytes that were written and not synced: at the end, or over bytes that were
 * there. Zeros at the end are no writing but space, and the same share of them is kept.
 */
function keepSome({ synced, current, dirtyFrom }: Node, share: number): void {
  const isOther = (byte: number, at: number): boolean => byte !== (synced.bytes[at] ?? 0);
  const end = current.bytes.findLastIndex(isOther) + 1;
  const space = current.length - Math.max(end, synced.length);
  if (end > dirtyFrom) {
    const kept = Math.floor((end - dirtyFrom) * share);
    synced.write(current.bytes.subarray(dirtyFrom, dirtyFrom + kept), dirtyFrom);
  }
  if (space > 0) synced.truncate(synced.length + Math.floor(space * share));
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
    return node && new TextDecoder().decode(node.current.bytes);
  }

  /** The same as bytes. */
  bytes(path: string): Uint8Array<ArrayBuffer> | undefined {
    const node = this.#entries.get(normal(path));
    return node && new Uint8Array(node.current.bytes);
  }

  /** What would be left of a file if the power went now; nothing if there would be no such file. */
  durable(path: string): Uint8Array | undefined {
    return this.#syncedEntries.get(normal(path))?.synced.bytes;
  }

  /** Puts a file there, durably. */
  put(path: string, content: string | Uint8Array): void {
    const node = newNode(0o644);
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    for (const one of [node.synced, node.current]) one.write(bytes, 0);
    this.#entries.set(normal(path), node);
    this.#syncedEntries.set(normal(path), node);
  }

  /** Gives a folder, with all that is in it, another name, durably; or takes it away. */
  move(folder: string, to?: string): void {
    for (const path of this.paths().filter((path) => path.startsWith(`${normal(folder)}/`))) {
      const node = this.#entries.get(path)!;
      for (const entries of [this.#entries, this.#syncedEntries]) {
        entries.delete(path);
        if (to !== undefined) entries.set(normal(to) + path.slice(normal(folder).length), node);
      }
    }
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
    for (const node of new Set([...this.#entries.values(), ...this.#syncedEntries.values()])) {
      const { synced, current } = node;
      keepSome(node, keepShare);
      current.truncate(0);
      current.write(synced.bytes, 0);
      node.dirtyFrom = Infinity;
      node.locked = false;
    }
    this.#entries = new Map(this.#syncedEntries);
    this.#fault = undefined;
  }

  /** The program is killed and the machine goes on: what was written stays, locks are let go. */
  kill(): void {
    for (const node of this.#entries.values()) node.locked = false;
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
          const node = newNode(permissions);
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
      entries: (folder) =>
        this.#operate(() => {
          const prefix = normal(folder) + "/";
          const inside = this.paths().filter((path) => path.startsWith(prefix))
            .map((path) => path.slice(prefix.length).split("/"));
          const kinds = new Map(inside.map(([name, ...below]) => [
            name!,
            below.length > 0 ? "folder" as const : "file" as const,
          ]));
          return [...kinds].map(([name, kind]) => ({ name, kind }));
        }),
      absolute: (path) => path,
      readShort: () => Promise.reject(new WorldError("other", "no test reads whole files here")),
      kindOf: (path) =>
        this.#operate(() => {
          if (this.#entries.has(normal(path))) return "file" as const;
          const isFolder = this.paths().some((each) => each.startsWith(normal(path) + "/"));
          if (isFolder) return "folder" as const;
          throw new WorldError("not found", path);
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
      // It counts as no operation: no fault is put between a question and what is done upon it.
      identity: (path) => {
        const { identity } = this.#entries.get(normal(path)) ?? {};
        if (identity !== undefined) return Promise.resolve(identity);
        return Promise.reject(new WorldError("not found", `no file ${path}`));
      },
    };
  }

  #handle(node: Node): OpenFile {
    let locked = false;
    let isOpen = true;
    return {
      isRegular: true,
      identity: node.identity,
      size: () => this.#operate(() => node.current.length),
      read: (buffer, at) =>
        this.#operate(() => {
          const part = node.current.bytes.subarray(at, at + buffer.length);
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
        node.dirtyFrom = Math.min(node.dirtyFrom, at);
        node.current.write(part, at);
        return fault === undefined ? Promise.resolve() : Promise.reject(refusal());
      },
      truncate: (size) =>
        this.#operate(() => {
          node.dirtyFrom = Math.min(node.dirtyFrom, size);
          node.current.truncate(size);
        }),
      sync: () =>
        this.#operate(() => {
          copyFrom(node.dirtyFrom, node.current, node.synced);
          node.dirtyFrom = Infinity;
        }),
      tryLock: () =>
        this.#operate(() => {
          if (node.locked) return false;
          return node.locked = locked = true;
        }),
      close: () => {
        // As the system does.
        if (!isOpen) throw new Deno.errors.BadResource("it is closed already");
        isOpen = false;
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
