import type { Conflict } from "../evidence/conflict.ts";
import { headKey } from "../evidence/head.ts";
import type { HeldCase } from "../gossip/exchange.ts";
import type { OpenQuestion } from "../store/observation_index.ts";
import type { ObservationJournal } from "../store/observations.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import type { Common } from "./common.ts";
import { openKept } from "./kept_note.ts";
import type { QuestionTable } from "./questions.ts";
import { THE_LOG } from "./the_log.ts";

/** What the journal knows of a log when it is taken up. */
export interface Recalled {
  readonly log: Log;
  readonly questions: QuestionTable;
  readonly view: VerifiedCheckpoint | undefined;
  /** When the view was first shown, RFC 3339, UTC. */
  readonly seenAt: string | undefined;
  /** What was found inconsistent and is in no record, because its record may have been lost. */
  readonly again: readonly OpenQuestion[];
}

/** Takes a log up as it stood when this monitor last ended. Conflicts without a record get theirs. */
export async function recall(
  { observations, memory, keeper }: Common,
  log: Log,
): Promise<Recalled> {
  // The questions are read here, because later the database may refuse.
  const questions = memory.questions(log);
  const last = observations.view(log);
  const view = viewOf(observations, log);
  if (view !== undefined) await keeper.takeInOwn(view, THE_LOG);
  // A crash may have come after a checkpoint was written and before its incident was. `keep` skips
  // the cases that the incident journal has.
  for (const treeSize of observations.contradictedSizes(log)) {
    await keeper.keep({ more: contradictionsAt({ observations, log, treeSize }) });
  }
  const inCase = new Set(keeper.cases(log).flatMap(headsOf));
  const again = observations.accused(log).filter((seen) => !inCase.has(headKey(seen)));
  return { log, questions, view, seenAt: last?.seenAt, again };
}

/** A case's two checkpoints, each by size and root. */
export function headsOf({ checkpoint_a, checkpoint_b }: HeldCase): string[] {
  return [checkpoint_a, checkpoint_b].map(({ size, root }) => `${size} ${root}`);
}

/** The conflicts at one size that the observation journal shows, recorded as incidents or not. */
function contradictionsAt(
  { observations, log, treeSize }: {
    observations: ObservationJournal;
    log: Log;
    treeSize: bigint;
  },
): Conflict[] {
  const [first, ...others] = observations.rootsAt(log, treeSize).flatMap(({ note, source }) => {
    const checkpoint = openKept(note, log);
    return checkpoint === undefined ? [] : [{ checkpoint, source }];
  });
  if (first === undefined) return [];
  return others.map((second): Conflict => ({ kind: "same_size", first, second }));
}

/** The view of a log, as the journal has it now. */
export function viewOf(
  observations: ObservationJournal,
  log: Log,
): VerifiedCheckpoint | undefined {
  const last = observations.view(log);
  return last && openKept(last.note, log);
}
