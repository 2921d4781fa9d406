import type { LogStatus, Status, StoreStatus } from "../monitor/status.ts";
import { counted } from "./repairs.ts";
import { ago, span } from "./spans.ts";

/** How the store stands that is shared with other sites, a line for each site; nothing without one. */
export function storeInWords({ store, now, vkey }: Status): string[] {
  if (store === undefined) return [];
  return [
    `shared store: ${stateOf(store, now)}`,
    ...store.sites.map((site) =>
      `${site.isAlive ? "" : "! "}${site.name}${site.vkey === vkey ? " (this one)" : ""}: ` +
      (site.isAlive
        ? `its turn at ${counted(site.held, "log")}`
        : `away, last heard of ${ago(site.seenAt, now)}`)
    ),
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

/** Which sites look at a log in place of this one; nothing if this one looks itself. */
export function lookersInWords({ lookedAtBy = [] }: LogStatus): string {
  return lookedAtBy.length === 0
    ? ""
    : `The turn to look is also, or only, at ${lookedAtBy.join(", ")}.`;
}
