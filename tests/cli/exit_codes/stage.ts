/** Where a command is run for the walk over the exit codes, and what it needs there. */
import type { TestLog } from "../../../src/sources/test_log.ts";
import type { Stream } from "../../../src/cli/terminal.ts";
import type { World } from "../../../src/world/world.ts";
import { keyFile, noteLine, put, run, type Running, start, twoStories } from "../harness.ts";
import { type Daemon, edit, fork, grow, makeLog, makeMonitor, startDaemon } from "../monitors.ts";

/** How a command is run, and what happens meanwhile. */
export interface Way {
  readonly args: readonly string[];
  /** What is waited for before it is asked to end. Without it the command ends by itself. */
  readonly during?: (running: Running) => Promise<unknown>;
  readonly world?: World;
  readonly input?: Uint8Array;
  readonly stdout?: Stream;
  /** The command runs as a process of its own, and gets this while it reads standard input. */
  readonly signal?: Deno.Signal;
}

/** Nobody listens there: no system gives such a port to whoever asks for any. */
export const NOBODY = "127.0.0.1:2";

/** Brings about that a command meets what OPERATING says. */
export type Staging = (stage: Stage) => Promise<Way> | Way;

/** An empty folder, and what has to end with it. */
export class Stage {
  readonly folder = Deno.makeTempDirSync({ prefix: "hearsay-test-" });
  readonly #ends: (() => Promise<unknown> | void)[] = [];

  /** Has something done when the command has ended, the last first. */
  atEnd(end: () => Promise<unknown> | void): void {
    this.#ends.push(end);
  }

  /** Starts a command that runs for as long as the stage stands. */
  background(args: readonly string[]): Running {
    const running = start(args);
    this.atEnd(() => {
      running.stop();
      return running.done;
    });
    return running;
  }

  async strike(): Promise<void> {
    for (const end of this.#ends.toReversed()) await end();
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** Runs a command the way it is staged; its exit code, and what it printed for whoever has to look. */
export async function play(staging: Staging): Promise<{ code: number; said: string }> {
  const stage = new Stage();
  try {
    const { args, during, world, input, stdout, signal } = await staging(stage);
    if (signal !== undefined) return await kill(args, signal);
    const running = start(args, world, [], input, stdout);
    if (during !== undefined) {
      // A command that ends before it was asked to is judged by its code.
      await during(running).catch(() => {});
      running.stop();
    }
    const { code, out, err } = await running.done;
    return { code, said: [...out, ...err].join("\n") };
  } finally {
    await stage.strike();
  }
}

/** More than a pipe holds: once it is written, the program has begun to read. */
const MUCH = new Uint8Array(1 << 20);

async function kill(
  args: readonly string[],
  signal: Deno.Signal,
): Promise<{ code: number; said: string }> {
  const root = new URL("../../../", import.meta.url);
  const child = new Deno.Command("deno", {
    args: ["run", "--no-check", "--frozen", "--no-prompt", "--allow-read", "main.ts", ...args],
    ...{ cwd: root, stdin: "piped", stdout: "piped", stderr: "piped" },
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(MUCH);
  child.kill(signal);
  const { code, stderr } = await child.output();
  await input.close().catch(() => {});
  return { code, said: new TextDecoder().decode(stderr) };
}

/** A log in a folder, and a monitor of it that others may call. */
export async function monitor(
  { folder }: Stage,
  ...more: readonly string[]
): Promise<{ dir: string; log: string; config: string; incidents: string; state: string }> {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  const listen = ["--listen", "127.0.0.1:0"];
  const config = await makeMonitor(`${folder}/one`, { log, source: dir }, ...listen, ...more);
  return { dir, log, config, incidents: `${folder}/one/incidents`, state: `${folder}/one/state` };
}

/** A port that nobody uses now, on this machine. */
export function freeAddress(): string {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return `127.0.0.1:${listener.addr.port}`;
}

/** The vkey of a member that does not run. */
export const MEMBER = "monitor.invalid/two+c3edb97f+Ad9q2Ppsnl1d4xzfbibHwWEYnPAGKpqeKyE9H9f676GU";

/** A monitor with this member, listening where only it does. */
export async function withMember(stage: Stage, ...more: readonly string[]): Promise<string> {
  const { config } = await monitor(stage, "--peer", MEMBER, ...more);
  edit(config, '"listen": "127.0.0.1:0"', `"listen": "${freeAddress()}"`);
  return config;
}

/** A monitor that was shown one history, and is now shown another. */
export async function deceived(stage: Stage): Promise<Awaited<ReturnType<typeof monitor>>> {
  const made = await monitor(stage);
  const other = `${stage.folder}/other`;
  await fork(made.dir, other);
  await grow(made.dir, 1);
  await grow(other, 1);
  await run("run", "--config", made.config, "--once");
  edit(made.config, JSON.stringify(made.dir), JSON.stringify(other));
  return made;
}

/** A monitor that has recorded a case, and so frozen its log; and the name of its incident. */
export async function freezing(
  stage: Stage,
): Promise<Awaited<ReturnType<typeof monitor>> & { incident: string }> {
  const made = await deceived(stage);
  await run("run", "--config", made.config, "--once");
  return { ...made, incident: `INC-${new Date().getUTCFullYear()}-001` };
}

/** Who takes a step, and why. */
export const PERSON = ["--by", "Ada Lovelace", "--why", "it is explained"];

/** Starts a monitor's daemon, which runs for as long as the stage stands. */
export async function startedDaemon(stage: Stage, config: string): Promise<Daemon> {
  const daemon = await startDaemon(config);
  stage.atEnd(() => {
    daemon.running.stop();
    return daemon.running.done;
  });
  return daemon;
}

/** Starts it as well; where it tells its status. */
export async function daemonOf(stage: Stage, config: string): Promise<string> {
  return (await startedDaemon(stage, config)).http;
}

/** Checkpoints of one log, alike or not, as `listen` and `exchange` are given them. */
export async function gathered(
  { folder }: Stage,
): Promise<{ log: string; one: string; other: string; both: string; story: TestLog }> {
  const { a, b, log } = await twoStories({ common: 5, size: 8 });
  return {
    ...{ log, story: a, one: put(folder, "one", await a.checkpoint()) },
    other: put(folder, "other", await b.checkpoint()),
    both: put(folder, "both", [await noteLine(a, 8), await noteLine(b, 8)].join("\n")),
  };
}

/** Answers exchanges with a checkpoint, for as long as the stage stands; its address. */
export async function listening(stage: Stage, log: string, have: string): Promise<string> {
  const args = ["listen", "--address", "127.0.0.1:0", "--log", log, "--have", have];
  return addressOf(await stage.background(args).line(/^listening on /));
}

/** The address in what `listen` says first. */
export function addressOf(line: string): string {
  return line.replace("listening on ", "");
}

/** An incident journal with one case in it; its folder. */
export async function caseJournal(stage: Stage): Promise<string> {
  const { log, both } = await gathered(stage);
  const incidents = `${stage.folder}/incidents`;
  const key = ["--key", await keyFile(stage.folder, "monitor.invalid/recorder")];
  await run("detect", "--log", log, ...key, "--incidents", incidents, both);
  return incidents;
}

/** Changes the first line of a file. */
export function spoil(path: string, change: (line: string) => string): void {
  const [first, ...others] = Deno.readTextFileSync(path).split("\n");
  Deno.writeTextFileSync(path, [change(first!), ...others].join("\n"));
}

/** Makes a journal's first line another than was written. */
export function damage(path: string): void {
  spoil(path, (line) => line.replace('"seq":1', '"seq":2'));
}

/** An observation journal with something in it; its folder. */
export async function observed(stage: Stage): Promise<string> {
  const { config, state } = await monitor(stage);
  await run("run", "--config", config, "--once");
  return state;
}

/** A conflict record that comes with the source. */
export const SAMPLE = Deno.realPathSync(
  new URL("../../../incidents/sample.json", import.meta.url),
);
