import type { CaseKeeper } from "../monitor/case_keeper.ts";
import type { Findings } from "../monitor/judge_files.ts";
import { ExchangeFailed } from "../gossip/caller.ts";
import { DEFAULT_LIMITS } from "../gossip/limits.ts";
import { exchangeRound } from "../gossip/round.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { base64 } from "../tlog/encoding.ts";
import { describeLog, type Log } from "../tlog/log.ts";
import { printable } from "../tlog/malformed.ts";
import { formatAddress, parseAddress } from "../world/address.ts";
import { cachesToWalk } from "./caches.ts";
import { type Command, EXIT, readOptions } from "./command.ts";
import { isCompared, KINDS_HELP, logsToJudge } from "./gathering.ts";
import { ARTEFACTS, startKeeper, tellCaps } from "./gossip_options.ts";
import { PASSPHRASE_FILE, passphraseHelp } from "./passphrase.ts";
import { exitCodeOf, type MonitorReport } from "./reporting.ts";
import { askUntilSettled, describeComparison } from "./settled_answers.ts";

/** Most checkpoints of a log that are asked about, beside the largest. */
const MAX_ASKED_PER_LOG = 64;

/** `hearsay ask`: compares what is on this machine with what a monitor was shown. */
export const ask: Command = {
  name: "ask",
  summary: "compare the checkpoints that are here already with a monitor, once",
  help: `hearsay ask HOST:PORT [--log LOG]… [--known] [--key FILE] [--incidents DIR] [FILE|DIR]…

Gathers checkpoints as 'hearsay gather' does, and compares them with a monitor, by the exchange that
monitors have with each other. Reads:
${KINDS_HELP}
  signed notes, frames, conflict records and journals of Hearsay
Without FILE and DIR it looks into the caches of this machine that it knows.

Prints one line for each log. If the monitor is behind, and the tiles that are here lead from its
checkpoint to the largest one here, they say whether the two are consistent. Otherwise the monitor
settles what it heard by its own view, as it does for a peer, and is asked for up to 20 s whether it
has; that they are consistent is then what the monitor says. If they are inconsistent, the evidence is
verified, printed and, with --key, recorded.

Exit code 0 if nothing contradicts; 1 if a log was shown to have signed contradicting roots; 3 if the
monitor could not be reached, follows none of the logs, or there was nothing to ask about.

  --log LOG        a log to ask about: its vkey, or "VKEY ORIGIN" if the origin is not the key's name
                   (repeatable). Without any, all public logs whose keys are known
  --known          beside each --log, all public logs whose keys are known
  --key FILE       a private key made by 'hearsay keygen': conflicts are signed and recorded
${passphraseHelp(19)}
  --incidents DIR  with --key, the folder to record them in (default incidents)

Example:
  hearsay ask monitor.example.com:9900 ~/go
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      values: ["key", PASSPHRASE_FILE, "incidents"],
      lists: ["log"],
      flags: ["known"],
      operands: ["HOST:PORT", "FILE|DIR…"],
      leastOperands: 1,
    });
    const [target, ...named] = options.operands;
    const address = parseAddress(target!);
    const { logs, given } = logsToJudge(options);
    const operands = named.length > 0 ? named : await cachesToWalk({ world, terminal });
    const { keeper, tally, findings } = await startKeeper({
      ...{ world, terminal, options, logs, named: given, operands },
      // What was gathered may be of more logs than are asked about.
      tolerated: [...ARTEFACTS, "unknown log"],
      reportOf: quietly,
    });
    try {
      const found = logs.filter(({ id }) => (findings.logs.get(id)?.checkpoints ?? 0) > 0);
      if (found.length === 0) {
        terminal.err("nothing to ask about: no file has a checkpoint of these logs");
        return EXIT.failed;
      }
      await keeper.follow(found);
      // All of them fit one exchange.
      const room = Math.floor(DEFAULT_LIMITS.maxFramesPerExchange / found.length) - 1;
      const most = Math.min(MAX_ASKED_PER_LOG, room);
      const asked = new Map(found.map((log) => [log.id, toAsk(log, { keeper, findings, most })]));
      const party = {
        ...keeper.party,
        unreconciled: (log: Log) => asked.get(log.id)?.largest ?? [],
      };
      let round;
      try {
        round = await exchangeRound({ party, callee: address });
      } catch (error) {
        // What was proven stays proven, even if the exchange failed.
        if (!(error instanceof ExchangeFailed) || exitCodeOf(tally) !== EXIT.proven) throw error;
        terminal.err(printable(error.message));
        return EXIT.proven;
      }
      tellCaps({ keeper, terminal });
      const shared = party.peerKnowledge.bothFollow(formatAddress(address));
      const heard = [...round.heard.filter((one) => "checkpoint" in one), ...round.notes];
      const saidOf = (log: Log) => heard.filter(({ checkpoint }) => checkpoint.log.id === log.id);
      const isBad = (log: Log): boolean =>
        saidOf(log).some(({ verdict }) => verdict === "inconsistent") ||
        keeper.cases(log).length > 0;
      const compared = found.filter((log) => shared?.has(log) ?? true);
      const latest = (log: Log) => keeper.judge.latest(log)!;
      const theirs = (log: Log) => largest(saidOf(log).map(({ checkpoint }) => checkpoint));
      const provenHere = new Set<Log>();
      for (const log of compared) {
        const shown = theirs(log);
        if (shown === undefined || isBad(log)) continue;
        const proof = await findings.cached.proofFrom(world.files, shown);
        if (proof === undefined) continue;
        if (keeper.judge.hearProof(proof).verdict === "inconsistent") await keeper.keep();
        else if (base64(proof.newer.rootHash) === latest(log).root) provenHere.add(log);
      }
      const { claims, fault } = await askUntilSettled({
        ...{ party, address, terminal },
        // The largest of each log come first: if something cuts the questions short, they matter most.
        heads: round.fault !== undefined ? [] : [
          ...compared.map(latest),
          ...compared.flatMap(party.unreconciled),
        ],
        // If the view has to grow first, that may take any time.
        isSoon: ({ log, treeSize }) => treeSize <= (theirs(log)?.treeSize ?? -1n) && !isBad(log),
      });
      if (fault !== undefined) {
        terminal.err(`it could not say what it has settled: ${printable(fault)}`);
      }
      for (const log of found) {
        const { largest: others, others: notTold } = asked.get(log.id)!;
        const isShared = compared.includes(log);
        if (isShared && notTold > 0) {
          terminal.err(`${describeLog(log)}: ${notAsked(notTold, most)}`);
        }
        const isProvenHere = provenHere.has(log);
        const comparison = { ours: latest(log), others, theirs: theirs(log), claims, isProvenHere };
        const line = isShared ? describeComparison(comparison) : NOT_FOLLOWED;
        const shown = isBad(log) ? terminal.paint("red", INCONSISTENT) : line;
        terminal.out(`${describeLog(log)}: ${shown}`);
      }
      if (round.fault !== undefined) throw new ExchangeFailed(formatAddress(address), round.fault);
      const code = exitCodeOf(tally);
      return code === EXIT.ok && compared.length === 0 ? EXIT.failed : code;
    } finally {
      await keeper.close();
    }
  },
};

const NOT_FOLLOWED = "not compared, because the monitor does not follow it";
const INCONSISTENT = "INCONSISTENT: the log signed contradicting roots, see above";

/** The report, without a line for each frame: there is one for each log at the end. */
function quietly(report: MonitorReport): MonitorReport {
  const { tally } = report;
  return {
    ...report,
    heard(heard) {
      if (heard.verdict === "inconsistent") tally.proven++;
    },
  };
}

/**
 * The checkpoints of a log to ask about, beside the latest: the monitor may hold another half for any of
 * them. If cached tiles prove all to be of one history, the latest stands for all of them.
 * @returns the largest of them, in whatever order they were found, and how many others there are
 */
function toAsk(
  log: Log,
  { keeper, findings, most }: { keeper: CaseKeeper; findings: Findings; most: number },
): { largest: readonly VerifiedCheckpoint[]; others: number } {
  const of = findings.logs.get(log.id);
  if (of?.compared !== undefined && isCompared(of)) return { largest: [], others: 0 };
  const latest = keeper.judge.latest(log);
  const all = keeper.judge.shown(log).filter((one) => one !== latest)
    .toSorted((a, b) => a.treeSize > b.treeSize ? -1 : 1);
  const largest = all.slice(0, most);
  return { largest, others: all.length - largest.length };
}

function notAsked(count: number, most: number): string {
  return `${count} smaller checkpoints were not compared; at most ${most} are, beside the largest`;
}

/** The largest of some checkpoints; nothing if there are none. */
function largest(checkpoints: readonly VerifiedCheckpoint[]): VerifiedCheckpoint | undefined {
  return checkpoints.reduce<VerifiedCheckpoint | undefined>(
    (most, one) => most === undefined || one.treeSize > most.treeSize ? one : most,
    undefined,
  );
}
