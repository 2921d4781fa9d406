/** Files in memory that outlive the monitors using them, on a disk that can refuse. */
import {
  type Files,
  type FolderEntry,
  type OpenFile,
  type PathKind,
  WorldError,
} from "../../src/world/world.ts";

interface Stored {
  bytes: Uint8Array;
  locked: boolean;
}

/** What a disk can refuse to do. */
export type DiskStep = "write" | "sync" | "truncate";

/** A file system in memory. */
export class FakeFiles implements Files {
  readonly #stored = new Map<string, Stored>();
  /** The steps that fail from now on, and leave half of what they were to do. */
  readonly refuses = new Set<DiskStep>();

  open(path: string): Promise<OpenFile> {
    const file = this.#stored.get(path);
    if (file === undefined) return rejected("not found", path);
    return Promise.resolve(this.#handle(file));
  }

  create(path: string): Promise<OpenFile> {
    if (this.#stored.has(path)) return rejected("already exists", path);
    const file = { bytes: new Uint8Array(0), locked: false };
    this.#stored.set(path, file);
    return Promise.resolve(this.#handle(file));
  }

  makeFolder(): Promise<void> {
    return Promise.resolve();
  }

  list(folder: string): Promise<string[]> {
    const paths = [...this.#stored.keys()].filter((path) => path.startsWith(`${folder}/`));
    return Promise.resolve(paths.map((path) => path.slice(folder.length + 1)));
  }

  async entries(folder: string): Promise<FolderEntry[]> {
    return (await this.list(folder)).map((name) => ({ name, kind: "file" }));
  }

  absolute(path: string): string {
    return path;
  }

  readShort(path: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const file = this.#stored.get(path);
    if (file === undefined) return rejected("not found", path);
    return Promise.resolve(file.bytes.length > maxBytes ? undefined : new Uint8Array(file.bytes));
  }

  kindOf(path: string): Promise<PathKind> {
    return this.#stored.has(path) ? Promise.resolve("file") : rejected("not found", path);
  }

  syncFolder(): Promise<void> {
    return this.#step("sync");
  }

  remove(path: string): Promise<void> {
    return this.#stored.delete(path) ? Promise.resolve() : rejected("not found", path);
  }

  rename({ from, to }: { from: string; to: string }): Promise<void> {
    const file = this.#stored.get(from);
    if (file === undefined) return rejected("not found", from);
    this.#stored.set(to, file);
    this.#stored.delete(from);
    return Promise.resolve();
  }

  identity(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  #step(step: DiskStep): Promise<void> {
    return this.refuses.has(step)
      ? rejected("other", `the disk refuses to ${step}`)
      : Promise.resolve();
  }

  #handle(file: Stored): OpenFile {
    let holdsLock = false;
    return {
      isRegular: true,
      size: () => Promise.resolve(file.bytes.length),
      read(buffer, at) {
        const bytes = file.bytes.subarray(at, at + buffer.length);
        buffer.set(bytes);
        return Promise.resolve(bytes.length);
      },
      write: (bytes, at) => {
        const written = this.refuses.has("write") ? bytes.subarray(0, bytes.length >> 1) : bytes;
        const grown = new Uint8Array(Math.max(file.bytes.length, at + written.length));
        grown.set(file.bytes);
        grown.set(written, at);
        file.bytes = grown;
        return this.#step("write");
      },
      truncate: (size) => {
        if (!this.refuses.has("truncate")) file.bytes = file.bytes.slice(0, size);
        return this.#step("truncate");
      },
      sync: () => this.#step("sync"),
      tryLock() {
        if (file.locked) return Promise.resolve(holdsLock);
        return Promise.resolve(holdsLock = file.locked = true);
      },
      close() {
        if (holdsLock) file.locked = holdsLock = false;
      },
    };
  }
}

function rejected(kind: WorldError["kind"], message: string): Promise<never> {
  return Promise.reject(new WorldError(kind, message));
}
