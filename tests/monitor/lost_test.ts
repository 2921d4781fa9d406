/** What was in a monitor's folders and is no more is told, until a person has seen it. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type Daemon } from "../../src/monitor/daemon.ts";
import { PlaceForeign } from "../../src/monitor/places.ts";
import { troublesOf } from "../../src/monitor/troubles.ts";
import { JournalDamaged } from "../../src/store/journal.ts";
import { INDEX_FILE } from "../../src/store/observations.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { PlaceLost } from "../../src/world/durable.ts";
import { WorldError } from "../../src/world/world.ts";
import { checkpointOf } from "../evidence/histories.ts";
import { SettableClock } from "../gossip/fake_network.ts";
import { type Duties, Host, HOUR, INCIDENTS, MINUTE, parted, STATE } from "./hosts.ts";
import { noteOf, ScriptedSource } from "./scripted_source.ts";

const [ours, theirs] = await parted({ at: 6, sizes: [30, 30] });
const JOURNAL = `${INCIDENTS}/journal.jsonl`;
const SEGMENT = `${STATE}/observations-000001.jsonl`;

/** A monitor of one log, and what it is told to do. */
async function newHost(
  host?: Host,
): Promise<{ host: Host; source: ScriptedSource; duties: Duties }> {
  for (const size of [8, 12, 16]) await noteOf(ours, size);
  const source = new ScriptedSource(ours, 8);
  const duties = { logs: [{ source }], gossipMs: HOUR };
  return { host: host ?? await Host.make(), source, duties };
}

/** One that has recorded a case, seen more of the log since, and was stopped. */
async function withCase(): ReturnType<typeof newHost> {
  const stage = await newHost();
  const { host, source, duties } = stage;
  await host.start(duties);
  await host.hear([(await checkpointOf(theirs, 7)).frame]);
  source.size = 12;
  await host.pass(2 * MINUTE);
  assertEquals((await host.cases()).length, 1);
  await host.stop();
  assertEquals([host.loud("journal.lost"), host.refusals], [[], []], "nothing is lost yet");
  return stage;
}

function lost(daemon: Daemon): readonly string[] {
  return daemon.status().lost ?? [];
}

/** Removes files durably, as a person does. */
async function remove(host: Host, ...paths: string[]): Promise<void> {
  for (const path of paths) await host.disk.files.remove(path);
  for (const folder of [STATE, INCIDENTS]) await host.disk.files.syncFolder(folder);
}

function removeIndex(host: Host): void {
  host.databases.remove(`${STATE}/${INDEX_FILE}`);
}

/** The text without its last lines. */
function without(text: string, lines: number): string {
  return text.split("\n").slice(0, -1 - lines).map((line) => line + "\n").join("");
}

Deno.test("lost: a first start, every later one, and one without the index are quiet", async () => {
  const { host, duties } = await withCase();
  await using _ = host;
  for (const prepare of [() => {}, () => removeIndex(host), () => {}]) {
    prepare();
    const daemon = await host.start(duties);
    assertEquals(lost(daemon), []);
    assertEquals(host.loud("journal.lost"), []);
    await host.stop();
  }
});

/** What is done to a stopped monitor's folders, and what must be said. */
const LOSSES: readonly (readonly [
  what: string,
  lose: (host: Host) => Promise<void> | void,
  said: RegExp,
])[] = [
  [
    "the observation journal gone, with the index left",
    async (host) => {
      await remove(host, SEGMENT);
    },
    /the observation journal in "home\/state" lacks entries: it had entry \d+ .* has no entry now/,
  ],
  ["the observation journal gone, and its index", async (host) => {
    await remove(host, SEGMENT);
    removeIndex(host);
  }, /the observation journal in "home\/state" is gone, and this monitor has run before/],
  [
    "the last lines of the observations cut",
    (host) => {
      host.disk.put(SEGMENT, without(host.disk.content(SEGMENT)!, 2));
    },
    /the observation journal in "home\/state" lacks entries: it had entry \d+ .* last entry is \d+ now/,
  ],
  ["the state folder gone", (host) => {
    host.disk.move(STATE);
    removeIndex(host);
  }, /the observation journal in "home\/state" is gone, and this monitor has run before/],
  ["the incident journal gone", async (host) => {
    await remove(host, JOURNAL);
  }, /the incident journal in "home\/incidents" lacks entries: it had entry 3 with the hash/],
  ["the incident journal gone, and the index", async (host) => {
    await remove(host, JOURNAL);
    removeIndex(host);
  }, /the incident journal in "home\/incidents" is gone, and this monitor has run before/],
  ["the incidents folder gone", (host) => {
    host.disk.move(INCIDENTS);
  }, /the incident journal in "home\/incidents" is gone, and this monitor has run before/],
  ["the last lines of the incident journal cut", (host) => {
    host.disk.put(JOURNAL, "");
  }, /the incident journal in "home\/incidents" lacks entries: it had entry 3 .* /],
];

for (const [what, lose, said] of LOSSES) {
  Deno.test(`lost: ${what}: told at every start, and a trouble until a person removes the note`, async () => {
    const { host, duties } = await withCase();
    await using _ = host;
    await lose(host);
    host.disk.crash({ keepShare: 1 });
    for (let start = 1; start <= 2; start++) {
      host.told.length = 0;
      const daemon = await host.start(duties);
      assertMatch(lost(daemon).join("\n"), said);
      const told = host.toldOf("journal.lost");
      assertEquals(told.map(({ level }) => level), lost(daemon).map(() => "error"));
      assertMatch(`${told[0]!.fields.detail}`, / \(noted in home\/(state|incidents)\/lost\.txt\)$/);
      assertMatch(`${told[0]!.fields.advice}`, /remove the lost\.txt in which it is noted/);
      const troubles = troublesOf(daemon.status()).filter(({ text }) => /^lost: /.test(text));
      assertEquals(troubles.length, lost(daemon).length);
      if (start === 1) await host.stop();
    }
    await remove(host, `${STATE}/lost.txt`);
    await host.pass(2 * MINUTE);
    assertEquals(lost(host.daemon!), [], "a person has seen it");
    await host.stop();
    host.told.length = 0;
    await host.start(duties);
    assertEquals([lost(host.daemon!), host.loud("journal.lost")], [[], []]);
  });
}

Deno.test("lost: an older copy of the state, with the index of its time, is told by a later case", async () => {
  const { host, source, duties } = await newHost();
  await using _ = host;
  await host.start(duties);
  await host.stop();
  const copy = new Map(host.disk.paths().map((path) => [path, host.disk.bytes(path)!]));
  await host.clock.advance(5 * HOUR);
  await host.start(duties);
  await host.hear([(await checkpointOf(theirs, 7)).frame]);
  source.size = 12;
  await host.pass(2 * MINUTE);
  await host.stop();
  for (const [path, bytes] of copy) if (path.startsWith(STATE)) host.disk.put(path, bytes);
  removeIndex(host);
  const daemon = await host.start(duties);
  assertMatch(lost(daemon).join(), /the observations may be an older copy/);
});

Deno.test("lost: a clock that was ahead while a case was found, and is set back, makes nothing lost", async () => {
  const clock = new SettableClock();
  const { host, source, duties } = await newHost(await Host.make({ clock }));
  await using _ = host;
  await host.start(duties);
  await host.stop();
  clock.ahead = 5 * HOUR;
  await host.start(duties);
  await host.hear([(await checkpointOf(theirs, 7)).frame]);
  source.size = 12;
  await host.pass(2 * MINUTE);
  assertEquals((await host.cases()).length, 1);
  clock.ahead = 0;
  source.size = 16;
  await host.pass(2 * MINUTE);
  await host.stop();
  assertEquals(lost(await host.start(duties)), []);
});

Deno.test("lost: what is gone is written down once, however often a start fails after that", async () => {
  const { host, duties } = await withCase();
  await using _ = host;
  await remove(host, JOURNAL);
  removeIndex(host);
  host.disk.put(SEGMENT, "no journal\n");
  for (let start = 1; start <= 3; start++) {
    await assertRejects(() => host.open(duties), JournalDamaged);
  }
  assertEquals(host.disk.content(`${STATE}/lost.txt`)!.split("\n").length, 2);
});

Deno.test("lost: a note that is no UTF-8 hides no loss, and a further one takes nothing from it", async () => {
  const { host, duties } = await withCase();
  await using _ = host;
  const note = new Uint8Array([...utf8("2026-01-01T00:00:00.000Z Zur"), 0xfc, ...utf8("ich\n")]);
  host.disk.put(`${STATE}/lost.txt`, note);
  await remove(host, JOURNAL);
  const [first, ...more] = lost(await host.start(duties));
  assertMatch(first!, /Zur.ich \(noted in home\/state\/lost\.txt\)$/);
  assert(more.length > 0);
  assertEquals(host.disk.bytes(`${STATE}/lost.txt`)!.subarray(0, note.length), note);
});

Deno.test("lost: what could not be written down is not made anew", async () => {
  const { host, duties } = await withCase();
  await using _ = host;
  await remove(host, SEGMENT);
  removeIndex(host);
  const disk = host.refusableDisk();
  disk.refuses = true;
  await assertRejects(() => host.open(duties), Error, "No space left");
  assert(!host.disk.paths().includes(SEGMENT), "a start later still sees that it is gone");
  disk.refuses = false;
  assertEquals(lost(await host.start(duties)).length, 1);
});

for (const name of ["state", "incidents"] as const) {
  Deno.test(`lost: a "${name}" folder of another monitor is refused, and nothing is written`, async () => {
    const { host, duties } = await withCase();
    await using _ = host;
    const other = await Host.make({ number: 2 });
    await using _other = other;
    await other.start(duties);
    await other.stop();
    const folder = name === "state" ? STATE : INCIDENTS;
    for (const path of other.disk.paths().filter((path) => path.startsWith(folder))) {
      host.disk.put(path, other.disk.bytes(path)!);
    }
    const before = new Map(host.disk.paths().map((path) => [path, host.disk.content(path)]));
    const error = await assertRejects(() => host.open(duties), PlaceForeign);
    assertMatch(error.message, /"monitor\.invalid\/2", and this one is "monitor\.invalid\/1"/);
    assertEquals(host.loud("folder.foreign"), ["error"]);
    const after = new Map(host.disk.paths().map((path) => [path, host.disk.content(path)]));
    assertEquals(after, before);
  });
}

Deno.test("lost: incidents of another monitor only, from before folders said whose they are, are told", async () => {
  const { host, duties } = await withCase();
  await using _ = host;
  const other = await Host.make({ number: 2 });
  await using _other = other;
  other.disk.put(JOURNAL, host.disk.bytes(JOURNAL)!);
  const daemon = await other.start(duties);
  assertMatch(
    lost(daemon).join(),
    /has no record of this monitor: its records are by "monitor\.invalid\/1"/,
  );
});

for (const [name, folder] of [["state", STATE], ["incidents", INCIDENTS]] as const) {
  for (const isReplaced of [false, true]) {
    const what = isReplaced ? "replaced by a copy" : "moved away";
    Deno.test(`moved: a "${name}" folder that is ${what} ends the daemon, and nothing more is written`, async () => {
      const { host, source, duties } = await newHost();
      await using _ = host;
      const daemon = await host.open(duties);
      const ended = daemon.run();
      await host.pass(MINUTE);
      const copies = host.disk.paths().filter((path) => path.startsWith(folder))
        .map((path) => [path, host.disk.bytes(path)!] as const);
      host.disk.move(folder, "home/elsewhere");
      if (isReplaced) { for (const [path, bytes] of copies) host.disk.put(path, bytes); }
      const before = host.disk.paths().map((path) => [path, host.disk.content(path)] as const)
        .filter(([path]) => path.startsWith(folder) || path.startsWith("home/elsewhere"));
      source.size = 12;
      await Promise.all([
        assertRejects(() => ended, PlaceLost, isReplaced ? "is another file" : "is gone"),
        host.clock.advance(5 * MINUTE),
      ]);
      // Whoever started it closes it, as `run` does after every error.
      await daemon.close();
      const after = host.disk.paths().map((path) => [path, host.disk.content(path)] as const)
        .filter(([path]) => path.startsWith(folder) || path.startsWith("home/elsewhere"));
      assertEquals(after, before);
      assertEquals(host.loud("folder.moved"), ["error"], "told once");
      const note = host.disk.content(`${folder === STATE ? INCIDENTS : STATE}/lost.txt`);
      assertMatch(note!, /^\S+Z home\/\S+ is (gone|another file)/);
      if (isReplaced) return;
      const next = await host.start(duties);
      assertMatch(lost(next).join(), /is gone, and this monitor has run before/);
    });
  }
}

for (const [name, folder] of [["state", STATE], ["incidents", INCIDENTS]] as const) {
  Deno.test(`moved: a "${name}" folder that is put back whole needs no word, and an older copy does`, async () => {
    const { host, source, duties } = await newHost();
    await using _ = host;
    await host.start(duties);
    source.size = 11;
    await host.pass(MINUTE);
    await host.stop();
    const daemon = await host.open(duties);
    const ended = daemon.run();
    await host.pass(MINUTE);
    host.disk.move(folder, "home/elsewhere");
    source.size = 12;
    await Promise.all([assertRejects(() => ended, PlaceLost), host.clock.advance(5 * MINUTE)]);
    host.disk.move("home/elsewhere", folder);
    const next = await host.start(duties);
    assertEquals([lost(next), host.loud("journal.lost")], [[], []]);
    const other = folder === STATE ? INCIDENTS : STATE;
    assertEquals(host.disk.content(`${other}/lost.txt`), undefined, "the note is withdrawn");
    await host.stop();
    const kind = folder === STATE ? "observation" : "incident";
    const note =
      `2026-01-01T00:00:00.000Z x is gone: moved; the ${kind} journal ended with entry 999, ` +
      `${"a".repeat(64)}`;
    host.disk.put(`${other}/lost.txt`, utf8(`${note}\n`));
    assertEquals(lost(await host.start(duties)), [`${note} (noted in ${other}/lost.txt)`]);
  });
}

Deno.test("moved: a case proven meanwhile is printed whole, and not told as recorded", async () => {
  const { host, source, duties } = await newHost();
  await using _ = host;
  source.size = 12;
  const daemon = await host.open(duties);
  const ended = daemon.run();
  await host.pass(MINUTE);
  host.disk.move(INCIDENTS, "home/elsewhere");
  const heard = host.hear([(await checkpointOf(theirs, 12)).frame]);
  await Promise.all([
    assertRejects(() => ended, Error, "is gone"),
    heard,
    host.clock.advance(5 * MINUTE),
  ]);
  assertEquals(host.toldOf("incident.recorded"), []);
  const [told] = host.toldOf("incident.not written");
  assertEquals((told!.fields.record as { kind: string }).kind, "same_size");
  assertEquals([await heard, host.loud("folder.moved")], [0, ["error"]]);
});

Deno.test("moved: a disk that only refuses to tell is no folder that was moved", async () => {
  const { host, source, duties } = await newHost();
  await using _ = host;
  let refuses = false;
  const { files } = host;
  host.files = {
    ...files,
    identity: (path) =>
      refuses
        ? Promise.reject(new WorldError("other", "Input/output error (os error 5)"))
        : files.identity(path),
  };
  const daemon = await host.start(duties);
  [refuses, source.size] = [true, 12];
  await host.pass(3 * MINUTE);
  assertEquals(daemon.status().logs[0]!.lastResult, "not written", "it is tried again");
  refuses = false;
  await host.pass(10 * MINUTE);
  assertEquals(daemon.status().logs[0]!.size, "12");
  assertEquals(host.loud("folder.moved"), []);
  for (const error of host.refusals) assert(!(error instanceof PlaceLost), error.stack);
});
