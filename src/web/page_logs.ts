/**
 * The logs on the page: what each showed last, what is committed, how it compares.
 *
 * @module
 */
import { type FrozenStatus, type LogStatus, nameOf, type Status } from "../monitor/status.ts";
import type { ReadCase } from "../monitor/case_reader.ts";
import type { Incident } from "../response/runbook.ts";
import type { Trouble } from "../monitor/troubles.ts";
import { type Html, html, type Value } from "./html.ts";
import { shownBy } from "./page_case.ts";
import { incidentLink, isOpen } from "./page_incidents.ts";
import { refusedOf } from "./page_refused.ts";
import { badge, type Column, leftOut, type Mark, type Row, section, table } from "./page_parts.ts";
import { ago, grouped, meaningOf, nameIn, several, shortened, sizeOf } from "./page_words.ts";

/** Most logs on the page. */
export const MAX_LOGS = 100;
/** So few are found by looking. */
const FEW_LOGS = 10;
/** Most checkpoints in the row of a log that are not accepted. The drawing has more. */
const MAX_REFUSED = 2;
/** Most characters of what is looked for. */
const MAX_FIND = 200;

/** How serious it stands with each log. */
export function marksOf(
  { logs }: Status,
  troubles: readonly Trouble[],
): ReadonlyMap<LogStatus, Mark> {
  const marks = new Map<LogStatus, Mark>();
  for (const { about } of troubles) {
    if (about !== undefined && "origin" in about) marks.set(about, "warn");
  }
  for (const log of logs) {
    if (log.incidents > 0 || log.freeze !== undefined) marks.set(log, "bad");
  }
  return marks;
}

/** The logs whose name has a text, what is wrong first; all of them for an empty text. */
export function foundLogs(
  status: Status,
  { marks, find }: { marks: ReadonlyMap<LogStatus, Mark>; find: string },
): readonly LogStatus[] {
  const wanted = find.toLowerCase();
  const found = wanted === ""
    ? status.logs
    : status.logs.filter((log) => nameOf(log, status).toLowerCase().includes(wanted));
  const marked = (mark?: Mark) => found.filter((log) => marks.get(log) === mark);
  return [...marked("bad"), ...marked("warn"), ...marked()];
}

/** What the rows of logs are made of. */
interface About {
  readonly marks: ReadonlyMap<LogStatus, Mark>;
  /** Cases of which both halves are looked at. */
  readonly halves: readonly ReadCase[];
  readonly incidents: readonly Incident[];
}

/**
 * The section of the logs.
 * @param found in the order in which they are shown
 * @param find the text that they were found by; empty if these are all
 */
export function logsSection(
  status: Status,
  { found, find, ...about }: About & { found: readonly LogStatus[]; find: string },
): Html {
  const all = grouped(`${status.logs.length}`);
  const shown = found.slice(0, MAX_LOGS);
  const content = status.logs.length === 0 ? html`<p>No log is followed.</p>` : html`
    ${(status.logs.length > FEW_LOGS || find !== "") && finder(find)}
    ${find !== "" &&
      html`<p>${
        several(found.length, "log")
      } of ${all} with this text. <a href="/">Show all</a></p>`}
    ${shown.length > 0 && logTable(shown, { status, about })}
    ${leftOut({
      ...{ all: found.length, shown: shown.length, what: "logs, what is wrong first" },
      see: html`find one by its name, or <code>hearsay status --all</code> shows every one`,
    })}
  `;
  return section("logs", `Logs (${all})`, content);
}

function finder(find: string): Html {
  return html`
    <form method="get" action="/" role="search">
      <label for="find">Find a log by its name</label>
      <input id="find" name="find" type="search" maxlength="${MAX_FIND}" value="${find}">
      <button type="submit">Find</button>
    </form>
  `;
}

/** What is looked for, out of a query string; empty if nothing is. */
export function findIn(search: string): string {
  return (new URLSearchParams(search).get("find") ?? "").slice(0, MAX_FIND);
}

function logTable(
  shown: readonly LogStatus[],
  { status, about }: { status: Status; about: About },
): Html {
  const hasPolicy = shown.some(({ cosigned }) => cosigned !== undefined);
  const columns: Column[] = [
    { title: "Log" },
    { title: "Last look" },
    { title: "Accepted checkpoint" },
    ...(hasPolicy ? [{ title: "Committed" }] : []),
    { title: "Last grew" },
    { title: "Followed by" },
  ];
  const rows = shown.map((log): Row => ({
    mark: about.marks.get(log),
    cells: [
      logName(log, { status, about }),
      lastLook(log, status),
      accepted(log, about),
      ...(hasPolicy ? [committed(log)] : []),
      ago(log.grewAt, status.now),
      log.sharedBy === undefined ? "not known yet" : several(log.sharedBy, "peer"),
    ],
  }));
  return table({ caption: "What each log showed last, what is wrong first", columns, rows });
}

function logName(
  log: LogStatus,
  { status, about: { incidents } }: { status: Status; about: About },
): Value {
  const { freeze, origin, vkey } = log;
  const own = incidents.filter((one) => one.log.origin === origin && one.log.vkey === vkey);
  const open = own.filter(isOpen);
  const hasNoName = own.length === 0 && log.incidents > 0 && freeze === undefined;
  return [
    nameIn(nameOf(log, status)),
    hasNoName && html`<br>${badge("bad", several(log.incidents, "proven case"))}`,
    freeze !== undefined &&
    html`<br>${badge("bad", "FROZEN")} <small>${frozenWords(freeze)}</small>`,
    open.length > 0 &&
    html`<br><small>See ${
      open.slice(0, MAX_LINKS).map(({ id }, i) => [i > 0 && ", ", incidentLink(id)])
    }${open.length > MAX_LINKS && " and others"}</small>`,
  ];
}

/** Most incidents in the row of a log. */
const MAX_LINKS = 3;

/** Why nothing of a log is accepted. */
export function frozenWords({ incidents, why }: FrozenStatus): string {
  return incidents.length === 0
    ? `Nothing new of it is accepted. The reason is about to be written down: ${shortened(why)}.`
    : "Nothing new of it is accepted until a person has resolved " +
      `${incidents.slice(0, MAX_LINKS).join(" and ")}${
        incidents.length > MAX_LINKS ? " and others" : ""
      }.`;
}

function lastLook(log: LogStatus, { now }: Status): Value {
  const { lastResult, lastLookAt } = log;
  if (lastResult === undefined) return "not looked at yet";
  const meaning = meaningOf(lastResult);
  const mark = MARKS[lastResult];
  return [
    mark === undefined ? html`<b>${lastResult}</b>` : badge(mark, lastResult),
    html`
      ${ago(lastLookAt, now)}
    `,
    meaning !== undefined && html`<br><small>${meaning}</small>`,
    waiting(log),
  ];
}

/** The results of a look that are not as they should be. */
const MARKS: Readonly<Partial<Record<string, Mark>>> = {
  inconsistent: "bad",
  ...{ unproven: "warn", frozen: "warn", withheld: "warn", unavailable: "warn" },
  ...{ unverified: "warn", "not written": "warn" },
};

function waiting({ waitingOwn = 0, waitingOthers = 0, withheld = 0 }: LogStatus): Value {
  const parts = [
    ...(withheld > 0 ? [`${withheld} that others have and the log does not show us`] : []),
    ...(waitingOwn > 0 ? [`${waitingOwn} of the log itself without a proof yet`] : []),
    ...(waitingOthers > 0 ? [`${waitingOthers} of others to be compared`] : []),
  ];
  return parts.length > 0 &&
    html`<br><small>Checkpoints not settled yet: ${parts.join("; ")}</small>`;
}

/** What is accepted of a log, and what was shown and is not. */
function accepted(log: LogStatus, { halves }: About): Value {
  const { size, root } = log;
  const refused = refusedOf(log, halves);
  return [
    size === undefined ? "none yet" : html`size ${sizeOf(size)}`,
    root !== undefined && html`<br><code class="root">${root}</code>`,
    refused.slice(0, MAX_REFUSED).map(({ size, root, by, contradicts }) =>
      html`<br>${badge("bad", "✕ not accepted")} size ${sizeOf(size)}${
        root !== undefined && html`<br><code class="root">${root}</code>`
      }<br><small>shown by ${shownBy(by)}${
        contradicts
          ? "; it contradicts another one that the log's key signed"
          : " after it was frozen"
      }</small>`
    ),
    refused.length > MAX_REFUSED &&
    html`<br><small>and ${refused.length - MAX_REFUSED} more that are not accepted</small>`,
  ];
}

function committed({ cosigned, size, root }: LogStatus): Value {
  if (cosigned === undefined) return "no policy";
  if (cosigned.committed === undefined) return "none yet";
  const { committed: head } = cosigned;
  const isLatest = head.size === size && head.root === root;
  return html`size ${sizeOf(head.size)}${isLatest && html`<br><small>the latest</small>`}${
    !isLatest && html`<br><code class="root">${head.root}</code>`
  }`;
}
