/** Which files a walk gives, and what it passes over. */
import { assert, assertEquals } from "@std/assert";
import { MAX_DEPTH, type Step, walk } from "../../src/gather/walk.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { type Files, type FolderEntry, WorldError } from "../../src/world/world.ts";
import { inFolder, put } from "../cli/harness.ts";

const { files } = denoWorld();

async function steps(paths: readonly string[], through: Files = files): Promise<Step[]> {
  const all: Step[] = [];
  for await (const step of walk(through, paths)) all.push(step);
  return all;
}

/** A step in short, without the folder before it. */
function brief(step: Step, folder: string): string {
  const what = step.kind === "file"
    ? step.isNamed ? "named" : "file"
    : step.kind === "tiles"
    ? "tiles"
    : step.why;
  return `${what} ${step.path.replace(`${folder}/`, "")}`;
}

inFolder(
  "walk: gives every file once, in the order of names, and what was named",
  async (folder) => {
    Deno.mkdirSync(`${folder}/b/c`, { recursive: true });
    Deno.mkdirSync(`${folder}/empty`);
    for (const name of ["z", "a", "b/2", "b/1", "b/c/x", "b/.hidden"]) put(folder, name, "x");
    const all = (await steps([folder, `${folder}/a`])).map((step) => brief(step, folder));
    assertEquals(all, [
      ...["file a", "file b/.hidden", "file b/1", "file b/2", "file b/c/x", "file z", "named a"],
    ]);
  },
);

inFolder(
  "walk: a link in a folder leads nowhere; a link that was named is followed",
  async (folder) => {
    Deno.mkdirSync(`${folder}/in`);
    Deno.mkdirSync(`${folder}/out`);
    put(folder, "out/secret", "x");
    put(folder, "in/file", "x");
    Deno.symlinkSync("../out", `${folder}/in/folder`);
    Deno.symlinkSync("../out/secret", `${folder}/in/link`);
    Deno.symlinkSync(".", `${folder}/in/loop`);
    Deno.symlinkSync("nowhere", `${folder}/in/dangling`);
    assertEquals((await steps([`${folder}/in`])).map((step) => brief(step, `${folder}/in`)), [
      "symbolic link dangling",
      "file file",
      "symbolic link folder",
      "symbolic link link",
      "symbolic link loop",
    ]);
    const named = await steps([`${folder}/in/folder`, `${folder}/in/link`]);
    assertEquals(named.map((step) => brief(step, `${folder}/in`)), [
      "file folder/secret",
      "named link",
    ]);
  },
);

inFolder("walk: a pipe is passed over and never opened", async (folder) => {
  const made = await new Deno.Command("python3", {
    args: ["-c", "import os, sys; os.mkfifo(sys.argv[1])", `${folder}/pipe`],
  }).output();
  if (!made.success) return;
  put(folder, "file", "x");
  assertEquals((await steps([folder])).map((step) => brief(step, folder)), [
    "file file",
    "special file pipe",
  ]);
});

Deno.test("walk: a folder that cannot be read is told, and the walk goes on", async () => {
  const broken: Files = {
    ...files,
    kindOf: () => Promise.resolve("folder"),
    entries: (path) =>
      path.endsWith("locked")
        ? Promise.reject(new WorldError("not permitted", "permission denied"))
        : Promise.resolve<FolderEntry[]>([
          { name: "locked", kind: "folder" },
          { name: "z", kind: "file" },
        ]),
  };
  assertEquals(await steps(["top"], broken), [
    {
      ...{ kind: "passed over", path: "top/locked", why: "not readable" },
      detail: "permission denied",
    },
    { kind: "file", path: "top/z", isNamed: false },
  ]);
});

/** A tree of folders without end, of which each holds one folder and one file. */
function endless(onEntries: (path: string) => void): Files {
  return {
    ...files,
    kindOf: () => Promise.resolve("folder"),
    entries: (path) => {
      onEntries(path);
      return Promise.resolve([{ name: "d", kind: "folder" }, { name: "f", kind: "file" }]);
    },
  };
}

Deno.test("walk: folders are entered down to the limit and no deeper", async () => {
  let deepest = 0;
  const all = await steps(
    ["top"],
    endless((path) => {
      deepest = Math.max(deepest, path.split("/").length - 1);
    }),
  );
  assertEquals(deepest, MAX_DEPTH);
  assertEquals(all.filter((step) => step.kind === "file").length, MAX_DEPTH + 1);
  assertEquals(all.filter((step) => step.kind === "passed over").map(({ path }) => path.length), [
    "top".length + 2 * (MAX_DEPTH + 1),
  ]);
});

Deno.test("walk: of a million files it asks for one folder after the other", async () => {
  const names = Array.from({ length: 1_000 }, (_, i) => `${i}`);
  let ahead = 0;
  let most = 0;
  const wide: Files = {
    ...files,
    kindOf: () => Promise.resolve("folder"),
    entries: (path) => {
      most = Math.max(most, ++ahead);
      const kind = path === "top" ? "folder" : "file";
      return Promise.resolve(names.map((name) => ({ name, kind })));
    },
  };
  let count = 0;
  for await (const step of walk(wide, ["top"])) {
    assert(step.kind === "file");
    // One folder is done: its names are no longer held.
    if (++count % 1_000 === 0) ahead--;
  }
  assertEquals([count, most], [1_000_000, 2]);
});

inFolder("walk: tiles are not walked, other folders of that name are", async (folder) => {
  for (const path of ["db/tile/8/0", "log/tile/0", "log/tile/entries", "other/tile/0"]) {
    Deno.mkdirSync(`${folder}/${path}`, { recursive: true });
    put(folder, `${path}/000`, "x");
  }
  put(folder, "other/tile/note", "what is no tile is read");
  assertEquals((await steps([folder])).map((step) => brief(step, folder)), [
    "tiles db/tile",
    "tiles log/tile",
    "file other/tile/0/000",
    "file other/tile/note",
  ]);
});
