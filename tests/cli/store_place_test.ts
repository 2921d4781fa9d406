/** What lets a monitor into its store: where it is looked for, and what is refused. */
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { passwordFor } from "../../src/cli/pgpass.ts";
import { storePlace, storePlaceNow } from "../../src/cli/store_place.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { parseSharedUrl } from "../../src/world/postgres_url.ts";
import { WorldError } from "../../src/world/world.ts";
import { inFolder, put } from "./harness.ts";

const URL = "postgres://ann@db.example:5433/watch";

/** Writes a file that only its owner may read. */
function secret(folder: string, name: string, text: string, mode = 0o600): string {
  const path = put(folder, name, text);
  Deno.chmodSync(path, mode);
  return path;
}

async function place(
  settings: { password?: string; ca?: string; url?: string },
  variables: Record<string, string> = {},
) {
  return await storePlace(denoWorld(), { url: URL, ...settings }, (name) => variables[name]);
}

Deno.test("pgpass: the first line that fits has the password", () => {
  const of = (...lines: string[]) => passwordFor(parseSharedUrl(URL), lines.join("\n"));
  assertEquals(of("db.example:5433:watch:ann:one", "*:*:*:*:two"), "one");
  assertEquals(of("*:*:*:*:two", "db.example:5433:watch:ann:one"), "two");
  assertEquals(of("# db.example:5433:watch:ann:no", "db.example:*:watch:ann:a:b"), "a:b");
  assertEquals(of("*:*:*:*:a\\:b\\\\c"), "a:b\\c");
  for (
    const other of ["db2.example:5433:watch:ann", "*:5432:*:*", "*:*:other:*", "*:*:*:bob", "*:*:*"]
  ) {
    assertEquals(of(`${other}:no`), undefined, other);
  }
  assertEquals(
    passwordFor(parseSharedUrl("postgres://a%3Ab@h/d".replace("%3A", "%5C")), "h:*:d:a\\\\b:x"),
    "x",
  );
});

Deno.test("pgpass: a socket is its folder, or localhost", () => {
  const url = parseSharedUrl("postgres://ann@/watch?host=/run/pg");
  assertEquals(passwordFor(url, "/run/pg:5432:watch:ann:one"), "one");
  assertEquals(passwordFor(url, "localhost:5432:watch:ann:two"), "two");
  assertEquals(passwordFor(url, "/run:5432:watch:ann:no"), undefined);
});

Deno.test("pgpass: servers of one store with two passwords are refused, and neither is told", () => {
  const url = parseSharedUrl("postgres://ann@one,two/watch");
  for (const text of ["one:*:*:*:first\ntwo:*:*:*:second", "one:*:*:*:first"]) {
    const error = assertThrows(() => passwordFor(url, text), MalformedError);
    assertEquals(/first|second/.test(error.message), false, error.message);
  }
  assertEquals(passwordFor(url, "*:*:*:*:same"), "same");
});

inFolder(
  "store place: the file of the configuration, then the credential, then PGPASSFILE, then ~/.pgpass",
  async (folder) => {
    const password = secret(folder, "password", "of the file\n");
    secret(folder, "hearsay-store", "of systemd");
    const named = secret(folder, "named", "*:*:*:*:of PGPASSFILE");
    secret(folder, ".pgpass", "*:*:*:*:of the home");
    const all = { CREDENTIALS_DIRECTORY: folder, PGPASSFILE: named, HOME: folder };
    assertEquals((await place({ password }, all)).password, "of the file");
    assertEquals((await place({}, all)).password, "of systemd");
    const { CREDENTIALS_DIRECTORY: _, ...without } = all;
    assertEquals((await place({}, without)).password, "of PGPASSFILE");
    assertEquals((await place({}, { HOME: folder })).password, "of the home");
    assertEquals(await place({}, {}), { url: URL });
    assertEquals(
      await place({}, { HOME: `${folder}/none`, CREDENTIALS_DIRECTORY: `${folder}/none` }),
      {
        url: URL,
      },
    );
  },
);

inFolder(
  "store place: a file that others may read is refused, and one that has nothing",
  async (folder) => {
    const refused = async (settings: { password?: string; ca?: string }, home?: string) => {
      const error = await assertRejects(
        () => place(settings, home === undefined ? {} : { PGPASSFILE: home }),
        MalformedError,
      );
      assertEquals(error.message.includes("hush"), false, error.message);
      return error.message;
    };
    const open = secret(folder, "open", "hush\n", 0o644);
    assertStringIncludes(await refused({ password: open }), "(mode 0644)");
    const pgpass = secret(folder, "pgpass", "*:*:*:*:hush\n", 0o640);
    assertStringIncludes(await refused({}, pgpass), "(mode 0640)");
    Deno.chmodSync(pgpass, 0o600);
    assertEquals((await place({}, { PGPASSFILE: pgpass })).password, "hush");
    assertStringIncludes(
      await refused({ password: secret(folder, "empty", "\nhush") }),
      "is empty",
    );
    assertStringIncludes(await refused({ password: secret(folder, "nul", "hu\0sh") }), "a NUL");
    assertStringIncludes(await refused({ ca: secret(folder, "ca", "hush") }), "expected PEM");
    const latin = put(folder, "latin", new Uint8Array([0x68, 0xff, 0x0a]));
    Deno.chmodSync(latin, 0o600);
    assertStringIncludes(await refused({ password: latin }), "expected UTF-8");
  },
);

inFolder("store place: a daemon that runs hears of a bad file as of an outage", async (folder) => {
  const settings = { url: URL, password: `${folder}/none`, views: 1, leaseMs: 30_000 };
  const error = await assertRejects(() => storePlaceNow(denoWorld(), settings), WorldError);
  assertStringIncludes(error.message, "there is no file");
  Deno.writeTextFileSync(`${folder}/none`, "now\n", { mode: 0o600 });
  assertEquals((await storePlaceNow(denoWorld(), settings)).password, "now");
});
