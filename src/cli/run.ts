import { Daemon } from "../monitor/daemon.ts";
import type { EventReport } from "../monitor/events.ts";
import type { Settings } from "../monitor/settings.ts";
import { openSource } from "../sources/open.ts";
import { textOf } from "../tlog/encoding.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { formatAddress } from "../world/address.ts";
import type { Signer } from "../world/signer.ts";
import type { HttpServer, World } from "../world/world.ts";
import { type Command, EXIT, type ExitCode, readOptions, type Tools } from "./command.ts";
import { MAX_CONFIG_BYTES, parseConfig } from "./config.ts";
import { eventLog } from "./event_log.ts";
import { readInput, readKey } from "./inputs.ts";

/** The configuration read unless told otherwise. */
export const DEFAULT_CONFIG = "hearsay.jsonc";

/** `hearsay run`: the daemon. */
export const run: Command = {
  name: "run",
  summary: "follow logs and compare with peers, as a daemon",
  help: `hearsay run [--config FILE] [--once] [--json] [--verbose]

Follows the logs of a configuration: proves that each checkpoint extends the last, compares what
peers were shown, also at different sizes, and records every contradiction before anyone is told.
SIGTERM or SIGINT ends it after it has finished writing; SIGHUP reads the configuration again.

  --config FILE  the configuration (default ${DEFAULT_CONFIG}); 'hearsay init' writes one
  --once         look at every log and exchange with every peer once, then end
  --json         one JSON object for every event
  --verbose      also what is as it should be

Ends with 0 if nothing was wrong, 1 if a log was shown to have signed contradicting roots, 3 if
(with --once) a log or peer could not be reached, or a proof was refused.

Example:
  hearsay run --config /etc/hearsay/hearsay.jsonc
`,
  async run(args, tools) {
    const options = readOptions(args, {
      values: ["config"],
      flags: ["once", "json", "verbose"],
    });
    const { world, terminal } = tools;
    const path = options.value("config") ?? DEFAULT_CONFIG;
    const least = options.flag("verbose") ? "debug" : "info";
    const report = await eventLog({ terminal, json: options.flag("json"), least });
    let settings = await readSettings(world, path);
    if (options.flag("once")) return await once({ world, settings, report });
    for (let proven = 0;;) {
      const next = await runUntilReload({ tools, settings, report, path });
      proven += next.incidents;
      if (next.settings === undefined) return proven > 0 ? EXIT.proven : EXIT.ok;
      settings = next.settings;
    }
  },
};

/**
 * Reads a configuration file.
 * @throws UsageError, MalformedError with all errors of the file
 */
export async function readSettings(world: World, path: string): Promise<Settings> {
  const text = textOf(await readInput({ world, path, maxBytes: MAX_CONFIG_BYTES }));
  return parseConfig(text, path);
}

async function startDaemon(
  { world, settings, report }: { world: World; settings: Settings; report: EventReport },
): Promise<Daemon> {
  const signer = await readKey(world, settings.key);
  checkName(settings, signer);
  const { contact } = settings;
  return await Daemon.start({
    world,
    settings,
    signer,
    report,
    openSource: ({ log, source }) => openSource({ world, log, source, contact }),
  });
}

function checkName({ name, key }: Settings, { vkey }: Signer): void {
  if (vkey.name === name) return;
  throw new MalformedError(
    `the key in ${quoted(key)} is of ${quoted(vkey.name)}, expected ${quoted(name)}, the ` +
      "configuration's name",
  );
}

async function once(
  { world, settings, report }: { world: World; settings: Settings; report: EventReport },
): Promise<ExitCode> {
  const daemon = await startDaemon({ world, settings: { ...settings, listen: undefined }, report });
  let done = false;
  try {
    done = await daemon.once();
  } finally {
    await daemon.close();
  }
  if (daemon.incidents > 0) return EXIT.proven;
  return done ? EXIT.ok : EXIT.failed;
}

/** Runs until asked to end, or, with new settings, until asked to read the configuration again. */
async function runUntilReload({ tools: { world, terminal, serveStatus }, settings, report, path }: {
  tools: Tools;
  settings: Settings;
  report: EventReport;
  path: string;
}): Promise<{ incidents: number; settings?: Settings }> {
  const daemon = await startDaemon({ world, settings, report });
  let server: HttpServer | undefined;
  let reloaded: Settings | undefined;
  try {
    server = settings.http &&
      serveStatus({ address: settings.http, status: () => daemon.status() });
    terminal.onStop(() => daemon.stop());
    terminal.onReload(async () => {
      try {
        reloaded = await readSettings(world, path);
        daemon.stop();
      } catch (error) {
        // A bad file must not end a daemon that works.
        report.event("config.refused", "error", { reason: (error as Error).message });
      }
    });
    if (server !== undefined) {
      report.event("status.serving", "info", { address: formatAddress(server.address) });
    }
    await daemon.run();
  } catch (error) {
    await daemon.close();
    throw error;
  } finally {
    terminal.release();
    await server?.close();
  }
  return { incidents: daemon.incidents, ...(reloaded && { settings: reloaded }) };
}
