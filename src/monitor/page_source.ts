import type { Cases } from "./case_reader.ts";
import type { ShownHead } from "./shown.ts";
import type { LogStatus, Status } from "./status.ts";

/** What a daemon's page is made of. */
export interface PageSource {
  status(): Status;
  /** What peers last showed of a log. */
  shown(log: LogStatus): readonly ShownHead[];
  /** Reads the journal's incidents and cases; nothing if there is no journal. */
  cases(): Cases | undefined;
  /** The absolute path of the configuration, for commands to type; nothing if it is not known. */
  readonly config: string | undefined;
}
