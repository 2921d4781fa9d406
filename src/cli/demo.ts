import { join } from "@std/path/join";
import { Daemon } from "../monitor/daemon.ts";
import type { EventName, EventReport } from "../monitor/events.ts";
import { defaultSettings } from "../monitor/settings.ts";
import { DiskLog } from "../sources/disk_log.ts";
import { answerFromDisk } from "../sources/disk_server.ts";
import { openSource } from "../sources/open.ts";
import { JOURNAL_FILE } from "../store/journal.ts";
import { base64, utf8 } from "../tlog/encoding.ts";
import { formatLog } from "../tlog/log.ts";
import { formatAddress, parseAddress } from "../world/address.ts";
import { generateSigner } from "../world/signer.ts";
import type { Address, HttpServer } from "../world/world.ts";
import { type Command, EXIT, type ExitCode, readOptions, type Tools } from "./command.ts";
import { makeTemporaryFolder } from "./folders.ts";
import type { Style } from "./terminal.ts";
import { verify } from "./verify.ts";
import { hanging } from "./width.ts";

const WATCHERS = ["berlin", "tokyo", "lima"];
const LOOPBACK: Address = { hostname: "127.0.0.1", port: 0 };
/** Much faster than by default, so that a person can watch. */
const POLL_MS = 200;
const GOSSIP_MS = 250;
/** The longest wait for anything that is expected to happen. */
const PATIENCE_MS = 8_000;

/** `hearsay demo`: a split view, caught. */
export const demo: Command = {
  name: "demo",
  summary: "watch a split view being caught, on this machine, in a few seconds",
  help: `hearsay demo

Starts a small log and three monitors on 127.0.0.1. The monitors compare checkpoints; then the log
shows one of them another history. It needs no set-up. What the monitors record stays in a temporary
folder, whose name is printed.

Example:
  hearsay demo
`,
  async run(args, tools) {
    readOptions(args, {});
    const stage = await Stage.set(tools);
    try {
      return await play(stage);
    } finally {
      await stage.strike();
    }
  },
};

/** An event that one of the monitors has reported. */
interface Said {
  readonly who: string;
  readonly event: EventName;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A log that can show two histories, and the monitors that watch it. The monitors are real daemons. */
class Stage {
  readonly tools: Tools;
  readonly folder: string;
  /** The history that everyone but lima is shown. */
  readonly log: DiskLog;
  /** The history that lima is shown. It is the same as long as the same entries are appended to it. */
  readonly logForLima: DiskLog;
  readonly #server: HttpServer;
  readonly #daemons: { daemon: Daemon; running: Promise<void> }[] = [];
  readonly #said: Said[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #printed = new Set<string>();
  #isQuiet = false;

  private constructor(fields: {
    tools: Tools;
    folder: string;
    log: DiskLog;
    logForLima: DiskLog;
    server: HttpServer;
  }) {
    this.tools = fields.tools;
    this.folder = fields.folder;
    this.log = fields.log;
    this.logForLima = fields.logForLima;
    this.#server = fields.server;
  }

  static async set(tools: Tools): Promise<Stage> {
    const { world } = tools;
    const folder = makeTemporaryFolder("hearsay-demo-");
    const own = join(folder, "log");
    const lima = join(folder, "log-as-shown-to-lima");
    const log = await DiskLog.create({ world, folder: own, origin: "demo.invalid/test-log" });
    await log.fork(lima);
    const logForLima = await DiskLog.open({ world, folder: lima });
    const logs = [{ prefix: "/lima/", folder: lima }, { prefix: "/", folder: own }];
    const server = world.http.serve(
      LOOPBACK,
      (query) => answerFromDisk({ query, files: world.files, logs }),
      (reason) => tools.terminal.err(reason),
    );
    return new Stage({ tools, folder, log, logForLima, server });
  }

  /** The path of a monitor's incident journal. */
  journalOf(who: string): string {
    return join(this.folder, who, "incidents", JOURNAL_FILE);
  }

  /** Starts a monitor, which calls `peer` if given. @returns the address at which it answers */
  async enter(who: string, { path, peer }: { path: string; peer?: string }): Promise<string> {
    const { world } = this.tools;
    const name = `demo.invalid/${who}`;
    const { signer } = await generateSigner({ world, name });
    const home = join(this.folder, who);
    const source = `http://${formatAddress(this.#server.address)}${path}`;
    const { log } = this.log;
    const daemon = await Daemon.start({
      world,
      signer,
      settings: {
        ...defaultSettings(world),
        name,
        state: join(home, "state"),
        incidents: join(home, "incidents"),
        listen: LOOPBACK,
        contact: "demo",
        logs: [{ log, source, pollMs: POLL_MS, patienceMs: PATIENCE_MS * 1000 }],
        peers: peer === undefined ? [] : [{ address: parseAddress(peer) }],
        gossip: { intervalMs: GOSSIP_MS, fanOut: 1 },
      },
      report: this.#reportOf(who),
      openSource: () => openSource({ world, log, source, contact: "demo" }),
    });
    this.#daemons.push({ daemon, running: daemon.run() });
    return daemon.address!;
  }

  /** Waits for an event. @returns false if it did not come within PATIENCE_MS */
  async until(wanted: (said: Said) => boolean): Promise<boolean> {
    const { clock } = this.tools.world;
    const end = clock.monotonic() + PATIENCE_MS;
    while (!this.#said.some(wanted)) {
      const left = end - clock.monotonic();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          timer.cancel();
          this.#waiting.delete(wake);
          resolve();
        };
        const timer = clock.after(left, wake);
        this.#waiting.add(wake);
      });
    }
    return true;
  }

  /** The first event of this name from this monitor. */
  find(who: string, event: EventName): Said | undefined {
    return this.#said.find((said) => said.who === who && said.event === event);
  }

  /** Prints no more of what the monitors report: they go on, and the rest is said without them. */
  hush(): void {
    this.#isQuiet = true;
  }

  async strike(): Promise<void> {
    for (const { daemon } of this.#daemons) daemon.stop();
    await Promise.all(this.#daemons.map(({ running }) => running));
    await this.#server.close();
    this.log.close();
    this.logForLima.close();
  }

  #reportOf(who: string): EventReport {
    return {
      event: (event, _level, fields) => {
        this.#said.push({ who, event, fields });
        this.#print({ who, event, fields });
        for (const wake of [...this.#waiting]) wake();
      },
      workFailed: (error) => this.tools.terminal.err(`${who}: ${error}`),
    };
  }

  /** Prints an event if it is worth watching and was not printed before. */
  #print(said: Said): void {
    const told = describe(said);
    if (told === undefined || this.#isQuiet) return;
    const { terminal } = this.tools;
    const lines = hanging(`  ${said.who.padEnd(7)}`, told.text, terminal);
    const text = lines.join("\n");
    if (this.#printed.has(text)) return;
    this.#printed.add(text);
    for (const line of lines) terminal.out(terminal.paint(told.style, line));
  }
}

function describe({ event, fields }: Said): { text: string; style: Style } | undefined {
  const { size, detail } = fields;
  switch (event) {
    case "log.first":
    case "log.extends": {
      const proof = event === "log.extends" ? ", proven to extend the last" : "";
      return { text: `[Log]    is shown size=${size}${proof}`, style: "dim" };
    }
    case "exchange.matches":
      return {
        text: `[Gossip] received checkpoint size=${size} — matches local checkpoint`,
        style: "green",
      };
    case "log.inconsistent":
      return { text: `[Gossip] checkpoint size=${size} — INCONSISTENT: ${detail}`, style: "red" };
    case "incident.recorded":
      return { text: `[Incident] recorded, evidence_id ${fields.evidence_id}`, style: "red" };
    default:
      return undefined;
  }
}

async function play(stage: Stage): Promise<ExitCode> {
  const { tools: { terminal }, log, logForLima } = stage;
  const say = (text = ""): void => terminal.out(text);
  const tell = (label: string, text: string): void => hanging(label, text, terminal).forEach(say);
  const heading = (text: string): void => say(`\n${terminal.paint("bold", text)}`);

  say(terminal.paint("bold", "Hearsay: does a log tell everyone the same story?"));
  say("\nA test log and three monitors, all on 127.0.0.1. The log is known by its key:");
  say(`  ${terminal.paint("cyan", formatLog(log.log))}`);

  heading("1. The log shows everyone the same history");
  const entries = ["first", "second", "third", "fourth", "fifth"];
  await appendToBoth(stage, entries.slice(0, 3));
  const berlin = await stage.enter("berlin", { path: "/" });
  const tokyo = await stage.enter("tokyo", { path: "/", peer: berlin });
  await stage.enter("lima", { path: "/lima/", peer: tokyo });
  let went = await allMatch(stage, 3);
  await appendToBoth(stage, entries.slice(3));
  went &&= await allMatch(stage, 5);

  heading("2. It shows lima another history, and the others one that is longer");
  await logForLima.append([utf8("sixth, as only lima sees it")]);
  await log.append(["sixth, as everyone sees it", "seventh", "eighth"].map(utf8));
  for (const [who, story] of [["berlin", log], ["lima", logForLima]] as const) {
    const shown = `is shown size ${story.treeSize}, root ${base64(story.root())}`;
    tell(`  ${who.padEnd(7)}`, shown);
  }
  tell("  ", "The log signed both. Their sizes differ, so the roots cannot be compared directly.");

  heading("3. Two monitors exchange 104 bytes, and compute the older root from the tiles");
  for (const who of WATCHERS) {
    went &&= await stage.until((said) => said.who === who && said.event === "incident.recorded");
  }
  // Whoever found it writes the case first, and then tells why.
  went &&= await stage.until(({ event }) => event === "log.inconsistent");
  stage.hush();
  for (const who of WATCHERS) tell(`  ${who.padEnd(7)}`, `keeps it in ${stage.journalOf(who)}`);

  heading("4. A stranger checks tokyo's journal, offline, with nothing but the log's key");
  const journal = stage.journalOf("tokyo");
  // A shell takes it as one command, however many lines it has.
  const command = hanging("  $ ", `hearsay verify ${journal} --log ${log.log.vkey.text}`, {
    columns: terminal.columns && terminal.columns - 2,
  });
  say(command.join(" \\\n"));
  const verdict = await verify.run([journal, "--log", formatLog(log.log)], {
    ...stage.tools,
    terminal: {
      ...terminal,
      columns: terminal.columns && terminal.columns - 2,
      out: (line) => terminal.out(`  ${line}`),
    },
  });

  const names = new Set(
    WATCHERS.map((who) => stage.find(who, "incident.recorded")?.fields.evidence_id),
  );
  tell("  ", `All of it stays in ${stage.folder}: remove that folder when you have seen enough.`);
  say();
  if (!went || verdict !== EXIT.ok || names.size !== 1) {
    terminal.err("the demonstration failed: not every monitor recorded the same split view");
    return EXIT.failed;
  }
  tell(
    "",
    "The log cannot take it back: both roots carry its signature, and no tree has both. The record " +
      "does not say whether it was an attack or an accident. People have to find that out.",
  );
  return EXIT.ok;
}

async function appendToBoth({ log, logForLima }: Stage, entries: readonly string[]): Promise<void> {
  for (const story of [log, logForLima]) await story.append(entries.map(utf8));
}

/** Waits until every monitor has seen a peer's checkpoint of this size match its own. */
async function allMatch(stage: Stage, size: number): Promise<boolean> {
  const found = await Promise.all(
    WATCHERS.map((who) =>
      stage.until((said) =>
        said.who === who && said.event === "exchange.matches" && said.fields.size === `${size}`
      )
    ),
  );
  return found.every((each) => each);
}
