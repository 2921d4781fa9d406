import { assert, assertEquals } from "@std/assert";
import { KIND, SESSION_LIMITS } from "../../src/swarm/session.ts";
import { textOf, utf8 } from "../../src/tlog/encoding.ts";
import type { Connection, Timer } from "../../src/world/world.ts";
import { ManualClock, settled } from "../gossip/fake_network.ts";
import { connectedInMemory, endOf, inSession, readAll } from "./sessions.ts";

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

/** Timers come a little before their time, as those of a clock that is rounded do. */
class EarlyClock extends ManualClock {
  asked = 0;

  override after(ms: number, run: () => void): Timer {
    if (++this.asked > 1_000) throw new Error("a timer is set again and again");
    return super.after(ms * (1 - 1e-9), run);
  }
}

Deno.test("session: a timer that comes a little early is not set again and again", async () => {
  const clock = new EarlyClock();
  const connections = await connectedInMemory({ clock });
  const silence = Promise.withResolvers<undefined>();
  let isSilent = false;
  const heard = connections.caller;
  const deaf: Connection = {
    ...{ remote: heard.remote, write: (bytes) => heard.write(bytes) },
    ...{ closeWrite: () => heard.closeWrite(), close: () => heard.close() },
    async read(buffer) {
      const count = await heard.read(buffer);
      return isSilent ? await silence.promise : count;
    },
  };
  const { caller } = await inSession({ clock, connections: { ...connections, caller: deaf } });
  isSilent = true;
  await clock.advance(2 * SESSION_LIMITS.silenceMs);
  assertEquals(await endOf(caller), "silent");
  silence.resolve(undefined);
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
