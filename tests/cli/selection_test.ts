import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "@std/assert";
import { readOptions, UsageError } from "../../src/cli/command.ts";
import {
  type About,
  cutNotice,
  nothingFound,
  readSelection,
  refuseUnknownLog,
  select,
  type Selection,
  SELECTION_OPTIONS,
} from "../../src/cli/selection.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { parseTime, timeOf } from "../../src/world/time.ts";

const NOW = Date.UTC(2026, 10, 28, 12);
const clock = { ...denoWorld().clock, now: () => new Date(NOW) };

function read(...args: string[]): Selection {
  return readSelection(readOptions(args, { values: SELECTION_OPTIONS }), clock);
}

Deno.test("--since: a time, a date, or how long ago", () => {
  const cases: [string, number][] = [
    ["2h", NOW - 2 * 3_600_000],
    ["90d", NOW - 90 * 24 * 3_600_000],
    ["999999999d", 0],
    ["2026-11-28T11:00:00Z", Date.UTC(2026, 10, 28, 11)],
    ["2026-11-28t11:00:00.250z", Date.UTC(2026, 10, 28, 11, 0, 0, 250)],
    ["2026-11-28T11:00:00+01:00", Date.UTC(2026, 10, 28, 10)],
    ["2026-11-28", Date.UTC(2026, 10, 28)],
    ["2024-02-29", Date.UTC(2024, 1, 29)],
  ];
  for (const [text, since] of cases) {
    assertEquals([text, read("--since", text).since], [text, since]);
  }
  for (
    const text of ["h", "2", "2w", "2h ago", "2026-02-29", "2026-13-01", "2026-11-28T24:30:00Z"]
  ) {
    assertThrows(() => read("--since", text), UsageError, "expected a time such as");
  }
});

Deno.test("parseTime: what timeOf gives is read back", () => {
  for (const ms of [0, 1, NOW, NOW + 999]) assertEquals(parseTime(timeOf(ms)), ms);
});

interface Item extends About {
  readonly n: number;
}

const A = { origin: "a.example", vkey: "a.example+01234567+AAAA" };
const B = { origin: "b.example", vkey: "a.example+01234567+AAAA" };

/** Items a minute apart, in turns about A and B. */
async function* items(count: number, length = 1): AsyncGenerator<Item> {
  for (let n = 0; n < count; n++) {
    await Promise.resolve();
    yield { n, at: timeOf(NOW + n * 60_000), log: n % 2 === 0 ? A : B, length };
  }
}

async function chosen(
  count: number,
  selection: Selection,
  maxKept?: number,
): Promise<{ shown: number[]; parts: number[]; found: Awaited<ReturnType<typeof select>> }> {
  const shown: number[] = [];
  const parts: number[] = [];
  const found = await select(items(count, 10), {
    selection,
    about: (item) => item,
    pass: (part) => {
      shown.push(...part.map(({ n }) => n));
      parts.push(part.length);
    },
    ...(maxKept !== undefined && { maxKept }),
  });
  return { shown, parts, found };
}

Deno.test("select: everything, oldest first, in parts, if nothing is said", async () => {
  const { shown, parts } = await chosen(1_234, {});
  assertEquals(shown, Array.from({ length: 1_234 }, (_, n) => n));
  assert(Math.max(...parts) <= 500 && parts.length === 3);
});

Deno.test("select: the newest, of a log, since a time; the counts say what was passed over", async () => {
  const since = NOW + 10 * 60_000;
  const { shown, found } = await chosen(20, { since, log: "a.example", limit: 3 });
  assertEquals(shown, [14, 16, 18]);
  assertEquals([found.selected, found.cut, found.older, found.others], [5, 2, 5, 10]);
  assertEquals(cutNotice(found), "only the newest 3 of 5 are listed");
});

Deno.test("select: a limit that is large, or larger than all there is, cuts nothing else", async () => {
  const limited = await chosen(3_000, { limit: 1_700 });
  assertEquals(limited.shown, Array.from({ length: 1_700 }, (_, n) => n + 1_300));
  assertEquals(limited.found.cut, 1_300);
  const all = await chosen(10, { limit: 10 });
  assertEquals([all.shown.length, cutNotice(all.found)], [10, undefined]);
});

Deno.test("select: what is kept for a limit is bounded, and what gives way is told", async () => {
  const { shown, found } = await chosen(100, { limit: 50 }, 75);
  assertEquals(shown, [93, 94, 95, 96, 97, 98, 99]);
  assertEquals([found.selected, found.cut], [100, 93]);
  const large = await chosen(3, { limit: 2 }, 5);
  assertEquals(large.shown, [2], "one is kept, however large");
  assertEquals((await chosen(9, {}, 30)).parts, [3, 3, 3], "parts are bounded as well");
});

Deno.test("select: what came before a damage is passed on", async () => {
  const shown: number[] = [];
  const damaged = async function* (): AsyncGenerator<Item> {
    yield* items(3);
    throw new Error("line 4 is damaged");
  };
  const pass = (part: readonly Item[]): void => void shown.push(...part.map(({ n }) => n));
  for (const selection of [{}, { limit: 2 }]) {
    shown.length = 0;
    const done = (): Promise<unknown> =>
      select(damaged(), { selection, about: (item) => item, pass });
    await assertRejects(done, Error, "line 4 is damaged");
    assertEquals(shown, "limit" in selection ? [1, 2] : [0, 1, 2]);
  }
});

Deno.test("select: a time that cannot be read hides nothing", async () => {
  const leap = async function* (): AsyncGenerator<Item> {
    yield await Promise.resolve({ n: 1, at: "2016-12-31T23:59:60Z", length: 1 });
  };
  const shown: Item[] = [];
  const pass = (part: readonly Item[]): void => void shown.push(...part);
  await select(leap(), { selection: { since: NOW }, about: (item) => item, pass });
  assertEquals(shown.length, 1);
});

Deno.test("--log: an origin, a vkey or both; one that nothing knows is refused", async () => {
  for (const log of [B.origin, `${B.vkey} ${B.origin}`]) {
    assertEquals((await chosen(4, { log })).shown, [1, 3]);
  }
  assertEquals((await chosen(4, { log: A.vkey })).shown, [0, 1, 2, 3], "one key for two origins");
  const selection = { log: "c.example" };
  const { found } = await chosen(4, selection);
  const refuse = (configured: { origin: string; vkey: string }[] | undefined): void =>
    refuseUnknownLog(found, { selection, configured, folder: "state" });
  assertThrows(
    () => refuse(undefined),
    UsageError,
    'nothing in "state" is about a log "c.example". No configuration was read that could name it ' +
      '(--config); there are: "a.example", "b.example"',
  );
  assertThrows(() => refuse([A]), UsageError, "The configuration does not name it");
  const configured = [{ origin: "c.example", vkey: "c.example+01234567+AAAA" }];
  refuse(configured);
  const what = "incidents";
  assertEquals(
    nothingFound(found, { selection, what, folder: "i" }),
    'no incidents of "c.example" in i; 4 of other logs',
  );
  const none = await chosen(0, {});
  assertMatch(
    nothingFound(none.found, { selection: {}, what, folder: "i" }),
    /^no incidents in i$/,
  );
});
