/**
 * A witness of C2SP tlog-witness, without sockets. It cosigns each checkpoint that is proven to
 * extend the last one it has cosigned. See "add-checkpoint" there; every step below quotes it.
 *
 * @module
 */
import { base64, strictBase64 } from "../tlog/encoding.ts";
import { EMPTY_ROOT } from "../tlog/hashing.ts";
import { openNote, openParsedNote, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { canCosign } from "../tlog/cosignature.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { type Note, parseNote, verifyNote } from "../tlog/note.ts";
import { verifyConsistency } from "../tlog/proof.ts";
import { formatSignatureLine } from "../tlog/signature_line.ts";
import { Turns } from "../world/turns.ts";
import type { Clock } from "../world/world.ts";
import { type AddCheckpoint, parseAddCheckpoint } from "./add_checkpoint.ts";
import type { CosigningKey } from "./cosigning.ts";
import { frozen, type SubtreeAnswer, SubtreeSigner } from "./subtree_signer.ts";
import type { WitnessLogs } from "./witness_logs.ts";
import { type WitnessLimits, WitnessRates } from "./witness_rates.ts";
import type { RecordedHead, WitnessState } from "./witness_state.ts";

/** Requests of one log that may wait for each other. */
export const MAX_WAITING_PER_LOG = 16;
/** As many of them may be such that anybody with a published checkpoint can send them. */
const MAX_WAITING_REPEATS = MAX_WAITING_PER_LOG / 2;
/** Cosignatures of others that are tried of one request and do not hold. An honest log sends none. */
const MAX_FAILED_COSIGNATURES = 4;

/** What is answered to a request. The name of each refusal is its reason. */
export type WitnessAnswer =
  /** our cosignatures, each as a line with its newline */
  | { readonly status: 200; readonly lines: string }
  /** the recorded size, which the client has to start from */
  | { readonly status: 409; readonly size: bigint }
  | { readonly status: 400 | 403 | 404 | 422; readonly problem: string }
  | {
    readonly status: 429 | 503;
    readonly problem: string;
    /** When to ask again, if that is known. */
    readonly retryAfterS?: number;
  };

/** What a witness hands on when it refuses, so that nothing that convicts a log is forgotten. */
export interface Refusals {
  /**
   * A log has signed two roots at one size. It resolves when that is durable.
   * @param recorded what was cosigned before
   */
  conflict(
    found: { recorded: VerifiedCheckpoint; refused: VerifiedCheckpoint; caller: string },
  ): Promise<void>;
  /** A log has signed a checkpoint, and nobody has shown that it extends the recorded one. */
  unproven(found: { refused: VerifiedCheckpoint; caller: string }): Promise<void>;
  /** This side could not keep or sign something: no fault of the caller. */
  failed(error: unknown): void;
}

/** A request whose log signature holds. */
interface Signed {
  readonly request: AddCheckpoint;
  readonly caller: string;
  readonly logs: readonly Log[];
  /** One for each key of the log that signed it. */
  readonly checkpoints: readonly VerifiedCheckpoint[];
  /** The text that was signed. */
  readonly text: string;
  readonly origin: string;
  readonly head: RecordedHead;
}

/** The turn of the requests of one log. */
interface Line {
  readonly turns: Turns;
  waiting: number;
}

/** Cosigns what extends what it has cosigned before, and nothing else. */
export class Witness {
  readonly #state: WitnessState;
  #logs: WitnessLogs;
  readonly #keys: readonly CosigningKey[];
  readonly #clock: Clock;
  readonly #refusals: Refusals;
  readonly #isFrozen: (log: Log) => boolean;
  readonly #rates: WitnessRates;
  readonly #lines = new Map<string, Line>();
  readonly #subtrees: SubtreeSigner;

  constructor(fields: {
    state: WitnessState;
    logs: WitnessLogs;
    /** One of each type at most. */
    keys: readonly CosigningKey[];
    clock: Clock;
    limits: WitnessLimits;
    refusals: Refusals;
    /** Whether nothing of a log is cosigned now. */
    isFrozen?: (log: Log) => boolean;
  }) {
    const { clock, limits } = fields;
    this.#state = fields.state;
    this.#logs = fields.logs;
    this.#keys = fields.keys;
    this.#clock = clock;
    this.#refusals = fields.refusals;
    this.#isFrozen = fields.isFrozen ?? (() => false);
    this.#rates = new WitnessRates({ clock, limits });
    this.#subtrees = new SubtreeSigner({
      keys: this.#keys,
      means: {
        isKnown: (origin) => this.#logs.named(origin).length > 0,
        isFrozen: (origin) => this.#logs.named(origin).some((log) => this.#isFrozen(log)),
        head: (origin) => this.#state.head(origin),
        pay: (origin) => this.#rates.takeSubtree(origin),
        charge: (caller) => this.#rates.charge(caller),
        failed: (error) => this.#refusals.failed(error),
      },
    });
  }

  /** Cosigns checkpoints of these logs from now on. What was recorded of others stays recorded. */
  follow(logs: WitnessLogs): void {
    this.#logs = logs;
    this.#rates.prune();
  }

  /**
   * Takes what any request costs. If a caller, or all together, have too little left, returns false.
   * @param caller the address that sent it
   */
  pay(caller: string): boolean {
    return this.#rates.pay(caller);
  }

  /**
   * Answers `POST /add-checkpoint`.
   * @param caller the address that sent it
   */
  async addCheckpoint(body: Uint8Array, caller: string): Promise<WitnessAnswer> {
    const signed = this.#read(body, caller);
    if ("status" in signed) return signed;
    const { origin, head, request: { oldSize } } = signed;
    const size = this.#state.head(origin)?.treeSize ?? 0n;
    const isRepeat = oldSize !== size || head.treeSize <= size;
    if (isRepeat && !this.#rates.takeRepeat(origin)) return tooMuch(origin);
    const most = isRepeat ? MAX_WAITING_REPEATS : MAX_WAITING_PER_LOG;
    return await this.#inTurn({ origin, most }, () => this.#answer(signed));
  }

  /** Whether it cosigns subtrees: it has a key of type 0x06. */
  get signsSubtrees(): boolean {
    return this.#subtrees.isAble;
  }

  /**
   * Answers `POST /sign-subtree`.
   * @param caller the address that sent it
   */
  async signSubtree(body: Uint8Array, caller: string): Promise<SubtreeAnswer> {
    return await this.#subtrees.answer(body, caller);
  }

  /**
   * The latest cosigned checkpoint of a log.
   * @param hash see `originHash`
   * @throws WorldError
   */
  async latest(hash: string): Promise<string | undefined> {
    const origin = this.#state.originOf(hash);
    return origin === undefined ? undefined : await this.#state.note(origin);
  }

  /** Reads a request and checks the log's signature. Nothing is compared yet. */
  #read(body: Uint8Array, caller: string): Signed | WitnessAnswer {
    let request: AddCheckpoint;
    let note: Note;
    try {
      request = parseAddCheckpoint(body);
      note = parseNote(request.note);
    } catch (error) {
      if (error instanceof MalformedError) return { status: 400, problem: error.message };
      throw error;
    }
    // "If the checkpoint origin is unknown, the witness MUST respond with a 404 Not Found."
    const origin = note.text.slice(0, note.text.indexOf("\n"));
    const logs = this.#logs.named(origin);
    // What is no checkpoint has no origin, so that is said first.
    const trials = { left: MAX_FAILED_COSIGNATURES };
    const opened = openParsedNote({ parsed: note, logs, trials });
    if (trials.left < MAX_FAILED_COSIGNATURES) this.#rates.charge(caller);
    if ("refused" in opened) {
      if (opened.isImpossible) return this.#answerImpossible({ note, logs, request, origin });
      if (opened.refused === "malformed") return { status: 400, problem: opened.detail };
      if (logs.length === 0) return unknown(origin);
      this.#rates.charge(caller);
      // "If none of the signatures verify against a trusted public key, … 403 Forbidden."
      return { status: 403, problem: opened.detail };
    }
    const [{ treeSize, root }] = opened.checkpoints as [VerifiedCheckpoint];
    const { checkpoints, text } = opened;
    return { request, caller, logs, checkpoints, text, origin, head: { treeSize, root } };
  }

  /**
   * Answers a checkpoint of size 0 with another root than SHA-256 of nothing. No tree has it, so it
   * contradicts nothing and nothing is kept. "… or the checkpoint size is zero and the root hash is
   * not the hash of the empty string, … 422 Unprocessable Entity."
   */
  #answerImpossible(
    { note, logs, request, origin }: {
      note: Note;
      logs: readonly Log[];
      request: AddCheckpoint;
      origin: string;
    },
  ): WitnessAnswer {
    if (logs.length === 0) return unknown(origin);
    const verified = verifyNote({ note, verifiers: logs });
    if ("failed" in verified) return { status: 403, problem: verified.failed };
    const size = this.#state.head(origin)?.treeSize ?? 0n;
    if (request.oldSize > 0n) return oldIsLarger(request.oldSize, 0n);
    if (size > 0n) return { status: 409, size };
    return { status: 422, problem: "the root of size 0 is not SHA-256 of nothing" };
  }

  /**
   * Does work for a log when all that was asked about the log before is done.
   * @param most if so many wait already, it is not done
   */
  async #inTurn(
    { origin, most }: { origin: string; most: number },
    work: () => Promise<WitnessAnswer>,
  ): Promise<WitnessAnswer> {
    const line = this.#lines.get(origin) ?? { turns: new Turns(), waiting: 0 };
    if (line.waiting >= most) return tooMuch(origin);
    this.#lines.set(origin, line);
    line.waiting++;
    try {
      return await line.turns.next(work);
    } finally {
      if (--line.waiting === 0) this.#lines.delete(origin);
    }
  }

  /** Compares a signed checkpoint with the recorded one, and cosigns it if it extends that one. */
  async #answer(signed: Signed): Promise<WitnessAnswer> {
    const { request: { oldSize, proof }, origin, head } = signed;
    const recorded = this.#state.head(origin);
    const size = recorded?.treeSize ?? 0n;
    // Before anything else: whatever is answered, two roots at one size are evidence.
    const isConflict = recorded?.treeSize === head.treeSize && recorded.root !== head.root;
    if (isConflict) await this.#keepConflict(signed);
    // No log that goes on from what was cosigned sends less. It may be of another history. Of the logs
    // of a list nobody here could say, and old checkpoints of thousands of them are there to be sent.
    if (head.treeSize < size && this.#logs.isConfigured(origin)) await this.#keepUnproven(signed);
    // "The old size MUST be equal to or lower than the checkpoint size. Otherwise, … 400 Bad Request."
    if (oldSize > head.treeSize) return oldIsLarger(oldSize, head.treeSize);
    // "… the old size matches the size of the latest checkpoint it cosigned for the checkpoint's
    // origin (or zero if it never cosigned a checkpoint for that origin) … 409 Conflict".
    if (oldSize !== size) return { status: 409, size };
    const refusal = refusalOf({ recorded, head, proof, isConflict });
    if (refusal !== undefined) {
      // Anybody can send a wrong proof with a checkpoint that was published.
      this.#rates.charge(signed.caller);
      if (!isConflict) await this.#keepUnproven(signed);
      return { status: 422, problem: refusal };
    }
    if (this.#refusesAll(signed)) {
      // It is watched all the same: what it signs is kept, and compared with what others say.
      if (head.treeSize > size && !this.#rates.takeRepeat(origin)) return tooMuch(origin);
      if (recorded?.treeSize !== head.treeSize) await this.#keepUnproven(signed);
      return frozen(origin);
    }
    if (head.treeSize > size) {
      const perDay = this.#logs.perDay(origin);
      const tooEarly = this.#rates.takeNew(origin, perDay);
      if (tooEarly !== undefined) {
        const { retryAfterS } = tooEarly;
        return perDay === undefined || retryAfterS === undefined
          ? tooMuch(origin)
          : moreThanListed({ origin, perDay, retryAfterS });
      }
    }
    return await this.#cosign(signed, size);
  }

  /** Whether a checkpoint is of a log that is frozen now. */
  #refusesAll({ checkpoints }: Signed): boolean {
    return checkpoints.some(({ log }) => this.#isFrozen(log));
  }

  /** Signs, writes, and only then hands out. */
  async #cosign(signed: Signed, oldSize: bigint): Promise<WitnessAnswer> {
    const { origin, head, text, checkpoints } = signed;
    try {
      const time = BigInt(Math.floor(this.#clock.now().getTime() / 1000));
      const keys = this.#keys.filter(({ vkey }) => canCosign({ vkey, origin }));
      const cosignatures = await Promise.all(keys.map((key) => key.cosign({ text, time })));
      // Other lines that came are left out: nobody here has checked them (Sunlight ANT-2026-SAPGR4D6).
      const lines = [
        ...checkpoints.map(({ log: { vkey }, signature }) =>
          formatSignatureLine({ vkey, signature })
        ),
        ...cosignatures,
      ];
      const note = `${text}\n${lines.join("\n")}\n`;
      // A case may have come while it was signed.
      if (this.#refusesAll(signed)) return frozen(origin);
      // The turns leave nobody to come between. So this only fails if something else is wrong here.
      const isRecorded = await this.#state.replace({ origin, oldSize, head, note });
      if (!isRecorded) return { status: 409, size: this.#state.head(origin)?.treeSize ?? 0n };
      return { status: 200, lines: cosignatures.map((line) => `${line}\n`).join("") };
    } catch (error) {
      this.#refusals.failed(error);
      return { status: 503, problem: "this witness cannot sign or keep anything now" };
    }
  }

  async #keepConflict({ origin, logs, checkpoints, caller }: Signed): Promise<void> {
    try {
      const note = await this.#state.note(origin);
      const opened = note === undefined ? undefined : openNote({ note, logs });
      // A log that has another key by now: nobody can show that one key signed both.
      if (opened === undefined || "refused" in opened) return;
      for (const refused of checkpoints) {
        const recorded = opened.checkpoints.find(({ log: { id } }) => id === refused.log.id);
        if (recorded !== undefined) {
          await this.#refusals.conflict({ recorded, refused, caller });
        }
      }
    } catch (error) {
      this.#refusals.failed(error);
    }
  }

  async #keepUnproven({ checkpoints, caller }: Signed): Promise<void> {
    try {
      for (const refused of checkpoints) await this.#refusals.unproven({ refused, caller });
    } catch (error) {
      this.#refusals.failed(error);
    }
  }
}

/** Why a checkpoint does not extend the recorded one; nothing if it does. */
function refusalOf(
  { recorded, head, proof, isConflict }: {
    recorded: RecordedHead | undefined;
    head: RecordedHead;
    proof: readonly Uint8Array[];
    isConflict: boolean;
  },
): string | undefined {
  const older = {
    treeSize: recorded?.treeSize ?? 0n,
    rootHash: recorded === undefined ? EMPTY_ROOT : strictBase64(recorded.root),
  };
  const newer = { treeSize: head.treeSize, rootHash: strictBase64(head.root) };
  if (isConflict) {
    return `the log has signed another root at size ${head.treeSize}, which this witness has cosigned`;
  }
  // "The consistency proof MUST be empty if the old size is zero."
  if ((older.treeSize === 0n || older.treeSize === newer.treeSize) && proof.length > 0) {
    return `the proof from size ${older.treeSize} to ${newer.treeSize} has ${proof.length} hashes, ` +
      "expected none";
  }
  if (verifyConsistency({ older, newer, proof })) return undefined;
  return `the proof does not show that size ${newer.treeSize} with the root ` +
    `${base64(newer.rootHash)} extends size ${older.treeSize} with the root ` +
    `${base64(older.rootHash)}`;
}

function oldIsLarger(oldSize: bigint, treeSize: bigint): WitnessAnswer {
  return {
    status: 400,
    problem: `the old size is ${oldSize}, expected at most the checkpoint's, ${treeSize}`,
  };
}

function unknown(origin: string): WitnessAnswer {
  return { status: 404, problem: `this witness does not know the log ${quoted(origin)}` };
}

function tooMuch(origin: string): WitnessAnswer {
  return { status: 429, problem: `more came for the log ${quoted(origin)} than one log may send` };
}

/** "QPD is the number of add-checkpoint requests the log may do per day" (tlog-list). */
function moreThanListed(
  { origin, perDay, retryAfterS }: { origin: string; perDay: number; retryAfterS: number },
): WitnessAnswer {
  const problem =
    `more came for the log ${quoted(origin)} than the ${perDay} requests a day that ` +
    "the list of logs gives it";
  return { status: 429, problem, retryAfterS };
}
