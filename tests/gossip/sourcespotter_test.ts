import { assertEquals, assertRejects } from "@std/assert";
import type { Conflict } from "../../src/evidence/conflict.ts";
import { ExchangeFailed } from "../../src/gossip/caller.ts";
import { MAX_TOLD_BYTES, Sourcespotter } from "../../src/gossip/sourcespotter.ts";
import type { VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import type { Answer } from "../sources/fake_http.ts";
import { FakeSpotter } from "./fake_spotter.ts";
import {
  checkpointOf,
  forkedLog,
  logOf,
  partyOf,
  recordOfFork,
  type Setting,
  signingLog,
  storiesOf,
} from "./helpers.ts";

const URL_OF_IT = "https://gossip.example/log.example";

async function meeting(spotter: FakeSpotter, setting: Setting) {
  const { party, report, judge, clock } = await partyOf(setting);
  const http = spotter.http;
  const peer = new Sourcespotter({
    party: { ...party, world: { ...party.world, http } },
    ...{ url: URL_OF_IT, contact: "x" },
  });
  return { peer, report, judge, clock };
}

const headOf = ({ treeSize, root }: VerifiedCheckpoint): string => `${treeSize} ${root}`;

Deno.test("sourcespotter: its latest is judged, and ours is told until it is settled", async () => {
  const log = await logOf("log.example", 9);
  const spotter = new FakeSpotter(log);
  const { peer, report } = await meeting(spotter, { logs: [log.log], shown: [log] });
  const { shared, fault, notes } = await peer.round();
  assertEquals([shared, fault, notes.map(({ verdict }) => verdict)], [1, undefined, ["matches"]]);
  assertEquals([report.verdicts, report.sources], [["matches"], [URL_OF_IT]]);
  await peer.round();
  const ours = headOf(await checkpointOf(log));
  assertEquals(spotter.posts, [ours, ours], "while it is pending there");
  spotter.audit();
  await peer.round();
  await peer.round();
  assertEquals(spotter.posts, [ours, ours, ours], "and no more once it is settled");
});

Deno.test("sourcespotter: a root that contradicts ours is a conflict, kept before anything is told", async () => {
  const [ours, theirs] = await storiesOf(6);
  const kept: Conflict[] = [];
  const spotter = new FakeSpotter(theirs);
  const { peer, report } = await meeting(spotter, {
    ...{ logs: [ours.log], shown: [ours] },
    keep(conflicts) {
      assertEquals(spotter.posts, []);
      kept.push(...conflicts);
      return Promise.resolve();
    },
  });
  await peer.round();
  assertEquals([kept.length, report.verdicts], [1, ["inconsistent"]]);
  assertEquals(spotter.posts, [headOf(await checkpointOf(ours))], "so it learns the other half");
});

Deno.test("sourcespotter: its word alone convicts nobody, and is told as that", async () => {
  const log = await logOf("log.example", 9);
  const spotter = new FakeSpotter(log);
  spotter.instead = (method) => method === "POST" ? { body: "inconsistent: uh oh\n" } : undefined;
  const kept: Conflict[] = [];
  const { peer } = await meeting(spotter, {
    ...{ logs: [log.log], shown: [log] },
    keep: (conflicts) => Promise.resolve(void kept.push(...conflicts)),
  });
  const { fault } = await peer.round();
  assertEquals(
    fault,
    "says that size 9 is not consistent with what it was told; it gives no proof, so this proves " +
      "nothing",
  );
  assertEquals(kept, []);
});

Deno.test("sourcespotter: both halves of a case are told, and its verdict on them is no news", async () => {
  const fork = await forkedLog();
  const spotter = new FakeSpotter(fork.honest);
  const record = await recordOfFork(fork);
  const { peer } = await meeting(spotter, {
    ...{ logs: [fork.honest.log], shown: [fork.honest], records: () => [record] },
  });
  await peer.round();
  spotter.audit();
  const { fault } = await peer.round();
  const halves = [await checkpointOf(fork.honest), await checkpointOf(fork.forked)].map(headOf);
  assertEquals([[...new Set(spotter.posts)].sort(), fault], [halves.sort(), undefined]);
  const count = spotter.posts.length;
  await peer.round();
  assertEquals(spotter.posts.length, count, "what is settled is not told again");
});

Deno.test("sourcespotter: what is not reconciled is told, so many a round", async () => {
  const log = await logOf("log.example", 40);
  const open = await Promise.all(
    Array.from({ length: 20 }, (_, i) => checkpointOf(log, BigInt(i + 1))),
  );
  const spotter = new FakeSpotter(log);
  const { peer } = await meeting(spotter, {
    ...{ logs: [log.log], shown: [log], open: () => open },
  });
  const told: number[] = [];
  for (let round = 0; round < 4; round++) {
    await peer.round();
    told.push(spotter.posts.splice(0).length);
    spotter.audit();
  }
  // Each is told twice: it is pending at first, and settled when it is told again.
  assertEquals(told, [8, 8, 8, 8]);
  for (let round = 0; round < 4; round++) {
    await peer.round();
    spotter.audit();
  }
  const heads = [...open, await checkpointOf(log)].map(headOf);
  assertEquals([...spotter.told.keys()].sort(), heads.sort());
});

Deno.test("sourcespotter: what stays pending there keeps nothing else from being told", async () => {
  const log = await logOf("log.example", 40);
  const open = await Promise.all(
    Array.from({ length: 30 }, (_, i) => checkpointOf(log, BigInt(i + 1))),
  );
  const spotter = new FakeSpotter(log);
  const { peer } = await meeting(spotter, { logs: [log.log], shown: [log], open: () => open });
  for (let round = 0; round < 4; round++) await peer.round();
  assertEquals(new Set(spotter.posts).size, 31);
});

Deno.test("sourcespotter: a note that it refuses keeps nothing else from being told, and is a failure", async () => {
  const log = await logOf("log.example", 40);
  const open = await Promise.all(
    Array.from({ length: 30 }, (_, i) => checkpointOf(log, BigInt(i + 1))),
  );
  const spotter = new FakeSpotter(log);
  spotter.refuses = (size) => size === 40n || size <= 3n;
  const { peer } = await meeting(spotter, { logs: [log.log], shown: [log], open: () => open });
  for (let round = 0; round < 6; round++) {
    await peer.round().catch((error) => {
      if (!(error instanceof ExchangeFailed)) throw error;
    });
  }
  assertEquals(new Set(spotter.posts).size, 27);
  spotter.audit();
  for (let round = 0; round < 8; round++) await peer.round().catch(() => {});
  await assertRejects(() => peer.round(), ExchangeFailed, "answers with HTTP status 400");
});

Deno.test("sourcespotter: a note that is too long for it is not told", async () => {
  const log = await logOf("log.example", 9);
  const { sign } = await signingLog();
  for (const [length, posts] of [[10, 2], [MAX_TOLD_BYTES, 1]] as const) {
    // The text is signed, so a cheating log may make it as long as it likes.
    const open = await sign(4n, 2, `${"x".repeat(length)}\n`);
    const spotter = new FakeSpotter(log);
    let count = 0;
    spotter.instead = (method) => {
      if (method === "GET") return undefined;
      count++;
      return { body: "pending: it is not known yet\n" };
    };
    const { peer } = await meeting(spotter, { logs: [log.log], shown: [log], open: () => [open] });
    await peer.round();
    assertEquals(count, posts, `an extension line of ${length} bytes`);
  }
});

Deno.test("sourcespotter: what is no answer ends the round, with its reason", async () => {
  const log = await logOf("log.example", 9);
  const other = await logOf("log.example", 9);
  const spotter = new FakeSpotter(log);
  const { peer, report } = await meeting(spotter, { logs: [log.log], shown: [log] });
  const cases: [string, Answer, string][] = [
    ["GET", { status: 404 }, "answers that it is not there"],
    ["GET", { status: 500 }, "answers with HTTP status 500"],
    ["GET", { body: "" }, "answers with no checkpoint of a log followed here"],
    ["GET", { body: "<html>" }, "answers with no checkpoint of a log followed here"],
    ["GET", { body: await other.checkpoint() }, "no known key has signed it"],
    ["POST", { status: 400 }, "answers with HTTP status 400"],
    ["POST", { status: 301, headers: { location: "http://127.0.0.1/" } }, "HTTP status 301"],
    ["POST", { body: "Thanks for contributing\u0007" }, 'answers "Thanks for contributing\\u{7}"'],
    ["POST", { body: "consistently: no" }, "expected consistent, pending, inconsistent"],
  ];
  for (const [method, answer, reason] of cases) {
    spotter.instead = (asked) => asked === method ? answer : undefined;
    const error = await assertRejects(() => peer.round(), ExchangeFailed, reason);
    assertEquals(error.message.startsWith(`peer ${URL_OF_IT} `), true);
  }
  assertEquals(new Set(report.verdicts), new Set(["matches"]));
});

Deno.test("sourcespotter: one that asks to be left alone is left alone", async () => {
  const log = await logOf("log.example", 9);
  const spotter = new FakeSpotter(log);
  let asked = 0;
  spotter.instead = () => {
    asked++;
    return { status: 429, headers: { "retry-after": "60" } };
  };
  const { peer, clock } = await meeting(spotter, { logs: [log.log], shown: [log] });
  await assertRejects(() => peer.round(), ExchangeFailed, "status 429");
  await assertRejects(() => peer.round(), ExchangeFailed, "asked to be asked again later");
  assertEquals(asked, 1);
  await clock.advance(60_000);
  await assertRejects(() => peer.round(), ExchangeFailed, "status 429");
  assertEquals(asked, 2);
});
