/**
 * Signed notes of C2SP signed-note v1.0.0.
 *
 * @module
 */
import { verifyMlDsa44Checkpoint } from "./cosignature.ts";
import { MAX_UTF8_BYTES_A_UNIT, textOf, utf8, utf8Briefly } from "./encoding.ts";
import { importEcdsaKey, verifyEcdsa } from "./ecdsa.ts";
import { importEd25519Key, verifyEd25519 } from "./ed25519.ts";
import { MalformedError, printable, quoted } from "./malformed.ts";
import { importMlDsa44Key } from "./mldsa.ts";
import { importRfc6962Key, verifyRfc6962 } from "./rfc6962.ts";
import { formatSignatureLine, isLineOf, LINE_START, readSignatureLine } from "./signature_line.ts";
import { SIGNATURE_TYPE, type Vkey } from "./vkey.ts";

/** Longest note read. 100 lines of ML-DSA-44 signatures (3.3 kB each) fit. */
export const MAX_NOTE_BYTES = 512 * 1024;
/** Most signature lines read. The specification asks for at least 16; Go's x/mod reads 100. */
export const MAX_SIGNATURE_LINES = 100;

/** A note taken apart; nothing in it is verified. */
export interface Note {
  /** Everything above the signatures, with its final newline: what is signed. */
  readonly text: string;
  /** The signature lines, without the newline, in order. */
  readonly lines: readonly string[];
}

/** A key that can check signatures. `loadVerifier` makes one from a vkey. */
export interface Verifier {
  readonly vkey: Vkey;
  /** Whether this key made `signature` (without the key id) on a note with the text `message`. */
  verifies(signed: { message: Uint8Array; signature: Uint8Array }): boolean;
}

/**
 * Loads the key of a vkey, so that it can check signatures: Ed25519 (0x01), ECDSA (0x02), RFC 6962
 * tree heads (0x05) and ML-DSA-44 (0x06). The last two sign the checkpoint that the text states,
 * not the text itself. See rfc6962.ts and cosignature.ts for what they do not cover.
 * @throws MalformedError for another type, or a key that is not sound
 */
export function loadVerifier(vkey: Vkey): Verifier {
  const { publicKey, name } = vkey;
  switch (vkey.type) {
    case SIGNATURE_TYPE.ed25519: {
      const key = importEd25519Key(publicKey);
      return { vkey, verifies: (signed) => verifyEd25519({ key, ...signed }) };
    }
    case SIGNATURE_TYPE.ecdsa: {
      const key = importEcdsaKey(publicKey);
      return { vkey, verifies: (signed) => verifyEcdsa({ key, ...signed }) };
    }
    case SIGNATURE_TYPE.rfc6962: {
      const key = importRfc6962Key(publicKey);
      return { vkey, verifies: (signed) => verifyRfc6962({ key, ...signed }) };
    }
    case SIGNATURE_TYPE.mldsa44: {
      const key = importMlDsa44Key(publicKey);
      return { vkey, verifies: (signed) => verifyMlDsa44Checkpoint({ key, name, ...signed }) };
    }
    default:
      throw new MalformedError(
        `${printable(name)} has a key of signature type 0x0${vkey.type.toString(16)}, expected ` +
          "Ed25519 (0x01), ECDSA (0x02), RFC 6962 (0x05) or ML-DSA-44 (0x06)",
      );
  }
}

/** One signature that was checked and holds. */
export interface NoteSignature {
  readonly vkey: Vkey;
  /** Without the key id; 64 bytes for Ed25519. */
  readonly signature: Uint8Array;
}

/** The lines of a note that at least one known key has signed. */
export interface JudgedLines {
  /** The signatures that hold, one per key, in order of first appearance. */
  readonly verified: NoteSignature[];
  /**
   * The lines of unknown keys, in order, each once. **Nobody has checked them.** Anyone can add
   * one. They are at most MAX_SIGNATURE_LINES lines and MAX_NOTE_BYTES bytes.
   */
  readonly unjudged: string[];
}

/**
 * Takes a note apart: the text, an empty line, the signature lines. It splits at the last empty
 * line. It verifies nothing; `verifyNote` does.
 *
 *     const { text, lines } = parseNote("log.example\n5\n…\n\n— log.example …\n");
 *     // text is "log.example\n5\n…\n": its last newline is signed too
 *
 * @param note bytes as received, or text out of a JSON string
 * @throws MalformedError naming the rule of C2SP signed-note that it breaks
 */
export function parseNote(note: Uint8Array | string): Note {
  const length = bytesOf(note);
  if (length > MAX_NOTE_BYTES) {
    throw new MalformedError(
      `Cannot read note: it has ${length} bytes, expected at most ${MAX_NOTE_BYTES}`,
    );
  }
  const whole = typeof note === "string" ? note : textOf(note);
  // UTF-8 cannot spell a lone surrogate. The signed bytes would differ from the text.
  if (!whole.isWellFormed()) throw new MalformedError("Cannot read note: it is not valid Unicode");
  // deno-lint-ignore no-control-regex -- "MUST NOT contain any ASCII control characters other than newline"
  const control = /[\x00-\x09\x0b-\x1f]/.exec(whole);
  if (control !== null) {
    throw new MalformedError(
      `Cannot read note: it has the control character ${
        quoted(control[0])
      }, expected none but newline`,
    );
  }
  if (!whole.endsWith("\n")) {
    throw new MalformedError("Cannot read note: expected a newline at its end");
  }
  const split = whole.lastIndexOf("\n\n");
  if (split < 0) {
    throw new MalformedError(
      "Cannot read note: expected an empty line and signatures below the text",
    );
  }
  const text = whole.slice(0, split + 1);
  const signatures = whole.slice(split + 2, -1);
  if (signatures === "") {
    throw new MalformedError("Cannot read note: expected at least one signature line");
  }
  const lines = signatures.split("\n");
  if (lines.length > MAX_SIGNATURE_LINES) {
    throw new MalformedError(
      `Cannot read note: it has ${lines.length} signature lines, expected at most ${MAX_SIGNATURE_LINES}`,
    );
  }
  const stray = lines.find((line) => !line.startsWith(LINE_START));
  if (stray !== undefined) {
    throw new MalformedError(
      `Cannot read note: signature line is ${quoted(stray)}, expected it to begin with an em dash`,
    );
  }
  return { text, lines };
}

/**
 * How long a note is. A text is encoded only if its bytes in UTF-8 decide: it never has fewer of them
 * than units, and never more than three for one.
 */
function bytesOf(note: Uint8Array | string): number {
  const isEncoded = typeof note === "string" && note.length <= MAX_NOTE_BYTES &&
    note.length * MAX_UTF8_BYTES_A_UNIT > MAX_NOTE_BYTES;
  return isEncoded ? utf8(note).length : note.length;
}

/**
 * Checks the signature lines of the known keys (RULES S1).
 *
 * - A line of an unknown key is ignored, whatever it holds. The specification asks for that, and
 *   logs add random "grease" lines.
 * - If a line of a known key fails, the whole note is refused.
 * - If no known key has signed the note, it is refused.
 *
 * @returns the lines, verified and unjudged; or a sentence that says why no signature holds, and
 *   whether a known key was involved
 */
export function verifyNote(
  { note, verifiers }: { note: Note; verifiers: readonly Verifier[] },
): JudgedLines | { failed: string; known: boolean } {
  const message = utf8Briefly(note.text); // No verifier keeps it.
  const verified = new Map<string, NoteSignature>();
  const unjudged: string[] = [];
  for (const line of new Set(note.lines)) {
    const signed = readSignatureLine(line);
    const known = signed === undefined
      ? []
      : verifiers.filter(({ vkey }) => isLineOf(signed, vkey));
    if (known.length > 1) {
      return { failed: `two known keys share the name and id of one line`, known: true };
    }
    const verifier = known[0];
    if (signed === undefined || verifier === undefined) {
      unjudged.push(line);
      continue;
    }
    const { signature } = signed;
    if (!verifier.verifies({ message, signature })) {
      return { failed: `the signature of ${verifier.vkey.text} does not verify`, known: true };
    }
    if (!verified.has(verifier.vkey.text)) {
      verified.set(verifier.vkey.text, { vkey: verifier.vkey, signature });
    }
  }
  if (verified.size === 0) return { failed: "no known key has signed it", known: false };
  return { verified: [...verified.values()], unjudged };
}

/** Whose signatures a note bears, as its lines say. None of them is checked. */
export function signersOf({ lines }: Note): { readonly name: string; readonly keyId: number }[] {
  return lines.flatMap((line) => readSignatureLine(line) ?? []);
}

/** Makes the whole note of a text and one signature on it. */
export function formatNote({ text, ...signed }: NoteSignature & { text: string }): string {
  return `${text}\n${formatSignatureLine(signed)}\n`;
}
