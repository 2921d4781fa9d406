/**
 * Who is paged by the alerts of a simulated monitor: a command that fails, takes its time, and dies with
 * the daemon that runs it. Some fleets have alerts; the others are as they were without.
 *
 * @module
 */
import { type Alert, parseAlert } from "../../src/response/alert.ts";
import type { AlertSettings } from "../../src/response/settings.ts";
import { textOf } from "../../src/tlog/encoding.ts";
import type { World } from "../../src/world/world.ts";
import { type Draw, drawFrom } from "./draw.ts";
import type { FleetPlan } from "./plan.ts";
import type { SimTime } from "./time.ts";

/** Every fourth fleet has alerts; none of those that regressions_test.ts keeps. */
const [ALERTS_EVERY, ALERTS_AT] = [4, 3];
/** So many pages of a hundred fail while there is trouble. */
const FAILS = 0.4;
const LONGEST_MS = 10_000;

/** The alerts of a monitor with a pager. */
export const PAGED: AlertSettings = {
  channels: [{ name: "page", least: "WARNING", kind: "command", argv: ["page"] }],
  allow: [],
};

/** See the module. */
export class Pager {
  readonly #draw: Draw;
  readonly #time: SimTime;
  readonly #taken: (alert: Alert) => void;
  /** Whether it fails now and then. */
  isTroubled = true;

  /** @param taken called with each alert that it takes, repeats included */
  constructor({ plan, number, time, taken }: {
    plan: FleetPlan;
    number: number;
    time: SimTime;
    taken: (alert: Alert) => void;
  }) {
    // A stream of its own: what else happens in a fleet does not depend on it.
    this.#draw = drawFrom(1_000_003 * (plan.seed + 1) + number);
    this.#time = time;
    this.#taken = taken;
  }

  /** Whether the monitors of a plan have pagers. */
  static isIn({ seed }: FleetPlan): boolean {
    return seed % ALERTS_EVERY === ALERTS_AT;
  }

  /** The commands of one process. */
  commands(isAlive: () => boolean): Pick<World["commands"], "run"> {
    const never = new Promise<never>(() => {});
    return {
      run: async ({ input }) => {
        if (!isAlive()) return await never;
        const draw = this.#draw;
        const isLate = draw.chance(0.5);
        if (isLate) await this.#time.pause(draw.share() * LONGEST_MS);
        // A program that has begun goes on if the daemon is killed.
        const fails = this.isTroubled && draw.chance(FAILS);
        if (!fails) this.#taken(parseAlert(textOf(input).trim()));
        if (!isLate) await this.#time.pause(draw.share() * LONGEST_MS);
        if (!isAlive()) return await never;
        return { code: fails ? 1 : 0, said: "" };
      },
    };
  }
}
