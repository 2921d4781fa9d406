/**
 * What it costs to mirror a journal, beside a bare download of the same bytes and the bare hashing of
 * its lines. What is mirrored is durable, proven and filed as tiles; the two baselines are not.
 *
 *     deno run -A tests/bench/mirroring.ts [ENTRIES]
 *
 * @module
 */
import { Mirror } from "../../src/federation/mirror.ts";
import { HttpPublisher } from "../../src/federation/publisher.ts";
import { MAX_RECORDS_BYTES } from "../../src/federation/wire.ts";
import { leafHash, sha256 } from "../../src/tlog/hashing.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { parseVkey } from "../../src/tlog/vkey.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { NO_CONTACT } from "../../src/world/http_client.ts";
import type { JournalJob, PublishedJournal } from "./journal_server.ts";
import { median } from "./median.ts";

/** Entries of the journal that is mirrored from nothing. */
export const MIRRORED_ENTRIES = 100_000;
const INCREMENTS = 20;
const INCREMENT_ENTRIES = 1_000;
const ROUNDS = 3;
const NEWLINE = 0x0a;
/** Of a line, which its own hash does not cover. */
const HASH_MEMBER_BYTES = 74;

/** Rates of one round, in entries a second. */
export interface MirrorRound {
  readonly entries: number;
  readonly bytes: number;
  readonly mirrored: number;
  readonly downloaded: number;
  readonly hashed: number;
}

/** The ratio of a round: to the slower of the two baselines. */
export function ratioOf({ mirrored, downloaded, hashed }: MirrorRound): number {
  return mirrored / Math.min(downloaded, hashed);
}

function ask<T>(worker: Worker, job: JournalJob): Promise<T> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data as T);
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(job);
  });
}

/** Downloads bytes of the journal, in ranges as large as those of the mirror. */
async function download(
  bare: string,
  { from, to }: { from: number; to: number },
): Promise<Uint8Array> {
  const all = new Uint8Array(to - from);
  for (let at = from; at < to; at += MAX_RECORDS_BYTES) {
    const response = await fetch(`${bare}?${at}-${Math.min(at + MAX_RECORDS_BYTES, to)}`);
    all.set(new Uint8Array(await response.arrayBuffer()), at - from);
  }
  return all;
}

/**
 * The hashing that nobody can do without who checks a journal: the hash of each entry, which chains it,
 * and the hash of each leaf, with the root over them.
 */
function hashLines(tree: Tree, bytes: Uint8Array): void {
  for (let from = 0, end; (end = bytes.indexOf(NEWLINE, from)) >= 0; from = end + 1) {
    sha256(bytes.subarray(from + HASH_MEMBER_BYTES, end));
    tree.append(leafHash(bytes.subarray(from, end)));
  }
  tree.root();
}

async function timed<T>(work: () => Promise<T> | T): Promise<{ ms: number; value: T }> {
  const start = performance.now();
  const value = await work();
  return { ms: performance.now() - start, value };
}

/** Mirrors a journal from nothing in several rounds, then by increments. */
export async function mirrorRates(
  entries = MIRRORED_ENTRIES,
): Promise<{ whole: MirrorRound[]; increments: MirrorRound[] }> {
  const folder = await Deno.makeTempDir({ prefix: "hearsay-bench-" });
  const worker = new Worker(new URL("./journal_server.ts", import.meta.url), { type: "module" });
  try {
    await Deno.mkdir(`${folder}/published`);
    const published = await ask<PublishedJournal>(worker, {
      ...{ kind: "publish", folder: `${folder}/published`, entries },
    });
    const world = denoWorld();
    const vkey = parseVkey(published.vkey);
    const publisher = new HttpPublisher({ world, base: published.url, contact: NO_CONTACT, vkey });
    const party = {
      shown: () => Promise.resolve(),
      began: () => Promise.resolve(),
      damaged: () => {},
    };
    let end = (await Deno.stat(`${folder}/published/journal.jsonl`)).size;
    let mirror!: Mirror;
    const round = async (from: number, count: number): Promise<MirrorRound> => {
      const { ms: downloadMs, value: bytes } = await timed(() =>
        download(published.bare, { from, to: end })
      );
      const { ms: hashMs } = await timed(() => hashLines(new Tree(), bytes));
      const { ms, value: { outcome, received, error } } = await timed(() => mirror.sync(publisher));
      if (outcome !== "synced" || Number(received) !== count) throw new Error(error ?? outcome);
      const rate = (ms: number): number => count / ms * 1000;
      return {
        ...{ entries: count, bytes: end - from },
        ...{ mirrored: rate(ms), downloaded: rate(downloadMs), hashed: rate(hashMs) },
      };
    };
    const whole: MirrorRound[] = [];
    for (let i = 0; i < ROUNDS; i++) {
      await mirror?.close();
      mirror = new Mirror({ vkey, files: world.files, state: `${folder}/state-${i}`, party });
      whole.push(await round(0, entries));
    }
    const increments: MirrorRound[] = [];
    for (let i = 0; i < INCREMENTS; i++) {
      const from = end;
      end = await ask<number>(worker, { kind: "grow", entries: INCREMENT_ENTRIES });
      increments.push(await round(from, INCREMENT_ENTRIES));
    }
    await mirror.close();
    return { whole, increments };
  } finally {
    worker.terminate();
    await Deno.remove(folder, { recursive: true });
  }
}

/** What a set of rounds came to, in a line. */
export function sayRounds(what: string, rounds: readonly MirrorRound[]): string {
  const of = (name: "mirrored" | "downloaded" | "hashed"): string =>
    Math.round(median(rounds.map((round) => round[name]))).toLocaleString("en");
  const ratios = rounds.map(ratioOf);
  const { entries, bytes } = rounds[0]!;
  const megabytes = median(rounds.map((round) => round.mirrored * round.bytes / round.entries)) /
    1e6;
  return `${what}: ${entries.toLocaleString("en")} entries, ${(bytes / 1e6).toFixed(1)} MB: ` +
    `${of("mirrored")} entries/s (${megabytes.toFixed(0)} MB/s); bare download ${
      of("downloaded")
    }, ` +
    `bare hashing ${of("hashed")}; ratio to the slower ${median(ratios).toFixed(2)} ` +
    `(${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}), goal 0.5`;
}

if (import.meta.main) {
  const { whole, increments } = await mirrorRates(Number(Deno.args[0] ?? MIRRORED_ENTRIES));
  console.log(sayRounds("mirrored from nothing", whole));
  console.log(sayRounds("mirrored by increments", increments));
}
