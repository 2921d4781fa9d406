import { KIND } from "../../../src/swarm/session.ts";
import type { Behaviour } from "./member.ts";

/** How often it says something, to everyone at about the same time. */
const ROUND_MS = 15_000;

/** Under one number it says one thing to half of its peers, and another thing to the others. */
export const twoTongues: Behaviour = {
  async inSession({ session, target }, means) {
    let last = 0;
    while (!means.isOver(session)) {
      const round = 1 + Math.floor(means.time.now / ROUND_MS);
      if (round > last) {
        last = round;
        const rttMs = 1 + target.number % 2;
        const links = means.targets.map(({ vkey }) => [vkey, rttMs] as const);
        const { said, rumour } = await means.state({ kind: "links", links }, BigInt(round));
        const isSaid = round % 2 === 0;
        await session.send(isSaid ? KIND.said : KIND.rumour, isSaid ? said : rumour);
        means.toldApart(target);
      }
      await means.time.pause(ROUND_MS - means.time.now % ROUND_MS + means.draw.below(1_000));
    }
  },
};
