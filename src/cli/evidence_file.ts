/**
 * The evidence file (PROTOCOL section 11): a text to send, whose first lines explain the conflict
 * record in its last line. The words are for people. What is judged is the record alone.
 *
 * @module
 */
import { type JsonObject, parseExactJson } from "../evidence/json.ts";
import { MAX_ENTRY_BYTES } from "../evidence/entry.ts";
import { type ConflictRecord, formatRecord } from "../evidence/record.ts";
import { fileText, markBytes, utf8 } from "../tlog/encoding.ts";
import { MalformedError, printableJson } from "../tlog/malformed.ts";
import { type Line, readFully, readLines } from "../world/reading.ts";
import type { OpenFile } from "../world/world.ts";

/** The first line. Only by it is an evidence file told from other files. */
export const EVIDENCE_HEADER = "Hearsay evidence";

const latin1 = new TextDecoder("latin1");
/** Members that every record has, whatever became of it. */
const MARKS = /"(?:evidence_ids?|checkpoint_a)"/;

/** Whether a line could be a record, or what was one. Nothing but ASCII is looked for. */
export function hasMarks({ bytes }: Pick<Line, "bytes">): boolean {
  return MARKS.test(latin1.decode(bytes));
}

/** An evidence file: its header, the words, the record. */
export function formatEvidenceFile(
  { words, record }: { words: readonly string[]; record: ConflictRecord },
): string {
  return [EVIDENCE_HEADER, ...words, printableJson(formatRecord(record)), ""].join("\n");
}

/**
 * Whether the first line of a file is the header. As a mail program or an editor may leave it, a
 * byte order mark may come before it and a CR after it.
 */
export async function isEvidenceFile(file: OpenFile): Promise<boolean> {
  const start = new Uint8Array(utf8(`\u{FEFF}${EVIDENCE_HEADER}\r\n`).length);
  const filled = await readFully(file, start, 0);
  const text = latin1.decode(start.subarray(markBytes(start), filled));
  return text.startsWith(`${EVIDENCE_HEADER}\n`) || text.startsWith(`${EVIDENCE_HEADER}\r\n`);
}

/** What an evidence file has to be judged: its record and the line it is in. */
export interface Evidence {
  readonly record: JsonObject;
  readonly line: number;
}

/** The first lines of an evidence file that are of interest to its reader. */
interface Found {
  /** Lines that begin as a record does, the first two of them. */
  readonly records: Line[];
  /** The first line after the first of these that is not empty. */
  readonly next: number | undefined;
}

/**
 * Reads an evidence file. Its last line must be the one record in it; only empty lines may follow.
 * @throws MalformedError if that is not so: then there is nothing to judge, and nothing is said of the
 *   evidence; WorldError
 */
export async function readEvidenceFile(file: OpenFile): Promise<Evidence> {
  const { records: [line, other], next } = await findRecords(file);
  if (line === undefined) {
    throw new MalformedError("there is no record, expected it in the last line");
  }
  if (other !== undefined) {
    throw new MalformedError(
      `lines ${line.number} and ${other.number} are records, expected one record`,
    );
  }
  if (line.tooLong) {
    throw new MalformedError(`the record is longer than ${MAX_ENTRY_BYTES} bytes`);
  }
  let record: JsonObject;
  try {
    record = parseExactJson(fileText(line.bytes));
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(
      `line ${line.number} is not a whole record: ${error.message}. It was cut off, or a mail ` +
        "program broke it into lines: have it sent again, as an attachment",
    );
  }
  if (next === undefined) return { record, line: line.number };
  throw new MalformedError(
    `line ${next} follows the record in line ${line.number}, and is no part of the file: remove what ` +
      "follows, which a mail program may have added",
  );
}

async function findRecords(file: OpenFile): Promise<Found> {
  const records: Line[] = [];
  let next: number | undefined;
  for await (const line of readLines(file, MAX_ENTRY_BYTES)) {
    if (line.bytes.every(isSpace)) continue;
    if (records.length > 0) next ??= line.number;
    if (line.bytes[0] !== BRACE || !hasMarks(line)) continue;
    records.push(line);
    if (records.length > 1) break;
  }
  return { records, next };
}

const BRACE = 0x7b;
const SPACES = new Set([0x20, 0x09, 0x0d]);

function isSpace(byte: number): boolean {
  return SPACES.has(byte);
}
