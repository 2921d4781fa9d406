import { assert, assertEquals } from "@std/assert";
import { Outbox, type Piece } from "../../src/swarm/outbox.ts";
import { textOf, utf8 } from "../../src/tlog/encoding.ts";
import { ManualClock } from "../gossip/fake_network.ts";

const UNITS = 64;
const SECOND = 1_000;

/** An outbox, and one member that takes what is sent, unless it does not read. */
function scene(): {
  clock: ManualClock;
  outbox: Outbox;
  to: { key: string; post(body: Uint8Array): boolean; reads: boolean };
  sent: string[];
} {
  const clock = new ManualClock();
  const sent: string[] = [];
  const to = {
    key: "to",
    reads: true,
    post(body: Uint8Array): boolean {
      if (to.reads) sent.push(textOf(body));
      return to.reads;
    },
  };
  return { clock, outbox: new Outbox({ clock, most: 10 }), to, sent };
}

function piece(text: string, change: Partial<Piece> = {}): Piece {
  return { body: utf8(text), units: UNITS, lane: "a liar", at: 0, ...change };
}

Deno.test("outbox: who makes up any number of cases delays another's by its own turn", async () => {
  const { clock, outbox, to, sent } = scene();
  for (let i = 0; i < 1_000; i++) outbox.hand(to, piece(`made up ${i}`));
  outbox.hand(to, piece("true", { lane: "a finder" }));
  const before = sent.length;
  await clock.advance(SECOND);
  assert(sent.indexOf("true") <= before + 2, `${sent.indexOf("true")} of ${before}`);
});

Deno.test("outbox: more than may wait costs the lane that has most of it", async () => {
  const { clock, outbox, to, sent } = scene();
  to.reads = false;
  const large = "x".repeat(700_000);
  outbox.hand(to, piece("true", { lane: "a finder" }));
  for (let i = 0; i < 100; i++) {
    outbox.hand(to, piece(`${i}${large}`, { lane: `a liar ${i % 20}` }));
  }
  to.reads = true;
  await clock.advance(60 * SECOND);
  assert(sent.includes("true"));
  const bytes = sent.reduce((sum, { length }) => sum + length, 0);
  assert(bytes < 9_000_000 && bytes > 7_000_000, `${bytes} bytes`);
});

Deno.test("outbox: a case that another lane has lost still goes in its finder's lane", async () => {
  const { clock, outbox, to, sent } = scene();
  to.reads = false;
  const news = { key: "case", hops: 60 };
  outbox.hand(to, piece("as a liar signed it", { news }));
  for (let i = 1; i <= 40; i++) outbox.hand(to, piece("x".repeat(60_000 + i), { at: i }));
  // It was the oldest of a full lane, and is gone.
  assert(outbox.lacks("to", news));
  outbox.hand(to, piece("as it was found", { lane: "a finder", news }));
  to.reads = true;
  await clock.advance(60 * SECOND);
  assert(sent.includes("as it was found") && !sent.includes("as a liar signed it"));
});

Deno.test("outbox: a case goes to a member once, in whichever lane it waits", async () => {
  const { clock, outbox, to, sent } = scene();
  to.reads = false;
  const news = { key: "case", hops: 60 };
  for (const lane of ["one", "two", "two"]) outbox.hand(to, piece(lane, { lane, news }));
  to.reads = true;
  await clock.advance(60 * SECOND);
  outbox.hand(to, piece("three", { lane: "three", news }));
  assertEquals(sent, ["one"]);
  assert(!outbox.lacks("to", news));
  // Somebody may have sent it with no hops to stop it.
  assert(outbox.lacks("other", news));
  outbox.knows("other", { key: "case", hops: 0 });
  assert(outbox.lacks("other", news));
  outbox.knows("other", { key: "case", hops: 50 });
  assert(!outbox.lacks("other", news));
});

Deno.test("outbox: what finds no room waits until there is some, and the latest goes first", async () => {
  const { clock, outbox, to, sent } = scene();
  to.reads = false;
  for (const at of [1, 3, 2]) outbox.hand(to, piece(`${at}`, { at }));
  await clock.advance(60 * SECOND);
  assertEquals(sent, []);
  to.reads = true;
  await clock.advance(SECOND);
  assertEquals(sent, ["3", "2", "1"]);
  assertEquals(clock.pending, 0);
});

Deno.test("outbox: nothing waits for who has gone", async () => {
  const { clock, outbox, to, sent } = scene();
  to.reads = false;
  outbox.hand(to, piece("text"));
  outbox.forget("to");
  to.reads = true;
  await clock.advance(60 * SECOND);
  assertEquals([sent, clock.pending], [[], 0]);
});
