/** Monitors that are members, and sessions in which a test says what it likes in the place of one. */
import type { TestLog } from "../../src/sources/test_log.ts";
import { encodeHello, type Hello, readHello } from "../../src/swarm/hello.ts";
import type { MemberStatus } from "../../src/swarm/member_status.ts";
import { readRumour, type Rumour } from "../../src/swarm/rumour.ts";
import { callSession, KIND, newStaticKey, type Session } from "../../src/swarm/session.ts";
import { settled } from "../gossip/fake_network.ts";
import type { Duties, Host, Member } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

/** Shows all of a log. */
export const source = (log: TestLog): ScriptedSource =>
  new ScriptedSource(log, Number(log.treeSize));
/** Hosts as members, each with its address. */
export const all = (...hosts: Host[]): Member[] => hosts.map((host) => ({ host }));

/** Starts a monitor that follows these logs. */
export async function start(
  host: Host,
  logs: readonly TestLog[],
  duties: Partial<Duties>,
): Promise<void> {
  const followed = logs.map((log) => ({ source: source(log) }));
  await host.start({ logs: followed, admit: "members", ...duties });
}

/** What a host says of a member. */
export function statusOf(host: Host, member: Host): MemberStatus {
  return host.daemon!.status().members!.members
    .find(({ vkey }) => vkey === member.signer.vkey.text)!;
}

/** A session with a monitor under a host's key, in which the test says what it likes. */
export async function sessionOf(host: Host, callee: Host): Promise<Session> {
  const { clock, random, network } = host.world;
  return await callSession({
    party: { clock, random, signer: host.signer, staticKey: newStaticKey(random) },
    connection: await network.connect(callee.address, 1_000),
    ...{ expected: callee.signer.vkey, onStream: (stream) => stream.close() },
  });
}

/** The hello of a member that is accepted, with these changes. */
export async function greet(session: Session, change: Partial<Hello> = {}): Promise<void> {
  const { value } = await session.messages().next();
  await session.send(
    KIND.hello,
    encodeHello({ ...readHello(value!.body), members: [], ...change }),
  );
  await settled();
}

/** The rumours that come in a session from now on. */
export function rumoursOf(session: Session): Rumour[] {
  const heard: Rumour[] = [];
  void (async () => {
    for await (const { kind, body } of session.messages()) {
      const rumour = kind === KIND.rumour ? readRumour(body) : undefined;
      if (rumour !== undefined) heard.push(rumour);
    }
  })();
  return heard;
}
