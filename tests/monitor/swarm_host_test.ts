/** Who may be this monitor's own operator, by where the call comes from. */
import { assertEquals } from "@std/assert";
import { SessionHandler } from "../../src/monitor/swarm_host.ts";
import type { Tolls } from "../../src/gossip/tolls.ts";
import type { Swarm } from "../../src/swarm/swarm.ts";
import type { Visitor } from "../../src/world/conversations.ts";

/** Whether a caller from this host may give orders. */
async function isLocal(caller: string, listen: string | undefined): Promise<boolean> {
  const told: boolean[] = [];
  const swarm = {
    answer: (given: { isLocal: boolean }) => {
      told.push(given.isLocal);
      return Promise.resolve(undefined);
    },
  } as unknown as Swarm;
  const handler = new SessionHandler({
    swarm,
    tolls: { pay: () => true } as unknown as Tolls,
    listen: () => listen === undefined ? undefined : { hostname: listen, port: 9900 },
  });
  const connection = { remote: { hostname: caller, port: 5 } };
  await handler.serve({ connection } as unknown as Visitor, {
    buffer: new Uint8Array(1),
    count: 1,
  });
  return told[0]!;
}

/** The caller's host, where the daemon listens, and whether that is this machine. */
const CASES: readonly (readonly [string, string | undefined, boolean])[] = [
  ["127.0.0.1", "0.0.0.0", true],
  ["::1", "::", true],
  ["::ffff:127.0.0.1", "::", true],
  ["192.0.2.1", "192.0.2.1", true],
  ["2001:DB8::1", "2001:db8:0::1", true],
  ["192.0.2.2", "192.0.2.1", false],
  ["192.0.2.1", "0.0.0.0", false],
  ["192.0.2.1", "monitor.example.com", false],
  ["192.0.2.1", undefined, false],
];
for (const [caller, listen, expected] of CASES) {
  Deno.test(`control: a call from ${caller} to ${listen} is ${expected ? "" : "not "}local`, async () => {
    assertEquals(await isLocal(caller, listen), expected);
  });
}
