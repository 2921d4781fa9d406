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
  /** Asks a person, and waits; nothing if nobody can answer. */
  ask(question: string): string | undefined;
  /** Calls `stop` once when the process is asked to end (SIGINT, SIGTERM). */
  onStop(stop: () => void): void;
  /** Calls `reload` whenever the process is asked to read its configuration again (SIGHUP). */
  onReload(reload: () => void): void;
  /** Lets go of what `onStop` and `onReload` hold. */
  release(): void;
}

/** The terminal, or the pipes, this process was started with. */
export function processTerminal(): Terminal {
  const encoder = new TextEncoder();
  const colored = Deno.stdout.isTerminal() && !Deno.noColor;
  const interactive = Deno.stderr.isTerminal();
  setColorEnabled(colored);
  let shown = false;
  const broken = new Set<typeof Deno.stdout>();
  function write(stream: typeof Deno.stdout, text: string): void {
    const bytes = encoder.encode(text);
    try {
      for (let at = 0; at < bytes.length && !broken.has(stream);) {
        at += stream.writeSync(bytes.subarray(at));
      }
    } catch {
      // Whoever read our output has gone, as `head` does, or its disk is full. The exit code still
      // tells the result, and an outage of our output must not change it.
      broken.add(stream);
    }
  }
  const clear = (): void => {
    if (shown) write(Deno.stderr, "\r\x1b[K");
    shown = false;
  };
  const handlers: [Deno.Signal, () => void][] = [];
  const listen = (signal: Deno.Signal, handler: () => void): void => {
    handlers.push([signal, handler]);
    Deno.addSignalListener(signal, handler);
  };
  return {
    out(line) {
      clear();
      write(Deno.stdout, line + "\n");
    },
    err(line) {
      clear();
      write(Deno.stderr, line + "\n");
    },
    progress(text) {
      if (!interactive) return;
      clear();
      if (text !== "") write(Deno.stderr, text.slice(0, Deno.consoleSize().columns - 1));
      shown = text !== "";
    },
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
