/** OPERATING names what the program tells. */
import { assert, assertEquals } from "@std/assert";
import { RESULT_LEVELS } from "../../src/monitor/events.ts";
import { readDocument } from "./document.ts";

const OPERATING = readDocument("documents/OPERATING.md");

/** A section, by its heading. */
function section(heading: string): string {
  return OPERATING.split(/^## /m).find((part) => part.startsWith(`${heading}\n`))!;
}

Deno.test("operating: the table of results has every result, with its level", () => {
  const rows = section("What each result means, and asks of you")
    .matchAll(/^\| (`[^|]+`) +\| ([a-z]+) +\|/gm);
  const shown = [...rows].flatMap(([, names, level]) =>
    [...names!.matchAll(/`([^`]+)`/g)].map(([, name]) => [name!, level!])
  );
  assertEquals(Object.fromEntries(shown), { ...RESULT_LEVELS });
});

Deno.test("operating: the section on events names every event", () => {
  const source = readDocument("src/monitor/events.ts");
  const [union] = /^export type EventName =[^;]+;/m.exec(source)!;
  const names = [...union.matchAll(/"([a-z_]+\.[a-z_ ]+)"/g)].map(([, name]) => name!);
  assert(names.length > 20, "the events are where they are looked for");
  const of = (kind: string, all: readonly string[]): string[] => all.map((one) => `${kind}.${one}`);
  // What is told of a result at level debug says nothing that has to be looked up.
  const loud = Object.entries(RESULT_LEVELS).filter(([, level]) => /warning|error/.test(level));
  const told = [
    ...names,
    ...of("incident", ["recorded", "known", "refused", "not written"]),
    ...of("exchange", ["matches", "pending", "inconsistent", "nothing", "refused"]),
    ...of("log", loud.map(([result]) => result)),
  ];
  const events = section("Events");
  assertEquals(told.filter((name) => !events.includes(`\`${name}\``)), []);
});
