import { quoted } from "../tlog/malformed.ts";
import { type Command, EXIT, readOptions, UsageError } from "./command.ts";
import { bashScript, fishScript, zshScript } from "./completion_scripts.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/**
 * `hearsay completions`: scripts that complete a command line.
 * @param commands the table of all commands, this one included
 */
export function completionsOf(commands: () => readonly Command[]): Command {
  return {
    name: "completions",
    summary: "print a script that completes command lines in a shell",
    help: `hearsay completions SHELL

Prints a script for SHELL, which is bash, zsh or fish. With it the shell completes the names of
commands and options, and of files where one is wanted. Print it anew after an upgrade.

  bash  for a system: /etc/bash_completion.d/hearsay; for yourself: a line of ~/.bashrc, as below
  zsh   a file named _hearsay in a folder of $fpath
  fish  ~/.config/fish/completions/hearsay.fish

Example:
  hearsay completions bash > ~/.hearsay.bash && echo '. ~/.hearsay.bash' >> ~/.bashrc
`,
    run(args, { terminal }) {
      const [shell] = readOptions(args, { operands: ["SHELL"] }).operands as [string];
      if (!Object.hasOwn(SCRIPTS, shell)) {
        throw new UsageError(`SHELL is ${quoted(shell)}, expected bash, zsh or fish`);
      }
      const script = SCRIPTS[shell as keyof typeof SCRIPTS](commands());
      for (const line of script.trimEnd().split("\n")) terminal.out(line);
      return Promise.resolve(EXIT.ok);
    },
  };
}
