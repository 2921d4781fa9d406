import { assert, assertEquals, assertThrows } from "@std/assert";
import { MalformedError } from "../../src/tlog/malformed.ts";
import {
  anyText,
  type Check,
  checkMembers,
  listOf,
  object,
  oneOf,
  type Shape,
  text,
  wholeNumber,
  within,
} from "../../src/tlog/members.ts";

const COLOURS = ["red", "blue"];
const STRICT: Shape = {
  must: {
    name: text,
    colour: oneOf(COLOURS),
    part: object({ must: { id: text }, others: "kept" }),
  },
  may: { count: wholeNumber({ least: 1, most: 3 }), names: listOf(text) },
  others: "refused",
};
const SOUND = { name: "a", colour: "red", part: { id: "b", more: 1 } };

function faultOf(value: unknown, shape: Shape = STRICT): string | undefined {
  try {
    checkMembers(value, { what: "thing", shape });
    return undefined;
  } catch (error) {
    assert(error instanceof MalformedError);
    return error.message;
  }
}

Deno.test("checkMembers: what has all it must have passes, with and without what it may have", () => {
  assertEquals(faultOf(SOUND), undefined);
  assertEquals(faultOf({ ...SOUND, count: 1, names: [] }), undefined);
  assertEquals(faultOf({ ...SOUND, count: 3, names: ["a", "b"] }), undefined);
});

const WRONG: readonly [change: Record<string, unknown>, message: string][] = [
  [{ name: 7 }, "name is 7, expected a text"],
  [{ name: null }, "name is null, expected a text"],
  [{ name: "\ud800" }, 'name is "\ufffd", expected a text'],
  [{ colour: "green" }, 'colour is "green", expected one of red, blue'],
  [{ colour: ["red"] }, 'colour is ["red"], expected one of red, blue'],
  [{ part: [] }, "part is [], expected an object"],
  [{ part: null }, "part is null, expected an object"],
  [{ part: {} }, "part.id is missing, expected a text"],
  [{ part: { id: {} } }, "part.id is {}, expected a text"],
  [{ count: 0 }, "count is 0, expected a whole number from 1 to 3"],
  [{ count: 4 }, "count is 4, expected a whole number from 1 to 3"],
  [{ count: 1.5 }, "count is 1.5, expected a whole number from 1 to 3"],
  [{ count: "2" }, 'count is "2", expected a whole number from 1 to 3'],
  [{ count: null }, "count is null, expected a whole number from 1 to 3"],
  [{ names: {} }, "names is {}, expected a list"],
  [{ names: ["a", 7] }, "names[1] is 7, expected a text"],
  [{ more: 1 }, 'thing has an unknown member "more", expected name, colour, part, count, names'],
];

for (const [change, message] of WRONG) {
  Deno.test(`checkMembers: ${JSON.stringify(change)} is refused`, () => {
    assertEquals(faultOf({ ...SOUND, ...change }), message);
  });
}

Deno.test("checkMembers: each member that must be there is missed", () => {
  for (const name of Object.keys(STRICT.must)) {
    const { [name]: _, ...rest } = SOUND as Record<string, unknown>;
    assertEquals(faultOf(rest)?.split(", ")[0], `${name} is missing`);
  }
});

Deno.test("checkMembers: anything but an object is none", () => {
  for (const value of [null, 7, "{}", [SOUND], undefined]) {
    const came = value === undefined ? "missing" : JSON.stringify(value);
    assertEquals(faultOf(value, { must: {}, others: "kept" })?.startsWith("thing is "), true);
    if (value !== "{}") assertEquals(faultOf(value), `thing is ${came}, expected an object`);
  }
});

Deno.test("checkMembers: others are kept where the table says so, and only there", () => {
  const more = { ...SOUND, more: 1 };
  assertEquals(faultOf(more, { ...STRICT, others: "kept" }), undefined);
  assertEquals(faultOf(more)?.split(",")[0], 'thing has an unknown member "more"');
});

Deno.test("checkMembers: names that every object of the language has are members like others", () => {
  const named = JSON.parse('{"__proto__":{"name":"a"},"toString":1}');
  const shape: Shape = { must: {}, may: { name: text }, others: "refused" };
  assertEquals(faultOf(named, shape)?.split(",")[0], 'thing has an unknown member "__proto__"');
  assertEquals(
    faultOf({ toString: 1 }, shape)?.split(",")[0],
    'thing has an unknown member "toString"',
  );
  // What stands in a member of that name is no member of the object itself.
  const must: Shape = { must: { name: text }, others: "kept" };
  assertEquals(faultOf(named, must), "name is missing, expected a text");
});

Deno.test("checkMembers: what is told of a value is short and can not steer a terminal", () => {
  for (const value of ["\u001b[2J".repeat(1_000), ["\u202e".repeat(1_000)]]) {
    const told = faultOf({ ...SOUND, colour: value })!;
    assert(told.length < 1_000, told);
    assert(!/[\p{Cc}\p{Cf}]/u.test(told), JSON.stringify(told));
  }
  const told = faultOf({ ...SOUND, "\u001b[2J": 1 })!;
  assert(!/[\p{Cc}\p{Cf}]/u.test(told), JSON.stringify(told));
});

Deno.test("wholeNumber: only what a JSON number holds exactly", () => {
  const check: Check = wholeNumber();
  for (const right of [0, -1, Number.MAX_SAFE_INTEGER]) check(right, "n");
  for (const wrong of [Number.MAX_SAFE_INTEGER + 1, NaN, 0.5, "1", undefined]) {
    assertThrows(() => check(wrong, "n"), MalformedError, "n is ");
  }
});

Deno.test("anyText: half of a surrogate pair is taken, what is no text is not", () => {
  anyText("\ud800", "t");
  assertThrows(() => anyText(["a"], "t"), MalformedError, 't is ["a"], expected a text');
});

Deno.test("within: what a parser refuses is told with the name, and a bug stays one", () => {
  const refuse = (): never => {
    throw new MalformedError("no number");
  };
  assertEquals(within("a", () => 7), 7);
  assertThrows(() => within("a", refuse), MalformedError, "a: no number");
  const bug = assertThrows(() =>
    within("a", () => {
      throw new RangeError("a bug");
    }), RangeError);
  assertEquals(bug.message, "a bug");
});
