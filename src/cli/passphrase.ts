/** Where the passphrase of a sealed file comes from: a file, or a person at the terminal. */
import { markBytes, utf8 } from "../tlog/encoding.ts";
import { quoted } from "../tlog/malformed.ts";
import type { World } from "../world/world.ts";
import { equals } from "@std/bytes/equals";
import { type Options, UsageError } from "./command.ts";
import { readInput } from "./inputs.ts";
import { MAX_PASSPHRASE_BYTES } from "./secret_line.ts";
import type { Terminal } from "./terminal.ts";

/** The option that names a file with a passphrase. */
export const PASSPHRASE_FILE = "passphrase-file";

/**
 * The help lines about this option, for commands that load a key.
 * @param column where their texts begin
 */
export function passphraseHelp(column: number): string {
  const lines = [
    "if the key is sealed: its passphrase is the first line of FILE.",
    "Without it the terminal asks",
  ];
  return [`  --${PASSPHRASE_FILE} FILE`, ...lines.map((line) => " ".repeat(column) + line)].join(
    "\n",
  );
}

/** Longest passphrase file that is read: only its first line counts. */
const MAX_FILE_BYTES = 65_536;
/** The mode bit that lets everybody read a file. */
const ALL_READ = 0o004;
const [NEWLINE, RETURN] = utf8("\n\r") as unknown as [number, number];

/** The passphrases that one command needs. */
export class Passphrases {
  readonly #world: World;
  readonly #terminal: Terminal;
  readonly #file: string | undefined;
  /** What a person has typed. A daemon opens its key again when its configuration has changed. */
  #typed: Uint8Array | undefined;
  #mayAsk = true;

  constructor(
    { world, terminal, options }: { world: World; terminal: Terminal; options?: Options },
  ) {
    this.#world = world;
    this.#terminal = terminal;
    this.#file = options?.value(PASSPHRASE_FILE);
  }

  /** From now on nobody is asked: nobody sits before a daemon that runs. */
  stopAsking(): void {
    this.#mayAsk = false;
  }

  /**
   * The passphrase to open a file with.
   * @throws UsageError if it is empty or too long, or nobody can be asked
   */
  async toOpen(path: string): Promise<Uint8Array> {
    if (this.#file !== undefined) return await this.#fromFile(this.#file);
    return this.#typed ??= await this.#ask(`Passphrase of ${quoted(path)}:`);
  }

  /** A passphrase to seal a file with. A person types it twice. @throws UsageError as `toOpen` */
  async toSeal(path: string): Promise<Uint8Array> {
    if (this.#file !== undefined) return await this.#fromFile(this.#file);
    const typed = await this.#ask(`Passphrase to seal ${quoted(path)} with:`);
    const again = await this.#ask("The same again:");
    if (!equals(typed, again)) throw new UsageError("the two passphrases differ");
    return typed;
  }

  async #ask(question: string): Promise<Uint8Array> {
    const typed = this.#mayAsk ? await this.#terminal.askSecret(question) : undefined;
    if (typed !== undefined) return expectPassphrase(typed, "the passphrase");
    throw new UsageError(
      "a passphrase is needed, and there is no terminal to ask on: name a file that has it in its " +
        `first line with --${PASSPHRASE_FILE}`,
    );
  }

  async #fromFile(path: string): Promise<Uint8Array> {
    const bytes = await readInput({
      ...{ world: this.#world, path, maxBytes: MAX_FILE_BYTES },
      check: ({ permissions = 0 }) => {
        if ((permissions & ALL_READ) === 0) return;
        this.#terminal.err(`everybody may read the passphrase in ${quoted(path)}: chmod 600`);
      },
    });
    const text = bytes.subarray(markBytes(bytes));
    const end = text.indexOf(NEWLINE);
    const line = end < 0 ? text : text.subarray(0, end);
    const isDos = line.at(-1) === RETURN;
    return expectPassphrase(
      isDos ? line.subarray(0, -1) : line,
      `the first line of ${quoted(path)}`,
    );
  }
}

function expectPassphrase(bytes: Uint8Array, what: string): Uint8Array {
  if (bytes.length === 0) throw new UsageError(`${what} is empty, expected a passphrase`);
  if (bytes.length <= MAX_PASSPHRASE_BYTES) return bytes;
  throw new UsageError(`${what} is too long: expected at most ${MAX_PASSPHRASE_BYTES} bytes`);
}
