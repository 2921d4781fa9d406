/**
 * Which peers show a half of a case that this monitor has not accepted: for the rows of peers.
 *
 * @module
 */
import type { ReadCase } from "../monitor/case_reader.ts";
import type { Status } from "../monitor/status.ts";
import type { Incident } from "../response/runbook.ts";
import type { ShownOf } from "./page_drawing.ts";
import { isAbout, refusedOf } from "./page_refused.ts";

/** What a peer shows that contradicts what this monitor has accepted. */
export interface Contradicting {
  /** Decimal. */
  readonly size: string;
  /** The number of the case. */
  readonly seq: number;
  /** The incident that has the case, if one has. */
  readonly id: string | undefined;
}

/** The peers that show such a half, by their addresses; of each the first that is found. */
export function contradictingPeers(
  { logs }: Pick<Status, "logs">,
  { shown, cases, incidents }: {
    shown: ShownOf;
    cases: readonly ReadCase[];
    incidents: readonly Pick<Incident, "id" | "cases">[];
  },
): ReadonlyMap<string, Contradicting> {
  const found = new Map<string, Contradicting>();
  for (const one of cases) {
    const { seq, record } = one;
    for (const log of logs.filter((log) => isAbout(record.log, log))) {
      const refused = refusedOf(log, [one]).filter(({ contradicts }) => contradicts);
      for (const { source, size, root } of shown(log)) {
        const isHalf = refused.some((half) => half.size === size && half.root === root);
        if (!isHalf || found.has(source)) continue;
        const id = incidents.find(({ cases }) => cases.includes(record.evidence_id))?.id;
        found.set(source, { size, seq, id });
      }
    }
  }
  return found;
}
