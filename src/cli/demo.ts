import { join } from "@std/path/join";
import { callPeer } from "../gossip/caller.ts";
import { Callee } from "../gossip/callee.ts";
import type { Heard } from "../gossip/view.ts";
import { type IncidentNews, Monitor } from "../monitor/monitor.ts";
import { TestLog } from "../sources/test_log.ts";
import { JOURNAL_FILE } from "../store/journal.ts";
import { openCheckpoint } from "../tlog/checkpoint.ts";
import { formatLog } from "../tlog/log.ts";
import { generateSigner } from "../world/signer.ts";
import type { Address, World } from "../world/world.ts";
import { type Command, EXIT, type ExitCode, readOptions, type Tools } from "./command.ts";
import { describeHeard } from "./reporting.ts";
import type { Terminal } from "./terminal.ts";
import { verify } from "./verify.ts";

const LOOPBACK: Address = { hostname: "127.0.0.1", port: 0 };

/** `hearsay demo`: a split view, caught. */
export const demo: Command = {
  name: "demo",
  summary: "watch a split view being caught, on this machine, in a few seconds",
  help: `hearsay demo

Starts a small log and three monitors on 127.0.0.1, lets them compare checkpoints, then lets the
log show one of them another tree. Needs no set-up; what it records stays in a temporary folder
that it names.

Example:
  hearsay demo
`,
  async run(args, tools) {
    const { world, terminal } = tools;
    readOptions(args, {});
    const folder = Deno.makeTempDirSync({ prefix: "hearsay-demo-" });
    const stage = { ...await setStage({ world, terminal, folder }), tools };
    try {
      return await play(stage);
    } finally {
      await stage.strike();
    }
  },
};

/** A monitor on stage: it listens, and it can call. */
interface Player {
  readonly name: string;
  readonly monitor: Monitor;
  readonly address: Address;
  readonly folder: string;
  /** What it heard and found since it was last asked. */
  readonly heard: Heard[];
  readonly news: IncidentNews[];
}

interface Stage {
  readonly tools: Tools;
  readonly world: World;
  readonly terminal: Terminal;
  readonly log: TestLog;
  readonly players: readonly [Player, Player, Player];
  strike(): Promise<void>;
}

async function setStage(
  { world, terminal, folder }: { world: World; terminal: Terminal; folder: string },
): Promise<Omit<Stage, "tools">> {
  const log = await TestLog.create({ world, origin: "demo.invalid/test-log" });
  const running: { callee: Callee; done: Promise<void>; monitor: Monitor }[] = [];
  async function enter(name: string): Promise<Player> {
    const { signer } = await generateSigner({ world, name: `demo.invalid/${name}` });
    const heard: Heard[] = [];
    const news: IncidentNews[] = [];
    const home = join(folder, name);
    const monitor = await Monitor.start({
      world,
      logs: [log.log],
      identity: { signer, folder: home },
      report: {
        heard: (what) => heard.push(what),
        broken: (reason, source) => terminal.err(`${source}: ${reason}`),
        incident: (what) => news.push(what),
      },
    });
    const listener = world.network.listen(LOOPBACK);
    const callee = new Callee({ party: monitor.party, listener });
    running.push({ callee, done: callee.run(), monitor });
    return { name, monitor, address: listener.address, folder: home, heard, news };
  }
  const players = [await enter("berlin"), await enter("tokyo"), await enter("lima")] as const;
  async function strike(): Promise<void> {
    for (const { callee, done, monitor } of running) {
      callee.close();
      await done;
      await monitor.close();
    }
  }
  return { world, terminal, log, players: [...players], strike };
}

async function play(stage: Stage): Promise<ExitCode> {
  const { terminal, log, players: [berlin, tokyo, lima] } = stage;
  const say = (text = ""): void => terminal.out(text);
  const heading = (text: string): void => say(`\n${terminal.paint("bold", text)}`);

  say(terminal.paint("bold", "Hearsay: does a log tell everyone the same story?"));
  say(`\nA test log and three monitors, all on ${LOOPBACK.hostname}. The log is known by its key:`);
  say(`  ${terminal.paint("cyan", formatLog(log.log))}`);

  heading("1. The log tells everyone the same");
  for (const entries of [["first", "second", "third"], ["fourth", "fifth"]]) {
    log.append(...entries);
    for (const player of stage.players) await show(player, log, "the log");
    await compare(stage, berlin, tokyo);
    await compare(stage, tokyo, lima);
  }

  heading("2. The log shows lima another tree of the same size");
  const other = log.fork();
  log.append("sixth, as everyone sees it");
  other.append("sixth, as only lima sees it");
  await show(berlin, log, "the log");
  await show(tokyo, log, "the log");
  await show(lima, other, "the log");
  say(`  both are signed by the log, both have size ${log.treeSize}:`);
  for (const [player, story] of [[berlin, log], [lima, other]] as const) {
    say(`  ${player.name.padEnd(7)} was shown root ${rootOf(await story.checkpoint())}`);
  }

  heading("3. Two of them compare: 104 bytes each way");
  await compare(stage, tokyo, lima);
  for (const { name, folder, news } of [tokyo, lima]) {
    for (const { outcome, record } of news) {
      say(terminal.paint("red", `  ${name}: ${outcome}, evidence ${record.evidence_id}`));
      say(`          in ${join(folder, JOURNAL_FILE)}`);
    }
  }

  heading("4. A stranger checks tokyo's journal, offline, with nothing but the log's key");
  const journal = join(tokyo.folder, JOURNAL_FILE);
  say(`  $ hearsay verify ${journal} --log ${log.log.vkey.text}`);
  const indented: Terminal = { ...terminal, out: (line) => terminal.out(`  ${line}`) };
  const verdict = await verify.run([journal, "--log", formatLog(log.log)], {
    ...stage.tools,
    terminal: indented,
  });

  const [a, b] = [tokyo, lima].map(({ news }) => news[0]?.record.evidence_id);
  const caught = verdict === EXIT.ok && a !== undefined && a === b;
  say();
  if (!caught) {
    terminal.err("the demonstration went wrong: the split view was not recorded by both monitors");
    return EXIT.failed;
  }
  say("The log cannot take it back: both roots carry its signature, and no tree has both. Whether");
  say("it was an attack or an accident, the record does not say; people have to find out.");
  return EXIT.ok;
}

/** The log shows its checkpoint to one monitor. */
async function show({ monitor }: Player, log: TestLog, source: string): Promise<void> {
  const opened = openCheckpoint({ note: await log.checkpoint(), logs: [log.log] });
  if ("refused" in opened) throw new Error(opened.detail);
  await monitor.addLocal(opened[0]!, source);
}

/** One exchange over TCP, and what both ends made of it. */
async function compare(
  { terminal }: Stage,
  caller: Player,
  callee: Player,
): Promise<void> {
  caller.heard.length = callee.heard.length = 0;
  await callPeer({ party: caller.monitor.party, address: callee.address });
  for (const { name, heard } of [callee, caller]) {
    for (const what of heard) {
      const line = `${name.padEnd(7)}[Gossip] ${describeHeard(what, false)}`;
      terminal.out("  " + terminal.paint(what.verdict === "matches" ? "green" : "red", line));
    }
  }
}

function rootOf(note: string): string {
  return note.split("\n")[2]!;
}
