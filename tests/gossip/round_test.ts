/** Rounds of monitors: what fits no frame goes in a parcel, and both ends record it alike. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { evidenceId } from "../../src/evidence/conflict.ts";
import { ExchangeFailed } from "../../src/gossip/caller.ts";
import { PeerKnowledge } from "../../src/gossip/peer_knowledge.ts";
import { followsItem } from "../../src/gossip/follows_item.ts";
import { KINDS } from "../../src/gossip/kinds.ts";
import { DEFAULT_LIMITS, type ExchangeLimits } from "../../src/gossip/limits.ts";
import { encodeParcel, PARCEL_VERSION } from "../../src/gossip/parcel.ts";
import { exchangeRound } from "../../src/gossip/round.ts";
import { IncidentNotWritten } from "../../src/monitor/case_keeper.ts";
import { FakeFiles } from "./fake_files.ts";
import { type FakeConnection, settled } from "./fake_network.ts";
import {
  checkpointOf,
  Fleet,
  forkedLog,
  frameOf,
  HERE,
  logOf,
  partyOf,
  type Player,
  readAll,
  recordOfFork,
  type Setting,
  signingLog,
  storiesOf,
} from "./helpers.ts";

type Fork = Awaited<ReturnType<typeof forkedLog>>;

/** Lets a player prove that a log forked, as one does who has the log's tiles. */
async function prove({ monitor }: Player, fork: Fork): Promise<void> {
  const outcome = monitor.judge.hearProof(fork.proof);
  assert(outcome.verdict === "inconsistent");
  await monitor.keep();
}

/** Two players, of which the first can prove that the log the second was shown has forked. */
async function forkStage(fleet: Fleet, fork: Fork): Promise<[Player, Player]> {
  const [berlin, lima] = [await fleet.enter("berlin"), await fleet.enter("lima")];
  await berlin.show(fork.honest);
  await lima.show(fork.forked);
  // It hears of the other history in frames, which say nothing at unequal sizes.
  await lima.call(berlin);
  await prove(berlin, fork);
  assertEquals([await berlin.recorded(), await lima.recorded()], [[fork.caseId], []]);
  return [berlin, lima];
}

for (
  const sizes of [{ size: 9, forkSize: 5 }, { size: 9, forkSize: 8 }, { size: 8, forkSize: 4 }]
) {
  const name = `sizes ${sizes.forkSize} and ${sizes.size}`;

  Deno.test(`round: who can prove a cross-size case hands it over in the same round, ${name}`, async () => {
    const fork = await forkedLog(sizes);
    await using fleet = new Fleet(fork.honest);
    const [berlin, lima] = await forkStage(fleet, fork);
    const round = await berlin.meet(lima);
    assertEquals(round.handedOver, [fork.caseId]);
    assertEquals([round.heard.length, round.fault], [1, undefined]);
    assertEquals(await lima.recorded(), [fork.caseId]);
    assertEquals([berlin.report.brokenAll, lima.report.brokenAll], [[], []]);
  });

  Deno.test(`round: who cannot prove asks, and is answered with the case, ${name}`, async () => {
    const fork = await forkedLog(sizes);
    await using fleet = new Fleet(fork.honest);
    const [berlin, lima] = await forkStage(fleet, fork);
    const round = await lima.meet(berlin);
    assertEquals([round.handedOver, round.fault], [[], undefined]);
    assertEquals(await lima.recorded(), [fork.caseId]);
    assertEquals(await berlin.recorded(), [fork.caseId]);
  });
}

Deno.test("round: a bystander who was shown neither history records the case too", async () => {
  const fork = await forkedLog();
  await using fleet = new Fleet(fork.honest);
  const [berlin] = await forkStage(fleet, fork);
  const quito = await fleet.enter("quito");
  await berlin.meet(quito);
  assertEquals(await quito.recorded(), [fork.caseId]);
  // And hands it on.
  const tokyo = await fleet.enter("tokyo");
  await quito.meet(tokyo);
  assertEquals(await tokyo.recorded(), []); // No frame has named the log.
  await tokyo.show(fork.honest);
  await tokyo.meet(quito);
  assertEquals(await tokyo.recorded(), [fork.caseId]);
});

Deno.test("round: what was handed over is not handed over again, and recorded once", async () => {
  const fork = await forkedLog();
  await using fleet = new Fleet(fork.honest);
  const [berlin, lima] = await forkStage(fleet, fork);
  assertEquals((await berlin.meet(lima)).handedOver, [fork.caseId]);
  for (const _ of ["second", "third"]) assertEquals((await berlin.meet(lima)).handedOver, []);
  // Lima learnt it from somebody who calls it, whose address it cannot know: it says so once more.
  assertEquals((await lima.meet(berlin)).handedOver, [fork.caseId]);
  assertEquals((await lima.meet(berlin)).handedOver, []);
  assertEquals([await berlin.recorded(), await lima.recorded()], [[fork.caseId], [fork.caseId]]);
  assertEquals([berlin.report.outcomes, lima.report.outcomes], [["recorded"], ["recorded"]]);
  assertEquals([berlin.report.brokenAll, lima.report.brokenAll], [[], []]);
});

Deno.test("round: what a peer answered is not handed back to it", async () => {
  const fork = await forkedLog();
  await using fleet = new Fleet(fork.honest);
  const [berlin, lima] = await forkStage(fleet, fork);
  await lima.meet(berlin);
  assertEquals((await lima.meet(berlin)).handedOver, []);
});

Deno.test("round: a monitor started again hands over what its journal holds", async () => {
  const fork = await forkedLog();
  await using fleet = new Fleet(fork.honest);
  const [before, lima] = await forkStage(fleet, fork);
  await before.leave();
  const after = await fleet.enter("berlin");
  await after.show(fork.honest);
  assertEquals((await after.meet(lima)).handedOver, [fork.caseId]);
  assertEquals(await lima.recorded(), [fork.caseId]);
});

Deno.test("round: a case both conclude from the frames is not handed over besides", async () => {
  const [ours, theirs] = await storiesOf(6);
  await using fleet = new Fleet(ours);
  const berlin = await fleet.enter("berlin", { shown: ours });
  const lima = await fleet.enter("lima", { shown: theirs });
  const round = await berlin.meet(lima);
  assertEquals([round.handedOver, round.fault], [[], undefined]);
  assertEquals(await berlin.recorded(), await lima.recorded());
  assertEquals((await berlin.recorded()).length, 1);
});

Deno.test("round: a same-size case of an older size is handed over", async () => {
  const [ours, theirs] = await storiesOf(6);
  await using fleet = new Fleet(ours);
  const [berlin, lima, quito] = [
    await fleet.enter("berlin"),
    await fleet.enter("lima"),
    await fleet.enter("quito"),
  ];
  await berlin.show(ours);
  await lima.show(theirs);
  await berlin.call(lima);
  ours.append("one more");
  await berlin.show(ours);
  await quito.show(ours);
  const [id] = await berlin.recorded();
  assertEquals((await berlin.meet(quito)).handedOver, [id!]);
  assertEquals(await quito.recorded(), [id!]);
});

Deno.test("round: who never calls is asked again, and so its evidence gets out", async () => {
  const fork = await forkedLog();
  await using fleet = new Fleet(fork.honest);
  const [berlin, quito] = [await fleet.enter("berlin"), await fleet.enter("quito")];
  for (const player of [berlin, quito]) await player.show(fork.honest);
  await quito.meet(berlin);
  await berlin.monitor.takeInOwn(await checkpointOf(fork.forked), "a friend");
  await prove(berlin, fork);
  await fleet.clock.advance(DEFAULT_LIMITS.askAgainMs - 1);
  await quito.meet(berlin);
  assertEquals(await quito.recorded(), []);
  await fleet.clock.advance(1);
  await quito.meet(berlin);
  assertEquals(await quito.recorded(), [fork.caseId]);
});

/** One that never calls and holds so many cases, and one that knows none of them yet. */
async function wellInformed(cases: number, limits: Partial<ExchangeLimits> = {}) {
  const ours = await logOf("log.example/a", 0);
  const theirs = ours.fork();
  for (const [name, story] of [["ours", ours], ["theirs", theirs]] as const) {
    for (let size = 1; size <= cases; size++) story.append(`${name} ${size}`);
  }
  const fleet = new Fleet(ours);
  const berlin = await fleet.enter("berlin", { limits });
  const quito = await fleet.enter("quito", { limits });
  for (let size = 1n; size <= cases; size++) {
    for (const story of [ours, theirs]) await berlin.show(story, size);
  }
  await quito.show(ours, 0n);
  return { fleet, berlin, quito };
}

Deno.test("round: who never calls gives all its evidence, more than an answer holds, round by round", async () => {
  const most = DEFAULT_LIMITS.maxRecordsPerParcel;
  const cases = 2 * most + 1;
  const { fleet, berlin, quito } = await wellInformed(cases);
  await using _ = fleet;
  const counts: number[] = [];
  for (let round = 0; round < 3; round++) {
    await quito.meet(berlin);
    counts.push((await quito.recorded()).length);
  }
  assertEquals(counts, [most, 2 * most, cases]);
  assertEquals(new Set(await quito.recorded()), new Set(await berlin.recorded()));
});

Deno.test("round: it gives all of it even to one that has more cases than it can say", async () => {
  const cases = 20;
  const kinds = { ...KINDS, known: { ...KINDS.known, maxBytes: 5 * 32 } };
  const limits = { maxRecordsPerParcel: 4, kinds };
  const { fleet, berlin, quito } = await wellInformed(cases, limits);
  await using _ = fleet;
  // Which of the older ones an answer has is left to chance; nine in ten rounds bring something.
  for (let round = 0; round < 200; round++) {
    await quito.meet(berlin);
    await fleet.clock.advance(DEFAULT_LIMITS.askAgainMs);
  }
  assertEquals((await quito.recorded()).length, cases);
});

Deno.test("round: a peer that has seen more is asked at once", async () => {
  const fork = await forkedLog();
  await using fleet = new Fleet(fork.honest);
  const [berlin, lima] = [await fleet.enter("berlin"), await fleet.enter("lima")];
  await lima.show(fork.forked, 3n);
  await berlin.show(fork.honest, 3n);
  await lima.meet(berlin);
  await lima.show(fork.forked);
  await berlin.show(fork.honest);
  await berlin.monitor.takeInOwn(await checkpointOf(fork.forked), "a friend");
  await prove(berlin, fork);
  await lima.meet(berlin);
  assert((await lima.recorded()).includes(fork.caseId));
});

Deno.test("round: peers that agree open no second connection once they have met", async () => {
  const log = await logOf("log.example/a", 3);
  await using fleet = new Fleet(log);
  const [berlin, lima] = [await fleet.enter("berlin"), await fleet.enter("lima")];
  for (const player of [berlin, lima]) await player.show(log);
  await berlin.meet(lima);
  const before = lima.report.verdicts.length;
  assertEquals((await berlin.meet(lima)).notes, []);
  assertEquals(lima.report.verdicts.slice(before), ["matches"]);
});

// Notes

Deno.test("round: checkpoints with extension lines are compared, both ends record one case", async () => {
  const { log, sign } = await signingLog();
  await using fleet = new Fleet({ log });
  const [berlin, lima] = [await fleet.enter("berlin"), await fleet.enter("lima")];
  const [one, other] = [await sign(7n, 1), await sign(7n, 2)];
  await berlin.monitor.takeInOwn(one, "the log");
  await lima.monitor.takeInOwn(other, "the log");
  const round = await berlin.meet(lima);
  assertEquals(round.heard.map(({ verdict }) => verdict), ["nothing"]);
  assertEquals(round.notes.map(({ verdict }) => verdict), ["inconsistent"]);
  const id = evidenceId({ log, heads: [one, other] });
  assertEquals([await berlin.recorded(), await lima.recorded()], [[id], [id]]);
  assertEquals(lima.report.verdicts, ["nothing", "inconsistent"]);
});

Deno.test("round: an extension line on one side only hides nothing", async () => {
  for (const hiding of ["caller", "callee"]) {
    const { log, sign } = await signingLog();
    await using fleet = new Fleet({ log });
    const [caller, callee] = [await fleet.enter("caller"), await fleet.enter("callee")];
    const hidden = await sign(7n, 1);
    const open = await sign(7n, 2, "");
    await caller.monitor.takeInOwn(hiding === "caller" ? hidden : open, "the log");
    await callee.monitor.takeInOwn(hiding === "callee" ? hidden : open, "the log");
    await caller.meet(callee);
    const id = evidenceId({ log, heads: [hidden, open] });
    assertEquals([await caller.recorded(), await callee.recorded()], [[id], [id]]);
  }
});

Deno.test("round: equal checkpoints with extension lines match, round after round", async () => {
  const { log, sign } = await signingLog();
  await using fleet = new Fleet({ log });
  const [berlin, lima] = [await fleet.enter("berlin"), await fleet.enter("lima")];
  for (const player of [berlin, lima]) await player.monitor.takeInOwn(await sign(7n, 1), "the log");
  for (const _ of ["first", "second"]) {
    const { notes } = await berlin.meet(lima);
    assertEquals(notes.map(({ verdict }) => verdict), ["matches"]);
  }
  assertEquals([await berlin.recorded(), await lima.recorded()], [[], []]);
});

// Monitors without a key, and disks that refuse

Deno.test("round: evidence nobody signed is handed over as well", async () => {
  const fork = await forkedLog();
  await using fleet = new Fleet(fork.honest);
  const nameless = await fleet.enter("nameless", { signer: "none" });
  const lima = await fleet.enter("lima");
  await nameless.show(fork.honest);
  await nameless.monitor.takeInOwn(await checkpointOf(fork.forked), "a friend");
  await prove(nameless, fork);
  assertEquals(nameless.report.outcomes, ["unrecorded"]);
  assertEquals((await nameless.meet(lima)).handedOver, [fork.caseId]);
  assertEquals(await lima.recorded(), [fork.caseId]);
});

Deno.test("round: on a disk that refuses nothing is answered, and it is handed over again later", async () => {
  const fork = await forkedLog();
  await using fleet = new Fleet(fork.honest);
  const disk = new FakeFiles();
  const [berlin, lima] = [
    await fleet.enter("berlin"),
    await fleet.enter("lima", { files: disk }),
  ];
  await berlin.show(fork.honest);
  await lima.show(fork.forked);
  await lima.call(berlin);
  await prove(berlin, fork);
  disk.refuses.add("write");
  const refused = await berlin.meet(lima);
  assert(refused.fault!.includes("no parcel came"), refused.fault);
  assertEquals([refused.handedOver, lima.report.outcomes], [[], ["not written"]]);
  assertEquals(await lima.recorded(), []);
  disk.refuses.clear();
  await fleet.clock.advance(DEFAULT_LIMITS.parcelRetryMs);
  assertEquals((await berlin.meet(lima)).handedOver, [fork.caseId]);
  assertEquals(await lima.recorded(), [fork.caseId]);
});

Deno.test("round: evidence that is not written yet is handed to nobody", async () => {
  const fork = await forkedLog();
  await using fleet = new Fleet(fork.honest);
  const disk = new FakeFiles();
  const [berlin, lima] = [
    await fleet.enter("berlin", { files: disk }),
    await fleet.enter("lima"),
  ];
  await berlin.show(fork.honest);
  await lima.show(fork.forked);
  await lima.call(berlin);
  disk.refuses.add("write");
  await assertRejects(() => prove(berlin, fork), IncidentNotWritten);
  assertEquals(berlin.monitor.cases(fork.honest.log), []);
  await assertRejects(() => berlin.meet(lima), IncidentNotWritten);
  assertEquals(await lima.recorded(), []);
  disk.refuses.clear();
});

// Peers that know no parcels, or answer them wrongly

/** A party that can prove something, and a peer that answers the frames and then does as it likes. */
async function stage(
  onParcel: (connection: FakeConnection) => Promise<void>,
  limits: Setting["limits"] = {},
) {
  const fork = await forkedLog();
  const record = await recordOfFork(fork);
  const made = await partyOf({
    ...{ logs: [fork.honest.log], shown: [fork.honest], limits },
    records: () => [record],
  });
  const listener = made.network.listen(HERE);
  const answer = await frameOf(fork.honest);
  let parcels = 0;
  const playing = (async () => {
    for (let next; (next = await listener.accept()) !== undefined;) {
      const first = new Uint8Array(1);
      await next.read(first);
      if (first[0]! >= 0x80) {
        parcels++;
        await onParcel(next);
        continue;
      }
      await readAll(next);
      await next.write(answer);
      next.close();
    }
  })();
  return {
    ...{ ...made, fork, parcels: () => parcels },
    meet: () => exchangeRound({ party: made.party, callee: HERE }),
    async [Symbol.asyncDispose]() {
      listener.close();
      await playing;
    },
  };
}

/** How a peer fails with a parcel, and what is said of it. */
const FAILURES: readonly [
  how: string,
  peer: (connection: FakeConnection) => Promise<void>,
  said: string,
][] = [
  ["closes", (peer) => Promise.resolve(peer.close()), "no parcel came"],
  ["resets", (peer) => Promise.resolve(peer.reset()), "connection reset by peer"],
  ["reads and closes", (peer) => readAll(peer).then(() => peer.close()), "no parcel came"],
  ["answers a frame", replying(new Uint8Array(104)), "version 0 of parcels"],
  ["answers another version", replying(Uint8Array.of(0x82, 1)), "it speaks version 2"],
  ["answers half an item", replying(Uint8Array.of(PARCEL_VERSION, 1, 0, 0, 0, 9, 1)), "1 of 9"],
  [
    "announces too much",
    replying(Uint8Array.of(PARCEL_VERSION, 1, 255, 255, 255, 255)),
    "4294967295",
  ],
  [
    "answers garbage",
    replying(Uint8Array.of(PARCEL_VERSION, 3, 0, 0, 0, 1, 65)),
    "a record was refused",
  ],
];

function replying(bytes: Uint8Array): (peer: FakeConnection) => Promise<void> {
  return async (peer) => {
    await readAll(peer);
    await peer.write(bytes);
    peer.close();
  };
}

for (const [how, peer, said] of FAILURES) {
  Deno.test(`round: of a peer that ${how} when a parcel comes, what its frames said stands`, async () => {
    await using scene = await stage(peer);
    const { heard, handedOver, fault } = await scene.meet();
    assertEquals([heard.map(({ verdict }) => verdict), handedOver], [["matches"], []]);
    assert(fault?.includes(said), fault);
    assertEquals([scene.report.brokenAll, scene.clock.pending], [[fault], 0]);
    // It is left alone for a while.
    await scene.clock.advance(DEFAULT_LIMITS.parcelRetryMs - 1);
    assertEquals([(await scene.meet()).fault, scene.parcels()], [fault, 1], "nor is all well");
    await scene.clock.advance(1);
    assertEquals([(await scene.meet()).fault, scene.parcels()], [fault, 2]);
  });
}

Deno.test("round: a greeting that fails is told, also if the peer followed none of our logs before", async () => {
  let answers = replying(encodeParcel([followsItem([])]));
  await using scene = await stage((peer) => answers(peer));
  const { shared, fault } = await scene.meet();
  assertEquals([shared, fault], [0, undefined]);
  answers = (peer) => Promise.resolve(peer.close());
  assertMatch(`${(await scene.meet()).fault}`, /no parcel came/);
});

for (const pace of ["says nothing", "drips"] as const) {
  Deno.test(`round: a peer that ${pace} when a parcel comes is given up in time`, async () => {
    let peer: FakeConnection | undefined;
    await using scene = await stage((it) => (peer = it, Promise.resolve()), { parcelMs: 700 });
    const meeting = scene.meet();
    await settled();
    for (let at = 0; at < 70; at++) {
      if (pace === "drips") await peer!.write(Uint8Array.of(at === 0 ? 0x81 : 0)).catch(() => {});
      await scene.clock.advance(10);
    }
    const { heard, fault } = await meeting;
    assertEquals(heard.length, 1);
    assert(fault!.includes("it was not finished within 700 ms"), fault);
    assertEquals(scene.clock.pending, 0);
  });
}

Deno.test("round: a peer that answers without end is cut off", async () => {
  let written = 0;
  await using scene = await stage(async (peer) => {
    await readAll(peer);
    try {
      await peer.write(Uint8Array.of(PARCEL_VERSION));
      for (; written < 1_000; written++) await peer.write(Uint8Array.of(9, 0, 0, 0, 0));
    } catch {
      // Cut off, as it should be.
    }
  }, { maxItemsPerParcel: 16 });
  assert((await scene.meet()).fault!.includes("more than 16 items"));
  await settled();
  assert(written < 100);
});

Deno.test("round: a peer that is gone when the parcel comes does no harm", async () => {
  const fork = await forkedLog();
  const record = await recordOfFork(fork);
  const { party, network } = await partyOf({
    ...{ logs: [fork.honest.log], shown: [fork.honest], records: () => [record] },
  });
  const listener = network.listen(HERE);
  const meeting = exchangeRound({ party, callee: HERE });
  const greeted = (await listener.accept())!;
  await readAll(greeted);
  await greeted.write(Uint8Array.of(PARCEL_VERSION));
  greeted.close();
  const connection = (await listener.accept())!;
  await readAll(connection);
  listener.close();
  await connection.write(await frameOf(fork.honest));
  connection.close();
  const { heard, fault } = await meeting;
  assertEquals(heard.length, 1);
  assert(fault!.includes("cannot be reached: connection refused"));
});

Deno.test("round: an exchange of frames that fails is a failed round", async () => {
  const log = await logOf("log.example/a", 3);
  const { party } = await partyOf({ logs: [log.log], shown: [log] });
  await assertRejects(() => exchangeRound({ party, callee: HERE }), ExchangeFailed, "reached");
});

// What is remembered of peers

Deno.test("peer knowledge: as many peers and cases are remembered as allowed, the oldest go first", () => {
  const limits = { ...DEFAULT_LIMITS, maxPeersRemembered: 2, maxHandedOverPerPeer: 3 };
  const memory = new PeerKnowledge(limits);
  memory.knowsNow("a", ["1", "2", "3"]);
  assertEquals(["1", "2", "3"].map((id) => memory.knows("a", id)), [true, true, true]);
  memory.knowsNow("a", ["4"]);
  assertEquals(["1", "2", "3", "4"].map((id) => memory.knows("a", id)), [false, true, true, true]);
  memory.knowsNow("b", ["1"]);
  memory.answeredAll("a", 0);
  memory.knowsNow("c", ["1"]);
  assertEquals([memory.knows("a", "4"), memory.knows("b", "1"), memory.knows("c", "1")], [
    true,
    false,
    true,
  ]);
  assertEquals([memory.isToBeAsked("a", 1), memory.isToBeAsked("c", 1)], [false, true]);
});

Deno.test("peer knowledge: a peer is asked at first, and again after the time set", () => {
  const memory = new PeerKnowledge({ ...DEFAULT_LIMITS, askAgainMs: 100 });
  assertEquals(memory.isToBeAsked("a", 0), true);
  memory.answeredAll("a", 50);
  assertEquals([memory.isToBeAsked("a", 149), memory.isToBeAsked("a", 150)], [false, true]);
});

Deno.test("peer knowledge: a peer that failed is left alone for the time to wait", () => {
  const memory = new PeerKnowledge({ ...DEFAULT_LIMITS, parcelRetryMs: 100 });
  assertEquals(memory.parcelFault("a", 0), undefined);
  memory.parcelFailed("a", 50, "why");
  assertEquals([memory.parcelFault("a", 149), memory.parcelFault("a", 150)], ["why", undefined]);
});
