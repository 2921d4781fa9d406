/** What the monitor of a mirrored journal, or somebody with its public notes, can do to a daemon. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { MAX_MIRRORS } from "../../src/federation/settings.ts";
import { MAX_STRANGERS_MIRRORS } from "../../src/monitor/mirroring.ts";
import type { Push } from "../../src/federation/wire.ts";
import { QUESTION_LIMITS } from "../../src/monitor/questions.ts";
import { formatCheckpointText } from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { makeLog } from "../../src/tlog/log.ts";
import { formatNote } from "../../src/tlog/note.ts";
import { ManualClock, settled } from "../gossip/fake_network.ts";
import { ED25519_KEY } from "../authority/stage.ts";
import { ShownJournal, signerOf } from "../federation/shown_journal.ts";
import { grow } from "../evidence/histories.ts";
import { JournalsOver, mirroring } from "./journals_over.ts";
import { askOver } from "./http_asking.ts";
import { type Duties, type Host, logAt, Stage } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

/** A journal that a host's key signs. */
function journalOf({ signer }: Host): ShownJournal {
  const journal = new ShownJournal();
  journal.by = signer;
  return journal;
}

/** Pushes to a host, and lets it do what follows. @returns the status */
async function push(to: Host, push: Push): Promise<number> {
  const { status } = await to.daemon!.federating!.mirrors!.push(push, "192.0.2.9");
  await settled();
  return status;
}

/** The duties of one that takes in the journals of these. */
async function takesIn(members: readonly Host[]): Promise<Duties> {
  const source = new ScriptedSource(grow(await logAt(), 3));
  return {
    logs: [{ source }],
    members: members.map((host) => ({ host, byKeyAlone: true })),
    federation: mirroring([]),
  };
}

Deno.test("mirrors: a head that was refused is remembered after a restart, and convicts then", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  new JournalsOver(stage.hosts);
  const duties = await takesIn([two]);
  await one.start(duties);
  const [a, b] = [journalOf(two).grow(6, "a"), journalOf(two).grow(6, "b")];
  // It signs a head, and gives nothing that leads to it.
  assertEquals(await push(one, { ...await a.pushFrom(0n), oldSize: 3n }), 409);
  await one.crash();
  await one.start(duties);
  assertEquals(await push(one, { ...await b.pushFrom(0n), oldSize: 3n }), 409);
  const records = await one.records();
  assertEquals(records.map(({ kind, checkpoint_a: { size } }) => [kind, size]), [
    ["same_size", "6"],
  ]);
});

Deno.test("mirrors: heads without end that lead to nothing take bounded room", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  new JournalsOver(stage.hosts);
  await one.start(await takesIn([two]));
  const { by } = journalOf(two);
  // The longest notes that are read, almost.
  const opaque = `${"x".repeat(500_000)}\n`;
  for (let i = 0; i < 40; i++) {
    const origin = `${by.vkey.name}/incidents`;
    const head = { origin, treeSize: BigInt(1_000 + i), rootHash: new Uint8Array(32).fill(7) };
    const text = formatCheckpointText(head) + opaque;
    const checkpoint = formatNote({ text, vkey: by.vkey, signature: await by.sign(utf8(text)) });
    assertEquals(await push(one, { oldSize: 3n, proof: [], lines: [], checkpoint }), 409);
  }
  const { openQuestions, leftOut } = one.daemon!.status().mirrors![0]!.log!;
  const fit = Math.floor(QUESTION_LIMITS.peer.noteLength / opaque.length);
  assertEquals([openQuestions, leftOut], [fit, 40 - fit]);
});

Deno.test("mirrors: what a journal signs as the one before it began anew convicts after a restart too", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  new JournalsOver(stage.hosts);
  const duties = await takesIn([two]);
  await one.start(duties);
  const [a, b, anew] = [journalOf(two).grow(4, "a"), journalOf(two).grow(4, "b"), journalOf(two)];
  anew.grow(1, "c").epoch = 1_795_000_000n;
  assertEquals(await push(one, await a.pushFrom(0n)), 200);
  assertEquals(await push(one, await anew.pushFrom(0n)), 200);
  await one.stop();
  await one.start(duties);
  assertEquals(await push(one, await b.pushFrom(0n)), 422);
  const [record] = await one.records();
  assertEquals(record?.log.origin, `${two.signer.vkey.name}/incidents`);
  assertEquals(one.daemon!.status().mirrors![0]!.incidents, 1);
  assertEquals(one.daemon!.status().mirrors![0]!.size, "1");
});

Deno.test("mirrors: who is no member any more may push no more, without a restart too", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  new JournalsOver(stage.hosts);
  const duties = await takesIn([two]);
  await one.start(duties);
  const journal = journalOf(two).grow(2);
  assertEquals(await push(one, await journal.pushFrom(0n)), 200);
  await one.reload({ ...duties, members: [] });
  journal.grow(2);
  assertEquals(await push(one, await journal.pushFrom(2n)), 403);
  await one.reload(duties);
  assertEquals(await push(one, await journal.pushFrom(2n)), 200);
});

Deno.test("mirrors: a journal that is mirrored and cosigned too is one log, after a reload too", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  new JournalsOver(stage.hosts);
  const pushed = [makeLog({
    vkey: two.signer.vkey,
    origin: `${two.signer.vkey.name}/incidents`,
  })];
  const duties = {
    ...await takesIn([two]),
    httpGossip: true,
    witness: { keys: [ED25519_KEY], pushed },
  };
  await one.start(duties);
  const [a, b] = [journalOf(two).grow(4, "a"), journalOf(two).grow(4, "b")];
  assertEquals(await push(one, await a.pushFrom(0n)), 200);
  await one.reload(duties);
  const path = `/gossip/${encodeURIComponent(pushed[0]!.origin)}`;
  const same = await askOver(one, { path, content: await a.note() });
  assertMatch(same.text, /^(consistent|matches)/);
  const other = await askOver(one, { path, content: await b.note() });
  assertMatch(other.text, /^inconsistent/);
  assertEquals((await one.records()).length, 1);
  assertEquals(one.daemon!.status().mirrors![0]!.incidents, 1);
  assertEquals(one.daemon!.status().witness!.pushed[0]!.incidents, 1);
});

Deno.test("mirrors: a record of a later version is no fault of its monitor", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  new JournalsOver(stage.hosts);
  await one.start(await takesIn([two]));
  const journal = journalOf(two).add({ version: "hearsay/conflict/v9", kind: "something new" });
  assertEquals(await push(one, await journal.pushFrom(0n)), 200);
  await stage.minutes(1);
  const { records } = one.daemon!.status().mirrors![0]!;
  assertEquals(records, { recorded: 0, known: 0, foreign: 1, refused: 0 });
  assertEquals(one.toldOf("mirror.record refused"), []);
});

Deno.test("mirrors: a member with a new key of the old name is told why it cannot be mirrored", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  new JournalsOver(stage.hosts);
  await one.start(await takesIn([two]));
  assertEquals(await push(one, await journalOf(two).grow(2).pushFrom(0n)), 200);
  await one.stop();
  const signer = await signerOf(two.signer.vkey.name);
  const renewed = { signer, address: two.address } as Host;
  await one.start(await takesIn([renewed]));
  const journal = journalOf(renewed).grow(1);
  for (const _ of [1, 2]) {
    const outcome = await one.daemon!.federating!.mirrors!.push(
      await journal.pushFrom(0n),
      "192.0.2.9",
    );
    assert(outcome.status === 503);
    assertMatch(outcome.detail, /is the mirror of another key of this name/);
  }
});

Deno.test("mirrors: where anyone may push, strangers leave room for members", async () => {
  await using stage = await Stage.set({ clock: new ManualClock() });
  const { one, two } = stage;
  new JournalsOver(stage.hosts);
  const duties = await takesIn([two]);
  await one.start({ ...duties, federation: mirroring([], { admit: "anyone" }) });
  const statuses: number[] = [];
  for (let i = 0; i < MAX_MIRRORS; i++) {
    const journal = new ShownJournal().grow(1);
    journal.by = await signerOf(`stranger.invalid/${i}`);
    const vkey = journal.by.vkey.text;
    const outcome = await one.daemon!.federating!.mirrors!.push(
      { ...await journal.pushFrom(0n), vkey },
      "192.0.2.9",
    );
    statuses.push(outcome.status);
    if (outcome.status !== 200) break;
  }
  assertEquals(statuses.length, MAX_STRANGERS_MIRRORS + 1);
  assertEquals(statuses.at(-1), 403);
  assertEquals(await push(one, await journalOf(two).grow(1).pushFrom(0n)), 200);
});
