/** What `gather`, `detect`, `listen` and `exchange` share: which logs they judge, and what they say. */
import type { Apart, Compared } from "../gather/cached_heads.ts";
import type { RejectionReason } from "../gather/found.ts";
import type { JoinedReport } from "../gather/joined_heads.ts";
import type { Findings, JudgingProgress, LogFindings } from "../monitor/judge_files.ts";
import { describeLog, formatLog, type Log, refuseSharedTreeHeadKey } from "../tlog/log.ts";
import { printable } from "../tlog/malformed.ts";
import type { World } from "../world/world.ts";
import type { Options } from "./command.ts";
import { requireLogs } from "./inputs.ts";
import { knownLogs } from "./known_logs.ts";
import { counted } from "./repairs.ts";
import { progressBar } from "./reporting.ts";
import type { Terminal } from "./terminal.ts";

/** The help lines about the artefacts of other programs. */
export const KINDS_HELP =
  `  lookups, tree heads and tiles as Go's client caches them, and what go prints about a fork
  Sigstore bundles (v0.1 to v0.3; JSON or JSON lines), Rekor entries
  Sigsum proofs, C2SP tlog-proofs, get-sth answers of RFC 6962`;

/** This many rejections are printed; further ones are only counted. */
const MAX_REJECTIONS_SHOWN = 20;
/** How often progress is drawn. */
const PROGRESS_EVERY_MS = 200;

/**
 * The logs of `--log` and `--known`; if neither is given, the known ones.
 * @returns `given` are those of `--log` alone
 * @throws UsageError, MalformedError as `requireLogs`, and as `refuseSharedTreeHeadKey`
 */
export function logsToJudge(options: Options): { logs: readonly Log[]; given: readonly Log[] } {
  const notations = options.list("log");
  const given = notations.length === 0 ? [] : requireLogs(notations);
  if (given.length > 0 && !options.flag("known")) return { logs: given, given };
  const isGiven = ({ id }: Log): boolean => given.some((one) => one.id === id);
  const all = [...given, ...knownLogs().filter((log) => !isGiven(log))];
  refuseSharedTreeHeadKey(all); // A key that was given may be that of a known log.
  return { logs: all, given };
}

/** Prints the first rejections, and says that more follow. */
export function rejectionPrinter(
  terminal: Terminal,
): (rejection: { where: string; reason: RejectionReason; detail: string }) => void {
  let rejections = 0;
  return ({ where, reason, detail }) => {
    if (rejections++ < MAX_REJECTIONS_SHOWN) {
      terminal.err(`rejected ${printable(where)}: ${reason}: ${printable(detail)}`);
    } else if (rejections === MAX_REJECTIONS_SHOWN + 1) {
      terminal.err("… more rejections follow and are only counted");
    }
  };
}

/** Shows now and then how far the reading is: a bar for a file that was named, or a count. */
export function gatheringProgress(
  { world, terminal }: { world: World; terminal: Terminal },
): (at: JudgingProgress) => void {
  let shownAt = world.clock.monotonic();
  return ({ doing, path, files, bytesRead, bytes }) => {
    const now = world.clock.monotonic();
    if (now - shownAt < PROGRESS_EVERY_MS) return;
    shownAt = now;
    const what = `${doing} ${printable(path)}`;
    terminal.progress(
      bytes === undefined
        ? `${counted(files, "file")}, ${what}`
        : progressBar({ done: bytesRead, all: bytes }, what),
    );
  };
}

/** What was looked at and what was found, for a person. A log a line follows. */
export function describeFindings(findings: Findings): string[] {
  const { files, ofNoKind, kinds, rejected, passedOver, logs } = findings;
  const lines = [`looked at ${counted(files, "file")}: ${ofNoKind} of no known kind`];
  if (kinds.size > 0) lines.push(`found ${listed(kinds)}`);
  if (rejected.size > 0) lines.push(`not judged: ${listed(rejected)}`);
  if (passedOver.size > 0) lines.push(`passed over: ${listed(passedOver)}`);
  return [
    ...lines,
    ...[...logs.values()].map(describeLogFindings),
    ...describeNotCompared(findings),
  ];
}

/** Counts by what they are of: `Go lookups 12, signed notes 1`. */
function listed(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([what, count]) => `${what} ${count}`).join(", ");
}

/** Whether all heads of a log that were found are known to be of one history. */
export function isCompared({ smallest, largest, compared }: LogFindings): boolean {
  if (compared === undefined) return smallest === largest;
  return compared.joined === compared.heads && compared.leftOut === 0;
}

function describeLogFindings(
  { log, checkpoints, smallest, largest, compared }: LogFindings,
): string {
  const sizes = smallest === largest ? `size ${largest}` : `sizes ${smallest} to ${largest}`;
  const found = `${describeLog(log)}: ${counted(checkpoints, "checkpoint")}, ${sizes}`;
  if (compared !== undefined) return `${found}; ${describeCompared(compared)}`;
  return found;
}

/** The heads that nothing here compares with the others. */
export function notCompared({ joined }: Findings): JoinedReport[] {
  return joined.reports().filter((report) => report.notCompared > 0);
}

/** A line for each log of which heads are not compared: nobody may take their silence for consent. */
export function describeNotCompared(findings: Findings): string[] {
  return notCompared(findings).map(({ log, heads, notCompared, gap }) =>
    `${notCompared} of ${counted(heads, "head")} of ${describeLog(log)} could not be compared: ` +
    (gap === undefined
      ? "they are too many"
      : `no tiles and no proof here lead from size ${gap.from} to size ${gap.to}`)
  );
}

/** The same for programs. */
export function notComparedForMachines(findings: Findings): Record<string, unknown>[] {
  return notCompared(findings).map(({ log, heads, notCompared, gap }) => ({
    log: formatLog(log),
    heads,
    not_compared: notCompared,
    ...(gap && { from: `${gap.from}`, to: `${gap.to}` }),
  }));
}

/** How the heads of caches hang together, by the tiles that are there. */
function describeCompared({ heads, joined, apart, leftOut }: Compared): string {
  const more = leftOut === 0 ? "" : `; ${leftOut} more were not compared by tiles`;
  if (heads === 1) return `one head, nothing to compare it with${more}`;
  if (joined === heads) return `cached tiles prove all ${heads} heads to be of one history${more}`;
  const others = [...apart].map(([reason, count]) =>
    `${count} ${APART[reason][count === 1 ? 0 : 1]}`
  ).join(", ");
  return `cached tiles prove ${joined} of ${heads} heads to be of one history; of the others, ` +
    `${others}${more}`;
}

/** Of one head, and of several. */
const APART: Readonly<Record<Apart, readonly [one: string, more: string]>> = {
  "contradicted": ["contradicts it", "contradict it"],
  "tile missing": [
    "is not compared, because a tile is not cached",
    "are not compared, because a tile is not cached",
  ],
  "tiles wrong": [
    "is not proven, because the cached tiles do not lead to a signed root",
    "are not proven, because the cached tiles do not lead to a signed root",
  ],
};
