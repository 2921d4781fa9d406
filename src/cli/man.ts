import { quoted } from "../tlog/malformed.ts";
import { type Command, EXIT, readOptions, UsageError } from "./command.ts";
import { commandPage, programPage } from "./man_page.ts";

/**
 * `hearsay man`: man pages.
 * @param texts all commands, this one included, and what `hearsay --help` prints
 */
export function manOf(texts: () => { commands: readonly Command[]; help: string }): Command {
  return {
    name: "man",
    summary: "print a man page, of the program or of a command",
    help: `hearsay man [COMMAND]

Prints the man page of COMMAND, or without one that of the program, in roff. It says what
'hearsay help COMMAND' says. 'man -l FILE' shows it; where man finds it by its name, it is named
hearsay.1 or hearsay-COMMAND.1.

Example:
  hearsay man run > /usr/local/share/man/man1/hearsay-run.1
`,
    run(args, { terminal }) {
      const { operands: [name] } = readOptions(args, { operands: ["COMMAND"], leastOperands: 0 });
      const { commands, help } = texts();
      const command = commands.find((one) => one.name === name);
      if (name !== undefined && command === undefined) {
        throw new UsageError(`there is no command ${quoted(name)}; 'hearsay help' lists them`);
      }
      const page = command === undefined ? programPage(help, commands) : commandPage(command);
      for (const line of page.trimEnd().split("\n")) terminal.out(line);
      return Promise.resolve(EXIT.ok);
    },
  };
}
