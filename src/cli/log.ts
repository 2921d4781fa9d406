import { base64, utf8 } from "../tlog/encoding.ts";
import { formatLog } from "../tlog/log.ts";
import { printable, quoted } from "../tlog/malformed.ts";
import { CHECKPOINT_FILE, readFile } from "../sources/disk_files.ts";
import { DiskLog, testOrigin } from "../sources/disk_log.ts";
import { answerFromDisk, type ServedLog } from "../sources/disk_server.ts";
import { formatAddress, parseAddress } from "../world/address.ts";
import {
  type Address,
  type Files,
  type HttpServer,
  type World,
  WorldError,
} from "../world/world.ts";
import {
  type Command,
  EXIT,
  type ExitCode,
  type Options,
  readOptions,
  type Tools,
  UsageError,
} from "./command.ts";

const DEFAULT_HOST = "127.0.0.1";
/** Where `serve --split` shows the first and the second history to everyone. */
const STORY_PREFIXES = ["/first/", "/other/"];
/** Connections remembered by `serve --split`. */
const MAX_CALLERS = 4_096;
/** Most entries of one `append --count`. */
const MAX_COUNT = 10_000_000;
/** Random bytes that set the made-up entries of one `append` apart from another's. */
const STORY_BYTES = 4;

/** `hearsay log`: a log to try things on. */
export const log: Command = {
  name: "log",
  summary: "make, grow, fork and serve a small test log",
  help: `hearsay log init DIR --origin NAME
hearsay log append DIR [--count N | TEXT…]
hearsay log fork DIR NEWDIR
hearsay log serve DIR --port P [--address HOST] [--split NEWDIR]

A small tlog-tiles log in a folder, for trials. It signs whatever it is told: not for anything real.

  init    makes a log without entries, and prints the LOG to give to monitors. NAME is its origin;
          unless a word of it begins with "test", "test/" is put before it
  append  adds entries, one a TEXT, under one new checkpoint; or N made-up ones (default 1), which
          differ from those of any other append
  fork    copies the log as it is now, with its key: a second history, to be grown apart
  serve   answers HTTP with checkpoint and tiles until SIGINT or SIGTERM; append as it runs. Port 0
          is any free one

  --address HOST  where to listen (default ${DEFAULT_HOST})
  --split NEWDIR  callers are shown the log in DIR or the one in NEWDIR, by turns, and the same one
                  as long as their connection lasts; below ${
    STORY_PREFIXES.join(" and ")
  } everyone is
                  shown the first and the second

Example:
  hearsay log init trial --origin test.example.com/log
  hearsay log append trial --count 5
  hearsay log fork trial other
  hearsay log append trial "as one sees it"
  hearsay log append other "as another sees it"
  hearsay log serve trial --port 8080 --split other
`,
  run([what, ...args], tools) {
    const run = SUBCOMMANDS.get(what ?? "");
    if (run === undefined) {
      const came = what === undefined ? "nothing" : quoted(what);
      throw new UsageError(`expected init, append, fork or serve; came: ${came}`);
    }
    return run(args, tools);
  },
};

const SUBCOMMANDS = new Map(Object.entries({ init, append, fork, serve }));

async function init(args: readonly string[], { world, terminal }: Tools): Promise<ExitCode> {
  const options = readOptions(args, { values: ["origin"], operands: ["DIR"] });
  const [folder] = options.operands as [string];
  const name = required(options, "origin");
  const origin = testOrigin(name);
  const made = await DiskLog.create({ world, folder, origin });
  made.close();
  terminal.out(formatLog(made.log));
  if (origin !== name) {
    terminal.err(
      `The origin is ${printable(origin)}, so that nobody takes what it signs for a real log's.`,
    );
  }
  return EXIT.ok;
}

async function append(args: readonly string[], { world, terminal }: Tools): Promise<ExitCode> {
  const options = readOptions(args, {
    values: ["count"],
    operands: ["DIR", "TEXT…"],
    leastOperands: 1,
  });
  const [folder, ...texts] = options.operands as [string, ...string[]];
  const count = options.value("count");
  if (count !== undefined && texts.length > 0) {
    throw new UsageError("expected --count N or TEXT…; both came");
  }
  const held = await DiskLog.open({ world, folder });
  try {
    const entries = texts.length > 0
      ? texts.map(utf8)
      : madeUp({ world, first: held.treeSize, count: readCount(count ?? "1") });
    await held.append(entries);
    terminal.out(`size ${held.treeSize}, root ${base64(held.root())}`);
  } finally {
    held.close();
  }
  return EXIT.ok;
}

/** Entries that say where they stand, and that no other append makes, so that forks differ. */
function* madeUp(
  { world, first, count }: { world: World; first: bigint; count: number },
): Generator<Uint8Array> {
  const story = world.random.bytes(STORY_BYTES).toHex();
  for (let i = 0; i < count; i++) yield utf8(`entry ${first + BigInt(i)} ${story}`);
}

function readCount(text: string): number {
  const count = /^[1-9]\d{0,8}$/.test(text) ? Number(text) : MAX_COUNT + 1;
  if (count > MAX_COUNT) {
    throw new UsageError(`--count is ${quoted(text)}, expected a number from 1 to ${MAX_COUNT}`);
  }
  return count;
}

async function fork(args: readonly string[], { world, terminal }: Tools): Promise<ExitCode> {
  const { operands } = readOptions(args, { operands: ["DIR", "NEWDIR"] });
  const [folder, newFolder] = operands as [string, string];
  const held = await DiskLog.open({ world, folder });
  try {
    await held.fork(newFolder);
    terminal.out(`size ${held.treeSize}, root ${base64(held.root())}`);
  } finally {
    held.close();
  }
  return EXIT.ok;
}

async function serve(args: readonly string[], { world, terminal }: Tools): Promise<ExitCode> {
  const options = readOptions(args, { values: ["port", "address", "split"], operands: ["DIR"] });
  const [folder] = options.operands as [string];
  const address = readListenAddress(options);
  const split = options.value("split");
  const { files } = world;
  const stories = split === undefined ? [folder] : [folder, split];
  for (const story of stories) await requireServable(files, story);
  const fixed = STORY_PREFIXES.slice(0, stories.length)
    .map((prefix, i) => ({ prefix, folder: stories[i]! }));
  const shownTo = chooser(stories);
  const logsFor = (caller: Address): ServedLog[] => [
    ...(split === undefined ? [] : fixed),
    { prefix: "/", folder: shownTo(formatAddress(caller)) },
  ];
  let server: HttpServer;
  try {
    server = world.http.serve(
      address,
      (query) => answerFromDisk({ query, files, logs: logsFor(query.caller) }),
      (reason) => terminal.err(`hearsay log serve: ${reason}`),
    );
  } catch (error) {
    if (!(error instanceof WorldError)) throw error;
    throw new WorldError(
      error.kind,
      `cannot listen on ${formatAddress(address)}: ${error.message}`,
    );
  }
  const stopped = new Promise<void>((resolve) => terminal.onStop(resolve));
  const root = `http://${formatAddress(server.address)}`;
  terminal.out(`serving ${stories.map(printable).join(" or ")} at ${root}/`);
  if (split !== undefined) {
    for (const { prefix, folder } of fixed) {
      terminal.out(`serving ${printable(folder)} at ${root}${prefix}`);
    }
  }
  try {
    await stopped;
  } finally {
    terminal.release();
    await server.close();
  }
  return EXIT.ok;
}

/** Which of these a caller is shown: by turns, and always the same one. */
function chooser(stories: readonly string[]): (caller: string) => string {
  const shown = new Map<string, string>();
  let next = 0;
  return (caller) => {
    const story = shown.get(caller) ?? stories[next++ % stories.length]!;
    shown.set(caller, story);
    if (shown.size > MAX_CALLERS) shown.delete(shown.keys().next().value!);
    return story;
  };
}

/** Whether there is anything to serve; any tlog-tiles log will do, also one whose key we lack. */
async function requireServable(files: Files, folder: string): Promise<void> {
  try {
    await readFile({ files, folder, path: CHECKPOINT_FILE });
  } catch (error) {
    if (!(error instanceof WorldError && error.kind === "not found")) throw error;
    throw new UsageError(`there is no log in ${quoted(folder)}`);
  }
}

function readListenAddress(options: Options): { hostname: string; port: number } {
  const host = options.value("address") ?? DEFAULT_HOST;
  return parseAddress(`${host.includes(":") ? `[${host}]` : host}:${required(options, "port")}`);
}

function required(options: Options, name: string): string {
  const value = options.value(name);
  if (value === undefined) throw new UsageError(`--${name} is missing`);
  return value;
}
