/** Worlds and streams that refuse. */
import type { Stream } from "../../../src/cli/terminal.ts";
import { denoWorld } from "../../../src/world/deno.ts";
import { type OpenFile, type World, WorldError } from "../../../src/world/world.ts";
import type { Stage } from "./stage.ts";

/** A stream that takes nothing. */
export function refusing(error: Error): Stream {
  return {
    writeSync: () => {
      throw error;
    },
    isTerminal: () => false,
  };
}

/** A stream without room: the system's own, where it has one. */
export function fullOutput(stage: Stage): Stream {
  try {
    const file = Deno.openSync("/dev/full", { write: true });
    stage.atEnd(() => file.close());
    return file;
  } catch {
    return refusing(new Error("No space left on device (os error 28)"));
  }
}

/** A disk without room. */
export function fullDisk(stage: Stage): World {
  const world = denoWorld();
  const full = (path = ""): Promise<never> => {
    removeDemo(stage, path);
    return Promise.reject(new WorldError("other", "No space left on device"));
  };
  const opened = (file: OpenFile): OpenFile => ({
    isRegular: file.isRegular,
    permissions: file.permissions,
    ...{ size: () => file.size(), read: (buffer, at) => file.read(buffer, at) },
    ...{ tryLock: () => file.tryLock(), close: () => file.close(), truncate: () => full() },
    ...{ write: () => full(), sync: () => file.sync() },
  });
  const { files } = world;
  const open: typeof files.open = async (path, mode) => opened(await files.open(path, mode));
  return { ...world, files: { ...files, open, create: full, makeFolder: full } };
}

/** A world in which whatever leads outside meets a bug of ours. */
export function faulty(stage: Stage): World {
  const bug = (...values: unknown[]): never => {
    for (const value of values) removeDemo(stage, String(value));
    throw new TypeError("a bug");
  };
  const room = new Proxy({}, { get: () => bug }) as unknown as
    & World["files"]
    & World["databases"]
    & World["sharedDatabases"]
    & World["network"]
    & World["http"];
  return {
    ...denoWorld(),
    files: room,
    databases: room,
    sharedDatabases: room,
    network: room,
    http: room,
  };
}

/** The demonstration makes its folder before it can fail. */
function removeDemo(stage: Stage, path: string): void {
  const [folder] = /^.*hearsay-demo-[^/]+/.exec(path) ?? [];
  if (folder === undefined) return;
  stage.atEnd(() => Deno.removeSync(folder, { recursive: true }));
}
