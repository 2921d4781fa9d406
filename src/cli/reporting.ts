/** The texts with which commands tell what was heard and what was found. */
import { join } from "@std/path/join";
import { type BeyondCap, MAX_CONFLICTS_PER_LOG } from "../evidence/detector.ts";
import { MAX_ROOTS_PER_SIZE } from "../evidence/memory.ts";
import { type ConflictRecord, formatRecord } from "../evidence/record.ts";
import type { Heard } from "../gossip/judge.ts";
import type { IncidentNews, KeeperReport } from "../monitor/case_keeper.ts";
import { JOURNAL_FILE } from "../store/journal.ts";
import { describeLog, type Log } from "../tlog/log.ts";
import { printable, printableJson } from "../tlog/malformed.ts";
import { EXIT, type ExitCode } from "./command.ts";
import { subjectOf, twoCosigned } from "./cosigner_words.ts";
import { statementCase, twoStatements } from "./statement_words.ts";
import type { Terminal } from "./terminal.ts";

/** What a frame says, in one line. With `several` the line names the log. */
export function describeHeard(heard: Heard, several: boolean): string {
  const named = (log: Log): string => several ? ` (${describeLog(log)})` : "";
  switch (heard.verdict) {
    case "matches":
      return `received checkpoint size=${heard.checkpoint.treeSize} — matches local checkpoint` +
        named(heard.checkpoint.log);
    case "pending": {
      const local = heard.localSize === undefined ? "none" : `size=${heard.localSize}`;
      return `received checkpoint size=${heard.checkpoint.treeSize} — no local checkpoint of this ` +
        `size to compare with, local: ${local}${named(heard.checkpoint.log)}`;
    }
    case "inconsistent":
      return `received checkpoint size=${heard.checkpoint.treeSize} — INCONSISTENT: the log signed ` +
        `another root at this size, seen from ${printable(heard.other.source)}` +
        named(heard.checkpoint.log);
    case "nothing":
      return "received no checkpoint — the peer has seen none of this log";
    case "refused":
      return `refused ${printable(heard.detail)}`;
  }
}

/**
 * A conflict in one line: the two checkpoints that the log signed, and who showed each. If they are two
 * statements of a monitor, it says so first.
 */
export function describeConflict(record: ConflictRecord): string {
  const { kind, log, checkpoint_a: a, checkpoint_b: b } = record;
  const half = ({ size, root }: typeof a, source: string): string =>
    `size=${size} root=${root} (${printable(source)})`;
  const ofMonitor = statementCase(record);
  const isWitness = subjectOf(record) === "witness";
  const happened = isWitness ? twoCosigned(record) : ofMonitor && twoStatements(ofMonitor);
  const what = happened === undefined ? "" : `${printable(happened)}: `;
  return `${what}${kind} conflict of ${printable(log.origin)}: ${half(a, record.source_a)} and ${
    half(b, record.source_b)
  } evidence_id=${record.evidence_id}`;
}

/** A record by itself in its line, so that `grep '^{'` finds it. */
function forYouToSave(what: string, record: ConflictRecord): string[] {
  return [
    `the ${what} is the next line, for you to save in a file; 'hearsay verify FILE' checks it`,
    printableJson(formatRecord(record)),
  ];
}

/** What became of a conflict. If the record is not in a journal, the last line is the record. */
export function describeNews(news: IncidentNews, folder: string): string[] {
  const { record } = news;
  const found = describeConflict(record);
  const journal = join(folder, JOURNAL_FILE);
  switch (news.outcome) {
    case "recorded":
      return [`recorded as case ${news.seq} in ${journal}: ${found}`];
    case "known":
      return [`already case ${news.seq} in ${journal}: ${found}`];
    case "unrecorded":
      return [
        `NOT SIGNED AND NOT RECORDED, because there is no --key: ${found}`,
        ...forYouToSave("evidence", record),
      ];
    case "refused": {
      const failed = news.judgement.checks.filter(({ ok }) => !ok);
      const why = failed.map(({ name, detail }) => `${name}: ${detail}`).join("; ");
      const word = news.judgement.outcome === "disputed" ? "DISPUTED" : "REFUSED";
      return [
        `${word} by this program's own check and not recorded (${printable(why)}): ${found}`,
        ...forYouToSave("record", record),
      ];
    }
    case "not written":
      return [
        `NOT WRITTEN to ${journal}: ${news.error.message}; every exchange tries again until this ` +
        `program ends: ${found}`,
        ...forYouToSave("evidence", record),
      ];
  }
}

const BAR_CHARACTERS = 30;

/** A progress bar, in one line. */
export function progressBar({ done, all }: { done: number; all: number }, doing: string): string {
  const share = Math.min(1, done / Math.max(1, all));
  const bar = "#".repeat(Math.round(share * BAR_CHARACTERS)).padEnd(BAR_CHARACTERS, ".");
  return `[${bar}] ${Math.floor(share * 100)}% ${doing}`;
}

/** What the detector's limits have dropped: one line for each limit that was reached. */
export function capNotices(log: Log, { perSize, perLog }: BeyondCap): string[] {
  const limits: [dropped: number, limit: string][] = [
    [perSize, `${MAX_ROOTS_PER_SIZE} roots for each size`],
    [perLog, `${MAX_CONFLICTS_PER_LOG} conflicts for each log`],
  ];
  return limits.filter(([dropped]) => dropped > 0).map(([dropped, limit]) =>
    `${
      describeLog(log)
    }: ${dropped} more contradicting observations were not kept; the limit is ${limit}`
  );
}

/** Counts what decides the exit code of `listen` and `exchange`. */
export interface Tally {
  /** Conflicts that are proven: recorded, known, or printed because there is no key. */
  proven: number;
  /** Conflicts that this program could not write, or that failed its own check. */
  withheld: number;
}

/** The exit code for a tally. What could not be done counts before what was proven. */
export function exitCodeOf({ proven, withheld }: Tally): ExitCode {
  return withheld > 0 ? EXIT.failed : proven > 0 ? EXIT.proven : EXIT.ok;
}

/** A report that prints, and counts what decides the exit code. */
export type MonitorReport = KeeperReport & { readonly tally: Tally };

/**
 * Makes a report that prints what a monitor hears and finds: for a person `[Gossip]` and `[Incident]`
 * lines, with `json` one JSON object a line, with its `event`.
 */
export function monitorReport(
  { terminal, json, folder, severalLogs }: {
    terminal: Terminal;
    json: boolean;
    folder: string;
    severalLogs: boolean;
  },
): MonitorReport {
  const tally: Tally = { proven: 0, withheld: 0 };
  const emit = (event: Record<string, unknown>): void =>
    terminal.out(printableJson(JSON.stringify(event)));
  return {
    tally,
    heard(heard, source) {
      if (heard.verdict === "inconsistent") tally.proven++;
      if (json) return emit({ event: "heard", source, ...heardForMachines(heard) });
      const text = describeHeard(heard, severalLogs);
      const style = heard.verdict === "matches"
        ? "green"
        : heard.verdict === "inconsistent" || heard.verdict === "refused"
        ? "red"
        : "yellow";
      terminal.out(`${terminal.paint("dim", "[Gossip]")} ${terminal.paint(style, text)}`);
    },
    broken(reason, source) {
      if (json) return emit({ event: "broken", source, reason });
      terminal.err(`[Gossip] exchange with ${source} ended early — ${printable(reason)}`);
    },
    notAnswered(error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (json) return emit({ event: "refused", reason });
      terminal.err(`[Gossip] an exchange was not answered — ${printable(reason)}`);
    },
    incident(news) {
      if (news.outcome === "not written" || news.outcome === "refused") tally.withheld++;
      else tally.proven++;
      if (json) {
        const seq = "seq" in news ? { seq: news.seq } : {};
        return emit({ event: "incident", outcome: news.outcome, ...seq, record: news.record });
      }
      for (const line of describeNews(news, folder)) {
        const isRecord = line.startsWith("{");
        terminal.out(isRecord ? line : terminal.paint("red", `[Incident] ${line}`));
      }
    },
  };
}

function heardForMachines(heard: Heard): Record<string, unknown> {
  if (!("checkpoint" in heard)) return heard;
  const { log, treeSize } = heard.checkpoint;
  return { verdict: heard.verdict, origin: log.origin, vkey: log.vkey.text, size: `${treeSize}` };
}
