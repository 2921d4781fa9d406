/**
 * `deno task bench`: what the exchange, the detector and the journal cost, as ratios to bare Deno
 * doing the least possible, measured in the same run. Absolute numbers differ between machines and
 * from hour to hour; the ratios are what is to hold. Then what a day of 50 logs and 50 peers costs.
 *
 *     deno task bench [HOURS]    of that day, how many hours are lived through
 */
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { Journal } from "../../src/store/journal.ts";
import { openCheckpoint, openFrame } from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { FLEET_HOURS, reportFleet } from "./fleet_report.ts";
import { BundleFolder, GatheredHeads, type Rates } from "./gathering.ts";
import { type HashingRates, proofRates, tileRates } from "./hashing.ts";
import { median } from "./median.ts";
import { mirrorRates, type MirrorRound } from "./mirroring.ts";
import type { Job } from "./server.ts";
import { ask, startServer } from "./serving.ts";
import { bytesAtRest, cellRates, handshakeRates, sessionRates } from "./sessions.ts";
import { framesOf, makeLog, type SigningLog } from "./signing_log.ts";
import { daemonCost, inWorkers, MESSAGE_FRAMES } from "./verifying.ts";

/** Runs of each measurement; the median counts, and the baseline alternates with what is measured. */
const ROUNDS = 5;
const PIPELINED_FRAMES = 1_000_000;
const SEQUENTIAL_FRAMES = 10_000;
const NEW_FRAMES = 2_000;
const NEW_ROUNDS = 41;
const HEAD_ROUNDS = 25;
const CONNECTIONS = 500;
const CONNECTIONS_AT_ONCE = 8;
const CONNECTION_ROUNDS = 15;
const SESSION_ROUNDS = 25;
const APPENDS = 2_000;
const CHUNK_BYTES = FRAME_BYTES * 630;

/** Sends `chunk` over and over while reading what comes back; frames a second. */
async function pipelined(port: number, chunk: Uint8Array, frames: number): Promise<number> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const total = frames * FRAME_BYTES;
  const start = performance.now();
  const sending = (async () => {
    for (let sent = 0; sent < total;) {
      const at = sent % chunk.length;
      sent += await connection.write(chunk.subarray(at, Math.min(chunk.length, at + total - sent)));
    }
    await connection.closeWrite();
  })();
  const buffer = new Uint8Array(CHUNK_BYTES);
  let received = 0;
  for (let count; (count = await connection.read(buffer)) !== null;) received += count;
  await sending;
  const ms = performance.now() - start;
  connection.close();
  if (received !== total) throw new Error(`${received} bytes came back, expected ${total}`);
  return frames / ms * 1000;
}

/** One frame at a time, each waiting for its answer; frames a second. */
async function sequential(port: number, frame: Uint8Array, frames: number): Promise<number> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const buffer = new Uint8Array(FRAME_BYTES);
  const start = performance.now();
  for (let i = 0; i < frames; i++) {
    await connection.write(frame);
    for (let filled = 0; filled < FRAME_BYTES;) {
      const count = await connection.read(buffer.subarray(filled));
      if (count === null) throw new Error("the server closed the connection");
      filled += count;
    }
  }
  const ms = performance.now() - start;
  connection.close();
  return frames / ms * 1000;
}

/** One frame on a new connection each, as a caller does it; exchanges a second. */
async function connecting(port: number, frame: Uint8Array): Promise<number> {
  let left = CONNECTIONS;
  const start = performance.now();
  const one = async (): Promise<void> => {
    const buffer = new Uint8Array(2 * FRAME_BYTES);
    while (left-- > 0) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      await connection.write(frame);
      await connection.closeWrite();
      let received = 0;
      for (let count; (count = await connection.read(buffer)) !== null;) received += count;
      connection.close();
      if (received !== FRAME_BYTES) throw new Error(`${received} bytes came back`);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS_AT_ONCE }, one));
  return CONNECTIONS / (performance.now() - start) * 1000;
}

/** Exchanges on a new connection each, against a bare server that accepts, echoes and closes. */
async function benchConnections({ port, frame }: {
  port: number;
  frame: Uint8Array;
}): Promise<void> {
  const echo = startServer();
  const { port: echoPort } = await ask<{ port: number }>(echo, { kind: "echo once" });
  const rates: number[] = [];
  const baselines: number[] = [];
  for (const each of [echoPort, port]) await connecting(each, frame);
  // Short turns, many of them: what else the machine does then hits both alike.
  for (let round = 0; round < CONNECTION_ROUNDS; round++) {
    baselines.push(await connecting(echoPort, frame));
    rates.push(await connecting(port, frame));
  }
  echo.terminate();
  tell("exchanges, a connection each", { rates, baselines, atLeast: 0.7, unit: "exchanges/s" });
}

const missed: string[] = [];

/**
 * Prints a figure, its baseline and their ratio: of rounds in which the two took turns, the median of
 * the rounds' ratios, and how far they reach; `atLeast` is what is to be reached.
 */
function tell(
  what: string,
  { rates, baselines, atLeast, unit = "frames/s" }: {
    rates: readonly number[];
    baselines: readonly number[];
    atLeast: number;
    unit?: string;
  },
): void {
  const ratios = rates.map((rate, i) => rate / baselines[i]!);
  const ratio = median(ratios);
  const verdict = ratio >= atLeast ? "reached" : "NOT reached";
  if (ratio < atLeast) missed.push(what);
  const count = (all: readonly number[]): string =>
    Math.round(median(all)).toLocaleString("en").padStart(11);
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`;
  console.log(
    `${what.padEnd(34)}${count(rates)} ${unit}, baseline${count(baselines)}; ` +
      `ratio ${ratio.toFixed(2)}${rates.length > 1 ? ` (${range})` : ""}, ` +
      `to reach ${atLeast.toFixed(2)}: ${verdict}`,
  );
}

async function benchExchange(): Promise<void> {
  const signing = makeLog();
  const notation = signing.log.vkey.text;
  const repeated = signing.frame(1000n);
  const chunk = new Uint8Array(CHUNK_BYTES);
  for (let at = 0; at < CHUNK_BYTES; at += FRAME_BYTES) chunk.set(repeated, at);
  const echo = startServer();
  const callee = startServer();
  const { port: echoPort } = await ask<{ port: number }>(echo, { kind: "echo" });
  const job: Job = { kind: "callee", log: notation, note: signing.note(1000n) };
  const { port: calleePort } = await ask<{ port: number }>(callee, job);

  const runs = { echoPipe: [], calleePipe: [], echoOne: [], calleeOne: [] } as Record<
    string,
    number[]
  >;
  for (const port of [echoPort, calleePort]) await pipelined(port, chunk, PIPELINED_FRAMES / 10);
  for (let round = 0; round < ROUNDS; round++) {
    runs.echoPipe!.push(await pipelined(echoPort, chunk, PIPELINED_FRAMES));
    runs.calleePipe!.push(await pipelined(calleePort, chunk, PIPELINED_FRAMES));
    runs.echoOne!.push(await sequential(echoPort, repeated, SEQUENTIAL_FRAMES));
    runs.calleeOne!.push(await sequential(calleePort, repeated, SEQUENTIAL_FRAMES));
  }
  tell("repeated checkpoint, pipelined", {
    rates: runs.calleePipe!,
    baselines: runs.echoPipe!,
    atLeast: 0.5,
  });
  tell("repeated checkpoint, sequential", {
    rates: runs.calleeOne!,
    baselines: runs.echoOne!,
    atLeast: 0.85,
  });
  await benchConnections({ port: calleePort, frame: repeated });
  await benchNew({ worker: callee, port: calleePort, signing });
  echo.terminate();
  callee.terminate();
}

/** Ever-new checkpoints; a round's frames are new to the callee, which remembers the earlier ones. */
async function benchNew({ worker, port, signing }: {
  worker: Worker;
  port: number;
  signing: SigningLog;
}): Promise<void> {
  const log = signing.log.vkey.text;
  const rates: number[] = [];
  const baselines: number[] = [];
  for (let round = 0; round < NEW_ROUNDS; round++) {
    const frames = framesOf(signing, 1_000_000 + round * NEW_FRAMES, NEW_FRAMES);
    const { ms } = await ask<{ ms: number }>(worker, { kind: "verify", log, frames });
    baselines.push(NEW_FRAMES / ms * 1000);
    rates.push(await pipelined(port, frames, NEW_FRAMES));
  }
  tell("ever-new checkpoints", { rates, baselines, atLeast: 0.9 });
}

/** What verifying in Web Workers could bring: figures for the decision in ARCHITECTURE, no goals. */
async function benchWorkers(): Promise<void> {
  for (const frames of MESSAGE_FRAMES) {
    const { ratio, least, most } = await inWorkers(frames);
    console.log(
      `${`two workers, ${frames} a message`.padEnd(34)}${ratio.toFixed(2)} times one thread ` +
        `(${least.toFixed(2)} to ${most.toFixed(2)})`,
    );
  }
  const { kept, leftOut } = await daemonCost();
  for (const [what, cost] of [["kept", kept], ["left out", leftOut]] as const) {
    console.log(
      `${`ever-new, a daemon, ${what}`.padEnd(34)}CPU as ${cost.toFixed(1)} bare ` +
        `verifications: without its own at most ${(cost / (cost - 1)).toFixed(2)} times as fast`,
    );
  }
}

/** `observe` must not slow down with what has been seen; the baseline is a bare Map. */
function benchObserve(): void {
  const { log, frame } = makeLog();
  // The detector's own cost is measured, so these checkpoints cost no signatures.
  const trusting = { ...log, verifies: () => true };
  const template = frame(1n);
  for (const sizes of [1_000, 10_000, 100_000, 1_000_000]) {
    const checkpoints = Array.from({ length: sizes }, (_, i) => {
      const bytes = template.slice();
      new DataView(bytes.buffer).setBigUint64(0, BigInt(i + 1));
      const opened = openFrame({ frame: bytes, logs: [trusting] });
      if ("refused" in opened) throw new Error(opened.detail);
      return opened;
    });
    const bare = new Map<bigint, unknown>();
    let start = performance.now();
    for (const checkpoint of checkpoints) {
      if (!bare.has(checkpoint.treeSize)) bare.set(checkpoint.treeSize, checkpoint);
    }
    const bareMs = performance.now() - start;
    const detector = new EquivocationDetector();
    start = performance.now();
    for (const checkpoint of checkpoints) detector.observe(checkpoint, "bench");
    const ms = performance.now() - start;
    const each = (all: number): string => `${Math.round(all / sizes * 1e6)} ns`.padStart(8);
    console.log(
      `observe, ${sizes.toLocaleString("en").padStart(9)} sizes        ${each(ms)} each, ` +
        `bare Map ${each(bareMs)}; ratio ${(bareMs / ms).toFixed(2)}`,
    );
  }
}

async function benchJournal(): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "hearsay-bench-" });
  const { log, note } = makeLog();
  const opened = openCheckpoint({ note: note(7n), logs: [log] });
  if ("refused" in opened) throw new Error(opened.detail);
  const record = { version: "bench", checkpoint_a: note(7n), checkpoint_b: note(8n) };
  const at = new Date().toISOString();
  const journal = await Journal.open({ files: denoWorld().files, folder });
  const bare = await Deno.open(`${folder}/bare`, { create: true, append: true });
  const entry = await journal.append(record, at);
  const line = new Uint8Array(utf8(JSON.stringify(entry)).length + 1).fill(0x20);
  // The disk's mood changes by the second, so the two take turns append by append.
  let ms = 0;
  let bareMs = 0;
  for (let i = 0; i < APPENDS; i++) {
    let start = performance.now();
    await journal.append(record, at);
    ms += performance.now() - start;
    start = performance.now();
    await bare.write(line);
    await bare.sync();
    bareMs += performance.now() - start;
  }
  await journal.close();
  bare.close();
  Deno.removeSync(folder, { recursive: true });
  const rates = [APPENDS / ms * 1000];
  const baselines = [APPENDS / bareMs * 1000];
  tell("journal appends", { rates, baselines, atLeast: 0.7, unit: "appends/s" });
}

/** Against one call of the platform's hash for each node; the first round warms both up. */
function benchHashing(): void {
  const inRounds = (
    measure: () => HashingRates,
  ): { rates: readonly number[]; baselines: readonly number[] } => {
    measure();
    const rounds = Array.from({ length: ROUNDS }, measure);
    return {
      rates: rounds.map(({ rate }) => rate),
      baselines: rounds.map(({ baseline }) => baseline),
    };
  };
  tell("consistency proofs", { ...inRounds(proofRates), atLeast: 2, unit: "proofs/s" });
  tell("whole tiles to their root", { ...inRounds(tileRates), atLeast: 3, unit: "tiles/s" });
}

/** What `gather` and `detect` make of files, against the least that must be done with them. */
async function benchGathering(): Promise<void> {
  const folder = new BundleFolder();
  const heads = new GatheredHeads();
  const inRounds = async (round: () => Promise<Rates>, times = ROUNDS) => {
    await round();
    const rounds: Rates[] = [];
    for (let i = 0; i < times; i++) rounds.push(await round());
    return {
      rates: rounds.map(({ rate }) => rate),
      baselines: rounds.map(({ baseline }) => baseline),
    };
  };
  const gathered = await inRounds(() => folder.round());
  tell("bundles gathered", { ...gathered, atLeast: 0.5, unit: "files/s" });
  const judged = await inRounds(() => heads.round(), HEAD_ROUNDS);
  tell("gathered heads judged", { ...judged, atLeast: 0.8, unit: "verdicts/s" });
  folder.remove();
  heads.remove();
}

/** What members cost each other: see sessions.ts. */
/** A mirrored journal beside the slower of a bare download and bare hashing. */
async function benchMirrors(): Promise<void> {
  const { whole, increments } = await mirrorRates();
  const slower = ({ downloaded, hashed }: MirrorRound): number => Math.min(downloaded, hashed);
  for (const [what, rounds] of [["from nothing", whole], ["by increments", increments]] as const) {
    tell(`a journal mirrored ${what}`, {
      rates: rounds.map(({ mirrored }) => mirrored),
      ...{ baselines: rounds.map(slower), atLeast: 0.5, unit: "entries/s" },
    });
  }
}

async function benchSessions(): Promise<void> {
  const inRounds = async (round: () => Promise<Rates>) => {
    await round();
    const rounds: Rates[] = [];
    for (let i = 0; i < SESSION_ROUNDS; i++) rounds.push(await round());
    return {
      rates: rounds.map(({ rate }) => rate),
      baselines: rounds.map(({ baseline }) => baseline),
    };
  };
  const handshakes = await inRounds(() => Promise.resolve(handshakeRates()));
  tell("Noise handshakes", { ...handshakes, atLeast: 0.6, unit: "handshakes/s" });
  const { rates, baselines } = await inRounds(sessionRates);
  const begun = median(rates.map((rate, i) => rate / baselines[i]!)).toFixed(2);
  console.log(
    `${"sessions begun, with proofs".padEnd(34)}${begun} of bare X25519 and Ed25519 ` +
      `(${Math.round(median(rates)).toLocaleString("en")} sessions/s)`,
  );
  tell("cells through a session", { ...await inRounds(cellRates), atLeast: 0.7, unit: "cells/s" });
  const bytes = (await bytesAtRest()).toLocaleString("en");
  console.log(`${"a session at rest".padEnd(34)}${bytes} bytes an hour, both ways together`);
}

benchHashing();
await benchSessions();
await benchGathering();
await benchJournal();
await benchMirrors();
await benchExchange();
await benchWorkers();
benchObserve();
await reportFleet(Number(Deno.args[0] ?? FLEET_HOURS));
if (missed.length > 0) console.log(`\nnot reached: ${missed.join(", ")}`);
