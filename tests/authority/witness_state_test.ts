import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  WITNESS_FILE,
  WitnessState,
  WitnessStateDamaged,
  WitnessStateLocked,
} from "../../src/authority/witness_state.ts";
import { base64 } from "../../src/tlog/encoding.ts";
import { DurabilityLost } from "../../src/world/durable.ts";
import { WorldError } from "../../src/world/world.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import { PushingLog } from "./pushing_log.ts";

const FILE = `state/${WITNESS_FILE}`;

/** Records heads of logs as a witness does. */
class Recorder {
  readonly disk = new MemoryDisk();
  state!: WitnessState;
  readonly #logs = new Map<string, PushingLog>();

  async open({ wasteBytes }: { wasteBytes?: number } = {}): Promise<this> {
    this.state = await WitnessState.open({
      ...{ files: this.disk.files, folder: "state" },
      ...(wasteBytes !== undefined && { wasteBytes }),
    });
    return this;
  }

  async record(
    { origin = "log.invalid/one", old, size, history = 0 }: {
      origin?: string;
      old: bigint;
      size: bigint;
      history?: number;
    },
  ): Promise<boolean> {
    const log = this.#logs.get(origin) ?? await PushingLog.named(origin);
    this.#logs.set(origin, log);
    const note = await log.note({ size, history, extensions: "\u2028\n" });
    const head = { treeSize: size, root: base64(log.tree(history, size).root(size)) };
    return await this.state.replace({ origin, oldSize: old, head, note });
  }

  size(origin = "log.invalid/one"): bigint | undefined {
    return this.state.head(origin)?.treeSize;
  }

  /** The batches in the file, without the space behind them. */
  batches(path = FILE): Uint8Array<ArrayBuffer> {
    return withoutSpace(this.disk.bytes(path)!);
  }
}

function withoutSpace(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.slice(0, bytes.findLastIndex((byte) => byte !== 0) + 1);
}

Deno.test("witness state: what was recorded is there after a restart, byte for byte", async () => {
  const recorder = await new Recorder().open();
  assert(await recorder.record({ old: 0n, size: 5n }));
  assert(await recorder.record({ old: 5n, size: 9n }));
  assert(await recorder.record({ origin: "log.invalid/zw\u00f6", old: 0n, size: 3n }));
  const note = await recorder.state.note("log.invalid/one");
  await recorder.state.close();
  await recorder.open();
  assertEquals([recorder.size(), recorder.size("log.invalid/zw\u00f6")], [9n, 3n]);
  assertEquals(await recorder.state.note("log.invalid/one"), note);
  assertEquals(recorder.state.tornBytes, 0);
});

Deno.test("witness state: it is check and set, and nothing is taken back", async () => {
  const recorder = await new Recorder().open();
  assert(!await recorder.record({ old: 3n, size: 5n }));
  assert(await recorder.record({ old: 0n, size: 5n }));
  assert(!await recorder.record({ old: 0n, size: 9n }));
  assert(!await recorder.record({ old: 5n, size: 4n }), "a smaller size");
  assert(!await recorder.record({ old: 5n, size: 5n, history: 1 }), "another root at that size");
  assert(await recorder.record({ old: 5n, size: 5n }), "the same again");
  const race = [0, 1].map((history) => recorder.record({ old: 5n, size: 6n, history }));
  assertEquals((await Promise.all(race)).sort(), [false, true]);
});

Deno.test("witness state: what comes during a sync shares the next one", async () => {
  const recorder = await new Recorder().open();
  let syncs = 0;
  const files = recorder.disk.files;
  const open = files.open;
  files.open = async (...given) => {
    const file = await open(...given);
    const sync = file.sync;
    file.sync = async () => {
      syncs++;
      await new Promise((resolve) => setTimeout(resolve, 5));
      await sync();
    };
    return file;
  };
  await recorder.state.close();
  recorder.state = await WitnessState.open({ files, folder: "state" });
  const origins = Array.from({ length: 100 }, (_, i) => `log.invalid/${i}`);
  await Promise.all(origins.map((origin) => recorder.record({ origin, old: 0n, size: 5n })));
  assert(syncs <= 20, `100 records took ${syncs} syncs`);
  assertEquals(origins.every((origin) => recorder.size(origin) === 5n), true);
});

Deno.test("witness state: a failed write changes nothing, and the next one works", async () => {
  const recorder = await new Recorder().open();
  await recorder.record({ old: 0n, size: 5n });
  for (const at of [1, 2]) {
    for (const when of ["before", "after"] as const) {
      recorder.disk.fail({ at, when, lasting: false });
      await assertRejects(() => recorder.record({ old: 5n, size: 9n }), WorldError);
      assertEquals(recorder.size(), 5n);
    }
  }
  recorder.disk.fail(undefined);
  assert(await recorder.record({ old: 5n, size: 9n }));
  await recorder.state.close();
  assertEquals((await recorder.open()).size(), 9n);
});

Deno.test("witness state: if a failed write cannot be undone, nothing is written any more", async () => {
  const recorder = await new Recorder().open();
  await recorder.record({ old: 0n, size: 5n });
  recorder.disk.fail({ at: 1, when: "after", lasting: true });
  await assertRejects(() => recorder.record({ old: 5n, size: 9n }), DurabilityLost);
  recorder.disk.fail(undefined);
  await assertRejects(() => recorder.record({ old: 5n, size: 9n }), DurabilityLost);
});

Deno.test("witness state: a torn end is cut off, however much of it is left", async () => {
  const recorder = await new Recorder().open();
  await recorder.record({ old: 0n, size: 5n });
  const whole = recorder.batches();
  await recorder.record({ old: 5n, size: 9n });
  const longer = recorder.batches();
  await recorder.state.close();
  for (let length = whole.length; length < longer.length; length++) {
    const start = longer.slice(0, length);
    const rest = longer.slice(length);
    // What follows is lost, was space before, or is there but for its first byte or the first bytes.
    const ends = [[], new Uint8Array(rest.length), [0, ...rest.slice(1)], [
      ...new Uint8Array(30),
      ...rest.slice(30),
    ]];
    for (const end of ends) {
      const bytes = Uint8Array.of(...start, ...end);
      recorder.disk.put(FILE, bytes);
      await recorder.open();
      assertEquals(recorder.size(), 5n);
      assertEquals(recorder.state.tornBytes, withoutSpace(bytes).length - whole.length);
      assert(await recorder.record({ old: 5n, size: 7n }));
      await recorder.state.close();
      assertEquals((await recorder.open()).size(), 7n);
      assertEquals(recorder.state.tornBytes, 0, "nothing of it was left behind the new batch");
      await recorder.state.close();
    }
  }
});

Deno.test("witness state: of a torn end that is longer than the next batch nothing is left", async () => {
  const recorder = await new Recorder().open();
  await recorder.record({ old: 0n, size: 5n });
  const whole = recorder.batches();
  const origin = `log.invalid/${"long".repeat(50)}`;
  await recorder.record({ origin, old: 0n, size: 9n });
  const longer = recorder.batches();
  await recorder.state.close();
  // The batch has lost its first bytes, which the power cut took. Its end is there.
  const torn = longer.slice();
  torn.fill(0, whole.length, whole.length + 20);
  recorder.disk.put(FILE, torn);
  await recorder.open();
  assertEquals([recorder.size(), recorder.size(origin)], [5n, undefined]);
  assert(await recorder.record({ old: 5n, size: 7n }));
  await recorder.state.close();
  await recorder.open();
  assertEquals([recorder.state.tornBytes, recorder.size(), recorder.size(origin)], [
    ...[0, 7n, undefined],
  ]);
  await recorder.state.close();
});

Deno.test("witness state: space is taken in advance, and is no torn end", async () => {
  const recorder = await new Recorder().open();
  const lengths = new Set<number>();
  let size = 0n;
  const grow = async (): Promise<void> => {
    assert(await recorder.record({ old: size, size: ++size }));
    const { length } = recorder.disk.durable(FILE)!;
    assert(recorder.batches().length <= length);
    lengths.add(length);
  };
  while (lengths.size < 3) await grow();
  const perLength = Number(size) / lengths.size;
  assert(perLength > 20, `the length changed with every ${perLength} records`);
  // A start takes the space as it is, also if it has just been used up.
  for (const isFull of [false, true]) {
    await recorder.state.close();
    if (isFull) recorder.disk.put(FILE, recorder.batches());
    const before = recorder.disk.bytes(FILE)!.length;
    await recorder.open();
    assertEquals([recorder.state.tornBytes, recorder.size()], [0, size]);
    assertEquals(recorder.disk.bytes(FILE)!.length, before);
    await grow();
    assertEquals(recorder.disk.bytes(FILE)!.length > before, isFull);
  }
});

Deno.test("witness state: damage before the end is no crash, and it does not start", async () => {
  const recorder = await new Recorder().open();
  await recorder.record({ old: 0n, size: 5n });
  const first = recorder.batches().length;
  await recorder.record({ old: 5n, size: 9n });
  await recorder.state.close();
  const whole = recorder.disk.bytes(FILE)!;
  for (let at = 0; at < first; at++) {
    recorder.disk.put(FILE, whole.with(at, whole[at]! ^ 1));
    await assertRejects(() => recorder.open(), WitnessStateDamaged);
  }
});

Deno.test("witness state: a batch of which a part is left is forgotten whole", async () => {
  const recorder = await new Recorder().open();
  await recorder.record({ old: 0n, size: 5n });
  const before = recorder.batches().length;
  const origins = ["log.invalid/two", "log.invalid/three"];
  await Promise.all(origins.map((origin) => recorder.record({ origin, old: 0n, size: 5n })));
  await recorder.state.close();
  const whole = recorder.disk.bytes(FILE)!;
  // An empty line stands before the batch.
  const second = whole.indexOf(0x0a, before + 1) + 1;
  // The first line of two, or the second one, is what the disk had.
  for (const bytes of [whole.slice(0, second), whole.with(before + 1, 0x20)]) {
    recorder.disk.put(FILE, bytes);
    await recorder.open();
    assertEquals(origins.map((origin) => recorder.size(origin)), [undefined, undefined]);
    assertEquals(recorder.size(), 5n);
    await recorder.state.close();
  }
});

Deno.test("witness state: one process at a time has it", async () => {
  const recorder = await new Recorder().open();
  await assertRejects(() => new Recorder().open.call(recorder), WitnessStateLocked);
});

Deno.test("witness state: the file is written anew when most of it is not needed", async () => {
  const recorder = await new Recorder().open();
  const state = await WitnessState.open({
    ...{ files: recorder.disk.files, folder: "short", wasteBytes: 2_000 },
  });
  recorder.state = state;
  const path = `short/${WITNESS_FILE}`;
  await recorder.record({ origin: "log.invalid/two", old: 0n, size: 3n });
  for (let size = 0n; size < 60n; size++) await recorder.record({ old: size, size: size + 1n });
  await state.close();
  assert(recorder.batches(path).length < 4_000, `${recorder.batches(path).length} bytes`);
  recorder.state = await WitnessState.open({ files: recorder.disk.files, folder: "short" });
  assertEquals([recorder.size(), recorder.size("log.invalid/two")], [60n, 3n]);
  assert(await recorder.record({ old: 60n, size: 61n }));
  assert((await recorder.state.note("log.invalid/two"))!.includes("\n3\n"));
});

Deno.test("witness state: a power cut while it is written anew forgets nothing", async () => {
  let wasReached = true;
  for (let at = 1; wasReached; at++) {
    assert(at < 500, "the steps come to an end");
    for (const when of ["before", "after"] as const) {
      for (const keepShare of [0, 0.5, 1]) {
        const recorder = await new Recorder().open();
        await recorder.state.close();
        const open = async () => {
          const files = recorder.disk.files;
          recorder.state = await WitnessState.open({ files, folder: "state", wasteBytes: 700 });
        };
        await open();
        let reached = 0n;
        recorder.disk.fail({ at, when, lasting: true });
        for (let size = 0n; size < 8n; size++) {
          const isRecorded = await recorder.record({ old: size, size: size + 1n }).catch(() =>
            false
          );
          if (isRecorded) reached = size + 1n;
        }
        wasReached = recorder.disk.operations >= at;
        recorder.disk.crash({ keepShare });
        await open();
        const size = recorder.size() ?? 0n;
        assert(size === reached || size === reached + 1n, `${size} is left of ${reached}`);
        assert(await recorder.record({ old: size, size: size + 1n }));
        await recorder.state.close();
      }
    }
  }
});

Deno.test("witness state: what a start shows of a process that was killed outlives a power cut", async () => {
  let wasReached = true;
  for (let at = 1; wasReached; at++) {
    assert(at < 500, "the steps come to an end");
    for (const when of ["before", "after"] as const) {
      for (const isGrowing of [false, true]) {
        const recorder = new Recorder();
        const step = { at, when, lasting: true };
        recorder.disk.fail(step);
        try {
          await recorder.open({ wasteBytes: 700 });
          for (let size = 0n; size < 8n; size++) {
            await recorder.record({ old: size, size: size + 1n });
          }
        } catch (error) {
          assert(error instanceof WorldError || error instanceof DurabilityLost, String(error));
        }
        wasReached = recorder.disk.operations >= at;
        // What was written is still there, and whatever name leads to it. A power cut may take it.
        recorder.disk.kill();
        await recorder.open();
        let shown = recorder.size() ?? 0n;
        if (isGrowing) assert(await recorder.record({ old: shown, size: ++shown }));
        recorder.disk.crash({ keepShare: 0 });
        await recorder.open();
        const what = `step ${at} fails ${when} its effect${
          isGrowing ? ", and more is recorded" : ""
        }`;
        assertEquals(recorder.size() ?? 0n, shown, what);
      }
    }
  }
});
