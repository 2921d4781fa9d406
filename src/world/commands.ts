import { type Commands, WorldError } from "./world.ts";
import { worldError } from "./world_error.ts";

/** Where programs are looked for that are named without a folder. */
export const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** How much of what a program prints on standard error is kept. */
const MAX_SAID_BYTES = 4_096;
/** How long its standard error is read after it has ended: a program that it started may hold it. */
const REST_MS = 500;

/** Runs a program: see `Commands`. */
export const runCommand: Commands["run"] = async ({ argv, input, timeoutMs }) => {
  const [program, ...args] = argv as [string, ...string[]];
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, {
      // In a group of its own, so that whatever it starts can be killed with it.
      ...{ args, clearEnv: true, env: { PATH }, detached: true },
      ...{ stdin: "piped", stdout: "null", stderr: "piped" },
    }).spawn();
  } catch (error) {
    throw worldError(error);
  }
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    kill(child);
  }, timeoutMs);
  const writing = write(child, input);
  const reader = child.stderr.getReader();
  const reading = readStart(reader);
  try {
    const { code } = await child.status;
    if (isLate) throw new WorldError("timed out", `${program} was killed after ${timeoutMs} ms`);
    return { code, said: await atMost(reading, REST_MS) };
  } finally {
    clearTimeout(timer);
    await reader.cancel().catch(() => {});
    // A program that it started may hold its input, and never read it.
    await atMost(Promise.all([writing, reading]).then(() => ""), REST_MS);
  }
};

function kill(child: Deno.ChildProcess): void {
  for (const end of [() => Deno.kill(-child.pid, "SIGKILL"), () => child.kill("SIGKILL")]) {
    try {
      end();
    } catch {
      // It has just ended, or this process may kill only what it started itself.
    }
  }
}

/** A program need not read its input, and may end before it has read all. */
async function write(child: Deno.ChildProcess, input: Uint8Array<ArrayBuffer>): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(input);
    await writer.close();
  } catch {
    await writer.abort().catch(() => {});
  }
}

/** Reads all of a stream and keeps its start, so that no program waits for its reader. */
async function readStart(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  let kept = new Uint8Array(0);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const room = MAX_SAID_BYTES - kept.length;
      if (room > 0) kept = new Uint8Array([...kept, ...value.subarray(0, room)]);
    }
  } catch {
    // It was cancelled.
  }
  return new TextDecoder().decode(kept);
}

/** What comes of it in this time; otherwise nothing. */
async function atMost(reading: Promise<string>, ms: number): Promise<string> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => timer = setTimeout(() => resolve(""), ms));
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}
