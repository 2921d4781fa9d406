/**
 * The journal of another monitor, as it is asked for over HTTP (PROTOCOL, "Federation"). Nothing that
 * comes is verified here; everything that comes is bounded.
 *
 * @module
 */
import { MalformedError, printable } from "../tlog/malformed.ts";
import { MAX_NOTE_BYTES } from "../tlog/note.ts";
import type { Vkey } from "../tlog/vkey.ts";
import { HttpClient, type HttpResult } from "../world/http_client.ts";
import { type World, WorldError } from "../world/world.ts";
import { StaticPublisher } from "./static_publisher.ts";
import {
  formatProofQuery,
  formatPush,
  formatRecordsQuery,
  type JournalStatus,
  MAX_HEAD_BYTES,
  MAX_PROBLEM_BYTES,
  MAX_RECORDS_BYTES,
  mirrorId,
  parseProvenHead,
  parsePushed,
  parseRecords,
  parseStatus,
  PATHS,
  type ProvenHead,
  type Push,
  type RecordsQuery,
} from "./wire.ts";

/** The longest wait for one answer. One has up to 4 MiB. */
export const ANSWER_TIMEOUT_MS = 60_000;

const NOT_FOUND = 404;

/** Gives the journal of one monitor. */
export interface Publisher {
  /** @throws PublisherUnavailable, MalformedError */
  status(): Promise<JournalStatus>;
  /** @throws PublisherUnavailable, MalformedError */
  proof(oldSize: bigint): Promise<ProvenHead>;
  /** Lines, without their newlines. @throws PublisherUnavailable, MalformedError */
  records(query: RecordsQuery): Promise<readonly Uint8Array[]>;
}

/** Takes the journal of this monitor. */
export interface Receiver {
  /**
   * The signed note of the journal of the monitor with this name up to which the receiver mirrors it.
   * @returns nothing if it mirrors none of it
   * @throws PublisherUnavailable
   */
  mirrored(name: string): Promise<Uint8Array | undefined>;
  /** @returns how many entries it holds now @throws PublisherUnavailable, MalformedError */
  push(push: Push): Promise<bigint>;
}

/** Nobody answers in time, or the answer is a refusal. It says nothing against the journal. */
export class PublisherUnavailable extends Error {
  /**
   * @param status of the answer, if there is one
   * @param retryAfterMs how long to wait, if it says so
   */
  constructor(message: string, readonly status?: number, readonly retryAfterMs?: number) {
    super(message);
  }
}

/**
 * A monitor's endpoints below one base URL. If there is no `status`, but a `checkpoint`, the journal is
 * served as static files alone, and read from these.
 */
export class HttpPublisher implements Publisher, Receiver {
  readonly #base: string;
  readonly #client: HttpClient;
  readonly #static: StaticPublisher;
  #isStatic = false;

  /**
   * @param base http(s) URL; paths are put behind it after one slash
   * @param contact who answers for the requests, for the User-Agent
   * @throws MalformedError if the contact cannot be used
   */
  constructor({ world, base, contact, vkey }: {
    world: Pick<World, "clock" | "http">;
    base: string;
    contact: string;
    /** Of the monitor whose journal is there. */
    vkey: Vkey;
  }) {
    this.#base = base.replace(/(?<!\/)\/*$/, "/");
    this.#client = new HttpClient({ world, contact, timeoutMs: ANSWER_TIMEOUT_MS });
    const get = (path: string, maxBytes: number): Promise<Uint8Array> => this.#get(path, maxBytes);
    this.#static = new StaticPublisher({ get, vkey });
  }

  async status(): Promise<JournalStatus> {
    try {
      const status = parseStatus(await this.#get(PATHS.status, MAX_HEAD_BYTES));
      this.#isStatic = false;
      return status;
    } catch (error) {
      if (!(error instanceof PublisherUnavailable) || error.status !== NOT_FOUND) throw error;
      const status = await this.#static.status();
      this.#isStatic = true;
      return status;
    }
  }

  async proof(oldSize: bigint): Promise<ProvenHead> {
    if (this.#isStatic) return await this.#static.proof(oldSize);
    const path = `${PATHS.consistencyProof}?${formatProofQuery(oldSize)}`;
    return parseProvenHead(await this.#get(path, MAX_HEAD_BYTES));
  }

  async records(query: RecordsQuery): Promise<readonly Uint8Array[]> {
    if (this.#isStatic) return await this.#static.records(query);
    const path = `${PATHS.records}?${formatRecordsQuery(query)}`;
    return parseRecords(await this.#get(path, MAX_RECORDS_BYTES));
  }

  async mirrored(name: string): Promise<Uint8Array | undefined> {
    const path = `${PATHS.mirrors}${mirrorId(name)}/${PATHS.checkpoint}`;
    const result = await this.#ask(
      path,
      (url) => this.#client.get({ url, maxBytes: MAX_NOTE_BYTES }),
    );
    return result.kind === "absent" ? undefined : this.#contentOf(path, result);
  }

  async push(push: Push): Promise<bigint> {
    const content = formatPush(push);
    const result = await this.#ask(
      PATHS.records,
      (url) => this.#client.post({ url, content, maxBytes: MAX_PROBLEM_BYTES }),
    );
    return parsePushed(this.#contentOf(PATHS.records, result));
  }

  async #get(path: string, maxBytes: number): Promise<Uint8Array> {
    const result = await this.#ask(path, (url) => this.#client.get({ url, maxBytes }));
    return this.#contentOf(path, result);
  }

  async #ask(
    path: string,
    ask: (url: string) => Promise<HttpResult>,
  ): Promise<HttpResult> {
    try {
      return await ask(this.#base + path);
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      const what = `${this.#where(path)}: ${printable(error.message)}`;
      // What is longer than anything it may answer is no outage.
      if (error.kind === "too large") throw new MalformedError(what);
      throw new PublisherUnavailable(what);
    }
  }

  #contentOf(path: string, result: HttpResult): Uint8Array {
    const where = this.#where(path);
    switch (result.kind) {
      case "content":
        return result.body;
      case "absent":
        throw new PublisherUnavailable(`${where}: there is nothing at this address`, NOT_FOUND);
      case "refused": {
        const { status, retryAfterMs } = result;
        const message = `${where}: it answers with HTTP status ${status}`;
        throw new PublisherUnavailable(message, status, retryAfterMs);
      }
      case "put off": {
        const message = `${where}: it asked to be asked again later`;
        throw new PublisherUnavailable(message, undefined, result.retryAfterMs);
      }
    }
  }

  #where(path: string): string {
    return printable(this.#base + path);
  }
}
