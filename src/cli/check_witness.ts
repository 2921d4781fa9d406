/**
 * The part of `hearsay config check` that looks at the witness: its keys, its list of logs, and its
 * address.
 *
 * @module
 */
import type { WitnessSettings } from "../authority/settings.ts";
import type { CosignerType } from "../authority/cosigning.ts";
import { isListUrl, type LogList } from "../authority/log_list.ts";
import { fetchList, ListUnavailable } from "../monitor/list_follower.ts";
import type { Settings } from "../monitor/settings.ts";
import type { Status } from "../monitor/status.ts";
import { SIGNATURE_TYPE } from "../tlog/vkey.ts";
import { formatAddress } from "../world/address.ts";
import { type World, WorldError } from "../world/world.ts";
import { type Check, tried, undone, wrong } from "./checking.ts";
import { readWitnessKey } from "./inputs.ts";
import type { Passphrases } from "./passphrase.ts";
import { openLogList } from "./run.ts";

/** How many logs that are left out of a list are named. */
const MAX_NAMED = 10;

/** Checks what the witness of a configuration needs, if there is one. */
export async function checkWitness(
  { world, settings, running, isOffline, passphrases, tell }: {
    world: World;
    settings: Settings;
    running: Status | undefined;
    isOffline: boolean;
    passphrases: Passphrases;
    tell: (check: Check) => void;
  },
): Promise<void> {
  const { witness, pushed } = settings;
  if (witness === undefined) return;
  for (const [path, type] of keysOf(witness)) {
    const [about, what] = ["witness", `the witness key ${path}`];
    const read = await tried({
      ...{ world, about, what, asksPerson: true },
      work: () => readWitnessKey(world, path, { type, passphrases }),
    });
    tell("check" in read ? read.check : { about, text: `${what} is ${read.done.vkey.text}` });
  }
  if (pushed.length > 0) {
    tell({ about: "witness", text: `logs that only push: ${pushed.length}` });
  }
  if (witness.list !== undefined) {
    await checkList(world, { place: witness.list, contact: settings.contact, isOffline, tell });
  }
  checkAddress(world, { witness, isOffline, isRunning: running !== undefined, tell });
}

function keysOf({ key, mldsaKey }: WitnessSettings): [path: string, type: CosignerType][] {
  const keys: [string, CosignerType][] = [[key, SIGNATURE_TYPE.cosignature]];
  if (mldsaKey !== undefined) keys.push([mldsaKey, SIGNATURE_TYPE.mldsa44]);
  return keys;
}

async function checkList(
  world: World,
  { place, contact, isOffline, tell }: {
    place: string;
    contact: string;
    isOffline: boolean;
    tell: (check: Check) => void;
  },
): Promise<void> {
  const [about, what] = ["witness", `the list ${place}`];
  const isFetched = isListUrl(place);
  if (isFetched && isOffline) return tell({ about, text: `${what} would be fetched; not tried` });
  const read = isFetched
    ? await fetched({ world, url: place, contact }, about, what)
    : await tried({ world, about, what, work: () => openLogList(world, place) });
  if ("check" in read) return tell(read.check);
  const { logs, dropped } = read.done;
  tell({ about, text: `${what} has ${logs.size} logs` });
  for (const one of dropped.slice(0, MAX_NAMED)) tell(wrong(about, `${what}: left out: ${one}`));
  const rest = dropped.length - MAX_NAMED;
  if (rest > 0) tell(wrong(about, `${what}: left out: ${rest} more`));
}

async function fetched(
  asked: Parameters<typeof fetchList>[0],
  about: string,
  what: string,
): Promise<{ done: LogList } | { check: Check }> {
  try {
    return { done: (await fetchList(asked)).list };
  } catch (error) {
    if (!(error instanceof ListUnavailable)) throw error;
    return { check: undone(about, `${what} cannot be had: ${error.message}`) };
  }
}

function checkAddress(
  { network }: World,
  { witness: { http }, isOffline, isRunning, tell }: {
    witness: WitnessSettings;
    isOffline: boolean;
    isRunning: boolean;
    tell: (check: Check) => void;
  },
): void {
  const [about, where] = ["address", formatAddress(http)];
  if (isOffline || isRunning) {
    return tell({ about, text: `logs would push to ${where}; that was not tried` });
  }
  try {
    network.listen(http).close();
    tell({ about, text: `logs would push to ${where}` });
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    tell(undone(about, `the witness cannot listen at ${where}: ${error.message}`));
  }
}
