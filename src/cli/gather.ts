import { gather as gatherPieces } from "../gather/gather.ts";
import type { Gathered } from "../gather/read.ts";
import { Findings } from "../monitor/judge_files.ts";
import { utf8 } from "../tlog/encoding.ts";
import { MalformedError, printableJson, quoted } from "../tlog/malformed.ts";
import { formatStatedProof } from "../tlog/stated_proof.ts";
import { type OpenFile, type World, WorldError } from "../world/world.ts";
import { cachesToWalk } from "./caches.ts";
import { type Command, EXIT, readOptions, UsageError } from "./command.ts";
import {
  describeFindings,
  gatheringProgress,
  KINDS_HELP,
  logsToJudge,
  rejectionPrinter,
} from "./gathering.ts";
import { openRegular } from "./inputs.ts";
import { otherOriginNotices } from "./known_logs.ts";

/** Everyone may read what was gathered: every log publishes it. */
const OUT_PERMISSIONS = 0o644;

/** `hearsay gather`: collects the checkpoints that people already hold. */
export const gather: Command = {
  name: "gather",
  summary: "collect the checkpoints in caches, bundles and proofs that are here already",
  help: `hearsay gather [--log LOG]… [--known] [--out FILE] [FILE|DIR]…

Looks for checkpoints in files and folders, verifies their signatures, and writes them as JSON lines
that 'hearsay detect' and --have read. "source" says which file each came from. What is in a file
decides what it is, not its name:
${KINDS_HELP}
  signed notes, frames, conflict records and journals of Hearsay

Without FILE and DIR it looks into the caches of this machine that it knows: Go's and npm's. It says
on standard error where it looked, what it found, and what it could not judge. Symbolic links in a
folder are not followed. Exit code 0 if anything was found, 3 if nothing was.

  --log LOG   a log to gather from: its vkey, or "VKEY ORIGIN" if the origin is not the key's name
              (repeatable). Without any, all public logs whose keys are known
  --known     beside each --log, all public logs whose keys are known
  --out FILE  a new file to write to (default: standard output); none is left if nothing was found

Example:
  hearsay gather --out gathered.jsonl
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      values: ["out"],
      lists: ["log"],
      flags: ["known"],
      operands: ["FILE|DIR…"],
      leastOperands: 0,
    });
    const { logs, given } = logsToJudge(options);
    for (const notice of otherOriginNotices(given)) terminal.err(notice);
    const paths = options.operands.length > 0
      ? options.operands
      : await cachesToWalk({ world, terminal });
    const out = options.value("out");
    const writer = out === undefined ? undefined : await FileWriter.create(world, out);
    const findings = new Findings();
    const reject = rejectionPrinter(terminal);
    const progress = gatheringProgress({ world, terminal });
    let written = 0;
    try {
      const open = (path: string): Promise<OpenFile> => openRegular(world, path);
      const gathering = { files: world.files, logs, paths, open, writesTo: out };
      for await (const piece of gatherPieces(gathering)) {
        findings.count(piece);
        if (piece.kind === "compared" || piece.kind === "passed over") continue;
        const { files } = findings;
        progress({ doing: "reading", path: piece.path, files, bytesRead: 0, bytes: undefined });
        if (piece.kind !== "found") continue;
        const { found } = piece;
        const lines = linesOf(found, findings);
        if ("rejected" in lines) {
          findings.reject(lines.rejected.reason);
          reject({ ...lines.rejected, where: found.where });
          continue;
        }
        for (const line of lines) {
          if (writer === undefined) terminal.out(printableJson(line));
          else await writer.line(line);
          written++;
        }
      }
      if (written > 0) await writer?.end();
    } finally {
      await writer?.close();
    }
    terminal.progress("");
    for (const line of describeFindings(findings)) terminal.err(line);
    if (written > 0) return EXIT.ok;
    terminal.err("nothing was found that one of these logs has signed");
    return EXIT.failed;
  },
};

type RejectedLine = Extract<Gathered, { kind: "rejected" }>;

/** The lines to write for something found, or why there is none. A proof is counted in the findings. */
function linesOf(
  found: Gathered,
  findings: Findings,
): string[] | { rejected: Pick<RejectedLine, "reason" | "detail"> } {
  switch (found.kind) {
    case "rejected":
      return { rejected: found };
    case "checkpoint":
      return found.checkpoints.map(({ note }) => JSON.stringify({ note, source: found.source }));
    case "proof":
      try {
        const proof = found.read();
        findings.joined.addProof(proof);
        return [JSON.stringify({ ...formatStatedProof(proof), source: found.source })];
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error;
        return { rejected: { reason: "malformed", detail: error.message } };
      }
  }
}

/** Bytes that are kept before they are written. */
const WRITE_BYTES = 256 * 1024;

/**
 * Writes lines to a new file. If it does not come to its end, the file is taken away: a part would pass
 * for the whole, and the command could not be given again.
 */
class FileWriter {
  readonly #world: World;
  readonly #path: string;
  readonly #file: OpenFile;
  #isWhole = false;
  #kept: string[] = [];
  #length = 0;
  #at = 0;

  private constructor(world: World, path: string, file: OpenFile) {
    [this.#world, this.#path, this.#file] = [world, path, file];
  }

  /** @throws UsageError if there is something under this name already */
  static async create(world: World, path: string): Promise<FileWriter> {
    try {
      return new FileWriter(world, path, await world.files.create(path, OUT_PERMISSIONS));
    } catch (error) {
      if (!(error instanceof WorldError) || error.kind !== "already exists") throw error;
      throw new UsageError(`there is a file ${quoted(path)} already, and it is not overwritten`);
    }
  }

  async line(text: string): Promise<void> {
    this.#kept.push(text, "\n");
    this.#length += text.length + 1;
    if (this.#length >= WRITE_BYTES) await this.#write();
  }

  async end(): Promise<void> {
    await this.#write();
    await this.#file.sync();
    this.#isWhole = true;
  }

  async close(): Promise<void> {
    this.#file.close();
    if (this.#isWhole) return;
    try {
      await this.#world.files.remove(this.#path);
    } catch (error) {
      // What went wrong before is what a person needs to know.
      if (!(error instanceof WorldError)) throw error;
    }
  }

  async #write(): Promise<void> {
    const bytes = utf8(this.#kept.join(""));
    await this.#file.write(bytes, this.#at);
    this.#at += bytes.length;
    this.#kept = [];
    this.#length = 0;
  }
}
