/**
 * The part of `hearsay config check` that looks at journals: where this monitor's own is published, how
 * long it is, and whether those that would be mirrored are there.
 *
 * @module
 */
import { openHead } from "../federation/mirror_folder.ts";
import { HttpPublisher, PublisherUnavailable } from "../federation/publisher.ts";
import type { Settings } from "../monitor/settings.ts";
import type { Status } from "../monitor/status.ts";
import { MalformedError } from "../tlog/malformed.ts";
import type { Vkey } from "../tlog/vkey.ts";
import { formatAddress } from "../world/address.ts";
import { inTime } from "../world/in_time.ts";
import type { Address } from "../world/world.ts";
import { type World, WorldError } from "../world/world.ts";
import { type Check, undone } from "./checking.ts";

/** Longest wait for the head of a journal. */
const JOURNAL_MS = 30_000;

/** Checks what a configuration says about journals, if it says anything. */
export async function checkFederation(
  { world, settings: { federation, name, contact }, running, isOffline, tell }: {
    world: World;
    settings: Settings;
    running: Status | undefined;
    isOffline: boolean;
    tell: (check: Check) => void;
  },
): Promise<void> {
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
  const mirrored = await Promise.all(mirrors.map(async ({ vkey, url }): Promise<Check> => {
    const text = `the journal of ${vkey.name} would be mirrored from ${url}`;
    return isOffline ? { about, text } : await journalAt(url, { world, vkey, contact, text });
  }));
  mirrored.forEach(tell);
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

/** Asks for the head of a journal once. Nothing of it is kept. */
async function journalAt(
  url: string,
  { world, vkey, contact, text }: { world: World; vkey: Vkey; contact: string; text: string },
): Promise<Check> {
  const about = "federation";
  try {
    const publisher = new HttpPublisher({ world, base: url, contact, vkey });
    const work = () => publisher.status();
    const { checkpoint } = await inTime({ clock: world.clock, ms: JOURNAL_MS, work });
    const { treeSize } = openHead(checkpoint, vkey);
    return { about, text: `${text}: size ${treeSize}, signed with its key` };
  } catch (error) {
    if (error instanceof MalformedError) {
      return undone(
        about,
        `${text}, but what is there is no head that it has signed: ${error.message}`,
      );
    }
    if (!(error instanceof WorldError) && !(error instanceof PublisherUnavailable)) throw error;
    return undone(about, `${text}, but it cannot be had: ${error.message}`);
  }
}
