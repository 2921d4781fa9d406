/**
 * Makes samples of what a status has.
 *
 * @module
 */
import { millisecondsOf } from "../world/time.ts";
import type { Family, Sample } from "./exposition.ts";

/** As many samples as one family has. A reader of more would be of no use to anybody. */
export const MAX_SAMPLES = 10_000;

/** The labels of a sample. */
export type Labels = Readonly<Record<string, string>>;

/** A family of what may rise and fall. */
export function gauge(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "gauge", help, samples };
}

/** A family of what only rises, from the start on. */
export function counter(name: string, help: string, samples: readonly Sample[]): Family {
  return { name, type: "counter", help, samples };
}

/** The sample of a family that has one; none if nothing is known. */
export function one(value: number | undefined): Sample[] {
  return value === undefined ? [] : [{ labels: {}, value }];
}

/** A sample of each thing of which the value is known. */
export function of<Thing>(
  things: readonly Thing[],
  labels: (thing: Thing) => Labels,
  value: (thing: Thing) => number | undefined,
): Sample[] {
  return things.flatMap((thing) => {
    const known = value(thing);
    return known === undefined ? [] : [{ labels: labels(thing), value: known }];
  });
}

/** A family that has, for each thing that is in a state, a sample of each word for it. */
export function states<Thing>(
  { name: family, help }: { name: string; help: string },
  things: readonly Thing[],
  labels: (thing: Thing) => Labels,
  { name, words, word }: {
    name: string;
    words: readonly string[];
    word: (thing: Thing) => string | undefined;
  },
): Family {
  const samples: Sample[] = [];
  let more = 0;
  for (const thing of things) {
    const is = word(thing);
    if (is === undefined) continue;
    if (samples.length >= MAX_SAMPLES) more += words.length;
    else {
      samples.push(...words.map((each) => ({
        labels: { ...labels(thing), [name]: each },
        value: flag(each === is),
      })));
    }
  }
  return { ...gauge(family, help, samples), more };
}

/** 1 if something is so, else 0. */
export function flag(is: boolean): number {
  return is ? 1 : 0;
}

/** A decimal as a number, which is exact up to 2^53. */
export function maybe(decimal: string | undefined): number | undefined {
  return decimal === undefined ? undefined : Number(decimal);
}

/** Seconds since 1970 of a time in RFC 3339. */
export function seconds(time: string | undefined): number | undefined {
  return time === undefined ? undefined : millisecondsOf(time) / 1_000;
}
