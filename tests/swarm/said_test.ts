/** What members said about logs is kept, signed, and within bounds. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Said, SAID_FILE } from "../../src/swarm/said.ts";
import {
  makeStatement,
  Members,
  readStatement,
  type Statement,
} from "../../src/swarm/statement.ts";
import { timeOf } from "../../src/world/time.ts";
import type { Signer } from "../../src/world/signer.ts";
import { FOLDER, newMembers, scene, START } from "./stage.ts";

const [one, two] = await newMembers(2) as [Signer, Signer];
const members = new Members([one.vkey, two.vkey]);
const LOG = "a".repeat(64);
const OTHER = "b".repeat(64);

function saying(signer: Signer, sequence: number, note = `note ${sequence}`): Promise<Statement> {
  const observation = "0".repeat(64);
  const body = { kind: "checkpoint", time: timeOf(START), note, observation } as const;
  return makeStatement({ signer, epoch: 1n, sequence: BigInt(sequence), body });
}

function opened(of: ReturnType<typeof scene>, known = members, told: string[] = []) {
  const { files } = of.world;
  return Said.open({ files, folder: FOLDER, members: known, onDamage: (it) => told.push(it) });
}

Deno.test("said: the last statement of a member about a log is kept over a restart, as it was signed", async () => {
  const stage = scene();
  const said = await opened(stage);
  const last = await saying(one, 2);
  said.keep(await saying(one, 1), LOG);
  said.keep(last, LOG);
  said.keep(await saying(two, 1), OTHER);
  await said.save();
  const again = await opened(stage);
  assertEquals([again.count, again.of(one.vkey.text, OTHER)], [2, undefined]);
  assertEquals(again.of(one.vkey.text, LOG)!.text, last.text);
  assert(!("refused" in readStatement(last.text, members)), "and a stranger can read it");
});

Deno.test("said: who is no member any more is forgotten, now and at the next start", async () => {
  const stage = scene();
  const said = await opened(stage);
  said.keep(await saying(one, 1), LOG);
  said.keep(await saying(two, 1), LOG);
  await said.save();
  assertEquals((await opened(stage, new Members([two.vkey]))).count, 1);
  said.retain([two.vkey.text]);
  assertEquals([said.count, said.of(one.vkey.text, LOG)], [1, undefined]);
});

Deno.test("said: whoever says long things pushes out its own, and not what others said", async () => {
  const stage = scene();
  const said = await opened(stage);
  said.keep(await saying(two, 1), LOG);
  const long = "x".repeat(500_000);
  for (let i = 1; i <= 12; i++) said.keep(await saying(one, i, long), `${i}`.padStart(64, "0"));
  assert(said.count < 8, `${said.count} statements`);
  assert(said.of(two.vkey.text, LOG) !== undefined);
  assert(said.of(one.vkey.text, "12".padStart(64, "0")) !== undefined, "the newest stays");
  await said.save();
  assertEquals((await opened(stage)).count, said.count);
});

Deno.test("said: a damaged file is told, and what a disk refuses is written the next time", async () => {
  const stage = scene();
  const said = await opened(stage);
  said.keep(await saying(one, 1), LOG);
  stage.disk.fail({ at: 1, when: "before", lasting: false });
  let failures = 0;
  for (let i = 0; i < 3; i++) await said.save().catch(() => failures++);
  assertEquals([failures, (await opened(stage)).count], [1, 1]);
  const file = await stage.world.files.open(`${FOLDER}/${SAID_FILE}`, "write");
  await file.write(new TextEncoder().encode("{{"), 0);
  file.close();
  const told: string[] = [];
  assertEquals((await opened(stage, members, told)).count, 0);
  assertStringIncludes(told[0]!, "is damaged");
});
