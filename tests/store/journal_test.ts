import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { DurabilityLost } from "../../src/world/durable.ts";
import { type Entry, entryHash, FIRST_PREV_HASH, parseEntry } from "../../src/evidence/entry.ts";
import { Journal, JournalDamaged, JournalLocked } from "../../src/store/journal.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { WorldError } from "../../src/world/world.ts";
import { type Fault, MemoryDisk } from "./memory_disk.ts";

const FOLDER = "home/journal";
const FILE = `${FOLDER}/journal.jsonl`;
const AT = "2026-01-02T03:04:05Z";

/** Opens the journal and gives what is in it. */
async function reopen(disk: MemoryDisk): Promise<{ journal: Journal; entries: Entry[] }> {
  const entries: Entry[] = [];
  const onEntry = (entry: Entry): void => void entries.push(entry);
  return { journal: await Journal.open({ files: disk.files, folder: FOLDER, onEntry }), entries };
}

async function filled(count: number): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const { journal } = await reopen(disk);
  for (let i = 0; i < count; i++) await journal.append({ n: `${i}` }, AT);
  await journal.close();
  return disk;
}

function numbers(entries: readonly Entry[]): string[] {
  return entries.map(({ record }) => record.n as string);
}

Deno.test("journal: entries are chained, in canonical JSON, and read back", async () => {
  const disk = await filled(3);
  const lines = disk.content(FILE)!.split("\n");
  assertEquals(lines.pop(), "");
  const entries = lines.map(parseEntry);
  assertEquals(entries.map(({ seq }) => seq), [1, 2, 3]);
  assertEquals(entries.map(({ prev_hash }) => prev_hash), [
    FIRST_PREV_HASH,
    entries[0]!.hash,
    entries[1]!.hash,
  ]);
  assertEquals(entryHash(entries[2]!), entries[2]!.hash);
  assertEquals(
    lines[0],
    `{"hash":"${entries[0]!.hash}","prev_hash":"${FIRST_PREV_HASH}","record":{"n":"0"},` +
      `"recorded_at":"${AT}","seq":1}`,
  );
  const { journal, entries: read } = await reopen(disk);
  assertEquals(read, entries);
  assertEquals((await journal.append({ n: "3" }, AT)).prev_hash, entries[2]!.hash);
  await journal.close();
});

Deno.test("journal: appends asked for at once are written one after the other", async () => {
  const disk = new MemoryDisk();
  const { journal } = await reopen(disk);
  await Promise.all(Array.from({ length: 20 }, (_, i) => journal.append({ n: `${i}` }, AT)));
  await journal.close();
  const { journal: again, entries } = await reopen(disk);
  assertEquals(numbers(entries), Array.from({ length: 20 }, (_, i) => `${i}`));
  await again.close();
});

Deno.test("journal: a second writer is refused, in this process and on a real disk", async () => {
  const disk = await filled(1);
  const { journal } = await reopen(disk);
  await assertRejects(() => reopen(disk), JournalLocked, "another process");
  await journal.close();
  await (await reopen(disk)).journal.close();

  const folder = Deno.makeTempDirSync();
  const { files } = denoWorld();
  const first = await Journal.open({ files, folder });
  await assertRejects(() => Journal.open({ files, folder }), JournalLocked, "another process");
  await first.close();
  await (await Journal.open({ files, folder })).close();
  Deno.removeSync(folder, { recursive: true });
});

for (const tail of ['{"hash":"12', "\0\0\0\0", "x", '{"a":1}']) {
  Deno.test(`journal: a torn last line ${JSON.stringify(tail)} is set aside, not lost and not read`, async () => {
    const disk = await filled(2);
    const whole = disk.content(FILE)!;
    disk.put(FILE, whole + tail);
    const { journal, entries } = await reopen(disk);
    assertEquals(numbers(entries), ["0", "1"]);
    assertEquals(disk.content(FILE), whole);
    assertEquals(disk.content(journal.tornFile!), tail);
    await journal.append({ n: "2" }, AT);
    await journal.close();
    const { journal: again, entries: after } = await reopen(disk);
    assertEquals(numbers(after), ["0", "1", "2"]);
    assertEquals(again.tornFile, undefined);
    await again.close();
  });
}

Deno.test("journal: a whole last line without its newline was never acknowledged, and is set aside", async () => {
  const disk = await filled(2);
  const whole = disk.content(FILE)!;
  disk.put(FILE, whole.slice(0, -1));
  const { journal, entries } = await reopen(disk);
  assertEquals(numbers(entries), ["0"]);
  assertEquals(disk.content(journal.tornFile!), whole.split("\n")[1]);
  await journal.close();
});

Deno.test("journal: any byte changed anywhere stops it with the line number", async () => {
  const disk = await filled(3);
  const whole = disk.content(FILE)!;
  for (let at = 0; at < whole.length - 1; at++) {
    const byte = whole[at] === "0" ? "1" : "0";
    disk.put(FILE, whole.slice(0, at) + byte + whole.slice(at + 1));
    const line = whole.slice(0, at).split("\n").length;
    const error = await assertRejects(() => reopen(disk), JournalDamaged);
    assertStringIncludes(error.message, `line ${line} is damaged`);
  }
});

Deno.test("journal: lines dropped, put in, exchanged, repeated or blank stop it", async () => {
  const disk = await filled(3);
  const [a, b, c] = disk.content(FILE)!.split("\n") as [string, string, string];
  const other = (await filled(1)).content(FILE)!.trimEnd().replace('"0"', '"9"');
  const cases: [string[], number][] = [
    [[b, c], 1],
    [[a, c], 2],
    [[a, c, b], 2],
    [[a, a, b], 2],
    [[a, "", b], 2],
    [[other, b, c], 1],
    [[a, b, c, " "], 4],
    [[` ${a}`, b, c], 1],
  ];
  for (const [lines, line] of cases) {
    disk.put(FILE, lines.join("\n") + "\n");
    const error = await assertRejects(() => reopen(disk), JournalDamaged);
    assertStringIncludes(error.message, `${FILE} line ${line} is damaged`);
  }
});

Deno.test("journal: for every failing operation nothing acknowledged is lost and nothing is half written", async () => {
  let failures = 0;
  for (const when of ["before", "after"] as const) {
    for (const lasting of [false, true]) {
      for (let at = 1;; at++) {
        const fault: Fault = { at, when, lasting };
        const hit = await surviveFault(fault);
        if (!hit) break;
        failures++;
      }
    }
  }
  // Open, create, lock, size, read and the appends: well over ten operations, each failed four ways.
  assert(failures > 40, `only ${failures} faults were tried`);
});

/** Writes entries while one operation fails, loses power, and checks; false if nothing failed. */
async function surviveFault(fault: Fault): Promise<boolean> {
  const disk = new MemoryDisk();
  const acknowledged: string[] = [];
  disk.fail(fault);
  let journal: Journal | undefined;
  try {
    journal = (await reopen(disk)).journal;
  } catch (error) {
    assert(error instanceof WorldError, `${error}`);
  }
  for (let n = 0; n < 4 && journal !== undefined; n++) {
    try {
      await journal.append({ n: `${n}` }, AT);
      acknowledged.push(`${n}`);
    } catch (error) {
      assert(error instanceof WorldError || error instanceof DurabilityLost, `${error}`);
    }
  }
  await journal?.close();
  const hit = disk.operations >= fault.at;
  disk.crash({ keepShare: 0.5 });
  const { journal: after, entries } = await reopen(disk);
  // An append that failed after its effect may be there; one that was acknowledged must be.
  const kept = numbers(entries);
  assertEquals(acknowledged.filter((n) => !kept.includes(n)), [], JSON.stringify(fault));
  await after.append({ n: "later" }, AT);
  await after.close();
  const { journal: last, entries: all } = await reopen(disk);
  assertEquals(numbers(all), [...kept, "later"]);
  await last.close();
  return hit;
}

Deno.test("journal: a full disk refuses an entry, and the next one fits again", async () => {
  const disk = await filled(1);
  const { journal } = await reopen(disk);
  disk.fail({ at: 1, when: "before", lasting: false });
  await assertRejects(() => journal.append({ n: "x" }, AT), WorldError, "No space left");
  await journal.append({ n: "1" }, AT);
  await journal.close();
  const { journal: again, entries } = await reopen(disk);
  assertEquals(numbers(entries), ["0", "1"]);
  await again.close();
});

Deno.test("journal: when half a line cannot be taken back, nothing more is written until a restart", async () => {
  const disk = await filled(1);
  const { journal } = await reopen(disk);
  disk.fail({ at: 1, when: "before", lasting: true });
  await assertRejects(
    () => journal.append({ n: "x" }, AT),
    DurabilityLost,
    "cutting the file back",
  );
  disk.fail(undefined);
  await assertRejects(() => journal.append({ n: "y" }, AT), DurabilityLost, "any more");
  await journal.close();
  const { journal: again, entries } = await reopen(disk);
  assertEquals(numbers(entries), ["0"]);
  assert(again.tornFile !== undefined, "the half line was set aside");
  await again.close();
});

Deno.test("journal: a crash while a torn line is set aside leaves it there once more", async () => {
  for (const when of ["before", "after"] as const) {
    for (let at = 1;; at++) {
      const disk = await filled(2);
      disk.put(FILE, disk.content(FILE)! + "torn");
      disk.fail({ at, when, lasting: true });
      const opened = await reopen(disk).catch((error) => assert(error instanceof WorldError));
      await opened?.journal.close();
      const hit = disk.operations >= at;
      disk.crash({ keepShare: 1 });
      const { journal, entries } = await reopen(disk);
      assertEquals(numbers(entries), ["0", "1"]);
      await journal.close();
      const aside = disk.paths().filter((path) => path.includes("torn"));
      assertEquals(aside.map((path) => disk.content(path)), ["torn"]);
      if (!hit) break;
    }
  }
});

Deno.test("journal: half a copy of a torn line, left by a crash, is written whole", async () => {
  const disk = await filled(2);
  disk.put(FILE, disk.content(FILE)! + "torn");
  const { journal } = await reopen(disk);
  const aside = journal.tornFile!;
  await journal.close();
  disk.put(FILE, disk.content(FILE)! + "torn");
  for (const half of ["to", "", "torn and more"]) {
    disk.put(aside, half);
    disk.put(FILE, disk.content(FILE)!.replace(/torn$/, "") + "torn");
    const again = await reopen(disk);
    assertEquals([again.journal.tornFile, disk.content(aside)], [aside, "torn"]);
    await again.journal.close();
  }
});

Deno.test("journal: an entry that was written and not synced is synced before it is told as known", async () => {
  const disk = await filled(1);
  const { journal } = await reopen(disk);
  disk.fail({ at: 2, when: "before", lasting: true });
  await assertRejects(() => journal.append({ n: "1" }, AT), DurabilityLost);
  await journal.close();
  disk.fail(undefined);
  const { journal: again, entries } = await reopen(disk);
  assertEquals(numbers(entries), ["0", "1"]);
  await again.close();
  disk.crash({ keepShare: 0 });
  assertEquals(numbers((await reopen(disk)).entries), ["0", "1"]);
});

Deno.test("journal: a file whose making was cut short is durable before it is written to", async () => {
  const disk = new MemoryDisk();
  // Open, make the folder, sync its own, create, write and sync work; syncing the folder does not.
  disk.fail({ at: 7, when: "before", lasting: true });
  await assertRejects(() => reopen(disk), WorldError);
  disk.fail(undefined);
  assertEquals(disk.content(FILE), "");
  const { journal } = await reopen(disk);
  await journal.append({ n: "0" }, AT);
  await journal.close();
  disk.crash({ keepShare: 0 });
  assertEquals(numbers((await reopen(disk)).entries), ["0"]);
});

for (
  const [what, line] of [
    ["a number no JSON can spell", '{"a":1e999}'],
    ["nesting without end", "[".repeat(100_000)],
    ["a member twice", '{"hash":"x","hash":"x"}'],
  ]
) {
  Deno.test(`journal: a line with ${what} is damage, and nothing worse`, async () => {
    const disk = new MemoryDisk();
    disk.put(FILE, line + "\n");
    await assertRejects(() => reopen(disk), JournalDamaged, "line 1 is damaged");
  });
}
