/**
 * Scripts that complete a command line in bash, zsh and fish. They are made of the commands' help, ask
 * nothing of this program when they run, and change nothing in the shell but completion.
 *
 * @module
 */
import type { Command } from "./command.ts";
import { partsOf, type UsageOption, type UsagePart } from "./usage.ts";

/** The table of commands, with nothing that runs. */
export type CommandTexts = readonly Pick<Command, "name" | "summary" | "help">[];

/** What may stand where a value or an operand is wanted. */
type Wanted = "files" | "folders" | "nothing" | readonly string[];

/** What a value is completed to, by the word that stands for it in the help. */
function wantedFor(value: string): Wanted {
  if (/\b(FILE|NOTE)\b/.test(value)) return "files";
  if (/^(NEW)?DIR$/.test(value)) return "folders";
  if (/^[a-z]+(\|[a-z]+)+$/.test(value)) return value.split("|");
  return "nothing";
}

/** The shells that there is a script for. */
const SHELLS = ["bash", "zsh", "fish"] as const;

/** The commands whose operand is one of a few words, and these; that of all others may be a file. */
function operandsOf(commands: CommandTexts): ReadonlyMap<string, readonly string[]> {
  const names = commands.map(({ name }) => name);
  return new Map<string, readonly string[]>([["help", names], ["man", names], [
    "completions",
    SHELLS,
  ]]);
}

/** The options that every command takes. */
const HELP_OPTION: UsageOption = { name: "help", says: "how the command is used" };

function optionsOf(part: UsagePart): readonly UsageOption[] {
  return [...part.options, HELP_OPTION];
}

function subcommandsOf(command: CommandTexts[number]): readonly string[] {
  return partsOf(command).flatMap(({ subcommand }) => subcommand ?? []);
}

/** The beginning of a text, up to the first full stop or semicolon, for one line of a menu. */
function brief(text: string): string {
  return text.split(/[.;:](?: |$)/)[0]!.slice(0, 70).trim();
}

/** A text as one word of any of the three shells. */
function quotedWord(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The script for bash; it runs in bash 3.2 too, without the package bash-completion. */
export function bashScript(commands: CommandTexts): string {
  const cases = commands.flatMap((command) =>
    partsOf(command).map((part) => bashCase(command.name, part))
  );
  const subcommands = commands.flatMap((command) => {
    const names = subcommandsOf(command);
    return names.length === 0 ? [] : `    ${command.name}) subcommands='${names.join(" ")}' ;;\n`;
  });
  const operands = [...operandsOf(commands)].map(([name, words]) =>
    `    ${name}) words='${words.join(" ")}' ;;\n`
  );
  const names = commands.map(({ name }) => name).join(" ");
  return `# bash completion for hearsay; made by 'hearsay completions bash'
_hearsay() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]}
  local command=\${COMP_WORDS[1]} subcommand= subcommands= options= want=files words= IFS=$'\\n'
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    IFS=' '
    COMPREPLY=($(compgen -W '${names} help --help --version' -- "$current"))
    return
  fi
  case $command in
${operands.join("")}${subcommands.join("")}  esac
  if [ -n "$subcommands" ]; then
    case " $subcommands " in
      *" \${COMP_WORDS[2]} "*) [ "$COMP_CWORD" -gt 2 ] && subcommand=\${COMP_WORDS[2]} ;;
    esac
    [ "$COMP_CWORD" -eq 2 ] && words=$subcommands
  fi
  case "$command $subcommand" in
${cases.join("")}  esac
  case $current in
    -*) [ "$want" = files ] && words=$options ;;
  esac
  if [ -n "$words" ]; then
    IFS=$' \\n'
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  elif [ "$want" = files ] && [ "$command" != help ]; then
    COMPREPLY=($(compgen -f -- "$current"))
    compopt -o filenames 2>/dev/null
  elif [ "$want" = folders ]; then
    COMPREPLY=($(compgen -d -- "$current"))
    compopt -o filenames 2>/dev/null
  fi
}
complete -F _hearsay hearsay
`;
}

function bashCase(name: string, part: UsagePart): string {
  const values = part.options.filter(({ value, isValueOptional }) =>
    value !== undefined && !isValueOptional
  );
  const lines = values.map((option) => {
    const wanted = wantedFor(option.value!);
    const does = typeof wanted === "string"
      ? `want=${wanted}`
      : `want=words words='${wanted.join(" ")}'`;
    return `        --${option.name}) ${does} ;;\n`;
  });
  const options = optionsOf(part).map((option) => `--${option.name}`).join(" ");
  const previous = lines.length === 0
    ? ""
    : `      case $previous in\n${lines.join("")}      esac\n`;
  return `    "${name} ${part.subcommand ?? ""}")
      options='${options}'
${previous}      ;;
`;
}

/** The script for zsh: a file named _hearsay in a folder of $fpath. */
export function zshScript(commands: CommandTexts): string {
  const list = commands.map(({ name, summary }) => `    ${quotedWord(`${name}:${summary}`)}\n`);
  const operands = operandsOf(commands);
  const cases = commands.map((command) => {
    const parts = partsOf(command);
    const names = subcommandsOf(command);
    if (names.length === 0) {
      const words = operands.get(command.name);
      return `    ${command.name})\n${zshArguments(parts[0]!, 6, words)}      ;;\n`;
    }
    const menu = parts.filter(({ subcommand }) => subcommand !== undefined)
      .map(({ subcommand, says }) => quotedWord(`${subcommand}:${brief(says)}`));
    const inner = parts.map((part) =>
      `        ${part.subcommand ?? "*"})\n${zshArguments(part, 10)}          ;;\n`
    );
    // A command that runs without a subcommand comes last, as it fits everything.
    const ordered = inner.toSorted((one, other) =>
      Number(one.startsWith("        *)")) - Number(other.startsWith("        *)"))
    );
    return `    ${command.name})
      if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
        subcommands=(${menu.join(" ")})
        _describe -t subcommands subcommand subcommands
        return
      fi
      case $words[2] in
${ordered.join("")}      esac
      ;;
`;
  });
  return `#compdef hearsay
# zsh completion for hearsay; made by 'hearsay completions zsh'
_hearsay() {
  local -a commands subcommands
  commands=(
${list.join("")}    'help:tell more about a command'
  )
  if (( CURRENT == 2 )); then
    _describe -t commands command commands
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
    help) _describe -t commands command commands ;;
${cases.join("")}  esac
}
if [ "$funcstack[1]" = _hearsay ]; then
  _hearsay "$@"
else
  compdef _hearsay hearsay
fi
`;
}

/** A text inside the brackets of a specification of _arguments. */
function zshText(text: string): string {
  return brief(text).replace(/[[\]\\:]/g, "\\$&");
}

/** @param words one of which the operand is; without them it is a file */
function zshArguments(part: UsagePart, indent: number, words?: readonly string[]): string {
  const specs = optionsOf(part).map(({ name, value, isValueOptional, says }) => {
    const flag = `*--${name}[${zshText(says)}]`;
    if (value === undefined) return flag;
    const wanted = wantedFor(value);
    const action = wanted === "files"
      ? "_files"
      : wanted === "folders"
      ? "_files -/"
      : wanted === "nothing"
      ? " "
      : `(${wanted.join(" ")})`;
    return `${flag}${isValueOptional ? "::" : ":"}${zshText(value)}:${action}`;
  });
  const spaces = " ".repeat(indent);
  const lines = [...specs, words === undefined ? "*:file:_files" : `1:word:(${words.join(" ")})`]
    .map((spec) => `${spaces}  ${quotedWord(spec)}`);
  return `${spaces}_arguments \\\n${lines.join(" \\\n")}\n`;
}

/** The script for fish. */
export function fishScript(commands: CommandTexts): string {
  const operands = [...operandsOf(commands)].map(([name, words]) =>
    `complete -c hearsay -n '__hearsay_is ${name}' -f -a '${words.join(" ")}'\n`
  );
  const first = commands.map(({ name, summary }) =>
    `complete -c hearsay -n __fish_use_subcommand -f -a ${name} -d ${quotedFish(summary)}\n`
  );
  const rest = commands.flatMap((command) => fishCommand(command));
  return `# fish completion for hearsay; made by 'hearsay completions fish'
# Whether the command is the first of these, and its subcommand one of the others.
function __hearsay_is
  set -l words (commandline -opc)
  test "$words[2]" = $argv[1]; or return 1
  test (count $argv) -eq 1; or contains -- "$words[3]" $argv[2..-1]
end
${
    first.join("")
  }complete -c hearsay -n __fish_use_subcommand -f -a help -d 'tell more about a command'
${operands.join("")}${rest.join("")}`;
}

/** In fish a backslash in single quotes escapes a quote, or itself. */
function quotedFish(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}

function fishCommand(command: CommandTexts[number]): string[] {
  const names = subcommandsOf(command);
  const here = `__hearsay_is ${command.name}`;
  const none = names.length === 0 ? "" : `; and not ${here} ${names.join(" ")}`;
  return partsOf(command).flatMap((part) => {
    const { subcommand } = part;
    const inside = subcommand === undefined ? `${here}${none}` : `${here} ${subcommand}`;
    const offered = subcommand === undefined
      ? []
      : [`-n '${here}${none}' -f -a ${subcommand} -d ${quotedFish(brief(part.says))}`];
    const options = optionsOf(part).map(({ name, value, isValueOptional, says }) => {
      const wanted = value === undefined || isValueOptional ? undefined : wantedFor(value);
      const argument = wanted === undefined
        ? ""
        : wanted === "files"
        ? " -r -F"
        : wanted === "folders"
        ? " -x -a '(__fish_complete_directories)'"
        : wanted === "nothing"
        ? " -x"
        : ` -x -a '${wanted.join(" ")}'`;
      return `-n '${inside}' -l ${name}${argument} -d ${quotedFish(brief(says))}`;
    });
    return [...offered, ...options].map((line) => `complete -c hearsay ${line}\n`);
  });
}
