/** Test logs and monitors made with the commands, as an operator makes them. */
import { assertEquals } from "@std/assert";
import type { World } from "../../src/world/world.ts";
import { run, type Running, start } from "./harness.ts";

/** The quickest a daemon may work. */
export const QUICK = ["--poll", "100ms", "--gossip", "100ms"];

/** A test log with this many entries: its folder and LOG. */
export async function makeLog(dir: string, size: number): Promise<{ dir: string; log: string }> {
  const { code, out, err } = await run("log", "init", dir, "--origin", "test.invalid/log");
  assertEquals(code, 0, err.join("\n"));
  if (size > 0) await grow(dir, size);
  return { dir, log: out[0]! };
}

/** Appends made-up entries. */
export async function grow(dir: string, count: number): Promise<void> {
  const { code, err } = await run("log", "append", dir, "--count", `${count}`);
  assertEquals(code, 0, err.join("\n"));
}

/** A second history of a log. */
export async function fork(dir: string, other: string): Promise<void> {
  assertEquals((await run("log", "fork", dir, other)).code, 0);
}

/** A monitor that `init` made in `DIR`: its configuration's path. */
export async function makeMonitor(
  dir: string,
  { log, source }: { log: string; source: string },
  ...more: readonly string[]
): Promise<string> {
  const name = `monitor.invalid/${dir.split("/").at(-1)}`;
  const { code, err } = await run(
    ...["init", "--dir", dir, "--name", name, "--log", log, "--source", source],
    ...["--http", "127.0.0.1:0", ...QUICK, ...more],
  );
  assertEquals(code, 0, err.join("\n"));
  return `${dir}/hearsay.jsonc`;
}

/** Changes a configuration as an editor would. */
export function edit(config: string, from: string | RegExp, to: string): void {
  const text = Deno.readTextFileSync(config);
  const edited = text.replace(from, to);
  assertEquals(edited === text, false, `${from} is not in ${config}`);
  Deno.writeTextFileSync(config, edited);
}

/** A running daemon and where it is found. */
export interface Daemon {
  readonly running: Running;
  /** Where it tells its status. */
  readonly http: string;
  /** Where it answers exchanges, or `nowhere`. */
  readonly listen: string;
}

/** Starts a daemon, and waits until it can be asked. */
export async function startDaemon(config: string, world?: World): Promise<Daemon> {
  const running = start(["run", "--config", config, "--verbose"], world);
  const [serving, started] = await Promise.all([
    running.line(/ status\.serving /),
    running.line(/ daemon\.started /),
  ]);
  return {
    running,
    http: /address=(\S+)/.exec(serving)![1]!,
    listen: /listen=(\S+)/.exec(started)![1]!,
  };
}

/** Lets a daemon that only answers compare something: calls it with the checkpoint of a log's folder. */
export async function compareWith(
  { listen }: Daemon,
  { log, dir }: { log: string; dir: string },
): Promise<void> {
  const { code, err } = await run("exchange", listen, "--log", log, "--have", `${dir}/checkpoint`);
  assertEquals(code, 0, err.join("\n"));
}

/** The incidents of a monitor: their evidence ids. */
export async function evidenceOf(dir: string): Promise<string[]> {
  const { out } = await run("incidents", "list", "--json", "--incidents", `${dir}/incidents`);
  return out.map((line) => JSON.parse(line).record.evidence_id as string | undefined)
    .filter((id) => id !== undefined);
}
