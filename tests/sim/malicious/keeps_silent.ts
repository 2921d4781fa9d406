import { KIND } from "../../../src/swarm/session.ts";
import type { Behaviour } from "./member.ts";

/**
 * It takes part in everything and passes nothing on, least of all evidence. It says that it is near to
 * everyone, so that the best paths lead through it.
 */
export const keepsSilent: Behaviour = {
  async inSession({ session }, means) {
    const links = means.targets.map(({ vkey }) => [vkey, 1] as const);
    await session.send(KIND.rumour, (await means.state({ kind: "links", links })).rumour);
    await session.closed;
  },
};
