/** What `ask` learns from a monitor about the checkpoints that it asked about, and the words for it. */
import { askSettled } from "../gossip/asking.ts";
import { ExchangeFailed } from "../gossip/caller.ts";
import type { ExchangeParty } from "../gossip/exchange.ts";
import {
  type HeadOfLog,
  headOfLogKey,
  MAX_HEADS_ASKED,
  type Standing,
} from "../gossip/settled_item.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { Stop } from "../world/stop.ts";
import type { Address } from "../world/world.ts";
import type { Terminal } from "./terminal.ts";

/** How long a monitor is asked again while it settles what it heard. */
export const SETTLING_MS = 20_000;
/** The first pause between two questions. Once all were asked about, it doubles each time. */
const FIRST_PAUSE_MS = 500;

/** What a monitor claims about the checkpoints that it was asked about. */
export class Claims {
  readonly #standings = new Map<string, Standing>();

  /** Takes in what it claims about a checkpoint now. */
  add(head: HeadOfLog, standing: Standing): void {
    this.#standings.set(headOfLogKey(head), standing);
  }

  /** What it claims about a checkpoint; nothing if its version cannot say, or it did not. */
  about(head: HeadOfLog): Standing | undefined {
    return this.#standings.get(headOfLogKey(head));
  }
}

/**
 * Asks a monitor which of these checkpoints it has settled. While some are open that it can settle
 * soon, it is asked again a few times.
 * @param heads all were told to it before
 * @param isSoon whether an open one is worth the wait
 * @returns what it claims, and why nothing more was learned, if a question failed
 * @throws whatever `keep` throws
 */
export async function askUntilSettled({ party, address, heads, isSoon, terminal }: {
  party: ExchangeParty;
  address: Address;
  heads: readonly HeadOfLog[];
  isSoon: (head: HeadOfLog) => boolean;
  terminal: Terminal;
}): Promise<{ claims: Claims; fault?: string }> {
  const { clock } = party.world;
  const claims = new Claims();
  const end = clock.monotonic() + SETTLING_MS;
  let left = heads;
  let pauseMs = FIRST_PAUSE_MS;
  try {
    while (left.length > 0) {
      const asked = left.slice(0, MAX_HEADS_ASKED);
      const answer = await askSettled({ party, callee: address, heads: asked });
      if (answer === undefined) break;
      for (const { standing, ...head } of answer) claims.add(head, standing);
      const open = asked.filter((head) => claims.about(head) === "open" && isSoon(head));
      const unasked = left.slice(MAX_HEADS_ASKED);
      left = [...unasked, ...open];
      const restMs = end - clock.monotonic();
      if (left.length === 0 || restMs <= 0) break;
      const seconds = Math.ceil(restMs / 1_000);
      terminal.progress(
        `the monitor settles ${left.length} of ${heads.length}; waiting up to ${seconds} s`,
      );
      await new Stop().pause(clock, Math.min(pauseMs, restMs));
      if (unasked.length === 0) pauseMs *= 2;
    }
    return { claims };
  } catch (error) {
    if (!(error instanceof ExchangeFailed)) throw error;
    return { claims, fault: error.message };
  } finally {
    terminal.progress("");
  }
}

/** What is known of a log here and there, when nothing contradicts. */
export interface Comparison {
  /** Our largest checkpoint. */
  readonly ours: VerifiedCheckpoint;
  /** The others that were asked about. */
  readonly others: readonly VerifiedCheckpoint[];
  /** The monitor's largest checkpoint, if it has one. */
  readonly theirs: VerifiedCheckpoint | undefined;
  readonly claims: Claims;
  /** Whether tiles that are here prove the monitor's to be the beginning of ours. */
  readonly isProvenHere?: boolean;
}

/** One line about a log. What a monitor says of its own view is worded as its claim. */
export function describeComparison(
  { ours, others, theirs, claims, isProvenHere = false }: Comparison,
): string {
  if (theirs === undefined) return "the monitor has seen nothing of it yet";
  if (theirs.treeSize === ours.treeSize) {
    const same = `the monitor was shown the same, size ${ours.treeSize}`;
    const unsettled = others.filter((one) => (claims.about(one) ?? "consistent") !== "consistent");
    if (unsettled.length === 0) return same;
    return `${same}; of ${others.length} smaller checkpoints that are here, it has not settled ` +
      `${unsettled.length} yet`;
  }
  const where = theirs.treeSize > ours.treeSize ? "ahead" : "behind";
  const at = `the monitor is ${where}, at size ${theirs.treeSize}`;
  if (isProvenHere && others.length === 0) {
    return `${at}, and consistent: tiles that are here prove it to be the beginning of ours, of ` +
      `size ${ours.treeSize}`;
  }
  const standings = [ours, ...others].map((one) => claims.about(one));
  if (standings.every((standing) => standing === "consistent")) {
    const what = others.length === 0
      ? `ours of size ${ours.treeSize}`
      : `all ${standings.length} that are here, up to size ${ours.treeSize},`;
    return `${at}, and consistent: it says that it has proven ${what} by its own view`;
  }
  const nothing =
    `${at}, and we at ${ours.treeSize}; nothing that it said contradicts what is here`;
  // Monitors of older versions settle what they heard, but cannot say so.
  if (standings.every((standing) => standing === undefined)) {
    return `${nothing}. It settles by its own view what it heard: ask again later`;
  }
  if (standings.includes("open")) {
    const why = where === "behind"
      ? `Its own view has to reach size ${ours.treeSize} first`
      : "It settles by its own view what it heard";
    return `not settled yet: ${nothing}. ${why}: ask again later`;
  }
  const isUnknown = standings.includes("unknown");
  const why = isUnknown
    ? "It will not settle all of it: it keeps no view of its own, or has no room"
    : "It was not asked about all of it";
  return `not settled: ${nothing}. ${why}`;
}
