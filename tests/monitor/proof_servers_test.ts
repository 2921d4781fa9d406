/**
 * Daemons that follow logs which serve proofs and no tiles: Certificate Transparency logs of RFC
 * 6962, and the trees of a Rekor v1. They behave as such logs do in the wild.
 */
import { assertEquals } from "@std/assert";
import { openSource } from "../../src/sources/open.ts";
import type { Source } from "../../src/sources/source.ts";
import type { Log } from "../../src/tlog/log.ts";
import { fakeWorld, type Server } from "../sources/fake_http.ts";
import { CtLog, Rekor, Story } from "../sources/proof_servers.ts";
import { ecdsaLog, treeHeadLog } from "../tlog/log_signers.ts";
import { type Followed, type Host, HOUR, Stage } from "./hosts.ts";

/** A source on a host, whose requests a server in memory answers. */
function followed(
  host: Host,
  { log, answer, notation }: { log: Log; answer: Server; notation: string },
): Followed {
  const { world } = fakeWorld(answer);
  const source: Source = openSource({
    world: { ...world, clock: host.clock },
    ...{ log, source: notation, contact: "x" },
  });
  return { source: Object.assign(source, { story: { log } }) };
}

const onCt = (host: Host, server: CtLog): Followed =>
  followed(host, {
    log: server.log,
    answer: server.answer,
    notation: "rfc6962+https://ct.invalid/log",
  });

const onRekor = (host: Host, log: Log, server: Rekor): Followed =>
  followed(host, { log, answer: server.answer, notation: "rekor-v1+https://rekor.invalid" });

/** What a host's looks at its logs came to, in order, without what was seen again. */
async function looks(host: Host): Promise<string[]> {
  return (await host.observations())
    .filter(({ observation: { via, result } }) => via === "poll" && result !== "unchanged")
    .map(({ observation: { result, checkpoint } }) =>
      checkpoint === undefined ? result : `${result} ${checkpoint.size}`
    );
}

Deno.test("Daemon: follows a CT log through growth, old heads, lagging backends and storms", async () => {
  await using stage = await Stage.set({ count: 1 });
  const server = new CtLog({ signing: treeHeadLog("ecdsa"), story: new Story().grow(8) });
  const { one } = stage;
  await one.start({ logs: [onCt(one, server)] });
  server.story.grow(20);
  await stage.minutes(1);
  // Behind the load balancer is one that lags: it shows an older head.
  server.headSize = 12n;
  await stage.minutes(1);
  server.headSize = undefined;
  server.story.grow(33);
  // The head is from one backend, the proofs from another that has not got so far.
  server.proofsUpTo = 20n;
  await stage.minutes(1);
  server.proofsUpTo = undefined;
  await stage.minutes(1);
  server.instead = () => ({ status: 503, headers: { "retry-after": "120" } });
  await stage.minutes(1);
  server.instead = () => ({ status: 418 });
  await stage.minutes(3);
  server.instead = () => undefined;
  server.story.grow(40);
  await stage.minutes(6);
  assertEquals(await looks(one), [
    "first 8",
    "extends 20",
    "rolled back 12",
    "unproven 33",
    "extends 33",
    "unavailable",
    "extends 40",
  ]);
  assertEquals(await one.cases(), []);
  assertEquals(one.loud("log.unproven"), ["warning"], "a backend that lags is no error");
});

for (const kind of ["ecdsa", "rsa"] as const) {
  Deno.test(`Daemon: a split of a CT log with an ${kind} key is recorded by both monitors`, async () => {
    await using stage = await Stage.set({ count: 2 });
    const { one, two } = stage;
    const signing = treeHeadLog(kind);
    const ours = new CtLog({ signing, story: new Story().grow(10) });
    const theirs = new CtLog({ signing, story: ours.story.fork() });
    await one.start({ logs: [onCt(one, ours)], peers: [two.address] });
    await two.start({ logs: [onCt(two, theirs)], peers: [one.address] });
    await stage.minutes(3);
    ours.story.grow(17, "ours");
    theirs.story.grow(21, "theirs");
    await stage.minutes(6);
    const [first, second] = [await one.cases(), await two.cases()];
    assertEquals(first.length, 1);
    assertEquals(first, second);
  });
}

Deno.test("Daemon: follows a Rekor v1 through growth and a new tree; the retired one is not frozen", async () => {
  await using stage = await Stage.set({ count: 1 });
  const { one } = stage;
  const server = new Rekor(ecdsaLog());
  const story = new Story().grow(5);
  const first = server.begin(story);
  const duties = [{ ...onRekor(one, first, server), patienceMs: HOUR }];
  await one.start({ logs: duties });
  story.grow(12);
  await stage.minutes(2);
  const second = server.begin(new Story().grow(1, "second"));
  await one.stop();
  await one.start({
    logs: [...duties, { ...onRekor(one, second, server), patienceMs: HOUR }],
  });
  server.trees[1]!.story.grow(6, "second");
  await stage.minutes(90);
  const shown = await looks(one);
  assertEquals(shown.filter((look) => look !== "frozen 6"), [
    ...["first 5", "extends 12"],
    ...["first 1", "extends 6"],
  ]);
  assertEquals(shown.includes("frozen 6"), true, "a tree that should grow is frozen");
  const origins = one.toldOf("log.frozen").map(({ fields }) => fields.origin);
  assertEquals([...new Set(origins)], [second.origin]);
  const told = one.toldOf("log.retired").map(({ level, fields }) => [level, fields.origin]);
  assertEquals(told, [["warning", first.origin]], "that it is retired is its own word, and told");
});

Deno.test("Daemon: a log that is known to be retired is neither frozen nor told of", async () => {
  await using stage = await Stage.set({ count: 1 });
  const { one } = stage;
  const server = new Rekor(ecdsaLog());
  const first = server.begin(new Story().grow(5));
  server.begin(new Story().grow(1, "second"));
  const duty = { ...onRekor(one, first, server), patienceMs: HOUR, isRetired: true };
  await one.start({ logs: [duty] });
  await stage.minutes(90);
  assertEquals([one.loud("log.frozen"), one.loud("log.retired")], [[], []]);
});

Deno.test("Daemon: a split of a Rekor v1 is recorded by both monitors", async () => {
  await using stage = await Stage.set({ count: 2 });
  const { one, two } = stage;
  const signing = ecdsaLog();
  const [ours, theirs] = [new Rekor(signing), new Rekor(signing)];
  const story = new Story().grow(9);
  const other = story.fork();
  const log = ours.begin(story);
  theirs.begin(other);
  await one.start({ logs: [onRekor(one, log, ours)], peers: [two.address] });
  await two.start({ logs: [onRekor(two, log, theirs)], peers: [one.address] });
  await stage.minutes(3);
  story.grow(14, "ours");
  other.grow(23, "theirs");
  await stage.minutes(6);
  const [first, second] = [await one.cases(), await two.cases()];
  assertEquals(first.length, 1);
  assertEquals(first, second);
});
