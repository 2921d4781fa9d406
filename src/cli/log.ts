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
import { writing } from "./inputs.ts";

const DEFAULT_HOST = "127.0.0.1";
/** The paths below which `serve --split` shows the first and the second history to everyone. */
const STORY_PREFIXES = ["/first/", "/other/"];
/** How many connections `serve --split` remembers. */
const MAX_CALLERS = 4_096;
/** The most entries that one `append --count` makes. */
const MAX_COUNT = 10_000_000;
/** Random bytes in made-up entries, so that no two appends make the same. */
const STORY_BYTES = 4;

/** `hearsay log`: a log to try things on. */
export const log: Command = {
  name: "log",
  summary: "make, grow, fork, rotate and serve a small test log",
  help: `hearsay log init DIR --origin NAME
hearsay log append DIR [--count N | TEXT…]
hearsay log fork DIR NEWDIR
hearsay log rotate DIR NEWDIR
hearsay log serve DIR --port P [--address HOST] [--split NEWDIR]

A small tlog-tiles log in a folder, for trials only: it signs whatever it is told.

  init    makes a log without entries, and prints the LOG to give to monitors. NAME is its origin;
          unless a word of it begins with "test", "test/" is put before it
  append  adds one entry for each TEXT, under one new checkpoint. Without TEXT it adds N made-up
          entries (default 1), which differ from those of any other append
  fork    copies the log as it is now, with its key. The copy can then grow into a second history
  rotate  copies the log as it is now, under a new key, and prints the new LOG. Monitors are told by
          "replaces" that it goes on there
  serve   answers HTTP requests with the checkpoint and tiles until SIGINT or SIGTERM. Entries may be
          appended meanwhile. With port 0 it takes any free port

  --address HOST  the address to listen on (default ${DEFAULT_HOST})
  --split NEWDIR  shows each new connection the log in DIR or the log in NEWDIR, in turns. Everyone
                  is shown the log in DIR below ${STORY_PREFIXES[0]} and the other below ${
    STORY_PREFIXES[1]
  }

Example:
  hearsay log init trial --origin test.example.com/log
  hearsay log append trial --count 5
  hearsay log fork trial other
  hearsay log append trial "as one sees it"
  hearsay log append other "as another sees it"
  hearsay log serve trial --port 8087 --split other
`,
  run([what, ...args], tools) {
    const run = SUBCOMMANDS.get(what ?? "");
    if (run === undefined) {
      const came = what === undefined ? "nothing" : quoted(what);
      throw new UsageError(`expected init, append, fork, rotate or serve; got: ${came}`);
    }
    return run(args, tools);
  },
};

const SUBCOMMANDS = new Map(Object.entries({ init, append, fork, rotate, serve }));

async function init(args: readonly string[], { world, terminal }: Tools): Promise<ExitCode> {
  const options = readOptions(args, { values: ["origin"], operands: ["DIR"] });
  const [folder] = options.operands as [string];
  const name = required(options, "origin");
  const origin = testOrigin(name);
  const made = await writing(folder, () => DiskLog.create({ world, folder, origin }));
  made.close();
  terminal.out(formatLog(made.log));
  if (origin !== name) {
    terminal.err(
      `The origin is ${printable(origin)}, so that nobody takes this for a real log.`,
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
    throw new UsageError("expected --count N or TEXT…; got both");
  }
  const held = await DiskLog.open({ world, folder });
  try {
    const entries = texts.length > 0
      ? texts.map(utf8)
      : madeUp({ world, first: held.treeSize, count: readCount(count ?? "1") });
    await writing(folder, () => held.append(entries));
    terminal.out(`size ${held.treeSize}, root ${base64(held.root())}`);
  } finally {
    held.close();
  }
  return EXIT.ok;
}

/** Made-up entries, each with its index. No other append makes the same ones, so that forks differ. */
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
    await writing(newFolder, () => held.fork(newFolder));
    terminal.out(`size ${held.treeSize}, root ${base64(held.root())}`);
  } finally {
    held.close();
  }
  return EXIT.ok;
}

async function rotate(args: readonly string[], { world, terminal }: Tools): Promise<ExitCode> {
  const { operands } = readOptions(args, { operands: ["DIR", "NEWDIR"] });
  const [folder, newFolder] = operands as [string, string];
  const held = await DiskLog.open({ world, folder });
  try {
    const made = await writing(newFolder, () => held.rotate({ world, folder: newFolder }));
    made.close();
    terminal.out(formatLog(made.log));
    terminal.err(
      `For monitors: this is the new LOG, at ${printable(newFolder)}; it replaces ` +
        formatLog(held.log),
    );
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

/** Chooses which history a caller is shown: callers in turns, and each caller always the same. */
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

/**
 * Checks that a folder has a tlog-tiles log. Its private key is not needed to serve it.
 * @throws UsageError if there is none
 */
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
