import { migrate, schemaOf } from "../store/shared_schema.ts";
import type { StoreSettings } from "../store/settings.ts";
import type { Settings } from "../monitor/settings.ts";
import { MalformedError, printable, quoted } from "../tlog/malformed.ts";
import type { SharedDatabase } from "../world/shared_database.ts";
import type { World } from "../world/world.ts";
import { type Command, EXIT, type ExitCode, readOptions, UsageError } from "./command.ts";
import { DEFAULT_CONFIG, findConfig } from "./find_config.ts";
import { readSettings } from "./run.ts";
import { forgetSite } from "./store_forget.ts";
import { checkStore, rebuildStore } from "./store_check.ts";
import { storePlace } from "./store_place.ts";
import { storeStatus } from "./store_status.ts";
import type { Terminal } from "./terminal.ts";

/** `hearsay store`: the database that several daemons share. */
export const store: Command = {
  name: "store",
  summary: "make, check and look at the database that several daemons share",
  help: `hearsay store migrate  [--config FILE] [--json]
hearsay store check    [--config FILE] [--json]
hearsay store rebuild  [--config FILE] [--json]
hearsay store status   [--config FILE] [--json]
hearsay store forget   NAME|VKEY [--config FILE] [--json]

  migrate  makes the tables of the database, or brings them up to date
  check    compares what the database has of this site with its observation journal
  rebuild  removes what the database has of this site, and publishes the journal again
  status   says which sites share it, who looks at the logs, which cases they have recorded, and
           how much is in it
  forget   removes a site that is gone for good: its row, its turns, and what it saw and recorded. What
           it saw is known to the others still. A site that is alive, and this one, are not removed

The database is the "store" of the configuration. Journals are the truth, and the database is an index
over them: check changes nothing, and rebuild changes no journal. The daemon may run meanwhile.

Ends with 0 if it was done; with 2 if the configuration is wrong, or names no store, or the site is not
there or not gone; with 3 if the database cannot be used, or, for check, if it has something otherwise than the journal.

  --config FILE  the monitor's configuration (default ${DEFAULT_CONFIG} here or in /etc/hearsay)
  --json         one JSON object

Example:
  hearsay store migrate --config /etc/hearsay/hearsay.jsonc
`,
  async run(args, { world, terminal }) {
    const options = readOptions(args, {
      values: ["config"],
      flags: ["json"],
      operands: ["migrate|check|rebuild|status|forget", "NAME|VKEY"],
      leastOperands: 1,
    });
    const work = workOf(options.operands);
    const path = await findConfig(world, options.value("config"));
    const settings = await readSettings(world, path);
    const { store } = settings;
    if (store === undefined) {
      throw new MalformedError(
        `${quoted(path)} names no "store": this monitor shares no database with others ` +
          '(OPERATING, "Several machines, one monitor")',
      );
    }
    const place = await storePlace(world, store);
    const db = await world.sharedDatabases.connect(place);
    try {
      return await work({ world, terminal, db, settings, store, json: options.flag("json") });
    } finally {
      await db.close();
    }
  },
};

/** @throws UsageError if there is no such subcommand, or a site is lacking or too many */
function workOf(operands: readonly string[]): (tools: StoreTools) => Promise<ExitCode> {
  const [what = "", who] = operands;
  if (what === "forget") {
    if (who !== undefined) return (tools) => forgetSite(tools, who);
    throw new UsageError(
      "forget which site? expected NAME or VKEY; `hearsay store status` has them",
    );
  }
  const work = Object.hasOwn(SUBCOMMANDS, what) ? SUBCOMMANDS[what] : undefined;
  if (work !== undefined && who === undefined) return work;
  const known = [...Object.keys(SUBCOMMANDS), "forget NAME|VKEY"].join(", ");
  throw new UsageError(`expected ${known}; got: ${operands.map(quoted).join(" ")}`);
}

/** What a subcommand works with. */
export interface StoreTools {
  readonly world: World;
  readonly terminal: Terminal;
  readonly db: SharedDatabase;
  readonly settings: Settings;
  readonly store: StoreSettings;
  readonly json: boolean;
}

const SUBCOMMANDS: Readonly<Record<string, (tools: StoreTools) => Promise<ExitCode>>> = {
  migrate: migrateStore,
  check: checkStore,
  rebuild: rebuildStore,
  status: storeStatus,
};

async function migrateStore({ db, terminal, store, json }: StoreTools): Promise<ExitCode> {
  const { from, to } = await migrate(db);
  const { minReader } = (await schemaOf(db))!;
  if (json) terminal.out(JSON.stringify({ from: from ?? null, to, minReader }));
  else {
    const did = from === undefined
      ? `its tables were made: it has schema ${to}`
      : from === to
      ? `it has schema ${to} already; nothing was changed`
      : `it was brought from schema ${from} to ${to}; programs that know ${minReader} or later can ` +
        "use it";
    terminal.out(printable(`the store ${store.url}: ${did}`));
  }
  return EXIT.ok;
}
