/** Honest logs never yield an incident, however unlucky the timing. */
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { base64 } from "../../src/tlog/encoding.ts";
import { grow } from "../evidence/histories.ts";
import { type Duties, logAt, MINUTE, Stage } from "./hosts.ts";
import {
  type LatestTrouble,
  noteOf,
  type ProofTrouble,
  ScriptedSource,
} from "./scripted_source.ts";

const HOSTS = 3;
const MOST_ENTRIES = 40;
/** Minutes after which every back-off of these schedules is over. */
const PATIENCE_MINUTES = 64;

/** One thing that happens. */
type Happening =
  | { readonly grows: number }
  | { readonly host: number; readonly shown: number }
  | { readonly host: number; readonly latest: LatestTrouble | undefined }
  | { readonly host: number; readonly proofs: ProofTrouble | undefined }
  | { readonly host: number; readonly minutes: number }
  | { readonly host: number; readonly online: boolean }
  | { readonly host: number; readonly restarts: "stopped" | "killed" };

const host = fc.nat(HOSTS - 1);
const happenings = fc.array(
  fc.oneof(
    { arbitrary: fc.record({ grows: fc.integer({ min: 1, max: 6 }) }), weight: 3 },
    // A share of what there is: an old checkpoint after a new one, as caches and replicas give it.
    {
      arbitrary: fc.record({ host, shown: fc.double({ min: 0, max: 1, noNaN: true }) }),
      weight: 4,
    },
    {
      arbitrary: fc.record({
        host,
        latest: fc.constantFrom<LatestTrouble | undefined>("unavailable", "garbage", undefined),
      }),
      weight: 1,
    },
    {
      arbitrary: fc.record({
        host,
        proofs: fc.constantFrom<ProofTrouble | undefined>(
          ...["unavailable", "refused", "wrong", "wrong until told", undefined] as const,
        ),
      }),
      weight: 3,
    },
    {
      arbitrary: fc.record({ host, minutes: fc.integer({ min: 1, max: 2 }) }),
      weight: 8,
    },
    { arbitrary: fc.record({ host, online: fc.boolean() }), weight: 1 },
    {
      arbitrary: fc.record({ host, restarts: fc.constantFrom("stopped", "killed") }),
      weight: 1,
    },
  ) as fc.Arbitrary<Happening>,
  { minLength: 10, maxLength: 24 },
);

Deno.test("daemon: honest logs never yield an incident, whatever the schedule", async () => {
  const log = await logAt();
  grow(log, MOST_ENTRIES);
  for (let size = 0; size <= MOST_ENTRIES; size++) await noteOf(log, size);
  let views = 0;
  let settledLater = 0;
  await fc.assert(
    fc.asyncProperty(happenings, async (schedule) => {
      await using stage = await Stage.set({ count: HOSTS });
      const { hosts } = stage;
      let entries = 1;
      const sources = hosts.map(() => new ScriptedSource(log, entries));
      const duties = hosts.map((host, i): Duties => ({
        logs: [{ source: sources[i]! }],
        peers: hosts.filter((other) => other !== host).map(({ address }) => address),
      }));
      for (const [i, host] of hosts.entries()) await host.start(duties[i]!);
      const seen = hosts.map(() => 0n);

      function expectViews(): void {
        for (const [i, host] of hosts.entries()) {
          const { size, root } = host.daemon!.status().logs[0]!;
          if (size === undefined) {
            assertEquals(seen[i], 0n, "a view never goes away");
            continue;
          }
          assert(BigInt(size) >= seen[i]!, "a view never goes back");
          assertEquals(root, base64(log.root(BigInt(size))));
          seen[i] = BigInt(size);
        }
      }

      for (const what of schedule) {
        if ("grows" in what) {
          entries = Math.min(MOST_ENTRIES, entries + what.grows);
          for (const source of sources) source.size = entries;
          continue;
        }
        const [host, source] = [hosts[what.host]!, sources[what.host]!];
        if ("shown" in what) source.size = Math.round(what.shown * entries);
        if ("latest" in what) source.latestTrouble = what.latest;
        if ("proofs" in what) source.proofTrouble = what.proofs;
        if ("online" in what) host.online = what.online;
        if ("minutes" in what) await host.pass(what.minutes * MINUTE);
        if ("restarts" in what) {
          if (what.restarts === "stopped") await host.stop();
          else await host.crash();
          await host.start(duties[what.host]!);
        }
        expectViews();
      }

      for (const [i, host] of hosts.entries()) {
        const source = sources[i]!;
        host.online = true;
        source.latestTrouble = source.proofTrouble = undefined;
        source.size = entries;
        settledLater += host.daemon!.status().logs[0]!.openQuestions;
        const isDone = (): boolean => {
          // A log whose proofs did not hold is frozen, and no case comes of it.
          const { size, seenSize = size, openQuestions } = host.daemon!.status().logs[0]!;
          return seenSize === `${entries}` && openQuestions === 0;
        };
        for (let minute = 0; minute < PATIENCE_MINUTES && !isDone(); minute++) {
          await host.pass(MINUTE);
        }
        assert(isDone(), `host ${i}: ${JSON.stringify(host.daemon!.status().logs)}`);
      }
      expectViews();
      for (const host of hosts) {
        host.assertOnlyDiskRefused();
        assertEquals(await host.cases(), []);
        const bad = host.told.filter(({ name, fields }) =>
          /inconsistent|incident/.test(name) && fields.cause !== "consistency failure"
        );
        assertEquals(bad, []);
        const results = (await host.observations()).map(({ observation }) => observation.result);
        assertEquals(results.filter((result) => result === "inconsistent"), []);
        views += results.filter((result) => result === "extends").length;
      }
    }),
    { numRuns: 40 },
  );
  // The schedules were not empty of what they are about.
  assert(views > 100, `${views} views`);
  assert(settledLater > 10, `${settledLater} questions`);
});
