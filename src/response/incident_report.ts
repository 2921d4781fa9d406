/**
 * The report of an incident: a document that a stranger can follow. It says what is proven and by
 * what, what is not, what happened when, and how to check each claim without trusting who sends it.
 *
 * No sentence says more than the record proves (RULES R11).
 *
 * @module
 */
import type { ConflictRecord, RecordedCheckpoint } from "../evidence/record.ts";
import { encodedKey, parseVkey, SIGNATURE_TYPE } from "../tlog/vkey.ts";
import { isFreezing } from "./runbook.ts";
import type { Incident } from "./runbook.ts";
import type { Block, Paper } from "./paper.ts";
import { pictureOf } from "./tree_picture.ts";

/** Something that was seen of the log. */
export interface Sighting {
  /** RFC 3339, UTC. */
  readonly at: string;
  /** Who showed it. */
  readonly source: string;
  readonly result: string;
  readonly size?: string | undefined;
  readonly root?: string | undefined;
}

/** What a report is made of. */
export interface Reported {
  readonly incident: Incident;
  /** The cases of the incident whose records hold. */
  readonly records: readonly ConflictRecord[];
  /** What this monitor saw of the heads that the cases are about, and around the other causes. */
  readonly sightings: readonly Sighting[];
  /** By evidence id: where the files of a case are in the bundle, without what follows the name. */
  readonly named: (record: ConflictRecord) => CaseFiles;
  /** A text as one word of a shell's command line. */
  readonly word: (text: string) => string;
}

/** The files of a case in the bundle. */
export interface CaseFiles {
  readonly record: string;
  readonly noteA: string;
  readonly noteB: string;
}

/** Most rows of the timeline that are sightings. */
const MAX_SIGHTINGS = 60;

/** Makes the report. */
export function reportOf(reported: Reported): Paper {
  const { incident, records } = reported;
  const { id, log, cause } = incident;
  const what = cause === "equivocation"
    ? "a log has signed two checkpoints that contradict each other"
    : `a log was frozen because of a ${cause}`;
  return {
    title: `${id}: ${what}`,
    blocks: [
      ...inShort(reported),
      { heading: "Who it is about" },
      { fact: "log", value: log.origin },
      { fact: "its key (vkey)", value: log.vkey },
      { fact: "reported by the monitor", value: incident.steps[0]!.monitor },
      ...records.flatMap((record, i) => caseOf(record, { i, of: records.length, reported })),
      ...timeline(reported),
      ...limits(incident),
      ...checks(reported),
    ],
  };
}

function inShort({ incident, records }: Reported): Block[] {
  const { cause, state, steps, accepted } = incident;
  const proven = cause === "equivocation"
    ? `Proven: one key, the log's, has signed ${
      records.length === 1 ? "two checkpoints" : "pairs of checkpoints"
    } ` +
      "that no single history can have. A transparency log promises that everyone sees one history. The " +
      "evidence is two signatures, in the files that came with this report, and what is computed of what " +
      "they sign. Whoever has them, and the log's public key from the log itself, needs to trust nobody."
    : "Proven: nothing against the log. It was frozen because something did not fit; the cause may be a " +
      "broken server or network. What was seen is in the timeline.";
  const last = steps.at(-1)!;
  const how = isFreezing(state)
    ? "The monitor accepts nothing new of the log until a person has resolved this"
    : "A person has resolved this, and the log goes on unless another incident stops it";
  const until = accepted === undefined
    ? "It has accepted nothing of the log before."
    : `It has accepted the log up to size ${accepted.size}.`;
  return [
    { heading: "In short" },
    { say: proven },
    {
      say: `State: ${state}, since ${last.at}, by ${last.by}: ${last.why}. ${how}. ${until}`,
    },
  ];
}

function caseOf(
  record: ConflictRecord,
  { i, of, reported }: { i: number; of: number; reported: Reported },
): Block[] {
  const { checkpoint_a: a, checkpoint_b: b, evidence_id: id, kind } = record;
  const { svg, words } = pictureOf(record);
  const { record: file } = reported.named(record);
  return [
    { heading: of === 1 ? "What the log signed" : `What the log signed, case ${i + 1} of ${of}` },
    {
      say:
        "A checkpoint states how many entries the log has (size) and a hash of all of them (root). " +
        (kind === "same_size"
          ? "These two have the same size and different roots."
          : "These two have different sizes. A proof shows what the root at the smaller size must be " +
            "if the larger checkpoint is true. The log has signed another one there."),
    },
    ...checkpoint("checkpoint A", a, record.source_a),
    ...checkpoint("checkpoint B", b, record.source_b),
    { fact: "name of the case (evidence_id)", value: id },
    { fact: "found by the monitor", value: record.detector_vkey ?? "nobody has signed that" },
    { fact: "found at", value: record.detected_at },
    { fact: "file", value: file },
    { picture: svg, alternative: words },
  ];
}

function checkpoint(name: string, { size, root }: RecordedCheckpoint, source: string): Block[] {
  return [
    { fact: `${name}, size`, value: size },
    { fact: `${name}, root`, value: root },
    { fact: `${name}, shown by`, value: source },
  ];
}

/** What happened when, by this monitor's clock. */
function timeline({ incident, records, sightings }: Reported): Block[] {
  const shown = sightings.length <= MAX_SIGHTINGS
    ? sightings
    : [...sightings.slice(0, MAX_SIGHTINGS / 2), ...sightings.slice(-MAX_SIGHTINGS / 2)];
  const rows = [
    ...shown.map(({ at, source, result, size, root }) => ({
      at,
      what: size === undefined ? result : `${result}: size ${size}, root ${root}`,
      who: source,
    })),
    ...records.map((record) => ({
      at: record.detected_at,
      what: `the case ${record.evidence_id.slice(0, 16)}… was found`,
      who: record.detector_id ?? "",
    })),
    ...incident.steps.map(({ at, from, to, by, why }) => ({
      at,
      what: `${
        from === null ? "opened" : from === to ? "more evidence" : `${from} → ${to}`
      }: ${why}`,
      who: by,
    })),
  ].toSorted((one, other) => one.at < other.at ? -1 : one.at > other.at ? 1 : 0);
  const left = sightings.length - shown.length;
  return [
    { heading: "What happened when" },
    {
      say:
        "Times are UTC, by the clock of the monitor. They are its word: the signatures prove what " +
        "was signed, and not when." +
        (left === 0 ? "" : ` Of ${sightings.length} sightings ${left} are left out here.`),
    },
    {
      titles: ["time", "what", "who, or from whom"],
      rows: rows.map(({ at, what, who }) => [at, what, who]),
    },
  ];
}

function limits({ cause }: Incident): Block[] {
  return [
    { heading: "What this does not say" },
    {
      list: cause === "equivocation"
        ? [
          "Why it happened. An attack, a restored backup and a developer's mistake look the same in " +
          "signatures. People have to find that out.",
          "Who had the log's key. Whoever had it could sign both.",
          "Which entries differ, unless somebody shows them.",
          "That whoever showed a checkpoint did anything wrong. Showing it is how it was found.",
        ]
        : [
          "That the log has signed two histories. No such pair is known here.",
          "That the log is at fault. A cache, a proxy or the network between may be.",
        ],
    },
  ];
}

function checks(reported: Reported): Block[] {
  const { incident, records, word } = reported;
  const { log: { origin, vkey } } = incident;
  const given = parseVkey(vkey).name === origin ? vkey : `${vkey} ${origin}`;
  const blocks: Block[] = [
    { heading: "How to check it without trusting the sender" },
    {
      say:
        "Everything below is done in the folder that came with this report. It needs no network. " +
        "First, that the files are those that are listed (this only finds accidents, as the sender made " +
        "the list):",
    },
    { command: "sha256sum --check SHA256SUMS" },
  ];
  for (const [i, record] of records.entries()) {
    const files = reported.named(record);
    const nth = records.length === 1 ? "" : ` Case ${i + 1}:`;
    blocks.push(
      {
        say:
          `The claim that the log's key signed both.${nth} Take the log's vkey from where the log ` +
          "publishes it, and not from here. If it is the one above, this checks everything with Hearsay " +
          '(it ends with "The evidence holds"):',
      },
      { command: `hearsay verify ${word(files.record)} --log ${word(given)}` },
      ...withOpenssl(record, files, word),
      ...(record.kind === "same_size" ? sameSizeCheck(files, word) : proofCheck(files, word)),
    );
  }
  blocks.push(
    {
      say:
        "The claim that these steps were taken. Each file in steps is signed by the monitor. That " +
        "is the monitor's word, and proves nothing about the log:",
    },
    { command: 'for step in steps/*.json; do hearsay verify "$step"; done' },
    {
      say:
        "The program Hearsay is free software. With npm and its source, 'npx -y deno@2.9.6 task hearsay' " +
        "in the folder of the source stands for 'hearsay'. Its documents/PROTOCOL.md says how each of " +
        "these files is made, so that anybody can write another program that judges them.",
    },
  );
  return blocks;
}

/** A signature of the log's key, checked by another program. Only Ed25519 notes are signed as they are. */
function withOpenssl(
  record: ConflictRecord,
  { noteA, noteB }: CaseFiles,
  word: (text: string) => string,
): Block[] {
  const vkey = parseVkey(record.log.vkey);
  if (vkey.type !== SIGNATURE_TYPE.ed25519) {
    return [{
      say:
        "This key's signatures are not over the text of the note alone, so no single command of " +
        "openssl checks them. PROTOCOL and RULES say what is signed.",
    }];
  }
  const check = (note: string, name: string, { note: text }: RecordedCheckpoint): string => {
    const line = lineOfKey(text, vkey.keyId);
    return [
      `sed '/^$/,$d' ${word(note)} > ${name}.text`,
      `sed -n '${line}p' ${word(note)} | sed 's/.* //' | base64 -d | tail -c 64 > ${name}.sig`,
      `openssl pkeyutl -verify -pubin -keyform DER -inkey log.der -rawin -in ${name}.text ` +
      `-sigfile ${name}.sig`,
    ].join("\n");
  };
  return [
    {
      say:
        "The same without Hearsay, with openssl: the public key is the end of the vkey. Each of the " +
        'two commands of openssl must say "Signature Verified Successfully":',
    },
    {
      command: [
        `(printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'; ` +
        `echo ${word(encodedKey(vkey))} | base64 -d | tail -c 32) > log.der`,
        check(noteA, "a", record.checkpoint_a),
        check(noteB, "b", record.checkpoint_b),
      ].join("\n"),
    },
  ];
}

/** The line, from 1, of the signature with this key id. */
function lineOfKey(note: string, keyId: number): number {
  const lines = note.split("\n");
  const blank = lines.indexOf("");
  const found = lines.findIndex((line, i) => {
    if (i <= blank || !line.startsWith("— ")) return false;
    const bytes = Uint8Array.from(
      atob(line.slice(line.lastIndexOf(" ") + 1)),
      (c) => c.charCodeAt(0),
    );
    return new DataView(bytes.buffer).getUint32(0) === keyId;
  });
  return found + 1;
}

function sameSizeCheck({ noteA, noteB }: CaseFiles, word: (text: string) => string): Block[] {
  return [
    {
      say:
        "The claim that they contradict each other: the first line is the log's name, the second the " +
        "size, the third the root. The first two are the same in both, and the third is not:",
    },
    { command: `head -n 3 ${word(noteA)} ${word(noteB)}` },
  ];
}

/**
 * RFC 9162, section 2.1.4.2, as a script that needs Python alone. Sizes and roots are those of the notes
 * whose signatures were checked; of the record it takes the proof.
 */
export const CONSISTENCY = `import base64, hashlib, json, sys
consistency = json.load(open(sys.argv[1]))["consistency"]
texts = [open(name, encoding="utf-8").read().split("\\n") for name in sys.argv[2:4]]
(m, signed), (n, newer) = sorted((int(text[1]), text[2]) for text in texts)
decode = base64.b64decode
path = [decode(one) for one in consistency["proof"]]
if m & (m - 1) == 0:
    path.insert(0, decode(consistency["implied_root"]))
node = lambda left, right: hashlib.sha256(b"\\x01" + left + right).digest()
fn, sn = m - 1, n - 1
while fn & 1:
    fn, sn = fn >> 1, sn >> 1
old = new = path[0]
for one in path[1:]:
    if sn == 0:
        sys.exit("NOTHING IS SHOWN: the proof is too long")
    if fn & 1 or fn == sn:
        old, new = node(one, old), node(one, new)
        while fn & 1 == 0 and fn != 0:
            fn, sn = fn >> 1, sn >> 1
    else:
        new = node(new, one)
    fn, sn = fn >> 1, sn >> 1
if not 0 < m < n or sn != 0 or new != decode(newer):
    sys.exit("NOTHING IS SHOWN: the proof does not lead to the root that was signed for the larger size")
print("the proof leads to the root that was signed for size", n)
print("the root of size", m, "that follows from it:", base64.b64encode(old).decode())
print("the root of size", m, "that was signed:     ", signed)
print("CONTRADICTION" if old != decode(signed) else "no contradiction")`;

function proofCheck({ record, noteA, noteB }: CaseFiles, word: (text: string) => string): Block[] {
  return [
    {
      say:
        "The claim that they contradict each other: this script needs Python alone, and follows the " +
        "proof as RFC 9162 says in section 2.1.4.2. Nobody can make up a proof that leads to the larger " +
        "root and ends in another smaller one: that would be two texts with one SHA-256. It must print " +
        "two different roots of the smaller size, and CONTRADICTION. Anything else shows nothing.",
    },
    {
      command: `python3 - ${word(record)} ${word(noteA)} ${
        word(noteB)
      } <<'EOF'\n${CONSISTENCY}\nEOF`,
    },
  ];
}
