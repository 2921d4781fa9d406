/**
 * The parsers of journals: entries, observations, removals.
 *
 * @module
 */
import { encodeHex } from "@std/encoding/hex";
import { canonicalize } from "@std/json/canonicalize";
import fc from "fast-check";
import { type JsonObject, parseExactJson } from "../../../src/evidence/json.ts";
import { type Entry, entryHash, FIRST_PREV_HASH, parseEntry } from "../../../src/evidence/entry.ts";
import { JournalDamaged, readEntries } from "../../../src/store/journal.ts";
import { cleanObservation, logIdOf, parseObservation } from "../../../src/store/observation.ts";
import { formatRemovals, parseRemovals } from "../../../src/store/removal.ts";
import { textOf, utf8 } from "../../../src/tlog/encoding.ts";
import { sha256 } from "../../../src/tlog/hashing.ts";
import { fileOf } from "../../world/helpers.ts";
import { bytes, textBytes, texts } from "./inputs.ts";
import { insist, type Outcome, parser, type ParserUnderTest } from "./parser.ts";
import { AT, type Stage, uint64 } from "./stage.ts";

/** Members of an observation, at any depth. */
const OBSERVATION_MEMBERS = [
  ...["log", "origin", "vkey", "via", "source", "result", "checkpoint", "size", "root", "note"],
  ...["against", "detail", "repeats"],
];

function hasOnly(value: unknown, names: readonly string[]): boolean {
  return typeof value !== "object" || value === null ||
    Object.entries(value).every(([name, inner]) => names.includes(name) && hasOnly(inner, names));
}

function entryLine(entry: Omit<Entry, "hash">): string {
  return canonicalize({ ...entry, hash: entryHash(entry) });
}

/** The lines of a journal of these records. */
function journalOf(records: readonly JsonObject[]): string[] {
  const lines: string[] = [];
  let prev_hash = FIRST_PREV_HASH;
  for (const [at, record] of records.entries()) {
    const entry = { seq: at + 1, recorded_at: AT, record, prev_hash };
    lines.push(entryLine(entry));
    prev_hash = entryHash(entry);
  }
  return lines;
}

/** Parsers of journals. */
export function journals({ honest, checkpoints, records }: Stage): ParserUnderTest[] {
  const { origin, vkey } = honest.log;
  const log = { origin, vkey: vkey.text };
  const [first, ...rest] = checkpoints.map(({ treeSize, root, note }) => ({
    ...{ size: `${treeSize}`, root, note },
  }));
  const observations: JsonObject[] = [
    { log, via: "poll", source: "https://log.invalid", result: "first", checkpoint: first },
    { log, via: "exchange", source: "192.0.2.1:9900", result: "matches", checkpoint: rest[0]! },
    { log, via: "poll", source: "x", result: "unavailable", detail: "no answer", repeats: 12 },
    {
      ...{ log, via: "local", source: "a file", result: "inconsistent", checkpoint: rest[1]! },
      against: { size: "40", root: rest[2]!.root },
    },
  ];
  const link = (seq: number): JsonObject => ({ seq, hash: encodeHex(sha256(uint64(BigInt(seq)))) });
  const removals: JsonObject[] = [
    { removed: [{ from: 1, to: 1, before: link(0), last: link(9) }] },
    {
      removed: [
        { from: 1, to: 3, before: link(0), last: link(9) },
        { from: 7, to: 8, before: link(20), last: link(Number.MAX_SAFE_INTEGER) },
      ],
    },
  ];
  const incidents = records as readonly unknown[] as readonly JsonObject[];
  const chains = [journalOf([...incidents, ...removals]), journalOf(observations)];
  const known = new Set(chains.flat().map((line) => parseEntry(line).hash));
  const whole = chains.map((lines) => utf8(lines.join("\n") + "\n"));
  // These entries do not follow each other: they are of two chains, or one is missing.
  const [one, two] = chains as [string[], string[]];
  const broken = [[one[0], two[1], two[2]], [one[0], one[2]], [one[1]]]
    .map((lines) => utf8(lines.join("\n") + "\n"));
  const files = [...whole, ...broken];
  const observationTexts = observations.map((one) => canonicalize(one));

  interface OnDisk {
    readonly bytes: Uint8Array;
    readonly atOnce: number;
  }
  return [
    parser<string>({
      name: "journal: parseEntry",
      valid: chains.flat(),
      share: 40,
      inputs: fc.oneof(
        texts(chains.flat()),
        // The hash is right, whatever the record is.
        texts(observationTexts).map((text) => {
          try {
            return entryLine({
              seq: 1,
              recorded_at: AT,
              record: JSON.parse(text),
              prev_hash: FIRST_PREV_HASH,
            });
          } catch {
            return text;
          }
        }),
      ),
      feed: (text) => text,
      run(text) {
        const entry = parseEntry(text);
        insist(entryHash(entry) === entry.hash, "the hash is the entry's");
        const line = entryLine(entry);
        insist(parseEntry(line).hash === entry.hash, "an entry formats back to itself");
        return "accepted";
      },
    }),
    parser<OnDisk>({
      name: "journal: readEntries",
      valid: whole.map((bytes) => ({ bytes, atOnce: 100 })),
      share: 20,
      inputs: fc.record({
        bytes: fc.oneof(bytes(files), textBytes(files.map(textOf))),
        atOnce: fc.constantFrom(Infinity, 1_000, 100),
      }),
      orderly: [JournalDamaged],
      feed: (text) => ({ bytes: utf8(text + "\n"), atOnce: Infinity }),
      async run({ bytes, atOnce }): Promise<Outcome> {
        let prev = FIRST_PREV_HASH;
        let seq = 0;
        for await (const item of readEntries(fileOf(bytes, atOnce).file, "a journal")) {
          if ("torn" in item) break;
          const { entry } = item;
          insist(known.has(entry.hash), "an entry that is read was written");
          insist(entry.prev_hash === prev && entry.seq === ++seq, "the chain has no gap");
          prev = entry.hash;
        }
        return "accepted";
      },
    }),
    parser<string>({
      name: "observation: parseObservation",
      valid: observationTexts,
      share: 40,
      inputs: texts(observationTexts),
      feed: (text) => text,
      run(text) {
        const observation = parseObservation(parseExactJson(text));
        insist(logIdOf(observation).endsWith(observation.log.origin), "its log can be told");
        insist(
          canonicalize(cleanObservation(observation)) === canonicalize(observation),
          "an observation is as it would be written",
        );
        insist(hasOnly(observation, OBSERVATION_MEMBERS), "every member has its place");
        return "accepted";
      },
    }),
    parser<string>({
      name: "removal: parseRemovals",
      valid: removals.map((one) => canonicalize(one)),
      share: 40,
      inputs: texts(removals.map((one) => canonicalize(one))),
      feed: (text) => text,
      run(text) {
        const members = parseExactJson(text);
        const formatted = formatRemovals(parseRemovals(members));
        insist(canonicalize(formatted) === canonicalize(members), "it formats back to itself");
        return "accepted";
      },
    }),
  ];
}
