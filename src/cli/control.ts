/**
 * Asks the running daemon, as only somebody can who has its key and is on its machine: in a session
 * whose two ends have one key.
 *
 * @module
 */
import type { Settings } from "../monitor/settings.ts";
import type { Control } from "../swarm/control.ts";
import { callSession, KIND, newStaticKey, type Session, SessionFault } from "../swarm/session.ts";
import { textOf, utf8 } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { parseObeyed } from "./parse_status.ts";
import { formatAddress } from "../world/address.ts";
import { isAllAddresses } from "../world/hosts.ts";
import type { Signer } from "../world/signer.ts";
import { type Address, type World, WorldError } from "../world/world.ts";

const CONNECT_MS = 5_000;
/** A daemon that takes up a configuration may have to begin to follow logs. */
const ANSWER_MS = 60_000;

/** A daemon, as its configuration tells where it is. */
export interface Daemon {
  readonly world: World;
  readonly settings: Settings;
  /** Its key. */
  readonly signer: Signer;
}

/**
 * Where the daemon of a configuration can be called from its own machine.
 * @throws WorldError if the configuration does not say so
 */
export function controlAddress({ listen }: Pick<Settings, "listen">): Address {
  if (listen !== undefined && listen.port !== 0) {
    if (!isAllAddresses(listen.hostname)) return listen;
    return { ...listen, hostname: listen.hostname.includes(":") ? "::1" : "127.0.0.1" };
  }
  const lacks = listen === undefined ? "there is none" : "its port is any";
  throw new WorldError(
    "other",
    `the daemon is asked at "listen", and ${lacks}; an address of this machine will do: 127.0.0.1:9900`,
  );
}

/** The daemon runs, and does not do what it was told. */
export class DaemonRefused extends WorldError {
  /** In words that follow the daemon's name. */
  readonly why: string;

  constructor(why: string) {
    super("other", `the daemon refuses: ${why}`);
    this.why = why;
  }
}

/**
 * Asks the running daemon.
 * @returns its answer, which says nothing of a refusal
 * @throws DaemonRefused; WorldError if none answers, or another one
 */
export async function askDaemon(daemon: Daemon, order: Control): Promise<string> {
  const answer = await ask(daemon, order);
  const { refused } = readAnswer(() => parseObeyed(answer)) as { refused?: string };
  if (refused !== undefined) throw new DaemonRefused(refused);
  return answer;
}

/** Reads a daemon's answer. @throws WorldError if it is none that this version understands */
export function readAnswer<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new WorldError("other", `the daemon's answer cannot be read: ${error.message}`);
  }
}

async function ask(daemon: Daemon, order: Control): Promise<string> {
  const address = controlAddress(daemon.settings);
  const where = formatAddress(address);
  const session = await callDaemon(daemon, address);
  const timer = daemon.world.clock.after(
    ANSWER_MS,
    () => session.close(`no answer came within ${ANSWER_MS / 1_000} s`),
  );
  try {
    await session.send(KIND.control, utf8(JSON.stringify(order)));
    for await (const { kind, body } of session.messages()) {
      if (kind === KIND.controlAnswer) return readAnswer(() => textOf(body));
    }
    const { message } = await session.closed;
    throw new WorldError("other", `the daemon at ${where} did not answer: ${message}`);
  } finally {
    timer.cancel();
    session.close();
  }
}

async function callDaemon({ world, signer }: Daemon, address: Address): Promise<Session> {
  const { clock, random, network } = world;
  const where = formatAddress(address);
  let connection;
  try {
    connection = await network.connect(address, CONNECT_MS);
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    throw new WorldError("other", `no daemon answers at ${where}: ${error.message}`);
  }
  try {
    return await callSession({
      ...{ connection, expected: signer.vkey, isControl: true },
      party: { clock, random, signer, staticKey: newStaticKey(random) },
      onStream: (stream) => stream.close(),
    });
  } catch (error) {
    if (!(error instanceof SessionFault)) throw error;
    throw new WorldError(
      "other",
      error.kind === "another"
        ? `another monitor answers at ${where}: ${error.message}`
        : `what answers at ${where} does not take this monitor's key. A daemon takes orders from its ` +
          `own machine only; or it is another monitor: ${error.message}`,
    );
  }
}
