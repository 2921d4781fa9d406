/** The exchange over real sockets on this machine; what needs no socket is tested without. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { concat } from "@std/bytes/concat";
import { join } from "@std/path/join";
import { exchangeAcceptor } from "../../src/gossip/callee.ts";
import { callPeer, ExchangeFailed } from "../../src/gossip/caller.ts";
import { DEFAULT_LIMITS, type ExchangeLimits } from "../../src/gossip/limits.ts";
import type { HeldCase } from "../../src/gossip/exchange.ts";
import { exchangeRound } from "../../src/gossip/round.ts";
import { ZERO_FRAME } from "../../src/gossip/judge.ts";
import { CaseKeeper } from "../../src/monitor/case_keeper.ts";
import { readIncidents, recordOf } from "../../src/store/incidents.ts";
import type { TestLog } from "../../src/sources/test_log.ts";
import { FRAME_BYTES } from "../../src/tlog/frame.ts";
import type { Log } from "../../src/tlog/log.ts";
import { denoWorld } from "../../src/world/deno.ts";
import { generateSigner } from "../../src/world/signer.ts";
import { WorldError } from "../../src/world/world.ts";
import {
  ask,
  checkpointOf,
  frameOf,
  framesIn,
  inTime,
  logOf,
  readAll,
  Reports,
  signingLog,
  storiesOf,
  unsigned,
} from "./helpers.ts";

const world = denoWorld();

/** A monitor that listens on a real socket. */
async function start(
  { logs, shown = [], limits = {}, hostname = "127.0.0.1", folder }: {
    logs: readonly Log[];
    shown?: readonly TestLog[];
    limits?: Partial<ExchangeLimits>;
    hostname?: string;
    folder?: string;
  },
) {
  const report = new Reports();
  const made = await generateSigner({ world, name: "monitor.example/a" });
  const monitor = await CaseKeeper.start({
    ...{ world, logs, report, limits: { ...DEFAULT_LIMITS, ...limits } },
    identity: folder === undefined ? undefined : { signer: made.signer, folder },
  });
  for (const log of shown) await monitor.takeInOwn(await checkpointOf(log), "the log");
  const listener = world.network.listen({ hostname, port: 0 });
  const callee = exchangeAcceptor({ party: monitor.party, listener });
  const done = callee.run();
  const { address } = listener;
  return {
    ...{ monitor, report, callee, done, address },
    connect: () => world.network.connect(address, 1_000),
    async [Symbol.asyncDispose]() {
      callee.close();
      await inTime(done, () => "the callee to end");
      await monitor.close();
    },
  };
}

for (const hostname of ["127.0.0.1", "::1"]) {
  Deno.test(`sockets: two monitors compare one log on ${hostname}`, async () => {
    const log = await logOf("log.example/a", 3);
    await using callee = await start({ logs: [log.log], shown: [log], hostname });
    await using caller = await start({ logs: [log.log], shown: [log], hostname });
    const heard = await callPeer({ party: caller.monitor.party, callee: callee.address });
    assertEquals(heard.map(({ verdict }) => verdict), ["matches"]);
    await callee.report.until(() => callee.report.verdicts.length > 0);
    assertEquals([callee.report.verdicts, caller.report.verdicts], [["matches"], ["matches"]]);
    assertEquals(callee.report.brokenAll, []);
    assertEquals(callee.report.sources[0], hostname);
  });

  Deno.test(`sockets: several logs are compared over one connection on ${hostname}`, async () => {
    const [a, b, c] = [
      await logOf("log.example/a", 3),
      await logOf("log.example/b", 4),
      await logOf("log.example/c", 5),
    ];
    const logs = [a.log, b.log, c.log];
    await using callee = await start({ logs, shown: [a, b, c], hostname });
    await using caller = await start({ logs, shown: [b], hostname });
    const heard = await callPeer({ party: caller.monitor.party, callee: callee.address });
    // The caller says b, then twice that it has nothing: it learns of the two others.
    const said = heard.map((one) => "checkpoint" in one ? one.checkpoint.log.origin : one.verdict);
    assertEquals(said, ["log.example/b", "log.example/a", "log.example/c"]);
    assertEquals(heard.map(({ verdict }) => verdict), ["matches", "pending", "pending"]);
  });
}

Deno.test("sockets: what fits no frame is compared in the same round", async () => {
  const { log, sign } = await signingLog();
  await using callee = await start({ logs: [log] });
  await using caller = await start({ logs: [log] });
  await callee.monitor.takeInOwn(await sign(7n, 1), "the log");
  await caller.monitor.takeInOwn(await sign(7n, 2), "the log");
  const { party } = caller.monitor;
  const { notes, fault } = await exchangeRound({ party, callee: callee.address });
  assertEquals([notes.map(({ verdict }) => verdict), fault], [["inconsistent"], undefined]);
  const [[here], [there]] = [callee, caller].map(({ monitor }) => monitor.cases(log)) as [
    readonly HeldCase[],
    readonly HeldCase[],
  ];
  assertEquals(here!.evidence_id, there!.evidence_id);
});

Deno.test("sockets: a peer of an older version closes on a parcel, and the frames stand", async () => {
  const log = await logOf("log.example/a", 3);
  const answer = await frameOf(log);
  await using caller = await start({ logs: [log.log], shown: [log] });
  const listener = world.network.listen({ hostname: "127.0.0.1", port: 0 });
  const older = (async () => {
    const parcel = (await listener.accept())!;
    await parcel.read(new Uint8Array(1));
    parcel.close();
    const frames = (await listener.accept())!;
    await readAll(frames);
    await frames.write(answer);
    frames.close();
  })();
  const { party } = caller.monitor;
  const { heard, fault } = await exchangeRound({ party, callee: listener.address });
  await older;
  listener.close();
  assertEquals(heard.map(({ verdict }) => verdict), ["matches"]);
  assert(fault !== undefined);
});

Deno.test("sockets: both ends of a split view have it in their journals, on disk", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [ours, theirs] = await storiesOf(4);
    const [here, there] = [join(folder, "here"), join(folder, "there")];
    {
      await using callee = await start({ logs: [ours.log], shown: [ours], folder: here });
      await using caller = await start({ logs: [ours.log], shown: [theirs], folder: there });
      const { party } = caller.monitor;
      for (const _ of ["first", "again"]) await callPeer({ party, callee: callee.address });
    }
    const ids: string[][] = [];
    for (const folder of [here, there]) {
      const found: string[] = [];
      for await (const item of readIncidents({ files: world.files, folder })) {
        assert("entry" in item);
        found.push(recordOf(item.entry, folder).evidence_id);
      }
      ids.push(found);
    }
    assertEquals([ids[0]!.length, ids[1]], [1, ids[0]]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("sockets: forty callers at once are all answered", async () => {
  const log = await logOf("log.example/a", 3);
  await using callee = await start({
    logs: [log.log],
    shown: [log],
    limits: { maxConnectionsPerAddress: 40 },
  });
  const frame = await frameOf(log);
  const answers = await Promise.all(
    Array.from({ length: 40 }, async () => await ask(await callee.connect(), frame)),
  );
  assertEquals(answers.filter((answer) => answer.length === FRAME_BYTES).length, 40);
  assertEquals(callee.report.brokenAll, []);
});

Deno.test("sockets: 1,024 frames that come in odd pieces are answered in order", async () => {
  const [a, b] = [await logOf("log.example/a", 3), await logOf("log.example/b", 4)];
  await using callee = await start({ logs: [a.log, b.log], shown: [a, b] });
  const two = [await frameOf(a), await frameOf(b)];
  const frames = Array.from({ length: 1_024 }, (_, i) => two[i % 2]!);
  const bytes = concat(frames);
  const connection = await callee.connect();
  const answers = readAll(connection);
  for (let at = 0; at < bytes.length; at += 1_009) {
    await connection.write(bytes.subarray(at, at + 1_009));
  }
  await connection.closeWrite();
  assertEquals(framesIn(await answers), frames);
  connection.close();
  assertEquals(callee.report.brokenAll, []);
});

Deno.test("sockets: a frame with a flipped bit gets no answer and a closed connection", async () => {
  const log = await logOf("log.example/a", 3);
  await using callee = await start({ logs: [log.log], shown: [log] });
  const connection = await callee.connect();
  await connection.write(unsigned(await frameOf(log)));
  // The caller's side stays open, so it is the callee that ends this.
  assertEquals(await readAll(connection), new Uint8Array(0));
  connection.close();
  await callee.report.until(() => callee.report.brokenAll.length > 0);
  assertEquals(callee.report.verdicts, ["refused"]);
});

Deno.test("sockets: a silent caller is closed, and said to be silent", async () => {
  const log = await logOf("log.example/a", 3);
  await using callee = await start({ logs: [log.log], limits: { firstByteMs: 20 } });
  const connection = await callee.connect();
  assertEquals(await readAll(connection), new Uint8Array(0));
  connection.close();
  await callee.report.until(() => callee.report.brokenAll.length > 0);
  assertEquals(callee.report.brokenAll, ["no byte came within 20 ms"]);
});

Deno.test("sockets: a caller that never reads is closed when its time is over", async () => {
  const log = await logOf("log.example/a", 3);
  const many = 2 ** 30; // No limit but time.
  await using callee = await start({
    logs: [log.log],
    limits: { exchangeMs: 200, maxFramesPerExchange: many, framesPerSecondPerAddress: many },
  });
  const connection = await callee.connect();
  const chunk = concat(Array<Uint8Array>(630).fill(await frameOf(log)));
  await assertRejects(async () => {
    // As much as no system holds on its way; it waits for the reader long before.
    for (let i = 0; i < 10_000; i++) await connection.write(chunk);
  }, WorldError);
  connection.close();
  await callee.report.until(() => callee.report.brokenAll.length > 0);
  assertEquals(callee.report.brokenAll, ["the exchange was not finished within 200 ms"]);
});

Deno.test("sockets: closing ends a callee that waits on a silent caller", async () => {
  const log = await logOf("log.example/a", 3);
  const callee = await start({ logs: [log.log], shown: [log] });
  const connection = await callee.connect();
  await connection.write((await frameOf(log)).subarray(0, 50));
  await ask(await callee.connect(), await frameOf(log)); // By now the first is being served.
  callee.callee.close();
  await callee.done;
  await callee.monitor.close();
  assertEquals(await readAll(connection), new Uint8Array(0));
  connection.close();
  assertEquals(callee.report.brokenAll, [], "that we end is no fault of a caller");
});

/** A peer on a real socket, played by the test. */
async function callPlayedPeer(
  play: (socket: Deno.TcpConn) => Promise<void>,
  limits: Partial<ExchangeLimits> = {},
): Promise<{ error: ExchangeFailed; report: Reports }> {
  const log = await logOf("log.example/a", 3);
  await using caller = await start({ logs: [log.log], shown: [log], limits });
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { hostname, port } = listener.addr;
  const playing = listener.accept().then(async (socket) => {
    await play(socket);
    return socket;
  });
  const { party } = caller.monitor;
  const calling = assertRejects(
    () => callPeer({ party, callee: { hostname, port } }),
    ExchangeFailed,
    `peer 127.0.0.1:${port} `,
  );
  const [error, socket] = await Promise.all([calling, playing]);
  try {
    socket.close();
  } catch {
    // The play has closed it.
  }
  return { error, report: caller.report };
}

/** Peers that do not do as they should, and what is said of each. */
const PEERS: readonly [how: string, (socket: Deno.TcpConn) => Promise<void>, said: RegExp][] = [
  // Closing with bytes unread makes the system send a reset.
  ["resets", async (socket) => {
    await socket.read(new Uint8Array(1));
    socket.close();
  }, /broke the connection: |answered 0 bytes/],
  ["closes its side at once", async (socket) => {
    await socket.closeWrite();
  }, /answered 0 bytes, expected 104 bytes/],
  ["answers half a frame", async (socket) => {
    await socket.write(new Uint8Array(52));
    await socket.closeWrite();
  }, /answered 52 bytes, expected 104 bytes/],
  ["answers garbage", async (socket) => {
    await socket.write(new Uint8Array(FRAME_BYTES).fill(0x55));
    await socket.closeWrite();
  }, /answered with something that does not verify$/],
  ["answers too much", async (socket) => {
    await socket.write(concat([ZERO_FRAME, ZERO_FRAME]));
    await socket.closeWrite();
  }, /answered more, expected 104 bytes/],
  ["keeps silent", async () => {}, /did not finish the exchange within 150 ms$/],
];

for (const [how, play, said] of PEERS) {
  Deno.test(`sockets: a peer that ${how} has failed the exchange and convicted nobody`, async () => {
    const { error, report } = await callPlayedPeer(play, { exchangeMs: 150 });
    assert(said.test(error.message), error.message);
    assertEquals(report.news, []);
  });
}

Deno.test("sockets: a peer where nobody listens cannot be reached", async () => {
  const log = await logOf("log.example/a", 3);
  await using caller = await start({ logs: [log.log], shown: [log] });
  const listener = world.network.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  const { party } = caller.monitor;
  await assertRejects(
    () => callPeer({ party, callee: listener.address }),
    ExchangeFailed,
    "cannot be reached: ",
  );
});
