import { KIND } from "../../../src/swarm/session.ts";
import { utf8 } from "../../../src/tlog/encoding.ts";
import type { Behaviour, Means, Talk } from "./member.ts";

/** How many messages make a burst, by what they are. */
const BURST = { statements: 60, pings: 300, records: 60 } as const;
const PAUSE_MS = 61_000;
const PING = new Uint8Array(8);
/** A record costs its hearer most, and one of a later version is no fault of its sender. */
const RECORD = { hops: 1, item: { version: "of later" }, what: "record" };

/** It sends more than a member may, and nothing of it is wrong in itself. */
export const floods: Behaviour = {
  async inSession(talk, means) {
    while (!means.isOver(talk.session)) {
      await burst(talk, means);
      await means.time.pause(PAUSE_MS);
    }
  },
};

async function burst({ session }: Talk, means: Means): Promise<void> {
  const what = means.draw.pick(["statements", "pings", "records", "records"] as const);
  for (let i = 0; i < BURST[what] && !means.isOver(session); i++) {
    switch (what) {
      case "statements": {
        const { rumour } = await means.state({ kind: "links", links: [] });
        await session.send(KIND.rumour, rumour);
        break;
      }
      case "pings":
        await session.send(KIND.ping, PING);
        break;
      case "records":
        await session.send(KIND.rumour, utf8(JSON.stringify(RECORD)));
    }
  }
}
