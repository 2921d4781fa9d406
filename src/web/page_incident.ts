/**
 * The page of one incident, or of a case that no incident has: what to do now, how it stands, and the
 * evidence.
 *
 * @module
 */
import type { Incident } from "../response/runbook.ts";
import { type Html, html, type Value } from "./html.ts";
import {
  caseFacts,
  deedOf,
  halves,
  inShort,
  type JudgedCase,
  nameOfSubject,
  verdict,
  whatIsProven,
} from "./page_case.ts";
import { type Commands, commandsOf } from "./page_commands.ts";
import { leftOut, section } from "./page_parts.ts";
import { frozenSection, stateBadge, stepsSection } from "./page_steps.ts";
import { todoOfCase, todoOfSuspicion } from "./page_todo.ts";
import { grouped, nameIn } from "./page_words.ts";

/** Most other cases of an incident that are linked to. */
const MAX_LINKS = 50;

/** The path of the page of an incident, by its name. */
export function pathOfIncident(id: string): string {
  return `/incidents/${id}`;
}

/** The path of the page of a case, by its number. Of a case in an incident it is the incident's page. */
export function pathOfCase(seq: number): string {
  return `/incidents/${seq}`;
}

/** What an incident's page is made of. One of the first two is there. */
export interface Shown {
  readonly incident?: Incident | undefined;
  /** The case that is shown; nothing if the incident has none that can be read. */
  readonly one?: JudgedCase | undefined;
  /** The numbers of all cases of the incident. */
  readonly numbers: readonly number[];
  /** The absolute path of the monitor's configuration. */
  readonly config: string | undefined;
  /** Whether the monitor can be asked while it runs: whether it has "listen". */
  readonly listens: boolean;
  readonly now: string;
}

/** The name that files about a case are given. */
export function fileOf({ incident, seq, of }: {
  incident: Pick<Incident, "id"> | undefined;
  seq: number;
  /** How many cases the incident has. */
  of: number;
}): string {
  if (incident === undefined) return `case-${seq}`;
  return of > 1 ? `${incident.id}-case-${seq}` : incident.id;
}

/** The title and the content of the page. */
export function incidentPage(shown: Shown): { title: string; content: Html } {
  const { incident, one } = shown;
  const commands = commandsOf(shown);
  const { plain, deed } = titleOf(shown);
  const name = incident?.id ?? `Case ${one!.seq}`;
  const content = html`
    <p><a href="/">Back to all logs and incidents</a></p>
    <h1>${name}: ${deed}</h1>
    ${incident !== undefined &&
      html`<p>${stateBadge(incident)}. <a href="#frozen">What that means</a></p>`}
    ${one?.judgement.outcome === "holds" && inShort(one)}
    ${one !== undefined && verdict(one)}
    ${todo(shown, commands)}
    ${incident !== undefined &&
      [frozenSection(incident, one?.record), stepsSection(incident, shown.now)]}
    ${one !== undefined && evidence(one, shown)}
  `;
  return { title: `${name}: ${plain}`, content };
}

/** What happened: for the title of the document, and as its heading. */
function titleOf({ incident, one }: Shown): { plain: string; deed: Html } {
  if (one === undefined) {
    const { log, cause } = incident!;
    return {
      plain: `log ${log.origin}: ${cause}`,
      deed: html`log ${nameIn(log.origin)} was frozen because of a ${cause}`,
    };
  }
  if (one.judgement.outcome !== "holds") {
    const plain = "a record that does not hold";
    return { plain, deed: html`${plain}` };
  }
  return {
    plain: `the key of ${one.subject} ${nameOfSubject(one)} contradicts itself`,
    deed: deedOf(one),
  };
}

function todo({ incident, one, numbers }: Shown, commands: Commands): Value {
  if (one === undefined) return todoOfSuspicion(incident!, commands);
  if (one.judgement.outcome !== "holds") return undefined;
  const isOnly = numbers.length <= 1;
  const file = fileOf({ incident, seq: one.seq, of: numbers.length });
  return todoOfCase(one, { file, isOnly, commands, ...(incident && { incident }) });
}

function evidence(one: JudgedCase, { numbers, now }: Shown): Value {
  const holds = one.judgement.outcome === "holds";
  return [
    halves(one.record),
    holds && whatIsProven(one),
    section("facts", "Who it is about, and who found it", caseFacts(one, now)),
    otherCases(one, numbers),
  ];
}

/** Links to the other cases of the same incident. */
function otherCases({ seq }: JudgedCase, numbers: readonly number[]): Value {
  const others = numbers.filter((number) => number !== seq);
  if (others.length === 0) return undefined;
  const shown = others.slice(0, MAX_LINKS);
  return section("cases", "More cases of this incident", [
    html`<p>The same key has signed more than two that contradict each other: this incident has ${
      grouped(`${numbers.length}`)
    } cases. Each has two halves. Steps 1 and 2 are for case ${seq}, which is shown here.</p>`,
    html`<ul>${
      shown.map((number) => html`<li><a href="${pathOfCase(number)}">Case ${number}</a></li>`)
    }</ul>`,
    leftOut({
      ...{ all: others.length, shown: shown.length, what: "cases" },
      see: html`the report has all of them`,
    }),
  ]);
}
