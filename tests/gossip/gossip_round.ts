/**
 * `deno task gossip-test`: two monitors poll one log and compare what they were shown, over TCP on
 * this machine; then a stranger sends one of them a checkpoint with one bit of its signature
 * flipped. Prints who did what, a line each, and ends with 1 if any line is not what it must be.
 *
 * @module
 */
import { describeHeard } from "../../src/cli/reporting.ts";
import { exchangeAcceptor } from "../../src/gossip/callee.ts";
import { callPeer } from "../../src/gossip/caller.ts";
import type { Heard } from "../../src/gossip/judge.ts";
import { CaseKeeper } from "../../src/monitor/case_keeper.ts";
import { TestLog } from "../../src/sources/test_log.ts";
import { formatAddress } from "../../src/world/address.ts";
import { denoWorld } from "../../src/world/deno.ts";
import type { Address } from "../../src/world/world.ts";
import { ask, checkpointOf, flipped, readAll } from "./helpers.ts";

const LOOPBACK: Address = { hostname: "127.0.0.1", port: 0 };
/** How many entries the log has when the monitors compare. */
const SIZES = [1, 2, 5, 13, 64];
/** The signature follows 8 bytes of size and 32 of root. */
const FIRST_SIGNATURE_BIT = 8 * (8 + 32);

const world = denoWorld();
let wrong = 0;

/** Prints who did or said what, and, if that is not what it must be, what it must be. */
function tell(who: string, what: string, must = what): void {
  console.log(`${who.padEnd(10)}${what}`);
  if (what === must) return;
  wrong++;
  console.log(`${"WRONG".padEnd(10)}${who} must say: ${must}`);
}

/** A monitor without a key, so that it needs no disk; it listens and it calls. */
interface Player {
  readonly name: string;
  readonly monitor: CaseKeeper;
  readonly address: Address;
  /** What it said since it was last asked. */
  said(): string[];
  leave(): Promise<void>;
}

async function enter(name: string, { log }: TestLog): Promise<Player> {
  const lines: string[] = [];
  const report = {
    heard: (heard: Heard) => void lines.push(`[Gossip] ${describeHeard(heard, false)}`),
    broken: (reason: string) => void lines.push(`ends the exchange early: ${reason}`),
    notAnswered: (error: unknown) => void lines.push(`could not: ${(error as Error).message}`),
    incident: () => void lines.push("has found a conflict"),
  };
  const monitor = await CaseKeeper.start({ world, logs: [log], report });
  const listener = world.network.listen(LOOPBACK);
  const callee = exchangeAcceptor({ party: monitor.party, listener });
  const done = callee.run();
  tell(name, `listens on ${formatAddress(listener.address)}`);
  return {
    name,
    monitor,
    address: listener.address,
    said: () => lines.splice(0),
    leave: async () => {
      callee.close();
      await done;
      await monitor.close();
    },
  };
}

/** Prints what a monitor said, each line beside what it must be. */
function tellSaid({ name, said }: Player, ...must: readonly string[]): void {
  const lines = said();
  const count = Math.max(lines.length, must.length);
  for (let i = 0; i < count; i++) tell(name, lines[i] ?? "(nothing)", must[i] ?? "(nothing)");
}

/** The log grows, both poll it, one calls the other, and both say what they heard. */
async function compare(log: TestLog, size: number, [caller, callee]: [Player, Player]) {
  while (log.treeSize < BigInt(size)) log.append(`entry ${log.treeSize + 1n}`);
  tell("the log", `has size ${log.treeSize}`);
  for (const { name, monitor } of [caller, callee]) {
    await monitor.takeInOwn(await checkpointOf(log), "the log");
    tell(name, "polls the log");
  }
  tell(caller.name, `calls ${callee.name}`);
  await callPeer({ party: caller.monitor.party, callee: callee.address });
  for (const player of [callee, caller]) tellSaid(player, matches(BigInt(size)));
}

/** The line that two monitors of one history must say. */
function matches(size: bigint): string {
  return `[Gossip] received checkpoint size=${size} — matches local checkpoint`;
}

/** A stranger sends a frame with one bit flipped: it is refused, and gets not a byte. */
async function refuse(log: TestLog, player: Player): Promise<void> {
  const { name, address } = player;
  const { frame, treeSize } = await checkpointOf(log);
  const got = (answer: Uint8Array): string => `gets ${answer.length} bytes, then the end`;

  tell("stranger", `sends ${name} the frame of size ${treeSize}, a bit of its signature flipped`);
  const connection = await world.network.connect(address, 1_000);
  await connection.write(flipped(frame, FIRST_SIGNATURE_BIT));
  // The stranger's side stays open, so it is the monitor that closes.
  const answer = await readAll(connection);
  connection.close();
  const why = `frame of size ${treeSize}: the signature verifies under no configured log's key`;
  const ended = "closed without an answer to the refused frame, and its address charged";
  tellSaid(player, `[Gossip] refused ${why}`, `ends the exchange early: ${ended}`);
  tell("stranger", got(answer), got(new Uint8Array(0)));

  tell("stranger", `sends ${name} the same frame as the log signed it`);
  const sound = await ask(await world.network.connect(address, 1_000), frame);
  tellSaid(player, matches(treeSize));
  tell("stranger", got(sound), got(frame));
}

const log = await TestLog.create({ world, origin: "gossip.invalid/test-log" });
const [berlin, tokyo] = [await enter("berlin", log), await enter("tokyo", log)];
try {
  for (const [round, size] of SIZES.entries()) {
    await compare(log, size, round % 2 === 0 ? [berlin, tokyo] : [tokyo, berlin]);
  }
  await refuse(log, tokyo);
} catch (error) {
  // A line of ours, and the exit code below, instead of a stack alone.
  tell("the round", `broke off: ${error instanceof Error ? error.message : error}`, "to its end");
} finally {
  await berlin.leave();
  await tokyo.leave();
}
if (wrong > 0) {
  console.log(`\n${wrong} lines are not what they must be.`);
  Deno.exitCode = 1;
} else {
  console.log("\nEvery line is what it must be.");
}
