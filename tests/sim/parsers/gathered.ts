/**
 * The parser of files that people gather: notes, frames and proofs.
 *
 * @module
 */
import { concat } from "@std/bytes/concat";
import { encodeHex } from "@std/encoding/hex";
import fc from "fast-check";
import { readGathered } from "../../../src/gather/read.ts";
import { utf8 } from "../../../src/tlog/encoding.ts";
import { FRAME_BYTES } from "../../../src/tlog/frame.ts";
import { MalformedError } from "../../../src/tlog/malformed.ts";
import { formatProof } from "../../tlog/stated_proofs.ts";
import { proofOf } from "../../evidence/histories.ts";
import { fileOf } from "../../world/helpers.ts";
import { bytes, textBytes } from "./inputs.ts";
import { insist, parser, type ParserUnderTest } from "./parser.ts";
import { isGenuine, type Stage } from "./stage.ts";

/** Longest file gathered here: each of its lines is judged, and there may be one in two bytes. */
const MAX_GATHERED_BYTES = 192 * 1024;
/** The same for the long texts, of which there are many. */
const MAX_LONG_GATHERED = 48 * 1024;

/** Parser of gathered files. */
export function gathering(stage: Stage): ParserUnderTest {
  const { checkpoints, honest, logs } = stage;
  const line = (value: unknown): string => JSON.stringify(value) + "\n";
  const proof = formatProof(proofOf(honest, { older: 8, newer: 90 }));
  const jsonLines = [
    ...checkpoints.slice(0, 3).map(({ note }, i) => line({ note, source: `peer ${i}` })),
    line({ frame: encodeHex(checkpoints[1]!.frame) }),
    proof + "\n",
    "\n",
  ].join("");
  const frames = concat([
    new Uint8Array(FRAME_BYTES),
    ...checkpoints.slice(0, 4).map((c) => c.frame),
  ]);
  const samples = [utf8(checkpoints[2]!.note), utf8(jsonLines), frames];
  interface Gathering {
    readonly content: Uint8Array;
    readonly atOnce: number;
  }
  return parser<Gathering>({
    name: "files: readGathered",
    valid: samples.map((content) => ({ content, atOnce: 100 })),
    share: 25,
    inputs: fc.record({
      content: fc.oneof(bytes(samples), textBytes([jsonLines, checkpoints[2]!.note]))
        .map((content) => content.subarray(0, MAX_GATHERED_BYTES)),
      atOnce: fc.constantFrom(Infinity, Infinity, 100),
    }),
    feed: (text) => ({ content: utf8(text).subarray(0, MAX_LONG_GATHERED), atOnce: Infinity }),
    async run({ content, atOnce }) {
      let taken = 0;
      let end = 0;
      const { file } = fileOf(content, atOnce);
      const reading = readGathered({ file, name: "a file", logs, isNamed: true });
      for (const found of (await Array.fromAsync(reading)).flat()) {
        insist(found.bytesRead >= end && found.bytesRead <= content.length + 1, "it goes forward");
        end = found.bytesRead;
        if (found.kind === "rejected") continue;
        if (found.kind === "checkpoint") {
          insist(found.checkpoints.every((one) => isGenuine(stage, one)), "only what was signed");
          taken++;
        } else {
          taken += isRead(found.read) ? 1 : 0;
        }
      }
      return taken > 0 ? "accepted" : "refused";
    },
  });
}

function isRead(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof MalformedError) return false;
    throw error;
  }
}
