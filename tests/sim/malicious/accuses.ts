import { KIND } from "../../../src/swarm/session.ts";
import { textOf } from "../../../src/tlog/encoding.ts";
import type { Behaviour, Means, Target } from "./member.ts";

const PAUSE_MS = 20_000;

/** It accuses everyone of what nobody did: without evidence, and with evidence that proves nothing. */
export const accuses: Behaviour = {
  async inSession({ session, target }, means) {
    while (!means.isOver(session)) {
      for (const accused of means.targets) {
        if (accused === target) continue;
        const evidence = means.draw.chance(0.4) ? falseEvidence(accused, means) : undefined;
        const { rumour } = await means.state({
          ...{ kind: "accusation", accused: accused.vkey, reason: "it lies" },
          ...(evidence && { evidence }),
        });
        await session.send(KIND.rumour, rumour);
      }
      await means.time.pause(PAUSE_MS);
    }
  },
};

/** The same statement of the accused twice, which is no contradiction. */
function falseEvidence({ vkey }: Target, { heard }: Means): [string, string] | undefined {
  for (const { kind, body } of heard) {
    if (kind !== KIND.said && kind !== KIND.rumour) continue;
    const { note, item } = JSON.parse(textOf(body)) as { note?: string; item?: { note?: string } };
    const found = note ?? item?.note;
    if (found?.includes(`— ${vkey.split("+")[0]} `)) return [found, found];
  }
  return undefined;
}
