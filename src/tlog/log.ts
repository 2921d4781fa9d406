import { loadCosigner } from "./cosignature.ts";
import { textOf } from "./encoding.ts";
import { MalformedError, printable, quoted } from "./malformed.ts";
import { loadVerifier, type Verifier } from "./note.ts";
import { encodedKey, formatKeyId, parseVkey, SIGNATURE_TYPE, type Vkey } from "./vkey.ts";

/**
 * A transparency log: an origin together with its key. The same origin under another key is another
 * log (RULES R10). `parseLog` makes one.
 */
export interface Log extends Verifier {
  /** First line of the log's checkpoints. */
  readonly origin: string;
  /**
   * What distinguishes this log: type and public key, then the origin. The key's name is not part
   * of it.
   */
  readonly id: string;
  /** Whose cosignatures on its checkpoints are kept. */
  readonly cosigners: Cosigners;
  /**
   * Whether this is no log, but what one cosigner says of the log of this origin; see
   * `makeCosigned`.
   */
  readonly isCosigner?: true;
}

/**
 * The cosigners of a log. Whoever opens a note of the log also reads what these have signed of it.
 * A log lasts as long as it is followed, and a policy may change meanwhile; so this can change.
 */
export class Cosigners {
  #all: readonly Log[] = [];

  /** Each as `makeCosigned` makes it. */
  get all(): readonly Log[] {
    return this.#all;
  }

  /** Reads what these have signed from now on, in place of those before. */
  change(all: readonly Log[]): void {
    this.#all = all;
  }
}

/**
 * Reads the notation of `--log`: a vkey. If the origin differs from the key's name, a space and the
 * origin follow.
 *
 *     parseLog("demo.invalid/test-log+c7c695c4+AesM…"); // origin "demo.invalid/test-log"
 *     parseLog("sum.golang.org+033de0ae+Ac4z… go.sum database tree"); // "go.sum database tree"
 *
 * @throws MalformedError if either part is wrong, or the key is not sound or of a type no log has
 */
export function parseLog(notation: string): Log {
  const space = notation.indexOf(" ");
  const vkey = parseVkey(space < 0 ? notation : notation.slice(0, space));
  return makeLog({ vkey, origin: space < 0 ? vkey.name : notation.slice(space + 1) });
}

/**
 * Makes the log of a key and an origin, each taken as it is.
 * @throws MalformedError if the origin is no line, or the key is of a type not followed yet
 */
export function makeLog({ vkey, origin }: { vkey: Vkey; origin: string }): Log {
  checkOrigin(origin);
  const id = `${encodedKey(vkey)} ${origin}`;
  return { ...loadVerifier(vkey), origin, id, cosigners: new Cosigners() };
}

/**
 * Makes what a cosigner says of the log of an origin: the checkpoints of that origin under the key of
 * the cosigner. It has the form of a log, so that whatever holds a log to its word can hold a cosigner
 * to its own. It is none: a cosigner's key is not a log's key (RULES R10, S6).
 * @throws MalformedError if the origin is no line, or the key is neither of type 0x04 nor 0x06
 */
export function makeCosigned({ vkey, origin }: { vkey: Vkey; origin: string }): Log {
  checkOrigin(origin);
  const cosigner = loadCosigner(vkey);
  return {
    vkey,
    verifies: ({ message, signature }) => cosigner.verifies({ text: textOf(message), signature }),
    origin,
    id: `cosigner ${encodedKey(vkey)} ${origin}`,
    cosigners: new Cosigners(),
    isCosigner: true,
  };
}

/**
 * Checks that a text can be an origin.
 * @throws MalformedError if it is no line of a note
 */
export function checkOrigin(origin: string): void {
  // An origin is a line of a signed note, so it must follow a note's rules.
  if (origin === "" || /\p{Cc}/u.test(origin) || !origin.isWellFormed()) {
    throw new MalformedError(
      `Cannot read log: origin is ${quoted(origin)}, expected one non-empty line`,
    );
  }
}

/** A log in the notation of `--log`. */
export function formatLog(log: Log): string {
  return log.origin === log.vkey.name ? log.vkey.text : `${log.vkey.text} ${log.origin}`;
}

/** A log's name for a person: its origin, and the key id, which tells logs of one origin apart. */
export function describeLog(log: Log): string {
  return `${printable(log.origin)} (key ${formatKeyId(log.vkey.keyId)})`;
}

/**
 * Reads several logs, dropping exact repeats.
 * @throws MalformedError if a log cannot be read; if one key and origin have two key names; or if
 *   one key has two origins and its signatures do not tell them apart
 */
export function parseLogs(notations: readonly string[]): Log[] {
  const logs = new Map<string, Log>();
  for (const notation of notations) {
    const log = parseLog(notation);
    const same = logs.get(log.id);
    if (same !== undefined && same.vkey.text !== log.vkey.text) {
      throw new MalformedError(
        `Two names for one log: ${quoted(same.vkey.name)} and ${quoted(log.vkey.name)} have ` +
          `one key and the origin ${quoted(log.origin)}; keep one`,
      );
    }
    logs.set(log.id, same ?? log);
  }
  refuseSharedTreeHeadKey([...logs.values()]);
  return [...logs.values()];
}

/**
 * Refuses two logs under one 0x05 key. An RFC 6962 signature does not cover the origin, so every
 * signature would count for both logs.
 * @throws MalformedError naming both
 */
export function refuseSharedTreeHeadKey(logs: readonly Log[]): void {
  const keys = new Map<string, Log>();
  for (const log of logs.filter(({ vkey }) => vkey.type === SIGNATURE_TYPE.rfc6962)) {
    const other = keys.get(encodedKey(log.vkey));
    if (other !== undefined) {
      throw new MalformedError(
        `Two logs with one RFC 6962 key: ${quoted(other.origin)} and ${quoted(log.origin)}; its ` +
          "signatures do not say which they are about, keep one",
      );
    }
    keys.set(encodedKey(log.vkey), log);
  }
}
