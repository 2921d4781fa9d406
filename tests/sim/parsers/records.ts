/**
 * The parsers of conflict records, and of the JSON they are in.
 *
 * @module
 */
import fc from "fast-check";
import { getNodeValue, type Node, parseTree } from "jsonc-parser";
import { parseExactJson } from "../../../src/evidence/json.ts";
import {
  type ConflictRecord,
  formatRecord,
  parseRecord,
  signedBytes,
  withSignature,
} from "../../../src/evidence/record.ts";
import { verifyConflict } from "../../../src/evidence/verify.ts";
import {
  formatEvidenceFile,
  isEvidenceFile,
  readEvidenceFile,
} from "../../../src/cli/evidence_file.ts";
import { utf8 } from "../../../src/tlog/encoding.ts";
import { fileOf } from "../../world/helpers.ts";
import { bytes, texts } from "./inputs.ts";
import { insist, parser, type ParserUnderTest } from "./parser.ts";
import type { Stage } from "./stage.ts";

/** A record's text. If it is a record at all, the detector signs it anew, whatever it says. */
function resigned({ detector }: Stage, text: string): string {
  try {
    const record = JSON.parse(text) as ConflictRecord;
    return formatRecord(withSignature(record, detector.sign(signedBytes(record))));
  } catch {
    return text;
  }
}

const ODD_JSON = [
  "{}",
  '{"a":1,"b":[true,null,{"c":"\\u00e9\\\\\\"\\ud83d\\ude00"}],"__proto__":{"x":1}}',
  '{ "spaces" : [ 1 , 2.5 , -3 ] }\n',
];

/** Parsers of conflict records. */
export function records(stage: Stage): ParserUnderTest[] {
  const truths = stage.records.map(formatRecord);
  const samples = [...truths, ...stage.falseRecords.map(formatRecord)];
  const cases = new Set(stage.records.map(({ evidence_id }) => evidence_id));
  const sent = stage.records.map((record) =>
    utf8(formatEvidenceFile({ words: ["", "  Words for people."], record }))
  );
  return [
    parser<Uint8Array>({
      name: "record: readEvidenceFile",
      valid: sent,
      share: 30,
      inputs: bytes(sent),
      feed: (text) => utf8(text),
      async run(content) {
        const { file } = fileOf(content);
        if (!await isEvidenceFile(file)) return "refused";
        const evidence = await readEvidenceFile(file);
        const { outcome, record } = verifyConflict({ input: evidence.record });
        if (outcome !== "holds" || record === undefined) return "refused";
        insist(cases.has(record.evidence_id), "a record that holds proves a case that is one");
        return "accepted";
      },
    }),
    parser<string>({
      name: "JSON: parseExactJson",
      share: 50,
      inputs: texts([...samples, ...ODD_JSON]),
      feed: (text) => text,
      run(text) {
        const value = parseExactJson(text);
        insist(
          JSON.stringify(JSON.parse(text)) === JSON.stringify(value),
          "the value is the text's",
        );
        // This reader is of another kind, and it looks at every member.
        const tree = parseTree(text);
        insist(tree !== undefined && !hasRepeats(tree), "no member is there twice");
        insist(sameJson(getNodeValue(tree), value), "another reader reads the same");
        return "accepted";
      },
    }),
    parser<string>({
      name: "record: parseRecord",
      valid: samples,
      share: 40,
      inputs: texts(samples),
      feed: (text) => text,
      run(text) {
        const record = parseRecord(text);
        const { proof = [], implied_root = "" } = record.consistency ?? {};
        insist(isTexts([...proof, implied_root, ...Object.values(record.log)]), "texts are texts");
        const formatted = formatRecord(record);
        insist(formatRecord(parseRecord(formatted)) === formatted, "a record formats to itself");
        return "accepted";
      },
    }),
    parser<string>({
      name: "record: verifyConflict",
      valid: truths,
      share: 30,
      inputs: fc.oneof(texts(samples), texts(samples).map((text) => resigned(stage, text))),
      feed: (text) => text,
      run(text) {
        const { outcome, record, signed } = verifyConflict({ input: text });
        insist(outcome !== "disputed", "two implementations agree on every signature");
        if (outcome !== "holds" || record === undefined) return "refused";
        insist(cases.has(record.evidence_id), "a record that holds proves a case that is one");
        insist(signed || record.evidence_signature === null, "a signature holds, or there is none");
        return "accepted";
      },
    }),
    parser<string>({
      name: "record: verifyConflict, as its detector signed it",
      share: 15,
      inputs: texts(samples.filter((text) => !text.includes('"evidence_signature":null'))),
      valid: truths.filter((text) => !text.includes('"evidence_signature":null')),
      feed: (text) => text,
      run(text) {
        const { outcome, record, signed } = verifyConflict({
          input: text,
          log: stage.honest.log,
          detector: stage.detector.vkey,
        });
        insist(outcome !== "disputed", "two implementations agree on every signature");
        if (outcome !== "holds" || record === undefined) return "refused";
        insist(signed, "the detector asked for has signed it");
        insist(truths.includes(formatRecord(record)), "not a word of it is another");
        return "accepted";
      },
    }),
  ];
}

function isTexts(values: readonly unknown[]): boolean {
  return values.every((value) => typeof value === "string");
}

function hasRepeats({ type, children = [] }: Node): boolean {
  if (type === "object") {
    const names = children.map(({ children: [key] = [] }) => String(key?.value));
    if (new Set(names).size < names.length) return true;
  }
  return children.some(hasRepeats);
}

/**
 * Whether two JSON values are equal. `__proto__` is left out, because the other reader drops it.
 */
function sameJson(a: unknown, b: unknown): boolean {
  const plain = (value: unknown): string =>
    JSON.stringify(value, (key, inner) => key === "__proto__" ? undefined : inner);
  return plain(a) === plain(b);
}
