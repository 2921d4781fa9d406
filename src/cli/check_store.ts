/**
 * The part of `hearsay config check` that tries the store that is shared with other sites. It changes
 * nothing in it.
 *
 * @module
 */
import type { Settings } from "../monitor/settings.ts";
import { CURRENT_SCHEMA, expectSchema, schemaOf } from "../store/shared_schema.ts";
import { sitesOf } from "../store/shared_sites.ts";
import { clockAheadMs } from "../store/shared_tables.ts";
import { StoreRefused } from "../store/shared_types.ts";
import { formatDuration } from "../world/setting_values.ts";
import { type World, WorldError } from "../world/world.ts";
import { type Check, tried, undone } from "./checking.ts";
import { counted } from "./repairs.ts";
import { storePlace } from "./store_place.ts";

/** Clocks that are further apart are told, in milliseconds: people compare times. */
const MOST_APART_MS = 2_000;

/** Checks what a configuration says about a store, if it says anything. */
export async function checkStorePlace(
  { world, settings: { store }, isOffline, tell }: {
    world: World;
    settings: Settings;
    isOffline: boolean;
    tell: (check: Check) => void;
  },
): Promise<void> {
  if (store === undefined) return;
  const [about, what] = ["store", `the store ${store.url}`];
  const read = await tried({ world, about, what, work: () => storePlace(world, store) });
  if ("check" in read) return tell(read.check);
  const { password, ca } = read.done;
  const means = `${password === undefined ? "without a password" : "with a password"}${
    ca === undefined ? "" : ", and a certificate authority of its own"
  }`;
  if (isOffline) {
    return tell({ about, text: `${what} would be shared, ${means}; that was not tried` });
  }
  try {
    const db = await world.sharedDatabases.connect(read.done);
    try {
      await expectSchema(db);
      const { version } = (await schemaOf(db))!;
      const sites = await sitesOf(db);
      tell({
        about,
        text: `${what} lets us in, ${means}: schema ${version} (this program makes ` +
          `${CURRENT_SCHEMA}), ${counted(sites.length, "site")}`,
      });
      const aheadMs = await clockAheadMs(db, () => world.clock.now().getTime());
      if (Math.abs(aheadMs) > MOST_APART_MS) {
        const by = formatDuration(1_000 * Math.round(Math.abs(aheadMs) / 1_000));
        const which = aheadMs > 0 ? "ahead of" : "behind";
        tell(
          undone(about, `the clock of ${what} is ${by} ${which} ours: set the one that is wrong`),
        );
      }
    } finally {
      await db.close();
    }
  } catch (error) {
    if (!(error instanceof WorldError) && !(error instanceof StoreRefused)) throw error;
    tell(undone(about, `${what}: ${error.message}`));
  }
}
