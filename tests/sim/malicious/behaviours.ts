/**
 * What malicious members do, by name.
 *
 * @module
 */
import { accuses } from "./accuses.ts";
import { floods } from "./floods.ts";
import { keepsSilent } from "./keeps_silent.ts";
import { makesUpCases } from "./makes_up_cases.ts";
import type { Behaviour } from "./member.ts";
import { replays } from "./replays.ts";
import { surrounds } from "./surrounds.ts";
import { talksGarbage } from "./talks_garbage.ts";
import { twoTongues } from "./two_tongues.ts";
import { wrongTimes } from "./wrong_times.ts";

/** Each kind of malicious member, besides one whose folder was copied: that is two whole daemons. */
export const BEHAVIOURS = {
  "talks garbage": talksGarbage,
  replays,
  floods,
  accuses,
  "keeps silent": keepsSilent,
  "makes up cases": makesUpCases,
  "two tongues": twoTongues,
  surrounds,
  "wrong times": wrongTimes,
} as const satisfies Record<string, Behaviour>;
