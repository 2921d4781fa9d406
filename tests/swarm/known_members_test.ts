/** What is known of members, and of monitors that may become members. */
import { assertEquals } from "@std/assert";
import { KnownMembers } from "../../src/swarm/known_members.ts";
import { newMembers } from "./stage.ts";

const [own, one, two] = (await newMembers(3)).map(({ vkey }) => vkey.text) as [
  string,
  string,
  string,
];
const AT = { hostname: "two.invalid", port: 9900 };
const SAID = { address: AT, by: one };
const NOTHING = { anchors: [], addresses: new Map() };

Deno.test("known members: an address that was told of somebody is known once that one is a member", () => {
  const members = [{ vkey: one, address: undefined }];
  const known = new KnownMembers({ own, members, remembered: NOTHING });
  known.learn(two, SAID);
  assertEquals(known.get(two), undefined);
  known.change([...members, { vkey: two, address: undefined }]);
  assertEquals(known.get(two)!.addresses, [AT]);
  assertEquals(known.get(one)!.addresses, []);
});

Deno.test("known members: what is told of others takes no more memory than for so many", () => {
  const known = new KnownMembers({ own, members: [], remembered: NOTHING });
  for (let i = 0; i < 1_024; i++) known.learn(`other.invalid/${i}+x`, SAID);
  known.learn(two, SAID);
  known.change([{ vkey: two, address: undefined }]);
  assertEquals(known.get(two)!.addresses, []);
});
