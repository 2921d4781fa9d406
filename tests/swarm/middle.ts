/** Somebody on the line between two ends, who sees each message of a session and may alter it. */
import { CELL_BYTES } from "../../src/swarm/cell.ts";
import { Incoming } from "../../src/swarm/incoming.ts";
import { SessionFault } from "../../src/swarm/session.ts";
import { type Connection, WorldError } from "../../src/world/world.ts";
import type { ManualClock } from "../gossip/fake_network.ts";
import { connectedInMemory } from "./sessions.ts";

/** One message on the wire. */
export interface Passing {
  readonly message: Uint8Array;
  /** From the caller to the callee, or back. */
  readonly isThere: boolean;
  /** Of its direction: 0 and 1 of the caller, and 0 of the callee, are the handshake. */
  readonly index: number;
}

/** What is passed on in place of a message. */
export type Alter = (passing: Passing) => readonly Uint8Array[];

/** Both ends of a connection that leads through the middle, and all that passed there as it came. */
export async function throughMiddle(
  { clock, alter = ({ message }) => [message], carriesEnds = true }: {
    clock: ManualClock;
    alter?: Alter;
    /** Whether an end learns that the other one has closed. */
    carriesEnds?: boolean;
  },
) {
  const [near, far] = [await connectedInMemory({ clock }), await connectedInMemory({ clock })];
  const passed: Passing[] = [];
  const carry = async (from: Connection, to: Connection, isThere: boolean): Promise<void> => {
    const incoming = new Incoming(from);
    try {
      if (isThere) await to.write((await incoming.next(1))!);
      for (let index = 0;; index++) {
        const bytes = await incoming.next(CELL_BYTES);
        if (bytes === undefined) break;
        const passing = { message: bytes.slice(), isThere, index };
        passed.push(passing);
        for (const message of alter(passing)) await to.write(message);
      }
      if (carriesEnds) await to.closeWrite();
    } catch (error) {
      if (!(error instanceof WorldError || error instanceof SessionFault)) throw error;
      if (!carriesEnds) return;
      from.close();
      to.close();
    }
  };
  const done = Promise.all([
    carry(near.callee, far.caller, true),
    carry(far.caller, near.callee, false),
  ]);
  return { connections: { caller: near.caller, callee: far.callee }, passed, done };
}
