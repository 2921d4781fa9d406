/** Signed notes, vkeys and checkpoint texts against x/mod, transparency-dev, C2SP and real keys. */
import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { openCheckpoint, parseCheckpointText } from "../../src/tlog/checkpoint.ts";
import { type Log, parseLog } from "../../src/tlog/log.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import {
  formatNote,
  loadVerifier,
  MAX_SIGNATURE_LINES,
  type Note,
  parseNote,
  verifyNote,
} from "../../src/tlog/note.ts";
import { formatKeyId, parseVkey, SIGNATURE_TYPE } from "../../src/tlog/vkey.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { loadSigner } from "../../src/world/signer.ts";
import {
  everyCase,
  flipped,
  hex,
  readJson,
  readJsonLines,
  unbase64,
  vectorTest,
} from "./vectors.ts";

interface OpenCase {
  readonly note: string;
  readonly known: readonly string[];
  readonly verified?: readonly string[];
  readonly unverified?: readonly string[];
  readonly error?: string;
}

interface ModNotes {
  readonly vkeys: { readonly peter: string; readonly enoch: string };
  readonly private_key_for_peter: string;
  readonly bad_vkeys: readonly string[];
  readonly open: readonly OpenCase[];
  readonly malformed: readonly (string | { readonly latin1_prefix_byte_ff_then_utf8: string })[];
  readonly checkpoint_text_ok: readonly string[];
  readonly checkpoint_text_bad: readonly string[];
}

function modNotes(): ModNotes {
  return readJson("notes/x_mod_sumdb_note.json");
}

interface SignedExample {
  readonly vkey: string;
  readonly note: string;
}

interface DevFormats {
  readonly ecdsa_0x02: readonly SignedExample[];
  readonly rfc6962_0x05: readonly SignedExample[];
  readonly rfc6962_sth_to_checkpoint: {
    readonly vkey: string;
    readonly sth: {
      readonly tree_size: number;
      readonly timestamp: number;
      readonly sha256_root_hash: string;
      readonly tree_head_signature: string;
    };
  };
  readonly checkpoint_text: { readonly ok: readonly string[]; readonly bad: readonly string[] };
  readonly bad_vkeys: readonly string[];
}

function devFormats(): DevFormats {
  return readJson("notes/transparency_dev_formats.json");
}

/** The parts of a vkey as its text has them, taken apart without our parser. */
function partsOf(vkey: string): { name: string; keyId: string; typed: Uint8Array } {
  const [name, keyId, ...base64] = vkey.split("+") as [string, string, ...string[]];
  return { name, keyId, typed: unbase64(base64.join("+")) };
}

/** That a vkey parses, into the parts its text has. */
function assertParses(text: string): void {
  const { name, keyId, typed } = partsOf(text);
  const vkey = parseVkey(text);
  assertEquals(vkey.name, name);
  assertEquals(formatKeyId(vkey.keyId), keyId);
  assertEquals(vkey.type, typed[0]);
  assertEquals(hex(vkey.publicKey), hex(typed.slice(1)));
  assertEquals(vkey.text, text);
}

function assertMalformed(run: () => unknown): void {
  assertThrows(run, MalformedError);
}

vectorTest("parseVkey: reads the 2 vkeys of x/mod", () =>
  everyCase({
    cases: Object.values(modNotes().vkeys),
    count: 2,
    name: (text) => text,
    check: assertParses,
  }));

vectorTest("parseVkey: refuses the 2 bad vkeys of x/mod", () =>
  everyCase({
    cases: modNotes().bad_vkeys,
    count: 2,
    name: (text) => text,
    check: (text) => assertMalformed(() => parseVkey(text)),
  }));

/** Every part of a text that is shorter than it, each as often as it occurs, and nothing. */
function* properSubstrings(text: string): Generator<string> {
  yield "";
  for (let start = 0; start < text.length; start++) {
    for (let end = start + 1; end <= text.length; end++) {
      if (end - start < text.length) yield text.slice(start, end);
    }
  }
}

vectorTest("parseVkey: refuses every proper substring of Peter's vkey", () => {
  const { peter } = modNotes().vkeys;
  assertEquals(peter.length, 66);
  return everyCase({
    cases: properSubstrings(peter),
    count: 66 * 67 / 2,
    name: (text) => text,
    check: (text) => assertMalformed(() => parseVkey(text)),
  });
});

vectorTest("parseVkey: refuses Peter's vkey with any one byte incremented", () => {
  const { peter } = modNotes().vkeys;
  return everyCase({
    cases: [...peter].map((character, i) =>
      peter.slice(0, i) + String.fromCharCode(character.charCodeAt(0) + 1) + peter.slice(i + 1)
    ),
    count: 66,
    name: (text) => text,
    check: (text) => assertMalformed(() => parseVkey(text)),
  });
});

/** The lines of a note that x/mod hands back unverified: each once, of keys not known. */
function unverifiedNames(note: Note, verified: readonly string[]): string[] {
  return [...new Set(note.lines)].map((line) => line.split(" ")[1]!)
    .filter((name) => !verified.includes(name));
}

/** The names of the keys that hold and of the others; or how opening fails. */
function open(
  { note, known }: OpenCase,
): { verified: string[]; unverified: string[] } | { failed: string; known: boolean } {
  const parsed = parseNote(note);
  const verifiers = known.map((vkey) => loadVerifier(parseVkey(vkey)));
  const result = verifyNote({ note: parsed, verifiers });
  if ("failed" in result) return result;
  const verified = result.verified.map(({ vkey }) => vkey.name);
  return { verified, unverified: unverifiedNames(parsed, verified) };
}

vectorTest(
  "verifyNote: opens the 4 good notes of x/mod and says whose lines hold",
  () =>
    everyCase({
      cases: modNotes().open.filter(({ error }) => error === undefined),
      count: 4,
      name: ({ known, note }) => `${known.length} keys: ${note}`,
      check: (one) =>
        assertEquals(open(one), {
          verified: [...one.verified!],
          // One upstream name says in brackets in what it differs from the one before it.
          unverified: one.unverified!.map((name) => name.replace(/\(.*\)$/, "")),
        }),
    }),
);

vectorTest("verifyNote: refuses the 4 notes that x/mod does not open, each for its reason", () => {
  const cases = modNotes().open.filter(({ error }) => error !== undefined);
  assertEquals(cases.length, 4);
  const opened = cases.map((one) => {
    try {
      const result = open(one);
      return [one.error, "failed" in result ? result.known : "opened"];
    } catch (error) {
      return [one.error, error instanceof MalformedError ? "malformed" : error];
    }
  });
  // What stands beside each is whether a known key was at fault, or the note's form.
  assertEquals(opened, [
    ["no verifiable signatures", false],
    ["ambiguous key (duplicate verifier)", true],
    ["too many signatures (x/mod limit is 100)", "malformed"],
    ["invalid signature for known key -> reject whole note", true],
  ]);
});

vectorTest("parseNote: reads as many lines as x/mod does, and refuses the next", () => {
  const { note } = modNotes().open.find(({ error }) => error?.startsWith("too many"))!;
  const lines = note.slice(note.lastIndexOf("\n\n") + 2).trimEnd().split("\n");
  assertEquals(lines.length, MAX_SIGNATURE_LINES + 1);
  assertEquals(MAX_SIGNATURE_LINES, 100);
  assertMalformed(() => parseNote(note));
  assertEquals(parseNote(note.slice(0, -(lines[0]!.length + 1))).lines.length, 100);
});

/** A malformed note as bytes: one case is no text at all, a byte 0xff before valid UTF-8. */
function malformedBytes(one: ModNotes["malformed"][number]): Uint8Array {
  const encoder = new TextEncoder();
  if (typeof one === "string") return encoder.encode(one);
  const rest = encoder.encode(one.latin1_prefix_byte_ff_then_utf8);
  return Uint8Array.of(0xff, ...rest);
}

vectorTest("parseNote: refuses the 7 malformed notes of x/mod", () =>
  everyCase({
    cases: modNotes().malformed,
    count: 7,
    name: (one) => JSON.stringify(one),
    // "Bad Name" is refused for its missing newline. With one, C2SP has such a line ignored
    // ("Unknown lines MUST be ignored"), where x/mod refuses the note.
    check: (one) => assertMalformed(() => parseNote(malformedBytes(one))),
  }));

vectorTest("parseNote: the note behind the byte 0xff is good without it", () => {
  const one = modNotes().malformed.find((one) => typeof one !== "string")!;
  const bytes = malformedBytes(one);
  assertEquals(bytes[0], 0xff);
  assertEquals(parseNote(bytes.slice(1)).lines.length, 1);
});

vectorTest("parseCheckpointText: reads the tree of x/mod", () => {
  const [text, ...others] = modNotes().checkpoint_text_ok;
  assertEquals(others, []);
  const [origin, size, root] = text!.split("\n");
  const parsed = parseCheckpointText(text!);
  assertEquals(parsed.origin, origin);
  assertEquals(`${parsed.treeSize}`, size);
  assertEquals(hex(parsed.rootHash), hex(unbase64(root!)));
  assertEquals(parsed.extensions, []);
});

vectorTest("parseCheckpointText: refuses 2 of x/mod's 3 bad trees, the third by its origin", () => {
  const { checkpoint_text_bad, checkpoint_text_ok } = modNotes();
  const [otherOrigin, ...malformed] = checkpoint_text_bad;
  assertEquals(malformed.length, 2);
  for (const text of malformed) assertMalformed(() => parseCheckpointText(text));
  // x/mod's parser knows one origin only. Ours reads any, and openCheckpoint compares it with the
  // log's; all that is wrong here is that it is another one.
  const { origin, ...rest } = parseCheckpointText(otherOrigin!);
  const { origin: wanted, ...sameRest } = parseCheckpointText(checkpoint_text_ok[0]!);
  assertNotEquals(origin, wanted);
  assertEquals(rest, sameRest);
});

vectorTest("loadSigner: loads x/mod's private key, and signs Peter's note as Go did", async () => {
  const { private_key_for_peter, vkeys, open } = modNotes();
  const { signing } = denoWorld();
  const signer = await loadSigner({ signing, privateKey: private_key_for_peter });
  assertEquals(signer.vkey.text, vkeys.peter);
  const { note } = open.find(({ error, unverified, note }) =>
    error === undefined && unverified!.length === 0 && note.split("\n— ").length === 2
  )!;
  const { text } = parseNote(note);
  // Ed25519 is deterministic, so the whole note is the same.
  const signature = await signer.sign(new TextEncoder().encode(text));
  assertEquals(formatNote({ text, vkey: signer.vkey, signature }), note);
});

vectorTest(
  "parseCheckpointText: refuses the 7 bad checkpoints of transparency-dev",
  () =>
    everyCase({
      cases: devFormats().checkpoint_text.bad,
      count: 7,
      name: (text) => JSON.stringify(text),
      check: (text) => assertMalformed(() => parseCheckpointText(text)),
    }),
);

vectorTest(
  "parseCheckpointText: refuses transparency-dev's good one, as its root is no hash",
  () =>
    everyCase({
      cases: devFormats().checkpoint_text.ok,
      count: 1,
      name: (text) => JSON.stringify(text),
      check(text) {
        // There any length will do ("bananas"); a root of SHA-256 has 32 bytes.
        const root = text.split("\n")[2]!;
        assertEquals(new TextDecoder().decode(unbase64(root)), "bananas");
        assertThrows(() => parseCheckpointText(text), MalformedError, "root hash has 7 bytes");
        const whole = text.replace(root, new Uint8Array(32).toBase64());
        assertEquals(parseCheckpointText(whole).treeSize, 123n);
      },
    }),
);

vectorTest("parseVkey: refuses the 4 bad vkeys of transparency-dev", () =>
  everyCase({
    cases: devFormats().bad_vkeys,
    count: 4,
    name: (text) => text,
    check: (text) => assertMalformed(() => parseVkey(text)),
  }));

/** The key id on the first signature line of a note, in hex. */
function keyIdOnLine(note: string): string {
  const payload = note.trimEnd().split(" ").at(-1)!;
  return hex(unbase64(payload).slice(0, 4));
}

vectorTest("parseVkey: reads transparency-dev's keys of types 0x02 and 0x05, ids as signed", () => {
  const { ecdsa_0x02, rfc6962_0x05 } = devFormats();
  const ofType = (type: number, examples: readonly SignedExample[]) =>
    examples.map((example) => ({ ...example, type }));
  return everyCase({
    cases: [
      ...ofType(SIGNATURE_TYPE.ecdsa, ecdsa_0x02),
      ...ofType(SIGNATURE_TYPE.rfc6962, rfc6962_0x05),
    ],
    count: 3,
    name: ({ vkey }) => vkey,
    check({ vkey, note, type }) {
      assertParses(vkey);
      assertEquals(parseVkey(vkey).type, type);
      assertEquals(formatKeyId(parseVkey(vkey).keyId), keyIdOnLine(note));
    },
  });
});

/** The origin of a note, and the log that it makes with the key. */
function logOf({ vkey, note }: SignedExample): Log {
  return parseLog(`${vkey} ${note.slice(0, note.indexOf("\n"))}`);
}

/** The same note with one bit of its only signature changed. */
function withFlippedSignature(note: string, at: number): string {
  const encoded = note.trimEnd().split(" ").at(-1)!;
  const payload = unbase64(encoded);
  const body = flipped(payload.slice(4), at);
  return note.replace(encoded, Uint8Array.of(...payload.slice(0, 4), ...body).toBase64());
}

/** That a note opens under its key, and under no other bytes, size, root or origin. */
function assertOpensAsIs(example: SignedExample): void {
  const log = logOf(example);
  const { note } = example;
  const opened = openCheckpoint({ note, logs: [log] });
  assert(!("refused" in opened), "refused" in opened ? opened.detail : "");
  const [checkpoint] = opened;
  assertEquals([opened.length, checkpoint!.note, checkpoint!.fitsFrame], [1, note, false]);
  assertThrows(() => checkpoint!.frame, MalformedError, "not an Ed25519 signature");
  const [origin, size, root] = note.split("\n") as [string, string, string];
  const changed = [
    note.replace(`\n${size}\n`, `\n${BigInt(size) ^ 1n}\n`),
    note.replace(root, flipped(unbase64(root), 7).toBase64()),
    ...Array.from({ length: 70 }, (_, at) => withFlippedSignature(note, at)),
  ];
  for (const one of changed) {
    const result = openCheckpoint({ note: one, logs: [log] });
    assertEquals("refused" in result && result.refused, "bad signature");
  }
  const renamed = openCheckpoint({ note: note.replace(origin, `${origin}2`), logs: [log] });
  assert("refused" in renamed);
}

vectorTest(
  "openCheckpoint: opens transparency-dev's 2 notes of type 0x02, and none changed",
  () =>
    everyCase({
      cases: devFormats().ecdsa_0x02,
      count: 2,
      name: ({ vkey }) => vkey,
      check: assertOpensAsIs,
    }),
);

/** RFC 6962 section 4.3's answer as the note that static-ct-api makes of it. */
function noteOfSth(): SignedExample {
  const { vkey, sth } = devFormats().rfc6962_sth_to_checkpoint;
  const { name, keyId } = parseVkey(vkey);
  const payload = new Uint8Array(12);
  const view = new DataView(payload.buffer);
  view.setUint32(0, keyId);
  view.setBigUint64(4, BigInt(sth.timestamp));
  const signature = Uint8Array.of(...payload, ...unbase64(sth.tree_head_signature)).toBase64();
  const text = `${name}\n${sth.tree_size}\n${sth.sha256_root_hash}\n`;
  return { vkey, note: `${text}\n— ${name} ${signature}\n` };
}

vectorTest(
  "openCheckpoint: opens a static-CT note of type 0x05 and Argon's STH as a note",
  () =>
    everyCase({
      cases: [...devFormats().rfc6962_0x05, noteOfSth()],
      count: 2,
      name: ({ vkey }) => vkey,
      check: assertOpensAsIs,
    }),
);

vectorTest(
  "openCheckpoint: an extension line on a 0x05 note refuses it, as nothing covers it",
  () =>
    everyCase({
      cases: [...devFormats().rfc6962_0x05, noteOfSth()],
      count: 2,
      name: ({ vkey }) => vkey,
      check(example) {
        const note = example.note.replace("\n\n", "\nextension\n\n");
        const result = openCheckpoint({ note, logs: [logOf(example)] });
        assertEquals("refused" in result && result.refused, "bad signature");
      },
    }),
);

interface WildVkey {
  readonly vkey: string;
  readonly alg: number;
  readonly key_id_matches: boolean;
}

function wildVkeys(): WildVkey[] {
  return readJsonLines("notes/vkeys_in_the_wild.jsonl");
}

vectorTest(
  "parseVkey: reads all 251 vkeys found in the wild, with the key ids they state",
  () =>
    everyCase({
      cases: wildVkeys(),
      count: 251,
      name: ({ vkey }) => vkey,
      check({ vkey, alg, key_id_matches }) {
        assert(key_id_matches);
        assertParses(vkey);
        assertEquals(parseVkey(vkey).type, alg);
      },
    }),
);

vectorTest(
  "loadVerifier: takes 240 of those and says of the 11 cosignature keys that it cannot",
  () => {
    const loads = (vkey: string): boolean => {
      try {
        return loadVerifier(parseVkey(vkey)).vkey.text === vkey;
      } catch (error) {
        if (error instanceof MalformedError) return false;
        throw error;
      }
    };
    const counts = new Map<number, { loaded: number; refused: number }>();
    for (const { vkey, alg } of wildVkeys()) {
      const count = counts.get(alg) ?? { loaded: 0, refused: 0 };
      count[loads(vkey) ? "loaded" : "refused"]++;
      counts.set(alg, count);
    }
    assertEquals(Object.fromEntries(counts), {
      [SIGNATURE_TYPE.ed25519]: { loaded: 231, refused: 0 },
      [SIGNATURE_TYPE.ecdsa]: { loaded: 5, refused: 0 },
      [SIGNATURE_TYPE.cosignature]: { loaded: 0, refused: 11 },
      [SIGNATURE_TYPE.mldsa44]: { loaded: 4, refused: 0 },
    });
  },
);

interface SpecExamples {
  readonly signed_note_example: SignedExample;
  readonly signed_note_quasimodo: string;
  readonly checkpoint_example_not_verifiable: string;
  readonly cosigned_checkpoint_example_not_verifiable: string;
}

function specExamples(): SpecExamples {
  return readJson("notes/c2sp_spec_examples.json");
}

vectorTest("verifyNote: verifies the example of C2SP signed-note, and no changed text", () => {
  const { vkey, note } = specExamples().signed_note_example;
  const verifiers = [loadVerifier(parseVkey(vkey))];
  const parsed = parseNote(note);
  assertEquals(parsed.text, "This is an example message.\n");
  const result = verifyNote({ note: parsed, verifiers });
  assert("verified" in result);
  assertEquals(result.verified.map(({ vkey }) => vkey.text), [vkey]);
  const changed = { ...parsed, text: parsed.text.replace("This", "Thus") };
  assert("failed" in verifyNote({ note: changed, verifiers }));
});

vectorTest(
  "parseNote: splits C2SP's example with an empty line in its text at the last one",
  () => {
    const { text, lines } = parseNote(specExamples().signed_note_quasimodo);
    assert(text.startsWith("Ognuno sta solo sul cuor della terra\n"));
    assert(text.endsWith(":\n\ned è subito sera.\n"));
    assertEquals(lines.length, 1);
  },
);

vectorTest("parseCheckpointText: reads both checkpoint examples of C2SP, cosigned or not", () => {
  const examples = specExamples();
  const notes = [
    examples.checkpoint_example_not_verifiable,
    examples.cosigned_checkpoint_example_not_verifiable,
  ].map(parseNote);
  assertEquals(notes.map(({ lines }) => lines.length), [1, 2]);
  for (const { text } of notes) {
    const [origin, size] = text.split("\n");
    const parsed = parseCheckpointText(text);
    assertEquals([parsed.origin, `${parsed.treeSize}`], [origin, size]);
  }
});
