import type { Connection } from "../../../src/world/world.ts";
import { CELL_BYTES } from "../../../src/swarm/cell.ts";
import { KIND } from "../../../src/swarm/session.ts";
import type { Behaviour } from "./member.ts";

/** How often it sends everything again, and how long it waits in between. */
const TIMES = 5;
const PAUSE_MS = 3_000;
/** Cells that it remembers. */
const MOST_CELLS = 8;

/** It sends what it heard of others again: statements and rumours, and cells as they were on the wire. */
export const replays: Behaviour = {
  tap(connection, { draw }): Connection {
    const cells: Uint8Array[] = [];
    return {
      remote: connection.remote,
      read: (buffer) => connection.read(buffer),
      async write(bytes) {
        await connection.write(bytes);
        if (bytes.length % CELL_BYTES !== 0) return;
        cells.push(bytes.slice(0, CELL_BYTES));
        // A cell that was sent before does not open, and ends the session.
        if (cells.length >= MOST_CELLS && draw.chance(0.1)) {
          await connection.write(draw.pick(cells));
        }
      },
      closeWrite: () => connection.closeWrite(),
      close: () => connection.close(),
    };
  },
  async inSession({ session }, means) {
    for (let time = 0; time < TIMES && !means.isOver(session); time++) {
      for (const { kind, body } of [...means.heard]) {
        if (kind === KIND.rumour || kind === KIND.said) await session.send(kind, body);
      }
      await means.time.pause(PAUSE_MS);
    }
  },
};
