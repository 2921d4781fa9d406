/** A log that tells two stories is caught as soon as one monitor's view covers what the other has. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { evidenceId } from "../../src/evidence/conflict.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { checkpointOf } from "../evidence/histories.ts";
import { convicted, DAY, type Duties, Host, HOUR, MINUTE, parted, Stage } from "./hosts.ts";
import { noteOf, type ProofTrouble, ScriptedSource } from "./scripted_source.ts";

const MOST_ENTRIES = 33;
/** Rounds after which two monitors have told each other everything. */
const MANY_ROUNDS = 6;
/** Minutes after which every back-off is over. */
const MANY_MINUTES = 128;

/** One of two hosts is shown a size, or calls the other. */
type Step =
  | { readonly host: 0 | 1; readonly size: number }
  | { readonly host: 0 | 1; readonly calls: true };

/** What a naive reader of the whole course of things says must be known, and may be recorded. */
class Model {
  readonly #fork: number;
  /** By host, the sizes it was shown, and those that it has heard of the other story. */
  readonly shown = [new Set<number>(), new Set<number>()] as const;
  readonly heard = [new Set<number>(), new Set<number>()] as const;

  constructor(fork: number) {
    this.#fork = fork;
  }

  view(host: 0 | 1): number | undefined {
    const { size } = this.shown[host];
    return size === 0 ? undefined : Math.max(...this.shown[host]);
  }

  take(step: Step): void {
    if ("size" in step) this.shown[step.host].add(step.size);
    else {
      for (const host of [0, 1] as const) {
        const told = this.view(host);
        if (told !== undefined) this.heard[1 - host]!.add(told);
      }
    }
  }

  /** Whether a view covers something heard that its story has not. */
  mustKnow(host: 0 | 1): boolean {
    const view = this.view(host) ?? -1;
    return [...this.heard[host]].some((size) => size > this.#fork && size <= view);
  }

  /** Most records there may be (RULES R6): linear in what the log signed. */
  get mostRecords(): number {
    const parted = this.shown.map((sizes) => [...sizes].filter((size) => size > this.#fork));
    const both = parted[0]!.filter((size) => parted[1]!.includes(size)).length;
    const older = parted.map((sizes, i) =>
      sizes.filter((size) => parted[1 - i]!.some((other) => other > size)).length
    );
    return both + older[0]! + older[1]!;
  }
}

/** Two hosts, each shown its own story of a log that parts after `fork` entries. */
async function stageOf(stories: readonly [TestLog, TestLog]) {
  const stage = await Stage.set();
  const hosts = [stage.one, stage.two] as const;
  const sources = [new ScriptedSource(stories[0]), new ScriptedSource(stories[1])] as const;
  for (const source of sources) source.latestTrouble = "garbage";
  const duties = hosts.map((host, i): Duties => ({
    // Looked at so rarely that what an exchange brings is not the next look's doing.
    logs: [{ source: sources[i]!, pollMs: HOUR }],
    peers: hosts.filter((other) => other !== host).map(({ address }) => address),
  }));
  async function start(host: 0 | 1): Promise<void> {
    hosts[host].online = false;
    await hosts[host].start(duties[host]!);
  }
  return {
    hosts,
    /** Shows a host a size, and lets it tell nobody. */
    async show(host: 0 | 1, size: number): Promise<void> {
      const first = hosts[host].daemon === undefined;
      sources[host].latestTrouble = undefined;
      sources[host].size = size;
      if (first) await start(host);
      else await hosts[host].pass(HOUR);
    },
    /** Lets a host call the other. */
    async call(host: 0 | 1): Promise<void> {
      hosts[host].online = true;
      await hosts[host].pass(MINUTE);
      hosts[host].online = false;
    },
    async restart(host: 0 | 1): Promise<void> {
      await hosts[host].stop();
      await start(host);
    },
    [Symbol.asyncDispose]: () => stage[Symbol.asyncDispose](),
  };
}

/** Two stories that part after `fork` entries, all notes signed. */
async function storiesOf(fork: number): Promise<[TestLog, TestLog]> {
  const most = MOST_ENTRIES + 1;
  const [ours, theirs] = await parted({ at: fork, sizes: [most, most] });
  for (let size = 0; size <= MOST_ENTRIES; size++) {
    await noteOf(ours, size);
    await noteOf(theirs, size);
  }
  return [ours, theirs];
}

const size = fc.oneof(
  fc.integer({ min: 0, max: MOST_ENTRIES }),
  fc.constantFrom(1, 2, 4, 8, 16, 32),
);
const side = fc.constantFrom(0 as const, 1 as const);
const steps = fc.array(
  fc.oneof(
    { arbitrary: fc.record({ host: side, size }), weight: 3 },
    { arbitrary: fc.record({ host: side, calls: fc.constant(true as const) }), weight: 2 },
  ) as fc.Arbitrary<Step>,
  { minLength: 4, maxLength: 14 },
);

Deno.test("daemon: two stories are caught in the first exchange in which one view covers the other", async () => {
  let caught = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: MOST_ENTRIES - 1 }),
      fc.tuple(size, size),
      steps,
      async (fork, firsts, more) => {
        const model = new Model(fork);
        await using stage = await stageOf(await storiesOf(fork));
        const { hosts } = stage;
        const opening: Step[] = [0, 1].map((host) => ({
          host: host as 0 | 1,
          size: firsts[host]!,
        }));
        let known = false;
        for (const step of [...opening, ...more]) {
          model.take(step);
          if ("size" in step) await stage.show(step.host, step.size);
          else await stage.call(step.host);
          if (known || hosts.some(({ daemon }) => daemon === undefined)) continue;
          const mustKnow = [model.mustKnow(0), model.mustKnow(1)];
          const cases = [await hosts[0].cases(), await hosts[1].cases()];
          if (!mustKnow.includes(true)) {
            assertEquals(cases, [[], []], "nothing is recorded before a view covers it");
            continue;
          }
          known = true;
          caught++;
          for (const host of [0, 1]) {
            assert(!mustKnow[host] || cases[host]!.length > 0, "not caught");
          }
          // One round more, from either end, and both have it.
          await stage.call(step.host);
          const all = new Set([...cases[0]!, ...cases[1]!]);
          for (const host of hosts) {
            assertEquals(new Set(await host.cases()).intersection(all), all);
          }
        }
        for (let i = 0; i < MANY_ROUNDS; i++) await stage.call(i % 2 as 0 | 1);
        const cases = await hosts[0].cases();
        assertEquals(await hosts[1].cases(), cases, "both have the same cases");
        assert(cases.length <= model.mostRecords, `${cases.length} of ${model.mostRecords}`);
        for (const host of hosts) {
          const names = (await host.records()).map(convicted);
          assertEquals(new Set(names).size, names.length, "one record a contradicted root");
          assertEquals(host.refusals, []);
        }
        for (const host of [0, 1] as const) await stage.restart(host);
        for (let i = 0; i < MANY_ROUNDS; i++) await stage.call(i % 2 as 0 | 1);
        for (const host of hosts) assertEquals(await host.cases(), cases, "nothing twice");
      },
    ),
    {
      numRuns: 30,
      // A checkpoint that only a record shows was settled by the next look, not at once.
      examples: [[0, [0, 1], [
        { host: 0, size: 2 },
        { host: 0, calls: true },
        { host: 0, size: 17 },
        { host: 0, size: 16 },
        { host: 0, calls: true },
        { host: 1, size: 8 },
        { host: 1, size: 16 },
        { host: 0, size: 0 },
      ]]],
    },
  );
  assert(caught > 8, `${caught} caught`);
});

const SIZES: readonly (readonly [older: number, newer: number])[] = [
  ...[[5, 9], [8, 9], [8, 16], [4, 20], [16, 33], [7, 16], [1, 2], [9, 9]] as const,
];

for (const [older, newer] of SIZES) {
  for (const caller of ["older", "newer"] as const) {
    Deno.test(`daemon: ${older} here and ${newer} there, the ${caller} calls: caught at once`, async () => {
      const stories = await storiesOf(older - 1);
      await using stage = await stageOf(stories);
      await stage.show(0, older);
      await stage.show(1, newer);
      await stage.call(caller === "older" ? 0 : 1);
      const [first, second] = [stories[0], stories[1]] as const;
      const id = evidenceId({
        log: first.log,
        heads: [
          { treeSize: BigInt(older), rootHash: first.root(BigInt(older)) },
          { treeSize: BigInt(newer), rootHash: second.root(BigInt(newer)) },
        ],
      });
      assertEquals(await stage.hosts[1].cases(), [id]);
      // Whoever finds it tells it at once, if it reaches anybody, and not after an interval.
      if (caller === "newer") assertEquals(await stage.hosts[0].cases(), [id]);
      await stage.call(1);
      assertEquals(await stage.hosts[0].cases(), [id]);
      const told = stage.hosts.flatMap((host) => host.toldOf("incident.recorded"));
      assertEquals(told.map(({ fields }) => fields.evidence_id), [id, id]);
    });
  }
}

Deno.test("daemon: two stories heard before the view reaches them are caught by the look that does", async () => {
  const stories = await storiesOf(3);
  await using stage = await stageOf(stories);
  await stage.show(0, 5);
  await stage.show(1, 2);
  await stage.call(1);
  assertEquals(await stage.hosts[1].cases(), []);
  assertEquals(stage.hosts[1].daemon!.status().logs[0]!.openQuestions, 1);
  await stage.show(1, 9);
  assertEquals((await stage.hosts[1].cases()).length, 1);
  assertEquals(stage.hosts[1].daemon!.status().logs[0]!.openQuestions, 0);
});

/** One thing a log, its callers or the machine's power do. */
type Happening =
  | { readonly does: "shows" | "tells"; readonly story: 0 | 1; readonly size: number }
  | { readonly proofs: ProofTrouble | undefined }
  | { readonly restarts: "stopped" | "killed" };

const happenings = fc.array(
  fc.oneof(
    {
      arbitrary: fc.record({ does: fc.constantFrom("shows", "tells"), story: side, size }),
      weight: 6,
    },
    {
      arbitrary: fc.record({
        proofs: fc.constantFrom<ProofTrouble | undefined>(
          ...["unavailable", "refused", "wrong", "wrong until told", undefined] as const,
        ),
      }),
      weight: 2,
    },
    { arbitrary: fc.record({ restarts: fc.constantFrom("stopped", "killed") }), weight: 1 },
  ) as fc.Arbitrary<Happening>,
  { minLength: 6, maxLength: 20 },
);

Deno.test("daemon: in the end every contradiction it has seen is in a record, whatever the log did", async () => {
  let contradictions = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: MOST_ENTRIES - 1 }),
      happenings,
      async (fork, schedule) => {
        const stories = await storiesOf(fork);
        await using host = await Host.make();
        const source = new ScriptedSource(stories[0]);
        source.latestTrouble = "garbage";
        const duties: Duties = { logs: [{ source }], gossipMs: DAY };
        await host.start(duties);
        const told = new Set<string>();
        let believed: TestLog | undefined;

        /** The story of the view; it never changes once the two have parted. */
        function story(): TestLog {
          const { size: accepted, root: acceptedRoot, ...seen } = host.daemon!.status().logs[0]!;
          const { seenSize: size = accepted, seenRoot: root = acceptedRoot } = seen;
          const isOf = (one: TestLog): boolean =>
            size === undefined || root === base64(one.root(BigInt(size)));
          if (believed !== undefined) assert(isOf(believed), "the view is of the other story");
          else if (size !== undefined && Number(size) > fork) believed = stories.find(isOf);
          return believed ?? stories[0];
        }

        for (const what of schedule) {
          if ("proofs" in what) source.proofTrouble = what.proofs;
          else if ("restarts" in what) {
            if (what.restarts === "killed") await host.crash();
            else await host.stop();
            await host.start(duties);
          } else if (what.does === "shows") {
            source.latestTrouble = undefined;
            [source.story, source.size] = [stories[what.story], what.size];
            await host.pass(MINUTE);
          } else {
            const { frame, root } = await checkpointOf(stories[what.story], what.size);
            assertEquals(await host.hear([frame]), 1);
            told.add(`${what.size} ${root}`);
          }
          story();
        }

        [source.latestTrouble, source.proofTrouble] = [undefined, undefined];
        // Nobody was told anything of this size, so there is nothing to stop at.
        [source.story, source.size] = [story(), MOST_ENTRIES + 1];
        await noteOf(source.story, source.size);
        const isDone = (): boolean => {
          // After the first case the log is frozen, and is watched all the same.
          const { size, seenSize = size, openQuestions } = host.daemon!.status().logs[0]!;
          return seenSize === `${MOST_ENTRIES + 1}` && openQuestions === 0;
        };
        for (let minute = 0; minute < MANY_MINUTES && !isDone(); minute++) await host.pass(MINUTE);
        assert(isDone(), JSON.stringify(host.daemon!.status().logs));

        await host.cases();
        const records = await host.records();
        const names = records.map(convicted);
        assertEquals(new Set(names).size, names.length, "one record a contradicted root");
        const recorded = new Set(
          records.flatMap(({ checkpoint_a, checkpoint_b }) =>
            [checkpoint_a, checkpoint_b].map(({ size, root }) => `${size} ${root}`)
          ),
        );
        const observed = (await host.observations()).map(({ observation }) => observation);
        // A root that contradicts one which has its record already is told, and needs none (RULES R6).
        for (const { checkpoint, against } of observed) {
          if (against === undefined || !recorded.has(`${against.size} ${against.root}`)) continue;
          recorded.add(`${checkpoint!.size} ${checkpoint!.root}`);
        }
        const seen = new Set(
          observed.flatMap(({ checkpoint }) =>
            checkpoint === undefined ? [] : [`${checkpoint.size} ${checkpoint.root}`]
          ),
        );
        assertEquals(told.difference(seen), new Set(), "what was answered is in the journal");
        for (const head of seen) {
          const [size, root] = head.split(" ") as [string, string];
          const isOurs = root === base64(source.story.root(BigInt(size)));
          if (isOurs) continue;
          contradictions++;
          assert(recorded.has(head), `${head} is in no record`);
        }
        host.assertOnlyDiskRefused();
      },
    ),
    { numRuns: 40 },
  );
  assert(contradictions > 30, `${contradictions} contradictions`);
});
