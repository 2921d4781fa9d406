/** A store in memory that monitors made with the commands share. */
import { SharedSqlite } from "../store/shared_sqlite.ts";
import { denoWorld } from "../../src/world/deno.ts";
import type { SharedDatabases } from "../../src/world/shared_database.ts";
import type { World } from "../../src/world/world.ts";
import { type Ran, start } from "./harness.ts";
import { edit } from "./monitors.ts";

/** Where a configuration says that it is. */
export const STORE_URL = "postgres://hearsay@127.0.0.1/hearsay?sslmode=disable";

/** See above. */
export class StoreOfTests implements Disposable {
  readonly server = new SharedSqlite({ clock: denoWorld().clock });

  /** A world from which one machine reaches it. */
  world(databases: SharedDatabases = this.server.site()): World {
    return { ...denoWorld(), sharedDatabases: databases };
  }

  /** Runs a command that finds it. */
  run(...args: string[]): Promise<Ran> {
    return start(args, this.world()).done;
  }

  [Symbol.dispose](): void {
    this.server.close();
  }
}

/** Has a monitor share the store. */
export function share(config: string, store: unknown = STORE_URL): void {
  edit(config, '"logs"', `"store": ${JSON.stringify(store)},\n  "logs"`);
}
