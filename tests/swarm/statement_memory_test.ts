import { assertEquals } from "@std/assert";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { MAX_ROOTS_PER_SIZE } from "../../src/evidence/memory.ts";
import { MAX_EPOCHS } from "../../src/swarm/replay.ts";
import { MAX_NUMBERS_PER_LIST, StatementMemory } from "../../src/swarm/statement_memory.ts";
import type { Signer } from "../../src/world/signer.ts";
import { leave, newMembers, START, statementOf } from "./stage.ts";

const [one, two] = await newMembers(2) as [Signer, Signer];
const MOST = BigInt(MAX_NUMBERS_PER_LIST);

function scene() {
  const memory = new StatementMemory();
  const detector = new EquivocationDetector({ memory });
  /** Has the detector see a statement; gives whether it contradicts another. */
  const sees = async (
    sequence: bigint,
    { by = one, epoch = 1n, tongue = 0, isEvidence = false } = {},
  ): Promise<boolean> => {
    const { checkpoint } = await statementOf(by, { epoch, sequence, body: leave(START + tongue) });
    return detector.takeIn(checkpoint, "a", { isEvidence }).conflict !== undefined;
  };
  return { memory, detector, sees };
}

Deno.test("statement memory: a second tongue is found within the highest numbers, and not below", async () => {
  const { sees } = scene();
  for (let number = 1n; number <= MOST + 1n; number++) await sees(number);
  assertEquals(await sees(2n, { tongue: 1 }), true);
  assertEquals(await sees(MOST + 1n, { tongue: 1 }), true);
  assertEquals(await sees(1n, { tongue: 1 }), false);
  assertEquals(await sees(1n, { tongue: 2 }), false);
});

Deno.test("statement memory: a low number drives out no high one", async () => {
  const { memory, sees } = scene();
  for (let number = 2n; number <= MOST + 1n; number++) await sees(number);
  await sees(1n);
  const { log } = (await statementOf(one)).checkpoint;
  assertEquals([memory.at(log, 1n).length, memory.at(log, 2n).length], [0, 1]);
});

Deno.test("statement memory: the latest epochs of a member are remembered, each by itself", async () => {
  const { sees } = scene();
  assertEquals(MAX_EPOCHS, 2);
  for (const epoch of [5n, 3n, 4n, 3n]) await sees(1n, { epoch });
  const found = [];
  for (const epoch of [5n, 4n, 3n]) found.push(await sees(1n, { epoch, tongue: 1 }));
  assertEquals(found, [true, true, false]);
});

Deno.test("statement memory: members do not hinder one another, and are forgotten when they leave", async () => {
  const { memory, sees } = scene();
  await sees(1n);
  assertEquals(await sees(1n, { by: two, tongue: 1 }), false);
  memory.retain([two.vkey.text]);
  assertEquals(await sees(1n, { tongue: 1 }), false);
  assertEquals(await sees(1n, { by: two }), true);
});

Deno.test("statement memory: evidence makes room for itself", async () => {
  const { memory, sees } = scene();
  for (let number = 2n; number <= MOST + 1n; number++) await sees(number);
  for (const epoch of [2n, 3n]) await sees(1n, { epoch });
  await sees(1n, { epoch: 1n, isEvidence: true });
  const { log } = (await statementOf(one)).checkpoint;
  assertEquals(memory.at(log, 1n).length, 1);
});

Deno.test("statement memory: many tongues under one number take bounded room", async () => {
  const { memory, detector, sees } = scene();
  for (let tongue = 0; tongue < MAX_ROOTS_PER_SIZE + 5; tongue++) await sees(1n, { tongue });
  const { log } = (await statementOf(one)).checkpoint;
  assertEquals(memory.at(log, 1n).length, MAX_ROOTS_PER_SIZE);
  assertEquals(detector.takeConflicts().length, MAX_ROOTS_PER_SIZE - 1);
});
