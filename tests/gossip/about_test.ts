/** What monitors say about themselves, and that whoever meets itself hears of it. */
import { assert, assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { aboutItem, isSameStart, newAbout } from "../../src/gossip/about_item.ts";
import { encodeParcel, ParcelDecoder } from "../../src/gossip/parcel.ts";
import { DEFAULT_LIMITS } from "../../src/gossip/limits.ts";
import type { ParcelItem } from "../../src/gossip/kinds.ts";
import { exchangeRound } from "../../src/gossip/round.ts";
import { exchangeAcceptor } from "../../src/gossip/callee.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { VERSION } from "../../src/world/version.ts";
import { ask, HERE, logOf, partyOf, serve } from "./helpers.ts";

const { random } = denoWorld();
const OTHER = newAbout(random);

/** The items that are answered to these; nothing for a refusal. */
async function answeredTo(items: readonly ParcelItem[]): Promise<ParcelItem[] | undefined> {
  await using scene = await serve({ logs: [(await logOf("log.example/a", 1)).log] });
  const answer = await ask(await scene.connect(), encodeParcel(items));
  assertEquals(scene.report.brokenAll.length, answer.length === 0 ? 1 : 0);
  if (answer.length === 0) return undefined;
  return [...new ParcelDecoder(DEFAULT_LIMITS).take(answer)];
}

function body(bytes: number, fill = 0x41): ParcelItem {
  return { kind: "about", body: new Uint8Array(bytes).fill(fill) };
}

Deno.test("about: each start draws other bytes, and says its software and version", () => {
  const [one, other] = [newAbout(random), newAbout(random)];
  assertEquals([isSameStart(one, { ...one }), isSameStart(one, other)], [true, false]);
  assertEquals([one.startId.length, one.software], [16, `hearsay/${VERSION}`]);
});

Deno.test("about: who says it is told the same of the callee, once; who does not is told nothing", async () => {
  const [answer, ...more] = (await answeredTo([aboutItem(OTHER)]))!;
  assertEquals([answer!.kind, more], ["about", []]);
  assertNotEquals(answer!.body.slice(0, 16), OTHER.startId);
  assertMatch(new TextDecoder().decode(answer!.body.subarray(16)), /^hearsay\/\d/);
  assertEquals(await answeredTo([]), []);
});

Deno.test("about: 16 bytes and 1 to 64 of printable ASCII are taken, all else is refused", async () => {
  const printable = [body(17), body(80), body(17, 0x20), body(17, 0x7e)];
  for (const item of printable) assert(await answeredTo([item]) !== undefined);
  const others = [body(0), body(15), body(16), body(81), body(17, 0x1f), body(17, 0x7f)];
  for (const item of [...others, body(20, 0xc3)]) assertEquals(await answeredTo([item]), undefined);
  assertEquals(await answeredTo([body(17), body(17)]), undefined);
});

Deno.test("about: who calls itself by whatever address hears that it met itself", async () => {
  const log = await logOf("log.example/a", 3);
  const { party, network } = await partyOf({ logs: [log.log], shown: [log] });
  const greeted: unknown[] = [];
  const report = {
    ...{ heard: () => {}, broken: () => {}, notAnswered: () => {} },
    greeted: (peer: string, { isSelf, about }: { isSelf: boolean; about: unknown }) =>
      greeted.push([peer, isSelf, about]),
  };
  const self = { ...party, report };
  const callee = exchangeAcceptor({ party: self, listener: network.listen(HERE) });
  const done = callee.run();
  const name = { hostname: "203.0.113.9", port: 1 };
  network.forward(name, HERE);
  const { heard } = await exchangeRound({ party: self, callee: name });
  // Frames are exchanged and judged all the same.
  assertEquals(heard.map(({ verdict }) => verdict), ["matches"]);
  assertEquals(greeted, [["203.0.113.9:1", true, party.about]]);
  callee.close();
  await done;
});
