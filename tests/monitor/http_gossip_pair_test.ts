/** Two daemons, of which one asks the other over HTTP as it asks sourcespotter. */
import { assert, assertEquals } from "@std/assert";
import { grow } from "../evidence/histories.ts";
import { httpTo, LOG_PATH } from "./http_asking.ts";
import { logAt, parted, Stage } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

for (const [sizes, kind] of [[[12, 12], "same_size"], [[12, 17], "cross_size"]] as const) {
  Deno.test(`http gossip: of two daemons one asks the other, and both record a split, ${kind}`, async () => {
    await using stage = await Stage.set();
    const { one, two } = stage;
    const [ours, theirs] = await parted({ at: 7, sizes });
    await two.start({ logs: [{ source: new ScriptedSource(theirs) }], httpGossip: true });
    one.http = httpTo(two, one.address.hostname);
    const source = new ScriptedSource(ours);
    await one.start({ logs: [{ source }], spotters: [`https://two.invalid${LOG_PATH}`] });
    await stage.minutes(3);
    grow(ours, 20, "ours");
    await stage.minutes(8);
    for (const host of stage.hosts) {
      assertEquals(
        (await host.records()).map((record) => record.kind),
        [kind],
        host.address.hostname,
      );
      assertEquals(host.refusals, []);
    }
    assert(
      (await two.records()).some(({ source_a, source_b }) =>
        [source_a, source_b].includes(one.address.hostname)
      ),
    );
  });
}

Deno.test("http gossip: of two daemons of an honest log one asks the other, and all is well", async () => {
  await using stage = await Stage.set();
  const { one, two } = stage;
  const log = grow(await logAt(), 40);
  const [ahead, behind] = [new ScriptedSource(log, 20), new ScriptedSource(log, 10)];
  await two.start({ logs: [{ source: behind }], httpGossip: true });
  one.http = httpTo(two, one.address.hostname);
  await one.start({ logs: [{ source: ahead }], spotters: [`https://two.invalid${LOG_PATH}`] });
  await stage.minutes(3);
  assertEquals(two.daemon!.status().logs[0]!.openQuestions, 1);
  [ahead.size, behind.size] = [30, 40];
  await stage.minutes(5);
  assertEquals(two.daemon!.status().logs[0]!.openQuestions, 0);
  for (const host of stage.hosts) assertEquals(await host.cases(), []);
  const [peer] = one.daemon!.status().peers;
  assertEquals([peer!.failing, peer!.failures, peer!.sharedLogs], [undefined, 0, 1]);
});
