/**
 * `deno task bench-witness [TURNS]`: how many checkpoints a witness answers in a second, ours beside
 * litewitness and omniwitness, on one machine in one run: one client and eight, each with a log of its
 * own that grows by one. The witnesses take short turns, so that whatever else the machine does falls
 * on all of them, in another order each time. A ratio is the median of the ratios of turns that were
 * taken one soon after the other. What is to hold is the ratio to the best durable one. Ours runs a
 * second time with a list of 40,000 logs; of both the memory is told.
 */
import { makeVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { PushingLog } from "../authority/pushing_log.ts";
import { put, run } from "../cli/harness.ts";
import { shell } from "../interop/go.ts";
import { freePort, Process } from "../interop/processes.ts";
import {
  LITEWITNESS,
  OMNIWITNESS,
  type RunningWitness,
  startLitewitness,
  startOmniwitness,
} from "../interop/witnesses.ts";
import { signing } from "../sim/signing.ts";
import { median } from "./median.ts";
import { RawClient } from "./raw_client.ts";

/** Turns of each witness, and one before them that does not count. */
const TURNS = 24;
const TURN_MS = 250;
/** Requests that are made before anything is sent, of the log of one client and of each of eight. */
const REQUESTS = { 1: 20_000, 8: 7_000 } as const;
const LISTED_LOGS = 40_000;
/** The goals: times the best durable one of the others. */
const GOALS = { 1: 1.5, 8: 3 } as const;
const MEMORY_GOAL_MB = 150;

type Clients = keyof typeof REQUESTS;
const CLIENTS: readonly Clients[] = [1, 8];

/** The requests of one log, in order; each witness goes through them by itself. */
interface Pushing {
  readonly log: PushingLog;
  readonly requests: readonly Uint8Array[];
}

/** A witness that is measured. */
interface Measured {
  readonly name: string;
  readonly isDurable: boolean;
  readonly witness: RunningWitness;
  /** How many requests of each log it has answered. */
  readonly answered: Map<Pushing, number>;
  readonly rates: Record<Clients, number[]>;
  /** In MB, after the start and after the load. */
  readonly memory: number[];
}

async function pushingLogs(clients: Clients): Promise<Pushing[]> {
  return await Promise.all(Array.from({ length: clients }, async (_, i) => {
    const log = await PushingLog.named(`load.invalid/${clients}/${i}`);
    const requests: Uint8Array[] = [];
    for (let old = 0n; old < REQUESTS[clients]; old++) {
      const body = await log.request({ old, size: old + 1n });
      requests.push(RawClient.request("/add-checkpoint", body));
    }
    return { log, requests };
  }));
}

/** Lets each log push for TURN_MS. @returns how many answers came in a second */
async function turn(
  { name, witness, answered }: Measured,
  logs: readonly Pushing[],
): Promise<number> {
  const port = Number(new URL(witness.url).port);
  const clients = await Promise.all(logs.map(() => RawClient.connect(port)));
  const began = performance.now();
  const until = began + TURN_MS;
  const counts = await Promise.all(logs.map(async (log, i) => {
    const first = answered.get(log) ?? 0;
    let at = first;
    while (performance.now() < until) {
      const request = log.requests[at];
      if (request === undefined) break;
      const status = await clients[i]!.post(request);
      // omniwitness answers so when SQLite is busy. It is asked again, and that counts for nothing.
      if (status === 429) continue;
      if (status !== 200) throw new Error(`${name} answers ${status} at size ${at}`);
      at++;
    }
    answered.set(log, at);
    return at - first;
  }));
  const took = (performance.now() - began) / 1_000;
  for (const client of clients) client.close();
  return counts.reduce((a, b) => a + b, 0) / took;
}

/** Starts our witness as a process of its own, as an operator does. */
async function startOurs(
  { folder, logs, list }: { folder: string; logs: readonly PushingLog[]; list?: string },
): Promise<RunningWitness> {
  Deno.mkdirSync(folder);
  const port = freePort();
  const made = await run(
    ...[
      "init",
      "--dir",
      folder,
      "--name",
      "monitor.invalid/ber",
      "--http",
      `127.0.0.1:${freePort()}`,
    ],
    ...logs.flatMap(({ log }) => ["--log", log.vkey.text]),
    ...["--witness", "witness.invalid/ber", "--witness-http", `127.0.0.1:${port}`],
    ...(list === undefined ? [] : ["--list", list]),
  );
  const config = `${folder}/hearsay.jsonc`;
  // The limits are no subject here.
  const text = Deno.readTextFileSync(config)
    .replace(
      '"key": "witness.key",',
      '"key": "witness.key", "perSecond": 1000000, "perSecondPerLog": 1000000,',
    );
  put(folder, "hearsay.jsonc", text);
  const main = new URL("../../main.ts", import.meta.url).pathname;
  const process = Process.start([
    ...[Deno.execPath(), "run", "--frozen", "--no-prompt", "--allow-net", "--allow-read"],
    ...["--allow-write", main, "run", "--config", config],
  ], folder);
  await process.printed(/ witness\.serving /);
  return {
    ...{ url: `http://127.0.0.1:${port}`, vkeys: [made.out[1]!], pids: [process.pid] },
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** A list of so many logs, whose keys are all different. */
async function listOf(logs: number): Promise<string> {
  const lines = ["logs/v0"];
  const seed = new Uint8Array(32);
  for (let i = 0; i < logs; i++) {
    new DataView(seed.buffer).setUint32(0, i + 1);
    const publicKey = await signing.publicKey(seed);
    const name = `listed.example.com/logs/${i}`;
    const { text } = makeVkey({ name, type: SIGNATURE_TYPE.ed25519, publicKey });
    lines.push(`vkey ${text}`, "qpd 86400", "contact somebody@example.com");
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** The resident memory of the witness itself, in MB: of the children of `timeout`. */
async function memoryOf({ pids }: RunningWitness): Promise<number> {
  const { out } = await shell('ps -o rss= --ppid "$1"', `${pids[0]}`);
  return out.trim().split(/\s+/).reduce((sum, kB) => sum + Number(kB), 0) / 1024;
}

/**
 * In which order the witnesses take a round of turns. What one leaves to the disk falls on the next, so
 * each follows each of the others equally often: the step from one to the next changes, and so does who
 * is first. A step that leaves somebody out is passed over.
 */
function inOrder<T>(all: readonly T[], round: number): T[] {
  const steps = all.map((_, i) => i).filter((step) => greatestDivisor(step, all.length) === 1);
  const step = steps[round % steps.length] ?? 0;
  return all.map((_, i) => all[(round + i * step) % all.length]!);
}

function greatestDivisor(a: number, b: number): number {
  return a === 0 ? b : greatestDivisor(b % a, a);
}

/** The median of the ratios of the turns of one round. */
function ratio(ours: Measured, other: Measured, clients: Clients): number {
  const theirs = other.rates[clients];
  return median(ours.rates[clients].slice(0, theirs.length).map((rate, i) => rate / theirs[i]!));
}

function told(ratio: number): string {
  return `${ratio.toFixed(2)} x`;
}

async function main(turns: number): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "hearsay-bench-" });
  await using running = new AsyncDisposableStack();
  running.defer(() => Deno.removeSync(folder, { recursive: true }));
  const all: Record<Clients, Pushing[]> = { 1: await pushingLogs(1), 8: await pushingLogs(8) };
  const logs = CLIENTS.flatMap((clients) => all[clients].map(({ log }) => log));
  const measured: Measured[] = [];
  const add = async (name: string, isDurable: boolean, started: Promise<RunningWitness>) => {
    const witness = running.use(await started);
    const memory = [await memoryOf(witness)];
    const rates = { 1: [], 8: [] };
    measured.push({ name, isDurable, witness, memory, rates, answered: new Map() });
  };
  await add("ours", true, startOurs({ folder: `${folder}/ours`, logs }));
  const list = put(folder, "list", await listOf(LISTED_LOGS));
  await add(
    `ours, ${LISTED_LOGS} logs listed`,
    true,
    startOurs({ folder: `${folder}/listed`, logs, list }),
  );
  const followed = logs.map(({ log }) => log);
  if ("absent" in LITEWITNESS) console.log(`litewitness is left out: ${LITEWITNESS.absent}`);
  else {
    const { programs } = LITEWITNESS;
    Deno.mkdirSync(`${folder}/lite`);
    const given = { programs, folder: `${folder}/lite`, logs: followed };
    await add("litewitness", true, startLitewitness(given));
  }
  if ("absent" in OMNIWITNESS) console.log(`omniwitness is left out: ${OMNIWITNESS.absent}`);
  else {
    for (const isDurable of [true, false]) {
      const name = `omniwitness, ${isDurable ? "SQLite" : "in memory"}`;
      const own = `${folder}/omni${isDurable ? "-durable" : ""}`;
      Deno.mkdirSync(own);
      const { program } = OMNIWITNESS;
      const given = { program, folder: own, logs: followed, isDurable, isMlDsa: false };
      await add(name, isDurable, startOmniwitness(given));
    }
  }
  for (let i = 0; i <= turns; i++) {
    for (const clients of CLIENTS) {
      for (const one of inOrder(measured, i)) {
        // Who has answered all that was made has been measured long enough.
        const isOver = all[clients].some((log) => one.answered.get(log) === REQUESTS[clients]);
        if (isOver) continue;
        const rate = await turn(one, all[clients]);
        if (i > 0) one.rates[clients].push(rate);
      }
    }
  }
  for (const one of measured) one.memory.push(await memoryOf(one.witness));
  report(measured);
}

function report(measured: readonly Measured[]): void {
  const [ours, listed, ...others] = measured as [Measured, Measured, ...Measured[]];
  for (const { name, rates, memory } of measured) {
    const rateOf = CLIENTS.map((clients) =>
      `${clients} client(s): ${median(rates[clients]).toFixed(0)} a second`
    );
    const [start, loaded] = memory.map((MB) => MB.toFixed(0));
    console.log(`${name}: ${rateOf.join("; ")}; ${start} MB, ${loaded} MB under load`);
  }
  for (const clients of CLIENTS) {
    for (const other of others) {
      const durable = other.isDurable ? "" : " (not durable)";
      const times = told(ratio(ours, other, clients));
      console.log(`${clients} client(s), ours to ${other.name}${durable}: ${times}`);
    }
    const durable = others.filter(({ isDurable }) => isDurable);
    if (durable.length > 0) {
      const least = Math.min(...durable.map((other) => ratio(ours, other, clients)));
      console.log(
        `${clients} client(s), ours to the best durable one: ${told(least)} ` +
          `(goal ${GOALS[clients]} x)`,
      );
    }
    const more = told(ratio(listed, ours, clients));
    console.log(`${clients} client(s), with ${LISTED_LOGS} logs listed to without: ${more}`);
  }
  const most = Math.max(...listed.memory);
  console.log(`memory with ${LISTED_LOGS} logs: ${most.toFixed(0)} MB (goal ${MEMORY_GOAL_MB} MB)`);
}

if (import.meta.main) await main(Number(Deno.args[0] ?? TURNS));
