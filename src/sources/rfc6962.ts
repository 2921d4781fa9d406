/**
 * Certificate Transparency logs of RFC 6962. They serve tree heads and proofs as JSON over the paths
 * of its section 4, and no tiles.
 *
 * @module
 */
import { formatCheckpointText } from "../tlog/checkpoint.ts";
import { base64, strictBase64 } from "../tlog/encoding.ts";
import { HASH_BYTES } from "../tlog/hashing.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { checkMembers, listOf, type Shape, text, wholeNumber } from "../tlog/members.ts";
import { formatNote } from "../tlog/note.ts";
import { readTreeHead } from "../tlog/tree_head.ts";
import { SIGNATURE_TYPE } from "../tlog/vkey.ts";
import { type Fetcher, fetchNote } from "./fetcher.ts";
import { readJson } from "./json.ts";
import type { LookTime } from "./look_time.ts";
import { within } from "./patient_fetcher.ts";
import { askForProof, maxProofBytes, proofFrom, type ProofServer } from "./proof_server.ts";
import type { ServedProof, Source } from "./source.ts";

/** Bytes of one hash in base64, with its quotes, a comma and white space, with room to spare. */
const HASH_IN_JSON_BYTES = 128;

/** RFC 6962 section 4.4. */
const CONSISTENCY: Shape = { must: { consistency: listOf(text) }, others: "kept" };
/** RFC 6962 section 4.5. */
const INCLUSION: Shape = {
  must: { leaf_index: wholeNumber({ least: 0 }), audit_path: listOf(text) },
  others: "kept",
};

/**
 * A log of RFC 6962. Its tree heads become notes with a signature of type 0x05, which is what such a
 * log signs (RULES S4).
 */
export class Rfc6962Source implements Source {
  readonly #fetcher: Fetcher;
  readonly #log: Log;

  /** @throws MalformedError if the log's key cannot be an RFC 6962 log's */
  constructor({ fetcher, log }: { fetcher: Fetcher; log: Log }) {
    if (log.vkey.type !== SIGNATURE_TYPE.rfc6962) {
      throw new MalformedError(
        `an RFC 6962 log has a key of type 0x05, this one's is 0x0${log.vkey.type.toString(16)}`,
      );
    }
    this.#fetcher = fetcher;
    this.#log = log;
  }

  /** See Source. */
  distrust(): void {
    this.#fetcher.forget?.();
  }

  latest(time?: LookTime): Promise<Uint8Array> {
    const fetcher = within({ fetcher: this.#fetcher, time });
    return fetchNote({
      fetcher,
      path: "ct/v1/get-sth",
      read: (answer) => noteOf(this.#log, answer),
    });
  }

  async consistency(
    sizes: { older: bigint; newer: bigint },
    time?: LookTime,
  ): Promise<ServedProof> {
    return await proofFrom(proofServer(within({ fetcher: this.#fetcher, time })), sizes);
  }
}

function proofServer(fetcher: Fetcher): ProofServer {
  const maxBytes = maxProofBytes(HASH_IN_JSON_BYTES);
  return {
    consistencyProof: ({ older, newer }) =>
      askForProof({
        ...{ fetcher, maxBytes },
        path: `ct/v1/get-sth-consistency?first=${older}&second=${newer}`,
      }, (answer) => {
        const value = readJson(answer);
        checkMembers(value, { what: "the answer", shape: CONSISTENCY });
        return (value.consistency as string[]).map(readHash);
      }),
    firstOfInclusion: ({ index, leafHash, treeSize }) =>
      askForProof({
        ...{ fetcher, maxBytes },
        path: `ct/v1/get-proof-by-hash?hash=${encodeURIComponent(base64(leafHash))}` +
          `&tree_size=${treeSize}`,
      }, (answer) => {
        const value = readJson(answer);
        checkMembers(value, { what: "the answer", shape: INCLUSION });
        // One certificate may be in the log twice. Then the path of another leaf may come.
        if (BigInt(value.leaf_index as number) !== index) {
          throw new MalformedError(`leaf_index is ${value.leaf_index}, expected ${index}`);
        }
        const [first] = value.audit_path as string[];
        if (first === undefined) throw new MalformedError("audit_path is empty");
        return readHash(first);
      }),
  };
}

/** Makes the signed note of a tree head. @throws MalformedError naming the member that is wrong */
function noteOf(log: Log, answer: Uint8Array): string {
  const { signature, ...head } = readTreeHead(readJson(answer));
  const text = formatCheckpointText({ origin: log.origin, ...head });
  return formatNote({ text, vkey: log.vkey, signature });
}

function readHash(encoded: string): Uint8Array {
  const hash = strictBase64(encoded);
  if (hash.length === HASH_BYTES) return hash;
  throw new MalformedError(`a hash has ${hash.length} bytes, expected ${HASH_BYTES}`);
}
