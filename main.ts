/** Hearsay's entry: it takes argv and gives an exit code. It is the only file that ends the process. */
import { EXIT, type Tools } from "./src/cli/command.ts";
import { runProgram } from "./src/cli/program.ts";
import { processTerminal, type Terminal } from "./src/cli/terminal.ts";
import { answerFederation } from "./src/web/federation_server.ts";
import { answerHttp } from "./src/web/http_server.ts";
import { answerWitness } from "./src/web/witness_server.ts";
import { denoWorld } from "./src/world/deno.ts";

/** Ends after a fault of our own. Deno would end with 1, which here means that a log has misbehaved. */
function fault(terminal: Terminal, error: unknown): never {
  const told = error instanceof Error ? error.stack ?? error.message : String(error);
  terminal.err(`hearsay: a fault in Hearsay itself, please report it\n${told}`);
  Deno.exit(EXIT.failed);
}

if (import.meta.main) {
  const terminal = processTerminal();
  // Only alerts run programs of this machine.
  if (!["run", "alert"].includes(Deno.args[0] ?? "")) Deno.permissions.revokeSync({ name: "run" });
  globalThis.addEventListener("unhandledrejection", ({ reason }) => fault(terminal, reason));
  globalThis.addEventListener("error", ({ error }) => fault(terminal, error));
  try {
    const world = denoWorld();
    const serveStatus: Tools["serveStatus"] = ({ address, onLack, ...answers }) =>
      world.http.serve(
        address,
        (query) => answerHttp(query, { hostname: address.hostname, ...answers }),
        onLack,
      );
    const serveWitness: Tools["serveWitness"] = ({ address, onLack, ...page }) =>
      world.http.serve(address, (query) => answerWitness(query, page), onLack);
    const serveFederation: Tools["serveFederation"] = ({ address, onLack, ...page }) =>
      world.http.serve(address, (query) => answerFederation(query, page), onLack);
    const served = { serveStatus, serveWitness, serveFederation };
    Deno.exit(await runProgram(Deno.args, { world, terminal, ...served }));
  } catch (error) {
    fault(terminal, error);
  }
}
