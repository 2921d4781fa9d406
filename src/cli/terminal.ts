import { Interrupted } from "./command.ts";
import { SecretLine } from "./secret_line.ts";
import { bold, cyan, dim, green, red, setColorEnabled, yellow } from "@std/fmt/colors";

const STYLES = { bold, dim, red, green, yellow, cyan };

/** A style of text, for a person at a terminal. */
export type Style = keyof typeof STYLES;

/** How a command prints, asks, and learns that it should stop. */
export interface Terminal {
  /** Prints one line of the result, on standard output. */
  out(line: string): void;
  /** Prints one line about the work itself, on standard error. */
  err(line: string): void;
  /** Shows the progress of long work, on a terminal only. An empty text removes it. */
  progress(text: string): void;
  /**
   * Shows these lines in place of those that the last call showed. What is no terminal gets them one
   * after another, with an empty line between.
   */
  redraw(lines: readonly string[]): void;
  /** How many columns wide standard output is; nothing if it is no terminal. */
  readonly columns: number | undefined;
  /** The text in this style, if standard output is a terminal and NO_COLOR is not set. */
  paint(style: Style, text: string): string;
  /** Reads standard input into a buffer; how many bytes, 0 at the end. */
  read(buffer: Uint8Array): Promise<number>;
  /** Asks a person, and waits; nothing if nobody can answer. */
  ask(question: string): string | undefined;
  /**
   * Asks a person for something that is not shown while it is typed, and waits; nothing if nobody can
   * answer. However this ends, the terminal shows again what is typed.
   * @throws Interrupted if the person, or a signal, ends the program meanwhile
   */
  askSecret(question: string): Promise<Uint8Array | undefined>;
  /** Calls `stop` once when the process is asked to end (SIGINT, SIGTERM). */
  onStop(stop: () => void): void;
  /** Calls `reload` whenever the process is asked to read its configuration again (SIGHUP). */
  onReload(reload: () => void): void;
  /** Removes the signal handlers of `onStop` and `onReload`. */
  release(): void;
  /** The lines of standard output that could not be written, for example because a disk is full. */
  readonly lost: LostOutput;
}

/** Lines of standard output that could not be written. */
export interface LostOutput {
  /** How many there were since the start. */
  readonly lines: number;
  /** Why the last of them could not be written. */
  readonly reason: string | undefined;
  /** Whether the reader has closed the pipe: nobody wants to read more. */
  readonly hasGone: boolean;
  /** How many there were since the last call. It is 0 as long as lines still cannot be written. */
  takeNews(): number;
}

/** A stream to write text to, such as Deno's standard output and standard error. */
export interface Stream {
  /** Writes some of these bytes. @returns how many @throws if it could not write any */
  writeSync(bytes: Uint8Array): number;
  isTerminal(): boolean;
}

/**
 * Writes whole lines to a stream. A line that cannot be written is counted as lost, and the next line
 * is tried: a disk that was full may have room again. If the reader has closed the pipe, as `head`
 * does, nothing counts as lost, because nobody wants to read more.
 */
export class LineWriter implements LostOutput {
  readonly #stream: Stream;
  readonly #encoder = new TextEncoder();
  /** Whether the last line was written in part only. */
  #isTorn = false;
  #news = 0;
  #isFailing = false;
  hasGone = false;
  lines = 0;
  reason: string | undefined;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** See LostOutput. */
  takeNews(): number {
    const news = this.#isFailing ? 0 : this.#news;
    if (!this.#isFailing) this.#news = 0;
    return news;
  }

  /** Writes a line, or counts it as lost. */
  line(text: string): void {
    if (this.hasGone) return;
    // A torn line is ended first, so that this text begins a line of its own.
    const bytes = this.#encoder.encode(`${this.#isTorn ? "\n" : ""}${text}\n`);
    let at = 0;
    try {
      while (at < bytes.length) at += this.#stream.writeSync(bytes.subarray(at));
      this.#isTorn = this.#isFailing = false;
    } catch (error) {
      this.#isTorn ||= at > 0;
      this.hasGone = error instanceof Deno.errors.BrokenPipe;
      if (this.hasGone) return;
      this.#isFailing = true;
      this.lines++;
      this.#news++;
      this.reason = error instanceof Error ? error.message : String(error);
    }
  }
}

/** Standard input, as far as a person types there. */
export interface Keyboard {
  isTerminal(): boolean;
  /** Whether each byte is given as it is typed, unshown and unedited. */
  setRaw(raw: boolean): void;
  read(buffer: Uint8Array): Promise<number | null>;
}

/** What ends the program while a person types, with the code that a shell reports for it. */
const ENDING_SIGNALS = [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const;

/** Reads a line that is not shown. */
async function readSecret(keyboard: Keyboard): Promise<Uint8Array | undefined> {
  const line = new SecretLine();
  const ended = Promise.withResolvers<never>();
  const handlers = ENDING_SIGNALS.map(([signal, code]) => {
    const handler = (): void => ended.reject(new Interrupted(code));
    Deno.addSignalListener(signal, handler);
    return { signal, handler };
  });
  try {
    keyboard.setRaw(true);
    for (const buffer = new Uint8Array(256);;) {
      const count = await Promise.race([keyboard.read(buffer), ended.promise]);
      if (count === null) return undefined;
      const state = line.take(buffer.subarray(0, count));
      buffer.fill(0);
      if (state === "interrupted") throw new Interrupted(130);
      if (state === "done") return line.bytes;
    }
  } finally {
    keyboard.setRaw(false);
    for (const { signal, handler } of handlers) Deno.removeSignalListener(signal, handler);
  }
}

/** How large a terminal is. */
type ConsoleSize = ReturnType<typeof Deno.consoleSize>;

/** The size of a terminal that does not say its own. */
const USUAL_SIZE = { columns: 80, rows: 24 };

function ownSize(): ConsoleSize {
  try {
    const { columns, rows } = Deno.consoleSize();
    return { columns: columns || USUAL_SIZE.columns, rows: rows || USUAL_SIZE.rows };
  } catch {
    return USUAL_SIZE;
  }
}

/** Shows text in place of the text before, in one write, so that nothing flickers. */
class Screen {
  /** How many lines were shown last, and how wide the terminal was. */
  #shown = { lines: 0, columns: 0 };

  /** What to write so that these lines are shown, as far as they fit. It ends before a line break. */
  frame(lines: readonly string[], { columns, rows }: ConsoleSize): string {
    const room = Math.max(1, rows - 1);
    const more = lines.length - room + 1;
    const fitting = lines.length <= room
      ? lines
      : [...lines.slice(0, room - 1), `… ${more} more lines: make the window taller`];
    const { lines: before, columns: width } = this.#shown;
    // Lines that a change of the width has broken are not where they were.
    const back = before === 0 ? "" : width === columns ? `\x1b[${before}A\r` : "\x1b[2J\x1b[H";
    this.#shown = { lines: fitting.length, columns };
    // A line is emptied before it is written: after a full line the cursor is on its last character.
    const text = fitting.map((line) => `\x1b[2K${line}`).join("\n");
    const left = Math.max(0, before - fitting.length);
    const emptied = left === 0 ? "" : "\n\x1b[2K".repeat(left) + `\x1b[${left}A`;
    // Lines that are too long are cut by the terminal: its wrapping is off until the text is written.
    return `${back}\x1b[?7l${text}${emptied}\x1b[?7h`;
  }
}

/** The terminal or pipes of this process. */
export function processTerminal(
  { stdout, stderr, stdin = Deno.stdin, size = ownSize }: {
    stdout: Stream;
    stderr: Stream;
    stdin?: Keyboard;
    size?: () => ConsoleSize;
  } = Deno,
): Terminal {
  const encoder = new TextEncoder();
  const isTerminal = stdout.isTerminal();
  const colored = isTerminal && !Deno.noColor;
  const interactive = stderr.isTerminal();
  setColorEnabled(colored);
  let shown = false;
  const screen = new Screen();
  const [out, err] = [new LineWriter(stdout), new LineWriter(stderr)];
  const show = (text: string): void => {
    try {
      stderr.writeSync(encoder.encode(text));
    } catch {
      // Progress is not important enough to fail for.
    }
  };
  const clear = (): void => {
    if (shown) show("\r\x1b[K");
    shown = false;
  };
  const handlers: [Deno.Signal, () => void][] = [];
  const listen = (signal: Deno.Signal, handler: () => void): void => {
    handlers.push([signal, handler]);
    Deno.addSignalListener(signal, handler);
  };
  return {
    lost: out,
    out(line) {
      clear();
      out.line(line);
    },
    err(line) {
      clear();
      err.line(line);
    },
    progress(text) {
      if (!interactive) return;
      clear();
      if (text !== "") show(text.slice(0, size().columns - 1));
      shown = text !== "";
    },
    read: async (buffer) => await Deno.stdin.read(buffer) ?? 0,
    get columns() {
      return isTerminal ? size().columns : undefined;
    },
    redraw(lines) {
      clear();
      if (isTerminal) return out.line(screen.frame(lines, size()));
      for (const line of [...lines, ""]) out.line(line);
    },
    ask: (question) => Deno.stdin.isTerminal() ? prompt(question) ?? undefined : undefined,
    async askSecret(question) {
      if (!stdin.isTerminal()) return undefined;
      clear();
      show(`${question} `);
      try {
        return await readSecret(stdin);
      } finally {
        // The end of the line was not shown either.
        show("\n");
      }
    },
    paint: (style, text) => colored ? STYLES[style](text) : text,
    onStop(stop) {
      listen("SIGINT", stop);
      listen("SIGTERM", stop);
    },
    onReload: (reload) => listen("SIGHUP", reload),
    release() {
      for (const [signal, handler] of handlers.splice(0)) {
        Deno.removeSignalListener(signal, handler);
      }
    },
  };
}
