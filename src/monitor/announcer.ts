import type { Heard } from "../gossip/judge.ts";
import { PlaceLost } from "../world/durable.ts";
import type { Clock } from "../world/world.ts";
import { listFields, type ListNews } from "./list_follower.ts";
import { type EventReport, type Level, RESULT_LEVELS } from "./events.ts";
import type { Found, Happening } from "./happenings.ts";
import { type IncidentNews, IncidentNotWritten } from "./case_keeper.ts";
import { MemberTeller } from "./member_teller.ts";
import { MirrorTeller } from "./mirror_teller.ts";
import { LOST_ADVICE } from "./places.ts";
import { aboutCase, aboutOf, namedLog } from "./event_about.ts";
import { StoreTeller } from "./store_teller.ts";
import { fieldsOf, TroubleTeller } from "./trouble_teller.ts";
import { RefusalLimiter, WARN_AGAIN_MS, WarningLimiter } from "./warnings.ts";

/** What is said of a log that is not frozen by its own word alone. */
const BY_ITS_WORD = "it has not grown for longer than its patience and is not told as frozen, " +
  'because it says that it does not grow any more; set "retired" if you know that from elsewhere';
/** How many contradictions are remembered as told. Beyond that all are forgotten and told again. */
const MAX_TOLD = 10_000;

/**
 * Prints what happens as log lines, each with a stable name, a level and its fields. Warnings that
 * anybody can cause are limited in number. Trouble of logs and peers is told when it begins, now and
 * then, and when it is over. Lines about proven cases are never limited.
 */
export class Announcer {
  readonly #clock: Clock;
  readonly #report: EventReport;
  readonly #isPeer: (source: string) => boolean;
  readonly #isOwn: (source: string) => boolean;
  readonly #troubles: TroubleTeller;
  readonly #warnings: WarningLimiter;
  readonly #refusals: RefusalLimiter;
  readonly #members: MemberTeller;
  readonly #mirrors: MirrorTeller;
  readonly #store: StoreTeller;
  readonly #toldContradictions = new Set<string>();
  #leftOutToldAt = -Infinity;
  #toldMoved = false;

  constructor({ clock, report, isPeer, isOwn, written }: {
    clock: Clock;
    report: EventReport;
    /** Whether a source is the configured address of a peer. */
    isPeer: (source: string) => boolean;
    /** Whether a source is this monitor's own address. */
    isOwn: (source: string) => boolean;
    /** How many entries the observation journal has. */
    written: () => number;
  }) {
    this.#clock = clock;
    this.#report = report;
    this.#isPeer = isPeer;
    this.#isOwn = isOwn;
    this.#troubles = new TroubleTeller({ clock, report });
    this.#warnings = new WarningLimiter({
      clock,
      onLeftOut: (count) => this.tell({ kind: "warnings left out", count }),
    });
    this.#members = new MemberTeller({ report, warningOf: (source) => this.#warningOf(source) });
    this.#mirrors = new MirrorTeller({ clock, report });
    this.#store = new StoreTeller({ clock, report });
    this.#refusals = new RefusalLimiter({
      clock,
      tell: (error, more) => this.#report.workFailed(error, more),
      tellEnd: (lasted) => this.#report.event("disk.recovered", "info", lasted),
      written,
    });
  }

  /** How many lines were lost because standard output could not be written. */
  get lost(): number {
    return this.#report.lost?.() ?? 0;
  }

  /** Prints the counts of what was left out so far. */
  close(): void {
    this.#warnings.flush();
    this.#refusals.flush();
  }

  /** Prints one happening, if it makes a line. */
  tell(happening: Happening): void {
    const { event } = this.#report;
    switch (happening.kind) {
      case "started": {
        const { name, listen = "nowhere", logs, peers } = happening;
        return event("daemon.started", "info", { name, listen, logs, peers });
      }
      case "reloaded": {
        const { logs, peers } = happening;
        this.#troubles.reloaded(happening);
        return event("config.reloaded", "info", { logs, peers });
      }
      case "stopping":
        return event("daemon.stopping", "info", {});
      case "upkeep":
        return event("daemon.upkeep", "debug", { segments_removed: happening.segmentsRemoved });
      case "indexing":
        return event("index.progress", "info", { ...happening.progress });
      case "clock jumped":
        return event("clock.jumped", "warning", { by_ms: happening.byMs });
      case "journal torn":
        return event("journal.torn", "warning", { set_aside: happening.setAside });
      case "witness torn":
        return event("witness.torn", "warning", { bytes: happening.bytes });
      case "witness list":
        return this.#tellList(happening.news);
      case "journal unsound":
        return event("journal.unsound", "warning", { incidents: happening.incidents });
      case "journal lost":
        return event("journal.lost", "error", { detail: happening.detail, advice: LOST_ADVICE });
      case "journal epoch": {
        const { origin, detail } = happening;
        return event("journal.epoch", "error", { origin, detail });
      }
      case "store away":
        return this.#store.away(happening.detail);
      case "store connected":
        return this.#store.connected();
      case "mirror synced":
        return this.#mirrors.synced(happening);
      case "mirror pushed to":
        return this.#mirrors.pushedTo(happening);
      case "mirror began anew": {
        const { name: monitor, origin } = happening;
        return event("mirror.began anew", "warning", { monitor, origin });
      }
      case "mirror damaged": {
        const { name: monitor, detail } = happening;
        return event("mirror.damaged", "error", { monitor, detail });
      }
      case "mirrored record refused": {
        const { name: monitor, seq, detail } = happening;
        const level = this.#warningOf(`the journal of ${monitor}`);
        return event("mirror.record refused", level, { monitor, entry: seq, detail });
      }
      case "journal pushed": {
        const { url, pushed } = happening;
        const size = "size" in pushed ? { size: `${pushed.size}` } : {};
        const reason = "reason" in pushed ? { reason: pushed.reason } : {};
        return event("journal.pushed", "debug", { url, outcome: pushed.kind, ...size, ...reason });
      }
      case "trap":
        return event("config.trap", "warning", { detail: happening.detail });
      case "world refused": {
        const { error } = happening;
        const cause = error instanceof IncidentNotWritten ? error.cause : error;
        if (cause instanceof PlaceLost) return this.#tellMoved(cause);
        return this.#refusals.add(error);
      }
      case "fault": {
        const { error } = happening;
        const { message, stack } = error instanceof Error ? error : new Error(String(error));
        return event("daemon.fault", "error", { reason: message, stack });
      }
      case "warnings left out":
        return event("warnings.left_out", "warning", { count: happening.count });
      case "found":
        return this.#tellFound(happening);
      case "case":
        return this.#tellCase(happening.news);
      case "incident step":
        return this.#tellStep(happening);
      case "heard":
        return this.#tellHeard(happening.heard, happening.source);
      case "left out":
        return this.#tellLeftOut(happening);
      case "broken": {
        const { source, reason } = happening;
        // The end of a call tells the same.
        const level = this.#isPeer(source) ? "debug" : this.#warningOf(source);
        return event("exchange.failed", level, { source, reason });
      }
      case "greeted":
        return this.#troubles.greeted(happening);
      case "retired":
        return event("log.retired", "warning", {
          ...{ origin: happening.log.origin, detail: BY_ITS_WORD },
        }, { log: namedLog(happening.log) });
      case "withholding":
        return this.#troubles.withholding(happening);
      case "witness":
        return this.#troubles.witness(happening);
      case "member":
        return this.#members.tell(happening.news);
      case "calling":
        return this.#troubles.calling(happening.source);
      case "call failed":
        return this.#troubles.callFailed(happening.source, happening.reason);
      case "call not written":
        return this.#troubles.answered(happening.source);
      case "called": {
        this.#troubles.called(happening);
        const { source, evidenceIds } = happening;
        if (evidenceIds.length > 0) {
          event("exchange.handed over", "info", { source, evidence_ids: evidenceIds });
        }
      }
    }
  }

  /** Tells once that a folder was moved: the daemon ends by it. */
  #tellList(news: ListNews): void {
    const { url, copyOf } = news;
    if ("list" in news) {
      const { list } = news;
      const level = list.dropped.length > 0 ? "warning" : "info";
      return this.#report.event("witness.list", level, listFields({ from: url, list, copyOf }));
    }
    const detail = copyOf === undefined
      ? "none of its logs is known yet, and nothing that they push is cosigned"
      : `the copy that was fetched at ${copyOf} stays in use`;
    const fields = { file: url, reason: news.problem, detail };
    this.#report.event("witness.list_unavailable", "warning", fields);
  }

  #tellMoved({ message: detail }: PlaceLost): void {
    if (this.#toldMoved) return;
    this.#toldMoved = true;
    const advice = "nothing more is written and the daemon ends: put the folder back where the " +
      "configuration says, then start it again";
    this.#report.event("folder.moved", "error", { detail, advice });
  }

  #tellFound(found: Found): void {
    const { finding, result, about } = found;
    if (about !== "question") return this.#troubles.looked(found);
    if (result === "withheld") return this.#troubles.withheld(found);
    const loudness = finding.mayPass ? "warning" : RESULT_LEVELS[result];
    // An outage is told by the look that meets it, and not again by each question that waits for it.
    const level = result === "unavailable" ? "debug" : loudness;
    const of = aboutOf(finding, { isQuestion: true });
    this.#report.event(`log.${result}`, level, fieldsOf(finding), of);
  }

  #tellCase(news: IncidentNews): void {
    const { outcome, record } = news;
    this.#report.event(`incident.${outcome}`, outcome === "known" ? "info" : "error", {
      kind: record.kind,
      origin: record.log.origin,
      evidence_id: record.evidence_id,
      sizes: [record.checkpoint_a.size, record.checkpoint_b.size],
      ..."seq" in news && { incident: news.seq },
      ..."error" in news && { reason: news.error.message },
      // The journal does not have the record, so the line has it.
      ...(outcome === "not written" || outcome === "refused") && { record },
    }, aboutCase(record));
  }

  #tellStep({ incident, isFrozen }: Extract<Happening, { kind: "incident step" }>): void {
    const { id, log, cause, cases, steps } = incident;
    const { from, to, by, why } = steps.at(-1)!;
    this.#report.event("incident.step", to === "FREEZE" ? "error" : "info", {
      ...{ incident: id, origin: log.origin, cause, evidence_ids: cases },
      ...{ from, to, by, why, frozen: isFrozen },
    });
  }

  #tellHeard(heard: Heard, source: string): void {
    const fields = {
      ..."checkpoint" in heard && {
        origin: heard.checkpoint.log.origin,
        size: `${heard.checkpoint.treeSize}`,
      },
      ..."detail" in heard && { detail: heard.detail },
    };
    if (heard.verdict === "refused" && this.#isPeer(source)) {
      return this.#troubles.refused(source, fields);
    }
    const level = this.#loudness(heard, source);
    this.#report.event(`exchange.${heard.verdict}`, level, { source, ...fields });
  }

  /** Prints at most once a minute that checkpoints were left out because there was no room. */
  #tellLeftOut({ log: { origin }, source }: Extract<Happening, { kind: "left out" }>): void {
    const now = this.#clock.monotonic();
    if (now - this.#leftOutToldAt < WARN_AGAIN_MS) return;
    this.#leftOutToldAt = now;
    this.#report.event("exchange.left out", "warning", {
      ...{ origin, source },
      detail: "others told more unsettled checkpoints than there is room for",
    });
  }

  /**
   * The level of what was heard. That a log signed two roots at one size is an error the first time,
   * and afterwards known: the log may sign any number of roots there, and anybody may send them.
   */
  #loudness(heard: Heard, source: string): Level {
    if (heard.verdict === "refused") return this.#warningOf(source);
    if (heard.verdict !== "inconsistent") return "debug";
    const { log, treeSize } = heard.checkpoint;
    const contradiction = `${treeSize} ${log.id}`;
    if (this.#toldContradictions.has(contradiction)) return "debug";
    this.#toldContradictions.add(contradiction);
    if (this.#toldContradictions.size > MAX_TOLD) this.#toldContradictions.clear();
    return "error";
  }

  #warningOf(source: string): Level {
    return this.#warnings.levelOf(source, { isKnown: this.#isOwn(source) });
  }
}
