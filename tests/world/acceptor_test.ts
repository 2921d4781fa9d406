/** What one port does for all conversations held on it, whatever is said in them. */
import { assertEquals } from "@std/assert";
import { Acceptor, type AcceptorLimits } from "../../src/world/acceptor.ts";
import { Allowance } from "../../src/world/allowance.ts";
import {
  type ConversationLimits,
  Conversations,
  type Handler,
  type Visitor,
} from "../../src/world/conversations.ts";
import { WorldError } from "../../src/world/world.ts";
import { FakeNetwork, ManualClock, settled } from "../gossip/fake_network.ts";

const HERE = { hostname: "198.51.100.1", port: 9900 };

const LIMITS: AcceptorLimits & ConversationLimits = {
  maxConnections: 8,
  maxConnectionsPerAddress: 4,
  firstByteMs: 100,
  wholeMs: 1_000,
  acceptRetryMs: 10,
  firstReadBytes: 4,
};

/** Serves with these handlers, in memory; tells what was told. */
function serve(...handlers: Handler[]) {
  const clock = new ManualClock();
  const network = new FakeNetwork({ clock });
  const told: string[] = [];
  const allowance = new Allowance({
    clock,
    limits: { perSecondPerAddress: 4, refusalCost: 4, strangersShare: 2, maxAddresses: 8 },
  });
  const broken = (reason: string, source: string) => void told.push(`${source}: ${reason}`);
  const failed = (error: unknown) => void told.push(`ours: ${(error as Error).message}`);
  const acceptor = new Acceptor({
    ...{ listener: network.listen(HERE), clock, allowance, limits: LIMITS, onTrouble: broken },
    conversations: new Conversations({
      ...{ clock, limits: LIMITS, handlers, report: { broken, failed } },
    }),
  });
  const done = acceptor.run();
  return {
    ...{ clock, told, allowance, acceptor },
    /** Connects and sends these bytes. */
    async say(bytes: readonly number[], hostname = "192.0.2.1") {
      const connection = await network.at(hostname).connect(HERE, 1_000);
      await connection.write(Uint8Array.from(bytes));
      await settled();
      return connection;
    },
    async [Symbol.asyncDispose]() {
      acceptor.close();
      await done;
      assertEquals([acceptor.connections, clock.pending], [0, 0]);
    },
  };
}

/** Hears conversations that begin with one of these bytes. */
function taking(
  begins: readonly number[],
  then: (caller: Visitor) => Promise<string | undefined> = () => Promise.resolve(undefined),
): Handler & { heard: number[][] } {
  const heard: number[][] = [];
  return {
    heard,
    begins: (byte) => begins.includes(byte),
    serve(caller, { buffer, count }) {
      heard.push([...buffer.subarray(0, count)]);
      return then(caller);
    },
  };
}

/** Waits until the caller has finished sending. */
async function toTheEnd({ connection }: Visitor): Promise<undefined> {
  const buffer = new Uint8Array(16);
  while (await connection.read(buffer) !== undefined);
}

Deno.test("acceptor: the first byte chooses the first handler that takes it, and it is given all that came", async () => {
  const [a, b] = [taking([1, 2]), taking([2, 3])];
  await using port = serve(a, b);
  for (const first of [1, 2, 3]) await port.say([first, 7]);
  assertEquals([a.heard, b.heard, port.told], [[[1, 7], [2, 7]], [[3, 7]], []]);
});

Deno.test("acceptor: it reads no more than it was told before it is known whose the connection is", async () => {
  const a = taking([1]);
  await using port = serve(a);
  await port.say([1, 2, 3, 4, 5, 6]);
  assertEquals(a.heard, [[1, 2, 3, 4]]);
});

Deno.test("acceptor: what no handler takes is closed and told", async () => {
  const a = taking([1]);
  await using port = serve(a);
  const connection = await port.say([9]);
  assertEquals(await connection.read(new Uint8Array(1)), undefined);
  assertEquals([a.heard, port.told], [
    [],
    ["192.0.2.1: it begins with byte 9, and nothing that is served here begins so"],
  ]);
});

Deno.test("acceptor: what a handler finds wrong is told of its caller", async () => {
  await using port = serve(taking([1], () => Promise.resolve("too short")));
  await port.say([1]);
  assertEquals([port.told, port.acceptor.connections], [["192.0.2.1: too short"], 0]);
});

for (
  const [error, told] of [
    [new WorldError("other", "reset"), "192.0.2.1: reset"],
    [new TypeError("a fault"), "ours: a fault"],
  ] as const
) {
  Deno.test(`acceptor: a handler that throws ${error.name} ends its connection and no other: ${told}`, async () => {
    await using port = serve(
      taking([1], () => Promise.reject(error)),
      taking([2], toTheEnd),
    );
    await port.say([2]);
    const connection = await port.say([1]);
    assertEquals(await connection.read(new Uint8Array(1)), undefined);
    assertEquals([port.told, port.acceptor.connections], [[told], 1]);
  });
}

Deno.test("acceptor: a handler may give more time than a connection has, and it counts from then", async () => {
  await using port = serve(taking([1], (caller) => {
    caller.finishWithin(2_000, "it took too long");
    return toTheEnd(caller);
  }));
  await port.say([1]);
  await port.clock.advance(1_999);
  assertEquals([port.told, port.acceptor.connections], [[], 1]);
  await port.clock.advance(1);
  assertEquals([port.told, port.acceptor.connections], [["192.0.2.1: it took too long"], 0]);
});

Deno.test("acceptor: without a word of the handler a connection has the time of the limits", async () => {
  await using port = serve(taking([1], toTheEnd));
  await port.say([1]);
  await port.clock.advance(999);
  assertEquals([port.told, port.acceptor.connections], [[], 1]);
  await port.clock.advance(1);
  assertEquals(port.told, ["192.0.2.1: the exchange was not finished within 1000 ms"]);
});

Deno.test("acceptor: a kind with places of its own pushes out its like and no other", async () => {
  const few = {
    ...taking([1], toTheEnd),
    table: { maxConnections: 1, maxConnectionsPerAddress: 1 },
  };
  await using port = serve(few, taking([2], toTheEnd));
  for (const first of [2, 1, 2]) await port.say([first]);
  assertEquals([port.told, port.acceptor.connections], [[], 3]);
  await port.say([1]);
  assertEquals([port.told, port.acceptor.connections], [
    ["192.0.2.1: this address has its most connections, and this one was silent longest"],
    3,
  ]);
});

Deno.test("acceptor: in a full table who was heard lately stays", async () => {
  const callers: Visitor[] = [];
  await using port = serve(taking([1], (caller) => {
    callers.push(caller);
    return toTheEnd(caller);
  }));
  for (let i = 0; i < 4; i++) await port.say([1]);
  await port.clock.advance(10);
  callers[0]!.heard();
  await port.say([1]);
  assertEquals(callers.map(({ closedBecause }) => closedBecause !== undefined), [
    ...[false, true, false, false, false],
  ]);
});

Deno.test("acceptor: an address without allowance is closed and read no byte of", async () => {
  const a = taking([1]);
  await using port = serve(a);
  port.allowance.charge("192.0.2.1");
  await port.say([1]);
  await port.say([1, 1], "192.0.2.2");
  assertEquals([a.heard, port.told], [[[1, 1]], []]);
});

Deno.test("acceptor: a connection that stays has no time limit and takes no place of the others", async () => {
  const ends: (() => void)[] = [];
  const staying = taking([1], async (caller) => {
    caller.stay();
    await new Promise<void>((resolve) => ends.push(resolve));
    return undefined;
  });
  await using served = serve(staying);
  for (let i = 0; i < LIMITS.maxConnections + 1; i++) await served.say([1], `192.0.2.${i}`);
  assertEquals(served.acceptor.connections, 0);
  await served.clock.advance(10 * LIMITS.wholeMs);
  assertEquals(served.told, []);
  assertEquals(ends.length, LIMITS.maxConnections + 1);
  for (const end of ends) end();
});
