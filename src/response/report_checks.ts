/**
 * How to check a report: what to ask for, what to type, what must come of it, and what it means if
 * something else does. Nothing of it needs the sender, and all but the last two need no Hearsay.
 *
 * @module
 */
import { formatKeyId, parseVkey, type Vkey } from "../tlog/vkey.ts";
import { type Block, code, type Text } from "./paper.ts";
import { proofCheck, sameSizeCheck, SCRIPT, scriptSaved } from "./report_script.ts";
import { isForOpenssl, keyFile, lineOfKey, signatureCheck } from "./report_signatures.ts";
import type { FailedFiles, Reported } from "./reported.ts";

/** The part of a report that says how to check it. */
export function checksOf(reported: Reported): Block[] {
  const { records, failed } = reported;
  return [
    { heading: "How to check it without trusting the sender" },
    {
      say: "No check needs a network, the sender, or the monitor that noticed this. They need a " +
        "shell with common tools, openssl 3.0 or later and Python 3; what stands at the end needs Hearsay. " +
        "One thing must come from elsewhere: the log's vkey. If a check gives something else than is " +
        "said here, nothing is shown yet, and nobody may be accused.",
    },
    ...filesCheck(reported),
    ...keyCheck(reported),
    ...(records.length === 0 ? [] : proofChecks(reported)),
    ...(failed === undefined ? [] : failedCheck(failed, reported)),
    ...withHearsay(reported),
  ];
}

/** Which files to have, and that they are whole. */
function filesCheck({ incident, records, named, failed }: Reported): Block[] {
  const { id, steps } = incident;
  const wanted = [
    ...records.map(named).flatMap(({ record, noteA, noteB }) => [record, noteA, noteB]),
    ...(failed === undefined ? [] : filesOfFailed(failed)),
  ];
  const gathered = steps.find(({ bundle }) => bundle !== undefined);
  return [
    { subheading: "The files" },
    {
      say: [
        "This report proves nothing by itself: anybody can write one. The files do. If it came " +
        `without them, ask whoever sent it for the bundle of ${id}: the folder with the file `,
        code("manifest.json"),
        ", which ",
        code(`hearsay incidents bundle ${id}`),
        " makes, or that folder packed into one file. ",
        ...(wanted.length === 0 ? [] : ["For the checks below, these files of it are enough:"]),
      ],
    },
    ...(wanted.length === 0 ? [] : [{ list: wanted.map((name): Text => [code(name)]) }]),
    {
      say: [
        "Type everything in one terminal, in a copy, since the checks write files. For the folder " +
        "FOLDER: ",
        code("cp -r FOLDER check && cd check"),
        ". If it came packed into one file FILE, ",
        code("tar -xzf FILE"),
        " unpacks it before. Single files are put where the list above has them, in folders that ",
        code("mkdir records answers"),
        " makes.",
      ],
    },
    {
      say: "If you have the whole folder, this finds what was damaged on the way. It finds no " +
        "forger, since whoever makes files makes their list too:",
    },
    { command: "sha256sum --check SHA256SUMS\nsha256sum manifest.json" },
    {
      say: [
        "The first command must print one line for each file, each ending in ",
        code(": OK"),
        ", and end with exit code 0. If a line ends in ",
        code("FAILED"),
        ", that file is not what was gathered: ask for the folder again. ",
        ...(gathered?.bundle === undefined
          ? [
            "The second prints the SHA-256 of the manifest, which names the whole bundle. There is " +
            "nothing to compare it with yet, since this report was made before the bundle was complete: " +
            "write it down. The monitor signs it in its step to INVESTIGATE, and reports made after that " +
            "step have it.",
          ]
          : [
            "The second must print this, the SHA-256 of the manifest of the bundle that " +
            `${gathered.by} had gathered by ${gathered.at}. The monitor has signed it in its step to ` +
            "INVESTIGATE. Another one means another bundle: then ask why.",
          ]),
        " (On macOS, type ",
        code("shasum -a 256"),
        " for ",
        code("sha256sum"),
        ".) The manifest's gathered_at is when gathering began. Entries of other matters are left out, so " +
        "the numbers of entries may begin later and have gaps.",
      ],
    },
    ...(gathered?.bundle === undefined ? [] : [{ output: `${gathered.bundle}  manifest.json` }]),
  ];
}

/** The one thing that must come from elsewhere. */
function keyCheck({ incident: { log: { origin, vkey } }, word }: Reported): Block[] {
  const isNamed = parseVkey(vkey).name === origin;
  return [
    { subheading: "The log's key" },
    {
      say:
        "Get the log's vkey from the log's own documentation, from its operator, or from software " +
        "that relies on the log and came with it. Do not take it from this report, or from who sent " +
        "it. Compare it with this one, character by character. If they are not the same, what follows " +
        "is about a key that is not the log's, and proves nothing about the log. If they are, type:",
    },
    { command: `VKEY=${word(vkey)}` },
    ...(isNamed ? [] : [{
      say: [
        "This key has another name than the log. So compare the log's name too, which must be ",
        code(origin),
        ".",
      ],
    }]),
  ];
}

/** Both signatures, and that both cannot be true. */
function proofChecks(reported: Reported): Block[] {
  const { records, named, word } = reported;
  const nth = (i: number): string => records.length === 1 ? "" : `, case ${i + 1}`;
  const { origin } = records[0]!.log;
  const vkey = parseVkey(records[0]!.log.vkey);
  const isCrossSize = records.some(({ kind }) => kind === "cross_size");
  return [
    { subheading: "The log's key has signed both checkpoints" },
    ...keyFile(vkey),
    ...records.flatMap((record, i): Block[] => {
      const { noteA, noteB } = named(record);
      const texts = textsOf({ i, of: records.length });
      return [
        ...(records.length === 1 ? [] : [{ say: `Case ${i + 1}:` }]),
        ...signatureCheck({
          ...{ vkey, origin, word },
          notes: [
            { file: noteA, name: texts.a, text: record.checkpoint_a.note },
            { file: noteB, name: texts.b, text: record.checkpoint_b.note },
          ],
        }),
      ];
    }),
    { subheading: "The two checkpoints exclude each other" },
    ...(isCrossSize ? [...scriptSaved()] : []),
    ...records.flatMap((record, i) => {
      const { a, b } = textsOf({ i, of: records.length });
      const { record: file, noteA, noteB } = named(record);
      // Where openssl has checked signatures, what follows is about the very texts that it has checked.
      const texts = isForOpenssl(vkey)
        ? [`${a}.text`, `${b}.text`] as const
        : [noteA, noteB] as const;
      const about = { files: { record: file, texts }, nth: nth(i), word };
      return record.kind === "cross_size"
        ? proofCheck(record, about)
        : sameSizeCheck(record, about);
    }),
  ];
}

/** What the texts of a case's checkpoints are called. */
function textsOf({ i, of }: { i: number; of: number }): { a: string; b: string } {
  const nth = of === 1 ? "" : `${i + 1}`;
  return { a: `a${nth}`, b: `b${nth}` };
}

/** The names of the files of what did not hold. */
function filesOfFailed(failed: FailedFiles): string[] {
  return failed.kind === "note"
    ? [failed.note.file]
    : [failed.proof, failed.older.file, failed.newer.file];
}

/** That what the log showed does not hold. */
function failedCheck(failed: FailedFiles, { incident: { log }, word }: Reported): Block[] {
  const vkey = parseVkey(log.vkey);
  const [file] = filesOfFailed(failed) as [string];
  return [
    { subheading: "What the monitor kept" },
    {
      say:
        "The first step of the incident, which the monitor has signed, names what did not hold by " +
        "its SHA-256. This must print the same. If it does not, the file is not what the monitor kept:",
    },
    { command: `sha256sum ${word(file)}` },
    { output: `${failed.sha256}  ${file}` },
    ...failed.kind === "note"
      ? failedNoteCheck(failed, { log, word, vkey })
      : failedProofCheck(failed, { log, word, vkey }),
  ];
}

/** What the checks of what did not hold are made with. */
interface OfFailed extends Pick<Reported, "word"> {
  readonly log: { readonly origin: string; readonly vkey: string };
  readonly vkey: Vkey;
}

function failedNoteCheck(
  failed: Extract<FailedFiles, { kind: "note" }>,
  { log: { origin }, vkey, word }: OfFailed,
): Block[] {
  const { file, text } = failed.note;
  const heading = { subheading: "The log's key has not signed what was shown" };
  if (lineOfKey(text, vkey) === 0) {
    return [heading, {
      say: [
        "No signature in ",
        code(file),
        ` has the id of the log's key, ${formatKeyId(vkey.keyId)}: the first 4 bytes of each ` +
        "signature are a key's id. So another key signed it, or none. Anybody can make such a note, " +
        "so it says nothing about the log; it may be that the log has a new key. This prints the " +
        "ids that are in it, 8 digits each:",
      ],
    }, {
      command: `sed '1,/^$/d' ${word(file)} | sed 's/.* //' | while read -r one; do ` +
        `printf '%s' "$one" | base64 -d | head -c 4 | od -An -tx1 | tr -d ' '; done`,
    }, {
      say: `If ${formatKeyId(vkey.keyId)} is among them, this report is wrong.`,
    }];
  }
  return [
    heading,
    ...keyFile(vkey),
    ...signatureCheck({
      ...{ vkey, origin, word, notes: [{ file, name: "failed", text }], isToFail: true },
    }),
    {
      say:
        "Anybody can make a note with a wrong signature. So it proves nothing about the log, nor " +
        "about who made it.",
    },
  ];
}

function failedProofCheck(
  failed: Extract<FailedFiles, { kind: "proof" }>,
  { log, vkey, word }: OfFailed,
): Block[] {
  const { proof, older, newer } = failed;
  const notes = [{ ...older, name: "older" }, { ...newer, name: "newer" }];
  // Where openssl has checked signatures, the texts that it has checked.
  const isChecked = (note: typeof notes[number]): boolean =>
    isForOpenssl(vkey) && note.vkey === log.vkey;
  const texts = notes.map((note) => isChecked(note) ? `${note.name}.text` : note.file);
  const former = notes.filter((note) => note.vkey !== log.vkey);
  return [
    { subheading: "The log's key has signed the checkpoints between which the proof was to lead" },
    ...keyFile(vkey),
    ...signatureCheck({
      ...{ vkey, origin: log.origin, word },
      notes: notes.filter((note) => note.vkey === log.vkey),
    }),
    ...former.map((note): Block => ({
      say: [
        code(note.file),
        " is signed by the key that the log had before, of the vkey ",
        code(note.vkey),
        ": it is checked in the same way.",
      ],
    })),
    { subheading: "The proof does not hold" },
    ...scriptSaved(),
    {
      command: `python3 ${SCRIPT} ${[proof, ...texts, log.origin].map(word).join(" ")}\necho $?`,
    },
    {
      say: [
        "It must print a line that begins with ",
        code("NOTHING IS SHOWN"),
        ", and then its exit code, 1. That is what the monitor saw. A proof that fails convicts " +
        "nobody: anybody can make one up. If it prints ",
        code("CONTRADICTION"),
        ", more is proven than this report says.",
      ],
    },
  ];
}

/** Everything at once, and what the monitor says about itself. */
function withHearsay(reported: Reported): Block[] {
  const { incident, records, named, word } = reported;
  const { log: { origin, vkey } } = incident;
  const given = parseVkey(vkey).name === origin ? '"$VKEY"' : `"$VKEY "${word(origin)}`;
  return [
    ...(records.length === 0 ? [] : [
      { subheading: "The same with Hearsay" },
      {
        say:
          "This checks both signatures with two implementations, the proof, and every hash in the " +
          `record${records.length === 1 ? "" : ", of each case"}:`,
      },
      {
        command: records.map((record) =>
          `hearsay verify ${word(named(record).record)} --log ${given}`
        ).join("\n"),
      },
      {
        say: [
          "The last line must be ",
          code("The evidence holds (1 record)."),
          ", with exit code 0. Exit code 1 means that the record does not hold for this key, and proves " +
          "nothing against the log; 2 means a wrong file or a mistyped vkey, and 3 that a file cannot be read: then nothing was " +
          "checked.",
        ],
      },
    ]),
    { subheading: "The folder and the monitor's steps, with Hearsay" },
    {
      say:
        "With the whole folder, as you got it and not the copy, this checks each file of it, and that " +
        "a monitor has signed each step of the incident. The steps are the monitor's word about itself, and prove nothing about the log:",
    },
    { command: `hearsay incidents bundle --check ../FOLDER --log ${given}` },
    {
      say: [
        "The last line must be ",
        code("every file is as the manifest says, and every record holds"),
        ", with exit code 0. With exit code 1 it says which file is not: ask for the folder again.",
      ],
    },
    {
      say: [
        "Hearsay is free software. Where its source is unpacked, and npm and a network are there, " +
        "nothing needs to be installed: in the folder of the source, ",
        code("npx -y deno@2.9.6 task hearsay"),
        " stands for ",
        code("hearsay"),
        ", with whole paths of files. Its ",
        code("documents/PROTOCOL.md"),
        " says how each file is made, so that anybody can write another program that judges it.",
      ],
    },
  ];
}
