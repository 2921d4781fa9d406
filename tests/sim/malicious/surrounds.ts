import type { Behaviour } from "./member.ts";

/**
 * It tries to be all that a monitor is connected to: it calls from many addresses, keeps its seat, and
 * says of every honest member that it is to be called at one of these addresses.
 */
export const surrounds: Behaviour = {
  hello: ({ targets, addresses, draw }) => ({
    members: targets.map(({ vkey }) => ({ vkey, address: draw.pick(addresses) })),
  }),
  async inSession({ session }, means) {
    // Now and then it comes anew, with other addresses to tell.
    await Promise.race([session.closed, means.time.pause(means.draw.between(5_000, 120_000))]);
  },
};
