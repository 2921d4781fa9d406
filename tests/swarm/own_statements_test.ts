import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  MAX_FILE_AGE_MS,
  OWN_STATEMENTS_FILE,
  OwnStatements,
  RESERVED_SEQUENCES,
  type StatementNumber,
} from "../../src/swarm/own_statements.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { WorldError } from "../../src/world/world.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { FOLDER, HandClock, leave, newMember, START, statementOf, worldOf } from "./stage.ts";

const signer = await newMember("member.invalid/own");
const PATH = `${FOLDER}/${OWN_STATEMENTS_FILE}`;
const SECONDS = BigInt(START / 1_000);

interface Machine {
  readonly disk: MemoryDisk;
  readonly clock: HandClock;
}

function machine(): Machine {
  return { disk: new MemoryDisk(), clock: new HandClock() };
}

/** A start of the program. */
function start({ disk, clock }: Machine, told: string[] = []): OwnStatements {
  const onDamage = (detail: string): void => void told.push(detail);
  return new OwnStatements({ world: worldOf(disk, clock), folder: FOLDER, signer, onDamage });
}

function spelled({ epoch, sequence }: StatementNumber): string {
  return `${epoch}/${sequence}`;
}

/** Numbers that were given out. One that is repeated fails the test. */
class Used {
  readonly #numbers = new Set<string>();

  add(number: StatementNumber): void {
    const text = spelled(number);
    assert(!this.#numbers.has(text), `${text} was given out twice`);
    this.#numbers.add(text);
  }

  async take(own: OwnStatements, count = 3): Promise<void> {
    for (let i = 0; i < count; i++) this.add(await own.next());
  }
}

Deno.test("own statements: the first start begins with the clock's seconds, and counts from 1", async () => {
  const own = start(machine());
  assertEquals(own.last, undefined);
  assertEquals(await own.next(), { epoch: SECONDS + 1n, sequence: 1n });
  assertEquals(await own.next(), { epoch: SECONDS + 1n, sequence: 2n });
  assertEquals(own.last, { epoch: SECONDS + 1n, sequence: 2n });
});

Deno.test("own statements: no number is given out until the clock has come to the epoch", async () => {
  const { disk, clock } = machine();
  const { epoch } = await start({ disk, clock }).next();
  assert(BigInt(Math.floor(clock.ms / 1_000)) >= epoch);
});

Deno.test("own statements: many who ask at once get many numbers", async () => {
  const used = new Used();
  const own = start(machine());
  for (const number of await Promise.all(Array.from({ length: 50 }, () => own.next()))) {
    used.add(number);
  }
});

Deno.test("own statements: a restart goes on after what was reserved, in the same epoch", async () => {
  const there = machine();
  const { epoch } = await start(there).next();
  assertEquals(await start(there).next(), { epoch, sequence: RESERVED_SEQUENCES + 1n });
  there.clock.ms -= 365 * MAX_FILE_AGE_MS;
  assertEquals(await start(there).next(), { epoch, sequence: 2n * RESERVED_SEQUENCES + 1n });
});

Deno.test("own statements: RESERVED_SEQUENCES are given out for one write", async () => {
  const there = machine();
  const own = start(there);
  await own.next();
  there.disk.fail(undefined);
  for (let i = 1n; i < RESERVED_SEQUENCES; i++) await own.next();
  assertEquals(there.disk.operations, 0);
  assertEquals((await own.next()).sequence, RESERVED_SEQUENCES + 1n);
  assert(there.disk.operations > 0);
  assertEquals((await start(there).next()).sequence, 2n * RESERVED_SEQUENCES + 1n);
});

Deno.test("own statements: a file older than MAX_FILE_AGE_MS begins a larger epoch, a younger one not", async () => {
  const there = machine();
  const { epoch } = await start(there).next();
  const writtenAt = START;
  there.clock.ms = writtenAt + MAX_FILE_AGE_MS;
  const { epoch: same } = await start(there).next();
  assertEquals(same, epoch);
  there.clock.ms += MAX_FILE_AGE_MS + 1;
  const { epoch: larger, sequence } = await start(there).next();
  assert(larger > epoch);
  assertEquals(sequence, 1n);
});

Deno.test("own statements: a start after a lost folder begins a larger epoch, within one second even", async () => {
  const used = new Used();
  const clock = new HandClock();
  for (let i = 0; i < 20; i++) await used.take(start({ disk: new MemoryDisk(), clock }), 1);
});

Deno.test("own statements: a backup of more than a day repeats nothing, before any peer is heard", async () => {
  const used = new Used();
  const there = machine();
  await used.take(start(there));
  const backup = there.disk.content(PATH)!;
  await used.take(start(there), 200);
  there.disk.put(PATH, backup);
  there.clock.ms += MAX_FILE_AGE_MS + 1;
  await used.take(start(there), 200);
});

Deno.test("own statements: a younger backup repeats nothing once a peer is heard", async () => {
  const used = new Used();
  const there = machine();
  await used.take(start(there));
  const backup = there.disk.content(PATH)!;
  const own = start(there);
  await used.take(own, 200);
  const { note } = await own.say({ kind: "leave" });
  for (let i = 0; i < 5; i++) {
    there.disk.put(PATH, backup);
    const restored = start(there);
    assertEquals(await restored.heardByPeers(note), "later");
    await used.take(restored, 200);
  }
});

for (
  const [what, damage] of [
    ["empty", () => ""],
    ["cut off", (content: string) => content.slice(0, -20)],
    ["of one digit less", (content: string) => content.replace(/"reserved":"6/, '"reserved":"')],
    ["of zeros", (content: string) => "\0".repeat(content.length)],
    ["of another version", (content: string) => content.replace("/v1", "/v2")],
    ["too long", () => "x".repeat(5_000_000)],
  ] as const
) {
  Deno.test(`own statements: a file that is ${what} is told, and a larger epoch begins`, async () => {
    const there = machine();
    const before = await start(there).next();
    there.disk.put(PATH, damage(there.disk.content(PATH)!));
    const told: string[] = [];
    const own = start(there, told);
    const after = await own.next();
    assert(after.epoch > before.epoch);
    assertEquals(told.length, 1);
    assert(told[0]!.startsWith("own-statements.json is damaged, a new epoch begins: "), told[0]);
    assertEquals((await start(there, told).next()).epoch, after.epoch);
    assertEquals(told.length, 1);
  });
}

/** How many disk operations a start takes until its first number. */
async function operations(): Promise<number> {
  const { disk, clock } = machine();
  await start({ disk, clock }).next();
  disk.fail(undefined);
  await start({ disk, clock }).next();
  return disk.operations;
}

const OPERATIONS = await operations();
/** How much of what was not synced a crash keeps, and whether the program was started anew. */
const CASES = [0, 0.5, 1].flatMap((share) => [[share, true], [share, false]] as const);

for (const when of ["before", "after"] as const) {
  for (const lasting of [false, true]) {
    for (const end of ["crash", "kill", "goes on"] as const) {
      const what = `${lasting ? "that fails with all after it" : "that fails"}, ${when} its effect`;
      Deno.test(`own statements: no number is repeated by a disk operation ${what}, then: ${end}`, async () => {
        for (let at = 1; at <= OPERATIONS + 1; at++) {
          for (const [keepShare, isRestart] of CASES) {
            const used = new Used();
            const there = machine();
            // The last number of the block that is reserved: the next one needs the disk.
            const own = start(there);
            await used.take(own, Number(RESERVED_SEQUENCES));
            there.disk.fail({ at, when, lasting });
            const next = isRestart ? start(there) : own;
            for (let i = 0; i < 2; i++) {
              try {
                used.add(await next.next());
              } catch (error) {
                assert(error instanceof WorldError);
              }
            }
            there.disk.fail(undefined);
            if (end === "crash") there.disk.crash({ keepShare });
            if (end === "kill") there.disk.kill();
            if (end === "goes on") await used.take(next);
            await used.take(start(there));
            await used.take(start(there));
          }
        }
      });
    }
  }
}

Deno.test("own statements: no number is repeated by a crash after any disk operation, sounder or not", async () => {
  for (let at = 1; at <= OPERATIONS; at++) {
    const used = new Used();
    const there = machine();
    await used.take(start(there));
    // Everything after the operation is refused, and then the power goes.
    there.disk.fail({ at: at + 1, when: "before", lasting: true });
    await start(there).next().then((number) => used.add(number), () => {});
    there.disk.crash({ keepShare: 0.5 });
    await used.take(start(there));
  }
});

Deno.test("own statements: a number is durable before it is given out", async () => {
  const there = machine();
  const { epoch } = await start(there).next();
  there.disk.crash({ keepShare: 0 });
  const content = there.disk.content(PATH)!;
  assert(content.includes(`"epoch":"${epoch}","reserved":"${RESERVED_SEQUENCES}"`), content);
});

Deno.test("own statements: a full disk gives out no number, and the next call tries again", async () => {
  const there = machine();
  const own = start(there);
  there.disk.fail({ at: 1, when: "before", lasting: true });
  await assertRejects(() => own.next(), WorldError);
  await assertRejects(() => own.say({ kind: "leave" }), WorldError);
  there.disk.fail(undefined);
  assertEquals((await own.next()).sequence, 1n);
});

Deno.test("own statements: what is said has the next number, the time, and holds", async () => {
  const there = machine();
  const own = start(there);
  const said = await own.say({ kind: "leave" });
  assertEquals(said.body, leave(there.clock.ms));
  assertEquals({ epoch: said.epoch, sequence: said.sequence }, own.last!);
  assertEquals((await own.say({ kind: "leave" })).sequence, 2n);
});

Deno.test("own statements: what nobody would accept is not said, and its number is not used again", async () => {
  const own = start(machine());
  const long = { kind: "accusation", accused: signer.vkey.text, reason: "a\nb" } as const;
  await assertRejects(() => own.say(long), MalformedError);
  assertEquals((await own.next()).sequence, 2n);
});

Deno.test("own statements: a peer that heard later numbers causes a larger epoch", async () => {
  const there = machine();
  const own = start(there);
  const { epoch } = await own.next();
  for (
    const heard of [
      { epoch, sequence: 2n }, // A copy of this process has said one more.
      { epoch: epoch + 1_000_000n, sequence: 1n },
    ]
  ) {
    const { note } = await statementOf(signer, heard);
    assertEquals(await own.heardByPeers(note), "later");
    assert((await own.next()).epoch > heard.epoch);
    assertEquals(own.last!.sequence, 1n);
    assertEquals(await own.heardByPeers(note), "known");
  }
  const { epoch: last } = own.last!;
  assertEquals(await start(there).next(), { epoch: last, sequence: RESERVED_SEQUENCES + 1n });
});

Deno.test("own statements: a new epoch is larger than the one in an old file that was ahead of the clock", async () => {
  const there = machine();
  const own = start(there);
  const { epoch } = await own.next();
  await own.heardByPeers((await statementOf(signer, { epoch: epoch + 1_000_000n })).note);
  const { epoch: ahead } = await own.next();
  there.clock.ms += MAX_FILE_AGE_MS + 1;
  assertEquals((await start(there).next()).epoch, ahead + 1n);
});

Deno.test("own statements: a restored backup and a clock set back repeat nothing once a peer is heard", async () => {
  const used = new Used();
  const there = machine();
  await used.take(start(there));
  const backup = there.disk.content(PATH)!;
  const own = start(there);
  await used.take(own);
  const { note } = await own.say({ kind: "leave" });
  used.add(own.last!);
  there.disk.put(PATH, backup);
  there.clock.ms = START - 86_400_000;
  const restored = start(there);
  assertEquals(await restored.heardByPeers(note), "later");
  await used.take(restored);
});

Deno.test("own statements: if the disk refuses a new epoch, nothing more is said in the old one", async () => {
  const there = machine();
  const own = start(there);
  const { epoch } = await own.next();
  const { note } = await statementOf(signer, { epoch, sequence: 9n });
  there.disk.fail({ at: 1, when: "before", lasting: true });
  await assertRejects(() => own.heardByPeers(note), WorldError);
  await assertRejects(() => own.next(), WorldError);
  there.disk.fail(undefined);
  assert((await own.next()).epoch > epoch);
});

Deno.test("own statements: a start within the second of the epoch waits for the clock as well", async () => {
  const there = machine();
  await start(there).next();
  // As if the first start was killed while it waited.
  there.clock.ms = START + 100;
  await start(there).next();
  assertEquals(there.clock.ms, START + 1_000);
});

Deno.test("own statements: what a peer heard of this or an earlier process changes nothing", async () => {
  const there = machine();
  const earlier = await start(there).say({ kind: "leave" });
  const own = start(there);
  assertEquals(await own.heardByPeers(earlier.note), "known");
  assertEquals(own.last, undefined);
  const said = await own.say({ kind: "leave" });
  for (const { note } of [earlier, said]) assertEquals(await own.heardByPeers(note), "known");
  assertEquals((await own.next()).epoch, said.epoch);
});

Deno.test("own statements: a liar causes no new epoch", async () => {
  const own = start(machine());
  const { epoch } = await own.next();
  const liar = await newMember(signer.vkey.name);
  const { note } = await statementOf(signer, { epoch: epoch + 5n });
  for (
    const lie of [
      (await statementOf(liar, { epoch: epoch + 5n })).note,
      note.replace(`${epoch + 5n}`, `${epoch + 6n}`),
      note.replace("\n1\n", "\n2\n"),
      "",
      "no note",
    ]
  ) assertEquals(await own.heardByPeers(lie), "not ours");
  assertEquals((await own.next()).epoch, epoch);
});

Deno.test("own statements: a stop ends the wait for the epoch", async () => {
  const { disk, clock } = machine();
  let waits = 0;
  const asleep = { ...worldOf(disk, clock) };
  const own = new OwnStatements({
    ...{ folder: FOLDER, signer },
    world: {
      ...asleep,
      clock: {
        now: () => clock.now(),
        monotonic: () => clock.monotonic(),
        after() {
          waits++;
          queueMicrotask(() => own.close());
          return { cancel: () => void waits-- };
        },
      },
    },
  });
  await assertRejects(() => own.next(), WorldError, "stopping");
  await assertRejects(() => own.next(), WorldError, "stopping");
  assertEquals(waits, 0);
});
