/**
 * What gathering costs: files of a folder, read and verified, against reading and parsing the same
 * files bare; and verdicts of `detect` over gathered heads against bare verification.
 *
 * Where the time goes, in CPU time of the process:
 *
 * - To gather a bundle takes 114 µs. Its signature is 38 µs of that, its inclusion proof 17 µs, its JSON
 *   10 µs, and to look at the file and read it 11 µs. To read and parse it bare takes 26 to 60 µs, because
 *   to wait for another thread costs more on a busy machine. `gather` has to verify: a line with a wrong
 *   signature would take the all-clear from every later `detect`, though the broken file only lay about in
 *   a cache. So the goal is not reached where bare reading takes less than 57 µs.
 * - To judge a head takes 57 µs. Its signature is 38 µs of that, as bare. To take the note and its two
 *   base64 texts apart takes 8 µs, the line and its JSON 2 µs. The rest is what keeps the finding.
 *
 * @module
 */
import { judgeFiles } from "../../src/monitor/judge_files.ts";
import { gather } from "../../src/gather/gather.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { leafHash } from "../../src/tlog/hashing.ts";
import { parseNote } from "../../src/tlog/note.ts";
import { Tree } from "../../src/tlog/tree.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { makeLog, type SigningLog } from "./signing_log.ts";

/** Files of the folder: the number that must take less than ten seconds. */
const FILES = 10_000;
const FILES_A_FOLDER = 250;
/** Heads in one gathered file: few, so that what else the machine does hits both sides alike. */
const HEADS = 2_000;

const { files } = denoWorld();
const open = (path: string) => files.open(path, "read");

/** Rates of one round: of what is measured, and of its baseline. */
export interface Rates {
  readonly rate: number;
  readonly baseline: number;
}

/** A folder of bundles, each with its own checkpoint and inclusion proof, as people hold them. */
export class BundleFolder {
  readonly #log: SigningLog = makeLog();
  readonly folder = Deno.makeTempDirSync({ prefix: "hearsay-bench-" });
  readonly #paths: string[] = [];

  constructor() {
    const tree = new Tree();
    for (let i = 0; i < FILES; i++) {
      const body = utf8(`{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"entry":${i}}}`);
      tree.append(leafHash(body));
      if (i % FILES_A_FOLDER === 0) Deno.mkdirSync(`${this.folder}/${i / FILES_A_FOLDER}`);
      const treeSize = BigInt(i + 1);
      const rootHash = tree.root(treeSize);
      const bundle = {
        mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
        verificationMaterial: {
          // A certificate, a timestamp and an envelope make up most of a bundle.
          certificate: { rawBytes: base64(new Uint8Array(900).fill(i)) },
          tlogEntries: [{
            inclusionProof: {
              ...{ logIndex: `${i}`, treeSize: `${treeSize}`, rootHash: base64(rootHash) },
              hashes: tree.inclusionProof({ index: BigInt(i), treeSize }).map(base64),
              checkpoint: { envelope: this.#log.noteOf({ treeSize, rootHash }) },
            },
            canonicalizedBody: base64(body),
          }],
        },
        dsseEnvelope: { payload: base64(new Uint8Array(3_000).fill(i)) },
      };
      const path = `${this.folder}/${Math.floor(i / FILES_A_FOLDER)}/${i}.sigstore.json`;
      Deno.writeTextFileSync(path, JSON.stringify(bundle));
      this.#paths.push(path);
    }
  }

  /** Files a second, gathered, and read and parsed bare. */
  async round(): Promise<Rates> {
    return { rate: await this.#gathered(), baseline: await this.#bare() };
  }

  async #gathered(): Promise<number> {
    const start = performance.now();
    let count = 0;
    const { log } = this.#log;
    for await (const piece of gather({ files, logs: [log], paths: [this.folder], open })) {
      if (piece.kind === "found" && piece.found.kind === "checkpoint") count++;
    }
    if (count !== FILES) throw new Error(`${count} bundles were gathered, expected ${FILES}`);
    return FILES / (performance.now() - start) * 1000;
  }

  async #bare(): Promise<number> {
    const start = performance.now();
    for (const path of this.#paths) JSON.parse(await Deno.readTextFile(path));
    return FILES / (performance.now() - start) * 1000;
  }

  remove(): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** Gathered heads, as `gather` writes them. */
export class GatheredHeads {
  readonly #log: SigningLog = makeLog();
  readonly #notes: readonly string[];
  readonly #path = Deno.makeTempFileSync({ prefix: "hearsay-bench-" });

  constructor() {
    this.#notes = Array.from(
      { length: HEADS },
      (_, i) => this.#log.noteOf({ treeSize: BigInt(i + 1), rootHash: leafHash(utf8(`${i}`)) }),
    );
    const lines = this.#notes.map((note) => JSON.stringify({ note, source: "a file" }));
    Deno.writeTextFileSync(this.#path, lines.join("\n"));
  }

  /** Verdicts a second of `detect`, and bare verifications. */
  async round(): Promise<Rates> {
    const start = performance.now();
    const report = { rejected: () => {}, progress: () => {} };
    const { log } = this.#log;
    const judged = await judgeFiles({ files, logs: [log], paths: [this.#path], open, report });
    if (judged.checkpoints !== HEADS) throw new Error(`${judged.checkpoints} heads were judged`);
    const rate = HEADS / (performance.now() - start) * 1000;
    return { rate, baseline: this.#bare() };
  }

  /** The least that must be done: the text and the signature of each note, verified. */
  #bare(): number {
    const { log } = this.#log;
    const signed = this.#notes.map((note) => {
      const { text, lines } = parseNote(note);
      const signature = Uint8Array.fromBase64(lines[0]!.split(" ")[2]!).slice(4);
      return { message: utf8(text), signature };
    });
    const start = performance.now();
    for (const one of signed) if (!log.verifies(one)) throw new Error("it does not verify");
    return HEADS / (performance.now() - start) * 1000;
  }

  remove(): void {
    Deno.removeSync(this.#path);
  }
}
