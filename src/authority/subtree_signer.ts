/**
 * "sign-subtree" of C2SP tlog-witness, without sockets: cosigns parts of trees that the witness has
 * cosigned as a whole.
 *
 * It keeps nothing. The checkpoint that a request refers to bears a cosignature of this witness, and
 * that one was durable before it was handed out. So the statement about a part of its tree follows
 * from one that the witness remembers. Two hashes of one part would need two trees that differ in it,
 * both cosigned, or two trees with one root.
 *
 * @module
 */
import { parseCheckpointText } from "../tlog/checkpoint.ts";
import { canCosign, type Cosigner, loadCosigner, readCosignatures } from "../tlog/cosignature.ts";
import { base64 } from "../tlog/encoding.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { parseNote } from "../tlog/note.ts";
import { verifySubtree } from "../tlog/subtree.ts";
import { SIGNATURE_TYPE } from "../tlog/vkey.ts";
import type { CosigningKey } from "./cosigning.ts";
import { parseSignSubtree } from "./sign_subtree.ts";
import type { RecordedHead } from "./witness_state.ts";

/** What is answered to a request. */
export type SubtreeAnswer =
  /** our cosignatures on the subtree, each as a line with its newline */
  | { readonly status: 200; readonly lines: string }
  | { readonly status: 400 | 403 | 404 | 422; readonly problem: string }
  | { readonly status: 429 | 503; readonly problem: string; readonly retryAfterS?: number };

/** Somebody has shown a cosignature of this witness that its state does not account for. */
export class CosignatureForgotten extends Error {}

/** What a signer of subtrees asks of its witness. */
export interface SubtreeMeans {
  /** Whether the witness cosigns a log with this origin. */
  readonly isKnown: (origin: string) => boolean;
  /** Whether nothing of a log with this origin is cosigned now. */
  readonly isFrozen: (origin: string) => boolean;
  /** The latest head that was cosigned. */
  readonly head: (origin: string) => RecordedHead | undefined;
  /** Takes one request from what may be asked about a log; if there is too little, returns false. */
  readonly pay: (origin: string) => boolean;
  /** Makes a caller pay for a request without a cosignature of this witness. */
  readonly charge: (caller: string) => void;
  readonly failed: (error: unknown) => void;
}

/** Cosigns subtrees. */
export class SubtreeSigner {
  readonly #means: SubtreeMeans;
  /** Those that can sign a subtree. */
  readonly #keys: readonly CosigningKey[];
  readonly #ours: readonly Cosigner[];

  constructor({ keys, means }: { keys: readonly CosigningKey[]; means: SubtreeMeans }) {
    this.#means = means;
    this.#keys = keys.filter(({ vkey: { type } }) => type === SIGNATURE_TYPE.mldsa44);
    this.#ours = keys.map(({ vkey }) => loadCosigner(vkey));
  }

  /** Whether there is a key that can sign subtrees. */
  get isAble(): boolean {
    return this.#keys.length > 0;
  }

  /**
   * Answers `POST /sign-subtree`. Every step quotes the specification.
   * @param caller the address that sent it
   */
  async answer(body: Uint8Array, caller: string): Promise<SubtreeAnswer> {
    let read: Readonly<ReturnType<typeof readRequest>>;
    try {
      read = readRequest(body);
    } catch (error) {
      if (error instanceof MalformedError) return { status: 400, problem: error.message };
      throw error;
    }
    const { request: { range, hash, proof }, checkpoint, note } = read;
    const { origin, treeSize, rootHash } = checkpoint;
    // "If the checkpoint origin is unknown, the witness MUST respond with a 404 Not Found."
    if (!this.#means.isKnown(origin)) {
      return { status: 404, problem: `this witness does not know the log ${quoted(origin)}` };
    }
    const keys = this.#keys.filter(({ vkey }) => canCosign({ vkey, origin }));
    if (keys.length === 0) {
      const problem =
        `this witness cosigns no subtrees of ${quoted(origin)}, which is too long for ` +
        "its key";
      return { status: 404, problem };
    }
    // "… end MUST be less than or equal to the checkpoint size. Otherwise, … 400 Bad Request".
    if (range.end > treeSize) {
      const problem = `the subtree ends at ${range.end}, expected at most the checkpoint's size, ` +
        `${treeSize}`;
      return { status: 400, problem };
    }
    // "The witness MUST verify that the checkpoint includes a valid cosignature from one of its own
    // keys." 403 otherwise.
    const { text, lines } = note;
    if (readCosignatures({ text, lines, cosigners: this.#ours }).length === 0) {
      this.#means.charge(caller);
      const problem =
        "the checkpoint bears no cosignature of this witness that holds, expected one";
      return { status: 403, problem };
    }
    if (!this.#means.pay(origin)) {
      const problem = `more subtrees of the log ${quoted(origin)} were asked for than of one log ` +
        "are cosigned";
      return { status: 429, problem };
    }
    const recorded = this.#means.head(origin);
    const isForgotten = recorded === undefined || recorded.treeSize < treeSize ||
      (recorded.treeSize === treeSize && recorded.root !== base64(rootHash));
    if (isForgotten) return this.#forgotten({ origin, treeSize, recorded });
    // "If the … Proof doesn't verify, the witness MUST respond with … 422 Unprocessable Entity".
    if (!verifySubtree({ range, hash, tree: checkpoint, proof })) {
      const problem = `the proof does not show that the entries from ${range.start} up to and ` +
        `without ${range.end} hash to ${base64(hash)} in the tree of size ${treeSize}`;
      return { status: 422, problem };
    }
    if (this.#means.isFrozen(origin)) return frozen(origin);
    try {
      const subtree = { origin, ...range, hash };
      const made = await Promise.all(keys.map((key) => key.cosignSubtree(subtree)));
      // A case may have come while it was signed.
      if (this.#means.isFrozen(origin)) return frozen(origin);
      return { status: 200, lines: made.map((line) => `${line}\n`).join("") };
    } catch (error) {
      this.#means.failed(error);
      return { status: 503, problem: "this witness cannot sign anything now" };
    }
  }

  /** Our own cosignature, on a tree that our state does not have: it was lost, or our key is out. */
  #forgotten(
    { origin, treeSize, recorded }: {
      origin: string;
      treeSize: bigint;
      recorded: RecordedHead | undefined;
    },
  ): SubtreeAnswer {
    const state = recorded === undefined
      ? "knows nothing of it"
      : recorded.treeSize < treeSize
      ? `ends at size ${recorded.treeSize}`
      : "has another root there";
    this.#means.failed(
      new CosignatureForgotten(
        `somebody has shown a cosignature of this witness on size ${treeSize} of ${
          quoted(origin)
        }, ` +
          `and its state ${state}: the state was lost or replaced, or somebody else has the key`,
      ),
    );
    return { status: 503, problem: "this witness does not remember that checkpoint" };
  }
}

/** No status of tlog-witness says it. A client takes 503 as "not now", and asks other witnesses. */
export function frozen(origin: string): { readonly status: 503; readonly problem: string } {
  return {
    status: 503,
    problem: `this witness has frozen the log ${quoted(origin)}: something about it is to be ` +
      "explained first, and nothing of it is cosigned until then",
  };
}

function readRequest(body: Uint8Array) {
  const request = parseSignSubtree(body);
  const note = parseNote(request.note);
  return { request, note, checkpoint: parseCheckpointText(note.text) };
}
