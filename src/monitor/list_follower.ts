import { type LogList, MAX_LIST_BYTES, readLogList } from "../authority/log_list.ts";
import { base64, fileText, utf8 } from "../tlog/encoding.ts";
import { sha256 } from "../tlog/hashing.ts";
import { MalformedError, printable } from "../tlog/malformed.ts";
import { replaceDurably } from "../world/durable.ts";
import { HttpClient, type HttpResult } from "../world/http_client.ts";
import { nextPollMs } from "../world/pacing.ts";
import { readFully } from "../world/reading.ts";
import type { Stop } from "../world/stop.ts";
import { timeNow } from "../world/time.ts";
import { type Clock, type Files, type World, WorldError } from "../world/world.ts";

/** How often a list is fetched. */
export const LIST_MS = 3_600_000;
/** How soon it is tried again if that failed; twice as long after each further failure. */
const LIST_RETRY_MS = 60_000;
/** The longest wait for a whole list. */
const LIST_TIMEOUT_MS = 60_000;
/** The last good copy of a list, in the folder of the state. */
export const LIST_FILE = "witness-list.txt";
const PERMISSIONS = 0o644;
/** How many logs that were left out of a list are named. */
const MAX_DROPPED_TOLD = 10;
/** The line above the copy. Lists may have comments above their header. */
const FROM = /^# fetched from (\S+) at (\S+)\n/;
const MAX_FROM_BYTES = 4_096;

/** A list that cannot be had now; the message says why. */
export class ListUnavailable extends Error {}

/** What happened to a list. */
export type ListNews =
  /** it was read, and is used from now on */
  | { readonly url: string; readonly list: LogList; readonly copyOf?: string }
  /** it cannot be had; a copy is used that was fetched at this time, or there is none */
  | { readonly url: string; readonly problem: string; readonly copyOf: string | undefined };

/**
 * Fetches a list once.
 * @throws ListUnavailable
 */
export async function fetchList(
  { world, url, contact, known }: {
    world: Pick<World, "clock" | "http">;
    url: string;
    contact: string;
    /** The list that was read last. */
    known?: LogList["logs"] | undefined;
  },
): Promise<{ list: LogList; bytes: Uint8Array }> {
  const client = new HttpClient({ world, contact, timeoutMs: LIST_TIMEOUT_MS });
  let result: HttpResult;
  try {
    result = await client.get({ url, maxBytes: MAX_LIST_BYTES });
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    throw new ListUnavailable(printable(error.message));
  }
  if (result.kind !== "content") {
    const how = result.kind === "refused" ? `HTTP status ${result.status}` : "that it is not there";
    throw new ListUnavailable(`the server answers with ${how}`);
  }
  try {
    const text = fileText(result.body);
    return {
      list: await readGently(world.clock, { text, ...(known && { known }) }),
      bytes: result.body,
    };
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new ListUnavailable(error.message);
  }
}

/** Reads a list in steps, and lets everything else go on between them. @throws MalformedError */
export async function readGently(
  clock: Clock,
  given: Parameters<typeof readLogList>[0],
): Promise<LogList> {
  const reading = readLogList(given);
  for (;;) {
    const { done, value } = reading.next();
    if (done) return value;
    await new Promise<void>((resolve) => clock.after(0, resolve));
  }
}

/**
 * Follows a witness's list of logs at a URL. The last good list is kept on disk and used while there
 * is no other: a list that cannot be had, or is none, takes the witness from nobody.
 */
export class ListFollower {
  readonly #world: World;
  readonly #files: Files;
  readonly #url: string;
  readonly #path: string;
  readonly #contact: string;
  readonly #take: (logs: LogList["logs"]) => void;
  readonly #tell: (news: ListNews) => void;
  readonly #failed: (error: unknown) => void;
  /** SHA-256 of the list in use, and when it came: RFC 3339, UTC. */
  #used:
    | { readonly hash: string; readonly at: string; readonly logs: LogList["logs"] }
    | undefined;
  #problem: string | undefined;
  #failures = 0;
  #looking: Promise<void> | undefined;
  #isEnded = false;

  constructor(fields: {
    world: World;
    /** The door to the folder of the state. */
    files: Files;
    folder: string;
    url: string;
    contact: string;
    /** Is given the logs whenever they may have changed. */
    take: (logs: LogList["logs"]) => void;
    tell: (news: ListNews) => void;
    /** Is told what our own disk refused. */
    failed: (error: unknown) => void;
  }) {
    this.#world = fields.world;
    this.#files = fields.files;
    this.#url = fields.url;
    this.#path = `${fields.folder}/${LIST_FILE}`;
    this.#contact = fields.contact;
    this.#take = fields.take;
    this.#tell = fields.tell;
    this.#failed = fields.failed;
  }

  /** How the list stands, for the status. */
  get status(): { url: string; at?: string; problem?: string } {
    return {
      url: this.#url,
      ...(this.#used !== undefined && { at: this.#used.at }),
      ...(this.#problem !== undefined && { problem: this.#problem }),
    };
  }

  /** Takes up the copy on disk, if there is one of this URL. The network is not needed. */
  async open(): Promise<void> {
    const copy = await this.#readCopy();
    if (copy === undefined) return;
    try {
      const list = await readGently(this.#world.clock, { text: fileText(copy.bytes) });
      this.#used = { hash: base64(sha256(copy.bytes)), at: copy.at, logs: list.logs };
      this.#take(list.logs);
      this.#tell({ url: this.#url, list, copyOf: copy.at });
    } catch (error) {
      // It is fetched anew in a moment.
      if (!(error instanceof MalformedError)) throw error;
    }
  }

  /** Fetches the list now and then, until stopped. */
  async run(stop: Stop): Promise<void> {
    // What is under way is not waited for, and nothing comes of it.
    const stopped = new Promise<void>((resolve) =>
      stop.onStop(() => {
        this.#isEnded = true;
        resolve();
      })
    );
    while (!stop.stopped) {
      await Promise.race([this.look(), stopped]);
      const ms = nextPollMs({
        intervalMs: this.#failures === 0 ? LIST_MS : LIST_RETRY_MS,
        failures: this.#failures,
        random: this.#world.random,
      });
      await stop.pause(this.#world.clock, ms);
    }
  }

  /** Fetches the list once. Whoever asks meanwhile waits for the same answer. */
  look(): Promise<void> {
    return this.#looking ??= this.#look().finally(() => this.#looking = undefined);
  }

  async #look(): Promise<void> {
    const [world, url, contact] = [this.#world, this.#url, this.#contact];
    try {
      const known = this.#used?.logs;
      const { list, bytes } = await fetchList({ world, url, contact, known });
      if (this.#isEnded) return;
      const hash = base64(sha256(bytes));
      const isChanged = this.#used?.hash !== hash;
      const isNews = isChanged || this.#problem !== undefined;
      this.#problem = undefined;
      this.#failures = 0;
      this.#used = { hash, at: timeNow(world.clock), logs: isChanged ? list.logs : known! };
      if (isChanged) this.#take(list.logs);
      if (isNews) this.#tell({ url, list });
      if (isChanged) await this.#keepCopy(bytes, this.#used.at);
    } catch (error) {
      if (!(error instanceof ListUnavailable)) throw error;
      if (this.#isEnded) return;
      this.#failures++;
      const isNews = this.#problem !== error.message;
      this.#problem = error.message;
      if (isNews) this.#tell({ url, problem: error.message, copyOf: this.#used?.at });
    }
  }

  async #readCopy(): Promise<{ bytes: Uint8Array; at: string } | undefined> {
    try {
      const whole = await readWhole(this.#files, this.#path);
      const end = whole?.indexOf(0x0a) ?? -1;
      if (whole === undefined || end < 0 || end >= MAX_FROM_BYTES) return undefined;
      const [, url, at] = FROM.exec(new TextDecoder().decode(whole.subarray(0, end + 1))) ?? [];
      // Another list was configured before: it says nothing about this one.
      if (url !== this.#url || at === undefined) return undefined;
      return { bytes: whole.subarray(end + 1), at };
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      if (error.kind !== "not found") this.#failed(error);
      return undefined;
    }
  }

  async #keepCopy(bytes: Uint8Array, at: string): Promise<void> {
    const first = utf8(`# fetched from ${this.#url} at ${at}\n`);
    try {
      await replaceDurably({
        ...{ files: this.#files, path: this.#path, permissions: PERMISSIONS },
        content: async (file) => {
          await file.write(first, 0);
          await file.write(bytes, first.length);
        },
      });
    } catch (error) {
      this.#failed(error);
    }
  }
}

/** A file; nothing if it is longer than a copy can be. @throws WorldError */
async function readWhole(files: Files, path: string): Promise<Uint8Array | undefined> {
  const file = await files.open(path, "read");
  try {
    const size = await file.size();
    if (size > MAX_LIST_BYTES + MAX_FROM_BYTES) return undefined;
    const whole = new Uint8Array(size);
    return whole.subarray(0, await readFully(file, whole, 0));
  } finally {
    file.close();
  }
}

/**
 * The fields of the event that tells of a list that was read.
 * @param from its URL or path
 */
export function listFields(
  { from, list, copyOf }: { from: string; list: LogList; copyOf?: string | undefined },
): Readonly<Record<string, unknown>> {
  const { length } = list.dropped;
  const named = list.dropped.slice(0, MAX_DROPPED_TOLD);
  const detail = [
    ...(copyOf === undefined ? [] : [`this is the copy that was fetched at ${copyOf}`]),
    ...named,
  ];
  return {
    ...{ file: from, logs: list.logs.size, left_out: length },
    ...(detail.length > 0 && { detail: detail.join("; ") }),
  };
}
