import type { Conflict } from "../evidence/conflict.ts";
import { type ConflictRecord, formatRecord } from "../evidence/record.ts";
import { verifyConflict } from "../evidence/verify.ts";
import { type JudgedFiles, judgeFiles, type JudgingReport } from "../monitor/judge_files.ts";
import { makeRecord } from "../monitor/make_record.ts";
import { IncidentJournal } from "../store/incidents.ts";
import type { Log } from "../tlog/log.ts";
import { printableJson } from "../tlog/malformed.ts";
import { DurabilityLost } from "../world/durable.ts";
import type { Signer } from "../world/signer.ts";
import { type World, WorldError } from "../world/world.ts";
import { type Command, EXIT, type ExitCode, readOptions, UsageError } from "./command.ts";
import {
  DEFAULT_INCIDENTS,
  openRegular,
  readKey,
  sharedKeyNotice,
  tornNotice,
  writing,
} from "./inputs.ts";
import {
  describeFindings,
  describeNotCompared,
  gatheringProgress,
  KINDS_HELP,
  logsToJudge,
  notCompared,
  notComparedForMachines,
  rejectionPrinter,
} from "./gathering.ts";
import { otherOriginNotices } from "./known_logs.ts";
import { PASSPHRASE_FILE, passphraseHelp, Passphrases } from "./passphrase.ts";
import { counted } from "./repairs.ts";
import { capNotices, describeConflict } from "./reporting.ts";
import type { Terminal } from "./terminal.ts";

/** What a person who named a folder, or no log, wants to know in the end. */
const NO_CONFLICT =
  "no two statements of one log that were found here contradict each other"; /** The same, if nothing leads from one statement to another. It says nothing against the log either. */
const NOT_COMPARED =
  "no contradiction is proven; not all that was found here could be compared. Name the log's tiles or " +
  "proofs as well, or compare with a monitor: hearsay ask";

/** `hearsay detect`: judges gathered checkpoints offline. */
export const detect: Command = {
  name: "detect",
  summary: "judge checkpoints that anyone was shown, offline: files, folders, caches",
  help: `hearsay detect [--log LOG]… [--known] [--key FILE] [--incidents DIR] [--json] FILE|DIR…

Reads checkpoints and consistency proofs and says which signed roots contradict each other. What is
in a FILE decides what it is, not its name:
  a signed note, raw 104-byte frames, or JSON lines of three kinds, freely mixed:
    {"note": TEXT, "source": WHO}
    {"frame": 208 HEX DIGITS, "source": WHO}
    {"log": LOG, "older": {"size", "root"}, "newer": {"size", "root"}, "proof": [BASE64…]}
  conflict records, journals of Hearsay
${KINDS_HELP}
In a DIR every file is looked at. What is broken or unknown there is counted and told. Heads of one
log at different sizes are compared by the tiles of a Go cache, by the tiles beside a checkpoint
(tile/<L>/<N>, as 'hearsay log' writes them too), and by proofs. Files are read twice, so a FILE
cannot be a pipe. A proof counts only if it leads to a root that the log has signed. The order of
lines and files does not matter. No network is used.

Prints one line for each conflict, then a summary. Exit code 1 if a log signed contradicting roots;
3 if there was nothing to judge, if no tiles and no proof lead from some head of a log to the
others, or if something in a FILE could not be read or has a wrong signature, because a
contradiction could hide there; otherwise 0.

  --log LOG        a log to judge: its vkey, or "VKEY ORIGIN" if the origin is not the key's name
                   (repeatable). Without any, all public logs whose keys are known
  --known          beside each --log, all public logs whose keys are known
  --key FILE       a private key made by 'hearsay keygen': conflicts are signed and recorded
${passphraseHelp(19)}
  --incidents DIR  with --key, the folder to record them in (default incidents)
  --json           prints conflicts as conflict records; to standard error the summary, and an object with
                   "not_compared" for each log of which heads were not compared

Example:
  hearsay detect ~/go
  hearsay detect --log "sum.golang.org+033de0ae+Ac4z… go.sum database tree" gathered.jsonl
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      values: ["key", PASSPHRASE_FILE, "incidents"],
      lists: ["log"],
      flags: ["json", "known"],
      operands: ["FILE|DIR…"],
    });
    const { logs, given } = logsToJudge(options);
    const keyFile = options.value("key");
    if (keyFile === undefined && options.value("incidents") !== undefined) {
      throw new UsageError("--incidents needs --key: only signed records are kept in a journal");
    }
    const passphrases = new Passphrases({ world, terminal, options });
    const signer = keyFile === undefined
      ? undefined
      : await readKey(world, keyFile, { passphrases });
    const folder = options.value("incidents") ?? DEFAULT_INCIDENTS;
    const incidents = signer &&
      await writing(folder, () => IncidentJournal.open({ files: world.files, folder }));
    if (incidents?.tornFile !== undefined) {
      terminal.err(tornNotice(incidents.tornFile));
    }
    const shared = sharedKeyNotice(given);
    if (shared !== undefined) terminal.err(shared);
    for (const notice of otherOriginNotices(given)) terminal.err(notice);
    try {
      const judged = await judgeFiles({
        files: world.files,
        logs,
        paths: options.operands,
        open: (path) => openRegular(world, path),
        report: judgingReport({ world, terminal }),
      });
      terminal.progress("");
      const json = options.flag("json");
      const toPrint = judged.detector.conflicts();
      const withheld = await printConflicts(toPrint, { world, terminal, signer, incidents, json });
      if (judged.unjudged > 0) {
        terminal.err(
          `not judged: ${
            counted(judged.unjudged, "item")
          } that could not be read or with a wrong ` +
            "signature; a contradiction could hide there",
        );
      }
      tellCaps({ judged, logs, terminal, signed: signer !== undefined });
      const isSearch = judged.findings.walked || given.length < logs.length;
      if (isSearch) {
        for (const line of describeFindings(judged.findings)) terminal.err(line);
      } else for (const line of describeNotCompared(judged.findings)) terminal.err(line);
      const summary = summaryOf(judged, withheld);
      if (json) {
        terminal.err(summary);
        // Standard output has nothing but records, for 'hearsay verify'.
        for (const one of notComparedForMachines(judged.findings)) {
          terminal.err(printableJson(JSON.stringify(one)));
        }
      } else terminal.out(terminal.paint("bold", summary));
      const code = exitCode(judged, { withheld, terminal });
      if (isSearch && code === EXIT.ok) terminal.err(terminal.paint("green", NO_CONFLICT));
      return code;
    } finally {
      await incidents?.close();
    }
  },
};

function judgingReport(
  { world, terminal }: { world: World; terminal: Terminal },
): JudgingReport {
  const progress = gatheringProgress({ world, terminal });
  return { rejected: rejectionPrinter(terminal), progress };
}

/**
 * Prints every conflict. With a key it records each before printing it.
 * @returns how many could not be written, or did not hold when verified
 */
async function printConflicts(
  conflicts: readonly Conflict[],
  { world, terminal, signer, incidents, json }: {
    world: World;
    terminal: Terminal;
    signer: Signer | undefined;
    incidents: IncidentJournal | undefined;
    json: boolean;
  },
): Promise<number> {
  let withheld = 0;
  for (const conflict of conflicts) {
    const record = await makeRecord({ world, conflict, signer });
    const { outcome } = verifyConflict({ input: formatRecord(record) });
    if (outcome !== "holds") {
      withheld++;
      terminal.err(`${outcome}, so not reported as proven: ${describeConflict(record)}`);
      continue;
    }
    let where = "";
    try {
      where = incidents === undefined ? "" : await recordIncident({ world, incidents, record });
    } catch (error) {
      if (!(error instanceof WorldError) && !(error instanceof DurabilityLost)) throw error;
      withheld++;
      terminal.err(`NOT WRITTEN to the incident journal: ${error.message}`);
      if (!json) terminal.err(`the evidence: ${printableJson(formatRecord(record))}`);
    }
    if (json) terminal.out(printableJson(formatRecord(record)));
    else terminal.out(terminal.paint("red", describeConflict(record)) + where);
  }
  return withheld;
}

async function recordIncident(
  { world, incidents, record }: {
    world: World;
    incidents: IncidentJournal;
    record: ConflictRecord;
  },
): Promise<string> {
  const recorded = await incidents.record(record, world.clock.now().toISOString());
  switch (recorded.outcome) {
    case "recorded":
      return ` incident=${recorded.entry.seq}`;
    case "known":
      return ` incident=${recorded.seq} (known)`;
    case "does not hold":
      return "";
  }
}

function tellCaps(
  { judged, logs, terminal, signed }: {
    judged: JudgedFiles;
    logs: readonly Log[];
    terminal: Terminal;
    signed: boolean;
  },
): void {
  for (const log of logs) {
    for (const notice of capNotices(log, judged.detector.beyondCap(log))) terminal.err(notice);
  }
  if (judged.detector.conflicts().length > 0 && !signed) {
    terminal.err(
      "no --key: the records are not signed by a detector and are not in a journal",
    );
  }
}

function summaryOf(
  { detector, checkpoints, proofs, idleProofs, findings: { rejected } }: JudgedFiles,
  withheld: number,
): string {
  const conflicts = (kind: Conflict["kind"]): number =>
    detector.conflicts().filter((conflict) => conflict.kind === kind).length;
  const reasons = [...rejected].map(([reason, times]) => `${reason} ${times}`).join(", ");
  const rejections = [...rejected.values()].reduce((sum, times) => sum + times, 0);
  const idle = idleProofs > 0 ? ` (${idleProofs} more with nothing to compare)` : "";
  return `${counted(checkpoints, "checkpoint")} read, ${
    counted(proofs, "proof")
  } followed${idle}, ` +
    `${rejections} rejected${reasons && ` (${reasons})`}; ` +
    `conflicts: ${conflicts("same_size")} same_size, ${conflicts("cross_size")} cross_size` +
    (withheld > 0 ? `, of which ${withheld} not written or not proven` : "");
}

function exitCode(
  { detector, checkpoints, unjudged, findings }: JudgedFiles,
  { withheld, terminal }: { withheld: number; terminal: Terminal },
): ExitCode {
  if (withheld > 0) return EXIT.failed;
  if (detector.conflicts().length > 0) return EXIT.proven;
  if (checkpoints === 0) {
    terminal.err("nothing to judge: no file has a checkpoint of these logs");
    return EXIT.failed;
  }
  const apart = notCompared(findings).length > 0;
  if (apart) terminal.err(terminal.paint("yellow", NOT_COMPARED));
  // This holds for a search of caches too. A cache of Go has the tiles that join its heads, as a rule. Where
  // nothing joins two heads, as between two bundles of Sigstore, nobody has looked: that is no 0.
  return unjudged > 0 || apart ? EXIT.failed : EXIT.ok;
}
