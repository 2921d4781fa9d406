import { CELL_BYTES } from "../../../src/swarm/cell.ts";
import { KIND, SESSION_FIRST_BYTE } from "../../../src/swarm/session.ts";
import type { Behaviour } from "./member.ts";

/** The longest garbage before a handshake. */
const MOST_BYTES = 4_000;

/** Garbage in the handshake, in a cell after it, and in messages that open well. */
export const talksGarbage: Behaviour = {
  opening({ draw }) {
    if (draw.chance(0.7)) return undefined;
    const bytes = draw.bytes(draw.between(1, MOST_BYTES));
    bytes[0] = SESSION_FIRST_BYTE;
    return bytes;
  },
  async inSession({ session, connection }, { draw }) {
    switch (draw.below(4)) {
      case 0:
        return await connection.write(draw.bytes(CELL_BYTES));
      case 1:
        return await session.send(KIND.rumour, draw.bytes(draw.below(MOST_BYTES)));
      case 2:
        return await session.send(KIND.said, draw.bytes(draw.below(MOST_BYTES)));
      case 3:
        return await session.send(KIND.hello, draw.bytes(draw.below(MOST_BYTES)));
    }
  },
};
