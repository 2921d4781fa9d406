import { millisecondsBetween } from "../world/time.ts";
import type { HeardElsewhere, Status } from "./status.ts";
import type { Trouble } from "./troubles.ts";

/** So many entries behind a store that is there, it is told: what is written is published at once. */
export const MOST_BEHIND = 10_000;

/** What is not as it should be with the store that is shared with other sites. */
export function troublesOfStore({ store }: Status, isStarting: boolean): Trouble[] {
  if (store === undefined) return [];
  const { state, detail, since, behind, sites } = store;
  if (state === "away") {
    // A start connects first, which is no trouble unless it fails.
    if (detail === undefined && isStarting) return [];
    return [{
      text: `the shared store is away: ${detail ?? "it has not answered yet"}`,
      advice:
        "This monitor goes on alone: it looks at every log itself, and catches up later. Look " +
        'at the database (OPERATING, "Several machines, one monitor").',
      since,
    }];
  }
  const gone = sites.filter(({ isAlive, isStopped }) => !isAlive && isStopped !== true);
  const away = gone.map(({ name, seenAt }): Trouble => ({
    text: `site ${name} is away: it shares the store, and is not heard of`,
    advice: "The other sites look at its logs. If it is gone for good: hearsay store forget " +
      `${name}.`,
    since: seenAt,
  }));
  if (behind <= MOST_BEHIND) return away;
  const text = `the shared store lacks ${behind} entries of this monitor's journal`;
  return [...away, { text, advice: "It catches up. If it does not, the database is too slow." }];
}

/** What a peer's trouble says, and what it asks, if another site hears the peer: less. */
export function easedBy<T extends Pick<Trouble, "text" | "advice">>(
  trouble: T,
  { heardBy, now }: { heardBy: HeardElsewhere | undefined; now: string },
): T {
  if (heardBy === undefined) return trouble;
  const { site, at } = heardBy;
  const seconds = Math.floor(millisecondsBetween(at, now) / 1_000);
  const ago = seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
  return {
    ...trouble,
    text: `${trouble.text}; site ${site} heard it ${ago} ago`,
    advice: `It runs, and what it tells site ${site} of the logs is judged here too. Look at the ` +
      "network between it and this site; nothing is urgent.",
  };
}
