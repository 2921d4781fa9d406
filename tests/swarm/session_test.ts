import { assert, assertEquals } from "@std/assert";
import { KIND } from "../../src/swarm/session.ts";
import { textOf, utf8 } from "../../src/tlog/encoding.ts";
import type { Connection } from "../../src/world/world.ts";
import { settled } from "../gossip/fake_network.ts";
import { endOf, inSession, readAll } from "./sessions.ts";

Deno.test("session: each end knows the other, and messages come whole and in order", async () => {
  const { caller, callee, parties } = await inSession();
  assertEquals(caller.member.text, parties.callee.signer.vkey.text);
  assertEquals(callee.member.text, parties.caller.signer.vkey.text);
  assertEquals([caller.isCaller, callee.isCaller], [true, false]);
  const long = "x".repeat(100_000);
  const said = [utf8(`{"hello":1}`), utf8(""), utf8(long)];
  const heard: string[] = [];
  const sending = (async () => {
    for (const body of said) await caller.send(KIND.said, body);
    await caller.finish();
  })();
  for await (const { kind, body } of callee.messages()) {
    assertEquals(kind, KIND.said);
    heard.push(textOf(body));
  }
  await sending;
  assertEquals(heard, said.map(textOf));
  assertEquals([await endOf(caller), await endOf(callee)], ["closed", "closed"]);
});

Deno.test("session: a stream carries bytes both ways, and each direction ends by itself", async () => {
  const served = Promise.withResolvers<void>();
  const onStream = async (stream: Connection): Promise<void> => {
    const asked = await readAll(stream);
    await stream.write(asked.toReversed());
    stream.close();
    served.resolve();
  };
  const { caller, callee, clock } = await inSession({ onStream });
  const stream = await caller.open();
  await stream.write(Uint8Array.of(1, 2, 3));
  await stream.closeWrite();
  assertEquals(await readAll(stream), Uint8Array.of(3, 2, 1));
  stream.close();
  await served.promise;
  await settled();
  assert(caller.roundTripMs !== undefined && callee.roundTripMs !== undefined);
  caller.close();
  await endOf(callee);
  assertEquals(clock.pending, 0, "no timer is left");
});
