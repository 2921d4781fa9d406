import { printable, printableJson, quoted } from "../tlog/malformed.ts";
import { type Command, EXIT, type ExitCode, readOptions, UsageError } from "./command.ts";
import { checkConfiguration } from "./checks.ts";
import type { Check, Fault } from "./checking.ts";
import { DEFAULT_CONFIG, findConfig } from "./find_config.ts";
import { PASSPHRASE_FILE, passphraseHelp, Passphrases } from "./passphrase.ts";

/** `hearsay config`: tries a configuration. */
export const config: Command = {
  name: "config",
  summary: "try a configuration, and say what would happen with it",
  help: `hearsay config check [FILE] [--offline] [--json]

Reads a configuration (default ${DEFAULT_CONFIG} here or in /etc/hearsay), tries its key, its
folders, its addresses, its store, every source and every peer, reads both journals, and says what a
daemon would do with it: a line for each thing, with ✓ if it is as it should be and with ! if it is
not. It makes, changes and locks nothing, and does not disturb a daemon that runs. Peers are asked
which logs they follow.

Ends with 0 if all is as it should be; with 2 if the configuration is wrong, or says what is hardly
meant; with 3 if something could not be done or reached; with 1 if a log showed contradicting roots
meanwhile.

${passphraseHelp(13)}
  --offline  try nothing over the network
  --json     one JSON object

Example:
  hearsay config check /etc/hearsay/hearsay.jsonc
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      values: [PASSPHRASE_FILE],
      flags: ["offline", "json"],
      operands: ["check", "FILE"],
      leastOperands: 1,
    });
    const [what, file] = options.operands;
    if (what !== "check") throw new UsageError(`expected check; came: ${quoted(what!)}`);
    const path = await findConfig(world, file);
    const isJson = options.flag("json");
    const checks: Check[] = [];
    const tell = (check: Check): void => {
      checks.push(check);
      if (isJson) return;
      const sign = check.fault === undefined
        ? terminal.paint("green", "✓")
        : terminal.paint("red", "!");
      terminal.out(`${sign} ${printable(check.text)}`);
    };
    const progress = (text: string): void => terminal.progress(text);
    const isOffline = options.flag("offline");
    const passphrases = new Passphrases({ world, terminal, options });
    await checkConfiguration({ world, path, isOffline, tell, progress, passphrases });
    const exit = exitOf(checks);
    if (isJson) {
      const told = checks.map(({ about, text, fault }) => ({
        ...{ ok: fault === undefined, about, text },
        ...(fault !== undefined && { fault }),
      }));
      terminal.out(printableJson(JSON.stringify({ file: path, exit, checks: told })));
    }
    return exit;
  },
};

/** What weighs most decides: what is proven, then what has to be changed before anything else can be. */
const EXITS: readonly (readonly [Fault, ExitCode])[] = [
  ["proven", EXIT.proven],
  ["configuration", EXIT.usage],
  ["undone", EXIT.failed],
];

function exitOf(checks: readonly Check[]): ExitCode {
  return EXITS.find(([fault]) => checks.some((check) => check.fault === fault))?.[1] ?? EXIT.ok;
}
