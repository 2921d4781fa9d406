/** Cosignatures made here: what they cover, what makes them fail, and what a note hands on. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { openCheckpoint, openNote } from "../../src/tlog/checkpoint.ts";
import {
  loadCosigner,
  readCosignatures,
  type Subtree,
  verifySubtreeCosignature,
} from "../../src/tlog/cosignature.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { MAX_SIGNATURE_LINES } from "../../src/tlog/note.ts";
import { formatSignatureLine } from "../../src/tlog/signature_line.ts";
import { makeVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { ed25519Cosigner, mldsaCosigner, type SigningCosigner } from "./cosigners.ts";
import { ecdsaLog, LOG_KINDS, mldsaLog, ORIGIN, treeHeadLog } from "./log_signers.ts";

const ROOT = new Uint8Array(32).fill(7);
const STATEMENT = { treeSize: 42n, rootHash: ROOT };
const TEXT = `${ORIGIN}\n42\n${ROOT.toBase64()}\n`;
const EXTENDED = `${TEXT}an extension\n`;
const MAX_TIME = 2n ** 63n - 1n;

const KINDS: readonly [type: string, make: (name?: string) => SigningCosigner][] = [
  ["0x04", ed25519Cosigner],
  ["0x06", mldsaCosigner],
];

/** The times of the cosignatures that hold. */
function times({ cosigner }: SigningCosigner, text: string, ...lines: string[]): bigint[] {
  return readCosignatures({ text, lines, cosigners: [cosigner] }).map(({ time }) => time);
}

/** As `times`, of a line with this signature under the cosigner's own name and key id. */
function timesOf(witness: SigningCosigner, text: string, signature: Uint8Array): bigint[] {
  return times(witness, text, formatSignatureLine({ ...witness.cosigner, signature }));
}

for (const [type, make] of KINDS) {
  Deno.test(`readCosignatures: a ${type} line that holds is given with its key and time`, () => {
    const witness = make();
    const line = witness.line(TEXT, 1679315147n);
    const { vkey } = witness.cosigner;
    assertEquals(
      readCosignatures({ text: TEXT, lines: [line], cosigners: [witness.cosigner] }),
      [{ vkey, time: 1679315147n, line }],
    );
  });

  Deno.test(`readCosignatures: ${type} with any byte changed, cut or longer does not hold`, () => {
    const witness = make();
    const signature = witness.sign(TEXT);
    assertEquals(timesOf(witness, TEXT, signature), [1n]);
    for (let at = 0; at < signature.length; at++) {
      const other = signature.with(at, signature[at]! ^ (1 << at % 8));
      assertEquals(timesOf(witness, TEXT, other), [], `byte ${at}`);
    }
    for (let length = 1; length < signature.length; length++) {
      assertEquals(timesOf(witness, TEXT, signature.slice(0, length)), [], `${length} bytes`);
    }
    assertEquals(timesOf(witness, TEXT, Uint8Array.of(...signature, 0)), []);
  });

  Deno.test(`readCosignatures: ${type} covers origin, size, root and time`, () => {
    const witness = make();
    const line = witness.line(TEXT);
    const changed = [
      TEXT.replace(ORIGIN, "test.invalid/other"),
      TEXT.replace("\n42\n", "\n43\n"),
      TEXT.replace(ROOT.toBase64(), ROOT.with(0, 6).toBase64()),
    ];
    for (const text of changed) assertEquals(times(witness, text, line), [], text);
    const later = witness.sign(TEXT, 1n);
    later[7] = 2;
    assertEquals(timesOf(witness, TEXT, later), []);
  });

  Deno.test(`readCosignatures: a ${type} time may be 0 and at most 2^63 - 1`, () => {
    const witness = make();
    for (const time of [0n, MAX_TIME]) {
      assertEquals(times(witness, TEXT, witness.line(TEXT, time)), [time]);
    }
    assertEquals(times(witness, TEXT, witness.line(TEXT, MAX_TIME + 1n)), []);
  });

  Deno.test(`readCosignatures: ${type} on a text that is no checkpoint does not hold`, () => {
    const witness = make();
    const texts = ["", "\n", `${ORIGIN}\n42\n`, TEXT.replace("42", "042"), TEXT.slice(0, -1)];
    for (const text of texts) {
      // ML-DSA's signer here reads the text itself; it signs the sound one instead.
      const signed = type === "0x04" ? text : TEXT;
      assertEquals(times(witness, text, witness.line(signed)), [], JSON.stringify(text));
    }
  });

  Deno.test(`readCosignatures: lines of others do not keep a ${type} line from counting`, () => {
    const [witness, stranger] = [make(), make()];
    const line = witness.line(TEXT, 5n);
    const lines = [
      stranger.line(TEXT, 6n),
      // Under the witness's name and key id: made by somebody else, and bytes of no key.
      formatSignatureLine({ ...witness.cosigner, signature: stranger.sign(TEXT, 7n) }),
      formatSignatureLine({ ...witness.cosigner, signature: new Uint8Array(20) }),
      ...["", "— ", "— a", "— a b c", "— grease.invalid !", line + " "],
      ...[line, line],
    ];
    assertEquals(times(witness, TEXT, ...lines), [5n]);
    assertEquals(times(witness, TEXT, line, witness.line(TEXT, 9n)), [5n, 9n]);
  });
}

Deno.test("readCosignatures: extension lines are covered by 0x04, and free in 0x06", () => {
  const covers = (witness: SigningCosigner) => [
    times(witness, EXTENDED, witness.line(EXTENDED)).length,
    times(witness, EXTENDED, witness.line(TEXT)).length,
  ];
  assertEquals(covers(ed25519Cosigner()), [1, 0]);
  assertEquals(covers(mldsaCosigner()), [1, 1]);
});

Deno.test("readCosignatures: the cosigner's name is covered by 0x06, and not by 0x04", () => {
  const renamed = (witness: SigningCosigner) => {
    const { type, publicKey } = witness.cosigner.vkey;
    const cosigner = loadCosigner(makeVkey({ name: "another.invalid", type, publicKey }));
    return timesOf({ ...witness, cosigner }, TEXT, witness.sign(TEXT)).length;
  };
  assertEquals(renamed(ed25519Cosigner()), 1);
  assertEquals(renamed(mldsaCosigner()), 0);
});

Deno.test("readCosignatures: a plain Ed25519 signature under a key of 0x04 does not hold", () => {
  const witness = ed25519Cosigner();
  assertEquals(timesOf(witness, TEXT, witness.sign(TEXT).slice(8)), []);
});

Deno.test("readCosignatures: a 0x06 name and origin of 255 bytes fit the signed message, 256 not", () => {
  for (const [length, holds] of [[255, 1], [256, 0]] as const) {
    const named = mldsaCosigner("n".repeat(length));
    assertEquals(times(named, TEXT, named.line(TEXT)).length, holds, `name of ${length}`);
    const witness = mldsaCosigner();
    const text = TEXT.replace(ORIGIN, "o".repeat(length));
    assertEquals(times(witness, text, witness.line(text)).length, holds, `origin of ${length}`);
  }
});

Deno.test("loadCosigner: refuses every key that is no cosigner's", () => {
  for (const [kind, make] of LOG_KINDS.filter(([kind]) => !kind.startsWith("0x06"))) {
    assertThrows(() => loadCosigner(make().log.vkey), MalformedError, "0x04 or 0x06", kind);
  }
  const { publicKey } = ed25519Cosigner().cosigner.vkey;
  const plain = makeVkey({ name: "x", type: SIGNATURE_TYPE.ed25519, publicKey });
  assertThrows(() => loadCosigner(plain), MalformedError, "type 0x01");
});

const SUBTREE: Subtree = { origin: ORIGIN, start: 4n, end: 8n, hash: ROOT };
const NO_TIME = new Uint8Array(8);

Deno.test("verifySubtreeCosignature: holds with 8 bytes of zero before it, and without", () => {
  const { cosigner: { vkey }, signSubtree } = mldsaCosigner();
  for (const subtree of [SUBTREE, { ...SUBTREE, start: 0n }, { ...SUBTREE, start: 8n }]) {
    const bare = signSubtree(subtree);
    for (const signature of [bare, Uint8Array.of(...NO_TIME, ...bare)]) {
      assert(verifySubtreeCosignature({ vkey, subtree, signature }));
    }
  }
});

Deno.test("verifySubtreeCosignature: covers origin, both ends, the hash, the name, and time 0", () => {
  const { cosigner: { vkey }, signSubtree } = mldsaCosigner();
  const bare = signSubtree(SUBTREE);
  const changed: Partial<Subtree>[] = [
    ...[{ origin: "test.invalid/other" }, { origin: "" }, { start: 0n }, { end: 7n }, { end: 3n }],
    ...[{ hash: ROOT.with(31, 6) }, { hash: ROOT.slice(1) }, { hash: new Uint8Array() }],
    // The same 8 bytes, if they were taken without a bound.
    ...[{ start: 4n - 2n ** 64n }, { end: 8n + 2n ** 64n }],
  ];
  for (const change of changed) {
    const subtree = { ...SUBTREE, ...change };
    for (const signature of [bare, Uint8Array.of(...NO_TIME, ...bare)]) {
      assert(
        !verifySubtreeCosignature({ vkey, subtree, signature }),
        JSON.stringify(change, readable),
      );
    }
  }
  const renamed = makeVkey({ ...vkey, name: "another.invalid" });
  assert(!verifySubtreeCosignature({ vkey: renamed, subtree: SUBTREE, signature: bare }));
  const timed = Uint8Array.of(...NO_TIME.with(7, 1), ...signSubtree(SUBTREE, 1n));
  assert(!verifySubtreeCosignature({ vkey, subtree: SUBTREE, signature: timed }));
  assert(!verifySubtreeCosignature({ vkey, subtree: SUBTREE, signature: timed.slice(8) }));
});

/** Lets JSON show sizes. */
function readable(_name: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}` : value;
}

Deno.test("verifySubtreeCosignature: with any byte changed or cut, or of another type, refused", () => {
  const { cosigner: { vkey }, signSubtree } = mldsaCosigner();
  const whole = Uint8Array.of(...NO_TIME, ...signSubtree(SUBTREE));
  const holds = (signature: Uint8Array) =>
    verifySubtreeCosignature({ vkey, subtree: SUBTREE, signature });
  assert(holds(whole));
  for (let at = 0; at < whole.length; at++) {
    assert(!holds(whole.with(at, whole[at]! ^ (1 << at % 8))), `byte ${at}`);
    // Without its first 8 bytes, the time, it is the other form.
    if (at !== 0 && at !== NO_TIME.length) assert(!holds(whole.slice(at)), `from byte ${at}`);
    assert(!holds(whole.slice(0, at)), `${at} bytes`);
  }
  const witness = ed25519Cosigner();
  const { cosigner: { vkey: other } } = witness;
  assert(
    !verifySubtreeCosignature({ vkey: other, subtree: SUBTREE, signature: witness.sign(TEXT) }),
  );
});

Deno.test("openNote: hands on the lines it did not judge, in order, each once", () => {
  const { log, note } = ecdsaLog();
  const [witness, second] = [ed25519Cosigner(), mldsaCosigner()];
  const whole = note({ ...STATEMENT, extensions: "an extension\n" });
  const lines = [witness.line(EXTENDED), "— grease.invalid AAAA", second.line(EXTENDED)];
  const given = [...lines, lines[0]].map((line) => `${line}\n`).join("");
  const opened = openNote({ note: whole + given, logs: [log] });
  assert(!("refused" in opened));
  assertEquals(opened.text, EXTENDED);
  assertEquals(opened.unjudged, lines);
  assertEquals(opened.checkpoints.map((checkpoint) => checkpoint.note), [whole]);
  const cosigners = [witness.cosigner, second.cosigner];
  const found = readCosignatures({ text: opened.text, lines: opened.unjudged, cosigners });
  assertEquals(found.map(({ line }) => line), [lines[0], lines[2]]);
});

Deno.test("openNote: a log that does not cover extension lines hands on the text with them", () => {
  const { log, note } = mldsaLog();
  const witness = ed25519Cosigner();
  const whole = `${note({ ...STATEMENT, extensions: "an extension\n" })}${
    witness.line(EXTENDED)
  }\n`;
  const opened = openNote({ note: whole, logs: [log] });
  assert(!("refused" in opened));
  assertEquals(opened.text, EXTENDED);
  assertEquals(times(witness, opened.text, ...opened.unjudged), [1n]);
});

Deno.test("openNote: opens and refuses what openCheckpoint does, for every type of log", () => {
  for (const { log, note } of [ecdsaLog(), treeHeadLog("ecdsa"), mldsaLog()]) {
    const sound = note(STATEMENT);
    const wrong = sound.replace("\n42\n", "\n43\n");
    for (const each of [sound, wrong, sound.slice(0, -1), TEXT, ""]) {
      const [opened, checkpoints] = [openNote, openCheckpoint].map((open) =>
        open({ note: each, logs: [log] })
      );
      const seen = opened && "checkpoints" in opened ? opened.checkpoints : opened;
      assertEquals(JSON.stringify(seen, readable), JSON.stringify(checkpoints, readable));
    }
  }
});

Deno.test("openNote: hands on at most as many lines as a note may have", () => {
  const { log, note } = ecdsaLog();
  const grease = (count: number) =>
    Array.from({ length: count }, (_, i) => `— grease.invalid ${btoa(`key ${i}`)}\n`).join("");
  const most = openNote({ note: note(STATEMENT) + grease(MAX_SIGNATURE_LINES - 1), logs: [log] });
  assert(!("refused" in most));
  assertEquals(most.unjudged.length, MAX_SIGNATURE_LINES - 1);
  const more = openNote({ note: note(STATEMENT) + grease(MAX_SIGNATURE_LINES), logs: [log] });
  assert("refused" in more && more.refused === "malformed");
});
