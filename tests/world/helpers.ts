/** What the tests of the world room share. */
import { denoWorld } from "../../src/world/deno.ts";
import type { Connection, Network, OpenFile, Random } from "../../src/world/world.ts";

/** The real world. */
export const world = denoWorld();

/** Runs a test in a folder of its own, which is removed afterwards. */
export async function inFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "hearsay-test-" });
  try {
    await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A file in memory that gives at most `atOnce` bytes a read, and counts its reads. */
export function fileOf(
  bytes: Uint8Array,
  atOnce = Infinity,
): { file: OpenFile; reads: () => number } {
  let reads = 0;
  const no = () => Promise.reject(new Error("these tests only read"));
  const file: OpenFile = {
    isRegular: true,
    size: () => Promise.resolve(bytes.length),
    read(buffer, at) {
      reads++;
      const part = bytes.subarray(at, at + Math.min(buffer.length, atOnce));
      buffer.set(part);
      return Promise.resolve(part.length);
    },
    ...{ write: no, truncate: no, sync: no, tryLock: no, close: () => {} },
  };
  return { file, reads: () => reads };
}

/** Both ends of a connection on this machine. */
export async function connected(
  network: Network,
  hostname = "127.0.0.1",
): Promise<{ caller: Connection; callee: Connection; [Symbol.dispose](): void }> {
  const listener = network.listen({ hostname, port: 0 });
  const [caller, callee] = await Promise.all([
    network.connect(listener.address, 1_000),
    listener.accept(),
  ]);
  listener.close();
  return {
    caller,
    callee: callee!,
    [Symbol.dispose]() {
      caller.close();
      callee!.close();
    },
  };
}

/** Randomness that gives these words, over and over. */
export function words(...given: readonly number[]): Random {
  let at = 0;
  return {
    bytes(count) {
      const bytes = new Uint8Array(count);
      new DataView(bytes.buffer).setUint32(0, given[at++ % given.length]!);
      return bytes;
    },
  };
}
