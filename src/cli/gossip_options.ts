/** What `listen` and `exchange` share: their options, and the keeper of cases made from them. */
import { CaseKeeper } from "../monitor/case_keeper.ts";
import { Findings } from "../monitor/judge_files.ts";
import type { RejectionReason } from "../gather/found.ts";
import { FROM_TILES, gather, gatherProofs } from "../gather/gather.ts";
import type { Gathered } from "../gather/read.ts";
import { isZeroFrame } from "../tlog/frame.ts";
import { describeLog, type Log } from "../tlog/log.ts";
import { MalformedError, printable, printableJson, quoted } from "../tlog/malformed.ts";
import type { OpenFile, World } from "../world/world.ts";
import { type Options, type OptionSpec, UsageError } from "./command.ts";
import {
  DEFAULT_INCIDENTS,
  openRegular,
  readKey,
  requireLogs,
  sharedKeyNotice,
  tornNotice,
} from "./inputs.ts";
import {
  describeFindings,
  describeNotCompared,
  notComparedForMachines,
  rejectionPrinter,
} from "./gathering.ts";
import { otherOriginNotices } from "./known_logs.ts";
import { PASSPHRASE_FILE, passphraseHelp, Passphrases } from "./passphrase.ts";
import { capNotices, type MonitorReport, monitorReport, type Tally } from "./reporting.ts";
import type { Terminal } from "./terminal.ts";

/** The options that both have. */
export const GOSSIP_OPTIONS = {
  values: ["key", PASSPHRASE_FILE, "incidents"],
  lists: ["log", "have"],
  flags: ["json"],
} satisfies OptionSpec;

/** The help lines about these options. */
export const GOSSIP_HELP =
  `  --log LOG        a log to compare: its vkey, or "VKEY ORIGIN" if the origin is not the key's name
                   (repeatable)
  --have FILE|DIR  checkpoints that this side was shown: all that 'hearsay detect' reads (repeatable)
  --key FILE       a private key made by 'hearsay keygen'; without it conflicts are printed and not
                   recorded
${passphraseHelp(19)}
  --incidents DIR  the folder to record conflicts in (default incidents)
  --json           prints one JSON object a line`;

/**
 * Starts the keeper of cases that the options describe, and gives it the checkpoints of `--have`.
 * @param logs those of `--log`, if the command takes no others
 * @param named those of them that somebody named
 * @param tolerated what may be wrong with something in a file that was named
 * @param operands what is read in place of `--have`
 * @param reportOf changes what is told of what is heard
 * @throws UsageError, MalformedError, WorldError, JournalLocked, JournalDamaged
 */
export async function startKeeper(
  {
    world,
    terminal,
    options,
    logs = requireLogs(options.list("log")),
    named = logs,
    tolerated = ARTEFACTS,
    operands,
    reportOf = (report) => report,
  }: {
    world: World;
    terminal: Terminal;
    options: Options;
    logs?: readonly Log[];
    named?: readonly Log[];
    tolerated?: readonly RejectionReason[];
    operands?: readonly string[];
    reportOf?: (report: MonitorReport) => MonitorReport;
  },
): Promise<{ keeper: CaseKeeper; tally: Tally; findings: Findings }> {
  const folder = options.value("incidents") ?? DEFAULT_INCIDENTS;
  const keyFile = options.value("key");
  const passphrases = new Passphrases({ world, terminal, options });
  const signer = keyFile === undefined ? undefined : await readKey(world, keyFile, { passphrases });
  const report = reportOf(monitorReport({
    terminal,
    json: options.flag("json"),
    folder,
    severalLogs: logs.length > 1,
  }));
  const identity = signer && { signer, folder };
  const keeper = await CaseKeeper.start({ world, logs, identity, report });
  try {
    if (keeper.tornFile !== undefined) terminal.err(tornNotice(keeper.tornFile));
    if (keeper.unsoundEntries.length > 0) {
      terminal.err(
        `these entries of the incident journal do not hold, and are not used: ${
          keeper.unsoundEntries.join(", ")
        }`,
      );
    }
    const shared = sharedKeyNotice(named);
    if (shared !== undefined) terminal.err(shared);
    for (const notice of otherOriginNotices(named)) terminal.err(notice);
    if (signer === undefined) {
      terminal.err("no --key: a conflict is printed here, but neither signed nor recorded");
    }
    const given = operands === undefined
      ? { have: options.list("have"), option: "--have " }
      : { have: operands, option: "" };
    const findings = await addWhatWeHave({
      ...{ keeper, world, terminal, tolerated, ...given, json: options.flag("json") },
    });
    for (const log of logs) tellUntold({ keeper, log, terminal });
    return { keeper, tally: report.tally, findings };
  } catch (error) {
    await keeper.close();
    throw error;
  }
}

/** Tells if the latest checkpoint of a log fits in no frame, and so is sent as a parcel. */
function tellUntold(
  { keeper: { judge }, log, terminal }: { keeper: CaseKeeper; log: Log; terminal: Terminal },
): void {
  if (judge.latest(log)?.fitsFrame !== false || !isZeroFrame(judge.latestFrame(log))) return;
  terminal.err(
    `${describeLog(log)}: the latest checkpoint of --have fits no frame, and is told in a parcel`,
  );
}

/** Tells what the detector's limits have dropped, if anything. */
export function tellCaps({ keeper, terminal }: { keeper: CaseKeeper; terminal: Terminal }): void {
  for (const log of keeper.judge.logs) {
    for (const notice of capNotices(log, keeper.beyondCap(log))) terminal.err(notice);
  }
}

/** What is wrong with an artefact of another program, and no fault of whoever named it. */
export const ARTEFACTS: readonly RejectionReason[] = ["failed inclusion", "no checkpoint"];

/**
 * Takes in what `--have` names: first all checkpoints, then all proofs, of which one may show a
 * contradiction. What lies about in a folder and cannot be used is counted and told.
 * @throws UsageError for anything in a file that was named which cannot be used
 */
async function addWhatWeHave({ keeper, world, terminal, have, option, tolerated, json }: {
  keeper: CaseKeeper;
  world: World;
  terminal: Terminal;
  have: readonly string[];
  /** What stands before a file on the command line, for messages. */
  option: string;
  tolerated: readonly RejectionReason[];
  json: boolean;
}): Promise<Findings> {
  const { files } = world;
  const { judge } = keeper;
  const findings = new Findings();
  const reject = rejectionPrinter(terminal);
  const withProofs = new Map<string, boolean>();
  const open = (path: string): Promise<OpenFile> => openRegular(world, path);
  const pieces = gather({ files, logs: judge.logs, paths: have, open, cached: findings.cached });
  for await (const piece of pieces) {
    findings.count(piece);
    if (piece.kind !== "found") continue;
    const { found, isNamed, path } = piece;
    if (found.kind === "checkpoint") {
      for (const checkpoint of found.checkpoints) await keeper.takeInOwn(checkpoint, found.source);
    } else if (found.kind === "rejected") {
      const { where, reason, detail } = found;
      if (isNamed && !tolerated.includes(reason)) {
        throw new UsageError(`${option}${quoted(where)}: ${detail}`);
      }
      findings.reject(reason);
      if (isNamed) reject({ where, reason, detail });
    } else if (found.what === FROM_TILES) {
      hearProof({ keeper, terminal, findings, found, isNamed, option });
    } else withProofs.set(path, isNamed);
  }
  for await (const piece of gatherProofs({ files, logs: judge.logs, open }, withProofs)) {
    if (piece.kind === "passed over") findings.count(piece);
    else if (piece.found.kind === "proof") {
      const { found, isNamed } = piece;
      hearProof({ keeper, terminal, findings, found, isNamed, option });
    }
  }
  await keeper.keep();
  if (findings.walked) {
    for (const line of describeFindings(findings)) terminal.err(line);
  } else for (const line of describeNotCompared(findings)) terminal.err(line);
  if (json) {
    for (const one of notComparedForMachines(findings)) {
      terminal.out(printableJson(JSON.stringify({ event: "not_compared", ...one })));
    }
  }
  return findings;
}

/** Judges a proof. @throws UsageError that names the line, if somebody named the file */
function hearProof({ keeper, terminal, findings, found, isNamed, option }: {
  keeper: CaseKeeper;
  terminal: Terminal;
  findings: Findings;
  found: Extract<Gathered, { kind: "proof" }>;
  isNamed: boolean;
  option: string;
}): void {
  try {
    const proof = found.read();
    findings.joined.addProof(proof);
    if (keeper.judge.hearProof(proof).verdict !== "failed") return;
    terminal.err(`${printable(found.where)}: the proof does not hold, so it convicts nobody`);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    if (isNamed) throw new UsageError(`${option}${quoted(found.where)}: ${error.message}`);
    terminal.err(`${printable(found.where)}: ${error.message}`);
  }
}
