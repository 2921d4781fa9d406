/** `hearsay status --watch`. */
import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { UsageError } from "../../src/cli/command.ts";
import { takeWatch } from "../../src/cli/status_watch.ts";
import { processTerminal } from "../../src/cli/terminal.ts";
import type { Status } from "../../src/monitor/status.ts";
import { run, start } from "./harness.ts";

const STATUS: Status = {
  name: "monitor.invalid/one",
  vkey: "v",
  listen: "127.0.0.1:9900",
  startedAt: "2026-01-01T03:05:03Z",
  now: "2026-01-02T03:05:03Z",
  incidents: 0,
  unwritten: false,
  logs: [],
  peers: [],
};

/** A daemon's status port that can go away and come back. */
class Port {
  told: Status = STATUS;
  asked = 0;
  #server: Deno.HttpServer<Deno.NetAddr> | undefined;
  port = 0;

  open(): void {
    const options = { hostname: "127.0.0.1", port: this.port, onListen: () => {} };
    this.#server = Deno.serve(options, () => {
      this.asked++;
      return Response.json(this.told);
    });
    this.port = this.#server.addr.port;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  async close(): Promise<void> {
    await this.#server?.shutdown();
    this.#server = undefined;
  }
}

async function withPort(test: (port: Port) => Promise<void>): Promise<void> {
  const port = new Port();
  port.open();
  try {
    await test(port);
  } finally {
    await port.close();
  }
}

Deno.test("status --watch: its seconds may be left out, follow, or be joined; and have bounds", () => {
  assertEquals(takeWatch(["a:1", "--json"]), { rest: ["a:1", "--json"], everyMs: undefined });
  for (
    const [args, everyMs] of [
      [["--watch"], 2_000],
      [["--watch", "5"], 5_000],
      [["--watch=0.5"], 500],
      [["--watch", "0.1"], 100],
      [["--watch", "3600"], 3_600_000],
    ] as const
  ) {
    assertEquals(takeWatch([...args, "a:1", "--all"]), { rest: ["a:1", "--all"], everyMs });
    assertEquals(takeWatch(["a:1", ...args]), { rest: ["a:1"], everyMs });
  }
  for (
    const bad of [
      "--watch=",
      "--watch=x",
      "--watch=0",
      "--watch=0.05",
      "--watch=3601",
      "--watch=1e2",
    ]
  ) {
    assertThrows(() => takeWatch([bad]), UsageError, "expected 0.1 to 3600 seconds");
  }
  for (const bad of ["0", "99999", ".", "1.2.3"]) {
    assertThrows(() => takeWatch(["--watch", bad]), UsageError);
  }
});

Deno.test("status --watch: one status after another in a pipe, and ends as the last one", async () => {
  await withPort(async (port) => {
    const watching = start(["status", port.address, "--watch", "0.1"]);
    await watching.line(/all is as it should be|only begun/);
    port.told = { ...STATUS, incidents: 1 };
    await watching.line(/1 PROVEN CASE/);
    watching.stop();
    const { code, out } = await watching.done;
    assertEquals(code, 1);
    assert(out.filter((line) => line === "").length >= 2, "an empty line between");
    assert(port.asked >= 2);
  });
});

Deno.test("status --watch --json: one line each time, and one that says that nobody answers", async () => {
  await withPort(async (port) => {
    const watching = start(["status", port.address, "--watch", "0.1", "--json"]);
    await watching.line(/"exit":0/);
    await port.close();
    await watching.line(/"error"/);
    watching.stop();
    const { code, out } = await watching.done;
    assertEquals(code, 3);
    const parsed = out.map((line) => JSON.parse(line));
    assertEquals([parsed[0].name, parsed.at(-1).exit], [STATUS.name, 3]);
    assertStringIncludes(parsed.at(-1).error, "no daemon answers at");
  });
});

Deno.test("status --watch: it goes on while the daemon is away, says so, and shows it again", async () => {
  await withPort(async (port) => {
    const watching = start(["status", port.address, "--watch", "0.1"]);
    await watching.line(/^monitor\.invalid/);
    await port.close();
    await watching.line(/^! {3}no daemon answers at /);
    await watching.line(/^ {4}It is asked again every 0\.1s\.$/);
    port.told = { ...STATUS, name: "monitor.invalid/back" };
    port.open();
    await watching.line(/^monitor\.invalid\/back/);
    watching.stop();
    assertEquals((await watching.done).code, 0);
  });
});

Deno.test("status --watch: a daemon that never answers does not keep it from ending", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const watching = start(["status", `127.0.0.1:${listener.addr.port}`, "--watch"]);
  const connection = await accepted;
  watching.stop();
  assertEquals((await watching.done).code, 3, "nothing was seen");
  // Its request is given up; the process would end now.
  connection.close();
  listener.close();
});

Deno.test("status --watch: wrong usage ends at once, as without it", async () => {
  for (
    const args of [["--watch", "0"], ["--watch", "a:1", "b:1"], ["--watch", "nowhere"], [
      "--watch",
      "--watch",
    ]]
  ) {
    assertEquals([(await run("status", ...args)).code, args], [2, args]);
  }
});

/** What a terminal shows after these bytes: the few sequences that are used, and no others. */
class Emulator {
  readonly rows: string[] = [""];
  #row = 0;
  #column = 0;
  wraps = true;
  /** How many rows the window has; what is above cannot be reached. */
  constructor(readonly height: number, readonly width: number) {}

  write(text: string): void {
    const [plain, ...rest] = text.split("\x1b[");
    this.#type(plain!);
    for (const part of rest) {
      const [sequence, digits, letter] = /^([\d;?]*)([A-Za-z])/.exec(part)!;
      this.#obey(digits!, letter!);
      this.#type(part.slice(sequence.length));
    }
  }

  #obey(digits: string, letter: string): void {
    const top = Math.max(0, this.rows.length - this.height);
    if (letter === "A") this.#row = Math.max(top, this.#row - Number(digits));
    else if (letter === "K") this.rows[this.#row] = "";
    else if (letter === "J" || letter === "H") {
      this.rows.splice(top);
      this.rows.push("");
      [this.#row, this.#column] = [top, 0];
    } else if (digits === "?7") this.wraps = letter === "h";
    else throw new Error(`a sequence that is not known: ${digits}${letter}`);
  }

  #type(text: string): void {
    for (const character of text) this.#put(character);
  }

  #put(character: string): void {
    if (character === "\r") this.#column = 0;
    else if (character === "\n") {
      [this.#row, this.#column] = [this.#row + 1, 0];
      if (this.#row === this.rows.length) this.rows.push("");
    } else {
      if (this.wraps && this.#column === this.width) throw new Error("a line was wrapped");
      const line = this.rows[this.#row]!.padEnd(this.#column);
      this.rows[this.#row] = line.slice(0, this.#column) + character + line.slice(this.#column + 1);
      // Without wrapping, what is too much is written over the last column.
      if (this.wraps || this.#column < this.width - 1) this.#column++;
    }
  }

  /** What is seen, without the empty rows at the end. */
  get seen(): string[] {
    const last = this.rows.findLastIndex((row) => row !== "");
    return this.rows.slice(0, last + 1);
  }

  /** Where the next line would be written. */
  get row(): number {
    return this.#row;
  }
}

/** A terminal of this size, and what it shows. */
function screen(size: { columns: number; rows: number }) {
  const emulator = new Emulator(size.rows, size.columns);
  const writes: string[] = [];
  const stdout = {
    isTerminal: () => true,
    writeSync: (bytes: Uint8Array) => {
      writes.push(new TextDecoder().decode(bytes));
      emulator.write(writes.at(-1)!);
      return bytes.length;
    },
  };
  const terminal = processTerminal({
    stdout,
    stderr: { ...stdout, isTerminal: () => false },
    size: () => size,
  });
  return { emulator, terminal, writes };
}

Deno.test("terminal: what is redrawn stands where it stood, whether it grows or shrinks", () => {
  const { emulator, terminal, writes } = screen({ columns: 20, rows: 10 });
  terminal.out("before");
  for (
    const lines of [["one", "twenty columns wide."], ["only"], ["1", "a longer second", "3"], [
      "x",
      "y",
      "z",
    ]]
  ) {
    terminal.redraw(lines);
    assertEquals([emulator.seen, emulator.row], [["before", ...lines], lines.length + 1]);
    assert(emulator.wraps, "the terminal is left as it was");
  }
  assertEquals(writes.length, 5, "one write each, so that nothing flickers");
});

Deno.test("terminal: what does not fit is cut, and said, and the rest is redrawn in place", () => {
  const { emulator, terminal } = screen({ columns: 10, rows: 5 });
  const many = Array.from({ length: 50 }, (_, i) => `line ${i} ${"x".repeat(40)}`);
  for (let i = 0; i < 3; i++) {
    terminal.redraw(many);
    assertEquals(emulator.rows.length, 5);
    assertEquals(emulator.rows.slice(0, 3), many.slice(0, 3).map((line) => line.slice(0, 9) + "x"));
    assertMatch(emulator.rows[3]!, /^… 47 more/);
  }
  terminal.redraw(["few"]);
  assertEquals([emulator.seen, emulator.row], [["few"], 1]);
});

Deno.test("terminal: a window that became narrower is drawn anew", () => {
  const size = { columns: 20, rows: 6 };
  const { emulator, terminal } = screen(size);
  terminal.redraw(["one", "two"]);
  size.columns = 10;
  terminal.redraw(["one", "two"]);
  assertEquals([emulator.seen, emulator.row], [["one", "two"], 2]);
});

Deno.test("terminal: a pipe gets the lines as they are, with an empty line between", () => {
  let written = "";
  const stdout = {
    isTerminal: () => false,
    writeSync: (bytes: Uint8Array) => {
      written += new TextDecoder().decode(bytes);
      return bytes.length;
    },
  };
  const terminal = processTerminal({ stdout, stderr: stdout });
  terminal.redraw(["a", "b"]);
  terminal.redraw(["c"]);
  assertEquals(written, "a\nb\n\nc\n\n");
});
