/**
 * `hearsay store forget`: removes a site that is gone for good from the store.
 *
 * @module
 */
import { identityIn } from "../monitor/places.ts";
import { removeSite } from "../store/shared_removal.ts";
import { expectSchema } from "../store/shared_schema.ts";
import { sitesOf } from "../store/shared_sites.ts";
import type { SiteRow } from "../store/shared_types.ts";
import { printable, printableJson, quoted } from "../tlog/malformed.ts";
import { EXIT, type ExitCode, UsageError } from "./command.ts";
import type { StoreTools } from "./store.ts";

/**
 * Removes a site.
 * @param who its name or its vkey
 * @throws UsageError if there is no such site, several have the name, or it is not gone
 * @throws StoreRefused, WorldError
 */
export async function forgetSite(
  { world, terminal, db, settings, json }: StoreTools,
  who: string,
): Promise<ExitCode> {
  await expectSchema(db);
  const rows = (await sitesOf(db)).filter((row): row is SiteRow => !("damaged" in row));
  const { vkey, name } = siteCalled(who, rows);
  if (vkey === await identityIn(world, settings.state)) {
    throw new UsageError(
      `site ${quoted(name)} is this one: run it on another site. To leave the store, stop the ` +
        'daemon and take "store" out of the configuration',
    );
  }
  const removal = await removeSite(db, vkey);
  if (removal === "alive") {
    throw new UsageError(
      `site ${
        quoted(name)
      } is alive, and was not removed; stop it first, or wait for its lease to end`,
    );
  }
  if (json) terminal.out(printableJson(JSON.stringify({ name, vkey })));
  else {
    terminal.out(printable(
      `site ${name} was removed from the store: ${vkey}. What it saw is known to the others; its ` +
        "journals are where they were. If it comes back, it publishes them again",
    ));
  }
  return EXIT.ok;
}

function siteCalled(who: string, sites: readonly SiteRow[]): SiteRow {
  const found = sites.filter(({ name, vkey }) => name === who || vkey === who);
  const [site, ...others] = found;
  if (site !== undefined && others.length === 0) return site;
  const list = (all: readonly SiteRow[]): string => all.map(({ vkey }) => vkey).join(", ");
  if (site !== undefined) {
    throw new UsageError(
      `${found.length} sites are called ${quoted(who)}; give the vkey of one: ${list(found)}`,
    );
  }
  const there = sites.length === 0 ? "it has none" : `it has: ${list(sites)}`;
  throw new UsageError(`the store has no site ${quoted(who)}; ${there}`);
}
