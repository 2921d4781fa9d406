/**
 * What alerts say of a frozen log and of the incident that freezes it: what was done already, which
 * commands come next, and who let a log go on.
 *
 * @module
 */
import type { ConflictRecord } from "../evidence/record.ts";
import type { State } from "../evidence/transition.ts";
import { printable } from "../tlog/malformed.ts";
import { shellWord } from "../world/shell_word.ts";
import { nextState } from "./runbook.ts";

/** How a case stands with the freeze gate when an alert about it is written. */
export interface Freeze {
  /** Whether its log is frozen now, by whatever incident. */
  readonly isFrozen: boolean;
  /** The incident that has the case; nothing while it is not written. */
  readonly incident?: { readonly id: string; readonly state: State };
}

/** What alerts ask of the gate and the runbook. */
export interface Freezes {
  /** How a case stands; nothing if it is about no log. */
  of(record: Pick<ConflictRecord, "kind" | "log" | "evidence_id">): Freeze | undefined;
  /** Whether a log is frozen now. */
  isFrozen(log: { readonly id: string }): boolean;
}

/** What follows a step that a person takes. Pasted as it is, it is refused: a name and a reason are missing. */
export const SIGNED_BY = ` --by "" --why ""`;

/** Characters that would do something in a terminal, or hide something, when a command is pasted. */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}]/u;

/** The option that names a configuration; nothing without one. */
export function configOption(config: string | undefined): string {
  return config === undefined ? "" : ` --config ${printable(shellWord(config))}`;
}

/** The option that holds a record to its key; nothing if the key or the origin is not safe to paste. */
export function keyOption(
  { kind, log: { vkey, origin } }: Pick<ConflictRecord, "kind" | "log">,
): string {
  if (UNSAFE.test(vkey) || UNSAFE.test(origin)) return "";
  if (kind === "same_size_cosigned") return ` --witness ${shellWord(vkey)}`;
  const isNamed = vkey.startsWith(`${origin}+`);
  return ` --log ${shellWord(isNamed ? vkey : `${vkey} ${origin}`)}`;
}

/** What the title adds to a case: whether its log is frozen, and by which incident. */
export function frozenInTitle(freeze: Freeze | undefined): string {
  if (freeze === undefined) return "";
  const { isFrozen, incident } = freeze;
  const by = incident === undefined ? "" : ` (${incident.id})`;
  return isFrozen ? `; it is FROZEN${by}` : `; it is NOT frozen${by}`;
}

/** What was done about a case, as a text of several lines. */
export function doneAbout({ isFrozen, incident }: Freeze): string {
  const state = incident === undefined ? "" : `, in the state ${incident.state}`;
  if (!isFrozen) {
    return incident === undefined
      ? "The log is NOT frozen: no incident has this case."
      : `The log is NOT frozen any more. The case is in ${incident.id}${state}.`;
  }
  const where = incident === undefined
    ? "Its incident is not written down yet: hearsay status names it."
    : `The incident is ${incident.id}${state}.`;
  return "The log IS FROZEN. You need not do it: nothing new of it is accepted, cosigned or\n" +
    "committed, after a restart too. hearsay check and hearsay status answer FROZEN.\n" + where;
}

/** The next commands about an incident, one a line. */
export function nextCommands(
  { id, state }: NonNullable<Freeze["incident"]>,
  config: string | undefined,
): string {
  const option = configOption(config);
  const report = `hearsay incidents report ${id}${option}`;
  const next = nextState(state);
  if (next === undefined) return report;
  const step = next === "RESOLVE" ? "resolve" : "advance";
  return `${report}\nhearsay incidents ${step} ${id}${SIGNED_BY}${option}`;
}

/** A step as the line of its event has it. */
interface StepFields {
  readonly [name: string]: unknown;
}

/**
 * What the event of a step says, for a person: a title, and behind a line break what else there is.
 * @returns nothing for a step that its case has told already, or that lets nothing happen to the log
 */
export function tellStep(fields: StepFields): string | undefined {
  const said = (name: string): string => {
    const value = fields[name];
    return typeof value === "string" ? printable(value) : "";
  };
  const [incident, origin, cause, to] = [
    ...["incident", "origin", "cause", "to"].map(said),
  ] as [string, string, string, string];
  const [by, why] = [said("by"), said("why")];
  const isFrozen = fields.frozen === true;
  const log = `log ${origin}`;
  switch (to) {
    case "FREEZE": {
      // The alert about a case says that its log is frozen.
      if (cause === "equivocation") return undefined;
      const is = isFrozen ? "is" : "was";
      return `${log} ${is} FROZEN on suspicion (${incident}): nothing is proven\n` +
        `The cause is a ${cause}.\nBy ${by}: ${why}`;
    }
    case "RESOLVE": {
      const now = isFrozen ? `${log} stays FROZEN by another incident` : `${log} goes on`;
      return `${incident} is resolved by ${by}: ${now}\nBy ${by}: ${why}`;
    }
    case "CLOSED":
      return `${incident} is closed by ${by}: ${log}` +
        `${isFrozen ? " stays FROZEN by another incident" : ""}\nBy ${by}: ${why}`;
    default:
      return undefined;
  }
}

/** The key of the alerts' case of a step: the incident, and the state to which it went. */
export function stepKey({ incident, to }: { incident: string; to: string }): string {
  return `incident ${incident} ${to}`;
}

/** The sections of an alert about a step, each with its heading. */
export function stepSections(
  { key, detail, config }: { key: string; detail: string; config: string | undefined },
): readonly (readonly [heading: string, text: string])[] {
  const [, id = "", to = ""] = key.split(" ");
  const saw = detail.split("\n").slice(1).join("\n");
  const option = configOption(config);
  if (to !== "FREEZE") {
    return [
      ["What was done, by whom and why", saw],
      [
        "What to do now",
        "Nothing, if you know this person and the reason. The journal keeps both, signed by this\n" +
        "monitor. If nobody of you did it, somebody else has control of this machine.",
      ],
      ["How to check it yourself", `hearsay incidents report ${id}${option}`],
    ];
  }
  return [
    ["What is proven", "Nothing is proven against anybody."],
    ["Why it is suspected", saw],
    [
      "What this monitor has done",
      "The log IS FROZEN: nothing new of it is accepted, cosigned or committed, after a restart\n" +
      `too, until a person resolves ${id}.`,
    ],
    [
      "What to do now",
      'Follow OPERATING, "When it fires". Nothing gets worse while you sleep on it. The first\n' +
      `commands:\n${nextCommands({ id, state: "FREEZE" }, config)}`,
    ],
    [
      "How to check it yourself",
      "What did not hold is kept. It convicts nobody, since anybody could have made it up:\n" +
      `hearsay incidents report ${id}${option}`,
    ],
  ];
}
