/** What the tests of the gossip room share: logs, frames, and both ends of an exchange on a stage. */
import { concat } from "@std/bytes/concat";
import { type Conflict, evidenceId } from "../../src/evidence/conflict.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import type { Head } from "../../src/evidence/head.ts";
import { buildRecord, type ConflictRecord } from "../../src/evidence/record.ts";
import { type About, newAbout } from "../../src/gossip/about_item.ts";
import { exchangeAcceptor } from "../../src/gossip/callee.ts";
import { callPeer } from "../../src/gossip/caller.ts";
import { Calls } from "../../src/world/calls.ts";
import type { ExchangeParty, HeldCase } from "../../src/gossip/exchange.ts";
import { PeerKnowledge } from "../../src/gossip/peer_knowledge.ts";
import { DEFAULT_LIMITS, type ExchangeLimits } from "../../src/gossip/limits.ts";
import { exchangeRound, type Round } from "../../src/gossip/round.ts";
import { type Heard, Judge } from "../../src/gossip/judge.ts";
import {
  CaseKeeper,
  type IncidentNews,
  type KeeperReport,
  type Recollection,
} from "../../src/monitor/case_keeper.ts";
import type { Standing } from "../../src/gossip/settled_item.ts";
import { TestLog } from "../../src/sources/test_log.ts";
import { readIncidents, recordOf } from "../../src/store/incidents.ts";
import {
  formatCheckpointText,
  openCheckpoint,
  type VerifiedCheckpoint,
} from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { formatNote } from "../../src/tlog/note.ts";
import type { StatedProof } from "../../src/tlog/stated_proof.ts";
import { PeerHosts } from "../../src/world/connection_table.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner, type Signer } from "../../src/world/signer.ts";
import type { Address, Connection, World } from "../../src/world/world.ts";
import { FakeFiles } from "./fake_files.ts";
import { type FakeConnection, FakeNetwork, ManualClock, settled } from "./fake_network.ts";

/** A test log with this many entries. */
export async function logOf(
  origin: string,
  entries: number,
  world: World = denoWorld(),
): Promise<TestLog> {
  const log = await TestLog.create({ world, origin });
  for (let i = 1; i <= entries; i++) log.append(`entry ${i}`);
  return log;
}

/** A log's checkpoint, verified. */
export async function checkpointOf(log: TestLog, treeSize?: bigint): Promise<VerifiedCheckpoint> {
  const opened = openCheckpoint({ note: await log.checkpoint(treeSize), logs: [log.log] });
  if ("refused" in opened) throw new Error(opened.detail);
  return opened[0]!;
}

/** A log's frame. */
export async function frameOf(log: TestLog, treeSize?: bigint): Promise<Uint8Array> {
  return (await checkpointOf(log, treeSize)).frame;
}

/** Three stories one log tells: equal up to their last entry, which makes them this size. */
export async function storiesOf(size: number): Promise<[TestLog, TestLog, TestLog]> {
  const common = await logOf("log.example/told-apart", size - 1);
  const tell = (story: string): TestLog => {
    const log = common.fork();
    log.append(story);
    return log;
  };
  return [tell("as everyone sees it"), tell("as lima sees it"), tell("as quito sees it")];
}

/** A log that signs whatever it is told to, extension lines included. */
export async function signingLog(origin = "log.example/extended"): Promise<{
  log: Log;
  /** A checkpoint whose root is 32 times this byte. */
  sign(treeSize: bigint, fill: number, extension?: string): Promise<VerifiedCheckpoint>;
}> {
  const { signer } = await generateSigner({ world: denoWorld(), name: origin });
  const log = parseLog(signer.vkey.text);
  async function sign(
    treeSize: bigint,
    fill: number,
    extension = "an extension line\n",
  ): Promise<VerifiedCheckpoint> {
    const rootHash = new Uint8Array(32).fill(fill);
    const text = formatCheckpointText({ origin, treeSize, rootHash }) + extension;
    const note = formatNote({ text, vkey: log.vkey, signature: await signer.sign(utf8(text)) });
    const opened = openCheckpoint({ note, logs: [log] });
    if ("refused" in opened) throw new Error(opened.detail);
    return opened[0]!;
  }
  return { log, sign };
}

/** What a log says that forked: one history of size 9, another of size 5, and the proof between. */
export async function forkedLog(
  { size = 9, forkSize = 5, world }: { size?: number; forkSize?: number; world?: World } = {},
): Promise<{ honest: TestLog; forked: TestLog; proof: StatedProof; caseId: string }> {
  const forked = await logOf("log.example/forked", 3, world);
  const honest = forked.fork();
  while (honest.treeSize < size) honest.append(`as everyone sees it ${honest.treeSize}`);
  while (forked.treeSize < forkSize) forked.append(`as lima sees it ${forked.treeSize}`);
  const [from, to] = [BigInt(forkSize), BigInt(size)];
  const older = { treeSize: from, rootHash: honest.root(from) };
  const newer = { treeSize: to, rootHash: honest.root(to) };
  const signedOlder = { treeSize: from, rootHash: forked.root(from) };
  return {
    honest,
    forked,
    proof: {
      log: honest.log,
      older,
      newer,
      proof: honest.consistencyProof({ older: from, newer: to }),
    },
    caseId: evidenceId({ log: honest.log, heads: [signedOlder, newer] }),
  };
}

/** The unsigned record of a log that forked. */
export async function recordOfFork(
  fork: Awaited<ReturnType<typeof forkedLog>>,
): Promise<ConflictRecord> {
  const detector = new EquivocationDetector();
  detector.observe(await checkpointOf(fork.forked), "lima");
  detector.observe(await checkpointOf(fork.honest), "the log");
  const outcome = detector.observeProof(fork.proof);
  if (outcome.verdict !== "inconsistent") throw new Error(outcome.verdict);
  return buildRecord({ conflict: outcome.conflicts[0]!, detectedAt: "2026-01-01T00:00:00Z" });
}

/** A log that counts how many signatures it checks. */
export function counting(log: Log): { log: Log; checked: () => number } {
  let count = 0;
  const verifies: Log["verifies"] = (signed) => {
    count++;
    return log.verifies(signed);
  };
  return { log: { ...log, verifies }, checked: () => count };
}

/** A judge of these logs that was shown these checkpoints. */
export async function judgeOf(
  { logs, shown = [], detector = new EquivocationDetector() }: {
    logs: readonly Log[];
    shown?: readonly TestLog[];
    detector?: EquivocationDetector;
  },
): Promise<Judge> {
  const judge = new Judge({ logs, detector });
  for (const log of shown) judge.takeInOwn(await checkpointOf(log), "the log");
  return judge;
}

/** 104 bytes that are a frame's, except for one bit. */
export function flipped(frame: Uint8Array, bit: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(frame);
  copy[bit >> 3]! ^= 0x80 >> (bit & 7);
  return copy;
}

/** The last bit of the root: what is signed is another root then. */
const ROOT_BIT = 8 * 40 - 1;

/** A frame that verifies under no key; each `salt` below 64 makes another. */
export function unsigned(frame: Uint8Array, salt = 0): Uint8Array<ArrayBuffer> {
  return flipped(frame, ROOT_BIT - salt);
}

/** The frames that bytes consist of; a remainder is the last. */
export function framesIn(bytes: Uint8Array): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += FRAME_BYTES) {
    frames.push(bytes.subarray(at, at + FRAME_BYTES));
  }
  return frames;
}

/** How long a test waits, in real time, for what should come at once. */
const PATIENCE_MS = 5_000;

/** What a promise gives; fails if it does not, so that a test of broken code fails and not hangs. */
export async function inTime<T>(waiting: Promise<T>, what: () => string): Promise<T> {
  const patience = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => patience.reject(new Error(`waited in vain for ${what()}`)),
    PATIENCE_MS,
  );
  try {
    return await Promise.race([waiting, patience.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Collects what is reported, and lets a test wait for it. */
export class Reports implements KeeperReport {
  readonly heardAll: Heard[] = [];
  /** Where each of them came from. */
  readonly sources: string[] = [];
  readonly brokenAll: string[] = [];
  readonly refusedAll: string[] = [];
  readonly news: IncidentNews[] = [];
  #changed = Promise.withResolvers<void>();

  heard(heard: Heard, source: string): void {
    this.heardAll.push(heard);
    this.sources.push(source);
    this.#change();
  }

  broken(reason: string): void {
    this.brokenAll.push(reason);
    this.#change();
  }

  notAnswered(error: unknown): void {
    this.refusedAll.push((error as Error).message);
    this.#change();
  }

  incident(news: IncidentNews): void {
    this.news.push(news);
    this.#change();
  }

  /** The verdicts heard, in order. */
  get verdicts(): string[] {
    return this.heardAll.map(({ verdict }) => verdict);
  }

  /** What became of the conflicts found, in order. */
  get outcomes(): string[] {
    return this.news.map(({ outcome }) => outcome);
  }

  /** Waits until what was reported fulfils a condition. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await inTime(this.#changed.promise, () => `${holds}; broken: ${this.brokenAll}`);
    }
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** Where the monitor under test listens, in memory. */
export const HERE: Address = { hostname: "198.51.100.1", port: 9900 };
/** Somebody who calls it. */
export const CALLER = "192.0.2.1";

/** Reads until the other end has finished or the connection breaks. */
export function readAll(connection: Connection): Promise<Uint8Array> {
  return inTime(readToTheEnd(connection), () => "the other end to finish");
}

async function readToTheEnd(connection: Connection): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(64 * 1024);
  try {
    for (let count; (count = await connection.read(buffer)) !== undefined;) {
      parts.push(buffer.slice(0, count));
    }
  } catch {
    // Broken off: what came before is what was asked for.
  }
  return concat(parts);
}

/** Sends bytes, says that nothing more comes, and reads all answers. */
export async function ask(connection: Connection, bytes: Uint8Array): Promise<Uint8Array> {
  try {
    await connection.write(bytes);
    await connection.closeWrite();
  } catch {
    // The other end did not want to hear all of it; what it answered is read all the same.
  }
  const answers = await readAll(connection);
  connection.close();
  return answers;
}

/** A case whose record stays in memory. */
export function heldCase(record: ConflictRecord): HeldCase {
  return { ...record, read: () => Promise.resolve(record) };
}

/** What a stage in memory is made of. */
export interface Setting {
  readonly logs: readonly Log[];
  readonly shown?: readonly TestLog[];
  readonly limits?: Partial<ExchangeLimits>;
  readonly capacity?: number;
  /** Handed those the detector lists that it did not list when this was called before. */
  keep?(conflicts: readonly Conflict[]): Promise<void>;
  records?(log: Log): readonly ConflictRecord[];
  /** What it holds signed and not reconciled. */
  open?(log: Log): readonly VerifiedCheckpoint[];
  /** How a checkpoint stands with it. */
  standing?(log: Log, head: Head): Standing;
  /** What it says about itself. */
  readonly about?: About;
  /** The hosts of configured peers. */
  readonly peers?: readonly string[];
}

/** One end of an exchange, in memory: a party, with its clock, network and reports at hand. */
export async function partyOf(
  {
    logs,
    shown = [],
    limits: some = {},
    capacity,
    keep: keepThese,
    records,
    open,
    standing,
    peers,
    about,
  }: Setting,
): Promise<
  { party: ExchangeParty; clock: ManualClock; network: FakeNetwork; report: Reports; judge: Judge }
> {
  const detector = new EquivocationDetector();
  const judge = await judgeOf({ logs, shown, detector });
  let taken = 0;
  const keep = async (): Promise<void> => {
    const conflicts = detector.conflicts().slice(taken);
    taken += conflicts.length;
    await keepThese?.(conflicts);
  };
  const clock = new ManualClock();
  const network = new FakeNetwork({ clock, ...(capacity !== undefined && { capacity }) });
  const report = new Reports();
  const world = { ...denoWorld(), clock, network: network.at(CALLER) };
  const limits = { ...DEFAULT_LIMITS, ...some };
  const peerKnowledge = new PeerKnowledge(limits);
  const party = {
    ...{
      world,
      judge,
      limits,
      keep,
      cases: (log: Log) => records?.(log).map(heldCase) ?? [],
      peerKnowledge,
      about: about ?? newAbout(world.random),
      report,
      calls: new Calls(),
    },
    unreconciled: open ?? (() => []),
    standing: standing ?? (() => "unknown" as const),
    ...(peers && {
      peerHosts: new PeerHosts(peers.map((hostname) => ({ hostname, port: 9900 }))),
    }),
  };
  return { party, clock, network, report, judge };
}

/** A callee that is being served to callers in memory. */
export async function serve(setting: Setting) {
  const { party, clock, network, report, judge } = await partyOf(setting);
  const listener = network.listen(HERE);
  const callee = exchangeAcceptor({ party, listener });
  const done = callee.run();
  const connect = (hostname = CALLER) => network.at(hostname).connect(HERE, 1_000);
  return {
    ...{ callee, listener, done, clock, network, report, judge, limits: party.limits, connect },
    /** Connects and keeps silent. */
    async silent(hostname: string) {
      const connection = await connect(hostname);
      await settled();
      return connection;
    },
    /** A whole exchange: the frames sent from there, and the frames answered. */
    async ask(
      frames: readonly Uint8Array[],
      hostname = CALLER,
      pace: "all at once" | "one at a time" = "all at once",
    ): Promise<Uint8Array[]> {
      const connection = await connect(hostname);
      const last = pace === "all at once" ? 0 : frames.length - 1;
      for (const frame of frames.slice(0, last)) {
        await connection.write(frame);
        await settled();
      }
      return framesIn(await ask(connection, concat(frames.slice(last))));
    },
    async [Symbol.asyncDispose]() {
      callee.close();
      // Whatever it waits for falls due.
      await clock.advance(party.limits.exchangeMs);
      await inTime(done, () => "the callee to end");
    },
  };
}

/** A monitor on a stage of several: it listens, calls, and keeps a journal. */
export interface Player {
  readonly monitor: CaseKeeper;
  readonly report: Reports;
  readonly address: Address;
  /** Shows it a log's checkpoint. */
  show(log: TestLog, treeSize?: bigint): Promise<void>;
  /** One exchange with another, both ends finished. */
  call(other: Player): Promise<Heard[]>;
  /** One round with another: the exchange, and a parcel if there is something to say. */
  meet(other: Player): Promise<Round>;
  /** The evidence ids in its journal, in order. */
  recorded(): Promise<string[]>;
  /** Ends it; its journal stays. */
  leave(): Promise<void>;
}

/** Several monitors of one log, in memory. */
export class Fleet {
  readonly files = new FakeFiles();
  readonly clock = new ManualClock();
  readonly #network = new FakeNetwork({ clock: this.clock });
  readonly #logs: readonly Log[];
  readonly #present = new Set<Player>();
  #hosts = 0;

  constructor(...logs: readonly { readonly log: Log }[]) {
    this.#logs = logs.map(({ log }) => log);
  }

  /**
   * Starts a monitor.
   * @param name of its folder: whoever enters under a name that was used before has its journal
   * @param shown the story that its log shows it at once
   */
  async enter(
    name: string,
    { shown, signer, files = this.files, recollection, limits }: {
      shown?: TestLog;
      signer?: Signer | "none";
      files?: FakeFiles;
      recollection?: Recollection;
      limits?: Partial<ExchangeLimits>;
    } = {},
  ): Promise<Player> {
    const hostname = `198.51.100.${++this.#hosts}`;
    const network = this.#network.at(hostname);
    const world: World = { ...denoWorld(), clock: this.clock, network, files };
    const folder = `/${name}`;
    const report = new Reports();
    signer ??= (await generateSigner({ world, name: `monitor.example/${name}` })).signer;
    const identity = signer === "none" ? undefined : { signer, folder };
    const monitor = await CaseKeeper.start({
      ...{ world, logs: this.#logs, identity, report },
      ...(recollection && { recollection }),
      limits: { ...DEFAULT_LIMITS, ...limits },
    });
    const listener = world.network.listen({ hostname, port: 9900 });
    const callee = exchangeAcceptor({ party: monitor.party, listener });
    const done = callee.run();
    const player: Player = {
      ...{ monitor, report, address: listener.address },
      show: async (log, treeSize) =>
        await monitor.takeInOwn(await checkpointOf(log, treeSize), "the log"),
      call: (other) => callPeer({ party: monitor.party, callee: other.address }),
      meet: (other) => exchangeRound({ party: monitor.party, callee: other.address }),
      recorded: async () => (await recordsIn(files, folder)).map((record) => record.evidence_id),
      leave: async () => {
        this.#present.delete(player);
        callee.close();
        await inTime(done, () => `${name} to end`);
        await monitor.close();
      },
    };
    this.#present.add(player);
    if (shown !== undefined) await player.show(shown);
    return player;
  }

  /** A connection to a player from somebody who is no monitor. */
  knock({ address }: Player): Promise<FakeConnection> {
    return this.#network.at(CALLER).connect(address, 1_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const player of this.#present) await player.leave();
  }
}

async function recordsIn(files: FakeFiles, folder: string): Promise<ConflictRecord[]> {
  const records: ConflictRecord[] = [];
  for await (const item of readIncidents({ files, folder })) {
    if ("torn" in item) throw new Error(`the journal of ${folder} is torn`);
    records.push(recordOf(item.entry, folder));
  }
  return records;
}
