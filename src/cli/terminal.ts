import { bold, cyan, dim, green, red, setColorEnabled, yellow } from "@std/fmt/colors";

const STYLES = { bold, dim, red, green, yellow, cyan };

/** A way to set text off for a person; without effect where nobody looks. */
export type Style = keyof typeof STYLES;

/** Where a command prints, and how it hears that it should stop. */
export interface Terminal {
  /** Prints one line of what was asked for. */
  out(line: string): void;
  /** Prints one line about the work itself. */
  err(line: string): void;
  /** Shows how far long work has come, on a terminal only; an empty text takes it away. */
  progress(text: string): void;
  /** The text in this style, where standard output is a terminal and NO_COLOR is not set. */
  paint(style: Style, text: string): string;
  /** Reads standard input into a buffer; how many bytes, 0 at the end. */
  read(buffer: Uint8Array): Promise<number>;
  /** Asks a person, and waits; nothing if nobody can answer. */
  ask(question: string): string | undefined;
  /** Calls `stop` once when the process is asked to end (SIGINT, SIGTERM). */
  onStop(stop: () => void): void;
  /** Calls `reload` whenever the process is asked to read its configuration again (SIGHUP). */
  onReload(reload: () => void): void;
  /** Lets go of what `onStop` and `onReload` hold. */
  release(): void;
  /** What of standard output could not be written, because a disk is full or the like. */
  readonly lost: LostOutput;
}

/** Lines of standard output that went nowhere. */
export interface LostOutput {
  /** Since the start. */
  readonly lines: number;
  /** Why the last of them did. */
  readonly reason: string | undefined;
  /** How many there were since this was called last, where lines can be written again. */
  takeNews(): number;
}

/** Where text is written; Deno's standard output and error are two of them. */
export interface Stream {
  /** Writes some of these bytes; how many. @throws whatever keeps it from writing any */
  writeSync(bytes: Uint8Array): number;
  isTerminal(): boolean;
}

/**
 * Writes whole lines to a stream. What cannot be written is counted, and the next line is tried all
 * the same: a disk that was full may have room again. A reader that has gone, as `head` does, is no
 * loss: nobody wants to read more.
 */
export class LineWriter implements LostOutput {
  readonly #stream: Stream;
  readonly #encoder = new TextEncoder();
  /** Whether the last line ends in the middle. */
  #isTorn = false;
  #hasGone = false;
  #news = 0;
  #isFailing = false;
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
    if (this.#hasGone) return;
    // What was torn is ended first, so that this line is one of its own.
    const bytes = this.#encoder.encode(`${this.#isTorn ? "\n" : ""}${text}\n`);
    let at = 0;
    try {
      while (at < bytes.length) at += this.#stream.writeSync(bytes.subarray(at));
      this.#isTorn = this.#isFailing = false;
    } catch (error) {
      this.#isTorn ||= at > 0;
      this.#hasGone = error instanceof Deno.errors.BrokenPipe;
      if (this.#hasGone) return;
      this.#isFailing = true;
      this.lines++;
      this.#news++;
      this.reason = error instanceof Error ? error.message : String(error);
    }
  }
}

/** The terminal, or the pipes, this process was started with. */
export function processTerminal(
  { stdout, stderr }: { stdout: Stream; stderr: Stream } = Deno,
): Terminal {
  const encoder = new TextEncoder();
  const colored = stdout.isTerminal() && !Deno.noColor;
  const interactive = stderr.isTerminal();
  setColorEnabled(colored);
  let shown = false;
  const [out, err] = [new LineWriter(stdout), new LineWriter(stderr)];
  const show = (text: string): void => {
    try {
      stderr.writeSync(encoder.encode(text));
    } catch {
      // How far work has come is nothing that must be read.
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
      if (text !== "") show(text.slice(0, Deno.consoleSize().columns - 1));
      shown = text !== "";
    },
    read: async (buffer) => await Deno.stdin.read(buffer) ?? 0,
    ask: (question) => Deno.stdin.isTerminal() ? prompt(question) ?? undefined : undefined,
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
