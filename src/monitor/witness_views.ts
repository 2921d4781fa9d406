import { type Fetcher, HttpFetcher } from "../sources/fetcher.ts";
import { SourceUnavailable } from "../sources/source.ts";
import { openCheckpoint, type VerifiedCheckpoint } from "../tlog/checkpoint.ts";
import { utf8 } from "../tlog/encoding.ts";
import { sha256 } from "../tlog/hashing.ts";
import type { Log } from "../tlog/log.ts";
import { MalformedError } from "../tlog/malformed.ts";
import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import type { Background } from "../world/background.ts";
import { jittered, nextPollMs } from "../world/pacing.ts";
import type { Stop } from "../world/stop.ts";
import { encodeHex } from "@std/encoding/hex";
import type { Common } from "./common.ts";
import type { Counted } from "./cosignatures.ts";

/** How often a witness is asked what it has cosigned last of each log. */
export const VIEW_MS = 5 * 60_000;
/** How often it is looked who is due. */
const DUE_MS = 10_000;
/** Begins the source of what a witness shows itself. A peer's name never has a space. */
const WITNESS_AT = "witness at ";

/** Whether a source is a witness of a policy, at its URL. */
export function isWitnessView(source: string): boolean {
  return source.startsWith(WITNESS_AT);
}

/** The place where a witness, or several that share it, shows what it has cosigned. */
interface Place {
  readonly url: string;
  /** Nothing if it cannot be asked. */
  readonly fetcher: Fetcher | undefined;
  /** The logs that it is asked for. */
  logs: readonly Log[];
  /** By the id of a log: why it could not be asked for it the last time. */
  readonly failing: Map<string, string>;
  /** When it is due, by the monotonic clock. */
  dueAt: number;
  failures: number;
  isBusy: boolean;
}

/**
 * Asks the witnesses of policies that have a URL there what they have cosigned last (C2SP
 * tlog-witness: `GET <prefix>/<hex of SHA-256 of the origin>/checkpoint`). Each place is asked in the
 * background, for one log after the other. What it shows is heard like what a peer tells: it counts if
 * it verifies, it is settled by the view, and it is evidence if it contradicts anything.
 */
export class WitnessViews {
  readonly #common: Common;
  readonly #background: Background;
  #contact: string;
  #places = new Map<string, Place>();
  #isEnded = false;

  constructor(
    { common, background, contact }: { common: Common; background: Background; contact: string },
  ) {
    this.#common = common;
    this.#background = background;
    this.#contact = contact;
  }

  /** Asks about these logs from now on. */
  follow(counted: readonly Counted[], contact: string): void {
    const isSame = contact === this.#contact;
    this.#contact = contact;
    const before = this.#places;
    this.#places = new Map();
    for (const { log, policy: { witnesses } } of counted) {
      for (const url of new Set(witnesses.flatMap((witness) => urlOf(witness) ?? []))) {
        const known = this.#places.get(url) ?? (isSame ? before.get(url) : undefined);
        const place = known ?? this.#placeAt(url);
        const isAdded = this.#places.has(url);
        place.logs = isAdded ? [...place.logs, log] : [log];
        this.#places.set(url, place);
      }
    }
  }

  #placeAt(url: string): Place {
    const { world } = this.#common;
    // Those of a fleet must not ask all at once when it is started.
    const dueAt = world.clock.monotonic() + jittered(DUE_MS, world.random);
    const place = { url, logs: [], failing: new Map(), dueAt, failures: 0, isBusy: false };
    try {
      const fetcher = new HttpFetcher({ world, prefix: url, contact: this.#contact });
      return { ...place, fetcher };
    } catch (error) {
      // What a URL in a policy is for is not said there, so another kind of URL is no fault of it.
      if (!(error instanceof MalformedError)) throw error;
      return { ...place, fetcher: undefined };
    }
  }

  /** Why a witness could not be asked about a log the last time, if it could not. */
  failing(log: Log, witness: { readonly url?: string | undefined }): string | undefined {
    const url = urlOf(witness);
    return url === undefined ? undefined : this.#places.get(url)?.failing.get(log.id);
  }

  /** Asks whoever is due, until stopped. */
  async run(stop: Stop): Promise<void> {
    const { clock } = this.#common.world;
    stop.onStop(() => this.#isEnded = true);
    while (!stop.stopped) {
      for (const place of this.#places.values()) {
        if (place.isBusy || place.dueAt > clock.monotonic()) continue;
        place.isBusy = true;
        // Nobody waits for an answer when this daemon ends, only for what is done with it.
        this.#ask(place).catch((error) => this.#common.happenings.failed(error));
      }
      await stop.pause(clock, DUE_MS);
    }
  }

  /** Asks a place about each log, and says when it is due again. */
  async #ask(place: Place): Promise<void> {
    const { clock, random } = this.#common.world;
    let retryAfterMs: number | undefined;
    let hasFailed = false;
    try {
      for (const log of place.logs) {
        if (this.#isEnded) return;
        const failed = await this.#askAbout(log, place);
        if (failed === undefined) place.failing.delete(log.id);
        else place.failing.set(log.id, failed.reason);
        hasFailed ||= failed !== undefined;
        retryAfterMs = failed?.retryAfterMs;
        // It asked to be left alone for a while, and so it is, for all logs.
        if (retryAfterMs !== undefined) break;
      }
    } finally {
      place.isBusy = false;
      place.failures = hasFailed ? place.failures + 1 : 0;
      const { failures } = place;
      place.dueAt = clock.monotonic() +
        nextPollMs({ intervalMs: VIEW_MS, failures, retryAfterMs, random });
    }
  }

  /** @returns why it could not be asked, or what is wrong with its answer */
  async #askAbout(
    log: Log,
    { fetcher, url }: Place,
  ): Promise<{ reason: string; retryAfterMs?: number | undefined } | undefined> {
    if (fetcher === undefined) return { reason: "its URL is none that can be asked" };
    let note: Uint8Array | undefined;
    try {
      const path = `${encodeHex(sha256(utf8(log.origin)))}/checkpoint`;
      note = await fetcher.get(path, { maxBytes: MAX_NOTE_BYTES, conditional: true });
    } catch (error) {
      if (!(error instanceof SourceUnavailable)) throw error;
      return { reason: error.message, retryAfterMs: error.retryAfterMs };
    }
    // It has not cosigned this log yet.
    if (note === undefined || this.#isEnded) return undefined;
    const opened = openCheckpoint({ note, logs: [log] });
    if ("refused" in opened) {
      fetcher.forget?.();
      return { reason: `it shows no checkpoint of this log: ${opened.detail}` };
    }
    this.#background.run(() => this.#hear(opened, `${WITNESS_AT}${url}`));
    return undefined;
  }

  async #hear(shown: readonly VerifiedCheckpoint[], source: string): Promise<void> {
    const { keeper } = this.#common;
    const heard = shown.map((checkpoint) => keeper.judge.hearCheckpoint(checkpoint, source));
    await keeper.keep({ source });
    for (const one of heard) keeper.party.report.heard(one, source);
  }
}

/** The prefix under which a witness is asked, with one spelling for one place. */
function urlOf({ url }: { readonly url?: string | undefined }): string | undefined {
  return url?.replace(/\/+$/, "");
}
