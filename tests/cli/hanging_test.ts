import { assert, assertEquals } from "@std/assert";
import { hanging } from "../../src/cli/width.ts";

Deno.test("hanging: further lines begin where the first text does, and a pipe has one line", () => {
  const text = "one two three four";
  assertEquals(hanging("!  ", text, { columns: 11 }), ["!  one two", "   three", "   four"]);
  assertEquals(hanging("!  ", text, { columns: undefined }), [`!  ${text}`]);
  assertEquals(hanging("", text, { columns: 80 }), [text]);
});

Deno.test("hanging: a word that is too long stays whole, so that it can be copied", () => {
  const word = "x".repeat(100);
  assertEquals(hanging("id ", `of ${word} here`, { columns: 40 }), [
    "id of",
    `   ${word}`,
    "   here",
  ]);
});

Deno.test("hanging: the width of a label is what a terminal shows", () => {
  for (const line of hanging("日本 ", "a b c d", { columns: 7 }).slice(1)) {
    assert(line.startsWith("     "), line);
  }
});
