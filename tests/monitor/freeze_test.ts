/** What is proven, or looks as if it were, freezes its log at once; and only people let it go on. */
import { assert, assertEquals } from "@std/assert";
import type { Transition } from "../../src/evidence/transition.ts";
import { readIncidents, transitionOf } from "../../src/store/incidents.ts";
import { isTransition } from "../../src/evidence/transition.ts";
import { checkpointOf, grow } from "../evidence/histories.ts";
import { Host, HOUR, INCIDENTS, logAt, MINUTE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

/** The steps in a host's journal, in order. */
async function stepsOf(host: Host): Promise<Transition[]> {
  const steps: Transition[] = [];
  for await (const item of readIncidents({ files: host.disk.files, folder: INCIDENTS })) {
    if (!("entry" in item) || !isTransition(item.entry.record)) continue;
    steps.push(transitionOf(item.entry, INCIDENTS));
  }
  return steps;
}

/** The steps as texts. */
function shown(steps: readonly Transition[]): string[] {
  return steps.map(({ incident, from, to, by }) => `${incident} ${from} ${to} ${by}`);
}

/** A log that has two stories from size 4 on. */
async function parted() {
  const log = await logAt();
  grow(log, 4);
  const theirs = log.fork();
  return { log: grow(log, 20), theirs: grow(theirs, 20, "theirs") };
}

const PERSON = { by: "Ada", why: "the operator has explained it" };

async function resolve(host: Host, incident: string): Promise<void> {
  for (const to of ["INVESTIGATE", "RESOLVE", "CLOSED"] as const) {
    const stepped = await host.daemon!.step({ incident, to, ...PERSON });
    assert("incident" in stepped, JSON.stringify(stepped));
  }
}

Deno.test("freeze: a recorded case freezes its log at once, after a restart too, until it is resolved", async () => {
  const { log, theirs } = await parted();
  const source = new ScriptedSource(log, 8);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  assertEquals(one.daemon!.status().logs[0]!.freeze, undefined);
  await one.hear([(await checkpointOf(theirs, 8)).frame]);
  const { logs: [frozen], incidents } = one.daemon!.status();
  assertEquals([incidents, frozen!.freeze?.incidents], [1, ["INC-2026-001"]]);
  assertEquals(frozen!.freeze?.causes, ["equivocation"]);
  assertEquals(shown(await stepsOf(one)), [
    ...["INC-2026-001 null DETECT hearsay", "INC-2026-001 DETECT FREEZE hearsay"],
  ]);
  const [detected, froze] = await stepsOf(one);
  assertEquals(detected!.evidence_ids, await one.cases());
  assertEquals(froze!.accepted?.size, "8");
  // It is watched, and what it shows is not accepted.
  source.size = 12;
  await one.pass(MINUTE);
  const [watched] = one.daemon!.status().logs;
  assertEquals([watched!.size, watched!.seenSize], ["8", "12"]);
  await one.stop();
  await one.start({ logs: [{ source }] });
  source.size = 16;
  await one.pass(MINUTE);
  const [again] = one.daemon!.status().logs;
  assertEquals([again!.size, again!.seenSize], ["8", "16"]);
  assertEquals(again!.freeze?.incidents, ["INC-2026-001"]);
  await resolve(one, "INC-2026-001");
  const [thawed] = one.daemon!.status().logs;
  assertEquals([thawed!.freeze, thawed!.size, thawed!.seenSize], [undefined, "16", undefined]);
  await one.stop();
  await one.start({ logs: [{ source }] });
  await one.pass(HOUR);
  assertEquals(one.daemon!.status().logs[0]!.freeze, undefined);
  assertEquals((await stepsOf(one)).length, 5);
  assertEquals(one.refusals, []);
});
