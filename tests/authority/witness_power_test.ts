/** A witness whose power goes, or that is killed, at any step: it never cosigns two roots at one size. */
import { assert, assertEquals } from "@std/assert";
import { base64 } from "../../src/tlog/encoding.ts";
import { WorldError } from "../../src/world/world.ts";
import { cosignersOf, Stage } from "./stage.ts";

/** A path of pushes that a log with two histories sends; each may be tried again. */
const STEPS = [
  { old: 0n, size: 5n, history: 0 },
  { old: 5n, size: 6n, history: 0 },
  { old: 5n, size: 6n, history: 1 },
  { old: 6n, size: 9n, history: 0 },
  { old: 6n, size: 9n, history: 1 },
];

for (const both of [false, true]) {
  const keys = both ? "two keys" : "one key";
  Deno.test(`witness: a power cut at any step never yields two cosigned roots (${keys})`, async () => {
    let wasReached = true;
    for (let at = 1; wasReached; at++) {
      assert(at < 200, "the steps come to an end");
      for (const when of ["before", "after"] as const) {
        for (const keepShare of [0, 0.3, 0.9, 1]) {
          const stage = await Stage.of(["log.invalid/one"], { both });
          const handedOut = new Map<string, Set<string>>();
          const push = async (step: typeof STEPS[number]): Promise<void> => {
            const answer = await stage.push(step);
            if (answer.status !== 200) return;
            const note = await stage.log().note(step);
            const [text = ""] = note.split("\n\n");
            assert(cosignersOf(`${text}\n`, answer.lines.split("\n")).length > 0);
            const size = `${step.size}`;
            handedOut.set(size, (handedOut.get(size) ?? new Set()).add(stage.rootOf(note)));
          };
          // The disk refuses from some step on, as it does while the power goes.
          stage.disk.fail({ at, when, lasting: true });
          for (const step of STEPS) await push(step);
          wasReached = stage.disk.operations >= at;
          stage.disk.crash({ keepShare });
          await stage.start();
          const recorded = stage.state.head(stage.log().log.origin);
          const most = [...handedOut.keys()].map(BigInt).reduce((a, b) => a > b ? a : b, 0n);
          assert((recorded?.treeSize ?? 0n) >= most, "what was handed out is remembered");
          // Now the log tries its other history, and then everything again.
          for (const step of [...STEPS.toReversed(), ...STEPS]) await push(step);
          for (const [size, roots] of handedOut) {
            assertEquals(roots.size, 1, `two roots of size ${size} were cosigned`);
          }
          await stage.state.close();
        }
      }
    }
  });
}

/** Two logs of which each has two histories, pushed at the same moments. */
const ROUNDS = [
  { old: 0n, size: 5n },
  { old: 5n, size: 6n },
  { old: 6n, size: 9n },
  { old: 9n, size: 9n },
  { old: 9n, size: 12n },
];

/** What has left a witness: of each log, the roots of each size. */
class Left {
  readonly #roots = new Map<string, string>();
  readonly #most = new Map<number, bigint>();

  /** A cosignature on this has left. */
  add(at: number, { size, root }: { size: bigint; root: string }, what: string): void {
    const before = this.#roots.get(`${at} ${size}`);
    assertEquals(before ?? root, root, `${what}: two roots of size ${size} were cosigned`);
    this.#roots.set(`${at} ${size}`, root);
    if (size > (this.#most.get(at) ?? 0n)) this.#most.set(at, size);
  }

  /** The largest size of a log that has left. */
  most(at: number): bigint {
    return this.#most.get(at) ?? 0n;
  }
}

/** Pushes both histories of both logs at once, in each round. Refusals of the disk are no fault. */
async function pushAll(stage: Stage, left: Left, what: string): Promise<void> {
  for (const [i, round] of ROUNDS.entries()) {
    await Promise.all([0, 1].flatMap((at) =>
      [0, 1].map(async (nth) => {
        // Which history comes first changes from round to round.
        const push = { ...round, history: (i + at + nth) % 2 };
        const { status } = await stage.push(push, at);
        const root = base64(stage.log(at).tree(push.history, push.size).root(push.size));
        if (status === 200) left.add(at, { size: push.size, root }, what);
      })
    ));
  }
}

/** Somebody reads what it has recorded, which must be at least what has left before. */
function showAll(stage: Stage, left: Left, what: string): void {
  for (const at of [0, 1]) {
    const head = stage.state.head(stage.log(at).log.origin);
    const known = head?.treeSize ?? 0n;
    assert(known >= left.most(at), `${what}: ${left.most(at)} has left, it knows ${known}`);
    if (head !== undefined) left.add(at, { size: head.treeSize, root: head.root }, what);
  }
}

/** A life of a witness that ends at a step of the disk. @returns whether it came to that step */
async function liveUntil(
  stage: Stage,
  { at, when, left, what }: { at: number; when: "before" | "after"; left: Left; what: string },
): Promise<boolean> {
  stage.disk.fail({ at, when, lasting: true });
  try {
    await stage.start();
    showAll(stage, left, what);
    await pushAll(stage, left, what);
  } catch (error) {
    assert(error instanceof WorldError, `${what}: ${error}`);
  }
  return stage.disk.operations >= at;
}

/** The second life ends soon, in its start, or in the midst of its work. */
const SECOND_ENDS = [1, 3, 4, 6, 7, 9];

Deno.test("witness: two power cuts or kills, at any steps, never yield two cosigned roots", async () => {
  let wasReached = true;
  for (let at = 1; wasReached; at++) {
    assert(at < 200, "the steps come to an end");
    for (const when of ["before", "after"] as const) {
      for (const ends of ["kill, cut", "cut, kill", "cut, cut"]) {
        const second = SECOND_ENDS[at % SECOND_ENDS.length]!;
        const what = `step ${at} fails ${when} its effect, then step ${second}; ${ends}`;
        const stage = await Stage.of(["log.invalid/one", "log.invalid/two"], { isDown: true });
        const left = new Left();
        const steps = [at, second];
        for (const [i, end] of ends.split(", ").entries()) {
          const isReached = await liveUntil(stage, { at: steps[i]!, when, left, what });
          if (i === 0) wasReached = isReached;
          if (end === "kill") stage.disk.kill();
          else stage.disk.crash({ keepShare: [0, 0.5, 1][(at + i) % 3]! });
        }
        await stage.start();
        showAll(stage, left, what);
        await pushAll(stage, left, what);
        showAll(stage, left, what);
        assertEquals([left.most(0), left.most(1)], [12n, 12n], what);
        await stage.state.close();
      }
    }
  }
});
