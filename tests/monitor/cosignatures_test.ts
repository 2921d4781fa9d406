/** A daemon with a policy counts who has cosigned the checkpoints of its logs. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { troublesOf } from "../../src/monitor/troubles.ts";
import { grow } from "../evidence/histories.ts";
import { type MadeWitness, policyOf, witness, witnesses } from "../authority/policies.ts";
import { CosignedSource } from "./cosigned_source.ts";
import { DAY, type Duties, Host, HOUR, logAt, MINUTE } from "./hosts.ts";

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
