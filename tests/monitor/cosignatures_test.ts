/** A daemon with a policy counts who has cosigned the checkpoints of its logs. */
import { assertEquals, assertMatch } from "@std/assert";
import { troublesOf } from "../../src/monitor/troubles.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { grow } from "../evidence/histories.ts";
import { type MadeWitness, policyOf, witness, witnesses } from "../authority/policies.ts";
import { CosignedSource } from "./cosigned_source.ts";
import { type Duties, Host, HOUR, logAt, MINUTE, parted, Stage } from "./hosts.ts";

const QUORUM = "quorum any-two";

function twoOf(...made: readonly MadeWitness[]) {
  const names = made.map(({ defined }) => defined.split(" ")[1]).join(" ");
  return policyOf(...made.map(({ defined }) => defined), `group any-two 2 ${names}`, QUORUM);
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
