import { assertEquals } from "@std/assert";
import { CosignedHeads, MAX_HEADS, type Moment } from "../../src/authority/cosigned_heads.ts";
import { formatCheckpointText, openNote } from "../../src/tlog/checkpoint.ts";
import { sha256 } from "../../src/tlog/hashing.ts";
import { parseLog } from "../../src/tlog/log.ts";
import { type MadeWitness, policyOf, witnesses } from "./policies.ts";

const HOUR = 3_600_000;
const MINUTE = 60_000;
const START = Date.UTC(2026, 0, 1);
const LOG = parseLog(
  "markovianprotocol.com/log+0302c6c8+ATkpOWo95UuEiW2EhNZAol4f0CS8hMluJfPcTSzrr03v",
);

/** Three witnesses, two of whom are a quorum, and what was counted of them. */
class Scene {
  readonly made = witnesses(3);
  readonly heads: CosignedHeads;
  now: Moment = { wall: START, monotonic: 0 };

  constructor() {
    const defined = this.made.map(({ defined }) => defined);
    const policy = policyOf(...defined, "group two 2 W1 W2 W3", "quorum two");
    this.heads = new CosignedHeads({ log: LOG, policy, now: this.now });
  }

  pass(ms: number): void {
    this.now = { wall: this.now.wall + ms, monotonic: this.now.monotonic + ms };
  }

  /** A witness cosigns a size now, and that is seen at once. */
  take(who: number, size: number, { story = "", at }: { story?: string; at?: bigint } = {}) {
    const time = at ?? BigInt(this.now.wall / 1_000);
    const rootHash = sha256(new TextEncoder().encode(`${story} ${size}`));
    const text = formatCheckpointText({ origin: LOG.origin, treeSize: BigInt(size), rootHash });
    const made = this.made[who - 1] as MadeWitness;
    const note = `${text}\n${made.line(text, time)}\n`;
    const opened = openNote({ note, logs: this.heads.cosigners });
    if ("refused" in opened) throw new Error(opened.detail);
    return this.heads.take(opened.checkpoints[0]!, { now: this.now, delayMs: HOUR });
  }

  keeping(isStill = false): string {
    return this.heads.standings({ now: this.now, delayMs: HOUR, isStill })
      .map(({ keeping }) => keeping).join(" ");
  }
}

Deno.test("CosignedHeads: one witness that cosigns twice counts once, and another root counts apart", () => {
  const scene = new Scene();
  assertEquals([scene.take(1, 9), scene.take(1, 9)], [true, false]);
  scene.take(2, 9, { story: "another" });
  assertEquals(scene.heads.committed, undefined);
  scene.take(3, 9, { story: "another" });
  assertEquals(scene.heads.committed?.by.size, 2);
});

Deno.test("CosignedHeads: what is committed never goes back", () => {
  const scene = new Scene();
  for (const who of [1, 2]) scene.take(who, 9);
  for (const who of [2, 3]) scene.take(who, 5);
  assertEquals(scene.heads.committed?.treeSize, 9n);
});

Deno.test("CosignedHeads: a witness lags once others were ahead of it for longer than it may be", () => {
  const scene = new Scene();
  for (const who of [1, 2, 3]) scene.take(who, 9);
  scene.take(1, 10);
  const later = () => scene.take(3, 9, { at: BigInt(scene.now.wall / 1_000) });
  scene.pass(HOUR);
  later();
  assertEquals(scene.keeping(), "cosigning cosigning cosigning");
  scene.pass(1_000);
  // The first two have cosigned nothing for more than an hour; the third has, and is behind.
  later();
  assertEquals(scene.keeping(), "missing missing lagging");
  assertEquals(
    scene.keeping(true),
    "cosigning lagging lagging",
    "nothing more is expected of a still log",
  );
});

Deno.test("CosignedHeads: a witness that goes on a little behind the others keeps up", () => {
  const scene = new Scene();
  for (let size = 10; size < 10 + 3 * MAX_HEADS; size++) {
    scene.take(1, size);
    scene.take(2, size - 5);
    scene.pass(MINUTE);
    if (size > 80) assertEquals(scene.keeping().slice(0, 19), "cosigning cosigning");
  }
  assertEquals(scene.heads.heads.length, MAX_HEADS);
});

Deno.test("CosignedHeads: a witness that goes on too far behind the others lags, however much was signed since", () => {
  const scene = new Scene();
  for (let size = 100; size < 500; size++) {
    scene.take(1, size);
    if (size >= 170) scene.take(2, size - 70);
    scene.pass(MINUTE);
  }
  // 70 minutes behind, which is longer than the 64 heads that are remembered go back.
  assertEquals(scene.keeping(), "cosigning lagging missing");
});

Deno.test("CosignedHeads: with a time that is none, or to come, the moment counts at which it was seen first", () => {
  for (const at of [0n, 2n ** 62n]) {
    const scene = new Scene();
    scene.take(1, 9, { at });
    scene.pass(HOUR);
    scene.take(1, 9, { at });
    assertEquals(scene.keeping().split(" ")[0], "cosigning");
    scene.pass(1);
    scene.take(1, 9, { at });
    assertEquals(scene.keeping().split(" ")[0], "missing", `${at}`);
  }
});

Deno.test("CosignedHeads: heads beyond the limit are forgotten, the smallest first, and are no news", () => {
  const scene = new Scene();
  for (let size = 1; size <= MAX_HEADS; size++) scene.take(1, 100 + size);
  assertEquals(scene.take(2, 50), false);
  assertEquals(scene.take(2, 200), true);
  const sizes = scene.heads.heads.map(({ treeSize }) => treeSize);
  assertEquals([sizes[0], sizes.at(-1), sizes.length], [102n, 200n, MAX_HEADS]);
});
