/**
 * The page of a daemon: how it stands, what is wrong, the logs, who has seen what, and the others. It
 * shows and changes nothing.
 *
 * @module
 */
import type { ReadCase } from "../monitor/case_reader.ts";
import { type LogStatus, nameOf, type Status } from "../monitor/status.ts";
import { type Trouble, troublesOf } from "../monitor/troubles.ts";
import { shellWord } from "../world/shell_word.ts";
import { type Html, html, type Value } from "./html.ts";
import { drawingSection, type ShownOf } from "./page_drawing.ts";
import { incidentSection, MAX_INCIDENTS } from "./page_incident.ts";
import { foundLogs, frozenWords, logsSection, marksOf } from "./page_logs.ts";
import {
  alertSection,
  mirrorSection,
  peerSection,
  storeSection,
  witnessSection,
} from "./page_others.ts";
import { badge, leftOut, type Mark, section } from "./page_parts.ts";
import { nameIn, several, shortened, span, utc } from "./page_words.ts";

/** Most of what is wrong that the page tells one by one. */
export const MAX_WRONG = 20;

/** Where style, script and icon are. */
export const ASSETS = { style: "/page.css", script: "/page.js", icon: "/page.svg" } as const;

/** A whole document. */
export function page({ title, content }: { title: string; content: Html }): string {
  return `<!doctype html>\n${html`
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>${title}</title>
        <link rel="icon" type="image/svg+xml" href="${ASSETS.icon}">
        <link rel="stylesheet" href="${ASSETS.style}">
        <script src="${ASSETS.script}" defer></script>
      </head>
      <body>
        <a class="skip" href="#main">To the content</a>
        <main id="main">
    ${content}</main>
        <footer>
          <noscript><p>This page stands still without JavaScript. Load it again to see what is new.</p></noscript>
          <p>This page shows, and changes nothing. The same for programs: <a href="/status">/status</a>.</p>
          <p id="news" role="status" class="unseen"></p>
        </footer>
      </body>
    </html>
  `}\n`;
}

/**
 * The first page.
 * @param cases the newest, newest first, with one more than are shown; nothing if they cannot be read
 * @param find show only logs whose name has this text
 */
export function overview({ status, shown, cases, folder, find }: {
  status: Status;
  shown: ShownOf;
  cases: readonly ReadCase[] | undefined;
  /** Of the incident journal. */
  folder: string;
  find: string;
}): { title: string; content: Html } {
  const troubles = troublesOf(status);
  const marks = marksOf(status, troubles);
  const found = foundLogs(status, { marks, find });
  const standing = standingOf(status, troubles);
  const listing = `hearsay incidents list --incidents ${shellWord(folder)}`;
  const content = html`
    <header>
      <h1>${nameIn(status.name)}</h1>
      <p>A monitor of transparency logs${status.version !== undefined &&
        `, hearsay ${status.version}`}, running for ${span(status.startedAt, status.now)}.</p>
      <p id="live"
        hidden><button type="button" id="pause">Stop updating</button> <span id="age"></span></p>
    </header>
    <section id="standing" class="standing ${standing.mark}" aria-labelledby="standing-heading">
      <h2 id="standing-heading">${standing.words}</h2>
      <p>As of <time datetime="${status.now}">${utc(
        status.now,
      )}</time>.${standing.more !== undefined &&
        ` ${standing.more}`}</p>
    </section>
    ${wrongSection(status, { troubles, listing })}
    ${incidentSection(cases, { now: status.now, listing })}
    ${logsSection(status, { marks, found, find })}
    ${drawingSection(status, { logs: found, shown, cases: cases ?? [] })}
    ${witnessSection(status)}
    ${peerSection(status)}
    ${mirrorSection(status)}
    ${storeSection(status)}
    ${alertSection(status)}
  `;
  return { title: `${standing.words} – ${shortened(status.name)}`, content };
}

/** How many are read for `overview`: one more than are shown tells that there are more. */
export const CASES_READ = MAX_INCIDENTS + 1;

interface Standing {
  readonly mark: Mark;
  readonly words: string;
  readonly more?: string;
}

/** How it stands, in a few words. It never says that all is well when nobody has looked. */
function standingOf(status: Status, troubles: readonly Trouble[]): Standing {
  const { incidents, logs, peers } = status;
  const frozen = logs.filter((log) => log.freeze !== undefined).length;
  const wrong = [
    ...(incidents > 0 ? [several(incidents, "proven case")] : []),
    ...(frozen > 0 ? [`${several(frozen, "log")} frozen`] : []),
    ...(troubles.length > 0 ? [several(troubles.length, "trouble")] : []),
  ];
  if (wrong.length > 0) {
    return { mark: incidents > 0 || frozen > 0 ? "bad" : "warn", words: wrong.join(", ") };
  }
  const unseen = logs.filter(({ lastResult }) => lastResult === undefined).length;
  const called = peers.filter(({ exchanges, failures }) => exchanges > failures).length;
  const hasCompared = peers.length > 0 ? called > 0 : status.isUncompared !== true;
  if (logs.length === 0) return { mark: "warn", words: "No log is followed" };
  if (unseen > 0 || !hasCompared) {
    const looked = `${logs.length - unseen} of ${several(logs.length, "log")} looked at`;
    const compared = hasCompared ? "" : ", nothing compared with anybody yet";
    return { mark: "warn", words: "It has only begun", more: `${looked}${compared}.` };
  }
  return {
    mark: "good",
    words: "Nothing is wrong that this monitor can see",
    more: `${several(logs.length, "log")} followed, compared with ${several(called, "peer")}.`,
  };
}

/** What is wrong, each with what it asks of a person. */
function wrongSection(
  status: Status,
  { troubles, listing }: { troubles: readonly Trouble[]; listing: string },
): Value {
  const cases = [
    ...status.logs.filter(({ incidents }) => incidents > 0).map((log) => caseOf(log, status)),
    ...status.logs.flatMap((log) =>
      (log.cosigned?.witnesses ?? []).filter(({ incidents = 0 }) => incidents > 0).map(({ name }) =>
        html`
          <p><b>Witness ${nameIn(name)}</b> cosigned two roots of log ${nameIn(
            nameOf(log, status),
          )} at one size.</p>
          <p>What it cosigns counts for nothing more until people have found out why.</p>
        `
      )
    ),
    ...(status.witness?.pushed ?? []).filter(({ incidents }) => incidents > 0).map(({ origin }) =>
      signedTwice(nameIn(origin))
    ),
    ...(status.mirrors ?? []).filter(({ incidents }) => incidents > 0).map(({ origin }) =>
      signedTwice(nameIn(origin))
    ),
    ...((status.memberCases ?? 0) > 0
      ? [html`
        <p><b>A monitor's key</b> signed two statements under one number.</p>
        <p>A copied or restored folder does
        that too.</p>
      `]
      : []),
  ];
  const frozen = status.logs.flatMap((log) =>
    log.freeze === undefined || log.incidents > 0 ? [] : [html`
      <p><b>Log ${nameIn(nameOf(log, status))}</b> is frozen.</p>
      <p>${frozenWords(log.freeze)}</p>
    `]
  );
  const all: readonly Html[] = [
    ...cases.map((content) =>
      html`
        <li class="bad">${badge("bad", "Proven")} ${content}</li>
      `
    ),
    ...frozen.map((content) =>
      html`
        <li class="bad">${badge("bad", "Frozen")} ${content}</li>
      `
    ),
    ...troubles.map((trouble) =>
      html`
        <li class="warn">${badge("warn", "Trouble")} ${told(trouble, status)}</li>
      `
    ),
  ];
  if (all.length === 0) return undefined;
  const shown = all.slice(0, MAX_WRONG);
  return section("wrong", "What is wrong", [
    html`<ul class="wrong">${shown}</ul>`,
    leftOut({
      ...{ all: all.length, shown: shown.length, what: "that are wrong" },
      see: html`<code>hearsay status --all</code> and <code>${listing}</code> show every one`,
    }),
  ]);
}

function caseOf(log: LogStatus, status: Status): Html {
  const freeze = log.freeze;
  return html`${signedTwice(nameIn(nameOf(log, status)))}${
    freeze !== undefined && html`<p>It is frozen. ${frozenWords(freeze)}</p>`
  }`;
}

function signedTwice(name: Html): Html {
  return html`
    <p><b>Log ${name}</b> signed what contradicts itself.</p>
    <p>The evidence is kept, and nothing is to be
    done in a hurry. <a href="#incidents">Look at the incidents.</a></p>
  `;
}

function told({ text, advice, since }: Trouble, { now }: Status): Html {
  const lasts = since === undefined ? "" : `For ${span(since, now)} now. `;
  return html`
    <p><b>${shortened(text, 600)}</b></p>
    <p>${lasts}${shortened(advice, 600)}</p>
  `;
}
