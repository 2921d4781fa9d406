/**
 * The witness over HTTP: C2SP tlog-witness, `POST /add-checkpoint` and `POST /sign-subtree`, and the
 * latest cosigned checkpoint at its monitoring path. What is answered is decided in
 * `authority/witness.ts`.
 *
 * @module
 */
import { answer } from "./answers.ts";
import { MAX_REQUEST_BYTES } from "../authority/request.ts";
import type { SubtreeAnswer } from "../authority/subtree_signer.ts";
import type { Witness, WitnessAnswer } from "../authority/witness.ts";
import { utf8 } from "../tlog/encoding.ts";
import { printable } from "../tlog/malformed.ts";
import type { HttpAnswer, HttpQuery } from "../world/world.ts";

/** Where checkpoints are posted. */
export const ADD_CHECKPOINT_PATH = "/add-checkpoint";
/** Where cosignatures on subtrees are asked for, if the witness has a key of type 0x06. */
export const SIGN_SUBTREE_PATH = "/sign-subtree";
/** "<monitoring prefix>/<hex of SHA-256 of the origin>/checkpoint". */
const LATEST_PATH = /^\/([0-9a-f]{64})\/checkpoint$/;
/** Allowances are full again after a second. */
const TOO_MUCH_RETRY_S = 1;
/** When to ask again if this witness could not sign or keep anything. */
const UNABLE_RETRY_S = 10;
/** How many characters of a refusal are told. It may quote a foreign text. */
const MAX_PROBLEM_CHARACTERS = 512;

const TEXT = "text/plain; charset=utf-8";
/** "Content-Type: text/x.tlog.size" (tlog-witness). */
const SIZE = "text/x.tlog.size";

/**
 * Answers a request. The Host header is not looked at, as at the gossip endpoint: whatever is given
 * here is public, and a request says by its signature who made it.
 */
export async function answerWitness(
  query: HttpQuery,
  { witness, failed }: {
    witness: Witness;
    /** Told what our own disk refused. */
    failed: (error: unknown) => void;
  },
): Promise<HttpAnswer> {
  const hash = LATEST_PATH.exec(query.path)?.[1];
  const isSubtree = query.path === SIGN_SUBTREE_PATH && witness.signsSubtrees;
  if (hash === undefined && query.path !== ADD_CHECKPOINT_PATH && !isSubtree) {
    const more = witness.signsSubtrees ? ", POST /sign-subtree" : "";
    return sentence(
      404,
      `a witness answers POST /add-checkpoint${more} and GET /<SHA-256 of the origin>/checkpoint`,
    );
  }
  const allowed = hash === undefined ? ["POST"] : ["GET", "HEAD"];
  if (!allowed.includes(query.method)) {
    return { status: 405, headers: { allow: allowed.join(", ") } };
  }
  // Before content is read: who sends too much costs no more than a line.
  if (!witness.pay(query.caller.hostname)) return TOO_MUCH;
  if (hash !== undefined) return await answerLatest(hash, { witness, failed });
  const body = await query.content(MAX_REQUEST_BYTES);
  return told(
    isSubtree
      ? await witness.signSubtree(body, query.caller.hostname)
      : await witness.addCheckpoint(body, query.caller.hostname),
  );
}

async function answerLatest(
  hash: string,
  { witness, failed }: { witness: Witness; failed: (error: unknown) => void },
): Promise<HttpAnswer> {
  let note: string | undefined;
  try {
    note = await witness.latest(hash);
  } catch (error) {
    failed(error);
    return sentence(503, "this witness cannot read anything now", UNABLE_RETRY_S);
  }
  if (note === undefined) return sentence(404, "this witness has cosigned nothing of this log");
  return answer(200, TEXT, utf8(note));
}

function told(said: WitnessAnswer | SubtreeAnswer): HttpAnswer {
  switch (said.status) {
    case 200:
      return answer(200, TEXT, utf8(said.lines));
    case 409:
      return answer(409, SIZE, utf8(`${said.size}\n`));
    case 429:
      return sentence(429, said.problem, said.retryAfterS ?? TOO_MUCH_RETRY_S);
    case 503:
      return sentence(503, said.problem, UNABLE_RETRY_S);
    default:
      return sentence(said.status, said.problem);
  }
}

function sentence(status: number, text: string, retryAfterS?: number): HttpAnswer {
  return answer(
    status,
    TEXT,
    utf8(`${printable(text.slice(0, MAX_PROBLEM_CHARACTERS))}\n`),
    retryAfterS,
  );
}

const TOO_MUCH = sentence(
  429,
  "more came than an address may send, or all together",
  TOO_MUCH_RETRY_S,
);
