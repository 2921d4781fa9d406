import { assertEquals, assertThrows } from "@std/assert";
import { MAX_JSON_PARTS, parseExactJson } from "../../src/evidence/json.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";

/** What `{"a":[…]}` has besides the items of its list: itself, the name, the list. */
const AROUND = 3;

/** An object with a list of this many items. */
function listOf(item: string, count: number): string {
  return `{"a":[${Array(count).fill(item).join(",")}]}`;
}

for (const item of ["1", '""', '"b"', "null"]) {
  Deno.test(`parseExactJson: as many parts as allowed are taken, and not one more: ${item}`, () => {
    const most = MAX_JSON_PARTS - AROUND;
    assertEquals((parseExactJson(listOf(item, most)).a as unknown[]).length, most);
    const error = () => parseExactJson(listOf(item, most + 1));
    assertThrows(error, MalformedError, `at most ${MAX_JSON_PARTS} values and names`);
  });
}

Deno.test("parseExactJson: what is inside a string is not counted, however much it looks like parts", () => {
  const inside = '\\",:[{'.repeat(2 * MAX_JSON_PARTS) + "\\\\";
  const text = `{"a":"${inside}","b":1}`;
  assertEquals(parseExactJson(text).b, 1);
});

for (const text of ["[", "{", ":", ",", '"",']) {
  Deno.test(`parseExactJson: what is no JSON is refused as early: ${text}`, () => {
    const parts = text.repeat(MAX_JSON_PARTS);
    assertThrows(() => parseExactJson(parts), MalformedError, "values and names");
  });
}
