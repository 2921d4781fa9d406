/** Real cosigned checkpoints: markovianprotocol.com/log and tuscolo2026h2, both of July 2026. */
import { assert, assertEquals } from "@std/assert";
import { openNote } from "../../src/tlog/checkpoint.ts";
import { loadCosigner, readCosignatures } from "../../src/tlog/cosignature.ts";
import { parseLog } from "../../src/tlog/log.ts";
import { parseNote } from "../../src/tlog/note.ts";
import { formatSignatureLine, readSignatureLine } from "../../src/tlog/signature_line.ts";
import { parseVkey } from "../../src/tlog/vkey.ts";
import { flipped, readText, vectorTest } from "./vectors.ts";

/** The key of the first log (PROVENANCE of the vectors). */
const MARKOVIAN = parseLog(
  "markovianprotocol.com/log+0302c6c8+ATkpOWo95UuEiW2EhNZAol4f0CS8hMluJfPcTSzrr03v",
);

function cosigners() {
  return readText("cosignatures/witness-vkeys.txt").trimEnd().split("\n")
    .map((line) => loadCosigner(parseVkey(line)));
}

function markovian() {
  const opened = openNote({
    note: readText("cosignatures/markovian-1387.note"),
    logs: [MARKOVIAN],
  });
  assert(!("refused" in opened));
  return opened;
}

vectorTest(
  "openNote: a real note opens under its log's key and hands on its 9 cosignatures",
  () => {
    const { checkpoints, text, unjudged } = markovian();
    assertEquals(checkpoints.map(({ treeSize }) => treeSize), [1387n]);
    assertEquals(text.split("\n")[1], "1387");
    const names = unjudged.map((line) => line.split(" ")[1]);
    assertEquals([names.length, new Set(names).size], [9, 7]);
  },
);

vectorTest(
  "readCosignatures: the lines of the 3 published keys hold, 0x04 and 0x06, and no other",
  () => {
    const { text, unjudged } = markovian();
    const found = readCosignatures({ text, lines: unjudged, cosigners: cosigners() });
    // The 8 bytes after the key id, read by hand: 20 July 2026, 00:35:03 and 04 UTC.
    assertEquals(found.map(({ vkey: { name, type }, time }) => `${type} ${name} ${time}`), [
      "4 transparency.dev/DEV:witness-little-garden 1784507703",
      "4 staging.witness.transparency.goog/ring-any-bells 1784507704",
      "6 staging.witness.transparency.goog/ring-any-bells 1784507704",
    ]);
    for (const { line } of found) assert(unjudged.includes(line));
  },
);

vectorTest("readCosignatures: no real cosignature holds with any byte of it changed", () => {
  const { text, unjudged } = markovian();
  const [...all] = cosigners();
  const found = readCosignatures({ text, lines: unjudged, cosigners: all });
  for (const { vkey, line } of found) {
    const { signature } = readSignatureLine(line)!;
    for (let at = 0; at < signature.length; at++) {
      const other = formatSignatureLine({ vkey, signature: flipped(signature, at) });
      const held = readCosignatures({ text, lines: [other], cosigners: all });
      assertEquals(held, [], `byte ${at} of ${vkey.text.slice(0, 60)}`);
    }
  }
});

vectorTest(
  "readCosignatures: no real cosignature holds over the text with any byte changed",
  () => {
    const { text, unjudged } = markovian();
    for (let at = 0; at < text.length; at++) {
      const other = text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ 1) +
        text.slice(at + 1);
      const held = readCosignatures({ text: other, lines: unjudged, cosigners: cosigners() });
      assertEquals(held, [], `byte ${at}`);
    }
  },
);

vectorTest(
  "readCosignatures: takes nothing of a real Sunlight note, which has grease in it",
  () => {
    const { text, lines } = parseNote(readText("cosignatures/tuscolo2026h2-207536013.note"));
    assertEquals(lines.length, 4);
    assertEquals(readCosignatures({ text, lines, cosigners: cosigners() }), []);
  },
);
