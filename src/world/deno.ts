/**
 * The real world, on Deno.
 *
 * @module
 */
import { join } from "@std/path/join";
import { concat } from "@std/bytes/concat";
import { decodeHex } from "@std/encoding/hex";
import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { lookup } from "node:dns/promises";
import { gunzip, isGzip, MAX_GZIP_OVERHEAD_BYTES } from "./content_coding.ts";
import {
  type Address,
  type Clock,
  type Connection,
  type FolderEntry,
  type HttpRequest,
  type HttpResponse,
  type Listener,
  type OpenFile,
  type PathKind,
  type Timer,
  type World,
  WorldError,
} from "./world.ts";
import { runCommand } from "./commands.ts";
import { serveHttp } from "./http_server.ts";
import { sendMail } from "./mail.ts";
import { postgresDatabases } from "./postgres.ts";
import { scryptKeys } from "./scrypt.ts";
import { sqliteDatabases } from "./sqlite.ts";
import { worldError } from "./world_error.ts";

const clock: Clock = { now: () => new Date(), monotonic: () => performance.now(), after };

/** The real clock, randomness, network, files and keys. */
export function denoWorld(): World {
  return {
    clock,
    random: { bytes: (count) => crypto.getRandomValues(new Uint8Array(count)) },
    network: { listen, connect },
    files: {
      open: (path, mode) =>
        asWorldError(async () =>
          await openFile(await Deno.open(path, { read: true, write: mode === "write" }))
        ),
      absolute: (path) => path.startsWith("/") ? path : join(Deno.cwd(), path),
      readShort: (path, maxBytes) => asWorldError(() => Promise.resolve(readShort(path, maxBytes))),
      create: (path, mode) =>
        asWorldError(async () =>
          await openFile(await Deno.open(path, { read: true, write: true, createNew: true, mode }))
        ),
      makeFolder: (path) => asWorldError(() => Deno.mkdir(path, { recursive: true })),
      list: (path) =>
        asWorldError(async () => {
          const names: string[] = [];
          for await (const { name } of Deno.readDir(path)) names.push(name);
          return names;
        }),
      entries: (path) =>
        asWorldError(async () => {
          const entries: FolderEntry[] = [];
          for await (const entry of Deno.readDir(path)) {
            entries.push({ name: entry.name, kind: entry.isSymlink ? "link" : kindOf(entry) });
          }
          return entries;
        }),
      kindOf: (path) => asWorldError(async () => kindOf(await Deno.stat(path))),
      syncFolder: (path) =>
        asWorldError(async () => {
          using folder = await Deno.open(path);
          await folder.sync();
        }),
      remove: (path) => asWorldError(() => Deno.remove(path)),
      rename: ({ from, to }) => asWorldError(() => Deno.rename(from, to)),
      identity: (path) => asWorldError(async () => identityOf(await Deno.stat(path))),
    },
    databases: sqliteDatabases,
    sharedDatabases: postgresDatabases(clock),
    mail: { send: sendMail },
    commands: {
      run: runCommand,
      renounce: () => void Deno.permissions.revokeSync({ name: "run" }),
    },
    passphrases: scryptKeys,
    http: {
      request: httpRequest,
      lookup: httpLookup,
      serve: (address, answer, onLack) =>
        serveHttp({ listener: listen(address), clock, answer, onLack }),
    },
    signing: {
      async publicKey(seed) {
        // WebCrypto gives a private key's public half only in JWK form.
        const { x } = await crypto.subtle.exportKey("jwk", await importSeed(seed, true));
        return Uint8Array.fromBase64(x!, { alphabet: "base64url" });
      },
      // At once, which takes an eighth of the time of WebCrypto's way through another thread. The two
      // give the same: Ed25519 has no randomness.
      sign: (seed, message) => Promise.resolve(new Uint8Array(sign(null, message, keyOf(seed)))),
      mlDsa44: {
        async publicKey(seed) {
          const { pub } = await crypto.subtle.exportKey(
            "jwk",
            await importMlDsaSeed(seed, true),
          ) as {
            pub: string;
          };
          return Uint8Array.fromBase64(pub, { alphabet: "base64url" });
        },
        async sign(seed, message) {
          return new Uint8Array(
            await crypto.subtle.sign("ML-DSA-44", await mlDsaKeyOf(seed), message),
          );
        },
      },
    },
  };
}

/** The longest wait that setTimeout takes; it makes 1 ms of a longer one. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

function after(ms: number, run: () => void): Timer {
  let left = ms;
  let id: ReturnType<typeof setTimeout>;
  function wait(): void {
    const step = Math.min(left, MAX_TIMEOUT_MS);
    left -= step;
    id = setTimeout(left > 0 ? wait : run, step);
  }
  wait();
  return { cancel: () => clearTimeout(id) };
}

/** DER of a PKCS #8 Ed25519 key up to the seed (RFC 8410 section 7). */
const PKCS8_PREFIX = decodeHex("302e020100300506032b657004220420");

function importSeed(seed: Uint8Array, extractable: boolean): Promise<CryptoKey> {
  const der = new Uint8Array([...PKCS8_PREFIX, ...seed]);
  return crypto.subtle.importKey("pkcs8", der, "Ed25519", extractable, ["sign"]);
}

/** Keys that have signed, by the very array of their seed: to read one costs more than to sign. */
const signingKeys = new WeakMap<Uint8Array, KeyObject>();
const mlDsaKeys = new WeakMap<Uint8Array, Promise<CryptoKey>>();

function keyOf(seed: Uint8Array): KeyObject {
  const known = signingKeys.get(seed);
  if (known !== undefined) return known;
  const der = new Uint8Array([...PKCS8_PREFIX, ...seed]) as Uint8Array & string;
  const key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  signingKeys.set(seed, key);
  return key;
}

function mlDsaKeyOf(seed: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const key = mlDsaKeys.get(seed) ?? importMlDsaSeed(seed, false);
  mlDsaKeys.set(seed, key);
  return key;
}

function importMlDsaSeed(seed: Uint8Array<ArrayBuffer>, extractable: boolean): Promise<CryptoKey> {
  // The types of the platform do not know "raw-seed" yet.
  const format = "raw-seed" as "raw";
  return crypto.subtle.importKey(format, seed, "ML-DSA-44", extractable, ["sign"]);
}

function listen(address: Address): Listener {
  let listener: Deno.TcpListener;
  try {
    listener = Deno.listen(address);
  } catch (error) {
    throw worldError(error);
  }
  let open = true;
  const { hostname, port } = listener.addr;
  return {
    address: { hostname, port },
    async accept() {
      try {
        return connection(await listener.accept());
      } catch (error) {
        if (!open) return undefined;
        throw worldError(error);
      }
    },
    close() {
      if (open) listener.close();
      open = false;
    },
  };
}

async function connect(address: Address, timeoutMs: number): Promise<Connection> {
  const giveUp = new AbortController();
  const timer = setTimeout(() => giveUp.abort(), timeoutMs);
  try {
    return connection(await Deno.connect({ ...address, signal: giveUp.signal }));
  } catch (error) {
    if (giveUp.signal.aborted) {
      throw new WorldError("timed out", `no connection within ${timeoutMs} ms`);
    }
    throw worldError(error);
  } finally {
    clearTimeout(timer);
  }
}

function connection(socket: Deno.TcpConn): Connection {
  let open = true;
  const { hostname, port } = socket.remoteAddr;
  return {
    remote: { hostname, port },
    async read(buffer) {
      try {
        return await socket.read(buffer) ?? undefined;
      } catch (error) {
        throw open ? worldError(error) : new WorldError("closed", "closed here");
      }
    },
    async write(bytes) {
      try {
        for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
      } catch (error) {
        throw open ? worldError(error) : new WorldError("closed", "closed here");
      }
    },
    closeWrite: () => asWorldError(() => socket.closeWrite()),
    close() {
      if (open) socket.close();
      open = false;
    },
  };
}

function readShort(path: string, maxBytes: number): Uint8Array<ArrayBuffer> | undefined {
  const { isFile, size } = Deno.statSync(path);
  if (!isFile || size > maxBytes) return undefined;
  // What the system makes up as it is read has no size, and may have no end.
  const bytes = size === 0 ? new Uint8Array(0) : Deno.readFileSync(path);
  return bytes.length > maxBytes ? undefined : bytes;
}

function kindOf({ isFile, isDirectory }: { isFile: boolean; isDirectory: boolean }): PathKind {
  return isFile ? "file" : isDirectory ? "folder" : "something else";
}

/** The permission bits of a file's mode. The other bits give the file's type. */
const PERMISSION_BITS = 0o7777;

/** Device and inode; nothing where the system has no such numbers. */
function identityOf({ dev, ino }: Deno.FileInfo): string | undefined {
  return ino === null ? undefined : `${dev}:${ino}`;
}

/**
 * So much is written at once, and not by another thread: it only goes into the system's memory, and
 * the way through the other thread takes longer than that. To sync always takes that way.
 */
const AT_ONCE_BYTES = 64 * 1024;

async function openFile(file: Deno.FsFile): Promise<OpenFile> {
  const info = await file.stat();
  const { isFile, mode, uid } = info;
  let isLocked = false;
  // The system's own position in the file. A seek is needed only if it is another one.
  let position = 0;
  function seekTo(at: number): void {
    if (at !== position) file.seekSync(at, Deno.SeekMode.Start);
    position = at;
  }
  // These run one after the other. Nothing may move the position between a seek and its read or
  // write.
  let last: Promise<unknown> = Promise.resolve();
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = last.then(() => asWorldError(work));
    last = result.catch(() => {});
    return result;
  }
  return {
    isRegular: isFile,
    permissions: mode === null ? undefined : mode & PERMISSION_BITS,
    identity: identityOf(info),
    owner: uid ?? undefined,
    size: () => asWorldError(async () => (await file.stat()).size),
    read: (buffer, at) =>
      inTurn(async () => {
        if (isFile) seekTo(at);
        const count = await file.read(buffer) ?? 0;
        position += count;
        return count;
      }),
    write: (bytes, at) =>
      inTurn(async () => {
        seekTo(at);
        for (let done = 0; done < bytes.length;) {
          const rest = bytes.subarray(done);
          const isShort = isFile && rest.length <= AT_ONCE_BYTES;
          const count = isShort ? file.writeSync(rest) : await file.write(rest);
          done += count;
          position += count;
        }
      }),
    truncate: (size) => inTurn(() => file.truncate(size)),
    sync: () => inTurn(() => file.sync()),
    tryLock: async () => {
      isLocked = await asWorldError(() => file.tryLock(true));
      return isLocked;
    },
    close() {
      // The thread that wrote last, or a program that is started at this moment, may hold the file open
      // for a moment longer. Closing alone would leave the lock there for that long.
      if (isLocked) file.unlockSync();
      isLocked = false;
      file.close();
    },
  };
}

async function httpRequest(
  { url, headers, content, timeoutMs, maxBytes, address }: HttpRequest,
): Promise<HttpResponse> {
  const giveUp = new AbortController();
  const target = address === undefined ? new URL(url) : atAddress(url, address);
  // The request is made outside of the `try`. A malformed URL or header is a bug of ours, and no
  // outage.
  const request = new Request(target, {
    headers: {
      ...{ ...headers, "accept-encoding": "identity" },
      ...(address === undefined ? {} : { host: new URL(url).host }),
    },
    ...(content === undefined ? {} : { method: "POST", body: content }),
    redirect: "manual",
    signal: giveUp.signal,
  });
  const timer = setTimeout(() => giveUp.abort(), timeoutMs);
  // Turns what a platform's call throws into a WorldError. No code of ours runs inside the call.
  async function platform<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (error) {
      if (!giveUp.signal.aborted) throw worldError(reasonOf(error, target));
      throw new WorldError("timed out", `no answer within ${timeoutMs} ms`);
    }
  }
  // A client of its own is needed only if another host is named.
  const client = address === undefined ? undefined : Deno.createHttpClient({ allowHost: true });
  try {
    const response = await platform(() => fetch(request, client && { client }));
    const { status } = response;
    const header = (name: string): string | undefined => response.headers.get(name) ?? undefined;
    // The content of an error page is not read, however long it is.
    const isWanted = status === HTTP_OK && response.body !== null;
    if (!isWanted) await platform(async () => await response.body?.cancel());
    const body = isWanted
      ? await readBody(response.body!, { platform, maxBytes, coding: header("content-encoding") })
      : new Uint8Array(0);
    return { status, header, body };
  } finally {
    clearTimeout(timer);
    client?.close();
  }
}

const HTTP_OK = 200;

/** A body, decoded. */
async function readBody(
  stream: ReadableStream<Uint8Array>,
  { platform, maxBytes, coding }: {
    platform: <T>(call: () => Promise<T>) => Promise<T>;
    maxBytes: number;
    coding: string | undefined;
  },
): Promise<Uint8Array> {
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let isWhole = false;
  try {
    const isCoded = isGzip(coding);
    const most = maxBytes + (isCoded ? MAX_GZIP_OVERHEAD_BYTES : 0);
    for (let length = 0;;) {
      const { done, value } = await platform(() => reader.read());
      if (done) break;
      length += value.length;
      if (length > most) {
        throw new WorldError("too large", `the answer is longer than ${maxBytes} bytes`);
      }
      parts.push(value);
    }
    isWhole = true;
    return isCoded ? gunzip(concat(parts), maxBytes) : concat(parts);
  } finally {
    // A failed stream cannot be cancelled. Its error is reported already.
    if (!isWhole) await reader.cancel().catch(() => {});
  }
}

async function httpLookup(hostname: string, timeoutMs: number): Promise<string[]> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const late = new WorldError("timed out", `no address within ${timeoutMs} ms`);
    timer = setTimeout(() => reject(late), timeoutMs);
  });
  try {
    return await Promise.race([addressesOf(hostname), timeout]);
  } finally {
    clearTimeout(timer);
  }
}

async function addressesOf(hostname: string): Promise<string[]> {
  try {
    // This is the system's own look-up, which `fetch` uses too.
    return (await lookup(hostname, { all: true })).map(({ address }) => address);
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    if (error.code !== "EPERM") throw worldError(error);
    // Deno's word for it, as where a connection is not permitted.
    throw new WorldError("not permitted", `Requires net access to "${hostname}", all ports of it`);
  }
}

/** A URL with an address in place of its host name. */
function atAddress(url: string, address: string): URL {
  const target = new URL(url);
  const named = target.hostname;
  target.hostname = address.includes(":") ? `[${address}]` : address;
  if (target.hostname !== named) return target;
  // A URL ignores a host that it cannot hold, such as an address with a zone.
  throw new WorldError("other", `no URL leads to the address ${address}`);
}

/**
 * Why a fetch failed. The error's own message does not say it. Of the URL no more is left in it than
 * the host: the rest may be a secret, such as that of a webhook, and reasons are told to everyone.
 */
function reasonOf(error: unknown, { href, origin }: Pick<URL, "href" | "origin">): unknown {
  if (!(error instanceof Error)) return error;
  const { message } = error.cause instanceof Error ? error.cause : error;
  const said = message.replace(/^error sending request for url \(\S*\): /, "")
    .replaceAll(href, origin);
  return said === error.message ? error : new Error(said, { cause: error.cause });
}

async function asWorldError<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw worldError(error);
  }
}
