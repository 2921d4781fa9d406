/** A journal as another monitor shows it, honestly or not, and a mirror of it on a disk in memory. */
import { FIRST_LINK, hashOf, type Link } from "../../src/evidence/entry.ts";
import type { JsonObject } from "../../src/evidence/json.ts";
import { Mirror } from "../../src/federation/mirror.ts";
import type { MirrorParty } from "../../src/federation/mirror_report.ts";
import type { Publisher } from "../../src/federation/publisher.ts";
import {
  formatOrigin,
  type JournalStatus,
  leafOf,
  MAX_RECORDS,
  type ProvenHead,
  type Push,
  type RecordsQuery,
} from "../../src/federation/wire.ts";
import { nextLine } from "../../src/store/journal.ts";
import { formatCheckpointText, type VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import type { Log } from "../../src/tlog/log.ts";
import { formatNote } from "../../src/tlog/note.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { generateSigner, type Signer } from "../../src/world/signer.ts";
import type { Files } from "../../src/world/world.ts";
import { signing } from "../sim/signing.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { world } from "../world/helpers.ts";

export const NAME = "monitor.invalid/bea";
export const STATE = "state";
const AT = "2026-11-28T00:00:00Z";

/** The key of a monitor. */
export async function signerOf(name = NAME): Promise<Signer> {
  return (await generateSigner({ world: { ...world, signing }, name })).signer;
}

/** Of the monitor whose journal is mirrored. */
export const signer = await signerOf();

/** A journal that is shown as it is. Tests replace what is to be wrong. */
export class ShownJournal implements Publisher {
  lines: Uint8Array[] = [];
  tree = new Tree();
  epoch: bigint | undefined;
  by: Signer = signer;
  /** What was asked, in order. */
  readonly asked: string[] = [];
  #last: Link = FIRST_LINK;

  /** Adds entries. @param story differs between two histories */
  grow(count: number, story = "a"): this {
    for (let i = 0; i < count; i++) this.add({ story, n: this.lines.length });
    return this;
  }

  /** Adds an entry with this record. */
  add(record: JsonObject): this {
    const { entry, line } = nextLine(this.#last, record, AT);
    this.#last = entry;
    this.lines.push(line.subarray(0, -1));
    this.tree.append(leafHash(leafOf(line.subarray(0, -1))));
    return this;
  }

  /** Adds an entry whose record is spelled like this, whatever it is. */
  addText(record: string): this {
    const { seq, hash: prev_hash } = this.#last;
    const rest = `"prev_hash":"${prev_hash}","record":${record},"recorded_at":"${AT}","seq":${
      seq + 1
    }}`;
    const hash = hashOf(`{${rest}`);
    this.#last = { seq: seq + 1, hash };
    const line = utf8(`{"hash":"${hash}",${rest}`);
    this.lines.push(line);
    this.tree.append(leafHash(leafOf(line)));
    return this;
  }

  get treeSize(): bigint {
    return this.tree.treeSize;
  }

  /** The signed note of a size, or over another root. */
  async note(treeSize = this.treeSize, rootHash = this.tree.root(treeSize)): Promise<string> {
    const { by, epoch } = this;
    const origin = formatOrigin({ name: by.vkey.name, ...(epoch !== undefined && { epoch }) });
    const text = formatCheckpointText({ origin, treeSize, rootHash });
    return formatNote({ text, vkey: by.vkey, signature: await by.sign(utf8(text)) });
  }

  async statusOf(treeSize: bigint, rootHash = this.tree.root(treeSize)): Promise<JournalStatus> {
    const { by, epoch } = this;
    const origin = formatOrigin({ name: by.vkey.name, ...(epoch !== undefined && { epoch }) });
    return { origin, treeSize, rootHash, checkpoint: await this.note(treeSize, rootHash) };
  }

  status(): Promise<JournalStatus> {
    this.asked.push("status");
    return this.statusOf(this.treeSize);
  }

  async proof(oldSize: bigint): Promise<ProvenHead> {
    this.asked.push(`proof ${oldSize}`);
    const proof = this.tree.consistencyProof({ older: oldSize, newer: this.treeSize });
    return { oldSize, checkpoint: await this.note(), proof };
  }

  records({ start, count }: RecordsQuery): Promise<readonly Uint8Array[]> {
    this.asked.push(`records ${start}`);
    const most = Math.min(Number(count), MAX_RECORDS);
    return Promise.resolve(this.lines.slice(Number(start), Number(start) + most));
  }

  /** A push of everything from a size on, or of a part. */
  async pushFrom(oldSize: bigint, upTo = this.treeSize): Promise<Push> {
    const proof = this.tree.consistencyProof({ older: oldSize, newer: this.treeSize });
    const lines = this.lines.slice(Number(oldSize), Number(upTo));
    return { oldSize, checkpoint: await this.note(), proof, lines };
  }
}

/** A mirror, and what it told. */
export class Mirrored implements MirrorParty {
  readonly disk: MemoryDisk;
  files: Files;
  readonly heads: VerifiedCheckpoint[] = [];
  readonly histories: Log[] = [];
  readonly damages: string[] = [];
  mirror!: Mirror;

  /** @param isHasty whether it keeps several ranges at once, as a daemon does */
  constructor(disk = new MemoryDisk(), readonly isHasty = false) {
    this.disk = disk;
    this.files = disk.files;
    this.start();
  }

  /** Starts the mirror on what the disk has. */
  start(vkey = signer.vkey): Mirror {
    const { files } = this;
    // Each range is proven and kept for itself.
    const stagedBytes = this.isHasty ? undefined : 1;
    return this.mirror = new Mirror({
      ...{ vkey, files, state: STATE, party: this },
      ...(stagedBytes !== undefined && { stagedBytes }),
    });
  }

  /** Ends the mirror and starts it anew. */
  async restart(): Promise<Mirror> {
    await this.mirror.close();
    this.start();
    await this.mirror.open();
    return this.mirror;
  }

  shown(head: VerifiedCheckpoint): Promise<void> {
    this.heads.push(head);
    return Promise.resolve();
  }

  began(log: Log): Promise<void> {
    this.histories.push(log);
    return Promise.resolve();
  }

  damaged(detail: string): void {
    this.damages.push(detail);
  }

  /** The lines below the head, as the disk has them. */
  async lines(): Promise<string[]> {
    const lines: string[] = [];
    for (let start = 0n; start < this.mirror.treeSize;) {
      const bytes = await this.mirror.records({ start, count: MAX_RECORDS });
      const some = new TextDecoder().decode(bytes).split("\n").slice(0, -1);
      lines.push(...some);
      start += BigInt(some.length);
    }
    return lines;
  }
}

/** Lines as text. */
export function texts(lines: readonly Uint8Array[]): string[] {
  return lines.map((line) => new TextDecoder().decode(line));
}
