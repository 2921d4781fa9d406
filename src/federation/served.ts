import type { Gate } from "./gate.ts";
import type { JournalLog } from "./journal_log.ts";
import type { MirrorHost } from "./wire.ts";

/** What a monitor answers about journals. */
export interface ServedJournals {
  readonly log: JournalLog;
  /** Nothing while this monitor mirrors no journals and takes in no pushes. */
  readonly mirrors: () => MirrorHost | undefined;
  readonly gate: Gate;
  /** Told what our own disk refused. */
  readonly failed: (error: unknown) => void;
}
