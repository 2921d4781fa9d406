/**
 * Sigsum logs. They serve tree heads and proofs as ASCII lines `key=value`, with hashes in hex.
 *
 * @module
 */
import { decodeHex, encodeHex } from "@std/encoding/hex";
import { formatCheckpointText } from "../tlog/checkpoint.ts";
import { formatCosignature } from "../tlog/cosignature.ts";
import { ED25519_SIGNATURE_BYTES } from "../tlog/ed25519.ts";
import { parseTreeSize, textOf } from "../tlog/encoding.ts";
import { HASH_BYTES } from "../tlog/hashing.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { formatNote, MAX_SIGNATURE_LINES } from "../tlog/note.ts";
import { sigsumKeyHash, sigsumOrigin } from "../tlog/sigsum.ts";
import { readSigsumCosignature, type SigsumCosignature } from "../tlog/sigsum_proof.ts";
import { SIGNATURE_TYPE } from "../tlog/vkey.ts";
import { type Fetcher, fetchNote } from "./fetcher.ts";
import type { LookTime } from "./look_time.ts";
import { within } from "./patient_fetcher.ts";
import { askForProof, maxProofBytes, proofFrom, type ProofServer } from "./proof_server.ts";
import type { ServedProof, Source } from "./source.ts";

/** Bytes of a line `leaf_index=…` or `node_hash=…`, with room to spare. */
const MAX_LINE_BYTES = 128;

/** A Sigsum log. */
export class SigsumSource implements Source {
  readonly #fetcher: Fetcher;
  readonly #log: Log;

  /** @throws MalformedError if the log's key or origin cannot be a Sigsum log's */
  constructor({ fetcher, log }: { fetcher: Fetcher; log: Log }) {
    const { type, publicKey } = log.vkey;
    if (type !== SIGNATURE_TYPE.ed25519) {
      throw new MalformedError(
        `a Sigsum log has a key of type 0x01 (Ed25519), this one's is 0x0${type.toString(16)}`,
      );
    }
    const origin = sigsumOrigin(publicKey);
    if (log.origin !== origin) {
      throw new MalformedError(
        `origin is ${quoted(log.origin)}, expected ${origin}: a Sigsum log's follows from its key`,
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
    return fetchNote({ fetcher, path: "get-tree-head", read: (head) => noteOf(this.#log, head) });
  }

  async consistency(
    sizes: { older: bigint; newer: bigint },
    time?: LookTime,
  ): Promise<ServedProof> {
    return await proofFrom(proofServer(within({ fetcher: this.#fetcher, time })), sizes);
  }
}

function proofServer(fetcher: Fetcher): ProofServer {
  const maxBytes = maxProofBytes(MAX_LINE_BYTES);
  return {
    consistencyProof: ({ older, newer }) =>
      askForProof(
        { fetcher, path: `get-consistency-proof/${older}/${newer}`, maxBytes },
        (answer) => linesOf(answer).map((line) => readHash(line, "node_hash")),
      ),
    firstOfInclusion: ({ index, leafHash, treeSize }) =>
      askForProof(
        { fetcher, path: `get-inclusion-proof/${treeSize}/${encodeHex(leafHash)}`, maxBytes },
        (answer) => {
          const [indexLine, first] = linesOf(answer);
          const found = readValue(indexLine, "leaf_index");
          if (found === index.toString()) return readHash(first, "node_hash");
          throw new MalformedError(`leaf_index is ${quoted(found)}, expected ${index}`);
        },
      ),
  };
}

/**
 * Makes the signed note of a tree head. A Sigsum log signs the text of a checkpoint, but serves its
 * parts as lines. It names witnesses by the hashes of their keys, so a cosignature becomes a line of
 * the note only if the log's cosigners are known to have that key.
 * @throws MalformedError naming the line that is wrong
 */
function noteOf(log: Log, head: Uint8Array): string {
  const [size, root, signed, ...cosigned] = linesOf(head);
  const treeSize = parseTreeSize(readValue(size, "size"));
  const rootHash = readHash(root, "root_hash");
  const signature = readHex(signed, "signature", ED25519_SIGNATURE_BYTES);
  const text = formatCheckpointText({ origin: log.origin, treeSize, rootHash });
  const known = cosigned.slice(0, MAX_SIGNATURE_LINES - 1)
    .flatMap((line) => cosignatureOf(log, line) ?? []);
  return formatNote({ text, vkey: log.vkey, signature }) + known.map((one) => `${one}\n`).join("");
}

/** The line of a note for a cosignature; nothing for what is none, or is of nobody known. */
function cosignatureOf({ cosigners }: Log, line: string): string | undefined {
  let read: SigsumCosignature;
  try {
    read = readSigsumCosignature(readValue(line, "cosignature"));
  } catch (error) {
    // Anybody's line may be wrong; it harms no other (RULES S6).
    if (error instanceof MalformedError) return undefined;
    throw error;
  }
  const vkey = cosigners.all.map(({ vkey }) => vkey).find(({ type, publicKey }) =>
    type === SIGNATURE_TYPE.cosignature && sigsumKeyHash(publicKey) === read.keyHash
  );
  return vkey && formatCosignature({ vkey, ...read });
}

function linesOf(answer: Uint8Array): string[] {
  const text = textOf(answer);
  if (!text.endsWith("\n")) throw new MalformedError("expected a newline at its end");
  return text.slice(0, -1).split("\n");
}

function readValue(line: string | undefined, key: string): string {
  if (line?.startsWith(`${key}=`)) return line.slice(key.length + 1);
  const came = line === undefined ? "nothing" : quoted(line);
  throw new MalformedError(`${came} came, expected a line ${key}=…`);
}

function readHash(line: string | undefined, key: string): Uint8Array {
  return readHex(line, key, HASH_BYTES);
}

function readHex(line: string | undefined, key: string, bytes: number): Uint8Array {
  const value = readValue(line, key);
  if (/^[0-9a-f]*$/.test(value) && value.length === 2 * bytes) return decodeHex(value);
  throw new MalformedError(
    `${key} is ${quoted(value)}, expected ${2 * bytes} lowercase hex digits`,
  );
}
