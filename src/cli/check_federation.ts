/**
 * The part of `hearsay config check` that looks at journals: where this monitor's own is published, and
 * how long it is.
 *
 * @module
 */
import type { Settings } from "../monitor/settings.ts";
import type { Status } from "../monitor/status.ts";
import { formatAddress } from "../world/address.ts";
import type { Address } from "../world/world.ts";
import { type World, WorldError } from "../world/world.ts";
import { type Check, undone } from "./checking.ts";

/** Checks what a configuration says about journals, if it says anything. */
export function checkFederation(
  { world, settings: { federation, name }, running, isOffline, tell }: {
    world: World;
    settings: Settings;
    running: Status | undefined;
    isOffline: boolean;
    tell: (check: Check) => void;
  },
): void {
  if (federation === undefined) return;
  const about = "federation";
  const published = running?.federation;
  if (published !== undefined) {
    const { origin, size } = published;
    tell({ about, text: `the journal is published as ${origin}, size ${size}` });
  }
  const { http, mirrors, admit } = federation;
  if (http === undefined) {
    tell({ about, text: `the journal of ${name} would be published in files alone` });
  } else tell(addressOf(http, { world, isTried: !isOffline && running === undefined }));
  for (const { vkey, url } of mirrors) {
    tell({ about, text: `the journal of ${vkey.name} would be mirrored from ${url}` });
  }
  if (http === undefined) return;
  const whose = admit === "anyone" ? "anyone may push its journal here" : "members alone may push";
  tell({ about, text: whose });
}

function addressOf(
  http: Address,
  { world: { network }, isTried }: { world: World; isTried: boolean },
): Check {
  const [about, where] = ["address", formatAddress(http)];
  if (!isTried) {
    return { about, text: `the journal would be published at ${where}; that was not tried` };
  }
  try {
    network.listen(http).close();
    return { about, text: `the journal would be published at ${where}` };
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    return undone(about, `the journal cannot be published at ${where}: ${error.message}`);
  }
}
