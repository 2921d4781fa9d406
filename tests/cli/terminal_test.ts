import { assertEquals } from "@std/assert";
import { eventLog } from "../../src/cli/event_log.ts";
import { EXIT } from "../../src/cli/command.ts";
import { runProgram } from "../../src/cli/program.ts";
import { LineWriter, processTerminal, type Stream } from "../../src/cli/terminal.ts";
import { denoWorld } from "../../src/world/deno.ts";

/** A stream with room for some bytes; what does not fit is refused. */
class Pipe implements Stream {
  text = "";
  room = Infinity;
  refusal: Error = new Error("No space left on device");

  writeSync(bytes: Uint8Array): number {
    if (this.room === 0) throw this.refusal;
    const taken = bytes.subarray(0, Math.min(this.room, bytes.length));
    this.room -= taken.length;
    this.text += new TextDecoder().decode(taken);
    return taken.length;
  }

  isTerminal(): boolean {
    return false;
  }
}

Deno.test("LineWriter: what is lost is counted, and lines go on when there is room", () => {
  const pipe = new Pipe();
  const writer = new LineWriter(pipe);
  writer.line("one");
  pipe.room = 2;
  writer.line("two");
  writer.line("three");
  assertEquals([writer.lines, writer.takeNews()], [2, 0], "nobody could read of it now");
  pipe.room = Infinity;
  writer.line("four");
  assertEquals(pipe.text, "one\ntw\nfour\n", "what was torn is ended first");
  assertEquals([writer.takeNews(), writer.takeNews(), writer.lines], [2, 0, 2]);
  assertEquals(writer.reason, "No space left on device");
});

Deno.test("LineWriter: a reader that has gone is no loss", () => {
  const pipe = new Pipe();
  pipe.room = 0;
  pipe.refusal = new Deno.errors.BrokenPipe("Broken pipe");
  const writer = new LineWriter(pipe);
  writer.line("one");
  pipe.room = Infinity;
  writer.line("two");
  assertEquals([writer.lines, pipe.text], [0, ""]);
});

for (const args of [["help"], ["keygen", "--help"], ["verify", "--help"]]) {
  Deno.test(`${args.join(" ")}: output that could not be written ends with 3, and is said once`, async () => {
    const [stdout, stderr] = [new Pipe(), new Pipe()];
    stdout.room = 5;
    const terminal = processTerminal({ stdout, stderr });
    const tools = {
      world: denoWorld(),
      terminal,
      serveStatus: () => undefined as never,
      serveWitness: () => undefined as never,
      serveFederation: () => undefined as never,
    };
    assertEquals(await runProgram(args, tools), EXIT.failed);
    assertEquals(
      stderr.text,
      "hearsay: a line of the output could not be written: No space left on device\n",
    );
  });
}

for (const json of [false, true]) {
  Deno.test(`event log: events that were lost are counted and told when there is room${json ? ", as JSON" : ""}`, () => {
    const [stdout, stderr] = [new Pipe(), new Pipe()];
    const terminal = processTerminal({ stdout, stderr });
    const events = eventLog({ terminal, clock: denoWorld().clock, json, least: "info" });
    stdout.room = 30;
    events.event("log.first", "info", { size: "1" });
    events.event("incident.recorded", "error", { incident: 1 });
    assertEquals(events.lost?.(), 2);
    stdout.room = Infinity;
    events.event("log.extends", "info", { size: "2" });
    const [torn, next, told, end] = stdout.text.split("\n");
    assertEquals(torn!.length, 30);
    assertEquals([next!.includes("log.extends"), end], [true, ""]);
    assertEquals(told!.includes("output.lost") && /lines"?[=:]2/.test(told!), true, told);
  });
}
