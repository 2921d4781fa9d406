import { openCheckpoint } from "../tlog/checkpoint.ts";
import { textOf } from "../tlog/encoding.ts";
import { parseCheckpointText } from "../tlog/checkpoint_text.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { parseNote, signersOf } from "../tlog/note.ts";
import { formatKeyId } from "../tlog/vkey.ts";

/** Most keys of a note that are named. Anybody can add lines, and the detail must stay readable. */
const MAX_NAMED = 4;

/** A key as a signature line names it. */
interface Signer {
  readonly name: string;
  readonly keyId: number;
}

/**
 * Why none of the log's known keys has signed a note, in one line for a person. There are three
 * reasons: another origin, another key, or a signature in the name of the known key that fails.
 * @param note what the log's source answered, which did not verify
 * @returns nothing if it is no signed checkpoint at all, such as the error page of a server
 */
export function whyUnverified(note: Uint8Array, log: Log): string | undefined {
  let origin: string;
  let signers: Signer[];
  try {
    const parsed = parseNote(note);
    ({ origin } = parseCheckpointText(parsed.text));
    signers = signersOf(parsed);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return undefined;
  }
  // What is known here comes first: a journal keeps only the start of a detail.
  const known = described(log.vkey);
  if (origin !== log.origin) {
    return `another origin: known is ${quoted(log.origin)} with key ${known}, ` +
      `it is ${quoted(origin)} with ${named(signers)}`;
  }
  const isNamed = signers.some(({ name, keyId }) =>
    name === log.vkey.name && keyId === log.vkey.keyId
  );
  return isNamed
    ? `a signature that does not verify: known is key ${known}, it bears ${named(signers)}`
    : `another key: known is key ${known}, it bears ${named(signers)}`;
}

/**
 * The text of a note that names a log, and that no known key of the log has signed.
 * @returns nothing if it is none, or names another log: then its source is another one, and says
 *   nothing about this log
 */
export function failedNote(note: Uint8Array | string, log: Log): string | undefined {
  try {
    const { text } = parseNote(note);
    if (parseCheckpointText(text).origin !== log.origin) return undefined;
    return "refused" in openCheckpoint({ note, logs: [log] })
      ? typeof note === "string" ? note : textOf(note)
      : undefined;
  } catch (error) {
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
}

/** The first few of these keys, each once, for a sentence. */
function named(signers: readonly Signer[]): string {
  const all = [...new Set(signers.map(described))];
  if (all.length === 0) return "no key that can be read";
  const keys = all.length === 1 ? "key" : "keys";
  const more = all.length - MAX_NAMED;
  return `${keys} ${all.slice(0, MAX_NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function described({ name, keyId }: Signer): string {
  return `${formatKeyId(keyId)} (${quoted(name)})`;
}
