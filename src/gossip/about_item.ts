import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import { utf8 } from "../tlog/encoding.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { SOFTWARE } from "../world/version.ts";
import type { Random } from "../world/world.ts";
import type { Item, Kind } from "./kind.ts";

const START_ID_BYTES = 16;
const MAX_SOFTWARE_BYTES = 64;

/** What a monitor says about itself. Nothing of it can be verified. */
export interface About {
  /** 16 bytes, drawn at random at each start. Who hears its own has met itself. */
  readonly startId: Uint8Array;
  /** Its software and version, such as `hearsay/0.1.0`: printable ASCII. */
  readonly software: string;
}

/**
 * What its sender says about itself. It is answered in kind, so that a caller that reaches itself,
 * whatever the address it called is called, recognises that.
 *
 * Whoever has heard somebody's bytes can repeat them. So only the caller looks at what it is answered,
 * and only the peer that it called comes out as itself; nothing that the peer says is judged otherwise.
 */
export const ABOUT: Kind = {
  byte: 6,
  what: "statement about the sender",
  maxBytes: START_ID_BYTES + MAX_SOFTWARE_BYTES,
  isOnce: true,
  cost: 1,
  isJson: false,

  hear({ body, hearing }) {
    const [startId, software] = [body.slice(0, START_ID_BYTES), body.subarray(START_ID_BYTES)];
    if (software.length === 0 || !software.every(isPrintable)) {
      throw new MalformedError(
        `${body.length} bytes came, expected ${START_ID_BYTES} and then 1 to ${MAX_SOFTWARE_BYTES} of ` +
          "printable ASCII",
      );
    }
    hearing.about = { startId, software: String.fromCharCode(...software) };
  },

  *answer({ about }, party) {
    if (about !== undefined) yield aboutItem(party.about);
  },
};

/** What this program says about itself from now on. */
export function newAbout(random: Random): About {
  return { startId: random.bytes(START_ID_BYTES), software: SOFTWARE };
}

/** Whether both were said by one start of one monitor, or by somebody who repeats it. */
export function isSameStart(one: About, other: About): boolean {
  return equals(one.startId, other.startId);
}

/** What a monitor says about itself as an item. */
export function aboutItem({ startId, software }: About): Item<"about"> {
  return { kind: "about", body: concat([startId, utf8(software)]) };
}

function isPrintable(byte: number): boolean {
  return byte >= 0x20 && byte <= 0x7e;
}
