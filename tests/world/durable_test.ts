import { assertEquals, assertRejects } from "@std/assert";
import { utf8 } from "../../src/tlog/encoding.ts";
import { createDurably, ensureFolder, replaceDurably } from "../../src/world/durable.ts";
import { type Files, WorldError } from "../../src/world/world.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { inFolder, world } from "./helpers.ts";

const PATH = "a/b";

async function create(files: Files, content: string, path = PATH): Promise<void> {
  (await createDurably({ files, path, content: utf8(content), permissions: 0o600 })).close();
}

/** What kept it from being created. */
async function refusal(files: Files, path = PATH): Promise<WorldError> {
  return await assertRejects(() => create(files, "mine", path), WorldError);
}

Deno.test("createDurably: after any fault, restart or loss of power the file is whole or not there", async () => {
  const outcomes = new Set<string | undefined>();
  for (const when of ["before", "after"] as const) {
    for (const keepShare of [undefined, 0, 0.5, 1]) {
      for (let at = 1;; at++) {
        const disk = new MemoryDisk();
        disk.fail({ at, when, lasting: true });
        const failed = await create(disk.files, "new").then(() => false, () => true);
        const operations = disk.operations;
        disk.fail(undefined);
        if (keepShare !== undefined) disk.crash({ keepShare });
        const content = disk.content(PATH);
        outcomes.add(content);
        if (!failed) assertEquals(content, "new");
        // Whatever is left of the attempt is not in the way of the next.
        if (content === undefined) await create(disk.files, "newer");
        else assertEquals((await refusal(disk.files)).kind, "already exists");
        assertEquals(disk.content(PATH), content ?? "newer");
        if (operations < at) break;
      }
    }
  }
  assertEquals(outcomes, new Set([undefined, "new"]));
});

Deno.test("createDurably: what fails once leaves nothing, and a failing clean-up hides no error", async () => {
  for (const removes of [true, false]) {
    for (let at = 1; at < 30; at++) {
      const disk = new MemoryDisk();
      const no = () => Promise.reject(new WorldError("other", "no removing"));
      const files: Files = removes ? disk.files : { ...disk.files, remove: no };
      disk.fail({ at, when: "before", lasting: false });
      const error = await create(files, "new").then(() => undefined, (error) => error);
      if (error === undefined) break;
      assertEquals(error.message, "No space left on device (os error 28)");
      if (removes) assertEquals(disk.paths(), []);
    }
  }
});

Deno.test("createDurably: nothing that is there is overwritten, be it a link to nowhere", () =>
  inFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "");
    Deno.mkdirSync(`${folder}/folder`);
    Deno.symlinkSync(`${folder}/nowhere`, `${folder}/link`);
    for (const name of ["file", "folder", "link"]) {
      Deno.writeTextFileSync(`${folder}/${name}.new`, "somebody else's");
      assertEquals((await refusal(world.files, `${folder}/${name}`)).kind, "already exists");
      assertEquals(Deno.readTextFileSync(`${folder}/${name}.new`), "somebody else's");
    }
    assertEquals(Deno.statSync(`${folder}/file`).size, 0);
    assertEquals(Deno.readLinkSync(`${folder}/link`), `${folder}/nowhere`);
    await refusal(world.files, `${folder}/folder/`);
    assertEquals((await refusal(world.files, `${folder}/none/file`)).kind, "not found");
    assertEquals([...Deno.readDirSync(`${folder}/folder`)], []);
  }));

Deno.test("createDurably: what an earlier attempt left is taken away, permissions are kept to", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a`;
    Deno.writeTextFileSync(`${path}.new`, "half of something much longer", { mode: 0o644 });
    await create(world.files, "new", path);
    assertEquals(Deno.readTextFileSync(path), "new");
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
    assertEquals([...Deno.readDirSync(folder)].length, 1);
  }));

Deno.test("createDurably: who comes while another writes is refused, and the file is the first one's", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a`;
    let refused: WorldError | undefined;
    const files: Files = {
      ...world.files,
      create: async (...args) => {
        const file = await world.files.create(...args);
        const sync = async () => {
          refused = await refusal(world.files, path);
          await file.sync();
        };
        return { ...file, sync };
      },
    };
    await create(files, "first", path);
    assertEquals(refused?.message, `another process is writing ${path}.new`);
    assertEquals(Deno.readTextFileSync(path), "first");
    assertEquals([...Deno.readDirSync(folder)].length, 1);
  }));

Deno.test("createDurably: who waited behind another finds its file, and leaves it", async () => {
  const disk = new MemoryDisk();
  // The other one is done between our first look and our own try.
  let other: Promise<void> | undefined;
  const files: Files = {
    ...disk.files,
    create: async (path, permissions) => {
      await (other ??= create(disk.files, "first"));
      return await disk.files.create(path, permissions);
    },
  };
  assertEquals((await refusal(files)).kind, "already exists");
  assertEquals([disk.paths(), disk.content(PATH)], [[PATH], "first"]);
});

Deno.test("createDurably: the file it gives is held, under its own name", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a`;
    const { files } = world;
    const held = await createDurably({ files, path, content: utf8("x"), permissions: 0o600 });
    const again = await files.open(path, "write");
    assertEquals(await again.tryLock(), false);
    held.close();
    assertEquals(await again.tryLock(), true);
    again.close();
  }));

Deno.test("replaceDurably: after any fault and a loss of power the file is the old or the new", async () => {
  const outcomes = new Set<string>();
  for (const when of ["before", "after"] as const) {
    for (let at = 1;; at++) {
      const disk = new MemoryDisk();
      const replace = (content: string) =>
        replaceDurably({
          files: disk.files,
          path: "a/b",
          content: utf8(content),
          permissions: 0o644,
        });
      await replace("old");
      disk.fail({ at, when, lasting: true });
      const failed = await replace("newer").then(() => false, () => true);
      const operations = disk.operations;
      disk.crash({ keepShare: 0.5 });
      const content = disk.content("a/b")!;
      outcomes.add(content);
      if (!failed) assertEquals(content, "newer");
      // Whatever is left of the attempt is not in the way of the next.
      await replace("newest");
      assertEquals(disk.content("a/b"), "newest");
      if (operations < at) break;
    }
  }
  assertEquals([...outcomes].sort(), ["newer", "old"]);
});

Deno.test("replaceDurably: what an earlier attempt left is taken away, permissions are kept to", () =>
  inFolder(async (folder) => {
    const path = `${folder}/a`;
    Deno.writeTextFileSync(`${path}.new`, "half of something much longer");
    await replaceDurably({ files: world.files, path, content: utf8("new"), permissions: 0o600 });
    assertEquals(Deno.readTextFileSync(path), "new");
    assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
    assertEquals([...Deno.readDirSync(folder)].length, 1);
  }));

Deno.test("files: rename takes the place of a file, and fails where there is none", () =>
  inFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/a`, "a");
    Deno.writeTextFileSync(`${folder}/b`, "b");
    await world.files.rename({ from: `${folder}/a`, to: `${folder}/b` });
    assertEquals(Deno.readTextFileSync(`${folder}/b`), "a");
    const again = () => world.files.rename({ from: `${folder}/a`, to: `${folder}/b` });
    assertEquals((await assertRejects(again, WorldError)).kind, "not found");
  }));

Deno.test("ensureFolder: a folder above that may not be read is no obstacle, one that fails is", async () => {
  const { files } = new MemoryDisk();
  const failing = (kind: "not permitted" | "other"): typeof files => ({
    ...files,
    syncFolder: (path) =>
      path === "/" ? Promise.reject(new WorldError(kind, "/")) : files.syncFolder(path),
  });
  await ensureFolder(failing("not permitted"), "/var/lib/hearsay");
  await assertRejects(() => ensureFolder(failing("other"), "/var/lib/hearsay"), WorldError);
});
