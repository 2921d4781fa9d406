/** What did not hold is kept under its hash, and nothing else is taken for it. */
import { assertEquals, assertRejects } from "@std/assert";
import {
  FAILED_FOLDER,
  keepFailed,
  MAX_FAILED_BYTES,
  readFailed,
  whyNaming,
} from "../../src/monitor/failed_answers.ts";
import { MAX_WHY_CHARACTERS } from "../../src/evidence/transition.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { MemoryDisk } from "../store/memory_disk.ts";

const NOTE = "log.example\n1\nAAAA\n\n— log.example AAAA\n";
const cause = "signature failure";

async function kept(content: string) {
  const disk = new MemoryDisk();
  const place = { files: disk.files, state: "state" };
  await keepFailed(place, content);
  disk.crash({ keepShare: 0 });
  return { disk, place };
}

Deno.test("failed answers: what is kept is read again, byte for byte, by the reason that names it", async () => {
  const { place } = await kept(NOTE);
  const why = whyNaming("it was not signed", NOTE);
  assertEquals(await readFailed(place, { why, cause }), { kind: "note", content: NOTE });
  assertEquals(await readFailed(place, { why: "it was not signed", cause }), undefined);
  // A reason in which somebody else names a hash names none.
  assertEquals(await readFailed(place, { why: `${why} again`, cause }), undefined);
});

Deno.test("failed answers: what is gone or altered is told, and not used", async () => {
  const { place } = await kept(NOTE);
  const other = whyNaming("x", "another note");
  await assertRejects(() => readFailed(place, { why: other, cause }), MalformedError, "not there");
  const why = whyNaming("x", NOTE);
  const [, hash] = /([0-9a-f]{64})\)$/.exec(why)!;
  const file = await place.files.open(`state/${FAILED_FOLDER}/${hash}`, "write");
  await file.write(new Uint8Array([10]), await file.size());
  file.close();
  await assertRejects(
    () => readFailed(place, { why, cause }),
    MalformedError,
    "is not what was kept",
  );
  await keepFailed(place, "{}\n");
  await assertRejects(
    () => readFailed(place, { why: whyNaming("x", "{}\n"), cause: "consistency failure" }),
    MalformedError,
    "consistency is missing",
  );
});

Deno.test("failed answers: a reason fits a step, however long it is", () => {
  assertEquals([...whyNaming("é".repeat(2_000), NOTE)].length, MAX_WHY_CHARACTERS);
});

Deno.test("failed answers: what is too long is not kept", async () => {
  for (const [more, isKept] of [[0, true], [1, false]] as const) {
    const content = "x".repeat(MAX_FAILED_BYTES + more);
    const { place } = await kept(content);
    const reading = readFailed(place, { why: whyNaming("x", content), cause });
    if (isKept) assertEquals((await reading)?.content.length, content.length);
    else await assertRejects(() => reading, MalformedError, "not there");
  }
});
