/**
 * A peer of another kind: the gossip endpoint of sourcespotter (github.com/SSLMate/sourcespotter,
 * internal/sths/gossip.go). It is about one log. `GET` gives the latest checkpoint that it has
 * verified. `POST` of a signed note answers with a line that begins with `consistent:`, `pending:`
 * or `inconsistent:`.
 *
 * Nothing it says is believed. The checkpoint that it gives is judged like one from any peer. Its
 * verdict proves nothing: it is told to the operator where it is not `consistent`.
 *
 * @module
 */
import { openCheckpoint } from "../tlog/checkpoint.ts";
import { textOf, utf8 } from "../tlog/encoding.ts";
import type { Log } from "../tlog/log.ts";
import { quoted } from "../tlog/malformed.ts";
import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import { HttpClient, type HttpResult } from "../world/http_client.ts";
import { WorldError } from "../world/world.ts";
import { ExchangeFailed, Unreachable } from "./caller.ts";
import type { ExchangeParty, HeldCase } from "./exchange.ts";
import type { HeardCheckpoint } from "./judge.ts";
import type { Round } from "./round.ts";

/** Longest wait for one whole answer. */
const REQUEST_TIMEOUT_MS = 15_000;
/** Longest answer read. Its own are a sentence. */
const MAX_ANSWER_BYTES = 4_096;
/** Longest note that it takes. A longer one is not told. */
export const MAX_TOLD_BYTES = 100_000;
/** Most checkpoints told in one round. */
export const MAX_TOLD_PER_ROUND = 8;
/** How many of its verdicts are remembered. A checkpoint beyond is told once more. */
const MAX_VERDICTS = 1_024;
/** Most sizes that a message names. */
const MAX_SIZES_SHOWN = 5;
/** How much of an answer that makes no sense is shown. */
const SHOWN_CHARACTERS = 80;

/** What it says about a checkpoint that it was told. */
const VERDICTS = ["consistent", "pending", "inconsistent"] as const;
type Verdict = (typeof VERDICTS)[number];
/** The statuses with which a server does not take what it is sent, whoever sends it. */
const BAD_NOTE = [400, 413, 422];

/** It does not take one note, or says nothing about it that makes sense. */
class NoteRefused extends ExchangeFailed {}

/** A checkpoint to tell. */
interface Telling {
  /** Size and root. */
  readonly head: string;
  readonly note: string;
}

/** One endpoint, and what it was told. */
export class Sourcespotter {
  readonly #party: ExchangeParty;
  readonly #url: string;
  readonly #client: HttpClient;
  /** What it said last about each head that it was told, or did not take, the latest last. */
  readonly #verdicts = new Map<string, Verdict | "refused">();

  /** @throws MalformedError if the contact cannot be used */
  constructor(
    { party, url, contact }: { party: ExchangeParty; url: string; contact: string },
  ) {
    this.#party = party;
    this.#url = url;
    this.#client = new HttpClient({ world: party.world, contact, timeoutMs: REQUEST_TIMEOUT_MS });
  }

  /**
   * Asks for its latest checkpoint, judges it, and tells it what it may not have seen: our latest,
   * what we have not reconciled, and both halves of each case.
   * @throws ExchangeFailed if it cannot be reached, gives no checkpoint of a log followed here, or does
   *   not take a note; whatever `keep` throws
   */
  async round(): Promise<Round> {
    const heard = await this.hear();
    const { log } = heard.checkpoint;
    this.#party.peerKnowledge.bothFollowNow(this.#url, new Set([log]));
    let refused: NoteRefused | undefined;
    for (const { head, note } of this.#due(await this.#toTell(log))) {
      try {
        this.#remember(head, await this.#tell(note));
      } catch (error) {
        // A log may sign checkpoints that are too long for it. They must not hide the others.
        if (!(error instanceof NoteRefused)) throw error;
        this.#remember(head, "refused");
        refused ??= error;
      }
    }
    if (refused !== undefined) throw refused;
    const fault = this.#fault(log);
    return { heard: [], notes: [heard], handedOver: [], shared: 1, ...(fault && { fault }) };
  }

  /** What it says against checkpoints that are no part of a case here; nothing if it says nothing. */
  #fault(log: Log): string | undefined {
    // It says so of each half of a split. Where we know the other half, there is a case with a proof.
    const inCases = new Set(this.#party.cases(log).flatMap(headsOf));
    const sizes = [...this.#verdicts]
      .filter(([head, verdict]) => verdict === "inconsistent" && !inCases.has(head))
      .map(([head]) => head.split(" ")[0]);
    if (sizes.length === 0) return undefined;
    return `says that size ${
      sizes.slice(-MAX_SIZES_SHOWN).join(", ")
    } is not consistent with what ` +
      "it was told; it gives no proof, so this proves nothing";
  }

  /** What to tell now: what it was not told yet, then what is not settled, the longest ago first. */
  #due(tellings: readonly Telling[]): Telling[] {
    return tellings.filter(({ head }) => !this.#isSettled(head))
      .toSorted((a, b) => this.#turnOf(a.head) - this.#turnOf(b.head))
      .slice(0, MAX_TOLD_PER_ROUND);
  }

  /** -1 for a head that it was not told; otherwise the smaller, the longer ago it was. */
  #turnOf(head: string): number {
    return [...this.#verdicts.keys()].indexOf(head);
  }

  #isSettled(head: string): boolean {
    const verdict = this.#verdicts.get(head);
    return verdict === "consistent" || verdict === "inconsistent";
  }

  /**
   * Asks for its latest checkpoint, judges it and keeps it.
   * @throws ExchangeFailed; whatever `keep` throws
   */
  async hear(): Promise<HeardCheckpoint> {
    const { judge, report } = this.#party;
    const note = await this.#ask(() =>
      this.#client.get({ url: this.#url, maxBytes: MAX_NOTE_BYTES, conditional: true })
    );
    const opened = openCheckpoint({ note, logs: judge.logs });
    if ("refused" in opened) {
      this.#client.forget();
      throw this.#failed(`answers with no checkpoint of a log followed here: ${opened.detail}`);
    }
    const [heard] = opened.map((one) => judge.hearCheckpoint(one, this.#url));
    await this.#party.keep(this.#url);
    report.heard(heard!, this.#url);
    return heard!;
  }

  async #toTell(log: Log): Promise<readonly Telling[]> {
    const { judge, unreconciled } = this.#party;
    const ours = [judge.latest(log), ...unreconciled(log)].flatMap((checkpoint) =>
      checkpoint === undefined ? [] : [checkpoint]
    );
    const cases = this.#party.cases(log);
    const untold = cases.filter((one) => !headsOf(one).every((head) => this.#isSettled(head)));
    // No more are read than one round can tell. The next rounds have the others.
    const turnOf = (one: HeldCase): number => Math.min(...headsOf(one).map((h) => this.#turnOf(h)));
    const records = await Promise.all(
      untold.toSorted((a, b) => turnOf(a) - turnOf(b)).slice(0, MAX_TOLD_PER_ROUND / 2).map((one) =>
        one.read()
      ),
    );
    const halves = records.flatMap((
      { checkpoint_a, checkpoint_b },
    ) => [checkpoint_a, checkpoint_b]);
    const tellings = [
      ...ours.map(({ treeSize, root, note }) => ({ head: `${treeSize} ${root}`, note })),
      ...halves.map(({ size, root, note }) => ({ head: `${size} ${root}`, note })),
    ];
    return [...new Map(tellings.map((telling) => [telling.head, telling])).values()]
      .filter(({ note }) => utf8(note).length <= MAX_TOLD_BYTES);
  }

  /** @returns what it says about a note */
  async #tell(note: string): Promise<Verdict> {
    const content = utf8(note);
    const answer = textOf(
      await this.#ask(() =>
        this.#client.post({ url: this.#url, content, maxBytes: MAX_ANSWER_BYTES })
      ),
    );
    const verdict = VERDICTS.find((word) => answer.startsWith(`${word}:`));
    if (verdict !== undefined) return verdict;
    throw new NoteRefused(
      this.#url,
      `answers ${quoted(answer.slice(0, SHOWN_CHARACTERS))}, expected ${VERDICTS.join(", ")}`,
    );
  }

  #remember(head: string, verdict: Verdict | "refused"): void {
    this.#verdicts.delete(head);
    this.#verdicts.set(head, verdict);
    const [oldest] = this.#verdicts.keys();
    if (this.#verdicts.size > MAX_VERDICTS) this.#verdicts.delete(oldest!);
  }

  /** @throws ExchangeFailed for whatever is no answer */
  async #ask(request: () => Promise<HttpResult>): Promise<Uint8Array> {
    let result: HttpResult;
    try {
      result = await request();
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      throw new Unreachable(this.#url, `cannot be reached: ${error.message}`);
    }
    switch (result.kind) {
      case "content":
        return result.body;
      case "absent":
        throw this.#failed("answers that it is not there (HTTP status 404)");
      case "refused": {
        const what = `answers with HTTP status ${result.status}`;
        throw BAD_NOTE.includes(result.status)
          ? new NoteRefused(this.#url, what)
          : this.#failed(what);
      }
      case "put off":
        throw this.#failed("asked to be asked again later");
    }
  }

  #failed(what: string): ExchangeFailed {
    return new ExchangeFailed(this.#url, what);
  }
}

/** The two heads of a case. */
function headsOf({ checkpoint_a, checkpoint_b }: HeldCase): string[] {
  return [checkpoint_a, checkpoint_b].map(({ size, root }) => `${size} ${root}`);
}
