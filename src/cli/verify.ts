import type { JsonObject } from "../evidence/json.ts";
import { parseExactJson } from "../evidence/json.ts";
import { type Judgement, verifyConflict } from "../evidence/verify.ts";
import { FIRST_PREV_HASH, MAX_ENTRY_BYTES, parseEntry } from "../evidence/entry.ts";
import { fileText, refuseUtf16, withoutMark } from "../tlog/encoding.ts";
import { loadCosigner } from "../tlog/cosignature.ts";
import { type Log, parseLog } from "../tlog/log.ts";
import { MalformedError, printable, printableJson, quoted } from "../tlog/malformed.ts";
import { parseVkey, type Vkey } from "../tlog/vkey.ts";
import { type Line, readFully, readLines } from "../world/reading.ts";
import type { OpenFile } from "../world/world.ts";
import {
  type Command,
  EXIT,
  type ExitCode,
  type Options,
  readOptions,
  UsageError,
} from "./command.ts";
import { subjectOf, twoCosigned } from "./cosigner_words.ts";
import { type Evidence, hasMarks, isEvidenceFile, readEvidenceFile } from "./evidence_file.ts";
import { cannotRead, openRereadable } from "./inputs.ts";
import { isTransition, parseTransition, type Transition } from "../evidence/transition.ts";
import { isRepair, parseRepair, type Repair } from "../store/repaired.ts";
import { describeRepair } from "./repairs.ts";
import { describeStep } from "./step_words.ts";
import { statementCase, twoStatements, WHAT_TWO_PROVE } from "./statement_words.ts";
import type { Terminal } from "./terminal.ts";
import { evidenceOfAlert, type InAlert, judgeNotes } from "./verify_alert.ts";
import { hanging } from "./width.ts";

/** `hearsay verify`: lets a stranger check evidence, offline. */
export const verify: Command = {
  name: "verify",
  summary: "check a conflict record, an alert, or a whole journal of records, offline",
  help: `hearsay verify FILE|- [--log LOG | --witness VKEY] [--detector VKEY] [--json]

Judges a conflict record, a journal entry, a whole incident journal, a file that 'hearsay incidents
export' has written, or the evidence of an alert (its JSON), trusting nothing in it: both signatures
of the log are checked by two implementations, the proof is followed, every id and hash is computed
again. Needs no network. FILE may be - for standard input. Ends with 0 if the evidence holds, 1 if it
does not, 2 if there is no record in FILE, or if a file of 'incidents export' was changed around its
record. An alert may carry notes that prove nothing against the log; then that is said.

Evidence proves that one key has signed two statements that contradict each other. It does not say
whether that was an attack or a mistake. People have to find that out.

  --log LOG        the log that the record must be about: its vkey, or "VKEY ORIGIN". Without it the
                   key in the file is used
  --witness VKEY   the witness that the record must be about: it has cosigned two roots at one size
  --detector VKEY  the monitor that must have signed the record
  --json           prints one JSON object for each record

Example:
  hearsay verify incidents/journal.jsonl --log "$LOG"
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      values: ["log", "witness", "detector"],
      flags: ["json"],
      operands: ["FILE"],
    });
    const [path] = options.operands as [string];
    const logNotation = options.value("log");
    const detectorText = options.value("detector");
    const witnessText = options.value("witness");
    if (logNotation !== undefined && witnessText !== undefined) {
      throw new UsageError(
        "expected --log or --witness, and not both: a record is about one of them",
      );
    }
    const wanted = {
      cosigner: witnessText === undefined ? undefined : readWitness(withoutMark(witnessText)),
      log: logNotation === undefined ? undefined : parseLog(withoutMark(logNotation)),
      detector: detectorText === undefined ? undefined : parseVkey(withoutMark(detectorText)),
    };
    const json = options.flag("json");
    const file = await openRereadable({ world, terminal, path });
    const name = path === "-" ? "standard input" : quoted(path);
    let judged: JudgedItem[];
    try {
      const carried = await inAlert(file);
      if (carried !== undefined && !("record" in carried)) {
        return tellAlert(carried, { terminal, options, wanted, name });
      }
      if (carried === undefined && !await hasRecord(file)) {
        terminal.err(`hearsay verify: ${name} holds no conflict record and no incident journal`);
        return EXIT.usage;
      }
      judged = carried === undefined
        ? await judgeFile(file, { ...wanted, name })
        : [judgeObject(carried.record, { where: "record of an alert", wanted })];
    } catch (error) {
      throw cannotRead(path, error);
    } finally {
      file.close();
    }
    for (const item of judged) {
      if (json) terminal.out(printableJson(JSON.stringify(forMachines(item))));
      else printItem(terminal, item, wanted);
    }
    const holds = judged.every(isSound);
    const isKeyGiven = wanted.log !== undefined || wanted.cosigner !== undefined;
    if (!json) printVerdict(terminal, { judged, holds, isKeyGiven });
    return holds ? EXIT.ok : EXIT.proven;
  },
};

/**
 * One record of a file, with its judgement; or the repair of a journal or the step of an incident, whose
 * form and signature are right. `fault` is what is wrong with its line or the chain.
 */
interface JudgedItem {
  readonly where: string;
  readonly judgement?: Judgement;
  readonly repair?: Repair;
  readonly step?: Transition;
  readonly fault?: string;
}

function isSound({ judgement, repair, step, fault }: JudgedItem): boolean {
  const isStated = repair !== undefined || step !== undefined;
  return (judgement?.outcome === "holds" || isStated) && fault === undefined;
}

/** What a file has that is an alert; nothing if it is none. @throws MalformedError */
async function inAlert(file: OpenFile): Promise<InAlert | undefined> {
  const whole = await readSingleObject(file);
  return whole === undefined ? undefined : evidenceOfAlert(whole);
}

/** Tells what an alert without a record carries. @throws UsageError for an option about records */
function tellAlert(
  carried: Exclude<InAlert, { record: JsonObject }>,
  { terminal, options, wanted: { log, cosigner, detector }, name }: {
    terminal: Terminal;
    options: Options;
    wanted: Wanted;
    name: string;
  },
): ExitCode {
  if ("nothing" in carried) {
    terminal.err(printable(`hearsay verify: ${name} ${carried.nothing}`));
    return EXIT.usage;
  }
  if (cosigner !== undefined || detector !== undefined) {
    throw new UsageError(
      `--witness and --detector are about a conflict record, and ${name} is an alert without one`,
    );
  }
  return judgeNotes(carried.notes, { terminal, log, json: options.flag("json") });
}

interface Wanted {
  log: Log | undefined;
  cosigner: Vkey | undefined;
  detector: Vkey | undefined;
}

/** Reads the vkey of a witness. @throws MalformedError also for a key of another type */
function readWitness(text: string): Vkey {
  return loadCosigner(parseVkey(text)).vkey;
}

/**
 * Whether a file has anything to judge. What was cut off or changed is evidence that does not hold;
 * a page, or a file of something else, is a wrong file.
 * @throws MalformedError for UTF-16
 */
async function hasRecord(file: OpenFile): Promise<boolean> {
  const start = new Uint8Array(2);
  await readFully(file, start, 0);
  refuseUtf16(start);
  for await (const line of readLines(file, MAX_ENTRY_BYTES)) if (hasMarks(line)) return true;
  return false;
}

/** A file is an evidence file, one JSON object (spread over lines or not), or one object a line. */
async function judgeFile(
  file: OpenFile,
  { name, ...wanted }: Wanted & { name: string },
): Promise<JudgedItem[]> {
  if (await isEvidenceFile(file)) return [judgeEvidence(await evidenceIn(file, name), wanted)];
  const lines = readLines(file, MAX_ENTRY_BYTES);
  const whole = await readSingleObject(file);
  if (whole !== undefined) return [judgeObject(whole, { where: "record", wanted })];
  const judged: JudgedItem[] = [];
  let before: { seq: number; hash: string } | undefined;
  for await (const line of lines) {
    const where = `line ${line.number}`;
    const object = readObject(line);
    if (typeof object === "string") {
      judged.push({ where, fault: object });
      before = undefined;
      continue;
    }
    const isFirst = line.number === 1;
    const fault = chainFault(object, { before, isFirst });
    const item = judgeObject(object, { where, wanted });
    judged.push({ ...item, ...(item.fault ?? fault ? { fault: item.fault ?? fault! } : {}) });
    before = isEntry(object) ? object as unknown as typeof before : undefined;
  }
  return judged;
}

/** Reads an evidence file. @throws MalformedError that names it, and says that nothing was judged */
async function evidenceIn(file: OpenFile, name: string): Promise<Evidence> {
  try {
    return await readEvidenceFile(file);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`${name} cannot be judged: ${error.message}`);
  }
}

/** Nothing but its record counts. An entry of a journal is none: its line has no chain here. */
function judgeEvidence(evidence: Evidence, wanted: Wanted): JudgedItem {
  const judgement = verifyConflict({ input: evidence.record, ...wanted });
  return { where: `record in line ${evidence.line} of an evidence file`, judgement };
}

/**
 * Reads the file as one object; nothing if it is not one, or longer than an entry may be.
 * @throws MalformedError for UTF-16, because no line of it could be read either
 */
async function readSingleObject(file: OpenFile): Promise<JsonObject | undefined> {
  const bytes = new Uint8Array(MAX_ENTRY_BYTES + 1);
  const filled = await readFully(file, bytes, 0);
  refuseUtf16(bytes);
  if (filled > MAX_ENTRY_BYTES) return undefined;
  try {
    return parseExactJson(fileText(bytes.subarray(0, filled)));
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

function readObject({ bytes, tooLong, complete }: Line): JsonObject | string {
  if (tooLong) return `longer than ${MAX_ENTRY_BYTES} bytes`;
  try {
    return parseExactJson(fileText(bytes));
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    const torn = complete ? "" : "; it ends without a newline, as a crash may leave it";
    return error.message + torn;
  }
}

function isEntry(object: JsonObject): boolean {
  return Object.hasOwn(object, "record");
}

/** What is wrong between an entry and the one before it, if anything. */
function chainFault(
  object: JsonObject,
  { before, isFirst }: { before: { seq: number; hash: string } | undefined; isFirst: boolean },
): string | undefined {
  if (!isEntry(object)) return undefined;
  const { seq, prev_hash } = object;
  if (isFirst && seq === 1 && prev_hash !== FIRST_PREV_HASH) {
    return `prev_hash of the first entry is not ${FIRST_PREV_HASH}`;
  }
  if (before === undefined) return undefined;
  if (seq !== before.seq + 1) return `seq is ${seq}, expected ${before.seq + 1}`;
  if (prev_hash !== before.hash) return "prev_hash is not the hash of the entry before";
  return undefined;
}

function judgeObject(
  object: JsonObject,
  { where, wanted }: { where: string; wanted: Wanted },
): JudgedItem {
  if (!isEntry(object)) return { where, judgement: verifyConflict({ input: object, ...wanted }) };
  try {
    const entry = parseEntry(JSON.stringify(object));
    if (isRepair(entry.record)) return { where: `entry ${entry.seq}`, repair: parseRepair(entry) };
    if (isTransition(entry.record)) {
      return { where: `entry ${entry.seq}`, step: parseTransition(entry.record) };
    }
    const judgement = verifyConflict({ input: entry.record, ...wanted });
    return { where: `entry ${entry.seq}`, judgement };
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return { where, fault: `journal entry: ${error.message}` };
  }
}

function forMachines(
  { where, judgement, repair, step, fault }: JudgedItem,
): Record<string, unknown> {
  return {
    where,
    outcome: fault !== undefined
      ? "fails"
      : judgement?.outcome ?? (step === undefined ? "repaired" : "step"),
    ...(fault !== undefined && { fault }),
    ...(repair !== undefined && { repair }),
    ...(step !== undefined && { step }),
    ...(judgement !== undefined && {
      evidence_id: judgement.record?.evidence_id ?? null,
      signed: judgement.signed,
      checks: judgement.checks,
    }),
  };
}

function printItem(
  terminal: Terminal,
  item: JudgedItem,
  { log, cosigner }: Pick<Wanted, "log" | "cosigner">,
): void {
  const { where, judgement, repair, step, fault } = item;
  terminal.out(terminal.paint("bold", where));
  if (fault !== undefined) terminal.out(`  ${terminal.paint("red", "✗")} ${printable(fault)}`);
  if (repair !== undefined) {
    terminal.out(`  ${terminal.paint("yellow", "!")} ${describeRepair(repair)}`);
    terminal.out("    What was set aside is not in this file, and was not judged.");
  }
  if (step !== undefined) {
    terminal.out(`  ${terminal.paint("green", "✓")} ${describeStep(step)}`);
    terminal.out(
      printable(`    signed by ${step.monitor}. It says who did what, and proves no more.`),
    );
  }
  for (const { name, ok, detail } of judgement?.checks ?? []) {
    const mark = ok ? "✓" : "✗";
    const [first, ...more] = hanging(`  ${mark} ${name.padEnd(14)} `, printable(detail), terminal);
    terminal.out(first!.replace(mark, terminal.paint(ok ? "green" : "red", mark)));
    for (const line of more) terminal.out(line);
  }
  const record = judgement?.record;
  const ofMonitor = record && statementCase(record);
  if (judgement?.outcome === "holds" && ofMonitor !== undefined) {
    const words = `This is about a monitor, and not about a log: ${twoStatements(ofMonitor)}. ` +
      `There a size is the number of a statement, and a root is its hash. ${WHAT_TWO_PROVE}`;
    for (const line of hanging("  ! ", printable(words), terminal)) terminal.out(line);
  }
  const isOfWitness = record !== undefined && subjectOf(record) === "witness";
  if (judgement?.outcome === "holds" && isOfWitness) {
    const words =
      `This is about a witness, and not about a log: ${twoCosigned(record)}. That says ` +
      "nothing of the log by itself.";
    for (const line of hanging("  ! ", printable(words), terminal)) terminal.out(line);
  }
  if (log === undefined && cosigner === undefined && judgement?.log !== undefined) {
    const hint = isOfWitness
      ? "The witness's key came from the file itself. Give the key you trust with --witness."
      : ofMonitor === undefined
      ? "The log's key came from the file itself. Give the key you trust with --log."
      : "The monitor's key came from the file itself. Give the key you trust, and the name of its " +
        `list, with --log "VKEY ${printable(judgement.log.origin)}".`;
    terminal.out(terminal.paint("yellow", `  ! ${hint}`));
  }
}

function printVerdict(
  terminal: Terminal,
  { judged, holds, isKeyGiven }: {
    judged: readonly JudgedItem[];
    holds: boolean;
    isKeyGiven: boolean;
  },
): void {
  const about = judged.filter(({ repair, step }) => repair === undefined && step === undefined);
  if (about.length === 0 && holds) {
    const what = judged.length === 1
      ? "The statement is signed as it says"
      : "The statements are signed as they say";
    terminal.out(`${what}. There is no record of a case: no log is proven wrong.`);
    return;
  }
  const sound = about.filter(isSound).length;
  const records = about.length === 1 ? "1 record" : `${about.length} records`;
  if (holds && isKeyGiven) {
    terminal.out(terminal.paint("green", `The evidence holds (${records}).`));
  } else if (holds) {
    const key = about.length === 1 ? "the key" : "the keys";
    const whose = about.length === 1 ? "Whose key that is" : "Whose keys those are";
    const words =
      `The evidence holds for ${key} in the file (${records}). ${whose} was not checked.`;
    terminal.out(terminal.paint("yellow", words));
  } else {
    const word = judged.some(({ judgement }) => judgement?.outcome === "disputed")
      ? "is disputed"
      : "does not hold";
    terminal.out(terminal.paint("red", `The evidence ${word} (${sound} of ${records} hold).`));
  }
}
