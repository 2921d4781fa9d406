import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  OWN_STATEMENTS_FILE,
  OwnStatements,
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

Deno.test("own statements: a restart begins a larger epoch", async () => {
  const there = machine();
  const before = await start(there).next();
  const after = await start(there).next();
  assert(after.epoch > before.epoch);
});

Deno.test("own statements: a restart with a clock that was set back begins a larger epoch", async () => {
  const there = machine();
  const before = await start(there).next();
  there.clock.ms -= 365 * 86_400_000;
  const after = await start(there).next();
  assertEquals(after.epoch, before.epoch + 1n);
});

Deno.test("own statements: a start after a lost folder begins a larger epoch, within one second even", async () => {
  const used = new Used();
  const clock = new HandClock();
  for (let i = 0; i < 20; i++) await used.take(start({ disk: new MemoryDisk(), clock }), 1);
});

Deno.test("own statements: a restored backup begins a larger epoch, within one second even", async () => {
  const used = new Used();
  const there = machine();
  await used.take(start(there));
  const backup = there.disk.content(PATH)!;
  for (let i = 0; i < 20; i++) {
    await used.take(start(there));
    there.disk.put(PATH, backup);
  }
});

for (
  const [what, damage] of [
    ["empty", () => ""],
    ["cut off", (content: string) => content.slice(0, -20)],
    ["of one digit less", (content: string) => content.replace(/(\d)",/, '",')],
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
    assert((await start(there, told).next()).epoch > after.epoch);
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

for (const when of ["before", "after"] as const) {
  for (const lasting of [false, true]) {
    for (const end of ["crash", "kill", "goes on"] as const) {
      const what = `${lasting ? "that fails with all after it" : "that fails"}, ${when} its effect`;
      Deno.test(`own statements: no number is repeated by a disk operation ${what}, then: ${end}`, async () => {
        for (let at = 1; at <= OPERATIONS + 1; at++) {
          for (const keepShare of [0, 0.5, 1]) {
            const used = new Used();
            const there = machine();
            await used.take(start(there));
            there.disk.fail({ at, when, lasting });
            const own = start(there);
            for (let i = 0; i < 2; i++) {
              try {
                used.add(await own.next());
              } catch (error) {
                assert(error instanceof WorldError);
              }
            }
            there.disk.fail(undefined);
            if (end === "crash") there.disk.crash({ keepShare });
            if (end === "kill") there.disk.kill();
            if (end === "goes on") await used.take(own);
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

Deno.test("own statements: the epoch is durable before its first number is given out", async () => {
  const there = machine();
  const { epoch } = await start(there).next();
  there.disk.crash({ keepShare: 0 });
  assert(there.disk.content(PATH)!.includes(`"epoch":"${epoch}"`));
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
  assert((await start(there).next()).epoch > last, "the file has the epoch that began last");
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

Deno.test("own statements: what a peer heard of this or an earlier process changes nothing", async () => {
  const there = machine();
  const earlier = await start(there).say({ kind: "leave" });
  const own = start(there);
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
