import { assertEquals } from "@std/assert";
import type { Happening } from "../../src/monitor/happenings.ts";
import { MAX_SHOWN, Shown } from "../../src/monitor/shown.ts";
import type { Result } from "../../src/evidence/result.ts";
import type { VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { checkpointOf, grow, newLog } from "../evidence/histories.ts";

const AT = "2026-01-02T03:04:05Z";

const newShown = (peers: readonly string[]): Shown =>
  new Shown({ isPeer: (source) => peers.includes(source), now: () => AT });

function heard(
  source: string,
  checkpoint: VerifiedCheckpoint,
  verdict: "matches" | "pending" = "pending",
): Happening {
  const about = verdict === "pending" ? { verdict, localSize: undefined } : { verdict };
  return { kind: "heard", heard: { ...about, checkpoint }, source };
}

function found(source: string, checkpoint: VerifiedCheckpoint, result: Result): Happening {
  const finding = { log: checkpoint.log, result, source, checkpoint };
  return { kind: "found", finding, result, about: "open", at: AT } as unknown as Happening;
}

Deno.test("shown: of each peer and log the last checkpoint, with what was proven of it", async () => {
  const log = grow(await newLog(), 9);
  const [small, large] = [await checkpointOf(log, 5), await checkpointOf(log, 9)];
  const name = { origin: log.log.origin, vkey: log.log.vkey.text };
  const shown = newShown(["one:1", "two:2"]);
  shown.take(heard("one:1", small));
  shown.take(heard("two:2", small, "matches"));
  shown.take(heard("one:1", large));
  // What is settled of an earlier checkpoint says nothing of the last one.
  shown.take(found("one:1", small, "consistent"));
  const told = () => shown.of(name).map(({ source, size, verdict }) => [source, size, verdict]);
  assertEquals(told(), [["one:1", "9", "pending"], ["two:2", "5", "matches"]]);
  shown.take(found("one:1", large, "inconsistent"));
  // It shows the same again: what is known of it stays known.
  shown.take(heard("one:1", large));
  assertEquals(told(), [["one:1", "9", "inconsistent"], ["two:2", "5", "matches"]]);
  assertEquals(shown.of({ ...name, origin: "other" }), []);
});

Deno.test("shown: strangers are not remembered, nor peers that are none any more", async () => {
  const checkpoint = await checkpointOf(grow(await newLog(), 5));
  const { log: { origin, vkey: { text: vkey } } } = checkpoint;
  const peers = ["one:1"];
  const shown = newShown(peers);
  shown.take(heard("192.0.2.7", checkpoint));
  assertEquals(shown.of({ origin, vkey }), []);
  peers.push("192.0.2.7");
  assertEquals(shown.of({ origin, vkey }), [], "it was a stranger when it spoke");
  peers.pop();
  shown.take(heard("one:1", checkpoint));
  assertEquals(shown.of({ origin, vkey }).length, 1);
  peers.pop();
  assertEquals(shown.of({ origin, vkey }), []);
});

Deno.test("shown: a verdict is about one size and one root", async () => {
  const log = grow(await newLog(), 5);
  const [mine, other] = await Promise.all(
    ["a", "b"].map((story) => checkpointOf(grow(log.fork(), 9, story))),
  ) as [VerifiedCheckpoint, VerifiedCheckpoint];
  const name = { origin: log.log.origin, vkey: log.log.vkey.text };
  const shown = newShown(["one:1"]);
  shown.take(heard("one:1", mine));
  shown.take(found("one:1", other, "inconsistent"));
  // A log may sign one root as that of two sizes.
  const twice = { log: mine.log, treeSize: 8n, root: mine.root } as VerifiedCheckpoint;
  shown.take(found("one:1", twice, "inconsistent"));
  assertEquals(shown.of(name).map(({ verdict }) => verdict), ["pending"]);
});

Deno.test("shown: it is bounded; what there is stays up to date", async () => {
  const log = grow(await newLog(), 9);
  const [small, large] = [await checkpointOf(log, 5), await checkpointOf(log, 9)];
  const shown = new Shown({ isPeer: () => true, now: () => AT });
  for (let i = 0; i < MAX_SHOWN + 10; i++) shown.take(heard(`p${i}:1`, small));
  const name = { origin: log.log.origin, vkey: log.log.vkey.text };
  assertEquals(shown.of(name).length, MAX_SHOWN);
  shown.take(heard("p0:1", large));
  assertEquals(shown.of(name)[0]!.size, "9");
});
