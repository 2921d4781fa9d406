import type { LogStatus, Status, StoreStatus } from "../monitor/status.ts";
import { counted } from "./repairs.ts";
import { ago, span } from "./spans.ts";

/** How the store stands that is shared with other sites, a line for each site; nothing without one. */
export function storeInWords({ store, now, vkey }: Status): string[] {
  if (store === undefined) return [];
  return [
    `shared store: ${stateOf(store, now)}`,
    ...store.sites.map((site) => {
      const name = `${site.name}${site.vkey === vkey ? " (this one)" : ""}`;
      const heard = `last heard of ${ago(site.seenAt, now)}`;
      // While the store is away nobody knows who is alive.
      if (store.state === "away") return `${name}: ${heard}`;
      return site.isAlive
        ? `${name}: its turn at ${counted(site.held, "log")}`
        : `! ${name}: away, ${heard}`;
    }),
  ];
}

function stateOf({ state, since, behind, sites }: StoreStatus, now: string): string {
  const late = behind === 0 ? "" : `, ${behind} entries of the journal behind`;
  if (state === "away") {
    const lasts = since === undefined ? "" : ` for ${span(since, now)}`;
    return `away${lasts}; every log is looked at from here${late}`;
  }
  const alive = sites.filter(({ isAlive }) => isAlive).length;
  return `connected, ${alive} of ${counted(sites.length, "site")} alive${late}`;
}

/** Whose turn it is to look at a log, of the other sites; nothing if it is nobody else's. */
export function lookersInWords({ lookedAtBy = [] }: LogStatus): string {
  return lookedAtBy.length === 0 ? "" : `It is the turn of ${lookedAtBy.join(", ")} to look at it.`;
}
