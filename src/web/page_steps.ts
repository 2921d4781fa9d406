/**
 * How an incident stands: what its freeze stops and does not stop, and the steps that were taken.
 *
 * @module
 */
import { BY_ITSELF, type State, STATES, type Transition } from "../evidence/transition.ts";
import { type Incident, isFreezing } from "../response/runbook.ts";
import type { ConflictRecord } from "../evidence/record.ts";
import { type Html, html, type Value } from "./html.ts";
import { badge, leftOut, type Row, section, table } from "./page_parts.ts";
import { ago, grouped, nameIn, shortened, utc } from "./page_words.ts";

/** Most steps on the page, the first and the last. More than five are there only if cases were added. */
const MAX_STEPS = 20;

/** What each state means. */
export const MEANS: Readonly<Record<State, string>> = {
  DETECT: "found, and the freeze is about to begin",
  FREEZE: "this monitor accepts nothing new of the log, and nobody investigates yet",
  INVESTIGATE: "a person investigates, and this monitor still accepts nothing new of the log",
  RESOLVE: "a person has resolved it, and so lifted its freeze",
  CLOSED: "nothing is left to do",
};

/** What is done to go on from each state; nothing for the last. */
export const NEXT: Readonly<Partial<Record<State, string>>> = {
  DETECT: "the monitor freezes the log by itself",
  FREEZE: "a person says that they investigate",
  INVESTIGATE: "a person finds out what happened, and resolves it",
  RESOLVE: "a person closes it",
};

/** Why a monitor has accepted one history and not another. */
const SEEN_FIRST = "which is no sign that it is the right one";

/** What accepting the log says of the two that contradict each other: nothing. */
function whyAccepted(
  { size, root }: NonNullable<Incident["accepted"]>,
  record: ConflictRecord | undefined,
): string {
  const isIt = (half: { size: string; root: string } | undefined): boolean =>
    half?.size === size && half.root === root;
  const half = isIt(record?.checkpoint_a) ? "A" : isIt(record?.checkpoint_b) ? "B" : undefined;
  return half === undefined
    ? `It accepts the history that it sees first, ${SEEN_FIRST}.`
    : `That is checkpoint ${half} of the evidence. It was accepted because this monitor saw it first, ${SEEN_FIRST}.`;
}

/**
 * What of the log is stopped, and what is not.
 * @param record the case that is shown, if there is one
 */
export function frozenSection(
  { id, state, accepted, cause }: Incident,
  record?: ConflictRecord,
): Html {
  if (!isFreezing(state)) {
    return section(
      "frozen",
      "The freeze is lifted",
      html`<p>${id} does not freeze the log any more. If another incident does, the first page says so.</p>`,
    );
  }
  const before = accepted === undefined ? "It had accepted nothing of the log before." : html`
    It had accepted the log up to size ${grouped(accepted.size)} (root <code
      class="root">${accepted.root}</code>). ${whyAccepted(accepted, record)}
  `;
  return section(
    "frozen",
    "What “frozen” stops, and what it does not",
    html`
      <dl class="facts">
        <dt>Stopped</dt>
        <dd>This monitor accepts nothing new of the log: it does not say of it that it is consistent, does not cosign it, and
      does not count it as committed. ${before} <code>hearsay check</code> and <code>hearsay status</code> answer FROZEN,
      and end with exit code 1. A restart changes nothing of that.</dd>
        <dt>Not stopped</dt>
        <dd>The log itself, and all software that uses it without asking this monitor. Other monitors, which decide for
      themselves. This monitor's watching: it goes on comparing and recording.</dd>
        <dt>Who may be affected</dt>
        <dd>Whoever relies on what the log said. ${cause === "equivocation"
          ? "Some may have trusted entries that others were never shown."
          : "Until the reason is known, nobody can say."} Whether anybody was harmed is not known here.</dd>
      </dl>
    `,
  );
}

/** The steps of an incident: who, when, why; and those that are not taken yet. */
export function stepsSection({ id, state, steps }: Incident, now: string): Html {
  const half = MAX_STEPS / 2;
  const shown = steps.length <= MAX_STEPS
    ? steps
    : [...steps.slice(0, half), ...steps.slice(-half)];
  const toCome = STATES.slice(STATES.indexOf(state) + 1);
  const rows: readonly Row[] = [
    ...shown.map((step) => ({ cells: stepCells(step, now) })),
    ...toCome.map((one) => ({
      cells: [one, "not yet", "–", html`<small>${MEANS[one]}</small>`],
    })),
  ];
  const columns = ["State", "When", "Who", "Why"].map((title) => ({ title }));
  const next = NEXT[state];
  return section("steps", `How ${id} stands`, [
    html`<p>Its state is <b>${state}</b>: ${MEANS[state]}.${
      next !== undefined && html`
        Next: ${next}; <a href="#todo">step 4 above</a> has the command.
      `
    }</p>`,
    table({ caption: `The steps of ${id}, as the journal has them`, columns, rows }),
    leftOut({
      ...{ all: steps.length, shown: shown.length, what: "steps, the first and the last" },
      see: html`the report has all of them`,
    }),
  ]);
}

function stepCells({ from, to, at, by, why }: Transition, now: string): readonly Value[] {
  return [
    from === to
      ? [
        to,
        html`
          <small>more cases</small>
        `,
      ]
      : to,
    html`${ago(at, now)}<br><small>${utc(at)}</small>`,
    by === BY_ITSELF ? "this monitor itself" : nameIn(by),
    shortened(why, 400),
  ];
}

/** The state, in a word and a few. */
export function stateBadge({ state }: Pick<Incident, "state">): Html {
  const isFrozen = isFreezing(state);
  return html`${
    badge(isFrozen ? "bad" : state === "CLOSED" ? "good" : "warn", isFrozen ? "FROZEN" : state)
  } ${MEANS[state]}`;
}
