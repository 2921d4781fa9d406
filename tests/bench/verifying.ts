/**
 * Whether verifying in Web Workers could pay: what two of them make of frames that wait, by how many go
 * into one message; and which part its verification is of what an ever-new checkpoint costs a whole
 * daemon, which is all that workers could take off it.
 *
 * @module
 */
import process from "node:process";
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import { Daemon } from "../../src/monitor/daemon.ts";
import { defaultSettings } from "../../src/monitor/settings.ts";
import { SourceUnavailable } from "../../src/sources/source.ts";
import { openFrame } from "../../src/tlog/checkpoint.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import { parseAddress } from "../../src/world/address.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner } from "../../src/world/signer.ts";
import type { Address, World } from "../../src/world/world.ts";
import { median } from "./median.ts";
import { ask, startServer } from "./serving.ts";
import { framesOf, makeLog, type SigningLog } from "./signing_log.ts";

/** Frames in one message to a worker: one, a few, and as many as a callee reads at once. */
export const MESSAGE_FRAMES: readonly number[] = [1, 8, 64, 630];

const WORKERS = 2;
const FRAMES = 1_260;
const ROUNDS = 9;
const DAEMONS = 5;
/** Almost as many as one exchange may bring, and as peers may leave open. */
const TOLD_FRAMES = 1_000;
const FIRST_SIZE = 1_000_000;
const LOOPBACK = "127.0.0.1";
const LONG_MS = 3_600_000;
/** Where nobody answers: the configured peer only calls. */
const DISCARD_PORT = 9;

/** How many times as fast as one thread, over some rounds. */
export interface Speedup {
  readonly ratio: number;
  readonly least: number;
  readonly most: number;
}

/** Two workers with a queue of frames, against this thread with the same; wall time, in turns. */
export async function inWorkers(framesPerMessage: number): Promise<Speedup> {
  const signing = makeLog();
  const log = signing.log.vkey.text;
  const frames = framesOf(signing, FIRST_SIZE, FRAMES);
  const workers = Array.from({ length: WORKERS }, startServer);
  const ratios: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now();
    openHere(signing, frames);
    const middle = performance.now();
    let at = 0;
    await Promise.all(workers.map(async (worker) => {
      while (at < frames.length) {
        const message = frames.slice(at, at += framesPerMessage * FRAME_BYTES);
        const { opened } = await ask<{ opened: Uint8Array }>(worker, {
          ...{ kind: "open", log, frames: message },
        });
        if (opened.includes(0)) throw new Error("a benchmark frame is wrong");
      }
    }));
    // The first round loads the workers' code.
    if (round > 0) ratios.push((middle - start) / (performance.now() - middle));
  }
  for (const worker of workers) worker.terminate();
  return { ratio: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) };
}

function openHere({ log }: SigningLog, frames: Uint8Array): void {
  for (let at = 0; at < frames.length; at += FRAME_BYTES) {
    const opened = openFrame({ frame: frames.subarray(at, at + FRAME_BYTES), logs: [log] });
    if ("refused" in opened) throw new Error(opened.detail);
  }
}

/** CPU that an ever-new checkpoint costs a daemon, in verifications of the same frames. */
export interface DaemonCost {
  /** Of one that is written down as an open question. */
  readonly kept: number;
  /** Of one that finds its room full, and is counted. */
  readonly leftOut: number;
}

/**
 * Tells whole daemons, real but for the log, which is never there, what they have not seen; CPU of this
 * process, which holds the caller as well. The first one is not counted: it compiles everything.
 */
export async function daemonCost(): Promise<DaemonCost> {
  const costs: DaemonCost[] = [];
  for (let run = 0; run <= DAEMONS; run++) {
    const cost = await costOfOne(makeLog());
    if (run > 0) costs.push(cost);
  }
  return {
    kept: median(costs.map(({ kept }) => kept)),
    leftOut: median(costs.map(({ leftOut }) => leftOut)),
  };
}

function cpuOf(work: () => void): number {
  const before = process.cpuUsage();
  work();
  return sum(process.cpuUsage(before));
}

function sum({ user, system }: { user: number; system: number }): number {
  return user + system;
}

/** What a fresh daemon takes to hear a configured peer twice, which fills its room the first time. */
async function costOfOne(signing: SigningLog): Promise<DaemonCost> {
  const world = denoWorld();
  const folder = Deno.makeTempDirSync({ prefix: "hearsay-bench-" });
  const { signer } = await generateSigner({ world, name: "bench.example" });
  const listen = { hostname: LOOPBACK, port: 0 };
  const daemon = await Daemon.start({
    world,
    signer,
    settings: {
      ...{ ...defaultSettings(world), name: "bench.example", listen },
      ...{ state: `${folder}/state`, incidents: `${folder}/incidents` },
      logs: [{ log: signing.log, source: "", pollMs: LONG_MS, patienceMs: LONG_MS }],
      peers: [{ address: { hostname: LOOPBACK, port: DISCARD_PORT } }],
      gossip: { intervalMs: LONG_MS, fanOut: 1 },
    },
    report: { event: () => {}, workFailed: (error) => console.error(error) },
    openSource: () => ({
      latest: () => Promise.reject(new SourceUnavailable("there is no log")),
      consistency: () => Promise.reject(new SourceUnavailable("there is no log")),
    }),
  });
  const running = daemon.run();
  const address = parseAddress(daemon.address!);
  const costs: number[] = [];
  for (const first of [FIRST_SIZE, FIRST_SIZE + TOLD_FRAMES]) {
    const frames = framesOf(signing, first, TOLD_FRAMES);
    const bare = cpuOf(() => openHere(signing, frames));
    const before = process.cpuUsage();
    await tellAll(world, address, frames);
    costs.push(sum(process.cpuUsage(before)) / bare);
  }
  daemon.stop();
  await running;
  Deno.removeSync(folder, { recursive: true });
  const [kept, leftOut] = costs as [number, number];
  return { kept, leftOut };
}

/** One exchange, from its connection to the last answer. */
async function tellAll({ network }: World, address: Address, frames: Uint8Array): Promise<void> {
  const connection = await network.connect(address, DEFAULT_LIMITS.connectMs);
  const sending = connection.write(frames).then(() => connection.closeWrite());
  const buffer = new Uint8Array(frames.length);
  let received = 0;
  for (let count; (count = await connection.read(buffer)) !== undefined;) received += count;
  await sending;
  connection.close();
  if (received !== frames.length) throw new Error(`${received} bytes came back`);
}
