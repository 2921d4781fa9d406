/** The contract of the shared store, on SQLite in memory. */
import type { Clock } from "../../src/world/world.ts";
import { sharedStoreContract } from "./shared_contract.ts";
import { SharedSqlite } from "./shared_sqlite.ts";
import type { Place } from "./shared_stage.ts";

/** A database on SQLite, whose time passes when the test says so. */
function open(): Promise<Place> {
  let now = 0;
  const start = Date.UTC(2026, 0, 1);
  const clock: Clock = {
    now: () => new Date(start + now),
    monotonic: () => now,
    after: () => ({ cancel() {} }),
  };
  const server = new SharedSqlite({ clock });
  return Promise.resolve({
    get now() {
      return now;
    },
    pass: (ms) => {
      now += ms;
      return Promise.resolve();
    },
    connect: () => server.site().connect({ url: "postgres://hearsay@db.invalid/hearsay" }),
    close: () => Promise.resolve(server.close()),
  });
}

sharedStoreContract("SQLite", open);
