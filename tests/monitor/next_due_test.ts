/** What a daemon's status says about when it looks and calls again. */
import { assert, assertEquals } from "@std/assert";
import { grow } from "../evidence/histories.ts";
import { Host, logAt, MINUTE, Stage } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

async function serving(entries: number): Promise<ScriptedSource> {
  return new ScriptedSource(grow(await logAt(), entries));
}

/** In how many milliseconds a time of the status comes. */
function until(host: Host, time: string | undefined): number {
  return Date.parse(time!) - host.clock.now().getTime();
}

Deno.test("next due: a log's next look is told, and comes then; after an outage it is later", async () => {
  const source = await serving(5);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  const nextMs = (): number => until(one, one.daemon!.status().logs[0]!.nextLookAt);
  assertEquals(nextMs(), MINUTE);
  await one.pass(20_000);
  assertEquals(nextMs(), MINUTE - 20_000);
  source.latestTrouble = "unavailable";
  for (const times of [2, 4, 8]) {
    const asked = source.asked.latest;
    const ms = nextMs();
    await one.pass(ms - 1);
    assertEquals(source.asked.latest, asked);
    await one.pass(1);
    assertEquals([source.asked.latest, nextMs()], [asked + 1, times * MINUTE]);
  }
});

Deno.test("next due: while a look is under way there is no next one yet", async () => {
  const source = await serving(5);
  source.latestTrouble = "hangs";
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  assertEquals(one.daemon!.status().logs[0]!.nextLookAt, undefined);
  source.letGo();
});

Deno.test("next due: a peer is called by the time that was told, however few are called at once", async () => {
  const source = await serving(5);
  await using stage = await Stage.set();
  const { one } = stage;
  const peers = [2, 3, 4, 5, 6].map((i) => ({ hostname: `203.0.113.${i}`, port: 9900 }));
  for (const fanOut of [1, 2, 5]) {
    await one.start({ logs: [{ source }], peers, fanOut });
    for (let round = 0; round < 12; round++) {
      const told = one.daemon!.status().peers;
      if (fanOut === 5) {
        for (const { nextCallAt } of told) assertEquals(until(one, nextCallAt), MINUTE);
      }
      const later = structuredClone(told);
      const longest = Math.max(...later.map(({ nextCallAt }) => until(one, nextCallAt)));
      for (const { address, nextCallAt, exchanges } of later) {
        const ms = until(one, nextCallAt);
        assert(ms > 0 && ms <= 1.2 * 9 * MINUTE, `${address} in ${ms} ms`);
        if (ms !== longest) continue;
        await one.pass(ms);
        const now = one.daemon!.status().peers.find((peer) => peer.address === address)!;
        assert(now.exchanges > exchanges, `${address} was not called within ${ms} ms`);
        break;
      }
    }
    await one.stop();
  }
});

Deno.test("next due: with a schedule peers are called at its times, and that is told", async () => {
  const source = await serving(5);
  await using stage = await Stage.set();
  const { one } = stage;
  const peers = [2, 3, 4].map((i) => ({ hostname: `203.0.113.${i}`, port: 9900 }));
  await one.start({ logs: [{ source }], peers, fanOut: 1, schedule: "0,20 * * * *" });
  const next = (): string[] =>
    one.daemon!.status().peers.map(({ nextCallAt }) => nextCallAt!.slice(11, 19)).toSorted();
  const called = (): number =>
    one.daemon!.status().peers.reduce((sum, { exchanges }) => sum + exchanges, 0);
  assertEquals(next(), Array(3).fill("01:20:00"), "their order is not drawn yet");
  await one.pass(20 * MINUTE - 1);
  assertEquals(called(), 0);
  await one.pass(1);
  assertEquals([called(), next().slice(0, 2)], [1, ["01:00:00", "01:20:00"]]);
  await one.pass(40 * MINUTE - 1);
  assertEquals(called(), 1);
  await one.pass(1);
  assertEquals(called(), 2);
  await one.reload({ logs: [{ source }], peers, fanOut: 1, schedule: "30 * * * *" });
  assertEquals(next().slice(0, 2), ["01:30:00", "02:30:00"], "a reload calls one at once");
});
