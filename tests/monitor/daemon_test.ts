/** Whole daemons in one process: what they write, tell and do. */
import { assert, assertEquals } from "@std/assert";
import { grow } from "../evidence/histories.ts";
import { hostsOf, logAt, MINUTE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

Deno.test("daemon: two that are shown one story agree and record nothing", async () => {
  const log = grow(await logAt(), 9);
  const [one, two] = await hostsOf(2) as [Host, Host];
  await using _one = one;
  await using _two = two;
  await two.start({ logs: [{ source: new ScriptedSource(log) }] });
  await one.start({ logs: [{ source: new ScriptedSource(log) }], peers: [two.address] });
  await one.pass(MINUTE);
  const status = one.daemon!.status();
  assertEquals(status.logs[0]!.size, "9");
  assertEquals(status.peers[0]!.matches, 2);
  console.log((await one.observations()).map((o) => JSON.stringify(o.observation)).join("\n"));
  console.log((await two.observations()).map((o) => JSON.stringify(o.observation)).join("\n"));
  console.log(one.told.map((t) => t.name), two.told.map((t) => t.name), one.refusals, two.refusals);
  assertEquals([await one.cases(), await two.cases()], [[], []]);
});
import type { Host } from "./hosts.ts";
Deno.test("daemon: two stories", async () => {
  const log = grow(await logAt(), 5);
  const fork = grow(log.fork(), 12, "other");
  grow(log, 9);
  const [one, two] = await hostsOf(2) as [Host, Host];
  await using _one = one;
  await using _two = two;
  await two.start({ logs: [{ source: new ScriptedSource(log) }], peers: [one.address] });
  await one.start({ logs: [{ source: new ScriptedSource(fork) }], peers: [two.address] });
  await one.pass(MINUTE);
  console.log(one.told.map((t) => t.name), two.told.map((t) => t.name), one.refusals, two.refusals);
  assertEquals(await one.cases(), await two.cases());
  assert((await one.cases()).length === 1);
});
