/** A log that signs case after case, each with notes as long as notes may be. */
import { assertEquals } from "@std/assert";
import { MAX_CONFLICT_NOTES_PER_LOG } from "../../src/evidence/detector.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import type { VerifiedCheckpoint } from "../../src/tlog/checkpoint.ts";
import { signingLog } from "../gossip/helpers.ts";
import { Host, MINUTE } from "./hosts.ts";
import { ScriptedSource } from "./scripted_source.ts";

const NOTE_LENGTH = 500_000;
const VIEW_SIZE = 1_000_000n;
/** Roots that it signs at each size: the first, and others which make a case each. */
const FILLS = [2, 3, 4, 5];

/** A log that shows what it is told to, and refuses every proof. */
async function madLog() {
  const { log, sign } = await signingLog("log.invalid/mad");
  const extension = `${"x".repeat(NOTE_LENGTH)}\n`;
  const source = new ScriptedSource({ log } as unknown as TestLog);
  source.proofTrouble = "refused";
  return {
    source,
    sign: (size: bigint, fill: number) => sign(size, fill, extension),
    show: ({ note }: VerifiedCheckpoint) => void (source.latestTrouble = { note }),
  };
}

Deno.test("mad log: cases are kept up to so many bytes of notes, and a start keeps to that as well", async () => {
  await using one = await Host.make();
  const { source, sign, show } = await madLog();
  const duties = { logs: [{ source, pollMs: MINUTE }], gossipMs: MINUTE };
  show(await sign(VIEW_SIZE, 1));
  let daemon = await one.start(duties);
  assertEquals(daemon.status().logs[0]!.size, `${VIEW_SIZE}`);
  const { length } = (await sign(1n, 1)).note;
  const most = Math.ceil(MAX_CONFLICT_NOTES_PER_LOG / (2 * length));
  // At another size now and then, since of one size only some roots are kept.
  for (let cases = 0, size = VIEW_SIZE + 1n; cases < most + 3; size++) {
    for (const fill of FILLS) {
      show(await sign(size, fill));
      await one.pass(2 * MINUTE);
    }
    cases += FILLS.length - 1;
  }
  const recorded = one.toldOf("incident.recorded").map(({ fields }) => fields.evidence_id);
  assertEquals([recorded.length, daemon.status().incidents], [most, most]);
  await one.stop();
  daemon = await one.start(duties);
  assertEquals([daemon.status().incidents, daemon.status().logs[0]!.incidents], [most, most]);
  await one.stop();
  assertEquals((await one.records()).map(({ evidence_id }) => evidence_id), recorded);
  assertEquals(one.toldOf("incident.recorded").length, most);
});
