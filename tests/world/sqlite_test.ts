import { assertEquals, assertThrows } from "@std/assert";
import { denoWorld } from "../../src/world/deno.ts";
import { type Database, WorldError } from "../../src/world/world.ts";

const { databases } = denoWorld();

function withTable(): Database {
  const database = databases.open(":memory:");
  database.exec("CREATE TABLE t(a INTEGER UNIQUE, b TEXT)");
  return database;
}

Deno.test("databases: integers up to 2^63-1 are kept exactly, and read as bigint", () => {
  const database = withTable();
  const values = [0n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)];
  for (const value of values) database.run("INSERT INTO t VALUES(?, ?)", [value, `${value}`]);
  database.run("INSERT INTO t VALUES(?, ?)", [7, null]);
  for (const value of values) {
    assertEquals(database.get("SELECT a FROM t WHERE b = ?", [`${value}`])?.a, value);
  }
  assertEquals({ ...database.get("SELECT a, b FROM t WHERE a = 7") }, { a: 7n, b: null });
  assertEquals(database.all("SELECT a FROM t").length, values.length + 1);
  assertEquals(database.get("SELECT a FROM t WHERE a = 8"), undefined);
  database.close();
  database.close();
});

Deno.test("databases: a transaction happens whole or not at all", () => {
  const database = withTable();
  const count = (): unknown => database.get("SELECT count(*) AS n FROM t")?.n;
  const insert = (a: number): void => database.run("INSERT INTO t VALUES(?, ?)", [a, "x"]);
  assertEquals(database.transaction(() => (insert(1), "given")), "given");
  assertThrows(
    () => database.transaction(() => [2, 3, 1].forEach(insert)),
    WorldError,
    "SQLite: UNIQUE constraint failed",
  );
  assertEquals(count(), 1n);
  database.transaction(() => insert(4));
  assertEquals(count(), 2n);
  database.close();
});

Deno.test("databases: what is no database, and where none can be, is a WorldError", () => {
  const folder = Deno.makeTempDirSync();
  const path = `${folder}/x.sqlite`;
  Deno.writeTextFileSync(path, "no database at all ".repeat(100));
  assertThrows(
    () => {
      const database = databases.open(path);
      try {
        database.exec("CREATE TABLE t(a)");
      } finally {
        database.close();
      }
    },
    WorldError,
    "not a database",
  );
  assertThrows(() => databases.open(`${folder}/none/x.sqlite`), WorldError, "SQLite");
  databases.remove(path);
  databases.remove(path);
  assertEquals([...Deno.readDirSync(folder)], []);
  Deno.removeSync(folder);
});

Deno.test("files: a folder's names are listed; one that is not there is not found", async () => {
  const { files } = denoWorld();
  const folder = Deno.makeTempDirSync();
  Deno.writeTextFileSync(`${folder}/b`, "");
  Deno.mkdirSync(`${folder}/a`);
  assertEquals((await files.list(folder)).sort(), ["a", "b"]);
  Deno.removeSync(folder, { recursive: true });
  let kind: unknown;
  try {
    await files.list(folder);
  } catch (error) {
    kind = (error as WorldError).kind;
  }
  assertEquals(kind, "not found");
});
