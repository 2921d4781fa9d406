/**
 * What every engine of a shared database does. It is run on SQLite with each run of the tests, and on
 * PostgreSQL where there is one (tests/interop). So what passes here in memory passes there.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import type { SharedDatabase } from "../../src/world/shared_database.ts";
import { MAX_WORD_BYTES, STATEMENT_LIMIT_MS } from "../../src/world/shared_sql.ts";
import { WorldError, type WorldErrorKind } from "../../src/world/world.ts";

/** A database without a table, and two daemons that share it. */
export interface SharedStage {
  readonly one: SharedDatabase;
  readonly two: SharedDatabase;
  /** Breaks every connection to it. New ones are let in. */
  breakConnections(): Promise<void>;
  /** Lets time pass, where it does not pass by itself. */
  pass(ms: number): Promise<void>;
}

/** Registers a test of the contract, which gets a stage of its own. */
export type ContractTest = (name: string, run: (stage: SharedStage) => Promise<void>) => void;

/** Gathers what is told, to be waited for. */
export class Heard {
  readonly #told: string[] = [];
  #more = Promise.withResolvers<void>();

  readonly onWord = (word: string): void => this.#add(word);
  readonly onGap = (): void => this.#add("(gap)");

  /** The next word that was not taken yet, or `(gap)`. */
  async next(): Promise<string> {
    while (this.#told.length === 0) await this.#more.promise;
    return this.#told.shift()!;
  }

  #add(word: string): void {
    this.#told.push(word);
    this.#more.resolve();
    this.#more = Promise.withResolvers<void>();
  }
}

/** That something fails with an error of the world of this kind. */
export async function failsAs(kind: WorldErrorKind, run: () => Promise<unknown>): Promise<string> {
  const error = await assertRejects(run, WorldError);
  assertEquals(error.kind, kind, error.message);
  return error.message;
}

const COUNTER = "create table counter (name text primary key, last bigint not null)";
const NEXT = "update counter set last = last + 1 where name = 'a' returning last";
const LAST = "select last from counter where name = 'a'";

async function withCounter({ one }: SharedStage): Promise<void> {
  await one.query(COUNTER);
  await one.query("insert into counter values ('a', 0)");
}

/** Registers all tests of the contract. */
export function sharedDatabaseContract(test: ContractTest): void {
  values(test);
  refusals(test);
  transactions(test);
  words(test);
  lostConnections(test);
  limits(test);
}

function values(test: ContractTest): void {
  test("values come back as what they were", async ({ one, two }) => {
    await one.query("create table kinds (n bigint, t text, b bytea, d double precision)");
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const rows = [
      { n: 2n ** 63n - 1n, t: "ö 𝄞 ' \" \\ $1\n", b: bytes, d: 1.5 },
      { n: -(2n ** 63n), t: "", b: new Uint8Array(0), d: -0.25 },
      { n: null, t: null, b: null, d: null },
    ];
    for (const { n, t, b, d } of rows) {
      await one.query("insert into kinds values ($1, $2, $3, $4)", [n, t, b, d]);
    }
    const read = await two.query("select n, t, b, d from kinds order by n is null, n desc");
    assertEquals(read.map((row) => ({ ...row })), rows);
    // Not a Buffer, which is compared and printed otherwise.
    assertEquals(read[0]!.b?.constructor, Uint8Array);
  });

  test("an integer is a bigint, also one that was counted, added up or compared", async ({ one }) => {
    await one.query("create table small (n integer)");
    await one.query("insert into small values ($1), ($2)", [1, 2]);
    const [row] = await one.query(
      "select count(*) as many, sum(n) as total, max(n) as most, max(n) > 1 as so, max(n) > 2 as no from small",
    );
    assertEquals({ ...row }, { many: 2n, total: 3n, most: 2n, so: 1n, no: 0n });
  });

  test("parameters stand wherever their number is", async ({ one }) => {
    await one.query("create table pairs (a text, b text)");
    await one.query("insert into pairs values ($2, $1)", ["one", "two"]);
    const rows = await one.query("select a, b from pairs where a = $1 or b = $1", ["two"]);
    assertEquals(rows.map((row) => ({ ...row })), [{ a: "two", b: "one" }]);
  });

  test("the database's clock gives milliseconds, and may stand in a condition", async ({ one }) => {
    await one.query("create table leases (until_ms bigint)");
    await one.query("insert into leases values (now_ms() - 1), (now_ms() + $1)", [60_000]);
    const [row] = await one.query(
      "select count(*) as valid, now_ms() as now from leases where until_ms > now_ms()",
    );
    assertEquals(row!.valid, 1n);
    assert(typeof row!.now === "bigint" && row!.now > 1_700_000_000_000n, `${row!.now}`);
  });
}

function refusals(test: ContractTest): void {
  test("what is no SQL, or more than one statement, is refused", async ({ one }) => {
    await failsAs("other", () => one.query("selec 1"));
    await failsAs("other", () => one.query("select 1; select 2"));
    await one.query("select 1;");
  });

  test("a text with a NUL is refused", async ({ one }) => {
    await one.query("create table texts (t text)");
    await failsAs("other", () => one.query("insert into texts values ($1)", ["a\0b"]));
    assertEquals(await one.query("select t from texts"), []);
  });

  test("a table that is not there is not found, a key that is there exists already", async (stage) => {
    await failsAs("not found", () => stage.one.query("select * from counter"));
    await withCounter(stage);
    await failsAs("already exists", () => stage.two.query("insert into counter values ('a', 1)"));
    const again =
      "insert into counter values ('a', 7) on conflict (name) do nothing returning last";
    assertEquals(await stage.two.query(again), []);
  });

  test("a database that was closed here says so, and is closed twice", async ({ one, two }) => {
    await one.query("select 1");
    await one.close();
    await one.close();
    await failsAs("closed", () => one.query("select 1"));
    await failsAs("closed", () => one.transaction(() => Promise.resolve()));
    await failsAs("closed", () => one.listen("news", new Heard()));
    await two.query("select 1");
  });
}

function transactions(test: ContractTest): void {
  test("a transaction happens whole, and gives what its work gives", async (stage) => {
    await withCounter(stage);
    const last = await stage.one.transaction(async (tx) => {
      await tx.query(NEXT);
      return (await tx.query(NEXT))[0]!.last;
    });
    assertEquals(last, 2n);
    assertEquals((await stage.two.query(LAST))[0]!.last, 2n);
  });

  test("a transaction whose work fails has not happened", async (stage) => {
    await withCounter(stage);
    const fault = new RangeError("of the work");
    const error = await assertRejects(() =>
      stage.one.transaction(async (tx) => {
        await tx.query(NEXT);
        throw fault;
      }), RangeError);
    assert(error === fault);
    assertEquals((await stage.two.query(LAST))[0]!.last, 0n);
    assertEquals((await stage.one.query(NEXT))[0]!.last, 1n);
  });

  test("a transaction in which a statement failed has not happened, whoever caught it", async (stage) => {
    await withCounter(stage);
    const run = () =>
      stage.one.transaction(async (tx) => {
        await tx.query(NEXT);
        await tx.query("insert into counter values ('a', 9)").catch(() => {});
        await tx.query(NEXT).catch(() => {});
      });
    await failsAs("already exists", run);
    assertEquals((await stage.two.query(LAST))[0]!.last, 0n);
  });

  test("after its end a transaction takes no statement", async (stage) => {
    await withCounter(stage);
    const kept = await stage.one.transaction((tx) => Promise.resolve(tx));
    await failsAs("closed", () => kept.query(NEXT));
    await failsAs("closed", () => kept.tell("news", "late"));
    assertEquals((await stage.two.query(LAST))[0]!.last, 0n);
  });

  test("statements of one transaction that are asked for at once follow one another", async (stage) => {
    await withCounter(stage);
    const rows = await stage.one.transaction((tx) =>
      Promise.all([NEXT, NEXT, NEXT].map((sql) => tx.query(sql)))
    );
    assertEquals(rows.map(([row]) => row!.last), [1n, 2n, 3n]);
  });

  test("nobody sees what is not committed", async (stage) => {
    await withCounter(stage);
    let seen: ReturnType<SharedDatabase["query"]> | undefined;
    await assertRejects(() =>
      stage.one.transaction(async (tx) => {
        await tx.query(NEXT);
        seen = stage.two.query(LAST);
        throw new RangeError("given up");
      }), RangeError);
    assertEquals((await seen!)[0]!.last, 0n);
  });

  test("each statement sees what others committed before it", async (stage) => {
    await withCounter(stage);
    const seen = await stage.one.transaction(async (tx) => {
      const before = await tx.query(LAST);
      await stage.two.query(NEXT);
      return [before, await tx.query(LAST), await tx.query(NEXT)];
    });
    assertEquals(seen.map(([row]) => row!.last), [0n, 1n, 2n]);
  });

  test("a counter that two daemons take from gives each number once, in the order of commits", async (stage) => {
    await withCounter(stage);
    await stage.one.query("create table taken (id bigint primary key, by_whom text)");
    const take = (by: "one" | "two") =>
      stage[by].transaction(async (tx) => {
        const [row] = await tx.query(NEXT);
        const rows = await tx.query("select count(*) as before from taken");
        // Whoever has number 5 sees the four before it.
        assertEquals(rows[0]!.before, row!.last as bigint - 1n);
        await tx.query("insert into taken values ($1, $2)", [row!.last!, by]);
      });
    await Promise.all(
      Array.from({ length: 40 }, (_, i) => take(i % 2 === 0 ? "one" : "two")),
    );
    const rows = await stage.one.query("select id from taken order by id");
    assertEquals(rows.map(({ id }) => id), Array.from({ length: 40 }, (_, i) => BigInt(i + 1)));
  });
}

function words(test: ContractTest): void {
  test("a word is heard by all, also by who said it, in order and on its channel", async ({ one, two }) => {
    const [first, second, other] = [new Heard(), new Heard(), new Heard()];
    await one.listen("news", first);
    await two.listen("news", second);
    await two.listen('other "channel"', other);
    await one.transaction(async (tx) => {
      await tx.tell("news", "a 'quoted' ö");
      await tx.tell("news", "b");
    });
    await two.transaction((tx) => tx.tell('other "channel"', "c"));
    for (const heard of [first, second]) {
      assertEquals([await heard.next(), await heard.next()], ["a 'quoted' ö", "b"]);
    }
    assertEquals(await other.next(), "c");
  });

  test("a word is told when its transaction has happened, and not if it has not", async (stage) => {
    await withCounter(stage);
    const heard = new Heard();
    await stage.two.listen("news", heard);
    await assertRejects(() =>
      stage.one.transaction(async (tx) => {
        await tx.tell("news", "undone");
        throw new RangeError("given up");
      }), RangeError);
    await stage.one.transaction(async (tx) => {
      await tx.query(NEXT);
      await tx.tell("news", "done");
    });
    assertEquals(await heard.next(), "done");
    assertEquals((await stage.two.query(LAST))[0]!.last, 1n);
  });

  test("a word said twice in one transaction is told once", async ({ one, two }) => {
    const heard = new Heard();
    await two.listen("news", heard);
    await one.transaction(async (tx) => {
      for (const word of ["a", "a", "b"]) await tx.tell("news", word);
    });
    assertEquals([await heard.next(), await heard.next()], ["a", "b"]);
  });

  test("a word has a longest length", async ({ one, two }) => {
    const heard = new Heard();
    await two.listen("news", heard);
    const longest = "ö".repeat((MAX_WORD_BYTES - 1) / 2) + "x";
    await failsAs(
      "too large",
      () => one.transaction((tx) => tx.tell("news", `${longest}x`)),
    );
    await one.transaction((tx) => tx.tell("news", longest));
    assertEquals(await heard.next(), longest);
  });
}

function lostConnections(test: ContractTest): void {
  test("after a lost connection words are heard again, and the gap is told before them", async (stage) => {
    const heard = new Heard();
    await stage.two.listen("news", heard);
    await stage.one.transaction((tx) => tx.tell("news", "before"));
    assertEquals(await heard.next(), "before");
    await stage.breakConnections();
    const [next] = await Promise.all([heard.next(), stage.pass(STATEMENT_LIMIT_MS)]);
    assertEquals(next, "(gap)");
    await stage.one.transaction((tx) => tx.tell("news", "after"));
    assertEquals(await heard.next(), "after");
  });

  test("a transaction whose connection was lost has not happened; the next one is on another", async (stage) => {
    await withCounter(stage);
    await failsAs("closed", () =>
      stage.one.transaction(async (tx) => {
        await tx.query(NEXT);
        await stage.breakConnections();
        await tx.query(NEXT);
      }));
    assertEquals((await stage.two.query(LAST))[0]!.last, 0n);
    assertEquals((await stage.one.query(NEXT))[0]!.last, 1n);
  });

  test("nothing is committed over a connection that was lost, even if nothing more was asked", async (stage) => {
    await withCounter(stage);
    await failsAs("closed", () =>
      stage.one.transaction(async (tx) => {
        await tx.query(NEXT);
        await stage.breakConnections();
      }));
    assertEquals((await stage.two.query(LAST))[0]!.last, 0n);
  });
}

function limits(test: ContractTest): void {
  test("who waits too long for what another has locked gives up, and has changed nothing", async (stage) => {
    await withCounter(stage);
    const ended = Promise.withResolvers<void>();
    const holding = stage.one.transaction(async (tx) => {
      await tx.query(NEXT);
      await ended.promise;
    });
    const waiting = failsAs("timed out", () =>
      stage.two.transaction(async (tx) => {
        await tx.query("insert into counter values ('b', 0)");
        await tx.query(NEXT);
      }));
    await Promise.all([waiting, stage.pass(2 * STATEMENT_LIMIT_MS)]);
    ended.resolve();
    await holding;
    const rows = await stage.two.query("select name, last from counter");
    assertEquals(rows.map((row) => ({ ...row })), [{ name: "a", last: 1n }]);
  });
}
