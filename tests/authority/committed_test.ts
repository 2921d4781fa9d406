/** Committed checkpoints: what counts, what does not, and who contradicts himself. */
import { assert, assertEquals } from "@std/assert";
import { contradictionOf, weigh, type Weighed } from "../../src/authority/committed.ts";
import { secondOpinion } from "../../src/evidence/second_opinion.ts";
import type { Policy } from "../../src/authority/policy.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { formatCheckpointText } from "../../src/tlog/checkpoint.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { sha256 } from "../../src/tlog/hashing.ts";
import { formatNote, parseNote } from "../../src/tlog/note.ts";
import type { Vkey } from "../../src/tlog/vkey.ts";
import { grow, newLog } from "../evidence/histories.ts";
import { type MadeWitness, policyOf, witness } from "./policies.ts";

/** A log, and a policy of two of three witnesses, one of which cosigns with ML-DSA-44. */
async function stage(): Promise<{
  log: TestLog;
  policy: Policy;
  made: [MadeWitness, MadeWitness, MadeWitness];
}> {
  const log = grow(await newLog(), 8);
  const made: [MadeWitness, MadeWitness, MadeWitness] = [
    ...[witness("A"), witness("B")] as const,
    witness("C", { mldsa: true }),
  ];
  const policy = policyOf(
    `log ${log.log.vkey.text}`,
    ...made.map(({ defined }) => defined),
    "group two 2 A B C",
    "quorum two",
  );
  return { log, policy, made };
}

/** The note with these witnesses' cosignatures. */
function cosigned(note: string, ...lines: readonly string[]): string {
  return note + lines.map((line) => `${line}\n`).join("");
}

function weighed(options: Parameters<typeof weigh>[0]): Weighed {
  const result = weigh(options);
  assert(!("refused" in result));
  return result;
}

function brief({ cosigned, missing, committed }: Weighed) {
  return {
    committed,
    cosigned: cosigned.map(({ witness, time, counts }) => `${witness.name} ${time} ${counts}`),
    missing: missing.map(({ name }) => name),
  };
}

Deno.test("weigh: a quorum of cosignatures of 0x04 and 0x06 commits, one fewer does not", async () => {
  const { log, policy, made: [a, , c] } = await stage();
  const note = await log.checkpoint();
  const { text } = parseNote(note);
  assertEquals(brief(weighed({ note, policy })), {
    ...{ committed: false, cosigned: [], missing: ["A", "B", "C"] },
  });
  const one = cosigned(note, a.line(text, 10n));
  assertEquals(brief(weighed({ note: one, policy })), {
    ...{ committed: false, cosigned: ["A 10 true"], missing: ["B", "C"] },
  });
  const two = cosigned(one, c.line(text, 20n));
  assertEquals(brief(weighed({ note: two, policy })), {
    ...{ committed: true, cosigned: ["A 10 true", "C 20 true"], missing: ["B"] },
  });
});

Deno.test("weigh: a witness that cosigned twice counts once, with its latest time", async () => {
  const { log, policy, made: [a] } = await stage();
  const note = await log.checkpoint();
  const { text } = parseNote(note);
  const twice = cosigned(note, a.line(text, 30n), a.line(text, 40n), a.line(text, 20n));
  assertEquals(brief(weighed({ note: twice, policy })), {
    ...{ committed: false, cosigned: ["A 40 true"], missing: ["B", "C"] },
  });
});

Deno.test("weigh: a cosignature on another checkpoint, or of nobody listed, is as none", async () => {
  const { log, policy, made: [a, b] } = await stage();
  const note = await log.checkpoint();
  const { text } = parseNote(note);
  const other = parseNote(await log.checkpoint(7n)).text;
  const stranger = witness("A");
  const lines = [a.line(text, 1n), b.line(other, 1n), stranger.line(text, 1n)];
  assertEquals(brief(weighed({ note: cosigned(note, ...lines), policy })), {
    ...{ committed: false, cosigned: ["A 1 true"], missing: ["B", "C"] },
  });
});

Deno.test("weigh: without the signature of a listed log nothing is committed", async () => {
  const { log, policy, made: [a, b] } = await stage();
  const other = grow(await newLog(), 8);
  const { text } = parseNote(await log.checkpoint());
  const lines = [a.line(text, 1n), b.line(text, 1n)];
  const refusal = (note: string, logs?: readonly TestLog[]) => {
    const result = weigh({ note, policy, logs: logs?.map(({ log }) => log) });
    return "refused" in result ? result.refused : "weighed";
  };
  const own = cosigned(await log.checkpoint(), ...lines);
  assertEquals(refusal(own), "weighed");
  // The same origin under another key is another log.
  assertEquals(refusal(cosigned(await other.checkpoint(), ...lines)), "unknown log");
  assertEquals(refusal(own, [other]), "unknown log");
  const { vkey } = log.log;
  const forged = formatNote({ text, vkey, signature: new Uint8Array(64) });
  assertEquals(refusal(cosigned(forged, ...lines)), "bad signature");
  assertEquals(refusal("nonsense"), "malformed");
});

Deno.test("weigh: times decide nothing, unless older cosignatures were not to count", async () => {
  const { log, policy, made: [a, b, c] } = await stage();
  const note = await log.checkpoint();
  const { text } = parseNote(note);
  const all = cosigned(note, a.line(text, 99n), b.line(text, 100n), c.line(text, 0n));
  assertEquals(weighed({ note: all, policy }).committed, true);
  assertEquals(brief(weighed({ note: all, policy, since: 100n })), {
    committed: false,
    cosigned: ["A 99 false", "B 100 true", "C 0 false"],
    missing: [],
  });
  assertEquals(weighed({ note: all, policy, since: 99n }).committed, true);
});

Deno.test("weigh: a log that is listed as a witness as well has cosigned what it signed", () => {
  const both = witness("log", { keyName: "log.invalid", mldsa: true });
  const text = formatCheckpointText({
    ...{ origin: "log.invalid", treeSize: 1n, rootHash: sha256(utf8("x")) },
  });
  const policy = policyOf(`log ${both.vkey}`, both.defined, "quorum log");
  const note = `${text}\n${both.line(text, 7n)}\n`;
  assertEquals(brief(weighed({ note, policy })), {
    ...{ committed: true, cosigned: ["log 7 true"], missing: [] },
  });
});

Deno.test("contradictionOf: names the log and the witnesses that signed two roots at one size", async () => {
  const { log, policy, made: [a, b, c] } = await stage();
  const fork = grow(log.fork(), 9, "other");
  grow(log, 9);
  const [one, two] = [await log.checkpoint(), await fork.checkpoint()];
  const signed = (note: string, ...made: readonly MadeWitness[]) =>
    weighed({
      note: cosigned(note, ...made.map(({ line }) => line(parseNote(note).text, 5n))),
      policy,
    });
  const found = contradictionOf([signed(one, a, b, c), signed(two, b, c)])!;
  assertEquals(found.logs.map(({ origin }) => origin), ["test.invalid/log"]);
  assertEquals(found.witnesses.map(({ name }) => name), ["B", "C"]);
  assertEquals(found.disputed, []);
  assertEquals(contradictionOf([signed(one, a), signed(two, b)])!.witnesses, []);
});

Deno.test("contradictionOf: nobody is named over whose signature two implementations differ", async () => {
  const { log, policy, made: [a, b] } = await stage();
  const fork = grow(log.fork(), 9, "other");
  grow(log, 9);
  const [one, two] = await Promise.all([log, fork].map(async (story) => {
    const note = await story.checkpoint();
    const { text } = parseNote(note);
    return weighed({ note: cosigned(note, a.line(text, 5n), b.line(text, 6n)), policy });
  })) as [Weighed, Weighed];
  for (const type of [0x01, 0x04]) {
    const differs = (vkey: Vkey) =>
      vkey.type === type ? { vkey, verifies: () => false } : secondOpinion(vkey);
    const { logs, witnesses, disputed } = contradictionOf([one, two], differs)!;
    assertEquals([logs.length, witnesses.length], type === 0x01 ? [0, 2] : [1, 0]);
    assertEquals(disputed.map(({ type }) => type), type === 0x01 ? [1] : [4, 4]);
  }
});

Deno.test("secondOpinion: a cosignature is checked by noble as well, with its time and text", async () => {
  const { log, made: [a] } = await stage();
  const { text } = parseNote(await log.checkpoint());
  const { verifies } = secondOpinion(a.cosigner.vkey)!;
  const signature = a.sign(text, 5n);
  assertEquals(verifies({ message: utf8(text), signature }), true);
  assertEquals(verifies({ message: utf8(`${text}x\n`), signature }), false);
  for (const at of [7, 8, 71]) {
    const changed = signature.slice();
    changed[at]! ^= 1;
    assertEquals(verifies({ message: utf8(text), signature: changed }), false, `byte ${at}`);
  }
  assertEquals(verifies({ message: utf8(text), signature: new Uint8Array(3) }), false);
});

Deno.test("contradictionOf: one head is one head, however often and whenever it was cosigned", async () => {
  const { log, policy, made: [a] } = await stage();
  const note = await log.checkpoint();
  const { text } = parseNote(note);
  const [one, two] = [4n, 9n].map((time) =>
    weighed({ note: cosigned(note, a.line(text, time)), policy })
  ) as [Weighed, Weighed];
  assertEquals(contradictionOf([one, two]), undefined);
  const smaller = weighed({ note: await log.checkpoint(7n), policy });
  assertEquals(contradictionOf([one, smaller]), undefined);
  const another = grow(await newLog("other.invalid/log"), 8, "other");
  const elsewhere = weighed({ note: await another.checkpoint(), policy, logs: [another.log] });
  assertEquals(contradictionOf([one, elsewhere]), undefined);
});

Deno.test("contradictionOf: another spelling of a root is refused, and so is never another root", async () => {
  const { log, policy } = await stage();
  const note = await log.checkpoint();
  // The last digit before "=" has two bits that are not used.
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const respelled = note.replace(
    /(.)=\n\n/,
    (_, digit) => `${digits[digits.indexOf(digit) + 1]}=\n\n`,
  );
  assert(respelled !== note);
  const result = weigh({ note: respelled, policy });
  assert("refused" in result);
  assertEquals(result.refused, "malformed");
  assert(result.detail.includes("is not canonical base64"), result.detail);
});

Deno.test("weigh: nothing of a frozen log is committed, whoever has cosigned it", async () => {
  const { log, policy, made: [a, b, c] } = await stage();
  const plain = await log.checkpoint();
  const { text } = parseNote(plain);
  const note = cosigned(plain, ...[a, b, c].map((one) => one.line(text, 10n)));
  assertEquals(weighed({ note, policy }).committed, true);
  const frozen = weighed({ note, policy, isFrozen: ({ id }) => id === log.log.id });
  assertEquals([frozen.committed, frozen.frozen.map(({ id }) => id)], [false, [log.log.id]]);
  assertEquals(frozen.cosigned.length, 3, "they are told all the same");
  assertEquals(weighed({ note, policy, isFrozen: () => false }).committed, true);
});
