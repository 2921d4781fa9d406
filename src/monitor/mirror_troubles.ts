import type { SyncOutcome } from "../federation/mirror_report.ts";
import type { MirrorStatus } from "./mirrored_journal.ts";
import type { Trouble } from "./troubles.ts";

/** For each end of a sync that is trouble at once: what it says, and what it asks of a person. */
const SYNCS: Readonly<Partial<Record<SyncOutcome, readonly [says: string, advice: string]>>> = {
  "rolled back": [
    "shows less than before",
    "Ask its operator: it may have been restored from a backup, or a cache may be old. What is " +
    "mirrored here stays.",
  ],
  equivocated: [
    "has another history than the one that is mirrored here",
    "Keep the journals, and look at the case: hearsay incidents list.",
  ],
  refused: [
    "does not lead to what it signed, or its answer is garbage",
    "Keep the journals, and ask its operator. What is mirrored here stays.",
  ],
  "not written": [
    "could not be mirrored: our own disk refuses, or the folder is not its own",
    "It says nothing about the other monitor. It is tried again.",
  ],
};

const UNREACHABLE =
  "Ask its operator whether it runs, and look at the network between you. It is " +
  "tried again, less often.";

/** What is not as it should be with the journals that are mirrored. */
export function troublesOfMirrors(mirrors: readonly MirrorStatus[]): Trouble[] {
  return mirrors.flatMap((mirror) => {
    const { name, lastOutcome, lastError, failures, failingSince: since, isUnhealthy } = mirror;
    const known = lastOutcome && SYNCS[lastOutcome];
    const why = lastError === undefined ? "" : ` (${lastError})`;
    if (known !== undefined) {
      const [says, advice] = known;
      const isCase = lastOutcome === "equivocated" && mirror.incidents > 0;
      const text = `the journal of ${name} ${says}${why}`;
      return [{ text, advice, since, ...(isCase && { isOnly: "case" }) }];
    }
    if (!isUnhealthy) return [];
    const text = `the journal of ${name} cannot be fetched, ${failures} times in a row${why}`;
    return [{ text, advice: UNREACHABLE, since }];
  });
}
