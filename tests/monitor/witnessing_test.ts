/** A daemon that is a witness: what logs push to it meets what it polls and what members say. */
import { assertEquals, assertRejects } from "@std/assert";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { MAX_ROOTS_PER_SIZE } from "../../src/evidence/memory.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { WITNESS_FILE, WitnessStateDamaged } from "../../src/authority/witness_state.ts";
import { ED25519_KEY, MLDSA_KEY } from "../authority/stage.ts";
import { type OpenFile, WorldError } from "../../src/world/world.ts";
import { grow } from "../evidence/histories.ts";
import { type Host, INCIDENTS, logAt, MINUTE, parted, Stage, STATE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

const CALLER = "192.0.2.7";
const keys = [ED25519_KEY];

/** A log pushes its latest checkpoint. @returns the status */
async function push(host: Host, log: TestLog, old = 0n): Promise<number> {
  const proof = log.consistencyProof({ older: old, newer: log.treeSize })
    .map((hash) => `${base64(hash)}\n`).join("");
  const body = utf8(`old ${old}\n${proof}\n${await log.checkpoint()}`);
  return (await host.daemon!.witnessing!.witness.addCheckpoint(body, CALLER)).status;
}

for (const [what, sizes] of [["equal", [9, 9]], ["different", [9, 12]]] as const) {
  Deno.test(`witness: a log that pushes one history and shows another is caught, ${what} sizes`, async () => {
    await using stage = await Stage.set();
    const [ours, theirs] = await parted({ at: 4, sizes });
    const host = stage.one;
    const source = new ScriptedSource(ours);
    await host.start({ logs: [{ source }], witness: { keys, pushed: [] } });
    assertEquals(await push(host, theirs), 200);
    // What reaches further than the view waits until the log shows so much.
    ours.append("a", "b", "c", "d", "e");
    await host.pass(3 * MINUTE);
    assertEquals(host.daemon!.incidents, 1);
  });
}

Deno.test("witness: an honest log that pushes and is polled makes no incident and no question", async () => {
  await using stage = await Stage.set();
  const [ours] = await parted({ at: 4, sizes: [9, 9] });
  const host = stage.one;
  await host.start({ logs: [{ source: new ScriptedSource(ours) }], witness: { keys, pushed: [] } });
  for (let i = 0, old = 0n; i < 4; i++) {
    assertEquals(await push(host, ours, old), 200);
    old = ours.treeSize;
    ours.append(`entry ${i}`);
    await host.pass(MINUTE);
  }
  await host.pass(2 * MINUTE);
  assertEquals(host.daemon!.incidents, 0);
  assertEquals(host.daemon!.status().logs[0]!.openQuestions, 0);
});

Deno.test("witness: two witnesses that are pushed two histories of one log catch it", async () => {
  await using stage = await Stage.set();
  const [ours, theirs] = await parted({ at: 4, sizes: [9, 9] });
  const { one, two } = stage;
  const witness = { keys, pushed: [ours.log] };
  await one.start({ logs: [], peers: [two.address], witness });
  await two.start({ logs: [], peers: [one.address], witness });
  assertEquals([await push(one, ours), await push(two, theirs)], [200, 200]);
  await stage.minutes(4);
  assertEquals([one.daemon!.incidents, two.daemon!.incidents], [1, 1]);
  assertEquals(one.daemon!.status().witness!.pushed[0]!.incidents, 1);
});

Deno.test("witness: what it refuses at one size is recorded when it answers, after a restart too", async () => {
  await using stage = await Stage.set();
  const [ours, theirs] = await parted({ at: 4, sizes: [9, 9] });
  const host = stage.one;
  const witness = { keys, pushed: [ours.log] };
  await host.start({ logs: [], witness });
  assertEquals(await push(host, ours), 200);
  await host.crash();
  await host.start({ logs: [], witness });
  assertEquals(await push(host, theirs), 409);
  assertEquals(host.daemon!.incidents, 1);
  await host.stop();
  await host.start({ logs: [], witness });
  assertEquals(host.daemon!.casesHeld, 1);
  assertEquals(await push(host, theirs), 409);
  assertEquals(host.daemon!.incidents, 0, "it is known");
});

Deno.test("witness: a larger checkpoint without its proof is kept, and the status counts it", async () => {
  await using stage = await Stage.set();
  const [ours, theirs] = await parted({ at: 4, sizes: [9, 12] });
  const host = stage.one;
  await host.start({ logs: [], witness: { keys, pushed: [ours.log] } });
  const open = (): number | undefined => host.daemon!.status().witness!.pushed[0]!.openQuestions;
  assertEquals(await push(host, ours), 200);
  assertEquals(open(), undefined);
  assertEquals(await push(host, theirs, 9n), 422);
  await host.pass(MINUTE);
  assertEquals([open(), host.daemon!.incidents], [1, 0]);
});

Deno.test("witness: with a full disk no case is lost, and it is written once there is room", async () => {
  await using stage = await Stage.set();
  const base = grow(await logAt(), 4);
  const forks = ["theirs", "another"].map((word) => grow(base.fork(), 9, word));
  const ours = grow(base, 9, "ours");
  const host = stage.one;
  const { databases, files } = host;
  let isFull = false;
  const refuse = (): void => {
    if (isFull) throw new WorldError("other", "no space left on device");
  };
  const open = databases.open.bind(databases);
  databases.open = (path) => {
    const database = open(path);
    return {
      ...database,
      get: (...given) => (refuse(), database.get(...given)),
      all: (...given) => (refuse(), database.all(...given)),
      transaction: (work) => (refuse(), database.transaction(work)),
    };
  };
  const refusing = (path: string, file: OpenFile): OpenFile => ({
    ...file,
    write: async (...given) => {
      if (path.startsWith(INCIDENTS)) refuse();
      await file.write(...given);
    },
  });
  host.files = {
    ...files,
    open: async (path, mode) => refusing(path, await files.open(path, mode)),
    create: async (path, mode) => refusing(path, await files.create(path, mode)),
  };
  await host.start({ logs: [], witness: { keys, pushed: [ours.log] } });
  assertEquals(await push(host, ours), 200);
  isFull = true;
  for (const fork of forks) assertEquals(await push(host, fork), 409);
  assertEquals(host.daemon!.status().unwritten, true);
  isFull = false;
  await host.pass(MINUTE);
  assertEquals(host.daemon!.status().unwritten, false);
  assertEquals((await host.records()).length, 2);
});

Deno.test("witness: with the state of another one of the same key it does not start", async () => {
  await using stage = await Stage.set();
  const [ours, theirs] = await parted({ at: 4, sizes: [9, 9] });
  const duties = { logs: [], witness: { keys, pushed: [ours.log] } };
  const path = `${STATE}/${WITNESS_FILE}`;
  for (const [host, log] of [[stage.one, ours], [stage.two, theirs]] as const) {
    await host.start(duties);
    assertEquals(await push(host, log), 200);
    await host.pass(MINUTE);
    await host.stop();
  }
  stage.one.disk.put(path, stage.two.disk.bytes(path)!);
  await assertRejects(
    () => stage.one.open(duties),
    WitnessStateDamaged,
    "has cosigned size 9 of log.invalid/one",
  );
});

for (
  const [what, lose] of [
    ["file", (host: Host) => host.disk.files.remove(`${STATE}/${WITNESS_FILE}`)],
    ["folder", (host: Host) => host.disk.move(STATE)],
  ] as const
) {
  Deno.test(`witness: a key that has cosigned does not begin anew, if the ${what} of its state is gone`, async () => {
    await using stage = await Stage.set();
    const [ours] = await parted({ at: 4, sizes: [9, 9] });
    const host = stage.one;
    // Nothing else would say so: of a log with a source, and of those of a list, no view is proven here.
    const duties = { logs: [{ source: new ScriptedSource(ours) }], witness: { keys, pushed: [] } };
    await host.start(duties);
    assertEquals(await push(host, ours), 200);
    await host.stop();
    await lose(host);
    await assertRejects(() => host.open(duties), WitnessStateDamaged, "has cosigned with");
    // What was lost of the folder is noted meanwhile, and it does not help to try again.
    await assertRejects(() => host.open(duties), WitnessStateDamaged, "has cosigned with");
    const another = { ...duties, witness: { ...duties.witness, keys: [MLDSA_KEY] } };
    await host.start(another);
    assertEquals(await push(host, ours), 200);
  });
}

Deno.test("witness: what it answers with 409 or 400 is held to the log's own tiles", async () => {
  await using stage = await Stage.set();
  const [ours, theirs] = await parted({ at: 4, sizes: [12, 7] });
  const host = stage.one;
  await host.start({ logs: [{ source: new ScriptedSource(ours) }], witness: { keys, pushed: [] } });
  assertEquals(await push(host, ours), 200);
  assertEquals(await push(host, theirs), 409);
  await host.pass(3 * MINUTE);
  const [record] = await host.records();
  assertEquals(record?.kind, "cross_size");
});

Deno.test("witness: a log that signs root after root at one size makes as many cases as are kept of it", async () => {
  await using stage = await Stage.set();
  const [ours, parting] = await parted({ at: 4, sizes: [9, 8] });
  const host = stage.one;
  await host.start({ logs: [], witness: { keys, pushed: [ours.log] } });
  assertEquals(await push(host, ours), 200);
  for (let i = 0; i < 12; i++) {
    const other = parting.fork();
    other.append(`story ${i}`);
    assertEquals(await push(host, other), 409);
  }
  assertEquals((await host.records()).length, MAX_ROOTS_PER_SIZE - 1);
});
for (const [when, isRefusing] of [["", false], [", also after a case", true]] as const) {
  Deno.test(`witness: without its state, or with an old one, it does not start${when}`, async () => {
    await using stage = await Stage.set();
    const [ours, theirs] = await parted({ at: 4, sizes: [9, 9] });
    const host = stage.one;
    const duties = { logs: [], witness: { keys, pushed: [ours.log] } };
    const path = `${STATE}/${WITNESS_FILE}`;
    await host.start(duties);
    assertEquals(await push(host, ours), 200);
    // A case tells of the cosigned checkpoint before it is written down as the view.
    if (isRefusing) assertEquals(await push(host, theirs), 409);
    await host.pass(MINUTE);
    await host.crash();
    await host.start(duties);
    const old = host.disk.bytes(path)!;
    ours.append("more");
    // After a case the log is frozen, and its state does not go on.
    const [size, status] = isRefusing ? [9n, 503] : [10n, 200];
    assertEquals(await push(host, ours, 9n), status);
    await host.pass(MINUTE);
    await host.stop();
    const last = host.disk.bytes(path)!;
    for (const lost of [new Uint8Array(0), ...isRefusing ? [] : [old]]) {
      host.disk.put(path, lost);
      await assertRejects(
        () => host.open(duties),
        WitnessStateDamaged,
        `has cosigned size ${size}`,
      );
    }
    host.disk.put(path, last);
    await host.start(duties);
    assertEquals(await push(host, ours, size), status);
  });
}
