/** What `listen` and `exchange` share: their options, and the keeper of cases made from them. */
import { CaseKeeper } from "../monitor/case_keeper.ts";
import { type Gathered, readGathered } from "../sources/gathered.ts";
import { isZeroFrame } from "../tlog/frame.ts";
import { describeLog, type Log } from "../tlog/log.ts";
import { MalformedError, printable, quoted } from "../tlog/malformed.ts";
import type { StatedProof } from "../tlog/stated_proof.ts";
import type { World } from "../world/world.ts";
import { type Options, type OptionSpec, UsageError } from "./command.ts";
import {
  cannotRead,
  DEFAULT_INCIDENTS,
  openRegular,
  readKey,
  requireLogs,
  sharedKeyNotice,
  tornNotice,
} from "./inputs.ts";
import { capNotices, monitorReport, type Tally } from "./reporting.ts";
import type { Terminal } from "./terminal.ts";

/** The options that both have. */
export const GOSSIP_OPTIONS = {
  values: ["key", "incidents"],
  lists: ["log", "have"],
  flags: ["json"],
} satisfies OptionSpec;

/** The help lines about these options. */
export const GOSSIP_HELP =
  `  --log LOG        a log to compare: its vkey, or "VKEY ORIGIN" if the origin is not the key's name
                   (repeatable)
  --have FILE      checkpoints that this side was shown: a signed note, raw frames, or JSON lines
                   as for 'hearsay detect' (repeatable)
  --key FILE       a private key made by 'hearsay keygen'; without it conflicts are printed and not
                   recorded
  --incidents DIR  the folder to record conflicts in (default incidents)
  --json           prints one JSON object a line`;

/**
 * Starts the keeper of cases that the options describe, and gives it the checkpoints of `--have`.
 * @throws UsageError, MalformedError, WorldError, JournalLocked, JournalDamaged
 */
export async function startKeeper(
  { world, terminal, options }: { world: World; terminal: Terminal; options: Options },
): Promise<{ keeper: CaseKeeper; tally: Tally }> {
  const logs = requireLogs(options.list("log"));
  const folder = options.value("incidents") ?? DEFAULT_INCIDENTS;
  const keyFile = options.value("key");
  const signer = keyFile === undefined ? undefined : await readKey(world, keyFile);
  const report = monitorReport({
    terminal,
    json: options.flag("json"),
    folder,
    severalLogs: logs.length > 1,
  });
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
    const shared = sharedKeyNotice(logs);
    if (shared !== undefined) terminal.err(shared);
    if (signer === undefined) {
      terminal.err("no --key: a conflict is printed here, but neither signed nor recorded");
    }
    const have = options.list("have");
    for (const path of have) await addFile({ keeper, world, path });
    for (const path of have) await followProofs({ keeper, world, terminal, path });
    for (const log of logs) tellUntold({ keeper, log, terminal });
    return { keeper, tally: report.tally };
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
    for (const notice of capNotices(log, keeper.unrecorded(log))) terminal.err(notice);
  }
}

/** Judges the proofs of `--have`, once all its checkpoints are read. One may show a contradiction. */
async function followProofs(
  { keeper, world, terminal, path }: {
    keeper: CaseKeeper;
    world: World;
    terminal: Terminal;
    path: string;
  },
): Promise<void> {
  const file = await openRegular(world, path);
  try {
    const { judge } = keeper;
    for await (const found of readGathered({ file, name: path, logs: judge.logs })) {
      if (found.kind !== "proof") continue;
      if (judge.hearProof(readProofOf(found)).verdict === "failed") {
        terminal.err(`${printable(found.where)}: the proof does not hold, so it convicts nobody`);
      }
    }
    await keeper.keep();
  } catch (error) {
    throw cannotRead(path, error);
  } finally {
    file.close();
  }
}

/** @throws UsageError that names the line, as for anything in `--have` that cannot be used */
function readProofOf({ read, where }: Extract<Gathered, { kind: "proof" }>): StatedProof {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new UsageError(`--have ${quoted(where)}: ${error.message}`);
  }
}

async function addFile(
  { keeper, world, path }: { keeper: CaseKeeper; world: World; path: string },
): Promise<void> {
  const file = await openRegular(world, path);
  try {
    const { logs } = keeper.judge;
    for await (const found of readGathered({ file, name: path, logs })) {
      if (found.kind === "proof") continue;
      if (found.kind === "rejected") {
        throw new UsageError(`--have ${quoted(found.where)}: ${found.detail}`);
      }
      for (const checkpoint of found.checkpoints) await keeper.addLocal(checkpoint, found.source);
    }
  } catch (error) {
    throw cannotRead(path, error);
  } finally {
    file.close();
  }
}
