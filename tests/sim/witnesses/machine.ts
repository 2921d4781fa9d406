/**
 * The machine of an honest witness: the real code on a disk that refuses, tears and forgets, in a
 * process that is killed.
 *
 * @module
 */
import type { CosigningKey } from "../../../src/authority/cosigning.ts";
import { type Refusals, Witness, type WitnessAnswer } from "../../../src/authority/witness.ts";
import { CosignatureForgotten } from "../../../src/authority/subtree_signer.ts";
import { WitnessLogs } from "../../../src/authority/witness_logs.ts";
import { originHash, WitnessState } from "../../../src/authority/witness_state.ts";
import type { VerifiedCheckpoint } from "../../../src/tlog/checkpoint.ts";
import { loadCosigner, readCosignatures } from "../../../src/tlog/cosignature.ts";
import { parseNote } from "../../../src/tlog/note.ts";
import { SIGNATURE_TYPE } from "../../../src/tlog/vkey.ts";
import { WorldError } from "../../../src/world/world.ts";
import type { PushingLog } from "../../authority/pushing_log.ts";
import { MemoryDisk } from "../../store/memory_disk.ts";
import { type DiskTrouble, simFiles } from "../disk.ts";
import type { Draw } from "../draw.ts";
import { MachineTime, type SimTime } from "../time.ts";
import { areConsistent, type Ledger, type SignedHead } from "./ledger.ts";
import type { WitnessChecks } from "./properties.ts";
import { hasPart, type PartRequest } from "./subtrees.ts";

/** No rate is reached here: rates have tests of their own. */
const LIMITS = { perSecondPerLog: 1_000_000, perSecond: 1_000_000 };
/** So that the file is written anew now and then. */
const WASTE_BYTES = 3_000;
/** Who sends everything. */
const CALLER = "192.0.2.1";

/** What a log asks, and what it is about. */
export interface Request {
  readonly body: Uint8Array;
  readonly head: SignedHead;
  readonly old: bigint;
}

/** A process of the witness. */
interface Process {
  isAlive: boolean;
  /** Both are there once it has started. */
  state?: WitnessState;
  witness?: Witness;
  /** The size that it has cosigned last, of each log. */
  readonly sizes: Map<PushingLog, bigint>;
  readonly conflicts: VerifiedCheckpoint[];
  asked: number;
}

/** What a machine works with. */
export interface MachineFields {
  readonly name: string;
  readonly keys: readonly CosigningKey[];
  readonly logs: readonly PushingLog[];
  readonly time: SimTime;
  readonly draw: Draw;
  readonly ledger: Ledger;
  readonly checks: WitnessChecks;
  readonly tell: (line: string) => void;
}

/** An honest witness. */
export class WitnessMachine {
  readonly name: string;
  readonly trouble: DiskTrouble;
  readonly #fields: MachineFields;
  readonly #disk = new MemoryDisk();
  readonly #clock: MachineTime;
  /** Every head of which a cosignature has left, of each log. */
  readonly #told = new Map<PushingLog, SignedHead[]>();
  #process: Process | undefined;
  #followed: WitnessLogs;

  constructor(fields: MachineFields) {
    this.name = fields.name;
    this.#fields = fields;
    this.#followed = new WitnessLogs({ followed: fields.logs.map(({ log }) => log) });
    // Requests overlap only if the disk takes its time.
    this.trouble = { full: false, flaky: 0, slowMs: fields.draw.pick([0, 2, 10]) };
    const rate = 0.99 + fields.draw.share() * 0.02;
    this.#clock = new MachineTime({ time: fields.time, rate });
    this.#clock.ahead = fields.draw.chance(0.2) ? fields.draw.between(-3_600_000, 3_600_000) : 0;
  }

  /** Whether it answers. */
  get isUp(): boolean {
    return this.#process?.witness !== undefined;
  }

  /** Whether it has a key that signs parts of trees. */
  get signsSubtrees(): boolean {
    return this.#fields.keys.some(({ vkey }) => vkey.type === SIGNATURE_TYPE.mldsa44);
  }

  /** The heads of a log of which cosignatures have left, smallest first. */
  told(log: PushingLog): readonly SignedHead[] {
    return this.#told.get(log) ?? [];
  }

  /** The recorded head of a log, as the monitoring path would show it. */
  recorded(log: PushingLog): { size: bigint; root: string } | undefined {
    const head = this.#process?.state?.head(log.log.origin);
    return head && { size: head.treeSize, root: head.root };
  }

  /** Cosigns checkpoints of these logs from now on. */
  follow(logs: readonly PushingLog[]): void {
    this.#followed = new WitnessLogs({ followed: logs.map(({ log }) => log) });
    this.#process?.witness?.follow(this.#followed);
  }

  /** Starts a process, unless one is there. If the disk refuses, there is none afterwards. */
  start(): void {
    if (this.#process !== undefined) return;
    const process: Process = { isAlive: true, sizes: new Map(), conflicts: [], asked: 0 };
    this.#process = process;
    this.#begin(process).catch((error) => {
      this.#end(process);
      const isDisk = error instanceof WorldError && this.#isTroubled;
      this.#fields.checks.expect(
        isDisk,
        "a witness answers as specified",
        () => `${this.name} does not start: ${error}`,
      );
    });
  }

  /** The process is killed; what it has written stays. */
  kill(): void {
    if (this.#process === undefined) return;
    this.#fields.tell(`${this.name} is killed`);
    this.#end(this.#process);
    this.#disk.kill();
  }

  /** The power goes; of what was not synced a part stays, or nothing. */
  cutPower(): void {
    this.#fields.tell(`${this.name} loses its power`);
    if (this.#process !== undefined) this.#end(this.#process);
    this.#disk.crash({ keepShare: this.#fields.draw.pick([0, 0.3, 0.9, 1]) });
  }

  /** Sends a request. It resolves with nothing, or never, if no answer leaves. */
  async push({ body, head, old }: Request): Promise<WitnessAnswer | undefined> {
    const process = this.#process;
    if (process?.witness === undefined) return undefined;
    const isAlone = process.asked++ === 0 && !this.#isTroubled;
    const before = isAlone ? this.recorded(head.log) : undefined;
    const answer = await process.witness.addCheckpoint(body, CALLER);
    process.asked--;
    if (!process.isAlive) return undefined;
    this.#fields.tell(
      `${this.name} answers ${answer.status} to old ${old}, ${head.log.log.origin} ` +
        `${head.size} ${head.root.slice(0, 6)}` +
        ("problem" in answer ? `: ${answer.problem}` : ""),
    );
    if (answer.status === 200) this.#cosigned(process, { lines: answer.lines, head, old });
    const isTwice = before?.size === head.size && before.root !== head.root && head.size > 0n;
    if (isTwice && answer.status !== 404 && !this.#isTroubled) {
      const isKept = process.conflicts.some(({ root, treeSize }) =>
        root === head.root && treeSize === head.size
      );
      this.#fields.checks.expect(
        isKept,
        "a refusal keeps evidence",
        () => `${this.name} refused another root of size ${head.size} and handed nothing on`,
      );
    }
    return answer;
  }

  /** Sends a request for a part of a tree: it is cosigned if the tree has been, and has it. */
  async askPart({ body, part }: PartRequest): Promise<void> {
    const process = this.#process;
    const answer = await process?.witness?.signSubtree(body, CALLER);
    if (answer === undefined || !process?.isAlive) return;
    const { log: { log }, start, end, hash } = part;
    this.#fields.tell(
      `${this.name} answers ${answer.status} to subtree ${start} ${end} of ${log.origin}`,
    );
    if (answer.status !== 200) return;
    const told = this.told(part.log);
    this.#fields.checks.expect(
      told.some((head) => hasPart(head, part)),
      "a witness tells one story",
      () => `${this.name} has cosigned entries ${start} to ${end} of no tree that it has cosigned`,
    );
    const { vkey } = this.#fields.keys.find(({ vkey }) => vkey.type === SIGNATURE_TYPE.mldsa44)!;
    const line = answer.lines.trimEnd();
    this.#fields.ledger.cosignedPart({ vkey, line, origin: log.origin, start, end, hash });
  }

  /** Somebody reads the latest checkpoint. */
  async look(log: PushingLog): Promise<void> {
    const process = this.#process;
    const note = await process?.witness?.latest(originHash(log.log.origin)).catch((error) => {
      if (!(error instanceof WorldError)) throw error;
    });
    if (note === undefined || !process?.isAlive) return;
    const { text, lines } = parseNote(note);
    const head = this.#fields.ledger.heads.get(text);
    this.#fields.checks.expect(
      head !== undefined,
      "a witness tells one story",
      () => `${this.name} shows a checkpoint that no log has signed`,
    );
    if (head !== undefined) this.#left(head, lines);
  }

  get #isTroubled(): boolean {
    return this.trouble.full || this.trouble.flaky > 0 || this.trouble.powerCut !== undefined;
  }

  async #begin(process: Process): Promise<void> {
    const { time, draw, logs, keys, checks } = this.#fields;
    const files = simFiles({
      ...{ disk: this.#disk, time, draw, trouble: this.trouble },
      isAlive: () => process.isAlive,
    });
    const state = await WitnessState.open({ files, folder: "state", wasteBytes: WASTE_BYTES });
    if (!process.isAlive) return;
    process.state = state;
    const refusals: Refusals = {
      conflict: ({ refused }) => Promise.resolve(void process.conflicts.push(refused)),
      unproven: () => Promise.resolve(),
      failed: (error) => {
        this.#fields.tell(`${this.name} could not cosign: ${error}`);
        checks.expect(
          !(error instanceof CosignatureForgotten),
          "a witness remembers",
          () => `${this.name}: ${error}`,
        );
      },
    };
    process.witness = new Witness({
      ...{ state, keys, refusals, limits: LIMITS },
      logs: this.#followed,
      clock: this.#clock.clock(() => process.isAlive),
    });
    this.#fields.tell(`${this.name} has started`);
    for (const log of logs) {
      const recorded = this.recorded(log);
      process.sizes.set(log, recorded?.size ?? 0n);
      const told = this.#told.get(log)?.at(-1);
      if (told === undefined) continue;
      const isThere = recorded !== undefined && recorded.size >= told.size &&
        areConsistent({ ...told, ...recorded }, told);
      checks.expect(
        isThere,
        "a witness remembers",
        () => `${this.name} has cosigned size ${told.size}, and knows ${recorded?.size ?? "none"}`,
      );
    }
  }

  #end(process: Process): void {
    process.isAlive = false;
    delete this.trouble.powerCut;
    if (this.#process === process) this.#process = undefined;
  }

  #cosigned(
    process: Process,
    { lines, head, old }: { lines: string; head: SignedHead; old: bigint },
  ): void {
    const recorded = process.sizes.get(head.log);
    this.#fields.checks.expect(
      recorded === old,
      "a witness answers as specified",
      () => `${this.name} has cosigned size ${recorded} and took old ${old}`,
    );
    process.sizes.set(head.log, head.size);
    this.#left(head, lines.trimEnd().split("\n"));
  }

  /** Cosignatures on a head have left. */
  #left(head: SignedHead, lines: readonly string[]): void {
    const { checks, ledger, keys } = this.#fields;
    const cosigners = keys.map(({ vkey }) => loadCosigner(vkey));
    const found = readCosignatures({ text: head.text, lines, cosigners });
    checks.expect(
      found.length === keys.length,
      "a witness answers as specified",
      () => `${this.name} has ${keys.length} keys, and ${found.length} cosignatures hold`,
    );
    for (const one of found) ledger.cosigned({ ...one, text: head.text });
    const told = this.#told.get(head.log) ?? [];
    const other = told.find((one) => !areConsistent(one, head));
    checks.expect(
      other === undefined,
      "a witness tells one story",
      () =>
        `${this.name} has cosigned size ${other!.size} ${other!.root} and size ${head.size} ` +
        head.root,
    );
    const last = told.at(-1);
    if (last === undefined || last.size <= head.size) told.push(head);
    this.#told.set(head.log, told);
  }
}
