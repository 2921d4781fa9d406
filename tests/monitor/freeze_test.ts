/** What is proven, or looks as if it were, freezes its log at once; and only people let it go on. */
import { assert, assertEquals } from "@std/assert";
import { encodeHex } from "@std/encoding/hex";
import {
  isTransition,
  signedTransition,
  type Transition,
  transitionBytes,
} from "../../src/evidence/transition.ts";
import { readFailed } from "../../src/monitor/failed_answers.ts";
import { frozenMemory } from "../../src/monitor/frozen_file.ts";
import { IncidentKeeper } from "../../src/monitor/incident_keeper.ts";
import { hexLogHash } from "../../src/monitor/swarm_host.ts";
import { IncidentJournal, readIncidents, transitionOf } from "../../src/store/incidents.ts";
import { Journal } from "../../src/store/journal.ts";
import { KIND } from "../../src/swarm/session.ts";
import { makeStatement } from "../../src/swarm/statement.ts";
import { base64, strictBase64, utf8 } from "../../src/tlog/encoding.ts";
import { sha256 } from "../../src/tlog/hashing.ts";
import { WorldError } from "../../src/world/world.ts";
import { checkpointOf, grow } from "../evidence/histories.ts";
import { ManualClock } from "../gossip/fake_network.ts";
import { DAY, Host, HOUR, INCIDENTS, logAt, MINUTE, Stage, STATE } from "./hosts.ts";
import { all, greet, sessionOf } from "./members_of.ts";
import { ScriptedSource } from "./scripted_source.ts";

/** The steps in a host's journal, in order. */
async function stepsOf(host: Host): Promise<Transition[]> {
  const steps: Transition[] = [];
  for await (const item of readIncidents({ files: host.disk.files, folder: INCIDENTS })) {
    if (!("entry" in item) || !isTransition(item.entry.record)) continue;
    steps.push(transitionOf(item.entry, INCIDENTS));
  }
  return steps;
}

/** The steps as texts. */
function shown(steps: readonly Transition[]): string[] {
  return steps.map(({ incident, from, to, by }) => `${incident} ${from} ${to} ${by}`);
}

/** A log that has two stories from size 4 on. */
async function parted() {
  const log = await logAt();
  grow(log, 4);
  const theirs = log.fork();
  return { log: grow(log, 20), theirs: grow(theirs, 20, "theirs") };
}

const PERSON = { by: "Ada", why: "the operator has explained it" };

async function resolve(host: Host, incident: string): Promise<void> {
  for (const to of ["INVESTIGATE", "RESOLVE", "CLOSED"] as const) {
    const stepped = await host.daemon!.step({ incident, to, ...PERSON });
    assert("incident" in stepped, JSON.stringify(stepped));
  }
}

Deno.test("freeze: a recorded case freezes its log at once, after a restart too, until it is resolved", async () => {
  const { log, theirs } = await parted();
  const source = new ScriptedSource(log, 8);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  assertEquals(one.daemon!.status().logs[0]!.freeze, undefined);
  await one.hear([(await checkpointOf(theirs, 8)).frame]);
  const { logs: [frozen], incidents } = one.daemon!.status();
  assertEquals([incidents, frozen!.freeze?.incidents], [1, ["INC-2026-001"]]);
  assertEquals(frozen!.freeze?.causes, ["equivocation"]);
  assertEquals(shown(await stepsOf(one)), [
    ...["INC-2026-001 null DETECT hearsay", "INC-2026-001 DETECT FREEZE hearsay"],
  ]);
  const [detected, froze] = await stepsOf(one);
  assertEquals(detected!.evidence_ids, await one.cases());
  assertEquals(froze!.accepted?.size, "8");
  // It is watched, and what it shows is not accepted.
  source.size = 12;
  await one.pass(MINUTE);
  const [watched] = one.daemon!.status().logs;
  assertEquals([watched!.size, watched!.seenSize], ["8", "12"]);
  await one.stop();
  await one.start({ logs: [{ source }] });
  source.size = 16;
  await one.pass(MINUTE);
  const [again] = one.daemon!.status().logs;
  assertEquals([again!.size, again!.seenSize], ["8", "16"]);
  assertEquals(again!.freeze?.incidents, ["INC-2026-001"]);
  await resolve(one, "INC-2026-001");
  const [thawed] = one.daemon!.status().logs;
  assertEquals([thawed!.freeze, thawed!.size, thawed!.seenSize], [undefined, "16", undefined]);
  await one.stop();
  await one.start({ logs: [{ source }] });
  await one.pass(HOUR);
  assertEquals(one.daemon!.status().logs[0]!.freeze, undefined);
  assertEquals((await stepsOf(one)).length, 5);
  assertEquals(one.refusals, []);
});

Deno.test("freeze: a case that comes while a step about another is written is in an incident too", async () => {
  const { log, theirs } = await parted();
  await using one = await Host.make();
  await one.start({ logs: [{ source: new ScriptedSource(log, 8) }] });
  const [first, second] = await Promise.all([6, 8].map((size) => checkpointOf(theirs, size)));
  const { create } = one.files;
  const goOn = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  one.files.create = async (path, permissions) => {
    if (path.includes("frozen") && one.toldOf("incident.recorded").length > 0) {
      reached.resolve();
      await goOn.promise;
    }
    return await create(path, permissions);
  };
  await one.hear([first!.frame]);
  await reached.promise;
  await one.hear([second!.frame]);
  assertEquals(one.toldOf("incident.recorded").length, 2);
  goOn.resolve();
  await one.pass(MINUTE);
  const inIncidents = (await stepsOf(one)).flatMap(({ evidence_ids }) => evidence_ids);
  assertEquals(inIncidents.sort(), (await one.cases()).sort());
  assertEquals(inIncidents.length, 2);
});

Deno.test("freeze: a step that is in the journal was made, though the small file beside it cannot be written", async () => {
  const { log, theirs } = await parted();
  await using one = await Host.make();
  await one.start({ logs: [{ source: new ScriptedSource(log, 8) }] });
  await one.hear([(await checkpointOf(theirs, 8)).frame]);
  const { create } = one.files;
  let refuses = true;
  one.files.create = async (path, permissions) => {
    if (refuses && path.includes("frozen")) throw new WorldError("other", "no space left");
    return await create(path, permissions);
  };
  const { length } = one.toldOf("incident.step");
  await resolve(one, "INC-2026-001");
  assertEquals(logOf(one).freeze, undefined);
  assertEquals(one.toldOf("incident.step").length, length + 3);
  assert(one.refusals.length > 0, "it is told");
  const holds = (): string => one.disk.content(`${STATE}/frozen.json`)!;
  assert(holds().includes("INC-2026-001"));
  refuses = false;
  await one.pass(MINUTE);
  assert(!holds().includes("INC-2026-001"), "it is tried again");
});

/** What a host says of the only log that it follows. */
function logOf(host: Host) {
  return host.daemon!.status().logs[0]!;
}

/** What did not hold and opened the first incident, as a host's disk has it. */
async function failedOf(host: Host) {
  const [detected] = await stepsOf(host);
  return await readFailed({ files: host.disk.files, state: STATE }, detected!);
}

Deno.test("freeze: three proofs in a row that do not hold freeze a log, and two do not", async () => {
  const { log } = await parted();
  const source = new ScriptedSource(log, 4);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  [source.size, source.proofTrouble] = [8, "wrong"];
  await one.pass(2 * MINUTE);
  assertEquals([logOf(one).counts.unproven, logOf(one).freeze], [2, undefined]);
  // What holds in between begins the count anew.
  source.proofTrouble = undefined;
  await one.pass(MINUTE);
  [source.size, source.proofTrouble] = [12, "wrong"];
  await one.pass(2 * MINUTE);
  assertEquals(logOf(one).freeze, undefined);
  await one.pass(MINUTE);
  assertEquals(logOf(one).freeze?.causes, ["consistency failure"]);
  const [detected] = await stepsOf(one);
  assertEquals([detected!.cause, detected!.evidence_ids], ["consistency failure", []]);
  // It is one incident, however long it goes on, and nobody is accused.
  await one.pass(HOUR);
  assertEquals((await stepsOf(one)).length, 2);
  assertEquals(await one.cases(), []);
  source.proofTrouble = undefined;
  await one.pass(MINUTE);
  assertEquals([logOf(one).size, logOf(one).seenSize], ["8", "12"], "only people let it go on");
  // The proof is kept with both checkpoints, and it does not hold.
  await one.crash();
  const failed = await failedOf(one);
  assert(failed?.kind === "proof");
  const { older, newer, consistency } = failed.stored;
  assertEquals(older.note, (await checkpointOf(log, 8)).noteWithCosignatures);
  assertEquals(newer.note, (await checkpointOf(log, 12)).noteWithCosignatures);
  assertEquals(consistency.implied_root, base64(log.root(8n)));
  const proof = consistency.proof.map(strictBase64);
  assertEquals(proof.slice(1), log.consistencyProof({ older: 8n, newer: 12n }).slice(1));
  assertEquals(proof[0], new Uint8Array(32), "what the source has put there");
});

Deno.test("freeze: three proofs in a row freeze a log whatever restarts come between", async () => {
  for (const end of ["stop", "crash"] as const) {
    const { log } = await parted();
    const source = new ScriptedSource(log, 4);
    await using one = await Host.make();
    // Each process looks once.
    const logs = [{ source, pollMs: DAY }];
    await one.start({ logs });
    await one.pass(MINUTE);
    [source.size, source.proofTrouble] = [8, "wrong"];
    for (const isFrozen of [false, false, true]) {
      await one[end]();
      await one.start({ logs });
      await one.pass(MINUTE);
      assertEquals(logOf(one).freeze !== undefined, isFrozen, end);
    }
  }
});

Deno.test("freeze: what holds begins the count of failures anew, after a restart too", async () => {
  const { log } = await parted();
  const source = new ScriptedSource(log, 4);
  await using one = await Host.make();
  const logs = [{ source }];
  await one.start({ logs });
  [source.size, source.proofTrouble] = [8, "wrong"];
  await one.pass(2 * MINUTE);
  source.proofTrouble = undefined;
  await one.pass(MINUTE);
  await one.crash();
  await one.start({ logs });
  [source.size, source.proofTrouble] = [12, "wrong"];
  await one.pass(MINUTE);
  assertEquals(logOf(one).freeze, undefined);
  await one.stop();
  // A file that is damaged begins the count anew, and keeps nobody from starting.
  one.disk.put(`${STATE}/proof-failures.json`, "{");
  await one.start({ logs });
  await one.pass(MINUTE);
  assertEquals(logOf(one).freeze, undefined);
  await one.pass(2 * MINUTE);
  assertEquals(logOf(one).freeze?.causes, ["consistency failure"]);
});

Deno.test("freeze: proofs that are missing are an outage, however long, and freeze nothing", async () => {
  for (const trouble of ["refused", "unavailable"] as const) {
    const { log } = await parted();
    const source = new ScriptedSource(log, 4);
    await using one = await Host.make();
    await one.start({ logs: [{ source }] });
    [source.size, source.proofTrouble] = [8, trouble];
    await one.pass(5 * HOUR);
    assertEquals(logOf(one).freeze, undefined);
    assertEquals(await stepsOf(one), []);
  }
});

/** A note of a log that its key has not signed: the end of the signature is another one. */
async function forged(source: ScriptedSource): Promise<string> {
  const note = new TextDecoder().decode(await source.latest());
  const lines = note.trimEnd().split("\n");
  const at = lines.at(-1)!.length - 8;
  const last = lines.at(-1)!;
  lines[lines.length - 1] = last.slice(0, at) + (last[at] === "A" ? "B" : "A") + last.slice(at + 1);
  return lines.join("\n") + "\n";
}

Deno.test("freeze: a signature failure that two monitors met freezes at both, and one alone at none", async () => {
  const { log } = await parted();
  await using stage = await Stage.set({ count: 2, clock: new ManualClock() });
  const { one, two } = stage;
  const sources = [new ScriptedSource(log, 8), new ScriptedSource(log, 8)] as const;
  await one.start({ logs: [{ source: sources[0] }], members: all(two), admit: "members" });
  await two.start({ logs: [{ source: sources[1] }], members: all(one), admit: "members" });
  await stage.minutes(3);
  const note = await forged(sources[0]);
  sources[0].latestTrouble = { note };
  await stage.minutes(20);
  assertEquals(logOf(one).lastResult, "unverified");
  assertEquals([logOf(one).freeze, logOf(two).freeze], [undefined, undefined]);
  sources[1].latestTrouble = { note };
  await stage.minutes(3);
  for (const host of [one, two]) {
    assertEquals(logOf(host).freeze?.causes, ["signature failure"]);
    const [detected] = await stepsOf(host);
    const other = host === one ? two : one;
    assert(detected!.why.includes(other.signer.vkey.name), detected!.why);
    await host.crash();
    assertEquals(await failedOf(host), { kind: "note", content: note });
    assert(detected!.why.includes(encodeHex(sha256(utf8(note)))), detected!.why);
  }
});

Deno.test("freeze: nobody freezes a log by saying so", async () => {
  const { log } = await parted();
  await using stage = await Stage.set({ count: 3, clock: new ManualClock() });
  const [one, two, three] = stage.hosts as [Host, Host, Host];
  const source = new ScriptedSource(log, 8);
  await one.start({ logs: [{ source }], members: all(two, three), admit: "members" });
  const note = await forged(source);
  const follows = [hexLogHash(log.log)];
  // Two members say that they met it, again and again; and one says it of what the log has signed.
  for (const host of [two, three]) {
    const session = await sessionOf(host, one);
    await greet(session, { logs: follows } as never);
    for (let sequence = 1n; sequence <= 3n; sequence++) {
      const shown = sequence === 3n ? await new ScriptedSource(log, 8).latest() : note;
      const text = typeof shown === "string" ? shown : new TextDecoder().decode(shown);
      const time = one.clock.now().toISOString();
      const body = { kind: "unverified", time, log: follows[0]!, note: text } as const;
      const statement = await makeStatement({ signer: host.signer, epoch: 1n, sequence, body });
      await session.send(KIND.said, utf8(statement.text));
    }
    await one.pass(MINUTE);
    session.close();
  }
  await one.pass(5 * MINUTE);
  assertEquals([logOf(one).freeze, await stepsOf(one)], [undefined, []]);
  // The same words count once this monitor has seen it with its own eyes: two have met it then.
  source.latestTrouble = { note };
  await one.pass(2 * MINUTE);
  assertEquals(logOf(one).freeze?.causes, ["signature failure"]);
});

Deno.test("freeze: several incidents freeze one log, and it goes on when the last is resolved", async () => {
  const { log, theirs } = await parted();
  const source = new ScriptedSource(log, 8);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  await one.hear([(await checkpointOf(theirs, 8)).frame]);
  // What comes before anybody investigates belongs to the same incident.
  await one.hear([(await checkpointOf(theirs, 7)).frame]);
  await one.pass(MINUTE);
  assertEquals(logOf(one).freeze?.incidents, ["INC-2026-001"]);
  const added = (await stepsOf(one)).find(({ from, to }) => from === "FREEZE" && to === "FREEZE");
  assertEquals(added?.evidence_ids.length, 1);
  const step = (incident: string, to: "INVESTIGATE" | "RESOLVE") =>
    one.daemon!.step({ incident, to, ...PERSON });
  await step("INC-2026-001", "INVESTIGATE");
  await one.hear([(await checkpointOf(theirs, 6)).frame]);
  await one.pass(MINUTE);
  assertEquals(logOf(one).freeze?.incidents, ["INC-2026-001", "INC-2026-002"]);
  await step("INC-2026-001", "RESOLVE");
  assertEquals(logOf(one).freeze?.incidents, ["INC-2026-002"]);
  await step("INC-2026-002", "INVESTIGATE");
  await step("INC-2026-002", "RESOLVE");
  assertEquals(logOf(one).freeze, undefined);
  assertEquals((await one.cases()).length, 3);
});

Deno.test("freeze: a second split of a frozen log is found, recorded, and told to members", async () => {
  const { log, theirs } = await parted();
  await using stage = await Stage.set({ count: 2, clock: new ManualClock() });
  const { one, two } = stage;
  const source = new ScriptedSource(log, 8);
  await one.start({ logs: [{ source }], members: all(two), admit: "anyone" });
  await two.start({
    logs: [{ source: new ScriptedSource(log, 8) }],
    ...{ members: all(one), admit: "members" },
  });
  await stage.minutes(2);
  await one.hear([(await checkpointOf(theirs, 8)).frame]);
  await stage.minutes(2);
  assertEquals([logOf(one).freeze !== undefined, logOf(two).freeze !== undefined], [true, true]);
  // It grows while it is frozen, and parts again beyond what was accepted.
  source.size = 16;
  await stage.minutes(2);
  assertEquals([logOf(one).size, logOf(one).seenSize], ["8", "16"]);
  await one.hear([(await checkpointOf(theirs, 14)).frame]);
  await stage.minutes(3);
  const [first, second] = [await one.cases(), await two.cases()];
  assertEquals(first.length, 2);
  assertEquals(second, first);
});

Deno.test("freeze: a monitor that is updated freezes nothing for cases of before", async () => {
  const { log, theirs } = await parted();
  const source = new ScriptedSource(log, 8);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  await one.hear([(await checkpointOf(theirs, 8)).frame]);
  await one.stop();
  // As an earlier version left it: cases alone, and no file.
  const path = `${INCIDENTS}/journal.jsonl`;
  const [first] = one.disk.content(path)!.split("\n");
  one.disk.put(path, `${first}\n`);
  await one.disk.files.remove(`${STATE}/frozen.json`);
  for (let start = 0; start < 2; start++) {
    await one.start({ logs: [{ source }] });
    await one.pass(2 * MINUTE);
    assertEquals([logOf(one).freeze, logOf(one).incidents], [undefined, 1]);
    await one.stop();
  }
  // What comes now freezes.
  await one.start({ logs: [{ source }] });
  await one.hear([(await checkpointOf(theirs, 7)).frame]);
  await one.pass(MINUTE);
  const [detected] = await stepsOf(one);
  assertEquals(detected!.evidence_ids.length, 1);
  assert(!detected!.evidence_ids.includes(JSON.parse(first!).record.evidence_id));
});

Deno.test("freeze: a journal that is lost lets no log go on", async () => {
  const { log, theirs } = await parted();
  const source = new ScriptedSource(log, 8);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  await one.hear([(await checkpointOf(theirs, 8)).frame]);
  await one.stop();
  // The steps are cut off; the case stays. Then all of it is lost.
  const path = `${INCIDENTS}/journal.jsonl`;
  const [first] = one.disk.content(path)!.split("\n");
  for (const left of [`${first}\n`, ""]) {
    one.disk.put(path, left);
    await one.start({ logs: [{ source }] });
    assertEquals(logOf(one).freeze?.incidents, ["INC-2026-001"]);
    assertEquals(logOf(one).size, "8");
    assert((await stepsOf(one)).some(({ why }) => why.startsWith("the journal had lost it")));
    await one.stop();
  }
});

Deno.test("freeze: a damaged file of frozen logs is told, and the journal keeps them frozen", async () => {
  const { log, theirs } = await parted();
  const source = new ScriptedSource(log, 8);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  await one.hear([(await checkpointOf(theirs, 8)).frame]);
  await one.stop();
  assertEquals(one.refusals, []);
  const path = `${STATE}/frozen.json`;
  one.disk.put(path, one.disk.content(path)!.replace("INC-2026-001", "INC-2026-002"));
  await one.start({ logs: [{ source }] });
  assertEquals(logOf(one).freeze?.incidents, ["INC-2026-001"]);
  assertEquals(one.refusals.length, 1);
  assert(/frozen logs is damaged/.test(one.refusals[0]!.message), one.refusals[0]!.message);
  assert(one.disk.content(path)!.includes("INC-2026-001"));
});

Deno.test("freeze: what a person opens takes no name of an incident that the journal has lost", async () => {
  const { log, theirs } = await parted();
  const source = new ScriptedSource(log, 8);
  await using one = await Host.make();
  await one.start({ logs: [{ source }] });
  await one.hear([(await checkpointOf(theirs, 8)).frame]);
  await one.stop();
  one.disk.put(`${INCIDENTS}/journal.jsonl`, "");
  // As 'hearsay incidents run' does while no daemon runs.
  const { files } = one.disk;
  const journal = await IncidentJournal.open({ files, folder: INCIDENTS });
  const keeper = await IncidentKeeper.open({
    ...{ journal, signer: one.signer, clock: one.clock },
    memory: frozenMemory({ files, folder: STATE }),
    failed: (error) => assertEquals(error, undefined),
  });
  const other = (await logAt("log.invalid/other")).log;
  const opened = await keeper.open({
    log: { origin: other.origin, vkey: other.vkey.text },
    ...{ cause: "consistency failure", cases: [], accepted: undefined, ...PERSON },
  });
  await journal.close();
  assertEquals("incident" in opened && opened.incident.id, "INC-2026-002");
  await one.start({ logs: [{ source }] });
  assertEquals(logOf(one).freeze?.incidents, ["INC-2026-001"]);
});

Deno.test("freeze: who can write the folder and has no key lets no log go on", async () => {
  const { log, theirs } = await parted();
  const source = new ScriptedSource(log, 8);
  await using one = await Host.make();
  await using other = await Host.make({ number: 2 });
  await one.start({ logs: [{ source }] });
  await one.hear([(await checkpointOf(theirs, 8)).frame]);
  await one.stop();
  const journal = await Journal.open({ files: one.disk.files, folder: INCIDENTS });
  const last = (await stepsOf(one)).at(-1)!;
  const { accepted: _, ...rest } = last;
  let from = last.to;
  for (const to of ["INVESTIGATE", "RESOLVE"] as const) {
    const made = {
      ...rest,
      from,
      to,
      by: "Mallory",
      evidence_ids: [],
      monitor: other.signer.vkey.text,
    };
    const signature = await other.signer.sign(transitionBytes(made));
    await journal.append(signedTransition(made, signature), rest.at);
    from = to;
  }
  await journal.close();
  await one.start({ logs: [{ source }] });
  assertEquals(logOf(one).freeze?.incidents, ["INC-2026-001"]);
  assertEquals(one.toldOf("journal.unsound").map(({ fields }) => fields.incidents), [[4, 5]]);
});
