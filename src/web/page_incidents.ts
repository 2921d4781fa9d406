/**
 * The incidents on the first page: the open ones with what is to be done, then the others.
 *
 * @module
 */
import type { ConflictRecord } from "../evidence/record.ts";
import type { ReadCase } from "../monitor/case_reader.ts";
import type { Incident } from "../response/runbook.ts";
import { statementsEpoch } from "../swarm/statement.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { parseVkey } from "../tlog/vkey.ts";
import { type Html, html, type Value } from "./html.ts";
import { pathOfCase, pathOfIncident } from "./page_incident.ts";
import { badge, leftOut, type Row, section, table } from "./page_parts.ts";
import { NEXT, stateBadge } from "./page_steps.ts";
import { ago, grouped, nameIn, several, shortened } from "./page_words.ts";

/** Most open incidents on the first page, and most of the others, the newest of each. */
export const MAX_INCIDENTS = 20;

/** What the first page knows of incidents. */
export interface Known {
  /** Newest first. */
  readonly incidents: readonly Incident[];
  /** How many cases no incident has. */
  readonly apart: number;
  /** The newest of those cases, newest first; nothing if the disk refuses to give them. */
  readonly cases: readonly ReadCase[] | undefined;
}

/** Whether something is left to do about an incident. */
export function isOpen({ state }: Pick<Incident, "state">): boolean {
  return state !== "CLOSED";
}

/** A link to an incident by its name. */
export function incidentLink(id: string): Html {
  return html`<a href="${pathOfIncident(id)}">${id}</a>`;
}

/**
 * The section; nothing if there is nothing to tell.
 * @param listing the command that lists all of them
 */
export function incidentSection(
  { incidents, apart, cases }: Known,
  { now, listing }: { now: string; listing: string },
): Value {
  const open = incidents.filter(isOpen);
  const closed = incidents.filter((one) => !isOpen(one));
  if (incidents.length === 0 && apart === 0 && cases !== undefined) return undefined;
  const cards = open.slice(0, MAX_INCIDENTS);
  const rows = [
    ...(cases ?? []).slice(0, MAX_INCIDENTS).map((one) => caseRow(one, now)),
    ...closed.slice(0, MAX_INCIDENTS).map((one) => closedRow(one, now)),
  ];
  const columns = ["Name", "About", "What", "State", "Since"].map((title) => ({ title }));
  const caption = open.length === 0 ? "Incidents and cases" : "Other incidents and cases";
  return section("incidents", "Incidents", [
    cases === undefined &&
    html`<p>${
      badge("warn", "not read")
    } The disk refuses to give the incident journal. Cases in it may be missing here.</p>`,
    cards.length > 0 && html`<ul class="wrong">${cards.map((one) => card(one, now))}</ul>`,
    rows.length > 0 && table({ caption, columns, rows }),
    leftOut({
      ...{ all: incidents.length + apart, shown: cards.length + rows.length },
      ...{ what: "incidents and cases, the newest", see: html`all: <code>${listing}</code>` },
    }),
  ]);
}

function card(incident: Incident, now: string): Html {
  const { id, log, cause, state, cases, steps } = incident;
  const next = NEXT[state];
  return html`
    <li class="${state === "RESOLVE" ? "warn" : "bad"}">
      <h3>${incidentLink(id)}: ${cause === "equivocation"
        ? html`the key of log ${
          nameIn(log.origin)
        } has signed two checkpoints that contradict each other`
        : html`log ${nameIn(log.origin)} is under suspicion: ${cause}`}</h3>
      <p>${stateBadge(incident)}. Opened ${ago(steps[0]!.at, now)}: ${shortened(
        steps[0]!.why,
      )}.${cases.length > 1 && ` It has ${several(cases.length, "case")}.`}</p>
      <p>${cause === "equivocation"
        ? "That is proven, and the evidence is kept. Software that uses the log without asking this monitor goes on trusting it."
        : "Nothing is proven against the log. You need not hurry."}${next !== undefined &&
        ` Next: ${next}.`} <a href="${pathOfIncident(
          id,
        )}">What to do now, step by step<span class="unseen"> about ${id}</span></a></p>
    </li>
  `;
}

function closedRow({ id, log, cause, steps }: Incident, now: string): Row {
  const what = cause === "equivocation" ? "two checkpoints that contradict each other" : cause;
  return {
    cells: [incidentLink(id), nameIn(log.origin), what, "CLOSED", ago(steps.at(-1)!.at, now)],
  };
}

function caseRow({ seq, record }: ReadCase, now: string): Row {
  return {
    mark: "bad",
    cells: [
      html`<a href="${pathOfCase(seq)}">Case ${seq}</a>`,
      nameIn(record.log.origin),
      kindOf(record),
      "proven, and in no incident",
      ago(record.detected_at, now),
    ],
  };
}

function kindOf({ kind, log, checkpoint_a: a, checkpoint_b: b }: ConflictRecord): string {
  const [one, other] = [grouped(a.size), grouped(b.size)];
  if (kind === "same_size_cosigned") {
    return `the key of a witness has cosigned two roots at size ${one}`;
  }
  if (isOfMonitor(log)) {
    return `the key of a monitor has signed two statements under the number ${one}`;
  }
  if (kind === "cross_size") {
    return `checkpoints of sizes ${one} and ${other} that contradict each other`;
  }
  return `two roots at size ${one}`;
}

function isOfMonitor({ origin, vkey }: ConflictRecord["log"]): boolean {
  try {
    return statementsEpoch({ origin, vkey: parseVkey(vkey) }) !== undefined;
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return false;
  }
}
