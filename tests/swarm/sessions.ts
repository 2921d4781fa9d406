/** Pairs of sessions, for tests: over a network in memory, with time that passes when it is told to. */
import { assert } from "@std/assert";
import {
  answerSession,
  callSession,
  newStaticKey,
  type Session,
  SESSION_LIMITS,
  SessionFault,
  type SessionFaultKind,
  type SessionLimits,
  type SessionParty,
} from "../../src/swarm/session.ts";
import type { Vkey } from "../../src/tlog/vkey.ts";
import { generateSigner } from "../../src/world/signer.ts";
import type { Connection } from "../../src/world/world.ts";
import { FakeNetwork, ManualClock } from "../gossip/fake_network.ts";
import { world } from "../world/helpers.ts";

export const CALLEE_ADDRESS = { hostname: "192.0.2.2", port: 9900 };

/** One end with a key of its own. */
export async function partyOf(
  name: string,
  { clock = new ManualClock(), limits = {} }: {
    clock?: SessionParty["clock"];
    limits?: Partial<SessionLimits>;
  } = {},
): Promise<SessionParty> {
  const { random } = world;
  const { signer } = await generateSigner({ world, name });
  const staticKey = newStaticKey(random);
  return { clock, random, signer, staticKey, limits: { ...SESSION_LIMITS, ...limits } };
}

/** Both ends of a connection in memory. */
export async function connectedInMemory(
  { clock, capacity = 64 * 1024 }: { clock: ManualClock; capacity?: number },
) {
  const network = new FakeNetwork({ clock, capacity });
  const listener = network.listen(CALLEE_ADDRESS);
  const caller = await network.at("192.0.2.1").connect(CALLEE_ADDRESS, 1_000);
  const callee = (await listener.accept())!;
  return { caller, callee };
}

/** How a pair of sessions differs from the usual one. */
export interface PairOptions {
  readonly clock?: ManualClock;
  readonly connections?: { readonly caller: Connection; readonly callee: Connection };
  readonly limits?: Partial<SessionLimits>;
  readonly parties?: { readonly caller: SessionParty; readonly callee: SessionParty };
  readonly expected?: Vkey;
  readonly admits?: (vkey: Vkey) => boolean;
  readonly speaksToStrangers?: boolean;
  readonly isControl?: boolean;
  readonly takesControl?: boolean;
  readonly onStream?: (stream: Connection) => void;
}

/** The two ends, or what they were refused with. */
export async function attempt(options: PairOptions = {}) {
  const { clock = new ManualClock(), limits = {}, isControl = false, takesControl = false } =
    options;
  const connections = options.connections ?? await connectedInMemory({ clock });
  const parties = options.parties ??
    {
      caller: await partyOf("caller.example", { clock, limits }),
      callee: await partyOf("callee.example", { clock, limits }),
    };
  const onStream = options.onStream ?? ((stream) => stream.close());
  const { admits = () => true, speaksToStrangers = false } = options;
  const [caller, callee] = await Promise.allSettled([
    callSession({
      ...{ party: parties.caller, connection: connections.caller, isControl, onStream },
      expected: options.expected ?? parties.callee.signer.vkey,
    }),
    answerSession({
      ...{ party: parties.callee, connection: connections.callee, onStream },
      ...{ admits, speaksToStrangers, takesControl },
    }),
  ]);
  return { clock, parties, connections, caller, callee };
}

/** Two ends in session. */
export async function inSession(options: PairOptions = {}) {
  const { caller, callee, ...rest } = await attempt(options);
  return { ...rest, caller: sessionOf(caller), callee: sessionOf(callee) };
}

/** The session that came about. */
export function sessionOf(result: PromiseSettledResult<Session>): Session {
  if (result.status === "rejected") throw result.reason;
  return result.value;
}

/** What an end was refused with. */
export function faultOf(result: PromiseSettledResult<Session>): SessionFault {
  assert(result.status === "rejected", "there is a session");
  assert(result.reason instanceof SessionFault, `${result.reason}`);
  return result.reason;
}

/** The kind of fault that ended a session. */
export async function endOf(session: Session): Promise<SessionFaultKind> {
  return (await session.closed).kind;
}

/** All that comes on a connection until its end. */
export async function readAll(connection: Connection): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const buffer = new Uint8Array(5_000);
  for (let count; (count = await connection.read(buffer)) !== undefined;) {
    parts.push(buffer.slice(0, count));
  }
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}
