import { isProven } from "../response/freeze.ts";
import { contradictionOf, weigh, type Weighed } from "../authority/committed.ts";
import type { Hold } from "../response/freeze.ts";
import type { Refused } from "../tlog/checkpoint.ts";
import { fileText } from "../tlog/encoding.ts";
import { describeLog, formatLog } from "../tlog/log.ts";
import { MalformedError, printable, printableJson, quoted } from "../tlog/malformed.ts";
import { within } from "../tlog/members.ts";
import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import { type Command, EXIT, type ExitCode, readOptions } from "./command.ts";
import {
  NOT_ASKED,
  readWeighing,
  readWhole,
  WEIGHING_HELP,
  WEIGHING_OPTIONS,
} from "./policy_file.ts";
import type { Terminal } from "./terminal.ts";
import { describeHead, tell, tellWeighed, verdictOn, weighedForMachines } from "./weighed_words.ts";

/** `hearsay check`: whether a checkpoint is good enough under a policy, offline. */
export const check: Command = {
  name: "check",
  summary: "say whether enough witnesses have cosigned a checkpoint, offline",
  help: `hearsay check NOTE… --policy FILE [--log LOG] [--max-age TIME] [--json]

Says of each NOTE, a file with a signed checkpoint, whether it is committed: a log of the policy has
signed it, and a quorum of the policy's witnesses has cosigned it. NOTE may be - for standard input.
No network is used.

Several notes of one origin and size that have different roots contradict each other. Whoever has
signed or cosigned two of them is named.

A log that the monitor on this machine has frozen is answered FROZEN, whoever has cosigned it: each
incident that freezes it is named. Scripts should name the monitor with --config: if its configuration
is not found, that is an error, and not an answer without it.

Ends with 0 if every NOTE is committed; with 3 if one is not, or its log is frozen for a suspicion; with
2 if a NOTE is no signed checkpoint, or the policy breaks a rule; with 1 if a log or a witness has signed
two roots at one size, or if a log is frozen because it did.

${WEIGHING_HELP}
  --json            prints one JSON object for each NOTE, and one for each contradiction

Example:
  hearsay check checkpoint --policy policy.txt
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      values: WEIGHING_OPTIONS,
      flags: ["json"],
      operands: ["NOTE…"],
    });
    const weighing = await readWeighing(world, options);
    const notes: WeighedNote[] = [];
    for (const path of options.operands) {
      const file = await readWhole({ world, terminal, path, maxBytes: MAX_NOTE_BYTES });
      const weighed = within(quoted(path), () => {
        const weighed = weigh({ note: fileText(file), ...weighing });
        if ("refused" in weighed && weighed.refused === "malformed") {
          throw new MalformedError(weighed.detail);
        }
        return weighed;
      });
      notes.push({ path, weighed });
    }
    const json = options.flag("json");
    let isProvenFreeze = false;
    for (const note of notes) {
      const holds = "frozen" in note.weighed ? note.weighed.frozen.flatMap(weighing.holdsOf) : [];
      isProvenFreeze ||= holds.some(isProven);
      if (json) {
        const incidents = holds.flatMap(({ incident }) => incident ?? []);
        const frozenBy = incidents.length > 0 ? { frozen_by: incidents } : {};
        const told = {
          note: note.path,
          ...weighedForMachines(note.weighed),
          ...frozenBy,
          ...{ monitor_asked: weighing.isAsked },
        };
        terminal.out(printableJson(JSON.stringify(told)));
      } else {
        const { isAsked } = weighing;
        tellNote(note, { terminal, clock: world.clock, holds, isAsked });
      }
    }
    if (tellContradictions(notes, { terminal, json })) return EXIT.proven;
    return isProvenFreeze ? EXIT.proven : exitOf(notes);
  },
};

interface WeighedNote {
  readonly path: string;
  readonly weighed: Weighed | Refused;
}

/** Not to be committed proves nothing against anybody: more witnesses may cosign it later. */
function exitOf(notes: readonly WeighedNote[]): ExitCode {
  const all = notes.every(({ weighed }) => "committed" in weighed && weighed.committed);
  return all ? EXIT.ok : EXIT.failed;
}

function tellNote(
  { path, weighed }: WeighedNote,
  { holds, isAsked, ...tools }: Parameters<typeof tellWeighed>[1] & {
    holds: readonly Hold[];
    isAsked: boolean;
  },
): void {
  const { terminal } = tools;
  if ("refused" in weighed) {
    terminal.out(terminal.paint("bold", printable(path)));
    tell(terminal, "✗", weighed.detail);
    terminal.out(terminal.paint("red", "NOT committed: no log of the policy has signed it"));
    return;
  }
  const head = describeHead(weighed.checkpoints[0]!);
  terminal.out(terminal.paint("bold", printable(`${path}: ${head}`)));
  tellWeighed(weighed, tools);
  for (const { incident = "no incident yet", since, why } of holds) {
    tell(terminal, "✗", `frozen since ${since} (${incident}): ${why}`);
  }
  if (!isAsked) tell(terminal, "!", NOT_ASKED);
  terminal.out(terminal.paint(weighed.committed ? "green" : "red", verdictOn(weighed)));
}

/** @returns whether somebody has signed two roots at one size */
function tellContradictions(
  notes: readonly WeighedNote[],
  { terminal, json }: { terminal: Terminal; json: boolean },
): boolean {
  let isProven = false;
  for (const [one, other] of pairsOf(notes)) {
    if ("refused" in one.weighed || "refused" in other.weighed) continue;
    const found = contradictionOf([one.weighed, other.weighed]);
    if (found === undefined) continue;
    const { logs, witnesses, disputed } = found;
    if (logs.length + witnesses.length > 0) isProven = true;
    if (json) {
      const told = {
        inconsistent: [one.path, other.path],
        signed_both: logs.map(formatLog),
        cosigned_both: witnesses.map(({ cosigner }) => cosigner.vkey.text),
        disputed: disputed.map(({ text }) => text),
      };
      terminal.out(printableJson(JSON.stringify(told)));
      continue;
    }
    const which = `${one.path} and ${other.path} have one size and different roots`;
    terminal.out(terminal.paint("red", printable(`INCONSISTENT: ${which}`)));
    for (const log of logs) {
      tell(terminal, "✗", `the log ${describeLog(log)} has signed both: it has equivocated`);
    }
    for (const { name } of witnesses) {
      tell(terminal, "✗", `the witness ${name} has cosigned both: it has equivocated`);
    }
    for (const { text } of disputed) {
      tell(
        terminal,
        "!",
        `two implementations differ about a signature of ${text}: it proves nothing`,
      );
    }
    const hint = logs.length > 0
      ? "'hearsay detect' makes a record of what the log has signed; keep both notes as well"
      : "keep both notes: they are the evidence. No record is made of a witness yet";
    const isCase = logs.length + witnesses.length > 0;
    tell(terminal, "!", isCase ? hint : "nobody is shown to have signed both: nothing is proven");
  }
  return isProven;
}

function pairsOf<T>(items: readonly T[]): [T, T][] {
  return items.flatMap((one, i) => items.slice(i + 1).map((other): [T, T] => [one, other]));
}
