/** What a person types unshown: its editing, and the terminal around it. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { MAX_PASSPHRASE_BYTES, SecretLine } from "../../src/cli/secret_line.ts";
import { utf8 } from "../../src/tlog/encoding.ts";
import { processTerminal } from "../../src/cli/terminal.ts";
import { Interrupted } from "../../src/cli/command.ts";
import { PYTHON, pythonTest } from "../python.ts";
import { put, runAtFullCost } from "./harness.ts";
import { makeLog, makeMonitor } from "./monitors.ts";

function typed(keys: string): [string, string] {
  const line = new SecretLine();
  const state = line.take(utf8(keys));
  return [state, new TextDecoder().decode(line.bytes)];
}

Deno.test("secret line: it ends with the first end of line, and can be corrected", () => {
  assertEquals(typed("open"), ["typing", "open"]);
  for (const end of ["\r", "\n", "\x04"]) assertEquals(typed(`open${end}more`), ["done", "open"]);
  assertEquals(typed("opex\x7fn\r"), ["done", "open"]);
  assertEquals(
    typed("öß€\b\b\x7f\x7fx\r"),
    ["done", "x"],
    "a character of several bytes goes whole",
  );
  assertEquals(typed("wrong\x15open\r"), ["done", "open"]);
  assertEquals(typed("op\x1a\x1c\x00en\t\r"), ["done", "open"], "no control character counts");
  assertEquals(typed("\r"), ["done", ""]);
});

Deno.test("secret line: Ctrl-C interrupts it", () => {
  assertEquals(typed("ope\x03n\r")[0], "interrupted");
});

Deno.test("secret line: one that is too long is kept as too long, and grows no further", () => {
  const bytes = (length: number): number => {
    const line = new SecretLine();
    line.take(utf8("x".repeat(length)));
    return line.bytes.length;
  };
  assertEquals(bytes(MAX_PASSPHRASE_BYTES), MAX_PASSPHRASE_BYTES);
  assertEquals(bytes(MAX_PASSPHRASE_BYTES + 1), MAX_PASSPHRASE_BYTES + 1);
  assertEquals(bytes(MAX_PASSPHRASE_BYTES + 1_000), MAX_PASSPHRASE_BYTES + 1);
});

/** A keyboard on which these are typed; `undefined` at the end of input, an error if it breaks. */
class FakeKeyboard {
  readonly raw: boolean[] = [];
  readonly #typed: (string | Error)[];

  constructor(...typed: (string | Error)[]) {
    this.#typed = typed;
  }

  isTerminal(): boolean {
    return true;
  }

  setRaw(raw: boolean): void {
    this.raw.push(raw);
  }

  read(buffer: Uint8Array): Promise<number | null> {
    const next = this.#typed.shift();
    if (next instanceof Error) return Promise.reject(next);
    if (next === undefined) return Promise.resolve(null);
    buffer.set(utf8(next));
    return Promise.resolve(utf8(next).length);
  }
}

/** A terminal with this keyboard, and what was shown there. */
function terminalWith(stdin: FakeKeyboard) {
  const shown: string[] = [];
  const stream = {
    isTerminal: () => true,
    writeSync(bytes: Uint8Array): number {
      shown.push(new TextDecoder().decode(bytes));
      return bytes.length;
    },
  };
  return { terminal: processTerminal({ stdout: stream, stderr: stream, stdin }), shown };
}

Deno.test("terminal: raw mode ends whichever way the typing ends", async () => {
  const whole = new FakeKeyboard("op", "en\r");
  const { terminal, shown } = terminalWith(whole);
  assertEquals(new TextDecoder().decode(await terminal.askSecret("Passphrase:")), "open");
  assertEquals([whole.raw, shown.join("")], [[true, false], "Passphrase: \n"]);

  const ended = new FakeKeyboard("op");
  assertEquals(await terminalWith(ended).terminal.askSecret("?"), undefined);
  assertEquals(ended.raw, [true, false]);

  const interrupted = new FakeKeyboard("op\x03");
  const error = await assertRejects(
    () => terminalWith(interrupted).terminal.askSecret("?"),
    Interrupted,
  );
  assertEquals([error.code, interrupted.raw], [130, [true, false]]);

  const broken = new FakeKeyboard("op", new Error("gone"));
  await assertRejects(() => terminalWith(broken).terminal.askSecret("?"), Error, "gone");
  assertEquals(broken.raw, [true, false]);
});

interface Typing {
  readonly code: number;
  readonly shown: string;
  /** Whether what is typed is shown, and whether lines are edited: before, when asked, and after. */
  readonly before: boolean[];
  readonly asked_in: boolean[][];
  readonly after: boolean[];
}

/** What is waited for, what is typed then, and whether it is shown (by default not). */
type Step = readonly [wanted: string, typed: string | null, isShown?: boolean];

/** Runs a command on a terminal of its own; see typing.py. */
async function onTerminal(
  args: readonly string[],
  steps: readonly Step[],
  signal?: Deno.Signal,
): Promise<Typing> {
  const root = new URL("../../", import.meta.url).pathname;
  const program = [Deno.execPath(), "run", "--no-check", "--frozen", "--no-prompt"];
  const permissions = ["--allow-read", "--allow-write", "--allow-net=127.0.0.1"];
  const command = [...program, ...permissions, `${root}main.ts`, ...args];
  const typing = new Deno.Command(PYTHON, {
    args: [
      `${root}tests/cli/typing.py`,
      ...[JSON.stringify(command), JSON.stringify(steps)],
      ...(signal === undefined ? [] : [signal]),
    ],
    cwd: root,
  });
  const { stdout, stderr } = await typing.output();
  const said = new TextDecoder().decode(stdout);
  assert(said !== "", new TextDecoder().decode(stderr));
  return JSON.parse(said);
}

/** Asserts that nothing typed was shown, and that the terminal is as it was. */
function assertUnshown({ shown, before, asked_in, after }: Typing, secret: string): void {
  assertEquals(before, [true, true]);
  assertEquals(asked_in[0], [false, false]);
  assertEquals(after, [true, true], shown);
  assert(!shown.includes(secret), shown);
}

const ASKED = "Passphrase to seal";

pythonTest("terminal: a passphrase is typed twice, and not shown", async (folder) => {
  const path = put(folder, "file", "text");
  const steps = [[ASKED, "sesame\r"], ["The same again", "sesame\r"]] as Step[];
  const sealed = await onTerminal(["seal", path], steps);
  assertUnshown(sealed, "sesame");
  assertEquals(sealed.code, 0, sealed.shown);
  assert(sealed.shown.includes(`is sealed in ${path}.sealed`), sealed.shown);
  const opening = ["open", `${path}.sealed`, "--out", `${folder}/opened`];
  const wrong = await onTerminal(opening, [["Passphrase of", "barley\r"]]);
  assertUnshown(wrong, "barley");
  assertEquals(wrong.code, 2, wrong.shown);
  const file = put(folder, "passphrase", "sesame");
  assertEquals((await runAtFullCost(...opening, "--passphrase-file", file)).code, 0);
  assertEquals(Deno.readTextFileSync(`${folder}/opened`), "text");
});

pythonTest(
  "terminal: a daemon asks for its key's passphrase, and then runs as ever",
  async (folder) => {
    const { dir, log } = await makeLog(`${folder}/log`, 5);
    const config = await makeMonitor(`${folder}/one`, { log, source: dir });
    const key = `${folder}/one/monitor.key`;
    const file = put(folder, "passphrase", "sesame");
    await runAtFullCost("seal", key, "--out", key, "--overwrite", "--passphrase-file", file);
    // The terminal edits again, so it makes a signal of Ctrl-C.
    const ran = await onTerminal(["run", "--config", config], [
      ["Passphrase of", "sesame\r"],
      [" log.first ", "\x03", true],
    ]);
    assertUnshown(ran, "sesame");
    assertEquals([ran.code, ran.asked_in], [0, [[false, false], [true, true]]]);
  },
);

for (
  const [how, steps, signal, code] of [
    ["Ctrl-C", [[ASKED, "sesa\x03"]], undefined, 130],
    ["Ctrl-C when asked again", [[ASKED, "sesame\r"], ["again", "\x03"]], undefined, 130],
    ["SIGINT", [[ASKED, null]], "SIGINT", 130],
    ["SIGTERM", [[ASKED, null]], "SIGTERM", 143],
    ["SIGHUP", [[ASKED, null]], "SIGHUP", 129],
  ] as [string, Step[], Deno.Signal | undefined, number][]
) {
  pythonTest(`terminal: ${how} while a passphrase is typed leaves it as it was`, async (folder) => {
    const path = put(folder, "file", "text");
    const ended = await onTerminal(["seal", path], steps, signal);
    assertUnshown(ended, "sesa");
    assertEquals(ended.code, code, ended.shown);
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["file"]);
  });
}
