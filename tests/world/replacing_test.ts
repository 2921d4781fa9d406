import { assertEquals, assertRejects } from "@std/assert";
import { utf8 } from "../../src/tlog/encoding.ts";
import { replaceDurably } from "../../src/world/replacing.ts";
import { WorldError } from "../../src/world/world.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { inFolder, world } from "./helpers.ts";

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
