import { join } from "@std/path/join";
import {
  type MemberPeer,
  membersAmong,
  nameOfPeer,
  readMemberKey,
  readPeerAddress,
} from "../gossip/settings.ts";
import { troublesOfMembers } from "../monitor/member_troubles.ts";
import type { Settings } from "../monitor/settings.ts";
import { trapsOf } from "../monitor/traps.ts";
import { drawRoutes } from "../swarm/draw_routes.ts";
import type { MemberStatus, SwarmStatus } from "../swarm/member_status.ts";
import { fileText, utf8 } from "../tlog/encoding.ts";
import { printable, printableJson, quoted } from "../tlog/malformed.ts";
import { formatAddress, isSameAddress } from "../world/address.ts";
import { replaceDurably } from "../world/durable.ts";
import { isAllAddresses } from "../world/hosts.ts";
import { readDuration } from "../world/setting_values.ts";
import { type World, WorldError } from "../world/world.ts";
import {
  type Command,
  EXIT,
  type ExitCode,
  nearest,
  type Options,
  readOptions,
  type Tools,
  UsageError,
} from "./command.ts";
import { MAX_CONFIG_BYTES, parseConfig } from "./config.ts";
import { askDaemon, type Daemon, DaemonRefused, readAnswer } from "./control.ts";
import { type NewPeer, withoutPeer, withPeer, withPeerChanged } from "./edit_peers.ts";
import { DEFAULT_CONFIG, findConfig } from "./find_config.ts";
import { openInput, readInput, writing } from "./inputs.ts";
import { PASSPHRASE_FILE, passphraseHelp, Passphrases } from "./passphrase.ts";
import { parseRoutes, parseSwarmStatus } from "./parse_status.ts";
import { describeConfigured, describeMembers } from "./peers_report.ts";
import { loadIdentity, readSettings } from "./run.ts";
import { askStatus } from "./status.ts";

/** `hearsay peers`: the members of this monitor. */
export const peers: Command = {
  name: "peers",
  summary: "show the members, and add, remove, ban or unban one",
  help: `hearsay peers [--json | --routes] [--config FILE]
hearsay peers add VKEY [HOST:PORT]  [--config FILE]
hearsay peers remove VKEY|NAME  [--config FILE]
hearsay peers ban VKEY|NAME  [--for 24h] [--reason TEXT] [--config FILE]
hearsay peers unban VKEY|NAME  [--config FILE]

A member is a peer whose key is known. 'peers' asks the running daemon how it stands with each. 'add'
and 'remove' change the peers in the configuration, and the daemon takes that up at once; NAME is the
name of a member's key, or the address of a peer that has none. Without an address a member has to
call, or others tell where it is. 'ban' ends the session with a member until it is unbanned, over
restarts too; the configuration stays as it is.

The daemon is asked at its "listen" address, from the same machine, with its own key. So whoever may
read that key may ask, and nobody else.

Ends with 0 if all is as it should be; with 3 if the daemon cannot be asked, or a member is not as it
should be (each is named). 'add' and 'remove' end with 0 once the configuration is changed, and with 3
if the daemon refuses it.

  --config FILE  the configuration (default ${DEFAULT_CONFIG} here or in /etc/hearsay)
  --key FILE     the monitor's key, if it is not where the configuration says: a service may have it
                 from systemd alone
${passphraseHelp(17)}
  --json         one JSON object, or with --routes the graph as JSON
  --routes       which members are connected to each other, and the best paths
  --for          how long the ban lasts, such as 24h; without it until it is lifted
  --reason       why; it is shown here, and told to nobody

Example:
  hearsay peers add monitor.example.com/lima+2d1c0ab9+AWvq… lima.example.com:9900
`,
  run(args, tools) {
    const [first] = args;
    const action = first !== undefined && !first.startsWith("-") ? first : undefined;
    if (action === undefined) return show(args, tools);
    const rest = args.slice(1);
    switch (action) {
      case "add":
        return add(rest, tools);
      case "remove":
        return remove(rest, tools);
      case "ban":
        return ban(rest, tools);
      case "unban":
        return unban(rest, tools);
    }
    const meant = nearest(action, ACTIONS);
    const hint = meant === undefined ? "" : `; did you mean ${meant}?`;
    throw new UsageError(
      `expected ${ACTIONS.join(", ")} or nothing; came: ${quoted(action)}${hint}`,
    );
  },
};

/** The options that say which monitor is meant. */
const PLACE_OPTIONS = ["config", "key", PASSPHRASE_FILE];
const ACTIONS = ["add", "remove", "ban", "unban"];

/** What every part of the command reads first. */
interface Place extends Daemon {
  readonly path: string;
}

async function placeOf({ world, terminal }: Tools, options: Options): Promise<Place> {
  const path = await findConfig(world, options.value("config"));
  const settings = await readSettings(world, path);
  const key = options.value("key") ?? settings.key;
  const passphrases = new Passphrases({ world, terminal, options });
  return {
    world,
    path,
    settings,
    signer: await loadIdentity(world, { ...settings, key }, { passphrases }),
  };
}

async function show(args: readonly string[], tools: Tools): Promise<ExitCode> {
  const options = readOptions(args, {
    values: PLACE_OPTIONS,
    flags: ["json", "routes"],
  });
  const { terminal } = tools;
  const place = await placeOf(tools, options);
  const isJson = options.flag("json");
  const printJson = (value: unknown): void => terminal.out(printableJson(JSON.stringify(value)));
  try {
    if (options.flag("routes")) {
      const answer = await askDaemon(place, { do: "routes" });
      const routes = readAnswer(() => parseRoutes(answer));
      if (isJson) printJson(routes);
      else for (const line of drawRoutes(routes)) terminal.out(line);
      return EXIT.ok;
    }
    const status = await membersNow(place);
    const troubles = troublesOfMembers(status).map(({ text }) => text);
    const exit = troubles.length > 0 ? EXIT.failed : EXIT.ok;
    if (isJson) printJson({ ...status, troubles, exit });
    else for (const line of describeMembers(status, terminal)) terminal.out(line);
    return exit;
  } catch (error) {
    if (!(error instanceof WorldError) || error instanceof DaemonRefused) throw error;
    const members = membersAmong(place.settings.peers).map(configured);
    const exit = EXIT.failed;
    if (isJson) printJson({ error: error.message, exit, configured: members });
    else for (const line of describeConfigured(members, terminal)) terminal.out(line);
    terminal.err(`hearsay peers: ${printable(error.message)}`);
    return exit;
  }
}

function configured(peer: MemberPeer) {
  const { vkey, address } = peer;
  return { name: nameOfPeer(peer), vkey, address: address && formatAddress(address) };
}

/** How the running daemon stands with its members. */
async function membersNow(place: Place): Promise<SwarmStatus> {
  const { world, settings: { listen, http }, signer } = place;
  const isHttpOnly = listen === undefined && http !== undefined && http.port !== 0;
  if (!isHttpOnly) {
    const answer = await askDaemon(place, { do: "peers" });
    return readAnswer(() => parseSwarmStatus(answer));
  }
  // Who only calls others tells the same in its status.
  const at = isAllAddresses(http.hostname) ? { ...http, hostname: "127.0.0.1" } : http;
  const { vkey, startedAt, now, members } = await askStatus(world, at);
  const own = signer.vkey.text;
  if (vkey === own) return members ?? { own, startedAt, now, room: 0, members: [] };
  throw new WorldError("other", `another monitor answers at ${formatAddress(http)}: ${vkey}`);
}

async function add(args: readonly string[], tools: Tools): Promise<ExitCode> {
  const options = readOptions(args, {
    values: PLACE_OPTIONS,
    operands: ["VKEY", "HOST:PORT"],
    leastOperands: 1,
  });
  const peer = parsePeer(options.operands.join(" "));
  const { vkey } = peer;
  if (vkey === undefined) {
    throw new UsageError("expected a VKEY first, the public key of a monitor");
  }
  const place = await placeOf(tools, options);
  if (vkey === place.signer.vkey.text) {
    throw new UsageError("it is this monitor's own key; the vkey of another monitor is expected");
  }
  const { peers: before } = place.settings;
  const name = nameOfPeer({ vkey, address: peer.address });
  const same = before.findIndex((other) => nameOfPeer(other) === name);
  if (same < 0) return await addNew(place, peer, { tools, name });
  const there = before[same]!;
  if (!("vkey" in there) || there.vkey !== vkey) {
    throw new UsageError(
      `there is a peer of this name with another key: 'hearsay peers remove ${name}' comes first`,
    );
  }
  if (peer.address === undefined || isSameAddress(peer.address, there.address)) {
    tools.terminal.out(`${name} is a member already; nothing was changed.`);
    return EXIT.ok;
  }
  const { address } = peer;
  return await change(place, tools, {
    edit: (text) => withPeerChanged(text, same, { address }),
    said: `${name} is called at ${formatAddress(address)} now`,
  });
}

/** Adds a member; a plain peer at the same address becomes it. */
async function addNew(
  place: Place,
  peer: NewPeer,
  { tools, name }: { tools: Tools; name: string },
): Promise<ExitCode> {
  const { vkey, address } = peer;
  const plain = address === undefined
    ? -1
    : place.settings.peers.findIndex((other) =>
      "address" in other && !("vkey" in other) && isSameAddress(other.address, address)
    );
  const code = await change(place, tools, {
    edit: (text) => plain < 0 ? withPeer(text, peer) : withPeerChanged(text, plain, { vkey }),
    said: plain < 0
      ? `${name} is a member now`
      : `the peer at ${formatAddress(address!)} is the member ${name} now`,
  });
  const { listen } = place.settings;
  const isReachable = listen !== undefined && listen.port !== 0;
  const host = isReachable && !isAllAddresses(listen.hostname) ? listen.hostname : "HOST";
  const at = isReachable ? ` ${formatAddress({ ...listen, hostname: host })}` : "";
  tools.terminal.err(
    `Its operator adds this monitor, if that is not done yet:\n  hearsay peers add ` +
      `${place.signer.vkey.text}${at}`,
  );
  return code;
}

async function remove(args: readonly string[], tools: Tools): Promise<ExitCode> {
  const options = readOptions(args, {
    values: PLACE_OPTIONS,
    operands: ["VKEY|NAME"],
  });
  const [who] = options.operands as [string];
  const place = await placeOf(tools, options);
  const named = place.settings.peers.map((peer) => ({
    name: nameOfPeer(peer),
    vkey: "vkey" in peer ? peer.vkey : undefined,
  }));
  const index = named.findIndex(({ name, vkey }) => name === who || vkey === who);
  if (index < 0) throw noSuch(who, named.map(({ name }) => name));
  return await change(place, tools, {
    edit: (text) => withoutPeer(text, index),
    said: `${named[index]!.name} is no peer any more`,
  });
}

/**
 * Changes the configuration, and has the running daemon take it up. What would be written is read again
 * first: nothing but the peers may have changed, and nothing may be wrong with it.
 */
async function change(
  place: Place,
  { world, terminal }: Tools,
  { edit, said }: { edit: (text: string) => string; said: string },
): Promise<ExitCode> {
  const { path } = place;
  await expectNoLink(world, path);
  const text = fileText(await readInput({ world, path, maxBytes: MAX_CONFIG_BYTES }));
  const changed = edit(text);
  const settings = parseConfig(changed, { path, world });
  expectOnlyPeers(place.settings, settings);
  const file = await openInput(world, path);
  const { permissions = 0o644, owner } = file;
  file.close();
  await writing(
    path,
    () => replaceDurably({ files: world.files, path, content: utf8(changed), permissions }),
  );
  terminal.out(printable(`${said}: ${path} is changed.`));
  await tellOwner(world, { path, owner, terminal });
  const before = await trapsOf(place.settings, world);
  for (const trap of await trapsOf(settings, world)) {
    if (!before.includes(trap)) terminal.err(`! ${printable(trap)}`);
  }
  return await takenUp(place, terminal);
}

/** What is renamed to a link takes the place of the link. @throws UsageError if it is one */
async function expectNoLink({ files }: World, path: string): Promise<void> {
  const name = path.split("/").at(-1);
  const entry = (await files.entries(join(path, ".."))).find((one) => one.name === name);
  if (entry?.kind !== "link") return;
  throw new UsageError(`${quoted(path)} is a symbolic link; name the file that it leads to`);
}

/** @throws Error, a fault of ours, if something else than the peers has changed */
function expectOnlyPeers(before: Settings, after: Settings): void {
  const others = ({ peers: _, ...rest }: Settings): string => JSON.stringify(rest);
  const one = (peer: Settings["peers"][number]): string => JSON.stringify(peer);
  const kept = after.peers.filter((peer) => before.peers.some((other) => one(other) === one(peer)));
  const lost = before.peers.length - kept.length;
  const gained = after.peers.length - kept.length;
  if (others(before) === others(after) && lost <= 1 && gained <= 1 && lost + gained > 0) return;
  throw new Error("the configuration would have changed in another way than it should");
}

/** A file that is replaced belongs to whoever replaces it. */
async function tellOwner(
  world: World,
  { path, owner, terminal }: {
    path: string;
    owner: number | undefined;
    terminal: Tools["terminal"];
  },
): Promise<void> {
  const file = await openInput(world, path);
  file.close();
  if (file.owner === owner) return;
  terminal.err(`! ${path} belonged to user ${owner}, and now to ${file.owner}: chown it back`);
}

/** Has the running daemon read its configuration again, and says what came of it. */
async function takenUp(daemon: Daemon, terminal: Tools["terminal"]): Promise<ExitCode> {
  try {
    await askDaemon(daemon, { do: "reload" });
    terminal.out("The running daemon has taken it up.");
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    if (error instanceof DaemonRefused) {
      terminal.err(`! the running daemon refused it: ${printable(error.why)}`);
      return EXIT.failed;
    }
    terminal.err(`No daemon was told: ${printable(error.message)}.`);
    terminal.err("It takes it up when it starts. If it runs: systemctl reload hearsay (SIGHUP).");
    return EXIT.ok;
  }
}

async function ban(args: readonly string[], tools: Tools): Promise<ExitCode> {
  const options = readOptions(args, {
    values: [...PLACE_OPTIONS, "for", "reason"],
    operands: ["VKEY|NAME"],
  });
  const [who] = options.operands as [string];
  const lasts = options.value("for");
  const forMs = lasts === undefined ? undefined : readDuration(lasts, "--for");
  const reason = options.value("reason") ?? "by this monitor's operator";
  const place = await placeOf(tools, options);
  const { name, vkey } = await memberNow(place, who);
  await askDaemon(place, { do: "ban", member: vkey, reason, ...(forMs && { forMs }) });
  const until = lasts === undefined ? "until it is unbanned" : `for ${lasts}`;
  tools.terminal.out(printable(`${name} is banned ${until}.`));
  return EXIT.ok;
}

async function unban(args: readonly string[], tools: Tools): Promise<ExitCode> {
  const options = readOptions(args, {
    values: PLACE_OPTIONS,
    operands: ["VKEY|NAME"],
  });
  const [who] = options.operands as [string];
  const place = await placeOf(tools, options);
  const { name, vkey, state } = await memberNow(place, who);
  await askDaemon(place, { do: "unban", member: vkey });
  const wasBanned = state === "banned";
  tools.terminal.out(
    printable(wasBanned ? `${name} is banned no more.` : `${name} was not banned.`),
  );
  return EXIT.ok;
}

/** A member of the running daemon. @throws UsageError if it has none of this name */
async function memberNow(place: Place, who: string): Promise<MemberStatus> {
  const answer = await askDaemon(place, { do: "peers" });
  const { members } = readAnswer(() => parseSwarmStatus(answer));
  const member = members.find(({ name, vkey }) => name === who || vkey === who);
  if (member !== undefined) return member;
  throw noSuch(who, members.map(({ name }) => name));
}

function noSuch(who: string, names: readonly string[]): UsageError {
  const there = names.length === 0 ? "there is none" : `there are: ${names.join(", ")}`;
  return new UsageError(`there is no peer ${quoted(who)}; ${there}`);
}

/**
 * Reads a peer as a person types it: `HOST:PORT`, `VKEY`, or `VKEY HOST:PORT`.
 * @throws UsageError, MalformedError for anything else
 */
export function parsePeer(text: string): NewPeer {
  const words = text.trim().split(/\s+/);
  const [first, second, ...more] = words as [string, ...string[]];
  // No host has a plus sign in it, and every vkey has.
  if (!first.includes("+")) {
    if (second !== undefined) {
      throw new UsageError(`expected VKEY HOST:PORT, or one of them; came: ${quoted(text)}`);
    }
    return { address: readPeerAddress(first, "a peer's address") };
  }
  if (more.length > 0) {
    throw new UsageError(`expected VKEY HOST:PORT, and nothing more; came: ${quoted(text)}`);
  }
  const vkey = readMemberKey(first, "a peer's vkey");
  return {
    vkey,
    address: second === undefined ? undefined : readPeerAddress(second, "its address"),
  };
}
