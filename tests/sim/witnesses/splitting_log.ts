/**
 * What a log that splits its history asks of witnesses: sound and forged, in any order.
 *
 * @module
 */
import { base64 } from "../../../src/tlog/encoding.ts";
import { parseNote } from "../../../src/tlog/note.ts";
import { PARTING, type Push, type PushingLog } from "../../authority/pushing_log.ts";
import type { Draw } from "../draw.ts";
import { HISTORIES, type Ledger, MAX_SIZE } from "./ledger.ts";
import type { Request, WitnessMachine } from "./machine.ts";

/** Sizes up to here are pushed before the last two checkpoints. */
export const MAX_EARLY_SIZE = 40;
/** The first size at which histories differ. */
export const FIRST_PARTED = PARTING + 1;

/** A log, and what it believes of each witness. */
export class SplittingLog {
  readonly log: PushingLog;
  readonly #ledger: Ledger;
  /** Of how many of its histories it pushes: one, if it is honest. */
  readonly #histories: number;
  readonly #believed = new Map<WitnessMachine, bigint>();
  /** Requests that were made; they may be sent again, to anyone. */
  readonly #made: Request[] = [];

  constructor({ log, ledger, isHonest }: { log: PushingLog; ledger: Ledger; isHonest: boolean }) {
    this.log = log;
    this.#ledger = ledger;
    this.#histories = isHonest ? 1 : HISTORIES;
  }

  /** A witness says, or seems to say, that it has cosigned this size. */
  learned(machine: WitnessMachine, size: bigint): void {
    this.#believed.set(machine, size);
  }

  /** Makes a request, and signs what is in it. */
  async request(push: Push & { readonly old: bigint }): Promise<Request> {
    const body = await this.log.request(push);
    const { text } = parseNote(await this.log.note(push));
    const root = push.root ?? this.log.tree(push.history ?? 0, push.size).root(push.size);
    const head = { log: this.log, size: push.size, root: base64(root), text };
    this.#ledger.signed(head);
    const request = { body, head, old: push.old };
    this.#made.push(request);
    return request;
  }

  /** Signs a checkpoint that is pushed nowhere. @returns its text */
  async sign(push: Omit<Push, "old">): Promise<string> {
    return (await this.request({ old: 0n, ...push })).head.text;
  }

  /** Any request to this witness: sound in half of the cases. */
  async any(draw: Draw, machine: WitnessMachine): Promise<Request> {
    if (this.#made.length > 0 && draw.chance(0.1)) return draw.pick(this.#made);
    const believed = this.#believed.get(machine) ?? 0n;
    const history = draw.below(this.#histories);
    const size = this.#size(draw, believed);
    if (this.#histories === 1 || draw.chance(0.5)) {
      return await this.request({ old: believed > size ? size : believed, size, history });
    }
    const old = draw.pick([believed, believed, machine.recorded(this.log)?.size ?? 0n])!;
    const forged: Push & { old: bigint } = {
      ...{ size, history },
      old: draw.chance(0.3) ? draw.pick([0n, size, size + 1n, believed + 1n, 4n, 8n]) : old,
      ...(draw.chance(0.1) && { extensions: "more\n" }),
      ...(draw.chance(0.1) && { root: draw.bytes(32) }),
    };
    if (draw.chance(0.3)) return await this.request(forged);
    return await this.request({ ...forged, proof: this.#proof(draw, forged) });
  }

  /** Requests of several histories at one size, as they come at one moment. */
  async race(draw: Draw, machine: WitnessMachine): Promise<Request[]> {
    const old = machine.recorded(this.log)?.size ?? 0n;
    const size = this.#size(draw, old + 1n);
    const histories = draw.shuffled([...Array(this.#histories).keys()]);
    const requests: Request[] = [];
    for (const history of histories) {
      requests.push(await this.request({ old: old > size ? size : old, size, history }));
    }
    return requests;
  }

  #size(draw: Draw, from: bigint): bigint {
    const low = Math.min(Number(from), MAX_EARLY_SIZE);
    if (draw.chance(0.1)) return BigInt(draw.between(0, MAX_EARLY_SIZE));
    return BigInt(draw.chance(0.2) ? low : Math.min(low + draw.between(1, 4), MAX_EARLY_SIZE));
  }

  /** A proof that is another history's, of other sizes, made up, or changed. */
  #proof(draw: Draw, { old, size, history = 0 }: Push & { old: bigint }): string[] {
    const other = (history + draw.between(1, HISTORIES - 1)) % HISTORIES;
    const hash = (): string => base64(draw.bytes(32));
    const sound = old > size ? [] : this.log.proof({ old, size, history });
    const at = draw.below(Math.max(1, sound.length));
    switch (draw.below(8)) {
      case 0:
        return this.log.proof({ old, size, history: other });
      case 1:
        return [];
      case 2:
        return Array.from({ length: draw.between(1, 6) }, hash);
      case 3:
        return sound.toSpliced(at, 1);
      case 4:
        return sound.toSpliced(at, 0, hash());
      case 5:
        return sound.toReversed();
      case 6:
        return sound.length > 0 ? sound.with(at, hash()) : [hash()];
      default: {
        const from = BigInt(draw.between(1, FIRST_PARTED));
        return this.log.proof({ old: from, size: MAX_SIZE, history });
      }
    }
  }
}
