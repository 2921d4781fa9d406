/**
 * A monitor's incident journal as a log of its own (PROTOCOL section 19). The journal is the truth;
 * this adds a signed head, and never takes one back.
 *
 * **Never two roots at one size under one origin.** The head that is signed next is durable before it
 * is signed. At a start, the journal must lead to the head that was durable last. If it does not, a new
 * epoch begins: another origin, so another log. A new epoch also begins
 *
 * - if what was durable is damaged, is gone though something was published, or is older than that,
 * - if something of the monitor's folders was lost,
 * - if somebody shows a head under our key and origin that the journal does not lead to. Then this
 *   folder was restored from a backup, or there is a copy of this monitor.
 *
 * @module
 */
import { formatCheckpointText, openCheckpoint } from "../tlog/checkpoint.ts";
import { parseCheckpointText } from "../tlog/checkpoint_text.ts";
import { base64, utf8 } from "../tlog/encoding.ts";
import { makeLog } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { formatNote, parseNote } from "../tlog/note.ts";
import { parseTilePath } from "../tlog/tiles.ts";
import type { Vkey } from "../tlog/vkey.ts";
import type { Signer } from "../world/signer.ts";
import { Turns } from "../world/turns.ts";
import { type Clock, type Files, WorldError } from "../world/world.ts";
import { LineTree } from "./line_tree.ts";
import { LogFiles, tileContent } from "./log_files.ts";
import {
  formatOrigin,
  type JournalStatus,
  MAX_RECORDS,
  parseOrigin,
  PATHS,
  type ProvenHead,
  type RecordsQuery,
} from "./wire.ts";

const MS_PER_SECOND = 1_000;

/** What is durable of a head before it is signed. */
export interface SignedHead {
  /** Nothing in the first epoch; then POSIX seconds. */
  readonly epoch?: bigint | undefined;
  readonly treeSize: bigint;
  /** In base64. */
  readonly root: string;
}

/** Where the last head is kept. */
export interface HeadMemory {
  /** Nothing if there is none. @throws MalformedError if it is damaged, WorldError */
  read(): Promise<SignedHead | undefined>;
  /** Durable when it resolves. @throws WorldError; then the one before is there, or this one */
  write(head: SignedHead): Promise<void>;
}

/** What a journal log needs. */
export interface JournalLogMeans {
  readonly files: Files;
  readonly clock: Clock;
  readonly signer: Signer;
  readonly memory: HeadMemory;
  readonly journal: {
    /** Path of its file, which is there. */
    readonly path: string;
    /** Bytes of it that are durable, and whole lines. */
    durableEnd(): number;
  };
  /** Folder of the static files. */
  readonly folder: string;
  /** Whether something of the monitor's folders was lost, so that a head may have been too. */
  readonly isSuspect?: boolean;
  /** Told, in a sentence, why a new epoch begins, before anything is signed in it. */
  readonly onNewEpoch: (news: { readonly origin: string; readonly detail: string }) => void;
}

/** The head that is given out. */
interface Head {
  readonly origin: string;
  readonly treeSize: bigint;
  readonly rootHash: Uint8Array;
  /** The signed note. */
  readonly checkpoint: string;
}

/** See the module. */
export class JournalLog {
  readonly #means: JournalLogMeans;
  readonly #lines: LineTree;
  readonly #static: LogFiles;
  readonly #turns = new Turns();
  /** Of what is signed. */
  #epoch: bigint | undefined;
  /** The largest epoch that is known to be used. */
  #used: bigint | undefined;
  /** Why the next head must be of a new epoch, if it must. */
  #isOver: string | undefined;
  #head!: Head;
  /** Whether the static files are at the head. */
  #isFiled = false;
  #isClosed = false;

  private constructor(means: JournalLogMeans, lines: LineTree) {
    const { files, folder } = means;
    this.#means = means;
    this.#lines = lines;
    this.#static = new LogFiles({ files, folder });
  }

  /**
   * Reads the journal, signs its head, and brings the static files to it.
   * @throws WorldError if the journal cannot be read or the head not be made durable. If only the
   *   static files are refused, `advance` tries again
   */
  static async open(means: JournalLogMeans): Promise<JournalLog> {
    const { files, journal: { path } } = means;
    const lines = new LineTree({ file: await files.open(path, "read"), path });
    try {
      const log = new JournalLog(means, lines);
      await lines.takeInTo(means.journal.durableEnd());
      await log.#takeUp();
      return log;
    } catch (error) {
      lines.close();
      throw error;
    }
  }

  /** The origin of its checkpoints. */
  get origin(): string {
    return this.#head.origin;
  }

  /** The key that signs it. */
  get vkey(): Vkey {
    return this.#means.signer.vkey;
  }

  /** How many entries the signed head covers. */
  get treeSize(): bigint {
    return this.#head.treeSize;
  }

  /** See `JournalStatus`. */
  status(): JournalStatus {
    return this.#head;
  }

  /**
   * Lines of the journal below the head, each with its newline.
   * @throws RangeError if it starts above the head, WorldError if the journal cannot be read
   */
  async records({ start, count }: RecordsQuery): Promise<Uint8Array<ArrayBuffer>> {
    const { treeSize } = this.#head;
    if (start > treeSize) throw new RangeError(`start is ${start}, and the size is ${treeSize}`);
    const most = count < MAX_RECORDS ? Number(count) : MAX_RECORDS;
    return await this.#lines.records({ start, count: most, treeSize });
  }

  /**
   * The head, and the proof that it extends the tree of an older size.
   * @throws RangeError if that is above the head
   */
  proof(oldSize: bigint): ProvenHead {
    const { treeSize, checkpoint } = this.#head;
    if (oldSize > treeSize) {
      throw new RangeError(`old_size is ${oldSize}, and the size is ${treeSize}`);
    }
    const proof = this.#lines.tree.consistencyProof({ older: oldSize, newer: treeSize });
    return { oldSize, checkpoint, proof };
  }

  /**
   * A static file, made from the journal.
   * @param name see `isStaticFile`
   * @returns nothing if the log has none of this name
   * @throws WorldError if the journal cannot be read
   */
  async file(name: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { treeSize, checkpoint } = this.#head;
    if (name === PATHS.checkpoint) return utf8(checkpoint);
    const tile = parseTilePath(name);
    return tile && await tileContent(tile, { lines: this.#lines, treeSize });
  }

  /**
   * Signs what the journal has more than before, if it has more, and brings the static files to it.
   * @throws WorldError if the disk refuses; the next call tries again
   */
  advance(): Promise<void> {
    return this.#turns.next(async () => {
      if (this.#isClosed) return;
      await this.#lines.takeInTo(this.#means.journal.durableEnd());
      if (this.#isOver !== undefined) await this.#beginEpoch(this.#isOver);
      else if (this.#lines.tree.treeSize > this.#head.treeSize) await this.#sign(this.#epoch);
      await this.#file();
    });
  }

  /**
   * Somebody shows a note. If our key has signed it under this origin, and the journal does not lead to
   * it, a new epoch begins. A liar has no such note, and causes nothing.
   * @returns whether a new epoch began
   * @throws WorldError if the disk refuses
   */
  heard(note: string): Promise<boolean> {
    return this.#turns.next(async () => {
      const head = openOwn(note, this.vkey);
      if (this.#isClosed || head === undefined || !this.#isAlien(head)) return false;
      // Even if the disk refuses now: nothing more is signed in the old epoch.
      this.#isOver =
        `size ${head.treeSize} with another history is signed under this monitor's key: ` +
        "this folder was restored from a backup, or there is a copy of this monitor";
      this.#used = later(this.#used, head.epoch);
      await this.#beginEpoch(this.#isOver);
      await this.#file();
      return true;
    });
  }

  /** Waits for what is under way, then lets go of the journal. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#turns.done();
    this.#lines.close();
  }

  /** Goes on from the head that was durable last, or begins a new epoch. */
  async #takeUp(): Promise<void> {
    const published = await this.#published();
    const { stored, damage } = await this.#stored();
    this.#used = later(stored?.epoch, published?.epoch);
    const reason = damage ?? this.#whyNot(stored, published);
    if (reason === undefined) await this.#sign(stored?.epoch);
    else await this.#beginEpoch(reason);
    try {
      await this.#file();
    } catch (error) {
      // They are derived. The next advance tries again, and tells.
      if (!(error instanceof WorldError)) throw error;
    }
  }

  /**
   * Why the journal does not continue what was signed; nothing if it does.
   * @param stored the head that was durable last
   * @param published the one among the static files, which was durable before
   */
  #whyNot(
    stored: SignedHead | undefined,
    published: SignedHead | undefined,
  ): string | undefined {
    if (stored === undefined) {
      if (published !== undefined) return "nothing says any more which head was signed last";
      return this.#means.isSuspect
        ? "something of this monitor's folders was lost, and nothing says which head was signed last"
        : undefined;
    }
    if (published !== undefined && isBehind(stored, published)) {
      return "a head is published that is later than the one said to be signed last";
    }
    if (this.#leadsTo(stored)) return undefined;
    const { treeSize } = this.#lines.tree;
    return `the journal has ${treeSize} entries and does not lead to the head of size ` +
      `${stored.treeSize} that was signed: entries were lost, repaired or replaced`;
  }

  #leadsTo({ treeSize, root }: SignedHead): boolean {
    const { tree } = this.#lines;
    return treeSize <= tree.treeSize && base64(tree.root(treeSize)) === root;
  }

  /** Whether a head of ours is none that this journal and this process have led to. */
  #isAlien(head: SignedHead): boolean {
    const [epoch, heard] = [this.#epoch ?? 0n, head.epoch ?? 0n];
    return heard > epoch || (heard === epoch && !this.#leadsTo(head));
  }

  async #beginEpoch(detail: string): Promise<void> {
    const now = BigInt(Math.floor(this.#means.clock.now().getTime() / MS_PER_SECOND));
    const next = (this.#used ?? 0n) + 1n;
    const epoch = now > next ? now : next;
    const origin = formatOrigin({ name: this.vkey.name, epoch });
    this.#means.onNewEpoch({ origin, detail });
    await this.#sign(epoch);
    this.#isOver = undefined;
  }

  /** Makes the head of all lines durable, signs it, and gives it out from now on. */
  async #sign(epoch: bigint | undefined): Promise<void> {
    const { memory, signer } = this.#means;
    const { treeSize } = this.#lines.tree;
    const rootHash = this.#lines.tree.root(treeSize);
    await memory.write({ epoch, treeSize, root: base64(rootHash) });
    const origin = formatOrigin({ name: signer.vkey.name, epoch });
    const text = formatCheckpointText({ origin, treeSize, rootHash });
    const signature = await signer.sign(utf8(text));
    this.#epoch = epoch;
    this.#head = {
      origin,
      treeSize,
      rootHash,
      checkpoint: formatNote({ text, vkey: this.vkey, signature }),
    };
    this.#isFiled = false;
  }

  async #file(): Promise<void> {
    if (this.#isFiled) return;
    await this.#static.bring({ lines: this.#lines, ...this.#head });
    this.#isFiled = true;
  }

  /** The checkpoint among the static files, if our key has signed it. */
  async #published(): Promise<SignedHead | undefined> {
    const note = await this.#static.checkpoint();
    return note && openOwn(note, this.vkey);
  }

  async #stored(): Promise<{ stored?: SignedHead | undefined; damage?: string }> {
    try {
      return { stored: await this.#means.memory.read() };
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      return {
        damage: `the file that says which head was signed last is damaged: ${error.message}`,
      };
    }
  }
}

function later(one: bigint | undefined, other: bigint | undefined): bigint | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one > other ? one : other;
}

/** Whether what was durable last is older than what was published afterwards. */
function isBehind(stored: SignedHead, published: SignedHead): boolean {
  const [epoch, later] = [stored.epoch ?? 0n, published.epoch ?? 0n];
  if (epoch !== later) return epoch < later;
  return stored.treeSize < published.treeSize ||
    (stored.treeSize === published.treeSize && stored.root !== published.root);
}

/** The head that a note states, if our key has signed it as one of our journal's. */
function openOwn(note: Uint8Array | string, vkey: Vkey): SignedHead | undefined {
  try {
    const { origin } = parseCheckpointText(parseNote(note).text);
    const parsed = parseOrigin(origin, vkey.name);
    if (parsed === undefined) return undefined;
    const opened = openCheckpoint({ note, logs: [makeLog({ vkey, origin })] });
    if ("refused" in opened) return undefined;
    const { treeSize, root } = opened[0]!;
    return { epoch: parsed.epoch, treeSize, root };
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}
