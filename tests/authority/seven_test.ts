/** Seven witnesses and a quorum of five: every set of up to three liars, every way to tell the rest. */
import { assert, assertEquals } from "@std/assert";
import { weigh } from "../../src/authority/committed.ts";
import { generateCosigningKey } from "../../src/authority/cosigning.ts";
import { toleranceOf } from "../../src/authority/tolerance.ts";
import { parseNote } from "../../src/tlog/note.ts";
import { SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { signing } from "../sim/signing.ts";
import { policyOf } from "./policies.ts";
import { PushingLog } from "./pushing_log.ts";
import { subsetsOf } from "./rules.ts";
import { startWitness } from "./stage.ts";

const NAMES = ["a", "b", "c", "d", "e", "f", "g"];
const QUORUM = 5;
/** The last checkpoint of each of the two histories. */
const LAST = [{ size: 12n, history: 0 }, { size: 12n, history: 1 }] as const;

/** The cosignatures that an honest witness gives on each of the two, if it is told this one first. */
async function lifeOf(log: PushingLog, name: string, first: 0 | 1): Promise<string[]> {
  const { key, witness } = await honest(log, name);
  const other = 1 - first;
  const ask = async (push: Parameters<PushingLog["request"]>[0]): Promise<string | undefined> => {
    const answer = await witness.addCheckpoint(await log.request(push), "192.0.2.1");
    return answer.status === 200 ? answer.lines : undefined;
  };
  assert(await ask({ old: 0n, size: 9n, history: first }) !== undefined);
  const given = ["", ""];
  // The other history with its own proofs, with none, from below the parting, at equal sizes.
  for (const old of [0n, 3n, 4n, 9n]) {
    for (const size of [9n, 12n]) {
      for (const proof of [undefined, [], log.proof({ old: 9n, size: 12n, history: first })]) {
        const lines = await ask({ old, size, history: other, ...(proof && { proof }) });
        if (lines !== undefined && size === 12n) given[other] += lines;
      }
    }
  }
  given[first] += await ask({ old: 9n, size: 12n, history: first }) ?? "";
  assert(given[first] !== "", `${key.vkey.name} goes on`);
  given[other] += await ask({ old: 12n, size: 12n, history: other, proof: [] }) ?? "";
  return given;
}

async function keyOf(name: string) {
  const seed = new Uint8Array(32).fill(name.charCodeAt(0));
  const world = { signing, random: { bytes: () => seed } };
  return (await generateCosigningKey({ world, name, type: SIGNATURE_TYPE.cosignature })).key;
}

async function honest(log: PushingLog, name: string) {
  const key = await keyOf(name);
  return { key, witness: await startWitness({ logs: [log], keys: [key] }) };
}

Deno.test("seven witnesses: two liars never have two histories committed, three always can", async () => {
  const log = await PushingLog.named("log.invalid/one");
  const keys = await Promise.all(NAMES.map(keyOf));
  const policy = policyOf(
    `log ${log.log.vkey.text}`,
    ...keys.map(({ vkey }) => `witness ${vkey.name} ${vkey.text}`),
    `group q ${QUORUM} ${NAMES.join(" ")}`,
    "quorum q",
  );
  const notes = await Promise.all(LAST.map((push) => log.note(push)));
  const texts = notes.map((note) => parseNote(note).text);
  const told = [new Map<string, string[]>(), new Map<string, string[]>()];
  const lies = new Map<string, string[]>();
  for (const [i, name] of NAMES.entries()) {
    for (const first of [0, 1] as const) told[first]!.set(name, await lifeOf(log, name, first));
    const cosign = async (text: string) => `${await keys[i]!.cosign({ text, time: 1n })}\n`;
    lies.set(name, await Promise.all(texts.map(cosign)));
  }
  const isCommitted = (of: number, lines: readonly string[][]): boolean => {
    const note = notes[of]! + lines.map((each) => each[of]).join("");
    const weighed = weigh({ note, policy });
    assert(!("refused" in weighed));
    return weighed.committed;
  };
  let ways = 0;
  for (const liars of subsetsOf(NAMES).filter(({ size }) => size <= 3)) {
    const rest = NAMES.filter((name) => !liars.has(name));
    // The first one is always told the one story: it makes no difference which is called so.
    const broken = subsetsOf(rest).filter((told) => told.has(rest[0]!)).filter((toldOne) => {
      ways++;
      const lines = NAMES.map((name) =>
        liars.has(name) ? lies.get(name)! : told[toldOne.has(name) ? 0 : 1]!.get(name)!
      );
      return isCommitted(0, lines) && isCommitted(1, lines);
    });
    // Four are left: two are told the one story, and two the other.
    assertEquals(broken.length, liars.size < 3 ? 0 : 3, [...liars].join(", "));
  }
  assertEquals(ways, (128 + 7 * 64 + 21 * 32 + 35 * 16) / 2);
  const tolerance = toleranceOf({ least: QUORUM, of: NAMES });
  assert("parties" in tolerance);
  assertEquals(tolerance.liarsToSplit, 3);
});
