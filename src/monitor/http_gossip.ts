import type { ConflictRecord } from "../evidence/record.ts";
import { casesAbout, type ExchangeParty, NotKept } from "../gossip/exchange.ts";
import { hearPosted, type Posted } from "../gossip/posted_note.ts";
import type { Tolls } from "../gossip/tolls.ts";
import type { VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import type { Log } from "../tlog/log.ts";
import type { Background } from "../world/background.ts";
import { Ended } from "../world/calls.ts";
import { addressKey } from "../world/connection_table.ts";
import type { Common } from "./common.ts";
import { gravest, type Verdict, Verdicts } from "./verdicts.ts";

/** What somebody is answered who told a note. */
export type NoteAnswer =
  | Verdict
  | Exclude<Posted, { readonly heard: unknown }>
  /** our own disk or database refuses, or this monitor ends */
  | "not kept";

/**
 * Compares checkpoints with callers over HTTP, as sourcespotter does. What they tell is judged and
 * kept like what a stranger, or a configured peer, tells at the port of the exchange.
 */
export class HttpGossip {
  readonly #party: ExchangeParty;
  readonly #tolls: Tolls;
  readonly #verdicts: Verdicts;
  readonly #background: Background;
  #isEnded = false;

  constructor(
    { common, party, tolls, background }: {
      common: Common;
      party: ExchangeParty;
      tolls: Tolls;
      /** The daemon waits for what is under way there before it closes its journals. */
      background: Background;
    },
  ) {
    this.#party = party;
    this.#tolls = tolls;
    this.#verdicts = new Verdicts(common);
    this.#background = background;
  }

  /** The followed logs with this origin or this name of their key. */
  logsNamed(name: string): readonly Log[] {
    return this.#party.judge.logs.filter(({ origin, vkey }) =>
      origin === name || vkey.name === name
    );
  }

  /** Whether a host may ask for anything now. */
  isOpen(host: string): boolean {
    return this.#tolls.allowance.isOpen(addressKey(host));
  }

  /** Takes what any request costs. If a host has too little left, returns false. */
  pay(host: string): boolean {
    return this.#tolls.pay(addressKey(host), 1);
  }

  /** Takes what so many bytes of an answer cost. If a host has too little left, it owes them. */
  payBytes(host: string, bytes: number): boolean {
    const [key, frames] = [addressKey(host), bytes / this.#party.limits.parcelBytesPerFrame];
    if (this.#tolls.pay(key, frames)) return true;
    this.#tolls.owe(key, frames);
    return false;
  }

  /** The largest of the checkpoints that these logs have shown us and that were verified. */
  latest(logs: readonly Log[]): VerifiedCheckpoint | undefined {
    return logs.map((log) => this.#party.judge.latest(log))
      .filter((checkpoint) => checkpoint !== undefined)
      .reduce<VerifiedCheckpoint | undefined>(
        (a, b) => a === undefined || b.treeSize > a.treeSize ? b : a,
        undefined,
      );
  }

  /** Hears a note, keeps it, and says what is known about it. */
  hear(
    { note, logs, source }: { note: Uint8Array; logs: readonly Log[]; source: string },
  ): Promise<NoteAnswer> {
    const { party, tolls } = { party: this.#party, tolls: this.#tolls };
    return this.#orNotKept(async () => {
      const posted = await hearPosted({ note, logs, source, party, tolls });
      if (posted === "too much" || "refused" in posted) return posted;
      const verdict = gravest(
        await Promise.all(posted.heard.map((heard) => this.#verdicts.on(heard))),
      );
      // While it was settled a case may have been proven that the disk refuses.
      await party.keep(source);
      return verdict;
    });
  }

  /** The record of a case about one of these logs; nothing if there is none with this name. */
  record(
    { logs, evidenceId }: { logs: readonly Log[]; evidenceId: string },
  ): Promise<ConflictRecord | undefined | "not kept"> {
    const held = logs.flatMap((log) => casesAbout(this.#party, log))
      .find(({ evidence_id }) => evidence_id === evidenceId);
    return this.#orNotKept(async () => await held?.read());
  }

  /** Ends every wait, and hears nothing more. */
  end(): void {
    this.#isEnded = true;
    this.#verdicts.end();
  }

  /** Does work for which the daemon waits when it ends. What fails is told, and is no fault of the caller. */
  async #orNotKept<T>(work: () => Promise<T>): Promise<T | "not kept"> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    try {
      if (this.#isEnded) throw new Ended();
      this.#background.run(() => work().then(resolve, reject));
      return await promise;
    } catch (error) {
      this.#party.report.notAnswered(error instanceof NotKept ? error.cause : error);
      return "not kept";
    }
  }
}
