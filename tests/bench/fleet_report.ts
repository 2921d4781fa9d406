/**
 * What a fleet of 50 logs and 50 peers costs one daemon, in all and for each of them: three runs of
 * `fleet.ts`, each in a process of its own, one after the other, and what they differ by.
 *
 * @module
 */
import { generateKeyPairSync, sign, verify } from "node:crypto";
import type { FleetCost, FleetSize } from "./fleet.ts";

/**
 * Of a day, how many hours are lived through; the rest is taken to be the same. At 50 peers a whole
 * day is half a million entries written, which no benchmark of two minutes holds; `deno task bench 24`
 * is a whole day.
 */
export const FLEET_HOURS = 1;

/** What a day may write at most, in MB. */
const MOST_JOURNAL_MB = 45;
const MOST_INDEX_MB = 15;

const HOURS_A_DAY = 24;
const SECONDS_A_DAY = 86_400;
const FEW = 10;
const MANY = 50;
const VERIFICATIONS = 2_000;

/** Runs a fleet in a process of its own, so that its memory is its own. */
async function run(size: FleetSize): Promise<FleetCost> {
  const program = new URL("./fleet.ts", import.meta.url).pathname;
  const permissions = ["--no-prompt", "--allow-read", "--allow-write"];
  const { code, stdout } = await new Deno.Command("deno", {
    args: [
      ...["run", "--frozen", "--v8-flags=--expose-gc", ...permissions],
      ...[program, JSON.stringify(size)],
    ],
    stderr: "inherit",
  }).output();
  if (code !== 0) throw new Error(`the run of ${JSON.stringify(size)} ended with ${code}`);
  return JSON.parse(new TextDecoder().decode(stdout)) as FleetCost;
}

/** Seconds that one bare Ed25519 verification takes on this machine now. */
function verificationSeconds(): number {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const message = new Uint8Array(100);
  const signature = sign(null, message, privateKey);
  const start = performance.now();
  for (let i = 0; i < VERIFICATIONS; i++) verify(null, message, publicKey, signature);
  return (performance.now() - start) / 1_000 / VERIFICATIONS;
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

const rounded = (n: number): string => Math.round(n).toLocaleString("en");
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const kilobytes = (bytes: number): string => `${(bytes / 1e3).toFixed(0)} kB`;
const share = (seconds: number): string => `${(seconds / SECONDS_A_DAY * 100).toFixed(4)} %`;

function tell(what: string, figure: string): void {
  console.log(`${what.padEnd(34)}${figure}`);
}

/** Prints what a day writes, beside what it may. */
function tellDisk(what: string, bytes: number, mostMb: number): void {
  const verdict = bytes <= mostMb * 1e6 ? "reached" : "NOT reached";
  tell(what, `${megabytes(bytes)} a day, at most ${mostMb} MB: ${verdict}`);
}

/** Prints what one log, one peer and all of them cost a daemon in a day. */
export async function reportFleet(hours: number): Promise<void> {
  const times = HOURS_A_DAY / hours;
  const few = await run({ logs: FEW, peers: FEW, hours });
  const logs = await run({ logs: MANY, peers: FEW, hours });
  const all = await run({ logs: MANY, peers: MANY, hours });
  const quiet = await run({ logs: FEW, peers: FEW, hours: Math.max(hours, 4), quiet: true });
  const one = (cost: (fleet: FleetCost) => number, kind: "log" | "peer"): number =>
    (kind === "log" ? cost(logs) - cost(few) : cost(all) - cost(logs)) / (MANY - FEW);
  const cpu = ({ cpuSeconds }: FleetCost): number => cpuSeconds * times;
  const heap = ({ heapByHour }: FleetCost): number => heapByHour.at(-1)!;
  const disk = ({ journalBytes, indexBytes }: FleetCost): number =>
    (journalBytes + indexBytes) * times;

  console.log(`\na day of a daemon with ${MANY} logs and ${MANY} peers, from ${hours} h of it:`);
  const judged = all.looks + all.exchanges * MANY;
  const verifications = all.cpuSeconds / judged / verificationSeconds();
  tell("CPU", `${cpu(all).toFixed(0)} s a day, ${share(cpu(all))} of one core`);
  for (const kind of ["log", "peer"] as const) {
    const seconds = one(cpu, kind);
    tell(`CPU, one more ${kind}`, `${seconds.toFixed(2)} s a day, ${share(seconds)} of one core`);
  }
  tell(
    "CPU, a poll or a frame",
    `${rounded(all.cpuSeconds / judged * 1e6)} µs, as ${verifications.toFixed(1)} bare Ed25519 ` +
      `verifications; ${rounded(judged * times)} a day`,
  );
  tell("memory, peak", `${megabytes(all.peakBytes)} in all, simulation included`);
  for (const kind of ["log", "peer"] as const) {
    tell(`memory, one more ${kind}`, `${kilobytes(one(heap, kind))} in use after ${hours} h`);
  }
  tell(
    "memory, nothing new",
    `${quiet.heapByHour.map(megabytes).join(", ")} in use, ` +
      `${quiet.timersByHour.join(", ")} timers, hour by hour with ${FEW} logs that stand`,
  );
  tellDisk("journal on disk", all.journalBytes * times, MOST_JOURNAL_MB);
  tellDisk("index on disk", all.indexBytes * times, MOST_INDEX_MB);
  for (const kind of ["log", "peer"] as const) {
    tell(`state on disk, one more ${kind}`, `${kilobytes(one(disk, kind))} a day`);
  }
  const entries = sumOf(all.entries);
  tell(
    "state on disk, one entry",
    `${rounded(all.journalBytes / entries)} bytes, ` +
      `${
        (all.journalBytes / entries / (all.notes.bytes / all.notes.count)).toFixed(1)
      } times its ` +
      `note; ${rounded(entries * times)} entries a day for ${rounded(judged * times)} judged`,
  );
  const kinds = Object.entries(all.entries).sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${kind} ${rounded(count * times)}`);
  tell("entries a day", kinds.join(", "));
  tell(
    "compressed",
    `${hours} h in ${all.wallSeconds.toFixed(0)} s, ` +
      `${rounded(hours * 3_600 / all.wallSeconds)} times as fast`,
  );
  const trouble = [few, logs, all, quiet].flatMap((fleet) => fleet.trouble);
  if (trouble.length > 0) throw new Error(`what must not happen happened:\n${trouble.join("\n")}`);
}

if (import.meta.main) await reportFleet(Number(Deno.args[0] ?? FLEET_HOURS));
