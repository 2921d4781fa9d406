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
const MARKS = /"(?:evidence_id|checkpoint_a)"/;

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

/** What an evidence file has to be judged: its record and the line it is in, or what is wrong. */
export type Evidence =
  | { readonly record: JsonObject; readonly line: number }
  | { readonly fault: string };

/**
 * Reads an evidence file. Its last line must be the one record in it; only empty lines may follow.
 * @throws WorldError
 */
export async function readEvidenceFile(file: OpenFile): Promise<Evidence> {
  const found: Line[] = [];
  let lastLine = 1;
  for await (const line of readLines(file, MAX_ENTRY_BYTES)) {
    if (line.bytes.every(isSpace)) continue;
    lastLine = line.number;
    if (line.bytes[0] !== BRACE || !hasMarks(line)) continue;
    found.push(line);
    if (found.length > 1) break;
  }
  const [line, other] = found;
  if (line === undefined) return { fault: "there is no record, expected it in the last line" };
  if (other !== undefined) {
    return { fault: `lines ${line.number} and ${other.number} are records, expected one record` };
  }
  if (lastLine > line.number) {
    return { fault: `line ${lastLine} follows the record, expected nothing after it` };
  }
  if (line.tooLong) return { fault: `the record is longer than ${MAX_ENTRY_BYTES} bytes` };
  try {
    return { record: parseExactJson(fileText(line.bytes)), line: line.number };
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return { fault: `line ${line.number}: ${error.message}` };
  }
}

const BRACE = 0x7b;
const SPACES = new Set([0x20, 0x09, 0x0d]);

function isSpace(byte: number): boolean {
  return SPACES.has(byte);
}
