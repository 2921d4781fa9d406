/**
 * The parsers of frames, notes and checkpoints, which a log signs.
 *
 * @module
 */
import { equals } from "@std/bytes/equals";
import fc from "fast-check";
import {
  formatCheckpointText,
  openCheckpoint,
  openFrame,
  parseCheckpointText,
} from "../../../src/tlog/checkpoint.ts";
import { MAX_TREE_SIZE, textOf, utf8 } from "../../../src/tlog/encoding.ts";
import { decodeFrame, encodeFrame } from "../../../src/tlog/frame.ts";
import { sha256 } from "../../../src/tlog/hashing.ts";
import { formatNote, parseNote } from "../../../src/tlog/note.ts";
import { open } from "../../evidence/histories.ts";
import { bytes, choice, textBytes, texts } from "./inputs.ts";
import { insist, parser, type ParserUnderTest } from "./parser.ts";
import { HOSTILE_TEXTS, isGenuine, signedNote, type Stage } from "./stage.ts";

/** Parsers of frames. */
export function frames(stage: Stage): ParserUnderTest[] {
  const samples = stage.checkpoints.map(({ frame }) => frame);
  const signed = fc.tuple(fc.bigInt({ min: 0n, max: MAX_TREE_SIZE }), choice(4), choice(3))
    .map(([treeSize, root, by]) => {
      const log = stage.logs[by]!;
      const rootHash = sha256(Uint8Array.of(root));
      const text = formatCheckpointText({ origin: log.origin, treeSize, rootHash });
      const signature = stage.hands.get(log.id)!.sign(utf8(text));
      return encodeFrame({ treeSize, rootHash, signature }) as Uint8Array;
    });
  return [
    parser<Uint8Array>({
      name: "frame: decodeFrame",
      valid: samples,
      share: 50,
      inputs: bytes(samples),
      feed: utf8,
      run(frame) {
        insist(equals(encodeFrame(decodeFrame(frame)), frame), "a frame encodes back to itself");
        return "accepted";
      },
    }),
    parser<Uint8Array>({
      name: "frame: openFrame",
      valid: samples,
      share: 40,
      inputs: fc.oneof({ weight: 5, arbitrary: bytes(samples) }, { weight: 1, arbitrary: signed }),
      feed: utf8,
      run(frame) {
        const opened = openFrame({ frame, logs: stage.logs });
        if ("refused" in opened) return "refused";
        insist(equals(opened.frame, frame), "a frame that opens is the checkpoint's own");
        insist(isGenuine(stage, opened), "a frame opens only with the log's signature");
        return "accepted";
      },
    }),
  ];
}

/** Parsers of notes, of texts of checkpoints and of checkpoints under an Ed25519 key. */
export function notes(stage: Stage): ParserUnderTest[] {
  const checkpoints = stage.checkpoints.map(({ note }) => note);
  const bodies = [...checkpoints.map((note) => parseNote(note).text), ...HOSTILE_TEXTS];
  const twoLines = checkpoints[0]! + checkpoints[1]!.split("\n\n")[1]!;
  const samples = [
    ...checkpoints,
    ...HOSTILE_TEXTS.map((text) => signedNote(stage, text)),
    twoLines,
    checkpoints[2]! + "— grease.invalid AAAAAAAA\n",
    checkpoints[2]! + "— grease.invalid AAAA\n",
    "any text\n\nwith an empty line\n\n— a.invalid AAAAAAAA\n",
  ];
  return [
    parser<string>({
      name: "note: parseNote of a text",
      share: 60,
      valid: samples,
      inputs: texts(samples),
      feed: (text) => text,
      run(note) {
        const { text, lines } = parseNote(note);
        insist(`${text}\n${lines.join("\n")}\n` === note, "a note's parts make up the note");
        insist(
          note.isWellFormed() && !/[^\P{Cc}\n\x7f-\x9f]/u.test(note),
          "it can be signed as it is",
        );
        insist(lines.every((line) => line.startsWith("— ")), "a signature line begins with a dash");
        return "accepted";
      },
    }),
    parser<Uint8Array>({
      name: "note: parseNote of bytes",
      share: 40,
      inputs: textBytes(samples),
      feed: utf8,
      run(note) {
        const { text, lines } = parseNote(note);
        insist(equals(utf8(`${text}\n${lines.join("\n")}\n`), note), "the parts make up the note");
        insist(parseNote(textOf(note)).text === text, "the text of the bytes reads the same");
        return "accepted";
      },
    }),
    parser<string>({
      name: "checkpoint: parseCheckpointText",
      share: 60,
      valid: bodies,
      inputs: texts(bodies),
      feed: (text) => text,
      run(text) {
        const stated = parseCheckpointText(text);
        const { extensions } = stated;
        const formatted = formatCheckpointText(stated) +
          extensions.map((line) => line + "\n").join("");
        insist(formatted === text, "a checkpoint text formats back to itself");
        insist(!`\n${text}`.includes("\n\n"), "no line of it is empty");
        return "accepted";
      },
    }),
    parser<string | Uint8Array>({
      name: "checkpoint: openCheckpoint, Ed25519",
      share: 60,
      inputs: fc.oneof<fc.Arbitrary<string | Uint8Array>[]>(
        texts(samples),
        textBytes(samples),
        // These are signed after the mutation. So the signature holds, whatever the text is.
        texts(bodies).map((text) => signedNote(stage, text)),
        // These have the right key's name and id, and any bytes as the signature.
        bytes(stage.checkpoints.map(({ signature }) => signature)).map((signature) =>
          formatNote({ text: bodies[3]!, vkey: stage.hand.vkey, signature })
        ),
      ),
      valid: [...checkpoints, utf8(checkpoints[0]!), twoLines.slice(0, checkpoints[0]!.length)],
      feed: (text) => text,
      run(note) {
        const opened = openCheckpoint({ note, logs: stage.logs });
        if ("refused" in opened) return "refused";
        for (const checkpoint of opened) {
          insist(isGenuine(stage, checkpoint), "a note opens only with the log's signature");
          const again = open(checkpoint.note, checkpoint.log);
          insist(again.treeSize === checkpoint.treeSize, "what was opened opens again");
          insist(again.root === checkpoint.root, "what was opened opens again");
        }
        return "accepted";
      },
    }),
  ];
}
