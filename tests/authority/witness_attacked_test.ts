/** What somebody without the log's key, but with its published notes, can do to a witness. */
import { assert, assertEquals } from "@std/assert";
import type { WitnessLimits } from "../../src/authority/witness_rates.ts";
import { WitnessLogs } from "../../src/authority/witness_logs.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { makeCosigned } from "../../src/tlog/log.ts";
import { formatSignatureLine } from "../../src/tlog/signature_line.ts";
import { MLDSA_KEY, Stage } from "./stage.ts";

const STRANGER = "192.0.2.66";
const LIMITS: WitnessLimits = { perSecondPerLog: 5, perSecond: 1_000 };

/** A stage whose log is one of a list, with so many requests in a day. */
async function listed(qpd: number): Promise<Stage> {
  const stage = await Stage.of(["log.invalid/one"], { limits: LIMITS });
  const { origin, vkey } = stage.log().log;
  const logs = new WitnessLogs({
    followed: [],
    listed: new Map([[origin, { notation: vkey.text, qpd }]]),
  });
  stage.witness.follow(logs);
  return stage;
}

for (const [what, old, size] of [["again", 5n, 5n], ["from nothing", 0n, 5n]] as const) {
  Deno.test(`witness: nobody keeps a log from being cosigned by sending its checkpoint ${what}`, async () => {
    for (const stage of [await listed(3), await Stage.of(undefined, { limits: LIMITS })]) {
      assertEquals(await stage.status({ old: 0n, size: 5n }), 200);
      const published = await stage.log().request({ old, size });
      const statuses = new Set<number>();
      for (let i = 0; i < 20; i++) {
        statuses.add((await stage.witness.addCheckpoint(published, STRANGER)).status);
      }
      assert(statuses.has(429), "its own rate is used up");
      assertEquals(await stage.status({ old: 5n, size: 6n }), 200);
    }
  });
}

Deno.test("witness: nobody keeps a log from being cosigned by sending a newer checkpoint with a wrong proof", async () => {
  for (const stage of [await listed(3), await Stage.of(undefined, { limits: LIMITS })]) {
    assertEquals(await stage.status({ old: 0n, size: 5n }), 200);
    const published = await stage.log().request({ old: 5n, size: 6n, proof: [] });
    let sent = 0;
    while (sent < 500 && stage.witness.pay(STRANGER)) {
      assertEquals((await stage.witness.addCheckpoint(published, STRANGER)).status, 422);
      sent++;
    }
    assert(sent < 50, "each costs its sender as much as a wrong signature");
    assertEquals(await stage.status({ old: 5n, size: 6n }), 200);
  }
});

Deno.test("witness: repeats that wait leave the log a place", async () => {
  const stage = await Stage.of();
  assertEquals(await stage.status({ old: 0n, size: 5n }), 200);
  const published = await stage.log().request({ old: 5n, size: 5n });
  const next = await stage.log().request({ old: 5n, size: 6n });
  const repeats = Array.from(
    { length: 100 },
    () => stage.witness.addCheckpoint(published, STRANGER),
  );
  assertEquals((await stage.send(next)).status, 200);
  await Promise.all(repeats);
});

Deno.test("witness: made-up lines of cosigners cost few verifications, and their sender", async () => {
  const stage = await Stage.of(undefined, { limits: LIMITS });
  const { log } = stage.log();
  let verified = 0;
  const cosigned = makeCosigned({ vkey: MLDSA_KEY.vkey, origin: log.origin });
  // Thirty witnesses of one policy; only how often a key is asked matters here.
  const cosigners = Array.from({ length: 30 }, (_, i) => ({
    ...cosigned,
    vkey: { ...cosigned.vkey, name: `witness.invalid/${i}` },
    verifies: () => (verified++, false),
  }));
  log.cosigners.change(cosigners);
  const lines = cosigners.map(({ vkey }) =>
    `${formatSignatureLine({ vkey, signature: new Uint8Array(2_428).fill(1) })}\n`
  );
  const note = await stage.log().note({ size: 5n }) + lines.join("");
  const body = utf8(`old 3\n\n${note}`);
  let sent = 0;
  while (sent < 100 && stage.witness.pay(STRANGER)) {
    await stage.witness.addCheckpoint(body, STRANGER);
    sent++;
  }
  assert(verified <= 4 * sent, `${verified} verifications for ${sent} requests`);
  assert(sent < 50, `${sent} were sent`);
  assertEquals(await stage.status({ old: 0n, size: 5n }), 200, "the log's own is not affected");
  log.cosigners.change([]);
});

Deno.test("witness: a smaller checkpoint than was cosigned is an open question, whatever is answered", async () => {
  const stage = await Stage.of();
  assertEquals(await stage.status({ old: 0n, size: 9n }), 200);
  const statuses = [
    await stage.status({ old: 0n, size: 7n, history: 1 }),
    await stage.status({ old: 9n, size: 6n, history: 1 }),
    // Honest clients are told the size to start from, and send this again.
    await stage.status({ old: 0n, size: 12n }),
  ];
  assertEquals(statuses, [409, 400, 409]);
  assertEquals(stage.refused.open.map(({ treeSize }) => treeSize), [7n, 6n]);
});

Deno.test("witness: old checkpoints of the logs of a list take no room", async () => {
  const stage = await listed(100);
  assertEquals(await stage.status({ old: 0n, size: 9n }), 200);
  assertEquals(await stage.status({ old: 0n, size: 7n }), 409);
  assertEquals(stage.refused.open, []);
});

Deno.test("witness: an origin that is too long for ML-DSA is cosigned with Ed25519, and is no failure of ours", async () => {
  for (const [length, lines] of [[255, 2], [256, 1]] as const) {
    const stage = await Stage.of(["x".repeat(length)], { both: true });
    const answer = await stage.push({ old: 0n, size: 5n });
    assertEquals(stage.refused.failures, []);
    assert(answer.status === 200);
    assertEquals(answer.lines.trimEnd().split("\n").length, lines);
  }
});
