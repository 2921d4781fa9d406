/** Hearsay: argv in, exit code out; the only place that ends the process. */
import { EXIT } from "./src/cli/command.ts";
import { runProgram } from "./src/cli/program.ts";
import { processTerminal } from "./src/cli/terminal.ts";
import { denoWorld } from "./src/world/deno.ts";

if (import.meta.main) {
  const terminal = processTerminal();
  // Deno would end with 1, which here says that a log has misbehaved.
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    terminal.err(`hearsay: a fault in Hearsay itself, please report it\n${event.reason?.stack}`);
    Deno.exit(EXIT.failed);
  });
  Deno.exit(await runProgram(Deno.args, { world: denoWorld(), terminal }));
}
