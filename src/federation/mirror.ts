/**
 * The mirror of one monitor's journal. It takes nothing that does not lead to a root which that monitor
 * has signed, and it never takes back what it has taken.
 *
 * What a publisher can do wrong has three kinds:
 *
 * - It **equivocates**: two roots at one size under its signature. The mirror hands every signed head it
 *   is shown to the monitor, whose detector convicts; it judges nobody itself.
 * - It was **rolled back**: it shows less than before, or an older epoch. This is told and is no
 *   evidence: it may be a backup, or an old answer of a cache.
 * - It does not **lead** to what it signed: proof or records are wrong. Nothing of it is kept.
 *
 * @module
 */
import { join } from "@std/path/join";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { verifyConsistency } from "../tlog/proof.ts";
import type { Vkey } from "../tlog/vkey.ts";
import { DurabilityLost } from "../world/durable.ts";
import { Turns } from "../world/turns.ts";
import { type Files, WorldError } from "../world/world.ts";
import {
  claimFolder,
  historiesIn,
  historyFolder,
  type HistoryName,
  logOfEpoch,
  mirrorFolder,
  openHead,
} from "./mirror_folder.ts";
import { MirrorDamaged, MirroredHistory } from "./mirrored_history.ts";
import type { MirrorParty, SyncReport } from "./mirror_report.ts";
import { type Publisher, PublisherUnavailable } from "./publisher.ts";
import { isStaticFile, MAX_RECORDS, parseOrigin, type Push, type PushOutcome } from "./wire.ts";

/** How many histories of one journal are kept. Each new epoch begins one, and so does damage of ours. */
export const MAX_HISTORIES = 16;
/** So many bytes of records wait in memory for a proof, and up to one answer more. */
const MAX_STAGED_BYTES = 4 * 1024 * 1024;
/** The longest mirrored journal, in bytes. */
export const MAX_MIRROR_BYTES = 1024 * 1024 * 1024;

/** See the module. */
export class Mirror {
  readonly vkey: Vkey;
  readonly #files: Files;
  readonly #folder: string;
  readonly #party: MirrorParty;
  readonly #stagedBytes: number;
  readonly #turns = new Turns();
  #isBusy = false;
  #isClosed = false;
  #history: MirroredHistory | undefined;
  #epoch = 0n;

  /**
   * @param vkey of the monitor whose journal is mirrored
   * @param state the state folder
   * @param stagedBytes records are kept as soon as so many bytes of them wait for a proof
   */
  constructor({ vkey, files, state, party, stagedBytes = MAX_STAGED_BYTES }: {
    vkey: Vkey;
    files: Files;
    state: string;
    party: MirrorParty;
    stagedBytes?: number;
  }) {
    this.#stagedBytes = stagedBytes;
    this.vkey = vkey;
    this.#files = files;
    this.#folder = mirrorFolder(state, vkey.name);
    this.#party = party;
  }

  /**
   * Opens what is on the disk, or begins. Every other call does so too, if this one failed.
   * @throws MirrorDamaged if the folder is another monitor's, WorldError
   */
  open(): Promise<void> {
    return this.#turns.next(async () => void await this.#opened());
  }

  /** The last head to which our records lead. */
  get head(): VerifiedCheckpoint | undefined {
    return this.#history?.head;
  }

  /** How many entries it covers. */
  get treeSize(): bigint {
    return this.#history?.treeSize ?? 0n;
  }

  /** The journal as a log, as it is mirrored now. */
  get log(): Log {
    return this.#history?.log ?? logOfEpoch(this.vkey, this.#epoch);
  }

  /**
   * The journal as the logs that it was before it began anew, as far as they are on the disk, the latest
   * last.
   * @throws WorldError
   */
  async formerLogs(): Promise<Log[]> {
    const epochs = (await this.#histories()).map(({ epoch }) => epoch);
    const former = [...new Set(epochs)].filter((epoch) => epoch < this.#epoch);
    return former.reverse().map((epoch) => logOfEpoch(this.vkey, epoch));
  }

  /** Where the static files of the history are that is mirrored now; nothing before it is open. */
  get folder(): string | undefined {
    return this.#history?.staticFolder;
  }

  /** Fetches what the publisher has more than we. Syncs and pushes take turns. */
  sync(publisher: Publisher): Promise<SyncReport> {
    return this.#turns.next(async () => {
      const before = this.treeSize;
      const seen: { theirs?: bigint } = {};
      this.#isBusy = true;
      try {
        const outcome = await this.#sync(publisher, seen);
        return this.#report({ before, ...seen, ...outcome });
      } catch (error) {
        return this.#report({ before, ...seen, ...await this.#failure(error) });
      } finally {
        this.#isBusy = false;
      }
    });
  }

  /**
   * Takes what the publisher sends by itself. It is asked to try again later while a sync is under way.
   * @throws whatever the party throws
   */
  async push(push: Push): Promise<PushOutcome> {
    if (this.#isBusy) {
      return { status: 429, detail: "this journal is being fetched now", retryAfterS: 5 };
    }
    return await this.#turns.next(async () => {
      try {
        return await this.#take(push);
      } catch (error) {
        const { outcome, error: detail } = await this.#failure(error);
        if (outcome === "not written") return { status: 503, detail, retryAfterS: 10 };
        return { status: 422, detail };
      }
    });
  }

  /**
   * Lines below the head, each with its newline: at most `count`, and 4 MiB of them, and at least one.
   * @throws WorldError
   */
  async records(query: { start: bigint; count: number }): Promise<Uint8Array> {
    const history = this.#history;
    if (history === undefined || query.start >= history.treeSize) return new Uint8Array(0);
    return await history.records(query);
  }

  /**
   * The proof between two sizes up to the head's, for 0 < older < newer, and the root at the older one.
   * @returns nothing above the head
   */
  proof(
    sizes: { older: bigint; newer: bigint },
  ): { olderRoot: Uint8Array; proof: readonly Uint8Array[] } | undefined {
    return sizes.newer > this.treeSize ? undefined : this.#history?.proof(sizes);
  }

  /**
   * A static file of the history that is mirrored now.
   * @param file see `isStaticFile`
   * @throws WorldError
   */
  async file(file: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return isStaticFile(file) ? await this.#history?.staticFile(file) : undefined;
  }

  /** Waits for what is under way and lets go of the files. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#turns.done();
    this.#history?.close();
    this.#history = undefined;
  }

  #report(
    { before, ...rest }: Omit<SyncReport, "received" | "after">,
  ): SyncReport {
    const after = this.treeSize;
    return { ...rest, before, after, received: after > before ? after - before : 0n };
  }

  async #sync(
    publisher: Publisher,
    seen: { theirs?: bigint },
  ): Promise<Pick<SyncReport, "outcome" | "error">> {
    await this.#opened();
    const stated = await publisher.status();
    const head = this.#verified(stated.checkpoint);
    const { treeSize } = head;
    const isOne = stated.origin === head.log.origin && stated.treeSize === treeSize &&
      base64(stated.rootHash) === head.root;
    if (!isOne) throw new MalformedError("its status says something else than its checkpoint");
    seen.theirs = treeSize;
    await this.#show(head);
    const stands = await this.#standing(head);
    if (stands !== "more") return stands;
    await this.#fetch(head, publisher);
    return { outcome: "synced" };
  }

  /** Hands a head to the monitor. A new epoch begins a new history first. */
  async #show(head: VerifiedCheckpoint): Promise<void> {
    const epoch = this.#epochOf(head);
    if (epoch > this.#epoch) await this.#begin(epoch);
    await this.#party.shown(head);
  }

  #epochOf({ log: { origin } }: VerifiedCheckpoint): bigint {
    return parseOrigin(origin, this.vkey.name)!.epoch ?? 0n;
  }

  /** How a head stands to what we hold. */
  async #standing(
    head: VerifiedCheckpoint,
  ): Promise<"more" | Pick<SyncReport, "outcome" | "error">> {
    if (this.#epochOf(head) < this.#epoch) {
      const error = `it shows ${quoted(head.log.origin)}, and has begun anew since, as ` +
        quoted(this.log.origin);
      return { outcome: "rolled back", error };
    }
    const history = this.#history!;
    const held = history.treeSize;
    if (head.treeSize > held || history.head === undefined) return "more";
    if (head.treeSize < held) {
      const error = `it shows size ${head.treeSize}, and has shown size ${held} before`;
      return { outcome: "rolled back", error };
    }
    if (head.root === history.head.root) {
      await history.file();
      return { outcome: "up to date" };
    }
    const error = `it has signed two roots at size ${held}`;
    return { outcome: "equivocated", error };
  }

  /** Fetches the records up to a head, range by range, each proven to lead to it before it is kept. */
  async #fetch(target: VerifiedCheckpoint, publisher: Publisher): Promise<void> {
    const history = this.#history!;
    await this.#proveHeld(target, publisher);
    const next = (start: bigint): Promise<readonly Uint8Array[]> => {
      const left = target.treeSize - start;
      const count = left < MAX_RECORDS ? left : BigInt(MAX_RECORDS);
      const coming = publisher.records({ start, count });
      // It may fail while the range before it is still being kept, when nobody waits for it yet.
      coming.catch(() => {});
      return coming;
    };
    let coming = history.held < target.treeSize ? next(history.held) : undefined;
    while (coming !== undefined) {
      try {
        this.#stage(history, await coming, target);
      } catch (error) {
        history.drop();
        throw error;
      }
      const { treeSize } = history.reached;
      coming = treeSize < target.treeSize ? next(treeSize) : undefined;
      // One proof, and one wait for the disk, for several short ranges.
      if (coming !== undefined && history.stagedBytes < this.#stagedBytes) continue;
      try {
        if (!await this.#isProven(target, publisher)) {
          throw new MalformedError(
            `the records up to size ${treeSize} do not lead to the root that it signed at size ` +
              `${target.treeSize}`,
          );
        }
      } catch (error) {
        history.drop();
        throw error;
      }
      await history.keep();
    }
    await history.commit(target);
  }

  /**
   * Proves that what we hold leads to a head. Lines behind our head, of a sync that was cut short, are
   * given up if they do not.
   */
  async #proveHeld(target: VerifiedCheckpoint, publisher: Publisher): Promise<void> {
    const history = this.#history!;
    const isBehind = history.held > history.treeSize;
    if (isBehind && history.held <= target.treeSize && await this.#isProven(target, publisher)) {
      return;
    }
    if (isBehind) await history.cutToHead();
    if (await this.#isProven(target, publisher)) return;
    throw new MalformedError(
      `it gives no proof that size ${target.treeSize} extends size ${history.treeSize}`,
    );
  }

  /** Whether all our lines, the staged ones included, lead to a head. */
  async #isProven(target: VerifiedCheckpoint, publisher: Publisher): Promise<boolean> {
    const older = this.#history!.reached;
    if (older.treeSize === 0n) return true;
    if (older.treeSize === target.treeSize) return base64(older.rootHash) === target.root;
    const { oldSize, checkpoint, proof } = await publisher.proof(older.treeSize);
    const newer = this.#verified(checkpoint);
    // What is signed counts, whatever else is wrong with the answer.
    if (newer.note !== target.note) await this.#party.shown(newer);
    if (oldSize !== older.treeSize) {
      throw new MalformedError(`it proves from size ${oldSize}, asked for ${older.treeSize}`);
    }
    // It may have grown meanwhile. The records are held to the first head at the end all the same.
    if (newer.log.origin !== target.log.origin || newer.treeSize < target.treeSize) return false;
    return verifyConsistency({ older, newer, proof });
  }

  #stage(
    history: MirroredHistory,
    lines: readonly Uint8Array[],
    { treeSize }: VerifiedCheckpoint,
  ): void {
    const from = history.reached.treeSize;
    if (BigInt(lines.length) > treeSize - from || (lines.length === 0 && from < treeSize)) {
      throw new MalformedError(
        `records from ${from} on: ${lines.length} came, and there are ${treeSize - from}`,
      );
    }
    const bytes = lines.reduce((sum, { length }) => sum + length + 1, history.bytes);
    if (bytes > MAX_MIRROR_BYTES) {
      throw new MalformedError(`it is longer than ${MAX_MIRROR_BYTES} bytes, which is our limit`);
    }
    history.stage(lines);
  }

  async #take(push: Push): Promise<PushOutcome> {
    await this.#opened();
    const head = this.#verified(push.checkpoint);
    await this.#show(head);
    const stands = await this.#standing(head);
    const history = this.#history!;
    if (stands !== "more") {
      if (stands.outcome === "up to date") return { status: 200, size: history.treeSize };
      return { status: 422, detail: stands.error! };
    }
    // Who asked for our checkpoint knows no more than the head.
    if (push.oldSize === history.treeSize) await history.cutToHead();
    if (push.oldSize !== history.held) {
      const detail = `old_size is ${push.oldSize}, and the mirror holds ${history.held} entries`;
      return { status: 409, size: history.held, detail };
    }
    const older = history.reached;
    if (!verifyConsistency({ older, newer: head, proof: push.proof })) {
      // What an earlier push brought may be wrong, and not this one.
      await history.cutToHead();
      if (history.held === older.treeSize) {
        return { status: 422, detail: `the proof from size ${older.treeSize} does not hold` };
      }
      const detail = "what was pushed before does not lead to this head, and is dropped";
      return { status: 409, size: history.held, detail };
    }
    if (push.lines.length > 0) this.#stage(history, push.lines, head);
    const { treeSize, rootHash } = history.reached;
    if (treeSize === head.treeSize && base64(rootHash) !== head.root) {
      history.drop();
      return { status: 422, detail: "the records do not lead to the root that is signed" };
    }
    await history.keep();
    if (treeSize === head.treeSize) await history.commit(head);
    return { status: 200, size: history.held };
  }

  /** Opens a note as a head of this journal. @throws MalformedError */
  #verified(note: string): VerifiedCheckpoint {
    return openHead(note, this.vkey);
  }

  /** What an error says of a sync. @throws an error that is none of these */
  async #failure(
    error: unknown,
  ): Promise<Required<Pick<SyncReport, "outcome" | "error">> & { retryAfterMs?: number }> {
    if (error instanceof PublisherUnavailable) {
      const { message, retryAfterMs } = error;
      const wait = retryAfterMs === undefined ? {} : { retryAfterMs };
      return { outcome: "unavailable", error: message, ...wait };
    }
    if (error instanceof MalformedError) return { outcome: "refused", error: error.message };
    const isOurs = error instanceof WorldError || error instanceof DurabilityLost ||
      error instanceof MirrorDamaged;
    if (!isOurs) throw error;
    if (error instanceof DurabilityLost) {
      // The next call reads what is on the disk.
      this.#history?.close();
      this.#history = undefined;
    }
    return await Promise.resolve({ outcome: "not written", error: error.message });
  }

  /** The history that is mirrored now. */
  async #opened(): Promise<MirroredHistory> {
    if (this.#isClosed) throw new WorldError("closed", "this mirror is closed");
    if (this.#history !== undefined) return this.#history;
    await claimFolder({ files: this.#files, folder: this.#folder, vkey: this.vkey });
    const [latest = { epoch: 0n, damaged: 0 }] = await this.#histories();
    this.#epoch = latest.epoch;
    try {
      return this.#history = await this.#openHistory(latest);
    } catch (error) {
      if (!(error instanceof MirrorDamaged)) throw error;
      this.#party.damaged(error.message);
      const { epoch, damaged } = latest;
      return this.#history = await this.#openHistory({ epoch, damaged: damaged + 1 });
    }
  }

  /** Begins a new history. The one before stays where it is. */
  async #begin(epoch: bigint): Promise<void> {
    const { length } = await this.#histories();
    if (length >= MAX_HISTORIES) {
      throw new MalformedError(`it has begun anew ${length} times, and no more of it is kept`);
    }
    const before = this.#history;
    const history = await this.#openHistory({ epoch, damaged: 0 });
    before?.close();
    this.#history = history;
    this.#epoch = epoch;
    await this.#party.began(history.log);
  }

  #openHistory({ epoch, damaged }: HistoryName): Promise<MirroredHistory> {
    const folder = join(this.#folder, historyFolder({ epoch, damaged }));
    const log = logOfEpoch(this.vkey, epoch);
    return MirroredHistory.open({ files: this.#files, folder, log });
  }

  #histories(): Promise<HistoryName[]> {
    return historiesIn({ files: this.#files, folder: this.#folder });
  }
}
