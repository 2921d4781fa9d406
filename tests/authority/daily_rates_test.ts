import { assert, assertEquals } from "@std/assert";
import { DailyRates } from "../../src/authority/daily_rates.ts";
import { HandClock } from "./stage.ts";

const DAY_S = 86_400;

/** How many of so many requests at once are let through. */
function passed(rates: DailyRates, count: number, qpd: number): number {
  return Array.from({ length: count }, () => rates.take("log", qpd)).filter((wait) =>
    wait === undefined
  ).length;
}

Deno.test("daily rates: a day's requests at once, and then one for each part of a day", () => {
  for (const qpd of [1, 2, 7, 24, 1_000, 86_400]) {
    const clock = new HandClock();
    clock.ms = 12_345;
    const rates = new DailyRates(clock);
    assertEquals(passed(rates, qpd + 5, qpd), qpd);
    clock.ms += DAY_S * 1000 / qpd - 1;
    assertEquals(passed(rates, 1, qpd), 0);
    clock.ms += 1;
    assertEquals(passed(rates, 3, qpd), 1);
    clock.ms += DAY_S * 1000;
    assertEquals(passed(rates, qpd + 5, qpd), qpd);
  }
});

Deno.test("daily rates: who comes when it is told to is let through", () => {
  const clock = new HandClock();
  const rates = new DailyRates(clock);
  for (const qpd of [1, 3, 7, 100_000, 2 ** 31 - 1]) {
    const origin = `log of ${qpd}`;
    let wait: number | undefined;
    for (let i = 0; i < Math.min(qpd, 200_000) && wait === undefined; i++) {
      wait = rates.take(origin, qpd);
    }
    wait ??= rates.take(origin, qpd);
    // Nobody sends so many in a day.
    if (qpd > 1_000_000) {
      assertEquals(wait, undefined);
      continue;
    }
    assert(wait !== undefined && wait >= 1 && Number.isInteger(wait));
    clock.ms += wait * 1000;
    assertEquals(rates.take(origin, qpd), undefined);
  }
});

Deno.test("daily rates: a log that asked little is forgotten, and one that did not is not", () => {
  const clock = new HandClock();
  const rates = new DailyRates(clock);
  rates.take("a", 24);
  rates.take("b", 1);
  clock.ms = 3_600_000;
  rates.prune();
  assert(rates.take("b", 1) !== undefined);
  assertEquals(rates.take("a", 24), undefined);
});
