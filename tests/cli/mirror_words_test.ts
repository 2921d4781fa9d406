/** How a mirrored journal is told in a line. */
import { assertEquals } from "@std/assert";
import { mirrorInWords } from "../../src/cli/mirror_words.ts";
import type { MirrorStatus } from "../../src/monitor/mirrored_journal.ts";

const NOW = "2026-01-02T03:05:03Z";
const MIRROR: MirrorStatus = {
  ...{ name: "monitor.invalid/two", vkey: "v", origin: "monitor.invalid/two/incidents", size: "5" },
  ...{ url: "https://monitor.invalid", theirs: "5", failures: 0, received: 0, incidents: 0 },
  ...{ lastOutcome: "up to date", lastSyncAt: "2026-01-02T03:05:01Z" },
  records: { recorded: 0, known: 0, foreign: 0, refused: 0 },
};

for (
  const [what, given, said] of [
    ["all is fetched", {}, "size 5, fetched 2s ago"],
    ["the last try failed", { lastOutcome: "unavailable" }, "size 5, asked in vain 2s ago"],
    ["it says what is no size", { theirs: "x" }, "size 5 of x, fetched 2s ago"],
    ["more is to come", { theirs: "9" }, "size 5 of 9, fetched 2s ago"],
    [
      "it shows less than before",
      { theirs: "3", lastOutcome: "rolled back" },
      "size 5, of which it shows 3, asked in vain 2s ago",
    ],
  ] as const
) {
  Deno.test(`mirror words: ${what}`, () => {
    assertEquals(mirrorInWords({ ...MIRROR, ...given }, NOW), `${MIRROR.origin}: ${said}`);
  });
}

Deno.test("mirror words: a journal that began anew says so", () => {
  const origin = `${MIRROR.origin}/1795892632`;
  assertEquals(
    mirrorInWords({ ...MIRROR, origin }, NOW),
    `${origin}: size 5, begun anew, fetched 2s ago`,
  );
});
