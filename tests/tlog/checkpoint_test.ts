import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  formatCheckpointText,
  openCheckpoint,
  openFrame,
  parseCheckpointText,
  type Refused,
  VerifiedCheckpoint,
} from "../../src/tlog/checkpoint.ts";
import { EMPTY_ROOT } from "../../src/tlog/hashing.ts";
import { base64, MAX_TREE_SIZE, parseTreeSize, utf8 } from "../../src/tlog/encoding.ts";
import { decodeFrame, encodeFrame, FRAME_BYTES, isZeroFrame } from "../../src/tlog/frame.ts";
import { describeLog, formatLog, type Log, parseLog, parseLogs } from "../../src/tlog/log.ts";
import { MalformedError } from "../../src/tlog/malformed.ts";
import { formatNote, MAX_NOTE_BYTES, MAX_SIGNATURE_LINES, parseNote } from "../../src/tlog/note.ts";
import { makeVkey, parseVkey } from "../../src/tlog/vkey.ts";
import type { Signer } from "../../src/world/signer.ts";
import { grow, newLog, newSigner, open } from "../evidence/histories.ts";

const ORIGIN = "test.invalid/log";

/** A signer, its log, and a way to have it sign any text as a note. */
async function logOf(origin = ORIGIN): Promise<{
  log: Log;
  signer: Signer;
  note(text: string): Promise<string>;
}> {
  const signer = await newSigner("key.invalid");
  const log = parseLog(`${signer.vkey.text} ${origin}`);
  const note = async (text: string): Promise<string> =>
    formatNote({ text, vkey: signer.vkey, signature: await signer.sign(utf8(text)) });
  return { log, signer, note };
}

const ROOT = base64(new Uint8Array(32).fill(7));
const TEXT = `${ORIGIN}\n42\n${ROOT}\n`;

function refusal(opened: VerifiedCheckpoint[] | VerifiedCheckpoint | Refused): Refused {
  assert("refused" in opened, "it was accepted");
  return opened;
}

Deno.test("openCheckpoint: a signed note becomes a verified checkpoint and gives its note back", async () => {
  const { log, note } = await logOf();
  const text = await note(TEXT);
  for (const input of [text, utf8(text)]) {
    const [checkpoint, ...more] = openCheckpoint({
      note: input,
      logs: [log],
    }) as VerifiedCheckpoint[];
    assertEquals(more, []);
    assertEquals(checkpoint!.treeSize, 42n);
    assertEquals(base64(checkpoint!.rootHash), ROOT);
    assertEquals(checkpoint!.note, text);
    assertEquals(checkpoint!.log, log);
  }
});

Deno.test("VerifiedCheckpoint: cannot be made outside its module", async () => {
  const { log, note } = await logOf();
  const sound = open(await note(TEXT), log);
  const fields = { treeSize: 1n, rootHash: sound.rootHash, signature: sound.signature };
  const make = VerifiedCheckpoint as unknown as new (...args: unknown[]) => VerifiedCheckpoint;
  assertThrows(() => new make(Symbol("verified"), log, fields), TypeError, "only openCheckpoint");
});

Deno.test("openFrame: note to frame to note is exact", async () => {
  const { log, note } = await logOf();
  const text = await note(TEXT);
  const { frame } = open(text, log);
  assertEquals(frame.length, FRAME_BYTES);
  const opened = openFrame({ frame, logs: [log] });
  assert(!("refused" in opened));
  assertEquals(opened.note, text);
  assertEquals(opened.frame, frame);
});

Deno.test("openFrame: an origin may be of any length and script", async () => {
  // Texts on both sides of what is encoded without a new array, and characters of 1 to 4 bytes.
  for (const character of ["x", "é", "日", "🌳"]) {
    for (const length of [1, 50, 80, 200, 270, 280, 290, 340, 1_000]) {
      const origin = `o${character.repeat(length)}`;
      const { log, note } = await logOf(origin);
      const text = await note(`${origin}\n42\n${ROOT}\n`);
      const opened = openFrame({ frame: open(text, log).frame, logs: [log] });
      assert(!("refused" in opened), `${length} × ${character}`);
      assertEquals(opened.note, text);
    }
  }
});

Deno.test("openFrame: the log is the one under whose key and origin it verifies", async () => {
  const one = await logOf();
  const two = await logOf();
  const sameKey = parseLog(`${one.signer.vkey.text} another.invalid/origin`);
  const { frame } = open(await one.note(TEXT), one.log);
  const opened = openFrame({ frame, logs: [two.log, sameKey, one.log] });
  assert(!("refused" in opened));
  assertEquals(opened.log.id, one.log.id);
  assertEquals(refusal(openFrame({ frame, logs: [two.log, sameKey] })).refused, "bad signature");
  assertEquals(refusal(openFrame({ frame, logs: [] })).refused, "bad signature");
});

Deno.test("openFrame: all 832 single-bit flips are refused", async () => {
  const { log, note } = await logOf();
  const { frame } = open(await note(TEXT), log);
  let flips = 0;
  for (let bit = 0; bit < FRAME_BYTES * 8; bit++) {
    const flipped = frame.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    refusal(openFrame({ frame: flipped, logs: [log] }));
    flips++;
  }
  assertEquals(flips, 832);
});

Deno.test("openFrame: any other length, and a size above 2^63-1, is malformed", async () => {
  const { log, note } = await logOf();
  const { frame } = open(await note(TEXT), log);
  for (const length of [0, 1, 103, 105, 208]) {
    const cut = new Uint8Array(length);
    cut.set(frame.subarray(0, length));
    assertEquals(refusal(openFrame({ frame: cut, logs: [log] })).refused, "malformed");
  }
  const huge = frame.slice();
  huge[0] = 0x80;
  assertMatch(refusal(openFrame({ frame: huge, logs: [log] })).detail, /9223372036854775807/);
});

Deno.test("frame: fields survive, at both ends of the size", () => {
  const rootHash = new Uint8Array(32).fill(1);
  const signature = new Uint8Array(64).fill(2);
  for (const treeSize of [0n, 1n, 2n ** 32n, 2n ** 53n + 1n, MAX_TREE_SIZE]) {
    const fields = { treeSize, rootHash: treeSize === 0n ? EMPTY_ROOT : rootHash, signature };
    assertEquals(decodeFrame(encodeFrame(fields)), fields);
  }
  for (const treeSize of [-1n, MAX_TREE_SIZE + 1n]) {
    assertThrows(() => encodeFrame({ treeSize, rootHash, signature }), RangeError);
  }
  assertThrows(() => encodeFrame({ treeSize: 0n, rootHash: signature, signature }), RangeError);
  assert(isZeroFrame(new Uint8Array(FRAME_BYTES)));
  assert(!isZeroFrame(new Uint8Array(FRAME_BYTES).with(103, 1)));
});

Deno.test("openCheckpoint: extension lines are kept in the note and fit no frame", async () => {
  const { log, note } = await logOf();
  const text = await note(TEXT + "an extension\nanother\n");
  const checkpoint = open(text, log);
  assertEquals(checkpoint.note, text);
  assertEquals(checkpoint.fitsFrame, false);
  assertThrows(
    () => checkpoint.frame,
    MalformedError,
    "not an Ed25519 signature over origin, size and root alone",
  );
});

Deno.test("openCheckpoint: lines of unknown keys are ignored whatever they hold, and not kept", async () => {
  const { log, note } = await logOf();
  const text = await note(TEXT);
  const grease = [
    `— grease.invalid ${base64(new Uint8Array(9))}`,
    `— ${log.vkey.name} ${base64(new Uint8Array(68))}`,
    "— not base64 at all !!!",
    "— ",
    `— ${"x".repeat(10_000)}`,
  ];
  const checkpoint = open(`${text}${grease.join("\n")}\n`, log);
  assertEquals(checkpoint.note, text);
  assertEquals(checkpoint.fitsFrame, true);
});

Deno.test("openCheckpoint: a known key's line that fails refuses the note, even beside a good one", async () => {
  const { log, note } = await logOf();
  const text = await note(TEXT);
  const [, line] = text.split("\n\n") as [string, string];
  const wrong = (await note(TEXT.replace("42", "43"))).split("\n\n")[1]!;
  for (const lines of [wrong, line + wrong, wrong + line]) {
    const refused = refusal(openCheckpoint({ note: `${TEXT}\n${lines}`, logs: [log] }));
    assertEquals(refused.refused, "bad signature");
  }
});

Deno.test("openCheckpoint: one origin under two followed keys is a statement of both logs", async () => {
  const one = await logOf();
  const two = await logOf();
  const lines = (await two.note(TEXT)).split("\n\n")[1]!;
  const both = (await one.note(TEXT)) + lines;
  const opened = openCheckpoint({ note: both, logs: [one.log, two.log] }) as VerifiedCheckpoint[];
  assertEquals(opened.map(({ log }) => log.id), [one.log.id, two.log.id]);
});

Deno.test("openCheckpoint: a followed key under another origin is told, not accepted", async () => {
  const { log, note } = await logOf();
  const other = TEXT.replace(ORIGIN, "else.invalid");
  const refused = refusal(openCheckpoint({ note: await note(other), logs: [log] }));
  assertEquals(refused.refused, "unknown log");
  assertMatch(refused.detail, /configured for another origin/);
});

Deno.test("openCheckpoint: signed texts that are no canonical checkpoint are malformed", async () => {
  const { log, note } = await logOf();
  const sloppy = ROOT.slice(0, -2) + "d=";
  const bad: [string, RegExp][] = [
    [`${ORIGIN}\n42\n`, /2 lines/],
    [`${ORIGIN}\n\n${ROOT}\n`, /empty line/],
    [`${ORIGIN}\n042\n${ROOT}\n`, /tree size is "042", expected a decimal without leading zeros/],
    [`${ORIGIN}\n-1\n${ROOT}\n`, /tree size/],
    [`${ORIGIN}\n+1\n${ROOT}\n`, /tree size/],
    [`${ORIGIN}\n0x2a\n${ROOT}\n`, /tree size/],
    [`${ORIGIN}\n4２\n${ROOT}\n`, /tree size/],
    [`${ORIGIN}\n${MAX_TREE_SIZE + 1n}\n${ROOT}\n`, /at most/],
    [`${ORIGIN}\n${"9".repeat(100_000)}\n${ROOT}\n`, /at most/],
    [`${ORIGIN}\n42\n${sloppy}\n`, /not canonical base64/],
    [`${ORIGIN}\n42\n${ROOT} \n`, /not canonical base64/],
    [`${ORIGIN}\n42\n${base64(new Uint8Array(31))}\n`, /31 bytes/],
    [`${ORIGIN}\n42\n${base64(new Uint8Array(33))}\n`, /33 bytes/],
    [`${ORIGIN}\n42\n${ROOT.replaceAll("+", "-").replace("=", "")}\n`, /base64/],
  ];
  for (const [text, message] of bad) {
    const refused = refusal(openCheckpoint({ note: await note(text), logs: [log] }));
    assertEquals(refused.refused, "malformed", text.slice(0, 60));
    assertMatch(refused.detail, message);
  }
});

Deno.test("parseNote: each rule it breaks has its own message", async () => {
  const { note } = await logOf();
  const sound = await note(TEXT);
  const line = sound.split("\n\n")[1]!;
  const bad: [Uint8Array | string, RegExp][] = [
    ["", /newline at its end/],
    [sound.slice(0, -1), /newline at its end/],
    [sound.replace("\n\n", "\n"), /empty line/],
    [`${TEXT}\n`, /at least one signature/],
    [sound.replaceAll("\n", "\r\n"), /control character "\\u\{d\}"/],
    [`\t${sound}`, /control character/],
    [`\0${sound}`, /control character/],
    [sound.replace("— ", "- "), /em dash/],
    [`${sound}stray\n`, /em dash/],
    [`\ud800${sound}`, /Unicode/],
    [new Uint8Array([0xff, ...utf8(sound)]), /UTF-8/],
    [utf8(sound).with(3, 0xc0), /UTF-8/],
    [TEXT + "\n" + line.repeat(MAX_SIGNATURE_LINES + 1), /signature lines/],
    ["x".repeat(MAX_NOTE_BYTES + 1), /bytes, expected at most/],
  ];
  for (const [text, message] of bad) {
    const error = assertThrows(() => parseNote(text), MalformedError);
    assertMatch(error.message, message);
  }
  parseNote(TEXT + "\n" + line.repeat(MAX_SIGNATURE_LINES));
});

Deno.test("parseNote: a byte order mark is part of the text, not dropped", async () => {
  const { log, note } = await logOf();
  const marked = utf8("\ufeff" + (await note(TEXT)));
  assertEquals(parseNote(marked).text[0], "\ufeff");
  refusal(openCheckpoint({ note: marked, logs: [log] }));
});

Deno.test("openCheckpoint: no input crashes it, and nothing but the signed text is accepted", async () => {
  const { log, note } = await logOf();
  const sound = utf8(await note(TEXT));
  const accepted = new Set<string>();
  fc.assert(
    fc.property(
      fc.nat({ max: sound.length - 1 }),
      fc.integer({ min: 0, max: 255 }),
      fc.constantFrom("set", "drop", "add", "cut"),
      (at, byte, how) => {
        const mutant = how === "set"
          ? sound.with(at, byte)
          : how === "cut"
          ? sound.slice(0, at)
          : new Uint8Array([
            ...sound.slice(0, at),
            ...(how === "add" ? [byte] : []),
            ...sound.slice(how === "drop" ? at + 1 : at),
          ]);
        const opened = openCheckpoint({ note: mutant, logs: [log] });
        if (!("refused" in opened)) accepted.add(opened[0]!.note);
      },
    ),
    { numRuns: 3000 },
  );
  for (const text of accepted) assertEquals(parseNote(text).text, TEXT);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      refusal(openCheckpoint({ note: bytes, logs: [log] }));
      if (bytes.length > 0) refusal(openFrame({ frame: bytes, logs: [log] }));
    }),
  );
});

Deno.test("parseCheckpointText: what it accepts is formatted back to the same text", () => {
  const text = formatCheckpointText({
    origin: "an origin with spaces",
    treeSize: 0n,
    rootHash: EMPTY_ROOT,
  });
  assertEquals(parseCheckpointText(text).origin, "an origin with spaces");
  assertEquals(formatCheckpointText(parseCheckpointText(text)), text);
  assertEquals(parseTreeSize(`${MAX_TREE_SIZE}`), MAX_TREE_SIZE);
});

Deno.test("parseLog: a vkey alone, or a vkey, a space and the origin", async () => {
  const { signer } = await logOf();
  const plain = parseLog(signer.vkey.text);
  assertEquals([plain.origin, formatLog(plain)], ["key.invalid", signer.vkey.text]);
  const named = parseLog(`${signer.vkey.text} go.sum database tree`);
  assertEquals(named.origin, "go.sum database tree");
  assertEquals(formatLog(named), `${signer.vkey.text} go.sum database tree`);
  assertMatch(describeLog(named), /^go\.sum database tree \(key [0-9a-f]{8}\)$/);
  for (
    const bad of [
      "",
      " ",
      "x",
      `${signer.vkey.text} `,
      `${signer.vkey.text} a\nb`,
      ` ${signer.vkey.text}`,
    ]
  ) {
    assertThrows(() => parseLog(bad), MalformedError);
  }
});

Deno.test("parseLog: a key of a type that no log has is refused by name", async () => {
  const { signer } = await logOf();
  const cosigner = makeVkey({ name: "w.invalid", type: 0x04, publicKey: signer.vkey.publicKey });
  assertThrows(() => parseLog(cosigner.text), MalformedError, "expected Ed25519 (0x01)");
});

Deno.test("parseLogs: repeats are one log, two names for one log are an error", async () => {
  const { signer } = await logOf();
  const { name, publicKey, text } = signer.vkey;
  assertEquals(parseLogs([text, text, `${text} else`]).length, 2);
  const renamed = makeVkey({ name: "renamed.invalid", type: 1, publicKey });
  assertThrows(() => parseLogs([text, `${renamed.text} ${name}`]), MalformedError, "Two names");
});

Deno.test("parseVkey: every change of one character is refused, with a message", async () => {
  const { signer } = await logOf();
  const { text } = signer.vkey;
  assertEquals(parseVkey(text), signer.vkey);
  for (let at = 0; at < text.length; at++) {
    const other = text[at] === "A" ? "B" : "A";
    assertThrows(() => parseVkey(text.slice(0, at) + other + text.slice(at + 1)), MalformedError);
    assertThrows(() => parseVkey(text.slice(0, at)), MalformedError);
    assertThrows(() => parseVkey(text.slice(0, at) + text.slice(at + 1)), MalformedError);
  }
  assertThrows(() => parseVkey(`${text}\n`), MalformedError);
  assertThrows(() => parseVkey("a b+00000000+AQ=="), MalformedError, "expected no spaces");
});

Deno.test("makeVkey: small-order, non-canonical and off-curve keys are refused when loaded", () => {
  const key = (first: number, last = 0): Uint8Array =>
    new Uint8Array(32).with(0, first).with(31, last);
  const ones = new Uint8Array(32).fill(0xff);
  const bad: [Uint8Array, string][] = [
    [key(0), "small order"],
    [key(1), "small order"],
    [ones.with(0, 0xec).with(31, 0x7f), "small order"],
    [ones.with(0, 0xed).with(31, 0x7f), "canonical"],
    [ones.with(31, 0x7f), "canonical"],
    [key(1, 0x80), "canonical"],
    [key(2), "not a point"],
    [new Uint8Array(31), "31 bytes"],
  ];
  for (const [publicKey, message] of bad) {
    assertThrows(() => makeVkey({ name: "x", type: 1, publicKey }), MalformedError, message);
  }
});

Deno.test("checkpoints of a growing log all open, and frames of one size differ between stories", async () => {
  const log = await newLog();
  for (let size = 0; size < 20; size++) {
    assertEquals(open(await grow(log, size).checkpoint(), log.log).treeSize, BigInt(size));
  }
});

Deno.test("openCheckpoint: a failing line of another followed log does not hide this one", async () => {
  const one = await logOf();
  const two = await logOf("two.invalid/log");
  const wrong = (await two.note(TEXT.replace("42", "43"))).split("\n\n")[1]!;
  const opened = openCheckpoint({ note: (await one.note(TEXT)) + wrong, logs: [one.log, two.log] });
  assert(!("refused" in opened));
  assertEquals(opened.map(({ log }) => log.id), [one.log.id]);
});

Deno.test("parseNote: a text has as many bytes as it takes in UTF-8, up to the limit and no more", () => {
  const ends = "\n\n— a.invalid AAAA\n";
  const room = MAX_NOTE_BYTES - utf8(ends).length;
  for (const character of ["a", "é", "€", "😀"]) {
    const bytes = utf8(character).length;
    const rest = "x".repeat(room % bytes);
    const longest = character.repeat(Math.floor(room / bytes)) + rest + ends;
    assertEquals(parseNote(longest), parseNote(utf8(longest)));
    assertEquals(parseNote(longest).text, longest.slice(0, 1 - ends.length));
    for (const note of [`x${longest}`, utf8(`x${longest}`)]) {
      assertThrows(() => parseNote(note), MalformedError, `it has ${MAX_NOTE_BYTES + 1} bytes`);
    }
  }
});
