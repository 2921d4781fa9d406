import type { SwarmNews } from "../swarm/swarm_host.ts";
import type { EventReport, Level } from "./events.ts";

/** What comes several ways in good order, or differs from monitor to monitor. */
const QUIET_REFUSALS: readonly string[] = [
  ...["duplicate", "unknown source", "unknown version"],
  // After a restart both are in good order. `hearsay peers` counts them.
  ...["stale", "replayed"],
];

/**
 * Prints what happens between members. That a member cannot be reached is told as the trouble of a
 * peer: see `callTrouble`.
 */
export class MemberTeller {
  readonly #report: EventReport;
  readonly #warningOf: (source: string) => Level;

  /** @param warningOf the level of a warning that this source can cause at will */
  constructor({ report, warningOf }: {
    report: EventReport;
    warningOf: (source: string) => Level;
  }) {
    this.#report = report;
    this.#warningOf = warningOf;
  }

  /** Prints one piece of news, if it makes a line. */
  tell(news: SwarmNews): void {
    const { event } = this.#report;
    switch (news.kind) {
      case "connected": {
        const { member, hello: { software }, isCaller } = news;
        return event("member.connected", "info", { member, software, called: isCaller });
      }
      case "ended": {
        const { member, why, reason } = news;
        return event("member.disconnected", why === "lost" ? "info" : "debug", {
          ...{ member, why, reason },
        });
      }
      case "left":
        return event("member.left", "info", { member: news.member });
      case "banned": {
        const { member, reason, until = "it is unbanned" } = news;
        return event("member.banned", "warning", { member, reason, until });
      }
      case "accused": {
        const { member, by, reason } = news;
        return event("member.accused", "warning", { member, by, reason });
      }
      case "refused": {
        const { member, refused, detail } = news;
        const level = QUIET_REFUSALS.includes(refused) ? "debug" : this.#warningOf(member);
        return event("member.refused", level, { member, refused, detail });
      }
      case "turned away": {
        const { caller, reason } = news;
        return event("member.turned_away", this.#warningOf(caller), { caller, reason });
      }
      case "undelivered": {
        const { member, evidenceId: evidence_id } = news;
        return event("member.undelivered", "warning", { member, evidence_id });
      }
      case "key used twice":
        return event("member.key_used_twice", "error", {
          member: news.member,
          detail:
            "two programs speak with this key: a folder was copied or restored, or the key is " +
            "in other hands",
        });
      case "not wanted": {
        const { member, refusal } = news;
        return event("member.not_wanted", "debug", { member, refusal });
      }
      case "not reached":
        return;
    }
  }
}

/**
 * Why a member could not be spoken to, as the trouble of a call.
 * @param own our vkey
 * @returns nothing if it is no trouble: a full room, or a monitor that ends
 */
export function callTrouble(
  news: SwarmNews,
  own: string,
): { source: string; reason: string } | undefined {
  if (news.kind === "not reached") {
    return { source: news.member, reason: `cannot be reached: ${news.reason}` };
  }
  if (news.kind !== "not wanted") return undefined;
  const source = news.member;
  switch (news.refusal) {
    case "unknown":
      return { source, reason: `does not know this monitor as a member; it needs a peer ${own}` };
    case "banned":
      return { source, reason: "has banned this monitor" };
    case "version":
      return { source, reason: "speaks another version of sessions" };
    default:
      return undefined;
  }
}
