import type { FrozenLogs } from "../response/freeze.ts";
import type { ObservationJournal } from "../store/observations.ts";
import type { World } from "../world/world.ts";
import type { CaseKeeper } from "./case_keeper.ts";
import type { ClockWatch } from "./clock_watch.ts";
import type { Happenings } from "./happenings.ts";
import type { JournaledMemory } from "./recollection.ts";

/** What all followers of a daemon have in common. */
export interface Common {
  readonly world: World;
  readonly clockWatch: ClockWatch;
  readonly observations: ObservationJournal;
  readonly memory: JournaledMemory;
  readonly keeper: CaseKeeper;
  readonly happenings: Happenings;
  /** Of which logs nothing is accepted now. */
  readonly gate: FrozenLogs;
}
