import { assert, assertEquals } from "@std/assert";
import { storeSection, type StoreSettings } from "../../src/store/settings.ts";
import { type Fault, parseJsonc } from "../../src/world/jsonc.ts";
import { denoWorld } from "../../src/world/deno.ts";

const URL = "postgres://hearsay@db.invalid,db2.invalid:5433/hearsay";

/** Reads a section. @returns what it says, and the faults found */
function read(text: string): { store: StoreSettings | undefined; faults: readonly string[] } {
  const faults: Fault[] = [];
  const file = { path: "/etc/hearsay/hearsay.jsonc", world: denoWorld(), faults };
  const given = parseJsonc(`{ "store": ${text} }`, file);
  const store = storeSection(given!.inside("store"));
  return { store, faults: faults.map(({ message }) => message) };
}

Deno.test("storeSection: a connection string alone has the defaults", () => {
  assertEquals(read(`"${URL}"`), { store: { url: URL, views: 2, leaseMs: 30_000 }, faults: [] });
  assertEquals(read(`{ "url": "${URL}" }`), read(`"${URL}"`));
});

Deno.test("storeSection: every member that is there is taken", () => {
  const text = `{ "url": "${URL}", "password": "db.password", "ca": "/etc/ca.pem", "views": 2,
    "lease": "1m" }`;
  const files = { password: "/etc/hearsay/db.password", ca: "/etc/ca.pem" };
  assertEquals(read(text), {
    store: { url: URL, ...files, views: 2, leaseMs: 60_000 },
    faults: [],
  });
});

Deno.test("storeSection: each fault is named, and no password is told", () => {
  const object = (more: string): string => `{ "url": "${URL}", ${more} }`;
  const cases: readonly [text: string, fault: string][] = [
    ["7", "the store is 7, expected an object"],
    ["[]", "the store is"],
    ['""', "store is"],
    ["{}", 'the store lacks the member "url"'],
    ['"mysql://a@b/c"', "store: Cannot read the connection string"],
    ['"postgres://me:secret@db.invalid/x"', "it has a password in it"],
    ['{ "url": "postgres://me:secret@db.invalid/x" }', "url: Cannot read"],
    ['"postgres://me@db.invalid/x?sslmode=disable"', "its sslmode is disable"],
    ['"postgres://me@db.invalid/x?sslmode=prefer"', "its sslmode is"],
    ['"postgres://me@db.invalid/x?password=secret"', "it has a password in it"],
    [object('"password": 7'), "password is 7"],
    [object('"ca": ""'), "ca is"],
    [object('"views": 0'), "views is 0, expected a whole number from 1"],
    [object('"views": 17'), "views is 17"],
    [object('"lease": "999ms"'), 'lease is "999ms", expected a duration from 1s to 10m'],
    [object('"lease": "601s"'), 'lease is "601s", expected a duration from 1s to 10m'],
    [object('"slots": 1'), 'the store has no member "slots"; there are: url, password, ca'],
  ];
  for (const [text, fault] of cases) {
    const { faults } = read(text);
    assert(faults.some((told) => told.includes(fault)), `${text}: ${faults.join("; ")}`);
    assert(!faults.join().includes("secret"));
  }
});
