import { MAX_LINK_MS } from "../../../src/swarm/statement.ts";
import { KIND } from "../../../src/swarm/session.ts";
import type { Behaviour } from "./member.ts";

const PAUSE_MS = 30_000;

/** It states round-trip times that nobody measures, links that nobody has, and dead ends of paths. */
export const wrongTimes: Behaviour = {
  async inSession({ session }, means) {
    while (!means.isOver(session)) {
      const links = means.targets.filter(() => means.draw.chance(0.7))
        .map(({ vkey }) => [vkey, means.draw.pick([0, 1, MAX_LINK_MS])] as const);
      await session.send(KIND.rumour, (await means.state({ kind: "links", links })).rumour);
      await means.time.pause(PAUSE_MS);
    }
  },
};
