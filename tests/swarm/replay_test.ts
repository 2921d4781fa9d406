import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  HEARD_STATEMENTS_FILE,
  MAX_EPOCHS,
  type Newness,
  REMEMBER_AHEAD_MS,
  Replay,
  REPLAY_WINDOW,
} from "../../src/swarm/replay.ts";
import { Seen } from "../../src/swarm/seen.ts";
import type { Statement } from "../../src/swarm/statement.ts";
import type { Signer } from "../../src/world/signer.ts";
import { WorldError } from "../../src/world/world.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import {
  FOLDER,
  HandClock,
  leave,
  MINUTE,
  newMembers,
  START,
  statementOf,
  worldOf,
} from "./stage.ts";

const SKEW = 10 * MINUTE;
const PATH = `${FOLDER}/${HEARD_STATEMENTS_FILE}`;
const [one, two] = await newMembers(2) as [Signer, Signer];

interface Machine {
  readonly disk: MemoryDisk;
  readonly clock: HandClock;
}

function machine(): Machine {
  return { disk: new MemoryDisk(), clock: new HandClock() };
}

/** A start. Without a cache of hashes only numbers and times decide. */
function open(
  { disk, clock }: Machine,
  { cached = false, told = [] as string[] } = {},
): Promise<Replay> {
  return Replay.open({
    ...{ world: worldOf(disk, clock), folder: FOLDER, maxClockSkewMs: SKEW },
    ...(!cached && { seen: new Seen({ clock, lifeMs: 0 }) }),
    onDamage: (detail) => void told.push(detail),
  });
}

/** A statement of `one`, or of another. */
function say(sequence: bigint, { epoch = 1n, at = START, by = one } = {}): Promise<Statement> {
  return statementOf(by, { epoch, sequence, body: leave(at) });
}

async function results(
  replay: Replay,
  statements: readonly Promise<Statement>[],
): Promise<Newness[]> {
  const told: Newness[] = [];
  for (const statement of statements) told.push(await replay.accept(await statement));
  return told;
}

Deno.test("replay: a statement is new once, and a duplicate while its hash is remembered", async () => {
  const replay = await open(machine(), { cached: true });
  const said = await say(1n);
  assertEquals(await results(replay, [Promise.resolve(said), say(1n)]), ["new", "duplicate"]);
});

Deno.test("replay: other words under a used number are replayed, whatever their hash", async () => {
  const replay = await open(machine(), { cached: true });
  assertEquals(await results(replay, [say(1n), say(1n, { at: START + 1 })]), ["new", "replayed"]);
});

Deno.test("replay: each of many at once is accepted once", async () => {
  const replay = await open(machine());
  const said = await say(1n);
  const told = await Promise.all(Array.from({ length: 5 }, () => replay.accept(said)));
  assertEquals(told, ["new", ...Array(4).fill("replayed")]);
});

Deno.test("replay: numbers, epochs and members do not hinder one another", async () => {
  const replay = await open(machine());
  const statements = [say(1n), say(2n), say(1n, { epoch: 2n }), say(1n, { by: two })];
  assertEquals(await results(replay, statements), ["new", "new", "new", "new"]);
});

Deno.test("replay: REPLAY_WINDOW numbers below the highest may come late, each once, and none below", async () => {
  const replay = await open(machine());
  const highest = 100n;
  const least = highest - REPLAY_WINDOW;
  assertEquals(await results(replay, [say(highest)]), ["new"]);
  for (let sequence = least; sequence < highest; sequence++) {
    assertEquals(await results(replay, [say(sequence), say(sequence)]), ["new", "replayed"]);
  }
  assertEquals(await results(replay, [say(least - 1n), say(highest)]), ["stale", "replayed"]);
});

Deno.test("replay: the window moves as a naive list of numbers says", async () => {
  const replay = await open(machine());
  const taken = new Set<bigint>();
  let highest = 0n;
  let seed = 7;
  for (let i = 0; i < 400; i++) {
    seed = seed * 48_271 % 2_147_483_647;
    const jump = BigInt(seed % 150) - 100n;
    const sequence = highest + jump > 0n ? highest + jump : 1n;
    const wanted: Newness = taken.has(sequence) && sequence >= highest - REPLAY_WINDOW
      ? "replayed"
      : sequence < highest - REPLAY_WINDOW
      ? "stale"
      : "new";
    assertEquals(await results(replay, [say(sequence)]), [wanted], `${sequence} after ${highest}`);
    taken.add(sequence);
    if (sequence > highest) highest = sequence;
  }
});

Deno.test("replay: a time may differ from ours by the skew and no more, both ways", async () => {
  const replay = await open(machine());
  const told = await results(replay, [
    ...[say(1n, { at: START - SKEW }), say(2n, { at: START + SKEW })],
    ...[say(3n, { at: START - SKEW - 1 }), say(4n, { at: START + SKEW + 1 })],
  ]);
  assertEquals(told, ["new", "new", "stale", "from the future"]);
});

Deno.test("replay: MAX_EPOCHS of a member are remembered, and older ones are stale", async () => {
  const replay = await open(machine());
  const epochs = [5n, 3n, 4n, 3n, 6n, 4n, 5n];
  const told = await results(replay, epochs.map((epoch, i) => say(BigInt(i + 1), { epoch })));
  assertEquals(told, ["new", "new", "new", "stale", "new", "stale", "new"]);
  assertEquals(MAX_EPOCHS, 2);
});

Deno.test("replay: the note of the latest statement is kept, for the member itself", async () => {
  const there = machine();
  const replay = await open(there);
  const statements = [await say(2n, { epoch: 2n }), await say(9n), await say(1n, { epoch: 2n })];
  for (const statement of statements) await replay.accept(statement);
  assertEquals(replay.latestNote(one.vkey.text), statements[0]!.note);
  assertEquals(replay.latestNote(two.vkey.text), undefined);
  await replay.close();
  assertEquals((await open(there)).latestNote(one.vkey.text), statements[0]!.note);
});

Deno.test("replay: after a stop in good order every number is remembered, and no more is refused", async () => {
  const there = machine();
  const replay = await open(there);
  await results(replay, [say(1n), say(3n), say(1n, { epoch: 2n })]);
  await replay.close();
  await assertRejects(async () => await replay.accept(await say(4n)), Error, "any more");
  const told = await results(await open(there), [
    ...[say(1n), say(3n), say(1n, { epoch: 2n })],
    ...[say(2n), say(4n), say(2n, { epoch: 2n }), say(1n, { by: two })],
  ]);
  assertEquals(told, ["replayed", "replayed", "replayed", "new", "new", "new", "new"]);
});

Deno.test("replay: after a stop the window holds what it held", async () => {
  const there = machine();
  const replay = await open(there);
  for (let sequence = 1n; sequence <= 200n; sequence++) {
    if (sequence !== 150n) assertEquals(await results(replay, [say(sequence)]), ["new"]);
  }
  await replay.close();
  const told: string[] = [];
  const after = await open(there, { told });
  assertEquals(told, []);
  const again = [say(199n), say(136n), say(150n), say(135n)];
  assertEquals(await results(after, again), ["replayed", "replayed", "new", "stale"]);
});

for (const end of ["crash", "kill"] as const) {
  Deno.test(`replay: after a ${end} no statement passes again, whenever it was accepted`, async () => {
    const there = machine();
    const replay = await open(there);
    const accepted: Statement[] = [];
    for (let i = 0n; i < 40n; i++) {
      // The clock of one is ahead, that of two is behind.
      for (const [by, off] of [[one, 5 * MINUTE], [two, -5 * MINUTE]] as const) {
        const said = await say(i + 1n, { by, at: there.clock.ms + off });
        assertEquals(await replay.accept(said), "new");
        accepted.push(said);
      }
      if (i === 20n) await replay.save();
      there.clock.pass(20_000);
    }
    if (end === "crash") there.disk.crash({ keepShare: 0 });
    else there.disk.kill();
    const after = await open(there);
    for (const said of accepted) {
      assert(await after.accept(said) !== "new", `number ${said.sequence}`);
    }
  });
}

Deno.test("replay: after a crash a member is heard again within REMEMBER_AHEAD_MS", async () => {
  const there = machine();
  await results(await open(there), [say(1n)]);
  there.disk.crash({ keepShare: 0 });
  const after = await open(there);
  const lastLost = START + REMEMBER_AHEAD_MS;
  const told = await results(after, [
    ...[say(2n, { at: lastLost }), say(3n, { at: lastLost + 1 })],
    // Of another nothing was accepted, so nothing is lost.
    say(1n, { by: two }),
  ]);
  assertEquals(told, ["stale", "new", "new"]);
});

Deno.test("replay: what was lost in one crash is lost after the next one, and after a stop", async () => {
  const there = machine();
  await results(await open(there), [say(1n)]);
  there.disk.crash({ keepShare: 0 });
  const second = await open(there);
  await second.save();
  there.disk.crash({ keepShare: 0 });
  const third = await open(there);
  await third.close();
  assertEquals(await results(await open(there), [say(1n)]), ["stale"]);
});

Deno.test("replay: one write serves many statements", async () => {
  const there = machine();
  const replay = await open(there);
  await results(replay, [say(1n), say(1n, { by: two })]);
  there.disk.fail(undefined);
  for (let i = 2n; i < 60n; i++) {
    there.clock.pass(1_000);
    await results(replay, [
      say(i, { at: there.clock.ms }),
      say(i, { by: two, at: there.clock.ms }),
    ]);
  }
  assertEquals(there.disk.operations, 0);
});

Deno.test("replay: a disk that refuses accepts nothing, and the statement is new when it is well", async () => {
  const there = machine();
  const replay = await open(there);
  there.disk.fail({ at: 1, when: "before", lasting: true });
  await assertRejects(() => results(replay, [say(1n)]), WorldError);
  await assertRejects(() => results(replay, [say(1n)]), WorldError);
  there.disk.fail(undefined);
  assertEquals(await results(replay, [say(1n), say(1n)]), ["new", "replayed"]);
});

for (const when of ["before", "after"] as const) {
  for (const lasting of [true, false]) {
    Deno.test(`replay: no replay passes if a disk operation fails ${when} its effect, ${lasting ? "with all later ones" : "alone"}`, async () => {
      for (let at = 1; at <= 14; at++) {
        for (const keepShare of [0, 0.5, 1]) {
          const there = machine();
          const replay = await open(there);
          const accepted = [await say(1n)];
          await replay.accept(accepted[0]!);
          there.clock.pass(2 * MINUTE);
          there.disk.fail({ at, when, lasting });
          for (let sequence = 2n; sequence < 4n; sequence++) {
            const said = await say(sequence, { at: there.clock.ms });
            const told = await replay.accept(said).catch(() => "refused");
            if (told === "new") accepted.push(said);
          }
          await replay.save().catch(() => {});
          there.disk.crash({ keepShare });
          const after = await open(there);
          for (const said of accepted) assert(await after.accept(said) !== "new", `${at}`);
        }
      }
    });
  }
}

for (
  const [what, damage] of [
    ["cut off", (content: string) => content.slice(0, -9)],
    ["changed", (content: string) => content.replace('"highest":"3"', '"highest":"1"')],
    ["of another version", (content: string) => content.replace("/v1", "/v0")],
  ] as const
) {
  Deno.test(`replay: a file that is ${what} is told, and no replay passes`, async () => {
    const there = machine();
    const replay = await open(there);
    const accepted = [await say(3n, { at: START + SKEW }), await say(1n, { by: two })];
    for (const said of accepted) await replay.accept(said);
    await replay.close();
    const content = there.disk.content(PATH)!;
    assert(damage(content) !== content);
    there.disk.put(PATH, damage(content));
    const told: string[] = [];
    const after = await open(there, { told });
    assertEquals(told.length, 1);
    assert(told[0]!.startsWith("heard-statements.json is damaged; "), told[0]);
    for (const said of accepted) assertEquals(await after.accept(said), "stale");
    await after.close();
    const last = await open(there, { told });
    assertEquals(told.length, 1);
    for (const said of accepted) assertEquals(await last.accept(said), "stale");
    there.clock.pass(SKEW + 1);
    assertEquals(await results(last, [say(9n, { at: there.clock.ms })]), ["new"]);
  });
}

Deno.test("replay: those who are members no more are forgotten", async () => {
  const there = machine();
  const replay = await open(there);
  await results(replay, [say(1n), say(1n, { by: two })]);
  replay.retain([two.vkey.text]);
  await replay.close();
  assertEquals(there.disk.content(PATH)!.includes(one.vkey.text), false);
  assertEquals(there.disk.content(PATH)!.includes(two.vkey.text), true);
});
