import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path/join";
import { utf8 } from "../../src/tlog/encoding.ts";
import { readFully } from "../../src/world/reading.ts";
import { type OpenFile, WorldError, type WorldErrorKind } from "../../src/world/world.ts";
import { inFolder, world } from "./helpers.ts";

const { files } = world;

async function assertKind(kind: WorldErrorKind, act: () => Promise<unknown>): Promise<void> {
  assertEquals((await assertRejects(act, WorldError)).kind, kind);
}

async function opened(path: string): Promise<OpenFile & Disposable> {
  const file = await files.create(path, 0o600);
  return { ...file, [Symbol.dispose]: () => file.close() };
}

/** All of a file. */
async function contentOf(path: string): Promise<string> {
  return await Deno.readTextFile(path);
}

Deno.test("files: what is created must not be there, and is not touched if it is", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a");
    const file = await files.create(path, 0o600);
    await file.write(utf8("kept"), 0);
    file.close();
    await assertKind("already exists", () => files.create(path, 0o600));
    assertEquals(await contentOf(path), "kept");
  }));

Deno.test("files: what is created has the permissions asked for", () =>
  inFolder(async (folder) => {
    for (const permissions of [0o600, 0o644]) {
      const path = join(folder, permissions.toString(8));
      (await files.create(path, permissions)).close();
      const { mode } = await Deno.stat(path);
      // The process's umask may take rights away, never add any.
      assertEquals(mode! & 0o777 & ~permissions, 0);
      assertEquals(mode! & 0o700, permissions & 0o700);
    }
  }));

Deno.test("files: a private file is nobody else's", () =>
  inFolder(async (folder) => {
    const path = join(folder, "key");
    (await files.create(path, 0o600)).close();
    assertEquals((await Deno.stat(path)).mode! & 0o777, 0o600);
  }));

Deno.test("files: what is not there is not found", () =>
  inFolder(async (folder) => {
    const path = join(folder, "missing");
    await assertKind("not found", () => files.open(path, "read"));
    await assertKind("not found", () => files.open(path, "write"));
    await assertKind("not found", () => files.create(join(path, "below"), 0o600));
    await assertKind("not found", () => files.remove(path));
    await assertKind("not found", () => files.syncFolder(path));
  }));

Deno.test("files: a file opened for reading cannot be written", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a");
    await Deno.writeTextFile(path, "kept");
    const file = await files.open(path, "read");
    await assertRejects(() => file.write(utf8("lost"), 0), WorldError);
    await assertRejects(() => file.truncate(0), WorldError);
    file.close();
    assertEquals(await contentOf(path), "kept");
  }));

Deno.test("files: bytes go and come where they are told, in whatever order", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a");
    const file = await files.create(path, 0o600);
    await file.write(utf8("world"), 6);
    await file.write(utf8("hello "), 0);
    assertEquals([await file.size(), await contentOf(path)], [11, "hello world"]);
    const buffer = new Uint8Array(5);
    const places = [[6, "world"], [6, "world"], [0, "hello"], [0, "hello"], [3, "lo wo"]] as const;
    for (const [at, text] of places) {
      await readFully(file, buffer, at);
      assertEquals(new TextDecoder().decode(buffer), text);
    }
    // A write where the last read ended, and a read where the last write ended.
    await file.write(utf8("!"), 8);
    assertEquals(await file.read(buffer, 9), 2);
    assertEquals(await contentOf(path), "hello wo!ld");
    assertEquals(await file.read(buffer, 11), 0);
    // Twice in one place.
    for (const text of ["first", "again"]) await file.write(utf8(text), 2);
    assertEquals(await contentOf(path), "heagaino!ld");
    file.close();
  }));

Deno.test("files: reads and writes at once come and go where each is told", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a");
    using file = await opened(path);
    const block = (i: number): Uint8Array => new Uint8Array(64).fill(i);
    for (let i = 0; i < 100; i++) await file.write(block(i), 64 * i);
    const reads = Array.from({ length: 100 }, async (_, i) => {
      const buffer = new Uint8Array(64);
      assertEquals(await readFully(file, buffer, 64 * i), 64);
      assertEquals(buffer, block(i));
    });
    const writes = Array.from({ length: 100 }, (_, i) => file.write(block(i), 64 * (100 + i)));
    await Promise.all([...reads, ...writes]);
    const content = await Deno.readFile(path);
    for (let i = 0; i < 200; i++) {
      assertEquals(content.subarray(64 * i, 64 * (i + 1)), block(i % 100));
    }
  }));

Deno.test("files: a file opened for writing keeps what is in it", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a");
    await Deno.writeTextFile(path, "0123456789");
    const file = await files.open(path, "write");
    await file.write(utf8("ab"), 4);
    file.close();
    assertEquals(await contentOf(path), "0123ab6789");
  }));

Deno.test("files: truncating cuts, and what is written next follows on", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a");
    const file = await files.create(path, 0o600);
    await file.write(utf8("0123456789"), 0);
    await file.truncate(4);
    assertEquals([await file.size(), await contentOf(path)], [4, "0123"]);
    await file.write(utf8("x"), 4);
    await file.sync();
    assertEquals(await contentOf(path), "0123x");
    file.close();
  }));

Deno.test("files: folders are created with those above them, and can be synced", () =>
  inFolder(async (folder) => {
    const deep = join(folder, "a", "b", "c");
    await files.makeFolder(deep);
    await files.makeFolder(deep); // There already, which is what was asked for.
    await files.syncFolder(deep);
    assertEquals((await Deno.stat(deep)).isDirectory, true);
  }));

Deno.test("files: a folder's entries say what they are, and a link is a link", () =>
  inFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "file"), "x");
    await Deno.mkdir(join(folder, "folder"));
    await Deno.symlink("folder", join(folder, "link"));
    const entries = await files.entries(folder);
    assertEquals(entries.map(({ name, kind }) => `${name} ${kind}`).sort(), [
      "file file",
      "folder folder",
      "link link",
    ]);
    assertEquals(await files.kindOf(join(folder, "file")), "file");
    assertEquals(await files.kindOf(join(folder, "link")), "folder");
    assertEquals(await files.kindOf("/dev/null"), "something else");
    await assertKind("not found", () => files.kindOf(join(folder, "nothing")));
    await assertKind("not found", () => files.entries(join(folder, "nothing")));
  }));

Deno.test("files: a short file is read whole, a longer one and what is no file are not", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a");
    for (const length of [0, 1, 99, 100]) {
      await Deno.writeFile(path, new Uint8Array(length).fill(7));
      assertEquals(await files.readShort(path, 100), new Uint8Array(length).fill(7));
    }
    await Deno.writeFile(path, new Uint8Array(101));
    assertEquals(await files.readShort(path, 100), undefined);
    assertEquals(await files.readShort("/dev/null", 100), undefined);
    await assertKind("not found", () => files.readShort(join(folder, "nothing"), 100));
  }));

Deno.test("files: a path is told as it is written from any folder", () => {
  const { absolute } = files;
  assertEquals(absolute("/etc/hearsay/hearsay.jsonc"), "/etc/hearsay/hearsay.jsonc");
  assertEquals(absolute("hearsay.jsonc"), `${Deno.cwd()}/hearsay.jsonc`);
  assertEquals(absolute("./one/../two"), `${Deno.cwd()}/two`);
});

Deno.test("files: what is removed is gone", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a");
    (await files.create(path, 0o600)).close();
    await files.remove(path);
    await assertKind("not found", () => files.open(path, "read"));
  }));

Deno.test("files: an ordinary file is regular, a device is not", () =>
  inFolder(async (folder) => {
    const file = await files.create(join(folder, "a"), 0o600);
    assertEquals(file.isRegular, true);
    file.close();
    const device = await files.open("/dev/null", "read");
    assertEquals([device.isRegular, await device.read(new Uint8Array(1), 0)], [false, 0]);
    device.close();
  }));

Deno.test("files: a closed file is closed", () =>
  inFolder(async (folder) => {
    const file = await files.create(join(folder, "a"), 0o600);
    file.close();
    await assertKind("closed", () => file.read(new Uint8Array(1), 0));
    await assertKind("closed", () => file.write(utf8("a"), 0));
    await assertKind("closed", () => file.sync());
  }));

Deno.test("files: a lock is one handle's, until it is closed", () =>
  inFolder(async (folder) => {
    const path = join(folder, "a");
    const first = await files.create(path, 0o600);
    const second = await files.open(path, "write");
    assertEquals([await first.tryLock(), await second.tryLock()], [true, false]);
    first.close();
    assertEquals(await second.tryLock(), true);
    second.close();
  }));

/** A program that tries to lock a file and says whether it has it. */
const LOCKER = `
const file = await Deno.open(Deno.args[0], { read: true, write: true });
console.log(await file.tryLock(true));
`;

Deno.test("files: a lock keeps other processes out, until it is closed", () =>
  inFolder(async (folder) => {
    const [path, program] = [join(folder, "a"), join(folder, "locker.js")];
    await Deno.writeTextFile(program, LOCKER);
    const other = async (): Promise<string> => {
      const args = ["run", "--no-config", "--no-prompt", "--allow-read", "--allow-write"];
      const command = new Deno.Command("deno", { args: [...args, program, path] });
      const { stdout, stderr } = await command.output();
      return new TextDecoder().decode(stdout).trim() || new TextDecoder().decode(stderr);
    };
    const file = await files.create(path, 0o600);
    assertEquals(await file.tryLock(), true);
    assertEquals(await other(), "false");
    file.close();
    assertEquals(await other(), "true");
  }));
