/** OPERATING's exit codes, walked: each trouble is brought about for each command it names. */
import { assert, assertEquals } from "@std/assert";
import { COMMANDS } from "../../../src/cli/program.ts";
import { readDocument } from "../../documents/document.ts";
import { play } from "./stage.ts";
import { SAYS } from "./says.ts";
import { TROUBLES } from "./troubles.ts";
import { WELL } from "./well.ts";

interface Row {
  readonly name: string;
  readonly code: number;
  readonly commands: readonly string[];
  /** Whether every command may meet it. */
  readonly isGeneral: boolean;
}

/** What it says of a trouble that every command may meet. */
const EVERY_COMMAND = "every command";
/** What it says of one that those meet which do more than print a text. */
const EVERY_WORKING = `${EVERY_COMMAND} but \`completions\` and \`man\``;

/** A command, or all its subcommands if it has any. */
function partsOf(command: string): string[] {
  if (command in WELL) return [command];
  const parts = Object.keys(WELL).filter((name) => name.startsWith(`${command} `));
  return parts.length > 0 ? parts : [command];
}

/** The troubles under each code: `- **name**: what happened (commands)`. */
function rowsOf(document: string): Row[] {
  const section = document.split(/^## /m).find((part) => part.startsWith("Exit codes\n"))!;
  return section.split(/^### (?=\d)/m).slice(1).flatMap((part) => {
    const items = part.split(/^### /m)[0]!.split(/^- /m).slice(1);
    return items.map((item) => {
      const text = item.trim().replace(/\s+/g, " ");
      const [, name, commands] = /^\*\*([^*]+)\*\*: .* \(([^()]+)\)$/.exec(text) ?? [];
      assert(name !== undefined, text);
      const isWorking = commands === EVERY_WORKING;
      const isGeneral = commands === EVERY_COMMAND || isWorking;
      const parts = [...commands!.matchAll(/`([^`]+)`/g)].flatMap(([, one]) => partsOf(one!));
      return {
        ...{ name, code: parseInt(part), isGeneral },
        commands: isGeneral
          ? Object.keys(WELL).filter((one) => !(isWorking && parts.includes(one)))
          : parts,
      };
    });
  });
}

const ROWS = rowsOf(readDocument("documents/OPERATING.md"));

Deno.test("exit codes: every row is staged, and every staging has its row", () => {
  assertEquals(ROWS.map(({ name }) => name).toSorted(), Object.keys(TROUBLES).toSorted());
  assertEquals(Object.keys(SAYS).filter((name) => !(name in TROUBLES)), []);
  for (const { name, commands } of ROWS) {
    const staged = Object.keys(TROUBLES[name]!);
    assertEquals([name, commands.toSorted()], [name, staged.toSorted()]);
  }
});

/** The subcommands that a command's help begins with: `list | show ID | check   [--json]`. */
function subcommandsOf(name: string, help: string): string[] {
  const usage = help.split("\n\n")[0]!.split("\n");
  return usage.flatMap((line) => {
    const words = line.startsWith(`hearsay ${name} `) ? line.slice(`hearsay ${name} `.length) : "";
    return words.split(/ {2}|\[/)[0]!.split(" | ").map((part) => /^[a-z]+\b/.exec(part)?.[0]);
  }).filter((word) => word !== undefined);
}

Deno.test("exit codes: every command and subcommand has a row of its own", () => {
  const own = new Set(ROWS.filter(({ isGeneral }) => !isGeneral).flatMap((row) => row.commands));
  const missing = COMMANDS.flatMap(({ name, help }) => {
    const subcommands = subcommandsOf(name, help);
    const all = subcommands.length === 0 ? [name] : subcommands.map((word) => `${name} ${word}`);
    return all.filter((command) => !own.has(command) || !(command in WELL));
  });
  assertEquals(missing, []);
  assert(
    subcommandsOf("incidents", COMMANDS.find(({ name }) => name === "incidents")!.help)
      .includes("show"),
  );
});

/** So many commands run at once. */
const AT_ONCE = 4;

for (const { name, code, commands } of ROWS) {
  Deno.test(`exit codes: ${name} ends with ${code}`, async () => {
    const ended: Record<string, number | string> = {};
    const left = [...commands];
    const work = async (): Promise<void> => {
      for (let command; (command = left.shift()) !== undefined;) {
        const staging = TROUBLES[name]?.[command];
        if (staging === undefined) continue;
        // All commands of the row are played to their end, so that one that fails leaves no other behind.
        const played = await play(staging).catch((error) => ({ code: "not staged", said: error }));
        const isIt = played.code === code && (SAYS[name]?.test(played.said) ?? true);
        ended[command] = isIt ? code : `${played.code}: ${played.said}`;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    assertEquals(ended, Object.fromEntries(commands.map((command) => [command, code])));
  });
}
