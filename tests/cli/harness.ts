/** Runs commands in this process, on the real world, with what they print kept. */
import { runProgram } from "../../src/cli/program.ts";
import type { Tools } from "../../src/cli/command.ts";
import { answerHttp } from "../../src/web/http_server.ts";
import { answerFederation } from "../../src/web/federation_server.ts";
import { answerWitness } from "../../src/web/witness_server.ts";
import { LineWriter, type Stream, type Terminal } from "../../src/cli/terminal.ts";
import { type ConflictRecord, parseRecord } from "../../src/evidence/record.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { base64, utf8 } from "../../src/tlog/encoding.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { openCheckpoint } from "../../src/tlog/checkpoint.ts";
import { encodeHex } from "@std/encoding/hex";
import { grow, newLog } from "../evidence/histories.ts";
import { scryptKeys } from "../../src/world/scrypt.ts";
import type { PassphraseKeys, World } from "../../src/world/world.ts";

/** What a command came to. */
export interface Ran {
  readonly code: number;
  readonly out: string[];
  readonly err: string[];
}

/** A running command: what it printed so far, and how to end it. */
export interface Running {
  readonly out: string[];
  readonly err: string[];
  /** Resolves with the first printed line, on either stream, that matches. */
  line(pattern: RegExp): Promise<string>;
  /** Ends it as SIGTERM does. */
  stop(): void;
  /** Has it read its configuration again, as SIGHUP does. */
  reload(): void;
  readonly done: Promise<Ran>;
}

/**
 * Keys out of passphrases that cost next to nothing. What they cost otherwise, a fifth of a second, is
 * tested in `swarm/sealed_file_test.ts`, and by the commands that tests run as processes.
 */
export const CHEAP_KEYS: PassphraseKeys = {
  key: ({ cost, ...of }) => scryptKeys.key({ ...of, cost: { ...cost, N: 16 } }),
};

/**
 * Starts a command. A passphrase costs it next to nothing.
 * @param answers what a person says to its questions, in turn; then nobody answers any more
 * @param input standard input
 * @param stdout where the printed lines go as well; it may refuse them
 */
export function start(
  args: readonly string[],
  given: World = denoWorld(),
  answers: readonly string[] = [],
  input: Uint8Array = new Uint8Array(0),
  stdout: Stream = { writeSync: (bytes) => bytes.length, isTerminal: () => false },
): Running {
  const isReal = given.passphrases === scryptKeys;
  // The tests of this process run programs, whatever a command gives up.
  const commands = { ...given.commands, renounce: () => {} };
  const world = { ...given, commands, ...(isReal && { passphrases: CHEAP_KEYS }) };
  const left = [...answers];
  let taken = 0;
  const out: string[] = [];
  const err: string[] = [];
  const waiting: { pattern: RegExp; resolve: (line: string) => void }[] = [];
  let stop = (): void => {};
  let reload = (): void => {};
  const serveStatus: Tools["serveStatus"] = ({ address, onLack, ...answers }) =>
    world.http.serve(
      address,
      (query) => answerHttp(query, { hostname: address.hostname, ...answers }),
      onLack,
    );
  const serveFederation: Tools["serveFederation"] = ({ address, onLack, ...page }) =>
    world.http.serve(address, (query) => answerFederation(query, page), onLack);
  const serveWitness: Tools["serveWitness"] = ({ address, onLack, ...page }) =>
    world.http.serve(address, (query) => answerWitness(query, page), onLack);
  const print = (lines: string[], line: string): void => {
    lines.push(line);
    for (const { pattern, resolve } of waiting) if (pattern.test(line)) resolve(line);
  };
  const writer = new LineWriter(stdout);
  const terminal: Terminal = {
    lost: writer,
    out: (line) => {
      writer.line(line);
      print(out, line);
    },
    err: (line) => print(err, line),
    progress: () => {},
    columns: undefined,
    redraw: (lines) => [...lines, ""].forEach((line) => print(out, line)),
    paint: (_style, text) => text,
    read: (buffer) => {
      const part = input.subarray(taken, taken + Math.min(buffer.length, 1_000));
      taken += part.length;
      buffer.set(part);
      return Promise.resolve(part.length);
    },
    ask: () => left.shift(),
    askSecret: () => {
      const answer = left.shift();
      return Promise.resolve(answer === undefined ? undefined : utf8(answer));
    },
    onReload: (handler) => {
      reload = handler;
    },
    onStop: (handler) => {
      stop = handler;
    },
    release: () => {},
  };
  const done = runProgram(args, { world, terminal, serveStatus, serveWitness, serveFederation })
    .then((code) => ({
      code,
      out,
      err,
    }));
  return {
    out,
    err,
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const there = [...out, ...err].find((line) => pattern.test(line));
        if (there !== undefined) return resolve(there);
        waiting.push({ pattern, resolve });
        done.then(() =>
          reject(new Error(`ended without ${pattern}:\n${[...out, ...err].join("\n")}`))
        );
      }),
    stop: () => stop(),
    reload: () => reload(),
    done,
  };
}

/** Runs a command to its end. */
export function run(...args: string[]): Promise<Ran> {
  return start(args).done;
}

/** As `run`, with the keys that any other program makes of a passphrase. */
export function runAtFullCost(...args: string[]): Promise<Ran> {
  return start(args, { ...denoWorld(), passphrases: { ...scryptKeys } }).done;
}

/** Runs a test in an empty folder, which is removed afterwards. */
export function inFolder(name: string, test: (folder: string) => Promise<void>): void {
  Deno.test(name, async () => {
    const folder = Deno.makeTempDirSync({ prefix: "hearsay-test-" });
    try {
      await test(folder);
    } finally {
      Deno.removeSync(folder, { recursive: true });
    }
  });
}

/** Writes a file and gives its path. */
export function put(folder: string, name: string, content: string | Uint8Array): string {
  const path = `${folder}/${name}`;
  if (typeof content === "string") Deno.writeTextFileSync(path, content);
  else Deno.writeFileSync(path, content);
  return path;
}

/** Two stories of one log: equal up to `common`, apart up to `size`. */
export async function twoStories(
  { common, size }: { common: number; size: number },
): Promise<{ a: TestLog; b: TestLog; log: string }> {
  const a = grow(await newLog(), common);
  const b = a.fork();
  return { a: grow(a, size, "a"), b: grow(b, size, "b"), log: a.log.vkey.text };
}

/** JSON lines as `detect` reads them. */
export async function noteLine(log: TestLog, size: number, source?: string): Promise<string> {
  return JSON.stringify({ note: await log.checkpoint(BigInt(size)), source });
}

export async function frameOf(log: TestLog, size: number): Promise<Uint8Array> {
  const opened = openCheckpoint({ note: await log.checkpoint(BigInt(size)), logs: [log.log] });
  if ("refused" in opened) throw new Error(opened.detail);
  return opened[0]!.frame;
}

export async function frameLine(log: TestLog, size: number, source?: string): Promise<string> {
  return JSON.stringify({ frame: encodeHex(await frameOf(log, size)), source });
}

export function proofLine(log: TestLog, older: number, newer: number): string {
  const [from, to] = [BigInt(older), BigInt(newer)];
  const proof = log.consistencyProof({ older: from, newer: to }).map(base64);
  return JSON.stringify({
    log: log.log.vkey.text,
    older: { size: older, root: base64(log.root(from)) },
    newer: { size: `${newer}`, root: base64(log.root(to)) },
    proof,
  });
}

/** The conflict records a command printed with --json. */
export function recordsOf(out: readonly string[]): ConflictRecord[] {
  return out.map((line) => parseRecord(line));
}

/** Makes a key file and gives its path. */
export async function keyFile(folder: string, name = "monitor.invalid/test"): Promise<string> {
  const path = `${folder}/${name.replaceAll("/", "-")}.key`;
  const { code, err } = await run("keygen", name, "--out", path);
  if (code !== 0) throw new Error(err.join("\n"));
  return path;
}
