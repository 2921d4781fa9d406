/**
 * What a command's help says of its subcommands, options and values. Completions and man pages are made
 * of it, so that there is one text of each command. A test holds it against what the commands accept.
 *
 * @module
 */
import type { Command } from "./command.ts";

/** One option of a command. */
export interface UsageOption {
  /** Without the two hyphens. */
  readonly name: string;
  /** What stands for its value, such as `FILE` or `anyone|members`; nothing for a flag. */
  readonly value?: string;
  /** Whether the value may be left out. */
  readonly isValueOptional?: boolean;
  /** What the help says of it, as one line; empty if it says nothing in its own place. */
  readonly says: string;
}

/** A command, or one of its subcommands. */
export interface UsagePart {
  /** Nothing for a command that can be run without a subcommand. */
  readonly subcommand?: string;
  /** What the help says of the subcommand, as one line. */
  readonly says: string;
  readonly options: readonly UsageOption[];
}

/** An entry of a list in a help: `  name  text`, with more text below it. */
export interface ListItem {
  readonly name: string;
  /** As one line. */
  readonly text: string;
}

/** The lines of a help up to its first empty line: how the command is typed. */
export function synopsisOf({ help }: Pick<Command, "help">): readonly string[] {
  return help.split("\n\n")[0]!.split("\n");
}

/** The parts of a command: one for each subcommand, or one for itself. */
export function partsOf(command: Pick<Command, "name" | "help">): readonly UsagePart[] {
  const listed = command.help.split("\n\n").slice(1).flatMap((block) => listOf(block) ?? []);
  const texts = new Map(listed.map(({ name, text }) => [name.replace(/ .*/s, ""), text]));
  const usages = usagesOf(command);
  const described = optionsIn(
    listed.filter(({ name }) => name.startsWith("--")).map(({ name }) => name).join("\n"),
  );
  const all = usages.flatMap(({ text }) => optionsIn(text));
  const named = [...new Set(usages.map(({ subcommand }) => subcommand))];
  return named.map((subcommand) => {
    const own = usages.filter((usage) => usage.subcommand === subcommand)
      .flatMap(({ text }) => optionsIn(text));
    // What stands only in the list is of every part.
    const common = described.filter(({ name }) => !all.some((one) => one.name === name));
    const options = new Map([...own, ...common].toReversed().map((one) => [one.name, one]));
    return {
      ...(subcommand !== undefined && { subcommand }),
      says: texts.get(subcommand ?? "") ?? "",
      options: [...options.values()].toReversed().map((option) => ({
        ...described.find(({ name }) => name === option.name),
        ...option,
        says: texts.get(`--${option.name}`) ?? "",
      })),
    };
  });
}

/** One way to type a command, on one line. */
interface UsageLine {
  readonly subcommand?: string;
  readonly text: string;
}

function usagesOf(command: Pick<Command, "name" | "help">): UsageLine[] {
  const start = `hearsay ${command.name}`;
  const usages: UsageLine[] = [];
  let shared = 0;
  for (const line of synopsisOf(command)) {
    const last = usages.at(-1);
    if (line.startsWith(start)) {
      const [, subcommand] = /^ ([a-z]+)\b/.exec(line.slice(start.length)) ?? [];
      usages.push({ ...(subcommand !== undefined && { subcommand }), text: line });
    } else if (line.trim().startsWith("each with")) {
      // It is said of the lines above, down from the last that said so.
      for (; shared < usages.length; shared++) {
        usages[shared] = { ...usages[shared]!, text: `${usages[shared]!.text} ${line}` };
      }
    } else if (last !== undefined) usages[usages.length - 1] = { ...last, text: last.text + line };
  }
  return usages;
}

/** The options in a usage: a name, and what follows it unless that is a bracket, a bar or an option. */
function optionsIn(usage: string): UsageOption[] {
  const found = usage.matchAll(/--([a-z][a-z-]*)(?: (\[?)([^\s[\]|-][^\s[\]]*)|)/g);
  return [...found].map(([, name, bracket, value]) => ({
    name: name!,
    ...(value !== undefined && { value: value.replace(/…$/, "") }),
    ...(bracket === "[" && { isValueOptional: true }),
    says: "",
  }));
}

/** How far an entry's name stands from the edge, and how far its text is from its name. */
const ENTRY = /^ {2}(\S(?:.*?\S)?)(?: {2,}(\S.*))?$/;

/** The entries of a block of a help, if all of it is a list. */
export function listOf(block: string): readonly ListItem[] | undefined {
  const items: { name: string; texts: string[] }[] = [];
  for (const line of block.trimEnd().split("\n")) {
    const [, name, text] = ENTRY.exec(line) ?? [];
    const last = items.at(-1);
    if (name !== undefined) items.push({ name, texts: text === undefined ? [] : [text] });
    else if (last !== undefined && line.startsWith("    ")) last.texts.push(line.trim());
    else return undefined;
  }
  if (items.some(({ texts }) => texts.length === 0)) return undefined;
  return items.map(({ name, texts }) => ({ name, text: texts.join(" ") }));
}
