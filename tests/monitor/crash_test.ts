/** The power goes at any moment, and the daemon starts again with everything it has said. */
import { assert, assertEquals } from "@std/assert";
import type { TestLog } from "../../src/sources/test_log.ts";
import type { Observation } from "../../src/store/observation.ts";
import { ObservationJournal } from "../../src/store/observations.ts";
import { type OpenFile, WorldError } from "../../src/world/world.ts";
import { checkpointOf } from "../evidence/histories.ts";
import type { Fault } from "../store/memory_disk.ts";
import { convicted, DAY, Host, MINUTE, parted, STATE } from "./hosts.ts";
import { noteOf, ScriptedSource } from "./scripted_source.ts";

/** Two stories of one log, that part after 6 entries. */
const [ours, theirs] = await parted({ at: 6, sizes: [30, 30] });

/** A machine, the log it follows, and what it has said so far. */
interface Stage {
  readonly host: Host;
  readonly source: ScriptedSource;
  /** What it has told; none of it may be taken back. */
  readonly said: { view: bigint; readonly cases: Set<string>; readonly answered: Set<string> };
}

type Step = (stage: Stage) => Promise<void>;

/** The log shows a size of a story. */
function shows(story: TestLog, size: number): Step {
  return async ({ host, source }) => {
    await noteOf(story, size);
    [source.story, source.size] = [story, size];
    const refused = host.refusals.length;
    await host.pass(MINUTE);
    // Where the disk has refused, the log is looked at again after two minutes.
    if (host.refusals.length > refused) await host.pass(2 * MINUTE);
  };
}

/** Somebody who remembers nothing tells it a checkpoint. */
function tells(story: TestLog, size: number): Step {
  return async ({ host, said }) => {
    const { frame, root } = await checkpointOf(story, size);
    if (await host.hear([frame]) === 1) said.answered.add(`${size} ${root}`);
  };
}

const COURSE: readonly Step[] = [
  shows(ours, 8),
  tells(theirs, 7),
  shows(ours, 12),
  tells(theirs, 12),
  tells(ours, 16),
  shows(ours, 20),
  shows(theirs, 24),
  shows(theirs, 20),
];

async function newStage(): Promise<Stage> {
  const host = await Host.make();
  const said = { view: 0n, cases: new Set<string>(), answered: new Set<string>() };
  return { host, source: new ScriptedSource(ours, 8), said };
}

/** Runs the course; a disk that refuses at the start is the end of it, or, if it dies, anywhere. */
async function run(stage: Stage, dies = false): Promise<void> {
  const { host, source, said } = stage;
  [source.story, source.size] = [ours, 8];
  try {
    await host.start({ logs: [{ source }], gossipMs: DAY });
  } catch {
    return;
  }
  for (const step of COURSE) {
    await step(stage);
    if (dies && host.refusals.length > 0) return;
    const size = seenSizeOf(host);
    if (size !== undefined && BigInt(size) > said.view) said.view = BigInt(size);
    for (const { fields } of host.toldOf("incident.recorded")) {
      said.cases.add(fields.evidence_id as string);
    }
  }
}

/** The largest size that is proven, whether or not the log is frozen by now. */
function seenSizeOf({ daemon }: Host): string | undefined {
  const { size, seenSize = size } = daemon!.status().logs[0]!;
  return seenSize;
}

/** Everything convicted, by what it is convicted of. */
async function convictions({ host }: Stage): Promise<string[]> {
  await host.cases();
  return (await host.records()).map(convicted).sort();
}

/** Asserts that what was said before the power went is still so. */
async function expectKept({ host, source, said }: Stage, fault: Fault): Promise<void> {
  [source.story, source.size] = [ours, 1];
  await host.start({ logs: [{ source }], gossipMs: DAY });
  await host.pass(2 * MINUTE);
  const what = JSON.stringify(fault);
  const size = seenSizeOf(host);
  assert(BigInt(size ?? 0) >= said.view, `${what}: the view is ${size}, it was ${said.view}`);
  const ids = await host.cases();
  for (const id of said.cases) assert(ids.includes(id), `${what}: a case was lost`);
  const observed = await host.observations();
  const seen = new Set(
    observed.map(({ observation: { checkpoint } }) => `${checkpoint?.size} ${checkpoint?.root}`),
  );
  for (const head of said.answered) assert(seen.has(head), `${what}: ${head} was lost`);
  const heads = new Set(
    (await host.records()).flatMap(({ checkpoint_a: a, checkpoint_b: b }) =>
      [a, b].map(({ size, root }) => `${size} ${root}`)
    ),
  );
  for (const { observation: { result, checkpoint } } of observed) {
    if (result !== "inconsistent") continue;
    const head = `${checkpoint!.size} ${checkpoint!.root}`;
    assert(heads.has(head), `${what}: ${head} was found inconsistent, and no record says so`);
  }
}

/** What the course convicts the log of when nothing fails. */
let clean: string[] = [];

/** After every so many faults it all happens once more. */
const REPEATED = 3;
/** Of the faults after which the daemon goes on, one in so many is tried. */
const GOING_ON = 2;

async function survives(fault: Fault): Promise<boolean> {
  const stage = await newStage();
  await using host = stage.host;
  host.disk.fail(fault);
  await run(stage, fault.lasting);
  const hit = host.disk.operations >= fault.at;
  await host.crash({ keepShare: fault.at % 3 / 2 });
  await expectKept(stage, fault);
  await host.stop();
  host.assertOnlyDiskRefused();
  if (fault.at % REPEATED !== 0) return hit;
  // It all happens again: nothing is missing at the end, and nothing is there twice.
  await run(stage);
  assertEquals(await convictions(stage), clean, JSON.stringify(fault));
  await host.stop();
  return hit;
}

Deno.test("crash: without one, the course of things convicts the log of four contradictions", async () => {
  const stage = await newStage();
  await using host = stage.host;
  await run(stage);
  clean = await convictions(stage);
  assertEquals(
    clean.map((name) => name.split(" ").slice(0, 2).join(" ").replace("_", " ")),
    ["cross size 20", "cross size 7", "same size 12", "same size 20"],
  );
  assertEquals([stage.said.view, stage.said.cases.size, stage.said.answered.size], [20n, 4, 3]);
  assertEquals([host.daemon!.status().logs[0]!.openQuestions, host.refusals], [0, []]);
});

for (const when of ["before", "after"] as const) {
  for (const lasting of [true, false]) {
    const how = `${when} its effect, ${lasting ? "and the power goes" : "and the rest goes on"}`;
    Deno.test(`crash: nothing said is lost when any operation fails ${how}`, async () => {
      let at = 1;
      while (await survives({ at, when, lasting })) at += lasting ? 1 : GOING_ON;
      assert(at > 40, `only ${at} faults were tried`);
    });
  }
}

/** What a crash leaves between an entry that accuses and the incident: checkpoints found inconsistent. */
async function accuse(host: Host, story: TestLog, sizes: readonly number[]): Promise<void> {
  const observations = await ObservationJournal.open({ world: host.world, folder: STATE });
  for (const size of sizes) {
    const { root, note } = await checkpointOf(story, size);
    const accused: Observation = {
      log: { origin: story.log.origin, vkey: story.log.vkey.text },
      ...{ via: "exchange", source: "192.0.2.7", result: "inconsistent" },
      checkpoint: { size: `${size}`, root, note },
    };
    await observations.append(accused, host.clock.now().toISOString());
  }
  await observations.close();
}

Deno.test("crash: what was left without its incident is judged again until the disk takes it", async () => {
  const { host, source } = await newStage();
  await using _ = host;
  await accuse(host, theirs, [8, 9]);
  source.size = 12;
  let refuses = true;
  const { files } = host;
  const refusable = (path: string, file: OpenFile): OpenFile => ({
    ...file,
    write: (bytes, at) =>
      refuses && path.includes("incidents")
        ? Promise.reject(new WorldError("other", "No space left on device (os error 28)"))
        : file.write(bytes, at),
  });
  host.files = {
    ...files,
    open: async (path, mode) => refusable(path, await files.open(path, mode)),
    create: async (path, mode) => refusable(path, await files.create(path, mode)),
  };
  await host.start({ logs: [{ source }], gossipMs: DAY });
  await host.pass(2 * MINUTE);
  assertEquals([await host.cases(), host.refusals.length > 0], [[], true]);
  refuses = false;
  await host.pass(10 * MINUTE);
  assertEquals((await host.records()).map(convicted).map((name) => name.split(" ")[1]), ["8", "9"]);
  host.assertOnlyDiskRefused();
});

Deno.test("crash: what was left above the view waits for the view, and is no open question meanwhile", async () => {
  const { host, source } = await newStage();
  await using _ = host;
  await accuse(host, theirs, [16]);
  source.size = 12;
  await host.start({ logs: [{ source }], gossipMs: DAY });
  await host.pass(5 * MINUTE);
  const results = async (): Promise<string[]> =>
    (await host.observations()).filter(({ observation: { checkpoint } }) =>
      checkpoint?.size === "16"
    )
      .map(({ observation: { result } }) => result);
  assertEquals([await results(), await host.cases()], [["inconsistent"], []]);
  assertEquals(host.daemon!.status().logs[0]!.openQuestions, 0);
  source.size = 20;
  await host.pass(2 * MINUTE);
  assertEquals((await host.records()).map(convicted).map((name) => name.split(" ")[1]), ["16"]);
});
