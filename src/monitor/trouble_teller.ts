import type { Result } from "../evidence/result.ts";
import type { Log } from "../tlog/log.ts";
import type { Clock } from "../world/world.ts";
import type { EventAbout } from "../response/occurrences.ts";
import { aboutOf, namedLog } from "./event_about.ts";
import { type EventReport, RESULT_LEVELS } from "./events.ts";
import type { Found, Happening } from "./happenings.ts";
import { LastingTroubles, type TroubleName } from "./lasting_troubles.ts";
import { THE_LOG } from "./the_log.ts";
import type { Finding } from "./finding.ts";
import { saysOfWitness } from "./troubles.ts";

/**
 * The troubles of looks, ordered by how far the look came. A look is the end of all that come before
 * what it came to itself: who shows an old checkpoint can be reached.
 */
const BY_REACH: readonly string[] = [
  "unavailable",
  "unverified",
  "unproven",
  "rolled back",
  "frozen",
];
/** The results of looks at which nothing is the matter. */
const WELL: readonly string[] = ["first", "extends", "unchanged", "consistent"];
/** It is told by checkpoint, and has an end of its own. */
const WITHHELD = "withheld";

/**
 * Tells of the troubles of logs and of configured peers: when one begins, now and then while it lasts,
 * and when it is over.
 */
export class TroubleTeller {
  readonly #report: EventReport;
  readonly #troubles: LastingTroubles;
  /** Peers that sent something in the round under way that was refused. */
  readonly #refused = new Set<string>();
  /** Witnesses, by log, that were told to keep up, or to be back, since the start. */
  readonly #keepingUp = new Set<string>();

  constructor({ clock, report }: { clock: Clock; report: EventReport }) {
    this.#report = report;
    this.#troubles = new LastingTroubles(clock);
  }

  /** Forgets the logs and peers that are not configured any more. */
  reloaded({ subjects }: Extract<Happening, { kind: "reloaded" }>): void {
    const logs = new Set([...subjects].map(witnessesOf));
    this.#troubles.keep((subject) => subjects.has(subject) || logs.has(subject));
  }

  /** A look at a log, or what another of its places showed in it. First tells what is over by it. */
  looked(found: Found): void {
    const { finding, result, about, isNews } = found;
    if (about === "look") this.#endWhatIsOver(finding, result);
    if (isTrouble(result)) {
      return this.#tellTrouble(finding, result, about === "place" ? finding.source : "");
    }
    const level = about === "place" || isNews ? RESULT_LEVELS[result] : "debug";
    const { source } = finding;
    const of = aboutOf(finding, about === "place" ? { place: source } : {});
    this.#report.event(`log.${result}`, level, fieldsOf(finding), of);
  }

  /** Peers vouch for a checkpoint that the log has not shown us. It is told once for each. */
  withheld({ finding: { log, source, detail = "" } }: Found): void {
    const name = { subject: log.id, kind: WITHHELD };
    const { level, lasted } = this.#troubles.cameUp(name, { reason: detail, level: "warning" });
    const fields = { origin: log.origin, source, detail, ...lasted };
    this.#report.event("log.withheld", level, fields, { log: namedLog(log) });
  }

  /** After a look: whether the log still withholds something. */
  withholding(happening: Extract<Happening, { kind: "withholding" }>): void {
    const { log, checkpoints, detail } = happening;
    const name = { subject: log.id, kind: WITHHELD };
    if (checkpoints === 0) return this.#endOfLog(log, name);
    const { level, lasted } = this.#troubles.cameUp(name, { reason: detail, level: "warning" });
    if (level === "debug") return;
    this.#report.event("log.withheld", level, {
      ...{ origin: log.origin, checkpoints, detail },
      ...lasted,
    }, { log: namedLog(log) });
  }

  /** How a witness of a log keeps up. */
  witness(happening: Extract<Happening, { kind: "witness" }>): void {
    const { log, name, vkey, keeping, size, cosignedAt } = happening;
    const subject = witnessesOf(log.id);
    const fields = {
      ...{ origin: log.origin, witness: name },
      ...(size !== undefined && { size }),
      ...(cosignedAt !== undefined && { cosigned_at: cosignedAt }),
    };
    const about = { witness: vkey };
    if (keeping === "cosigning" && !this.#keepingUp.has(`${subject}\n${vkey}`)) {
      this.#keepingUp.add(`${subject}\n${vkey}`);
      this.#report.event("witness.cosigning", "debug", fields, about);
    }
    for (const kind of ["lagging", "missing"] as const) {
      const trouble = { subject, place: vkey, kind };
      if (kind !== keeping) {
        // Where nothing is known, nothing is over.
        if (keeping === "waiting") continue;
        const lasted = this.#troubles.stayedAway(trouble);
        if (lasted === undefined) continue;
        const ended = { ...fields, after: kind, ...lasted };
        this.#report.event("witness.recovered", "info", ended, about);
        continue;
      }
      const told = { reason: "", level: "warning" } as const;
      const { level, lasted } = this.#troubles.cameUp(trouble, told);
      this.#report.event(`witness.${kind}`, level, {
        ...fields,
        detail:
          `it ${saysOfWitness(happening)!}: it may be down, or cut off; it could be cosigning ` +
          "another version of the log",
        ...lasted,
      }, about);
    }
  }

  /** A call of a peer begins. */
  calling(peer: string): void {
    this.#refused.delete(peer);
  }

  /** A peer has answered the greeting. It may be this monitor itself. */
  greeted({ source, isSelf }: Extract<Happening, { kind: "greeted" }>): void {
    if (!isSelf) return this.#endOfPeer(source, "self");
    const detail = "this peer is this monitor itself, so nothing is compared with it";
    const name = { subject: source, kind: "self" };
    const { level, lasted } = this.#troubles.cameUp(name, { reason: detail, level: "warning" });
    this.#report.event("exchange.self", level, { source, detail, ...lasted }, { peer: source });
  }

  /** A configured peer sent what is refused. */
  refused(peer: string, fields: Readonly<Record<string, unknown>>): void {
    this.#refused.add(peer);
    const name = { subject: peer, kind: "refused" };
    // Only the beginning and the summaries: the details may be different each time.
    const { level, lasted } = this.#troubles.cameUp(name, { reason: "", level: "warning" });
    this.#report.event("exchange.refused", level, { source: peer, ...fields, ...lasted }, { peer });
  }

  /** A call of a peer failed. */
  callFailed(peer: string, reason: string): void {
    const name = { subject: peer, kind: "failed" };
    const { level, lasted } = this.#troubles.cameUp(name, { reason, level: "warning" });
    this.#report.event("exchange.failed", level, { source: peer, reason, ...lasted }, { peer });
  }

  /** A peer that was called has answered, whatever became of its answer. */
  answered(peer: string): void {
    this.#endOfPeer(peer, "failed");
  }

  /** A call of a peer came to its end. */
  called({ source, sharedLogs, fault }: Extract<Happening, { kind: "called" }>): void {
    if (fault !== undefined) this.callFailed(source, fault);
    else this.#endOfPeer(source, "failed");
    if (!this.#refused.has(source)) this.#endOfPeer(source, "refused");
    if (sharedLogs !== 0) return this.#endOfPeer(source, "nothing shared");
    const name = { subject: source, kind: "nothing shared" };
    const { level, lasted } = this.#troubles.cameUp(name, { reason: "", level: "warning" });
    const about = { peer: source };
    this.#report.event("exchange.nothing shared", level, { source, ...lasted }, about);
  }

  /** Tells of trouble of a log, or of one of its places, that begins or goes on. */
  #tellTrouble(finding: Finding, result: Result, place: string): void {
    const { log, detail = "", mayPass } = finding;
    const told = { reason: detail, level: mayPass ? "warning" : RESULT_LEVELS[result] };
    const { level, lasted } = this.#troubles.cameUp({ subject: log.id, place, kind: result }, told);
    const fields = { ...fieldsOf(finding), ...lasted };
    this.#report.event(`log.${result}`, level, fields, aboutOf(finding, { place }));
  }

  /** Goes through the troubles of a log after a look: which came up again, and which are over. */
  #endWhatIsOver(finding: Finding, result: Result): void {
    const { log, source, others = [], standing = [], asked = [] } = finding;
    for (const name of this.#troubles.of(log.id)) {
      const { place = "", kind } = name;
      const isSame = (one: Finding): boolean => one.source === place && one.result === kind;
      if (kind === WITHHELD) continue;
      if (place === "") {
        // A look that is `frozen` may have shown the old checkpoint once more.
        if (kind !== finding.result && reach(kind) < reach(result)) this.#endOfLog(log, name);
        continue;
      }
      const again = standing.find(isSame);
      if (again !== undefined) this.#tellTrouble(again, again.result, place);
      // If no place shows a checkpoint, that is told of the log as a whole. A place may ask us to wait.
      const isAsked = reach(result) >= reach("unproven") && asked.includes(place);
      const isThere = again !== undefined || others.some(isSame) ||
        (source === place && finding.result === kind);
      if (isAsked && !isThere) this.#endOfLog(log, name);
    }
  }

  #endOfLog(log: Log, name: TroubleName): void {
    const { place = "", kind } = name;
    const source = place === "" ? THE_LOG : place;
    const fields = { origin: log.origin, source, after: kind };
    this.#tellEnd("log.recovered", { fields, name, about: { log: namedLog(log), place } });
  }

  #endOfPeer(source: string, kind: string): void {
    const name = { subject: source, kind };
    const fields = { source, after: kind };
    this.#tellEnd("exchange.recovered", { fields, name, about: { peer: source } });
  }

  #tellEnd(
    event: "log.recovered" | "exchange.recovered",
    { fields, name, about }: {
      fields: Readonly<Record<string, string>>;
      name: TroubleName;
      about: EventAbout;
    },
  ): void {
    const lasted = this.#troubles.stayedAway(name);
    if (lasted !== undefined) this.#report.event(event, "info", { ...fields, ...lasted }, about);
  }
}

/** The subject of what is told of the witnesses of a log. */
function witnessesOf(subject: string): string {
  return `witnesses of ${subject}`;
}

/** Whether a result begins a trouble. What is proven is none: it does not pass. */
function isTrouble(result: Result): boolean {
  return result !== "inconsistent" && ["warning", "error"].includes(RESULT_LEVELS[result]);
}

/** How far a look came. */
function reach(result: string): number {
  if (WELL.includes(result)) return BY_REACH.length;
  // The log showed a checkpoint that it signed.
  if (result === "inconsistent") return BY_REACH.indexOf("unproven");
  return BY_REACH.indexOf(result);
}

/** What an event says of a finding. */
export function fieldsOf({ log, source, checkpoint, detail }: Finding): Record<string, unknown> {
  return {
    origin: log.origin,
    source,
    ...(checkpoint && { size: `${checkpoint.treeSize}` }),
    ...(detail !== undefined && { detail }),
  };
}
