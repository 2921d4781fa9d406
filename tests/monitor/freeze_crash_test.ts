/** The power may go at any step from the case to the end: log and incident can go on from there. */
import { assert, assertEquals } from "@std/assert";
import { type State, STATES } from "../../src/evidence/transition.ts";
import type { Fault } from "../store/memory_disk.ts";
import { checkpointOf, grow } from "../evidence/histories.ts";
import { Host, HOUR, logAt, MINUTE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

const INC = "INC-2026-001";
const PERSON = { by: "Ada", why: "the operator has explained it" };

const log = grow(await logAt(), 4);
const theirs = grow(log.fork(), 20, "theirs");
grow(log, 20);
const split = (await checkpointOf(theirs, 8)).frame;

/** What was said, and so must be so after any crash. */
interface Said {
  /** Whether somebody was told that the case is recorded. */
  recorded: boolean;
  /** The last state that a person was told. */
  state: State | undefined;
}

async function course(host: Host, said: Said): Promise<void> {
  try {
    await host.start({ logs: [{ source: new ScriptedSource(log, 8) }], gossipMs: HOUR });
  } catch {
    return;
  }
  await host.hear([split]).catch(() => 0);
  said.recorded = host.toldOf("incident.recorded").length > 0;
  // What is proven freezes at once, whether or not the disk takes it.
  const { freeze } = host.daemon!.status().logs[0]!;
  if (said.recorded) assert(freeze !== undefined);
  await host.pass(MINUTE);
  for (const to of STATES.slice(2)) {
    try {
      const stepped = await host.daemon!.step({ incident: INC, to, ...PERSON });
      if (!("incident" in stepped)) return;
      said.state = to;
    } catch {
      return;
    }
  }
}

async function survives(fault: Fault): Promise<boolean> {
  await using host = await Host.make();
  host.disk.fail(fault);
  const said: Said = { recorded: false, state: undefined };
  await course(host, said);
  const hit = host.disk.operations >= fault.at;
  await host.crash({ keepShare: fault.at % 3 / 2 });
  const what = `${JSON.stringify(fault)} ${JSON.stringify(said)}`;
  await host.start({ logs: [{ source: new ScriptedSource(log, 8) }], gossipMs: HOUR });
  await host.pass(MINUTE);
  const cases = await host.cases();
  if (said.recorded) assertEquals(cases.length, 1, `${what}: the case was lost`);
  assertEquals(host.toldOf("journal.unsound"), [], what);
  const { freeze } = host.daemon!.status().logs[0]!;
  const reached = said.state === undefined ? 0 : STATES.indexOf(said.state);
  if (reached >= STATES.indexOf("RESOLVE")) assertEquals(freeze, undefined, what);
  // Go on from wherever it is: from the start, if even the case was not written.
  await host.hear([split]);
  await host.pass(MINUTE);
  for (const to of STATES.slice(2)) {
    const stepped = await host.daemon!.step({ incident: INC, to, ...PERSON });
    const isMade = "incident" in stepped;
    if (STATES.indexOf(to) <= reached) assert(!isMade, `${what}: ${to} was made twice`);
    // A step may be durable although nobody was told so.
    if (!isMade) {
      assert(/already|not in|from which only|CLOSED/.test(stepped.refused), stepped.refused);
    }
  }
  assertEquals(host.daemon!.status().logs[0]!.freeze, undefined, what);
  await host.stop();
  await host.start({ logs: [{ source: new ScriptedSource(log, 8) }], gossipMs: HOUR });
  assertEquals(host.daemon!.status().logs[0]!.freeze, undefined, what);
  assertEquals((await host.cases()).length, 1, what);
  return hit;
}

/** Whether the log is frozen after a crash that came after the case was durable. */
for (const when of ["before", "after"] as const) {
  Deno.test(`freeze: the power goes ${when} any operation of the disk, and it can go on`, async () => {
    let at = 1;
    while (await survives({ at, when, lasting: true })) at++;
    assert(at > 30, `only ${at} faults were tried`);
  });
}

Deno.test("freeze: a disk that refuses keeps the log frozen in memory, and writes it when it can", async () => {
  await using host = await Host.make();
  const disk = host.refusableDisk("home/incidents");
  await host.start({ logs: [{ source: new ScriptedSource(log, 8) }], gossipMs: HOUR });
  disk.refuses = true;
  await host.hear([split]).catch(() => 0);
  const frozen = () => host.daemon!.status().logs[0]!.freeze;
  assertEquals([frozen()?.incidents, frozen()?.isWritten], [[], false]);
  disk.refuses = false;
  await host.hear([(await checkpointOf(log, 3)).frame]);
  await host.pass(MINUTE);
  assertEquals([frozen()?.incidents, frozen()?.isWritten], [[INC], true]);
});
