import { assert, assertEquals, assertRejects } from "@std/assert";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import {
  ACCUSATION_MS,
  accusationOf,
  accusersNeeded,
  type Ban,
  BAN_THRESHOLD,
  BANS_FILE,
  chargeFor,
  type ChargeName,
  CHARGES,
  Conduct,
  DEFAULT_BAN_MS,
  type Judged,
  MAX_BANS,
  MAX_SENT_REMEMBERED,
  MIN_ACCUSERS,
  openEvidence,
  SENT_REMEMBERED_MS,
} from "../../src/swarm/conduct.ts";
import { Members, type StatementBody } from "../../src/swarm/statement.ts";
import type { Signer } from "../../src/world/signer.ts";
import { MemoryDisk } from "../store/memory_disk.ts";
import {
  FOLDER,
  HandClock,
  leave,
  newMember,
  newMembers,
  START,
  statementOf,
  timeText,
  worldOf,
} from "./stage.ts";

const own = await newMember("member.invalid/own");
const all = await newMembers(9);
const [accused] = all as [Signer];
const PATH = `${FOLDER}/${BANS_FILE}`;
const NAMES = Object.keys(CHARGES) as ChargeName[];

interface Stage {
  readonly disk: MemoryDisk;
  readonly clock: HandClock;
  readonly members: Members;
  readonly told: string[];
}

/** A monitor with so many members besides itself. */
function stage(count = 7): Stage {
  const members = new Members([own, ...all.slice(0, count)].map(({ vkey }) => vkey));
  return { disk: new MemoryDisk(), clock: new HandClock(), members, told: [] };
}

function open({ disk, clock, members, told }: Stage): Promise<Conduct> {
  return Conduct.open({
    ...{ world: worldOf(disk, clock), folder: FOLDER, members, own: own.vkey },
    onTrouble: (detail) => void told.push(detail),
  });
}

const text = ({ vkey }: Signer): string => vkey.text;

/** Puts a member out by charges. */
async function banish(conduct: Conduct, signer: Signer): Promise<void> {
  while (conduct.banOf(text(signer)) === undefined) {
    await conduct.charge(text(signer), "failed record");
  }
}

let sequence = 0n;

/** `by` accuses `whom`. */
async function accuse(
  conduct: Conduct,
  by: Signer,
  { whom = accused, evidence }: { whom?: Signer; evidence?: readonly [string, string] } = {},
): Promise<Judged> {
  const body: StatementBody = {
    ...{ kind: "accusation", time: timeText(), accused: text(whom), reason: "any" },
    ...(evidence && { evidence }),
  };
  return await conduct.hear(await statementOf(by, { sequence: ++sequence, body }));
}

/** Two statements under one number. */
async function twoTongues(signer: Signer): Promise<[string, string]> {
  const [a, b] = [await statementOf(signer), await statementOf(signer, { body: leave(0) })];
  return [a.note, b.note];
}

for (const name of NAMES) {
  Deno.test(`conduct: ${name} has a weight, puts a member out in the end, and never at once`, async () => {
    const there = stage();
    const conduct = await open(there);
    const { weight } = CHARGES[name];
    const times = Math.ceil(BAN_THRESHOLD / weight);
    assert(times > 1);
    for (let i = 1; i < times; i++) {
      assertEquals(await conduct.charge(text(accused), name, "a detail"), {
        ...{ outcome: "noted", points: i * weight },
      });
    }
    assertEquals(conduct.banOf(text(accused)), undefined);
    const charged = await conduct.charge(text(accused), name, "a detail");
    const ban: Ban = {
      ...{ vkey: text(accused), reason: `${name}: a detail`, since: timeText(), by: "charges" },
      until: timeText(START + DEFAULT_BAN_MS),
    };
    const accusation = { kind: "accusation", accused: text(accused), reason: ban.reason } as const;
    assertEquals(charged, { outcome: "banned", ban, accusation });
    assertEquals(await conduct.charge(text(accused), name), { outcome: "banned before", ban });
    assertEquals(conduct.banOf(text(all[1]!)), undefined);
  });

  Deno.test(`conduct: ${name} fades by half in its half-life`, async () => {
    const there = stage();
    const conduct = await open(there);
    await conduct.charge(text(accused), name);
    there.clock.pass(CHARGES[name].halfLifeMs);
    assertEquals(conduct.pointsOf(text(accused)), CHARGES[name].weight / 2);
    await conduct.charge(text(accused), name);
    assertEquals(conduct.pointsOf(text(accused)), CHARGES[name].weight * 1.5);
  });
}

Deno.test("conduct: charges of several names add up", async () => {
  const conduct = await open(stage());
  for (const name of ["replay", "flood", "malformed"] as const) {
    await conduct.charge(text(accused), name);
  }
  const charged = await conduct.charge(text(accused), "failed record");
  assert(charged.outcome === "banned");
  assertEquals(charged.ban.reason, "replay, flood, malformed, failed record");
});

Deno.test("conduct: who is charged seldom is never put out", async () => {
  const there = stage();
  const conduct = await open(there);
  for (let i = 0; i < 1_000; i++) {
    await conduct.charge(text(accused), "replay");
    there.clock.pass(CHARGES.replay.halfLifeMs);
  }
  assertEquals(conduct.bans, []);
});

Deno.test("conduct: strangers and our own key are not charged, and take no memory", async () => {
  const conduct = await open(stage(2));
  for (const signer of [own, all[5]!]) {
    for (let i = 0; i < 10; i++) await conduct.charge(text(signer), "failed record");
    assertEquals([conduct.pointsOf(text(signer)), conduct.banOf(text(signer))], [0, undefined]);
  }
});

Deno.test("conduct: what is not the sender's doing has no charge", () => {
  const free = ["new", "from the future", "unknown source", "unknown version"] as const;
  for (const result of free) {
    assertEquals(chargeFor(result, { isSentAgain: true }), undefined);
  }
  for (const result of ["replayed", "duplicate", "stale"] as const) {
    assertEquals(chargeFor(result, { isSentAgain: false }), undefined);
    assertEquals(chargeFor(result, { isSentAgain: true }), "replay");
  }
  assertEquals(chargeFor("bad signature", { isSentAgain: false }), "signed by nobody");
  assertEquals(chargeFor("malformed", { isSentAgain: false }), "malformed");
});

Deno.test("conduct: only one and the same member can send a statement again", async () => {
  const there = stage();
  const conduct = await open(there);
  const [one, two] = [text(all[0]!), text(all[1]!)];
  assertEquals([one, two, one].map((from) => conduct.isSentAgain(from, "h")), [false, false, true]);
  conduct.forgetSent(one);
  assertEquals([one, two].map((from) => conduct.isSentAgain(from, "h")), [false, true]);
  there.clock.pass(SENT_REMEMBERED_MS);
  assertEquals(conduct.isSentAgain(two, "h"), false);
  for (let i = 0; i < MAX_SENT_REMEMBERED; i++) conduct.isSentAgain(two, `${i}`);
  assertEquals(conduct.isSentAgain(two, "h"), false);
  assertEquals(["", ""].map(() => conduct.isSentAgain("a stranger", "h")), [false, false]);
});

Deno.test("conduct: a ban survives a restart and a crash, and ends with its time", async () => {
  const there = stage();
  await banish(await open(there), accused);
  there.disk.crash({ keepShare: 0 });
  const after = await open(there);
  assertEquals(after.banOf(text(accused))?.by, "charges");
  assertEquals(after.nextEndMs, DEFAULT_BAN_MS, "whoever calls members knows when to wake up");
  there.clock.pass(DEFAULT_BAN_MS - 1);
  assertEquals([after.bans.length, after.nextEndMs], [1, 1]);
  there.clock.pass(1);
  assertEquals(after.nextEndMs, Infinity);
  assertEquals([after.banOf(text(accused)), after.bans], [undefined, []]);
  assertEquals((await open(there)).bans, []);
  assertEquals(await after.charge(text(accused), "replay"), { outcome: "noted", points: 11 });
});

Deno.test("conduct: an operator bans anybody, for a time or until it is lifted", async () => {
  const there = stage(1);
  const conduct = await open(there);
  await conduct.ban(text(all[5]!), { reason: "a\nb" });
  await conduct.ban(text(accused), { reason: "for today", until: timeText(START + 1_000) });
  there.clock.pass(DEFAULT_BAN_MS * 1_000);
  const { bans } = await open(there);
  assertEquals(bans, [
    { vkey: text(all[5]!), reason: "a\u{FFFD}b", since: timeText(), by: "operator" },
  ]);
});

Deno.test("conduct: an unban forgets what led to the ban, and survives a restart", async () => {
  const there = stage();
  const conduct = await open(there);
  for (const by of all.slice(1, 5)) await accuse(conduct, by);
  await banish(conduct, accused);
  assertEquals(await conduct.unban(text(accused)), true);
  assertEquals(await conduct.unban(text(accused)), false);
  assertEquals([conduct.bans, (await open(there)).bans], [[], []]);
  assertEquals(conduct.pointsOf(text(accused)), 0);
  assertEquals((await accuse(conduct, all[5]!)).outcome, "counted");
});

Deno.test("conduct: a ban that the disk refuses holds, is told, and is written by the next save", async () => {
  const there = stage();
  const conduct = await open(there);
  there.disk.fail({ at: 1, when: "before", lasting: true });
  await banish(conduct, accused);
  assertEquals([conduct.bans.length, there.told.length], [1, 1]);
  there.disk.fail(undefined);
  await conduct.save();
  assertEquals((await open(there)).bans, conduct.bans);
  there.disk.fail(undefined);
  await conduct.save();
  assertEquals(there.disk.operations, 0);
});

Deno.test("conduct: a damaged file of bans is told, and stops nothing", async () => {
  const there = stage();
  await banish(await open(there), accused);
  const content = there.disk.content(PATH)!;
  there.disk.put(PATH, content.replace("charges", "charming"));
  const conduct = await open(there);
  assertEquals(conduct.bans, []);
  assertEquals(there.told.length, 1);
  await banish(conduct, accused);
  assertEquals((await open(there)).bans.length, 1);
});

Deno.test("conduct: at most MAX_BANS are kept", async () => {
  const there = stage();
  const bans = Array.from({ length: MAX_BANS }, (_, i) => i);
  const conduct = await open(there);
  // Otherwise each ban writes the whole file.
  there.disk.fail({ at: 1, when: "before", lasting: true });
  for (const i of bans) await conduct.ban(`${i}`, { reason: "many" });
  assertEquals(conduct.bans.length, MAX_BANS);
  await conduct.ban("one more", { reason: "many" });
  assertEquals([conduct.bans.length, conduct.banOf("0")], [MAX_BANS, undefined]);
});

Deno.test("conduct: more than two thirds are needed, and never fewer than MIN_ACCUSERS", () => {
  assertEquals([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10].map(accusersNeeded), [
    ...[3, 3, 3, 3, 3, 4, 5, 5, 6, 7, 7],
  ]);
  for (let members = 0; members < 200; members++) {
    const needed = accusersNeeded(members);
    assert(3 * needed > 2 * members && needed >= MIN_ACCUSERS);
    assert(3 * (needed - 1) <= 2 * members || needed === MIN_ACCUSERS);
  }
});

Deno.test("conduct: a quorum of our members puts the accused out, and one less does not", async () => {
  const there = stage(6);
  const conduct = await open(there);
  for (const [i, by] of all.slice(1, 4).entries()) {
    assertEquals(await accuse(conduct, by), { outcome: "counted", accusers: i + 1, needed: 4 });
  }
  assertEquals(conduct.bans, []);
  const last = await accuse(conduct, all[4]!);
  assert(last.outcome === "quorum");
  assertEquals(last.accusers, 4);
  assertEquals([last.ban.by, last.ban.reason], ["quorum", "4 members accuse it"]);
  assertEquals((await open(there)).bans, [last.ban]);
  assertEquals((await accuse(conduct, all[5]!)).outcome, "known");
});

Deno.test("conduct: one liar expels nobody, however often it accuses", async () => {
  for (const count of [2, 3, 4, 7]) {
    const conduct = await open(stage(count));
    for (let i = 0; i < 20; i++) await accuse(conduct, all[1]!);
    assertEquals(conduct.bans, []);
  }
});

Deno.test("conduct: two of seven expel nobody", async () => {
  const conduct = await open(stage(6));
  for (const by of [all[1]!, all[2]!, all[1]!, all[2]!]) {
    for (const whom of all.slice(0, 6)) await accuse(conduct, by, { whom });
  }
  assertEquals(conduct.bans, []);
});

Deno.test("conduct: all of two members expel nobody", async () => {
  const conduct = await open(stage(3));
  for (const by of all.slice(1, 3)) await accuse(conduct, by);
  assertEquals(conduct.bans, []);
});

Deno.test("conduct: the banned, the accused, ourselves and strangers do not count as accusers", async () => {
  const there = stage(4);
  const conduct = await open(there);
  await banish(conduct, all[1]!);
  const told = [];
  for (const by of [all[1]!, accused, own, all[8]!]) told.push((await accuse(conduct, by)).outcome);
  assertEquals(told, Array(4).fill("not counted"));
  const counted = await accuse(conduct, all[2]!);
  assertEquals(counted, { outcome: "counted", accusers: 1, needed: 3 });
});

Deno.test("conduct: whoever is banned after accusing counts no more", async () => {
  const conduct = await open(stage(6));
  for (const by of all.slice(1, 4)) await accuse(conduct, by);
  await banish(conduct, all[1]!);
  const after = await accuse(conduct, all[4]!);
  assertEquals(after, { outcome: "counted", accusers: 3, needed: 4 });
});

Deno.test("conduct: bans do not make the next expulsion easier", async () => {
  const conduct = await open(stage(6));
  for (const by of all.slice(3, 6)) await banish(conduct, by);
  for (const by of all.slice(1, 3)) await accuse(conduct, by);
  assertEquals(conduct.banOf(text(accused)), undefined);
});

Deno.test("conduct: an accusation counts for ACCUSATION_MS", async () => {
  const there = stage(6);
  const conduct = await open(there);
  for (const by of all.slice(1, 4)) await accuse(conduct, by);
  there.clock.pass(ACCUSATION_MS);
  assertEquals(await accuse(conduct, all[4]!), { outcome: "counted", accusers: 1, needed: 4 });
});

Deno.test("conduct: who accuses a stranger says nothing", async () => {
  const conduct = await open(stage(4));
  assertEquals((await accuse(conduct, all[1]!, { whom: all[8]! })).outcome, "not counted");
});

Deno.test("conduct: members that left are forgotten, and their bans stay", async () => {
  const there = stage(6);
  const conduct = await open(there);
  for (const by of all.slice(1, 4)) await accuse(conduct, by);
  await conduct.charge(text(all[1]!), "flood");
  await banish(conduct, all[5]!);
  there.members.follow(all.slice(0, 1).concat(all.slice(4, 9)).map(({ vkey }) => vkey));
  conduct.retain();
  assertEquals([conduct.pointsOf(text(all[1]!)), conduct.bans.length], [0, 1]);
  there.members.follow(all.slice(0, 6).map(({ vkey }) => vkey));
  assertEquals(await accuse(conduct, all[4]!), { outcome: "counted", accusers: 1, needed: 4 });
});

Deno.test("conduct: evidence that holds puts the accused out, whoever tells it", async () => {
  const there = stage(2);
  const conduct = await open(there);
  const judged = await accuse(conduct, all[1]!, { evidence: await twoTongues(accused) });
  assert(judged.outcome === "proven");
  assertEquals([judged.ban?.by, judged.isNews], ["evidence", true]);
  assertEquals((await open(there)).bans, [judged.ban!]);
  const detector = new EquivocationDetector();
  const [a, b] = judged.evidence;
  detector.observe(a, "one");
  assertEquals(detector.observe(b, "two")?.kind, "same_size");
});

Deno.test("conduct: of a member that lies a thousand times, only the first proof is news", async () => {
  const conduct = await open(stage(2));
  await banish(conduct, accused);
  const news = [];
  for (let epoch = 1n; epoch < 5n; epoch++) {
    const said = [leave(), leave(0)].map((body) => statementOf(accused, { epoch, body }));
    const [a, b] = await Promise.all(said);
    const evidence = [a!.note, b!.note] as const;
    const judged = await accuse(conduct, all[1]!, { evidence });
    news.push(judged.outcome === "proven" && judged.isNews);
  }
  assertEquals(news, [true, false, false, false]);
  assertEquals(conduct.bans.map(({ by }) => by), ["evidence"]);
});

Deno.test("conduct: an operator's ban stays, whatever is proven", async () => {
  const conduct = await open(stage(2));
  const ban = await conduct.ban(text(accused), { reason: "for good" });
  await accuse(conduct, all[1]!, { evidence: await twoTongues(accused) });
  assertEquals(conduct.bans, [ban]);
});

Deno.test("conduct: evidence from a banned member holds all the same", async () => {
  const conduct = await open(stage(2));
  await banish(conduct, all[1]!);
  const judged = await accuse(conduct, all[1]!, { evidence: await twoTongues(accused) });
  assertEquals(judged.outcome, "proven");
});

Deno.test("conduct: evidence against a stranger or ourselves bans nobody, and is handed on", async () => {
  const conduct = await open(stage(2));
  for (const [whom, isNews] of [[own, true], [own, false], [all[8]!, false]] as const) {
    const judged = await accuse(conduct, all[1]!, { whom, evidence: await twoTongues(whom) });
    assert(judged.outcome === "proven");
    assertEquals([judged.ban, judged.isNews, judged.evidence.length], [undefined, isNews, 2]);
  }
  assertEquals(conduct.bans, []);
});

Deno.test("conduct: what is said about held evidence convinces whoever hears it", async () => {
  const notes = await twoTongues(accused);
  const evidence = openEvidence(text(accused), notes);
  assert(typeof evidence !== "string");
  const saying = accusationOf(evidence);
  assert(saying.kind === "accusation");
  assertEquals([saying.accused, saying.evidence], [text(accused), notes]);
});

const [tongue, other] = await twoTongues(accused);
const [ofAnother] = await twoTongues(all[1]!);
const elsewhere = await statementOf(accused, { epoch: 2n, body: leave(0) });
const later = await statementOf(accused, { sequence: 2n, body: leave(0) });

for (
  const [what, notes] of [
    ["twice the same statement", [tongue, tongue]],
    ["two numbers", [tongue, later.note]],
    ["two epochs", [tongue, elsewhere.note]],
    ["a statement of another", [tongue, ofAnother]],
    ["a signature of nobody", [tongue, tongue.replace(/.{10}\n$/, "AAAAAAAAA=\n")]],
    ["a changed root", [tongue, other.replace(/\n\w/, "\n2")]],
    ["no notes", ["", ""]],
  ] as const
) {
  Deno.test(`conduct: evidence of ${what} proves nothing, and is the accuser's fault`, async () => {
    const conduct = await open(stage());
    const judged = await accuse(conduct, all[1]!, { evidence: notes });
    assertEquals(judged.outcome, "false evidence");
    assertEquals(conduct.bans, []);
    const counted = await accuse(conduct, all[2]!);
    assertEquals(counted, { outcome: "counted", accusers: 1, needed: 5 });
  });
}

Deno.test("conduct: what is no accusation is not judged as one", async () => {
  const conduct = await open(stage());
  const statement = await statementOf(accused);
  await assertRejects(() => conduct.hear(statement), TypeError);
});
