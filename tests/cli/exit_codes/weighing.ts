/** Policies, and checkpoints and proofs that are weighed under them. */
import type { TestLog } from "../../../src/sources/test_log.ts";
import { base64 } from "../../../src/tlog/encoding.ts";
import { parseNote } from "../../../src/tlog/note.ts";
import { type MadeWitness, witness } from "../../authority/policies.ts";
import { grow, newLog } from "../../evidence/histories.ts";
import { put } from "../harness.ts";
import { each, type Trouble } from "./groups.ts";
import type { Stage, Staging, Way } from "./stage.ts";

const [ONE, OTHER] = [witness("one"), witness("other")];

/** The commands that weigh something under a policy. */
const WEIGHS = ["check", "proof verify"];

function cosigned(note: string, ...made: readonly MadeWitness[]): string {
  return note + made.map(({ line }) => `${line(parseNote(note).text)}\n`).join("");
}

/** A policy that one witness of two is enough for; its file. */
function policyOf({ folder }: Stage, logs: readonly TestLog[]): string {
  const lines = [
    ...logs.map((log) => `log ${log.log.vkey.text}`),
    ...[ONE.defined, OTHER.defined, "quorum one"],
  ];
  return put(folder, "policy", lines.map((line) => `${line}\n`).join(""));
}

/** The words of a command about a file. */
function weighing(
  stage: Stage,
  { name, file, policy }: { name: string; file: string; policy: string },
): Way {
  const args = [...name.split(" "), file, "--policy", policy];
  // The last leaf of a tree of five hangs beside the tree of the four before it.
  const entry = ["--entry", put(stage.folder, "entry", " entry 4")];
  return { args: name === "check" ? args : [...args, ...entry] };
}

/** A note of five entries, or the proof of the last of them; its file. */
function fileOf(
  { folder }: Stage,
  { name, log, note }: { name: string; log: TestLog; note: string },
): string {
  const head = `c2sp.org/tlog-proof@v1\nindex 4\n${base64(log.root(4n))}\n\n`;
  return put(folder, "weighed", name === "check" ? note : head + note);
}

/** A command about a checkpoint that these witnesses have cosigned. */
function weighs(name: string, ...made: readonly MadeWitness[]): Staging {
  return async (stage) => {
    const log = grow(await newLog(), 5);
    const note = cosigned(await log.checkpoint(), ...made);
    const file = fileOf(stage, { name, log, note });
    return weighing(stage, { name, file, policy: policyOf(stage, [log]) });
  };
}

/** How each of them goes when all is well. */
export const WEIGHING_WELL: Readonly<Record<string, Staging>> = {
  ...Object.fromEntries(WEIGHS.map((name) => [name, weighs(name, ONE)])),
  "policy check": async (stage) => ({
    args: ["policy", "check", policyOf(stage, [await newLog()])],
  }),
};

/** Each of the three, given this policy. */
function underPolicy(policy: (stage: Stage) => string): Trouble {
  return {
    "policy check": (stage) => ({ args: ["policy", "check", policy(stage)] }),
    ...each(WEIGHS, (name) => (stage) => {
      const file = put(stage.folder, "weighed", "");
      return weighing(stage, { name, file, policy: policy(stage) });
    }),
  };
}

/** Two groups of many operators, each with one key in either: too many ways to try. */
function involved({ folder }: Stage): string {
  const twice = Array.from({ length: 12 }, (_, i) => {
    const keyName = `operator${i}.invalid`;
    return [witness(`a${i}`, { keyName }), witness(`b${i}`, { keyName })];
  });
  const members = (letter: string): string => twice.map((_, i) => `${letter}${i}`).join(" ");
  const lines = [
    ...twice.flat().map(({ defined }) => defined),
    ...[`group a 6 ${members("a")}`, `group b 7 ${members("b")}`, "group q all a b", "quorum q"],
  ];
  return put(folder, "policy", lines.map((line) => `${line}\n`).join(""));
}

/** By their names in OPERATING. */
export const WEIGHING_TROUBLES: Readonly<Record<string, Trouble>> = {
  "policy of no use": underPolicy(({ folder }) => put(folder, "policy", "quorum nobody\n")),
  "weak policy": {
    "policy check": ({ folder }) => ({
      args: ["policy", "check", put(folder, "policy", "quorum none\n")],
    }),
  },
  "no checkpoint": each(WEIGHS, (name) => async (stage) => {
    const file = put(stage.folder, "weighed", "hello\n");
    return weighing(stage, { name, file, policy: policyOf(stage, [await newLog()]) });
  }),
  "witness proven": {
    // Two logs of one origin, neither of which has contradicted itself.
    "check": async (stage) => {
      const logs = [grow(await newLog(), 5), grow(await newLog(), 5, "other")];
      const files = await Promise.all(
        logs.map(async (log, i) =>
          put(stage.folder, `${i}`, cosigned(await log.checkpoint(), ONE))
        ),
      );
      return { args: ["check", ...files, "--policy", policyOf(stage, logs)] };
    },
  },
  "not committed": each(WEIGHS, (name) => weighs(name, OTHER)),
  "not included": {
    "proof verify": async (stage) => {
      const { args } = await weighs("proof verify", ONE)(stage);
      return { args: [...args.slice(0, -1), put(stage.folder, "another", " entry 3")] };
    },
  },
  "not computed": {
    "policy check": (stage) => ({ args: ["policy", "check", involved(stage)] }),
  },
};

/** These commands, when a file that they name is not there or is a folder. */
export function weighingFile(path: (stage: Stage) => string): Trouble {
  return underPolicy(path);
}

/** Two stories of one log. */
export const weighsTwoStories: Staging = async (stage) => {
  const log = grow(await newLog(), 5);
  const fork = grow(log.fork(), 6, "other");
  grow(log, 6);
  const files = await Promise.all(
    [log, fork].map(async (story, i) =>
      put(stage.folder, `${i}`, cosigned(await story.checkpoint(), i === 0 ? ONE : OTHER))
    ),
  );
  return { args: ["check", ...files, "--policy", policyOf(stage, [log])] };
};
