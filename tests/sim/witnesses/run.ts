/**
 * Runs one seed of the witnesses' simulation: honest witnesses with the real code, liars, a log that
 * splits its history, and clients that judge by a policy.
 *
 * @module
 */
import type { Draw } from "../draw.ts";
import { SimTime } from "../time.ts";
import { Client } from "./client.ts";
import { historiesOf, isPossible, Ledger, MAX_SIZE } from "./ledger.ts";
import { Liar } from "./liar.ts";
import { type Request, WitnessMachine } from "./machine.ts";
import { formatRule, planWitnesses, type WitnessOptions, type WitnessPlan } from "./plan.ts";
import { WitnessChecks, type WitnessViolation } from "./properties.ts";
import { keyLabel } from "./quorum.ts";
import { FIRST_PARTED, MAX_EARLY_SIZE, SplittingLog } from "./splitting_log.ts";
import { drawPart } from "./subtrees.ts";
import { judgeRun } from "./verdict.ts";

/** What came of a run. */
export interface WitnessOutcome {
  readonly violations: readonly WitnessViolation[];
  /** How often each property was looked at. */
  readonly checked: Readonly<Record<string, number>>;
  /** Whether two inconsistent checkpoints were committed. */
  readonly isBroken: boolean;
  /** Cosignatures of honest witnesses that have left, and of liars. */
  readonly cosignatures: number;
}

/** A run of one seed. */
export interface WitnessRun {
  readonly seed: number;
  readonly plan: WitnessPlan;
  readonly outcome: WitnessOutcome;
  /** A summary for people. It is the same, byte for byte, in every run. */
  readonly summary: string;
}

/** The longest pause between two moves, in milliseconds. */
const MAX_PAUSE_MS = 40;
/** The longest way of a request. */
const MAX_WAY_MS = 20;
/** Parts of trees that are asked for at once, at most. */
const MAX_PARTS = 4;
/** When a run must be over, in virtual time. */
const END_MS = 3_600_000;

/**
 * Runs one seed.
 * @param account called with a line for each thing that happens
 */
export async function runWitnesses(
  { seed, options = {}, account = () => {} }: {
    seed: number;
    options?: WitnessOptions;
    account?: (line: string) => void;
  },
): Promise<WitnessRun> {
  const plan = await planWitnesses(seed, options);
  const stage = new Stage(plan, account);
  const isBroken = await stage.run();
  const { violations, checked } = stage.checks;
  const outcome = { violations, checked, isBroken, cosignatures: stage.ledger.lines.size };
  return { seed, plan, outcome, summary: summaryOf(plan, outcome) };
}

/** Everybody who takes part. */
class Stage {
  readonly #plan: WitnessPlan;
  readonly #draw: Draw;
  readonly #time = new SimTime();
  readonly #tell: (line: string) => void;
  readonly #machines: WitnessMachine[] = [];
  readonly #liars: Liar[] = [];
  readonly #logs: readonly SplittingLog[];
  readonly #client: Client;
  readonly ledger = new Ledger();
  readonly checks = new WitnessChecks();

  constructor(plan: WitnessPlan, account: (line: string) => void) {
    this.#plan = plan;
    this.#draw = plan.draw;
    this.#tell = (line) => account(`${this.#time.now.toFixed(1)} ${line}`);
    const { quorum: { parties, rule }, liars, aim, logs, policy } = plan;
    const { ledger, checks } = this;
    const isHonest = aim === "some fail";
    this.#logs = logs.map((log) => new SplittingLog({ log, ledger, isHonest }));
    this.#client = new Client({ policy, rule, ledger, checks });
    for (const { name, types } of parties) {
      const keys = types.map((type) => plan.keys.get(keyLabel(name, type))!);
      if (liars.has(name)) this.#liars.push(new Liar({ name, keys, ledger }));
      else {
        this.#machines.push(
          new WitnessMachine({
            ...{ name, logs, ledger, checks, tell: this.#tell },
            ...{ time: this.#time, draw: this.#draw.branch(), keys: keys.map(({ key }) => key) },
          }),
        );
      }
    }
  }

  /** Runs to the end. @returns whether two inconsistent checkpoints were committed */
  async run(): Promise<boolean> {
    let failure: unknown;
    let isDone = false;
    const story = async (): Promise<void> => {
      for (const machine of this.#machines) machine.start();
      await this.#up();
      if (this.#plan.toldOne !== undefined) await this.#divide(this.#plan.toldOne);
      for (let move = 0; move < this.#plan.moves; move++) {
        await this.#time.pause(this.#draw.share() * MAX_PAUSE_MS);
        await this.#move();
      }
      await this.#heal();
      await this.#end();
    };
    const done = story().catch((error) => {
      failure = error;
    }).finally(() => isDone = true);
    if (!await this.#time.runUntil(END_MS, () => isDone)) {
      throw new Error(`seed ${this.#plan.seed} does not end`);
    }
    await done;
    if (failure !== undefined) throw failure;
    const { ledger, checks } = this;
    return await judgeRun({
      plan: this.#plan,
      ledger,
      checks,
      client: this.#client,
      tell: this.#tell,
    });
  }

  /** Waits until all witnesses have started. */
  async #up(): Promise<void> {
    for (let tries = 0; tries < 1_000; tries++) {
      if (this.#machines.every(({ isUp }) => isUp)) return;
      for (const machine of this.#machines) machine.start();
      await this.#time.pause(10);
    }
    this.checks.expect(false, "a witness answers as specified", () => "one does not start");
  }

  /** Tells each honest witness its story, beyond the size at which the stories part. */
  async #divide(toldOne: ReadonlySet<string>): Promise<void> {
    for (const machine of this.#machines) {
      const history = toldOne.has(machine.name) ? 0 : 1;
      const size = BigInt(this.#draw.between(Number(FIRST_PARTED), 9));
      const [log] = this.#logs;
      await this.#send(log!, machine, await log!.request({ old: 0n, size, history }));
    }
  }

  /** Something happens. Nobody waits for what comes of it. */
  async #move(): Promise<void> {
    const draw = this.#draw;
    const log = draw.chance(0.8) ? this.#logs[0]! : this.#logs[1]!;
    const what = draw.below(100);
    if (this.#machines.length === 0 || what < 12) return await this.#lie(log);
    const machine = draw.pick(this.#machines);
    if (what < 14) this.#forget(machine);
    else if (what < 20) {
      const heads = [...this.ledger.heads.values()];
      if (heads.length > 0) await this.#client.look(draw, draw.pick(heads));
    } else if (what < 25) this.#later(() => machine.look(log.log));
    else if (what < 29) await this.#askParts(log);
    else if (what < 34) this.#stop(machine);
    else if (what < 46) this.#disturb(machine);
    else if (what < 60) {
      const requests = await log.race(draw, machine);
      // At one moment, or each in its own time.
      const way = draw.chance(0.5) ? draw.share() * MAX_WAY_MS : undefined;
      for (const request of requests) this.#deliver(log, machine, request, way);
    } else {
      const request = await log.any(draw, machine);
      this.#deliver(log, machine, request);
      // A request that the network doubles, or that somebody sends again.
      if (draw.chance(0.1)) this.#deliver(log, machine, request);
    }
  }

  /** Somebody asks for parts of trees, from one of the few that have a key for them. */
  async #askParts(log: SplittingLog): Promise<void> {
    const able = this.#machines.filter(({ signsSubtrees }) => signsSubtrees);
    if (able.length === 0) return;
    const machine = this.#draw.pick(able);
    for (let left = this.#draw.between(1, MAX_PARTS); left > 0; left--) {
      const told = machine.told(log.log);
      const request = await drawPart({
        ...{ draw: this.#draw, log: log.log, ledger: this.ledger, told },
      });
      if (request !== undefined) this.#later(() => machine.askPart(request));
    }
  }

  /** The list of logs loses one for a while. What was recorded of it must stay. */
  #forget(machine: WitnessMachine): void {
    machine.follow([this.#logs[1]!.log]);
    this.#later(() => Promise.resolve(machine.follow(this.#plan.logs)));
  }

  /** A liar cosigns a checkpoint that somebody signed, or one of the future that no tree has. */
  async #lie(log: SplittingLog): Promise<void> {
    if (this.#liars.length === 0 || this.#plan.aim === "some fail") return;
    const liar = this.#draw.pick(this.#liars);
    const heads = [...this.ledger.heads.values()].filter(isPossible).map(({ text }) => text);
    const isKnown = heads.length > 0 && this.#draw.chance(0.8);
    const text = isKnown
      ? this.#draw.pick(heads)
      : await log.sign({ size: 10n ** 12n, root: this.#draw.bytes(32), proof: [] });
    await liar.signOddly(this.#draw, text);
  }

  #stop(machine: WitnessMachine): void {
    if (this.#draw.chance(0.5)) machine.kill();
    else machine.cutPower();
    this.#later(() => Promise.resolve(machine.start()));
  }

  /** The disk refuses for a while; or the process ends in one of its next writes. */
  #disturb(machine: WitnessMachine): void {
    const { trouble } = machine;
    switch (this.#draw.below(3)) {
      case 0:
        trouble.flaky = 0.2;
        break;
      case 1:
        trouble.full = true;
        break;
      default: {
        const isPower = this.#draw.chance(0.5);
        const cut = (): void => {
          if (isPower) machine.cutPower();
          else machine.kill();
          this.#later(() => Promise.resolve(machine.start()));
        };
        trouble.powerCut = { left: this.#draw.between(1, 5), cut };
        return;
      }
    }
    this.#tell(`the disk of ${machine.name} is in trouble`);
    this.#later(() => {
      [trouble.flaky, trouble.full] = [0, false];
      machine.start();
      return Promise.resolve();
    });
  }

  #later(act: () => Promise<void>): void {
    this.#time.after(this.#draw.share() * 5 * MAX_PAUSE_MS, () => void this.#guard(act()));
  }

  #deliver(
    log: SplittingLog,
    machine: WitnessMachine,
    request: Request,
    way = this.#draw.share() * MAX_WAY_MS,
  ): void {
    const isLost = this.#draw.chance(0.1);
    this.#time.after(way, () => void this.#guard(this.#send(log, machine, request, isLost)));
  }

  /** Sends a request; the log learns from the answer unless it is lost. */
  async #send(
    log: SplittingLog,
    machine: WitnessMachine,
    request: Request,
    isLost = false,
  ): Promise<number | undefined> {
    const answer = await machine.push(request);
    if (answer === undefined || isLost) return undefined;
    if (answer.status === 409) log.learned(machine, answer.size);
    if (answer.status === 200) log.learned(machine, request.head.size);
    return answer.status;
  }

  /** Whatever throws is a fault of the witness. */
  async #guard(work: Promise<unknown>): Promise<void> {
    try {
      await work;
    } catch (error) {
      this.checks.expect(false, "a witness answers as specified", () => `it throws ${error}`);
    }
  }

  /** All trouble ends, and every witness is started anew. */
  async #heal(): Promise<void> {
    await this.#time.pause(10 * MAX_PAUSE_MS);
    for (const machine of this.#machines) {
      const { trouble } = machine;
      [trouble.flaky, trouble.full] = [0, false];
      delete trouble.powerCut;
      machine.follow(this.#plan.logs);
      if (this.#draw.chance(0.5)) machine.kill();
      else machine.cutPower();
    }
    await this.#up();
  }

  /** The last two checkpoints of the first log, which everybody cosigns who can be brought to it. */
  async #end(): Promise<void> {
    const log = this.#logs[0]!;
    const isHonest = this.#plan.aim === "some fail";
    const one = BigInt(this.#draw.between(MAX_EARLY_SIZE, Number(MAX_SIZE)));
    const other = this.#draw.chance(0.5)
      ? one
      : BigInt(this.#draw.between(MAX_EARLY_SIZE, Number(MAX_SIZE)));
    const last = [one, other].slice(0, isHonest ? 1 : 2)
      .map((size, history) => ({ size, history }));
    for (const push of last) {
      const text = await log.sign(push);
      if (isHonest) continue;
      for (const liar of this.#liars) await liar.sign(text, 1_767_300_000n);
    }
    for (const machine of this.#machines) {
      for (const push of this.#draw.shuffled(last)) await this.#finish(log, machine, push);
    }
  }

  /** Asks a witness for one of the last checkpoints: it cosigns if it can, and does so again. */
  async #finish(
    log: SplittingLog,
    machine: WitnessMachine,
    { size, history }: { size: bigint; history: number },
  ): Promise<void> {
    const recorded = machine.recorded(log.log);
    const old = recorded?.size ?? 0n;
    const isSound = old <= size &&
      (old === 0n || historiesOf({ ...recorded!, log: log.log }).includes(history));
    const status = await this.#send(log, machine, await log.request({ old, size, history }));
    if (!isSound) return;
    this.checks.expect(
      status === 200,
      "a witness answers as specified",
      () => `${machine.name} answers ${status} to a sound request`,
    );
    const again = await this.#send(log, machine, await log.request({ old: size, size, history }));
    this.checks.expect(
      again === 200,
      "a witness answers as specified",
      () => `${machine.name} answers ${again} when it is asked for the same again`,
    );
  }
}

function summaryOf(plan: WitnessPlan, outcome: WitnessOutcome): string {
  const { seed, quorum, aim, liars, tolerance, moves } = plan;
  const { violations, cosignatures, isBroken } = outcome;
  const does = aim === "some fail" ? "fail" : "lie";
  return [
    `seed ${seed}: ${
      formatRule(quorum.rule)
    }; ${aim}: ${liars.size} of ${tolerance.parties} ${does}`,
    `  the policy check: ${tolerance.failuresToStop} have to fail, ${tolerance.liarsToSplit} to lie`,
    `  ${moves} moves, ${cosignatures} cosignatures; two histories ` +
    `${isBroken ? "were" : "were not"} committed`,
    ...violations.map(({ property, detail }) => `  VIOLATION of "${property}": ${detail}`),
  ].join("\n");
}
