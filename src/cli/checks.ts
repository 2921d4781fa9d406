/**
 * The order in which a configuration is checked; what is on this machine. What is asked of others is
 * in check_others.ts.
 *
 * @module
 */
import { join } from "@std/path/join";
import { identityIn } from "../monitor/places.ts";
import { plainFolder, type Settings } from "../monitor/settings.ts";
import type { Status } from "../monitor/status.ts";
import { trapsOf } from "../monitor/traps.ts";
import { isCase, readIncidents, recordOf } from "../store/incidents.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { parseVkey } from "../tlog/vkey.ts";
import { formatAddress } from "../world/address.ts";
import { isThere } from "../world/durable.ts";
import { isAllAddresses } from "../world/hosts.ts";
import { timeOf } from "../world/time.ts";
import { type Address, type World, WorldError } from "../world/world.ts";
import { checkAlerts } from "./check_alerts.ts";
import { checkJournals } from "./check_journals.ts";
import { checkKeys, WalkedViews } from "./check_keys.ts";
import { checkFederation } from "./check_federation.ts";
import { checkPolicies } from "./check_policies.ts";
import { checkStorePlace } from "./check_store.ts";
import { checkWitness } from "./check_witness.ts";
import { checkOthers } from "./check_others.ts";
import { type Check, type Checked, type Identity, tried, undone, wrong } from "./checking.ts";
import { readKeyFile, signerFrom } from "./inputs.ts";
import type { Passphrases } from "./passphrase.ts";
import { expectName, EXPOSED, readSettings } from "./run.ts";
import { askStatus } from "./status.ts";

/** Checks a configuration file and everything that it names. */
export async function checkConfiguration({ world, path, isOffline, tell, progress, passphrases }: {
  world: World;
  path: string;
  isOffline: boolean;
  tell: (check: Check) => void;
  /** Shows how far it is, on a terminal. */
  progress: (text: string) => void;
  passphrases: Passphrases;
}): Promise<void> {
  const settings = await checkFile({ world, path, tell });
  if (settings === undefined) return;
  for (const trap of await trapsOf(settings, world)) tell(wrong("trap", trap));
  const identity = await checkKey({ world, settings, tell, passphrases });
  const running = isOffline ? undefined : await checkDaemon({ world, settings, identity, tell });
  const checked: Checked = { world, settings, identity, running };
  let isOurs = true;
  for (const name of ["state", "incidents"] as const) {
    isOurs = await checkFolder(checked, name, tell) && isOurs;
  }
  const seen = isOurs ? await checkJournals(checked, { tell, progress }) : new WalkedViews();
  for (const name of ["listen", "http"] as const) checkAddress(checked, { name, isOffline, tell });
  await checkWitness({ world, settings, running, isOffline, passphrases, tell });
  await checkStorePlace({ world, settings, isOffline, tell });
  await checkAlerts({ world, settings, isOffline, tell });
  await checkFederation({ world, settings, running, isOffline, tell });
  await checkPolicies({ world, settings, tell });
  checkKeys(settings, seen, tell);
  await checkOthers({ checked, isOffline, tell, progress });
}

type Tell = (check: Check) => void;

/** Reads the file. Every error in it is a line. */
async function checkFile(
  { world, path, tell }: { world: World; path: string; tell: Tell },
): Promise<Settings | undefined> {
  const about = "configuration";
  const read = await tried({
    ...{ world, about, what: `the configuration ${path}` },
    work: () => readSettings(world, path),
  });
  if ("check" in read) {
    const { text, fault } = read.check;
    // Each error of the file names it, with line and column.
    const lines = fault === "undone"
      ? [text]
      : text.replace(/^the configuration .*?: /, "").split("\n");
    for (const line of lines) tell({ about, text: line, fault: fault! });
    return undefined;
  }
  const { name, logs, peers } = read.done;
  const counts = `logs: ${logs.length}, peers: ${peers.length}`;
  tell({ about, text: `${path} can be read: monitor ${name}, ${counts}` });
  tellSchedule(read.done, { world, tell });
  return read.done;
}

/** Says when a schedule is due next: an expression that can be read may still not be what was meant. */
function tellSchedule({ gossip }: Settings, { world, tell }: { world: World; tell: Tell }): void {
  if (!("schedule" in gossip)) return;
  const { text, next } = gossip.schedule;
  const first = next(world.clock.now().getTime());
  const times = [first, next(first)].filter(Number.isFinite).map(timeOf);
  tell({ about: "gossip", text: `peers are called by ${quoted(text)}: ${times.join(", then ")}` });
}

async function checkKey(
  { world, settings, tell, passphrases }: {
    world: World;
    settings: Settings;
    tell: Tell;
    passphrases: Passphrases;
  },
): Promise<Identity | undefined> {
  const { key } = settings;
  let exposed: string | undefined;
  const [about, what] = ["key", `the key ${key}`];
  const read = await tried({
    ...{ world, about, what },
    work: async () => {
      const content = await readKeyFile(world, key, (mode) => exposed = mode);
      const file = await world.files.open(key, "read");
      file.close();
      return { content, owner: file.owner };
    },
  });
  if ("check" in read) {
    tell(read.check);
    return undefined;
  }
  const { content, owner } = read.done;
  const loaded = await tried({
    ...{ world, about, what, asksPerson: true },
    work: async () => {
      const signer = await signerFrom(world, { path: key, content, passphrases });
      return { signer: expectName(signer, settings), owner };
    },
  });
  if ("check" in loaded) {
    tell(loaded.check);
    return undefined;
  }
  tell({ about: "key", text: `the key ${key} is ${loaded.done.signer.vkey.text}` });
  if (exposed !== undefined) tell(wrong("key", `the key ${key} (mode ${exposed}): ${EXPOSED}`));
  return loaded.done;
}

/** Asks at "http" whether this monitor runs already. */
async function checkDaemon(
  { world, settings, identity, tell }: {
    world: World;
    settings: Settings;
    identity: Identity | undefined;
    tell: Tell;
  },
): Promise<Status | undefined> {
  const { http, name } = settings;
  if (http === undefined || http.port === 0) return undefined;
  const where = formatAddress(http);
  let status: Status;
  try {
    // A server on all addresses answers at this one too, and so does one that was on this one alone.
    const at = isAllAddresses(http.hostname) ? { ...http, hostname: "127.0.0.1" } : http;
    status = await askStatus(world, at);
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    return undefined;
  }
  const isOurs = status.name === name &&
    status.vkey === (identity?.signer.vkey.text ?? status.vkey);
  if (isOurs) {
    tell({ about: "daemon", text: `this monitor runs: it answers at ${where}, and is left alone` });
    return status;
  }
  const who = `${quoted(status.name)}, with the key ${quoted(status.vkey)}`;
  tell(wrong("daemon", `another monitor answers at "http" ${where}: ${who}`));
  return undefined;
}

/**
 * Says whether a folder would be made or continued, and whose it is.
 * @returns whether this monitor could use it
 */
async function checkFolder(
  { world, settings, identity }: Checked,
  name: "state" | "incidents",
  tell: Tell,
): Promise<boolean> {
  const folder = plainFolder(settings[name]);
  const what = `"${name}" ${folder}`;
  const looked = await tried({
    ...{ world, about: "folder", what },
    work: () => lookAt({ world, folder, name, identity }),
  });
  if ("check" in looked) {
    tell(looked.check);
    return false;
  }
  const { above, isWritable, owner } = looked.done;
  if (isWritable === false) {
    tell(undone("folder", `${what}: the owner of the key may not write to ${above ?? folder}`));
  }
  const unseen = isWritable === undefined ? "; whether it may be written to cannot be seen" : "";
  if (above !== undefined) {
    if (isWritable === false) return true;
    tell({ about: "folder", text: `${what} would be made in ${above}${unseen}` });
    return true;
  }
  const own = identity?.signer.vkey;
  if (owner !== undefined && own !== undefined && owner !== own.text) {
    const kind = nameOf(owner) === own.name ? "another key of this monitor" : "another monitor";
    tell(wrong("folder", `${what} is of ${kind}, ${owner}; the key here is ${own.text}`));
    return nameOf(owner) === own.name;
  }
  const text = owner === undefined
    ? `${what} is there, and does not say of which monitor it is${unseen}`
    : `${what} would be continued: it is of ${owner}${unseen}`;
  tell({ about: "folder", text });
  return true;
}

async function lookAt({ world, folder, name, identity }: {
  world: World;
  folder: string;
  name: "state" | "incidents";
  identity: Identity | undefined;
}): Promise<
  { above: string | undefined; isWritable: boolean | undefined; owner: string | undefined }
> {
  const there = await nearest(world, folder);
  const isWritable = await mayWrite({ world, folder: there, identity });
  if (there !== folder) return { above: there, isWritable, owner: undefined };
  await world.files.list(folder);
  const owner = await identityIn(world, folder) ??
    (name === "incidents" ? await firstDetector(world, folder) : undefined);
  return { above: undefined, isWritable, owner };
}

/** The folder itself, or the first above it that is there. */
async function nearest(world: World, folder: string): Promise<string> {
  // Those that lead upwards from here, and the topmost, have no name to look for, and are there.
  if (/^(?:\/|\.|(?:\.\.\/)*\.\.)$/.test(folder)) return folder;
  if (await isThere(world.files, folder)) return folder;
  return await nearest(world, join(folder, ".."));
}

/** Mode bits that let the owner, and everybody, make files in a folder. */
const [OWNER_WRITES, ANYBODY_WRITES, GROUP_WRITES] = [0o300, 0o003, 0o030];
const ROOT = 0;

/**
 * Whether the user that owns the key may make files in a folder, by its mode: nothing is made so as to
 * see. Nothing where the key could not be read, or where it depends on the user's groups.
 */
async function mayWrite({ world, folder, identity }: {
  world: World;
  folder: string;
  identity: Identity | undefined;
}): Promise<boolean | undefined> {
  const { permissions, owner, isRegular, close } = await world.files.open(folder, "read");
  close();
  if (isRegular) throw new MalformedError(`${folder} is a file, expected a folder`);
  if (permissions === undefined || identity?.owner === undefined) return undefined;
  if (identity.owner === ROOT) return true;
  const has = (bits: number): boolean => (permissions & bits) === bits;
  if (identity.owner === owner) return has(OWNER_WRITES);
  return has(ANYBODY_WRITES) || (has(GROUP_WRITES) ? undefined : false);
}

/** The vkey of the monitor that signed the first record of an incident journal. */
async function firstDetector(world: World, folder: string): Promise<string | undefined> {
  for await (const item of readIncidents({ files: world.files, folder })) {
    if (!("entry" in item)) return undefined;
    if (!isCase(item.entry.record)) continue;
    return recordOf(item.entry, folder).detector_vkey ?? undefined;
  }
  return undefined;
}

function nameOf(vkey: string): string | undefined {
  try {
    return parseVkey(vkey).name;
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return undefined;
  }
}

/** Says whether an address could be listened at: it is listened at for a moment. */
function checkAddress(
  { world, settings, running }: Checked,
  { name, isOffline, tell }: { name: "listen" | "http"; isOffline: boolean; tell: Tell },
): void {
  const address = settings[name];
  const purpose = name === "listen" ? "answer other monitors" : "serve its status";
  const about = "address";
  if (address === undefined) {
    return tell({ about, text: `it would ${purpose} nowhere: there is no "${name}"` });
  }
  const what = `"${name}" ${formatAddress(address)}`;
  const isHeld = running !== undefined &&
    (name === "http" || running.listen?.endsWith(`:${address.port}`));
  if (isHeld) return tell({ about, text: `${what} is held by this monitor, which runs` });
  const would = `it would ${purpose} at ${formatAddress(address)}`;
  if (isOffline) return tell({ about, text: `${would}; that was not tried` });
  const reason = refusal(world, address);
  if (reason === undefined) return tell({ about, text: would });
  const perhaps = settings.http === undefined
    ? '; whether this monitor runs already cannot be asked, as there is no "http"'
    : "";
  tell(undone(about, `${what} cannot be listened at: ${reason}${perhaps}`));
}

/** Why an address cannot be listened at, if it cannot. */
function refusal({ network }: World, address: Address): string | undefined {
  try {
    network.listen(address).close();
    return undefined;
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    return error.message;
  }
}
