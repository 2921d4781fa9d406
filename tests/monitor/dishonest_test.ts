/** A log that tells two stories is caught as soon as one monitor's view covers what the other has. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { evidenceId } from "../../src/evidence/conflict.ts";
import type { ConflictRecord } from "../../src/evidence/record.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { grow } from "../evidence/histories.ts";
import { type Duties, type Host, hostsOf, logAt, MINUTE } from "./hosts.ts";
import { noteOf, ScriptedSource } from "./scripted_source.ts";

const MOST_ENTRIES = 33;
/** Rounds after which two monitors have told each other everything. */
const MANY_ROUNDS = 6;

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

  /** Most records there may be (rule 6): linear in what the log signed. */
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
  const hosts = await hostsOf(2) as [Host, Host];
  const sources = [new ScriptedSource(stories[0]), new ScriptedSource(stories[1])] as const;
  for (const source of sources) source.latestTrouble = "garbage";
  const duties = hosts.map((host, i): Duties => ({
    logs: [{ source: sources[i]! }],
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
      else await hosts[host].pass(MINUTE);
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
    async [Symbol.asyncDispose]() {
      for (const host of hosts) await host[Symbol.asyncDispose]();
    },
  };
}

/** Two stories that part after `fork` entries, all notes signed. */
async function storiesOf(fork: number): Promise<[TestLog, TestLog]> {
  const ours = grow(await logAt(), fork);
  const theirs = ours.fork();
  grow(ours, MOST_ENTRIES, "ours");
  grow(theirs, MOST_ENTRIES, "theirs");
  for (let size = 0; size <= MOST_ENTRIES; size++) {
    await noteOf(ours, size);
    await noteOf(theirs, size);
  }
  return [ours, theirs];
}

/** Older roots and same-size pairs convicted; each may have one record. */
function convicted({ kind, checkpoint_a, checkpoint_b }: ConflictRecord): string {
  const [older, newer] = [checkpoint_a, checkpoint_b]
    .sort((a, b) => Number(a.size) - Number(b.size) || (a.root < b.root ? -1 : 1));
  return kind === "same_size"
    ? `${kind} ${older!.size} ${older!.root} ${newer!.root}`
    : `${kind} ${older!.size} ${older!.root}`;
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
    { numRuns: 40 },
  );
  assert(caught > 10, `${caught} caught`);
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
