/**
 * The one door to the outside. Everything this program learns from or does to the world goes
 * through a World, so that a whole fleet of monitors can run in one process on simulated time,
 * network and disks, and a failure can be replayed from its seed. `denoWorld` is the real one.
 *
 * @module
 */
import type { SharedDatabases } from "./shared_database.ts";

/** All of the outside. */
export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly network: Network;
  readonly files: Files;
  readonly databases: Databases;
  readonly sharedDatabases: SharedDatabases;
  readonly http: Http;
  readonly signing: Signing;
  readonly mail: Mail;
  readonly commands: Commands;
  readonly passphrases: PassphraseKeys;
}

/** Time. */
export interface Clock {
  /** Wall clock time; it may jump. For what people read, never for measuring. */
  now(): Date;
  /** Milliseconds from some fixed point; it never goes back. For every wait and every limit. */
  monotonic(): number;
  /** Calls `run` once, after `ms` milliseconds, unless cancelled. */
  after(ms: number, run: () => void): Timer;
}

/** A call that is due later. */
export interface Timer {
  /** Drops the call; without effect once it was made. */
  cancel(): void;
}

/** Randomness. */
export interface Random {
  /** This many random bytes, fit for keys. */
  bytes(count: number): Uint8Array<ArrayBuffer>;
}

/** A TCP address: a host name or literal IP address, and a port (0 to listen on any free one). */
export interface Address {
  readonly hostname: string;
  readonly port: number;
}

/** TCP. */
export interface Network {
  /** @throws WorldError if the address cannot be listened on */
  listen(address: Address): Listener;
  /**
   * Connects; gives up after `timeoutMs`.
   * @throws WorldError if nobody answers there, or not in time
   */
  connect(address: Address, timeoutMs: number): Promise<Connection>;
}

/** A listening socket. */
export interface Listener {
  /** Where it listens; the port is the real one. */
  readonly address: Address;
  /**
   * The next connection, or nothing once the listener is closed.
   * @throws WorldError if this one could not be accepted; later ones may be: of kind `exhausted`
   *   if none can before something is let go of, otherwise because this one is broken
   */
  accept(): Promise<Connection | undefined>;
  close(): void;
}

/** One TCP connection. A pending read or write cannot be cancelled; closing ends it. */
export interface Connection {
  /** The other end. */
  readonly remote: Address;
  /**
   * Reads what has arrived into `buffer`, waiting if nothing has.
   * @returns how many bytes, at least 1; or nothing when the other end has finished sending
   * @throws WorldError if the connection broke or was closed here
   */
  read(buffer: Uint8Array): Promise<number | undefined>;
  /**
   * Writes all of `bytes`, waiting while the other end does not read.
   * @throws WorldError if the connection broke or was closed here
   */
  write(bytes: Uint8Array): Promise<void>;
  /** Says that nothing more will be sent, and keeps reading possible. */
  closeWrite(): Promise<void>;
  /** Ends the connection; a second call does nothing. */
  close(): void;
}

/** The file system. Nothing written is durable before it is synced, and its folder after a creation. */
export interface Files {
  /**
   * Opens an existing file.
   * @param mode `read`, or `write` to read and write; what is written goes where it is told
   * @throws WorldError, `not found` among its kinds
   */
  open(path: string, mode: "read" | "write"): Promise<OpenFile>;
  /**
   * Reads a whole file that is short. Nothing else runs meanwhile, which makes it several times as fast
   * as opening it: for who reads thousands of files and does nothing else.
   * @returns nothing if it is longer than `maxBytes`, or not an ordinary file
   * @throws WorldError, `not found` among its kinds
   */
  readShort(path: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * Creates a file, open for reading and writing.
   * @param permissions POSIX mode bits, such as 0o600
   * @throws WorldError, `already exists` among its kinds
   */
  create(path: string, permissions: number): Promise<OpenFile>;
  /** A path as it is written from any folder. It is not looked whether anything is there. */
  absolute(path: string): string;
  /** Creates a folder and the folders above it, where they are missing. */
  makeFolder(path: string): Promise<void>;
  /**
   * The names of what is in a folder, in no order.
   * @throws WorldError, `not found` among its kinds
   */
  list(path: string): Promise<string[]>;
  /**
   * What is in a folder, in no order. A symbolic link is told as a link, wherever it leads.
   * @throws WorldError, `not found` among its kinds
   */
  entries(path: string): Promise<readonly FolderEntry[]>;
  /**
   * What a path leads to, through symbolic links.
   * @throws WorldError, `not found` among its kinds
   */
  kindOf(path: string): Promise<PathKind>;
  /** Makes the entries of a folder (files created or removed in it) durable. */
  syncFolder(path: string): Promise<void>;
  /** @throws WorldError, `not found` among its kinds */
  remove(path: string): Promise<void>;
  /**
   * Gives a file another name in the same file system, taking the place of a file that has it: who
   * opens that name finds the one or the other, whole. Durable once the folder was synced.
   * @throws WorldError, `not found` among its kinds
   */
  rename(names: { from: string; to: string }): Promise<void>;
  /**
   * Which file or folder a path leads to now: see `OpenFile.identity`.
   * @throws WorldError, `not found` among its kinds
   */
  identity(path: string): Promise<string | undefined>;
}

/** What is at a path. A pipe, a socket or a device is something else. */
export type PathKind = "file" | "folder" | "something else";

/** One thing in a folder. */
export interface FolderEntry {
  readonly name: string;
  readonly kind: PathKind | "link";
}

/** One open file. */
export interface OpenFile {
  /** Whether it is an ordinary file, that can be read twice, and not a pipe or a device. */
  readonly isRegular: boolean;
  /** POSIX mode bits when it was opened; nothing where the system has none. */
  readonly permissions?: number | undefined;
  /**
   * Tells this file from every other one, whatever its name; nothing where the system cannot. A path
   * that leads to another identity no longer leads to this file.
   */
  readonly identity?: string | undefined;
  /** The user (POSIX uid) that owned it then; nothing where the system has none. */
  readonly owner?: number | undefined;
  /** Bytes it has now. */
  size(): Promise<number>;
  /**
   * Reads from `at` (bytes from the start) into `buffer`; files that are not regular are read on
   * from where they are, whatever `at` says.
   * @returns how many bytes; 0 at the end
   */
  read(buffer: Uint8Array, at: number): Promise<number>;
  /** Writes all of `bytes` at `at`; on an error some of them may have been written. */
  write(bytes: Uint8Array, at: number): Promise<void>;
  /** Cuts the file to `size` bytes. */
  truncate(size: number): Promise<void>;
  /** Waits until everything written is on the disk. */
  sync(): Promise<void>;
  /** Takes the file for this process alone, until it is closed; false if another has it. */
  tryLock(): Promise<boolean>;
  close(): void;
}

/** SQLite databases, for what is derived and can be made again. */
export interface Databases {
  /**
   * Opens a database file, making it where it is missing; `:memory:` is a new one without a file.
   * @throws WorldError if it cannot be opened, or is no database
   */
  open(path: string): Database;
  /**
   * Removes a closed database with the files SQLite keeps beside it; one that is missing is no error.
   * @throws WorldError
   */
  remove(path: string): void;
}

/** What a database holds: an INTEGER, up to 2^63-1, is read as bigint, whichever way it was given. */
export type SqlValue = null | string | number | bigint | Uint8Array;

/** One row, by the names of its columns. */
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** One open database. Every call is synchronous; all throw WorldError when SQLite refuses. */
export interface Database {
  /** Runs statements that have no parameters and give no rows. */
  exec(sql: string): void;
  /** Runs one statement with values for its `?`s. */
  run(sql: string, values?: readonly SqlValue[]): void;
  /** The first row of a query. */
  get(sql: string, values?: readonly SqlValue[]): SqlRow | undefined;
  /** All rows of a query. */
  all(sql: string, values?: readonly SqlValue[]): SqlRow[];
  /** Runs `work` so that all of it happens, or, if it throws, none. Not to be nested. */
  transaction<T>(work: () => T): T;
  /** A second call does nothing. */
  close(): void;
}

/** HTTP. */
export interface Http {
  /**
   * Asks for one resource, or posts something to it. A redirect is an answer like another; proxies come from the environment,
   * trust from the system. No coding of the content is asked for; gzip is undone where it comes.
   * @throws WorldError if nobody answers, not in time, or with more than `maxBytes`
   */
  request(request: HttpRequest): Promise<HttpResponse>;
  /**
   * The addresses a host name has, without brackets, at least one.
   * @throws WorldError if it has none, or they are not known in time
   */
  lookup(hostname: string, timeoutMs: number): Promise<readonly string[]>;
  /**
   * Answers requests until closed. What `answer` throws is told to the caller as a bare 500.
   * @param onLack told, for a person, when descriptors or memory lack to accept a connection; now and
   *   then only, and it goes on being tried
   * @throws WorldError if the address cannot be listened on
   */
  serve(
    address: Address,
    answer: (query: HttpQuery) => Promise<HttpAnswer>,
    onLack: (reason: string) => void,
  ): HttpServer;
}

/** What a caller asks of our HTTP server. */
export interface HttpQuery {
  readonly method: string;
  /** From the first slash, percent-encoded as it came; without what follows a question mark. */
  readonly path: string;
  /** What follows the question mark, percent-encoded as it came; empty if there is none. */
  readonly search: string;
  /** The other end of the connection it came over. */
  readonly caller: Address;
  /** The value of a header, by its lower-case name; until the answer is given. */
  header(name: string): string | undefined;
  /**
   * The content that comes with the request, once and before the answer is given. If it is longer than
   * `maxBytes`, or does not say how long it is, this rejects and the caller is told why.
   */
  content(maxBytes: number): Promise<Uint8Array>;
}

/** What our HTTP server answers. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Nothing for an answer without one, such as 304. */
  readonly body?: Uint8Array<ArrayBuffer>;
}

/** A running HTTP server. */
export interface HttpServer {
  /** Where it listens; the port is the real one. */
  readonly address: Address;
  /** Takes no more requests and waits for the answers under way. */
  close(): Promise<void>;
}

/** What to ask for, and what it may cost. */
export interface HttpRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What is sent, with POST. Without it the method is GET. */
  readonly content?: Uint8Array<ArrayBuffer>;
  /** For the whole answer. */
  readonly timeoutMs: number;
  /** The longest body taken, after decompression; a longer one is an error as soon as it is noticed. */
  readonly maxBytes: number;
  /**
   * An address to connect to in place of those that the URL's host name has, without brackets. Over
   * `http:` only: over `https:` the certificate says whether it is the host that was meant.
   */
  readonly address?: string;
}

/** An answer, whatever its status. */
export interface HttpResponse {
  readonly status: number;
  /** The value of a header, by its lower-case name. */
  header(name: string): string | undefined;
  /** Empty unless the status is 200. */
  readonly body: Uint8Array;
}

/** Mail, handed to a server by SMTP (RFC 5321). */
export interface Mail {
  /**
   * Sends a letter. It resolves when the server has taken it for all receivers.
   * @throws WorldError if nobody answers, not in time, or the server does not take it
   */
  send(letter: Letter): Promise<void>;
}

/** A letter, and the server that is to take it. */
export interface Letter {
  readonly server: Address;
  /** An address to connect to in place of the server's name, without brackets. */
  readonly address?: string;
  /** `on connect` (port 465), `starttls` (587), or `none`: in the clear. */
  readonly tls: "on connect" | "starttls" | "none";
  readonly login?: { readonly user: string; readonly password: string };
  readonly from: string;
  readonly to: readonly string[];
  /** One line. */
  readonly subject: string;
  /** For its Message-ID, without brackets. */
  readonly id: string;
  readonly text: string;
  readonly attachments: readonly Attachment[];
  readonly timeoutMs: number;
}

/** A file in a letter. */
export interface Attachment {
  readonly name: string;
  readonly type: string;
  readonly content: string;
}

/** Programs of this machine. */
export interface Commands {
  /**
   * Runs a program, without a shell, with no variables of the environment but PATH. What it prints on
   * standard output is not read. It is killed when its time is over.
   * @returns its exit code, and the start of what it printed on standard error
   * @throws WorldError if there is none (`not found`), or it was killed (`timed out`)
   */
  run(command: {
    /** The program and its arguments. */
    readonly argv: readonly string[];
    /** Its standard input. */
    readonly input: Uint8Array<ArrayBuffer>;
    readonly timeoutMs: number;
  }): Promise<{ readonly code: number; readonly said: string }>;
  /** Gives up the right to run any, for as long as this process lives. */
  renounce(): void;
}

/** Signing with keys of our own. Checking signatures is pure and needs no world. */
export interface Signing {
  /** The public key, 32 bytes, of an Ed25519 seed (RFC 8032 section 5.1.5), 32 bytes. */
  publicKey(seed: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
  /** An Ed25519 signature, 64 bytes. The seed is not to be changed after its first use. */
  sign(seed: Uint8Array<ArrayBuffer>, message: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
  /** The same with ML-DSA-44 (FIPS 204, empty context): a seed of 32 bytes, its `xi`. */
  readonly mlDsa44: {
    /** The public key, 1,312 bytes. */
    publicKey(seed: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>>;
    /** A signature, 2,420 bytes. */
    sign(seed: Uint8Array<ArrayBuffer>, message: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
  };
}

/** How costly a key is to make out of a passphrase, and so a passphrase to guess (scrypt, RFC 7914). */
export interface ScryptCost {
  /** N: how often memory is gone over; a power of two. */
  readonly N: number;
  /** Block size. */
  readonly r: number;
  /** How many times all of it is done. */
  readonly p: number;
}

/** Keys out of passphrases. */
export interface PassphraseKeys {
  /**
   * Makes a key out of a passphrase. It takes 128 * N * r bytes of memory, and happens beside the event
   * loop.
   * @param of.length bytes of the key
   * @throws WorldError if there is not enough memory
   */
  key(of: {
    readonly passphrase: Uint8Array;
    readonly salt: Uint8Array;
    readonly cost: ScryptCost;
    readonly length: number;
  }): Promise<Uint8Array>;
}

/** What kept the outside from doing as asked. */
export type WorldErrorKind =
  | "not found"
  | "already exists"
  | "not permitted"
  | "timed out"
  | "closed"
  | "too large"
  /** no descriptors or no memory left: it may pass, and is nobody's fault who connects */
  | "exhausted"
  | "other";

/** The outside did not do as asked. The message is the system's own. */
export class WorldError extends Error {
  constructor(readonly kind: WorldErrorKind, message: string) {
    super(message);
  }
}
