/**
 * How a report has signatures checked: by openssl, from the vkey that the reader has from elsewhere.
 *
 * @module
 */
import { SIGNATURE_TYPE, type Vkey } from "../tlog/vkey.ts";
import { type Block, code } from "./paper.ts";

/** How openssl gets a key, and checks a signature of it. */
interface Openssl {
  /** How the key of a vkey becomes the file log.der. */
  readonly key: string;
  readonly about: string;
  readonly verify: (name: string) => string;
  readonly good: string;
  readonly bad: string;
}

/** SubjectPublicKeyInfo of an Ed25519 key up to the key (RFC 8410 section 4), for printf. */
const ED25519_PREFIX = "\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000";

/** Signatures of other types are not over the text of the note alone. */
const OPENSSL: ReadonlyMap<number, Openssl> = new Map([
  [SIGNATURE_TYPE.ed25519, {
    key: `{ printf '${ED25519_PREFIX}'; printf '%s' "$VKEY" | cut -d + -f 3- | base64 -d | ` +
      "tail -c 32; } > log.der",
    about: "a byte for the type, 1 for Ed25519, and the 32 bytes of the public key. The 12 bytes " +
      "before them tell openssl that they are such a key (RFC 8410)",
    verify: (name: string) =>
      `openssl pkeyutl -verify -pubin -keyform DER -inkey log.der -rawin -in ${name}.text ` +
      `-sigfile ${name}.sig`,
    good: "Signature Verified Successfully",
    bad: "Signature Verification Failure",
  }],
  [SIGNATURE_TYPE.ecdsa, {
    key: `printf '%s' "$VKEY" | cut -d + -f 3- | base64 -d | tail -c +2 > log.der`,
    about: "a byte for the type, 2 for ECDSA, and the public key as openssl reads it",
    verify: (name: string) =>
      `openssl dgst -sha256 -keyform DER -verify log.der -signature ${name}.sig ${name}.text`,
    good: "Verified OK",
    bad: "Verification failure",
  }],
]);

/** Whether openssl can check signatures of a key. */
export function isForOpenssl({ type }: Vkey): boolean {
  return OPENSSL.has(type);
}

/** How the key is made a file. Without one, why there is none. */
export function keyFile(vkey: Vkey): Block[] {
  const openssl = OPENSSL.get(vkey.type);
  if (openssl === undefined) {
    return [{
      say: [
        "This key's signatures are not over the text of the note alone, so no single command of " +
        "openssl checks them. Hearsay's ",
        code("documents/RULES.md"),
        " says what is signed; the check with Hearsay below covers it.",
      ],
    }];
  }
  return [
    {
      say:
        "A vkey is a name, the key's id and the key, with + between them. Everything after the " +
        `second + is the key in base64: ${openssl.about}. This makes the file log.der of it:`,
    },
    { command: openssl.key },
  ];
}

/** A note, and how its pieces are to be called. */
export interface NoteToCheck {
  readonly file: string;
  readonly name: string;
  readonly text: string;
}

/** The commands that check signatures and names, what they must print, and what it means if they do not. */
export function signatureCheck(
  { vkey, origin, notes, word, isToFail = false }: {
    vkey: Vkey;
    /** The name that the notes must have. */
    origin: string;
    notes: readonly NoteToCheck[];
    word: (text: string) => string;
    /** Whether the claim is that the key has not signed them. */
    isToFail?: boolean;
  },
): Block[] {
  const openssl = OPENSSL.get(vkey.type);
  if (openssl === undefined || notes.length === 0) return [];
  const commands = notes.map(({ file, name, text }) =>
    [
      `sed '/^$/,$d' ${word(file)} > ${name}.text`,
      `sed -n '${lineOfKey(text, vkey)}p' ${word(file)} | sed 's/.* //' | base64 -d | ` +
      `tail -c +5 > ${name}.sig`,
      openssl.verify(name),
      "echo $?",
    ].join("\n")
  );
  return [
    {
      say:
        "What is signed is the text of a note up to its empty line. After that come signatures in " +
        "base64; the first 4 bytes of one are the key's id, and the rest is the signature:",
    },
    { command: commands.join("\n") },
    ...(isToFail
      ? [{
        say: [
          "It must print ",
          code(openssl.bad),
          " and then its exit code, 1. If it prints ",
          code(openssl.good),
          ", the log's key has signed this note, and there was no signature failure.",
        ],
      }]
      : [
        {
          say:
            "Each command of openssl must print one line, and the line below it is its exit code" +
            `${notes.length > 1 ? ". So all must be" : ""}:`,
        },
        { output: notes.map(() => `${openssl.good}\n0`).join("\n") },
        {
          say: [
            "If anything else comes, such as ",
            code(openssl.bad),
            ", nothing is proven yet, whatever comes below. Most often a file was changed on its way " +
            "(mail changes line ends: ask for the folder packed into one file), ",
            code("VKEY"),
            " is not set in this terminal, or openssl is older than 3.0 or LibreSSL, as on macOS. Only if it is none of these, " +
            "the signature does not fit this key.",
          ],
        },
        {
          say:
            "One key may sign for several logs. The first line of what is signed is the log's name, " +
            "and it must be this in each:",
        },
        { command: notes.map(({ name }) => `head -n 1 ${name}.text`).join("\n") },
        { output: notes.map(() => origin).join("\n") },
        {
          say:
            "If it is another one, what is signed is of another log, and says nothing about this one.",
        },
      ]),
  ];
}

/** The line, from 1, of the signature with this key's id; 0 if there is none. */
export function lineOfKey(note: string, { keyId }: Vkey): number {
  const lines = note.split("\n");
  const blank = lines.indexOf("");
  return 1 + lines.findIndex((line, i) => {
    const [, start] = i <= blank ? [] : /^— \S+ ([A-Za-z0-9+/]{8})/.exec(line) ?? [];
    if (start === undefined) return false;
    const bytes = Uint8Array.from(atob(start), (c) => c.charCodeAt(0));
    return new DataView(bytes.buffer).getUint32(0) === keyId;
  });
}
