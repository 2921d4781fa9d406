import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path/join";
import fc from "fast-check";
import { utf8 } from "../../src/tlog/encoding.ts";
import { type Line, READ_CHUNK_BYTES, readFully, readLines } from "../../src/world/reading.ts";
import { type OpenFile, WorldError } from "../../src/world/world.ts";
import { fileOf, inFolder, world } from "./helpers.ts";

async function linesOf(
  bytes: Uint8Array,
  { maxBytes = 1_000, atOnce = Infinity } = {},
): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of readLines(fileOf(bytes, atOnce).file, maxBytes)) lines.push(line);
  return lines;
}

/** What a line must be, given the whole file: found by splitting, without reading in parts. */
function expectedLines(bytes: Uint8Array, maxBytes: number): Line[] {
  const lines: Line[] = [];
  for (let at = 0; at < bytes.length;) {
    const newline = bytes.indexOf(0x0a, at);
    const end = newline < 0 ? bytes.length : newline;
    lines.push({
      number: lines.length + 1,
      at,
      bytes: bytes.slice(at, Math.min(end, at + maxBytes)),
      tooLong: end - at > maxBytes,
      complete: newline >= 0,
    });
    at = end + 1;
  }
  return lines;
}

Deno.test("readLines: an empty file has no lines", async () => {
  assertEquals(await linesOf(new Uint8Array(0)), []);
});

Deno.test("readLines: a newline alone is one empty line", async () => {
  assertEquals(await linesOf(utf8("\n")), [
    { number: 1, at: 0, bytes: new Uint8Array(0), tooLong: false, complete: true },
  ]);
});

Deno.test("readLines: the last line may lack its newline, and says so", async () => {
  assertEquals(await linesOf(utf8("one\ntwo")), [
    { number: 1, at: 0, bytes: utf8("one"), tooLong: false, complete: true },
    { number: 2, at: 4, bytes: utf8("two"), tooLong: false, complete: false },
  ]);
  assertEquals((await linesOf(utf8("one\ntwo\n"))).map(({ complete }) => complete), [true, true]);
});

Deno.test("readLines: carriage returns and NUL bytes are part of the line", async () => {
  const lines = await linesOf(utf8("a\r\n\0b\0\n\r\r\n"));
  assertEquals(lines.map(({ bytes }) => bytes), [utf8("a\r"), utf8("\0b\0"), utf8("\r\r")]);
});

for (const end of ["\n", ""]) {
  const how = end === "" ? "without its newline" : "with its newline";
  Deno.test(`readLines: a line ${how} at the limit is whole, one byte above it is cut`, async () => {
    const [atLimit] = await linesOf(utf8("12345" + end), { maxBytes: 5 });
    assertEquals([atLimit!.bytes, atLimit!.tooLong], [utf8("12345"), false]);
    const [above] = await linesOf(utf8("123456" + end), { maxBytes: 5 });
    assertEquals([above!.bytes, above!.tooLong], [utf8("12345"), true]);
    assertEquals([atLimit!.complete, above!.complete], [end !== "", end !== ""]);
  });
}

Deno.test("readLines: after a line that is too long the next is whole and in its place", async () => {
  const lines = await linesOf(utf8("x".repeat(1_000) + "\nnext\n"), { maxBytes: 10, atOnce: 7 });
  assertEquals(lines[0]!.bytes.length, 10);
  assertEquals(lines[1], {
    number: 2,
    at: 1_001,
    bytes: utf8("next"),
    tooLong: false,
    complete: true,
  });
});

Deno.test("readLines: a line that crosses the border of what is read at a time is whole", async () => {
  for (const before of [-2, -1, 0, 1, 2]) {
    const first = "a".repeat(READ_CHUNK_BYTES + before);
    const bytes = utf8(`${first}\nsecond\n`);
    assertEquals(
      await linesOf(bytes, { maxBytes: 2 * READ_CHUNK_BYTES }),
      expectedLines(bytes, 2 * READ_CHUNK_BYTES),
    );
  }
});

Deno.test("readLines: whatever the bytes and however they come, the lines are the same", async () => {
  const byte = fc.constantFrom(0x0a, 0x0d, 0x00, 0x61, 0xff);
  await fc.assert(
    fc.asyncProperty(
      fc.array(byte, { maxLength: 60 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 20 }),
      async (values, atOnce, maxBytes) => {
        const bytes = Uint8Array.from(values);
        assertEquals(
          await linesOf(bytes, { maxBytes, atOnce }),
          expectedLines(bytes, maxBytes),
        );
      },
    ),
    { seed: 1, numRuns: 500 },
  );
});

Deno.test("readLines: lines given before stay as they were", async () => {
  const lines = await linesOf(utf8("first\nother\nthird\n"), { atOnce: 6 });
  assertEquals(lines.map(({ bytes }) => new TextDecoder().decode(bytes)), [
    "first",
    "other",
    "third",
  ]);
});

Deno.test("readLines: a file that fails to be read fails, after what came before", async () => {
  const broken = new WorldError("other", "Input/output error");
  const { file } = fileOf(utf8("whole\nhalf"), 10);
  const failing: OpenFile = {
    ...file,
    read: (buffer, at) => at === 0 ? file.read(buffer, at) : Promise.reject(broken),
  };
  const seen: string[] = [];
  await assertRejects(
    async () => {
      for await (const { bytes } of readLines(failing, 100)) {
        seen.push(new TextDecoder().decode(bytes));
      }
    },
    WorldError,
    "Input/output error",
  );
  assertEquals(seen, ["whole"]);
});

Deno.test("readLines: a real file on disk", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a");
    const bytes = utf8("first\nsecond\r\n\nlast");
    await Deno.writeFile(path, bytes);
    const file = await world.files.open(path, "read");
    const lines: Line[] = [];
    for await (const line of readLines(file, 100)) lines.push(line);
    file.close();
    assertEquals(lines, expectedLines(bytes, 100));
  }));

Deno.test("readFully: fills the buffer however the bytes come", async () => {
  const bytes = Uint8Array.from({ length: 50 }, (_, i) => i);
  for (const atOnce of [1, 3, 49, 50, 51]) {
    const buffer = new Uint8Array(20);
    assertEquals(await readFully(fileOf(bytes, atOnce).file, buffer, 10), 20);
    assertEquals(buffer, bytes.slice(10, 30));
  }
});

Deno.test("readFully: gives what there is where the file ends first", async () => {
  const { file } = fileOf(utf8("12345"), 2);
  const buffer = new Uint8Array(10);
  assertEquals([await readFully(file, buffer, 1), buffer.subarray(0, 4)], [4, utf8("2345")]);
  assertEquals(await readFully(file, buffer, 5), 0);
  assertEquals(await readFully(file, buffer, 500), 0);
});

Deno.test("readFully: reads no more than it needs", async () => {
  const { file, reads } = fileOf(utf8("12345"));
  await readFully(file, new Uint8Array(5), 0);
  assertEquals(reads(), 1);
  await readFully(file, new Uint8Array(0), 0);
  assertEquals(reads(), 1);
});
