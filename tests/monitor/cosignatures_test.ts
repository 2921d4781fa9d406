/** A daemon with a policy counts who has cosigned the checkpoints of its logs. */
import { createHash } from "node:crypto";
import { assertEquals, assertMatch } from "@std/assert";
import { frozenMemory } from "../../src/monitor/frozen_file.ts";
import { IncidentKeeper } from "../../src/monitor/incident_keeper.ts";
import { IncidentJournal } from "../../src/store/incidents.ts";
import { troublesOf } from "../../src/monitor/troubles.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { grow, open } from "../evidence/histories.ts";
import { type MadeWitness, policyOf, witness, witnesses } from "../authority/policies.ts";
import { ED25519_KEY } from "../authority/stage.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { hexLogHash } from "../../src/monitor/swarm_host.ts";
import { Said } from "../../src/swarm/said.ts";
import { Members } from "../../src/swarm/statement.ts";
import { buildRecord } from "../../src/evidence/record.ts";
import { EquivocationDetector } from "../../src/evidence/detector.ts";
import { encodeParcel } from "../../src/gossip/parcel.ts";
import { recordItem } from "../../src/gossip/record_item.ts";
import { formatCheckpointText } from "../../src/tlog/checkpoint.ts";
import { makeCosigned } from "../../src/tlog/log.ts";
import { settled } from "../gossip/fake_network.ts";
import { WorldError } from "../../src/world/world.ts";
import { fakeWorld } from "../sources/fake_http.ts";
import { cosignedNote, CosignedSource, secondsNow } from "./cosigned_source.ts";
import { askOver, LOG_PATH } from "./http_asking.ts";
import {
  type Duties,
  Host,
  HOUR,
  INCIDENTS,
  logAt,
  MINUTE,
  parted,
  Stage,
  STATE,
} from "./hosts.ts";

const QUORUM = "quorum any-two";

function twoOf(...made: readonly MadeWitness[]) {
  const names = made.map(({ defined }) => defined.split(" ")[1]).join(" ");
  return policyOf(...made.map(({ defined }) => defined), `group any-two 2 ${names}`, QUORUM);
}

/** What a trouble says first, and the place of its log. */
function troubles(host: Host): string[] {
  return troublesOf(host.daemon!.status()).map(({ text }) => text)
    .filter((text) => text.startsWith("witness "));
}

interface Scene extends AsyncDisposable {
  readonly host: Host;
  readonly source: CosignedSource;
  readonly made: readonly MadeWitness[];
  readonly duties: Duties;
  grow(by: readonly MadeWitness[]): Promise<void>;
}

/** A log of 5 entries, three witnesses of whom two are a quorum, and a daemon that follows it. */
async function scene(duties: Partial<Duties> = {}): Promise<Scene> {
  const made = witnesses(3);
  const host = await Host.make();
  const story = grow(await logAt(), 5);
  const source = new CosignedSource({ story, by: made, clock: host.clock });
  const all = { logs: [{ source }], policy: twoOf(...made), cosignedWithin: HOUR, ...duties };
  return {
    ...{ host, source, made, duties: all },
    async grow(by) {
      story.append(`entry ${story.treeSize}`);
      source.by = by;
      await host.pass(MINUTE);
    },
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

function log(host: Host) {
  return host.daemon!.status().logs[0]!;
}

/** What is committed, and the state and size of each witness. */
function counted(host: Host): string {
  const { size, cosigned } = log(host);
  const states = cosigned!.witnesses.map(({ name, keeping, size }) => `${name} ${keeping} ${size}`);
  return `${size}: ${cosigned!.committed?.size ?? "none"}, ${states.join(", ")}`;
}

Deno.test("cosignatures: a checkpoint is committed once a quorum of the policy has cosigned it", async () => {
  await using stage = await scene();
  const { host, source, made: [a, b, c], duties } = stage;
  source.by = [a!];
  await host.start(duties);
  assertEquals(
    counted(host),
    "5: none, W1 cosigning 5, W2 waiting undefined, W3 waiting undefined",
  );
  source.by = [a!, b!];
  await host.pass(MINUTE);
  assertEquals(counted(host), "5: 5, W1 cosigning 5, W2 cosigning 5, W3 waiting undefined");
  await stage.grow([c!]);
  assertEquals(counted(host), "6: 5, W1 cosigning 5, W2 cosigning 5, W3 cosigning 6");
  assertEquals(log(host).cosigned!.committed!.root, source.story.root(5n).toBase64());
});

Deno.test("cosignatures: those of a key that is not in the policy, and those that do not hold, count for nothing", async () => {
  await using stage = await scene();
  const { host, source, made: [a, b], duties } = stage;
  const stranger = witness("W9", { keyName: a!.cosigner.vkey.name });
  const forged = { ...b!, line: (text: string) => b!.line(text.replace("\n5\n", "\n6\n")) };
  source.by = [a!, stranger, forged];
  await host.start(duties);
  assertEquals(
    counted(host),
    "5: none, W1 cosigning 5, W2 waiting undefined, W3 waiting undefined",
  );
  assertEquals(log(host).lastResult, "first", "the log's own signature stands");
});

Deno.test("cosignatures: what is committed survives a restart, and so does who cosigned what came later", async () => {
  await using stage = await scene();
  const { host, source, made: [a, b, c], duties } = stage;
  source.by = [a!];
  await host.start(duties);
  for (const by of [[a!, b!], [a!, b!, c!]]) {
    source.by = by;
    await host.pass(MINUTE);
  }
  const before = counted(host);
  assertEquals(before, "5: 5, W1 cosigning 5, W2 cosigning 5, W3 cosigning 5");
  await host.stop();
  source.latestTrouble = "unavailable";
  await host.start(duties);
  assertEquals(counted(host), before);
});

/** The kinds of the cases in a host's journal, each of them true. */
async function kinds(host: Host): Promise<string[]> {
  await host.cases();
  return (await host.records()).map(({ kind }) => kind).sort();
}

/** A daemon that follows a log which is about to show another history of the same size. */
async function twoStories(made: readonly MadeWitness[]): Promise<{
  ours: TestLog;
  theirs: TestLog;
  followed: (host: Host) => { source: CosignedSource; duties: Duties };
}> {
  const [ours, theirs] = await parted({ at: 4, sizes: [9, 9] });
  const followed = (host: Host) => {
    const source = new CosignedSource({ story: ours, by: made, clock: host.clock });
    return { source, duties: { logs: [{ source }], policy: twoOf(...made) } };
  };
  return { ours, theirs, followed };
}

Deno.test("cosignatures: a witness that cosigned two roots at one size has a case of its own, beside the log's", async () => {
  const made = witnesses(3);
  const { theirs, followed } = await twoStories(made);
  await using host = await Host.make();
  const { source, duties } = followed(host);
  await host.start(duties);
  source.story = theirs;
  source.by = [made[1]!];
  await host.pass(MINUTE);
  assertEquals(await kinds(host), ["same_size", "same_size_cosigned"]);
  const incidents = log(host).cosigned!.witnesses.map(({ incidents = 0 }) => incidents);
  assertEquals(incidents, [0, 1, 0]);
  assertEquals(log(host).incidents, 1, "a witness's case is not the log's");
  const [record] = (await host.records()).filter(({ kind }) => kind === "same_size_cosigned");
  assertEquals(record!.log.vkey, made[1]!.vkey);
  // What was found once is not found again, whoever repeats it and whatever is started anew.
  await host.pass(3 * MINUTE);
  await host.stop();
  await host.start(duties);
  await host.pass(3 * MINUTE);
  assertEquals(await kinds(host), ["same_size", "same_size_cosigned"]);
  assertEquals(host.daemon!.casesHeld, 2);
});

for (const mldsa of [false, true]) {
  Deno.test(`cosignatures: a case about a witness ${mldsa ? "with ML-DSA " : ""}is no incident of a log, and none can be made of it`, async () => {
    // A key of type 0x06 may be a log's as well.
    const made = ["W1", "W2"].map((name) => witness(name, { mldsa }));
    const { ours, theirs, followed } = await twoStories(made);
    await using host = await Host.make();
    const { source, duties } = followed(host);
    await host.start(duties);
    source.story = theirs;
    await host.pass(MINUTE);
    assertEquals(await kinds(host), ["same_size", "same_size_cosigned", "same_size_cosigned"]);
    await host.stop();
    await host.start(duties);
    await host.pass(MINUTE);
    const incidents = new Set(host.toldOf("incident.step").map(({ fields }) => fields.incident));
    assertEquals([...incidents].length, 1);
    await host.stop();
    const journal = await IncidentJournal.open({ files: host.disk.files, folder: INCIDENTS });
    const { signer, clock } = host;
    const memory = frozenMemory({ files: host.disk.files, folder: STATE });
    const failed = (error: unknown): never => {
      throw error;
    };
    const keeper = await IncidentKeeper.open({ journal, signer, clock, memory, failed });
    assertEquals(keeper.unopened(), []);
    assertEquals(keeper.runbook.incidents.map(({ log: { vkey } }) => vkey), [ours.log.vkey.text]);
    const [record] = (await host.records()).filter(({ kind }) => kind === "same_size_cosigned");
    const by = { by: "Ada", why: "it looks bad" };
    const refused = await keeper.open({
      ...{ log: record!.log, cause: "equivocation", cases: [record!.evidence_id], ...by },
      accepted: undefined,
    });
    assertMatch(JSON.stringify(refused), /"refused":".* is no case of a log here"/);
    await journal.close();
  });
}

Deno.test("cosignatures: what a witness cosigned before a restart still convicts it", async () => {
  const made = witnesses(3);
  const { theirs, followed } = await twoStories(made);
  await using host = await Host.make();
  const { source, duties } = followed(host);
  source.by = [made[0]!];
  await host.start(duties);
  await host.stop();
  source.story = theirs;
  await host.start(duties);
  await host.pass(MINUTE);
  assertEquals(await kinds(host), ["same_size", "same_size_cosigned"]);
});

Deno.test("cosignatures: a case about a witness reaches peers and members who know the witness, and no others", async () => {
  for (const how of ["peers", "members"] as const) {
    const made = witnesses(3);
    const { theirs, followed } = await twoStories(made);
    await using stage = await Stage.set({ count: 3 });
    const [one, two, three] = stage.hosts as [Host, Host, Host];
    const others = (host: Host): Partial<Duties> => {
      const rest = stage.hosts.filter((other) => other !== host);
      return how === "peers"
        ? { peers: rest.map(({ address }) => address) }
        : { members: rest.map((host) => ({ host })) };
    };
    const finder = followed(one);
    await one.start({ ...finder.duties, ...others(one) });
    await two.start({ ...followed(two).duties, ...others(two) });
    const { policy: _, ...without } = followed(three).duties;
    await three.start({ ...without, ...others(three) });
    await stage.minutes(2);
    finder.source.story = theirs;
    finder.source.by = [made[2]!];
    await stage.minutes(6);
    assertEquals(await kinds(one), ["same_size", "same_size_cosigned"], how);
    assertEquals(await kinds(two), ["same_size", "same_size_cosigned"], how);
    assertEquals(await kinds(three), ["same_size"], how);
    const charged = stage.hosts.flatMap((host) => host.toldOf("exchange.refused"));
    assertEquals(charged, [], how);
  }
});

Deno.test("cosignatures: a witness that stops is lagging while others go on, and is told to be back", async () => {
  await using stage = await scene();
  const { host, made: [a, b, c], duties } = stage;
  await host.start(duties);
  for (let minute = 0; minute < 59; minute++) await stage.grow([a!, b!]);
  assertEquals(troubles(host), [], "not for longer than is allowed");
  for (let minute = 0; minute < 4; minute++) await stage.grow([a!, b!]);
  const [text, ...more] = troubles(host);
  assertEquals(more, []);
  assertMatch(text!, /^witness W3 (lags behind the other witnesses|is missing)/);
  const { keeping } = log(host).cosigned!.witnesses[2]!;
  // Its latest cosignature is as old as the others are ahead of it.
  assertEquals(keeping, "missing");
  assertEquals(host.loud("witness.missing"), ["warning"]);
  const told = host.toldOf("witness.missing")[0]!.fields.detail as string;
  assertMatch(told, /could be cosigning another version/);
  await stage.grow([a!, b!, c!]);
  await host.pass(MINUTE);
  assertEquals(troubles(host), []);
  assertEquals(host.loud("witness.recovered"), ["info"]);
});

Deno.test("cosignatures: a witness that cosigns old sizes only is lagging, however new its cosignatures are", async () => {
  await using stage = await scene({ httpGossip: true });
  const { host, source, made: [a, b, c], duties } = stage;
  await host.start(duties);
  for (let minute = 0; minute < 70; minute++) {
    await stage.grow([a!, b!]);
    // It says every minute that size 5 is the largest that it has seen.
    const shown = await cosignedNote({
      ...{ story: source.story, size: 5, by: [c!], time: secondsNow(host.clock) },
    });
    await Promise.all([askOver(host, { path: LOG_PATH, content: shown }), host.pass(5_000)]);
  }
  assertEquals(log(host).cosigned!.witnesses[2]!.keeping, "lagging");
  assertMatch(troubles(host)[0]!, /^witness W3 lags behind the other witnesses, at size 5,/);
});

Deno.test("cosignatures: a witness of which nothing was ever seen is missing after a while, and not at once", async () => {
  await using stage = await scene();
  const { host, source, made: [a, b], duties } = stage;
  source.by = [a!, b!];
  await host.start(duties);
  await host.pass(59 * MINUTE);
  assertEquals(troubles(host), []);
  await host.pass(2 * MINUTE);
  assertEquals(troubles(host), [
    `witness W3 is missing: no cosignature of it was seen for log ${source.story.log.origin}`,
  ]);
  // Under another policy it is counted anew. That it may be early to say does not end the trouble.
  const all = [...stage.made.map(({ defined }) => defined), "group all all W1 W2 W3", "quorum all"];
  await host.reload({ ...duties, policy: policyOf(...all) });
  await host.pass(3 * MINUTE);
  assertEquals(troubles(host), []);
  assertEquals(host.loud("witness.recovered"), []);
});

Deno.test("cosignatures: a time that is still to come makes no cosignature newer than it is", async () => {
  await using stage = await scene();
  const { host, source, made: [a], duties } = stage;
  const ahead = { ...a!, line: (text: string) => a!.line(text, 2n ** 40n) };
  source.by = [ahead];
  await host.start(duties);
  source.by = [];
  await host.pass(62 * MINUTE);
  assertEquals(log(host).cosigned!.witnesses[0]!.keeping, "missing");
});

Deno.test("cosignatures: a reload brings a policy, changes it, and takes it away; what is counted stays", async () => {
  await using stage = await scene();
  const { host, source, made: [a, b, c], duties } = stage;
  source.by = [a!, b!];
  const { policy: _, ...without } = duties;
  await host.start(without);
  assertEquals(log(host).cosigned, undefined);
  await host.reload(duties);
  await host.pass(MINUTE);
  assertEquals(counted(host), "5: 5, W1 cosigning 5, W2 cosigning 5, W3 waiting undefined");
  const stricter = policyOf(
    ...[a!, b!, c!].map(({ defined }) => defined),
    "group everyone all W1 W2 W3",
    "quorum everyone",
  );
  await host.reload({ ...duties, policy: stricter });
  // It is counted anew from the journal, before anything more is shown.
  assertEquals(counted(host), "5: none, W1 cosigning 5, W2 cosigning 5, W3 waiting undefined");
  await host.reload(without);
  assertEquals(log(host).cosigned, undefined);
});

Deno.test("cosignatures: what a witness shows at its URL is counted, settled, and evidence", async () => {
  const made = witnesses(3);
  const [ours, theirs] = await parted({ at: 4, sizes: [9, 9] });
  await using host = await Host.make();
  const source = new CosignedSource({ story: ours, by: [made[0]!], clock: host.clock });
  const asked: string[] = [];
  let shown: string | undefined;
  const server = (path: string) => {
    asked.push(path);
    return shown === undefined ? undefined : { body: shown };
  };
  host.http = fakeWorld(server).world.http;
  const [a, b, c] = made.map(({ defined }) => defined) as [string, string, string];
  const policy = policyOf(
    a,
    `${b} http://198.51.100.77/w/`,
    c,
    "group two 2 W1 W2 W3",
    "quorum two",
  );
  await host.start({ logs: [{ source }], policy });
  await host.pass(MINUTE);
  const hash = createHash("sha256").update(ours.log.origin).digest("hex");
  assertEquals(asked, [`/w/${hash}/checkpoint`], "nothing is there yet");
  assertEquals(
    counted(host),
    "9: none, W1 cosigning 9, W2 waiting undefined, W3 waiting undefined",
  );
  const time = secondsNow(host.clock);
  shown = await cosignedNote({ story: ours, by: [made[1]!], time });
  await host.pass(6 * MINUTE);
  assertEquals(counted(host), "9: 9, W1 cosigning 9, W2 cosigning 9, W3 waiting undefined");
  assertEquals(asked.length, 2, "every five minutes");
  await host.pass(MINUTE);
  const before = counted(host);
  await host.stop();
  // What it has shown is known after a restart, though nobody shows it again.
  [source.latestTrouble, shown] = ["unavailable", undefined];
  await host.start({ logs: [{ source }], policy });
  assertEquals(counted(host), before);
  source.latestTrouble = undefined;
  shown = "<html>gone</html>";
  await host.pass(5 * MINUTE);
  assertMatch(log(host).cosigned!.witnesses[1]!.failing!, /no checkpoint of this log/);
  assertEquals(log(host).openQuestions, 0);
  shown = await cosignedNote({ story: theirs, by: [made[1]!], time });
  await host.pass(15 * MINUTE);
  assertEquals(await kinds(host), ["same_size", "same_size_cosigned"]);
  assertEquals(log(host).cosigned!.witnesses[1]!.failing, undefined);
});

Deno.test("cosignatures: a witness that does not answer keeps nobody waiting, and is asked less often", async () => {
  await using stage = await scene();
  const { host, duties, made } = stage;
  let asked = 0;
  host.http = {
    ...host.http,
    request: () => {
      asked++;
      return Promise.reject(new WorldError("timed out", "no answer within 15000 ms"));
    },
  };
  const [a, b, c] = made.map(({ defined }) => defined) as [string, string, string];
  const policy = policyOf(`${a} http://198.51.100.77`, b, c, "group two 2 W1 W2 W3", "quorum two");
  await host.start({ ...duties, policy });
  await host.pass(2 * HOUR);
  assertMatch(log(host).cosigned!.witnesses[0]!.failing!, /no answer within/);
  assertEquals(counted(host).startsWith("5: 5, "), true, "the log's own note has them");
  assertEquals(asked, 4, "at once, and after 10, 20 and 40 minutes");
});

Deno.test("cosignatures: who makes up lines pays for each that is tried, and keeps nobody else waiting", async () => {
  await using stage = await scene({ httpGossip: true, framesPerSecond: 2_048 });
  const { host, source, made, duties } = stage;
  await host.start(duties);
  const post = async (by: readonly MadeWitness[], from: string): Promise<number> => {
    const note = await cosignedNote({ story: source.story, by, time: 7n });
    const path = LOG_PATH;
    const [{ status }] = await Promise.all([
      askOver(host, { path, content: note, from }),
      settled(),
    ]);
    return status;
  };
  const forged = made.map((one) => ({ ...one, line: (text: string) => one.line(`${text}x\n`) }));
  const statuses: number[] = [];
  for (let i = 0; i < 20; i++) statuses.push(await post(forged, "192.0.2.7"));
  // Of the allowance of 2,048 each takes 3 x 64, and a few more.
  assertEquals([statuses.indexOf(429) > 8, statuses.indexOf(429) < 12], [true, true]);
  const honest: number[] = [];
  for (let i = 0; i < 20; i++) honest.push(await post(made, "192.0.2.8"));
  assertEquals(honest.filter((status) => status !== 429).length, 20);
});

Deno.test("cosignatures: those of this monitor's own witness count, once the log has pushed to it", async () => {
  const [other] = witnesses(1) as [MadeWitness];
  const story = grow(await logAt(), 5);
  await using host = await Host.make();
  const source = new CosignedSource({ story, by: [other], clock: host.clock });
  const own = `witness own ${ED25519_KEY.vkey.text}`;
  const policy = policyOf(own, other.defined, "group both all own W1", "quorum both");
  const witness = { keys: [ED25519_KEY], pushed: [] };
  await host.start({ logs: [{ source }], policy, witness });
  await host.pass(MINUTE);
  assertEquals(counted(host), "5: none, own waiting undefined, W1 cosigning 5");
  const body = utf8(`old 0\n\n${await story.checkpoint()}`);
  const { status } = await host.daemon!.witnessing!.witness.addCheckpoint(body, "192.0.2.7");
  assertEquals(status, 200);
  await host.pass(MINUTE);
  assertEquals(counted(host), "5: 5, own cosigning 5, W1 cosigning 5");
});

Deno.test("cosignatures: what a member was shown counts here too, though the log shows us none", async () => {
  const made = witnesses(3);
  const story = grow(await logAt(), 5);
  await using stage = await Stage.set();
  const { one, two } = stage;
  const policy = twoOf(...made);
  const sources = [made, []].map((by, i) =>
    new CosignedSource({ story, by, clock: stage.hosts[i]!.clock })
  );
  await one.start({ logs: [{ source: sources[0]! }], policy, members: [{ host: two }] });
  await two.start({ logs: [{ source: sources[1]! }], policy, members: [{ host: one }] });
  await stage.minutes(2);
  story.append("one more");
  await stage.minutes(3);
  const committed = "6: 6, W1 cosigning 6, W2 cosigning 6, W3 cosigning 6";
  assertEquals([counted(one), counted(two)], [committed, committed]);
  const said = await Said.open({
    ...{ files: two.disk.files, folder: STATE, members: new Members([one.signer.vkey]) },
    onDamage: (detail) => assertEquals(detail, ""),
  });
  const { body } = said.of(one.signer.vkey.text, hexLogHash(story.log))!;
  assertEquals("note" in body && body.note.match(/^— W\d/gm)?.length, 3, "it is a statement too");
  await two.stop();
  sources[1]!.latestTrouble = "unavailable";
  await two.start({ logs: [{ source: sources[1]! }], policy });
  assertEquals(counted(two), committed, "it is written down");
});

Deno.test("cosignatures: what a witness has signed without the log convicts it, and counts for nothing", async () => {
  await using stage = await scene();
  const { host, source: { story }, made, duties } = stage;
  await host.start(duties);
  const { origin } = story.log;
  const detector = new EquivocationDetector();
  const cosigner = makeCosigned({ vkey: made[0]!.cosigner.vkey, origin });
  for (const byte of [1, 2]) {
    const rootHash = new Uint8Array(32).fill(byte);
    const text = formatCheckpointText({ origin, treeSize: 10n ** 9n, rootHash });
    detector.observe(open(`${text}\n${made[0]!.line(text, 7n)}\n`, cosigner), "somebody");
  }
  const [conflict] = detector.takeConflicts();
  const record = buildRecord({ conflict: conflict!, detectedAt: host.clock.now().toISOString() });
  for (let i = 0; i < 2; i++) {
    const caller = await host.network.at("192.0.2.7").connect(host.address, 1_000);
    await caller.write(encodeParcel([recordItem(record)]));
    await caller.closeWrite();
    await settled();
  }
  const before = "5: 5, W1 cosigning 5, W2 cosigning 5, W3 cosigning 5";
  assertEquals([await kinds(host), counted(host)], [["same_size_cosigned"], before]);
  // Nobody else is behind because of it, today or after a restart.
  await host.stop();
  await host.start(duties);
  for (let minute = 0; minute < 62; minute++) await stage.grow(made);
  assertEquals(troubles(host), []);
});

Deno.test("cosignatures: a checkpoint that a witness shows, and the log does not show us, is withheld", async () => {
  await using stage = await scene();
  const { host, source, made, duties } = stage;
  grow(source.story, 9);
  source.size = 5;
  const shown = await cosignedNote({
    ...{ story: source.story, by: [made[0]!], time: secondsNow(host.clock) },
  });
  host.http = fakeWorld(() => ({ body: shown })).world.http;
  const [a, b, c] = made.map(({ defined }) => defined) as [string, string, string];
  const policy = policyOf(`${a} http://198.51.100.77`, b, c, "group two 2 W1 W2 W3", "quorum two");
  await host.start({ ...duties, policy, logs: [{ source, patienceMs: HOUR }] });
  await host.pass(2 * HOUR);
  assertEquals([log(host).size, log(host).withheld, host.daemon!.incidents], ["5", 1, 0]);
  assertEquals(log(host).cosigned!.witnesses[0]!.size, "9");
});
