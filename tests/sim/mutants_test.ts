/** For each property, a planted bug breaks it and the simulator finds the bug. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { PROPERTIES, type Property } from "./properties.ts";
import { WITNESS_PROPERTIES } from "./witnesses/properties.ts";
import { type Mutant, MUTANTS, mutate, runMutants } from "./mutants.ts";

/** For each property, one mutant that is found soon. `deno task sim --mutants` hunts for all. */
const SOON: Readonly<Record<Property, string>> = {
  "no false accusation": "a proof that leads to no signed root convicts all the same",
  "evidence holds": "a record is signed before it is complete",
  "one entry a case": "the journal does not remember what cases it has",
  "nothing acknowledged is lost": "an entry is not synced",
  "no view rolls back": "a start takes the smallest view ever proven",
  "chains check": "an append that failed leaves a gap",
  "both know in time": "what peers were shown is not compared with the view",
  "views catch up in time": "a look waits until all that strangers told is written",
  "evidence spreads in time": "a parcel is answered without evidence",
  "mirrors follow in time": "a mirror that failed three times never comes back",
  "members meet in time": "the room never counts down",
  "no honest member is put out":
    "own statements are numbered from 1 in the same list after each start",
  "two tongues are recorded": "statements under one number are not compared",
  "alerts arrive": "an alert that a channel did not take is taken from the queue",
  "exchanges end": "who is called has no limit in time",
  "Retry-After is kept": "a log that asks to wait is asked all the same",
  "bounded": "the limits of an exchange that has ended stay due",
  "trouble is told": "trouble is told each time that it comes up",
  "sites share what they saw": "what other sites saw is not heard",
  "one holder at a time": "a fence does not rise",
  "no log is left alone": "a turn is enough, whether or not its site looks",
  "the store's faults are its own": "a site that knows more takes what another was shown before",
  "no fault of its own": "a connection that cannot be accepted ends the program",
};

Deno.test("mutants: each property has one that breaks it, and each still fits the source", async () => {
  const all: readonly string[] = [...PROPERTIES, ...WITNESS_PROPERTIES];
  assertEquals(new Set<string>(MUTANTS.map(({ breaks }) => breaks)), new Set(all));
  for (const mutant of MUTANTS) {
    for (const change of [mutant, ...mutant.and ?? []]) {
      const source = await Deno.readTextFile(new URL(`../../${change.file}`, import.meta.url));
      assert(mutate(source, { ...change, name: mutant.name }) !== source, mutant.name);
    }
    if (mutant.test === undefined) continue;
    const { file, name } = mutant.test;
    const tests = await withImports(new URL(`../${file}`, import.meta.url));
    // The topology's name is put together of pieces, in a file that two tests share.
    const piece = name.split(", ").at(-1)!;
    assert(tests.includes(piece), `${mutant.name}: no test of tests/${file} is called ${name}`);
  }
});

/** A file, and what it imports from beside it, and what that imports. */
async function withImports(file: URL, seen = new Set<string>()): Promise<string> {
  if (seen.has(file.href)) return "";
  seen.add(file.href);
  const text = await Deno.readTextFile(file);
  const beside = [...text.matchAll(/ from "(\.\/[^"]+)";/g)];
  const texts = await Promise.all(
    beside.map(([, path]) => withImports(new URL(path!, file), seen)),
  );
  return [text, ...texts].join("\n");
}

Deno.test("mutants: one whose place is gone, or there twice, is told and not passed over", () => {
  const mutant: Mutant = { ...MUTANTS[0]!, find: "x", replace: "y" };
  assertThrows(() => mutate("none", { ...mutant, find: "z" }), Error, "0 times, expected once");
  assertThrows(() => mutate("x and x", mutant), Error, "2 times, expected once");
  assertEquals(mutate("an x", mutant), "an y");
});

/** For some properties of witnesses, one mutant that is found soon. */
const SOON_OF_WITNESSES: readonly string[] = [
  ...["a witness forgets at a restart", "equal size with another root is taken for success"],
  ...["the policy check names one liar too many", "lines are counted, and not witnesses"],
];

/** Those that take longer than some seconds. `.ci/run` hunts for them, as for all others. */
const NOT_HERE: readonly Property[] = [
  ...["chains check", "both know in time", "views catch up in time"] as const,
  ...["evidence spreads in time", "two tongues are recorded", "Retry-After is kept"] as const,
  ...["no honest member is put out", "mirrors follow in time"] as const,
  ...["sites share what they saw", "one holder at a time", "no log is left alone"] as const,
  "the store's faults are its own",
];

Deno.test("mutants: of most properties one is found within its seeds", async () => {
  const chosen = PROPERTIES.filter((property) => !NOT_HERE.includes(property)).map((property) => {
    const mutant = MUTANTS.find(({ name }) => name === SOON[property]);
    assertEquals(mutant?.breaks, property);
    return mutant!;
  });
  const ofWitnesses = MUTANTS.filter(({ name }) => SOON_OF_WITNESSES.includes(name));
  assertEquals(ofWitnesses.length, SOON_OF_WITNESSES.length);
  chosen.push(...ofWitnesses);
  for await (const { mutant, found } of runMutants({ mutants: chosen, jobs: 1 })) {
    assert(found !== undefined, `not within ${mutant.seeds} seeds: ${mutant.name}`);
    assertEquals(found.property, mutant.breaks, mutant.name);
  }
});
