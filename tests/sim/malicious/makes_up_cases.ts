import { canonicalize } from "@std/json/canonicalize";
import { MAX_HOPS } from "../../../src/swarm/rumour.ts";
import { KIND } from "../../../src/swarm/session.ts";
import { utf8 } from "../../../src/tlog/encoding.ts";
import { forkedLog, recordOfFork } from "../../gossip/helpers.ts";
import type { World } from "../../../src/world/world.ts";
import { signing } from "../signing.ts";
import type { Behaviour } from "./member.ts";

/** As many as a member may send in two seconds, and how long each takes. */
const BURST = 60;
const EACH_MS = 35;
const PAUSE_MS = 100_000;

/** It convicts logs of its own, which nobody follows: each case holds. */
export const makesUpCases: Behaviour = {
  async inSession({ session }, means) {
    const random = { bytes: (count: number) => means.draw.bytes(count) };
    const world = { signing, random } as unknown as World;
    while (!means.isOver(session)) {
      for (let i = 0; i < BURST && !means.isOver(session); i++) {
        const item = await recordOfFork(await forkedLog({ world }));
        await session.send(
          KIND.rumour,
          utf8(canonicalize({ hops: MAX_HOPS, what: "record", item })),
        );
        await means.time.pause(EACH_MS);
      }
      await means.time.pause(PAUSE_MS);
    }
  },
};
