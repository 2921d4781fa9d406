import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { inFolder, keyFile, noteLine, put, run, start, twoStories } from "./harness.ts";
import { fork, grow as growLog, makeLog, makeMonitor, startDaemon } from "./monitors.ts";
import { denoWorld } from "../../src/world/deno.ts";
import type { World } from "../../src/world/world.ts";
import { grow, newLog } from "../evidence/histories.ts";
import { lookupText, putDeep } from "../gather/go_cache.ts";
import { TiledStory } from "../monitor/tiled_log.ts";

/** A monitor that was shown what is in a file, and where it listens. */
async function monitor(log: string, have: string) {
  const args = ["listen", "--address", "127.0.0.1:0", "--log", log, "--have", have];
  const running = start(args);
  const [, address] = /listening on (\S+)/.exec(await running.line(/listening on/))!;
  return {
    ...{ address: address!, running },
    [Symbol.asyncDispose]: async () => {
      running.stop();
      await running.done;
    },
  };
}

inFolder("ask: one line a log says whether the monitor was shown the same", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 9 });
  const theirs = put(folder, "theirs", await a.checkpoint(6n));
  await using there = await monitor(log, theirs);
  for (
    const [size, wanted] of [
      [6n, "the monitor was shown the same, size 6"],
      [9n, "the monitor is behind, at size 6, and we at 9; nothing that it said contradicts"],
      [3n, "the monitor is ahead, at size 6, and we at 3; nothing that it said contradicts"],
    ] as const
  ) {
    const ours = put(folder, "ours", await a.checkpoint(size));
    const { code, out, err } = await run("ask", there.address, "--log", log, ours);
    assertEquals([code, out.length], [0, 1], err.join("\n"));
    assertStringIncludes(out[0]!, wanted);
  }
});

inFolder("ask: a checkpoint of another story is INCONSISTENT, at both ends", async (folder) => {
  const { a, b, log } = await twoStories({ common: 3, size: 6 });
  await using there = await monitor(log, put(folder, "theirs", await a.checkpoint()));
  const ours = put(folder, "ours", await b.checkpoint());
  const args = ["--log", log, "--key", await keyFile(folder), "--incidents", `${folder}/in`];
  const { code, out } = await run("ask", there.address, ...args, ours);
  assertEquals(code, 1);
  assertMatch(out[0]!, /\[Incident\] recorded as case 1/);
  assertStringIncludes(out.at(-1)!, "INCONSISTENT: the log signed contradicting roots");
  const verified = await run("verify", `${folder}/in/journal.jsonl`, "--log", log);
  assertEquals(verified.code, 0);
  await there.running.line(/INCONSISTENT/);
});

inFolder(
  "ask: an older head of another story is found, though the latest ones agree",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 3, size: 6 });
    grow(a, 9);
    const theirs = put(folder, "theirs", [await noteLine(a, 5), await noteLine(a, 9)].join("\n"));
    await using there = await monitor(log, theirs);
    const ours = put(folder, "ours", [await noteLine(b, 5), await noteLine(a, 9)].join("\n"));
    const { code, out } = await run("ask", there.address, "--log", log, ours);
    assertEquals(code, 1);
    assertStringIncludes(out.at(-1)!, "INCONSISTENT");
  },
);

inFolder(
  "ask: the largest are asked about in whatever order, and the others are told",
  async (folder) => {
    const { a, b, log } = await twoStories({ common: 3, size: 120 });
    await using there = await monitor(log, put(folder, "theirs", await a.checkpoint(60n)));
    const lines = [];
    for (let size = 10; size <= 120; size++) lines.push(await noteLine(b, size));
    for (const ordered of [lines, lines.toReversed()]) {
      const ours = put(folder, "ours", ordered.join("\n"));
      const { code, out, err } = await run("ask", there.address, "--log", log, ours);
      assertEquals(code, 1);
      assertStringIncludes(out.at(-1)!, "INCONSISTENT");
      assertStringIncludes(err.join("\n"), "46 smaller checkpoints were not compared");
    }
  },
);

inFolder(
  "ask: what is wrong with a bundle is told, and its checkpoint is compared",
  async (folder) => {
    const { a, log } = await twoStories({ common: 3, size: 6 });
    await using there = await monitor(log, put(folder, "theirs", await a.checkpoint()));
    const inclusionProof = { checkpoint: { envelope: await a.checkpoint() } };
    const bundle = JSON.stringify({
      mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
      verificationMaterial: { tlogEntries: [{ inclusionProof }, {}] },
    });
    const { code, out, err } = await run(
      ...["ask", there.address, "--log", log, put(folder, "bundle", bundle)],
    );
    assertEquals(code, 0, err.join("\n"));
    assertStringIncludes(out[0]!, "was shown the same, size 6");
    assertMatch(err.join("\n"), /bundle line 1: failed inclusion: .*says nothing against the log/);
    assertMatch(err.join("\n"), /bundle line 1: no checkpoint: /);
  },
);

inFolder(
  "ask: a file that was gathered may be of more logs than are asked about",
  async (folder) => {
    const { a, log } = await twoStories({ common: 3, size: 6 });
    const other = grow(await newLog("other.invalid/log"), 3);
    await using there = await monitor(log, put(folder, "theirs", await a.checkpoint()));
    const lines = [await noteLine(other, 3), await noteLine(a, 6)].join("\n");
    const ours = put(folder, "gathered.jsonl", lines);
    const { code, out, err } = await run("ask", there.address, "--log", log, ours);
    assertEquals([code, out.length], [0, 1], err.join("\n"));
    assertStringIncludes(err.join("\n"), "gathered.jsonl line 1: unknown log");
    // Nobody named the known logs, so that nothing is said of their keys.
    const known = await run("ask", there.address, ours);
    assertEquals(known.code, 3);
    assert(!known.err.join("\n").includes("one key signs for several origins"));
  },
);

inFolder("ask: logs the monitor does not follow are said to be not compared", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 6 });
  const other = grow(await newLog("other.invalid/log"), 3);
  await using there = await monitor(log, put(folder, "theirs", await a.checkpoint()));
  const ours = put(folder, "other", await other.checkpoint());
  const alone = await run("ask", there.address, "--log", other.log.vkey.text, ours);
  assertEquals(alone.code, 3);
  assertStringIncludes(alone.out[0]!, "not compared, because the monitor does not follow it");
  const both = [ours, put(folder, "ours", await a.checkpoint())];
  const logs = ["--log", log, "--log", other.log.vkey.text];
  const { code, out } = await run("ask", there.address, ...logs, ...both);
  assertEquals([code, out.length], [0, 2]);
  assert(out.some((line) => line.includes("was shown the same, size 6")));
});

inFolder(
  "ask: nobody there, or nothing to ask about, ends with 3 and accuses nobody",
  async (folder) => {
    const { a, log } = await twoStories({ common: 3, size: 6 });
    const ours = put(folder, "ours", await a.checkpoint());
    const nobody = await run("ask", "127.0.0.1:1", "--log", log, ours);
    assertEquals([nobody.code, nobody.out], [3, []]);
    Deno.mkdirSync(`${folder}/empty`);
    const nothing = await run("ask", "127.0.0.1:1", "--log", log, `${folder}/empty`);
    assertEquals(nothing.code, 3);
    assertStringIncludes(nothing.err.join("\n"), "nothing to ask about");
    assertEquals((await run("ask", "--log", log)).code, 2);
  },
);

inFolder("ask: a Go cache is asked about as it is", async (folder) => {
  const story = await TiledStory.make(400);
  const log = story.test.log.vkey.text;
  putDeep(`${folder}/cache/lookup/x@v1`, await lookupText(story, 400));
  await using there = await monitor(log, put(folder, "theirs", await story.test.checkpoint()));
  const { code, out } = await run("ask", there.address, "--log", log, `${folder}/cache`);
  assertEquals(code, 0);
  assertStringIncludes(out.join(), "the monitor was shown the same, size 400");
});

inFolder(
  "ask: a file that is of no use is named as it stands on the command line",
  async (folder) => {
    const { log } = await twoStories({ common: 3, size: 6 });
    const { code, err } = await run("ask", "127.0.0.1:2", "--log", log, put(folder, "empty", ""));
    assertEquals(code, 2);
    assertEquals(err.at(-2), `hearsay ask: "${folder}/empty": the file is empty`);
  },
);

inFolder(
  'ask, exchange: at an address that answers no exchanges they name "listen"',
  async (folder) => {
    const { a, log } = await twoStories({ common: 3, size: 6 });
    const ours = put(folder, "ours", await a.checkpoint());
    // Whoever listens there takes what comes, says nothing, and closes.
    const server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const serving = (async () => {
      for await (const connection of server) {
        await connection.readable.pipeTo(new WritableStream(), { preventClose: true }).catch(
          () => {},
        );
      }
    })();
    try {
      const address = `127.0.0.1:${server.addr.port}`;
      for (const args of [["ask", address, ours], ["exchange", address, "--have", ours]]) {
        const { code, err } = await run(...args, "--log", log);
        assertEquals([args[0], code], [args[0], 3]);
        assertStringIncludes(err.at(-1)!, 'at its "listen" address, and not at its "http" address');
      }
    } finally {
      server.close();
      await serving;
    }
  },
);

inFolder("ask: logs that share a key are named only if two of them were found", async (folder) => {
  const { a, log } = await twoStories({ common: 3, size: 6 });
  const ours = put(folder, "ours", await a.checkpoint());
  await using there = await monitor(log, ours);
  const { code, err } = await run("ask", there.address, "--log", log, "--known", ours);
  assertEquals(code, 0, err.join("\n"));
  assertEquals(err.filter((line) => line.includes("one key signs")), []);
});

inFolder("ask: the evidence is a line by itself, which verify takes", async (folder) => {
  const { a, b, log } = await twoStories({ common: 3, size: 6 });
  await using there = await monitor(log, put(folder, "theirs", await a.checkpoint()));
  const ours = put(folder, "ours", await b.checkpoint());
  const { code, out } = await run("ask", there.address, "--log", log, ours);
  assertEquals(code, 1);
  const [record, ...others] = out.filter((line) => line.startsWith("{"));
  assertEquals(others, []);
  const file = put(folder, "record.json", `${record}\n`);
  assertEquals((await run("verify", file, "--log", log)).code, 0);
});

Deno.test("ask: of its operands it says which may be missing", async () => {
  const { code, err } = await run("ask");
  assertEquals(code, 2);
  assertStringIncludes(err[0]!, "expected HOST:PORT [FILE|DIR…]; got: nothing");
});

/** A daemon that follows a log of tiles in a folder, and answers exchanges. */
async function daemonOf(folder: string, served: { log: string; source: string }) {
  const config = await makeMonitor(`${folder}/monitor`, served, "--listen", "127.0.0.1:0");
  const daemon = await startDaemon(config);
  return {
    ...daemon,
    [Symbol.asyncDispose]: async () => {
      daemon.running.stop();
      await daemon.running.done;
    },
  };
}

inFolder("ask: a daemon says which checkpoints its own view has settled", async (folder) => {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  const noteOf = () => Deno.readTextFileSync(`${dir}/checkpoint`);
  const five = put(folder, "five", noteOf());
  await growLog(dir, 7);
  const twelve = put(folder, "twelve", noteOf());
  await growLog(dir, 8);
  const twenty = put(folder, "twenty", noteOf());
  await using daemon = await daemonOf(folder, { log, source: dir });
  await daemon.running.line(/ log\.first .*size=20$/);
  const askWith = async (...files: string[]) => {
    const { code, out, err } = await run("ask", daemon.listen, "--log", log, ...files);
    assertEquals([code, out.length], [0, 1], err.join("\n"));
    return out[0]!;
  };
  assertMatch(await askWith(twenty), /: the monitor was shown the same, size 20$/);
  assertMatch(
    await askWith(five),
    /ahead, at size 20, and consistent: it says that it has proven ours of size 5 by its own view$/,
  );
  assertMatch(
    await askWith(five, twelve),
    /and consistent: it says that it has proven all 2 that are here, up to size 12, by its own view$/,
  );
  assertMatch(await askWith(five, twelve, twenty), /was shown the same, size 20$/);
});

inFolder("ask: what a daemon's view does not reach is not settled yet", async (folder) => {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  await using daemon = await daemonOf(folder, { log, source: dir });
  await daemon.running.line(/ log\.first .*size=5$/);
  // The log grows elsewhere, and the daemon is not shown it.
  await fork(dir, `${folder}/ahead`);
  await growLog(`${folder}/ahead`, 3);
  const ours = put(folder, "ours", Deno.readTextFileSync(`${folder}/ahead/checkpoint`));
  const { code, out } = await run("ask", daemon.listen, "--log", log, ours);
  assertEquals(code, 0);
  assertMatch(
    out[0]!,
    /: not settled yet: the monitor is behind, at size 5, and we at 8; nothing that it said contra/,
  );
  assertStringIncludes(out[0]!, "Its own view has to reach size 8 first: ask again later");
});

/** A world of one who is in a hurry: its time passes 40 times as fast. */
function hurried(): World {
  const world = denoWorld();
  const { clock } = world;
  const hurry = 40;
  return {
    ...world,
    clock: {
      now: () => clock.now(),
      monotonic: () => hurry * clock.monotonic(),
      after: (ms, run) => clock.after(ms / hurry, run),
    },
  };
}

inFolder("ask: a daemon that has no proof yet is asked again until it has", async (folder) => {
  const { dir, log } = await makeLog(`${folder}/log`, 300);
  const ours = put(folder, "ours", Deno.readTextFileSync(`${dir}/checkpoint`));
  await growLog(dir, 300);
  await using daemon = await daemonOf(folder, { log, source: dir });
  await daemon.running.line(/ log\.first .*size=600$/);
  Deno.renameSync(`${dir}/tile`, `${dir}/away`);
  const asking = start(["ask", daemon.listen, "--log", log, ours]);
  await daemon.running.line(/ exchange\.pending .*size=300/);
  Deno.renameSync(`${dir}/away`, `${dir}/tile`);
  const { code, out } = await asking.done;
  assertEquals(code, 0);
  assertMatch(
    out[0]!,
    /ahead, at size 600, and consistent: it says .* ours of size 300 by its own/,
  );
});

inFolder(
  "ask: a daemon without a proof is asked again for a while, and then it is not settled yet",
  async (folder) => {
    const { dir, log } = await makeLog(`${folder}/log`, 300);
    const ours = put(folder, "ours", Deno.readTextFileSync(`${dir}/checkpoint`));
    await growLog(dir, 300);
    await using daemon = await daemonOf(folder, { log, source: dir });
    await daemon.running.line(/ log\.first .*size=600$/);
    // Nothing leads from size 300 to size 600 any more.
    Deno.renameSync(`${dir}/tile`, `${dir}/away`);
    const { code, out } = await start(["ask", daemon.listen, "--log", log, ours], hurried()).done;
    assertEquals(code, 0);
    assertMatch(out[0]!, /: not settled yet: the monitor is ahead, at size 600, and we at 300; /);
  },
);

inFolder("ask: a smaller checkpoint of another story is INCONSISTENT", async (folder) => {
  const { dir, log } = await makeLog(`${folder}/log`, 5);
  await fork(dir, `${folder}/other`);
  await growLog(`${folder}/other`, 3);
  await growLog(dir, 7);
  await using daemon = await daemonOf(folder, { log, source: dir });
  await daemon.running.line(/ log\.first .*size=12$/);
  // The daemon was never shown size 8. It settles it by its view, after it was asked.
  const args = ["--key", await keyFile(folder), "--incidents", `${folder}/in`];
  const file = `${folder}/other/checkpoint`;
  const { code, out } = await run("ask", daemon.listen, "--log", log, ...args, file);
  assertEquals(code, 1, out.join("\n"));
  assertStringIncludes(out.at(-1)!, "INCONSISTENT");
  const verified = await run("verify", `${folder}/in/journal.jsonl`, "--log", log);
  assertEquals(verified.code, 0);
});

inFolder("ask: tiles that are here prove what a monitor behind was shown", async (folder) => {
  const { dir, log } = await makeLog(`${folder}/log`, 300);
  const theirs = put(folder, "theirs", Deno.readTextFileSync(`${dir}/checkpoint`));
  await fork(dir, `${folder}/other`);
  await growLog(`${folder}/other`, 50);
  await growLog(dir, 300);
  await using there = await monitor(log, theirs);
  const { code, out, err } = await run("ask", there.address, "--log", log, dir);
  assertEquals([code, out.length], [0, 1], err.join("\n"));
  assertMatch(
    out[0]!,
    /behind, at size 300, and consistent: tiles .* the beginning of ours, of size 600$/,
  );
  // Without the tiles nobody has proven it.
  const alone = put(folder, "alone", Deno.readTextFileSync(`${dir}/checkpoint`));
  const unproven = await run("ask", there.address, "--log", log, alone);
  assertEquals(unproven.code, 0);
  assertMatch(unproven.out[0]!, /: not settled: the monitor is behind, at size 300/);

  await using apart = await monitor(log, `${folder}/other/checkpoint`);
  const found = await run("ask", apart.address, "--log", log, dir);
  assertEquals(found.code, 1);
  assertStringIncludes(found.out.at(-1)!, "INCONSISTENT");
  const record = put(folder, "record", `${found.out.find((line) => line.startsWith("{"))}\n`);
  assertEquals((await run("verify", record, "--log", log)).code, 0);
});
