/**
 * The page of a daemon: how it stands, the incidents, the troubles, the logs, who has seen what, and the
 * others. It shows and changes nothing.
 *
 * @module
 */
import type { ReadCase } from "../monitor/case_reader.ts";
import { nameOf, type Status } from "../monitor/status.ts";
import { hasCompared } from "../monitor/not_yet.ts";
import { type Trouble, troublesAndAdvice } from "../monitor/troubles.ts";
import { type Html, html, type Value } from "./html.ts";
import { commandsOf } from "./page_commands.ts";
import { contradictingPeers } from "./page_contradicting.ts";
import { drawingSection, type ShownOf } from "./page_drawing.ts";
import { incidentSection, isOpen, type Known } from "./page_incidents.ts";
import { foundLogs, frozenWords, logsSection, marksOf } from "./page_logs.ts";
import {
  alertSection,
  mirrorSection,
  peerSection,
  storeSection,
  witnessSection,
} from "./page_others.ts";
import { badge, leftOut, type Mark, section } from "./page_parts.ts";
import { capital, nameIn, several, shortened, span, utc } from "./page_words.ts";

/** Most troubles, and most pieces of advice, that the page tells one by one. */
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
        <a class="skip" href="#main">Skip to content</a>
        <main id="main">
    ${content}</main>
        <footer>
          <noscript><p>Without JavaScript this page does not update itself. Load it again to see what is new.</p></noscript>
          <p>This page only shows; nothing can be changed here. The same for programs: <a href="/status">/status</a>.</p>
          <p id="news" role="status" class="unseen"></p>
        </footer>
      </body>
    </html>
  `}\n`;
}

/**
 * The first page.
 * @param known the incidents and cases
 * @param halves cases of which the drawings are to show both halves
 * @param config the absolute path of the monitor's configuration
 * @param find show only logs whose name has this text
 */
export function overview({ status, shown, known, halves, config, find }: {
  status: Status;
  shown: ShownOf;
  known: Known;
  halves: readonly ReadCase[];
  config: string | undefined;
  find: string;
}): { title: string; content: Html } {
  const { troubles, advice } = troublesAndAdvice(status);
  const marks = marksOf(status, [...troubles, ...advice]);
  const found = foundLogs(status, { marks, find });
  const standing = standingOf(status, { known, troubles, advice });
  const listing = commandsOf({ config, listens: true }).incidents("list");
  const content = html`
    <header>
      <h1>${nameIn(status.name)}</h1>
      <p>A monitor of transparency logs${status.version !== undefined &&
        `, hearsay ${status.version}`}, running for ${span(status.startedAt, status.now)}.</p>
      <p id="live"
        hidden><button type="button" id="pause">Pause updates</button> <span id="age"></span></p>
    </header>
    <section id="standing" class="standing ${standing.mark}" aria-labelledby="standing-heading">
      <h2 id="standing-heading">${standing.words}</h2>
      <p>As of <time datetime="${status.now}">${utc(
        status.now,
      )}</time>.${standing.more !== undefined &&
        ` ${standing.more}`}</p>
    </section>
    ${incidentSection(known, { now: status.now, listing })}
    ${troubleSection(status, troubles)}
    ${adviceSection(advice, known)}
    ${logsSection(status, { marks, found, find, halves, incidents: known.incidents })}
    ${drawingSection(status, { logs: found, shown, cases: halves })}
    ${witnessSection(status)}
    ${peerSection(
      status,
      contradictingPeers(status, { shown, cases: halves, incidents: known.incidents }),
    )}
    ${mirrorSection(status)}
    ${storeSection(status)}
    ${alertSection(status)}
  `;
  return { title: `${standing.words} – ${shortened(status.name)}`, content };
}

interface Standing {
  readonly mark: Mark;
  readonly words: string;
  readonly more?: string;
}

/** How it stands, in a few words. It never says that all is well when nobody has looked. */
function standingOf(
  status: Status,
  { known: { incidents, apart }, troubles, advice }: {
    known: Known;
    troubles: readonly Trouble[];
    advice: readonly Trouble[];
  },
): Standing {
  const open = incidents.filter(isOpen);
  const frozen = status.logs.filter((log) => log.freeze !== undefined).length;
  // A status counts the cases that concern this monitor; the journal may have others too.
  const cases = Math.min(apart, status.incidents);
  const isBad = open.length > 0 || frozen > 0 || cases > 0;
  const wrong = [
    ...(open.length === 1 ? [`${open[0]!.id} is open`] : []),
    ...(open.length > 1 ? [several(open.length, "open incident")] : []),
    ...(cases > 0 ? [`${several(cases, "proven case")} in no incident`] : []),
    ...(frozen > 0 ? [`${several(frozen, "log")} frozen`] : []),
    ...(incidents.length > open.length
      ? [several(incidents.length - open.length, "closed incident")]
      : []),
    ...(troubles.length > 0 ? [several(troubles.length, "trouble")] : []),
  ];
  if (wrong.length > 0) return { mark: isBad ? "bad" : "warn", words: wrong.join(", ") };
  return standingOfWell(status, advice);
}

/** The same where nothing is wrong that is known. */
function standingOfWell(status: Status, advice: readonly Trouble[]): Standing {
  const { logs, peers } = status;
  const unseen = logs.filter(({ lastResult }) => lastResult === undefined).length;
  const called = peers.filter(({ exchanges, failures }) => exchanges > failures).length;
  const isCompared = hasCompared(status);
  if (logs.length === 0) return { mark: "warn", words: "No log is followed" };
  if (advice.length > 0) {
    const more = "Nothing is wrong with what was compared. See the advice below.";
    return { mark: "warn", words: "Less is compared than could be", more };
  }
  if (unseen > 0 || !isCompared) {
    const looked = `${logs.length - unseen} of ${several(logs.length, "log")} looked at`;
    const compared = isCompared ? "" : ", nothing compared with anybody yet";
    return { mark: "warn", words: "It has only begun", more: `${looked}${compared}.` };
  }
  return {
    mark: "good",
    words: "Nothing is wrong that this monitor can see",
    more: `${several(logs.length, "log")} followed, compared with ${several(called, "peer")}.`,
  };
}

/** What fails, each with what it asks of a person. Incidents are told before. */
function troubleSection(status: Status, troubles: readonly Trouble[]): Value {
  const frozen = status.logs.flatMap((log) =>
    log.freeze === undefined || log.freeze.incidents.length > 0 ? [] : [html`
      <li class="bad">${badge("bad", "FROZEN")}
      <p><b>Log ${nameIn(nameOf(log, status))} is frozen.</b></p>
      <p>${frozenWords(log.freeze)}</p></li>
    `]
  );
  const all = [
    ...frozen,
    ...troubles.map((trouble) =>
      html`
        <li class="warn">${badge("warn", "Trouble")} ${told(trouble, status)}</li>
      `
    ),
  ];
  if (all.length === 0) return undefined;
  const shown = all.slice(0, MAX_WRONG);
  return section("wrong", "Troubles", [
    html`<ul class="wrong">${shown}</ul>`,
    leftOut({
      ...{ all: all.length, shown: shown.length, what: "troubles" },
      see: html`<code>hearsay status --all</code> shows every one`,
    }),
  ]);
}

/** How the monitor could compare more. It is no failure, and says so beside an incident. */
function adviceSection(advice: readonly Trouble[], { incidents }: Known): Value {
  if (advice.length === 0) return undefined;
  const open = incidents.filter(isOpen);
  const shown = advice.slice(0, MAX_WRONG);
  const id = open.length === 1 ? open[0]!.id : "the incidents";
  return section("advice", "Advice", [
    open.length > 0 &&
    html`<p>This does not weaken ${id}: what is proven stays proven, however many monitors have seen it.</p>`,
    html`<ul class="wrong">${
      shown.map(({ text, advice: what }) =>
        html`
          <li>
            <p><b>${shortened(capital(text), 600)}</b>. ${shortened(what, 600)}</p>
          </li>
        `
      )
    }</ul>`,
    leftOut({
      ...{ all: advice.length, shown: shown.length, what: "pieces of advice" },
      see: html`<code>hearsay status --all</code> shows every one`,
    }),
  ]);
}

function told({ text, advice, since }: Trouble, { now }: Status): Html {
  const lasts = since === undefined ? "" : `For ${span(since, now)} now. `;
  return html`
    <p><b>${shortened(capital(text), 600)}</b></p>
    <p>${lasts}${shortened(advice, 600)}</p>
  `;
}
