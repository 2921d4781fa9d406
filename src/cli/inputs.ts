/** Reads what commands are given: logs, keys, files. */
import { concat } from "@std/bytes/concat";
import { equals } from "@std/bytes/equals";
import type { Terminal } from "./terminal.ts";
import { type CosignerType, type CosigningKey, loadCosigningKey } from "../authority/cosigning.ts";
import { DEFAULT_LIMITS } from "../gossip/limits.ts";
import { DareRefused } from "../swarm/dare.ts";
import { looksSealed, openShort, WrongPassphrase } from "../swarm/sealed_file.ts";
import { fileText, markBytes, utf8, withoutMark } from "../tlog/encoding.ts";
import { describeLog, type Log, parseLogs } from "../tlog/log.ts";
import { MalformedError, quoted } from "../tlog/malformed.ts";
import { inMemory, READ_CHUNK_BYTES, readFully } from "../world/reading.ts";
import { loadSigner, PRIVATE_KEY_PREFIX, type Signer } from "../world/signer.ts";
import { type OpenFile, type PathKind, type World, WorldError } from "../world/world.ts";
import { SealedRefused, UsageError } from "./command.ts";

/** The default folder of the incident journal. */
export const DEFAULT_INCIDENTS = "incidents";

/**
 * Opens a file named on the command line that is read more than once.
 * @throws UsageError if there is no such file, or it is a pipe or a device
 */
export async function openRegular(world: World, path: string): Promise<OpenFile> {
  // Who opens a pipe waits for a writer, so this comes first.
  const kind = await kindOf(world, path);
  if (kind === "folder") throw notFile(path);
  if (kind === "something else") throw notRegular(path);
  const file = await openInput(world, path);
  if (file.isRegular) return file;
  file.close();
  throw notRegular(path);
}

function notRegular(path: string): UsageError {
  return new UsageError(
    `${quoted(path)} is a pipe or a device, and would be read twice: save it to a file first`,
  );
}

function notFile(path: string): UsageError {
  return new UsageError(`${quoted(path)} is a folder, expected a file`);
}

/** What is at a path; nothing if that cannot be known: whoever opens it finds out why. */
export async function kindOf({ files }: World, path: string): Promise<PathKind | undefined> {
  try {
    return await files.kindOf(path);
  } catch (error) {
    if (error instanceof WorldError) return undefined;
    throw error;
  }
}

/** Longest standard input that is kept in memory, to be read more than once. */
const MAX_STANDARD_INPUT_BYTES = 64 * 1024 * 1024;

/**
 * Opens a file that is read more than once; `-` is standard input, read whole into memory.
 * @throws UsageError, WorldError as `openRegular`; MalformedError if standard input is too long
 */
export async function openRereadable(
  { world, terminal, path }: { world: World; terminal: Terminal; path: string },
): Promise<OpenFile> {
  if (path !== "-") return await openRegular(world, path);
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const buffer = new Uint8Array(READ_CHUNK_BYTES);
    const count = await terminal.read(buffer);
    if (count === 0) return inMemory(concat(parts));
    parts.push(buffer.subarray(0, count));
    length += count;
    if (length > MAX_STANDARD_INPUT_BYTES) {
      throw new MalformedError(
        `standard input is too long: expected at most ${MAX_STANDARD_INPUT_BYTES} bytes`,
      );
    }
  }
}

/** What a person is told about the logs followed, if anything: one key that signs for several. */
export function sharedKeyNotice(logs: readonly Log[]): string | undefined {
  const shared = logs.filter(({ vkey }, i) =>
    logs.some((other, j) => i !== j && other.vkey.text === vkey.text)
  );
  if (shared.length === 0) return undefined;
  return `one key signs for several origins, which are judged separately: ${
    shared.map(describeLog).join(", ")
  }`;
}

/** The message for the operator when the last line of an incident journal was torn. */
export function tornNotice(tornFile: string): string {
  return `a crash cut off the last line of the incident journal; it was set aside in ${tornFile}`;
}

/** The longest private key file that is read. */
const MAX_KEY_BYTES = 4_096;

/**
 * The logs of `--log`.
 * @throws UsageError if there is none, MalformedError if one is wrong
 */
export function requireLogs(notations: readonly string[]): Log[] {
  if (notations.length > DEFAULT_LIMITS.maxFramesPerExchange) {
    throw new UsageError(
      `${notations.length} logs, expected at most ${DEFAULT_LIMITS.maxFramesPerExchange}`,
    );
  }
  if (notations.length === 0) {
    throw new UsageError('expected at least one --log LOG: a vkey, or "VKEY ORIGIN"');
  }
  // `--log "$(cat FILE)"` passes on a byte order mark that the file begins with.
  return parseLogs(notations.map(withoutMark));
}

/**
 * Opens a file named on the command line.
 * @throws UsageError if there is no such file, WorldError if it cannot be read
 */
export async function openInput(world: World, path: string): Promise<OpenFile> {
  try {
    return await world.files.open(path, "read");
  } catch (error) {
    if (error instanceof WorldError && error.kind === "not found") {
      throw new UsageError(`there is no file ${quoted(path)}`);
    }
    throw cannotRead(path, error);
  }
}

/**
 * Reads a whole small file named on the command line.
 * @param check called with the file before it is read
 * @throws UsageError if there is no such file or it is a folder, MalformedError if it is longer than
 *   `maxBytes`; whatever `check` throws
 */
export async function readInput({ world, path, maxBytes, check }: {
  world: World;
  path: string;
  maxBytes: number;
  check?: (file: OpenFile) => void;
}): Promise<Uint8Array> {
  const file = await openInput(world, path);
  try {
    if (!file.isRegular && await kindOf(world, path) === "folder") throw notFile(path);
    check?.(file);
    const buffer = new Uint8Array(maxBytes + 1);
    const filled = await readFully(file, buffer, 0);
    if (filled > maxBytes) {
      throw new MalformedError(`${quoted(path)} is too long: expected at most ${maxBytes} bytes`);
    }
    return buffer.subarray(0, filled);
  } catch (error) {
    throw cannotRead(path, error);
  } finally {
    file.close();
  }
}

/** Adds the path to the message of a WorldError. Other errors are returned as they are. */
export function cannotRead(path: string, error: unknown): unknown {
  return error instanceof WorldError
    ? new WorldError(error.kind, `cannot read ${quoted(path)}: ${error.message}`)
    : error;
}

/** Adds the path to the message of a WorldError, which names no file if the disk is full. */
export function cannotWrite(path: string, error: unknown): unknown {
  return error instanceof WorldError
    ? new WorldError(error.kind, `cannot write ${quoted(path)}: ${error.message}`)
    : error;
}

/** Does work that writes below a path. @throws as `work`; a WorldError names the path */
export async function writing<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw cannotWrite(path, error);
  }
}

/** Mode bits that let the group or others write a file, and read it. */
const [OTHERS_WRITE, OTHERS_READ] = [0o022, 0o044];

/** How a private key is loaded. */
export interface KeyReading {
  /** Called if others may read the file. */
  readonly onExposed?: ((mode: string) => void) | undefined;
  /** Where the passphrase of a sealed key comes from. Without it, a sealed key is refused. */
  readonly passphrases?: { toOpen(path: string): Promise<Uint8Array> } | undefined;
}

/**
 * Loads the private key of `--key`, which may be sealed.
 * @throws as `readKeyFile` and `signerFrom`
 */
export async function readKey(
  world: World,
  path: string,
  { onExposed, passphrases }: KeyReading = {},
): Promise<Signer> {
  const content = await readKeyFile(world, path, onExposed);
  return await signerFrom(world, { path, content, passphrases });
}

/**
 * Reads the file of a private key, and asks nobody.
 * @param onExposed called if others may read the key
 * @throws UsageError, MalformedError that names the file; also if others may write it, because whoever
 *   can put another key there can sign as this monitor
 */
export async function readKeyFile(
  world: World,
  path: string,
  onExposed: (mode: string) => void = () => {},
): Promise<Uint8Array> {
  let exposed: string | undefined;
  const check = ({ permissions = 0 }: OpenFile): void => {
    const mode = permissions.toString(8).padStart(4, "0");
    if ((permissions & OTHERS_WRITE) !== 0) {
      throw new MalformedError(
        `others may write the private key ${quoted(path)} (mode ${mode}), expected that only its ` +
          "owner may: make sure that the key is yours, then chmod 600",
      );
    }
    if ((permissions & OTHERS_READ) !== 0) exposed = mode;
  };
  const content = await readInput({ world, path, maxBytes: MAX_KEY_BYTES, check });
  // Others cannot use a sealed key.
  if (exposed !== undefined && !isSealedKey(content)) onExposed(exposed);
  return content;
}

/**
 * The key that a file holds. If it is sealed, a person may be asked for its passphrase.
 * @throws UsageError, MalformedError that names the file
 */
export async function signerFrom(
  world: World,
  { path, content, passphrases }: {
    path: string;
    content: Uint8Array;
    passphrases: KeyReading["passphrases"];
  },
): Promise<Signer> {
  const key = isSealedKey(content)
    ? await openKey(world, { path, sealed: content, passphrases })
    : content;
  try {
    const { signing } = world;
    return await loadSigner({ signing, privateKey: fileText(key) });
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`${quoted(path)}: ${error.message}`);
  }
}

/**
 * Reads the key of a witness. What is asked of the file is what `readKeyFile` asks.
 * @param reading.type what its type must be
 * @throws UsageError, MalformedError that names the file
 */
export async function readWitnessKey(
  world: World,
  path: string,
  { type, onExposed, passphrases }: KeyReading & { type: CosignerType },
): Promise<CosigningKey> {
  const content = await readKeyFile(world, path, onExposed);
  const text = isSealedKey(content)
    ? await openKey(world, { path, sealed: content, passphrases })
    : content;
  try {
    const { signing } = world;
    const key = await loadCosigningKey({ signing, privateKey: fileText(text) });
    if (key.vkey.type === type) return key;
    throw new MalformedError(
      `it is a witness key of type 0x0${key.vkey.type}, expected 0x0${type}: "key" is Ed25519 ` +
        '(0x04), "mldsaKey" is ML-DSA-44 (0x06)',
    );
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new MalformedError(`${quoted(path)}: ${error.message}`);
  }
}

function isSealedKey(content: Uint8Array): boolean {
  return !isKeyText(content) && looksSealed(content);
}

/** Whether a file holds a key as it is: a sealed one begins with random bytes. */
function isKeyText(bytes: Uint8Array): boolean {
  const start = utf8(PRIVATE_KEY_PREFIX);
  const text = bytes.subarray(markBytes(bytes));
  return equals(text.subarray(0, start.length), start);
}

async function openKey(world: World, { path, sealed, passphrases }: {
  path: string;
  sealed: Uint8Array;
  passphrases: KeyReading["passphrases"];
}): Promise<Uint8Array> {
  if (passphrases === undefined) throw new SealedRefused(path, "the key is sealed");
  try {
    return await openShort({ sealed, passphrase: await passphrases.toOpen(path), world });
  } catch (error) {
    throw refusedSealed(path, error);
  }
}

/** Names the file if it was sealed otherwise. Other errors are returned as they are. */
export function refusedSealed(path: string, error: unknown): unknown {
  return error instanceof WrongPassphrase || error instanceof DareRefused
    ? new SealedRefused(path, error.message)
    : error;
}
