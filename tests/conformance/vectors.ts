/**
 * Where the real vectors are: in a folder beside the project, of which nothing is copied into it
 * (its PROVENANCE.md says whose each file is). A checkout without that folder has nothing to hold
 * the program against, so the tests are skipped there, and say so.
 */
import { assertEquals } from "@std/assert";

const FOLDER = new URL("../../../shared/vectors/", import.meta.url);
const absent = isAbsent();

/** Only a missing folder may skip a test: one that cannot be read is a failure. */
function isAbsent(): boolean {
  try {
    return !Deno.statSync(FOLDER).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

/** Registers a test that reads vectors; without their folder, one that is skipped by name. */
export function vectorTest(name: string, fn: () => void | Promise<void>): void {
  Deno.test({
    name: absent ? `${name} (skipped: ../shared/vectors is not here)` : name,
    ignore: absent,
    fn,
  });
}

/**
 * Runs `check`, which throws on a fault, on every case. Fails naming each case at fault, and unless
 * exactly `count` cases ran: a test that lost its vectors must not pass by running nothing.
 */
export async function everyCase<T>(
  { cases, count, name, check }: {
    cases: Iterable<T>;
    count: number;
    name: (one: T) => string;
    check: (one: T) => void | Promise<void>;
  },
): Promise<void> {
  const faults: string[] = [];
  let ran = 0;
  for (const one of cases) {
    ran++;
    try {
      await check(one);
    } catch (error) {
      faults.push(`${name(one)}: ${error instanceof Error ? error.message : error}`);
    }
  }
  assertEquals(faults, []);
  assertEquals(ran, count, `${ran} cases ran, expected ${count}`);
}

/** Where a vector file or folder is. */
export function vectorPath(path: string): string {
  return new URL(path, FOLDER).pathname;
}

/** The bytes of a vector file. */
export function readBytes(path: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(path, FOLDER));
}

/** The text of a vector file. */
export function readText(path: string): string {
  return Deno.readTextFileSync(new URL(path, FOLDER));
}

/** A JSON vector file; T is what its PROVENANCE says it holds. */
export function readJson<T>(path: string): T {
  return JSON.parse(readText(path)) as T;
}

/** A vector file with one JSON value a line. */
export function readJsonLines<T>(path: string): T[] {
  return readText(path).trimEnd().split("\n").map((line) => JSON.parse(line) as T);
}

/** The names in a vector folder, sorted. */
export function listFolder(path: string): string[] {
  return [...Deno.readDirSync(new URL(path, FOLDER))].map(({ name }) => name).sort();
}

/** The paths of all files below a vector folder. */
export function listTree(path: string): string[] {
  return [...Deno.readDirSync(new URL(`${path}/`, FOLDER))].flatMap(({ name, isDirectory }) =>
    isDirectory ? listTree(`${path}/${name}`) : [`${path}/${name}`]
  );
}

/** Lowercase hex, in which a Buffer and a Uint8Array of the same bytes are equal. */
export function hex(bytes: Uint8Array): string {
  return Uint8Array.from(bytes).toHex();
}

/** The bytes of a hex text. */
export function unhex(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromHex(text);
}

/** The bytes of a base64 text. */
export function unbase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(text);
}

/** A copy with one bit changed, in the byte `at` (taken modulo the length). */
export function flipped(bytes: Uint8Array, at: number): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  const index = at % copy.length;
  copy[index]! ^= 1 << (at % 8);
  return copy;
}
