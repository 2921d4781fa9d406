import { textOf } from "../tlog/encoding.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";

/**
 * Parses the JSON that a log answers with. Where a member is named twice, the last counts: what is
 * taken from it is checked by hashes and signatures, so a log gains nothing by two readings.
 * @throws MalformedError showing the beginning of what is no JSON
 */
export function readJson(answer: Uint8Array): unknown {
  const text = textOf(answer);
  try {
    return JSON.parse(text);
  } catch {
    throw new MalformedError(`${quoted(text)} came, expected JSON`);
  }
}
